"""Rung: pure and stateful sync. Tickers, words, and a market's life by the clock, down to the tie."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hlomm.sim.config import ListingConfig, SimConfig
from hlomm.sim.config_kalshi import KalshiConfig, KalshiFlowConfig, KalshiListingConfig, KalshiRulesConfig
from hlomm.sim.kalshi.contracts import (
    Market,
    Phase,
    Series,
    StrikeType,
    cents_text,
    rules_primary,
    threshold_event_ticker,
    window_event_ticker,
    yes_words,
)
from hlomm.sim.kalshi.events import BookWiped, Lifecycle, LifecycleKind
from hlomm.sim.kalshi.fees import FeeTerms
from hlomm.sim.kalshi.misfortunes import in_thursday_pause
from hlomm.sim.kalshi.world import World

S = 10**9
ORIGIN_NS = 1_795_000_095 * S
"""45 s before 06:09 Eastern, a multiple of three minutes."""


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * S


def contract(kind: StrikeType, close: str, strike: int | None, open_: str = "2026-01-01T00:00:00") -> Market:
    series = Series(
        ticker="KXBTCD" if kind is StrikeType.GREATER else "KXBTC15M",
        frequency="",
        strike_type=kind,
        structure="linear_cent",
        timer_s=1.0,
        fees=FeeTerms(),
        market_title="",
    )
    return Market(
        ticker="T",
        event_ticker="E",
        series=series,
        created_ns=0,
        open_ns=at(open_),
        close_ns=at(close),
        strike=strike,
        structure="linear_cent",
    )


def test_tickers_and_rules_are_those_of_the_samples(kalshi_fixture: Any) -> None:
    """Every sample of the two series whose close agrees with its ticker is spelt the same way here."""
    checked = 0
    for case in kalshi_fixture("ticker_samples.json")["cases"]:
        series = case["ticker"].partition("-")[0]
        if series not in {"KXBTCD", "KXBTC15M"} or "disagreement" in case["origin"]:
            continue
        close = case["close_time"].removesuffix("Z")
        if series == "KXBTCD":
            strike = round(case["floor_strike"] * 100)
            event = threshold_event_ticker(series, at(close))
            assert f"{event}-T{cents_text(strike)}" == case["ticker"]
            market = contract(StrikeType.GREATER, close, strike)
            if "yes_sub_title" in case:
                assert yes_words(market) == case["yes_sub_title"]
        else:
            event = window_event_ticker(series, at(close))
            assert f"{event}-{event[-2:]}" == case["ticker"]
            opening = datetime.fromtimestamp(at(close) // S - 900, UTC).replace(tzinfo=None).isoformat()
            market = contract(StrikeType.GREATER_OR_EQUAL, close, None, opening)
        if "rules_primary" in case:
            assert rules_primary(market) == case["rules_primary"]
        checked += 1
    assert checked >= 8


def test_both_hours_of_the_clock_change_have_one_name() -> None:
    assert threshold_event_ticker("KXBTCD", at("2026-11-01T05:00:00")) == "KXBTCD-26NOV0101"
    assert threshold_event_ticker("KXBTCD", at("2026-11-01T06:00:00")) == "KXBTCD-26NOV0101"
    assert threshold_event_ticker("KXBTCD", at("2026-11-20T22:03:00")) == "KXBTCD-26NOV201703"


def test_the_tie() -> None:
    """With a .99 strike 91,000.00 wins and 90,999.99 does not; at least the opening wins on equality."""
    above = contract(StrikeType.GREATER, "2026-11-20T22:00:00", 9_099_999)
    assert (above.pays(9_100_000), above.pays(9_099_999)) == (True, False)
    window = contract(StrikeType.GREATER_OR_EQUAL, "2026-11-20T21:15:00", 9_098_712)
    assert (window.pays(9_098_712), window.pays(9_098_711)) == (True, False)


def world(config: KalshiConfig | None = None, origin_ns: int = ORIGIN_NS, **more: Any) -> tuple[World, list[Any]]:
    """A venue without traders and everything that happens to it, with the time."""
    log: list[Any] = []
    kalshi = config or KalshiConfig(flow=KalshiFlowConfig(enabled=False))
    venue = World(
        SimConfig(kalshi=kalshi, listing=ListingConfig(warmup_s=9.0)),
        3,
        origin_ns,
        on_commit=lambda commit: log.extend((commit.time_ns, event) for event in commit.events),
        **more,
    )
    return venue, log


def told(log: list[Any], ticker: str) -> list[tuple[str, float]]:
    """Lifecycle frames and the wipe of a market, with seconds after the origin."""
    rows = []
    for time_ns, event in log:
        if isinstance(event, Lifecycle | BookWiped) and event.ticker == ticker:
            word = event.kind.value if isinstance(event, Lifecycle) else "wiped"
            rows.append((word, round((time_ns - ORIGIN_NS) / S, 1)))
    return rows


def test_a_threshold_lives_by_the_clock_and_settles_on_the_average() -> None:
    venue, log = world()
    first = min(venue.exchange.markets.values(), key=lambda market: market.close_ns)
    assert first.close_ns == ORIGIN_NS + 45 * S
    venue.advance(first.close_ns - S)
    assert first.phase is Phase.ACTIVE
    venue.advance(first.close_ns + S // 2)
    assert first.phase is Phase.CLOSED
    venue.advance(first.close_ns + 60 * S)
    assert first.phase is Phase.FINALIZED
    words = told(log, first.ticker)
    assert [word for word, _ in words] == ["created", "wiped", "determined", "settled"]
    assert [seconds for _, seconds in words[1:]] == pytest.approx([47.2, 50.0, 70.0], abs=0.15)
    prints = [p.cents for p in venue.index.prints if first.close_ns - 60 * S <= p.time_ns < first.close_ns]
    assert len(prints) == 60
    assert first.value == (2 * sum(prints) + 60) // 120
    assert first.result is (first.value > (first.strike or 0))


def test_a_window_has_no_strike_until_it_is_open() -> None:
    venue, log = world()
    quarter = 900 * S
    venue.advance(ORIGIN_NS // quarter * quarter + quarter - 60 * S)
    fresh = next(m for m in venue.exchange.markets.values() if m.phase is Phase.INITIALIZED)
    assert fresh.strike is None
    assert yes_words(fresh) == "Target Price: TBD"
    venue.advance(fresh.open_ns + S)
    assert (fresh.phase, fresh.strike) == (Phase.ACTIVE, None)
    venue.advance(fresh.open_ns + 4 * S)
    assert fresh.strike == venue.index.average(fresh.open_ns)
    kinds = [event for _, event in log if isinstance(event, Lifecycle) and event.ticker == fresh.ticker]
    assert [event.kind for event in kinds] == [LifecycleKind.CREATED, LifecycleKind.METADATA, LifecycleKind.METADATA]
    # The window that ends when this one opens is decided by the very average that is this one's strike.
    venue.advance(fresh.open_ns + 10 * S)
    windows = [market for market in venue.exchange.markets.values() if market.series is fresh.series]
    before = next(market for market in windows if market.close_ns == fresh.open_ns)
    assert before.value == fresh.strike


def test_expiries_are_those_of_the_other_venue_and_strikes_its_own_to_a_cent() -> None:
    asked = []

    def neighbour(expiry_ns: int, period: str) -> int | None:
        asked.append((expiry_ns, period))
        return 8_500_000 if expiry_ns != ORIGIN_NS + 45 * S else None

    venue, _ = world(neighbour=neighbour)
    minutes = {market.close_ns for market in venue.exchange.markets.values() if market.series.ticker == "KXBTCD"}
    assert ORIGIN_NS + 45 * S in minutes
    venue.advance(ORIGIN_NS + 60 * S)
    fresh = [m for m in venue.exchange.markets.values() if m.close_ns == ORIGIN_NS + 225 * S]
    assert 8_499_999 in {market.strike for market in fresh}
    assert len(fresh) == 3
    assert len({market.strike for market in fresh}) == 3
    first = [m for m in venue.exchange.markets.values() if m.close_ns == ORIGIN_NS + 45 * S]
    assert len(first) == 3
    assert all(market.strike != 8_499_999 for market in first), "not named in time: an own strike"


def test_thursdays_pause_by_eastern_time_in_summer_and_winter() -> None:
    for text, paused in [
        ("2026-11-19T07:59:59", False),
        ("2026-11-19T08:00:00", True),
        ("2026-11-19T09:59:59", True),
        ("2026-11-19T10:00:00", False),
        ("2026-11-20T08:30:00", False),
        ("2026-07-09T07:00:00", True),
        ("2026-07-09T09:00:00", False),
    ]:
        assert in_thursday_pause(at(text)) is paused, text


@pytest.mark.parametrize("wanted", [True, False])
def test_the_thursday_pause_is_a_switch(wanted: bool) -> None:
    kalshi = KalshiConfig(flow=KalshiFlowConfig(enabled=False), rules=KalshiRulesConfig(thursday_pause=wanted))
    venue, _ = world(kalshi, origin_ns=at("2026-11-19T07:59:15"))
    engine = venue.exchange.engines[2]
    assert not engine.paused
    venue.advance(at("2026-11-19T08:00:01"))
    assert engine.paused is wanted
    venue.advance(at("2026-11-19T08:00:30"))
    assert engine.paused is wanted


def test_settled_markets_are_forgotten_in_time() -> None:
    listing = KalshiListingConfig(kept=10)
    venue, _ = world(KalshiConfig(flow=KalshiFlowConfig(enabled=False), listing=listing))
    venue.advance(ORIGIN_NS + 3600 * S)
    finished = [m for m in venue.exchange.markets.values() if m.phase is Phase.FINALIZED]
    assert len(finished) == 10
    assert len(venue.exchange.markets) < 30
    assert set(venue.exchange.engines[2].events) == {m.event_ticker for m in venue.exchange.markets.values()}
