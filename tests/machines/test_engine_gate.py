"""Limits under fire: random wishes, a truthful venue, fills that come late and in any order.

The engine quotes whatever the strategy asks for; the gate must see to it that at the venue (not only in our books)

- the net position never exceeds its limit,
- the collateral in single tokens and resting buys never exceeds its limit,
- the cash never goes below zero, and no token is sold twice,

and that nothing leaves which the gate did not pass in the same turn: `gate.judge` is watched, and every order and
amend among the outputs must be one that it let through.

The venue's order reports arrive in order; fills may be delayed at will; requests may be lost or turned back.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hlomm.domain.ids import HYPERLIQUID, MarketId
from hlomm.domain.inputs import FillReceived, MarketListed, OperatorAction, SessionUp
from hlomm.domain.markets import Leg
from hlomm.domain.orders import AmendRequest, OrderRequest, Side
from hlomm.domain.outputs import AmendOrders, Output, PlaceOrders
from hlomm.engine import gate
from hlomm.engine.config import OneSided
from hlomm.engine.gate import Pass, Proposal, Resize, Verdict
from tests.support import plain_sums
from tests.support.ledger import UNIT, Ledger
from tests.support.puppet import desire
from tests.support.rig import Rig
from tests.support.values import M2, M, account, config, levels, lots, outcome, px, token, usd
from tests.support.venue import TruthVenue

INDEX = st.integers(0, 10**6)
MARKETS = st.sampled_from([M, M2])
MAX_POSITION, MAX_GROSS, CASH = 200, 160, 190
LIMITS = config(
    limits={
        "max_position": lots(MAX_POSITION),
        "max_gross_notional": usd(MAX_GROSS),
        "max_order_notional": usd(90),
        "max_drawdown": usd(100_000),
        "max_fair_deviation": px("0.99"),
        "one_sided": OneSided.ALLOW,
    },
    quotes={"min_interval_ns": 0, "min_size_change": 0.1},
    orders={"reject_limit": 1_000_000},
)
FOUND = [
    (),
    (token(120, "50"),),
    (token(120, "30"), token(120, "90", Leg.NO)),
    (token(150, "60"), token(110, "55", Leg.NO), token(90, "20", Leg.NO, M2)),
]


class GateMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(LIMITS, boot=False)
        self.venue = TruthVenue()
        self.truth = Ledger(usd(CASH))
        self.known_fills = 0
        self.sent_up_to = 0
        self.passed: Counter[tuple[Any, ...]] = Counter()
        self._judge = gate.judge
        gate.judge = self._watched  # type: ignore[assignment]

    def teardown(self) -> None:
        gate.judge = self._judge

    def _watched(self, state: Any, want: Proposal) -> Verdict:
        verdict = self._judge(state, want)
        if isinstance(verdict, Pass | Resize):
            spec = want.market.market
            replaced = None if want.replaces is None else want.replaces.client_id
            self.passed[spec.id, want.leg, want.side, want.px, verdict.qty, want.tif, replaced] += 1
        return verdict

    @initialize(found=st.sampled_from(FOUND))
    def open_account(self, found: tuple[Any, ...]) -> None:
        rig = self.rig
        rig.boot()
        rig.tell(account(CASH, found), MarketListed(outcome()), MarketListed(outcome(16)), SessionUp(HYPERLIQUID))
        for one in found:
            heap = self.truth.heap(one.market, one.leg)
            heap.tokens, heap.cost = one.total, one.cost
        self.book(M, 50, 52)
        self.book(M2, 50, 52)

    # -- the engine

    def _flush(self) -> None:
        """Check and send what the engine put out since the last look."""
        fresh: list[Output] = self.rig.outputs[self.sent_up_to :]
        self.sent_up_to = len(self.rig.outputs)
        for output in fresh:
            if isinstance(output, PlaceOrders):
                for order in output.orders:
                    self._account_for(order, None)
            elif isinstance(output, AmendOrders):
                for amend in output.amends:
                    self._account_for(amend, amend.client_id)
        self.venue.send(fresh, self.rig.now.mono_ns)

    def _account_for(self, order: OrderRequest | AmendRequest, replaced: str | None) -> None:
        key = (order.market, order.leg, order.side, order.px, order.qty, order.tif, replaced)
        assert self.passed[key] > 0, f"left without having passed: {order}"
        self.passed[key] -= 1

    @rule(market=MARKETS, bid=st.integers(1, 98), spread=st.integers(1, 40), sides=st.sampled_from("abx"))
    def book(self, market: MarketId, bid: int, spread: int, sides: str = "x") -> None:
        ask = min(bid + spread, 99)
        self.rig.jump(0.05)
        self.rig.book(
            () if sides == "a" else levels((bid / 100, 5_000)), () if sides == "b" else levels((ask / 100, 5_000)),
            market=market,
        )  # fmt: skip
        self._flush()

    @rule(
        market=MARKETS,
        bid=st.none() | st.tuples(st.integers(1, 98), st.integers(1, 300)),
        ask=st.none() | st.tuples(st.integers(2, 99), st.integers(1, 300)),
    )
    def wish(self, market: MarketId, bid: tuple[int, int] | None, ask: tuple[int, int] | None) -> None:
        if bid is not None and ask is not None and bid[0] >= ask[0]:
            ask = None
        self.rig.puppet.desired[market] = desire(
            None if bid is None else (bid[0] / 100, bid[1]), None if ask is None else (ask[0] / 100, ask[1])
        )
        self.rig.state.touch(market)
        self.rig.turn()
        self._flush()

    @rule(span=st.sampled_from([0.2, 1.0, 2.0]))
    def pass_time(self, span: float) -> None:
        self.rig.keep_fresh(span)
        self.rig.book(self.rig.market(M2).book.bids, self.rig.market(M2).book.asks, market=M2)
        self.venue.grow_old(self.rig.now.mono_ns)
        self._flush()

    @precondition(lambda self: self.known_fills > 8)
    @rule()
    def flatten_and_resume(self) -> None:
        self.rig.command(OperatorAction.FLATTEN)
        self._flush()
        self.rig.keep_fresh(2)
        self._flush()
        self.rig.command(OperatorAction.RESUME)
        self._flush()

    # -- the venue

    @precondition(lambda self: self.venue.in_flight)
    @rule(index=INDEX, whim=st.integers(0, 39), fate=st.sampled_from(["arrive"] * 6 + ["lose", "turn_back"]))
    def request(self, index: int, whim: int, fate: str) -> None:
        flight = self.venue.in_flight[index % len(self.venue.in_flight)]
        if fate == "arrive":
            self.venue.arrive(flight, self.rig.now.mono_ns, whim=whim)
        elif fate == "lose":
            self.venue.lose(flight)
        else:
            self.venue.turn_back(flight)
        self._book_truth()

    @precondition(lambda self: self._resting())
    @rule(index=INDEX, share=st.integers(1, 4))
    def match(self, index: int, share: int) -> None:
        resting = self._resting()
        rest = resting[index % len(resting)]
        self.venue.match(rest, max(rest.leaves * share // 4 // UNIT * UNIT, min(rest.leaves, UNIT)))
        self._book_truth()

    def _resting(self) -> list[Any]:
        """Sales without tokens cannot be matched: the venue would have refused them."""
        return [
            rest
            for rest in self.venue.by_oid.values()
            if rest.open and (rest.side is Side.BUY or self.truth.heap(rest.market, rest.leg).tokens >= rest.leaves)
        ]

    def _book_truth(self) -> None:
        for fill in self.venue.fills[self.known_fills :]:
            self.truth.fill(fill)
        self.known_fills = len(self.venue.fills)

    @precondition(lambda self: self.venue.undelivered())
    @rule(number=st.integers(1, 6))
    def hear_reports(self, number: int) -> None:
        """Order reports in the order they were written; fills stay on their way."""
        for letter in [one for one in self.venue.undelivered() if not isinstance(one.item, FillReceived)][:number]:
            letter.told += 1
            self.rig.tell(letter.item)
            self._flush()

    @precondition(lambda self: any(isinstance(one.item, FillReceived) for one in self.venue.undelivered()))
    @rule(index=INDEX, number=st.integers(1, 3))
    def hear_fills(self, index: int, number: int) -> None:
        for _ in range(number):
            fills = [one for one in self.venue.undelivered() if isinstance(one.item, FillReceived)]
            if fills:
                letter = fills[index % len(fills)]
                letter.told += 1
                self.rig.tell(letter.item)
                self._flush()

    # -- what must hold, at the venue

    @invariant()
    def the_net_position_stays_within_its_limit(self) -> None:
        for market in (M, M2):
            net = self.truth.heap(market, Leg.YES).tokens - self.truth.heap(market, Leg.NO).tokens
            assert abs(net) <= lots(MAX_POSITION), f"net {net / UNIT} in {market}"

    @invariant()
    def locked_collateral_stays_within_its_limit(self) -> None:
        locked = 0.0
        for market in (M, M2):
            yes, no = self.truth.heap(market, Leg.YES), self.truth.heap(market, Leg.NO)
            single = yes.tokens - no.tokens
            heap = yes if single > 0 else no
            if heap.tokens:
                locked += heap.cost * abs(single) / heap.tokens
        resting = sum(rest.px * rest.leaves / UNIT for rest in self.venue.by_oid.values() if rest.side is Side.BUY)
        slack = 10 * (1 + self.known_fills)
        assert locked + resting <= usd(MAX_GROSS) + slack, f"{locked / UNIT} locked, {resting / UNIT} resting"

    @invariant()
    def cash_is_never_spent_twice(self) -> None:
        assert self.truth.cash >= 0
        resting = sum(-(-rest.px * rest.leaves // UNIT) for rest in self.venue.by_oid.values() if rest.side is Side.BUY)
        assert self.truth.cash - resting >= -self.known_fills

    @invariant()
    def no_token_is_sold_that_is_not_held(self) -> None:
        for heap in self.truth.heaps.values():
            assert heap.tokens >= 0

    @invariant()
    def what_is_kept_added_up_is_what_it_adds_up_to(self) -> None:
        plain_sums.check(self.rig.state)

    @invariant()
    def one_quote_per_side_rests(self) -> None:
        sides = Counter(
            (rest.market, rest.side if rest.leg is Leg.YES else -rest.side)
            for rest in self.venue.by_oid.values()
            if rest.open and self.rig.order(rest.client_id).purpose.value != "flatten"
        )
        assert all(count == 1 for count in sides.values()), sides


GateMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=50)
TestGateMachine = GateMachine.TestCase
