"""The note on disk that survives a restart, brought to what the engine's halt says it should be."""

from __future__ import annotations

from pathlib import Path

import structlog

from hlomm.rundir import halt_file

_log = structlog.get_logger("hlomm")


class HaltNoteKeeper:
    """Writes and clears the note. A disk that refuses is tried again, and ends nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wanted: halt_file.HaltNote | None = None
        self._due = False
        """The disk refused the note, or its removal."""

    def read(self) -> halt_file.HaltNote | None:
        """What an earlier run, or the guardian, has left. ConfigError if it cannot be read."""
        note = halt_file.read(self._path)
        if note is not None:
            _log.warning("halted", reason=note.reason, next="`hlomm resume` to quote again")
        return note

    def keep(self, reason: str, since_ms: int) -> None:
        self._wanted = halt_file.HaltNote(reason, since_ms)
        self._bring()

    def keep_first(self, reason: str, since_ms: int) -> None:
        """The same, unless one stands or waits for the disk: why it halted first is what people look into."""
        if self._wanted is None and (self._due or not self._stands()):  # due: what stands is to go, and would
            self.keep(reason, since_ms)

    def _stands(self) -> bool:
        """A disk that does not say has none: what comes after this at the end of a run is the sweep."""
        try:
            return self._path.exists()
        except OSError:
            return False

    def clear(self) -> None:
        self._wanted = None
        self._bring()

    def retry(self) -> None:
        """Once more if the disk refused."""
        if self._due:
            self._bring()

    def _bring(self) -> None:
        try:
            if self._wanted is None:
                halt_file.clear(self._path)
            else:
                halt_file.write(self._path, self._wanted)
        except OSError as error:
            self._due = True
            _log.critical("halt_note_failed", error=str(error), next="free the disk: it is tried again every second")
        else:
            self._due = False
