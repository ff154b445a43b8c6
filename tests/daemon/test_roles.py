"""Who may do what on the daemon's socket, and where it is written down."""

from __future__ import annotations

import os

import pytest
import trio

from hlomm.daemon.link_server import user_of
from hlomm.domain.inputs import OperatorAction, OperatorCommand
from hlomm.domain.units import SCALE
from hlomm.link.protocol import (
    READ_ONLY,
    VERSION,
    Access,
    Answer,
    Ask,
    Command,
    Hello,
    Refused,
    Update,
    Watch,
    Welcome,
)
from hlomm.rundir.audit_file import AuditFile
from tests.daemon.test_link_server import Peer, connect

__all__ = ["connect"]

WHO = f"{user_of(os.getuid())} from 10.0.0.7"


async def viewer(peer: Peer) -> Peer:
    await peer.say(Hello(version=VERSION, role="test", origin="10.0.0.7", access=Access.VIEWER))
    welcome = await peer.hear()
    assert isinstance(welcome, Welcome)
    assert welcome.access is Access.VIEWER, (
        "a client can tell a daemon that holds it to its role from one that does not"
    )
    return peer


async def test_a_viewer_sees_everything_and_commands_nothing(rig, connect, autojump_clock):
    async with rig() as r:
        await r.quoting(2)
        peer = await viewer(await connect(r))
        await peer.say(Ask(id=1))
        assert isinstance(await peer.hear(), Answer)
        for number, action in enumerate(OperatorAction, 2):
            await peer.say(Command(id=number, action=action, reason="curious", target="avellaneda"))
            refused = await peer.hear()
            assert isinstance(refused, Refused)
            assert (refused.id, refused.code) == (number, READ_ONLY)
        assert r.state == "running"
        assert r.engine.state.paused == {}
        await peer.say(Watch(id=20, interval_ms=200))
        assert isinstance(await peer.hear(), Update), "the connection lives on"
        await trio.sleep(3)
        await r.stop()
    links = AuditFile(r.paths.audit).read().links
    assert [(link.action.action, link.action.who, link.action.result) for link in links[:-1]] == [
        ("kill", WHO, "refused: read-only (viewer)")
    ], "one line for a connection, however often it tries"


async def test_a_role_is_asked_for_once(rig, connect, autojump_clock):
    async with rig() as r:
        await r.quoting(2)
        peer = await viewer(await connect(r))
        await peer.say(Hello(version=VERSION, role="test"))
        assert await peer.hear() is None, "a second greeting ends the connection"
        assert r.state == "running"


@pytest.mark.parametrize("action", [OperatorAction.KILL, OperatorAction.CANCEL])
async def test_an_action_shows_up_with_its_number_in_the_chain(rig, connect, autojump_clock, action):
    async with rig() as r:
        await r.quoting(2)
        peer = await (await connect(r)).greet()
        await peer.say(Command(id=1, action=action, reason="drill"))
        assert isinstance(await peer.hear(), Answer)
        await r.until(lambda: r.state == "halted", 60)
        await trio.sleep(3)
        await peer.say(Ask(id=2))
        answer = await peer.hear()
        assert isinstance(answer, Answer)
        row = answer.snapshot.audit[-1]
        assert (row.n, row.action, row.who, row.reason) == (1, action.value, WHO, "drill")
        assert row.result.startswith("flattening: ")


@pytest.mark.parametrize("action", [OperatorAction.CANCEL, OperatorAction.FLATTEN])
async def test_cancel_leaves_no_order_and_sells_nothing(rig, autojump_clock, action):
    """The same moment with both orders: what one keeps, the other sells."""
    async with rig(seed=7) as r:
        await r.quoting()
        await r.until(lambda: one_sided(r) > 20 * SCALE, 300)
        r.daemon.pump([OperatorCommand(action=action, actor="test", reason="drill")], 0)
        await r.until(lambda: r.state == "halted", 60)
        assert r.resting_at_venue() == 0
        assert r.engine.state.halt_reason == f"{action.value} by test (drill)"
        assert (one_sided(r) > 0) is (action is OperatorAction.CANCEL)


def one_sided(r) -> int:
    """Tokens beyond complete sets, as the venue has them."""
    held = r.tokens_at_venue()
    return max((abs(qty - held.get(coin[:-1] + "10"[int(coin[-1])], 0)) for coin, qty in held.items()), default=0)
