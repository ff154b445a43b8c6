"""What each choice bought: from a first attempt, rung by rung, to the whole daemon, in one table."""

from __future__ import annotations

import statistics
from typing import Any, Final

import attrs
import trio

from hlomm.bench import hotpath
from hlomm.bench.apart import alone
from hlomm.bench.clients import STOCK, measure
from hlomm.bench.machine import about
from hlomm.bench.naive import NaiveCore
from hlomm.bench.peer import Peer, loopback
from hlomm.bench.quiet import load_before
from hlomm.bench.rungs import Core, FastCore

Json = dict[str, Any]

RUNGS: Final = {
    "naive": "trio-websocket, json, frozen attrs, Decimal, typed-data signing",
    "fast core": "trio-websocket; msgspec, integers, coincurve with a prepared domain",
    "library transport": "the fast core on our library transport: a drain task, one writer",
    "direct transport": "the fast core on our direct transport: the reader itself decides",
    "whole daemon": "direct transport; engine, risk gate, journal before every send",
}
"""Name and what it is, lowest first."""
_HOW: Final = {"naive": STOCK, "fast core": STOCK, "library transport": "library", "direct transport": "direct"}
_FIGURES: Final = ("p50", "p90", "p99")


@attrs.frozen(kw_only=True)
class Plan:
    rate: float = 200.0
    frames: int = 1_000
    """Of each rung in each round."""
    flood: int = 3_000
    """Frames as fast as they are taken, an order for each book; 0: none."""
    rounds: int = 4
    """Every rung once a round, so that a change of the machine meets all of them."""


def run(plan: Plan) -> Json:
    """The document of `hlomm bench naive`."""
    return trio.run(_climb, plan, strict_exception_groups=True)


async def _climb(plan: Plan) -> Json:
    early = load_before()
    rounds = [{name: await _stand_on(name, plan) for name in RUNGS} for _ in range(plan.rounds)]
    rungs = {name: _over([one[name] for one in rounds]) | {"what": what} for name, what in RUNGS.items()}
    reasons = sorted({f"{name}: {why}" for one in rounds for name, found in one.items() for why in found["disturbed"]})
    return {
        "bench": "naive", "rate": plan.rate, "rounds": plan.rounds, "rungs": rungs, "disturbed": early + reasons,
        **about(),
    }  # fmt: skip


async def _stand_on(name: str, plan: Plan) -> Json:
    """One rung, at a venue of its own."""
    if name == "whole daemon":
        seconds = plan.frames / plan.rate
        document = await hotpath.measure(hotpath.Plan(seconds=seconds, rates=(plan.rate,), flood=plan.flood))
        rates = document["rates"]
        return _row(rates[f"{plan.rate:g}"], rates.get("flood"))
    async with loopback() as peer:
        core = _core(name, peer)
        with alone():
            paced = await measure(peer, _HOW[name], core, plan.rate, plan.frames)
            flooded = await measure(peer, _HOW[name], core, 0.0, plan.flood, warm=0) if plan.flood else None
        return _row(paced, flooded)


def _core(name: str, peer: Peer) -> Core:
    key = str(peer.account["agent_key"])
    return NaiveCore(key) if name == "naive" else FastCore(key)


def _row(paced: Json, flooded: Json | None) -> Json:
    return {
        "total": paced["total"], "cpu_us_per_frame": paced["cpu_us_per_frame"], "frames": paced["frames"],
        "handled": paced["handled"], "orders": paced["orders"],
        "flood_per_s": None if flooded is None else flooded["frames_per_s"],
        "flood_orders": None if flooded is None else flooded["orders"],
        "disturbed": paced["disturbed"] + ([] if flooded is None else flooded["disturbed"]),
    }  # fmt: skip


def _over(rows: list[Json]) -> Json:
    """Medians over the rounds."""
    total = {name: round(statistics.median(row["total"].get(name, 0.0) for row in rows), 2) for name in _FIGURES}
    speeds = [row["flood_per_s"] for row in rows if row["flood_per_s"] is not None]
    return {
        "total": total | {"count": sum(row["total"]["count"] for row in rows)},
        "cpu_us_per_frame": round(statistics.median(row["cpu_us_per_frame"] for row in rows), 1),
        "flood_per_s": round(statistics.median(speeds)) if speeds else None,
        "frames": sum(row["frames"] for row in rows), "handled": sum(row["handled"] for row in rows),
        "orders": sum(row["orders"] for row in rows),
    }  # fmt: skip
