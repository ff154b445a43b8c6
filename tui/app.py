"""The application: a tick that redraws from the store, and the actions behind the keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Final

from textual import events
from textual.app import SystemCommand
from textual.binding import BindingType
from textual.screen import Screen

from hlomm.domain.faults import HlommError
from hlomm.domain.inputs import OperatorAction
from hlomm.domain.outputs import HaltState
from hlomm.link.protocol import Access
from tui import keymap, theme
from tui.attached import Attached
from tui.client import Event
from tui.messages import Link
from tui.places import Place
from tui.screens.arbitrage import Arbitrage
from tui.screens.change import Change
from tui.screens.confirm import Confirm
from tui.screens.filtered import Filtered
from tui.screens.inventory import Inventory
from tui.screens.live import Live
from tui.screens.log import Log
from tui.screens.market import Market
from tui.screens.orders import Orders
from tui.screens.overview import Overview
from tui.screens.strategies import Strategies
from tui.screens.surfaces import Surfaces
from tui.screens.text import Text, help_text
from tui.starting import Daemon, Starter
from tui.state import Start, Store
from tui.views import activity, truth, why
from tui.views.change import Plan
from tui.views.line import clean
from tui.watching import Watching
from tui.widgets.arbitrage import Links
from tui.widgets.inventory import Holdings
from tui.widgets.lists import Browsed, ListPanel, Opened

TICK_S: Final = 0.25


class Terminal(Watching):
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
        start = None if starter is None else Start(starter.log)
        places = [Place(where)] if isinstance(where, Path) else where
        super().__init__(places, start=start, link=link, clock=clock, access=access, by=by)
        self._starter = starter
        self._daemon: Daemon | None = None
        for known in (theme.MANY, theme.SIXTEEN):
            self.register_theme(known)
        self.theme = theme.theme_for(self.console.color_system)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(theme.VARIABLES)

    def get_default_screen(self) -> Screen[None]:
        return Overview(self.sight)

    def on_mount(self) -> None:
        self.connect()
        self.set_interval(TICK_S, self.tick)

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
        self._ask(Confirm(self.sight.fixed(), action, lambda reason: to.give(action, reason, self.sight.now_s)))

    def action_kill_all(self) -> None:
        """Ask before a kill of every daemon."""

        def give(reason: str) -> None:
            for each in self._attached:
                each.give(OperatorAction.KILL, reason, self.sight.now_s)

        if self.sight.several:
            self._ask(Confirm(self.sight.fixed(), OperatorAction.KILL, give, everyone=True))

    def _ask(self, question: Confirm) -> None:
        """One question at a time; one that is answered gives way."""
        self.close_palette()
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

    # -- strategies

    def action_pause(self) -> None:
        strategy = self.screen.strategy if isinstance(self.screen, Strategies) else None
        live = () if self.store.live is None else self.store.live.engine.strategies
        row = next((row for row in live if row.id == strategy), None)
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
        def give(reason: str, to: Attached = self._here) -> None:
            to.give(plan.action, reason, self.sight.now_s, plan.target)

        self.push_screen(Change(self.sight.fixed(), plan, give))

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
