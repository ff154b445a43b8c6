"""The recorded market that CI has beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[4] / "shared"


@pytest.fixture(scope="session")
def q15() -> Path:
    """Two hours of a mainnet HIP-4 market. In CI its absence is a failure, elsewhere it is said."""
    folder = SHARED / "data" / "hl_hip4_q15"
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"{folder} is missing: the backtest cannot be checked")
        pytest.skip(f"NOT CHECKED without {folder}: loading and backtesting the recorded market")
    return folder
