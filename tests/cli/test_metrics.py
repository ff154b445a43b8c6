"""`hlomm metrics` as a process: fifty clients, one that does not read, a daemon that comes and goes, a port in use."""

from __future__ import annotations

import json
import select
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hlomm.cli.main import main
from hlomm.daemon.api import server
from tests.cli.conftest import Hlomm

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("missing", ["prometheus_client", "hypercorn"])
def test_without_its_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name in [name for name in sys.modules if name.startswith(("hlomm.cli.metrics", "hlomm.daemon.api", missing))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Missing(missing), *sys.meta_path])
    found = CliRunner().invoke(main, ["metrics", "--port", "0"])
    assert found.exit_code == 2
    assert "pip install '.[metrics]'" in found.stderr


class Missing(MetaPathFinder):
    """As if a package was not installed."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname.partition(".")[0] == self._name:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def serving(hlomm: Hlomm, state: Path) -> tuple[subprocess.Popen[str], int]:
    process = hlomm.start("metrics", "--state-dir", state, "--port", "0", "--json")
    assert process.stdout is not None
    line = json.loads(process.stdout.readline())
    assert line["ready"]
    return process, int(line["url"].rpartition(":")[2])


def get(port: int, path: str) -> tuple[int, bytes]:
    """Over a connection of its own, by hand: what is tested is the server, not a client."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
        wire.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while got := wire.recv(1 << 16):
            data += got
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def test_with_and_without_a_daemon_by_fifty_and_by_one_that_does_not_read(hlomm: Hlomm, tmp_path: Path) -> None:
    state = tmp_path / "st"
    process, port = serving(hlomm, state)
    assert b"hlomm_up 0.0" in get(port, "/metrics")[1]
    status, body = get(port, "/health")
    assert (status, json.loads(body)["health"]) == (503, "down")

    daemon = hlomm.start("run", "--venues", "hyperliquid", "--state-dir", state)
    hlomm.until(lambda: get(port, "/health/ready")[0] == 200, 60)
    deaf = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
    for wire in deaf:
        ask_without_reading(wire)
    with ThreadPoolExecutor(50) as crowd:
        answers = list(crowd.map(lambda n: get(port, ("/metrics", "/positions")[n % 2])[0], range(100)))
    assert answers == [200] * 100
    for wire in deaf:
        ended(wire)

    with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
        wire.sendall(
            b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert wire.recv(1 << 16).split()[1] != b"101", "there is nothing to talk to"

    daemon.send_signal(signal.SIGSTOP)
    began_s = time.monotonic()
    status, body = get(port, "/positions")
    if status == 200:  # of the second before
        status, body = hlomm.until(lambda: (found := get(port, "/positions"))[0] == 503 and found, 20)
    assert status == 503
    error = json.loads(body)["error"]  # it hangs, or its guardian has put an end to that
    assert "the daemon at" in error or "no daemon answers" in error
    assert time.monotonic() - began_s < 20
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def ask_without_reading(wire: socket.socket) -> None:
    """Ask until nothing more is taken."""
    wire.setblocking(False)
    asked = b"GET /performance HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100
    try:
        while True:
            wire.send(asked)
    except BlockingIOError:
        return


def ended(wire: socket.socket) -> None:
    """The server has put an end to it: there is an end, or a reset, behind whatever it had sent."""
    end_s = time.monotonic() + 3 * server.STALLED_MS / 1000
    while time.monotonic() < end_s:
        # Nothing is read until the kernel tells of the reset; reading would open the window again.
        poll = select.poll()
        poll.register(wire, select.POLLHUP | select.POLLERR)
        if poll.poll(1_000):
            wire.close()
            return
    raise AssertionError("a client that does not read is kept for ever")


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = CliRunner().invoke(main, ["metrics", "--state-dir", str(tmp_path), "--port", str(port)])
    assert done.exit_code == 2
    assert f"127.0.0.1:{port}: Address already in use — another --port" in done.stderr


def test_only_this_machine_can_connect() -> None:
    with server.listening(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == server.STALLED_MS


def test_files_are_bounded_and_never_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(server.resource, "setrlimit", lambda which, limits: asked.append(limits))
    for soft, wanted in ((1 << 20, server.FILES_MAX), (64, 64)):
        monkeypatch.setattr(server.resource, "getrlimit", lambda which, soft=soft: (soft, 1 << 20))
        server.bound_files()
        assert asked.pop() == (wanted, 1 << 20)
