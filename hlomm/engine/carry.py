"""Books from run to run: what a restart needs, and how it is taken over."""

from __future__ import annotations

from typing import Final

from hlomm.domain.carried import (
    Carried,
    CarriedBooks,
    CarriedFill,
    CarriedPair,
    CarriedPerp,
    CarriedPosition,
    CarriedRest,
)
from hlomm.domain.ids import MarketId, VenueId, venue_of
from hlomm.domain.markets import Leg
from hlomm.domain.units import Cash, Px, Qty
from hlomm.engine import tuning, unhedged
from hlomm.engine.basket import GroupState
from hlomm.engine.memory import Memory
from hlomm.engine.pairs import Kept
from hlomm.engine.portfolio import Portfolio
from hlomm.engine.state import State

SETTLED_CARRIED: Final = 64
FLAT_CARRIED: Final = 64
"""Markets in which nothing is held and something was won or lost: it counts in their limit until they are over."""
SEEN_SPAN_MS: Final = 120_000
"""Fills are asked for again from a while before the newest one; keys reach well beyond that span."""
SEEN_CARRIED: Final = 512
OVERLAP_MS: Final = 10_000
_STEP: Final = 20
"""A high-water mark, or equity, that moved by this fraction of a limit on it is worth a record of its own."""


def checkpoint(state: State) -> Carried | None:
    """The books, if they changed since last asked for."""
    if not state.opened:
        return None
    risen = state.high_water - state.high_water_kept
    equity = state.equity_of_turn()
    moved = max(risen, abs(equity - state.equity_kept))  # the next run begins with what the record is worth
    least = max(min(state.config.limits.max_drawdown, state.config.breakers.daily_loss), 1)
    if not state.books_moved and moved * _STEP < least:
        return None
    state.books_moved, state.high_water_kept, state.equity_kept = False, state.high_water, equity
    return carried(state)


def carried(state: State) -> Carried:
    day = state.breakers.day
    assert state.ids is not None
    first, *others = (_books(state, venue) for venue, books in state.portfolio.by_venue.items() if books.opened)
    return Carried(
        **{name: getattr(first, name) for name in first.__struct_fields__}, others=tuple(others),
        epoch_ms=state.ids.epoch_ms, high_water=Cash(state.high_water), max_drawdown=Cash(state.max_drawdown),
        earned=state.attribution.earned(), hedged=state.attribution.hedged(), tuned=tuning.carried(state),
        day=day.number, day_start=Cash(day.start), day_stopped=day.stopped,
        paused=tuple(state.paused.items()), pairs=tuple(map(_pair, (*state.pairs.open, *state.pairs.parted))),
        making=tuple(group for group, known in state.baskets.by_group.items() if _in_making(known)),
        rested=_rested(state), stuck=state.baskets.stuck or "", sale=state.sale,
    )  # fmt: skip


def _pair(kept: Kept) -> CarriedPair:
    return CarriedPair(
        group=kept.group, legs=kept.legs, qty=Qty(kept.qty), spent=Cash(kept.spent), expected=Cash(kept.expected),
        began_ms=kept.began_ms, paid=tuple((market, Cash(paid)) for market, paid in kept.paid.items()),
        kind=kept.kind, worth=Cash(kept.worth), maker=kept.maker,
    )  # fmt: skip


def _in_making(known: GroupState) -> bool:
    return known.basket is not None and known.basket.pair and not known.basket.over


def _rested(state: State) -> tuple[CarriedRest, ...]:
    """Where an order of a maker may rest, or may have filled unheard; with what the last run left to be looked at."""
    found = dict(state.baskets.rested)
    for known in state.baskets.by_group.values():
        if known.rest is not None and known.rest.recorded:
            token = known.rest.maker, known.rest.leg
            found.setdefault(token, unhedged.left_over(state, *token))
    return tuple(CarriedRest(market=market, leg=leg, held=Qty(held)) for (market, leg), held in found.items())


def _books(state: State, venue: VenueId) -> CarriedBooks:
    """Of one account. One that this run does not trade is handed on as it came."""
    books, memory = state.portfolio.of(venue), state.memory(venue)
    (from_ms, seen), counting = _fills_from(memory), _counting(books)
    return CarriedBooks(
        venue=venue, account=state.accounts.get(venue, ""), cash=Cash(books.cash), deposits=Cash(books.deposits),
        adjustments=Cash(books.adjustments), realised=Cash(books.realised), fees=Cash(books.fees),
        volume=Cash(books.volume), fills=books.fills, settlements=books.settlements,
        settlements_held=books.settlements_held,
        positions=tuple(
            _position(state, market) for market, held in books.positions.items() if not held.flat or market in counting
        ),
        settled=tuple(books.settled.items())[-SETTLED_CARRIED:], last_fill_ms=memory.last_fill_ms,
        fills_from_ms=from_ms, seen=seen,
        perp_cash=Cash(books.perps.raw) if books.perps.known else None, funding=Cash(books.perps.funding),
        perps=tuple(_perp(state, market) for market, held in books.perps.positions.items() if held.qty),
        awaited=tuple(
            CarriedFill(fill=one.fill, released=one.released)
            for one in state.undelivered.awaited.values()
            if venue_of(one.fill.market) == venue
        ),
    )  # fmt: skip


def _counting(books: Portfolio) -> frozenset[MarketId]:
    """Markets that are flat and whose result so far still counts: the newest, as far as is known not over."""
    found = [market for market, held in books.positions.items() if held.flat and held.realised]
    return frozenset([market for market in found if market not in books.settled][-FLAT_CARRIED:])


def _fills_from(memory: Memory) -> tuple[int, tuple[str, ...]]:
    """From when on fills may be missing, and the keys of those from then on that are in the books.

    A fill may have been lost while later ones came: complete are the books only up to the last time that the venue's
    account agreed with them.
    """
    complete_ms = min(memory.last_fill_ms, memory.agreed_ms)
    recent = [(ms, key) for key, ms in memory.seen.items() if ms >= complete_ms - SEEN_SPAN_MS]
    if not recent:
        return complete_ms, ()
    from_ms, cut = max(complete_ms - OVERLAP_MS, memory.known_from_ms), recent[:-SEEN_CARRIED]
    if cut:
        from_ms = max(from_ms, 1 + max(ms for ms, _ in cut))  # rather miss a fill than count one twice
    return from_ms, tuple(key for _, key in recent[-SEEN_CARRIED:])


def _position(state: State, market: MarketId) -> CarriedPosition:
    held = state.portfolio.position(market)
    return CarriedPosition(
        market=market, yes=Qty(held.yes), no=Qty(held.no), cost_yes=Cash(held.cost_yes), cost_no=Cash(held.cost_no),
        realised=Cash(held.realised), fees=Cash(held.fees), volume=Cash(held.volume), fills=held.fills,
        ref2=state.attribution.reference2(market), px_yes=state.selling_px(market, Leg.YES),
        px_no=state.selling_px(market, Leg.NO),
    )  # fmt: skip


def _perp(state: State, market: MarketId) -> CarriedPerp:
    held, known = state.portfolio.perps.position(market), state.markets.get(market)
    px = None if known is None else known.closing_px(held.qty)
    last = state.left_px.get((market, Leg.YES)) if px is None else Px(px)
    return CarriedPerp(
        market=market, qty=Qty(held.qty), cost=Cash(held.cost), realised=Cash(held.realised), fees=Cash(held.fees),
        funding=Cash(held.funding), volume=Cash(held.volume), fills=held.fills,
        ref2=state.attribution.reference2(market), px=last,
    )  # fmt: skip


def restore(state: State, books: Carried) -> None:
    """Take over the books of the last run. They are believed only once each venue's account agrees with its part."""
    state.attribution.restore(books.earned, books.hedged)
    for one in books.books:
        _take_over(state, one)
    state.high_water = state.high_water_kept = books.high_water
    state.max_drawdown = books.max_drawdown
    state.paused.update(books.paused)
    day = state.breakers.day
    day.number, day.start, day.stopped = books.day, books.day_start, books.day_stopped
    state.pairs.open += [
        Kept(
            group=one.group, legs=one.legs, qty=one.qty, spent=one.spent, expected=one.expected, began_ms=one.began_ms,
            paid=dict(one.paid), kind=one.kind, worth=one.worth, maker=one.maker,
        )
        for one in books.pairs
    ]  # fmt: skip
    state.baskets.stuck, state.sale = books.stuck or None, books.sale
    if books.making:
        # What their orders did is in the books or will be, but not which leg is short of what: no guess is safe.
        state.baskets.stuck = f"the last run ended while it was making {', '.join(books.making)}"
    state.baskets.rested = {(one.market, one.leg): one.held for one in books.rested}
    state.books_moved = True
    portfolio = state.portfolio
    state.digest.mix(portfolio.cash, portfolio.realised, portfolio.fills, len(portfolio.positions))


def _take_over(state: State, books: CarriedBooks) -> None:
    """The books of one venue."""
    state.portfolio.of(books.venue).restore(books)
    state.accounts.setdefault(books.venue, books.account)
    for position in books.positions:
        for leg, px in ((Leg.YES, position.px_yes), (Leg.NO, position.px_no)):
            if px is not None:
                state.left_px[position.market, leg] = px
        cost = position.cost_yes + position.cost_no
        if position.ref2 is None:
            state.attribution.found(position.market, position.yes, position.no, cost)
        else:
            state.attribution.resume(position.market, position.ref2, position.yes - position.no)
    for perp in books.perps:
        if perp.px is not None:
            state.left_px[perp.market, Leg.YES] = perp.px
        if perp.ref2 is None:
            state.attribution.found(perp.market, perp.qty, 0, perp.cost)
        else:
            state.attribution.resume(perp.market, perp.ref2, perp.qty)
    for one in books.awaited:
        state.undelivered.add(one.fill, one.released)
    memory = state.memory(books.venue)
    memory.seen.update((key, books.last_fill_ms) for key in books.seen)
    memory.last_fill_ms, memory.agreed_ms = books.last_fill_ms, books.fills_from_ms
    memory.known_from_ms = books.fills_from_ms  # or every run that dies before the account agrees reaches further back
    if books.venue in state.venues:
        state.venues[books.venue].reconciled = False
