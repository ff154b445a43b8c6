"""A million steps of random lives against a purse that knows only the venue's rules: nothing is created or lost.

The books are driven in two ways: the portfolio and the attribution alone, as the engine's intake drives them, for the
bulk; and a whole engine that is told everything through `feed`, repetitions included. After every step cash, the perp
wallet, every token that moved and the sum of the attribution are the purse's to the unit; now and then, and at the
end, everything is compared. The mutants at the end show what the comparison finds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest

from hlomm.domain.faults import InvariantBroken
from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import BookSnapshot, FillReceived, FundingPaid, MarketListed, MarketSettled, MarkPrice
from hlomm.domain.markets import Leg
from hlomm.domain.sets import CONVERSIONS
from hlomm.domain.units import Cash, Px, notional_ceil, notional_floor
from hlomm.engine import intake_account, perps, portfolio
from hlomm.engine.attribution import Attribution
from hlomm.engine.perps import Perps
from hlomm.engine.portfolio import Portfolio
from hlomm.engine.position import Position
from hlomm.engine.report import pnl
from hlomm.venues.hyperliquid import conversions
from tests.support.life import PERPS, START_CASH, START_WALLET, Life
from tests.support.puppet import Puppet
from tests.support.purse import UNIT
from tests.support.rig import Rig
from tests.support.values import account, config, lots, outcome, perp, usd

SEEDS, STEPS = 20, 50_000
THROUGH_INTAKE, INTAKE_STEPS = 4, 15_000
EVERY: Final = 500
"""Steps between two complete comparisons."""


class Books:
    """Portfolio and attribution, driven as `intake_account` drives them."""

    def __init__(self) -> None:
        self.portfolio = Portfolio()
        self.parts = Attribution()
        self.portfolio.open_with(account(START_CASH // UNIT, perp_cash=START_WALLET // UNIT))
        self._last: set[str] = set()

    def fills(self, items: Sequence[FillReceived]) -> None:
        for item in items:
            fresh = [fill for fill in item.fills if fill.key not in self._last]
            self._last = {fill.key for fill in fresh} | (self._last if len(self._last) < 16 else set())
            for fill in fresh:
                px = self.portfolio.settled.get(fill.market)
                if px is not None:
                    self.parts.settled(fill.market, px)
                self.parts.filled(fill)
            if fresh and fresh[0].kind in CONVERSIONS:
                self.portfolio.convert(fresh)
            else:
                for fill in fresh:
                    self.portfolio.apply(fill)

    def settled(self, market: MarketId, fraction: int, rows: Sequence[Fill]) -> None:
        self.portfolio.settle(market, Px(fraction))
        self.parts.settled(market, fraction)
        for row in rows:
            self.portfolio.charge(row.market, row.fee)

    def funded(self, market: MarketId, paid: int, key: str) -> None:
        self.portfolio.fund(market, paid)
        self.parts.funded(paid)

    def moved(self, market: MarketId, reference2: int, venue_ms: int) -> None:
        self.parts.moved(market, reference2, venue_ms)

    def listed(self, market: MarketId) -> None:
        """Nothing is known of a market before it moves."""


class Told:
    """A whole engine. What it is told it is told again, at once or later, and that must change nothing."""

    def __init__(self) -> None:
        calm = config(limits={"max_drawdown": usd(10**9), "max_position": lots(10**9)})
        self.rig = Rig(calm, boot=False, strategies=[Puppet(klass="none")])
        self.rig.boot()
        self.rig.tell(account(START_CASH // UNIT, perp_cash=START_WALLET // UNIT))
        self.rig.tell(*(MarketListed(perp(market.partition(":")[2])) for market in PERPS))
        self.portfolio, self.parts = self.rig.state.portfolio, self.rig.state.attribution
        self._before: FillReceived | FundingPaid | None = None

    def _feed(self, *items: Any) -> None:
        for item in items:
            self.rig.engine.feed(item, self.rig.now)
        self.rig.jump(0.001)
        self.rig.engine.turn(self.rig.now)

    def fills(self, items: Sequence[FillReceived]) -> None:
        self._feed(*items)
        if items[0].fill.venue_ms % 4 == 0:
            self._feed(*items, *(() if self._before is None else (self._before,)))
        self._before = items[-1]

    def settled(self, market: MarketId, fraction: int, rows: Sequence[Fill]) -> None:
        """By the venue's word, by the fills of the settlement, or by both in either order."""
        word = MarketSettled(market, Px(fraction), "life")
        told = [FillReceived(row) for row in rows]
        order = rows[0].venue_ms % 3
        self._feed(*((word, *told), (*told, word), (*told, *told))[order])

    def funded(self, market: MarketId, paid: int, key: str) -> None:
        item = FundingPaid(market=market, amount=Cash(paid), key=key, venue_ms=self.rig.ms)
        self._feed(item, item)

    def moved(self, market: MarketId, reference2: int, venue_ms: int) -> None:
        if market in PERPS:
            self._feed(MarkPrice(market, Px(reference2 // 2), venue_ms))
            return
        half = reference2 // 2
        self._feed(BookSnapshot(market, ((half - 1_000, UNIT),), ((reference2 - half + 1_000, UNIT),), venue_ms))

    def listed(self, market: MarketId) -> None:
        number = int(market.rpartition("o")[2])
        self._feed(MarketListed(outcome(number, klass="life", tau_s=1e7)))


def compare(life: Life, books: Books | Told, *, priced: bool = True) -> None:
    """What the step moved, to the unit."""
    purse, found = life.purse, books.portfolio
    assert (found.cash, found.perps.raw) == (purse.cash, purse.wallet)
    for market in life.touched:
        if market in PERPS:
            assert found.perps.position(market).qty == purse.perps.get(market, 0)
        else:
            held = found.position(market)
            assert (held.yes, held.no) == (purse.held(market, Leg.YES), purse.held(market, Leg.NO))
    if priced:
        gained = purse.cash - START_CASH + purse.wallet - START_WALLET + purse.fees
        assert books.parts.total2() == 2 * UNIT * gained + purse.worth2


def compare_all(life: Life, books: Books | Told, *, priced: bool = True) -> None:
    """Everything there is, and what must hold of it by itself."""
    purse, found = life.purse, books.portfolio
    found.check()
    assert (found.deposits, found.adjustments) == (START_CASH + START_WALLET, 0)
    assert found.fees == purse.fees
    tokens = {coin: qty for coin, qty in purse.tokens.items() if qty}
    assert tokens == {
        (market, leg): held.held(leg) for market, held in found.positions.items() for leg in Leg if held.held(leg)
    }
    cost = 0
    for held in found.positions.values():
        for number, spent in ((held.yes, held.cost_yes), (held.no, held.cost_no)):
            assert spent >= 0
            assert number > 0 or spent == 0, "what is not there has cost nothing"
            cost += spent
    stakes = found.perps.positions
    assert {market: stake.qty for market, stake in stakes.items() if stake.qty} == {
        market: qty for market, qty in purse.perps.items() if qty
    }
    assert all(stake.qty * stake.cost >= 0 and (stake.qty or not stake.cost) for stake in stakes.values())
    assert (found.cost, found.perps.cost) == (cost, sum(stake.cost for stake in stakes.values()))
    gained = purse.cash + purse.wallet - START_CASH - START_WALLET
    assert found.realised - found.fees == gained + found.cost + found.perps.cost, "earned is what is there and was not"
    if priced:
        total = 2 * UNIT * (gained + purse.fees) + purse.worth2
        assert sum(books.parts.parts()) == total // (2 * UNIT)
    if isinstance(books, Told):
        shown = pnl(books.rig.state)
        assert shown.spread + shown.inventory + shown.settlement - shown.fees == shown.total
        assert shown.total == shown.realised + shown.unrealised - shown.fees
        assert shown.total == total // (2 * UNIT) - purse.fees


def live(seed: int, books: Books | Told, steps: int, *, dust: bool = False) -> Life:
    life = Life(seed, books, dust=dust)
    for count in range(1, steps + 1):
        life.step()
        compare(life, books, priced=not dust)
        if count % EVERY == 0:
            compare_all(life, books, priced=not dust)
    compare_all(life, books, priced=not dust)
    return life


# -- a million steps


WANTED: Final = {
    "trade": 0.3, "perp": 0.1, "through zero": 0.002, "fund": 0.03, "split": 0.07, "merge": 0.05, "negate": 0.06,
    "merge_question": 0.04, "settle": 0.01, "settle_question": 0.006, "eliminate": 0.006, "late": 0.02, "move": 0.04,
    "in two deliveries": 0.05, "rebates": 0.04,
}  # fmt: skip
"""Least share of the steps in which each thing happens."""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_cash_and_tokens_are_the_purses_after_every_step(seed: int) -> None:
    """Every fourth life has quantities that the venue does not know: rounding is held to its direction there."""
    life = live(seed, Books(), STEPS, dust=seed % 4 == 3)
    assert {name: life.done[name] for name, share in WANTED.items() if life.done[name] < share * STEPS} == {}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(THROUGH_INTAKE))
def test_the_engine_that_is_told_twice_and_in_pieces_has_the_same(seed: int) -> None:
    live(1_000 + seed, Told(), INTAKE_STEPS)


def test_the_lives_together_are_a_million_steps() -> None:
    assert SEEDS * STEPS >= 1_000_000
    assert THROUGH_INTAKE * INTAKE_STEPS >= 50_000


# -- what the comparison finds


Patch = Callable[[pytest.MonkeyPatch], None]


def _instead(owner: Any, name: str, mutant: Callable[..., Any]) -> Patch:
    return lambda patch: patch.setattr(owner, name, mutant)


def _around(owner: Any, name: str, mutant: Callable[..., Any]) -> Patch:
    """`mutant` is given the real function first."""
    real = getattr(owner, name)
    return lambda patch: patch.setattr(owner, name, lambda *args: mutant(real, *args))


def _late_tokens_stay(real: Callable[..., None], books: Portfolio, fill: Fill) -> None:
    known, books.settled = books.settled, {}
    real(books, fill)
    books.settled = known


def _cost_stays(real: Callable[..., int], books: Portfolio, held: Position, leg: Leg, qty: int) -> int:
    released = real(books, held, leg, qty)
    held.cost_yes += released
    books.cost += released
    return 0


def _stops_at_zero(real: Callable[..., int], held: Perps, fill: Fill) -> int:
    before = held.position(fill.market).qty
    gained = real(held, fill)
    if before * held.position(fill.market).qty < 0:
        held.position(fill.market).qty = 0
    return gained


MUTANTS: Final[dict[str, Patch]] = {
    "a part of a conversion is lost": _around(Portfolio, "convert", lambda real, books, fills: real(books, fills[1:])),
    "fees count twice": _around(Portfolio, "charge", lambda real, books, market, fee: real(books, market, 2 * fee)),
    "rebates are not credited": _around(
        Portfolio, "charge", lambda real, books, market, fee: real(books, market, max(fee, 0))
    ),
    "perps cost no fee": _instead(Perps, "charge", lambda *_: None),
    "NO pays what YES pays": _instead(portfolio, "complement", lambda px: px),
    "tokens that come late are kept": _around(Portfolio, "apply", _late_tokens_stay),
    "cost stays when tokens go": _around(Portfolio, "_release", _cost_stays),
    "a perp stops at zero": _around(Perps, "apply", _stops_at_zero),
    "funding flows the other way": _around(Portfolio, "fund", lambda real, books, perp, paid: real(books, perp, -paid)),
    "conversions at the venue's prices": _instead(conversions, "priced", lambda fill, *_: fill),
    "a settlement earns nothing": _instead(Attribution, "settled", lambda *_: None),
    "conversions are not attributed": _around(
        Attribution, "filled", lambda real, parts, fill: fill.kind in CONVERSIONS or real(parts, fill)
    ),
}
TOLD_MUTANTS: Final[dict[str, Patch]] = {
    "what was told before counts again": _around(intake_account, "_news", lambda real, *args: (real(*args), True)[1]),
    "fills of a settlement are ignored": _around(
        intake_account, "_booked",
        lambda real, state, fill, told: fill.kind is FillKind.SETTLEMENT or real(state, fill, told),
    ),
    "funding is not attributed": _instead(Attribution, "funded", lambda *_: None),
}  # fmt: skip
ROUNDINGS: Final[dict[str, Patch]] = {
    "purchases are rounded down": _instead(portfolio, "notional_ceil", notional_floor),
    "sales are rounded up": _instead(portfolio, "notional_floor", notional_ceil),
    "perps are bought rounded down": _instead(perps, "notional_ceil", notional_floor),
    "perps are sold rounded up": _instead(perps, "notional_floor", notional_ceil),
}


@pytest.mark.parametrize("name", [*MUTANTS, *TOLD_MUTANTS, *ROUNDINGS])
def test_a_mutant_does_not_live_long(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (MUTANTS | TOLD_MUTANTS | ROUNDINGS)[name](monkeypatch)
    books = Told() if name in TOLD_MUTANTS else Books()
    with pytest.raises((AssertionError, InvariantBroken)):
        live(7, books, 2_000, dust=name in ROUNDINGS)


def test_unchanged_they_live() -> None:
    live(7, Books(), 2_000)
    live(7, Told(), 2_000)
    live(7, Books(), 2_000, dust=True)
