"""One seed: a day lived through, and what was found."""

from __future__ import annotations

import random
import time
import traceback

import attrs

from hlomm.research.soak.checks import Finding
from hlomm.research.soak.incidents import Incidents
from hlomm.research.soak.people import Operator
from hlomm.research.soak.plan import Plan
from hlomm.research.soak.timeline import S
from hlomm.research.soak.world import World


@attrs.frozen(kw_only=True)
class SeedResult:
    """What one run showed."""

    seed: int
    virtual_s: float
    wall_s: float
    faults: dict[str, int]
    findings: tuple[Finding, ...]
    digest: str
    """Of all journals of the run together."""
    counts: dict[str, int]
    pairs: dict[str, int] = attrs.field(factory=dict)
    """What became of the pairs across venues."""


class Day:
    """A world, somebody who looks after it, and what befalls it."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.world = World(plan)
        self.operator = Operator(self.world, random.Random(f"{plan.seed} operator"))
        self.incidents = Incidents(self.world, self.operator, random.Random(f"{plan.seed} incidents"))

    def live(self) -> SeedResult:
        """From the first event to the last replay; whatever breaks on the way is a finding of its own."""
        started = time.perf_counter()
        digest = ""
        try:
            digest = self._live()
        except Exception as error:  # noqa: BLE001 - one broken run must not cost the others, and must not pass
            self.world.checks.found("world", "".join(traceback.format_exception(error)[-4:]))
        return SeedResult(
            seed=self._plan.seed, virtual_s=self.world.timeline.now_ns / S, wall_s=time.perf_counter() - started,
            faults={str(fault): count for fault, count in sorted(self.world.weather.tally.items())},
            findings=tuple(self.world.checks.findings), digest=digest,
            counts=self.world.counted() | {"resumes": self.operator.resumed}, pairs=self.world.pairs.document(),
        )  # fmt: skip

    def _live(self) -> str:
        self.incidents.schedule(self._plan.incidents)
        self.operator.start()
        self.world.open()
        self.world.timeline.run_until(self._plan.end_ns)
        self.world.close()
        return self.world.replay()
