"""Pairs and sets from their last fill to their settlement: what is held for them, and what they brought.

What is complete is held until all its contracts settle: a pair across venues, a pair of strikes, a set of contracts of
which one pays. Its tokens are nobody else's meanwhile: a quote that sold
one of them, or a hedge against it, would leave the other one naked. What was expected of it when it was sent and what
it brought are kept side by side, because an edge that is expected and never realised is a mistake in a formula.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hlomm.domain.basket_rows import ArbitrageKind, ArbitrageReport, KindRow, MakerReport, SignalRow, TradeRow
from hlomm.domain.ids import MarketId
from hlomm.domain.markets import Leg
from hlomm.domain.outputs import AlertLevel
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import SCALE, Cash, Px, Qty, notional_ceil, notional_floor, to_fixed, to_text
from hlomm.domain.view import Basket
from hlomm.engine import flatten_pairs
from hlomm.engine.basket import BasketState, Group, Pairing, Phase
from hlomm.engine.fees import rates_of
from hlomm.engine.order import Order
from hlomm.engine.pairs import Kept, Tally
from hlomm.engine.state import State
from hlomm.pricing.complete_sets import all_in

_PAIR: Final = 2


def signal(state: State, group: Group, plan: Basket, kind: ArbitrageKind) -> None:
    """Note that a strategy wanted a pair or a set, whatever becomes of the wish."""
    state.pairs.signals.append(
        SignalRow(wall_ms=state.now.wall_ms, group=group, qty=plan.qty, edge=plan.edge, reason=plan.reason, kind=kind)
    )


def keep(state: State, basket: BasketState) -> None:
    """A basket has come to its end: what is complete of it is held, what its other legs lost is counted."""
    book, lost = state.pairs, 0
    if basket.unwound or basket.phase is Phase.ABANDONED:
        lost = basket.loss(basket.sets)
    book.legging += lost - basket.legged
    basket.legged = lost
    state.books_moved = True
    if basket.sets <= 0:
        return
    book.taken += 1
    book.tallies[basket.kind].taken += 1
    slippage = _slippage(state, basket) if basket.maker else 0
    book.made += basket.maker
    book.slippage += slippage
    book.open.append(
        Kept(
            group=basket.group, legs=tuple((of.market, of.leg) for of in basket.legs), qty=basket.sets,
            spent=basket.spent - lost, expected=notional_floor(basket.plan.edge, basket.sets),
            began_ms=state.now.wall_ms, kind=basket.kind, worth=basket.plan.worth, maker=basket.maker,
            basket=basket, slippage=slippage,
        )
    )  # fmt: skip


def spoken_for(state: State, link: Pairing, group: Group) -> int:
    """Pairs of these contracts that are held, are being made, or will be if what rests elsewhere fills."""
    return _spoken_for(state, group, set(link.pair).__eq__)


def staked(state: State, link: Pairing, group: Group) -> int:
    """The same of all pairs that have one of these contracts."""
    return _spoken_for(state, group, lambda markets: not markets.isdisjoint(link.pair))


def _spoken_for(state: State, group: Group, counts: Callable[[set[MarketId]], bool]) -> int:
    held = ({market for market, _ in kept.legs} for kept in state.pairs.open)
    total = sum(kept.qty for kept, of in zip(state.pairs.open, held, strict=True) if len(of) == _PAIR and counts(of))
    for name, known in state.baskets.by_group.items():
        if name == group or known.link is None or not counts(set(known.link.pair)):
            continue
        if known.rest is not None:
            total += sum(order.exposed for order in known.rest.live)
        if known.basket is not None and not known.basket.over:
            total += max(of.held + of.coming for of in known.basket.legs)
    return total


def reopened(state: State, basket: BasketState) -> None:
    """A fill came late, or one was undone: what is complete is kept once more when it is over again."""
    book = state.pairs
    kept = next((one for one in book.open if one.basket is basket and not one.paid), None)
    if kept is None:
        return
    book.open.remove(kept)
    book.taken -= 1
    book.tallies[kept.kind].taken -= 1
    book.made -= kept.maker
    book.slippage -= kept.slippage
    state.books_moved = True


def _slippage(state: State, basket: BasketState) -> int:
    """What the complete pairs' hedges cost, fees included, beyond the worst price they were planned with."""
    hedge, market = basket.legs[1], state.markets[basket.legs[1].market]
    rates = rates_of(state, market.market, basket.plan.legs[1].px, SCALE)
    planned = all_in(basket.plan.legs[1].px, 0 if rates is None else rates.open_taker)
    return hedge.spent(basket.unit) * basket.sets // hedge.held - notional_ceil(Px(planned), basket.sets)


def heed(state: State) -> None:
    """Look for those of which a leg has settled."""
    for kept in list(state.pairs.open):
        for market_id, leg in kept.legs:
            yes_px = state.portfolio.settled_px(market_id)  # also of one that this run was never told of
            if market_id in kept.paid or yes_px is None:
                continue
            px = yes_px if leg is Leg.YES else SCALE - yes_px
            kept.paid[market_id] = notional_floor(px, kept.qty)
            state.books_moved = True
        if len(kept.paid) == len(kept.legs):
            _settled(state, kept)


def _settled(state: State, kept: Kept) -> None:
    book, tally, paid = state.pairs, state.pairs.tallies[kept.kind], sum(kept.paid.values())
    realised, more = paid - kept.spent, paid - kept.sure
    book.open.remove(kept)
    for count in (book, tally):
        count.settled += 1
        count.expected += kept.expected
        count.realised += realised
    _ended(state, kept, "settled", Cash(realised))
    if more > 0:
        tally.bonus += 1
    if more < 0 or (more and kept.kind is ArbitrageKind.CROSS):
        # Two strikes, or NO of several, may well pay more than they must; one event at two venues may not.
        book.mismatched += 1
        tally.mismatched += 1
        way = "both legs paid" if more > 0 else f"the legs did not pay {to_text(kept.worth)} together"
        state.out.alert(
            AlertLevel.INFO if more > 0 else AlertLevel.WARNING, "pair_mismatched",
            f"{kept.group}: {way} ({to_text(paid)} for {to_text(kept.qty)} pairs): {to_fixed(realised, 2)}",
        )  # fmt: skip


def release(state: State, why: str) -> None:
    """The tokens are sold with everything else: none is reserved any more."""
    if state.pairs.open:
        state.books_moved = True
        some = f"{len(state.pairs.open)} pairs, {state.pairs.open[0].group} the first,"
        state.baskets.stuck = state.baskets.stuck or f"{some} may be left on one leg: they were being sold ({why})"
    state.pairs.parted += state.pairs.open
    state.pairs.open.clear()


def rejoin(state: State, why: str) -> None:
    """Everything that could be sold is: what is still whole of the pairs is held as before."""
    for kept, whole in flatten_pairs.whole_ones(state):
        left, sold = flatten_pairs.parts_of(kept, whole)
        if kept.basket is not None:
            kept.basket.left(whole)  # a fill of it that is undone later reopens what is left
        if left is not None:
            state.pairs.open.append(left)
            state.books_moved = True
        if sold is not None:
            _ended(state, sold, f"sold: {why}", None)
    state.pairs.parted.clear()


def undone(state: State, order: Order) -> None:
    """A fill of an order of this run never settled: the last basket of a group, unless given up, sees to its own."""
    last = [known.basket for known in state.baskets.by_group.values() if known.basket is not None]
    heed = [basket for basket in last if basket.phase not in (Phase.ABANDONED, Phase.DROPPED)]
    if not any(order is one for basket in heed for of in basket.legs for one in of.orders):
        gone(state, "a fill of it never settled")


def gone(state: State, why: str) -> None:
    """The books were taken over from a venue: what it has too few tokens for is no pair any more."""
    book = state.pairs
    for kept in list(book.open):
        legs = [of for of in kept.legs if of[0] not in kept.paid]
        held = [state.portfolio.position(market_id).held(leg) for market_id, leg in legs]
        if all(book.tokens(*of) <= qty for of, qty in zip(legs, held, strict=True)):
            continue
        book.open.remove(kept)
        state.books_moved = True
        _ended(state, kept, f"gone: {why}", None)
        if len(legs) > 1 and any(qty > 0 for qty in held):  # the other half of what is left of one leg has paid
            state.baskets.stuck = f"pair {kept.group} is left on one leg ({why})"


def _ended(state: State, kept: Kept, how: str, realised: Cash | None) -> None:
    state.digest.mix_text(kept.group)
    state.digest.mix(kept.qty, kept.spent, 0 if realised is None else realised)
    state.pairs.ended.append(_row(kept, how, realised))


def _row(kept: Kept, how: str, realised: Cash | None, settles_ms: int | None = None) -> TradeRow:
    return TradeRow(
        group=kept.group, legs=kept.legs, qty=Qty(kept.qty), spent=Cash(kept.spent), expected=Cash(kept.expected),
        realised=realised, began_ms=kept.began_ms, how=how, settles_ms=settles_ms, kind=kept.kind, maker=kept.maker,
    )  # fmt: skip


def _maker(state: State) -> MakerReport:
    book = state.pairs
    delays = sorted(book.hedge_delays)
    return MakerReport(
        taken=book.made, hedges=len(delays), slippage=Cash(book.slippage),
        delay_p50_ms=delays[len(delays) // 2] // NS_PER_MS if delays else 0,
        delay_max_ms=delays[-1] // NS_PER_MS if delays else 0,
    )  # fmt: skip


def _settles_ms(state: State, kept: Kept) -> int | None:
    """When the later leg settles, as far as both are listed."""
    markets = [state.markets.get(market_id) for market_id, _ in kept.legs]
    ends = [None if one is None else one.market.expiry_ns for one in markets]
    known = [end for end in ends if end is not None]
    return max(known) // NS_PER_MS if len(known) == len(ends) else None


def report(state: State) -> ArbitrageReport:
    book = state.pairs
    return ArbitrageReport(
        taken=book.taken, settled=book.settled, mismatched=book.mismatched, expected=Cash(book.expected),
        realised=Cash(book.realised), legging_loss=Cash(book.legging),
        trades=(
            *book.ended, *(_row(kept, "being sold", None) for kept in book.parted),
            *(_row(kept, "held", None, _settles_ms(state, kept)) for kept in book.open),
        ),
        signals=tuple(book.signals), maker=_maker(state),
        why_not={group: known.why_not for group, known in state.baskets.by_group.items() if known.why_not},
        kinds={kind: _kind(tally) for kind, tally in book.tallies.items()}, strikes_left_out=state.rungs.overflow,
    )  # fmt: skip


def _kind(tally: Tally) -> KindRow:
    return KindRow(
        taken=tally.taken, settled=tally.settled, mismatched=tally.mismatched, bonus=tally.bonus,
        expected=Cash(tally.expected), realised=Cash(tally.realised),
    )  # fmt: skip
