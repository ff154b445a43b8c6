"""Strategies: how each stands, what it quotes, and its settings with their origin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hlomm.domain.desk_rows import SettingRow, StrategyRow, TunedRow
from hlomm.domain.report import MarketRow
from tui.formats import DASH, ask_price, bid_price, clock, fitted, short_ticker
from tui.state import Store, in_order
from tui.views.line import Line, Span, Tone, clean, cut, joined, left, line, right, rule, signed_tone, spread

NONE: Final = "the daemon tells of no strategy: it runs none, or is older than this terminal"
NO_SETTINGS: Final = "no settings yet"

_NAME, _STATE, _RESULT = 14, 8, 10
_KEY, _ORIGIN = 22, 18
_WIDE: Final = 110
_TONES: Final = {"running": Tone.GOOD, "paused": Tone.WARN, "stopped": Tone.ALARM}


@dataclass(frozen=True)
class Setting:
    """One setting as it is now."""

    row: SettingRow
    tuned: TunedRow | None

    @property
    def strategy(self) -> str:
        return self.row.key.split(".")[1]

    @property
    def name(self) -> str:
        return self.row.key.rpartition(".")[2]

    @property
    def tunable(self) -> bool:
        return bool(self.row.bounds)

    @property
    def value(self) -> str:
        return self.row.value if self.tuned is None else self.tuned.value


# -- strategies


def strategies(store: Store) -> Sequence[StrategyRow]:
    return () if store.shown is None else store.shown.engine.strategies


def head(store: Store, width: int) -> Line:
    cells = [
        left(f" STRATEGIES {len(strategies(store))}", 2 + _NAME), left("STATE", _STATE), right("MARKETS", 7),
        right("ORDERS", 6), right("THIS RUN", _RESULT), left("QUOTES NOW, OR WHY NOT", 22),
    ]  # fmt: skip
    return cut(tuple(Span(span.text, Tone.HEAD) for span in joined(line(cell) for cell in cells)), width)


def row_lines(store: Store, rows: Sequence[StrategyRow], width: int) -> list[Line]:
    return [_row(store, row, width) for row in rows]


def _row(store: Store, row: StrategyRow, width: int) -> Line:
    cells = [
        left(clean(row.id), 1 + _NAME, Tone.STRONG),
        left(
            clean(row.state).upper() if row.state != "running" else row.state, _STATE, _TONES.get(row.state, Tone.WARN)
        ),
        right(str(row.markets), 7),
        right(str(row.orders), 6),
        right(fitted(row.result, _RESULT, signed=True), _RESULT, signed_tone(row.result)),
        Span(clean(row.why), Tone.WARN) if row.why else Span(_quotes(store, row), Tone.OURS),
    ]
    return cut(joined(line(cell) for cell in cells), width)


def _quotes(store: Store, row: StrategyRow) -> str:
    """`BTC≥91612 .60167/.61851` of its markets, soonest expiry first; what has no quote is left out."""
    assert store.shown is not None
    engine = store.shown.engine
    own = [each for each in in_order(engine.markets) if each.strategy == row.id and (each.own_bid or each.own_ask)]
    return "  ".join(f"{short_ticker(each.ticker, 16, engine.wall_ms)} {_pair(each)}" for each in own) or "no quote"


def _pair(row: MarketRow) -> str:
    bid = DASH if row.own_bid is None else bid_price(row.own_bid.px, 4)
    ask = DASH if row.own_ask is None else ask_price(row.own_ask.px, 4)
    return f"{bid}/{ask}"


def whole(store: Store, row: StrategyRow) -> str:
    lines = [
        f"{clean(row.id)}: {clean(row.state)}" + (f" — {clean(row.why)}" if row.why else ""),
        f"{row.markets} markets, {row.orders} live orders, {fitted(row.result, 16, signed=True)} in this run",
        "",
        *(_quotes(store, row).split("  ")),
    ]
    return "\n".join(lines)


# -- settings


def settings(store: Store, strategy: str | None, *, live: bool = False) -> list[Setting]:
    """Of one strategy, those that can be tuned first. `live`: as they are, also while the display is frozen."""
    snapshot = store.live if live else store.shown
    tuned = {} if snapshot is None else {row.key: row for row in snapshot.engine.tuned}
    found = [Setting(row, tuned.get(row.key)) for row in store.desk.settings]
    return sorted((each for each in found if each.strategy == strategy), key=lambda each: not each.tunable)


def _value_width(width: int) -> int:
    return 10 if width < _WIDE else 20


def settings_head(strategy: str | None, hidden: str, width: int) -> Line:
    if strategy is None:
        return rule(" SETTINGS", width)
    cells = [
        left(f" {clean(strategy)}", 1 + _KEY), right("VALUE", _value_width(width)), left("SET BY", _ORIGIN),
        left("MAY BE TUNED TO", 26),
    ]  # fmt: skip
    top = tuple(Span(span.text, Tone.HEAD) for span in joined(line(cell) for cell in cells))
    return spread(top, line(Span(hidden, Tone.LABEL)), width)


def setting_lines(rows: Sequence[Setting], width: int) -> list[Line]:
    return [_setting(row, width) for row in rows]


def _setting(row: Setting, width: int) -> Line:
    tuned = row.tuned
    cells = [
        left(row.name, _KEY, Tone.PLAIN if row.tunable else Tone.LABEL),
        right(clean(row.value), _value_width(width), Tone.STRONG if tuned is not None else Tone.PLAIN),
        left("operator" if tuned is not None else clean(row.row.origin), _ORIGIN, Tone.WARN if tuned else Tone.LABEL),
        Span(_tuned(tuned) if tuned is not None else row.row.bounds, Tone.WARN if tuned else Tone.LABEL),
    ]
    return cut(joined(line(cell) for cell in cells), width)


def _tuned(row: TunedRow) -> str:
    said = f" ({clean(row.reason)})" if row.reason else ""
    return f"{row.was} → {row.value} {clock(row.wall_ms)}Z {clean(row.who)}{said}"


def setting_text(row: Setting) -> str:
    """Everything about one setting."""
    lines = [f"{row.row.key} = {clean(row.value)}", f"configured {clean(row.row.value)} by {clean(row.row.origin)}"]
    if row.tuned is not None:
        lines += [f"changed {_tuned(row.tuned)}", "A restart goes back to the configuration, and says so."]
    lines.append(f"may be tuned: {row.row.bounds}" if row.tunable else "cannot be tuned while the daemon runs")
    return "\n".join(lines)
