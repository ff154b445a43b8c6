"""Fills, order rows and balances: every row is told, or counted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.inputs import RestingOrder
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import parse
from hlomm.venues.hyperliquid.wire import info
from hlomm.venues.hyperliquid.wire.account import Balances, OrderReport, OrderRows
from hlomm.venues.hyperliquid.wire.fills import FillRows
from hlomm.venues.hyperliquid.wire.frames import decode_frame
from tests.wire.hyperliquid.tools import decoded, fill_row, frame, kinds, order_row, refusal, update_row, value

USER = "0x14791697260E4C9A71F18484C9f997B308e59325"


def fills_of(*rows: Any, **extra: Any) -> FillRows:
    return value("userFills", {"user": USER, "fills": list(rows), **extra}, FillRows)


def fill_of(**fields: Any) -> Fill:
    (fill,) = fills_of(fill_row(**fields)).fills
    return fill


# -- fills


def test_a_fill_is_read_field_by_field() -> None:
    assert fill_of(fee="0.0084") == Fill(
        key="#9000:1785412801000:424242",
        market="hyperliquid:o900",  # type: ignore[arg-type]
        leg=Leg.YES,
        side=Side.BUY,
        px=parse("0.45"),  # type: ignore[arg-type]
        qty=parse("20"),  # type: ignore[arg-type]
        fee=parse("0.0084"),  # type: ignore[arg-type]
        kind=FillKind.TRADE,
        maker=True,
        client_id="0x686c019fb2e54e000000000000000001",  # type: ignore[arg-type]
        venue_order_id="77",  # type: ignore[arg-type]
        venue_ms=1_785_412_801_000,
    )


def test_a_fill_of_the_no_coin_keeps_its_own_price() -> None:
    fill = fill_of(coin="#9001", px="0.55", side="A", dir="Sell")
    assert (fill.leg, fill.side, fill.px) == (Leg.NO, Side.SELL, parse("0.55"))


@pytest.mark.parametrize(
    ("direction", "kind"),
    [
        ("Buy", FillKind.TRADE),
        ("Sell", FillKind.TRADE),
        ("Open Long", FillKind.TRADE),
        ("Long > Short", FillKind.TRADE),
        ("Settlement", FillKind.SETTLEMENT),
        ("Split Outcome", FillKind.SPLIT),
        ("Merge Outcome", FillKind.MERGE),
        ("Negate Outcome", FillKind.NEGATE),
        ("Merge Question", FillKind.MERGE_QUESTION),
        ("something of 2027", FillKind.TRADE),
    ],
)
def test_directions_name_the_kind(direction: str, kind: FillKind) -> None:
    assert fill_of(dir=direction).kind is kind


@pytest.mark.parametrize("px", ["0.0", "1.0", "0.33333333"])
def test_synthetic_fills_may_stand_at_the_ends_and_between_ticks(px: str) -> None:
    assert fill_of(dir="Settlement", px=px).px == parse(px)


def test_a_rebate_is_a_negative_fee() -> None:
    assert fill_of(coin="BTC", px="118000", fee="-0.25").fee == parse("-0.25")


def test_a_fee_taken_in_the_token_is_valued_at_the_fill_price() -> None:
    assert fill_of(fee="0.02", feeToken="+9000", px="0.45").fee == parse("0.009")


def test_aggressors_are_no_makers_and_foreign_orders_have_no_client_id() -> None:
    fill = fill_of(crossed=True, cloid=...)
    assert (fill.maker, fill.client_id) == (False, None)
    assert fill_of(cloid=None).client_id is None
    assert fill_of(cloid="0xABCDEF00000000000000000000000001").client_id == "0xabcdef00000000000000000000000001"


def test_fills_are_told_apart_by_coin_time_and_tid() -> None:
    rows = fills_of(fill_row(), fill_row(tid=1), fill_row(time=2), fill_row(coin="#9001"), fill_row())
    keys = [fill.key for fill in rows.fills]
    assert len(set(keys)) == 4
    assert keys[0] == keys[4]


def test_synthetic_fills_without_tid_are_told_apart_by_order_and_figures() -> None:
    rows = fills_of(
        fill_row(tid=0),
        fill_row(tid=0, oid=78),
        fill_row(tid=0, coin="#9001"),
        fill_row(tid=0, px="0.5"),
        fill_row(tid=..., oid=79),
        fill_row(tid=0),
    )
    keys = [fill.key for fill in rows.fills]
    assert len(set(keys)) == 5
    assert keys[0] == keys[5]


def test_snapshots_and_users_are_marked() -> None:
    rows = fills_of(isSnapshot=True)
    assert (rows.snapshot, rows.user) == (True, USER.lower())
    assert fills_of().snapshot is False


def test_spot_fills_are_skipped() -> None:
    rows = fills_of(fill_row(coin="@107", sz="0.0000086141"), fill_row(coin="PURR/USDC"), fill_row())
    assert (len(rows.fills), rows.skipped) == (1, 2)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"px": "1.00001"}, "fill.price"),
        ({"px": "-0.1"}, "fill.price"),
        ({"px": "NaN"}, "fill.price"),
        ({"sz": "0"}, "fill.size"),
        ({"sz": "-3"}, "fill.size"),
        ({"fee": "inf"}, "fill.fee"),
        ({"fee": "0.000000001"}, "fill.fee"),
        ({"side": "X"}, "fill.side"),
        ({"px": 0.45}, "fill.schema"),
        ({"oid": "77"}, "fill.schema"),
        ({"oid": -1}, "fill.schema"),
        ({"oid": 2**63}, "fill.schema"),
        ({"time": "now"}, "fill.schema"),
        ({"crossed": "yes"}, "fill.schema"),
        ({"dir": ...}, "fill.schema"),
        ({"dir": "x" * 65}, "fill.schema"),
        ({"cloid": 5}, "fill.schema"),
    ],
)
def test_one_bad_fill_does_not_cost_its_neighbours(fields: dict[str, Any], kind: str) -> None:
    result = decoded("userFills", {"user": USER, "fills": [fill_row(), fill_row(**fields), fill_row(tid=5)]})
    assert kinds(result) == [kind]
    assert isinstance(result.frame, FillRows)
    assert len(result.frame.fills) == 2


@pytest.mark.parametrize("data", [None, [], {}, {"user": USER}, {"user": 5, "fills": []}, {"user": USER, "fills": {}}])
def test_fills_of_another_shape_are_refused(data: Any) -> None:
    assert refusal("userFills", data) == "userFills.schema"


@pytest.mark.parametrize(
    "text",
    [
        frame("userFills", {"user": USER, "fills": [fill_row()]}).replace('"oid": 77', '"oid": 1, "oid": 77'),
        frame("userFills", {"user": USER, "fills": []}).replace('"fills": []', '"fills": [], "fills": []'),
        frame("orderUpdates", [update_row()]).replace('"status": "open"', '"status": "filled", "status": "open"'),
        frame("spotState", {"user": USER, "spotState": {"balances": []}}).replace(
            '"balances": []', '"balances": [], "balances": []'
        ),
    ],
)
def test_private_frames_with_a_repeated_key_are_refused(text: str) -> None:
    assert kinds(decode_frame(text)) == ["duplicate_keys"]


def test_a_number_of_thousands_of_digits_is_refused_not_raised() -> None:
    text = frame("userFills", {"user": USER, "fills": []}).replace('"fills"', f'"junk": {"9" * 5_000}, "fills"')
    assert kinds(decode_frame(text)) == ["not_json"]


# -- order rows


def report_of(status: str = "open", **fields: Any) -> OrderReport:
    (report,) = value("orderUpdates", [update_row(status, **fields)], OrderRows).reports
    return report


def test_an_order_row_is_read_field_by_field() -> None:
    assert report_of() == OrderReport(
        market="hyperliquid:o900",  # type: ignore[arg-type]
        leg=Leg.YES,
        side=Side.BUY,
        px=parse("0.45"),  # type: ignore[arg-type]
        leaves=parse("60"),  # type: ignore[arg-type]
        filled=parse("40"),  # type: ignore[arg-type]
        venue_order_id="1001",  # type: ignore[arg-type]
        client_id="0x686c019fb2e54e000000000000000001",  # type: ignore[arg-type]
        status="open",
        venue_ms=1_785_412_800_600,
    )


def test_an_order_on_the_no_coin_keeps_leg_and_price() -> None:
    report = report_of("filled", coin="#9001", sz="0.0", limitPx="0.55", side="A")
    assert (report.leg, report.side, report.px) == (Leg.NO, Side.SELL, parse("0.55"))
    assert (report.leaves, report.filled) == (0, parse("100"))


def test_rows_without_original_size_have_filled_nothing_they_know_of() -> None:
    assert report_of(origSz=...).filled == 0


def test_orders_without_cloid_and_on_spot_pairs_are_read_and_skipped() -> None:
    rows = value("orderUpdates", [update_row(cloid=...), update_row(coin="@3")], OrderRows)
    assert [report.client_id for report in rows.reports] == [None]
    assert rows.skipped == 1


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (update_row(sz="101"), "order.size"),
        (update_row(sz="-1"), "order.size"),
        (update_row(sz="nan"), "order.size"),
        (update_row(limitPx="0"), "order.price"),
        (update_row(limitPx="1"), "order.price"),
        (update_row(side="?"), "order.side"),
        (update_row(oid=None), "order.schema"),
        ({"order": order_row(), "status": "open"}, "order.schema"),
        ({"order": order_row(), "status": 5, "statusTimestamp": 1}, "order.schema"),
        ("open", "order.schema"),
    ],
)
def test_one_bad_order_row_does_not_cost_its_neighbours(row: Any, kind: str) -> None:
    result = decoded("orderUpdates", [update_row(), row, update_row(oid=5)])
    assert kinds(result) == [kind]
    assert isinstance(result.frame, OrderRows)
    assert [one.venue_order_id for one in result.frame.reports] == ["1001", "5"]


@pytest.mark.parametrize("data", [None, {}, "x", 5])
def test_order_updates_of_another_shape_are_refused(data: Any) -> None:
    assert refusal("orderUpdates", data) == "orderUpdates.schema"


# -- open orders: complete or nothing


def open_orders(*rows: Any) -> tuple[Any, list[str]]:
    orders, anomalies = info.decode_open_orders(json.dumps(list(rows)).encode())
    return orders, [one.kind for one in anomalies]


def test_open_orders_of_every_coin_are_listed() -> None:
    orders, wrong = open_orders(order_row(), order_row(coin="BTC", limitPx="118000", cloid=...), order_row(coin="@107"))
    assert wrong == []
    assert orders[0] == RestingOrder(
        client_id="0x686c019fb2e54e000000000000000001",  # type: ignore[arg-type]
        venue_order_id="1001",  # type: ignore[arg-type]
        market="hyperliquid:o900",  # type: ignore[arg-type]
        leg=Leg.YES,
        side=Side.BUY,
        px=parse("0.45"),  # type: ignore[arg-type]
        leaves=parse("60"),  # type: ignore[arg-type]
    )
    assert [order.market for order in orders] == ["hyperliquid:o900", "hyperliquid:BTC", "hyperliquid:@107"]


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (order_row(sz="0"), "order.size"),
        (order_row(limitPx="-1"), "order.price"),
        (order_row(side=""), "order.side"),
        (order_row(oid="x"), "openOrders.schema"),
        (None, "openOrders.schema"),
    ],
)
def test_one_unreadable_order_makes_the_list_no_answer(row: Any, kind: str) -> None:
    """A list that leaves an order out would let a sweep believe that nothing rests."""
    assert open_orders(order_row(), row) == (None, [kind])


@pytest.mark.parametrize("fields", [{"limitPx": "92340.0"}, {"limitPx": "0.0"}])
def test_a_stop_on_a_whole_position_is_listed_though_it_has_no_size(fields: dict[str, Any]) -> None:
    """Somebody's stop on the hedge must not keep a sweep from seeing whether our orders are gone."""
    stop = {
        "coin": "BTC", "side": "A", "sz": "0.0", "origSz": "0.0", "isTrigger": True, "isPositionTpsl": True,
        "orderType": "Stop Market", "tif": None, "cloid": None, "oid": 77, "triggerPx": "97200.0",
    }  # fmt: skip
    orders, wrong = open_orders(order_row(), {**order_row(), **stop, **fields})
    assert wrong == []
    assert [(one.client_id, one.venue_order_id, one.market, one.leaves) for one in orders[1:]] == [
        (None, "77", "hyperliquid:BTC", 0)
    ]


def test_no_open_orders_is_an_empty_list() -> None:
    assert open_orders() == ((), [])


# -- balances


def balance(coin: str, total: str, **fields: Any) -> dict[str, Any]:
    return {"coin": coin, "total": total, "hold": "0.0", "entryNtl": "0.0", **fields}


def balances_of(*rows: Any) -> Balances:
    return value("spotState", {"user": USER, "spotState": {"balances": list(rows)}}, Balances)


def test_tokens_are_sorted_by_market_and_leg_and_cash_by_name() -> None:
    held = balances_of(
        balance("+9001", "5"), balance("USDC", "10.5", token=0), balance("+9000", "7"), balance("+1500", "1.0")
    )
    assert [(token.market, token.leg) for token in held.tokens] == [
        ("hyperliquid:o150", Leg.YES),
        ("hyperliquid:o900", Leg.YES),
        ("hyperliquid:o900", Leg.NO),
    ]
    assert held.cash == {"USDC": parse("10.5")}
    assert held.user == USER.lower()


def test_empty_rows_and_settled_leftovers_are_left_out() -> None:
    held = balances_of(balance("+9000", "0.0"), balance("o95", "12.0"), balance("USDC", "0.0"))
    assert held.tokens == ()
    assert held.cash == {"USDC": 0}


def test_the_cost_is_cut_at_eight_decimals_toward_zero() -> None:
    held = balances_of(
        balance("+9000", "3", entryNtl="1.2345678999"),
        balance("+9001", "3", entryNtl="-1.2345678999"),
        {"coin": "+1500", "total": "1"},
    )
    assert [token.cost for token in held.tokens] == [0, parse("1.23456789"), parse("-1.23456789")]


def test_a_coin_that_merely_begins_with_o_is_cash() -> None:
    assert balances_of(balance("oUSD", "4")).cash == {"oUSD": parse("4")}


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (balance("+9000", "-1"), "balance.total"),
        (balance("+9000", "NaN"), "balance.total"),
        (balance("USDC", "1e9"), "balance.total"),
        (balance("+9000", "1", entryNtl="?"), "balance.cost"),
        (balance("+9000", 1), "spotState.schema"),  # type: ignore[arg-type]
        ({"coin": "USDC"}, "spotState.schema"),
    ],
)
def test_one_unreadable_balance_makes_the_account_unknown(row: Any, kind: str) -> None:
    """A row left out would read as zero tokens."""
    assert refusal("spotState", {"user": USER, "spotState": {"balances": [balance("USDC", "1"), row]}}) == kind
