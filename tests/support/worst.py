"""What an account can lose, by trying out every way things can end. Written from the contracts, not from the engine.

Outcomes that the same key settles at the same moment on the same source's price end together; of a question exactly one
outcome pays, the one that the price says or, whatever the price, the fallback; nothing ties other ends together. A perp
is closed at one of these settlements, ours to choose, no farther than a fifth away from where it could be closed now.
Orders fill or not, each by itself and in any part.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import attrs

from hlomm.domain.ids import MarketId
from hlomm.domain.markets import Comparator, Leg, Market
from hlomm.domain.orders import Side

UNIT: Final = 10**8
SUBSETS_OF: Final = 6
"""Most orders of one ending of which every combination is tried; of more only the worst is."""


@attrs.frozen
class Chance:
    """Something that may fill."""

    market: MarketId
    leg: Leg
    side: Side
    px: int
    qty: int


@attrs.define
class Holding:
    spent: int = 0
    """Cash paid less cash received."""
    yes: int = 0
    no: int = 0


@attrs.frozen(kw_only=True)
class Around:
    """A perp: signed quantity, and where a long and a short one could be closed now."""

    qty: int = 0
    low: int = 0
    high: int = 0

    @property
    def reach(self) -> tuple[int, int]:
        return self.low - self.low // 5, self.high + self.high // 5


End = tuple[int, frozenset[MarketId]]
"""A settlement price, and which outcomes pay YES."""


class World:
    """Contracts, and every way each of their settlements can end."""

    def __init__(self, markets: Iterable[Market]) -> None:
        self.markets = {market.id: market for market in markets}
        self.settlements: dict[str, list[list[Market]]] = {}
        """By underlying: outcomes that end together."""
        keys: dict[tuple[object, ...], list[Market]] = {}
        for market in self.markets.values():
            ends_at = market.settles_ns or market.expiry_ns
            averaged = market.averaging_s, market.averaging_from_ns
            key = (market.underlying, market.source, ends_at, *averaged, market.deployer)
            keys.setdefault(key, []).append(market)
        for (underlying, *_), together in keys.items():
            self.settlements.setdefault(str(underlying), []).append(together)

    # -- losses

    def event(self, market: MarketId, held: Mapping[MarketId, Holding], chances: Sequence[Chance]) -> int:
        ours = [chance for chance in chances if chance.market == market]
        return max(self._lost([market], frozenset(won), held, ours) for won in ((), (market,)))

    def underlying(
        self, name: str, held: Mapping[MarketId, Holding], chances: Sequence[Chance], perp: Around, perp_id: MarketId
    ) -> int:
        groups = self.settlements[name]
        alone = [self._worst(group, held, chances, None, perp_id) for group in groups]
        closing = [self._worst(group, held, chances, perp, perp_id) for group in groups]
        return min(closing[chosen] + sum(alone[:chosen]) + sum(alone[chosen + 1 :]) for chosen in range(len(groups)))

    def _worst(
        self, group: Sequence[Market], held: Mapping[MarketId, Holding], chances: Sequence[Chance],
        perp: Around | None, perp_id: MarketId,
    ) -> int:  # fmt: skip
        ids = [market.id for market in group]
        ours = [chance for chance in chances if chance.market in ids]
        hedges = [chance for chance in chances if chance.market == perp_id] if perp is not None else []
        return max(
            self._lost(ids, won, held, ours) + (0 if perp is None else _perp_lost(perp, hedges, at))
            for at, won in ends(group, () if perp is None else (*perp.reach, perp.low, perp.high))
        )

    def _lost(
        self, ids: Sequence[MarketId], won: frozenset[MarketId], held: Mapping[MarketId, Holding],
        chances: Sequence[Chance],
    ) -> int:  # fmt: skip
        lost = 0
        for market in ids:
            if market in held:
                lost += held[market].spent - (held[market].yes if market in won else held[market].no)
        each = [_chance_lost(chance, yes=chance.market in won) for chance in chances]
        worst = sum(loss for loss in each if loss > 0)
        if len(each) <= SUBSETS_OF:
            tried = max(sum(part) for part in itertools.product(*((0, loss) for loss in each)))
            assert tried == worst, "the worst combination is that of all orders that lose"
        return lost + worst


def ends(group: Sequence[Market], prices: Iterable[int]) -> Iterator[End]:
    """Every price that may matter, with every way in which the questions may be decided."""
    bounds = {bound for market in group for bound in (market.strike, market.floor, market.ceiling) if bound is not None}
    tried = {1, *prices, *(max(bound + step, 0) for bound in bounds for step in (-UNIT, -1, 0, 1, UNIT))}
    questions = sorted({_asked(market) for market in group if market.question is not None})
    for at in sorted(tried):
        for others in itertools.product((False, True), repeat=len(questions)):
            undecided = {question for question, other in zip(questions, others, strict=True) if other}
            yield at, frozenset(market.id for market in group if _won(market, at, undecided))


def _asked(market: Market) -> tuple[str, int]:
    """Every venue numbers its questions by itself."""
    return market.venue, -1 if market.question is None else market.question


def _won(market: Market, at: int, undecided: set[tuple[str, int]]) -> bool:
    if market.fallback:
        return _asked(market) in undecided
    if _asked(market) in undecided:
        return False
    if market.strike is not None:
        return at > market.strike or (at == market.strike and market.comparator is not Comparator.ABOVE)
    above = market.floor is None or market.floor <= at
    return above and (market.ceiling is None or at < market.ceiling)


def _chance_lost(chance: Chance, *, yes: bool) -> int:
    """All of it, which is the worst part of it if it loses at all."""
    pays = UNIT if yes is (chance.leg is Leg.YES) else 0
    return chance.qty * (chance.px - pays) // UNIT * (1 if chance.side is Side.BUY else -1)


def _perp_lost(perp: Around, hedges: Sequence[Chance], at: int) -> int:
    low, high = perp.reach
    closed = min(max(at, low), high)
    from_px = perp.low if perp.qty > 0 else perp.high
    lost = -perp.qty * (closed - from_px)
    for hedge in hedges:
        sign = 1 if hedge.side is Side.BUY else -1
        # Once it has filled, what it gained meanwhile is the position's to lose again: it counts from the worse price.
        paid = max(hedge.px, perp.high) if sign > 0 else min(hedge.px, perp.low)
        lost += max(sign * hedge.qty * (paid - closed), 0)
    return lost // UNIT
