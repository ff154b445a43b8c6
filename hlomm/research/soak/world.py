"""Everything put together: runs of the daemon one after the other, and what is looked at while they last."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any, Final

import msgspec

from hlomm.domain.carried import Carried
from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID, VenueId, is_ours
from hlomm.domain.inputs import GuardianUp
from hlomm.domain.outputs import HaltState
from hlomm.journal.books import newest_books
from hlomm.journal.framing import scan
from hlomm.research.replay import Segment, replay_segments
from hlomm.research.soak.beside.desk import Desk as BesideDesk
from hlomm.research.soak.beside.kalshi_desk import KalshiDesk
from hlomm.research.soak.beside.kalshi_door import KalshiDoor
from hlomm.research.soak.beside.polymarket_desk import PolymarketDesk
from hlomm.research.soak.beside.polymarket_door import PolymarketDoor
from hlomm.research.soak.contracts import QUOTE
from hlomm.research.soak.desk import Desk
from hlomm.research.soak.front import OURS
from hlomm.research.soak.inside import Inside, Life, Within
from hlomm.research.soak.keeper import DoorSweep, HyperliquidSweep, Sweep
from hlomm.research.soak.plan import Plan
from hlomm.research.soak.process import Process
from hlomm.research.soak.timeline import MS, S
from hlomm.research.soak.town import Town

LAST_LOOK_S: Final = 50.0
STOP_S: Final = 240
LOOK_S: Final = 60.0
SETTLING_S: Final = 400.0
"""Books and account may differ for so long while fills are lost, late and asked for again."""
QUOTABLE_LOOKS: Final = 15
"""Minutes of the fair end in which there was something to quote: then something must have been quoted."""
GONE_S: Final = 15.0
"""A dead daemon's orders are gone after that, if the venue can be reached."""


class World(Town):
    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.guardian_acts = False
        self.fair = False
        self.over = False
        """The day is done: nobody starts anything again."""
        self._rng = self._part("world")
        self._lines = self._part("lines")
        self._last_epoch = 0
        self._differs_since_ns: dict[VenueId, int] = {}
        self._agreed = 0
        self._fair_looks = 0
        self._running = 0
        self._quotable_looks = 0
        self._quoted = 0
        self._runs = 0
        self._counts: dict[str, int] = {}

    # -- the day

    def open(self) -> None:
        """Contracts are listed, the crowd trades, the daemon starts."""
        self._wire()
        self.contracts.start()
        self.crowd.start()
        self.boot()
        self._watch()
        self.timeline.at(self.plan.fair_ns, self._clear)

    def _clear(self) -> None:
        """Fair weather from now on: what lasts is put right, and quoting has to come back by itself."""
        self.fair = True
        self.weather.clear()
        self.clock.correct()
        self.front.agent_expired = False
        self.front.cap_cut = 0

    # -- runs of the daemon

    def boot(self) -> None:
        """Start the daemon on whatever the last run left."""
        assert self.process is None, "two daemons on one account"
        assert not self.guardian_acts, "the account is the guardian's"
        carried = self._carried()
        epoch_ms = max(self.clock.wall_ms(), self._last_epoch + 1)
        self._last_epoch = epoch_ms
        self._runs += 1
        life = Life()
        inside = Inside(self.timeline, self.weather, self._lines, self.network, self.front, self.clock, life)
        fills_from_ms = None if carried is None else carried.fills_from_ms
        desk = Desk(inside, self.contracts, self.settings, fills_from_ms=fills_from_ms)
        beside = {venue: self._desk_at(venue, life, carried) for venue in self.doors}
        process = Process(inside, self.disk, desk, beside, self.loaded, epoch_ms, carried, self.checks, self._ended)
        self.process = process
        self._differs_since_ns.clear()
        process.boot()
        self.timeline.after(300 * MS, lambda: inside.mine(process.feed)([GuardianUp()]))

    def _desk_at(self, venue: VenueId, life: Life, carried: Carried | None) -> BesideDesk:
        weather = self.weathers[venue]
        within = Within(self.timeline, weather, self._lines, self.networks[venue], self.clock, life)
        fills_from_ms = None if carried is None else carried.fills_from_ms_of(venue)
        door = self.doors[venue]
        if isinstance(door, PolymarketDoor):
            return PolymarketDesk(within, self.weather, door, self.settings, fills_from_ms, beats=self.plan.everywhere)
        assert isinstance(door, KalshiDoor)
        return KalshiDesk(within, self.weather, door, self.settings, fills_from_ms)

    def _carried(self) -> Carried | None:
        for epoch in sorted(self.disk.files, reverse=True):
            try:
                books = newest_books(scan(bytes(self.disk.files[epoch])), dict.fromkeys(self.networks, OURS))
            except msgspec.DecodeError:
                continue
            if books is not None:
                return books
        return None

    def _ended(self, process: Process) -> None:
        """A run is over: by itself (then it takes a last look), or it died (then the guardian acts)."""
        if process is not self.process or self.guardian_acts:
            return
        self.guardian_acts = True
        if not process.alive:
            self.process = None
            self._guard(process, "the daemon died")
            return
        trouble = process.faulted or process.journal_dead
        looked: list[bool] = []

        def done() -> None:
            if not looked:
                looked.append(True)
                self._leave(process, trouble=trouble)

        self._sweep("last look", sell=trouble, done=done)
        self.timeline.after(round(LAST_LOOK_S * S), lambda: self._give_up(process, looked))

    def _leave(self, process: Process, *, trouble: bool) -> None:
        self._shut(process)
        self.process = None
        self.guardian_acts = False
        if not trouble:
            self.pairs.over(process)
        if trouble:
            self.guardian_acts = True
            self._guard(process, "the daemon ended in trouble")

    def _give_up(self, process: Process, looked: list[bool]) -> None:
        """The last look did not end in time: the guardian goes on where it stopped."""
        if not looked:
            looked.append(True)
            self._shut(process)
            self.process = None
            self._guard(process, "the last look did not end")

    def _shut(self, process: Process) -> None:
        if self.over and not process.faulted:
            found = [line for venue in self.networks for line in self._difference(process, venue)]
            if found:
                self.checks.found("belief", f"after the stop: {'; '.join(found)}")
        process.alive = False
        process.kill()

    def _guard(self, process: Process, reason: str) -> None:
        at_ns = self.timeline.now_ns
        self._counts["guardian_acts"] = self._counts.get("guardian_acts", 0) + 1
        self.timeline.after(
            round(self._rng.uniform(0.1, 0.6) * S), lambda: self._sweep("guardian", sell=True, done=done)
        )
        self.timeline.after(round(GONE_S * S), lambda: self._gone(at_ns))

        def done() -> None:
            self.disk.halted = f"guardian: {reason}"
            self.guardian_acts = False
            self.pairs.over(process)

    def _sweep(self, signer: str, *, sell: bool, done: Any) -> None:
        """At every venue side by side; done when all are."""
        waiting = set(self.networks)

        def done_at(venue: VenueId) -> None:
            waiting.discard(venue)
            if not waiting:
                done()

        for venue, network in self.networks.items():
            said = partial(done_at, venue)
            common = (self.timeline, self._rng, self.clock, network)
            sweep: Sweep
            if venue == HYPERLIQUID:
                sweep = HyperliquidSweep(*common, self.front, self.settings, signer, sell=sell, done=said)
            else:
                sweep = DoorSweep(*common, self.doors[venue], self.settings, signer, sell=sell, done=said)
            sweep.begin()

    def _gone(self, died_ns: int) -> None:
        """The dead daemon's orders are no more, unless the venue could not be reached."""
        for venue, network in self.networks.items():
            if network.trouble_ns >= died_ns or network.cut:
                continue
            self._counts["deaths_timed"] = self._counts.get("deaths_timed", 0) + (venue == HYPERLIQUID)
            left = self._resting(venue)
            if self.process is None and left:
                self.checks.found("guardian", f"{left} orders rest at {venue} {GONE_S:g} s after the daemon died")

    def _resting(self, venue: VenueId) -> int:
        """Orders of ours at a venue, by its own word."""
        if venue == HYPERLIQUID:
            return sum(is_ours(one.cloid) for one in self.front.exchange.open_orders(self.front.account))
        return sum(is_ours(one.client_id) for one in self.doors[venue].resting())

    def _difference(self, process: Process, venue: VenueId) -> list[str]:
        if venue == HYPERLIQUID:
            return self.checks.difference(process)
        return self.checks.difference_at(process, self.doors[venue])

    # -- looking on

    def _watch(self) -> None:
        self.timeline.after(round(LOOK_S * S), self._watch)
        process = self.process
        if self.fair:
            self._look_for_quotes(process)
        if process is None or not process.alive:
            self._differs_since_ns.clear()
            return
        for venue in self.networks:
            self._compare(process, venue)

    def _compare(self, process: Process, venue: VenueId) -> None:
        """What the engine believes of an account with what the exchange says of it, once things are quiet."""
        since = self._differs_since_ns
        if not process.desks[venue].up:
            since.pop(venue, None)
            return
        if process.halt not in (HaltState.RUNNING, HaltState.HALTED) or self.networks[venue].in_flight:
            return
        found = self._difference(process, venue)
        if not found:
            self._agreed += 1
            since.pop(venue, None)
        elif process.halt is HaltState.HALTED:
            since.pop(venue, None)  # it has noticed, and waits for the operator
        elif self.timeline.now_ns - since.setdefault(venue, self.timeline.now_ns) > SETTLING_S * S:
            self.checks.found("belief", "; ".join(found))
            del since[venue]

    def _look_for_quotes(self, process: Process | None) -> None:
        """Whether there is something to quote, somebody to quote it, and a quote."""
        self._fair_looks += 1
        if process is None or not process.alive or process.halt is not HaltState.RUNNING or not process.desk.up:
            return
        self._running += 1
        if self._day_is_lost():
            return  # at midnight, when the day is closed, nobody could tell any more
        self._quotable_looks += self._quotable()
        self._quoted += any(is_ours(order.cloid) for order in self.front.exchange.open_orders(self.front.account))

    # -- the end

    def close(self) -> None:
        self.over = True
        process = self.process
        state = "down" if process is None else f"{process.halt.value}: {process.engine.state.halt_reason}"
        if self._fair_looks >= QUOTABLE_LOOKS and not self._running and not self._day_is_lost():
            self.checks.found("liveness", f"it never ran in the fair end of the day ({state})")
        if self._quotable_looks >= QUOTABLE_LOOKS and not self._quoted:
            self.checks.found("liveness", f"no quote rested in the fair end of the day ({state})")
        if process is not None and process.alive:
            process.stop("the day is over")
            self.timeline.run_until(self.plan.end_ns + STOP_S * S)
            if self.process is not None or self.guardian_acts:
                self.checks.found("stopped", f"not out after {STOP_S} s")
        for venue in self.networks:
            if left := self._resting(venue):
                self.checks.found("stopped", f"{left} orders rest at {venue} after the end")
        self.checks.conserved()

    def _day_is_lost(self) -> bool:
        return self.process is not None and self.process.engine.state.breakers.day.stopped

    def _quotable(self) -> bool:
        """Whether there is a contract of ours to quote that is not as good as decided."""
        front = self.front
        return any(
            0.08 < self.crowd.fair(outcome)[0] < 0.92
            for outcome, market in front.exchange.outcomes.items()
            if outcome not in front.removed and market.spec.quote_token == QUOTE
        )

    def replay(self) -> str:
        """Every run's journal again, decision by decision; damage must be noticed where it is, not replayed."""
        everything = hashlib.sha256()
        for epoch, data in self.disk.files.items():
            content = bytes(data)
            everything.update(content)
            try:
                result = replay_segments([Segment(str(epoch), lambda content=content: content)])  # type: ignore[misc]
            except UsageError:
                continue  # died before its first record was whole
            if result.divergence is not None:
                self.checks.found("replay", f"run {epoch}: {result.divergence}")
            if epoch in self.disk.damaged:
                if result.corrupt is None and not result.torn_bytes:
                    self.checks.found(
                        "replay", f"run {epoch}: a flipped bit at {self.disk.damaged[epoch]} went unnoticed"
                    )
            elif result.corrupt is not None:
                self.checks.found("replay", f"run {epoch}: {result.corrupt}")
            self._counts["replayed_inputs"] = self._counts.get("replayed_inputs", 0) + result.inputs
        return everything.hexdigest()

    def counted(self) -> dict[str, int]:
        return self._counts | {
            "runs": self._runs, "settled": self.contracts.settled, "agreed": self._agreed,
            "quoted_looks": self._quoted, "events": self.timeline.count, "actions": self.front.used,
            "fills": len(self.front.exchange.tape.blotter_of(self.front.account).fills),
            "longest_naked_s": self.pairs.longest_ns // S,
            **{f"checked_{rule}": count for rule, count in sorted(self.checks.looks.items())},
        }  # fmt: skip
