"""Movements of plain cash and perp positions: the part of the ledger that needs no tokens."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from hlomm.domain.orders import Side
from hlomm.sim.accounts import Account
from hlomm.sim.coins import PERP_GRID


def shares(cash: int, count: int) -> list[int]:
    """Cash in equal parts, the units that cannot be divided going to the first ones."""
    part, rest = divmod(cash, count)
    return [part + (index < rest) for index in range(count)]


@attrs.frozen
class Reduction:
    """What a sale did to the seller: the cost that left with the tokens (or contracts) and the gain over it."""

    entry: int
    gain: int


class Cash:
    """Spot quote, perp cash and fees, with running totals. Amounts in 1e-8; a broken invariant is an AssertionError."""

    def __init__(self) -> None:
        self.deposited = 0
        self.quote = 0
        self.raw = 0
        self.escrow = 0
        """Collateral behind outcome tokens, moved by the ledger of tokens."""
        self.fees = 0

    # -- spot

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
        before = position.lots
        position.lots += side * lots
        position.paid_change = 0
        if before * position.lots <= 0:
            position.paid_open = 0
        assert position.lots or position.entry == 0, "a flat position carries no cost"
        return Reduction(removed, gain)

    def perp_balanced(self) -> None:
        """After both sides of a perp trade were booked."""
        self._check()

    def fund(self, payments: Iterable[tuple[Account, int]]) -> None:
        """Funding: what each account receives (negative: pays). The payments must add up to nothing."""
        for account, cash in payments:
            self._raw(account, cash)
            position = account.perp
            position.paid -= cash
            position.paid_open -= cash
            position.paid_change -= cash
        self._check()

    def seize(self, account: Account, backstop: Account) -> None:
        """The backstop takes a perp account over as it stands: position, cost and all cash or debt."""
        lost, taker = account.perp, backstop.perp
        cash, lots, entry = lost.raw, lost.lots, lost.entry
        self._raw(account, -cash)
        self._raw(backstop, cash)
        lost.lots = lost.entry = lost.paid_open = lost.paid_change = 0
        taker.lots, taker.entry = taker.lots + lots, taker.entry + entry
        self._check()

    # -- the only places that change cash

    def _quote(self, account: Account, cash: int) -> None:
        account.quote += cash
        self.quote += cash
        assert account.quote >= account.quote_hold >= 0, "quote must cover what is reserved"

    def _raw(self, account: Account, cash: int) -> None:
        account.perp.raw += cash
        self.raw += cash

    def _check(self) -> None:
        assert self.quote + self.raw + self.escrow + self.fees == self.deposited, "cash was created or lost"
