"""The session's parts by themselves: configuration, budgets, the registry, order ids, books."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hlomm.domain.faults import ConfigError
from hlomm.domain.ids import ClientIds, is_ours, polymarket_market
from hlomm.domain.inputs import BookSnapshot, BookSource, MarketChanged, MarketListed, TradePrint
from hlomm.domain.markets import Leg, Market, MarketKind
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Cash, Px, Qty, parse
from hlomm.venues.counters import Counters
from hlomm.venues.curve import Key
from hlomm.venues.polymarket.config import PolymarketConfig
from hlomm.venues.polymarket.limits import STANDARD, TIERS, SignerBudget
from hlomm.venues.polymarket.market_feed import MarketFeed
from hlomm.venues.polymarket.orders import OrderMap, client_id_of
from hlomm.venues.polymarket.registry import Registry
from hlomm.venues.polymarket.signing import SignatureType
from hlomm.venues.polymarket.wire.books import TokenBook
from hlomm.venues.polymarket.wire.listings import Listing
from hlomm.venues.polymarket.wire.market_frames import ANY_BOOK, LastTrade, LevelChange, PriceChanges, decode_market

KEY = Key(bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"))
OWNER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
HOUR_NS = 3_600 * 10**9
SHARED = Path(__file__).resolve().parents[4] / "shared"


# -- configuration


def test_the_wallet_follows_from_the_key_and_its_kind() -> None:
    wallets = {kind: PolymarketConfig(key=KEY, signature_type=kind).wallet for kind in SignatureType}
    assert wallets == {
        SignatureType.EOA: OWNER,
        SignatureType.PROXY: "0x365f0CA36Ae1f641E02fE3B7743673da42A13A70",
        SignatureType.SAFE: "0xd93B25cb943D14d0d34FBaF01Fc93a0f8b5F6E47",
        SignatureType.DEPOSIT: "0xBc0fF067b7740Eff76C1ca93c875Ba6B890d6B50",
    }
    assert PolymarketConfig(key=KEY, funder=OWNER.lower()).wallet == OWNER
    assert KEY.address in repr(PolymarketConfig(key=KEY))


@pytest.mark.parametrize(
    "fields",
    [
        {"signature_type": SignatureType.EOA, "funder": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"},
        {"session_key": True},
        {"session_key": True, "signature_type": SignatureType.SAFE, "funder": OWNER},
        {"order_life_s": 60},
        {"heartbeat_s": 6},
        {"heartbeat_s": -1},
        {"clob_url": "https://clob.polymarket.com/"},
        {"ws_url": "https://clob.polymarket.com"},
        {"underlyings": ()},
        {"tags": ("a", "a")},
        {"request_deadline_s": 0},
    ],
)
def test_configurations_that_cannot_be(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        PolymarketConfig(key=KEY, **fields)


# -- budgets


def test_a_batch_passes_whole_or_not_at_all() -> None:
    budget = SignerBudget(STANDARD)
    assert budget.orders.try_take(60, 0)
    assert not budget.orders.try_take(15, 10**8)
    assert budget.orders.try_take(15, 10**9)


def test_the_venue_names_the_tier() -> None:
    budget = SignerBudget(STANDARD)
    budget.told("GOLD")
    assert budget.tier == TIERS["gold"]
    assert budget.orders.try_take(60, 0)
    assert budget.orders.try_take(400, 10**9)
    for word in (None, "Platinum Plus"):
        budget.told(word)
        assert budget.tier == TIERS["gold"]
    budget.exhausted(10**9, orders=True)
    assert not budget.orders.try_take(1, 10**9)
    assert budget.cancels.try_take(1, 10**9)


# -- order ids


@given(st.integers(0, 2**256 - 1))
def test_an_order_of_another_run_is_ours(number: int) -> None:
    order_id = f"0x{number:064x}"
    orders = OrderMap(memory=16)
    client_id = orders.client_id(order_id)
    assert client_id == client_id_of(order_id)
    assert is_ours(client_id)
    assert orders.order_id(client_id) == order_id


def test_an_unknown_client_id_has_no_order() -> None:
    orders = OrderMap(memory=16)
    assert orders.order_id(ClientIds(1).mint()) is None
    assert orders.of_order("0x1") is None


# -- the registry


def listing(condition: str = "0xab", *, ends_ns: int = HOUR_NS, **fields: Any) -> Listing:
    terms: dict[str, Any] = {
        "id": polymarket_market(condition), "venue": "polymarket", "kind": MarketKind.OUTCOME, "ticker": "OUT:x",
        "underlying": "BTC", "tick": Px(parse("0.01")), "lot": Qty(SCALE), "min_notional": Cash(SCALE),
        "quote_token": "pUSD", "klass": "above", "expiry_ns": ends_ns,
    }  # fmt: skip
    return Listing(
        market=Market(**{**terms, **fields}), yes=f"{condition}1", no=f"{condition}2", condition=condition,
        slug="s", neg_risk=False, delay_s=0, accepting=True,
    )  # fmt: skip


def registry() -> Registry:
    return Registry(("BTC",), 3 * 86_400.0, 2)


def test_markets_are_listed_once_and_told_again_when_they_change() -> None:
    known, one = registry(), listing()
    assert known.take(one, 0) == MarketListed(one.market)
    assert known.take(one, 0) is None
    finer = replace(one, market=replace(one.market, tick=Px(parse("0.001"))))
    assert known.take(finer, 0) == MarketChanged(finer.market)
    assert known.take(replace(finer, yes="other"), 0) is None, "tokens never change"
    assert known.tick_changed(one.market.id, Px(parse("0.01"))) == MarketChanged(one.market)
    assert known.tick_changed(one.market.id, Px(parse("0.01"))) is None


def test_what_is_not_near_is_not_listed() -> None:
    known = registry()
    assert known.take(listing(ends_ns=4 * 86_400 * 10**9), 0) is None
    assert known.take(listing(ends_ns=HOUR_NS), HOUR_NS) is None, "over"
    assert known.take(replace(listing(), accepting=False), 0) is None
    assert known.take(listing(underlying="ETH"), 0) is None
    window = listing(klass="updown-5m", period="5m", ends_ns=HOUR_NS)
    assert known.take(window, HOUR_NS - 901 * 10**9) is None
    assert known.take(window, HOUR_NS - 900 * 10**9) == MarketListed(window.market)


def test_ended_markets_are_kept_until_nothing_is_left() -> None:
    known, one = registry(), listing()
    known.take(one, 0)
    assert known.live(one.market.id, 0)
    assert not known.live(one.market.id, HOUR_NS)
    (ended,) = known.ended(HOUR_NS)
    assert not known.long_over(ended, 2 * HOUR_NS)
    ended.settled = True
    assert known.ended(HOUR_NS) == []
    assert known.long_over(ended, 2 * HOUR_NS)
    known.forget(one.market.id)
    assert known.token(one.yes) is None


# -- books


@attrs.define
class Feed:
    counters: Counters = attrs.field(factory=Counters)
    registry: Registry = attrs.field(factory=registry)
    feed: MarketFeed = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.registry.take(listing(), 0)
        self.feed = MarketFeed(self.registry, self.counters, 20)
        self.feed.follow(polymarket_market("0xab"))


def snapshot(token: str = "0xab1", at: int = 10) -> TokenBook:
    """0.48 x 100, 0.50 x 20 against 0.52 x 30, 0.55 x 70, in the token's own prices."""
    bids = ((parse("0.5"), parse("20")), (parse("0.48"), parse("100")))
    asks = ((parse("0.52"), parse("30")), (parse("0.55"), parse("70")))
    return TokenBook(token, "0xab", bids, asks, at, "")


def change(side: Side, px: str, qty: str, best: tuple[str, str], *, token: str = "0xab1", at: int = 11) -> PriceChanges:
    bid, ask = (Px(parse(one)) if one else None for one in best)
    row = LevelChange(token, side, Px(parse(px)), Qty(parse(qty)), bid, ask)
    return PriceChanges("0xab", (row,), at)


def test_deltas_of_both_tokens_make_one_book() -> None:
    one = Feed()
    one.feed.on_book(snapshot())
    (after,) = one.feed.on_changes(change(Side.BUY, "0.51", "5", ("0.51", "0.52")))
    assert isinstance(after, BookSnapshot)
    assert after.bids[0] == (parse("0.51"), parse("5"))
    # A bid for NO at 0.485 offers YES at 0.515.
    (after,) = one.feed.on_changes(change(Side.BUY, "0.485", "7", ("0.485", "0.49"), token="0xab2"))
    assert isinstance(after, BookSnapshot)
    assert after.asks[0] == (parse("0.515"), parse("7"))
    (again,) = one.feed.on_changes(change(Side.BUY, "0.485", "7", ("0.485", "0.49"), token="0xab2"))
    assert again == after, "absolute sizes: twice is once"
    (gone,) = one.feed.on_changes(change(Side.SELL, "0.515", "0", ("0.51", "0.52")))
    assert isinstance(gone, BookSnapshot)
    assert gone.asks[0] == (parse("0.52"), parse("30"))


def test_a_top_that_does_not_agree_drops_the_book() -> None:
    one = Feed()
    one.feed.on_book(snapshot())
    assert one.feed.on_changes(change(Side.BUY, "0.4", "5", ("0.51", "0.52"))) == [], "a delta before it was lost"
    assert list(one.feed.broken) == [polymarket_market("0xab")]
    assert one.feed.on_changes(change(Side.BUY, "0.51", "5", ("0.51", "0.52"), at=12)) == [], "kept until it is read"
    (healed,) = one.feed.on_book(snapshot(at=12), BookSource.REST)
    assert isinstance(healed, BookSnapshot)
    assert healed.bids[0] == (parse("0.51"), parse("5"))
    assert one.feed.broken == {}


@pytest.mark.parametrize("condition", ["0xab", ANY_BOOK])
def test_a_change_that_nobody_could_read_drops_the_book(condition: str) -> None:
    """The next change agrees at the top, and would hide what is missing below."""
    one = Feed()
    one.feed.on_book(snapshot())
    one.feed.spoil("0xcd")
    assert one.feed.broken == {}
    one.feed.spoil(condition)
    assert list(one.feed.broken) == [polymarket_market("0xab")]
    assert one.feed.on_changes(change(Side.BUY, "0.51", "5", ("0.51", "0.52"))) == []


def test_old_news_is_dropped() -> None:
    one = Feed()
    one.feed.on_book(snapshot(at=10))
    assert one.feed.on_changes(change(Side.BUY, "0.51", "5", ("0.51", "0.52"), at=9)) == []
    assert one.feed.on_book(snapshot(at=9)) == []
    assert one.feed.on_book(snapshot("0xab2", at=11)) == [], "the YES token tells the same"
    assert one.feed.on_book(snapshot("0xcd1")) == []
    assert one.counters.get("unsubscribed.book") == 1


def test_a_no_book_alone_is_mirrored() -> None:
    one = Feed()
    (told,) = one.feed.on_book(snapshot("0xab2"))
    assert isinstance(told, BookSnapshot)
    assert told.bids[0] == (parse("0.48"), parse("30"))
    assert told.asks[0] == (parse("0.5"), parse("20"))


def test_a_trade_is_printed_once_in_yes_space() -> None:
    one = Feed()
    (yes,) = one.feed.on_trade(LastTrade("0xab1", Px(parse("0.4")), Qty(parse("3")), Side.BUY, 5, "0xhash"))
    assert isinstance(yes, TradePrint)
    assert one.feed.on_trade(LastTrade("0xab2", Px(parse("0.6")), Qty(parse("3")), Side.SELL, 5, "0xhash")) == []
    (no,) = one.feed.on_trade(LastTrade("0xab2", Px(parse("0.7")), Qty(parse("2")), Side.BUY, 5, "0xother"))
    assert isinstance(no, TradePrint)
    assert (no.px, no.aggressor) == (parse("0.3"), Side.SELL)


def test_recorded_deltas_keep_the_top_that_they_name() -> None:
    """Books and deltas of some two hundred markets, as they were sent."""
    path = SHARED / "data/pm_ws_frames_2026_05/ws_book_frames.jsonl"
    if not path.exists():
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing(f"NOT CHECKED without {path}: the books that real deltas make")
    known, counters = registry(), Counters()
    feed = MarketFeed(known, counters, 20)
    lines = path.read_text(encoding="utf-8").splitlines()
    events = [event for line in lines for event in decode_market(line).events]
    pairs: dict[str, set[str]] = {}
    for event in events:
        if isinstance(event, PriceChanges):
            pairs.setdefault(event.condition, set()).update(one.token for one in event.changes)
    for condition, tokens in pairs.items():
        yes, no = sorted(tokens) if len(tokens) == 2 else (*tokens, f"{condition}-other")
        feed.follow(known.learn(condition, yes, no).market)
    applied = 0
    for event in events:
        if isinstance(event, TokenBook):
            feed.on_book(event)
        elif isinstance(event, PriceChanges):
            applied += len(feed.on_changes(event))
    assert applied > 20
    assert counters.get("books_dropped.top") == 0, json.dumps(counters.counts)


def test_legs_have_their_tokens() -> None:
    known = registry()
    known.take(listing(), 0)
    one = known.known(polymarket_market("0xab"))
    assert one is not None
    assert (one.token(Leg.YES), one.token(Leg.NO)) == ("0xab1", "0xab2")
