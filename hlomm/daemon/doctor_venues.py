"""What `hlomm doctor` says of each venue: whether a run would find an account and a key. It asks no venue."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from hlomm.daemon.doctor import Check, fail, ok, warn
from hlomm.settings.load import Loaded
from hlomm.settings.schema import Hyperliquid, Kalshi, Polymarket

VARIABLES: Mapping[str, str] = {
    "hyperliquid": "HL_OMM_AGENT_KEY", "polymarket": "HL_OMM_POLYMARKET_KEY", "kalshi": "HL_OMM_KALSHI_KEY",
}  # fmt: skip


def venues(loaded: Loaded, environ: Mapping[str, str]) -> Iterator[Check]:
    """One line for each venue that there is, the disabled ones too."""
    venue = loaded.settings.venue
    yield _venue("hyperliquid", venue.hyperliquid, loaded, environ)
    for name, section in (("polymarket", venue.polymarket), ("kalshi", venue.kalshi)):
        if section.enabled:
            yield _venue(name, section, loaded, environ)
        else:
            yield ok(name, "not traded: enabled is false")


def _venue(name: str, section: Hyperliquid | Polymarket | Kalshi, loaded: Loaded, environ: Mapping[str, str]) -> Check:
    if loaded.profile == "sim":
        return ok(name, "simulated: account and key come with the simulator")
    rest = section.clob if isinstance(section, Polymarket) else section.rest
    wanted = {"address": rest, "account": section.account}
    if isinstance(section, Kalshi):
        wanted["key_id"] = section.key_id
    missing = [key for key, value in wanted.items() if not value]
    if missing:
        return fail(name, f"no {', '.join(missing)}", f"set it in [venue.{name}] of a --config file")
    return _key(name, rest, section.key_file, environ)


def _key(name: str, rest: str, key_file: str, environ: Mapping[str, str]) -> Check:
    variable = VARIABLES[name]
    if not key_file:
        if environ.get(variable):
            return warn(name, f"{rest}; its key comes from {variable}", "an encrypted file is safer")
        return fail(name, f"{rest}; no key", f"set venue.{name}.key_file, or {variable}")
    try:
        mode = Path(key_file).stat().st_mode
    except OSError as error:
        return fail(name, f"{key_file}: {error.strerror or error}", f"check venue.{name}.key_file")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return warn(name, f"{key_file} can be read by others", f"chmod 600 {key_file}")
    return ok(name, f"{rest}, account and key file are there")
