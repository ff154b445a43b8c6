"""What `hlomm doctor` says of the keystore: who could read it, what is in it, and for how long. It asks no password."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from hlomm.domain.checkup import Check, Code, fail, ok, warn
from hlomm.domain.faults import KeyFault
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.ticker import utc_day
from hlomm.domain.times import NS_PER_MS
from hlomm.keystore.files import SOON_MS, KeyFile, Label
from hlomm.keystore.folder import GUARDIAN, Found, Keystore, Slot, keystore_at
from hlomm.settings.load import UNREAL, Loaded

NAME: Final = "keystore"


def keystore(loaded: Loaded) -> Iterator[Check]:
    """The folder, then each file that wants a word; nothing of it in profiles sim and paper, where nobody needs one."""
    store = keystore_at(loaded.settings.keys.folder)
    try:
        files = store.files()
    except KeyFault as fault:
        yield refusal(NAME, fault)
        return
    if loaded.profile in UNREAL and not files:
        return
    worries = [check for found in files for check in _file(found)]
    yield from worries
    if any(found.previous and found.key is not None for found in files):
        names = ", ".join(found.path.name for found in files if found.previous)
        yield warn(NAME, Code.ROTATION_WAITS, f"a rotation waits: {names}", "hlomm keys rotate … --confirm, or --undo")
    if loaded.profile not in UNREAL:
        yield from _guardian(loaded, store)
    if not worries:
        yield ok(NAME, f"{store.folder} is private to this user; {_scope(files, loaded.profile)}")


def _file(found: Found) -> Iterator[Check]:
    if found.key is None:
        assert found.fault is not None
        yield refusal(NAME, found.fault)
        return
    if found.key.label is None:
        text = f"{found.path} does not say what it is for"
        yield warn(NAME, Code.KEY_UNLABELLED, text, "hlomm keys import … --from it, then remove it")
        return
    label = found.key.label
    if not found.previous:
        yield from _life(label)
    if found.key.crypto.weak:
        parameter = found.key.crypto.kdfparams.n
        text = f"{found.path}: a guess at its password is cheap (scrypt n={parameter})"
        yield warn(NAME, Code.KEY_WEAK, text, f"{_rotate(label)}")


def _life(label: Label) -> Iterator[Check]:
    if label.expires_ms is None:
        return
    left_ms = label.expires_ms - time.time_ns() // NS_PER_MS
    when = utc_day(label.expires_ms * NS_PER_MS)
    who = f"{label.venue} {label.role} on {label.network}, {label.id}"
    if left_ms <= 0:
        yield fail(
            NAME,
            Code.KEY_EXPIRED,
            f"{who}: expired on {when}",
            f"approve a new one at the venue, then {_rotate(label)}",
        )
    elif left_ms < SOON_MS:
        remedy = f"approve a new one at the venue, then {_rotate(label)}"
        yield warn(NAME, Code.KEY_EXPIRES_SOON, f"{who}: expires on {when}", remedy)


def _guardian(loaded: Loaded, store: Keystore) -> Iterator[Check]:
    """Two roles, two keys."""
    section = loaded.settings.venue.hyperliquid
    if not loaded.settings.guardian.enabled or section.guardian_key_file:
        return
    if store.has(Slot(HYPERLIQUID, "engine", section.chain)) and not store.has(
        Slot(HYPERLIQUID, GUARDIAN, section.chain)
    ):
        yield warn(
            NAME, Code.GUARDIAN_KEY_SHARED,
            "the guardian has no key of its own for hyperliquid: it will share the daemon's",
            f"approve a second agent, then hlomm keys import hyperliquid --role guardian --network {section.chain}",
        )  # fmt: skip


def _scope(files: list[Found], profile: str) -> str:
    """What there is for this profile."""
    labels = [_label(found.key) for found in files if found.key is not None and not found.previous]
    ours = [f"{label.venue} {label.role}" for label in labels if label is not None and label.network == profile]
    others = len(labels) - len(ours)
    more = f", {others} for other networks" if others else ""
    return f"for {profile}: {', '.join(ours) or 'no key'}{more}"


def _label(key: KeyFile) -> Label | None:
    return key.label


def _rotate(label: Label) -> str:
    return f"hlomm keys rotate {label.venue} --role {label.role} --network {label.network}"


def refusal(name: str, fault: KeyFault) -> Check:
    """What a key was refused for, as a check: after the last dash or colon comes what to do."""
    for mark in (" — ", ": "):
        said, found, remedy = str(fault).rpartition(mark)
        if found:
            return fail(name, Code(fault.kind), said, remedy)
    return fail(name, Code(fault.kind), str(fault), "see `hlomm keys list`")
