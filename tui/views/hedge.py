"""The maintained hedges: what is held against what should be."""

from __future__ import annotations

from typing import Final

from hlomm.domain.report import HedgeRow, MarketRow
from tui.formats import DASH, age_if_old, coins, decimals_of, fitted, number, short_ticker
from tui.state import Store
from tui.views.line import Line, Span, Tone, aged, clean, cut, joined, left, line, right
from tui.views.markets import OK
from tui.views.money import of_limit

EMPTY: Final = "no hedge is maintained"

_NAME, _COINS, _BAND, _NOTIONAL, _SHARE, _AGE = 10, 9, 8, 11, 7, 5
_NOTE_MIN: Final = 24
"""With less room than that only the first word of the note is said."""


def rows(store: Store) -> tuple[HedgeRow, ...]:
    return () if store.shown is None else store.shown.engine.hedges


def lines(store: Store, now_s: float, width: int) -> list[Line]:
    """A heading and one line for each hedge."""
    cells = [
        left(f" HEDGE {len(rows(store))}", _NAME + 1), right("HELD", _COINS), right("TARGET", _COINS),
        right("BAND", _BAND), right("NOTIONAL", _NOTIONAL), right("IN BAND", _SHARE), right("BOOK", _AGE),
        left("NOW", 3),
    ]  # fmt: skip
    top = tuple(Span(span.text, Tone.HEAD) for span in joined(line(cell) for cell in cells))
    if store.shown is None or not rows(store):
        return [top, line(Span(f" {EMPTY}", Tone.LABEL))]
    markets = {row.id: row for row in store.shown.engine.markets}
    limit, lag_s = store.shown.engine.hedge_limit, store.shown_lag_s(now_s)
    return [top, *(_row(row, markets.get(row.market), limit, lag_s, width) for row in rows(store))]


def targets(store: Store, width: int) -> list[Line]:
    """One short line for each hedge, for where what is held is said already."""
    return [
        cut(line(Span(f"{_coin(row)} target ", Tone.LABEL), f"{target} {band} ", note(row, 0)), width)
        for row in rows(store)
        for _, target, band in (_figures(row),)
    ]


def whole(row: HedgeRow) -> str:
    held, target, band = _figures(row)
    return (
        f"hedge: {held} held, target {target} {band}; {_share(row)} of its life within the band; "
        f"notional {number(row.notional)}\nnow: {note(row).text}"
    )


def note(row: HedgeRow, room: int = _NOTE_MIN) -> Span:
    """What it is doing, or what keeps it from that."""
    if row.note.guard == OK:
        inside = abs(row.held - row.target) <= row.band
        return Span("in band", Tone.GOOD) if inside else Span("outside", Tone.WARN)
    said = f"{row.note.guard} — {row.note.detail}" if row.note.detail and room >= _NOTE_MIN else row.note.guard
    return Span(clean(said), Tone.PLAIN if row.note.guard == "hedging" else Tone.WARN)


def _row(row: HedgeRow, market: MarketRow | None, limit: int, lag_s: float, width: int) -> Line:
    held, target, band = _figures(row)
    age_s = None if market is None or market.book_age_s is None else market.book_age_s + lag_s
    notional, tone = fitted(row.notional, _NOTIONAL), Tone.PLAIN
    if limit:
        notional, tone = of_limit(row.notional, limit, _NOTIONAL, decimals=0)
    name = _coin(row) if market is None else short_ticker(market.ticker, _NAME, 0)
    cells = [
        left(f" {clean(name)}", _NAME + 1),
        right(held, _COINS, Tone.STRONG),
        right(target, _COINS),
        right(band, _BAND),
        right(notional, _NOTIONAL, tone),
        right(_share(row), _SHARE),
        right(age_if_old(age_s), _AGE, Tone.WARN),
    ]
    start = sum(len(cell.text) + 1 for cell in cells)
    return aged(cut(joined(line(cell) for cell in (*cells, note(row, width - start))), width), age_s)


def _figures(row: HedgeRow) -> tuple[str, str, str]:
    """(held, target, band), with one number of decimals."""
    decimals = max(decimals_of(value) for value in (row.held, row.target, row.band))
    return coins(row.held, decimals), coins(row.target, decimals), f"±{number(row.band, decimals)}"


def _coin(row: HedgeRow) -> str:
    return clean(row.market.partition(":")[2])


def _share(row: HedgeRow) -> str:
    """Of its life that it was within its band; rounded down, so that 100 % means always."""
    total = row.inside_ms + row.outside_ms
    return f"{100 * row.inside_ms // total} %" if total else DASH
