"""Operator commands in a run's records, each with what became of it.

A command is one record and the decision on it the next; what the operator was answered stands in that decision. The
same reading serves the audit chain while the daemon runs and the ledger whenever it is built again.
"""

from __future__ import annotations

import msgspec

from hlomm.domain.inputs import Booted, OperatorAction, OperatorCommand, StopRequested
from hlomm.domain.outputs import Alert, AlertLevel, HaltChanged, HaltState
from hlomm.journal.codec import FAULT_NOTE, InputRecord, NoteRecord, Record, TurnRecord

STOP = "stop"
_UNDECIDED = "no decision on record: the run ended first"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One command and its outcome."""

    epoch: int
    seq: int
    wall_ms: int
    action: str
    who: str
    reason: str
    target: str
    result: str = ""


class Commands(msgspec.Struct, kw_only=True):
    """Follows records in order; a value of its own, so that whoever stops can go on where he was."""

    epoch: int = 0
    state: str = HaltState.STARTING.value
    """Halt state of the run, as last announced."""
    waiting: Told | None = None

    def feed(self, epoch: int, record: Record) -> Told | None:
        """The command that this record settles, if it settles one."""
        if isinstance(record, InputRecord):
            return self._input(epoch, record)
        if isinstance(record, TurnRecord):
            return self._decided(record)
        if isinstance(record, NoteRecord) and record.text.startswith(FAULT_NOTE):
            return self._settle(record.text)
        return None

    def _input(self, epoch: int, record: InputRecord) -> Told | None:
        """Each input has its own decision: one that comes before it ends the wait of the last."""
        done = self._settle(_UNDECIDED) if self.waiting is not None else None
        if isinstance(record.item, (Booted, OperatorCommand, StopRequested)):
            self._take(epoch, record)
        return done

    def _take(self, epoch: int, record: InputRecord) -> None:
        item, wall_ms = record.item, record.now.wall_ms
        if isinstance(item, Booted):
            self.epoch, self.state = epoch, HaltState.STARTING.value
        elif isinstance(item, OperatorCommand):
            self.waiting = Told(
                epoch=epoch, seq=record.seq, wall_ms=wall_ms, action=item.action.value, who=item.actor,
                reason=item.reason, target=item.target,
            )  # fmt: skip
        elif isinstance(item, StopRequested):
            who = "signal" if item.reason.startswith("SIG") else "daemon"
            self.waiting = Told(
                epoch=epoch, seq=record.seq, wall_ms=wall_ms, action=STOP, who=who, reason=item.reason, target=""
            )

    def _decided(self, record: TurnRecord) -> Told | None:
        changes = [output for output in record.outputs if type(output) is HaltChanged]
        if changes:
            self.state = changes[-1].state.value
        if self.waiting is None:
            return None
        if changes:
            return self._settle(f"{self.state}: {changes[-1].reason}")
        alerts = [output for output in record.outputs if type(output) is Alert]
        if self.waiting.action == OperatorAction.TUNE.value:  # the same turn may say more, once it decides anew
            alerts = alerts[:1]
        said = [output.text for output in alerts]
        refused = any(output.level is not AlertLevel.INFO for output in alerts)
        word = "refused, still " if refused else ""
        return self._settle(f"{word}{self.state}" + (f": {said[-1]}" if said else ""))

    def _settle(self, result: str) -> Told | None:
        waiting, self.waiting = self.waiting, None
        return None if waiting is None else msgspec.structs.replace(waiting, result=result)
