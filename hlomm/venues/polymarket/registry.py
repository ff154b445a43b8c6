"""Markets and tokens that are known: what is listed, what is over, which token is which leg. Pure.

A market is listed once its terms are read and its time is near; it is told again when any of its terms changes. When it
ends it stays known until what it paid is known and nothing of it is left on the account, because its tokens still turn
into cash on their own.
"""

from __future__ import annotations

from typing import Final

import attrs
from msgspec.structs import replace

from hlomm.domain.ids import MarketId, polymarket_market
from hlomm.domain.inputs import Input, MarketChanged, MarketListed
from hlomm.domain.markets import Leg, Market
from hlomm.domain.times import NS_PER_S, seconds_to_ns
from hlomm.domain.units import Px
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.polymarket.wire.listings import Listing

TOKENS_MAX: Final = 16_384
_LENGTHS_S: Final = {"5m": 300, "15m": 900, "1h": 3_600, "4h": 14_400}


@attrs.frozen
class Token:
    """One side of a market. Prices of the NO token are mirrored into YES space by whoever reads them."""

    market: MarketId
    leg: Leg


@attrs.define(eq=False)
class Known:
    """A market by its tokens. `listing` is None for one that is only known from the account's own rows."""

    condition: str
    yes: str
    no: str
    listing: Listing | None = None
    paid: Px | None = None
    """What YES pays, once it is resolved."""
    told: bool = False
    """Whether the engine was told of it."""
    settled: bool = False
    """Whether the engine was told what it paid."""
    tick: Px | None = None
    neg_risk: bool = False

    @property
    def market(self) -> MarketId:
        return polymarket_market(self.condition)

    def token(self, leg: Leg) -> str:
        return self.yes if leg is Leg.YES else self.no


@attrs.define(eq=False)
class Registry:
    """What is known of the venue's markets. Times are wall nanoseconds of the venue."""

    underlyings: tuple[str, ...]
    horizon_s: float
    windows_ahead: int
    markets: dict[MarketId, Known] = attrs.field(factory=dict)
    _tokens: BoundedMap[str, Token] = attrs.field(factory=lambda: BoundedMap(TOKENS_MAX))

    def token(self, asset: str) -> Token | None:
        return self._tokens.get(asset)

    def known(self, market: MarketId) -> Known | None:
        return self.markets.get(market)

    def listing(self, market: MarketId) -> Listing | None:
        known = self.markets.get(market)
        return None if known is None else known.listing

    def live(self, market: MarketId, wall_ns: int) -> bool:
        """Whether orders and subscriptions make sense: listed, not ended, not resolved."""
        known = self.markets.get(market)
        if known is None or known.listing is None or known.paid is not None:
            return False
        expiry = known.listing.market.expiry_ns
        return expiry is None or wall_ns < expiry

    def ended(self, wall_ns: int) -> list[Known]:
        """Markets past their end whose payout nobody has told the engine yet."""
        return [one for one in self.markets.values() if not one.settled and not self.live(one.market, wall_ns)]

    def all_listed(self) -> list[Market]:
        return [one.listing.market for one in self.markets.values() if one.listing is not None and one.told]

    def near(self, listing: Listing, wall_ns: int) -> bool:
        """Whether a market is ours and its time has come."""
        market = listing.market
        if market.underlying not in self.underlyings or market.expiry_ns is None or market.expiry_ns <= wall_ns:
            return False
        length_s = _LENGTHS_S.get(market.period) if market.klass.startswith("updown") else None
        ahead_s = self.horizon_s if length_s is None else (self.windows_ahead + 1) * length_s
        return market.expiry_ns - wall_ns <= seconds_to_ns(ahead_s)

    def take(self, listing: Listing, wall_ns: int) -> Input | None:
        """Enter a market or what has changed in it; the news, if there is any."""
        known = self.markets.get(listing.market.id)
        if known is None or known.listing is None:
            if not listing.accepting or not self.near(listing, wall_ns):
                return None
            if known is None:
                known = self.learn(listing.condition, listing.yes, listing.no)
            known.listing, known.told = listing, True
            known.tick, known.neg_risk = listing.market.tick, listing.neg_risk
            return MarketListed(listing.market)
        if (known.yes, known.no) != (listing.yes, listing.no):
            return None  # tokens never change: a row that says so is not believed
        before, known.listing = known.listing, listing
        known.tick, known.neg_risk = listing.market.tick, listing.neg_risk
        return None if before.market == listing.market else MarketChanged(listing.market)

    def tick_changed(self, market: MarketId, tick: Px) -> Input | None:
        known = self.markets.get(market)
        if known is None or known.listing is None or known.listing.market.tick == tick:
            return None
        known.listing = replace(known.listing, market=replace(known.listing.market, tick=tick))
        known.tick = tick
        return MarketChanged(known.listing.market)

    def learn(self, condition: str, yes: str, no: str) -> Known:
        """Tokens of a market, wherever they were read."""
        market = polymarket_market(condition)
        known = self.markets.get(market)
        if known is None:
            known = self.markets[market] = Known(condition, yes, no)
            self._tokens.put(yes, Token(market, Leg.YES))
            self._tokens.put(no, Token(market, Leg.NO))
        return known

    def forget(self, market: MarketId) -> None:
        """Nothing of it is left."""
        known = self.markets.pop(market, None)
        if known is not None:
            self._tokens.pop(known.yes)
            self._tokens.pop(known.no)

    def long_over(self, known: Known, wall_ns: int, after_s: int = 600) -> bool:
        """Settled, and its end so long ago that nothing of it comes any more."""
        if not known.settled:
            return False
        expiry = None if known.listing is None else known.listing.market.expiry_ns
        return expiry is None or wall_ns - expiry > after_s * NS_PER_S
