"""The whole daemon in virtual time: one seed, no sockets, no threads, faults everywhere.

Theory of operation. `world` puts together an exchange (`front` over `hlomm.sim.exchange`), other people (`crowd`), a
network (`network`), the venue session's pure parts driven by events instead of tasks (`desk`), a disk (`disk`), the
engine with its pump (`process`), a guardian (`keeper`) and an operator (`people`). `weather` says what goes wrong and
counts what really did; `plan` draws from the seed what a day brings. `checks` looks at all of it from outside and
never helps. Nothing happens between two events, so a day takes seconds.
"""
