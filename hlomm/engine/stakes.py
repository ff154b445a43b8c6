"""What everything on one underlying, and everything there is, can lose over every way it can settle (QUANT 7).

Outcomes settle together if one price decides them: same underlying, same source, same moment, same averaging, same
key, wherever they trade. Two sources never print quite the same number, so near a strike both legs of a pair can lose.
Payoffs of a settlement are constant between their bounds, so looking just below, at and just above each of them is
looking everywhere. Of a question exactly one outcome pays: the one that the price says or, whatever the price, its
fallback.

Nothing ties one settlement to another, so their worst cases add up; an outcome that no price decides is a settlement
of its own. A perp is one position and is closed at one price, so it is reckoned with one settlement of its underlying:
that where it leaves least to lose.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hlomm.domain.ids import MarketId, VenueId
from hlomm.domain.report import ScenarioRow
from hlomm.domain.ticker import moment
from hlomm.domain.units import Cash, Px
from hlomm.engine import payoffs
from hlomm.engine.payoffs import Ending, PerpStake, Profile
from hlomm.engine.state import MarketState, State

Group = tuple[MarketState, ...]
"""Outcomes that settle together."""
Question = tuple[VenueId, int]
"""Venues number their questions by themselves."""

_BOTH: Final = (False, True)


class Stakes:
    """All that may be lost, as things are: made anew for every look."""

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
                self._events[market.market.id] = payoffs.event(state, market).losses
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
            found.append(self._profile(own, beside, question=_question(market), rest=rest))
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

    def rows(self) -> Iterator[ScenarioRow]:
        """The payoff profile for people: every settlement at which something is at stake."""
        for name, groups in self._groups.items():
            costs = [self._worst_with(name, group) for group in groups]
            hedged = groups[costs.index(min(costs))]
            for group in groups:
                shown = self._profile(group, self._perps.get(name) if group is hedged else None)
                if any(shown.losses):
                    yield from _rows(name, group, shown)

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
            own = _question(market)
            if own is None or own == question:
                total += losses[payoffs.pays_yes(spec, ending)]
                continue
            either = others.setdefault(own, [0, 0])
            for other in _BOTH:
                either[other] += losses[payoffs.pays_yes(spec, (at, other))]
        return total + sum(max(either) for either in others.values())


def name_of(market: MarketState) -> MarketId:
    """What limits an outcome together with others: the perp of its underlying; itself if no price decides it."""
    return market.underlying if payoffs.priced(market.market) and market.underlying is not None else market.market.id


def _question(market: MarketState) -> Question | None:
    spec = market.market
    return None if spec.question is None else (spec.venue, spec.question)


def _settlement(market: MarketState) -> tuple[object, ...]:
    """What outcomes that settle together have in common."""
    spec = market.market
    if not payoffs.priced(spec):
        return (spec.id,)
    instant = spec.expiry_ns if spec.settles_ns is None else spec.settles_ns
    return name_of(market), spec.source, instant, spec.averaging_s, spec.averaging_from_ns, spec.deployer


def _prices(group: Group, perp: PerpStake | None) -> list[int]:
    """Settlement prices that stand for all others."""
    if group and not payoffs.priced(group[0].market):
        return [at for at, _ in payoffs.EITHER]
    jumps = {bound for market in group for bound in payoffs.bounds(market.market)}
    found = {max(bound + step, 0) for bound in jumps for step in (-1, 0, 1)}
    return sorted(found.union(() if perp is None else perp.bounds)) or [0]


def _rows(name: MarketId, group: Group, shown: Profile) -> Iterator[ScenarioRow]:
    market = group[0].market if group else None
    if market is not None and not payoffs.priced(market):
        for (at, _), loss in zip(shown.at, shown.losses, strict=True):
            yield ScenarioRow(name=f"{market.ticker}-{'YES' if at else 'NO'}", at=None, loss=Cash(loss))
        return
    label = name.rpartition(":")[2] if market is None else market.underlying
    if market is not None and market.expiry_ns is not None:
        label += f"-{moment(market.expiry_ns)}"
    if market is not None and market.deployer is not None:
        label += f"-{market.deployer}"
    for (at, _), loss in zip(shown.at, shown.losses, strict=True):
        yield ScenarioRow(name=label, at=Px(at), loss=Cash(loss))
