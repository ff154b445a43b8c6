"""Answers of `/info`: one small function per request type, and what each request weighs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from hlomm.domain.markets import Leg
from hlomm.sim.accounts import Account
from hlomm.sim.coins import PERP_COIN, is_address, split_coin, wire
from hlomm.sim.events import FillRow
from hlomm.sim.faults import FaultName
from hlomm.sim.hl import documents, perp_rows, rows
from hlomm.sim.hl.candles import LENGTHS_MS
from hlomm.sim.hl.schema import Malformed
from hlomm.sim.hl.venue import Venue
from hlomm.sim.hl.weights import weight_of
from hlomm.sim.market import Market
from hlomm.sim.orders import OrderRow
from hlomm.sim.refusals import Status

Json = dict[str, Any]
Request = dict[str, Any]

_FILLS_PAGE: Final = 2000
_FILLS_DEEP: Final = 10_000
_PAGE: Final = 500
_EVER: Final = 1 << 62


@attrs.frozen
class InfoReply:
    """Status and JSON value; `weight` is what the request cost the IP."""

    status: int
    value: Any
    weight: int


class ServerError(Exception):
    """Answered with status 500 and `null`."""


class Info:
    """Reads the venue; changes nothing."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._exchange = venue.exchange
        self._handlers: dict[str, Callable[[Request], Any]] = {
            "meta": lambda _r: documents.meta(),
            "metaAndAssetCtxs": lambda _r: [documents.meta(), [perp_rows.perp_ctx(self._exchange)]],
            "perpDexs": lambda _r: [None],
            "allPerpMetas": lambda _r: [documents.meta()],
            "spotMeta": lambda _r: documents.spot_meta(),
            "spotMetaAndAssetCtxs": lambda _r: [documents.spot_meta(), self._spot_ctxs()],
            "outcomeMeta": lambda _r: self._outcome_meta(),
            "outcomeTemplates": lambda _r: [],
            "settledOutcome": self._settled_outcome,
            "allMids": lambda _r: rows.all_mids(self._exchange),
            "l2Book": self._l2_book,
            "recentTrades": self._recent_trades,
            "candleSnapshot": self._candles,
            "fundingHistory": self._funding_history,
            "userFunding": self._user_funding,
            "exchangeStatus": lambda _r: {"time": self._now_ms, "specialStatuses": None},
            "openOrders": lambda r: [rows.order_row(row) for row in self._open(r)],
            "frontendOpenOrders": lambda r: [rows.frontend_row(row) for row in self._open(r)],
            "orderStatus": self._order_status,
            "historicalOrders": self._historical_orders,
            "userFills": self._user_fills,
            "userFillsByTime": self._user_fills_by_time,
            "clearinghouseState": self._clearinghouse,
            "spotClearinghouseState": self._spot_clearinghouse,
            "userFees": self._user_fees,
            "userRateLimit": self._rate_limit,
            "userRole": self._user_role,
            "extraAgents": self._extra_agents,
            "userAbstraction": self._user_abstraction,
            "subAccounts": self._sub_accounts,
        }

    def answer(self, request: Any) -> InfoReply:
        """The reply to one request. Malformed for what the venue answers with 422."""
        if not isinstance(request, dict) or not isinstance(request.get("type"), str):
            raise Malformed("expected an object with a type")
        kind = request["type"]
        handler = self._handlers.get(kind)
        if handler is None:
            raise Malformed(f"unknown type {kind[:40]!r}")
        try:
            value = handler(request)
        except ServerError:
            return InfoReply(500, None, weight_of(kind))
        return InfoReply(200, value, weight_of(kind, value))

    @property
    def _now_ms(self) -> int:
        return self._exchange.tape.now_ms

    # -- requests' fields

    def _account(self, request: Request) -> Account | None:
        """The account a request names, None if it has none here; Malformed without an address."""
        user = request.get("user")
        if not isinstance(user, str) or not is_address(user.lower()):
            raise Malformed("expected a user address")
        return self._venue.account(user)

    def _market(self, request: Request) -> tuple[Market, Leg, str] | None:
        coin = request.get("coin")
        if not isinstance(coin, str):
            raise Malformed("expected a coin")
        if coin == PERP_COIN:
            return self._exchange.perp, Leg.YES, coin
        split = split_coin(coin)
        market = None if split is None else self._exchange.outcomes.get(split[0])
        return None if market is None or split is None else (market, split[1], coin)

    # -- markets

    def _spot_ctxs(self) -> list[Json]:
        return [rows.outcome_ctx(self._exchange, outcome, leg) for outcome in self._exchange.outcomes for leg in Leg]

    def _outcome_meta(self) -> Json:
        exchange = self._exchange
        specs = [market.spec for market in exchange.outcomes.values()]
        deployers = {spec.deployer.address: spec.deployer for spec in specs if spec.deployer is not None}
        hidden = exchange.questions and self._venue.faults.take(FaultName.QUESTION_HIDDEN) is not None
        return {
            "outcomes": [rows.outcome_row(spec) for spec in specs],
            "questions": [] if hidden else [rows.question_row(spec) for spec in exchange.questions.values()],
            "deployers": [{"deployer": d.address, "venue": d.venue, "subDeployers": []} for d in deployers.values()],
            "feeScale": "1.0" if exchange.rules.outcome_fees or deployers else "0.0",
        }

    def _settled_outcome(self, request: Request) -> Json | None:
        outcome = request.get("outcome")
        if not isinstance(outcome, int) or isinstance(outcome, bool):
            raise Malformed("expected an outcome number")
        settled = self._exchange.settled.get(outcome)
        return None if settled is None else rows.settled_row(settled)

    def _l2_book(self, request: Request) -> Json | None:
        if request.get("nSigFigs") is not None or request.get("mantissa") is not None:
            raise ServerError
        found = self._market(request)
        if found is None:
            return None
        market, leg, coin = found
        return rows.l2_book(market, leg, coin, self._now_ms)

    def _recent_trades(self, request: Request) -> list[Json]:
        found = self._market(request)
        if found is None:
            raise ServerError
        market, leg, _ = found
        return [rows.trade_row(trade, leg) for trade in reversed(self._venue.trades.of(market.outcome))]

    def _candles(self, request: Request) -> list[Json]:
        asked: Any = request.get("req")
        interval = asked.get("interval") if isinstance(asked, dict) else None
        if not isinstance(interval, str) or interval not in LENGTHS_MS:
            raise Malformed("expected req with coin, interval, startTime and endTime")
        start_ms, end_ms = _span(asked)
        found = self._market(asked)
        if found is None:
            raise ServerError
        market, leg, _ = found
        return self._venue.candles.rows(market.outcome, leg, interval, start_ms, end_ms)

    # -- orders and fills

    def _open(self, request: Request) -> list[OrderRow]:
        account = self._account(request)
        if account is None:
            return []
        return [
            OrderRow.of(order, Status.OPEN, order.placed_ms)
            for order in reversed(list(self._exchange.open_orders(account)))
        ]

    def _order_status(self, request: Request) -> Json:
        account, key = self._account(request), request.get("oid")
        if isinstance(key, bool) or not isinstance(key, int | str):
            raise Malformed("expected an order id or a client id")
        if account is None:
            return {"status": "unknownOid"}
        blotter = self._exchange.tape.blotter_of(account)
        oid = blotter.cloids.get(key) if isinstance(key, str) else key
        row = None if oid is None else blotter.rows.get(oid)
        if row is None or self._hidden(blotter.fill_ms.get(row.oid)):
            return {"status": "unknownOid"}
        return {"status": "order", "order": rows.status_row(row)}

    def _hidden(self, fill_ms: int | None) -> bool:
        """Whether the venue does not find an order just after its fill (a fault)."""
        args = self._venue.faults.active(FaultName.UNKNOWN_OID)
        if args is None or fill_ms is None or self._now_ms - fill_ms >= args.delay_s * 1000:
            return False
        return self._venue.faults.take(FaultName.UNKNOWN_OID) is not None

    def _historical_orders(self, request: Request) -> list[Json]:
        account = self._account(request)
        if account is None:
            return []
        history = list(self._exchange.tape.blotter_of(account).rows.values())
        history.sort(key=lambda row: row.status_ms, reverse=True)
        return [rows.status_row(row) for row in history]

    def _fills(self, request: Request) -> list[FillRow]:
        account = self._account(request)
        return [] if account is None else list(self._exchange.tape.blotter_of(account).fills)

    def _user_fills(self, request: Request) -> list[Json]:
        return [rows.fill_row(fill) for fill in reversed(self._fills(request)[-_FILLS_PAGE:])]

    def _user_fills_by_time(self, request: Request) -> list[Json]:
        """Oldest first, so that one goes on from the last time; newest first if asked for in reverse."""
        start, end = _span(request)
        chosen = [f for f in self._fills(request)[-_FILLS_DEEP:] if start <= f.time_ms <= end]
        if request.get("reversed"):
            chosen.reverse()
        return [rows.fill_row(fill) for fill in chosen[:_FILLS_PAGE]]

    # -- accounts

    def _clearinghouse(self, request: Request) -> Json:
        account = self._account(request) or Account("", "")
        return perp_rows.clearinghouse(self._exchange, account, self._now_ms)

    def _user_funding(self, request: Request) -> list[Json]:
        account = self._account(request)
        start, end = _span(request)
        fundings = [] if account is None else self._exchange.tape.blotter_of(account).fundings
        chosen = [row for row in fundings if start <= row.time_ms <= end]
        return [perp_rows.funding_delta(row) for row in chosen[:_PAGE]]

    def _funding_history(self, request: Request) -> list[Json]:
        if request.get("coin") != PERP_COIN:
            raise ServerError
        start, end = _span(request)
        chosen = [point for point in self._exchange.funding.history if start <= point.time_ms <= end]
        return [perp_rows.funding_point(point) for point in chosen[:_PAGE]]

    def _spot_clearinghouse(self, request: Request) -> Json:
        account = self._account(request)
        return {"balances": []} if account is None else rows.spot_state(account)

    def _user_fees(self, request: Request) -> Json:
        self._account(request)
        return documents.user_fees(self._exchange.rules)

    def _rate_limit(self, request: Request) -> Json:
        account = self._account(request) or Account("", "")
        budgets = self._venue.gateway.budgets
        return {
            "cumVlm": wire(account.volume),
            "nRequestsUsed": budgets.used(account),
            "nRequestsCap": budgets.cap(account),
        }

    def _user_role(self, request: Request) -> Json:
        account = self._account(request)
        if account is not None:
            master = self._venue.agents.sub_accounts.get(account.address)
            return {"role": "user"} if master is None else {"role": "subAccount", "data": {"master": master}}
        agent = self._venue.agents.get(request["user"].lower())
        return {"role": "missing"} if agent is None else {"role": "agent", "data": {"user": agent.master}}

    def _extra_agents(self, request: Request) -> list[Json]:
        account = self._account(request)
        agents = [] if account is None else self._venue.agents.of(account.address)
        return [
            {"name": agent.name, "address": agent.address, "validUntil": agent.valid_until_ms}
            for agent in agents
            if agent.name
        ]

    def _user_abstraction(self, request: Request) -> str:
        self._account(request)
        return "disabled"

    def _sub_accounts(self, request: Request) -> None:
        self._account(request)


def _span(request: Request) -> tuple[int, int]:
    """First and last millisecond a request asks for; Malformed without a start."""
    start, end = request.get("startTime"), request.get("endTime")
    if not isinstance(start, int) or not (end is None or isinstance(end, int)):
        raise Malformed("expected startTime in milliseconds")
    return start, _EVER if end is None else end
