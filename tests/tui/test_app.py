"""Rung: the whole app, driven by keys. What is on the glass after each, and what reached the daemon."""

from __future__ import annotations

import pytest

from tests.tui.driving import drive, glass, on_stage, settle
from tests.tui.examples import (
    halted,
    many,
    one_sided,
    snapshot,
    wordy,
)
from tests.tui.stage import alone, misunderstood, showing

SIZES = [(80, 24), (120, 40), (200, 60)]
SCENES = {
    "quoting": lambda: showing(snapshot()),
    "halted": lambda: showing(halted()),
    "alone": alone,
    "misunderstood": misunderstood,
    "empty": lambda: showing(snapshot(())),
    "one-sided": lambda: showing(snapshot((one_sided(),))),
    "many": lambda: showing(snapshot(many())),
    "wordy": lambda: showing(wordy()),
}


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_draws_at_every_size(scene: str) -> None:
    """No size and no content brings the terminal down, and the truth bar is always the first line."""

    async def main() -> None:
        stage = SCENES[scene]()
        async with on_stage(stage) as pilot:
            for size in (*SIZES, (60, 15), (20, 5)):
                await pilot.resize_terminal(*size)
                await settle(pilot)
                first = glass(stage).split("\n")[0]
                assert first.startswith(" sim ·" if stage.app.store.live is not None else " hlomm ·")

    drive(main())


def test_what_the_eye_learned_does_not_move() -> None:
    """The left 80 columns of the lines above the markets are the same in every wider terminal."""

    async def top(size: tuple[int, int]) -> list[str]:
        stage = showing(snapshot())
        async with on_stage(stage, size):
            return [row[:79].rstrip() for row in glass(stage).split("\n")[1:11]]

    narrow, wide = drive(top((80, 24))), drive(top((120, 40)))
    assert narrow == wide


def test_all_parts_are_there_when_there_is_room() -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage, (200, 60)):
            shown = glass(stage)
            for part in ("VENUES", "MARKETS 4", "FILLS 143", "ALERTS 1", "FACTS", "POSITIONS 2", "RESULT", "ORDERS 4",
                         "ALERTS IN FULL", "YES view"):  # fmt: skip
                assert part in shown

    drive(main())
