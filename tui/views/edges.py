"""Linked events: what a pair would be traded at, what that would leave, and what keeps it from being done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hlomm.domain.edge_rows import EdgeRow, ExecutableRow
from hlomm.domain.ids import MarketId, venue_of
from hlomm.domain.link_rows import LinkRow
from hlomm.domain.naming import venue_short
from hlomm.domain.units import SCALE
from tui.formats import DASH, MINUS, age, age_if_old, ask_price, bid_price, number, quantity, short_ticker
from tui.state import Store
from tui.views.line import Line, Span, Tone, aged, clean, cut, joined, left, line, right, signed_tone, width_of

EMPTY: Final = "no two venues list one event"
REVIEWED: Final = "reviewed"
SUSPENDED: Final = "suspended"

_NAME, _SIDE, _GRADE, _CENTS, _AGE, _WHY = 17, 12, 8, 7, 4, 12
_ROOMY: Final = 110
"""From this width on: prices to four decimals, both ages, the way round, the gross edge, the reason in full."""
_VAST: Final = 170
"""From this width on: every deduction."""
_TAKEN: Final = ("FEES", "ROUND", "BRIDGE", "TIME", "BASIS", "LEGS")


def names(store: Store) -> dict[MarketId, str]:
    """Tickers of all that is listed or linked."""
    if store.shown is None:
        return {}
    engine = store.shown.engine
    linked = {row.left: row.left_ticker for row in engine.links} | {row.right: row.right_ticker for row in engine.links}
    return linked | {row.id: row.ticker for row in engine.markets}


def event_name(store: Store, markets: Iterable[MarketId], width: int = _NAME) -> str:
    """The name of the first contract whose name there is room for; whichever leg that is, the event is one."""
    wall_ms, known = 0 if store.shown is None else store.shown.engine.wall_ms, names(store)
    said = [clean(short_ticker(known.get(market, market), width, wall_ms)) for market in markets]
    return next((name for name in said if not name.endswith("…")), said[0] if said else "")


def group_name(store: Store, group: str, width: int = _NAME) -> str:
    return event_name(store, [MarketId(part) for part in group.split(" <-> ")], width)


def link_of(store: Store, row: EdgeRow) -> LinkRow | None:
    rows = () if store.shown is None else store.shown.engine.links
    return next((one for one in rows if (one.left, one.right) == (row.left.market, row.right.market)), None)


def lag_s(store: Store, now_s: float) -> float:
    """What to add to the ages: those of the picture, and those of its journey."""
    if store.shown is None:
        return 0.0
    engine = store.shown.engine
    return store.shown_lag_s(now_s) + max(engine.wall_ms - engine.edges.at_ms, 0) / 1000


def cents(value: float, width: int) -> str:
    """Of one contract, signed, with as many of two decimals as fit; what is shown as zero carries no sign."""
    texts = (f"{value * 100:+.{places}f}" for places in (2, 1, 0))
    forms = [f"{(text if text.strip('+-0.') else text[1:]).replace('-', MINUS)}c" for text in texts]
    return next((form for form in forms if len(form) <= width), "#" * width)


# -- rows


def head(store: Store, width: int) -> Line:
    count = 0 if store.shown is None else len(store.shown.engine.edges.edges)
    places = _places(width)
    cells = [
        left(f" LINKS {count}", _NAME + 1), left("LEFT BID/ASK", _side(places)), left("RIGHT", _side(places)),
        left("IS", _GRADE),
    ]  # fmt: skip
    if width >= _ROOMY:
        cells += [left("BUY", 7), right("GROSS", _CENTS)]
    if width >= _VAST:
        cells += [right(name, _CENTS) for name in _TAKEN]
    cells += [right("LEAVES", _CENTS), right("AGE", _AGE), left("WHY NOT" if width >= _ROOMY else "WHY", _WHY)]
    return tuple(Span(span.text, Tone.HEAD) for span in joined(line(cell) for cell in cells))


def row_lines(store: Store, rows: Iterable[EdgeRow], now_s: float, width: int) -> list[Line]:
    """Everything but the mark of the cursor."""
    lag = lag_s(store, now_s)
    return [_row(store, row, lag, width) for row in rows]


def _row(store: Store, row: EdgeRow, lag: float, width: int) -> Line:
    link, places = link_of(store, row), _places(width)
    suspended = link is not None and link.state == SUSPENDED
    ages = [None if side.age_s is None else side.age_s + lag for side in (row.left, row.right)]
    known = [one for one in ages if one is not None]
    older = max(known) if len(known) == len(ages) else None
    name = event_name(store, (row.left.market, row.right.market))
    cells = [
        line(left(name, _NAME, Tone.ALARM if suspended else Tone.PLAIN)),
        *(aged(line(_prices(side, places)), each) for side, each in zip((row.left, row.right), ages, strict=True)),
        line(left(_grade(store, row, link), _GRADE, Tone.LABEL)),
    ]
    if width >= _ROOMY:
        cells += [line(left(_way(row), 7)), aged(line(_each(row, row.gross)), older)]
    if width >= _VAST:
        cells += [aged(line(_each(row, -part if row.leaves is not None else None)), older) for part in taken(row)]
    word, tone = why(row, link)
    room = max(width - sum(map(width_of, cells)) - len(cells) - _CENTS - _AGE - 2, 0)
    detail = clean(row.why_not) if width >= _ROOMY and row.why_not else word
    cells += [
        aged(line(_left_over(row)), older),
        line(right(age_if_old(older), _AGE, Tone.WARN)),
        line(left(detail, room, tone)),
    ]
    return cut(joined(cells), width)


def _places(width: int) -> int:
    return 4 if width >= _ROOMY else 3


def _side(places: int) -> int:
    return _SIDE + 2 * (places - 3)


def _prices(side: ExecutableRow, places: int) -> Span:
    bid = DASH if side.bid is None else bid_price(side.bid, places)
    ask = DASH if side.ask is None else ask_price(side.ask, places)
    text = f"{venue_short(venue_of(side.market))} {bid:>{places + 1}}/{ask}"
    return left(text, _side(places), Tone.LABEL if side.bid is None and side.ask is None else Tone.PLAIN)


def _grade(store: Store, row: EdgeRow, link: LinkRow | None) -> str:
    """`near +29`: the strike of the right leg is that much higher, in whole units."""
    strikes = {one.id: one.strike for one in ([] if store.shown is None else store.shown.engine.markets)}
    low, high = strikes.get(row.left.market), strikes.get(row.right.market)
    apart = 0 if low is None or high is None else round((high - low) / SCALE)
    return ("?" if link is None else clean(link.grade)) + (f" {apart:+d}".replace("-", MINUS) if apart else "")


def _way(row: EdgeRow) -> str:
    return DASH if row.buys is None else f"{row.buys[0].name}+{row.buys[1].name}"


def taken(row: EdgeRow) -> tuple[int, ...]:
    """Everything that is taken off the gross edge, in the order in which it is shown."""
    return sum(row.fees), row.rounding, row.bridge, row.capital, row.basis, row.legging


def _each(row: EdgeRow, value: int | None) -> Span:
    return right(DASH if value is None else cents(value / row.qty, _CENTS), _CENTS)


def _left_over(row: EdgeRow) -> Span:
    """Bold once it is enough."""
    if row.leaves is None:
        return right(DASH, _CENTS, Tone.LABEL)
    enough = row.needs is not None and row.leaves >= row.needs
    text = cents(row.leaves / row.qty, _CENTS)
    return right(text, _CENTS, Tone.STRONG if enough else signed_tone(row.leaves) if row.leaves > 0 else Tone.PLAIN)


def why(row: EdgeRow, link: LinkRow | None) -> tuple[str, Tone]:
    """What keeps it from being traded, in a word."""
    if link is not None and link.state == SUSPENDED:
        return "SUSPENDED", Tone.ALARM
    if link is None or link.state != REVIEWED:
        return "not reviewed", Tone.LABEL
    guard, colon, _ = clean(row.why_not).partition(": ")
    if guard:
        return guard if colon else "see enter", Tone.PLAIN if guard == "no_edge" else Tone.WARN
    if row.note:
        return clean(row.note).partition(":")[0], Tone.LABEL
    return ("trading", Tone.GOOD) if row.leaves is not None else ("watched", Tone.LABEL)


# -- one in full


def whole(store: Store, row: EdgeRow, now_s: float) -> str:
    """Everything about one link, with where each number comes from."""
    link, known, lag = link_of(store, row), names(store), lag_s(store, now_s)
    parts = [_heading(link, row)]
    if row.why_not:
        parts.append(f"not traded: {clean(row.why_not)}")
    parts.append(_sum(row))
    if row.held:
        parts.append(f"{quantity(row.held)} pairs of it are held")
    parts += [_leg(known, link, row, place, lag) for place in (0, 1)]
    if link is not None:
        rows = ((clean(one.term), clean(one.left), clean(one.right), clean(one.makes)) for one in link.terms)
        differ = [f"  {term}: {low} / {high} — {makes}" for term, low, high, makes in rows]
        parts.append("\n".join(["terms that differ:", *differ]) if differ else "no term differs")
    return "\n\n".join(parts)


def _heading(link: LinkRow | None, row: EdgeRow) -> str:
    if link is None:
        return clean(row.group)
    signed = f", by {clean(link.reviewed_by)} on {clean(link.reviewed_on)}" if link.reviewed_by else ""
    state = clean(link.state).upper() if link.state == SUSPENDED else clean(link.state)
    return f"{clean(link.key)}\n{clean(link.grade)}, {state}: {clean(link.reason)}{signed}"


def _leg(known: dict[MarketId, str], link: LinkRow | None, row: EdgeRow, place: int, lag: float) -> str:
    side = (row.left, row.right)[place]
    bid, ask = (DASH if px is None else number(px, 5) for px in (side.bid, side.ask))
    old = "its book was never seen" if side.age_s is None else f"its book is {age(side.age_s + lag)} old"
    terms = "" if link is None else f"\n  {clean((link.left_terms, link.right_terms)[place])}"
    rules = "" if link is None else f", rules {clean((link.left_rules, link.right_rules)[place]) or '(none)'}"
    return (
        f"{clean(known.get(side.market, side.market))}   {clean(side.market)}{rules}{terms}\n"
        f"  {quantity(row.qty)} YES sell at {bid}, cost {ask} each; {old}"
    )


def _sum(row: EdgeRow) -> str:
    """From the gross edge to what is left, a contract at a time."""
    if row.buys is None or row.gross is None:
        return "no way round has both legs: " + (clean(row.note) or "a book is empty, or was never seen")
    here, there = (venue_short(venue_of(side.market)) for side in (row.left, row.right))
    text = f"buy {row.buys[0].name} at {here} and {row.buys[1].name} at {there}, {quantity(row.qty)} of each"
    rows: list[tuple[str, int]] = [("pays 1, less the prices", row.gross)]
    if row.leaves is None:
        reason = clean(row.note) or "no strategy trades links"
        return f"{text}\n{_amounts(row, rows)}\nwhat is taken off cannot be told: {reason}"
    basis = "settlement basis" if row.apart is None else f"settlement basis ({row.apart / SCALE:.2%} to part)"
    said = ("fees", "rounding of fees", "way of the money", "time it is tied up", basis, "being left with one leg")
    rows += [(name, -part) for name, part in zip(said, taken(row), strict=True)]
    rows.append(("leaves", row.leaves))
    needs = "" if row.needs is None else f"\nneeds {cents(row.needs / row.qty, 9)} to be traded"
    return f"{text}\n{_amounts(row, rows)}{needs}"


def _amounts(row: EdgeRow, rows: Iterable[tuple[str, int]]) -> str:
    return "\n".join(
        f"  {name:<34}{cents(value / row.qty, 9):>9}   {number(value, 4, signed=True):>10}" for name, value in rows
    )
