"""The guardian's socket: who may speak on it, and what each may say.

Only processes of this user are heard, and only the daemon named in the charge may register: the kernel says which
process is connected. Whoever speaks nonsense is dropped and noted, without any effect on the watch.
"""

from __future__ import annotations

import os
from typing import Final

import msgspec
import trio

from hlomm.domain.audit import Action
from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.inputs import OperatorAction
from hlomm.guardian import policy
from hlomm.guardian.act import Act
from hlomm.guardian.record import Record, on_disk
from hlomm.guardian.watch import Watch
from hlomm.link import protocol
from hlomm.link.guardian import (
    MAX_BEAT_FRAME,
    VERSION,
    Beat,
    Goodbye,
    Leave,
    Met,
    Register,
    Taken,
    ToGuardian,
    Told,
    decode_to_guardian,
)
from hlomm.link.protocol import Ask, Command, Frames, Hello, Message, Refused, encode, one_line, read_only
from hlomm.rundir import owned_file
from hlomm.rundir.audit_file import AuditFile
from hlomm.rundir.private_socket import Peer, listen, peer_of
from hlomm.settings.charge import Charge
from hlomm.settings.paths import StatePaths
from hlomm.venues.clock import Clock

MAX_CLIENTS: Final = 8
HELLO_S: Final = 5.0
SEND_S: Final = 2.0
ACCESS_S: Final = 6.0
"""A registration waits that long for the venue's word on our key."""
AUDIT_S: Final = 0.5
"""How long an answer waits for the audit chain: a daemon that stands still may hold its lock until it is killed."""
READ_BYTES: Final = 65_536


class Access:
    """Whether the venue takes our signature."""

    def __init__(self) -> None:
        self.known = trio.Event()
        self.refusal: str | None = None
        self.inconclusive = 0


class Server:
    def __init__(
        self, charge: Charge, paths: StatePaths, watch: Watch, act: Act, access: Access, record: Record, clock: Clock
    ) -> None:
        self.charge = charge
        self.paths = paths
        self.watch = watch
        self.act = act
        self.access = access
        self.record = record
        self.leave = trio.Event()
        """Somebody wants the place; granted once the watch is over."""
        self.refused = 0
        """Connections dropped for what they are or what they sent."""
        self.audit = 0
        """Number of the last kill in the operator chain."""
        self._audit_file = AuditFile(paths.audit)
        self._one = trio.CapacityLimiter(1)
        self._clock = clock
        self._clients = 0
        self.daemon: _Client | None = None
        """The connection on which the daemon registered last."""

    async def serve(self) -> None:
        """Listen until cancelled; the caller holds the guardian's lock."""
        listener = listen(self.paths.guardian_socket, MAX_CLIENTS)
        try:
            await trio.serve_listeners(self._handle, [listener])
        finally:
            self.paths.guardian_socket.unlink(missing_ok=True)

    @property
    def counters(self) -> dict[str, int]:
        return {"refused": self.refused, "access_inconclusive": self.access.inconclusive, **self.act.counters}

    async def _handle(self, stream: trio.SocketStream) -> None:
        peer = peer_of(stream)
        if peer.uid != os.getuid() or self._clients >= MAX_CLIENTS:
            self._refuse(peer, "uid" if peer.uid != os.getuid() else "too many clients")
            await stream.aclose()
            return
        self._clients += 1
        client = _Client(self, stream, peer)
        try:
            async with stream:
                await client.run()
                client.ended()
        except ProtocolViolation as violation:
            # Not a hang-up: what it means that the daemon talks nonsense is left to the beats that no longer come.
            self._refuse(peer, str(violation))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            client.ended()
        except trio.TooSlowError:
            self._refuse(peer, "too slow")
        except Exception as error:  # noqa: BLE001 - a supervisor: no client may end the watch or an act under way
            self._refuse(peer, repr(error))
        finally:
            self._clients -= 1

    async def put_on_chain(self, actor: str, reason: str) -> None:
        """An operator's kill, taken here because the daemon did not; the act is under way and does not wait for it."""
        watch, at_ms = self.watch, self._clock.wall_ms()
        action = Action(
            at_ms=at_ms, epoch=None, seq=None, action=OperatorAction.KILL.value, who=actor, reason=reason,
            target="", result=f"guardian {watch.phase.value}: {watch.reason}",
        )  # fmt: skip

        def append() -> None:
            self.audit = self._audit_file.append([action])[-1].n

        try:
            with trio.move_on_after(AUDIT_S):
                await trio.to_thread.run_sync(append, abandon_on_cancel=True, limiter=self._one)
        except OSError as error:
            self.record("not on the chain", actor=actor, why=str(error))

    def told(self, number: int) -> Told:
        return msgspec.structs.replace(self.watch.told(number, self.counters), audit=self.audit)

    def viewer_refused(self, peer: Peer, actor: str) -> None:
        self._refuse(peer, f"read-only: {actor}")

    def _refuse(self, peer: Peer, why: str) -> None:
        self.refused += 1
        self.record("refused", peer_pid=peer.pid, uid=peer.uid, why=why[:200])


class _Client:
    def __init__(self, server: Server, stream: trio.SocketStream, peer: Peer) -> None:
        self._server = server
        self._stream = stream
        self._peer = peer
        self._actor = f"uid {peer.uid}"
        self._frames = Frames(MAX_BEAT_FRAME)
        self._access = protocol.Access.OPERATOR

    async def run(self) -> None:
        """Until the other side closes."""
        with trio.fail_after(HELLO_S):
            messages = await self._receive()
        if not messages:
            return
        await self._greet(messages.pop(0))
        while True:
            for message in messages:
                await self._send(await self._answer(message))
            messages = await self._receive()
            if not messages:
                return

    def ended(self) -> None:
        if self._server.daemon is self:
            self._server.watch.hang_up()

    async def _receive(self) -> list[ToGuardian]:
        """Messages of the next complete frames; empty when the other side is gone."""
        while True:
            data = await self._stream.receive_some(READ_BYTES)
            if not data:
                return []
            messages = [decode_to_guardian(body) for body in self._frames.feed(bytes(data))]
            if messages:
                return messages

    async def _greet(self, first: ToGuardian) -> None:
        if not isinstance(first, Hello):
            raise ProtocolViolation("no_hello", f"expected Hello, was {type(first).__name__}")
        if first.version != VERSION:
            text = f"the guardian speaks version {VERSION}, the client {first.version}: use the same hlomm for both"
            await self._send(Refused(id=0, code="version", text=text))
            raise ProtocolViolation("version", text)
        if first.origin:
            self._actor = f"uid {self._peer.uid} from {one_line(first.origin, 64)}"
        self._access = first.access
        await self._send(Met(version=VERSION, pid=os.getpid()))

    async def _answer(self, message: ToGuardian) -> Message:
        server, watch = self._server, self._server.watch
        match message:
            case Register():
                return await self._register(message)
            case Beat() if server.daemon is self:
                watch.take(message)
                return Taken(seq=message.seq, phase=watch.phase)
            case Goodbye(reason=reason, clean=clean) if server.daemon is self:
                if clean:
                    await on_disk(lambda: owned_file.clear(server.paths.owned))
                watch.goodbye(one_line(reason, 200), clean=clean)
                return Taken(seq=0, phase=watch.phase)
            case Ask(id=number):
                return server.told(number)
            case Command(id=number) | Leave(id=number) if self._access is protocol.Access.VIEWER:
                server.viewer_refused(self._peer, self._actor)
                return read_only(number)
            case Command(id=number, action=OperatorAction.KILL, reason=reason):
                server.record("asked", actor=self._actor, reason=one_line(reason, 200))
                watch.ask(self._actor, one_line(reason, 200))
                await server.put_on_chain(self._actor, one_line(reason, 200))
                return server.told(number)
            case Command(id=number, action=action):
                return Refused(id=number, code="only_kill", text=f"a guardian can only kill, not {action.value}")
            case Leave(id=number):
                if watch.phase in policy.ATTENDING and watch.alive:
                    return Refused(id=number, code="busy", text=f"watching the daemon with pid {watch.process.pid}")
                server.leave.set()
                return server.told(number)
            case _:
                raise ProtocolViolation("unexpected", f"{type(message).__name__} is not expected here")

    async def _register(self, message: Register) -> Message:
        """Take the daemon under watch, if it is the one we were started for and we could act for it."""
        server = self._server
        charge, watch = server.charge, server.watch
        if (self._peer.pid, message.pid, message.started) != (charge.pid, charge.pid, charge.started):
            raise ProtocolViolation("stranger", f"pid {self._peer.pid} is not the daemon this guardian was started for")
        if watch.phase not in policy.ATTENDING:
            return Refused(id=0, code=watch.phase.value, text=watch.reason)
        with trio.move_on_after(ACCESS_S):
            await server.access.known.wait()
        if server.access.refusal is not None:
            return Refused(id=0, code="access", text=f"the venue refuses the guardian's key: {server.access.refusal}")
        note = owned_file.OwnedNote(
            pid=message.pid, started=message.started, epoch_ms=message.epoch_ms, account=message.account
        )
        if not await on_disk(lambda: owned_file.write(server.paths.owned, note)):
            server.record("marker not written")  # the watch itself does not need it
        server.daemon = self
        watch.registered()
        return Taken(seq=0, phase=watch.phase)

    async def _send(self, message: Message) -> None:
        with trio.fail_after(SEND_S):
            await self._stream.send_all(encode(message))
