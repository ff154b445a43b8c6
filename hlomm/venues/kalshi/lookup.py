"""Finding an order by our own id. The venue lists orders but has no question for a client id.

Lists lag behind the matching engine: that an order is not on one proves nothing before the list is known to be younger
than the order.
"""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import ClientId
from hlomm.venues.kalshi.account_feed import AccountFeed
from hlomm.venues.kalshi.config import KalshiConfig
from hlomm.venues.kalshi.rest import KalshiRest
from hlomm.venues.kalshi.tracks import Track, Tracks
from hlomm.venues.kalshi.wire.account import CANCELED, EXECUTED, RESTING, OrderRow
from hlomm.venues.venue_time import VenueTime

MARGIN_S: Final = 60
"""Orders are asked for from that long before they were sent: the clocks may differ."""
BACK_S: Final = 3_600
"""How far back an order of an earlier run is looked for: resting ones expire within a minute."""
POLL_S: Final = 0.4


class ReadsLag(VenueUnavailable):
    """The venue answers, but its portfolio reads are older than what is asked for."""


@attrs.frozen
class Lookup:
    """Questions about single orders."""

    _config: KalshiConfig
    _time: VenueTime
    _rest: KalshiRest
    _tracks: Tracks
    _feed: AccountFeed

    async def complete_since(self, venue_ms: int) -> int:
        """Wait until reads contain everything up to that time; the time up to which they do.

        ReadsLag if that takes too long.
        """
        waited = 0.0
        while True:
            as_of = await self._rest.as_of_ms()
            if as_of >= venue_ms:
                return as_of
            if waited >= self._config.as_of_wait_s:
                raise ReadsLag(f"portfolio reads lag by {venue_ms - as_of} ms")
            await self._time.clock.sleep(POLL_S)
            waited += POLL_S

    async def complete_now(self) -> None:
        """Wait until reads contain everything up to now, by the venue's clock. ReadsLag if that takes too long."""
        if self._rest.dates.told_ms is None:
            await self._rest.as_of_ms()  # nobody has told its time yet: every answer does
        await self.complete_since(self._time.wall_ms())

    async def find(self, client_id: ClientId) -> OrderRow | None:
        """An order by our id, None if lists young enough do not have it. VenueUnavailable if nobody says."""
        track = self._tracks.of(client_id)
        if track is not None and track.order_id is not None:
            return await self.fresh(track)
        # What was sent within the deadline of a request may have arrived up to now.
        await (self.complete_now() if track is None else self.complete_since(self._arrived_by(track)))
        sent_s = self._time.wall_ms() // 1_000 - BACK_S if track is None else track.sent_ms // 1_000 - MARGIN_S
        query = {"min_ts": str(max(sent_s, 0))}
        if track is not None:
            query["ticker"] = track.ticker
        for row in await self._rest.list_orders(**query):
            if row.client_id == client_id:
                return _clear(row)
        return None

    def _arrived_by(self, track: Track) -> int:
        return track.sent_ms + int(self._config.request_deadline_s * 1_000)

    async def fresh(self, track: Track) -> OrderRow | None:
        """An order by the venue's id, from a read that contains all we did."""
        assert track.order_id is not None
        await self.complete_since(self._feed.activity_ms)
        row = await self._rest.order(track.order_id)
        return None if row is None else _clear(row)


def _clear(row: OrderRow) -> OrderRow:
    """The row; VenueUnavailable for a status that does not say whether the order rests."""
    if row.status not in (RESTING, CANCELED, EXECUTED):
        raise VenueUnavailable(f"order status {row.status!r} says nothing")
    return row
