"""What `hlomm doctor` says of each venue: whether a run would find an account and a key. It asks no venue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hlomm.domain.checkup import Check, Code, fail, ok, warn
from hlomm.domain.faults import ConfigError
from hlomm.keystore.folder import ENGINE, Keystore, Slot, keystore_at
from hlomm.rundir.home import expanded
from hlomm.rundir.private_file import exposure
from hlomm.settings.load import Loaded
from hlomm.settings.venues import Hyperliquid, Kalshi, Polymarket

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
    if loaded.profile == "paper":
        return ok(name, "heard in public, traded on paper: neither account nor key is wanted")
    rest = section.clob if isinstance(section, Polymarket) else section.rest
    wanted = {"address": rest, "account": section.account}
    if isinstance(section, Kalshi):
        wanted["key_id"] = section.key_id
    missing = [key for key, value in wanted.items() if not value]
    if missing:
        return fail(
            name, Code.VENUE_INCOMPLETE, f"no {', '.join(missing)}", f"set it in [venue.{name}] of a --config file"
        )
    network = section.chain if isinstance(section, Hyperliquid) else loaded.profile
    return _key(rest, section.key_file, environ, loaded, Slot(name, ENGINE, network))


def _key(rest: str, key_file: str, environ: Mapping[str, str], loaded: Loaded, slot: Slot) -> Check:
    name, variable = slot.venue, VARIABLES[slot.venue]
    if not key_file:
        if _stored(keystore_at(loaded.settings.keys.folder), slot):
            return ok(name, f"{rest}, account and key are there")
        again = _import(slot, loaded.settings.keys.folder)
        if environ.get(variable):
            text = f"{rest}; its key comes from {variable}"
            return warn(name, Code.KEY_IN_ENVIRONMENT, text, f"the keystore is safer: {again}")
        return fail(name, Code.KEY_MISSING, f"{rest}; no key", again)
    try:
        path = expanded(key_file)
        wrong = exposure(path, path.lstat())
    except (OSError, ConfigError) as error:
        text = f"{key_file}: {error.strerror or error}" if isinstance(error, OSError) else str(error)
        return fail(name, Code.KEY_MISSING, text, f"check venue.{name}.key_file")
    if wrong is not None:
        text, _, remedy = wrong.rpartition(": ")
        return fail(name, Code.KEY_EXPOSED, text, remedy)
    return ok(name, f"{rest}, account and key file are there")


def _stored(store: Keystore, slot: Slot) -> bool:
    """What is wrong with the keystore itself has a line of its own."""
    try:
        return store.has(slot)
    except ConfigError:
        return False


def _import(slot: Slot, folder: str) -> str:
    return f"hlomm keys import {slot.venue} --network {slot.network}" + (f" --keystore {folder}" if folder else "")
