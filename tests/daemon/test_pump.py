"""What is decided on together: how markets and our orders stand, if it came together, and nothing else."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from hlomm.daemon.journal_writer import JournalWriter
from hlomm.daemon.pump import Pump
from hlomm.daemon.stages import Stages
from hlomm.domain.ids import ClientId, VenueOrderId
from hlomm.domain.inputs import AccountDoubted, BookSnapshot, JournalFailed, MarkPrice, OrderClosed, OrderOpened
from hlomm.domain.latency_rows import STAGES, Stage
from hlomm.domain.outputs import AmendOrders, CancelOrders, ConvertSet, Output, PlaceOrders
from hlomm.domain.sets import SetAction
from hlomm.engine.core import Engine
from hlomm.journal.codec import FAULT_NOTE, InputRecord, NoteRecord, Record, TurnRecord, decode
from hlomm.journal.framing import scan
from hlomm.venues.clock import Clock
from tests.support.rig import Rig
from tests.support.values import EPOCH_MS, HYPERLIQUID, PERP, M, levels, lots, px

DOUBT = AccountDoubted(HYPERLIQUID, "news")
BUDGETS = dict.fromkeys(STAGES, 1e6)


def books(*bids: str) -> list[BookSnapshot]:
    later_ms = EPOCH_MS + 1_000_000
    return [BookSnapshot(M, levels((bid, 50)), levels(("0.70", 50)), later_ms + n) for n, bid in enumerate(bids)]


@pytest.fixture
def pump(tmp_path: Any) -> Pump:
    return Pump(
        Rig().engine, Clock(), JournalWriter(tmp_path, 1, segment_bytes=1 << 20), lambda output: None, Stages(BUDGETS)
    )


def recorded(pump: Pump) -> list[Record]:
    return [decode(payload) for payload in scan(pump.journal.path.read_bytes()).payloads]


def shape(records: list[Record]) -> str:
    letters = {InputRecord: "i", TurnRecord: "t", NoteRecord: "n"}
    return "".join(letters.get(type(record), "") for record in records)


def test_news_that_came_together_is_decided_on_once(pump: Pump) -> None:
    pump([*books("0.40", "0.45", "0.50"), MarkPrice(PERP, px(80_000), 9)], 0)
    assert shape(recorded(pump)) == "iiiit"
    assert pump.engine.state.markets[M].book.best_bid == px("0.50"), "and the last picture counts"
    pump(books("0.60"), 0)
    assert shape(recorded(pump)) == "iiiitit", "what comes in calls of its own is not"


def test_what_a_venue_says_of_several_orders_is_decided_on_once(pump: Pump) -> None:
    """Two quotes amended are four reports in two frames; each of them was a decision."""
    opened = [
        OrderOpened(client_id=ClientId(name), venue_order_id=VenueOrderId(name), leaves=None, venue_ms=1)
        for name in ("0xa", "0xb")
    ]
    closed = OrderClosed(client_id=ClientId("0xa"), venue_order_id=None, status="canceled", filled=None, venue_ms=2)
    pump([*opened, closed, *books("0.40")], 0)
    assert shape(recorded(pump)) == "iiiit"
    pump([*opened, DOUBT, closed], 0)
    assert shape(recorded(pump)) == "iiiit" + "iiitit", "and what is more than that is decided on at once"


def test_what_is_more_than_news_is_decided_on_at_once(pump: Pump) -> None:
    (first, second, third) = books("0.40", "0.45", "0.50")
    pump([first, DOUBT, second, DOUBT, DOUBT, third], 0)
    assert shape(recorded(pump)) == "iitiititit"
    seqs = [record.seq for record in recorded(pump)]
    assert seqs == list(range(1, len(seqs) + 1))


def test_the_input_that_breaks_the_engine_is_the_last_on_record(pump: Pump, monkeypatch: pytest.MonkeyPatch) -> None:
    feed, fed = Engine.feed, []

    def breaking(engine: Engine, item: Any, now: Any) -> None:
        fed.append(item)
        if len(fed) == 2:
            raise AssertionError("broken")
        feed(engine, item, now)

    monkeypatch.setattr(Engine, "feed", breaking)
    pump(books("0.40", "0.45", "0.50"), 0)
    records = recorded(pump)
    assert shape(records) == "iin"
    assert isinstance(records[-1], NoteRecord)
    assert records[-1].text.startswith(FAULT_NOTE)
    assert pump.fault is not None
    for number in (1, 2):
        pump(books("0.40"), 0)
        assert pump.dropped == number, "nothing waits for an engine that is gone"


def test_what_leaves_is_on_record_before(pump: Pump) -> None:
    seen = []

    def route(output: Output) -> None:
        turns = [record for record in recorded(pump) if isinstance(record, TurnRecord)]
        seen.append([turn.outputs for turn in turns] == [(output,)])

    pump._route = route
    pump.engine.turn = lambda now: [CancelOrders(HYPERLIQUID, ())]  # type: ignore[method-assign]
    pump(books("0.40"), 0)
    assert seen == [True]


def test_without_a_record_only_cancels_leave_and_the_engine_hears_of_it_first(
    pump: Pump, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(frames: bytes, records: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    sent: list[Output] = []
    fed: list[type] = []
    feed = pump.engine.feed
    pump._route = sent.append
    pump.engine.feed = lambda item, now: (fed.append(type(item)), feed(item, now))[1]  # type: ignore[method-assign]
    pump.engine.turn = lambda now: [  # type: ignore[method-assign]
        PlaceOrders(HYPERLIQUID, ()), AmendOrders(HYPERLIQUID, ()), CancelOrders(HYPERLIQUID, ()),
        ConvertSet(action=SetAction.MERGE, market=M, qty=lots(1)),
    ]  # fmt: skip
    monkeypatch.setattr(pump.journal, "append", full)
    pump([DOUBT, DOUBT], 0)
    assert fed == [AccountDoubted, JournalFailed, AccountDoubted]
    assert sent == [CancelOrders(HYPERLIQUID, ())] * 3
    assert pump.withheld == 9


def test_every_decision_is_timed_and_those_with_orders_from_the_frame_on(pump: Pump) -> None:
    counts = lambda: {row.stage: row.count for row in pump.stages.rows()}  # noqa: E731
    received_ns = pump.clock.read().mono_ns
    pump(books("0.40"), received_ns)
    pump.tick()
    assert counts() == {stage.value: 0 for stage in STAGES} | {"decode": 1, "decide": 2, "record": 2}
    assert pump.stages.turn_us() == (None, None), "no order has followed"
    pump._route = lambda output: None
    pump.engine.turn = lambda now: [CancelOrders(HYPERLIQUID, ())]  # type: ignore[method-assign]
    pump(books("0.45"), received_ns)
    assert (counts()["send"], counts()["total"]) == (1, 1)
    total = next(row for row in pump.stages.rows() if row.stage == Stage.TOTAL)
    assert 0 < total.p50_us <= total.max_us
    assert pump.inbox_peak == 1
