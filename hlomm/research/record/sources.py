"""From settings to watchers: which venues are recorded, and where they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET
from hlomm.research.record.recorder import Ear, Recorder, Stamps, size_of
from hlomm.research.record.tap import Listener, TappedTransport
from hlomm.research.record.writer import Writer
from hlomm.research.store.spool import FOLDER
from hlomm.settings.venues import Hyperliquid, Kalshi, Polymarket
from hlomm.venues.clock import Clock
from hlomm.venues.hyperliquid.config import HyperliquidConfig
from hlomm.venues.hyperliquid.signing import Chain
from hlomm.venues.hyperliquid.watch import HyperliquidWatcher
from hlomm.venues.hyperliquid.watch import public_config as hyperliquid_config
from hlomm.venues.kalshi.watch import KalshiWatcher
from hlomm.venues.kalshi.watch import public_config as kalshi_config
from hlomm.venues.polymarket.watch import PolymarketWatcher
from hlomm.venues.polymarket.watch import public_config as polymarket_config
from hlomm.venues.transport import Transport
from hlomm.venues.watching import Choice, Watcher
from hlomm.venues.websocket import WebSocketKind

MakeWatcher = Callable[[Transport, Clock], Watcher]


@attrs.frozen(kw_only=True)
class Place:
    """A venue's section of the configuration, and its addresses: those of the section, or of a simulator."""

    section: Hyperliquid | Polymarket | Kalshi
    rest: str
    ws: str
    gamma: str = ""


@attrs.frozen(kw_only=True)
class Source:
    venue: str
    watcher: MakeWatcher


def sources(places: Sequence[Place], patterns: tuple[str, ...]) -> list[Source]:
    """A source for each place; `patterns` say which of the listed markets are followed."""
    return [_source(place, patterns) for place in places]


def _source(place: Place, patterns: tuple[str, ...]) -> Source:
    match place.section:
        case Hyperliquid() as section:
            return _hyperliquid(place, section, patterns)
        case Polymarket() as section:
            return _polymarket(place, section, patterns)
        case Kalshi() as section:
            return _kalshi(place, section, patterns)


def hyperliquid_at(place: Place, section: Hyperliquid) -> HyperliquidConfig:
    """The configuration of somebody who only looks at a Hyperliquid."""
    return hyperliquid_config(
        rest_url=place.rest, ws_url=place.ws, chain=Chain[section.chain.upper()], underlyings=section.underlyings,
        quote_token=section.quote_token or None, websocket=WebSocketKind(section.transport),
        request_deadline_s=section.request_s, ping_every_s=section.ping_s, pong_deadline_s=section.pong_s,
        silence_s=section.silence_s,
    )  # fmt: skip


def _hyperliquid(place: Place, section: Hyperliquid, patterns: tuple[str, ...]) -> Source:
    config = hyperliquid_at(place, section)
    return Source(
        venue=HYPERLIQUID,
        watcher=lambda transport, clock: HyperliquidWatcher(
            config, transport=transport, clock=clock, choice=Choice(patterns)
        ),
    )


def _polymarket(place: Place, section: Polymarket, patterns: tuple[str, ...]) -> Source:
    config = polymarket_config(
        clob_url=place.rest, gamma_url=place.gamma, ws_url=place.ws, websocket=WebSocketKind(section.transport),
        underlyings=section.underlyings, horizon_s=section.horizon_s, request_deadline_s=section.request_s,
        ping_every_s=section.ping_s, pong_deadline_s=section.pong_s,
    )  # fmt: skip
    return Source(
        venue=POLYMARKET,
        watcher=lambda transport, clock: PolymarketWatcher(
            config, transport=transport, clock=clock, choice=Choice(patterns)
        ),
    )


def _kalshi(place: Place, section: Kalshi, patterns: tuple[str, ...]) -> Source:
    config = kalshi_config(
        rest_url=place.rest, ws_url=place.ws, series=section.series, shard=section.shard,
        horizon_s=section.horizon_s, request_deadline_s=section.request_s,
    )  # fmt: skip
    return Source(
        venue=KALSHI,
        watcher=lambda transport, clock: KalshiWatcher(
            config, transport=transport, clock=clock, choice=Choice(patterns)
        ),
    )


def open_recorder(
    chosen: Sequence[Source], clock: Clock, root: Path, *, run: int, source: str, budget: int | None
) -> Recorder:
    """A recorder of these venues into one store."""
    writer = Writer(root, run, source, budget, size_of(root), size_of(root / FOLDER))
    stamps = Stamps(clock)
    ears = []
    for one in chosen:
        ear = Ear(one.venue, writer, stamps)
        listener: Listener = ear
        ears.append((ear, one.watcher(TappedTransport(listener=listener), clock)))
    return Recorder(writer, ears)
