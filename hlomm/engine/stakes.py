"""What everything on one underlying, and everything there is, can lose over every way it can settle (QUANT 7).

Outcomes settle together if one price decides them: same underlying, same source, same moment, same averaging, same
key, wherever they trade. Two sources never print quite the same number, so near a strike both legs of a pair can lose.
What is lost within one settlement is in `settling`.

Nothing ties one settlement to another, so their worst cases add up; an outcome that no price decides is a settlement
of its own. A perp is one position and is closed at one price, so it is reckoned with one settlement of its underlying:
that where it leaves least to lose.

The gate asks for these sums with every order, and most of them are what they were. So they are kept, and a look brings
up to date what hangs on something that has changed since the last one:

- `State.listing`: which outcomes there are, on which terms: all is made anew;
- `Accounts.moves`: what is held, and what it cost: every outcome is asked again what it may lose;
- `PendingBook.changes`: the orders of a market: that outcome is;
- prices, the position and the orders of a perp: compared with each look.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from hlomm.domain.ids import MarketId
from hlomm.domain.report import ScenarioRow
from hlomm.domain.ticker import moment
from hlomm.domain.units import Cash, Px
from hlomm.engine import payoffs
from hlomm.engine.payoffs import PerpStake, Profile
from hlomm.engine.pending import NOTHING
from hlomm.engine.settling import Group, Settling, question_of
from hlomm.engine.state import MarketState, State


@attrs.define(eq=False)
class _Together:
    """All that one perp, or one outcome that no price decides, limits together."""

    settlings: list[Settling] = attrs.field(factory=list)
    """A perp that nothing settles with has one with no outcomes."""
    perp: PerpStake | None = None
    """None while it can neither lose nor gain."""
    made_of: tuple[object, ...] | None = None
    """What `perp` was reckoned from."""
    perp_losses: dict[int, int] = attrs.field(factory=dict)
    """By settlement price."""
    hedged: dict[int, int] = attrs.field(factory=dict)
    """The worst of a settlement with the perp, by its place."""
    worst: int | None = None
    _apart: int | None = None

    @property
    def apart(self) -> int:
        """The worst of every settlement without the perp, added up."""
        if self._apart is None:
            self._apart = 0
            for settling in self.settlings:
                self._apart += settling.alone
        return self._apart

    def costs(self) -> list[int]:
        """The worst of all with the perp reckoned with each settlement in turn."""
        apart = self.apart
        if self.perp is None:
            return [apart] * len(self.settlings)
        return [
            apart - settling.alone + self.with_perp(place, self.perp) for place, settling in enumerate(self.settlings)
        ]

    def with_perp(self, place: int, perp: PerpStake) -> int:
        found = self.hedged.get(place)
        if found is None:
            found = self.hedged[place] = self.settlings[place].profile(perp, self.perp_losses).worst
        return found

    def forget(self, place: int) -> None:
        """Something in a settlement is another than before."""
        self.hedged.pop(place, None)
        self.worst = self._apart = None


class Stakes:
    """All that may be lost, as of the last `look`."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._listing = self._moves = self._changes = -1
        self._together: dict[MarketId, _Together] = {}
        """By what limits them together: the perp of their underlying, or the outcome itself if no price decides it."""
        self._place: dict[MarketId, tuple[_Together, int]] = {}
        """Of every outcome that is not over, its settlement."""
        self._perps: tuple[MarketId, ...] = ()
        self._total: int | None = None
        self.look()

    def look(self) -> None:
        """Bring up to date what has changed."""
        state, changed = self._state, None
        if self._listing != state.listing:
            self._build()
        elif self._moves == state.portfolio.moves:
            changed = state.orders.sums.since(self._changes)
        self._listing, self._moves, self._changes = state.listing, state.portfolio.moves, state.orders.sums.changes
        for market_id in self._place if changed is None else changed:
            known = self._place.get(market_id)
            if known is not None and known[0].settlings[known[1]].tell(market_id, payoffs.losses(state, market_id)):
                known[0].forget(known[1])
                self._total = None
        for perp_id in self._perps:
            self._look_at_perp(perp_id)

    def _build(self) -> None:
        self._together, self._place, self._total = {}, {}, None
        found: dict[tuple[object, ...], list[MarketState]] = {}
        for market in self._state.markets.values():
            if market.is_outcome and market.settled is None:
                found.setdefault(_settlement(market), []).append(market)
        for markets in found.values():
            together = self._together.setdefault(name_of(markets[0]), _Together())
            for market in markets:
                self._place[market.market.id] = together, len(together.settlings)
            together.settlings.append(Settling(tuple(markets)))
        self._perps = tuple(market_id for market_id, market in self._state.markets.items() if not market.is_outcome)

    def _look_at_perp(self, perp_id: MarketId) -> None:
        state, known = self._state, self._together.get(perp_id)
        position, pending = state.portfolio.perps.position(perp_id), state.orders.pending(perp_id)
        if not position.qty and pending is NOTHING:
            if known is None or known.perp is None:
                return
            made_of = None
        else:
            market = state.markets[perp_id]
            made_of = (
                position.qty, position.cost, pending, market.closing_px(1), market.closing_px(-1),
                state.config.hedge.jump_margin,
            )  # fmt: skip
            if known is not None and known.made_of == made_of:
                return
        if known is None:
            known = self._together[perp_id] = _Together([Settling(())])
        stake = None if made_of is None else payoffs.perp_stake(state, perp_id)
        known.perp = None if stake is None or stake.idle else stake
        known.made_of, known.perp_losses, known.hedged, known.worst, self._total = made_of, {}, {}, None, None

    # -- questions

    def ways(self, market: MarketState) -> list[Profile]:
        """What is lost on the underlying of an outcome, by the endings of its settlement, all else at its worst.

        One profile for every settlement that the perp may be reckoned with: it is enough that one of them is borne.
        Of several with the same losses the first stands for all.
        """
        market_id, question = market.market.id, question_of(market.market)
        together, place = self._place[market_id]
        perp, own = together.perp, together.settlings[place]
        apart = together.apart - own.alone
        plain = own.profile(question=question, rest=apart if perp is None else 0, of=market_id)
        if perp is None:
            return [plain]
        found: dict[int | None, Profile] = {}
        for other, hedged in enumerate(together.settlings):
            if other == place:
                found[None] = own.profile(perp, together.perp_losses, question=question, rest=apart, of=market_id)
                continue
            rest = apart - hedged.alone + together.with_perp(other, perp)
            if rest not in found:
                losses = tuple(rest + loss for loss in plain.losses)
                found[rest] = Profile(at=plain.at, losses=losses, paid=plain.paid)
        return list(found.values())

    def hedge_ways(self, name: MarketId, perp: PerpStake) -> list[Profile]:
        """The same by what the perp is closed at, as an order in it sees it."""
        known = self._together.get(name)
        settlings = [Settling(())] if known is None else known.settlings
        everything = sum(settling.alone for settling in settlings)
        at_px: dict[int, int] = {}
        return [settling.profile(perp, at_px, rest=everything - settling.alone) for settling in settlings]

    def worst(self, name: MarketId) -> int:
        """The worst of one underlying, or of one outcome that no price decides; 0 where nothing is at stake."""
        together = self._together.get(name)
        if together is None:
            return 0
        if together.worst is None:
            together.worst = together.apart if together.perp is None else min(together.costs(), default=0)
        return together.worst

    def total(self) -> int:
        """The worst of every underlying added up: nothing is netted between them."""
        if self._total is None:
            self._total = 0
            for name in self._together:
                self._total += max(self.worst(name), 0)
        return self._total

    def rows(self) -> Iterator[ScenarioRow]:
        """The payoff profile for people: every settlement at which something is at stake."""
        for name, together in self._together.items():
            costs = together.costs()
            hedged = costs.index(min(costs))
            for place, settling in enumerate(together.settlings):
                shown = settling.profile(together.perp if place == hedged else None, together.perp_losses)
                if any(shown.losses):
                    yield from _rows(name, settling.markets, shown)


def stakes_of(state: State) -> Stakes:
    """The state's own, brought up to date."""
    known = state.looked
    if isinstance(known, Stakes):
        known.look()
        return known
    state.looked = found = Stakes(state)
    return found


def name_of(market: MarketState) -> MarketId:
    """What limits an outcome together with others: the perp of its underlying; itself if no price decides it."""
    return market.underlying if payoffs.priced(market.market) and market.underlying is not None else market.market.id


def _settlement(market: MarketState) -> tuple[object, ...]:
    """What outcomes that settle together have in common."""
    spec = market.market
    if not payoffs.priced(spec):
        return (spec.id,)
    instant = spec.expiry_ns if spec.settles_ns is None else spec.settles_ns
    return name_of(market), spec.source, instant, spec.averaging_s, spec.averaging_from_ns, spec.deployer


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
