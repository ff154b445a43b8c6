"""One maintained hedge per underlying: the perp position that offsets the delta of all its outcomes (QUANT 4.6, 4.7).

Nothing is hedged per signal. Whenever a position, a sensitivity or the perp moved, the target is computed from what is
held now; while the perp is within the no-trade band of it nothing is sent, outside it one immediate-or-cancel order
brings it back inside, and home when the target is nothing. What is on its way counts as filled, so there
is one order at a time. Contracts closer to their end than `min_tau_s` are left out: near the strike their delta outruns
any hedge, and their risk is carried inside the limits instead.
"""

from __future__ import annotations

from typing import Final

from hlomm.domain.grid import closing_limit
from hlomm.domain.ids import MarketId
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Purpose, Side, Tif
from hlomm.domain.outputs import HaltState
from hlomm.domain.report import HedgeRow, SideNote
from hlomm.domain.units import SCALE, Px, Qty, ceil_to, notional_floor, to_text
from hlomm.domain.view import BookShape
from hlomm.engine import gate, quoting
from hlomm.engine.hedge_state import OK, HedgeState
from hlomm.engine.state import MarketState, State
from hlomm.pricing.hedge import HedgeTerms, Maintained, maintained, nothing_held

TIMER: Final = "hedge"


def maintain(state: State) -> None:
    """Look at every hedge that is due."""
    if not state.config.hedge.enabled or state.halt is not HaltState.RUNNING:
        for hedge in state.hedges.values():
            hedge.look_away()
        return
    for perp_id in state.hedge_due:
        market = state.markets.get(perp_id)
        if market is not None and not market.gone:
            _step(state, market, state.hedges.setdefault(perp_id, HedgeState()))
    waiting = {perp for perp, hedge in state.hedges.items() if state.now.mono_ns < hedge.again_ns}
    state.hedge_due = {perp: None for perp in state.hedge_due if perp in waiting}  # one may be gone and have no hedge


def due(state: State, market: MarketState) -> None:
    """Something that the hedge depends on has changed."""
    perp = market.underlying if market.is_outcome else market.market.id
    if perp is not None and perp in state.markets:
        state.hedge_due[perp] = None


def _step(state: State, market: MarketState, hedge: HedgeState) -> None:
    now_ns, rules = state.now.mono_ns, state.config.hedge
    px = _spot(state, market)
    if px is None:
        hedge.note = SideNote(guard="hedge", detail="no fresh price of the perp")
        if state.portfolio.perps.position(market.market.id).qty:
            # Once its contracts are over nothing else would bring us back to it.
            hedge.again_ns = now_ns + max(rules.interval_ns, 1)
            state.timers.set_earliest(TIMER, hedge.again_ns)
        return
    legs = _legs(state, market.market.id)
    terms = HedgeTerms(
        cost=rules.cost, risk_aversion=rules.risk_aversion, cap=state.config.limits.max_hedge_notional,
        lot=market.market.lot, least=max(rules.closest, market.market.min_notional),
    )  # fmt: skip
    wanted = maintained([leg for _, leg in legs], px, terms) if legs else nothing_held(px, terms)
    held = state.portfolio.perps.position(market.market.id).qty
    _count(hedge, legs)
    hedge.look(now_ns, held, wanted, naked=bool(held) and not legs)
    if now_ns < hedge.again_ns:
        state.timers.set_earliest(TIMER, hedge.again_ns)
        return
    if state.orders.live_in(market.market.id):
        return  # its end will bring us back
    move = _move(held, wanted, rules.inner, -(-market.market.min_notional * SCALE // px))
    if not move:
        hedge.note = OK
        return
    hedge.again_ns = now_ns + max(rules.interval_ns, 1)
    state.timers.set_earliest(TIMER, hedge.again_ns)
    hedge.note = _send(state, market, move)


def _legs(state: State, perp: MarketId) -> list[tuple[MarketState, tuple[int, int, int]]]:
    """Every contract on the perp's mark that is worth hedging, with its (net, delta, gamma)."""
    rules, wall_ns = state.config.hedge, state.now.wall_ns
    found = []
    for market_id, market in state.markets.items():
        told = market.sensitivity
        if told is None or market.underlying != perp or market.gone or market.market.tau_ns(wall_ns) < rules.min_tau_ns:
            continue
        paired = state.paired(market_id, Leg.YES) - state.paired(market_id, Leg.NO)
        net = state.portfolio.position(market_id).net - paired  # a pair has no delta to speak of
        if net:
            found.append((market, (net, told.delta, told.gamma)))
    return found


def _count(hedge: HedgeState, legs: list[tuple[MarketState, tuple[int, int, int]]]) -> None:
    for market, _ in legs:
        hedge.contracts += not market.hedged
        market.hedged = True


def _spot(state: State, market: MarketState) -> int | None:
    """The perp's mid, None without a fresh two-sided book: an order needs one anyway."""
    book = market.book
    stale = state.now.mono_ns - book.received_ns > state.config.limits.stale_book_ns
    if book.shape is not BookShape.TWO_SIDED or stale:
        return None
    return (book.bids[0][0] + book.asks[0][0]) // 2


def _move(held: int, wanted: Maintained, inner: int, least: int) -> int:
    """What to trade: back into the band to `inner`, a legal order's worth at least; home if nothing is to be held.

    The theory trades to the edge itself, but continuously: where an order takes its time, what stands at the edge is
    outside again before the next one can be sent.
    """
    if wanted.uncapped == 0:
        return -held
    away = held - wanted.target
    if abs(away) <= wanted.band:
        return 0
    back = max(abs(away) - wanted.band * inner // SCALE, least)
    return -back if away > 0 else back


def _send(state: State, market: MarketState, move: int) -> SideNote:
    side = Side.BUY if move > 0 else Side.SELL
    touch = market.book.best_ask if side is Side.BUY else market.book.best_bid
    qty = ceil_to(abs(move), market.market.lot)
    if touch is None or not qty:
        return SideNote(guard="hedge", detail="no price or less than a lot")
    px = closing_limit(touch, state.config.flatten.max_slippage_perp, side, market.market.tick)
    want = gate.Proposal(market=market, leg=Leg.YES, side=side, px=px, qty=Qty(qty), tif=Tif.IOC, purpose=Purpose.HEDGE)
    admitted = quoting.admit(state, want)
    if isinstance(admitted, SideNote):
        return admitted
    quoting.send(state, want, admitted, None)
    return SideNote(guard="hedging", detail=f"{side.name.lower()} {to_text(admitted)} @ {to_text(px)}")


def rows(state: State) -> tuple[HedgeRow, ...]:
    """Every hedge for people: what is held, what should be, and for which share of its life it was within the band."""
    found = []
    for perp_id, hedge in state.hedges.items():
        held = state.portfolio.perps.position(perp_id).qty
        market = state.markets.get(perp_id)
        px = None if market is None else market.closing_px(held or 1)
        found.append(
            HedgeRow(
                market=perp_id, held=Qty(held), target=Qty(hedge.target), band=Qty(hedge.band),
                notional=notional_floor(Px(px or 0), abs(held)), inside_ms=hedge.inside_ns // 10**6,
                outside_ms=hedge.outside_ns // 10**6, naked_ms=hedge.naked_ns // 10**6, contracts=hedge.contracts,
                naked=Qty(0 if _legs(state, perp_id) else held), note=hedge.note,
            )
        )  # fmt: skip
    return tuple(found)
