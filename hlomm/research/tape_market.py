"""One outcome market of a tape's venue: its book, our orders in it, and the rules by which they rest, fill and end.

Resting. An order joins the back of its level; prints at its price move it forward, and unexplained changes of the level
by the queue model. A print at a worse price than ours would have hit us first and fills us at our price. No order fills
for more than the print that filled it, and a print is used up once, by our best order first. Prints between two
snapshots are applied before the second. Sales that go before dual buys of one level (venue sheet 7.4) are not told
apart: the whole level is ahead of either.

Taking. An order that crosses takes the recorded sizes, each once between two snapshots, and never our own: a resting
order of ours in its way is cancelled (`selfTradeCanceled`) and it goes on. Nothing of ours moves the market.

News of a request comes a response latency after its effect; news of a fill no earlier than its print. (QUANT 9.)
"""

from __future__ import annotations

from collections.abc import Mapping

from hlomm.domain.fills import Fill
from hlomm.domain.ids import ClientId, VenueOrderId
from hlomm.domain.inputs import (
    AmendFailed,
    BookSnapshot,
    CancelFailed,
    ConversionFailed,
    FeeRates,
    FillReceived,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    RestingOrder,
    TradePrint,
)
from hlomm.domain.markets import Leg, Market
from hlomm.domain.orders import AmendRequest, OrderRequest, Side, Tif, direction, yes_px
from hlomm.domain.outputs import ConvertSet
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import Px, Qty, complement, notional_ceil, notional_floor
from hlomm.research.fill_model import FillModel
from hlomm.research.tape import Happened
from hlomm.research.tape_account import Purse, TapeAccount
from hlomm.research.tape_book import TapeBook
from hlomm.research.tape_counts import Counts
from hlomm.research.tape_mail import PRINTS, Mail
from hlomm.research.tape_orders import Finished, Own, OwnOrders, answer_of


class TapeMarket:
    """Money is in `account`; what it tells goes by `mail`."""

    def __init__(
        self, market: Market, purse: Purse, model: FillModel, rates: FeeRates, mail: Mail, counts: Counts,
        held: Mapping[Leg, int] | None = None,
    ) -> None:  # fmt: skip
        self._market = market
        self.mail = mail
        self.account = TapeAccount(market.id, purse, rates, held)
        self._purse = purse
        self._counts = counts
        self._book = TapeBook()
        self.orders = OwnOrders(model, self._book, market.lot)
        purse.claims.append(self.orders)
        self._finished: dict[ClientId, Finished] = {}
        self._over = False
        self.filled_from: list[tuple[str, int, int]] = []
        """(trade id, our fill, size of the print), for the audit."""

    # -- requests

    def place(self, order: OrderRequest, at_ns: int, draw: int) -> None:
        code = self._refusal(order.leg, order.side, order.px, order.qty, order.tif, ignoring=None)
        if code is not None:
            self._reject(order, at_ns, draw, code, code)
            return
        own = Own(request=order, oid=self._oid(), px=order.px, left=order.qty)
        if order.tif is not Tif.ALO:
            self._sweep(own, at_ns, draw)
        if not own.left or (order.tif is Tif.IOC and own.filled):
            self._finish(own, at_ns, draw, "filled")
        elif order.tif is Tif.IOC:
            self._finished[order.client_id] = (own.oid, 0, "iocCancelRejected")
            self._reject(order, at_ns, draw, "IocCancel", "IocCancel")  # all it could have met was its own
        else:
            self._rest(own, at_ns, draw)

    def _reject(self, order: OrderRequest, at_ns: int, draw: int, code: str, text: str) -> None:
        self.mail.tell(at_ns, draw, OrderRejected(client_id=order.client_id, code=code, text=text), order.client_id)

    def _rest(self, own: Own, at_ns: int, draw: int) -> None:
        client_id, stamp = own.request.client_id, at_ns // NS_PER_MS
        self.orders.join(own)
        opened = OrderOpened(client_id=client_id, venue_order_id=own.oid, leaves=Qty(own.left), venue_ms=stamp)
        self.mail.tell(at_ns, draw, opened, client_id)

    def amend(self, amend: AmendRequest, at_ns: int, draw: int) -> None:
        """A cancel and a new order under the same client id; an amend is always post-only."""
        own = self.orders.get(amend.client_id)
        if own is None:
            text = "Cannot modify canceled or filled order"
            failed = AmendFailed(client_id=amend.client_id, code="ModifyDead", text=text)
            self.mail.tell(at_ns, draw, failed, amend.client_id)
            return
        code = self._refusal(amend.leg, amend.side, amend.px, amend.qty, Tif.ALO, ignoring=own)
        if code is not None:
            # The old order is gone before the new one is judged.
            self._close(amend.client_id, at_ns, draw, "canceled")
            failed = AmendFailed(client_id=amend.client_id, code=code, text=code)
            self.mail.tell(at_ns, draw, failed, amend.client_id)
            return
        own.oid, own.px, own.left, own.filled = self._oid(), amend.px, int(amend.qty), 0
        self._rest(own, at_ns, draw)

    def cancel(self, client_id: ClientId, at_ns: int, draw: int) -> None:
        if not self._close(client_id, at_ns, draw, "canceled"):
            text = "Order was never placed, already canceled, or filled."
            self.mail.tell(at_ns, draw, CancelFailed(client_id=client_id, code="MissingOrder", text=text), client_id)

    def _close(self, client_id: ClientId, at_ns: int, draw: int, status: str, not_before_ns: int = 0) -> bool:
        own = self.orders.pop(client_id)
        if own is not None:
            self._finish(own, at_ns, draw, status, not_before_ns)
        return own is not None

    def _finish(self, own: Own, at_ns: int, draw: int, status: str, not_before_ns: int = 0) -> None:
        client_id = own.request.client_id
        self._finished[client_id] = (own.oid, own.filled, status)
        closed = OrderClosed(
            client_id=client_id, venue_order_id=own.oid, status=status, filled=Qty(own.filled),
            venue_ms=at_ns // NS_PER_MS,
        )  # fmt: skip
        self.mail.tell(at_ns, draw, closed, client_id, not_before_ns)

    def answer(self, client_id: ClientId) -> OrderAnswer | None:
        """None for an order that never came here."""
        own = self.orders.get(client_id)
        if own is not None:
            return OrderAnswer(
                client_id=client_id, found=True, open=True, status="open", venue_order_id=own.oid,
                leaves=Qty(own.left), filled=Qty(own.filled), px=own.px,
            )  # fmt: skip
        finished = self._finished.get(client_id)
        return None if finished is None else answer_of(client_id, finished)

    def resting(self) -> list[RestingOrder]:
        """Orders of ours that stand in its book, in the order of their arrival."""
        return [
            RestingOrder(
                client_id=own.request.client_id, venue_order_id=own.oid, market=self._market.id, leg=own.request.leg,
                side=own.request.side, px=own.px, leaves=Qty(own.left),
            )
            for own in map(self.orders.get, self.orders.ids()) if own is not None
        ]  # fmt: skip

    def convert(self, request: ConvertSet, at_ns: int, draw: int) -> None:
        """Pairs and cash for one another; a tape knows no question."""
        pairs = min(self._free_tokens(leg) for leg in Leg)
        refusal = self.account.unconvertible(request.action, request.qty, self._free_cash(), pairs)
        if refusal is not None:
            failed = ConversionFailed(action=request.action, market=self._market.id, text=refusal)
            self.mail.tell(at_ns, draw, failed, None)
            return
        first, *rest = self.account.convert(request.action, request.qty, at_ns)
        self.mail.tell(at_ns, draw, FillReceived(first, tuple(rest)), None)

    # -- rules of the venue

    def _refusal(self, leg: Leg, side: Side, px: Px, qty: Qty, tif: Tif, *, ignoring: Own | None) -> str | None:
        """In the venue's order: post-only, minimum, funding, nothing to match."""
        if self._over:
            return "OutcomeSettled"
        if tif is Tif.FOK:
            return "Unknown"  # Hyperliquid has none
        crosses = self._crosses(direction(leg, side), yes_px(leg, px), ignoring)
        if tif is Tif.ALO and crosses:
            return "BadAloPx"
        if notional_floor(px, qty) < self._market.min_notional:
            return "MinTradeSpotNtl"
        needed, free = (
            (qty, self._free_tokens(leg, ignoring))
            if side is Side.SELL
            else (notional_ceil(px, qty), self._free_cash(ignoring))
        )
        if needed > free:
            return "InsufficientSpotBalance"
        return "IocCancel" if tif is Tif.IOC and not crosses else None

    def _crosses(self, way: int, at: int, ignoring: Own | None) -> bool:
        """Whether it would meet the recorded book or an order of ours, which the venue's book has too."""
        touches = self._book.touch(-way), self.orders.touch(-way, ignoring)
        return any(touch is not None and (at - touch) * way >= 0 for touch in touches)

    def _free_tokens(self, leg: Leg, ignoring: Own | None = None) -> int:
        return self.account.tokens[leg] - self.orders.offered(leg, ignoring)

    def _free_cash(self, ignoring: Own | None = None) -> int:
        return self._purse.free(ignoring)

    def _oid(self) -> VenueOrderId:
        return VenueOrderId(str(self._purse.number()))

    # -- the tape

    def happens(self, happened: Happened) -> None:
        if isinstance(happened.item, BookSnapshot):
            self._book.snapshot(happened.item)
            self._counts.overrun += self.orders.snapshot()
            return
        assert isinstance(happened.item, TradePrint)
        item, at_ns, draw = happened.item, happened.at_ns, PRINTS + happened.place
        for own, qty in list(self.orders.hit(item)):
            self.filled_from.append((item.trade_id, qty, item.qty))
            if own.yes_px == item.px:
                self._counts.at_level += 1
            else:
                self._counts.through += 1
            self._pay(own, own.px, qty, at_ns, draw, maker=True, not_before_ns=happened.told_ns)
            if not own.left:
                self._close(own.request.client_id, at_ns, draw, "filled", happened.told_ns)
        self._book.printed(item)

    def _pay(
        self, own: Own, px: Px, qty: int, at_ns: int, draw: int, *, maker: bool, not_before_ns: int = 0
    ) -> None:  # fmt: skip
        request = own.request
        fill = self.account.trade(
            request.leg, request.side, px, qty, at_ns, maker=maker, client_id=request.client_id,
            venue_order_id=own.oid,
        )  # fmt: skip
        self.mail.tell(at_ns, draw, FillReceived(fill), request.client_id, not_before_ns)

    def _sweep(self, own: Own, at_ns: int, draw: int) -> None:
        """Take from the recorded book up to the limit; what of ours stands in the way goes first."""
        side = -own.direction
        for px, size in list(self._book.offered(side)):
            if not own.left or (px - own.yes_px) * own.direction > 0:
                break
            self._make_way(side, px, at_ns, draw, level=False)
            qty = min(own.left, size)
            own.left -= qty
            own.filled += qty
            self._book.taken(side, px, qty)
            self._counts.taken += 1
            self._pay(own, Px(px) if own.request.leg is Leg.YES else complement(px), qty, at_ns, draw, maker=False)
            if own.left:
                self._make_way(side, px, at_ns, draw, level=True)
        if own.left:
            self._make_way(side, own.yes_px, at_ns, draw, level=True)

    def _make_way(self, side: int, px: int, at_ns: int, draw: int, *, level: bool) -> None:
        for client_id in self.orders.in_the_way(side, px, level=level):
            self._counts.self_trades += 1
            self._close(client_id, at_ns, draw, "selfTradeCanceled")

    # -- the end

    def settle(self, yes_px: Px, at_ns: int) -> list[Fill]:
        """Orders go, tokens become what they pay, nothing is accepted any more; news of all of it is on its way."""
        self._over = True
        for client_id in self.orders.ids():
            self._close(client_id, at_ns, self.mail.sent, "outcomeSettledCanceled")
        return self.account.settle(yes_px, at_ns)
