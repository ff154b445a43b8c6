"""What may be tuned: one table, held against the schema and against what the strategies read when."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable

import pytest

from hlomm.assembly.engine import strategies
from hlomm.assembly.tuning import Tuning
from hlomm.domain.faults import ConfigError
from hlomm.settings.load import load
from hlomm.settings.tunable import TUNABLE, bounds, checked, value_of
from hlomm.strategy.base import Tunable
from hlomm.strategy.registry import STRATEGIES

SETTINGS = load("sim", environ={}).settings
KEYS = [(strategy, name) for strategy, names in TUNABLE.items() for name in names]


@pytest.mark.parametrize(("strategy", "name"), KEYS, ids=lambda part: part)
def test_every_key_of_the_table_is_a_bounded_number_of_the_schema(strategy: str, name: str) -> None:
    key = f"strategy.{strategy}.{name}"
    assert checked(SETTINGS, {key: str(value_of(SETTINGS, key))}) == {key: value_of(SETTINGS, key)}
    low, _, high = bounds(SETTINGS, key).partition(", ")
    assert low.split()[0] in ("above", "at")
    assert high.split()[0] in ("below", "at")
    for text in ("-1", "nan", "inf", "-inf", "1e13", "many", "true", "", "[1]"):
        with pytest.raises(ConfigError) as refused:
            checked(SETTINGS, {key: text})
        assert str(refused.value) == f"{key} = {text} is refused: a number, {bounds(SETTINGS, key)}"


@pytest.mark.parametrize(("strategy", "name"), KEYS, ids=lambda part: part)
def test_what_can_be_tuned_is_read_at_every_decision_and_never_at_the_beginning(strategy: str, name: str) -> None:
    """A value that `__init__` copies somewhere would go on as it was, whatever the screen says."""
    _, made_by = STRATEGIES[strategy]
    assert isinstance(made_by, type)
    methods = _functions(ast.walk(ast.parse(inspect.getsource(made_by))))
    # What the settings are handed to reads for the method that calls it.
    helpers = _functions(ast.parse(inspect.getsource(sys.modules[made_by.__module__])).body)
    handed = {helper for helper, node in helpers.items() if _reads(node, name)}
    readers = {method for method, node in methods.items() if _reads(node, name) or handed & _called(node)}
    assert readers - {"__init__"}, f"{strategy} never reads {name}"
    assert "__init__" not in readers


def _functions(nodes: Iterable[ast.AST]) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}


def _reads(node: ast.FunctionDef, name: str) -> bool:
    return any(isinstance(part, ast.Attribute) and part.attr == name for part in ast.walk(node))


def _called(node: ast.FunctionDef) -> set[str]:
    calls = (part.func for part in ast.walk(node) if isinstance(part, ast.Call))
    return {func.id for func in calls if isinstance(func, ast.Name)}


def test_every_strategy_of_the_table_takes_a_change_and_goes_on_with_it() -> None:
    everything = load("sim", sets=[f"strategy.{name}.enabled=true" for name in TUNABLE], environ={}).settings
    built = {strategy.id: strategy for strategy in strategies(everything)}
    for strategy, names in TUNABLE.items():
        made = built[strategy]
        assert isinstance(made, Tunable)
        made.retune(names[0], 0.125)
        assert getattr(made._config, names[0]) == 0.125


@pytest.mark.parametrize(
    "key",
    ["limits.max_position", "limits.max_drawdown", "strategy.avellaneda.model", "strategy.avellaneda.enabled",
     "strategy.nobody.gamma", "strategy.avellaneda", "strategy", "", "breakers.daily_loss"],
)  # fmt: skip
def test_nothing_else_can_be_tuned(key: str) -> None:
    """Least of all what limits a strategy."""
    with pytest.raises(ConfigError, match="cannot be tuned while the daemon runs; there are: strategy"):
        checked(SETTINGS, {key: "1"})


@pytest.mark.parametrize(
    ("key", "text", "what"),
    [
        ("strategy.avellaneda.max_size", "1e6", "above limits.max_position"),
        ("strategy.avellaneda.min_size", "1000", "above max_size"),
        ("strategy.avellaneda.min_half_spread", "0.5", "above max_half_spread"),
        ("strategy.avellaneda.max_half_spread", "0.9", "above limits.max_fair_deviation"),
    ],
)
def test_a_value_that_contradicts_another_setting_is_refused_like_in_a_file(key: str, text: str, what: str) -> None:
    with pytest.raises(ConfigError) as refused:
        checked(SETTINGS, {key: text})
    assert what in str(refused.value)
    for part in (key, text, bounds(SETTINGS, key)):
        assert part in str(refused.value)


def test_a_change_is_weighed_with_those_that_are_in_force_already() -> None:
    tuning = Tuning(SETTINGS)
    with pytest.raises(ConfigError, match="above max_half_spread"):
        tuning.weigh({"strategy.avellaneda.max_half_spread": 0.01}, {"strategy.avellaneda.min_half_spread": "0.02"})
    (change,) = tuning.weigh({"strategy.avellaneda.gamma": 0.5}, {"strategy.avellaneda.gamma": "0.25"}).values()
    assert (change.was, change.value, change.configured) == (0.5, 0.25, 0.0004)
