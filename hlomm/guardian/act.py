"""Making the account safe: kill what is left of the daemon, cancel, verify, sell by policy, write it down.

The order matters. The daemon is killed before anything is cancelled, because a stopped process may be resumed and a
hung one may wake up, and either would place orders behind the sweep. What it had already put on the wire may arrive
until `expires_after_s` later, so the account is looked at once more after that.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import attrs
import trio

from hlomm.domain.faults import AnotherInstance, ConfigError
from hlomm.domain.ids import ClientId, ClientIds, MarketId, perp_market
from hlomm.guardian.policy import Event
from hlomm.guardian.record import DISK_S, Record, on_disk
from hlomm.guardian.reduce_only import ReduceOnly
from hlomm.guardian.watch import Watch
from hlomm.link.guardian import Phase
from hlomm.rundir import halt_file, owned_file
from hlomm.rundir.lock import Lock, account_lock
from hlomm.settings.charge import Charge
from hlomm.settings.paths import StatePaths
from hlomm.venues.clock import Clock
from hlomm.venues.flatten_plan import FlattenBounds, FlattenPlan
from hlomm.venues.hyperliquid.wire.outcomes import MIN_NOTIONAL, OUTCOME_LOT, OUTCOME_TICK
from hlomm.venues.pacing import backoff_s
from hlomm.venues.sweep import CancelReport, FlattenReport, cancel_all, flatten_account

KILL_S: Final = 2.0
"""How long a killed process may take to be gone; one that is stuck in the kernel cannot place orders either."""
HANDOVER_S: Final = 5.0
"""A daemon that ends by itself, and only could not reach the venue, may print its last words."""
LOCK_TRIES: Final = 10
LOCK_PAUSE_S: Final = 0.1
CANCEL_S: Final = 10.0
FLATTEN_S: Final = 8.0
RETRY_BASE_S: Final = 0.5
RETRY_CAP_S: Final = 5.0
LATE_MARGIN_S: Final = 1.0


@attrs.frozen
class Look:
    """One look at the account, with what was done about it."""

    cancelled: CancelReport
    flattened: FlattenReport | None
    """None where nothing was to be sold, or nothing could be before the orders were gone."""

    def safe(self, *, sell: bool) -> bool:
        """No order rests, and what policy wants sold is sold or can only be held."""
        if not self.cancelled.verified:
            return False
        if not sell:
            return True
        return self.flattened is not None and self.flattened.left is not None and self.flattened.left.done


class Act:
    def __init__(self, charge: Charge, paths: StatePaths, session: ReduceOnly, clock: Clock, record: Record) -> None:
        self._charge = charge
        self._paths = paths
        self._session = session
        self._clock = clock
        self._record = record
        self._ids = ClientIds(clock.read().wall_ms)
        self._lock: Lock | None = None
        self._killed_s = 0.0
        self._stuck = False
        """The daemon was killed and is not gone: a thread of it hangs in the kernel, and with it all that it holds."""
        self._before: str | None = None
        """Why the daemon was HALTED before, as a tail for our own note; None until that was looked at."""
        self.rounds = 0
        self.failed_rounds = 0
        self.halt_written = False
        self.canceled = 0
        self.sales = 0

    @property
    def counters(self) -> dict[str, int]:
        return {
            "rounds": self.rounds, "failed_rounds": self.failed_rounds, "canceled": self.canceled, "sales": self.sales,
            "held_back": self._session.held_back, "halt_written": int(self.halt_written),
            "record_lines_lost": self._record.lost,
        }  # fmt: skip

    async def run(self, watch: Watch) -> None:
        """Until the account is safe, or the venue has not confirmed it for `give_up_s`."""
        begun_s = trio.current_time()
        await self._kill(watch)
        taken_by = await self._take_account()
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
        """One look, and whether it left the account safe."""
        try:
            look = await self._look(watch)
        except Exception as error:  # noqa: BLE001 - a supervisor: nobody stands behind the guardian, so it tries again
            self._record("round failed", error=repr(error))
            return False
        return look.safe(sell=watch.policy.sell)

    async def late_look(self, watch: Watch) -> None:
        """Look once more when nothing that the daemon sent can arrive any longer.

        A look that fails is repeated, `give_up_s` long: an order that came late rests until somebody cancels it. Who
        has given up before has spent that time already.
        """
        wait_s = self._clock.host_seconds(self._charge.hyperliquid.section.expires_after_s) + LATE_MARGIN_S
        await trio.sleep(max(self._killed_s + wait_s - trio.current_time(), 0.0))
        before, failed = self.canceled, 0
        give_up_s = trio.current_time() + (self._charge.rules.give_up_s if watch.phase is Phase.DONE else 0.0)
        while not (safe := await self._try_round(watch)) and trio.current_time() < give_up_s:
            failed += 1
            await self._pause(failed - 1)
        if not safe:
            watch.did.append("could not look once more: an order may have come late — check the venue by hand")
        self._record("late look", canceled=self.canceled - before, safe=safe, failed=failed)
        if not (safe and self.halt_written):
            await self._halt(watch)

    def release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

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

    async def _take_account(self) -> str | None:
        """Hold the account's lock while acting; who has it, if that is another process."""
        holder = ""
        if self._lock is not None:
            return None  # still ours: asked again while the late look was under way
        locking = partial(account_lock, "hyperliquid", self._charge.place, self._charge.hyperliquid.account)
        for _ in range(LOCK_TRIES):
            try:
                with trio.move_on_after(DISK_S):
                    self._lock = await trio.to_thread.run_sync(locking, abandon_on_cancel=True)
            except AnotherInstance as error:
                holder = str(error)
                await trio.sleep(LOCK_PAUSE_S)
            except (ConfigError, OSError) as error:
                # A disk that cannot even hold a lock is no reason to leave orders resting.
                self._record("no lock", why=str(error))
                return None
            else:
                if self._lock is None:
                    self._record("no lock", why=f"the disk did not answer in {DISK_S:g} s")
                return None
        if self._stuck:
            # It is the daemon itself: its lock goes when it does, and that may be long after its orders have filled.
            self._record("no lock", why=f"the killed daemon still has it: {holder}")
            return None
        return holder

    async def _look(self, watch: Watch) -> Look:
        cancelled = await cancel_all(self._session, deadline_s=CANCEL_S)
        self.canceled += cancelled.canceled
        if cancelled.canceled:
            watch.did.append(f"cancelled {cancelled.canceled} orders")
        self._record(
            "cancelled", canceled=cancelled.canceled, remaining=len(cancelled.remaining), verified=cancelled.verified,
            failures=cancelled.failures,
        )  # fmt: skip
        if not cancelled.verified or not watch.policy.sell:
            return Look(cancelled, None)
        flattened = await self._flatten(watch)
        self.sales += len(flattened.words)
        left = "unknown" if flattened.left is None else _held(flattened.left)
        if flattened.words:
            watch.did.append(f"sent {len(flattened.words)} sales ({', '.join(flattened.words)})")
        if not watch.did or watch.did[-1] != f"left: {left}":
            watch.did.append(f"left: {left}")
        self._record("flattened", words=list(flattened.words), left=left, failures=flattened.failures)
        return Look(cancelled, flattened)

    async def _flatten(self, watch: Watch) -> FlattenReport:
        chosen, holdings = watch.policy, () if watch.beat is None else watch.beat.holdings
        bounds = FlattenBounds(
            slippage=chosen.slippage, tick=OUTCOME_TICK, lot=OUTCOME_LOT, min_notional=MIN_NOTIONAL,
            hold_to_expiry_ns=round(chosen.hold_to_expiry_s * 1e9), perps=self._perps(),
        )  # fmt: skip
        expiries: dict[MarketId, int] = {h.market: h.expiry_ns for h in holdings if h.expiry_ns is not None}
        return await flatten_account(
            self._session, bounds, self._mint, expiries_ns=expiries, wall_ns=self._clock.now().wall_ns,
            deadline_s=FLATTEN_S,
        )  # fmt: skip

    def _perps(self) -> frozenset[MarketId]:
        coins = self._charge.hyperliquid.section.underlyings
        return frozenset(perp_market(self._session.venue, coin) for coin in coins)

    def _mint(self) -> ClientId:
        return self._ids.mint()

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


def _held(plan: FlattenPlan) -> str:
    """What stays, in words."""
    return ", ".join([*plan.stays, *(f"{order.market} unsold" for order in plan.orders)]) or "nothing"
