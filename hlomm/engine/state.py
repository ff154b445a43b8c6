"""Everything the engine knows, in one place; the other files are functions and machines over it.

What is asked for again and again is added up once and kept, and believed for as long as nothing that it hangs on has
changed. Four counters say so, bumped by whoever makes the change, before anybody can ask:

- `orders.sums.changes`: an order of a market (`Register._note`, where every change of an order ends);
- `portfolio.moves`: tokens, cost, cash or result (`Portfolio._moved`, where every movement ends);
- `listing`: which markets there are, on which terms, and which are over (`intake_markets`, `Engine._prune`);
- `Book.count`: the levels of a book.

Nothing is kept by time. `tests.support.plain_sums` adds everything up anew and compares, in every storm.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import attrs
import msgspec

from hlomm.domain.carried import Sale
from hlomm.domain.ids import ClientIds, MarketId, StrategyId, VenueId
from hlomm.domain.inputs import AccountState, FeeRates, Level, TradePrint
from hlomm.domain.markets import Leg, Market, MarketKind
from hlomm.domain.orders import Side
from hlomm.domain.outputs import HaltState
from hlomm.domain.report import FillRow, SideNote
from hlomm.domain.times import Now
from hlomm.domain.units import SCALE, Px, complement, notional_floor
from hlomm.domain.view import BookShape, Desired, Sensitivity
from hlomm.engine.accounts import Accounts
from hlomm.engine.attribution import Attribution
from hlomm.engine.basket import Baskets
from hlomm.engine.books import Book, shape_without_own, without_own
from hlomm.engine.breakers import Breakers
from hlomm.engine.budgets import Budgets
from hlomm.engine.config import EngineConfig
from hlomm.engine.conversions import Conversions
from hlomm.engine.digest import Digest
from hlomm.engine.exposure import available, exposure
from hlomm.engine.hedge_state import HedgeState
from hlomm.engine.link_book import LinkBook
from hlomm.engine.markouts import Markouts
from hlomm.engine.memory import Memory
from hlomm.engine.order import Order
from hlomm.engine.orders import Orders
from hlomm.engine.outbox import Outbox
from hlomm.engine.pairs import Pairs
from hlomm.engine.position import Position
from hlomm.engine.rung_book import RungBook
from hlomm.engine.standings import Standings
from hlomm.engine.timers import Timers
from hlomm.engine.tunables import Tuned, Tuner
from hlomm.engine.undelivered import Undelivered
from hlomm.engine.venue_breaker import VenueBreaker
from hlomm.engine.walk import Walk

RECENT_FILLS = 200


@attrs.frozen
class Refused:
    """An order for which there was no room: when, why, and what that hangs on."""

    mono_ns: int
    note: SideNote
    asked_for: tuple[int, ...]


@attrs.define(eq=False, kw_only=True)
class MarketState:
    market: Market
    strategy: StrategyId | None
    underlying: MarketId | None
    """Perp whose mark settles it."""
    book: Book = attrs.field(factory=Book)
    mark_px: Px | None = None
    """Perps: the venue's mark."""
    mark_ns: int = 0
    told: tuple[Px | None, int | None, int | None] | None = None
    """Perps: mark, best bid and best offer on which what stands on them was last decided."""
    others: tuple[tuple[object, ...], Others] | None = None
    """The book without our own orders, with what it was made from."""
    desired: Desired | None = None
    sensitivity: Sensitivity | None = None
    """As the strategy last told it: what is held stays hedged while a pause or a stale book lets nobody be asked."""
    notes: dict[int, SideNote] = attrs.field(factory=dict)
    """By direction: +1 the bid, -1 the ask."""
    restraints: dict[int, str] = attrs.field(factory=dict)
    """By direction: what made the quote stand elsewhere, or be smaller, than the strategy wanted."""
    taken_ns: int | None = None
    """When a strategy last traded at once."""
    leg_ns: int = -1
    """When a leg of a pair was last sent here: a book from before that offers what may be taken already."""
    acted_ns: dict[int, int] = attrs.field(factory=dict)
    """When each direction was last placed or amended."""
    refused: dict[int, Refused] = attrs.field(factory=dict)
    """What the gate last refused for lack of room, by direction."""
    hedged: bool = False
    """It was part of a hedge, and counted there."""
    mark_bid: Px | None = None
    """Last best bid seen, for marking; own orders excluded."""
    mark_ask: Px | None = None
    rejects: deque[int] = attrs.field(factory=lambda: deque(maxlen=64))
    resting_until_ns: int = 0
    """No quoting before that: the venue refused too often."""
    settled: Px | None = None
    gone: bool = False
    """Delisted or settled: nothing is quoted any more."""
    prints: deque[TradePrint] = attrs.field(factory=lambda: deque(maxlen=20))
    """Last public trades."""
    is_outcome: bool = attrs.field(init=False)
    """Not a perp. What a market is does not change, and everybody asks."""

    def __attrs_post_init__(self) -> None:
        self.is_outcome = self.market.kind is MarketKind.OUTCOME

    def closing_px(self, qty: int) -> int | None:
        """Perps: the worse of mark and touch for a holder of that signed quantity; None if neither is known."""
        touch = self.book.best_bid if qty > 0 else self.book.best_ask
        known = [px for px in (self.mark_px, touch) if px]
        if not known:
            return None
        return min(known) if qty > 0 else max(known)

    def conservative_px(self, leg: Leg) -> Px | None:
        """Price at which a token could have been sold last time a buyer was seen."""
        if self.settled is not None:
            return self.settled if leg is Leg.YES else complement(self.settled)
        if leg is Leg.YES:
            return self.mark_bid
        return None if self.mark_ask is None else complement(self.mark_ask)


class Others(msgspec.Struct, frozen=True, gc=False):
    """A book as others made it: our own resting orders taken out."""

    shape: BookShape
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


FeeSaid = tuple[VenueId, str, str, int]
"""Venue, class, occasion, and the rate in coarse steps."""


@attrs.define(eq=False)
class VenueState:
    venue: VenueId
    up: bool = False
    ever_up: bool = False
    reachable: bool = False
    """It answers requests, with or without a session."""
    reconciled: bool = True
    """False from a restart with an earlier run's books until the venue's account agrees with them."""
    ask_again_ns: int = 0
    """When the account is next asked for while its books are not confirmed."""
    mismatch: tuple[str, ...] | None = None
    strikes: int = 0
    account: AccountState | None = None
    """The last account report."""
    foreign_orders: int = 0
    skew_ms: int = 0
    deadman_until_ns: int | None = None
    """Wall time at which the venue cancels everything by itself; None without such a promise."""
    doubt: str | None = None
    """Why news of the account may be missing: nothing new is risked until an account asked for since then agrees."""
    doubted_ns: int = 0
    paused: str | None = None
    """Why it takes no new orders."""
    paused_until_ns: int = 0
    """Wall time at which it said it would take them again."""
    fuse: str | None = None
    """Why its session lets only cancels and flattening sales pass, until a restart."""
    breaker: VenueBreaker = attrs.field(factory=VenueBreaker)
    """The one that the venue itself keeps."""


@attrs.define(eq=False)
class Counters:
    inputs: int = 0
    turns: int = 0
    placed: int = 0
    amends: int = 0
    cancels: int = 0
    passed: int = 0
    resized: int = 0
    rolls: int = 0
    quoted: int = 0
    """Contracts in which a quote was ever sent."""
    quoted_settled: int = 0
    """Those of them that settled."""
    rejected: dict[str, int] = attrs.field(factory=dict)
    venue_rejects: dict[str, int] = attrs.field(factory=dict)
    trips: dict[str, int] = attrs.field(factory=dict)
    """How often each breaker acted."""
    voided: int = 0
    """Fills that were undone."""
    invariant_breaks: int = 0

    def reject(self, limit: str) -> None:
        self.rejected[limit] = self.rejected.get(limit, 0) + 1


class State:
    def __init__(self, config: EngineConfig, tuner: Tuner | None = None) -> None:
        self.config = config
        self.tuner = tuner
        self.now = Now(0, 0)
        self.digest = Digest()
        self.ids: ClientIds | None = None
        self.timers = Timers()
        self.orders = Orders(self.digest)
        self.portfolio = Accounts()
        self.attribution = Attribution()
        self.budgets = Budgets(config.budget)
        self.breakers = Breakers(config.breakers)
        self.over_cap: dict[MarketId, int] = {}
        """Net positions beyond the inventory limit that have been acted on, by size."""
        self.markets: dict[MarketId, MarketState] = {}
        self.venues: dict[VenueId, VenueState] = {}
        self.links = LinkBook(config.links)
        """Contracts of several venues on one event."""
        self.rungs = RungBook(config.links)
        """Strikes of one settlement; empty unless a strategy trades them."""
        self.fees: dict[VenueId, FeeRates] = {}
        self.learned_fees: dict[tuple[VenueId, str], dict[str, int]] = {}
        self.fees_said: dict[FeeSaid, None] = {}
        """Rates of which an alert told, the oldest first."""
        """Rates that our own fills showed to be others than told, by class of contracts and occasion."""
        self.merge_fee: dict[VenueId, int] = {}
        """What a merge cost as a fraction (1e-8) of what it paid, as our last one showed; nothing documents it."""
        self.conversions = Conversions()
        self.undelivered = Undelivered()
        self.treasury_ns = 0
        """When complete sets are looked at next."""
        self.set_notes: dict[MarketId, SideNote] = {}
        """What the treasury wants of a market's pairs, or why it is not done."""
        self.memories: dict[VenueId, Memory] = {}
        self.accounts: dict[VenueId, str] = {}
        """Whose books these are, by venue: they are carried to the next run of the same accounts."""
        self.guardian_required = False
        self.guardian_missing: str | None = "it is starting"
        """Why no guardian watches, None while one does."""
        self.left_px: dict[tuple[MarketId, Leg], Px] = {}
        """What could be had for what the last run held (perps as YES): until this one sees a price nothing was won."""
        self.books_moved = False
        """Cash, tokens or cost changed since the last checkpoint."""
        self.high_water_kept = 0
        """High-water mark as of the last checkpoint."""
        self.equity_kept = 0
        """Equity as of the last checkpoint."""
        self.recent_fills: deque[FillRow] = deque(maxlen=RECENT_FILLS)
        self.markouts = Markouts(self.recent_fills)
        self.dirty: dict[MarketId, None] = {}
        self.stirred = True
        """Something came since the last turn that was more than news of a price already known."""
        self.reminded: dict[str, None] = {}
        """Patterns of strategies that were said to select nothing."""
        self.hedges: dict[MarketId, HedgeState] = {}
        """By perp."""
        self.hedge_due: dict[MarketId, None] = {}
        """Perps whose hedge has to be looked at."""
        self.baskets = Baskets()
        self.pairs = Pairs()
        """Complete pairs and sets, held until they settle."""
        self.rebates: dict[VenueId, int] = {}
        """What our fills as maker in this run should bring later."""
        self.standings = Standings()
        """How far venues stand apart; decides nothing."""
        self.strategies: tuple[StrategyId, ...] = ()
        """Those of this engine, in the order in which they are asked."""
        self.tuned: dict[str, Tuned] = {}
        """Settings that an operator changed, by key."""
        self.paused: dict[StrategyId, str] = {}
        self.strategy_faults: dict[StrategyId, str] = {}
        """What stopped a strategy; it is not asked again until an operator says so."""
        self.strategy_strikes = 0
        """Strategy faults since the start or the last resume."""
        self.counters = Counters()
        self.out = Outbox()
        self.halt = HaltState.STARTING
        self.halt_reason = "starting"
        self.booted_ms = 0
        """When this run began, by the clock that fills are stamped with."""
        self.carried_halt: str | None = None
        self.walk: Walk | None = None
        """The way to safety that is under way."""
        self.unfinished: Walk | None = None
        """The last walk, if its deadline came while a venue was out of reach: it is taken up when that answers."""
        self.last_walk: Walk | None = None
        """The last one that ended."""
        self.sale = Sale.NONE
        self.journal_failed = False
        """Nothing can be put on record any more, so nothing but cancels may be sent, whoever asks."""
        self.high_water = 0
        self.max_drawdown = 0
        self._equity: int | None = None
        self.listing = 0
        """Another one after everything that changes which markets there are, or on which terms."""
        self.looked: object | None = None
        """What `hlomm.engine.stakes.stakes_of` keeps."""

    @property
    def unguarded(self) -> str | None:
        """Why nothing may be quoted for want of a guardian, None if one watches or none is asked for."""
        return self.guardian_missing if self.guardian_required else None

    @property
    def opened(self) -> bool:
        """An account was taken over from its venue, or from an earlier run."""
        return self.portfolio.opened

    @property
    def reconciled(self) -> bool:
        """Whether every venue that has answered agrees with the books."""
        return all(venue.reconciled for venue in self.venues.values())

    @property
    def last_move_ns(self) -> int:
        """When cash or tokens last moved anywhere by something we were told."""
        return max((memory.last_move_ns for memory in self.memories.values()), default=0)

    def memory(self, venue: VenueId) -> Memory:
        """Which fills of a venue are in the books."""
        found = self.memories.get(venue)
        if found is None:
            found = self.memories[venue] = Memory()
        return found

    def market(self, market: MarketId) -> MarketState | None:
        return self.markets.get(market)

    def withheld(self, market: MarketId, leg: Leg) -> int:
        """Tokens in the books that are not for sale: not delivered, claimed by a conversion, or part of a pair."""
        claimed = self.conversions.tokens(market, leg) + self.undelivered.tokens(market, leg)
        return claimed + self.paired(market, leg)

    def paired(self, market: MarketId, leg: Leg) -> int:
        """Tokens that belong to pairs across venues: sold, or hedged, they would leave the other leg naked."""
        if not (self.pairs.open or self.baskets.by_group):
            return 0
        return self.pairs.tokens(market, leg) + self.baskets.tokens(market, leg)

    def forget_sums(self) -> None:
        """Something may have changed of what a turn adds up once and asks for again and again."""
        self._equity = None

    def equity_of_turn(self) -> int:
        """`equity`, added up once a turn: between two inputs neither holdings nor marks change."""
        if self._equity is None:
            self._equity = self.equity()
        return self._equity

    def drawdown_limit(self) -> int:
        """The smaller of the absolute limit and the share of the high-water mark, rounded down."""
        share = self.config.breakers.drawdown_share * max(self.high_water, 0) // SCALE
        return min(self.config.limits.max_drawdown, share)

    def touch(self, market: MarketId) -> None:
        """Something about this market changed: decide again this turn."""
        self.dirty[market] = None

    def own_quotes(self, market: MarketId, direction: int) -> Mapping[int, int]:
        """Our resting quantity by YES price on one side of the book."""
        pending = self.orders.pending(market)
        return pending.bids if direction > 0 else pending.asks

    def others(self, market: MarketState) -> Others:
        book, pending = market.book, self.orders.pending(market.market.id)
        now = book.count, book.seen, pending.bids, pending.asks
        if market.others is not None and market.others[0] == now:
            return market.others[1]
        bids, asks = without_own(book.bids, pending.bids), without_own(book.asks, pending.asks)
        found = Others(shape_without_own(book.shape, bids, asks), bids, asks)
        market.others = now, found
        return found

    def free_tokens(self, market: MarketId, leg: Leg, replaced: Order | None = None) -> int:
        """Tokens that no order has claimed and that are for sale; of an order to be replaced only fills due."""
        position = self.portfolio.position(market)
        if not position.held(leg):
            return 0
        exposed = exposure(position, self.orders.pending(market), replaced)
        return available(position, exposed, leg, self.withheld(market, leg))

    def equity(self) -> int:
        """Both wallets plus tokens and perps at conservative marks.

        What was never priced counts at cost, a pair at what it pays.
        """
        perps = self.portfolio.perps
        value = self.portfolio.cash + perps.raw
        for market_id, perp in perps.positions.items():
            if perp.qty:
                value += self.perp_value(market_id)
        for market_id, position in self.portfolio.positions.items():
            if position.yes or position.no:
                value += self._value(market_id, position)
        return value

    def perp_value(self, market_id: MarketId) -> int:
        """A perp position at the venue's mark or at the touch that would close it, whichever is worse; rounded down."""
        position, market = self.portfolio.perps.position(market_id), self.markets.get(market_id)
        px = None if market is None else market.closing_px(position.qty)
        px = self.left_px.get((market_id, Leg.YES)) if px is None else px
        return position.cost if px is None else px * position.qty // SCALE

    def selling_px(self, market_id: MarketId, leg: Leg) -> Px | None:
        """What a token could be sold for when a buyer was last seen, in this run or the last."""
        market = self.markets.get(market_id)
        px = None if market is None else market.conservative_px(leg)
        return self.left_px.get((market_id, leg)) if px is None else px

    def value_of(self, market_id: MarketId) -> int:
        return self._value(market_id, self.portfolio.position(market_id))

    def _value(self, market_id: MarketId, position: Position) -> int:
        value = pairs = position.pairs
        for leg, held, cost in ((Leg.YES, position.yes, position.cost_yes), (Leg.NO, position.no, position.cost_no)):
            rest = held - pairs
            if rest:
                px = self.selling_px(market_id, leg)
                value += cost * rest // held if px is None else notional_floor(px, rest)
        return value


def leg_sides(direction: int) -> tuple[tuple[Leg, Side], tuple[Leg, Side]]:
    """(sell what is held, buy the complement-free leg) for a quote direction."""
    if direction > 0:
        return (Leg.NO, Side.SELL), (Leg.YES, Side.BUY)
    return (Leg.YES, Side.SELL), (Leg.NO, Side.BUY)
