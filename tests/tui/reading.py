"""Reading what the views have drawn."""

from __future__ import annotations

from hlomm.domain.report import Snapshot
from tests.tui.examples import NOW_S, snapshot
from tui.client import Pictured, Up
from tui.state import Store
from tui.views.line import Line, Tone, plain


def store(picture: Snapshot | None = None) -> Store:
    made = Store.begin("/run/hlomm.sock", NOW_S)
    made.apply(Up("sim", 1), NOW_S)
    made.apply(Pictured(snapshot() if picture is None else picture), NOW_S)
    return made


def text(lines: list[Line]) -> str:
    return "\n".join(plain(each) for each in lines)


def tones(each: Line, needle: str) -> set[Tone]:
    return {span.tone for span in each if needle in span.text}
