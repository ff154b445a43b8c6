"""What must always hold, looked at from outside: at the venue, at the disk, and where an output leaves the pump.

Nothing here helps the engine, and nothing here believes it where the exchange can be asked instead. A finding names
the rule, the time and the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import attrs

from hlomm.assembly.numbers import scaled
from hlomm.domain.ids import HYPERLIQUID, MarketId, is_ours, outcome_market, venue_of
from hlomm.domain.markets import Leg
from hlomm.domain.orders import AmendRequest, OrderRequest, Purpose, Side, direction
from hlomm.domain.outputs import AmendOrders, HaltState, Output, PlaceOrders
from hlomm.domain.times import Now
from hlomm.domain.units import SCALE, to_text
from hlomm.journal.codec import TurnRecord, decode
from hlomm.journal.framing import HEADER, scan
from hlomm.research.soak.beside.door import Door
from hlomm.research.soak.front import Front
from hlomm.research.soak.pairs import Pairs
from hlomm.research.soak.process import Process
from hlomm.research.soak.timeline import S, Timeline
from hlomm.settings.schema import Settings
from hlomm.sim.coins import OUTCOME_GRID, PERP_GRID
from hlomm.venues.hyperliquid.batches import Batch

FINDINGS_MAX: Final = 20
"""A run that is wrong is wrong at once; the first findings tell what there is to know."""
REDUCING: Final = frozenset({HaltState.HALTED, HaltState.FLATTENING, HaltState.STOPPING, HaltState.STOPPED})


@attrs.frozen
class Finding:
    """One thing that must not be."""

    rule: str
    at_s: float
    what: str

    def __str__(self) -> str:
        return f"{self.rule} at {self.at_s:.1f} s: {self.what}"


class Checks:
    """Implements `process.Witness`, and listens at the venue."""

    def __init__(
        self, timeline: Timeline, front: Front, doors: Sequence[Door], settings: Settings, pairs: Pairs
    ) -> None:
        self._timeline = timeline
        self._front = front
        self._doors = doors
        limits = settings.limits
        self._max_position = scaled(limits.max_position)
        self._max_gross = scaled(limits.max_gross_notional)
        self._max_stranded = scaled(limits.max_resting_without_deadman)
        self._max_hedge = scaled(limits.max_hedge_notional)
        self._stale_ns = round(limits.stale_book_s * S)
        self.pairs = pairs
        pairs.found = self.found
        self.findings: list[Finding] = []
        self.looks: dict[str, int] = {}
        """How often each rule was applied: one that never was proves nothing."""
        self._recorded: set[str] = set()
        self._at_venue: set[str] = set()
        self._judged = 0
        self.foreign: dict[int, int] = {}
        """Lots of each outcome that orders of others on the account have moved."""
        self.foreign_cash = 0

    def found(self, rule: str, what: str) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(rule, self._timeline.now_ns / S, what))

    def _look(self, rule: str) -> None:
        self.looks[rule] = self.looks.get(rule, 0) + 1

    # -- at the pump

    def before(self, process: Process) -> None:
        counters = process.engine.state.counters
        self._judged = counters.passed + counters.resized

    def decided(self, process: Process, now: Now, outputs: Sequence[Output]) -> None:
        del now
        self.pairs.decided(process, outputs)
        self._at_venues_that_are_up(process, outputs)
        orders = [order for output in outputs for order in _orders(output)]
        if not orders:
            return
        self._look("verdict")
        counters = process.engine.state.counters
        if len(orders) > counters.passed + counters.resized - self._judged:
            self.found(
                "verdict", f"{len(orders)} orders after {counters.passed + counters.resized - self._judged} passes"
            )
        for order in orders:
            if process.halt in REDUCING:
                self._only_reduces(process, order)
            if not (isinstance(order, OrderRequest) and order.purpose is Purpose.FLATTEN):
                self._fresh(process, order.market)

    def _at_venues_that_are_up(self, process: Process, outputs: Sequence[Output]) -> None:
        """Nothing new goes to a venue whose session is lost, or that said it takes no orders."""
        for output in outputs:
            if not isinstance(output, PlaceOrders):
                continue
            self._look("lost")
            if all(order.purpose is Purpose.FLATTEN for order in output.orders):
                continue
            known = process.engine.state.venues[output.venue]
            if not process.desks[output.venue].up:
                self.found("lost", f"an order for {output.venue}, whose session is lost: {output.orders[0]}")
            if known.paused is not None and process.inside.clock.now().wall_ns < known.paused_until_ns:
                self.found("lost", f"an order for {output.venue}, which is paused: {output.orders[0]}")

    def _only_reduces(self, process: Process, order: OrderRequest | AmendRequest) -> None:
        self._look("halted")
        state = process.engine.state
        if isinstance(order, AmendRequest) or order.purpose is not Purpose.FLATTEN:
            self.found("halted", f"{process.halt.value}: {order}")
            return
        market = state.markets.get(order.market)
        if market is None or not market.is_outcome:
            if not order.reduce_only:
                self.found("halted", f"{process.halt.value}: a perp order that may open: {order}")
            return
        position = state.portfolio.position(order.market)
        if order.side is Side.BUY and order.qty > position.held(Leg(1 - order.leg)):
            self.found("halted", f"{process.halt.value}: buys more than the complement held: {order}")

    def _fresh(self, process: Process, market: MarketId) -> None:
        self._look("stale")
        heard_ns = process.book_heard_ns(market)
        if heard_ns is None or self._timeline.now_ns - heard_ns > self._stale_ns:
            age = "never heard" if heard_ns is None else f"{(self._timeline.now_ns - heard_ns) / S:.1f} s old"
            self.found("stale", f"{market} quoted on a book {age}")

    def written(self, frames: bytes) -> None:
        """What the disk holds counts as recorded; nothing else does."""
        for payload in scan(HEADER + frames).payloads:
            if payload[1:3] != b"\xa1t":
                continue
            record = decode(payload)
            assert isinstance(record, TurnRecord)
            for output in record.outputs:
                if isinstance(output, PlaceOrders):
                    self._recorded.update(order.client_id for order in output.orders)
                elif isinstance(output, AmendOrders):
                    self._recorded.update(_mark(amend) for amend in output.amends)

    def fault(self, process: Process, error: Exception) -> None:
        self.found("engine fault", f"{error!r} ({process.halt.value})")

    # -- at the venue

    def on_order(self, request: OrderRequest, signer: str) -> None:
        """One reaches a venue."""
        self._look("once")
        name = f"{venue_of(request.market)} {request.client_id}"  # a guardian counts anew at each venue
        if name in self._at_venue:
            self.found("once", f"client id {name} placed twice")
        self._at_venue.add(name)
        if signer == "daemon" and request.client_id not in self._recorded:
            self.found("recorded", f"{request} is in no journal")

    def on_action(self, batch: Batch, signer: str) -> None:
        for request in batch.requests:
            if isinstance(request, OrderRequest):
                self.on_order(request, signer)
            elif isinstance(request, AmendRequest) and _mark(request) not in self._recorded:
                self.found("recorded", f"{request} is in no journal")

    def on_change(self) -> None:
        """Worst cases by the exchange's own word."""
        self._look("exposure")
        self._hedge()
        account, exchange = self._front.account, self._front.exchange
        up: dict[int, int] = {}
        down: dict[int, int] = {}
        buying = stranded = 0
        for order in exchange.open_orders(account):
            if order.target.outcome is None or not is_ours(order.cloid):
                continue
            towards = up if direction(order.target.leg, order.side) > 0 else down
            towards[order.target.outcome] = towards.get(order.target.outcome, 0) + order.lots
            if order.side is Side.BUY:
                buying += order.cost
        locked = 0
        nets: dict[int, int] = {}
        for outcome in {outcome for outcome, _ in account.tokens} | set(up) | set(down):
            yes, no = account.held(outcome, Leg.YES), account.held(outcome, Leg.NO)
            nets[outcome] = yes.total - no.total
            pairs = min(yes.total, no.total)
            for held in (yes, no):
                if held.total > pairs:
                    locked += held.entry * (held.total - pairs) // held.total
        stranded = buying
        for outcome in up.keys() | down.keys():
            room = self._max_position // OUTCOME_GRID.lot + self.foreign.get(outcome, 0)
            highest, lowest = nets[outcome] + up.get(outcome, 0), nets[outcome] - down.get(outcome, 0)
            if (up.get(outcome) and highest > room) or (down.get(outcome) and lowest < -room):
                self.found("exposure", f"o{outcome}: net {nets[outcome]}, to {lowest}..{highest}, limit {room}")
        for door in self._doors:
            at_risk, bid = door.at_risk()
            locked, buying = locked + at_risk, buying + bid
        if buying and locked + buying > self._max_gross + self.foreign_cash:
            self.found(
                "exposure", f"{to_text(locked)} locked and {to_text(buying)} buying > {to_text(self._max_gross)}"
            )
        if stranded > self._max_stranded:
            self.found("stranded", f"{to_text(stranded)} rests > {to_text(self._max_stranded)}")

    def _hedge(self) -> None:
        """The perp never grows beyond what hedging may hold; the price may have moved a little since."""
        lots, mark = self._front.account.perp.lots, self._front.exchange.perp.mark_ticks
        if not lots:
            return
        self._look("hedge")
        notional = abs(lots) * mark * PERP_GRID.cash
        if notional > self._max_hedge * 11 // 10:
            self.found("hedge", f"{to_text(notional)} of the perp > {to_text(self._max_hedge)}")

    def moved_by_others(self, outcome: int, lots: int, cash: int) -> None:
        """An order of somebody else on the account traded: our limits cannot have foreseen it."""
        self.foreign[outcome] = self.foreign.get(outcome, 0) + lots
        self.foreign_cash += cash

    # -- at rest

    def conserved(self) -> None:
        self._look("conserved")
        for fault in self._front.exchange.audit():
            self.found("conserved", fault)
        for door in self._doors:
            for fault in door.audit():
                self.found("conserved", f"{door.venue}: {fault}")

    def difference(self, process: Process) -> list[str]:
        """Where the engine's books and the exchange's account differ."""
        state, account = process.engine.state, self._front.account
        found = []
        books = state.portfolio.of(HYPERLIQUID)
        if books.cash != account.quote:
            found.append(f"cash {to_text(books.cash)}, venue {to_text(account.quote)}")
        if state.portfolio.perps.raw != account.perp.raw:
            found.append(f"perp wallet {to_text(state.portfolio.perps.raw)}, venue {to_text(account.perp.raw)}")
        theirs = {
            (outcome_market(HYPERLIQUID, outcome), leg): held.total * SCALE
            for (outcome, leg), held in account.tokens.items()
            if held.total
        }
        ours = {
            (market, leg): int(position.held(leg))
            for market, position in books.positions.items()
            for leg in Leg
            if position.held(leg)
        }
        found.extend(
            f"{key[0]} {key[1].name} {to_text(ours.get(key, 0))}, venue {to_text(theirs.get(key, 0))}"
            for key in sorted({*theirs, *ours})
            if theirs.get(key, 0) != ours.get(key, 0)
        )
        resting = {order.cloid for order in self._front.exchange.open_orders(account) if is_ours(order.cloid)}
        live = {order.client_id for order in state.orders.live() if venue_of(order.market) == HYPERLIQUID}
        return found + _unlike(resting, live)

    def difference_at(self, process: Process, door: Door) -> list[str]:
        """The same at a venue beside."""
        state, (cash, tokens) = process.engine.state, door.matched()
        books = state.portfolio.of(door.venue)
        found, believed = [], books.cash
        ours: dict[tuple[MarketId, Leg], int] = {}
        for market, position in books.positions.items():
            yes_px = door.decided.get(market)
            for leg in Leg:
                qty = int(position.held(leg))
                if yes_px is not None:  # counted as paid on both sides, whenever the session hears of it
                    believed += qty * (yes_px if leg is Leg.YES else SCALE - yes_px) // SCALE
                elif qty:
                    ours[market, leg] = qty
        if believed != cash:
            found.append(f"{door.venue} cash {to_text(believed)}, venue {to_text(cash)}")
        found.extend(
            f"{key[0]} {key[1].name} {to_text(ours.get(key, 0))}, venue {to_text(tokens.get(key, 0))}"
            for key in sorted({*tokens, *ours})
            if tokens.get(key, 0) != ours.get(key, 0)
        )
        resting = {order.client_id for order in door.resting() if is_ours(order.client_id)}
        live = {order.client_id for order in state.orders.live() if venue_of(order.market) == door.venue}
        return found + _unlike(resting, live)


def _unlike(resting: AbstractSet[str | None], live: AbstractSet[str]) -> list[str]:
    return [
        f"order {cloid} {'only at the venue' if cloid in resting else 'only in the books'}"
        for cloid in sorted(resting ^ live, key=str)
    ]


def _orders(output: Output) -> tuple[OrderRequest | AmendRequest, ...]:
    if isinstance(output, PlaceOrders):
        return output.orders
    return output.amends if isinstance(output, AmendOrders) else ()


def _mark(amend: AmendRequest) -> str:
    return f"{amend.client_id}:{amend.px}:{amend.qty}"
