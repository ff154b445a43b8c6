"""Venues: for each a sans-I/O wire codec, a pure signer and a trio session; sockets open only in `transport`."""
