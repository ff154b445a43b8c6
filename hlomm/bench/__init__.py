"""How fast this program is on the machine it runs on: `hlomm bench`.

Theory of operation. Everything measured is the program itself: the daemon, its session, its engine with the gate, its
journal, its signer, its transport. The venue is another process (`venue`), so that it shares no interpreter with what
is measured; it speaks TLS on loopback, answers orders at once and feeds frames of the shape that was recorded
(`frames`). `probes` wraps methods of the program's classes for the length of a measurement; nothing in the program
knows of it. `quiet` watches what else ran on the machine: figures of a disturbed one are marked, not believed.

One file per benchmark (`hotpath`, `engine`, `journal`, `transport`, `sim`, `naive`), and a folder for the one that has
other programs in it (`peers`); each returns one document.
"""
