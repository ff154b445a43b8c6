"""The orders of a basket: rehearsed before the gate together, then sent through it one by one.

Every leg is judged at one quantity with the legs before it counted as pending; the smallest room decides, and all are
judged again at that. A question that is put to the gate changes nothing; what leaves is admitted like any other order.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

import msgspec

from hlomm.domain.basket_rows import ArbitrageKind
from hlomm.domain.grid import ceil_px
from hlomm.domain.ids import ClientId, StrategyId, venue_of
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Purpose, Side, Tif, yes_px
from hlomm.domain.report import SideNote
from hlomm.domain.units import SCALE, Qty, complement, floor_to, to_text
from hlomm.domain.view import Basket
from hlomm.engine import gate, quoting
from hlomm.engine.basket import BasketLegState, BasketState, Group
from hlomm.engine.basket_moves import Move
from hlomm.engine.order import Order
from hlomm.engine.state import State

LEGS_MAX: Final = 20
"""More would leave within one second than a session's fuse takes for sane."""
ROUNDS: Final = 4
"""Judging again with less: less of every leg never leaves less room for another."""


def rehearsed(state: State, plan: Basket, *, rests: bool = False) -> Qty | SideNote:
    """The largest quantity at which the gate lets every leg pass with all the others pending, or why there is none.

    `rests`: the first leg is to rest, not to be taken at once.
    """
    if len(plan.legs) > LEGS_MAX:
        return SideNote(guard="basket", detail=f"{len(plan.legs)} legs > {LEGS_MAX}")
    actions = Counter(venue_of(leg.market) for leg in plan.legs)
    for venue, count in actions.items():
        if state.budgets.exhausted(venue, count - 1):
            return SideNote(guard="budget", detail=f"{count} actions at once at {venue} are more than is left")
    step = math.lcm(*(state.markets[leg.market].market.lot for leg in plan.legs), 1 if len(actions) > 1 else SCALE)
    qty, why = plan.qty, None
    for _ in range(ROUNDS):
        room, refusal = _room(state, plan, qty, rests=rests)
        if refusal is None and room == qty:
            return qty
        why = why or refusal  # the first one is what keeps it small
        qty = Qty(floor_to(room, step))
        if qty < max(plan.least, 1):
            return why or SideNote(guard="basket", detail=f"room for {to_text(room)} sets < {to_text(plan.least)}")
    return why or SideNote(guard="basket", detail=f"no room for all legs found in {ROUNDS} rounds")


def _room(state: State, plan: Basket, qty: Qty, *, rests: bool) -> tuple[int, SideNote | None]:
    """Sets to go on with, each leg judged with those before it pending, and the refusal if one may not go at all.

    That is the smallest room; after a refusal, what those before it would have left if all had shared alike.
    """
    pending: list[Order] = []
    smallest = int(qty)
    for place in range(len(plan.legs)):
        want = _proposal(state, plan, place, qty)
        if rests and place == 0:
            want = msgspec.structs.replace(want, tif=Tif.ALO, purpose=Purpose.REST)
        with state.orders.supposing(pending):
            verdict = gate.judge(state, want)
        if isinstance(verdict, gate.Reject):
            return qty * place // len(plan.legs), SideNote(guard=verdict.limit, detail=verdict.numbers)
        smallest = min(smallest, verdict.qty)
        pending.append(
            Order(
                client_id=ClientId(f"supposed {place}"), market=want.market.market.id, leg=want.leg, side=want.side,
                tif=want.tif, purpose=want.purpose, strategy=None, px=want.px, leaves=verdict.qty, sent_ns=0,
                touched_ns=0,
            )
        )  # fmt: skip
    return smallest, None


def _proposal(state: State, plan: Basket, place: int, qty: Qty) -> gate.Proposal:
    leg = plan.legs[place]
    market = state.markets[leg.market]
    if leg.sale:
        other, px = (Leg.NO if leg.leg is Leg.YES else Leg.YES), ceil_px(market.market, complement(leg.px))
        return gate.Proposal(
            market=market, leg=other, side=Side.SELL, px=px, qty=qty, tif=Tif.IOC, purpose=Purpose.LEG
        )  # fmt: skip
    return gate.Proposal(
        market=market, leg=leg.leg, side=Side.BUY, px=leg.px, qty=qty, tif=Tif.IOC, purpose=Purpose.LEG
    )  # fmt: skip


def start(
    state: State, group: Group, owner: StrategyId, plan: Basket, qty: Qty, *, unit: int, kind: ArbitrageKind | None
) -> BasketState:
    """Send the legs. `unit` is what 1 paid out leaves: less than 1 where a conversion brings it and costs something."""
    basket = BasketState(
        group=group, strategy=owner, plan=plan, unit=unit, began_ns=state.now.mono_ns, pair=kind is not None,
        kind=kind or ArbitrageKind.SET,
        legs=tuple(BasketLegState(leg.market, leg.leg) for leg in plan.legs), note=plan.reason,
    )  # fmt: skip
    for place, of in enumerate(basket.legs):
        _send(state, basket, of, _proposal(state, plan, place, qty))
    state.baskets.count("started")
    state.digest.mix_text(group)
    state.digest.mix(len(basket.legs), qty)
    return basket


def send_all(state: State, basket: BasketState, moves: list[Move]) -> int:
    """How many of them passed the gate and left."""
    left = 0
    for move in moves:
        want = gate.Proposal(
            market=move.market, leg=move.leg, side=move.side, px=move.px, qty=move.qty, tif=Tif.IOC,
            purpose=Purpose.LEG,
        )  # fmt: skip
        left += _send(state, basket, move.of, want)
    return left


def _send(state: State, basket: BasketState, of: BasketLegState, want: gate.Proposal) -> bool:
    """Through the gate; a refusal leaves the leg short, which is an ordinary thing for a leg to be."""
    admitted = quoting.admit(state, want)
    if isinstance(admitted, SideNote):
        basket.note = f"{want.market.market.ticker}: {admitted.guard}: {admitted.detail}"
        return False
    _step_aside(state, want)
    of.orders.append(quoting.send(state, want, admitted, basket.strategy))
    want.market.leg_ns = state.now.mono_ns
    return True


def _step_aside(state: State, want: gate.Proposal) -> None:
    """Take what rests of ours out of an order's way: it would meet them first, and trade with nobody or die of it.

    Cancels leave before the orders of their turn. Where the order still comes first, the venue lets the two not trade.
    """
    limit = yes_px(want.leg, want.px)
    for order in list(state.orders.live_in(want.market.market.id)):
        prices = order.px, order.px if order.amend_px is None else order.amend_px  # on its way it may be at either
        meets = any((limit - yes_px(order.leg, px)) * want.direction >= 0 for px in prices)
        if order.purpose in (Purpose.QUOTE, Purpose.REST) and order.direction != want.direction and meets:
            quoting.cancel(state, order)
