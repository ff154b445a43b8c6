"""Encrypted keys on disk: what a file is, what a key is, and the folder of them."""
