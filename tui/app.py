"""The application: a store and a link for each daemon, a tick that redraws, and the actions behind the keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Final

from textual import events
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.command import CommandPalette
from textual.screen import Screen

from hlomm.domain.faults import HlommError
from hlomm.domain.inputs import OperatorAction
from hlomm.domain.outputs import HaltState
from hlomm.link.protocol import Access
from tui import keymap, theme
from tui.attached import Attached, attach
from tui.client import Event, Pictured
from tui.messages import FromLink, Link
from tui.places import Place
from tui.screens.arbitrage import Arbitrage
from tui.screens.change import Change
from tui.screens.confirm import Confirm
from tui.screens.daemons import Daemons
from tui.screens.filtered import Filtered
from tui.screens.inventory import Inventory
from tui.screens.live import Live, LiveModal
from tui.screens.log import Log
from tui.screens.market import Market
from tui.screens.orders import Orders
from tui.screens.overview import Overview
from tui.screens.strategies import Strategies
from tui.screens.surfaces import Surfaces
from tui.screens.text import Text, help_text
from tui.starting import Daemon, Starter
from tui.state import Start, Store
from tui.views import activity, strategies, truth, why
from tui.views.change import Plan
from tui.views.line import clean
from tui.widgets.arbitrage import Links
from tui.widgets.inventory import Holdings
from tui.widgets.lists import Browsed, ListPanel, Opened
from tui.widgets.panel import Sight
from tui.widgets.strip import Chosen

TICK_S: Final = 0.25


class Terminal(App[str]):
    """Returns what to say after leaving."""

    CSS_PATH = "hlomm.tcss"
    TITLE = "hlomm"
    # Textual declares these two as belonging to the instance, so they cannot be a ClassVar here.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide"), (180, "-vast")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (34, "-high"), (50, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(), *keymap.bindings_of_several()]

    def __init__(
        self,
        where: Path | Sequence[Place],
        *,
        starter: Starter | None = None,
        link: Callable[[Callable[[Event], object]], Link] | None = None,
        clock: Callable[[], float] = time.monotonic,
        access: Access = Access.OPERATOR,
        by: str = "",
    ) -> None:
        """`where`: the daemon's socket, or the places of several daemons; the first is shown.

        `access`: a viewer's terminal has no orders to give. `by`: see `Client`. `link`: called once for each daemon.
        """
        super().__init__()
        self._starter = starter
        self._daemon: Daemon | None = None
        offer = None if starter is None else Start(starter.log)
        self._attached = attach(
            [Place(where)] if isinstance(where, Path) else where, self._deliver, clock(),
            start=offer, access=access, by=by, link=link,
        )  # fmt: skip
        self._here = self._attached[0]
        self.sight = Sight(self._here.store, clock, tuple(each.store for each in self._attached))
        for known in (theme.MANY, theme.SIXTEEN):
            self.register_theme(known)
        self.theme = theme.theme_for(self.console.color_system)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(theme.VARIABLES)

    def get_default_screen(self) -> Screen[None]:
        return Overview(self.sight)

    def on_mount(self) -> None:
        for number, each in enumerate(self._attached):
            self.run_worker(each.link.run(), name=f"link {number}", group=f"link {number}", exclusive=True)
        self.set_interval(TICK_S, self.tick)

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

    def tick(self) -> None:
        """Redraw from the store, at most a few times a second whatever the daemon sends."""
        self._look_after_daemon()
        self._look()
        self.store.look_over()
        for screen in self.screen_stack:
            if isinstance(screen, Live):
                screen.pull()

    # -- orders

    def action_order(self, name: str) -> None:
        """Ask before an order to the daemon that is shown; whichever is shown later, it goes to this one."""
        action, to = OperatorAction(name), self._here
        self._ask(Confirm(self.sight.fixed(), action, lambda reason: self._give(to, action, reason)))

    def action_kill_all(self) -> None:
        """Ask before a kill of every daemon."""

        def give(reason: str) -> None:
            for each in self._attached:
                self._give(each, OperatorAction.KILL, reason)

        if self.sight.several:
            self._ask(Confirm(self.sight.fixed(), OperatorAction.KILL, give, everyone=True))

    def _give(self, to: Attached, action: OperatorAction, reason: str, target: str = "") -> None:
        to.give(action, reason, target, self.sight.now_s)

    def _ask(self, question: Confirm) -> None:
        """One question at a time; one that is answered gives way."""
        if isinstance(self.screen, CommandPalette):
            self.pop_screen()
        if isinstance(self.screen, Confirm):
            if not self.screen.given:
                return
            self.pop_screen()
        self.push_screen(question)

    async def on_event(self, event: events.Event) -> None:
        """Kill works over whatever is typed, a filter or the palette; in a reason its key is a letter.

        A binding, even one with priority, would not do: a field that takes text takes every letter first.
        """
        if isinstance(event, events.Key) and not event.is_forwarded:
            kill = next((one for one in self._kills if event.character == one.key), None)
            typing = isinstance(self.screen, Confirm | Change) and self.screen.typing
            if kill is not None and not typing:
                await self.run_action(kill.call)
                return
        await super().on_event(event)

    @property
    def _kills(self) -> tuple[keymap.Action, ...]:
        return (keymap.KILL, keymap.KILL_ALL) if self.sight.several else (keymap.KILL,)

    # -- one of several daemons

    def action_daemon(self, step: int) -> None:
        place = self._attached.index(self._here) + step
        self.action_choose(place % len(self._attached))

    def action_choose(self, place: int) -> None:
        """Show that daemon, on the screen that is open. What was asked about another one goes with it, unanswered."""
        if place >= len(self._attached):
            return
        while isinstance(self.screen, LiveModal | CommandPalette):
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

    # -- strategies

    def action_pause(self) -> None:
        strategy = self.screen.strategy if isinstance(self.screen, Strategies) else None
        row = next((row for row in strategies.strategies(self.store) if row.id == strategy), None)
        if row is None:
            self.notify("6 shows the strategies: put the cursor on one first", severity="warning")
            return
        action = OperatorAction.PAUSE if row.state == "running" else OperatorAction.UNPAUSE
        self._change(Plan(action, row.id))

    def action_tune(self) -> None:
        setting = self.screen.setting if isinstance(self.screen, Strategies) else None
        if setting is None or not setting.tunable:
            self.notify("6 shows the settings: put the cursor on one that may be tuned", severity="warning")
            return
        self._change(Plan(OperatorAction.TUNE, setting.strategy, setting.row.key))

    def _change(self, plan: Plan) -> None:
        to = self._here
        self.push_screen(
            Change(self.sight.fixed(), plan, lambda reason: self._give(to, plan.action, reason, plan.target))
        )

    # -- looking

    def action_overview(self) -> None:
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def action_market(self) -> None:
        self._show(Market)

    def action_surfaces(self) -> None:
        self._show(Surfaces)

    def action_step(self, step: int) -> None:
        """To another market, wherever the cursor of the screen is."""
        if isinstance(self.screen, Market | Surfaces | Overview):
            self.store.move(step)
            self.tick()

    def action_drawn(self) -> None:
        if isinstance(self.screen, Surfaces):
            self.store.looked.drawn = self.store.looked.drawn.next
            self.tick()

    def _look(self) -> None:
        """Ask the daemon for what the screens below the windows show in full; the other daemons for nothing."""
        screens = [screen for screen in self.screen_stack if isinstance(screen, Market | Surfaces)]
        for each in self._attached:
            here = each is self._here
            surfaces = any(isinstance(screen, Surfaces) for screen in screens)
            each.look(market=here and bool(screens), surfaces=here and surfaces)

    def action_inventory(self) -> None:
        self._show(Inventory)

    def action_arbitrage(self) -> None:
        self._show(Arbitrage)

    def action_orders(self) -> None:
        self._show(Orders)

    def action_strategies(self) -> None:
        self._show(Strategies)

    def action_log_screen(self) -> None:
        self._show(Log)

    def _show(self, screen: type[Market | Surfaces | Inventory | Arbitrage | Orders | Strategies | Log]) -> None:
        if not isinstance(self.screen, screen):
            if issubclass(screen, Market | Surfaces):
                self.store.open(quoted=issubclass(screen, Surfaces))
            self.action_overview()
            self.push_screen(screen(self.sight))

    def action_open(self) -> None:
        focused = self.screen.focused
        if isinstance(self.screen, Strategies) and self.screen.setting is not None and self.screen.setting.tunable:
            self.action_tune()
        elif isinstance(focused, Browsed):
            item = focused.item()
            if item is not None:
                self.push_screen(Text(self.sight, "in full", focused.item_text(item)))
        elif isinstance(self.screen, Market):
            self.push_screen(Text(self.sight, "why", why.whole(self.store, self.sight.now_s)))
        elif isinstance(self.screen, Overview) and self.store.market() is not None:
            self.push_screen(Market(self.sight))

    def on_opened(self, message: Opened) -> None:
        message.stop()
        self.action_open()

    def action_alerts(self) -> None:
        texts = [activity.alert_text(row) for row in activity.alerts(self.store)]
        self.push_screen(Text(self.sight, "alerts, newest first", "\n\n\n".join(texts) or "nothing to report"))

    def action_toggle_view(self) -> None:
        self.store.as_no = not self.store.as_no
        self.tick()

    def action_freeze(self) -> None:
        self.store.toggle_freeze(self.sight.now_s)
        self.tick()

    def action_filter(self) -> None:
        if isinstance(self.screen, Filtered):
            self.screen.ask_filter()
            return
        self.action_overview()
        if isinstance(self.screen, Overview):
            self.screen.ask_filter()

    def action_copy(self) -> None:
        focused = self.screen.focused
        if isinstance(focused, Links) and (edge := focused.item()) is not None:
            self.copy_to_clipboard(edge.group)
            self.notify(f"copied {edge.group}", markup=False)
            return
        row = focused.item() if isinstance(focused, Holdings) else self.store.market()
        if row is None:
            self.notify("no market is selected", severity="warning")
            return
        self.copy_to_clipboard(row.ticker)
        self.notify(f"copied {clean(row.ticker)}", markup=False)

    def action_move(self, step: int) -> None:
        focused = self.screen.focused
        if isinstance(focused, ListPanel):
            focused.move(step)
        else:
            self.store.move(step)
        self.tick()

    def action_step_back(self) -> None:
        if isinstance(self.screen, Overview):
            if self.screen.has_class("-filtering") or self.store.filter:
                self.store.set_filter("")
                self.screen.end_filter()
        elif isinstance(self.screen, Filtered) and self.screen.clear_filter():
            return
        elif len(self.screen_stack) > 1:
            self.pop_screen()

    def action_help(self) -> None:
        self.push_screen(Text(self.sight, "keys", help_text(several=self.sight.several)))

    def action_help_quit(self) -> None:
        """Ctrl-C: in a terminal that trades it must not be guessed at."""
        self.notify("q leaves (trading goes on) · K stops trading", title="Ctrl-C does nothing here")

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        del screen
        for action in keymap.palette(several=self.sight.several):
            title = f"{action.label} ({action.key_text})"  # no square brackets: the palette reads markup
            yield SystemCommand(title, action.help, lambda call=action.call: self.run_action(call))

    # -- a simulator of our own

    def action_start(self) -> None:
        offer = self.store.start
        if offer is None or self._starter is None or self.store.connected(self.sight.now_s) or offer.pid is not None:
            return
        try:
            self._daemon = self._starter.start()
        except HlommError as error:
            offer.problem = str(error)
        else:
            offer.pid, offer.problem = self._daemon.pid, ""
        self.tick()

    def _look_after_daemon(self) -> None:
        """A daemon that ended is reported, and may be started again."""
        if self._daemon is None or self.store.start is None:
            return
        ending = self._daemon.ending()
        if ending is not None:
            self._daemon = None
            self.store.start.pid, self.store.start.problem = None, f"The daemon started from here has ended: {ending}"

    # -- leaving

    def action_leave(self) -> None:
        if any(store.unanswered_kill() for store in self.sight.stores):
            self.notify("the kill has no answer yet, and nobody else would pass it on: wait for it", severity="warning")
            return
        self.exit("\n".join(map(self._farewell, self.sight.stores)))

    async def action_quit(self) -> None:
        self.action_leave()

    def _farewell(self, store: Store) -> str:
        snapshot, called = store.live, f"{store.name}: " if store.name else ""
        if snapshot is None or not store.connected(self.sight.now_s):
            return f"{called}left the terminal; no daemon answers at {store.socket}"
        state = truth.word(store, self.sight.now_s)
        trading = snapshot.engine.state == HaltState.RUNNING
        goes_on = (
            f"trading goes on ({state}, {snapshot.engine.open_orders} orders open)" if trading else f"it is {state}"
        )
        text = f"{called}left the terminal; the daemon (pid {snapshot.pid}) runs on: {goes_on}"
        if self._daemon is not None:
            text += f"\nit was started from here: `kill -INT {self._daemon.pid}` cancels, flattens and ends it"
        return text
