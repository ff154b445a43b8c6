"""What is gathered of a run is what the run was: to the last fill and unit, and no further than can be trusted."""

from __future__ import annotations

from pathlib import Path

import attrs
import msgspec
import polars as pl
import pytest

from hlomm.domain.faults import UsageError
from hlomm.domain.inputs import Booted
from hlomm.domain.outputs import AmendOrders, CancelOrders, PlaceOrders
from hlomm.engine.markouts import MARKOUT_S
from hlomm.journal.codec import InputRecord, TurnRecord, decode
from hlomm.journal.framing import scan
from hlomm.research.imports.kinds import KINDS
from hlomm.research.imports.lines import import_into
from hlomm.research.replay import replay
from hlomm.research.report.contents import contents, unaccounted
from hlomm.research.report.figures_money import PARTS
from hlomm.research.report.gather import Gathered, from_journal, from_recording, is_recording
from hlomm.research.report.source import Source
from hlomm.research.report.watch import Watcher
from hlomm.settings.load import load
from tests.replay.journals import Run, write
from tests.support.recordings import folder, lively


def records(journal: Path) -> list[InputRecord | TurnRecord]:
    (file,) = journal.iterdir()
    found = [decode(payload) for payload in scan(file.read_bytes()).payloads]
    return [record for record in found if isinstance(record, InputRecord | TurnRecord)]


def test_the_run_is_worth_looking_at(gathered: Gathered) -> None:
    """Else everything below would be true of nothing."""
    assert gathered.source is Source.SIM
    assert gathered.sound
    assert gathered.final.fills > 20
    assert len(gathered.settled) >= 3
    assert all(len(gathered.tables[name]) > 100 for name in ("quotes", "equity", "decisions"))
    assert set(gathered.tables["equity"]["source"]) == {"sim"}


def test_looking_on_changes_no_decision(journal: Path) -> None:
    result = replay(journal, onlooker=Watcher(every_s=0.1, decisions=True))
    assert result.identical
    assert result.corrupt is None
    assert result.document() == replay(journal).document()


def test_every_fill_is_there_once_and_adds_up_to_the_engines_own_sums(gathered: Gathered) -> None:
    fills = gathered.tables["fills"]
    trades = fills.filter(pl.col("kind") == "trade")
    assert len(trades) == gathered.final.fills
    assert fills["fee"].sum() == gathered.final.pnl.fees
    assert fills["wall_ns"].is_sorted()
    makers = trades.filter(pl.col("maker") & pl.col("outcome"))
    for horizon_s, told in zip(MARKOUT_S, gathered.final.markouts, strict=True):
        known = makers.filter(pl.col(f"markout_{horizon_s}s").is_not_null())
        assert len(known) == told.fills > 0
        mean = (known[f"markout_{horizon_s}s"] * known["qty"]).sum() / known["qty"].sum()
        assert told.mean is not None
        assert abs(mean - told.mean) <= 1, "each figure is rounded down to a unit"


def test_every_decision_is_there_once(journal: Path, gathered: Gathered) -> None:
    outputs = [output for record in records(journal) if isinstance(record, TurnRecord) for output in record.outputs]
    counted = dict(gathered.tables["decisions"].group_by("kind").len().iter_rows())
    assert counted["PlaceOrders"] == sum(len(one.orders) for one in outputs if isinstance(one, PlaceOrders)) > 0
    assert counted["AmendOrders"] == sum(len(one.amends) for one in outputs if isinstance(one, AmendOrders)) > 0
    assert counted["CancelOrders"] == sum(len(one.cancels) for one in outputs if isinstance(one, CancelOrders)) > 0
    batches = (PlaceOrders, AmendOrders, CancelOrders)
    rest = sum(count for kind, count in counted.items() if kind not in {batch.__name__ for batch in batches})
    assert rest == sum(not isinstance(one, batches) for one in outputs)


# -- conservation


def test_the_parts_are_the_change_of_equity_to_the_last_unit(gathered: Gathered) -> None:
    equity = gathered.tables["equity"]
    assert unaccounted(equity) == 0
    first, last = equity.row(0, named=True), equity.row(-1, named=True)
    parts = sum(sign * (last[name] - first[name]) for name, sign, _ in PARTS)
    assert parts == last["total"] - first["total"]
    assert last["equity"] - first["equity"] == (
        parts + last["marking"] - first["marking"] + last["capital"] - first["capital"]
    )
    assert parts != 0
    assert (last["equity"], last["total"]) == (gathered.final.equity, gathered.final.pnl.total)
    assert sum((equity[name] != 0).any() for name, _, _ in PARTS) >= 4, "several parts did take part"


@pytest.mark.parametrize("column", ["equity", "capital", "marking", *(name for name, _, _ in PARTS)])
def test_one_unit_missing_anywhere_is_said(gathered: Gathered, column: str) -> None:
    equity = gathered.tables["equity"]
    at = len(equity) // 2
    wrong = equity.with_columns(
        pl.when(pl.int_range(pl.len()) == at).then(pl.col(column) + 1).otherwise(pl.col(column)).alias(column)
    )
    assert unaccounted(wrong) == 1
    changed = attrs.evolve(gathered, tables={**gathered.tables, "equity": wrong})
    assert "DO NOT ADD UP: 0.00000001 at worst" in contents(changed).told[-1]
    assert "add up to the change of equity" in contents(gathered).told[-1]


@pytest.mark.parametrize(("seed", "hostility"), [(2, 0.1), (5, 0.3), (7, 1.0)])
def test_they_add_up_in_any_weather(seed: int, hostility: float, tmp_path: Path) -> None:
    run = Run().weather(seed, 500, hostility=hostility)
    write(tmp_path, run.records)
    found = from_journal(tmp_path, every_s=0.2, decisions=True)
    assert found.sound
    assert len(found.tables["equity"]) > 20
    assert unaccounted(found.tables["equity"]) == 0
    assert contents(found).sections


# -- bounded


def test_a_long_run_is_sampled_less_often_and_it_is_said(journal: Path, gathered: Gathered) -> None:
    watcher = Watcher(every_s=1.0, decisions=False, samples_max=64)
    replay(journal, onlooker=watcher)
    watcher.finish()
    equity = watcher.tables["equity"].frame(Source.SIM)
    assert watcher.halvings >= 4
    assert watcher.every_ns == 10**9 * 2**watcher.halvings
    assert len(equity) == watcher.samples <= 64
    assert len(equity) >= 16, "no halving takes more than every other one"
    assert equity["wall_ns"][0] == gathered.tables["equity"]["wall_ns"][0]
    assert watcher.dropped > len(equity)
    assert equity["total"][-1] == gathered.final.pnl.total, "the last picture stays"
    assert set(watcher.tables["quotes"].frame(Source.SIM)["wall_ns"]) <= set(equity["wall_ns"])
    assert unaccounted(equity) == 0


# -- damage


def test_a_torn_tail_is_said_and_harmless(journal: Path, tmp_path: Path) -> None:
    (file,) = journal.iterdir()
    (tmp_path / file.name).write_bytes(file.read_bytes()[:-5])
    found = from_journal(tmp_path, every_s=1.0, decisions=False)
    assert found.sound
    assert any(line.startswith("torn tail:") for line in found.told)


def test_damage_is_said_and_what_precedes_it_is_drawn(journal: Path, gathered: Gathered, tmp_path: Path) -> None:
    (file,) = journal.iterdir()
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    (tmp_path / file.name).write_bytes(data)
    found = from_journal(tmp_path, every_s=1.0, decisions=False)
    assert not found.sound
    assert any(line.startswith("CORRUPT:") for line in found.told)
    assert any("inputs" in line for line in found.told)
    assert 0 < len(found.tables["equity"]) < len(gathered.tables["equity"])
    assert not contents(found).sound


def test_a_decision_that_does_not_come_out_as_recorded_is_said(journal: Path, tmp_path: Path) -> None:
    run = Run().weather(3, 300)
    at = next(number for number, record in enumerate(run.records) if isinstance(record, TurnRecord) and record.outputs)
    record = run.records[at]
    assert isinstance(record, TurnRecord)
    forged = msgspec.structs.replace(record, outputs=record.outputs[1:])
    write(tmp_path, [*run.records[:at], forged, *run.records[at + 1 :]])
    found = from_journal(tmp_path, every_s=1.0, decisions=True)
    assert not found.sound
    assert any(line.startswith("DIVERGED at record") for line in found.told)


def test_a_run_that_broke_is_reported_up_to_there(tmp_path: Path) -> None:
    run = Run().weather(6, 200)
    first = run.records[0]
    assert isinstance(first, InputRecord)
    assert isinstance(first.item, Booted)
    write(tmp_path, run.break_with(first.item).records)
    found = from_journal(tmp_path, every_s=1.0, decisions=True)
    assert any(line.startswith("identical, to the fault:") for line in found.told)
    assert len(found.tables["equity"]) > 0


# -- recordings


def test_a_store_is_gathered_as_the_folder_it_was_made_of_and_of_several_outcomes_none(tmp_path: Path) -> None:
    data = folder(tmp_path / "data", lively(seconds=61, expiry_s=60))
    for path in data.glob("*.parquet"):
        pl.read_parquet(path).with_columns(venue=pl.lit("hyperliquid")).write_parquet(path)
    import_into(tmp_path / "store", KINDS["hip4"], [data])
    assert is_recording(data)
    assert is_recording(tmp_path / "store")
    loaded = load("sim", environ={})
    both = [from_recording(path, loaded, every_s=5.0, decisions=True) for path in (data, tmp_path / "store")]
    assert {name: table.rows() for name, table in both[0].tables.items()} == {
        name: table.rows() for name, table in both[1].tables.items()
    }
    assert len(both[0].tables["decisions"]) > 10
    for kind in ("book_snapshot", "trade", "meta"):
        frame = pl.read_parquet(data / f"{kind}.parquet").with_columns(symbol=pl.lit("#290"))
        if kind == "meta":
            frame = frame.with_columns(values=pl.lit(["29", *frame["values"][0].to_list()[1:]]))
        frame.write_parquet(data / f"{kind}2.parquet")
    with pytest.raises(UsageError, match=r"2 outcomes .* a page shows one recording"):
        from_recording(data, loaded, every_s=5.0, decisions=True)


@pytest.mark.slow
def test_a_recording_is_run_through_the_same_engine(q15: Path) -> None:
    found = from_recording(q15, load("sim", environ={}), every_s=5.0, decisions=True)
    assert found.source is Source.RECORDED
    assert set(found.tables["fills"]["source"]) == {"recorded"}
    assert found.final.fills == (found.tables["fills"]["kind"] == "trade").sum() > 0
    assert unaccounted(found.tables["equity"]) == 0
    assert any("fill model" in line for line in found.told)
    assert [settled.yes_px for settled in found.settled.values()] == [10**8]
