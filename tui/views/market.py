"""One market: what it settles on, its fair value and what that is made of, and the quote around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hlomm.domain.ids import venue_of
from hlomm.domain.markets import Comparator, MarketKind
from hlomm.domain.naming import venue_short
from hlomm.domain.orders import Side
from hlomm.domain.report import FillRow, MarketRow
from hlomm.domain.ticker import parse_ticker
from hlomm.domain.units import to_text
from tui.formats import DASH, MINUS, age, cents, coin_price, number, price, quantity, short_ticker
from tui.state import Store
from tui.views.line import Line, Span, Tone, aged, clean, cut, flow, joined, line, rule, spread, width_of
from tui.views.why import facts_of

NOTHING: Final = "no markets are listed yet"
OLD_DAEMON: Final = "this daemon does not show it: start it anew with this hlomm"
WAITING: Final = "waiting for the daemon"
_NAME: Final = 24
_SIDES: Final = (("bid", +1), ("ask", -1))


def head(store: Store, now_s: float, width: int) -> list[Line]:
    """Three lines: the market and its settlement; the fair value and its parts; how old they are."""
    row, snapshot = store.market(), store.shown
    if row is None or snapshot is None:
        return [
            rule("MARKET", width),
            cut(line(Span("no market matches" if store.filter else NOTHING, Tone.LABEL)), width),
        ]
    markets = store.markets()
    place = f"{markets.index(row) + 1}/{len(markets)}"
    name = short_ticker(row.ticker, _NAME, snapshot.engine.wall_ms)
    start = line(
        Span(name, Tone.HEAD), Span(f" {venue_short(venue_of(row.id))}", Tone.LABEL), Span("  tte ", Tone.LABEL),
        Span(clock_left(row.tau_s), Tone.STRONG), Span("  settles ", Tone.LABEL), Span(settles(row)),
    )  # fmt: skip
    values, lag_s = facts_of(row), store.shown_lag_s(now_s)
    book_age_s = None if row.book_age_s is None else row.book_age_s + lag_s
    return [
        spread(start, line(Span(f"← {place} →", Tone.LABEL)), width),
        aged(cut(_fair(store, row, values), width), book_age_s),
        cut(_ages(store, row, values, lag_s, book_age_s), width),
    ]


def clock_left(seconds: float | None) -> str:
    """Time to expiry to the second: `5h02m53s`."""
    if seconds is None or not 0 <= seconds < 1e10:  # what is not a number fails as well
        return DASH
    left = int(seconds)
    parts = ((left // 86_400, "d"), (left // 3600 % 24, "h"), (left // 60 % 60, "m"), (left % 60, "s"))
    first = next((place for place, (value, _) in enumerate(parts) if value), 3)
    head, *rest = parts[first:]
    return f"{head[0]}{head[1]}" + "".join(f"{value:02d}{unit}" for value, unit in rest)


def settles(row: MarketRow) -> str:
    """When YES pays."""
    if row.kind is MarketKind.PERP:
        return "never: a perp"
    parsed = parse_ticker(row.ticker)
    coin = clean(row.underlying) or (parsed.underlying if parsed is not None else "")
    if row.strike is not None:
        above = parsed is not None and parsed.terms.comparator is Comparator.ABOVE
        return f"YES if {coin} {'>' if above else '≥'} {number(row.strike, _decimals(row.strike))}"
    if parsed is None:
        return "by terms that its name does not tell"
    terms = parsed.terms
    if terms.window:
        return f"YES if {coin} is up over {terms.window}"
    if terms.other:
        return "YES if no other outcome of its question pays"
    floor, ceiling = (None if px is None else number(px, _decimals(px)) for px in (terms.floor, terms.ceiling))
    if floor is None:
        return f"YES if {coin} < {ceiling}"
    return f"YES if {coin} ≥ {floor}" if ceiling is None else f"YES if {floor} ≤ {coin} < {ceiling}"


def _decimals(px: int) -> int:
    return len(to_text(px).partition(".")[2])


def _fair(store: Store, row: MarketRow, values: dict[str, str]) -> Line:
    """`fair .61314 = 14% digital .60214 (σ 45.4% perp 91,881) ⊕ 86% book .61376→.61391`."""
    if row.kind is MarketKind.PERP:
        px = DASH if row.fair is None else coin_price(row.fair, 9)
        return line(
            Span("mark ", Tone.LABEL), Span(px, Tone.STRONG), Span(f"  from the venue's {clean(row.fair_source)}")
        )
    if row.fair is None:
        return line(Span("fair ", Tone.LABEL), Span(f"{DASH}  nothing says what it is worth now", Tone.LABEL))
    fair = line(Span("fair ", Tone.LABEL), Span(price(row.fair, 5), Tone.STRONG))
    if "model" not in values:
        return (*fair, Span(f"  from {clean(row.fair_source) or 'nobody knows what'}", Tone.LABEL))
    sigma = values.get("expected", values.get("vol", DASH))
    digital = line(
        Span("digital ", Tone.LABEL), values["model"], Span(f" (σ {sigma} perp {spot_of(store, row)})", Tone.LABEL)
    )
    book = line(Span("book ", Tone.LABEL), values.get("book", DASH), _book_now(store, values.get("book", DASH)))
    weights = _weights(row)
    if weights is None:
        return (*fair, Span(" = "), *(digital if row.fair_source == "model" else book))
    return (*fair, Span(f" = {weights[0]} "), *digital, Span(f" ⊕ {weights[1]} "), *book)


def _book_now(store: Store, said: str) -> str:
    """`→.22067`: what the underlying has moved it to since it was said."""
    look = store.look()
    px = None if look is None or look.figures is None else look.figures.book_now
    now = "" if px is None else price(px, 5)
    return f"→{now}" if now and now != said else ""


def _weights(row: MarketRow) -> tuple[str, str] | None:
    """Of digital and book, where both have a say."""
    try:
        weight = float(dict(row.facts).get("weight_model", ""))
    except ValueError:
        return None
    if row.fair_source != "blend" or not 0.0 <= weight <= 1.0:
        return None
    model = round(weight * 100)
    return f"{model}%", f"{100 - model}%"


def perp_of(store: Store, row: MarketRow) -> MarketRow | None:
    """Of the market's underlying, at its own venue first."""
    if store.shown is None:
        return None
    parsed = parse_ticker(row.ticker)
    coin = row.underlying or (parsed.underlying if parsed is not None else "")
    perps = [
        one
        for one in store.shown.engine.markets
        if one.kind is MarketKind.PERP and coin and (one.underlying == coin or one.ticker == f"PERP:{coin}")
    ]
    own = (one for one in perps if venue_of(one.id) == venue_of(row.id))
    return next(own, perps[0] if perps else None)


def spot_of(store: Store, row: MarketRow) -> str:
    perp = perp_of(store, row)
    return DASH if perp is None or perp.fair is None else number(perp.fair, 0)


def _ages(store: Store, row: MarketRow, values: dict[str, str], lag_s: float, book_age_s: float | None) -> Line:
    """`ν .99  realised 45.4%  implied 47.0%  premium 1.02  book 0.2s old  perp 0.2s old`."""
    said = [("ν", "nu"), ("realised", "vol"), ("implied", "implied"), ("premium", "premium")]
    cells = [line(Span(f"{name} ", Tone.LABEL), values[key]) for name, key in said if key in values]
    perp = perp_of(store, row) if row.kind is not MarketKind.PERP else None
    old = "never seen" if book_age_s is None else f"{age(book_age_s)} old"
    cells.append(aged(line(Span(f"book {old}", Tone.LABEL)), book_age_s))
    if perp is not None and perp.book_age_s is not None:
        cells.append(aged(line(Span(f"perp {age(perp.book_age_s + lag_s)} old", Tone.LABEL)), perp.book_age_s + lag_s))
    parts: list[Span] = []
    for cell in cells:
        parts += [*([Span("  ")] if parts else []), *cell]
    return tuple(parts)


# -- the quote


def band(store: Store, now_s: float, width: int) -> list[Line]:
    """Reservation, half-spread, skew, size and what bounds it; where it ends; what stands before our orders."""
    row = store.market()
    if row is None:
        return [rule("QUOTE", width)]
    values = facts_of(row)
    lines = [rule("QUOTE in YES prices", width, note=clean(row.strategy) or "not traded")]
    net = line(Span("net ", Tone.LABEL), Span(quantity_signed(row.yes - row.no), Tone.STRONG))
    if row.kind is MarketKind.PERP:
        return [*lines, cut(line(Span("its orders are the hedge's: 3 shows it", Tone.LABEL)), width)]
    if "reservation" in values:
        lines += [cut(one, width) for one in (_centre(values), _width(values))]
        bound = values.get("size_bound", "")
        size = line(
            Span("size ", Tone.LABEL), values.get("size", DASH), Span(f" by {bound}" if bound else "", Tone.LABEL)
        )
        lines.append(cut((*size, Span("  "), *net), width))
    else:
        lines += [cut(line(Span("no quote has been thought of", Tone.LABEL)), width), net]
    return [*lines, *(cut(one, width) for one in _ends(store, now_s)), *_queues(store, now_s, width)]


def quantity_signed(value: int) -> str:
    return quantity(value) if value == 0 else f"{'+' if value > 0 else MINUS}{quantity(abs(value))}"


def _scaled(text: str) -> int | None:
    try:
        return round(float(text) * 100_000_000)
    except (ValueError, OverflowError):
        return None


def _centre(values: dict[str, str]) -> Line:
    reservation, fair = _scaled(values["reservation"]), _scaled(values.get("fair", ""))
    skew = DASH if reservation is None or fair is None else cents(reservation - fair)
    return line(Span("reservation ", Tone.LABEL), values["reservation"], Span("  skew ", Tone.LABEL), skew)


def _width(values: dict[str, str]) -> Line:
    reservation, half = _scaled(values["reservation"]), _scaled(values.get("half", ""))
    start = line(Span("half ", Tone.LABEL), values.get("half", DASH))
    if reservation is None or half is None:
        return start
    low, high = (price(min(max(px, 0), 10**8), 4) for px in (reservation - half, reservation + half))
    return (*start, Span("  band ", Tone.LABEL), Span(f"{low}/{high}"))


def _ends(store: Store, now_s: float) -> list[Line]:
    """When the quote ends before the market does."""
    look = store.look()
    if look is None:
        return []
    cells = []
    if look.figures is not None:
        cells.append(line(Span("pulled below ", Tone.LABEL), clock_left(look.figures.pulled_below_s)))
    if look.drain_s is not None:
        cells.append(line(Span("drains last ", Tone.LABEL), clock_left(look.drain_s)))
    whole = flow(cells, 200)
    return [aged(one, store.look_lag_s(now_s)) for one in whole]


def ahead(store: Store, direction: int) -> str:
    """`~310 ahead`, of the order on that side."""
    look = store.look()
    rows = () if look is None else look.queues
    row = next((one for one in rows if one.direction == direction), None)
    if row is None:
        return ""
    return "ahead ?" if row.ahead is None else f"~{quantity(row.ahead)} ahead"


def _queues(store: Store, now_s: float, width: int) -> list[Line]:
    """Contracts of others at our prices, less what traded there since somebody looks."""
    look = store.look()
    if look is None:
        said = OLD_DAEMON if not store.looked.able else WAITING
        return [cut(line(Span(f"queue: {said}", Tone.LABEL)), width)]
    rows = [(name, row) for name, way in _SIDES for row in look.queues if row.direction == way]
    if not rows:
        market = store.market()
        moving = market is not None and (market.own_bid is not None or market.own_ask is not None)
        said = "not known while our orders move" if moving else "no order of ours rests"
        return [cut(line(Span("queue ", Tone.LABEL), Span(said, Tone.LABEL)), width)]
    cells = [
        line(Span(f"{name} ", Tone.LABEL), "?" if row.ahead is None else f"~{quantity(row.ahead)}")
        for name, row in rows
    ]
    seen = Span(f"  seen {age(min(row.watched_s for _, row in rows))}", Tone.LABEL)
    whole = (Span("ahead ", Tone.LABEL), *joined(cells, between=" · "), seen)
    return [aged(cut(whole, width), store.look_lag_s(now_s))]


def fills_head(rows: Sequence[FillRow], width: int) -> Line:
    """How many are remembered, and what they were worth later, weighted by size."""
    bought = sum(one.qty for one in rows if one.side is Side.BUY and one.kind == "trade")
    sold = sum(one.qty for one in rows if one.side is Side.SELL and one.kind == "trade")
    note = f"bought {quantity(bought)}, sold {quantity(sold)}" if rows else ""
    start = line(Span(f" OUR FILLS HERE {len(rows)}", Tone.HEAD))
    return spread(start, line(Span(note, Tone.LABEL)), width) if width_of(start) < width else cut(start, width)
