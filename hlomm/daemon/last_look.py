"""The last look at every account of a run: what still rests is swept, and sold where the engine could not see to it.

Venues are looked at side by side: one that is away takes nobody else's time.

What was sent just before the sessions were cut may arrive after everything was verified to be gone: with such a request
under way it is looked at once more when nothing can come any longer.

A run that ends in order is looked at while its sessions still run. What fills or settles meanwhile is booked as it ever
was, and each account is asked for until it says what the books say, or time is up: what differs then is a difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import structlog
import trio

from hlomm.daemon.pump import Pump
from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET, ClientIds, MarketId, VenueId, perp_market, venue_of
from hlomm.domain.inputs import AccountState
from hlomm.domain.markets import Leg
from hlomm.domain.outputs import HaltState, QueryAccount
from hlomm.domain.times import NS_PER_S
from hlomm.engine.flatten_pairs import elsewhere
from hlomm.engine.reconcile import difference
from hlomm.engine.safety import left_open
from hlomm.settings.schema import Settings
from hlomm.venues.clock import Clock
from hlomm.venues.flatten_plan import FlattenBounds
from hlomm.venues.protocol import VenueSession
from hlomm.venues.sweep import cancel_all, flatten_account

_log = structlog.get_logger("hlomm")

VERIFY_S: Final = 10.0
LAST_WORD_S: Final = 4.0
"""For the account as it was in the end: a figure for the summary, not worth what the looks before it found."""
QUIET_S: Final = 6.0
"""For an account that a session still tells of to say what the books say."""
ASK_AGAIN_S: Final = 0.3
LATE_MARGIN_S: Final = 0.5
LATE_LOOK_S: Final = 2.0
"""Between looks for what may still arrive: once there, it rests unattended for no longer."""


class LastLook:
    def __init__(self, sessions: Mapping[VenueId, VenueSession], settings: Settings, clock: Clock, pump: Pump) -> None:
        self._sessions = sessions
        self._settings = settings
        self._clock = clock
        self._pump = pump
        self.refused_at: set[VenueId] = set()
        """Venues that refused us: they know no order of ours and cannot be asked."""
        self.orderly = True
        """Told to end: `flatten.on_stop` counts; after a fault `guardian.on_silence`, as if the process had died."""
        self.owed = False
        """See `owes`: that is made good whatever is wished."""
        self.unsold: set[VenueId] = set()
        """Where something should have been sold and is not: the guardian goes on there."""
        self._asking: set[VenueId] = set()
        """Where it is not yet known whether the venue answers."""
        self._answers: set[VenueId] = set()
        self.swept: list[str] = []
        self.words: dict[VenueId, AccountState] = {}
        """Each venue's account as it was after everything was over."""
        self.asked_again = 0
        """Words of an account that were not the last one."""

    def owes(self) -> bool:
        """Whether the engine has stopped, and its last walk was to sell and did not."""
        state = self._pump.engine.state
        return state.halt is HaltState.STOPPED and left_open(state)

    async def at_all(self, *, trouble: bool, live: bool) -> int | None:
        """Orders of ours that still rest, None if that cannot be told.

        `trouble`: the engine did not see to the end. `live`: the sessions run, and the engine hears of what they see.
        """
        self.owed = self.orderly and self.owes()
        self._asking, self._answers = set(self._sessions) - self.refused_at, set()
        rests: dict[VenueId, int | None] = {}

        async def look(session: VenueSession) -> None:
            if session.venue in self.refused_at:
                rests[session.venue] = 0
                return
            rests[session.venue] = None
            try:
                rests[session.venue] = await self._at(session, trouble=trouble, live=live)
            except Exception as error:  # noqa: BLE001 - a supervisor: a fault at one venue must not end the look at others
                _log.critical("account_not_looked_at", venue=session.venue, error=repr(error), next="look by hand")
            finally:
                self._asking.discard(session.venue)

        async with trio.open_nursery() as nursery:
            for session in self._sessions.values():
                nursery.start_soon(look, session)
        known = [count for count in rests.values() if count is not None]
        return sum(known) if len(known) == len(rests) else None

    async def _at(self, session: VenueSession, *, trouble: bool, live: bool) -> int | None:
        wish = self._settings.flatten.on_stop if self.orderly else self._settings.guardian.on_silence
        sell = trouble and (self.owed or wish == "flatten") and self._pump.journal_dead is None
        remaining = await self._made_safe(session, sell=sell)
        late_s = self._arrives_within_s(session.venue)
        until_s = trio.current_time() + late_s
        if late_s:
            _log.warning(
                "late_orders", venue=session.venue, within_s=round(late_s, 1), next="looking until none can come"
            )
        while late_s:
            left_s = until_s - trio.current_time()
            await trio.sleep(max(min(left_s, LATE_LOOK_S), 0.0))
            remaining = await self._made_safe(session, sell=sell)
            if left_s <= LATE_LOOK_S:
                break  # that look began when nothing could come any more
        await self._hear(session, QUIET_S if live else LAST_WORD_S, live=live)
        return remaining

    async def _made_safe(self, session: VenueSession, *, sell: bool) -> int | None:
        """Cancel, and sell if that is wanted; orders that rest after that, None if it cannot be told."""
        report = await cancel_all(session, deadline_s=VERIFY_S)
        self._asking.discard(session.venue)
        (self._answers.add if report.verified else self._answers.discard)(session.venue)
        if report.canceled or report.remaining:
            self._note(f"{session.venue}: swept {report.canceled} orders, {len(report.remaining)} remain")
        known = await self._flatten(session) if sell else True
        if sell and (partners := self._away(session.venue) & self._asking):
            with trio.move_on_after(VERIFY_S):
                while partners & self._asking:  # noqa: ASYNC110 - a matter of moments, or of that deadline
                    await trio.sleep(ASK_AGAIN_S)
            known = await self._flatten(session)
        return len(report.remaining) if report.verified and known else None

    def _arrives_within_s(self, venue: VenueId) -> float:
        """Host seconds for which a request that nobody has answered may still come into effect; 0 if there is none."""
        orders, venues = self._pump.engine.state.orders, self._settings.venue
        late_s = {
            HYPERLIQUID: venues.hyperliquid.late_s, POLYMARKET: venues.polymarket.late_s, KALSHI: venues.kalshi.late_s
        }[venue]  # fmt: skip
        sent_ns = [order.requested_ns for order in orders.live() if venue_of(order.market) == venue and order.under_way]
        if not sent_ns:
            return 0.0
        left_s = late_s - (self._clock.now().mono_ns - max(sent_ns)) / NS_PER_S
        return self._clock.host_seconds(left_s) + LATE_MARGIN_S if left_s > 0 else 0.0

    async def _hear(self, session: VenueSession, within_s: float, *, live: bool) -> None:
        """The account as it was in the end. While somebody books what happens, until nothing differs from the books."""
        venue, answered = session.venue, False
        with trio.move_on_after(within_s) as patience:
            while True:
                try:
                    word = self.words[venue] = await session.fetch_account()
                except VenueUnavailable as error:
                    _log.warning("account not read", venue=venue, error=str(error))
                    if not live:
                        return
                else:
                    answered = True
                    if not live or not difference(self._pump.engine.state, word):
                        return
                    session.submit(QueryAccount(venue))  # it looks for what it was not told
                self.asked_again += 1
                await trio.sleep(ASK_AGAIN_S)
        if patience.cancelled_caught and answered:
            found = difference(self._pump.engine.state, self.words[venue])
            _log.warning(
                "account_differs", venue=venue, differences=found, next="compare fills and settlements by hand"
            )
        elif patience.cancelled_caught:
            _log.warning("account not read", venue=venue, error=f"no answer in {within_s:g} s")

    async def _flatten(self, session: VenueSession) -> bool:
        """Whether what is left is known."""
        state, coins = self._pump.engine.state, self._settings.venue.hyperliquid.underlyings
        rules = state.config.flatten
        bounds = FlattenBounds(
            slippage=rules.max_slippage, slippage_perp=rules.max_slippage_perp,
            perps=frozenset(perp_market(HYPERLIQUID, coin) for coin in coins),
            hold_to_expiry_ns=rules.hold_to_expiry_ns,
            whole=self._whole(session.venue),
        )  # fmt: skip
        ends = {name: one.market.expiry_ns for name, one in state.markets.items()}
        expiries_ns = {name: end_ns for name, end_ns in ends.items() if end_ns is not None}
        ids = ClientIds(self._clock.read().wall_ms)
        report = await flatten_account(
            session, bounds, ids.mint, expiries_ns=expiries_ns, wall_ns=self._clock.now().wall_ns, deadline_s=VERIFY_S
        )
        plan = report.left
        left = "unknown" if plan is None else ", ".join([*plan.stays, *(f"{one.market} unsold" for one in plan.orders)])
        sold = plan is not None and plan.done and (self.owed or not self._away(session.venue))
        (self.unsold.discard if sold else self.unsold.add)(session.venue)
        self._note(f"{session.venue}: flattened without the engine: {list(report.words)}; left: {left or 'nothing'}")
        return plan is not None

    def _whole(self, venue: VenueId) -> dict[tuple[MarketId, Leg], int]:
        """Tokens that are not sold alone.

        Those of pairs where the engine's walk came to its end; else while the venue of the other half does not answer.
        """
        state = self._pump.engine.state
        if self.owed:
            return {of: state.pairs.tokens(*of) for kept in state.pairs.open for of in kept.legs}
        return {
            of: sum(qty for other, qty in parts.items() if other not in self._answers)
            for of, parts in elsewhere(state).items()
            if venue_of(of[0]) == venue
        }

    def _away(self, venue: VenueId) -> set[VenueId]:
        """Venues that have not answered, and have the other halves of pairs of this one."""
        parts = [by for of, by in elsewhere(self._pump.engine.state).items() if venue_of(of[0]) == venue]
        return {other for by in parts for other, qty in by.items() if qty} - self._answers

    def _note(self, line: str) -> None:
        self.swept.append(line)
        self._pump.note(line)
        _log.warning("sweep", text=line)
