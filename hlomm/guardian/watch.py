"""The watch over one daemon: what was heard of it, when, and the moment at which that is no longer enough."""

from __future__ import annotations

from typing import Final, Protocol

import trio

from hlomm.guardian import policy
from hlomm.guardian.policy import Event, Sight
from hlomm.guardian.record import Record
from hlomm.link.guardian import Beat, Phase, Policy, Told
from hlomm.settings.charge import Charge

TICK_S: Final = 0.1
OWN_STALL_S: Final = 1.0
"""If a tick comes later than that, it was the guardian that slept: what it did not hear meanwhile proves nothing."""


class Process(Protocol):
    """The daemon's process, held so that a signal cannot reach another one (`hlomm.rundir.processes`)."""

    pid: int

    def kill(self) -> bool: ...

    async def wait_gone(self) -> None: ...


class Watch:
    """Phases, and the only place where they change."""

    def __init__(self, charge: Charge, process: Process, record: Record, *, owning: bool) -> None:
        self._charge = charge
        self._record = record
        self.process = process
        self.owning = owning
        self.phase = Phase.WAITING
        self.reason = "waiting for the daemon to register"
        self.beat: Beat | None = None
        self.beats = 0
        self.stalls = 0
        """Times the guardian itself was not scheduled for `OWN_STALL_S`."""
        self.did: list[str] = []
        self.alive = True
        self.act = trio.Event()
        """Set while the phase is ACTING."""
        self.handed_over = False
        """The daemon ends by itself and need not be killed."""
        self._hung_up = False
        self._heard_s = trio.current_time()
        self._frozen_since_s: float | None = None
        self._poke = trio.Event()

    @property
    def policy(self) -> Policy:
        return self._charge.policy if self.beat is None else self.beat.policy

    # -- what happens

    def meet(self, event: Event, reason: str, **facts: object) -> None:
        """One step of the table."""
        was, self.phase = self.phase, policy.advance(self.phase, event)
        if self.phase is was:
            return
        self.reason = reason
        self._record("phase", was=was.value, now=self.phase.value, why=reason, **facts)
        if self.phase is Phase.ACTING:
            self.act.set()
        elif was is Phase.ACTING:
            self.act = trio.Event()

    def registered(self) -> None:
        """A daemon that was watched already has come back on a new connection."""
        self._hung_up = False
        self._hear()
        if self.phase is Phase.WAITING:
            self.owning = True
            self.meet(Event.REGISTERED, "watching", daemon=self.process.pid)

    def take(self, beat: Beat) -> None:
        self._hear()
        self.beats += 1
        self.beat = beat
        if not beat.frozen:
            self._frozen_since_s = None
        elif self._frozen_since_s is None:
            self._frozen_since_s = trio.current_time()
            self._record("engine frozen", why=beat.reason)
        self._poke.set()

    def goodbye(self, reason: str, *, clean: bool) -> None:
        """Its last word: nothing is left, or we are to go on where it could not."""
        if self.phase not in (Phase.WATCHING, Phase.WARNED):
            return
        if clean:
            self.owning = False
            self.meet(Event.GOODBYE, f"the daemon stopped clean: {reason}")
        else:
            self.handed_over = True
            self.meet(Event.HANDED_OVER, f"the daemon stopped and could not make the account safe: {reason}")

    def hang_up(self) -> None:
        """The connection over which it beats has ended."""
        if self.phase in policy.ATTENDING:
            self._hung_up = True
            self._poke.set()

    def ask(self, actor: str, reason: str) -> None:
        """An operator's kill."""
        self.meet(Event.ASKED, f"kill by {actor}" + (f" ({reason})" if reason else ""))

    def _hear(self) -> None:
        self._heard_s = trio.current_time()

    # -- what is seen

    async def run(self) -> None:
        """Judge, again and again, until there is nothing left to judge."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._await_death)
            await self._keep_judging()
            nursery.cancel_scope.cancel(reason="the watch is over")

    async def _await_death(self) -> None:
        await self.process.wait_gone()
        self.alive = False
        self._poke.set()

    async def _keep_judging(self) -> None:
        looked_s = trio.current_time()
        while self.phase in policy.ATTENDING:
            found = policy.judge(self._sight(), self._charge.rules, self._charge.frozen_s)
            if found is not None:
                self.meet(*found, beat_age_s=round(trio.current_time() - self._heard_s, 3))
            self._poke = trio.Event()
            with trio.move_on_after(TICK_S):
                await self._poke.wait()
            # What waits in the sockets is read before anything is held against the daemon.
            await trio.lowlevel.checkpoint()
            slept_s = trio.current_time() - looked_s - TICK_S
            looked_s = trio.current_time()
            if slept_s > OWN_STALL_S:
                self.stalls += 1
                self._heard_s = min(self._heard_s + slept_s, looked_s)
                self._record("own stall", slept_s=round(slept_s, 3))

    def _sight(self) -> Sight:
        now_s = trio.current_time()
        return Sight(
            phase=self.phase, alive=self.alive, hung_up=self._hung_up, owning=self.owning,
            silent_s=now_s - self._heard_s, overdue_s=0.0 if self.beat is None else self.beat.overdue_ms / 1000,
            frozen_s=None if self._frozen_since_s is None else now_s - self._frozen_since_s,
        )  # fmt: skip

    def told(self, number: int, counters: dict[str, int]) -> Told:
        """How it stands, for whoever asks."""
        return Told(
            id=number, phase=self.phase, reason=self.reason, daemon_pid=self.process.pid,
            beat_age_s=None if self.beat is None else trio.current_time() - self._heard_s, did=tuple(self.did),
            counters={"beats": self.beats, "own_stalls": self.stalls, **counters},
        )  # fmt: skip
