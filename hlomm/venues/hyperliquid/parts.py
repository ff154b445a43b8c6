"""The parts of a session and how they are wired."""

from __future__ import annotations

import attrs

from hlomm.domain.ids import HYPERLIQUID
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.deadman import DeadmanKeeper, DeadmanRules, Resting
from hlomm.venues.fuse import Fuse
from hlomm.venues.hyperliquid.account import AccountReader
from hlomm.venues.hyperliquid.account_feed import AccountFeed, AmendWatch
from hlomm.venues.hyperliquid.answers import Answers
from hlomm.venues.hyperliquid.batches import Encoder
from hlomm.venues.hyperliquid.config import HyperliquidConfig
from hlomm.venues.hyperliquid.direct import DirectRequests
from hlomm.venues.hyperliquid.gateway import Gateway
from hlomm.venues.hyperliquid.inbox import Inbox
from hlomm.venues.hyperliquid.market_feed import MarketFeed
from hlomm.venues.hyperliquid.nonces import Nonces
from hlomm.venues.hyperliquid.registry import Registry
from hlomm.venues.hyperliquid.rest import HyperliquidRest
from hlomm.venues.hyperliquid.roll import MarketRoll
from hlomm.venues.hyperliquid.schedule import ScheduleCancel
from hlomm.venues.hyperliquid.signing import Signer
from hlomm.venues.hyperliquid.streams import Streams
from hlomm.venues.hyperliquid.upkeep import Upkeep
from hlomm.venues.outlet import Outlet
from hlomm.venues.rounds import Rounds
from hlomm.venues.transport import Transport
from hlomm.venues.venue_time import VenueTime


@attrs.frozen(kw_only=True)
class Parts:
    """Everything one account's session is made of."""

    config: HyperliquidConfig
    clock: Clock
    time: VenueTime
    transport: Transport
    counters: Counters
    outlet: Outlet
    rounds: Rounds
    registry: Registry
    rest: HyperliquidRest
    gateway: Gateway
    account: AccountReader
    account_feed: AccountFeed
    market_feed: MarketFeed
    streams: Streams
    roll: MarketRoll
    upkeep: Upkeep
    direct: DirectRequests
    inbox: Inbox
    deadman: DeadmanKeeper | None
    """None if the configuration asks for none."""


def assemble(config: HyperliquidConfig, transport: Transport, clock: Clock) -> Parts:
    counters = Counters()
    resting = None if config.deadman_s == 0 else Resting(clock)
    outlet = Outlet(clock, counters, resting)
    registry = Registry(config.underlyings, counters, config.quote_token)
    rest = HyperliquidRest(config, transport, clock, counters)
    signer = Signer(config.agent_key, config.chain)
    encoder = Encoder(signer, Nonces(), registry, config.vault, int(config.expires_after_s * 1_000))
    amends = AmendWatch()
    time = VenueTime(clock)
    answers = Answers(amends, counters, time.expired)
    fuse = None if config.fuse is None else Fuse(HYPERLIQUID, config.fuse)
    gateway = Gateway(config, clock, counters, rest, encoder, answers, time, outlet.emit, fuse, resting)
    account = AccountReader(rest, registry, gateway, clock)
    account_feed = AccountFeed(counters, config.fill_memory, account.owns, registry.is_fallback, amends)
    market_feed = MarketFeed(counters, int(config.print_age_s * 1_000), config.print_memory)
    streams = Streams(config.account, registry, market_feed, counters, config.perp_trades, config.fast_marks)
    roll = MarketRoll(config, clock, counters, rest, registry, streams, outlet.emit)
    upkeep = Upkeep(
        config, clock, counters, rest, registry, streams, gateway, account, account_feed, time, roll, outlet.emit
    )
    time.measure = upkeep.measure_soon
    inbox = Inbox(
        config.account,
        clock,
        time,
        counters,
        market_feed,
        account_feed,
        streams,
        gateway,
        outlet.emit_at,
        roll.on_meta,
    )
    direct = DirectRequests(rest, encoder, registry, time, counters)
    deadman = None
    if resting is not None:
        rules = DeadmanRules(
            term_s=config.deadman_s, arrives_within_s=config.expires_after_s, ahead=config.deadman_ahead
        )
        switch = ScheduleCancel(direct, gateway.budget, time)
        deadman = DeadmanKeeper(HYPERLIQUID, switch, rules, clock, counters.add, outlet.emit, resting)
    return Parts(
        config=config,
        clock=clock,
        time=time,
        transport=transport,
        counters=counters,
        outlet=outlet,
        rounds=Rounds(clock, counters, rest.affords),
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
        deadman=deadman,
    )
