"""A strategy beside a live run, on accounts of its own: what it would have decided and what would have filled.

The journal is all it reads, so it costs the run nothing and can be run again afterwards with the same result.
"""
