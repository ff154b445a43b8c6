"""Cancelling one order: always with its shard and market, and a cancel that finds nothing proves nothing.

Without routing a cancel goes to shard 0 and is answered with 404 while the order lives; the same 404 says that it has
filled. So a 404 is followed by a look at the order itself, in a read that is young enough.
"""

from __future__ import annotations

import attrs
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.inputs import CancelFailed, Input, OrderClosed, SendLost, SendRefused, SentAction
from hlomm.domain.orders import CancelRequest
from hlomm.venues.counters import Counters
from hlomm.venues.http_client import NotSent
from hlomm.venues.kalshi.account_feed import AccountFeed
from hlomm.venues.kalshi.lookup import Lookup
from hlomm.venues.kalshi.registry import Registry
from hlomm.venues.kalshi.rest import KalshiRest
from hlomm.venues.kalshi.tracks import Track, Tracks
from hlomm.venues.kalshi.wire.account import RESTING as RESTS
from hlomm.venues.kalshi.wire.errors import Fate, Refusal
from hlomm.venues.kalshi.wire.orders import Answer
from hlomm.venues.venue_time import VenueTime


@attrs.frozen
class Cancels:
    """Carries out cancels; requests about one order follow one another."""

    _time: VenueTime
    _counters: Counters
    _rest: KalshiRest
    _registry: Registry
    _tracks: Tracks
    _feed: AccountFeed
    _lookup: Lookup

    async def cancel(self, cancel: CancelRequest) -> list[Input]:
        """What became of a cancel."""
        await trio.lowlevel.checkpoint()
        track = self._tracks.of(cancel.client_id)
        if track is None:
            return await self._cancel_unknown(cancel)
        track.cancelling = True
        async with track.busy:
            if track.order_id is None:
                try:
                    row = await self._lookup.find(track.client_id)
                except VenueUnavailable as error:
                    return [SendLost((cancel.client_id,), SentAction.CANCEL, str(error))]
                if row is None:
                    return [CancelFailed(client_id=cancel.client_id, code="not_found", text="the venue has no such id")]
                self._tracks.name(track, row.order_id)
            return await self._cancel_named(track)

    async def _cancel_unknown(self, cancel: CancelRequest) -> list[Input]:
        """An order of an earlier run that no account told of."""
        try:
            row = await self._lookup.find(cancel.client_id)
        except VenueUnavailable as error:
            return [SendLost((cancel.client_id,), SentAction.CANCEL, str(error))]
        if row is None:
            return [CancelFailed(client_id=cancel.client_id, code="not_found", text="the venue has no such id")]
        track = self._tracks.adopt(row, self._registry.shard_of(row.ticker) if row.shard is None else row.shard)
        async with track.busy:
            return await self._cancel_named(track)

    async def _cancel_named(self, track: Track) -> list[Input]:
        order_id = track.order_id
        assert order_id is not None
        self._feed.active(self._time.wall_ms())
        try:
            answer = await self._rest.cancel(order_id, track.ticker, track.shard)
        except NotSent as error:
            return [SendRefused((track.client_id,), SentAction.CANCEL, str(error))]
        except VenueUnavailable as error:
            self._counters.add("sends_lost")
            return [SendLost((track.client_id,), SentAction.CANCEL, str(error))]
        if isinstance(answer, Answer):
            self._feed.active(answer.venue_ms)
            was_done = track.done
            self._tracks.end(track)
            return [] if was_done else [_canceled(track)]
        if answer.fate(places=False) is Fate.REFUSED:
            return [CancelFailed(client_id=track.client_id, code=answer.code, text=answer.text)]
        return await self._look_at(track, answer)

    async def _look_at(self, track: Track, refused: Refusal) -> list[Input]:
        """A cancel that found nothing: filled, cancelled, or on another shard. Only a look tells."""
        self._counters.add("cancels_looked_up")
        if track.done:
            return []
        try:
            row = await self._lookup.fresh(track)
        except VenueUnavailable as error:
            return [SendLost((track.client_id,), SentAction.CANCEL, str(error))]
        if row is None or row.status == RESTS:
            return [CancelFailed(client_id=track.client_id, code=refused.code, text=refused.text)]
        return self._feed.on_row(track, row)


def _canceled(track: Track) -> Input:
    return OrderClosed(
        client_id=track.client_id, venue_order_id=track.venue_id, status="canceled", filled=None, venue_ms=0
    )
