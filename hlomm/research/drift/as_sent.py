"""The orders of a live run, sent again at their times to the fill model instead of the venue.

The model refuses nothing for want of cash or tokens, for it does not know the account; what the venue refused for that
is left out instead, and a change so refused ends its order, as it does there. Sets are not converted: a pair is worth 1
whatever becomes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hlomm.domain.ids import ClientId
from hlomm.domain.inputs import AmendFailed, FillReceived, Input, OrderRejected
from hlomm.domain.markets import Leg
from hlomm.domain.orders import CancelRequest
from hlomm.domain.outputs import AmendOrders, CancelOrders, Output, PlaceOrders
from hlomm.domain.units import SCALE, Cash
from hlomm.pricing.queues import QueueModel
from hlomm.research.drift.delays import Delays
from hlomm.research.fill_model import FillModel
from hlomm.research.journal_recording import Own, Traded
from hlomm.research.tape import lines
from hlomm.research.tape_venue import FREE, TapeVenue

_PLENTY: Final = 10**9 * SCALE
_BALANCE: Final = ("InsufficientSpotBalance",)
"""What the venue calls it."""


def fills_as_sent(
    traded: Traded, delays: Delays, until_ns: int, queue: QueueModel = QueueModel.BACK
) -> list[tuple[int, Input]]:
    """(when we would have heard, news) of every fill that the model gives these orders."""
    outcome, model = traded.recording.outcome, FillModel(queue=queue, latency=delays.latency())
    of = lines(traded.recording.events, model.latency.feed)
    rates = {outcome.id: FREE if traded.fees is None else traded.fees}
    venue = TapeVenue((outcome,), Cash(_PLENTY), model, of.tape, rates)
    venue.markets[outcome.id].account.tokens.update(dict.fromkeys(Leg, _PLENTY))
    for ns, output in _affordable(traded.own):
        if ns <= until_ns:
            venue.mail.send(output, ns)
    while (at_ns := venue.next_ns()) is not None and at_ns <= until_ns:
        venue.step()
    return list(_heard(venue, until_ns))


def _affordable(own: Own) -> Iterator[tuple[int, Output]]:
    refused: dict[ClientId, list[int]] = {}
    for ns, item in own.news:
        if isinstance(item, OrderRejected | AmendFailed) and item.code in _BALANCE:
            refused.setdefault(item.client_id, []).append(ns)
    for ns, output in own.sent:
        match output:
            case PlaceOrders(orders=(request,)) | AmendOrders(amends=(request,)):
                times = refused.get(request.client_id, [])
                # An answer belongs to the last that was asked of this order before it.
                if times and times[0] > ns and not _again(own, request.client_id, ns, times[0]):
                    times.pop(0)
                    if isinstance(output, AmendOrders):
                        cancel = CancelRequest(client_id=request.client_id, market=request.market, leg=request.leg)
                        yield ns, CancelOrders(output.venue, (cancel,))
                    continue
                yield ns, output
            case CancelOrders():
                yield ns, output
            case _:
                pass  # sets


def _again(own: Own, client_id: ClientId, after_ns: int, before_ns: int) -> bool:
    """Whether another change of the order was asked for in between."""
    return any(
        after_ns < ns < before_ns and output.amends[0].client_id == client_id
        for ns, output in own.sent
        if isinstance(output, AmendOrders)
    )


def _heard(venue: TapeVenue, until_ns: int) -> Iterator[tuple[int, Input]]:
    """Fills told by then, each at its own moment."""
    while (at_ns := venue.mail.next_news_ns()) is not None and at_ns <= until_ns:
        for item in venue.mail.due(at_ns):
            if isinstance(item, FillReceived):
                yield at_ns, item
