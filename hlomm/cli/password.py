"""The one password of the keys: from a descriptor, a systemd credential, the keyring, the environment, a person."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import click

from hlomm.domain.checkup import Code
from hlomm.domain.faults import ConfigError, KeyFault, UsageError
from hlomm.domain.secret import Secret
from hlomm.rundir import bounded_read

VARIABLE: Final = "HL_OMM_KEY_PASSWORD"
CREDENTIAL: Final = "hlomm-key-password"
"""Name of the systemd credential: `LoadCredentialEncrypted=hlomm-key-password:…`."""
KEYRING: Final = ("hlomm", "keystore")
"""Service and user name in the keyring of the desktop: `keyring set hlomm keystore`."""
LENGTH_MAX: Final = 4_096
FD_S: Final = 30.0
KEYRING_S: Final = 30.0
"""A locked keyring asks its owner, who may not be there."""

Ask = Callable[[str], str]


class Password:
    """Looked for when it is first needed, then remembered; asked for once, however many keys there are."""

    def __init__(self, environ: Mapping[str, str], fd: int | None = None, ask: Ask | None = None) -> None:
        self._environ = environ
        self._fd = fd
        self._ask = ask if ask is not None or not sys.stdin.isatty() else _prompt
        self._asked = False
        self._found: Secret | None = None

    def get(self, what: str) -> Secret:
        """ConfigError if there is none, or an empty one. `what` it is for, in words."""
        if self._found is None:
            self._found = self._look(what)
            if not self._found:
                raise KeyFault(Code.PASSWORD_MISSING, f"the password of {what} is empty")
        return self._found

    def set(self, what: str) -> Secret:
        """The same for a password that begins here: a person types it twice. ConfigError if the two differ."""
        asked, self._asked = self._found is None, False
        first = self.get(what)
        if asked and self._asked and self._ask is not None and Secret(self._ask("again: ")) != first:
            self._found = None
            raise ConfigError(f"the two passwords of {what} differ: nothing was written")
        return first

    def _look(self, what: str) -> Secret:
        if self._fd is not None:
            return _from_fd(self._fd)
        found = credential(self._environ, CREDENTIAL, "password", LENGTH_MAX)
        found = _from_keyring() if found is None else found
        if found is not None:
            return found
        if self._environ.get(VARIABLE):
            click.echo(
                f"warning: the key password is in {VARIABLE}, where other programs can see it; "
                "better are --password-fd, a systemd credential, the keyring or being asked", err=True,
            )  # fmt: skip
            return Secret(self._environ[VARIABLE])
        if self._ask is None:
            raise KeyFault(
                Code.PASSWORD_MISSING,
                f"no password for {what}: give it with --password-fd N, as systemd credential {CREDENTIAL}, in the "
                f"keyring (`keyring set {' '.join(KEYRING)}`), or start from a terminal",
            )
        self._asked = True
        return Secret(self._ask(f"password of {what}: "))


def _prompt(text: str) -> str:
    import getpass

    return getpass.getpass(text)


def _from_fd(fd: int) -> Secret:
    return read_fd(fd, "--password-fd", LENGTH_MAX)


def read_fd(fd: int, option: str, most: int) -> Secret:
    """All that comes, without the line break at its end; the descriptor is closed. UsageError if that is not readable.

    Whoever holds the other end and neither writes nor closes is not waited for.
    """
    try:
        content = bounded_read.read_fd(fd, most, FD_S)
        os.close(fd)
    except TimeoutError as error:
        raise UsageError(f"{option} {fd}: {error}") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{option} {fd}: {why} — open it for us, e.g. {option} 3 3<file") from None
    if len(content) > most:
        raise UsageError(f"{option} {fd}: more than {most} bytes")
    return Secret(content.rstrip(b"\r\n"))


def credential(environ: Mapping[str, str], name: str, what: str, most: int) -> Secret | None:
    """What systemd put into a folder of this service alone; None if it did not."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return None
    path = Path(folder) / name
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error} — the credential cannot be read") from None
    if len(content) > most:
        raise ConfigError(f"{path}: more than {most} bytes are no {what}")
    return Secret(content.rstrip(b"\r\n"))


def _from_keyring() -> Secret | None:
    """None without the `keyring` library, without a keyring, without our entry, or if nobody unlocks it in time."""
    try:
        import keyring
        import keyring.errors
    except ImportError:
        return None
    found: list[Secret] = []

    def look() -> None:
        try:
            text = keyring.get_password(*KEYRING)
        except (keyring.errors.KeyringError, OSError, RuntimeError):
            return
        if text:
            found.append(Secret(text))

    thread = threading.Thread(target=look, name="keyring", daemon=True)
    thread.start()
    thread.join(KEYRING_S)
    return found[0] if found else None
