"""What whoever watches is told beside the snapshots: settings once, log lines and operator actions as they come."""

from __future__ import annotations

import msgspec

from hlomm.daemon.audit_tail import AuditTail
from hlomm.daemon.log_ring import LogRing
from hlomm.domain.desk_rows import ChainRow, SettingRow
from hlomm.domain.look_rows import LookRow
from hlomm.link.protocol import EncodedUpdate


class Feed:
    def __init__(self, settings: tuple[SettingRow, ...], log: LogRing, audit: AuditTail) -> None:
        self.settings = settings
        self.log = log
        self.audit = audit


class Reader:
    """How far one watcher has been told."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._settings = feed.settings
        self._log_n = 0
        self._audit_n = 0
        self._chain: ChainRow | None = None

    def update(self, number: int, snapshot: msgspec.Raw, look: LookRow | None = None) -> EncodedUpdate:
        """The snapshot with everything that is new to this watcher, and the market that it looks at."""
        feed = self._feed
        log, audit, chain = feed.log.after(self._log_n), feed.audit.after(self._audit_n), feed.audit.chain
        update = EncodedUpdate(
            id=number, snapshot=snapshot, settings=self._settings, log=log, audit=audit,
            chain=None if chain == self._chain else chain, look=look,
        )  # fmt: skip
        self._settings, self._chain = (), chain
        if log:
            self._log_n = log[-1].n
        if audit:
            self._audit_n = audit[-1].n
        return update
