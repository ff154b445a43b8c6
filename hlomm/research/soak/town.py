"""Everything there is besides the daemon: venues, other people, networks, and the wires between them."""

from __future__ import annotations

import random
from typing import Final

from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET, MarketId, VenueId, outcome_market
from hlomm.research.soak.beside.door import Contract, Door
from hlomm.research.soak.beside.kalshi_door import KalshiDoor
from hlomm.research.soak.beside.own import OWN, VenueWeather
from hlomm.research.soak.beside.polymarket_door import PolymarketDoor
from hlomm.research.soak.beside.session import Nudge
from hlomm.research.soak.beside.street import Street
from hlomm.research.soak.checks import Checks
from hlomm.research.soak.contracts import Contracts
from hlomm.research.soak.crowd import Crowd
from hlomm.research.soak.desk import Ended, Listed
from hlomm.research.soak.disk import Disk
from hlomm.research.soak.front import Front
from hlomm.research.soak.host import HostClock
from hlomm.research.soak.network import Network
from hlomm.research.soak.pairs import Pairs
from hlomm.research.soak.plan import Plan
from hlomm.research.soak.process import Process
from hlomm.research.soak.timeline import S, Timeline
from hlomm.research.soak.weather import Weather
from hlomm.settings.load import Loaded, load
from hlomm.sim.config import RulesConfig
from hlomm.venues.hyperliquid.wire.coins import outcome_number

CASH_USD: Final = 50_000
CASH_BESIDE_USD: Final = 10_000
BOOK_S: Final = 0.5
"""From a change of our orders to the book that shows it."""

# A sparse day: books come once a minute, so what counts as stale and how often is decided follow.
_SETS: Final = (
    "limits.stale_book_s=190", "quotes.refresh_s=70", "quotes.min_interval_s=2", "quotes.min_move=0.004",
    "strategy.avellaneda.max_underlying_age_s=200", "strategy.avellaneda.requote_share=0.6",
    "strategy.avellaneda.sample_s=30",
    # Quotes large enough to come near every limit.
    "strategy.avellaneda.max_size=150", "strategy.avellaneda.stretch=2", "limits.max_loss_event=250",
)  # fmt: skip
# Pairs: a sparse day's books are old, and its prices of the underlying too.
_PAIRS: Final = (
    "venue.polymarket.enabled=true", "venue.kalshi.enabled=true", "strategy.cross_venue.enabled=true",
    "strategy.cross_venue.max_underlying_age_s=200", "strategy.cross_venue.sample_s=30",
    "strategy.cross_venue.kelly_fraction=1.0", "strategy.cross_venue.max_notional_usd=60",
)  # fmt: skip
# Quotes that are looked after so seldom lose money: most days may.
_LOOSE: Final = (
    "limits.max_drawdown=1000000", "breakers.daily_loss=1000000", "breakers.drawdown_share=1.0",
    "breakers.equity_stop=1.0",
)  # fmt: skip


class Town:
    """`process` is the daemon that runs now, if one does."""

    def __init__(self, plan: Plan) -> None:
        def part(name: str) -> random.Random:
            return random.Random(f"{plan.seed} {name}")

        self._part = part
        self.plan = plan
        on_disconnect = f"flatten.on_disconnect='{'pause' if plan.pause else 'flatten'}'"
        loose = () if plan.tight else _LOOSE
        classes = '"priceBinary", "above"' if plan.everywhere else '"priceBinary"'
        quoted = f"strategy.avellaneda.classes=[{classes}]"
        pairs = _PAIRS if plan.beside else ()
        self.loaded: Loaded = load("sim", (), [*_SETS, *pairs, *loose, on_disconnect, quoted], environ={})
        self.settings = self.loaded.settings
        self.timeline = Timeline()
        self.weather = Weather(self.timeline)
        self.clock = HostClock(self.timeline)
        self.network = Network(self.timeline, self.weather, part("network"))
        rules = RulesConfig(outcome_fees=plan.outcome_fees)
        self.front = Front(self.timeline, self.weather, part("front"), rules, CASH_USD)
        self.crowd = Crowd(self.timeline, self.weather, part("crowd"), self.front)
        self.contracts = Contracts(self.timeline, self.weather, part("contracts"), self.front, self.crowd, plan.periods)
        self.disk = Disk(self.weather, part("disk"))
        polymarket = PolymarketDoor(self.timeline, self.weather, part("polymarket"), plan.seed, CASH_BESIDE_USD)
        kalshi = KalshiDoor(self.timeline, self.weather, part("kalshi"), plan.seed, CASH_BESIDE_USD)
        self.doors: dict[VenueId, Door] = {POLYMARKET: polymarket, KALSHI: kalshi} if plan.beside else {}
        self.weathers = {venue: VenueWeather(self.weather, OWN[venue]) for venue in self.doors}
        self.networks = {
            HYPERLIQUID: self.network,
            **{venue: Network(self.timeline, self.weathers[venue], part(f"network {venue}")) for venue in self.doors},
        }
        self.street = Street(self.timeline, part("street"), self.crowd, tuple(self.doors.values()), plan.apart)
        self.pairs = Pairs(
            self.timeline, self.weather, part("pairs"), self.front, self.doors, self.networks, self.settings
        )
        self.checks = Checks(self.timeline, self.front, tuple(self.doors.values()), self.settings, self.pairs)
        self.process: Process | None = None
        self._due_books: set[int] = set()
        self._shops = part("shops")

    # -- wires

    def _wire(self) -> None:
        self.front.publish = self._push
        self.front.on_action = self.checks.on_action
        self.front.on_change = self.checks.on_change
        self.crowd.on_tick = self._books
        self.contracts.on_new = lambda spec: self.street.beside(
            Contract(spec.outcome, spec.target, spec.expiry_ns, spec.period)
        )
        self.street.on_news = lambda door: self.push_at(door.venue, Nudge())
        self.street.on_book = lambda door, market: self._push_book(door.venue, market)
        self.front.on_leg = self._leg_at_hyperliquid
        self.front.on_missed = self.crowd.withdraw
        self.front.on_own = self._book_soon
        for door in self.doors.values():
            self._wire_door(door)
        self.contracts.on_listed = lambda spec: self._push(Listed(spec))
        self.contracts.on_ended = lambda outcome: self._push(Ended(outcome))

    def _push(self, item: object) -> None:
        if self.process is not None:
            self.process.desk.push(item)

    def _wire_door(self, door: Door) -> None:
        door.publish = lambda item: self.push_at(door.venue, item)
        door.on_order = self.checks.on_order
        door.on_change = self.checks.on_change
        door.on_trade = lambda market: self._traded(door, market)

    def _traded(self, door: Door, market: MarketId) -> None:
        """The stream shows what is left of a book, and others quote anew."""
        self._push_book(door.venue, market)
        self.street.again(market)

    def _book_soon(self, outcome: int | None) -> None:
        """The stream shows a book that our own orders have changed: once for whatever happens within a moment."""
        if outcome is None or outcome in self._due_books:
            return
        self._due_books.add(outcome)

        def show() -> None:
            self._due_books.discard(outcome)
            self._push_book(HYPERLIQUID, outcome_market(HYPERLIQUID, outcome))

        self.timeline.after(round(BOOK_S * S), show)

    def _leg_at_hyperliquid(self, market: MarketId) -> None:
        outcome = outcome_number(market)

        def again() -> None:
            if outcome is not None:
                self.crowd.again(outcome)
                self._push_book(HYPERLIQUID, market)

        self.timeline.after(round(self._shops.uniform(0.8, 3.0) * S), again)

    def _push_book(self, venue: VenueId, market: MarketId) -> None:
        if self.process is not None:
            self.process.desks[venue].publish_book(market)

    def push_at(self, venue: VenueId, item: object) -> None:
        if self.process is not None:
            self.process.beside[venue].push(item)

    def _books(self) -> None:
        self.street.look()
        if self.process is not None and self.process.alive:
            for desk in self.process.desks.values():
                desk.publish_books()
