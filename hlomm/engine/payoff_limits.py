"""How much may be lost: the gate's main limits, per event, per underlying and in all (see `payoffs` and `stakes`)."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, to_fixed
from hlomm.engine import payoffs
from hlomm.engine.payoffs import Ending, Profile
from hlomm.engine.pending import unit_loss
from hlomm.engine.room import Room
from hlomm.engine.stakes import name_of, stakes_of
from hlomm.engine.state import MarketState, State

_BOUNDLESS: Final = 1 << 62


def rooms(state: State, market: MarketState, leg: Leg, side: Side, px: int, qty: int) -> list[Room]:
    """Those of an order in an outcome at an own-coin price; none if the worst of all ends leaves room for all of it."""
    unit = unit_loss(leg, side, px)
    limits, stakes, losses = state.config.limits, stakes_of(state), payoffs.losses(state, market.market.id)
    name, more = name_of(market), -(-max(unit) * qty // SCALE)
    worst = stakes.worst(name)
    elsewhere = stakes.total() - max(worst, 0)
    if (
        max(losses) + more <= limits.max_loss_event
        and worst + more <= limits.max_loss_underlying
        and elsewhere + worst + more <= limits.max_loss_total
    ):
        return []
    event = payoffs.event(state, market)
    ways = [(way, [unit[yes] for yes in way.paid or ()]) for way in stakes.ways(market)]
    return [
        _narrowest(event, unit, limits.max_loss_event, "max_loss_event"),
        _widest(ways, limits.max_loss_underlying, "max_loss_underlying"),
        _widest(ways, limits.max_loss_total - elsewhere, "max_loss_total"),
    ]


def hedge_rooms(state: State, market: MarketState, side: Side, px: int, *, reduces: bool) -> list[Room]:
    """The same of an order in a perp: a hedge loses where what it hedges gains. A reduction adds nothing to a jump."""
    perp = payoffs.perp_stake(state, market.market.id)
    if perp is None:
        return [(0, "max_loss_underlying", lambda: "no price of the perp is known")]
    limits, stakes, name = state.config.limits, stakes_of(state), market.market.id
    elsewhere = stakes.total() - max(stakes.worst(name), 0)

    def unit(ending: Ending) -> int:
        return perp.unit_loss(side, px, ending[0]) + (0 if reduces else perp.jump(ending[0]))

    ways = [(way, [unit(ending) for ending in way.at]) for way in stakes.hedge_ways(name, perp)]
    return [
        _widest(ways, limits.max_loss_underlying, "max_loss_underlying"),
        _widest(ways, limits.max_loss_total - elsewhere, "max_loss_total"),
    ]


def _widest(ways: Sequence[tuple[Profile, Sequence[int]]], limit: int, name: str) -> Room:
    """It is enough to be within the limit one way, but at all of its endings. Beyond it the least bad way counts.

    With each way comes what one contract loses at its endings.
    """
    if len(ways) == 1:
        return _narrowest(*ways[0], limit, name)
    worsts = [profile.worst for profile, _ in ways]
    most = max(limit, min(worsts))
    borne = [_narrowest(*way, limit, name) for way, worst in zip(ways, worsts, strict=True) if worst <= most]
    return max(borne, key=itemgetter(0))


def _narrowest(profile: Profile, units: Sequence[int], limit: int, name: str) -> Room:
    """The smallest room over all endings in which the order loses, by what one contract of it loses at each."""
    found, where = _BOUNDLESS, None
    for at, lost in enumerate(units):
        if lost > 0:
            room = max(limit - profile.losses[at], 0) * SCALE // lost
            if where is None or room < found:
                found, where = room, at
    return found, name, lambda: _numbers(profile, where, limit)


def _numbers(profile: Profile, at: int | None, limit: int) -> str:
    if at is None:
        return "loses in no settlement"
    where = "" if profile.at == payoffs.EITHER else _where(profile.at[at])
    return f"{to_fixed(max(profile.losses[at], 0), 2)} could be lost{where} of {to_fixed(max(limit, 0), 2)}"


def _where(ending: Ending) -> str:
    at, other = ending
    return " if the fallback pays" if other else f" at {to_fixed(at, 1)}"
