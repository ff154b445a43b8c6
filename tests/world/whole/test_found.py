"""What seeds have found, each kept by name with the fault that showed it, and the mistake planted again."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from hlomm.engine import quoting
from hlomm.sim.faults import FaultArgs
from tests.world.whole.life import live
from tests.world.whole.plan import CALM_S, Harm, Incident, Plan, plan


def refused_connections() -> Plan:
    """A cancel that could not be sent was told so at once, and the engine sent it again at once, without end."""
    told = plan(70, storm_s=20.0)
    incidents = [Incident(CALM_S + at_s, Harm.CONNECTIONS_REFUSED, FaultArgs(for_s=3.0)) for at_s in (1.0, 8.0, 15.0)]
    # Kept warm, connections of before would carry the cancels past the refusals.
    sets = (*told.sets, "flatten.on_disconnect=pause", "venue.hyperliquid.warm_s=0")
    return attrs.evolve(told, incidents=tuple(incidents), resume_s=1.0, sets=sets)


def test_refused_connections_do_not_spin(tmp_path: Path) -> None:
    assert not live(refused_connections(), tmp_path).findings


def test_they_do_without_the_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quoting, "CANCEL_AGAIN_NS", 0)
    assert "spin" in {finding.rule for finding in live(refused_connections(), tmp_path).findings}
