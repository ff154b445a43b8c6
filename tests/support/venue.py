"""A venue that knows the truth, written without looking at how the engine keeps its books.

It holds every order under the venue's own ids, carries out requests when they arrive (if they do), and writes down
messages: reports of the order stream, fills, answers to requests, answers to questions. What becomes of a message
(delivered when, twice, or never) is the test's decision. Requests older than `EXPIRES_S` are refused by the venue, as
Hyperliquid does with `expiresAfter`.

Amending replaces: the old id ends, a new one opens, in one step. The reports of the two travel apart.

Reports and fills may be told twice, for the venue repeats them in snapshots. The answer to a request is told once:
whoever posted it waits for `PATIENCE_S`, then gives it up for lost and does not listen any more.
"""

from __future__ import annotations

import itertools
from typing import Any, Final

import attrs

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import ClientId, MarketId, VenueOrderId
from hlomm.domain.inputs import (
    AmendFailed,
    CancelFailed,
    FillReceived,
    Input,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    SendLost,
    SendRefused,
    SentAction,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import AmendRequest, CancelRequest, OrderRequest, Side, Tif
from hlomm.domain.outputs import AmendOrders, CancelOrders, Output, PlaceOrders, QueryOrder
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Cash, Px, Qty

EXPIRES_S: Final = 10.0
PATIENCE_S: Final = 5.0

Request = OrderRequest | AmendRequest | CancelRequest | QueryOrder


@attrs.define(eq=False)
class Rest:
    """One order under one venue id."""

    oid: VenueOrderId
    client_id: ClientId
    market: MarketId
    leg: Leg
    side: Side
    px: Px
    size: int
    filled: int = 0
    open: bool = True
    status: str = "open"

    @property
    def leaves(self) -> int:
        return self.size - self.filled if self.open else 0


@attrs.define(eq=False)
class InFlight:
    """A request on its way."""

    request: Request
    sent_ns: int


@attrs.define(eq=False)
class Letter:
    """A message on its way to the engine. `told` counts deliveries; `vital` ones are never lost for good."""

    item: Input
    vital: bool = False
    answers: Request | None = None
    """The request it answers, for what is told once."""
    written_ns: int = 0
    told: int = 0

    @property
    def repeatable(self) -> bool:
        return self.answers is None or not self.told


class TruthVenue:
    def __init__(self) -> None:
        self.by_oid: dict[VenueOrderId, Rest] = {}
        self.latest: dict[ClientId, Rest] = {}
        self.in_flight: list[InFlight] = []
        self.letters: list[Letter] = []
        self.fills: list[Fill] = []
        self.now_ns = 0
        self._oids = itertools.count(1)
        self._keys = itertools.count(1)

    # -- the engine's side

    def send(self, outputs: list[Output], now_ns: int) -> None:
        """Take the engine's outputs: every request is on its way."""
        for output in outputs:
            match output:
                case PlaceOrders(orders=requests) | AmendOrders(amends=requests) | CancelOrders(cancels=requests):
                    self.in_flight += [InFlight(request, now_ns) for request in requests]
                case QueryOrder():
                    self.in_flight.append(InFlight(output, now_ns))
                case _:
                    pass

    # -- what may happen to a request

    def arrive(self, flight: InFlight, now_ns: int, *, whim: int = 0) -> None:
        """It reaches the venue. `whim` chooses where the venue is free to choose."""
        self.in_flight.remove(flight)
        self.now_ns = now_ns
        request = flight.request
        if not isinstance(request, QueryOrder) and now_ns - flight.sent_ns > EXPIRES_S * NS_PER_S:
            self._refuse(request, "ActionExpired")
            return
        match request:
            case OrderRequest():
                self._place(request, whim)
            case AmendRequest():
                self._amend(request, whim)
            case CancelRequest():
                self._cancel(request)
            case QueryOrder():
                self._tell(self._answer(request.client_id))

    def lose(self, flight: InFlight) -> None:
        """It never arrives, and nobody knows."""
        self.in_flight.remove(flight)
        action = _action(flight.request)
        if action is not None:
            self._tell(SendLost((flight.request.client_id,), action, "no answer"), vital=True, answers=flight.request)

    def turn_back(self, flight: InFlight) -> None:
        """It certainly never left."""
        self.in_flight.remove(flight)
        action = _action(flight.request)
        if action is not None:
            refused = SendRefused((flight.request.client_id,), action, "not connected")
            self._tell(refused, vital=True, answers=flight.request)

    def grow_old(self, now_ns: int) -> None:
        """Answers that were not delivered in time are given up for lost by those who wait for them."""
        self.now_ns = now_ns
        for letter in self.letters:
            if letter.answers is None or letter.told or isinstance(letter.item, SendLost | SendRefused):
                continue
            action = _action(letter.answers)
            if action is not None and now_ns - letter.written_ns > PATIENCE_S * NS_PER_S:
                letter.item = SendLost((letter.answers.client_id,), action, "answer deadline")
                letter.vital = True

    def overdue(self, now_ns: int) -> list[Letter]:
        """Words of the own machine about its own posts: they cross no network and cannot be late."""
        return [
            letter
            for letter in self.letters
            if not letter.told
            and isinstance(letter.item, SendLost | SendRefused)
            and now_ns - letter.written_ns > PATIENCE_S * NS_PER_S
        ]

    # -- the market

    def match(self, rest: Rest, qty: int) -> None:
        """Somebody takes that much of a resting order."""
        assert rest.open
        assert 0 < qty <= rest.leaves
        rest.filled += qty
        fill = Fill(
            key=f"f{next(self._keys)}", market=rest.market, leg=rest.leg, side=rest.side, px=rest.px, qty=Qty(qty),
            fee=Cash(0), kind=FillKind.TRADE, maker=True, client_id=rest.client_id, venue_order_id=rest.oid, venue_ms=0,
        )  # fmt: skip
        self.fills.append(fill)
        self._tell(FillReceived(fill), vital=True)
        if rest.filled == rest.size:
            self._end(rest, "filled")
        else:
            self._tell(self._opened(rest))

    def withdraw(self, rest: Rest) -> None:
        """The venue takes an order out by itself (self-trade, settlement)."""
        self._end(rest, "selfTradeCanceled")

    # -- the truth

    def filled(self, client_id: ClientId) -> int:
        return sum(fill.qty for fill in self.fills if fill.client_id == client_id)

    def resting(self, client_id: ClientId) -> int:
        rest = self.latest.get(client_id)
        return 0 if rest is None else rest.leaves

    def may_still_fill(self, client_id: ClientId, now_ns: int) -> int:
        """The most that can yet be taken: what rests, and what requests on their way would add to it."""
        most = self.resting(client_id)
        for flight in self.in_flight:
            request = flight.request
            if now_ns - flight.sent_ns > EXPIRES_S * NS_PER_S or isinstance(request, CancelRequest | QueryOrder):
                continue
            if request.client_id != client_id:
                continue
            alive = isinstance(request, OrderRequest) or self.resting(client_id) > 0
            most += request.qty if alive else 0
        return most

    def undelivered(self) -> list[Letter]:
        return [letter for letter in self.letters if not letter.told]

    # -- carrying out

    def _place(self, request: OrderRequest, whim: int) -> None:
        if whim % 5 == 4:
            self._refuse(request, "BadAloPx")
            return
        rest = self._open(request, request.qty)
        if request.tif is Tif.IOC:
            self._end(rest, "canceled")
            return
        if whim % 5 == 3:  # matched on arrival
            self.match(rest, rest.size if whim % 2 else max(rest.size // 2, 1))
        if rest.open:
            rested = OrderOpened(client_id=rest.client_id, venue_order_id=rest.oid, leaves=None, venue_ms=0)
            self._tell(rested, answers=request)

    def _amend(self, request: AmendRequest, whim: int) -> None:
        old = self.by_oid.get(request.venue_order_id)
        if old is None or not old.open:
            self._refuse(request, "ModifyDead")
            return
        if whim % 4 == 3:  # refused; sometimes the old order goes with it
            if whim % 8 == 7:
                self._end(old, "canceled")
            self._refuse(request, "BadAloPx")
            return
        self._end(old, "canceled")
        new = self._open(request, request.qty)
        rested = OrderOpened(client_id=new.client_id, venue_order_id=new.oid, leaves=None, venue_ms=0)
        self._tell(rested, answers=request)

    def _cancel(self, request: CancelRequest) -> None:
        rest = self.latest.get(request.client_id)
        if rest is None or not rest.open:
            missing = CancelFailed(client_id=request.client_id, code="MissingOrder", text="gone or never placed")
            self._tell(missing, answers=request)
            return
        self._end(rest, "canceled")
        gone = OrderClosed(client_id=rest.client_id, venue_order_id=None, status="canceled", filled=None, venue_ms=0)
        self._tell(gone, answers=request)

    def _refuse(self, request: Request, code: str) -> None:
        match request:
            case OrderRequest(client_id=client_id):
                self._tell(OrderRejected(client_id=client_id, code=code, text=code), answers=request)
            case AmendRequest(client_id=client_id):
                self._tell(AmendFailed(client_id=client_id, code=code, text=code), answers=request)
            case CancelRequest(client_id=client_id):
                self._tell(CancelFailed(client_id=client_id, code=code, text=code), answers=request)
            case _:
                raise AssertionError(request)

    def _open(self, request: OrderRequest | AmendRequest, size: int) -> Rest:
        rest = Rest(
            VenueOrderId(str(next(self._oids))), request.client_id, request.market, request.leg, request.side,
            request.px, size,
        )  # fmt: skip
        self.by_oid[rest.oid] = self.latest[rest.client_id] = rest
        self._tell(self._opened(rest))
        return rest

    def _end(self, rest: Rest, status: str) -> None:
        rest.open, rest.status = False, status
        self._tell(self._closed(rest))

    def _answer(self, client_id: ClientId) -> OrderAnswer:
        rest = self.latest.get(client_id)
        if rest is None:
            return OrderAnswer(
                client_id=client_id, found=False, open=False, status="unknownOid", venue_order_id=None, leaves=Qty(0),
                filled=Qty(0),
            )  # fmt: skip
        return OrderAnswer(
            client_id=client_id, found=True, open=rest.open, status=rest.status, venue_order_id=rest.oid,
            leaves=Qty(rest.leaves), filled=Qty(rest.filled), px=rest.px,
        )  # fmt: skip

    def _opened(self, rest: Rest) -> OrderOpened:
        return OrderOpened(
            client_id=rest.client_id, venue_order_id=rest.oid, leaves=Qty(rest.size - rest.filled), venue_ms=0
        )

    def _closed(self, rest: Rest) -> OrderClosed:
        return OrderClosed(
            client_id=rest.client_id, venue_order_id=rest.oid, status=rest.status, filled=Qty(rest.filled), venue_ms=0
        )

    def _tell(self, item: Any, *, vital: bool = False, answers: Request | None = None) -> None:
        self.letters.append(Letter(item, vital, answers, self.now_ns))


def _action(request: Request) -> SentAction | None:
    match request:
        case OrderRequest():
            return SentAction.PLACE
        case AmendRequest():
            return SentAction.AMEND
        case CancelRequest():
            return SentAction.CANCEL
        case _:
            return None
