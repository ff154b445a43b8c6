"""What people are sent about a whole daemon that trades, halts, resumes and goes, over real endpoints.

Rung: the watch as its command runs it, against the whole daemon and its link in mock time; messages leave by real
sockets, in threads for which that time stands still.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
import trio

from hlomm.daemon.alerts.looks import Looks
from hlomm.daemon.alerts.services import QUEUE_MAX, services
from hlomm.daemon.alerts.watch import Watch
from hlomm.daemon.api.snapshots import Snapshots
from hlomm.domain.faults import UsageError
from hlomm.domain.inputs import OperatorAction, OperatorCommand
from hlomm.domain.report import AlertRow, GuardianRow, Snapshot
from hlomm.domain.secret import Secret
from hlomm.keystore.folder import Keystore
from hlomm.link.guardian import Told
from hlomm.settings.load import load
from hlomm.settings.paths import StatePaths
from tests.support.endpoint import HANGS, endpoint
from tests.tui.examples import VENUE, snapshot

UP = GuardianRow(state="up", pid=1, answer_age_s=0.1)
GONE = "no daemon answers at /nowhere — start one with `hlomm run`"


@attrs.define(eq=False)
class Link:
    """A connection to a daemon that is right here, and may be gone."""

    make: Callable[[], Snapshot] | None

    def snapshot(self) -> Snapshot:
        if self.make is None:
            raise UsageError(GONE)
        return msgspec.structs.replace(self.make(), guardian=UP)

    def close(self) -> None:
        """Nothing is open."""


def nobody() -> Told:
    raise UsageError("no guardian answers")


@attrs.define(eq=False)
class Desk:
    watch: Watch
    link: Link
    paths: StatePaths


def desk(tmp_path: Path, link: Link, *urls: str, sets: tuple[str, ...] = ()) -> Desk:
    rules = load("sim", (), tuple(f"alerts.{one}" for one in sets), environ={}).settings.alerts
    paths = StatePaths(tmp_path / "st")
    paths.root.mkdir(parents=True, exist_ok=True)
    snapshots = Snapshots(lambda: link, clock=_now)
    looks = Looks(paths, Keystore(tmp_path / "keys"), nobody)
    found = services([Secret(url) for url in urls], send_s=rules.send_s, keep_s=rules.keep_s)
    return Desk(Watch(rules, "sim", snapshots, looks, found), link, paths)


def _now() -> float:
    try:
        return trio.current_time()
    except RuntimeError:
        return trio.from_thread.run_sync(trio.current_time)


@asynccontextmanager
async def watching(there: Desk) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(there.watch.run)
        yield
        nursery.cancel_scope.cancel()


async def test_a_run_that_trades_halts_resumes_and_goes(
    rig: Any, autojump_clock: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with endpoint() as there:
        link = Link(None)
        made = desk(tmp_path, link, there.url("SECRET"), sets=("fills=true", "digest_s=10", "level=critical"))
        async with rig(seed=7) as r, watching(made):
            link.make = partial(trio.from_thread.run_sync, r.daemon.monitor.snapshot)
            await r.quoting(2)
            await trio.sleep(5)  # the first look is over
            fills = r.engine.state.portfolio.fills
            await r.until(lambda: r.engine.state.portfolio.fills > fills, 300)
            r.daemon.pump([OperatorCommand(action=OperatorAction.KILL, actor="me", reason="enough")], 0)
            await r.until(lambda: r.state == "halted", 60)
            await trio.sleep(12)
            r.daemon.pump([OperatorCommand(action=OperatorAction.RESUME, actor="me", reason="looked into it")], 0)
            await r.quoting(1)
            await trio.sleep(12)
            link.make = None
            made.paths.owned.write_text("{}")
            await trio.sleep(30)
    texts = {title: str(one["message"]) for title, one in zip(there.titles(), there.received, strict=True)}
    assert [title for title in there.titles() if title not in ("fills", "running", "halted")] == [
        "daemon_gone", "unattended",
    ]  # fmt: skip
    halted = [str(one["message"]) for one in there.received if one["title"] == "hlomm sim, not armed: halted"]
    said = [text for text in halted if not text.startswith("halted (")]  # the others are digests
    assert said[0].startswith("HALTED: kill by me (enough); everything is cancelled — read the reason")
    assert said[1].startswith("over after ")
    assert len(said) == 2, "once each"
    assert texts["fills"].startswith("fills ")
    digests = [text for text in (str(one["message"]) for one in there.received) if "\nPnL " in text]
    assert len(digests) >= 3
    assert texts["daemon_gone"].startswith("the daemon is gone (no daemon answers at /nowhere); no guardian answers")
    assert set(there.paths) == {"/SECRET"}
    assert "SECRET" not in "".join(capfd.readouterr())


def row(n: int, level: str = "warning", code: str = "foreign_fill") -> AlertRow:
    return AlertRow(wall_ms=n, level=level, code=code, text=f"{code} {n} @everyone")


async def test_a_storm_of_alerts_is_a_few_messages_and_a_count(autojump_clock: Any, tmp_path: Path) -> None:
    """Fifty kinds at once, each again and again; what is critical finds its place all the same."""
    with endpoint() as there:
        said: list[AlertRow] = []
        link = Link(lambda: msgspec.structs.replace(snapshot(), alerts=tuple(said[-50:])))
        made = desk(tmp_path, link, there.url(), sets=("digest_s=0", "per_minute=18", "again_s=300"))
        async with watching(made):
            await trio.sleep(3)
            for second in range(30):
                said += [row(second, code=f"kind{n}") for n in range(40)]
                await trio.sleep(1.1)
            said.append(row(99, "critical", "flatten_deadline"))
            said.append(row(99, "catastrophic", "level_of_a_later_daemon"))
            said.append(row(99, "info", "settled"))
            await trio.sleep(200)
    titles = there.titles()
    assert {"flatten_deadline", "level_of_a_later_daemon"} <= set(titles)
    assert "settled" not in titles
    assert len(titles) <= 4 * 18
    (held, *_) = (str(one["message"]) for one in there.received if one["title"].endswith("held_back"))
    assert "more held back: 1 kind" in held
    assert all("@everyone" not in str(one["message"]) for one in there.received)


async def test_what_stands_is_not_held_back_but_waits_for_its_place(autojump_clock: Any, tmp_path: Path) -> None:
    """Said as soon as there is room, the worst first; what was over by then is not said at all."""
    with endpoint() as there:
        said = [row(n, "critical", f"kind{n}") for n in range(1)]
        state = {"venue": "live", "state": "running"}

        def make() -> Snapshot:
            venue = msgspec.structs.replace(VENUE, session=state["venue"])
            calm = snapshot(venues=(venue,), state=state["state"], reason="x")
            return msgspec.structs.replace(calm, alerts=tuple(said))

        made = desk(tmp_path, Link(make), there.url(), sets=("digest_s=0", "per_minute=6"))
        async with watching(made):
            await trio.sleep(3)
            said += [row(n, "critical", f"kind{n}") for n in range(1, 40)]
            await trio.sleep(2)
            state["venue"] = "down"
            await trio.sleep(3)
            state["venue"], state["state"] = "live", "halted"
            await trio.sleep(100)
    titles = there.titles()
    assert titles.count("halted") == 1
    assert titles.index("halted") == 3, "the first for which there was room"
    assert "venue_silent" not in titles
    assert "held_back" in titles


async def test_an_endpoint_that_is_down_takes_nothing_from_another_and_is_told_about(
    autojump_clock: Any, tmp_path: Path
) -> None:
    with endpoint(500) as down, endpoint() as there:
        link = Link(snapshot)
        made = desk(tmp_path, link, down.url("A"), there.url("B"), sets=("digest_s=60",))
        async with watching(made):
            await trio.sleep(400)
            assert len(down.paths) > 4
            assert len(down.paths) < 60, "not in a hurry"
            (fails,) = (str(one["message"]) for one in there.received if one["title"].endswith("alerts_undelivered"))
            assert fails.startswith(
                "alert service 1 (json) fails: HTTP 500: it has a fault of its own — see its status"
            )
            assert sum(1 for one in there.received if "\nPnL " in str(one["message"])) >= 5
            waiting = made.watch.services[0].health().waiting
            assert 1 <= waiting <= 3, "of digests only the newest waits"
            down.status = 200
            await trio.sleep(200)
        assert down.received
        assert any("over after" in str(one["message"]) for one in there.received)


async def test_the_watch_waits_for_nobody(tmp_path: Path, autojump_clock: Any) -> None:
    """Whatever a service does, looks go on, and what waits for it is bounded."""
    with endpoint(HANGS) as there:
        said: list[AlertRow] = []
        link = Link(lambda: msgspec.structs.replace(snapshot(), alerts=tuple(said[-50:])))
        made = desk(tmp_path, link, there.url(options="?rto=0.05"), sets=("digest_s=0", "per_minute=600", "again_s=0"))
        async with watching(made):
            await trio.sleep(2)
            for n in range(300):
                said.append(row(n))
                await trio.sleep(1.1)
            health = made.watch.services[0].health()
            assert health.waiting == QUEUE_MAX
            assert health.lost >= 150
            assert health.why.startswith("it does not answer in time")
    assert there.received == []


async def test_the_digest_comes_as_often_as_configured_or_never(autojump_clock: Any, tmp_path: Path) -> None:
    for digest_s, expected in ((60, 6), (0, 0)):
        with endpoint() as there:
            made = desk(tmp_path, Link(snapshot), there.url(), sets=(f"digest_s={digest_s}",))
            async with watching(made):
                await trio.sleep(370)
        assert len([one for one in there.received if "\nPnL " in str(one["message"])]) == expected


async def test_started_first_it_waits_for_a_daemon_and_says_if_none_comes(autojump_clock: Any, tmp_path: Path) -> None:
    with endpoint() as there:
        link = Link(None)
        made = desk(tmp_path, link, there.url(), sets=("digest_s=0",))
        async with watching(made):
            await trio.sleep(12)
            assert there.received == [], "it may be starting"
            await trio.sleep(10)
            link.make = snapshot
            await trio.sleep(10)
            link.make = None
            await trio.sleep(20)
    assert there.titles() == ["daemon_absent", "daemon_absent", "daemon_stopped"]
