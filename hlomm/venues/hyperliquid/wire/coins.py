"""Names and numbers of tradable things (venue sheet section 7.1).

`e = 10 * outcome + side` gives the coin `#e`, the token `+e` and the asset id `100000000 + e`; side 0 is YES.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import msgspec

from hlomm.domain.ids import HYPERLIQUID, MarketId, outcome_market, perp_market
from hlomm.domain.markets import Leg

OUTCOME_ASSET_BASE: Final = 100_000_000
SPOT_ASSET_BASE: Final = 10_000

_ENCODING: Final = re.compile(r"(0|[1-9][0-9]{0,10})", re.ASCII)
# A perp of the first dex is a bare word; `dex:COIN` is a builder-deployed one. Spot pairs are `@n` or `BASE/QUOTE`.
_PERP: Final = re.compile(r"[A-Za-z0-9]{1,20}(?::[A-Za-z0-9]{1,20})?", re.ASCII)
_SPOT: Final = re.compile(r"@([0-9]{1,6})", re.ASCII)
_OUTCOME_MARKET: Final = re.compile(rf"{HYPERLIQUID}:o(0|[1-9][0-9]{{0,9}})", re.ASCII)


class Coin(msgspec.Struct, frozen=True):
    """What a coin name on the wire stands for."""

    market: MarketId
    leg: Leg
    outcome: int | None
    """Outcome number, None for a perp."""


@lru_cache(maxsize=4_096)
def read_coin(name: str) -> Coin | None:
    """The market and leg behind a coin name; None for spot pairs and for names of no known form."""
    if name.startswith("#"):
        return _read_encoding(name[1:])
    if _PERP.fullmatch(name) is None:
        return None
    return Coin(perp_market(HYPERLIQUID, name), Leg.YES, None)


@lru_cache(maxsize=4_096)
def read_token(name: str) -> Coin | None:
    """The market and leg behind an outcome token `+e`; None for everything else, leftovers `o<outcome>` included."""
    return _read_encoding(name[1:]) if name.startswith("+") else None


def _read_encoding(digits: str) -> Coin | None:
    match = _ENCODING.fullmatch(digits)
    if match is None:
        return None
    outcome, side = divmod(int(digits), 10)
    if side > 1:
        return None
    return Coin(outcome_market(HYPERLIQUID, outcome), Leg(side), outcome)


def encode_outcome(outcome: int, leg: Leg) -> int:
    return 10 * outcome + int(leg)


def outcome_coin(outcome: int, leg: Leg) -> str:
    return f"#{encode_outcome(outcome, leg)}"


def outcome_asset(outcome: int, leg: Leg) -> int:
    return OUTCOME_ASSET_BASE + encode_outcome(outcome, leg)


@lru_cache(maxsize=4_096)
def outcome_number(market: MarketId) -> int | None:
    """The outcome behind a market id, None for perps."""
    match = _OUTCOME_MARKET.fullmatch(market)
    return None if match is None else int(match[1])


def perp_coin(market: MarketId) -> str:
    """The coin behind the market id of a perp."""
    return market.removeprefix(f"{HYPERLIQUID}:")


def spot_asset(coin: str) -> int | None:
    """Asset id of a spot pair named by index (`@107`); None for pairs named by their tokens."""
    match = _SPOT.fullmatch(coin)
    return None if match is None else SPOT_ASSET_BASE + int(match[1])


def coin_of(market: MarketId, leg: Leg) -> str:
    """Coin name of one leg of a market."""
    outcome = outcome_number(market)
    return perp_coin(market) if outcome is None else outcome_coin(outcome, leg)
