"""What each input means. One function per kind; the table at the end is the whole dispatch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from hlomm.domain.faults import InvariantBroken
from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import ClientId, ClientIds, MarketId, StrategyId, is_outcome, venue_of
from hlomm.domain.inputs import (
    AccountState,
    AmendFailed,
    BboUpdate,
    BookSnapshot,
    Booted,
    CancelFailed,
    ClockSkew,
    DeadmanArmed,
    FeeRates,
    FillReceived,
    FundingPaid,
    FuseTripped,
    GuardianDown,
    GuardianUp,
    Input,
    JournalFailed,
    MarketDelisted,
    MarketListed,
    MarketSettled,
    MarkPrice,
    MergeFailed,
    OperatorAction,
    OperatorCommand,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    RateBudget,
    SendLost,
    SendRefused,
    SentAction,
    SessionDown,
    SessionUp,
    StopRequested,
    TradePrint,
)
from hlomm.domain.markets import MarketKind
from hlomm.domain.orders import OrderState, direction, yes_px
from hlomm.domain.outputs import AlertLevel, HaltState
from hlomm.domain.report import FillRow
from hlomm.domain.units import SCALE, Px, to_text
from hlomm.domain.view import BookShape
from hlomm.engine import safety, stranded
from hlomm.engine.carry import restore
from hlomm.engine.config import OnDisconnect
from hlomm.engine.orders import Order
from hlomm.engine.reconcile import reconcile
from hlomm.engine.state import MarketState, State, VenueState
from hlomm.strategy.base import Strategy

Strategies = Mapping[StrategyId, Strategy]

FILLS_REMEMBERED: Final = 20_000
FATAL_CODES: Final = frozenset({"UnknownSigner", "WrongNetwork", "MustDeposit", "Unrecoverable", "VaultNotRegistered"})
"""Refusals that no retry heals: the venue does not know our key or account."""


# -- life


def _booted(state: State, item: Booted, _: Strategies) -> None:
    if state.ids is not None:
        raise InvariantBroken("booted twice")
    state.ids = ClientIds(item.epoch_ms)
    state.carried_halt = item.halted
    state.account = item.account
    state.guardian_required = item.guardian_required
    if item.carried is not None:
        restore(state, item.carried)
    state.digest.mix(item.epoch_ms)
    state.digest.mix_text(item.config)


def _operator(state: State, item: OperatorCommand, strategies: Strategies) -> None:
    said = f"{item.action.value} by {item.actor}" + (f" ({item.reason})" if item.reason else "")
    state.digest.mix_text(said)
    match item.action:
        case OperatorAction.KILL:
            safety.danger(state, said, sell=state.config.flatten.on_kill)
        case OperatorAction.FLATTEN:
            safety.danger(state, said, sell=True)
        case OperatorAction.RESUME:
            safety.resume(state, item.actor)
        case OperatorAction.PAUSE:
            _pause(state, strategies, item.target, said, paused=True)
        case OperatorAction.UNPAUSE:
            _pause(state, strategies, item.target, said, paused=False)


def _pause(state: State, strategies: Strategies, target: str, said: str, *, paused: bool) -> None:
    strategy = StrategyId(target)
    if strategy not in strategies:
        known = ", ".join(strategies)
        state.out.alert(AlertLevel.WARNING, "unknown_strategy", f"no strategy {target!r}; there are: {known}")
        return
    if paused:
        state.paused[strategy] = said
    else:
        state.paused.pop(strategy, None)
        state.strategy_faults.pop(strategy, None)
    state.out.alert(AlertLevel.INFO, "paused" if paused else "unpaused", f"{target}: {said}")
    for market_id in state.markets:
        state.touch(market_id)


def _stop(state: State, item: StopRequested, _: Strategies) -> None:
    safety.stop(state, item.reason, sell=item.flatten)


def _journal_failed(state: State, item: JournalFailed, _: Strategies) -> None:
    # Selling would send what no record proves: cancel only, also where a sale is already under way.
    state.journal_failed = True
    safety.danger(state, f"journal cannot be written ({item.reason})", sell=False)


def _guardian_up(state: State, _item: GuardianUp, _: Strategies) -> None:
    _guardian(state, None)
    state.out.alert(AlertLevel.INFO, "guardian_up", "a guardian watches over this run")


def _guardian_down(state: State, item: GuardianDown, _: Strategies) -> None:
    _guardian(state, item.reason)
    consequence = "nothing is quoted until one is back" if state.guardian_required else "none is required"
    state.out.alert(AlertLevel.CRITICAL, "guardian_down", f"no guardian ({item.reason}): {consequence}")


def _guardian(state: State, missing: str | None) -> None:
    state.guardian_missing = missing
    state.digest.mix_text(missing or "guardian")
    for market_id in state.markets:
        state.touch(market_id)


def _clock_skew(state: State, item: ClockSkew, _: Strategies) -> None:
    _venue(state, item.venue).skew_ms = item.skew_ms


def _deadman(state: State, item: DeadmanArmed, _: Strategies) -> None:
    venue = _venue(state, item.venue)
    stranded.heard(state, venue, item)
    for market_id in state.markets:
        state.touch(market_id)


def _fuse_tripped(state: State, item: FuseTripped, _: Strategies) -> None:
    # What this engine wants cannot be trusted: it gets out and stays out. A new session, and engine, is a restart away.
    _venue(state, item.venue).fuse = item.reason
    state.digest.mix_text(item.reason)
    state.out.alert(
        AlertLevel.CRITICAL, "fuse_tripped",
        f"{item.venue} session stopped sending ({item.reason}): only cancels and flattening sales pass — find out why, "
        "restart the daemon, then `hlomm resume`",
    )  # fmt: skip
    safety.danger(state, f"{item.venue} fuse: {item.reason}", sell=True)


# -- sessions


def _venue(state: State, venue: str) -> VenueState:
    found = next((known for name, known in state.venues.items() if name == venue), None)
    if found is None:
        raise InvariantBroken(f"input from unknown venue {venue!r}")
    return found


def _session_up(state: State, item: SessionUp, _: Strategies) -> None:
    venue = _venue(state, item.venue)
    venue.up = venue.ever_up = True
    if state.halt is HaltState.STARTING and all(known.up for known in state.venues.values()):
        safety.ready(state)
    safety.take_up(state)
    for market_id in state.markets:
        state.touch(market_id)


def _session_down(state: State, item: SessionDown, _: Strategies) -> None:
    venue = _venue(state, item.venue)
    was_up, venue.up = venue.up, False
    for market_id, market in state.markets.items():
        if market.market.venue == item.venue:
            market.book.forget()
            state.touch(market_id)
    if not was_up:
        if item.rest:
            safety.take_up(state)
        return
    if state.config.flatten.on_disconnect.get(item.venue, OnDisconnect.FLATTEN) is OnDisconnect.FLATTEN:
        safety.danger(state, f"{item.venue} session lost ({item.reason})", sell=True)
    else:
        state.out.alert(
            AlertLevel.WARNING, "session_lost",
            f"{item.venue} session lost ({item.reason}): its quotes are cancelled, quoting resumes when it is back",
        )  # fmt: skip


def _rate_budget(state: State, item: RateBudget, _: Strategies) -> None:
    state.budgets.apply(item)


def _fee_rates(state: State, item: FeeRates, _: Strategies) -> None:
    state.fees[item.venue] = item


# -- markets


def _listed(state: State, item: MarketListed, strategies: Strategies) -> None:
    market = item.market
    known = state.markets.get(market.id)
    if known is not None:
        return
    settled_px = state.portfolio.settled.get(market.id)
    if settled_px is not None:
        # Told of its end before its beginning. Known from now on, so that what it left can be looked at; never quoted.
        state.markets[market.id] = MarketState(
            market=market, strategy=None, underlying=None, settled=settled_px, gone=True
        )
        return
    strategy = None
    underlying = None
    if market.kind is MarketKind.OUTCOME:
        strategy = next((key for key, candidate in strategies.items() if candidate.wants(market)), None)
        underlying = MarketId(f"{market.venue}:{market.underlying}")
        series = (market.underlying, market.klass, market.period)
        if strategy is not None and any(
            other.settled is not None and (other.market.underlying, other.market.klass, other.market.period) == series
            for other in state.markets.values()
        ):
            state.counters.rolls += 1
    state.markets[market.id] = MarketState(market=market, strategy=strategy, underlying=underlying)
    if strategy is not None or market.kind is MarketKind.PERP:
        state.out.subscribe(market.id)
    state.touch(market.id)


def _settled(state: State, item: MarketSettled, strategies: Strategies) -> None:
    _settle(state, item.market, item.yes_px, item.detail, strategies)


def _settle(state: State, market_id: MarketId, px: Px, detail: str, strategies: Strategies) -> None:
    position = state.portfolio.position(market_id)
    yes, no = position.yes, position.no
    if not state.portfolio.settle(market_id, px):
        return
    state.attribution.settled(market_id, px)
    state.books_moved = True
    state.last_move_ns = state.now.mono_ns
    state.digest.mix(px, state.portfolio.cash)
    market = state.markets.get(market_id)
    if market is None:
        return
    market.settled, market.gone = px, True
    market.desired = None
    if market.strategy is not None:
        strategies[market.strategy].forget(market_id)
    state.out.unsubscribe(market_id)
    state.touch(market_id)
    held = f", held {to_text(yes)} YES {to_text(no)} NO" if yes or no else ""
    state.out.alert(
        AlertLevel.INFO,
        "settled",
        f"{market.market.ticker} settled, YES pays {to_text(px)} ({detail}){held}",
        market_id,
    )


def _delisted(state: State, item: MarketDelisted, _: Strategies) -> None:
    market = state.markets.get(item.market)
    if market is None or market.gone:
        return
    market.gone = True
    state.out.unsubscribe(item.market)
    state.touch(item.market)
    state.out.alert(
        AlertLevel.WARNING, "delisted", f"{market.market.ticker} is gone ({item.reason}): waiting for its settlement",
        item.market,
    )  # fmt: skip


def _snapshot(state: State, item: BookSnapshot, _: Strategies) -> None:
    market = state.markets.get(item.market)
    if market is not None and market.book.apply_snapshot(item, state.now.mono_ns):
        _book_changed(state, market)


def _bbo(state: State, item: BboUpdate, _: Strategies) -> None:
    market = state.markets.get(item.market)
    if market is not None and market.book.apply_bbo(item, state.now.mono_ns):
        _book_changed(state, market)


def _book_changed(state: State, market: MarketState) -> None:
    book, market_id = market.book, market.market.id
    state.digest.mix(book.count, book.bids[0][0] if book.bids else 0, book.asks[0][0] if book.asks else 0)
    if not market.is_outcome:
        if not market.mark_px and book.shape is BookShape.TWO_SIDED:
            state.attribution.moved(market_id, book.bids[0][0] + book.asks[0][0], max(book.depth_ms, book.touch_ms))
        _underlying_moved(state, market_id)
        return
    others = state.others(market)
    if others.bids:
        market.mark_bid = Px(others.bids[0][0])
    if others.asks:
        market.mark_ask = Px(others.asks[0][0])
    if others.shape is BookShape.TWO_SIDED:
        mid2 = others.bids[0][0] + others.asks[0][0]
        state.attribution.moved(market_id, mid2, max(book.depth_ms, book.touch_ms))
    state.touch(market_id)


def _underlying_moved(state: State, perp: MarketId) -> None:
    for market_id, market in state.markets.items():
        if market.underlying == perp and not market.gone:
            state.touch(market_id)


def _print(state: State, item: TradePrint, _: Strategies) -> None:
    market = state.markets.get(item.market)
    if market is not None:
        market.prints.append(item)


def _mark(state: State, item: MarkPrice, _: Strategies) -> None:
    market = state.markets.get(item.market)
    if market is None:
        return
    market.mark_px, market.mark_ns = item.px, state.now.mono_ns
    state.digest.mix(item.px)
    if item.px and not market.is_outcome:
        state.attribution.moved(item.market, 2 * item.px, item.venue_ms)
    _underlying_moved(state, item.market)


# -- orders


def _order(state: State, client_id: ClientId) -> Order | None:
    order = state.orders.get(client_id)
    if order is None:
        state.orders.anomalies["unknown_client_id"] = state.orders.anomalies.get("unknown_client_id", 0) + 1
    else:
        state.touch(order.market)
    return order


def _opened(state: State, item: OrderOpened, _: Strategies) -> None:
    order = _order(state, item.client_id)
    if order is not None:
        state.orders.opened(order, item.venue_order_id, item.leaves, state.now.mono_ns)


def _closed(state: State, item: OrderClosed, _: Strategies) -> None:
    order = _order(state, item.client_id)
    if order is not None:
        state.orders.closed(order, item, state.now.mono_ns)


def _rejected(state: State, item: OrderRejected, _: Strategies) -> None:
    order = _order(state, item.client_id)
    if order is not None:
        repeated = order.state is OrderState.UNKNOWN or not order.live  # the same refusal on a second channel
        state.orders.refused(order, state.now.mono_ns)
        if not repeated or item.code in FATAL_CODES:
            _refusal(state, order, item.code, item.text)


def _amend_failed(state: State, item: AmendFailed, _: Strategies) -> None:
    order = _order(state, item.client_id)
    if order is not None:
        state.orders.amend_failed(order, state.now.mono_ns)
        _refusal(state, order, item.code, item.text)


def _cancel_failed(state: State, item: CancelFailed, _: Strategies) -> None:
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
        safety.danger(state, f"{venue} refuses us: {text}", sell=False)
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


def _lost(state: State, item: SendLost, _: Strategies) -> None:
    for client_id in item.client_ids:
        order = _order(state, client_id)
        if order is not None:
            state.orders.lost(order, state.now.mono_ns)


def _send_refused(state: State, item: SendRefused, _: Strategies) -> None:
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


def _answered(state: State, item: OrderAnswer, _: Strategies) -> None:
    order = _order(state, item.client_id)
    if order is None:
        return
    believable = state.now.mono_ns - order.requested_ns >= state.config.orders.settle_doubt_ns
    if order.state is OrderState.UNKNOWN or (item.found and not item.open and order.live):
        state.orders.answered(order, item, state.now.mono_ns, believe_absence=believable)


# -- money


def _fill(state: State, item: FillReceived, strategies: Strategies) -> None:
    fill = item.fill
    if fill.key in state.seen_fills:
        return
    state.seen_fills[fill.key] = fill.venue_ms
    if len(state.seen_fills) > FILLS_REMEMBERED:
        del state.seen_fills[next(iter(state.seen_fills))]
    if not state.opened:
        return  # already inside the balances that the account opens with
    if not is_outcome(fill.market) and not state.portfolio.perps.known:
        return  # the books are of a version that knew no perps: the wallet is yet to be told
    state.last_move_ns = state.now.mono_ns
    state.last_fill_ms = max(state.last_fill_ms, fill.venue_ms)
    state.books_moved = True
    state.recent_fills.append(_fill_row(state, fill))
    if fill.kind is FillKind.SETTLEMENT:
        _settle(state, fill.market, yes_px(fill.leg, fill.px), "settlement fill", strategies)
        state.portfolio.charge(fill.market, fill.fee)
    else:
        settled_px = state.portfolio.settled.get(fill.market)
        if settled_px is not None:
            state.attribution.settled(fill.market, settled_px)  # the market may have been forgotten since
        state.attribution.filled(fill)
        state.portfolio.apply(fill)
    if fill.kind is FillKind.MERGE:
        _merge_cost(state, fill)
    state.portfolio.check()
    if fill.market not in state.markets and is_outcome(fill.market) and state.portfolio.position(fill.market).flat:
        state.portfolio.forget(fill.market)
        state.attribution.forget(fill.market)
    state.digest.mix(state.portfolio.cash if is_outcome(fill.market) else state.portfolio.perps.raw, fill.qty)
    order = state.orders.get(fill.client_id) if fill.client_id is not None else None
    if order is not None:
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


def _merge_cost(state: State, fill: Fill) -> None:
    """Learn what merging costs. Either half is told with a fee: twice the dearest seen stands, rounded up."""
    venue = venue_of(fill.market)
    if fill.qty:
        state.merge_fee[venue] = max(state.merge_fee.get(venue, 0), -(-2 * max(fill.fee, 0) * SCALE // fill.qty))


def _funding(state: State, item: FundingPaid, _: Strategies) -> None:
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


def _merge_failed(state: State, item: MergeFailed, _: Strategies) -> None:
    state.out.alert(
        AlertLevel.WARNING, "merge_failed", f"pairs of {item.market} stay unmerged: {item.text}", item.market
    )
    state.touch(item.market)


def _account(state: State, item: AccountState, _: Strategies) -> None:
    reason = reconcile(state, _venue(state, item.venue), item)
    for token in item.tokens:
        state.touch(token.market)
    if reason is not None and state.halt is HaltState.RUNNING:
        safety.danger(state, reason, sell=False)


HANDLERS: Final[dict[type, Callable[[State, Any, Strategies], None]]] = {
    Booted: _booted,
    OperatorCommand: _operator,
    StopRequested: _stop,
    JournalFailed: _journal_failed,
    GuardianUp: _guardian_up,
    GuardianDown: _guardian_down,
    ClockSkew: _clock_skew,
    DeadmanArmed: _deadman,
    FuseTripped: _fuse_tripped,
    SessionUp: _session_up,
    SessionDown: _session_down,
    RateBudget: _rate_budget,
    FeeRates: _fee_rates,
    MarketListed: _listed,
    MarketSettled: _settled,
    MarketDelisted: _delisted,
    BookSnapshot: _snapshot,
    BboUpdate: _bbo,
    TradePrint: _print,
    MarkPrice: _mark,
    OrderOpened: _opened,
    OrderClosed: _closed,
    OrderRejected: _rejected,
    AmendFailed: _amend_failed,
    CancelFailed: _cancel_failed,
    SendLost: _lost,
    SendRefused: _send_refused,
    OrderAnswer: _answered,
    FillReceived: _fill,
    FundingPaid: _funding,
    MergeFailed: _merge_failed,
    AccountState: _account,
}


def take(state: State, item: Input, strategies: Strategies) -> None:
    """Apply one input."""
    HANDLERS[type(item)](state, item, strategies)
