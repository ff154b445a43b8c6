"""Public REST: exchange, series, events, markets, books, trades."""

from __future__ import annotations

from typing import Any, Final

from hlomm.domain.times import NS_PER_S
from hlomm.sim.kalshi import refusals, rows
from hlomm.sim.kalshi.contracts import CRYPTO_SHARD, FILTERS, SHARDS, Event, Market
from hlomm.sim.kalshi.grid import WHOLE, count_text, iso, price_text
from hlomm.sim.kalshi.misfortunes import PAUSE_HOURS
from hlomm.sim.kalshi.refusals import Refused, bad_request
from hlomm.sim.kalshi.requests import Query, page
from hlomm.sim.kalshi.rows import Json
from hlomm.sim.kalshi.venue import KalshiVenue, PastTrade

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ORDERBOOKS_MAX: Final = 100
_DEPTH_MAX: Final = 100


class MarketData:
    """Answers about what everybody may see. `now_ns` is the venue's clock."""

    def __init__(self, venue: KalshiVenue) -> None:
        self._venue = venue
        self._exchange = venue.exchange

    # -- exchange

    def status(self) -> Json:
        entries = [
            {
                "exchange_index": shard,
                "description": description,
                "exchange_active": not self._exchange.engines[shard].halted,
                "trading_active": not (self._exchange.engines[shard].paused or self._exchange.engines[shard].halted),
                "intra_exchange_transfers_active": not self._exchange.engines[shard].halted,
            }
            for shard, description in SHARDS.items()
        ]
        return {
            "exchange_active": True,
            "trading_active": True,
            "intra_exchange_transfers_active": True,
            "exchange_estimated_resume_time": None,
            "exchange_index_statuses": entries,
        }

    def schedule(self, now_ns: int) -> Json:
        whole = [{"open_time": "00:00", "close_time": "24:00"}]
        pause = [f"{hour:02d}:00" for hour in PAUSE_HOURS]
        thursday = [
            {"open_time": "00:00", "close_time": pause[0]},
            {"open_time": pause[1], "close_time": "24:00"},
        ]
        days = dict.fromkeys(_DAYS, whole)
        if self._venue.rules.thursday_pause:
            days["thursday"] = thursday
        year_ns = 365 * 86_400 * NS_PER_S
        hours = {"start_time": iso(now_ns - year_ns), "end_time": iso(now_ns + year_ns), **days}
        return {"schedule": {"standard_hours": [hours], "maintenance_windows": []}}

    # -- listing

    def series(self, ticker: str) -> Json:
        series = self._exchange.series.get(ticker)
        if series is None:
            raise Refused(refusals.NOT_FOUND)
        return {"series": rows.series_row(series, CRYPTO_SHARD)}

    def all_series(self, query: Query) -> Json:
        if query.text("category") not in {None, "Crypto"}:
            return {"series": []}
        return {"series": [rows.series_row(series, CRYPTO_SHARD) for series in self._exchange.series.values()]}

    def events(self, query: Query, now_ns: int) -> Json:
        wanted, tickers = query.text("series_ticker"), query.many("tickers")
        phases = _phases(query)
        min_close = query.number("min_close_ts")
        found = [
            event
            for event in self._exchange.events.values()
            if wanted in {None, event.series.ticker}
            and (not tickers or event.ticker in tickers)
            and (phases is None or any(market.phase in phases for market in event.markets))
            and (min_close is None or event.close_ns // NS_PER_S >= min_close)
        ]
        shown, cursor = page(found, query, 200, 200)
        nested = query.flag("with_nested_markets")
        return {"events": [self._event(event, now_ns, nested=nested) for event in shown], "cursor": cursor}

    def event(self, ticker: str, query: Query, now_ns: int) -> Json:
        event = self._exchange.events.get(ticker)
        if event is None:
            raise Refused(refusals.NOT_FOUND)
        nested = query.flag("with_nested_markets")
        answer: Json = {"event": self._event(event, now_ns, nested=nested)}
        if not nested:
            answer["markets"] = [self._market(market, now_ns) for market in event.markets]
        return answer

    def _event(self, event: Event, now_ns: int, *, nested: bool) -> Json:
        row = rows.event_row(event)
        if nested:
            row["markets"] = [self._market(market, now_ns, listed=True) for market in event.markets]
        return row

    def markets(self, query: Query, now_ns: int) -> Json:
        tickers, events = query.many("tickers"), query.many("event_ticker")
        series, phases = query.text("series_ticker"), _phases(query)
        windows = {name: (query.number(f"min_{name}_ts"), query.number(f"max_{name}_ts")) for name in _TIMES}
        found = [
            market
            for market in self._exchange.markets.values()
            if (not tickers or market.ticker in tickers)
            and (not events or market.event_ticker in events)
            and series in {None, market.series.ticker}
            and (phases is None or market.phase in phases)
            and all(_inside(_TIMES[name](market), window) for name, window in windows.items())
        ]
        shown, cursor = page(found, query, 100, 1000)
        return {"markets": [self._market(market, now_ns, listed=True) for market in shown], "cursor": cursor}

    def market(self, ticker: str, now_ns: int) -> Json:
        return {"market": self._market(self._known(ticker), now_ns)}

    def _market(self, market: Market, now_ns: int, *, listed: bool = False) -> Json:
        return rows.market_row(market, self._venue.open_interest(market.ticker), now_ns, listed=listed)

    # -- books and trades

    def orderbook(self, ticker: str, query: Query) -> Json:
        depth = query.number("depth") or 0
        if not 0 <= depth <= _DEPTH_MAX:
            raise Refused(bad_request("depth"))
        return {"orderbook_fp": rows.orderbook(self._known(ticker), depth)}

    def orderbooks(self, query: Query) -> Json:
        tickers = query.many("tickers")
        if not 0 < len(tickers) <= _ORDERBOOKS_MAX:
            raise Refused(bad_request("tickers"))
        books = [
            {"ticker": ticker, "orderbook_fp": rows.orderbook(self._exchange.markets[ticker], 0)}
            for ticker in tickers
            if ticker in self._exchange.markets
        ]
        return {"orderbooks": books}

    def trades(self, query: Query) -> Json:
        ticker, low, high = query.text("ticker"), query.number("min_ts"), query.number("max_ts")
        found = [
            trade_row(past)
            for past in reversed(self._venue.trades)
            if ticker in {None, past.trade.ticker} and _inside(past.time_ns, (low, high))
        ]
        shown, cursor = page(found, query, 100, 1000)
        return {"trades": shown, "cursor": cursor}

    def _known(self, ticker: str) -> Market:
        market = self._exchange.markets.get(ticker)
        if market is None:
            raise Refused(refusals.NOT_FOUND)
        return market


_TIMES: Final[dict[str, Any]] = {
    "created": lambda market: market.created_ns,
    "close": lambda market: market.close_ns,
    "settled": lambda market: market.settled_ns,
    "updated": lambda market: market.updated_ns,
}


def _inside(time_ns: int, window: tuple[int | None, int | None]) -> bool:
    low, high = window
    return (low is None or time_ns >= low * NS_PER_S) and (high is None or time_ns <= high * NS_PER_S)


def _phases(query: Query) -> Any:
    """The statuses a `status` filter admits, None for all; Refused for a word that is none."""
    word = query.text("status")
    if word is None:
        return None
    phases = FILTERS.get(word)
    if phases is None:
        raise Refused(bad_request("status"))
    return phases


def trade_row(past: PastTrade) -> Json:
    trade = past.trade
    return {
        "trade_id": trade.trade_id,
        "ticker": trade.ticker,
        "count_fp": count_text(trade.lots),
        "yes_price_dollars": price_text(trade.ticks),
        "no_price_dollars": price_text(WHOLE - trade.ticks),
        **{f"taker_{key}": value for key, value in rows.side_words(trade.taker).items()},
        "created_time": iso(past.time_ns, micros=True),
        "is_block_trade": False,
    }
