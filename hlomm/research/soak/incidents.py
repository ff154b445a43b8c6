"""How each fault is brought about. Most are armed and happen where their occasion arises; some are deeds."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from hlomm.domain.ids import VenueId
from hlomm.domain.inputs import GuardianDown, GuardianUp, OperatorAction
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, Tif
from hlomm.domain.outputs import HaltState
from hlomm.domain.report import Snapshot
from hlomm.domain.units import Cash
from hlomm.engine.report import report
from hlomm.engine.state import State
from hlomm.link.protocol import Update, encode
from hlomm.research.soak.beside.own import OWN, PAIR_FAULTS, armed
from hlomm.research.soak.beside.session import Nudge
from hlomm.research.soak.people import Operator
from hlomm.research.soak.plan import Incident
from hlomm.research.soak.timeline import S
from hlomm.research.soak.weather import Fault
from hlomm.research.soak.world import World
from hlomm.sim.coins import WHOLE
from hlomm.sim.orders import NewOrder, Resting, Target

TRIES: Final = 60
RETRY_S: Final = 60.0
BRISK_S: Final = 120
LINK_QUEUE: Final = 64
"""Updates a client may be behind before it is dropped."""

_ARMED: Final[dict[Fault, tuple[float, int]]] = {
    # fault: (longest seconds armed, how often at most)
    Fault.FRAMES_REORDERED: (600, 20),
    Fault.FRAMES_DUPLICATED: (600, 40),
    Fault.FRAMES_TRUNCATED: (600, 12),
    Fault.FRAMES_OVERSIZED: (600, 1),
    Fault.STALLED_PING_ALIVE: (240, 1 << 30),
    Fault.ACK_LOST: (1800, 3),
    Fault.TIMEOUT_ACCEPTED: (1800, 2),
    Fault.FILL_BEFORE_ACK: (1800, 2),
    Fault.FILL_AFTER_CANCEL_ACK: (3600, 2),
    Fault.CANCEL_REFUSED_FILLED: (3600, 2),
    Fault.MODIFY_EVENTS_BOTH_ORDERS: (1800, 5),
    Fault.UNKNOWN_OID_AFTER_FILL: (1800, 3),
    Fault.HTTP_429: (120, 20),
    Fault.HTTP_5XX: (120, 20),
    Fault.HTML_BODY: (120, 20),
    Fault.SLOW_BODY: (120, 20),
    Fault.DNS_LOSS: (180, 1 << 30),
    Fault.NONCE_COLLISION: (900, 3),
    Fault.BOOK_STALE: (600, 60),
    Fault.BOOK_ONE_SIDED: (300, 30),
    Fault.BOOK_EMPTY: (300, 30),
    Fault.BOOK_CROSSED: (300, 10),
    Fault.ROLLED_LATE: (40_000, 1),
    Fault.SETTLED_LATE: (40_000, 1),
    Fault.SETTLED_FRACTION: (40_000, 1),
    Fault.COLLATERAL_CHANGED: (40_000, 1),
    Fault.JOURNAL_ENOSPC: (900, 1),
    Fault.JOURNAL_EIO: (900, 1),
    Fault.JOURNAL_TORN: (900, 1),
}

for _own in OWN.values():
    _ARMED.update(armed(_own))
_ARMED.update(PAIR_FAULTS)

_COUNTED: Final = frozenset(
    {
        Fault.DUPLICATE_FILLS, Fault.BUDGET_EXHAUSTED, Fault.AGENT_EXPIRED, Fault.JOURNAL_FLIPPED_BIT,
        Fault.CONFIG_BROKEN, Fault.SLOW_LINK_CLIENT, Fault.SIGTERM_MID_LEG, Fault.SIGSTOP,
    }
)  # fmt: skip
"""Deeds that count themselves, where they take effect."""
EFFECT_S: Final = 400


class Incidents:
    def __init__(self, world: World, operator: Operator, rng: random.Random) -> None:
        self._world = world
        self._person = operator
        self._rng = rng
        self._deeds: dict[Fault, Callable[[Incident], bool]] = {
            Fault.WS_DROP: lambda _one: self._break("connection reset"),
            Fault.KICKED: lambda _one: self._break("closed by the venue"),
            Fault.HALF_OPEN: self._half_open,
            Fault.DUPLICATE_FILLS: lambda _one: self._break("resubscribe"),
            Fault.BUDGET_EXHAUSTED: self._budget,
            Fault.AGENT_EXPIRED: self._agent,
            Fault.CLOCK_STEP: self._clock_step,
            Fault.CLOCK_DRIFT: self._clock_drift,
            Fault.CONTRACT_REMOVED: lambda _one: self._world.contracts.remove(),
            Fault.EXTERNAL_ORDER: self._external,
            Fault.JOURNAL_FLIPPED_BIT: self._flip,
            Fault.SIGKILL: self._sigkill,
            Fault.SIGSTOP: self._sigstop,
            Fault.SIGTERM_MID_LEG: self._sigterm,
            Fault.GUARDIAN_KILLED: self._guardian,
            Fault.SLOW_LINK_CLIENT: self._slow_client,
            Fault.CONFIG_BROKEN: self._config,
            Fault.OPERATOR_KILL: self._operator,
        }
        for venue, own in OWN.items():
            self._deeds[own.stream_lost] = lambda _one, venue=venue: self._drop_at(venue)  # type: ignore[misc]
            for fault, what in ((own.fee, "fee"), (own.tick, "tick"), (own.minimum, "minimum"), (own.rules, "rules")):
                if fault is not None:
                    self._deeds[fault] = lambda _one, venue=venue, what=what: self._change(venue, what)  # type: ignore[misc]
        missing = set(Fault) - set(_ARMED) - set(self._deeds)
        assert not missing, f"nobody brings about {missing}"

    def schedule(self, incidents: tuple[Incident, ...]) -> None:
        for one in incidents:
            self._world.timeline.at(one.at_ns, lambda one=one: self._begin(one, TRIES))  # type: ignore[misc]

    def _begin(self, one: Incident, tries: int) -> None:
        world = self._world
        if world.fair:
            return
        world.crowd.stir(BRISK_S * S)
        if one.fault in _ARMED:
            self._arm(one, tries)
        else:
            self._do(one, tries)

    def _arm(self, one: Incident, tries: int) -> None:
        longest_s, count = _ARMED[one.fault]
        for_ns = round((0.2 + 0.8 * one.strength) * longest_s * S)
        self._again_unless_hit(one, tries, for_ns)
        self._world.weather.arm(one.fault, for_ns=for_ns, count=count, strength=one.strength)

    def _do(self, one: Incident, tries: int) -> None:
        if one.fault in _COUNTED:
            self._again_unless_hit(one, tries, EFFECT_S * S)
            self._deeds[one.fault](one)
        elif self._deeds[one.fault](one):
            self._world.weather.hit(one.fault)
        elif tries > 1:
            self._world.timeline.after(round(RETRY_S * S), lambda: self._begin(one, tries - 1))

    def _again_unless_hit(self, one: Incident, tries: int, for_ns: int) -> None:
        """Once more, later, if nothing gave the fault an occasion."""
        world = self._world
        before = world.weather.tally.get(one.fault, 0)

        def look() -> None:
            if world.weather.tally.get(one.fault, 0) == before and tries > 1:
                self._begin(one, tries - 1)

        world.timeline.after(for_ns + round(RETRY_S * S), look)

    # -- the connection

    def _break(self, reason: str) -> bool:
        process = self._world.process
        if process is None or not process.desk.up or process.desk.line is None:
            return False
        process.desk.line.drop(reason)
        return True

    def _drop_at(self, venue: VenueId) -> bool:
        process = self._world.process
        line = None if process is None else process.beside[venue].line
        if process is None or line is None or not process.beside[venue].up:
            return False
        line.drop("connection reset")
        return True

    def _change(self, venue: VenueId, what: str) -> bool:
        """The venue changes its terms; its stream says that there is something to read again."""
        changed = self._world.doors[venue].change(what)
        if changed:
            self._world.push_at(venue, Nudge())
        return changed

    def _half_open(self, _one: Incident) -> bool:
        process = self._world.process
        if process is None or not process.desk.up or process.desk.line is None:
            return False
        process.desk.line.half()
        return True

    # -- permissions

    def _budget(self, one: Incident) -> bool:
        front = self._world.front
        front.cap_cut = max(front.cap - front.used, 0)
        self._world.timeline.after(round((120 + 600 * one.strength) * S), self._budget_again)
        return True

    def _budget_again(self) -> None:
        self._world.front.cap_cut = 0

    def _agent(self, one: Incident) -> bool:
        self._world.front.agent_expired = True
        self._world.timeline.after(round((60 + 300 * one.strength) * S), self._agent_again)
        return True

    def _agent_again(self) -> None:
        self._world.front.agent_expired = False

    # -- clocks

    def _clock_step(self, one: Incident) -> bool:
        seconds = (one.strength - 0.5) * 120
        self._world.clock.step(round(seconds * S))
        self._world.timeline.after(round((60 + 600 * one.strength) * S), self._world.clock.correct)
        return True

    def _clock_drift(self, one: Incident) -> bool:
        self._world.clock.drift((one.strength - 0.5) * 0.05)
        self._world.timeline.after(round((300 + 1200 * one.strength) * S), self._world.clock.correct)
        return True

    # -- the account

    def _external(self, one: Incident) -> bool:
        """Somebody trades by hand on the same account: sometimes at once, sometimes resting for a while."""
        world = self._world
        live = [outcome for outcome in world.front.exchange.outcomes if outcome not in world.front.removed]
        if not live:
            return False
        outcome = self._rng.choice(live)
        market = world.front.exchange.outcomes[outcome]
        touch = market.book.best_ticks(Side.SELL)
        if touch is None or not 5_000 < touch < 95_000:
            return False
        takes = one.strength < 0.5
        ticks = touch if takes else max(touch - 8_000, 2_000)
        lots = -(-12 * WHOLE // ticks)
        placed = world.front.tick().place(
            world.front.account,
            NewOrder(target=Target(outcome, Leg.YES), side=Side.BUY, ticks=ticks, lots=lots,
                     tif=Tif.IOC if takes else Tif.GTC),
        )  # fmt: skip
        world.checks.moved_by_others(outcome, lots, lots * ticks * 1_000)
        world.front.flush()
        if isinstance(placed, Resting):
            world.timeline.after(round(900 * S), lambda: self._withdraw(outcome, placed.oid))
        return True

    def _withdraw(self, outcome: int, oid: int) -> None:
        front = self._world.front
        front.tick().cancel(front.account, Target(outcome, Leg.YES), oid)
        front.flush()

    # -- processes

    def _sigkill(self, _one: Incident) -> bool:
        process = self._world.process
        if process is None or process.halt is HaltState.STARTING:
            return False
        process.die()
        return True

    def _sigstop(self, one: Incident) -> bool:
        """Stopped for a moment, or for good: then the guardian ends it."""
        world, process = self._world, self._world.process
        if process is None or process.halt is HaltState.STARTING:
            return False
        seconds = 0.5 + one.strength * 8
        world.weather.hit(Fault.SIGSTOP)
        process.inside.life.frozen_until_ns = world.timeline.now_ns + round(seconds * S)
        dead_s = world.settings.guardian.dead_s
        if seconds > dead_s + 0.5:
            world.timeline.after(round((dead_s + self._rng.uniform(0, 0.5)) * S), process.die)
        return True

    def _sigterm(self, one: Incident) -> bool:
        """Asked to end while it is on its way to safety."""
        world, process = self._world, self._world.process
        if process is None or process.halt is not HaltState.RUNNING or not process.desk.up:
            return False
        self._person.say(OperatorAction.FLATTEN)
        world.timeline.after(round((0.05 + one.strength) * S), lambda: self._terminate(process))
        return True

    def _terminate(self, process: object) -> None:
        running = self._world.process
        if running is process and running is not None and running.alive:
            if running.halt is HaltState.FLATTENING:
                self._world.weather.hit(Fault.SIGTERM_MID_LEG)
            running.inside.mine(running.stop)("SIGTERM")

    def _guardian(self, one: Incident) -> bool:
        """The guardian dies; the daemon misses it and starts another."""
        world, process = self._world, self._world.process
        if process is None or not process.desk.up or world.guardian_acts:
            return False
        process.inside.mine(process.feed)([GuardianDown("its process ended")])
        world.timeline.after(
            round((0.5 + 5 * one.strength) * S), lambda: process.inside.mine(process.feed)([GuardianUp()])
        )
        return True

    def _flip(self, _one: Incident) -> bool:
        """A bit of an earlier run's journal changes on the disk."""
        world = self._world
        over = [epoch for epoch in world.disk.files if world.process is None or epoch != world.process.epoch_ms]
        if not over or over[-1] in world.disk.damaged:
            return False
        world.disk.flip(over[-1])
        return True

    def _config(self, one: Incident) -> bool:
        """Half a configuration is saved, then the daemon is restarted."""
        self._world.weather.arm(Fault.CONFIG_BROKEN, for_ns=900 * S, count=1 + round(2 * one.strength))
        process = self._world.process
        if process is not None:
            process.inside.mine(process.stop)("restart with a new configuration")
        return True

    def _operator(self, one: Incident) -> bool:
        if self._world.process is None:
            return False
        self._person.say(OperatorAction.KILL if one.strength < 0.6 else OperatorAction.FLATTEN)
        return True

    def _slow_client(self, _one: Incident) -> bool:
        """A terminal that watches and never reads: it is dropped when it is too far behind, and nothing else."""
        if self._world.process is None:
            return False
        self._watch([])
        return True

    def _snapshot(self, state: State) -> Snapshot:
        return Snapshot(
            profile="sim",
            version="soak",
            pid=0,
            uptime_s=0.0,
            armed=Cash(0),
            engine=report(state),
            venues=(),
            alerts=(),
        )

    def _watch(self, queue: list[bytes]) -> None:
        process = self._world.process
        if process is None or process.left:
            return
        if len(queue) >= LINK_QUEUE:
            self._world.weather.hit(Fault.SLOW_LINK_CLIENT)
            return
        queue.append(encode(Update(id=1, snapshot=self._snapshot(process.engine.state))))
        self._world.timeline.after(round(0.25 * S), lambda: self._watch(queue))
