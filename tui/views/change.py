"""A pause or a new value of a setting: what it would do, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hlomm.domain.inputs import OperatorAction
from hlomm.domain.outputs import HaltState
from tui.state import Store
from tui.views import outcome as became
from tui.views.line import Line, Tone, clean, wrapped
from tui.views.strategies import Setting, settings


@dataclass
class Plan:
    """What is about to be sent."""

    action: OperatorAction
    strategy: str
    key: str = ""
    """Of the setting, for a tune."""
    value: str = ""

    @property
    def target(self) -> str:
        return f"{self.key}={self.value}" if self.action is OperatorAction.TUNE else self.strategy

    @property
    def title(self) -> str:
        what = self.key if self.action is OperatorAction.TUNE else self.strategy
        return f"{self.action.value.upper()} — {clean(what)}"


def wrong(value: str) -> str:
    """Why a text is no value that could be sent; the bounds are the daemon's business."""
    try:
        float(value)
    except ValueError:
        return f"{clean(value)!r} is not a number" if value else "type the new value first"
    return ""


def question(store: Store, plan: Plan, now_s: float, width: int) -> list[Line]:
    """Of the state as it is at this moment."""
    if store.live is None or not store.connected(now_s):
        return list(wrapped("No link to the daemon: it cannot be told anything from here.", width, Tone.ALARM))
    said = list(_tune(store, plan) if plan.action is OperatorAction.TUNE else _pause(store, plan))
    if store.live.engine.state != HaltState.RUNNING:
        said.append((f"It is {clean(store.live.engine.state)}: nothing is quoted until it is resumed.", Tone.WARN))
    return [part for text, tone in said for part in wrapped(text, width, tone)]


def _setting(store: Store, plan: Plan) -> Setting | None:
    return next((row for row in settings(store, plan.strategy, live=True) if row.row.key == plan.key), None)


def _tune(store: Store, plan: Plan) -> Iterator[tuple[str, Tone]]:
    row = _setting(store, plan)
    if row is None:
        yield "The daemon no longer has this setting.", Tone.WARN
        return
    if plan.value:
        yield f"{plan.key}: {row.value} → {clean(plan.value)}", Tone.STRONG
    else:
        yield f"{plan.key} is {row.value}", Tone.STRONG
    yield f"Bounds: {row.row.bounds}. What breaks them, or fits other settings ill, is refused.", Tone.PLAIN
    yield (
        f"Its quotes are made anew with it at once. A restart goes back to {row.row.value} ({clean(row.row.origin)}).",
        Tone.PLAIN,
    )


def _pause(store: Store, plan: Plan) -> Iterator[tuple[str, Tone]]:
    assert store.live is not None
    row = next((each for each in store.live.engine.strategies if each.id == plan.strategy), None)
    if plan.action is OperatorAction.PAUSE:
        orders = 0 if row is None else row.orders
        yield f"Cancels the quotes of {clean(plan.strategy)} ({orders} orders) and makes no new ones.", Tone.STRONG
        yield "What is held stays, and stays hedged. Other strategies go on. A restart keeps the pause.", Tone.PLAIN
        return
    yield f"{clean(plan.strategy)} quotes again, within all limits.", Tone.STRONG
    if row is not None and row.why:
        yield f"It is {clean(row.state)}: {clean(row.why)}.", Tone.PLAIN


def outcome(store: Store, plan: Plan, now_s: float, width: int) -> list[Line]:
    """What the daemon said to it. A refusal is said first: that the command was taken means nothing then."""
    lines = became.lines(store, now_s, width)
    refused = next((row for row in store.consequences() if row.code in ("tune_refused", "unknown_strategy")), None)
    if store.ordered is not None and refused is not None:
        return [*wrapped("REFUSED: nothing was changed", width, Tone.ALARM), *lines]
    row = _setting(store, plan) if plan.action is OperatorAction.TUNE else None
    if row is None or row.tuned is None:
        return lines
    return [*wrapped(f"{plan.key} is {row.value} now", width, Tone.GOOD), *lines]
