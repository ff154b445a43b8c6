"""What was in memory before a long run, kept out of the collector's way while it lasts."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def set_aside() -> Iterator[None]:
    """A recording is some 10^5 objects that live on: looked through with every full collection, 8 % of a backtest."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
