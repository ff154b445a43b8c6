"""Vocabulary: values every room shares. No clock, no randomness, no I/O, no floats."""
