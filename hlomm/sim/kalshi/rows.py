"""What markets, books and trades look like on the wire (venue sheet sections 5 and 10)."""

from __future__ import annotations

from typing import Any, Final

from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.domain.units import SCALE
from hlomm.sim.kalshi.contracts import (
    RULES_SECONDARY,
    Event,
    Market,
    Phase,
    Series,
    StrikeType,
    cents_text,
    clock_words,
    eastern,
    money_words,
    rules_primary,
    yes_words,
)
from hlomm.sim.kalshi.fees import RATE_SCALE, FeeTerms
from hlomm.sim.kalshi.grid import CENT, STRUCTURES, WHOLE, count_text, iso, price_text

Json = dict[str, Any]

SOURCES: Final = [{"name": "CF Benchmarks", "url": "https://www.cfbenchmarks.com/data/indices/BRTI"}]
_TERMS_URL: Final = "https://kalshi-public-docs.s3.amazonaws.com/contract_terms/BTC.pdf"
_EXPECTED_NS: Final = 300 * NS_PER_S
_LATEST_NS: Final = 7 * 86_400 * NS_PER_S
_LEVELS_MAX: Final = 10_000


def multiplier(terms: FeeTerms) -> int | float:
    """A JSON number, whole where it can be."""
    return terms.multiplier // RATE_SCALE if terms.multiplier % RATE_SCALE == 0 else terms.multiplier / RATE_SCALE


def series_row(series: Series, shard: int) -> Json:
    return {
        "ticker": series.ticker,
        "frequency": series.frequency,
        "title": "Bitcoin",
        "category": "Crypto",
        "categories": ["Crypto"],
        "tags": None,
        "settlement_sources": SOURCES,
        "contract_url": "",
        "contract_terms_url": _TERMS_URL,
        "fee_type": series.fees.kind,
        "fee_multiplier": multiplier(series.fees),
        "additional_prohibitions": None,
        "exchange_index": shard,
    }


def event_row(event: Event) -> Json:
    title = _event_title(event)
    row: Json = {
        "event_ticker": event.ticker,
        "series_ticker": event.series.ticker,
        "sub_title": title,
        "title": title,
        "collateral_return_type": "",
        "mutually_exclusive": False,
        "strike_date": iso(event.close_ns),
        "strike_period": "",
        "product_metadata": {"cadence": event.series.frequency},
        "settlement_sources": SOURCES,
        "category": "Crypto",
        "exchange_index": event.markets[0].shard,
    }
    if event.fees is not None:
        row |= {"fee_type_override": event.fees.kind, "fee_multiplier_override": multiplier(event.fees)}
    return row


def _event_title(event: Event) -> str:
    if event.series.strike_type is StrikeType.GREATER:
        moment = eastern(event.close_ns)
        words = clock_words(event.close_ns).replace(" PM", "pm").replace(" AM", "am")
        return f"BTC price on {moment:%b} {moment.day}, {moment.year} at {words}?"
    strike, phase = event.markets[0].strike, event.markets[0].phase
    target = f" \u00b7 {money_words(strike)} target" if strike is not None and phase is Phase.ACTIVE else ""
    return f"BTC 15 min{target}"


def ranges(structure: str) -> list[Json]:
    return [
        {"start": price_text(band.start), "end": price_text(band.end), "step": price_text(band.step)}
        for band in STRUCTURES[structure]
    ]


def rules_text(market: Market) -> str:
    return rules_primary(market) + market.amended_rules


def market_row(market: Market, open_interest: int, now_ns: int, *, listed: bool = False) -> Json:
    """The Market object. In lists (`listed`) a fresh strike may still be missing."""
    shows_strike = market.strike is not None and (not listed or now_ns >= market.listed_strike_ns)
    close = iso(market.close_ns)
    latest = iso(market.close_ns + _LATEST_NS)
    row: Json = {
        "ticker": market.ticker,
        "event_ticker": market.event_ticker,
        "market_type": "binary",
        "title": market.series.market_title,
        "yes_sub_title": yes_words(market) if shows_strike else "Target Price: TBD",
        "no_sub_title": _no_words(market),
        "created_time": iso(market.created_ns),
        "updated_time": iso(market.updated_ns),
        "open_time": iso(market.open_ns),
        "close_time": close,
        "expected_expiration_time": iso(market.close_ns + _EXPECTED_NS),
        "expiration_time": latest,
        "latest_expiration_time": latest,
        "settlement_timer_seconds": round(market.series.timer_s),
        "status": market.phase.value,
        **touch(market),
        "last_price_dollars": price_text(market.last_ticks or 0),
        "volume_fp": count_text(market.volume),
        "volume_24h_fp": count_text(market.volume),
        "result": "" if market.result is None else ("yes" if market.result else "no"),
        "can_close_early": True,
        "open_interest_fp": count_text(open_interest),
        "notional_value_dollars": "1.0000",
        "previous_yes_bid_dollars": "0.0000",
        "previous_yes_ask_dollars": "0.0000",
        "previous_price_dollars": "0.0000",
        "expiration_value": "" if market.value is None else cents_text(market.value),
        "settlement_bounds_type": "default",
        "strike_type": market.series.strike_type.value,
        "rules_primary": rules_text(market),
        "rules_secondary": RULES_SECONDARY,
        "price_level_structure": market.structure,
        "price_ranges": ranges(market.structure),
        "exchange_index": market.shard,
    }
    if shows_strike and market.strike is not None:
        row["floor_strike"] = market.strike / 100
    if market.result is not None:
        row["settlement_value_dollars"] = "1.0000" if market.result else "0.0000"
    if market.settled_ns:
        row["settlement_ts"] = iso(market.settled_ns, micros=True)
    return row


def _no_words(market: Market) -> str:
    if market.series.strike_type is StrikeType.GREATER:
        return yes_words(market)
    return "Target Price: TBD" if market.strike is None else "Target price: TBD"


def touch(market: Market) -> Json:
    """Best prices and sizes; an absent bid shows 0, an absent ask 1."""
    bids, asks = market.book.depth(Side.BUY, 1), market.book.depth(Side.SELL, 1)
    bid, bid_lots = bids[0][:2] if bids else (0, 0)
    ask, ask_lots = asks[0][:2] if asks else (WHOLE, 0)
    return {
        "yes_bid_dollars": price_text(bid),
        "yes_bid_size_fp": count_text(bid_lots),
        "yes_ask_dollars": price_text(ask),
        "yes_ask_size_fp": count_text(ask_lots),
        "no_bid_dollars": price_text(WHOLE - ask),
        "no_ask_dollars": price_text(WHOLE - bid),
    }


def ladders(market: Market, depth: int, *, yes_price: bool = False) -> tuple[list[list[str]], list[list[str]]]:
    """(YES bids, NO bids) as rising [price, size] rows; NO in its own price unless `yes_price`."""
    count = depth or _LEVELS_MAX
    yes = [[price_text(ticks), count_text(lots)] for ticks, lots, _ in reversed(market.book.depth(Side.BUY, count))]
    rows = market.book.depth(Side.SELL, count)
    if yes_price:
        no = [[price_text(ticks), count_text(lots)] for ticks, lots, _ in rows]
    else:
        no = [[price_text(WHOLE - ticks), count_text(lots)] for ticks, lots, _ in reversed(rows)]
    return yes, no


def orderbook(market: Market, depth: int) -> Json:
    yes, no = ladders(market, depth)
    return {"yes_dollars": yes, "no_dollars": no}


def side_words(side: Side) -> Json:
    """Direction under its present names."""
    return {"outcome_side": "yes" if side is Side.BUY else "no", "book_side": "bid" if side is Side.BUY else "ask"}


def lifecycle_created(market: Market) -> Json:
    """What the lifecycle channel says beyond the ticker when a market is listed."""
    extra: Json = {
        "name": "BTC 15 min" if market.series.strike_type is StrikeType.GREATER_OR_EQUAL else "Bitcoin price",
        "title": market.series.market_title,
        "yes_sub_title": yes_words(market),
        "no_sub_title": "Target price: TBD" if market.strike is None else yes_words(market),
        "rules_primary": rules_text(market),
        "rules_secondary": RULES_SECONDARY,
        "can_close_early": True,
        "event_ticker": market.event_ticker,
        "expected_expiration_ts": (market.close_ns + _EXPECTED_NS) // NS_PER_S,
        "strike_type": market.series.strike_type.value,
    }
    if market.strike is not None:
        extra["floor_strike"] = market.strike / 100
    return {
        "exchange_index": market.shard,
        "open_ts": market.open_ns // NS_PER_S,
        "close_ts": market.close_ns // NS_PER_S,
        "additional_metadata": extra,
        "price_level_structure": market.structure,
        "price_ranges": ranges(market.structure),
    }


def ticker_row(market: Market, open_interest: int, now_ns: int) -> Json:
    """The `msg` of the ticker channel."""
    best = touch(market)
    last = market.last_ticks or 0
    return {
        "market_id": market.market_id,
        "market_ticker": market.ticker,
        "price_dollars": price_text(last),
        "yes_bid_dollars": best["yes_bid_dollars"],
        "yes_ask_dollars": best["yes_ask_dollars"],
        "volume_fp": count_text(market.volume),
        "open_interest_fp": count_text(open_interest),
        "dollar_volume": market.dollar_volume // SCALE,
        "dollar_open_interest": open_interest * CENT // SCALE,
        "yes_bid_size_fp": best["yes_bid_size_fp"],
        "yes_ask_size_fp": best["yes_ask_size_fp"],
        "last_trade_size_fp": count_text(market.last_lots),
        "ts": now_ns // NS_PER_S,
        "ts_ms": now_ns // NS_PER_MS,
        "time": iso(now_ns),
    }
