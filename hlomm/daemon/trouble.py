"""What ended a run that nobody asked to end; what follows for the next run, the guardian and those who look in."""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.daemon.halt_note import HaltNoteKeeper
from hlomm.daemon.pump import Pump
from hlomm.domain.exits import ExitCode

_CHARS: Final = 1_000
_CHARS_SHOWN: Final = 200


@attrs.define(eq=False)
class Trouble:
    """Filled in as it comes."""

    pump: Pump
    unattended: bool
    """An earlier run never said goodbye: where a venue refuses us, its orders may rest."""
    refused: str | None = None
    """A venue's words."""
    crash: BaseException | None = None
    """Of the trading, not of the engine."""

    @property
    def broken(self) -> BaseException | None:
        """A fault of ours."""
        return self.pump.fault if self.pump.fault is not None else self.crash

    @property
    def strands(self) -> bool:
        """Whether orders may rest at a venue that no longer knows us: a guardian with a key of its own may be known."""
        return self.refused is not None and self.unattended

    def keep(self, note: HaltNoteKeeper, wall_ms: int) -> None:
        """What broke this run may break the next: that one is HALTED until somebody has looked."""
        if self.broken is not None:
            note.keep_first(f"fault: {self.broken!r}"[:_CHARS], wall_ms)

    def told(self) -> str:
        """What the engine cannot say of itself: it turns no more, and its figures are from before that."""
        what = self.refused if self.broken is None else repr(self.broken)
        if not what:
            return ""
        return f"{what[:_CHARS_SHOWN]}: the account is swept without the engine, figures are from before"

    def exit_code(self, *, unrecorded: bool, halted: bool, resting: int | None) -> ExitCode:
        """`unrecorded`: records of what was done may be missing. `halted`: it was when it was told to end.

        `resting`: orders of ours that are left, None where a venue has not said. Neither is a clean end.
        """
        if self.refused is not None:
            return ExitCode.REFUSED
        if self.broken is not None or unrecorded:
            return ExitCode.FAULT
        if halted:
            return ExitCode.HALTED
        return ExitCode.CLEAN if resting == 0 else ExitCode.REFUSED
