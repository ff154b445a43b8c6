"""Orders for which there was no room: asked for with every tick, dear to judge, and seldom judged otherwise.

One is asked for again after `quotes.min_interval_s` where most of what decides on it has changed: the wish, any of our
orders, our cash. Prices and time make room too, but slowly, and a token that pays nothing leaves the cash as it was:
after `KEPT` of these intervals it is asked anyway.
"""

from __future__ import annotations

from typing import Final

from hlomm.domain.markets import Leg
from hlomm.domain.report import SideNote
from hlomm.engine.gate import Proposal
from hlomm.engine.state import Refused, State

KEPT: Final = 10


def keep(state: State, want: Proposal, direction: int, note: SideNote) -> None:
    """Remember what the gate said."""
    want.market.refused[direction] = Refused(state.now.mono_ns, note, _hangs_on(state, want))


def standing(state: State, want: Proposal, direction: int) -> SideNote | None:
    """The refusal that still stands; None if the gate is to be asked."""
    refused = want.market.refused.get(direction)
    if refused is None:
        return None
    quiet_ns, pause_ns = state.now.mono_ns - refused.mono_ns, state.config.quotes.min_interval_ns
    if quiet_ns >= pause_ns and (quiet_ns >= KEPT * pause_ns or refused.asked_for != _hangs_on(state, want)):
        return None
    return refused.note


def _hangs_on(state: State, want: Proposal) -> tuple[int, ...]:
    books = state.portfolio
    return int(want.leg is Leg.YES), want.px, want.qty, state.orders.version, books.cash, books.perps.raw
