"""Signed writes: orders, batches, groups, transfers (venue sheet section 6). They run inside a step of the world."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from hlomm.domain.orders import Side, Tif
from hlomm.domain.times import NS_PER_S
from hlomm.sim.kalshi import refusals
from hlomm.sim.kalshi.accounts import LIMIT_MAX, Account, Group, Order
from hlomm.sim.kalshi.engine import Amendment, Engine
from hlomm.sim.kalshi.events import GroupKind
from hlomm.sim.kalshi.exchange import CENTI_CENT
from hlomm.sim.kalshi.grid import Unreadable, count_text, dollars, parse_count, parse_price, price_text
from hlomm.sim.kalshi.orders import NewOrder, SelfTrade
from hlomm.sim.kalshi.refusals import Refused, bad_request
from hlomm.sim.kalshi.rows import Json
from hlomm.sim.kalshi.venue import KalshiVenue

CLIENT_ID_MAX: Final = 64
_TIFS: Final = {"good_till_canceled": Tif.GTC, "immediate_or_cancel": Tif.IOC, "fill_or_kill": Tif.FOK}
_SIDES: Final = {"bid": Side.BUY, "ask": Side.SELL}


class Routing(msgspec.Struct, kw_only=True):
    """Which shard, market and subaccount a request is for."""

    exchange_index: int | None = None
    market_ticker: str | None = None
    subaccount: int | None = None


class Create(msgspec.Struct, kw_only=True):
    ticker: str
    side: Literal["bid", "ask"]
    count: str
    price: str
    time_in_force: Literal["good_till_canceled", "immediate_or_cancel", "fill_or_kill"]
    self_trade_prevention_type: Literal["taker_at_cross", "maker"]
    client_order_id: str | None = None
    expiration_time: int | None = None
    post_only: bool | None = None
    reduce_only: bool | None = None
    cancel_order_on_pause: bool | None = None
    order_group_id: str | None = None
    subaccount: int | None = None
    exchange_index: int | None = None


class Amend(msgspec.Struct, kw_only=True):
    ticker: str
    side: Literal["bid", "ask"]
    price: str
    count: str
    client_order_id: str | None = None
    updated_client_order_id: str | None = None
    exchange_index: int | None = None
    expiration_time: int | None = None
    subaccount: int | None = None


class Decrease(Routing, kw_only=True):
    reduce_by: str | None = None
    reduce_to: str | None = None


class CancelItem(Routing, kw_only=True):
    order_id: str


class CreateBatch(msgspec.Struct):
    orders: list[Create]


class CancelBatch(msgspec.Struct):
    orders: list[CancelItem]


class CreateGroup(msgspec.Struct, kw_only=True):
    contracts_limit: int | None = None
    contracts_limit_fp: str | None = None
    subaccount: int | None = None
    exchange_index: int | None = None


class Transfer(msgspec.Struct, kw_only=True):
    source: str
    destination: str
    amount: int
    source_exchange_shard: int
    destination_exchange_shard: int


class Netting(msgspec.Struct, kw_only=True):
    enabled: bool
    subaccount_number: int = 0


class Writes:
    """Carries out writes for an account; every method may raise Refused."""

    def __init__(self, venue: KalshiVenue) -> None:
        self._exchange = venue.exchange

    @property
    def _ts_ms(self) -> int:
        return self._exchange.tape.now_ms

    # -- one order

    def create(self, account: Account, body: Create) -> Json:
        _check_subaccount(body.subaccount)
        engine = self._exchange.route(body.exchange_index, body.ticker)
        order = engine.place(account, new_order(body))
        answer = self._filled(_ids(order), order)
        return answer | {"ts_ms": self._ts_ms}

    def cancel(self, account: Account, order_id: str, routing: Routing) -> Json:
        _check_subaccount(routing.subaccount)
        engine = self._engine_for(order_id, routing)
        order, lots = engine.cancel(account, order_id)
        return {**_ids(order), "reduced_by": count_text(lots), "ts_ms": self._ts_ms}

    def amend(self, account: Account, order_id: str, body: Amend) -> Json:
        _check_subaccount(body.subaccount)
        engine = self._exchange.route(body.exchange_index, body.ticker)
        order = engine.amend(account, order_id, _amendment(body))
        return self._filled(_ids(order), order) | {"ts_ms": self._ts_ms}

    def decrease(self, account: Account, order_id: str, body: Decrease) -> Json:
        _check_subaccount(body.subaccount)
        if (body.reduce_by is None) is (body.reduce_to is None):
            raise Refused(bad_request("exactly one of reduce_by and reduce_to"))
        by, to = (None if text is None else _count(text) for text in (body.reduce_by, body.reduce_to))
        order = self._engine_for(order_id, body).decrease(account, order_id, by=by, to=to)
        return {**_ids(order), "remaining_count": count_text(order.lots), "ts_ms": self._ts_ms}

    def _engine_for(self, order_id: str, routing: Routing) -> Engine:
        """The engine a cancel reaches; one that is sent to the wrong market there finds nothing."""
        engine = self._exchange.route(routing.exchange_index, routing.market_ticker)
        order = engine.live.get(order_id)
        if order is not None and routing.market_ticker not in {None, order.ticker}:
            raise Refused(refusals.NOT_FOUND)
        return engine

    def _filled(self, ids: Json, order: Order) -> Json:
        answer = ids | {"fill_count": count_text(order.filled), "remaining_count": count_text(order.lots)}
        if order.filled:
            fees = order.taker_fees + order.maker_fees
            answer |= {
                "average_fill_price": price_text(_nearest(order.tick_lots, order.filled)),
                "average_fee_paid": dollars(_nearest(fees, order.filled) * 100),
            }
        return answer

    # -- many

    def create_batch(self, account: Account, body: CreateBatch) -> Json:
        return {"orders": [self._create_item(account, item) for item in body.orders]}

    def _create_item(self, account: Account, item: Create) -> Json:
        try:
            return self.create(account, item)
        except Refused as refused:
            return {
                "client_order_id": item.client_order_id,
                "fill_count": None,
                "remaining_count": None,
                "ts_ms": None,
                "error": refused.refusal.error(),
            }

    def cancel_batch(self, account: Account, body: CancelBatch) -> Json:
        return {"orders": [self._cancel_item(account, item) for item in body.orders]}

    def _cancel_item(self, account: Account, item: CancelItem) -> Json:
        try:
            return self.cancel(account, item.order_id, item)
        except Refused as refused:
            return {
                "order_id": item.order_id,
                "client_order_id": None,
                "reduced_by": "0.00",
                "ts_ms": None,
                "error": refused.refusal.error(),
            }

    def cancel_all(self, account: Account) -> Json:
        """Cancel on all shards."""
        for engine in self._exchange.engines.values():
            engine.cancel_all(account)
        return {}

    # -- groups

    def create_group(self, account: Account, body: CreateGroup) -> Json:
        _check_subaccount(body.subaccount)
        limit = _limit(body)
        shard = 0 if body.exchange_index is None else body.exchange_index
        engine = self._exchange.route(max(shard, 0), None)
        group = engine.create_group(account, limit)
        return {"order_group_id": group.group_id, "subaccount": 0, "exchange_index": engine.shard}

    def delete_group(self, account: Account, group_id: str) -> Json:
        engine, _ = self._group(account, group_id)
        engine.delete_group(account, group_id)
        return {}

    def reset_group(self, account: Account, group_id: str) -> Json:
        engine, group = self._group(account, group_id)
        group.reset()
        engine.told(group, GroupKind.RESET)
        return {}

    def trigger_group(self, account: Account, group_id: str) -> Json:
        engine, group = self._group(account, group_id)
        engine.trigger(group)
        return {}

    def limit_group(self, account: Account, group_id: str, body: CreateGroup) -> Json:
        limit = _limit(body)
        engine, group = self._group(account, group_id)
        group.limit = limit
        engine.told(group, GroupKind.LIMIT)
        if group.exceeded(self._exchange.tape.now_ns):
            engine.trigger(group)
        return {}

    def _group(self, account: Account, group_id: str) -> tuple[Engine, Group]:
        for engine in self._exchange.engines.values():
            if group_id in engine.groups:
                return engine, engine.group(account, group_id)
        raise Refused(refusals.GROUP_NOT_FOUND)

    # -- money and switches

    def transfer(self, account: Account, body: Transfer) -> Json:
        if (body.source, body.destination) != ("event_contract", "event_contract"):
            raise Refused(bad_request("source and destination"))
        cash = body.amount * CENTI_CENT
        self._exchange.transfer(account, body.source_exchange_shard, body.destination_exchange_shard, cash)
        return {"transfer_id": self._exchange.tape.next_id()}

    def netting(self, account: Account, body: Netting) -> Json:
        """The switch is remembered; there is one subaccount, so it moves nothing."""
        _check_subaccount(body.subaccount_number)
        account.netting = body.enabled
        return {}


def new_order(body: Create) -> NewOrder:
    """An order request in the engine's terms; Refused for figures that cannot be read."""
    if body.client_order_id is not None and not 0 < len(body.client_order_id) <= CLIENT_ID_MAX:
        raise Refused(bad_request("client_order_id"))
    return NewOrder(
        ticker=body.ticker,
        side=_SIDES[body.side],
        ticks=_price(body.price),
        lots=_count(body.count),
        tif=_TIFS[body.time_in_force],
        post_only=bool(body.post_only),
        reduce_only=bool(body.reduce_only),
        self_trade=SelfTrade(body.self_trade_prevention_type),
        client_id=body.client_order_id,
        expires_ns=None if body.expiration_time is None else body.expiration_time * NS_PER_S,
        cancel_on_pause=bool(body.cancel_order_on_pause),
        group_id=body.order_group_id,
    )


def _amendment(body: Amend) -> Amendment:
    return Amendment(
        ticker=body.ticker,
        side=_SIDES[body.side],
        ticks=_price(body.price),
        lots=_count(body.count),
        client_id=body.client_order_id,
        new_client_id=body.updated_client_order_id,
        expires_ns=None if body.expiration_time is None else body.expiration_time * NS_PER_S,
    )


def _limit(body: CreateGroup) -> int:
    given = body.contracts_limit_fp
    lots = _count(given) if given is not None else (body.contracts_limit or 0) * 100
    if not 100 <= lots <= LIMIT_MAX:
        raise Refused(bad_request("contracts_limit"))
    return lots


def _price(text: str) -> int:
    try:
        return parse_price(text)
    except Unreadable:
        raise Refused(refusals.INVALID_PRICE) from None


def _count(text: str) -> int:
    try:
        return parse_count(text)
    except Unreadable:
        raise Refused(refusals.INVALID_SIZE) from None


def _nearest(numerator: int, denominator: int) -> int:
    """Quotient rounded to nearest, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)


def _ids(order: Order) -> Json:
    ids: dict[str, Any] = {"order_id": order.order_id}
    return ids if order.client_id is None else ids | {"client_order_id": order.client_id}


def _check_subaccount(number: int | None) -> None:
    if number not in {None, 0}:
        raise Refused(bad_request("subaccount"))
