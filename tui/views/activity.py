"""What happened: fills and alerts, newest first."""

from __future__ import annotations

from typing import Final

from hlomm.domain.ids import is_outcome
from hlomm.domain.outputs import AlertLevel
from hlomm.domain.report import AlertRow, FillRow
from hlomm.domain.units import ONE, to_text
from tui.formats import cents, coin_price, coins_in, dated, number, price, quantity, short_ticker, stamp
from tui.state import Store
from tui.views.holdings import traded
from tui.views.line import Line, Span, Tone, clean, cut, joined, left, line, right, rule, signed_tone, width_of, wrapped

_LEVELS: Final = {
    AlertLevel.INFO.value: ("info", Tone.LABEL),
    AlertLevel.WARNING.value: ("WARN", Tone.WARN),
    AlertLevel.CRITICAL.value: ("CRIT", Tone.ALARM),
}
_TRADE: Final = "trade"
_MARKET: Final = 19


# -- fills


def fills_head(store: Store, width: int) -> Line:
    snapshot = store.shown
    if snapshot is None:
        return rule(" FILLS", width)
    engine = snapshot.engine
    return rule(f" FILLS {engine.fills}", width, note=f"volume {number(engine.volume, 2)}")


def fills(store: Store) -> list[FillRow]:
    """As many as the daemon remembers, newest first."""
    return [] if store.shown is None else list(reversed(store.shown.engine.recent_fills))


def fill_line(row: FillRow, width: int, now_ms: int | None = None) -> Line:
    perp = not is_outcome(row.market)
    cells = [
        line(Span(stamp(row.wall_ms, now_ms), Tone.LABEL)),
        line(left(traded(row) if row.kind == _TRADE else clean(row.kind), 10)),
        line(right(coins_in(row.qty, 6) if perp else quantity(row.qty), 6)),
        line(Span("@", Tone.LABEL)),
        line(right(coin_price(row.px, 6) if perp else _px(row.px), 6)),
        line(left(short_ticker(row.ticker, _MARKET, row.wall_ms), _MARKET)),
        _edge(row),
    ]
    if row.kind == _TRADE and not row.maker:
        cells.append(line(Span("taker", Tone.WARN)))
    whole = joined(cells)
    fee = line(Span(f" fee {number(row.fee, 2)}", Tone.LABEL))
    return cut((*whole, *fee) if row.fee and width_of(whole) + width_of(fee) <= width else whole, width)


def fill_text(row: FillRow) -> str:
    """Everything about one fill."""
    verb, _, leg = traded(row).partition(" ")
    amount = f"{quantity(row.qty)} {leg}" if leg else f"{to_text(row.qty)} coins"
    role = "maker" if row.maker else "taker"
    edge = "not known" if row.edge is None else cents(row.edge)
    return (
        f"{clean(row.ticker)}\n{dated(row.wall_ms)}  {clean(row.kind)}, {role}\n\n"
        f"{verb} {amount} at {_px(row.px)}\n"
        f"fee {number(row.fee, 4)}, edge against fair value {edge}"
    )


def _edge(row: FillRow) -> Line:
    if row.edge is None:
        return line(" " * 13)
    return line(Span("edge ", Tone.LABEL), right(cents(row.edge), 8, signed_tone(row.edge)))


def _px(px: int) -> str:
    return price(px, 5) if px <= ONE else number(px, 1)


# -- alerts


def alerts_head(store: Store, width: int) -> Line:
    count = 0 if store.shown is None else len(store.shown.alerts)
    return rule(f" ALERTS {count}", width, note="a all in full" if count else "")


def alerts(store: Store) -> list[AlertRow]:
    return [] if store.shown is None else list(reversed(store.shown.alerts))


def alert_line(row: AlertRow, width: int, now_ms: int | None = None) -> Line:
    return cut(line(*_stamp(row, now_ms), Span(clean(row.text), _tone(row))), width)


def alert_lines(row: AlertRow, width: int, now_ms: int | None = None) -> list[Line]:
    """The whole text, wrapped under its first line."""
    head = _stamp(row, now_ms)
    indent = width_of(head)
    first, *rest = wrapped(row.text, width - indent, _tone(row))
    return [(*head, *first), *((Span(" " * indent), *more) for more in rest)]


def alert_text(row: AlertRow) -> str:
    return f"{dated(row.wall_ms)}  {clean(row.level)}: {clean(row.code)}\n\n{clean(row.text)}"


def log(store: Store, width: int, height: int) -> list[Line]:
    """The newest alerts in full, as many as there is room for."""
    lines = [rule("ALERTS IN FULL", width)]
    for row in alerts(store):
        lines += alert_lines(row, width, store.shown_wall_ms)
        if len(lines) >= height:
            break
    return lines[:height]


def _stamp(row: AlertRow, now_ms: int | None) -> tuple[Span, ...]:
    word, tone = _LEVELS.get(row.level, (_cut_level(row.level), Tone.WARN))
    return Span(f"{stamp(row.wall_ms, now_ms)} ", Tone.LABEL), Span(f"{word} ", tone)


def _cut_level(level: str) -> str:
    """A level this terminal does not know, in the width of those it does."""
    return clean(level)[:4].ljust(4)


def _tone(row: AlertRow) -> Tone:
    """The word carries the level; only what is critical colours its whole text."""
    return Tone.ALARM if row.level == AlertLevel.CRITICAL.value else Tone.PLAIN
