"""Commands: thin, and heavy imports only inside the command that needs them."""
