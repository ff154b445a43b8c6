"""The public part of the CLOB's REST interface (venue sheet 6)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Any, Final

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.sim.pm import refusals, rows
from hlomm.sim.pm.faults import PmFault
from hlomm.sim.pm.market import Market
from hlomm.sim.pm.naming import iso
from hlomm.sim.pm.refusals import Refused
from hlomm.sim.pm.units import WHOLE, price_text
from hlomm.sim.pm.venue import PolymarketVenue

Json = dict[str, Any]
Query = Mapping[str, str]

END_CURSOR: Final = "LTE="
_PAGE: Final = 500
_BOOKS_MAX: Final = 500
_SHARE: Final = 100


def page(rows_all: list[Json], cursor: str, limit: int) -> Json:
    """A page of the CLOB's lists; cursors are offsets in base64, the last one says -1."""
    try:
        start = int(b64decode(cursor or "MA==", validate=True))
    except (NotBase64, ValueError):
        raise Refused("next item should be greater than or equal to 0") from None
    if start < 0:
        return {"data": [], "next_cursor": END_CURSOR, "limit": limit, "count": 0}
    data = rows_all[start : start + limit]
    more = start + limit < len(rows_all)
    following = b64encode(str(start + limit).encode()).decode() if more else END_CURSOR
    return {"data": data, "next_cursor": following, "limit": limit, "count": len(data)}


class Public:
    """Answers without asking who wants to know."""

    def __init__(self, venue: PolymarketVenue) -> None:
        self._venue = venue
        self._exchange = venue.exchange

    def answer(self, method: str, path: str, query: Query, body: Any) -> Any:
        """The value of a route; Refused for what the venue refuses, KeyError for a route that is none of these."""
        tape = self._exchange.tape
        match method, path.strip("/").split("/"):
            case "GET", ["time"]:
                return tape.now_ns // 1_000_000_000
            case "GET", ["ok"] | [""]:
                return "OK"
            case "GET", ["version"]:
                return {"version": 2}
            case "GET", ["book"]:
                return self._book(query.get("token_id", ""))
            case "POST", ["books"]:
                return [self._book(token) for token in _tokens(body)]
            case "GET", ["markets"]:
                return page([market_row(market) for market in self._known()], query.get("next_cursor", ""), _PAGE)
            case "GET", ["markets", condition]:
                return market_row(self._market(condition))
            case "GET", ["clob-markets", condition]:
                return compact_row(self._market(condition))
            case "GET", ["markets-by-token", token]:
                return self._by_token(token)
            case "GET", [name]:
                return self._of_token(name, query)
            case "POST", ["midpoints" | "prices" as name]:
                return self._of_tokens(name, body)
        raise KeyError(path)

    def _of_token(self, name: str, query: Query) -> Json:
        known = {"price", "midpoint", "spread", "last-trade-price", "tick-size", "neg-risk", "fee-rate"}
        if name not in known:
            raise KeyError(name)
        market, leg = self._token(query.get("token_id", ""))
        bid, ask = market.best(leg, Side.BUY), market.best(leg, Side.SELL)
        match name:
            case "price":
                side = query.get("side", "").upper()
                if side not in {"BUY", "SELL"}:
                    raise Refused("Invalid side")
                ticks = ask if side == "BUY" else bid
                return {"price": price_text(0 if ticks is None else ticks)}
            case "midpoint":
                return {"mid": _mid(bid, ask)}
            case "spread":
                return {"spread": price_text((WHOLE if ask is None else ask) - (bid or 0))}
            case "last-trade-price":
                return _last(market, leg)
            case "tick-size":
                return {"minimum_tick_size": market.tick / WHOLE}
            case "neg-risk":
                return {"neg_risk": False}
            case _:
                return {"base_fee": 1000 if market.fee_rate else 0}

    def _of_tokens(self, name: str, body: Any) -> Json:
        rows_: Json = {}
        for token in _tokens(body):
            market, leg = self._token(token)
            bid, ask = market.best(leg, Side.BUY), market.best(leg, Side.SELL)
            if name == "midpoints":
                rows_[token] = _mid(bid, ask)
            else:
                rows_[token] = {"BUY": price_text(ask or 0), "SELL": price_text(bid or 0)}
        return rows_

    # -- lookup

    def _hydrated(self, market: Market) -> bool:
        """Whether the CLOB has heard of a market that Gamma already lists."""
        gap = self._venue.faults.active(PmFault.HYDRATION_GAP)
        young = gap is not None and self._exchange.tape.now_ns - market.spec.listed_ns < gap.delay_s * 1e9
        return not (young and self._venue.faults.take(PmFault.HYDRATION_GAP) is not None)

    def _known(self) -> list[Market]:
        return [market for market in self._exchange.markets.values() if self._hydrated(market)]

    def _market(self, condition: str) -> Market:
        market = self._exchange.by_condition.get(condition)
        if market is None or not self._hydrated(market):
            raise Refused(refusals.NO_MARKET, 404)
        return market

    def _token(self, token: str) -> tuple[Market, Leg]:
        if not token.isdecimal():
            raise Refused(refusals.INVALID_TOKEN)
        found = self._exchange.by_token.get(token)
        if found is None or not found[0].open or not self._hydrated(found[0]):
            raise Refused(refusals.NO_BOOK, 404)
        return found

    def _by_token(self, token: str) -> Json:
        market, _ = self._token(token)
        first, second = market.spec.tokens
        return {
            "condition_id": market.spec.condition,
            "primary_token_id": first,
            "secondary_token_id": second,
        }

    def _book(self, token: str) -> Json:
        market, leg = self._token(token)
        return rows.book(market, leg, self._exchange.tape.now_ms)


def market_row(market: Market) -> Json:
    """A market as `/markets/{condition}` has it."""
    spec = market.spec
    return {
        "enable_order_book": market.open,
        "active": True,
        "closed": not market.open,
        "archived": False,
        "accepting_orders": market.accepting,
        "accepting_order_timestamp": iso(spec.listed_ns),
        "minimum_order_size": market.min_lots / _SHARE,
        "minimum_tick_size": market.tick / WHOLE,
        "condition_id": spec.condition,
        "question_id": spec.question_id,
        "question": spec.question,
        "description": spec.description,
        "market_slug": spec.slug,
        "end_date_iso": iso(spec.end_ns),
        "game_start_time": None,
        "seconds_delay": 0,
        "fpmm": "",
        "maker_base_fee": 1000 if market.fee_rate else 0,
        "taker_base_fee": 1000 if market.fee_rate else 0,
        "notifications_enabled": False,
        "neg_risk": False,
        "neg_risk_market_id": "",
        "neg_risk_request_id": "",
        "icon": "",
        "image": "",
        "rewards": {"rates": None, "min_size": 50, "max_spread": 4.5},
        "is_50_50_outcome": market.yes_ticks == WHOLE // 2,
        "tokens": [
            {
                "token_id": spec.tokens[leg],
                "outcome": spec.outcomes[leg],
                "price": indicative(market, leg),
                "winner": market.yes_ticks == (WHOLE if leg is Leg.YES else 0),
            }
            for leg in Leg
        ],
        "tags": ["Crypto", "Bitcoin"],
    }


def compact_row(market: Market) -> Json:
    """A market as `/clob-markets/{condition}` has it; absent flags are false."""
    spec = market.spec
    row: Json = {
        "c": spec.condition,
        "gst": None,
        "r": {"rates": None, "mi": 50, "ma": 4.5},
        "t": [{"t": spec.tokens[leg], "o": spec.outcomes[leg]} for leg in Leg],
        "mos": market.min_lots / _SHARE,
        "mts": market.tick / WHOLE,
        "mbf": 1000 if market.fee_rate else 0,
        "tbf": 1000 if market.fee_rate else 0,
        "nr": False,
        "rfqe": False,
        "ibce": False,
        "fd": {"r": market.fee_rate / 10**8, "e": market.fee_exponent, "to": True},
        "oas": 0,
    }
    if market.delayed:
        row["itode"] = True
    return row


def indicative(market: Market, leg: Leg) -> float:
    """The price a page shows for a token: what it pays, else the middle of its book, else the last trade."""
    if market.yes_ticks is not None:
        ticks: float = rows.own_ticks(market.yes_ticks, leg)
    else:
        bid, ask = market.best(leg, Side.BUY), market.best(leg, Side.SELL)
        if bid is not None and ask is not None:
            ticks = (bid + ask) / 2
        else:
            ticks = rows.own_ticks(WHOLE // 2 if market.last_ticks is None else market.last_ticks, leg)
    return ticks / WHOLE


def _last(market: Market, leg: Leg) -> Json:
    if market.last_ticks is None:
        return {"price": "0.5", "side": ""}
    side = market.last_side if leg is Leg.YES else Side(-market.last_side)
    return {"price": price_text(rows.own_ticks(market.last_ticks, leg)), "side": rows.side_text(side)}


def _mid(bid: int | None, ask: int | None) -> str:
    doubled = (bid or 0) + (WHOLE if ask is None else ask)
    return price_text(doubled // 2) if doubled % 2 == 0 else price_text(doubled // 2) + "5"


def _tokens(body: Any) -> list[str]:
    if not isinstance(body, list) or len(body) > _BOOKS_MAX:
        raise Refused(refusals.INVALID_PAYLOAD)
    tokens = [one.get("token_id") if isinstance(one, dict) else None for one in body]
    if not all(isinstance(token, str) for token in tokens):
        raise Refused(refusals.INVALID_PAYLOAD)
    return [str(token) for token in tokens]
