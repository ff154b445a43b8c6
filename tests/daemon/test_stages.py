"""How long things take: buckets that hold what they promise, and an alarm that comes once and goes once."""

from __future__ import annotations

import gc

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from hlomm.daemon.histogram import Histogram
from hlomm.daemon.stages import LEAST, Stages, budgets
from hlomm.domain.latency_rows import STAGES, Stage, StageRow
from hlomm.domain.outputs import Alert, AlertLevel
from hlomm.settings.load import load

MS = 1_000_000


def stages(budget_us: float = 1000.0) -> Stages:
    return Stages(dict.fromkeys(STAGES, budget_us))


def row(of: Stages, stage: Stage) -> StageRow:
    return next(each for each in of.rows() if each.stage == stage)


@given(st.lists(st.integers(0, 2**39), min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99, 0.999, 1.0]))
def test_a_percentile_is_never_too_low_and_at_most_a_sixteenth_too_high(values: list[int], share: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    rank = max(-(-len(values) * round(share * 10_000) // 10_000), 1)
    exact = sorted(values)[rank - 1]
    assert exact <= histogram.percentile(share) <= exact + exact // 16 + 1


@given(
    st.lists(st.integers(min_value=0, max_value=10**10), min_size=1, max_size=60),
    st.integers(min_value=1, max_value=10**10),
)
def test_so_many_took_no_longer_counted_to_a_sixteenth(values: list[int], edge: int) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    assert histogram.total == sum(values)
    (found,) = histogram.up_to([edge])
    assert sum(v <= edge for v in values) <= found <= sum(v <= edge + edge // 16 + 1 for v in values)


@given(st.lists(st.integers(0, 2**30), max_size=50), st.lists(st.integers(0, 2**30), max_size=50))
def test_what_was_added_since_a_copy_is_what_was_added(before: list[int], after: list[int]) -> None:
    whole, alone = Histogram(), Histogram()
    for value in before:
        whole.add(value)
    copied = whole.copy()
    for value in after:
        whole.add(value)
        alone.add(value)
    found, shares = whole.since(copied), (0.1, 0.5, 0.99)
    assert (found.count, found.total) == (len(after), sum(after))
    assert alone.longest <= found.longest <= alone.longest + alone.longest // 16 + 1
    for one, other in zip(found.percentiles(shares), alone.percentiles(shares), strict=True):
        assert other <= one <= other + other // 16 + 1
    assert copied.count == len(before), "what was copied stays"


def test_stages_are_taken_as_copies() -> None:
    made = stages()
    made.took(Stage.DECIDE, MS)
    taken = made.taken()
    made.took(Stage.DECIDE, 3 * MS)
    assert (taken[Stage.DECIDE].count, taken[Stage.RECORD].count) == (1, 0)
    assert made.taken()[Stage.DECIDE].since(taken[Stage.DECIDE]).total == 3 * MS


def test_what_is_too_long_or_less_than_nothing_is_counted_all_the_same() -> None:
    histogram = Histogram()
    histogram.add(-5)
    histogram.add(2**60)
    assert (histogram.count, histogram.percentile(0.5), histogram.longest) == (2, 0, 2**60)
    histogram.clear()
    assert (histogram.count, histogram.longest, histogram.percentile(0.99)) == (0, 0, 0)


def test_a_stage_that_leaves_its_budget_is_told_once_and_once_when_it_is_back() -> None:
    made = stages()
    told: list[Alert] = []
    for durations in ([MS // 2] * LEAST, [3 * MS] * LEAST, [3 * MS] * LEAST, [MS // 2] * LEAST, [MS // 2] * LEAST):
        for duration in durations:
            made.took(Stage.DECIDE, duration)
        told += made.judge()
    assert [(alert.level, alert.code) for alert in told] == [
        (AlertLevel.WARNING, "slow"), (AlertLevel.INFO, "slow_over"),
    ]  # fmt: skip
    assert told[0].text.startswith("decide is slow: p99 3.0")
    assert "budget 1 ms" in told[0].text
    assert not row(made, Stage.DECIDE).late


def test_a_minute_in_which_little_happened_says_nothing() -> None:
    made = stages()
    for _ in range(LEAST - 1):
        made.took(Stage.DECIDE, 9 * MS)
    assert made.judge() == []
    assert row(made, Stage.DECIDE).recent_us is None
    assert row(made, Stage.DECIDE).count == LEAST - 1, "the whole run knows of them"
    made.took(Stage.COLLECT, 9 * MS)
    assert [alert.code for alert in made.judge()] == ["slow"], "one collection is enough: everything waits for it"
    assert row(made, Stage.COLLECT).late


async def test_a_loop_that_is_held_up_is_seen() -> None:
    made = stages()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.watch_loop, lambda alert: None)
        await trio.testing.wait_all_tasks_blocked()
        end = trio.current_time() + 0.25
        while trio.current_time() < end:
            pass
        await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert row(made, Stage.LOOP).count == 1
    assert row(made, Stage.LOOP).max_us > 100_000


def test_collections_are_timed_while_somebody_watches() -> None:
    made = stages()
    with made.watching_collections():
        gc.collect()
    seen = row(made, Stage.COLLECT).count
    gc.collect()
    assert seen >= 1
    assert row(made, Stage.COLLECT).count == seen


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_a_budget_in_the_configuration(stage: Stage) -> None:
    settings = load("sim", (), (f"latency.{stage.value}_us=1234",), environ={}).settings
    assert budgets(settings)[stage] == 1234
