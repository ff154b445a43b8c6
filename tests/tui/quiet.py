"""Waiting for the app until it has nothing left to do, and not a moment longer.

Textual's own pilot sleeps for 20 ms at a time until the process looks idle by its CPU time: a third of what these tests
took, and on a busy machine no proof that anything is finished. Here nothing is left to do when no task of the event
loop can run, and what waits for the next frame (drawing, a new size of the terminal) is done at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import textual.app
import textual.pilot
from textual._context import active_app

MAX_STEPS = 100_000
MAX_FRAMES = 100


async def wait_for_quiet(_min_sleep: float = 0.0, _max_sleep: float = 1.0) -> None:
    """Until every task waits for a key, a timer or a socket, and the screen is drawn.

    Raises:
        AssertionError: something goes on and on.
    """
    app = active_app.get()
    for _ in range(MAX_FRAMES):
        await _nothing_can_run()
        if app._resize_timer is not None:
            app._check_resize()
            continue
        if app._batch_count or not app.is_running or not app._screen_stack:
            return  # in a batch the app itself holds the drawing back
        due = [screen for screen in app.screen_stack if screen._update_timer._active.is_set()]
        if not due:
            return
        for screen in due:
            screen._on_timer_update()
    raise AssertionError("the screen is never done drawing")


async def _nothing_can_run() -> None:
    loop = asyncio.get_running_loop()
    for _ in range(MAX_STEPS):
        await asyncio.sleep(0)
        if not loop._ready:  # type: ignore[attr-defined]  # what asyncio has no public question for
            return
    raise AssertionError("the app is never idle")


@contextmanager
def quietly() -> Iterator[None]:
    """The pilot waits like this, instead of by the clock."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (textual.pilot, textual.app):
            patch.setattr(module, "wait_for_idle", wait_for_quiet)
        yield
