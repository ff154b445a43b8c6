"""Rung: pure. The switchboard, and settings that are checked where they are made."""

from __future__ import annotations

import pytest

from hlomm.domain.faults import ConfigError
from hlomm.sim.config import FlowConfig, LatencyConfig, ListingConfig, SimConfig, SimOptions
from hlomm.sim.faults import FaultArgs, FaultName, Faults


def test_a_one_shot_fault_happens_once_and_is_counted() -> None:
    faults = Faults()
    faults.arm("reply_lost")
    assert faults.armed() == ["reply_lost"]
    assert faults.take(FaultName.REPLY_LOST) is not None
    assert faults.take(FaultName.REPLY_LOST) is None
    assert faults.injected == {FaultName.REPLY_LOST: 1}
    assert faults.armed() == []


def test_a_lasting_fault_ends_with_time_or_clearing() -> None:
    faults = Faults()
    faults.now_ns = 100
    faults.arm(FaultName.WS_SILENT, FaultArgs(for_s=1.0))
    assert faults.active(FaultName.WS_SILENT) is not None
    faults.now_ns = 100 + 10**9
    assert faults.active(FaultName.WS_SILENT) is None
    faults.arm(FaultName.WS_SILENT)
    faults.now_ns += 10**12
    assert faults.take(FaultName.WS_SILENT) is not None
    faults.clear(FaultName.WS_SILENT)
    assert faults.take(FaultName.WS_SILENT) is None


def test_looking_does_not_inject() -> None:
    faults = Faults()
    faults.arm(FaultName.REST_500, FaultArgs(count=2))
    assert faults.active(FaultName.REST_500) is not None
    assert faults.injected == {}


def test_delay_is_zero_when_not_armed() -> None:
    faults = Faults()
    assert faults.delay_ns(FaultName.REPLY_DELAYED) == 0
    faults.arm(FaultName.REPLY_DELAYED, FaultArgs(delay_s=2.5))
    assert faults.delay_ns(FaultName.REPLY_DELAYED) == 2_500_000_000


@pytest.mark.parametrize(
    "bad", [{"count": -1}, {"for_s": "1"}, {"delay_s": True}, {"side": "left"}, {"market": "spot"}]
)
def test_fault_arguments_are_checked(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        FaultArgs(**bad)


def test_unknown_faults_name_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="reply_lost"):
        Faults().arm("no_such_thing")
    with pytest.raises(ConfigError):
        Faults().clear("no_such_thing")


def test_config_names_field_and_range() -> None:
    with pytest.raises(ConfigError, match=r"sim.noise_per_s: expected a number from 0.0 to 100.0, was -1"):
        FlowConfig(noise_per_s=-1)
    with pytest.raises(ConfigError, match="block_ms"):
        LatencyConfig(block_ms=True)
    with pytest.raises(ConfigError, match="first_expiry_s"):
        ListingConfig(first_expiry_s=500.0)
    with pytest.raises(ConfigError, match="venues"):
        SimOptions(venues=("nasdaq",))
    assert SimConfig().latency.block_ns == 70_000_000
