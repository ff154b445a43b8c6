"""Everything put together: runs of the daemon one after the other, and what is looked at while they last."""

from __future__ import annotations

import hashlib
import random
from typing import Any, Final

import msgspec

from hlomm.domain.carried import Carried
from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID, is_ours
from hlomm.domain.inputs import GuardianUp
from hlomm.domain.outputs import HaltState
from hlomm.journal.books import newest_books
from hlomm.journal.framing import scan
from hlomm.research.replay import Segment, replay_segments
from hlomm.research.soak.checks import Checks
from hlomm.research.soak.contracts import QUOTE, Contracts
from hlomm.research.soak.crowd import Crowd
from hlomm.research.soak.desk import Desk, Ended, Listed
from hlomm.research.soak.disk import Disk
from hlomm.research.soak.front import OURS, Front
from hlomm.research.soak.host import HostClock
from hlomm.research.soak.inside import Inside
from hlomm.research.soak.keeper import Sweep
from hlomm.research.soak.network import Network
from hlomm.research.soak.plan import Plan
from hlomm.research.soak.process import Process
from hlomm.research.soak.timeline import MS, S, Timeline
from hlomm.research.soak.weather import Weather
from hlomm.settings.load import Loaded, load
from hlomm.sim.config import RulesConfig

CASH_USD: Final = 50_000
LAST_LOOK_S: Final = 50.0
STOP_S: Final = 240
LOOK_S: Final = 60.0
SETTLING_S: Final = 400.0
"""Books and account may differ for so long while fills are lost, late and asked for again."""
QUOTABLE_LOOKS: Final = 15
"""Minutes of the fair end in which there was something to quote: then something must have been quoted."""
GONE_S: Final = 15.0
"""A dead daemon's orders are gone after that, if the venue can be reached."""

# A sparse day: books come once a minute, so what counts as stale and how often is decided follow.
_SETS: Final = (
    "limits.stale_book_s=190", "quotes.refresh_s=70", "quotes.min_interval_s=2", "quotes.min_move=0.004",
    "strategy.avellaneda.max_underlying_age_s=200", "strategy.avellaneda.requote_share=0.6",
    "strategy.avellaneda.sample_s=30",
    # Quotes large enough to come near every limit.
    "strategy.avellaneda.max_size=150", "strategy.avellaneda.stretch=2", "limits.max_loss_event=250",
)  # fmt: skip
# Quotes that are looked after so seldom lose money: most days may.
_LOOSE: Final = (
    "limits.max_drawdown=1000000", "breakers.daily_loss=1000000", "breakers.drawdown_share=1.0",
    "breakers.equity_stop=1.0",
)  # fmt: skip


class World:
    def __init__(self, plan: Plan) -> None:
        def part(name: str) -> random.Random:
            return random.Random(f"{plan.seed} {name}")

        self.plan = plan
        on_disconnect = f"flatten.on_disconnect='{'pause' if plan.pause else 'flatten'}'"
        loose = () if plan.tight else _LOOSE
        self.loaded: Loaded = load("sim", (), [*_SETS, *loose, on_disconnect], environ={})
        self.settings = self.loaded.settings
        self.timeline = Timeline()
        self.weather = Weather(self.timeline)
        self.clock = HostClock(self.timeline)
        self.network = Network(self.timeline, self.weather, part("network"))
        rules = RulesConfig(outcome_fees=plan.outcome_fees)
        self.front = Front(self.timeline, self.weather, part("front"), rules, CASH_USD)
        self.crowd = Crowd(self.timeline, self.weather, part("crowd"), self.front)
        self.contracts = Contracts(self.timeline, self.weather, part("contracts"), self.front, self.crowd, plan.periods)
        self.disk = Disk(self.weather, part("disk"))
        self.checks = Checks(self.timeline, self.front, self.settings)
        self.process: Process | None = None
        self.guardian_acts = False
        self.fair = False
        self.over = False
        """The day is done: nobody starts anything again."""
        self._rng = part("world")
        self._lines = part("lines")
        self._last_epoch = 0
        self._differs_since_ns: int | None = None
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

    def _wire(self) -> None:
        self.front.publish = self._push
        self.front.on_action = self.checks.on_action
        self.front.on_change = self.checks.on_change
        self.crowd.on_tick = self._books
        self.contracts.on_listed = lambda spec: self._push(Listed(spec))
        self.contracts.on_ended = lambda outcome: self._push(Ended(outcome))

    def _push(self, item: object) -> None:
        if self.process is not None:
            self.process.desk.push(item)

    def _books(self) -> None:
        if self.process is not None and self.process.alive:
            self.process.desk.publish_books()

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
        inside = Inside(self.timeline, self.weather, self._lines, self.network, self.front, self.clock)
        fills_from_ms = None if carried is None else carried.fills_from_ms
        desk = Desk(inside, self.contracts, self.settings, fills_from_ms=fills_from_ms)
        process = Process(inside, self.disk, desk, self.loaded, epoch_ms, carried, self.checks, self._ended)
        self.process = process
        self._differs_since_ns = None
        process.boot()
        self.timeline.after(300 * MS, lambda: inside.mine(process.feed)([GuardianUp()]))

    def _carried(self) -> Carried | None:
        for epoch in sorted(self.disk.files, reverse=True):
            try:
                books = newest_books(scan(bytes(self.disk.files[epoch])), {HYPERLIQUID: OURS})
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
            self._guard("the daemon died")
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
        if trouble:
            self.guardian_acts = True
            self._guard("the daemon ended in trouble")

    def _give_up(self, process: Process, looked: list[bool]) -> None:
        """The last look did not end in time: the guardian goes on where it stopped."""
        if not looked:
            looked.append(True)
            self._shut(process)
            self.process = None
            self._guard("the last look did not end")

    def _shut(self, process: Process) -> None:
        if self.over and not process.faulted:
            found = self.checks.difference(process)
            if found:
                self.checks.found("belief", f"after the stop: {'; '.join(found)}")
        process.alive = False
        process.desk.kill()

    def _guard(self, reason: str) -> None:
        at_ns = self.timeline.now_ns
        self._counts["guardian_acts"] = self._counts.get("guardian_acts", 0) + 1
        self.timeline.after(
            round(self._rng.uniform(0.1, 0.6) * S), lambda: self._sweep("guardian", sell=True, done=done)
        )
        self.timeline.after(round(GONE_S * S), lambda: self._gone(at_ns))

        def done() -> None:
            self.disk.halted = f"guardian: {reason}"
            self.guardian_acts = False

    def _sweep(self, signer: str, *, sell: bool, done: Any) -> None:
        Sweep(
            self.timeline, self._rng, self.clock, self.network, self.front, self.settings, signer, sell=sell, done=done
        ).begin()

    def _gone(self, died_ns: int) -> None:
        """The dead daemon's orders are no more, unless the venue could not be reached."""
        if self.network.trouble_ns >= died_ns or self.network.cut:
            return
        self._counts["deaths_timed"] = self._counts.get("deaths_timed", 0) + 1
        left = [order for order in self.front.exchange.open_orders(self.front.account) if is_ours(order.cloid)]
        if self.process is None and left:
            self.checks.found("guardian", f"{len(left)} orders rest {GONE_S:g} s after the daemon died")

    # -- looking on

    def _watch(self) -> None:
        self.timeline.after(round(LOOK_S * S), self._watch)
        process = self.process
        if self.fair:
            self._look_for_quotes(process)
        if process is None or not process.alive:
            self._differs_since_ns = None
            return
        if not (
            process.desk.up and process.halt in (HaltState.RUNNING, HaltState.HALTED) and not self.network.in_flight
        ):
            if not process.desk.up:
                self._differs_since_ns = None
            return
        found = self.checks.difference(process)
        if not found:
            self._agreed += 1
            self._differs_since_ns = None
        elif process.halt is HaltState.HALTED:
            self._differs_since_ns = None  # it has noticed, and waits for the operator
        elif self._differs_since_ns is None:
            self._differs_since_ns = self.timeline.now_ns
        elif self.timeline.now_ns - self._differs_since_ns > SETTLING_S * S:
            self.checks.found("belief", "; ".join(found))
            self._differs_since_ns = None

    def _look_for_quotes(self, process: Process | None) -> None:
        """Whether there is something to quote, somebody to quote it, and a quote."""
        self._fair_looks += 1
        if process is None or not process.alive or process.halt is not HaltState.RUNNING or not process.desk.up:
            return
        self._running += 1
        self._quotable_looks += self._quotable()
        self._quoted += any(is_ours(order.cloid) for order in self.front.exchange.open_orders(self.front.account))

    # -- the end

    def close(self) -> None:
        self.over = True
        process = self.process
        if not self._day_is_lost():
            state = "down" if process is None else f"{process.halt.value}: {process.engine.state.halt_reason}"
            if self._fair_looks >= QUOTABLE_LOOKS and not self._running:
                self.checks.found("liveness", f"it never ran in the fair end of the day ({state})")
            if self._quotable_looks >= QUOTABLE_LOOKS and not self._quoted:
                self.checks.found("liveness", f"no quote rested in the fair end of the day ({state})")
        if process is not None and process.alive:
            process.stop("the day is over")
            self.timeline.run_until(self.plan.end_ns + STOP_S * S)
            if self.process is not None or self.guardian_acts:
                self.checks.found("stopped", f"not out after {STOP_S} s")
        left = [order for order in self.front.exchange.open_orders(self.front.account) if is_ours(order.cloid)]
        if left:
            self.checks.found("stopped", f"{len(left)} orders rest after the end")
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
            **{f"checked_{rule}": count for rule, count in sorted(self.checks.looks.items())},
        }  # fmt: skip
