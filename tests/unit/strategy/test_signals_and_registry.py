"""The estimators strategies keep, and the table that names the strategies."""

from __future__ import annotations

import math
import typing

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.assembly.engine import strategies
from hlomm.domain.view import Desired
from hlomm.pricing.digital import YEAR_S
from hlomm.pricing.quoter import QuoteModel
from hlomm.settings import schema
from hlomm.settings import strategies as sections
from hlomm.settings.load import load
from hlomm.strategy.base import LadderStrategy, PairStrategy, Strategy
from hlomm.strategy.registry import STRATEGIES
from hlomm.strategy.signals import SECONDS_PER_YEAR, UnderlyingVol
from tests.support.values import M, outcome, perp
from tests.unit.strategy.views import view


def vol(**changes: float) -> UnderlyingVol:
    values = {"annual": 0.5, "prior_s": 100.0, "halflife_s": 600.0, "grid_s": 2.0}
    return UnderlyingVol.with_prior(**(values | changes))


def after(*prices: tuple[float, float], **changes: float) -> float:
    signal = vol(**changes)
    for t_s, price in prices:
        signal.update(t_s, price)
    return signal.annual


# -- volatility of an underlying


def test_before_any_price_it_is_the_prior() -> None:
    assert vol().annual == pytest.approx(0.5, rel=1e-12)
    assert after((0.0, 80_000.0)) == pytest.approx(0.5, rel=1e-12)


def test_the_year_is_the_one_of_the_digital() -> None:
    assert SECONDS_PER_YEAR == YEAR_S


def test_a_return_counts_as_its_square_over_its_time() -> None:
    """Two grid points, one return between them: N0 decays, the square is added, and so are the seconds."""
    found = after((0.5, 100.0), (2.5, 101.0), (4.5, 101.0))
    weight = 2.0 ** (-2.0 / 600.0)
    rate = (weight * 0.25 / YEAR_S * 100.0 + math.log(1.01) ** 2) / (weight * 100.0 + 2.0)
    assert found == pytest.approx(math.sqrt(rate * YEAR_S), rel=1e-12)


def test_moves_between_grid_points_are_not_measured() -> None:
    """A price that jumps between bid and ask several times a second is not volatile."""
    steady = [(0.1 * step, 80_000.0 + (0.0 if step % 20 == 19 else 5.0 * (step % 2))) for step in range(400)]
    assert after(*steady) < 0.5


def test_a_grid_point_takes_the_price_that_stood_when_it_was_crossed() -> None:
    assert after((0.0, 100.0), (1.9, 110.0), (2.1, 90.0), (4.1, 90.0)) == after(
        (0.0, 50.0), (1.0, 110.0), (3.9, 90.0), (4.0, 1.0)
    )


@given(st.permutations([0.0, 0.3, 0.6, 0.9]))
def test_who_reports_first_within_a_cell_does_not_matter_only_who_is_last(order: list[float]) -> None:
    """Markets on one underlying tell the same price at their own times."""
    told = [(t_s, 100.0) for t_s in order] + [(2.5, 101.0), (4.5, 102.0)]
    assert after(*told) == after((0.0, 100.0), (2.5, 101.0), (4.5, 102.0))


def test_hearing_a_price_twice_is_hearing_it_once() -> None:
    once = [(2.0 * step + 0.5, 100.0 + step % 3) for step in range(50)]
    assert after(*once) == after(*[told for told in once for _ in range(3)])


def test_a_long_silence_is_one_return_over_its_whole_time() -> None:
    found = after((0.0, 100.0), (2.5, 100.0), (1_000.0, 101.0), (1_002.0, 101.0))
    seconds = 2.0 + 998.0 + 102.0 * 2.0 ** (-998.0 / 600.0)
    assert found == pytest.approx(math.log(1.01) * math.sqrt(YEAR_S / seconds), rel=0.01)


def test_a_still_market_forgets_its_prior_without_reaching_zero() -> None:
    found = after(*((2.0 * step, 100.0) for step in range(2_000)))
    assert 0.0 < found < 0.05


def test_a_clock_that_goes_back_is_ignored() -> None:
    signal = vol()
    for t_s in (100.0, 102.0, 104.0):
        signal.update(t_s, 100.0)
    before = signal.annual
    signal.update(50.0, 200.0)
    assert signal.annual == before


@given(st.lists(st.tuples(st.floats(0.0, 1e6), st.floats(1e-8, 1e9)), max_size=30))
def test_it_is_always_a_number(told: list[tuple[float, float]]) -> None:
    assert 0.0 <= after(*told) < math.inf


@given(st.lists(st.floats(90.0, 110.0), min_size=3, max_size=30), st.floats(0.01, 100.0))
def test_the_unit_of_the_price_does_not_matter(prices: list[float], factor: float) -> None:
    plain = after(*((2.0 * step, price) for step, price in enumerate(prices)))
    scaled = after(*((2.0 * step, price * factor) for step, price in enumerate(prices)))
    assert scaled == pytest.approx(plain, rel=1e-6)


def test_it_finds_the_volatility_of_a_known_path() -> None:
    """Returns of one size and alternating sign: the estimate is that size per square root of the step."""
    step_sd = 1.2 / math.sqrt(YEAR_S) * math.sqrt(2.0)
    log_price, told = 0.0, []
    for step in range(3_000):
        told.append((2.0 * step, math.exp(log_price)))
        log_price += step_sd if step // 2 % 2 else -step_sd
    assert after(*told) == pytest.approx(1.2, rel=0.02)


# -- the registry


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_is_built_from_its_section_of_the_defaults(name: str) -> None:
    enabled = load("sim", (), [f"strategy.{name}.enabled=true"], environ={}).settings
    (built,) = [one for one in strategies(enabled) if one.id == name]
    section = getattr(load("sim", environ={}).settings.strategy, name)
    if not isinstance(built, PairStrategy | LadderStrategy):  # those own no market
        assert built.wants(outcome(underlying=section.underlyings[0], klass=section.classes[0], question=7))
    assert not built.wants(perp())
    assert isinstance(built.decide(view()), Desired)
    built.forget(M)


def test_the_sections_of_the_configuration_are_the_strategies_of_the_table() -> None:
    assert set(schema.Strategies.__struct_fields__) == set(STRATEGIES)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_section_names_what_the_strategy_is_built_with_and_whether_it_is(name: str) -> None:
    (section,) = [field.type for field in msgspec.structs.fields(schema.Strategies) if field.name == name]
    config_class, _ = STRATEGIES[name]
    assert set(section.__struct_fields__) - {"enabled"} == {field.name for field in attrs.fields(config_class)}


def test_what_is_switched_off_is_not_built() -> None:
    assert strategies(load("sim", sets=["strategy.avellaneda.enabled=false"], environ={}).settings) == []


def test_the_models_of_the_schema_are_those_of_the_quoter() -> None:
    (model,) = [field.type for field in msgspec.structs.fields(sections.Avellaneda) if field.name == "model"]
    assert set(typing.get_args(model)) == {one.value for one in QuoteModel}


def test_every_strategy_keeps_the_whole_contract() -> None:
    wanted = {name for name in vars(Strategy) if not name.startswith("_")}
    assert wanted == {"combine", "id", "wants", "unmatched", "decide", "forget"}
    for _, constructor in STRATEGIES.values():
        assert wanted <= set(dir(constructor))
