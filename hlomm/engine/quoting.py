"""From a market's state to the quotes that should rest, and from there to the fewest actions.

One live quote per market and direction: a new one is placed only after the old one is known to be gone, so that the
two legs of one level never rest together and a slow answer never doubles a quote.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from hlomm.domain.ids import MarketId, StrategyId, venue_of
from hlomm.domain.markets import Leg
from hlomm.domain.orders import AmendRequest, CancelRequest, OrderRequest, OrderState, Purpose, Tif, yes_px
from hlomm.domain.outputs import AlertLevel, HaltState
from hlomm.domain.report import SideNote
from hlomm.domain.units import Cash, Qty, to_text
from hlomm.domain.view import BookShape, Desired, MarketView, Wish, no_quote
from hlomm.engine import closed, gate, hedge_limits, refusals, restraint, terms_of, tripped
from hlomm.engine.fees import curve_of, merge_rate, rates_of
from hlomm.engine.hedge_state import OK
from hlomm.engine.legs import LegChoice, choose_leg, sold_leg
from hlomm.engine.order import Order
from hlomm.engine.restraint import ASK, BID
from hlomm.engine.state import MarketState, State
from hlomm.engine.withdrawing import withdrawn
from hlomm.strategy.base import Strategy

T = TypeVar("T")

AGAIN: Final = "again:"
"""Timer of a market in which something has to wait: a cancel that could not be sent, an action that came too soon."""
CANCEL_AGAIN_NS: Final = 250_000_000
"""Before a cancel that could not be sent is sent again."""


def view_of(state: State, market: MarketState) -> MarketView:
    """The market as its strategy may see it."""
    now, book = state.now, market.book
    market_id = market.market.id
    perp = state.markets.get(market.underlying) if market.underlying is not None else None
    mid2, heard_ns = None, 0
    if perp is not None:
        # The age must be that of the price that is used: a live stream of marks says nothing about a book that stalled.
        heard_ns = perp.mark_ns
        book_ns = perp.book.received_ns
        if perp.book.shape is BookShape.TWO_SIDED and (
            perp.mark_px is None or now.mono_ns - book_ns <= state.config.limits.stale_book_ns
        ):
            mid2, heard_ns = perp.book.bids[0][0] + perp.book.asks[0][0], book_ns
    position = state.portfolio.position(market_id)
    others, fees = state.others(market), rates_of(state, market.market)
    return MarketView(
        market=market.market, mono_ns=now.mono_ns, wall_ns=now.wall_ns, tau_ns=market.market.tau_ns(now.wall_ns),
        shape=others.shape, bids=others.bids, asks=others.asks,
        book_age_ns=now.mono_ns - book.received_ns, book_count=book.count,
        underlying_px=perp.mark_px if perp is not None else None,
        underlying_age_ns=now.mono_ns - heard_ns, underlying_mid2=mid2,
        yes=Qty(position.yes - state.paired(market_id, Leg.YES)),
        no=Qty(position.no - state.paired(market_id, Leg.NO)), equity=Cash(state.equity_of_turn()),
        close_maker_fee=fees.close_maker if fees is not None else 0,
        open_taker_fee=fees.open_taker if fees is not None else 0,
        close_taker_fee=fees.close_taker if fees is not None else 0,
        settle_fee=fees.settle if fees is not None else 0, merge_fee=merge_rate(state, market.market, fees),
        open_maker_fee=fees.open_maker if fees is not None else 0, curve=curve_of(state, market.market),
    )  # fmt: skip


def blocked(state: State, market: MarketState) -> str | None:
    """`guard: detail` that keeps the whole market from being quoted, before any strategy is asked."""
    if state.halt is not HaltState.RUNNING:
        return f"halted: {state.halt_reason}"
    venue = state.venues.get(market.market.venue)
    if venue is None or not venue.up:
        return f"session: {market.market.venue} is down"
    if (shut := closed.why(state, venue.venue)) is not None:
        return f"venue_paused: {shut}"
    if (cut := tripped.why(state, venue.venue)) is not None:
        return f"venue_breaker: {cut}"
    if abs(venue.skew_ms) > state.config.limits.max_clock_skew_ms:
        return f"clock_skew: {venue.skew_ms} ms against {market.market.venue}"
    if venue.doubt is not None:
        return f"doubt: {venue.doubt}, the account is being read"
    if not venue.reconciled:
        return "reconciling: the account is being compared with the books of the last run"
    if state.unguarded is not None:
        return f"guardian: {state.unguarded}"
    if market.gone or market.settled is not None:
        return "market: settled or no longer listed"
    if market.strategy in state.paused:
        return f"paused: {state.paused[market.strategy] or 'by the operator'}"
    if market.strategy in state.strategy_faults:
        return f"strategy_fault: {state.strategy_faults[market.strategy]}"
    if (braked := restraint.paused(state, market)) is not None:
        return braked
    now_ns = state.now.mono_ns
    if now_ns < market.resting_until_ns:
        left_s = (market.resting_until_ns - now_ns) / 1e9
        return f"venue_refusals: too many in a row, {left_s:.0f} s left"
    if not market.book.seen:
        return "book: no snapshot yet"
    age_ns = now_ns - market.book.received_ns
    if age_ns > state.config.limits.stale_book_ns:
        return f"stale_book: {age_ns / 1e9:.1f} s old"
    if market.book.shape is BookShape.CROSSED:
        return "crossed_book: touch and depth disagree, nobody can offer YES and NO for less than 1 on one book"
    return None


def decide(state: State, market: MarketState, strategies: Mapping[StrategyId, Strategy]) -> None:
    """Ask the strategy, clamp, and act on the difference."""
    reason = blocked(state, market)
    if reason is not None:
        desired = no_quote(reason)
    else:
        assert market.strategy is not None
        desired = _asked(state, market, strategies[market.strategy])
    market.desired = desired
    if desired.fair is not None and state.others(market).shape is not BookShape.TWO_SIDED:
        state.attribution.moved(market.market.id, 2 * desired.fair, state.now.wall_ms)
    for direction, wish, why in restraint.sides(state, market, desired):
        clamped = None if wish is None else terms_of.post_only(market, direction, wish)
        if clamped is None:
            guard, _, detail = why.partition(": ") if wish is None else ("post_only", "", "no room inside the book")
            _want_none(state, market, direction, SideNote(guard=guard or "strategy", detail=detail))
        else:
            _want(state, market, direction, clamped)


def _asked(state: State, market: MarketState, strategy: Strategy) -> Desired:
    desired = supervised(state, market, strategy, lambda: strategy.decide(view_of(state, market)))
    if desired is None:
        return no_quote(f"strategy_fault: {state.strategy_faults[strategy.id]}")
    market.sensitivity = desired.sensitivity
    return desired


def supervised(state: State, market: MarketState, strategy: Strategy, ask: Callable[[], T]) -> T | None:
    """What the strategy answers. One that raises is stopped, alone; `safety.watch_strategies` counts."""
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 - a supervisor: whatever a strategy raises, its quotes go and others stay
        what = f"{type(error).__name__}: {error}"
        state.strategy_faults[strategy.id] = what
        state.digest.mix_text(what)
        for market_id, other in state.markets.items():
            if other.strategy == strategy.id:
                cancel_quotes(state, market_id)
                state.touch(market_id)
        state.strategy_strikes += 1
        state.out.alert(
            AlertLevel.CRITICAL, "strategy_fault",
            f"{strategy.id} failed in {market.market.ticker} ({what}): its quotes are cancelled and it stays stopped, "
            f"others go on — `hlomm unpause {strategy.id}` tries it again, a second fault halts", market.market.id,
        )  # fmt: skip
        return None


def _quotes(state: State, market_id: MarketId, direction: int) -> list[Order]:
    return [o for o in state.orders.live_in(market_id) if o.direction == direction and o.purpose is Purpose.QUOTE]


def _want_none(state: State, market: MarketState, direction: int, note: SideNote) -> None:
    market.notes[direction] = note
    for order in _quotes(state, market.market.id, direction):
        cancel(state, order)


def cancel_quotes(state: State, market_id: MarketId) -> None:
    for direction in (BID, ASK):
        for order in _quotes(state, market_id, direction):
            cancel(state, order)


def _want(state: State, market: MarketState, direction: int, wish: Wish) -> None:
    live = _quotes(state, market.market.id, direction)
    free = state.free_tokens(market.market.id, sold_leg(direction), live[0] if live else None)
    choice = choose_leg(
        market.market, direction, wish.px, wish.qty, free,
        lambda: terms_of.leg_terms(state, market, direction, wish.px, maker=True),
    )  # fmt: skip
    if not live:
        _place(state, market, direction, choice)
        return
    for extra in live[1:]:  # never by design; an adopted order of an earlier run may add one
        cancel(state, extra)
    order = live[0]
    if (order.leg, order.side) != (choice.leg, choice.side):
        market.notes[direction] = SideNote(guard="changing_leg", detail=f"to {choice.side.name} {choice.leg.name}")
        cancel(state, order)
    else:
        _keep_or_amend(state, market, direction, order, choice)


def _place(state: State, market: MarketState, direction: int, choice: LegChoice) -> None:
    if _too_soon(state, market, direction):
        market.notes.setdefault(direction, SideNote(guard="pacing"))
        return
    want = gate.Proposal(
        market=market, leg=choice.leg, side=choice.side, px=choice.px, qty=choice.qty, tif=Tif.ALO,
        purpose=Purpose.QUOTE,
    )  # fmt: skip
    still = refusals.standing(state, want, direction)
    if still is not None:
        market.notes[direction] = still  # what there is no room for is asked for with every tick
        return
    qty = admit(state, want)
    if isinstance(qty, SideNote):
        market.notes[direction] = qty
        if qty.guard in gate.ROOMS:
            refusals.keep(state, want, direction, qty)
        return
    market.refused.pop(direction, None)
    send(state, want, qty, market.strategy)
    state.counters.quoted += not market.acted_ns
    market.acted_ns[direction] = state.now.mono_ns
    market.notes[direction] = OK


def _keep_or_amend(state: State, market: MarketState, direction: int, order: Order, choice: LegChoice) -> None:
    if order.state is not OrderState.OPEN or order.venue_order_id is None:
        market.notes[direction] = OK if order.state is OrderState.PENDING_NEW else SideNote(guard=order.state.value)
        return
    rules, pace = state.config.quotes, state.budgets.pace(market.market.venue)
    move = yes_px(choice.leg, choice.px) - order.yes_px
    tolerance = market.desired.tolerance if market.desired is not None else 0
    retreats = move * direction < 0
    if retreats and direction in market.restraints:
        tolerance, pace = 0, 1  # what a breaker asks for is not saved on
    moved = abs(move) >= max(rules.min_move, tolerance) * pace
    resized = abs(choice.qty - order.leaves) > rules.min_size_change * order.leaves
    if not moved and not resized:
        market.notes[direction] = OK
        return
    if not (moved and retreats) and _too_soon(state, market, direction):
        return
    want = gate.Proposal(
        market=market, leg=choice.leg, side=choice.side, px=choice.px, qty=choice.qty, tif=Tif.ALO,
        purpose=Purpose.QUOTE, replaces=order,
    )  # fmt: skip
    qty = admit(state, want)
    if qty != want.qty:
        if not moved and choice.qty > order.leaves:
            market.notes[direction] = OK  # it would like to be larger and may not: it stays as it is
            return
        # Beside the resting order the new one does not fit: take the old one out, quote again when it is gone.
        market.notes[direction] = qty if isinstance(qty, SideNote) else SideNote(guard="making_room")
        cancel(state, order)
        return
    if not state.config.can(market.market.venue).can_amend:
        market.notes[direction] = SideNote(guard="replacing", detail=describe(choice))
        cancel(state, order)
        return
    state.orders.amend_sent(order, choice.px, choice.qty, state.now.mono_ns)
    state.out.amend(
        market.market.venue,
        AmendRequest(
            client_id=order.client_id, venue_order_id=order.venue_order_id, market=order.market, leg=order.leg,
            side=order.side, px=choice.px, qty=choice.qty, tif=Tif.ALO,
        ),
    )  # fmt: skip
    state.budgets.spend(market.market.venue, 1)
    state.counters.amends += 1
    market.acted_ns[direction] = state.now.mono_ns
    market.notes[direction] = OK


def _too_soon(state: State, market: MarketState, direction: int) -> bool:
    acted_ns = market.acted_ns.get(direction)
    if acted_ns is None:
        return False
    free_ns = acted_ns + state.config.quotes.min_interval_ns * state.budgets.pace(market.market.venue)
    if state.now.mono_ns >= free_ns:
        return False
    state.timers.set_earliest(f"{AGAIN}{market.market.id}", free_ns)
    return True


# -- the only three ways an order request comes to be


def admit(state: State, want: gate.Proposal) -> Qty | SideNote:
    """Ask the gate; the quantity that passed, or the note of the refusal."""
    verdict = gate.judge(state, want)
    counters = state.counters
    if isinstance(verdict, gate.Reject):
        counters.reject(verdict.limit)
        return SideNote(guard=verdict.limit, detail=verdict.numbers)
    if isinstance(verdict, gate.Resize):
        counters.resized += 1
    else:
        counters.passed += 1
    return verdict.qty


def send(state: State, want: gate.Proposal, qty: Qty, strategy: StrategyId | None) -> Order:
    """Emit an order that has just been admitted."""
    assert state.ids is not None
    assert 0 < qty <= want.qty
    market = want.market.market
    request = OrderRequest(
        client_id=state.ids.mint(), market=market.id, leg=want.leg, side=want.side, px=want.px, qty=qty,
        tif=want.tif, purpose=want.purpose, reduce_only=_only_reduces(state, want, qty),
    )  # fmt: skip
    order = state.orders.placed(request, strategy, state.now.mono_ns)
    state.out.place(market.venue, request)
    state.budgets.spend(market.venue, 1)
    state.counters.placed += 1
    return order


def _only_reduces(state: State, want: gate.Proposal, qty: Qty) -> bool:
    if want.purpose is Purpose.HEDGE:
        return hedge_limits.only_reduces(state, want.market, want.side, qty)
    return want.purpose is Purpose.FLATTEN


def cancel(state: State, order: Order) -> None:
    """Emit a cancel unless one is already on its way. An order in doubt is cancelled again and again."""
    if not order.live or order.state is OrderState.PENDING_CANCEL or withdrawn(state, order):
        return
    now_ns, retry_ns = state.now.mono_ns, state.config.orders.query_retry_ns
    if order.cancel_ns is not None:
        if order.state is OrderState.UNKNOWN and now_ns - order.cancel_ns < retry_ns:
            return
        if now_ns - order.cancel_ns < CANCEL_AGAIN_NS:
            # It could not even be sent: sent again at once it would come back at once, for ever.
            state.timers.set_earliest(f"{AGAIN}{order.market}", order.cancel_ns + CANCEL_AGAIN_NS)
            return
    venue = venue_of(order.market)
    state.orders.cancel_sent(order, now_ns)
    state.out.cancel(venue, CancelRequest(client_id=order.client_id, market=order.market, leg=order.leg))
    state.budgets.spend(venue, 1)
    state.counters.cancels += 1


def describe(choice: LegChoice) -> str:
    """`sell YES 120 @ 0.5751, locks 0`."""
    return (
        f"{choice.side.name.lower()} {choice.leg.name} {to_text(choice.qty)} @ {to_text(choice.px)}, "
        f"locks {to_text(choice.collateral)}"
    )
