"""Documents to markets: `ticker_samples.json`, the synthetic and the recorded events, and every named refusal."""

from __future__ import annotations

import json
from copy import deepcopy
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from hlomm.domain.grid import px_ok
from hlomm.domain.ids import KALSHI, MarketId, is_outcome, venue_of
from hlomm.domain.markets import Comparator, FeeCurve, Market, MarketKind, Source
from hlomm.domain.ticker import parse_ticker
from hlomm.domain.units import Cash, Px, Qty, parse
from hlomm.venues.kalshi.terms import NotTraded, Why, read_market
from hlomm.venues.kalshi.wire.documents import (
    EventDoc,
    MarketDoc,
    SeriesDoc,
    decode_event,
    decode_events,
    decode_market,
    decode_markets,
    decode_series,
)
from hlomm.venues.kalshi.wire.times import wall_ns
from tests.wire.kalshi.conftest import Shared

ALLOWED = frozenset({"KXBTCD", "KXBTC", "KXBTC15M"})
STEP = Cash(10_000)
BRTI = [{"name": "CF Benchmarks", "url": "https://www.cfbenchmarks.com/data/indices/BRTI"}]
CENTS = [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}]
RULES = (
    "If the simple average of the sixty seconds of CF Benchmarks' Bitcoin Real-Time Index (BRTI) before {time} is "
    "{word} {number} at {time} on {date}, then the market resolves to Yes."
)
QUARTER = (
    "If the simple average of the sixty seconds of CF Benchmarks' BRTI before {time} on {date} is at least the simple "
    "average of the sixty seconds of CF Benchmarks' BRTI before {opened} on {date}, then the market resolves to Yes."
)


def read(doc: dict[str, Any], *, event: dict[str, Any] | None = None, series: dict[str, Any] | None = None) -> Any:
    name = doc["ticker"].partition("-")[0]
    its_event = {"event_ticker": "E", "series_ticker": name, "settlement_sources": BRTI}
    its_series = {"ticker": name, "fee_type": "quadratic", "fee_multiplier": 1}
    return read_text(json.dumps(doc), its_event | (event or {}), its_series | (series or {}))


def read_text(doc: str, event: dict[str, Any], series: dict[str, Any]) -> Any:
    return read_market(
        msgspec.json.decode(doc, type=MarketDoc),
        msgspec.json.decode(json.dumps(event), type=EventDoc),
        msgspec.json.decode(json.dumps(series), type=SeriesDoc),
        allowed=ALLOWED,
        fee_precision=STEP,
    )  # fmt: skip


# -- samples


# The samples give only the fields that somebody saw. What a whole document has besides is filled in here: texts that
# say of strike and time what the sample's fields say.
FILLED: dict[str, dict[str, str]] = {
    "KXBTC-26APR0501-T57200": {
        "yes_sub_title": "$57,199.99 or below",
        "rules_primary": RULES.format(time="1 AM EDT", word="below", number="57200", date="Apr 5, 2026"),
    },
    "KXBTC-26APR0501-B75750": {
        "yes_sub_title": "$75,700 to 75,799.99",
        "rules_primary": RULES.format(time="1 AM EDT", word="between", number="75700-75799.99", date="Apr 5, 2026"),
    },
    "KXBTCD-26NOV0101-T90999.99": {
        "rules_primary": RULES.format(time="1 AM EST", word="above", number="90999.99", date="Nov 1, 2026")
    },
    "KXBTC15M-26SEP071400-00": {
        "rules_primary": QUARTER.format(time="2:00 PM EDT", opened="1:45 PM EDT", date="Sep 7, 2026")
    },
}


def whole(case: dict[str, Any]) -> dict[str, Any]:
    doc = {key: value for key, value in case.items() if key not in ("expect", "origin")}
    doc |= {"market_type": "binary", "notional_value_dollars": "1.0000", "price_ranges": CENTS}
    for key, text in FILLED.get(doc["ticker"], {}).items():
        doc.setdefault(key, text)
    if "yes_sub_title" not in doc and "floor_strike" in doc:
        floor = Decimal(str(doc["floor_strike"]))
        if doc["strike_type"] == "greater":
            doc["yes_sub_title"] = f"${floor + Decimal('.01'):,.0f} or above"
        else:
            doc["yes_sub_title"] = f"Target Price: ${floor:,.2f}"
    if doc["ticker"] == "KXBTCD-26NOV2017-T90999.99":
        doc.setdefault(
            "rules_primary", RULES.format(time="5 PM EST", word="above", number="90999.99", date="Nov 20, 2026")
        )
    return doc


WHY = {
    "strike not set yet: floor_strike absent until the window opens": Why.STRIKE_UNKNOWN,
    "not a CF Benchmarks 60 s average": Why.SERIES,
    "path dependent (touch), not a terminal value": Why.SERIES,
    "close_time disagrees with the local hour in the ticker and rules text": Why.TICKER_TIME,
}


def test_every_sample_is_read_as_expected(shared: Shared) -> None:
    cases = shared.json("ticker_samples.json")["cases"]
    assert len(cases) == 14
    for case in cases:
        market, expect = read(whole(case)), case["expect"]
        if expect["kind"] == "reject":
            assert isinstance(market, NotTraded), case["ticker"]
            assert market.why is WHY[expect["reason"]], (case["ticker"], market)
            continue
        assert isinstance(market, Market), (case["ticker"], market)
        assert market.underlying == expect["underlying"]
        assert market.source is Source.BRTI
        assert market.averaging_s == expect["window_s"]
        assert market.expiry_ns == market.settles_ns == wall_ns(expect["expiry_utc"], "test")
        strike = Px(parse(expect["strike"]))
        match expect["comparator"]:
            case ">":
                assert (market.strike, market.comparator) == (strike, Comparator.ABOVE)
            case ">=":
                assert (market.strike, market.comparator) == (strike, Comparator.AT_LEAST)
            case "<":
                assert (market.strike, market.floor, market.ceiling) == (None, None, strike)
            case "between":
                above_cap = parse(expect["cap"]) + parse("0.01")
                assert (market.strike, market.floor, market.ceiling) == (None, strike, above_cap)
            case other:
                pytest.fail(other)


def test_gold_is_refused_for_its_source_too(shared: Shared) -> None:
    """Were the series allowed, the venue's own words would still give it away."""
    gold = shared.json("recorded/event_KXGOLD15M-26AUG101900.json")["response"]
    doc = gold["markets"][0] | {"ticker": "KXBTC15M-26AUG101900-00"}
    refused = read(doc, event={"settlement_sources": gold["event"]["settlement_sources"]})
    assert isinstance(refused, NotTraded)
    assert refused.why is Why.SOURCE


# -- events


def event_markets(shared: Shared, name: str) -> tuple[EventDoc, list[Market | NotTraded]]:
    page = decode_event(shared.rest(f"event_{name}"))
    (event,) = page.events
    series = decode_series(shared.rest(f"series_{event.series_ticker}"))
    assert page.unreadable == 0
    read = [read_market(doc, event, series, allowed=ALLOWED, fee_precision=STEP) for doc in page.markets]
    return event, read


def test_the_hourly_event_is_read_whole(shared: Shared) -> None:
    _, markets = event_markets(shared, "KXBTCD-26NOV2017")
    assert markets
    for market in markets:
        assert isinstance(market, Market)
        assert is_outcome(market.id)
        assert venue_of(market.id) == KALSHI == market.venue
        assert market.kind is MarketKind.OUTCOME
        assert market.klass == "KXBTCD"
        assert market.comparator is Comparator.ABOVE
        assert market.fee == FeeCurve(taker=7_000_000, maker=0, step=STEP)
        assert market.tick == parse("0.01")
        assert market.ticks == ()
        assert market.lot == market.min_qty == Qty(1_000_000)
        assert market.averaging_from_ns is None
        assert parse_ticker(market.ticker) is not None
    assert len({market.rules for market in markets if isinstance(market, Market)}) == 1


def test_the_buckets_of_an_event_tile_the_line(shared: Shared) -> None:
    _, markets = event_markets(shared, "KXBTC-26NOV2017")
    traded = [market for market in markets if isinstance(market, Market)]
    assert len(traded) == len(markets) == 10
    below, *buckets, above = traded
    assert below.floor is None
    edge = below.ceiling
    for bucket in buckets:
        assert bucket.floor == edge
        edge = bucket.ceiling
    # "Above 91,999.99" and "from 92,000 on" are one to an average of two decimals.
    assert edge == parse("92000")
    assert (above.strike, above.comparator) == (parse("91999.99"), Comparator.ABOVE)
    assert {market.exclusive for market in traded} == {"KXBTC-26NOV2017"}, "mutually_exclusive, by the event's own word"


def test_an_event_that_is_not_said_to_be_exclusive_is_none(shared: Shared) -> None:
    _, markets = event_markets(shared, "KXBTCD-26NOV2017")
    assert {market.exclusive for market in markets if isinstance(market, Market)} == {""}


def test_the_short_window_is_listed_once_its_strike_is_known(shared: Shared) -> None:
    _, (before,) = event_markets(shared, "KXBTC15M-26NOV201615.before_open")
    assert isinstance(before, NotTraded)
    assert before.why is Why.STRIKE_UNKNOWN
    _, (active,) = event_markets(shared, "KXBTC15M-26NOV201615.active")
    assert isinstance(active, Market)
    assert active.id == MarketId("kalshi:KXBTC15M-26NOV201615-15")
    assert (active.strike, active.comparator) == (parse("90987.12"), Comparator.AT_LEAST)
    assert active.averaging_from_ns == wall_ns("2026-11-20T21:00:00Z", "test")
    assert active.expiry_ns == wall_ns("2026-11-20T21:15:00Z", "test")
    assert active.tick == parse("0.001")
    assert active.ticks == (
        (0, parse("0.1"), parse("0.001")),
        (parse("0.1"), parse("0.9"), parse("0.01")),
        (parse("0.9"), parse("1"), parse("0.001")),
    )
    assert px_ok(active, Px(parse("0.099")))
    assert not px_ok(active, Px(parse("0.101")))
    _, (final,) = event_markets(shared, "KXBTC15M-26NOV201615.finalized")
    assert isinstance(final, Market)


def test_recorded_gold_events_decode(shared: Shared) -> None:
    for name in ("KXGOLD15M-26AUG101900", "KXGOLD15M-26AUG101930", "KXGOLD15M-26AUG102130"):
        body = json.dumps(shared.json(f"recorded/event_{name}.json")["response"]).encode()
        page = decode_event(body)
        assert page.unreadable == 0
        (market,) = page.markets
        assert market.status == "finalized"
        assert market.floor_strike is not None
        assert market.settlement_value_dollars in ("0.0000", "1.0000")


def test_lists_drop_bad_rows_and_keep_the_others(shared: Shared) -> None:
    rows = shared.json("synthetic/rest/event_KXBTCD-26NOV2017.json")
    page = decode_markets(json.dumps({"markets": [*rows["markets"], {"ticker": 5}, 7], "cursor": "next"}).encode())
    assert (len(page.markets), page.unreadable, page.cursor) == (len(rows["markets"]), 2, "next")
    page = decode_events(json.dumps({"events": [rows["event"], None], "cursor": ""}).encode())
    assert (len(page.events), page.unreadable, page.cursor) == (1, 1, "")
    assert decode_market(json.dumps({"market": rows["markets"][0]}).encode()).ticker == rows["markets"][0]["ticker"]


# -- refusals


def good(shared: Shared, name: str = "KXBTCD-26NOV2017", place: int = 1) -> dict[str, Any]:
    return dict(shared.json(f"synthetic/rest/event_{name}.json")["markets"][place])


REFUSED: list[tuple[dict[str, Any], Why]] = [
    ({"market_type": "scalar"}, Why.TYPE),
    ({"notional_value_dollars": "10.0000"}, Why.NOTIONAL),
    ({"notional_value_dollars": ""}, Why.UNREADABLE),
    ({"settlement_bounds_type": "floor"}, Why.BOUNDS),
    ({"status": "disputed"}, Why.STATUS),
    ({"strike_type": "functional"}, Why.STRIKE_TYPE),
    ({"cap_strike": 91000}, Why.STRIKE_TYPE),
    ({"strike_type": "between", "cap_strike": 90000}, Why.STRIKE_TYPE),
    ({"floor_strike": None}, Why.STRIKE_UNKNOWN),
    ({"floor_strike": 0}, Why.STRIKE_UNKNOWN),
    ({"floor_strike": 90749.99}, Why.TICKER_STRIKE),
    ({"floor_strike": 90999.999999999}, Why.UNREADABLE),
    ({"strike_type": "greater_or_equal"}, Why.SUBTITLE),
    ({"ticker": "KXBTCD-26NOV2017-X90999.99"}, Why.TICKER),
    ({"ticker": "KXBTCD-26NOX2017-T90999.99"}, Why.TICKER),
    ({"ticker": "KXBTCD-26NOV3117-T90999.99"}, Why.TICKER_TIME),
    ({"ticker": "KXBTCD-26NOV2017-B90999.99"}, Why.TICKER_STRIKE),
    ({"close_time": "2026-11-20T23:00:00Z"}, Why.TICKER_TIME),
    ({"close_time": "2027-11-20T22:00:00Z"}, Why.TICKER_TIME),
    ({"close_time": "tomorrow"}, Why.UNREADABLE),
    ({"yes_sub_title": "$91,001 or above"}, Why.SUBTITLE),
    ({"yes_sub_title": ""}, Why.SUBTITLE),
    ({"price_ranges": []}, Why.GRID),
    ({"price_ranges": [{"start": "0.0000", "end": "0.5000", "step": "0.0100"}]}, Why.GRID),
    ({"price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0300"}]}, Why.GRID),
]


@pytest.mark.parametrize(("change", "why"), REFUSED)
def test_every_disagreement_has_a_name(shared: Shared, change: dict[str, Any], why: Why) -> None:
    refused = read(good(shared) | change)
    assert isinstance(refused, NotTraded), refused
    assert refused.why is why, refused


WORDS = [
    ("BRTI", "ETHI", Why.SOURCE),
    ("simple average", "median", Why.RULES_AVERAGE),
    ("sixty", "thirty", Why.RULES_AVERAGE),
    ("resolves to Yes", "resolves to No", Why.RULES_AVERAGE),
    ("is above", "is at least", Why.RULES_WORD),
    ("is above", "is below", Why.RULES_WORD),
    ("above 90999.99", "above 90999.9", Why.RULES_STRIKE),
    ("5 PM EST", "5 PM EDT", Why.RULES_TIME),
    ("5 PM EST", "6 PM EST", Why.RULES_TIME),
    ("5 PM EST", "noon", Why.RULES_TIME),
    ("Nov 20, 2026", "Nov 20, 2027", Why.RULES_TIME),
    ("Nov 20, 2026", "Nov 21, 2026", Why.RULES_TIME),
    ("Nov 20, 2026", "that day", Why.RULES_TIME),
]


@pytest.mark.parametrize(("old", "new", "why"), WORDS)
def test_every_changed_word_has_a_name(shared: Shared, old: str, new: str, why: Why) -> None:
    doc = good(shared)
    assert old in doc["rules_primary"]
    refused = read(doc | {"rules_primary": doc["rules_primary"].replace(old, new)})
    assert isinstance(refused, NotTraded), refused
    assert refused.why is why, refused


def test_the_opening_average_is_held_against_the_window(shared: Shared) -> None:
    doc = good(shared, "KXBTC15M-26NOV201615.active", 0)
    assert isinstance(read(doc), Market)
    refused = read(doc | {"rules_primary": doc["rules_primary"].replace("4:00 PM", "3:45 PM")})
    assert isinstance(refused, NotTraded)
    assert refused.why is Why.RULES_TIME
    target = read(doc | {"yes_sub_title": "Target Price: TBD"})
    assert isinstance(target, NotTraded)
    assert target.why is Why.STRIKE_UNKNOWN


def test_series_and_sources_are_held_against_the_list(shared: Shared) -> None:
    doc = good(shared)
    for change, why in [
        ({"series": {"ticker": "KXBTC"}}, Why.SERIES),
        ({"event": {"series_ticker": "KXBTC"}}, Why.SERIES),
        ({"event": {"settlement_sources": [{"name": "Pyth"}]}}, Why.SOURCE),
        ({"event": {"settlement_sources": [*BRTI, {"name": "Pyth"}]}}, Why.SOURCE),
        ({"series": {"fee_type": "flat"}}, Why.FEE),
        ({"series": {"fee_multiplier": None}}, Why.FEE),
        ({"event": {"fee_multiplier_override": -1}}, Why.FEE),
    ]:
        refused = read(doc, **deepcopy(change))
        assert isinstance(refused, NotTraded), change
        assert refused.why is why, change


def test_fees_follow_type_multiplier_and_overrides(shared: Shared) -> None:
    doc = good(shared)

    def fee(**change: Any) -> FeeCurve:
        market = read(doc, **change)
        assert isinstance(market, Market)
        assert market.fee is not None
        return market.fee

    assert fee() == FeeCurve(taker=7_000_000, step=STEP)
    makers = fee(series={"fee_type": "quadratic_with_maker_fees"})
    assert makers == FeeCurve(taker=7_000_000, maker=1_750_000, step=STEP)
    assert fee(event={"fee_multiplier_override": 0.5}) == FeeCurve(taker=3_500_000, step=STEP)
    assert fee(event={"fee_type_override": "quadratic_with_maker_fees", "fee_multiplier_override": 2}) == FeeCurve(
        taker=14_000_000, maker=3_500_000, step=STEP
    )


def test_the_digest_changes_with_the_wording_only(shared: Shared) -> None:
    first, other = read(good(shared)), read(good(shared, place=0))
    assert isinstance(first, Market)
    assert isinstance(other, Market)
    assert first.rules == other.rules
    later = good(shared) | {
        "ticker": "KXBTCD-26DEC0109-T90999.99",
        "close_time": "2026-12-01T14:00:00Z",
        "rules_primary": RULES.format(time="9 AM EST", word="above", number="90999.99", date="Dec 1, 2026"),
    }
    market = read(later)
    assert isinstance(market, Market), market
    assert market.rules == first.rules
    doc = good(shared)
    changed = read(doc | {"rules_secondary": doc["rules_secondary"].replace("60 RTI prices", "30 RTI prices")})
    assert isinstance(changed, Market)
    assert changed.rules != first.rules


@pytest.mark.parametrize("figure", ["1e999999", "-1e999999", '"sNaN"', '"Infinity"', "9" * 4_000])
@pytest.mark.parametrize("field", ["floor_strike", "cap_strike"])
def test_a_strike_beyond_all_reckoning_refuses_its_market_and_nothing_else(
    shared: Shared, field: str, figure: str
) -> None:
    """It comes over the stream too: what it raised would end the session."""
    cases = shared.json("ticker_samples.json")["cases"]
    document = whole(next(case for case in cases if case["ticker"] == "KXBTCD-26NOV2017-T90999.99"))
    event = {"event_ticker": "E", "series_ticker": "KXBTCD", "settlement_sources": BRTI}
    series = {"ticker": "KXBTCD", "fee_type": "quadratic", "fee_multiplier": 1}
    assert isinstance(read_text(json.dumps(document), event, series), Market)
    told = json.dumps({**document, "strike_type": "between", field: "@"}).replace('"@"', figure)
    assert isinstance(read_text(told, event, series), NotTraded)
