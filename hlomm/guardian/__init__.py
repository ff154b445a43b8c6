"""A small process that makes the account safe when the daemon no longer can. It has no engine and wants nothing."""
