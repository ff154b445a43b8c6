"""Both websocket transports beside one another, and three ways of an order over REST: latency and processor time."""

from __future__ import annotations

import statistics
from typing import Any, Final

import attrs
import trio

from hlomm.bench.apart import alone
from hlomm.bench.clients import measure
from hlomm.bench.machine import about
from hlomm.bench.peer import loopback
from hlomm.bench.quiet import load_before
from hlomm.bench.requests import WAYS
from hlomm.bench.requests import measure as measure_requests
from hlomm.venues.websocket import WebSocketKind

Json = dict[str, Any]

KINDS: Final = tuple(kind.value for kind in WebSocketKind)
_STEPS: Final = ("receive", "send", "total")
_BODY: Final = (
    '{"action":{"type":"noop","padding":"' + "x" * 200 + '"},"nonce":1,"signature":{"r":"0x' + "1" * 64
    + '","s":"0x' + "2" * 64 + '","v":27},"vaultAddress":null,"expiresAfter":null}'
)  # fmt: skip
"""As long as an order, and answered as fast; signed by nobody, because framing is what is measured."""


@attrs.frozen(kw_only=True)
class Plan:
    rate: float = 200.0
    frames: int = 1_000
    flood: int = 10_000
    requests: int = 400
    """Over REST, each way; a tenth of it with a connection of its own each."""
    rounds: int = 4
    """All of them once a round."""


class _Parrot:
    """An answer to every frame, and no work at all."""

    def order_for(self, text: str | bytes, nonce: int, cloid: str) -> str | None:
        del text, nonce, cloid
        return _BODY


def run(plan: Plan) -> Json:
    """The document of `hlomm bench transport`."""
    return trio.run(_compare, plan, strict_exception_groups=True)


async def _compare(plan: Plan) -> Json:
    early, core = load_before(), _Parrot()
    found: dict[str, list[tuple[Json, Json]]] = {kind: [] for kind in KINDS}
    asked: dict[str, list[Json]] = {way: [] for way in WAYS}
    for _ in range(plan.rounds):
        for kind in KINDS:
            async with loopback() as peer:
                with alone():
                    paced = await measure(peer, kind, core, plan.rate, plan.frames)
                    found[kind].append((paced, await measure(peer, kind, core, 0.0, plan.flood, warm=0)))
        async with loopback() as peer:
            with alone():
                for way in WAYS:
                    count = max(plan.requests // (10 if way == "first" else 1), 1)
                    asked[way].append(await measure_requests(peer, way, _BODY.encode(), count))
    kinds = {kind: _over(rounds) for kind, rounds in found.items()}
    pairs = [(kind, one) for kind, rounds in found.items() for pair in rounds for one in pair]
    pairs += [(way, one) for way, rounds in asked.items() for one in rounds]
    reasons = sorted({f"{kind}: {why}" for kind, one in pairs for why in one["disturbed"]})
    return {
        "bench": "transport", "rate": plan.rate, "rounds": plan.rounds, "kinds": kinds, "ratio": _ratio(kinds),
        "requests": {way: _answered(rounds) for way, rounds in asked.items()}, "disturbed": early + reasons, **about(),
    }  # fmt: skip


def _over(rounds: list[tuple[Json, Json]]) -> Json:
    """Medians over the rounds."""
    paced, floods = [one[0] for one in rounds], [one[1] for one in rounds]
    return {
        **{step: _median(paced, step) for step in _STEPS},
        "cpu_us_per_frame": round(statistics.median(one["cpu_us_per_frame"] for one in paced), 2),
        "flood_per_s": round(statistics.median(one["frames_per_s"] for one in floods)),
        "flood_cpu_us_per_frame": round(statistics.median(one["cpu_us_per_frame"] for one in floods), 2),
        "frames": sum(one["frames"] for one in (*paced, *floods)),
        "handled": sum(one["handled"] for one in (*paced, *floods)),
    }  # fmt: skip


def _answered(rounds: list[Json]) -> Json:
    """Medians over the rounds."""
    return {
        "requests": sum(one["requests"] for one in rounds),
        **{step: _median(rounds, step) for step in ("send", "total")},
        "cpu_us_per_request": round(statistics.median(one["cpu_us_per_request"] for one in rounds), 2),
    }  # fmt: skip


def _median(rounds: list[Json], step: str) -> Json:
    figures = {name: statistics.median(one[step][name] for one in rounds) for name in ("p50", "p90", "p99", "p999")}
    return {"count": sum(one[step]["count"] for one in rounds), **figures}


def _ratio(kinds: Json) -> Json:
    """How many times as much the library transport costs."""
    library, direct = kinds[WebSocketKind.LIBRARY.value], kinds[WebSocketKind.DIRECT.value]
    return {
        "total_p50": round(library["total"]["p50"] / direct["total"]["p50"], 2),
        "total_p99": round(library["total"]["p99"] / direct["total"]["p99"], 2),
        "cpu": round(library["cpu_us_per_frame"] / max(direct["cpu_us_per_frame"], 1e-9), 2),
        "flood": round(direct["flood_per_s"] / library["flood_per_s"], 2),
    }  # fmt: skip
