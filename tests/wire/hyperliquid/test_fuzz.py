"""Hostile input: whatever bytes come, the codec returns values that can be, and anomalies for the rest.

Four kinds of hostility: arbitrary bytes, arbitrary JSON under a known channel, real frames with bytes changed, and
real frames with values replaced by the worst of their kind.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hlomm.domain.fills import Fill
from hlomm.domain.inputs import BboUpdate, BookSnapshot, Level, MarkPrice, RestingOrder, TradePrint
from hlomm.domain.units import SCALE
from hlomm.venues.hyperliquid.wire import info, standing
from hlomm.venues.hyperliquid.wire.account import Balances, OrderReport, OrderRows
from hlomm.venues.hyperliquid.wire.fills import FillRows
from hlomm.venues.hyperliquid.wire.frames import (
    KNOWN_CHANNELS,
    ChannelError,
    Decoded,
    MetaChanges,
    PostAnswer,
    decode_frame,
)
from hlomm.venues.hyperliquid.wire.outcomes import Settlement
from hlomm.venues.hyperliquid.wire.public import Marks, Prints
from hlomm.venues.hyperliquid.wire.replies import Accepted, Filled, decode_exchange
from tests.unit.venues.fake_hyperliquid import binary, bucket
from tests.wire.hyperliquid.tools import book, fill_row, frame, level, levels, update_row

RELAXED = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])

USER = "0x14791697260e4c9a71f18484c9f997b308e59325"

REAL_FRAMES = [
    frame("l2Book", book("#9000", levels(("0.45", "100"), ("0.44", "5")), levels(("0.46", "11")))),
    frame("l2Book", book("#9001", levels(("0.45", "100")), levels(("0.46", "11"), ("0.47", "3")), fast=True)),
    frame("l2Book", book("BTC", levels(("118250", "0.5")), levels(("118251", "1.25")))),
    frame("bbo", {"coin": "#9000", "time": 5, "bbo": [level("0.45"), level("0.46")]}),
    frame("bbo", {"coin": "#9001", "time": 5, "bbo": [None, level("0.46")]}),
    frame("trades", [{"coin": "#9000", "side": "B", "px": "0.46", "sz": "20.0", "time": 9, "tid": 4}]),
    frame("activeAssetCtx", {"coin": "BTC", "ctx": {"markPx": "118250.5"}}),
    frame("fastAssetCtxs", "q1ZyCnFWsqpWyk0syg6oULJSsjQ3NTDQM1Wq1VFyDfFAkTI2MzXQMwJLVVRWWfmFuTiiyBuamOoZKdXWAgA="),
    frame("orderUpdates", [update_row(), update_row("filled", sz="0.0")]),
    frame("userFills", {"isSnapshot": True, "user": USER, "fills": [fill_row(), fill_row(dir="Settlement", px="1.0")]}),
    frame("spotState", {"user": USER, "spotState": {"balances": [{"coin": "+9000", "total": "5", "entryNtl": "2.5"}]}}),
    frame("outcomeMetaUpdates", [{"outcomeCreated": binary(908)}, {"outcomeSettled": 900}]),
    frame("outcomeMetaUpdates", [{"questionUpdated": bucket(40, 904, 905, 906)}, {"questionSettled": 39}]),
    frame("subscriptionResponse", {"method": "subscribe", "subscription": {"type": "bbo", "coin": "#9000"}}),
    frame("error", "too many pending post requests id=4"),
    frame(
        "post",
        {
            "id": 1,
            "response": {
                "type": "action",
                "payload": {
                    "status": "ok",
                    "response": {
                        "type": "order",
                        "data": {"statuses": [{"resting": {"oid": 5}}, {"filled": {"totalSz": "3", "oid": 6}}]},
                    },
                },
            },
        },
    ),
]

WORST = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        1e308,
        2**63,
        2**64,
        -(2**70),
        10**30,
        "",
        "NaN",
        "-NaN",
        "Infinity",
        "-0",
        "-1",
        "0",
        "1",
        "1.0",
        "1.00000001",
        "0.000000001",
        "1e-5",
        "99999999999999999999",
        "0x10",
        "\x00",
        "\udcff",
        "é" * 50,
        "x" * 5_000,
        [],
        {},
        [[]],
        {"a": {"b": []}},
    ]
)


# -- what must hold of everything that gets through


def check_decoded(result: Decoded) -> None:
    assert all(one.kind and len(one.kind) < 64 for one in result.anomalies)
    assert all(len(one.detail) <= 160 for one in result.anomalies)
    if result.frame is None:
        assert result.anomalies or result == Decoded(None)
    else:
        check_value(result.frame)


def check_value(value: Any) -> None:
    match value:
        case BookSnapshot():
            check_book(value)
        case BboUpdate():
            check_touch(value)
        case Prints():
            for trade in value.trades:
                check_trade(trade)
        case Marks():
            for mark in value.marks:
                check_mark(mark)
        case FillRows():
            for fill in value.fills:
                check_fill(fill)
        case OrderRows():
            for report in value.reports:
                check_report(report)
        case Balances():
            check_balances(value)
        case PostAnswer():
            check_reply(value.reply)
        case MetaChanges():
            assert all(number >= 0 for number in value.settled)
            assert all(spec.outcome >= 0 for spec in value.created)
            assert all(number >= 0 for number in value.settled_questions)
            assert all(number >= 0 for one in value.questions for number in (one.question, *one.outcomes))
        case ChannelError():
            assert len(value.text) <= 2_000


def check_book(value: BookSnapshot) -> None:
    outcome = ":o" in value.market
    for side, falling in ((value.bids, True), (value.asks, False)):
        prices = [px for px, _ in side]
        assert prices == sorted(prices, reverse=falling)
        assert len(set(prices)) == len(prices)
        assert all(size > 0 for _, size in side)
        assert all(px > 0 and (not outcome or px < SCALE) for px in prices)
    if value.bids and value.asks:
        assert value.bids[0][0] < value.asks[0][0]
    assert value.venue_ms >= 0


def check_touch(value: BboUpdate) -> None:
    def check(touch: Level | None) -> None:
        assert touch is None or (touch[0] > 0 and touch[1] > 0)

    check(value.bid)
    check(value.ask)
    if value.bid is not None and value.ask is not None:
        assert value.bid[0] < value.ask[0]


def check_trade(value: TradePrint) -> None:
    assert value.px > 0
    assert value.qty > 0
    assert value.venue_ms >= 0


def check_mark(value: MarkPrice) -> None:
    assert value.px > 0


def check_fill(value: Fill) -> None:
    assert value.px >= 0
    assert value.qty > 0
    assert value.key
    if ":o" in value.market:
        assert value.px <= SCALE


def check_report(value: OrderReport) -> None:
    assert value.px > 0
    assert value.leaves >= 0
    assert value.filled >= 0
    assert value.venue_order_id.isdigit()


def check_balances(value: Balances) -> None:
    assert all(token.total > 0 for token in value.tokens)
    assert all(isinstance(cash, int) for cash in value.cash.values())


def check_reply(reply: Any) -> None:
    if isinstance(reply, Accepted):
        assert all(status.filled >= 0 for status in reply.statuses if isinstance(status, Filled))


# -- the four kinds of hostility


@RELAXED
@given(st.binary(max_size=2_000))
@example(b"\xff")
@example(b'{"channel":"l2Book"}')
@example(b'{"channel":"\xc3\x28"}')
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    check_decoded(decode_frame(data))


@RELAXED
@given(st.text(max_size=1_000))
@example("\ud800")
@example('{"channel":"pong"}\x00')
def test_arbitrary_text_never_raises(data: str) -> None:
    check_decoded(decode_frame(data))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | WORST,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@RELAXED
@given(channel=st.sampled_from(sorted(KNOWN_CHANNELS)), data=JSON)
def test_arbitrary_json_under_a_known_channel_never_raises(channel: str, data: Any) -> None:
    check_decoded(decode_frame(json.dumps({"channel": channel, "data": data})))


@RELAXED
@given(
    text=st.sampled_from(REAL_FRAMES),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255), st.sampled_from("ird")), min_size=1, max_size=6),
)
def test_real_frames_with_bytes_changed_never_raise(text: str, edits: list[tuple[float, int, str]]) -> None:
    data = bytearray(text.encode())
    for where, byte, how in edits:
        at = min(int(where * len(data)), max(len(data) - 1, 0))
        if how == "i":
            data.insert(at, byte)
        elif how == "r" and data:
            data[at] = byte
        elif data:
            del data[at]
    check_decoded(decode_frame(bytes(data)))


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    places = [at] if at else []
    if isinstance(value, dict):
        for key, inner in value.items():
            places += paths(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            places += paths(inner, (*at, index))
    return places


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The document with another value at one place."""
    copy = json.loads(json.dumps(document))
    inside = copy
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = value
    return copy


@RELAXED
@given(data=st.data(), text=st.sampled_from(REAL_FRAMES), worst=WORST)
def test_real_frames_with_the_worst_value_in_one_place_never_raise(data: st.DataObject, text: str, worst: Any) -> None:
    document = json.loads(text)
    path = data.draw(st.sampled_from(paths(document)))
    check_decoded(decode_frame(json.dumps(replaced(document, path, worst))))


@RELAXED
@given(text=st.sampled_from(REAL_FRAMES), data=st.data())
def test_real_frames_with_a_key_repeated_never_smuggle_a_value(text: str, data: st.DataObject) -> None:
    """The same key twice in one object: refused, or the frame reads as one of the two."""
    document = json.loads(text)
    keys = [path[-1] for path in paths(document) if isinstance(path[-1], str)]
    key = data.draw(st.sampled_from(keys))
    doubled = text.replace(f'"{key}":', f'"{key}": "0.3", "{key}":', 1)
    result = decode_frame(doubled)
    check_decoded(result)
    if result.frame is not None:
        assert result.frame == decode_frame(text).frame


# -- prices and sizes drawn at random: what is accepted is what is legal

DECIMALS = st.one_of(
    st.integers(-10, 10**6).map(str),
    st.decimals(min_value=-2, max_value=2, places=6).map(str),
    st.decimals(min_value=0, max_value=1, places=5).map(str),
    st.floats(-2, 2).map(str),
    st.sampled_from(["0", "1", "0.00001", "0.99999", "nan", "-0.0", "1e-5", ""]),
)
ROWS = st.lists(st.fixed_dictionaries({"px": DECIMALS, "sz": DECIMALS, "n": st.integers(-1, 5)}), max_size=5)


@RELAXED
@given(coin=st.sampled_from(["#9000", "#9001", "BTC"]), bids=ROWS, asks=ROWS, time=st.integers(-5, 10**14 + 5))
def test_random_books_are_sane_or_refused(coin: str, bids: list[Any], asks: list[Any], time: int) -> None:
    data = book(coin, bids, asks, time)
    check_decoded(decode_frame(frame("l2Book", data)))
    snapshot, anomalies = info.decode_l2_book(json.dumps(data).encode())
    assert (snapshot is None) == bool(anomalies)
    if snapshot is not None:
        check_book(snapshot)


@RELAXED
@given(
    px=DECIMALS,
    sz=DECIMALS,
    fee=DECIMALS,
    coin=st.sampled_from(["#9000", "#9001", "BTC", "@3", "#9"]),
    token=st.sampled_from(["USDC", "+9000", None, ""]),
    direction=st.sampled_from(["Buy", "Settlement", "Merge Outcome", ""]),
)
def test_random_fills_are_sane_or_refused(
    px: str, sz: str, fee: str, coin: str, token: str | None, direction: str
) -> None:
    row = fill_row(px=px, sz=sz, fee=fee, coin=coin, feeToken=token, dir=direction)
    result = decode_frame(frame("userFills", {"user": USER, "fills": [row]}))
    check_decoded(result)
    assert isinstance(result.frame, FillRows)
    assert len(result.frame.fills) + result.frame.skipped + len(result.anomalies) == 1


@RELAXED
@given(px=DECIMALS, sz=DECIMALS, original=DECIMALS | st.none(), status=st.text(max_size=20))
def test_random_orders_are_sane_or_refused(px: str, sz: str, original: str | None, status: str) -> None:
    result = decode_frame(frame("orderUpdates", [update_row(status, limitPx=px, sz=sz, origSz=original)]))
    check_decoded(result)
    assert isinstance(result.frame, OrderRows)
    assert len(result.frame.reports) + len(result.anomalies) == 1


# -- REST bodies


@RELAXED
@given(st.binary(max_size=500) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b"null")
@example(b"[]")
@example(b"{}")
def test_no_rest_decoder_raises(body: bytes) -> None:
    for decode in (
        info.decode_outcome_meta,
        info.decode_perp_meta,
        info.decode_settled_outcome,
        info.decode_open_orders,
        info.decode_order_status,
        info.decode_l2_book,
        info.decode_user_fees,
        info.decode_rate_limit,
        info.decode_exchange_status,
        standing.decode_role,
        standing.decode_agents,
        standing.decode_mode,
        decode_exchange,
    ):
        value, anomalies = decode(body)
        assert isinstance(anomalies, tuple)
        if isinstance(value, Settlement):
            assert 0 <= value.yes_px <= SCALE
        if isinstance(value, tuple):
            assert all(order.leaves > 0 for order in value if isinstance(order, RestingOrder))
        check_reply(value)
    for rows, _ in (info.decode_fills(body, USER),):
        if rows is not None:
            check_value(rows)
    balances, _ = info.decode_balances(body, USER)
    if balances is not None:
        check_balances(balances)


@RELAXED
@given(data=st.data(), worst=WORST)
def test_open_orders_with_the_worst_value_in_one_place_are_whole_or_nothing(data: st.DataObject, worst: Any) -> None:
    rows = [update_row()["order"], update_row(oid=5)["order"]]
    path = data.draw(st.sampled_from(paths(rows)))
    orders, anomalies = info.decode_open_orders(json.dumps(replaced(rows, path, worst)).encode())
    if orders is None:
        assert anomalies
    else:
        assert len(orders) == 2
        assert all(order.leaves > 0 and order.px > 0 for order in orders)
