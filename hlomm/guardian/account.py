"""One account at one venue as the guardian sees it: its lock, its orders, what it holds, what was done about them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Final

import attrs
import trio

from hlomm.domain.faults import AnotherInstance, ConfigError
from hlomm.domain.ids import ClientIds, MarketId, VenueId, venue_of
from hlomm.domain.markets import Leg
from hlomm.guardian.record import DISK_S, Record
from hlomm.guardian.reduce_only import ReduceOnly
from hlomm.guardian.watch import Watch
from hlomm.rundir.lock import Lock, account_lock
from hlomm.settings.charge import VenueCharge
from hlomm.venues.clock import Clock
from hlomm.venues.flatten_plan import FlattenBounds, FlattenPlan
from hlomm.venues.sweep import CancelReport, FlattenReport, cancel_all, flatten_account

LOCK_TRIES: Final = 10
LOCK_PAUSE_S: Final = 0.1
CANCEL_S: Final = 10.0
FLATTEN_S: Final = 8.0


@attrs.frozen
class Look:
    """One look at the account, with what was done about it."""

    cancelled: CancelReport
    flattened: FlattenReport | None
    """None where nothing was to be sold, or nothing could be before the orders were gone."""
    waits: bool = False
    """Halves of pairs were kept because the venue of the other half had not answered, and is asked again."""

    def safe(self, *, sell: bool) -> bool:
        """No order rests, and what policy wants sold is sold or can only be held."""
        if not self.cancelled.verified:
            return False
        if not sell:
            return True
        done = self.flattened is not None and self.flattened.left is not None and self.flattened.left.done
        return done and not self.waits


class Account:
    """`name` is put before its words, so that two venues' can be told apart; empty for the only one."""

    def __init__(
        self, charge: VenueCharge, place: str, session: ReduceOnly, clock: Clock, record: Record, *, name: str
    ) -> None:
        self.charge = charge
        self.session = session
        self._place = place
        self._clock = clock
        self._record = record
        self._name = name
        self._ids = ClientIds(clock.read().wall_ms)
        self._lock: Lock | None = None
        self.answers = False
        """At the last look that came to an end the venue listed our orders, and none was left."""
        self.canceled = 0
        self.sales = 0

    # -- the lock

    async def take(self, *, stuck: bool) -> str | None:
        """Hold the account's lock while acting; who has it, if that is another process.

        `stuck`: the daemon was killed and is not gone, so it may be the one that holds it.
        """
        holder = ""
        if self._lock is not None:
            return None  # still ours: asked again while the late look was under way
        locking = partial(account_lock, self.charge.venue, self._place, self.charge.account)
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
        if stuck:
            # It is the daemon itself: its lock goes when it does, and that may be long after its orders have filled.
            self._record("no lock", why=f"the killed daemon still has it: {holder}")
            return None
        return holder

    def release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    # -- a look

    async def made_safe(self, watch: Watch, beside: Sequence[Account] = ()) -> bool:
        """One look, and whether it left the account safe. `beside`: the accounts that are looked at, this one too."""
        try:
            look = await self._look(watch, beside)
        except Exception as error:  # noqa: BLE001 - a supervisor: nobody stands behind the guardian, so it tries again
            self.answers = False
            self._record("round failed", venue=self.charge.venue, error=repr(error))
            return False
        return look.safe(sell=watch.policy.sell)

    async def _look(self, watch: Watch, beside: Sequence[Account]) -> Look:
        cancelled = await cancel_all(self.session, deadline_s=CANCEL_S)
        self.answers = cancelled.verified
        self.canceled += cancelled.canceled
        if cancelled.canceled:
            watch.did.append(f"{self._name}cancelled {cancelled.canceled} orders")
        self._record(
            "cancelled", venue=self.charge.venue, canceled=cancelled.canceled, remaining=len(cancelled.remaining),
            verified=cancelled.verified, failures=cancelled.failures,
        )  # fmt: skip
        if not cancelled.verified or not watch.policy.sell:
            return Look(cancelled, None)
        answering = {account.charge.venue for account in beside if account.answers}
        whole, away = self._halves(watch, answering)
        flattened = await self._flatten(watch, whole)
        self.sales += len(flattened.words)
        left = f"{self._name}left: {'unknown' if flattened.left is None else _held(flattened.left)}"
        if away:
            left += f"; pairs with {', '.join(sorted(away))} are kept whole: it has not answered"
        if flattened.words:
            watch.did.append(f"{self._name}sent {len(flattened.words)} sales ({', '.join(flattened.words)})")
        last = next((words for words in reversed(watch.did) if words.startswith(self._name)), None)
        if last != left:
            watch.did.append(left)
        self._record(
            "flattened", venue=self.charge.venue, words=list(flattened.words), left=left.rpartition("left: ")[2],
            failures=flattened.failures,
        )  # fmt: skip
        return Look(cancelled, flattened, waits=not away.isdisjoint(account.charge.venue for account in beside))

    def _halves(
        self, watch: Watch, answering: Collection[VenueId]
    ) -> tuple[dict[tuple[MarketId, Leg], int], set[VenueId]]:
        """(tokens that are not to be sold, venues of their other halves).

        There nobody could sell those, so that what is safe as it stands would be made naked.
        """
        whole: dict[tuple[MarketId, Leg], int] = {}
        away: set[VenueId] = set()
        for holding in () if watch.beat is None else watch.beat.holdings:
            for half in holding.halves:
                if half.venue not in answering and venue_of(holding.market) == self.charge.venue:
                    of = holding.market, half.leg
                    whole[of] = whole.get(of, 0) + half.qty
                    away.add(half.venue)
        return whole, away

    async def _flatten(self, watch: Watch, whole: Mapping[tuple[MarketId, Leg], int]) -> FlattenReport:
        chosen, holdings = watch.policy, () if watch.beat is None else watch.beat.holdings
        bounds = FlattenBounds(
            slippage=chosen.slippage, hold_to_expiry_ns=round(chosen.hold_to_expiry_s * 1e9), perps=self.charge.perps,
            whole=whole,
        )  # fmt: skip
        expiries: dict[MarketId, int] = {h.market: h.expiry_ns for h in holdings if h.expiry_ns is not None}
        return await flatten_account(
            self.session, bounds, self._ids.mint, expiries_ns=expiries, wall_ns=self._clock.now().wall_ns,
            deadline_s=FLATTEN_S,
        )  # fmt: skip


def _held(plan: FlattenPlan) -> str:
    """What stays, in words."""
    return ", ".join([*plan.stays, *(f"{order.market} unsold" for order in plan.orders)]) or "nothing"
