"""Configuration of one Polymarket session: one key, one wallet, one API key that nobody else uses."""

from __future__ import annotations

from typing import Any, Self

import attrs

from hlomm.domain.faults import ConfigError
from hlomm.venues.curve import Key, checksummed
from hlomm.venues.fuse import FuseLimits
from hlomm.venues.polymarket.auth import ApiKey
from hlomm.venues.polymarket.contracts import Contracts
from hlomm.venues.polymarket.limits import STANDARD, Tier
from hlomm.venues.polymarket.signing import SignatureType
from hlomm.venues.polymarket.wallets import WalletKind, wallet_of
from hlomm.venues.websocket import WebSocketKind

_WALLETS = {
    SignatureType.PROXY: WalletKind.PROXY,
    SignatureType.SAFE: WalletKind.SAFE,
    SignatureType.DEPOSIT: WalletKind.DEPOSIT,
}


def _url(*schemes: str) -> Any:
    def check(_config: object, field: attrs.Attribute[str], value: str) -> None:
        scheme, separator, rest = value.partition("://")
        if scheme not in schemes or not separator or not rest or value.endswith("/"):
            raise ConfigError(
                f"{field.name}: expected a {' or '.join(schemes)} URL without a trailing /, was {value!r}"
            )

    return check


def _positive(_config: object, field: Any, value: float) -> None:
    if not 0 < value < 1_000_000:
        raise ConfigError(f"{field.name}: expected more than 0 and less than a million, was {value}")


def _not_empty(_config: object, field: Any, value: tuple[str, ...]) -> None:
    if not value or len(set(value)) != len(value):
        raise ConfigError(f"{field.name}: expected at least one and none twice, was {value!r}")


def _seconds(default: float) -> Any:
    return attrs.field(default=default, validator=_positive)


def _count(default: int) -> Any:
    return attrs.field(default=default, validator=_positive)


@attrs.frozen(kw_only=True)
class PolymarketConfig:
    """Everything a session depends on. Deadlines on the peer run on the host's clock, periods on the venue's."""

    clob_url: str = attrs.field(default="https://clob.polymarket.com", validator=_url("http", "https"))
    gamma_url: str = attrs.field(default="https://gamma-api.polymarket.com", validator=_url("http", "https"))
    ws_url: str = attrs.field(default="wss://ws-subscriptions-clob.polymarket.com/ws", validator=_url("ws", "wss"))
    """Without the channel: `/market` and `/user` are appended."""
    websocket: WebSocketKind = WebSocketKind.DIRECT
    """Whose framing the streams use."""
    key: Key
    api_key: ApiKey | None = attrs.field(default=None, repr=False)
    """What requests are signed with; None: the one that the venue derives from the key, or makes."""
    signature_type: SignatureType = SignatureType.DEPOSIT
    funder: str = ""
    """Wallet that holds the money; empty: the one that the venue's factories derive from the key."""
    session_key: bool = False
    """The key is a delegate of the deposit wallet's owner."""
    contracts: Contracts = attrs.field(factory=Contracts)

    underlyings: tuple[str, ...] = attrs.field(default=("BTC",), validator=_not_empty)
    tags: tuple[str, ...] = attrs.field(default=("bitcoin", "up-or-down"), validator=_not_empty)
    """Gamma tags whose events are looked through."""
    horizon_s: float = _seconds(3 * 86_400)
    """Markets that end later are not listed yet."""
    windows_ahead: int = _count(2)
    """Up-or-down windows of a few minutes or hours are listed this many lengths before they begin."""
    fills_from_ms: int | None = None
    """Fills from this venue time on are told: what the books of an earlier run may lack. None: history is history."""
    lookback_s: float = _seconds(2 * 86_400)
    """Trades this old are looked through at the start for tokens that may still be held."""

    request_deadline_s: float = _seconds(5)
    connect_deadline_s: float = _seconds(3)
    warm_s: float = 20
    """Connections for actions are asked something after being idle for so long; 0: none are kept open."""
    warm_lines: int = _count(4)
    ws_write_deadline_s: float = _seconds(5)
    ping_every_s: float = _seconds(10)
    pong_deadline_s: float = _seconds(10)
    reconnect_base_s: float = _seconds(0.5)
    reconnect_cap_s: float = _seconds(30)
    stable_after_s: float = _seconds(30)
    reconcile_every_s: float = _seconds(10)
    reconcile_gap_s: float = _seconds(2)
    rest_poll_s: float = _seconds(1)
    markets_every_s: float = _seconds(30)
    skew_every_s: float = _seconds(60)
    check_every_s: float = _seconds(5)
    """One followed book after the other is compared with the venue's at this pace."""
    settlement_base_s: float = _seconds(2)
    settlement_cap_s: float = _seconds(60)
    settlement_attempts: int = _count(3_000)
    arrives_within_s: float = _seconds(10)
    """A request that was not answered and has not arrived by then never will."""
    order_life_s: float = 0
    """Resting orders carry an expiry this far ahead (at least 180 s); 0: none."""
    heartbeat_s: float = 0
    """Period of the heartbeat that is the venue's dead-man (5 is the venue's); 0: none is sent."""
    pause_s: float = _seconds(90)
    """Taken for the length of a restart or pause that does not say its own."""
    tier: Tier = STANDARD
    fuse: FuseLimits | None = None
    """What may leave at most, whatever the engine wants. None only where no engine is."""

    rest_tasks_max: int = _count(32)
    writer_queue: int = _count(256)
    frame_bytes_max: int = 16 * 2**20
    answer_bytes_max: int = 16 * 2**20
    fill_memory: int = _count(20_000)
    order_memory: int = _count(8_192)
    depth: int = _count(20)
    """Levels a side of a book that are told."""
    jitter_seed: int = 0

    def __attrs_post_init__(self) -> None:
        if self.signature_type is SignatureType.EOA:
            if self.funder and checksummed(self.funder) != checksummed(self.key.address):
                raise ConfigError("funder: a plain key (signature type 0) funds its own orders; leave it empty")
        elif self.session_key and (self.signature_type is not SignatureType.DEPOSIT or not self.funder):
            raise ConfigError("session_key: needs signature type 3 and the owner's deposit wallet as funder")
        if self.order_life_s and self.order_life_s < 180:
            raise ConfigError(f"order_life_s: the venue wants at least 180, was {self.order_life_s:g}")
        if self.heartbeat_s and not 0 < self.heartbeat_s <= 5:
            raise ConfigError(
                f"heartbeat_s: the venue cancels after 10 s without one; at most 5, was {self.heartbeat_s:g}"
            )

    @property
    def wallet(self) -> str:
        """The funder's address, checksummed."""
        if self.signature_type is SignatureType.EOA:
            return checksummed(self.key.address)
        return checksummed(self.funder) if self.funder else wallet_of(self.key.address, _WALLETS[self.signature_type])

    def but(self, **changes: Any) -> Self:
        return attrs.evolve(self, **changes)
