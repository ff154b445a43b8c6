"""The daemon's side of the guardian: start it, beat to it, notice when it fails, start another.

Theory of operation. One life is a process, a connection and a registration; while it lasts the engine may quote. It
ends when the process ends, the connection does, an answer to a beat is overdue, or it refuses us. Then the engine is
told, which takes every quote out, the process is killed, and after a pause the next life begins. The old process is
killed before its connection is closed: a guardian that only slept must not take the closing for our death.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Protocol, TextIO

import attrs
import structlog
import trio

from hlomm.daemon.beat import Beats
from hlomm.daemon.guardian_link import GuardianGone, GuardianLink, connect
from hlomm.daemon.pump import Pump
from hlomm.domain.faults import AnotherInstance
from hlomm.domain.inputs import GuardianDown, GuardianUp
from hlomm.domain.report import GuardianRow
from hlomm.link.guardian import Goodbye, Leave, Phase, Register, Taken
from hlomm.rundir import owned_file
from hlomm.settings.charge import Charge, encode_charge
from hlomm.settings.paths import StatePaths
from hlomm.venues.pacing import backoff_s

_log = structlog.get_logger("hlomm.guardian")

START_S: Final = 15.0
"""From the start of the process to its answer to our registration."""
KNOCK_EVERY_S: Final = 0.05
STABLE_S: Final = 60.0
"""A guardian that lived this long makes up for the failures before it."""
FAILURES_MAX: Final = 20
"""Failures in a row after which no other is started; the operator is told, and nothing is quoted."""
PAUSE_BASE_S: Final = 0.25
PAUSE_CAP_S: Final = 10.0
YIELDS: Final = 3
"""Before a beat: after a sleep of the whole machine the engine's timers, due as we are, have their turn first."""
GOODBYE_S: Final = 2.0
MAKE_ROOM_S: Final = 45.0
"""An earlier guardian gets that long to finish what it is at."""
ASK_S: Final = 2.0
SECRETS: Final = (
    "HL_OMM_AGENT_KEY", "HL_OMM_GUARDIAN_KEY", "HL_OMM_POLYMARKET_KEY", "HL_OMM_KALSHI_KEY", "HL_OMM_KEY_PASSWORD",
    "HL_OMM_ALERT_URLS",
)  # fmt: skip
"""Variables that no other process inherits."""


class Child(Protocol):
    """What is needed of a process; trio.Process is one."""

    @property
    def pid(self) -> int: ...

    def kill(self) -> None: ...

    async def wait(self) -> int: ...


Spawn = Callable[[Charge, StatePaths], Awaitable[Child]]


async def spawn(charge: Charge, paths: StatePaths) -> Child:
    """Start a guardian in a session of its own, so that neither Ctrl-C nor the end of the terminal reaches it."""
    # -P: what lies in the directory it is started from is no part of this program.
    command = [sys.executable, "-P", "-m", "hlomm.cli.main", "guardian", "--state-dir", str(paths.root)]
    environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
    with _errors_to(paths.guardian_errors) as errors:
        process = await trio.lowlevel.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,
            env=environment,
        )  # fmt: skip
    assert process.stdin is not None
    async with process.stdin as pipe:
        with contextlib.suppress(trio.BrokenResourceError):  # it died at once: noticed like any other end
            await pipe.send_all(encode_charge(charge))
    return process


def _errors_to(path: Path) -> contextlib.AbstractContextManager[TextIO | int]:
    """Where it prints; nowhere if the disk will not take a file, because it must start all the same."""
    try:
        return path.open("a", encoding="utf-8")
    except OSError:
        return contextlib.nullcontext(subprocess.DEVNULL)


async def make_room(paths: StatePaths) -> None:
    """See an earlier run's guardian out, once it has finished: two that act on one account are one too many."""
    deadline_s = trio.current_time() + MAKE_ROOM_S
    told = False
    while trio.current_time() < deadline_s:
        try:
            link = await connect(paths.guardian_socket)
            if link is None:
                return
            try:
                await link.ask(Leave(id=1), ASK_S)
            finally:
                with trio.move_on_after(1, shield=True):
                    await link.aclose()
        except GuardianGone as gone:
            _log.info("earlier guardian", answer=str(gone))
        if not told:
            told = True
            _log.warning("an earlier run's guardian is still at work: waiting for it to finish")
        await trio.sleep(0.2)
    raise AnotherInstance(
        f"the guardian of an earlier run still holds {paths.guardian_socket} after {MAKE_ROOM_S:g} s — "
        f"see {paths.guardian_log} for what it does"
    )


@attrs.define(eq=False)
class GuardianKeeper:
    """Sees to it that a guardian watches, and knows when none does."""

    charge: Charge
    paths: StatePaths
    account: str
    _spawn: Spawn = spawn
    on_start: Callable[[int], None] = attrs.field(default=lambda _pid: None)
    """Told of every process that was started."""
    epoch_ms: int = 0
    failures: int = 0
    lives: int = 0
    reason: str = "it is starting"
    """Why none watches, empty while one does."""
    _link: GuardianLink | None = None
    _child: Child | None = None
    _answered_s: float | None = None
    _leaving: bool = False

    async def keep(self, pump: Pump, beats: Beats) -> None:
        """One life after another, until cancelled."""
        while True:
            began_s = trio.current_time()
            self.lives += 1
            why = await self._live(pump, beats)
            if self._leaving:
                return
            self.reason = why
            self.failures = 0 if trio.current_time() - began_s >= STABLE_S else self.failures + 1
            given_up = self.failures > FAILURES_MAX
            if given_up:
                self.reason = f"{FAILURES_MAX} in a row failed, the last: {why} — restart the daemon"
            _log.critical("guardian_down", reason=self.reason, failures=self.failures)
            pump([GuardianDown(self.reason)], 0)
            if given_up:
                return
            pause = backoff_s(max(self.failures - 1, 0), base_s=PAUSE_BASE_S, cap_s=PAUSE_CAP_S, jitter=0.5)
            await trio.sleep(pause)

    async def part(self, reason: str, *, clean: bool) -> None:
        """Say goodbye: nothing is left to guard (`clean`), or it is to go on where this process could not.

        After a clean end a guardian that does not take the word is ended, so that it cannot act on our silence.
        """
        self._leaving = True
        with trio.move_on_after(GOODBYE_S, shield=True):
            if self._link is not None and self._child is not None:
                try:
                    await self._link.ask(Goodbye(reason=reason, clean=clean), GOODBYE_S / 2)
                    if clean:
                        await self._child.wait()
                except GuardianGone as gone:
                    _log.warning("guardian did not hear the goodbye", reason=str(gone))
                else:
                    return
        if clean:
            self.end()
            try:
                owned_file.clear(self.paths.owned)
            except OSError as error:
                _log.warning("marker_stays", error=str(error), next="nothing: the account is safe, the next run looks")

    def end(self) -> None:
        """Kill the process, if there is one."""
        if self._child is not None:
            self._child.kill()

    def row(self) -> GuardianRow:
        age_s = None if self._answered_s is None else trio.current_time() - self._answered_s
        return GuardianRow(
            state="down" if self.reason else "up", reason=self.reason,
            pid=None if self._child is None else self._child.pid, answer_age_s=age_s, restarts=max(self.lives - 1, 0),
        )  # fmt: skip

    # -- one life

    async def _live(self, pump: Pump, beats: Beats) -> str:
        """From the start of a process to the reason why it is not good enough any more."""
        try:
            self._child = await self._spawn(self.charge, self.paths)
        except OSError as error:
            return f"cannot be started: {error.strerror or error}"
        self.on_start(self._child.pid)
        why = "it ended"
        try:
            async with trio.open_nursery() as nursery:

                async def notice_end(child: Child) -> None:
                    nonlocal why
                    why = f"the process ended with code {await child.wait()}: see {self.paths.guardian_errors}"
                    nursery.cancel_scope.cancel(reason="the guardian ended")

                nursery.start_soon(notice_end, self._child)
                why = await self._watched(pump, beats)
                nursery.cancel_scope.cancel(reason="not good enough")
            if not self._leaving:
                self._child.kill()
                with trio.move_on_after(ASK_S, shield=True):
                    await self._child.wait()
        finally:
            link, self._link = self._link, None
            if link is not None:
                with trio.move_on_after(1, shield=True):
                    await link.aclose()
        return why

    async def _watched(self, pump: Pump, beats: Beats) -> str:
        """Register and beat; why that came to an end."""
        dead_s = self.charge.rules.dead_s
        try:
            with trio.move_on_after(START_S):
                self._link = await self._knock()
                await self._link.ask(
                    Register(
                        pid=self.charge.pid, started=self.charge.started, epoch_ms=self.epoch_ms, account=self.account
                    ),
                    START_S,
                )  # fmt: skip
                self._up(pump)
            if self.reason or self._link is None:
                return f"not ready in {START_S:g} s: see {self.paths.guardian_errors}"
            while True:
                began_s = trio.current_time()
                for _ in range(YIELDS):
                    await trio.lowlevel.checkpoint()
                answer = await self._link.ask(beats.next(), dead_s)
                self._answered_s = trio.current_time()
                if not isinstance(answer, Taken) or answer.phase not in (Phase.WATCHING, Phase.WARNED):
                    return f"it answers a beat with {answer}"
                await trio.sleep(max(began_s + self.charge.rules.beat_s - trio.current_time(), 0.0))
        except GuardianGone as gone:
            return str(gone)

    async def _knock(self) -> GuardianLink:
        """Wait for it to listen. Bounded by the caller."""
        while True:
            link = await connect(self.paths.guardian_socket)
            if link is not None:
                return link
            await trio.sleep(KNOCK_EVERY_S)

    def _up(self, pump: Pump) -> None:
        self._answered_s = trio.current_time()
        self.reason = ""
        _log.info("guardian_up", pid=None if self._child is None else self._child.pid, lives=self.lives)
        pump([GuardianUp()], 0)
