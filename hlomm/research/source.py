"""What `hlomm backtest` can be pointed at: a recorded store, or HIP-4 recordings in their own layout."""

from __future__ import annotations

from pathlib import Path

from hlomm.domain.faults import UsageError
from hlomm.research.recording import load_all
from hlomm.research.store.read import is_store
from hlomm.research.store.recordings import Chosen, Excluded, load_one


def recordings(path: Path) -> Chosen:
    """All recordings at a path. UsageError where there is none that can be run."""
    if is_store(path):
        return load_one(path)
    found, unfit = load_all(path)
    if not found:
        raise UsageError("; ".join(reason for _, reason in unfit[:5]))
    return Chosen(recordings=tuple(found), excluded=tuple(Excluded(name, name, reason) for name, reason in unfit))
