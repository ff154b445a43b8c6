"""Bodies as they are sent."""

from __future__ import annotations

import json

import pytest

from hlomm.domain.orders import Tif
from hlomm.domain.secret import Secret
from hlomm.venues.polymarket.auth import ApiKey
from hlomm.venues.polymarket.wire import requests
from tests.wire.polymarket.conftest import Shared
from tests.wire.polymarket.test_signing_vectors import signed

_TIFS = {("GTC", False): Tif.GTC, ("GTD", True): Tif.ALO, ("FOK", False): Tif.FOK, ("FAK", False): Tif.IOC}


def test_every_order_is_posted_as_recorded(shared: Shared) -> None:
    for vector in shared.json("signing_vectors.json")["orders"]["vectors"]:
        wire = vector["wire"]
        document = requests.order_document(
            signed(vector), wire["owner"], _TIFS[wire["orderType"], wire["postOnly"]], int(wire["order"]["expiration"])
        )
        body = requests.orders_body([document])
        assert json.loads(body) == wire, vector["name"]
        assert list(json.loads(body)["order"]) == list(wire["order"]), "in the order of the recorded keys"
        assert b" " not in body.replace(b'"ORDER ', b"")


def test_several_orders_are_a_list(shared: Shared) -> None:
    vectors = shared.json("signing_vectors.json")["orders"]["vectors"][:3]
    documents = [requests.order_document(signed(one), "key", Tif.ALO) for one in vectors]
    assert len(json.loads(requests.orders_body(documents))) == 3
    assert all(one["postOnly"] for one in documents)
    assert (requests.orders_path(1), requests.orders_path(2)) == ("/order", "/orders")
    with pytest.raises(AssertionError):
        requests.orders_body(documents * 6)


def test_what_fills_at_once_does_not_expire(shared: Shared) -> None:
    order = signed(shared.json("signing_vectors.json")["orders"]["vectors"][0])
    with pytest.raises(AssertionError):
        requests.order_document(order, "key", Tif.IOC, 5)


def test_cancels_and_heartbeats_are_the_bytes_of_the_vectors(shared: Shared) -> None:
    bodies = {one["note"]: one["body"] for one in shared.json("signing_vectors.json")["l2_hmac"]["vectors"]}
    single = json.loads(bodies["DELETE with body"])["orderID"]
    assert requests.cancel_body([single]).decode() == bodies["DELETE with body"]
    assert requests.cancel_body(["0xaa", "0xbb"]).decode() == bodies["batch cancel: JSON array of ids"]
    assert requests.heartbeat_body("").decode() == bodies["first heartbeat"]


def test_subscriptions() -> None:
    assert json.loads(requests.market_hello(["1", "2"])) == {
        "type": "market", "assets_ids": ["1", "2"], "custom_feature_enabled": True, "initial_dump": True,
    }  # fmt: skip
    assert json.loads(requests.market_change(["3"], subscribe=False))["operation"] == "unsubscribe"
    assert json.loads(requests.market_change(["3"], subscribe=True))["operation"] == "subscribe"
    assert json.loads(requests.user_hello(ApiKey("a", Secret("b"), Secret("c")))) == {
        "type": "user", "auth": {"apiKey": "a", "secret": "b", "passphrase": "c"},
    }  # fmt: skip


def test_queries() -> None:
    assert requests.with_query("/data/orders") == "/data/orders"
    assert (
        requests.with_query("/data/orders", next_cursor="MA==", limit=5) == "/data/orders?next_cursor=MA%3D%3D&limit=5"
    )
