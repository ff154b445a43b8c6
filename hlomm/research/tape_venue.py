"""A venue made of a recorded tape: our orders rest beside it and fill only from trades that really happened.

It lives in its own time: books, prints and our requests take effect in the order in which they reach it, whatever the
engine knows by then (`hlomm.research.tape`). So an order can fill between a cancel's sending and its arrival. The rules
of a market are in `tape_market`; one purse pays for all markets.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence

from hlomm.domain.fills import Fill
from hlomm.domain.ids import HYPERLIQUID, ClientId, MarketId, VenueId
from hlomm.domain.inputs import (
    AccountState,
    FeeRates,
    OrderAnswer,
    OrderRejected,
)
from hlomm.domain.markets import Market
from hlomm.domain.outputs import AmendOrders, CancelOrders, ConvertSet, PlaceOrders, QueryAccount, QueryOrder
from hlomm.domain.units import Cash, Px, Qty
from hlomm.research.fill_model import FillModel
from hlomm.research.tape import Happened, order_of
from hlomm.research.tape_account import Purse
from hlomm.research.tape_counts import Counts
from hlomm.research.tape_mail import Mail, Request
from hlomm.research.tape_market import TapeMarket

FREE = FeeRates(venue=HYPERLIQUID, open_maker=0, open_taker=0, close_maker=0, close_taker=0, settle=0)

PAST_KEPT = 10_000
"""Of a tape that grows, what has happened already is let go of in pieces of this size."""


class TapeVenue:
    """Money is in `purse` and the markets' accounts, what is on its way in `mail`."""

    def __init__(
        self, markets: Sequence[Market], cash: Cash, model: FillModel, tape: Sequence[Happened] = (),
        rates: Mapping[MarketId, FeeRates] | None = None, ahead_ns: int = 0,
    ) -> None:  # fmt: skip
        """Outcome markets; one without rates is free. `ahead_ns`: wall less monotonic time of whoever trades here."""
        self.ahead_ns = ahead_ns
        self._tape = tape
        self._place = 0
        self.mail = Mail(model.latency)
        self.purse = Purse(cash)
        self._model = model
        self.counts = Counts()
        self.markets: dict[MarketId, TapeMarket] = {}
        for market in markets:
            self.open(market, FREE if rates is None else rates.get(market.id, FREE))

    def open(self, market: Market, rates: FeeRates) -> None:
        """From now on it trades here. One that does already keeps its orders: sessions tell listings again."""
        if market.id in self.markets:
            return
        self.markets[market.id] = TapeMarket(market, self.purse, self._model, rates, self.mail, self.counts)

    def expect(self, happened: Happened) -> None:
        """Something more that happens here, where the tape grows while it runs; what is late comes next."""
        assert isinstance(self._tape, list)
        if self._place >= PAST_KEPT:
            del self._tape[: self._place]
            self._place = 0
        insort(self._tape, happened, lo=self._place, key=order_of)

    def account(self, asked_ns: int, venue: VenueId = HYPERLIQUID) -> AccountState:
        """Of another venue an empty one: a tape of it is heard, and nothing can be bought there."""
        here = venue == HYPERLIQUID
        tokens = tuple(token for market in self.markets.values() for token in market.account.held())
        return AccountState(
            venue=venue, cash=Cash(self.purse.cash if here else 0), tokens=tokens if here else (), orders=(),
            asked_mono_ns=asked_ns - self.ahead_ns,
        )  # fmt: skip

    # -- time

    def next_ns(self) -> int | None:
        """When the next thing happens at the venue."""
        arrives_ns = self.mail.next_request_ns()
        if self._place == len(self._tape):
            return arrives_ns
        at_ns = self._tape[self._place].at_ns
        return at_ns if arrives_ns is None else min(at_ns, arrives_ns)

    def step(self) -> None:
        """The next thing at the venue; of two at one time the market's own comes first."""
        arrives_ns = self.mail.next_request_ns()
        if self._place < len(self._tape):
            happened = self._tape[self._place]
            if arrives_ns is None or happened.at_ns <= arrives_ns:
                self._place += 1
                if (market := self.markets.get(happened.item.market)) is not None:
                    market.happens(happened)
                return
        self._take(*self.mail.arrived())

    # -- what reaches the venue

    def _take(self, at_ns: int, request: Request) -> None:
        draw = request.number
        match request.output:
            case PlaceOrders(orders=orders):
                for order in orders:
                    if (market := self.markets.get(order.market)) is not None:
                        market.place(order, at_ns, draw)
                        continue
                    # The perp wallet is empty; what a hedge would have done is an overlay.
                    text = "empty perp wallet"
                    refused = OrderRejected(client_id=order.client_id, code="PerpMargin", text=text)
                    self.mail.tell(at_ns, draw, refused, order.client_id)
            case AmendOrders(amends=amends):
                for amend in amends:
                    if (market := self.markets.get(amend.market)) is not None:
                        market.amend(amend, at_ns, draw)
            case CancelOrders(cancels=cancels):
                for cancel in cancels:
                    if (market := self.markets.get(cancel.market)) is not None:
                        market.cancel(cancel.client_id, at_ns, draw)
            case QueryOrder(client_id=client_id):
                self.mail.tell(at_ns, draw, self._answer(client_id), client_id)
            case QueryAccount(venue=venue):
                self.mail.tell(at_ns, draw, self.account(request.sent_ns, venue), None)
            case ConvertSet() as conversion:
                if (market := self.markets.get(conversion.market)) is not None:
                    market.convert(conversion, at_ns, draw)

    def _answer(self, client_id: ClientId) -> OrderAnswer:
        for market in self.markets.values():
            if (answer := market.answer(client_id)) is not None:
                return answer
        return OrderAnswer(
            client_id=client_id, found=False, open=False, status="unknownOid", venue_order_id=None, leaves=Qty(0),
            filled=Qty(0),
        )  # fmt: skip

    # -- the end

    def settle(self, market: MarketId, yes_px: Px, at_ns: int) -> list[Fill]:
        """Orders go, tokens become what they pay, nothing is accepted any more; news of all of it is on its way."""
        return self.markets[market].settle(yes_px, at_ns)

    @property
    def filled_from(self) -> list[tuple[str, int, int]]:
        """(trade id, our fill, size of the print) of every market, for the audit."""
        return [one for market in self.markets.values() for one in market.filled_from]
