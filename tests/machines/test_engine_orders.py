"""Orders against a venue that knows the truth.

The machine places, amends and cancels through the engine's own doors; the venue carries requests out when (and if)
they arrive; its reports, fills and answers are delivered in any order, twice, late or never. Whatever happens:

- never more filled in our books than at the venue;
- what we count as exposed is never less than what may still fill;
- once the venue has answered everything, our belief is its truth and every finished order is known to be finished.

Fills are delayed and repeated but not lost for good; the answer to a request is told once (a lost one as SendLost, by
the machine that waited for it); everything else may vanish.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hlomm.domain.ids import ClientId
from hlomm.domain.inputs import OrderOpened
from hlomm.domain.markets import Leg
from hlomm.domain.orders import AmendRequest, OrderState, Purpose, Side, Tif
from hlomm.domain.outputs import AmendOrders, Output
from hlomm.domain.units import SCALE, Px, Qty
from hlomm.engine import quoting
from hlomm.engine.gate import Proposal
from hlomm.engine.order import Order
from tests.support.rig import Rig
from tests.support.values import M, config, lots, px, seconds
from tests.support.venue import InFlight, Letter, TruthVenue

INDEX = st.integers(0, 10**6)
SIZES = st.integers(1, 30)
PRICES = st.integers(1, 99)
MANY = config(orders={"reject_limit": 1_000_000})


class OrderMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(MANY)
        self.rig.puppet.desired.clear()
        self.venue = TruthVenue()
        self.ours: list[ClientId] = []
        self.sent_up_to = len(self.rig.outputs)

    @initialize()
    def nothing_rests(self) -> None:
        assert not list(self.rig.state.orders.live())

    # -- helpers

    def _turn(self) -> None:
        self.rig.turn()
        self._send()

    def _send(self) -> None:
        fresh = self.rig.outputs[self.sent_up_to :]
        self.sent_up_to = len(self.rig.outputs)
        self.venue.send(fresh, self.rig.now.mono_ns)

    def _deliver(self, letter: Letter) -> None:
        letter.told += 1
        self.rig.tell(letter.item)
        self._send()

    def _order(self, client_id: ClientId) -> Order:
        return self.rig.order(client_id)

    def _rests(self) -> list:  # type: ignore[type-arg]
        return [rest for rest in self.venue.by_oid.values() if rest.open]

    def _requests(self) -> list[InFlight]:
        return self.venue.in_flight

    # -- what we do

    @precondition(lambda self: len(self.ours) < 6)
    @rule(size=SIZES, price=PRICES, leg=st.sampled_from(list(Leg)), side=st.sampled_from(list(Side)))
    def place(self, size: int, price: int, leg: Leg, side: Side) -> None:
        want = Proposal(
            market=self.rig.market(), leg=leg, side=side, px=px(price / 100), qty=lots(size), tif=Tif.ALO,
            purpose=Purpose.LEG,
        )  # fmt: skip
        order = quoting.send(self.rig.state, want, lots(size), None)
        self.ours.append(order.client_id)
        self._turn()

    @precondition(lambda self: any(self._order(one).state is OrderState.OPEN for one in self.ours))
    @rule(index=INDEX, size=SIZES, price=PRICES)
    def amend(self, index: int, size: int, price: int) -> None:
        open_ = [order for order in map(self._order, self.ours) if order.state is OrderState.OPEN]
        order = open_[index % len(open_)]
        if order.venue_order_id is None:
            return
        new_px, new_qty, now_ns = Px(price * SCALE // 100), lots(size), self.rig.now.mono_ns
        request = AmendRequest(
            client_id=order.client_id, venue_order_id=order.venue_order_id, market=order.market, leg=order.leg,
            side=order.side, px=new_px, qty=new_qty, tif=Tif.ALO,
        )  # fmt: skip
        self.rig.state.orders.amend_sent(order, new_px, Qty(new_qty), now_ns)
        sent: list[Output] = [AmendOrders(self.rig.market().market.venue, (request,))]
        self.venue.send(sent, now_ns)

    @precondition(lambda self: self.ours)
    @rule(index=INDEX)
    def cancel(self, index: int) -> None:
        quoting.cancel(self.rig.state, self._order(self.ours[index % len(self.ours)]))
        self._turn()

    @rule(tenths=st.sampled_from([1, 4, 20, 40, 130]))
    def pass_time(self, tenths: int) -> None:
        self.rig.wait(tenths / 10)
        self.venue.grow_old(self.rig.now.mono_ns)
        self._send()
        for letter in self.venue.overdue(self.rig.now.mono_ns):
            self._deliver(letter)

    # -- what becomes of requests

    @precondition(lambda self: self.venue.in_flight)
    @rule(index=INDEX, whim=st.integers(0, 39))
    def arrive(self, index: int, whim: int) -> None:
        flights = self._requests()
        self.venue.arrive(flights[index % len(flights)], self.rig.now.mono_ns, whim=whim)

    @precondition(lambda self: self.venue.in_flight)
    @rule(index=INDEX)
    def lose_request(self, index: int) -> None:
        flights = self._requests()
        self.venue.lose(flights[index % len(flights)])

    @precondition(lambda self: self.venue.in_flight)
    @rule(index=INDEX)
    def turn_back_request(self, index: int) -> None:
        flights = self._requests()
        self.venue.turn_back(flights[index % len(flights)])

    # -- what the market does

    @precondition(lambda self: self._rests())
    @rule(index=INDEX, share=st.integers(1, 4))
    def match(self, index: int, share: int) -> None:
        rests = self._rests()
        rest = rests[index % len(rests)]
        self.venue.match(rest, max(rest.leaves * share // 4 // SCALE * SCALE, min(rest.leaves, SCALE)))

    @precondition(lambda self: self._rests())
    @rule(index=INDEX)
    def withdraw(self, index: int) -> None:
        rests = self._rests()
        self.venue.withdraw(rests[index % len(rests)])

    # -- what becomes of messages

    @precondition(lambda self: any(one.repeatable for one in self.venue.letters))
    @rule(index=INDEX)
    def deliver(self, index: int) -> None:
        letters = [one for one in self.venue.letters if one.repeatable]
        self._deliver(letters[index % len(letters)])

    @precondition(lambda self: self.venue.undelivered())
    @rule(newest=st.booleans())
    def deliver_in_turn(self, newest: bool) -> None:
        letters = self.venue.undelivered()
        self._deliver(letters[-1 if newest else 0])

    @precondition(lambda self: [one for one in self.venue.letters if not one.vital])
    @rule(index=INDEX)
    def lose_message(self, index: int) -> None:
        letters = [one for one in self.venue.letters if not one.vital]
        self.venue.letters.remove(letters[index % len(letters)])

    # -- what must hold

    @invariant()
    def never_more_filled_than_at_the_venue(self) -> None:
        for client_id in self.ours:
            assert self._order(client_id).filled <= self.venue.filled(client_id)

    @invariant()
    def never_less_exposed_than_may_fill(self) -> None:
        now_ns = self.rig.now.mono_ns
        for client_id in self.ours:
            order = self._order(client_id)
            may_fill = self.venue.may_still_fill(client_id, now_ns)
            assert order.exposed >= may_fill, f"{order.state}: {order.exposed} counted, {may_fill} may fill"

    @invariant()
    def books_are_sound(self) -> None:
        orders = self.rig.state.orders
        live = [order for order in map(self._order, self.ours) if order.live]
        assert orders.live_count == len(live)
        assert {order.client_id for order in orders.live()} == {order.client_id for order in live}
        for order in map(self._order, self.ours):
            assert order.leaves >= 0
            assert order.due >= 0
            assert order.live or (order.leaves == 0 and not order.amending)
            assert order.amending == (order.amend_qty > 0)
            assert (order.due > 0 and not order.live) == (order in orders.awaiting_fills())

    # -- in the end

    def teardown(self) -> None:
        """The storm is over: everything on its way arrives, every message is told, every question answered."""
        rig, venue = self.rig, self.venue
        for _ in range(200):
            while venue.in_flight:
                venue.arrive(venue.in_flight[0], rig.now.mono_ns)
            fresh = venue.undelivered()
            for letter in fresh:
                self._deliver(letter)
            if not fresh and not venue.in_flight and not self._unsettled():
                break
            rig.wait(2)
            self._send()
        else:
            raise AssertionError(f"never settles: {[self._order(one).state for one in self.ours]}")
        for client_id in self.ours:
            order, rest = self._order(client_id), venue.latest.get(client_id)
            assert order.filled == venue.filled(client_id)
            assert order.leaves == venue.resting(client_id)
            assert order.due == 0
            assert order.live == (rest is not None and rest.open)
            if order.live:
                assert rest is not None
                assert (order.px, order.venue_order_id) == (rest.px, rest.oid)
        self._ask_once_more()

    def _unsettled(self) -> bool:
        """Reports may have been lost for good: then only a question tells, as reconciliation would ask it."""
        odd = False
        for client_id in self.ours:
            order = self._order(client_id)
            if order.live and order.state is not OrderState.OPEN:
                odd = True
            elif order.live and order.leaves != self.venue.resting(client_id):
                self.rig.state.orders.lost(order, self.rig.now.mono_ns)
                odd = True
        return odd

    def _ask_once_more(self) -> None:
        """Old letters told again after everything settled change nothing of what is exposed."""
        before = {one: self._order(one).filled for one in self.ours}
        for letter in list(self.venue.letters):
            if not isinstance(letter.item, OrderOpened) or not letter.repeatable:
                continue
            self._deliver(letter)
        assert {one: self._order(one).filled for one in self.ours} == before
        super().teardown()


OrderMachine.TestCase.settings = settings(max_examples=120, stateful_step_count=50)
TestOrderMachine = OrderMachine.TestCase


@pytest.mark.parametrize("seed", range(3))
def test_a_quiet_venue_is_believed_to_the_unit(seed: int) -> None:
    """The machine's venue without any storm: place, amend, fill, cancel, each answered at once."""
    machine = OrderMachine()
    machine.place(10 + seed, 50, Leg.YES, Side.BUY)
    machine.arrive(0, whim=0)
    while machine.venue.undelivered():
        machine.deliver_in_turn(newest=bool(seed % 2))
    machine.amend(0, 20, 40)
    machine.arrive(0, whim=0)
    while machine.venue.undelivered():
        machine.deliver_in_turn(newest=bool(seed % 2))
    order = machine._order(machine.ours[0])
    assert (order.state, order.leaves, order.px) == (OrderState.OPEN, lots(20), px("0.4"))
    machine.match(0, 2)
    machine.cancel(0)
    machine.arrive(0, whim=0)
    machine.teardown()
    assert order.filled == lots(10)
    assert order.state is OrderState.CANCELED
    assert machine.rig.net(M) == lots(10)
    assert seconds(1) > 0
