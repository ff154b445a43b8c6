"""From settings to venue sessions."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from hlomm.domain.secret import Secret
from hlomm.domain.units import SCALE, Cash, Qty, parse
from hlomm.settings.charge import HyperliquidCharge, KalshiCharge, PolymarketCharge, VenueCharge
from hlomm.settings.schema import Limits
from hlomm.settings.venues import Hyperliquid, Kalshi, Polymarket
from hlomm.venues.clock import Clock
from hlomm.venues.curve import Key
from hlomm.venues.fuse import FuseLimits
from hlomm.venues.hyperliquid.config import HyperliquidConfig
from hlomm.venues.hyperliquid.session import HyperliquidSession
from hlomm.venues.hyperliquid.signing import Chain
from hlomm.venues.kalshi.config import BalanceHolds, KalshiConfig
from hlomm.venues.kalshi.session import KalshiSession
from hlomm.venues.kalshi.signing import load_private_key
from hlomm.venues.polymarket.auth import ApiKey
from hlomm.venues.polymarket.config import PolymarketConfig
from hlomm.venues.polymarket.session import PolymarketSession
from hlomm.venues.polymarket.signing import SignatureType
from hlomm.venues.protocol import VenueSession
from hlomm.venues.transport import Transport
from hlomm.venues.websocket import WebSocketKind

GUARDIAN_REQUEST_S: Final = 2.0
"""Deadline of one request, below a session's own: a request that hangs must not use up the time to safety."""
DIRECT_STEP: Final = Cash(10_000)
CENT_STEP: Final = Cash(1_000_000)
"""Of balances at Kalshi: what fees are rounded to."""

Section = TypeVar("Section", Hyperliquid, Polymarket, Kalshi)


def fuse_limits(limits: Limits) -> FuseLimits:
    """The session's own reading of the limits table; on purpose it shares no code with the engine's.

    The largest quantity that can be right is a whole way from one end of the position limit to the other.
    """
    return FuseLimits(
        orders_per_s=limits.max_orders_per_s,
        notional_per_min=Cash(_units(limits.max_notional_per_min)),
        order_notional=Cash(_units(limits.max_order_notional)),
        order_qty=Qty(2 * _units(limits.max_position)),
        hedge_notional=Cash(max(2 * _units(limits.max_hedge_notional), 1)),
    )


def _units(value: float) -> int:
    """A number from the configuration, exactly as it was written, in 1e-8."""
    return parse(format(Decimal(repr(value)), "f"))


def hyperliquid_session(
    section: Hyperliquid,
    clock: Clock,
    *,
    limits: Limits | None,
    key: Secret,
    rest: str | None = None,
    ws: str | None = None,
    account: str | None = None,
    transport: Transport | None = None,
    fills_from_ms: int | None = None,
) -> VenueSession:
    """A session for the configured account; a simulator hands in its own addresses and account instead.

    `limits` are what its fuse is made of; None for a session that is never run but only asked (guardian).
    `fills_from_ms` is the venue time from which on the books of an earlier run may lack fills.
    """
    config = hyperliquid_config(section, limits, key, rest=rest, ws=ws, account=account, fills_from_ms=fills_from_ms)
    return HyperliquidSession(config, clock=clock, transport=transport)


def hyperliquid_config(
    section: Hyperliquid, limits: Limits | None, key: Secret, *, rest: str | None, ws: str | None,
    account: str | None, fills_from_ms: int | None = None,
) -> HyperliquidConfig:  # fmt: skip
    whose = account or section.account
    return HyperliquidConfig(
        rest_url=rest or section.rest, ws_url=ws or section.ws, chain=Chain[section.chain.upper()],
        account=whose, vault=whose if section.sub_account else None, agent_key=Key.parse(key),
        underlyings=section.underlyings, quote_token=section.quote_token or None,
        websocket=WebSocketKind(section.transport),
        request_deadline_s=section.request_s, post_deadline_s=section.post_s, warm_s=section.warm_s,
        expires_after_s=section.expires_after_s, reconcile_every_s=section.reconcile_s, ping_every_s=section.ping_s,
        pong_deadline_s=section.pong_s, silence_s=section.silence_s, fills_from_ms=fills_from_ms,
        fuse=None if limits is None else fuse_limits(limits),
        deadman_s=0 if limits is None else section.deadman_s,
        deadman_ahead=limits is not None and limits.max_resting_without_deadman < limits.max_order_notional,
    )  # fmt: skip


def polymarket_session(
    section: Polymarket,
    clock: Clock,
    *,
    limits: Limits | None,
    key: Secret,
    api_key: ApiKey | None = None,
    transport: Transport | None = None,
    fills_from_ms: int | None = None,
) -> VenueSession:
    """A session for the wallet that the section names; `key` is that of its owner, or of an owner's delegate.

    Without `api_key` the venue is asked for the one that belongs to `key`.

    `limits` and `fills_from_ms` as for Hyperliquid. Only a session that trades sends heartbeats.
    """
    config = polymarket_config(section, limits, key, api_key, fills_from_ms)
    return PolymarketSession(config, clock=clock, transport=transport)


def polymarket_config(
    section: Polymarket, limits: Limits | None, key: Secret, api_key: ApiKey | None, fills_from_ms: int | None = None
) -> PolymarketConfig:
    return PolymarketConfig(
        clob_url=section.clob, gamma_url=section.gamma, ws_url=section.ws, websocket=WebSocketKind(section.transport),
        key=Key.parse(key), api_key=api_key, signature_type=SignatureType(section.signature_type),
        funder=section.account, session_key=section.session_key,
        underlyings=section.underlyings, horizon_s=section.horizon_s, fills_from_ms=fills_from_ms,
        request_deadline_s=section.request_s, warm_s=section.warm_s, arrives_within_s=section.arrives_s,
        heartbeat_s=0 if limits is None else section.heartbeat_s, order_life_s=section.order_life_s,
        reconcile_every_s=section.reconcile_s, ping_every_s=section.ping_s, pong_deadline_s=section.pong_s,
        pause_s=section.pause_s, fuse=None if limits is None else fuse_limits(limits),
    )  # fmt: skip


def kalshi_session(
    section: Kalshi,
    clock: Clock,
    *,
    limits: Limits | None,
    key: Secret,
    transport: Transport | None = None,
    fills_from_ms: int | None = None,
) -> VenueSession:
    """A session for the member whose API key this is (PEM). `limits` and `fills_from_ms` as for Hyperliquid."""
    return KalshiSession(kalshi_config(section, limits, key, fills_from_ms), clock=clock, transport=transport)


def kalshi_config(
    section: Kalshi, limits: Limits | None, key: Secret, fills_from_ms: int | None = None
) -> KalshiConfig:
    return KalshiConfig(
        rest_url=section.rest, ws_url=section.ws, websocket=WebSocketKind(section.transport),
        key_id=section.key_id, private_key=load_private_key(key), series=section.series,
        shard=section.shard, horizon_s=section.horizon_s, fills_from_ms=fills_from_ms,
        fee_precision=DIRECT_STEP if section.direct_member else CENT_STEP,
        balance_holds=BalanceHolds(section.balance_holds), request_deadline_s=section.request_s,
        warm_s=section.warm_s, expires_after_s=section.order_life_s,
        burst_contracts=Qty(section.burst_contracts * SCALE),
        reconcile_every_s=section.reconcile_s, ping_every_s=section.ping_s,
        pong_deadline_s=section.pong_s, silence_s=section.silence_s,
        fuse=None if limits is None else fuse_limits(limits),
    )  # fmt: skip


def guardian_session(charge: VenueCharge, clock: Clock, transport: Transport | None = None) -> VenueSession:
    """The guardian's own session at a venue, with its own key where the venue allows one."""
    match charge:
        case HyperliquidCharge(section=section):
            return hyperliquid_session(
                hurried(section), clock, limits=None, key=charge.key, rest=charge.rest, ws=charge.ws,
                account=charge.account, transport=transport,
            )  # fmt: skip
        case PolymarketCharge(section=section):
            return polymarket_session(
                hurried(section), clock, limits=None, key=charge.key, api_key=charge.api_key, transport=transport
            )
        case KalshiCharge(section=section):
            return kalshi_session(hurried(section), clock, limits=None, key=charge.key, transport=transport)


def hurried(section: Section) -> Section:
    return msgspec.structs.replace(section, request_s=min(section.request_s, GUARDIAN_REQUEST_S))
