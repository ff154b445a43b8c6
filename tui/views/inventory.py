"""What is held, event by event, and what the treasury makes of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hlomm.domain.ids import MarketId, is_outcome
from hlomm.domain.report import MarketRow, PositionRow, SetRow
from hlomm.domain.units import Cash, Qty
from tui.formats import age, age_if_old, fitted, number, quantity, short_ticker
from tui.state import Store
from tui.views import hedge
from tui.views.holdings import held, tokens
from tui.views.line import Line, Span, Tone, aged, clean, cut, joined, left, line, right, signed_tone
from tui.views.markets import OK

EMPTY: Final = "flat: nothing is held, and no sets are wanted"

_NAME, _SETS, _NET, _CASH, _AGE, _WORD = 19, 6, 10, 9, 5, 14
_EXTRA_FROM: Final = 110
"""From this width on: what selling would bring, and why the treasury does what it does."""
_REQUESTED: Final = "converting"
"""Guard of the last look's request; the note outlives the conversion until the next look."""
_DOING: Final = {
    "split": "splitting",
    "merge": "merging",
    "negate": "negating",
    "merge_question": "merging all",
}


@dataclass(frozen=True, kw_only=True)
class Holding:
    """One event, or one perp, that is held or that the treasury looks after."""

    position: PositionRow
    sets: SetRow | None
    market: MarketRow | None
    """None when it is listed no more."""

    @property
    def id(self) -> MarketId:
        return self.position.market

    @property
    def ticker(self) -> str:
        return self.position.ticker

    @property
    def pairs(self) -> int:
        return min(self.position.yes, self.position.no) if is_outcome(self.id) else 0

    @property
    def net(self) -> int:
        return self.position.yes - self.position.no

    def book_age_s(self, lag_s: float) -> float | None:
        """Age of the book by which it is valued."""
        return None if self.market is None or self.market.book_age_s is None else self.market.book_age_s + lag_s


def holdings(store: Store) -> list[Holding]:
    """Side by side what hangs on one underlying, soonest expiry first, its perp last."""
    if store.shown is None:
        return []
    engine = store.shown.engine
    sets, markets = {row.market: row for row in engine.sets}, {row.id: row for row in engine.markets}
    positions = {row.market: row for row in held(engine.positions)}
    positions |= {row.market: _nothing(row) for row in engine.sets if row.market not in positions}
    found = [
        Holding(position=row, sets=sets.get(market), market=markets.get(market)) for market, row in positions.items()
    ]
    return sorted(found, key=_place)


def _nothing(row: SetRow) -> PositionRow:
    none = Cash(0)
    return PositionRow(
        market=row.market, ticker=row.ticker, yes=Qty(0), no=Qty(0), cost=none, value=none, realised=none, fees=none
    )


def _place(holding: Holding) -> tuple[str, bool, float, MarketId]:
    row = holding.market
    tau_s = math.inf if row is None or row.tau_s is None else row.tau_s
    return "" if row is None else row.underlying, not is_outcome(holding.id), tau_s, holding.id


# -- rows


def head(store: Store, width: int) -> Line:
    cells = [
        left(f" HELD {len(holdings(store))}", _NAME + 1), right("SETS", _SETS), right("NET", _NET),
        right("COST", _CASH), right("VALUE", _CASH), right("BOOK", _AGE), left("TREASURY", _WORD),
    ]  # fmt: skip
    if width >= _EXTRA_FROM:
        cells += [right("IF SOLD", _CASH), left("WHY", 4)]
    return tuple(Span(span.text, Tone.HEAD) for span in joined(line(cell) for cell in cells))


def row_lines(store: Store, visible: Iterable[Holding], now_s: float, width: int) -> list[Line]:
    """Everything but the mark of the cursor."""
    lag_s, snapshot = store.shown_lag_s(now_s), store.shown
    wall_ms = 0 if snapshot is None else snapshot.engine.wall_ms
    return [_row(holding, lag_s, wall_ms, width) for holding in visible]


def _row(holding: Holding, lag_s: float, wall_ms: int, width: int) -> Line:
    row, age_s = holding.position, holding.book_age_s(lag_s)
    word, why, tone = treasury(holding.sets)
    cells = [
        left(short_ticker(row.ticker, _NAME, wall_ms), _NAME),
        right(quantity(holding.pairs) if is_outcome(holding.id) else "", _SETS, Tone.STRONG),
        right(net_text(holding), _NET, Tone.STRONG if holding.net else Tone.LABEL),
        right(fitted(row.cost, _CASH), _CASH),
        right(fitted(row.value, _CASH), _CASH),
        right(age_if_old(age_s), _AGE, Tone.WARN),
        left(word, _WORD, tone),
    ]
    if width >= _EXTRA_FROM:
        gain = row.value - row.cost
        cells += [right(fitted(gain, _CASH, signed=True), _CASH, signed_tone(gain)), Span(clean(why), Tone.LABEL)]
    return aged(cut(joined(line(cell) for cell in cells), width), age_s)


def net_text(holding: Holding) -> str:
    """What is in no pair: `+20 YES`, `+40 NO`, with the letter alone where that is too long; of a perp the coins."""
    if not is_outcome(holding.id):
        return tokens(holding.position)
    if not holding.net:
        return "0"
    leg = "YES" if holding.net > 0 else "NO"
    text = f"+{quantity(abs(holding.net))} {leg}"
    return text if len(text) <= _NET else f"{text.removesuffix(f' {leg}')}{leg[0]}"


def treasury(row: SetRow | None) -> tuple[str, str, Tone]:
    """(what it does, why, tone)."""
    if row is None:
        return "", "", Tone.LABEL
    word, detail = clean(row.note.guard), row.note.detail
    if row.converting:
        doing = _DOING.get(row.converting, clean(row.converting))
        return f"{doing} {quantity(row.qty)}", detail, Tone.STRONG
    if word == OK:
        return ("kept", detail, Tone.GOOD) if detail else ("nothing to do", "", Tone.LABEL)
    if word == _REQUESTED:
        return "requested", detail, Tone.PLAIN
    return word, detail, Tone.WARN


def whole(store: Store, holding: Holding, now_s: float) -> str:
    """Everything about one row, with where each number comes from."""
    row, age_s = holding.position, holding.book_age_s(store.shown_lag_s(now_s))
    book = "its book was never seen" if age_s is None else f"its book is {age(age_s)} old"
    if is_outcome(holding.id):
        said = f"{quantity(holding.pairs)} sets and {net_text(holding)}"
        said += f" ({quantity(row.yes)} YES, {quantity(row.no)} NO)"
        source = "what the best bids pay"
    else:
        said, source = f"{net_text(holding)} held", "at the price of closing it"
    gain = number(row.value - row.cost, 2, signed=True)
    value = f"value {number(row.value)} ({source}; {book}): if sold {gain}"
    past = f"realised {number(row.realised, 2, signed=True)}, fees {number(row.fees)}"
    parts = [
        f"{clean(row.ticker)}   {clean(row.market)}",
        f"{said}\ncost {number(row.cost)}, {value}\n{past}",
    ]
    word, why, _ = treasury(holding.sets)
    if word:
        parts.append(f"treasury: {word}" + (f" — {clean(why)}" if why else ""))
    parts += [hedge.whole(row) for row in hedge.rows(store) if row.market == holding.id]
    done = {} if store.shown is None else store.shown.engine.converted
    if done:
        counts = ", ".join(f"{clean(kind)} {quantity(qty)}" for kind, qty in sorted(done.items()))
        parts.append(f"converted in this run, all events: {counts}")
    return "\n\n".join(parts)
