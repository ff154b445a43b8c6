"""Complete sets: what is worth exactly its price is turned into cash, or kept as stock where that pays.

Inventory is pairs plus a net position. Every look, per market and question, at most one step:

    negate          NO that is single in two outcomes or more of a question: of one of them it becomes YES of all
                    others, which pairs up with their NO
    merge_question  YES that is single in every outcome of a question: one of them will pay 1, so it is cash
    merge           pairs beyond the stock
    split           cash into pairs, up to the stock

Stock (`sets.stock`) lets both sides of a market be quoted as sales. They rank before purchases at the same price and
lock no more cash than the two purchases would, but closing may cost a fee that opening does not. So it is kept where
closing is free, and at the dear end, where it is the only way: 20 YES at 0.98 can be sold, but the NO that would do the
same costs 0.02 and the venue's minimum order value asks for hundreds of them. (Venue sheet 7.4 to 7.8; QUANT 2.5.)

A merge that is known to cost more than settling is left to the settlement.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hlomm.domain.markets import Leg
from hlomm.domain.outputs import HaltState
from hlomm.domain.report import SetRow, SideNote
from hlomm.domain.sets import SetAction
from hlomm.domain.units import Qty, complement, floor_to, notional_floor, to_text
from hlomm.engine import baskets, converting
from hlomm.engine.fees import rates_of
from hlomm.engine.hedge_state import OK
from hlomm.engine.state import MarketState, State

TIMER: Final = "treasury"


def look(state: State) -> None:
    """One step in every question and market that calls for one, if it is time to."""
    rules, now_ns = state.config.sets, state.now.mono_ns
    if not rules.enabled or state.halt is not HaltState.RUNNING:
        return
    if now_ns < state.treasury_ns:
        state.timers.set_earliest(TIMER, state.treasury_ns)
        return
    state.treasury_ns = now_ns + max(rules.interval_ns, 1)
    state.timers.set_earliest(TIMER, state.treasury_ns)
    state.set_notes = {}
    for outcomes in questions(state):
        _question(state, outcomes)
    for market in state.markets.values():
        if _converts(state, market) and not market.gone and market.settled is None:
            _market(state, market)


def questions(state: State) -> Iterator[tuple[MarketState, ...]]:
    """Questions all of whose outcomes are known and trade, each with its outcomes in the order of their listing."""
    found: dict[tuple[str, int], list[MarketState]] = {}
    for market in state.markets.values():
        if (
            market.market.question is not None
            and _converts(state, market)
            and not market.gone
            and market.settled is None
        ):
            found.setdefault((market.market.venue, market.market.question), []).append(market)
    for outcomes in found.values():
        if len(outcomes) == outcomes[0].market.question_size > 1:
            yield tuple(outcomes)


def _converts(state: State, market: MarketState) -> bool:
    return market.is_outcome and state.config.can(market.market.venue).can_convert


# -- questions


def _question(state: State, outcomes: tuple[MarketState, ...]) -> None:
    if any(_busy(state, market) for market in outcomes) or dear(state, outcomes[0]):
        return
    yes = min(single(state, market, Leg.YES) for market in outcomes)
    if yes >= state.config.sets.least:
        _try(state, SetAction.MERGE_QUESTION, outcomes, yes)
        return
    held = sorted((qty, place) for place, market in enumerate(outcomes) if (qty := single(state, market, Leg.NO)) > 0)
    if len(held) >= 2 and held[0][0] >= state.config.sets.least:
        # The smallest holding goes: each contract of it pairs up with one of every other holding.
        qty, place = held[0]
        _try(state, SetAction.NEGATE, (outcomes[place], *outcomes[:place], *outcomes[place + 1 :]), qty)


def single(state: State, market: MarketState, leg: Leg) -> int:
    """Whole tokens of a leg that are in no pair and that nothing has claimed."""
    position = state.portfolio.position(market.market.id)
    unpaired = position.held(leg) - position.pairs
    return floor_to(max(min(unpaired, state.free_tokens(market.market.id, leg)), 0), market.market.lot)


# -- pairs of one market


def _market(state: State, market: MarketState) -> None:
    if _busy(state, market):
        return
    market_id, rules, lot = market.market.id, state.config.sets, market.market.lot
    position = state.portfolio.position(market_id)
    target, why = stock(state, market)
    free = min(state.free_tokens(market_id, leg) for leg in Leg)
    beyond = floor_to(min(free, position.pairs - target), lot)
    missing = floor_to(target - position.pairs, lot)
    if beyond >= rules.least:
        if dear(state, market):
            state.set_notes[market_id] = SideNote(guard="merge_fee", detail="merging costs more than settling")
        else:
            _try(state, SetAction.MERGE, (market,), beyond)
    elif missing >= max(rules.least, target // 2):  # half used up: not after every fill
        _try(state, SetAction.SPLIT, (market,), missing)
    elif target:
        state.set_notes[market_id] = SideNote(guard=OK.guard, detail=why)


def stock(state: State, market: MarketState) -> tuple[int, str]:
    """(pairs to be kept in a market, why)."""
    rules, spec, desired = state.config.sets, market.market, market.desired
    if not rules.stock or desired is None or desired.fair is None or desired.bid is desired.ask is None:
        return 0, "not quoted"
    if spec.tau_ns(state.now.wall_ns) <= rules.drain_ns:
        return 0, "settles soon"
    fees = rates_of(state, spec)
    if fees is not None and not fees.close_maker:
        return rules.stock, "closing is free: sales rank first"
    cheap = min(desired.fair, complement(desired.fair))
    largest = max(wish.qty for wish in (desired.bid, desired.ask) if wish is not None)
    least = spec.min_notional * (2 if state.portfolio.position(spec.id).pairs else 1)  # not to and fro at the edge
    worth = notional_floor(cheap, largest)
    if worth < least:
        return rules.stock, f"dear end: {to_text(largest)} of the cheap token are worth {to_text(worth)}"
    return 0, "closing costs a fee"


def dear(state: State, market: MarketState) -> bool:
    """Whether merging is known to cost more than settling."""
    fees, merge = rates_of(state, market.market), state.merge_fee.get(market.market.venue, 0)
    return merge > (0 if fees is None else fees.settle)


def _busy(state: State, market: MarketState) -> bool:
    """Whether a basket or a conversion is under way there, or the last conversion was refused a moment ago."""
    market_id = market.market.id
    if baskets.under_way(state, market) or state.conversions.involving(market_id) is not None:
        return True
    return state.now.mono_ns < state.conversions.resting_until_ns.get(market_id, 0)


def _try(state: State, action: SetAction, markets: tuple[MarketState, ...], qty: int) -> None:
    market_id = markets[0].market.id
    note = converting.request(state, action, markets, qty)
    state.set_notes[market_id] = note or SideNote(guard="converting", detail=f"{action} of {to_text(qty)}")


# -- for people


def rows(state: State) -> tuple[SetRow, ...]:
    """Markets that hold pairs, want some, or convert."""
    found = []
    for market_id, market in state.markets.items():
        pairs, one = state.portfolio.position(market_id).pairs, state.conversions.pending.get(market_id)
        note = state.set_notes.get(market_id)
        if not pairs and one is None and note is None:
            continue
        found.append(
            SetRow(
                market=market_id, ticker=market.market.ticker, pairs=Qty(pairs), note=note or OK,
                converting="" if one is None else one.action.value, qty=Qty(0 if one is None else one.qty),
            )
        )  # fmt: skip
    return tuple(found)


def converted(state: State) -> dict[str, Qty]:
    """Contracts converted so far, by kind."""
    return {kind: Qty(qty) for kind, qty in state.conversions.done.items()}
