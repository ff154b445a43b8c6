"""From the table of limits to the fuse: its own reading, and every session that trades has one."""

from __future__ import annotations

import pytest

from hlomm.assembly.engine import engine_config
from hlomm.assembly.venues import fuse_limits, hyperliquid_session
from hlomm.domain.faults import ConfigError
from hlomm.domain.secret import Secret
from hlomm.domain.units import parse
from hlomm.settings.load import Loaded, load
from hlomm.venues.clock import Clock

KEY = "0x" + "11" * 32


def loaded(*sets: str) -> Loaded:
    return load("sim", (), sets, environ={})


def test_limits_become_the_fuses() -> None:
    limits = fuse_limits(
        loaded(
            "limits.max_order_notional=123.45", "limits.max_position=200.5", "strategy.avellaneda.max_size=100",
            "limits.max_orders_per_s=7", "limits.max_notional_per_min=999.99999999",
        ).settings.limits
    )  # fmt: skip
    assert limits.order_notional == parse("123.45")
    assert limits.order_qty == parse("401")
    assert limits.orders_per_s == 7
    assert limits.notional_per_min == parse("999.99999999")


def test_both_readings_of_the_table_agree() -> None:
    settings = loaded().settings
    fuse, engine = fuse_limits(settings.limits), engine_config(settings).limits
    assert fuse.order_notional == engine.max_order_notional
    assert fuse.order_qty == 2 * engine.max_position


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("limits.max_notional_per_min", "399", "one legal order would trip the fuse"),
        ("limits.max_orders_per_s", "0", "max_orders_per_s"),
        ("venue.hyperliquid.deadman_s", "9.5", "5 s of notice"),
        ("venue.hyperliquid.deadman_s", "-1", "deadman_s"),
    ],
)
def test_contradictions_are_refused(key: str, value: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        loaded(f"{key}={value}")


@pytest.mark.parametrize(
    ("sets", "term_s", "ahead"),
    [
        ((), 30, False),
        (("venue.hyperliquid.deadman_s=0",), 0, False),
        (("limits.max_resting_without_deadman=0",), 30, True),
        (("limits.max_resting_without_deadman=399",), 30, True),
        (("limits.max_resting_without_deadman=400",), 30, False),
    ],
)
def test_a_session_that_trades_has_a_fuse_and_asks_for_a_deadman(
    sets: tuple[str, ...], term_s: float, ahead: bool
) -> None:
    settings = loaded(*sets).settings
    section, limits = settings.venue.hyperliquid, settings.limits
    where = {"rest": "http://venue.test", "ws": "ws://venue.test/ws", "account": "0x" + "22" * 20}
    session = hyperliquid_session(section, Clock(), limits=limits, key=Secret(KEY), **where)
    assert session.statistics().fuse == "ok"
    config = session._config  # type: ignore[attr-defined]
    assert (config.deadman_s, config.deadman_ahead) == (term_s, ahead)
    asked_only = hyperliquid_session(section, Clock(), limits=None, key=Secret(KEY), **where)
    assert asked_only.statistics().fuse == "none"
