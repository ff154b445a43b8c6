"""Outcomes that settle together, and what is lost by how they do: a table, corrected outcome by outcome.

Payoffs of a settlement are constant between their bounds, so looking just below, at and just above each of them is
looking everywhere. Of a question exactly one outcome pays: the one that the price says or, whatever the price, its
fallback.

Which outcomes pay YES at which ending changes only with their terms. So it is worked out once, and when what one of
them loses has changed the difference is added where it counts; the sums are of integers and come out as if made anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hlomm.domain.ids import MarketId, VenueId
from hlomm.domain.markets import Market
from hlomm.engine import payoffs
from hlomm.engine.payoffs import Ending, Losses, PerpStake, Profile
from hlomm.engine.state import MarketState

Group = tuple[MarketState, ...]
"""Outcomes that settle together."""
Question = tuple[VenueId, int]
"""Venues number their questions by themselves."""
Bounds = tuple[int, int, int, int]
"""Those of a perp."""

_BOTH: Final = (False, True)
_NONE: Final[Losses] = (0, 0)


def question_of(spec: Market) -> Question | None:
    return None if spec.question is None else (spec.venue, spec.question)


class Table:
    """What outcomes lose together at every ending: those of some prices, or with both ends of one question each.

    A question that is not looked at pays what is worse, the leg of that price or its fallback.
    """

    def __init__(self, group: Group, prices: Iterable[int], question: Question | None) -> None:
        ends = (False,) if question is None else _BOTH
        self.at: tuple[Ending, ...] = tuple((px, other) for px in sorted(prices) or (0,) for other in ends)
        self.paid: dict[MarketId, tuple[int, ...]] = {}
        """By ending whether YES is paid, 0 or 1, of outcomes of no other question."""
        self._either: dict[MarketId, tuple[Question, tuple[int, ...], tuple[int, ...]]] = {}
        """The same of the others: the leg's own, and if the fallback pays."""
        self._total = [0] * len(self.at)
        self._worse: dict[Question, tuple[list[int], list[int]]] = {}
        self._losses: tuple[int, ...] | None = None
        for market in group:
            spec = market.market
            own = question_of(spec)
            if own is None or own == question:
                self.paid[spec.id] = tuple(int(payoffs.pays_yes(spec, ending)) for ending in self.at)
            else:
                leg, fallback = (tuple(int(payoffs.pays_yes(spec, (px, one))) for px, _ in self.at) for one in _BOTH)
                self._either[spec.id] = own, leg, fallback
                self._worse[own] = [0] * len(self.at), [0] * len(self.at)

    def add(self, market: MarketId, if_no: int, if_yes: int) -> None:
        """One of them loses so much more."""
        self._losses = None
        more, paid = (if_no, if_yes), self.paid.get(market)
        if paid is not None:
            self._total = [total + more[yes] for total, yes in zip(self._total, paid, strict=True)]
            return
        own, *ways = self._either[market]
        leg, fallback = (
            [total + more[yes] for total, yes in zip(before, way, strict=True)]
            for before, way in zip(self._worse[own], ways, strict=True)
        )
        self._worse[own] = leg, fallback

    @property
    def losses(self) -> tuple[int, ...]:
        """By ending."""
        if self._losses is None:
            found = self._total
            for leg, fallback in self._worse.values():
                found = [total + max(either) for total, *either in zip(found, leg, fallback, strict=True)]
            self._losses = tuple(found)
        return self._losses


class Settling:
    """Outcomes that settle together, with what each of them may lose."""

    def __init__(self, markets: Group) -> None:
        self.markets = markets
        self._prices = _prices(markets)
        """Settlement prices that stand for all others, for the outcomes alone."""
        self._losses: dict[MarketId, Losses] = {}
        """Of those in which something can be lost or gained."""
        self._plain: dict[Question | None, Table] = {}
        """Those that were asked for."""
        self._hedged: dict[Question | None, Table] = {}
        """The same with a perp whose bounds are these."""
        self._bounds: Bounds | None = None
        self._alone: int | None = None

    def tell(self, market: MarketId, losses: Losses) -> bool:
        """What one of them may lose now; False if that is nothing new."""
        was = self._losses.get(market, _NONE)
        if losses == was:
            return False
        if losses == _NONE:
            del self._losses[market]
        else:
            self._losses[market] = losses
        for tables in (self._plain, self._hedged):
            for table in tables.values():
                table.add(market, losses[0] - was[0], losses[1] - was[1])
        self._alone = None
        return True

    @property
    def alone(self) -> int:
        """The worst of it without a perp."""
        if self._alone is None:
            self._alone = max(self.table().losses) if self._losses else 0
        return self._alone

    def table(self, question: Question | None = None, perp: PerpStake | None = None) -> Table:
        """With both ends of that question looked at, and where that perp loses the most as well."""
        tables, prices = self._plain, self._prices
        if perp is not None:
            if perp.bounds != self._bounds:
                self._hedged, self._bounds = {}, perp.bounds
            tables, prices = self._hedged, prices.union(perp.bounds)
        found = tables.get(question)
        if found is None:
            found = tables[question] = Table(self.markets, prices, question)
            for market, (if_no, if_yes) in self._losses.items():
                found.add(market, if_no, if_yes)
        return found

    def profile(
        self, perp: PerpStake | None = None, known: dict[int, int] | None = None, *,
        question: Question | None = None, rest: int = 0, of: MarketId | None = None,
    ) -> Profile:  # fmt: skip
        """Losses of it all and of a perp with it, `rest` added; with what an outcome of it pays.

        `known` keeps what the perp loses by price.
        """
        table = self.table(question, perp)
        losses = table.losses
        if perp is not None:
            at_px = {} if known is None else known
            for px, _ in table.at:
                if px not in at_px:
                    at_px[px] = perp.loss(px)
            losses = tuple(rest + at_px[px] + loss for (px, _), loss in zip(table.at, losses, strict=True))
        elif rest:
            losses = tuple(rest + loss for loss in losses)
        return Profile(at=table.at, losses=losses, paid=None if of is None else table.paid[of])


def _prices(group: Group) -> frozenset[int]:
    if group and not payoffs.priced(group[0].market):
        return frozenset(at for at, _ in payoffs.EITHER)
    jumps = {bound for market in group for bound in payoffs.bounds(market.market)}
    return frozenset(max(bound + step, 0) for bound in jumps for step in (-1, 0, 1))
