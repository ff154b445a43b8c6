"""The parts of a session and how they are wired."""

from __future__ import annotations

import attrs

from hlomm.domain.ids import KALSHI
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.fuse import Fuse
from hlomm.venues.kalshi.account import AccountReader
from hlomm.venues.kalshi.account_feed import AccountFeed
from hlomm.venues.kalshi.burst import Burst
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
from hlomm.venues.outlet import Outlet
from hlomm.venues.rounds import Rounds
from hlomm.venues.transport import Transport
from hlomm.venues.venue_time import VenueTime


@attrs.frozen(kw_only=True)
class Parts:
    """Everything one account's session is made of."""

    config: KalshiConfig
    clock: Clock
    time: VenueTime
    transport: Transport
    counters: Counters
    outlet: Outlet
    rounds: Rounds
    rest: KalshiRest
    registry: Registry
    tracks: Tracks
    purse: Purse
    feed: AccountFeed
    account: AccountReader
    gateway: Gateway
    burst: Burst
    streams: Streams
    roll: MarketRoll
    upkeep: Upkeep
    expiries: Expiries
    direct: DirectRequests
    inbox: Inbox


def assemble(config: KalshiConfig, transport: Transport, clock: Clock) -> Parts:
    """Build and wire the parts of somebody who has a key."""
    assert config.private_key is not None, "a session signs"
    counters, time = Counters(), VenueTime(clock)
    outlet = Outlet(clock, counters)
    rest = KalshiRest(config, transport, time, counters, Signer(config.key_id, config.private_key))
    registry = Registry(frozenset(config.series), config.shard, config.fee_precision, counters)
    tracks, purse = Tracks(), Purse()
    feed = AccountFeed(tracks, purse, counters, config.fill_memory, time.wall_ms)
    lookup = Lookup(config, time, rest, tracks, feed)
    account = AccountReader(config, registry, tracks, purse, feed, counters, rest, lookup, clock)
    fuse = None if config.fuse is None else Fuse(KALSHI, config.fuse)
    cancels = Cancels(time, counters, rest, registry, tracks, feed, lookup)
    burst = Burst(config, clock, counters, rest, account.catch_up, outlet.emit)
    gateway = Gateway(config, time, counters, rest, registry, tracks, feed, lookup, cancels, burst, outlet.emit, fuse)
    streams = Streams(counters, config.yes_prices, time.wall_ms, groups=bool(config.burst_contracts))

    def forget(ticker: str) -> None:
        streams.unwant(ticker, inbox.send)

    roll = MarketRoll(config, time, counters, rest, registry, purse, feed, outlet.emit, forget)
    inbox = Inbox(config, time, counters, streams, feed, roll, burst, outlet.emit_at)
    feed.doubt = inbox.doubt
    upkeep = Upkeep(config, clock, time, counters, rest, tracks, purse, feed, lookup, account, roll, outlet.emit)
    return Parts(
        config=config,
        clock=clock,
        time=time,
        transport=transport,
        counters=counters,
        outlet=outlet,
        rounds=Rounds(clock, counters, rest.affords),
        rest=rest,
        registry=registry,
        tracks=tracks,
        purse=purse,
        feed=feed,
        account=account,
        gateway=gateway,
        burst=burst,
        streams=streams,
        roll=roll,
        upkeep=upkeep,
        expiries=Expiries(config, time, counters, rest, tracks, gateway, outlet.emit),
        direct=DirectRequests(rest, registry, tracks, gateway, counters),
        inbox=inbox,
    )
