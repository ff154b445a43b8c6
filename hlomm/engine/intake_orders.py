"""Inputs about our own orders: what the venue says of them, and what never reached it."""

from __future__ import annotations

from typing import Final

from hlomm.domain.ids import ClientId, venue_of
from hlomm.domain.inputs import (
    AmendFailed,
    CancelFailed,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    SendLost,
    SendRefused,
    SentAction,
)
from hlomm.domain.orders import OrderState
from hlomm.domain.outputs import AlertLevel
from hlomm.engine import safety
from hlomm.engine.order import Order
from hlomm.engine.state import State
from hlomm.strategy.base import Strategies

FATAL_CODES: Final = frozenset({"UnknownSigner", "WrongNetwork", "MustDeposit", "Unrecoverable", "VaultNotRegistered"})
"""Refusals that no retry heals: the venue does not know our key or account."""


def _order(state: State, client_id: ClientId) -> Order | None:
    order = state.orders.get(client_id)
    if order is None:
        state.orders.anomalies["unknown_client_id"] = state.orders.anomalies.get("unknown_client_id", 0) + 1
    else:
        state.touch(order.market)
    return order


def opened(state: State, item: OrderOpened, _: Strategies) -> None:
    order = _order(state, item.client_id)
    if order is not None:
        state.orders.opened(order, item.venue_order_id, item.leaves, state.now.mono_ns)


def closed(state: State, item: OrderClosed, _: Strategies) -> None:
    order = _order(state, item.client_id)
    if order is not None:
        state.orders.closed(order, item, state.now.mono_ns)


def rejected(state: State, item: OrderRejected, _: Strategies) -> None:
    order = _order(state, item.client_id)
    if order is not None:
        repeated = order.state is OrderState.UNKNOWN or not order.live  # the same refusal on a second channel
        state.orders.refused(order, state.now.mono_ns)
        if not repeated or item.code in FATAL_CODES:
            _refusal(state, order, item.code, item.text)


def amend_failed(state: State, item: AmendFailed, _: Strategies) -> None:
    order = _order(state, item.client_id)
    if order is not None:
        state.orders.amend_failed(order, state.now.mono_ns)
        _refusal(state, order, item.code, item.text)


def cancel_failed(state: State, item: CancelFailed, _: Strategies) -> None:
    order = _order(state, item.client_id)
    if order is not None and order.live:
        state.orders.lost(order, state.now.mono_ns)
        if item.code in FATAL_CODES:
            _refusal(state, order, item.code, item.text)


def _refusal(state: State, order: Order, code: str, text: str) -> None:
    refused = state.counters.venue_rejects
    refused[code] = refused.get(code, 0) + 1
    market, venue = state.markets.get(order.market), venue_of(order.market)
    if code in FATAL_CODES:
        reason = f"{venue} refuses us: {text}"
        safety.danger(state, reason, sell=False)
        state.out.exit(reason)  # it can cancel nothing there any more: a guardian with a key of its own can
        return
    if code == "RateLimitAddress":
        budget = state.budgets.by_venue.get(venue)
        if budget is not None:
            budget.used = max(budget.used, budget.cap)
    if market is None:
        return  # late word on an order of a market that is over and forgotten
    rules, now_ns = state.config.orders, state.now.mono_ns
    market.rejects.append(now_ns)
    recent = sum(1 for at_ns in market.rejects if now_ns - at_ns <= rules.reject_window_ns)
    if recent >= rules.reject_limit and now_ns >= market.resting_until_ns:
        market.resting_until_ns = now_ns + rules.reject_pause_ns
        state.out.alert(
            AlertLevel.WARNING, "venue_refusals",
            f"{market.market.ticker}: {recent} refusals in {rules.reject_window_ns / 1e9:.0f} s, last {text!r}; "
            f"resting {rules.reject_pause_ns / 1e9:.0f} s", order.market,
        )  # fmt: skip


def lost(state: State, item: SendLost, _: Strategies) -> None:
    for client_id in item.client_ids:
        order = _order(state, client_id)
        if order is not None:
            state.orders.lost(order, state.now.mono_ns)


def send_refused(state: State, item: SendRefused, _: Strategies) -> None:
    for client_id in item.client_ids:
        order = _order(state, client_id)
        if order is None:
            continue
        if item.action is SentAction.PLACE:
            state.orders.refused(order, state.now.mono_ns)
        elif item.action is SentAction.AMEND:
            state.orders.amend_refused(order, state.now.mono_ns)
        else:
            state.orders.cancel_refused(order, state.now.mono_ns)


def answered(state: State, item: OrderAnswer, _: Strategies) -> None:
    order = _order(state, item.client_id)
    if order is None:
        return
    believable = state.now.mono_ns - order.requested_ns >= state.config.orders.settle_doubt_ns
    if order.state is OrderState.UNKNOWN or (item.found and not item.open and order.live):
        state.orders.answered(order, item, state.now.mono_ns, believe_absence=believable)
