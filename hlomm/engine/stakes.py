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

import attrs

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


@attrs.define(eq=False)
class _Settling:
    """Outcomes that settle together, as one look finds them."""

    markets: Group
    at_stake: Group
    """Those of them in which something can be lost or gained: the others add nothing at any price."""
    prices: frozenset[int]
    """Settlement prices that stand for all others, for the outcomes alone."""
    alone: int | None = None
    """Its worst without a perp, once somebody asked."""
    hedged: int | None = None
    """With the perp of its underlying."""


class Stakes:
    """All that may be lost, as things are: see `stakes_of` for how long one look may be believed.

    One look asks for the same sums again and again (the gate wants three limits of every order), so each is kept.
    """

    def __init__(self, state: State) -> None:
        self._events: dict[MarketId, tuple[int, ...]] = {}
        """(loss if NO is paid, loss if YES is paid) of every outcome that is not over."""
        self._groups: dict[MarketId, list[_Settling]] = {}
        """By what limits them together: the perp of their underlying, or the outcome itself if no price decides it.

        A perp that nothing settles with is with an empty group.
        """
        self._perps: dict[MarketId, PerpStake] = {}
        self._perp_losses: dict[MarketId, dict[int, int]] = {}
        """By settlement price."""
        found: dict[tuple[object, ...], list[MarketState]] = {}
        perps = []
        for market_id, market in state.markets.items():
            if not market.is_outcome:
                perps.append(market_id)
            elif market.settled is None:
                self._events[market_id] = payoffs.event(state, market).losses
                found.setdefault(_settlement(market), []).append(market)
        for together in found.values():
            self._groups.setdefault(name_of(together[0]), []).append(self._settling(tuple(together)))
        for market_id in perps:
            perp = payoffs.perp_stake(state, market_id)
            if perp is not None and not perp.idle:
                self._perps[market_id], self._perp_losses[market_id] = perp, {}
                self._groups.setdefault(market_id, [self._settling(())])

    def _settling(self, group: Group) -> _Settling:
        at_stake = tuple(market for market in group if any(self._events[market.market.id]))
        return _Settling(group, at_stake, _prices(group))

    def ways(self, market: MarketState) -> list[Profile]:
        """What is lost on the underlying of an outcome, by the endings of its settlement, all else at its worst.

        One profile for every settlement that the perp may be reckoned with: it is enough that one of them is borne.
        Of several with the same losses the first stands for all.
        """
        name = name_of(market)
        perp, groups = self._perps.get(name), self._groups[name]
        own, question = next(group for group in groups if market in group.markets), _question(market)
        apart = sum(self._alone(group) for group in groups) - self._alone(own)
        if perp is None:
            return [self._profile(own, question=question, rest=apart)]
        plain = self._profile(own, question=question)
        found: dict[int | None, Profile] = {}
        for hedged in groups:
            if hedged is own:
                found[None] = self._profile(own, perp, self._perp_losses[name], question=question, rest=apart)
                continue
            rest = apart - self._alone(hedged) + self._hedged(name, hedged)
            if rest not in found:
                found[rest] = Profile(at=plain.at, losses=tuple(rest + loss for loss in plain.losses))
        return list(found.values())

    def hedge_ways(self, name: MarketId, perp: PerpStake) -> list[Profile]:
        """The same by what the perp is closed at, as an order in it sees it."""
        groups = self._groups.get(name) or [self._settling(())]
        everything = sum(self._alone(group) for group in groups)
        known: dict[int, int] = {}
        return [self._profile(group, perp, known, rest=everything - self._alone(group)) for group in groups]

    def worst(self, name: MarketId) -> int:
        """The worst of one underlying, or of one outcome that no price decides; 0 where nothing is at stake."""
        groups = self._groups.get(name, ())
        apart = sum(self._alone(group) for group in groups)
        return min((apart - self._alone(group) + self._hedged(name, group) for group in groups), default=0)

    def total(self) -> int:
        """The worst of every underlying added up: nothing is netted between them."""
        return sum(max(self.worst(name), 0) for name in self._groups)

    def rows(self) -> Iterator[ScenarioRow]:
        """The payoff profile for people: every settlement at which something is at stake."""
        for name, groups in self._groups.items():
            apart = sum(self._alone(group) for group in groups)
            costs = [apart - self._alone(group) + self._hedged(name, group) for group in groups]
            hedged = groups[costs.index(min(costs))]
            for group in groups:
                perp = self._perps.get(name) if group is hedged else None
                shown = self._profile(group, perp, self._perp_losses.get(name))
                if any(shown.losses):
                    yield from _rows(name, group.markets, shown)

    # -- parts

    def _alone(self, group: _Settling) -> int:
        if group.alone is None:
            group.alone = self._profile(group).worst if group.at_stake else 0
        return group.alone

    def _hedged(self, name: MarketId, group: _Settling) -> int:
        """The worst of a settlement with the perp of its underlying, if there is one."""
        perp = self._perps.get(name)
        if perp is None:
            return self._alone(group)
        if group.hedged is None:
            group.hedged = self._profile(group, perp, self._perp_losses[name]).worst
        return group.hedged

    def _profile(
        self, group: _Settling, perp: PerpStake | None = None, known: dict[int, int] | None = None, *,
        question: Question | None = None, rest: int = 0,
    ) -> Profile:  # fmt: skip
        """Losses of a settlement and of the perp with it, `rest` added; with both ends of the question looked at.

        `known` keeps what the perp loses by price.
        """
        ends = (False,) if question is None else _BOTH
        prices = group.prices if perp is None else group.prices.union(perp.bounds)
        at = tuple((px, other) for px in sorted(prices) or (0,) for other in ends)
        if perp is None or known is None:
            return Profile(at=at, losses=tuple(rest + self._loss(group.at_stake, end, question) for end in at))
        losses = []
        for end in at:
            lost = known.get(end[0])
            if lost is None:
                lost = known[end[0]] = perp.loss(end[0])
            losses.append(rest + lost + self._loss(group.at_stake, end, question))
        return Profile(at=at, losses=tuple(losses))

    def _loss(self, group: Group, ending: Ending, question: Question | None) -> int:
        """At one ending. A question that is not looked at pays what is worse, the leg of that price or its fallback."""
        at, total = ending[0], 0
        others: dict[Question, list[int]] = {}
        for market in group:
            spec = market.market
            losses = self._events[spec.id]
            own = _question(market)
            if own is None or own == question:
                total += losses[payoffs.pays_yes(spec, ending)]
                continue
            either = others.setdefault(own, [0, 0])
            for other in _BOTH:
                either[other] += losses[payoffs.pays_yes(spec, (at, other))]
        return total + sum(max(either) for either in others.values()) if others else total


def stakes_of(state: State) -> Stakes:
    """The last look of this turn, or a new one if an order has come or changed since."""
    version, known = state.orders.version, state.looked
    if known is not None and known[0] == version and isinstance(known[1], Stakes):
        return known[1]
    found = Stakes(state)
    state.looked = version, found
    return found


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


def _prices(group: Group) -> frozenset[int]:
    """Settlement prices that stand for all others."""
    if group and not payoffs.priced(group[0].market):
        return frozenset(at for at, _ in payoffs.EITHER)
    jumps = {bound for market in group for bound in payoffs.bounds(market.market)}
    return frozenset(max(bound + step, 0) for bound in jumps for step in (-1, 0, 1))


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
