"""A venue made of a recorded tape: our orders rest beside it and fill only from trades that really happened.

It lives in its own time: books, prints and our requests take effect in the order in which they reach it, whatever the
engine knows by then (`hlomm.research.tape`). So an order can fill between a cancel's sending and its arrival. The rules
of a market are in `tape_market`; one purse pays for all markets.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence

import attrs

from hlomm.domain.fills import Fill
from hlomm.domain.ids import HYPERLIQUID, ClientId, MarketId, VenueId
from hlomm.domain.inputs import (
    AccountState,
    BboUpdate,
    FeeRates,
    OrderAnswer,
    OrderRejected,
    PerpBalance,
    RestingOrder,
)
from hlomm.domain.markets import Leg, Market
from hlomm.domain.outputs import AmendOrders, CancelOrders, ConvertSet, PlaceOrders, QueryAccount, QueryOrder
from hlomm.domain.units import Cash, Px, Qty
from hlomm.research.fill_model import FillModel
from hlomm.research.tape import Happened, order_of
from hlomm.research.tape_account import Purse, TapeAccount
from hlomm.research.tape_counts import Counts
from hlomm.research.tape_mail import Mail, Request
from hlomm.research.tape_market import TapeMarket
from hlomm.research.tape_perp import PerpWallet, TapePerp

FREE = FeeRates(venue=HYPERLIQUID, open_maker=0, open_taker=0, close_maker=0, close_taker=0, settle=0)

PAST_KEPT = 10_000
"""Of a tape that grows, what has happened already is let go of in pieces of this size."""


@attrs.frozen(kw_only=True)
class Opening:
    """What an account has beside its cash."""

    tokens: Mapping[MarketId, Mapping[Leg, int]] = attrs.field(factory=dict)
    wallet: int = 0
    """Of perps; an empty one lends nothing."""
    perps: tuple[PerpBalance, ...] = ()
    numbered: int = 0
    """Orders and movements that have a number already."""


class TapeVenue:
    """Money is in `purse` and the markets' accounts, what is on its way in `mail`."""

    def __init__(
        self, markets: Sequence[Market], cash: Cash, model: FillModel, tape: Sequence[Happened] = (),
        rates: Mapping[MarketId, FeeRates] | None = None, ahead_ns: int = 0, opening: Opening | None = None,
    ) -> None:  # fmt: skip
        """Outcome markets; one without rates is free. `ahead_ns`: wall less monotonic time of whoever trades here.

        `opening`: what an account that goes on has beside its cash.
        """
        opening = Opening() if opening is None else opening
        self.ahead_ns = ahead_ns
        self._tape = tape
        self._place = 0
        self.mail = Mail(model.latency)
        self.purse = Purse(cash, opening.numbered)
        self._held = dict(opening.tokens)
        self.wallet = PerpWallet(opening.wallet)
        self._perps_held = {one.market: one for one in opening.perps}
        self.perps: dict[MarketId, TapePerp] = {}
        self._model = model
        self.counts = Counts()
        self.markets: dict[MarketId, TapeMarket] = {}
        for market in markets:
            self.open(market, FREE if rates is None else rates.get(market.id, FREE))

    def open(self, market: Market, rates: FeeRates) -> None:
        """From now on it trades here. One that does already keeps its orders: sessions tell listings again."""
        if market.id in self.markets:
            return
        self.markets[market.id] = TapeMarket(
            market, self.purse, self._model, rates, self.mail, self.counts, self._held.pop(market.id, None)
        )

    def open_perp(self, market: Market) -> None:
        """From now on it can be taken for hedges; what nobody opens is refused for an empty wallet."""
        if market.id not in self.perps:
            held = self._perps_held.pop(market.id, None)
            self.perps[market.id] = TapePerp(market, self.wallet, self.purse, self.mail, held)

    def expect(self, happened: Happened) -> None:
        """Something more that happens here, where the tape grows while it runs; what is late comes next."""
        assert isinstance(self._tape, list)
        if self._place >= PAST_KEPT:
            del self._tape[: self._place]
            self._place = 0
        insort(self._tape, happened, lo=self._place, key=order_of)

    def account(self, asked_ns: int, venue: VenueId = HYPERLIQUID) -> AccountState:
        """Of another venue an empty one: a tape of it is heard, and nothing can be bought there."""
        asked_mono_ns = asked_ns - self.ahead_ns
        if venue != HYPERLIQUID:
            return AccountState(venue=venue, cash=Cash(0), tokens=(), orders=(), asked_mono_ns=asked_mono_ns)
        accounts = [*(market.account for market in self.markets.values()), *map(self._unlisted, self._held)]
        return AccountState(
            venue=venue, cash=Cash(self.purse.cash),
            tokens=tuple(token for account in accounts for token in account.held()), orders=tuple(self.resting()),
            asked_mono_ns=asked_mono_ns, perp_cash=Cash(self.wallet.raw),
            perps=(*self._perps_held.values(), *filter(None, (perp.balance() for perp in self.perps.values()))),
        )  # fmt: skip

    def resting(self) -> list[RestingOrder]:
        """Orders of ours in all markets."""
        return [order for market in self.markets.values() for order in market.resting()]

    @property
    def unlisted(self) -> list[MarketId]:
        """Markets of which tokens are held since before this venue began, and that it does not list."""
        return list(self._held)

    def _unlisted(self, market: MarketId) -> TapeAccount:
        return TapeAccount(market, self.purse, FREE, self._held[market])

    # -- time

    def next_ns(self) -> int | None:
        """When the next thing happens at the venue."""
        arrives_ns, tape, place = self.mail.next_request_ns(), self._tape, self._place
        if place == len(tape):
            return arrives_ns
        at_ns = tape[place].at_ns
        return at_ns if arrives_ns is None or at_ns < arrives_ns else arrives_ns

    def step(self) -> None:
        """The next thing at the venue; of two at one time the market's own comes first."""
        arrives_ns = self.mail.next_request_ns()
        if self._place < len(self._tape):
            happened = self._tape[self._place]
            if arrives_ns is None or happened.at_ns <= arrives_ns:
                self._place += 1
                if isinstance(happened.item, BboUpdate):
                    if (perp := self.perps.get(happened.item.market)) is not None:
                        perp.happens(happened.item)
                elif (market := self.markets.get(happened.item.market)) is not None:
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
                    if (perp := self.perps.get(order.market)) is not None:
                        perp.place(order, at_ns, draw)
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
                    elif (perp := self.perps.get(cancel.market)) is not None:
                        perp.cancel(cancel.client_id, at_ns, draw)
            case QueryOrder(client_id=client_id):
                self.mail.tell(at_ns, draw, self.answer(client_id), client_id)
            case QueryAccount(venue=venue):
                self.mail.tell(at_ns, draw, self.account(request.sent_ns, venue), None)
            case ConvertSet() as conversion:
                if (market := self.markets.get(conversion.market)) is not None:
                    market.convert(conversion, at_ns, draw)

    def answer(self, client_id: ClientId) -> OrderAnswer:
        """What is known of an order here."""
        known: Iterable[TapeMarket | TapePerp] = (*self.markets.values(), *self.perps.values())
        for market in known:
            if (answer := market.answer(client_id)) is not None:
                return answer
        return OrderAnswer(
            client_id=client_id, found=False, open=False, status="unknownOid", venue_order_id=None, leaves=Qty(0),
            filled=Qty(0),
        )  # fmt: skip

    # -- the end

    def settle(self, market: MarketId, yes_px: Px, at_ns: int) -> list[Fill]:
        """Orders go, tokens become what they pay, nothing is accepted any more; news of all of it is on its way.

        What is held of a market that this venue never listed pays too, without a fee: nobody knows its rates any more.
        """
        if market in self._held:
            parts = self._unlisted(market).settle(yes_px, at_ns)
            del self._held[market]
            return parts
        return self.markets[market].settle(yes_px, at_ns)

    def forget(self, market: MarketId) -> None:
        """A market that has settled, its news told: nothing is known of its orders any more."""
        gone = self.markets.pop(market)
        assert not gone.account.held(), "what is held of a market is not forgotten"
        self.purse.claims.remove(gone.orders)

    @property
    def filled_from(self) -> list[tuple[str, int, int]]:
        """(trade id, our fill, size of the print) of every market, for the audit."""
        return [one for market in self.markets.values() for one in market.filled_from]
