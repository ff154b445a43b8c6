"""Requests that must work when nothing else does: what a sweep needs, over REST alone (venue sheet section 4).

They share nothing with the stream but the signer's nonces, open connections of their own when no session runs, and
raise VenueUnavailable rather than guess.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import BookSnapshot, RestingOrder
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Tif
from hlomm.venues.counters import Counters
from hlomm.venues.hyperliquid.batches import Encoder
from hlomm.venues.hyperliquid.limits import BATCH_MAX
from hlomm.venues.hyperliquid.registry import Registry
from hlomm.venues.hyperliquid.rest import HyperliquidRest, TurnedAway
from hlomm.venues.hyperliquid.wire import actions
from hlomm.venues.hyperliquid.wire.coins import coin_of, outcome_number
from hlomm.venues.hyperliquid.wire.errors import EXPIRED, GONE, UNKNOWN, error_code
from hlomm.venues.hyperliquid.wire.replies import Accepted, ActionRefused, Done, Filled, Refused, Rested, Status, expand
from hlomm.venues.venue_time import VenueTime


@attrs.frozen
class DirectRequests:
    """One account's requests outside the engine's way."""

    _rest: HyperliquidRest
    _encoder: Encoder
    _registry: Registry
    _time: VenueTime
    _counters: Counters

    async def book(self, market: MarketId) -> BookSnapshot | None:
        return await self._rest.l2_book(coin_of(market, Leg.YES))

    async def cancel(self, orders: Sequence[RestingOrder]) -> int:
        """Cancel by venue order id; how many are gone by the venue's word, those already gone included."""
        await self._know_assets([order.market for order in orders])
        targets = [(self._registry.asset_id(order.market, order.leg), order.venue_order_id) for order in orders]
        known = [(asset, oid) for asset, oid in targets if asset is not None]
        self._counters.add("cancels_without_asset", len(targets) - len(known))
        gone = 0
        for start in range(0, len(known), BATCH_MAX):
            rows = known[start : start + BATCH_MAX]
            statuses = await self._act(actions.cancel_by_venue_id(rows), len(rows))
            gone += sum(_is_gone(status) for status in statuses)
        return gone

    async def place(self, orders: Sequence[OrderRequest]) -> list[str]:
        """Place and wait; one word per order, in their order: `filled`, `resting`, or our word for the refusal."""
        await self._know_assets([order.market for order in orders])
        words = ["no_such_market"] * len(orders)
        for tif in Tif:  # a mixed batch would lose its post-only orders their place
            rows = [(place, order) for place, order in enumerate(orders) if order.tif is tif]
            assets = [(place, self._registry.asset_id(order.market, order.leg), order) for place, order in rows]
            known = [(place, asset, order) for place, asset, order in assets if asset is not None]
            for start in range(0, len(known), BATCH_MAX):
                part = known[start : start + BATCH_MAX]
                perps = frozenset(asset for _, asset, _ in part if self._registry.is_perp_asset(asset))
                action = actions.place([(asset, order) for _, asset, order in part], perp=perps)
                for (place, _, _), status in zip(part, await self._act(action, len(part)), strict=True):
                    words[place] = _word(status)
        return words

    async def check_signer(self) -> str | None:
        """Post a signed no-op; the text of a refusal, None if it was accepted."""
        reply = await self._post(actions.noop(), 1)
        return None if isinstance(reply, Accepted) else reply.text

    async def schedule_cancel(self, time_ms: int | None) -> str | None:
        """Post a wish to have everything cancelled at that venue time (None: no wish); the text of a refusal."""
        reply = await self._post(actions.schedule_cancel(time_ms), 1)
        return None if isinstance(reply, Accepted) else reply.text

    async def _act(self, action: actions.Action, size: int) -> tuple[Status, ...]:
        """One status per order. VenueUnavailable if the answer is missing or does not fit."""
        reply = await self._post(action, size)
        if not isinstance(reply, Accepted):
            return (Refused(reply.text),) * size
        statuses = expand(reply.statuses, size)
        if statuses is None:
            raise VenueUnavailable(f"{len(reply.statuses)} results for {size} requests")
        return statuses

    async def _post(self, action: actions.Action, size: int) -> Accepted | Refused:
        reply = await self._exchange(action, size)
        if isinstance(reply, ActionRefused) and error_code(reply.text) == EXPIRED:
            self._counters.add("expired_by_a_wrong_clock")
            await self._learn_the_time()
            reply = await self._exchange(action, size)
        if isinstance(reply, Accepted):
            return reply
        if isinstance(reply, TurnedAway):
            self._counters.add("turned_away")
        return Refused(reply.text)

    async def _exchange(self, action: actions.Action, size: int) -> Accepted | ActionRefused | TurnedAway:
        body, _ = self._encoder.sign(action, self._time.wall_ms())
        return await self._rest.exchange(body, size)

    async def _learn_the_time(self) -> None:
        """Compare clocks; without an answer the action is tried all the same."""
        try:
            self._time.ahead_ms = await self._rest.server_time() - self._time.clock.wall_ms()
        except VenueUnavailable:
            self._counters.add("clock_questions_failed")

    async def _know_assets(self, markets: Sequence[MarketId]) -> None:
        """Asset ids of perps come from a list; outcomes carry theirs in their name."""
        await trio.lowlevel.checkpoint()
        if not self._registry.perp_assets and any(outcome_number(market) is None for market in markets):
            self._registry.apply_perps(await self._rest.perp_meta())


def _is_gone(status: Status) -> bool:
    return isinstance(status, Done) or (isinstance(status, Refused) and error_code(status.text) in GONE)


def _word(status: Status) -> str:
    match status:
        case Filled():
            return "filled"
        case Rested():
            return "resting"
        case Refused():
            code = error_code(status.text)
            return status.text if code == UNKNOWN else code
        case _:
            return "senseless_answer"
