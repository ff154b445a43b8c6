"""The parts of a session and how they are wired."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hlomm.domain.ids import KALSHI
from hlomm.domain.inputs import Input
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.fuse import Fuse
from hlomm.venues.kalshi.account import AccountReader
from hlomm.venues.kalshi.account_feed import AccountFeed
from hlomm.venues.kalshi.cancels import Cancels
from hlomm.venues.kalshi.config import KalshiConfig
from hlomm.venues.kalshi.direct import DirectRequests
from hlomm.venues.kalshi.expiry import Expiries
from hlomm.venues.kalshi.gateway import Gateway
from hlomm.venues.kalshi.inbox import Inbox
from hlomm.venues.kalshi.lookup import Lookup
from hlomm.venues.kalshi.purse import Purse
from hlomm.venues.kalshi.registry import Registry
from hlomm.venues.kalshi.rest import KalshiRest
from hlomm.venues.kalshi.roll import MarketRoll
from hlomm.venues.kalshi.signing import Signer
from hlomm.venues.kalshi.streams import Streams
from hlomm.venues.kalshi.tracks import Tracks
from hlomm.venues.kalshi.upkeep import Upkeep
from hlomm.venues.protocol import Sink
from hlomm.venues.transport import Transport
from hlomm.venues.venue_time import VenueTime


@attrs.define(eq=False)
class Outlet:
    """Where inputs go: the sink of the running session."""

    _clock: Clock
    _counters: Counters
    sink: Sink | None = None

    def emit(self, events: Sequence[Input]) -> None:
        """Hand on what did not come in a frame, stamped with the host's time of now."""
        self.emit_at(events, self._clock.read().mono_ns)

    def emit_at(self, events: Sequence[Input], received_ns: int) -> None:
        if not events:
            return
        if self.sink is None:
            self._counters.add("inputs_without_sink", len(events))
            return
        self.sink(events, received_ns)


@attrs.frozen(kw_only=True)
class Parts:
    """Everything one account's session is made of."""

    config: KalshiConfig
    clock: Clock
    time: VenueTime
    transport: Transport
    counters: Counters
    outlet: Outlet
    rest: KalshiRest
    registry: Registry
    tracks: Tracks
    purse: Purse
    feed: AccountFeed
    account: AccountReader
    gateway: Gateway
    streams: Streams
    roll: MarketRoll
    upkeep: Upkeep
    expiries: Expiries
    direct: DirectRequests
    inbox: Inbox


def assemble(config: KalshiConfig, transport: Transport, clock: Clock) -> Parts:
    """Build and wire the parts. ConfigError for a key that is none."""
    counters, time = Counters(), VenueTime(clock)
    outlet = Outlet(clock, counters)
    rest = KalshiRest(config, transport, time, counters, Signer.from_pem(config.key_id, config.private_key))
    registry = Registry(frozenset(config.series), config.shard, config.fee_precision, counters)
    tracks, purse = Tracks(), Purse()
    feed = AccountFeed(tracks, purse, counters, config.fill_memory)
    lookup = Lookup(config, clock, rest, tracks, feed)
    account = AccountReader(config, rest, registry, tracks, purse, feed, lookup, clock, counters)
    fuse = None if config.fuse is None else Fuse(KALSHI, config.fuse)
    cancels = Cancels(time, counters, rest, registry, tracks, feed, lookup)
    gateway = Gateway(config, time, counters, rest, registry, tracks, feed, lookup, cancels, outlet.emit, fuse)
    streams = Streams(counters, config.yes_prices, time.wall_ms)

    def forget(ticker: str) -> None:
        streams.unwant(ticker, inbox.send)

    roll = MarketRoll(config, time, counters, rest, registry, purse, feed, outlet.emit, forget)
    inbox = Inbox(config, time, counters, streams, feed, roll, outlet.emit_at)
    feed.doubt = inbox.doubt
    upkeep = Upkeep(config, clock, time, counters, rest, tracks, purse, feed, lookup, account, roll, outlet.emit)
    return Parts(
        config=config,
        clock=clock,
        time=time,
        transport=transport,
        counters=counters,
        outlet=outlet,
        rest=rest,
        registry=registry,
        tracks=tracks,
        purse=purse,
        feed=feed,
        account=account,
        gateway=gateway,
        streams=streams,
        roll=roll,
        upkeep=upkeep,
        expiries=Expiries(config, time, counters, rest, tracks, gateway, outlet.emit),
        direct=DirectRequests(rest, registry, tracks, gateway, counters),
        inbox=inbox,
    )
