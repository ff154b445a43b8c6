"""Latencies of a backtest: what may be typed, and draws that are the same in every run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hlomm.domain.faults import UsageError
from hlomm.research.latency import Constant, Drawn, Latency, Leg, drawn, parse_latency

MS = 1_000_000


def measured(tmp_path: Path, **legs: list[int]) -> Path:
    path = tmp_path / "measured.json"
    document = {
        "version": 1,
        "latency": {leg: {"samples_ns": samples, "n": len(samples)} for leg, samples in legs.items()},
    }
    path.write_text(json.dumps(document))
    return path


def test_nothing_typed_is_half_of_the_venues_answer_each_way():
    assert parse_latency("", 1) == Latency()
    assert Latency().tag() == "latency-const feed=recorded entry=190ms response=190ms"


@pytest.mark.parametrize(
    ("typed", "ns"), [("0ms", 0), ("190ms", 190 * MS), ("1.5s", 1_500 * MS), ("250us", 250_000), ("7ns", 7)]
)
def test_durations(typed, ns):
    assert parse_latency(f"entry={typed}", 1).entry == Constant(ns)


def test_legs_are_named_and_the_rest_stays():
    latency = parse_latency("feed=20ms, response=50ms", 1)
    assert latency == Latency(feed=Constant(20 * MS), response=Constant(50 * MS))
    assert latency.tag() == "latency-const feed=recorded+20ms entry=190ms response=50ms"


def test_a_file_is_entry_and_response_for_its_feed_is_in_the_recording(tmp_path):
    path = measured(tmp_path, feed=[1], entry=[100 * MS, 300 * MS], response=[50 * MS])
    latency = parse_latency(str(path), 7)
    assert latency.feed == Constant(0)
    assert isinstance(latency.entry, Drawn)
    assert {latency.entry.at(n) for n in range(100)} == {100 * MS, 300 * MS}
    assert latency.response.at(5) == 50 * MS
    assert latency.seed == 7
    assert latency.tag().startswith("latency-drawn feed=recorded entry=drawn(measured.json ")
    only = parse_latency(f"entry=1ms,{path},feed={path}", 7)
    assert (only.entry, only.feed.at(3)) == (Constant(MS), 1)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("wire=1ms", "no leg 'wire'; there are: feed, entry, response"),
        ("entry=190", "No such file"),
        ("entry=-1ms", "No such file"),
        ("entry=61s", "no latency but an outage"),
        ("nowhere.json", "expected LEG=DURATION"),
        ("{garbage}", "not a file of latencies"),
        ("{feed}", "no samples of entry and response"),
        ("response={feed}", "no samples of response; it has feed"),
        ("entry={empty}", "0 samples of entry"),
        ("entry={late}", "a entry latency is from 0"),
        ("entry={early}", "a entry latency is from 0"),
    ],
)
def test_what_is_no_latency_is_refused_with_the_remedy(tmp_path, typed, words):
    files = {
        "garbage": '{"latency": 3}',
        "feed": '{"latency": {"feed": {"samples_ns": [1]}}}',
        "empty": '{"latency": {"entry": {"samples_ns": []}}}',
        "late": '{"latency": {"entry": {"samples_ns": [60000000001]}}}',
        "early": '{"latency": {"entry": {"samples_ns": [5, -1]}}}',
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=words):
        parse_latency(typed.format(**{name: tmp_path / name for name in files}), 1)


def test_draws_depend_on_seed_leg_and_number_alone():
    samples = tuple(range(1_000))
    legs = [drawn(samples, leg, seed) for leg in (Leg.ENTRY, Leg.RESPONSE) for seed in (1, 2)]
    sequences = [tuple(leg.at(n) for n in range(50)) for leg in legs]
    assert len(set(sequences)) == 4
    again = drawn(samples, Leg.ENTRY, 1)
    assert [again.at(n) for n in reversed(range(50))] == list(reversed(sequences[0])), (
        "in whatever order they are asked"
    )


def test_every_sample_is_as_likely_as_another():
    leg = drawn((0, 1, 2, 3), Leg.FEED, 3)
    counts = [0, 0, 0, 0]
    for n in range(8_000):
        counts[leg.at(n)] += 1
    assert all(abs(count - 2_000) < 5 * 39 for count in counts), "five standard deviations of a fair draw"
