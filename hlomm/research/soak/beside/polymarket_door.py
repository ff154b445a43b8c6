"""Polymarket: the account, its orders and what may be asked about them."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import msgspec

from hlomm.domain.ids import POLYMARKET, MarketId, VenueOrderId, polymarket_market
from hlomm.domain.inputs import AccountState, BookSnapshot, Level, RestingOrder, TokenBalance
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Side
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.research.soak.beside.door import DEPTH, Answer, Ask, Held, Over, Refused, Rests
from hlomm.research.soak.beside.polymarket_venue import KEY, LOT, MONEY, TICK, PolymarketVenue, order_row, trade_news
from hlomm.sim.pm import refusals
from hlomm.sim.pm.audit import audit
from hlomm.sim.pm.exchange import Placed
from hlomm.sim.pm.gamma_rows import market_row
from hlomm.sim.pm.orders import Kind, NewOrder
from hlomm.sim.pm.units import LOT_BASE, WHOLE
from hlomm.venues.polymarket.wire import account_rows as rows
from hlomm.venues.polymarket.wire import errors
from hlomm.venues.polymarket.wire.gamma import GammaRow
from hlomm.venues.protocol import SaleRules


@attrs.frozen
class Wish:
    """An order as it was signed: the amounts are on the venue's grids already."""

    id: str
    condition: str
    leg: Leg
    side: Side
    cash: int
    shares: int
    """Millionths."""
    kind: Kind
    post_only: bool = False


class PolymarketDoor(PolymarketVenue):
    # -- orders

    def pausing(self) -> None:
        """A restart of the matching engine: what rests stays."""

    def pause_refusal(self) -> Refused:
        return Refused(errors.RESTARTING, refusals.RESTARTING, self.pause_left_s)

    def carry_out(self, ask: Ask) -> Answer:
        wish = ask.wire
        assert isinstance(wish, Wish)
        market = self.exchange.by_condition.get(wish.condition)
        if market is None:
            return Refused(errors.NO_MARKET, refusals.NO_MARKET)
        step = wish.shares * market.tick
        steps = wish.cash * WHOLE // step if wish.side is Side.BUY else -(-wish.cash * WHOLE // step)
        new = NewOrder(
            id=wish.id, number=market.number, leg=wish.leg, side=wish.side, ticks=steps * market.tick,
            lots=wish.shares // LOT_BASE, kind=wish.kind, post_only=wish.post_only, owner=KEY,
        )  # fmt: skip
        self.ids[wish.id] = ask.request.client_id
        try:
            placed = self.exchange.submit(self.ours, new)
        except refusals.Refused as error:
            return Refused(errors.error_code(error.text), error.text)
        assert isinstance(placed, Placed), "nothing is held back here"
        if placed.rests:
            return Rests(wish.id, placed.order.lots * LOT)
        return Over(wish.id, placed.lots * LOT)

    def cancel(self, orders: Sequence[RestingOrder]) -> None:
        for order in orders:
            self.cancel_id(str(order.venue_order_id))

    def cancel_id(self, order_id: str) -> str | None:
        """The venue's words if there is nothing to cancel."""
        self.tick()
        order = self.exchange.open.get(order_id)
        if order is None:
            return refusals.NOT_CANCELABLE if self.exchange.knew(order_id) else refusals.NOT_FOUND
        self.exchange.cancel(order)
        self.flush()
        return None

    def sell(self, order: OrderRequest, signer: str) -> None:
        condition = order.market.partition(":")[2]
        shares = order.qty // LOT * LOT_BASE
        wish = Wish(
            order.client_id, condition, order.leg, order.side, order.px * (shares // LOT_BASE) // TICK, shares, Kind.FAK
        )
        self.place(Ask(order, wish, signer))

    # -- questions

    def listing(self) -> list[GammaRow]:
        """Rows of the markets that trade."""
        live = [market for market in self.exchange.markets.values() if market.accepting]
        encoded = msgspec.json.encode([market_row(market, with_event=True) for market in live])
        return msgspec.json.decode(encoded, type=list[GammaRow])

    def record(self, condition: str) -> tuple[str, str, int | None] | None:
        """Tokens of a market, and what YES pays once that is known."""
        market = self.exchange.by_condition.get(condition)
        if market is None:
            return None
        paid = None if market.yes_ticks is None else market.yes_ticks * TICK
        return (*market.spec.tokens, paid)

    def trades_since(self, start_ms: int) -> list[rows.TradeNews]:
        found: list[rows.TradeNews] = []
        for trade in reversed(self.trades):
            if trade.match_ms < start_ms:
                break
            found.append(trade_news(trade, trade.status, self.ours, self.exchange))
        return found[::-1]

    def order(self, order_id: str) -> rows.OrderNews | None:
        """An open order by its id; the venue forgets the others."""
        order = self.exchange.open.get(order_id)
        return None if order is None else order_row(self.exchange, order, "LIVE", order.matched, self.now_ms)

    def orders(self) -> list[rows.OrderNews]:
        found = self.exchange.orders_of(KEY)
        return [order_row(self.exchange, order, "LIVE", order.matched, self.now_ms) for order in found]

    def balances(self) -> tuple[int, Held]:
        """Delivered cash and tokens."""
        tokens = {
            (self._id(number), leg): holding.total * LOT
            for (number, leg), holding in self.ours.holdings.items()
            if holding.total
        }
        return self.ours.cash * MONEY, tokens

    def _id(self, number: int) -> MarketId:
        return polymarket_market(self.exchange.markets[number].spec.condition)

    def resting(self) -> tuple[RestingOrder, ...]:
        self.tick()
        return tuple(
            RestingOrder(
                client_id=self.ids.get(order.new.id), venue_order_id=VenueOrderId(order.new.id),
                market=self._id(order.new.number), leg=order.new.leg, side=order.new.side,
                px=Px(order.new.ticks * TICK), leaves=Qty(order.lots * LOT),
            )
            for order in self.exchange.orders_of(KEY)
        )  # fmt: skip

    def matched(self) -> tuple[int, Held]:
        cash, tokens = self.balances()
        for trade in self.settling.pending():
            for part in trade_news(trade, trade.status, self.ours, self.exchange).fills:
                market, leg = self._token(part.token)
                bought = 1 if part.side is Side.BUY else -1
                tokens[market, leg] = tokens.get((market, leg), 0) + bought * part.qty
                cash -= bought * part.px * part.qty // SCALE + (0 if part.maker else trade.fee * MONEY)
        for market, leg in list(tokens):
            ticks = self._market(market).yes_ticks
            if ticks is not None:
                px = (ticks if leg is Leg.YES else WHOLE - ticks) * TICK
                cash += px * tokens.pop((market, leg)) // SCALE
        return cash, {held: qty for held, qty in tokens.items() if qty}

    def at_risk(self) -> tuple[int, int]:
        held = 0
        _, tokens = self.matched()
        for (market, leg), qty in tokens.items():
            bought, cost = self._bought.get((market, leg), (0, 0))
            single = qty - tokens.get((market, Leg(1 - leg)), 0)
            if single > 0 and bought:
                held += cost * single // bought
        return held, self.ours.hold * MONEY

    def account(self) -> AccountState:
        self.tick()
        tokens = [
            TokenBalance(self._id(number), leg, Qty(holding.free * LOT), Cash(0))
            for (number, leg), holding in self.ours.holdings.items()
            if holding.free > 0 and self.exchange.markets[number].accepting
        ]
        return AccountState(
            venue=POLYMARKET, cash=Cash(self.ours.cash * MONEY), tokens=tuple(tokens), orders=self.resting(),
            asked_mono_ns=0,
        )  # fmt: skip

    def book(self, market: MarketId) -> BookSnapshot | None:
        known = self.exchange.by_condition.get(market.partition(":")[2])
        if known is None or not known.accepting:
            return None

        def side(which: Side) -> tuple[Level, ...]:
            return tuple((ticks * TICK, lots * LOT) for ticks, lots in known.depth(Leg.YES, which, DEPTH))

        return BookSnapshot(market, side(Side.BUY), side(Side.SELL), self.now_ms)

    def sale_rules(self, market: MarketId) -> SaleRules | None:
        known = self.exchange.by_condition.get(market.partition(":")[2])
        return None if known is None else SaleRules(tick=Px(known.tick * TICK), lot=Qty(LOT))

    def audit(self) -> list[str]:
        return audit(self.exchange, self.settling.pending())
