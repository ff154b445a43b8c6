"""Baskets and pairs as people and scripts are shown them; see `hlomm.domain.report`."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from hlomm.domain.ids import MarketId
from hlomm.domain.markets import Leg
from hlomm.domain.units import Cash, Qty


class ArbitrageKind(StrEnum):
    """What is bought together, and held until it settles."""

    CROSS = "cross"
    """YES and NO of one event at two venues: pays 1."""
    LADDER = "ladder"
    """YES of a strike and NO of a higher one: pays 1, and 2 between them."""
    SET = "set"
    """YES of all contracts of which exactly one pays, or NO of several: pays what is sure, NO sometimes 1 more."""


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
    pair: bool = False
    """Two legs of a link; else tokens of one question."""
    age_s: float = 0
    """Since it was sent."""
    deadline_s: float | None = None
    """Until unequal legs are completed no longer, negative once that is past; None without such a time."""
    loss: Cash = Cash(0)
    """Lost on it beside its complete sets if what is left over were worth nothing; negative is a gain."""
    max_loss: Cash = Cash(0)
    """Most that completing it and selling it back may lose."""
    attempts: int = 0
    """Of the phase it is in."""


class TradeRow(Row, frozen=True):
    """A pair or a set that was completed. Amounts for all of it."""

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
    """`held`, `settled`, `being sold`, or `sold: <why>`."""
    settles_ms: int | None = None
    """When the later leg settles; None once it has ended, and where nobody knows."""
    kind: ArbitrageKind = ArbitrageKind.CROSS
    maker: bool = False
    """It began with a leg that rested."""


class SignalRow(Row, frozen=True):
    """What a strategy wanted of a group, whatever became of it."""

    wall_ms: int
    group: str
    qty: Qty
    edge: Cash
    reason: str
    kind: ArbitrageKind = ArbitrageKind.CROSS


class KindRow(Row, frozen=True):
    """What one kind of arbitrage has brought so far. Amounts of those that settled."""

    taken: int = 0
    settled: int = 0
    mismatched: int = 0
    """Paid less than was sure, or, across venues, anything but 1."""
    bonus: int = 0
    """Paid more than was sure, as ladders and sets may."""
    expected: Cash = Cash(0)
    realised: Cash = Cash(0)


class MakerReport(Row, frozen=True):
    """Pairs that began with a leg that rested."""

    taken: int = 0
    hedges: int = 0
    """Fills that were hedged, the latest."""
    delay_p50_ms: int = 0
    """From the fill to the last of its hedge."""
    delay_max_ms: int = 0
    slippage: Cash = Cash(0)
    """What the hedges cost beyond the worst price that was planned with; negative if less."""


class ArbitrageReport(Row, frozen=True):
    taken: int = 0
    settled: int = 0
    mismatched: int = 0
    """Those whose legs did not pay what they must together."""
    expected: Cash = Cash(0)
    """Of the settled ones."""
    realised: Cash = Cash(0)
    legging_loss: Cash = Cash(0)
    """Lost on legs that were not matched; negative if they brought a gain."""
    trades: tuple[TradeRow, ...] = ()
    signals: tuple[SignalRow, ...] = ()
    maker: MakerReport = MakerReport()
    why_not: dict[str, str] = {}
    """By link, pair of strikes or set: what keeps it from being traded now."""
    kinds: dict[ArbitrageKind, KindRow] = {}
    strikes_left_out: int = 0
    """How often there was no room for a pair of strikes."""
