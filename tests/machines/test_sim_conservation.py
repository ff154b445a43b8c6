"""Rung: stateful sync, 100,000 random operations. Nothing is created or lost, against a second set of books.

The model below keeps its own integers and never asks the exchange what an account has. Of trades it believes only the
parties, legs, prices and sizes of the fills; what they cost, what sets, settlements, funding and takeovers do, and
which set operations must be refused, it works out from the venue's rules. After every operation both sets of books
are the same to the unit, and what is owed is covered whichever outcome of a question wins.
"""

from __future__ import annotations

import random
from fractions import Fraction
from math import floor
from typing import Any

import attrs
import pytest

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, Tif
from hlomm.domain.units import SCALE, Px
from hlomm.sim.accounts import Account
from hlomm.sim.board import QuestionSpec
from hlomm.sim.config import RulesConfig
from hlomm.sim.events import Fill, FillDir, FundingPaid
from hlomm.sim.exchange import Exchange
from hlomm.sim.orders import PERP, NewOrder, Target
from hlomm.sim.outcome_market import Deployer, OutcomeSpec
from hlomm.sim.refusals import WholeActionRefused

ACCOUNTS = 5
OPERATIONS = 26_000
SEEDS = 4
YES, NO = 0, 1
UNIT = 10**8
"""One quote unit in the integers of the books."""
CENTS_PER_PERP_LOT = 100_000
HOUR = 3600 * 10**9
FAR = 2_000_000_000_000_000_000
TRADES = {FillDir.BUY, FillDir.SELL}


@attrs.define
class Books:
    """What one account has, by the model."""

    quote: int = 0
    raw: int = 0
    perp: int = 0
    tokens: dict[tuple[int, int], int] = attrs.field(factory=dict)
    volume: int = 0
    pnl: int = 0
    fees: int = 0
    moved: int = 0
    """Deposits and transfers into the spot balance."""

    def add(self, outcome: int, leg: int, lots: int) -> None:
        held = self.tokens.get((outcome, leg), 0) + lots
        assert held >= 0
        if held:
            self.tokens[(outcome, leg)] = held
        else:
            self.tokens.pop((outcome, leg), None)


class Model:
    """The rules of the venue over `Books`, in exact arithmetic."""

    def __init__(self, rules: RulesConfig) -> None:
        self.rules = rules
        self.books: dict[str, Books] = {}
        self.scales: dict[int, int | None] = {}
        """Live outcomes with their deployers' scale."""
        self.questions: dict[int, list[int]] = {}
        self.fees = 0
        self.deposited = 0

    # -- costs

    def outcome_fee(self, outcome: int, notional: int, maker: bool) -> int:
        scale = self.scales[outcome]
        if scale is None and not self.rules.outcome_fees:
            return 0
        rate = Fraction(self.rules.spot_maker if maker else self.rules.spot_taker, UNIT)
        s = Fraction(self.rules.outcome_fee_scale if scale is None else scale, UNIT)
        return floor(notional * rate * (s + max(s, Fraction(1))) * (1 - Fraction(self.rules.referral_discount, UNIT)))

    def charge(self, books: Books, fee: int) -> None:
        books.quote -= fee
        books.fees += fee
        self.fees += fee

    # -- what happens

    def outcome_trade(self, row: Any, books: Books) -> None:
        cash, leg = row.px * row.lots, int(row.target.leg)
        if row.side is Side.BUY:
            books.quote -= cash
            books.add(row.target.outcome, leg, row.lots)
            assert row.fee == 0
        else:
            books.quote += cash
            books.add(row.target.outcome, leg, -row.lots)
            fee = self.outcome_fee(row.target.outcome, cash, maker=not row.crossed)
            assert row.fee == fee
            self.charge(books, fee)

    def perp_trade(self, row: Any, books: Books) -> None:
        notional, rest = divmod(row.px * row.lots, CENTS_PER_PERP_LOT)
        assert rest == 0
        rate = self.rules.perp_taker if row.crossed else self.rules.perp_maker
        fee = notional * rate // UNIT
        assert row.fee == fee
        books.raw -= row.side * notional + fee
        books.perp += row.side * row.lots
        books.volume += notional
        self.fees += fee

    def split(self, books: Books, outcome: int, lots: int) -> None:
        books.quote -= lots * UNIT
        books.add(outcome, YES, lots)
        books.add(outcome, NO, lots)

    def merge(self, books: Books, outcome: int, lots: int) -> None:
        books.add(outcome, YES, -lots)
        books.add(outcome, NO, -lots)
        self.pay_back(books, lots)

    def negate(self, books: Books, question: int, outcome: int, lots: int) -> None:
        books.add(outcome, NO, -lots)
        for other in self.questions[question]:
            if other != outcome:
                books.add(other, YES, lots)

    def merge_question(self, books: Books, question: int, lots: int) -> None:
        for outcome in self.questions[question]:
            books.add(outcome, YES, -lots)
        self.pay_back(books, lots)

    def pay_back(self, books: Books, lots: int) -> None:
        books.quote += lots * UNIT
        self.charge(books, lots * UNIT * self.rules.merge_fee // UNIT)

    def settle(self, outcome: int, fraction: int) -> None:
        for books in self.books.values():
            for leg, worth in ((YES, fraction), (NO, UNIT - fraction)):
                payout = books.tokens.pop((outcome, leg), 0) * worth
                books.quote += payout
                books.volume += payout
                self.charge(books, self.outcome_fee(outcome, payout, maker=False))
        del self.scales[outcome]

    def take_over(self, lost: Books, taker: Books) -> None:
        taker.raw, taker.perp = taker.raw + lost.raw, taker.perp + lost.perp
        lost.raw = lost.perp = 0

    # -- what must hold

    def owed(self) -> int:
        """Collateral: what the tokens of each contract will pay, the same whichever way it ends."""
        in_questions = {outcome for legs in self.questions.values() for outcome in legs}
        total = 0
        for outcome in self.scales:
            if outcome not in in_questions:
                yes, no = self.count(outcome, YES), self.count(outcome, NO)
                assert yes == no
                total += yes
        for legs in self.questions.values():
            ends = {
                self.count(winner, YES) + sum(self.count(other, NO) for other in legs if other != winner)
                for winner in legs
            }
            assert len(ends) == 1, "what is owed must not depend on who wins"
            total += ends.pop()
        return total * UNIT

    def count(self, outcome: int, leg: int) -> int:
        return sum(books.tokens.get((outcome, leg), 0) for books in self.books.values())


class Run:
    """One random program against an exchange and the model beside it."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"conservation/{seed}")
        self.rules = RulesConfig(
            outcome_fees=seed % 2 == 1,
            merge_fee=(0, 31_337)[seed % 2],
            referral_discount=(0, 4_000_000)[seed // 2 % 2],
            open_orders=100,
            funding_hourly=None if seed % 2 else 12_345,
        )
        self.model = Model(self.rules)
        self.exchange = Exchange(self.rules)
        self.exchange.tape.now_ns = 1_795_000_035 * 10**9
        self.exchange.perp.mark_ticks = 800_000
        self.next_outcome, self.next_question = 100, 1
        self.done: dict[str, int] = {}
        self.accounts = [self.open(index) for index in range(ACCOUNTS)]
        for _ in range(2):
            self.list_single()
            self.list_question()

    def open(self, index: int) -> Account:
        spot, perp = 20_000 * UNIT, (400, 900, 5_000, 5_000, 300)[index] * UNIT
        self.model.deposited += spot + perp
        account = self.exchange.open_account(f"0x{index + 1:040x}", f"a{index}", spot=spot, perp=perp)
        self.model.books[account.address] = Books(quote=spot, raw=perp, moved=spot)
        return account

    def spec(self, question: int | None, *, deployed: bool = False, fallback: bool = False) -> OutcomeSpec:
        number, self.next_outcome = self.next_outcome, self.next_outcome + 1
        scale = self.rng.choice([0, UNIT // 3, UNIT, 5 * UNIT])
        deployer = Deployer(address="0x" + "d" * 40, venue="out", fee_scale=scale) if deployed else None
        self.model.scales[number] = scale if deployed else None
        return OutcomeSpec(
            outcome=number,
            underlying="BTC",
            expiry_ns=FAR,
            target=Px(0),
            period="1d",
            quote_token="USDC",
            description="",
            question=question,
            fallback=fallback,
            deployer=deployer,
        )

    def list_single(self) -> None:
        self.exchange.list_outcome(self.spec(None, deployed=self.rng.random() < 0.5))

    def list_question(self) -> None:
        number, self.next_question = self.next_question, self.next_question + 1
        deployed = self.rng.random() < 0.3
        count = self.rng.randint(2, 5)
        legs = [self.spec(number, deployed=deployed, fallback=index == 0) for index in range(count)]
        numbers = [leg.outcome for leg in legs]
        question = QuestionSpec(
            question=number, description="", fallback=numbers[0], named=tuple(numbers[1:]), expiry_ns=FAR, period="1d"
        )
        self.exchange.list_question(question, legs)
        self.model.questions[number] = numbers

    # -- one operation

    def step(self) -> None:
        account = self.rng.choice(self.accounts)
        name = self.rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        self.done[name] = self.done.get(name, 0) + 1
        getattr(self, name)(account, self.model.books[account.address])
        self.take_events()
        self.compare()

    def place(self, account: Account, _books: Books) -> None:
        outcome = self.rng.choice(list(self.model.scales))
        ticks = self.rng.randint(48_000, 52_000) if self.rng.random() < 0.9 else self.rng.randint(1, 99_999)
        self.exchange.place(
            account,
            NewOrder(
                target=Target(outcome, self.rng.choice(list(Leg))),
                side=self.rng.choice(list(Side)),
                ticks=ticks,
                lots=self.rng.randint(15, 150),
                tif=self.rng.choice([Tif.GTC, Tif.GTC, Tif.IOC, Tif.ALO]),
            ),
        )

    def trade_perp(self, account: Account, _books: Books) -> None:
        mark = self.exchange.perp.mark_ticks
        self.exchange.place(
            account,
            NewOrder(
                target=PERP,
                side=self.rng.choice(list(Side)),
                ticks=(mark + self.rng.randint(-4_000, 4_000)) // 10 * 10,
                lots=self.rng.randint(1, 12_000),
                tif=self.rng.choice(list(Tif)),
                reduce_only=self.rng.random() < 0.1,
            ),
        )

    def cancel(self, account: Account, _books: Books) -> None:
        orders = list(self.exchange.open_orders(account))
        if orders:
            order = self.rng.choice(orders)
            assert self.exchange.cancel(account, order.target, order.oid)

    def split(self, account: Account, books: Books) -> None:
        outcome, lots = self.rng.choice(list(self.model.scales)), self.rng.randint(1, 400)
        free = books.quote - sum(o.cost for o in self.resting(account) if o.side is Side.BUY)
        if self.allowed(self.exchange.split, account, outcome, lots, possible=free >= lots * UNIT):
            self.model.split(books, outcome, lots)

    def merge(self, account: Account, books: Books) -> None:
        outcome = self.rng.choice(list(self.model.scales))
        free = min(self.free(account, books, outcome, leg) for leg in (YES, NO))
        lots = self.rng.choice([None, self.rng.randint(1, max(free * 2, 1))])
        count = free if lots is None else lots
        if self.allowed(self.exchange.merge, account, outcome, lots, possible=0 < count <= free):
            self.model.merge(books, outcome, count)

    def negate(self, account: Account, books: Books) -> None:
        question = self.rng.choice(list(self.model.questions))
        outcome = self.rng.choice(self.model.questions[question])
        free = self.free(account, books, outcome, NO)
        lots = self.rng.randint(1, max(free * 3 // 2, 1))
        possible = lots <= free and len(self.model.questions[question]) > 1
        if self.allowed(self.exchange.negate, account, question, outcome, lots, possible=possible):
            self.model.negate(books, question, outcome, lots)

    def merge_question(self, account: Account, books: Books) -> None:
        question = self.rng.choice(list(self.model.questions))
        free = min(self.free(account, books, outcome, YES) for outcome in self.model.questions[question])
        lots = self.rng.choice([None, self.rng.randint(1, max(free * 2, 1))])
        count = free if lots is None else lots
        if self.allowed(self.exchange.merge_question, account, question, lots, possible=0 < count <= free):
            self.model.merge_question(books, question, count)

    def transfer(self, account: Account, books: Books) -> None:
        free = books.quote - sum(o.cost for o in self.resting(account) if o.side is Side.BUY)
        out = min(self.exchange.perp.margin_free(account), books.raw)
        cash = self.rng.randint(min(-out, 0) // 2, min(max(free, 0) // 2, 100 * UNIT))
        self.exchange.ledger.to_perp(account, cash)
        books.quote -= cash
        books.raw += cash
        books.moved -= cash

    def settle(self, _account: Account, _books: Books) -> None:
        in_questions = {outcome for legs in self.model.questions.values() for outcome in legs}
        outcome = self.rng.choice([o for o in self.model.scales if o not in in_questions])
        fraction = self.rng.choice([0, UNIT, UNIT // 2, self.rng.randint(0, UNIT)])
        self.exchange.settle(outcome, fraction, "")
        self.model.settle(outcome, fraction)
        self.list_single()

    def settle_question(self, _account: Account, _books: Books) -> None:
        question = self.rng.choice(list(self.model.questions))
        legs = self.model.questions.pop(question)
        winner = self.rng.choice(legs)
        self.exchange.settle_question(question, winner, "")
        for outcome in legs:
            self.model.settle(outcome, UNIT if outcome == winner else 0)
        self.list_question()

    def eliminate(self, _account: Account, _books: Books) -> None:
        legs = self.rng.choice(list(self.model.questions.values()))
        if len(legs) > 1:
            outcome = self.rng.choice(legs[1:])
            self.exchange.eliminate(outcome, "")
            legs.remove(outcome)
            self.model.settle(outcome, 0)

    def pass_time(self, _account: Account, _books: Books) -> None:
        """Up to half an hour, in which the mark moves: funding and liquidations."""
        self.exchange.tape.now_ns += self.rng.randint(1, 1800) * 10**9
        move = self.rng.gauss(0.0, 0.004 if self.rng.random() < 0.7 else 0.03)
        mark = self.exchange.perp.mark_ticks
        self.exchange.perp.mark_ticks = min(max(round(mark * (1 + move)), 500_000), 1_100_000) // 10 * 10
        self.exchange.run_schedules()

    # -- helpers

    def resting(self, account: Account) -> list[Any]:
        return [order for order in self.exchange.open_orders(account) if order.target.outcome is not None]

    def free(self, account: Account, books: Books, outcome: int, leg: int) -> int:
        target = Target(outcome, Leg(leg))
        offered = sum(o.lots for o in self.resting(account) if o.side is Side.SELL and o.target == target)
        return books.tokens.get((outcome, leg), 0) - offered

    def allowed(self, operation: Any, *args: Any, possible: bool) -> bool:
        """Carry out a set operation; it must be refused exactly when the model says so."""
        try:
            operation(*args)
        except WholeActionRefused:
            assert not possible
            return False
        assert possible
        return True

    def take_events(self) -> None:
        events, _ = self.exchange.tape.drain()
        # Where both happen in one step, funding comes before the liquidations.
        payments = [(event.account.address, event.row) for event in events if isinstance(event, FundingPaid)]
        if payments:
            self.take_funding(payments)
        outcome_fills: list[Any] = []
        for event in events:
            if isinstance(event, Fill):
                self.take_fill(event.row, self.model.books[event.account.address])
                if event.row.dir in TRADES:
                    outcome_fills.append((event.row, event.account.address))
        self.count_volume(outcome_fills)

    def take_fill(self, row: Any, books: Books) -> None:
        if row.target.outcome is not None:
            books.pnl += row.closed_pnl
            if row.dir in TRADES:
                self.model.outcome_trade(row, books)
        elif row.liquidation is not None and row.liquidation.method == "backstop":
            self.done["backstop"] = self.done.get("backstop", 0) + 1
            self.model.take_over(books, self.backstop())
        else:
            self.done["perp fills"] = self.done.get("perp fills", 0) + 1
            self.done["liquidation fills"] = self.done.get("liquidation fills", 0) + (row.liquidation is not None)
            self.model.perp_trade(row, books)

    def backstop(self) -> Books:
        """The account that takes over; its own books start empty."""
        return self.model.books.setdefault("0x" + "b0" * 20, Books())

    def count_volume(self, fills: list[Any]) -> None:
        """Fills come in pairs, taker first: nothing for two buyers, 1 per pair for two sellers, else the sale."""
        assert len(fills) % 2 == 0
        for (one, user), (other, other_user) in zip(fills[::2], fills[1::2], strict=True):
            assert (one.hash, one.lots) == (other.hash, other.lots)
            sales = [row for row in (one, other) if row.side is Side.SELL]
            cash = one.lots * UNIT if len(sales) == 2 else sum(row.px * row.lots for row in sales)
            self.done["fills"] = self.done.get("fills", 0) + 1
            for address in (user, other_user):
                self.model.books[address].volume += cash

    def take_funding(self, payments: list[tuple[str, Any]]) -> None:
        """Payers owe their share rounded down, receivers theirs to within a unit; silent is only the backstop."""
        self.done["fundings"] = self.done.get("fundings", 0) + 1
        total = 0
        mark = self.exchange.perp.mark_ticks
        for address, row in payments:
            books = self.model.books[address]
            exact = Fraction(-row.lots * mark * 100 * row.rate, UNIT)
            if exact < 0:
                assert row.usdc == -floor(-exact)
            else:
                assert abs(row.usdc - exact) <= len(self.model.books)
            books.raw += row.usdc
            total += row.usdc
        if total:
            self.backstop().raw -= total

    def compare(self) -> None:
        model, exchange = self.model, self.exchange
        for address, books in model.books.items():
            account = exchange.accounts.get(address)
            if account is None:
                assert books == Books()
                continue
            if account.perp.lots == 0 and books.perp == 0 and account.perp.raw == 0 > books.raw:
                model.take_over(books, self.backstop())  # closed in the book with a debt, which the backstop bears
            tokens = {(o, int(leg)): b.total for (o, leg), b in account.tokens.items() if b.total}
            assert (account.quote, tokens) == (books.quote, books.tokens)
            assert (account.perp.raw, account.perp.lots) == (books.raw, books.perp)
            assert account.volume == books.volume or account.background
            entries = sum(balance.entry for balance in account.tokens.values())
            # Cash, cost of what is held, and profit taken out add up: closed P&L is right over any operation.
            assert account.quote + entries - books.pnl + books.fees == books.moved
        ledger = exchange.ledger
        assert (ledger.fees, ledger.escrow) == (model.fees, model.owed())
        cash = sum(books.quote + books.raw for books in model.books.values())
        assert cash + model.owed() + model.fees == model.deposited == ledger.deposited


WEIGHTS = {
    "place": 46,
    "trade_perp": 12,
    "cancel": 10,
    "split": 8,
    "merge": 5,
    "negate": 7,
    "merge_question": 6,
    "transfer": 1,
    "settle": 0.4,
    "settle_question": 0.3,
    "eliminate": 0.2,
    "pass_time": 4,
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_is_created_or_lost(seed: int) -> None:
    run = Run(seed)
    for count in range(OPERATIONS):
        run.step()
        if count % 250 == 0:
            assert run.exchange.audit() == []
    assert run.exchange.audit() == []
    assert sum(run.done[name] for name in WEIGHTS) == OPERATIONS
    wanted = {"fills": 1_500, "perp fills": 300, "fundings": 150, "settle_question": 50}
    assert {name: run.done.get(name, 0) for name in wanted if run.done.get(name, 0) < wanted[name]} == {}
    assert run.done.get("liquidation fills", 0) + run.done.get("backstop", 0) > 0, "nobody was ever liquidated"


def test_the_runs_together_are_a_hundred_thousand_operations() -> None:
    assert SEEDS * OPERATIONS >= 100_000
    assert SCALE == UNIT
