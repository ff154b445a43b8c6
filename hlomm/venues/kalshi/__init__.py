"""Kalshi: event contracts on the venue's own exchange (facts and sources in NOTES.md)."""
