"""Who may act for an account, and in which mode it is: `userRole`, `extraAgents`, `userAbstraction` (venue sheet 2)."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from hlomm.venues.anomalies import Anomaly, guarded
from hlomm.venues.fields import Millis, Word

Anomalies = tuple[Anomaly, ...]
_Address = Annotated[str, Meta(max_length=64)]

ROLE: Final = "userRole"
AGENTS: Final = "extraAgents"
MODE: Final = "userAbstraction"
AGENT: Final = "agent"
MISSING: Final = "missing"


class _RoleData(Struct, frozen=True):
    user: _Address = ""
    master: _Address = ""


class _Role(Struct, frozen=True):
    role: Word
    data: _RoleData = _RoleData()


class _AgentRow(Struct, frozen=True, rename="camel"):
    name: Word
    address: _Address
    valid_until: Millis | None = None


class Role(Struct, frozen=True):
    """`user`, `agent`, `vault`, `subAccount`, `missing`; `of` is whom an agent acts for, or a sub-account's master."""

    word: str
    of: str


class Agent(Struct, frozen=True):
    """A named agent of an account; `until_ms` None where the venue tells no date."""

    name: str
    address: str
    until_ms: int | None


_role: Final = msgspec.json.Decoder(_Role)
_agents: Final = msgspec.json.Decoder(Annotated[list[_AgentRow], Meta(max_length=1_000)])
_mode: Final = msgspec.json.Decoder(Word)


def decode_role(body: bytes) -> tuple[Role | None, Anomalies]:
    def read() -> Role:
        row = _role.decode(body)
        return Role(row.role, (row.data.user or row.data.master).lower())

    return guarded("userRole.schema", read)


def decode_agents(body: bytes) -> tuple[tuple[Agent, ...] | None, Anomalies]:
    """Named agents only: the unnamed one is not in the list."""

    def read() -> tuple[Agent, ...]:
        return tuple(Agent(row.name, row.address.lower(), row.valid_until) for row in _agents.decode(body))

    return guarded("extraAgents.schema", read)


def decode_mode(body: bytes) -> tuple[str | None, Anomalies]:
    return guarded("userAbstraction.schema", _mode.decode, body)
