"""The gates before real money: a live profile, limits written by the operator, and the notional typed out."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from pathlib import Path

import click

from hlomm.assembly.numbers import scaled
from hlomm.domain.faults import ConfigError, UsageError
from hlomm.domain.units import Cash
from hlomm.settings.load import Loaded
from hlomm.settings.schema import Limits

KEY_VARIABLE = "HL_OMM_AGENT_KEY"
GUARDIAN_KEY_VARIABLE = "HL_OMM_GUARDIAN_KEY"
PASSWORD_VARIABLE = "HL_OMM_KEY_PASSWORD"  # noqa: S105 - the name of a variable, not a password


def check_arming(loaded: Loaded, arm: float | None) -> Cash:
    """The armed notional; 0 in simulation. Refuses a live profile whose limits are merely the defaults."""
    if loaded.profile == "sim":
        if arm is not None:
            raise UsageError("--arm has no meaning in profile sim: nothing there is real")
        return Cash(0)
    limits = loaded.settings.limits
    unset = [
        name
        for name in Limits.__struct_fields__
        if name.startswith("max_") and loaded.origins.get(f"limits.{name}") == "default.toml"
    ]
    if unset:
        raise ConfigError(
            f"profile {loaded.profile} trades for real: write your own [limits] first ({', '.join(unset)} are defaults)"
        )
    if arm is None or scaled(arm) != scaled(limits.max_gross_notional):
        raise UsageError(
            f"profile {loaded.profile} trades for real: confirm with --arm {limits.max_gross_notional:g} "
            "(exactly limits.max_gross_notional)"
        )
    return Cash(scaled(arm))


def agent_key(loaded: Loaded, environ: Mapping[str, str]) -> str | None:
    """The agent's private key: from the encrypted keystore, else from the environment (with a warning)."""
    return _key(loaded.settings.venue.hyperliquid.key_file, KEY_VARIABLE, environ, "venue.hyperliquid.key_file")


def guardian_key(loaded: Loaded, environ: Mapping[str, str]) -> str | None:
    """The guardian's key, from its own places; None where it is to share the daemon's."""
    if not loaded.settings.guardian.enabled:
        return None
    key_file = loaded.settings.venue.hyperliquid.guardian_key_file
    return _key(key_file, GUARDIAN_KEY_VARIABLE, environ, "venue.hyperliquid.guardian_key_file")


def _key(key_file: str, variable: str, environ: Mapping[str, str], setting: str) -> str | None:
    if key_file:
        return _from_keystore(Path(key_file), environ, setting)
    key = environ.get(variable)
    if key:
        click.echo(f"warning: key taken from {variable}; an encrypted keystore file is safer", err=True)
    return key


def _from_keystore(path: Path, environ: Mapping[str, str], setting: str) -> str:
    from eth_account import Account

    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error} — check {setting}") from None
    password = environ.get(PASSWORD_VARIABLE) or getpass.getpass(f"password of {path}: ")
    try:
        return "0x" + bytes(Account.decrypt(text, password)).hex()
    except (ValueError, TypeError, KeyError):
        raise ConfigError(f"{path}: wrong password, or not a keystore file") from None
