"""Golden material lives beside the repository, in `../shared`.

Without it these tests cannot run: under CI that is a failure, elsewhere each test says what it did not check.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
SHARED = ROOT.parent / "shared"


class Shared:
    """Reads files of the shared folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def json(self, path: str) -> Any:
        return json.loads(self.root.joinpath("fixtures/hyperliquid", path).read_bytes())

    def bytes(self, path: str) -> bytes:
        return self.root.joinpath("fixtures/hyperliquid", path).read_bytes()

    def files(self, folder: str) -> list[str]:
        return sorted(f"{folder}/{one.name}" for one in self.root.joinpath("fixtures/hyperliquid", folder).iterdir())

    def frames(self) -> list[tuple[int, str]]:
        """Recorded websocket frames with the host's nanoseconds at which each was read."""
        path = self.root / "data/hl_ws_frames_2025_01/btcusd_20250126.gz"
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            return [(int(line.split(" ", 1)[0]), line.split(" ", 1)[1].rstrip("\n")) for line in lines]

    def data(self, path: str) -> Path:
        return self.root / "data" / path


def find_shared(what: str) -> Shared:
    if SHARED.joinpath("fixtures/hyperliquid").is_dir():
        return Shared(SHARED)
    message = f"the shared fixtures are missing beside the repository: {what} is not checked"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture
def shared(request: pytest.FixtureRequest) -> Shared:
    return find_shared(request.node.name)
