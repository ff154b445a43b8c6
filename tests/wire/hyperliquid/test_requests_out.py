"""What we send: names and numbers of coins, actions, subscriptions, posts."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.ids import ClientId, MarketId, VenueOrderId
from hlomm.domain.markets import Leg
from hlomm.domain.orders import AmendRequest, OrderRequest, Purpose, Side, Tif
from hlomm.domain.sets import SetAction
from hlomm.domain.units import SCALE, Px, Qty, parse
from hlomm.venues.fields import cash_toward_zero, outcome_px, positive, qty, signed, unsigned
from hlomm.venues.hyperliquid.signing import pack_action
from hlomm.venues.hyperliquid.wire import actions
from hlomm.venues.hyperliquid.wire.coins import (
    Coin,
    coin_of,
    outcome_asset,
    outcome_coin,
    outcome_number,
    perp_coin,
    read_coin,
    read_token,
    spot_asset,
)
from hlomm.venues.hyperliquid.wire.subscriptions import (
    PING,
    Subscription,
    account_streams,
    outcome_streams,
    perp_streams,
    subscribe_frame,
    unsubscribe_frame,
)
from tests.wire.hyperliquid.conftest import Shared

CLOID = ClientId("0x1234567890abcdef1234567890abcdef")
OUTCOME = MarketId("hyperliquid:o15")


# -- coins


@pytest.mark.parametrize(
    ("name", "coin"),
    [
        ("#150", Coin(OUTCOME, Leg.YES, 15)),
        ("#151", Coin(OUTCOME, Leg.NO, 15)),
        ("#0", Coin(MarketId("hyperliquid:o0"), Leg.YES, 0)),
        ("#1", Coin(MarketId("hyperliquid:o0"), Leg.NO, 0)),
        ("#1004250", Coin(MarketId("hyperliquid:o100425"), Leg.YES, 100_425)),
        ("BTC", Coin(MarketId("hyperliquid:BTC"), Leg.YES, None)),
        ("kPEPE", Coin(MarketId("hyperliquid:kPEPE"), Leg.YES, None)),
        ("xyz:NVDA", Coin(MarketId("hyperliquid:xyz:NVDA"), Leg.YES, None)),
    ],
)
def test_coin_names_are_read(name: str, coin: Coin) -> None:
    assert read_coin(name) == coin


@pytest.mark.parametrize(
    "name", ["", "#", "#15x", "#152", "#-10", "#00", "@1", "A/B", "+150", "a:b:c", ":", "#1234567890123"]
)
def test_names_of_no_known_form_are_not_read(name: str) -> None:
    assert read_coin(name) is None


def test_tokens_are_read_and_leftovers_not() -> None:
    assert read_token("+151") == Coin(OUTCOME, Leg.NO, 15)
    for name in ("o15", "150", "#150", "USDC", "+152", "+"):
        assert read_token(name) is None


@given(outcome=st.integers(0, 10**9), leg=st.sampled_from(Leg))
def test_names_and_numbers_of_an_outcome_agree(outcome: int, leg: Leg) -> None:
    market = MarketId(f"hyperliquid:o{outcome}")
    assert outcome_number(market) == outcome
    assert outcome_asset(outcome, leg) == 100_000_000 + 10 * outcome + leg
    assert coin_of(market, leg) == outcome_coin(outcome, leg)
    assert read_coin(outcome_coin(outcome, leg)) == Coin(market, leg, outcome)
    assert read_token(f"+{10 * outcome + leg}") == Coin(market, leg, outcome)


def test_documented_outcome_numbers() -> None:
    assert outcome_asset(15, Leg.YES) == 100_000_150
    assert outcome_asset(10_218, Leg.NO) == 100_102_181


def test_perps_and_spot_pairs_keep_their_names() -> None:
    assert perp_coin(MarketId("hyperliquid:xyz:NVDA")) == "xyz:NVDA"
    assert coin_of(MarketId("hyperliquid:BTC"), Leg.YES) == "BTC"
    assert outcome_number(MarketId("hyperliquid:o15x")) is None
    assert outcome_number(MarketId("hyperliquid:oUSD")) is None
    assert spot_asset("@107") == 10_107
    assert spot_asset("PURR/USDC") is None
    assert spot_asset("@1234567") is None


# -- numbers


@pytest.mark.parametrize("text", ["0.5", "1", "118250.5", "0.00000001", "9999999999"])
def test_plain_decimals_are_read_exactly(text: str) -> None:
    assert positive(text, "k") == unsigned(text, "k") == signed(text, "k") == parse(text)


@pytest.mark.parametrize("read", [positive, unsigned, signed, qty, outcome_px, cash_toward_zero])
@pytest.mark.parametrize(
    "text", ["", "-", ".", "1.", ".5", "1e3", "0x1", "nan", "inf", " 1", "1 ", "1_000", "+1", "１"]
)
def test_what_is_no_plain_decimal_is_refused(read: Any, text: str) -> None:
    if text == "1." and read is cash_toward_zero:
        return  # the point of a cut-off figure may stand alone
    with pytest.raises(ProtocolViolation) as refused:
        read(text, "some.kind")
    assert refused.value.kind == "some.kind"


def test_signs_and_bounds_are_checked() -> None:
    for read, text in ((positive, "0"), (positive, "-1"), (unsigned, "-0.1"), (outcome_px, "1"), (outcome_px, "0")):
        with pytest.raises(ProtocolViolation):
            read(text, "k")
    assert unsigned("0", "k") == 0
    assert signed("-0.1", "k") == -SCALE // 10


# -- actions


def order(**fields: Any) -> OrderRequest:
    defaults: dict[str, Any] = {
        "client_id": CLOID,
        "market": OUTCOME,
        "leg": Leg.YES,
        "side": Side.BUY,
        "px": Px(parse("0.45")),
        "qty": Qty(parse("100")),
        "tif": Tif.ALO,
        "purpose": Purpose.QUOTE,
    }
    return OrderRequest(**{**defaults, **fields})


def amendment(**fields: Any) -> AmendRequest:
    defaults: dict[str, Any] = {
        "client_id": CLOID,
        "venue_order_id": VenueOrderId("91490942"),
        "market": OUTCOME,
        "leg": Leg.YES,
        "side": Side.SELL,
        "px": Px(parse("0.96")),
        "qty": Qty(parse("30")),
        "tif": Tif.ALO,
    }
    return AmendRequest(**{**defaults, **fields})


def test_an_order_is_written_in_hash_order() -> None:
    action = actions.place([(100_000_150, order())])
    assert json.dumps(action) == (
        '{"type": "order", "orders": [{"a": 100000150, "b": true, "p": "0.45", "s": "100", "r": false, '
        '"t": {"limit": {"tif": "Alo"}}, "c": "0x1234567890abcdef1234567890abcdef"}], "grouping": "na"}'
    )


def test_reduce_only_is_written_for_perps_and_never_for_outcomes() -> None:
    rows = [(0, order(reduce_only=True)), (100_000_150, order(reduce_only=True)), (0, order())]
    action = actions.place(rows, perp=frozenset({0}))
    assert [row["r"] for row in action["orders"]] == [True, False, False]


@pytest.mark.parametrize(
    ("px", "text"),
    [("0.5", "0.5"), ("0.50000", "0.5"), ("118250", "118250"), ("0.00001", "0.00001"), ("0.12345678", "0.12345678")],
)
def test_decimals_are_the_shortest_plain_form(px: str, text: str) -> None:
    (row,) = actions.place([(0, order(px=Px(parse(px))))])["orders"]
    assert row["p"] == text


def test_an_amend_is_post_only_by_venue_id_without_the_place_always_flag() -> None:
    action = actions.amend([(100_000_150, amendment())])
    assert json.dumps(action) == (
        '{"type": "batchModify", "modifies": [{"oid": 91490942, "order": {"a": 100000150, "b": false, "p": "0.96", '
        '"s": "30", "r": false, "t": {"limit": {"tif": "Alo"}}, "c": "0x1234567890abcdef1234567890abcdef"}}]}'
    )


def test_cancels_are_fast_and_name_what_they_cancel() -> None:
    row = actions.cancel_row(0, CLOID)
    expected = {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}], "f": True}
    assert msgspec.json.encode(actions.cancel_by_client_id([row.posted])) == msgspec.json.encode(expected)
    assert pack_action(actions.cancel_by_client_id([row.signed])) == pack_action(expected)
    assert actions.cancel_by_venue_id([(7, VenueOrderId("5"))]) == {
        "type": "cancel",
        "cancels": [{"a": 7, "o": 5}],
        "f": True,
    }


def test_conversions_name_what_they_convert_and_how_much() -> None:
    def converted(action: SetAction, question: int | None = None) -> actions.Action | None:
        return actions.user_outcome(action, 961, question, Qty(parse("40")))

    pair = {"outcome": 961, "amount": "40"}
    assert converted(SetAction.SPLIT) == {"type": "userOutcome", "splitOutcome": pair}
    assert converted(SetAction.MERGE) == {"type": "userOutcome", "mergeOutcome": pair}
    assert converted(SetAction.NEGATE, 7) == {"type": "userOutcome", "negateOutcome": {"question": 7, **pair}}
    merged = {"question": 7, "amount": "40"}
    assert converted(SetAction.MERGE_QUESTION, 7) == {"type": "userOutcome", "mergeQuestion": merged}


@pytest.mark.parametrize("action", [SetAction.NEGATE, SetAction.MERGE_QUESTION])
def test_a_conversion_within_a_question_needs_its_number(action: SetAction) -> None:
    assert actions.user_outcome(action, 961, None, Qty(1)) is None


def test_our_actions_are_those_of_the_golden_vectors(shared: Shared) -> None:
    """Same keys in the same order: the signed bytes of our builders equal the recorded ones."""
    recorded = {
        one["name"]: one["msgpack_hex"]
        for one in shared.json("signing_vectors.json")["vectors"]
        if one["scheme"] == "l1"
    }
    convert = actions.user_outcome
    ours: dict[str, actions.Action | None] = {
        "user_outcome_split__mainnet": convert(SetAction.SPLIT, 961, None, Qty(parse("100"))),
        "user_outcome_merge_amount__mainnet": convert(SetAction.MERGE, 961, None, Qty(parse("40"))),
        "user_outcome_negate__mainnet": convert(SetAction.NEGATE, 966, 160, Qty(parse("20"))),
        "user_outcome_merge_question_amount__mainnet": convert(SetAction.MERGE_QUESTION, 966, 160, Qty(parse("20"))),
        "noop__mainnet": actions.noop(),
        "cancel_fast__mainnet": actions.cancel_by_venue_id([(100_000_150, VenueOrderId("287286372177"))]),
        "cancel_by_cloid_fast_batch__mainnet": actions.cancel_by_client_id(
            [
                actions.cancel_row(asset, ClientId(client_id)).signed
                for asset, client_id in ((100_000_150, CLOID), (0, "0x000000000000000000000000000000a1"))
            ]
        ),
    }
    for name, action in ours.items():
        assert action is not None
        assert pack_action(action).hex() == recorded[name], name


def test_our_orders_are_those_of_the_golden_vectors(shared: Shared) -> None:
    checked = 0
    for vector in shared.json("signing_vectors.json")["vectors"]:
        if vector["scheme"] != "l1" or vector["action"]["type"] != "order" or "builder" in vector["action"]:
            continue
        if vector["action"]["grouping"] != "na" or any(
            set(row["t"]) != {"limit"} for row in vector["action"]["orders"]
        ):
            continue
        if any("c" not in row or row["t"]["limit"]["tif"] == "FrontendMarket" for row in vector["action"]["orders"]):
            continue
        rows = [
            (
                row["a"],
                order(
                    client_id=ClientId(row["c"]),
                    side=Side.BUY if row["b"] else Side.SELL,
                    px=Px(parse(row["p"])),
                    qty=Qty(parse(row["s"])),
                    tif=Tif(row["t"]["limit"]["tif"]),
                    reduce_only=row["r"],
                ),
            )
            for row in vector["action"]["orders"]
        ]
        perps = frozenset(asset for asset, _ in rows if asset < 10_000)
        assert pack_action(actions.place(rows, perp=perps)).hex() == vector["msgpack_hex"], vector["name"]
        checked += 1
    assert checked >= 4


@pytest.mark.parametrize(
    ("client_id", "usable"),
    [
        (CLOID, True),
        (f"0x{'0' * 32}", True),
        ("", False),
        ("0x", False),
        (CLOID[:-1], False),
        (CLOID + "0", False),
        (CLOID.upper(), False),
        (CLOID.replace("a", "A"), False),
        ("1x" + CLOID[2:], False),
        (CLOID[:-1] + "g", False),
    ],
)
def test_client_ids_the_venue_takes(client_id: str, usable: bool) -> None:
    assert actions.is_cloid(client_id) is usable


def test_a_body_has_exactly_the_five_keys() -> None:
    body = actions.exchange_body(actions.noop(), 17, {"r": "0x1", "s": "0x2", "v": 27}, None, 99)
    assert json.loads(body) == {
        "action": {"type": "noop"},
        "nonce": 17,
        "signature": {"r": "0x1", "s": "0x2", "v": 27},
        "vaultAddress": None,
        "expiresAfter": 99,
    }


def test_a_post_frame_wraps_the_body_unchanged(shared: Shared) -> None:
    request, _ = shared.json("samples/ws_envelopes.json")["post_order"]
    body = json.dumps(request["request"]["payload"]).encode()
    assert json.loads(actions.post_frame(request["id"], body)) == request


# -- subscriptions


def test_streams_of_an_account_of_an_outcome_and_of_a_perp() -> None:
    assert [one.kind for one in account_streams("0xabc", fast_marks=False)] == [
        "orderUpdates",
        "userFills",
        "spotState",
        "outcomeMetaUpdates",
    ]
    assert account_streams("0xabc", fast_marks=True)[-1].kind == "fastAssetCtxs"
    assert [one.fields() for one in outcome_streams("#9000")] == [
        {"type": "l2Book", "coin": "#9000", "fast": True},
        {"type": "bbo", "coin": "#9000"},
        {"type": "trades", "coin": "#9000"},
    ]
    assert [one.kind for one in perp_streams("BTC", trades=False, marks=True)] == ["bbo", "activeAssetCtx"]
    assert [one.kind for one in perp_streams("BTC", trades=True, marks=False)] == ["bbo", "trades"]


def test_subscriptions_are_written_as_documented() -> None:
    stream = Subscription("userFills", user="0xabc")
    assert json.loads(subscribe_frame(stream)) == {
        "method": "subscribe",
        "subscription": {"type": "userFills", "user": "0xabc"},
    }
    assert json.loads(unsubscribe_frame(stream))["method"] == "unsubscribe"
    assert json.loads(PING) == {"method": "ping"}
    assert stream.key == ("userFills", None)


def test_a_scheduled_cancel_is_what_the_vectors_sign(shared: Shared) -> None:
    signed = {one["name"]: one.get("action") for one in shared.json("signing_vectors.json")["vectors"]}
    assert actions.schedule_cancel(1_763_600_030_123) == signed["schedule_cancel_set__mainnet"]
    assert actions.schedule_cancel(None) == signed["anchor_sdk_schedule_cancel_unset__mainnet"]
