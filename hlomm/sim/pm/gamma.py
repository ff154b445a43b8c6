"""Gamma, where markets are found, and the Data API with positions and resolutions (venue sheet 13)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from hlomm.domain.times import NS_PER_S
from hlomm.sim.pm import refusals
from hlomm.sim.pm.faults import PmFault
from hlomm.sim.pm.gamma_rows import event_row, market_row, position_row, resolution_row, tags_of
from hlomm.sim.pm.market import Family, Market
from hlomm.sim.pm.refusals import Refused
from hlomm.sim.pm.venue import PolymarketVenue

Json = dict[str, Any]
Query = Mapping[str, list[str]]

_MARKETS_MAX: Final = 100
_EVENTS_MAX: Final = 500
_DEFAULT: Final = 20
_SERIES: Final = {"5m": "10684", "15m": "10192"}


class Gamma:
    """Answers for the hosts gamma-api and data-api."""

    def __init__(self, venue: PolymarketVenue) -> None:
        self._venue = venue
        self._exchange = venue.exchange

    def answer(self, path: str, query: Query) -> Any:
        """The value of a Gamma route; Refused, or KeyError for a route that is none."""
        match path.strip("/").split("/"):
            case ["markets"]:
                return self._slice(self._markets(query), query)
            case ["events"]:
                return self._slice(self._events(query), query)
            case ["markets", "keyset"]:
                return _keyset("markets", self._markets(query), query, _MARKETS_MAX)
            case ["events", "keyset"]:
                return _keyset("events", self._events(query), query, _EVENTS_MAX)
            case ["markets", "slug", slug]:
                return _only([market_row(m, with_event=True) for m in self._known() if m.spec.slug == slug])
            case ["events", "slug", slug]:
                found = [market for market in self._known() if market.spec.event_slug == slug]
                return event_row(found) if found else _only([])
            case ["markets", number]:
                return _only([market_row(m, with_event=True) for m in self._known() if str(m.number) == number])
        raise KeyError(path)

    def data(self, path: str, query: Query) -> Any:
        """The value of a Data API route; it lags when a fault says so."""
        user = query.get("user", [""])[0].lower()
        match path.strip("/").split("/"):
            case ["positions"]:
                return self._positions(user)
            case ["v2", "positions"]:
                return {"data": self._positions(user), "pagination": {"has_more": False, "next_cursor": ""}}
            case ["v2", "resolutions"]:
                wanted = set(query.get("condition_id", []))
                found = [m for m in self._exchange.markets.values() if not wanted or m.spec.condition in wanted]
                rows = [resolution_row(market) for market in found]
                return {"data": rows, "pagination": {"has_more": False, "next_cursor": ""}}
        raise KeyError(path)

    # -- selection

    def _known(self) -> list[Market]:
        """Markets in order of listing; a fault hides the youngest."""
        markets = list(self._exchange.markets.values())
        lag = self._venue.faults.take(PmFault.GAMMA_LAGS)
        if lag is None:
            return markets
        before_ns = self._exchange.tape.now_ns - round(lag.delay_s * NS_PER_S)
        return [market for market in markets if market.spec.listed_ns <= before_ns]

    def _chosen(self, query: Query) -> list[Market]:
        query = {name: [part for value in values for part in value.split(",")] for name, values in query.items()}
        closed = query.get("closed", ["false"])[0].lower()
        chosen = []
        for market in self._known():
            if closed in {"true", "false"} and (closed == "true") is market.open:
                continue
            names = {"slug": market.spec.slug, "id": str(market.number), "condition_ids": market.spec.condition}
            if any(name in query and value not in query[name] for name, value in names.items()):
                continue
            if "clob_token_ids" in query and not set(query["clob_token_ids"]) & set(market.spec.tokens):
                continue
            if "tag_slug" in query and query["tag_slug"][0] not in {tag["slug"] for tag in tags_of(market)}:
                continue
            if "tag_id" in query and query["tag_id"][0] not in {tag["id"] for tag in tags_of(market)}:
                continue
            if "series_id" in query and query["series_id"][0] != _series_id(market):
                continue
            if _between(query, "end_date", market.spec.end_ns) and _between(query, "start_date", market.spec.listed_ns):
                chosen.append(market)
        return chosen

    def _markets(self, query: Query) -> list[Json]:
        return [market_row(market, with_event=True) for market in _ordered(self._chosen(query), query)]

    def _events(self, query: Query) -> list[Json]:
        by_event: dict[str, list[Market]] = {}
        without_slug = {name: values for name, values in query.items() if name not in {"slug", "id"}}
        for market in _ordered(self._chosen(without_slug), query):
            if "slug" not in query or market.spec.event_slug in query["slug"]:
                by_event.setdefault(market.spec.event_slug, []).append(market)
        return [event_row(markets) for markets in by_event.values()]

    @staticmethod
    def _slice(rows: list[Json], query: Query) -> list[Json]:
        offset = _number(query, "offset", 0)
        return rows[offset : offset + min(_number(query, "limit", _DEFAULT), _EVENTS_MAX)]

    # -- the Data API

    def _positions(self, user: str) -> list[Json]:
        wallet = self._exchange.bank.wallets.get(user)
        if wallet is None or wallet.background:
            return []
        lag = self._venue.faults.take(PmFault.DATA_LAGS)
        settled_ms = self._exchange.tape.now_ms - (0 if lag is None else round(lag.delay_s * 1000))
        rows = []
        for (number, leg), holding in wallet.holdings.items():
            market = self._exchange.markets.get(number)
            if holding.total and market is not None and self._settled_before(user, number, settled_ms):
                rows.append(position_row(user, market, leg, holding.total))
        return rows

    def _settled_before(self, address: str, number: int, limit_ms: int) -> bool:
        trades = [trade for trade in self._venue.trades.get(address, ()) if trade.number == number]
        return all(trade.match_ms <= limit_ms for trade in trades)


def _series_id(market: Market) -> str:
    return _SERIES.get(market.spec.period, "0") if market.spec.family is Family.UPDOWN else "0"


def _ordered(markets: list[Market], query: Query) -> Iterable[Market]:
    """By end date if asked for, else by age."""
    down = query.get("ascending", ["true"])[0].lower() == "false"
    if query.get("order", [""])[0] == "endDate":
        return sorted(markets, key=lambda market: market.spec.end_ns, reverse=down)
    return reversed(markets) if down else markets


def _between(query: Query, name: str, time_ns: int) -> bool:
    low, high = _moment(query, f"{name}_min"), _moment(query, f"{name}_max")
    return (low is None or time_ns >= low) and (high is None or time_ns <= high)


def _moment(query: Query, name: str) -> int | None:
    if name not in query:
        return None
    try:
        return round(datetime.fromisoformat(query[name][0]).timestamp()) * NS_PER_S
    except ValueError:
        raise Refused(f"invalid {name}", 422) from None


def _keyset(name: str, rows: list[Json], query: Query, most: int) -> Json:
    """A page after a cursor; the last page names no next one, and offsets do not exist here."""
    if "offset" in query:
        raise Refused("offset is not supported", 422)
    limit = min(max(_number(query, "limit", _DEFAULT), 1), most)
    cursor = query.get("after_cursor", [""])[0]
    try:
        after = int(b64decode(cursor, validate=True)) if cursor else 0
    except (NotBase64, ValueError):
        raise Refused("invalid after_cursor", 422) from None
    # Ids only grow, so a page in their order does not shift when markets close meanwhile.
    by_id = "order" not in query and "ascending" not in query
    left = [row for row in rows if int(row["id"]) > after] if by_id else rows[after:]
    answer: Json = {name: left[:limit]}
    if len(left) > limit:
        mark = str(left[limit - 1]["id"]) if by_id else str(after + limit)
        answer["next_cursor"] = b64encode(mark.encode()).decode()
    return answer


def _number(query: Query, name: str, default: int) -> int:
    text = query.get(name, [str(default)])[0]
    if not text.isdecimal():
        raise Refused(f"invalid {name}", 422)
    return int(text)


def _only(rows: list[Json]) -> Json:
    if not rows:
        raise Refused(refusals.NO_MARKET, 404)
    return rows[0]
