"""What must always hold, seen from outside: where a turn is on record, where an output leaves, and at the exchange.

Nothing here helps the daemon, and nothing believes it where the exchange can be asked. Safety only; whether it quotes
again is another question (`life`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
import trio

from hlomm.assembly.numbers import scaled
from hlomm.daemon.app import Daemon
from hlomm.domain.ids import HYPERLIQUID, MarketId, outcome_market, perp_market
from hlomm.domain.inputs import BboUpdate, BookSnapshot
from hlomm.domain.markets import Leg
from hlomm.domain.orders import AmendRequest, OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import AmendOrders, HaltState, Output, PlaceOrders
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, to_text
from hlomm.journal.codec import InputRecord, Record, TurnRecord
from hlomm.settings.schema import Settings
from hlomm.sim.accounts import Account
from hlomm.sim.coins import OUTCOME_GRID, PERP_COIN
from hlomm.sim.events import FillDir, FillRow
from hlomm.sim.harness import SimulatedVenue
from hlomm.sim.orders import NewOrder, Placed, Refused, Target
from tests.world.whole.belief import believed, describe, owned
from tests.world.whole.exposure import Exposure, measure

FINDINGS_MAX: Final = 20
AUDIT_EVERY_S: Final = 5.0
SPIN_TURNS: Final = 500
"""At one instant of the clock: something answers itself without end, and time would never go on."""
_REDUCING: Final = frozenset({HaltState.HALTED, HaltState.FLATTENING, HaltState.STOPPING, HaltState.STOPPED})
_ELSEWHERE: Final = frozenset({FillDir.SETTLEMENT, FillDir.MERGE, FillDir.SPLIT})

Terms = tuple[MarketId, Leg, Side, int, int, Tif]
"""What an order says: market, leg, side, price, quantity, time in force."""


@attrs.frozen
class Finding:
    rule: str
    at_s: float
    what: str

    def __str__(self) -> str:
        return f"{self.rule} at {self.at_s:.2f} s: {self.what}"


class Witness:
    def __init__(self, settings: Settings) -> None:
        limits = settings.limits
        self._limits = Exposure(
            position=scaled(limits.max_position), gross=scaled(limits.max_gross_notional),
            stranded=scaled(limits.max_resting_without_deadman),
        )  # fmt: skip
        self._stale_ns = round(limits.stale_book_s * NS_PER_S)
        self.findings: list[Finding] = []
        self.looks: dict[str, int] = {}
        """How often each rule was applied: one that never was proves nothing."""
        self._recorded: dict[str, set[Terms]] = {}
        self._accepted: set[str] = set()
        self._foreign: dict[int, int] = {}
        """Lots of each outcome that orders of others on the account moved, and in `_foreign_cash` what they cost."""
        self._foreign_cash = 0
        self._books_ns: dict[MarketId, int] = {}
        self._judged = 0
        self._daemon: Daemon | None = None
        self._sim: SimulatedVenue | None = None
        self._nested = False
        self._audited_s = 0.0
        self._instant = (0, 0)
        """Clock and turns at that reading."""
        self.over = trio.CancelScope()
        """Cancelled when there is no point in going on."""
        self.enough: str | None = None
        """The rule whose first complaint is all that is wanted."""

    def found(self, rule: str, what: str) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(rule, trio.current_time(), what))
        if rule == self.enough:
            self.over.cancel(reason=f"it was found: {rule}")

    def _look(self, rule: str) -> None:
        self.looks[rule] = self.looks.get(rule, 0) + 1

    # -- where to look

    def watch_venue(self, sim: SimulatedVenue) -> None:
        exchange = sim.exchange
        self._sim = sim
        place, modify, fill = exchange.place, exchange.modify, exchange.tape.fill

        def placing(account: Account, new: NewOrder) -> Placed:
            if self._nested or account.address != self.account.address or new.cloid is None:
                return place(account, new)
            before = self._net(new.target)
            self._known(new)
            placed = place(account, new)
            self._once(new.cloid, placed)
            self._reduced(new, before)
            self.exposed()
            return placed

        def modifying(account: Account, key: int | str, new: NewOrder, *, always_place: bool) -> Placed:
            self._nested = True
            try:
                placed = modify(account, key, new, always_place=always_place)
            finally:
                self._nested = False
            if account.address == self.account.address and new.cloid is not None:
                self._known(new)
                self._one_open(new.cloid)
                self.exposed()
            return placed

        def filling(account: Account, row: FillRow) -> None:
            fill(account, row)
            if account.address == self.account.address:
                self._moved_by_others(row)

        exchange.place, exchange.modify, exchange.tape.fill = placing, modifying, filling  # type: ignore[method-assign]

    def watch_daemon(self, daemon: Daemon) -> None:
        self._daemon, self._judged = daemon, 0
        pump, honest = daemon.pump, daemon.pump.tap

        def tap(records: Sequence[Record]) -> None:
            honest(records)
            for record in records:
                if isinstance(record, InputRecord) and isinstance(record.item, BookSnapshot | BboUpdate):
                    self._books_ns[record.item.market] = record.now.mono_ns
                elif isinstance(record, TurnRecord):
                    self._turn(daemon, record)

        pump.tap = tap
        session = daemon._sessions[HYPERLIQUID]
        submit = session.submit

        def submitting(output: Output) -> None:
            for order in _orders(output):
                self._look("recorded")
                if _terms(order) not in self._recorded.get(order.client_id, ()):
                    self.found("recorded", f"sent before it was written down: {order}")
            submit(output)

        session.submit = submitting  # type: ignore[method-assign]

    @property
    def account(self) -> Account:
        assert self._sim is not None
        return self._sim.exchange.accounts[self._sim.accounts[0].address]

    # -- a turn is on record

    def _turn(self, daemon: Daemon, record: TurnRecord) -> None:
        state = daemon.pump.engine.state
        self._moves_on(record)
        orders = [order for output in record.outputs for order in _orders(output)]
        for order in orders:
            self._recorded.setdefault(order.client_id, set()).add(_terms(order))
        judged = state.counters.passed + state.counters.resized
        if orders:
            self._look("verdict")
            if len(orders) > judged - self._judged:
                self.found("verdict", f"{len(orders)} orders after {judged - self._judged} passes")
        self._judged = judged
        for order in orders:
            flattens = isinstance(order, OrderRequest) and order.purpose is Purpose.FLATTEN
            if state.halt in _REDUCING:
                self._look("halted")
                if not flattens:
                    self.found("halted", f"{state.halt.value}: {order}")
            if not flattens:
                self._fresh(order.market, record.now.mono_ns)
        self._audit_now_and_then()

    def _moves_on(self, record: TurnRecord) -> None:
        at_ns, turns = self._instant
        self._instant = (record.now.mono_ns, turns + 1 if at_ns == record.now.mono_ns else 1)
        if self._instant[1] == SPIN_TURNS:
            self.found("spin", f"{SPIN_TURNS} turns at one instant, the last with {record.outputs}")
            self.over.cancel(reason="time does not go on")

    def _fresh(self, market: MarketId, now_ns: int) -> None:
        self._look("fresh")
        age_ns = now_ns - self._books_ns.get(market, -self._stale_ns)
        if age_ns > self._stale_ns:
            self.found("fresh", f"{market} quoted on a book {age_ns / NS_PER_S:.1f} s old")

    def _audit_now_and_then(self) -> None:
        if trio.current_time() - self._audited_s >= AUDIT_EVERY_S:
            self._audited_s = trio.current_time()
            self.conserved()
            self.exposed()

    # -- at the exchange

    def _known(self, new: NewOrder) -> None:
        """An order arrives: it is in the journal, word for word; only a sweep at the end of a run needs no journal."""
        self._look("recorded")
        assert new.cloid is not None
        target, grid = new.target, new.target.grid
        market = (
            perp_market(HYPERLIQUID, PERP_COIN)
            if target.outcome is None
            else outcome_market(HYPERLIQUID, target.outcome)
        )
        terms = (market, target.leg, new.side, new.ticks * grid.tick, new.lots * grid.lot, new.tif)
        if terms not in self._recorded.get(new.cloid, ()) and not self._sweeping():
            self.found("recorded", f"{new.cloid} is in no journal as {terms}")

    def _sweeping(self) -> bool:
        return self._daemon is not None and self._daemon.last_resort._thread is not None

    def _once(self, cloid: str, placed: Placed) -> None:
        self._look("once")
        if isinstance(placed, Refused):
            return
        if cloid in self._accepted:
            self.found("once", f"{cloid} is a second order")
        self._accepted.add(cloid)

    def _one_open(self, cloid: str) -> None:
        self._look("once")
        assert self._sim is not None
        count = sum(order.cloid == cloid for order in self._sim.exchange.open_orders(self.account))
        if count > 1:
            self.found("once", f"{count} orders carry {cloid}")

    def _reduced(self, new: NewOrder, before: int) -> None:
        """While it gets out, whatever trades leaves less at stake than there was."""
        if self._daemon is None or self._daemon.pump.engine.state.halt not in _REDUCING or new.tif is not Tif.IOC:
            return
        self._look("reduced")
        after = self._net(new.target)
        if abs(after) > abs(before):
            self.found("reduced", f"{new} led from {before} to {after} lots")

    def _net(self, target: Target) -> int:
        if target.outcome is None:
            return self.account.perp.lots
        yes, no = (self.account.held(target.outcome, leg).total for leg in (Leg.YES, Leg.NO))
        return yes - no

    def _moved_by_others(self, row: FillRow) -> None:
        if row.cloid is None and row.target.outcome is not None and row.dir not in _ELSEWHERE:
            outcome = row.target.outcome
            self._foreign[outcome] = self._foreign.get(outcome, 0) + row.lots * OUTCOME_GRID.lot
            self._foreign_cash += row.lots * OUTCOME_GRID.lot * row.px // SCALE

    def exposed(self) -> None:
        """Every limit on risk against the worst that the exchange's own orders and tokens allow."""
        assert self._sim is not None
        exchange = self._sim.exchange
        self._look("exposed")
        seen = measure(exchange, self.account)
        for outcome, (lowest, highest) in seen.reach.items():
            room = self._limits.position + self._foreign.get(outcome, 0)
            if max(highest, -lowest) > room:
                self.found("exposed", f"o{outcome} may reach {lowest}..{highest}, limit {room}")
        if seen.buying and seen.locked + seen.buying > self._limits.gross + self._foreign_cash:
            self.found("exposed", f"{to_text(seen.locked)} locked and {to_text(seen.buying)} buying")
        if self.account.address not in exchange._dead_man._armed and seen.buying > self._limits.stranded:
            self.found("stranded", f"{to_text(seen.buying)} rests > {to_text(self._limits.stranded)}")

    def conserved(self) -> None:
        assert self._sim is not None
        self._look("conserved")
        for fault in self._sim.exchange.audit():
            self.found("conserved", fault)

    # -- at rest

    def agreed(self, daemon: Daemon) -> None:
        """Belief against the exchange's account, to the last unit."""
        assert self._sim is not None
        self._look("agreed")
        books, account = daemon.pump.engine.state.portfolio, self.account
        pairs: list[tuple[str, Any, Any]] = [("cash", books.cash, account.quote)]
        if books.perps.known:
            pairs.append(("perp wallet", books.perps.raw, account.perp.raw))
        pairs.append(("tokens", believed(daemon), owned(account)))
        pairs.append(("orders", [], [describe(order) for order in self._sim.exchange.open_orders(account)]))
        for what, ours, theirs in pairs:
            if ours != theirs:
                self.found("agreed", f"{what}: believed {ours}, the exchange says {theirs}")


def _orders(output: Output) -> tuple[OrderRequest | AmendRequest, ...]:
    if isinstance(output, PlaceOrders):
        return output.orders
    return output.amends if isinstance(output, AmendOrders) else ()


def _terms(order: OrderRequest | AmendRequest) -> Terms:
    return (order.market, order.leg, order.side, int(order.px), int(order.qty), order.tif)
