"""Rung: pure functions from the store to text. How long everything takes, and how sure that is."""

from __future__ import annotations

import msgspec
import pytest

from hlomm.domain.latency_rows import STAGES, QueueRow, StageRow
from hlomm.domain.report import GuardianRow
from tests.tui.desk import desk, knowing
from tests.tui.examples import NOW_S, stages
from tests.tui.reading import text, tones
from tui.views.latency import FIRST, latency, micros
from tui.views.line import Line, Tone, plain


def drawn(*, width: int = 99, low: bool = False, now_s: float = NOW_S, **changes: object) -> list[Line]:
    made = knowing(msgspec.structs.replace(desk(), **changes))
    return latency(made, now_s, width, low=low)


def starts(rows: list[Line]) -> list[str]:
    return [plain(row).split()[0] for row in rows[1:]]


def test_each_figure_has_its_source_and_its_age() -> None:
    up = GuardianRow(state="up", pid=5, answer_age_s=0.3, restarts=2)
    rows = [plain(row) for row in drawn(guardian=up, width=119)]
    assert rows[0].endswith("measured now; since the start, p99 to budget")
    assert rows[1].split() == ["p50", "p90", "p99", "p99.9", "longest"]
    total = rows[2 + STAGES.index("total")]  # type: ignore[arg-type]
    assert total.split()[:11] == ["total", "41", "µs", "88", "µs", "241", "µs", "1.24", "ms", "35.00", "ms"]
    assert "of 5.00 ms" in total
    assert total.endswith("bytes read → orders handed over")
    below = rows[2 + len(STAGES) :]
    assert below[0].startswith(" hyperliquid     ack p50 279 ms  skew -98 ms  reconnects 0")
    assert below[0].endswith("session, data 0.0s old")
    assert below[1].startswith(" kalshi          ack p50 —  skew —  reconnects 3")
    assert below[1].endswith("never heard")
    assert below[2].startswith(" guardian        answered 0.3s ago")
    assert "engine inbox 12 of 100,000" in below[3]
    assert "hyperliquid writer 3" in below[3]


def test_a_frozen_display_does_not_say_now() -> None:
    made = knowing(desk())
    made.toggle_freeze(NOW_S)
    assert "as it was 2m ago; since the start" in plain(latency(made, NOW_S + 120, 99)[0])


def test_what_is_old_is_drawn_old() -> None:
    older = drawn(now_s=NOW_S + 9)
    assert "as told 9.0s ago" in plain(older[0])
    assert {span.tone for span in older[2]} == {Tone.STALE}


def test_a_low_screen_has_the_figures_that_matter_most() -> None:
    assert starts(drawn(low=True))[1 : 1 + len(FIRST)] == [stage.value for stage in FIRST]
    assert len(drawn(low=True)) < len(drawn())


def test_a_stage_out_of_its_budget_says_so_in_words() -> None:
    rows = drawn(stages=stages(decide=2_500.0), width=79)
    slow = next(row for row in rows if plain(row).startswith(" decide"))
    assert tones(slow, "SLOW 2.50 ms of 2.00 ms") == {Tone.ALARM}
    fine = next(row for row in rows if plain(row).startswith(" record"))
    assert Tone.ALARM not in {span.tone for span in fine}


def test_the_bar_is_p99_to_its_budget_and_says_when_that_is_not_enough() -> None:
    assert "████····" in text(drawn(stages=(StageRow(stage="decide", budget_us=1000.0, count=1, p99_us=500.0),)))
    assert "███████>" in text(drawn(stages=(StageRow(stage="decide", budget_us=1000.0, count=1, p99_us=1500.0),)))


def test_what_was_never_measured_is_not_a_number() -> None:
    assert "no order has followed a frame yet" in text(drawn(stages=()))
    rows = drawn(stages=(StageRow(stage="collect", budget_us=1000.0), StageRow(stage="loop", budget_us=1.0, count=1)))
    assert plain(rows[2]).split()[1] == "—"


def test_a_queue_that_lost_something_is_an_alarm() -> None:
    rows = drawn(queues=(QueueRow(name="ledger", peak=20_000, limit=20_000, lost=1_234),))
    assert tones(rows[-1], "1,234 LOST") == {Tone.ALARM}


def test_a_stage_of_a_newer_daemon_is_drawn_too() -> None:
    assert "teleport" in text(drawn(stages=(StageRow(stage="teleport", budget_us=1.0, count=3),)))


FIGURES = [(0.4, "0 µs"), (96.4, "96 µs"), (999.9, "1,000 µs"), (2_410.0, "2.41 ms"), (1_200_000.0, "1.20 s")]


@pytest.mark.parametrize(("value", "said"), FIGURES)
def test_figures_have_three_or_four_digits(value: float, said: str) -> None:
    assert micros(value) == said
