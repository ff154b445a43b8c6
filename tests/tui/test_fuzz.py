"""Nothing a daemon can send brings the terminal down: whatever decodes is drawn, whatever does not is refused.

Seeded: a failure names the seed that repeats it.
"""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

import tui.widgets
from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.report import Snapshot
from hlomm.link.guardian import decode_from_guardian
from hlomm.link.protocol import Update, decode_to_client, decode_to_daemon, encode
from tests.tui.driving import drive, glass, on_stage, pressed, settle
from tests.tui.examples import NOW_S, SOCKET, daily, snapshot, wordy
from tests.tui.stage import showing
from tests.tui.stocked import stocked
from tui.app import Terminal
from tui.client import Pictured, Up
from tui.screens.confirm import Confirm
from tui.state import Store
from tui.views.line import Line
from tui.widgets.blocks import Money, TruthBar
from tui.widgets.lists import Browsed, ListPanel
from tui.widgets.panel import Panel, Said, Sight

INTS = (0, 1, -1, 10**8, -(10**8), 10**18, -(10**18), 2**62)
FLOATS = (0.0, -1.0, 0.5, 1e300, -1e300, math.nan, math.inf, -math.inf)
TEXTS = ("", " ", "[b]bold[/b]", "\x1b[31mred\nnext", "x" * 3000, "☃ \u202e \ud7ff", "hyperliquid:", ":", "%s{}\\")
ABSTRACT = (Panel, ListPanel, Browsed, Said)
SIZES = ((80, 24), (24, 3), (1, 1))


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in it, containers too."""
    yield path
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, (*path, key))
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from leaves(value, (*path, number))


def other(value: Any, pick: random.Random) -> Any:
    """Something else of the same kind."""
    match value:
        case bool():
            return not value
        case int():
            return pick.choice(INTS)
        case float():
            return pick.choice(FLOATS)
        case str():
            return pick.choice(TEXTS)
        case list():
            return pick.choice(([], value * 3, value[::-1]))
        case _:
            return value


def bent(picture: Snapshot, seed: int) -> Snapshot | None:
    """The snapshot with some of its values replaced; None where the decoder would refuse it."""
    pick = random.Random(seed)
    tree = msgspec.msgpack.decode(msgspec.msgpack.encode(picture))
    places = [path for path in leaves(tree) if path]
    for path in pick.sample(places, min(pick.randint(1, 15), len(places))):
        at = tree
        try:
            for step in path[:-1]:
                at = at[step]
            at[path[-1]] = other(at[path[-1]], pick)
        except (IndexError, KeyError, TypeError):
            continue  # an earlier change took the place away
    try:
        return msgspec.convert(tree, Snapshot)
    except msgspec.ValidationError:
        return None


def every_panel(sight: Sight) -> list[Panel]:
    """One of each kind there is; those of a question are asked for every order in their own tests."""
    for module in pkgutil.iter_modules(tui.widgets.__path__, "tui.widgets."):
        importlib.import_module(module.name)
    kinds, made = [Panel], []
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        wanted = list(inspect.signature(kind.__init__).parameters.values())[2:]
        if kind in ABSTRACT or any(one.default is one.empty and one.kind is not one.VAR_KEYWORD for one in wanted):
            continue
        made.append(kind(sight))
    return made


def test_whatever_a_snapshot_says_every_panel_draws_it() -> None:
    store = Store.begin(str(SOCKET), NOW_S)
    store.apply(Up("sim", 1), NOW_S)
    panels = every_panel(Sight(store, lambda: NOW_S))
    assert {"TruthBar", "Money", "Venues", "Markets", "Fills", "Alerts", "Ladder", "Holdings", "Settlements"} <= {
        type(panel).__name__ for panel in panels
    }
    drawn = 0
    for seed in range(120):
        picture = bent((stocked(), snapshot(), wordy())[seed % 3], seed)
        if picture is None:
            continue
        drawn += 1
        store.apply(Pictured(picture), NOW_S)
        store.move(1)
        for panel in panels:
            for width, height in SIZES:
                try:
                    panel.lines(width, height)
                except Exception as error:
                    raise AssertionError(f"seed {seed}: {type(panel).__name__} at {width}x{height}") from error
                shown = [span.text for line in panel.look(width, height)[0] for span in line]
                assert all(map(str.isprintable, shown)), f"seed {seed}"
    assert drawn > 30, "most of what is bent still decodes, or this would test nothing"


@pytest.mark.parametrize("decode", [decode_to_client, decode_to_daemon, decode_from_guardian])
def test_a_frame_is_read_or_refused_and_nothing_else(decode: Any) -> None:
    whole = encode(Update(id=0, snapshot=snapshot()))[4:]
    pick = random.Random(7)
    for _ in range(400):
        body = bytearray(whole)
        for _ in range(pick.randint(1, 8)):
            body[pick.randrange(len(body))] = pick.randrange(256)
        try:
            decode(bytes(body[: pick.randint(1, len(body))] if pick.random() < 0.3 else body))
        except ProtocolViolation:
            continue
    for deep in (b"\x91" * 100_000, b"\x82\xa4type\xa6Update\xa1x" + b"\x91" * 100_000):
        with pytest.raises(ProtocolViolation):
            decode(deep)


def test_what_a_later_daemon_adds_is_passed_over() -> None:
    tree = msgspec.msgpack.decode(encode(Update(id=0, snapshot=snapshot()))[4:])
    tree["later"] = {"a": [1, 2, {"b": None}]}
    tree["snapshot"]["engine"]["mood"] = "good"
    tree["snapshot"]["venues"][0]["weather"] = 3.5
    message = decode_to_client(msgspec.msgpack.encode(tree))
    assert message == Update(id=0, snapshot=snapshot())


def test_a_panel_that_fails_takes_neither_the_others_nor_the_kill_key_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Panel, width: int, height: int) -> list[Line]:
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr(Money, "lines", broken)

    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            assert "cannot be drawn: ZeroDivisionError('nobody thought of this')" in glass(stage)
            assert "QUOTING" in stage.app.screen.query_one(TruthBar).text
            assert isinstance(stage.app, Terminal)
            await pressed(pilot, "K")
            assert isinstance(stage.app.screen, Confirm)
            await pressed(pilot, "enter")
            await settle(pilot)
            assert len(stage.link.orders) == 1

    drive(main())


def test_a_name_cannot_move_the_cursor_nor_clear_the_screen() -> None:
    """Whoever lists a market may call it anything."""
    row = daily(ticker="OUT:\x1b[2JEVIL\x07\n-1", facts=(("model", "\x1b]52;c;ZXZpbA==\x07"),))
    store = Store.begin(str(SOCKET), NOW_S)
    store.apply(Up("sim", 1), NOW_S)
    store.apply(Pictured(snapshot((row,))), NOW_S)
    raw = cleaned = 0
    for panel in every_panel(Sight(store, lambda: NOW_S)):
        raw += sum(not span.text.isprintable() for line in panel.lines(120, 30) for span in line)
        cleaned += sum(not span.text.isprintable() for line in panel.look(120, 30)[0] for span in line)
    assert raw > 0, "views hand names on as they are"
    assert cleaned == 0
