"""A perp beside the outcomes of a tape's venue: taken at the recorded touch, for hedges and for nothing else.

An order takes what the touch shows, each size once between two touches, and the rest of it is gone: depth behind the
touch is not recorded. Nothing rests. The wallet is Hyperliquid's: a purchase takes its whole notional out of it. Lent
is `LEVERAGE` times its equity. Funding is not charged and nobody is liquidated: a hedge is a fraction of what would be
lent, and held for hours; whoever reads its result knows that this is left out.

Fee: the base tier of takers, 4.5 bp (venue sheet 6).
"""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import ClientId, VenueOrderId
from hlomm.domain.inputs import (
    BboUpdate,
    CancelFailed,
    FillReceived,
    OrderAnswer,
    OrderClosed,
    OrderRejected,
    PerpBalance,
)
from hlomm.domain.markets import Leg, Market
from hlomm.domain.orders import OrderRequest, Side, Tif
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import SCALE, Cash, Px, Qty, notional_ceil, notional_floor
from hlomm.research.tape_account import Purse
from hlomm.research.tape_mail import ORDERS_KEPT, Mail
from hlomm.research.tape_orders import Finished, answer_of
from hlomm.venues.bounded import BoundedMap

TAKER_FEE: Final = 45_000
"""In 1e-8 of notional."""
LEVERAGE: Final = 10


@attrs.define(eq=False)
class PerpWallet:
    """The cash side of every perp position of the account."""

    raw: int
    perps: list[TapePerp] = attrs.field(factory=list)


class TapePerp:
    """One perp; `qty` and `cost` are signed alike."""

    def __init__(
        self, market: Market, wallet: PerpWallet, purse: Purse, mail: Mail, held: PerpBalance | None = None
    ) -> None:
        """`purse` counts orders and movements; money is in the wallet."""
        self._market = market
        self._wallet = wallet
        self._purse = purse
        self._mail = mail
        self.qty = 0 if held is None else int(held.qty)
        self.cost = 0 if held is None else int(held.cost)
        wallet.perps.append(self)
        self._touch: dict[Side, tuple[int, int]] = {}
        """What a taker of that side meets: (price, size left)."""
        self._finished = BoundedMap[ClientId, Finished](ORDERS_KEPT)

    def balance(self) -> PerpBalance | None:
        return PerpBalance(self._market.id, Qty(self.qty), Cash(self.cost)) if self.qty else None

    @property
    def worth(self) -> int:
        """Of what is held, at the touch that would close it; at cost where none was told yet."""
        px, _ = self._touch.get(Side.SELL if self.qty > 0 else Side.BUY, (0, 0))
        return self.qty * px // SCALE if px else self.cost

    def happens(self, item: BboUpdate) -> None:
        """The touch as it is from now on."""
        told = {Side.BUY: item.ask, Side.SELL: item.bid}
        self._touch = {side: level for side, level in told.items() if level is not None}

    def place(self, order: OrderRequest, at_ns: int, draw: int) -> None:
        code = self._refusal(order)
        oid = VenueOrderId(str(self._purse.number()))
        if code is not None:
            if code == "IocCancel":
                self._finished.put(order.client_id, (oid, 0, "iocCancelRejected"))
            refused = OrderRejected(client_id=order.client_id, code=code, text=code)
            self._mail.tell(at_ns, draw, refused, order.client_id)
            return
        px, size = self._touch[order.side]
        qty = min(self._wanted(order), size)
        self._touch[order.side] = (px, size - qty)
        fill = self._traded(order, Px(px), qty, oid, at_ns)
        self._finished.put(order.client_id, (oid, qty, "filled"))
        self._mail.tell(at_ns, draw, FillReceived(fill), order.client_id)
        closed = OrderClosed(
            client_id=order.client_id, venue_order_id=oid, status="filled", filled=Qty(qty),
            venue_ms=at_ns // NS_PER_MS,
        )  # fmt: skip
        self._mail.tell(at_ns, draw, closed, order.client_id)

    def cancel(self, client_id: ClientId, at_ns: int, draw: int) -> None:
        """Nothing rests here."""
        text = "Order was never placed, already canceled, or filled."
        self._mail.tell(at_ns, draw, CancelFailed(client_id=client_id, code="MissingOrder", text=text), client_id)

    def answer(self, client_id: ClientId) -> OrderAnswer | None:
        """None for an order that never came here."""
        finished = self._finished.get(client_id)
        return None if finished is None else answer_of(client_id, finished)

    def _refusal(self, order: OrderRequest) -> str | None:
        if order.tif is not Tif.IOC:
            return "Unknown"  # hedges take; quoting a perp is not modelled
        if order.reduce_only and self.qty * order.side >= 0:
            return "ReduceOnly"
        closes = order.reduce_only and order.qty >= abs(self.qty)
        if notional_floor(order.px, order.qty) < self._market.min_notional and not closes:
            return "MinTradeNtl"
        px, size = self._touch.get(order.side, (0, 0))
        if not size or (px - order.px) * order.side > 0:
            return "IocCancel"
        after = self.qty + order.side * self._wanted(order)
        others = [perp.worth for perp in self._wallet.perps if perp is not self]
        lent = LEVERAGE * (self._wallet.raw + self.qty * px // SCALE + sum(others)) - sum(map(abs, others))
        return "PerpMargin" if abs(after) > abs(self.qty) and notional_ceil(Px(px), abs(after)) > lent else None

    def _wanted(self, order: OrderRequest) -> int:
        return min(order.qty, abs(self.qty)) if order.reduce_only else order.qty

    def _traded(self, order: OrderRequest, px: Px, qty: int, oid: VenueOrderId, at_ns: int) -> Fill:
        notional = notional_ceil(px, qty) if order.side is Side.BUY else -notional_floor(px, qty)
        fee = notional_ceil(TAKER_FEE, abs(notional))
        before = self.qty
        self.qty += order.side * qty
        if before * order.side >= 0:
            self.cost += notional
        elif before * self.qty > 0:
            self.cost = self.cost * self.qty // before
        else:  # through zero: what is left was opened at this price
            self.cost = notional * abs(self.qty) // qty
        self._wallet.raw -= notional + fee
        return Fill(
            key=f"tape:{self._purse.number()}", market=self._market.id, leg=Leg.YES, side=order.side, px=px,
            qty=Qty(qty), fee=Cash(fee), kind=FillKind.TRADE, maker=False, client_id=order.client_id,
            venue_order_id=oid, venue_ms=at_ns // NS_PER_MS,
        )  # fmt: skip
