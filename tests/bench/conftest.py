"""Benchmarks say what they log for their whole process; here that process goes on with other tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.loggers import as_before


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    with as_before():
        yield
