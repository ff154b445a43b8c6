"""What the quote of a market would be at other vols and inventories, and its odds at other vols and prices.

The daemon computes both with the functions that quote; here they are drawn. The marked cell is what was decided on.
"""

from __future__ import annotations

import math
from typing import Final

from hlomm.domain.ids import venue_of
from hlomm.domain.look_rows import BandRow, OddsRow, SurfaceRow
from hlomm.domain.markets import MarketKind
from hlomm.domain.naming import venue_short
from hlomm.domain.units import SCALE, to_fixed
from tui.formats import AGE_DIM_S, DASH, MINUS, age, number, price, short_ticker
from tui.looked import Drawn
from tui.state import Store
from tui.views import heat, market
from tui.views.heat import Cell, Map, percent
from tui.views.line import Line, Span, Tone, clean, cut, line, retoned, rule, spread, wrapped
from tui.views.markets import OK

_NAME: Final = 24
_MINUTE_ROOT: Final = math.sqrt(60.0)


def head(store: Store, now_s: float, width: int) -> list[Line]:
    """The market, and whose decision the maps are drawn around and how old it is."""
    row, snapshot = store.market(), store.shown
    if row is None or snapshot is None:
        return [rule("SURFACES", width), cut(line(Span(market.NOTHING, Tone.LABEL)), width)]
    markets = store.markets()
    name = short_ticker(row.ticker, _NAME, snapshot.engine.wall_ms)
    start = line(
        Span(name, Tone.HEAD), Span(f" {venue_short(venue_of(row.id))}", Tone.LABEL), Span("  tte ", Tone.LABEL),
        Span(market.clock_left(row.tau_s), Tone.STRONG), Span("  settles ", Tone.LABEL), Span(market.settles(row)),
    )  # fmt: skip
    place = line(Span(f"← {markets.index(row) + 1}/{len(markets)} →", Tone.LABEL))
    return [spread(start, place, width), cut(_source(store, now_s), width)]


def surface(store: Store) -> SurfaceRow | None:
    look = store.look()
    return None if look is None else look.surface


def decided_ago_s(store: Store, row: SurfaceRow, now_s: float) -> float:
    """Of venue time, and of what passed since the daemon was heard."""
    wall_ms = 0 if store.shown is None else store.shown.engine.wall_ms
    return max(wall_ms - row.decided_ms, 0) / 1000 + store.shown_lag_s(now_s)


def _source(store: Store, now_s: float) -> Line:
    row = surface(store)
    if row is None or not row.decided_ms:
        return line(Span(why_none(store), Tone.WARN))
    old_s = decided_ago_s(store, row, now_s)
    fair = DASH if row.p is None else price(row.p, 5)
    said = line(Span("by ", Tone.LABEL), Span(clean(row.source)), Span(f", decided {age(old_s)} ago", Tone.LABEL))
    market_row = store.market()
    note = None if market_row is None else market_row.bid_note
    if old_s > AGE_DIM_S and note is not None and note.guard != OK:
        said = (*said, Span(f", not asked since: {clean(note.guard)}", Tone.WARN))
    said = (*said, Span("  fair ", Tone.LABEL), Span(fair, Tone.STRONG))
    if row.odds is not None and row.odds.spot_age_s is not None:
        said = (*said, Span(f"  perp's price then {age(row.odds.spot_age_s)} old", Tone.LABEL))
    return said


def _old(text: Line, old_s: float) -> Line:
    """Old maps are dim, and their heading says how old: struck out, neither shades nor figures could be read."""
    return retoned(text, Tone.DIM) if old_s > AGE_DIM_S else text


def _note(unit: str, old_s: float, more: str = "") -> str:
    return f"in {unit}{more}" if old_s <= AGE_DIM_S else f"{age(old_s)} OLD · in {unit}"


def why_none(store: Store) -> str:
    """What to say instead of a map."""
    row, look = store.market(), store.look()
    if row is None:
        return market.NOTHING
    if row.kind is MarketKind.PERP:
        return "a perp has no settlement: ← → to a contract"
    if not store.looked.able:
        return market.OLD_DAEMON
    if look is None:
        return market.WAITING if store.held is None else "the display was frozen on another market"
    if look.surface is None:
        return clean(look.note) or market.WAITING
    return clean(look.surface.note) or "nothing to draw"


# -- the quote


def band(store: Store, now_s: float, width: int, height: int, figure: Drawn | None = None) -> list[Line]:
    """Of one figure; without a name the one that was chosen."""
    row, what = surface(store), store.looked.drawn if figure is None else figure
    title = f"QUOTE: {what.value}"
    if row is None or row.band is None or not _fits(row.band):
        return [rule(title, width), *wrapped(why_none(store), width, Tone.LABEL)]
    drawn = row.band
    now = cut(_band_now(drawn), width)
    old_s = decided_ago_s(store, row, now_s)
    of = Map(
        rows=[_net(net) for net in drawn.nets], columns=[_sigma(sigma) for sigma in drawn.sigmas],
        cells=_cells(drawn, what), at=drawn.at, axis="σ→", fine=what is Drawn.HALF,
    )  # fmt: skip
    heading = rule(title, width, note=_note(heat.unit(of, width), old_s, " · v other" if figure is None else ""))
    return [heading, _old(now, old_s), *(_old(one, old_s) for one in heat.lines(of, width, height - 2))]


def _fits(drawn: BandRow) -> bool:
    """Whether it has as many cells of each figure as its axes say."""
    count = len(drawn.nets) * len(drawn.sigmas)
    figures = (drawn.bids, drawn.asks, drawn.reservations, drawn.halves)
    row, column = drawn.at
    whole = count > 0 and all(len(one) == count for one in figures)
    return whole and 0 <= row < len(drawn.nets) and 0 <= column < len(drawn.sigmas)


def _cells(drawn: BandRow, what: Drawn) -> list[Cell]:
    """What is not quoted on either side, or on the one that is shown, is marked."""
    made = []
    for bid, ask, reservation, half in zip(drawn.bids, drawn.asks, drawn.reservations, drawn.halves, strict=True):
        match what:
            case Drawn.HALF:
                made.append(Cell(half, bid is None and ask is None))
            case Drawn.RESERVATION:
                made.append(Cell(reservation, bid is None and ask is None))
            case Drawn.BID:
                made.append(Cell(bid, bid is None))
            case Drawn.ASK:
                made.append(Cell(ask, ask is None))
    return made


def _band_now(drawn: BandRow) -> Line:
    """`@ net +120  σ 1.31c/√min  .6058/.6192`."""
    row, column = drawn.at
    place = row * len(drawn.sigmas) + column
    bid, ask = drawn.bids[place], drawn.asks[place]
    sides = f"{DASH if bid is None else price(bid, 4)}/{DASH if ask is None else price(ask, 4)}"
    start = line(
        Span(f"{heat.NOW} ", Tone.STRONG), Span("net ", Tone.LABEL), _net(drawn.nets[row]), Span(" σ ", Tone.LABEL),
        f"{_sigma(drawn.sigmas[column])}c/√min ", Span(sides, Tone.STRONG),
    )  # fmt: skip
    return (*start, Span(f"  {clean(drawn.why)}", Tone.WARN)) if drawn.why else start


def _net(net: int) -> str:
    whole = round(net / SCALE)
    return "0" if whole == 0 else f"{'+' if whole > 0 else MINUS}{abs(whole)}"


def _sigma(sigma: int) -> str:
    """Cents in a root minute, two figures."""
    value = sigma * 100 / SCALE * _MINUTE_ROOT
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 0.995 else f"{value:.2f}"[1:]


# -- the odds


def odds(store: Store, now_s: float, width: int, height: int) -> list[Line]:
    row = surface(store)
    if row is None or row.odds is None or not row.odds.cells or not row.odds.spots or not row.odds.sigmas:
        return [rule("P(YES) of the model", width), *wrapped(why_none(store), width, Tone.LABEL)]
    drawn = row.odds
    old_s = decided_ago_s(store, row, now_s)
    places = _spot_places(drawn)
    of = Map(
        rows=[to_fixed(spot, places) for spot in drawn.spots], columns=[percent(sigma) for sigma in drawn.sigmas],
        cells=[Cell(cell) for cell in drawn.cells], at=drawn.at, axis="σ→", fine=False,
    )  # fmt: skip
    heading = rule("P(YES) of the model", width, note=_note("c", old_s))
    if not of.sound:
        return [heading, *heat.lines(of, width, height)]
    now = cut(_odds_now(drawn, places), width)
    return [heading, _old(now, old_s), *(_old(one, old_s) for one in heat.lines(of, width, height - 2))]


def _spot_places(drawn: OddsRow) -> int:
    """Decimals that tell one row from the next."""
    step = min((abs(high - low) for high, low in zip(drawn.spots, drawn.spots[1:], strict=False)), default=SCALE)
    return 0 if step >= SCALE else 1 if step >= SCALE // 10 else 2 if step >= SCALE // 100 else 4


def _odds_now(drawn: OddsRow, places: int) -> Line:
    row, column = drawn.at
    return line(
        Span(f"{heat.NOW} ", Tone.STRONG), Span("S ", Tone.LABEL), number(drawn.spots[row], max(places, 1)),
        Span("  σ ", Tone.LABEL), f"{drawn.sigmas[column] * 100 / SCALE:.1f}%  ",
        Span(price(drawn.cells[row * len(drawn.sigmas) + column], 5), Tone.STRONG),
    )  # fmt: skip
