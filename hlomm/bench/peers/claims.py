"""What each contender does and does not do, as it is run here: the other half of a speed.

Of the peers it is what their sources of these versions say (NautilusTrader 1.221.0: `backtest/engine.pyx`,
`backtest/models`, `risk/engine.pyx`, `model/position.pyx`; hftbacktest 2.4.4: its models and exchanges).
"""

from __future__ import annotations

from typing import Final

FEATURES: Final = ("journal", "risk gate", "settles", "money", "queue", "latency", "partial fills", "strategy")

_ENGINE: Final = {
    "journal": "digest only", "risk gate": "every order", "settles": "yes", "money": "integers", "queue": "back of it",
    "latency": "both ways", "partial fills": "yes", "strategy": "Python",
}  # fmt: skip
DOES: Final[dict[str, dict[str, str]]] = {
    "engine": _ENGINE,
    "engine_journal": _ENGINE | {"journal": "written"},
    "engine_nearest": _ENGINE,
    "kernel": _ENGINE | {"journal": "no", "strategy": "compiled, one"},
    "nautilus_trader": {
        "journal": "no", "risk gate": "every order", "settles": "at the book", "money": "fixed, floats",
        "queue": "none", "latency": "one way", "partial fills": "yes", "strategy": "Python",
    },
    "hftbacktest": {
        "journal": "no", "risk gate": "none", "settles": "no", "money": "floats", "queue": "back of it",
        "latency": "both ways", "partial fills": "no", "strategy": "numba",
    },
}  # fmt: skip
"""By contender and feature, in a word or two."""

WHAT: Final = {
    "engine": "hlomm's engine, as the daemon runs it: gate, books, orders, timers; each decision in its digest",
    "engine_journal": "the same with every input and decision encoded and written, as the daemon writes them",
    "engine_nearest": "the same engine with the set that the compiled tier can take: the kernel's reference",
    "kernel": "hlomm's compiled tier: the engine's quoting of one strategy; it knows no other, so not the maker itself",
    "nautilus_trader": "NautilusTrader's BacktestEngine, logging off, its own default fill model",
    "hftbacktest": "hftbacktest with hash-map depth and a strategy compiled before the clock starts",
}

NOTES: Final = (
    (
        "an event is a change of the book or a print, a row a single level or print; hlomm is given whole books of 20 "
        "levels a side, as its venues send them, and decides with each; the peers get the levels that changed"
    ),
    "pnl is cash plus position at the last mid, before settlement, summed from each one's own fills; fees are none",
    (
        "fills of hlomm: prints at a price use up the queue before it, prints beyond it fill; a book that crosses "
        "without a print fills nothing"
    ),
    (
        "fills of NautilusTrader: when the other side of the book comes to the price; a seller's print moves its bid, "
        "not its offer, so a resting purchase does not see it"
    ),
    (
        "fills of hftbacktest: prints behind the queue, and books that cross; whole orders only, as its exchange with "
        "partial fills ends early (issue 301); it cancels and places, as its modify keeps the old size (pull request "
        "317)"
    ),
    (
        "the kernel's set quotes the same distance and size around the book's microprice, at every event, and the gate "
        "is its cap: compare the kernel with engine_nearest, not with the maker"
    ),
    (
        "hlomm's limits are in force and set wide, so that the maker's own cap comes first; its engine takes its own "
        "orders out of the book before the maker sees it, so that its mid may be another, and it sells what is held "
        "before it buys the complement, so that a quote may be smaller"
    ),
    (
        "NautilusTrader's gate checks precision, rate, notional and balance; its prices are fixed-point, its profit is "
        "in doubles; an expired contract is closed at the book's price, not settled by an outcome"
    ),
    "hlomm replays a written journal to the same bytes with the strategies it is configured with; the maker is none",
)
"""What has to be known beside the figures."""
