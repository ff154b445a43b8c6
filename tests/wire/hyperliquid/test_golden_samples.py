"""Every file of `fixtures/hyperliquid/samples`: each message decodes to what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hlomm.domain.fills import FillKind
from hlomm.domain.ids import MarketId
from hlomm.domain.markets import Leg, Market, MarketKind
from hlomm.domain.orders import Side
from hlomm.domain.units import parse
from hlomm.venues.hyperliquid.wire import info
from hlomm.venues.hyperliquid.wire.descriptions import name_of, print_description, read_description
from hlomm.venues.hyperliquid.wire.frames import (
    ChannelError,
    Hello,
    MetaChanges,
    Pong,
    PostAnswer,
    SubscriptionAck,
    decode_frame,
)
from hlomm.venues.hyperliquid.wire.outcomes import NotTraded, outcome_class, outcome_listing
from hlomm.venues.hyperliquid.wire.public import Marks
from hlomm.venues.hyperliquid.wire.replies import (
    Accepted,
    ActionRefused,
    Done,
    Filled,
    Refused,
    Rested,
    Waiting,
    decode_exchange,
)
from hlomm.venues.hyperliquid.wire.subscriptions import Subscription, subscribe_frame, unsubscribe_frame
from tests.wire.hyperliquid.conftest import Shared
from tests.wire.hyperliquid.tools import frame


def text(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.fixture
def hip4(shared: Shared) -> dict[str, Any]:
    return shared.json("samples/hip4_samples.json")


@pytest.fixture
def envelopes(shared: Shared) -> dict[str, Any]:
    return shared.json("samples/ws_envelopes.json")


def test_no_sample_file_is_left_out(shared: Shared) -> None:
    assert [name.removeprefix("samples/") for name in shared.files("samples")] == [
        "exchange_responses.json",
        "fast_asset_ctxs.json",
        "hip4_samples.json",
        "user_fees_testnet.json",
        "user_fills_spot_testnet.json",
        "ws_envelopes.json",
    ]


# -- hip4_samples


def test_official_outcome_list_is_read_but_lacks_its_collateral(hip4: dict[str, Any]) -> None:
    meta, anomalies = info.decode_outcome_meta(text(hip4["outcomeMeta_doc"]["response"]))
    assert anomalies == ()
    assert meta is not None
    assert meta.listed == {123}
    (spec,) = meta.specs
    assert outcome_class(spec) == "priceBinary"
    assert outcome_listing(spec) == NotTraded(123, "priceBinary", "no_quote_token")


def test_outcome_list_of_late_2026_names_what_is_traded_and_what_not(hip4: dict[str, Any]) -> None:
    meta, anomalies = info.decode_outcome_meta(text(hip4["outcomeMeta_shape_late_2026"]["response"]))
    assert anomalies == ()
    assert meta is not None
    listings = {spec.outcome: outcome_listing(spec) for spec in meta.specs}
    assert set(listings) == meta.listed == {900, 904, 905, 906, 907, 2649}
    binary = listings.pop(900)
    assert binary == Market(
        id=MarketId("hyperliquid:o900"),
        venue="hyperliquid",  # type: ignore[arg-type]
        kind=MarketKind.OUTCOME,
        ticker="OUT:BTC-118250-2026-07-31T0600",
        underlying="BTC",
        tick=parse("0.00001"),  # type: ignore[arg-type]
        lot=parse("1"),  # type: ignore[arg-type]
        min_notional=parse("10"),  # type: ignore[arg-type]
        quote_token="USDC",
        klass="priceBinary",
        strike=parse("118250"),  # type: ignore[arg-type]
        expiry_ns=1_785_477_600_000_000_000,
        period="1d",
        deployer=None,
    )
    (question,) = meta.questions
    assert (question.question, question.fallback_outcome, question.named_outcomes) == (40, 904, (905, 906, 907))
    assert question.settled_named_outcomes == ()
    assert {listings[outcome] for outcome in (904, 905, 906, 907)} == {
        NotTraded(904, "Recurring Fallback", "no_question"),
        *(NotTraded(outcome, "Recurring Named Outcome", "no_question") for outcome in (905, 906, 907)),
    }
    legs = [outcome_listing(spec, question) for spec in meta.specs if spec.outcome in question.outcomes]
    assert [leg.ticker for leg in legs if isinstance(leg, Market)] == [
        "OUT:BTC-other-2026-07-31T0600",
        "OUT:BTC-~115885-2026-07-31T0600",
        "OUT:BTC-115885~120615-2026-07-31T0600",
        "OUT:BTC-120615~-2026-07-31T0600",
    ]
    template = listings[2649]
    assert isinstance(template, Market)
    assert (template.deployer, template.comparator, template.averaging_s) == ("out", ">", 60)


@pytest.mark.parametrize("entry", ["outcomeMeta_doc", "outcomeMeta_shape_late_2026"])
def test_every_description_of_the_lists_prints_as_it_came(hip4: dict[str, Any], entry: str) -> None:
    body = hip4[entry]["response"]
    for row in (*body["outcomes"], *body.get("questions", [])):
        terms = read_description(row["name"], row["description"])
        assert (name_of(terms), print_description(terms)) == (row["name"], row["description"])


def test_settled_outcome_pays_its_fraction(hip4: dict[str, Any]) -> None:
    settlement, anomalies = info.decode_settled_outcome(text(hip4["settledOutcome_doc"]["response"]))
    assert anomalies == ()
    assert settlement is not None
    assert (settlement.outcome, settlement.yes_px, settlement.details) == (95, 0, "price:76876.9")


def test_unsettled_outcome_is_none_without_anomaly(hip4: dict[str, Any]) -> None:
    assert info.decode_settled_outcome(text(hip4["settledOutcome_unsettled"]["response"])) == (None, ())


def test_live_meta_updates_decode(hip4: dict[str, Any]) -> None:
    created = decode_frame(json.dumps(hip4["outcomeMetaUpdates_created"]["message"]))
    assert created.anomalies == ()
    assert isinstance(created.frame, MetaChanges)
    assert [spec.outcome for spec in created.frame.created] == [2649]
    assert created.frame.created[0].venue == "out"
    assert created.frame.settled == ()
    settled = decode_frame(json.dumps(hip4["outcomeMetaUpdates_settled"]["message"]))
    assert settled.frame == MetaChanges((), (2638,))
    assert settled.anomalies == ()


def test_live_settlement_fill_decodes(hip4: dict[str, Any]) -> None:
    rows, anomalies = info.decode_fills(text([hip4["settlement_fill"]["fill"]]), "0xU")
    assert anomalies == ()
    assert rows is not None
    (fill,) = rows.fills
    assert fill.kind is FillKind.SETTLEMENT
    assert (fill.market, fill.leg, fill.side) == ("hyperliquid:o11844", Leg.YES, Side.SELL)
    assert (fill.px, fill.qty, fill.fee) == (parse("1"), parse("42"), 0)
    assert (fill.client_id, fill.maker) == (None, False)
    assert fill.key == "#118440:1786671271762:783857055371202"
    assert fill.venue_ms == 1_786_671_271_762


def test_settlement_fee_is_exact_where_the_row_is_completed(hip4: dict[str, Any]) -> None:
    recorded = hip4["settlement_fill_with_fee"]["fill"]
    row = {"time": 1, "oid": 5, "tid": 6, **recorded}
    rows, anomalies = info.decode_fills(text([row]), "0xU")
    assert anomalies == ()
    assert rows is not None
    assert rows.fills[0].fee == parse("0.18582") == 163 * parse("0.00057") * 2
    assert rows.fills[0].leg is Leg.NO


def test_outcome_balances_decode_with_and_without_token(hip4: dict[str, Any]) -> None:
    balances, anomalies = info.decode_balances(text(hip4["spotClearinghouseState_outcome_rows"]["response"]), "0xU")
    assert anomalies == ()
    assert balances is not None
    assert balances.cash == {"USDC": parse("14.625485")}
    (token,) = balances.tokens
    assert (token.market, token.leg, token.total, token.cost) == (
        "hyperliquid:o15",
        Leg.YES,
        parse("25"),
        parse("12.5"),
    )


def test_user_outcome_replies_decode(hip4: dict[str, Any]) -> None:
    assert decode_exchange(text(hip4["userOutcome_ok"]["response"])) == (Accepted("default", ()), ())
    texts = [decode_exchange(text(one))[0] for one in hip4["userOutcome_errors"]["responses"]]
    assert texts == [
        ActionRefused("Invalid input number"),
        ActionRefused("Outcome error: Insufficient quote token balance"),
    ]


def test_every_entry_of_the_file_was_looked_at(hip4: dict[str, Any]) -> None:
    assert set(hip4) == {
        "note",
        "outcomeMeta_doc",
        "outcomeMeta_shape_late_2026",
        "settledOutcome_doc",
        "settledOutcome_unsettled",
        "outcomeMetaUpdates_created",
        "outcomeMetaUpdates_settled",
        "settlement_fill",
        "settlement_fill_with_fee",
        "settlement_fill_with_fee_2",  # figures of a check, no message
        "spotClearinghouseState_outcome_rows",
        "userOutcome_ok",
        "userOutcome_errors",
    }


# -- exchange_responses

OID = "77738308"
CLOID = "0x1234567890abcdef1234567890abcdef"
EXCHANGE: dict[str, Any] = {
    "order_resting": Accepted("order", (Rested(OID, None),)),  # type: ignore[arg-type]
    "order_resting_cloid": Accepted("order", (Rested(OID, CLOID),)),  # type: ignore[arg-type]
    "order_filled": Accepted("order", (Filled("77747314", None, parse("0.02")),)),  # type: ignore[arg-type]
    "order_error_in_status": Accepted("order", (Refused("Order must have minimum value of $10."),)),
    "order_bracket_children": Accepted(
        "order",
        (Rested("1", None), Waiting("waitingForFill"), Waiting("waitingForTrigger")),  # type: ignore[arg-type]
    ),
    "cancel_ok": Accepted("cancel", (Done(),)),
    "cancel_missing": Accepted("cancel", (Refused("Order was never placed, already canceled, or filled."),)),
    "default_ok": Accepted("default", ()),
    "top_level_error": ActionRefused("User or API Wallet 0x0000000000000000000000000000000000000000 does not exist."),
    "rate_limited_address": ActionRefused(
        "Too many cumulative requests sent (37986 > 10436) for cumulative volume traded $437.92. "
        "Place taker orders to free up 1 request per USDC traded."
    ),
    "schedule_cancel_gate": ActionRefused(
        "Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: $437.92."
    ),
    "twap_running": Accepted("twapOrder", ()),
    "twap_error": Accepted("twapOrder", ()),
}


def test_every_exchange_reply_decodes_to_its_value(shared: Shared) -> None:
    replies = shared.json("samples/exchange_responses.json")
    replies.pop("provenance")
    assert set(replies) == set(EXCHANGE)
    for name, reply in replies.items():
        assert decode_exchange(text(reply)) == (EXCHANGE[name], ()), name


# -- ws_envelopes


def test_ping_and_greeting_are_known(envelopes: dict[str, Any]) -> None:
    assert decode_frame(json.dumps(envelopes["ping"][1])).frame == Pong()
    assert decode_frame(envelopes["first_text_frame"]).frame == Hello()
    assert decode_frame(envelopes["first_text_frame"].encode()).frame == Hello()


def test_subscriptions_are_asked_for_in_the_documented_words(envelopes: dict[str, Any]) -> None:
    ours = subscribe_frame(Subscription("l2Book", "#150", fast=True))
    assert json.loads(ours) == envelopes["subscribe"][0]
    ours = unsubscribe_frame(Subscription("trades", "#150"))
    assert json.loads(ours) == envelopes["unsubscribe"][0]


def test_normalised_echoes_match_by_kind_and_coin(envelopes: dict[str, Any]) -> None:
    ack = decode_frame(json.dumps(envelopes["subscribe"][1]))
    assert ack.frame == SubscriptionAck(subscribed=True, kind="l2Book", coin="#150")
    ack = decode_frame(json.dumps(envelopes["unsubscribe"][1]))
    assert ack.frame == SubscriptionAck(subscribed=False, kind="trades", coin="#150")


def test_channel_errors_are_matched_by_prefix(envelopes: dict[str, Any]) -> None:
    found = [decode_frame(json.dumps(one)).frame for one in envelopes["errors"]]
    assert all(isinstance(one, ChannelError) for one in found)
    assert [(one.code, one.post_id) for one in found if isinstance(one, ChannelError)] == [
        ("AlreadySubscribed", None),
        ("InvalidSubscription", None),
        ("AlreadyUnsubscribed", None),
        ("TooManyUsers", None),
        ("TooManyPosts", 1234),
    ]


def test_action_posts_and_their_failures_decode(envelopes: dict[str, Any]) -> None:
    answer = decode_frame(json.dumps(envelopes["post_order"][1]))
    assert answer.frame == PostAnswer(256, Accepted("order", (Rested("88383", None),)), None)  # type: ignore[arg-type]
    refused = decode_frame(json.dumps(envelopes["post_order_business_error"]))
    assert refused.frame == PostAnswer(
        257, ActionRefused("User or API Wallet 0x0000000000000000000000000000000000000000 does not exist."), None
    )
    turned_away = decode_frame(json.dumps(envelopes["post_transport_error"]))
    assert turned_away.frame == PostAnswer(258, None, "429 Too Many Requests")


def test_info_posts_are_not_ours_and_are_counted(envelopes: dict[str, Any]) -> None:
    answer = decode_frame(json.dumps(envelopes["post_info"][1]))
    assert answer.frame is None
    assert [one.kind for one in answer.anomalies] == ["post.kind"]


# -- the rest


def test_fast_contexts_unpack_to_the_documented_marks(shared: Shared) -> None:
    sample = shared.json("samples/fast_asset_ctxs.json")
    result = decode_frame(frame("fastAssetCtxs", sample["payload"]))
    assert result.anomalies == ()
    assert isinstance(result.frame, Marks)
    marks = {mark.market: mark.px for mark in result.frame.marks}
    assert marks == {f"hyperliquid:{coin}": parse(row["markPx"]) for coin, row in sample["decoded"].items()}


def test_recorded_fees_decode(shared: Shared) -> None:
    fees, anomalies = info.decode_user_fees(text(shared.json("samples/user_fees_testnet.json")["response"]))
    assert anomalies == ()
    assert fees == info.UserFees(
        perp_taker=45_000, perp_maker=15_000, spot_taker=70_000, spot_maker=40_000, referral_discount=0
    )


def test_recorded_spot_fills_are_skipped_without_anomaly(shared: Shared) -> None:
    sample = shared.json("samples/user_fills_spot_testnet.json")
    rows, anomalies = info.decode_fills(text(sample["response"]), "0xU")
    assert anomalies == ()
    assert rows is not None
    # Seven rows on spot pairs, among them a dust conversion with tid 0 and base-token fees: none is ours.
    assert (rows.fills, rows.skipped) == ((), 7)
