"""The seeded simulation of the whole daemon in virtual time, as `hlomm soak` runs it.

HLOMM_SOAK_SEEDS says how many seeds, from 0 on; from 20 on every class of fault has to happen. Without it the seed that
quotes at Polymarket too, ten times the work of another, is lived in the second lane (`pytest -m trial`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

from hlomm.domain.faults import UsageError
from hlomm.research.soak.campaign import Campaign, parse_faults, run_campaign, run_seed
from hlomm.research.soak.checks import Finding
from hlomm.research.soak.day import SeedResult
from hlomm.research.soak.plan import draw
from hlomm.research.soak.weather import Fault

ASKED = os.environ.get("HLOMM_SOAK_SEEDS")
SEEDS = range(1, 4) if ASKED is None else range(int(ASKED))
EVERYWHERE = (0,)
"""Quotes at Polymarket too."""
FOUND = (145,)
"""145: the day's loss stops all quoting through the fair end, and is forgotten at the midnight that ends the run."""
ENOUGH = 20
"""So many seeds and every class of fault happens."""
DAYS = 0.06
RULES = ("verdict", "halted", "stale", "once", "exposure", "conserved", "lost")


def result(seed: int, **fields: object) -> SeedResult:
    values = {"virtual_s": 8640.0, "wall_s": 1.0, "faults": {}, "findings": (), "digest": "", "counts": {}} | fields
    return SeedResult(seed=seed, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "seeds", [SEEDS, pytest.param(EVERYWHERE, marks=pytest.mark.trial)], ids=["many", "everywhere"]
)
def test_nothing_is_ever_wrong(seeds: Sequence[int]) -> None:
    campaign = run_campaign(seeds, DAYS, tuple(Fault))
    document = campaign.document()
    covered = len(seeds) >= ENOUGH
    wrong = [violation for violation in document["violations"] if covered or violation["rule"] != "coverage"]
    assert wrong == []
    assert set(document["faults"]) == set(map(str, Fault))
    assert document["virtual_days"] >= len(seeds) * DAYS
    counts = document["counts"]
    assert all(counts[f"checked_{rule}"] > 0 for rule in RULES), "a rule that is never applied proves nothing"
    assert min(counts[name] for name in ("fills", "settled", "agreed")) > 3 * len(seeds)
    pairs = document["pairs"]
    assert pairs["begun"] == sum(pairs[end] for end in ("done", "none", "unwound", "flattened", "kept"))
    assert pairs["naked"] == pairs["open"] == 0


@pytest.mark.trial
@pytest.mark.parametrize("seed", FOUND)
def test_seeds_that_found_something_stay_clean(seed: int) -> None:
    assert run_seed(seed, 1.0, tuple(Fault)).findings == ()


def test_without_faults_nothing_halts_and_nobody_is_needed() -> None:
    one = run_seed(5, 0.1, (), beside=False)
    assert one.findings == ()
    assert set(one.faults) <= {"unknown_oid_after_fill"}, "the venue does that by itself"
    assert one.counts["runs"] == 1
    assert one.counts["resumes"] == 0
    assert one.counts["fills"] > 20


def test_a_seed_is_the_same_run_everywhere() -> None:
    """Three processes that hash differently write the same bytes."""
    digests = set()
    for hash_seed in ("0", "1", "4242"):
        said = subprocess.run(
            [sys.executable, "-m", "hlomm.cli.main", "soak", "--seed", "3", "--days", "0.05", "--json"],
            env=os.environ | {"PYTHONHASHSEED": hash_seed}, capture_output=True, check=True, timeout=300,
        )  # fmt: skip
        document = json.loads(said.stdout)
        assert document["violations"] == []
        digests.add(document["digests"]["3"])
    assert len(digests) == 1
    assert len(digests.pop()) == 64


def test_what_is_said_on_stdout_is_one_document_however_many_processes_there_are() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "hlomm.cli.main", "soak", "--seeds", "2", "--days", "0.05", "--jobs", "2",
         "--faults", "sigkill,kalshi_rules_changed", "--json"],
        capture_output=True, check=True, timeout=300,
    )  # fmt: skip
    assert json.loads(said.stdout)["seeds"] == 2
    assert all(line.startswith(b"seed ") for line in said.stderr.splitlines())


def test_the_seed_that_is_lived_in_the_second_lane_is_the_one_that_quotes_everywhere() -> None:
    asked = [number for number in (*EVERYWHERE, *range(1, 4)) if draw(number, DAYS, tuple(Fault)).everywhere]
    assert asked == list(EVERYWHERE)


@pytest.mark.parametrize("seed", [0, 17, 40])
def test_neighbours_share_the_vocabulary_between_them(seed: int) -> None:
    even, odd = (draw(number, 1.0, tuple(Fault)) for number in (seed // 2 * 2, seed // 2 * 2 + 1))
    assert set(even.chosen) | set(odd.chosen) == set(Fault)
    assert not set(even.chosen) & set(odd.chosen)
    assert {one.fault for one in even.incidents} == set(even.chosen), "what is chosen happens"
    assert all(one.at_ns < even.fair_ns for one in even.incidents)
    assert draw(seed, 1.0, tuple(Fault)) == draw(seed, 1.0, tuple(reversed(Fault)))


def test_a_failed_seed_says_how_to_see_it_again() -> None:
    finding = Finding("belief", 12.5, "cash 1, venue 2")
    campaign = Campaign(days=0.1, faults=tuple(Fault), results=(result(4, findings=(finding,)),), wall_s=2.0)
    (violation,) = campaign.document()["violations"]
    assert violation == {
        "seed": 4, "rule": "belief", "at_s": 12.5, "what": "cash 1, venue 2",
        "repeat": "hlomm soak --seed 4 --days 0.1",
    }  # fmt: skip
    assert campaign.document()["failing_seeds"] == [4]
    assert not campaign.clean


def test_a_class_that_never_happens_fails_the_run() -> None:
    faults = (Fault.WS_DROP, Fault.SIGKILL)
    results = tuple(result(seed, faults={"ws_drop": 2}) for seed in (0, 1))
    campaign = Campaign(days=0.1, faults=faults, results=results, wall_s=1.0)
    assert not campaign.clean
    assert [row["what"] for row in campaign.document()["violations"]] == ["sigkill never happened"]
    assert campaign.document()["faults"] == {"ws_drop": 4, "sigkill": 0}
    assert campaign.repeat(1) == "hlomm soak --seed 1 --days 0.1 --faults ws_drop,sigkill"


def test_names_of_faults() -> None:
    assert parse_faults("all") == tuple(Fault)
    assert parse_faults("none") == ()
    assert parse_faults("ws_drop, sigkill") == (Fault.WS_DROP, Fault.SIGKILL)
    with pytest.raises(UsageError, match=r"there are: all, none, ws_drop"):
        parse_faults("locusts")
