"""The recorder at the three simulated venues: without a key it hears books, trades, rolls, and its own deafness."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import polars as pl
import pytest
import trio

from hlomm.research.record.recorder import Ear, Stamps
from hlomm.research.record.sources import Place, sources
from hlomm.research.record.tap import TappedTransport
from hlomm.research.record.writer import Writer
from hlomm.research.store.check import check
from hlomm.research.store.read import Store, ordered
from hlomm.research.store.schema import FRAMES, input_of
from hlomm.settings.load import load
from hlomm.sim.harness import read_host, simulated_hyperliquid
from hlomm.sim.harness_kalshi import simulated_kalshi
from hlomm.sim.harness_polymarket import simulated_polymarket
from hlomm.venues.clock import Clock
from hlomm.venues.hyperliquid.wire.frames import decode_frame
from hlomm.venues.watching import Watcher

SIMULATED: dict[str, Callable[..., AbstractAsyncContextManager[Any]]] = {
    "hyperliquid": simulated_hyperliquid, "polymarket": simulated_polymarket, "kalshi": simulated_kalshi,
}  # fmt: skip
VENUES = tuple(SIMULATED)


@attrs.define(eq=False)
class Listening:
    sim: Any
    root: Path
    writer: Writer
    watcher: Watcher

    def events(self) -> pl.DataFrame:
        self.writer.flush()
        return ordered(Store.open(self.root).scan()).collect()

    def frames(self) -> pl.DataFrame:
        return ordered(Store.open(self.root).scan(FRAMES)).collect()

    async def until(self, kind: str, count: int, within_s: float = 400) -> pl.DataFrame:
        """Rows of a kind, when there are so many."""
        with trio.fail_after(within_s):
            while len(found := self.events().filter(pl.col("kind") == kind)) < count:
                await trio.sleep(10)
        return found


@asynccontextmanager
async def listening(venue: str, root: Path, *, markets: str = "*") -> AsyncIterator[Listening]:
    async with SIMULATED[venue](seed=5) as sim:
        section = getattr(load("sim", (), (), environ={}).settings.venue, venue)
        place = Place(section=section, rest=sim.rest, ws=sim.ws, gamma=getattr(sim, "gamma", ""))
        clock = Clock(sim.clock_map, read_host)
        writer = Writer(root, 1_795_000_000_000, "sim")
        ear = Ear(venue, writer, Stamps(clock))
        ear.write("start", "{}")
        (source,) = sources([place], (markets,))
        watcher = source.watcher(TappedTransport(connect=sim.connect, listener=ear), clock)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watcher.run, ear.sink)
            yield Listening(sim, root, writer, watcher)
            nursery.cancel_scope.cancel(reason="the test is over")
        ear.write("stop", "{}")
        writer.close()


@pytest.mark.parametrize("venue", VENUES)
async def test_books_trades_rolls_and_settlements_are_recorded(tmp_path: Path, autojump_clock, venue: str) -> None:
    async with listening(venue, tmp_path) as heard:
        await heard.until("trade", 10)
        first = set((await heard.until("listed", 2))["market"])
        settled = set((await heard.until("settled", 1))["market"])
        with trio.fail_after(400):
            while not (new := set(heard.events().filter(pl.col("kind") == "listed")["market"]) - first):
                await trio.sleep(10)
        rolled = new.pop()
        with trio.fail_after(200):
            while heard.events().filter((pl.col("market") == rolled) & (pl.col("kind") == "book")).is_empty():
                await trio.sleep(10)
    rows = heard.events()
    assert settled <= set(rows.filter(pl.col("kind") == "listed")["market"])
    after = rows.filter(pl.col("market").is_in(list(settled)) & (pl.col("kind") == "book"))
    assert not after.is_empty()
    looked = check(tmp_path)
    assert looked.defects == []
    assert looked.findings["undescribed_markets"].count == 0
    assert looked.sources == {"sim": len(rows) + len(heard.frames())}


@pytest.mark.parametrize("venue", VENUES)
async def test_nothing_private_is_asked_for(tmp_path: Path, autojump_clock, venue: str) -> None:
    async with listening(venue, tmp_path) as heard:
        await heard.until("trade", 5)
    frames = heard.frames()
    requests = frames.filter(pl.col("connection") == 0)
    asked = " ".join(requests["channel"].unique()) + " " + b" ".join(requests["request"].drop_nulls()).decode()
    assert requests.height > 2
    assert not [word for word in ("user", "portfolio", "clearinghouse", "auth", "/data/", "balance") if word in asked]
    pushed = b" ".join(frames.filter(pl.col("connection") > 0)["data"])
    assert b"userFills" not in pushed
    assert venue == "kalshi" or pushed


@pytest.mark.parametrize("venue", VENUES)
async def test_deafness_is_a_gap_in_every_market_that_was_followed(tmp_path: Path, autojump_clock, venue: str) -> None:
    async with listening(venue, tmp_path) as heard:
        await heard.until("trade", 3)
        heard.sim.cable.unplug()
        await trio.sleep(60)
        assert heard.events().filter(pl.col("kind") == "gap").is_empty()
        heard.sim.cable.plug()
        gaps = await heard.until("gap", 2)
        up = heard.events().filter(pl.col("kind") == "up")
    assert len(up) == 2
    detail = [json.loads(text) for text in gaps["detail"]]
    lengths = [(recv - one["from_ns"]) / 1e9 for recv, one in zip(gaps["recv_ns"], detail, strict=True)]
    assert all(55 < length < 200 for length in lengths)
    assert all(one["reason"] for one in detail)
    followed = set(gaps["market"]) - {""}
    assert followed
    assert followed <= set(heard.events().filter(pl.col("kind") == "listed")["market"])
    during = heard.events().filter(
        pl.col("recv_ns").is_between(min(d["from_ns"] for d in detail) + 1, gaps["recv_ns"][0] - 10**9)
    )
    assert during.filter(pl.col("kind").is_in(["book", "bbo", "trade"])).is_empty()


async def test_raw_bytes_decode_to_the_rows_beside_them(tmp_path: Path, autojump_clock) -> None:
    async with listening("hyperliquid", tmp_path) as heard:
        await heard.until("book", 30)
    raw = {row["seq"]: row["data"] for row in heard.frames().iter_rows(named=True)}
    compared = 0
    for row in heard.events().iter_rows(named=True):
        if row["kind"] == "bbo":
            assert decode_frame(raw[row["frame"]]).frame == input_of(row)
            compared += 1
    assert compared > 20


async def test_only_chosen_markets_are_followed(tmp_path: Path, autojump_clock) -> None:
    async with listening("hyperliquid", tmp_path, markets="hyperliquid:BTC") as heard:
        await heard.until("bbo", 20)
        await trio.sleep(300)  # a roll or two
    assert set(heard.events()["market"]) == {"", "hyperliquid:BTC"}
