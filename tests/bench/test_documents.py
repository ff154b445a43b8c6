"""Every benchmark runs for a moment over real sockets, and says what it promises; its counts add up."""

from __future__ import annotations

import json
from typing import Any

import click.testing
import pytest

from hlomm.bench import clients, engine, growth, hotpath, journal, ladder, probes, sim, transport, watched
from hlomm.bench.peer import loopback
from hlomm.bench.probes import STEPS, Probes, Step
from hlomm.bench.rungs import FastCore
from hlomm.cli import bench as look
from hlomm.cli.main import main
from hlomm.daemon.histogram import Histogram
from hlomm.daemon.pump import Pump
from hlomm.domain.latency_rows import Stage
from hlomm.engine import gate
from hlomm.strategy.avellaneda import Avellaneda
from hlomm.venues.hyperliquid.batches import Encoder

Json = dict[str, Any]

PERCENTILES = {"p50", "p90", "p99", "p999"}
AGREE = 1.5
"""The daemon's own histograms and the benchmark's clocks, one as a multiple of the other."""
WHOSE = {"machine", "python", "versions", "disturbed", "bench"}


def whole(document: Json) -> Json:
    """It names its machine and can be written down."""
    assert set(document) >= WHOSE
    assert {"cpu", "cores", "kernel"} <= set(document["machine"])
    assert isinstance(document["disturbed"], list)
    json.dumps(document)
    return document


def rising(found: Json) -> bool:
    return bool(found["p50"] <= found["p90"] <= found["p99"] <= found["p999"] <= found["max"])


@pytest.mark.slow
async def test_the_hot_path_is_the_whole_daemon() -> None:
    plan = hotpath.Plan(seconds=1.5, rates=(40.0,), flood=150)
    document = whole(await hotpath.measure(plan))
    assert set(document["rates"]) == {"40", "flood"}
    for name, one in document["rates"].items():
        sent = one["sent"]
        assert one["frames"] == one["handled"] == sum(sent.values()), f"{name}: frames sent are frames handled"
        assert one["by_kind"] == {
            "on_book": sent["l2Book"], "on_touch": sent["bbo"], "on_prints": sent["trades"],
        }  # fmt: skip
        assert 0 < one["batches"] == one["posts"], f"{name}: what was signed is what the venue carried out"
        assert one["total"]["count"] == one["stages"]["send"]["count"] <= one["batches"]
        assert one["journal_records"] >= one["decisions"], "every decision is on record"
        assert one["cpu_us_per_frame"] > 0
        assert one["loop"]["count"] > 0
    paced = document["rates"]["40"]
    assert paced["frames"] == 60
    assert paced["orders"] > 0
    assert set(document["stages"]) == {step.value for step in STEPS} | {"parse_book"}
    assert document["stages"] == paced["stages"], "no 200 frames/s were asked for: the first rate stands for it"
    assert rising(paced["total"])
    spent = sum(paced["stages"][step.value]["max"] for step in STEPS)
    assert paced["total"]["p50"] <= spent, "no decision took longer than the longest of all its parts together"
    for name, one in document["rates"].items():
        for stage, seen in one["outside"].items():
            assert seen["count"] == one["daemon"][stage]["count"], f"{name}: the same turns were timed twice"
            if seen["count"]:
                # Of the shortest stages a p99 is whoever else had the processor between two clocks.
                figures = ("p50", "p99") if stage == "total" else ("p50",)
                assert all(1 / AGREE < one["agree"][stage][figure] < AGREE for figure in figures), f"{name}, {stage}"
    assert 1 / AGREE < paced["agree"]["readable_to_sent"]["p50"] < AGREE
    assert document["signatures"]["checked"] == document["signatures"]["good"] > 0
    assert document["daemon"]["total"]["count"] >= paced["total"]["count"], "its own histogram saw no less"


@pytest.mark.bench
async def test_fifty_clients_are_answered_and_both_sides_are_measured_in_turns() -> None:
    """Latencies are the machine's mood where others use it, too; what the daemon itself has to do is not."""
    plan = watched.Plan(seconds=3.0, rounds=3, every_s=1.0)
    document = whole(await watched.measure(plan))
    assert document["asked"]["failed"] == 0
    assert document["asked"]["answered"] >= plan.clients * plan.rounds * 2
    assert document["frames"] == 2 * plan.rounds * plan.rate * plan.seconds
    for figure in watched.FIGURES:
        assert len(document["ratios"][figure]) == plan.rounds
        assert document["ratio"][figure] == sorted(document["ratios"][figure])[1]
    assert document["ratio"]["cpu_us_per_frame"] < 1.3, "one picture a second serves all of them"
    assert look.watched(document)[-1].startswith("50 clients asked every 1 s: ")


def test_a_histogram_of_another_stage_would_not_agree() -> None:
    """What the ratios are for: the wrong stage, or the right one from another moment on, stands out."""
    phase, record, decide = probes.Phase(), Histogram(), Histogram()
    for number in range(1_000):
        record.add(20_000 + number)
        decide.add(60_000 + number)
    phase.outside[Stage.RECORD] = record
    own = dict.fromkeys(phase.outside, Histogram())
    assert hotpath.agreement(phase, own | {Stage.RECORD: record.copy()})["agree"]["record"] == {"p50": 1.0, "p99": 1.0}
    assert min(hotpath.agreement(phase, own | {Stage.RECORD: decide})["agree"]["record"].values()) > AGREE
    assert hotpath.agreement(phase, own)["agree"]["record"] == {}, "nothing is not agreement"


def test_the_stages_that_scripts_rely_on() -> None:
    assert {"parse", "book", "quote", "risk", "encode_sign", "send"} <= {step.value for step in STEPS}
    assert set(hotpath.BUDGET_US) == {"parse_book", "quote", "risk", "encode_sign", "send", "total"}
    assert {"p50", "p99", "p999"} <= PERCENTILES


async def test_clocks_are_taken_off_again() -> None:
    before = Pump.__call__, gate.judge, Encoder.encode, Avellaneda.decide
    with Probes().installed(Avellaneda):
        assert (Pump.__call__, gate.judge, Encoder.encode, Avellaneda.decide) != before
    assert (Pump.__call__, gate.judge, Encoder.encode, Avellaneda.decide) == before


def test_a_step_is_charged_with_what_it_took() -> None:
    made = Probes()
    turn = made._turn = probes.Turn(0, 0, 0)
    waited = made._timed(Step.RISK)(lambda: probes.cost_us(1_000), "")
    waited()
    assert turn.spent[Step.RISK] > 1_000
    assert sum(turn.spent.values()) == turn.spent[Step.RISK]


@pytest.mark.slow
def test_the_engine_over_a_synthetic_tape() -> None:
    document = whole(engine.run(engine.Plan(frames=400, rounds=1)))
    assert document["book_events"] == 360, "eight of ten frames are books, one a touch"
    assert document["events"] == 440, "and a mark with every tenth"
    assert document["inputs"] >= document["events"]
    assert document["turns"] >= document["events"]
    assert document["orders"] > 10
    assert document["book_events_per_s"] == pytest.approx(360 / document["cpu_s"], rel=0.01)
    assert sum(one["share"] for one in document["where"]) == pytest.approx(1.0, abs=0.01)
    assert sum(document["rooms"].values()) == pytest.approx(1.0, abs=0.01)
    assert document["rooms"]["engine"] > 0
    assert document["where"][0]["module"].startswith("hlomm.")
    assert "book events/s" in look.engine(document)[0]


def test_the_journal_holds_what_was_counted() -> None:
    document = whole(journal.run(journal.Plan(frames=200, rounds=2)))
    assert document["records"] == document["records_of_the_writer"] > document["decisions"] > 0
    assert document["on_disk"] >= document["bytes"], "a header for each segment, and nothing is lost"
    assert document["on_disk"] - document["bytes"] < 1_000
    assert document["append"]["count"] == document["decisions"]
    assert document["fsync"]["count"] == document["decisions"] // journal.SYNC_EVERY
    assert document["bytes_per_event"] == pytest.approx(document["bytes"] / document["events"], abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("how", [clients.STOCK, *transport.KINDS])
async def test_a_client_handles_what_was_sent_and_the_venue_gets_what_it_answered(how: str) -> None:
    async with loopback() as peer:
        core = FastCore(str(peer.account["agent_key"]))
        found = await clients.measure(peer, how, core, 100.0, 40, warm=10)
        flooded = await clients.measure(peer, how, core, 0.0, 100, warm=0)
        checked = await peer.verify()
    for one, frames in ((found, 40), (flooded, 100)):
        assert one["frames"] == one["handled"] == frames
        assert one["orders"] == one["posts"] == frames * 8 // 10, "an order for each book, and the venue had it"
    assert found["total"]["count"] == found["orders"]
    assert rising(found["total"])
    assert checked["checked"] == checked["good"] > 0


@pytest.mark.slow
def test_the_transports_beside_one_another() -> None:
    document = whole(transport.run(transport.Plan(frames=20, flood=40, requests=20, rounds=1)))
    assert set(document["kinds"]) == {"direct", "library"}
    requests = document["requests"]
    assert {way: one["total"]["count"] for way, one in requests.items()} == {"warm": 20, "pool": 20, "first": 2}
    for one in requests.values():
        assert 0 < one["send"]["p50"] < one["total"]["p50"]
    assert requests["warm"]["total"]["p50"] < requests["first"]["total"]["p50"], "no handshake"
    assert any("connection of its own" in line for line in look.transport(document))
    for one in document["kinds"].values():
        assert one["frames"] == one["handled"] == 60
        assert one["total"]["count"] == 20, "a write for each frame"
    assert set(document["ratio"]) == {"total_p50", "total_p99", "cpu", "flood"}


@pytest.mark.slow
def test_the_ladder_has_every_rung() -> None:
    document = whole(ladder.run(ladder.Plan(frames=60, flood=0, rounds=1)))
    assert list(document["rungs"]) == list(ladder.RUNGS)
    for name, rung in document["rungs"].items():
        assert rung["frames"] == rung["handled"] == 60, name
        assert rung["total"]["p50"] > 0, name
    assert len(look.naive(document)) == 4


@pytest.mark.slow
def test_growth_is_measured_in_daemons_of_their_own() -> None:
    document = whole(growth.run(growth.Plan(markets=(2,), venues=0, seconds=1.0)))
    (row,) = document["rows"]
    assert (row["markets"], row["venues"], row["daemons"], row["events"]) == (2, 1, 1, 200)
    assert 0 < row["p50_us"] <= row["p99_us"]
    assert min(row["cpu_us_per_event"], row["memory_mb"], row["journal_bytes_per_event"]) > 0
    assert "2 markets" in "\n".join(look.growth(document))


@pytest.mark.trial
def test_two_daemons_run_beside_one_another() -> None:
    """Each has a state directory, a guardian and venues of its own; both replay, or the benchmark says so."""
    document = whole(growth.run(growth.Plan(markets=(), venues=1, seconds=5.0)))
    assert [row["daemons"] for row in document["rows"]] == [1, 2, 2]
    for row in document["rows"]:
        assert min(row["events"], row["cpu_us_per_event"], row["memory_mb"], row["p50_us"]) > 0


@pytest.mark.slow
def test_the_simulator_in_virtual_time() -> None:
    document = whole(sim.run(sim.Plan(days=0.004, venue_s=5.0)))
    assert document["soak"]["virtual_s"] > 0
    assert document["soak"]["findings"] == []
    assert document["soak"]["ratio"] == pytest.approx(
        document["soak"]["virtual_s"] / document["soak"]["cpu_s"], rel=0.01
    )
    venue = document["venue"]
    assert venue["blocks"] == pytest.approx(5.0 / 0.07, abs=2)
    assert venue["frames"] > 50


# -- what people see


@pytest.mark.parametrize(
    "name",
    ["hotpath", "engine", "journal", "transport", "sim", "naive", "growth", "watched", "hygiene", "peers", "flood"],
)
def test_each_has_a_command(name: str) -> None:
    shown = click.testing.CliRunner().invoke(main, ["bench", name, "--help"])
    assert shown.exit_code == 0
    assert "--json" in shown.output


@pytest.mark.parametrize("rates", ["fast", "0", "-1", "1e9"])
def test_a_rate_that_is_none_is_refused(rates: str) -> None:
    shown = click.testing.CliRunner().invoke(main, ["bench", "hotpath", "--rates", rates])
    assert shown.exit_code == 2
    assert "--rates" in shown.output


@pytest.mark.parametrize("markets", ["many", "0", "201", "1.5"])
def test_a_number_of_markets_that_is_none_is_refused(markets: str) -> None:
    shown = click.testing.CliRunner().invoke(main, ["bench", "growth", "--markets", markets])
    assert shown.exit_code == 2
    assert "--markets" in shown.output


def test_nothing_to_measure_is_refused() -> None:
    shown = click.testing.CliRunner().invoke(main, ["bench", "hotpath", "--rates", "", "--flood", "0"])
    assert shown.exit_code == 2
