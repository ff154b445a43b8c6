"""Recorded and hand-written material of others: SDK cassettes, adapter test data, raw frames, a market recording.

What the session does not ask for is checked too: it must be recognised as such and never raise.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from hlomm.domain.fills import FillKind
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import BboUpdate, BookSnapshot, BookSource
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, parse, to_text
from hlomm.venues.anomalies import Anomaly
from hlomm.venues.hyperliquid.wire import info, standing
from hlomm.venues.hyperliquid.wire.account import OrderRows
from hlomm.venues.hyperliquid.wire.candles import decode_candles
from hlomm.venues.hyperliquid.wire.descriptions import PriceBinary, expiry_ns, price_binary
from hlomm.venues.hyperliquid.wire.fills import FillRows
from hlomm.venues.hyperliquid.wire.frames import MetaChanges, decode_frame
from hlomm.venues.hyperliquid.wire.outcomes import perp_listing
from hlomm.venues.hyperliquid.wire.public import Prints
from tests.wire.hyperliquid.conftest import Shared
from tests.wire.hyperliquid.tools import book, decoded, frame, level, value

USER = "0xUSER"


def text(value: Any) -> bytes:
    return json.dumps(value).encode()


Decoder = Callable[[bytes], tuple[Any, tuple[Anomaly, ...]]]

DECODERS: dict[str, Decoder] = {
    "outcomeMeta": info.decode_outcome_meta,
    "meta": info.decode_perp_meta,
    "settledOutcome": info.decode_settled_outcome,
    "spotClearinghouseState": lambda body: info.decode_balances(body, USER),
    "clearinghouseState": info.decode_perp_account,
    "userFunding": info.decode_funding,
    "frontendOpenOrders": info.decode_open_orders,
    "openOrders": info.decode_open_orders,
    "userFills": lambda body: info.decode_fills(body, USER),
    "userFillsByTime": lambda body: info.decode_fills(body, USER),
    "orderStatus": info.decode_order_status,
    "l2Book": info.decode_l2_book,
    "userFees": info.decode_user_fees,
    "userRateLimit": info.decode_rate_limit,
    "exchangeStatus": info.decode_exchange_status,
    "candleSnapshot": decode_candles,
    "userRole": standing.decode_role,
    "extraAgents": standing.decode_agents,
}
# Requests of the cassettes that the session never makes.
NOT_ASKED = {
    "allMids",
    "fundingHistory",
    "historicalOrders",
    "userNonFundingLedgerUpdates",
}


def cassettes(shared: Shared) -> list[tuple[str, str, Any]]:
    """(file, request type, response) of every recorded interaction."""
    return [
        (name, one["request"]["type"], one["response"])
        for name in shared.files("sdk_cassettes")
        for one in shared.json(name)["interactions"]
    ]


def cassette(shared: Shared, name: str) -> Any:
    return shared.json(f"sdk_cassettes/{name}.json")["interactions"][-1]["response"]


# -- SDK cassettes


def test_every_recorded_answer_we_ask_for_decodes(shared: Shared) -> None:
    decoded_kinds = set()
    for name, kind, response in cassettes(shared):
        if kind in NOT_ASKED:
            continue
        answer, anomalies = DECODERS[kind](text(response))
        assert anomalies == (), name
        assert answer is not None, name
        decoded_kinds.add(kind)
    assert decoded_kinds == {
        "meta",
        "l2Book",
        "frontendOpenOrders",
        "openOrders",
        "userFills",
        "userFillsByTime",
        "userRateLimit",
        "clearinghouseState",
        "userFunding",
        "candleSnapshot",
        "userRole",
        "extraAgents",
    }


def test_recorded_candles_are_whole_hours_that_follow_one_another(shared: Shared) -> None:
    rows, anomalies = decode_candles(text(cassette(shared, "candles_snapshot")))
    assert anomalies == ()
    assert rows is not None
    assert (len(rows.candles), rows.skipped) == (24, 0)
    first = rows.candles[0]
    assert (first.coin, first.interval, first.start_ms, first.end_ms) == (
        "kPEPE",
        "1h",
        1_684_699_200_000,
        1_684_702_799_999,
    )
    assert (first.open, first.high, first.low, first.close) == (160_100, 161_600, 160_100, 160_400)
    assert first.volume == 520_665_683 * 10**8
    assert [one.start_ms for one in rows.candles] == [first.start_ms + 3_600_000 * n for n in range(24)]


def test_every_recorded_answer_is_safe_in_every_decoder(shared: Shared) -> None:
    """The venue answering another question than ours (a proxy, a mix-up) must not raise either."""
    for _, _, response in cassettes(shared):
        body = text(response)
        for decode in DECODERS.values():
            answer, anomalies = decode(body)
            assert answer is not None or anomalies or body == b"null"


def test_recorded_perp_universe_has_btc_first(shared: Shared) -> None:
    universe, _ = info.decode_perp_meta(text(cassette(shared, "info")))
    assert universe is not None
    assert len(universe) == 28
    market = perp_listing(universe[0])
    assert (market.id, market.tick, market.lot) == ("hyperliquid:BTC", parse("0.1"), parse("0.00001"))
    doge = next(row for row in universe if row.name == "DOGE")
    assert perp_listing(doge).lot == parse("1")
    assert perp_listing(doge).tick == parse("0.000001")


def test_recorded_book_keeps_every_level(shared: Shared) -> None:
    recorded = cassette(shared, "l2_snapshot")
    snapshot, _ = info.decode_l2_book(text(recorded))
    assert snapshot is not None
    assert snapshot.source is BookSource.REST
    assert snapshot.market == "hyperliquid:DYDX"
    for ours, theirs in zip((snapshot.bids, snapshot.asks), recorded["levels"], strict=True):
        assert [(to_text(px), to_text(size)) for px, size in ours] == [
            (to_text(parse(row["px"])), to_text(parse(row["sz"]))) for row in theirs
        ]
    assert snapshot.bids[0][0] < snapshot.asks[0][0]


def test_recorded_fills_without_tid_keep_apart(shared: Shared) -> None:
    """The cassette of 2023 has no tid: rows of one order and instant differ only in price and size."""
    recorded = cassette(shared, "user_fills")
    rows, _ = info.decode_fills(text(recorded), USER)
    assert rows is not None
    assert len(rows.fills) == len(recorded) == 100
    keys = {fill.key for fill in rows.fills}
    distinct = {(row["coin"], row["time"], row["oid"], row["px"], row["sz"], row["startPosition"]) for row in recorded}
    assert len(keys) == len(distinct)
    assert {fill.kind for fill in rows.fills} == {FillKind.TRADE}
    for fill, row in zip(rows.fills, recorded, strict=True):
        assert fill.maker is not row["crossed"]
        assert fill.side is (Side.BUY if row["side"] == "B" else Side.SELL)
        assert to_text(fill.px) == to_text(parse(row["px"]))


def test_fills_replayed_by_another_request_have_the_same_keys(shared: Shared) -> None:
    by_time, _ = info.decode_fills(text(cassette(shared, "user_fills_by_time")), USER)
    recent, _ = info.decode_fills(text(cassette(shared, "user_fills")), USER)
    assert by_time is not None
    assert recent is not None
    assert {fill.key for fill in by_time.fills} == {fill.key for fill in recent.fills}


def test_recorded_open_orders_are_all_read(shared: Shared) -> None:
    recorded = cassette(shared, "open_orders")
    orders, _ = info.decode_open_orders(text(recorded))
    assert orders is not None
    assert len(orders) == len(recorded) == 196
    assert [order.venue_order_id for order in orders] == [str(row["oid"]) for row in recorded]
    assert all(order.client_id is None for order in orders)


def test_recorded_frontend_orders_are_read(shared: Shared) -> None:
    recorded = cassette(shared, "frontend_open_orders")
    orders, _ = info.decode_open_orders(text(recorded))
    assert orders is not None
    assert [(order.px, order.leaves) for order in orders] == [
        (parse(row["limitPx"]), parse(row["sz"])) for row in recorded
    ]


def test_recorded_history_reads_as_order_reports(shared: Shared) -> None:
    recorded = cassette(shared, "historical_orders")
    result = decoded("orderUpdates", recorded)
    assert result.anomalies == ()
    assert isinstance(result.frame, OrderRows)
    assert [report.status for report in result.frame.reports] == [row["status"] for row in recorded]
    for report, row in zip(result.frame.reports, recorded, strict=True):
        answer, _ = info.decode_order_status(text({"status": "order", "order": row}))
        assert answer == info.OrderStatus(report)


def test_recorded_rate_limit_is_read(shared: Shared) -> None:
    limit, _ = info.decode_rate_limit(text(cassette(shared, "user_rate_limit")))
    assert limit == info.RateLimit(36_589_831_368, 170_043_731_737)


# -- nautilus test data


def nautilus(shared: Shared, name: str) -> Any:
    return shared.json(f"nautilus/{name}.json")


def test_no_nautilus_file_is_left_out(shared: Shared) -> None:
    assert len(shared.files("nautilus")) == 14


@pytest.mark.parametrize("name", ["http_l2_book_btc", "http_l2_book_snapshot", "ws_book_data"])
def test_books_read_the_same_over_both_transports(shared: Shared, name: str) -> None:
    data = nautilus(shared, name)
    over_rest, anomalies = info.decode_l2_book(text(data))
    assert anomalies == ()
    over_ws = value("l2Book", data, BookSnapshot)
    assert over_rest is not None
    assert (over_rest.bids, over_rest.asks, over_rest.venue_ms) == (over_ws.bids, over_ws.asks, over_ws.venue_ms)
    assert len(over_ws.bids) == len(over_ws.asks) == 5
    assert (over_rest.source, over_ws.source) == (BookSource.REST, BookSource.STREAM)


def test_recent_trades_read_as_prints(shared: Shared) -> None:
    prints = value("trades", nautilus(shared, "http_recent_trades_btc"), Prints)
    assert [(one.trade_id, one.aggressor) for one in prints.trades] == [
        ("300003", Side.SELL),
        ("300002", Side.BUY),
        ("300001", Side.SELL),
    ]
    assert prints.trades[1].px == parse("104310.5")
    assert prints.mirrored == 0


def test_perp_universe_with_nulls_is_read(shared: Shared) -> None:
    universe, anomalies = info.decode_perp_meta(text(nautilus(shared, "http_meta_perp_sample")))
    assert anomalies == ()
    assert universe is not None
    assert [(row.name, row.sz_decimals, row.is_delisted) for row in universe] == [
        ("BTC", 5, None),
        ("ETH", 4, None),
        ("ATOM", 2, None),
    ]


def test_universes_of_other_collaterals_are_read_one_by_one(shared: Shared) -> None:
    for meta in nautilus(shared, "http_all_perp_metas_non_usdc_collateral"):
        universe, anomalies = info.decode_perp_meta(text(meta))
        assert anomalies == ()
        assert universe is not None
        assert len(universe) == 1


def test_balances_with_a_numbered_outcome_row_are_read(shared: Shared) -> None:
    balances, anomalies = info.decode_balances(text(nautilus(shared, "http_spot_clearinghouse_state")), USER)
    assert anomalies == ()
    assert balances is not None
    assert balances.cash == {"USDC": parse("14.625485"), "PURR": parse("2000"), "HYPE": parse("5.2")}
    (token,) = balances.tokens
    assert (token.market, token.leg, token.total, token.cost) == (
        "hyperliquid:o1",
        Leg.YES,
        25 * SCALE,
        125 * SCALE // 10,
    )


def test_a_perp_account_adds_up_to_the_venues_own_value(shared: Shared) -> None:
    """Equity is the raw wallet plus every position at the mark: that is what the wallet is taken to mean."""
    ((_, _, recorded),) = [one for one in cassettes(shared) if one[1] == "clearinghouseState"]
    account, anomalies = info.decode_perp_account(text(recorded))
    assert anomalies == ()
    assert account is not None
    assert account.raw == parse("86.549602")
    held = {one.market: one for one in account.positions}
    assert len(held) == 12
    btc = held[MarketId("hyperliquid:BTC")]
    assert (btc.qty, btc.cost) == (parse("-0.00785"), -parse("26951") * parse("0.00785") // SCALE)
    worth = account.raw
    for row in recorded["assetPositions"]:
        position = row["position"]
        sign = 1 if parse(position["szi"]) > 0 else -1
        worth += sign * parse(position["positionValue"])
    assert worth == parse(recorded["marginSummary"]["accountValue"])


def test_a_leveraged_wallet_is_negative_and_may_come_without_a_margin_summary(shared: Shared) -> None:
    account, anomalies = info.decode_perp_account(
        shared.bytes("nautilus/http_clearinghouse_state_negative_total_raw_usd.json")
    )
    assert anomalies == ()
    assert account is not None
    assert (account.raw, account.positions) == (parse("-22358.938225"), ())


def test_funding_is_read_as_what_we_pay(shared: Shared) -> None:
    recorded = [one for name, kind, one in cassettes(shared) if kind == "userFunding"]
    assert recorded
    for rows in recorded:
        told, anomalies = info.decode_funding(text(rows))
        assert anomalies == ()
        assert told is not None
        assert told.span is None
        payments = told.payments
        assert len({one.key for one in payments}) == len(payments) == len(rows)
        for row, paid in zip(rows, payments, strict=True):
            assert paid.amount == -parse(row["delta"]["usdc"])
            assert paid.market == f"hyperliquid:{row['delta']['coin']}"
            assert paid.venue_ms == row["time"]


def test_fills_of_a_vault_with_dust_and_odd_directions_are_read(shared: Shared) -> None:
    rows, anomalies = info.decode_fills(text(nautilus(shared, "http_user_fills_dust_conversion")), USER)
    assert anomalies == ()
    assert rows is not None
    # Two spot rows, one of them with ten decimals of size, are none of ours and must not be parsed.
    assert (len(rows.fills), rows.skipped) == (3, 2)
    assert [fill.market for fill in rows.fills] == ["hyperliquid:ARB", "hyperliquid:JUP", "hyperliquid:MANTA"]
    assert [fill.maker for fill in rows.fills] == [True, True, False]


def test_user_events_are_a_channel_we_do_not_take(shared: Shared) -> None:
    result = decode_frame(shared.bytes("nautilus/ws_user_fill_liquidation.json"))
    assert result.frame is None
    assert [(one.kind, one.detail) for one in result.anomalies] == [("unknown_channel", "user")]


def test_the_fill_inside_a_user_event_reads_as_a_fill(shared: Shared) -> None:
    fills = nautilus(shared, "ws_user_fill_liquidation")["data"]["fills"]
    rows = value("userFills", {"user": USER, "fills": fills}, FillRows)
    assert rows.fills[0].fee == parse("0.009997")
    assert rows.fills[0].client_id == "0xe8d5fd7ebbb4c3cff4d1803472a11463"


@pytest.mark.parametrize(
    ("name", "channel"), [("ws_allmids", "allMids"), ("ws_all_dexs_asset_ctxs", "allDexsAssetCtxs")]
)
def test_streams_we_do_not_take_are_unknown_channels(shared: Shared, name: str, channel: str) -> None:
    result = decode_frame(shared.bytes(f"nautilus/{name}.json"))
    assert result.frame is None
    assert [(one.kind, one.detail) for one in result.anomalies] == [("unknown_channel", channel)]


@pytest.mark.parametrize(
    "name",
    [
        "http_funding_history",
        "http_spot_meta_non_usdc_collateral",
    ],
)
def test_answers_we_never_ask_for_are_refused_by_every_decoder(shared: Shared, name: str) -> None:
    body = shared.bytes(f"nautilus/{name}.json")
    # What the two documents have in common with an answer of ours: a server time, an empty universe.
    alike = {
        ("http_spot_meta_non_usdc_collateral", "meta"),
    }
    for kind, decode in DECODERS.items():
        answer, anomalies = decode(body)
        if (name, kind) in alike:
            assert anomalies == ()
            continue
        assert anomalies, kind
        # A list of foreign rows reads as a list of fills or payments, none of which can be read.
        nothing = answer == () or (kind.startswith("userFills") and answer is not None and answer.fills == ())
        nothing |= kind == "userFunding" and answer is not None and answer.payments == ()
        nothing |= kind == "candleSnapshot" and answer is not None and answer.candles == ()
        assert answer is None or nothing, kind


# -- raw frames of January 2025


def test_every_recorded_frame_decodes(shared: Shared) -> None:
    frames = shared.frames()
    assert len(frames) == 55
    results = [decode_frame(one) for _, one in frames]
    assert all(result.anomalies == () for result in results)
    assert sum(isinstance(result.frame, BookSnapshot) for result in results) == 46
    assert sum(isinstance(result.frame, Prints) for result in results) == 9


def test_recorded_books_are_sane_and_move_forward(shared: Shared) -> None:
    previous = 0
    for _, one in shared.frames():
        snapshot = decode_frame(one).frame
        if not isinstance(snapshot, BookSnapshot):
            continue
        assert len(snapshot.bids) == len(snapshot.asks) == 20
        assert [px for px, _ in snapshot.bids] == sorted((px for px, _ in snapshot.bids), reverse=True)
        assert [px for px, _ in snapshot.asks] == sorted(px for px, _ in snapshot.asks)
        assert snapshot.bids[0][0] < snapshot.asks[0][0]
        assert snapshot.venue_ms >= previous
        previous = snapshot.venue_ms


def test_recorded_trades_have_unique_keys_and_the_first_push_replays(shared: Shared) -> None:
    pushes = [(at, decode_frame(one).frame) for at, one in shared.frames()]
    prints = [(at, push) for at, push in pushes if isinstance(push, Prints)]
    keys = [(one.market, one.venue_ms, one.trade_id) for _, push in prints for one in push.trades]
    assert len(keys) == len(set(keys)) > 20
    at, first = prints[0]
    assert at // 1_000_000 - first.trades[0].venue_ms > 30_000


def test_recorded_frames_decode_the_same_as_text_and_as_bytes(shared: Shared) -> None:
    for _, one in shared.frames():
        assert decode_frame(one) == decode_frame(one.encode())


# -- the market recording of May 2026: both coins of one outcome


def recorded_books(shared: Shared, name: str) -> pl.DataFrame:
    return pl.read_parquet(shared.data(f"hl_hip4_q15/{name}.parquet"))


def decimal(value: float) -> str:
    return to_text(round(value * SCALE))


def levels_of(prices: list[float], sizes: list[float]) -> list[dict[str, Any]]:
    return [level(decimal(px), decimal(size)) for px, size in zip(prices, sizes, strict=True)]


def book_of(row: dict[str, Any]) -> dict[str, Any]:
    return book(
        row["symbol"],
        levels_of(row["bid_px"], row["bid_sz"]),
        levels_of(row["ask_px"], row["ask_sz"]),
        row["exchange_ts"] // 1_000_000,
    )


def test_both_coins_of_a_recorded_outcome_give_one_book_in_yes_space(shared: Shared) -> None:
    """One engine, two views: whatever the NO coin shows is the YES book, to the last unit."""
    yes_rows = recorded_books(shared, "book_yes_150").gather_every(131).to_dicts()
    no_rows = recorded_books(shared, "book_no_151").gather_every(131).to_dicts()
    compared = 0
    for yes_row, no_row in zip(yes_rows, no_rows, strict=True):
        yes = value("l2Book", book_of(yes_row), BookSnapshot)
        no = value("l2Book", book_of(no_row), BookSnapshot)
        assert yes.market == no.market == "hyperliquid:o15"
        if yes_row["exchange_ts"] == no_row["exchange_ts"]:
            assert (yes.bids, yes.asks) == (no.bids, no.asks)
            compared += 1
    assert compared > 50


def test_every_recorded_trade_is_told_once_by_the_yes_coin(shared: Shared) -> None:
    rows = [
        *recorded_books(shared, "trade_yes_150").to_dicts(),
        *recorded_books(shared, "trade_no_151").to_dicts(),
    ]
    data = [
        {
            "coin": row["symbol"],
            "side": "B" if row["side"] == "buy" else "A",
            "px": decimal(row["price"]),
            "sz": decimal(row["size"]),
            "time": row["exchange_ts"] // 1_000_000,
            "tid": number,
        }
        for number, row in enumerate(rows)
    ]
    prints = value("trades", data, Prints)
    assert (len(prints.trades), prints.mirrored) == (562, 562)


def test_the_recorded_touch_of_the_perp_decodes(shared: Shared) -> None:
    for row in recorded_books(shared, "perp_btc_bbo").gather_every(997).to_dicts():
        bid, ask = (level(decimal(row[f"{side}_px"]), decimal(row[f"{side}_sz"])) for side in ("bid", "ask"))
        update = value("bbo", {"coin": "BTC", "time": row["exchange_ts"] // 1_000_000, "bbo": [bid, ask]}, BboUpdate)
        assert update.bid is not None
        assert update.ask is not None
        assert update.bid[0] == round(row["bid_px"] * SCALE)


def test_the_recorded_metadata_is_a_binary_on_btc(shared: Shared) -> None:
    row = recorded_books(shared, "meta_yes_150").to_dicts()[0]
    fields = dict(zip(row["keys"], row["values"], strict=True))
    description = (
        f"class:{fields['class']}|underlying:{fields['underlying']}|expiry:{fields['expiry']}"
        f"|targetPrice:{fields['targetPrice']}|period:{fields['period']}"
    )
    assert price_binary(description) == PriceBinary(
        underlying="BTC",
        expiry_ns=expiry_ns("20260510-0600"),
        target=parse(fields["targetPrice"]),  # type: ignore[arg-type]
        period="1d",
    )


# -- live fills of others, June 2026


def test_live_fills_of_a_taker_read_as_the_csv_says(shared: Shared) -> None:
    path = shared.data("hl_own_fills/live_fills_2026-06-05_09.csv")
    rows = [line.split(",") for line in path.read_text().splitlines() if line.startswith("FILL")]
    assert len(rows) == 182
    data = [
        {
            "coin": coin,
            "px": px,
            "sz": size,
            "side": "B" if side == "buy" else "A",
            "time": int(at_ns) // 1_000_000,
            "dir": direction,
            "oid": number,
            "crossed": True,
            "fee": fee,
            "tid": 0 if direction == "Settlement" else number + 1,
            "cloid": cloid or None,
            "feeToken": "USDC",
        }
        for number, (_, _, at_ns, coin, direction, side, px, size, fee, _, cloid) in enumerate(rows)
    ]
    fills = value("userFills", {"user": USER, "isSnapshot": True, "fills": data}, FillRows)
    assert fills.snapshot
    assert len(fills.fills) == 182
    assert len({fill.key for fill in fills.fills}) == 182
    for fill, row in zip(fills.fills, rows, strict=True):
        settled = row[4] == "Settlement"
        assert fill.kind is (FillKind.SETTLEMENT if settled else FillKind.TRADE)
        assert fill.px == parse(row[6])
        assert (fill.client_id is None) == (row[10] == "")
        assert not fill.maker


# -- whole, cut, and with something behind it


def three_ways(text: str) -> None:
    """The frame as it is decodes; cut anywhere or continued it is refused, and never raises."""
    whole = decode_frame(text)
    assert whole.frame is not None
    assert whole.anomalies == ()
    for cut in range(0, len(text), max(len(text) // 60, 1)):
        part = decode_frame(text[:cut])
        assert part.frame is None
        assert part.anomalies[0].kind in ("not_json", "no_channel")
    assert decode_frame(text + text).anomalies[0].kind == "not_json"
    assert decode_frame(text + "x").anomalies[0].kind == "not_json"
    assert decode_frame(f"  {text}\n").frame == whole.frame


def test_recorded_frames_decode_whole_or_not_at_all(shared: Shared) -> None:
    for _, one in shared.frames()[::9]:
        three_ways(one)


def test_private_frames_decode_whole_or_not_at_all() -> None:
    three_ways(frame("userFills", {"user": USER, "fills": []}))
    three_ways(frame("orderUpdates", []))
    three_ways(frame("spotState", {"user": USER, "spotState": {"balances": []}}))
    three_ways(frame("outcomeMetaUpdates", [{"outcomeSettled": 5}]))
    three_ways(frame("post", {"id": 1, "response": {"type": "error", "payload": "500"}}))


def test_an_empty_list_of_changes_is_no_change() -> None:
    assert value("outcomeMetaUpdates", [], MetaChanges) == MetaChanges((), ())
