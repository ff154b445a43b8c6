"""One-shot clients of the daemon's and the guardian's sockets: plain blocking sockets, bounded in time."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from hlomm.cli.canary import profile_of
from hlomm.domain.faults import ProtocolViolation, UsageError
from hlomm.domain.inputs import OperatorAction
from hlomm.domain.report import Snapshot
from hlomm.link import guardian
from hlomm.link.guardian import FromGuardian, Met, Told, decode_from_guardian
from hlomm.link.protocol import (
    VERSION,
    Access,
    Answer,
    Ask,
    Command,
    Frames,
    Hello,
    Message,
    Refused,
    ToClient,
    Welcome,
    decode_to_client,
    encode,
)
from hlomm.settings.load import PROFILES
from hlomm.settings.paths import StatePaths, state_paths

ANSWER_S: Final = 5.0
KILL_S: Final = 1.0
"""A daemon that does not take a kill within that time is passed over: the guardian is asked."""
GUARDIAN_S: Final = 2.0
REASON_MAX: Final = 1_000
"""Far more than is kept of it; a longer one would make a frame that is not taken."""
TARGET_MAX: Final = 10_000
"""Likewise: the daemon says how much it takes."""

Heard = TypeVar("Heard", bound=msgspec.Struct)


def socket_path(profile: str, state_dir: Path | None, socket_file: Path | None) -> Path:
    return socket_file if socket_file is not None else state_paths(state_dir, profile).socket


def how_to_start(daemon_socket: Path) -> str:
    """What to do where no daemon answers: `hlomm run` alone is the simulator's."""
    name = daemon_socket.parent.name
    other = name != "sim" and profile_of(name) in PROFILES and state_paths(None, name).socket == daemon_socket
    return f"start one with `hlomm run{f' --profile {name}' if other else ''}`"


def sendable(text: str, room: int) -> str:
    """What a person typed, as the link can carry it: cut, and without bytes that are no text in UTF-8.

    A reason that a terminal of another encoding spoilt must not keep a kill from leaving.
    """
    return text[:room].encode("utf-8", "replace").decode()


def guardian_beside(daemon_socket: Path) -> Path:
    """The guardian listens in the same directory as its daemon."""
    return StatePaths(daemon_socket.parent).guardian_socket


class _Wire(Generic[Heard]):
    """Frames over a blocking socket; everything that goes wrong is a UsageError that says so."""

    def __init__(self, path: Path, who: str, decode: Callable[[bytes], Heard], answer_s: float, *, remedy: str) -> None:
        self._who = f"the {who} at {path}"
        self._decode = decode
        self._answer_s = answer_s
        self._frames = Frames()
        self._pending: list[Heard] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(answer_s)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise UsageError(f"no {who} answers at {path} — {remedy}") from None

    def close(self) -> None:
        self._socket.close()

    def exchange(self, message: Message) -> Heard:
        try:
            self._socket.sendall(encode(message))
            while not self._pending:
                data = self._socket.recv(1 << 16)
                if not data:
                    raise UsageError(f"{self._who} closed the connection — is it ending?")
                self._pending.extend(self._decode(body) for body in self._frames.feed(data))
        except TimeoutError:
            raise UsageError(f"{self._who} does not answer within {self._answer_s:.0f} s") from None
        except OSError as error:
            raise UsageError(f"{self._who} is gone ({error.strerror or error})") from None
        reply = self._pending.pop(0)
        if isinstance(reply, Refused):
            raise UsageError(f"{self._who} refuses: {reply.text}")
        return reply


def _origin() -> str:
    return os.environ.get("SSH_CONNECTION", "").partition(" ")[0]


class Client:
    """To the daemon."""

    def __init__(self, path: Path, answer_s: float = ANSWER_S, access: Access = Access.OPERATOR) -> None:
        self._wire: _Wire[ToClient] = _Wire(path, "daemon", decode_to_client, answer_s, remedy=how_to_start(path))
        try:
            welcome = self._wire.exchange(Hello(version=VERSION, role="script", origin=_origin(), access=access))
        except UsageError:
            self._wire.close()
            raise
        if not isinstance(welcome, Welcome):
            raise ProtocolViolation("welcome", f"expected Welcome, was {type(welcome).__name__}")

    def close(self) -> None:
        self._wire.close()

    def snapshot(self) -> Snapshot:
        return self._snapshot(Ask(id=1))

    def command(self, action: OperatorAction, reason: str, target: str) -> Snapshot:
        said, to = sendable(reason, REASON_MAX), sendable(target, TARGET_MAX)
        return self._snapshot(Command(id=1, action=action, reason=said, target=to))

    def _snapshot(self, message: Ask | Command) -> Snapshot:
        reply = self._wire.exchange(message)
        if not isinstance(reply, Answer):
            raise ProtocolViolation("answer", f"expected Answer, was {type(reply).__name__}")
        return reply.snapshot


def tell_guardian(path: Path, message: Ask | Command, access: Access = Access.OPERATOR) -> Told:
    """One question or order to the guardian; UsageError if there is none, or the order is refused."""
    wire: _Wire[FromGuardian] = _Wire(
        path, "guardian", decode_from_guardian, GUARDIAN_S, remedy="if orders may rest, cancel at the venue's own site"
    )
    try:
        met = wire.exchange(Hello(version=guardian.VERSION, role="script", origin=_origin(), access=access))
        if not isinstance(met, Met):
            raise ProtocolViolation("met", f"expected Met, was {type(met).__name__}")
        told = wire.exchange(message)
    finally:
        wire.close()
    if not isinstance(told, Told):
        raise ProtocolViolation("told", f"expected Told, was {type(told).__name__}")
    return told
