"""Many seeds, on as many processes as there are processors, and the document that tells what they showed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

import attrs
import structlog

from hlomm.domain.faults import UsageError
from hlomm.domain.ids import VenueId
from hlomm.research.soak.day import Day, SeedResult
from hlomm.research.soak.plan import DAY_S, PAIRS_S, draw, draw_pairs, faults_at
from hlomm.research.soak.weather import Fault


@attrs.frozen(kw_only=True)
class Campaign:
    """What was run and what came of it."""

    days: float
    faults: tuple[Fault, ...]
    results: tuple[SeedResult, ...]
    wall_s: float
    again: str = ""
    """The command that shows a seed again, where it is not one of days."""

    @property
    def hits(self) -> dict[str, int]:
        """Injections per class of those asked for, over all seeds."""
        totals = dict.fromkeys(map(str, self.faults), 0)
        for result in self.results:
            for name, count in result.faults.items():
                if name in totals:
                    totals[name] += count
        return totals

    @property
    def never_hit(self) -> list[str]:
        """Classes that were asked for and never happened. Two seeds share the vocabulary: one alone cannot tell."""
        return [] if len(self.results) < 2 else [name for name, count in self.hits.items() if count == 0]

    @property
    def failing(self) -> list[int]:
        return [result.seed for result in self.results if result.findings]

    @property
    def clean(self) -> bool:
        return not self.failing and not self.never_hit

    def repeat(self, seed: int) -> str:
        """The command that shows one seed again."""
        if self.again:
            return f"{self.again} {seed}"
        faults = "" if set(self.faults) == set(Fault) else f" --faults {','.join(map(str, self.faults)) or 'none'}"
        return f"hlomm soak --seed {seed} --days {self.days:g}{faults}"

    def document(self) -> dict[str, Any]:
        virtual_s = sum(result.virtual_s for result in self.results)
        violations = [
            {
                "seed": result.seed, "rule": found.rule, "at_s": round(found.at_s, 3), "what": found.what,
                "repeat": self.repeat(result.seed),
            }
            for result in self.results
            for found in result.findings
        ]  # fmt: skip
        violations += [
            {"seed": None, "rule": "coverage", "at_s": None, "what": f"{name} never happened", "repeat": None}
            for name in self.never_hit
        ]
        counts: dict[str, int] = {}
        pairs: dict[str, int] = {}
        for result in self.results:
            for name, count in result.counts.items():
                counts[name] = counts.get(name, 0) + count
            for name, count in result.pairs.items():
                pairs[name] = pairs.get(name, 0) + count
        return {
            "seeds": len(self.results), "virtual_days": round(virtual_s / DAY_S, 3), "wall_s": round(self.wall_s, 1),
            "ratio": round(virtual_s / max(self.wall_s, 1e-9), 1), "faults": self.hits, "violations": violations,
            "failing_seeds": self.failing, "counts": counts, "pairs": pairs,
            "digests": {str(result.seed): result.digest for result in self.results},
        }  # fmt: skip


def parse_faults(text: str) -> tuple[Fault, ...]:
    """`all`, `none`, or names with commas; UsageError names what there is."""
    if text in {"all", "none"}:
        return tuple(Fault) if text == "all" else ()
    try:
        return tuple(Fault(name.strip()) for name in text.split(","))
    except ValueError as error:
        raise UsageError(f"{error}; there are: all, none, {', '.join(map(str, Fault))}") from None


def run_seed(seed: int, days: float, faults: Sequence[Fault], *, beside: bool = True) -> SeedResult:
    """One seed, start to end; depends on nothing but its arguments."""
    return Day(draw(seed, days, faults, beside=beside)).live()


def run_pairs(
    venues: Sequence[VenueId],
    intents: int,
    *,
    first: int = 0,
    told: Callable[[SeedResult], None] = lambda _result: None,
) -> Campaign:
    """At least so many pairs begun for each venue in turn, with every fault of that venue; runs as many as it takes."""
    started = time.perf_counter()
    results: list[SeedResult] = []
    faults: dict[Fault, None] = {}
    for venue in venues:
        begun, seed = 0, first
        while begun < intents:
            result = Day(draw_pairs(seed, venue)).live()
            results.append(result)
            told(result)
            begun += result.pairs["begun"]
            seed += 1
        faults |= dict.fromkeys(faults_at(venue))
    return Campaign(
        days=PAIRS_S / DAY_S, faults=tuple(faults), results=tuple(results), wall_s=time.perf_counter() - started,
        again=f"hlomm soak --intents 1 --at {','.join(venues)} --first",
    )  # fmt: skip


def run_campaign(
    seeds: Sequence[int], days: float, faults: Sequence[Fault], *, jobs: int | None = None,
    told: Callable[[SeedResult], None] = lambda _result: None,
) -> Campaign:  # fmt: skip
    """All seeds. `told` hears of each result as it comes, in the order of the seeds."""
    started = time.perf_counter()
    work = partial(run_seed, days=days, faults=tuple(faults))
    results: list[SeedResult] = []
    count = min(jobs if jobs is not None else _processors(), len(seeds))
    if count <= 1:
        for seed in seeds:
            results.append(work(seed))
            told(results[-1])
    else:
        with ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=hush) as pool:
            for result in pool.map(work, seeds):
                results.append(result)
                told(result)
    return Campaign(days=days, faults=tuple(faults), results=tuple(results), wall_s=time.perf_counter() - started)


def hush() -> None:
    """Simulated daemons have nothing to say to an operator; for every process that lives days."""
    structlog.configure(processors=[_drop])


def _drop(_logger: object, _name: str, _event: object) -> str:
    raise structlog.DropEvent


def _processors() -> int:
    return len(os.sched_getaffinity(0))
