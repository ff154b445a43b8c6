"""The contest: everybody once a round, one after another, each in a process of its own; and the document of it."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np

from hlomm.bench.machine import about
from hlomm.bench.peers import claims, tape
from hlomm.bench.peers.plan import TICKS, Maker
from hlomm.bench.quiet import Watch, load_before
from hlomm.domain.faults import InvariantBroken, UsageError
from hlomm.research.tiers import Disagreement

Json = dict[str, Any]

OWN: Final = ("engine", "engine_journal", "engine_nearest", "kernel")
PEERS: Final = {"nautilus_trader": "nautilus.py", "hftbacktest": "hft.py"}
"""Whoever has to be installed, and the script that runs it."""
_EXTRA: Final = {"kernel": "pip install '.[research]'"}
_REMEDY: Final = "pip install '.[peers]' (without -c config/constraints.txt), best where --python then finds it"
_NOT_INSTALLED: Final = "ModuleNotFoundError: No module named "
_WITHIN_S: Final = 1_200.0
_COUNTS: Final = ("events", "orders", "amends", "cancels", "fills", "net", "cash", "settled_pnl")
"""What is the same in every round, or something is wrong."""


@attrs.frozen(kw_only=True)
class Plan:
    frames: int = 50_000
    rounds: int = 3
    """Everybody once a round, so that a change of the machine meets all of them."""
    seed: int = 1
    python: Path | None = None
    """An interpreter that has the peers; None: this one."""
    maker: Maker = attrs.field(factory=Maker)
    contenders: Sequence[str] = (*OWN, *PEERS)


def run(plan: Plan) -> Json:
    """The document of `hlomm bench peers`. UsageError for a --python that is none; Disagreement: see `_agreed`."""
    early, rows = load_before(), list(tape.rows(plan.frames, plan.seed))
    found: dict[str, list[Json]] = {name: [] for name in plan.contenders}
    doubts: dict[str, list[str]] = {name: [] for name in plan.contenders}
    with tempfile.TemporaryDirectory(prefix="hlomm-bench-") as folder:
        path = Path(folder) / "tape.npy"
        np.save(path, np.array(rows, np.int64))
        for number in range(plan.rounds):
            for name in plan.contenders:
                watch = Watch()
                found[name].append(_run(name, plan, path, number))
                if why := watch.seen()["disturbed"]:
                    doubts[name].append(", ".join(why))
    facts = tape.facts(rows)
    reasons = [f"{name}, {len(why)} of {plan.rounds} rounds: {max(why)}" for name, why in doubts.items() if why]
    contenders = {name: _over(name, rounds, facts) for name, rounds in found.items()}
    return {
        "bench": "peers", "frames": plan.frames, "seed": plan.seed, "rounds": plan.rounds, "events": facts.events,
        "rows": facts.rows, "maker": attrs.asdict(plan.maker), "contenders": contenders,
        "kernel_agrees": _agreed(contenders),
        "notes": list(claims.NOTES), "disturbed": early + reasons, **about(),
    }  # fmt: skip


def _run(name: str, plan: Plan, path: Path, number: int) -> Json:
    """One process. InvariantBroken if this program's own ends badly; a peer's end is its row."""
    order: Json = {"tape": str(path), "maker": attrs.asdict(plan.maker), "ticks": TICKS}
    if name in PEERS:
        script = Path(__file__).with_name(PEERS[name])
        # Isolated and by its path: that interpreter knows nothing of this program, and must find nothing of ours.
        command = [str(plan.python or sys.executable), "-I", str(script)]
        order |= {"end_ns": tape.end_ns(plan.frames)}
    else:
        journal = path.parent / f"{name}-{number}"
        journal.mkdir()
        command = [sys.executable, "-m", "hlomm.bench.peers.own"]
        order |= {"contender": name, "folder": str(journal)}
    try:
        ended = subprocess.run(  # noqa: S603 - this interpreter, or the one that was asked for
            [*command, json.dumps(order)], capture_output=True, text=True, timeout=_WITHIN_S, check=False
        )
    except OSError as error:
        raise UsageError(f"--python {command[0]}: {error.strerror or error}") from None
    except subprocess.TimeoutExpired:
        return _failed(name, f"did not end within {_WITHIN_S:g} s: fewer --frames")
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or [f"ended with {ended.returncode}"])[-1]
        return _failed(name, last)
    document: Json = json.loads(ended.stdout.strip().splitlines()[-1])
    return document


def _failed(name: str, why: str) -> Json:
    """`why`: the last line of what it said. InvariantBroken if it is not for want of an extra that our own failed."""
    if name in (*PEERS, *_EXTRA) and why.startswith(_NOT_INSTALLED):
        lacks = why.removeprefix(_NOT_INSTALLED).strip("'")
        return {"missing": f"not installed (no {lacks}): {_EXTRA.get(name, _REMEDY)}"}
    if name not in PEERS:
        raise InvariantBroken(f"{name}: {why}")
    return {"missing": f"failed: {why}"}


def _over(name: str, rounds: Sequence[Json], facts: tape.Facts) -> Json:
    """One contender over all rounds: medians, minimums, and what it did."""
    head = {"what": claims.WHAT[name], "does": claims.DOES[name]}
    missing = next((one["missing"] for one in rounds if "missing" in one), None)
    if missing is not None:
        return {**head, "missing": missing}
    first, cpu_s = rounds[0], [one["cpu_s"] for one in rounds]
    did = {key: first.get(key) for key in _COUNTS}
    same = all({key: one.get(key) for key in _COUNTS} == did for one in rounds)
    assert same or name in PEERS, f"{name}: two runs over one tape decide the same"
    if first["events"] != facts.events:
        return {**head, "missing": f"failed: it took {first['events']} events of {facts.events}"}
    return {
        **head, "missing": None, "version": first["version"], "same_every_round": same,
        "cpu_s": {"min": min(cpu_s), "median": statistics.median(cpu_s), "runs": sum(one["runs"] for one in rounds)},
        "wall_s": min(one["wall_s"] for one in rounds), "load_s": min(one["load_s"] for one in rounds),
        "events_per_s": _speeds(first["events"], cpu_s), "rows_per_s": _speeds(facts.rows, cpu_s), **did,
        "pnl": round(first["cash"] + first["net"] * facts.last_mid, 6),
        "journal_bytes": first.get("journal_bytes"),
    }  # fmt: skip


def _speeds(count: int, cpu_s: Sequence[float]) -> Json:
    return {"best": round(count / min(cpu_s)), "median": round(count / statistics.median(cpu_s))}


def _agreed(contenders: dict[str, Json]) -> bool | None:
    """Whether the kernel was held against the engine on its set. Disagreement if they did not do the same."""
    engine, kernel = contenders.get("engine_nearest"), contenders.get("kernel")
    if engine is None or kernel is None or kernel["missing"] is not None:
        return None
    for key in _COUNTS:
        if engine[key] != kernel[key]:
            raise Disagreement(f"{key}: the kernel has {kernel[key]}, the engine {engine[key]}")
    return True
