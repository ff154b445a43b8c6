"""The gates before real money: what is refused, and that what is armed is said in every line."""

from __future__ import annotations

import json

import attrs
import pytest
import structlog

from hlomm.cli.arming import check_arming
from hlomm.daemon import logs
from hlomm.domain.faults import ConfigError, UsageError
from hlomm.domain.units import SCALE
from hlomm.settings.load import load
from hlomm.settings.schema import Limits

MAXIMA = [name for name in Limits.__struct_fields__ if name.startswith("max_")]
DEFAULTS = load("mainnet", environ={}).tree["limits"]
OWN = tuple(f"limits.{name}={DEFAULTS[name]}" for name in MAXIMA)
AMOUNT = DEFAULTS["max_gross_notional"]


@pytest.mark.parametrize("profile", ["testnet", "mainnet"])
def test_limits_of_ones_own_and_the_amount_typed_open_the_gates(profile: str) -> None:
    loaded = load(profile, (), OWN, environ={})
    assert check_arming(loaded, AMOUNT) == AMOUNT * SCALE, "one's own may be the same numbers as the defaults"
    for typed in (None, 0, AMOUNT - 0.5, AMOUNT * 10):
        with pytest.raises(UsageError, match=f"--arm {AMOUNT}"):
            check_arming(loaded, typed)


@pytest.mark.parametrize("limit", [12345.67, 1234567, 400.00000001])
def test_the_amount_that_is_asked_for_is_the_one_that_is_taken(limit: float) -> None:
    """It was said with six digits, and those were refused."""
    loaded = load("mainnet", (), (*OWN, f"limits.max_gross_notional={limit!r}"), environ={})
    with pytest.raises(UsageError) as asked:
        check_arming(loaded, None)
    typed = str(asked.value).partition("--arm ")[2].split()[0]
    assert check_arming(loaded, float(typed)) == round(limit * SCALE)


@pytest.mark.parametrize("missing", MAXIMA)
def test_no_default_is_accepted_for_any_of_them(missing: str) -> None:
    sets = tuple(one for one in OWN if not one.startswith(f"limits.{missing}="))
    with pytest.raises(ConfigError, match=missing):
        check_arming(load("mainnet", (), sets, environ={}), AMOUNT)


def test_nor_is_one_that_a_shipped_profile_brings() -> None:
    loaded = load("mainnet", (), OWN, environ={})
    shipped = attrs.evolve(loaded, origins={**loaded.origins, "limits.max_position": "profiles/mainnet.toml"})
    with pytest.raises(ConfigError, match="max_position"):
        check_arming(shipped, AMOUNT)


@pytest.mark.parametrize("profile", ["sim", "paper"])
def test_where_nothing_is_real_nothing_is_armed(profile: str) -> None:
    loaded = load(profile, environ={})
    assert check_arming(loaded, None) == 0
    with pytest.raises(UsageError, match=f"no meaning in profile {profile}"):
        check_arming(loaded, 5.0)


def test_every_line_says_what_is_armed(capsys) -> None:
    try:
        logs.configure("info")
        logs.say_always(profile="mainnet", armed="500")
        structlog.get_logger("hlomm.any").info("something", armed="nothing, it pretends")
        line = json.loads(capsys.readouterr().err)
    finally:
        logs.say_always()
        structlog.reset_defaults()
    assert (line["event"], line["profile"], line["armed"]) == ("something", "mainnet", "500")
