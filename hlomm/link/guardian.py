"""Messages of the guardian's socket, both ends, without I/O; framed as in `protocol`.

Everyone begins with `Hello`. The daemon then sends `Register`, a `Beat` every so often (each answered by `Taken`, so
that the daemon knows its guardian to be awake too), and `Goodbye` when it has left nothing behind. Anyone else of the
same user may `Ask`, give the one `Command` a guardian knows (kill), or ask it to `Leave` when its work is done.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.ids import ClientId, MarketId, VenueId
from hlomm.domain.markets import Leg
from hlomm.domain.units import Px, Qty
from hlomm.link.protocol import Ask, Command, Hello, Message, Refused

VERSION: Final = 1
MAX_BEAT_FRAME: Final = 256 << 10
"""What may be sent to a guardian; a beat with `MAX_NAMED` client ids and 64 holdings is about 25 kB."""
MAX_NAMED: Final = 500
"""Client ids named in one beat; the count is always whole."""
DAEMON_ROLE: Final = "daemon"
LEFT_ALONE: Final = "left_alone"
"""Counter of accounts that another process holds: nobody has looked at those, whatever the phase says."""
UNSEEN: Final = "unseen"
"""Counter: 1 if no venue's word was to be had on what may have come late, whatever the phase says."""


class Phase(StrEnum):
    """Where a guardian stands; the table of what follows what is `hlomm.guardian.policy`."""

    WAITING = "waiting"
    """No daemon has registered yet."""
    WATCHING = "watching"
    WARNED = "warned"
    """Beats are late."""
    ACTING = "acting"
    DONE = "done"
    """The account is as safe as policy wants it."""
    GAVE_UP = "gave_up"
    """The venue could not be brought to confirm it."""
    STOOD_DOWN = "stood_down"
    """The daemon stopped clean, or somebody else holds the account."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What is to become of tokens when the daemon is gone; its orders are cancelled in any case."""

    sell: bool
    slippage: Px
    hold_to_expiry_s: float


class Half(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of a leg that are whole with tokens at another venue: together they pay the same whatever happens."""

    leg: Leg
    venue: VenueId
    """Where the other half is."""
    qty: Qty


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one market as the daemon believes to hold them."""

    market: MarketId
    yes: Qty
    no: Qty
    expiry_ns: int | None
    """Venue time."""
    halves: tuple[Half, ...] = ()
    """One for each leg and other venue, at most."""


class Register(Message, frozen=True):
    """The daemon names itself; the kernel's word on who is connected must agree."""

    pid: int
    started: int
    epoch_ms: int
    account: str


class Beat(Message, frozen=True):
    """I am here, my engine turns, and this is mine."""

    seq: int
    turns: int
    """Turns of the engine so far."""
    overdue_ms: int
    """How far past its own deadline the engine is; 0 while it is in time."""
    frozen: bool
    """The engine has raised, or the trading is over before it had stopped: the daemon is sweeping without it."""
    halt: str
    reason: str
    policy: Policy
    open_count: int = 0
    open_ids: tuple[ClientId, ...] = ()
    holdings: tuple[Holding, ...] = ()


class Goodbye(Message, frozen=True):
    """The daemon ends and places nothing more."""

    reason: str
    clean: bool
    """Nothing of mine is left unattended: do nothing. Otherwise go on where I could not."""


class Leave(Message, frozen=True):
    """Make room for another guardian, once nothing is left to do."""

    id: int


class Met(Message, frozen=True):
    """Answer to Hello."""

    version: int
    pid: int


class Taken(Message, frozen=True):
    """Answer to a registration (`seq` 0), a beat or a goodbye."""

    seq: int
    phase: Phase


class Told(Message, frozen=True):
    """Answer to everybody else: how it stands."""

    id: int
    phase: Phase
    reason: str
    daemon_pid: int
    beat_age_s: float | None
    did: tuple[str, ...] = ()
    """What it has done, oldest first."""
    counters: dict[str, int] = msgspec.field(default_factory=dict)
    audit: int = 0
    """Link of the operator chain that tells of the last kill asked for here; 0 while none is on disk."""


ToGuardian = Hello | Register | Beat | Goodbye | Ask | Command | Leave
FromGuardian = Met | Taken | Told | Refused

_TO_GUARDIAN: msgspec.msgpack.Decoder[ToGuardian] = msgspec.msgpack.Decoder(ToGuardian)
_FROM_GUARDIAN: msgspec.msgpack.Decoder[FromGuardian] = msgspec.msgpack.Decoder(FromGuardian)


def decode_to_guardian(body: bytes) -> ToGuardian:
    try:
        return _TO_GUARDIAN.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolViolation("malformed", str(error)) from None


def decode_from_guardian(body: bytes) -> FromGuardian:
    try:
        return _FROM_GUARDIAN.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolViolation("malformed", str(error)) from None
