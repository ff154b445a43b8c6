"""Every movement of money and tokens, and the proof that none is created or lost.

Theory of operation. Cash lives in four places: spot balances, perp accounts, collateral behind outstanding outcome
sets, and fees collected. What was deposited is their sum, to the unit, after each operation; running totals make the
check cheap enough to keep on. For every outcome the YES and NO tokens in circulation are equal in number, and their
collateral is exactly one quote unit per pair. `audit` recomputes all of it from the accounts.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE
from hlomm.sim.accounts import Account, TokenKey
from hlomm.sim.coins import OUTCOME_GRID, PERP_GRID, SET_CASH, WHOLE


@attrs.frozen
class Reduction:
    """What a sale did to the seller: the cost that left with the tokens (or contracts) and the gain over it."""

    entry: int
    gain: int


class Ledger:
    """Moves value between accounts. Amounts are cash in 1e-8 and lots; a broken invariant is an AssertionError."""

    def __init__(self) -> None:
        self.deposited = 0
        self.quote = 0
        self.raw = 0
        self.escrow = 0
        self.fees = 0
        self.sets: dict[int, int] = {}
        """Outstanding YES and NO pairs per outcome, in lots."""

    # -- cash

    def deposit(self, account: Account, *, spot: int, perp: int) -> None:
        """Bring outside money in."""
        assert spot >= 0
        assert perp >= 0
        self.deposited += spot + perp
        self._quote(account, spot)
        self._raw(account, perp)
        self._check()

    def to_perp(self, account: Account, cash: int) -> None:
        """Move free spot quote to the perp account; negative `cash` moves the other way."""
        self._quote(account, -cash)
        self._raw(account, cash)
        self._check()

    def reserve_quote(self, account: Account, cash: int) -> None:
        account.quote_hold += cash
        assert 0 <= account.quote_hold <= account.quote, "only free quote can be reserved"

    def release_quote(self, account: Account, cash: int) -> None:
        account.quote_hold -= cash
        assert account.quote_hold >= 0, "no more quote can be released than was reserved"

    def spot_fee(self, account: Account, cash: int) -> None:
        self._quote(account, -cash)
        self.fees += cash
        self._check()

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
        """Forget an outcome whose tokens were all redeemed."""
        self.sets.pop(outcome, None)

    # -- perp

    def perp_trade(self, account: Account, side: Side, lots: int, ticks: int, fee: int) -> Reduction:
        """One side of a perp trade. The other side's call restores the sum; `perp_balanced` checks it."""
        position = account.perp
        cash = lots * ticks * PERP_GRID.cash
        self._raw(account, -side * cash - fee)
        self.fees += fee
        closing = min(lots, abs(position.lots)) if position.lots * side < 0 else 0
        removed = position.entry * closing // abs(position.lots) if closing else 0
        gain = -side * closing * ticks * PERP_GRID.cash - removed if closing else 0
        position.entry += side * (lots - closing) * ticks * PERP_GRID.cash - removed
        position.lots += side * lots
        assert position.lots or position.entry == 0, "a flat position carries no cost"
        return Reduction(removed, gain)

    def perp_balanced(self) -> None:
        """After both sides of a perp trade were booked."""
        self._check()

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
        for outcome, lots in self.sets.items():
            faults.extend(
                f"outcome {outcome} {leg.name}: {tokens.get((outcome, leg), 0)} tokens, {lots} sets"
                for leg in Leg
                if tokens.get((outcome, leg), 0) != lots
            )
        collateral = sum(self.sets.values()) * SET_CASH
        if quote + raw + collateral + self.fees != self.deposited:
            faults.append(f"cash {quote} + {raw} + {collateral} + {self.fees} is not {self.deposited}")
        if (quote, raw, collateral) != (self.quote, self.raw, self.escrow):
            faults.append("running totals differ from the accounts")
        if perp_lots != 0:
            faults.append(f"perp positions add up to {perp_lots}")
        return faults

    # -- the only places that change a balance

    def _quote(self, account: Account, cash: int) -> None:
        account.quote += cash
        self.quote += cash
        assert account.quote >= account.quote_hold >= 0, "quote must cover what is reserved"

    def _raw(self, account: Account, cash: int) -> None:
        account.perp.raw += cash
        self.raw += cash

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

    def _check(self) -> None:
        assert self.quote + self.raw + self.escrow + self.fees == self.deposited, "cash was created or lost"
