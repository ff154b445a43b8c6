"""The merged book: golden cases, priority, order types, checks, reservations."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.sim.pm import refusals, rows
from hlomm.sim.pm.events import Change, OrderChanged
from hlomm.sim.pm.exchange import Placed
from hlomm.sim.pm.faults import PmFaults
from hlomm.sim.pm.orders import Kind
from hlomm.sim.pm.refusals import Refused
from hlomm.sim.pm.settling import Settling
from hlomm.sim.pm.units import cash_text, price_text, size_text, taker_fee

BUY, SELL, YES, NO = Side.BUY, Side.SELL, Leg.YES, Leg.NO


def refused(desk: Any, wallet: Any, *args: Any, **more: Any) -> str:
    with pytest.raises(Refused) as error:
        desk.exchange.submit(wallet, desk.new(*args, **more))
    return error.value.text


def settle(desk: Any) -> None:
    """Let every trade reach the chain."""
    config = desk.config
    settling = Settling(desk.exchange, PmFaults(), random.Random(1), 1)
    settling.note()
    for _ in range(3):
        desk.exchange.tape.now_ns += round((config.mined_s + config.retry_s + config.confirmed_s) * 2e9)
        settling.run()
    assert not len(settling)


def test_golden_match_types(make_desk, fixtures: Callable[[str], Any]) -> None:
    cases = fixtures("golden_math.json")["match_types"]
    assert len(cases) == 5
    for case in cases:
        desk = make_desk(retried=0.0, failed=0.0)
        maker, taker = desk.wallet(usd=100), desk.wallet(usd=100)
        desk.give(maker, 50)
        desk.give(taker, 50)
        legs = {"YES": YES, "NO": NO}
        m, t = case["maker"], case["taker"]
        desk.place(maker, legs[m["token"]], Side[m["side"]], float(m["price"]), float(m["size"]))
        before = desk.exchange.bank.pairs[1]
        placed = desk.place(taker, legs[t["token"]], Side[t["side"]], float(t["price"]), float(t["size"]))
        if case["type"] is None:
            assert not placed.trades, case["name"]
            continue
        [trade] = placed.trades
        assert price_text(trade.ticks) == f"{float(case['exec_price_taker']):g}", case["name"]
        [fill] = trade.makers
        assert price_text(fill.order.new.ticks) == f"{float(case['exec_price_maker']):g}"
        assert size_text(trade.lots) == case["shares"]
        settle(desk)
        made = {"COMPLEMENTARY": 0, "MINT": 1000, "MERGE": -1000}[case["type"]]
        assert desk.exchange.bank.pairs[1] - before == made
        assert desk.broken() == []


def test_golden_mirrored_book(make_desk, fixtures: Callable[[str], Any]) -> None:
    case = fixtures("golden_math.json")["mirrored_book"]
    desk = make_desk()
    wallet = desk.wallet(usd=1000)
    desk.give(wallet, 100)
    for row in case["orders"]:
        leg = YES if row["token"] == "YES" else NO
        desk.place(wallet, leg, Side[row["side"]], float(row["price"]), float(row["size"]))
    for leg, name in ((YES, "yes_book"), (NO, "no_book")):
        book = rows.book(desk.market, leg, 0)
        for side in ("bids", "asks"):
            assert [[level["price"], level["size"]] for level in book[side]] == case[name][side]


def test_golden_fees(fixtures: Callable[[str], Any]) -> None:
    cases = fixtures("golden_math.json")["taker_fee"]
    assert len(cases) >= 46
    for case in cases:
        lots, ticks = round(float(case["shares"]) * 100), round(float(case["price"]) * 10_000)
        fee = taker_fee(lots, ticks, round(float(case["rate"]) * 10**8), case["exponent"])
        assert float(cash_text(fee)) == float(case["fee_usdc"]), case


def test_price_then_time(desk) -> None:
    first, second, better, taker = (desk.wallet() for _ in range(4))
    desk.place(first, YES, BUY, 0.40, 10)
    desk.place(second, NO, BUY, 0.55, 10)  # an ask at 0.45
    desk.place(better, YES, BUY, 0.41, 10)
    desk.place(second, YES, BUY, 0.40, 10)
    desk.give(taker, 30)
    placed = desk.place(taker, YES, SELL, 0.40, 25)
    assert [(trade.ticks, [fill.order.wallet for fill in trade.makers]) for trade in placed.trades] == [
        (4100, [better]),
        (4000, [first, second]),
    ]
    assert [fill.lots for fill in placed.trades[1].makers] == [1000, 500]
    assert [trade.bucket_index for trade in placed.trades] == [0, 1]


def test_a_buy_through_several_makers_keeps_the_improvement(desk) -> None:
    maker, taker = desk.wallet(), desk.wallet(usd=100)
    desk.place(maker, NO, BUY, 0.60, 10)
    desk.place(maker, NO, BUY, 0.55, 10)
    placed = desk.place(taker, YES, BUY, 0.50, 25)
    assert placed.lots == 2000
    assert placed.cash == 10 * 400_000 + 10 * 450_000
    assert placed.rests
    fees = sum(trade.fee for trade in placed.trades)
    assert taker.out == placed.cash + fees
    assert taker.hold == 5 * 500_000


def test_fok_and_fak(desk) -> None:
    maker, taker = desk.wallet(), desk.wallet()
    desk.place(maker, NO, BUY, 0.60, 10)
    assert refused(desk, taker, YES, BUY, 0.40, 11, Kind.FOK) == refusals.FOK_KILLED
    assert refused(desk, taker, YES, BUY, 0.39, 10, Kind.FAK) == refusals.FAK_KILLED
    killed = [event for event in desk.exchange.tape.events if isinstance(event, OrderChanged)]
    assert [event.status for event in killed[-2:]] == [
        f"CANCELED_{refusals.FOK_KILLED}",
        f"CANCELED_{refusals.FAK_KILLED}",
    ]
    assert desk.place(taker, YES, BUY, 0.40, 15, Kind.FAK).lots == 1000
    assert desk.exchange.open == {}


def test_a_killed_order_may_be_sent_again_and_an_accepted_one_not(desk) -> None:
    maker, taker = desk.wallet(), desk.wallet()
    new = desk.new(YES, BUY, 0.40, 10, Kind.FOK)
    with pytest.raises(Refused, match="fully filled"):
        desk.exchange.submit(taker, new)
    desk.place(maker, NO, BUY, 0.60, 10)
    assert isinstance(desk.exchange.submit(taker, new), Placed)
    with pytest.raises(Refused, match="Duplicated"):
        desk.exchange.submit(taker, new)


def test_a_buy_by_cash_spends_what_it_says(make_desk) -> None:
    desk = make_desk(fak_buy="cash")
    maker, taker = desk.wallet(), desk.wallet(usd=20)
    desk.place(maker, NO, BUY, 0.60, 30)
    new = desk.new(YES, BUY, 0.50, 20, Kind.FAK, spend=10_000_000, by_cash=True)
    placed = desk.exchange.submit(taker, new)
    assert isinstance(placed, Placed)
    assert (placed.lots, placed.cash) == (2500, 10_000_000)
    assert desk.broken() == []


def test_checks(desk) -> None:
    wallet, other = desk.wallet(usd=100), desk.wallet()
    assert "breaks minimum tick size rule: 0.01" in refused(desk, wallet, YES, BUY, 0.405, 10)
    assert "breaks minimum tick size rule" in refused(desk, wallet, YES, BUY, 1.0, 10)
    assert refused(desk, wallet, YES, BUY, 0.40, 4).endswith("Size (4) lower than the minimum: 5")
    assert refused(desk, wallet, YES, BUY, 0.50, 201) == refusals.BALANCE
    assert refused(desk, wallet, YES, SELL, 0.50, 10) == refusals.BALANCE
    desk.place(other, NO, BUY, 0.60, 400)
    assert refused(desk, wallet, YES, BUY, 0.40, 10, post_only=True) == refusals.POST_ONLY_CROSSES
    assert "min size: $1" in refused(desk, wallet, YES, BUY, 0.40, 2, Kind.FAK)
    soon = desk.exchange.tape.now_ns // 10**9 + 60
    assert refused(desk, wallet, YES, BUY, 0.30, 10, Kind.GTD, expiration_s=soon) == refusals.EXPIRATION
    desk.market.accepting = False
    assert refused(desk, wallet, YES, BUY, 0.30, 10) == refusals.NOT_READY


def test_a_taker_needs_the_fee_on_top(desk) -> None:
    maker, exact, short = desk.wallet(), desk.wallet(usd=0), desk.wallet(usd=0)
    desk.place(maker, NO, BUY, 0.50, 200)
    for wallet, cash in ((exact, 50_000_000 + 1_750_000), (short, 50_000_000 + 1_749_999)):
        desk.exchange.bank.deposited += cash
        desk.exchange.bank._pay(wallet, cash)
    assert refused(desk, short, YES, BUY, 0.50, 100) == refusals.BALANCE
    assert desk.place(exact, YES, BUY, 0.50, 100).lots == 10_000
    assert exact.free == 0


def test_open_orders_are_counted_against_the_balance(desk) -> None:
    wallet = desk.wallet(usd=100)
    first = desk.place(wallet, YES, BUY, 0.50, 150).order
    assert refused(desk, wallet, NO, BUY, 0.40, 100) == refusals.BALANCE
    desk.exchange.cancel(first)
    desk.place(wallet, NO, BUY, 0.40, 100)


def test_gtd_ends_a_minute_early(desk) -> None:
    wallet = desk.wallet()
    now_s = desk.exchange.tape.now_ns // 10**9
    desk.place(wallet, YES, BUY, 0.30, 10, Kind.GTD, expiration_s=now_s + 90)
    desk.exchange.tape.now_ns += 29 * 10**9
    desk.exchange.expire()
    assert len(desk.exchange.open) == 1
    desk.exchange.tape.now_ns += 1 * 10**9
    desk.exchange.expire()
    assert desk.exchange.open == {}
    last = desk.exchange.tape.events[-1]
    assert (last.change, last.status) == (Change.CANCELLATION, "CANCELED_EXPIRED_ORDER")


def test_a_held_order_reserves_and_is_checked_again(make_desk) -> None:
    desk = make_desk()
    desk.market.delayed = True
    maker, taker = desk.wallet(), desk.wallet(usd=10)
    resting = desk.place(maker, NO, BUY, 0.60, 10).order
    held = desk.held(taker, YES, BUY, 0.40, 10)
    assert held.cash == 4_000_000 + 168_000
    assert taker.free == 10_000_000 - held.cash
    assert desk.broken() == []
    with pytest.raises(Refused, match="Duplicated"):
        desk.exchange.submit(taker, held.new)
    desk.exchange.cancel(resting)
    placed = desk.exchange.resume(held)
    assert placed.rests
    assert not placed.trades
    assert desk.broken() == []


def test_own_orders_meet_as_configured(make_desk) -> None:
    for mode, lots in (("allow", 1000), ("refuse", None)):
        desk = make_desk(self_match=mode)
        wallet = desk.wallet()
        desk.place(wallet, NO, BUY, 0.60, 10)
        if lots is None:
            assert refused(desk, wallet, YES, BUY, 0.40, 10) == refusals.SELF_MATCH
        else:
            assert desk.place(wallet, YES, BUY, 0.40, 10).lots == lots
        assert desk.broken() == []


def test_the_tick_narrows_at_the_extremes(desk) -> None:
    wallet = desk.wallet()
    desk.place(wallet, YES, BUY, 0.96, 10)
    assert desk.market.narrower_tick() is None
    desk.place(wallet, YES, BUY, 0.97, 10)
    assert desk.market.narrower_tick() == 10
