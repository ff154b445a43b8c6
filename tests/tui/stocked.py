"""A daemon with sets, a hedge and something at stake, with figures that fit together."""

from __future__ import annotations

import msgspec

from hlomm.domain.ids import MarketId
from hlomm.domain.report import (
    HedgeRow,
    MarketRow,
    PositionRow,
    ScenarioRow,
    SetRow,
    SideNote,
    Snapshot,
)
from hlomm.domain.units import Px
from tests.tui.examples import OK, cash, daily, perp, pulled, px, qty, quarter, snapshot

BTC = perp().id
LIMITS = {
    "loss_limit": cash("1500"), "underlying_loss_limit": cash("750"), "event_loss_limit": cash("250"),
    "hedge_limit": cash("5000"),
}  # fmt: skip


def other() -> MarketRow:
    """The fallback of a question: no price decides it."""
    return daily(
        id=MarketId("hyperliquid:o11809"), ticker="OUT:BTC-other-2026-11-21T0600", strike=None, question=7,
        own_bid=None, own_ask=None,
    )  # fmt: skip


def markets() -> tuple[MarketRow, ...]:
    rows = (daily(), pulled(), perp(), quarter(), other())
    return tuple(msgspec.structs.replace(row, underlying="BTC") for row in rows)


def position(row: MarketRow, yes: str, no: str, cost: str, value: str, **changes: object) -> PositionRow:
    made = PositionRow(
        market=row.id, ticker=row.ticker, yes=qty(yes), no=qty(no), cost=cash(cost), value=cash(value),
        realised=cash("12.05"), fees=cash("0.31"),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def positions() -> tuple[PositionRow, ...]:
    return (
        position(daily(), "172", "100", "142.10", "143.32"),
        position(quarter(), "80", "120", "99.30", "98.95"),
        position(pulled(), "25", "0", "16.20", "11.86"),
        position(other(), "40", "0", "3.60", "3.20"),
        position(perp(), "-0.01774", "0", "-1628.70", "-1629.88"),
        position(daily(), "150", "0", "80", "0", market=MarketId("hyperliquid:o11801"), settled=px("0")),
    )


def note(guard: str, detail: str = "") -> SideNote:
    return SideNote(guard=guard, detail=detail)


def sets() -> tuple[SetRow, ...]:
    return (
        SetRow(
            market=daily().id, ticker=daily().ticker, pairs=qty("100"),
            note=note("ok", "closing is free: sales rank first"),
        ),
        SetRow(
            market=quarter().id, ticker=quarter().ticker, pairs=qty("80"), note=note("converting", "merge of 80"),
            converting="merge", qty=qty("80"),
        ),
        SetRow(
            market=pulled().id, ticker=pulled().ticker, pairs=qty("0"),
            note=note("cash", "12.5 free of 100"),
        ),
    )  # fmt: skip


def hedge(**changes: object) -> HedgeRow:
    row = HedgeRow(
        market=BTC, held=qty("-0.01774"), target=qty("-0.0221"), band=qty("0.00436"), notional=cash("1629.88"),
        inside_ms=2_912_400, outside_ms=211_900, note=OK,
    )  # fmt: skip
    return msgspec.structs.replace(row, **changes)


def at(price: str, *losses: str) -> list[ScenarioRow]:
    """Scenarios at a price; of a bound three, from just below to just above."""
    first = px(price) - (1 if len(losses) == 3 else 0)
    return [
        ScenarioRow(name="BTC-2026-11-21T0600", at=Px(first + number), loss=cash(loss))
        for number, loss in enumerate(losses)
    ]


def event(ticker: str, no: str, yes: str) -> list[ScenarioRow]:
    return [ScenarioRow(name=f"{ticker}-{end}", at=None, loss=cash(loss)) for end, loss in (("NO", no), ("YES", yes))]


def scenarios() -> tuple[ScenarioRow, ...]:
    return (
        *at("73505.20", "-247.51"),
        *at("91612", "74.31", "-97.69", "-97.69"),
        *at("91881.5", "-92.91"),
        *at("91886", "-92.83", "-117.83", "-117.83"),
        *at("91905", "-117.49", "-77.49", "-77.49"),
        *at("92500", "-66.93", "-66.93", "-66.93"),
        *at("110257.80", "612.08"),
        *event(other().ticker, "3.60", "-36.40"),
    )


def stocked(**changes: object) -> Snapshot:
    values = {
        "positions": positions(), "sets": sets(), "hedges": (hedge(),), "scenarios": scenarios(),
        "worst_loss": cash("615.68"), "converted": {"split": qty("500"), "merge": qty("61")}, **LIMITS,
    } | changes  # fmt: skip
    return snapshot(markets(), **values)


def many_bounds(count: int = 30) -> tuple[ScenarioRow, ...]:
    """A ladder of strikes with something at stake at each."""
    rows = []
    for number in range(count):
        low, high = str(40 - number), str(39 - number)
        rows += at(str(91_000 + 65 * number), low, high, high)
    return tuple(rows)
