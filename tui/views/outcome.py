"""What became of an order: who took it, how far it is, and in the end the proof that nothing is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import OperatorAction
from hlomm.domain.outputs import AlertLevel, HaltState
from hlomm.domain.report import AlertRow, PositionRow, Snapshot
from tui.formats import elapsed, short_ticker
from tui.state import Fate, Ordered, Store
from tui.views.activity import alert_lines
from tui.views.holdings import held, tokens
from tui.views.line import Line, Span, Tone, clean, line, wrapped

_ALERTS_SHOWN: Final = 2
_POSITIONS_SHOWN: Final = 3
_STEPS_SHOWN: Final = 8
_STEP_LINES: Final = 2
_REASON_LINES: Final = 3
"""Of what may be as long as a list of all that is held; `hlomm status` has the rest."""
_HALTING: Final = frozenset({OperatorAction.KILL, OperatorAction.FLATTEN, OperatorAction.CANCEL})
_CONFIRMED: Final = "flattened"
"""Code of the alert with which a walk ends that every venue has confirmed."""
_UNCONFIRMED: Final = "flatten_deadline"


def lines(store: Store, now_s: float, width: int) -> list[Line]:
    """In place of the question: the answer, each step, the proof."""
    ordered = store.ordered
    if ordered is None and store.viewer:
        return list(wrapped("Nothing was sent: this terminal is read-only (viewer).", width, Tone.ALARM))
    if ordered is None:
        text = "Nothing was sent: there is no link to the daemon. Try again when the bar at the top shows a state."
        return list(wrapped(text, width, Tone.ALARM))
    said = list(_said(store, ordered, now_s, width))
    snapshot = store.live
    if ordered.fate is Fate.GUARDED or snapshot is None:
        return said
    if not store.connected(now_s):
        lag = f"The daemon was last heard {elapsed(store.lag_s(now_s))} ago: how it stands now is not known here."
        return [*said, *wrapped(lag, width, Tone.WARN)]
    said += _state(snapshot, width)
    if ordered.fate is Fate.TAKEN and ordered.action in _HALTING:
        said += _proof(store, ordered, snapshot, width)
    for row in _worst(store.consequences()):
        said += alert_lines(row, width)
    return said


def _worst(rows: Sequence[AlertRow]) -> Sequence[AlertRow]:
    """The newest of those that worry, before mere information; oldest first."""
    ranked = sorted(rows, key=lambda row: (row.level != AlertLevel.INFO.value, row.wall_ms))
    return sorted(ranked[-_ALERTS_SHOWN:], key=lambda row: row.wall_ms)


def _said(store: Store, ordered: Ordered, now_s: float, width: int) -> Iterator[Line]:
    waited_s = (now_s if ordered.settled_s is None else ordered.settled_s) - ordered.sent_s
    match ordered.fate:
        case Fate.TAKEN:
            audit = Span(f"   audit #{store.audit()}" if store.audit() else "   audit …", Tone.STRONG)
            yield line(Span(_who(store), Tone.LABEL), Span(f"has taken it ({waited_s:.2f} s)", Tone.GOOD), audit)
        case Fate.DECLINED:
            yield from wrapped(f"The daemon refuses: {ordered.why}", width, Tone.ALARM)
        case Fate.UNANSWERED:
            yield from wrapped(
                f"Not confirmed: {ordered.why}. It may still be carried out — watch the state, or use "
                f"`hlomm kill{f' {store.options}' if store.name else ''}`.",
                width,
                Tone.ALARM,
            )
        case Fate.WAITING if ordered.silent(now_s):
            yield from wrapped(f"Daemon silent for {waited_s:.1f} s. {_instead(ordered)}", width, Tone.ALARM)
        case Fate.GUARDED:
            yield from _guardian(ordered, waited_s, width)
        case Fate.WAITING:
            yield line(Span(_who(store), Tone.LABEL), "sent, waiting for the answer")


def _who(store: Store) -> str:
    return f"{clean(store.name) or 'daemon'} "


def _instead(ordered: Ordered) -> str:
    """Who else was asked. Only a kill has anybody else to go to."""
    if ordered.action is not OperatorAction.KILL:
        return "Still waiting. K kills through the guardian."
    return (
        f"Asked its guardian: {ordered.no_guardian}. Still waiting." if ordered.no_guardian else "Asking its guardian."
    )


def _guardian(ordered: Ordered, waited_s: float, width: int) -> Iterator[Line]:
    """The way past a silent daemon: how it ended first, then its steps; only the guardian's own word makes it safe."""
    audit = f"   audit #{ordered.guard_audit}" if ordered.guard_audit else ""
    took = Span(f"has taken it ({waited_s:.2f} s)", Tone.GOOD)
    yield line(
        Span("daemon silent — guardian ", Tone.LABEL),
        Span("has NOT made it safe", Tone.ALARM) if ordered.over else took,
        Span(audit, Tone.STRONG),
    )
    if ordered.over:
        yield from wrapped("NOT CONFIRMED: cancel at the venues' own sites what rests there", width, Tone.ALARM)
    if ordered.safe:
        yield line(Span("orders at the venues: 0 ✓ verified", Tone.GOOD), "   HALTED until you resume")
    yield from wrapped(clean(ordered.why), width)
    for step in ordered.did[-_STEPS_SHOWN:]:
        yield from wrapped(f"{'·' if ordered.over else '✓'} {clean(step)}", width, most=_STEP_LINES)


def _state(snapshot: Snapshot, width: int) -> Iterator[Line]:
    engine = snapshot.engine
    yield line(
        Span("state ", Tone.LABEL),
        Span(clean(engine.state).upper(), Tone.STRONG),
        Span("   open orders ", Tone.LABEL),
        f"{engine.open_orders}",
        Span("   positions held ", Tone.LABEL),
        f"{len(held(engine.positions))}",
    )
    if engine.state != HaltState.RUNNING:
        yield from wrapped(engine.reason, width, Tone.LABEL, most=_REASON_LINES)


def _proof(store: Store, ordered: Ordered, snapshot: Snapshot, width: int) -> Iterator[Line]:
    """Per venue what is gone and whether the venue itself has said so; per position what is left of it."""
    codes = {row.code for row in store.consequences()}
    before, now = resting(ordered.before), resting(snapshot)
    for venue in snapshot.venues:
        had, left = max(before[venue.venue], now[venue.venue]), now[venue.venue]
        yield line(
            Span(f"{clean(venue.venue)} ", Tone.LABEL),
            f"{had - left}/{had} cancelled   orders at the venue: ",
            *verdict(left, codes),
        )
    yield from _positions(ordered.before, snapshot, width)


def verdict(left: int, codes: set[str]) -> tuple[Span, ...]:
    """Orders that are left, and whether the venue itself has said so."""
    if left:
        return (Span(f"{left}", Tone.WARN),)
    if _UNCONFIRMED in codes:
        return (Span("0 by our books, NOT CONFIRMED: check by hand", Tone.ALARM),)
    return (Span("0 ✓ verified", Tone.GOOD),) if _CONFIRMED in codes else (Span("0, asking the venue", Tone.PLAIN),)


def resting(snapshot: Snapshot | None) -> Counter[str]:
    """Our orders, by venue."""
    rows = () if snapshot is None else snapshot.engine.orders
    return Counter(row.market.partition(":")[0] for row in rows)


def _positions(before: Snapshot | None, now: Snapshot, width: int) -> Iterator[Line]:
    had: dict[MarketId, PositionRow] = {} if before is None else {r.market: r for r in held(before.engine.positions)}
    has = {row.market: row for row in held(now.engine.positions)}
    markets = list(had | has)
    if not markets:
        yield line(Span("position ", Tone.LABEL), Span("flat", Tone.GOOD))
    for market in markets[:_POSITIONS_SHOWN]:
        row, left = had.get(market), has.get(market)
        name = short_ticker((row or has[market]).ticker, 24, now.engine.wall_ms)
        was = "" if row is None else f"{tokens(row)} → "
        yield line(
            Span(f"{name} ", Tone.LABEL),
            was,
            Span("flat", Tone.GOOD) if left is None else Span(f"{tokens(left)} held", Tone.WARN),
        )
    more = len(markets) - _POSITIONS_SHOWN
    if more > 0:
        yield from wrapped(f"and {more} more; {len(has)} held in all", width)
