"""The recorder as a process: watchers write down what they hear, spools are packed as they close.

Packing is done by a process of its own, because a busy interpreter would stamp frames late. It is started for what an
earlier run left behind, after every rotation, and at the end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import structlog
import trio

from hlomm import __version__
from hlomm.domain.faults import UsageError
from hlomm.domain.inputs import (
    Input,
    MarketDelisted,
    MarketListed,
    MarketSettled,
    SessionDown,
    SessionUp,
)
from hlomm.domain.times import Now
from hlomm.research.record.writer import RecordingEnds, Writer
from hlomm.research.store.schema import GAP, SCHEMA, START, STOP
from hlomm.research.store.spool import FOLDER
from hlomm.venues.clock import Clock
from hlomm.venues.watching import Watcher

FLUSH_EVERY_S: Final = 0.25
SYNC_EVERY_S: Final = 2.0
JITTER_NS: Final = 10_000_000
PACK_WITHIN_S: Final = 600.0

_log = structlog.get_logger("hlomm.record")


@attrs.define(eq=False)
class Stamps:
    """Receive times, in venue time.

    The two host clocks are read one after the other: where that makes a wall time step back, the last one is kept.
    A real step of the clock is written down as it was.
    """

    clock: Clock
    _last_ns: int = 0

    def now(self) -> Now:
        return self.at(self.clock.read().mono_ns)

    def at(self, mono_ns: int) -> Now:
        """Both clocks at a reading of the host's monotonic one."""
        host = self.clock.read()
        wall_ns = self.clock.map.venue_ns(host.wall_ns - (host.mono_ns - mono_ns))
        if 0 < self._last_ns - wall_ns < JITTER_NS:
            wall_ns = self._last_ns
        self._last_ns = wall_ns
        return Now(self.clock.map.venue_elapsed_ns(mono_ns), wall_ns)


@attrs.define(eq=False)
class Ear:
    """Listens to one venue: raw messages from its transport, inputs from its watcher."""

    venue: str
    writer: Writer
    stamps: Stamps
    followed: dict[str, None] = attrs.field(factory=dict)
    gaps: int = 0
    ended: RecordingEnds | None = None
    """Why nothing more is written."""
    _frame: int | None = None
    _at: Now | None = None
    """When the message under way was read."""
    _last: Now | None = None
    """When anything was heard: of a venue that pushes, by its sockets; what is asked for beside them is no news."""
    _pushes: bool = False
    _down: tuple[Now, str] | None = None
    _missed: dict[str, None] = attrs.field(factory=dict)
    """What was followed when it went deaf: it may end before anything is heard again."""

    def message(self, connection: int, path: str, data: bytes, received_ns: int) -> None:
        self._at = self._last = self.stamps.at(received_ns)
        self._pushes = True
        self._frame = self._write_frame(self._at, connection, path, data, None)

    def heard(self) -> None:
        self._frame = self._at = None

    def answer(self, channel: str, request: bytes, data: bytes) -> None:
        now = self.stamps.now()
        if not self._pushes:
            self._last = now
        self._write_frame(now, 0, channel, data, request)

    def sink(self, items: Sequence[Input], received_ns: int) -> None:
        """Inputs of the watcher. See `hlomm.venues.protocol.Sink`."""
        now = self._at if self._at is not None else self.stamps.at(received_ns)
        for item in items:
            self._follow(item, now)
            self._write(self.writer.event, now, self.venue, item, self._frame)

    def write(self, kind: str, detail: str) -> None:
        """A row of the recorder's own about the whole venue."""
        self._write(self.writer.own, self.stamps.now(), self.venue, "", kind, detail)

    def _follow(self, item: Input, now: Now) -> None:
        match item:
            case MarketListed():
                self.followed[item.market.id] = None
            case MarketSettled() | MarketDelisted():
                self.followed.pop(item.market, None)
            case SessionDown(reason=reason):
                # Deaf since the last thing heard, not since that was noticed.
                self._down = (now if self._last is None else self._last, reason)
                self._missed |= self.followed
            case SessionUp() if self._down is not None:
                since, reason = self._down
                self._down = None
                self.gaps += 1
                detail = json.dumps({"from_ns": since.wall_ns, "reason": reason})
                for name in ("", *(self._missed | self.followed)):
                    self._write(self.writer.own, now, self.venue, name, GAP, detail)
                self._missed.clear()
            case _:
                pass

    def _write_frame(self, now: Now, connection: int, channel: str, data: bytes, request: bytes | None) -> int | None:
        seq: int | None = self._write(self.writer.frame, now, self.venue, connection, channel, data, request)
        return seq

    def _write(self, write: Any, *row: Any) -> Any:
        """A row, unless nothing can be written any more: that ends the recording, but not inside a socket's reader."""
        if self.ended is None:
            try:
                return write(*row)
            except RecordingEnds as error:
                self.ended = error
        return None


@attrs.frozen(kw_only=True)
class Report:
    """What a run recorded."""

    root: Path
    run: int
    rows: int
    frames: int
    bytes: int
    stored_bytes: int
    gaps: int
    stopped: str
    complete: bool
    """Ended because it was told to."""
    counters: dict[str, dict[str, int]]

    def document(self) -> dict[str, Any]:
        return {**attrs.asdict(self), "root": str(self.root)}


@attrs.define(eq=False)
class Recorder:
    """One run."""

    writer: Writer
    ears: Sequence[tuple[Ear, Watcher]]
    _packing: trio.Event = attrs.field(factory=trio.Event)
    _stopped: str = ""

    async def run(self, duration_s: float | None) -> Report:
        """Record for so many host seconds, or until cancelled; everything is packed when it returns."""
        writer = self.writer
        if writer.budget is not None and writer.stored >= writer.budget:
            raise UsageError(
                f"{writer.root} holds {writer.stored} bytes already, and --disk-max allows {writer.budget}:"
                " allow more, or move some away"
            )
        writer.on_rotated = lambda _path: self._packing.set()
        self._packing.set()  # what an earlier run left behind
        ended: RecordingEnds | None = None
        try:
            ended = await self._record(duration_s)
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + PACK_WITHIN_S):
                await self._finish(ended)
        return self._report(ended)

    async def _record(self, duration_s: float | None) -> RecordingEnds | None:
        """Record until the time is over, a signal comes, or nothing more can be written: then why."""
        ended: RecordingEnds | None = None
        with trio.move_on_after(float("inf") if duration_s is None else duration_s) as span:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pack_when_asked)
                nursery.start_soon(self._stop_on_signal, span)
                for ear, watcher in self.ears:
                    ear.write(START, json.dumps({"version": __version__, "schema": SCHEMA}))
                    nursery.start_soon(watcher.run, ear.sink)
                ended = await self._keep_writing()
                nursery.cancel_scope.cancel(reason="nothing more can be written")
        self._stopped = self._stopped or f"recorded for {duration_s or 0:g} s"
        return ended

    async def _stop_on_signal(self, span: trio.CancelScope) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for number in signals:
                self._stopped = signal.Signals(number).name
                span.cancel(reason=self._stopped)

    async def _keep_writing(self) -> RecordingEnds:
        """Append what was put aside, and sync it, until that cannot be done: then why."""
        synced = trio.current_time()
        while True:
            await trio.sleep(FLUSH_EVERY_S)
            try:
                self.writer.flush()
                if trio.current_time() - synced >= SYNC_EVERY_S:
                    synced = trio.current_time()
                    await trio.to_thread.run_sync(self.writer.sync)
            except RecordingEnds as error:
                return error
            except OSError as error:
                return RecordingEnds(f"{self.writer.root}: {error.strerror or error} — the disk does not keep it")
            for ear, _ in self.ears:
                if ear.ended is not None:
                    return ear.ended

    async def _finish(self, ended: RecordingEnds | None) -> None:
        self.writer.budget = None  # the last word is small, and room was kept for more
        reason = json.dumps({"reason": self._stopped or "interrupted" if ended is None else str(ended)})
        try:
            for ear, _ in self.ears:
                self.writer.own(ear.stamps.now(), ear.venue, "", STOP, reason)
            self.writer.close()
        except RecordingEnds as error:
            _log.warning("the last rows were not written", reason=str(error))
        await pack_apart(self.writer.root)

    # -- packing

    async def _pack_when_asked(self) -> None:
        while True:
            await self._packing.wait()
            self._packing = trio.Event()
            writer = self.writer
            await pack_apart(writer.root)
            walked, stored, unpacked = -1, 0, 0
            # Beside the loop; anew where a spool closed meanwhile: it would be counted twice, or not at all.
            while walked != writer.spools:
                walked = writer.spools
                stored = await trio.to_thread.run_sync(size_of, writer.root, writer.open_path)
                unpacked = await trio.to_thread.run_sync(size_of, writer.root / FOLDER, writer.open_path)
            writer.stored, writer.unpacked = stored, unpacked

    def _report(self, ended: RecordingEnds | None) -> Report:
        writer = self.writer
        return Report(
            root=writer.root, run=writer.run, rows=writer.rows, frames=writer.frames, bytes=writer.appended,
            stored_bytes=size_of(writer.root), gaps=sum(ear.gaps for ear, _ in self.ears),
            stopped=str(ended) if ended is not None else self._stopped, complete=ended is None,
            counters={str(watcher.venue): dict(watcher.counters.counts) for _, watcher in self.ears},
        )  # fmt: skip


async def pack_apart(root: Path) -> None:
    """Pack what lies complete, in another process. What cannot be packed stays as spools, and can be read there."""
    command = [sys.executable, "-P", "-m", "hlomm.research.store.packing", str(root)]
    with trio.move_on_after(PACK_WITHIN_S) as patience:
        # In a session of its own: Ctrl-C ends the recording, and is no reason to leave the packing half done.
        done = await trio.run_process(
            command, check=False, stdin=subprocess.DEVNULL, capture_stderr=True, start_new_session=True
        )
        if done.returncode:
            _log.warning("spools were not packed", said=done.stderr.decode(errors="replace")[-500:].strip())
    if patience.cancelled_caught:
        _log.warning("packing took too long", seconds=PACK_WITHIN_S)


def size_of(root: Path, but: Path | None = None) -> int:
    """Bytes of all files of a store, `but` one."""
    total = 0
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder) / name
            try:
                total += 0 if path == but else path.stat().st_size
            except FileNotFoundError:
                continue  # packed meanwhile
    return total
