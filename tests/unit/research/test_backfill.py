"""Backfilled candles: every one is the venue's or a file's, each once; what is not to be had stays a hole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import polars as pl
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.faults import UsageError
from hlomm.domain.units import SCALE
from hlomm.research.imports.backfill import ATTEMPTS, PAGES_MAX, Backfill, Backfilled, Mode, pages, span
from hlomm.research.store import candles as table
from hlomm.research.store.candles import OFFERED, RULES, Hole, Wanted
from hlomm.research.store.check import check
from hlomm.research.store.read import Store
from hlomm.research.store.schema import CANDLES
from hlomm.venues.counters import Counters
from hlomm.venues.hyperliquid.limits import IP_WEIGHT_PER_MIN
from hlomm.venues.hyperliquid.rest import HyperliquidRest
from hlomm.venues.hyperliquid.wire.candles import PAGE
from hlomm.venues.transport import Transport
from tests.unit.venues.fake_hyperliquid import WALL_START_MS, FakeHyperliquid, Never, mock_clock
from tests.unit.venues.harness import config

MINUTE = 60_000
NOW_MS = WALL_START_MS
Row = dict[str, Any]


def row(start_ms: int, **fields: Any) -> Row:
    """A candle whose prices tell its minute."""
    low = start_ms // MINUTE % 10_000 + 50_000
    prices = {"o": f"{low}.5", "c": f"{low + 1}.0", "h": f"{low + 2}.0", "l": f"{low}.0"}
    return {"t": start_ms, "T": start_ms + MINUTE - 1, "s": "BTC", "i": "1m", **prices, "v": "1.25", "n": 7, **fields}


@attrs.define(eq=False)
class Market:
    """A venue with every minute except those that are taken out, and what a test makes of an answer."""

    without: Callable[[int], bool] = lambda _start: False
    change: Callable[[list[Row]], list[Row]] = lambda rows: rows
    fail: Callable[[int], Any] = lambda _number: None
    asked: list[tuple[int, int]] = attrs.field(factory=list)

    def __call__(self, body: dict[str, Any]) -> Any:
        asked = body["req"]
        assert (asked["coin"], asked["interval"]) == ("BTC", "1m")
        self.asked.append((asked["startTime"], asked["endTime"]))
        if (failure := self.fail(len(self.asked))) is not None:
            return failure
        starts = range(asked["startTime"] // MINUTE * MINUTE, asked["endTime"] + 1, MINUTE)
        rows = [row(start) for start in starts if not self.without(start)]
        return self.change(rows[-PAGE:])


def wanted(minutes: int, *, ago: int = 0) -> Wanted:
    """So many whole minutes up to some before now."""
    end = NOW_MS // MINUTE * MINUTE - ago * MINUTE
    return span("BTC", 60, (end - minutes * MINUTE) * 10**6, end * 10**6, NOW_MS * 10**6)


async def fill(
    root: Path, want: Wanted, market: Market, *, files: tuple[Path, ...] = (), venue: FakeHyperliquid | None = None
) -> Backfilled:
    server = FakeHyperliquid() if venue is None else venue
    server.info_override["candleSnapshot"] = market
    clock = mock_clock()
    work = Backfill(root, want, clock.now().wall_ns)
    if files:
        work.read(files)
    async with trio.open_nursery() as nursery:
        server.nursery = nursery
        rest = HyperliquidRest(config(), Transport(connect=server.connect), clock, Counters())
        async with rest.opened():
            await work.ask(rest, clock, "live", lambda _line: None)
        nursery.cancel_scope.cancel()
    return work.done(Mode.AUTO)


def rows_of(root: Path) -> pl.DataFrame:
    return Store.open(root).scan(CANDLES).sort("open_ns").collect()


def files_of(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*.parquet")}


# -- paging


async def test_12_001_candles_are_three_requests_and_every_one_is_as_told(tmp_path: Path, autojump_clock) -> None:
    market, want = Market(), wanted(12_001)
    done = await fill(tmp_path, want, market)
    assert (done.live, done.missing, done.holes, done.odd, done.failure) == (12_001, 0, (), {}, "")
    assert [(last - first + 1) // MINUTE for first, last in market.asked] == [PAGE, PAGE, 2_001]
    assert market.asked[0][0] * 10**6 == want.first_ns
    assert (market.asked[-1][1] + 1) * 10**6 == want.end_ns
    rows = rows_of(tmp_path)
    assert rows["open_ns"].to_list() == list(range(want.first_ns, want.end_ns, 60 * 10**9))
    expected = [row(start // 10**6) for start in rows["open_ns"]]
    for name in ("open", "high", "low", "close"):
        assert rows[name].to_list() == [round(float(one[name[0]]) * SCALE) for one in expected]
    assert rows["volume"].unique().to_list() == [1.25]
    assert rows.select("source", "venue", "market", "length_s").unique().rows() == [
        ("live", "hyperliquid", "hyperliquid:BTC", 60)
    ]
    assert check(tmp_path).defects == []
    assert check(tmp_path).findings["missing_candles"].count == 0


async def test_twice_adds_nothing_and_half_is_completed(tmp_path: Path, autojump_clock) -> None:
    await fill(tmp_path, wanted(300, ago=200), Market())
    before = files_of(tmp_path)
    market = Market()
    again = await fill(tmp_path, wanted(300, ago=200), market)
    assert (again.there, again.live, again.requests, market.asked) == (300, 0, 0, [])
    whole = await fill(tmp_path, wanted(1_000), market)
    assert (whole.there, whole.live, whole.missing) == (300, 700, 0)
    assert before.items() < files_of(tmp_path).items()
    assert len(rows_of(tmp_path)) == rows_of(tmp_path)["open_ns"].n_unique() == 1_000
    assert check(tmp_path).findings["repeated_candles"].count == 0


async def test_holes_stay_and_are_told_with_their_times(tmp_path: Path, autojump_clock) -> None:
    want = wanted(6_000)
    first_ms = want.first_ns // 10**6
    gone = {first_ms, *(first_ms + n * MINUTE for n in range(4_990, 5_010)), first_ms + 5_999 * MINUTE}
    done = await fill(tmp_path, want, Market(without=lambda start: start in gone))
    assert [(one.from_ns // 10**6 - first_ms, one.candles) for one in done.holes] == [
        (0, 1), (4_990 * MINUTE, 20), (5_999 * MINUTE, 1)
    ]  # fmt: skip
    assert (done.missing, done.had, done.live) == (22, 5_978, 5_978)
    assert done.holes[-1].to_ns == want.end_ns
    market = Market()
    done = await fill(tmp_path, want, market)
    assert (done.live, done.missing) == (22, 0)
    assert len(market.asked) == 2  # 5,010 minutes from the first hole, and what is left


async def test_nothing_is_nothing(tmp_path: Path, autojump_clock) -> None:
    done = await fill(tmp_path / "store", wanted(100), Market(without=lambda _start: True))
    assert (done.had, done.missing, done.failure) == (0, 100, "")
    assert not (tmp_path / "store").exists()


# -- a server that lies


def other(rows: list[Row], at: int, **fields: Any) -> list[Row]:
    return [*rows[:at], rows[at] | fields, *rows[at + 1 :]]


LIES: dict[str, tuple[Callable[[list[Row]], list[Row]], str, int, int]] = {
    "coin": (lambda rows: other(rows, 3, s="ETH"), "wrong_coin", 1, 1),
    "interval": (lambda rows: other(rows, 3, i="5m"), "wrong_interval", 1, 1),
    "length": (lambda rows: other(rows, 3, T=rows[3]["T"] + 1), "wrong_interval", 1, 1),
    "swapped": (lambda rows: [*rows[:3], rows[4], rows[3], *rows[5:]], "out_of_order", 1, 1),
    "backwards": (lambda rows: rows[::-1], "out_of_order", 99, 99),
    "twice": (lambda rows: [*rows[:4], rows[3], *rows[4:]], "repeated", 1, 0),
    "two of them": (lambda rows: [*rows[:4], rows[3] | {"v": "2.0"}, *rows[4:]], "contradicting", 2, 1),
    "between": (lambda rows: [*rows[:4], row(rows[3]["t"] + 30_000), *rows[4:]], "overlapping", 1, 0),
    "high below low": (lambda rows: other(rows, 3, h="1.0"), "impossible", 1, 1),
    "low above open": (lambda rows: other(rows, 3, l=rows[3]["h"]), "impossible", 1, 1),
    "future": (lambda rows: [*rows, row(NOW_MS // MINUTE * MINUTE + 60 * MINUTE)], "future", 1, 0),
    "earlier": (lambda rows: [row(rows[0]["t"] - MINUTE), *rows], "not_asked_for", 1, 0),
    "later": (lambda rows: [*rows, row(rows[-1]["t"] + MINUTE)], "not_asked_for", 1, 0),
    "no price": (lambda rows: other(rows, 3, o="0.0"), "unreadable_rows", 1, 1),
    "no number": (lambda rows: other(rows, 3, c="nan"), "unreadable_rows", 1, 1),
    "negative volume": (lambda rows: other(rows, 3, v="-1.0"), "unreadable_rows", 1, 1),
    "no row": (lambda rows: [*rows[:3], None, *rows[4:]], "unreadable_rows", 1, 1),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
async def test_a_server_that_lies_is_counted_and_not_believed(tmp_path: Path, autojump_clock, lie: str) -> None:
    change, name, count, lost = LIES[lie]
    want = wanted(100, ago=5)
    done = await fill(tmp_path, want, Market(change=change))
    assert done.odd == {name: count}
    assert name in RULES
    assert (done.live, done.missing) == (100 - lost, lost)
    rows = rows_of(tmp_path)
    assert all(row(one["open_ns"] // 10**6)["o"] == f"{one['open'] / SCALE:.1f}" for one in rows.iter_rows(named=True))
    assert check(tmp_path).defects == []
    healed = await fill(tmp_path, want, Market())
    assert (healed.live, healed.missing) == (lost, 0)


async def test_an_open_candle_is_left_out_by_the_earlier_clock(tmp_path: Path, autojump_clock) -> None:
    venue, market = FakeHyperliquid(), Market()
    venue.clock_offset_ms = -10 * MINUTE
    done = await fill(tmp_path, wanted(100), market, venue=venue)
    assert (done.live, done.missing, done.odd) == (90, 10, {})
    assert market.asked[0][1] + 1 == NOW_MS // MINUTE * MINUTE - 10 * MINUTE
    odd: Counter[str] = Counter()
    offered = pl.DataFrame([[NOW_MS // MINUTE * MINUTE * 10**6, 5, 5, 5, 5, 1.0]], schema=OFFERED, orient="row")
    assert table.sift(offered, 60 * 10**9, NOW_MS * 10**6 + 1, odd).is_empty()
    assert odd["unfinished"] == 1


async def test_what_the_store_has_stays(tmp_path: Path, autojump_clock) -> None:
    await fill(tmp_path, wanted(10, ago=1), Market())
    before = rows_of(tmp_path)
    done = await fill(tmp_path, wanted(12), Market(change=lambda rows: [one | {"o": one["c"]} for one in rows]))
    assert (done.there, done.live, done.missing, done.odd) == (10, 2, 0, {"differing": 10})
    assert rows_of(tmp_path).join(before, on=before.columns, how="inner").height == len(before) == 10


# -- a server that fails


async def test_a_server_that_stops_half_way_leaves_what_it_gave(tmp_path: Path, autojump_clock) -> None:
    market = Market(fail=lambda number: (500, b"null") if number > 1 else None)
    done = await fill(tmp_path, wanted(12_001), market)
    assert (done.live, done.missing) == (PAGE, 7_001)
    assert done.failure == "candleSnapshot answered HTTP 500"
    assert (len(market.asked), done.retries) == (1 + ATTEMPTS, ATTEMPTS - 1)
    rest = await fill(tmp_path, wanted(12_001), Market())
    assert (rest.there, rest.live, rest.missing, rest.failure) == (PAGE, 7_001, 0, "")


@pytest.mark.parametrize("failure", [(429, b"null"), (502, b"<html>"), b"not json", [1] * (2 * PAGE + 1), Never])
async def test_a_failure_that_passes_costs_only_time(tmp_path: Path, autojump_clock, failure: Any) -> None:
    answer = (200, failure) if isinstance(failure, bytes) else failure
    market = Market(fail=lambda number: answer if number == 2 else None)
    done = await fill(tmp_path, wanted(8_000), market)
    assert (done.live, done.missing, done.failure, done.retries) == (8_000, 0, "", 1)


async def test_a_venue_that_is_away_is_a_failure(tmp_path: Path, autojump_clock) -> None:
    venue = FakeHyperliquid()
    venue.refuse_http = True
    done = await fill(tmp_path / "store", wanted(10), Market(), venue=venue)
    assert (done.had, done.retries) == (0, ATTEMPTS - 1)
    assert "was not sent" in done.failure
    assert not (tmp_path / "store").exists()


async def test_the_weight_of_a_minute_is_never_used_up(tmp_path: Path, autojump_clock) -> None:
    times: list[float] = []
    market = Market(without=lambda _start: True, fail=lambda _number: times.append(trio.current_time()))  # type: ignore[func-returns-value]
    done = await fill(tmp_path, wanted(200 * PAGE), market)
    assert (done.requests, len(times), done.failure) == (1 + 200, 200, "")
    most = max(sum(20 for at in times if begin <= at < begin + 60) for begin in times)
    # All that polls may have of any minute, or nearly so.
    assert IP_WEIGHT_PER_MIN / 2 <= most <= IP_WEIGHT_PER_MIN - config().weight_reserve


# -- files


HEAD = "date,open,high,low,close,volume\n"


def csv(path: Path, starts: list[int], price: int = 100) -> Path:
    lines = [f"{pl.Series([s]).cast(pl.Datetime('ms')).dt.to_string()[0]},{price},{price + 2},{price - 1},{price},3\n"
             for s in starts]  # fmt: skip
    path.write_text(HEAD + "".join(lines))
    return path


async def test_files_come_first_and_the_venue_is_asked_for_the_rest(tmp_path: Path, autojump_clock) -> None:
    want, market = wanted(50), Market()
    starts = list(range(want.first_ns // 10**6, want.end_ns // 10**6, MINUTE))
    mine = csv(tmp_path / "hl_BTC_1m.csv", [starts[0] - MINUTE, *starts[10:20][::-1], starts[12]])
    others = [csv(tmp_path / name, starts) for name in ("hl_ETH_1m.csv", "hl_BTC_5m.csv", "BTC_1m.csv")]
    done = await fill(tmp_path / "store", want, market, files=(mine, *others))
    assert (done.files, done.historical, done.live, done.missing) == (4, 10, 40, 0)
    assert done.odd == {"differing": 10, "other_files": 3, "repeated": 1}
    assert market.asked == [(starts[0], starts[-1] + MINUTE - 1)]
    rows = rows_of(tmp_path / "store")
    assert rows.filter(source="import:candles")["open_ns"].to_list() == [s * 10**6 for s in starts[10:20]]
    assert rows.filter(source="live").height == 40


# -- the parts


@given(
    missing=st.lists(st.tuples(st.integers(1, 9_000), st.integers(1, 12_000)), max_size=12),
)
def test_pages_cover_what_is_missing_and_are_never_too_long(missing: list[tuple[int, int]]) -> None:
    spans, at = [], 0
    for gap, length in missing:
        spans.append(((at + gap) * 60 * 10**9, (at + gap + length) * 60 * 10**9))
        at += gap + length
    want = Wanted(venue="v", coin="C", length_s=60, first_ns=0, end_ns=(at + 1) * 60 * 10**9)
    got = pages(want, spans)
    assert all(0 < end - begin <= PAGE * 60 * 10**9 for begin, end in got)
    assert all(one[1] <= two[0] for one, two in pairwise(got))
    minutes = {at for begin, end in got for at in range(begin, end, 60 * 10**9)}
    assert minutes >= {at for begin, end in spans for at in range(begin, end, 60 * 10**9)}
    edges = {at for begin, end in spans for at in (begin, end)}
    starts, ends = {begin for begin, _ in got}, {end for _, end in got}
    assert starts <= edges | ends
    assert ends <= edges | starts | {begin + PAGE * 60 * 10**9 for begin in starts}


def test_too_many_requests_are_refused() -> None:
    want = Wanted(venue="v", coin="C", length_s=60, first_ns=0, end_ns=PAGE * (PAGES_MAX + 1) * 60 * 10**9)
    with pytest.raises(UsageError, match="ask for less"):
        pages(want, [(want.first_ns, want.end_ns)])


@given(have=st.sets(st.integers(0, 40)))
def test_holes_are_exactly_what_is_not_there(have: set[int]) -> None:
    want = Wanted(venue="v", coin="C", length_s=60, first_ns=0, end_ns=41 * 60 * 10**9)
    found = table.holes(want, pl.Series("open_ns", [one * 60 * 10**9 for one in sorted(have)], dtype=pl.Int64))
    lost = [at // (60 * 10**9) for one in found for at in range(one.from_ns, one.to_ns, 60 * 10**9)]
    assert lost == sorted(set(range(41)) - have)
    assert all(one.candles == (one.to_ns - one.from_ns) // (60 * 10**9) for one in found)
    assert all(one.to_ns < two.from_ns for one, two in pairwise(found))


def test_a_span_is_whole_candles_that_are_over() -> None:
    now = 1_000_000 * 60 * 10**9 + 5
    one = span("BTC", 60, 7, 120 * 10**9 + 7, now)
    assert (one.first_ns, one.end_ns, one.count) == (60 * 10**9, 120 * 10**9, 1)
    assert span("BTC", 60, None, now + 10**15, now).count == PAGE
    assert span("BTC", 3_600, None, 3_600 * 10**9 * 2, now).first_ns == 0
    with pytest.raises(UsageError, match="no candle of 60 s that is over lies between"):
        span("BTC", 60, now - 10, None, now)


def test_a_hole_is_said_in_numbers() -> None:
    assert attrs.asdict(Hole(0, 60 * 10**9, 1)) == {"from_ns": 0, "to_ns": 60 * 10**9, "candles": 1}
