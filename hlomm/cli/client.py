"""A one-shot client of the control link: plain blocking sockets, bounded in time."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from hlomm.domain.faults import ProtocolViolation, UsageError
from hlomm.domain.inputs import OperatorAction
from hlomm.domain.report import Snapshot
from hlomm.link.protocol import (
    VERSION,
    Answer,
    Ask,
    Command,
    Frames,
    Hello,
    Refused,
    ToClient,
    Welcome,
    decode_to_client,
    encode,
)
from hlomm.settings.paths import state_paths

ANSWER_S = 5.0


def socket_path(profile: str, state_dir: Path | None, socket_file: Path | None) -> Path:
    return socket_file if socket_file is not None else state_paths(state_dir, profile).socket


class Client:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._frames = Frames()
        self._pending: list[ToClient] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(ANSWER_S)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise UsageError(f"no daemon answers at {path} — start one with `hlomm run`") from None
        origin = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
        welcome = self._exchange(Hello(version=VERSION, role="script", origin=origin))
        if not isinstance(welcome, Welcome):
            raise ProtocolViolation("welcome", f"expected Welcome, was {type(welcome).__name__}")

    def close(self) -> None:
        self._socket.close()

    def snapshot(self) -> Snapshot:
        return self._snapshot(Ask(id=1))

    def command(self, action: OperatorAction, reason: str, target: str) -> Snapshot:
        return self._snapshot(Command(id=1, action=action, reason=reason, target=target))

    def _snapshot(self, message: Ask | Command) -> Snapshot:
        reply = self._exchange(message)
        if not isinstance(reply, Answer):
            raise ProtocolViolation("answer", f"expected Answer, was {type(reply).__name__}")
        return reply.snapshot

    def _exchange(self, message: Hello | Ask | Command) -> ToClient:
        try:
            self._socket.sendall(encode(message))
            while not self._pending:
                data = self._socket.recv(1 << 16)
                if not data:
                    raise UsageError(f"the daemon at {self._path} closed the connection — is it ending?")
                self._pending.extend(decode_to_client(body) for body in self._frames.feed(data))
        except TimeoutError:
            raise UsageError(f"the daemon at {self._path} does not answer within {ANSWER_S:.0f} s") from None
        except OSError as error:
            raise UsageError(f"the daemon at {self._path} is gone ({error.strerror or error})") from None
        reply = self._pending.pop(0)
        if isinstance(reply, Refused):
            raise UsageError(f"the daemon refuses: {reply.text}")
        return reply
