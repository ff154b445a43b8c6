"""A daemon of this terminal: what is known of it, the link to it, and what it was asked to show in full."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hlomm.domain.inputs import OperatorAction
from hlomm.link.protocol import Access
from tui.client import Client, Event
from tui.looked import Asked
from tui.messages import Link
from tui.places import Place
from tui.state import Start, Store

Deliver = Callable[[Event], object]


@dataclass(eq=False, frozen=True)
class Attached:
    store: Store
    link: Link
    _asked: Asked = field(default_factory=Asked)

    def give(self, action: OperatorAction, reason: str, now_s: float, target: str = "") -> None:
        """Send an order; the store knows from now on what becomes of it, or that nothing was sent."""
        number = self.link.command(action, reason, target)
        if number is None:
            self.store.ordered = None
        else:
            self.store.sent(number, action, now_s)

    def look(self, *, market: bool = False, surfaces: bool = False) -> None:
        """Ask it for what the open screens show in full: of the selected market, or of none."""
        selected = self.store.selected if market else None
        self.store.looked.last = selected or self.store.looked.last
        self._asked.want(self.link.look, selected, surfaces=surfaces)


def attach(
    places: Sequence[Place], deliver: Callable[[Event, int], object], now_s: float, *,
    start: Start | None, access: Access, by: str, link: Callable[[Deliver], Link] | None,
) -> tuple[Attached, ...]:  # fmt: skip
    """To each of them. `deliver` is called with the daemon's place in the row; `link` makes what is not a client."""

    def one(number: int, place: Place) -> Attached:
        viewer = access is Access.VIEWER
        store = Store.begin(str(place.socket), now_s, start, viewer=viewer, name=place.name, options=place.options)

        def hear(event: Event) -> None:
            deliver(event, number)

        return Attached(store, Client(place.socket, hear, access=access, by=by) if link is None else link(hear))

    return tuple(one(number, place) for number, place in enumerate(places))
