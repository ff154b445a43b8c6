"""Frames of section 10: every one decodes, and books fold from them, over gaps, flips and the recorded window."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.inputs import BookSnapshot
from hlomm.domain.units import SCALE, parse
from hlomm.venues.kalshi import eastern
from hlomm.venues.kalshi.books import Books, Folded
from hlomm.venues.kalshi.wire import commands, frames
from hlomm.venues.kalshi.wire.frames import Delta, Snapshot, decode_frame
from hlomm.venues.kalshi.wire.tickers import read_ticker
from tests.wire.kalshi.conftest import Shared

MARKET = "KXBTCD-26NOV2017-T90999.99"
OTHER = "KXBTCD-26NOV2017-T91249.99"
RECORDED = {"Snapshot": 2, "Delta": 22_024, "Trade": 977}


def feed(books: Books, row: dict[str, Any]) -> Folded:
    frame, problem = decode_frame(json.dumps(row))
    assert problem is None, problem
    assert not isinstance(frame, frames.Unreadable)
    if isinstance(frame, Snapshot):
        return books.on_snapshot(frame)
    if isinstance(frame, Delta):
        return books.on_delta(frame)
    return books.count(frame.seq)


def conversation(shared: Shared, name: str, *, yes_prices: bool = False) -> tuple[Books, list[Folded]]:
    books = Books(yes_prices=yes_prices)
    done = []
    for row in shared.frames(name):
        frame = row["frame"]
        if row["dir"] == "client":
            if frame["cmd"] == "unsubscribe":
                continue
            tickers, action = frame["params"].get("market_tickers", []), frame["params"].get("action")
            if action == commands.DELETE:
                for ticker in tickers:
                    books.drop(ticker)
            else:
                books.follow(tickers)
        elif frame["type"] != "subscribed":
            done.append(feed(books, frame))
    return books, done


def levels(*rows: tuple[str, str]) -> tuple[tuple[int, int], ...]:
    return tuple((parse(px), parse(qty)) for px, qty in rows)


# -- commands


def test_our_commands_are_those_of_the_conversations(shared: Shared) -> None:
    sent = [row["frame"] for row in shared.frames("orderbook_ok") if row["dir"] == "client"]
    first, add, again, drop, end = sent
    ours = json.loads(commands.subscribe(1, [commands.BOOKS], [MARKET], yes_prices=False))
    assert ours["params"].pop("use_yes_price") is False
    assert ours == first
    assert json.loads(commands.update(2, 1, commands.ADD, [OTHER])) == add
    assert json.loads(commands.update(3, 1, commands.SNAPSHOT, [MARKET])) == again
    assert json.loads(commands.update(4, 1, commands.DELETE, [OTHER])) == drop
    assert json.loads(commands.unsubscribe(5, 1)) == end
    (flipped,) = (row["frame"] for row in shared.frames("orderbook_use_yes_price") if row["dir"] == "client")
    assert json.loads(commands.subscribe(1, [commands.BOOKS], [MARKET], yes_prices=True)) == flipped


# -- frames


def test_every_synthetic_frame_decodes(shared: Shared) -> None:
    kinds = set()
    for name in shared.files("synthetic/ws"):
        for row in shared.frames(name.removesuffix(".jsonl")):
            if row["dir"] == "server":
                frame, problem = decode_frame(json.dumps(row["frame"]))
                assert problem is None, (name, problem)
                assert frame.sid == row["frame"].get("sid", 0)
                assert frame.seq == row["frame"].get("seq", 0)
                kinds.add(row["frame"]["type"])
    assert kinds == frames._TYPES - {"event_lifecycle"}


def test_errors_that_end_a_subscription(shared: Shared) -> None:
    read = [decode_frame(json.dumps(row["frame"]))[0] for row in shared.frames("errors")]
    assert [one.terminal for one in read if isinstance(one, frames.Error)] == [False, False, False, True, False]


def test_private_frames_say_what_they_say(shared: Shared) -> None:
    read = [decode_frame(json.dumps(row["frame"]))[0] for row in shared.frames("private")]
    fill = next(one for one in read if isinstance(one, frames.FillFrame)).msg
    assert (fill.count_fp, fill.fee_cost, fill.post_position_fp) == ("4.00", "0.000000", "4.00")
    assert (fill.book_side, fill.is_taker, fill.exchange_index) == ("bid", False, 2)
    reasons = [one.msg.last_update_reason for one in read if isinstance(one, frames.UserOrder)]
    assert reasons == ["", "Trade", "Decrease", "PostOnlyCrossCancel", "CloseCancel"]


@pytest.mark.parametrize(
    ("text", "sid", "seq", "kind"),
    [
        ('{"type":"orderbook_delta","sid":3,"seq":9,"msg":{}}', 3, 9, "frame.orderbook_delta"),
        ('{"type":"brand_new","sid":3,"seq":9,"msg":{}}', 3, 9, "frame.unknown_type"),
        ('{"sid":3,"seq":9}', 3, 9, "frame.unknown_type"),
        ("nonsense", 0, 0, "frame.not_json"),
        ("[" * 5_000, 0, 0, "frame.not_json"),
        ('{"type":"fill","sid":-1}', 0, 0, "frame.not_json"),
    ],
)
def test_of_an_unreadable_frame_the_number_is_kept(text: str, sid: int, seq: int, kind: str) -> None:
    frame, problem = decode_frame(text)
    assert isinstance(frame, frames.Unreadable)
    assert problem is not None
    assert (frame.sid, frame.seq, problem.kind) == (sid, seq, kind)


@given(st.one_of(st.text(max_size=300), st.binary(max_size=300)))
def test_no_message_makes_decoding_fail(message: str | bytes) -> None:
    decode_frame(message)


# -- folding


def test_the_contiguous_conversation_has_no_gap(shared: Shared) -> None:
    books, done = conversation(shared, "orderbook_ok")
    assert books.numbers.gaps == 0
    assert books.numbers.last == 11
    assert not any(one.stale for one in done)
    book = books.books[MARKET].told(MARKET)
    assert book.bids == levels(("0.48", "100"), ("0.47", "35.25"), ("0.46", "210"))
    assert book.asks == levels(("0.49", "40"), ("0.52", "300"))
    assert list(books.books) == [MARKET]


def test_changes_and_snapshot_agree_before_the_snapshot(shared: Shared) -> None:
    """The snapshot asked for at the end only confirms what the changes had made."""
    books = Books()
    books.follow([MARKET, OTHER])
    rows = [row["frame"] for row in shared.frames("orderbook_ok") if row["dir"] == "server"]
    before: BookSnapshot | None = None
    for row in rows:
        if row["type"] == "subscribed":
            continue
        folded = feed(books, row)
        if row.get("id") == 3:
            assert before is not None
            assert (folded.books[0].bids, folded.books[0].asks) == (before.bids, before.asks)
        before = books.books[MARKET].told(MARKET)


def test_a_gap_spoils_every_market_of_the_subscription(shared: Shared) -> None:
    books, done = conversation(shared, "orderbook_gap")
    assert [one.stale for one in done] == [(), (), (), (MARKET, OTHER)]
    assert done[-1].why == "gap"
    assert done[-1].books == ()
    assert all(book.stale for book in books.books.values())
    fresh = {"market_ticker": MARKET, "market_id": "m", "yes_dollars_fp": [["0.4800", "1.00"]]}
    folded = feed(books, {"type": "orderbook_snapshot", "sid": 1, "seq": 6, "msg": fresh})
    assert [one.bids for one in folded.books] == [levels(("0.48", "1"))]
    assert books.books[OTHER].stale
    change = {"market_ticker": OTHER, "price_dollars": "0.2300", "delta_fp": "1.00", "side": "yes", "ts_ms": 1}
    assert feed(books, {"type": "orderbook_delta", "sid": 1, "seq": 7, "msg": change}) == Folded()


def test_every_kind_of_frame_uses_a_number_up() -> None:
    for row in (
        {"type": "ok", "sid": 1, "seq": 3, "id": 2, "msg": {"market_tickers": []}},
        {"type": "error", "sid": 1, "seq": 3, "msg": {"code": 7, "msg": "x"}},
        {"type": "unsubscribed", "sid": 1, "seq": 3, "id": 4},
    ):
        books = Books()
        books.follow([MARKET])
        for seq in (1, 2):
            snapshot = {"market_ticker": MARKET, "yes_dollars_fp": [["0.4800", "1.00"]]}
            feed(books, {"type": "orderbook_snapshot", "sid": 1, "seq": seq, "msg": snapshot})
        assert feed(books, row) == Folded()
        change = {"market_ticker": MARKET, "price_dollars": "0.4800", "delta_fp": "1.00", "side": "yes", "ts_ms": 1}
        assert feed(books, {"type": "orderbook_delta", "sid": 1, "seq": 4, "msg": change}).books
        assert feed(books, row).stale == (MARKET,)  # a number that steps back is a gap too


def test_both_ways_of_quoting_no_give_one_book(shared: Shared) -> None:
    books, done = conversation(shared, "orderbook_use_yes_price", yes_prices=True)
    plain = Books()
    plain.follow([MARKET])
    rows = [row["frame"] for row in shared.frames("orderbook_ok") if row["dir"] == "server"]
    first = feed(plain, rows[1])
    assert (first.books[0].bids, first.books[0].asks) == (done[0].books[0].bids, done[0].books[0].asks)
    taken = {
        "market_ticker": MARKET,
        "price_dollars": "0.5000",
        "delta_fp": "-85.50",
        "side": "no",
        "ts_ms": 1795208400002,
    }
    second = feed(plain, {"type": "orderbook_delta", "sid": 1, "seq": 2, "msg": taken})
    assert second.books == done[1].books
    assert books.books[MARKET].asks == plain.books[MARKET].asks


def test_reading_the_flip_the_wrong_way_does_not_pass(shared: Shared) -> None:
    """YES prices taken for NO prices cross the book, or empty a level that is not there."""
    _, done = conversation(shared, "orderbook_use_yes_price", yes_prices=False)
    rows = shared.frames("orderbook_use_yes_price")
    asks = [parse(px) for px, _ in rows[2]["frame"]["msg"]["no_dollars_fp"]]
    if SCALE - max(asks) > parse("0.48"):
        pytest.fail("the sample would not tell")
    assert done[0].stale == (MARKET,)
    assert done[0].why == "crossed"


def test_the_empty_snapshot_after_the_close_empties_the_book(shared: Shared) -> None:
    books = Books()
    books.follow([MARKET])
    done = [feed(books, row["frame"]) for row in shared.frames("orderbook_close_wipe")]
    assert done[0].books[0].bids
    assert (done[1].books[0].bids, done[1].books[0].asks) == ((), ())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"delta_fp": "-120.01"}, "delta.negative"),
        ({"price_dollars": "0.4900", "delta_fp": "-1.00"}, "delta.negative"),
        ({"price_dollars": "0.5100"}, "delta.crossed"),
        ({"price_dollars": "1.0000"}, "delta.price"),
        ({"price_dollars": "x"}, "delta.price"),
        ({"side": "maybe"}, "delta.side"),
        ({"delta_fp": "1e3"}, "delta.count"),
    ],
)
def test_an_impossible_change_spoils_its_own_market(shared: Shared, change: dict[str, str], why: str) -> None:
    books = Books()
    books.follow([MARKET, OTHER])
    rows = [row["frame"] for row in shared.frames("orderbook_gap") if row["dir"] == "server"]
    feed(books, rows[1])
    feed(books, rows[2])
    msg = {"market_ticker": MARKET, "price_dollars": "0.4800", "delta_fp": "5.00", "side": "yes", "ts_ms": 1} | change
    folded = feed(books, {"type": "orderbook_delta", "sid": 1, "seq": 3, "msg": msg})
    assert (folded.stale, folded.why, folded.books) == ((MARKET,), why, ())
    assert not books.books[OTHER].stale


# -- recordings


def test_the_recorded_window_replays_with_every_gap_explained(shared: Shared) -> None:
    """One whole market, 23,003 frames.

    Numbers cannot be checked: the subscription carried many markets and only this one was exported, so each missing
    number is some other market's; what can be checked of them is that they never step back within a subscription. That
    no change of *this* market is missing shows in the book: a lost change would sooner or later make a level negative
    or cross the book. It starts with one snapshot and ends with the bare one after the close; none lies between that
    the fold could be compared with.
    """
    ticker = "KXGOLD15M-26AUG101900-00"
    books = Books()
    books.follow([ticker])
    last: dict[int, int] = {}
    kinds: dict[str, int] = {}
    told: list[BookSnapshot] = []
    others = 0
    for _, body in shared.recorded():
        frame, problem = decode_frame(body)
        assert problem is None, problem
        kinds[type(frame).__name__] = kinds.get(type(frame).__name__, 0) + 1
        assert frame.seq > last.get(frame.sid, -1)
        others += frame.sid in last and frame.seq != last[frame.sid] + 1
        last[frame.sid] = frame.seq
        if isinstance(frame, frames.Trade):
            assert 0 < parse(frame.msg.yes_price_dollars) < SCALE
            continue
        assert isinstance(frame, Snapshot | Delta)
        books.numbers.last = frame.seq - 1  # other markets' frames, as the docstring says
        folded = books.on_snapshot(frame) if isinstance(frame, Snapshot) else books.on_delta(frame)
        assert folded.stale == (), (frame.seq, folded.why)
        told += folded.books
    assert kinds == RECORDED
    assert others > 0
    assert len(told) == kinds["Delta"] + kinds["Snapshot"]
    for book in told:
        assert all(qty > 0 for _, qty in (*book.bids, *book.asks))
        if book.bids and book.asks:
            assert book.bids[0][0] < book.asks[0][0]
    assert (told[-1].bids, told[-1].asks) == ((), ()), "the close wipes the book with one bare snapshot"
    assert told[-2].bids or told[-2].asks, "and until then it was a book"


def test_the_quarter_hour_data_agree_with_our_reading(shared: Shared) -> None:
    """The data set holds samples of books and trades of the 15-minute series, not frames.

    What is checked: every ticker is of the grammar we read, with a close on a quarter hour; every price lies on the
    tapered grid or on cents; sizes have two decimals; tops of book are not crossed. Not checked, because it is not in
    the data: sequence numbers, levels behind the touch, so no gap can be seen; and samples have no close documents.
    """
    tickers: set[str] = set()
    rows = crossed = fractional = 0
    for name in ("KXBTC15M_trades", "KXETH15M_trades", "KXXRP15M_trades"):
        for row in shared.rows(f"{name}.jsonl"):
            rows += 1
            tickers.add(row["ticker"])
            yes, no = round(row["yes_price"] * 1_000), round(float(row["no_price"]) * 1_000)
            assert yes + no == 1_000
            assert abs(row["yes_price"] * 1_000 - yes) < 1e-6
            if 100 < yes < 900:
                assert yes % 10 == 0
            assert abs(row["count"] * 100 - round(row["count"] * 100)) < 1e-6
            fractional += row["count"] != int(row["count"])
    for name in ("KXETH15M_raw_snapshots", "KXXRP15M_raw_snapshots"):
        for row in shared.rows(f"{name}.jsonl"):
            rows += 1
            tickers.add(row["ticker"])
            crossed += row["yb"] >= row["ya"]
    assert rows > 1_000
    assert fractional > 0
    assert crossed == 0
    assert len(tickers) > 10
    for ticker in tickers:
        parts = read_ticker(ticker)
        assert parts is not None, ticker
        assert parts.minute % 15 == 0
        (close_ns,) = eastern.instants(parts.year, parts.month, parts.day, parts.hour, parts.minute)
        assert close_ns % (900 * 10**9) == 0


def test_a_fill_without_its_time_is_private_news_that_cannot_be_read() -> None:
    """Taken for time zero it would be history, and its listing would be taken for a repetition."""
    told = {
        "trade_id": "t", "order_id": "o", "market_ticker": "KXBTCD-26NOV2017-T90999.99", "yes_price_dollars": "0.5000",
        "count_fp": "1.00", "fee_cost": "0.0200", "book_side": "bid", "is_taker": True, "ts_ms": 1_795_208_400_123,
    }  # fmt: skip
    frame, problem = frames.decode_frame(json.dumps({"type": "fill", "sid": 1, "msg": told}))
    assert isinstance(frame, frames.FillFrame)
    assert problem is None
    del told["ts_ms"]
    frame, problem = frames.decode_frame(json.dumps({"type": "fill", "sid": 1, "msg": told}))
    assert isinstance(frame, frames.Unreadable)
    assert problem is not None
    assert problem.kind == "frame.fill"
