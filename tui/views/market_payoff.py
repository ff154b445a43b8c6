"""What the selected market's position pays at settlement: a step over the price of its underlying."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from hlomm.domain.markets import MarketKind
from hlomm.domain.report import MarketRow, PositionRow
from hlomm.domain.ticker import parse_ticker
from tui.formats import decimals_of, number
from tui.state import Store
from tui.views.holdings import tokens
from tui.views.line import Line, Span, Tone, cut, line, rule, signed_tone
from tui.views.market import perp_of

FLAT: Final = "flat: nothing is held here"
_LABEL: Final = 14
_MOST: Final = 60
"""A wider picture says no more."""


def lines(store: Store, width: int) -> list[Line]:
    """At most five lines: what is held, the higher step, the lower one, the prices between them, the whole life."""
    row = store.market()
    if row is None or row.kind is MarketKind.PERP:
        return [rule("PAYOFF", width), cut(line(Span("of contracts that settle: 3 shows perps", Tone.LABEL)), width)]
    held = (
        None
        if store.shown is None
        else next((one for one in store.shown.engine.positions if one.market == row.id), None)
    )
    if held is None or not (held.yes or held.no):
        return [rule("PAYOFF", width), cut(line(Span(FLAT, Tone.LABEL)), width)]
    yes, no = held.yes - held.cost, held.no - held.cost
    heading = rule(f"PAYOFF of {tokens(held)}", width, note=f"cost {number(held.cost)}")
    return [heading, *_steps(store, row, yes, no, min(width, _MOST)), cut(_life(held, yes, no), width)]


def _life(held: PositionRow, yes: int, no: int) -> Line:
    """With what this market brought already, and its fees."""
    before = held.realised - held.fees
    return line(
        Span("whole life YES ", Tone.LABEL), Span(number(yes + before, signed=True), signed_tone(yes + before)),
        Span(" NO ", Tone.LABEL), Span(number(no + before, signed=True), signed_tone(no + before)),
    )  # fmt: skip


def regions(row: MarketRow) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """Prices at which the payoff jumps, ascending, and whether YES is paid below, between and above them."""
    if row.strike is not None:
        return (row.strike,), (False, True)
    parsed = parse_ticker(row.ticker)
    floor, ceiling = (None, None) if parsed is None else (parsed.terms.floor, parsed.terms.ceiling)
    if floor is not None and ceiling is not None:
        return (floor, ceiling), (False, True, False)
    if floor is not None:
        return (floor,), (False, True)
    return ((), ()) if ceiling is None else ((ceiling,), (True, False))


def _steps(store: Store, row: MarketRow, yes: int, no: int, width: int) -> list[Line]:
    bounds, pays = regions(row)
    high_is_yes = yes >= no
    labels = [("YES", yes), ("NO", no)] if high_is_yes else [("NO", no), ("YES", yes)]
    if not bounds:
        return [
            line(Span(f"{name:<4}"), Span(f"{number(value, signed=True):>10}", signed_tone(value)))
            for name, value in labels
        ]
    room = max(width - _LABEL - 2, 8)
    edges = [0, *(room * (place + 1) // (len(bounds) + 1) for place in range(len(bounds))), room]
    highs = [is_yes is high_is_yes for is_yes in pays]
    pictures = [_level(highs, edges, upper=True), _level(highs, edges, upper=False)]
    steps = [_step(name, value, picture, width) for (name, value), picture in zip(labels, pictures, strict=True)]
    return [*steps, cut(line(Span(" " * (_LABEL + 1)), Span(_axis(store, row, bounds, edges))), width)]


def _step(name: str, value: int, picture: str, width: int) -> Line:
    amount = Span(f"{number(value, signed=True):>{_LABEL - 5}} ", signed_tone(value))
    return cut(line(Span(f"{name:<4}", Tone.LABEL), amount, f"┤{picture}"), width)


def _level(highs: list[bool], edges: list[int], *, upper: bool) -> str:
    """One of the two levels: drawn where the payoff is on it, with the corners of the jumps."""
    cells = []
    for high, (begin, end) in zip(highs, pairwise(edges), strict=True):
        cells.append(("─" if high is upper else " ") * (end - begin))
    text = list("".join(cells))
    for (left, right_one), at in zip(pairwise(highs), edges[1:-1], strict=True):
        if left is not right_one:
            text[at] = ("┌" if right_one else "┐") if upper else ("┘" if right_one else "└")
    return "".join(text)


def _axis(store: Store, row: MarketRow, bounds: tuple[int, ...], edges: list[int]) -> str:
    """Where the payoff jumps, and on which side of that the underlying is now."""
    decimals = max(decimals_of(px) for px in bounds)
    text = [" "] * (edges[-1] + 1)
    perp = perp_of(store, row)
    spot = None if perp is None else perp.fair
    labels = [number(px, min(decimals, 2)) for px in bounds]
    if spot is not None:
        region = sum(spot >= bound for bound in bounds)
        begin, end = edges[region], edges[region + 1]
        said = "▲now" if end - begin >= len("▲now") + max(map(len, labels)) else "▲"
        _write(text, (begin + end - len(said)) // 2, said)
    for at, said in zip(edges[1:-1], labels, strict=True):
        _write(text, at - len(said) // 2, said)
    return "".join(text).rstrip()


def _write(text: list[str], at: int, said: str) -> None:
    at = min(max(at, 0), max(len(text) - len(said), 0))
    text[at : at + len(said)] = said[: len(text) - at]
