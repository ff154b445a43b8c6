"""The rehearsal: the real way walked in private, nothing of it shared, and no harm when it breaks."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import attrs
import pytest
import structlog.testing
import trio
import trio.testing

from hlomm.bench import hotpath
from hlomm.daemon import rehearsal
from hlomm.daemon.rehearsal import Rehearsal, Stage
from hlomm.settings.load import Loaded, load

PLAYS = 60


@pytest.fixture
def loaded() -> Loaded:
    return load("sim", (), (), environ={})


@attrs.define
class Lively:
    """As much of a pump as a rehearsal looks at."""

    news: int = 0


def test_every_book_becomes_a_signed_order_and_its_answer_is_heard(loaded: Loaded) -> None:
    with ExitStack() as strike:
        stage = Stage(loaded, strike)
        for _ in range(PLAYS):
            stage.a_book_comes()
            stage.the_venue_answers()
        state = stage.pump.engine.state
        assert stage.echo.counts["order"] == 1, "both quotes in one action"
        assert stage.echo.counts["batchModify"] >= PLAYS * 7 // 9, "and every later book moves them"
        assert len(stage.echo.orders) == state.orders.live_count == 2
        assert not state.counters.rejected
        assert not state.counters.venue_rejects


def test_it_plays_for_ever_within_what_a_venue_allows(loaded: Loaded) -> None:
    """An engine that met a limit would rehearse refusing."""
    with ExitStack() as strike:
        stage = Stage(loaded, strike)
        for _ in range(700):
            stage.a_book_comes()
            stage.the_venue_answers()
        actions = sum(stage.echo.counts.get(kind, 0) for kind in ("order", "batchModify"))
        assert actions > 500
        assert len(stage.echo.orders) == 2


async def test_a_lively_market_is_not_disturbed(
    loaded: Loaded, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts: list[float] = []
    monkeypatch.setattr(Stage, "a_book_comes", lambda self: acts.append(trio.current_time()))
    monkeypatch.setattr(Stage, "the_venue_answers", lambda self: None)
    pump: Any = Lively()
    plays = Rehearsal(loaded, pump, 0.01)

    async def trade(per_s: int, seconds: int) -> None:
        for _ in range(per_s * seconds):
            await trio.sleep(1 / per_s)
            pump.news += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(plays.keep)
        await trade(20, 10)
        slow = len(acts)
        assert slow > 800, "the market is slow: a play every 10 ms"
        await trade(100, 10)
        assert len(acts) - slow < 250, "lively: at most until that is noticed"
        lively = len(acts)
        await trade(20, 10)
        assert len(acts) - lively > 700, "and again when it is slow"
        nursery.cancel_scope.cancel()


async def test_what_breaks_on_the_stage_stops_the_rehearsal_and_nothing_else(
    loaded: Loaded, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> None:
        raise AssertionError("a plank")

    monkeypatch.setattr(rehearsal.Echo, "posted", broken)
    with structlog.testing.capture_logs() as logs:
        with trio.fail_after(60):
            await Rehearsal(loaded, Lively(), 0.01).keep()  # type: ignore[arg-type]
    assert [(line["event"], line["log_level"]) for line in logs] == [("rehearsal_stopped", "warning")]
    assert not Rehearsal.playing


async def test_a_fault_of_its_engine_is_not_said_to_be_the_daemons(
    loaded: Loaded, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as strike:
        stage = Stage(loaded, strike)
        monkeypatch.setattr(type(stage.pump.engine), "turn", lambda *_: 1 // 0)
        with structlog.testing.capture_logs() as logs, pytest.raises(ZeroDivisionError):
            stage.a_book_comes()
    assert logs == []


@pytest.mark.slow
async def test_beside_a_real_daemon_nothing_of_it_is_seen() -> None:
    """Every count of the benchmark adds up, so no book, order, nonce or record of it is the daemon's."""
    plan = hotpath.Plan(seconds=2.0, rates=(20.0,), flood=0, sets=("daemon.rehearse_s=0.01",))
    document = await hotpath.measure(plan)
    one = document["rates"]["20"]
    assert document["rehearsed"] > 100, "answers to our own orders are no sign of a lively market"
    assert one["frames"] == one["handled"] == 40
    assert 0 < one["batches"] == one["posts"]
    assert document["signatures"]["checked"] == document["signatures"]["good"]
