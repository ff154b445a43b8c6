"""The end of the chain of operator actions, as it stands on disk, kept for terminals.

The file is read again only when it changed, in the ledger's thread: others append to it as well (a guardian that acts).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hlomm.domain.audit import Link
from hlomm.domain.desk_rows import AuditRow, ChainRow
from hlomm.rundir.audit_file import AuditFile

KEPT: Final = 200


class AuditTail:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        """Size and time of the file at the last look."""
        self.rows: tuple[AuditRow, ...] = ()
        self.chain: ChainRow | None = None
        """None until it has been read."""

    def look(self) -> None:
        """Blocking; OSError where the file cannot be read."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            seen = (0, 0)
        else:
            seen = (stat.st_size, stat.st_mtime_ns)
        if seen == self._seen:
            return
        chain = AuditFile(self._path).read()
        self._seen = seen
        self.rows = tuple(_row(link) for link in chain.links[-KEPT:])
        self.chain = ChainRow(links=len(chain.links), broken=chain.broken or "")

    def after(self, n: int) -> tuple[AuditRow, ...]:
        """Links beyond that number, oldest first, as far as they are kept."""
        rows = self.rows
        return tuple(row for row in rows if row.n > n) if rows and rows[-1].n > n else ()


def _row(link: Link) -> AuditRow:
    act = link.action
    return AuditRow(
        n=link.n, at_ms=act.at_ms, action=act.action, who=act.who, reason=act.reason, target=act.target,
        result=act.result, late=act.late,
    )  # fmt: skip
