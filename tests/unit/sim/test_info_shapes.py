"""Rung: pure venue, golden. Every reply has the keys and the kinds of values that the recordings show."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from hlomm.domain.units import SCALE
from hlomm.sim.config import ListingConfig, SimConfig
from hlomm.sim.faults import FaultArgs, FaultName
from hlomm.sim.hl import rows
from hlomm.sim.hl.envelope import convert_envelope
from hlomm.sim.hl.info import Info
from hlomm.sim.hl.schema import Malformed
from hlomm.sim.hl.venue import Venue

ORIGIN = 1_795_000_035 * 10**9
CLOID = "0x" + "1" * 32
Golden = Callable[[str], Any]

_DECIMAL = re.compile(r"-?[0-9]+\.[0-9]+")


def kind(value: Any) -> str:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return "decimal"
    return {bool: "bool", int: "int", str: "str", dict: "object", list: "list", type(None): "null"}[type(value)]


def differences(ours: Any, theirs: Any, where: str = "$", optional: frozenset[str] = frozenset()) -> list[str]:
    """Where a reply of ours would not pass for one of theirs: missing keys, other kinds of values."""
    if kind(ours) != kind(theirs):
        nullable = "null" in {kind(ours), kind(theirs)} and where.rpartition(".")[2] in optional
        return [] if nullable else [f"{where}: {kind(ours)} for {kind(theirs)}"]
    if isinstance(theirs, dict):
        out = []
        for key, value in theirs.items():
            path = f"{where}.{key}"
            if key in ours:
                out += differences(ours[key], value, path, optional)
            elif key not in optional:
                out.append(f"{path} is missing")
        return out
    if isinstance(theirs, list) and theirs:
        return [d for item in ours for d in differences(item, theirs[0], f"{where}[]", optional)]
    return []


def check(ours: Any, theirs: Any, *optional: str) -> None:
    assert differences(ours, theirs, optional=frozenset(optional)) == []


@pytest.fixture(scope="module")
def played() -> Venue:
    """A venue in which the first account has traded, holds and rests."""
    return Venue(SimConfig(listing=ListingConfig(warmup_s=6.0)), 4, ORIGIN)


@pytest.fixture
def venue(played: Venue, signer: Any, wire: Any) -> Venue:
    account = played.exchange.accounts[played.accounts[0].address]
    if played.exchange.tape.blotter_of(account).rows:
        return played
    me = signer(played.accounts[0].agent_key, ORIGIN // 10**6)
    outcome = max(played.exchange.outcomes)
    asset = 100_000_000 + 10 * outcome
    buy = wire.order(asset, buy=True, px="0.95", sz="30", tif="Ioc")
    rest = wire.order(asset, buy=True, px="0.05", sz="300", cloid=CLOID)
    perp = wire.order(0, buy=True, px=str(played.exchange.perp.mark_ticks // 10 + 50), sz="0.01", tif="Ioc")
    for action in (
        {"type": "userOutcome", "splitOutcome": {"outcome": outcome, "amount": "25"}},
        wire.orders(buy),
        wire.orders(rest),
        wire.orders(perp),
    ):
        played.gateway.submit(convert_envelope(me(action)), ORIGIN, lambda _reply, _due: None)
    played.world.advance(ORIGIN + 2 * 10**9)
    return played


def ask(venue: Venue, kind: str, **fields: Any) -> Any:
    return Info(venue).answer({"type": kind} | fields).value


def user(venue: Venue) -> str:
    return venue.accounts[0].address


def cassette(golden: Golden, name: str, index: int = 0) -> Any:
    return golden(f"sdk_cassettes/{name}.json")["interactions"][index]["response"]


def test_meta(venue: Venue, golden: Golden) -> None:
    ours = ask(venue, "meta")
    check(ours, cassette(golden, "info"))
    check(ours, golden("nautilus/http_meta_perp_sample.json"), "isDelisted", "onlyIsolated")
    check([ours], golden("nautilus/http_all_perp_metas_non_usdc_collateral.json"))
    assert ask(venue, "perpDexs") == [None]
    assert ask(venue, "allPerpMetas") == [ours]


def test_asset_contexts(venue: Venue, golden: Golden) -> None:
    meta, contexts = ask(venue, "metaAndAssetCtxs")
    assert meta == ask(venue, "meta")
    theirs = golden("nautilus/ws_all_dexs_asset_ctxs.json")["data"]["ctxs"][0][1]
    check(contexts, theirs[:1], "premium")


def test_spot_meta(venue: Venue, golden: Golden) -> None:
    ours = ask(venue, "spotMeta")
    check(ours, golden("nautilus/http_spot_meta_non_usdc_collateral.json"))
    assert [coin["name"] for coin in ours["universe"]] == []  # outcomes are not listed here
    meta, contexts = ask(venue, "spotMetaAndAssetCtxs")
    assert meta == ours
    assert {context["coin"] for context in contexts} == {c for c in ask(venue, "allMids") if c.startswith("#")}


def test_outcome_meta(venue: Venue, golden: Golden) -> None:
    samples = golden("samples/hip4_samples.json")
    ours = ask(venue, "outcomeMeta")
    check(ours, samples["outcomeMeta_doc"]["response"])
    late = samples["outcomeMeta_shape_late_2026"]["response"]
    check(ours | {"outcomes": []}, late)
    check(ours["outcomes"], late["outcomes"][:1])
    assert ask(venue, "outcomeTemplates") == []


def test_settled_outcome(venue: Venue, golden: Golden) -> None:
    assert ask(venue, "settledOutcome", outcome=max(venue.exchange.outcomes)) is None
    other = Venue(SimConfig(listing=ListingConfig(warmup_s=6.0)), 5, ORIGIN)
    first = min(other.exchange.outcomes)
    other.world.advance(ORIGIN + 50 * 10**9)
    check(
        ask(other, "settledOutcome", outcome=first),
        golden("samples/hip4_samples.json")["settledOutcome_doc"]["response"],
    )
    assert ask(other, "settledOutcome", outcome=first)["settleFraction"] in {"0.0", "1.0"}
    for gone in ({"type": "recentTrades", "coin": f"#{first}0"}, {"type": "candleSnapshot"} | candles(f"#{first}0")):
        reply = Info(other).answer(gone)
        assert (reply.status, reply.value) == (500, None)
    assert ask(other, "l2Book", coin=f"#{first}0") is None


def test_mids_cover_every_coin_and_add_up(venue: Venue, golden: Golden) -> None:
    mids = ask(venue, "allMids")
    check({"BTC": mids["BTC"]}, {"BTC": cassette(golden, "all_mids")["BTC"]})
    for outcome in venue.exchange.outcomes:
        assert float(mids[f"#{outcome}0"]) + float(mids[f"#{outcome}1"]) == pytest.approx(1.0)


@pytest.mark.parametrize("side", [0, 1])
def test_book(venue: Venue, golden: Golden, side: int) -> None:
    coin = f"#{max(venue.exchange.outcomes)}{side}"
    ours = ask(venue, "l2Book", coin=coin)
    check(ours, cassette(golden, "l2_snapshot", 1))
    bids, asks = ([float(level["px"]) for level in levels] for levels in ours["levels"])
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]


def test_the_no_book_is_the_mirror_of_the_yes_book(venue: Venue) -> None:
    outcome = max(venue.exchange.outcomes)
    yes, no = (ask(venue, "l2Book", coin=f"#{outcome}{side}")["levels"] for side in (0, 1))
    for ours, theirs in ((yes[0], no[1]), (yes[1], no[0])):
        assert [level["sz"] for level in ours] == [level["sz"] for level in theirs]
        assert [round(1 - float(level["px"]), 5) for level in ours] == [float(level["px"]) for level in theirs]


def test_unknown_coins_and_bad_aggregation(venue: Venue) -> None:
    assert ask(venue, "l2Book", coin="#999990") is None
    assert ask(venue, "l2Book", coin="DOGE") is None
    assert Info(venue).answer({"type": "l2Book", "coin": "BTC", "nSigFigs": 9}).status == 500


def test_recent_trades(venue: Venue, golden: Golden) -> None:
    ours = ask(venue, "recentTrades", coin=f"#{max(venue.exchange.outcomes)}0")
    check(ours, golden("nautilus/http_recent_trades_btc.json"))
    assert ours
    times = [row["time"] for row in ours]
    assert times == sorted(times, reverse=True)


def candles(coin: str, interval: str = "1m", start: int = 0) -> dict[str, Any]:
    return {"req": {"coin": coin, "interval": interval, "startTime": start, "endTime": ORIGIN // 10**6 + 60_000}}


def test_candles(venue: Venue, golden: Golden) -> None:
    theirs = cassette(golden, "candles_snapshot", -1)
    for coin in ("BTC", f"#{max(venue.exchange.outcomes)}1"):
        ours = ask(venue, "candleSnapshot", **candles(coin))
        assert ours
        check(ours, theirs)
    (one,) = ask(venue, "candleSnapshot", **candles("BTC", "1d", ORIGIN // 10**6))
    assert (one["t"] % 86_400_000, one["T"] - one["t"]) == (0, 86_399_999)
    assert ask(venue, "candleSnapshot", **candles("BTC", "1m", ORIGIN // 10**6 + 10**9)) == []
    assert Info(venue).answer({"type": "candleSnapshot"} | candles("DOGE")).status == 500


def test_open_orders(venue: Venue, golden: Golden) -> None:
    check(ask(venue, "openOrders", user=user(venue)), cassette(golden, "open_orders"))
    plain = [row for row in cassette(golden, "frontend_open_orders") if not row["isTrigger"]]
    ours = ask(venue, "frontendOpenOrders", user=user(venue).upper().replace("0X", "0x"))
    check(ours, [plain[0] | {"children": []}])
    assert ours[0]["cloid"] == CLOID
    assert len(ours) == 1


def test_order_status_and_history(venue: Venue, golden: Golden) -> None:
    history = ask(venue, "historicalOrders", user=user(venue))
    check(history, cassette(golden, "historical_orders"), "cloid")
    assert {row["status"] for row in history} <= set(golden("error_strings.json")["order_status_values"])
    found = ask(venue, "orderStatus", user=user(venue), oid=CLOID)
    assert found["status"] == "order"
    assert found["order"] in history
    assert found["order"]["status"] == "open"
    assert ask(venue, "orderStatus", user=user(venue), oid=1) == {"status": "unknownOid"}
    assert ask(venue, "orderStatus", user=venue.accounts[0].agent_address, oid=CLOID) == {"status": "unknownOid"}


def test_fills(venue: Venue, golden: Golden) -> None:
    ours = ask(venue, "userFills", user=user(venue))
    check(ours, cassette(golden, "user_fills"))
    check(ours, golden("samples/user_fills_spot_testnet.json")["response"], "cloid")
    assert {row["dir"] for row in ours} == {"Split Outcome", "Buy", "Open Long"}
    times = [row["time"] for row in ours]
    assert times == sorted(times, reverse=True)
    middle = times[len(times) // 2]
    later = ask(venue, "userFillsByTime", user=user(venue), startTime=middle)
    assert sorted(later, key=str) == sorted((row for row in ours if row["time"] >= middle), key=str)
    assert [row["time"] for row in later] == sorted(row["time"] for row in later)
    reverse = ask(venue, "userFillsByTime", user=user(venue), startTime=middle, reversed=True)
    assert reverse == later[::-1]
    assert ask(venue, "userFillsByTime", user=user(venue), startTime=0, endTime=1) == []


def test_fills_by_time_end_with_the_page_and_begin_with_the_oldest(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    blotter = venue.exchange.tape.blotter_of(venue.exchange.accounts[user(venue)])
    one = blotter.fills[-1]
    many = [attrs.evolve(one, time_ms=one.time_ms + number, tid=number + 1) for number in range(2_100)]
    monkeypatch.setattr(blotter, "fills", deque(many))
    page = ask(venue, "userFillsByTime", user=user(venue), startTime=one.time_ms)
    assert [row["time"] for row in page] == sorted(row["time"] for row in page)
    assert (len(page), page[0]["time"]) == (2_000, one.time_ms)
    rest = ask(venue, "userFillsByTime", user=user(venue), startTime=page[-1]["time"])
    assert (rest[0], rest[-1]["time"]) == (page[-1], one.time_ms + 2_099)


def test_settlement_fill(golden: Golden, signer: Any) -> None:
    venue = Venue(SimConfig(listing=ListingConfig(warmup_s=6.0)), 6, ORIGIN)
    outcome = min(venue.exchange.outcomes)
    account = venue.exchange.accounts[user(venue)]
    venue.exchange.split(account, outcome, 42)
    venue.world.advance(ORIGIN + 50 * 10**9)
    fills = [row for row in ask(venue, "userFills", user=user(venue)) if row["dir"] == "Settlement"]
    check(fills, [golden("samples/hip4_samples.json")["settlement_fill"]["fill"]])
    assert sorted(row["px"] for row in fills) == ["0.0", "1.0"]
    assert all("cloid" not in row for row in fills)
    assert account.quote == 10_000 * SCALE


def test_perp_account(venue: Venue, golden: Golden) -> None:
    ours = ask(venue, "clearinghouseState", user=user(venue))
    theirs = cassette(golden, "user_state")
    check(ours, theirs, "maxTradeSzs", "liquidationPx")
    check(ours, golden("nautilus/http_clearinghouse_state_negative_total_raw_usd.json"))
    assert ours["assetPositions"][0]["position"]["szi"] == "0.01"
    summary = ours["marginSummary"]
    value = float(summary["totalRawUsd"]) + float(ours["assetPositions"][0]["position"]["positionValue"])
    assert float(summary["accountValue"]) == pytest.approx(value)


def test_spot_account(venue: Venue, golden: Golden) -> None:
    ours = ask(venue, "spotClearinghouseState", user=user(venue))
    theirs = golden("samples/hip4_samples.json")["spotClearinghouseState_outcome_rows"]["response"]["balances"]
    check(ours["balances"][:1], theirs[:1])
    check(ours["balances"][1:], theirs[1:2])
    assert [row["coin"][0] for row in ours["balances"]] == ["U", "+", "+"]
    assert "token" not in ours["balances"][1]
    assert float(ours["balances"][0]["hold"]) == 15.0
    assert ask(venue, "spotClearinghouseState", user=venue.accounts[0].agent_address) == {"balances": []}


def test_fees_rates_and_roles(venue: Venue, golden: Golden) -> None:
    check(ask(venue, "userFees", user=user(venue)), golden("samples/user_fees_testnet.json")["response"])
    limit = ask(venue, "userRateLimit", user=user(venue))
    check(limit, cassette(golden, "user_rate_limit"))
    assert limit["nRequestsUsed"] == 4
    check(ask(venue, "userRole", user=user(venue)), cassette(golden, "user_role"))
    agent = venue.accounts[0].agent_address
    assert ask(venue, "userRole", user=agent) == {"role": "agent", "data": {"user": user(venue)}}
    assert ask(venue, "userRole", user="0x" + "0" * 39 + "1") == {"role": "missing"}
    sub = venue.accounts[0].sub_address
    assert ask(venue, "userRole", user=sub) == {"role": "subAccount", "data": {"master": user(venue)}}
    (guardian,) = ask(venue, "extraAgents", user=user(venue))
    assert (guardian["name"], guardian["address"]) == ("guardian", venue.accounts[0].guardian_address)
    assert ask(venue, "userAbstraction", user=user(venue)) == "disabled"
    assert ask(venue, "subAccounts", user=user(venue)) is None
    assert ask(venue, "exchangeStatus") == {"time": venue.exchange.tape.now_ms, "specialStatuses": None}
    assert ask(venue, "fundingHistory", coin="BTC", startTime=0) == []


def test_update_rows_look_like_the_documented_ones(venue: Venue, golden: Golden) -> None:
    account = venue.exchange.accounts[user(venue)]
    row = next(iter(venue.exchange.tape.blotter_of(account).rows.values()))
    assert set(rows.update_row(row)) == {"order", "status", "statusTimestamp"}
    check(rows.update_row(row)["order"], cassette(golden, "open_orders")[0])


@pytest.mark.parametrize(
    "request_",
    [
        None,
        [],
        {},
        {"type": 5},
        {"type": "conquer"},
        {"type": "l2Book"},
        {"type": "openOrders"},
        {"type": "openOrders", "user": "0x12"},
        {"type": "orderStatus", "user": "0x" + "1" * 40, "oid": True},
        {"type": "settledOutcome", "outcome": "5"},
        {"type": "candleSnapshot", "coin": "BTC", "interval": "1m", "startTime": 0},
        {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "7m", "startTime": 0}},
        {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": ["1m"], "startTime": 0}},
        {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "1m"}},
        {"type": "candleSnapshot", "req": {"interval": "1m", "startTime": 0}},
        {"type": "userFillsByTime", "user": "0x" + "1" * 40},
    ],
)
def test_requests_that_do_not_fit(venue: Venue, request_: Any) -> None:
    with pytest.raises(Malformed):
        Info(venue).answer(request_)


def test_weights(venue: Venue) -> None:
    info = Info(venue)
    assert info.answer({"type": "allMids"}).weight == 2
    assert info.answer({"type": "meta"}).weight == 20
    assert info.answer({"type": "userRole", "user": user(venue)}).weight == 60
    assert info.answer({"type": "userFills", "user": user(venue)}).weight == 20


def test_an_order_is_unknown_just_after_its_fill(signer: Any, wire: Any) -> None:
    venue = Venue(SimConfig(listing=ListingConfig(warmup_s=6.0)), 8, ORIGIN)
    venue.faults.arm(FaultName.UNKNOWN_OID, FaultArgs(delay_s=1.0, for_s=60.0))
    me = signer(venue.accounts[0].agent_key, ORIGIN // 10**6)
    asset = 100_000_000 + 10 * max(venue.exchange.outcomes)
    order = wire.orders(wire.order(asset, buy=True, px="0.95", sz="30", tif="Ioc", cloid=CLOID))
    venue.gateway.submit(convert_envelope(me(order)), ORIGIN, lambda _reply, _due: None)
    venue.world.advance(ORIGIN + 4 * 10**8)
    assert ask(venue, "orderStatus", user=user(venue), oid=CLOID) == {"status": "unknownOid"}
    venue.world.advance(ORIGIN + 2 * 10**9)
    assert ask(venue, "orderStatus", user=user(venue), oid=CLOID)["status"] == "order"
    assert venue.faults.injected[FaultName.UNKNOWN_OID] == 1
