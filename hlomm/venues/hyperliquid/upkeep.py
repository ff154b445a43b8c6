"""What a session does by the clock: reconcile, budgets, clock skew, market list, questions about orders.

Every method is one round that ends within request deadlines and raises VenueUnavailable if the venue does not answer;
the loops around them belong to the session's nurseries. Inputs go out through `emit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import HYPERLIQUID, ClientId, MarketId, is_outcome
from hlomm.domain.inputs import (
    AccountState,
    ClockSkew,
    FundingPaid,
    Input,
    MarketListed,
    OrderAnswer,
    RateBudget,
)
from hlomm.domain.markets import Leg
from hlomm.domain.units import Qty
from hlomm.venues.asking import Asking
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.hyperliquid.account import AccountReader
from hlomm.venues.hyperliquid.account_feed import AccountFeed
from hlomm.venues.hyperliquid.config import HyperliquidConfig
from hlomm.venues.hyperliquid.fees import outcome_fees
from hlomm.venues.hyperliquid.gateway import Gateway
from hlomm.venues.hyperliquid.registry import Registry
from hlomm.venues.hyperliquid.rest import HyperliquidRest
from hlomm.venues.hyperliquid.roll import MarketRoll
from hlomm.venues.hyperliquid.streams import Streams
from hlomm.venues.hyperliquid.wire.account import OrderReport
from hlomm.venues.hyperliquid.wire.coins import coin_of
from hlomm.venues.hyperliquid.wire.fills import FillRows
from hlomm.venues.hyperliquid.wire.statuses import UNKNOWN_OID, Standing, standing
from hlomm.venues.venue_time import VenueTime

Emit = Callable[[Sequence[Input]], None]

QUESTION_ATTEMPTS: Final = 4
LOOKUP_LAG_S: Final = 1.5
"""Just after a fill a client id may be unknown to the lookup for up to about a second (sheet 4.1)."""


@attrs.define(eq=False)
class Upkeep:
    """Rounds of periodic work, and the memory they need."""

    _config: HyperliquidConfig
    _clock: Clock
    _counters: Counters
    _rest: HyperliquidRest
    _registry: Registry
    _streams: Streams
    _gateway: Gateway
    _account: AccountReader
    _account_feed: AccountFeed
    _time: VenueTime
    _roll: MarketRoll
    _emit: Emit
    last_state: AccountState | None = None
    _nursery: trio.Nursery | None = None
    asking: Asking = attrs.field(init=False)
    _measuring: bool = False

    @asking.default
    def _what_is_asked(self) -> Asking:
        return Asking(self._clock, self._counters, self._look_up, self.reconcile, QUESTION_ATTEMPTS, LOOKUP_LAG_S)

    def attach(self, nursery: trio.Nursery) -> None:
        """Let settlements and questions live in `nursery` from now on."""
        self._nursery = nursery
        self.asking.attach(nursery)
        self._roll.attach(nursery)

    def detach(self) -> None:
        self._nursery = None
        self._roll.detach()
        self.asking.detach()
        self._measuring = False

    # -- rounds

    async def measure_skew(self) -> int:
        """Compare clocks; returns the venue's time in unix milliseconds as of now."""
        before_ms = self._clock.wall_ms()
        venue_ms = await self._rest.server_time()
        after_ms = self._clock.wall_ms()
        # The answer was made somewhere in between: half the round trip is the best guess of when.
        self._time.ahead_ms = venue_ms - (before_ms + after_ms) // 2
        self._emit([ClockSkew(HYPERLIQUID, self._time.ahead_ms)])
        return self._time.wall_ms()

    def measure_soon(self) -> None:
        """An action was refused as expired: our idea of the venue's time is wrong. One measurement at a time."""
        if self._nursery is not None and not self._measuring:
            self._measuring = True
            self._nursery.start_soon(self._measure_again)

    async def _measure_again(self) -> None:
        await trio.lowlevel.checkpoint()
        try:
            await self.measure_skew()
        except VenueUnavailable:
            self._counters.add("clock_questions_failed")
        finally:
            self._measuring = False

    async def reconcile(self) -> None:
        """The account, preceded by fills that the stream did not bring and by funding.

        Asked for in this order, the fills and payments told include every one that the balances contain.
        """
        state = await self._account.state()
        fills = await self._rest.fills_since(self._account_feed.ask_from_ms)
        funding: tuple[FundingPaid, ...] = ()
        if self._may_be_funded(state, fills):
            funding = await self._rest.funding_since(self._account_feed.fund_from_ms)
        self.last_state = state
        news = [*self._account_feed.on_listed_fills(fills), *self._account_feed.on_funding(funding)]
        self._emit([*news, state])

    def _may_be_funded(self, state: AccountState, fills: FillRows) -> bool:
        """Whether a perp was held since the last round. The first round looks back to where the books end."""
        last = self.last_state
        held = last is None or last.perps or state.perps or any(not is_outcome(fill.market) for fill in fills.fills)
        return bool(held)

    async def read_budget(self) -> None:
        limit = await self._rest.rate_limit()
        self._gateway.budget.told(limit.used, limit.cap)
        self._emit([RateBudget(HYPERLIQUID, limit.used, limit.cap)])

    async def read_fees(self) -> None:
        self._emit([outcome_fees(await self._rest.user_fees())])

    async def read_perps(self) -> None:
        self._emit([MarketListed(market) for market in self._registry.apply_perps(await self._rest.perp_meta())])

    async def read_outcomes(self) -> None:
        """Take the outcome list in: new markets are listed, vanished ones are settled."""
        self._roll.take(self._registry.apply_outcomes(await self._rest.outcome_meta()), "no longer listed")

    async def read_books(self) -> None:
        """Books over REST of the followed markets where something is at stake."""
        await trio.lowlevel.checkpoint()
        for market in self._exposed():
            book = await self._rest.l2_book(coin_of(market, Leg.YES))
            if book is not None:
                self._emit([book])

    def _exposed(self) -> list[MarketId]:
        """Followed markets with tokens, a position or resting orders, as of the last account state."""
        if self.last_state is None:
            return []
        state = self.last_state
        held = {row.market for row in state.tokens} | {row.market for row in state.perps}
        held |= {order.market for order in state.orders}
        return [market for market in self._streams.wanted if market in held]

    # -- questions about one order

    async def _look_up(self, client_id: ClientId) -> bool:
        """Look an order up. "Unknown" is believed only once the order can no longer arrive, and when said twice."""
        for attempt in range(QUESTION_ATTEMPTS):
            try:
                status = await self._rest.order_status(client_id)
                rests = status.report is not None and await self._rests(status.report)
            except VenueUnavailable:
                self._counters.add("questions_failed")
                await self._clock.sleep(LOOKUP_LAG_S)
                continue
            if status.report is not None:
                self._emit([_found(client_id, status.report, rests=rests)])
                return True
            still_s = (self._gateway.may_arrive_until_ms(client_id) - self._time.wall_ms()) / 1_000
            if attempt and still_s <= 0:
                self._emit([_unknown(client_id)])
                return True
            await self._clock.sleep(max(still_s, 0) + LOOKUP_LAG_S)
        return False

    async def _rests(self, report: OrderReport) -> bool:
        """Whether an order rests. Where its status is a word that is new, the list of open orders tells."""
        await trio.lowlevel.checkpoint()
        stands = standing(report.status)
        if stands not in (Standing.UNKNOWN, Standing.TRIGGERED):
            return stands is Standing.RESTS
        self._counters.add("unknown_order_status")
        return any(one.venue_order_id == report.venue_order_id for one in await self._rest.open_orders())


def _found(client_id: ClientId, report: OrderReport, *, rests: bool) -> OrderAnswer:
    return OrderAnswer(
        client_id=client_id,
        found=True,
        open=rests,
        status=report.status,
        venue_order_id=report.venue_order_id,
        leaves=report.leaves if rests else Qty(0),
        filled=report.filled,
        px=report.px,
    )


def _unknown(client_id: ClientId) -> OrderAnswer:
    return OrderAnswer(
        client_id=client_id,
        found=False,
        open=False,
        status=UNKNOWN_OID,
        venue_order_id=None,
        leaves=Qty(0),
        filled=Qty(0),
    )
