"""Configuration of one Hyperliquid session: one account, one agent key, one network."""

from __future__ import annotations

import re
from typing import Any, Final, Self

import attrs

from hlomm.domain.faults import ConfigError
from hlomm.venues.curve import Key
from hlomm.venues.fuse import FuseLimits
from hlomm.venues.hyperliquid.signing import Chain
from hlomm.venues.websocket import WebSocketKind

_ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}", re.ASCII)
_URLS: Final = {
    Chain.MAINNET: ("https://api.hyperliquid.xyz", "wss://api.hyperliquid.xyz/ws"),
    Chain.TESTNET: ("https://api.hyperliquid-testnet.xyz", "wss://api.hyperliquid-testnet.xyz/ws"),
}


def _url(*schemes: str) -> Any:
    def check(_config: object, field: attrs.Attribute[str], value: str) -> None:
        scheme, separator, rest = value.partition("://")
        if scheme not in schemes or not separator or not rest or value.endswith("/"):
            raise ConfigError(
                f"{field.name}: expected a {' or '.join(schemes)} URL without a trailing /, was {value!r}"
            )

    return check


def _address(_config: object, field: Any, value: Any) -> None:
    if value is not None and _ADDRESS.fullmatch(value) is None:
        raise ConfigError(f"{field.name}: expected 0x and 40 hex digits, was {value!r}")


def _positive(_config: object, field: Any, value: float) -> None:
    if not 0 < value < 86_400:
        raise ConfigError(f"{field.name}: expected more than 0 and less than 86400, was {value}")


def _underlyings(_config: object, field: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    if not value or len(set(value)) != len(value):
        raise ConfigError(f"{field.name}: expected at least one coin and none twice, was {value!r}")


def _lower(text: str) -> str:
    return text.lower()


def _seconds(default: float) -> Any:
    return attrs.field(default=default, validator=_positive)


def _count(default: int) -> Any:
    return attrs.field(default=default, validator=_positive)


@attrs.frozen(kw_only=True)
class HyperliquidConfig:
    """Everything a session depends on. Deadlines on the peer run on the host's clock, periods on the venue's."""

    rest_url: str = attrs.field(validator=_url("http", "https"))
    ws_url: str = attrs.field(validator=_url("ws", "wss"))
    chain: Chain
    account: str = attrs.field(converter=_lower, validator=_address)
    """Master or sub-account that trades; never the agent's own address, which answers queries with nothing."""
    agent_key: Key = attrs.field(repr=False)
    vault: str | None = attrs.field(default=None, converter=attrs.converters.optional(_lower), validator=_address)
    """Set when the agent of a master signs for a sub-account or vault: then equal to `account`."""
    websocket: WebSocketKind = WebSocketKind.DIRECT
    """Whose framing the streams use."""

    underlyings: tuple[str, ...] = attrs.field(default=("BTC",), validator=_underlyings)
    """Coins whose perp and outcomes are listed."""
    quote_token: str | None = None
    """Collateral of the outcomes to list; None: whatever most of them use."""
    perp_trades: bool = False
    """Subscribe the trades of perps too."""
    fast_marks: bool = False
    """Take marks from the one compressed stream instead of one context stream per perp."""

    fills_from_ms: int | None = None
    """Fills from this venue time on are told: what the books of an earlier run may lack. None: history is history."""

    request_deadline_s: float = _seconds(5)
    connect_deadline_s: float = _seconds(3)
    post_deadline_s: float = _seconds(5)
    ws_write_deadline_s: float = _seconds(5)
    warm_s: float = 20
    """Connections for actions over REST are asked something after being idle for so long; 0: none are kept open."""
    warm_lines: int = _count(2)
    ack_deadline_s: float = _seconds(5)
    ping_every_s: float = _seconds(20)
    pong_deadline_s: float = _seconds(10)
    silence_s: float = _seconds(15)
    reconnect_base_s: float = _seconds(0.5)
    reconnect_cap_s: float = _seconds(30)
    stable_after_s: float = _seconds(30)
    """A connection that lived this long resets the backoff."""
    reconcile_every_s: float = _seconds(10)
    reconcile_gap_s: float = _seconds(5)
    """Least distance of two reconciliations asked for by unexpected news."""
    rest_poll_s: float = _seconds(1)
    budget_every_s: float = _seconds(30)
    markets_every_s: float = _seconds(60)
    expires_after_s: float = _seconds(10)
    deadman_s: float = 0
    """Term of the venue's promise to cancel everything by itself; 0: not asked for."""
    deadman_ahead: bool = False
    """Ask for it before anything rests too."""
    fuse: FuseLimits | None = None
    """What may leave at most, whatever the engine wants. None only where no engine is."""
    settlement_base_s: float = _seconds(0.5)
    settlement_cap_s: float = _seconds(20)
    settlement_attempts: int = _count(20)
    print_age_s: float = _seconds(30)
    """Public trades older than this are replays, not news."""

    writer_queue: int = _count(256)
    frame_bytes_max: int = 4 * 2**20
    answer_bytes_max: int = 16 * 2**20
    rest_tasks_max: int = _count(32)
    fill_memory: int = _count(20_000)
    print_memory: int = _count(8_192)
    weight_reserve: int = _count(400)
    """IP weight that polls leave untouched for orders and cancels."""
    jitter_seed: int = 0

    def __attrs_post_init__(self) -> None:
        if self.vault is not None and self.vault != self.account:
            raise ConfigError("vault: expected the account itself or nothing, because queries go to `account`")

    @classmethod
    def for_chain(cls, chain: Chain, **fields: Any) -> Self:
        """Configuration with the public addresses of a network."""
        rest_url, ws_url = _URLS[chain]
        return cls(rest_url=rest_url, ws_url=ws_url, chain=chain, **fields)
