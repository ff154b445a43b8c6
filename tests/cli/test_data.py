"""Recording, checking, packing, importing and backtesting a store, as a shell sees it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from hlomm.cli.main import main
from hlomm.cli.record import places, size
from hlomm.daemon.guardian_process import SECRETS
from hlomm.daemon.sim_process import SimClock, SimDocument, SimKalshi, SimVenues
from hlomm.domain.faults import ConfigError, UsageError
from hlomm.research.store.read import Store
from hlomm.rundir.lock import Lock
from hlomm.settings.load import load
from tests.unit.store.making import minute, write


def test_a_recorder_has_to_know_whom_to_hear(hlomm, tmp_path):
    done = hlomm("record", "--out", tmp_path / "store")
    assert done.code == 2
    assert "--profile mainnet, or --sim FILE" in done.err
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--disk-max", "much"), "expected a number of bytes such as 20G"),
        (("--venues", "nasdaq"), "no venue nasdaq; there are: hyperliquid, polymarket, kalshi"),
        (("--venues", "polymarket"), "polymarket: this profile has no address of it; there are: hyperliquid, kalshi"),
    ],
)
def test_a_wrong_word_is_named(hlomm, tmp_path, arguments, words):
    done = hlomm("record", "--profile", "testnet", "--out", tmp_path / "store", *arguments)
    assert done.code == 2
    assert words in done.err


def test_what_packs_for_a_recorder_inherits_no_secret(tmp_path, monkeypatch):
    for name in SECRETS:
        monkeypatch.setenv(name, "correct horse")
    done = CliRunner().invoke(main, ["record", "--out", str(tmp_path / "store")])
    assert done.exit_code == 2
    assert not {*SECRETS} & {*os.environ}


def test_a_store_has_one_recorder_and_a_budget(hlomm, tmp_path):
    write(tmp_path, minute())
    arguments = ("record", "--profile", "testnet", "--venues", "hyperliquid", "--out", tmp_path)
    done = hlomm(*arguments, "--disk-max", "1k")
    assert done.code == 2
    assert "--disk-max allows 1000" in done.err
    lock = Lock(tmp_path / "record.lock", "it")
    try:
        assert hlomm(*arguments).code == 7
    finally:
        lock.release()


@pytest.mark.parametrize(("text", "value"), [("1000", 1_000), ("20G", 20 * 10**9), ("1.5k", 1_500), ("3MB", 3 * 10**6)])
def test_sizes(text, value):
    assert size(text) == value


@pytest.mark.parametrize("text", ["", "0", "-1", "1e3", "G", "1 G", "nan"])
def test_no_sizes(text):
    with pytest.raises(UsageError, match="expected a number of bytes"):
        size(text)


def test_what_is_recorded_by_default_is_what_has_an_address():
    testnet, mainnet = (load(name, (), (), environ={}).settings for name in ("testnet", "mainnet"))
    assert [type(one.section).__name__ for one in places(testnet, None, None)] == ["Hyperliquid", "Kalshi"]
    assert [type(one.section).__name__ for one in places(mainnet, None, None)] == [
        "Hyperliquid",
        "Polymarket",
        "Kalshi",
    ]
    served = SimDocument(
        ready=True, clock=SimClock(0, 0, 1.0), venues=SimVenues(kalshi=SimKalshi("http://127.0.0.1:1", "ws://x", ()))
    )
    (one,) = places(mainnet, served, None)
    assert (one.rest, one.ws) == ("http://127.0.0.1:1", "ws://x")
    with pytest.raises(ConfigError, match="the simulator serves none"):
        places(mainnet, served, "hyperliquid")


def test_check_says_what_is_wrong_and_ends_with_3(hlomm, tmp_path):
    write(tmp_path, minute())
    good = hlomm("data", "check", tmp_path)
    assert good.code == 0
    assert "defects: none" in good.out
    path = Store.open(tmp_path).files[0].path
    path.write_bytes(path.read_bytes()[:-5])
    bad = hlomm("data", "check", tmp_path, "--json")
    assert bad.code == 3
    document = bad.json()
    assert document["good"] is False
    assert document["findings"]["unreadable_file"]["count"] == 1
    assert "moved away" in document["findings"]["unreadable_file"]["rule"]
    text = hlomm("data", "check", tmp_path)
    assert "defects: unreadable_file" in text.out
    refused = hlomm("backtest", tmp_path, "--out", tmp_path / "out")
    assert refused.code == 3
    assert "not a readable Parquet file" in refused.err


def test_pack_turns_what_was_left_into_parquet(hlomm, tmp_path):
    write(tmp_path, minute(), packed=False)
    assert Store.open(tmp_path).spools
    done = hlomm("data", "pack", tmp_path, "--json")
    assert (done.code, done.json()[0]["rows"]) == (0, 250)
    assert not Store.open(tmp_path).spools
    again = hlomm("data", "pack", tmp_path)
    assert "0 spools packed" in again.out


@pytest.mark.parametrize("command", [("data", "check"), ("data", "pack"), ("backtest",)])
def test_a_folder_that_is_no_store_is_said(hlomm, tmp_path, command):
    done = hlomm(*command, tmp_path / "nothing")
    assert done.code == 2
    assert "nothing" in done.err


def test_a_backtest_of_a_store_names_what_it_leaves_out(hlomm, tmp_path):
    write(tmp_path / "store", minute())
    done = hlomm("backtest", tmp_path / "store", "--out", tmp_path, "--json")
    assert done.code == 0
    document = done.json()
    assert (document["market"], document["settled"]) == ("OUT:BTC-79000-x", 1.0)
    assert document["data"]["books"] == 30
    write(tmp_path / "open", minute(settled=False)[:60])
    left = hlomm("backtest", tmp_path / "open", "--out", tmp_path)
    assert left.code == 2
    assert "no settlement, and no mark within 5 s of its expiry" in left.err


def test_import_of_nothing_fails(hlomm, tmp_path):
    path = tmp_path / "lines.gz"
    path.write_bytes(b"\x1f\x8bno gzip")
    done = hlomm("import", "hl-frames", path, "--out", tmp_path / "store")
    assert done.code == 2
    assert "nothing of kind hl-frames" in done.err
    assert "1 broken_files" in done.err
    assert not Path(tmp_path / "store").exists()


def test_import_tells_what_it_made(hlomm, tmp_path):
    path = tmp_path / "prices_BTC.csv"
    path.write_text(
        "timestamp,price,size,side,exchange_timestamp\n"
        "1756904112.5,100.0,1.5,bid,1756904112000\n1756904112.5,101.0,2,ask,1756904112000\n1756904113,x,1,bid,1\n"
    )
    done = hlomm("import", "hl-csv", path, "--out", tmp_path / "store", "--json")
    assert done.code == 0
    document = json.loads(done.out)
    assert (document["events"], document["markets"], document["odd"]) == (
        2,
        ["hyperliquid:BTC"],
        {"unreadable_rows": 1},
    )
    assert hlomm("data", "check", tmp_path / "store").code == 0
