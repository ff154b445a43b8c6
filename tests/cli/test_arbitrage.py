"""Rung: pure. `hlomm arbitrage`: a line for each link and pair that fits 80 columns, and a document with all of it."""

from __future__ import annotations

import json

import pytest

from hlomm.cli.arbitrage import arbitrage
from hlomm.domain.edge_rows import EdgeReport
from tests.tui.examples import snapshot
from tests.tui.linked import FAR, HL, KS, NEAR, linked, machine, many_links, wordy_links


def text(**changes: object) -> list[str]:
    return arbitrage(linked(**changes))[1].split("\n")


def test_a_line_for_each() -> None:
    lines = text()
    assert lines[0].split() == ["event", "legs", "left", "right", "age", "is", "leaves", "why", "not"]
    assert lines[1].split()[-1] == "suspended"
    assert lines[2].split() == [
        "BTC>=91612", "06:00Z", "HL/PM", ".601/.615", ".660/.670", "0s", "near", "+1.31c", "-",
    ]  # fmt: skip
    assert lines[3].split()[-4:] == ["near", "+29", "-5.69c", "no_edge"]
    assert lines[4].split()[-1] == "proposed"
    said = "\n".join(lines)
    for part in (
        "MENDING   HL YES 20/20 KS NO 5/20  6.6 s left  loss 4.20/10.00",
        "kept 40 HL YES+PM NO for 38.91 expects +0.52 settles 06:00:00Z",
        "taken 15, settled 12, mismatched 1: expected +4.12, realised +3.71",
        "PM would pay (estimate, in no result): rebates 0.3500, 2/3 score 12%, 0.42 a day",
        "wanted 20 at +1.31c",
        "HL stands -3.12c apart, trading on it costs 2.41c",
    ):
        assert part in said


@pytest.mark.parametrize("made", [linked, many_links, wordy_links], ids=["linked", "many", "wordy"])
def test_lines_fit_80_columns_and_hold_no_control_characters(made: object) -> None:
    document, said = arbitrage(made())  # type: ignore[operator]
    assert all(char.isprintable() or char == "\n" for char in said)
    wide = [line for line in said.split("\n") if len(line) > 80]
    assert made is wordy_links or not wide
    json.dumps(document)


def test_what_is_past_its_deadline_says_so() -> None:
    assert "PAST 3.2 s" in "\n".join(text(baskets=(machine(deadline_s=-3.2),)))
    assert "ABANDONED" in "\n".join(text(baskets=(machine(phase="abandoned", over=True),)))


def test_without_links_there_are_sentences() -> None:
    said = arbitrage(snapshot())[1]
    for words in ("no two venues list one event", "no pair is being made", "no pair is kept", "taken 0, settled 0"):
        assert words in said
    assert "more are not shown" not in said
    assert "7 more are not shown" in arbitrage(linked(edges=EdgeReport(edges=(), left_out=7)))[1]


def test_the_document_has_every_amount() -> None:
    document, _ = arbitrage(linked())
    near = next(row for row in document["links"] if row["pair"] == NEAR)
    parts = [*near["fees"], *(near[name] for name in ("rounding", "bridge", "time", "basis", "legging"))]
    assert near["gross"] - sum(parts) == pytest.approx(near["leaves"])
    assert near["legs"][0] == {"market": HL, "bid": 0.60173, "ask": 0.61423, "age_s": 0.4}
    assert (near["buys"], near["needs"], near["held"]) == (["YES", "NO"], 0.1, 40.0)
    (one,) = document["machines"]
    assert (one["pair"], one["held"][KS], one["deadline_s"], one["max_loss"]) == (FAR, 5.0, 6.6, 10.0)
    assert document["kept"][0]["settles_ms"] > 0
    assert [len(event["venues"]) for event in document["events"]] == [3, 2]
    assert document["income"]["polymarket"]["rebates"] == 0.35
    assert {"taken", "settled", "mismatched", "expected", "realised", "legging_loss", "trades"} <= document.keys()
