"""One basket of legs: the table of what may happen to it, and its own books.

Theory of operation. All legs go out in one turn, in equal numbers, immediate-or-cancel. Once every order has ended and
every fill it is owed has come, the legs are EVEN (the basket is what it was meant to be, or nothing) or not. Uneven
ones are first completed (MENDING), and when that has no way left the surplus is sold back (UNWINDING); what cannot be
sold either is ABANDONED to a person. A fill that comes after the end makes it uneven again. While the fate of one order
is unknown nothing happens to any leg. A way to safety takes the tokens over: the basket is DROPPED.

A basket is made over a group: the outcomes of one question, which are converted once they are complete; or, held until
they settle, the two legs of a link, at two venues, two strikes of one settlement, or all contracts of an event of which
exactly one pays.

A maker's pair (`hlomm.engine.resting`) begins with a leg that has filled, or a part of it that did: the other leg is
taken at once, what its order fills later joins, and only when that order is gone can the pair be over.

Its books count what its own orders filled, never what the account holds: tokens of others, and what conversions made
of these, are none of its business. Sets that were complete when the trouble began are put aside with their cost: their
gain is no budget for losing on the rest.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs

from hlomm.domain.basket_rows import ArbitrageKind
from hlomm.domain.faults import IllegalTransition
from hlomm.domain.ids import MarketId, StrategyId, VenueId, venue_of
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Purpose, Side, direction
from hlomm.domain.units import SCALE, notional_floor
from hlomm.domain.view import Basket
from hlomm.engine.link_book import Link
from hlomm.engine.order import Order
from hlomm.engine.resting_state import Resting
from hlomm.engine.rung_book import Rungs

Group = str
"""What a basket is made over: `<venue>#<question or event>`, `<market> <-> <market>` for a link, `<lower> << <higher>`
for two strikes."""
Pairing = Link | Rungs
"""Two contracts that may be traded together."""


def question_group(venue: VenueId, question: int) -> Group:
    return f"{venue}#{question}"


def event_group(venue: VenueId, event: str) -> Group:
    return f"{venue}#{event}"


def link_group(left: MarketId, right: MarketId) -> Group:
    return f"{left} <-> {right}"


def pair_group(pairing: Pairing) -> Group:
    left, right = pairing.pair
    return f"{left} << {right}" if isinstance(pairing, Rungs) else link_group(left, right)


class Phase(StrEnum):
    WORKING = "working"
    MENDING = "mending"
    UNWINDING = "unwinding"
    DONE = "done"
    ABANDONED = "abandoned"
    DROPPED = "dropped"


class BasketEvent(StrEnum):
    EVEN = "even"
    """Every order has ended, all legs hold the same number."""
    UNEVEN = "uneven"
    """Every order has ended, they do not."""
    SPENT = "spent"
    """This way leads no farther: no attempt is left, or it would lose more than it may."""
    TAKEN_OVER = "taken_over"
    """Somebody else brings the tokens to safety, or one of the markets has ended."""


OVER: Final = frozenset({Phase.DONE, Phase.ABANDONED, Phase.DROPPED})

_P = Phase
_E = BasketEvent

TRANSITIONS: Final[dict[tuple[Phase, BasketEvent], Phase]] = {
    (_P.WORKING, _E.EVEN): _P.DONE,
    (_P.WORKING, _E.UNEVEN): _P.MENDING,
    (_P.WORKING, _E.TAKEN_OVER): _P.DROPPED,
    (_P.MENDING, _E.EVEN): _P.DONE,
    (_P.MENDING, _E.UNEVEN): _P.MENDING,
    (_P.MENDING, _E.SPENT): _P.UNWINDING,
    (_P.MENDING, _E.TAKEN_OVER): _P.DROPPED,
    (_P.UNWINDING, _E.EVEN): _P.DONE,
    (_P.UNWINDING, _E.UNEVEN): _P.UNWINDING,
    (_P.UNWINDING, _E.SPENT): _P.ABANDONED,
    (_P.UNWINDING, _E.TAKEN_OVER): _P.DROPPED,
    (_P.DONE, _E.EVEN): _P.DONE,
    (_P.DONE, _E.UNEVEN): _P.UNWINDING,  # a fill that came late: nothing is bought after it
    (_P.DONE, _E.TAKEN_OVER): _P.DONE,
    (_P.ABANDONED, _E.EVEN): _P.ABANDONED,
    (_P.ABANDONED, _E.UNEVEN): _P.ABANDONED,
    (_P.ABANDONED, _E.TAKEN_OVER): _P.ABANDONED,
    (_P.DROPPED, _E.EVEN): _P.DROPPED,
    (_P.DROPPED, _E.UNEVEN): _P.DROPPED,
    (_P.DROPPED, _E.TAKEN_OVER): _P.DROPPED,
}


def resting_group(left: MarketId, right: MarketId, leg: Leg, venue: VenueId) -> Group:
    """Of the pairs of a link that begin with that leg, resting at that venue."""
    return f"{link_group(left, right)} resting {leg.name} at {venue}"


def advance(phase: Phase, event: BasketEvent) -> Phase:
    """Next phase; IllegalTransition for a pair outside the table."""
    try:
        return TRANSITIONS[(phase, event)]
    except KeyError:
        raise IllegalTransition(f"basket {phase.value} cannot meet {event.value}") from None


@attrs.define(eq=False)
class BasketLegState:
    """One leg and every order sent for it. In the complement a purchase counts as a sale, a sale as a purchase."""

    market: MarketId
    leg: Leg
    orders: list[Order] = attrs.field(factory=list)
    """Bounded by the attempts."""
    aside_cost: int = 0
    """Of the sets that were put aside."""
    sold: int = 0
    """By a way to safety, after the basket was done; negative for what came to its pairs from elsewhere."""
    sold_cost: int = 0
    """What those had cost."""

    @property
    def ended(self) -> bool:
        """Nothing of its orders can still arrive, as far as anybody knows."""
        return not any(order.live or order.due for order in self.orders)

    @property
    def taken(self) -> bool:
        """The same of those that were sent to be taken at once."""
        return not any((order.live or order.due) and order.purpose is not Purpose.REST for order in self.orders)

    @property
    def coming(self) -> int:
        """What its purchases may still fill."""
        return sum(order.exposed for order in self.orders if order.direction == self.direction)

    @property
    def bought(self) -> int:
        return sum(order.filled - order.voided for order in self.orders if order.direction == self.direction)

    @property
    def held(self) -> int:
        return 2 * self.bought - sum(order.filled - order.voided for order in self.orders) - self.sold

    @property
    def direction(self) -> int:
        """Of what it wants."""
        return direction(self.leg, Side.BUY)

    def basis(self, qty: int, aside: int) -> int:
        """What that many contracts were bought for, at the average of those not put aside, rounded up."""
        ours = [order for order in self.orders if order.direction == self.direction]
        cost = sum(order.paid - self._made(order, SCALE) for order in ours) - self.aside_cost
        return -(-(cost - self.sold_cost) * qty // max(self.bought - self.sold - aside, 1))

    def spent(self, unit: int) -> int:
        """Cash it took, pairs at what they bring: buying a complement makes them, selling it uses them up."""
        return sum(order.paid - self._made(order, unit) for order in self.orders) - self.sold_cost

    def left(self, qty: int, unit: int) -> None:
        """So many are held after a way to safety, at their share of the cost."""
        if self.held:
            self.sold_cost += self.spent(unit) * (self.held - qty) // self.held
        self.sold += self.held - qty

    def _made(self, order: Order, unit: int) -> int:
        """What the pairs that an order in the other token made bring when merged; negative for those it used up."""
        return 0 if order.leg is self.leg else order.side * notional_floor(unit, order.filled - order.voided)


@attrs.define(eq=False, kw_only=True)
class BasketState:
    group: Group
    strategy: StrategyId
    plan: Basket
    unit: int
    """What 1 paid out by a merge leaves, when it was sent; 1 where nothing is merged."""
    legs: tuple[BasketLegState, ...]
    began_ns: int = 0
    pair: bool = False
    """Held until its contracts settle, never converted."""
    kind: ArbitrageKind = ArbitrageKind.CROSS
    """Of what is held."""
    maker: bool = False
    """Its first leg rested, and may rest still."""
    level: bool = False
    """A maker's: all that has filled so far is hedged."""
    hedged: int = 0
    """A maker's: complete sets when it was last looked at."""
    phase: Phase = Phase.WORKING
    mended: bool = False
    """Completing it was tried."""
    unwound: bool = False
    """Selling it back was tried."""
    attempts: int = 0
    """Of the phase."""
    again_ns: int = 0
    aside: int = 0
    """Sets that were complete when the trouble began."""
    legged: int = 0
    """Loss on legs that were not matched, as it was counted when it was over."""
    note: str = ""

    @property
    def over(self) -> bool:
        return self.phase in OVER

    @property
    def venues(self) -> set[VenueId]:
        return {venue_of(of.market) for of in self.legs}

    @property
    def ended(self) -> bool:
        return all(leg.ended for leg in self.legs)

    @property
    def quiet(self) -> bool:
        """Nothing is on its way that must be waited for: what rests waits for others, and is hedged meanwhile."""
        hedging = self.maker and self.phase in (Phase.WORKING, Phase.MENDING)
        return self.ended or (hedging and all(leg.taken for leg in self.legs))

    @property
    def sets(self) -> int:
        """Complete ones."""
        return min(leg.held for leg in self.legs)

    @property
    def most(self) -> int:
        """Of the leg that has most."""
        return max(leg.held for leg in self.legs)

    @property
    def even(self) -> bool:
        return self.sets == self.most

    @property
    def spent(self) -> int:
        return sum(leg.spent(self.unit) for leg in self.legs)

    def put_aside(self) -> None:
        """Take the complete sets out of what follows, at their share of the cost, rounded down."""
        self.aside = max(self.sets, 0)
        for leg in self.legs:
            leg.aside_cost = leg.spent(self.unit) * self.aside // leg.held if self.aside else 0

    def left(self, sets: int) -> None:
        """So many are held after a way to safety."""
        for leg in self.legs:
            leg.left(sets, self.unit)

    def loss(self, sets: int) -> int:
        """What is lost beside the sets put aside, if that many end complete and everything else is worth nothing."""
        return self.spent - sum(leg.aside_cost for leg in self.legs) - self.plan.worth * (sets - self.aside) // SCALE


@attrs.define(eq=False)
class GroupState:
    """One group and the basket it has or had last."""

    basket: BasketState | None = None
    link: Pairing | None = None
    """None for the contracts of one event."""
    rest: Resting | None = None
    """Only of a group whose pairs begin with a leg that rests."""
    again_ns: int = 0
    """No new basket before that."""
    waits: bool = False
    """For that time, since something changed."""
    troubles: int = 0
    """Baskets that had to be sold back, or could not be."""
    closed: bool = False
    """A basket was left beyond what it may lose: no other one in this run."""
    why_not: str = ""
    """What its strategy last said against a basket; empty after one was sent. Of questions the markets' notes tell."""


@attrs.define(eq=False)
class Baskets:
    by_group: dict[Group, GroupState] = attrs.field(factory=dict)
    due: dict[Group, Pairing | None] = attrs.field(factory=dict)
    """Groups of which a market has to be looked at, with its pair if it is one."""
    rests: bool = False
    """Some pairs begin with a leg that rests."""
    stuck: str | None = None
    """Why a pair is, or may be, on one leg: everything is to be flattened, and this stands until it was."""
    rested: dict[tuple[MarketId, Leg], int] = attrs.field(factory=dict)
    """Tokens in no pair that there were where orders rested when the last run ended, or this one halted, until it is
    known that none of them filled."""
    counts: dict[str, int] = attrs.field(factory=dict)
    """Started, and how they ended."""

    def tokens(self, market: MarketId, leg: Leg) -> int:
        """Tokens that belong to pairs which are being made, or completed; of those sold back what is complete."""
        total = 0
        for known in self.by_group.values():
            basket = known.basket
            if basket is not None and basket.pair and not basket.over:
                most = basket.sets if basket.phase is Phase.UNWINDING else basket.most
                total += sum(max(min(of.held, most), 0) for of in basket.legs if (of.market, of.leg) == (market, leg))
        return total

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1
