"""Perps in the engine: accounting, marks, funding, the venue's figures, restarts, and the way to flat."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from hlomm.domain.carried import Carried
from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.grid import closing_limit, perp_px_ok, tick_shown
from hlomm.domain.ids import HYPERLIQUID, MarketId, is_outcome
from hlomm.domain.inputs import (
    AccountState,
    BboUpdate,
    FillReceived,
    FundingPaid,
    MarkPrice,
    OperatorAction,
    PerpBalance,
    StopRequested,
)
from hlomm.domain.markets import Leg, Market
from hlomm.domain.orders import Purpose, Side, Tif
from hlomm.domain.outputs import AlertLevel, ConvertSet, HaltState, Output, PlaceOrders
from hlomm.domain.units import Px, Qty
from hlomm.engine.carry import carried, restore
from hlomm.engine.core import Engine
from hlomm.engine.flatten_perps import worst_payoff
from hlomm.engine.payoffs import claim, stress
from hlomm.engine.portfolio import Portfolio
from hlomm.engine.report import pnl, report
from hlomm.engine.safety import left_open
from hlomm.engine.stakes import Stakes
from hlomm.engine.state import State
from tests.support.rig import Rig, alerts, halts, of, placed
from tests.support.values import BASE, PERP, M, account, config, levels, lots, outcome, px, usd

COUNT = itertools.count(1)
ETH = MarketId("hyperliquid:ETH")


def signed(text: str) -> Qty:
    return Qty(usd(text))


def balance(qty: str, cost: str, market: MarketId = PERP) -> PerpBalance:
    return PerpBalance(market, signed(qty), usd(cost))


def fill(qty: str, price: str, side: Side = Side.BUY, *, fee: str = "0") -> Fill:
    return Fill(
        key=f"p{next(COUNT)}", market=PERP, leg=Leg.YES, side=side, px=px(price), qty=signed(qty), fee=usd(fee),
        kind=FillKind.TRADE, maker=False, client_id=None, venue_order_id=None, venue_ms=0,
    )  # fmt: skip


@pytest.fixture
def books() -> Portfolio:
    portfolio = Portfolio()
    portfolio.open_with(account("1000", perp_cash="500"))
    return portfolio


# -- accounting


def test_a_purchase_is_paid_in_full_from_the_perp_wallet(books: Portfolio) -> None:
    books.apply(fill("0.01", "80000", fee="0.36"))
    assert (books.cash, books.perps.raw, books.perps.cost) == (usd("1000"), usd("-300.36"), usd("800"))
    assert books.totals() == (usd("1000"), 0, usd("0.36"))
    assert books.deposits == usd("1500")


@pytest.mark.parametrize(("side", "realised"), [(Side.BUY, "5"), (Side.SELL, "-5")])
def test_reducing_realises_the_difference(books: Portfolio, side: Side, realised: str) -> None:
    books.apply(fill("0.01", "80000", side))
    books.apply(fill("0.005", "81000", Side(-side)))
    position = books.perps.position(PERP)
    assert position.realised == books.realised == usd(realised)
    assert (position.qty, position.cost) == (side * signed("0.005"), side * usd("400"))
    books.apply(fill("0.005", "81000", Side(-side)))
    assert (position.qty, position.cost, books.perps.cost) == (0, 0, 0)
    assert books.perps.raw == usd("500") + 2 * usd(realised)


def test_a_fill_through_zero_closes_first_and_opens_the_rest(books: Portfolio) -> None:
    books.apply(fill("0.01", "80000"))
    books.apply(fill("0.03", "81000", Side.SELL))
    position = books.perps.position(PERP)
    assert books.realised == usd("10")
    assert (position.qty, position.cost) == (signed("-0.02"), usd("-1620"))
    books.apply(fill("0.02", "80000"))
    assert books.realised == usd("30")
    assert books.perps.raw == usd("530")


def test_cost_that_does_not_divide_rounds_towards_zero_and_the_last_takes_the_rest(books: Portfolio) -> None:
    for side in Side:
        books.apply(fill("0.00003", "80000.1", side))
        for _ in range(3):
            books.apply(fill("0.00001", "80000", Side(-side)))
        assert books.perps.cost == 0


@pytest.mark.parametrize("side", list(Side))
def test_a_notional_that_does_not_come_out_even_is_rounded_against_us(books: Portfolio, side: Side) -> None:
    three = msgspec.structs.replace(fill("1", "0.5", side), qty=Qty(3))
    books.apply(three)
    assert books.perps.raw == usd("500") - (2 if side is Side.BUY else -1)
    books.apply(msgspec.structs.replace(three, side=Side(-side)))
    assert (books.perps.raw, books.realised, books.perps.cost) == (usd("500") - 1, -1, 0)


def test_funding_is_realised_at_once(books: Portfolio) -> None:
    books.apply(fill("0.01", "80000"))
    books.fund(PERP, usd("0.12"))
    books.fund(PERP, usd("-0.02"))
    assert (books.perps.raw, books.realised, books.perps.funding) == (usd("-300.1"), usd("-0.1"), usd("0.1"))
    assert books.fees == 0


def test_the_venues_figures_are_taken_over_as_an_adjustment(books: Portfolio) -> None:
    books.apply(fill("0.01", "80000"))
    books.adopt(account("1000", perps=(balance("-0.02", "-1580"), balance("1", "3000", ETH)), perp_cash="77"))
    assert books.perps.position(PERP).cost == usd("-1580")
    assert books.perps.position(ETH).qty == lots(1)
    assert books.perps.raw == usd("77")
    assert books.adjustments == usd("1000") + usd("77") - usd("1580") + usd("3000") - usd("1500")
    books.adopt(account("1000", perps=(balance("-0.01", "-800"),), perp_cash="77"))
    assert books.perps.position(PERP).cost == usd("-790"), "what stays keeps its own cost"
    assert books.perps.position(ETH).qty == 0
    books.check()


# -- the price grid


@pytest.mark.parametrize(
    ("touch", "slippage", "direction", "limit"),
    [
        ("80000", "0.005", -1, "79600"),
        ("80000", "0.005", +1, "80400"),
        ("80001", "0.005", -1, "79601"),  # 79600.995: rounded towards the touch
        ("80001", "0.005", +1, "80401"),
        ("99999", "0.005", +1, "100498"),
        ("3.1415", "0.005", -1, "3.1258"),
        ("80000", "0", -1, "80000"),
    ],
)
def test_a_closing_order_gives_up_no_more_than_the_bound(touch: str, slippage: str, direction: int, limit: str) -> None:
    found = closing_limit(px(touch), px(slippage), direction, Px(10_000))
    assert found == px(limit)
    assert perp_px_ok(found, Px(10_000))


def test_the_tick_is_read_off_the_book_where_nobody_tells_it() -> None:
    assert tick_shown([px("80000"), px("80001")]) == px("1")
    assert tick_shown([px("3.1"), px("3.125")]) == px("0.001")
    assert tick_shown([]) == px("1")


def test_outcomes_and_perps_are_told_apart_by_name() -> None:
    assert is_outcome(M)
    assert not is_outcome(PERP)
    assert not is_outcome(MarketId("hyperliquid:ONE"))


# -- marks, result, report


def with_perp(qty: str = "0.01", price: str = "80000", *, bid: str = "79990", ask: str = "80010", **how: Any) -> Rig:
    rig = Rig(**how)
    rig.tell(BboUpdate(PERP, (px(bid), lots(5)), (px(ask), lots(5)), rig.ms))
    side = Side.SELL if qty.startswith("-") else Side.BUY
    rig.tell(traded(qty.lstrip("-"), price, side))
    return rig


def traded(qty: str, price: str, side: Side) -> FillReceived:
    return FillReceived(fill(qty, price, side))


@pytest.mark.parametrize(
    ("qty", "mark", "value"),
    [
        ("0.01", "80005", "799.9"),  # the bid is worse
        ("0.01", "79000", "790"),
        ("-0.01", "80005", "-800.1"),  # the ask is worse
        ("-0.01", "81000", "-810"),
        ("0.01", "0", "799.9"),  # no mark
    ],
)
def test_equity_counts_a_perp_at_the_worse_of_mark_and_touch(qty: str, mark: str, value: str) -> None:
    rig = with_perp(qty)
    rig.tell(MarkPrice(PERP, px(mark), rig.ms))
    assert rig.state.perp_value(PERP) == usd(value)
    assert rig.state.equity() == usd(10_000) + rig.state.portfolio.perps.raw + usd(value)


@pytest.mark.parametrize(("qty", "value"), [(3, 1), (-3, -2)])
def test_what_a_perp_is_worth_is_rounded_down(qty: int, value: int) -> None:
    rig = with_perp("0.01")
    rig.state.portfolio.perps.position(PERP).qty = qty
    rig.tell(BboUpdate(PERP, (px("0.5"), lots(1)), (px("0.5"), lots(1)), rig.ms), MarkPrice(PERP, px("0.5"), rig.ms))
    assert rig.state.perp_value(PERP) == value


def test_the_result_of_a_perp_is_inventory() -> None:
    rig = with_perp("0.01")
    rig.tell(MarkPrice(PERP, px("80500"), rig.ms))
    rig.tell(traded("0.005", "80400", Side.SELL))
    rig.tell(FundingPaid(market=PERP, amount=usd("0.5"), key="f1", venue_ms=rig.ms))
    result = pnl(rig.state)
    assert (result.spread, result.settlement, result.fees) == (0, 0, 0)
    assert result.inventory == result.total == usd("2") + usd("2.5") - usd("0.5")
    assert result.funding == usd("0.5")
    assert result.hedge == result.inventory, "all of it is the hedge's"
    assert [row.result for row in report(rig.state).strategies] == [0], "and no strategy's"
    shown = report(rig.state)
    (row,) = [row for row in shown.positions if row.market == PERP]
    assert (row.yes, row.cost, row.realised) == (signed("0.005"), usd("400"), usd("1.5"))
    assert shown.perp_cash == rig.state.portfolio.perps.raw
    assert shown.worst == stress(rig.state.perp_value(PERP))


def test_funding_told_twice_counts_once() -> None:
    rig = with_perp("0.01")
    raw = rig.state.portfolio.perps.raw
    for _ in range(3):
        rig.tell(FundingPaid(market=PERP, amount=usd("0.5"), key="f1", venue_ms=rig.ms))
    assert rig.state.portfolio.perps.raw == raw - usd("0.5")


# -- the venue's account


def test_a_perp_that_was_found_is_ours_from_its_entry_on() -> None:
    rig = Rig(boot=False)
    rig.boot()
    rig.tell(account(100, perps=(balance("0.01", "790"),), perp_cash="-200"))
    assert rig.state.portfolio.deposits == usd(690)
    rig.tell(traded("0.01", "80000", Side.SELL))
    assert rig.state.portfolio.realised == usd(10)


@pytest.mark.parametrize(
    ("perps", "raw", "words"),
    [
        ((), "-800", "hyperliquid:BTC 0 not 0.01"),
        ((balance("0.02", "1600"),), "-800", "hyperliquid:BTC 0.02 not 0.01"),
        ((balance("0.01", "800"),), "-799", "perp wallet -799 not -800"),
        ((balance("0.01", "800"),), "-801", "perp wallet -801 not -800"),
        ((balance("0.01", "800"), balance("1", "3000", ETH)), "-800", "hyperliquid:ETH 1 not 0"),
    ],
)
def test_a_perp_account_that_differs_halts(perps: tuple[PerpBalance, ...], raw: str, words: str) -> None:
    rig = with_perp("0.01")
    for _ in range(3):
        assert rig.halt is HaltState.RUNNING
        rig.keep_fresh(4)
        rig.tell(account(10_000, asked_ns=rig.now.mono_ns, perps=perps, perp_cash=raw))
    assert rig.halt is not HaltState.RUNNING
    assert words in rig.state.halt_reason


def test_an_equal_perp_account_does_not() -> None:
    rig = with_perp("0.01")
    for _ in range(4):
        rig.keep_fresh(4)
        rig.tell(account(10_000, asked_ns=rig.now.mono_ns, perps=(balance("0.01", "801"),), perp_cash="-800"))
    assert rig.halt is HaltState.RUNNING, "the venue's rounded entry is no difference"


# -- from run to run


@pytest.mark.parametrize("qty", ["0.01", "-0.01"])
def test_books_go_on_in_the_next_run(qty: str) -> None:
    rig = with_perp(qty)
    rig.tell(FundingPaid(market=PERP, amount=usd("0.5"), key="f1", venue_ms=rig.ms))
    rig.tell(MarkPrice(PERP, px("80500"), rig.ms))
    books = carried(rig.state)
    state = State(BASE)
    restore(state, books)
    state.portfolio.check()
    assert state.portfolio.perps.position(PERP).qty == signed(qty)
    assert state.portfolio.perps.raw == rig.state.portfolio.perps.raw
    assert state.portfolio.perps.funding == usd("0.5")
    assert pnl(state).total == pnl(rig.state).total
    state.ids = rig.state.ids
    assert [one.px for one in carried(state).perps] == [one.px for one in books.perps] != [None], "seen by none since"


def test_books_that_knew_no_perps_take_the_wallet_over_as_first_told() -> None:
    old = carried(Rig().state)
    fields = {name: getattr(old, name) for name in Carried.__struct_fields__}
    old = Carried(**(fields | {"perp_cash": None}))
    engine = Engine(BASE, [], [HYPERLIQUID])
    rig = Rig(boot=False)
    rig.boot()
    restore(rig.state, old)
    assert engine.state.portfolio.perps.known is False
    found = account(10_000, asked_ns=rig.now.mono_ns, perps=(balance("0.01", "790"),), perp_cash="210")
    rig.tell(found)
    assert rig.state.portfolio.deposits == usd(11_000)
    assert rig.state.reconciled


def test_an_account_of_an_earlier_journal_still_decodes() -> None:
    written = msgspec.msgpack.encode(account(5, perps=(balance("1", "2"),), perp_cash=3))
    fields = msgspec.msgpack.decode(written)
    old = msgspec.msgpack.decode(msgspec.msgpack.encode(fields[:-2]), type=AccountState)
    assert (old.cash, old.perps, old.perp_cash) == (usd(5), (), 0)


# -- the way to flat


def flatten(rig: Rig) -> list[Output]:
    return rig.command(OperatorAction.FLATTEN)


@pytest.mark.parametrize(("qty", "side", "limit"), [("0.01", Side.SELL, "79591"), ("-0.01", Side.BUY, "80410")])
def test_a_perp_is_closed_by_a_reduce_only_order_near_the_touch(qty: str, side: Side, limit: str) -> None:
    rig = with_perp(qty)
    (order,) = placed(flatten(rig))
    assert (order.market, order.side, order.tif, order.purpose) == (PERP, side, Tif.IOC, Purpose.FLATTEN)
    assert (order.px, order.qty, order.reduce_only) == (px(limit), signed("0.01"), True)
    outputs = rig.filled(order, 0.01, at="80000")
    assert halts(outputs + rig.wait(1)) == [HaltState.HALTED]
    (alert,) = alerts(rig.outputs, "flattened")
    assert alert.text.startswith("flatten by uid 1000: all orders cancelled, flat")


def test_perps_and_tokens_are_not_sent_in_one_batch() -> None:
    rig = with_perp("0.01")
    rig.buy(100, "0.5")
    batches = [[order.market for order in batch.orders] for batch in of(flatten(rig), PlaceOrders)]
    assert sorted(batches) == sorted([[PERP], [M]])


def test_a_part_is_followed_up_and_an_open_rest_is_critical() -> None:
    rig = with_perp("0.01")
    outputs = flatten(rig)
    for number in range(BASE.flatten.attempts):
        (order,) = placed(outputs)
        outputs = []
        if not number:
            outputs += rig.filled(order, 0.004, at="80000")
        outputs += rig.closed(order, filled=0.004 if not number else 0, oid=f"{number + 70}")
        outputs += rig.wait(1.0)
    assert rig.halt is HaltState.HALTED
    (alert,) = alerts(rig.outputs, "flattened")
    assert "still open: PERP:BTC 0.006" in alert.text
    assert "not closed in 3 attempts" in alert.text
    assert "a stress move loses 95.98" in alert.text
    assert alert.level is AlertLevel.CRITICAL


def test_a_perp_that_nobody_follows_is_said() -> None:
    rig = Rig(boot=False)
    rig.boot()
    rig.tell(account(100, perps=(balance("1", "3000", ETH),), perp_cash="-2000"))
    rig.up()
    outputs = flatten(rig)
    assert not placed(outputs)
    assert (
        "hyperliquid:ETH 1 (a stress move loses 600.00; not followed: close it by hand)"
        in alerts(outputs, "flattened")[0].text
    )


def test_without_a_book_a_perp_is_waited_for_until_the_deadline() -> None:
    rig = with_perp("0.01")
    outputs = rig.down()
    assert not placed(outputs)
    rig.wait(2)
    touch = BboUpdate(PERP, (px("79990"), lots(5)), (px("80010"), lots(5)), rig.ms)
    (order,) = placed(rig.tell(touch))
    assert order.reduce_only


# -- the order of the walk


@pytest.mark.parametrize(
    ("market", "least"),
    [
        (outcome(strike=px(80_000)), -60),  # at the upper end YES pays 100, the short loses 160
        (outcome(strike=None, floor=px(79_000), ceiling=px(81_000)), -160),  # the bucket pays nothing up there
        (outcome(strike=None, floor=px(81_000), ceiling=None), -60),
        (outcome(strike=None, fallback=True), -160),  # no price decides it
    ],
)
def test_what_tokens_and_perp_pay_together_is_looked_up_at_strikes_bounds_and_ends(market: Market, least: int) -> None:
    assert worst_payoff([claim(market, lots(100), 0)], -lots(0.01), px(80_000)) == usd(least)
    assert worst_payoff([claim(market, lots(100), lots(30))], 0, px(80_000)) == lots(30)


def test_a_hedge_is_reckoned_with_a_jump_before_it_is_closed() -> None:
    """0.01 BTC is short from 80,010; at the upper end, 96,012, a jump of 1 % takes another 9.60."""
    calm, jumpy = (with_perp("-0.01", config=config(hedge={"jump_margin": px(margin)})) for margin in ("0", "0.01"))
    worst = [Stakes(rig.state).total() for rig in (calm, jumpy)]
    assert worst == [usd("160.02"), usd("169.6212")]


def test_a_perp_that_can_lose_more_than_it_protects_goes_first_and_its_outcomes_wait() -> None:
    """Short 0.05 BTC against 100 YES: at the upper end of the range it loses 800, and selling YES makes that worse."""
    rig = with_perp("-0.05", markets=[outcome(strike=px(80_000))])
    rig.buy(100, "0.5")
    outputs = flatten(rig)
    assert [order.market for order in placed(outputs)] == [PERP]
    (order,) = placed(outputs)
    outputs = rig.filled(order, 0.05, at="80010") + rig.book()
    assert [order.market for order in placed(outputs)] == [M]


@pytest.mark.parametrize("pairs", [0, 100])
def test_an_outcome_that_brings_more_than_it_protects_does_not_wait(pairs: float) -> None:
    """Short 0.0125 BTC, at worst 187.5 at the strike: sold, YES brings 50 and leaves 200 to be lost."""
    rig = with_perp("-0.0125", markets=[outcome(strike=px(95_000))])
    rig.buy(100 + pairs, "0.5")
    if pairs:
        rig.buy(pairs, "0.45", leg=Leg.NO)
    outputs = flatten(rig)
    assert {order.market for order in placed(outputs)} | {one.market for one in of(outputs, ConvertSet)} == {PERP, M}


def test_a_hedge_that_protects_goes_after_what_it_protects() -> None:
    """Short a little against YES far in the money: without it the worst case would be worse."""
    rig = with_perp("-0.001", markets=[outcome(strike=px(72_000))])
    rig.buy(100, "0.9")
    rig.book(levels(("0.9", 500)), levels(("0.95", 500)))
    outputs = flatten(rig)
    assert [order.market for order in placed(outputs)] == [M]
    (sale,) = placed(outputs)
    outputs = rig.filled(sale, 100, at="0.9")
    assert [order.market for order in placed(outputs)] == [PERP]


def test_a_hedge_of_what_is_held_to_settlement_is_closed_with_it() -> None:
    rig = with_perp("-0.001", markets=[outcome(strike=px(72_000))])
    rig.buy(100, "0.9")
    rig.book((), levels(("0.95", 500)))
    assert [order.market for order in placed(flatten(rig))] == [PERP]


def test_a_hedge_does_not_wait_longer_than_half_the_time() -> None:
    rig = with_perp("-0.001", markets=[outcome(strike=px(72_000))])
    rig.buy(100, "0.9")
    rig.market().book.forget()
    outputs = flatten(rig)
    assert not placed(outputs + rig.wait(7))
    assert [order.market for order in placed(rig.wait(1))] == [PERP]


def test_a_perp_that_nobody_follows_makes_no_stop_a_trouble() -> None:
    rig = Rig(boot=False)
    rig.boot()
    picture = account(100, perps=(balance("1", "3000", ETH),), perp_cash="-2000")
    rig.tell(picture)
    rig.up()
    rig.tell(StopRequested("SIGTERM", flatten=True))
    for _ in range(30):
        rig.wait(0.5)
        rig.tell(account(100, perps=(balance("1", "3000", ETH),), perp_cash="-2000"))
    assert rig.state.last_walk is not None
    assert rig.state.last_walk.confirmed
    assert not left_open(rig.state)


def test_a_perp_that_a_late_fill_leaves_open_after_the_walk_is_closed_too() -> None:
    rig = with_perp("0.01")
    (sale,) = placed(rig.command(OperatorAction.FLATTEN))
    rig.keep_fresh(20)
    assert rig.halt is HaltState.HALTED
    rig.filled(rig.order(sale.client_id), 0.004)
    assert rig.halt is HaltState.FLATTENING
