"""The daemons behind the application: what arrives from each, and which of them is shown."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

from textual.app import App
from textual.command import CommandPalette

from hlomm.link.protocol import Access
from tui.attached import attach
from tui.client import Event, Pictured
from tui.messages import FromLink, Link
from tui.places import Place
from tui.screens.daemons import Daemons
from tui.screens.filtered import Filtered
from tui.screens.live import LiveModal
from tui.screens.market import Market
from tui.screens.overview import Overview
from tui.screens.surfaces import Surfaces
from tui.state import Start, Store
from tui.widgets.panel import Sight
from tui.widgets.strip import Chosen


class Watching(App[str]):
    """A store and a link for each daemon. Screens see one store, `sight.store`: that of the daemon that is shown."""

    def __init__(
        self,
        places: Sequence[Place],
        *,
        start: Start | None,
        link: Callable[[Callable[[Event], object]], Link] | None,
        clock: Callable[[], float],
        access: Access,
        by: str,
    ) -> None:
        super().__init__()
        self._attached = attach(places, self._deliver, clock(), start=start, access=access, by=by, link=link)
        self._here = self._attached[0]
        self.sight = Sight(self._here.store, clock, tuple(each.store for each in self._attached))

    @abstractmethod
    def tick(self) -> None:
        """Redraw."""

    def connect(self) -> None:
        """To all of them, until the application ends."""
        for number, each in enumerate(self._attached):
            self.run_worker(each.link.run(), name=f"link {number}", group=f"link {number}", exclusive=True)

    @property
    def store(self) -> Store:
        """Of the daemon that is shown."""
        return self._here.store

    @property
    def link(self) -> Link:
        """To it."""
        return self._here.link

    # -- what arrives

    def _deliver(self, event: Event, place: int = 0) -> None:
        self.post_message(FromLink(event, place))

    def on_from_link(self, message: FromLink) -> None:
        self._attached[message.place].store.apply(message.event, self.sight.now_s)
        if not isinstance(message.event, Pictured):
            self.tick()

    # -- one of several daemons

    def action_daemon(self, step: int) -> None:
        place = self._attached.index(self._here) + step
        self.action_choose(place % len(self._attached))

    def action_choose(self, place: int) -> None:
        """Show that daemon, on the screen that is open. What was asked about another one goes with it, unanswered."""
        if place >= len(self._attached):
            return
        self.close_palette()
        while isinstance(self.screen, LiveModal):
            self.pop_screen()
        if self._here is self._attached[place]:
            return
        if isinstance(self.screen, Overview | Filtered) and self.screen.has_class("-filtering"):
            self.screen.end_filter()
        self._here = self._attached[place]
        self.sight.store = self.store
        if isinstance(self.screen, Market | Surfaces):
            self.store.open(quoted=isinstance(self.screen, Surfaces))
        self.tick()

    def on_chosen(self, message: Chosen) -> None:
        message.stop()
        self.action_choose(message.place)

    def action_daemons(self) -> None:
        if self.sight.several and not isinstance(self.screen, LiveModal):
            self.push_screen(Daemons(self.sight.fixed()))

    # -- the palette, over which every key of safety works

    async def action_command_palette(self) -> None:  # type: ignore[override]  # an action may be awaited
        """Open it to the end: only then can its search be ended with it."""
        if not isinstance(self.screen, CommandPalette):
            await self.push_screen(CommandPalette(id="--command-palette"))

    def close_palette(self) -> None:
        """With its search: one that went on without its list would bring the application down."""
        if isinstance(self.screen, CommandPalette):
            self.workers.cancel_node(self.screen)
            self.pop_screen()
