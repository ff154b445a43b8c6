"""In one word how a daemon is, and every reason."""

from __future__ import annotations

from enum import StrEnum

import attrs

from hlomm.domain.outputs import HaltState
from hlomm.domain.report import Snapshot
from hlomm.venues.life import LIVE


class Health(StrEnum):
    READY = "ready"
    """It trades as configured."""
    DEGRADED = "degraded"
    """It trades, but not as it should."""
    STARTING = "starting"
    HALTED = "halted"
    """It lives and trades nothing new, until an operator resumes."""
    STOPPING = "stopping"
    DOWN = "down"
    """Nobody answers."""


@attrs.frozen
class Verdict:
    health: Health
    reasons: tuple[str, ...] = ()

    @property
    def alive(self) -> bool:
        """Whether a restart would help nobody. A halted daemon lives: it came to that on purpose and keeps it."""
        return self.health is not Health.DOWN

    @property
    def ready(self) -> bool:
        return self.health in (Health.READY, Health.DEGRADED)


_BY_STATE = {
    HaltState.STARTING: Health.STARTING, HaltState.FLATTENING: Health.HALTED, HaltState.HALTED: Health.HALTED,
    HaltState.STOPPING: Health.STOPPING, HaltState.STOPPED: Health.STOPPING,
}  # fmt: skip


def judge(snapshot: Snapshot) -> Verdict:
    engine = snapshot.engine
    found = _BY_STATE.get(HaltState(engine.state))
    reasons = _complaints(snapshot)
    if found is not None:
        return Verdict(found, (engine.reason, *reasons) if engine.reason else reasons)
    return Verdict(Health.DEGRADED if reasons else Health.READY, reasons)


def _complaints(snapshot: Snapshot) -> tuple[str, ...]:
    engine = snapshot.engine
    found = [f"{row.venue}: session {row.session}" for row in snapshot.venues if row.session != LIVE]
    found += [f"{row.venue}: fuse {row.fuse}" for row in snapshot.venues if row.fuse.startswith("tripped")]
    found += [f"{row.venue}: quoting slowed ({row.budget_slow})" for row in snapshot.venues if row.budget_slow]
    if snapshot.guardian.state == "down":
        found.append(f"no guardian: {snapshot.guardian.reason}")
    found += engine.ladder_reasons
    found += [f"strategy {row.id} {row.state}: {row.why}" for row in engine.strategies if row.state != "running"]
    found += [f"{row.stage} takes longer than its budget" for row in snapshot.stages if row.late]
    return tuple(found)
