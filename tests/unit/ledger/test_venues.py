"""Several venues in one ledger: every row under the account of its market, and fills that were undone."""

from __future__ import annotations

import sqlite3

import msgspec
import pytest

from hlomm.daemon.ledger_fold import Fold
from hlomm.domain.carried import Carried, CarriedBooks
from hlomm.domain.fills import Fill
from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET, MarketId
from hlomm.domain.inputs import Booted, FillReceived, FillVoided, MarketSettled
from hlomm.domain.units import SCALE, Cash, Px
from hlomm.journal.codec import CheckpointRecord
from hlomm.rundir.ledger_schema import MIGRATIONS, TABLES, VERSION, version_of
from tests.support.records import ACCOUNT, EPOCH, Script, books, one_fill
from tests.support.values import KS, PM
from tests.unit.ledger.conftest import connected

WHO = {HYPERLIQUID: ACCOUNT, POLYMARKET: "pm|0xfeed", KALSHI: "ks|key"}


def of(market: MarketId, key: str = "f1", *, pending: bool = False) -> Fill:
    return msgspec.structs.replace(one_fill(key, qty=40, cloid=None, px=50), market=market, pending=pending)


def boot(script: Script) -> Script:
    return script.hear(
        Booted(epoch_ms=script.epoch, profile="sim", version="0", config="{}", halted=None, account=ACCOUNT,
               accounts=tuple(WHO.items())),
    )  # fmt: skip


def all_books(*venues: str) -> Carried:
    main = books(100)
    others = []
    for venue, cash in ((POLYMARKET, 70), (KALSHI, 30)):
        if venue in venues:
            values = {name: getattr(main, name) for name in CarriedBooks.__struct_fields__}
            others.append(CarriedBooks(**(values | {"venue": venue, "account": WHO[venue], "cash": Cash(cash)})))
    return msgspec.structs.replace(main, others=tuple(others))


def checkpoint(script: Script, *venues: str) -> Script:
    script.records.append(CheckpointRecord(script.seq, script.now, all_books(*venues)))
    return script


def run() -> Script:
    script = checkpoint(boot(Script()), POLYMARKET)
    script.hear(FillReceived(of(PM, pending=True))).hear(FillReceived(of(KS))).fill(cloid=None)
    script.hear(FillVoided(of(PM, pending=True), "FAILED")).hear(MarketSettled(KS, Px(SCALE), "brti"))
    return checkpoint(script, POLYMARKET, KALSHI)


def rows(connection: sqlite3.Connection, name: str) -> list[tuple[object, ...]]:
    return connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()


def folded(script: Script, size: int = 100) -> sqlite3.Connection:
    connection = connected(":memory:")
    batch = script.batch()
    for start in range(0, len(batch), size):
        Fold(connection).apply(batch[start : start + size], gaps=False)
    return connection


def test_rows_stand_under_the_account_of_their_market() -> None:
    found = folded(run())
    assert rows(found, "accounts") == sorted((EPOCH, venue, account) for venue, account in WHO.items())
    fills = {row[0]: row for row in rows(found, "fills")}
    assert set(fills) == set(WHO.values()), "one key at three venues is three fills"
    assert [fills[account][16] for account in WHO.values()] == [1, 1, 0], "Kalshi's books were not open yet"
    assert [row[:2] for row in rows(found, "settlements")] == [(WHO[KALSHI], KS)]
    assert {row[0]: row[5] for row in rows(found, "pnl")} == {ACCOUNT: 100, WHO[POLYMARKET]: 70, WHO[KALSHI]: 30}


def test_an_undone_fill_stays_on_record_with_its_reason() -> None:
    (row,) = rows(folded(run()), "voids")
    assert (row[0], row[1], row[5]) == (WHO[POLYMARKET], "f1", "FAILED")


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_pieces_by_other_processes_give_the_same_rows(size: int) -> None:
    whole, parts = folded(run()), folded(run(), size)
    assert {name: rows(whole, name) for name in TABLES} == {name: rows(parts, name) for name in TABLES}


def test_a_ledger_of_one_venue_is_taken_further_where_it_stands() -> None:
    old = connected(":memory:")
    Fold(old).apply(Script().boot().books().fill(cloid=None).batch(), gaps=False)
    for name in ("accounts", "voids", "shadows", "shadow_decisions", "shadow_fills"):
        old.execute(f"DROP TABLE {name}")
    old.execute("PRAGMA user_version = 1")
    for version, step in enumerate(MIGRATIONS[1:], 2):
        old.executescript(f"{step}PRAGMA user_version = {version};")
    assert version_of(old) == VERSION
    later = boot(Script(EPOCH + 1))
    Fold(old).apply(later.hear(FillReceived(of(PM))).batch(), gaps=False)
    assert {row[0] for row in rows(old, "fills")} == {ACCOUNT, WHO[POLYMARKET]}
