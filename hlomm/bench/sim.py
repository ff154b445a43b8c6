"""The simulated world: how much faster than real time it lives, and what the simulated venue can tell."""

from __future__ import annotations

import time
from typing import Any, Final

import attrs

from hlomm.bench.machine import about
from hlomm.bench.quiet import Watch, load_before
from hlomm.domain.markets import Leg
from hlomm.domain.times import NS_PER_S
from hlomm.research.soak.campaign import hush, run_seed
from hlomm.research.soak.weather import Fault
from hlomm.sim.coins import PERP_COIN, outcome_coin
from hlomm.sim.config import SimConfig
from hlomm.sim.hl.hub import Hub
from hlomm.sim.hl.peers import Lane
from hlomm.sim.hl.subscriptions import Subscription, Topic
from hlomm.sim.hl.venue import Venue
from hlomm.sim.listing import first_origin

Json = dict[str, Any]

ORIGIN_NS: Final = 1_778_385_600 * NS_PER_S
_DAY_S: Final = 86_400.0


@attrs.frozen(kw_only=True)
class Plan:
    days: float = 0.25
    """Of one seed of the soak, with every fault."""
    seed: int = 0
    venue_s: float = 120.0
    """Of the simulated Hyperliquid alone, followed by one client."""


@attrs.define(eq=False)
class _Client:
    """Takes everything and counts it."""

    frames: int = 0
    size: int = 0

    def push(self, payload: bytes, due_ns: int, lane: Lane) -> None:
        del due_ns, lane
        self.frames += 1
        self.size += len(payload)

    def close(self, code: int, reason: str) -> None:
        raise AssertionError(f"nothing closes this client: {code} {reason}")


def run(plan: Plan) -> Json:
    """The document of `hlomm bench sim`."""
    hush()
    early, watch = load_before(), Watch()
    begun_s = time.process_time()
    lived = run_seed(plan.seed, plan.days, tuple(Fault))
    soak_s = time.process_time() - begun_s
    venue = _venue(plan.venue_s)
    seen = watch.seen()
    return {
        "bench": "sim",
        "soak": {
            "virtual_s": lived.virtual_s, "cpu_s": round(soak_s, 3), "wall_s": round(lived.wall_s, 3),
            "ratio": round(lived.virtual_s / max(soak_s, 1e-9), 1), "findings": [str(one) for one in lived.findings],
            "day_takes_s": round(soak_s * _DAY_S / max(lived.virtual_s, 1e-9), 1), "counts": lived.counts,
        },
        "venue": venue, **seen, "disturbed": early + seen["disturbed"], **about(),
    }  # fmt: skip


def _venue(span_s: float) -> Json:
    config = SimConfig()
    origin_ns = first_origin(config.listing, ORIGIN_NS)
    venue, client = Venue(config, 1, origin_ns), _Client()
    hub = Hub(venue)
    for subscription in _streams(venue):
        hub.join(client, subscription)
    begun_s, blocks = time.process_time(), venue.world.blocks
    venue.world.advance(origin_ns + round(span_s * NS_PER_S))
    cpu_s, blocks = max(time.process_time() - begun_s, 1e-9), venue.world.blocks - blocks
    return {
        "virtual_s": span_s, "cpu_s": round(cpu_s, 3), "ratio": round(span_s / cpu_s, 1), "blocks": blocks,
        "blocks_per_s": round(blocks / cpu_s), "frames": client.frames, "frames_per_s": round(client.frames / cpu_s),
        "bytes": client.size,
    }  # fmt: skip


def _streams(venue: Venue) -> list[Subscription]:
    """What the daemon follows: book, touch and trades of every outcome, touch and context of the perp, its account."""
    user = venue.accounts[0].address
    found = [Subscription(topic, user=user) for topic in (Topic.ORDER_UPDATES, Topic.USER_FILLS, Topic.SPOT_STATE)]
    found += [Subscription(topic, coin=PERP_COIN) for topic in (Topic.BBO, Topic.ACTIVE_ASSET_CTX)]
    for outcome in venue.exchange.outcomes:
        coin = outcome_coin(outcome, Leg.YES)
        found += [Subscription(Topic.L2_BOOK, coin=coin, fast=True)]
        found += [Subscription(topic, coin=coin) for topic in (Topic.BBO, Topic.TRADES)]
    return found
