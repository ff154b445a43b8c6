"""Collects what one turn decides and hands it out in the order that is safe: cancels, reductions, then the rest."""

from __future__ import annotations

from typing import TypeVar

from hlomm.domain.ids import ClientId, MarketId, VenueId, is_outcome
from hlomm.domain.orders import AmendRequest, CancelRequest, OrderRequest, Purpose, Tif
from hlomm.domain.outputs import (
    Alert,
    AlertLevel,
    AmendOrders,
    CancelOrders,
    ConvertSet,
    ExitRequested,
    HaltChanged,
    Output,
    PlaceOrders,
    QueryAccount,
    QueryOrder,
    ResetBreaker,
    Subscribe,
    Unsubscribe,
)

Kind = TypeVar("Kind")
Request = TypeVar("Request", OrderRequest, AmendRequest)


class Outbox:
    def __init__(self) -> None:
        self._news: list[Output] = []
        self._cancels: dict[VenueId, list[CancelRequest]] = {}
        self._conversions: list[Output] = []
        self._amends: dict[VenueId, list[AmendRequest]] = {}
        self._places: dict[tuple[VenueId, bool, Tif, bool], list[OrderRequest]] = {}
        self._rest: list[Output] = []

    def cancel(self, venue: VenueId, request: CancelRequest) -> None:
        self._cancels.setdefault(venue, []).append(request)

    def amend(self, venue: VenueId, request: AmendRequest) -> None:
        self._amends.setdefault(venue, []).append(request)

    def place(self, venue: VenueId, request: OrderRequest) -> None:
        quotes = request.purpose in (Purpose.QUOTE, Purpose.REST)
        kind = (venue, quotes, request.tif, is_outcome(request.market))
        self._places.setdefault(kind, []).append(request)

    def withdraw(self, client_id: ClientId) -> bool:
        """Take back a placement or an amend that nobody was handed yet; whether there was one."""
        return _without(self._places, client_id) or _without(self._amends, client_id)

    def convert(self, market: MarketId, output: ConvertSet) -> None:
        assert output.market == market
        self._conversions.append(output)

    def query(self, venue: VenueId, client_id: ClientId) -> None:
        self._rest.append(QueryOrder(venue, client_id))

    def query_account(self, venue: VenueId) -> None:
        output = QueryAccount(venue)
        if output not in self._rest:
            self._rest.append(output)

    def reset_breaker(self, venue: VenueId) -> None:
        self._rest.append(ResetBreaker(venue))

    def subscribe(self, market: MarketId) -> None:
        self._rest.append(Subscribe(market))

    def unsubscribe(self, market: MarketId) -> None:
        self._rest.append(Unsubscribe(market))

    def alert(self, level: AlertLevel, code: str, text: str, market: MarketId | None = None) -> None:
        self._news.append(Alert(level=level, code=code, text=text, market=market))

    def halt(self, output: HaltChanged) -> None:
        self._news.append(output)

    def exit(self, reason: str) -> None:
        self._news.append(ExitRequested(reason))

    @property
    def waiting(self) -> bool:
        """Whether anything was collected that has not been handed out."""
        return bool(
            self._news or self._cancels or self._conversions or self._amends or self._places or self._rest
        )  # fmt: skip

    def drain(self) -> list[Output]:
        """Everything collected, in sending order; the outbox is empty afterwards."""
        if not self.waiting:
            return []
        outputs: list[Output] = self._news
        outputs.extend(CancelOrders(venue, tuple(items)) for venue, items in self._cancels.items())
        outputs.extend(self._conversions)
        # Batches keep one time in force: a single taker order would cost the whole batch its post-only priority. Perps
        # go by themselves, because a price the venue refuses would take the whole batch with it.
        for quotes in (False, True):
            if quotes:
                outputs.extend(AmendOrders(venue, tuple(items)) for venue, items in self._amends.items())
            for (venue, is_quote, _tif, _outcome), items in self._places.items():
                if is_quote is quotes:
                    outputs.append(PlaceOrders(venue, tuple(items)))
        outputs.extend(self._rest)
        self._news, self._conversions, self._rest = [], [], []
        self._cancels, self._amends, self._places = {}, {}, {}
        return outputs


def _without(batches: dict[Kind, list[Request]], client_id: ClientId) -> bool:
    for kind, requests in batches.items():
        kept = [request for request in requests if request.client_id != client_id]
        if len(kept) < len(requests):
            batches[kind] = kept
            if not kept:
                del batches[kind]
            return True
    return False
