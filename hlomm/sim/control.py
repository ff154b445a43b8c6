"""What the switchboards behind `POST /sim` have in common: faults on demand, and the answer to nonsense."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from hlomm.domain.faults import ConfigError
from hlomm.sim.faults import FaultArgs, Switchboard

Json = dict[str, Any]


class Malformed(Exception):  # noqa: N818 - an answer, not a failure
    """A control request that is none; answered with 422 and what it says."""


class Control(Protocol):
    """The switchboard of one venue."""

    def answer(self, request: Any, counters: dict[str, int]) -> Json:
        """Reply to one decoded request; Malformed for anything that is not one."""


def arm(faults: Switchboard[Any], request: Json) -> Json:
    """Switch a fault on; replies with all that are."""
    try:
        args = msgspec.convert(request.get("args", {}), Json)
        faults.arm(str(request.get("name")), FaultArgs(**args))
    except (ConfigError, msgspec.ValidationError, TypeError) as error:
        raise Malformed(str(error)) from error
    return {"armed": faults.armed()}


def clear(faults: Switchboard[Any], request: Json) -> Json:
    """Switch one fault off, or all of them; replies with those that are left."""
    name = request.get("name")
    try:
        faults.clear(None if name is None else str(name))
    except ConfigError as error:
        raise Malformed(str(error)) from error
    return {"armed": faults.armed()}
