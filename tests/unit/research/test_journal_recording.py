"""A journal as recordings: what is taken, what is left out, and that nothing is made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from hlomm.domain.faults import UsageError
from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import HYPERLIQUID, ClientId, VenueOrderId, perp_market
from hlomm.domain.inputs import (
    AccountState,
    BboUpdate,
    BookSnapshot,
    Booted,
    ClockSkew,
    FeeRates,
    FillReceived,
    Input,
    MarketChanged,
    MarketListed,
    MarketSettled,
    MarkPrice,
    OrderOpened,
    PerpBalance,
    SessionDown,
    SessionUp,
    StopRequested,
    TokenBalance,
    TradePrint,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import CancelRequest, OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import CancelOrders, Output, PlaceOrders
from hlomm.domain.times import NS_PER_MS, NS_PER_S, Now
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.journal.codec import InputRecord, Record, TurnRecord
from hlomm.research.journal_recording import JournalRun, journal_run
from hlomm.settings.load import load
from tests.replay.journals import write
from tests.unit.store.making import OUTCOME, PERP, T0, at, market, minute

CONFIG = load("sim", sets=["strategy.avellaneda.fill_decay=99"], environ={}).engine_json()
ORDER = OrderRequest(
    client_id=ClientId("0x01"), market=OUTCOME, leg=Leg.YES, side=Side.BUY, px=Px(39 * SCALE // 100),
    qty=Qty(30 * SCALE), tif=Tif.ALO, purpose=Purpose.QUOTE,
)  # fmt: skip
FILL = Fill(
    key="f", market=OUTCOME, leg=Leg.YES, side=Side.BUY, px=ORDER.px, qty=ORDER.qty, fee=Cash(0), kind=FillKind.TRADE,
    maker=True, client_id=ORDER.client_id, venue_order_id=VenueOrderId("9"), venue_ms=T0 // NS_PER_MS + 5_000,
)  # fmt: skip
Row = tuple[int, Input | Output]


def opening(*, tokens: tuple[TokenBalance, ...] = ()) -> list[Row]:
    return [
        (-20, Booted(epoch_ms=1, profile="sim", version="0", config=CONFIG, halted=None)),
        (-10, AccountState(
            venue=HYPERLIQUID, cash=Cash(900 * SCALE), tokens=tokens, orders=(), asked_mono_ns=0,
            perps=(PerpBalance(PERP, Qty(-SCALE), Cash(-300 * SCALE)),), perp_cash=Cash(400 * SCALE),
        )),
        (-9, FeeRates(
            venue=HYPERLIQUID, open_maker=0, open_taker=0, close_maker=4, close_taker=7, settle=7
        )),
        (-8, ClockSkew(HYPERLIQUID, 12)),
    ]  # fmt: skip


def traded() -> list[Row]:
    return [
        (3_000, PlaceOrders(HYPERLIQUID, (ORDER,))),
        (3_400, OrderOpened(client_id=ORDER.client_id, venue_order_id=VenueOrderId("9"), leaves=None, venue_ms=7)),
        (5_300, FillReceived(FILL)),
        (6_000, CancelOrders(HYPERLIQUID, (CancelRequest(client_id=ORDER.client_id, market=OUTCOME, leg=Leg.YES),))),
    ]  # fmt: skip


def journal(folder: Path, rows: list[Row], *, step_ns: int = 0, step_after_ms: int = 0) -> Path:
    """Rows by time; the wall clock goes back by `step_ns` from a moment on."""
    records: list[Record] = []
    for ms, row in sorted(rows, key=lambda pair: pair[0]):
        now = at(ms)
        if step_ns and ms >= step_after_ms:
            now = Now(now.mono_ns, now.wall_ns - step_ns)
        number = len(records) + 1
        if isinstance(row, Output):
            records.append(TurnRecord(number, now, 0, (row,)))
        else:
            records.append(InputRecord(number, now, row))
    write(folder, records)
    return folder


def run(folder: Path, *rows: Row, **steps: int) -> JournalRun:
    return journal_run(journal(folder, [*opening(), *minute(), *traded(), *rows], **steps))


def test_a_market_is_its_public_inputs_as_the_engine_was_fed_them(tmp_path):
    found = run(tmp_path)
    (one,) = found.markets
    items = [event.item for event in one.recording.events]
    fed = [row for _, row in minute() if isinstance(row, BookSnapshot | BboUpdate | TradePrint | MarkPrice)]
    assert items == fed
    assert [event.received_ns for event in one.recording.events] == [
        T0 + ms * NS_PER_MS for ms, row in minute() if row in fed and not isinstance(row, SessionUp)
    ]
    assert one.recording.settled == SCALE
    assert one.recording.outcome == market()
    assert (one.recording.books, one.recording.prints_raw) == (30, 30)


def test_with_it_come_own_orders_money_fees_clock_and_settings(tmp_path):
    found = run(tmp_path)
    (one,) = found.markets
    assert [type(output).__name__ for _, output in one.own.sent] == ["PlaceOrders", "CancelOrders"]
    assert [type(item).__name__ for _, item in one.own.news] == ["OrderOpened", "FillReceived"]
    assert one.money == 1_000 * SCALE, "cash 900, wallet 400 of which a short brought 300"
    assert one.fees is not None
    assert one.fees.close_taker == 7
    assert found.skews == ((T0 - 8 * NS_PER_MS, HYPERLIQUID, 12),)
    assert found.loaded.settings.strategy.avellaneda.fill_decay == 99
    assert not found.excluded


def test_what_follows_a_stop_is_not_taken_and_the_market_ends_open(tmp_path):
    found = run(tmp_path, (30_000, StopRequested("enough", flatten=True)))
    (one,) = found.markets
    assert one.recording.events[-1].received_ns <= found.until_ns == T0 + 30 * NS_PER_S
    assert one.recording.settled is None
    assert one.recording.marks == ()


def test_a_print_that_is_history_is_dropped_and_counted(tmp_path):
    old = TradePrint(OUTCOME, Px(SCALE // 2), Qty(SCALE), Side.BUY, "old", T0 // NS_PER_MS)
    (one,) = run(tmp_path, (9_000, old)).markets
    assert (one.recording.prints_raw, one.recording.prints_replayed) == (31, 1)
    assert old not in [event.item for event in one.recording.events]


def test_times_never_go_back(tmp_path):
    (one,) = run(tmp_path, step_ns=NS_PER_S // 2, step_after_ms=20_000).markets
    times = [event.received_ns for event in one.recording.events]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("rows", "steps", "reason"),
    [
        ([(20_000, MarketChanged(market(expiry_ns=T0)))], {}, "its terms changed"),
        ([], {"step_ns": 2 * NS_PER_S, "step_after_ms": 20_000}, "the clock went back by 2.0 s"),
        ([(3, StopRequested("at once", flatten=False))], {}, "no book before"),
    ],
)
def test_what_cannot_be_compared_is_excluded_with_its_reason(tmp_path, rows, steps, reason):
    found = run(tmp_path, *rows, **steps)
    (one,) = found.excluded
    assert one.reason.startswith(reason)
    assert not found.markets
    assert [item.fill for _, item in found.other_news if isinstance(item, FillReceived)] == [FILL]


def test_a_short_silence_is_lived_with(tmp_path):
    assert run(tmp_path, (5, SessionDown(HYPERLIQUID, "x", rest=True)), (59_000, SessionUp(HYPERLIQUID))).markets


def test_tokens_held_before_are_no_result_of_this_run(tmp_path):
    held = (TokenBalance(OUTCOME, Leg.NO, Qty(SCALE), Cash(SCALE // 2)),)
    found = journal_run(journal(tmp_path, [*opening(tokens=held), *minute(), *traded()]))
    assert [one.reason for one in found.excluded] == ["tokens of it were held when the run began"]


def test_a_long_silence_of_the_session_excludes(tmp_path):
    late = [(ms + 120_000 if ms > 30_000 else ms, row) for ms, row in minute()]
    down = [(31_000, SessionDown(HYPERLIQUID, "lost", rest=False)), (149_000, SessionUp(HYPERLIQUID))]
    found = journal_run(journal(tmp_path, [*opening(), *late, *traded(), *down]))
    assert [one.reason for one in found.excluded] == ["the session was down for 118 s"]


def test_markets_that_were_only_watched_and_perps_are_none(tmp_path):
    rows = [*opening(), *minute(), (4_000, FillReceived(FILL.__class__(
        **{name: getattr(FILL, name) for name in FILL.__struct_fields__} | {"market": perp_market(HYPERLIQUID, "BTC")}
    )))]  # fmt: skip
    found = journal_run(journal(tmp_path, rows))
    assert not found.markets
    assert not found.excluded
    assert len(found.other_news) == 1


def test_an_empty_journal_is_refused(tmp_path):
    write(tmp_path, [])
    with pytest.raises(UsageError, match="no complete record"):
        journal_run(tmp_path)


def test_a_settlement_before_the_stop_counts(tmp_path):
    found = run(tmp_path, (70_000, StopRequested("enough", flatten=True)))
    assert [item for _, item in minute() if isinstance(item, MarketSettled)]
    assert found.markets[0].recording.settled == SCALE
    assert found.markets[0].recording.marks
    assert [row for _, row in minute() if isinstance(row, MarketListed)]
