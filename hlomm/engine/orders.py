"""Every order of ours, from the output that created it to long after it ended.

The table in `hlomm.domain.orders` says which states may follow which; this file says what the venue's reports mean.
Quantities follow three rules. `leaves` is what may still fill at the venue. `due` is what the venue says has filled
but whose fill has not reached us; it is exposure like any other. A fill consumes `due` first, so the two channels may
arrive in either order without counting twice. While an amend is out, both the old remainder and the amended size may
still fill: `exposed` adds them.

A report that makes no sense (a refusal of what rests, an id nobody announced) proves that one of us is wrong: the
order becomes UNKNOWN and the venue is asked. Nothing is believed gone before nothing of it can still arrive.
"""

from __future__ import annotations

from hlomm.domain.ids import StrategyId, VenueOrderId
from hlomm.domain.inputs import OrderAnswer, OrderClosed
from hlomm.domain.orders import OrderEvent, OrderRequest, OrderState
from hlomm.domain.units import Px, Qty
from hlomm.engine.order import Order
from hlomm.engine.order_register import Register


class Orders(Register):
    """What we ask for and what the venue reports, applied. Reports that make no sense turn into a question."""

    # -- our own actions

    def placed(self, request: OrderRequest, strategy: StrategyId | None, mono_ns: int) -> Order:
        return self.adopt(
            Order(
                client_id=request.client_id, market=request.market, leg=request.leg, side=request.side,
                tif=request.tif, purpose=request.purpose, strategy=strategy, px=request.px, leaves=request.qty,
                qty=request.qty, sent_ns=mono_ns, touched_ns=mono_ns, requested_ns=mono_ns,
            )
        )  # fmt: skip

    def amend_sent(self, order: Order, px: Px, qty: Qty, mono_ns: int) -> None:
        self._move(order, OrderEvent.AMEND_SENT, mono_ns)
        order.amend_px, order.amend_qty = px, qty
        order.requested_ns = mono_ns

    def cancel_sent(self, order: Order, mono_ns: int) -> None:
        self._move(order, OrderEvent.CANCEL_SENT, mono_ns)
        order.cancel_ns = mono_ns

    # -- the venue's reports

    def opened(self, order: Order, oid: VenueOrderId, leaves: int | None, mono_ns: int) -> None:
        """It rests under that id: a first rest, a repeat, or an amend that took effect."""
        if oid == order.venue_order_id:
            if order.amending:
                return  # repeats what was known before the amend; its answer is still to come
        elif oid in order.tallies:
            return  # late word of an id that an amend retired
        elif order.amending:
            self._amend_took_effect(order, oid)
        elif not order.tallies:
            self._first_id(order, oid)
        else:
            self._unexpected_id(order, mono_ns)
            if not order.live:
                self.resurfaced(order, order.qty if leaves is None else leaves, mono_ns)
            return
        if order.state is OrderState.REJECTED:
            order.leaves = order.qty if leaves is None else leaves
        elif leaves is not None and order.live and leaves < order.leaves:
            tally = order.tally(oid)
            order.count(tally, reported=tally.filled + tally.due + order.leaves - leaves)
            order.leaves = leaves
        self._move(order, OrderEvent.OPENED, mono_ns)

    def closed(self, order: Order, item: OrderClosed, mono_ns: int) -> None:
        """It no longer rests under that id (None: under whichever id it had)."""
        oid = item.venue_order_id
        if oid is not None:
            if oid not in order.tallies:
                if order.amending:
                    self._amend_took_effect(order, oid)
                    self._move(order, OrderEvent.OPENED, mono_ns)
                elif not order.tallies:
                    self._first_id(order, oid)
                else:
                    self._unexpected_id(order, mono_ns)
            if item.filled is not None:
                self._report_filled(order, oid, item.filled)
            if oid != order.venue_order_id:
                self._note(order)
                return  # the end of an id that an amend retired
            if order.amending:
                # The old half of an amend is gone; the new half speaks for itself.
                order.leaves = 0
                order.venue_order_id = None
                self._note(order)
                return
        self._end(order, OrderEvent.ALL_FILLED if item.status == "filled" else OrderEvent.CLOSED, mono_ns)

    def refused(self, order: Order, mono_ns: int) -> None:
        """It does not exist at the venue. Of an order that was seen resting that can only mean its last amend."""
        if order.live and (order.tallies or order.amending or order.filled):
            self._anomaly("refused_while_resting")
            self._move(order, OrderEvent.LOST, mono_ns)
        else:
            self._end(order, OrderEvent.REFUSED, mono_ns)

    def amend_failed(self, order: Order, mono_ns: int) -> None:
        """The venue refused the amend: nothing of it can rest. Whether the old order does is not said."""
        order.amend_px, order.amend_qty = None, 0
        self._move(order, OrderEvent.LOST, mono_ns)

    def amend_refused(self, order: Order, mono_ns: int) -> None:
        """The amend never left: the order is as it was, or gone if its end was reported meanwhile."""
        if not order.amending:
            self._anomaly("refusal_of_nothing")
            return
        order.amend_px, order.amend_qty = None, 0
        if order.venue_order_id is None:
            self._end(order, OrderEvent.CLOSED, mono_ns)
        else:
            self._move(order, OrderEvent.AMEND_REFUSED, mono_ns)
            self._done_if_empty(order, mono_ns)

    def cancel_refused(self, order: Order, mono_ns: int) -> None:
        """The cancel never left."""
        if order.state not in (OrderState.PENDING_CANCEL, OrderState.UNKNOWN):
            self._anomaly("refusal_of_nothing")
            return
        resting = not order.amending and order.venue_order_id is not None
        self._move(order, OrderEvent.CANCEL_REFUSED if resting else OrderEvent.LOST, mono_ns)

    def lost(self, order: Order, mono_ns: int) -> None:
        self._move(order, OrderEvent.LOST, mono_ns)

    def resurfaced(self, order: Order, leaves: int, mono_ns: int) -> None:
        """Finished in our books, resting at the venue."""
        self._anomaly("resurfaced")
        order.leaves = leaves
        self._move(order, OrderEvent.RESURFACED, mono_ns)

    def filled(self, order: Order, oid: VenueOrderId | None, qty: int, mono_ns: int) -> None:
        """One fill. May come before the acknowledgement, after the end, or for an id that an amend retired."""
        oid = oid if oid is not None else order.venue_order_id
        rest = qty
        if oid is not None:
            if oid not in order.tallies:
                if order.amending:
                    self._amend_took_effect(order, oid)
                    self._move(order, OrderEvent.OPENED, mono_ns)
                elif not order.tallies:
                    self._first_id(order, oid)
                else:
                    self._unexpected_id(order, mono_ns)
            tally = order.tally(oid)
            due_before = tally.due
            order.count(tally, filled=tally.filled + qty)
            rest -= due_before - tally.due
        if oid is None or oid == order.venue_order_id:
            if rest > order.leaves and order.live:
                self._anomaly("overfilled")
            order.leaves = max(order.leaves - rest, 0)
        order.filled += qty
        order.denied = 0
        self._move(order, OrderEvent.PART_FILLED, mono_ns)
        self._done_if_empty(order, mono_ns)

    def answered(self, order: Order, item: OrderAnswer, mono_ns: int, *, believe_absence: bool) -> None:
        """The venue's answer to our question.

        "Never heard of it" ends an order only when said twice and when `believe_absence` tells that nothing of it
        can still arrive: right after a fill the venue denies orders that existed (venue sheet, section 4.1). In the
        same way an answer that shows the old order does not prove that an amend is not still on its way.
        """
        if not item.found:
            order.denied += 1
            if order.live and order.denied >= 2 and believe_absence:
                never_seen = not order.tallies and order.filled == 0
                self._end(order, OrderEvent.REFUSED if never_seen else OrderEvent.CLOSED, mono_ns)
            return
        order.denied = 0
        oid = item.venue_order_id
        if oid is not None:
            ended = order.venue_order_id is None and oid in order.tallies  # the old half of an amend, reported gone
            if oid in order.retired or (ended and item.open):
                self._report_filled(order, oid, item.filled)
                self._note(order)
                return  # an old answer: later news of that id has reached us
            if oid != order.venue_order_id and not ended:
                self._newest_id(order, oid)
            self._report_filled(order, oid, item.filled)
        if not item.open:
            self._end(order, OrderEvent.ALL_FILLED if item.status == "filled" else OrderEvent.CLOSED, mono_ns)
            return
        if order.amending:
            if not believe_absence:
                self._note(order)
                return
            order.amend_px, order.amend_qty = None, 0  # the amend did not happen, and cannot any more
        # Fills that came after the answer was made are in our books but not in its figures.
        later = 0 if oid is None else max(order.tally(oid).reported, order.tally(oid).filled) - item.filled
        order.leaves = max(item.leaves - max(later, 0), 0)
        if item.px is not None:
            order.px = item.px
            if oid is not None:
                order.tally(oid).px = item.px
        self._move(order, OrderEvent.OPENED, mono_ns)
        self._done_if_empty(order, mono_ns)

    def forgive_due(self, order: Order) -> None:
        """The account was reconciled without the fills we waited for: stop waiting."""
        for tally in order.tallies.values():
            order.count(tally, reported=min(tally.reported, tally.filled))
        self._note(order)

    # -- internals

    def _first_id(self, order: Order, oid: VenueOrderId) -> None:
        order.venue_order_id = oid
        order.count(order.tally(oid), filled=order.filled)

    def _newest_id(self, order: Order, oid: VenueOrderId) -> None:
        """An id that the venue names as the order's present one and that we did not know."""
        if order.amending:
            self._amend_took_effect(order, oid)
        elif not order.tallies:
            self._first_id(order, oid)
        else:
            self._anomaly("unexpected_venue_id")
            order.retired.update(known for known in order.tallies if known != oid)
            order.venue_order_id = oid
            order.tally(oid)

    def _unexpected_id(self, order: Order, mono_ns: int) -> None:
        """News of an id that no request of ours explains."""
        self._anomaly("unexpected_venue_id")
        if order.live:
            self._move(order, OrderEvent.LOST, mono_ns)

    def _amend_took_effect(self, order: Order, oid: VenueOrderId) -> None:
        assert order.amend_px is not None
        order.retire()
        order.venue_order_id = oid
        order.px, order.leaves = order.amend_px, order.amend_qty
        order.tally(oid)
        order.amend_px, order.amend_qty = None, 0

    def _report_filled(self, order: Order, oid: VenueOrderId, filled: int) -> None:
        """The venue says how much filled under an id; what has not reached us becomes due."""
        tally = order.tally(oid)
        if order.qty == 0:
            # Found at the venue: its figure counts fills from before our time, and nothing tells them apart.
            order.count(tally, filled=max(tally.filled, filled))
            return
        news = filled - max(tally.reported, tally.filled)
        if news > 0:
            order.count(tally, reported=filled)
            if oid == order.venue_order_id:
                order.leaves = max(order.leaves - news, 0)

    def _done_if_empty(self, order: Order, mono_ns: int) -> None:
        """Nothing rests, nothing is due, no amend is out: the last fill was the end, whatever else is still said."""
        if order.live and order.filled and order.exposed == 0:
            self._move(order, OrderEvent.ALL_FILLED, mono_ns)

    def _end(self, order: Order, event: OrderEvent, mono_ns: int) -> None:
        order.leaves = 0
        order.amend_px, order.amend_qty = None, 0
        self._move(order, event, mono_ns)
