"""From settings to venue sessions."""

from __future__ import annotations

from hlomm.settings.schema import Hyperliquid
from hlomm.venues.clock import Clock
from hlomm.venues.hyperliquid.config import HyperliquidConfig, parse_agent_key
from hlomm.venues.hyperliquid.session import HyperliquidSession
from hlomm.venues.hyperliquid.signing import Chain
from hlomm.venues.protocol import VenueSession
from hlomm.venues.transport import Transport


def hyperliquid_session(
    section: Hyperliquid,
    clock: Clock,
    *,
    key: str,
    rest: str | None = None,
    ws: str | None = None,
    account: str | None = None,
    transport: Transport | None = None,
    fills_from_ms: int | None = None,
) -> VenueSession:
    """A session for the configured account; a simulator hands in its own addresses and account instead.

    `fills_from_ms` is the venue time from which on the books of an earlier run may lack fills.
    """
    config = HyperliquidConfig(
        rest_url=rest or section.rest, ws_url=ws or section.ws, chain=Chain[section.chain.upper()],
        account=account or section.account, agent_key=parse_agent_key(key), underlyings=section.underlyings,
        request_deadline_s=section.request_s, post_deadline_s=section.post_s,
        expires_after_s=section.expires_after_s, reconcile_every_s=section.reconcile_s, ping_every_s=section.ping_s,
        pong_deadline_s=section.pong_s, silence_s=section.silence_s, fills_from_ms=fills_from_ms,
    )  # fmt: skip
    return HyperliquidSession(config, clock=clock, transport=transport)
