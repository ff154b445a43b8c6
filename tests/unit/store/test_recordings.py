"""From a store to what a backtest runs over: the rules, each with its reason or its count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import polars as pl
import pytest

from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import (
    BboUpdate,
    BookSnapshot,
    Input,
    MarketListed,
    MarketSettled,
    MarkPrice,
    SessionDown,
    SessionUp,
    TradePrint,
)
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_MS, NS_PER_S, Now
from hlomm.domain.units import SCALE, Px, Qty
from hlomm.research.backtest import backtest
from hlomm.research.record.recorder import Ear
from hlomm.research.record.writer import Writer
from hlomm.research.recording import perp_of
from hlomm.research.session import run_session
from hlomm.research.source import recordings
from hlomm.research.store import spool
from hlomm.research.store.check import check
from hlomm.research.store.pack import pack
from hlomm.research.store.read import Store
from hlomm.research.store.recordings import load_session, load_store
from hlomm.research.store.schema import EVENTS, SchemaError
from hlomm.settings.load import load as load_settings
from tests.unit.store.making import OUTCOME, PERP, RUN, T0, at, book, market, minute, touch, trade, write

Rows = list[tuple[int, Input]]


def reasons(root: Path) -> list[str]:
    chosen = load_store(root)
    assert not chosen.recordings
    return [one.reason for one in chosen.excluded]


def test_a_store_is_one_recording_for_each_market(tmp_path: Path) -> None:
    write(tmp_path, minute())
    chosen = recordings(tmp_path)
    (recording,) = chosen.recordings
    assert chosen.excluded == ()
    assert (recording.outcome.id, recording.perp.id) == (OUTCOME, PERP)
    assert (recording.books, recording.prints_raw, recording.prints_replayed) == (30, 30, 0)
    assert recording.settled == SCALE
    assert recording.repairs == ()
    assert [event.item for event in recording.events] == [
        item for _, item in minute() if isinstance(item, BookSnapshot | BboUpdate | MarkPrice | TradePrint)
    ]


def test_the_engine_runs_over_it_and_settles_as_recorded(tmp_path: Path) -> None:
    write(tmp_path, minute())
    (recording,) = recordings(tmp_path).recordings
    result = backtest(recording, load_settings("sim", environ={}))
    assert result.settled == SCALE
    assert result.final.settlements == 1
    assert result.final.invariant_breaks == 0


def test_together_a_perp_alone_is_heard_and_nothing_is_traded(tmp_path: Path) -> None:
    rows: Rows = [(1, MarketListed(perp_of("BTC"))), *((ms, touch(ms)) for ms in range(100, 5_000, 100))]
    write(tmp_path, rows)
    result = run_session(load_session(tmp_path), load_settings("sim", environ={}))
    assert (result.session.markets, result.fees, result.final.orders_placed) == ((), None, 0)
    assert result.inputs >= len(rows)
    assert "nothing to trade" in result.text()
    assert result.document("sim")["fees"] is None


def test_together_without_any_book_there_is_nothing_to_run(tmp_path: Path) -> None:
    write(tmp_path, [(1, MarketListed(perp_of("BTC")))])
    with pytest.raises(UsageError, match="it has no book"):
        load_session(tmp_path)


def without(kind: type) -> Callable[[Rows], Rows]:
    return lambda rows: [(ms, item) for ms, item in rows if not isinstance(item, kind)]


def early_marks(rows: Rows) -> Rows:
    return [(ms, item) for ms, item in without(MarketSettled)(rows) if not isinstance(item, MarkPrice) or ms < 54_000]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (without(MarketListed), "nothing says what this market is"),
        (without(BookSnapshot), "no book"),
        (without(BboUpdate), "no touch of its perp BTC"),
        (early_marks, "no settlement, and no mark within 5 s of its expiry"),
    ],
)
def test_a_market_that_cannot_be_run_is_left_out_with_its_reason(
    tmp_path: Path, edit: Callable[[Rows], Rows], reason: str
) -> None:
    write(tmp_path, edit(minute()))
    (said,) = reasons(tmp_path)
    assert said.startswith(reason)
    with pytest.raises(UsageError, match=reason):
        recordings(tmp_path)


def test_marks_up_to_the_expiry_settle_what_no_row_settles(tmp_path: Path) -> None:
    write(tmp_path, without(MarketSettled)(minute()))
    (recording,) = recordings(tmp_path).recordings
    assert recording.settled is None
    assert recording.marks[-1][1] == 79_010 * SCALE
    assert backtest(recording, load_settings("sim", environ={})).settled == SCALE


@pytest.mark.parametrize(("length_s", "excluded"), [(59, False), (61, True)])
def test_a_gap_excludes_from_a_minute_on(tmp_path: Path, length_s: int, excluded: bool) -> None:
    pen = Writer(tmp_path, RUN, "live")
    for ms, item in minute():
        pen.event(at(ms), HYPERLIQUID, item, None)
        if ms == 30_060:
            pen.own(
                at(ms),
                HYPERLIQUID,
                OUTCOME,
                "gap",
                f'{{"from_ns": {T0 + (30_060 - length_s * 1_000) * 10**6}, "reason": "x"}}',
            )
    pen.close()
    chosen = load_store(tmp_path)
    assert bool(chosen.excluded) is excluded
    if excluded:
        assert chosen.excluded[0].reason == "a gap of 61 s"


def test_a_gap_of_the_perp_counts_only_within_the_time_of_the_market(tmp_path: Path) -> None:
    before = [(ms - 400_000, touch(ms)) for ms in (0, 1_000)]
    write(tmp_path, [(-400_001, minute()[1][1]), *before], run=RUN - 400_000)
    write(tmp_path, minute())
    assert len(recordings(tmp_path).recordings) == 1
    pen = Writer(tmp_path, RUN + 1, "sim")
    pen.own(at(30_000), HYPERLIQUID, PERP, "gap", f'{{"from_ns": {T0 - 35 * NS_PER_S}, "reason": "x"}}')
    pen.close()
    assert "of its perp" in reasons(tmp_path)[0]


def test_terms_that_changed_exclude(tmp_path: Path) -> None:
    other = MarketListed(market(expiry_ns=T0 + 61 * NS_PER_S))
    write(tmp_path, [*minute()[:20], (minute()[20][0], other), *minute()[20:]])
    assert reasons(tmp_path) == ["its terms changed while it was recorded"]


def test_nobody_listening_between_two_runs_is_a_gap(tmp_path: Path) -> None:
    rows = minute()
    write(tmp_path, rows[:40])
    write(tmp_path, [(ms + 70_000, item) for ms, item in rows[40:]], run=RUN + 1)
    assert reasons(tmp_path)[0].startswith("a gap of 7")


@pytest.mark.parametrize(("step_ms", "excluded"), [(900, False), (1_500, True)])
def test_a_clock_that_steps_back_is_raised_or_excludes(tmp_path: Path, step_ms: int, excluded: bool) -> None:
    pen = Writer(tmp_path, RUN, "live")
    for ms, item in minute():
        now = at(ms)
        pen.event(Now(now.mono_ns, now.wall_ns - step_ms * 10**6 * (ms > 30_000)), HYPERLIQUID, item, None)
    pen.close()
    assert check(tmp_path).findings["clock_steps"].count == 1
    if excluded:
        assert "the clock" in reasons(tmp_path)[0]
        return
    (recording,) = recordings(tmp_path).recordings
    received = [event.received_ns for event in recording.events]
    assert received == sorted(received)


def test_repeats_and_replays_and_crossed_books_are_dropped_and_counted(tmp_path: Path) -> None:
    crossed = BookSnapshot(OUTCOME, ((50 * SCALE // 100, SCALE),), ((49 * SCALE // 100, SCALE),), 0)
    crossed_touch = BboUpdate(PERP, (80_000 * SCALE, 1), (79_000 * SCALE, 1), 0)
    odd: Rows = [
        (10_500, trade(10_400, "t8")), (10_600, trade(1_000, "late")), (10_700, crossed), (10_800, crossed_touch),
        (10_900, book(10_800)), (10_950, touch(10_900)),
    ]  # fmt: skip
    write(tmp_path, sorted([*minute(), *odd], key=lambda row: row[0]))
    path = next(one.path for one in Store.open(tmp_path).files if one.table == EVENTS and one.market == OUTCOME)
    frame = pl.read_parquet(path)
    metadata: dict[str, str] = {"hlomm.schema": "1", "hlomm.table": EVENTS}
    pl.concat([frame, frame.tail(3)]).write_parquet(path, metadata=metadata)
    (recording,) = recordings(tmp_path).recordings
    assert (recording.prints_raw, recording.prints_replayed) == (32, 2)
    assert recording.books == 31
    assert dict(recording.repairs) == {"crossed_books": 1, "crossed_touches": 1, "repeated_rows": 3}


CENT = SCALE // 100


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (BookSnapshot(OUTCOME, ((39 * CENT, SCALE), (40 * CENT, SCALE)), (), 0), "levels in disorder (1 of them)"),
        (BookSnapshot(OUTCOME, ((40 * CENT, 0),), (), 0), "a level without price or size (1 of them)"),
        (TradePrint(OUTCOME, Px(142 * CENT), Qty(SCALE), Side.BUY, "x", 0), "a trade of 1 at 1.42 (1 of them)"),
        (MarkPrice(PERP, Px(0), 0), "a mark of 0 (1 of them)"),
    ],
)  # fmt: skip
def test_rows_that_make_no_sense_exclude_the_market(tmp_path: Path, item: Input, reason: str) -> None:
    if isinstance(item, TradePrint):  # stamped now, else it is a replay and passed over
        item = msgspec.structs.replace(item, venue_ms=T0 // 10**6 + 10_400)
    write(tmp_path, sorted([*minute(), (10_450, item)], key=lambda row: row[0]))
    (said,) = reasons(tmp_path)
    assert said.startswith("rows")
    assert said.endswith(f"that make no sense: {reason}")


def test_a_truncated_file_refuses_the_run(tmp_path: Path) -> None:
    write(tmp_path, minute())
    path = next(one.path for one in Store.open(tmp_path).files if one.table == EVENTS and one.market == OUTCOME)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(SchemaError, match="not a readable Parquet file"):
        recordings(tmp_path)


def test_open_and_packed_hours_make_one_recording(tmp_path: Path) -> None:
    whole, split = tmp_path / "whole", tmp_path / "split"
    write(whole, minute())
    pen = Writer(split, RUN, "sim")
    pen.own(at(0), HYPERLIQUID, "", "start")
    for place, (ms, item) in enumerate(minute()):
        if place == 50:
            pen.close()
            pack(split)
        pen.event(at(ms), HYPERLIQUID, item, None)
    pen.flush()
    assert Store.open(split).spools
    assert recordings(split).recordings[0].events == recordings(whole).recordings[0].events


def test_a_market_told_twice_is_one(tmp_path: Path) -> None:
    write(tmp_path, [*minute()[:3], (3, minute()[2][1]), *minute()[3:]])
    (recording,) = recordings(tmp_path).recordings
    assert recording.outcome.expiry_ns == T0 + 60 * NS_PER_S
    assert recording.outcome.strike == Px(79_000 * SCALE)


def test_nobody_invents_what_a_contract_paid_that_ended_unheard(tmp_path: Path) -> None:
    listed = MarketListed(market(expiry_ns=T0 + 1_800 * NS_PER_S))
    heard = [*minute(settled=False)[:2], (2, listed), *minute(settled=False)[3:], (59_000, touch(59_000))]
    again, deaf = tmp_path / "again", tmp_path / "deaf"
    write(again, heard)
    day = 86_400_000
    write(again, [(day, MarketListed(perp_of("BTC"))), (day + 100, touch(day + 100)),
                  (day + 600, MarkPrice(PERP, Px(70_000 * SCALE), 0))], run=RUN + day)  # fmt: skip
    assert reasons(again)[0].startswith("a gap of its perp")
    with pytest.raises(UsageError, match="a gap of its perp"):
        load_session(again)
    pen = Writer(deaf, RUN, "live")
    for ms, item in heard:
        pen.event(at(ms), HYPERLIQUID, item, None)
    pen.event(at(2_099_000), HYPERLIQUID, MarketSettled(OUTCOME, Px(SCALE), "p"), None)
    detail = f'{{"from_ns": {T0 + 59_000 * NS_PER_MS}, "reason": "x"}}'
    for name in (OUTCOME, PERP):
        pen.own(at(2_100_000), HYPERLIQUID, name, "gap", detail)
    pen.close()
    assert reasons(deaf)[0].startswith("a gap of")


class Stamps:
    ms = 0

    def now(self) -> Now:
        return at(self.ms)

    def at(self, _mono_ns: int) -> Now:
        return at(self.ms)


@pytest.mark.parametrize(("pushes", "since_ms"), [(True, 1_000), (False, 70_000)])
def test_what_is_asked_for_does_not_end_the_silence_of_a_socket(tmp_path: Path, pushes: bool, since_ms: int) -> None:
    """The list of markets is read over REST every minute, whether or not the socket says anything."""
    pen, stamps = Writer(tmp_path, RUN, "live"), Stamps()
    ear = Ear(HYPERLIQUID, pen, stamps)  # type: ignore[arg-type]
    ear.sink([SessionUp(HYPERLIQUID), MarketListed(market())], 0)
    stamps.ms = 1_000
    if pushes:
        ear.message(1, "/ws", b"{}", 0)
        ear.heard()
    stamps.ms = 70_000
    ear.answer("POST /info", b"{}", b"{}")
    stamps.ms = 75_000
    ear.sink([SessionDown(HYPERLIQUID, "silent", rest=True)], 0)
    stamps.ms = 76_000
    ear.answer("POST /info", b"{}", b"{}")
    ear.sink([SessionUp(HYPERLIQUID)], 0)
    pen.close()
    (path,) = spool.spools(tmp_path)
    told = [one.detail for one in spool.read(path).records if isinstance(one, spool.OwnRecord)]
    assert {msgspec.json.decode(detail)["from_ns"] for detail in told} == {T0 + since_ms * NS_PER_MS}


def test_a_market_that_ends_while_nobody_listens_has_its_gap(tmp_path: Path) -> None:
    pen, stamps = Writer(tmp_path, RUN, "live"), Stamps()
    ear = Ear(HYPERLIQUID, pen, stamps)  # type: ignore[arg-type]
    for ms, item in ((0, SessionUp(HYPERLIQUID)), (1, MarketListed(market())),
                     (30_000, SessionDown(HYPERLIQUID, "x", rest=False)),
                     (900_000, MarketSettled(OUTCOME, Px(SCALE), "p")), (900_100, SessionUp(HYPERLIQUID))):  # fmt: skip
        stamps.ms = ms
        ear.sink([item], 0)
    pen.close()
    (path,) = spool.spools(tmp_path)
    rows = spool.read(path).records
    assert {one.market for one in rows if isinstance(one, spool.OwnRecord) and one.kind == "gap"} == {"", OUTCOME}
