"""A daemon at three venues: links in every state, a pair being made, pairs kept, and venues that stand apart."""

from __future__ import annotations

import msgspec

from hlomm.domain.basket_rows import ArbitrageReport, BasketRow, SignalRow, TradeRow
from hlomm.domain.edge_rows import DeviationRow, EdgeReport, EdgeRow, EventRow, ExecutableRow, IncomeRow, StandingRow
from hlomm.domain.ids import POLYMARKET, MarketId
from hlomm.domain.link_rows import LinkRow, TermRow
from hlomm.domain.markets import Leg
from hlomm.domain.report import MarketRow, Snapshot
from hlomm.domain.units import Cash, Qty
from tests.tui.examples import WALL_MS, cash, daily, px, qty, quarter, snapshot

PM = MarketId("polymarket:0x60d38aa2f02e1cac78cdebe4434b0e7d8e9e57e7bfbcbe4c72a385d83ee1c38f")
KS = MarketId("kalshi:KXBTCD-26NOV210600-T91640.99")
KS_QUARTER = MarketId("kalshi:KXBTC15M-26NOV210100-00")
HL, HL_QUARTER = daily().id, quarter().id


def group(left: MarketId, right: MarketId) -> str:
    return f"{left} <-> {right}"


NEAR, FAR, SUSPENDED, PROPOSED = (
    group(HL, PM), group(HL, KS), group(HL_QUARTER, KS_QUARTER), group(KS, PM),
)  # fmt: skip


def markets() -> tuple[MarketRow, ...]:
    far = {"own_bid": None, "own_ask": None, "yes": Qty(0), "strategy": ""}
    return (
        *snapshot().engine.markets,
        daily(id=PM, ticker="OUT:BTC-above91612-2026-11-21T0600", **far),
        daily(id=KS, ticker="OUT:BTC-above91640.99-2026-11-21T0600", strike=px("91640.99"), **far),
        quarter(id=KS_QUARTER, ticker="OUT:BTC-up15m-2026-11-21T0100", strike=None, **far),
    )


def executable(market: MarketId, bid: str | None, ask: str | None, age_s: float | None = 0.4) -> ExecutableRow:
    prices = {name: px(text) for name, text in (("bid", bid), ("ask", ask)) if text is not None}
    return ExecutableRow(market=market, age_s=age_s, **prices)


def edge(**changes: object) -> EdgeRow:
    """20 pairs whose gross edge survives; the amounts add up."""
    row = EdgeRow(
        group=NEAR, left=executable(HL, "0.60173", "0.61423"), right=executable(PM, "0.66", "0.67"), qty=qty("20"),
        buys=(Leg.YES, Leg.NO), gross=cash("0.9154"), fees=(cash("0.0086"), cash("0.3142")), rounding=cash("0.0002"),
        bridge=cash("0.0034"), capital=cash("0.0055"), basis=cash("0.2480"), legging=cash("0.0736"),
        leaves=cash("0.2619"), needs=cash("0.1"), apart=px("0.0062"),
    )  # fmt: skip
    return msgspec.structs.replace(row, **changes)


def edges() -> tuple[EdgeRow, ...]:
    return (
        edge(
            group=SUSPENDED, left=executable(HL_QUARTER, "0.47926", "0.52615"),
            right=executable(KS_QUARTER, "0.49", "0.51", 1.8), leaves=cash("-0.992"), gross=cash("-0.3385"),
            why_not="link: suspended, rules text of kalshi:KXBTC15M-26NOV210100-00 changed from 5aa1 to 77f0",
        ),
        edge(held=qty("40")),
        edge(
            group=FAR, left=executable(HL, "0.60173", "0.61423"), right=executable(KS, "0.59", "0.62", 4.6),
            gross=cash("-0.4846"), leaves=cash("-1.1381"),
            why_not="no_edge: the best way round leaves -0.0569 per contract",
        ),
        edge(
            group=PROPOSED, left=executable(KS, "0.59", "0.62", 7.2), right=executable(PM, None, None, None), buys=None,
            gross=None, leaves=None, note="depth: no way round has 20 contracts on both legs",
            why_not="link: proposed, nobody reviewed it",
        ),
    )  # fmt: skip


def link(left: MarketId, right: MarketId, **changes: object) -> LinkRow:
    names = {row.id: row.ticker for row in markets()}
    row = LinkRow(
        left=left, right=right, left_ticker=names[left], right_ticker=names[right],
        key="BTC >= 91612 @ 2026-11-21T0600:00", grade="near", state="reviewed", reason="reviewed as btc-daily",
        terms=(TermRow(term="source", left="hl_mark", right="binance_1m", makes="near"),), review="btc-daily",
        reviewed_by="a person", reviewed_on="2026-11-20", left_rules="", right_rules="5aa1", left_terms="BTC >= 91612",
        right_terms="BTC > 91612",
    )  # fmt: skip
    return msgspec.structs.replace(row, **changes)


def links() -> tuple[LinkRow, ...]:
    changed = "rules text of kalshi:KXBTC15M-26NOV210100-00 changed from 5aa1 to 77f0"
    return (
        link(HL_QUARTER, KS_QUARTER, state="suspended", reason=changed, review=""),
        link(HL, PM), link(HL, KS), link(KS, PM, state="proposed", reason="nobody reviewed it", review=""),
    )  # fmt: skip


def machine(**changes: object) -> BasketRow:
    row = BasketRow(
        group=FAR, legs=(Leg.YES, Leg.NO), phase="mending", over=False, qty=qty("20"),
        held={HL: qty("20"), KS: qty("5")}, spent=cash("14.33"), edge=px("0.0131"), pair=True, age_s=3.4,
        deadline_s=6.6, loss=cash("4.2"), max_loss=cash("10"), attempts=1, note="nobody sells NO",
    )  # fmt: skip
    return msgspec.structs.replace(row, **changes)


def kept(**changes: object) -> TradeRow:
    row = TradeRow(
        group=NEAR, legs=((HL, Leg.YES), (PM, Leg.NO)), qty=qty("40"), spent=cash("38.9154"), expected=cash("0.5238"),
        realised=None, began_ms=WALL_MS - 412_000, how="held", settles_ms=WALL_MS + 18_173_000,
    )  # fmt: skip
    return msgspec.structs.replace(row, **changes)


def standing(market: MarketId, deviation: str | None, **changes: object) -> StandingRow:
    heat = tuple((number * 7) % 40 if number % 9 else 60 + number for number in range(60))
    row = StandingRow(
        market=market, deviation=None if deviation is None else px(deviation),
        threshold=None if deviation is None else px("0.0241"), mean=px("0.011"), peak=px("0.043"), beyond=px("0.12"),
        known_s=871.0, heat=(-1, -1, *heat[2:]),
    )  # fmt: skip
    return msgspec.structs.replace(row, **changes)


def events() -> tuple[EventRow, ...]:
    return (
        EventRow(
            key="BTC >= 91612 @ 2026-11-21T0600:00", lookback_s=900.0,
            standings=(standing(HL, "-0.0312"), standing(KS, "0.0048"), standing(PM, "0.0275")),
        ),
        EventRow(
            key="BTC >= 91905 @ 2026-11-21T0100:00", lookback_s=900.0,
            standings=(standing(HL_QUARTER, None, known_s=0.0), standing(KS_QUARTER, None, known_s=0.0)),
        ),
    )  # fmt: skip


def deviation(seconds: int, market: MarketId, ticker: str, apart: str) -> DeviationRow:
    return DeviationRow(
        wall_ms=WALL_MS - 1000 * seconds, market=market, ticker=ticker, deviation=px(apart), threshold=px("0.0241")
    )


def deviations() -> tuple[DeviationRow, ...]:
    return (
        deviation(40, PM, "OUT:BTC-above91612-2026-11-21T0600", "0.0275"),
        deviation(9, HL, daily().ticker, "-0.0312"),
    )


def signal(**changes: object) -> SignalRow:
    row = SignalRow(
        wall_ms=WALL_MS - 4_000, group=FAR, qty=qty("20"), edge=px("0.0131"),
        reason="YES at hyperliquid and NO at kalshi: 20 pairs lock 0.4200, less fees 0.1300",
    )  # fmt: skip
    return msgspec.structs.replace(row, **changes)


def picture(**changes: object) -> EdgeReport:
    row = EdgeReport(
        at_ms=WALL_MS, edges=edges(), events=events(), deviations=deviations(),
        income=(IncomeRow(venue=POLYMARKET, rebates=cash("0.35"), scoring=2, quoted=3, share=px("0.124"),
                          per_day=cash("0.42")),),
    )  # fmt: skip
    return msgspec.structs.replace(row, **changes)


def book(**changes: object) -> ArbitrageReport:
    row = ArbitrageReport(
        taken=15, settled=12, mismatched=1, expected=cash("4.12"), realised=cash("3.71"), legging_loss=cash("0.64"),
        trades=(kept(how="settled", realised=cash("0.52"), settles_ms=None), kept()), signals=(signal(),),
    )  # fmt: skip
    return msgspec.structs.replace(row, **changes)


def linked(**changes: object) -> Snapshot:
    values = {"links": links(), "edges": picture(), "arbitrage": book(), "baskets": (machine(),)} | changes
    return snapshot(markets(), **values)


def many_links(count: int = 40) -> Snapshot:
    """More links than any terminal has lines."""
    ids = [MarketId(f"kalshi:KXBTCD-26NOV210600-T{91000 + 10 * number}.99") for number in range(count)]
    rows = tuple(edge(group=group(HL, one), right=executable(one, "0.59", "0.62")) for one in ids)
    return linked(
        edges=picture(edges=rows), links=tuple(msgspec.structs.replace(link(HL, KS), right=one) for one in ids)
    )


def wordy_links() -> Snapshot:
    """Everything longer than the screen, and text that is not only text."""
    long = "the venue said [b]no[/b] \x1b[31m\nand then said it again, " * 6
    one = MarketId("a-venue-with-a-long-name:" + "x" * 90)
    other = MarketId("kalshi:" + "y" * 90)
    row = edge(
        group=group(one, other), left=executable(one, "0.60173", "0.61423", 99_999.0),
        right=executable(other, None, None, None),
        note=long, why_not=f"{long}: {long}", leaves=cash("-123456.78"), gross=cash("987654.32"),
    )  # fmt: skip
    named = msgspec.structs.replace(
        link(HL, PM), left=one, right=other, left_ticker=long, right_ticker=long, key=long, grade="catastrophic",
        reason=long, reviewed_by=long, left_rules=long, terms=(TermRow(term=long, left=long, right=long, makes=long),),
    )  # fmt: skip
    held = msgspec.structs.replace(kept(), group=row.group, legs=((one, Leg.YES), (other, Leg.NO)), spent=Cash(10**18))
    stuck = machine(group=row.group, held={one: Qty(10**17), other: Qty(0)}, note=long, deadline_s=-86_400.0)
    seen = EventRow(key=long, lookback_s=900.0, standings=(standing(one, "0.9999"), standing(other, None)))
    return linked(
        edges=picture(edges=(row,), events=(seen,), deviations=(msgspec.structs.replace(deviations()[0], market=one),)),
        links=(named,), arbitrage=book(trades=(held,), signals=(signal(group=row.group, reason=long),)),
        baskets=(stuck,),
    )  # fmt: skip
