"""The life of markets: listed, followed, settled in any order of news, rolled, forgotten; and what fills do to them."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from hlomm.domain.faults import InvariantBroken
from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import HYPERLIQUID, ClientId, MarketId, StrategyId, VenueId, outcome_market
from hlomm.domain.inputs import (
    Booted,
    ClockSkew,
    ConversionFailed,
    FeeRates,
    FillReceived,
    Input,
    MarketChanged,
    MarketDelisted,
    MarketListed,
    MarketSettled,
    MarkPrice,
    OperatorAction,
    SessionDown,
    SessionUp,
    TradePrint,
)
from hlomm.domain.markets import Comparator, Leg, MarketKind, Source
from hlomm.domain.orders import OrderRequest, OrderState, Purpose, Side, Tif
from hlomm.domain.outputs import AlertLevel, HaltState, Output, Subscribe, Unsubscribe
from hlomm.domain.sets import SetAction
from hlomm.engine import core, intake, memory
from hlomm.engine.core import Engine
from hlomm.engine.report import pnl, report
from tests.support.puppet import Puppet
from tests.support.rig import Rig, alerts, cancelled, of, placed, risky
from tests.support.values import (
    BASE,
    EPOCH_MS,
    M2,
    PERP,
    START,
    M,
    account,
    config,
    levels,
    lots,
    outcome,
    perp,
    px,
    snapshot,
    usd,
)

FAST = config(quotes={"min_interval_ns": 0})


def settled(market: MarketId = M, price: str = "1", detail: str = "price:80001") -> MarketSettled:
    return MarketSettled(market, px(price), detail)


def settlement_fill(
    number: float, price: str, leg: Leg = Leg.YES, *, fee: str = "0", key: str = "s1", market: MarketId = M
) -> FillReceived:
    return FillReceived(
        Fill(
            key=key, market=market, leg=leg, side=Side.SELL, px=px(price), qty=lots(number), fee=usd(fee),
            kind=FillKind.SETTLEMENT, maker=False, client_id=None, venue_order_id=None, venue_ms=EPOCH_MS,
        )
    )  # fmt: skip


# -- listing


def test_a_wanted_market_and_every_perp_is_followed() -> None:
    rig = Rig(boot=False)
    rig.boot()
    assert of(rig.tell(MarketListed(perp())), Subscribe) == [Subscribe(PERP)]
    assert of(rig.tell(MarketListed(outcome())), Subscribe) == [Subscribe(M)]
    assert rig.market().strategy == StrategyId("puppet")
    assert rig.market().underlying == PERP
    assert rig.market(PERP).strategy is None


def test_a_market_listed_again_is_the_same_market() -> None:
    rig = Rig()
    before = rig.market()
    assert not of(rig.tell(MarketListed(outcome(tau_s=1))), Subscribe)
    assert rig.market() is before
    assert rig.market().market.expiry_ns == outcome().expiry_ns


def test_a_market_that_was_settled_before_it_was_listed_is_never_quoted() -> None:
    """News of the end overtook news of the beginning: quoting it would be quoting the dead."""
    rig = Rig()
    rig.tell(settled(M2))
    outputs = rig.tell(MarketListed(outcome(16)))
    assert not of(outputs, Subscribe)
    outputs += rig.book(market=M2) + rig.want(bid=("0.52", 100), market=M2)
    assert not risky(outputs)
    assert rig.market(M2).settled == px(1)
    assert rig.market(M2).gone


def test_a_forgotten_market_that_is_listed_again_stays_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "MARKETS_KEPT", 1)
    rig = Rig()
    rig.tell(settled())
    assert M not in rig.state.markets
    rig.tell(MarketListed(outcome()))
    assert not risky(rig.book() + rig.want(bid=("0.52", 100)))


# -- settlement


def test_settlement_pays_ends_the_quotes_and_says_so() -> None:
    rig = Rig()
    rig.buy(100, "0.5")
    bid = rig.resting_bid()
    outputs = rig.tell(settled())
    assert rig.cash == usd(10_050)
    assert rig.net() == 0
    assert rig.market().settled == px(1)
    assert of(outputs, Unsubscribe) == [Unsubscribe(M)]
    assert rig.puppet.forgotten == [M]
    assert [one.client_id for one in cancelled(outputs)] == [bid.client_id]
    (alert,) = alerts(outputs, "settled")
    assert "YES pays 1" in alert.text
    assert "held 100 YES 0 NO" in alert.text
    assert alert.level is AlertLevel.INFO


@pytest.mark.parametrize("first", ["input", "fill"])
@pytest.mark.parametrize(("leg", "price"), [(Leg.YES, "1"), (Leg.NO, "0")])
def test_settlement_is_told_twice_and_counts_once(first: str, leg: Leg, price: str) -> None:
    """By the market list and by a fill of our own, in either order; the fee comes with the fill."""
    rig = Rig()
    rig.buy(100, "0.5", leg)
    news: list[Any] = [settled(), settlement_fill(100, price, leg, fee="0.14")]
    for item in news if first == "input" else reversed(news):
        rig.tell(item)
    paid = "100" if leg is Leg.YES else "0"
    assert rig.cash == usd("9950") + usd(paid) - usd("0.14")
    assert rig.state.portfolio.fees == usd("0.14")
    assert rig.state.portfolio.settlements == 1
    _adds_up(rig)


def test_two_settlement_fills_of_one_market() -> None:
    rig = Rig()
    rig.buy(100, "0.5")
    rig.buy(40, "0.4", Leg.NO)
    rig.tell(settlement_fill(100, "1", fee="0.14", key="a"), settlement_fill(40, "0", Leg.NO, key="b"))
    assert rig.cash == usd("10034") - usd("0.14")
    _adds_up(rig)


def test_settling_at_two_prices_is_impossible() -> None:
    rig = Rig()
    rig.tell(settled())
    with pytest.raises(InvariantBroken):
        rig.tell(settled(price="0"))


def test_settlement_before_the_fills_it_should_have_followed() -> None:
    rig = Rig()
    bid = rig.resting_bid("0.52", 100)
    rig.tell(settled())
    rig.filled(bid, 60)
    assert rig.net() == 0
    assert rig.cash == usd("10000") + usd("28.8")
    rig.closed(bid, filled=60, status="outcomeSettledCanceled")
    assert rig.state.orders.awaiting_fills() == []
    _adds_up(rig)


def test_a_book_that_comes_after_the_settlement_changes_no_result() -> None:
    rig = Rig()
    rig.buy(100, "0.5")
    rig.tell(settled())
    before = pnl(rig.state)
    rig.book(levels(("0.01", 5)), levels(("0.02", 5)))
    assert pnl(rig.state) == before
    _adds_up(rig)


def test_a_market_nobody_listed_may_settle() -> None:
    rig = Rig()
    rig.tell(settled(M2))
    assert rig.state.portfolio.settlements == 1
    assert M2 not in rig.state.markets


def test_orders_left_in_a_settled_market_are_cancelled_until_the_venue_lets_go() -> None:
    rig = Rig()
    bid = rig.resting_bid()
    rig.tell(settled())
    rig.cancel_failed(bid, text="Order was never placed, already canceled, or filled.")
    assert bid.state is OrderState.UNKNOWN
    rig.answer(bid, open_=False, status="outcomeSettledCanceled")
    assert not bid.live


# -- delisting and rolling


def test_a_market_that_vanished_is_left_alone_until_it_settles() -> None:
    rig = Rig()
    rig.buy(100, "0.5")
    outputs = rig.tell(MarketDelisted(M, "no settlement price after 20 questions"))
    assert alerts(outputs, "delisted")
    assert of(outputs, Unsubscribe) == [Unsubscribe(M)]
    assert not alerts(rig.tell(MarketDelisted(M, "again")), "delisted")
    assert rig.net() == lots(100)
    rig.tell(settled())
    assert rig.cash == usd(10_050)


def test_a_market_nobody_listed_may_vanish() -> None:
    assert Rig().tell(MarketDelisted(M2, "x")) == []


def test_the_next_contract_of_a_series_counts_as_a_roll() -> None:
    rig = Rig()
    rig.tell(settled())
    rig.tell(MarketListed(outcome(16)))
    assert rig.state.counters.rolls == 1
    rig.tell(MarketListed(outcome(17, period="15m")), MarketListed(outcome(18, underlying="ETH")))
    assert rig.state.counters.rolls == 1


# -- fills


def test_a_fill_counts_once_however_often_it_is_told() -> None:
    rig = Rig()
    bid = rig.resting_bid()
    fill = FillReceived(rig.fill_of(bid, 40))
    rig.tell(fill, fill, fill)
    assert rig.net() == lots(40)
    assert bid.leaves == lots(60)
    assert rig.state.portfolio.fills == 1


def test_remembered_fills_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "FILLS_REMEMBERED", 10)
    rig = Rig()
    for _ in range(50):
        rig.buy(1, "0.5")
    assert len(rig.state.memory(HYPERLIQUID).seen) == 10
    assert len(rig.state.recent_fills) == 50


def test_a_fill_of_no_order_of_this_run_is_booked_and_managed() -> None:
    rig = Rig(FAST)
    outputs = rig.buy(100, "0.5")
    assert alerts(outputs, "foreign_fill")
    (ask,) = placed(rig.want(ask=("0.58", 100)))
    assert ask.side is Side.SELL


def test_a_fill_in_a_market_nobody_listed_is_booked() -> None:
    rig = Rig()
    rig.buy(10, "0.5", market=M2)
    assert rig.net(M2) == lots(10)
    rig.buy(10, "0.6", market=M2, side=Side.SELL)
    assert rig.cash == usd(10_001)
    assert M2 not in rig.state.portfolio.positions, "flat and unknown: nothing to keep"
    _adds_up(rig)


def test_the_recent_fills_tell_the_edge_against_fair_value() -> None:
    rig = Rig(FAST)
    rig.want(bid=("0.52", 100), ask=("0.58", 100), fair="0.55")
    bid, ask = rig.state.orders.live_in(M)
    rig.filled(bid, 10)
    rig.filled(ask, 10)
    rows = rig.state.recent_fills
    assert [row.edge for row in rows] == [px("0.03"), px("0.03")]
    assert [row.leg for row in rows] == [Leg.YES, Leg.NO]
    assert rows[0].ticker == "OUT:BTC-80000-15"


def test_a_failed_merge_is_said() -> None:
    (alert,) = Rig().tell(ConversionFailed(action=SetAction.MERGE, market=M, text="Outcome error"))
    assert "Outcome error" in alert.text  # type: ignore[union-attr]


# -- odds and ends of intake


def test_closing_fees_reach_the_strategy() -> None:
    rig = Rig()
    rig.tell(
        FeeRates(venue=HYPERLIQUID, open_maker=0, open_taker=0, close_maker=80_000, close_taker=140_000, settle=140_000)
    )
    rig.want()
    assert rig.puppet.views[-1].close_maker_fee == 80_000


def test_prints_are_kept_within_a_bound() -> None:
    rig = Rig()
    for number in range(50):
        rig.tell(TradePrint(M, px("0.5"), lots(1), Side.BUY, f"{number}", rig.ms))
    assert len(rig.market().prints) == 20
    assert rig.tell(TradePrint(M2, px("0.5"), lots(1), Side.BUY, "x", rig.ms)) == []


def test_news_of_unknown_markets_are_ignored() -> None:
    rig = Rig()
    assert rig.tell(MarkPrice(MarketId("hyperliquid:DOGE"), px(1), rig.ms)) == []
    assert rig.tell(snapshot((), (), rig.ms, M2)) == []


@pytest.mark.parametrize(
    "item", [ClockSkew(VenueId("kalshi"), 1), SessionUp(VenueId("kalshi")), SessionDown(VenueId("kalshi"), "x", True)]
)
def test_a_venue_the_engine_was_not_built_for_is_impossible(item: Any) -> None:
    with pytest.raises(InvariantBroken, match="unknown venue"):
        Rig().tell(item)


def test_the_first_input_must_be_the_boot_and_only_the_first() -> None:
    engine = Engine(BASE, [Puppet()], [HYPERLIQUID])
    with pytest.raises(InvariantBroken, match="must be Booted"):
        engine.feed(SessionUp(HYPERLIQUID), START)
    rig = Rig()
    with pytest.raises(InvariantBroken, match="booted twice"):
        rig.tell(Booted(epoch_ms=1, profile="sim", version="", config="", halted=None))


def test_two_strategies_of_one_name_are_impossible() -> None:
    with pytest.raises(InvariantBroken, match="share one id"):
        Engine(BASE, [Puppet(), Puppet()], [HYPERLIQUID])


def test_every_kind_of_input_has_a_handler() -> None:
    assert set(intake.HANDLERS) == set(get_args(Input))


# -- memory


def test_a_night_of_short_contracts_does_not_fill_the_memory() -> None:
    """10,000 contracts, each listed, quoted, filled, settled; some only vanish, some are told in the wrong order."""
    rig = Rig(config(quotes={"min_interval_ns": 0}))
    sizes = []
    for number in range(100, 10_100):
        market = outcome_market(HYPERLIQUID, number)
        listing = MarketListed(outcome(number, tau_s=1e9))
        if number % 7 == 0:
            _feed(rig, settled(market), listing)
            continue
        _feed(rig, listing, snapshot(levels(("0.50", 500)), levels(("0.60", 500)), rig.ms, market))
        if number % 50 == 0:
            rig.book(market=market)
            (bid,) = placed(rig.want(bid=("0.52", 20), market=market))
            rig.puppet.desired.pop(market)
            rig.filled(bid, 20)
        if number % 11 == 0 and number % 50:
            _feed(rig, MarketDelisted(market, "gone"))
        else:
            _feed(rig, settled(market))
        if number % 1_000 == 99:
            sizes.append(_size(rig))
    assert sizes[-1] <= sizes[1] + 20, f"it grows: {sizes}"
    assert len(rig.state.markets) <= core.MARKETS_KEPT + 1
    assert len(rig.state.portfolio.positions) <= core.MARKETS_KEPT + 1
    assert len(rig.state.attribution._tracks) <= core.MARKETS_KEPT + 1
    assert len(rig.state.portfolio.of(HYPERLIQUID).settled) <= 4_096
    assert len(rig.state.timers._deadlines) <= core.MARKETS_KEPT + 10
    assert rig.halt is HaltState.RUNNING
    _adds_up(rig)
    rig.state.portfolio.check()


def _feed(rig: Rig, *items: Any) -> None:
    for item in items:
        rig.engine.feed(item, rig.now)
        rig.engine.turn(rig.now)


def _size(rig: Rig) -> int:
    state = rig.state
    return (
        len(state.markets) + len(state.portfolio.positions) + len(state.attribution._tracks) + len(state.timers._heap)
        + len(state.dirty) + state.orders.live_count + len(state.attribution._found)
    )  # fmt: skip


def test_a_market_with_tokens_or_orders_is_never_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "MARKETS_KEPT", 1)
    rig = Rig(FAST)
    bid = rig.resting_bid()
    rig.buy(10, "0.5")
    rig.tell(MarketDelisted(M, "gone"))
    for number in range(20, 40):
        rig.tell(MarketListed(outcome(number)), settled(outcome_market(HYPERLIQUID, number)))
    assert M in rig.state.markets, "tokens"
    rig.tell(settled())
    assert M in rig.state.markets, "an order that may still fill"
    rig.closed(bid, filled=30)
    assert M in rig.state.markets, "a fill on its way"
    rig.filled(bid, 30)
    assert M not in rig.state.markets
    assert rig.cash == usd("10000") + usd("5") + usd("14.4")


def test_a_fill_long_after_everything_about_its_market_was_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "MARKETS_KEPT", 1)
    rig = Rig()
    rig.tell(settled())
    assert M not in rig.state.markets
    rig.buy(10, "0.90")
    assert rig.cash == usd(10_001)
    assert M not in rig.state.portfolio.positions
    _adds_up(rig)
    assert pnl(rig.state).spread == usd(1)


# -- the report


def _adds_up(rig: Rig) -> None:
    result = pnl(rig.state)
    assert result.total == result.realised + result.unrealised - result.fees + result.rewards
    assert result.spread + result.inventory + result.settlement - result.fees == result.total


def test_looking_changes_nothing() -> None:
    rigs = [Rig(FAST), Rig(FAST)]
    outputs: list[list[Output]] = []
    for curious, rig in enumerate(rigs):
        for step in range(6):
            rig.want(bid=(f"0.5{step}", 100), ask=("0.58", 100))
            rig.buy(10, "0.5")
            rig.tell(MarketListed(outcome(20 + step)))
            rig.keep_fresh(1)
            if curious:
                report(rig.state)
                pnl(rig.state)
        outputs.append(rig.outputs)
    assert outputs[0] == outputs[1]
    assert rigs[0].engine.digest() == rigs[1].engine.digest()
    assert set(rigs[0].state.portfolio.positions) == set(rigs[1].state.portfolio.positions)


def test_the_report_tells_what_the_inputs_made_of_it() -> None:
    rig = Rig(FAST)
    rig.want(bid=("0.52", 100), ask=("0.58", 100), fair="0.55")
    bid, ask = rig.state.orders.live_in(M)
    rig.opened(bid)
    rig.opened(ask)
    rig.filled(bid, 40, fee="0.01")
    rig.tell(account(9_979, orders=()))
    shown = report(rig.state)
    assert (shown.state, shown.reason) == ("running", "quoting")
    assert shown.cash == usd("9979.19")
    assert shown.equity == usd("9979.19") + usd("20"), "40 YES at the best bid of 0.50"
    assert shown.drawdown == usd("0.81")
    assert shown.gross == usd("20.8") + usd("31.2") + usd("42") + usd("52"), "an amend back to 100 is out"
    assert shown.worst == usd("20.8")
    assert (shown.fills, shown.orders_placed, shown.open_orders) == (1, 2, 2)
    assert shown.volume == usd("20.8")
    assert (shown.risk.passed, shown.risk.resized, shown.risk.rejected) == (3, 0, {})
    row = next(row for row in shown.markets if row.id == M)
    assert row.own_bid is not None
    assert row.own_ask is not None
    assert (row.own_bid.px, row.own_bid.qty) == (px("0.52"), lots(60))
    assert (row.own_ask.px, row.own_ask.leg) == (px("0.58"), Leg.NO)
    assert (row.yes, row.no, row.fair) == (lots(40), 0, px("0.55"))
    assert row.bid_note is not None
    assert row.bid_note.guard == "ok"
    assert row.tau_s == 3_600.0
    (position,) = shown.positions
    assert (position.cost, position.value, position.fees) == (usd("20.8"), usd("20"), usd("0.01"))
    assert {one.client_id for one in shown.orders} == {bid.client_id, ask.client_id}
    (fill,) = shown.recent_fills
    assert (fill.px, fill.qty, fill.maker) == (px("0.52"), lots(40), True)
    assert shown.pnl.spread == usd("1.2")
    assert shown.pnl.fees == usd("0.01")
    assert shown.pnl.total == usd("1.19")


def test_an_engine_that_has_seen_nothing_can_be_looked_at() -> None:
    rig = Rig(boot=False)
    shown = report(rig.state)
    assert (shown.state, shown.equity, shown.markets) == ("starting", 0, ())
    rig.boot()
    rig.tell(MarketListed(outcome()))
    (row,) = report(rig.state).markets
    assert row.shape == "unknown"
    assert row.book_age_s is None
    assert row.bid_note is not None


def test_rejections_and_anomalies_are_counted_by_name() -> None:
    rig = Rig(config(limits={"max_position": lots(1)}, quotes={"min_interval_ns": 0}))
    rig.want(bid=("0.52", 100))
    rig.command(OperatorAction.PAUSE, target="puppet")
    rig.tell(settled(M2))
    rig.tell(FillReceived(rig.fill_of(_stranger(), 1)))
    shown = report(rig.state)
    assert shown.risk.rejected["min_notional"] >= 1
    assert shown.paused == ("puppet",)
    assert shown.settlements == 1
    assert shown.anomalies == {}


def _stranger() -> OrderRequest:
    return OrderRequest(
        client_id=ClientId("0x" + "5" * 32), market=M, leg=Leg.YES, side=Side.BUY, px=px("0.5"), qty=lots(1),
        tif=Tif.ALO, purpose=Purpose.QUOTE,
    )  # fmt: skip


def test_foreign_and_odd_states_are_reported() -> None:
    rig = Rig()
    rig.buy(10, "0.5", market=M2)
    rig.resting_bid()
    rig.tell(MarketDelisted(M, "x"))
    rows = report(rig.state)
    assert {row.market for row in rows.positions} == {M2}
    assert rows.positions[0].ticker == M2, "no listing, no name"


# -- other terms


@pytest.mark.parametrize(
    "changes",
    [{"strike": px(81_000)}, {"rules": "abc"}, {"source": Source.BRTI}, {"comparator": Comparator.ABOVE},
     {"expiry_ns": 1}, {"settles_ns": 5}, {"void": "50/50"}, {"averaging_s": 60}],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_other_terms_end_the_quotes_made_for_the_old_ones(changes: dict[str, Any]) -> None:
    rig = Rig(config(quotes={"min_interval_ns": 0}))
    order = rig.resting_bid()
    outputs = rig.tell(MarketChanged(outcome(**changes)))
    assert [request.client_id for request in cancelled(outputs)] == [order.client_id]
    assert placed(outputs) == []
    (alert,) = alerts(outputs, "terms_changed")
    assert next(iter(changes)) in alert.text
    assert rig.market().market == outcome(**changes)
    assert M in rig.puppet.forgotten


def test_other_costs_and_grids_leave_the_quotes_and_count_from_now_on() -> None:
    rig = Rig(config(quotes={"min_interval_ns": 0}))
    order = rig.resting_bid("0.52", 100)
    outputs = rig.tell(MarketChanged(outcome(tick=px("0.01"), min_notional=usd(60))))
    assert cancelled(outputs) == []
    (alert,) = alerts(outputs, "market_changed")
    assert "tick 0.00001 -> 0.01" in alert.text
    rig.closed(order)
    assert placed(rig.want(bid=("0.52", 100))) == []
    assert rig.note(1) == "min_notional"
    assert rig.tell(MarketChanged(outcome(tick=px("0.01"), min_notional=usd(60)))) == [], "said once"


def test_a_change_of_a_market_that_nobody_listed_is_nothing_and_one_of_its_kind_impossible() -> None:
    rig = Rig()
    assert rig.tell(MarketChanged(outcome(99))) == []
    with pytest.raises(InvariantBroken, match="changed what it is"):
        rig.tell(MarketChanged(outcome(kind=MarketKind.PERP)))
