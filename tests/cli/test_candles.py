"""`hlomm candles` as a shell sees it: what it fetches, what it says, and how it ends."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hlomm.rundir.lock import Lock

HEAD = "date,open,high,low,close,volume\n"


def csv(path: Path, minutes: list[int]) -> Path:
    """Candles of so many minutes after the beginning of 2026."""
    lines = [f"2026-01-01 00:{minute:02}:00,10,12,9,11,1\n" for minute in minutes]
    path.write_text(HEAD + "".join(lines))
    return path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nobody to ask: name a profile such as --profile mainnet, or --sim FILE"),
        (("--mode", "historical"), "name the files or folders to read"),
        (("--mode", "live", "x.csv"), "--mode live reads no files"),
        (("--profile", "testnet", "--coin", "#150"), "expected a perp such as BTC"),
        (("--profile", "testnet", "--from", "yesterday"), "--from yesterday: expected a time such as 2026-11-01"),
        (("--profile", "testnet", "--from", "2026-01-02", "--to", "2026-01-01"), "no candle of 60 s that is over"),
        (("--mode", "historical", "nowhere.csv"), "nowhere.csv: no such file or folder"),
    ],
)
def test_a_wrong_word_is_named(hlomm, tmp_path, arguments, words):
    done = hlomm("candles", *arguments, "--out", tmp_path / "store")
    assert done.code == 2
    assert words in done.err
    assert not (tmp_path / "store" / "candles").exists()


def test_files_become_candles_and_holes_are_listed(hlomm, tmp_path):
    path = csv(tmp_path / "hl_BTC_1m.csv", [0, 1, 2, 5, 6, 6])
    arguments = ("candles", path, "--mode", "historical", "--from", "2026-01-01", "--to", "2026-01-01T00:10")
    done = hlomm(*arguments, "--out", tmp_path / "store", "--json")
    assert done.code == 0
    document = json.loads(done.out)
    begin = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 10**9
    assert (document["wanted"], document["historical"], document["missing"]) == (10, 5, 5)
    assert document["odd"] == {"repeated": 1}
    assert [(hole["from_ns"] - begin) // (60 * 10**9) for hole in document["holes"]] == [3, 7]
    assert [hole["candles"] for hole in document["holes"]] == [2, 3]
    again = hlomm(*arguments, "--out", tmp_path / "store")
    assert again.code == 0
    assert "5 of 10 candles are in" in again.out
    assert "missing: 3 from 2026-01-01 00:07 to 2026-01-01 00:10" in again.out
    assert "never filled in" in again.out
    checked = hlomm("data", "check", tmp_path / "store", "--json")
    assert (checked.code, checked.json()["rows"]) == (0, {"candles": 5})


SPAN = ("--from", "2026-01-01", "--to", "2026-01-01T00:10")


def test_nothing_real_ends_with_2(hlomm, tmp_path):
    path = csv(tmp_path / "binance_BTC_1m.csv", [0, 1])
    none = hlomm("candles", path, "--mode", "historical", *SPAN, "--out", tmp_path / "store")
    assert none.code == 2
    assert "not one candle of hyperliquid:BTC could be had (1 other_files)" in none.err


@pytest.mark.trial
def test_a_venue_that_is_away_ends_with_5(hlomm, tmp_path):
    """Every attempt is made, with the waits between them."""
    away = ("--profile", "testnet", "--set", "venue.hyperliquid.rest=http://127.0.0.1:9", *SPAN)
    gone = hlomm("candles", *away, "--out", tmp_path / "store")
    assert gone.code == 5
    assert "not one candle" in gone.err
    mine = csv(tmp_path / "hl_BTC_1m.csv", [0, 1])
    part = hlomm("candles", mine, *away, "--out", tmp_path / "store", "--json")
    assert part.code == 5
    assert part.json()["historical"] == 2
    assert "was not sent" in part.json()["failure"]


def test_a_store_has_one_backfill_at_a_time(hlomm, tmp_path):
    path = csv(tmp_path / "hl_BTC_1m.csv", [0])
    lock = Lock(tmp_path / "candles.lock", "it")
    try:
        done = hlomm("candles", path, "--mode", "historical", "--from", "2026-01-01", "--to", "2026-01-02", "--out",
                     tmp_path)  # fmt: skip
    finally:
        lock.release()
    assert done.code == 7


def test_a_simulated_venue_is_backfilled_and_then_completed(hlomm, tmp_path):
    simulator = hlomm.start("sim", "--json", "--venues", "hyperliquid", "--seed", "5", "--speed", "20")
    document = tmp_path / "sim.json"
    assert simulator.stdout is not None
    document.write_text(simulator.stdout.readline())
    arguments = ("candles", "--sim", document, "--out", tmp_path / "store", "--json")

    def some():
        done = hlomm(*arguments)
        assert done.code in (0, 2), done.err  # 2 as long as no minute is over
        return done.json() if done.code == 0 else None

    first = hlomm.until(some)
    assert (first["there"], first["failure"], first["live"] > 0) == (0, "", True)
    later = hlomm.until(lambda: (found := some())["live"] > 0 and found)
    assert later["there"] >= first["live"]
    assert later["wanted"] - later["missing"] == later["there"] + later["live"]
    checked = hlomm("data", "check", tmp_path / "store", "--json")
    assert (checked.code, checked.json()["sources"]) == (0, {"sim": later["there"] + later["live"]})
    assert checked.json()["findings"]["repeated_candles"]["count"] == 0
