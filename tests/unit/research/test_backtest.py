"""The engine over two recorded hours of a mainnet market: what is loaded, filled, settled and reported."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from hlomm.domain.inputs import BookSnapshot, TradePrint
from hlomm.domain.markets import Comparator
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import ONE, SCALE, Cash, Px, parse
from hlomm.research.backtest import backtest, settled_by_marks, settlement_mark
from hlomm.research.backtest_result import BacktestResult, parts_text
from hlomm.research.chart import draw
from hlomm.research.recording import Recording, load
from hlomm.settings.load import load as load_settings
from tests.support.values import outcome


@pytest.fixture(scope="module")
def recording(q15: Path) -> Recording:
    return load(q15)


@pytest.fixture(scope="module")
def result(recording: Recording) -> BacktestResult:
    return backtest(recording, load_settings("sim", environ={}))


def test_recording_is_one_book_with_replays_dropped(recording):
    assert recording.books == recording.mirrored == 13_337
    assert (recording.prints_raw, recording.prints_replayed) == (562, 30)
    prints = [event for event in recording.events if isinstance(event.item, TradePrint)]
    assert len(prints) == 532
    assert sum(event.item.qty for event in prints) == 144_127 * SCALE
    assert recording.outcome.ticker == "OUT:BTC-80354-2026-05-10T0600"
    received = [event.received_ns for event in recording.events]
    assert received == sorted(received)


def test_last_minutes_have_no_ask(recording):
    books = [event for event in recording.events if isinstance(event.item, BookSnapshot)]
    one_sided = [event for event in books if not event.item.asks]
    assert len(one_sided) == 1_513
    assert (books[-1].exchange_ns - one_sided[0].exchange_ns) / NS_PER_S == pytest.approx(13.6 * 60, abs=10)


def test_run_quotes_fills_and_settles_yes(result):
    assert result.settled == SCALE
    assert result.final.fills > 0
    assert result.final.orders_placed + result.final.amends > 50
    assert result.final.invariant_breaks == 0
    assert result.final.open_orders == 0
    assert result.final.state == "stopped"
    assert result.final.settlements == 1


def test_fills_never_exceed_the_tape(result, recording):
    prints = {event.item.trade_id: event.item.qty for event in recording.events if isinstance(event.item, TradePrint)}
    used: dict[str, int] = {}
    for trade_id, took, size in result.filled_from:
        used[trade_id] = used.get(trade_id, 0) + took
        assert size == prints[trade_id]
    assert used
    assert all(took <= prints[trade_id] for trade_id, took in used.items())
    assert sum(used.values()) == sum(fill.qty for fill in result.fills if fill.maker)


def test_result_is_accounted_for_to_the_unit(result):
    pnl = result.final.pnl
    assert pnl.spread + pnl.inventory + pnl.settlement - pnl.fees + pnl.rounding == pnl.total
    assert pnl.realised + pnl.unrealised - pnl.fees == pnl.total
    assert pnl.unrealised == 0, "everything is settled"
    assert result.final.equity == 10_000 * SCALE + pnl.total


@pytest.mark.parametrize("rounding", [0, -3])
def test_the_printed_parts_add_up_to_the_printed_result(result, rounding):
    made = result.final.pnl
    pnl = replace(made, rounding=Cash(made.rounding + rounding), total=Cash(made.total + rounding))
    total, parts = parts_text(pnl).removeprefix("pnl ").split(" = ")
    signed = {name: parse(figure.lstrip("+")) for name, figure in re.findall(r"([a-z]+) ([+-]?[0-9.]+)", parts)}
    assert parse(total.lstrip("+")) == pnl.total == sum(signed.values()) - 2 * signed["fees"]
    assert pnl.total % 10**6, "there is something to cut off"
    said = result.document("sim")["pnl"]
    assert said["spread"] + said["inventory"] + said["settlement"] - said["fees"] + said["rounding"] == pytest.approx(
        said["total"]
    )  # fmt: skip


def test_inventory_stays_inside_its_limit(result):
    limit = parse("400")
    assert all(abs(sample.net) <= limit for sample in result.samples)
    assert any(sample.net for sample in result.samples)


def test_document_has_the_contracted_keys(result):
    document = json.loads(json.dumps(result.document("sim")))
    for key in (
        "profile", "seed", "duration_s", "orders_placed", "cancels", "fills", "volume", "pnl", "max_drawdown",
        "inventory", "settlements", "rolls", "risk", "halt", "venue_open_orders", "invariant_breaks", "journal",
        "latency_us", "quotes", "fill_model", "markouts", "brier", "fair_error", "hedge_overlay",
    ):  # fmt: skip
        assert key in document
    assert set(document["markouts"]) == {"1", "5", "30", "60"}
    assert all(row["n"] > 0 for row in document["markouts"].values())
    assert 0 <= document["brier"] < 0.01


def test_the_default_fair_value_beats_constant_vols_against_the_market(result):
    rows = {row["tau"]: row for row in result.document("sim")["fair_error"]["bins"]}
    for tau in (">60 min", "60-30", "30-15", "15-5", "all"):
        errors = rows[tau]["errors"]
        for mine in ("model", "default"):
            for constant in ("constant_realised", "constant_configured"):
                assert errors[mine]["mid_error"] < errors[constant]["mid_error"], (tau, mine, constant)
    overall = rows["all"]["errors"]
    assert overall["default"]["mid_error"] < 0.002
    assert overall["default"]["squared"] < overall["market"]["squared"]
    assert overall["model"]["squared"] < overall["constant_configured"]["squared"]
    assert rows["5-1"]["two_sided"] == rows["<1"]["two_sided"] == 0, "nobody offers at the end"
    assert rows["<1"]["errors"]["model"]["mid_error"] is None


def test_the_vols_behind_it_are_those_that_the_market_showed(result):
    rows = {row["tau"]: row["vol"] for row in result.document("sim")["fair_error"]["bins"]}
    assert 0.08 < rows["all"]["realised"] < 0.14
    assert 0.15 < rows[">60 min"]["implied"] < 0.20
    assert rows["15-5"]["implied"] > 1.4 * rows[">60 min"]["implied"]
    assert rows["15-5"]["expected"] > rows["15-5"]["realised"]


def test_snapshots_are_counted_once_and_calibration_covers_them(result):
    document = result.document("sim")["fair_error"]
    *parts, everything = document["bins"]
    assert sum(row["snapshots"] for row in parts) == everything["snapshots"] > 13_000
    assert sum(row["n"] for row in document["calibration"]["default"]) == everything["errors"]["default"]["n"]


def test_hedged_and_unhedged_results_are_reported(result):
    hedged = result.document("sim")["hedge_overlay"]
    assert hedged["unhedged"] == pytest.approx(result.final.pnl.total / SCALE)
    assert hedged["hedged"] == pytest.approx(hedged["unhedged"] + hedged["hedge"])
    assert hedged["trades"] > 0
    assert hedged["fees"] == pytest.approx(hedged["turnover"] * 4.5e-4)


def test_the_text_says_what_is_in_sample(result):
    text = result.text()
    assert "In sample" in text
    assert "hedge overlay" in text
    assert "calibration of default" in text


def test_two_runs_are_the_same_run(result, recording):
    again = backtest(recording, load_settings("sim", environ={}))
    assert again.digest == result.digest
    assert again.document("sim") == result.document("sim")


def test_chart_is_written(result, tmp_path):
    path = tmp_path / "chart.svg"
    draw(result, path)
    assert b"<svg" in path.read_bytes()[:500]


def test_settlement_mark_interpolates_between_the_updates_around_expiry():
    marks = ((0, Px(100 * SCALE)), (10, Px(110 * SCALE)), (30, Px(130 * SCALE)))
    assert settlement_mark(marks, 15)[0] == 115 * SCALE
    assert settlement_mark(marks, 40)[0] == 130 * SCALE
    assert "interpolated" in settlement_mark(marks, 15)[1]
    assert "nearest" in settlement_mark(marks, 40)[1]


@pytest.mark.parametrize(("comparator", "at_it"), [(Comparator.AT_LEAST, ONE), (Comparator.ABOVE, 0)])
def test_a_mark_at_the_strike_pays_by_the_comparison_of_the_contract(comparator: Comparator, at_it: int) -> None:
    market = msgspec.structs.replace(outcome(), comparator=comparator)
    assert market.strike is not None
    assert market.expiry_ns is not None
    paid = [settled_by_marks(((market.expiry_ns, Px(market.strike + step)),), market)[0] for step in (-1, 0, 1)]
    assert paid == [0, at_it, ONE]
