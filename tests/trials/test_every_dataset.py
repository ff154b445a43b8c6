"""Everything recorded beside the checkout, whole, as its owner would: imported, backtested, and told in a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.datasets import DATA, LARGE, WITH_BOOKS, dataset
from tests.trials.conftest import say
from tests.trials.every_dataset import table

pytestmark = pytest.mark.trial


def test_all_that_has_books_runs_alike_in_any_process(tmp_path: Path) -> None:
    names = sorted(set(WITH_BOOKS) - LARGE)
    for name in names:
        dataset(name)
    rows, wrong = table(DATA, tmp_path, names)
    say("\n".join(rows))
    assert wrong == []
