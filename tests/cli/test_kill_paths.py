"""`hlomm kill` where the daemon's answer is none, and where its guardian acts no more."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hlomm.cli import views
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import UsageError
from hlomm.link.guardian import Met, Phase, Told, decode_to_guardian
from hlomm.link.protocol import Command, Frames, Hello, Message, Welcome, decode_to_daemon, encode

GARBAGE = struct.pack("<I", 3) + b"\xc1\xc1\xc1"


@pytest.fixture
def speak(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[bytes], bytes]], Path]:
    """One client is answered at a socket of that name; where it is."""
    folder = tmp_path_factory.mktemp("k")

    def start(name: str, answer: Callable[[bytes], bytes]) -> Path:
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(folder / name))
        server.listen()

        def serve() -> None:
            client, _ = server.accept()
            frames = Frames()
            with server, client:
                while data := client.recv(65_536):
                    for body in frames.feed(data):
                        client.sendall(answer(body))

        threading.Thread(target=serve, daemon=True).start()
        return folder / name

    return start


def broken_daemon(body: bytes) -> bytes:
    return encode(Welcome(version=1, pid=1, profile="sim")) if isinstance(decode_to_daemon(body), Hello) else GARBAGE


def guardian(phase: Phase, asked: list[object]) -> Callable[[bytes], bytes]:
    def answer(body: bytes) -> bytes:
        message = decode_to_guardian(body)
        if isinstance(message, Hello):
            return encode(Met(version=1, pid=2))
        asked.append(message)
        told: Message = Told(id=1, phase=phase, reason="pid 77 holds the account", daemon_pid=1, beat_age_s=None)
        return encode(told)

    return answer


def test_an_answer_that_cannot_be_read_sends_the_kill_to_the_guardian(speak, capsys) -> None:
    asked: list[object] = []
    speak("guardian.sock", guardian(Phase.ACTING, asked))
    code = views.command("kill", "sim", None, speak("hlomm.sock", broken_daemon), reason="", as_json=False)
    assert code is ExitCode.CLEAN
    assert [type(one) for one in asked] == [Command]


def test_a_guardian_that_stood_down_is_not_said_to_act(speak) -> None:
    there = speak("guardian.sock", guardian(Phase.STOOD_DOWN, []))
    with pytest.raises(UsageError, match=r"acts no more \(pid 77 holds the account\): cancel at the venue's own site"):
        views.command("kill", "sim", None, there.with_name("hlomm.sock"), reason="", as_json=False)
