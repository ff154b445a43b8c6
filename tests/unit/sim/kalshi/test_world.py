"""Rung: stateful sync. The whole venue in virtual time: the same seed is the same venue, and the market is alive."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from hlomm.domain.faults import ConfigError
from hlomm.domain.orders import Side
from hlomm.sim.config import SimConfig
from hlomm.sim.config_kalshi import KalshiConfig, KalshiRulesConfig
from hlomm.sim.hl.venue import Venue
from hlomm.sim.kalshi.contracts import CRYPTO_SHARD, Phase
from hlomm.sim.kalshi.orders import NewOrder
from hlomm.sim.kalshi.refusals import Refused
from hlomm.sim.kalshi.venue import KalshiVenue
from hlomm.sim.kalshi.world import World
from hlomm.sim.town import neighbour_of

S = 10**9
ORIGIN_NS = 1_795_000_095 * S


def digest_of(seed: int, seconds: int, *, orders: bool = False, pace_s: int = 1) -> str:
    """A digest of everything that happens, with or without a client who places an order every few seconds."""
    sums = sha256()
    config = SimConfig()
    venue = KalshiVenue(config, seed, ORIGIN_NS)

    def note(commit: Any) -> None:
        for event in commit.events:
            words = [
                str(getattr(event, name))
                for name in event.__slots__
                if name not in {"account", "order", "owner", "__weakref__"}
            ]
            sums.update(f"{commit.time_ns} {type(event).__name__} {words}".encode())

    venue.listener = note
    member = venue.member("daemon")
    assert member is not None
    engine = venue.exchange.engines[CRYPTO_SHARD]
    for second in range(0, seconds, pace_s):
        if orders and second % 6 == 0:
            ticker = max(
                (m for m in venue.exchange.markets.values() if m.phase is Phase.ACTIVE), key=lambda m: m.close_ns
            ).ticker

            def place(ticker: str = ticker, number: int = second) -> None:
                side = Side.BUY if number % 12 else Side.SELL
                engine.place(member, NewOrder(ticker=ticker, side=side, ticks=5_000, lots=150))

            venue.world.submit(ORIGIN_NS + second * S + S // 3, place)
        venue.world.advance(ORIGIN_NS + (second + pace_s) * S)
    assert venue.exchange.audit() == []
    return sums.hexdigest()


@pytest.mark.slow
def test_the_same_seed_is_the_same_venue() -> None:
    assert digest_of(5, 48) == digest_of(5, 48)
    assert digest_of(5, 48) != digest_of(6, 48)


@pytest.mark.slow
def test_the_same_submissions_are_the_same_venue_at_any_pace() -> None:
    assert digest_of(5, 48, orders=True) == digest_of(5, 48, orders=True, pace_s=3)
    assert digest_of(5, 48, orders=True) != digest_of(5, 48)


@pytest.mark.slow
def test_ten_minutes_keep_their_books() -> None:
    venue = World(SimConfig(), 9, ORIGIN_NS)
    for minute in range(1, 11):
        venue.advance(ORIGIN_NS + minute * 60 * S)
        assert venue.exchange.audit() == []
    finished = [m for m in venue.exchange.markets.values() if m.phase is Phase.FINALIZED]
    assert len(finished) >= 9
    assert all(m.volume > 0 for m in finished)
    assert {m.result for m in finished} == {True, False}
    spreads = []
    for market in venue.listing.active():
        bid, ask = market.book.best_ticks(Side.BUY), market.book.best_ticks(Side.SELL)
        if bid is not None and ask is not None:
            assert bid < ask
            spreads.append(ask - bid)
    assert spreads


class Instant:
    """A clock that is set by hand."""

    at_ns = ORIGIN_NS

    def now_ns(self) -> int:
        return self.at_ns


def agreement(*, apart: bool) -> tuple[float, int, int]:
    """Mean difference of the two venues' mids, seconds compared, and how many outcomes had a partner."""
    config = SimConfig(kalshi=KalshiConfig(dislocations=apart))
    beside, clock = Venue(config, 7, ORIGIN_NS), Instant()
    other = beside.world
    venue = World(config, 7, ORIGIN_NS, other.path, neighbour=neighbour_of(beside, clock))
    gaps, pairs = [], set()
    for second in range(1, 300):
        clock.at_ns = ORIGIN_NS + second * S
        other.advance(clock.at_ns)
        venue.advance(clock.at_ns)
        for market in other.exchange.outcomes.values():
            spec = market.spec
            for mine in venue.listing.active():
                if (mine.close_ns, mine.strike) != (spec.expiry_ns, spec.target // 10**6 - 1):
                    continue
                pairs.add(mine.ticker)
                prices = [book.best_ticks(side) for book in (market.book, mine.book) for side in Side]
                if None not in prices:
                    gaps.append(abs((prices[0] + prices[1]) / 200_000 - (prices[2] + prices[3]) / 20_000))
    return sum(gaps) / len(gaps), len(gaps), len(pairs)


@pytest.mark.slow
def test_prices_agree_with_the_other_venue_unless_dislocated() -> None:
    """Strikes and minutes are the other venue's; with dislocations the same contract has two prices."""
    near, seconds, pairs = agreement(apart=False)
    far, _, _ = agreement(apart=True)
    assert pairs >= 5
    assert seconds > 500
    assert near < 0.015
    assert far > 2 * near


def test_a_venue_without_a_neighbour_has_strikes_of_its_own() -> None:
    venue = World(SimConfig(), 7, ORIGIN_NS)
    assert {market.strike is not None and market.strike % 100 for market in venue.listing.active()} >= {99}


def test_settings_are_checked_where_they_are_made() -> None:
    with pytest.raises(ConfigError, match=r"sim\.kalshi\.portfolio_lag_s"):
        KalshiRulesConfig(portfolio_lag_s=-1.0)


def test_a_shard_that_does_not_exist_is_a_bad_request() -> None:
    venue = World(SimConfig(), 7, ORIGIN_NS)
    with pytest.raises(Refused) as caught:
        venue.exchange.route(9, None)
    assert caught.value.refusal.status == 400
    assert venue.exchange.route(None, None).shard == 0
    assert venue.exchange.route(-1, venue.listing.active()[0].ticker).shard == CRYPTO_SHARD
