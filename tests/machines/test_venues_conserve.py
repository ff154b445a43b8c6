"""Three venues and a purse of integers: whatever is told, in whatever order, every account is right to the last unit.

An engine hears of trades, deliveries and failures, settlements and fees at three venues at once, repetitions included.
The purse knows what the words mean and nothing of cost: cash and tokens by venue. After every step they are the
engine's, each venue's account agrees with its own books and with no other's change, the sum of the attribution is the
result, and a run that goes on from a checkpoint knows the same.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any, Final

import msgspec
import pytest

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET, MarketId, VenueId, venue_of
from hlomm.domain.inputs import (
    AccountState,
    Booted,
    FillFinal,
    FillReceived,
    FillVoided,
    MarketListed,
    MarketSettled,
    SessionUp,
    TokenBalance,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.engine import accounts, intake_account
from hlomm.engine.accounts import Accounts
from hlomm.engine.carry import carried
from hlomm.engine.portfolio import Portfolio
from hlomm.engine.reconcile import difference
from hlomm.engine.report import pnl
from tests.support.rig import Rig
from tests.support.values import EPOCH_MS, KS, PM, VENUES, M, config, foreign, outcome, perp, usd

SEEDS, STEPS = 6, 1_500
START: Final = {HYPERLIQUID: 10_000, POLYMARKET: 7_000, KALSHI: 3_000}
WIDE: Final = config(
    limits={"max_drawdown": usd(10**7), "max_position": Qty(10**15)},
    breakers={"daily_loss": usd(10**7), "equity_stop": Px(10**12)},
)
MARKETS: Final = (M, PM, KS)


def contract(market: MarketId) -> Any:
    return outcome(tau_s=10**6) if market == M else foreign(market, tau_s=10**6)


class Purse:
    """Cash and tokens of one venue, by the words alone: a purchase is paid rounded up, a sale brings rounded down."""

    def __init__(self, cash: int) -> None:
        self.cash = cash * SCALE
        self.tokens: Counter[tuple[MarketId, Leg]] = Counter()
        self.settled: dict[MarketId, int] = {}

    def move(self, fill: Fill, sign: int) -> None:
        exact = fill.px * fill.qty
        worth = -(-exact // SCALE) if fill.side is Side.BUY else exact // SCALE
        self.cash -= sign * (fill.side * worth + fill.fee)
        self.tokens[fill.market, fill.leg] += sign * fill.side * fill.qty
        if fill.market in self.settled:
            self.settle(fill.market, self.settled[fill.market])

    def settle(self, market: MarketId, yes_px: int) -> None:
        self.settled[market] = yes_px
        for leg, px in ((Leg.YES, yes_px), (Leg.NO, SCALE - yes_px)):
            self.cash += px * self.tokens.pop((market, leg), 0) // SCALE


class Lives:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"venues/{seed}")
        self.purses = {venue: Purse(cash) for venue, cash in START.items()}
        self.awaited: dict[str, Fill] = {}
        self.told: list[Fill] = []
        self.number = 0
        self.rig = Rig(WIDE, boot=False, venues=VENUES, honest=False)
        self.rig.boot()
        self.rig.tell(*(self.account(venue) for venue in VENUES), MarketListed(perp()))
        self.rig.tell(*(MarketListed(contract(market)) for market in MARKETS), *map(SessionUp, VENUES))
        self.counts: Counter[str] = Counter()

    def account(self, venue: VenueId) -> AccountState:
        purse = self.purses[venue]
        tokens = tuple(
            TokenBalance(market, leg, Qty(total), Cash(0)) for (market, leg), total in purse.tokens.items() if total
        )
        return AccountState(venue=venue, cash=Cash(purse.cash), tokens=tokens, orders=(), asked_mono_ns=0)

    def run(self, steps: int) -> Lives:
        for step in range(steps):
            kind = self.rng.choices((self.trade, self.deliver, self.fail, self.again, self.price), (50, 12, 8, 8, 22))
            kind[0]()
            self.counts[kind[0].__name__] += 1
            if step == steps // 3:
                self.settle(PM)
            if step == steps // 2:
                self.restart()
            self.check()
        return self

    # -- what is told

    def trade(self) -> None:
        market, leg = self.rng.choice(MARKETS), self.rng.choice(tuple(Leg))
        purse = self.purses[venue_of(market)]
        side, qty = self.rng.choice(tuple(Side)), self.rng.randrange(1, 10**10)
        if side is Side.SELL:
            qty = min(qty, purse.tokens[market, leg])
            if qty <= 0:
                return
        self.number += 1
        fill = Fill(
            key=f"f{self.number}", market=market, leg=leg, side=side, px=Px(self.rng.randrange(1, SCALE)), qty=Qty(qty),
            fee=Cash(self.rng.randrange(-5, 10**6)), kind=FillKind.TRADE, maker=self.rng.random() < 0.5, client_id=None,
            venue_order_id=None, venue_ms=self.rig.ms, pending=market == PM and self.rng.random() < 0.7,
        )  # fmt: skip
        self.rig.tell(FillReceived(fill))
        purse.move(fill, 1)
        self.told.append(fill)
        if fill.pending:
            self.awaited[fill.key] = fill

    def deliver(self) -> None:
        if self.awaited:
            fill = self.awaited.pop(self.rng.choice(list(self.awaited)))
            self.rig.tell(FillFinal(POLYMARKET, fill.key))

    def fail(self) -> None:
        if self.awaited:
            fill = self.awaited.pop(self.rng.choice(list(self.awaited)))
            self.rig.tell(FillVoided(fill, "FAILED"))
            self.purses[POLYMARKET].move(fill, -1)

    def again(self) -> None:
        if self.told:
            self.rig.tell(FillReceived(self.rng.choice(self.told[-50:])))

    def price(self) -> None:
        self.rig.jump(0.05)
        mid = self.rng.randrange(3, 98) * 10**6
        self.rig.book(((mid - 10**6, 10**10),), ((mid + 10**6, 10**10),), market=self.rng.choice(MARKETS))

    def settle(self, market: MarketId) -> None:
        yes_px = self.rng.choice((0, SCALE))
        self.rig.tell(MarketSettled(market, Px(yes_px), "source"))
        self.purses[venue_of(market)].settle(market, yes_px)

    def restart(self) -> None:
        """Another process goes on from the books."""
        books, self.rig = carried(self.rig.state), Rig(WIDE, boot=False, venues=VENUES, honest=False)
        self.rig.tell(
            Booted(
                epoch_ms=EPOCH_MS + 1, profile="sim", version="0", config="{}", halted=None, carried=books,
                accounts=tuple((venue, venue.upper()) for venue in VENUES),
            )
        )  # fmt: skip
        self.rig.tell(*(MarketListed(contract(market)) for market in MARKETS), *map(SessionUp, VENUES))
        self.rig.tell(*(self.account(venue) for venue in VENUES))
        assert self.rig.state.reconciled

    # -- what must hold

    def check(self) -> None:
        state = self.rig.state
        for venue, purse in self.purses.items():
            books = state.portfolio.of(venue)
            books.check()
            assert books.cash == purse.cash, f"{venue} cash {books.cash} not {purse.cash}"
            assert difference(state, self.account(venue)) == (), venue
        assert state.portfolio.cash == sum(purse.cash for purse in self.purses.values())
        result = pnl(state)
        earned = result.spread + result.inventory + result.settlement
        # The sources are exact, what was paid is rounded against us fill by fill.
        assert abs(earned - result.realised - result.unrealised) <= 2 * self.number + 4, "the sources are the result"
        for leg in Leg:
            waiting = sum(
                fill.qty for fill in self.awaited.values() if fill.leg is leg and fill.side is Side.BUY
            )  # all of them at the one venue that delivers later
            assert state.undelivered.tokens(PM, leg) == waiting


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_account_is_right_to_the_last_unit(seed: int) -> None:
    lives = Lives(seed).run(STEPS)
    assert min(lives.counts.values()) > STEPS // 20, "every kind of news was told"


# -- what it finds


def _wrong_void(patch: pytest.MonkeyPatch) -> None:
    genuine = Portfolio.void

    def void(self: Portfolio, fill: Fill, released: int | None) -> None:
        genuine(self, msgspec.structs.replace(fill, fee=Cash(0)), released)

    patch.setattr(Portfolio, "void", void)


MUTANTS: Final[dict[str, Any]] = {
    "all in one purse": lambda patch: patch.setattr(accounts, "venue_of", lambda _: HYPERLIQUID),
    "the fee of a void fill stays": _wrong_void,
    "a void fill stays": lambda patch: patch.setattr(Accounts, "void", lambda *_: None),
    "a fill told twice counts twice": lambda patch: patch.setattr(intake_account, "_news", lambda *_: True),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_books_that_are_wrong_are_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)
    with pytest.raises(AssertionError):
        Lives(0).run(400)
