"""What Hyperliquid lets everybody ask (venue sheet sections 1 and 2): `/info`, and streams about no user."""

from __future__ import annotations

from typing import Final

import msgspec


class _Stream(msgspec.Struct):
    type: str
    user: object = None


class _Word(msgspec.Struct):
    method: str
    subscription: _Stream | None = None


_DECODER: Final = msgspec.json.Decoder(_Word)


class HyperliquidPublic:
    """See `hlomm.venues.public_transport.PublicRules`. Orders go by `/exchange` or by `post`: neither is here."""

    def asks(self, method: str, path: str) -> bool:
        return (method, path) == ("POST", "/info")

    def says(self, text: str) -> bool:
        try:
            word = _DECODER.decode(text)
        except msgspec.DecodeError:
            return False
        if word.method == "ping":
            return True
        about = word.subscription
        return word.method in ("subscribe", "unsubscribe") and about is not None and about.user is None
