"""`hlomm keys`: import, list, remove and rotate what a live run signs with."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import attrs
import click

from hlomm.cli.keys import day, encrypted_pem, unlock
from hlomm.cli.password import Password, read_fd
from hlomm.cli.tables import in_columns
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import ConfigError, UsageError
from hlomm.domain.ids import KALSHI, VenueId
from hlomm.domain.secret import Secret
from hlomm.domain.times import NS_PER_MS
from hlomm.keystore.files import SCRYPT_N, SECP256K1, KeyFile, Label, encode, parse
from hlomm.keystore.folder import API, GUARDIAN, NETWORKS, ROLES, Found, Keystore, Slot
from hlomm.keystore.material import Material, hmac, pem, secp256k1
from hlomm.rundir.home import expanded
from hlomm.rundir.private_file import READ_MAX, read_private

PASSWORD_MIN: Final = 8
HEAD: Final = ("venue", "role", "network", "address / key id", "kind", "imported", "expires", "state")
STDIN: Final = "-"


@attrs.frozen(kw_only=True)
class Given:
    """What a new key is made of."""

    source: str | None
    """File, `-` for standard input, None: asked for at the terminal."""
    key_id: str
    expires: str
    password: Password
    own: Password | None = None
    """Of a file that is encrypted already; None: the same as the keystore's."""
    scrypt_n: int = SCRYPT_N
    """Lower in tests only: no option leads here."""


def given(source: str | None, own_fd: int | None, *, key_id: str, expires: str, password_fd: int | None) -> Given:
    """What the command line says of a new key."""
    return Given(
        source=source, key_id=key_id, expires=expires, password=Password(os.environ, password_fd),
        own=None if own_fd is None else Password({}, own_fd),
    )  # fmt: skip


def slot_of(venue: str, role: str, network: str) -> Slot:
    """UsageError for what there is no use of."""
    if venue not in ROLES:
        raise UsageError(f"no venue {venue!r}; there are: {', '.join(ROLES)}")
    if role not in ROLES[VenueId(venue)]:
        shared = "; its guardian uses the daemon's, for orders there belong to the key that placed them"
        raise UsageError(
            f"{venue} has no key for {role!r}; there are: {', '.join(ROLES[VenueId(venue)])}"
            f"{shared if role == GUARDIAN else ''}"
        )
    if network not in NETWORKS:
        raise UsageError(f"no network {network!r}; there are: {', '.join(NETWORKS)}")
    return Slot(venue, role, network)


def import_command(keystore: Keystore, slot: Slot, given: Given, *, as_json: bool) -> ExitCode:
    keystore.need_free(slot)
    content, material = _new(keystore, slot, given)
    path = keystore.add(slot, content)
    _said("imported", slot, material, path, as_json=as_json)
    _left_behind(given)
    return ExitCode.CLEAN


def rotate_command(keystore: Keystore, slot: Slot, given: Given, *, as_json: bool) -> ExitCode:
    """The new key is used from the next start on; the old one is kept."""
    keystore.need_key(slot)
    content, material = _new(keystore, slot, given)
    held = read_slot(keystore, slot)
    if held.label is not None and held.label.id == material.id:
        raise UsageError(f"{material.id} is the key that {slot} has already: make a new one at the venue first")
    path = keystore.rotate(slot, content)
    _said("rotated", slot, material, path, as_json=as_json)
    _left_behind(given)
    again = f"hlomm keys rotate {slot.venue} --role {slot.role} --network {slot.network}"
    click.echo(
        f"the old key is kept: once a run has started with the new one, `{again} --confirm` removes it, and then revoke"
        f" it at the venue; `{again} --undo` goes back", err=True,
    )  # fmt: skip
    return ExitCode.CLEAN


def settle_command(keystore: Keystore, slot: Slot, *, confirm: bool, as_json: bool) -> ExitCode:
    """End a rotation one way or the other."""
    path = keystore.confirm(slot) if confirm else keystore.undo(slot)
    done = "confirmed" if confirm else "undone"
    if as_json:
        click.echo(json.dumps({"done": done, **attrs.asdict(slot), "file": str(path)}))
    else:
        click.echo(f"{done}: {slot}" + ("; now revoke the old key at the venue" if confirm else ""))
    return ExitCode.CLEAN


def remove_command(keystore: Keystore, slot: Slot, *, sure: bool, as_json: bool) -> ExitCode:
    keystore.need_key(slot)
    if not sure:
        if not sys.stdin.isatty():
            raise UsageError(f"removing {slot} cannot be undone: say --yes")
        click.confirm(f"remove the key of {slot} from {keystore.folder}? It cannot be brought back", abort=True)
    gone = keystore.remove(slot)
    if as_json:
        click.echo(json.dumps({"done": "removed", **attrs.asdict(slot), "files": [str(path) for path in gone]}))
    else:
        click.echo(f"removed: {slot}; revoke it at the venue as well, where it is good until then")
    return ExitCode.CLEAN


def list_command(keystore: Keystore, *, as_json: bool) -> ExitCode:
    rows = [_row(found) for found in keystore.files()]
    if as_json:
        click.echo(json.dumps({"folder": str(keystore.folder), "keys": rows}))
    elif not rows:
        click.echo(f"{keystore.folder}: no keys; `hlomm keys import` puts one there", err=True)
    else:
        shown = [
            [row["venue"], row["role"], row["network"], row["id"], row["kind"], row["imported"], row["expires"] or "-",
             row["state"]]
            for row in rows
        ]  # fmt: skip
        click.echo(in_columns(HEAD, shown, ""))
    return ExitCode.CLEAN if all(row["state"] in {"in use", "previous"} for row in rows) else ExitCode.USAGE


# -- a new key


def _new(keystore: Keystore, slot: Slot, given: Given) -> tuple[bytes, Material]:
    """The bytes of its file. ConfigError for what is no key of that slot, and for another password than the others'."""
    from hlomm.keystore.envelope import encrypt, encrypt_key  # the library behind it takes a second to load

    material = _material(slot, given)
    label = Label(
        version=1, venue=slot.venue, role=slot.role, network=slot.network, kind=material.kind, id=material.id,
        imported_ms=time.time_ns() // NS_PER_MS, expires_ms=_expiry(given.expires),
    )  # fmt: skip
    password = _password(keystore, given)
    if material.kind == SECP256K1:
        return encode(encrypt_key(material.content, password, given.scrypt_n), label), material
    return encode({"crypto": encrypt(material.content, password, given.scrypt_n)}, label), material


def _password(keystore: Keystore, given: Given) -> Secret:
    """One password opens all keys: the first sets it, and who does so at a terminal types it twice."""
    others = [found.key for found in keystore.files() if found.key is not None and found.key.label is not None]
    password = given.password.get("the keystore") if others else given.password.set("the keystore")
    if others:
        unlock(others[0], password)
    elif len(password.reveal_bytes()) < PASSWORD_MIN:
        raise ConfigError(f"the password is shorter than {PASSWORD_MIN} bytes: choose a longer one")
    return password


def _material(slot: Slot, given: Given) -> Material:
    typed = _typed(slot, given)
    if _is_keyfile(typed):
        held = parse(Path(given.source or STDIN), typed)
        return unlock(held, (given.own or given.password).get(f"key file {given.source}"))
    if slot.venue == KALSHI:
        if b"ENCRYPTED" in typed.reveal_bytes():
            typed = encrypted_pem(Path(given.source or STDIN), typed, given.own or given.password)
        return pem(typed, given.key_id)
    return hmac(typed) if slot.role == API else secp256k1(typed)


def _is_keyfile(typed: Secret) -> bool:
    return typed.reveal_bytes().lstrip().startswith(b"{") and b'"crypto"' in typed.reveal_bytes().lower()


def _typed(slot: Slot, given: Given) -> Secret:
    if given.source == STDIN:
        return read_fd(sys.stdin.fileno(), "--from", READ_MAX)
    if given.source is not None:
        return read_private(expanded(given.source), "--from")
    if not sys.stdin.isatty():
        raise UsageError("no key: name its file with --from FILE, or pipe it in with --from -")
    if slot.venue == KALSHI:
        raise UsageError("the key of Kalshi has several lines: name its file with --from FILE")
    import getpass

    return Secret(getpass.getpass("API key as JSON: " if slot.role == API else "private key (64 hex digits): "))


def _expiry(text: str) -> int | None:
    """Midnight UTC of a day, in ms. UsageError for what is none, or is over."""
    if not text:
        return None
    try:
        at = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(f"--expires {text!r}: expected a day, as 2027-05-31") from None
    expires_ms = int(at.timestamp() * 1000)
    if expires_ms <= time.time_ns() // NS_PER_MS:
        raise UsageError(f"--expires {text}: that is over; approve a new key at the venue")
    return expires_ms


# -- words


def _said(done: str, slot: Slot, material: Material, path: Path, *, as_json: bool) -> None:
    if as_json:
        document = {"done": done, **attrs.asdict(slot), "id": material.id, "kind": material.kind, "file": str(path)}
        click.echo(json.dumps(document))
    else:
        click.echo(f"{done}: {slot}, {material.kind} {material.id}, in {path}")


def _left_behind(given: Given) -> None:
    if given.source is not None and given.source != STDIN:
        click.echo(f"{given.source} still holds the key as it was: remove it (shred -u)", err=True)


def read_slot(keystore: Keystore, slot: Slot) -> KeyFile:
    path = keystore.path(slot)
    return parse(path, read_private(path, "key file"))


def _row(found: Found) -> dict[str, Any]:
    label = None if found.key is None else found.key.label
    if label is None:
        state = found.wrong or f"{found.path.name}: says nothing of what it is for; import it"
        return {
            "venue": "", "role": "", "network": "", "id": "", "kind": "", "imported": "", "expires": None,
            "file": str(found.path), "state": state,
        }  # fmt: skip
    state = "previous" if found.previous else "in use"
    if label.expires_ms is not None and label.expires_ms <= time.time_ns() // NS_PER_MS:
        state = f"expired: hlomm keys rotate {label.venue} --role {label.role} --network {label.network}"
    return {
        "venue": label.venue, "role": label.role, "network": label.network, "id": label.id, "kind": label.kind,
        "imported": day(label.imported_ms), "expires": day(label.expires_ms) or None, "file": str(found.path),
        "state": state,
    }  # fmt: skip
