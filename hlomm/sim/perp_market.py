"""The BTC perp: cash-margined positions at a chosen leverage. Funding and liquidation act on it from outside."""

from __future__ import annotations

from hlomm.domain.orders import Side, Tif
from hlomm.domain.units import SCALE
from hlomm.sim import refusals
from hlomm.sim.accounts import Account
from hlomm.sim.coins import PERP_GRID
from hlomm.sim.config import RulesConfig
from hlomm.sim.events import FillDir, FillRow, Liquidation, Trade
from hlomm.sim.fees import perp_fee
from hlomm.sim.ledger import Ledger
from hlomm.sim.market import Market
from hlomm.sim.orders import PERP, NewOrder, Order
from hlomm.sim.refusals import Refusal
from hlomm.sim.tape import Tape


class PerpMarket(Market):
    """One linear perp. `mark_ticks` is the venue's mark, set from outside."""

    grid = PERP_GRID

    def __init__(self, rules: RulesConfig, ledger: Ledger, tape: Tape) -> None:
        super().__init__(rules, ledger, tape)
        self.outcome = None
        self.mark_ticks = 0
        self.liquidation: Liquidation | None = None
        """Set while fills come from a forced closing."""
        self.held: dict[str, int] = {}
        """Cash notional of open orders per account: they bind margin too."""

    def margin_free(self, account: Account) -> int:
        """Equity not bound by the position or by open orders, in cash."""
        position = account.perp
        orders = -(-self.held.get(account.address, 0) // position.leverage)
        return position.value(self.mark_ticks) - position.used(self.mark_ticks) - orders

    def refusal_of(self, account: Account, new: NewOrder) -> Refusal | None:
        position = account.perp
        if new.reduce_only and position.lots * new.side >= 0:
            return refusals.REDUCE_ONLY
        cost = new.ticks * new.lots * PERP_GRID.cash
        exempt = self.rules.close_below_minimum and new.reduce_only and new.lots >= abs(position.lots)
        if cost < self.rules.min_notional_usd * SCALE and not exempt:
            return refusals.PERP_MINIMUM
        if new.reduce_only or position.reduces(new.side, new.lots):
            return None
        fee = perp_fee(self.rules, cost, maker=new.tif is Tif.ALO)
        needed = -(-cost // position.leverage) + fee
        return None if self.margin_free(account) >= needed else refusals.MARGIN

    def reserve(self, order: Order, lots: int) -> None:
        address = order.account.address
        self.held[address] = self.held.get(address, 0) + order.ticks * lots * PERP_GRID.cash

    def release(self, order: Order, lots: int) -> None:
        self.held[order.account.address] -= order.ticks * lots * PERP_GRID.cash
        assert self.held[order.account.address] >= 0, "no more margin can be released than was bound"

    def fillable(self, order: Order, lots: int) -> int:
        if not order.reduce_only:
            return lots
        held = order.account.perp.lots
        return min(lots, abs(held)) if held * order.side < 0 else 0

    def exchange_value(self, taker: Order, maker: Order, lots: int) -> None:
        ticks = maker.book_ticks
        bid, ask = (taker, maker) if taker.side is Side.BUY else (maker, taker)
        tid = self.tape.next_tid()
        trade = Trade(
            outcome=None,
            ticks=ticks,
            lots=lots,
            aggressor=taker.side,
            bid_user=bid.account.address,
            ask_user=ask.account.address,
            time_ms=self.tape.now_ms,
            hash=self.tape.hash,
            tids=(tid, tid),
        )
        self.tape.trade(trade)
        for order in (taker, maker):
            self._book_side(order, trade, crossed=order is taker)
        self.ledger.perp_balanced()

    def _book_side(self, order: Order, trade: Trade, *, crossed: bool) -> None:
        account = order.account
        start = account.perp.lots
        notional = trade.ticks * trade.lots * PERP_GRID.cash
        fee = perp_fee(self.rules, notional, maker=not crossed)
        reduction = self.ledger.perp_trade(account, order.side, trade.lots, trade.ticks, fee)
        account.volume += notional
        self.tape.fill(
            account,
            FillRow(
                target=PERP,
                px=trade.ticks * PERP_GRID.tick,
                lots=trade.lots,
                side=order.side,
                time_ms=trade.time_ms,
                start_lots=start,
                dir=_direction(start, order.side, trade.lots),
                closed_pnl=reduction.gain,
                hash=trade.hash,
                oid=order.oid,
                crossed=crossed,
                fee=fee,
                tid=trade.tids[0],
                cloid=order.cloid,
                liquidation=self.liquidation,
            ),
        )


def _direction(start: int, side: Side, lots: int) -> FillDir:
    """The venue's word for a fill, from the position before it."""
    if start * side >= 0:
        return FillDir.OPEN_LONG if side is Side.BUY else FillDir.OPEN_SHORT
    if lots > abs(start):
        return FillDir.SHORT_TO_LONG if side is Side.BUY else FillDir.LONG_TO_SHORT
    return FillDir.CLOSE_SHORT if side is Side.BUY else FillDir.CLOSE_LONG
