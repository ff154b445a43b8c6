"""The truth bar: state, limit and link, always of the live snapshot, whatever else is frozen or filtered."""

from __future__ import annotations

from typing import Final

from hlomm.domain.outputs import HaltState
from hlomm.domain.report import Snapshot
from tui.formats import AGE_SHOWN_S, DASH, age, clock, elapsed, fit, number
from tui.state import Phase, Store
from tui.views.line import Line, Span, Tone, clean, joined, line, spread, width_of

NO_LINK: Final = "NO LINK"
CONNECTING_S: Final = 1.0
"""A terminal that has just started says so for that long before it calls the link missing."""

CLASSES: Final = {
    "QUOTING": "-quoting",
    "PAUSED": "-flattening",
    "FLATTENING": "-flattening",
    "STOPPING": "-flattening",
    "HALTED": "-halted",
}

_WORDS: Final = {HaltState.RUNNING.value: "QUOTING"}
_SEPARATOR: Final = Span(" · ")
_NO_GUARDIAN: Final = Span(f"guardian {DASH}")
READ_ONLY: Final = Span("READ-ONLY", Tone.STRONG)
"""In place of the key of the hour: this terminal has no orders to give."""
_PLAY_MONEY: Final = Span("play money")
_NAME_MOST: Final = 16
_SIMULATED: Final = ("sim", "sim-canary")


def word(store: Store, now_s: float) -> str:
    """The one word that says what is going on."""
    snapshot = store.live
    if store.connected(now_s) and snapshot is not None:
        state = snapshot.engine.state
        if state == HaltState.RUNNING and _all_paused(snapshot):
            return "PAUSED"
        return _WORDS.get(state, clean(state).upper())
    if store.link.phase is Phase.CONNECTING and snapshot is None and store.lag_s(now_s) < CONNECTING_S:
        return "CONNECTING"
    if store.link.phase is Phase.UP and snapshot is None and store.lag_s(now_s) < CONNECTING_S:
        return "CONNECTING"
    return f"{NO_LINK} {age(store.lag_s(now_s))}"


def name(store: Store, most: int = _NAME_MOST) -> str:
    """Of the daemon among others, in a line that has more to say; empty where it is the only one."""
    return fit(clean(store.name), most)


def css_class(store: Store, now_s: float) -> str:
    """Class of the bar for its word; a state this terminal does not know looks like one that is passing."""
    said = word(store, now_s)
    return "-no-link" if said.startswith(NO_LINK) else CLASSES.get(said, "-waiting")


def bar(store: Store, now_s: float, width: int) -> Line:
    """The segments; where they do not fit, the placeholders give way before anything that can change does."""
    snapshot = store.live
    said = Span(word(store, now_s), Tone.STRONG)
    if snapshot is None:
        return spread(
            line(name(store) or "hlomm", _SEPARATOR, said),
            line(READ_ONLY if store.viewer else _NO_GUARDIAN),
            width,
        )
    guardian = _guardian(snapshot, store.lag_s(now_s))
    segments = [
        *([Span(name(store), Tone.STRONG)] if store.name else []),
        Span(clean(snapshot.profile)),
        said,
        _limit(snapshot),
        guardian,
        Span(f"{clock(snapshot.engine.wall_ms)}Z"),
        _link(store, now_s),
    ]
    if store.held is not None:
        segments.append(Span(f"FROZEN {elapsed(now_s - store.held_s)}", Tone.STRONG))
    key = line(READ_ONLY if store.viewer else _key(snapshot))
    for dispensable in (_PLAY_MONEY, guardian):
        if _length(segments) + 1 + width_of(key) <= width:
            break
        segments = [segment for segment in segments if segment is not dispensable]
    return spread(joined(((segment,) for segment in segments), between=_SEPARATOR.text), key, width)


def _length(segments: list[Span]) -> int:
    return width_of(tuple(segments)) + len(_SEPARATOR.text) * (len(segments) - 1)


def _all_paused(snapshot: Snapshot) -> bool:
    traded = {row.strategy for row in snapshot.engine.markets if row.strategy and row.settled is None}
    return bool(traded) and traded <= set(snapshot.engine.paused)


def _limit(snapshot: Snapshot) -> Span:
    if snapshot.armed:
        return Span(f"armed {number(snapshot.armed, 0)}")
    return _PLAY_MONEY if snapshot.profile in _SIMULATED or snapshot.fill_model else Span(f"armed {DASH}")


def _guardian(snapshot: Snapshot, lag_s: float) -> Span:
    """Whether somebody acts when the daemon no longer can."""
    row = snapshot.guardian
    if row.state == "disabled":
        return _NO_GUARDIAN
    if row.state != "up":
        return Span("guardian DOWN", Tone.STRONG)
    waited_s = 0.0 if row.answer_age_s is None else row.answer_age_s + lag_s
    return Span("guardian ok" if waited_s <= AGE_SHOWN_S else f"guardian {age(waited_s)}")


def _link(store: Store, now_s: float) -> Span:
    lag_s = store.lag_s(now_s)
    if store.link.phase is not Phase.UP:
        return Span("link down")
    return Span("link ok" if lag_s <= AGE_SHOWN_S else f"link {age(lag_s)}")


def _key(snapshot: Snapshot) -> Span:
    """The key that matters most in this state."""
    return Span("R resume" if snapshot.engine.state == HaltState.HALTED else "K kill", Tone.STRONG)
