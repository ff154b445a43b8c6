"""`hlomm backtest`: what is assumed is chosen by name, printed with the result, and bracketed."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from hlomm.cli.main import main
from hlomm.domain.ids import polymarket_market
from tests.unit.store.making import book, minute, write


@pytest.fixture
def store(tmp_path):
    write(tmp_path / "store", minute())
    return tmp_path / "store"


def backtested(store, out, *typed):
    """Without a process of its own."""
    done = CliRunner().invoke(main, ["backtest", str(store), *typed, "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_result_names_its_model_and_stands_between_two_others(tmp_path, store):
    samples = tmp_path / "measured.json"
    samples.write_text(json.dumps({"latency": {leg: {"samples_ns": [10**6, 10**7]} for leg in ("entry", "response")}}))
    typed = ("--queue", "power", "--queue-n", "3", "--latency", f"{samples},feed=5ms", "--seed", "9", "--fees", "today")
    document = backtested(store, tmp_path, *typed)
    tag = document["fill_model"]
    assert tag.startswith("queue-power(n=3)/v2 latency-drawn feed=recorded+5ms entry=drawn(measured.json ")
    assert tag.count("seed 9") == 2
    assert document["seed"] == 9
    assert document["fees"] == {
        "rule": "today's: charged by the multiplier rule, as a live session assumes until its first own fill",
        "known": False,
    }
    ends = document["bracket"]["fill_models"]
    assert ends == {
        "pessimistic": tag.replace("queue-power(n=3)", "queue-back"),
        "optimistic": tag.replace("queue-power(n=3)", "queue-power(n=2)"),
    }
    assert all(isinstance(document["bracket"][end], float) for end in ends)


def test_text_says_that_it_is_a_model_and_knows_no_future(hlomm, tmp_path, store):
    done = hlomm("backtest", store, "--look-ahead-check", "--out", tmp_path)
    assert done.code == 0
    assert "look-ahead: 9 changed futures, up to " in done.out
    assert "fill model: queue-back/v2 latency-const feed=recorded entry=190ms response=190ms" in done.out
    assert "fees: protocol contracts of 2026-11-18: free" in done.out
    assert "so the nearest known rule, 47 days away" in done.out
    (line,) = [line for line in done.out.splitlines() if line.startswith("bracket: ")]
    assert "by queue-back" in line
    assert "by queue-power(n=2)" in line
    assert "models of the queue, not facts" in line


def test_without_a_bracket_it_is_null(tmp_path, store):
    assert backtested(store, tmp_path, "--no-bracket")["bracket"] is None


def test_a_store_in_which_nothing_can_be_traded_is_heard_and_says_why(tmp_path):
    write(tmp_path / "store", [(20, book(10, id_=polymarket_market("0xabc")))])
    document = backtested(tmp_path / "store", tmp_path)
    heard = document["heard"]["polymarket:0xabc"]
    assert (heard["books"], heard["traded"]) == (1, False)
    assert heard["why"].startswith("no terms")
    assert (document["orders_placed"], document["bracket"], document["data"]["book_events"]) == (0, None, 1)
    assert backtested(tmp_path / "store", tmp_path, "--together")["digest"] == document["digest"]
    done = CliRunner().invoke(main, ["backtest", str(tmp_path / "store"), "--look-ahead-check"])
    assert done.exit_code == 2
    assert "nothing can be traded in it" in done.output
