"""Kalshi's wire: bytes to values and back. Pure functions; what cannot be read is told as an anomaly or a refusal."""
