"""The ladder from a first attempt to this program: what is compared, and the fast core between the two.

All rungs get the same frames over the same socket, quote by the same rule, pass the same checks and sign the same
action; only the means differ.
"""

from __future__ import annotations

import math
from typing import Final, Protocol

from hlomm.domain.ids import ClientId
from hlomm.domain.inputs import BookSnapshot
from hlomm.domain.orders import Side, Tif
from hlomm.domain.secret import Secret
from hlomm.domain.units import SCALE, Px, Qty, floor_to
from hlomm.venues.curve import Key
from hlomm.venues.hyperliquid.signing import Chain, Signer
from hlomm.venues.hyperliquid.wire.actions import exchange_body, order_row
from hlomm.venues.hyperliquid.wire.frames import decode_frame
from hlomm.venues.hyperliquid.wire.ladder import BookMemory

ASSET: Final = 100_118_010
LOTS: Final = 40
HALF: Final = 0.0025
GAMMA_VAR: Final = 0.0004
MAX_DEVIATION: Final = 0.25
MAX_NOTIONAL: Final = 400
MIN_NOTIONAL: Final = 10
EXPIRES_MS: Final = 10_000
TICK: Final = 1_000


class Core(Protocol):
    """A frame in, the body of a signed order out; None for a frame that asks for none."""

    def order_for(self, text: str | bytes, nonce: int, cloid: str) -> str | None: ...


class FastCore:
    """The program's own codec, units and signer around the ladder's quote and checks, in integers."""

    def __init__(self, key: str) -> None:
        self._signer = Signer(Key.parse(Secret(key)), Chain.TESTNET)
        self._position = 0
        self._books = BookMemory()
        self._half = round((HALF + math.log1p(GAMMA_VAR)) * SCALE)

    def order_for(self, text: str | bytes, nonce: int, cloid: str) -> str | None:
        book = decode_frame(text, self._books).frame
        if not isinstance(book, BookSnapshot):
            return None
        bid, ask = book.bids[0][0], book.asks[0][0]
        mid2 = bid + ask
        px = floor_to((mid2 - 2 * round(self._position * GAMMA_VAR) - 2 * self._half) // 2, TICK)
        if not self._passes(px, ask, mid2):
            return None
        row = order_row(ASSET, Side.BUY, Px(px), Qty(LOTS * SCALE), Tif.ALO, ClientId(cloid), reduce_only=False)
        action = {"type": "order", "orders": [row], "grouping": "na"}
        signature = self._signer.sign_action(action, nonce, None, nonce + EXPIRES_MS)
        return exchange_body(action, nonce, signature.fields(), None, nonce + EXPIRES_MS).decode()

    def _passes(self, px: int, ask: int, mid2: int) -> bool:
        notional = px * LOTS
        return (
            0 < px < SCALE
            and px < ask
            and abs(2 * px - mid2) <= 2 * MAX_DEVIATION * SCALE
            and notional <= MAX_NOTIONAL * SCALE
            and notional >= MIN_NOTIONAL * SCALE
            and abs(self._position + LOTS * SCALE) <= 10 * LOTS * SCALE
        )
