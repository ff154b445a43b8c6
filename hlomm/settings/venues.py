"""Shape of `[venue.*]`: where each venue is, whose account trades there, and how its session behaves."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from hlomm.settings.kinds import Positive, Section, Warmth, WebSocket


class Hyperliquid(Section, frozen=True):
    rest: str
    ws: str
    transport: WebSocket
    chain: Literal["mainnet", "testnet"]
    account: str
    sub_account: bool
    key_file: str
    guardian_key_file: str
    quote_token: str
    underlyings: tuple[str, ...]
    request_s: Positive
    post_s: Positive
    warm_s: Warmth
    expires_after_s: Positive
    deadman_s: Annotated[float, msgspec.Meta(ge=0, lt=86_400)]
    reconcile_s: Positive
    ping_s: Positive
    pong_s: Positive
    silence_s: Positive

    @property
    def late_s(self) -> float:
        """How long after it was sent an order may still arrive, in venue seconds."""
        return self.expires_after_s


class Polymarket(Section, frozen=True):
    enabled: bool
    clob: str
    gamma: str
    ws: str
    transport: WebSocket
    account: str
    signature_type: Literal[0, 1, 2, 3]
    session_key: bool
    key_file: str
    underlyings: tuple[str, ...]
    horizon_s: Positive
    request_s: Positive
    warm_s: Warmth
    arrives_s: Positive
    heartbeat_s: Annotated[float, msgspec.Meta(ge=0, le=5)]
    order_life_s: Annotated[float, msgspec.Meta(ge=0, lt=86_400)]
    reconcile_s: Positive
    ping_s: Positive
    pong_s: Positive
    pause_s: Positive

    @property
    def late_s(self) -> float:
        return self.arrives_s


class Kalshi(Section, frozen=True):
    enabled: bool
    rest: str
    ws: str
    transport: WebSocket
    account: str
    key_id: str
    key_file: str
    series: tuple[Literal["KXBTCD", "KXBTC", "KXBTC15M"], ...]
    horizon_s: Positive
    shard: Annotated[int, msgspec.Meta(ge=0, le=100)]
    direct_member: bool
    balance_holds: Literal["auto", "total", "free"]
    request_s: Positive
    warm_s: Warmth
    order_life_s: Annotated[float, msgspec.Meta(ge=20, le=60)]
    burst_contracts: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    reconcile_s: Positive
    ping_s: Positive
    pong_s: Positive
    silence_s: Positive

    @property
    def late_s(self) -> float:
        return self.request_s


class Venues(Section, frozen=True):
    hyperliquid: Hyperliquid
    polymarket: Polymarket
    kalshi: Kalshi
