"""Golden material lives beside the repository, in `../shared`; see the conftest of `tests/wire/hyperliquid`."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[3].parent / "shared"


class Shared:
    """Reads Kalshi's files of the shared folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def bytes(self, path: str) -> bytes:
        return self.root.joinpath("fixtures/kalshi", path).read_bytes()

    def json(self, path: str) -> Any:
        return json.loads(self.bytes(path))

    def rest(self, name: str) -> bytes:
        return self.bytes(f"synthetic/rest/{name}.json")

    def files(self, folder: str) -> list[str]:
        return sorted(one.name for one in self.root.joinpath("fixtures/kalshi", folder).iterdir())

    def frames(self, name: str) -> list[dict[str, Any]]:
        """Frames of a synthetic conversation, `{"dir", "frame"}` each."""
        return [json.loads(line) for line in self.bytes(f"synthetic/ws/{name}.jsonl").splitlines()]

    def recorded(self) -> Iterator[tuple[int, bytes]]:
        """The recorded window: host milliseconds and the frame's own bytes."""
        path = self.root / "fixtures/kalshi/recorded/KXGOLD15M-26AUG101900-00.ndjson.gz"
        with gzip.open(path) as lines:
            for line in lines:
                row = json.loads(line)
                yield row["recv_ms"], json.dumps(row["event"]).encode()

    def rows(self, name: str) -> Iterator[dict[str, Any]]:
        """Rows of the 15-minute data set."""
        with self.root.joinpath("data/kalshi_15m_2026_08", name).open() as lines:
            for line in lines:
                yield json.loads(line)


def find_shared(what: str) -> Shared:
    if SHARED.joinpath("fixtures/kalshi").is_dir():
        return Shared(SHARED)
    message = f"the shared fixtures are missing beside the repository: {what} is not checked"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture
def shared(request: pytest.FixtureRequest) -> Shared:
    return find_shared(request.node.name)
