"""The keys of a live run: out of named files, else the keystore, else the environment, which is warned about.

A key is decrypted once, here, and what is wrong with it is said before anything is sent. From here on it is in memory
only: in no setting, no log, no repr.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from hlomm.cli.password import Password
from hlomm.daemon.desks import Keys
from hlomm.daemon.guardian_process import SECRETS
from hlomm.domain.checkup import Code
from hlomm.domain.faults import KeyExpired, KeyFault
from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET, VenueId
from hlomm.domain.secret import Secret
from hlomm.domain.ticker import utc_day
from hlomm.domain.times import NS_PER_MS
from hlomm.keystore.files import ED25519, HMAC, RSA, SECP256K1, SOON_MS, KeyFile, parse
from hlomm.keystore.folder import API, ENGINE, GUARDIAN, Keystore, Slot, keystore_at
from hlomm.rundir.home import expanded
from hlomm.rundir.private_file import read_private
from hlomm.settings.load import Loaded
from hlomm.venues.curve import Key, address_bytes

if TYPE_CHECKING:
    from hlomm.keystore.material import Material

KEY_VARIABLE = "HL_OMM_AGENT_KEY"
GUARDIAN_KEY_VARIABLE = "HL_OMM_GUARDIAN_KEY"
POLYMARKET_VARIABLE = "HL_OMM_POLYMARKET_KEY"
KALSHI_VARIABLE = "HL_OMM_KALSHI_KEY"


def venue_keys(
    loaded: Loaded, environ: Mapping[str, str], password: Password | None = None, *, i_know: bool = False
) -> dict[VenueId, Keys]:
    """Keys of every enabled venue that has one.

    KeyFault for a file that holds none, or not one for this run; KeyExpired for one that has expired. `i_know`: a
    key of the account itself is taken too.
    """
    openers = key_openers(loaded, environ, password or Password(environ), i_know=i_know)
    found = {name: opened() for name, opened in openers.items()}
    return {name: keys for name, keys in found.items() if keys is not None}


def key_openers(
    loaded: Loaded, environ: Mapping[str, str], password: Password, *, i_know: bool = False
) -> dict[VenueId, Callable[[], Keys | None]]:
    """The same venue by venue: each call decrypts that venue's, and refuses as `venue_keys` does."""
    source = _Source(loaded, environ, password, keystore_at(loaded.settings.keys.folder))
    openers: dict[VenueId, Callable[[], Keys | None]] = {
        HYPERLIQUID: lambda: _hyperliquid(loaded, source, i_know=i_know)
    }
    if loaded.settings.venue.polymarket.enabled:
        openers[POLYMARKET] = lambda: _polymarket(loaded, source, i_know=i_know)
    if loaded.settings.venue.kalshi.enabled:
        openers[KALSHI] = lambda: _keys(source.kalshi())
    return openers


def forget(environ: MutableMapping[str, str]) -> None:
    """Take keys and passwords out of what children inherit."""
    for name in SECRETS:
        environ.pop(name, None)


def _hyperliquid(loaded: Loaded, source: _Source, *, i_know: bool) -> Keys | None:
    section = loaded.settings.venue.hyperliquid
    slot = Slot(HYPERLIQUID, ENGINE, section.chain)
    key = source.chain_key(slot, section.key_file, "venue.hyperliquid.key_file", KEY_VARIABLE)
    if key is None:
        return None
    _not_the_accounts_own(key, section.account, HYPERLIQUID, i_know=i_know)
    if not loaded.settings.guardian.enabled:
        return Keys(key=key)
    guardian = source.chain_key(
        Slot(HYPERLIQUID, GUARDIAN, section.chain), section.guardian_key_file, "venue.hyperliquid.guardian_key_file",
        GUARDIAN_KEY_VARIABLE,
    )  # fmt: skip
    if guardian is not None:
        _not_the_accounts_own(guardian, section.account, HYPERLIQUID, i_know=i_know)
        if Key.parse(guardian).address == Key.parse(key).address:
            raise KeyFault(
                Code.KEY_UNUSABLE,
                "engine and guardian have one key: approve a second agent at the venue and import it with "
                "`hlomm keys import hyperliquid --role guardian`, or leave the guardian's out to share with a warning",
            )
    return Keys(key=key, guardian=guardian)


def _polymarket(loaded: Loaded, source: _Source, *, i_know: bool) -> Keys | None:
    section = loaded.settings.venue.polymarket
    slot = Slot(POLYMARKET, ENGINE, source.network)
    key = source.chain_key(slot, section.key_file, "venue.polymarket.key_file", POLYMARKET_VARIABLE)
    if key is None:
        return None
    _not_the_accounts_own(key, section.account, POLYMARKET, i_know=i_know)
    api = source.stored(Slot(POLYMARKET, API, source.network))
    return Keys(key=key, api_key=None if api is None else source.open(api, HMAC).api_key())


def _keys(key: Secret | None) -> Keys | None:
    return None if key is None else Keys(key=key)


def _not_the_accounts_own(key: Secret, account: str, venue: VenueId, *, i_know: bool) -> None:
    """A wallet's own key can withdraw; an agent's cannot. KeyFault unless that is said to be known."""
    try:
        own = address_bytes(account) == address_bytes(Key.parse(key).address)
    except ValueError:
        return  # what is wrong with the account is said by whoever needs it
    if not own:
        return
    if not i_know:
        raise KeyFault(
            Code.KEY_CAN_WITHDRAW,
            f"the key for {venue} is that of the account {account} itself: it can withdraw everything — "
            "approve an agent (API wallet) and import its key, or start with --i-know",
        )
    click.echo(f"warning: the key for {venue} is the account's own and can withdraw everything", err=True)


@attrs.frozen
class _Source:
    """Where keys come from."""

    loaded: Loaded
    environ: Mapping[str, str]
    password: Password
    keystore: Keystore

    @property
    def network(self) -> str:
        return self.loaded.profile

    def chain_key(self, slot: Slot, key_file: str, setting: str, variable: str) -> Secret | None:
        """A private key of a chain's account in hex."""
        held = self._named(key_file, setting, slot) if key_file else self.stored(slot)
        if held is not None:
            return self.open(held, SECP256K1).text
        return self._from_environment(variable)

    def kalshi(self) -> Secret | None:
        """An API key of Kalshi as unencrypted PEM; in a file it must be encrypted."""
        section, setting = self.loaded.settings.venue.kalshi, "venue.kalshi.key_file"
        slot = Slot(KALSHI, ENGINE, self.network)
        if section.key_file:
            path = expanded(section.key_file)
            content = read_private(path, setting)
            if content.reveal_bytes().lstrip().startswith(b"-----"):
                return encrypted_pem(path, content, self.password)
            held = _for(parse(path, content), slot)
        else:
            stored = self.stored(slot)
            if stored is None:
                return self._from_environment(KALSHI_VARIABLE)
            held = stored
        opened = self.open(held, RSA, ED25519)
        if section.key_id and section.key_id != opened.id:
            raise KeyFault(
                Code.KEY_UNUSABLE,
                f"{held.path}: holds API key {opened.id}, but venue.kalshi.key_id is {section.key_id}: set that one",
            )
        return opened.text

    def stored(self, slot: Slot) -> KeyFile | None:
        """The keystore's own, None if it has none."""
        if not self.keystore.has(slot):
            return None
        path = self.keystore.path(slot)
        return _for(parse(path, read_private(path, "key file")), slot)

    def _named(self, key_file: str, setting: str, slot: Slot) -> KeyFile:
        path = expanded(key_file)
        return _for(parse(path, read_private(path, setting)), slot)

    def open(self, held: KeyFile, *kinds: str) -> Material:
        """KeyFault if it is of another kind, too."""
        found = unlock(held, self.password.get(f"keys ({held.path.name})"))
        if found.kind not in kinds:
            raise KeyFault(
                Code.KEY_UNUSABLE,
                f"{held.path}: holds a key of kind {found.kind}, not {' or '.join(kinds)} — import the right one",
            )
        return found

    def _from_environment(self, variable: str) -> Secret | None:
        if not self.environ.get(variable):
            return None
        click.echo(f"warning: key taken from {variable}; the keystore is safer (`hlomm keys import`)", err=True)
        return Secret(self.environ[variable])


def _for(held: KeyFile, slot: Slot) -> KeyFile:
    """The file, if it is for that slot; one that says nothing of itself was chosen by name, and is believed."""
    label = held.label
    if label is None:
        return held
    again = f"hlomm keys import {slot.venue} --role {slot.role} --network {slot.network}"
    if label.venue != slot.venue or label.role != slot.role:
        text = f"{held.path}: holds the key of {label.venue} for {label.role}, not of {slot} — {again}"
        raise KeyFault(Code.KEY_UNUSABLE, text)
    if label.network != slot.network:
        raise KeyFault(
            Code.KEY_OTHER_NETWORK,
            f"{held.path}: holds a key of {label.network}, and this run trades on {slot.network} — {again}",
        )
    left_ms = None if label.expires_ms is None else label.expires_ms - time.time_ns() // NS_PER_MS
    if left_ms is not None and left_ms <= 0:
        raise KeyExpired(
            f"{held.path}: {label.id} expired on {day(label.expires_ms)} — approve a new one at the venue, then "
            f"hlomm keys rotate {slot.venue} --role {slot.role} --network {slot.network}"
        )
    if left_ms is not None and left_ms < SOON_MS:
        click.echo(f"warning: {label.id} ({slot}) expires on {day(label.expires_ms)}", err=True)
    return held


def unlock(held: KeyFile, password: Secret) -> Material:
    """The key of a file. KeyFault for a wrong password, and for a content that is not what the label says."""
    from hlomm.keystore import material
    from hlomm.keystore.envelope import decrypt

    content = decrypt(held.parts(), password)
    if content is None:
        raise KeyFault(
            Code.PASSWORD_WRONG,
            f"{held.path}: wrong password, or the file was changed — try again; if the password is lost, approve a new "
            "key at the venue, `hlomm keys remove` this one and import that",
        )
    kind = SECP256K1 if held.label is None else held.label.kind
    found = material.opened(kind, content)
    if found is None or (held.label is not None and held.label.id != found.id):
        raise KeyFault(
            Code.KEY_DAMAGED, f"{held.path}: its content is not the key that its label names — import the key again"
        )
    return found


def encrypted_pem(path: Path, content: Secret, password: Password) -> Secret:
    """A PKCS#8 PEM with a password, as openssl writes it, without it."""
    if b"ENCRYPTED" not in content.reveal_bytes():
        raise KeyFault(
            Code.KEY_EXPOSED,
            f"{path}: the key is not encrypted — hlomm keys import kalshi --from {path} --key-id ID, "
            f"then remove {path}",
        )
    plain = _opened_pem(content, password.get(f"key {path}"))
    if plain is None:
        raise KeyFault(Code.PASSWORD_WRONG, f"{path}: wrong password, or not a private key in PEM — try again")
    return plain


def _opened_pem(content: Secret, password: Secret) -> Secret | None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_pem_private_key(content.reveal_bytes(), password.reveal_bytes())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return Secret(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def day(wall_ms: int | None) -> str:
    return "" if wall_ms is None else utc_day(wall_ms * NS_PER_MS)
