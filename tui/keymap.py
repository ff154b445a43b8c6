"""Every key in one table: it feeds the bindings, the footer, the help screen and the command palette."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from textual.binding import Binding


class Group(StrEnum):
    """Headings of the help screen."""

    SAFETY = "Safety"
    LOOK = "Looking"
    MOVE = "Moving"
    LEAVE = "Terminal"
    SEVERAL = "Several daemons"
    """Only where there are."""


@dataclass(frozen=True, kw_only=True)
class Action:
    id: str
    """Stable: what a personal keymap would name."""
    key: str
    call: str
    """Textual action."""
    label: str
    """One or two words for the footer."""
    help: str
    group: Group
    shown: str = ""
    """How the key is written, where that is not the key's own name."""
    rank: int = 0
    """Place in the footer, 1 first; 0 is not in the footer."""
    foot: tuple[str, str] | None = None
    """Key and label in the footer, where one entry stands for several keys."""
    palette: bool = True

    @property
    def key_text(self) -> str:
        return self.shown or self.key

    @property
    def footing(self) -> tuple[str, str]:
        """How the footer writes it."""
        return self.foot or (self.key_text, self.label)

    def binding(self) -> Binding:
        return Binding(self.key, self.call, self.label, id=self.id, show=False, tooltip=self.help)


ACTIONS: Final = (
    Action(
        id="kill", key="K", call="app.order('kill')", label="kill", group=Group.SAFETY, rank=1,
        help="Kill: cancel all, flatten by policy, HALTED (asks first)",
    ),
    Action(
        id="flatten", key="F", call="app.order('flatten')", label="flatten", group=Group.SAFETY, rank=2,
        help="Flatten: cancel all, sell what is held, HALTED (asks first)",
    ),
    Action(
        id="cancel", key="C", call="app.order('cancel')", label="cancel", group=Group.SAFETY, rank=3,
        help="Cancel all, sell nothing, HALTED (asks first)",
    ),
    Action(
        id="resume", key="R", call="app.order('resume')", label="resume", group=Group.SAFETY, rank=4,
        help="Resume: leave HALTED, for a reason (asks first)",
    ),
    Action(
        id="overview", key="1", call="app.overview", label="over", group=Group.LOOK, rank=5,
        foot=("1-8", "screens"), help="Overview: state, money, venues, markets",
    ),
    Action(
        id="market", key="2", call="app.market", label="mkt", group=Group.LOOK,
        help="Market: ladder, fair value, quote, trades, payoff, why",
    ),
    Action(
        id="inventory", key="i,3", call="app.inventory", label="inv", shown="i", group=Group.LOOK,
        help="Inventory: sets, hedge, what each settlement gives (or 3)",
    ),
    Action(
        id="arbitrage", key="4", call="app.arbitrage", label="arb", group=Group.LOOK,
        help="Arbitrage: linked events, pairs, how far venues stand apart",
    ),
    Action(
        id="orders", key="5", call="app.orders", label="ord", group=Group.LOOK,
        help="Orders and fills, and where the result came from",
    ),
    Action(
        id="strategies", key="6", call="app.strategies", label="strat", group=Group.LOOK,
        help="Strategies and their settings: pause, tune",
    ),
    Action(
        id="surfaces", key="7", call="app.surfaces", label="surf", group=Group.LOOK,
        help="Surfaces: quote, P(YES), how far venues stand apart",
    ),
    Action(
        id="log", key="8", call="app.log_screen", label="log", group=Group.LOOK,
        help="Latency, log and alerts, operator actions",
    ),
    Action(
        id="pause", key="p", call="app.pause", label="pause", group=Group.SAFETY,
        help="Pause or unpause the strategy under the cursor (asks)",
    ),
    Action(
        id="tune", key="e", call="app.tune", label="tune", group=Group.SAFETY,
        help="Tune the setting under the cursor, or enter (asks)",
    ),
    Action(
        id="open", key="enter", call="app.open", label="open", group=Group.LOOK, rank=10, palette=False,
        help="Open what the cursor is on in full: market, link, fill, why",
    ),
    Action(
        id="alerts", key="a", call="app.alerts", label="alerts", group=Group.LOOK, rank=12,
        help="Alerts in full, newest first",
    ),
    Action(
        id="view", key="t", call="app.toggle_view", label="yes/no", group=Group.LOOK, rank=13,
        help="Ladder in prices of the YES or of the NO token",
    ),
    Action(
        id="drawn", key="v", call="app.drawn", label="value", group=Group.LOOK,
        help="Surfaces: half-spread, reservation, bid or ask of the quote",
    ),
    Action(
        id="filter", key="slash", call="app.filter", label="filter", shown="/", group=Group.LOOK, rank=11,
        help="Filter the markets, or what the screen lists, by words",
    ),
    Action(
        id="freeze", key="space", call="app.freeze", label="freeze", group=Group.LOOK, rank=14,
        help="Freeze the display (never the bar at the top), and back",
    ),
    Action(
        id="copy", key="y", call="app.copy", label="copy", group=Group.LOOK, rank=16,
        help="Copy the name of the selected market",
    ),
    Action(
        id="up", key="up,k", call="app.move(-1)", label="up", shown="↑ k", group=Group.MOVE, palette=False,
        help="One row up",
    ),
    Action(
        id="down", key="down,j", call="app.move(1)", label="down", shown="↓ j", group=Group.MOVE, palette=False,
        help="One row down",
    ),
    Action(
        id="next_market", key="right,n", call="app.step(1)", label="next", shown="→ n", group=Group.MOVE,
        foot=("← →", "market"), help="Next market (2, 7)",
    ),
    Action(
        id="last_market", key="left,N", call="app.step(-1)", label="previous", shown="← N", group=Group.MOVE,
        help="Previous market (2, 7)",
    ),
    Action(
        id="page_up", key="pageup", call="app.move(-10)", label="page up", shown="PgUp", group=Group.MOVE,
        help="Ten rows up", palette=False,
    ),
    Action(
        id="page_down", key="pagedown", call="app.move(10)", label="page down", shown="PgDn", group=Group.MOVE,
        help="Ten rows down", palette=False,
    ),
    Action(
        id="next", key="tab", call="app.focus_next", label="next list", group=Group.MOVE, palette=False,
        help="Next list of the screen (shift+tab goes back)",
    ),
    Action(
        id="back", key="escape", call="app.step_back", label="back", shown="esc", group=Group.MOVE, palette=False,
        help="Back, or clear the filter",
    ),
    Action(
        id="start", key="s", call="app.start", label="start sim", group=Group.LEAVE,
        help="Start the simulator when no daemon answers",
    ),
    Action(
        id="help", key="question_mark", call="app.help", label="help", shown="?", group=Group.LEAVE, rank=98,
        help="This help",
    ),
    Action(
        id="palette", key="ctrl+p", call="app.command_palette", label="palette", shown="^p", group=Group.LEAVE, rank=17,
        help="All actions by name", palette=False,
    ),
    Action(
        id="quit", key="q", call="app.leave", label="leave", group=Group.LEAVE, rank=99,
        help="Leave the terminal; trading goes on",
    ),
)  # fmt: skip

BY_ID: Final = {action.id: action for action in ACTIONS}
KILL: Final = BY_ID["kill"]
KILL_ALL: Final = Action(
    id="kill_all", key="X", call="app.kill_all", label="kill ALL", group=Group.SEVERAL,
    help="Kill ALL daemons of this terminal (asks first)",
)  # fmt: skip
NEXT_DAEMON: Final = Action(
    id="next_daemon", key="d", call="app.daemon(1)", label="daemon", group=Group.SEVERAL,
    help="Next daemon, on the same screen; an open question closes",
)  # fmt: skip
SEVERAL: Final = (
    KILL_ALL,
    NEXT_DAEMON,
    Action(
        id="last_daemon", key="D", call="app.daemon(-1)", label="previous daemon", group=Group.SEVERAL,
        help="Previous daemon",
    ),
    Action(
        id="daemons", key="0", call="app.daemons", label="daemons", group=Group.SEVERAL,
        help="All daemons in full; 1 to 8 there goes to one",
    ),
)  # fmt: skip
"""What only a terminal on several daemons has. K, F, C, R, p and e are for the one that is shown."""
ALWAYS: Final = ("kill", "flatten", "cancel", "resume")
"""What works from every window."""


def bindings(*ids: str) -> list[Binding]:
    """Bindings of the named actions, of all without names."""
    return [BY_ID[name].binding() for name in ids] if ids else [action.binding() for action in ACTIONS]


def bindings_of_several() -> list[Binding]:
    """They do nothing where there is one daemon."""
    return [action.binding() for action in SEVERAL]


def footer(*here: str, several: bool = False) -> list[Action]:
    """Actions of the footer in their order, those that only one screen has behind the ones that always work."""
    ranked = sorted((one for one in ACTIONS if one.rank and one.id not in here), key=lambda action: action.rank)
    kill, *safety, resume = ranked[: len(ALWAYS)]
    # The bar at the top names R when there is something to resume: of these it can be spared first.
    first = [kill, KILL_ALL, *safety, NEXT_DAEMON, resume] if several else [kill, *safety, resume]
    return [*first, *(BY_ID[name] for name in here), *ranked[len(ALWAYS) :]]


def actions(*, several: bool = False) -> tuple[Action, ...]:
    return (*ACTIONS, *SEVERAL) if several else ACTIONS


def palette(*, several: bool = False) -> list[Action]:
    return [action for action in actions(several=several) if action.palette]
