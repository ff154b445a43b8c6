"""The account at a tape's venue: a purse for all markets, tokens of each, and what every movement costs.

Exact integers. Fees as the schedule says: a sale pays by its role, a settlement by what it pays, the rest is free;
every fee is rounded up. Purchases are rounded up and receipts down, as the engine's own books do it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import ClientId, MarketId, VenueOrderId
from hlomm.domain.inputs import FeeRates, TokenBalance
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.sets import SetAction
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import SCALE, Cash, Px, Qty, complement, notional_ceil, notional_floor
from hlomm.research.tape_orders import Own


class Claims(Protocol):
    """Resting orders of one market."""

    def reserved(self, ignoring: Own | None) -> int:
        """Cash that they keep for themselves."""


class Purse:
    """Cash of all markets together."""

    def __init__(self, cash: Cash, numbered: int = 0) -> None:
        """`numbered`: what was counted before, so that no movement of an account that goes on has an old name."""
        self.cash = int(cash)
        self.fees = 0
        self.claims: list[Claims] = []
        self._numbers = numbered

    def free(self, ignoring: Own | None = None) -> int:
        """What no resting order claims."""
        return self.cash - sum(orders.reserved(ignoring) for orders in self.claims)

    def number(self) -> int:
        """Counts what needs a number of its own: orders and movements."""
        self._numbers += 1
        return self._numbers


class TapeAccount:
    """What is held in one market."""

    def __init__(self, market: MarketId, purse: Purse, rates: FeeRates, held: Mapping[Leg, int] | None = None) -> None:
        self._market = market
        self._purse = purse
        self._rates = rates
        self.tokens = {Leg.YES: 0, Leg.NO: 0} | dict(held or {})

    def held(self) -> list[TokenBalance]:
        return [TokenBalance(self._market, leg, Qty(held), Cash(0)) for leg, held in self.tokens.items() if held]

    def trade(
        self, leg: Leg, side: Side, px: Px, qty: int, at_ns: int, *, maker: bool, client_id: ClientId,
        venue_order_id: VenueOrderId,
    ) -> Fill:  # fmt: skip
        """A trade of an order, which must be covered."""
        fee = 0
        if side is Side.SELL:
            fee = notional_ceil(self._rates.close_maker if maker else self._rates.close_taker, notional_ceil(px, qty))
        return self._moved(
            leg, side, px, qty, at_ns, kind=FillKind.TRADE, maker=maker, fee=fee, client_id=client_id,
            venue_order_id=venue_order_id,
        )  # fmt: skip

    def unconvertible(self, action: SetAction, qty: int, cash: int, tokens: int) -> str | None:
        """Why a conversion is refused, given the cash and the pairs that no order claims."""
        match action:
            case SetAction.SPLIT:
                return "not that much cash" if cash < qty else None
            case SetAction.MERGE:
                return "not that many pairs" if tokens < qty else None
            case SetAction.NEGATE | SetAction.MERGE_QUESTION:
                return "no such question"

    def convert(self, action: SetAction, qty: int, at_ns: int) -> list[Fill]:
        """Cash to pairs or back, one part per leg."""
        side, kind = Side.BUY if action is SetAction.SPLIT else Side.SELL, FillKind(action.value)
        return [self._moved(leg, side, Px(SCALE // 2), qty, at_ns, kind=kind, maker=False, fee=0) for leg in Leg]

    def settle(self, yes_px: Px, at_ns: int) -> list[Fill]:
        """Tokens become what they pay; one part per leg held."""
        parts = []
        for leg, px in ((Leg.YES, yes_px), (Leg.NO, complement(yes_px))):
            held = self.tokens[leg]
            if held:
                fee = notional_ceil(self._rates.settle, notional_floor(px, held))
                parts.append(
                    self._moved(leg, Side.SELL, px, held, at_ns, kind=FillKind.SETTLEMENT, maker=False, fee=fee)
                )
        return parts

    def _moved(
        self, leg: Leg, side: Side, px: Px, qty: int, at_ns: int, *, kind: FillKind, maker: bool, fee: int,
        client_id: ClientId | None = None, venue_order_id: VenueOrderId | None = None,
    ) -> Fill:  # fmt: skip
        purse = self._purse
        if side is Side.BUY:
            purse.cash -= notional_ceil(px, qty)
            self.tokens[leg] += qty
        else:
            purse.cash += notional_floor(px, qty)
            self.tokens[leg] -= qty
        purse.cash -= fee
        purse.fees += fee
        assert purse.cash >= 0
        assert self.tokens[leg] >= 0
        return Fill(
            key=f"tape:{purse.number()}", market=self._market, leg=leg, side=side, px=px, qty=Qty(qty),
            fee=Cash(fee), kind=kind, maker=maker, client_id=client_id, venue_order_id=venue_order_id,
            venue_ms=at_ns // NS_PER_MS,
        )  # fmt: skip
