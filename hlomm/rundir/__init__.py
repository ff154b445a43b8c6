"""The state directory as processes share it: notes on disk, locks, private sockets, and who is alive."""
