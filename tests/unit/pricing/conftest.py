"""Feeds the shared quant vectors to the tests that ask for them.

`@pytest.mark.quant("as_glft", "as_quote")` runs a test once per case of that function with the argument `case`; the
fixture `check` compares what the test computed with the case's expectations at its tolerance. The vectors lie beside
the repository in ``../shared/fixtures/quant``. Without them the tests are skipped with the name of what goes
unchecked; with the environment variable CI set that is an error.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import settings

VECTORS = Path(__file__).resolve().parents[3].parent / "shared" / "fixtures" / "quant"

settings.register_profile("pricing", deadline=None, derandomize=True, database=None, max_examples=100)


@attrs.frozen
class Case:
    id: str
    given: Mapping[str, Any]
    want: Mapping[str, Any]
    rel: float
    abs: float


def load(topic: str, fn: str) -> list[Case]:
    document = json.loads((VECTORS / f"{topic}.json").read_text())
    default = document["default_tol"]
    found = []
    for raw in document["cases"]:
        if raw["fn"] == fn:
            tolerance = raw.get("tol", default)
            found.append(Case(raw["id"], raw["in"], raw["out"], tolerance["rel"], tolerance["abs"]))
    assert found, f"no case of {fn} in {topic}.json"
    return found


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "quant(topic, fn): run once per shared vector of this function")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker("quant")
    if marker is None:
        return
    topic, fn = marker.args
    if VECTORS.is_dir():
        params = [pytest.param(case, id=case.id) for case in load(topic, fn)]
    else:
        reason = f"NOT CHECKED: {fn} against {topic}.json, because {VECTORS} does not exist"
        if os.environ.get("CI"):
            raise pytest.UsageError(reason)
        params = [pytest.param(None, id=fn, marks=pytest.mark.skip(reason=reason))]
    metafunc.parametrize("case", params)


@pytest.fixture
def check(case: Case) -> Callable[[Mapping[str, Any]], None]:
    """Asserts that every listed output was produced, at the case's tolerance; extra outputs are free."""

    def compare(got: Any, want: Any, where: str) -> None:
        if isinstance(want, Mapping):
            for key, value in want.items():
                assert key in got, f"{where}: {key} was not produced"
                compare(got[key], value, f"{where}.{key}")
        elif isinstance(want, list):
            assert len(got) == len(want), where
            for index, (mine, theirs) in enumerate(zip(got, want, strict=True)):
                compare(mine, theirs, f"{where}[{index}]")
        elif want is None or isinstance(want, bool):
            assert got is want, f"{where}: expected {want}, was {got}"
        elif isinstance(want, str) and want.lstrip("-") == "inf":
            assert got == float(want), f"{where}: expected {want}, was {got}"
        elif isinstance(want, str) and isinstance(got, Decimal):
            assert got == Decimal(want), f"{where}: expected exactly {want}, was {got}"
        elif isinstance(want, str):
            assert got == want, f"{where}: expected {want!r}, was {got!r}"
        else:
            assert math.isfinite(got), f"{where}: expected {want}, was {got}"
            assert abs(got - want) <= max(case.rel * abs(want), case.abs), f"{where}: expected {want}, was {got}"

    return lambda got: compare(got, case.want, case.id)
