"""Whole windows: which parts stand where, and which keys they take."""
