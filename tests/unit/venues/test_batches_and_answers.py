"""From outputs to signed batches, and from every end of a batch to inputs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_account import Account

from hlomm.domain.ids import HYPERLIQUID, ClientId, MarketId, VenueOrderId
from hlomm.domain.inputs import (
    AmendFailed,
    CancelFailed,
    ConversionFailed,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    SendLost,
    SendRefused,
    SentAction,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Side, Tif
from hlomm.domain.outputs import AmendOrders, CancelOrders, ConvertSet, PlaceOrders
from hlomm.domain.sets import SetAction
from hlomm.domain.units import Qty, parse
from hlomm.venues.counters import Counters
from hlomm.venues.curve import Key
from hlomm.venues.hyperliquid import signing
from hlomm.venues.hyperliquid.account_feed import AmendWatch
from hlomm.venues.hyperliquid.answers import Answers
from hlomm.venues.hyperliquid.batches import CANCELS_READY, Batch, BatchKind, Encoder
from hlomm.venues.hyperliquid.limits import BATCH_MAX
from hlomm.venues.hyperliquid.nonces import Nonces
from hlomm.venues.hyperliquid.registry import Registry
from hlomm.venues.hyperliquid.signing import Chain, Signer
from hlomm.venues.hyperliquid.wire import actions
from hlomm.venues.hyperliquid.wire.outcomes import PerpRow
from hlomm.venues.hyperliquid.wire.replies import Accepted, ActionRefused, Done, Filled, Refused, Rested, Waiting
from tests.unit.venues.fake_hyperliquid import ACCOUNT, KEY
from tests.unit.venues.harness import OUTCOME, PERP, amend_of, cancel, order, place

NOW_MS = 1_785_412_800_000


def encoder(vault: str | None = None) -> Encoder:
    markets = Registry(("BTC",), Counters())
    markets.apply_perps([PerpRow("BTC", 5)])
    return Encoder(Signer(Key(KEY), Chain.TESTNET), Nonces(), markets, vault, 10_000)


def encode(output: Any, one: Encoder | None = None) -> tuple[list[Batch], list[Any]]:
    return (one or encoder()).encode(output, NOW_MS)


def body_of(batch: Batch) -> dict[str, Any]:
    return json.loads(batch.body)


# -- encoding


def test_a_place_is_signed_for_the_account_that_the_key_belongs_to() -> None:
    request = order(qty="100", px="0.45")
    (batch,), refusals = encode(place(request))
    assert refusals == []
    assert (batch.kind, batch.requests, batch.expires_ms) == (BatchKind.PLACE, (request,), NOW_MS + 10_000)
    body = body_of(batch)
    assert set(body) == {"action", "nonce", "signature", "vaultAddress", "expiresAfter"}
    assert (body["nonce"], body["expiresAfter"], body["vaultAddress"]) == (NOW_MS, NOW_MS + 10_000, None)
    digest = signing.l1_digest(
        Chain.TESTNET, signing.action_hash(signing.pack_action(body["action"]), NOW_MS, None, NOW_MS + 10_000)
    )
    signature = body["signature"]
    recovered = Account._recover_hash(digest, vrs=(signature["v"], int(signature["r"], 16), int(signature["s"], 16)))
    assert recovered.lower() == ACCOUNT


def test_a_vault_is_in_the_body_and_in_the_signature() -> None:
    request = order()
    (with_vault,), _ = encode(place(request), encoder(ACCOUNT))
    (without,), _ = encode(place(request))
    assert body_of(with_vault)["vaultAddress"] == ACCOUNT
    assert body_of(with_vault)["signature"] != body_of(without)["signature"]


def test_each_batch_has_its_own_nonce() -> None:
    one = encoder()
    nonces = [body_of(encode(place(order()), one)[0][0])["nonce"] for _ in range(3)]
    assert nonces == [NOW_MS, NOW_MS + 1, NOW_MS + 2]


@pytest.mark.parametrize(
    ("market", "leg", "asset"),
    [(OUTCOME, Leg.YES, 100_009_000), (OUTCOME, Leg.NO, 100_009_001), (PERP, Leg.YES, 0)],
)
def test_legs_have_their_asset_ids(market: MarketId, leg: Leg, asset: int) -> None:
    (batch,), _ = encode(place(order(market=market, leg=leg)))
    (row,) = body_of(batch)["action"]["orders"]
    assert row["a"] == asset


def test_reduce_only_reaches_perps_only() -> None:
    (batch,), _ = encode(place(order(reduce_only=True), order(market=PERP, px="118000", reduce_only=True)))
    assert [row["r"] for row in body_of(batch)["action"]["orders"]] == [False, True]


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (39, [39]), (40, [39, 1]), (100, [39, 39, 22])])
def test_large_batches_are_split_and_keep_their_order(count: int, sizes: list[int]) -> None:
    requests = tuple(order() for _ in range(count))
    batches, _ = encode(place(*requests))
    assert [len(batch.requests) for batch in batches] == sizes
    assert tuple(one for batch in batches for one in batch.requests) == requests
    assert len({body_of(batch)["nonce"] for batch in batches}) == len(batches)
    cancels, _ = encode(cancel(*requests))
    assert [len(batch.requests) for batch in cancels] == sizes
    assert max(sizes, default=0) <= BATCH_MAX


def test_a_batch_that_mixes_times_in_force_is_a_fault_of_ours() -> None:
    """One GTC or IOC would cost every post-only order of the batch its place before the takers."""
    with pytest.raises(AssertionError):
        encode(place(order(tif=Tif.ALO), order(tif=Tif.IOC)))


def test_an_amend_that_is_not_post_only_is_a_fault_of_ours() -> None:
    from hlomm.domain.orders import AmendRequest

    one = order()
    wrong = AmendRequest(
        client_id=one.client_id,
        venue_order_id=VenueOrderId("5"),
        market=one.market,
        leg=one.leg,
        side=one.side,
        px=one.px,
        qty=one.qty,
        tif=Tif.GTC,
    )
    with pytest.raises(AssertionError):
        encode(AmendOrders(HYPERLIQUID, (wrong,)))


def test_amends_go_by_venue_id_and_keep_the_client_id() -> None:
    one = order()
    (batch,), _ = encode(AmendOrders(HYPERLIQUID, (amend_of(one, 77, "0.44", "50"),)))
    action = body_of(batch)["action"]
    assert "a" not in action
    (row,) = action["modifies"]
    assert row["oid"] == 77
    assert (row["order"]["c"], row["order"]["p"], row["order"]["s"]) == (one.client_id, "0.44", "50")
    assert row["order"]["t"] == {"limit": {"tif": "Alo"}}


def test_cancels_go_by_client_id() -> None:
    one = order(leg=Leg.NO)
    (batch,), _ = encode(cancel(one))
    assert body_of(batch)["action"] == {
        "type": "cancelByCloid",
        "cancels": [{"asset": 100_009_001, "cloid": one.client_id}],
        "f": True,
    }


def test_a_cancel_prepared_ahead_is_the_one_that_would_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [order(leg=leg) for leg in Leg for _ in range(20)]
    expected, _ = encode(cancel(*orders))
    ready = encoder()
    ready.prepare_cancels(Batch(kind=BatchKind.PLACE, requests=tuple(orders), body=b"", expires_ms=0))
    monkeypatch.delattr(actions, "cancel_row")  # nothing is written any more
    assert encode(cancel(*orders), ready) == (expected, [])
    assert [len(batch.requests) for batch in expected] == [39, 1]


def test_what_is_prepared_is_bounded_and_for_orders_that_rest() -> None:
    one, resting = encoder(), [order() for _ in range(CANCELS_READY + 3)]
    orders = (order(tif=Tif.IOC), order(market=MarketId("hyperliquid:DOGE")), *resting)
    one.prepare_cancels(Batch(kind=BatchKind.PLACE, requests=orders, body=b"", expires_ms=0))
    assert [order.client_id for order in orders if order.client_id in one._cancels] == [
        order.client_id for order in resting[3:]
    ]


def test_merges_name_the_outcome() -> None:
    (batch,), _ = encode(ConvertSet(action=SetAction.MERGE, market=OUTCOME, qty=Qty(parse("40"))))
    assert body_of(batch)["action"] == {"type": "userOutcome", "mergeOutcome": {"outcome": 900, "amount": "40"}}
    assert batch.client_ids() == ()
    assert batch.sent_action() is None


def test_what_cannot_be_said_is_refused_and_does_not_cost_the_rest() -> None:
    good, foreign, odd = order(), order(market=MarketId("hyperliquid:DOGE")), order(client_id=ClientId("0xABC"))
    (batch,), refusals = encode(PlaceOrders(HYPERLIQUID, (foreign, good, odd)))
    assert batch.requests == (good,)
    assert refusals == [
        SendRefused(
            (foreign.client_id, odd.client_id), SentAction.PLACE, "no such market, or an id the venue cannot take"
        )
    ]
    bad_oid = amend_of(order(), 5, "0.4", "50")
    bad_oid = type(bad_oid)(**{**{f: getattr(bad_oid, f) for f in bad_oid.__struct_fields__}, "venue_order_id": "x1"})
    batches, refusals = encode(AmendOrders(HYPERLIQUID, (bad_oid,)))
    assert batches == []
    assert [one.action for one in refusals] == [SentAction.AMEND]
    batches, refusals = encode(CancelOrders(HYPERLIQUID, cancel(foreign).cancels))
    assert batches == []
    assert [one.action for one in refusals] == [SentAction.CANCEL]
    assert encode(ConvertSet(action=SetAction.MERGE, market=PERP, qty=Qty(1))) == (
        [],
        [ConversionFailed(action=SetAction.MERGE, market=PERP, text="not an outcome market")],
    )


# -- answers


def answers() -> Answers:
    return Answers(AmendWatch(), Counters())


def placed(*requests: OrderRequest) -> Batch:
    return Batch(kind=BatchKind.PLACE, requests=requests, body=b"", expires_ms=0)


def rested(oid: str = "5") -> Rested:
    return Rested(VenueOrderId(oid), None)


def filled(size: str, oid: str = "6") -> Filled:
    return Filled(VenueOrderId(oid), None, Qty(parse(size)))


def reply(*statuses: Any, kind: str = "order") -> Accepted:
    return Accepted(kind, statuses)


def opened(one: OrderRequest, oid: str = "5") -> OrderOpened:
    return OrderOpened(client_id=one.client_id, venue_order_id=VenueOrderId(oid), leaves=None, venue_ms=0)


def test_each_status_answers_its_own_order() -> None:
    resting, taken, bad = order(), order(tif=Tif.IOC, qty="100"), order()
    events = answers().answered(
        placed(resting, taken, bad), reply(rested(), filled("60"), Refused("Order has zero size. asset=1"))
    )
    assert events == [
        opened(resting),
        OrderClosed(
            client_id=taken.client_id,
            venue_order_id=VenueOrderId("6"),
            status="filled",
            filled=Qty(parse("60")),
            venue_ms=0,
        ),
        OrderRejected(client_id=bad.client_id, code="ZeroSize", text="Order has zero size. asset=1"),
    ]


@pytest.mark.parametrize(
    ("tif", "size", "closes"), [(Tif.IOC, "60", True), (Tif.GTC, "60", False), (Tif.GTC, "100", True)]
)
def test_a_gtc_filled_in_part_is_believed_to_rest(tif: Tif, size: str, closes: bool) -> None:
    """Its reply is not documented; the opposite error would leave a resting order unattended."""
    one = order(tif=tif, qty="100")
    (event,) = answers().answered(placed(one), reply(filled(size)))
    assert isinstance(event, OrderClosed) is closes
    assert isinstance(event, OrderOpened) is not closes


def test_one_error_for_the_batch_rejects_every_order() -> None:
    orders = [order(), order(), order()]
    events = answers().answered(placed(*orders), reply(Refused("Price must be divisible by tick size. asset=9")))
    assert [(event.client_id, event.code) for event in events if isinstance(event, OrderRejected)] == [
        (one.client_id, "Tick") for one in orders
    ]


def test_a_refused_action_rejects_every_order() -> None:
    orders = [order(), order()]
    one = answers()
    events = one.answered(placed(*orders), ActionRefused("Invalid nonce: duplicate nonce 5"))
    assert [event.code for event in events if isinstance(event, OrderRejected)] == ["NonceDup", "NonceDup"]
    assert one.counters.get("refused.NonceDup") == 1


@pytest.mark.parametrize("statuses", [(), (rested(), rested()), (rested(), rested(), rested(), rested())])
def test_an_answer_that_does_not_fit_is_no_answer(statuses: Any) -> None:
    orders = [order(), order(), order()]
    (event,) = answers().answered(placed(*orders), reply(*statuses))
    assert isinstance(event, SendLost)
    assert event.client_ids == tuple(one.client_id for one in orders)
    assert event.action is SentAction.PLACE


@pytest.mark.parametrize("status", [Done(), Waiting("waitingForTrigger")])
def test_a_word_that_makes_no_sense_is_no_answer(status: Any) -> None:
    good, odd = order(), order()
    events = answers().answered(placed(good, odd), reply(rested(), status))
    assert events[0] == opened(good)
    assert isinstance(events[1], SendLost)
    assert events[1].client_ids == (odd.client_id,)


def test_a_request_turned_away_is_a_refusal() -> None:
    one = order()
    (event,) = answers().turned_away(placed(one), "429 null")
    assert event == OrderRejected(client_id=one.client_id, code="RateLimitIp", text="429 null")


def test_unsent_and_lost_batches_are_told_apart() -> None:
    orders = (order(), order())
    ids = tuple(one.client_id for one in orders)
    one = answers()
    assert one.unsent(placed(*orders), "queue full") == [SendRefused(ids, SentAction.PLACE, "queue full")]
    assert one.lost(placed(*orders), "no answer") == [SendLost(ids, SentAction.PLACE, "no answer")]
    assert (one.counters.get("sends_refused"), one.counters.get("sends_lost")) == (2, 2)


# -- cancels


def canceled(*orders: OrderRequest) -> Batch:
    return Batch(kind=BatchKind.CANCEL, requests=cancel(*orders).cancels, body=b"", expires_ms=0)


def test_a_cancel_that_succeeds_closes_and_one_that_fails_says_why() -> None:
    gone, missing, odd = order(), order(), order()
    text = "Order was never placed, already canceled, or filled. asset=100009000"
    events = answers().answered(canceled(gone, missing, odd), reply(Done(), Refused(text), rested(), kind="cancel"))
    assert events[:2] == [
        OrderClosed(client_id=gone.client_id, venue_order_id=None, status="canceled", filled=None, venue_ms=0),
        CancelFailed(client_id=missing.client_id, code="MissingOrder", text=text),
    ]
    assert isinstance(events[2], SendLost)
    assert events[2].action is SentAction.CANCEL


def test_lost_and_unsent_cancels_say_so() -> None:
    one = order()
    assert answers().lost(canceled(one), "x") == [SendLost((one.client_id,), SentAction.CANCEL, "x")]
    assert answers().unsent(canceled(one), "x") == [SendRefused((one.client_id,), SentAction.CANCEL, "x")]


# -- amends


def amended(*orders: OrderRequest) -> Batch:
    requests = tuple(amend_of(one, 70 + place, "0.4", "30") for place, one in enumerate(orders))
    return Batch(kind=BatchKind.AMEND, requests=requests, body=b"", expires_ms=0)


OLD = VenueOrderId("70")


def held_cancel(one: OrderRequest) -> OrderClosed:
    return OrderClosed(client_id=one.client_id, venue_order_id=OLD, status="canceled", filled=Qty(0), venue_ms=3)


@pytest.mark.parametrize("status", [rested("80"), filled("30", "80")])
def test_an_amend_that_took_effect_retires_the_old_id(status: Any) -> None:
    request = order()
    one = answers()
    one.started(amended(request))
    assert one.amends.hold(held_cancel(request))
    (event,) = one.answered(amended(request), reply(status))
    assert isinstance(event, OrderOpened | OrderClosed)
    assert event.venue_order_id == "80"
    assert one.amends.is_replaced(OLD)


def test_a_refused_amend_tells_why_and_then_what_was_held_back() -> None:
    request = order()
    one = answers()
    one.started(amended(request))
    one.amends.hold(held_cancel(request))
    text = "Post only order would have immediately matched, bbo was 0.4@0.5."
    assert one.answered(amended(request), reply(Refused(text))) == [
        AmendFailed(client_id=request.client_id, code="BadAloPx", text=text),
        held_cancel(request),
    ]


def test_a_refused_amend_with_nothing_held_tells_only_why() -> None:
    request = order()
    one = answers()
    one.started(amended(request))
    assert one.answered(amended(request), reply(Refused("Cannot modify canceled or filled order"))) == [
        AmendFailed(client_id=request.client_id, code="ModifyDead", text="Cannot modify canceled or filled order")
    ]


def test_a_lost_amend_keeps_the_held_cancel_to_itself() -> None:
    """Told, it would end an order whose amended form may rest; the client id will be asked about instead."""
    request = order()
    one = answers()
    one.started(amended(request))
    one.amends.hold(held_cancel(request))
    assert one.lost(amended(request), "no answer") == [SendLost((request.client_id,), SentAction.AMEND, "no answer")]
    assert one.amends.is_replaced(OLD)


def test_an_unsent_amend_gives_the_held_cancel_back() -> None:
    request = order()
    one = answers()
    one.started(amended(request))
    one.amends.hold(held_cancel(request))
    assert one.unsent(amended(request), "queue full") == [
        SendRefused((request.client_id,), SentAction.AMEND, "queue full"),
        held_cancel(request),
    ]


def test_a_senseless_word_for_an_amend_is_a_lost_amend() -> None:
    request = order()
    one = answers()
    one.started(amended(request))
    (event,) = one.answered(amended(request), reply(Waiting("x")))
    assert isinstance(event, SendLost)
    assert event.action is SentAction.AMEND


# -- conversions


MERGE = ConvertSet(action=SetAction.MERGE, market=OUTCOME, qty=Qty(5))


def merged() -> Batch:
    return Batch(kind=BatchKind.CONVERT, requests=(MERGE,), body=b"", expires_ms=0)


def unmerged(text: str, *, lost: bool = False) -> list[ConversionFailed]:
    return [ConversionFailed(action=SetAction.MERGE, market=OUTCOME, text=text, lost=lost)]


def test_a_merge_is_told_only_when_it_fails() -> None:
    one = answers()
    assert one.answered(merged(), Accepted("default", ())) == []
    assert one.answered(merged(), ActionRefused("Invalid input number")) == unmerged("Invalid input number")
    assert one.unsent(merged(), "queue full") == unmerged("queue full")
    assert one.lost(merged(), "no answer") == unmerged("unknown whether done: no answer", lost=True)
    assert one.turned_away(merged(), "429 null") == unmerged("429 null")


def test_sides_and_sizes_survive_the_way_to_the_wire() -> None:
    (batch,), _ = encode(place(order(Side.SELL, "0.99999", "12345")))
    (row,) = body_of(batch)["action"]["orders"]
    assert (row["b"], row["p"], row["s"]) == (False, "0.99999", "12345")
