"""Golden material lives beside the repository, in `../shared`.

Without it these tests cannot run: under CI that is a failure, elsewhere each test says what it did not check.
"""

from __future__ import annotations

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
        return json.loads(self.bytes(path))

    def bytes(self, path: str) -> bytes:
        return self.root.joinpath("fixtures/polymarket", path).read_bytes()

    def names(self, folder: str) -> set[str]:
        return {f"{folder}/{one.name}" for one in self.root.joinpath("fixtures/polymarket", folder).iterdir()}

    def frames(self) -> list[str]:
        """Recorded messages of the market channel."""
        path = self.root / "data/pm_ws_frames_2026_05/ws_book_frames.jsonl"
        return path.read_text(encoding="utf-8").splitlines()

    def data(self, path: str) -> bytes:
        return self.root.joinpath("data", path).read_bytes()


def find_shared(what: str) -> Shared:
    if SHARED.joinpath("fixtures/polymarket").is_dir():
        return Shared(SHARED)
    message = f"the shared fixtures are missing beside the repository: {what} is not checked"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture
def shared(request: pytest.FixtureRequest) -> Shared:
    return find_shared(request.node.name)
