"""The folder of keys: private or refused, whole at every moment, and what its files may ask of whoever reads them."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hlomm.domain.faults import AnotherInstance, ConfigError, UsageError
from hlomm.domain.secret import Secret
from hlomm.keystore.envelope import encrypt, encrypt_key
from hlomm.keystore.files import Label, encode, parse
from hlomm.keystore.folder import FILES_MAX, Keystore, Slot
from hlomm.rundir import replacing
from hlomm.rundir.lock import Lock

SLOT = Slot("hyperliquid", "engine", "testnet")
OLD, NEW = bytes(31) + b"\x07", bytes(31) + b"\x08"


def content(key: bytes = OLD, **changes: Any) -> bytes:
    label = Label(
        version=1, venue="hyperliquid", role="engine", network="testnet", kind="secp256k1", id=key.hex()[-4:],
        imported_ms=1, expires_ms=None,
    )  # fmt: skip
    return encode(encrypt_key(Secret(key), Secret("word"), 2), msgspec.structs.replace(label, **changes))


@pytest.fixture
def store(tmp_path: Path) -> Keystore:
    return Keystore(tmp_path / "deep" / "keys")


def ids(store: Keystore) -> dict[str, str]:
    return {
        found.path.name.removesuffix(".json"): found.key.label.id if found.key and found.key.label else found.wrong
        for found in store.files()
    }


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- life of a key


def test_a_key_is_put_in_listed_rotated_and_taken_away(store: Keystore) -> None:
    assert store.files() == []
    assert not store.has(SLOT)
    path = store.add(SLOT, content())
    assert (mode(store.folder), mode(path)) == (0o700, 0o600)
    assert ids(store) == {"hyperliquid-engine-testnet": "0007"}
    with pytest.raises(UsageError, match="hlomm keys rotate hyperliquid --role engine --network testnet"):
        store.add(SLOT, content(NEW))
    assert ids(store) == {"hyperliquid-engine-testnet": "0007"}
    store.rotate(SLOT, content(NEW))
    assert ids(store) == {"hyperliquid-engine-testnet": "0008", "hyperliquid-engine-testnet.previous": "0007"}
    with pytest.raises(UsageError, match="waits for --confirm or --undo"):
        store.rotate(SLOT, content())
    store.undo(SLOT)
    assert ids(store) == {"hyperliquid-engine-testnet": "0007"}
    store.rotate(SLOT, content(NEW))
    store.confirm(SLOT)
    assert ids(store) == {"hyperliquid-engine-testnet": "0008"}
    for end in (store.confirm, store.undo):
        with pytest.raises(UsageError, match="no rotation"):
            end(SLOT)
    store.remove(SLOT)
    assert ids(store) == {}
    with pytest.raises(UsageError, match="hlomm keys list"):
        store.remove(SLOT)
    with pytest.raises(UsageError, match="hlomm keys import"):
        store.rotate(SLOT, content())


def test_removing_takes_the_one_from_before_the_rotation_too(store: Keystore) -> None:
    store.add(SLOT, content())
    store.rotate(SLOT, content(NEW))
    assert len(store.remove(SLOT)) == 2
    assert ids(store) == {}


def test_two_at_a_time_are_one_too_many(store: Keystore) -> None:
    store.add(SLOT, content())
    lock = Lock(store.folder / ".lock", "the test")
    with pytest.raises(AnotherInstance):
        store.rotate(SLOT, content(NEW))
    lock.release()
    store.rotate(SLOT, content(NEW))


DYING = """
import os, sys
from pathlib import Path
from hlomm.keystore.folder import Keystore, Slot
folder, act, content = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]).read_bytes()
WATCHED = ("open", "os.link", "os.rename", "os.remove")
for last in range(1, 200):
    here = folder / f"{act}-{last}"
    store, slot = Keystore(here / "keys"), Slot("hyperliquid", "engine", "testnet")
    store.add(slot, Path(sys.argv[4]).read_bytes())
    if act != "rotate":
        store.rotate(slot, content)
    child = os.fork()
    if child == 0:
        seen = [0]
        def hook(event, args):
            if event in WATCHED:
                seen[0] += 1
                if seen[0] == last:
                    os._exit(77)
        sys.addaudithook(hook)
        store.rotate(slot, content) if act == "rotate" else getattr(store, act)(slot)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
print(last)
"""


@pytest.mark.parametrize("act", ["rotate", "confirm", "undo"])
def test_whenever_it_dies_the_slot_is_the_old_key_or_the_new(tmp_path: Path, act: str) -> None:
    """A process that ends before each step at the disk, one after the other."""
    (tmp_path / "new").write_bytes(content(NEW))
    (tmp_path / "old").write_bytes(content())
    script = [sys.executable, "-c", DYING, str(tmp_path), act, str(tmp_path / "new"), str(tmp_path / "old")]
    done = subprocess.run(script, check=True, capture_output=True, text=True, timeout=60)
    assert int(done.stdout) >= 4, "it died at each of several steps"
    seen = set()
    for last in range(1, int(done.stdout)):
        store = Keystore(tmp_path / f"{act}-{last}" / "keys")
        found = ids(store)
        slot, previous = found["hyperliquid-engine-testnet"], found.get("hyperliquid-engine-testnet.previous")
        seen.add((slot, previous))
        assert slot in {"0007", "0008"}
        assert "0007" in found.values() or act == "confirm", "the old key is never lost before it is confirmed"
        if act == "rotate" and slot == "0007":
            store.rotate(SLOT, content(NEW))  # begun again it is done
            assert ids(store)["hyperliquid-engine-testnet"] == "0008"
            assert ids(store)["hyperliquid-engine-testnet.previous"] == "0007"
        elif previous is not None:
            (store.confirm if act == "confirm" else store.undo)(SLOT)
    if act == "rotate":
        assert {("0007", None), ("0007", "0007"), ("0008", "0007")} <= seen, "every state on the way was one"


# -- who could read it


@pytest.mark.parametrize("bits", [0o755, 0o750, 0o701, 0o770])
def test_a_folder_open_to_others_is_refused_with_the_command(store: Keystore, bits: int) -> None:
    store.add(SLOT, content())
    store.folder.chmod(bits)
    for act in (store.files, lambda: store.has(SLOT), lambda: store.add(SLOT, b""), lambda: store.remove(SLOT)):
        with pytest.raises(ConfigError, match=f"chmod 700 {store.folder}"):
            act()


def test_a_file_open_to_others_is_named_with_the_command(store: Keystore) -> None:
    path = store.add(SLOT, content())
    path.chmod(0o644)
    (found,) = store.files()
    assert found.key is None
    assert found.wrong == f"{path} can be read by others (mode 0644): chmod 600 {path}"


def test_links_are_not_followed(store: Keystore, tmp_path: Path) -> None:
    store.add(SLOT, content())
    aside = store.folder / "aside"
    store.path(SLOT).rename(aside)
    store.path(SLOT).symlink_to(aside)
    assert "is a symlink" in store.files()[0].wrong
    other = tmp_path / "other"
    other.symlink_to(store.folder)
    with pytest.raises(ConfigError, match="is a symlink"):
        Keystore(other).files()


def test_what_is_no_file_is_not_waited_for(store: Keystore) -> None:
    store.add(SLOT, content())
    store.remove(SLOT)
    os.mkfifo(store.path(SLOT), 0o600)
    assert "not a regular file" in store.files()[0].wrong


def test_a_file_of_somebody_else_is_refused(store: Keystore) -> None:
    from hlomm.rundir.private_file import exposure

    path = store.add(SLOT, content())
    fields = list(path.stat())
    fields[4] = os.geteuid() + 1
    assert exposure(path, os.stat_result(fields)) == f"{path} belongs to uid {fields[4]}: chown {os.geteuid()} {path}"


def test_a_full_disk_leaves_the_key_that_is_there(store: Keystore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store.add(SLOT, content())
    with monkeypatch.context() as patch:
        patch.setattr(replacing.os, "write", full)
        for act in (store.rotate, lambda _slot, new: store.add(Slot("kalshi", "engine", "testnet"), new)):
            with pytest.raises(ConfigError, match="No space left"):
                act(SLOT, content(NEW))
    assert ids(store)["hyperliquid-engine-testnet"] == "0007"
    store.rotate(SLOT, content(NEW))
    assert ids(store)["hyperliquid-engine-testnet"] == "0008"


def test_a_place_where_there_can_be_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="keystore"):
        Keystore(tmp_path / "file" / "keys").add(SLOT, content())


def test_a_folder_of_something_else_is_not_read_through(store: Keystore) -> None:
    store.add(SLOT, content())
    for number in range(FILES_MAX):
        (store.folder / f"{number}.json").touch(0o600)
    with pytest.raises(ConfigError, match="no folder of keys"):
        store.files()


# -- what a file may say


def test_cut_off_anywhere_it_is_refused_without_being_repeated() -> None:
    whole = content()
    parse(Path("x"), Secret(whole))
    for length in range(len(whole)):
        with pytest.raises(ConfigError, match="import the key again") as refused:
            parse(Path("x"), Secret(whole[:length]))
        assert "ciphertext" not in str(refused.value) or length == 0


@pytest.mark.parametrize(
    "parameters",
    [{"n": 1 << 40}, {"n": 3}, {"n": 1 << 20, "r": 64}, {"p": 1_000}, {"dklen": 16}, {"n": 0}, {"salt": "zz"}],
)
def test_a_file_cannot_ask_for_all_memory_or_a_day(parameters: dict[str, Any]) -> None:
    crypto = encrypt(Secret(b"x"), Secret("word"), 2)
    crypto["kdfparams"] = {**crypto["kdfparams"], **parameters}
    with pytest.raises(ConfigError):
        parse(Path("x"), Secret(msgspec.json.encode({"version": 3, "crypto": crypto})))


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{}", '{"version":4}', "\udcff", "[" * 100_000, '{"version":3,"crypto":{}}', "secret words"],
)
def test_what_is_no_key_file_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(Path("x"), Secret(text.encode(errors="surrogateescape")))
    assert "secret words" not in str(refused.value)


def test_a_label_of_a_later_version_is_refused() -> None:
    later = content().replace(b'"hlomm":{"version":1', b'"hlomm":{"version":2')
    with pytest.raises(ConfigError):
        parse(Path("x"), Secret(later))
