"""Inputs that move money, and the venue's own picture of it: fills, funding, merges, account reports."""

from __future__ import annotations

from typing import Final

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import is_outcome, venue_of
from hlomm.domain.inputs import AccountState, ConversionFailed, FillReceived, FundingPaid
from hlomm.domain.orders import Side, direction, yes_px
from hlomm.domain.outputs import AlertLevel, HaltState
from hlomm.domain.report import FillRow
from hlomm.domain.sets import CONVERSIONS
from hlomm.domain.units import SCALE, Px, notional_ceil, notional_floor, to_text
from hlomm.engine import converting, fees, safety
from hlomm.engine.intake_life import venue_of_input
from hlomm.engine.intake_markets import settle
from hlomm.engine.reconcile import reconcile
from hlomm.engine.state import State
from hlomm.strategy.base import Strategies

FILLS_REMEMBERED: Final = 20_000


def fill(state: State, item: FillReceived, strategies: Strategies) -> None:
    fills = [fill for fill in item.fills if _news(state, fill)]
    if not fills:
        return
    state.last_move_ns = state.now.mono_ns
    state.books_moved = True
    if fills[0].kind in CONVERSIONS:
        _converted(state, fills)
    else:
        for fill in fills:
            _booked(state, fill, strategies)
    state.portfolio.check()
    for fill in fills:
        _noted(state, fill)


def _news(state: State, fill: Fill) -> bool:
    """Whether the books do not hold this fill yet."""
    if fill.key in state.seen_fills:
        return False
    state.seen_fills[fill.key] = fill.venue_ms
    if len(state.seen_fills) > FILLS_REMEMBERED:
        del state.seen_fills[next(iter(state.seen_fills))]
    if not state.opened:
        return False  # already inside the balances that the account opens with
    # Books of a version that knew no perps are yet to be told the wallet.
    return is_outcome(fill.market) or state.portfolio.perps.known


def _booked(state: State, fill: Fill, strategies: Strategies) -> None:
    if fill.kind is FillKind.SETTLEMENT:
        settle(state, fill.market, yes_px(fill.leg, fill.px), "settlement fill", strategies)
        state.portfolio.charge(fill.market, fill.fee)
    else:
        _attributed(state, fill)
        state.portfolio.apply(fill)
    fees.learn(state, fill)


def _converted(state: State, fills: list[Fill]) -> None:
    for fill in fills:
        _attributed(state, fill)
    state.portfolio.convert(fills)
    state.conversions.told(fills)
    if fills[0].kind is FillKind.MERGE:
        _merge_cost(state, fills)


def _attributed(state: State, fill: Fill) -> None:
    settled_px = state.portfolio.settled.get(fill.market)
    if settled_px is not None:
        state.attribution.settled(fill.market, settled_px)  # the market may have been forgotten since
    state.attribution.filled(fill)


def _noted(state: State, fill: Fill) -> None:
    """What a booked fill means outside the books: for its order, the screens and the market's next look."""
    state.last_fill_ms = max(state.last_fill_ms, fill.venue_ms)
    state.recent_fills.append(_fill_row(state, fill))
    if fill.market not in state.markets and is_outcome(fill.market) and state.portfolio.position(fill.market).flat:
        state.portfolio.forget(fill.market)
        state.attribution.forget(fill.market)
    state.digest.mix(state.portfolio.cash if is_outcome(fill.market) else state.portfolio.perps.raw, fill.qty)
    order = state.orders.get(fill.client_id) if fill.client_id is not None else None
    if order is not None:
        order.paid += fill.fee + (
            notional_ceil(fill.px, fill.qty) if fill.side is Side.BUY else -notional_floor(fill.px, fill.qty)
        )
        state.orders.filled(order, fill.venue_order_id, fill.qty, state.now.mono_ns)
    elif fill.kind is FillKind.TRADE:
        state.out.alert(
            AlertLevel.WARNING, "foreign_fill",
            f"{fill.side.name} {to_text(fill.qty)} {fill.leg.name} of {fill.market} @ {to_text(fill.px)} is from "
            "no order of this run: booked, and now managed like our own", fill.market,
        )  # fmt: skip
    state.touch(fill.market)


def _fill_row(state: State, fill: Fill) -> FillRow:
    market = state.markets.get(fill.market)
    edge = None
    if fill.kind is FillKind.TRADE and market is not None and market.desired is not None:
        fair = market.desired.fair
        if fair is not None:
            edge = Px((fair - yes_px(fill.leg, fill.px)) * direction(fill.leg, fill.side))
    return FillRow(
        wall_ms=state.now.wall_ms, market=fill.market, ticker=market.market.ticker if market else fill.market,
        leg=fill.leg, side=fill.side, px=fill.px, qty=fill.qty, fee=fill.fee, kind=fill.kind.value, maker=fill.maker,
        edge=edge,
    )  # fmt: skip


def _merge_cost(state: State, fills: list[Fill]) -> None:
    """Learn what merging a pair costs: the dearest seen stands, rounded up. A half told alone stands for both."""
    venue = venue_of(fills[0].market)
    pairs = max(fill.qty for fill in fills)
    fee = sum(max(fill.fee, 0) for fill in fills) * (2 if len(fills) == 1 else 1)
    if pairs:
        state.merge_fee[venue] = max(state.merge_fee.get(venue, 0), -(-fee * SCALE // pairs))


def funding(state: State, item: FundingPaid, _: Strategies) -> None:
    if item.key in state.seen_fills:
        return
    state.seen_fills[item.key] = item.venue_ms
    if len(state.seen_fills) > FILLS_REMEMBERED:
        del state.seen_fills[next(iter(state.seen_fills))]
    if not state.opened or not state.portfolio.perps.known:
        return  # already inside the wallet that the account opens with
    state.last_move_ns = state.now.mono_ns
    state.last_fill_ms = max(state.last_fill_ms, item.venue_ms)
    state.books_moved = True
    state.portfolio.fund(item.market, item.amount)
    state.attribution.funded(item.amount)
    state.digest.mix(item.amount, state.portfolio.perps.raw)


def conversion_failed(state: State, item: ConversionFailed, _: Strategies) -> None:
    converting.failed(state, item)
    state.out.alert(
        AlertLevel.WARNING, "conversion_failed", f"{item.action} of {item.market}: {item.text}", item.market
    )
    state.touch(item.market)


def account(state: State, item: AccountState, _: Strategies) -> None:
    reason = reconcile(state, venue_of_input(state, item.venue), item)
    for token in item.tokens:
        state.touch(token.market)
    if reason is not None and state.halt is HaltState.RUNNING:
        safety.danger(state, reason, sell=False)
