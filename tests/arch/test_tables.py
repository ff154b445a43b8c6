"""Tables: what a machine does with every pair, which function takes every input, which number ends a process."""

from __future__ import annotations

import ast
import enum
import typing
from collections.abc import Mapping
from typing import Any

import pytest

from hlomm.daemon.alerts import standing
from hlomm.daemon.alerts.standing import Event, Stage
from hlomm.domain import exits, faults, links, orders
from hlomm.domain.exits import ExitCode, exit_code_of
from hlomm.domain.faults import HlommError, IllegalTransition, JournalCorrupt, KeyFault, ProtocolViolation
from hlomm.domain.inputs import Input
from hlomm.domain.links import LinkEvent, LinkState
from hlomm.domain.orders import TERMINAL, OrderEvent, OrderState
from hlomm.domain.outputs import HaltState, Output
from hlomm.engine import basket, halt, venue_breaker
from hlomm.engine.basket import BasketEvent, Phase
from hlomm.engine.halt import HaltEvent
from hlomm.engine.intake import HANDLERS
from hlomm.engine.venue_breaker import Arming, ArmingEvent
from tests.arch.scanning import ROOT, files_of, source_of

Table = Mapping[tuple[Any, Any], Any]

MACHINES: dict[str, tuple[Table, Any, type[enum.Enum], type[enum.Enum], Any]] = {
    "orders": (orders.TRANSITIONS, orders.advance, OrderState, OrderEvent, OrderState.PENDING_NEW),
    "basket": (basket.TRANSITIONS, basket.advance, Phase, BasketEvent, Phase.WORKING),
    "links": (links.TRANSITIONS, links.advance, LinkState, LinkEvent, LinkState.PROPOSED),
    "venue breaker": (venue_breaker.TRANSITIONS, venue_breaker.advance, Arming, ArmingEvent, Arming.ARMED),
    "halt": (halt.TRANSITIONS, halt.advance, HaltState, HaltEvent, HaltState.STARTING),
    "alerts": (standing.TRANSITIONS, standing.advance, Stage, Event, Stage.CLEAR),
}
machines = pytest.mark.parametrize("name", MACHINES)

NEWS = [
    OrderEvent.OPENED, OrderEvent.LOST, OrderEvent.PART_FILLED, OrderEvent.ALL_FILLED, OrderEvent.CLOSED,
]  # fmt: skip
"""What a venue may say of an order at any time, in any order, twice."""


def reachable(table: Table, start: Any) -> set[Any]:
    found, ahead = {start}, [start]
    while ahead:
        here = ahead.pop()
        for (state, _), after in table.items():
            if state is here and after not in found:
                found.add(after)
                ahead.append(after)
    return found


def gaps(table: Table, states: Any, events: Any) -> set[tuple[Any, Any]]:
    return {(state, event) for state in states for event in events if (state, event) not in table}


# -- machines


@machines
def test_every_pair_has_an_answer_or_a_named_refusal(name: str) -> None:
    table, advance, states, events, _ = MACHINES[name]
    for state in states:
        for event in events:
            if (state, event) in table:
                assert advance(state, event) is table[state, event]
            else:
                with pytest.raises(IllegalTransition) as refusal:
                    advance(state, event)
                assert state.value in str(refusal.value)
                assert event.value in str(refusal.value)


@machines
def test_a_table_speaks_of_its_own_states_and_events_only(name: str) -> None:
    table, _, states, events, _ = MACHINES[name]
    for (state, event), after in table.items():
        assert type(state) is type(after) is states
        assert type(event) is events


@machines
def test_every_state_can_be_reached_and_every_event_means_something(name: str) -> None:
    table, _, states, events, start = MACHINES[name]
    assert reachable(table, start) == set(states)
    assert {event for _, event in table} == set(events)


@machines
def test_from_every_state_there_is_a_way_to_an_end(name: str) -> None:
    table, _, states, _, _ = MACHINES[name]
    ends = {
        "orders": set(TERMINAL),
        "basket": set(basket.OVER),
        "halt": {HaltState.STOPPED},
        "alerts": {Stage.CLEAR},
        "links": {LinkState.GONE},
        "venue breaker": {Arming.ARMED},
    }[name]
    for state in states:
        assert reachable(table, state) & ends, state


def test_whatever_a_venue_says_of_an_order_has_an_answer_in_every_state() -> None:
    assert gaps(orders.TRANSITIONS, OrderState, NEWS) == set()


def test_a_live_order_can_always_be_cancelled_and_a_finished_one_never() -> None:
    live = [state for state in OrderState if state not in TERMINAL]
    assert gaps(orders.TRANSITIONS, live, [OrderEvent.CANCEL_SENT]) == set()
    assert len(gaps(orders.TRANSITIONS, TERMINAL, [OrderEvent.CANCEL_SENT])) == len(TERMINAL)


def test_danger_and_the_wish_to_stop_are_heard_in_every_state_but_the_last() -> None:
    alive = [state for state in HaltState if state is not HaltState.STOPPED]
    assert gaps(halt.TRANSITIONS, alive, [HaltEvent.DANGER, HaltEvent.STOP]) == set()


def test_only_an_operator_leads_out_of_a_halt_and_nothing_leads_back_from_stopping() -> None:
    into = {(state, event) for (state, event), after in halt.TRANSITIONS.items() if after is HaltState.RUNNING}
    assert into == {(HaltState.STARTING, HaltEvent.READY), (HaltState.HALTED, HaltEvent.RESUME)}
    assert reachable(halt.TRANSITIONS, HaltState.STOPPING) == {HaltState.STOPPING, HaltState.STOPPED}


def test_these_checks_see_a_hole_and_an_island() -> None:
    table = {("a", "x"): "b", ("b", "x"): "a", ("c", "y"): "c"}
    assert reachable(table, "a") == {"a", "b"}
    assert gaps(table, "abc", "xy") == {("a", "y"), ("b", "y"), ("c", "x")}


# -- tables of types


def test_every_input_has_its_function_and_no_function_is_left_over() -> None:
    assert set(HANDLERS) == set(typing.get_args(Input))


def test_every_output_is_made_by_the_engine_and_taken_by_the_daemon() -> None:
    """By name: an output that nobody takes is a decision that is lost."""
    made = _names(files_of("hlomm/engine"))
    taken = _names(files_of("hlomm/daemon", "hlomm/venues/hyperliquid", "hlomm/venues/kalshi"))
    for kind in typing.get_args(Output):
        assert kind.__name__ in made, f"nothing makes {kind.__name__}"
        assert kind.__name__ in taken, f"nothing takes {kind.__name__}"
    assert "PlaceOrder" not in made | taken, "names are compared whole"


def _names(paths: Any) -> set[str]:
    found: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(source_of(path))):
            if isinstance(node, ast.Name):
                found.add(node.id)
    return found


# -- numbers that end a process


def test_exit_codes_are_unique_and_those_of_the_contract() -> None:
    assert len(ExitCode.__members__) == len(set(ExitCode)), "two names for one number"
    assert {code.name: int(code) for code in ExitCode} == {
        "CLEAN": 0, "USAGE": 2, "DIVERGED": 3, "HALTED": 4, "REFUSED": 5, "FAULT": 6, "BUSY": 7,
    }  # fmt: skip


def test_no_exit_code_is_one_that_python_or_a_shell_uses_itself() -> None:
    """1 is an uncaught exception, 126 and above are the shell's and signals'."""
    assert all(code != 1 and code < 126 for code in ExitCode)


def errors() -> list[type[HlommError]]:
    return [kind for kind in vars(faults).values() if isinstance(kind, type) and issubclass(kind, HlommError)]


def made(kind: type[HlommError]) -> HlommError:
    if issubclass(kind, JournalCorrupt):
        return kind("x", offset=0, records=0)
    return kind("kind", "x") if issubclass(kind, ProtocolViolation | KeyFault) else kind("x")


@pytest.mark.parametrize("kind", errors(), ids=lambda kind: kind.__name__)
def test_every_error_ends_in_a_code_of_its_own_docstring(kind: type[HlommError]) -> None:
    code = exit_code_of(made(kind))
    assert code is not ExitCode.CLEAN
    said = [word.rstrip(".") for word in (kind.__doc__ or "").split("Exit code ")[1:]]
    assert not said or said == [str(int(code))]


def test_no_error_hides_another_that_comes_later_in_the_table() -> None:
    kinds = [kind for kind, _ in exits._BY_ERROR]
    for index, kind in enumerate(kinds):
        assert not any(issubclass(kind, earlier) for earlier in kinds[:index]), kind


def test_no_command_ends_with_a_number_of_its_own() -> None:
    for path in (path for path in files_of("hlomm") if "exit(" in source_of(path)):
        for node in ast.walk(ast.parse(source_of(path))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("sys.exit", "os._exit", "exit"):
                literal = [one for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, int)]
                assert not literal, f"{path.relative_to(ROOT)}:{node.lineno}"
