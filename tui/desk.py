"""What the terminal was told beside the pictures: settings, log, operator actions. Bounded; no Textual, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from hlomm.domain.desk_rows import AuditRow, ChainRow, LogRow, SettingRow
from tui.client import Heard

LOG_KEPT: Final = 1000
AUDIT_KEPT: Final = 500


@dataclass
class Desk:
    settings: tuple[SettingRow, ...] = ()
    chain: ChainRow | None = None
    """None until the daemon has said how it stands."""
    _log: deque[LogRow] = field(default_factory=lambda: deque(maxlen=LOG_KEPT))
    _audit: deque[AuditRow] = field(default_factory=lambda: deque(maxlen=AUDIT_KEPT))
    _held: tuple[tuple[LogRow, ...], tuple[AuditRow, ...]] | None = None
    """Both as they were when the display was frozen."""

    def forget(self) -> None:
        """A new connection tells everything anew, and perhaps of another run."""
        self.settings, self.chain = (), None
        self._log.clear()
        self._audit.clear()

    def heard(self, news: Heard) -> None:
        if news.settings:
            self.settings = news.settings
        if news.chain is not None:
            self.chain = news.chain
        self._log.extend(news.log)
        self._audit.extend(news.audit)

    def freeze(self, *, frozen: bool) -> None:
        self._held = (tuple(self._log), tuple(self._audit)) if frozen else None

    @property
    def log(self) -> Sequence[LogRow]:
        """Oldest first."""
        return self._log if self._held is None else self._held[0]

    @property
    def audit(self) -> Sequence[AuditRow]:
        return self._audit if self._held is None else self._held[1]
