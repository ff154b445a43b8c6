"""Configuration of one Kalshi session: one API key, one shard."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import attrs

from hlomm.domain.faults import ConfigError
from hlomm.domain.units import SCALE, Cash, Qty
from hlomm.venues.fuse import FuseLimits
from hlomm.venues.kalshi.signing import PrivateKey
from hlomm.venues.kalshi.terms import SERIES
from hlomm.venues.websocket import WebSocketKind

CRYPTO_SHARD: Final = 2
CENTICENT: Final = Cash(10_000)
EXPIRY_RANGE_S: Final = (20.0, 60.0)
BURST_MAX: Final = 1_000_000


class BalanceHolds(StrEnum):
    """What the venue's `balance` is made of: undocumented, so it can be said or found out."""

    AUTO = "auto"
    """Whatever agrees with our own count: exactly while nothing rests, within the collateral while something does."""
    TOTAL = "total"
    """All cash, what resting orders lock included."""
    FREE = "free"
    """What is free to trade with."""


def _url(*schemes: str) -> Any:
    def check(_config: object, field: attrs.Attribute[str], value: str) -> None:
        scheme, separator, rest = value.partition("://")
        if scheme not in schemes or not separator or not rest or value.endswith("/"):
            raise ConfigError(
                f"{field.name}: expected a {' or '.join(schemes)} URL without a trailing /, was {value!r}"
            )

    return check


def _positive(_config: object, field: Any, value: float) -> None:
    if not 0 < value <= 604_800:
        raise ConfigError(f"{field.name}: expected more than 0 and at most 604800, was {value}")


def _expiry(_config: object, field: attrs.Attribute[float], value: float) -> None:
    low, high = EXPIRY_RANGE_S
    if not low <= value <= high:
        raise ConfigError(f"{field.name}: expected {low:g} to {high:g} seconds, was {value:g}")


def _series(_config: object, field: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    unknown = [name for name in value if name not in SERIES]
    if not value or unknown or len(set(value)) != len(value):
        raise ConfigError(f"{field.name}: expected some of {', '.join(SERIES)}, was {', '.join(value) or 'nothing'}")


def _burst(_config: object, field: attrs.Attribute[Any], value: int) -> None:
    if value % SCALE or not 0 <= value <= BURST_MAX * SCALE:
        raise ConfigError(f"{field.name}: expected whole contracts, 0 to {BURST_MAX}, was {value / SCALE:g}")


def _seconds(default: float) -> Any:
    return attrs.field(default=default, validator=_positive)


def _count(default: int) -> Any:
    return attrs.field(default=default, validator=_positive)


@attrs.frozen(kw_only=True)
class KalshiConfig:
    """Everything a session depends on. Deadlines on the peer run on the host's clock, periods on the venue's."""

    rest_url: str = attrs.field(validator=_url("http", "https"))
    """With the root of the API, `/trade-api/v2`."""
    ws_url: str = attrs.field(validator=_url("ws", "wss"))
    websocket: WebSocketKind = WebSocketKind.DIRECT
    """Whose framing the streams use."""
    key_id: str
    private_key: PrivateKey | None = attrs.field(repr=False)
    """None for somebody who only looks."""
    series: tuple[str, ...] = attrs.field(default=tuple(SERIES), validator=_series)
    shard: int = CRYPTO_SHARD
    """Whose cash and positions are the account's."""
    horizon_s: float = _seconds(7_200)
    """Markets that close later are not listed."""
    fee_precision: Cash = CENTICENT
    """Step of the balance: 0.0001 for direct members, 0.01 for others. Only what fees are expected to be."""
    balance_holds: BalanceHolds = BalanceHolds.AUTO
    yes_prices: bool = False
    """How NO levels are asked for; either gives the same books."""

    fills_from_ms: int | None = None
    """Fills from this venue time on are told: what the books of an earlier run may lack. None: history is history."""

    expires_after_s: float = attrs.field(default=45.0, validator=_expiry)
    """Life of a resting order that nobody renews: the dead-man."""
    burst_contracts: Qty = attrs.field(default=Qty(0), validator=_burst)
    """Contracts of ours that may match within 15 s before the venue cancels everything; 0: no such limit."""
    fuse: FuseLimits | None = None
    """What may leave at most, whatever the engine wants. None only where no engine is."""

    request_deadline_s: float = _seconds(5)
    connect_deadline_s: float = _seconds(3)
    warm_s: float = 20
    """Connections for writes are asked something after being idle for so long; 0: none are kept open."""
    warm_lines: int = _count(4)
    ws_write_deadline_s: float = _seconds(5)
    ack_deadline_s: float = _seconds(5)
    ping_every_s: float = _seconds(10)
    pong_deadline_s: float = _seconds(8)
    silence_s: float = _seconds(10)
    late_s: float = _seconds(10)
    """A change of a book told later than this means that we read too slowly: the connection is made anew."""
    reconnect_base_s: float = _seconds(0.5)
    reconnect_cap_s: float = _seconds(30)
    stable_after_s: float = _seconds(30)
    reconcile_every_s: float = _seconds(10)
    reconcile_gap_s: float = _seconds(3)
    rest_poll_s: float = _seconds(2)
    markets_every_s: float = _seconds(20)
    status_every_s: float = _seconds(5)
    settlement_every_s: float = _seconds(2)
    as_of_wait_s: float = _seconds(8)
    """How long portfolio reads may lag behind our own activity before they count as no answer."""
    print_age_s: float = _seconds(30)

    writer_queue: int = _count(256)
    frame_bytes_max: int = 4 * 2**20
    answer_bytes_max: int = 16 * 2**20
    writes_max: int = _count(64)
    """Requests under way at once; cancels may use more."""
    fill_memory: int = _count(20_000)
    read_reserve: int = _count(40)
    """Tokens that polls leave for questions about orders."""
    jitter_seed: int = 0
