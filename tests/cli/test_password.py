"""Where the password of the keys comes from, in which order, and what is said when it comes from nowhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest

from hlomm.cli import password as source
from hlomm.cli.password import CREDENTIAL, KEYRING, LENGTH_MAX, VARIABLE, Password
from hlomm.domain.faults import ConfigError, UsageError
from hlomm.domain.secret import Secret


class Memory(keyring.backend.KeyringBackend):
    """A keyring as the library sees one."""

    priority = 1.0  # type: ignore[assignment]

    def __init__(self, entries: dict[tuple[str, str], str], *, locked: bool = False) -> None:
        super().__init__()
        self.entries = entries
        self.locked = locked

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise keyring.errors.KeyringLocked("nobody is there")
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password


@pytest.fixture
def desktop() -> Iterator[dict[tuple[str, str], str]]:
    before, entries = keyring.get_keyring(), {}
    keyring.set_keyring(Memory(entries))
    yield entries
    keyring.set_keyring(before)


def pipe(content: bytes) -> int:
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    return reading


def credential(folder: Path, content: bytes) -> dict[str, str]:
    (folder / CREDENTIAL).write_bytes(content)
    return {"CREDENTIALS_DIRECTORY": str(folder)}


def test_what_was_meant_goes_before_what_lies_around(tmp_path: Path, desktop: dict[tuple[str, str], str]) -> None:
    environ = {VARIABLE: "from the environment"}
    assert Password(environ).get("keys") == Secret("from the environment")
    desktop[KEYRING] = "from the keyring"
    assert Password(environ).get("keys") == Secret("from the keyring")
    environ |= credential(tmp_path, b"from systemd\n")
    assert Password(environ).get("keys") == Secret("from systemd")
    assert Password(environ, pipe(b"from a pipe\n")).get("keys") == Secret("from a pipe")


def test_the_environment_is_warned_about_and_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    Password({VARIABLE: "a word of mine"}).get("keys")
    told = capsys.readouterr().err
    assert told.startswith(f"warning: the key password is in {VARIABLE}")
    assert "a word of mine" not in told


def test_it_is_looked_for_once(tmp_path: Path) -> None:
    password = Password({}, pipe(b"word"))
    assert password.get("one key") == password.get("another") == Secret("word")


def test_a_person_is_asked_last(desktop: dict[tuple[str, str], str]) -> None:
    asked: list[str] = []

    def ask(text: str) -> str:
        asked.append(text)
        return "typed"

    assert Password({}, ask=ask).get("keys") == Secret("typed")
    assert asked == ["password of keys: "]
    desktop[KEYRING] = "from the keyring"
    assert Password({}, ask=ask).get("keys") == Secret("from the keyring")
    assert len(asked) == 1


def test_without_any_the_ways_are_named() -> None:
    with pytest.raises(ConfigError) as refused:
        Password({}).get("keys")
    for way in ("--password-fd", CREDENTIAL, "keyring set hlomm keystore", "terminal"):
        assert way in str(refused.value)


def test_a_keyring_that_nobody_unlocks_is_none() -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(Memory({KEYRING: "x"}, locked=True))
    try:
        with pytest.raises(ConfigError, match="no password"):
            Password({}).get("keys")
    finally:
        keyring.set_keyring(before)


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_empty_one_is_none(tmp_path: Path, content: bytes) -> None:
    given = credential(tmp_path, content)
    for password in (Password({}, pipe(content)), Password(given), Password({}, ask=lambda _: "")):
        with pytest.raises(ConfigError, match="empty"):
            password.get("keys")


def test_a_pipe_that_nobody_closes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "FD_S", 0.05)
    reading, writing = os.pipe()
    os.write(writing, b"half a wo")
    with pytest.raises(UsageError, match="nothing came to its end"):
        Password({}, reading).get("keys")
    os.close(reading)
    os.close(writing)


def test_a_descriptor_that_is_none() -> None:
    closed = os.dup(0)
    os.close(closed)
    for fd in (closed, 10**9):
        with pytest.raises(UsageError, match="--password-fd"):
            Password({}, fd).get("keys")


def test_more_than_a_password(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="more than"):
        Password({}, pipe(b"x" * (LENGTH_MAX + 1))).get("keys")
    with pytest.raises(ConfigError, match="no password"):
        Password(credential(tmp_path, b"x" * (LENGTH_MAX + 1))).get("keys")


def test_a_credential_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / CREDENTIAL).mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        Password({"CREDENTIALS_DIRECTORY": str(tmp_path)}).get("keys")
