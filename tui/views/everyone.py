"""All daemons of the terminal at once: the list in full, what killing all of them would do, and what each answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.cells import cell_len

from hlomm.domain.report import Snapshot
from tui.formats import fitted, number
from tui.state import Fate, Store
from tui.views import consequence, strip, truth
from tui.views.activity import alert_lines
from tui.views.holdings import held
from tui.views.line import Line, Span, Tone, clean, cut, left, line, signed_tone, width_of, wrapped
from tui.views.outcome import resting, verdict

_INDENT: Final = "    "
_STATE: Final = 13
_ROOMY: Final = 4
"""Daemons of which each may have two lines in a window of a low terminal."""
_EACH: Final = (
    "Each cancels everything, sells by policy, and stays HALTED across restarts until you resume it. One that is away "
    "is killed by its guardian."
)


def title(stores: Sequence[Store]) -> str:
    return f"KILL ALL {len(stores)} DAEMONS — {', '.join(map(truth.name, stores))}"


def question(stores: Sequence[Store], now_s: float, width: int) -> list[Line]:
    """One line for each daemon, of its state at this moment."""
    if any(store.viewer for store in stores):
        return consequence.read_only(width)
    rows = [cut((*_called(place, store, stores), *_would(store, now_s)), width) for place, store in enumerate(stores)]
    return [*rows, (), *wrapped(_EACH, width)]


def _called(place: int, store: Store, stores: Sequence[Store]) -> Line:
    widest = max(cell_len(truth.name(each)) for each in stores)
    return line(Span(f"{place + 1} ", Tone.KEY), left(truth.name(store), widest + 1, Tone.STRONG))


def _would(store: Store, now_s: float) -> Line:
    word = truth.word(store, now_s)
    state = left(word, _STATE, strip.tone(word))
    if store.live is None or not store.connected(now_s):
        return line(state, Span("no link: its guardian is asked at once", Tone.ALARM))
    orders, rows = len(store.live.engine.orders), held(store.live.engine.positions)
    selling = f"sells {len(rows)} held, {number(sum(row.value for row in rows))}" if rows else "nothing is held"
    return line(state, f"cancels {orders} order{'' if orders == 1 else 's'}, {selling}")


# -- after it


def outcome(stores: Sequence[Store], now_s: float, width: int) -> list[Line]:
    """For each daemon: who took it and the proof that nothing is left, or what is to be done by hand."""
    rows: list[Line] = []
    for place, store in enumerate(stores):
        start = _called(place, store, stores)
        answer, then = _became(store, now_s)
        whole = (*start, *answer, Span("  "), *then)
        if not then or width_of(whole) <= width or len(stores) > _ROOMY:
            rows.append(cut(whole, width))
        else:
            rows += [cut((*start, *answer), width), cut((Span(_INDENT), *then), width)]
    return rows


def _became(store: Store, now_s: float) -> tuple[Line, Line]:
    """What was said to the order, and how it stands since."""
    ordered = store.ordered
    if ordered is None:
        return line(Span("nothing was sent to it", Tone.ALARM)), ()
    waited_s = (now_s if ordered.settled_s is None else ordered.settled_s) - ordered.sent_s
    match ordered.fate:
        case Fate.TAKEN:
            return line(Span(f"taken ({waited_s:.2f} s)", Tone.GOOD)), _stands(store, now_s)
        case Fate.GUARDED:
            if ordered.over:
                said = "its guardian has NOT made it safe: cancel at the venue"
                return line(Span(said, Tone.ALARM)), line(Span(clean(ordered.why)), _audit(store))
            proof = Span("0 ✓ verified", Tone.GOOD) if ordered.safe else Span(clean(ordered.why))
            said = f"its guardian took it ({waited_s:.2f} s)"
            return line(Span(said, Tone.GOOD)), line(Span("orders ", Tone.LABEL), proof, _audit(store))
        case Fate.DECLINED | Fate.UNANSWERED:
            said = "REFUSED" if ordered.fate is Fate.DECLINED else "NOT CONFIRMED"
            return line(Span(f"{said}: `hlomm kill {store.options}`", Tone.ALARM)), line(clean(ordered.why))
        case Fate.WAITING if ordered.silent(now_s):
            instead = clean(ordered.no_guardian) or "asking its guardian"
            return line(Span(f"silent for {waited_s:.1f} s, {instead}", Tone.ALARM)), ()
        case Fate.WAITING:
            return line("sent, waiting for the answer"), ()


def _stands(store: Store, now_s: float) -> Line:
    if store.live is None or not store.connected(now_s):
        return line(Span(f"{strip.heard(store, now_s)}: how it stands is not known", Tone.WARN))
    return _proof(store, store.live)


def _proof(store: Store, snapshot: Snapshot) -> Line:
    word, codes = clean(snapshot.engine.state).upper(), {row.code for row in store.consequences()}
    open_now = sum(resting(snapshot).values())
    holds = held(snapshot.engine.positions)
    kept = Span(f"  {len(holds)} held", Tone.WARN) if holds else Span("  flat", Tone.GOOD)
    return line(Span(word, Tone.STRONG), Span("  orders ", Tone.LABEL), *verdict(open_now, codes), kept, _audit(store))


def _audit(store: Store) -> Span:
    return Span(f"  audit #{store.audit()}" if store.audit() else "", Tone.STRONG)


# -- the list


def roster(stores: Sequence[Store], shown: Store, now_s: float, width: int) -> list[Line]:
    """Every daemon in full: figures, where it is, and its worst alarm that has not been looked at."""
    rows: list[Line] = []
    for place, store in enumerate(stores, 1):
        rows += [*_entry(place, store, store is shown, now_s, width), ()]
    return rows[:-1]


def _entry(place: int, store: Store, here: bool, now_s: float, width: int) -> Iterator[Line]:  # noqa: FBT001
    word, inner = truth.word(store, now_s), width - len(_INDENT)
    head = line(Span(f"{'▸' if here else ' '}{place}  ", Tone.KEY), Span(f"{clean(store.name)}  ", Tone.STRONG),
                Span(f"{word}  ", strip.tone(word)), *strip.alarm(store))  # fmt: skip
    yield cut(head, width)
    snapshot = store.live
    said: list[Line] = []
    if snapshot is not None:
        engine, known = snapshot.engine, store.connected(now_s)
        tone = signed_tone(engine.pnl.total) if known else Tone.DIM
        said.append(cut(line(
            Span("pnl ", Tone.LABEL), Span(fitted(engine.pnl.total, 12, signed=True), tone),
            Span("   gross ", Tone.LABEL), fitted(engine.gross, 12), Span("   worst ", Tone.LABEL),
            fitted(-engine.worst, 12), Span("   open ", Tone.LABEL), f"{engine.open_orders}",
            Span(f"   {clean(snapshot.profile)}, pid {snapshot.pid}", Tone.LABEL),
        ), inner))  # fmt: skip
    if strip.away(store, now_s):
        said += wrapped(f"{strip.heard(store, now_s)} ({store.link.why or 'no update arrives'})", inner, Tone.ALARM)
        said += wrapped(strip.remedy(store), inner)
    else:
        said.append(cut(line(Span(store.options, Tone.LABEL)), inner))
    if snapshot is not None and snapshot.engine.ladder == strip.CRITICAL:
        said += wrapped(f"CRITICAL: {' · '.join(snapshot.engine.ladder_reasons)}", inner, Tone.ALARM)
    worst = strip.worst_unseen(store)
    if worst is not None:
        said += alert_lines(worst, inner, None if snapshot is None else snapshot.engine.wall_ms)
    yield from ((Span(_INDENT), *each) for each in said)
