"""What the daemon costs as it grows: by markets, by venues, and as two daemons beside one another.

Every row is a daemon in a process of its own. Those by markets stand at the loopback venue of `hotpath`, where every
book asks for an order; those by venues trade at the simulated ones, where prices move as they do, so the two kinds of
rows compare among themselves only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from hlomm.bench.machine import about, memory_mb
from hlomm.bench.quiet import Watch, cpu_s, load_before
from hlomm.domain.faults import UsageError, VenueUnavailable
from hlomm.research.replay import replay
from hlomm.sim.config import VENUES

Json = dict[str, Any]

RATE: Final = 200.0
DAEMONS: Final = 2
SMALL: Final = "strategy.avellaneda.max_size=24"
"""Little more than the least order, so that what an account of 10,000 USD holds is enough for 400 of them."""
_GRACE_S: Final = 120.0
"""For a start, a flood of answers and a stop."""
_LOOK_S: Final = 0.5


@attrs.frozen(kw_only=True)
class Plan:
    markets: tuple[int, ...] = (1, 10, 50, 200)
    venues: int = 3
    """Rows for one of them up to so many."""
    seconds: float = 15.0
    """Of each row."""
    seed: int = 21

    def __attrs_post_init__(self) -> None:
        if not self.markets and not self.venues:
            raise UsageError("nothing to measure: neither markets nor venues")


def run(plan: Plan) -> Json:
    """The document of `hlomm bench growth`."""
    early, watch = load_before(), Watch()
    rows = [_hotpath(plan, markets) for markets in plan.markets]
    rows += [_simulated(plan, count, 1)[0] for count in range(1, plan.venues + 1)]
    if plan.venues:
        rows += _simulated(plan, 1, DAEMONS)
    return {
        "bench": "growth", "rate": RATE, "seconds": plan.seconds, "rows": rows,
        "disturbed": sorted({*early, *(why for row in rows for why in row["disturbed"])}),
        "others": watch.seen()["others"], **about(),
    }  # fmt: skip


def _hotpath(plan: Plan, markets: int) -> Json:
    """One daemon of so many markets, each frame the next one's."""
    command = [
        *_HLOMM, "bench", "hotpath", "--json", "--seconds", f"{plan.seconds}", "--rates", f"{RATE:g}", "--flood", "0",
        "--markets", str(markets), "--set", SMALL,
    ]  # fmt: skip
    done = subprocess.run(  # noqa: S603 - this program
        command,
        capture_output=True,
        text=True,
        timeout=plan.seconds + _GRACE_S,
        check=False,
    )
    if done.returncode:
        raise VenueUnavailable(f"hotpath with {markets} markets ended with {done.returncode}: {done.stderr[-500:]}")
    document = json.loads(done.stdout)
    found = document["rates"][f"{RATE:g}"]
    return {
        "what": _counted(markets, "market"), "markets": markets, "venues": 1, "daemons": 1,
        "p50_us": document["total"].get("p50"), "p99_us": document["total"].get("p99"),
        "events": found["frames"],
        "cpu_us_per_event": found["cpu_us_per_frame"], "memory_mb": found["memory_mb"]["after"],
        "journal_bytes_per_event": round(found["journal_bytes"] / found["frames"]), "disturbed": found["disturbed"],
    }  # fmt: skip


_HLOMM: Final = (sys.executable, "-m", "hlomm.cli.main")


def _simulated(plan: Plan, venues: int, daemons: int) -> list[Json]:
    """So many daemons at once, each with simulated venues and a state directory of its own."""
    names = VENUES[:venues]
    with tempfile.TemporaryDirectory(prefix="hlomm-bench-") as folder:
        watch = Watch()
        running = [_Run(Path(folder) / str(number), plan, names, plan.seed + number) for number in range(daemons)]
        try:
            while sum(one.look() for one in running):  # looks at all of them
                time.sleep(_LOOK_S)
            rows = [one.row() for one in running]
        finally:
            for one in running:
                one.end()
    return [{**row, "daemons": daemons, "disturbed": _doubts(watch)} for row in rows]


def _doubts(watch: Watch) -> list[str]:
    """The simulated venues are processes of ours that come and go, so others' share of the processors says nothing."""
    return [why for why in watch.seen()["disturbed"] if "processors" not in why or "host" in why]


@attrs.define(eq=False)
class _Run:
    """One `hlomm run`, and what was seen of its process."""

    state: Path
    plan: Plan
    venues: Sequence[str]
    seed: int
    _process: subprocess.Popen[str] = attrs.field(init=False)
    _by_s: float = attrs.field(init=False)
    _cpu_s: float = 0.0
    _memory_mb: float = 0.0

    def __attrs_post_init__(self) -> None:
        command = [
            *_HLOMM, "run", "--json", "--seed", str(self.seed), "--duration", f"{self.plan.seconds}",
            "--state-dir", str(self.state), "--venues", ",".join(self.venues),
        ]  # fmt: skip
        self._by_s = time.monotonic() + self.plan.seconds + _GRACE_S
        self._process = subprocess.Popen(  # noqa: S603 - this program
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "NO_COLOR": "1"}
        )

    def look(self) -> bool:
        """Note what it has used; whether it still runs. VenueUnavailable if it does not end."""
        if self._process.poll() is not None:
            return False
        if time.monotonic() > self._by_s:
            raise VenueUnavailable(f"a run of {self.plan.seconds:g} s did not end in {_GRACE_S:g} s more")
        self._cpu_s = max(self._cpu_s, cpu_s(self._process.pid))
        self._memory_mb = max(self._memory_mb, memory_mb(self._process.pid))
        return True

    def row(self) -> Json:
        out, _ = self._process.communicate()
        if self._process.returncode:
            raise VenueUnavailable(f"a run at {', '.join(self.venues)} ended with {self._process.returncode}")
        document = json.loads(out)
        replayed = replay(self.state)
        if not replayed.identical:
            raise VenueUnavailable(f"a run at {', '.join(self.venues)} does not replay: {replayed.text()}")
        events = max(replayed.inputs, 1)
        written = sum(path.stat().st_size for path in (self.state / "journal").iterdir() if path.suffix == ".journal")
        return {
            "what": f"{_counted(len(self.venues), 'venue')} simulated", "markets": None, "venues": len(self.venues),
            "p50_us": document["latency_us"]["p50"], "p99_us": document["latency_us"]["p99"],
            "events": events,
            "cpu_us_per_event": round(self._cpu_s / events * 1e6, 1), "memory_mb": self._memory_mb,
            "journal_bytes_per_event": round(written / events),
        }  # fmt: skip

    def end(self) -> None:
        """One that still runs is killed: nothing of it is wanted any more."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
