"""Other people's recordings: what their documentation says is what the store has; nothing is made up."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import lz4.frame
import polars as pl
import pytest

from hlomm.cli.research import IMPORTS
from hlomm.domain.faults import UsageError
from hlomm.domain.inputs import BboUpdate, BookSnapshot, MarketSettled, TradePrint
from hlomm.domain.units import SCALE
from hlomm.research.imports.candles import import_candles
from hlomm.research.imports.kinds import KINDS, TABLES
from hlomm.research.imports.lines import Imported, import_into, scaled, seconds
from hlomm.research.recording import load
from hlomm.research.source import recordings
from hlomm.research.store.check import check
from hlomm.research.store.read import Store, ordered
from hlomm.research.store.schema import FRAMES, input_of
from tests.support.datasets import dataset, slice_of


def run(kind: str, out: Path, *paths: Path) -> Imported:
    return import_into(out, KINDS[kind], paths)


def items(out: Path, kind: type) -> list[object]:
    rows = ordered(Store.open(out).scan()).collect().iter_rows(named=True)
    return [item for row in rows if isinstance(item := input_of(row), kind)]


def findings(out: Path) -> dict[str, int]:
    return {name: one.count for name, one in check(out).findings.items() if one.count}


def test_the_command_knows_every_kind() -> None:
    assert set(IMPORTS) == {*KINDS, *TABLES}


# -- real recordings


def test_an_imported_hip4_recording_is_what_the_folder_itself_is(tmp_path: Path) -> None:
    """Event by event: so a backtest makes the same decisions over either."""
    folder = dataset("hl_hip4_q15")
    done = run("hip4", tmp_path, folder)
    assert done.odd == {**dict(load(folder).repairs), "mirrored_books_of_the_no_coin": 13_337, "replayed_prints": 30}
    assert findings(tmp_path) == {}
    (recording,) = recordings(tmp_path).recordings
    direct = load(folder)
    both = [[(event.received_ns, event.exchange_ns, event.item) for event in one.events] for one in (recording, direct)]
    assert both[0] == both[1]
    assert (recording.outcome, recording.perp) == (direct.outcome, direct.perp)
    assert recording.marks == direct.marks


def test_perp_tables(tmp_path: Path) -> None:
    done = run("hl-csv", tmp_path, dataset("hl_l2_2025_09_03"))
    assert done.markets == ("hyperliquid:BTC", "hyperliquid:ETH", "hyperliquid:SOL")
    assert done.odd == {}
    books = items(tmp_path, BookSnapshot)
    assert len(books) == 3 * 446
    assert all(isinstance(one, BookSnapshot) and len(one.bids) == len(one.asks) == 20 for one in books)
    assert len(items(tmp_path, TradePrint)) == 1_497 + 782 + 1_027
    assert len(items(tmp_path, BboUpdate)) == (3_586 + 3_590 + 3_614) // 2
    assert findings(tmp_path) == {"repeated_trades": 32, "repeated_books": 3, "silences": 1}


def test_perp_tables_of_touches_alone(tmp_path: Path) -> None:
    done = run("hl-csv", tmp_path, dataset("hl_btc_bbo_2025_09"))
    assert done.odd == {"touches_of_one_side": 5}
    assert findings(tmp_path) == {"repeated_trades": 10, "silences": 6}
    assert len({one.day for one in Store.open(tmp_path).files}) == 7


def test_raw_frames_are_kept_and_read(tmp_path: Path) -> None:
    folder = dataset("hl_ws_frames_2025_01")
    done = run("hl-frames", tmp_path, folder)
    assert (done.lines, done.frames) == (56, 55)
    (path,) = folder.iterdir()
    raw = [line.split(b" ", 1)[1] for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert ordered(Store.open(tmp_path).scan(FRAMES)).collect()["data"].to_list() == raw
    assert len(items(tmp_path, BookSnapshot)) == 46
    assert findings(tmp_path) == {"repeated_books": 1}


def test_binance_is_folded_without_a_break_and_its_clock_is_seen(tmp_path: Path) -> None:
    """Its beginning: `trials/test_every_dataset.py` counts the whole of it."""
    folder = slice_of("binance_usdm_l2_2024_08", tmp_path / "in")
    (path,) = folder.iterdir()
    raw = gzip.decompress(path.read_bytes())
    depth, touches, trades, snapshots = (
        raw.count(one) for one in (b'"depthUpdate"', b'"bookTicker"', b'"e":"trade"', b'"lastUpdateId"')
    )
    out = tmp_path / "store"
    done = run("binance", out, folder)
    assert done.frames == len(raw.splitlines()) == depth + touches + trades + snapshots
    assert done.odd == {"updates_before_a_snapshot": 6}
    kinds = dict(Store.open(out).scan().group_by("kind").len().collect().rows())
    assert kinds == {"book": depth - 6 + snapshots, "trade": trades, "bbo": touches}
    looked = check(out)
    assert looked.defects == []
    assert looked.clocks["binance"]["age_p50_ms"] == pytest.approx(-1_270, abs=20)


def test_polymarket_tokens_are_markets_of_their_own(tmp_path: Path) -> None:
    done = run("polymarket", tmp_path, dataset("pm_ws_frames_2026_05/ws_book_frames.jsonl"))
    assert len(done.markets) == 494
    assert done.odd == {"receive_times_unknown": 62}
    books = items(tmp_path, BookSnapshot)
    assert len(books) == 494 + 120
    one_sided = [one for one in books[:494] if isinstance(one, BookSnapshot) and not (one.bids and one.asks)]
    assert len(one_sided) == 204
    assert check(tmp_path).defects == []


def test_kalshi_has_prices_without_sizes_and_labels(tmp_path: Path) -> None:
    run("kalshi", tmp_path, *sorted(dataset("kalshi_15m_2026_08").glob("KXXRP15M_*.jsonl")))
    touches = items(tmp_path, BboUpdate)
    assert len(touches) == 2_901
    sizes = {level[1] for one in touches if isinstance(one, BboUpdate) for level in (one.bid, one.ask) if level}
    assert sizes == {0}
    assert len(items(tmp_path, TradePrint)) == 51
    labels = [one for one in items(tmp_path, MarketSettled) if isinstance(one, MarketSettled)]
    assert len(labels) == 91
    assert sum(one.yes_px == SCALE for one in labels) / 91 == pytest.approx(0.57, abs=0.05)
    assert check(tmp_path).defects == []


def test_candles_are_exact_and_funding_is_none(tmp_path: Path) -> None:
    done = import_candles(tmp_path, [dataset("candles")])
    assert done.odd == {"files_without_candles": 2}
    assert done.events == 44_242 + 1_832 + 45_031
    assert done.markets == ("binance:BTC", "hyperliquid:BTC", "unknown:BTC")
    assert findings(tmp_path) == {}
    assert check(tmp_path).rows == {"candles": done.events}
    first = Store.open(tmp_path).scan("candles", venue="binance").sort("open_ns").first().collect().row(0, named=True)
    assert (first["length_s"], first["open"], first["close"]) == (900, 6_065_120_000_000, 6_056_800_000_000)
    assert first["open_ns"] == 1_714_521_600 * 10**9


def test_planted_candles_are_found(tmp_path: Path) -> None:
    path = tmp_path / "hl_BTC_1m.csv"
    rows = ["2026-01-01 00:00:00,10,12,9,11,1", "2026-01-01 00:01:00,10,9,9,11,1", "2026-01-01 00:01:00,10,12,9,11,1",
            "2026-01-01 00:05:00,10,12,9,11,1", "2026-01-01 00:06:00,10,,9,11,1"]  # fmt: skip
    path.write_text("timestamp,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    done = import_candles(tmp_path / "store", [path])
    assert (done.events, done.odd) == (4, {"unreadable_rows": 1})
    assert findings(tmp_path / "store") == {"repeated_candles": 1, "impossible_candles": 1, "missing_candles": 3}


def test_no_candles_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "hl_BTC_1m.csv").write_text("a,b\n1,2\n")
    (tmp_path / "hl_ETH_1m.feather").write_bytes(b"none")
    with pytest.raises(UsageError, match=r"no candles in .* \(2 other files"):
        import_candles(tmp_path / "store", [tmp_path])


# -- by hand


L2 = {
    "channel": "l2Book",
    "data": {
        "coin": "BTC", "time": 1_700_000_000_000,
        "levels": [[{"px": "10", "sz": "1", "n": 1}], [{"px": "11", "sz": "2", "n": 1}]],
    },
}  # fmt: skip


def archive(path: Path, *lines: object) -> Path:
    text = b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in lines)
    path.write_bytes(lz4.frame.compress(text))
    return path


def test_the_archive_is_read_line_by_line(tmp_path: Path) -> None:
    line = {"time": "2023-11-14T22:13:20.123456789", "ver_num": 1, "raw": L2}
    path = archive(
        tmp_path / "BTC.lz4", line, b"{not json", {"time": "when?", "raw": L2}, line | {"time": "2023-11-14T22:13:21"}
    )
    out = tmp_path / "store"
    done = run("hl-archive", out, path)
    assert done.odd == {"unreadable_lines": 2}
    rows = ordered(Store.open(out).scan()).collect().filter(pl.col("kind") == "book")
    assert rows["recv_ns"].to_list() == [1_700_000_000_123_456_789, 1_700_000_001_000_000_000]
    (frame, _) = Store.open(out).scan(FRAMES).collect()["data"].to_list()
    assert json.loads(frame) == L2


def test_an_archive_that_breaks_off_gives_what_stands_before(tmp_path: Path) -> None:
    line = {"time": "2023-11-14T22:13:20.1", "raw": L2}
    path = tmp_path / "BTC.lz4"
    first = lz4.frame.compress((json.dumps(line) + "\n").encode())
    path.write_bytes(first + first[:-20])
    done = run("hl-archive", tmp_path / "store", path)
    assert done.frames == 1
    assert done.odd == {"broken_files": 1}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_nothing_real_is_an_error_and_writes_nothing(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    suffix = KINDS[kind].suffixes[0]
    garbage = (
        lz4.frame.compress(b"{}\nx y\n")
        if suffix == ".lz4"
        else gzip.compress(b"{}\nx y\n")
        if suffix == ".gz"
        else b"{}\nx y\n"
    )
    (folder / f"prices_BTC{suffix}").write_bytes(garbage)
    with pytest.raises(UsageError):
        run(kind, tmp_path / "store", folder)
    with pytest.raises(UsageError, match=r"nothing of kind|no such file"):
        run(kind, tmp_path / "store", tmp_path / "nowhere") if kind == "hip4" else run(kind, tmp_path / "store", folder)
    assert not (tmp_path / "store").exists()


def test_the_same_import_twice_is_one(tmp_path: Path) -> None:
    folder = dataset("hl_ws_frames_2025_01")
    for _ in range(2):
        run("hl-frames", tmp_path, folder)
    assert findings(tmp_path) == {"repeated_books": 1}
    assert Store.open(tmp_path).scan(FRAMES).collect().height == 55


def depth(first: int, last: int, before: int, *, symbol: str = "BTCUSDT") -> str:
    update = {
        "e": "depthUpdate", "s": symbol, "T": 1_700_000_000_005, "U": first, "u": last, "pu": before,
        "b": [["9", "1"]], "a": [],
    }  # fmt: skip
    return json.dumps({"stream": "x", "data": update})


def packed_lines(path: Path, lines: list[str], from_ns: int = 1_700_000_000_000_000_000) -> Path:
    path.write_bytes(gzip.compress("\n".join(f"{from_ns + n} {one}" for n, one in enumerate(lines)).encode()))
    return path


def test_rows_are_written_alike_in_pieces_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def written(size: int) -> dict[str, bytes]:
        monkeypatch.setattr("hlomm.research.store.pack.ROWS_HELD", size)
        out = tmp_path / str(size)
        run("hl-frames", out, dataset("hl_ws_frames_2025_01"))
        return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*.parquet")}

    assert written(7) == written(50_000) != {}


def test_a_break_of_the_depth_drops_the_book_until_a_snapshot(tmp_path: Path) -> None:
    snapshot = json.dumps({"lastUpdateId": 10, "T": 1_700_000_000_004, "bids": [["8", "1"]], "asks": [["11", "1"]]})
    lines = [depth(5, 9, 4), snapshot, depth(10, 12, 9), depth(13, 14, 12), depth(20, 21, 19), depth(22, 23, 21)]
    out = tmp_path / "store"
    done = run("binance", out, packed_lines(tmp_path / "in.gz", lines))
    assert done.odd == {"breaks_of_the_book": 1, "updates_before_a_snapshot": 2}
    books = items(out, BookSnapshot)
    assert [one.bids[0][0] for one in books if isinstance(one, BookSnapshot)] == [8 * SCALE, 9 * SCALE, 9 * SCALE]


def snapshot_of(number: int) -> str:
    return json.dumps({"lastUpdateId": number, "T": 1_700_000_000_004, "bids": [["8", "1"]], "asks": [["11", "1"]]})


def test_a_snapshot_is_of_the_one_symbol_of_its_file_and_an_older_one_takes_no_book_away(tmp_path: Path) -> None:
    other = depth(5, 9, 4, symbol="ETHUSDT")
    of_two = packed_lines(tmp_path / "a.gz", [depth(5, 9, 4), other, snapshot_of(7)])
    with pytest.raises(UsageError, match="1 snapshots_of_nobody_knows_what"):
        run("binance", tmp_path / "a", of_two)
    lines = [depth(5, 9, 4), snapshot_of(10), depth(10, 12, 9), snapshot_of(11), depth(13, 14, 12)]
    done = run("binance", tmp_path / "b", packed_lines(tmp_path / "b.gz", lines))
    assert done.odd == {"snapshots_behind_the_book": 1, "updates_before_a_snapshot": 1}
    assert len(items(tmp_path / "b", BookSnapshot)) == 3


def test_a_book_goes_on_in_the_next_file_if_that_goes_on(tmp_path: Path) -> None:
    first = packed_lines(tmp_path / "1.gz", [depth(5, 9, 4), snapshot_of(10), depth(10, 12, 9)])
    on = packed_lines(tmp_path / "2.gz", [depth(13, 14, 12)], 1_700_000_001_000_000_000)
    another = packed_lines(tmp_path / "3.gz", [depth(33, 34, 32)], 1_700_000_002_000_000_000)
    done = run("binance", tmp_path / "store", first, on, another)
    assert done.odd == {"updates_before_a_snapshot": 2}
    assert len(items(tmp_path / "store", BookSnapshot)) == 3


@pytest.mark.parametrize(("text", "value"), [("0.00091", 91_000), (8.84885, 884_885_000), ("1e-05", 1_000), ("0", 0)])
def test_numbers_are_exact(text: str | float, value: int) -> None:
    assert scaled(text) == value


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-1"])
def test_what_is_no_number_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        scaled(text)


def test_seconds_keep_every_digit() -> None:
    assert seconds("1756904112.7999077") == 1_756_904_112_799_907_700
    with pytest.raises(ValueError, match="seconds"):
        seconds("nan")
