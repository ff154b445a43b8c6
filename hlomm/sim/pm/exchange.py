"""The operator's matching engine: who may place what, what matches, and what that promises.

Theory of operation. One book per market in the price of its first outcome: buying NO at p is selling YES at 1 - p. The
maker gets its own limit price, the taker all improvement. A match moves nothing yet: both sides promise (`out`) what
the trade needs, and `Settling` delivers or drops the promises later. Everything is told to the tape, in order.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Final

import attrs

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.sim.config import PolymarketConfig
from hlomm.sim.pm import refusals
from hlomm.sim.pm.events import Change, Event, OrderChanged, Printed
from hlomm.sim.pm.market import Market
from hlomm.sim.pm.matching import Matcher
from hlomm.sim.pm.orders import Kind, NewOrder, Order, Trade
from hlomm.sim.pm.refusals import Refused
from hlomm.sim.pm.units import CASH, WHOLE, fee_bound, price_text, size_text
from hlomm.sim.pm.wallets import Bank, Wallet

GTD_EARLY_S: Final = 60
"""A GTD order ends that much before it says."""
LIVE: Final = "LIVE"
MATCHED: Final = "MATCHED"
CANCELED: Final = "CANCELED"


@attrs.define
class Tape:
    """Virtual time and what happened in the present step."""

    now_ns: int = 0
    events: list[Event] = attrs.field(factory=list)
    touched: dict[int, None] = attrs.field(factory=dict)
    """Markets whose books changed."""

    @property
    def now_ms(self) -> int:
        return self.now_ns // NS_PER_MS

    def drain(self) -> tuple[list[Event], list[int]]:
        events, touched = self.events, list(self.touched)
        self.events, self.touched = [], {}
        return events, touched


@attrs.frozen(kw_only=True)
class Placed:
    """What became of an accepted order: lots and cash matched at once, in which trades, and whether the rest rests."""

    order: Order
    lots: int
    cash: int
    trades: tuple[Trade, ...]
    rests: bool


@attrs.frozen
class Held:
    """A marketable order that waits out the taker delay; its funds are reserved and it cannot be cancelled."""

    wallet: Wallet
    new: NewOrder
    cash: int


class Exchange:
    """All markets of one venue."""

    def __init__(self, config: PolymarketConfig, seed: int) -> None:
        self.config = config
        self.tape = Tape()
        self.bank = Bank()
        self.markets: dict[int, Market] = {}
        self.by_condition: dict[str, Market] = {}
        self.by_token: dict[str, tuple[Market, Leg]] = {}
        self.open: dict[str, Order] = {}
        self.held: dict[str, Held] = {}
        self.matcher = Matcher(self.tape, seed)
        self.forgotten_ids = 0
        self._seen: dict[str, None] = {}
        self._expiries: list[tuple[int, str]] = []
        self._oids = 0

    # -- markets

    def list_market(self, market: Market) -> None:
        self.markets[market.number] = market
        self.by_condition[market.spec.condition] = market
        for leg, token in enumerate(market.spec.tokens):
            self.by_token[token] = (market, Leg(leg))

    def delist(self, market: Market) -> None:
        """Forget a market that is resolved and paid out."""
        assert market.redeemed, "nobody may lose tokens"
        del self.markets[market.number]
        del self.by_condition[market.spec.condition]
        for token in market.spec.tokens:
            del self.by_token[token]

    # -- orders

    def submit(self, wallet: Wallet, new: NewOrder) -> Placed | Held:
        """Place an order, or hold it if it would match in a market with a delay; Refused with the venue's text."""
        market = self._admit(wallet, new)
        if market.delayed and not wallet.background and self._crosses(market, new):
            return self._hold(wallet, new, market)
        return self._execute(wallet, new, market)

    def resume(self, held: Held) -> Placed:
        """Match an order whose delay is over, after checking it again."""
        self._unhold(held)
        self._seen.pop(held.new.id, None)
        market = self._check(held.wallet, held.new)
        return self._execute(held.wallet, held.new, market)

    def cancel(self, order: Order, status: str = CANCELED) -> None:
        market = self.markets[order.new.number]
        market.book.remove(order)
        self._touch(market, order)
        del self.open[order.new.id]
        self._release(order, order.lots)
        self.tell(order, Change.CANCELLATION, status)

    def cancel_all(self, orders: Iterable[Order], status: str = CANCELED) -> list[str]:
        """Cancel orders and return their ids."""
        chosen = list(orders)
        for order in chosen:
            self.cancel(order, status)
        return [order.new.id for order in chosen]

    def knew(self, order_id: str) -> bool:
        """Whether an order of that id was ever accepted, as far as remembered."""
        return order_id in self._seen

    def orders_of(self, owner: str) -> list[Order]:
        """Open orders of one API key, oldest first."""
        return [order for order in self.open.values() if order.new.owner == owner]

    def expire(self) -> None:
        """Drop GTD orders whose time is up, a minute early as the venue does."""
        while self._expiries and self._expiries[0][0] <= self.tape.now_ns:
            order = self.open.get(heapq.heappop(self._expiries)[1])
            if order is not None:
                self.cancel(order, "CANCELED_EXPIRED_ORDER")

    def tell(self, order: Order, change: Change, status: str) -> None:
        """Report an order as it stands."""
        if not order.wallet.background:
            event = OrderChanged(
                order=order,
                change=change,
                status=status,
                matched=order.matched,
                trades=tuple(order.trades),
                time_ms=self.tape.now_ms,
            )
            self.tape.events.append(event)

    # -- checks

    def _admit(self, wallet: Wallet, new: NewOrder) -> Market:
        if new.id in self._seen:
            raise Refused(refusals.duplicated(new.id))
        return self._check(wallet, new)

    def _check(self, wallet: Wallet, new: NewOrder) -> Market:
        """Everything about an order that may change between its arrival and the end of its delay."""
        market = self.markets[new.number]
        if not market.accepting:
            raise Refused(refusals.NOT_READY)
        if not market.tick <= new.ticks <= WHOLE - market.tick or new.ticks % market.tick:
            raise Refused(refusals.breaks_tick(new.id, price_text(new.ticks), price_text(market.tick)))
        crosses = self._crosses(market, new)
        self._check_size(market, new, crosses=crosses)
        if new.kind is Kind.GTD and new.expiration_s * NS_PER_S <= self.tape.now_ns + GTD_EARLY_S * NS_PER_S:
            raise Refused(refusals.EXPIRATION)
        if new.post_only and crosses:
            raise Refused(refusals.POST_ONLY_CROSSES)
        if crosses and self.config.self_match == "refuse" and self.matcher.meets_itself(market, wallet, new):
            raise Refused(refusals.SELF_MATCH)
        if new.side is Side.BUY:
            affordable = wallet.free >= self._need(market, new, crosses=crosses)
        else:
            affordable = wallet.free_lots(market.number, new.leg) >= new.lots
        if not affordable:
            raise Refused(refusals.BALANCE)
        return market

    def _check_size(self, market: Market, new: NewOrder, *, crosses: bool) -> None:
        """The minimum in shares, and one pUSD for a buy that takes (the only minimum of a buy by cash)."""
        cost = new.lots * new.ticks if new.spend is None else new.spend
        takes = new.side is Side.BUY and (crosses or not new.kind.rests)
        if takes and cost < CASH:
            raise Refused(refusals.MARKETABLE_MINIMUM.format(f"${price_text(cost // 100)}"))
        if new.kind.rests and new.lots < market.min_lots:
            raise Refused(refusals.too_small(new.id, size_text(new.lots), size_text(market.min_lots)))

    def _need(self, market: Market, new: NewOrder, *, crosses: bool) -> int:
        """Cash a buy must find free: its cost, and the fee on top if it takes.

        The fee counts at the limit: cost and fee together only fall as the price gets better.
        """
        cost = new.lots * new.ticks if new.spend is None else new.spend
        fee = fee_bound(new.lots, new.ticks, market.fee_rate, market.fee_exponent) if crosses else 0
        if crosses and new.by_cash:
            # A better price buys more shares: the fee on one unit of cash is rate * (1 - p), always below the rate.
            fee = -(-cost * market.fee_rate // 10**8)
        return cost + fee

    def _crosses(self, market: Market, new: NewOrder) -> bool:
        flips = new.leg is Leg.NO
        return market.book.crosses(Side(-new.side) if flips else new.side, WHOLE - new.ticks if flips else new.ticks)

    # -- what an order does

    def _execute(self, wallet: Wallet, new: NewOrder, market: Market) -> Placed:
        self._oids += 1
        order = Order.accept(new, wallet, self._oids, self.tape.now_ms)
        self._kill_unfillable(market, order)
        self._remember(new.id)
        if new.kind.rests:
            self.tell(order, Change.PLACEMENT, LIVE)
        trades = self.matcher.match(market, order)
        for trade in trades:
            self._tell_trade(market, trade)
        rests = new.kind.rests and order.lots > 0
        if rests:
            self._rest(market, order)
        elif order.lots and not new.by_cash:
            self.tell(order, Change.CANCELLATION, CANCELED)
        return Placed(
            order=order, lots=order.matched, cash=sum(trade.cash for trade in trades), trades=tuple(trades), rests=rests
        )

    def _kill_unfillable(self, market: Market, order: Order) -> None:
        """Refuse a FOK that cannot fill and a FAK that meets nobody; the user stream tells of it as well."""
        if order.new.kind is Kind.FOK and not self.matcher.fills(market, order):
            text = refusals.FOK_KILLED
        elif order.new.kind is Kind.FAK and not market.book.crosses(order.book_side, order.book_ticks):
            text = refusals.FAK_KILLED
        else:
            return
        self.tell(order, Change.CANCELLATION, f"CANCELED_{text}")
        raise Refused(text)

    def _tell_trade(self, market: Market, trade: Trade) -> None:
        self.tape.touched[market.number] = None
        for fill in trade.makers:
            maker = fill.order
            if not maker.lots:
                del self.open[maker.new.id]
            self.tell(maker, Change.UPDATE, LIVE if maker.lots else MATCHED)
        taker = trade.taker
        self.tell(taker, Change.UPDATE, MATCHED if not taker.lots or not taker.new.kind.rests else LIVE)
        self.tape.events.append(Printed(trade))

    def _rest(self, market: Market, order: Order) -> None:
        if order.new.side is Side.BUY:
            order.wallet.hold += order.lots * order.new.ticks
        else:
            order.wallet.holding(market.number, order.new.leg).hold += order.lots
        market.book.add(order)
        self._touch(market, order)
        self.open[order.new.id] = order
        if order.new.kind is Kind.GTD:
            heapq.heappush(self._expiries, ((order.new.expiration_s - GTD_EARLY_S) * NS_PER_S, order.new.id))

    def _release(self, order: Order, lots: int) -> None:
        if order.new.side is Side.BUY:
            order.wallet.hold -= lots * order.new.ticks
        else:
            order.wallet.holding(order.new.number, order.new.leg).hold -= lots

    def _touch(self, market: Market, order: Order) -> None:
        market.touch(order)
        self.tape.touched[market.number] = None

    # -- the taker delay

    def _hold(self, wallet: Wallet, new: NewOrder, market: Market) -> Held:
        self._remember(new.id)
        cash = 0
        if new.side is Side.BUY:
            cash = self._need(market, new, crosses=True)
            wallet.hold += cash
        else:
            wallet.holding(market.number, new.leg).hold += new.lots
        held = self.held[new.id] = Held(wallet, new, cash)
        return held

    def _unhold(self, held: Held) -> None:
        del self.held[held.new.id]
        if held.new.side is Side.BUY:
            held.wallet.hold -= held.cash
        else:
            held.wallet.holding(held.new.number, held.new.leg).hold -= held.new.lots

    def _remember(self, order_id: str) -> None:
        self._seen[order_id] = None
        if len(self._seen) > self.config.order_ids:
            del self._seen[next(iter(self._seen))]
            self.forgotten_ids += 1
