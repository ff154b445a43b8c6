"""What is decided when: at once on what moved, by the clock on what only ages, and not at all on news of nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.inputs import BboUpdate, MarkPrice
from hlomm.engine.breakers import MoveBreaker, MoveWindow
from hlomm.engine.config import MoveRule
from tests.support.rig import Rig, amended, placed
from tests.support.values import PERP, config, lots, px, seconds

BID = 1


def told(rig: Rig, bid: str = "95000", ask: str = "95001", size: float = 1) -> int:
    """How often the strategy was asked because of one touch of the perp."""
    before = len(rig.puppet.views)
    rig.tell(BboUpdate(PERP, (px(bid), lots(size)), (px(ask), lots(size)), rig.ms))
    return len(rig.puppet.views) - before


def test_sizes_of_the_underlying_decide_nothing() -> None:
    rig = Rig()
    assert told(rig) == 1
    assert told(rig, size=2) == 0
    assert told(rig, size=3) == 0
    assert told(rig, bid="94999", size=3) == 1
    assert told(rig, bid="94999", ask="95002", size=3) == 1


def test_an_unmoved_mark_decides_nothing_and_is_fresh_all_the_same() -> None:
    rig = Rig()
    rig.tell(MarkPrice(PERP, px(95_000), rig.ms))
    asked = len(rig.puppet.views)
    rig.jump(0.1)
    rig.tell(MarkPrice(PERP, px(95_000), rig.ms))
    assert len(rig.puppet.views) == asked
    rig.tell(MarkPrice(PERP, px(95_010), rig.ms))
    assert len(rig.puppet.views) == asked + 1
    assert rig.puppet.views[-1].underlying_age_ns == 0


def test_heard_again_without_moving_keeps_a_price_from_growing_old() -> None:
    rig = Rig()
    told(rig)
    for size in range(2, 12):
        rig.jump(0.2)
        told(rig, size=size)
    rig.book()
    rig.wait(0.6)
    assert rig.puppet.views[-1].underlying_age_ns <= seconds(0.6)


def test_a_turn_without_news_is_in_the_digest_and_does_nothing() -> None:
    rig = Rig()
    told(rig)
    rig.wait(0.01)
    before, turns = rig.engine.digest(), rig.state.counters.turns
    rig.jump(0.01)
    assert rig.turn() == []
    assert rig.engine.digest() != before
    assert rig.state.counters.turns == turns + 1


def test_time_alone_decides_the_less_often_the_more_of_it_is_left() -> None:
    def asked_within(share: str, span_s: float) -> int:
        rules = {"refresh_share": px(share), "refresh_max_ns": seconds(3)}
        rig = Rig(config(quotes=rules))
        rig.wait(0.01)
        before = len(rig.puppet.views)
        rig.wait(span_s)
        return len(rig.puppet.views) - before

    left_s = Rig().market().market.tau_ns(Rig().now.wall_ns) / 1e9
    assert left_s > 600
    assert asked_within("0", 3.0) in (5, 6), "the least interval, half a second"
    assert asked_within(f"{2 / left_s:.8f}", 5.0) == 2
    assert asked_within("0.5", 5.0) == 1, "never less often than the longest interval"


def test_a_book_is_noticed_to_be_too_old_at_that_moment() -> None:
    rig = Rig(config(quotes={"refresh_share": px(1), "refresh_max_ns": seconds(5)}))
    rig.want(bid=("0.52", 100))
    assert rig.state.orders.live_count == 1
    rig.wait(6.0)
    assert rig.market().notes[BID].guard != "stale_book"
    rig.wait(0.001)
    assert rig.market().notes[BID].guard == "stale_book"


def test_what_came_too_soon_is_done_as_soon_as_it_may() -> None:
    rig = Rig(config(quotes={"refresh_share": px(1), "refresh_max_ns": seconds(5), "min_interval_ns": seconds(1)}))
    rig.resting_bid("0.52", 100)
    assert not amended(rig.want(bid=("0.54", 100))), "an improvement waits"
    assert not amended(rig.wait(0.9))
    assert len(amended(rig.wait(0.2))) == 1


def test_a_cancelled_quote_is_made_anew_as_soon_as_it_may() -> None:
    rig = Rig(config(quotes={"refresh_share": px(1), "refresh_max_ns": seconds(5), "min_interval_ns": seconds(1)}))
    order = rig.resting_bid("0.52", 100)
    rig.want()
    rig.closed(order)
    assert not placed(rig.want(bid=("0.52", 100)))
    assert len(placed(rig.wait(1.1))) == 1


@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.sampled_from([1_000, 1_001, 1_004, 990])), min_size=1, max_size=80),
    st.sampled_from([500, 5_000]),
)
def test_a_price_that_stands_is_remembered_for_as_long_as_it_stood(steps: list[tuple[int, int]], span_ms: int) -> None:
    """The breaker against a window that is shown every single price."""
    rule = MoveRule(move=px("0.003"), window_ns=span_ms * 10**6, cooldown_ns=seconds(1))
    breaker, window, now_ns = MoveBreaker(rule), MoveWindow(rule.window_ns), 0
    for wait_ms, price in steps:
        now_ns += wait_ms * 10**6
        move = window.add(now_ns, price)
        expected = move if move.exceeds(rule.move) else None
        assert breaker.observe("mid", now_ns, price) == expected
