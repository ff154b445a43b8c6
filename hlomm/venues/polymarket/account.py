"""The account as one value, as if every matched fill were delivered and every resolved market paid out.

Delivered balances alone are not what the engine's books hold: a match is told seconds before its tokens move, and a
resolved token turns into cash when somebody redeems it. Both are added here. They can change while balances are read
one by one, so the cash is read before and after the tokens, and a round in which anything was delivered, voided or
redeemed is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import attrs

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import POLYMARKET, MarketId, VenueOrderId, polymarket_market
from hlomm.domain.inputs import AccountState, Input, RestingOrder, TokenBalance
from hlomm.domain.markets import Leg
from hlomm.domain.units import Cash, Qty, complement, notional_floor
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.polymarket.account_feed import AccountFeed
from hlomm.venues.polymarket.orders import OrderMap
from hlomm.venues.polymarket.registry import Registry, Token
from hlomm.venues.polymarket.rest import PolymarketRest
from hlomm.venues.polymarket.sales import Sale, Sales
from hlomm.venues.polymarket.wire.account_rows import OrderNews, TradeNews
from hlomm.venues.polymarket.wire.info import leg_of
from hlomm.venues.venue_time import VenueTime

ATTEMPTS: Final = 4

Held = tuple[MarketId, Leg]


@attrs.define(eq=False)
class AccountReader:
    """Asks for the account over REST."""

    _rest: PolymarketRest
    _registry: Registry
    _orders: OrderMap
    _feed: AccountFeed
    _clock: Clock
    _counters: Counters
    _time: VenueTime
    _lookback_s: float
    _emit: Callable[[Sequence[Input]], None]
    _sales: Sales
    _looked_back: bool = False
    _held: dict[Held, None] | None = None
    """Tokens that were on the account when last looked at; None before that."""
    _sellable: dict[Held, int] | None = None
    """Tokens that the chain had then and that were not sold yet; None before that."""

    async def resting(self) -> tuple[RestingOrder, ...]:
        """Every open order of the key. VenueUnavailable if the list is not to be had whole."""
        return tuple([await self._resting(news) for news in await self._rest.open_orders()])

    async def _resting(self, news: OrderNews) -> RestingOrder:
        token = await self.place(news.token, news.condition, news.outcome)
        return RestingOrder(
            client_id=self._orders.client_id(news.id),
            venue_order_id=VenueOrderId(news.id),
            market=token.market,
            leg=token.leg,
            side=news.side,
            px=news.px,
            leaves=Qty(news.qty - (news.matched or 0)),
        )

    async def place(self, asset: str, condition: str, outcome: str) -> Token:
        """Market and leg of a token; asked for where nobody has told yet."""
        token = self._registry.token(asset)
        if token is not None:
            return token
        try:
            await self.learn(condition)
        except VenueUnavailable:
            leg = leg_of(outcome)
            if leg is None:
                raise
            return Token(polymarket_market(condition), leg)
        token = self._registry.token(asset)
        if token is None:
            raise VenueUnavailable(f"{condition} does not name token {asset[:20]}")
        return token

    async def learn(self, condition: str) -> None:
        """The tokens of a market and what it paid, from its own record."""
        tokens = await self._rest.tokens(condition)
        known = self._registry.learn(condition, tokens.yes, tokens.no)
        if tokens.paid is not None:
            known.paid = tokens.paid

    async def read_trades(self) -> None:
        """Tell what the list of trades has that the stream did not bring."""
        self._emit(self._feed.on_listed(await self._rest.trades_since(self._feed.ask_from_ms)))
        for trade in list(self._feed.unplaced.values()):
            await self.learn(trade.condition)
            self._emit(self._feed.on_trade(trade))

    async def look_back(self, since_ms: int) -> tuple[TradeNews, ...]:
        """Trades since then, their markets learned: tokens of theirs may still be held, listed or not."""
        trades = await self._rest.trades_since(since_ms)
        for condition in dict.fromkeys(trade.condition for trade in trades if trade.fills):
            if self._registry.listing(polymarket_market(condition)) is None:
                await self.learn(condition)
        self._looked_back = True
        return trades

    async def state(self) -> AccountState:
        """Orders first, balances second: an order that fills in between shows in both, never in neither."""
        asked_ns = self._clock.now().mono_ns
        if not self._looked_back:  # nobody runs the session: the trades tell which tokens to ask for
            self._feed.seed(await self.look_back(self._time.wall_ms() - round(self._lookback_s * 1_000)))
        orders = await self.resting()
        for _ in range(ATTEMPTS):
            deliveries = self._feed.deliveries
            cash, tokens = await self._balances()
            if self._feed.pending or self._sales.untold():
                await self.read_trades()
            if self._feed.deliveries == deliveries and await self._rest.balance(None) == cash:
                self._feed.moved.clear()
                self._note_sellable(tokens)
                sales = self._sales.untold()
                return as_matched(self._feed, self._registry, cash, tokens, orders, asked_ns, sales)
            self._counters.add("balances_read_again")
        raise VenueUnavailable(f"balances changed during each of {ATTEMPTS} readings")

    async def _balances(self) -> tuple[int, dict[Held, int]]:
        """Delivered cash and tokens: of those that were there before, and of all that moved since.

        The first time every known token is looked at.
        """
        cash = await self._rest.balance(None)
        asked = dict.fromkeys([*self._feed.moved, *self._feed.waiting()])
        if self._held is None:
            asked |= dict.fromkeys((one.market, leg) for one in self._registry.markets.values() for leg in Leg)
        else:
            asked |= self._held
        tokens: dict[Held, int] = {}
        for market, leg in asked:
            known = self._registry.known(market)
            if known is not None:
                amount = await self._rest.balance(known.token(leg))
                if amount:
                    tokens[market, leg] = amount
        self._held = dict.fromkeys(tokens)
        return cash, tokens

    def holds(self, market: MarketId) -> bool:
        """Whether anything of a market was there when last looked at, or is under way."""
        held = [*(self._held or ()), *self._feed.moved, *self._feed.waiting()]
        return any(one == market for one, _ in held)

    def sellable(self, market: MarketId, leg: Leg) -> int | None:
        """Tokens that the venue would let go, by the last reading; None before one. Bought ones come with delivery."""
        return None if self._sellable is None else max(self._sellable.get((market, leg), 0), 0)

    def _note_sellable(self, tokens: dict[Held, int]) -> None:
        """What is delivered, less what is sold already, told by the venue or not."""
        sellable = dict(tokens)
        for held, amount in self._feed.leaving().items():
            sellable[held] = sellable.get(held, 0) - amount
        for sale in self._sales.untold():
            held = (sale.market, sale.leg)
            sellable[held] = sellable.get(held, 0) - sale.qty
        self._sellable = sellable


def as_matched(
    feed: AccountFeed,
    registry: Registry,
    cash: int,
    tokens: dict[Held, int],
    orders: tuple[RestingOrder, ...],
    asked_ns: int,
    untold: Iterable[Sale] = (),
) -> AccountState:
    """Delivered balances as if every matched fill were delivered and every settled market paid.

    `untold` are sales that were answered as matched and that the venue has not listed yet.
    """
    more_cash, more_tokens = feed.undelivered()
    cash += more_cash
    totals = dict(tokens)
    for sale in untold:
        held = (sale.market, sale.leg)
        more_tokens[held] = more_tokens.get(held, 0) - sale.qty
        cash += notional_floor(sale.px, sale.qty)
    for held, amount in more_tokens.items():
        totals[held] = totals.get(held, 0) + amount
    rows: list[TokenBalance] = []
    for (market, leg), amount in totals.items():
        known = registry.known(market)
        if known is not None and known.paid is not None and known.settled:
            # The engine was told what it pays and counts it as cash already.
            cash += notional_floor(known.paid if leg is Leg.YES else complement(known.paid), amount)
        elif amount:
            rows.append(TokenBalance(market, leg, Qty(amount), Cash(0)))
    return AccountState(venue=POLYMARKET, cash=Cash(cash), tokens=tuple(rows), orders=orders, asked_mono_ns=asked_ns)
