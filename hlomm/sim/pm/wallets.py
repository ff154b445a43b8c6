"""Who holds what on the chain, and what the operator has promised of it.

Theory of operation. Cash and tokens move only when a trade is mined; until then a match is a promise, and the operator
holds back what was promised (`out`) and what open orders may still promise (`hold`). A trade that fails gives the
promise back and moves nothing. What was deposited is at every moment the sum of cash, fees collected and the collateral
of outstanding pairs, and of each market there are as many YES tokens as NO tokens as pairs of collateral.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from hlomm.domain.markets import Leg
from hlomm.sim.pm.units import WHOLE

Key = tuple[int, Leg]
"""A token: number of its market, and which of the two."""


@attrs.define(eq=False)
class Holding:
    """Tokens of one kind in lots. `free` may be offered for sale."""

    total: int = 0
    out: int = 0
    """Sold, not mined yet."""
    hold: int = 0
    """Offered by open orders."""
    unseen: int = 0
    """Received since the operator last looked at the chain."""

    @property
    def free(self) -> int:
        return self.total - self.out - self.hold - self.unseen


@attrs.define(eq=False, kw_only=True)
class Wallet:
    """One funder. `signer` is the key that may trade for it and `signature_type` how; lower-case addresses."""

    address: str
    name: str
    signer: str = ""
    signature_type: int = 0
    background: bool = False
    cash: int = 0
    out: int = 0
    """Promised to trades that are not mined yet."""
    hold: int = 0
    """Needed by open buy orders."""
    unseen: int = 0
    """Received since the operator last looked at the chain."""
    holdings: dict[Key, Holding] = attrs.field(factory=dict)

    @property
    def free(self) -> int:
        """Cash that a new order may use."""
        return self.cash - self.out - self.hold - self.unseen

    def holding(self, number: int, leg: Leg) -> Holding:
        return self.holdings.setdefault((number, leg), Holding())

    def refresh(self) -> None:
        """The operator looks at the chain."""
        self.unseen = 0
        for holding in self.holdings.values():
            holding.unseen = 0

    def free_lots(self, number: int, leg: Leg) -> int:
        """Tokens that a new order may offer; does not open a holding."""
        holding = self.holdings.get((number, leg))
        return 0 if holding is None else holding.free


class Bank:
    """The chain: the only place where cash and tokens move. Amounts in cash and lots."""

    def __init__(self) -> None:
        self.wallets: dict[str, Wallet] = {}
        self.deposited = 0
        self.cash = 0
        self.fees = 0
        self.pairs: dict[int, int] = {}
        """Outstanding pairs per market, each backed by one pUSD a share."""
        self.backing = 0

    def open(self, wallet: Wallet, cash: int) -> Wallet:
        assert wallet.address not in self.wallets, "an address has one wallet"
        self.wallets[wallet.address] = wallet
        self.deposited += cash
        self._pay(wallet, cash)
        self._check()
        return wallet

    def transfer(self, buyer: Wallet, seller: Wallet, key: Key, lots: int, cash: int) -> None:
        """Tokens against cash."""
        self._pay(buyer, -cash)
        self._pay(seller, cash)
        seller.holding(*key).total -= lots
        buyer.holding(*key).total += lots
        assert seller.holding(*key).free >= 0, "only tokens that are there are sold"
        self._check()

    def mint(self, one: Wallet, leg: Leg, cash: int, other: Wallet, number: int, lots: int) -> None:
        """Two buyers pay for new pairs; `one` receives `leg` for `cash`, `other` the rest of both."""
        self._pay(one, -cash)
        self._pay(other, cash - lots * WHOLE)
        self._back(number, lots)
        one.holding(number, leg).total += lots
        other.holding(number, Leg(1 - leg)).total += lots
        self._check()

    def burn(self, one: Wallet, leg: Leg, cash: int, other: Wallet, number: int, lots: int) -> None:
        """Two sellers give up pairs; `one` receives `cash` for `leg`, `other` the rest of the collateral."""
        for wallet, sold in ((one, leg), (other, Leg(1 - leg))):
            holding = wallet.holding(number, sold)
            holding.total -= lots
            assert holding.free >= 0, "only tokens that are there are merged"
        self._back(number, -lots)
        self._pay(one, cash)
        self._pay(other, lots * WHOLE - cash)
        self._check()

    def split(self, wallet: Wallet, number: int, lots: int) -> None:
        """One pUSD a share becomes a pair."""
        assert wallet.free >= lots * WHOLE
        self.mint(wallet, Leg.YES, lots * WHOLE, wallet, number, lots)

    def merge(self, wallet: Wallet, number: int, lots: int) -> None:
        """The reverse of `split`."""
        assert min(wallet.free_lots(number, leg) for leg in Leg) >= lots
        self.burn(wallet, Leg.YES, lots * WHOLE, wallet, number, lots)

    def charge(self, wallet: Wallet, fee: int) -> None:
        self._pay(wallet, -fee)
        self.fees += fee
        self._check()

    def redeem(self, number: int, yes_ticks: int) -> list[tuple[Wallet, Leg, int]]:
        """Pay out a resolved market: each YES `yes_ticks`, each NO the rest. Returns who gave up how many lots."""
        paid = []
        for wallet in self.wallets.values():
            for leg in Leg:
                holding = wallet.holdings.pop((number, leg), None)
                if holding is None or not holding.total:
                    continue
                assert holding.out == holding.hold == 0, "nothing of a resolved market is on its way"
                self._pay(wallet, holding.total * (yes_ticks if leg is Leg.YES else WHOLE - yes_ticks))
                paid.append((wallet, leg, holding.total))
        pairs = self.pairs.pop(number, 0)
        assert sum(lots for _, leg, lots in paid if leg is Leg.YES) == pairs, "every pair is somebody's"
        assert sum(lots for _, leg, lots in paid if leg is Leg.NO) == pairs, "every pair is somebody's"
        self.backing -= pairs * WHOLE
        self._check()
        return paid

    def audit(self, wallets: Iterable[Wallet]) -> list[str]:
        """Every invariant that does not hold, computed from the wallets; empty when all is well."""
        faults, cash = [], 0
        supply: dict[Key, int] = {}
        for wallet in wallets:
            cash += wallet.cash
            if not 0 <= wallet.out + wallet.hold <= wallet.cash or min(wallet.out, wallet.hold) < 0:
                faults.append(f"{wallet.name}: cash {wallet.cash}, promised {wallet.out}, held {wallet.hold}")
            for key, holding in wallet.holdings.items():
                supply[key] = supply.get(key, 0) + holding.total
                if holding.free < 0 or min(holding.total, holding.out, holding.hold) < 0:
                    faults.append(f"{wallet.name}: token {key} {holding}")
        backing = sum(self.pairs.values()) * WHOLE
        if backing != self.backing or cash != self.cash or cash + backing + self.fees != self.deposited:
            faults.append(f"cash {cash}, collateral {backing}, fees {self.fees}, deposited {self.deposited}")
        for number in {number for number, _ in supply} | set(self.pairs):
            pairs = self.pairs.get(number, 0)
            if any(supply.get((number, leg), 0) != pairs for leg in Leg):
                faults.append(f"market {number}: {supply} tokens, {pairs} pairs")
        return faults

    def _pay(self, wallet: Wallet, cash: int) -> None:
        wallet.cash += cash
        self.cash += cash
        assert wallet.cash >= 0, "nobody owes anything"

    def _back(self, number: int, lots: int) -> None:
        self.pairs[number] = self.pairs.get(number, 0) + lots
        self.backing += lots * WHOLE
        assert self.pairs[number] >= 0

    def _check(self) -> None:
        assert self.cash + self.backing + self.fees == self.deposited, "cash was created or lost"
