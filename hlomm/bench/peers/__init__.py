"""One tape and one maker through this program and two others: `hlomm bench peers`.

Theory of operation. `tape` makes rows: a level of a book and what it holds now, or a print. From the same rows every
contender gets what it takes: this program whole books and prints, NautilusTrader batches of deltas, hftbacktest its
event array. The maker is one rule in three languages (`plan.Maker`): ten times a second both sides at a fixed distance
from the mid. Each contender runs in a process of its own and reports one document. `nautilus` and `hft` are scripts
that import nothing of this program, so that they run under an interpreter that has only the peers; `own` runs this
one. `contest` has them take turns, and `claims` says what each of them does and does not do.
"""
