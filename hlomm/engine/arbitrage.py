"""Pairs across venues from their last fill to their settlement: what is held for them, and what they brought.

A pair that is complete is held until both contracts settle. Its tokens are nobody else's meanwhile: a quote that sold
one of them, or a hedge against it, would leave the other one naked. What was expected of it when it was sent and what
it brought are kept side by side, because an edge that is expected and never realised is a mistake in a formula.
"""

from __future__ import annotations

from hlomm.domain.basket_rows import ArbitrageReport, SignalRow, TradeRow
from hlomm.domain.markets import Leg
from hlomm.domain.outputs import AlertLevel
from hlomm.domain.units import SCALE, Cash, Qty, notional_floor, to_fixed, to_text
from hlomm.domain.view import Basket
from hlomm.engine.basket import BasketState, Group, Phase
from hlomm.engine.pairs import Kept
from hlomm.engine.state import State


def signal(state: State, group: Group, plan: Basket) -> None:
    """Note that a strategy wanted a pair, whatever becomes of the wish."""
    state.pairs.signals.append(
        SignalRow(wall_ms=state.now.wall_ms, group=group, qty=plan.qty, edge=plan.edge, reason=plan.reason)
    )


def keep(state: State, basket: BasketState) -> None:
    """A basket has come to its end: its complete pairs are held, what its other legs lost is counted."""
    book, lost = state.pairs, 0
    if basket.unwound or basket.phase is Phase.ABANDONED:
        lost = basket.loss(basket.sets)
        book.legging += lost
    state.books_moved = True
    if basket.sets <= 0:
        return
    book.taken += 1
    book.open.append(
        Kept(
            group=basket.group, legs=tuple((of.market, of.leg) for of in basket.legs), qty=basket.sets,
            spent=basket.spent - lost, expected=notional_floor(basket.plan.edge, basket.sets),
            began_ms=state.now.wall_ms,
        )
    )  # fmt: skip


def heed(state: State) -> None:
    """Look for pairs of which a leg has settled."""
    for kept in list(state.pairs.open):
        for market_id, leg in kept.legs:
            market = state.markets.get(market_id)
            if market_id in kept.paid or market is None or market.settled is None:
                continue
            px = market.settled if leg is Leg.YES else SCALE - market.settled
            kept.paid[market_id] = notional_floor(px, kept.qty)
            state.books_moved = True
        if len(kept.paid) == len(kept.legs):
            _settled(state, kept)


def _settled(state: State, kept: Kept) -> None:
    book, paid = state.pairs, sum(kept.paid.values())
    realised = paid - kept.spent
    book.open.remove(kept)
    book.settled += 1
    book.expected += kept.expected
    book.realised += realised
    _ended(state, kept, "settled", Cash(realised))
    if paid != kept.qty:
        book.mismatched += 1
        way = "both legs paid" if paid > kept.qty else "the legs did not pay 1 together"
        state.out.alert(
            AlertLevel.INFO if paid > kept.qty else AlertLevel.WARNING, "pair_mismatched",
            f"{kept.group}: {way} ({to_text(paid)} for {to_text(kept.qty)} pairs): {to_fixed(realised, 2)}",
        )  # fmt: skip


def release(state: State, why: str) -> None:
    """The tokens are sold with everything else: none is reserved any more."""
    for kept in state.pairs.open:
        _ended(state, kept, f"sold: {why}", None)
    state.books_moved |= bool(state.pairs.open)
    state.pairs.open.clear()


def _ended(state: State, kept: Kept, how: str, realised: Cash | None) -> None:
    state.digest.mix_text(kept.group)
    state.digest.mix(kept.qty, kept.spent, 0 if realised is None else realised)
    state.pairs.ended.append(_row(kept, how, realised))


def _row(kept: Kept, how: str, realised: Cash | None) -> TradeRow:
    return TradeRow(
        group=kept.group, legs=kept.legs, qty=Qty(kept.qty), spent=Cash(kept.spent), expected=Cash(kept.expected),
        realised=realised, began_ms=kept.began_ms, how=how,
    )  # fmt: skip


def report(state: State) -> ArbitrageReport:
    book = state.pairs
    return ArbitrageReport(
        taken=book.taken, settled=book.settled, mismatched=book.mismatched, expected=Cash(book.expected),
        realised=Cash(book.realised), legging_loss=Cash(book.legging),
        trades=(*book.ended, *(_row(kept, "held", None) for kept in book.open)), signals=tuple(book.signals),
        why_not={group: known.why_not for group, known in state.baskets.by_group.items() if known.why_not},
    )  # fmt: skip
