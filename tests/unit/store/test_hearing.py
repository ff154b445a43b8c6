"""Stores in which nothing can be traded: all of it is heard, each market says why, and no order is ever sent."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID, POLYMARKET, MarketId, kalshi_market, polymarket_market
from hlomm.domain.inputs import BboUpdate, BookSnapshot, Input, MarketListed, MarketSettled, TradePrint
from hlomm.domain.markets import MarketKind
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Px, Qty
from hlomm.engine.core import Engine
from hlomm.research.onlooker import Onlooker
from hlomm.research.recording import perp_of
from hlomm.research.session import run_session
from hlomm.research.source import recordings
from hlomm.research.store.recordings import load_session, only_heard
from hlomm.settings.load import load
from tests.unit.store.making import OUTCOME, T0, book, market, minute, touch, write

Rows = list[tuple[int, Input]]
CENT = SCALE // 100
PM = polymarket_market("0xabc")
TERMS = msgspec.structs.replace(market(PM), venue=POLYMARKET, klass="updown-1d")


def elsewhere(rows: Rows) -> Rows:
    """The same contract at a venue of which no tape fills."""
    moved: Rows = []
    for ms, item in rows:
        if isinstance(item, MarketListed):
            moved.append((ms, MarketListed(TERMS) if item.market.kind is MarketKind.OUTCOME else item))
        else:
            mine = getattr(item, "market", "") == OUTCOME
            moved.append((ms, msgspec.structs.replace(item, market=PM) if mine else item))
    return moved


def unsized(name: MarketId, ms: int) -> BboUpdate:
    return BboUpdate(name, (40 * CENT, 0), (42 * CENT, 0), T0 // 10**6 + ms)


class Fairs(Onlooker):
    """How often a strategy found a fair value for the contract."""

    count = 0

    def fed(self, engine: Engine, item: Input, now: object) -> None:
        pass

    def turned(self, engine: Engine, outputs: object, now: object) -> None:
        found = engine.state.markets.get(PM)
        self.count += found is not None and found.desired is not None and found.desired.fair is not None


def without_strike() -> MarketListed:
    return MarketListed(msgspec.structs.replace(TERMS, strike=None))


def touches_alone() -> Rows:
    return [
        (ms, unsized(PM, ms) if isinstance(item, BookSnapshot) else item)
        for ms, item in elsewhere(minute())
        if not isinstance(item, TradePrint)
    ]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (elsewhere(minute()), "no exchange fills orders of polymarket from a tape"),
        (touches_alone(), "no sizes in its book"),
        ([(1, MarketListed(TERMS)), (20, book(10, id_=PM))], "no touch of its perp BTC: nothing to price it on"),
        ([(1, without_strike()), (20, book(10, id_=PM))], "no strike in its terms"),
        ([(20, book(10, id_=PM))], "no terms: nothing says on what it settles, and when"),
        ([(20, unsized(kalshi_market("K"), 10)), (30, MarketSettled(PM, Px(0), ""))], "no book: "),
    ],
)
def test_a_market_says_the_heaviest_of_what_it_lacks(tmp_path: Path, rows: Rows, why: str) -> None:
    write(tmp_path, rows)
    assert only_heard(tmp_path)
    (said,) = [one for one in load_session(tmp_path).heard if one.market == PM]
    assert said.why.startswith(why)
    assert said.document()["traded"] is False


def test_what_a_strategy_can_price_is_priced_and_never_ordered(tmp_path: Path) -> None:
    write(tmp_path, elsewhere(minute()))
    fairs, selected = Fairs(), 'strategy.avellaneda.classes=["updown-1d"]'
    result = run_session(load_session(tmp_path), load("sim", (), (selected,), environ={}), onlooker=fairs)
    assert fairs.count > 100
    assert result.final.risk.rejected.keys() == {"cash"}
    assert (result.final.orders_placed, result.settled) == (0, {PM: SCALE})


def test_the_engine_hears_a_market_that_nothing_describes(tmp_path: Path) -> None:
    name = MarketId("binance:BTCUSDT")
    write(tmp_path, [(100, book(100, id_=PM)), (200, msgspec.structs.replace(touch(200), market=name))])
    result = run_session(load_session(tmp_path), load("sim", environ={}))
    told = {row.id: (row.bids, row.kind, row.strategy) for row in result.final.markets}
    assert told[PM] == (book(100).bids, MarketKind.OUTCOME, "")
    assert told[name] == ((touch(200).bid,), MarketKind.PERP, "")
    assert "heard at polymarket: polymarket:0xabc: 1 books, 0 touches, 0 prints; not traded: no terms" in result.text()
    assert result.document("sim")["heard"][PM]["listed"] is False


def test_rows_that_make_no_sense_leave_that_market_out_and_no_other(tmp_path: Path) -> None:
    wrong = TradePrint(PM, Px(142 * CENT), Qty(SCALE), Side.BUY, "x", T0 // 10**6 + 20)
    write(tmp_path, [(1, MarketListed(perp_of("BTC"))), (30, wrong), *((ms, touch(ms)) for ms in range(100, 900, 100))])
    session = load_session(tmp_path)
    assert [(one.market, one.reason) for one in session.excluded] == [
        (PM, "rows that make no sense: a trade of 1 at 1.42 (1 of them)")
    ]
    assert session.book_events == 8


def test_beside_outcomes_that_are_traded_other_venues_are_left_out_by_name(tmp_path: Path) -> None:
    write(tmp_path, sorted([*minute(), (500, book(490, id_=PM))], key=lambda row: row[0]))
    assert not only_heard(tmp_path)
    session = load_session(tmp_path)
    assert [one.id for one in session.markets] == [OUTCOME]
    assert [(one.market, one.reason) for one in session.excluded] == [
        (POLYMARKET, f"1 markets: orders are filled at {HYPERLIQUID} alone")
    ]


def test_whatever_needs_a_market_to_trade_in_refuses_such_a_store_by_name(tmp_path: Path) -> None:
    write(tmp_path, [(100, book(100, id_=PM))])
    with pytest.raises(UsageError, match=r"can be backtested \(hyperliquid: no outcome"):
        recordings(tmp_path)
