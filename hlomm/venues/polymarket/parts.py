"""The parts of a session and how they are wired."""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.domain.ids import POLYMARKET
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.fuse import Fuse
from hlomm.venues.outlet import Outlet
from hlomm.venues.polymarket.account import AccountReader
from hlomm.venues.polymarket.account_feed import AccountFeed
from hlomm.venues.polymarket.answers import Answers
from hlomm.venues.polymarket.config import PolymarketConfig
from hlomm.venues.polymarket.direct import DirectRequests
from hlomm.venues.polymarket.gateway import Gateway
from hlomm.venues.polymarket.heartbeat import Heartbeat
from hlomm.venues.polymarket.inbox import Inbox
from hlomm.venues.polymarket.limits import SignerBudget
from hlomm.venues.polymarket.market_feed import MarketFeed
from hlomm.venues.polymarket.orders import OrderMap
from hlomm.venues.polymarket.registry import Registry
from hlomm.venues.polymarket.rest import PolymarketRest
from hlomm.venues.polymarket.roll import MarketRoll
from hlomm.venues.polymarket.sales import Sales
from hlomm.venues.polymarket.signing import OrderSigner
from hlomm.venues.polymarket.streams import Streams
from hlomm.venues.polymarket.upkeep import Upkeep
from hlomm.venues.rounds import Rounds
from hlomm.venues.transport import Transport
from hlomm.venues.venue_time import VenueTime

_FLOOR_S: Final = 0.05


@attrs.frozen(kw_only=True)
class Parts:
    """Everything one account's session is made of."""

    config: PolymarketConfig
    clock: Clock
    time: VenueTime
    transport: Transport
    counters: Counters
    outlet: Outlet
    rounds: Rounds
    registry: Registry
    rest: PolymarketRest
    gateway: Gateway
    account: AccountReader
    account_feed: AccountFeed
    market_feed: MarketFeed
    streams: Streams
    roll: MarketRoll
    upkeep: Upkeep
    direct: DirectRequests
    inbox: Inbox
    heartbeat: Heartbeat | None
    """None if the configuration asks for none."""


def assemble(config: PolymarketConfig, transport: Transport, clock: Clock) -> Parts:
    counters = Counters()
    outlet = Outlet(clock, counters)
    time = VenueTime(clock)
    registry = Registry(config.underlyings, config.horizon_s, config.windows_ahead)
    rest = PolymarketRest(config, transport, time, counters, SignerBudget(config.tier))
    orders = OrderMap(config.order_memory)
    signer = OrderSigner(
        config.key, config.signature_type, config.wallet, config.contracts, session_key=config.session_key
    )
    fuse = None if config.fuse is None else Fuse(POLYMARKET, config.fuse)
    answers = Answers(clock, counters, rest.budget, config.pause_s)
    gateway = Gateway(config, clock, time, counters, rest, registry, orders, signer, answers, outlet.emit, fuse)
    account_feed = AccountFeed(registry, orders, counters, config.fill_memory)
    sales = Sales(account_feed, clock)
    account = AccountReader(
        rest, registry, orders, account_feed, clock, counters, time, config.lookback_s, outlet.emit, sales
    )
    market_feed = MarketFeed(registry, counters, config.depth)
    streams = Streams(registry, market_feed, counters)
    roll = MarketRoll(config, clock, counters, rest, registry, streams, account, outlet.emit)
    upkeep = Upkeep(
        config, clock, time, counters, rest, registry, orders, account, account_feed, market_feed, outlet.emit
    )
    inbox = Inbox(clock, counters, rest, market_feed, account_feed, roll, outlet.emit_at)
    direct = DirectRequests(rest, registry, account, gateway, sales)
    heartbeat = None
    if config.heartbeat_s:
        heartbeat = Heartbeat(rest, clock, counters, outlet.emit, config.heartbeat_s)
    return Parts(
        config=config,
        clock=clock,
        time=time,
        transport=transport,
        counters=counters,
        outlet=outlet,
        rounds=Rounds(clock, counters, floor_s=_FLOOR_S),
        registry=registry,
        rest=rest,
        gateway=gateway,
        account=account,
        account_feed=account_feed,
        market_feed=market_feed,
        streams=streams,
        roll=roll,
        upkeep=upkeep,
        direct=direct,
        inbox=inbox,
        heartbeat=heartbeat,
    )
