"""Circuit breakers: each just at its limit and just beyond, what it does, and the exact end of it.

Driven by inputs and clocks alone; every test here fails when the breaker it names is taken out.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import (
    BboUpdate,
    Input,
    MarkPrice,
    RateBudget,
    SendLost,
    SendRefused,
    SentAction,
)
from hlomm.domain.markets import Leg
from hlomm.domain.outputs import HaltState
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE
from hlomm.engine.breakers import CELLS, DAY_NS, Extreme, MoveWindow
from tests.support.rig import Rig, alerts, amended, cancelled, placed, risky
from tests.support.values import PERP, M, config, levels, lots, px, seconds

BID, ASK = 1, -1
CALM = config(quotes={"min_interval_ns": 0})
ERRORS = config(quotes={"min_interval_ns": 0}, breakers={"api_errors": 5})
NOON_TO_MIDNIGHT_S = (DAY_NS - 1_795_000_000 * NS_PER_S % DAY_NS) / NS_PER_S
"""From the boot of a test run to 00:00 UTC."""


def mark(rig: Rig, price: float | str) -> list[Any]:
    return rig.tell(MarkPrice(PERP, px(price), rig.ms))


def touch(rig: Rig, price: int) -> list[Any]:
    """A perp book one wide around a price."""
    return rig.tell(BboUpdate(PERP, (px(price) - SCALE, lots(1)), (px(price) + SCALE, lots(1)), rig.ms))


def quoting(rig: Rig) -> None:
    """0.52 to 0.58 around a fair value of 0.55, resting."""
    for request in placed(rig.want(bid=("0.52", 100), ask=("0.58", 100), fair="0.55")):
        rig.opened(request)


def prices(rig: Rig) -> list[Any]:
    return [(order.direction, order.yes_px, order.amend_px) for order in rig.state.orders.live_in(M)]


def quotes_again(rig: Rig) -> bool:
    """Whether both sides are quoted when their old orders are gone and the book is fresh."""
    rig.book()
    for order in list(rig.state.orders.live()):
        rig.closed(order, filled=0)
    return [rig.note(BID), rig.note(ASK)] == ["ok", "ok"]


# -- the window


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 60)), min_size=1, max_size=60))
def test_the_largest_move_is_that_of_a_plain_search(steps: list[tuple[int, int]]) -> None:
    """Prices a cell or more apart: exactly the definition."""
    window_ns, now_ns, seen = 50 * CELLS, 0, []
    window = MoveWindow(window_ns)
    for gap, price in steps:
        now_ns += gap * 50
        seen.append((now_ns, price))
        move = window.add(now_ns, price)
        inside = [old for at_ns, old in seen if now_ns - at_ns <= window_ns]
        assert move.distance / move.base == max(abs(price / old - 1) for old in inside) or (
            abs(move.distance / move.base - max(abs(price / old - 1) for old in inside)) < 1e-12
        )


def test_a_flood_of_prices_is_remembered_in_bounded_memory_and_never_too_briefly() -> None:
    window_ns = 60 * NS_PER_S
    rising, source = Extreme(window_ns, 1), random.Random(3)
    for number in range(200_000):
        low = rising.add(number * NS_PER_S // 1_000, 1_000_000 + number)
        oldest = max(number - 60_000, 0)
        assert low <= 1_000_000 + oldest, "an extreme was dropped before its time"
        assert low >= 1_000_000 + max(oldest - 60_000 // CELLS - 1, 0), "or kept far beyond it"
    assert len(rising) <= CELLS + 2
    falling = Extreme(window_ns, -1)
    for number in range(50_000):
        falling.add(number * NS_PER_S // 1_000, source.randrange(1, 1_000))
    assert len(falling) <= CELLS + 2


# -- small moves widen


@pytest.mark.parametrize(
    ("first", "then", "after_s", "trips"),
    [
        ("80000", "80800", 30, False),  # exactly 1 %
        ("80000", "80800.00001", 30, True),
        ("80000", "79200", 30, False),
        ("80000", "79199.99999", 30, True),
        ("80000", "80900", 60, True),  # the window is closed at both ends
        ("80000", "80900", 60.001, False),
    ],
)
def test_a_move_widens_beyond_one_percent_within_a_minute(first: str, then: str, after_s: float, trips: bool) -> None:
    rig = Rig(CALM)
    mark(rig, first)
    rig.jump(after_s)
    outputs = mark(rig, then)
    assert bool(alerts(outputs, "price_widen")) is trips
    assert rig.state.counters.trips == ({"price_widen": 1} if trips else {})


def test_a_widened_spread_is_three_times_as_wide_and_says_why() -> None:
    rig = Rig(CALM)
    quoting(rig)
    mark(rig, 80_000)
    outputs = mark(rig, 81_000)
    bid, ask = sorted(amended(outputs), key=lambda one: one.leg)
    assert (bid.px, ask.px) == (px("0.46"), px("0.36")), "0.46 and 0.64 in YES space"
    (alert,) = alerts(outputs, "price_widen")
    assert alert.text == (
        "BTC mark moved 1.25 % within 60 s > 1 %: spreads x3 for 300 s, to 11:11:40 UTC or longer if it goes on — "
        "ends by itself"
    )
    assert rig.market().restraints[BID].startswith("spread x3, price_widen: BTC mark moved 1.25 %")


def test_a_widening_is_not_saved_on() -> None:
    """Neither the strategy's tolerance nor a short budget of actions leaves a quote where the breaker wants it gone."""
    rig = Rig(CALM)
    rig.tell(RateBudget(HYPERLIQUID, 9_500, 10_000))
    for request in placed(rig.want(bid=("0.549", 100), ask=("0.551", 100), fair="0.55", tolerance="0.01")):
        rig.opened(request)
    mark(rig, 80_000)
    assert {one.px for one in amended(mark(rig, 81_000))} == {px("0.547"), px("0.447")}


def test_the_widening_ends_exactly_after_its_time() -> None:
    rig = Rig(CALM)
    quoting(rig)
    mark(rig, 80_000)
    mark(rig, 81_000)
    for order in list(rig.state.orders.live()):
        rig.opened(order, oid=f"w{order.client_id[-1]}")
    rig.keep_fresh(299)
    rig.jump(0.999)
    rig.book()
    assert prices(rig) == [(BID, px("0.46"), None), (ASK, px("0.64"), None)]
    outputs = rig.wait(0.001)
    assert {one.px for one in amended(outputs)} == {px("0.52"), px("0.42")}, "at the very moment, by its own timer"
    assert rig.market().restraints == {}


def test_a_move_that_goes_on_is_said_once_and_lasts_longer() -> None:
    rig = Rig(CALM)
    mark(rig, 80_000)
    mark(rig, 81_000)
    rig.jump(50)
    assert not alerts(mark(rig, 82_000), "price_widen")
    assert rig.state.counters.trips == {"price_widen": 1}
    breaker = rig.state.breakers.widen[PERP]
    assert breaker.until_ns == rig.now.mono_ns + seconds(300)
    rig.jump(300)
    rig.turn()
    assert not breaker.active(rig.now.mono_ns)
    mark(rig, 82_000)
    rig.jump(1)
    assert alerts(mark(rig, 84_000), "price_widen"), "a new move is said again"


def test_the_basis_between_mark_and_mid_is_no_move() -> None:
    rig = Rig(CALM)
    for _ in range(3):
        mark(rig, 80_000)
        touch(rig, 83_000)
        rig.jump(1)
    assert rig.state.counters.trips == {}
    touch(rig, 84_000)
    assert rig.state.counters.trips == {"price_widen": 1}, "the mid is watched too"


def test_half_a_book_and_no_price_say_nothing() -> None:
    rig = Rig(CALM)
    touch(rig, 80_000)
    rig.tell(BboUpdate(PERP, None, (px(90_000), lots(1)), rig.ms))
    rig.tell(BboUpdate(PERP, (px(90_000), lots(1)), (px(80_000), lots(1)), rig.ms))
    mark(rig, 80_000)
    mark(rig, 0)
    mark(rig, 80_000)
    assert rig.state.counters.trips == {}


def test_another_underlying_is_left_alone() -> None:
    rig = Rig(CALM)
    quoting(rig)
    rig.market().underlying = None
    mark(rig, 80_000)
    assert not cancelled(mark(rig, 90_000))


@pytest.mark.parametrize(
    ("bid", "ask", "fair", "bid_px", "ask_px"),
    [
        ("0.52", "0.58", "0.55", "0.46", "0.64"),
        ("0.50001", "0.50002", "0.5", "0.5", "0.50003"),  # 0.50000 - 0.00001 and 0.50002 + 0.00001: whole ticks
        ("0.54", "0.60", "0.55", "0.48", "0.66"),  # the skew stays as it is
        ("0.52", None, "0.55", "0.46", None),  # alone: the distance from fair is the half-spread
        (None, "0.57", "0.55", None, "0.61"),
        ("0.52", None, None, None, None),  # nothing to measure by
        ("0.10", "0.30", "0.2", None, "0.5"),  # would be below zero
        ("0.70", "0.90", "0.8", "0.5", None),
    ],
)
def test_where_a_widened_quote_stands(
    bid: str | None, ask: str | None, fair: str | None, bid_px: str | None, ask_px: str | None
) -> None:
    rig = Rig(config(quotes={"min_interval_ns": 0}, limits={"max_fair_deviation": px("0.9")}))
    rig.book(levels(("0.01", 500)), levels(("0.99", 500)))
    mark(rig, 80_000)
    mark(rig, 81_000)
    rig.want(bid=bid and (bid, 100), ask=ask and (ask, 100), fair=fair)  # type: ignore[arg-type]
    found = {order.direction: order.yes_px for order in rig.state.orders.live_in(M)}
    assert found.get(BID) == (bid_px and px(bid_px))
    assert found.get(ASK) == (ask_px and px(ask_px))
    for direction, wished, stands in ((BID, bid, bid_px), (ASK, ask, ask_px)):
        if wished and not stands:
            assert rig.note(direction) == "widened"


# -- large moves pause


@pytest.mark.parametrize(
    ("then", "after_s", "trips"),
    [("82400", 200, False), ("82400.00001", 200, True), ("77600", 300, False), ("77599.9", 300, True),
     ("77599.9", 300.001, False)],
)  # fmt: skip
def test_a_large_move_pauses_beyond_three_percent_within_five_minutes(then: str, after_s: float, trips: bool) -> None:
    rig = Rig(CALM)
    mark(rig, 80_000)
    rig.jump(after_s)
    assert bool(alerts(mark(rig, then), "price_pause")) is trips


def test_a_pause_cancels_every_quote_keeps_the_tokens_and_ends_by_itself() -> None:
    rig = Rig(CALM)
    rig.buy(100, "0.5")
    quoting(rig)
    mark(rig, 80_000)
    outputs = mark(rig, 83_000)
    assert len(cancelled(outputs)) == 2
    assert rig.halt is HaltState.RUNNING
    assert rig.net() == lots(100)
    assert rig.note(BID) == rig.note(ASK) == "price_pause"
    assert "BTC mark moved 3.75 % within 300 s > 3 %, 900 s left" in rig.market().notes[BID].detail
    assert "all quotes on it cancelled, tokens kept for 900 s" in alerts(outputs, "price_pause")[0].text
    for order in list(rig.state.orders.live()):
        rig.closed(order, filled=0)
    rig.jump(899.999)
    assert not placed(rig.book())
    outputs = rig.wait(0.001)
    assert len(placed(outputs)) == 2, "at the very moment, by its own timer, at the wished price: the widening is over"


def test_a_pause_and_a_widening_together_first_pause_then_widen_then_quote() -> None:
    """The pause is shorter here than the widening: it must not lift it."""
    rules = CALM.breakers
    short = type(rules.pause)(move=px("0.03"), window_ns=seconds(300), cooldown_ns=seconds(100))
    rig = Rig(config(quotes={"min_interval_ns": 0}, breakers={"pause": short}))
    rig.want(bid=("0.52", 100), ask=("0.58", 100), fair="0.55")
    mark(rig, 80_000)
    mark(rig, 83_000)
    assert rig.state.counters.trips == {"price_widen": 1, "price_pause": 1}
    rig.jump(100)
    assert quotes_again(rig)
    assert {order.yes_px for order in rig.state.orders.live_in(M)} == {px("0.46"), px("0.64")}
    rig.jump(200)
    assert quotes_again(rig)
    assert {order.yes_px for order in rig.state.orders.live_in(M)} == {px("0.52"), px("0.58")}


# -- failed requests


def failure(rig: Rig, kind: str) -> list[Any]:
    """One request that fails, of an order made for it."""
    rig.jump(1)
    order = rig.order(rig.first)  # type: ignore[attr-defined]
    item: Input
    match kind:
        case "lost":
            item = SendLost((order.client_id,), SentAction.PLACE, "deadline")
        case "unsent":
            item = SendRefused((order.client_id,), SentAction.CANCEL, "no session")
        case "rejected":
            return rig.rejected(order, "RateLimitIp", "429")
        case "amend":
            return rig.amend_failed(order, "NonceLow", "Invalid nonce: nonce too low")
        case _:
            return rig.cancel_failed(order, "ActionExpired", "Action already expired")
    return rig.tell(item)


KINDS = ("lost", "unsent", "rejected", "amend", "cancel")


def failing() -> Rig:
    rig = Rig(ERRORS)
    (request,) = placed(rig.want(bid=("0.52", 100), fair="0.55"))
    rig.first = request.client_id  # type: ignore[attr-defined]
    return rig


@pytest.mark.parametrize("kind", KINDS)
def test_more_than_five_failed_requests_in_a_minute_pause(kind: str) -> None:
    rig = failing()
    for _ in range(5):
        assert not alerts(failure(rig, kind), "api_errors")
    outputs = failure(rig, kind)
    (alert,) = alerts(outputs, "api_errors")
    assert "more than 5 requests to hyperliquid failed within 60 s, last: " in alert.text
    assert "nothing new is sent for 120 s" in alert.text
    rig.book()
    assert rig.note(BID) == "api_errors"
    assert not alerts(failure(rig, kind), "api_errors"), "said once"
    assert rig.state.counters.trips == {"api_errors": 1}


@pytest.mark.parametrize(("span_s", "trips"), [(60, True), (60.001, False)])
def test_failures_count_within_the_window(span_s: float, trips: bool) -> None:
    rig = failing()
    for _ in range(5):
        failure(rig, "lost")
    rig.jump(span_s - 5)  # the next one comes 1 s later: that long after the first
    assert bool(alerts(failure(rig, "lost"), "api_errors")) is trips


def test_the_pause_after_failures_ends_exactly() -> None:
    rig = failing()
    for _ in range(6):
        failure(rig, "lost")
    rig.closed(rig.order(rig.first))  # type: ignore[attr-defined]
    rig.jump(119.999)
    assert not placed(rig.book())
    assert len(placed(rig.wait(0.001))) == 1


def test_refusals_about_an_order_are_not_failed_requests() -> None:
    rig = failing()
    for code in ("BadAloPx", "MinTradeNtl", "InsufficientSpotBalance", "Unknown", "Tick", "MissingOrder") * 4:
        rig.jump(1)
        order = rig.order(rig.first)  # type: ignore[attr-defined]
        rig.rejected(order, code)
        rig.cancel_failed(order, code)
    assert "api_errors" not in rig.state.counters.trips


def test_a_batch_refused_as_a_whole_is_one_failed_request() -> None:
    rig = failing()
    order = rig.order(rig.first)  # type: ignore[attr-defined]
    for _ in range(20):
        rig.jump(0.001)
        rig.rejected(order, "RateLimitIp", "429")
        rig.cancel_failed(order, "RateLimitIp", "429")
    assert "api_errors" not in rig.state.counters.trips


# -- all together


def brake(rig: Rig, which: str) -> None:
    match which:
        case "widen":
            mark(rig, 80_000)
            mark(rig, 81_000)
        case "pause":
            mark(rig, 80_000)
            mark(rig, 83_000)
        case "errors":
            for _ in range(6):
                rig.jump(1)
                rig.tell(SendLost((rig.first,), SentAction.PLACE, "x"))  # type: ignore[attr-defined]
            rig.closed(rig.order(rig.first))  # type: ignore[attr-defined]
        case _:
            rig.state.breakers.day.stopped = True


PAUSING = {"pause", "errors"}
WISH = st.none() | st.tuples(st.integers(-3, 5), st.integers(20, 300))
"""How far behind the touch, in cents (in front of it where negative), and how many."""


@pytest.mark.parametrize(
    ("breakers", "leave"),
    [
        (st.just({"widen"}), True),
        (st.just({"day"}), True),
        (st.just({"day", "widen"}), True),
        (st.sets(st.sampled_from(["widen", "pause", "errors", "day"]), min_size=1).filter(PAUSING.intersection), False),
    ],
    ids=["widen", "day", "both", "paused"],
)
def test_with_any_breaker_active_nothing_that_leaves_adds_to_risk_it_forbids(
    breakers: st.SearchStrategy[set[str]], *, leave: bool
) -> None:
    left = []

    @settings(max_examples=50, derandomize=True)
    @given(
        breakers, st.integers(-380, 380), st.integers(6, 85), st.integers(1, 8),
        st.lists(st.tuples(WISH, WISH, st.integers(0, 8)), min_size=1, max_size=5),
    )  # fmt: skip
    def whatever_is_wished(
        active: set[str], net: int, best: int, spread: int, wishes: list[tuple[Any, Any, int]]
    ) -> None:
        left.append(leaving(active, net, best, best + spread, wishes))

    whatever_is_wished()
    assert (sum(left) > 0) is leave


def leaving(active: set[str], net: int, best: int, ask: int, wishes: list[tuple[Any, Any, int]]) -> int:
    """How many orders leave for some wishes, each of them checked; `best` and `ask` are the touch in cents."""
    rig, count = failing(), 0
    if net:
        rig.buy(abs(net), "0.5", Leg.YES if net > 0 else Leg.NO)
    for which in sorted(active):
        brake(rig, which)
    for order in list(rig.state.orders.live()):
        rig.closed(order, filled=0)
    for behind_bid, behind_ask, above in wishes:
        bid = behind_bid and (best - behind_bid[0], behind_bid[1])
        offer = behind_ask and (ask + behind_ask[0], behind_ask[1])
        crossed = bid and offer and bid[0] >= offer[0]
        rig.jump(1)
        rig.book(levels((best / 100, 5_000)), levels((ask / 100, 5_000)))
        outputs = rig.want(
            bid and (bid[0] / 100, bid[1]), None if crossed else offer and (offer[0] / 100, offer[1]),
            fair=min(best + above, ask) / 100,
        )  # fmt: skip
        for order in placed(outputs):
            count += 1
            way = int(order.side) if order.leg is Leg.YES else -int(order.side)
            if "day" in active:
                assert way * net < 0, "only what reduces"
            own = order.px if order.leg is Leg.YES else SCALE - order.px
            assert 0 < own < SCALE
            assert (own - (px(ask / 100) if way > 0 else px(best / 100))) * way < 0, "never crosses"
            if "widen" in active:
                wished = px((bid if way > 0 else offer)[0] / 100)
                assert (wished - own) * way >= 0, "never nearer to a trade than wished"
            rig.opened(order)
        if "day" in active:
            worst = sum(order.leaves for order in rig.state.orders.live_in(M))
            assert worst <= lots(abs(net)), "never through flat"
        if active & PAUSING:
            assert not risky(outputs)
        for amend in amended(outputs):
            rig.opened(amend)
    return count


@pytest.mark.parametrize("seed", range(3))
def test_told_the_same_breakers_do_the_same(seed: int) -> None:
    def run() -> tuple[int, int]:
        rig, source = failing(), random.Random(seed)
        for _ in range(300):
            rig.jump(source.random() * 20)
            price = 80_000 * (1 + source.gauss(0, 0.006))
            mark(rig, round(price, 1)) if source.random() < 0.8 else failure(rig, source.choice(KINDS))
            rig.book()
        return rig.engine.digest(), sum(rig.state.counters.trips.values())

    first, second = run(), run()
    assert first == second
    assert first[1] > 0


def test_the_digest_tells_a_trip_from_none() -> None:
    """Nothing was quoted, so no output differs: the digest must."""
    one, other = Rig(), Rig()
    mark(one, 80_000)
    mark(other, 80_000)
    assert one.engine.digest() == other.engine.digest()
    one.state.breakers.moves_of(PERP)[0].rule = type(one.state.breakers.rules.widen)(
        move=px("0.9"), window_ns=seconds(60), cooldown_ns=seconds(300)
    )
    mark(one, 81_000)
    mark(other, 81_000)
    assert one.engine.digest() != other.engine.digest()
