"""Bad input on the guardian's socket: refused, noted, and without any effect on the watch."""

from __future__ import annotations

import os
import stat
import struct

import pytest
import trio

from hlomm.domain.faults import ConfigError
from hlomm.domain.inputs import OperatorAction
from hlomm.guardian import server as serving
from hlomm.guardian.server import MAX_CLIENTS
from hlomm.link.guardian import MAX_BEAT_FRAME, VERSION, Goodbye, Phase, Register
from hlomm.link.protocol import Ask, Command, Hello, Refused, encode
from hlomm.rundir.private_socket import Peer, peer_of
from hlomm.rundir.processes import started_ticks
from hlomm.settings.charge import Charge, decode_charge, encode_charge
from tests.guardian.conftest import beat, charge_for, keep_beating

HELLO = encode(Hello(version=VERSION, role="test"))


async def unmoved(p) -> None:
    """The watch over the real daemon goes on as if nothing had been said."""
    asker = await (await p.knock()).greet()
    told = await asker.ask(Ask(id=1))
    assert told.phase is Phase.WATCHING
    assert p.puppet.kills == 0
    assert p.resting == 1


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (struct.pack("<I", MAX_BEAT_FRAME + 1), "bytes exceeds"),
        (struct.pack("<I", 0xFFFFFFFF), "bytes exceeds"),
        (struct.pack("<I", 3) + b"abc", ""),
        (b"GET / HTTP/1.1\r\n\r\n", ""),
        (encode(Ask(id=1)), "expected Hello"),
        (HELLO + encode(beat()), "Beat is not expected here"),
        (HELLO + encode(Goodbye(reason="let me in", clean=True)), "Goodbye is not expected here"),
        (HELLO + encode(Hello(version=VERSION, role="again")), "Hello is not expected here"),
        (HELLO + encode(Register(pid=1, started=1, epoch_ms=1, account="x")), "is not the daemon"),
        (HELLO + encode(Register(pid=os.getpid(), started=1, epoch_ms=1, account="x")), "is not the daemon"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_nonsense_is_dropped_and_noted(post, autojump_clock, raw, why):
    async with post() as p, trio.open_nursery() as nursery:
        nursery.start_soon(keep_beating, await p.daemon())
        await p.trade(resting=1)
        voice = await p.knock()
        await voice.stream.send_all(raw)
        answers = [answer async for answer in _until_closed(voice)]
        assert len(answers) <= 1  # a greeting at most
        await trio.sleep(0.1)
        refused = [line for line in p.record() if line["event"] == "refused"]
        assert len(refused) == 1
        assert why in refused[0]["why"]
        await unmoved(p)
        nursery.cancel_scope.cancel()


async def _until_closed(voice):
    while (answer := await voice.hear()) is not None:
        yield answer


async def test_another_version_is_told_so(post, autojump_clock):
    async with post() as p:
        voice = await p.knock()
        answer = await voice.ask(Hello(version=VERSION + 1, role="test"))
        assert isinstance(answer, Refused)
        assert "use the same hlomm for both" in answer.text
        assert await voice.hear() is None


async def test_another_user_is_not_heard_at_all(post, autojump_clock, monkeypatch):
    async with post() as p, trio.open_nursery() as nursery:
        nursery.start_soon(keep_beating, await p.daemon())
        await p.trade(resting=1)
        with monkeypatch.context() as patch:
            patch.setattr(serving, "peer_of", lambda stream: Peer(peer_of(stream).pid, os.getuid() + 1))
            voice = await p.knock()
            assert await voice.hear() is None
        assert [line["why"] for line in p.record() if line["event"] == "refused"] == ["uid"]
        await unmoved(p)
        nursery.cancel_scope.cancel()


async def test_only_the_process_it_was_started_for_may_register(post, autojump_clock, monkeypatch):
    """What the client says of itself is right; what the kernel says of it is not."""
    async with post() as p, trio.open_nursery() as nursery:
        nursery.start_soon(keep_beating, await p.daemon())
        monkeypatch.setattr(serving, "peer_of", lambda stream: Peer(1, peer_of(stream).uid))
        voice = await (await p.knock()).greet()
        pid = os.getpid()
        assert await voice.ask(Register(pid=pid, started=started_ticks(pid) or 0, epoch_ms=1, account="test")) is None
        await trio.sleep(1)
        assert p.puppet.kills == 0
        nursery.cancel_scope.cancel()


async def test_a_registered_daemon_that_talks_nonsense_is_judged_by_its_silence(post, autojump_clock):
    async with post() as p:
        voice = await p.daemon()
        await voice.stream.send_all(b"\x04\x00\x00\x00junk")
        await trio.sleep(2)
        assert p.puppet.kills == 0
        await trio.sleep(2)
        assert p.puppet.kills == 1


async def test_crowds_and_the_silent_do_not_keep_an_operator_out(post, autojump_clock):
    async with post() as p, trio.open_nursery() as nursery:
        nursery.start_soon(keep_beating, await p.daemon())
        await p.trade(resting=1)
        crowd = [await p.knock() for _ in range(MAX_CLIENTS)]
        assert await crowd[-1].hear() is None, "one too many"
        await trio.sleep(6)
        assert await crowd[0].hear() is None, "who does not greet is shown the door"
        operator = await (await p.knock()).greet()
        told = await operator.ask(Command(id=1, action=OperatorAction.KILL))
        assert told.phase is Phase.ACTING
        nursery.cancel_scope.cancel()


async def test_the_socket_is_private(post, autojump_clock):
    async with post() as p:
        await p.knock()
        mode = p.paths.guardian_socket.stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
        assert stat.S_IMODE(p.paths.guardian_log.stat().st_mode) == 0o600


async def test_a_charge_round_trips_and_never_shows_its_key(post, autojump_clock):
    async with post() as p:
        await p.knock()
        charge = charge_for(p.sim)
        assert decode_charge(encode_charge(charge)) == charge
        assert charge.venues[0].key.reveal()[2:] not in repr(charge)
        assert charge.venues[0].key.reveal()[2:] not in p.paths.guardian_log.read_text()
        assert isinstance(charge, Charge)
        unreadable = encode_charge(charge).replace(b'"sim"', b'"s\xff\xfem"', 1)  # not UTF-8 beside a sound key
        for raw in (b"", b"{}", encode_charge(charge)[:-20], unreadable, b"[" * 100_000):
            with pytest.raises(ConfigError) as refused:
                decode_charge(raw)
            assert charge.venues[0].key.reveal()[2:] not in str(refused.value)
