"""The order table: every pair of state and event is either in it or raises, and late fills are always welcome."""

from __future__ import annotations

import itertools

import pytest

from hlomm.domain.faults import IllegalTransition
from hlomm.domain.markets import Leg
from hlomm.domain.orders import (
    TERMINAL,
    TRANSITIONS,
    OrderEvent,
    OrderState,
    Side,
    advance,
    direction,
    yes_px,
)
from hlomm.domain.units import SCALE

S, E = OrderState, OrderEvent
LIVE = [state for state in OrderState if state not in TERMINAL]
PAIRS = list(itertools.product(OrderState, OrderEvent))


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_a_pair_is_in_the_table_or_raises(state: OrderState, event: OrderEvent) -> None:
    if (state, event) in TRANSITIONS:
        assert advance(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(IllegalTransition, match=state.value):
            advance(state, event)


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_a_finished_order_accepts_fills_and_all_late_news(state: OrderState) -> None:
    for event in (E.PART_FILLED, E.ALL_FILLED, E.CLOSED, E.OPENED, E.LOST, E.REFUSED, E.CANCEL_REFUSED):
        advance(state, event)


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_a_finished_order_that_the_venue_lists_is_asked_about(state: OrderState) -> None:
    """Without this pair the first order that resurfaces freezes the engine."""
    assert advance(state, E.RESURFACED) is S.UNKNOWN


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_nothing_is_asked_of_a_finished_order(state: OrderState) -> None:
    for event in (E.AMEND_SENT, E.CANCEL_SENT):
        with pytest.raises(IllegalTransition):
            advance(state, event)


def test_a_fill_outranks_a_cancel_and_a_refusal() -> None:
    assert advance(S.CANCELED, E.ALL_FILLED) is S.FILLED
    assert advance(S.REJECTED, E.ALL_FILLED) is S.FILLED
    assert advance(S.FILLED, E.CLOSED) is S.FILLED


@pytest.mark.parametrize("state", LIVE)
def test_silence_and_nonsense_are_never_read_as_an_end(state: OrderState) -> None:
    assert advance(state, E.LOST) is S.UNKNOWN


def test_only_the_venue_ends_doubt() -> None:
    leaving = {event for (state, event), after in TRANSITIONS.items() if state is S.UNKNOWN and after is not S.UNKNOWN}
    assert leaving == {E.OPENED, E.REFUSED, E.ALL_FILLED, E.CLOSED}
    assert advance(S.UNKNOWN, E.CANCEL_SENT) is S.UNKNOWN


def test_an_order_is_amended_only_while_it_is_known_to_rest() -> None:
    assert {state for state, event in TRANSITIONS if event is E.AMEND_SENT} == {S.OPEN}


def test_every_live_state_can_be_cancelled_and_can_end() -> None:
    for state in LIVE:
        assert (state, E.CANCEL_SENT) in TRANSITIONS
        assert advance(state, E.CLOSED) is S.CANCELED


def test_doubt_is_the_only_way_back_from_an_end() -> None:
    revived = {
        (state, event, after) for (state, event), after in TRANSITIONS.items() if state in TERMINAL and after in LIVE
    }
    assert {after for _, _, after in revived} == {S.UNKNOWN}
    assert {event for _, event, _ in revived} == {E.OPENED, E.RESURFACED}


@pytest.mark.parametrize(
    ("leg", "side", "sign"),
    [(Leg.YES, Side.BUY, 1), (Leg.YES, Side.SELL, -1), (Leg.NO, Side.BUY, -1), (Leg.NO, Side.SELL, 1)],
)
def test_direction_is_who_gains_from_yes(leg: Leg, side: Side, sign: int) -> None:
    assert direction(leg, side) == sign


def test_prices_of_both_legs_meet_in_yes_space() -> None:
    assert yes_px(Leg.YES, 30_000_000) == 30_000_000
    assert yes_px(Leg.NO, 30_000_000) == SCALE - 30_000_000
    assert yes_px(Leg.NO, yes_px(Leg.NO, 1)) == 1
