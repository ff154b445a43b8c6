"""What the daemon remembers for people: alerts, the PnL curve, latency; and the snapshot made of it all."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from hlomm import __version__
from hlomm.daemon.guardian_process import GuardianKeeper
from hlomm.daemon.log_ring import ALERTS
from hlomm.daemon.pump import INBOX_LIMIT, Pump
from hlomm.domain.edge_rows import EdgeReport
from hlomm.domain.ids import VenueId
from hlomm.domain.latency_rows import QueueRow
from hlomm.domain.outputs import Alert, AlertLevel
from hlomm.domain.report import AlertRow, AuditRow, GuardianRow, Snapshot, VenueRow
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Cash
from hlomm.engine import edges
from hlomm.engine.budgets import NS_PER_MIN
from hlomm.engine.report import pnl, report
from hlomm.engine.stakes import Stakes
from hlomm.venues.protocol import VenueSession

_log = structlog.get_logger(ALERTS)

ALERTS_KEPT: Final = 200
CURVE_POINTS: Final = 240
EDGES_NS: Final = NS_PER_S
"""Host time for which a picture of the links is good enough; a terminal asks four times a second."""


class Monitor:
    def __init__(
        self, pump: Pump, sessions: Mapping[VenueId, VenueSession], *, profile: str, armed: Cash,
        guardian: GuardianKeeper | None = None, fill_model: str = "", cpus: tuple[int, ...] = (),
    ) -> None:  # fmt: skip
        self._guardian = guardian
        self._pump = pump
        self._sessions = sessions
        self._profile = profile
        self._armed = armed
        self._fill_model = fill_model
        self._cpus = cpus
        self.audited: Callable[[], tuple[AuditRow, ...]] = tuple
        """The end of the audit chain, as whoever keeps it knows it."""
        self.queues: list[Callable[[], QueueRow]] = []
        """Those of others that are worth showing."""
        self._started_ns = pump.clock.now().mono_ns
        self.alerts: deque[AlertRow] = deque(maxlen=ALERTS_KEPT)
        self.alert_counts: dict[str, int] = {}
        self._curve: list[tuple[int, Cash]] = []
        self._curve_step = 1
        self._curve_skipped = 0
        self._stakes = Stakes(pump.engine.state)
        self._edges = EdgeReport()
        self._edges_ns = -EDGES_NS

    def alert(self, output: Alert) -> None:
        self.alerts.append(
            AlertRow(wall_ms=self._pump.clock.wall_ms(), level=output.level.value, code=output.code, text=output.text)
        )
        self.alert_counts[output.code] = self.alert_counts.get(output.code, 0) + 1
        write = {AlertLevel.INFO: _log.info, AlertLevel.WARNING: _log.warning, AlertLevel.CRITICAL: _log.critical}
        write[output.level](output.code, text=output.text)

    def sample_pnl(self) -> None:
        """One point of the curve; when it is full every second point is dropped and the step doubles."""
        self._curve_skipped += 1
        if self._curve_skipped < self._curve_step:
            return
        self._curve_skipped = 0
        self._curve.append((self._pump.clock.wall_ms(), pnl(self._pump.engine.state).total))
        if len(self._curve) >= CURVE_POINTS:
            self._curve = self._curve[::2]
            self._curve_step *= 2

    def _looked_at(self) -> EdgeReport:
        """What links would bring: it takes longer than the rest, so terminals share one that is young enough."""
        engine, now_ns = self._pump.engine, self._pump.clock.read().mono_ns
        if now_ns - self._edges_ns >= EDGES_NS:
            self._edges, self._edges_ns = edges.report(engine.state, engine.strategies), now_ns
        return self._edges

    def snapshot(self) -> Snapshot:
        engine = report(self._pump.engine.state, self._looked_at(), self._stakes)
        p50, p99 = self._pump.stages.turn_us()
        return Snapshot(
            profile=self._profile, version=__version__, pid=os.getpid(),
            uptime_s=(self._pump.clock.now().mono_ns - self._started_ns) / NS_PER_S, armed=self._armed, engine=engine,
            venues=tuple(self._venue_row(venue) for venue in self._sessions), alerts=tuple(self.alerts)[-50:],
            pnl_curve=tuple(self._curve), latency_p50_us=p50, latency_p99_us=p99,
            journal=str(self._pump.journal.path), journal_records=self._pump.journal.records,
            guardian=GuardianRow() if self._guardian is None else self._guardian.row(), audit=self.audited(),
            stages=self._pump.stages.rows(), queues=self._queues(), fill_model=self._fill_model,
            cpus=self._cpus,
        )  # fmt: skip

    def _queues(self) -> tuple[QueueRow, ...]:
        rows = [QueueRow(name="engine inbox", peak=self._pump.inbox_peak, limit=INBOX_LIMIT)]
        rows += [queue() for queue in self.queues]
        for venue, session in self._sessions.items():
            peak = session.statistics().counters.get("writer_queue_peak")
            if peak is not None:
                rows.append(QueueRow(name=f"{venue} writer", peak=peak))
        return tuple(rows)

    def _venue_row(self, venue: VenueId) -> VenueRow:
        stats = self._sessions[venue].statistics()
        budget = self._pump.engine.state.budgets.by_venue.get(venue)
        runway_ns = None if budget is None else budget.runway_ns()
        resting = sum(1 for order in self._pump.engine.state.orders.live() if order.market.startswith(f"{venue}:"))
        return VenueRow(
            venue=venue, session=stats.state, data_age_s=stats.data_age_s, open_orders=resting,
            ack_p50_ms=stats.ack_p50_ms, skew_ms=stats.skew_ms,
            budget_used=None if budget is None else budget.used, budget_cap=None if budget is None else budget.cap,
            budget_runway_min=None if runway_ns is None else runway_ns // NS_PER_MIN,
            budget_slow=(None if budget is None else budget.slow) or self._pump.engine.state.budgets.crowded(venue),
            reconnects=stats.reconnects, counters=stats.counters, fuse=stats.fuse,
        )  # fmt: skip
