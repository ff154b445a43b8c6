"""What `hlomm backtest` can be pointed at: a recorded store, or a folder in the layout of a HIP-4 recording."""

from __future__ import annotations

from pathlib import Path

from hlomm.research.recording import load
from hlomm.research.store.read import is_store
from hlomm.research.store.recordings import Chosen, load_one


def recordings(path: Path) -> Chosen:
    """All recordings at a path. UsageError where there is none that can be run."""
    return load_one(path) if is_store(path) else Chosen(recordings=(load(path),), excluded=())
