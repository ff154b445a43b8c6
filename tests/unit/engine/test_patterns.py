"""Patterns that select nothing are said once, when the venue's list is known."""

from __future__ import annotations

from tests.support.rig import Rig, alerts


def test_a_pattern_that_selects_nothing_is_said_once() -> None:
    rig = Rig()
    rig.puppet.complaints = {"periods 9d": "periods: '9d' fits nothing that is listed; there are: 1d"}
    (alert,) = alerts(rig.down() + rig.up(), "pattern_unmatched")
    assert alert.text == "strategy.puppet.periods: '9d' fits nothing that is listed; there are: 1d"
    assert not alerts(rig.down() + rig.up(), "pattern_unmatched")
    rig.puppet.complaints["classes x"] = "classes: 'x' fits nothing that is listed; there are: priceBinary"
    assert len(alerts(rig.down() + rig.up(), "pattern_unmatched")) == 1
