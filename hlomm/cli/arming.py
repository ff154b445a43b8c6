"""The gates before real money: a live profile, limits written by the operator, and the notional typed out."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from pathlib import Path

import click

from hlomm.assembly.engine import scaled
from hlomm.domain.faults import ConfigError, UsageError
from hlomm.domain.units import Cash
from hlomm.settings.load import Loaded
from hlomm.settings.schema import Limits

KEY_VARIABLE = "HL_OMM_AGENT_KEY"
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
    key_file = loaded.settings.venue.hyperliquid.key_file
    if key_file:
        return _from_keystore(Path(key_file), environ)
    key = environ.get(KEY_VARIABLE)
    if key:
        click.echo(f"warning: key taken from {KEY_VARIABLE}; an encrypted keystore file is safer", err=True)
    return key


def _from_keystore(path: Path, environ: Mapping[str, str]) -> str:
    from eth_account import Account

    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error} — check venue.hyperliquid.key_file") from None
    password = environ.get(PASSWORD_VARIABLE) or getpass.getpass(f"password of {path}: ")
    try:
        return "0x" + bytes(Account.decrypt(text, password)).hex()
    except (ValueError, TypeError, KeyError):
        raise ConfigError(f"{path}: wrong password, or not a keystore file") from None
