"""Three small parts: the digest that tells runs apart, the action budget, and the order in which outputs leave."""

from __future__ import annotations

import itertools

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET, ClientId, VenueId, VenueOrderId
from hlomm.domain.inputs import RateBudget, SendRates
from hlomm.domain.markets import Leg
from hlomm.domain.orders import AmendRequest, CancelRequest, OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import (
    Alert,
    AlertLevel,
    AmendOrders,
    CancelOrders,
    ConvertSet,
    HaltChanged,
    HaltState,
    PlaceOrders,
    QueryAccount,
    QueryOrder,
    Subscribe,
)
from hlomm.domain.sets import SetAction
from hlomm.engine.budgets import Budgets
from hlomm.engine.config import BudgetRules
from hlomm.engine.digest import Digest
from hlomm.engine.outbox import Outbox
from hlomm.engine.report import report
from tests.support.rig import Rig, check_order, placed
from tests.support.values import BASE, M, config, lots, px

# -- digest


def digest_of(*parts: int) -> int:
    digest = Digest()
    digest.mix(*parts)
    return digest.value


@given(st.lists(st.integers(-(2**70), 2**70), max_size=8))
def test_equal_histories_have_equal_digests_however_they_are_cut(parts: list[int]) -> None:
    piecewise = Digest()
    for part in parts:
        piecewise.mix(part)
    assert piecewise.value == digest_of(*parts) == digest_of(*(part & (1 << 64) - 1 for part in parts))
    assert 0 <= piecewise.value < 1 << 64


@given(st.lists(st.integers(0, 2**63), min_size=2, max_size=6, unique=True))
def test_order_matters(parts: list[int]) -> None:
    assert digest_of(*parts) != digest_of(*reversed(parts))


@given(st.integers(0, 2**64 - 1), st.integers(0, 63))
def test_every_bit_matters(value: int, bit: int) -> None:
    assert digest_of(value) != digest_of(value ^ 1 << bit)


@given(st.text(max_size=20), st.text(max_size=20))
def test_texts_are_told_apart_by_their_characters(one: str, other: str) -> None:
    digests = []
    for text in (one, other):
        digest = Digest()
        digest.mix_text(text)
        digests.append(digest.value)
    assert (digests[0] == digests[1]) == (one == other)


def test_a_known_value_stays_what_it_is() -> None:
    """A changed recipe makes every recorded journal diverge: that must be a decision, not an accident."""
    assert f"{digest_of():016x}" == "686c6f6d6d000001"
    assert f"{digest_of(1, 2, 3):016x}" == "71c00a98ac9af941"
    assert f"{digest_of(-1):016x}" == "68fe65c4579829ee"
    digest = Digest()
    digest.mix_text("hlomm")
    assert f"{digest.value:016x}" == "7a874b9043e1cc4b"


# -- budgets

RULES = BudgetRules(reserve=100, slow_below=1_000, slow_runway_ns=0, slow_factor=4, weight_per_min=10**9)


def test_a_venue_that_never_said_anything_is_not_limited() -> None:
    budgets = Budgets(RULES)
    budgets.spend(HYPERLIQUID, 10**9)
    assert budgets.left(HYPERLIQUID) is None
    assert not budgets.exhausted(HYPERLIQUID)
    assert budgets.pace(HYPERLIQUID) == 1


@pytest.mark.parametrize(
    ("left", "exhausted", "pace"),
    [
        (1_001, False, 1), (1_000, False, 1), (999, False, 4), (101, False, 4), (100, True, 4), (0, True, 4),
        (-5, True, 4),
    ],
)  # fmt: skip
def test_pace_and_reserve_at_their_edges(left: int, exhausted: bool, pace: int) -> None:
    budgets = Budgets(RULES)
    budgets.apply(RateBudget(HYPERLIQUID, used=10_000 - left, cap=10_000), 0)
    assert budgets.left(HYPERLIQUID) == left
    assert budgets.exhausted(HYPERLIQUID) is exhausted
    assert budgets.pace(HYPERLIQUID) == pace


def test_what_we_send_counts_until_the_venue_speaks_again() -> None:
    budgets = Budgets(RULES)
    budgets.apply(RateBudget(HYPERLIQUID, used=0, cap=500), 0)
    budgets.spend(HYPERLIQUID, 300)
    budgets.spend(VenueId("other"), 300)
    assert budgets.left(HYPERLIQUID) == 200
    budgets.apply(RateBudget(HYPERLIQUID, used=10, cap=500), 0)
    assert budgets.left(HYPERLIQUID) == 490


HOUR_NS = 3_600 * 10**9
FORECAST = BudgetRules(reserve=100, slow_below=500, slow_runway_ns=3 * HOUR_NS, slow_factor=4, weight_per_min=10**9)


def told(budgets: Budgets, minutes: float, left: int) -> str | None:
    return budgets.apply(RateBudget(HYPERLIQUID, used=0, cap=left), round(minutes * 60e9))


def test_the_runway_is_what_is_left_over_the_churn_of_the_last_while() -> None:
    budgets = Budgets(RULES)
    budget = None
    for minute in range(0, 31, 5):
        told(budgets, minute, 10_000 - 20 * minute)
    budget = budgets.by_venue[HYPERLIQUID]
    assert budget.churn() == 1_200
    assert budget.runway_ns() == 9_400 * HOUR_NS // 1_200
    assert budget.samples[0][0] >= 15 * 60 * 10**9, "older than the window is forgotten"


@pytest.mark.parametrize("lefts", [(5_000,), (5_000, 5_000, 5_000), (5_000, 5_100, 5_400)])
def test_a_budget_that_does_not_shrink_has_no_end(lefts: tuple[int, ...]) -> None:
    budgets = Budgets(FORECAST)
    assert [told(budgets, 5 * number, left) for number, left in enumerate(lefts)] == [None] * len(lefts)
    assert budgets.by_venue[HYPERLIQUID].runway_ns() is None
    assert budgets.pace(HYPERLIQUID) == 1


def test_two_looks_right_after_each_other_say_nothing_of_a_night() -> None:
    budgets = Budgets(FORECAST)
    told(budgets, 0, 5_000)
    assert told(budgets, 1, 4_000) is None
    assert budgets.by_venue[HYPERLIQUID].runway_ns() is None


def test_quoting_slows_before_the_end_says_so_and_speeds_up_only_when_full_speed_would_last() -> None:
    budgets = Budgets(FORECAST)
    told(budgets, 0, 6_000)
    said = told(budgets, 10, 5_500)  # 3,000 an hour: gone in 1.8 h
    assert said is not None
    assert "5500 actions left, gone in 110 min at 3000 an hour: quoting slows down 4 times" in said
    assert budgets.pace(HYPERLIQUID) == 4
    told(budgets, 20, 5_400)
    assert told(budgets, 30, 5_300) is None  # 600 an hour: 8.8 h while slow, 2.2 h at full speed
    assert budgets.pace(HYPERLIQUID) == 4
    said = told(budgets, 40, 5_290)  # 60 an hour: 88 h, 22 h at full speed
    assert said is not None
    assert "full pace again" in said
    assert budgets.pace(HYPERLIQUID) == 1


# -- what is sent in a minute


def test_quoting_slows_while_too_much_was_sent_in_the_last_minute() -> None:
    budgets = Budgets(attrs.evolve(BASE.budget, weight_per_min=4))
    for second, orders in ((0, 1), (0, 39), (10, 40)):
        assert budgets.pace(HYPERLIQUID) == 1
        budgets.sent(HYPERLIQUID, orders, second * 10**9)
    assert budgets.crowded(HYPERLIQUID) == "weight 4 sent in a minute >= 4", "a batch of 40 weighs 2"
    budgets.tick(59 * 10**9)
    assert budgets.pace(HYPERLIQUID) > 1
    budgets.tick(60 * 10**9)
    assert budgets.pace(HYPERLIQUID) == 1
    assert budgets.rates[HYPERLIQUID].total == 2


def test_each_venue_is_held_to_what_it_takes_itself() -> None:
    budgets = Budgets(attrs.evolve(BASE.budget, weight_per_min=4))
    for _ in range(100):
        budgets.sent(KALSHI, 10, 0)
        budgets.sent(POLYMARKET, 10, 0)
    assert budgets.pace(KALSHI) == budgets.pace(POLYMARKET) == 1, "they told nothing"
    budgets.told[KALSHI] = SendRates(venue=KALSHI, per_min=6_000, place=10, cancel=2)
    budgets.told[POLYMARKET] = SendRates(venue=POLYMARKET, per_min=30, place=1, cancel=0)
    budgets.sent(KALSHI, 399, 0)
    budgets.sent(KALSHI, 4, 0, cancels=True)
    assert budgets.pace(KALSHI) == 1, "3,998 of 4,000"
    budgets.sent(KALSHI, 1, 0, cancels=True)
    assert budgets.crowded(KALSHI) == "weight 4000 sent in a minute >= 4000"
    budgets.sent(POLYMARKET, 1_000, 0, cancels=True)
    budgets.sent(POLYMARKET, 19, 0)
    assert budgets.pace(POLYMARKET) == 1
    budgets.sent(POLYMARKET, 1, 0)
    assert budgets.pace(POLYMARKET) > 1
    assert budgets.pace(HYPERLIQUID) == 1, "what is sent elsewhere is no weight here"


def test_the_engine_counts_every_batch_that_leaves_and_says_so() -> None:
    rig = Rig(config(budget={"weight_per_min": 3}))
    (request,) = placed(rig.want(bid=("0.52", 100)))
    rig.opened(request)
    rig.wait(1)
    rig.want(bid=("0.54", 100))
    assert rig.state.budgets.rates[HYPERLIQUID].total == 2
    rig.amend_failed(request)
    rig.want()
    assert rig.state.budgets.rates[HYPERLIQUID].total == 3, "a cancel weighs as much"
    assert any("sent in a minute" in reason for reason in report(rig.state).ladder_reasons)


# -- outbox

IDS = (ClientId(f"0x686c{number:028x}") for number in itertools.count(1))


def order(tif: Tif = Tif.ALO, purpose: Purpose = Purpose.QUOTE) -> OrderRequest:
    return OrderRequest(
        client_id=next(IDS), market=M, leg=Leg.YES, side=Side.SELL, px=px("0.5"), qty=lots(50), tif=tif,
        purpose=purpose, reduce_only=purpose is Purpose.FLATTEN,
    )  # fmt: skip


def amend() -> AmendRequest:
    return AmendRequest(
        client_id=next(IDS), venue_order_id=VenueOrderId("1"), market=M, leg=Leg.YES, side=Side.BUY, px=px("0.5"),
        qty=lots(50), tif=Tif.ALO,
    )  # fmt: skip


def cancel() -> CancelRequest:
    return CancelRequest(client_id=next(IDS), market=M, leg=Leg.YES)


ACTIONS = {
    "quote": lambda box: box.place(HYPERLIQUID, order()),
    "sale": lambda box: box.place(HYPERLIQUID, order(Tif.IOC, Purpose.FLATTEN)),
    "amend": lambda box: box.amend(HYPERLIQUID, amend()),
    "cancel": lambda box: box.cancel(HYPERLIQUID, cancel()),
    "convert": lambda box: box.convert(M, ConvertSet(action=SetAction.MERGE, market=M, qty=lots(1))),
    "query": lambda box: box.query(HYPERLIQUID, next(IDS)),
    "alert": lambda box: box.alert(AlertLevel.INFO, "code", "text"),
}


@given(st.lists(st.sampled_from(sorted(ACTIONS)), max_size=25))
def test_whatever_the_turn_collects_leaves_in_the_safe_order_and_complete(names: list[str]) -> None:
    box = Outbox()
    for name in names:
        ACTIONS[name](box)
    outputs = box.drain()
    check_order(outputs)
    counted = {
        "quote": sum(o.purpose is Purpose.QUOTE for out in outputs if isinstance(out, PlaceOrders) for o in out.orders),
        "sale": sum(
            o.purpose is Purpose.FLATTEN for out in outputs if isinstance(out, PlaceOrders) for o in out.orders
        ),
        "amend": sum(len(out.amends) for out in outputs if isinstance(out, AmendOrders)),
        "cancel": sum(len(out.cancels) for out in outputs if isinstance(out, CancelOrders)),
        "convert": sum(isinstance(out, ConvertSet) for out in outputs),
        "query": sum(isinstance(out, QueryOrder) for out in outputs),
        "alert": sum(isinstance(out, Alert) for out in outputs),
    }
    assert counted == {name: names.count(name) for name in ACTIONS}
    assert box.drain() == [], "drained means empty"


def test_one_batch_per_venue_and_time_in_force() -> None:
    """One taker in a batch would cost every quote in it its place before the cancels."""
    box = Outbox()
    for tif in (Tif.ALO, Tif.IOC, Tif.ALO, Tif.GTC, Tif.ALO):
        box.place(HYPERLIQUID, order(tif))
    batches = [[one.tif for one in output.orders] for output in box.drain() if isinstance(output, PlaceOrders)]
    assert sorted(batches) == [[Tif.ALO] * 3, [Tif.GTC], [Tif.IOC]]


def test_sales_never_share_a_batch_with_quotes_of_the_same_kind() -> None:
    box = Outbox()
    box.place(HYPERLIQUID, order(Tif.IOC, Purpose.QUOTE))
    box.place(HYPERLIQUID, order(Tif.IOC, Purpose.FLATTEN))
    first, second = (output for output in box.drain() if isinstance(output, PlaceOrders))
    assert [one.purpose for one in first.orders] == [Purpose.FLATTEN]
    assert [one.purpose for one in second.orders] == [Purpose.QUOTE]


def test_the_account_is_asked_about_once_a_turn() -> None:
    box = Outbox()
    box.query_account(HYPERLIQUID)
    box.query_account(HYPERLIQUID)
    assert box.drain() == [QueryAccount(HYPERLIQUID)]


def test_news_come_first_and_subscriptions_last() -> None:
    box = Outbox()
    box.subscribe(M)
    box.cancel(HYPERLIQUID, cancel())
    box.halt(HaltChanged(state=HaltState.HALTED, reason="x", persist=True))
    kinds = [type(output) for output in box.drain()]
    assert kinds == [HaltChanged, CancelOrders, Subscribe]
