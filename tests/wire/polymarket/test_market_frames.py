"""The market channel and books over REST."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.orders import Side
from hlomm.domain.units import parse
from hlomm.venues.polymarket.wire.books import BookFields, TokenBook, book_hash, decode_book
from hlomm.venues.polymarket.wire.market_frames import (
    ANY_BOOK,
    LastTrade,
    LevelChange,
    MarketDecoded,
    NewMarket,
    Pong,
    PriceChanges,
    Resolved,
    TickChange,
    Touch,
    decode_market,
)
from tests.wire.polymarket.conftest import Shared

# File of the fixtures, and what comes of it: the values or the one anomaly.
FIXTURES: dict[str, Any] = {
    "nautilus_py/ws/book.json": [TokenBook],
    "nautilus_py/ws/last_trade_price.json": [LastTrade],
    "nautilus_py/ws/price_change.json": "price_change.old_schema",
    "nautilus_py/ws/price_change_v2.json": [PriceChanges],
    "nautilus_py/ws/tick_size_change.json": [TickChange],
    "nautilus_rs/ws_market_best_bid_ask_msg.json": [Touch],
    "nautilus_rs/ws_market_book_msg.json": [TokenBook],
    "nautilus_rs/ws_market_last_trade_msg.json": [LastTrade],
    "nautilus_rs/ws_market_new_market_msg.json": [NewMarket],
    "nautilus_rs/ws_market_price_change_msg.json": [PriceChanges],
    "nautilus_rs/ws_market_resolved_msg.json": [Resolved],
    "nautilus_rs/ws_market_tick_size_msg.json": [TickChange],
    # Hand-made without the name of the event.
    "nautilus_rs/ws_book_snapshot.json": "market.no_event_type",
    "nautilus_rs/ws_last_trade.json": "market.no_event_type",
    "nautilus_rs/ws_quotes.json": "market.no_event_type",
    "nautilus_rs/ws_tick_size_change.json": "market.no_event_type",
}


def one(document: Any) -> Any:
    decoded = decode_market(json.dumps(document))
    assert decoded.anomalies == ()
    (event,) = decoded.events
    return event


def refusal(document: Any) -> str:
    decoded = decode_market(json.dumps(document))
    assert decoded.events == ()
    (wrong,) = decoded.anomalies
    return wrong.kind


def book(**fields: Any) -> dict[str, Any]:
    row = {
        "event_type": "book",
        "market": "0xab",
        "asset_id": "71",
        "timestamp": "1779628145346",
        "hash": "x",
        "bids": [{"price": "0.48", "size": "10"}, {"price": "0.5", "size": "15.5"}],
        "asks": [{"price": "0.54", "size": "10"}, {"price": "0.52", "size": "25"}],
    }
    return {**row, **fields}


def change(**fields: Any) -> dict[str, Any]:
    row = {
        "asset_id": "71", "price": "0.5", "size": "3", "side": "BUY", "hash": "h",
        "best_bid": "0.5", "best_ask": "0.52",
    }  # fmt: skip
    return {"event_type": "price_change", "market": "0xab", "timestamp": "1", "price_changes": [{**row, **fields}]}


def test_every_fixture_decodes_or_is_a_named_anomaly(shared: Shared) -> None:
    for name, expected in FIXTURES.items():
        decoded = decode_market(shared.bytes(name))
        if isinstance(expected, str):
            assert [wrong.kind for wrong in decoded.anomalies] == [expected], name
        else:
            assert decoded.anomalies == (), name
            assert [type(event) for event in decoded.events] == expected, name


def test_every_recorded_message_decodes(shared: Shared) -> None:
    seen: Counter[str] = Counter()
    for line in shared.frames():
        decoded = decode_market(line)
        assert decoded.anomalies == ()
        seen.update(type(event).__name__ for event in decoded.events)
    assert seen == {"TokenBook": 494, "PriceChanges": 60, "LastTrade": 1}


def test_recorded_books_have_the_hash_they_tell(shared: Shared) -> None:
    """The stream leaves out two fields that the hash covers; with them every recorded hash comes out."""
    checked = 0
    for line in shared.frames():
        rows = json.loads(line)
        for row in rows if isinstance(rows, list) else [rows]:
            if row["event_type"] != "book":
                continue
            fields = {key: value for key, value in row.items() if key != "event_type"}
            hashes = {
                book_hash(decode({**fields, "min_order_size": "5", "neg_risk": neg_risk})) for neg_risk in (False, True)
            }
            checked += row["hash"] in hashes
    assert checked == 494


def decode(document: dict[str, Any]) -> BookFields:
    return msgspec.convert(document, BookFields)


def test_golden_book_hashes(shared: Shared) -> None:
    for vector in shared.json("signing_vectors.json")["book_hash"]["vectors"]:
        assert book_hash(decode(vector)) == vector["hash"]
        good, anomalies = decode_book(json.dumps(vector).encode())
        assert good is not None
        assert anomalies == ()
        bad, anomalies = decode_book(json.dumps({**vector, "last_trade_price": "0.6"}).encode())
        assert bad is None
        assert [wrong.kind for wrong in anomalies] == ["book.hash"]


def test_books_over_rest(shared: Shared) -> None:
    for name in ("nautilus_py/http/book.json", "nautilus_rs/clob_book_response.json"):
        got, anomalies = decode_book(shared.bytes(name))
        assert anomalies == ()
        assert got is not None
        assert got.bids[0][0] < got.asks[0][0]
    assert decode_book(b"nonsense")[1][0].kind == "book.schema"


def test_the_best_level_comes_first_whichever_way_it_was_sent() -> None:
    for reverse in (False, True):
        row = book()
        sent = book(bids=row["bids"][::-1], asks=row["asks"][::-1]) if reverse else row
        got = one(sent)
        assert got.bids == ((parse("0.5"), parse("15.5")), (parse("0.48"), parse("10")))
        assert got.asks == ((parse("0.52"), parse("25")), (parse("0.54"), parse("10")))
        assert got.venue_ms == 1_779_628_145_346


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"bids": [{"price": "0.53", "size": "1"}]}, "book.crossed"),
        ({"bids": [{"price": "0", "size": "1"}]}, "book.price"),
        ({"asks": [{"price": "1", "size": "1"}]}, "book.price"),
        ({"bids": [{"price": "0.5", "size": "0"}]}, "book.size"),
        ({"bids": [{"price": "0.5", "size": "-1"}]}, "book.size"),
        ({"bids": [{"price": "0.5", "size": "1"}, {"price": "0.50", "size": "2"}]}, "book.repeated"),
        ({"bids": [{"price": "NaN", "size": "1"}]}, "book.price"),
        ({"timestamp": "yesterday"}, "book.timestamp"),
        ({"bids": None}, "book.schema"),
        ({"asset_id": ""}, "book.schema"),
    ],
)
def test_books_that_cannot_be(fields: dict[str, Any], kind: str) -> None:
    assert refusal(book(**fields)) == kind


def test_changes() -> None:
    got = one(change())
    assert got.changes == (LevelChange("71", Side.BUY, parse("0.5"), parse("3"), parse("0.5"), parse("0.52")),)
    assert one(change(size="0")).changes[0].qty == 0
    empty = one(change(best_bid="0", best_ask="1")).changes[0]
    assert (empty.best_bid, empty.best_ask) == (None, None)
    assert refusal(change(side="BID")) == "price_change.side"
    assert refusal(change(price="1.5")) == "price_change.price"
    assert refusal(change(best_bid="1.1")) == "price_change.best"


def test_arrays_cost_their_bad_rows_only() -> None:
    decoded = decode_market(json.dumps([book(), {"event_type": "unheard"}, change(side="x"), change()]))
    assert [type(event) for event in decoded.events] == [TokenBook, PriceChanges]
    assert [wrong.kind for wrong in decoded.anomalies] == ["market.unknown_event", "price_change.side"]
    assert decode_market("[]") == MarketDecoded(())


@pytest.mark.parametrize(
    ("text", "spoilt"),
    [
        (json.dumps(change(side="x")), ("0xab",)),
        (json.dumps([change(price=None), change(size=5), book(bids=None)]), ("0xab",)),
        (json.dumps(change())[:-9], (ANY_BOOK,)),
        (json.dumps([change()])[:-9], (ANY_BOOK,)),
        (json.dumps({"event_type": 5, "market": "0xab"}), (ANY_BOOK,)),
        (json.dumps({"market": "0xab", "price_changes": []}), ("0xab",)),
        (json.dumps({"event_type": "price_change"}), (ANY_BOOK,)),
        (json.dumps({"event_type": "unheard", "market": "0xab"}), ()),
        (json.dumps({"error": "not now"}), ()),
        ("NO NEW ASSETS", ()),
        (json.dumps(change()), ()),
    ],
)
def test_a_change_that_cannot_be_read_names_its_book(text: str, spoilt: tuple[str, ...]) -> None:
    assert decode_market(text).spoilt == spoilt


def test_everything_else() -> None:
    assert decode_market("PONG").events == (Pong(),)
    assert decode_market(b"PONG").events == (Pong(),)
    for text, kind in (
        ("", "not_json"),
        ("{", "not_json"),
        ("[", "not_json"),
        ("7", "no_object"),
        ("{}", "no_event_type"),
    ):
        (wrong,) = decode_market(text).anomalies
        assert wrong.kind == f"market.{kind}", text
    assert decode_market("[" * 100_000).anomalies
    assert decode_market("x" * (16 * 2**20 + 1)).anomalies[0].kind == "market.too_large"
    assert decode_market(json.dumps([{}] * 1_001)).anomalies[0].kind == "market.too_many"


@given(st.one_of(st.text(), st.binary(), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["event_type", "market", "asset_id", "bids", "asks", "price", "size", "price_changes"]), inner
    ),
).map(json.dumps)))  # fmt: skip
def test_nothing_makes_the_decoder_raise(data: str | bytes) -> None:
    decode_market(data)
    decode_book(data if isinstance(data, bytes) else data.encode(errors="surrogatepass"))
