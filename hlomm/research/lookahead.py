"""The guard against looking ahead: change the future of a recording, and no decision made before it may change.

At a time T everything that the engine is told later is changed, and everything that happens at the venue later. What
had happened there by T and was still on its way to us stays at the venue, whose answers may tell of it, and is changed
in what we are told. Decisions up to and with T, with the engine's digest at each, must come out byte for byte the same.
That nothing is caught proves little by itself; the tests have runs that do look ahead, and each is caught.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import attrs

from hlomm.domain.inputs import BboUpdate, BookSnapshot, Input, Level, MarkPrice, TradePrint
from hlomm.domain.orders import Side
from hlomm.domain.outputs import Output
from hlomm.domain.times import Now
from hlomm.domain.units import Px, complement
from hlomm.engine.core import Engine
from hlomm.journal.codec import encode_outputs
from hlomm.research.backtest import Run, Terms
from hlomm.research.latency import Delay
from hlomm.research.recording import Event, Recording
from hlomm.research.tape import Lines, lines, ordered
from hlomm.settings.load import Loaded

CUTS: Final = 3
"""Times at which a recording is cut, evenly over its decisions."""


@attrs.frozen
class Decision:
    at_ns: int
    outputs: bytes
    digest: int
    """Of the engine, after it."""


Runner = Callable[[Recording, Lines, int | None], Sequence[Decision]]
"""A backtest up to a time, or to the end: of a recording, told and traded on these lines."""


@attrs.frozen(kw_only=True)
class Checked:
    """One cut and one way to change what follows it."""

    at_ns: int
    change: str
    decisions: int
    """Up to the cut."""
    first_ns: int | None
    """When the first decision differs; None if none does."""


@attrs.frozen(kw_only=True)
class LookAhead:
    checks: tuple[Checked, ...]

    @property
    def held(self) -> bool:
        """Nothing before any cut depends on what came after it, and there was something that could."""
        return bool(self.checks) and all(one.decisions and one.first_ns is None for one in self.checks)

    def document(self) -> dict[str, Any]:
        return {"held": self.held, "checks": [attrs.asdict(one) for one in self.checks]}

    def text(self) -> str:
        wrong = [one for one in self.checks if one.first_ns is not None]
        if wrong:
            one = wrong[0]
            return (
                f"look-ahead: a decision at {one.first_ns} changes when what follows {one.at_ns} is {one.change} "
                f"({len(wrong)} of {len(self.checks)} checks fail): this result knows the future"
            )
        if not self.held:
            return "look-ahead: nothing is decided in this recording, so nothing is proved"
        most = max(one.decisions for one in self.checks)
        return f"look-ahead: {len(self.checks)} changed futures, up to {most} decisions before them: none differs"


def engine_runner(loaded: Loaded, terms: Terms) -> Runner:
    """The backtest itself."""

    def run(recording: Recording, of: Lines, until_ns: int | None) -> Sequence[Decision]:
        decisions = _Decisions()
        Run(recording, loaded, terms, decisions, of).until(until_ns)
        return decisions.made

    return run


def look_ahead(recording: Recording, run: Runner, feed: Delay, at_ns: Sequence[int] | None = None) -> LookAhead:
    """Cut a recording at some times and change what follows in every way of `CHANGES`."""
    whole = lines(recording.events, feed)
    made = run(recording, whole, None)
    if at_ns is None:
        at_ns = [made[len(made) * (cut + 1) // (CUTS + 1)].at_ns for cut in range(CUTS)] if made else []
    checks = []
    for cut_ns in sorted(set(at_ns)):
        before = [one for one in made if one.at_ns <= cut_ns]
        for name, change in CHANGES.items():
            changed = _changed(recording, whole, cut_ns, change)
            again = run(changed, _spliced(whole, lines(changed.events, feed), cut_ns), cut_ns)
            again = [one for one in again if one.at_ns <= cut_ns]
            checks.append(
                Checked(at_ns=cut_ns, change=name, decisions=len(before), first_ns=_first_difference(before, again))
            )
    return LookAhead(checks=tuple(checks))


class _Decisions:
    """Keeps every decision that comes to something."""

    def __init__(self) -> None:
        self.made: list[Decision] = []

    def fed(self, engine: Engine, item: Input, now: Now) -> None:
        pass

    def turned(self, engine: Engine, outputs: Sequence[Output], now: Now) -> None:
        if outputs:
            self.made.append(Decision(now.mono_ns, encode_outputs(outputs), engine.digest()))


def _first_difference(one: Sequence[Decision], other: Sequence[Decision]) -> int | None:
    for a, b in zip(one, other, strict=False):
        if a != b:
            return min(a.at_ns, b.at_ns)
    longer = max(one, other, key=len)
    common = min(len(one), len(other))
    return longer[common].at_ns if len(longer) > common else None


# -- other futures


def _changed(recording: Recording, whole: Lines, cut_ns: int, change: Change) -> Recording:
    """The recording with another future, its settlement included."""
    known = sum(told.at_ns <= cut_ns for told in whole.feed)
    future = change(recording.events[known:])
    marks = tuple((at_ns, px if at_ns <= cut_ns else Px(px * 101 // 100)) for at_ns, px in recording.marks)
    settled = None if recording.settled is None else complement(recording.settled)
    return attrs.evolve(recording, events=(*recording.events[:known], *future), marks=marks, settled=settled)


def _spliced(whole: Lines, changed: Lines, cut_ns: int) -> Lines:
    """What is told from the changed recording; what happened up to the cut as it did."""
    tape = [one for one in whole.tape if one.at_ns <= cut_ns] + [one for one in changed.tape if one.at_ns > cut_ns]
    return Lines(feed=changed.feed, tape=ordered(tape))


def _moved(events: Sequence[Event]) -> list[Event]:
    """Other prices: the outcome's mirrored, its perp's a hundredth higher."""
    return [_with(event, _other(event.item)) for event in events]


def _with(event: Event, item: Input) -> Event:
    return Event(received_ns=event.received_ns, exchange_ns=event.exchange_ns, item=item)


def _other(item: Input) -> Input:
    match item:
        case BookSnapshot(market=market, bids=bids, asks=asks, venue_ms=stamp):
            return BookSnapshot(market, _mirrored(asks), _mirrored(bids), stamp)
        case TradePrint(market=market, px=px, qty=qty, aggressor=side, trade_id=key, venue_ms=stamp):
            return TradePrint(market, complement(px), qty, Side(-side), key, stamp)
        case BboUpdate(market=market, bid=bid, ask=ask, venue_ms=stamp):
            return BboUpdate(market, _raised(bid), _raised(ask), stamp)
        case MarkPrice(market=market, px=px, venue_ms=stamp):
            return MarkPrice(market, Px(px * 101 // 100), stamp)
        case _:
            return item


def _mirrored(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    return tuple((complement(px), qty) for px, qty in levels)


def _raised(level: Level | None) -> Level | None:
    return None if level is None else (level[0] * 101 // 100, level[1])


def _shuffled(events: Sequence[Event], *, seed: int) -> list[Event]:
    """The same news at the same times, each kind in another order."""
    places: dict[type[Input], list[int]] = {}
    for place, event in enumerate(events):
        places.setdefault(type(event.item), []).append(place)
    changed = list(events)
    chance = random.Random(seed)
    for of_kind in places.values():
        for place, source in zip(of_kind, chance.sample(of_kind, len(of_kind)), strict=True):
            changed[place] = _with(events[place], events[source].item)
    return changed


def _dropped(events: Sequence[Event]) -> list[Event]:
    del events
    return []


Change = Callable[[Sequence[Event]], list[Event]]
CHANGES: Final[Mapping[str, Change]] = {
    "moved": _moved, "shuffled": partial(_shuffled, seed=1), "dropped": _dropped,
}  # fmt: skip
