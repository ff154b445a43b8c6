"""Outcome contracts: transfer, mint and burn in one merged book (venue sheet 7.4)."""

from __future__ import annotations

import attrs

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import Px
from hlomm.sim import refusals
from hlomm.sim.accounts import Account
from hlomm.sim.cash import Reduction
from hlomm.sim.coins import OUTCOME_GRID, SET_CASH, WHOLE
from hlomm.sim.config import RulesConfig
from hlomm.sim.events import FillDir, FillRow, Trade
from hlomm.sim.fees import outcome_fee, pays_outcome_fee
from hlomm.sim.ledger import Ledger
from hlomm.sim.market import Market
from hlomm.sim.orders import NewOrder, Order
from hlomm.sim.refusals import Refusal
from hlomm.sim.tape import Tape


@attrs.frozen(kw_only=True)
class Deployer:
    """Who listed a contract that is not the protocol's. `fee_scale` is in 1e-8."""

    address: str
    venue: str
    fee_scale: int


@attrs.frozen(kw_only=True)
class OutcomeSpec:
    """One contract. A protocol binary pays YES if the interpolated mark at expiry is at or above the target.

    A leg of a price bucket also needs the price to be `below` its upper threshold; a fallback never pays by price. A
    template's price is an average over the last `average_s` seconds and must be above the target (`strict`).
    """

    outcome: int
    underlying: str
    expiry_ns: int
    target: Px
    period: str
    quote_token: str
    description: str
    name: str = "Recurring"
    side_names: tuple[str, str] = ("Yes", "No")
    below: Px | None = None
    strict: bool = False
    average_s: int = 0
    question: int | None = None
    fallback: bool = False
    deployer: Deployer | None = None

    def pays(self, price: int) -> bool:
        """Whether YES wins at a settlement price in 1e-8."""
        above = price > self.target if self.strict else price >= self.target
        return above and not self.fallback and (self.below is None or price < self.below)

    @property
    def fee_scale(self) -> int | None:
        """`deployerFeeScale` in 1e-8, None for protocol series."""
        return None if self.deployer is None else self.deployer.fee_scale


class OutcomeMarket(Market):
    """The merged book of one outcome."""

    grid = OUTCOME_GRID

    def __init__(self, spec: OutcomeSpec, rules: RulesConfig, ledger: Ledger, tape: Tape) -> None:
        super().__init__(rules, ledger, tape)
        self.spec = spec
        self.number = spec.outcome
        self.outcome = spec.outcome
        self.minimum = refusals.outcome_minimum(spec.quote_token, rules.min_notional_usd)
        self.day_volume = 0
        """Cash traded since listing, each trade counted at its YES price."""

    def refusal_of(self, account: Account, new: NewOrder) -> Refusal | None:
        if self.spec.fallback and not self.rules.fallback_tradable:
            return refusals.FALLBACK
        cost = new.ticks * new.lots * OUTCOME_GRID.cash
        balance = account.held(self.number, new.target.leg)
        buys = new.side is Side.BUY
        if (account.quote if buys else balance.total) == 0:
            return refusals.SPOT_BALANCE
        if cost < self.rules.min_notional_usd * SET_CASH:
            return self.minimum
        enough = account.quote_free >= cost if buys else balance.free >= new.lots
        return None if enough else refusals.SPOT_BALANCE

    def reserve(self, order: Order, lots: int) -> None:
        if order.side is Side.BUY:
            self.ledger.reserve_quote(order.account, order.ticks * lots * OUTCOME_GRID.cash)
        else:
            self.ledger.reserve_tokens(order.account, self.number, order.target.leg, lots)

    def release(self, order: Order, lots: int) -> None:
        if order.side is Side.BUY:
            self.ledger.release_quote(order.account, order.ticks * lots * OUTCOME_GRID.cash)
        else:
            self.ledger.release_tokens(order.account, self.number, order.target.leg, lots)

    def exchange_value(self, taker: Order, maker: Order, lots: int) -> None:
        ticks = maker.book_ticks
        bid, ask = (taker, maker) if taker.book_side is Side.BUY else (maker, taker)
        starts = [(o, o.account.held(self.number, o.target.leg).total) for o in (taker, maker)]
        reductions = self._move(bid, ask, lots, ticks)
        self._count_volume(taker, maker, lots)
        self.day_volume += ticks * lots * OUTCOME_GRID.cash
        trade = Trade(
            outcome=self.number,
            ticks=ticks,
            lots=lots,
            aggressor=taker.book_side,
            bid_user=bid.account.address,
            ask_user=ask.account.address,
            time_ms=self.tape.now_ms,
            hash=self.tape.hash,
            tids=(self.tape.next_tid(), self.tape.next_tid()),
        )
        self.tape.trade(trade)
        for order, start in starts:
            self._report(order, trade, start, reductions.get(order.oid), crossed=order is taker)

    def _move(self, bid: Order, ask: Order, lots: int, ticks: int) -> dict[int, Reduction]:
        """Move tokens and cash; returns by order id what each sale did to its seller."""
        ledger, number = self.ledger, self.number
        buyer, seller = bid.account, ask.account
        match bid.side, ask.side:
            case Side.BUY, Side.SELL:
                return {ask.oid: ledger.transfer(buyer, seller, (number, Leg.YES), lots, ticks)}
            case Side.SELL, Side.BUY:  # the bid sells NO to the ask
                return {bid.oid: ledger.transfer(seller, buyer, (number, Leg.NO), lots, WHOLE - ticks)}
            case Side.BUY, Side.BUY:
                ledger.mint(buyer, seller, number, lots, ticks)
                return {}
            case _:  # two sellers: the bid gives NO, the ask gives YES
                yes, no = ledger.burn(seller, buyer, number, lots, ticks)
                return {ask.oid: yes, bid.oid: no}

    def _count_volume(self, taker: Order, maker: Order, lots: int) -> None:
        """Fee-paying volume: nothing for a mint, the payer's notional for one payer, 1 per pair for a burn."""
        payers = [
            order
            for order in (taker, maker)
            if order.side is Side.SELL and pays_outcome_fee(self.rules, maker=order is maker)
        ]
        if not payers:
            return
        ticks = WHOLE if len(payers) == 2 else payers[0].own_ticks(maker.book_ticks)
        for order in (taker, maker):
            order.account.volume += ticks * lots * OUTCOME_GRID.cash

    def _report(self, order: Order, trade: Trade, start: int, reduction: Reduction | None, *, crossed: bool) -> None:
        ticks = order.own_ticks(trade.ticks)
        fee = 0
        if reduction is not None:
            notional = ticks * trade.lots * OUTCOME_GRID.cash
            fee = outcome_fee(self.rules, notional, maker=not crossed, deployer_scale=self.spec.fee_scale)
            if fee:
                self.ledger.spot_fee(order.account, fee)
        self.tape.fill(
            order.account,
            FillRow(
                target=order.target,
                px=ticks * OUTCOME_GRID.tick,
                lots=trade.lots,
                side=order.side,
                time_ms=trade.time_ms,
                start_lots=start,
                dir=FillDir.BUY if order.side is Side.BUY else FillDir.SELL,
                closed_pnl=0 if reduction is None else reduction.gain,
                hash=trade.hash,
                oid=order.oid,
                crossed=crossed,
                fee=fee,
                tid=trade.tids[order.target.leg],
                cloid=order.cloid,
            ),
        )
