"""A venue made of a recorded tape: our orders rest beside it and fill only from trades that really happened.

Fill model, conservative by construction: an order joins the back of its level; only prints move it forward (cancels
are taken to be behind us, the level's size on arrival is all ahead); a print at a worse price than ours would have
hit us first and fills us at our price. No order fills for more than the print that filled it, and a print is used up
once. Nothing of ours moves the market. Orders become active a fixed delay after they are sent and news of them takes
a fixed delay back; a print is matched by venue time. (QUANT 9.)
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

import attrs

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import HYPERLIQUID, ClientId, MarketId, VenueOrderId
from hlomm.domain.inputs import (
    AccountState,
    AmendFailed,
    BookSnapshot,
    ConversionFailed,
    FillReceived,
    Input,
    Level,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    TokenBalance,
    TradePrint,
)
from hlomm.domain.markets import Leg, Market
from hlomm.domain.orders import AmendRequest, OrderRequest, Side, Tif, direction, yes_px
from hlomm.domain.outputs import AmendOrders, CancelOrders, ConvertSet, Output, PlaceOrders, QueryAccount, QueryOrder
from hlomm.domain.sets import SetAction
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import SCALE, Cash, Px, Qty, complement, notional_ceil, notional_floor, to_float
from hlomm.pricing.queues import QueueModel, QueuePosition

FILL_MODEL = "back-of-queue, prints only, trade-through at own price, v1"


@attrs.frozen(kw_only=True)
class Delays:
    """Nanoseconds. Defaults are half of the venue's typical 380 ms from sending to the answer, each way."""

    entry_ns: int = 190_000_000
    answer_ns: int = 190_000_000


@attrs.define(eq=False, kw_only=True)
class _Resting:
    request: OrderRequest
    oid: VenueOrderId
    px: Px
    """Own coin."""
    active_ns: int
    queue: QueuePosition | None
    """None while the level is deeper than the recorded book: nothing is known ahead of us, so nothing fills."""
    filled: int = 0

    @property
    def yes_px(self) -> Px:
        return yes_px(self.request.leg, self.px)

    @property
    def direction(self) -> int:
        return direction(self.request.leg, self.request.side)


class TapeVenue:
    def __init__(self, market: Market, delays: Delays, cash: Cash, queue_model: QueueModel = QueueModel.BACK) -> None:
        self._market = market
        self._delays = delays
        self._queue_model = queue_model
        self.cash = int(cash)
        self.tokens = {Leg.YES: 0, Leg.NO: 0}
        self._bids: tuple[Level, ...] = ()
        self._asks: tuple[Level, ...] = ()
        self._orders: dict[ClientId, _Resting] = {}
        self._finished: dict[ClientId, tuple[VenueOrderId, int, str]] = {}
        self._arriving: list[tuple[int, int, Output]] = []
        self._news: list[tuple[int, int, Input]] = []
        self._sequence = 0
        self._trades = 0
        self.filled_from: list[tuple[str, int, int]] = []
        """(trade id, our fill, size of the print), for the audit."""

    # -- time

    def next_ns(self) -> int | None:
        """When something of ours arrives at the venue or news arrives at us."""
        times = [queue[0][0] for queue in (self._arriving, self._news) if queue]
        return min(times) if times else None

    def due(self, now_ns: int) -> list[Input]:
        """News that has reached us by now; orders whose time has come are at the venue."""
        while self._arriving and self._arriving[0][0] <= now_ns:
            at_ns, _, output = heapq.heappop(self._arriving)
            self._take(output, at_ns)
        found = []
        while self._news and self._news[0][0] <= now_ns:
            found.append(heapq.heappop(self._news)[2])
        return found

    def submit(self, output: Output, now_ns: int) -> None:
        self._sequence += 1
        heapq.heappush(self._arriving, (now_ns + self._delays.entry_ns, self._sequence, output))

    def _tell(self, at_ns: int, item: Input) -> None:
        self._sequence += 1
        heapq.heappush(self._news, (at_ns + self._delays.answer_ns, self._sequence, item))

    # -- what reaches the venue

    def _take(self, output: Output, at_ns: int) -> None:
        match output:
            case PlaceOrders(orders=orders):
                for order in orders:
                    self._place(order, at_ns)
            case AmendOrders(amends=amends):
                for amend in amends:
                    self._amend(amend, at_ns)
            case CancelOrders(cancels=cancels):
                for cancel in cancels:
                    self._cancel(cancel.client_id, at_ns, "canceled")
            case QueryOrder(client_id=client_id):
                self._tell(at_ns, self._answer(client_id))
            case QueryAccount():
                self._tell(at_ns, self.account(at_ns))
            case ConvertSet():
                self._convert(output, at_ns)
            case _:
                pass  # alerts, halts and subscriptions mean nothing to a tape

    def _place(self, order: OrderRequest, at_ns: int) -> None:
        if order.market != self._market.id:
            # The tape is of one outcome; its perp wallet is empty, and what a hedge would have done is an overlay.
            self._tell(at_ns, OrderRejected(client_id=order.client_id, code="PerpMargin", text="empty perp wallet"))
            return
        code = self._refusal(order.leg, order.side, order.px, order.qty, order.tif, ignoring=None)
        if code is not None:
            self._tell(at_ns, OrderRejected(client_id=order.client_id, code=code, text=code))
            return
        self._sequence += 1
        resting = _Resting(
            request=order, oid=VenueOrderId(str(self._sequence)), px=order.px, active_ns=at_ns, queue=None
        )
        if order.tif is Tif.IOC:
            self._sweep(resting, at_ns)
            return
        resting.queue = self._queue_at(resting, order.qty)
        self._orders[order.client_id] = resting
        self._tell(
            at_ns,
            OrderOpened(
                client_id=order.client_id, venue_order_id=resting.oid, leaves=order.qty, venue_ms=at_ns // NS_PER_MS
            ),
        )

    def _amend(self, amend: AmendRequest, at_ns: int) -> None:
        resting = self._orders.get(amend.client_id)
        if resting is None:
            text = "Cannot modify canceled or filled order"
            self._tell(at_ns, AmendFailed(client_id=amend.client_id, code="ModifyDead", text=text))
            return
        code = self._refusal(amend.leg, amend.side, amend.px, amend.qty, amend.tif, ignoring=resting)
        if code is not None:
            # The old order is gone before the new one is judged.
            self._cancel(amend.client_id, at_ns, "canceled")
            self._tell(at_ns, AmendFailed(client_id=amend.client_id, code=code, text=code))
            return
        self._sequence += 1
        resting.oid, resting.px, resting.active_ns, resting.filled = (
            VenueOrderId(str(self._sequence)),
            amend.px,
            at_ns,
            0,
        )
        resting.queue = self._queue_at(resting, amend.qty)
        self._tell(
            at_ns,
            OrderOpened(
                client_id=amend.client_id, venue_order_id=resting.oid, leaves=amend.qty, venue_ms=at_ns // NS_PER_MS
            ),
        )

    def _cancel(self, client_id: ClientId, at_ns: int, status: str) -> None:
        resting = self._orders.pop(client_id, None)
        if resting is None:
            return
        self._finished[client_id] = (resting.oid, resting.filled, status)
        self._tell(
            at_ns,
            OrderClosed(
                client_id=client_id, venue_order_id=resting.oid, status=status, filled=Qty(resting.filled),
                venue_ms=at_ns // NS_PER_MS,
            ),
        )  # fmt: skip

    def _answer(self, client_id: ClientId) -> OrderAnswer:
        resting = self._orders.get(client_id)
        if resting is not None:
            left = self._remaining(resting)
            return OrderAnswer(
                client_id=client_id, found=True, open=True, status="open", venue_order_id=resting.oid,
                leaves=Qty(left), filled=Qty(resting.filled), px=resting.px,
            )  # fmt: skip
        finished = self._finished.get(client_id)
        if finished is None:
            return OrderAnswer(
                client_id=client_id, found=False, open=False, status="unknownOid", venue_order_id=None, leaves=Qty(0),
                filled=Qty(0),
            )  # fmt: skip
        oid, filled, status = finished
        return OrderAnswer(
            client_id=client_id, found=True, open=False, status=status, venue_order_id=oid, leaves=Qty(0),
            filled=Qty(filled),
        )  # fmt: skip

    def _convert(self, request: ConvertSet, at_ns: int) -> None:
        """Pairs and cash for one another; the tape is of one outcome and knows no question."""
        refusal = self._unconvertible(request.action, request.qty)
        if refusal is not None:
            self._tell(at_ns, ConversionFailed(action=request.action, market=self._market.id, text=refusal))
            return
        side, kind = Side.BUY if request.action is SetAction.SPLIT else Side.SELL, FillKind(request.action.value)
        halves = [
            self._booked(None, leg, side, Px(SCALE // 2), request.qty, at_ns, kind=kind, maker=False) for leg in Leg
        ]
        self._tell(at_ns, FillReceived(halves[0], tuple(halves[1:])))

    def _unconvertible(self, action: SetAction, qty: int) -> str | None:
        match action:
            case SetAction.SPLIT:
                return "not that much cash" if self.cash < qty else None
            case SetAction.MERGE:
                return "not that many pairs" if min(self.tokens.values()) < qty else None
            case SetAction.NEGATE | SetAction.MERGE_QUESTION:
                return "no such question"

    def account(self, asked_ns: int) -> AccountState:
        tokens = tuple(
            TokenBalance(self._market.id, leg, Qty(held), Cash(0)) for leg, held in self.tokens.items() if held
        )
        return AccountState(venue=HYPERLIQUID, cash=Cash(self.cash), tokens=tokens, orders=(), asked_mono_ns=asked_ns)

    # -- rules of the venue

    def _refusal(self, leg: Leg, side: Side, px: Px, qty: Qty, tif: Tif, *, ignoring: _Resting | None) -> str | None:
        if notional_floor(px, qty) < self._market.min_notional:
            return "MinTradeSpotNtl"
        others = [order for order in self._orders.values() if order is not ignoring]
        if side is Side.SELL:
            claimed = sum(self._remaining(o) for o in others if o.request.leg is leg and o.request.side is Side.SELL)
            if qty > self.tokens[leg] - claimed:
                return "InsufficientSpotBalance"
        else:
            claimed = sum(notional_ceil(o.px, self._remaining(o)) for o in others if o.request.side is Side.BUY)
            if notional_ceil(px, qty) > self.cash - claimed:
                return "InsufficientSpotBalance"
        touch = self._asks if direction(leg, side) > 0 else self._bids
        crosses = bool(touch) and (yes_px(leg, px) - touch[0][0]) * direction(leg, side) >= 0
        return "BadAloPx" if tif is Tif.ALO and crosses else None

    def _remaining(self, resting: _Resting) -> int:
        queue = resting.queue
        return int(resting.request.qty) if queue is None else round(queue.remaining * SCALE)

    def _queue_at(self, resting: _Resting, qty: int) -> QueuePosition:
        ahead = self._level_size(resting)
        return QueuePosition(
            model=self._queue_model, level_qty=1e15 if ahead is None else to_float(ahead), remaining=to_float(qty),
            lot=to_float(self._market.lot),
        )  # fmt: skip

    def _level_size(self, resting: _Resting) -> int | None:
        """Size of the order's level in the recorded book; None where the book does not reach that deep."""
        levels = self._bids if resting.direction > 0 else self._asks
        for px, qty in levels:
            if px == resting.yes_px:
                return qty
            if (px - resting.yes_px) * resting.direction < 0:
                return 0  # between recorded levels, or better than the best
        return None if levels else 0

    # -- the tape

    def book(self, item: BookSnapshot) -> None:
        self._bids, self._asks = item.bids, item.asks
        for resting in self._orders.values():
            size = self._level_size(resting)
            if resting.queue is not None and size is not None:
                resting.queue.depth(to_float(size))

    def trade(self, item: TradePrint, exchange_ns: int, received_ns: int) -> None:
        """Fill what the print would have filled; news comes as late as the print itself did."""
        left = int(item.qty)
        for client_id, resting in list(self._orders.items()):
            if left <= 0:
                break
            if resting.active_ns > exchange_ns or resting.direction == int(item.aggressor):
                continue
            filled = self._fill_from(resting, item, left)
            if filled:
                left -= filled
                self.filled_from.append((item.trade_id, filled, item.qty))
                self._filled(client_id, resting, filled, exchange_ns, received_ns)

    def _fill_from(self, resting: _Resting, item: TradePrint, left: int) -> int:
        assert resting.queue is not None
        beyond = (resting.yes_px - item.px) * resting.direction
        if beyond < 0:
            return 0
        queue = resting.queue
        if beyond > 0:
            filled = min(round(queue.remaining * SCALE), left)
            queue.remaining -= to_float(filled)
            return filled
        return round(queue.trade(to_float(left)) * SCALE)

    def _filled(self, client_id: ClientId, resting: _Resting, qty: int, exchange_ns: int, received_ns: int) -> None:
        resting.filled += qty
        request = resting.request
        at_ns = received_ns - self._delays.answer_ns  # `_tell` adds the way back; the print's own delay is enough
        self._book_fill(
            resting, request.leg, request.side, resting.px, qty, at_ns, maker=True,
            exchange_ns=exchange_ns,
        )  # fmt: skip
        assert resting.queue is not None
        if round(resting.queue.remaining * SCALE) <= 0:
            self._cancel(client_id, at_ns, "filled")

    def _sweep(self, resting: _Resting, at_ns: int) -> None:
        """Immediate-or-cancel against the recorded book; it is not depleted, so do not repeat it at will."""
        request = resting.request
        levels = self._asks if resting.direction > 0 else self._bids
        left = int(request.qty)
        for px, size in levels:
            if left <= 0 or (px - resting.yes_px) * resting.direction > 0:
                break
            taken = min(left, size)
            left -= taken
            own = Px(px) if request.leg is Leg.YES else complement(px)
            resting.filled += taken
            self._book_fill(resting, request.leg, request.side, own, taken, at_ns, maker=False)
        status = "filled" if resting.filled else "iocCancelRejected"
        self._finished[request.client_id] = (resting.oid, resting.filled, status)
        self._tell(
            at_ns,
            OrderClosed(
                client_id=request.client_id, venue_order_id=resting.oid, status=status, filled=Qty(resting.filled),
                venue_ms=at_ns // NS_PER_MS,
            ),
        )  # fmt: skip

    def _book_fill(
        self, resting: _Resting, leg: Leg, side: Side, px: Px, qty: int, at_ns: int, *, maker: bool,
        exchange_ns: int | None = None,
    ) -> None:  # fmt: skip
        fill = self._booked(
            resting, leg, side, px, qty, at_ns, kind=FillKind.TRADE, maker=maker, exchange_ns=exchange_ns
        )
        self._tell(at_ns, FillReceived(fill))

    def _booked(
        self, resting: _Resting | None, leg: Leg, side: Side, px: Px, qty: int, at_ns: int, *, kind: FillKind,
        maker: bool, exchange_ns: int | None = None,
    ) -> Fill:  # fmt: skip
        if side is Side.BUY:
            self.cash -= notional_ceil(px, qty)
            self.tokens[leg] += qty
        else:
            self.cash += notional_floor(px, qty)
            self.tokens[leg] -= qty
        assert self.cash >= 0
        assert self.tokens[leg] >= 0
        self._trades += 1
        return Fill(
            key=f"tape:{self._trades}", market=self._market.id, leg=leg, side=side, px=px, qty=Qty(qty), fee=Cash(0),
            kind=kind, maker=maker, client_id=resting.request.client_id if resting is not None else None,
            venue_order_id=resting.oid if resting is not None else None,
            venue_ms=(at_ns if exchange_ns is None else exchange_ns) // NS_PER_MS,
        )  # fmt: skip

    def settle(self, yes_px: Px) -> None:
        """Tokens become cash, resting orders go."""
        for leg, px in ((Leg.YES, yes_px), (Leg.NO, complement(yes_px))):
            self.cash += notional_floor(px, self.tokens[leg])
            self.tokens[leg] = 0
        self._orders.clear()

    def resting(self) -> Iterable[MarketId]:
        return [order.request.market for order in self._orders.values()]
