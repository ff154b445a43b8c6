"""New baskets: asks the strategy of a question, or of a link, and sends what it wants if all of it may be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hlomm.domain.ids import StrategyId, venue_of
from hlomm.domain.orders import Side, direction
from hlomm.domain.report import SideNote
from hlomm.domain.units import SCALE
from hlomm.domain.view import Basket, PairView
from hlomm.engine import arbitrage, basket_orders, quoting
from hlomm.engine.basket import Group, GroupState
from hlomm.engine.fees import merge_rate
from hlomm.engine.link_book import Link
from hlomm.engine.pairs import OPEN_MAX
from hlomm.engine.quoting import AGAIN
from hlomm.engine.state import MarketState, State
from hlomm.strategy.base import PairStrategy, Strategy


def of_question(
    state: State, group: Group, known: GroupState, live: Sequence[MarketState],
    strategies: Mapping[StrategyId, Strategy],
) -> None:  # fmt: skip
    """Ask the strategy that has the whole question."""
    owner = live[0].strategy
    complete = len(live) == max(market.market.question_size for market in live)
    if not complete or owner is None or any(market.strategy != owner for market in live):
        return
    if known.closed or state.now.mono_ns < known.again_ns or any(quoting.blocked(state, one) for one in live):
        return
    views, strategy = [quoting.view_of(state, market) for market in live], strategies[owner]
    plan = quoting.supervised(state, live[0], strategy, lambda: strategy.combine(views))
    if plan is not None:
        note = _send(state, group, known, owner, plan, unit=SCALE - merge_rate(state, live[0].market))
        for leg in plan.legs:
            state.markets[leg.market].notes[direction(leg.leg, Side.BUY)] = note


def of_link(
    state: State, group: Group, known: GroupState, link: Link, strategies: Mapping[StrategyId, Strategy]
) -> None:
    """Ask the strategy that trades links; what it says against a trade is kept for people."""
    if state.now.mono_ns < known.again_ns:
        return
    strategy = next((one for one in strategies.values() if isinstance(one, PairStrategy)), None)
    if strategy is None:
        return
    # However often either book changes, a link is looked at no more often than a market is quoted.
    known.again_ns = state.now.mono_ns + state.config.quotes.min_interval_ns
    state.timers.set_earliest(f"{AGAIN}{link.pair[0]}", known.again_ns)
    known.why_not = _blocked(state, known, link, strategy) or ""
    if known.why_not:
        return
    left, right = (state.markets[market_id] for market_id in link.pair)
    assert link.review is not None, "reviewed links have a review"
    pair = PairView(
        left=quoting.view_of(state, left), right=quoting.view_of(state, right), terms=link.terms,
        max_mismatch=link.review.max_mismatch, held=state.pairs.held(group),
    )  # fmt: skip
    plan = quoting.supervised(state, left, strategy, lambda: strategy.cross(pair))
    if plan is None or isinstance(plan, str):
        known.why_not = plan or "strategy_fault: it raised"
        return
    arbitrage.signal(state, group, plan)
    note = _send(state, group, known, strategy.id, plan, unit=SCALE, pair=True)
    known.why_not = "" if note.guard == "taking" else f"{note.guard}: {note.detail}"


def _blocked(state: State, known: GroupState, link: Link, strategy: Strategy) -> str | None:
    """`guard: detail` that keeps a link from being traded, before its strategy is asked."""
    if known.closed:
        return "closed: a basket was left beyond what it may lose"
    if len(state.pairs.open) >= OPEN_MAX:
        return f"pairs: {OPEN_MAX} are held"
    if not link.tradable:
        return f"link: {link.state.value}, {link.reason}"
    if strategy.id in state.paused:
        return f"paused: {state.paused[strategy.id] or 'by the operator'}"
    if strategy.id in state.strategy_faults:
        return f"strategy_fault: {state.strategy_faults[strategy.id]}"
    for market_id in link.pair:
        market = state.markets.get(market_id)
        reason = "market: not listed" if market is None else quoting.blocked(state, market)
        if reason is not None:
            return f"{reason} ({market_id})"
    return None


def _send(
    state: State, group: Group, known: GroupState, owner: StrategyId, plan: Basket, *, unit: int, pair: bool = False
) -> SideNote:
    """Send a basket if every leg may be sent; what became of the wish."""
    pace = max(state.budgets.pace(venue_of(leg.market)) for leg in plan.legs)
    known.again_ns = state.now.mono_ns + state.config.quotes.min_interval_ns * pace
    qty = basket_orders.rehearsed(state, plan)
    if isinstance(qty, SideNote):
        state.counters.reject(qty.guard)
        return qty
    known.basket = basket_orders.start(state, group, owner, plan, qty, unit=unit, pair=pair)
    state.books_moved |= pair  # on record before the legs leave: the next run must know that it was being made
    return SideNote(guard="taking", detail=plan.reason)
