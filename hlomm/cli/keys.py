"""The keys of a live run: out of encrypted files, else out of the environment, which is warned about.

A key is decrypted once, here. From here on it is in memory only: in no setting, no log, no repr.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from pathlib import Path

import click
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from hlomm.daemon.desks import Keys
from hlomm.domain.faults import ConfigError
from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET, VenueId
from hlomm.settings.load import Loaded

KEY_VARIABLE = "HL_OMM_AGENT_KEY"
GUARDIAN_KEY_VARIABLE = "HL_OMM_GUARDIAN_KEY"
POLYMARKET_VARIABLE = "HL_OMM_POLYMARKET_KEY"
KALSHI_VARIABLE = "HL_OMM_KALSHI_KEY"
PASSWORD_VARIABLE = "HL_OMM_KEY_PASSWORD"  # noqa: S105 - the name of a variable, not a password


def venue_keys(loaded: Loaded, environ: Mapping[str, str]) -> dict[VenueId, Keys]:
    """Keys of every enabled venue that has one; ConfigError for a file that holds none."""
    venue = loaded.settings.venue
    found = {HYPERLIQUID: _hyperliquid(loaded, environ)}
    if venue.polymarket.enabled:
        setting = "venue.polymarket.key_file"
        found[POLYMARKET] = _keys(_plain(venue.polymarket.key_file, POLYMARKET_VARIABLE, environ, setting))
    if venue.kalshi.enabled:
        found[KALSHI] = _keys(_kalshi(venue.kalshi.key_file, environ))
    return {name: keys for name, keys in found.items() if keys is not None}


def _hyperliquid(loaded: Loaded, environ: Mapping[str, str]) -> Keys | None:
    section, setting = loaded.settings.venue.hyperliquid, "venue.hyperliquid.guardian_key_file"
    key = _plain(section.key_file, KEY_VARIABLE, environ, "venue.hyperliquid.key_file")
    if key is None or not loaded.settings.guardian.enabled:
        return _keys(key)
    return Keys(key=key, guardian=_plain(section.guardian_key_file, GUARDIAN_KEY_VARIABLE, environ, setting))


def _keys(key: str | None) -> Keys | None:
    return None if key is None else Keys(key=key)


def _plain(key_file: str, variable: str, environ: Mapping[str, str], setting: str) -> str | None:
    """A private key of a chain's account in hex."""
    if key_file:
        return _from_keystore(Path(key_file), environ, setting)
    return _from_environment(variable, environ)


def _from_environment(variable: str, environ: Mapping[str, str]) -> str | None:
    key = environ.get(variable)
    if key:
        click.echo(f"warning: key taken from {variable}; an encrypted keystore file is safer", err=True)
    return key or None


def _from_keystore(path: Path, environ: Mapping[str, str], setting: str) -> str:
    from eth_account import Account

    text, password = _read(path, setting), _password(path, environ)
    try:
        return "0x" + bytes(Account.decrypt(text.decode(errors="replace"), password)).hex()
    except (ValueError, TypeError, KeyError):
        raise ConfigError(f"{path}: wrong password, or not a keystore file") from None


def _kalshi(key_file: str, environ: Mapping[str, str]) -> str | None:
    """An API key of Kalshi as unencrypted PEM. A file must be encrypted (PKCS#8 with a password)."""
    if not key_file:
        return _from_environment(KALSHI_VARIABLE, environ)
    path = Path(key_file)
    text = _read(path, "venue.kalshi.key_file")
    if b"ENCRYPTED" not in text:
        raise ConfigError(
            f"{path}: the key is not encrypted — openssl pkcs8 -topk8 -in {path} -out {path}.enc, then remove {path}"
        )
    try:
        key = serialization.load_pem_private_key(text, _password(path, environ).encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigError(f"{path}: wrong password, or not a private key in PEM") from None
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _read(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error} — check {setting}") from None


def _password(path: Path, environ: Mapping[str, str]) -> str:
    return environ.get(PASSWORD_VARIABLE) or getpass.getpass(f"password of {path}: ")
