"""Perp positions of one account: signed quantities, the perp wallet, what closing them earned.

The wallet is what Hyperliquid calls raw USD: a purchase takes its whole notional out of it and a sale puts it in, so
with every position at its entry cost

    raw + cost of all perps - realised + fees = found + adjusted

to the last unit; the portfolio carries the same identity over both wallets. Cost is signed like the quantity, what a
short was sold for counts negative. Reducing releases cost in proportion, rounded towards zero, and closing all of it.
A fill through zero closes at its own price first and opens the rest. Funding is a gain or loss at once.
"""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import PerpBalance
from hlomm.domain.orders import Side
from hlomm.domain.units import notional_ceil, notional_floor


@attrs.define(eq=False, kw_only=True)
class PerpPosition:
    """`qty` and `cost` are signed alike: negative for a short. `realised` has the funding in it."""

    qty: int = 0
    cost: int = 0
    realised: int = 0
    fees: int = 0
    funding: int = 0
    """Funding paid; negative if more was received."""
    volume: int = 0
    fills: int = 0


FLAT: Final = PerpPosition()
"""What is shown of a market in which nothing ever moved; nobody changes it."""


class Perps:
    """Moves value; the sums over both wallets are the portfolio's business."""

    def __init__(self) -> None:
        self.raw = 0
        self.cost = 0
        self.funding = 0
        self.known = False
        """Whether the venue has told the wallet; books of earlier versions knew none."""
        self.positions: dict[MarketId, PerpPosition] = {}

    def position(self, market: MarketId) -> PerpPosition:
        """To look at; a flat one for a market in which nothing ever moved."""
        return self.positions.get(market, FLAT)

    def open_with(self, raw: int, balances: tuple[PerpBalance, ...]) -> int:
        """Take over the wallet as found; returns what it and the positions' entry cost add to the deposits."""
        assert not self.known
        self.raw, self.known = raw, True
        for balance in balances:
            self._add(self.own(balance.market), balance.qty, balance.cost)
        return self.raw + self.cost

    def apply(self, fill: Fill) -> int:
        """One trade; returns what it realised. The price is paid in full, rounded against us."""
        position = self.own(fill.market)
        signed_qty = fill.side * fill.qty
        notional = notional_ceil(fill.px, fill.qty) if fill.side is Side.BUY else -notional_floor(fill.px, fill.qty)
        self.raw -= notional
        closing = min(fill.qty, abs(position.qty)) if position.qty * signed_qty < 0 else 0
        part = notional if closing == fill.qty else _toward_zero(notional * closing, fill.qty)
        gained = 0
        if closing:
            gained = -part - self._release(position, closing)
            position.realised += gained
        if closing < fill.qty:
            self._add(position, signed_qty - fill.side * closing, notional - part)
        if fill.kind is FillKind.TRADE:
            position.volume += notional_floor(fill.px, fill.qty)
            position.fills += 1
        return gained

    def charge(self, market: MarketId, fee: int) -> None:
        self.raw -= fee
        self.own(market).fees += fee

    def fund(self, market: MarketId, amount: int) -> None:
        """Funding paid (negative: received)."""
        position = self.own(market)
        self.raw -= amount
        self.funding += amount
        position.funding += amount
        position.realised -= amount

    def adopt(self, raw: int, balances: tuple[PerpBalance, ...]) -> None:
        """Make the wallet and positions what the venue says; contracts that appear come at its average entry."""
        self.raw, self.known = raw, True
        found = {balance.market: balance for balance in balances}
        for market in [*self.positions, *(market for market in found if market not in self.positions)]:
            position, balance = self.own(market), found.get(market)
            qty, cost = (0, 0) if balance is None else (balance.qty, balance.cost)
            if position.qty * qty <= 0:
                self._release(position, abs(position.qty))
            elif abs(qty) < abs(position.qty):
                self._release(position, abs(position.qty) - abs(qty))
            if qty != position.qty:
                more = qty - position.qty
                self._add(position, more, _toward_zero(cost * abs(more), abs(qty)))

    # -- the only places where contracts and cost change

    def own(self, market: MarketId) -> PerpPosition:
        """The market's position, to be changed."""
        position = self.positions.get(market)
        if position is None:
            position = self.positions[market] = PerpPosition()
        return position

    def _add(self, position: PerpPosition, qty: int, cost: int) -> None:
        position.qty += qty
        position.cost += cost
        self.cost += cost

    def _release(self, position: PerpPosition, closing: int) -> int:
        """Take that many contracts off, towards zero, and return their cost."""
        held = abs(position.qty)
        if not held:
            return 0
        released = position.cost if closing == held else _toward_zero(position.cost * closing, held)
        self._add(position, -closing if position.qty > 0 else closing, -released)
        return released


def _toward_zero(amount: int, over: int) -> int:
    return amount // over if amount >= 0 else -(-amount // over)
