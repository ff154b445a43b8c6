"""Every movement of money and tokens, and the proof that none is created or lost.

Theory of operation. Cash lives in four places: spot balances, perp accounts, collateral behind outstanding outcome
sets, and fees collected. What was deposited is their sum, to the unit, after each operation; running totals make the
check cheap enough to keep on. The YES and NO tokens of an outcome that stands alone are equal in number, and their
collateral is exactly one quote unit per pair.

Of a question's outcomes exactly one ends YES. Negating turns NO of one into YES of every other, merging a question
destroys YES of all; both move (YES - NO) by the same amount in every outcome of the question, so this difference is one
number per question, `negated`, below zero when more was merged than negated. Whichever outcome wins, what must be paid
is the NO tokens of all its outcomes plus that number: this is the question's collateral. `audit` recomputes all of it
from the accounts.
"""

from __future__ import annotations

from collections.abc import Iterable

from hlomm.domain.markets import Leg
from hlomm.domain.units import SCALE
from hlomm.sim.accounts import Account, TokenKey
from hlomm.sim.cash import Cash, Reduction, shares
from hlomm.sim.coins import OUTCOME_GRID, SET_CASH, WHOLE


class Ledger(Cash):
    """Moves value between accounts. Amounts are cash in 1e-8 and lots; a broken invariant is an AssertionError."""

    def __init__(self) -> None:
        super().__init__()
        self.sets: dict[int, int] = {}
        """NO tokens per outcome in lots; of an outcome that stands alone also the YES tokens."""
        self.questions: dict[int, tuple[int, ...]] = {}
        """Outcomes of each question that are not settled yet."""
        self.negated: dict[int, int] = {}
        """Per question, by how many lots YES exceeds NO in each of its outcomes."""
        self._question_of: dict[int, int] = {}

    # -- outcome tokens

    def reserve_tokens(self, account: Account, outcome: int, leg: Leg, lots: int) -> None:
        balance = account.token(outcome, leg)
        balance.hold += lots
        assert 0 <= balance.hold <= balance.total, "only free tokens can be offered"

    def release_tokens(self, account: Account, outcome: int, leg: Leg, lots: int) -> None:
        balance = account.token(outcome, leg)
        balance.hold -= lots
        assert balance.hold >= 0, "no more tokens can be released than were offered"

    def transfer(self, buyer: Account, seller: Account, key: TokenKey, lots: int, ticks: int) -> Reduction:
        """Tokens change hands at a price of their own coin; returns what the sale did to the seller."""
        cash = lots * ticks * OUTCOME_GRID.cash
        self._quote(buyer, -cash)
        self._quote(seller, cash)
        reduction = self._remove(seller, key, lots, cash)
        self._add(buyer, key, lots, cash)
        self._check()
        return reduction

    def mint(self, yes: Account, no: Account, outcome: int, lots: int, ticks: int) -> None:
        """Two buyers of opposite legs create pairs; YES pays `ticks`, NO the rest of the collateral."""
        yes_cash, no_cash = lots * ticks * OUTCOME_GRID.cash, lots * (WHOLE - ticks) * OUTCOME_GRID.cash
        self._quote(yes, -yes_cash)
        self._quote(no, -no_cash)
        self._escrow(outcome, lots)
        self._add(yes, (outcome, Leg.YES), lots, yes_cash)
        self._add(no, (outcome, Leg.NO), lots, no_cash)
        self._check()

    def burn(self, yes: Account, no: Account, outcome: int, lots: int, ticks: int) -> tuple[Reduction, Reduction]:
        """Two sellers of opposite legs destroy pairs; YES receives `ticks`, NO the rest of the collateral."""
        yes_cash, no_cash = lots * ticks * OUTCOME_GRID.cash, lots * (WHOLE - ticks) * OUTCOME_GRID.cash
        yes_reduction = self._remove(yes, (outcome, Leg.YES), lots, yes_cash)
        no_reduction = self._remove(no, (outcome, Leg.NO), lots, no_cash)
        self._escrow(outcome, -lots)
        self._quote(yes, yes_cash)
        self._quote(no, no_cash)
        self._check()
        return yes_reduction, no_reduction

    def split(self, account: Account, outcome: int, lots: int) -> None:
        """One quote unit per pair becomes one token of each leg, each carrying half the cost."""
        half = lots * SET_CASH // 2
        assert account.quote_free >= lots * SET_CASH
        self._quote(account, -lots * SET_CASH)
        self._escrow(outcome, lots)
        self._add(account, (outcome, Leg.YES), lots, half)
        self._add(account, (outcome, Leg.NO), lots, lots * SET_CASH - half)
        self._check()

    def merge(self, account: Account, outcome: int, lots: int) -> tuple[Reduction, Reduction]:
        """The reverse of `split`; each leg is taken to have been worth one half."""
        half = lots * SET_CASH // 2
        yes = self._remove(account, (outcome, Leg.YES), lots, half)
        no = self._remove(account, (outcome, Leg.NO), lots, lots * SET_CASH - half)
        self._escrow(outcome, -lots)
        self._quote(account, lots * SET_CASH)
        self._check()
        return yes, no

    def redeem(self, account: Account, outcome: int, leg: Leg, fraction: int) -> tuple[int, Reduction]:
        """Pay out all tokens of a leg at `fraction` (1e-8 of a quote unit each); returns lots and what it did.

        The collateral shrinks by what is paid, so YES at f and NO at 1 - f together use it up exactly.
        """
        balance = account.token(outcome, leg)
        assert balance.hold == 0, "open orders are cancelled before tokens are redeemed"
        lots = balance.total
        cash = lots * OUTCOME_GRID.lot * fraction // SCALE
        reduction = self._remove(account, (outcome, leg), lots, cash)
        del account.tokens[(outcome, leg)]
        self.escrow -= cash
        self._quote(account, cash)
        self._check()
        return lots, reduction

    def close(self, outcome: int) -> None:
        """Forget an outcome whose tokens were all redeemed; of a question the winner comes last."""
        self.sets.pop(outcome, None)
        question = self._question_of.pop(outcome, None)
        if question is not None:
            self.questions[question] = tuple(o for o in self.questions[question] if o != outcome)
            if not self.questions[question]:
                del self.questions[question], self.negated[question]

    # -- questions

    def open_question(self, question: int, outcomes: tuple[int, ...]) -> None:
        """From now on exactly one of these outcomes is taken to end YES."""
        assert question not in self.questions
        assert not any(outcome in self.sets or outcome in self._question_of for outcome in outcomes)
        self.questions[question], self.negated[question] = outcomes, 0
        self._question_of |= dict.fromkeys(outcomes, question)

    def supply(self, outcome: int, leg: Leg) -> int:
        """Tokens of a leg in circulation, in lots."""
        pairs = self.sets.get(outcome, 0)
        question = self._question_of.get(outcome)
        return pairs + self.negated[question] if leg is Leg.YES and question is not None else pairs

    def negate(self, account: Account, question: int, outcome: int, lots: int) -> dict[int, Reduction | None]:
        """NO of one outcome becomes YES of every other of its question; returns by outcome what a sale would have done.

        The NO is taken to have been worth one quote unit, the YES an equal share of it each; targets map to None.
        """
        done: dict[int, Reduction | None] = {}
        done[outcome] = self._remove(account, (outcome, Leg.NO), lots, lots * SET_CASH)
        targets = [other for other in self.questions[question] if other != outcome]
        for target, cash in zip(targets, shares(lots * SET_CASH, len(targets)), strict=True):
            self._add(account, (target, Leg.YES), lots, cash)
            done[target] = None
        self.sets[outcome] = self.sets.get(outcome, 0) - lots
        self.negated[question] += lots
        assert self.sets[outcome] >= 0, "no more NO can be negated than exists"
        self._check()
        return done

    def merge_question(self, account: Account, question: int, lots: int) -> dict[int, Reduction]:
        """YES of every outcome becomes quote; each is taken to have been worth an equal share."""
        outcomes = self.questions[question]
        parts = zip(outcomes, shares(lots * SET_CASH, len(outcomes)), strict=True)
        done = {outcome: self._remove(account, (outcome, Leg.YES), lots, cash) for outcome, cash in parts}
        self.negated[question] -= lots
        self.escrow -= lots * SET_CASH
        self._quote(account, lots * SET_CASH)
        assert all(self.supply(outcome, Leg.YES) >= 0 for outcome in outcomes), "no more YES can be merged than exists"
        self._check()
        return done

    # -- proof

    def audit(self, accounts: Iterable[Account]) -> list[str]:
        """Everything that does not add up, recomputed from the accounts; empty when all is well."""
        faults: list[str] = []
        quote = raw = perp_lots = 0
        tokens: dict[tuple[int, Leg], int] = {}
        for account in accounts:
            quote += account.quote
            raw += account.perp.raw
            perp_lots += account.perp.lots
            if not 0 <= account.quote_hold <= account.quote:
                faults.append(f"{account.name}: quote {account.quote} hold {account.quote_hold}")
            for key, balance in account.tokens.items():
                tokens[key] = tokens.get(key, 0) + balance.total
                if not 0 <= balance.hold <= balance.total or balance.entry < 0:
                    faults.append(f"{account.name}: token {key} {balance}")
        known = dict.fromkeys([*self.sets, *self._question_of, *(outcome for outcome, _ in tokens)])
        faults.extend(
            f"outcome {outcome} {leg.name}: {tokens.get((outcome, leg), 0)} tokens, {self.supply(outcome, leg)} sets"
            for outcome in known
            for leg in Leg
            if tokens.get((outcome, leg), 0) != self.supply(outcome, leg)
        )
        collateral = (sum(self.sets.values()) + sum(self.negated.values())) * SET_CASH
        if quote + raw + collateral + self.fees != self.deposited:
            faults.append(f"cash {quote} + {raw} + {collateral} + {self.fees} is not {self.deposited}")
        if (quote, raw, collateral) != (self.quote, self.raw, self.escrow):
            faults.append("running totals differ from the accounts")
        if perp_lots != 0:
            faults.append(f"perp positions add up to {perp_lots}")
        return faults

    # -- the only places that change tokens and their collateral

    def _escrow(self, outcome: int, lots: int) -> None:
        self.sets[outcome] = self.sets.get(outcome, 0) + lots
        self.escrow += lots * SET_CASH
        assert self.sets[outcome] >= 0, "no more sets can be destroyed than exist"

    def _add(self, account: Account, key: TokenKey, lots: int, cost: int) -> None:
        balance = account.token(*key)
        balance.total += lots
        balance.entry += cost

    def _remove(self, account: Account, key: TokenKey, lots: int, proceeds: int) -> Reduction:
        balance = account.token(*key)
        assert lots <= balance.total, "only held tokens can leave"
        removed = balance.entry * lots // balance.total if balance.total else 0
        balance.total -= lots
        balance.entry -= removed
        assert balance.total >= balance.hold, "offered tokens cannot leave twice"
        return Reduction(removed, proceeds - removed)
