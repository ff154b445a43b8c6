"""What is said when no daemon answers, and what can be done about it."""

from __future__ import annotations

from typing import Final

from tui.state import Phase, Store
from tui.views.line import Line, Span, Tone, line, wrapped

WHAT_IT_IS: Final = (
    "You will watch a market maker quote contracts on where BTC will be: its state on top, its money below that, then "
    "every market with the fair value, the book, our quotes, what is held, and why it does not quote."
)


def lines(store: Store, width: int) -> list[Line]:
    if store.link.phase is Phase.CONNECTING:
        return list(wrapped(f"Looking for the daemon at {store.socket}", width, Tone.LABEL))
    if store.link.phase is Phase.UP:
        return list(wrapped("Connected. Waiting for the first snapshot.", width, Tone.LABEL))
    if store.link.phase is Phase.REJECTED:
        said = [("Somebody answers, but they do not understand each other.", Tone.ALARM), (store.link.why, Tone.PLAIN)]
    else:
        said = [
            (f"No daemon answers at {store.socket}", Tone.ALARM),
            (store.link.why, Tone.LABEL),
            ("", Tone.PLAIN),
            ("Start one with `hlomm run` and the same --state-dir; this terminal connects by itself.", Tone.PLAIN),
        ]
        if store.name and not store.viewer:
            stop = f"If it left orders: K, or `hlomm kill {store.options}`, has its guardian cancel and sell."
            said.append((stop, Tone.PLAIN))
    body = [part for text, tone in said for part in wrapped(text, width, tone)]
    return [*body, (), *starting(store, width)]


def starting(store: Store, width: int) -> list[Line]:
    """The offer to start the simulator, or what became of it."""
    if store.start is None:
        return []
    if store.start.problem:
        return [*wrapped(store.start.problem, width, Tone.ALARM), _offer("try again")]
    if store.start.pid is None:
        return [_offer("start the simulator here: simulated venues, play money"), (), *_explained(width)]
    said = f"Starting the simulator (pid {store.start.pid}), log in {store.start.log}"
    return [*wrapped(said, width), (), *_explained(width)]


def _explained(width: int) -> list[Line]:
    """What is about to be looked at, for who sees it the first time."""
    return list(wrapped(WHAT_IT_IS, width, Tone.LABEL))


def _offer(text: str) -> Line:
    return line(Span("s", Tone.KEY), Span(f"  {text}"))
