"""Golden vectors and recordings, as the tests of the wire have them."""

from __future__ import annotations

from tests.wire.hyperliquid.conftest import shared

__all__ = ["shared"]
