"""Everything recorded that lies beside the checkout: what has books runs through the engine, what has none says why.

The one recording that can be traded, `hl_hip4_q15`, is run in `test_backtest.py`; all of them whole in
`trials/test_every_dataset.py`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hlomm.domain.faults import UsageError
from hlomm.research.imports.candles import NAME as CANDLES
from hlomm.research.imports.kinds import KINDS, TABLES
from hlomm.research.imports.lines import import_into
from hlomm.research.session import SessionResult, run_session
from hlomm.research.store.read import Store
from hlomm.research.store.recordings import load_session, only_heard
from hlomm.settings.load import load
from tests.support.datasets import DATA, WITH_BOOKS, WITHOUT, dataset, slice_of

INDEX = re.compile(r"^\| (\w+) \| .* \| .* \| .* \|$", re.MULTILINE)


def imported(kind: str, out: Path, path: Path) -> Path:
    if kind in TABLES:
        TABLES[kind](out, [path])
    else:
        import_into(out, KINDS[kind], [path])
    return out


def heard(store: Path) -> SessionResult:
    return run_session(load_session(store), load("sim", environ={}))


def test_every_folder_is_known_to_have_books_or_none() -> None:
    dataset("README.md")
    folders = {path.name for path in DATA.iterdir() if path.is_dir()}
    index = (DATA / "README.md").read_text().partition("## Index")[2].partition("\n## ")[0]
    assert set(INDEX.findall(index)) - {"dir"} == folders
    assert {*WITH_BOOKS, *WITHOUT} == folders
    assert not set(WITH_BOOKS) & set(WITHOUT)
    assert all(WITHOUT.values())


@pytest.mark.parametrize("name", sorted(WITHOUT))
def test_no_importer_finds_a_book_where_there_is_said_to_be_none(tmp_path: Path, name: str) -> None:
    folder = dataset(name)
    for kind in sorted({*KINDS, *TABLES} - {CANDLES}):
        try:
            store = imported(kind, tmp_path / kind, folder)
        except UsageError:
            continue
        kinds = Store.open(store).scan().collect()["kind"].unique().to_list()
        assert not {"book", "bbo"} & set(kinds), f"{kind} reads a book in {name}"


@pytest.mark.parametrize("name", sorted(set(WITH_BOOKS) - {"hl_hip4_q15"}))
def test_the_engine_hears_all_of_it_twice_the_same_and_says_why_it_trades_nothing(tmp_path: Path, name: str) -> None:
    known = WITH_BOOKS[name]
    store = imported(known.kind, tmp_path / "store", slice_of(name, tmp_path / "in"))
    assert only_heard(store)
    first, second = heard(store), heard(store)
    assert first.digest == second.digest
    assert (first.final.orders_placed, first.final.invariant_breaks) == (0, 0)
    session = first.session
    assert first.inputs >= len(session.events) > 0
    assert session.book_events == sum(one.books + one.touches for one in session.heard) > 0
    assert {one.market for one in session.heard} == set(Store.open(store).markets())
    assert {one.why for one in session.heard} <= set(known.why)
