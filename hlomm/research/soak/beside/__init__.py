"""Two venues beside Hyperliquid: the simulators' pure exchanges behind a door, the sessions' pure parts before it.

A `Door` is one account's view of a venue and its hands on it, in values that the venue's codec would yield; a `Desk` is
one process's session there, with events in the place of tasks. What is common is told once (`door`, `desk`), what a
venue does its own way in its two files. `street` lists the contracts that stand beside Hyperliquid's and quotes them.
"""
