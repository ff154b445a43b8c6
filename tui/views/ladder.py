"""The book of the selected market with our own orders in it, in the prices of the YES or of the NO token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hlomm.domain.inputs import Level
from hlomm.domain.markets import Leg, MarketKind
from hlomm.domain.orders import OrderState, Side
from hlomm.domain.report import MarketRow, OwnQuote
from hlomm.domain.units import complement
from tui.formats import DASH, coin_price, price, quantity, short_ticker
from tui.state import Store
from tui.views.line import Line, Span, Tone, clean, cut, left, line, right, rule
from tui.views.market import ahead

OWN_BID: Final = "▸"
OWN_ASK: Final = "◂"
"""Beside our orders, pointing at the price: they are found without colour too."""

_PX: Final = 6
_COIN_PX: Final = 8
_SIZE: Final = 6
_SIDES: Final = ("bid", "ask")
_STATES: Final = {
    OrderState.OPEN: "",
    OrderState.PENDING_NEW: "placing",
    OrderState.PENDING_AMEND: "amending",
    OrderState.PENDING_CANCEL: "cancelling",
}


@dataclass(frozen=True)
class Rung:
    """One price on one side. `size` is what the venue shows there, `own` what is ours of it."""

    px: int
    size: int | None
    own: int | None = None


def lines(store: Store, width: int, height: int) -> list[Line]:
    row, snapshot = store.market(), store.shown
    if row is None or snapshot is None:
        return [rule("LADDER", width)]
    perp = row.kind is MarketKind.PERP
    mirrored = store.as_no and not perp
    note = "" if perp else ("NO view · t" if mirrored else "YES view · t")
    title = short_ticker(row.ticker, max(width - len(note) - 1, 0), snapshot.engine.wall_ms)
    bids, asks = rungs(row, mirrored=mirrored)
    count = max(height - 1 - (0 if perp else len(_SIDES)), 1)
    body = [_pair(bids, asks, number, width, perp=perp) for number in range(min(count, max(len(bids), len(asks), 1)))]
    blank: list[Line] = [() for _ in range(count - len(body))]
    own = (row.own_ask, row.own_bid) if mirrored else (row.own_bid, row.own_ask)
    # The venue's queue is at a level of the merged book: the ask's in YES prices is the bid's seen from NO.
    sides = (-1, +1) if mirrored else (+1, -1)
    legs = [] if perp else [
        _leg(name, one, ahead(store, side), width, mirrored=mirrored)
        for name, one, side in zip(_SIDES, own, sides, strict=True)
    ]  # fmt: skip
    return [rule(title, width, note=note), *body, *blank, *legs]


def rungs(row: MarketRow, *, mirrored: bool) -> tuple[list[Rung], list[Rung]]:
    """Bids and asks, best first. Seen from NO, buying YES is selling NO: sides change, prices complement."""
    bids = _with_own(row.bids, row.own_bid, best_high=True)
    asks = _with_own(row.asks, row.own_ask, best_high=False)
    if not mirrored:
        return bids, asks
    return _mirrored(asks), _mirrored(bids)


def _with_own(levels: tuple[Level, ...], own: OwnQuote | None, *, best_high: bool) -> list[Rung]:
    placed = [Rung(px, size, own.qty if own is not None and own.px == px else None) for px, size in levels]
    if own is not None and all(rung.own is None for rung in placed):
        # Not in the venue's book (yet, or any more, or below the levels shown): still ours, so still here.
        placed.append(Rung(own.px, None, own.qty))
        placed.sort(key=lambda rung: rung.px, reverse=best_high)
    return placed


def _mirrored(side: list[Rung]) -> list[Rung]:
    return [Rung(complement(rung.px), rung.size, rung.own) for rung in side]


def _pair(bids: list[Rung], asks: list[Rung], number: int, width: int, *, perp: bool) -> Line:
    half = (width - 1) // 2
    bid = _left_half(bids[number] if number < len(bids) else None, half, perp=perp)
    ask = _right_half(asks[number] if number < len(asks) else None, width - 1 - half, perp=perp)
    if number == 0 and not bids:
        bid = line(left(" no bids", half, Tone.WARN))
    if number == 0 and not asks:
        ask = line(left(" no asks", half, Tone.WARN))
    return (*bid, Span("│", Tone.LABEL), *ask)


def _left_half(rung: Rung | None, half: int, *, perp: bool) -> Line:
    if rung is None:
        return line(" " * half)
    px, size = _price(rung, perp=perp), _size(rung)
    own = "" if rung.own is None else f"{quantity(rung.own)}{OWN_BID}"
    return (right(own, half - len(px) - _SIZE - 2, Tone.OURS), size, Span(" "), _toned(px, rung), Span(" "))


def _right_half(rung: Rung | None, half: int, *, perp: bool) -> Line:
    if rung is None:
        return line(" " * half)
    px, size = _price(rung, perp=perp), _size(rung)
    own = "" if rung.own is None else f"{OWN_ASK}{quantity(rung.own)}"
    return (Span(" "), _toned(px, rung), Span(" "), size, left(f" {own}", half - len(px) - _SIZE - 2, Tone.OURS))


def _price(rung: Rung, *, perp: bool) -> str:
    return coin_price(rung.px, _COIN_PX).rjust(_COIN_PX) if perp else price(rung.px, _PX - 1)


def _toned(px: str, rung: Rung) -> Span:
    return Span(px, Tone.PLAIN if rung.own is None else Tone.OURS)


def _size(rung: Rung) -> Span:
    return right(
        DASH if rung.size is None else quantity(rung.size), _SIZE, Tone.LABEL if rung.own is None else Tone.OURS
    )


def _leg(name: str, own: OwnQuote | None, queue: str, width: int, *, mirrored: bool) -> Line:
    """Which token the order trades, and how; its price in the ladder's token is added where that is the other one."""
    if own is None:
        return line(Span(f"{name} ", Tone.LABEL), Span("no order", Tone.LABEL))
    side = "buy" if own.side is Side.BUY else "sell"
    text = f"{side} {own.leg.name} {quantity(own.qty)} @ {price(own_px(own), _PX - 1)}"
    other = ""
    if mirrored != (own.leg is Leg.NO):
        other = f" (={price(complement(own.px) if mirrored else own.px, _PX - 1)})"
    state = _STATES.get(own.state, clean(own.state.value).upper())
    alarm = own.state not in _STATES
    mark = OWN_BID if name == "bid" else OWN_ASK
    said = f" {state}" if state else ""
    start = len(name) + len(mark) + len(text) + 2
    if queue and start + len(other) + len(said) + len(queue) + 1 > width:
        other = ""  # the ladder shows that price anyway
    return cut(
        line(
            Span(f"{name} ", Tone.LABEL), Span(f"{mark} {text}{other}", Tone.OURS),
            Span(said, Tone.WARN if alarm else Tone.LABEL), Span(f" {queue}" if queue else "", Tone.LABEL),
        ),
        width,
    )  # fmt: skip


def own_px(own: OwnQuote) -> int:
    """The order's price in its own token."""
    return own.px if own.leg is Leg.YES else complement(own.px)
