"""Books of Polymarket and Kalshi for the wire, of the shape that was recorded: a whole one, then changes for ever.

The changes of a round leave the book as it was before it, so that the same ones can be sent round and round. The touch
never moves and is far apart: contracts of these venues are linked with those of Hyperliquid, and nothing is to be had
between them. Only stamps, and what Kalshi counts, are put in when a frame leaves.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any, Final

import attrs
import msgspec

from hlomm.bench.frames import LEVELS, Frame

Json = dict[str, Any]

ROUND: Final = 256
"""Changes until the book is as it was."""
TOUCH_CENTS: Final = 44
"""Best bid; the best ask is as far from 1."""
PRINT_EVERY: Final = 20
"""Changes with one print: 977 came with 22,024 in a recorded quarter of an hour."""
CHANGE, WHOLE, PRINT = "change", "whole", "print"
_STAMP: Final = "@"


def _prices() -> tuple[list[int], list[int]]:
    """Cents of both sides, best first."""
    bids = [TOUCH_CENTS - number for number in range(LEVELS)]
    return bids, [100 - cents for cents in bids]


# -- Polymarket


@attrs.frozen
class Tokens:
    """Of one market: its condition, and the tokens of YES and NO."""

    condition: str
    yes: str
    no: str


def polymarket_book(tokens: Tokens, seed: int = 4) -> Frame:
    """The book of the YES token. Numbers are strings, the best level is last."""
    rng = random.Random(seed)
    sides = [
        [{"price": f"0.{cents:02d}", "size": f"{_size(rng)}"} for cents in reversed(prices)] for prices in _prices()
    ]
    return _stamped(
        WHOLE,
        {
            "market": tokens.condition, "asset_id": tokens.yes, "timestamp": _STAMP,
            "hash": f"{rng.getrandbits(160):040x}", "bids": sides[0], "asks": sides[1], "tick_size": "0.01",
            "event_type": "book", "last_trade_price": "0.50",
        },
    )  # fmt: skip


def polymarket_changes(tokens: Tokens, seed: int = 5) -> Iterator[Frame]:
    """One level each, told for both tokens; sizes are absolute, so that a round may begin anywhere."""
    rng, sides, made = random.Random(seed), _prices(), []
    for _ in range(ROUND):
        side = rng.randrange(2)
        cents, size = rng.choice(sides[side]), _size(rng)
        rows = [
            _level(token, shown, size, bool(side) != (token == tokens.no), rng) for token, shown in
            ((tokens.yes, cents), (tokens.no, 100 - cents))
        ]  # fmt: skip
        row = {
            "market": tokens.condition, "price_changes": rows, "timestamp": _STAMP, "event_type": "price_change",
        }  # fmt: skip
        made.append(_stamped(CHANGE, row))
    return cycle(made)


def _level(token: str, cents: int, size: int, sells: bool, rng: random.Random) -> Json:  # noqa: FBT001 - a column
    return {
        "asset_id": token, "price": f"0.{cents:02d}", "size": f"{size}", "side": "SELL" if sells else "BUY",
        "hash": f"{rng.getrandbits(160):040x}", "best_bid": f"0.{TOUCH_CENTS}", "best_ask": f"0.{100 - TOUCH_CENTS}",
    }  # fmt: skip


def polymarket_prints(tokens: Tokens, seed: int = 6) -> Iterator[Frame]:
    rng, made = random.Random(seed), []
    for _ in range(ROUND):
        side, cents = rng.choice((("BUY", 100 - TOUCH_CENTS), ("SELL", TOUCH_CENTS)))
        row = {
            "market": tokens.condition, "asset_id": tokens.yes, "price": f"0.{cents}", "size": f"{_size(rng)}",
            "side": side, "fee_rate_bps": "0", "timestamp": _STAMP, "event_type": "last_trade_price",
        }  # fmt: skip
        made.append(_stamped(PRINT, row))
    return cycle(made)


def _size(rng: random.Random) -> int:
    return round(rng.lognormvariate(3.6, 1.2)) + 1


def _stamped(kind: str, row: Json) -> Frame:
    head, _, tail = msgspec.json.encode(row).partition(_STAMP.encode())
    return Frame(kind, head, tail)


# -- Kalshi

_BASE: Final = 1_000
"""At each level: whatever a round takes away, something is left."""


def kalshi_book(ticker: str, market_id: str, *, yes_price: bool, seed: int = 7) -> Json:
    """The message of a snapshot. `yes_price`: NO levels are told in prices of YES."""
    rng = random.Random(seed)
    yes, no = (
        [[_dollars(cents, side, yes_price=yes_price), f"{_BASE + _size(rng)}.00"] for cents in prices]
        for side, prices in enumerate(_prices())
    )
    return {"market_ticker": ticker, "market_id": market_id, "yes_dollars_fp": yes, "no_dollars_fp": no}


def kalshi_changes(
    ticker: str, market_id: str, stamp: str, *, yes_price: bool, seed: int = 8
) -> Iterator[Json]:  # fmt: skip
    """One level each, by a signed amount; the second half of a round takes back what the first has done."""
    rng, sides = random.Random(seed), _prices()
    steps = [(rng.randrange(2), rng.randrange(LEVELS), rng.randrange(100, 999)) for _ in range(ROUND // 2)]
    return cycle(
        [
            {
                "market_ticker": ticker, "market_id": market_id,
                "price_dollars": _dollars(sides[side][level], side, yes_price=yes_price),
                "delta_fp": f"{sign}{hundredths // 100}.{hundredths % 100:02d}", "side": ("yes", "no")[side],
                "ts": stamp, "ts_ms": 0,
            }
            for sign in ("-", "") for side, level, hundredths in steps
        ]
    )  # fmt: skip


def _dollars(cents: int, side: int, *, yes_price: bool) -> str:
    return f"0.{cents if side == 0 or yes_price else 100 - cents:02d}00"


def interleaved(streams: Sequence[Iterator[Any]]) -> Iterator[Any]:
    """One of each in turn, for ever."""
    return (next(stream) for stream in cycle(streams))
