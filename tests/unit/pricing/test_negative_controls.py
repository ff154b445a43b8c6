"""Recorded days on which there is nothing to earn: whatever looks like an arbitrage must be refused, and for a reason.

Both recordings lie beside the repository in ``../shared/data`` (README there): a day of quotes with a set of 28 price
buckets whose bids sum to 1.02 or 1.03 all day, and pairs of two venues that another scanner matched by their titles.
"""

from __future__ import annotations

import csv
import json
import os
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from hlomm.domain.event import Grade, grade, terms_of
from hlomm.domain.ids import HYPERLIQUID, POLYMARKET, kalshi_market, polymarket_market
from hlomm.domain.inputs import BookSnapshot
from hlomm.domain.links import LinkState
from hlomm.domain.markets import FeeCurve, Leg, Market
from hlomm.domain.outputs import PlaceOrders
from hlomm.domain.ticker import wall_ns_of
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.domain.view import MarketView
from hlomm.engine.link_book import LinkBook
from hlomm.engine.partitions import flaw
from hlomm.pricing.cross_venue import Crossing, Nothing, search
from hlomm.pricing.leg_costs import LegFee, LegOffer, TradeTerms, as_purchase, capital_cost
from hlomm.pricing.strikes import Rung, out_of_order
from hlomm.settings.load import load
from hlomm.strategy.complete_set import CompleteSet, CompleteSetConfig
from tests.support.ranges import neg_risk
from tests.support.rig import Rig
from tests.support.values import BASE, START, px
from tests.support.venues import TOLERANCES, kalshi, link_rules, polymarket, rule
from tests.unit.strategy.views import view

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"
QUOTES = DATA / "pm_us_quotes_2026_08" / "quotes_2026-08-01.parquet"
PAIRS = DATA / "cross_venue_pairs_2026_08"

CRYPTO = FeeCurve(taker=7_000_000, step=Cash(1_000), up=False)
DEPTH = Qty(10_000 * SCALE)
"""The recording has no sizes: as if every level were deep."""
TO_YEAR_END_S = 152 * 86_400
MONEY = capital_cost(4_000_000, TO_YEAR_END_S)
"""Four percent a year until the buckets settle."""


def recorded(path: Path) -> Path:
    if not path.exists():
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing(f"NOT CHECKED: nothing trades on recorded quotes, because {path} does not exist")
    return path


@pytest.fixture(scope="module")
def polls() -> list[dict[str, tuple[int | None, int | None]]]:
    """Best bid and ask by contract, for every poll of the day; crypto only."""
    quotes = pl.scan_parquet(recorded(QUOTES)).filter(pl.col("slug").str.starts_with("cpc-btc-"))
    found: dict[Any, dict[str, tuple[int | None, int | None]]] = {}
    for ts, slug, bid, ask in quotes.select("ts", "slug", "bid", "ask").sort("ts").collect().iter_rows():
        found.setdefault(ts, {})[slug] = _scaled(bid), _scaled(ask)
    return list(found.values())


def _scaled(price: float | None) -> int | None:
    return None if price is None else round(price * SCALE)


def buckets(poll: dict[str, tuple[int | None, int | None]]) -> list[tuple[int | None, int | None]]:
    return [quote for slug, quote in poll.items() if "-pricerange-" in slug]


def trade(legs: list[LegOffer], pays: int, *, capital: int) -> Crossing | Nothing:
    terms = TradeTerms(pays=pays, min_edge=1, capital=capital, max_qty=DEPTH, max_capital=Cash(10**9 * SCALE))
    return search(legs, terms)


def no_of_every_bucket(poll: dict[str, tuple[int | None, int | None]], fee: LegFee, capital: int) -> Crossing | Nothing:
    """NO of all buckets that add to the edge: k of them pay k - 1."""
    prices = [SCALE - bid for bid, _ in buckets(poll) if bid is not None]
    legs = [LegOffer(levels=((no, DEPTH),), fee=fee) for no in prices if no + fee.each(no) < SCALE]
    return trade(legs, (len(legs) - 1) * SCALE, capital=capital)


def yes_of_every_bucket(poll: dict[str, tuple[int | None, int | None]]) -> Crossing | Nothing:
    asks = [ask for _, ask in buckets(poll)]
    return trade([LegOffer(levels=((ask, DEPTH),) if ask else ()) for ask in asks], SCALE, capital=0)


def test_the_28_buckets_look_like_an_arbitrage_all_day_and_never_are_one(polls: list[Any]) -> None:
    free = LegFee()
    assert len(polls) == 360
    assert all(len(buckets(poll)) == 28 for poll in polls)
    looked = [no_of_every_bucket(poll, free, 0) for poll in polls]
    assert all(isinstance(found, Crossing) and 2_000_000 <= found.edge <= 3_000_000 for found in looked)
    # What it costs: the fee alone takes more than all of it, and so does the money that waits five months.
    assert [no_of_every_bucket(poll, LegFee(curve=CRYPTO), 0).__class__ for poll in polls] == [Nothing] * 360
    assert {no_of_every_bucket(poll, free, MONEY).guard for poll in polls} == {"no_edge"}  # type: ignore[union-attr]
    assert {yes_of_every_bucket(poll).guard for poll in polls} == {"no_edge"}  # type: ignore[union-attr]


# -- the same day before the whole strategy


def bucket_of(slug: str, fee: FeeCurve) -> Market:
    """Of 5,000 dollars, named by its middle; the two at the ends are open. As a neg-risk event would list it."""
    name = slug.rpartition("-")[2]
    edge = int(name.removesuffix("k")) * 1_000 if name.endswith("k") else int(name)
    low, high = {"below": (None, edge), "above": (edge, None)}.get(slug.split("-")[-2], (edge - 2_500, edge + 2_500))
    return neg_risk(edge, low, high, fee=fee, expiry_ns=START.wall_ns + TO_YEAR_END_S * NS_PER_S)


def sets_of(poll: dict[str, tuple[int | None, int | None]], fee: FeeCurve, **changes: Any) -> list[MarketView]:
    """What the strategy would be shown of that poll."""
    views = []
    for slug, (bid, ask) in poll.items():
        if "-pricerange-" not in slug:
            continue
        market = bucket_of(slug, fee)
        bids = () if bid is None else ((bid, DEPTH),)
        asks = () if ask is None else ((ask, DEPTH),)
        seen = view(market=market, bids=bids, asks=asks, tau_s=TO_YEAR_END_S, equity=1_000_000, **changes)
        views.append(msgspec.structs.replace(seen, curve=fee))
    return views


def complete_set(**changes: Any) -> CompleteSet:
    """As configured, with a least edge of next to nothing."""
    values = msgspec.structs.asdict(load("sim", (), (), environ={}).settings.strategy.complete_set)
    values.pop("enabled")
    return CompleteSet(CompleteSetConfig(**(values | {"classes": ("range",), "min_edge": 1e-6} | changes)))


FREE = FeeCurve(taker=0, step=Cash(1_000))


def test_the_28_buckets_are_one_set_and_never_bought(polls: list[Any]) -> None:
    strategy, generous = complete_set(), complete_set(capital_rate=0.0, payout_delay_s=0.0)
    for number, poll in enumerate(polls):
        views = sets_of(poll, CRYPTO)
        if not number:
            assert len(views) == 28
            assert flaw([seen.market for seen in views]) is None
            assert all(strategy.wants(seen.market) for seen in views)
        assert strategy.combine(views) is None, "the fees take more than all of it"
        assert generous.combine(views) is None
        if not number % 40:
            free = sets_of(poll, FREE)
            assert strategy.combine(free) is None, "so does the money that waits five months"
            bait = generous.combine(free)
            assert bait is not None, "without fees and time it would bite: the control controls something"
            assert {leg.leg for leg in bait.legs} == {Leg.NO}


def test_the_engine_sends_nothing_that_day(polls: list[Any]) -> None:
    """One poll in ten through the engine itself: every book told, the strategy asked, and no order leaves."""
    markets = [seen.market for seen in sets_of(polls[0], CRYPTO)]
    rig = Rig(BASE, markets=markets, strategies=[complete_set()], venues=(HYPERLIQUID, POLYMARKET))  # type: ignore[list-item]
    for poll in polls[::10]:
        for seen in sets_of(poll, CRYPTO):
            rig.tell(BookSnapshot(seen.market.id, seen.bids, seen.asks, rig.ms))
        rig.wait(1)
    assert not [output for output in rig.outputs if isinstance(output, PlaceOrders)]
    (said,) = rig.state.baskets.by_group.values()
    assert said.why_not.startswith("complete_set: YES 1.")


def test_no_contract_of_that_day_is_a_complete_set_below_one(polls: list[Any]) -> None:
    tried = 0
    for poll in polls:
        for bid, ask in poll.values():
            if bid is not None and ask is not None:
                tried += 1
                legs = [LegOffer(levels=((ask, DEPTH),)), LegOffer(levels=as_purchase(((bid, DEPTH),)))]
                found = trade(legs, SCALE, capital=0)
                assert isinstance(found, Nothing)
                assert found.guard == "no_edge"
    assert tried > 15_000


def test_levels_that_bitcoin_may_touch_are_in_order(polls: list[Any]) -> None:
    """Whoever touches 110k has touched 100k: touches fall with the level as digitals do."""
    for poll in polls:
        ladder = [
            Rung(strike=Px(int(slug.rpartition("-")[2].removesuffix("k"))), bid=bid, ask=ask)
            for slug, (bid, ask) in poll.items()
            if "-hitprice-high-" in slug
        ]
        assert len(ladder) == 7
        assert out_of_order(ladder) == []


# -- pairs matched by title


def matched() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(Kalshi, Polymarket) of every pair in the recording, with their closing times as far as it has them."""
    live = json.loads(recorded(PAIRS / "live_2026-08-21T1736Z.json").read_text())
    pairs = [(row["kalshi"], row["polymarket"]) for row in live["cross_venue"]]
    pairs += [
        (
            {"id": row["kalshi_ticker"], "title": row["kalshi_title"], "close": row["close_time_kalshi"]},
            {"id": row["polymarket_id"], "title": row["polymarket_question"]},
        )
        for row in csv.DictReader((PAIRS / "sample_matches.csv").read_text().splitlines())
    ]
    return pairs


def listed() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Every contract of the snapshot, by venue."""
    live = json.loads(recorded(PAIRS / "live_2026-08-21T1736Z.json").read_text())
    rows = {(row["venue"], row["id"]): row for row in live["most_active"] + live["probability_wall"]}
    return (
        [row for row in rows.values() if row["venue"] == "kalshi"],
        [row for row in rows.values() if row["venue"] == "polymarket"],
    )


def closing(row: dict[str, Any]) -> int:
    date, _, clock = row["close"].partition("T")
    year, month, day = (int(part) for part in date.split("-"))
    return wall_ns_of(year, month, day, int(clock[:2]) * 60 + int(clock[3:5]))


def as_listed(venue: str, row: dict[str, Any], **changes: Any) -> Market:
    """What a session would list: no strike, because no price decides it."""
    values = {"strike": None, "settles_ns": None, "underlying": row["title"], "ticker": row["title"]} | changes
    if "close" in row:
        values["expiry_ns"] = closing(row)
    if venue == "kalshi":
        return kalshi(**(values | {"id": kalshi_market(row["id"])}))
    return polymarket(**(values | {"id": polymarket_market(row["id"])}))


def test_no_pair_that_was_matched_by_its_title_becomes_a_link() -> None:
    pairs = matched()
    links = LinkBook(link_rules(rule(underlyings=tuple({row["title"] for pair in pairs for row in pair}))))
    for one, other in pairs:
        for market in (as_listed("kalshi", one), as_listed("polymarket", other)):
            assert terms_of(market) is None
            links.told(market)
    assert len(pairs) == 11
    assert links.links == {}


def test_the_pair_of_that_day_names_its_years_even_if_titles_are_believed() -> None:
    """Whether A lists before B by 2040, and whether A lists by the end of 2026: a score of .36, a gap of 4.5 points."""
    kalshi_rows, polymarket_rows = listed()
    (one, other), *_ = matched()
    first = next(row for row in kalshi_rows if row["id"] == one["id"])
    assert other["title"] == "Will Anthropic IPO by December 31, 2026?"
    believed = {"strike": px(1), "underlying": "one event"}
    left = terms_of(as_listed("kalshi", first, **believed))
    right = terms_of(as_listed("polymarket", {**other, "close": "2026-12-31T23:59:00Z"}, **believed))
    assert left is not None
    assert right is not None
    graded, differences = grade(left, right, TOLERANCES)
    assert graded is Grade.DIFFERENT
    named = {one.term: (one.left, one.right) for one in differences if one.makes is Grade.DIFFERENT}
    assert named["year"] == ("2040", "2026")
    assert set(named) == {"year", "instant"}
    assert len(polymarket_rows) + len(kalshi_rows) > 40


def test_of_all_pairs_of_the_snapshot_none_is_near_even_if_all_were_one_event() -> None:
    """The most generous reading there is: one underlying, one strike, one comparator. Times alone tell them apart."""
    believed = {"strike": px(1), "underlying": "one event"}
    kalshi_rows, polymarket_rows = listed()
    left = [as_listed("kalshi", row, **believed) for row in kalshi_rows]
    right = [as_listed("polymarket", row, **believed) for row in polymarket_rows]
    caught = 0
    for one, other in product(left, right):
        mine, theirs = terms_of(one), terms_of(other)
        assert mine is not None
        assert theirs is not None
        graded, differences = grade(mine, theirs, TOLERANCES)
        assert graded is Grade.DIFFERENT
        assert {term.term for term in differences if term.makes is Grade.DIFFERENT} & {"year", "instant"}
        caught += 1
    assert caught == len(left) * len(right) == len(kalshi_rows) * len(polymarket_rows)
    links = LinkBook(link_rules(rule(underlyings=("one event",))))
    for market in left + right:
        links.told(market)
    assert not any(link.tradable for link in links.links.values())
    assert {link.state for link in links.links.values()} <= {LinkState.PROPOSED}


def test_recorded_executable_spreads_leave_nothing_after_fees() -> None:
    """Top of both books as recorded, both directions; politics on Polymarket pays .04, on Kalshi .07."""
    spreads = json.loads(recorded(PAIRS / "sample_spreads.json").read_text())
    apparent = traded = 0
    for row in spreads:
        sides = [(row[venue]["best_bid"], row[venue]["best_ask"]) for venue in ("kalshi", "polymarket")]
        curves = [FeeCurve(taker=7_000_000, step=Cash(10_000)), FeeCurve(taker=4_000_000, step=Cash(1_000), up=False)]
        for buy, sell in ((0, 1), (1, 0)):
            book = ((round(sides[buy][1] * SCALE), DEPTH),), ((round(sides[sell][0] * SCALE), DEPTH),)
            legs = [LegOffer(levels=book[0]), LegOffer(levels=as_purchase(book[1]))]
            apparent += isinstance(trade(legs, SCALE, capital=0), Crossing)
            paid = [
                LegOffer(levels=leg.levels, fee=LegFee(curve=curves[at]))
                for leg, at in zip(legs, (buy, sell), strict=True)
            ]
            # Until November 2028: eight hundred days.
            found = trade(paid, SCALE, capital=capital_cost(4_000_000, 800 * 86_400))
            traded += isinstance(found, Crossing)
    assert (len(spreads), traded) == (5, 0)
    assert apparent == 3
