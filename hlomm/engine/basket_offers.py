"""New baskets: asks the strategy of an event, or of a pair, and sends what it wants if all of it may be sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from hlomm.domain.basket_rows import ArbitrageKind
from hlomm.domain.ids import StrategyId, venue_of
from hlomm.domain.orders import Side, direction
from hlomm.domain.report import SideNote
from hlomm.domain.units import SCALE, to_text
from hlomm.domain.view import Basket, PairView
from hlomm.engine import arbitrage, basket_orders, partitions, quoting
from hlomm.engine.basket import Group, GroupState, Pairing
from hlomm.engine.fees import merge_rate, rates_of
from hlomm.engine.pairs import OPEN_MAX
from hlomm.engine.state import MarketState, State
from hlomm.strategy.base import Strategy, climbs, crosses

TIMER: Final = "link:"
"""Timer of a link that changed while it rested."""


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
        merge = merge_rate(state, live[0].market, rates_of(state, live[0].market))
        note = _send(state, group, known, owner, plan, unit=SCALE - merge)
        for leg in plan.legs:
            state.markets[leg.market].notes[direction(leg.leg, Side.BUY)] = note


def of_event(
    state: State, group: Group, known: GroupState, live: Sequence[MarketState],
    strategies: Mapping[StrategyId, Strategy],
) -> None:  # fmt: skip
    """Ask the strategy that has all contracts of an event of which one pays; the set is held until they settle."""
    owner = live[0].strategy
    if owner is None or _rests(state, group, known):
        return
    known.again_ns = state.now.mono_ns + state.config.quotes.min_interval_ns
    known.why_not = _no_set(state, known, live) or ""
    if known.why_not:
        return
    views, strategy = [quoting.view_of(state, market) for market in live], strategies[owner]
    plan = quoting.supervised(state, live[0], strategy, lambda: strategy.combine(views))
    if plan is None:
        known.why_not = live[0].desired.bid_reason if live[0].desired is not None else "no_edge: nothing is wanted"
        return
    arbitrage.signal(state, group, plan, ArbitrageKind.SET)
    note = _send(state, group, known, owner, plan, unit=SCALE, kind=ArbitrageKind.SET)
    known.why_not = "" if note.guard == "taking" else f"{note.guard}: {note.detail}"


def _no_set(state: State, known: GroupState, live: Sequence[MarketState]) -> str | None:
    """`guard: detail` that keeps an event from being traded, before its strategy is asked."""
    if (full := _full(state, known)) is not None:
        return full
    if (held := state.pairs.held(market.market.id for market in live)) > 0:
        return f"held: {to_text(held)} sets, one basket of an event at a time"
    if any(market.strategy != live[0].strategy for market in live):
        return "strategy: another one quotes some of its contracts"
    if (flaw := partitions.flaw([market.market for market in live])) is not None:
        return f"set: {flaw}"
    for market in live:
        if (reason := quoting.blocked(state, market)) is not None:
            return f"{reason} ({market.market.id})"
    return None


def _rests(state: State, group: Group, known: GroupState) -> bool:
    """Whether it is too early for another look: however often a book changes, no more often than a market is quoted.

    What changes meanwhile is looked at once after that.
    """
    if state.now.mono_ns >= known.again_ns:
        return False
    later(state, group, known)
    return True


def later(state: State, group: Group, known: GroupState) -> None:
    """Have another look once it is time."""
    if not known.waits:
        known.waits = True
        state.timers.set_earliest(f"{TIMER}{group}", known.again_ns)


def _full(state: State, known: GroupState) -> str | None:
    """Why nothing more may be held of a group."""
    if known.closed:
        return "closed: a basket was left beyond what it may lose"
    return f"pairs: {OPEN_MAX} are held" if len(state.pairs.open) >= OPEN_MAX else None


def of_pair(
    state: State, group: Group, known: GroupState, link: Pairing, strategies: Mapping[StrategyId, Strategy]
) -> None:
    """Ask the strategy that trades such pairs; what it says against a trade is kept for people."""
    if _rests(state, group, known):
        return
    found = _asked(link, strategies)
    if found is None:
        return
    strategy, ask = found
    known.again_ns = state.now.mono_ns + state.config.quotes.min_interval_ns
    known.why_not = blocked(state, known, link, strategy) or ""
    if known.why_not:
        return
    left, right = (state.markets[market_id] for market_id in link.pair)
    pair = PairView(
        left=quoting.view_of(state, left), right=quoting.view_of(state, right), terms=link.terms,
        max_mismatch=link.max_mismatch, held=arbitrage.spoken_for(state, link, group), kind=link.kind,
        staked=arbitrage.staked(state, link, group),
    )  # fmt: skip
    plan = quoting.supervised(state, left, strategy, lambda: ask(pair))
    if plan is None or isinstance(plan, str):
        known.why_not = plan or "strategy_fault: it raised"
        return
    arbitrage.signal(state, group, plan, link.kind)
    note = _send(state, group, known, strategy.id, plan, unit=SCALE, kind=link.kind)
    known.why_not = "" if note.guard == "taking" else f"{note.guard}: {note.detail}"


def _asked(
    link: Pairing, strategies: Mapping[StrategyId, Strategy]
) -> tuple[Strategy, Callable[[PairView], Basket | str]] | None:
    """Who trades pairs like that, and by which question; None if nobody does."""
    for one in strategies.values():
        if link.kind is ArbitrageKind.LADDER and climbs(one):
            return one, one.climb
        if link.kind is ArbitrageKind.CROSS and crosses(one):
            return one, one.cross
    return None


def blocked(state: State, known: GroupState, link: Pairing, strategy: Strategy) -> str | None:
    """`guard: detail` that keeps a pair from being traded, before its strategy is asked."""
    if (full := _full(state, known)) is not None:
        return full
    if link.refused is not None:
        return f"link: {link.refused}"
    if strategy.id in state.paused:
        return f"paused: {state.paused[strategy.id] or 'by the operator'}"
    if strategy.id in state.strategy_faults:
        return f"strategy_fault: {state.strategy_faults[strategy.id]}"
    for market_id in link.pair:
        market = state.markets.get(market_id)
        reason = "market: not listed" if market is None else quoting.blocked(state, market)
        if reason is not None:
            return f"{reason} ({market_id})"
        assert market is not None, "one that is not listed is blocked"
        if market.book.received_ns <= market.leg_ns:
            return f"book: from before our last leg there, which may have taken it ({market_id})"
    return None


def _send(
    state: State, group: Group, known: GroupState, owner: StrategyId, plan: Basket, *, unit: int,
    kind: ArbitrageKind | None = None,
) -> SideNote:  # fmt: skip
    """Send a basket if every leg may be sent; what became of the wish. `kind`: of what is held; None is converted."""
    pace = max(state.budgets.pace(venue_of(leg.market)) for leg in plan.legs)
    known.again_ns = state.now.mono_ns + state.config.quotes.min_interval_ns * pace
    qty = basket_orders.rehearsed(state, plan)
    if isinstance(qty, SideNote):
        state.counters.reject(qty.guard)
        return qty
    known.basket = basket_orders.start(state, group, owner, plan, qty, unit=unit, kind=kind)
    # What is held is on record before the legs leave: the next run must know that it was being made.
    state.books_moved |= kind is not None
    return SideNote(guard="taking", detail=plan.reason)
