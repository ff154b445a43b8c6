"""Every movement of money, and the proof that none is created or lost.

Theory of operation. A position is one signed number: a member who holds n YES has -n of somebody else's NO against it,
and one dollar per contract lies in escrow between them. Buying YES costs the price; where it closes NO, the pair is
dissolved and the dollar comes back, so closing pays 1 - price. Cash lives on shards, in escrow, and in collected fees;
their sum is what was deposited, to the unit, after each operation. `audit` recomputes all of it from the accounts.
"""

from __future__ import annotations

from collections.abc import Iterable

from hlomm.domain.orders import Side
from hlomm.sim.kalshi.accounts import Account, Position
from hlomm.sim.kalshi.grid import CASH, PAIR
from hlomm.sim.kalshi.orders import unit_cost


class Ledger:
    """Amounts in 1e-8 dollars; a broken invariant is an AssertionError."""

    def __init__(self) -> None:
        self.deposited = 0
        self.cash = 0
        self.fees = 0
        self.pairs: dict[str, int] = {}
        """YES held per market in lots, which equals the NO held."""
        self.escrow = 0
        self.settling = 0
        """Within the settlement of one market: paid out beyond what left the escrow; zero when all are paid."""

    # -- cash

    def deposit(self, account: Account, shard: int, cash: int) -> None:
        """Bring outside money to a shard, which is thereby known to the account."""
        assert cash >= 0
        self.deposited += cash
        self._cash(account, shard, cash)
        self._check()

    def transfer(self, account: Account, source: int, destination: int, cash: int) -> None:
        """Move free cash between shards."""
        assert 0 <= cash <= account.free(source), "only free cash can be moved"
        self._cash(account, source, -cash)
        self._cash(account, destination, cash)
        self._check()

    # -- trading

    def revenue(self, account: Account, ticker: str, side: Side, ticks: int, lots: int) -> int:
        """What a trade would bring before fees (below zero: cost)."""
        closing = self._closing(account.lots(ticker), side, lots)
        freed = closing if side is Side.BUY else closing - lots
        return freed * PAIR - side * ticks * lots * CASH

    def trade(self, account: Account, shard: int, ticker: str, side: Side, ticks: int, lots: int, fee: int) -> None:
        """One side of a trade. The other side's call restores the sum; `balanced` checks it."""
        position = account.position(ticker)
        change = self.revenue(account, ticker, side, ticks, lots) - fee
        closing = self._closing(position.lots, side, lots)
        self._escrow(ticker, max(position.lots + side * lots, 0) - max(position.lots, 0))
        self._book(position, side, ticks, lots, closing)
        position.fees += fee
        self.fees += fee
        self._cash(account, shard, change)

    def balanced(self) -> None:
        """After both sides of a trade were booked."""
        self._check()

    def settle(self, account: Account, shard: int, ticker: str, *, yes: bool) -> int:
        """Pay out a position and forget it; returns the payout. The market's last call leaves nothing in escrow."""
        position = account.positions.pop(ticker)
        lots = position.lots
        payout = abs(lots) * PAIR if (lots > 0) is yes else 0
        if lots:
            # Winners take the escrow of both sides with them: count each side's half of the pairs once.
            self._escrow(ticker, -max(lots, 0))
            self._cash(account, shard, payout)
            self.settling += payout - max(lots, 0) * PAIR
        return payout

    def settled(self, ticker: str) -> None:
        """After all positions of a market were paid."""
        assert self.settling == 0, "a settlement pays one dollar per pair"
        assert self.pairs.pop(ticker, 0) == 0, "all pairs are paid"
        self._check()

    # -- proof

    def audit(self, accounts: Iterable[Account]) -> list[str]:
        """Everything that does not add up, recomputed from the accounts; empty when all is well."""
        faults: list[str] = []
        cash = 0
        long: dict[str, int] = {}
        short: dict[str, int] = {}
        for account in accounts:
            cash += sum(account.cash.values())
            faults.extend(
                f"{account.name}: shard {shard} has {amount}, holds {account.held.get(shard, 0)}"
                for shard, amount in account.cash.items()
                if not 0 <= account.held.get(shard, 0) <= amount
            )
            for ticker, position in account.positions.items():
                book = long if position.lots > 0 else short
                book[ticker] = book.get(ticker, 0) + abs(position.lots)
                if position.cost < 0 or (position.lots == 0 and position.cost):
                    faults.append(f"{account.name}: {ticker} {position}")
        faults.extend(
            f"{ticker}: {long.get(ticker, 0)} YES, {short.get(ticker, 0)} NO, {self.pairs.get(ticker, 0)} pairs"
            for ticker in dict.fromkeys([*long, *short, *self.pairs])
            if not long.get(ticker, 0) == short.get(ticker, 0) == self.pairs.get(ticker, 0)
        )
        if (cash, sum(self.pairs.values()) * PAIR) != (self.cash, self.escrow):
            faults.append("running totals differ from the accounts")
        if cash + self.escrow + self.fees != self.deposited:
            faults.append(f"cash {cash} + {self.escrow} + {self.fees} is not {self.deposited}")
        return faults

    # -- the only places that change figures

    @staticmethod
    def _closing(held: int, side: Side, lots: int) -> int:
        return min(lots, abs(held)) if held * side < 0 else 0

    def _book(self, position: Position, side: Side, ticks: int, lots: int, closing: int) -> None:
        cost = unit_cost(side, ticks)
        if closing:
            removed = position.cost * closing // abs(position.lots)
            # Selling YES at p frees p per lot; buying it back against NO frees the rest of the dollar.
            position.realized += closing * (PAIR - cost) - removed
            position.cost -= removed
        position.cost += (lots - closing) * cost
        position.traded += lots * cost
        position.lots += side * lots
        position.volume += lots

    def _cash(self, account: Account, shard: int, cash: int) -> None:
        account.cash[shard] = account.cash.get(shard, 0) + cash
        self.cash += cash
        assert account.cash[shard] >= 0, "nobody owes the venue"

    def _escrow(self, ticker: str, lots: int) -> None:
        self.pairs[ticker] = self.pairs.get(ticker, 0) + lots
        self.escrow += lots * PAIR
        assert self.escrow >= 0

    def _check(self) -> None:
        assert self.cash + self.escrow + self.fees == self.deposited, "cash was created or lost"
