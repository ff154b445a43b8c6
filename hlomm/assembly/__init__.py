"""Puts rooms together from settings: the same engine for every driver."""
