"""What a guardian is started with: whom to watch, which accounts to make safe, and the means to do it.

It travels over the pipe that is the guardian's standard input, and nowhere else: it holds keys.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hlomm.domain.faults import ConfigError
from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET, MarketId, VenueId, perp_market
from hlomm.domain.secret import Secret, seal
from hlomm.domain.times import ClockMap
from hlomm.link.guardian import Policy
from hlomm.settings.schema import Guardian
from hlomm.settings.venues import Hyperliquid, Kalshi, Polymarket
from hlomm.venues.polymarket.auth import ApiKey

MAX_CHARGE: Final = 1 << 20


class HyperliquidCharge(msgspec.Struct, frozen=True, kw_only=True, tag="hyperliquid"):
    """One account and how to reach it."""

    section: Hyperliquid
    rest: str
    ws: str
    account: str
    key: Secret

    @property
    def venue(self) -> VenueId:
        return HYPERLIQUID

    @property
    def late_s(self) -> float:
        """How long after it was sent an order may still arrive, in venue seconds."""
        return self.section.late_s

    @property
    def perps(self) -> frozenset[MarketId]:
        """Those that are ours to close."""
        return frozenset(perp_market(HYPERLIQUID, coin) for coin in self.section.underlyings)

    def place(self, profile: str) -> str:
        """The network of the account as `hlomm run` names it in the account's lock.

        A simulated one is where it is served; a real one is the same whichever address leads to it.
        """
        return self.rest if profile == "sim" else self.section.chain

    def __repr__(self) -> str:
        return f"HyperliquidCharge({self.rest}, {self.account}, key withheld)"


class PolymarketCharge(msgspec.Struct, frozen=True, kw_only=True, tag="polymarket"):
    """One wallet at Polymarket. The section has every address, those of a simulator too."""

    section: Polymarket
    key: Secret
    """Of the owner that signs. It is the daemon's as well: orders belong to the API key of the one who placed them."""
    api_key: ApiKey | None = None
    """None: the one that the venue derives from the key."""

    @property
    def venue(self) -> VenueId:
        return POLYMARKET

    @property
    def account(self) -> str:
        return self.section.account.lower()

    @property
    def late_s(self) -> float:
        return self.section.late_s

    @property
    def perps(self) -> frozenset[MarketId]:
        return frozenset()

    def place(self, profile: str) -> str:
        return self.section.clob if profile == "sim" else "polygon"

    def __repr__(self) -> str:
        return f"PolymarketCharge({self.section.clob}, {self.account}, key withheld)"


class KalshiCharge(msgspec.Struct, frozen=True, kw_only=True, tag="kalshi"):
    """One member of Kalshi. The section has every address, those of a simulator too."""

    section: Kalshi
    key: Secret
    """PEM of the API key."""

    @property
    def venue(self) -> VenueId:
        return KALSHI

    @property
    def account(self) -> str:
        return self.section.account

    @property
    def late_s(self) -> float:
        return self.section.late_s

    @property
    def perps(self) -> frozenset[MarketId]:
        return frozenset()

    def place(self, profile: str) -> str:
        """The domain tells the demonstration from the exchange; each has several hosts."""
        host = self.section.rest.partition("://")[2].partition("/")[0]
        return self.section.rest if profile == "sim" else ".".join(host.partition(":")[0].split(".")[-2:])

    def __repr__(self) -> str:
        return f"KalshiCharge({self.section.rest}, {self.account}, key withheld)"


VenueCharge = HyperliquidCharge | PolymarketCharge | KalshiCharge


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    pid: int
    """The daemon to watch, and when that process began."""
    started: int
    profile: str
    rules: Guardian
    policy: Policy
    """Until the first beat brings a newer one."""
    frozen_s: float
    """How long a daemon whose engine raised may take to sweep by itself."""
    clock: ClockMap
    venues: tuple[VenueCharge, ...]


def encode_charge(charge: Charge) -> bytes:
    """With its keys in the clear: for the pipe to the guardian and nothing else."""
    return msgspec.json.encode(charge, enc_hook=_reveal)


def _reveal(value: object) -> str:
    if not isinstance(value, Secret):
        raise NotImplementedError(f"no way to write a {type(value).__name__}")
    return value.reveal()


def decode_charge(raw: bytes) -> Charge:
    """The charge; the error never repeats the text, which may hold keys."""
    try:
        return msgspec.json.decode(raw, type=Charge, dec_hook=seal)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ConfigError(
            f"guardian: {len(raw)} bytes on standard input are not a charge — it is started by `hlomm run`"
        ) from None
