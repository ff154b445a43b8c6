"""Scenario limits under fire: what could be lost at the venue, tried out after every step, stays within the limits.

Strikes, buckets and their fallback, two expiries, a template, another underlying and a hedge, quoted at random; a
truthful venue whose reports and fills come late, in any order, or not at all; requests that are lost, turned back or
refused. The gate judges by the engine's books. This test judges by the venue's: what has filled there, what rests
there and what is on its way to it, in the worst combination, over every ending (`tests.support.worst`).

A price of the perp may make the worst case worse; what the engine sends never does beyond a limit.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import attrs
import pytest
from msgspec.structs import replace

from hlomm.domain.ids import HYPERLIQUID, MarketId, kalshi_market, polymarket_market, venue_of
from hlomm.domain.inputs import BookSnapshot, FillReceived, MarketListed, MarkPrice, SessionUp
from hlomm.domain.markets import Comparator, Leg, Market, Source
from hlomm.domain.orders import AmendRequest, OrderRequest, Side, Tif
from hlomm.domain.outputs import Output
from hlomm.domain.times import NS_PER_S
from hlomm.domain.view import Sensitivity
from hlomm.engine import payoff_limits, payoffs, pending, settling, stakes
from hlomm.engine.config import MoveRule, OneSided
from tests.support.puppet import desire
from tests.support.rig import Rig
from tests.support.values import (
    KS,
    PERP,
    PM,
    VENUES,
    account,
    config,
    foreign,
    levels,
    lots,
    outcome,
    perp,
    px,
    seconds,
    usd,
)
from tests.support.venue import EXPIRES_S, TruthVenue
from tests.support.worst import Around, Chance, Holding, World

SEEDS, STEPS = 12, 500
EVENT, UNDERLYING, TOTAL = 70, 150, 190
NEVER: Final = MoveRule(move=px(100), window_ns=seconds(60), cooldown_ns=seconds(1))
LIMITS: Final = config(
    limits={
        "max_loss_event": usd(EVENT), "max_loss_underlying": usd(UNDERLYING), "max_loss_total": usd(TOTAL),
        "max_hedge_notional": usd(2_000), "max_position": lots(2_000), "max_gross_notional": usd(10_000),
        "max_drawdown": usd(100_000), "max_fair_deviation": px("0.99"), "one_sided": OneSided.ALLOW,
        "max_open_orders": 1_000,
    },
    quotes={"min_interval_ns": 0, "min_size_change": 0.1},
    orders={"reject_limit": 1_000_000},
    breakers={"widen": NEVER, "pause": NEVER},
    hedge={"enabled": True, "interval_ns": seconds(0.3)},
)  # fmt: skip
LATER: Final = 7_200.0


def contracts() -> list[Market]:
    bounds = [(None, px(79_000)), (px(79_000), px(81_000)), (px(81_000), None)]
    legs = [outcome(20 + n, strike=None, floor=low, ceiling=high, question=7) for n, (low, high) in enumerate(bounds)]
    return [
        outcome(15), outcome(16, strike=px(81_000)), *legs,
        outcome(23, strike=None, fallback=True, question=7),
        outcome(30, strike=px(80_500), tau_s=LATER),
        outcome(31, strike=px(79_500), averaging_s=60, comparator=Comparator.ABOVE, deployer="out"),
        outcome(40, underlying="ETH", strike=px(3_000)),
    ]  # fmt: skip


def pairs() -> list[Market]:
    """The same questions at three venues: no two of them print the same price, so a pair can lose both ways."""
    later = {"tau_s": LATER}
    return [
        outcome(15), outcome(16, strike=px(81_000)), outcome(23, strike=None, fallback=True, question=7),
        outcome(22, strike=None, floor=px(79_000), ceiling=px(81_000), question=7),
        foreign(PM), foreign(polymarket_market("0x16"), strike=px(81_000)),
        foreign(polymarket_market("0x17"), strike=px(80_500), **later),
        # On the very source of Hyperliquid's, with a question of the same number: it nets, the question is another.
        foreign(polymarket_market("0x18"), source=Source.HL_MARK, strike=None, floor=px(80_000), question=7),
        foreign(KS, comparator=Comparator.ABOVE), foreign(kalshi_market("KXBTCD-16"), strike=px(79_500), averaging_s=1),
    ]  # fmt: skip


class HedgedVenue(TruthVenue):
    """What is to be done at once is done, in part or whole, at its limit."""

    def _place(self, request: OrderRequest, whim: int) -> None:
        if request.tif is not Tif.IOC or whim % 5 == 4:
            super()._place(request, whim)
            return
        rest = self._open(request, request.qty)
        self.match(rest, rest.size if whim % 2 else max(rest.size // 3, 1))
        if rest.open:
            self._end(rest, "canceled")


class LimitStorm:
    def __init__(self, seed: int, markets: Sequence[Market] | None = None) -> None:
        self.rng = random.Random(f"limits/{seed}")
        self.markets = contracts() if markets is None else list(markets)
        self.world = World(self.markets)
        self.rig, self.venue = Rig(LIMITS, boot=False, venues=VENUES), HedgedVenue()
        self.held: dict[MarketId, Holding] = {market.id: Holding() for market in self.markets}
        self.perp = Around()
        self.known_fills = self.sent_up_to = 0
        self.allowed = {"BTC": usd(UNDERLYING), "ETH": usd(UNDERLYING), "": usd(TOTAL)}
        self.nearest: Counter[str] = Counter()
        """Largest loss seen, by limit: a storm that never comes near one proves nothing of it."""
        self.rig.boot()
        self.rig.tell(account(50_000, perp_cash=50_000), MarketListed(perp()))
        self.rig.tell(*(account(50_000, venue=venue) for venue in VENUES[1:]))
        self.rig.tell(*(MarketListed(market) for market in self.markets), *map(SessionUp, VENUES))
        self.move(80_000)
        for market in self.markets:
            self.book(market.id)

    def run(self, steps: int) -> LimitStorm:
        for _ in range(steps):
            self.rng.choices(_KINDS, cum_weights=_WEIGHTS)[0](self)
            self.flush()
            self.check()
        return self

    def flush(self) -> None:
        fresh: list[Output] = self.rig.outputs[self.sent_up_to :]
        self.sent_up_to = len(self.rig.outputs)
        self.venue.send(fresh, self.rig.now.mono_ns)
        for fill in self.venue.fills[self.known_fills :]:
            signed = fill.qty if fill.side is Side.BUY else -fill.qty
            if fill.market == PERP:
                self.perp = attrs.evolve(self.perp, qty=self.perp.qty + signed)
                continue
            held = self.held[fill.market]
            held.spent += signed * fill.px // 10**8
            if fill.leg is Leg.YES:
                held.yes += signed
            else:
                held.no += signed
        self.known_fills = len(self.venue.fills)

    # -- what happens

    def market(self) -> MarketId:
        return self.rng.choice(self.markets).id

    def book(self, market: MarketId) -> None:
        mid = self.rng.randrange(15, 86)
        self.rig.book(levels(((mid - 2) / 100, 5_000)), levels(((mid + 2) / 100, 5_000)), market=market)

    def look(self) -> None:
        self.rig.jump(0.05)
        self.book(self.market())

    def wish(self) -> None:
        market = self.market()
        mid = (self.rig.market(market).book.best_bid or 0) // 10**6 + 2
        bid = (mid - self.rng.randrange(1, 12)) / 100, self.rng.randrange(10, 400)
        ask = (mid + self.rng.randrange(1, 12)) / 100, self.rng.randrange(10, 400)
        sides = self.rng.choice(((bid, ask), (bid, None), (None, ask), (None, None)))
        wanted = desire(*sides, fair=mid / 100)
        feeling = Sensitivity(self.rng.randrange(0, 60_000), 0) if market.rpartition("o")[2] < "40" else None
        self.rig.puppet.desired[market] = replace(wanted, sensitivity=feeling)
        self.rig.state.touch(market)
        self.rig.turn()

    def move_perp(self) -> None:
        self.move(self.rng.randrange(77_000, 83_000))

    def move(self, mid: int) -> None:
        mark = mid + self.rng.randrange(-30, 31)
        self.perp = attrs.evolve(self.perp, low=px(min(mark, mid - 2)), high=px(max(mark, mid + 2)))
        for name, worst in self.worst():
            self.allowed[name] = max(worst, usd(UNDERLYING if name else TOTAL))
        self.rig.jump(0.05)
        # Both at once, as far as the check is concerned: between the two the perp is valued at neither.
        self.rig.engine.feed(MarkPrice(PERP, px(mark), self.rig.ms), self.rig.now)
        self.rig.tell(BookSnapshot(PERP, levels((mid - 2, 9)), levels((mid + 2, 9)), self.rig.ms))

    def wait(self) -> None:
        for _ in range(self.rng.choice((1, 1, 2, 20))):
            self.rig.wait(self.rng.choice((0.2, 1.0)))
            self.flush()
            self.move(int(self.perp.low // 10**8) + 2)
            for market in self.markets:
                shown = self.rig.market(market.id).book
                self.rig.book(shown.bids, shown.asks, market=market.id)
        self.venue.grow_old(self.rig.now.mono_ns)

    def request(self) -> None:
        for _ in range(self.rng.randrange(1, 4)):
            if self.venue.in_flight:
                flight = self.rng.choice(self.venue.in_flight)
                fate = self.rng.randrange(12)
                if fate > 1:
                    self.venue.arrive(flight, self.rig.now.mono_ns, whim=self.rng.randrange(40))
                else:
                    (self.venue.lose, self.venue.turn_back)[fate](flight)

    def match(self) -> None:
        rests = [rest for rest in self.venue.by_oid.values() if rest.open and self._has(rest)]
        if rests:
            rest = self.rng.choice(rests)
            part = rest.leaves * self.rng.randrange(1, 5) // 4 // 10**8 * 10**8
            self.venue.match(rest, max(part, min(rest.leaves, 10**8)))

    def _has(self, rest: Any) -> bool:
        """Sales without tokens cannot be matched: the venue would have refused them."""
        held = self.held[rest.market]
        return rest.side is Side.BUY or (held.yes if rest.leg is Leg.YES else held.no) >= rest.leaves

    def hear(self) -> None:
        """Order reports in the order they were written; fills whenever they like."""
        fills, reports = [], []
        for letter in self.venue.undelivered():
            (fills if isinstance(letter.item, FillReceived) else reports).append(letter)
        self.rng.shuffle(fills)
        for letter in (reports if self.rng.random() < 0.7 else fills)[: self.rng.randrange(1, 7)]:
            letter.told += 1
            self.rig.tell(letter.item)
            self.flush()

    # -- what must hold, at the venue

    def chances(self) -> list[Chance]:
        found = [
            Chance(rest.market, rest.leg, rest.side, rest.px, rest.leaves)
            for rest in self.venue.by_oid.values()
            if rest.open and rest.leaves
        ]
        for flight in self.venue.in_flight:
            request = flight.request
            if not isinstance(request, OrderRequest | AmendRequest):
                continue
            if self.rig.now.mono_ns - flight.sent_ns > EXPIRES_S * NS_PER_S:
                continue
            if isinstance(request, OrderRequest) or self.venue.resting(request.client_id):
                found.append(Chance(request.market, request.leg, request.side, request.px, request.qty))
        return found

    def worst(self) -> Iterator[tuple[str, int]]:
        """By underlying, and in all."""
        chances, total = self.chances(), 0
        for name in self.world.settlements:
            around = self.perp if name == "BTC" else Around(low=px(3_000), high=px(3_000))
            lost = self.world.underlying(name, self.held, chances, around, MarketId(f"{HYPERLIQUID}:{name}"))
            total += max(lost, 0)
            yield name, lost
        yield "", total

    def check(self) -> None:
        chances = self.chances()
        for market in self.markets:
            lost = self.world.event(market.id, self.held, chances)
            assert lost <= usd(EVENT), f"{lost / 10**8} could be lost by {market.id}"
            self.nearest["event"] = max(self.nearest["event"], lost)
        for name, lost in self.worst():
            most = self.allowed[name] + 10 * (1 + self.known_fills)  # a perp's product is rounded
            assert lost <= most, f"{lost / 10**8} could be lost by {name or 'all'} of {most / 10**8}"
            self.allowed[name] = max(min(self.allowed[name], lost), usd(UNDERLYING if name else TOTAL))
            self.nearest[name or "total"] = max(self.nearest[name or "total"], lost)


_MIX: Final[tuple[tuple[Callable[[LimitStorm], None], int], ...]] = (
    (LimitStorm.look, 6), (LimitStorm.wish, 30), (LimitStorm.move_perp, 4), (LimitStorm.wait, 3),
    (LimitStorm.request, 24), (LimitStorm.match, 16), (LimitStorm.hear, 24),
)  # fmt: skip
_KINDS: Final = tuple(kind for kind, _ in _MIX)
_WEIGHTS: Final = tuple(sum(weight for _, weight in _MIX[: place + 1]) for place in range(len(_MIX)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_that_is_sent_can_lose_more_than_the_limits(seed: int) -> None:
    LimitStorm(seed).run(STEPS)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS // 2))
def test_nor_can_pairs_at_several_venues_both_legs_of_which_lose(seed: int) -> None:
    LimitStorm(seed, pairs()).run(STEPS)


def test_the_storms_of_pairs_come_close_to_the_limits_too() -> None:
    nearest: Counter[str] = Counter()
    traded: set[str] = set()
    for seed in range(2):
        storm = LimitStorm(seed, pairs()).run(STEPS // 2)
        nearest |= storm.nearest
        traded |= {venue_of(market) for market, held in storm.held.items() if held.yes or held.no}
    assert traded == set(VENUES)
    for name, limit in (("event", EVENT), ("BTC", UNDERLYING), ("total", TOTAL)):
        assert nearest[name] > usd(limit) * (98 if name != "total" else 75) // 100, name


def test_the_storms_come_close_to_every_limit() -> None:
    nearest: Counter[str] = Counter()
    amends = hedges = 0
    for seed in range(4):
        storm = LimitStorm(seed).run(STEPS // 2)
        nearest |= storm.nearest
        amends += storm.rig.state.counters.amends
        hedges += storm.rig.state.portfolio.perps.position(PERP).fills
    for name, limit in (("event", EVENT), ("BTC", UNDERLYING), ("total", TOTAL)):
        assert nearest[name] > usd(limit) * 98 // 100, name
    assert min(amends, hedges) > 3


# -- what it finds


def _without(limit: str) -> Callable[[pytest.MonkeyPatch], None]:
    """The gate without one of its limits."""
    outcomes, hedge = payoff_limits.rooms, payoff_limits.hedge_rooms

    def mutate(patch: pytest.MonkeyPatch) -> None:
        for name, rooms in (("rooms", outcomes), ("hedge_rooms", hedge)):
            patch.setattr(
                payoff_limits,
                name,
                lambda *args, rooms=rooms, **how: [row for row in rooms(*args, **how) if row[1] != limit],
            )

    return mutate


def _one_settlement(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stakes, "_settlement", stakes.name_of)


def _no_fallback(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(settling, "_BOTH", (False, False))


MUTANTS: Final[dict[str, Callable[[pytest.MonkeyPatch], None]]] = {
    "no limit of an event": _without("max_loss_event"),
    "no limit of an underlying": _without("max_loss_underlying"),
    "no limit in all": _without("max_loss_total"),
    "no limit for hedges": lambda patch: patch.setattr(payoff_limits, "hedge_rooms", lambda *_, **__: []),
    "one price settles all": _one_settlement,
    "the fallback never pays": _no_fallback,
    "what is on its way does not count": lambda patch: patch.setattr(pending, "_lost", lambda *_: 0),
    "a perp loses nothing": lambda patch: patch.setattr(payoffs.PerpStake, "loss", lambda *_: 0),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_gate_without_a_limit_is_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)
    with pytest.raises(AssertionError, match="could be lost"):
        storms(4)


def storms(number: int) -> None:
    for seed in range(number):
        LimitStorm(seed).run(STEPS)
