"""Terms of contracts as other people's recordings name them, and no others."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from hlomm.cli.data import import_command
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import UsageError
from hlomm.domain.ids import polymarket_market
from hlomm.domain.inputs import BboUpdate, BookSnapshot, Input, MarketChanged, MarketListed, TradePrint
from hlomm.domain.markets import Comparator, Market
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Px
from hlomm.research.imports.kinds import KINDS
from hlomm.research.imports.lines import Imported, import_into
from hlomm.research.imports.quotes import import_quotes
from hlomm.research.store.check import check
from hlomm.research.store.read import Store, ordered
from hlomm.research.store.schema import input_of
from tests.support.datasets import dataset

CENT = SCALE // 100


def unix_ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * NS_PER_S


def run(kind: str, out: Path, *paths: Path) -> tuple[Imported, list[Input]]:
    done = import_into(out, KINDS[kind], paths)
    return done, told(out)


def told(out: Path) -> list[Input]:
    return [item for row in ordered(Store.open(out).scan()).collect().iter_rows(named=True) if (item := input_of(row))]


def listed(items: list[Input]) -> dict[str, Market]:
    return {item.market.id: item.market for item in items if isinstance(item, MarketListed)}


# -- Kalshi


def snapshot(ticker: str, second: float) -> str:
    return json.dumps({"ticker": ticker, "yb": 0.4, "ya": 0.42, "ts": 1_786_945_000 + second})


def test_a_ticker_tells_coin_window_and_end_and_no_strike(tmp_path: Path) -> None:
    path = tmp_path / "raw.jsonl"
    names = ["KXETH15M-26AUG170145-45", "KXETH15M-26NOV010115-15", "KXETH15M-26AUG170145-30", "KXETHD-26AUG1701-T1900"]
    path.write_text("\n".join([*(snapshot(name, n) for n, name in enumerate(names)), snapshot(names[0], 9)]))
    done, items = run("kalshi", tmp_path / "store", path)
    assert done.odd == {"tickers_that_tell_no_window": 3}  # the hour that comes twice, another minute, no window
    ((name, market),) = listed(items).items()
    assert name == f"kalshi:{names[0]}"
    assert (market.underlying, market.period, market.strike) == ("ETH", "15m", None)
    assert market.expiry_ns == market.settles_ns == unix_ns("2026-08-17T05:45+00:00")
    assert market.averaging_from_ns == unix_ns("2026-08-17T05:30+00:00")
    assert [step for _, _, step in market.ticks] == [SCALE // 1_000, CENT, SCALE // 1_000]
    assert isinstance(items[0], MarketListed)


# -- Polymarket


def frame(token: str, bid: str, ask: str) -> dict[str, object]:
    return {
        "event_type": "book", "market": "0x1", "asset_id": token, "timestamp": "1779628221000", "hash": "h",
        "bids": [{"price": bid, "size": "5"}], "asks": [{"price": ask, "size": "7"}], "tick_size": "0.01",
    }  # fmt: skip


def trade(token: str, price: str, side: str) -> dict[str, object]:
    return {
        "event_type": "last_trade_price", "market": "0x1", "asset_id": token, "timestamp": "1779628222000",
        "price": price, "size": "3", "side": side, "fee_rate_bps": "0", "transaction_hash": "0xt",
    }  # fmt: skip


def test_gammas_answer_makes_one_market_of_two_tokens(tmp_path: Path) -> None:
    gamma = dataset("pm_ws_frames_2026_05/gamma_active_btc_updown.json")
    (row,) = json.loads(gamma.read_bytes())[0]["markets"]
    yes, no = json.loads(row["clobTokenIds"])
    frames = tmp_path / "frames.jsonl"
    lines = [[frame(yes, "0.40", "0.42"), frame(no, "0.58", "0.60"), frame("77", "0.1", "0.2")],
             trade(no, "0.58", "SELL"), trade(yes, "0.42", "BUY")]  # fmt: skip
    frames.write_text("\n".join(json.dumps(line) for line in lines))
    done, items = run("polymarket", tmp_path / "store", frames, gamma)
    assert done.odd == {"books_of_the_no_token": 1, "receive_times_unknown": 3}
    name = polymarket_market(row["conditionId"])
    (market,) = listed(items).values()
    assert (market.id, market.strike, market.period) == (name, None, "1d")
    assert market.expiry_ns == unix_ns("2026-05-25T16:00+00:00")
    assert [(one.market, one.bids[0][0]) for one in items if isinstance(one, BookSnapshot)] == [
        (name, 40 * CENT), (polymarket_market("77"), 10 * CENT),
    ]  # fmt: skip
    prints = [one for one in items if isinstance(one, TradePrint)]
    assert {(one.market, one.px, one.aggressor) for one in prints} == {(name, 42 * CENT, Side.BUY)}
    assert len({one.trade_id for one in prints}) == 1  # both tokens told it: taken once


NAMES = "timestamp,token_id,best_bid,best_ask,spread,spread_pct,bid_depth,ask_depth,sanity_ok"


def tables(folder: Path, tops: list[str], hours: list[str]) -> Path:
    folder.mkdir()
    (folder / "orderbook.csv").write_text("\n".join([NAMES, *tops]) + "\n")
    (folder / "probabilities.csv").write_text("\n".join(["timestamp,barrier_price", *hours]) + "\n")
    return folder


def top(clock: str, token: str, bid: float, ask: float, strike: str = "70000.5") -> str:
    return f"2026-03-04T{clock}+00:00,{token},{bid},{ask},0,0,40,60,True,{strike}"


def test_tops_have_strike_and_expiry_and_one_book_of_two_tokens(tmp_path: Path) -> None:
    tops = [
        top("15:00:00.25", "UP:1", 0.39, 0.4, "70001"), top("15:00:00.3", "DOWN:2", 0.6, 0.61, "70001"),
        top("15:16:00", "UP:1", 0.998, 0.0), top("15:16:01", "DOWN:2", 0.1, 0.2),
        top("15:17:00", "UP:9", 0.5, 0.6, "8"), "nonsense", top("15:18:00", "SIDE:1", 0.5, 0.6),
    ]  # fmt: skip
    hours = ["2026-03-04T15:16:00+00:00,70000.5,1.7166666667,x", "2026-03-04T15:20:00+00:00,8,1.5,x"]
    done, items = run("polymarket-tops", tmp_path / "store", tables(tmp_path / "in", tops, hours))
    assert done.odd == {
        "mirrored_tops_of_the_down_token": 1, "other_tops_of_the_down_token": 1, "strikes_without_an_expiry": 1,
        "unreadable_rows": 2,
    }  # fmt: skip
    name = polymarket_market("1")
    (market,) = listed(items).values()  # not of 9: its hours point to no full hour
    assert (market.id, market.strike, market.comparator) == (name, 70_001 * SCALE, Comparator.ABOVE)
    assert market.expiry_ns == unix_ns("2026-03-04T17:00+00:00")
    assert [item.market.strike for item in items if isinstance(item, MarketChanged)] == [Px(7_000_050_000_000)]
    assert [(one.market, one.bid, one.ask) for one in items if isinstance(one, BboUpdate)] == [
        (name, (39 * CENT, 0), (40 * CENT, 0)), (name, (998 * SCALE // 1_000, 0), None),
        (polymarket_market("9"), (50 * CENT, 0), (60 * CENT, 0)),
    ]  # fmt: skip


def test_quotes_are_taken_whole_in_the_order_of_their_times(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    at = [datetime(2026, 8, 1, 23, 59, 59), datetime(2026, 8, 2), datetime(2026, 8, 1)]  # noqa: DTZ001 - as in the file
    rows = {
        "ts": [*at, None],
        "slug": ["b/%", "a", "a", "a"],
        "bid": [0.4, math.nan, 0.001, 0.5],
        "ask": [0.5, 0.6, 1.0, 0.6],
    }
    pl.DataFrame(rows).write_parquet(folder / "quotes_2026-08-01.parquet")
    pl.DataFrame({"slug": ["a"], "y": [1]}).write_parquet(folder / "labels.parquet")
    (folder / "broken.parquet").write_bytes(b"none")
    done = import_quotes(tmp_path / "store", [folder])
    assert (done.events, done.files, done.markets) == (3, 3, ("polymarket:a", "polymarket:b/%"))
    assert done.odd == {"broken_files": 1, "files_without_quotes": 1, "unreadable_rows": 1}
    assert [(one.market, one.bid, one.ask) for one in told(tmp_path / "store") if isinstance(one, BboUpdate)] == [
        ("polymarket:a", (SCALE // 1_000, 0), None), ("polymarket:b/%", (40 * CENT, 0), (50 * CENT, 0)),
        ("polymarket:a", None, (60 * CENT, 0)),
    ]  # fmt: skip
    assert check(tmp_path / "store").defects == []
    assert {one.day for one in Store.open(tmp_path / "store").files} == {"2026-08-01", "2026-08-02"}


def test_no_quotes_is_an_error_and_the_command_knows_the_kind(tmp_path: Path) -> None:
    path = tmp_path / "labels.parquet"
    pl.DataFrame({"slug": ["a"], "y": [1]}).write_parquet(path)
    with pytest.raises(UsageError, match="nothing of kind polymarket-quotes"):
        import_command("polymarket-quotes", (path,), tmp_path / "store", as_json=True)
    pl.DataFrame({"ts": [datetime(2026, 8, 1)], "slug": "a", "bid": 0.4, "ask": 0.5}).write_parquet(path)  # noqa: DTZ001
    assert import_command("polymarket-quotes", (path,), tmp_path / "store", as_json=True) is ExitCode.CLEAN


def test_a_table_of_another_name_is_none_of_tops(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a\n")
    with pytest.raises(UsageError, match=r"x\.csv \(1 files_of_other_names\)"):
        run("polymarket-tops", tmp_path / "store", path)
