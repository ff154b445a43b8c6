"""Making the accounts safe: kill what is left of the daemon, cancel, verify, sell by policy, write it down.

The order matters. The daemon is killed before anything is cancelled, because a stopped process may be resumed and a
hung one may wake up, and either would place orders behind the sweep. What it had already put on the wire may arrive
until `expires_after_s` later, so the account is looked at once more after that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import trio

from hlomm.domain.faults import ConfigError
from hlomm.guardian.account import Account
from hlomm.guardian.policy import Event
from hlomm.guardian.record import Record, on_disk
from hlomm.guardian.watch import Watch
from hlomm.link.guardian import LEFT_ALONE, UNSEEN, Phase
from hlomm.rundir import halt_file, owned_file
from hlomm.settings.charge import Charge
from hlomm.settings.paths import StatePaths
from hlomm.venues.clock import Clock
from hlomm.venues.pacing import backoff_s

KILL_S: Final = 2.0
"""How long a killed process may take to be gone; one that is stuck in the kernel cannot place orders either."""
HANDOVER_S: Final = 5.0
"""A daemon that ends by itself, and only could not reach the venue, may print its last words."""
RETRY_BASE_S: Final = 0.5
RETRY_CAP_S: Final = 5.0
LATE_MARGIN_S: Final = 1.0


class Act:
    def __init__(
        self, charge: Charge, paths: StatePaths, accounts: Sequence[Account], clock: Clock, record: Record
    ) -> None:
        self._charge = charge
        self._paths = paths
        self._accounts = accounts
        self._mine: Sequence[Account] = ()
        """Those whose lock was to be had."""
        self._left_alone = 0
        self._clock = clock
        self._record = record
        self._killed_s = 0.0
        self._stuck = False
        """The daemon was killed and is not gone: a thread of it hangs in the kernel, and with it all that it holds."""
        self._before: str | None = None
        """Why the daemon was HALTED before, as a tail for our own note; None until that was looked at."""
        self._unseen = False
        """The late look was never answered for every account."""
        self.rounds = 0
        self.failed_rounds = 0
        self.halt_written = False

    @property
    def canceled(self) -> int:
        return sum(account.canceled for account in self._accounts)

    @property
    def counters(self) -> dict[str, int]:
        return {
            "rounds": self.rounds, "failed_rounds": self.failed_rounds, "canceled": self.canceled,
            "sales": sum(account.sales for account in self._accounts),
            "held_back": sum(account.session.held_back for account in self._accounts),
            "halt_written": int(self.halt_written), "record_lines_lost": self._record.lost,
            LEFT_ALONE: self._left_alone, UNSEEN: int(self._unseen),
        }  # fmt: skip

    async def run(self, watch: Watch) -> None:
        """Until every account is safe, or its venue has not confirmed it for `give_up_s`."""
        begun_s, self._unseen = trio.current_time(), False
        for account in self._accounts:
            account.answers = False  # what a venue did at an earlier act says nothing of now
        await self._kill(watch)
        taken_by = await self._take_accounts(watch)
        if taken_by is not None:
            watch.meet(Event.TAKEN_OVER, taken_by)
            return
        give_up_s, event = begun_s + self._charge.rules.give_up_s, Event.STUCK
        while True:
            self.rounds += 1
            if await self._try_round(watch):
                event = Event.SAFE
                break
            self.failed_rounds += 1
            if self.rounds == 1 or not self.halt_written:
                await self._halt(watch)  # whatever becomes of the account, nobody is to quote on it unasked
            if trio.current_time() >= give_up_s:
                break
            await self._pause(self.failed_rounds - 1)
        await self._halt(watch)
        took_s = round(trio.current_time() - begun_s, 3)
        watch.meet(event, f"{watch.reason}; {'; '.join(watch.did)}", took_s=took_s, **self.counters)
        await self._record.sync()

    async def _try_round(self, watch: Watch) -> bool:
        """One look at every account, and whether all are safe; a venue that does not answer keeps nobody waiting."""
        safe: dict[Account, bool] = {}

        async def look(account: Account) -> None:
            safe[account] = await account.made_safe(watch, self._mine)

        async with trio.open_nursery() as nursery:
            for account in self._mine:
                nursery.start_soon(look, account)
        return all(safe.values())

    async def late_look(self, watch: Watch) -> None:
        """Look once more when nothing that the daemon sent can arrive any longer.

        A look that fails is repeated, `give_up_s` long: an order that came late rests until somebody cancels it. Who
        has given up before has spent that time already.
        """
        wait_s = self._clock.host_seconds(max(venue.late_s for venue in self._charge.venues)) + LATE_MARGIN_S
        await trio.sleep(max(self._killed_s + wait_s - trio.current_time(), 0.0))
        before, failed = self.canceled, 0
        give_up_s = trio.current_time() + (self._charge.rules.give_up_s if watch.phase is Phase.DONE else 0.0)
        while not (safe := await self._try_round(watch)) and trio.current_time() < give_up_s:
            failed += 1
            await self._pause(failed - 1)
        self._unseen = not safe
        if not safe:
            watch.did.append("could not look once more: an order may have come late — check the venue by hand")
        self._record("late look", canceled=self.canceled - before, safe=safe, failed=failed)
        if not (safe and self.halt_written):
            await self._halt(watch)

    def release(self) -> None:
        for account in self._accounts:
            account.release()

    # -- steps

    async def _pause(self, failures: int) -> None:
        await trio.sleep(backoff_s(failures, base_s=RETRY_BASE_S, cap_s=RETRY_CAP_S, jitter=0.0))

    async def _kill(self, watch: Watch) -> None:
        if watch.handed_over:
            with trio.move_on_after(HANDOVER_S):
                await watch.process.wait_gone()
        killed = watch.process.kill()
        with trio.move_on_after(KILL_S) as patience:
            await watch.process.wait_gone()
        self._killed_s = trio.current_time()
        self._stuck = patience.cancelled_caught
        self._record("killed" if killed else "was dead", daemon=watch.process.pid, gone=not self._stuck)
        watch.did.append(f"killed the daemon (pid {watch.process.pid})" if killed else "found the daemon dead")

    async def _take_accounts(self, watch: Watch) -> str | None:
        """Hold the accounts' locks while acting; who has them, if none is left to act on.

        One that another process holds is left to it: that is no reason to leave the others as they are.
        """
        mine, holders = [], []
        for account in self._accounts:
            holder = await account.take(stuck=self._stuck)
            if holder is None:
                mine.append(account)
            else:
                holders.append(holder)
        self._mine, self._left_alone = mine, len(holders)
        if mine:
            watch.did += [f"left alone: {holder}" for holder in holders]
            return None
        return "; ".join(holders)

    async def _halt(self, watch: Watch) -> None:
        """Leave the note that keeps the next run from quoting, over an earlier one if there is one."""
        reason = f"guardian: {watch.reason}; {'; '.join(watch.did)}"[:1000]
        since_ms = self._clock.wall_ms()

        def write() -> None:
            if self._before is None:  # the first time: what is read later is a note of our own
                self._before = _earlier(self._paths)
            halt_file.write(self._paths.halt, halt_file.HaltNote(reason + self._before, since_ms))
            owned_file.clear(self._paths.owned)

        self.halt_written = await on_disk(write)
        self._record("halt note", written=self.halt_written, reason=reason)


def _earlier(paths: StatePaths) -> str:
    try:
        note = halt_file.read(paths.halt)
    except ConfigError:
        return ""  # unreadable: replaced by one that says what happened
    return f" — before that: {note.reason}" if note and not note.reason.startswith("guardian: ") else ""
