"""Instants, exit codes, market values, wishes: the small vocabulary."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain import faults
from hlomm.domain.exits import ExitCode, exit_code_of
from hlomm.domain.faults import HlommError, JournalCorrupt, ProtocolViolation
from hlomm.domain.inputs import TokenBalance
from hlomm.domain.markets import Leg
from hlomm.domain.times import NS_PER_S, ClockMap, Now, seconds_to_ns
from hlomm.domain.view import no_quote
from tests.support.values import START, M, lots, outcome, perp, usd


def test_time_to_settlement_counts_down_to_zero_and_stays_there() -> None:
    market = outcome(tau_s=60)
    assert market.tau_ns(START.wall_ns) == 60 * NS_PER_S
    assert market.tau_ns(START.wall_ns + 60 * NS_PER_S) == 0
    assert market.tau_ns(START.wall_ns + 3_600 * NS_PER_S) == 0
    assert perp().tau_ns(START.wall_ns) == 0


def test_wall_milliseconds_are_cut_not_rounded() -> None:
    assert Now(0, 1_999_999).wall_ms == 1


@given(st.floats(0, 1e6))
def test_configured_seconds_become_the_nearest_nanosecond(value: float) -> None:
    assert abs(seconds_to_ns(value) - value * NS_PER_S) <= 0.5 + value * 1e-6


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(0, 10**15))
def test_at_speed_one_the_clock_map_is_exact(host: int, origin: int, venue: int) -> None:
    clock = ClockMap(host_origin_ns=origin, venue_origin_ns=venue)
    assert clock.venue_ns(host) - clock.venue_ns(0) == host
    assert clock.venue_elapsed_ns(host) == host


def test_a_fast_simulation_stretches_durations_both_ways() -> None:
    clock = ClockMap(host_origin_ns=100, venue_origin_ns=1_000, speed=8.0)
    assert clock.venue_ns(150) == 1_000 + 400
    assert clock.venue_elapsed_ns(50) == 400
    assert clock.host_seconds(4.0) == 0.5


def test_every_error_of_ours_has_an_exit_code_and_none_means_clean() -> None:
    kinds = [kind for _, kind in inspect.getmembers(faults, inspect.isclass) if issubclass(kind, HlommError)]
    assert len(kinds) >= 10
    for kind in kinds:
        if kind is JournalCorrupt:
            error: HlommError = JournalCorrupt("x", offset=1, records=2)
        elif issubclass(kind, ProtocolViolation | faults.KeyFault):
            error = kind("kind", "x")
        else:
            error = kind("x")
        assert exit_code_of(error) not in (ExitCode.CLEAN, ExitCode.HALTED)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (faults.ConfigError, 2),
        (faults.UsageError, 2),
        (faults.VenueRefused, 5),
        (faults.VenueUnavailable, 5),
        (faults.AnotherInstance, 7),
        (faults.InvariantBroken, 6),
        (faults.IllegalTransition, 6),
        (faults.UnitError, 6),
    ],
)
def test_exit_codes_are_the_published_ones(kind: type[HlommError], code: int) -> None:
    assert exit_code_of(kind("x")) == code


def test_exit_codes_of_runs() -> None:
    assert [code.value for code in ExitCode] == [0, 2, 3, 4, 5, 6, 7]


def test_no_quote_always_has_its_reason_on_both_sides() -> None:
    desired = no_quote("why")
    assert desired.bid is None
    assert desired.ask is None
    assert (desired.bid_reason, desired.ask_reason) == ("why", "why")


def test_values_cannot_be_changed() -> None:
    token = TokenBalance(M, Leg.YES, lots(1), usd(1))
    for value, field in ((token, "total"), (outcome(), "tick"), (START, "mono_ns"), (no_quote(""), "bid")):
        with pytest.raises(AttributeError):
            setattr(value, field, 0)
