"""The risk gate: every limit just below, at, and just above its edge, and what the refusal says.

All proposals are judged on a running engine whose state was reached by inputs, not by setting fields.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import ANY

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import (
    AccountDoubted,
    BookSnapshot,
    Booted,
    FeeRates,
    GuardianDown,
    GuardianUp,
    JournalFailed,
    MarketDelisted,
    MarketListed,
    MarketSettled,
    MarkPrice,
    RateBudget,
    SessionUp,
    VenuePaused,
    VenueRearmed,
    VenueTripped,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Purpose, Side, Tif
from hlomm.domain.outputs import ConvertSet, HaltState
from hlomm.domain.sets import SetAction
from hlomm.domain.units import SCALE, Qty
from hlomm.engine import gate
from hlomm.engine.config import OneSided
from hlomm.engine.gate import LIMITS, Pass, Proposal, Reject, Resize, Verdict
from hlomm.engine.order import Order
from hlomm.engine.quoting import BID
from hlomm.engine.stakes import stakes_of
from tests.support.rig import Rig, cancelled, placed
from tests.support.values import M2, PERP, M, account, config, levels, lots, outcome, perp, px, seconds, usd

WIDE = config(
    limits={
        "max_position": lots(1_000_000),
        "max_gross_notional": usd(1_000_000),
        "max_order_notional": usd(1_000_000),
        "max_fair_deviation": px("0.99"),
        "max_open_orders": 1_000,
    }
)
"""Nothing but the limit under test may speak."""


def wide(**limits: Any) -> Any:
    """Everything wide but the limits given."""
    return attrs.evolve(WIDE, limits=attrs.evolve(WIDE.limits, **limits))


def judge(
    rig: Rig,
    number: float = 100,
    price: str | float = "0.52",
    leg: Leg = Leg.YES,
    side: Side = Side.BUY,
    *,
    tif: Tif = Tif.ALO,
    purpose: Purpose = Purpose.QUOTE,
    replaces: Order | None = None,
    market: Any = M,
) -> Verdict:
    rig.state.now = rig.now
    return gate.judge(
        rig.state,
        Proposal(
            market=rig.market(market), leg=leg, side=side, px=px(price), qty=lots(number), tif=tif, purpose=purpose,
            replaces=replaces,
        ),
    )  # fmt: skip


def sale(rig: Rig, number: float = 100, price: str = "0.58", **how: Any) -> Verdict:
    return judge(rig, number, price, Leg.YES, Side.SELL, **how)


def flat_sale(rig: Rig, number: float = 100, price: str = "0.45", **how: Any) -> Verdict:
    return judge(rig, number, price, Leg.YES, Side.SELL, tif=Tif.IOC, purpose=Purpose.FLATTEN, **how)


def passed(number: float) -> Pass:
    return Pass(lots(number))


def limit_of(verdict: Verdict) -> str:
    assert isinstance(verdict, Reject | Resize), verdict
    assert verdict.limit in LIMITS
    assert verdict.numbers, "a refusal without numbers helps nobody at 3 a.m."
    return verdict.limit


@pytest.fixture
def rig() -> Rig:
    return Rig(WIDE)


def test_an_ordinary_quote_passes(rig: Rig) -> None:
    assert judge(rig) == passed(100)
    assert judge(rig, price="0.42", leg=Leg.NO) == passed(100)


# -- halted, session, market


@pytest.mark.parametrize("purpose", [Purpose.QUOTE, Purpose.HEDGE, Purpose.LEG])
def test_nothing_but_flattening_leaves_while_not_running(rig: Rig, purpose: Purpose) -> None:
    rig.buy(100, "0.5")
    rig.state.halt = HaltState.HALTED
    assert limit_of(judge(rig, purpose=purpose)) == "halted"
    assert limit_of(sale(rig, purpose=purpose)) == "halted"
    assert flat_sale(rig) == passed(100)


def test_flattening_only_sells_or_completes_what_is_single(rig: Rig) -> None:
    """A purchase of the complement closes a surplus just as a sale does; beyond it, it would be a position."""
    assert limit_of(judge(rig, purpose=Purpose.FLATTEN, tif=Tif.IOC)) == "tokens"
    rig.buy(60, "0.5", Leg.NO)
    bought = judge(rig, 100, "0.62", purpose=Purpose.FLATTEN, tif=Tif.IOC)
    assert bought == Resize(lots(60), "tokens", ANY)
    assert limit_of(judge(rig, leg=Leg.NO, purpose=Purpose.FLATTEN, tif=Tif.IOC)) == "tokens"


def test_perps_are_only_reduced_or_hedged_with(rig: Rig) -> None:
    rig.tell(BookSnapshot(PERP, levels(("80000", 1)), levels(("80001", 1)), rig.ms))
    assert limit_of(perp_order(rig, Side.SELL, purpose=Purpose.QUOTE)) == "perp"
    assert limit_of(perp_order(rig, Side.SELL, purpose=Purpose.LEG)) == "perp"
    assert limit_of(perp_order(rig, Side.SELL, purpose=Purpose.HEDGE)) == "perp_wallet", "nothing in it"
    rig.state.portfolio.perps.raw = usd(1_000_000)
    assert perp_order(rig, Side.SELL, purpose=Purpose.HEDGE) == passed(0.01)
    large = perp_order(rig, Side.SELL, 0.1, purpose=Purpose.HEDGE)
    assert isinstance(large, Resize)
    assert (large.limit, large.qty) == ("max_hedge_notional", lots(0.06249))
    rig.state.portfolio.perps.raw = 0
    assert limit_of(perp_order(rig, Side.SELL)) == "perp", "nothing is held"
    rig.buy(0.01, "80000", market=PERP)
    assert perp_order(rig, Side.SELL) == passed(0.01)
    assert perp_order(rig, Side.SELL, 0.02) == Resize(lots(0.01), "perp", ANY), "never through flat"
    assert limit_of(perp_order(rig, Side.BUY)) == "perp"


def test_a_small_perp_is_closed_whole_and_only_whole(rig: Rig) -> None:
    """The venue is taken to let a whole position be closed below its minimum."""
    rig.tell(BookSnapshot(PERP, levels(("80000", 1)), levels(("80001", 1)), rig.ms))
    rig.buy(0.0001, "80000", market=PERP)
    assert perp_order(rig, Side.SELL, 0.0001) == passed(0.0001)
    rig.buy(0.0001, "80000", market=PERP)
    assert limit_of(perp_order(rig, Side.SELL, 0.0001)) == "min_notional"


def perp_order(rig: Rig, side: Side, number: float = 0.01, purpose: Purpose = Purpose.FLATTEN) -> Verdict:
    return judge(rig, number, "80000", side=side, tif=Tif.IOC, purpose=purpose, market=PERP)


def test_without_a_journal_not_even_flattening_leaves(rig: Rig) -> None:
    rig.buy(100, "0.5")
    rig.tell(JournalFailed("no space left"))
    assert limit_of(flat_sale(rig)) == "halted"


def test_a_lost_session_stops_quotes_but_not_a_sale_that_requests_can_carry(rig: Rig) -> None:
    rig.buy(100, "0.5")
    rig.down()
    rig.state.halt = HaltState.RUNNING
    rig.book()
    assert limit_of(judge(rig)) == "session"
    assert flat_sale(rig) == passed(100)


def test_a_session_that_never_was_carries_nothing() -> None:
    rig = Rig(WIDE, boot=False)
    rig.boot()
    rig.tell(MarketListed(outcome()))
    rig.state.halt = HaltState.RUNNING
    rig.book()
    assert limit_of(judge(rig)) == "session"
    assert limit_of(flat_sale(rig)) == "session"


@pytest.mark.parametrize("end", [MarketSettled(M, px(1), "price:1"), MarketDelisted(M, "gone")])
def test_a_market_that_is_over_takes_nothing(rig: Rig, end: Any) -> None:
    rig.buy(100, "0.5")
    rig.tell(end)
    assert limit_of(judge(rig)) == "market"
    assert limit_of(flat_sale(rig)) == "market"


def test_past_its_expiry_nothing_is_quoted() -> None:
    rig = Rig(WIDE, markets=[outcome(tau_s=10)])
    rig.jump(9.999)
    rig.book()
    assert judge(rig) == passed(100)
    rig.jump(0.001)
    assert limit_of(judge(rig)) == "market"


# -- book


@pytest.mark.parametrize("allowed", list(OneSided))
@pytest.mark.parametrize("seen", [True, False])
def test_without_a_book_nothing_is_quoted_unless_allowed(allowed: OneSided, seen: bool) -> None:
    rig = Rig(wide(one_sided=allowed))
    if seen:
        rig.book((), ())
    else:
        rig.market().book.forget()
    verdict = judge(rig)
    if allowed is OneSided.ALLOW:
        assert verdict == passed(100)
    else:
        assert limit_of(verdict) == "book"


@pytest.mark.parametrize(("age_s", "fine"), [(5.999, True), (6.0, True), (6.001, False)])
def test_a_stale_book(rig: Rig, age_s: float, fine: bool) -> None:
    rig.jump(age_s)
    verdict = judge(rig)
    assert (verdict == passed(100)) is fine
    if not fine:
        assert limit_of(verdict) == "stale_book"


def test_a_repeated_picture_keeps_a_book_fresh(rig: Rig) -> None:
    rig.jump(5.9)
    rig.book()
    rig.jump(5.9)
    assert judge(rig) == passed(100)


def test_a_crossed_book(rig: Rig) -> None:
    rig.book(levels(("0.60", 50)), levels(("0.60", 50)))
    assert limit_of(judge(rig)) == "crossed_book"


ONE_SIDED_BOOKS = [(levels(("0.50", 50)), ()), ((), levels(("0.60", 50)))]


@pytest.mark.parametrize("sides", ONE_SIDED_BOOKS)
def test_one_sided_books_by_policy(sides: Any) -> None:
    for policy, expected in (
        (OneSided.REFUSE, "one_sided"),
        (OneSided.ALLOW, None),
        (OneSided.REDUCE_ONLY, "one_sided"),
    ):
        rig = Rig(wide(one_sided=policy))
        rig.book(*sides)
        verdict = judge(rig)
        assert verdict == passed(100) if expected is None else limit_of(verdict) == expected


@pytest.mark.parametrize("sides", ONE_SIDED_BOOKS)
@pytest.mark.parametrize(("number", "verdict"), [(79, Pass), (80, Pass), (81, Resize)])
def test_reduce_only_stops_at_zero(sides: Any, number: float, verdict: type) -> None:
    rig = Rig(wide(one_sided=OneSided.REDUCE_ONLY))
    rig.buy(80, "0.5")
    rig.book(*sides)
    assert isinstance(judge(rig, number, "0.40", Leg.NO), verdict)
    found = judge(rig, 500, "0.40", Leg.NO)
    assert found == Resize(lots(80), "one_sided", found.numbers)
    assert limit_of(judge(rig, 50)) == "one_sided", "adding is refused"


def test_reduce_only_counts_what_is_already_reducing() -> None:
    """Two reducing orders must not together open the other side."""
    rig = Rig(wide(one_sided=OneSided.REDUCE_ONLY, max_position=lots(1_000)))
    rig.buy(80, "0.5")
    rig.resting_ask("0.58", 50)
    rig.book(levels(("0.50", 50)), ())
    assert judge(rig, 30, "0.40", Leg.NO) == passed(30)
    found = judge(rig, 80, "0.40", Leg.NO)
    assert isinstance(found, Resize)
    assert found.qty == lots(30)


def test_an_amend_in_a_one_sided_book_counts_both_sizes() -> None:
    rig = Rig(wide(one_sided=OneSided.REDUCE_ONLY))
    rig.buy(80, "0.5", Leg.NO)
    order = rig.resting_bid("0.52", 80)
    assert order.side is Side.SELL
    rig.book(levels(("0.50", 50)), ())
    assert limit_of(judge(rig, 80, "0.47", Leg.NO, Side.SELL, replaces=order)) == "one_sided"


def test_our_own_quote_does_not_make_a_book_two_sided() -> None:
    """Nobody offers but we: an ask of our own must not open the market for new risk."""
    rig = Rig(wide(one_sided=OneSided.REDUCE_ONLY))
    rig.resting_ask("0.58", 100)
    rig.book(levels(("0.50", 500)), levels(("0.58", 100)))
    assert limit_of(judge(rig, 100, "0.52")) == "one_sided"
    rig.book(levels(("0.50", 500)), levels(("0.58", 101)))
    assert judge(rig, 100, "0.52") == passed(100)


# -- price


@pytest.mark.parametrize(("price", "fine"), [("0.30", True), ("0.29999", False)])
def test_a_quote_far_from_fair_is_taken_for_a_mistake(price: str, fine: bool) -> None:
    rig = Rig(wide(max_fair_deviation=px("0.25")))
    rig.want(fair="0.55")
    verdict = judge(rig, price=price)
    assert (verdict == passed(100)) is fine
    if not fine:
        assert limit_of(verdict) == "fair_deviation"


def test_the_distance_from_fair_is_measured_in_yes_space() -> None:
    rig = Rig(wide(max_fair_deviation=px("0.10")))
    rig.want(fair="0.90")
    rig.book(levels(("0.88", 500)), levels(("0.92", 500)))
    assert judge(rig, 200, "0.09", Leg.NO) == passed(200)
    assert limit_of(judge(rig, 200, "0.21", Leg.NO)) == "fair_deviation"


@pytest.mark.parametrize(
    ("price", "leg", "fine"),
    [
        ("0.59999", Leg.YES, True),
        ("0.60", Leg.YES, False),
        ("0.61", Leg.YES, False),
        ("0.49999", Leg.NO, True),
        ("0.50", Leg.NO, False),
        ("0.51", Leg.NO, False),
    ],
)
def test_post_only_prices_that_would_match(rig: Rig, price: str, leg: Leg, fine: bool) -> None:
    verdict = judge(rig, price=price, leg=leg)
    assert (verdict == passed(100)) is fine
    if not fine:
        assert limit_of(verdict) == "post_only"
    if price != "0.61":
        assert isinstance(judge(rig, price=price, leg=leg, tif=Tif.IOC), Pass), "a taker may match"


# -- budget, drawdown, open orders


@pytest.mark.parametrize(("left", "fine"), [(101, True), (100, False)])
def test_the_reserve_of_actions_is_for_cancels(rig: Rig, left: int, fine: bool) -> None:
    rig.tell(RateBudget(HYPERLIQUID, used=10_000 - left, cap=10_000))
    verdict = judge(rig)
    assert (verdict == passed(100)) is fine
    if not fine:
        assert limit_of(verdict) == "budget"


def test_flattening_may_use_the_reserve(rig: Rig) -> None:
    rig.buy(100, "0.5")
    rig.tell(RateBudget(HYPERLIQUID, used=10_000, cap=10_000))
    assert flat_sale(rig) == passed(100)


@pytest.mark.parametrize(("loss", "fine"), [("150", True), ("150.00001", False)])
def test_drawdown(loss: str, fine: bool) -> None:
    rig = Rig(wide(max_drawdown=usd(150)))
    rig.state.high_water = rig.state.equity() + usd(loss)
    verdict = judge(rig)
    assert (verdict == passed(100)) is fine
    if not fine:
        assert limit_of(verdict) == "drawdown"


def test_open_orders() -> None:
    rig = Rig(wide(max_open_orders=2))
    rig.resting_bid()
    assert judge(rig) == passed(100)
    rig.want(bid=("0.52", 100), ask=("0.58", 100))
    assert limit_of(judge(rig)) == "open_orders"


def test_an_amend_adds_no_order() -> None:
    """At the limit every move would otherwise take the quote out and put it back."""
    rig = Rig(wide(max_open_orders=1))
    order = rig.resting_bid()
    assert judge(rig, price="0.51", replaces=order) == passed(100)


# -- sizes


@pytest.mark.parametrize(("number", "verdict"), [(399, Pass), (400, Pass), (401, Resize)])
def test_max_position_from_flat(number: float, verdict: type) -> None:
    rig = Rig(wide(max_position=lots(400)))
    for leg, price in ((Leg.YES, "0.52"), (Leg.NO, "0.42")):
        found = judge(rig, number, price, leg)
        assert isinstance(found, verdict)
        assert found.qty == lots(min(number, 400))


def test_max_position_is_about_the_net() -> None:
    rig = Rig(wide(max_position=lots(400)))
    rig.buy(300, "0.5")
    assert judge(rig, 100) == passed(100)
    assert isinstance(judge(rig, 101), Resize)
    assert judge(rig, 700, "0.42", Leg.NO) == passed(700), "through zero to the other edge"
    assert isinstance(judge(rig, 701, "0.42", Leg.NO), Resize)
    rig.buy(300, "0.4", Leg.NO)
    assert judge(rig, 400) == passed(400)


def test_pending_orders_count_as_filled() -> None:
    rig = Rig(wide(max_position=lots(400)))
    order = rig.resting_bid("0.52", 300)
    assert isinstance(judge(rig, 150), Resize)
    assert judge(rig, 100) == passed(100)
    assert judge(rig, 400, "0.42", Leg.NO) == passed(400), "the other direction is free: fills there only help"
    rig.filled(order, 120)
    assert judge(rig, 100) == passed(100), "a fill moves what was counted already"
    rig.closed(order, filled=300)
    found = judge(rig, 150)
    assert isinstance(found, Resize)
    assert found.qty == lots(100), "180 more have filled and are on their way"


def test_an_amend_counts_beside_the_order_it_replaces() -> None:
    rig = Rig(wide(max_position=lots(400)))
    order = rig.resting_bid("0.52", 200)
    assert judge(rig, 200, "0.51", replaces=order) == passed(200)
    found = judge(rig, 201, "0.51", replaces=order)
    assert isinstance(found, Resize)
    assert found.qty == lots(200)


def test_an_amended_sale_counts_beside_the_old_one_too() -> None:
    """60 of the old 100 may fill before the venue replaces the rest by another 100."""
    rig = Rig(wide(max_position=lots(400)))
    rig.buy(300, "0.4", Leg.NO)
    rig.buy(200, "0.5")
    order = rig.resting_ask("0.58", 200)
    assert order.side is Side.SELL
    found = sale(rig, 200, "0.59", replaces=order)
    assert isinstance(found, Resize)
    assert found.limit == "max_position"
    assert found.qty == lots(100)


def test_a_worst_case_beyond_the_limit_leaves_no_room() -> None:
    rig = Rig(wide(max_position=lots(400)))
    rig.buy(450, "0.5")
    assert limit_of(judge(rig, 50)) == "max_position"
    assert judge(rig, 850, "0.42", Leg.NO) == Resize(lots(450), "reduce_only", ANY)


@pytest.mark.parametrize(("number", "left"), [(769, 769), (770, 769)])
def test_max_order_notional_in_whole_lots(number: float, left: float) -> None:
    rig = Rig(wide(max_order_notional=usd(400)))
    found = judge(rig, number)  # 400 / 0.52 = 769.2
    assert found.qty == lots(left)  # type: ignore[union-attr]
    assert isinstance(found, Pass if number == left else Resize)


def test_an_exact_fit_is_a_pass() -> None:
    rig = Rig(wide(max_order_notional=usd(52)))
    assert judge(rig, 100) == passed(100)
    assert limit_of(judge(rig, 101)) == "max_order_notional"


def test_gross_counts_resting_buys_and_single_tokens_of_all_markets() -> None:
    rig = Rig(wide(max_gross_notional=usd(300)), markets=[outcome(), outcome(16)])
    rig.buy(100, "0.50")
    rig.resting_bid("0.52", 100, market=M2)
    assert gate.gross_notional(rig.state) == usd("102")
    assert judge(rig, 380) == passed(380)  # 197.6 of 198
    found = judge(rig, 400)
    assert found == Resize(lots(380), "max_gross_notional", found.numbers)


def test_pairs_lock_nothing() -> None:
    rig = Rig(wide(max_gross_notional=usd(100)))
    rig.buy(300, "0.50")
    rig.buy(300, "0.45", Leg.NO)
    assert gate.gross_notional(rig.state) == 0


def test_taking_pairs_apart_is_new_risk() -> None:
    """Selling one half leaves the other alone: 135 locked where nothing was."""
    rig = Rig(wide(max_gross_notional=usd(100)))
    rig.buy(320, "0.50")
    rig.buy(300, "0.45", Leg.NO)
    found = sale(rig, 300)
    assert isinstance(found, Resize)
    assert found.limit == "max_gross_notional"
    assert found.qty == lots(20), "the single ones may go"
    generous = Rig(wide(max_gross_notional=usd(200)))
    generous.buy(320, "0.50")
    generous.buy(300, "0.45", Leg.NO)
    assert sale(generous, 300) == passed(300)


def test_single_tokens_that_another_sale_has_claimed_are_not_sold_out_of_pairs_again() -> None:
    rig = Rig(wide(max_gross_notional=usd(100)))
    rig.buy(320, "0.50")
    rig.buy(300, "0.45", Leg.NO)
    rig.resting_ask("0.58", 20)
    assert limit_of(sale(rig, 20, tif=Tif.IOC, purpose=Purpose.LEG)) == "max_gross_notional"


def test_buying_beside_dear_pairs_counts_what_the_average_may_lock() -> None:
    """100 NO at 0.90 in pairs, then 100 more at 0.10: the single ones cost 0.50 on average, not 0.10."""
    rig = Rig(wide(max_gross_notional=usd(60)))
    rig.buy(100, "0.10")
    rig.buy(100, "0.90", Leg.NO)
    assert gate.gross_notional(rig.state) == 0
    assert limit_of(judge(rig, 100, "0.10", Leg.NO)) == "max_gross_notional"


def test_cash_is_what_no_other_order_has_claimed() -> None:
    rig = Rig(WIDE, cash=100)
    assert judge(rig, 192) == passed(192)  # 99.84
    assert isinstance(judge(rig, 193), Resize)
    rig.resting_bid("0.52", 100)
    found = judge(rig, 193)
    assert found == Resize(lots(92), "cash", found.numbers)  # 48 / 0.52
    poor = Rig(WIDE, cash="0.5")
    assert limit_of(judge(poor)) == "cash"


def test_cash_that_a_split_is_about_to_take_is_spent() -> None:
    stock = {"enabled": True, "stock": lots(100), "least": lots(1), "interval_ns": seconds(5)}
    rig = Rig(attrs.evolve(WIDE, sets=attrs.evolve(WIDE.sets, **stock)), cash=160)
    rig.tell(FeeRates(venue=HYPERLIQUID, open_maker=0, open_taker=0, close_maker=0, close_taker=0, settle=0))
    rig.want(bid=("0.52", 60), ask=("0.58", 60), fair="0.55")
    (split,) = [out for out in rig.keep_fresh(5.5) if isinstance(out, ConvertSet)]
    assert (split.action, split.qty) == (SetAction.SPLIT, lots(100))
    assert gate.free_cash(rig.state, HYPERLIQUID) == usd(60) - rig.state.orders.sums.buying(HYPERLIQUID)


def test_sales_need_no_cash() -> None:
    rig = Rig(WIDE, cash=60)
    rig.buy(100, "0.55")
    rig.want(bid=("0.05", 100))
    assert sale(rig, 100) == passed(100)


@pytest.mark.parametrize(("number", "free"), [(100, 100), (101, 100)])
def test_only_free_tokens_are_sold(rig: Rig, number: float, free: float) -> None:
    rig.buy(100, "0.5")
    found = sale(rig, number)
    assert found.qty == lots(free)  # type: ignore[union-attr]
    assert isinstance(found, Pass if number == free else Resize)
    rig.resting_ask("0.58", 60)
    found = sale(rig, 100)
    assert isinstance(found, Resize)
    assert (found.limit, found.qty) == ("tokens", lots(40))


def test_no_tokens_no_sale(rig: Rig) -> None:
    assert limit_of(sale(rig)) == "tokens"
    rig.buy(100, "0.5", Leg.NO)
    assert limit_of(sale(rig)) == "tokens", "the other leg does not help"


def test_a_sale_may_claim_the_tokens_of_the_one_it_replaces(rig: Rig) -> None:
    rig.buy(100, "0.5")
    order = rig.resting_ask("0.58", 100)
    assert limit_of(sale(rig, 100)) == "tokens"
    assert sale(rig, 100, "0.59", replaces=order) == passed(100)


def test_tokens_that_are_sold_but_not_yet_gone_are_not_free(rig: Rig) -> None:
    rig.buy(100, "0.5")
    order = rig.resting_ask("0.58", 100)
    rig.closed(order, filled=70)
    found = sale(rig, 100)
    assert isinstance(found, Resize)
    assert found.qty == lots(30)


# -- minimum


@pytest.mark.parametrize(("number", "price", "fine"), [(20, "0.50", True), (19, "0.50", False), (20, "0.49999", False)])
def test_the_venues_minimum(rig: Rig, number: float, price: str, fine: bool) -> None:
    verdict = judge(rig, number, price)
    assert isinstance(verdict, Pass) is fine
    if not fine:
        assert limit_of(verdict) == "min_notional"


def test_the_minimum_is_met_by_limit_and_by_mid(rig: Rig) -> None:
    """Which of the two the venue takes is disputed: the lower one must do. Mid is 0.55, own coin of NO 0.45."""
    assert limit_of(judge(rig, 18, "0.58", tif=Tif.ALO)) == "min_notional"  # 18 x 0.55 = 9.9
    assert judge(rig, 19, "0.58") == passed(19)
    assert limit_of(judge(rig, 22, "0.48", Leg.NO)) == "min_notional"  # 22 x 0.45 = 9.9
    assert judge(rig, 23, "0.48", Leg.NO) == passed(23)


def test_what_shrinks_below_the_minimum_names_both_reasons() -> None:
    rig = Rig(wide(max_position=lots(15)))
    verdict = judge(rig, 100)
    assert limit_of(verdict) == "min_notional"
    assert "max_position" in verdict.numbers  # type: ignore[union-attr]


def test_flattening_must_meet_the_minimum_too(rig: Rig) -> None:
    rig.buy(20, "0.5")
    assert limit_of(flat_sale(rig, 20, "0.49")) == "min_notional"
    assert flat_sale(rig, 20, "0.50") == passed(20)


# -- shapes of the answer


def test_the_smallest_room_decides_and_is_named() -> None:
    rig = Rig(wide(max_position=lots(300), max_order_notional=usd(100), max_gross_notional=usd(130)))
    found = judge(rig, 500)
    assert found == Resize(lots(192), "max_order_notional", found.numbers)


@given(
    number=st.integers(1, 3_000), price=st.integers(1_000, 59_999), position=st.integers(1, 500),
    per_order=st.integers(10, 500), cash=st.integers(1, 2_000),
)  # fmt: skip
def test_what_passes_is_whole_lots_within_every_limit(
    number: int, price: int, position: int, per_order: int, cash: int
) -> None:
    rig = RIG
    rig.state.config = wide(max_position=lots(position), max_order_notional=usd(per_order))
    rig.state.portfolio.of(HYPERLIQUID).cash = usd(cash)
    verdict = judge(rig, number, f"{price / 100_000:.5f}")
    if isinstance(verdict, Reject):
        return
    qty, own_px = verdict.qty, price * 1_000
    assert 0 < qty <= lots(number)
    assert qty % lots(1) == 0
    assert qty <= lots(position)
    assert qty * own_px <= usd(per_order) * SCALE
    assert qty * own_px <= usd(cash) * SCALE
    assert qty * own_px >= usd(10) * SCALE
    if isinstance(verdict, Resize):
        larger = Qty(qty + lots(1))
        assert (
            larger > lots(position) or larger * own_px > usd(per_order) * SCALE or larger * own_px > usd(cash) * SCALE
        ), "never smaller than needed"


# -- breakers, reductions, what a lost network leaves (more in test_breakers, test_inventory, test_deadman_limit)


def test_a_breaker_that_acts_is_the_gates_business_too(rig: Rig) -> None:
    """Whatever asks for an order while quoting is paused: only giving back passes."""
    rig.buy(100, "0.5")
    for price in (80_000, 83_000):
        rig.tell(MarkPrice(PERP, px(price), rig.ms))
    assert limit_of(judge(rig)) == "breaker"
    assert limit_of(sale(rig)) == "breaker"
    assert flat_sale(rig) == passed(100)


def test_after_a_lost_day_only_reductions_pass(rig: Rig) -> None:
    rig.buy(100, "0.5")
    rig.state.breakers.day.stopped = True
    assert limit_of(judge(rig)) == "reduce_only"
    assert sale(rig) == passed(100)
    assert judge(rig, 300, "0.42", Leg.NO) == Resize(lots(100), "reduce_only", ANY), "never through flat"


def test_resting_collateral_without_a_deadman_has_a_cap_in_whole_lots() -> None:
    rig = Rig(wide(max_resting_without_deadman=usd(100)))
    assert judge(rig, 192) == passed(192)
    assert judge(rig, 193) == Resize(lots(192), "max_resting_without_deadman", ANY)  # 100 / 0.52 = 192.3


def test_single_tokens_that_another_sale_has_claimed_leave_no_room_without_a_deadman() -> None:
    rig = Rig(wide(max_resting_without_deadman=usd(10)))
    rig.buy(150, "0.50")
    rig.buy(100, "0.45", Leg.NO)
    rig.resting_ask("0.58", 50)
    found = sale(rig, 50, tif=Tif.IOC, purpose=Purpose.LEG)
    assert found == Resize(lots(23), "max_resting_without_deadman", ANY), "10 / 0.42: the rest comes out of pairs"


def test_what_moves_without_an_order_of_ours_may_be_lost_too(rig: Rig) -> None:
    assert stakes_of(rig.state).total() == 0
    rig.buy(100, "0.50")
    assert stakes_of(rig.state).total() == usd(50)


RIG = Rig(WIDE)


@pytest.mark.parametrize("name", ["max_loss_event", "max_loss_underlying", "max_loss_total"])
def test_what_may_be_lost_is_bounded(name: str) -> None:
    """Edges and interleavings in `test_payoffs.py`."""
    rig = Rig(wide(**{name: usd(26)}))
    assert judge(rig, 100, "0.52") == Resize(lots(50), name, ANY)
    rig.buy(50, "0.52")
    assert limit_of(judge(rig, 100, "0.52")) == name


def test_every_limit_has_a_test_here() -> None:
    """A new name in the table must come with its edge."""
    source = Path(__file__).read_text(encoding="utf-8")
    missing = [name for name in LIMITS if f'"{name}"' not in source]
    assert missing == []


def test_without_the_guardian_it_needs_nothing_is_quoted_and_what_rests_goes() -> None:
    rig = Rig(boot=False)
    rig.tell(Booted(epoch_ms=1, profile="sim", version="0", config="{}", halted=None, guardian_required=True))
    rig.tell(account(), MarketListed(perp()), MarketListed(outcome()), SessionUp(HYPERLIQUID))
    rig.book()
    assert not placed(rig.want(bid=("0.52", 100)))
    assert rig.note(BID) == "guardian"
    (bid,) = placed(rig.tell(GuardianUp()))
    rig.opened(bid)
    outputs = rig.tell(GuardianDown("it died"))
    assert [cancel.client_id for cancel in cancelled(outputs)] == [bid.client_id]
    assert judge(rig) == Reject("guardian", "it died")


def test_fewer_contracts_than_the_venue_takes_are_not_sent() -> None:
    rig = Rig(WIDE, markets=(outcome(min_qty=lots(25), min_notional=usd(1)),))
    assert judge(rig, 25) == passed(25)
    assert limit_of(judge(rig, 24)) == "min_qty"


def test_a_venue_that_takes_no_orders_gets_none(rig: Rig) -> None:
    rig.tell(VenuePaused(HYPERLIQUID, rig.ms + 60_000, "maintenance"))
    assert limit_of(judge(rig)) == "venue_paused"
    rig.tell(VenuePaused(HYPERLIQUID, 0, ""))
    assert judge(rig) == passed(100)


def test_a_venue_whose_breaker_has_tripped_gets_nothing_but_the_way_home(rig: Rig) -> None:
    rig.buy(100, "0.5")
    rig.tell(VenueTripped(HYPERLIQUID, "too many fills"))
    assert limit_of(judge(rig)) == "venue_breaker"
    back = judge(rig, side=Side.SELL, price="0.50", tif=Tif.IOC, purpose=Purpose.LEG)
    assert back == passed(100), "a leg may be sold back"
    assert limit_of(judge(rig, price="0.60", tif=Tif.IOC, purpose=Purpose.LEG)) == "venue_breaker"
    rig.tell(VenueRearmed(HYPERLIQUID))
    assert judge(rig) == passed(100)


def test_in_doubt_about_the_account_nothing_new_is_risked(rig: Rig) -> None:
    rig.tell(AccountDoubted(HYPERLIQUID, "nothing came for 6 s"))
    assert judge(rig) == Reject("doubt", "nothing came for 6 s, the account is being read")


def test_quotes_that_passed_are_what_is_sent(rig: Rig) -> None:
    (request,) = placed(rig.want(bid=("0.52", 100)))
    assert (request.px, request.qty, request.leg, request.side) == (px("0.52"), lots(100), Leg.YES, Side.BUY)
    assert request.tif is Tif.ALO
    assert not request.reduce_only
    assert rig.state.counters.passed == 1
