"""The envelope: every message is a value, or is counted under one of a fixed set of words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, get_args

import pytest

from hlomm.venues.anomalies import DETAIL_LIMIT, Anomaly, anomaly, guarded
from hlomm.venues.hyperliquid.wire import schemas
from hlomm.venues.hyperliquid.wire.frames import (
    FRAME_CHARS_MAX,
    KNOWN_CHANNELS,
    ChannelError,
    Decoded,
    Hello,
    MetaChanges,
    Pong,
    PostAnswer,
    SubscriptionAck,
    decode_frame,
)
from hlomm.venues.hyperliquid.wire.replies import Accepted, ActionRefused
from tests.unit.venues.fake_hyperliquid import binary, bucket
from tests.wire.hyperliquid.tools import book, decoded, fill_row, frame, kinds, levels, refusal, update_row, value


def test_the_known_channels_are_those_with_a_schema() -> None:
    tags = {struct.__struct_config__.tag for struct in get_args(schemas.AnyFrame)}
    assert tags == KNOWN_CHANNELS


def test_pongs_and_greetings_decode() -> None:
    assert decode_frame('{"channel":"pong"}') == Decoded(Pong())
    assert decode_frame(b'{"channel":"pong"}') == Decoded(Pong())
    assert decode_frame('{"data":null,"channel":"pong"}') == Decoded(Pong())
    assert decode_frame("Websocket connection established.") == Decoded(Hello())


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("", "not_json"),
        ("Websocket connection established", "not_json"),
        ("{", "not_json"),
        ("{]", "not_json"),
        ("\x00\x01", "not_json"),
        ('{"channel":NaN}', "not_json"),
        ('{"channel":"pong"', "not_json"),
        ('{"channel":"pong"}}', "not_json"),
        (b"\xff\xfe\x00", "not_json"),
        (b'{"channel":"\xff"}', "not_utf8"),
        ("\ud800", "not_utf8"),
        ('{"channel":"l2Book","data":"\ud800"}', "not_utf8"),
        ("[]", "no_channel"),
        ("null", "no_channel"),
        ("7", "no_channel"),
        ("{}", "no_channel"),
        ('{"channel":5}', "no_channel"),
        ('{"channel":null,"data":[]}', "no_channel"),
        ('{"Channel":"pong"}', "no_channel"),
        ('{"channel":"POST","data":1}', "unknown_channel"),
        ('{"channel":"","data":1}', "unknown_channel"),
    ],
)
def test_what_is_no_frame_is_counted_by_kind(message: str | bytes, kind: str) -> None:
    result = decode_frame(message)
    assert result.frame is None
    assert kinds(result) == [kind]


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        pytest.param(lambda: "[" * 100_000, "no_channel", id="arrays"),
        pytest.param(lambda: '{"channel":"post","data":' + "[" * 100_000, "too_deep", id="deep payload"),
        pytest.param(lambda: '{"channel":"' + "x" * 1_000_000 + '"}', "unknown_channel", id="long channel"),
        pytest.param(lambda: "x" * (FRAME_CHARS_MAX + 1), "too_large", id="long text"),
        pytest.param(lambda: frame("error", "x" * (FRAME_CHARS_MAX + 1)), "too_large", id="long error"),
        pytest.param(lambda: b" " * (10 * 2**20), "too_large", id="ten megabytes"),
    ],
)
def test_monstrous_messages_are_counted_by_kind(make: Callable[[], str | bytes], kind: str) -> None:
    result = decode_frame(make())
    assert result.frame is None
    assert kinds(result) == [kind]


def test_nesting_in_a_part_we_do_not_read_is_skipped_or_counted() -> None:
    """How deep the decoder skips depends on the interpreter's limit; either way nothing is raised."""
    result = decode_frame('{"data":' + "[" * 50_000 + "]" * 50_000 + ',"channel":"pong"}')
    assert result == Decoded(Pong()) or kinds(result) == ["too_deep"]


def test_the_detail_of_an_anomaly_is_short() -> None:
    (one,) = decode_frame('{"channel":"' + "x" * 1_000_000 + '"}').anomalies
    assert len(one.detail) == DETAIL_LIMIT


def test_a_ten_megabyte_string_inside_a_field_is_refused() -> None:
    for channel, data in (
        ("l2Book", book("x" * 3_000_000, [], [])),
        ("trades", [{"coin": "#9000", "side": "B", "px": "0." + "4" * 3_000_000, "sz": "1", "time": 1, "tid": 1}]),
        ("error", "x" * 3_000_000),
        ("subscriptionResponse", {"method": "x" * 3_000_000, "subscription": {"type": "bbo"}}),
    ):
        assert refusal(channel, data) == f"{channel}.schema"


@pytest.mark.parametrize("channel", sorted(KNOWN_CHANNELS - {"pong", "error", "fastAssetCtxs"}))
@pytest.mark.parametrize("data", [5, "text", [[[]]], {"a": {}}, None, True, 1e400, [None]])
def test_every_channel_refuses_data_of_another_shape(channel: str, data: Any) -> None:
    text = frame(channel, data).replace("Infinity", "1e400")
    result = decode_frame(text)
    assert result.anomalies, text
    assert len(result.anomalies) == 1
    assert result.anomalies[0].kind in (f"{channel}.schema", "order.schema", "not_json")


def test_a_missing_payload_is_refused() -> None:
    for channel in sorted(KNOWN_CHANNELS - {"pong"}):
        assert kinds(decode_frame(json.dumps({"channel": channel}))) == [f"{channel}.schema"]


# -- acknowledgements and errors


def test_acks_carry_kind_and_coin() -> None:
    echo = {"method": "subscribe", "subscription": {"type": "bbo", "coin": "#9000", "nSigFigs": None}}
    assert value("subscriptionResponse", echo, SubscriptionAck) == SubscriptionAck(
        subscribed=True, kind="bbo", coin="#9000"
    )
    echo = {"method": "unsubscribe", "subscription": {"user": "0x", "type": "userFills"}}
    assert value("subscriptionResponse", echo, SubscriptionAck) == SubscriptionAck(
        subscribed=False, kind="userFills", coin=None
    )


def test_errors_are_shortened_but_kept() -> None:
    error = value("error", "Invalid subscription " + "y" * 5_000, ChannelError)
    assert error.code == "InvalidSubscription"
    assert len(error.text) == 2_000


# -- posts


def post(response: Any, post_id: Any = 3) -> dict[str, Any]:
    return {"id": post_id, "response": response}


def test_an_action_answer_carries_the_reply() -> None:
    answer = value(
        "post", post({"type": "action", "payload": {"status": "ok", "response": {"type": "default"}}}), PostAnswer
    )
    assert answer == PostAnswer(3, Accepted("default", ()), None)
    answer = value("post", post({"type": "action", "payload": {"status": "err", "response": "no"}}), PostAnswer)
    assert answer == PostAnswer(3, ActionRefused("no"), None)


def test_an_unreadable_reply_still_tells_which_post_it_was() -> None:
    """Dropping the frame whole would leave the order pending until its deadline."""
    result = decoded("post", post({"type": "action", "payload": {"status": "maybe"}}))
    assert result.frame == PostAnswer(3, None, None)
    assert kinds(result) == ["exchange.status"]
    result = decoded("post", post({"type": "action", "payload": 17}))
    assert result.frame == PostAnswer(3, None, None)
    assert kinds(result) == ["exchange.schema"]


def test_a_transport_error_is_told_apart() -> None:
    assert value("post", post({"type": "error", "payload": "429 Too Many Requests"}), PostAnswer) == PostAnswer(
        3, None, "429 Too Many Requests"
    )


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (post({"type": "info", "payload": {}}), "post.kind"),
        (post({"type": "error", "payload": {"a": 1}}), "post.schema"),
        (post({"type": "action"}), "post.schema"),
        (post({"type": "action", "payload": {}}, "3"), "post.schema"),
        (post({"type": "action", "payload": {}}, -3), "post.schema"),
        (post({"type": "action", "payload": {}}, 1.0), "post.schema"),
        (post(None), "post.schema"),
    ],
)
def test_posts_of_another_shape_are_refused(data: Any, kind: str) -> None:
    assert refusal("post", data) == kind


def test_a_reply_with_a_repeated_key_is_refused() -> None:
    text = frame("post", post({"type": "action", "payload": {"status": "ok", "response": {"type": "default"}}}))
    assert kinds(decode_frame(text.replace('"status": "ok"', '"status": "err", "status": "ok"'))) == ["duplicate_keys"]


# -- market list


def test_creations_and_settlements_keep_their_order() -> None:
    changes = value(
        "outcomeMetaUpdates",
        [
            {"outcomeSettled": 900},
            {"outcomeCreated": binary(908)},
            {"questionUpdated": bucket(4, 908, 909)},
            {"questionSettled": 4},
            {"questionSettled": {"question": 5}},
            {"outcomeSettled": {"outcome": 901}},
        ],
        MetaChanges,
    )
    assert changes.settled == (900, 901)
    assert [spec.outcome for spec in changes.created] == [908]
    assert [(one.question, one.fallback_outcome, one.named_outcomes) for one in changes.questions] == [(4, 908, (909,))]
    assert changes.settled_questions == (4, 5)


@pytest.mark.parametrize("row", [{}, 5, {"question": 4}, bucket(-1, 1), bucket(4, 1, "2"), bucket(4, 1, name=None)])
def test_one_unreadable_question_does_not_cost_its_neighbours(row: Any) -> None:
    result = decoded("outcomeMetaUpdates", [{"questionUpdated": row}, {"questionUpdated": bucket(4, 908)}])
    assert kinds(result) == ["question.schema"]
    assert isinstance(result.frame, MetaChanges)
    assert [one.question for one in result.frame.questions] == [4]


@pytest.mark.parametrize(
    "spec",
    [
        5,
        {"outcome": 9},
        binary(908, sideSpecs=[{"name": "Yes"}]),
        binary(908, sideSpecs=None),
        binary(-1),
        binary(908, description="x" * 2_001),
        binary(908, quoteToken=None),
    ],
)
def test_one_unreadable_creation_does_not_cost_its_neighbours(spec: Any) -> None:
    result = decoded("outcomeMetaUpdates", [{"outcomeCreated": spec}, {"outcomeCreated": binary(909)}])
    assert kinds(result) == ["outcome.schema"]
    assert isinstance(result.frame, MetaChanges)
    assert [one.outcome for one in result.frame.created] == [909]


@pytest.mark.parametrize("data", [{}, None, [{"outcomeSettled": "900"}], [{"outcomeSettled": -1}], [5]])
def test_market_list_changes_of_another_shape_are_refused(data: Any) -> None:
    assert refusal("outcomeMetaUpdates", data) == "outcomeMetaUpdates.schema"


# -- helpers of the codec


def test_guarded_returns_the_value_or_the_named_refusal() -> None:
    assert guarded("kind", int, "5") == (5, ())

    def nested() -> None:
        nested()

    value_, (one,) = guarded("kind", nested)
    assert value_ is None
    assert one.kind == "kind"


def test_anomalies_are_comparable_values() -> None:
    assert anomaly("a", "b") == Anomaly("a", "b")
    assert anomaly("a", 5).detail == "5"


def test_frames_of_every_kind_survive_each_other() -> None:
    """Decoders keep no state: the order in which frames come changes nothing."""
    messages = [
        frame("l2Book", book("#9000", levels(("0.4", "1")), [])),
        frame("userFills", {"user": "0x", "fills": [fill_row()]}),
        frame("orderUpdates", [update_row()]),
        '{"channel":"pong"}',
        "{",
        frame("bbo", {"coin": "#9000", "time": 1, "bbo": [None, None]}),
    ]
    forward = [decode_frame(one) for one in messages]
    backward = [decode_frame(one) for one in reversed(messages)]
    assert forward == list(reversed(backward))
