"""Blocks without a cursor, each a window on one view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hlomm.domain.inputs import OperatorAction
from tui import keymap
from tui.views import (
    activity,
    consequence,
    everyone,
    holdings,
    ladder,
    money,
    nobody,
    outcome,
    truth,
    venues,
    why,
)
from tui.views.line import Line, Span, Tone, joined, line, width_of
from tui.widgets.panel import Panel, Said, Sight

_NAME: Final = 12
"""Of a daemon, where the footer says whom K kills."""


class TruthBar(Panel):
    """Line 1 of every screen. Its class follows the state, so that colour and word change together."""

    DEFAULT_CLASSES = ""
    _state = "-waiting"

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        return [truth.bar(self.store, self.sight.now_s, width)]

    def pull(self) -> None:
        state = truth.css_class(self.store, self.sight.now_s)
        if state != self._state:
            self.remove_class(self._state)
            self.add_class(state)
            self._state = state
        super().pull()


class Money(Panel):
    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        return money.lines(self.store, self.sight.now_s, width)


class Chart(Panel):
    def lines(self, width: int, height: int) -> Sequence[Line]:
        return money.chart(self.store, width, height)


class Venues(Panel):
    FITTED = True

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        return venues.lines(self.store, self.sight.now_s, width)


class WhyShort(Panel):
    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        return why.short(self.store, width)


class Facts(Panel):
    FITTED = True

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        return why.facts(self.store, width)


class Ladder(Panel):
    def lines(self, width: int, height: int) -> Sequence[Line]:
        return ladder.lines(self.store, width, height)


class Positions(Panel):
    def lines(self, width: int, height: int) -> Sequence[Line]:
        return holdings.positions(self.store, width, height)


class Orders(Panel):
    def lines(self, width: int, height: int) -> Sequence[Line]:
        return holdings.orders(self.store, self.sight.now_s, width, height)


class Log(Panel):
    def lines(self, width: int, height: int) -> Sequence[Line]:
        return activity.log(self.store, width, height)


class Nobody(Panel):
    DEFAULT_CLASSES = ""
    FITTED = True

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        return nobody.lines(self.store, width)


class Consequence(Said):
    """What an order would do, live; once it is given, what it did."""

    def __init__(self, sight: Sight, action: OperatorAction, *, everyone: bool = False) -> None:
        super().__init__(sight)
        self._action = action
        self._everyone = everyone

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        if self._everyone:
            say = everyone.outcome if self.given else everyone.question
            return say(self.sight.stores, self.sight.now_s, width)
        if self.given:
            return outcome.lines(self.store, self.sight.now_s, width)
        return consequence.question(self.store, self._action, self.sight.now_s, width)


class Keys(Panel):
    """The footer: as many actions as fit, the first ones first; help and leave always."""

    DEFAULT_CLASSES = ""

    def __init__(self, sight: Sight, *here: str) -> None:
        """`here`: actions that only this screen has; they come right after those of safety."""
        super().__init__(sight)
        self._here = here

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        *others, help_cell, leave_cell = [
            line(Span(action.footing[0], Tone.KEY), Span(f" {self._label(action)}"))
            for action in keymap.footer(*self._here, several=self.sight.several)
            if not (self.store.viewer and (action.group is keymap.Group.SAFETY or action is keymap.KILL_ALL))
        ]
        kept = [help_cell, leave_cell]
        for cell in others:
            if width_of(joined([*kept, cell], gap=2)) > width:
                break
            kept.insert(-2, cell)
        return [joined(kept, gap=2)]

    def _label(self, action: keymap.Action) -> str:
        """The kill says whom, where there are several."""
        return (
            f"kill {truth.name(self.store, _NAME)}" if action is keymap.KILL and self.store.name else action.footing[1]
        )
