"""More book events than markets have, at three venues, for as long as you like.

Does the daemon keep up, and does it grow? One of them, with its journal, its gate and its engine, quotes at Hyperliquid
and watches what is linked to that at Polymarket and Kalshi. All three are in another process and tell books at a stated
pace. Quotes move as they do by default, so that orders are a few a second; an order with every book is what `hotpath`
measures.
"""

from __future__ import annotations

import sys
import time
from typing import Any, Final

import attrs
import trio

from hlomm.bench.ages import Ages
from hlomm.bench.desk import READY_S, Desk, attached
from hlomm.bench.machine import about, memory_mb
from hlomm.bench.pace import Pace
from hlomm.bench.peer import Peer, three_venues
from hlomm.bench.quiet import Watch, load_before
from hlomm.bench.serve import spread
from hlomm.bench.square import LEFT_S
from hlomm.bench.trend import TOO_SHORT, judged, slope
from hlomm.bench.trend import WARM_S as MEMORY_WARM_S
from hlomm.domain.faults import UsageError
from hlomm.domain.ids import MarketId
from hlomm.domain.times import NS_PER_MS, NS_PER_S

Json = dict[str, Any]

RATES: Final = (5_000.0, 10_000.0)
VENUES: Final = 3
WARM_RATE: Final = 600.0
WARM_S: Final = 5.0
SAMPLE_S: Final = 5.0
STALLED_S: Final = 5.0
"""So long without any event after the last was sent: the rest never comes."""
WARM_STALLED_S: Final = 0.5
AHEAD_NS: Final = 200 * NS_PER_MS
"""From the command to the first event."""
LATE_MAX_MS: Final = 1_000.0
"""An event that is so old when it is decided on was overtaken by what came after it."""
GROWS_MAX: Final = 2.0
"""Age of the second half as a multiple of that of the first, beyond `GROWS_FROM_MS`: what is behind falls further."""
GROWS_FROM_MS: Final = 50.0


@attrs.frozen(kw_only=True)
class Plan:
    seconds: float = 60.0
    """At each rate."""
    rates: tuple[float, ...] = RATES
    """Book events a second, over the three venues together."""
    markets: int = 3
    """At each venue."""
    lump_ms: float = 2.0
    """What happened meanwhile is told in one piece."""
    sample_s: float = SAMPLE_S
    sets: tuple[str, ...] = ()
    """Settings beside those that a measurement needs."""

    def __attrs_post_init__(self) -> None:
        if not self.rates:
            raise UsageError("nothing to measure: no rate")


def run(plan: Plan) -> Json:
    """The document of `hlomm bench flood`."""
    return trio.run(measure, plan, strict_exception_groups=True)


async def measure(plan: Plan) -> Json:
    early, ages, rates = load_before(), Ages(), dict[str, Json]()
    async with three_venues(plan.markets) as (peer, document):
        with ages.installed():
            async with attached(document, plan.sets, plan.markets) as desk:
                await _followed(peer, plan.markets)
                ages.markets = _fed(desk)
                await _warmed(peer, ages, plan)
                for rate in plan.rates:
                    found = rates[f"{rate:g}"] = await stretch(desk, peer, ages, plan, rate, plan.seconds)
                    if found["handled"] < found["events"]:
                        break  # connections were lost with what was on them, and the daemon has got out
    return {
        "bench": "flood", "seconds": plan.seconds, "markets": plan.markets, "venues": VENUES, "lump_ms": plan.lump_ms,
        "rates": rates, "not_measured": list(plan.rates[len(rates):]),
        "disturbed": early + sorted({f"{name}: {why}" for name, one in rates.items() for why in one["disturbed"]}),
        **about(),
    }  # fmt: skip


async def _followed(peer: Peer, markets: int) -> None:
    """Wait until the daemon has asked for the books of all markets at all venues."""
    with trio.fail_after(READY_S):
        while any(count < markets for count in (await peer.follows()).values()):  # noqa: ASYNC110 - another process
            await trio.sleep(0.1)


def _fed(desk: Desk) -> frozenset[MarketId]:
    """Contracts that end in days; others come and go meanwhile."""
    listed, least_ns = desk.daemon.pump.engine.state.markets, time.time_ns() + LEFT_S.start * NS_PER_S
    return frozenset(key for key, one in listed.items() if (one.market.expiry_ns or 0) >= least_ns)


def _pace(plan: Plan, rate: float, seconds: float) -> Pace:
    """Of one venue."""
    events = max(round(rate * seconds / VENUES), 1)
    return Pace(time.monotonic_ns() + AHEAD_NS, events, round(seconds * NS_PER_S), round(plan.lump_ms * NS_PER_MS))


async def _warmed(peer: Peer, ages: Ages, plan: Plan) -> None:
    """Every path was walked, and every market has been told its whole book."""
    pace = _pace(plan, WARM_RATE, WARM_S)
    ages.begin(pace)
    await peer.flood(pace)
    await _until_handled(ages, VENUES * pace.events, WARM_STALLED_S)
    await trio.sleep(WARM_STALLED_S)  # whole books came beside, and nobody counted those


async def stretch(desk: Desk, peer: Peer, ages: Ages, plan: Plan, rate: float, seconds: float) -> Json:
    """So many events a second for so long, until the last of them was decided on; what was seen."""
    await desk.settled()
    pace, journal = _pace(plan, rate, seconds), desk.daemon.journal
    events = VENUES * pace.events
    ages.begin(pace)
    seen, samples = _Seen(desk, ages, pace), list[Json]()
    watch, before, written, cpu_s = Watch((peer.pid,)), await peer.acted(), journal.bytes, time.process_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(seen.keep, plan.sample_s, samples)
        told = await peer.flood(pace)
        await _until_handled(ages, events, STALLED_S)
        nursery.cancel_scope.cancel(reason="the stretch is over")
    took_s = (time.monotonic_ns() - pace.at_ns) / NS_PER_S
    cpu_s, machine = time.process_time() - cpu_s, watch.seen()
    after = await peer.acted()
    handled = ages.total
    found: Json = {
        "events": events, "handled": handled, "by_venue": dict(ages.handled), "turns": ages.turns,
        "events_per_turn": round(handled / max(ages.turns, 1), 2), "most_in_a_turn": ages.most,
        "events_per_s": round(handled / took_s, 1), "age_ms": _ages(ages),
        "sender_late_ms": {name: _in_ms(one["late"]) for name, one in told["lanes"].items()},
        "frames": sum(one["frames"] for one in told["lanes"].values()),
        "cpu_us_per_event": round(cpu_s / max(handled, 1) * 1e6, 2), "cpu_share": round(cpu_s / took_s, 3),
        "venue_cpu_share": round(told["cpu_s"] / took_s, 3),
        "journal_bytes_per_event": round((journal.bytes - written) / max(handled, 1), 1),
        "orders": after.get("orders", 0) - before.get("orders", 0), "queues": seen.queues(),
        "reconnects": seen.reconnects(), "memory": grown(samples), "samples": samples, **machine,
    }  # fmt: skip
    return found | {"behind": behind(found)}


async def _until_handled(ages: Ages, events: int, stalled_s: float) -> None:
    """Until all were decided on, or nothing has come for so long."""
    before, quiet_s = -1, 0.0
    while ages.total < events and quiet_s < stalled_s:
        before, quiet_s = ages.total, quiet_s + 0.05 if ages.total == before else 0.0
        await trio.sleep(0.05)


def behind(found: Json) -> list[str]:
    """Reasons to say that it did not keep up; none if it did."""
    first, second = (found["age_ms"][half] for half in ("first_half", "second_half"))
    reasons = []
    if found["handled"] < found["events"]:
        reasons.append(f"{found['events'] - found['handled']} events were never decided on")
    elif second["p99"] > LATE_MAX_MS:
        reasons.append(f"an event in a hundred of the second half was {second['p99']:,.0f} ms old")
    if second["count"] and second["p50"] > max(GROWS_MAX * first["p50"], GROWS_FROM_MS):
        reasons.append(f"events grew older: {first['p50']:,.1f} ms, then {second['p50']:,.1f} ms (p50 of the halves)")
    if found["reconnects"]:
        reasons.append(f"{found['reconnects']} connections were lost")
    return reasons


def grown(samples: list[Json]) -> Json:
    """The verdict on the resident set; and by how many blocks the interpreter's own heap grew.

    Where the one grows and the other does not, nothing is kept: the heap has holes.
    """
    times = [one["at_s"] for one in samples]
    found = judged(times, [one["memory_mb"] for one in samples])
    if found["verdict"] != TOO_SHORT:
        warm = [(one["at_s"], one["blocks"]) for one in samples if one["at_s"] >= MEMORY_WARM_S]
        found["blocks_per_min"] = round(slope(*zip(*warm, strict=True)))
    return found


def _ages(ages: Ages) -> Json:
    names = ("first_half", "second_half")
    return {name: _in_ms(spread(one)) for name, one in zip(names, ages.halves, strict=True)}


def _in_ms(found: Json) -> Json:
    return {name: value if name == "count" else round(value / 1000, 3) for name, value in found.items()}


@attrs.define(eq=False)
class _Seen:
    """The daemon's process meanwhile."""

    _desk: Desk
    _ages: Ages
    _pace: Pace
    _reconnects: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._reconnects = self._lost()

    async def keep(self, every_s: float, samples: list[Json]) -> None:
        """A row every so often, for ever."""
        while True:
            await trio.sleep(every_s)
            recent, self._ages.recent = self._ages.recent, type(self._ages.recent)()
            samples.append(
                {
                    "at_s": round((time.monotonic_ns() - self._pace.at_ns) / NS_PER_S, 2), "memory_mb": memory_mb(),
                    "blocks": sys.getallocatedblocks(), "handled": self._ages.total, "age_ms": _in_ms(spread(recent)),
                }
            )  # fmt: skip

    def queues(self) -> Json:
        """Peaks since the daemon began."""
        return {row.name: row.peak for row in self._desk.daemon.monitor.snapshot().queues}

    def reconnects(self) -> int:
        return self._lost() - self._reconnects

    def _lost(self) -> int:
        return sum(session.statistics().reconnects for session in self._desk.sessions.values())
