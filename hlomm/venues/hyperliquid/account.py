"""The account as one value: open orders and balances asked for together (venue sheet sections 2 and 7.9)."""

from __future__ import annotations

import attrs

from hlomm.domain.ids import HYPERLIQUID, is_ours
from hlomm.domain.inputs import AccountState, RestingOrder
from hlomm.domain.units import Cash
from hlomm.venues.clock import Clock
from hlomm.venues.hyperliquid.gateway import Gateway
from hlomm.venues.hyperliquid.registry import Registry
from hlomm.venues.hyperliquid.rest import HyperliquidRest
from hlomm.venues.hyperliquid.wire.account import Balances


@attrs.frozen
class AccountReader:
    """Asks for the account over REST."""

    _rest: HyperliquidRest
    _registry: Registry
    _gateway: Gateway
    _clock: Clock

    def owns(self, client_id: str | None) -> bool:
        """Whether an order is this program's (any boot), or was placed by this very session."""
        return is_ours(client_id) or self._gateway.was_placed(client_id)

    async def resting(self) -> tuple[RestingOrder, ...]:
        """Every open order; foreign ones without client id. VenueUnavailable if the list is not to be had whole."""
        return tuple(self._known(order) for order in await self._rest.open_orders())

    async def state(self) -> AccountState:
        """Orders first, balances second: an order that fills in between shows in both, never in neither."""
        asked_ns = self._clock.now().mono_ns
        orders = await self.resting()
        balances = await self._rest.balances()
        perps = await self._rest.perp_account()
        return AccountState(
            venue=HYPERLIQUID,
            cash=self._cash(balances),
            tokens=balances.tokens,
            orders=orders,
            asked_mono_ns=asked_ns,
            perps=perps.positions,
            perp_cash=perps.raw,
        )

    def _cash(self, balances: Balances) -> Cash:
        """Total of the collateral our outcomes use, what open buys hold included.

        Before any outcome list was read the collateral is unknown: then the largest balance stands in.
        """
        quote = self._registry.quote_token
        if quote is not None:
            return balances.cash.get(quote, Cash(0))
        return max(balances.cash.values(), default=Cash(0))

    def _known(self, order: RestingOrder) -> RestingOrder:
        if order.client_id is None or self.owns(order.client_id):
            return order
        return RestingOrder(
            client_id=None,
            venue_order_id=order.venue_order_id,
            market=order.market,
            leg=order.leg,
            side=order.side,
            px=order.px,
            leaves=order.leaves,
        )
