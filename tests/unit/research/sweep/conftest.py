from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.store.making import minute, write


@pytest.fixture(scope="package")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of one small market."""
    root = tmp_path_factory.mktemp("store")
    write(root, minute())
    return root
