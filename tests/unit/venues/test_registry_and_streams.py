"""What is listed and what is asked for: the market roll without sockets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import BboUpdate
from hlomm.domain.markets import Leg, MarketKind
from hlomm.venues.counters import Counters
from hlomm.venues.hyperliquid.market_feed import MarketFeed
from hlomm.venues.hyperliquid.registry import MetaDelta, Registry
from hlomm.venues.hyperliquid.streams import Streams
from hlomm.venues.hyperliquid.wire import info
from hlomm.venues.hyperliquid.wire.descriptions import expiry_ns
from hlomm.venues.hyperliquid.wire.frames import SubscriptionAck
from hlomm.venues.hyperliquid.wire.outcomes import PerpRow
from tests.unit.venues.fake_hyperliquid import ACCOUNT, binary
from tests.unit.venues.harness import OUTCOME, PERP

EXPIRY = expiry_ns("20260731-0600")


def meta(*specs: dict[str, Any]) -> info.OutcomeMeta:
    value, _ = info.decode_outcome_meta(json.dumps({"outcomes": list(specs)}).encode())
    assert value is not None
    return value


def registry(**fields: Any) -> Registry:
    return Registry(fields.pop("underlyings", ("BTC",)), Counters(), **fields)


def ids(delta: MetaDelta) -> list[str]:
    return [market.id for market in delta.listed]


# -- perps


def test_only_perps_of_our_underlyings_are_listed_but_every_asset_id_is_known() -> None:
    markets = registry(underlyings=("BTC", "SOL"))
    universe = [PerpRow("BTC", 5), PerpRow("ETH", 4), PerpRow("SOL", 2, is_delisted=True)]
    assert [market.id for market in markets.apply_perps(universe)] == [PERP]
    assert markets.apply_perps(universe) == ()
    assert [markets.asset_id(MarketId(f"hyperliquid:{coin}"), Leg.YES) for coin in ("BTC", "ETH", "SOL", "X")] == [
        0,
        1,
        2,
        None,
    ]


def test_asset_ids_of_outcomes_are_arithmetic_and_of_spot_pairs_by_index() -> None:
    markets = registry()
    assert markets.asset_id(OUTCOME, Leg.YES) == 100_009_000
    assert markets.asset_id(OUTCOME, Leg.NO) == 100_009_001
    assert markets.asset_id(MarketId("hyperliquid:@107"), Leg.YES) == 10_107
    assert markets.asset_id(MarketId("hyperliquid:PURR/USDC"), Leg.YES) is None
    assert [markets.is_perp_asset(asset) for asset in (0, 9_999, 10_000, 100_009_000)] == [True, True, False, False]


# -- outcomes


def test_new_outcomes_are_listed_once() -> None:
    markets = registry()
    assert ids(markets.apply_outcomes(meta(binary(900), binary(901)))) == ["hyperliquid:o900", "hyperliquid:o901"]
    assert markets.apply_outcomes(meta(binary(900), binary(901))) == MetaDelta((), ())
    assert ids(markets.apply_outcomes(meta(binary(900), binary(901), binary(902)))) == ["hyperliquid:o902"]


def test_outcomes_that_are_gone_are_told_until_they_are_ended() -> None:
    markets = registry()
    markets.apply_outcomes(meta(binary(900), binary(901)))
    assert markets.apply_outcomes(meta(binary(901))).vanished == (900,)
    ended = markets.end(900)
    assert ended is not None
    assert ended.id == OUTCOME
    assert markets.apply_outcomes(meta(binary(901))).vanished == ()


def test_an_ended_outcome_never_comes_back() -> None:
    """Ids are never reused; a list that was read before the end must not revive it."""
    markets = registry()
    markets.apply_outcomes(meta(binary(900)))
    markets.end(900)
    assert markets.apply_outcomes(meta(binary(900))) == MetaDelta((), ())
    assert markets.end(900) is None
    assert OUTCOME not in markets.markets


def test_an_outcome_may_end_before_it_was_ever_listed() -> None:
    markets = registry()
    assert markets.end(900) is None
    assert markets.apply_outcomes(meta(binary(900))).listed == ()


def test_an_outcome_whose_description_broke_has_not_vanished() -> None:
    markets = registry()
    markets.apply_outcomes(meta(binary(900)))
    assert markets.apply_outcomes(meta({"outcome": 900, "name": 7})).vanished == ()


def test_what_is_not_traded_is_counted_once_by_reason() -> None:
    markets = registry()
    specs = (
        binary(900),
        binary(901, name="Recurring Fallback", description="other"),
        binary(902, name="template:priceTouch", description="perp:BTC"),
        binary(903, description="class:priceBinary|underlying:ETH|expiry:20260731-0600|targetPrice:1|period:1d"),
        binary(904, quoteToken="USDH"),
        binary(905, quoteToken=""),
        binary(906, description="class:priceBinary|underlying:BTC|expiry:soon|targetPrice:1"),
        binary(907),
    )
    for _ in range(3):
        markets.apply_outcomes(meta(*specs))
    assert sorted(markets.markets) == ["hyperliquid:o900", "hyperliquid:o907"]
    assert markets.counters.counts == {
        "not_traded.no_question": 1,
        "not_traded.class": 1,
        "not_traded.underlying": 1,
        "not_traded.quote_token": 1,
        "not_traded.no_quote_token": 1,
        "malformed.outcome.expiry": 1,
    }


@pytest.mark.parametrize(
    ("tokens", "chosen"),
    [
        (["USDC", "USDC", "USDH"], "USDC"),
        (["USDH", "USDH", "USDC"], "USDH"),
        (["USDH", "USDC"], "USDC"),
        (["USDH"], "USDH"),
    ],
)
def test_the_collateral_is_what_most_outcomes_use(tokens: list[str], chosen: str) -> None:
    markets = registry()
    markets.apply_outcomes(meta(*(binary(900 + n, quoteToken=token) for n, token in enumerate(tokens))))
    assert markets.quote_token == chosen
    assert {market.quote_token for market in markets.markets.values()} == {chosen}


def test_a_configured_collateral_is_not_outvoted() -> None:
    markets = registry(quote_token="USDH")
    markets.apply_outcomes(meta(binary(900), binary(901), binary(902, quoteToken="USDH")))
    assert sorted(markets.markets) == ["hyperliquid:o902"]


def test_the_first_outcome_of_an_empty_venue_settles_the_collateral() -> None:
    markets = registry()
    markets.apply_outcomes(meta())
    assert markets.quote_token is None
    (spec,) = meta(binary(900, quoteToken="USDH")).specs
    assert markets.apply_created(spec) is not None
    assert markets.quote_token == "USDH"


def test_a_market_lives_until_its_settlement() -> None:
    markets = registry()
    markets.apply_perps([PerpRow("BTC", 5)])
    markets.apply_outcomes(meta(binary(900)))
    assert markets.live_at(OUTCOME, EXPIRY - 1)
    assert not markets.live_at(OUTCOME, EXPIRY)
    assert markets.live_at(PERP, EXPIRY * 2)
    assert not markets.live_at(MarketId("hyperliquid:o999"), 0)


# -- streams


class Wire:
    """Takes frames until it is full."""

    def __init__(self, room: int = 1_000) -> None:
        self.room = room
        self.sent: list[dict[str, Any]] = []

    def __call__(self, text: str) -> bool:
        if len(self.sent) >= self.room:
            return False
        self.sent.append(json.loads(text))
        return True

    def streams(self, method: str = "subscribe") -> list[tuple[str, str | None]]:
        found = [one["subscription"] for one in self.sent if one["method"] == method]
        return [(one["type"], one.get("coin")) for one in found]


def streams(**fields: Any) -> tuple[Streams, Registry, MarketFeed]:
    markets = registry(underlyings=("BTC", "ETH"))
    markets.apply_perps([PerpRow("BTC", 5), PerpRow("ETH", 4)])
    markets.apply_outcomes(meta(binary(900), binary(901, expiry="20260801-0600")))
    feed = MarketFeed(markets.counters, 30_000, 100)
    one = Streams(
        ACCOUNT, markets, feed, markets.counters, fields.get("perp_trades", False), fields.get("fast_marks", False)
    )
    return one, markets, feed


def test_an_outcome_is_followed_by_its_yes_coin_only() -> None:
    one, _, feed = streams()
    wire = Wire()
    one.want(OUTCOME, wire, 0)
    assert wire.streams() == [("l2Book", "#9000"), ("bbo", "#9000"), ("trades", "#9000")]
    assert wire.sent[0]["subscription"]["fast"] is True
    assert feed.on_touch(BboUpdate(OUTCOME, None, None, 1))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["bbo", "activeAssetCtx"]),
        ({"perp_trades": True}, ["bbo", "trades", "activeAssetCtx"]),
        ({"fast_marks": True}, ["bbo"]),
    ],
)
def test_a_perp_is_followed_as_configured(fields: dict[str, bool], expected: list[str]) -> None:
    one, _, _ = streams(**fields)
    wire = Wire()
    one.want(PERP, wire, 0)
    assert [kind for kind, _ in wire.streams()] == expected
    account = Wire()
    one.open_account(account)
    assert (("fastAssetCtxs", None) in account.streams()) is fields.get("fast_marks", False)


def test_wanting_twice_asks_once() -> None:
    one, _, _ = streams()
    wire = Wire()
    one.want(PERP, wire, 0)
    one.want(PERP, wire, 0)
    assert len(wire.sent) == 2


@pytest.mark.parametrize("market", [MarketId("hyperliquid:o999"), MarketId("hyperliquid:DOGE")])
def test_unknown_markets_are_not_asked_for(market: MarketId) -> None:
    one, markets, _ = streams()
    wire = Wire()
    one.want(market, wire, 0)
    assert (wire.sent, one.wanted, markets.counters.get("subscribe_dead")) == ([], {}, 1)


def test_dead_coins_are_not_resubscribed() -> None:
    """Asking for the coin of a settled outcome may close the socket, again and again."""
    one, markets, feed = streams()
    one.want(OUTCOME, Wire(), 0)
    one.want(MarketId("hyperliquid:o901"), Wire(), 0)
    one.want(PERP, Wire(), 0)
    wire = Wire()
    one.open_account(wire)
    one.open_markets(wire, EXPIRY)
    assert {coin for _, coin in wire.streams()} == {None, "#9010", "BTC"}
    assert list(one.wanted) == ["hyperliquid:o901", PERP]
    assert markets.counters.get("dead_markets_not_resubscribed") == 1
    assert feed.on_touch(BboUpdate(OUTCOME, None, None, 1)) == []


def test_an_ended_market_is_forgotten_without_a_word() -> None:
    one, markets, _ = streams()
    wire = Wire()
    one.want(OUTCOME, wire, 0)
    markets.end(900)
    one.forget(OUTCOME)
    one.open_markets(wire, 0)
    assert wire.streams("unsubscribe") == []
    assert len(wire.sent) == 3


def test_a_living_market_is_given_up_politely() -> None:
    one, _, feed = streams()
    wire = Wire()
    one.want(OUTCOME, wire, 0)
    one.unwant(OUTCOME, wire)
    one.unwant(OUTCOME, wire)
    assert wire.streams("unsubscribe") == wire.streams()
    assert one.wanted == {}
    assert one.unacknowledged() == []
    assert feed.on_touch(BboUpdate(OUTCOME, None, None, 1)) == []


def ack(one: Streams, kind: str, coin: str | None = None) -> None:
    one.on_ack(SubscriptionAck(subscribed=True, kind=kind, coin=coin))


def test_the_account_counts_as_acknowledged_without_its_markets() -> None:
    one, markets, _ = streams()
    one.want(OUTCOME, Wire(), 0)
    wire = Wire()
    one.open_account(wire)
    one.open_markets(wire, 0)
    assert not one.account_acknowledged()
    for kind in ("orderUpdates", "userFills", "spotState", "outcomeMetaUpdates"):
        assert not one.account_acknowledged()
        ack(one, kind)
    assert one.account_acknowledged()
    assert one.unacknowledged() == ["l2Book #9000", "bbo #9000", "trades #9000"]
    ack(one, "bbo", "#9000")
    assert one.unacknowledged() == ["l2Book #9000", "trades #9000"]
    ack(one, "bbo", "#9000")
    one.on_ack(SubscriptionAck(subscribed=False, kind="bbo", coin="#9000"))
    assert markets.counters.get("unexpected_acks") == 1


def test_acknowledgements_of_the_last_connection_do_not_count() -> None:
    one, _, _ = streams()
    one.open_account(Wire())
    for kind in ("orderUpdates", "userFills", "spotState", "outcomeMetaUpdates"):
        ack(one, kind)
    assert one.account_acknowledged()
    one.open_account(Wire())
    assert not one.account_acknowledged()


def test_frames_without_room_wait_and_keep_their_order() -> None:
    """A subscription that found no room and was forgotten would leave a market blind until the next reconnect."""
    one, _, _ = streams()
    wire = Wire(room=1)
    one.want(OUTCOME, wire, 0)
    one.want(PERP, wire, 0)
    one.unwant(OUTCOME, wire)
    assert len(wire.sent) == 1
    one.flush(wire)
    assert len(wire.sent) == 1
    wire.room = 4
    one.flush(wire)
    assert wire.streams() == [("l2Book", "#9000"), ("bbo", "#9000"), ("trades", "#9000"), ("bbo", "BTC")]
    wire.room = 100
    one.want(MarketId("hyperliquid:o901"), wire, 0)
    assert wire.streams("unsubscribe") == [], "nothing overtakes the backlog"
    one.flush(wire)
    one.flush(wire)
    assert wire.streams("unsubscribe") == [("l2Book", "#9000"), ("bbo", "#9000"), ("trades", "#9000")]
    assert wire.streams()[-3:] == [("l2Book", "#9010"), ("bbo", "#9010"), ("trades", "#9010")]


def test_a_new_connection_forgets_the_backlog_of_the_last() -> None:
    one, _, _ = streams()
    one.want(OUTCOME, Wire(0), 0)
    wire = Wire()
    one.open_account(wire)
    one.open_markets(wire, 0)
    one.flush(wire)
    assert [coin for _, coin in wire.streams()] == [None] * 4 + ["#9000"] * 3


def test_markets_beyond_the_venues_limit_are_counted() -> None:
    markets = registry()
    markets.apply_outcomes(meta(*(binary(outcome) for outcome in range(400))))
    feed = MarketFeed(markets.counters, 30_000, 100)
    one = Streams(ACCOUNT, markets, feed, markets.counters, perp_trades=False, fast_marks=False)
    for market in list(markets.markets):
        one.want(market, Wire(), 0)
    assert len(one.wanted) == 330
    assert markets.counters.get("subscribe_over_limit") == 70
    assert 3 * len(one.wanted) + 5 <= 1_000


def test_perps_are_told_from_outcomes_by_their_listing() -> None:
    _, markets, _ = streams()
    kinds = {market.id: market.kind for market in markets.markets.values()}
    assert kinds[PERP] is MarketKind.PERP
    assert kinds[OUTCOME] is MarketKind.OUTCOME
