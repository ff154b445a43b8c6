"""Running asyncio code from plain tests: the only async plugin here belongs to trio."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from rich.console import Console
from textual.pilot import Pilot

from tests.tui.stage import Stage

T = TypeVar("T")

LIMIT_S = 30.0


def drive(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end, or fail rather than hang."""
    return asyncio.run(asyncio.wait_for(main, LIMIT_S))


@asynccontextmanager
async def on_stage(stage: Stage, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Pilot[str]]:
    """The app, running, with everything the recording says already on the glass."""
    async with stage.app.run_test(size=size) as pilot:
        await settle(pilot)
        yield pilot


async def settle(pilot: Pilot[Any]) -> None:
    """Let messages arrive, then draw. No waiting for the clock: the tick is called by hand."""
    await pilot.pause()
    pilot.app.tick()  # type: ignore[attr-defined]
    await pilot.pause()


async def pressed(pilot: Pilot[Any], *keys: str) -> None:
    await pilot.press(*keys)
    await settle(pilot)


def glass(stage: Stage) -> str:
    """The characters on the whole terminal, windows included."""
    app = stage.app
    width, height = app.size
    console = Console(
        width=width, height=height, file=io.StringIO(), record=True, legacy_windows=False, force_terminal=True
    )
    console.print(app.screen._compositor.render_update(full=True, screen_stack=app._background_screens))
    return "\n".join(row.rstrip() for row in console.export_text().split("\n"))
