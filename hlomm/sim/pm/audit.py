"""The truth about one venue: every invariant of money and tokens, recomputed from orders, trades and wallets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hlomm.domain.orders import Side
from hlomm.sim.pm.exchange import Exchange
from hlomm.sim.pm.orders import Trade
from hlomm.sim.pm.wallets import Key, Wallet


def audit(exchange: Exchange, pending: Iterable[Trade]) -> list[str]:
    """What does not hold, in words; empty when all is well. `pending` are the trades that are not on the chain yet."""
    held, hold = _held(exchange)
    out, sold = _promised(pending)
    faults = exchange.bank.audit(exchange.bank.wallets.values())
    for wallet in exchange.bank.wallets.values():
        name = wallet.address
        if (wallet.hold, wallet.out) != (held[name], out[name]):
            faults.append(f"{wallet.name}: hold {wallet.hold}/{held[name]}, promised {wallet.out}/{out[name]}")
        for key, holding in wallet.holdings.items():
            if (holding.hold, holding.out) != (hold[name, key], sold[name, key]):
                faults.append(
                    f"{wallet.name}: token {key} {holding}, {hold[name, key]} offered, {sold[name, key]} sold"
                )
    return faults


def _held(exchange: Exchange) -> tuple[Counter[str], Counter[tuple[str, Key]]]:
    """Cash and tokens that open and delayed orders need."""
    cash: Counter[str] = Counter()
    tokens: Counter[tuple[str, Key]] = Counter()
    for held in exchange.held.values():
        if held.new.side is Side.BUY:
            cash[held.wallet.address] += held.cash
        else:
            tokens[held.wallet.address, (held.new.number, held.new.leg)] += held.new.lots
    for order in exchange.open.values():
        if order.new.side is Side.BUY:
            cash[order.wallet.address] += order.lots * order.new.ticks
        else:
            tokens[order.wallet.address, (order.new.number, order.new.leg)] += order.lots
    return cash, tokens


def _promised(pending: Iterable[Trade]) -> tuple[Counter[str], Counter[tuple[str, Key]]]:
    """Cash and tokens that trades on their way need."""
    cash: Counter[str] = Counter()
    tokens: Counter[tuple[str, Key]] = Counter()

    def add(wallet: Wallet, key: Key, side: Side, money: int, lots: int) -> None:
        if side is Side.BUY:
            cash[wallet.address] += money
        else:
            tokens[wallet.address, key] += lots

    for trade in pending:
        taker = trade.taker
        add(taker.wallet, (trade.number, taker.new.leg), taker.new.side, trade.cash + trade.fee, trade.lots)
        for fill in trade.makers:
            maker = fill.order
            money = fill.lots * maker.new.ticks
            add(maker.wallet, (trade.number, maker.new.leg), maker.new.side, money, fill.lots)
    return cash, tokens
