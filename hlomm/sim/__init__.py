"""Simulated Hyperliquid: a pure exchange and market, and a speaker that serves it over the real wire.

Written from the venue sheet alone. Nothing here knows the client's codecs, so a misread fact shows up as a
disagreement between the two instead of cancelling itself out.
"""
