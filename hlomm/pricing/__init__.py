"""Pure maths: the only room with floats. No clock, no randomness, no I/O, and neither numpy nor scipy when live.

Money and prices arrive here as plain floats; whoever calls converts scaled integers once on the way in and once,
with a named rounding direction, on the way out. Each module is one noun: its functions state formula, units, domain
and source where the name does not.
"""
