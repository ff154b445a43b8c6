"""Snapshots as a daemon would send them, with figures that fit together."""

from __future__ import annotations

from pathlib import Path

import msgspec

from hlomm.domain.ids import ClientId, MarketId, VenueId
from hlomm.domain.inputs import Level
from hlomm.domain.latency_rows import STAGES, QueueRow, StageRow
from hlomm.domain.markets import Leg, MarketKind
from hlomm.domain.orders import OrderState, Purpose, Side
from hlomm.domain.report import (
    AlertRow,
    EngineReport,
    FillRow,
    MarketRow,
    OrderRow,
    OwnQuote,
    Pnl,
    PositionRow,
    RiskCounts,
    SideNote,
    Snapshot,
    VenueRow,
)
from hlomm.domain.units import Cash, Px, Qty, complement, parse

SOCKET = Path("/run/user/1000/hlomm/sim/hlomm.sock")
WALL_MS = 1_795_222_627_000
"""2026-11-21 00:57:07 UTC."""
NOW_S = 1_000.0

OK = SideNote(guard="ok")
AMENDING = SideNote(guard="pending_amend")


def px(text: str) -> Px:
    return Px(parse(text))


def qty(text: str) -> Qty:
    return Qty(parse(text))


def cash(text: str) -> Cash:
    return Cash(parse(text))


def levels(*texts: str) -> tuple[Level, ...]:
    """`.57020x812` and so on, best first."""
    pairs = (text.split("x") for text in texts)
    return tuple((parse(f"0{price}" if price.startswith(".") else price), parse(size)) for price, size in pairs)


def quote(price: str, size: str, leg: Leg, side: Side, state: OrderState = OrderState.OPEN) -> OwnQuote:
    return OwnQuote(px=px(price), qty=qty(size), leg=leg, side=side, state=state)


def facts(
    fair: str, model: str, book: str, half: str, size: str = "150", bound: str = "cap"
) -> tuple[tuple[str, str], ...]:
    return (
        ("fair", fair), ("model", model), ("book", book), ("weight_model", "0.14199"), ("vol", "0.45392"),
        ("nu", "0.98892"), ("reservation", fair), ("half", half), ("size", size), ("size_bound", bound),
    )  # fmt: skip


# -- markets


def daily(**changes: object) -> MarketRow:
    row = MarketRow(
        id=MarketId("hyperliquid:o11802"), ticker="OUT:BTC-91612-2026-11-21T0600", kind=MarketKind.OUTCOME,
        tau_s=18_173.0, strike=px("91612"),
        bids=levels(".60173x818", ".60167x150", ".60121x147", ".60053x37", ".60033x17", ".59870x1204"),
        asks=levels(".61423x32", ".61477x201", ".61485x81", ".61682x124", ".61851x30", ".62040x905"),
        book_age_s=0.21, shape="two_sided", fair=px("0.61314"), fair_source="blend",
        own_bid=quote("0.60167", "150", Leg.YES, Side.BUY), own_ask=quote("0.61851", "30", Leg.YES, Side.SELL),
        yes=qty("120"), bid_note=OK, ask_note=OK, facts=facts("0.61314", "0.60214", "0.61376", "0.0066886"),
        strategy="avellaneda",
    )  # fmt: skip
    return msgspec.structs.replace(row, **changes)


def quarter(**changes: object) -> MarketRow:
    row = MarketRow(
        id=MarketId("hyperliquid:o11804"), ticker="OUT:BTC-91905-2026-11-21T0100", kind=MarketKind.OUTCOME,
        tau_s=173.4, strike=px("91905"),
        bids=levels(".47926x809", ".47523x137", ".47390x22", ".47074x101", ".46468x150"),
        asks=levels(".52615x1565", ".52763x877", ".53165x22", ".54168x150", ".54592x34"),
        book_age_s=0.14, shape="two_sided", fair=px("0.49617"), fair_source="blend",
        own_bid=quote("0.46468", "150", Leg.YES, Side.BUY),
        own_ask=quote("0.54168", "150", Leg.NO, Side.BUY, OrderState.PENDING_AMEND),
        no=qty("40"), bid_note=SideNote(guard="max_position", detail="worst case 400 of 400"), ask_note=AMENDING,
        facts=facts("0.49617", "0.45673", "0.5027", "0.041006"), strategy="avellaneda",
    )  # fmt: skip
    return msgspec.structs.replace(row, **changes)


def pulled(**changes: object) -> MarketRow:
    """Close to expiry: the model does not want to be there."""
    note = SideNote(guard="model", detail="half-spread 0.131 above the widest 0.120")
    row = quarter(
        id=MarketId("hyperliquid:o11803"), ticker="OUT:BTC-91886-2026-11-21T0058", tau_s=53.2,
        own_bid=None, own_ask=None, no=Qty(0), bid_note=note, ask_note=note, fair=px("0.6634"), fair_source="model",
        book_age_s=4.2,
    )  # fmt: skip
    return msgspec.structs.replace(row, **changes)


def perp() -> MarketRow:
    return MarketRow(
        id=MarketId("hyperliquid:BTC"), ticker="PERP:BTC", kind=MarketKind.PERP, tau_s=None,
        bids=levels("91875x2.729", "91874x27.21423", "91872x4.56848"),
        asks=levels("91876x0.691", "91879x1.23438", "91885x4.4251"),
        book_age_s=0.2, shape="two_sided", fair=px("91881.5"), fair_source="mark",
    )  # fmt: skip


def one_sided() -> MarketRow:
    reducing = SideNote(guard="one_sided", detail="book is ask_only: only reducing net 0")
    return quarter(
        bids=(), shape="ask_only", own_bid=None, own_ask=None, no=Qty(0), bid_note=reducing, ask_note=reducing,
        fair=px("0.04671"), fair_source="model", facts=facts("0.04671", "0.04671", "-", "0.0312", "0", "no_edge"),
        asks=levels(".05210x64", ".06000x500"),
    )  # fmt: skip


def many(count: int = 12) -> tuple[MarketRow, ...]:
    """A ladder of strikes, expiring one after the other."""
    rows = []
    for number in range(count):
        shift = 1_000_000 * (number - 6)
        bid = msgspec.structs.replace(quote("0.60167", "150", Leg.YES, Side.BUY), px=Px(px("0.60167") - shift))
        ask = msgspec.structs.replace(quote("0.61851", "30", Leg.YES, Side.SELL), px=Px(px("0.61851") - shift))
        rows.append(
            daily(
                id=MarketId(f"hyperliquid:o{11900 + number}"), tau_s=900.0 * (number + 1),
                ticker=f"OUT:BTC-{91500 + 65 * number}-2026-11-21T{1 + number // 4:02d}{15 * (number % 4):02d}",
                bids=tuple((level - shift, size) for level, size in daily().bids),
                asks=tuple((level - shift, size) for level, size in daily().asks),
                fair=Px(px("0.61314") - shift), own_bid=None if number % 5 == 4 else bid, own_ask=ask,
                yes=qty(str(25 * (number % 4))), no=qty("60" if number % 3 == 0 else "0"),
                bid_note=SideNote(guard="tokens", detail="0 YES free to sell") if number % 5 == 4 else OK,
            )
        )  # fmt: skip
    return tuple(rows)


# -- what goes with them


def order(row: MarketRow, own: OwnQuote, number: int) -> OrderRow:
    return OrderRow(
        client_id=ClientId(f"0x686c01a1fb9d1b51{number:016x}"), market=row.id, ticker=row.ticker, leg=own.leg,
        side=own.side, px=own.px if own.leg is Leg.YES else complement(own.px), leaves=own.qty, filled=Qty(0),
        state=own.state, purpose=Purpose.QUOTE, age_s=3.6 + number, strategy="avellaneda",
    )  # fmt: skip


def orders(markets: tuple[MarketRow, ...]) -> tuple[OrderRow, ...]:
    quotes = [(row, own) for row in markets for own in (row.own_bid, row.own_ask) if own is not None]
    return tuple(order(row, own, number) for number, (row, own) in enumerate(quotes))


def positions(markets: tuple[MarketRow, ...]) -> tuple[PositionRow, ...]:
    return tuple(
        PositionRow(
            market=row.id, ticker=row.ticker, yes=row.yes, no=row.no, cost=Cash((row.yes + row.no) * 61 // 100),
            value=Cash((row.yes + row.no) * 60 // 100), realised=cash("-1.19"), fees=Cash(0),
        )
        for row in markets
        if row.yes or row.no
    )  # fmt: skip


def fill(seconds: int, side: Side, leg: Leg, size: str, price: str, edge: str | None, **changes: object) -> FillRow:
    row = FillRow(
        wall_ms=WALL_MS - 1000 * seconds, market=daily().id, ticker=daily().ticker, leg=leg, side=side, px=px(price),
        qty=qty(size), fee=Cash(0), kind="trade", maker=True, edge=None if edge is None else px(edge),
    )  # fmt: skip
    return msgspec.structs.replace(row, **changes)


FILLS = (
    fill(95, Side.BUY, Leg.YES, "61", "0.61716", "0.00217"),
    fill(61, Side.BUY, Leg.YES, "77", "0.61813", "0.00666"),
    fill(44, Side.SELL, Leg.YES, "17", "0.61893", "0.00106"),
    fill(31, Side.SELL, Leg.YES, "150", "0", None, kind="settlement", maker=False,
         market=MarketId("hyperliquid:o11801"), ticker="OUT:BTC-91921-2026-11-21T0057"),
    fill(12, Side.BUY, Leg.NO, "40", "0.38541", "0.00355"),
    fill(4, Side.SELL, Leg.YES, "136", "0.60664", "-0.00304", maker=False, fee=cash("0.0124")),
)  # fmt: skip

SETTLED = AlertRow(
    wall_ms=WALL_MS - 31_000, level="info", code="settled",
    text="OUT:BTC-91921-2026-11-21T0057 settled, YES pays 0 (settlement fill), held 150 YES 0 NO",
)  # fmt: skip
SESSION = AlertRow(
    wall_ms=WALL_MS - 9_000, level="warning", code="session_lost",
    text="hyperliquid session lost (pong overdue): its quotes are cancelled, quoting resumes when it is back",
)  # fmt: skip
DANGER = AlertRow(
    wall_ms=WALL_MS - 2_000, level="critical", code="danger",
    text="kill by uid 1000 from 10.0.0.7 (book looks wrong): cancelling everything, selling",
)  # fmt: skip
FLATTENED = AlertRow(
    wall_ms=WALL_MS - 500, level="warning", code="flattened",
    text=(
        "kill by uid 1000 from 10.0.0.7 (book looks wrong): all orders cancelled; held to settlement: "
        "OUT:BTC-91905-2026-11-21T0100 0 YES 40 NO (worst 20.80; not sold in 5 attempts) — "
        "`hlomm resume` to quote again"
    ),
)  # fmt: skip

VENUE = VenueRow(
    venue=VenueId("hyperliquid"), session="live", data_age_s=0.04, open_orders=4, ack_p50_ms=278.9, skew_ms=-98,
    budget_used=380, budget_cap=10_204,
)  # fmt: skip


def curve() -> tuple[tuple[int, Cash], ...]:
    """A result that goes down, recovers and wavers; no randomness, no floats."""
    steps = [
        ((number * 37) % 23 - 11) * 31_000_000 + 420_000_000 * ((number // 20) % 3 - 1) // 3 for number in range(120)
    ]
    total = [sum(steps[: number + 1]) for number in range(120)]
    shift = cash("41.82") - total[-1]
    return tuple((WALL_MS - 1000 * (119 - number), Cash(value + shift)) for number, value in enumerate(total))


def engine(markets: tuple[MarketRow, ...], **changes: object) -> EngineReport:
    resting = orders(markets)
    values = {
        "wall_ms": WALL_MS, "state": "running", "reason": "quoting", "equity": cash("10214.37"),
        "cash": cash("9897.18"),
        "drawdown": cash("12.10"), "max_drawdown": cash("87.90"), "drawdown_limit": cash("150"),
        "gross": cash("1180.40"), "gross_limit": cash("3000"), "worst": cash("97.36"),
        "pnl": Pnl(
            realised=cash("46.99"), unrealised=cash("-2.12"), fees=cash("3.05"), rewards=Cash(0), total=cash("41.82"),
            spread=cash("58.20"), inventory=cash("-9.31"), settlement=cash("-4.02"),
        ),
        "volume": cash("5777.46"), "fills": 143, "orders_placed": 372, "amends": 2491, "cancels": 266,
        "open_orders": len(resting), "settlements": 9, "rolls": 9,
        "risk": RiskCounts(passed=2950, resized=53, rejected={"max_position": 54, "min_notional": 154}),
        "markets": markets, "positions": positions(markets), "orders": resting, "recent_fills": FILLS,
        "budget": {"hyperliquid": (380, 10_204)}, "foreign_orders": 0, "anomalies": {}, "invariant_breaks": 0,
    } | changes  # fmt: skip
    # Fields the report gains later and this file does not know yet: counters, which start at nothing.
    missing = [
        field.encode_name
        for field in msgspec.structs.fields(EngineReport)
        if field.required and field.encode_name not in values
    ]
    return EngineReport(**values, **dict.fromkeys(missing, 0))


QUEUES = (
    QueueRow(name="engine inbox", peak=12, limit=100_000), QueueRow(name="ledger", peak=340, limit=20_000),
    QueueRow(name="hyperliquid writer", peak=3),
)  # fmt: skip


def stages(**changes: float) -> tuple[StageRow, ...]:
    """One row of each stage; a change is the p99 of the last minute."""
    return tuple(
        StageRow(
            stage=stage.value, budget_us=1000.0 * (place + 1), count=48_213 + place, p50_us=41.0, p90_us=88.0,
            p99_us=241.0, p999_us=1_240.0, max_us=35_000.0, recent_us=changes.get(stage.value, 238.0),
        )
        for place, stage in enumerate(STAGES)
    )  # fmt: skip


def snapshot(markets: tuple[MarketRow, ...] | None = None, **changes: object) -> Snapshot:
    """A quoting daemon; changes go to the engine's report."""
    rows = (pulled(), quarter(), daily(), perp()) if markets is None else markets
    alerts = changes.pop("alerts", (SETTLED,))
    resting = msgspec.structs.replace(VENUE, open_orders=len(orders(rows)))
    venues = changes.pop("venues", (resting,))
    return Snapshot(
        profile="sim", version="0.1.0", pid=20_709, uptime_s=3_754.9, armed=Cash(0), engine=engine(rows, **changes),
        venues=venues, alerts=alerts, pnl_curve=curve(), latency_p50_us=96.4, latency_p99_us=241.0,
        journal="journal/1795218872000-000000.journal", journal_records=48_213, stages=stages(), queues=QUEUES,
    )  # fmt: skip


def halted() -> Snapshot:
    """After a kill that could not sell everything."""
    note = SideNote(guard="halted", detail="kill by uid 1000 from 10.0.0.7 (book looks wrong)")
    quiet = {"own_bid": None, "own_ask": None, "bid_note": note, "ask_note": note}
    rows = (pulled(**quiet), quarter(**quiet), daily(**quiet, yes=Qty(0)), perp())
    return snapshot(
        rows, state="halted", reason="kill by uid 1000 from 10.0.0.7 (book looks wrong)",
        alerts=(SETTLED, SESSION, DANGER, FLATTENED), drawdown=cash("126.10"),
    )  # fmt: skip


def wordy() -> Snapshot:
    """Everything longer than the screen, and text that is not only text."""
    long = "the venue said [b]no[/b] \x1b[31m\nand then said it again, " * 6
    note = SideNote(guard="a_guard_with_a_very_long_name", detail=long)
    row = daily(
        id=MarketId("hyperliquid:o99999"), ticker="OUT:SOMETHINGVERYLONG-1234567.25-2027-01-31T2345", bid_note=note,
        ask_note=note, strategy="a-strategy-with-a-name-longer-than-its-column",
        facts=(*daily().facts, ("something_new", "a value nobody foresaw"), ("another_one", "1e-09")),
    )  # fmt: skip
    alert = AlertRow(wall_ms=WALL_MS, level="critical", code="a_code", text=long)
    odd = AlertRow(wall_ms=WALL_MS, level="catastrophic", code="unknown_level", text="levels may be added")
    venue = msgspec.structs.replace(VENUE, venue=VenueId("a-venue-with-a-long-name"), session="reconciling_slowly")
    figures = {"equity": cash("123456789.12"), "drawdown": cash("12345.67"), "drawdown_limit": cash("1500000")}
    return snapshot((row, quarter()), alerts=(alert, odd), venues=(venue,), reason=long, **figures)
