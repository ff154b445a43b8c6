"""trio's order of tasks as a function of a seed.

Two things keep a run under a mock clock from repeating. The runner shuffles what is runnable with a generator that
nobody seeds, and a thread takes as long as it takes, so that its task wakes among others by chance. Here the generator
is seeded, batches are sorted before they are shuffled (what trio does under Hypothesis), and the work of threads is
done in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio
from trio._core import _run as runner


async def _in_place(work: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """A thread that takes no time."""
    del options
    await trio.lowlevel.checkpoint_if_cancelled()
    result = work(*args)
    await trio.lowlevel.cancel_shielded_checkpoint()
    return result


@contextmanager
def ordered_by(seed: int) -> Iterator[None]:
    """Until the end of the block the same seed means the same order."""
    before = runner._r.getstate()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
        patch.setattr(trio.to_thread, "run_sync", _in_place)
        runner._r.seed(seed)
        try:
            yield
        finally:
            runner._r.setstate(before)
