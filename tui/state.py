"""What the terminal knows: the last snapshot, the link, what is selected, what was ordered. No Textual, no clock.

Time is an argument (`now_s`, monotonic). Events from the link and keys from the operator change the store; the views
read it. Two snapshots are kept: `live`, which the truth bar and the orders always use, and `shown`, which stays behind
while the display is frozen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from hlomm.domain.edge_rows import EdgeRow
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import OperatorAction
from hlomm.domain.look_rows import LookRow
from hlomm.domain.markets import Leg, MarketKind
from hlomm.domain.naming import coin_name
from hlomm.domain.report import AlertRow, MarketRow, Snapshot
from tui.client import Answered, Declined, Event, Guarded, Heard, Lost, Pictured, Rejected, Unanswered, Unguarded, Up
from tui.desk import Desk
from tui.formats import AGE_DIM_S, AGE_STALE_S, short_ticker
from tui.looked import Looked

SILENT_S: Final = 1.0
"""An order without an answer for that long is shown as unanswered."""
_WIDE: Final = 40


class Phase(StrEnum):
    CONNECTING = "connecting"
    UP = "up"
    LOST = "lost"
    REJECTED = "rejected"
    """Somebody answers, but another version or nonsense."""


class Fate(StrEnum):
    """What became of an order."""

    WAITING = "waiting"
    TAKEN = "taken"
    DECLINED = "declined"
    UNANSWERED = "unanswered"
    GUARDED = "guarded"
    """The daemon did not take it, its guardian did."""


class Freshness(StrEnum):
    """How much an old number may be trusted; also the name of the class that draws it."""

    FRESH = "fresh"
    DIM = "dim"
    STALE = "stale"


@dataclass
class Connection:
    phase: Phase
    why: str = ""


@dataclass(kw_only=True)
class Ordered:
    """An order given to the daemon, and what it said."""

    id: int
    action: OperatorAction
    sent_s: float
    sent_wall_ms: int
    """Venue time of the picture before it, and of its own turn once it is taken: alerts from then on follow from it."""
    fate: Fate = Fate.WAITING
    settled_s: float | None = None
    why: str = ""
    no_guardian: str = ""
    """Why the guardian did not take it either."""
    before: Snapshot | None = None
    """What there was to cancel and to sell."""
    did: tuple[str, ...] = ()
    """What the guardian has done, oldest first."""
    safe: bool = False
    """The guardian has the venues' word on it."""
    over: bool = False
    """The guardian does no more and has not got it."""
    alerts: dict[str, AlertRow] = field(default_factory=dict)
    """The newest of each code since it was sent: the daemon remembers only so many, and a flood would drown a proof."""
    guard_audit: int = 0
    """Its number in the operator chain, as the guardian says; of what the daemon took, `Store.audit` knows it."""

    def silent(self, now_s: float) -> bool:
        return self.fate is Fate.WAITING and now_s - self.sent_s > SILENT_S


@dataclass
class Start:
    """The offer to start a simulator from here, and how far it came."""

    log: str
    pid: int | None = None
    problem: str = ""


@dataclass
class Store:
    socket: str
    begun_s: float
    link: Connection
    live: Snapshot | None = None
    received_s: float | None = None
    held: Snapshot | None = None
    """The snapshot the display was frozen on, when that was, and how old the snapshot was by then."""
    held_s: float = 0.0
    held_lag_s: float = 0.0
    selected: MarketId | None = None
    looked: Looked = field(default_factory=Looked)
    as_no: bool = False
    """Prices of the ladder are those of the NO token."""
    filter: str = ""
    linked: str | None = None
    """Group of the link that is selected."""
    ordered: Ordered | None = None
    viewer: bool = False
    """This terminal only looks: the daemon takes no command from it."""
    start: Start | None = None
    """None where a simulator would not help: another profile, or a socket of unknown origin."""
    desk: Desk = field(default_factory=Desk)
    filters: dict[str, str] = field(default_factory=dict)
    """Of the screens that have one of their own, by screen."""
    name: str = ""
    """What this daemon is called beside others; empty where it is the only one."""
    options: str = ""
    """What names it to other commands (`--state-dir ...`), where it has a name."""
    _kills: set[int] = field(default_factory=set, repr=False)
    """Of which neither daemon nor guardian has said anything, whatever was ordered since."""
    _seen: frozenset[AlertRow] = field(default=frozenset(), repr=False)
    _row: int = field(default=0, repr=False)
    _edge_row: int = field(default=0, repr=False)
    _rows: list[MarketRow] = field(default_factory=list, repr=False)
    _rows_of: tuple[Snapshot | None, str] = field(default=(None, ""), repr=False)
    """Of which snapshot and filter these are the rows: every panel asks for them at every look."""

    @classmethod
    def begin(
        cls, socket: str, now_s: float, start: Start | None = None, *,
        viewer: bool = False, name: str = "", options: str = "",
    ) -> Store:  # fmt: skip
        link = Connection(Phase.CONNECTING)
        return cls(socket, now_s, link, start=start, viewer=viewer, name=name, options=options)

    # -- what the link says

    def apply(self, event: Event, now_s: float) -> None:
        if isinstance(event, Answered | Declined | Guarded | Unguarded):
            self._kills.discard(event.id)  # a lost link says nothing of a kill: its guardian is being asked
        match event:
            case Pictured(snapshot=snapshot, look=look):
                self.live, self.received_s = snapshot, now_s
                self._follow(snapshot)
                self.looked.showed(look)
                self.reselect()
            case Up(looks=looks):
                self.link = Connection(Phase.UP)
                self.looked.connected(able=looks)
                self.desk.forget()
            case Heard():
                self.desk.heard(event)
            case Lost(why=why):
                self.link = Connection(Phase.LOST, why)
            case Rejected(why=why):
                self.link = Connection(Phase.REJECTED, why)
            case Answered(id=number, snapshot=snapshot):
                self._settle(number, Fate.TAKEN, "", now_s)
                self._taken(number, snapshot)
            case Declined(id=number, why=why):
                self._settle(number, Fate.DECLINED, why, now_s)
            case Unanswered(id=number, why=why):
                if self.ordered is None or self.ordered.fate is not Fate.GUARDED:  # that word outranks the silence
                    self._settle(number, Fate.UNANSWERED, why, now_s)
            case Guarded():
                self._guarded(event, now_s)
            case Unguarded(id=number, why=why):
                if self.ordered is not None and self.ordered.id == number:
                    self.ordered.no_guardian = why

    def _settle(self, number: int, fate: Fate, why: str, now_s: float) -> None:
        if self.ordered is not None and self.ordered.id == number:
            self.ordered.fate, self.ordered.why, self.ordered.settled_s = fate, why, now_s

    def _taken(self, number: int, snapshot: Snapshot) -> None:
        """The answer's picture is of the very turn that took it: what was said before is no consequence."""
        if self.ordered is not None and self.ordered.id == number:
            self.ordered.sent_wall_ms = snapshot.engine.wall_ms

    def _follow(self, snapshot: Snapshot) -> None:
        """What happens since the order was sent."""
        if self.ordered is not None:
            news = (row for row in snapshot.alerts if row.wall_ms >= self.ordered.sent_wall_ms)
            self.ordered.alerts |= {row.code: row for row in news}

    def _guarded(self, event: Guarded, now_s: float) -> None:
        ordered = self.ordered
        if ordered is None or ordered.id != event.id:
            return
        if ordered.fate is not Fate.GUARDED:
            self._settle(event.id, Fate.GUARDED, event.said, now_s)
        ordered.why, ordered.did, ordered.safe, ordered.guard_audit = event.said, event.did, event.safe, event.audit
        ordered.over = event.over

    # -- what the operator does

    def sent(self, number: int, action: OperatorAction, now_s: float) -> None:
        if action is OperatorAction.KILL:
            self._kills.add(number)
        wall_ms = 0 if self.live is None else self.live.engine.wall_ms
        self.ordered = Ordered(
            id=number, action=action, sent_s=now_s, sent_wall_ms=wall_ms,
            before=self.live if self.connected(now_s) else None,
        )  # fmt: skip

    def toggle_freeze(self, now_s: float) -> None:
        self.held_lag_s = self.shown_lag_s(now_s)
        self.held = self.live if self.held is None else None
        self.looked.freeze(frozen=self.held is not None)
        self.desk.freeze(frozen=self.held is not None)
        self.held_s = now_s
        self.reselect()

    def set_filter(self, text: str) -> None:
        self.filter = text.strip()
        self.reselect()

    def select(self, market: MarketId) -> None:
        self.selected = market
        self.reselect()

    def open(self, *, quoted: bool = False) -> None:
        """The market last looked at, or else the selected one; `quoted`: or else the first with a fair value."""
        rows, current = self.markets(), self.market()
        if any(row.id == self.looked.last for row in rows):
            self.selected = self.looked.last
        elif quoted and self.looked.last is None and (current is None or not current.strategy):
            self.selected = next((row.id for row in rows if row.strategy and row.fair is not None), self.selected)
        self.reselect()

    def move(self, step: int) -> None:
        rows = self.markets()
        if rows:
            self.selected = rows[min(max(self._row + step, 0), len(rows) - 1)].id
            self.reselect()

    def reselect(self) -> None:
        """Keep the selection; when its market is gone, what took its place in the table is selected."""
        ids = [row.id for row in self.markets()]
        if self.selected in ids:
            self._row = ids.index(self.selected)
        elif ids:
            self._row = min(self._row, len(ids) - 1)
            self.selected = ids[self._row]
        else:
            self.selected = None
        self._relink()

    def link_to(self, group: str) -> None:
        """Select a link."""
        self.linked = group
        self._relink()

    def _relink(self) -> None:
        groups = [row.group for row in self.edges()]
        if self.linked in groups:
            self._edge_row = groups.index(self.linked)
        elif groups:
            self._edge_row = min(self._edge_row, len(groups) - 1)
            self.linked = groups[self._edge_row]
        else:
            self.linked = None

    # -- what there is to see

    @property
    def shown(self) -> Snapshot | None:
        return self.live if self.held is None else self.held

    @property
    def shown_wall_ms(self) -> int | None:
        """Venue time of what is shown."""
        return None if self.shown is None else self.shown.engine.wall_ms

    def lag_s(self, now_s: float) -> float:
        """Seconds since the daemon was last heard; since the terminal was started if it never was."""
        return now_s - (self.begun_s if self.received_s is None else self.received_s)

    def shown_lag_s(self, now_s: float) -> float:
        """What to add to the ages in the shown snapshot; a frozen display ages no further."""
        if self.held is not None:
            return self.held_lag_s
        return 0.0 if self.live is None else self.lag_s(now_s)

    def connected(self, now_s: float) -> bool:
        """Whether what the terminal shows is what the daemon is."""
        return self.link.phase is Phase.UP and self.live is not None and self.lag_s(now_s) <= AGE_DIM_S

    def markets(self) -> list[MarketRow]:
        """Do not change the list: it is kept until there is another snapshot or filter."""
        snapshot = self.shown
        if snapshot is None:
            return []
        if self._rows_of[0] is not snapshot or self._rows_of[1] != self.filter:
            self._rows = in_order(row for row in snapshot.engine.markets if self._matches(row, snapshot))
            self._rows_of = snapshot, self.filter
        return self._rows

    def market(self) -> MarketRow | None:
        return next((row for row in self.markets() if row.id == self.selected), None)

    def look(self) -> LookRow | None:
        """The selected market in full; None while the daemon has not shown it."""
        return self.looked.of(self.selected)

    def look_lag_s(self, now_s: float) -> float:
        """How old that is."""
        row, snapshot = self.look(), self.shown
        if row is None or snapshot is None:
            return 0.0
        return self.shown_lag_s(now_s) + max(snapshot.engine.wall_ms - row.at_ms, 0) / 1000

    def edges(self) -> tuple[EdgeRow, ...]:
        """Linked events, in the daemon's order: it does not depend on prices."""
        return () if self.shown is None else self.shown.engine.edges.edges

    def edge(self) -> EdgeRow | None:
        return next((row for row in self.edges() if row.group == self.linked), None)

    def _matches(self, row: MarketRow, snapshot: Snapshot) -> bool:
        if row.settled is not None or not self.filter:
            return row.settled is None
        coins = " ".join(coin_name(row.id, leg) or "" for leg in Leg)
        text = f"{row.ticker} {short_ticker(row.ticker, _WIDE, snapshot.engine.wall_ms)} {row.id} {coins}".casefold()
        return all(word in text for word in self.filter.casefold().split())

    def look_over(self) -> None:
        """The operator has this daemon before them: its alerts are no news any more."""
        if self.shown is not None:
            self._seen = frozenset(self.shown.alerts)

    def unseen(self) -> list[AlertRow]:
        """Alerts that came, as far as the daemon remembers, while another was on the screen; oldest first."""
        return [] if self.live is None else [row for row in self.live.alerts if row not in self._seen]

    def consequences(self) -> list[AlertRow]:
        """The newest alert of each code since the order was sent, oldest first."""
        ordered = self.ordered
        rows = () if ordered is None else ordered.alerts.values()
        since_ms = 0 if ordered is None else ordered.sent_wall_ms
        return sorted((row for row in rows if row.wall_ms >= since_ms), key=lambda row: row.wall_ms)

    def unanswered_kill(self) -> bool:
        """Whether a kill is under way of which nobody has said that it was taken, or that it was not.

        It has an end of its own: the link and the guardian are both waited for with a bound.
        """
        ordered = self.ordered
        waits = ordered is not None and ordered.action is OperatorAction.KILL and ordered.fate is Fate.WAITING
        return waits or bool(self._kills)

    def audit(self) -> int:
        """Number of the last order in the operator chain, 0 while it is not there."""
        if self.ordered is None:
            return 0
        if self.ordered.guard_audit or self.live is None:
            return self.ordered.guard_audit
        rows = [
            row.n
            for row in self.live.audit
            if row.action == self.ordered.action.value and row.at_ms >= self.ordered.sent_wall_ms
        ]
        return max(rows, default=0)


def in_order(rows: Iterable[MarketRow]) -> list[MarketRow]:
    """Soonest expiry first, perps last. The order never depends on prices: rows must not jump under the eye."""
    return sorted(
        rows, key=lambda row: (row.kind is MarketKind.PERP, math.inf if row.tau_s is None else row.tau_s, row.id)
    )


def freshness(age_s: float | None) -> Freshness:
    """Of a number that old; one that was never seen is dim, not stale: there is nothing to distrust."""
    if age_s is not None and age_s > AGE_STALE_S:
        return Freshness.STALE
    return Freshness.DIM if age_s is None or age_s > AGE_DIM_S else Freshness.FRESH
