"""The simulated venues of one process, side by side: one seed, one clock, one price of BTC that all of them see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs

from hlomm.domain.units import SCALE
from hlomm.sim.clock import VenueClock
from hlomm.sim.config import SimConfig
from hlomm.sim.contracts import Kind
from hlomm.sim.hl.venue import Venue
from hlomm.sim.kalshi.listing import Neighbour
from hlomm.sim.kalshi.venue import KalshiVenue
from hlomm.sim.kalshi.world import common_path
from hlomm.sim.outcome_market import OutcomeSpec
from hlomm.sim.path import PricePath
from hlomm.sim.pm.listing import Contract, Mirror
from hlomm.sim.pm.venue import PolymarketVenue
from hlomm.sim.speak_hyperliquid import HyperliquidSpeaker
from hlomm.sim.speak_kalshi import KalshiSpeaker
from hlomm.sim.speak_polymarket import DATA, GAMMA, PolymarketSpeaker
from hlomm.sim.speaker import Speaker

Json = dict[str, Any]
_CENT: Final = SCALE // 100


@attrs.frozen
class Stand:
    """One venue of the town."""

    name: str
    speaker: Speaker
    document: Callable[[str, str], Json]
    """What a client needs to attach, given `http://host:port` and `ws://host:port`."""


def contracts(venue: Venue, now_ns: int) -> list[OutcomeSpec]:
    """The binaries that Hyperliquid lists at an instant, whichever of the venues has come to it first."""
    venue.world.advance(now_ns)
    series = [one for one in venue.world.listing.series if one.kind is Kind.BINARY]
    return [one.live for one in series if isinstance(one.live, OutcomeSpec)]


def mirror_of(venue: Venue) -> Mirror:
    """What Polymarket copies."""
    return lambda now_ns: [Contract(spec.period, spec.expiry_ns, spec.target) for spec in contracts(venue, now_ns)]


def neighbour_of(venue: Venue, clock: VenueClock) -> Neighbour:
    """What Kalshi copies: the strike for an expiry of a series, in cents."""

    def strike(expiry_ns: int, period: str) -> int | None:
        listed = contracts(venue, clock.now_ns())
        same = (spec for spec in listed if (spec.expiry_ns, spec.period) == (expiry_ns, period))
        return next((spec.target // _CENT for spec in same), None)

    return strike


@attrs.define(eq=False)
class Town:
    """Builds venues in an order in which each finds what it copies from the others."""

    config: SimConfig
    seed: int
    origin_ns: int
    clock: VenueClock
    hyperliquid: Venue | None = None
    stands: dict[str, Stand] = attrs.field(factory=dict)

    def open(self, names: Sequence[str]) -> None:
        for name, build in _BUILDERS.items():
            if name in names:
                self.stands[name] = build(self)

    def path(self) -> PricePath:
        """The common path: a simulated Hyperliquid is on it, and one that is not served would be."""
        return common_path(self.config, self.seed) if self.hyperliquid is None else self.hyperliquid.world.path


def _hyperliquid(town: Town) -> Stand:
    venue = town.hyperliquid = Venue(town.config, town.seed, town.origin_ns)

    def document(rest: str, ws: str) -> Json:
        accounts = [attrs.asdict(account) for account in venue.accounts]
        return {"rest": rest, "ws": f"{ws}/ws", "chain": venue.chain, "accounts": accounts}

    return Stand("hyperliquid", HyperliquidSpeaker(venue, town.clock), document)


def _polymarket(town: Town) -> Stand:
    mirror = None if town.hyperliquid is None else mirror_of(town.hyperliquid)
    venue = PolymarketVenue(town.config, town.seed, town.origin_ns, town.path(), mirror=mirror)

    def document(rest: str, ws: str) -> Json:
        accounts = [attrs.asdict(account) for account in venue.accounts]
        return {"rest": rest, "gamma": rest + GAMMA, "data": rest + DATA, "ws": f"{ws}/ws", "accounts": accounts}

    return Stand("polymarket", PolymarketSpeaker(venue, town.clock), document)


def _kalshi(town: Town) -> Stand:
    neighbour = None if town.hyperliquid is None else neighbour_of(town.hyperliquid, town.clock)
    venue = KalshiVenue(town.config, town.seed, town.origin_ns, town.path(), neighbour=neighbour)
    return Stand("kalshi", KalshiSpeaker(venue, town.clock), venue.document)


_BUILDERS: Final[dict[str, Callable[[Town], Stand]]] = {
    "hyperliquid": _hyperliquid, "polymarket": _polymarket, "kalshi": _kalshi,
}  # fmt: skip
