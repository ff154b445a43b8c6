"""Inputs that move money, and the venue's own picture of it: fills, funding, merges, account reports."""

from __future__ import annotations

from typing import Final

import msgspec

from hlomm.domain.faults import InvariantBroken
from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import MarketId, is_ours, is_outcome, venue_of
from hlomm.domain.inputs import AccountState, ConversionFailed, FillFinal, FillReceived, FillVoided, FundingPaid
from hlomm.domain.orders import Side, direction, yes_px
from hlomm.domain.outputs import AlertLevel, HaltState
from hlomm.domain.report import FillRow
from hlomm.domain.sets import CONVERSIONS
from hlomm.domain.units import SCALE, Cash, Px, notional_ceil, notional_floor, to_text
from hlomm.engine import arbitrage, converting, fees, income, safety, tripped
from hlomm.engine.intake_life import venue_of_input
from hlomm.engine.intake_markets import settle
from hlomm.engine.memory import Memory
from hlomm.engine.reconcile import reconcile
from hlomm.engine.state import State
from hlomm.strategy.base import Strategies

VOID: Final = "/void"
"""Added to the key of a fill: the key of its undoing."""
VOIDED: Final = "voided"
"""Kind of the row that shows it."""


def fill(state: State, item: FillReceived, strategies: Strategies) -> None:
    fills = [fill for fill in item.fills if _news(state, fill)]
    if not fills:
        return
    _memory(state, fills[0].market).last_move_ns = state.now.mono_ns
    state.books_moved = True
    tripped.filled(state, venue_of(fills[0].market))
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
    if not _memory(state, fill.market).unheard(fill.key, fill.venue_ms):
        return False
    books = state.portfolio.at(fill.market)
    if not books.opened:
        if fill.pending:
            state.undelivered.add(fill, None)
        return False  # already inside the balances that the account opens with
    # Books of a version that knew no perps are yet to be told the wallet.
    return is_outcome(fill.market) or books.perps.known


def _memory(state: State, market: MarketId) -> Memory:
    """What is known of the fills of a market's venue."""
    return state.memory(venue_of_input(state, venue_of(market)).venue)


def _booked(state: State, fill: Fill, strategies: Strategies) -> None:
    if fill.kind is FillKind.SETTLEMENT:
        settle(state, fill.market, yes_px(fill.leg, fill.px), "settlement fill", strategies)
        state.portfolio.charge(fill.market, fill.fee)
        state.attribution.charged(fill.market, fill.fee)
    else:
        _attributed(state, fill)
        released = state.portfolio.apply(fill)
        if fill.pending:
            state.undelivered.add(fill, released)
    fees.learn(state, fill)
    income.filled(state, fill)


def _converted(state: State, fills: list[Fill]) -> None:
    for fill in fills:
        _attributed(state, fill)
        if fill.pending:
            state.undelivered.add(fill, None)
    state.portfolio.convert(fills)
    state.conversions.told(fills)
    if fills[0].kind is FillKind.MERGE:
        _merge_cost(state, fills)


def _attributed(state: State, fill: Fill) -> None:
    settled_px = state.portfolio.settled_px(fill.market)
    if settled_px is not None:
        state.attribution.settled(fill.market, settled_px)  # the market may have been forgotten since
    state.attribution.filled(fill)


def _noted(state: State, fill: Fill) -> None:
    """What a booked fill means outside the books: for its order, the screens and the market's next look."""
    memory = _memory(state, fill.market)
    memory.last_fill_ms = max(memory.last_fill_ms, fill.venue_ms)
    state.markouts.note(_fill_row(state, fill), state.now.mono_ns)
    _forgotten(state, fill.market)
    state.digest.mix(state.portfolio.cash if is_outcome(fill.market) else state.portfolio.perps.raw, fill.qty)
    order = state.orders.get(fill.client_id) if fill.client_id is not None else None
    if order is not None:
        order.paid += _paid(fill)
        state.orders.filled(order, fill.venue_order_id, fill.qty, state.now.mono_ns)
        safety.moved_since(state, fill.market, "a late fill")
    elif fill.kind is FillKind.TRADE:
        _of_no_order_known(state, fill)
        arbitrage.gone(state, "a fill from no order of this run took its tokens")
        if is_ours(fill.client_id):
            safety.moved_since(state, fill.market, "a late fill")
    state.touch(fill.market)


def _of_no_order_known(state: State, fill: Fill) -> None:
    """After a crash an order of ours, or a sale of the guardian's, is told of as a fill that nobody here asked for."""
    what = f"{fill.side.name} {to_text(fill.qty)} {fill.leg.name} of {fill.market} @ {to_text(fill.px)}"
    if is_ours(fill.client_id) and fill.venue_ms < state.booted_ms:
        level, code, whose = AlertLevel.INFO, "adopted_fill", "is of an earlier run or its guardian: booked"
    else:
        level, code = AlertLevel.WARNING, "foreign_fill"
        whose = "is from no order of this run: booked, and now managed like our own"
    state.out.alert(level, code, f"{what} {whose}", fill.market)


def _forgotten(state: State, market: MarketId) -> None:
    """What moved in a market that is over leaves nothing behind once it is flat."""
    if market not in state.markets and is_outcome(market) and state.portfolio.position(market).flat:
        state.portfolio.forget(market)
        state.attribution.forget(market)


def _paid(fill: Fill) -> int:
    """Cash that a fill took, its fee included; negative if it brought some."""
    notional = notional_ceil(fill.px, fill.qty) if fill.side is Side.BUY else -notional_floor(fill.px, fill.qty)
    return notional + fill.fee


def fill_voided(state: State, item: FillVoided, _: Strategies) -> None:
    """Undo a fill: what it brought was never ours, and what it was to hedge or to close is open again."""
    fill, memory = item.fill, _memory(state, item.fill.market)
    first = memory.unheard(f"{fill.key}{VOID}", fill.venue_ms)
    if fill.kind is FillKind.SETTLEMENT or not is_outcome(fill.market):
        raise InvariantBroken(f"only fills of tokens can be void, not {fill.kind.value} {fill.key} of {fill.market}")
    awaited = state.undelivered.take(fill.key)
    told = not memory.unheard(fill.key, fill.venue_ms)
    if not (first and told and state.portfolio.at(fill.market).opened):
        return  # undone before, never booked, or not in the balances that the account will open with
    memory.last_move_ns = state.now.mono_ns
    state.books_moved = True
    undone = msgspec.structs.replace(fill, side=Side(-fill.side), fee=Cash(-fill.fee))
    _attributed(state, undone)
    state.portfolio.void(fill, None if awaited is None else awaited.released)
    income.filled(state, fill, undone=True)
    _forgotten(state, fill.market)
    order = state.orders.get(fill.client_id) if fill.client_id is not None else None
    if order is not None:
        order.voided += fill.qty
        order.paid -= _paid(fill)
        arbitrage.undone(state, order)
    else:
        arbitrage.gone(state, "a fill of it never settled")
    state.markouts.note(msgspec.structs.replace(_fill_row(state, undone), kind=VOIDED), state.now.mono_ns)
    state.counters.voided += 1
    state.digest.mix_text(fill.key)
    state.digest.mix(state.portfolio.cash, fill.qty)
    state.touch(fill.market)
    state.out.alert(
        AlertLevel.WARNING, "fill_voided",
        f"{fill.side.name} {to_text(fill.qty)} {fill.leg.name} of {fill.market} @ {to_text(fill.px)} never settled "
        f"({item.reason}): undone in the books, net is {to_text(state.portfolio.position(fill.market).net)}",
        fill.market,
    )  # fmt: skip
    safety.moved_since(state, fill.market, "a fill that never settled")


def fill_final(state: State, item: FillFinal, _: Strategies) -> None:
    """Delivered: its tokens can be sold, its cash spent."""
    awaited = state.undelivered.take(item.key)
    if awaited is not None:
        state.digest.mix_text(item.key)
        state.touch(awaited.fill.market)


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
    memory, books = _memory(state, item.market), state.portfolio.at(item.market)
    if not memory.unheard(item.key, item.venue_ms):
        return
    if not books.opened or not books.perps.known:
        return  # already inside the wallet that the account opens with
    memory.last_move_ns = state.now.mono_ns
    memory.last_fill_ms = max(memory.last_fill_ms, item.venue_ms)
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
