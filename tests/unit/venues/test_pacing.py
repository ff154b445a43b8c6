"""Token buckets and backoff as functions of the time they are handed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.times import NS_PER_S
from hlomm.venues.pacing import TokenBucket, WindowBudget, backoff_s


def bucket(capacity: float = 100, refill_per_s: float = 10) -> TokenBucket:
    return TokenBucket(capacity, refill_per_s)


def s(seconds: float) -> int:
    return int(seconds * NS_PER_S)


def test_a_bucket_starts_full_and_refills_to_its_capacity() -> None:
    tokens = bucket()
    assert tokens.level(s(5)) == 100
    tokens.take(40, s(5))
    assert tokens.level(s(5)) == 60
    assert tokens.level(s(6)) == pytest.approx(70)
    assert tokens.level(s(60)) == 100


def test_optional_work_leaves_the_reserve_alone() -> None:
    tokens = bucket()
    assert tokens.try_take(60, s(0), keep=40)
    assert not tokens.try_take(1, s(0), keep=40)
    assert tokens.try_take(1, s(0), keep=39)
    assert tokens.level(s(0)) == 39


def test_a_refused_take_costs_nothing() -> None:
    tokens = bucket(10)
    assert not tokens.try_take(11, s(0))
    assert tokens.level(s(0)) == 10


def test_necessary_work_may_overdraw_but_not_without_end() -> None:
    tokens = bucket(10, 1)
    for _ in range(50):
        tokens.take(5, s(0))
    assert tokens.level(s(0)) == -10
    assert not tokens.try_take(1, s(10))
    assert tokens.try_take(1, s(11))


def test_a_drained_bucket_refills_from_zero_and_keeps_its_debt() -> None:
    tokens = bucket(10, 1)
    tokens.drain(s(0))
    assert tokens.level(s(0)) == 0
    tokens.take(4, s(0))
    tokens.drain(s(0))
    assert tokens.level(s(0)) == -4
    assert tokens.level(s(5)) == pytest.approx(1)


def test_a_clock_that_steps_back_refills_nothing_twice() -> None:
    tokens = bucket(100, 10)
    tokens.take(100, s(100))
    assert tokens.level(s(50)) == 0
    assert tokens.level(s(100)) == 0
    assert tokens.level(s(101)) == pytest.approx(10)


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0, 3), st.booleans()), max_size=50))
def test_no_sequence_leaves_the_bounds(steps: list[tuple[float, float, bool]]) -> None:
    tokens = bucket(20, 2)
    now = 0.0
    for amount, pause, forced in steps:
        now += pause
        if forced:
            tokens.take(amount, s(now))
        else:
            before = tokens.level(s(now))
            taken = tokens.try_take(amount, s(now))
            assert taken == (before >= amount)
        assert -20 <= tokens.level(s(now)) <= 20


@given(st.integers(1, 600))
def test_a_bucket_lets_through_its_rate_over_a_long_time(seconds: int) -> None:
    tokens = bucket(10, 2)
    taken = sum(tokens.try_take(1, s(tick / 10)) for tick in range(seconds * 10))
    assert taken <= 10 + 2 * seconds
    assert taken >= min(10 * seconds, 10 + 2 * (seconds - 1)) - 1


# -- backoff


def test_pauses_double_to_the_cap() -> None:
    pauses = [backoff_s(attempt, base_s=0.5, cap_s=30, jitter=0) for attempt in range(10)]
    assert pauses == [0.25, 0.5, 1, 2, 4, 8, 15, 15, 15, 15]


@given(attempt=st.integers(0, 10**6), jitter=st.floats(0, 1, exclude_max=True))
def test_pauses_lie_between_half_and_whole(attempt: int, jitter: float) -> None:
    pause = backoff_s(attempt, base_s=0.5, cap_s=30, jitter=jitter)
    whole = min(30, 0.5 * 2 ** min(attempt, 32))
    assert whole / 2 <= pause <= whole


def test_the_same_jitter_gives_the_same_pause() -> None:
    assert backoff_s(3, base_s=1, cap_s=60, jitter=0.5) == backoff_s(3, base_s=1, cap_s=60, jitter=0.5) == 6


@pytest.mark.parametrize(("attempt", "jitter"), [(-1, 0.0), (0, 1.0), (0, -0.1)])
def test_senseless_arguments_are_a_fault_of_ours(attempt: int, jitter: float) -> None:
    with pytest.raises(AssertionError):
        backoff_s(attempt, base_s=1, cap_s=60, jitter=jitter)


@given(st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 400)), max_size=80))
def test_no_span_of_a_window_ever_holds_more_than_its_limit(steps: list[tuple[int, int]]) -> None:
    """A bucket that holds a minute's worth and refills as fast lets nearly twice as much through."""
    budget, taken, now_ns = WindowBudget(1_200, 60), list[tuple[int, int]](), 10**12
    for pause_ms, tokens in steps:
        now_ns += pause_ms * 10**6
        if budget.try_take(tokens, now_ns):
            taken.append((now_ns, tokens))
        assert sum(amount for at, amount in taken if now_ns - at < 60 * NS_PER_S) <= 1_200
    assert len(budget._slots) <= 122
    assert budget.level(now_ns + 61 * NS_PER_S) == 1_200


def test_a_drained_window_comes_back_after_a_third_of_its_span() -> None:
    budget = WindowBudget(1_200, 60)
    budget.take(100, 10**12)
    budget.drain(10**12)
    assert budget.level(10**12 + 19 * NS_PER_S) == 0
    assert budget.level(10**12 + 20 * NS_PER_S) == 1_100
    budget.take(1_300, 10**12 + 20 * NS_PER_S)
    assert budget.level(10**12 + 20 * NS_PER_S) == -200, "what must happen is counted all the same"
