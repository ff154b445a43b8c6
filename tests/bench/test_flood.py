"""A flood at three venues: what is told is decided on and counted; a verdict is what its rule says."""

from __future__ import annotations

from itertools import islice
from typing import Any

import msgspec
import pytest

from hlomm.bench import flood, streams, trend
from hlomm.bench.ages import Ages
from hlomm.bench.machine import memory_mb
from hlomm.bench.pace import Pace
from hlomm.bench.square import LEFT_S, series
from hlomm.cli import bench as look
from hlomm.daemon.pump import Pump
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import BookSnapshot, BookSource, MarkPrice
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.domain.units import Px
from hlomm.venues.kalshi.books import Books
from hlomm.venues.kalshi.wire.frames import Delta, Snapshot
from hlomm.venues.kalshi.wire.frames import decode_frame as kalshi_frame
from hlomm.venues.polymarket.wire.books import TokenBook
from hlomm.venues.polymarket.wire.market_frames import LastTrade, PriceChanges, decode_market

Json = dict[str, Any]

STAMP = 1_790_000_000_000
TOKENS = streams.Tokens("0x" + "ab" * 32, "1" * 77, "2" * 77)
TICKER = "KXBTCD-26NOV2017-T90999.99"


# -- the whole


@pytest.mark.bench
def test_what_is_told_at_three_venues_is_decided_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flood, "WARM_S", 0.5)
    document = flood.run(flood.Plan(seconds=2.0, rates=(300.0,), markets=2, sample_s=0.5))
    found = document["rates"]["300"]
    assert found["events"] == found["handled"] == 600
    assert found["by_venue"] == {"hyperliquid": 200, "polymarket": 200, "kalshi": 200}
    assert found["frames"] > 600, "touches and prints come beside"
    assert 0 < found["turns"] <= 600
    ages = found["age_ms"]
    assert ages["first_half"]["count"] == ages["second_half"]["count"] == 300
    assert 0 < ages["first_half"]["p50"] <= ages["first_half"]["max"]
    assert found["reconnects"] == 0
    assert found["orders"] > 0, "it quotes"
    assert min(found["cpu_us_per_event"], found["journal_bytes_per_event"]) > 0
    assert found["memory"]["verdict"] == trend.TOO_SHORT
    assert [one["handled"] for one in found["samples"]] == sorted(one["handled"] for one in found["samples"])
    assert document["not_measured"] == []
    assert {"machine", "python", "versions", "disturbed"} <= document.keys()
    msgspec.json.encode(document)
    assert "300/s: memory too short" in "\n".join(look.flood(document))


# -- whether it keeps up


def seen(**fields: Any) -> Json:
    """A stretch in which all went well."""
    half = {"count": 500, "p50": 2.0, "p99": 20.0, "max": 40.0}
    return {
        "events": 1_000, "handled": 1_000, "age_ms": {"first_half": half, "second_half": half}, "reconnects": 0,
    } | fields  # fmt: skip


def halves(first: float, second: float, p99: float = 20.0) -> Json:
    """Ages by their medians."""
    return {
        "age_ms": {
            "first_half": {"count": 500, "p50": first, "p99": 20.0},
            "second_half": {"count": 500, "p50": second, "p99": p99},
        }
    }


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"handled": 999}, "1 events were never decided on"),
        (halves(2.0, 3.0, p99=1_001.0), "an event in a hundred of the second half was 1,001 ms old"),
        (halves(30.0, 61.0), "events grew older"),
        ({"reconnects": 1}, "1 connections were lost"),
    ],
)
def test_who_falls_behind_is_told_why(fields: Json, why: str) -> None:
    (reason,) = flood.behind(seen(**fields))
    assert why in reason


@pytest.mark.parametrize("fields", [{}, halves(2.0, 49.0), halves(200.0, 390.0)])
def test_who_keeps_up_is_not_said_to_be_behind(fields: Json) -> None:
    assert flood.behind(seen(**fields)) == []


# -- ages


def test_an_age_counts_from_when_an_event_was_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is decided on together each event counts with its own age, and news of other kinds not at all."""
    pace, ages, clock = Pace(1_000 * NS_PER_MS, 10, NS_PER_S, 100 * NS_PER_MS), Ages(), [0]
    ages.markets = frozenset({MarketId("kalshi:x"), MarketId("polymarket:x")})
    monkeypatch.setattr("hlomm.bench.ages.time.monotonic_ns", lambda: clock[0])
    monkeypatch.setattr(Pump, "_turn", lambda _pump, _items, _received_ns: None)

    def book(venue: str, source: BookSource = BookSource.STREAM) -> BookSnapshot:
        return BookSnapshot(MarketId(f"{venue}:x"), (), (), 1, source)

    ages.begin(pace)
    with ages.installed():
        pump = Pump.__new__(Pump)
        clock[0] = 1_150 * NS_PER_MS
        pump._turn(
            [book("kalshi"), book("kalshi"), book("polymarket"), book("kalshi", BookSource.REST), book("other")], 1
        )
        clock[0] = 1_900 * NS_PER_MS
        pump._turn([MarkPrice(MarketId("hyperliquid:BTC"), Px(1), 1)], 1)
        for _ in range(8):
            pump._turn([book("kalshi")], 1)
    assert ages.handled == {"kalshi": 10, "polymarket": 1}
    assert (ages.turns, ages.most, ages.total) == (9, 3, 11)
    first, second = ages.halves
    assert (first.count, second.count) == (6, 5)
    assert first.longest == 700 * NS_PER_MS, "the third of Kalshi: due at 1.2 s"
    assert second.percentile(0.01) < 10 * NS_PER_MS, "its tenth: due at 1.9 s"


def test_what_is_due_is_known_to_both_ends() -> None:
    pace = Pace(5_000, 1_000, NS_PER_S, 7 * NS_PER_MS)
    due = [pace.due_ns(number) for number in range(1_000)]
    assert due == sorted(due)
    assert due[0] == 5_000
    assert 0.99 * NS_PER_S < due[-1] < NS_PER_S
    for number, at_ns in enumerate(due):
        assert pace.due_by(at_ns - 1) <= number < pace.due_by(at_ns)
    assert (pace.due_by(0), pace.due_by(2 * NS_PER_S)) == (0, 1_000)


# -- growth


def samples(seconds: int, mb: Any) -> tuple[list[float], list[float]]:
    times = [5.0 * number for number in range(1, seconds // 5 + 1)]
    return times, [mb(at) for at in times]


def noise(at: float) -> float:
    """What a heap does by itself: a megabyte to and fro."""
    return 100.0 + (at * 7919 % 20) / 10 - 1.0


@pytest.mark.parametrize(
    ("mb", "verdict"),
    [
        (noise, trend.FLAT),
        (lambda at: noise(at) + 40.0 * (at > 40), trend.FLAT),  # caches fill while it warms up
        (lambda at: noise(at) + at / 60 * 2, trend.NOT_FLAT),  # 2 MB a minute
        (lambda at: noise(at) + 8.0 * (at > 500), trend.NOT_FLAT),  # it rose late, by more than a part
        (lambda at: noise(at) - at / 60, trend.FLAT),
    ],
)
def test_a_leak_is_told_from_noise(mb: Any, verdict: str) -> None:
    assert trend.judged(*samples(600, mb))["verdict"] == verdict


def test_a_planted_leak_is_found_in_this_very_process() -> None:
    """Lists that are kept for ever, as the sampler would have seen them: real memory, ten minutes in one."""
    kept, rows = [], []
    for number in range(120):
        kept.append(bytearray(b"x" * (400 << 10)))
        rows.append((5.0 * number, memory_mb()))
    found = trend.judged([at for at, _ in rows], [mb for _, mb in rows])
    assert found["verdict"] == trend.NOT_FLAT
    assert found["mb_per_min"] == pytest.approx(12 * 0.39, rel=0.3)
    assert len(kept) == 120


def test_a_short_time_has_no_verdict() -> None:
    assert trend.judged(*samples(290, noise))["verdict"] == trend.TOO_SHORT
    assert trend.judged([], [])["verdict"] == trend.TOO_SHORT


def test_the_slope_is_that_of_least_squares() -> None:
    assert trend.slope([0.0, 60.0, 120.0], [1.0, 3.0, 5.0]) == pytest.approx(2.0)
    assert trend.slope([0.0, 60.0, 120.0], [0.0, 3.0, 0.0]) == pytest.approx(0.0)
    assert trend.slope([5.0, 5.0], [1.0, 9.0]) == 0.0


# -- what is told


def test_a_round_of_polymarkets_changes_leaves_the_book_as_it_names_it() -> None:
    (book,) = decode_market(streams.polymarket_book(TOKENS).at(STAMP).decode()).events
    assert isinstance(book, TokenBook)
    assert len(book.bids) == len(book.asks) == streams.LEVELS
    for frame in islice(streams.polymarket_changes(TOKENS), streams.ROUND):
        decoded = decode_market(frame.at(STAMP).decode())
        assert decoded.anomalies == ()
        (told,) = decoded.events
        assert isinstance(told, PriceChanges)
        assert [one.token for one in told.changes] == [TOKENS.yes, TOKENS.no], "both tokens tell it"
        assert {(one.best_bid, one.best_ask) for one in told.changes} == {(book.bids[0][0], book.asks[0][0])}
    assert isinstance(decode_market(next(streams.polymarket_prints(TOKENS)).at(STAMP).decode()).events[0], LastTrade)


@pytest.mark.parametrize("yes_price", [True, False])
def test_a_round_of_kalshis_changes_is_taken_back_by_its_second_half(yes_price: bool) -> None:
    messages = [("orderbook_snapshot", streams.kalshi_book(TICKER, "id", yes_price=yes_price))]
    changes = streams.kalshi_changes(TICKER, "id", "2026-11-22T00:00:00Z", yes_price=yes_price)
    messages += [("orderbook_delta", one) for one in islice(changes, streams.ROUND)]
    books = Books(yes_prices=yes_price)
    books.follow([TICKER])
    told = []
    for seq, (kind, message) in enumerate(messages):
        frame, problem = kalshi_frame(msgspec.json.encode({"type": kind, "sid": 1, "seq": seq + 1, "msg": message}))
        assert problem is None
        assert isinstance(frame, Snapshot | Delta)
        folded = books.on_snapshot(frame) if isinstance(frame, Snapshot) else books.on_delta(frame)
        assert folded.stale == ()
        told.append(folded.books[0])
    assert len(told[0].bids) == len(told[0].asks) == streams.LEVELS
    assert (told[0].bids, told[0].asks) == (told[-1].bids, told[-1].asks)
    assert len({(one.bids, one.asks) for one in told}) > streams.ROUND // 3


@pytest.mark.parametrize("now_s", range(1_790_000_000, 1_790_000_000 + 14 * 86_400, 40_000))
def test_contracts_end_in_days_whenever_it_is_measured(now_s: int) -> None:
    found = series(5, now_s)
    assert len(set(found)) == 5
    for period in found:
        length_s = int(period.removesuffix("h")) * 3_600
        assert length_s - now_s % length_s in LEFT_S
        assert length_s % 86_400
