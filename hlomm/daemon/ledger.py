"""Keeps the ledger and the audit chain while the daemon trades, without ever holding it up.

The pump hands every written record to `tap`, which only queues it. Once a second a thread chains the operator's
commands and folds the rest into SQLite. A ledger that cannot be written (locked, disk full, damaged) costs one alert:
trading goes on, the queue is dropped when it is full, and the journal, which has everything, is read later.
"""

from __future__ import annotations

import contextlib
import copy
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import structlog
import trio

from hlomm.daemon.audit_tail import AuditTail
from hlomm.daemon.ledger_fold import Hole
from hlomm.daemon.ledger_sieve import Passed, Sifted, sift
from hlomm.daemon.ledger_store import Store, action_of, damaged, move_aside
from hlomm.domain.audit import Action, Link
from hlomm.domain.inputs import OperatorCommand
from hlomm.domain.latency_rows import QueueRow
from hlomm.domain.outputs import Alert, AlertLevel
from hlomm.domain.report import AuditRow
from hlomm.journal.codec import Record
from hlomm.journal.commands import Commands
from hlomm.rundir.audit_file import AuditFile
from hlomm.settings.paths import StatePaths

_log = structlog.get_logger("hlomm.ledger")

QUEUE_LIMIT: Final = 20_000
"""Turns waiting for the thread; those that say nothing wait as one."""
BATCH_LIMIT: Final = 50_000
"""Records kept for a ledger that cannot be written just now; beyond that they are read from the journal."""
ACTIONS_LIMIT: Final = 1_000
"""Operator actions waiting for a disk that takes them."""
LINKS_SHOWN: Final = 50
"""Last links of the chain that the daemon shows."""
EVERY_S: Final = 1.0
RETRY_S: Final = 30.0
"""Between two tries at a ledger that failed."""
LAST_ROUND_S: Final = 5.0
"""For the last records of a run; what is not written then is folded by the next one."""
CATCH_UP_PAUSE_S: Final = 0.02
"""Between two chunks of an old journal: trading has the processor first."""


class Ledger:
    def __init__(self, paths: StatePaths, epoch: int, alert: Callable[[Alert], None]) -> None:
        self._path = paths.ledger
        self._journal = paths.journal
        self._audit = AuditFile(paths.audit)
        self.audit_tail = AuditTail(paths.audit)
        self._epoch = epoch
        self._alert = alert
        self._queue: deque[Sequence[Sifted]] = deque()
        self._batch: list[tuple[int, Sifted]] = []
        """Taken from the queue and not yet folded."""
        self._commands = Commands()
        self._heard = 0
        """Number of the last record that was searched for commands."""
        self._unchained: deque[Action] = deque(maxlen=ACTIONS_LIMIT)
        self._unmirrored: deque[Link] = deque(maxlen=ACTIONS_LIMIT)
        self._shown: deque[Link] = deque(maxlen=LINKS_SHOWN)
        self._store: Store | None = None
        self._behind = True
        """The journal may have records that are neither in the ledger nor in the queue."""
        self._failing: set[str] = set()
        self._next_try = 0.0
        """When a ledger that failed is tried again."""
        self._renewed = False
        self._one = trio.CapacityLimiter(1)
        self.folded = 0
        self.dropped = 0
        """Turns not queued because the queue was full: read from the journal later."""
        self._peak = 0
        self.failures = 0
        self.late = 0
        """Operator actions chained from the journal because the run that took them could not."""

    # -- from the pump and the link: nothing here waits

    def tap(self, records: Sequence[Record]) -> None:
        """Records that were just written, in order."""
        kept = sift(records)
        first, last = kept[0], self._queue[-1][-1] if self._queue else None
        if len(kept) == 1 and type(first) is Passed and type(last) is Passed and first.first == last.seq + 1:
            last.seq = first.seq
        elif len(self._queue) < QUEUE_LIMIT:
            self._queue.append(kept)
            self._peak = max(self._peak, len(self._queue))
        else:
            self._behind = True
            self.dropped += 1

    def queue_row(self) -> QueueRow:
        return QueueRow(name="ledger", peak=self._peak, limit=QUEUE_LIMIT, lost=self.dropped)

    def unrecorded(self, command: OperatorCommand, at_ms: int, result: str) -> None:
        """An operator's action that no journal record tells of: it is chained all the same."""
        self._unchained.append(
            Action(
                at_ms=at_ms, epoch=None, seq=None, action=command.action.value, who=command.actor,
                reason=command.reason, target=command.target, result=result,
            )
        )  # fmt: skip

    def audited(self) -> tuple[AuditRow, ...]:
        """The end of the chain, as far as it is on disk."""
        return tuple(
            AuditRow(
                n=link.n, at_ms=act.at_ms, action=act.action, who=act.who, reason=act.reason, target=act.target,
                result=act.result,
            )
            for link in tuple(self._shown) for act in (link.action,)
        )  # fmt: skip

    def document(self) -> dict[str, Any]:
        return {
            "folded": self.folded, "behind": self._behind, "dropped": self.dropped,
            "failures": self.failures, "unchained": len(self._unchained), "late": self.late,
        }  # fmt: skip

    def cash(self, account: str) -> int | None:
        """Collateral of an account as the file last had it; None where there is no such figure, or no file to read."""
        try:
            with closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
                row = connection.execute(
                    "SELECT cash FROM pnl WHERE account = ? ORDER BY epoch DESC, seq DESC LIMIT 1", (account,)
                ).fetchone()
        except sqlite3.Error:
            return None
        return None if row is None else int(row[0])

    # -- the task

    async def keep(self) -> None:
        """Until cancelled; then once more for the last records, within a bound."""
        try:
            while True:
                await self._round()
                await trio.sleep(EVERY_S)
        finally:
            with trio.move_on_after(LAST_ROUND_S, shield=True) as patience:
                await self._round()
                await self._in_thread(self._close)
            if patience.cancelled_caught:
                _log.warning("ledger_unfinished", next="the next run folds the rest from the journal")

    async def _round(self) -> None:
        self._batch += [(self._epoch, record) for _ in range(len(self._queue)) for record in self._queue.popleft()]
        await self._chain_commands()
        if len(self._batch) > BATCH_LIMIT:
            self._batch.clear()
            self._behind = True
        if trio.current_time() < self._next_try:
            return
        try:
            if self._behind or self._store is None:
                await self._catch_up()
            if self._batch:
                self.folded += await self._in_thread(self._fold)
            self._recovered("ledger")
        except (sqlite3.Error, OSError, Hole) as error:
            await self._ledger_failed(error)
        except Exception as error:  # noqa: BLE001 - the ledger is a convenience: no fault in it may end the trading
            await self._ledger_failed(error)

    async def _catch_up(self) -> None:
        """Read from the journal what is missing. What is written meanwhile is queued: nothing falls in between."""
        dropped = self.dropped
        store = self._store
        if store is None:
            store = self._store = await self._in_thread(Store, self._path, self._journal, self._audit)
            if store.moved_aside is not None:
                self._say("ledger_damaged", f"{self._path.name} was no ledger: kept as {store.moved_aside.name}")
        chunks = store.catch_up()
        while (folded := await self._in_thread(next, chunks, None)) is not None:
            self.folded += folded
            await trio.sleep(CATCH_UP_PAUSE_S)
        epoch, seq = store.fold.position
        if epoch == self._epoch and seq > self._heard:
            self._heard, self._commands = seq, copy.copy(store.fold.commands)
        self.late += await self._in_thread(store.complete_audit)
        self._behind = self.dropped != dropped

    async def _ledger_failed(self, error: Exception) -> None:
        self.failures += 1
        self._next_try = trio.current_time() + RETRY_S
        if isinstance(error, Hole):
            self._behind = True
        if damaged(error) and not self._renewed and await self._replaced(error):
            return
        self._failed("ledger", f"{self._path.name} cannot be written ({error!r}): trading goes on, it is built later")

    async def _replaced(self, error: Exception) -> bool:
        """Put a damaged ledger aside for a new one; False where the disk does not even allow that now."""
        self._behind = True
        try:
            kept = await self._in_thread(self._put_aside)
        except OSError:
            return False
        self._renewed, self._next_try = True, 0.0
        self._say("ledger_damaged", f"{self._path.name} is damaged ({error}): kept as {kept.name}, built again")
        return True

    async def _chain_commands(self) -> None:
        try:
            await self._in_thread(self._chain)
        except OSError as error:
            self.failures += 1
            self._failed("audit", f"operator actions cannot be put on record ({error}): they wait for the disk")
        else:
            self._recovered("audit")

    async def _in_thread(self, work: Callable[..., Any], *args: Any) -> Any:
        return await trio.to_thread.run_sync(work, *args, abandon_on_cancel=True, limiter=self._one)

    # -- in the thread, one at a time

    def _chain(self) -> None:
        if not self._shown:
            self._shown.extend(self._audit.read().links[-LINKS_SHOWN:])
        for epoch, record in self._batch:
            if record.seq <= self._heard:
                continue
            self._heard = record.seq
            if isinstance(record, Passed):
                continue
            told = self._commands.feed(epoch, record)
            if told is not None:
                self._unchained.append(action_of(told))
        waiting = tuple(self._unchained)
        if waiting:
            links = self._audit.append(waiting)
            self._unmirrored.extend(links)
            self._shown.extend(links)
            for _ in waiting:
                self._unchained.popleft()
        with contextlib.suppress(OSError):  # of what terminals are shown; that actions go on record does not hang on it
            self.audit_tail.look()

    def _fold(self) -> int:
        assert self._store is not None
        count = len(self._batch)  # more may be added meanwhile
        folded = self._store.apply(self._batch[:count])
        del self._batch[:count]
        if self._unmirrored:
            self._store.mirror(self._unmirrored)
            self._unmirrored.clear()
        return folded

    def _put_aside(self) -> Path:
        self._close()
        return move_aside(self._path)

    def _close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    # -- telling

    def _failed(self, what: str, text: str) -> None:
        if what not in self._failing:
            self._failing.add(what)
            self._say(f"{what}_failed", text)

    def _recovered(self, what: str) -> None:
        if what in self._failing:
            self._failing.discard(what)
            _log.info(f"{what}_recovered")

    def _say(self, code: str, text: str) -> None:
        self._alert(Alert(level=AlertLevel.WARNING, code=code, text=f"{text} - hlomm doctor tells more"))
