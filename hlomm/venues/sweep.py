"""Emergency procedure on any venue session, without an engine: cancel everything, verify, close what can be closed.

Used by the daemon's last shutdown step and by the guardian once the daemon is gone. It uses requests only, tries a
bounded number of rounds, and runs shielded under a deadline: whoever cancels it waits at most that long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs
import structlog
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import ClientId, MarketId, is_ours
from hlomm.domain.inputs import BookSnapshot, PerpBalance, RestingOrder, TokenBalance
from hlomm.domain.orders import OrderRequest
from hlomm.venues.flatten_plan import FlattenBounds, FlattenPlan, HoldReason, plan_flatten
from hlomm.venues.protocol import NOT_DELIVERED, VenueSession

ROUNDS_MAX: Final = 20
PAUSE_S: Final = 0.3
"""Between rounds: several blocks of the venue, well below a request deadline."""
FLATTEN_ROUNDS: Final = 5

_log = structlog.get_logger("hlomm.venues.sweep")


@attrs.frozen(kw_only=True)
class CancelReport:
    """`verified` only if the venue listed no order twice in a row; otherwise `remaining` is what was last seen."""

    remaining: tuple[RestingOrder, ...]
    verified: bool
    canceled: int
    failures: int


@attrs.frozen(kw_only=True)
class FlattenReport:
    """`words` are the venue's answers, one per order sent; `left` the plan for what the account still holds."""

    words: tuple[str, ...]
    left: FlattenPlan | None
    """None if the account could not be read any more."""
    failures: int

    @property
    def flat(self) -> bool:
        """Whether nothing but complete sets is left, and no perp of ours."""
        return (
            self.left is not None
            and self.left.done
            and all(token.reason is HoldReason.COMPLETE_SET for token in self.left.held)
        )


async def cancel_all(session: VenueSession, *, only_ours: bool = True, deadline_s: float = 10.0) -> CancelReport:
    """Cancel by venue order id until the venue lists none twice in a row, or rounds or time run out.

    Never raises for the venue's sake: what is not verified is said to be so.
    """
    progress = _Cancelling(session, only_ours)
    with trio.move_on_after(deadline_s, shield=True):
        await progress.run()
    report = progress.report()
    _log.warning(
        "orders swept",
        venue=session.venue,
        canceled=report.canceled,
        remaining=len(report.remaining),
        verified=report.verified,
        failures=report.failures,
    )
    return report


@attrs.define(eq=False)
class _Cancelling:
    _session: VenueSession
    _only_ours: bool
    _remaining: tuple[RestingOrder, ...] = ()
    _empty_in_a_row: int = 0
    _canceled: int = 0
    _failures: int = 0

    async def run(self) -> None:
        await trio.lowlevel.checkpoint()
        for _ in range(ROUNDS_MAX):
            try:
                await self._round()
            except VenueUnavailable:
                self._failures += 1
                self._empty_in_a_row = 0
            if self._empty_in_a_row >= 2:
                return
            await trio.sleep(PAUSE_S)

    async def _round(self) -> None:
        resting = await self._session.fetch_resting()
        self._remaining = tuple(order for order in resting if not self._only_ours or is_ours(order.client_id))
        if not self._remaining:
            self._empty_in_a_row += 1
            return
        self._empty_in_a_row = 0
        self._canceled += await self._session.cancel_now(self._remaining)

    def report(self) -> CancelReport:
        return CancelReport(
            remaining=self._remaining,
            verified=self._empty_in_a_row >= 2,
            canceled=self._canceled,
            failures=self._failures,
        )


async def flatten(session: VenueSession, plan: FlattenPlan, *, deadline_s: float = 5.0) -> tuple[str, ...]:
    """Send a plan's orders once; the venue's word for each, `unknown` where it did not answer.

    Perps and outcomes go apart: a single price that the venue refuses would take its whole batch with it.
    """
    await trio.lowlevel.checkpoint()
    words: list[str] = []
    with trio.move_on_after(deadline_s, shield=True):
        await trio.lowlevel.checkpoint()
        for part in (plan.orders[: plan.closings], plan.orders[plan.closings :]):
            words += await _send(session, part)
    return (*words, *("unknown" for _ in plan.orders[len(words) :]))


async def _send(session: VenueSession, orders: Sequence[OrderRequest]) -> Sequence[str]:
    await trio.lowlevel.checkpoint()
    if not orders:
        return ()
    try:
        return await session.place_now(orders)
    except VenueUnavailable as error:
        _log.warning("flattening orders not answered", venue=session.venue, error=str(error))
        return ("unknown",) * len(orders)


async def flatten_account(
    session: VenueSession,
    bounds: FlattenBounds,
    mint: Callable[[], ClientId],
    *,
    expiries_ns: Mapping[MarketId, int] | None = None,
    wall_ns: int = 0,
    deadline_s: float = 15.0,
) -> FlattenReport:
    """Close, look again, and close what is left, a bounded number of rounds. Cancel resting orders first."""
    words: list[str] = []
    left: FlattenPlan | None = None
    failures = 0
    await trio.lowlevel.checkpoint()
    with trio.move_on_after(deadline_s, shield=True):
        await trio.lowlevel.checkpoint()
        for _ in range(FLATTEN_ROUNDS):
            try:
                state = await session.fetch_account()
                books = await fetch_books(session, (*state.perps, *state.tokens))
            except VenueUnavailable:
                failures, left = failures + 1, None
                await trio.sleep(PAUSE_S)
                continue
            left = plan_flatten(
                state.tokens, books, bounds, mint, rules=session.sale_rules, expiries_ns=expiries_ns, wall_ns=wall_ns,
                perps=state.perps,
            )  # fmt: skip
            if left.done:
                break
            said = await flatten(session, left, deadline_s=deadline_s)
            words += [word for word in said if word != NOT_DELIVERED]
            await trio.sleep(PAUSE_S)
    report = FlattenReport(words=tuple(words), left=left, failures=failures)
    _log.warning("account flattened" if report.flat else "account not flat", venue=session.venue, words=words)
    return report


async def fetch_books(
    session: VenueSession, held: Sequence[TokenBalance | PerpBalance]
) -> dict[MarketId, BookSnapshot | None]:
    """The book of every market in which something is held."""
    await trio.lowlevel.checkpoint()
    return {market: await session.fetch_book(market) for market in dict.fromkeys(row.market for row in held)}
