"""Metrics and read-only pages over HTTP, in a process of its own: it reads the link and the ledger, as a terminal does.

Nothing here runs inside the daemon. Whatever a scraper does to it, trading sees one more viewer that asks at most once
a second.
"""
