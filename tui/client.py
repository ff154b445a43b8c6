"""The terminal's end of the control link: connects, watches, passes commands on, and never gives up.

Every wait has a bound. Whatever goes wrong (nobody there, another version, garbage, silence, a closed socket) becomes
an event that says so, and the next attempt follows after a pause of 0.2 s doubling to 2 s. Nothing is raised.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hlomm.domain.desk_rows import AuditRow, ChainRow, LogRow, SettingRow
from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import OperatorAction
from hlomm.domain.look_rows import LookRow
from hlomm.domain.report import Snapshot
from hlomm.link.guardian import LEFT_ALONE, UNSEEN, Phase, Told
from hlomm.link.protocol import (
    VERSION,
    Access,
    Answer,
    Command,
    Frames,
    Hello,
    Look,
    Refused,
    ToClient,
    Update,
    Watch,
    Welcome,
    decode_to_client,
    encode,
)
from tui import guardian

_WATCH_ID: Final = 0
"""Commands count from 1; the daemon itself refuses with id 0 what is not about one of them."""
_READ_BYTES: Final = 1 << 16
_CLOSE_S: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Times:
    """How long each thing may take, in seconds."""

    connect_s: float = 2.0
    welcome_s: float = 5.0
    silence_s: float = 5.0
    """Without a byte for that long the daemon is taken for hung and the connection is made anew."""
    command_s: float = 5.0
    guardian_after_s: float = 1.0
    """A kill that the daemon has not taken by then goes to its guardian as well."""
    guardian_s: float = 2.0
    pause_first_s: float = 0.2
    pause_last_s: float = 2.0
    watch_ms: int = 250


@dataclass(frozen=True)
class Up:
    """Welcomed by the daemon."""

    profile: str
    pid: int
    looks: bool = False
    """Whether it shows one market in full to who asks."""


@dataclass(frozen=True)
class Lost:
    """No connection, or it ended. Trying again."""

    why: str


@dataclass(frozen=True)
class Rejected:
    """Somebody answers but we do not understand each other. Trying again, in case the daemon is replaced."""

    why: str


@dataclass(frozen=True)
class Pictured:
    snapshot: Snapshot
    look: LookRow | None = None
    """Of the market that is looked at in full, where the daemon said it with this picture."""


@dataclass(frozen=True)
class Heard:
    """News beside the picture: each row comes once, so none of these may be dropped for a newer one."""

    settings: tuple[SettingRow, ...] = ()
    log: tuple[LogRow, ...] = ()
    audit: tuple[AuditRow, ...] = ()
    chain: ChainRow | None = None


@dataclass(frozen=True)
class Answered:
    """The daemon has taken the command; the snapshot is the state right after."""

    id: int
    snapshot: Snapshot


@dataclass(frozen=True)
class Declined:
    """The daemon will not carry the command out."""

    id: int
    why: str


@dataclass(frozen=True)
class Unanswered:
    """Nobody said whether the command was taken."""

    id: int
    why: str


@dataclass(frozen=True)
class Guarded:
    """The guardian has taken the kill, because the daemon did not; said again as it goes on."""

    id: int
    said: str
    did: tuple[str, ...] = ()
    """What it has done so far, oldest first."""
    safe: bool = False
    """Every venue has confirmed that no order rests and that what policy wants sold is sold or held."""
    audit: int = 0
    """Number of the kill in the operator chain, 0 while it is not there."""
    over: bool = False
    """It does no more, or is heard no more, and has not said that everything is safe."""


@dataclass(frozen=True)
class Unguarded:
    """There is no guardian that would take it."""

    id: int
    why: str


Event = Up | Lost | Rejected | Pictured | Heard | Answered | Declined | Unanswered | Guarded | Unguarded


class _NotUnderstoodError(Exception):
    """The other end refuses us or speaks something else."""


class _GoneError(Exception):
    """The connection is over."""


def origin() -> str:
    """Where the person sits, as far as the environment tells."""
    return os.environ.get("SSH_CONNECTION", "").partition(" ")[0]


class Client:
    def __init__(
        self,
        path: Path,
        deliver: Callable[[Event], object],
        times: Times | None = None,
        *,
        access: Access = Access.OPERATOR,
        by: str = "",
    ) -> None:
        """`by`: what lies between the person and this process (a browser), for the audit."""
        self._path = path
        self._deliver = deliver
        self._access = access
        self._origin = " ".join(part for part in (by, origin()) if part)
        self._times = times if times is not None else Times()
        self._writer: asyncio.StreamWriter | None = None
        self._look = Look()
        """What the updates are to carry in full, over every connection to come."""
        self._looks = False
        """Whether the daemon at the other end knows that wish."""
        self._last_id = 0
        self._awaited: dict[int, asyncio.TimerHandle] = {}
        self._kills: dict[int, tuple[asyncio.TimerHandle, str]] = {}
        """Kills the daemon has not taken yet, each with the moment at which the guardian is asked."""
        self._asking: set[asyncio.Task[None]] = set()
        self._followed: set[asyncio.Task[None]] = set()
        """Of these, the ones that the guardian has answered."""

    async def run(self) -> None:
        """Stay connected until cancelled."""
        pause_s = self._times.pause_first_s
        while True:
            welcomed = False
            try:
                reader, writer = await self._connect()
                try:
                    frames, early = await self._greet(reader, writer)
                    welcomed = True
                    pause_s = self._times.pause_first_s
                    await self._watch(reader, frames, early)
                finally:
                    await self._close(writer)
            except _NotUnderstoodError as error:
                self._deliver(Rejected(str(error)))
            except ProtocolViolation as error:
                self._deliver(
                    Rejected(f"it sends what this terminal cannot read ({error}): use the same hlomm for both")
                )
            except _GoneError as error:
                self._deliver(Lost(str(error)))
            await asyncio.sleep(pause_s)
            if not welcomed:
                pause_s = min(pause_s * 2, self._times.pause_last_s)

    def command(self, action: OperatorAction, reason: str = "", target: str = "") -> int | None:
        """Send an order; its fate arrives as an event with this id. None, and nothing sent, without a link.

        A kill is never lost for want of a link: what the daemon does not take in a second goes to the guardian.
        A viewer's goes nowhere: neither daemon nor guardian would take it.
        """
        if self._access is Access.VIEWER:
            return None
        if self._writer is None and action is not OperatorAction.KILL:
            return None
        self._last_id += 1
        number = self._last_id
        if action is OperatorAction.KILL:
            wait_s = 0.0 if self._writer is None else self._times.guardian_after_s
            timer = asyncio.get_running_loop().call_later(wait_s, self._pass_over, number)
            self._kills[number] = timer, reason
        if self._writer is None:
            return number
        self._writer.write(encode(Command(id=number, action=action, reason=reason, target=target)))
        deadline_s = self._times.command_s
        why = f"no answer in {deadline_s:g} s"
        self._awaited[number] = asyncio.get_running_loop().call_later(deadline_s, self._give_up, number, why)
        return number

    def look(self, market: MarketId | None, *, surfaces: bool = False) -> None:
        """Have one market in full with every picture from now on; None for none."""
        self._look = Look(market=market, surfaces=surfaces)
        if self._writer is not None and self._looks:
            self._writer.write(encode(self._look))

    # -- past the daemon

    def _pass_over(self, number: int) -> None:
        """Ask the guardian to carry out a kill."""
        waiting = self._kills.pop(number, None)
        if waiting is None:
            return
        timer, reason = waiting
        timer.cancel()
        for older in self._followed:
            older.cancel()  # its order stands, and a guardian speaks with few at once
        task = asyncio.get_running_loop().create_task(self._ask_guardian(number, reason))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        task.add_done_callback(self._followed.discard)

    async def _ask_guardian(self, number: int, reason: str) -> None:
        def told(one: Told) -> None:
            if (task := asyncio.current_task()) is not None:
                self._followed.add(task)
            said = f"{one.phase.value}: {one.reason.partition('; ')[0]}"
            safe = one.phase is Phase.DONE and not any(map(one.counters.get, (LEFT_ALONE, UNSEEN)))
            over = one.phase is not Phase.ACTING and not safe
            self._deliver(Guarded(number, said, one.did, safe, one.audit, over))

        try:
            last = await guardian.kill(self._path, reason, self._origin, self._times.guardian_s, told)
            if last.phase is Phase.ACTING:
                gone = "it was acting, and is heard no more"
                self._deliver(Guarded(number, gone, last.did, audit=last.audit, over=True))
        except guardian.NoGuardianError as error:
            self._deliver(Unguarded(number, str(error)))
            if number not in self._awaited:
                self._deliver(Unanswered(number, f"no daemon takes it, and {error}"))

    # -- one connection

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(self._times.connect_s):
                return await asyncio.open_unix_connection(self._path)
        except TimeoutError:
            raise _GoneError(f"the socket does not accept within {self._times.connect_s:g} s") from None
        except OSError:
            # The three ways this happens (no file, no listener, path too long) mean the same to the operator.
            raise _GoneError("nobody answers") from None

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[Frames, list[ToClient]]:
        """Say hello, be welcomed, start watching. Returns the parser and what came with the welcome."""
        writer.write(encode(Hello(version=VERSION, role="terminal", origin=self._origin, access=self._access)))
        frames = Frames()
        messages: list[ToClient] = []
        try:
            async with asyncio.timeout(self._times.welcome_s):
                while not messages:
                    messages = [decode_to_client(body) for body in frames.feed(await self._read(reader))]
        except TimeoutError:
            raise _GoneError(f"connected, but no welcome in {self._times.welcome_s:g} s — is it stopped?") from None
        first, *rest = messages
        if isinstance(first, Refused):
            raise _NotUnderstoodError(first.text)
        if not isinstance(first, Welcome):
            raise _NotUnderstoodError(f"expected Welcome, was {type(first).__name__}")
        if first.version != VERSION:
            raise _NotUnderstoodError(f"it speaks link version {first.version}, this terminal {VERSION}")
        if first.access is not self._access:
            raise _NotUnderstoodError(f"it grants {first.access}, this terminal is {self._access}: restart the daemon")
        writer.write(encode(Watch(id=_WATCH_ID, interval_ms=self._times.watch_ms)))
        self._looks = first.looks
        if first.looks and self._look.market is not None:
            writer.write(encode(self._look))
        self._writer = writer
        self._deliver(Up(profile=first.profile, pid=first.pid, looks=first.looks))
        return frames, rest

    async def _watch(self, reader: asyncio.StreamReader, frames: Frames, early: list[ToClient]) -> None:
        for message in early:
            self._take(message)
        while True:
            try:
                async with asyncio.timeout(self._times.silence_s):
                    data = await self._read(reader)
            except TimeoutError:
                raise _GoneError(f"silent for {self._times.silence_s:g} s — is it stopped?") from None
            for body in frames.feed(data):
                self._take(decode_to_client(body))

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        try:
            data = await reader.read(_READ_BYTES)
        except OSError as error:
            raise _GoneError(f"the connection broke ({error.strerror or error})") from None
        if not data:
            raise _GoneError("the daemon closed the connection")
        return data

    def _take(self, message: ToClient) -> None:
        match message:
            case Update(snapshot=snapshot, settings=settings, log=log, audit=audit, chain=chain, look=look):
                if settings or log or audit or chain is not None:
                    self._deliver(Heard(settings, log, audit, chain))
                self._deliver(Pictured(snapshot, look))
            case Answer(id=number, snapshot=snapshot):
                self._took(number)
                self._settle(number)  # an answer after the deadline is still the truth, so it is delivered all the same
                self._deliver(Answered(number, snapshot))
                self._deliver(Pictured(snapshot))
            case Refused(id=number, text=text):
                if number == _WATCH_ID:
                    raise _NotUnderstoodError(text)
                self._settle(number)
                self._deliver(Declined(number, text))
            case Welcome():
                raise ProtocolViolation("unexpected", "a second Welcome")

    def _took(self, number: int) -> None:
        """The daemon itself carries it out: the guardian need not."""
        waiting = self._kills.pop(number, None)
        if waiting is not None:
            waiting[0].cancel()

    def _settle(self, number: int) -> None:
        timer = self._awaited.pop(number, None)
        if timer is not None:
            timer.cancel()

    def _give_up(self, number: int, why: str) -> None:
        self._settle(number)
        self._pass_over(number)
        self._deliver(Unanswered(number, why))

    async def _close(self, writer: asyncio.StreamWriter) -> None:
        self._writer = None
        for number in list(self._awaited):
            self._give_up(number, "the link was lost before an answer came")
        writer.close()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await writer.wait_closed()
        except (TimeoutError, OSError):
            writer.transport.abort()
