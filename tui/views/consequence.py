"""What an order to the daemon would do, in its real numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from hlomm.domain.ids import venue_of
from hlomm.domain.inputs import OperatorAction
from hlomm.domain.outputs import HaltState
from hlomm.domain.report import Snapshot
from tui.formats import elapsed, number, short_ticker
from tui.state import Store
from tui.views.holdings import held, tokens
from tui.views.line import Line, Tone, clean, wrapped

_NAMES_SHOWN: Final = 3
_SENTENCE_LINES: Final = 4
"""A reason may be as long as a list of all that is held: `hlomm status` has the rest of it."""
_READ_ONLY: Final = (
    ("This terminal is read-only (viewer): the daemon and its guardian refuse every order from it.", Tone.ALARM),
    ("An operator's terminal, or `hlomm kill` where the daemon runs, stops trading.", Tone.PLAIN),
)
_TITLES: Final = {
    OperatorAction.KILL: "all venues",
    OperatorAction.FLATTEN: "all venues",
    OperatorAction.CANCEL: "all venues",
    OperatorAction.RESUME: "quote again",
}
_VERBS: Final = {
    OperatorAction.KILL: "kill now",
    OperatorAction.FLATTEN: "flatten now",
    OperatorAction.CANCEL: "cancel now",
    OperatorAction.RESUME: "resume now",
}


def title(action: OperatorAction, name: str = "") -> str:
    """`name`: of the daemon, where there are several."""
    return (
        f"{action.value.upper()} {clean(name)} — {_TITLES[action]}"
        if name
        else f"{action.value.upper()} — {_TITLES[action]}"
    )


def verb(action: OperatorAction) -> str:
    return _VERBS[action]


# -- before


def question(store: Store, action: OperatorAction, now_s: float, width: int) -> list[Line]:
    """The consequences, one sentence each, of the state as it is at this moment."""
    snapshot = store.live
    if store.viewer:
        return read_only(width)
    alone = list(_alone(store, action, width))
    if snapshot is None or not store.connected(now_s):
        return [*alone, *_without_link(store, action, now_s, width)]
    sentences = _resume(snapshot) if action is OperatorAction.RESUME else _halt(snapshot, action)
    return [*alone, *(part for text, tone in sentences for part in wrapped(text, width, tone, most=_SENTENCE_LINES))]


def read_only(width: int) -> list[Line]:
    return [part for text, tone in _READ_ONLY for part in wrapped(text, width, tone)]


def _alone(store: Store, action: OperatorAction, width: int) -> Iterator[Line]:
    """Which of several daemons it is about."""
    if store.name:
        everyone = " (X kills all)" if action is OperatorAction.KILL else ""
        yield from wrapped(f"{store.name} alone: no other daemon is touched{everyone}.", width, Tone.WARN)


def _without_link(store: Store, action: OperatorAction, now_s: float, width: int) -> list[Line]:
    known = "" if store.live is None else f", last heard {elapsed(store.lag_s(now_s))} ago"
    said = [(f"No link to the daemon{known}: what rests and what is held now is not known here.", Tone.ALARM)]
    if action is OperatorAction.KILL:
        said += [
            ("The kill goes to its guardian at once: it ends the daemon, cancels every order,", Tone.STRONG),
            ("sells by policy, and leaves it HALTED until you resume.", Tone.STRONG),
            ("If no guardian lives either you will be told: then cancel by hand at the venue.", Tone.PLAIN),
        ]
    else:
        said += [
            ("Nobody else takes this order. K kills through the guardian, which needs no daemon.", Tone.STRONG),
            ("Sending is tried all the same when you confirm; if it cannot be sent you will be told.", Tone.PLAIN),
        ]
    return [part for text, tone in said for part in wrapped(text, width, tone)]


def _halt(snapshot: Snapshot, action: OperatorAction) -> Iterator[tuple[str, Tone]]:
    yield _cancels(snapshot), Tone.STRONG
    selling = _sells(snapshot)
    if action is OperatorAction.CANCEL:
        held_now = f"Sells nothing: {_listed(snapshot)} stay as they are" if selling else "Nothing is held"
        yield f"{held_now}.", Tone.STRONG
    elif selling:
        keep = " unless flatten.on_kill says keep" if action is OperatorAction.KILL else ""
        yield f"Then sells{keep}: {selling}.", Tone.STRONG
        yield (
            "At most flatten.max_slippage below the best bid; what finds no buyer is held to settlement and reported.",
            Tone.PLAIN,
        )
    else:
        yield "Nothing is held, so nothing has to be sold.", Tone.PLAIN
    yield f"Stops {_strategies(snapshot)}. Stays HALTED across restarts until you resume.", Tone.PLAIN


def _resume(snapshot: Snapshot) -> Iterator[tuple[str, Tone]]:
    engine = snapshot.engine
    if engine.state == HaltState.RUNNING:
        yield "It is quoting already: there is nothing to resume.", Tone.WARN
        return
    if engine.state != HaltState.HALTED:
        yield f"It is {clean(engine.state)}: resume is refused until it is HALTED.", Tone.WARN
    yield f"Halted because: {clean(engine.reason)}.", Tone.PLAIN
    markets = [row for row in engine.markets if row.strategy and row.settled is None]
    venues = ", ".join(dict.fromkeys(clean(venue_of(row.id)) for row in markets)) or "no venue"
    yield f"{_strategies(snapshot).capitalize()} quotes again in {len(markets)} markets on {venues}.", Tone.STRONG
    held_now = held(engine.positions)
    if held_now:
        yield f"Held now: {_listed(snapshot)}, counted against the limits.", Tone.PLAIN
    drawdown = f"Drawdown counts anew from equity {number(engine.equity)}, limit {number(engine.drawdown_limit)}."
    yield drawdown, Tone.PLAIN
    yield "If a difference to the venue's account halted it, the venue's figures are taken over.", Tone.PLAIN


def _cancels(snapshot: Snapshot) -> str:
    counts = Counter(row.market.partition(":")[0] for row in snapshot.engine.orders)
    total = sum(counts.values())
    if not total:
        return "No order of ours is open; cancels are sent and verified all the same."
    where = ", ".join(f"{clean(venue)} ({count})" for venue, count in counts.items())
    return f"Cancels {total} order{'s' if total > 1 else ''} on {where}."


def _sells(snapshot: Snapshot) -> str:
    rows = held(snapshot.engine.positions)
    value = sum(row.value for row in rows)
    return f"{_listed(snapshot)}, {number(value)} at the best bids" if rows else ""


def _listed(snapshot: Snapshot) -> str:
    rows = held(snapshot.engine.positions)
    wall_ms = snapshot.engine.wall_ms
    names = [f"{tokens(row)} {short_ticker(row.ticker, 24, wall_ms)}" for row in rows[:_NAMES_SHOWN]]
    more = len(rows) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _strategies(snapshot: Snapshot) -> str:
    names = {row.strategy: None for row in snapshot.engine.markets if row.strategy and row.settled is None}
    return ", ".join(clean(name) for name in names) or "every strategy"
