"""What a service manager is told, heard at a real datagram socket: ready, how it stands, alive, stopping."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from hlomm.daemon.service import Service
from hlomm.domain.inputs import OperatorAction, OperatorCommand


@attrs.define(eq=False)
class Manager:
    """The other end."""

    address: str
    wire: socket.socket
    heard: list[str] = attrs.field(factory=list)
    told: int = 0

    def hear(self) -> list[str]:
        """Every line so far, in order."""
        while True:
            try:
                self.heard += self.wire.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self.heard

    def news(self) -> list[str]:
        """What came since the last time this was asked."""
        self.hear()
        new, self.told = self.heard[self.told :], len(self.heard)
        return new

    async def listen(self) -> None:
        """A manager reads all the time: the kernel keeps ten messages for it."""
        while True:
            self.hear()
            await trio.sleep(0.2)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.setblocking(False)
        wire.bind(str(tmp_path / "notify"))
        yield Manager(str(tmp_path / "notify"), wire)


def test_it_is_taken_from_the_environment_and_out_of_it(manager: Manager) -> None:
    """A child that had it could say `READY` or `STOPPING` for us."""
    pid = os.getpid()
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(pid), "HOME": "/"}
    service = Service.from_environment(environ, pid)
    assert environ == {"HOME": "/"}
    service.tell("READY=1")
    service.close()
    assert manager.news() == ["READY=1"]
    service.tell("READY=1")
    assert manager.news() == [], "closed"


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_ours_and_a_number_or_there_is_none(environ: dict[str, str], seconds: float | None) -> None:
    service = Service.from_environment({"NOTIFY_SOCKET": "@hlomm-test", **environ}, 77)
    assert service._watchdog_s == seconds
    service.close()


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}])
def test_without_a_manager_nothing_is_said_and_nothing_fails(environ: dict[str, str]) -> None:
    service = Service.from_environment(environ, 1)
    service.tell("READY=1")
    service.stopping(5)
    assert service.failures == 0


def test_an_abstract_address_is_one_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.bind(f"\0hlomm-test-{os.getpid()}")
        wire.setblocking(False)
        service = Service(f"@hlomm-test-{os.getpid()}")
        service.tell("READY=1")
        service.close()
        assert wire.recv(100) == b"READY=1"


def test_a_manager_that_is_gone_or_does_not_listen_costs_nothing(manager: Manager, tmp_path: Path) -> None:
    gone, deaf = Service(str(tmp_path / "none")), Service(manager.address)
    gone.tell("READY=1")
    for _ in range(5_000):
        deaf.tell("WATCHDOG=1")
    assert (gone.failures, deaf.failures > 0) == (1, True)
    assert manager.hear()[0] == "WATCHDOG=1"
    gone.close()
    deaf.close()


async def test_a_run_says_ready_alive_how_it_stands_and_stopping(
    rig: Any, autojump_clock: Any, manager: Manager
) -> None:
    async with (
        trio.open_nursery() as listening,
        rig(seed=7, service=Service(manager.address, watchdog_s=6)) as r,
    ):
        listening.start_soon(manager.listen)
        await r.quoting(1)
        await trio.sleep(2)
        assert manager.news()[0] == "READY=1"
        assert any(line.startswith("STATUS=running: ") for line in manager.heard)
        await trio.sleep(30)
        alive = manager.news().count("WATCHDOG=1")
        assert alive >= 15, "at least every two seconds of six"
        r.daemon.pump([OperatorCommand(action=OperatorAction.KILL, actor="me", reason="two\nlines")], 0)
        await r.until(lambda: r.state == "halted", 60)
        await trio.sleep(3)
        said = manager.news()
        assert "WATCHDOG=1" in said, "HALTED is alive"
        assert any(line.startswith("STATUS=halted: ") and "two lines" in line for line in said)
        assert not any(line.startswith("lines") for line in said), "a reason is no line of the protocol"
        await r.stop()
        listening.cancel_scope.cancel()
    said = manager.news()
    assert said.count("STOPPING=1") == 1
    assert "EXTEND_TIMEOUT_USEC=75000000" in said
    assert manager.heard.count("READY=1") == 1


async def test_an_engine_whose_deadlines_pass_is_not_alive(
    rig: Any, autojump_clock: Any, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop turns and the engine does not: exactly what a watchdog that only pings would miss."""
    async with (
        trio.open_nursery() as listening,
        rig(seed=7, service=Service(manager.address, watchdog_s=6)) as r,
    ):
        listening.start_soon(manager.listen)
        await r.quoting(1)
        late_ms = 0
        monkeypatch.setattr("hlomm.daemon.service.overdue_ms", lambda pump: late_ms)
        await trio.sleep(5)
        assert "WATCHDOG=1" in manager.news()
        late_ms = 3_000
        await trio.sleep(2)
        manager.news()
        await trio.sleep(20)
        assert "WATCHDOG=1" not in manager.news()
        r.daemon.request_stop("an operator")
        await trio.sleep(2)
        assert "WATCHDOG=1" in manager.news(), "stopping has a deadline of its own"
        await r.stop()
        listening.cancel_scope.cancel()
