"""How much may be lost: the gate's main limits, per event, per underlying and in all (see `payoffs`)."""

from __future__ import annotations

from collections.abc import Callable

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, to_fixed
from hlomm.engine import payoffs
from hlomm.engine.payoffs import Profile
from hlomm.engine.state import MarketState, State

Room = tuple[int, str, str]


def rooms(state: State, market: MarketState, leg: Leg, side: Side, px: int) -> list[Room]:
    """(largest quantity allowed, limit, numbers) of an order at an own-coin price."""
    limits = state.config.limits
    own = payoffs.event(state, market)
    group = payoffs.group_of(state, market)
    together = own if len(group) == 1 and not payoffs.priced(market.market) else payoffs.profile(state, group)
    elsewhere = max(payoffs.total_worst(state) - max(together.worst, 0), 0)
    return [
        _room(own, lambda at: at == 1, leg, side, px, limits.max_loss_event, "max_loss_event"),
        _room(
            together, lambda at: payoffs.pays_yes(market.market, at), leg, side, px, limits.max_loss_underlying,
            "max_loss_underlying",
        ),
        _room(
            together, lambda at: payoffs.pays_yes(market.market, at), leg, side, px,
            limits.max_loss_total - elsewhere, "max_loss_total",
        ),
    ]  # fmt: skip


def _room(profile: Profile, yes: Callable[[int], bool], leg: Leg, side: Side, px: int, limit: int, name: str) -> Room:
    """The smallest room over all settlements in which the order loses."""
    found: Room | None = None
    for at, loss in zip(profile.at, profile.losses, strict=True):
        unit = payoffs.unit_loss(leg, side, px, yes=yes(at))
        if unit <= 0:
            continue
        room = max(limit - loss, 0) * SCALE // unit
        if found is None or room < found[0]:
            where = "" if profile.at == payoffs.NO_PRICE else f" at {to_fixed(at, 1)}"
            found = room, name, f"{to_fixed(max(loss, 0), 2)} could be lost{where} of {to_fixed(max(limit, 0), 2)}"
    return (1 << 62, name, "loses in no settlement") if found is None else found
