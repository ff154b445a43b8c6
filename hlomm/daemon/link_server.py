"""The daemon's end of the control link: a Unix socket only this user can reach.

A client that is slow, silent or speaks nonsense is dropped; trading never waits for it.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
import trio

from hlomm.daemon.feed import Feed, Reader
from hlomm.daemon.looking import Looking
from hlomm.daemon.monitor import Monitor
from hlomm.daemon.pictures import Pictures, next_due
from hlomm.daemon.pump import Pump
from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.inputs import OperatorAction, OperatorCommand
from hlomm.link.protocol import (
    MAX_COMMAND_FRAME,
    VERSION,
    Access,
    Ask,
    Command,
    EncodedAnswer,
    EncodedUpdate,
    Frames,
    Hello,
    Look,
    Message,
    Refused,
    ToDaemon,
    Watch,
    Welcome,
    decode_to_daemon,
    encode,
    one_line,
    read_only,
)
from hlomm.rundir.private_socket import listen, peer_of

_log = structlog.get_logger("hlomm.link")

MAX_CLIENTS: Final = 16
SEND_S: Final = 5.0
HELLO_S: Final = 5.0
MIN_WATCH_MS: Final = 100
TARGET_MAX: Final = 64
TUNE_MAX: Final = 4_096
"""Room for every setting that can be tuned, at once."""
MARKET_MAX: Final = 256


def user_of(uid: int) -> str:
    """Who that is, as the system knows it."""
    try:
        return f"uid {uid} ({pwd.getpwuid(uid).pw_name})"
    except KeyError:
        return f"uid {uid}"


def _operator(message: Command, actor: str) -> OperatorCommand:
    room = TUNE_MAX if message.action is OperatorAction.TUNE else TARGET_MAX
    return OperatorCommand(
        action=message.action, actor=actor, reason=one_line(message.reason, 200), target=message.target[:room]
    )


def _nobody(command: OperatorCommand, at_ms: int, result: str) -> None:
    del command, at_ms, result


class LinkServer:
    def __init__(
        self,
        path: Path,
        pump: Pump,
        monitor: Monitor,
        *,
        profile: str,
        feed: Feed,
        unrecorded: Callable[[OperatorCommand, int, str], None] = _nobody,
        trouble: Callable[[], str] = str,
    ) -> None:
        """`unrecorded` is told of commands that the journal cannot tell of: (command, wall ms, what became of it).

        `trouble`: what ended the trading, while the account is swept without the engine; empty before that.
        """
        self._trouble = trouble
        self._path = path
        self._unrecorded = unrecorded
        self._pump = pump
        self._pictures = Pictures(pump, monitor, trouble)
        self._profile = profile
        self._feed = feed
        self._looking = Looking(pump)
        self._clients = 0
        self.refused = 0
        """Connections dropped for what they are or what they sent."""

    async def serve(  # noqa: ASYNC128 - the listeners get the task status
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Listen until cancelled; the caller holds the state directory's lock, so a leftover socket is stale."""
        listener = listen(self._path, MAX_CLIENTS)
        try:
            await trio.serve_listeners(self._handle, [listener], task_status=_Started(task_status))
        finally:
            self._path.unlink(missing_ok=True)

    async def _handle(self, stream: trio.SocketStream) -> None:
        uid = peer_of(stream).uid
        if uid != os.getuid() or self._clients >= MAX_CLIENTS:
            self.refused += 1
            _log.warning("link_refused", uid=uid, clients=self._clients)
            await stream.aclose()
            return
        self._clients += 1
        try:
            async with stream:
                await _Client(self, stream, uid).run()
        except* ProtocolViolation as group:
            self.refused += 1
            _log.warning("link_violation", uid=uid, error=[str(error) for error in group.exceptions])
        except* (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError) as group:
            _log.info("link_client_gone", reason=[type(error).__name__ for error in group.exceptions])
        except* Exception as group:  # noqa: BLE001 - a view that cannot be drawn must not stop the trading beside it
            self.refused += 1
            _log.error("link_client_fault", error=[repr(error) for error in group.exceptions])
        finally:
            self._clients -= 1

    # -- what clients may do

    def answer(self, message: ToDaemon, actor: str) -> EncodedAnswer | Refused:
        match message:
            case Ask(id=number):
                return EncodedAnswer(id=number, snapshot=self._pictures.fresh())
            case Command(id=number):
                command = _operator(message, actor)
                if command.action is OperatorAction.TUNE and len(message.target) > TUNE_MAX:
                    # Cut, it would be another value.
                    self._unrecorded(command, self._pump.clock.wall_ms(), "refused: longer than any setting")
                    return Refused(id=number, code="target", text=f"no setting takes {len(message.target)} characters")
                return self._command(number, command)
            case _:
                raise ProtocolViolation("unexpected", f"{type(message).__name__} is not expected here")

    def _command(self, number: int, command: OperatorCommand) -> EncodedAnswer | Refused:
        pump, wall_ms = self._pump, self._pump.clock.wall_ms()
        said = {"action": command.action.value, "actor": command.actor, "reason": command.reason}
        _log.warning("operator", **said, target=command.target)
        if pump.fault is not None:
            self._unrecorded(command, wall_ms, "refused: the engine is frozen")
            return Refused(id=number, code="fault", text="the engine is frozen; the daemon is sweeping")
        if self._trouble() or pump.untimed:  # its sessions are gone: it would say that it does what nobody carries out
            self._unrecorded(command, wall_ms, "refused: trading is over")
            return Refused(id=number, code="fault", text="trading is over; the daemon is sweeping")
        pump([command], 0)
        if pump.journal_dead is not None:
            self._unrecorded(command, wall_ms, f"{pump.engine.state.halt.value}: the journal cannot be written")
        return EncodedAnswer(id=number, snapshot=self._pictures.fresh())

    def refuse_viewer(self, message: Command, actor: str, *, first: bool) -> Refused:
        """Nothing reaches the engine. A connection's first attempt is chained: no viewer is to fill the disk."""
        self.refused += 1
        command = _operator(message, actor)
        _log.warning("viewer_refused", action=command.action.value, actor=actor, reason=command.reason)
        if first:
            self._unrecorded(command, self._pump.clock.wall_ms(), "refused: read-only (viewer)")
        return read_only(message.id)

    def welcome(self, access: Access) -> Welcome:
        return Welcome(version=VERSION, pid=os.getpid(), profile=self._profile, access=access, looks=True)

    def reader(self) -> Reader:
        return Reader(self._feed)

    def update(self, number: int, reader: Reader, look: Look) -> EncodedUpdate:
        row = None if look.market is None else self._looking.look(look.market, surfaces=look.surfaces)
        return reader.update(number, self._pictures.shared(), row)


class _Client:
    def __init__(self, server: LinkServer, stream: trio.SocketStream, uid: int) -> None:
        self._server = server
        self._stream = stream
        self._uid = uid
        self._actor = user_of(uid)
        self._frames = Frames(MAX_COMMAND_FRAME)
        self._sending = trio.Lock()
        self._watching = False
        self._access = Access.OPERATOR
        self._look = Look()
        self._attempts = 0
        """Commands of a viewer."""

    async def run(self) -> None:
        with trio.fail_after(HELLO_S):
            pending = await self._receive()
        if not pending:
            return
        await self._greet(pending.pop(0))
        async with trio.open_nursery() as nursery:
            connected = True
            while connected:
                for message in pending:
                    if isinstance(message, Watch):
                        self._watch(nursery, message)
                    elif isinstance(message, Look):
                        self._look_at(message)
                    else:
                        await self._send(self._answer(message))
                pending = await self._receive()
                connected = bool(pending)
            nursery.cancel_scope.cancel(reason="client gone")

    def _answer(self, message: ToDaemon) -> EncodedAnswer | Refused:
        if self._access is Access.VIEWER and isinstance(message, Command):
            self._attempts += 1
            return self._server.refuse_viewer(message, self._actor, first=self._attempts == 1)
        return self._server.answer(message, self._actor)

    async def _receive(self) -> list[ToDaemon]:
        """Messages of the next complete frames; empty when the client is gone."""
        while True:
            data = await self._stream.receive_some(65_536)
            if not data:
                return []
            messages = [decode_to_daemon(body) for body in self._frames.feed(bytes(data))]
            if messages:
                return messages

    async def _greet(self, first: ToDaemon) -> None:
        if not isinstance(first, Hello):
            raise ProtocolViolation("no_hello", f"expected Hello, was {type(first).__name__}")
        if first.version != VERSION:
            text = f"the daemon speaks link version {VERSION}, the client {first.version}: use the same hlomm for both"
            await self._send(Refused(id=0, code="version", text=text))
            raise ProtocolViolation("version", text)
        if first.origin:
            self._actor = f"{user_of(self._uid)} from {one_line(first.origin, 64)}"
        self._access = first.access
        await self._send(self._server.welcome(first.access))

    def _watch(self, nursery: trio.Nursery, message: Watch) -> None:
        if self._watching:
            raise ProtocolViolation("watch_twice", "one Watch per connection")
        self._watching = True
        nursery.start_soon(self._push, message.id, max(message.interval_ms, MIN_WATCH_MS))

    def _look_at(self, message: Look) -> None:
        """Its answer names the market again, many times: nobody makes that long."""
        if message.market is not None and len(message.market) > MARKET_MAX:
            raise ProtocolViolation("look", f"no market has a name of {len(message.market)} characters")
        self._look = message

    async def _push(self, number: int, interval_ms: int) -> None:
        reader = self._server.reader()
        while True:
            await self._send(self._server.update(number, reader, self._look))
            await next_due(interval_ms)

    async def _send(self, message: Message) -> None:
        async with self._sending:
            with trio.fail_after(SEND_S):
                await self._stream.send_all(encode(message))


class _Started:
    """Tells the waiting parent only that the socket is there; the listeners stay inside."""

    def __init__(self, outer: trio.TaskStatus[None]) -> None:
        self._outer = outer

    def started(self, value: object = None) -> None:
        del value
        self._outer.started()
