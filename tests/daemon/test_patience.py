"""Transport deadlines of a simulator whose time runs faster than the host's."""

from __future__ import annotations

from hlomm.daemon.desks import patient
from hlomm.settings.load import load


def test_at_the_venues_own_pace_nothing_changes() -> None:
    section = load("sim", (), (), environ={}).settings.venue.hyperliquid
    assert patient(section, 1.0) == section


def test_no_deadline_is_shorter_than_a_second_of_the_host() -> None:
    section = load("sim", (), (), environ={}).settings.venue.hyperliquid
    fast = patient(section, 20.0)
    assert (fast.request_s, fast.post_s, fast.pong_s, fast.silence_s) == (20.0, 20.0, 20.0, 20.0)
    assert fast.ping_s == section.ping_s, "how often, not how long"
