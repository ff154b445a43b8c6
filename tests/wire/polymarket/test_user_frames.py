"""Orders and trades of the account: the user channel and the lists over REST."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.orders import Side
from hlomm.domain.units import parse
from hlomm.venues.polymarket.wire.account_rows import (
    FillNews,
    Me,
    OrderNews,
    Standing,
    TradeNews,
    TradeStatus,
    standing,
)
from hlomm.venues.polymarket.wire.user_frames import Pong, decode_order, decode_orders, decode_trades, decode_user
from tests.wire.polymarket.conftest import Shared

RECORDED = Me("3e2c94ca-8124-c4c1-c7ea-be1ea21b71fe", "0xa3d82ed56f4c68d2328fb8c29e568ba2caf7d7c8")
MADE = Me("00000000-0000-0000-0000-000000000001", "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266")
YES, NO = "71", "52"

# File of the fixtures, whose it is, and what comes of it.
FIXTURES: dict[str, tuple[Me, Any]] = {
    "nautilus_py/ws/order_cancel.json": (RECORDED, [OrderNews]),
    "nautilus_py/ws/order_placement.json": (RECORDED, [OrderNews]),
    "nautilus_py/ws/user_trade1.json": (RECORDED, [TradeNews]),
    "nautilus_py/ws/user_trade2.json": (RECORDED, [TradeNews]),
    "nautilus_py/ws/user_trade3.json": (RECORDED, [TradeNews]),
    "nautilus_py/ws/user_trade4.json": (RECORDED, [TradeNews]),
    "nautilus_py/ws/trades.json": (RECORDED, "user.no_event_type"),  # an item of a REST list
    "nautilus_rs/ws_user_order_cancellation.json": (MADE, "user.no_event_type"),
    "nautilus_rs/ws_user_order_fok_killed.json": (MADE, [OrderNews]),
    "nautilus_rs/ws_user_order_matched.json": (MADE, "user.no_event_type"),
    "nautilus_rs/ws_user_order_msg.json": (MADE, [OrderNews]),
    "nautilus_rs/ws_user_order_placement.json": (MADE, "user.no_event_type"),
    "nautilus_rs/ws_user_order_update.json": (MADE, "user.no_event_type"),
    "nautilus_rs/ws_user_order_venue_cancel.json": (MADE, "user.no_event_type"),
    "nautilus_rs/ws_user_trade.json": (MADE, "user.no_event_type"),
    "nautilus_rs/ws_user_trade_msg.json": (MADE, [TradeNews]),
}


def one(document: Any, me: Me = MADE) -> Any:
    decoded = decode_user(json.dumps(document), me)
    assert decoded.anomalies == ()
    (event,) = decoded.events
    return event


def refusal(document: Any) -> str:
    decoded = decode_user(json.dumps(document), MADE)
    assert decoded.events == ()
    (wrong,) = decoded.anomalies
    return wrong.kind


def order(**fields: Any) -> dict[str, Any]:
    row = {
        "event_type": "order", "type": "PLACEMENT", "id": "0xAB", "owner": MADE.api_key, "market": "0xcd",
        "asset_id": YES, "side": "BUY", "price": "0.5", "original_size": "10", "size_matched": "0", "status": "LIVE",
        "timestamp": "1725842520990", "order_type": "GTC",
    }  # fmt: skip
    return {**row, **fields}


def maker(**fields: Any) -> dict[str, Any]:
    row = {
        "order_id": "0xAA", "owner": "somebody", "maker_address": "0x01", "matched_amount": "4", "price": "0.5",
        "asset_id": YES,
    }  # fmt: skip
    return {**row, **fields}


def trade(*makers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    row = {
        "event_type": "trade", "type": "TRADE", "id": "t1", "taker_order_id": "0xEE", "market": "0xcd",
        "asset_id": YES, "side": "BUY", "size": "4", "price": "0.5", "status": "MATCHED", "owner": MADE.api_key,
        "trader_side": "TAKER", "maker_orders": list(makers), "match_time": "1725868885",
    }  # fmt: skip
    return {**row, **fields}


def test_every_fixture_decodes_or_is_a_named_anomaly(shared: Shared) -> None:
    for name, (me, expected) in FIXTURES.items():
        decoded = decode_user(shared.bytes(name), me)
        if isinstance(expected, str):
            assert [wrong.kind for wrong in decoded.anomalies] == [expected], name
        else:
            assert decoded.anomalies == (), name
            assert [type(event) for event in decoded.events] == expected, name


def test_the_unnamed_fixtures_decode_once_they_are_named(shared: Shared) -> None:
    for name, (me, expected) in FIXTURES.items():
        if isinstance(expected, str):
            named = {**shared.json(name), "event_type": "trade" if "trade" in name else "order"}
            assert decode_user(json.dumps(named), me).anomalies == (), name


def test_orders(shared: Shared) -> None:
    placed = one(order())
    assert placed == OrderNews(
        id="0xab", condition="0xcd", token=YES, side=Side.BUY, px=parse("0.5"), qty=parse("10"), matched=0,
        status="LIVE", standing=Standing.RESTS, venue_ms=1_725_842_520_990,
    )  # fmt: skip
    canceled = one(shared.json("nautilus_py/ws/order_cancel.json"), RECORDED)
    assert (canceled.standing, canceled.matched) == (Standing.ENDED, parse("5"))
    killed = one(shared.json("nautilus_rs/ws_user_order_fok_killed.json"))
    assert (killed.standing, killed.matched) == (Standing.ENDED, None)


@pytest.mark.parametrize(
    ("status", "stands"),
    [
        ("LIVE", Standing.RESTS),
        ("ORDER_STATUS_LIVE", Standing.RESTS),
        ("live", Standing.RESTS),
        ("MATCHED", Standing.FILLED),
        ("CANCELED", Standing.ENDED),
        ("CANCELED_MARKET_RESOLVED", Standing.ENDED),
        ("CANCELED_order couldn't be fully filled", Standing.ENDED),
        ("INVALID", Standing.ENDED),
        ("DELAYED", Standing.WAITS),
        ("UNMATCHED", Standing.UNCLEAR),
        ("", Standing.UNCLEAR),
    ],
)
def test_statuses(status: str, stands: Standing) -> None:
    assert standing(status) is stands


def test_a_partial_match_is_not_the_end() -> None:
    assert one(order(status="MATCHED", size_matched="4", type="UPDATE")).standing is Standing.UNCLEAR
    assert one(order(status="MATCHED", size_matched="10", type="UPDATE")).standing is Standing.FILLED
    assert one(order(status="LIVE", type="CANCELLATION")).standing is Standing.ENDED


def test_a_taker_fill_has_the_prices_it_met() -> None:
    got = one(trade(
        maker(matched_amount="1", price="0.48"),
        maker(matched_amount="2", price="0.5", asset_id=NO),  # a mint: the maker bought NO at 0.5
        maker(matched_amount="1", price="0.49"),
        price="0.5",
    ))  # fmt: skip
    assert got.status is TradeStatus.MATCHED
    assert got.venue_ms == 1_725_868_885_000
    assert [(fill.px, fill.qty, fill.side, fill.maker) for fill in got.fills] == [
        (parse("0.48"), parse("1"), Side.BUY, False),
        (parse("0.5"), parse("2"), Side.BUY, False),
        (parse("0.49"), parse("1"), Side.BUY, False),
    ]
    assert [fill.key for fill in got.fills] == ["t1:0xee:0", "t1:0xee:1", "t1:0xee:2"]


def test_a_taker_fill_whose_rows_do_not_add_up_has_the_trades_own_price() -> None:
    (fill,) = one(trade(maker(matched_amount="1", price="0.48"))).fills
    assert (fill.px, fill.qty) == (parse("0.5"), parse("4"))


def test_a_recorded_trade_from_both_sides(shared: Shared) -> None:
    row = shared.json("nautilus_py/ws/user_trade1.json")
    (made,) = one(row, RECORDED).fills
    assert (made.px, made.qty, made.side, made.maker) == (parse("0.518"), parse("5"), Side.SELL, True)
    taken = one({**row, "trader_side": "TAKER"}, Me(row["owner"], "")).fills
    assert sum(fill.qty for fill in taken) == parse(row["size"])
    assert {fill.px for fill in taken} == {parse(row["price"])}, "NO at 0.482 is YES at 0.518"
    assert one({**row, "trader_side": "TAKER"}, Me("nobody", "0x")).fills == ()


def test_our_rows_among_the_makers(shared: Shared) -> None:
    row = shared.json("nautilus_py/ws/user_trade4.json")
    got = one(row, Me("a93a3d32-74fa-dd2b-4b67-98bfa6fc5cb5", ""))
    assert [(fill.px, fill.qty, fill.maker) for fill in got.fills] == [
        (parse("0.4"), parse("5"), True),
        (parse("0.3"), parse("5"), True),
    ]
    assert len({fill.order_id for fill in got.fills}) == 2


def test_our_rows_are_the_same_fills_in_whatever_order_they_are_listed() -> None:
    """Stream and list promise no order: a row known by its place would be a second fill."""
    rows = [maker(owner=MADE.api_key, order_id=one) for one in ("0xA1", "0xb2", "0xa1")]
    told = one(trade(*rows, trader_side="MAKER", owner="x")).fills
    listed = one(trade(maker(), *reversed(rows), trader_side="MAKER", owner="x")).fills
    assert len({fill.key for fill in told}) == 3
    assert {fill.key: fill.order_id for fill in told} == {fill.key: fill.order_id for fill in listed}


@pytest.mark.parametrize(
    ("token", "taker_side", "ours"),
    [(YES, "BUY", Side.SELL), (YES, "SELL", Side.BUY), (NO, "BUY", Side.BUY), (NO, "SELL", Side.SELL)],
)
def test_a_makers_side_that_is_not_said(token: str, taker_side: str, ours: Side) -> None:
    got = one(trade(maker(asset_id=token, owner=MADE.api_key), trader_side="MAKER", side=taker_side, owner="x"))
    assert got.fills == (FillNews("t1:0xaa:0", "0xaa", token, ours, parse("0.5"), parse("4"), True, parse("2")),)


def test_an_order_of_ours_that_meets_another_of_ours_is_two_fills() -> None:
    got = one(trade(maker(owner=MADE.api_key, asset_id=NO)))
    assert [(fill.side, fill.token, fill.maker) for fill in got.fills] == [(Side.BUY, YES, False), (Side.BUY, NO, True)]
    assert len({fill.key for fill in got.fills}) == 2


def test_a_row_without_an_owner_is_known_by_its_wallet() -> None:
    mine = maker(owner="", maker_address=MADE.wallet.upper().replace("0X", "0x"))
    assert len(one(trade(mine, trader_side="MAKER", owner="x")).fills) == 1
    assert len(one(trade(mine, trader_side="", owner="x")).fills) == 1, "the side is not always said"


@pytest.mark.parametrize("status", [*TradeStatus, "TRADE_STATUS_CONFIRMED", "MATCHED_NOT_BROADCASTED"])
def test_trade_statuses(status: str) -> None:
    assert one(trade(status=status)).status in TradeStatus.__members__.values()


def test_what_cannot_be_is_refused() -> None:
    assert refusal(trade(status="DREAMT")) == "trade.status"
    assert refusal(trade(price="1")) == "trade.price"
    assert refusal(trade(size="0")) == "trade.size"
    assert refusal(trade(maker(matched_amount="x"))) == "trade.amount"
    assert refusal(order(price="0")) == "order.price"
    assert refusal(order(side="LEFT")) == "order.side"
    assert refusal(order(size_matched="11")) == "order.matched"
    assert refusal(order(id=None)) == "order.schema"
    assert refusal({"event_type": "unheard"}) == "user.unknown_event"
    assert refusal(7) == "user.no_object"
    assert decode_user("{", MADE).anomalies[0].kind == "user.not_json"
    assert decode_user("[", MADE).anomalies[0].kind == "user.not_json"
    assert decode_user("x" * (4 * 2**20 + 1), MADE).anomalies[0].kind == "user.too_large"
    assert decode_user("PONG", MADE).events == (Pong(),)
    assert decode_user("[]", MADE).events == ()


def test_lists_over_rest(shared: Shared) -> None:
    orders, anomalies = decode_orders(shared.bytes("nautilus_rs/http_open_orders_page.json"))
    assert anomalies == ()
    assert orders is not None
    assert (len(orders.rows), orders.cursor) == (2, None)
    assert orders.rows[1].matched == parse("50")
    trades, anomalies = decode_trades(shared.bytes("nautilus_rs/http_trades_page.json"), MADE)
    assert anomalies == ()
    assert trades is not None
    assert trades.rows[0].status is TradeStatus.MINED
    assert trades.rows[0].venue_ms == 1_704_067_200_000
    for name, me in (("nautilus_rs/http_trade_report.json", MADE), ("nautilus_py/ws/trades.json", RECORDED)):
        page = json.dumps({"data": [shared.json(name)], "next_cursor": "MTAw"}).encode()
        got, anomalies = decode_trades(page, me)
        assert anomalies == ()
        assert got is not None
        assert got.rows[0].fills
        assert got.cursor == "MTAw"


def test_a_list_with_an_unreadable_row_is_no_list() -> None:
    page = json.dumps({"data": [order(), order(price="2")], "next_cursor": "LTE="}).encode()
    rows, anomalies = decode_orders(page)
    assert rows is None
    assert [wrong.kind for wrong in anomalies] == ["order.price"]


def test_one_order_over_rest(shared: Shared) -> None:
    for name in ("http_open_order", "http_open_order_sell_fok"):
        got, anomalies = decode_order(shared.bytes(f"nautilus_rs/{name}.json"))
        assert got is not None
        assert anomalies == ()
    for body in (b"", b"null", b"{}", b'""'):
        assert decode_order(body) == (None, ())
    assert decode_order(b"[]")[1][0].kind == "order.schema"


@given(st.one_of(st.text(), st.binary(), st.dictionaries(
    st.sampled_from(["event_type", "id", "market", "price", "size", "status", "maker_orders", "side"]),
    st.none() | st.integers() | st.text(max_size=8) | st.sampled_from(["order", "trade", "BUY"]),
).map(json.dumps)))  # fmt: skip
def test_nothing_makes_the_decoders_raise(data: str | bytes) -> None:
    decode_user(data, MADE)
    body = data if isinstance(data, bytes) else data.encode(errors="surrogatepass")
    for decode in (decode_order, decode_orders, lambda one: decode_trades(one, MADE)):
        decode(body)
