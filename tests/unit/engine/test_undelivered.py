"""Matched and not yet delivered: in the books at once, for sale and to spend later, undone to the last unit if void."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.faults import InvariantBroken
from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import (
    FillFinal,
    FillReceived,
    FillVoided,
    FundingPaid,
    Input,
    JournalFailed,
    MarketListed,
    MarketSettled,
    OperatorAction,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Purpose, Side
from hlomm.domain.outputs import ConvertSet, HaltState
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.engine import undelivered
from hlomm.engine.portfolio import Portfolio
from hlomm.engine.report import pnl
from hlomm.engine.undelivered import Undelivered
from tests.support.rig import Rig, alerts, of, placed
from tests.support.values import PERP, M, account, config, lots, outcome, px, token, usd

FAST = config(quotes={"min_interval_ns": 0})


def fill(number: float, price: str, side: Side = Side.BUY, leg: Leg = Leg.YES, **more: Any) -> Fill:
    values: dict[str, Any] = {
        "key": "k1", "market": M, "leg": leg, "side": side, "px": px(price), "qty": lots(number), "fee": usd("0.13"),
        "kind": FillKind.TRADE, "maker": False, "client_id": None, "venue_order_id": None, "venue_ms": 1,
        "pending": True,
    }  # fmt: skip
    return Fill(**(values | more))


def money(rig: Rig) -> tuple[int, ...]:
    books = rig.state.portfolio
    held = books.position(M)
    return (
        books.cash, books.cost, books.realised, books.fees, books.volume, books.fills, held.yes, held.no,
        held.cost_yes, held.cost_no, held.realised, held.fees,
    )  # fmt: skip


# -- what cannot be sold or spent


def test_tokens_that_are_not_delivered_are_held_and_not_for_sale() -> None:
    rig = Rig(FAST)
    rig.tell(FillReceived(fill(100, "0.5")))
    assert rig.net() == lots(100)
    (ask,) = placed(rig.want(ask=("0.58", 100)))
    assert (ask.leg, ask.side) == (Leg.NO, Side.BUY), "there is nothing to sell, so the complement is bought"
    rig = Rig(FAST)
    rig.tell(FillReceived(fill(100, "0.5")), FillFinal(HYPERLIQUID, "k1"))
    (ask,) = placed(rig.want(ask=("0.58", 100)))
    assert (ask.leg, ask.side) == (Leg.YES, Side.SELL)


def test_a_half_that_is_not_delivered_is_not_merged() -> None:
    rig = Rig(FAST)
    rig.buy(100, "0.5")
    rig.tell(FillReceived(fill(100, "0.45", leg=Leg.NO)))
    assert not of(rig.command(OperatorAction.FLATTEN), ConvertSet)


def test_what_a_sale_brought_is_not_spent_before_it_is_there() -> None:
    rig = Rig(FAST, cash=10)
    rig.buy(19, "0.5")
    rig.tell(FillReceived(fill(19, "0.6", Side.SELL, fee=usd(0))))
    assert rig.cash == usd("11.9")
    assert placed(rig.want(bid=("0.52", 20))) == [], "10.40 asked, 0.50 there"
    assert rig.note(1) in {"cash", "min_notional"}
    assert len(placed(rig.tell(FillFinal(HYPERLIQUID, "k1")))) == 1


def test_a_walk_buys_the_complement_or_waits_for_delivery() -> None:
    rig = Rig(FAST, cash=50)
    rig.tell(FillReceived(fill(90, "0.5")))
    outputs = rig.command(OperatorAction.FLATTEN)
    assert placed(outputs) == [], "no cash for the complement: 5 left"
    assert rig.state.walk is not None
    assert "not delivered" in rig.state.walk.held[M]
    (sale,) = placed(rig.tell(FillFinal(HYPERLIQUID, "k1")))
    assert (sale.leg, sale.side, sale.qty) == (Leg.YES, Side.SELL, lots(90))
    rig = Rig(FAST)
    rig.tell(FillReceived(fill(90, "0.5")))
    (hedge,) = placed(rig.command(OperatorAction.FLATTEN))
    assert (hedge.leg, hedge.side, hedge.qty) == (Leg.NO, Side.BUY, lots(90))


# -- undone


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
@pytest.mark.parametrize("leg", list(Leg))
@pytest.mark.parametrize("held", [0, 30, 200])
def test_a_void_fill_leaves_the_books_as_if_it_had_not_been(side: Side, leg: Leg, held: int) -> None:
    rig = Rig(FAST)
    if held:
        rig.buy(held, "0.31", leg)
        rig.buy(held, "0.33333", leg)
    before, equity = money(rig), rig.state.equity()
    one = fill(77, "0.41237", side, leg)
    rig.tell(FillReceived(one))
    assert money(rig) != before
    outputs = rig.tell(FillVoided(one, "FAILED"))
    assert money(rig) == before
    assert rig.state.equity() == equity
    (alert,) = alerts(outputs, "fill_voided")
    assert "never settled (FAILED)" in alert.text
    assert rig.state.attribution.total2() // (2 * SCALE) == _total(rig)
    rig.tell(FillVoided(one, "FAILED"), FillReceived(one))
    assert money(rig) == before, "undone once, and never booked again"


def test_what_is_left_after_the_undoing_of_a_dear_purchase_never_cost_less_than_nothing() -> None:
    rig = Rig(FAST)
    rig.buy(10, "0.1")
    dear = fill(10, "0.9")
    rig.tell(FillReceived(dear))
    rig.buy(9, "0.5", side=Side.SELL)
    rig.tell(FillVoided(dear, "FAILED"))
    position = rig.state.portfolio.position(M)
    assert (position.yes, position.cost_yes) == (lots(1), 0)


@pytest.mark.parametrize("what", ["fill", "undoing", "settlement", "funding"])
def test_what_moves_is_recorded_at_once_however_little_it_is(what: str) -> None:
    rig = Rig(FAST)
    one = fill(1, "0.5")
    rig.tell(FillReceived(one))
    rig.engine.checkpoint()
    assert rig.engine.checkpoint() is None
    moves: dict[str, Input] = {
        "fill": FillReceived(fill(1, "0.5", key="k2")), "undoing": FillVoided(one, "FAILED"),
        "settlement": MarketSettled(M, px("0.5"), "oracle"),
        "funding": FundingPaid(market=PERP, amount=usd("0.01"), key="f1", venue_ms=rig.ms),
    }  # fmt: skip
    rig.tell(moves[what])
    assert rig.engine.checkpoint() is not None


def test_what_was_not_delivered_when_the_books_were_opened_is_not_for_sale() -> None:
    rig = Rig(FAST, boot=False)
    rig.boot()
    rig.tell(MarketListed(outcome()), FillReceived(fill(90, "0.5")), account(500, tokens=(token(100, "50"),)))
    assert rig.state.free_tokens(M, Leg.YES) == lots(10)
    rig.tell(FillFinal(HYPERLIQUID, "k1"))
    assert rig.state.free_tokens(M, Leg.YES) == lots(100)


def sold(rig: Rig, number: float = 100) -> Fill:
    """The fill of the sale that a flatten sends; the walk ends with it."""
    (sale,) = placed(rig.command(OperatorAction.FLATTEN))
    one = msgspec.structs.replace(rig.fill_of(sale, number), pending=True)
    rig.tell(FillReceived(one))
    rig.closed(sale, filled=number, status="filled")
    rig.keep_fresh(2)
    assert rig.halt is HaltState.HALTED
    return one


def test_a_sale_to_safety_that_never_settles_is_made_again() -> None:
    rig = Rig(FAST)
    rig.buy(100, "0.5")
    outputs = rig.tell(FillVoided(sold(rig), "FAILED"))
    (sale,) = placed(outputs)
    assert (sale.leg, sale.side, sale.qty, sale.purpose) == (Leg.YES, Side.SELL, lots(100), Purpose.FLATTEN)
    assert rig.halt is HaltState.FLATTENING
    assert "before that: flatten by" in rig.state.halt_reason
    rig.filled(sale, 100)
    rig.keep_fresh(2)
    assert rig.halt is HaltState.HALTED
    assert rig.net() == 0


def test_a_purchase_that_never_settles_leaves_no_half_of_a_pair_behind() -> None:
    rig = Rig(FAST)
    rig.buy(100, "0.5")
    one = fill(100, "0.45", leg=Leg.NO)
    rig.tell(FillReceived(one))
    rig.command(OperatorAction.FLATTEN)
    assert rig.halt is HaltState.HALTED, "a pair can lose nothing"
    (sale,) = placed(rig.tell(FillVoided(one, "FAILED")))
    assert (sale.leg, sale.side, sale.qty) == (Leg.YES, Side.SELL, lots(100))


def test_what_an_order_of_the_walk_fills_after_its_end_is_sold_too() -> None:
    rig = Rig(FAST)
    bid = rig.resting_bid("0.52", 100)
    rig.command(OperatorAction.FLATTEN)
    rig.keep_fresh(20)
    assert rig.halt is HaltState.HALTED, "the cancel was not answered, and the time is over"
    (sale,) = placed(rig.filled(bid, 100))
    assert (sale.leg, sale.side, sale.qty) == (Leg.YES, Side.SELL, lots(100))


@pytest.mark.parametrize("how", ["kept", "resumed", "by hand", "no journal"])
def test_nobody_sells_what_nobody_wants_sold(how: str) -> None:
    """Kept by policy, quoting again, bought by hand while it is HALTED, or with nothing to put it on record."""
    rig = Rig(config(flatten={"on_kill": False}, quotes={"min_interval_ns": 0}))
    rig.buy(100, "0.5")
    one = sold(rig)
    match how:
        case "kept":
            rig.command(OperatorAction.RESUME)
            rig.command(OperatorAction.KILL)
        case "resumed":
            rig.command(OperatorAction.RESUME)
        case "no journal":
            rig.tell(JournalFailed("EIO"))
        case _:
            assert not placed(rig.buy(50, "0.5"))
            return
    assert not placed(rig.tell(FillVoided(one, "FAILED")) + rig.keep_fresh(2))


def _total(rig: Rig) -> int:
    told = pnl(rig.state)
    return told.total + told.fees


def test_the_order_knows_what_of_it_never_settled() -> None:
    rig = Rig(FAST)
    order = rig.resting_bid("0.52", 100)
    one = msgspec.structs.replace(rig.fill_of(order, 40), pending=True)
    rig.tell(FillReceived(one))
    assert order.paid == usd("20.8")
    rig.tell(FillVoided(one, "FAILED"))
    assert (order.filled, order.voided, order.paid) == (lots(40), lots(40), 0)
    assert rig.net() == 0


def test_one_that_was_not_told_undoes_nothing_and_is_not_booked_later() -> None:
    rig = Rig(FAST)
    before = money(rig)
    rig.tell(FillVoided(fill(10, "0.5"), "FAILED"), FillReceived(fill(10, "0.5")))
    assert money(rig) == before


def test_after_a_settlement_the_undoing_pays_back_what_was_paid() -> None:
    rig = Rig(FAST)
    one = fill(100, "0.4")
    rig.tell(FillReceived(one), MarketSettled(M, px(1), "mark"))
    assert rig.cash == usd("10059.87")
    rig.tell(FillVoided(one, "FAILED"))
    assert rig.cash == usd(10_000)
    assert rig.state.portfolio.realised == 0
    assert rig.state.portfolio.fees == 0


def test_a_settlement_or_a_perp_cannot_be_void() -> None:
    for wrong in (fill(1, "0.5", kind=FillKind.SETTLEMENT), fill(1, "80000", market=PERP)):
        with pytest.raises(InvariantBroken, match="only fills of tokens can be void"):
            Rig(FAST).tell(FillVoided(wrong, "?"))


FILLS = st.tuples(
    st.sampled_from(Side), st.sampled_from(Leg), st.integers(1, 99_999_999), st.integers(1, 10**12), st.booleans()
)


@given(st.lists(FILLS, max_size=12))
def test_whatever_moves_in_between_the_money_is_conserved_and_cash_and_tokens_are_exact(
    moves: list[tuple[Side, Leg, int, int, bool]],
) -> None:
    books = Portfolio()
    told: list[tuple[Fill, int | None]] = []
    for n, (side, leg, price, qty, _) in enumerate(moves):
        one = fill(1, "0.5", side, leg, key=str(n), px=Px(price), qty=Qty(qty), fee=Cash(n))
        told.append((one, books.apply(one)))
    for (one, released), (*_, undone) in zip(told, moves, strict=True):
        if undone:
            books.void(one, released)
    others = Portfolio()
    for (one, _), (*_, undone) in zip(told, moves, strict=True):
        if not undone:
            others.apply(one)
    assert (books.cash, books.fees, books.volume, books.fills) == (
        others.cash, others.fees, others.volume, others.fills,
    )  # fmt: skip
    mine, theirs = books.position(M), others.position(M)
    assert (mine.yes, mine.no) == (theirs.yes, theirs.no)
    for held, cost in ((mine.yes, mine.cost_yes), (mine.no, mine.cost_no)):
        assert cost >= 0
        assert held > 0 or cost == 0, "nothing costs nothing"


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undelivered, "REMEMBERED", 3)
    waiting = Undelivered()
    for n in range(5):
        waiting.add(fill(1, "0.5", key=str(n)), None)
    assert list(waiting.awaited) == ["2", "3", "4"]
    assert waiting.overflown == 2
