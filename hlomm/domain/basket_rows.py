"""Baskets and pairs as people and scripts are shown them; see `hlomm.domain.report`."""

from __future__ import annotations

import msgspec

from hlomm.domain.ids import MarketId
from hlomm.domain.markets import Leg
from hlomm.domain.units import Cash, Qty


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base: encoded as a map, so that fields can be added."""


class BasketRow(Row, frozen=True):
    """The basket that a question or a link has, or had last."""

    group: str
    legs: tuple[Leg, ...]
    """Bought at each of `held`, in its order."""
    phase: str
    over: bool
    qty: Qty
    """Sets that were wanted."""
    held: dict[MarketId, Qty]
    """By its own orders; conversions of them are not counted."""
    spent: Cash
    """Cash it took, fees included; negative if it brought some."""
    edge: Cash
    """Least that a set was to leave."""
    note: str = ""


class TradeRow(Row, frozen=True):
    """A pair across venues that was completed. Amounts for all of it."""

    group: str
    legs: tuple[tuple[MarketId, Leg], ...]
    qty: Qty
    spent: Cash
    expected: Cash
    """Least that it was to leave when it was sent."""
    realised: Cash | None
    """None while it is held, and if it was sold with everything else."""
    began_ms: int
    how: str
    """`held`, `settled`, or `sold: <why>`."""


class SignalRow(Row, frozen=True):
    """What a strategy wanted of a link, whatever became of it."""

    wall_ms: int
    group: str
    qty: Qty
    edge: Cash
    reason: str


class ArbitrageReport(Row, frozen=True):
    taken: int = 0
    settled: int = 0
    mismatched: int = 0
    """Pairs whose legs did not pay 1 together."""
    expected: Cash = Cash(0)
    """Of the settled ones."""
    realised: Cash = Cash(0)
    legging_loss: Cash = Cash(0)
    """Lost on legs that were not matched; negative if they brought a gain."""
    trades: tuple[TradeRow, ...] = ()
    signals: tuple[SignalRow, ...] = ()
    why_not: dict[str, str] = {}
    """By link: what keeps it from being traded now."""
