"""Orders and amends that are taken back in the turn in which they were asked for."""

from __future__ import annotations

from typing import Final

from hlomm.domain.ids import venue_of
from hlomm.domain.orders import OrderState
from hlomm.engine.order import Order
from hlomm.engine.state import State

_JUST_ASKED: Final = frozenset({OrderState.PENDING_NEW, OrderState.PENDING_AMEND})


def withdrawn(state: State, order: Order) -> bool:
    """Whether all that was asked for it was asked for in this very turn: then nothing leaves.

    Cancels are handed out first, so the order would come to the venue after its own cancel, and rest.
    """
    if order.state not in _JUST_ASKED or not state.out.withdraw(order.client_id):
        return False
    counters, now_ns = state.counters, state.now.mono_ns
    state.budgets.spend(venue_of(order.market), -1)
    if order.amending:
        counters.amends -= 1
        state.orders.amend_refused(order, now_ns)
        return not order.live  # as it was before it rests, unless it has ended
    counters.placed -= 1
    state.orders.refused(order, now_ns)
    return True
