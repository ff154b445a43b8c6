"""The account as one value: open orders, positions and cash that belong together (venue sheet sections 6 and 7).

Reads lag behind the matching engine. So the account is only read once reads contain everything we did, and cash is
held against our own count: what the balance is made of while orders rest is not documented, nor how the venue nets the
collateral of opposite quotes. While nothing rests the balance counts to the last unit. While something does, our count
stands as long as the balance lies between nothing locked and everything locked; outside of that the balance stands.
"""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.domain.ids import KALSHI, ClientId, VenueOrderId, is_ours, kalshi_market
from hlomm.domain.inputs import AccountState, RestingOrder, TokenBalance
from hlomm.domain.markets import Leg
from hlomm.domain.units import SCALE, Cash, Qty, notional_ceil
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.kalshi.account_feed import AccountFeed
from hlomm.venues.kalshi.config import BalanceHolds, KalshiConfig
from hlomm.venues.kalshi.lookup import Lookup, ReadsLag
from hlomm.venues.kalshi.purse import Purse
from hlomm.venues.kalshi.registry import Registry
from hlomm.venues.kalshi.rest import KalshiRest
from hlomm.venues.kalshi.tracks import Tracks
from hlomm.venues.kalshi.wire.account import RESTING, OrderRow, PositionRow
from hlomm.venues.kalshi.wire.sides import BookSide, from_wire

UNPAID_MS: Final = 120_000
"""A settlement that the balance does not show after that long is missing."""
FEE_RATE: Final = 7_000_000
"""Most that a fee can lock on top, per unit of P(1-P), in 1e-8."""


@attrs.frozen
class Reading:
    """What the requests returned, before it is held against our own count."""

    orders: tuple[OrderRow, ...]
    positions: tuple[PositionRow, ...]
    balance: Cash
    asked_mono_ns: int
    as_of_ms: int


@attrs.frozen
class AccountBooks:
    """What was read, held against our own count. Pure."""

    _config: KalshiConfig
    _registry: Registry
    _tracks: Tracks
    _purse: Purse
    _feed: AccountFeed
    _counters: Counters

    def state(self, reading: Reading) -> AccountState:
        """The account as matched: settled markets are cash, whether they were paid out yet or not."""
        tokens = [
            TokenBalance(kalshi_market(row.ticker), Leg.YES if row.qty > 0 else Leg.NO, Qty(abs(row.qty)), row.cost)
            for row in reading.positions
            if row.qty and row.ticker not in self._registry.over
        ]
        return AccountState(
            venue=KALSHI,
            cash=self.cash(reading),
            tokens=tuple(tokens),
            orders=tuple(self.order(row) for row in reading.orders),
            asked_mono_ns=reading.asked_mono_ns,
        )

    def order(self, row: OrderRow) -> RestingOrder:
        """An open order in our words; a foreign one without client id, seen from YES."""
        track = self._tracks.of_order(row.order_id) or self._tracks.of(row.client_id)
        if track is None and is_ours(row.client_id):
            track = self._tracks.adopt(row, self._config.shard if row.shard is None else row.shard)
        leg = Leg.YES if track is None else track.leg
        side, px = from_wire(row.side, row.px, leg)
        venue_id = None if track is None else track.venue_id
        return RestingOrder(
            client_id=None if track is None else ClientId(track.client_id),
            venue_order_id=VenueOrderId(row.order_id) if venue_id is None else venue_id,
            market=kalshi_market(row.ticker),
            leg=leg,
            side=side,
            px=px,
            leaves=row.leaves,
        )

    # -- cash

    def cash(self, reading: Reading) -> Cash:
        orders = [row for row in reading.orders if row.shard in (None, self._config.shard)]
        locked = sum(collateral(row) for row in orders)
        if self._config.balance_holds is BalanceHolds.FREE and self._purse.cash is None:
            return Cash(reading.balance + locked)
        ours = self._purse.cash
        if ours is None:
            return reading.balance
        unpaid = self._unpaid(reading.as_of_ms)
        most = 0 if self._config.balance_holds is BalanceHolds.TOTAL else locked
        gap = ours - reading.balance
        if 0 <= gap <= most + unpaid:
            self._counters.add("cash_exact" if gap == 0 else "cash_within_collateral")
            return Cash(ours)
        self._counters.add("cash_differs")
        return reading.balance

    def _unpaid(self, as_of_ms: int) -> int:
        for ticker, (_, at_ms) in list(self._purse.unpaid.items()):
            if as_of_ms - at_ms > UNPAID_MS:
                del self._purse.unpaid[ticker]
        return sum(pays for pays, _ in self._purse.unpaid.values())

    def trust(self, reading: Reading) -> None:
        """Take the venue's positions over where nothing has happened that the reading may lack.

        Cash only while nothing rests: then the balance is all of it, whatever it holds otherwise.
        """
        if self._feed.activity_ms > reading.as_of_ms:
            return
        held = {row.ticker: row.qty for row in reading.positions if row.qty and row.ticker not in self._registry.over}
        if held != {ticker: qty for ticker, qty in self._purse.positions.items() if qty}:
            self._counters.add("positions_taken_over")
            self._purse.positions = held
        if not reading.orders:
            if self._purse.cash is not None and reading.balance == self._purse.cash:
                self._purse.unpaid.clear()
            elif self._purse.cash is None or not self._purse.unpaid:
                self._purse.cash = reading.balance
        elif self._purse.cash is None:
            self._purse.cash = self.cash(reading)


@attrs.frozen
class AccountReader(AccountBooks):
    """Asks for the account over REST."""

    _rest: KalshiRest
    _lookup: Lookup
    _clock: Clock

    async def resting(self) -> tuple[OrderRow, ...]:
        """Every open order on every shard, as of now.

        Whoever asks may know nothing of what was sent, so the list has to be younger than the question. If it does not
        get younger, an old one is better than none.
        """
        await self.catch_up()
        return await self._listed()

    async def catch_up(self) -> None:
        """Wait, for a while, until reads contain everything up to now."""
        try:
            await self._lookup.complete_now()
        except ReadsLag:
            self._counters.add("reads_late")

    async def _listed(self) -> tuple[OrderRow, ...]:
        return tuple(await self._rest.list_orders(status=RESTING))

    async def read(self) -> Reading:
        """Orders first, balances last: what fills in between shows in both, never in neither."""
        asked_ns = self._clock.now().mono_ns
        as_of = await self._lookup.complete_since(self._feed.activity_ms)
        orders = await self._listed()
        positions = [row for row in await self._rest.positions() if row.shard in (None, self._config.shard)]
        balance = await self._rest.balance()
        cash = balance.shards.get(self._config.shard)
        if cash is None:
            # Without a breakdown the total is all there is; with one, a missing shard was never funded.
            cash = Cash(0) if balance.shards else balance.total
        return Reading(orders, tuple(positions), cash, asked_ns, as_of)


def collateral(row: OrderRow) -> int:
    """Most that an order can lock, fee included, if nothing is held that it would close."""
    px = row.px if row.side is BookSide.BID else SCALE - row.px
    fee = -(-FEE_RATE * row.px * (SCALE - row.px) * row.leaves // SCALE**3)
    return notional_ceil(px, row.leaves) + fee + SCALE // 100
