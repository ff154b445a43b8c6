"""From metadata to markets: what is believed, and which term fails where it is not."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.markets import Comparator, FeeCurve, RewardTerms, Source
from hlomm.domain.units import Cash, Px, Qty, parse
from hlomm.venues.polymarket.wire.eastern import eastern
from hlomm.venues.polymarket.wire.evidence import Refusal
from hlomm.venues.polymarket.wire.families import TIE_PAYS_HALF
from hlomm.venues.polymarket.wire.fees import taker_fee
from hlomm.venues.polymarket.wire.gamma import GammaRow, decode_events, decode_markets
from hlomm.venues.polymarket.wire.listings import Listing, read_listing
from tests.wire.polymarket.conftest import Shared

SCHEDULE = {"rate": 0.07, "exponent": 1, "takerOnly": True, "rebateRate": 0.2}
HOUR_RULES = (
    'This market will resolve to "Up" if the close price is greater than or equal to the open price for the BTC/USDT 1 '
    "hour candle that begins on the time and date specified in the title. Otherwise, this market will resolve to "
    '"Down".\n\nThe resolution source for this market is information from Binance, specifically the BTC/USDT pair '
    "(https://www.binance.com/en/trade/BTC_USDT)."
)
RANGE_RULES = (
    'This market will resolve according to the final "Close" price of the Binance 1 minute candle for BTC/USDT 12:00 '
    'in the ET timezone (noon) on the date specified in the title. Otherwise, this market will resolve to "No".\n\n'
    'The resolution source for this market is Binance, specifically the BTC/USDT "Close" prices currently available at '
    'https://www.binance.com/en/trade/BTC_USDT with "1m" and "Candles" selected on the top bar.\n\nIf the reported '
    "value falls exactly between two brackets, then this market will resolve to the higher range bracket."
)


def row_of(document: dict[str, Any]) -> GammaRow:
    page, anomalies = decode_markets(json.dumps([document]).encode())
    assert anomalies == ()
    assert page is not None
    return page.rows[0]


def listed(document: dict[str, Any]) -> Listing:
    got = read_listing(row_of(document))
    assert isinstance(got, Listing), got
    return got


def refused(document: dict[str, Any]) -> str:
    got = read_listing(row_of(document))
    assert isinstance(got, Refusal), got
    return got.term


def ns(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp()) * 10**9


@pytest.fixture
def updown(shared: Shared) -> dict[str, Any]:
    """The recorded five-minute market, with the schedule that newer ones tell."""
    return {**shared.json("nautilus_rs/gamma_market.json"), "feeSchedule": SCHEDULE}


@pytest.fixture
def above(shared: Shared) -> dict[str, Any]:
    return dict(shared.json("nautilus_rs/search_response.json")["events"][0]["markets"][0])


@pytest.fixture
def daily(shared: Shared) -> dict[str, Any]:
    document = json.loads(shared.data("pm_ws_frames_2026_05/gamma_active_btc_updown.json"))
    return dict(document[0]["markets"][0])


@pytest.fixture
def hourly(daily: dict[str, Any]) -> dict[str, Any]:
    return {
        **daily,
        "slug": "bitcoin-up-or-down-september-22-2026-6pm-et",
        "question": "Bitcoin Up or Down - September 22, 6PM ET",
        "description": HOUR_RULES,
        "eventStartTime": "2026-09-22T22:00:00Z",
        "endDate": "2026-09-22T23:00:00Z",
    }


@pytest.fixture
def bucket(above: dict[str, Any]) -> dict[str, Any]:
    return {
        **above,
        "slug": "will-the-price-of-bitcoin-be-between-62000-64000-on-march-11",
        "question": "Will the price of Bitcoin be between $62,000 and $64,000 on March 11?",
        "groupItemTitle": "62,000-64,000",
        "description": RANGE_RULES,
        "negRisk": True,
        "events": [{"slug": "bitcoin-price-on-march-11"}],
    }


# -- the recorded ones


def test_above(above: dict[str, Any], shared: Shared) -> None:
    golden = shared.json("golden_math.json")["crypto_market_parse"][0]
    got = listed(above)
    market = got.market
    assert market.ticker == "OUT:BTC-above64000-2026-03-11T1600"
    assert (market.underlying, market.strike, market.comparator) == ("BTC", parse("64000"), Comparator.ABOVE)
    assert golden["parsed"]["comparator"] == "gt"
    assert market.expiry_ns == ns(golden["parsed"]["expiry_utc"])
    assert market.settles_ns == market.expiry_ns + 60 * 10**9, "the candle that opens at noon closes a minute later"
    assert (market.source, market.averaging_s, market.averaging_from_ns) == (Source.BINANCE_1M, 0, None)
    assert (market.tick, market.min_qty, market.klass) == (parse("0.001"), parse("5"), "above")
    assert market.fee == FeeCurve(taker=0, step=Cash(1_000), up=False), "recorded before fees"
    assert (got.yes[:5], got.no[:5], got.neg_risk, got.accepting) == ("82555", "11486", False, True)
    assert market.rewards == RewardTerms(min_qty=Qty(parse("50")), max_spread=Px(parse("0.045")))


def test_the_pools_that_pay_for_resting_orders_are_added_up(above: dict[str, Any], shared: Shared) -> None:
    recorded = shared.json("nautilus_rs/gamma_market_closed_binary_accepting_true.json")["clobRewards"]
    more = [*recorded, {"rewardsDailyRate": 0.001}]
    rewards = listed({**above, "clobRewards": more}).market.rewards
    assert rewards is not None
    assert rewards.per_day == parse("30.001")
    assert listed({**above, "rewardsMaxSpread": None}).market.rewards is None


def test_five_minutes(updown: dict[str, Any], shared: Shared) -> None:
    golden = shared.json("golden_math.json")["crypto_market_parse"][1]["parsed"]
    market = listed(updown).market
    assert (market.underlying, market.strike, market.comparator) == ("BTC", None, Comparator.AT_LEAST)
    assert (market.source, market.averaging_s) == (Source.CHAINLINK, 0)
    assert (market.averaging_from_ns, market.expiry_ns) == (ns(golden["start_utc"]), ns(golden["expiry_utc"]))
    assert market.settles_ns == market.expiry_ns
    assert (market.klass, market.period, market.ticker) == ("updown-5m", "5m", "OUT:BTC-up5m-2026-03-12T0925")
    assert market.fee == FeeCurve(taker=7_000_000, step=Cash(1_000), up=False, rebate=20_000_000)


def test_the_averaged_source(updown: dict[str, Any], shared: Shared) -> None:
    golden = shared.json("golden_math.json")["crypto_market_parse"][2]
    market = listed({**updown, "resolutionSource": golden["resolutionSource"]}).market
    assert (market.source, market.averaging_s) == (Source.CHAINLINK_TWAP, 60)
    assert market.rules != listed(updown).market.rules, "another source is another text"


def test_fees_without_a_schedule_are_not_guessed(shared: Shared) -> None:
    assert refused(shared.json("nautilus_rs/gamma_market.json")) == "fee"


def test_a_day(daily: dict[str, Any]) -> None:
    market = listed(daily).market
    assert (market.source, market.comparator, market.void) == (Source.BINANCE_1M, Comparator.ABOVE, TIE_PAYS_HALF)
    assert market.averaging_from_ns == ns("2026-05-24T16:01:00+00:00")
    assert (market.expiry_ns, market.settles_ns) == (ns("2026-05-25T16:00:00+00:00"), ns("2026-05-25T16:01:00+00:00"))
    assert market.fee == FeeCurve(taker=7_000_000, step=Cash(1_000), up=False, rebate=20_000_000)


def test_an_hour(hourly: dict[str, Any]) -> None:
    market = listed(hourly).market
    assert (market.source, market.comparator, market.klass) == (Source.BINANCE_1H, Comparator.AT_LEAST, "updown-1h")
    assert (market.averaging_from_ns, market.settles_ns) == (
        ns("2026-09-22T22:00:00+00:00"),
        ns("2026-09-22T23:00:00+00:00"),
    )


def test_buckets(bucket: dict[str, Any]) -> None:
    got = listed(bucket)
    assert (got.market.floor, got.market.ceiling, got.neg_risk) == (parse("62000"), parse("64000"), True)


@pytest.mark.parametrize(
    ("changes", "augmented", "exclusive"),
    [
        ({}, False, "0x2c3d"), ({}, True, ""), ({}, None, ""), ({"negRisk": False}, False, ""),
        ({"negRiskMarketID": None}, False, ""),
    ],
)  # fmt: skip
def test_one_of_a_neg_risk_event_pays_only_if_all_its_outcomes_are_named(
    bucket: dict[str, Any], changes: dict[str, Any], augmented: Any, exclusive: str
) -> None:
    events = [{"slug": "bitcoin-price-on-march-11", "negRiskAugmented": augmented}]
    row = {**bucket, "negRiskMarketID": "0x2c3d", "events": events, **changes}
    assert listed(row).market.exclusive == exclusive
    below = {
        **bucket,
        "question": "Will the price of Bitcoin be less than $60,000 on March 11?",
        "groupItemTitle": "<60,000",
    }
    assert (listed(below).market.floor, listed(below).market.ceiling) == (None, parse("60000"))
    over = {
        **bucket,
        "question": "Will the price of Bitcoin be greater than $70,000 on March 11?",
        "groupItemTitle": ">70,000",
    }
    assert (listed(over).market.floor, listed(over).market.ceiling) == (parse("70000"), None)
    assert refused({**bucket, "groupItemTitle": "62,000-65,000"}) == "strike"
    assert refused({**below, "groupItemTitle": ">60,000"}) == "strike"


# -- one wrong term each


@pytest.mark.parametrize(
    ("fields", "term"),
    [
        ({"resolutionSource": "https://data.chain.link/streams/eth-usd"}, "underlying"),
        ({"resolutionSource": "https://www.binance.com/en/trade/BTC_USDT"}, "source"),
        ({"resolutionSource": "https://data.chain.link.evil.example/streams/btc-usd"}, "source"),
        ({"description": 'This market will resolve to "Up" if I like it.'}, "text"),
        ({"description": None}, "text"),
        ({"endDate": "2026-03-12T09:26:00Z"}, "times"),
        ({"endDate": "2027-03-12T09:25:00Z"}, "times"),
        ({"endDate": None}, "times"),
        ({"eventStartTime": "2026-03-12T09:15:00Z"}, "times"),
        ({"slug": "btc-updown-5m-1773307201"}, "times"),
        ({"slug": "eth-updown-5m-1773307200"}, "underlying"),
        ({"slug": "pepe-updown-5m-1773307200"}, "underlying"),
        ({"slug": "btc-updown-6m-1773307200"}, "family"),
        ({"outcomes": '["Yes", "Maybe"]'}, "outcomes"),
        ({"outcomes": "nonsense"}, "outcomes"),
        ({"clobTokenIds": '["1"]'}, "tokens"),
        ({"clobTokenIds": '["1", "1"]'}, "tokens"),
        ({"clobTokenIds": '["1", "x"]'}, "tokens"),
        ({"orderPriceMinTickSize": 0.03}, "tick"),
        ({"orderPriceMinTickSize": None}, "tick"),
        ({"orderMinSize": 0}, "min_size"),
        ({"feeSchedule": {**SCHEDULE, "exponent": 7}}, "fee"),
        ({"feeSchedule": {**SCHEDULE, "takerOnly": False}}, "fee"),
        ({"feeSchedule": None}, "fee"),
    ],
)  # fmt: skip
def test_one_wrong_term_of_five_minutes(updown: dict[str, Any], fields: dict[str, Any], term: str) -> None:
    assert refused({**updown, **fields}) == term


@pytest.mark.parametrize(
    ("fields", "term"),
    [
        ({"groupItemTitle": "65,000"}, "strike"),
        ({"groupItemTitle": "0"}, "strike"),
        ({"groupItemTitle": ""}, "strike"),
        ({"question": "Will the price of Bitcoin be above $65,000 on March 11?"}, "strike"),
        ({"question": "Bitcoin?"}, "strike"),
        ({"endDate": "2026-03-11T17:00:00Z"}, "times"),  # noon in winter, one o'clock here
        ({"endDate": "2026-03-12T16:00:00Z"}, "times"),
        ({"slug": "bitcoin-above-64k-on-march-12"}, "times"),
        ({"slug": "bitcoin-above-64k-on-march-11-2025"}, "times"),
        ({"slug": "ethereum-above-64k-on-march-11"}, "underlying"),
        ({"slug": "bitcoin-above-64k-on-marsh-11"}, "times"),
        ({"slug": "will-bitcoin-hit-150k-by-march-31-2026"}, "touch"),
        ({"slug": "will-bitcoin-reach-150k-in-march"}, "touch"),
        ({"slug": "will-bitcoin-dip-to-50k-in-march"}, "touch"),
        ({"events": [{"slug": "what-price-will-bitcoin-hit-in-march"}], "slug": "x"}, "touch"),
    ],
)  # fmt: skip
def test_one_wrong_term_of_above(above: dict[str, Any], fields: dict[str, Any], term: str) -> None:
    assert refused({**above, **fields}) == term


def test_another_comparison_is_another_contract(above: dict[str, Any]) -> None:
    for old, new in (("higher than", "equal to or higher than"), ("Close", "High"), ("1 minute", "1 hour")):
        assert refused({**above, "description": above["description"].replace(old, new)}) == "text"


def test_above_at_another_minute(above: dict[str, Any]) -> None:
    rules = above["description"].replace("12:00 in the ET timezone (noon)", "05:20 in the ET timezone")
    early = {
        **above, "description": rules, "slug": "bitcoin-above-64000-on-march-11-520am-et",
        "endDate": "2026-03-11T09:20:00Z",
    }  # fmt: skip
    assert listed(early).market.expiry_ns == ns("2026-03-11T09:20:00+00:00")
    assert refused({**early, "endDate": "2026-03-11T09:21:00Z"}) == "times"
    noon = above["description"].replace("12:00", "05:20")
    assert refused({**early, "description": noon}) == "times", "5:20 is not noon"


def test_one_wrong_term_of_a_day(daily: dict[str, Any]) -> None:
    rules = daily["description"]
    assert refused({**daily, "description": rules.replace("50-50", 'to "Up"')}) == "text"
    assert refused({**daily, "description": rules.replace("May 24 '26", "May 23 '26")}) == "times"
    assert refused({**daily, "description": rules.replace("May 25 '26", "May 25 '27")}) == "times"
    assert refused({**daily, "eventStartTime": "2026-05-23T16:00:00Z"}) == "times"
    assert refused({**daily, "eventStartTime": None}) == "times"
    assert refused({**daily, "slug": "bitcoin-up-or-down-on-may-24-2026"}) == "times"


def test_one_wrong_term_of_an_hour(hourly: dict[str, Any]) -> None:
    assert refused({**hourly, "endDate": "2026-09-22T22:00:00Z"}) == "times"
    assert refused({**hourly, "slug": "bitcoin-up-or-down-september-22-2026-6am-et"}) == "times"
    assert refused({**hourly, "description": HOUR_RULES.replace("or equal to ", "")}) == "text"
    assert refused({**hourly, "description": HOUR_RULES.replace("BTC/USDT 1", "ETH/USDT 1")}) == "underlying"


# -- readings


def test_labels_decide_which_token_is_which(updown: dict[str, Any]) -> None:
    ids = json.loads(updown["clobTokenIds"])
    straight, turned = listed(updown), listed({**updown, "outcomes": '["Down", "Up"]'})
    assert (straight.yes, straight.no) == (ids[0], ids[1])
    assert (turned.yes, turned.no) == (ids[1], ids[0])


def test_position_ids_of_protocol_v2(updown: dict[str, Any]) -> None:
    assert listed({**updown, "version": "v2", "positionIds": '["7", "8"]'}).yes == "7"


def test_curly_quotes_and_line_breaks_are_the_same_rules(above: dict[str, Any]) -> None:
    curly = above["description"].replace('"Close"', "“Close”").replace("\n\n", " \r\n ")
    got = listed({**above, "description": curly}).market
    assert got.rules == listed(above).market.rules
    assert got.rules != listed({**above, "description": curly + " Unless."}).market.rules


def test_a_market_that_takes_no_orders_says_so(above: dict[str, Any]) -> None:
    for fields in ({"acceptingOrders": False}, {"enableOrderBook": False}, {"closed": True}):
        assert not listed({**above, **fields}).accepting


def test_every_recorded_answer_is_read(shared: Shared) -> None:
    """Closed, legacy, sports and political markets: refused by name, never an exception."""
    refusals: dict[str, int] = {}
    names = sorted(name for name in shared.names("nautilus_rs") if "gamma_market" in name or "gamma_event" in name)
    answers = [(name, shared.bytes(name)) for name in names]
    answers += [
        (name, shared.bytes(f"nautilus_py/http/{name}.json")) for name in ("event", "events_list", "market_slug")
    ]
    answers += [("search", shared.bytes("nautilus_rs/search_response.json"))]
    answers += [("markets_list", shared.bytes("nautilus_py/http/markets_list.json"))]
    for name in ("pm_gamma_response", "pm_gamma_series_page", "gamma_active_btc_updown"):
        answers.append((f"event {name}", shared.data(f"pm_ws_frames_2026_05/{name}.json")))
    for name, body in answers:
        read = decode_events if "event" in name or name == "search" else decode_markets
        page, anomalies = read(body)
        assert anomalies == (), name
        assert page is not None
        assert page.rows, name
        for row in page.rows:
            got = read_listing(row)
            term = got.term if isinstance(got, Refusal) else "listed"
            refusals[term] = refusals.get(term, 0) + 1
    assert refusals.pop("family") > 10
    assert refusals == {"listed": 3, "fee": 1, "text": 3}, "reduced rows have no rules"


def test_pages(above: dict[str, Any]) -> None:
    for name, read in (("markets", decode_markets), ("data", decode_markets)):
        page, _ = read(json.dumps({name: [above], "next_cursor": "abc"}).encode())
        assert page is not None
        assert (len(page.rows), page.cursor) == (1, "abc")
    page, _ = decode_markets(json.dumps(above).encode())
    assert page is not None
    assert (len(page.rows), page.cursor) == (1, None)
    page, anomalies = decode_markets(json.dumps([above, {"slug": "no condition"}, 7]).encode())
    assert page is not None
    assert len(page.rows) == 1
    assert [wrong.kind for wrong in anomalies] == ["gamma.market", "gamma.market"]
    assert decode_markets(b"nonsense")[1][0].kind == "gamma.schema"
    assert decode_markets(json.dumps([{}] * 1_001).encode())[1][0].kind == "gamma.too_many"


# -- fees


def test_golden_fees(shared: Shared) -> None:
    cases = shared.json("golden_math.json")["taker_fee"]
    assert len(cases) == 46
    for case in cases:
        curve = FeeCurve(taker=parse(case["rate"]), exponent=case["exponent"], step=Cash(1_000), up=False)
        fee = taker_fee(curve, Px(parse(case["price"])), Qty(parse(case["shares"])))
        assert fee == parse(case["fee_usdc"]), case


@given(st.integers(1, 99_999), st.integers(1, 10**12), st.integers(0, 10**8))
def test_fees_are_the_nearest_step(price: int, shares: int, rate: int) -> None:
    px, qty = price * 1_000, shares * 10_000
    fee = taker_fee(FeeCurve(taker=rate, step=Cash(1_000), up=False), Px(px), Qty(qty))
    exact2 = 2 * rate * qty * px * (10**8 - px)
    assert fee % 1_000 == 0
    assert abs(2 * fee * 10**24 - exact2) <= 1_000 * 10**24
    up = taker_fee(FeeCurve(taker=rate, step=Cash(1_000)), Px(px), Qty(qty))
    assert fee <= up <= fee + 1_000


# -- clocks in New York


@given(st.integers(ns("2008-01-01T00:00:00+00:00") // 10**9, ns("2037-01-01T00:00:00+00:00") // 10**9))
def test_new_york_as_the_zone_database_has_it(seconds: int) -> None:
    local = dt.datetime.fromtimestamp(seconds, tz=ZoneInfo("America/New_York"))
    assert eastern(seconds * 10**9) == (local.year, local.month, local.day, local.hour * 60 + local.minute)


@pytest.mark.parametrize("year", range(2024, 2034))
def test_the_hours_around_a_change(year: int) -> None:
    zone = ZoneInfo("America/New_York")
    for month in (3, 11):
        for hour in range(15 * 24):
            at = dt.datetime(year, month, 1, tzinfo=dt.UTC) + dt.timedelta(hours=hour)
            local = at.astimezone(zone)
            assert eastern(int(at.timestamp()) * 10**9)[3] == local.hour * 60 + local.minute


MONSTERS = ["1e999999", "-1e999999", "1E-999999", '"sNaN"', '"NaN"', '"Infinity"', "9" * 4_000]


@pytest.mark.parametrize("figure", MONSTERS)
@pytest.mark.parametrize(
    "field", ["orderMinSize", "orderPriceMinTickSize", "rewardsMinSize", "rewardsMaxSpread", "feeSchedule"]
)
def test_figures_beyond_all_reckoning_refuse_the_market_and_nothing_else(
    updown: dict[str, Any], field: str, figure: str
) -> None:
    """One row of the venue's list must not end the session that reads it."""
    at = {**updown, "feesEnabled": True, field: {**SCHEDULE, "rate": "@"} if field == "feeSchedule" else "@"}
    page, _ = decode_markets(json.dumps([at]).replace('"@"', figure).encode())
    assert page is not None
    for row in page.rows:
        got = read_listing(row)
        assert isinstance(got, Refusal) or field == "rewardsMinSize", "nothing to be rewarded for is no fault"


def test_a_token_of_thousands_of_digits_is_no_token(updown: dict[str, Any]) -> None:
    assert refused({**updown, "clobTokenIds": ["9" * 5_000, "1"]}) == "tokens"
