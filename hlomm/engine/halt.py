"""The halt machine: whether the daemon may quote, and how it gets to safety.

Theory of operation. Only RUNNING quotes. Everything that goes wrong leads to FLATTENING, which cancels everything,
sells what policy says must go, and ends in HALTED; only an operator leads out of HALTED. STOPPING is the same walk
with the end of the process behind it. HALTED survives restarts: the daemon writes it down and hands it back at boot.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hlomm.domain.faults import IllegalTransition
from hlomm.domain.outputs import HaltState


class HaltEvent(StrEnum):
    READY = "ready"
    """Every venue session is up for the first time."""
    READY_HALTED = "ready_halted"
    """The same, with a halt that survived the restart."""
    DANGER = "danger"
    """Kill, flatten, disconnect, drawdown, fault: get to safety."""
    SAFE = "safe"
    """Nothing rests, nothing is left to sell."""
    RESUME = "resume"
    STOP = "stop"


_S = HaltState
_E = HaltEvent

TRANSITIONS: Final[dict[tuple[HaltState, HaltEvent], HaltState]] = {
    (_S.STARTING, _E.READY): _S.RUNNING,
    (_S.STARTING, _E.READY_HALTED): _S.FLATTENING,  # orders of the earlier run may still rest
    (_S.STARTING, _E.DANGER): _S.FLATTENING,
    (_S.STARTING, _E.STOP): _S.STOPPING,
    (_S.RUNNING, _E.DANGER): _S.FLATTENING,
    (_S.RUNNING, _E.STOP): _S.STOPPING,
    (_S.FLATTENING, _E.DANGER): _S.FLATTENING,
    (_S.FLATTENING, _E.SAFE): _S.HALTED,
    (_S.FLATTENING, _E.STOP): _S.STOPPING,
    (_S.HALTED, _E.DANGER): _S.FLATTENING,
    (_S.HALTED, _E.RESUME): _S.RUNNING,
    (_S.HALTED, _E.STOP): _S.STOPPING,
    (_S.STOPPING, _E.DANGER): _S.STOPPING,
    (_S.STOPPING, _E.STOP): _S.STOPPING,
    (_S.STOPPING, _E.SAFE): _S.STOPPED,
}


def advance(state: HaltState, event: HaltEvent) -> HaltState:
    """Next state; IllegalTransition for a pair outside the table."""
    try:
        return TRANSITIONS[(state, event)]
    except KeyError:
        raise IllegalTransition(f"cannot {event.value} while {state.value}") from None
