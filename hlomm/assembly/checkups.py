"""What `hlomm doctor --live` asks: addresses to be reached, and the questions of each venue with the keys of a run."""

from __future__ import annotations

from hlomm.assembly.venues import hyperliquid_config, kalshi_config, polymarket_config
from hlomm.domain.secret import Secret
from hlomm.settings.charge import HyperliquidCharge, KalshiCharge, PolymarketCharge, VenueCharge
from hlomm.settings.venues import Hyperliquid, Kalshi, Polymarket
from hlomm.venues.checking import Checkup, Probe
from hlomm.venues.clock import Clock
from hlomm.venues.hyperliquid.checkup import HyperliquidCheckup
from hlomm.venues.hyperliquid.parts import assemble as hyperliquid_parts
from hlomm.venues.kalshi.checkup import KalshiCheckup
from hlomm.venues.kalshi.parts import assemble as kalshi_parts
from hlomm.venues.polymarket.checkup import PolymarketCheckup
from hlomm.venues.polymarket.parts import assemble as polymarket_parts
from hlomm.venues.transport import Transport


def checkup(charge: VenueCharge, key: Secret, clock: Clock, transport: Transport | None = None) -> Checkup:
    """The questions about one account. `key` trades it; the guardian's is in the charge, where it has its own."""
    way = Transport() if transport is None else transport
    match charge:
        case HyperliquidCharge(section=section):
            keys = (key,) if charge.key == key else (key, charge.key)
            configs = [
                hyperliquid_config(section, None, one, rest=charge.rest, ws=charge.ws, account=charge.account)
                for one in keys
            ]
            return HyperliquidCheckup(*(hyperliquid_parts(config, way, clock) for config in configs))
        case PolymarketCharge(section=section):
            return PolymarketCheckup(
                polymarket_parts(polymarket_config(section, None, key, charge.api_key), way, clock)
            )
        case KalshiCharge(section=section):
            return KalshiCheckup(kalshi_parts(kalshi_config(section, None, key), way, clock))


def probes(section: Hyperliquid | Polymarket | Kalshi) -> tuple[Probe, ...]:
    """Addresses of a venue, and a public question to each."""
    match section:
        case Hyperliquid():
            return (Probe("rest", section.rest, "POST", "/info", b'{"type":"exchangeStatus"}'),)
        case Polymarket():
            gamma = Probe("gamma", section.gamma, path="/events/keyset?limit=1")
            return Probe("rest", section.clob, path="/time"), gamma
        case Kalshi():
            return (Probe("rest", section.rest, path="/exchange/status"),)
