"""Forced closing of perp accounts whose equity fell below maintenance (venue documentation on liquidations).

Maintenance is half the initial margin at the highest leverage. Below it, the position is sold into the book; what is
left of the collateral stays with its owner. Below two thirds of it, or when the book could not take everything and the
account is bankrupt, the backstop takes position and cash over as they are, so no unit appears or vanishes.
"""

from __future__ import annotations

from typing import Final

from hlomm.domain.orders import Side, Tif
from hlomm.sim.accounts import Account
from hlomm.sim.board import Board
from hlomm.sim.coins import PERP_GRID
from hlomm.sim.events import FillDir, FillRow, Liquidated, Liquidation
from hlomm.sim.orders import PERP, NewOrder
from hlomm.sim.perp_market import PerpMarket
from hlomm.sim.refusals import Status

BACKSTOP: Final = "0x" + "b0" * 20
"""Address of the account that takes over what the book does not."""
_FAR: Final = 100
"""A limit so far beyond the mark that only an empty book stops the order."""


class Liquidator:
    """Watches the clients' perp accounts. Call `run` once per block; background accounts have pockets deep enough."""

    def __init__(self, board: Board, perp: PerpMarket) -> None:
        self._board = board
        self._perp = perp
        self._count = 0

    def run(self) -> None:
        """Close every account that is below maintenance at the current mark."""
        mark = self._perp.mark_ticks
        if not self._board.rules.liquidations or mark <= 0:
            return
        for account in list(self._board.accounts.values()):
            position = account.perp
            if position.lots and not account.background and position.value(mark) < position.maintenance(mark):
                self._liquidate(account)

    def _liquidate(self, account: Account) -> None:
        position, mark, tape = account.perp, self._perp.mark_ticks, self._board.tape
        tape.next_action()
        equity, notional = position.value(mark), abs(position.lots) * mark * PERP_GRID.cash
        lots_before = position.lots
        for order in [o for o in tape.blotter_of(account).open.values() if o.target.outcome is None]:
            self._perp.cancel(order, Status.LIQUIDATED)
        method = "market"
        if 3 * equity >= 2 * position.maintenance(mark):
            self._sell(account)
        # Without a position left maintenance is nothing, and this says that the account is in debt.
        if 3 * position.value(mark) < 2 * position.maintenance(mark):
            method = "backstop"
            self._seize(account)
        if position.lots != lots_before or method == "backstop":
            self._count += 1
            event = Liquidated(account=account, number=self._count, backstop=BACKSTOP, notional=notional, equity=equity)
            tape.liquidated(event)
            tape.balance(account)

    def _sell(self, account: Account) -> None:
        """Close what the book takes, at any price."""
        side = Side.SELL if account.perp.lots > 0 else Side.BUY
        if self._perp.book.best_ticks(Side(-side)) is None:
            return
        ticks = 1 if side is Side.SELL else self._perp.mark_ticks * _FAR
        new = NewOrder(target=PERP, side=side, ticks=ticks, lots=abs(account.perp.lots), tif=Tif.IOC, reduce_only=True)
        self._perp.liquidation = Liquidation(account.address, self._perp.mark_ticks, "market")
        try:
            self._perp.place(account, new)
        finally:
            self._perp.liquidation = None

    def _seize(self, account: Account) -> None:
        position, mark = account.perp, self._perp.mark_ticks
        lots, gain = position.lots, position.lots * mark * PERP_GRID.cash - position.entry
        self._board.ledger.seize(account, self._backstop())
        if lots:
            self._board.tape.fill(account, self._taken_over(account, lots, gain))

    def _taken_over(self, account: Account, lots: int, gain: int) -> FillRow:
        """The close as its owner sees it: at the mark, without a counterparty in the book."""
        side = Side.SELL if lots > 0 else Side.BUY
        direction = FillDir.CLOSE_LONG if lots > 0 else FillDir.CLOSE_SHORT
        row = self._board.synthetic(
            PERP, direction, side, px=self._perp.mark_ticks * PERP_GRID.tick, lots=abs(lots), start=lots, gain=gain
        )
        return row.liquidated(Liquidation(account.address, self._perp.mark_ticks, "backstop"))

    def _backstop(self) -> Account:
        """The account that takes over, opened empty when it is first needed."""
        account = self._board.accounts.get(BACKSTOP)
        if account is None:
            account = self._board.accounts[BACKSTOP] = Account(address=BACKSTOP, name="backstop", background=True)
        return account
