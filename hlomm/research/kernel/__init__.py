"""The compiled tier of sweeps: the engine's quoting of one contract over a tape, for many sets of settings."""
