"""Candles of the simulated Hyperliquid: made of its trades, kept as far as the venue keeps them, and fetched."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.research.imports.backfill import Backfill, Backfilled, Mode, span
from hlomm.research.record.sources import Place, hyperliquid_at
from hlomm.research.store.check import check
from hlomm.research.store.read import Store
from hlomm.research.store.schema import CANDLES
from hlomm.settings.load import load
from hlomm.sim.events import Trade, Traded
from hlomm.sim.harness import SimulatedVenue, read_host, simulated_hyperliquid
from hlomm.sim.hl.candles import KEPT
from hlomm.sim.world import Commit
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.hyperliquid.rest import HyperliquidRest
from hlomm.venues.hyperliquid.wire.candles import LENGTHS_S, PAGE
from hlomm.venues.transport import Transport

MINUTE_MS = 60_000


def keyless(sim: SimulatedVenue) -> tuple[HyperliquidRest, Clock]:
    section = load("sim", (), (), environ={}).settings.venue.hyperliquid
    config = hyperliquid_at(Place(section=section, rest=sim.rest, ws=sim.ws), section)
    clock = Clock(sim.clock_map, read_host)
    return HyperliquidRest(config, Transport(connect=sim.connect), clock, Counters()), clock


async def backfill(sim: SimulatedVenue, root: Path, interval: str = "1m", from_ns: int | None = None) -> Backfilled:
    rest, clock = keyless(sim)
    now_ns = clock.now().wall_ns
    work = Backfill(root, span("BTC", LENGTHS_S[interval], from_ns, None, now_ns), now_ns)
    async with rest.opened():
        await work.ask(rest, clock, "sim", lambda _line: None)
    return work.done(Mode.LIVE)


def hear(sim: SimulatedVenue) -> list[Trade]:
    """Every trade from now on."""
    heard: list[Trade] = []
    before = sim.venue.listener

    def listen(commit: Commit) -> None:
        heard.extend(event.trade for event in commit.events if isinstance(event, Traded))
        if before is not None:
            before(commit)

    sim.venue.listener = listen
    return heard


async def test_a_backfill_has_exactly_the_candles_of_the_trades(tmp_path: Path, autojump_clock) -> None:
    async with simulated_hyperliquid(seed=5) as sim:
        trades = hear(sim)
        began_ns = Clock(sim.clock_map, read_host).now().wall_ns
        await trio.sleep(400)
        done = await backfill(sim, tmp_path, from_ns=began_ns)
        again = await backfill(sim, tmp_path, from_ns=began_ns)
        await trio.sleep(120)
        later = await backfill(sim, tmp_path, from_ns=began_ns)
    assert (done.failure, done.odd, done.live) == ("", {}, done.had)
    assert done.had >= 5
    assert (again.there, again.live) == (done.had, 0)
    assert (later.there, later.live) == (done.had, 2)
    expected: dict[int, list[Trade]] = {}
    for trade in trades:
        if trade.outcome is None:
            expected.setdefault(trade.time_ms // MINUTE_MS * MINUTE_MS * 10**6, []).append(trade)
    rows = Store.open(tmp_path).scan(CANDLES).sort("open_ns").collect()
    assert rows["source"].unique().to_list() == ["sim"]
    for one in rows.iter_rows(named=True):
        prints = expected[one["open_ns"]]
        ticks = [trade.ticks * 10_000_000 for trade in prints]
        assert (one["open"], one["high"], one["low"], one["close"]) == (ticks[0], max(ticks), min(ticks), ticks[-1])
        assert one["volume"] == pytest.approx(sum(trade.lots for trade in prints) / 10**5)
    whole = {at for at in expected if later.wanted.first_ns <= at < later.wanted.end_ns}
    assert set(rows["open_ns"]) == whole
    assert check(tmp_path).defects == []


async def test_both_coins_mirror_each_other_and_vanish_at_settlement(autojump_clock) -> None:
    async with simulated_hyperliquid(seed=5) as sim:
        rest, clock = keyless(sim)
        outcome = min(sim.exchange.outcomes, key=lambda number: sim.exchange.outcomes[number].spec.expiry_ns)
        await trio.sleep(30)
        now = clock.wall_ms()
        yes, no = [await rest.candles(f"#{10 * outcome + leg}", "1h", 0, now) for leg in (Leg.YES, Leg.NO)]
        assert yes.candles
        assert yes.skipped == no.skipped == 0
        for one, mirror in zip(yes.candles, no.candles, strict=True):
            assert one.open + mirror.open == one.high + mirror.low == one.low + mirror.high == 10**8
            assert one.volume == mirror.volume
        with trio.fail_after(600):
            while outcome in sim.exchange.outcomes:
                await trio.sleep(10)
        with pytest.raises(VenueUnavailable, match="HTTP 500"):
            await rest.candles(f"#{10 * outcome}", "1h", 0, clock.wall_ms())


async def test_what_the_venue_refuses(autojump_clock) -> None:
    async with simulated_hyperliquid(seed=5) as sim:
        rest, clock = keyless(sim)
        for coin, interval, words in (("DOGE", "1m", "HTTP 500"), ("BTC", "7m", "HTTP 422")):
            with pytest.raises(VenueUnavailable, match=words):
                await rest.candles(coin, interval, 0, clock.wall_ms())


def plant(sim: SimulatedVenue, minutes: int) -> int:
    """Trades of the perp, one a minute, before the present; the time of the first."""
    first_ms = sim.venue.world.next_step_ns // 10**6 // MINUTE_MS * MINUTE_MS - minutes * MINUTE_MS
    sim.venue.candles = type(sim.venue.candles)()
    for number in range(minutes):
        trade = Trade(
            outcome=None, ticks=900_000 + number, lots=1, aggressor=Side.BUY, bid_user="0x1", ask_user="0x2",
            time_ms=first_ms + number * MINUTE_MS + 7, hash="0x", tids=(1, 2),
        )  # fmt: skip
        sim.venue.candles.note(Commit(0, [Traded(trade)], [], None))
    return first_ms


async def test_only_the_latest_5000_are_kept_and_the_rest_is_a_hole(tmp_path: Path, autojump_clock) -> None:
    assert KEPT == PAGE
    async with simulated_hyperliquid(seed=5) as sim:
        first_ms = plant(sim, 12_001)
        done = await backfill(sim, tmp_path, from_ns=first_ms * 10**6)
        hours = await backfill(sim, tmp_path, "1h", from_ns=first_ms * 10**6)
    assert (done.failure, done.odd) == ("", {})
    assert done.holes[0].from_ns == first_ms * 10**6
    assert done.holes[0].candles == 12_001 - (KEPT - 1)  # what is open is one of those kept, and not had
    assert done.live >= KEPT - 1
    assert len(done.holes) <= 2
    # The minutes of the longer candles are counted although their own are forgotten.
    assert hours.live == hours.wanted.count - sum(hole.candles for hole in hours.holes)
    rows = Store.open(tmp_path).scan(CANDLES).filter(pl.col("length_s") == 3_600).sort("open_ns").collect()
    assert hours.live in (199, 200)
    steps = rows["close"].diff().drop_nulls().unique().to_list()
    assert steps == [60 * 10_000_000]


async def test_an_answer_is_charged_by_its_length(autojump_clock) -> None:
    async with simulated_hyperliquid(seed=5) as sim:
        plant(sim, 5_000)
        rest, clock = keyless(sim)
        await rest.server_time()
        before = sim.speaker.statistics()["ip_weight_left"]
        rows = await rest.candles("BTC", "1m", 0, clock.wall_ms())
        assert len(rows.candles) == PAGE
        assert before - sim.speaker.statistics()["ip_weight_left"] == 20 + PAGE // 60
