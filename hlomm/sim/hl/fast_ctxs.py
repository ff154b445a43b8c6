"""The compressed mark stream: base64 of raw DEFLATE of JSON, first everything, then what changed (venue sheet 3)."""

from __future__ import annotations

import base64
import zlib
from typing import Final

import msgspec

from hlomm.domain.markets import Leg
from hlomm.sim.coins import PERP_COIN, PERP_GRID, outcome_coin, wire
from hlomm.sim.exchange import Exchange
from hlomm.sim.hl.rows import mid

_RAW: Final = -15
"""zlib's word for a stream without header."""

Contexts = dict[str, dict[str, str]]


class FastContexts:
    """Marks and mids of every coin, and what of them the subscribers have been told."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._told: Contexts = {}

    def full(self) -> str:
        """Everything, for a new subscriber."""
        return pack(self._contexts())

    def changes(self) -> str | None:
        """What changed since the last call, None if nothing did."""
        now = self._contexts()
        changed: Contexts = {}
        for coin, context in now.items():
            told = self._told.get(coin, {})
            fields = {name: value for name, value in context.items() if told.get(name) != value}
            if fields:
                changed[coin] = fields
        self._told = now
        return pack(changed) if changed else None

    def _contexts(self) -> Contexts:
        perp = self._exchange.perp
        contexts = {PERP_COIN: {"markPx": wire(perp.mark_ticks * PERP_GRID.tick)}}
        middle = mid(perp, Leg.YES)
        if middle is not None:
            contexts[PERP_COIN]["midPx"] = wire(middle)
        for market in self._exchange.outcomes.values():
            for leg in Leg:
                middle = mid(market, leg)
                if middle is not None:
                    contexts[outcome_coin(market.number, leg)] = {"markPx": wire(middle), "midPx": wire(middle)}
        return contexts


def pack(contexts: Contexts) -> str:
    """The wire form of some contexts."""
    squeezer = zlib.compressobj(wbits=_RAW)
    packed = squeezer.compress(msgspec.json.encode(contexts)) + squeezer.flush()
    return base64.b64encode(packed).decode()
