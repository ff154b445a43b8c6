"""Identifiers.

A client id is the 0x + 32 hex digits that Hyperliquid calls cloid: two bytes of mark, six of boot epoch, eight of
counter. It depends on nothing but the boot epoch and how many were minted, so a replay mints the same ones.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NewType

VenueId = NewType("VenueId", str)
MarketId = NewType("MarketId", str)
"""Both sides of an outcome share one book and one id.

Hyperliquid: `hyperliquid:o<outcome>` and, for a perp, `hyperliquid:<coin>`. Polymarket: `polymarket:<condition id>`.
Kalshi: `kalshi:<market ticker>`.
"""
ClientId = NewType("ClientId", str)
VenueOrderId = NewType("VenueOrderId", str)
StrategyId = NewType("StrategyId", str)

HYPERLIQUID: Final = VenueId("hyperliquid")
POLYMARKET: Final = VenueId("polymarket")
KALSHI: Final = VenueId("kalshi")

_MARK: Final = 0x686C
_EPOCH_LIMIT: Final = 1 << 48
_COUNT_LIMIT: Final = 1 << 64
_OUTCOME: Final = re.compile(rf"[^:]+:o[0-9]+|(?:{POLYMARKET}|{KALSHI}):.+", re.ASCII)
_OURS: Final = re.compile(rf"0x{_MARK:04x}[0-9a-f]{{28}}", re.ASCII)


class ClientIds:
    """Mints client ids in order. `epoch_ms` is the wall time of the boot, an input like any other."""

    __slots__ = ("_count", "_prefix", "epoch_ms")

    def __init__(self, epoch_ms: int) -> None:
        if not 0 <= epoch_ms < _EPOCH_LIMIT:
            raise ValueError(f"boot epoch out of range: {epoch_ms}")
        self.epoch_ms = epoch_ms
        self._prefix = f"0x{_MARK:04x}{epoch_ms:012x}"
        self._count = 0

    def mint(self) -> ClientId:
        self._count += 1
        assert self._count < _COUNT_LIMIT
        return ClientId(f"{self._prefix}{self._count:016x}")


def is_ours(client_id: str | None) -> bool:
    """Whether an order carries the mark of this program (any boot)."""
    return client_id is not None and _OURS.fullmatch(client_id) is not None


def outcome_market(venue: VenueId, outcome: int) -> MarketId:
    return MarketId(f"{venue}:o{outcome}")


def polymarket_market(condition: str) -> MarketId:
    return MarketId(f"{POLYMARKET}:{condition}")


def kalshi_market(ticker: str) -> MarketId:
    return MarketId(f"{KALSHI}:{ticker}")


def perp_market(venue: VenueId, coin: str) -> MarketId:
    return MarketId(f"{venue}:{coin}")


@lru_cache(maxsize=4_096)
def is_outcome(market: MarketId) -> bool:
    """Whether a market is an outcome, known from its name alone: a fill may come for one that was never listed."""
    return _OUTCOME.fullmatch(market) is not None


@lru_cache(maxsize=4_096)
def venue_of(market: MarketId) -> VenueId:
    """The venue a market belongs to, known from its name alone."""
    return VenueId(market.partition(":")[0])
