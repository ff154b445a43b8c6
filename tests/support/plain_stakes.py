"""The loss limits written down plainly, sum by sum: what the gate's own must equal, to the unit and to the letter."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hlomm.domain.ids import MarketId
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, notional_ceil, to_fixed
from hlomm.engine import payoffs
from hlomm.engine.order import Order
from hlomm.engine.payoffs import Ending, PerpStake, Profile
from hlomm.engine.settling import _BOTH, Group, Question, question_of
from hlomm.engine.stakes import _settlement, name_of
from hlomm.engine.state import MarketState, State

Room = tuple[int, str, str]


class PlainStakes:
    """Nothing is kept but the worst of a settlement."""

    def __init__(self, state: State) -> None:
        self._events: dict[MarketId, tuple[int, ...]] = {}
        """(loss if NO is paid, loss if YES is paid) of every outcome that is not over."""
        self._groups: dict[MarketId, list[Group]] = {}
        """By what limits them together: the perp of their underlying, or the outcome itself if no price decides it.

        A perp that nothing settles with is with an empty group.
        """
        self._perps: dict[MarketId, PerpStake] = {}
        self._known: dict[tuple[Group, PerpStake | None], int] = {}
        found: dict[tuple[object, ...], list[MarketState]] = {}
        for market in state.markets.values():
            if market.is_outcome and market.settled is None:
                self._events[market.market.id] = event(state, market).losses
                found.setdefault(_settlement(market), []).append(market)
        for together in found.values():
            self._groups.setdefault(name_of(together[0]), []).append(tuple(together))
        for market_id in [market_id for market_id, market in state.markets.items() if not market.is_outcome]:
            perp = payoffs.perp_stake(state, market_id)
            if perp is not None and not perp.idle:
                self._perps[market_id] = perp
                self._groups.setdefault(market_id, [()])

    def ways(self, market: MarketState) -> list[Profile]:
        """What is lost on the underlying of an outcome, by the endings of its settlement, all else at its worst.

        One profile for every settlement that the perp may be reckoned with: it is enough that one of them is borne.
        """
        name = name_of(market)
        perp, groups = self._perps.get(name), self._groups[name]
        own = next(group for group in groups if market in group)
        found = []
        for hedged in groups if perp is not None else (own,):
            rest = sum(self._worst(group) for group in groups if group not in (own, hedged))
            if hedged is not own:
                rest += self._worst(hedged, perp)
            beside = perp if hedged is own else None
            found.append(self._profile(own, beside, question=question_of(market.market), rest=rest))
        return found

    def hedge_ways(self, name: MarketId, perp: PerpStake) -> list[Profile]:
        """The same by what the perp is closed at, as an order in it sees it."""
        groups = self._groups.get(name, [()])
        everything = sum(self._worst(group) for group in groups)
        return [self._profile(group, perp, rest=everything - self._worst(group)) for group in groups]

    def worst(self, name: MarketId) -> int:
        """The worst of one underlying, or of one outcome that no price decides; 0 where nothing is at stake."""
        return min((self._worst_with(name, hedged) for hedged in self._groups.get(name, ())), default=0)

    def total(self) -> int:
        """The worst of every underlying added up: nothing is netted between them."""
        return sum(max(self.worst(name), 0) for name in self._groups)

    # -- parts

    def _worst_with(self, name: MarketId, hedged: Group) -> int:
        apart = sum(self._worst(group) for group in self._groups[name] if group is not hedged)
        return apart + self._worst(hedged, self._perps.get(name))

    def _worst(self, group: Group, perp: PerpStake | None = None) -> int:
        known = self._known.get((group, perp))
        if known is None:
            known = self._known[group, perp] = self._profile(group, perp).worst
        return known

    def _profile(
        self, group: Group, perp: PerpStake | None = None, *, question: Question | None = None, rest: int = 0
    ) -> Profile:
        """Losses of a settlement and of the perp with it, `rest` added; with both ends of the question looked at."""
        ends = (False,) if question is None else _BOTH
        at = tuple((px, other) for px in _prices(group, perp) for other in ends)
        return Profile(at=at, losses=tuple(rest + self._loss(group, ending, perp, question) for ending in at))

    def _loss(self, group: Group, ending: Ending, perp: PerpStake | None, question: Question | None) -> int:
        """At one ending. A question that is not looked at pays what is worse, the leg of that price or its fallback."""
        at, _ = ending
        total = 0 if perp is None else perp.loss(at)
        others: dict[Question, list[int]] = {}
        for market in group:
            spec, losses = market.market, self._events[market.market.id]
            own = question_of(market.market)
            if own is None or own == question:
                total += losses[payoffs.pays_yes(spec, ending)]
                continue
            either = others.setdefault(own, [0, 0])
            for other in _BOTH:
                either[other] += losses[payoffs.pays_yes(spec, (at, other))]
        return total + sum(max(either) for either in others.values())


def event(state: State, market: MarketState) -> Profile:
    """Losses of one outcome by itself, order by order."""
    position, orders = state.portfolio.position(market.market.id), state.orders.exposed_in(market.market.id)
    spent = position.cost_yes + position.cost_no - position.realised
    return Profile(
        at=payoffs.EITHER,
        losses=(
            spent - position.no + sum(_if_filled(order, yes=False) for order in orders),
            spent - position.yes + sum(_if_filled(order, yes=True) for order in orders),
        ),
    )


def unit_loss(leg: Leg, side: Side, px: int) -> tuple[int, int]:
    """What one contract of an order loses if NO is paid, and if YES is."""
    no, yes = ((paid if side is Side.SELL else -paid) for paid in ((0, SCALE) if leg is Leg.YES else (SCALE, 0)))
    own = px if side is Side.BUY else -px
    return own + no, own + yes


def _if_filled(order: Order, *, yes: bool) -> int:
    """Both sizes of an amend at their own prices, and what is said to have filled at the worse."""
    worse = order.exposed_px if order.side is Side.BUY else order.lowest_px
    total = 0
    for px, qty in ((order.px, order.leaves), (order.amend_px or order.px, order.amend_qty), (worse, order.due)):
        lost = unit_loss(order.leg, order.side, px)[yes]
        total += notional_ceil(lost, qty) if lost > 0 else 0
    return total


def _prices(group: Group, perp: PerpStake | None) -> list[int]:
    """Settlement prices that stand for all others."""
    if group and not payoffs.priced(group[0].market):
        return [at for at, _ in payoffs.EITHER]
    jumps = {bound for market in group for bound in payoffs.bounds(market.market)}
    found = {max(bound + step, 0) for bound in jumps for step in (-1, 0, 1)}
    return sorted(found.union(() if perp is None else perp.bounds)) or [0]


def rooms(state: State, market: MarketState, leg: Leg, side: Side, px: int) -> list[Room]:
    """(largest quantity allowed, limit, numbers) of an order in an outcome at an own-coin price."""

    def unit(ending: Ending) -> int:
        return unit_loss(leg, side, px)[payoffs.pays_yes(market.market, ending)]

    def either(ending: Ending) -> int:
        return unit_loss(leg, side, px)[ending == payoffs.EITHER[1]]

    limits, stakes = state.config.limits, PlainStakes(state)
    ways, elsewhere = stakes.ways(market), stakes.total() - max(stakes.worst(name_of(market)), 0)
    return [
        _room(event(state, market), either, limits.max_loss_event, "max_loss_event"),
        _widest(ways, unit, limits.max_loss_underlying, "max_loss_underlying"),
        _widest(ways, unit, limits.max_loss_total - elsewhere, "max_loss_total"),
    ]


def hedge_rooms(state: State, market: MarketState, side: Side, px: int, *, reduces: bool) -> list[Room]:
    """The same of an order in a perp: a hedge loses where what it hedges gains. A reduction adds nothing to a jump."""
    perp = payoffs.perp_stake(state, market.market.id)
    if perp is None:
        return [(0, "max_loss_underlying", "no price of the perp is known")]
    limits, stakes, name = state.config.limits, PlainStakes(state), market.market.id
    ways, elsewhere = stakes.hedge_ways(name, perp), stakes.total() - max(stakes.worst(name), 0)

    def unit(ending: Ending) -> int:
        return perp.unit_loss(side, px, ending[0]) + (0 if reduces else perp.jump(ending[0]))

    return [
        _widest(ways, unit, limits.max_loss_underlying, "max_loss_underlying"),
        _widest(ways, unit, limits.max_loss_total - elsewhere, "max_loss_total"),
    ]


def _widest(ways: Sequence[Profile], unit: Callable[[Ending], int], limit: int, name: str) -> Room:
    """It is enough to be within the limit one way, but at all of its endings. Beyond it the least bad way counts."""
    least = min(profile.worst for profile in ways)
    borne = [profile for profile in ways if profile.worst <= max(limit, least)]
    return max((_room(profile, unit, limit, name) for profile in borne), key=lambda room: room[0])


def _room(profile: Profile, unit: Callable[[Ending], int], limit: int, name: str) -> Room:
    """The smallest room over all endings in which the order loses."""
    found: Room | None = None
    for ending, loss in zip(profile.at, profile.losses, strict=True):
        lost = unit(ending)
        if lost <= 0:
            continue
        room = max(limit - loss, 0) * SCALE // lost
        if found is None or room < found[0]:
            where = "" if profile.at == payoffs.EITHER else _where(ending)
            found = room, name, f"{to_fixed(max(loss, 0), 2)} could be lost{where} of {to_fixed(max(limit, 0), 2)}"
    return (1 << 62, name, "loses in no settlement") if found is None else found


def _where(ending: Ending) -> str:
    at, other = ending
    return " if the fallback pays" if other else f" at {to_fixed(at, 1)}"
