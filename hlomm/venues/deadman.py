"""Venue-side dead-men: a venue's promise to cancel our orders at a set time, renewed while anybody is there to do it.

Theory of operation. While a session is live and orders of ours rest, the promise is renewed every third of its term,
so that a total loss of the network leaves orders for no longer than the term. It is taken back when nothing rests: a
promise that fires uses up one of few triggers a day, and takes foreign orders of the account with it. While the
stream is down nobody renews it: it is made for that moment.

The engine hears of every change by `DeadmanArmed` and allows more to rest while a promise stands, so what is told must
never be better than the truth: taking back is told before it is asked for; an unanswered request changes nothing that
was told; and as long as a lost "take it back" could still reach the venue, nothing new is promised.

A venue plugs in a `VenueDeadman`, which turns the two wishes into its own requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import attrs
import structlog
import trio

from hlomm.domain.faults import ConfigError, VenueUnavailable
from hlomm.domain.ids import ClientId, VenueId
from hlomm.domain.inputs import (
    AccountState,
    DeadmanArmed,
    Input,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    SendRefused,
    SentAction,
)
from hlomm.domain.times import NS_PER_S, seconds_to_ns
from hlomm.venues.clock import Clock

TERM_MIN_S: Final = 10.0
"""Two thirds of the term are left at a renewal, and the venue wants five seconds."""
SHARE: Final = 3
"""Renewed every 1/SHARE of the term; after an unanswered request, tried again SHARE times as often."""
LAG_NS: Final = NS_PER_S
"""Added to the time after which a request can no longer arrive."""
IDS_MAX: Final = 8_192

_log = structlog.get_logger("hlomm.venues.deadman")


@attrs.frozen
class Declined:
    """The venue does not promise. Asked again after `again_s` venue seconds; None: at the usual time."""

    code: str
    text: str
    again_s: float | None = None


class VenueDeadman(Protocol):
    """What a venue can be asked for. Each call ends within the session's request deadline."""

    async def arm(self, term_s: float) -> int | Declined:
        """Cancel everything that long from now, instead of at any time agreed on before.

        Returns that time on our own wall clock, in unix milliseconds. VenueUnavailable if nobody knows.
        """

    async def disarm(self) -> Declined | None:
        """Take the promise back; None if the venue did. VenueUnavailable if nobody knows."""


def _term(_rules: object, field: attrs.Attribute[float], value: float) -> None:
    if not TERM_MIN_S <= value < 86_400:
        raise ConfigError(f"dead-man {field.name}: expected {TERM_MIN_S:g} to 86400, was {value:g}")


@attrs.frozen(kw_only=True)
class DeadmanRules:
    """Venue seconds."""

    term_s: float = attrs.field(validator=_term)
    arrives_within_s: float
    """A request that has not arrived by then never will."""
    ahead: bool = False
    """Keep it armed while nothing rests too: the limits allow no order without it."""


@attrs.define(eq=False)
class Resting:
    """Orders of ours that rest, or may: seen in what goes out and what comes in. Doubt counts as resting."""

    _clock: Clock
    added: trio.Event = attrs.field(factory=trio.Event)
    """Set when an order was added; whoever waits puts a new one here."""
    _by: dict[ClientId, int] = attrs.field(factory=dict)
    """Monotonic venue time by which it has arrived; before, its absence from the venue's list proves nothing."""

    def __len__(self) -> int:
        return len(self._by)

    def sent(self, client_ids: Sequence[ClientId], arrives_within_ns: int) -> None:
        by = self._clock.now().mono_ns + arrives_within_ns
        for client_id in client_ids:
            self._add(client_id, by)

    def note(self, events: Sequence[Input]) -> None:
        for event in events:
            match event:
                case OrderOpened():
                    self._add(event.client_id, 0)
                case OrderClosed() | OrderRejected():
                    self._by.pop(event.client_id, None)
                case SendRefused(action=SentAction.PLACE):
                    for client_id in event.client_ids:
                        self._by.pop(client_id, None)
                case OrderAnswer() if not event.open:
                    self._by.pop(event.client_id, None)
                case AccountState():
                    self._listed(event)
                case _:
                    pass

    def _listed(self, state: AccountState) -> None:
        """The venue's own list: what is not on it and had arrived before it was made is gone."""
        listed = [order.client_id for order in state.orders if order.client_id is not None]
        kept = set(listed)
        self._by = {one: by for one, by in self._by.items() if one in kept or by >= state.asked_mono_ns}
        for client_id in listed:
            self._add(client_id, 0)

    def _add(self, client_id: ClientId, by: int) -> None:
        if len(self._by) < IDS_MAX:  # beyond, what is known is reason enough to stay armed
            self._by[client_id] = max(by, self._by.get(client_id, 0))
        self.added.set()


@attrs.define(eq=False)
class DeadmanKeeper:
    """Keeps one account's promise as it should be."""

    _venue: VenueId
    _switch: VenueDeadman
    _rules: DeadmanRules
    _clock: Clock
    _count: Callable[[str], None]
    _emit: Callable[[Sequence[Input]], None]
    resting: Resting
    until_ms: int = 0
    """Our wall time at which the venue cancels everything, as far as it has told us; 0: it has promised nothing."""
    _told: int | None = None
    _next_ns: int = 0
    """Monotonic venue time of the next request."""
    _doubt_ns: int = 0
    """Until then a request to take the promise back may still arrive."""
    _maybe_ns: int = 0
    """Until then a promise may stand of which no answer told."""
    _declines: dict[str, None] = attrs.field(factory=dict)
    _poke: trio.Event = attrs.field(factory=trio.Event)

    # -- life

    async def run(self, live: Callable[[], bool]) -> None:
        """Look after the promise until cancelled; `live` says whether the session is."""
        self._told = None
        while True:
            self._poke = trio.Event()
            self.resting.added = trio.Event()
            await self._round(live())
            await self._pause()

    def wake(self) -> None:
        """Look now: the session has become live."""
        self._poke.set()

    async def finish(self) -> None:
        """The session ends. Nothing rests: the promise is taken back; otherwise it is left to do its work.

        To be called shielded, with a deadline, as `life` does.
        """
        await trio.lowlevel.checkpoint()
        if not self._armed() and self._clock.now().mono_ns >= self._maybe_ns:
            return
        if len(self.resting):
            _log.warning("orders may rest: the dead-man stays armed", venue=self._venue, until_ms=self.until_ms)
            return
        await self._disarm()

    async def _pause(self) -> None:
        """Until the next look. With no request due, an order that goes out is reason to look at once."""
        period_s = self._rules.term_s / SHARE
        left_s = (max(self._next_ns, self._doubt_ns) - self._clock.now().mono_ns) / NS_PER_S
        with trio.move_on_after(self._clock.host_seconds(min(left_s, period_s) if left_s > 0 else period_s)):
            if left_s > 0:
                await self._poke.wait()
            else:
                await self._either()

    async def _either(self) -> None:
        async with trio.open_nursery() as nursery:

            async def first(event: trio.Event) -> None:
                await event.wait()
                nursery.cancel_scope.cancel(reason="something to look at")

            nursery.start_soon(first, self._poke)
            nursery.start_soon(first, self.resting.added)

    # -- rounds

    async def _round(self, live: bool) -> None:  # noqa: FBT001 - the one fact it depends on
        await trio.lowlevel.checkpoint()
        now_ns = self._clock.now().mono_ns
        if self.until_ms and not self._armed():
            # Its time has come without a renewal: the venue has cancelled, and counts it.
            self.until_ms = 0
            self._count("deadman_fired")
            _log.warning("the dead-man's time has come: the venue has cancelled all orders", venue=self._venue)
            self._tell(0)
        if now_ns < max(self._next_ns, self._doubt_ns):
            return
        if live and (self._rules.ahead or len(self.resting)):
            await self._arm()
        elif (self.until_ms or now_ns < self._maybe_ns) and not len(self.resting):
            await self._disarm()

    def _armed(self) -> bool:
        return self._clock.wall_ms() < self.until_ms

    async def _arm(self) -> None:
        period_ns = seconds_to_ns(self._rules.term_s) // SHARE
        started_ns, maybe_ns = self._clock.now().mono_ns, self._maybe_ns
        self._maybe_ns = started_ns + seconds_to_ns(self._rules.term_s + self._rules.arrives_within_s)
        try:
            answer = await self._switch.arm(self._rules.term_s)
        except VenueUnavailable:
            self._count("deadman_unanswered")
            self._next_ns = self._clock.now().mono_ns + period_ns // SHARE
            return
        self._maybe_ns = 0
        if isinstance(answer, Declined):
            self._maybe_ns = maybe_ns  # a refusal of this one says nothing of one before that was not answered
            self._decline(answer)
            again_ns = period_ns if answer.again_s is None else seconds_to_ns(answer.again_s)
            self._next_ns = self._clock.now().mono_ns + again_ns
            return
        self._count("deadman_renewed" if self.until_ms else "deadman_armed")
        self.until_ms = answer
        self._next_ns = started_ns + period_ns
        self._tell(answer)

    async def _disarm(self) -> None:
        self._tell(0)  # first: what is sent from now on must not count on it
        now_ns = self._clock.now().mono_ns
        self._doubt_ns = self._next_ns = now_ns + seconds_to_ns(self._rules.arrives_within_s) + LAG_NS
        try:
            answer = await self._switch.disarm()
        except VenueUnavailable:
            self._count("deadman_unanswered")
            return
        self._doubt_ns = self._next_ns = self._maybe_ns = 0
        if isinstance(answer, Declined):
            self._decline(answer)
            self._next_ns = now_ns + seconds_to_ns(self._rules.term_s) // SHARE
            return
        self.until_ms = 0
        self._count("deadman_disarmed")

    def _decline(self, answer: Declined) -> None:
        """The venue said no: expected of small accounts, so said once per reason."""
        self._count(f"deadman_declined.{answer.code}")
        if answer.code not in self._declines:
            self._declines[answer.code] = None
            _log.warning("the venue offers no dead-man now", venue=self._venue, code=answer.code, text=answer.text)
        if not self._armed():
            self._tell(0)  # what it promised before still stands

    def _tell(self, until_ms: int) -> None:
        if self._told != until_ms:
            self._told = until_ms
            self._emit([DeadmanArmed(self._venue, until_ms)])
