"""Recorded market data: one schema for what was recorded live, from the simulator, or imported."""
