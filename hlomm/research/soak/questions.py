"""What the session finds out by asking: the account, single orders, and what ended contracts paid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hlomm.domain.fills import Fill
from hlomm.domain.ids import ClientId, MarketId
from hlomm.domain.inputs import AccountState, MarketDelisted, MarketSettled, OrderAnswer
from hlomm.domain.units import Qty
from hlomm.research.soak.contracts import Contracts
from hlomm.research.soak.inside import Inside
from hlomm.research.soak.network import Failure
from hlomm.research.soak.posting import Posting
from hlomm.venues.hyperliquid.account_feed import AccountFeed
from hlomm.venues.hyperliquid.wire.account import OrderReport
from hlomm.venues.hyperliquid.wire.fills import FillRows
from hlomm.venues.hyperliquid.wire.statuses import UNKNOWN_OID, Standing, standing
from hlomm.venues.pacing import backoff_s

QUESTION_ATTEMPTS: Final = 4
LOOKUP_LAG_S: Final = 1.5
SETTLEMENT_ATTEMPTS: Final = 20


class Questions:
    def __init__(self, inside: Inside, contracts: Contracts, feed: AccountFeed, posting: Posting) -> None:
        self._in = inside
        self._contracts = contracts
        self._feed = feed
        self._posting = posting
        self._asking: set[ClientId] = set()
        self._asking_account = False
        self._settling: set[int] = set()

    # -- the account

    def reconcile(self, done: Callable[[bool], None]) -> None:
        """The account, then the fills: what is told includes every fill that the balances contain."""
        asked_ns = self._in.timeline.now_ns

        def with_state(state: AccountState | Failure) -> None:
            if isinstance(state, Failure):
                done(False)
                return
            self._in.request(
                lambda: self._in.front.fills_since(self._feed.ask_from_ms), lambda fills: both(state, fills)
            )

        def both(state: AccountState, fills: tuple[Fill, ...] | Failure) -> None:
            if isinstance(fills, Failure):
                done(False)
                return
            self._in.emit([*self._feed.on_listed_fills(FillRows("", False, fills, 0)), state])
            done(True)

        self._in.request(lambda: self._in.front.account_state(asked_ns), with_state)

    def account(self) -> None:
        """Read the account now; one question at a time."""
        if not self._asking_account:
            self._asking_account = True
            self._ask_account(0)

    def _ask_account(self, attempt: int) -> None:
        def done(ok: bool) -> None:  # noqa: FBT001 - a continuation
            if ok or attempt + 1 >= QUESTION_ATTEMPTS:
                self._asking_account = False
            else:
                self._in.after(LOOKUP_LAG_S, lambda: self._ask_account(attempt + 1))

        self.reconcile(done)

    # -- one order

    def order(self, client_id: ClientId) -> None:
        """One question per order at a time."""
        if client_id not in self._asking:
            self._asking.add(client_id)
            self._ask(client_id, 0)

    def _ask(self, client_id: ClientId, attempt: int) -> None:
        """As the session asks: absence is believed only when the order can no longer arrive, and when said twice."""

        def done(report: OrderReport | Failure | None) -> None:
            if isinstance(report, OrderReport):
                self._asking.discard(client_id)
                self._in.emit([_found(client_id, report)])
                return
            still_s = max((self._posting.placed.get(client_id, 0) - self._in.venue_ms()) / 1000, 0.0)
            if report is None and attempt and not still_s:
                self._asking.discard(client_id)
                self._in.emit([_absent(client_id)])
            elif attempt + 1 >= QUESTION_ATTEMPTS:
                self._asking.discard(client_id)
            else:
                pause_s = LOOKUP_LAG_S + (still_s if report is None else 0.0)
                self._in.after(pause_s, lambda: self._ask(client_id, attempt + 1))

        self._in.request(lambda: self._in.front.order_status(client_id), done)

    # -- what an ended contract paid

    def settlement(self, outcome: int, market: MarketId) -> None:
        if outcome not in self._settling:
            self._settling.add(outcome)
            self._settle(outcome, market, 0)

    def _settle(self, outcome: int, market: MarketId, attempt: int) -> None:
        def done(found: Any) -> None:
            if found is not None and not isinstance(found, Failure):
                self._in.emit([MarketSettled(market, found.yes_px, found.details)])
                self._settling.discard(outcome)
            elif attempt + 1 >= SETTLEMENT_ATTEMPTS:
                self._in.emit([MarketDelisted(market, f"no settlement price after {SETTLEMENT_ATTEMPTS} questions")])
                self._settling.discard(outcome)
            else:
                pause_s = backoff_s(attempt, base_s=0.5, cap_s=20, jitter=0)
                self._in.after(pause_s, lambda: self._settle(outcome, market, attempt + 1))

        self._in.request(lambda: self._contracts.settlement(outcome), done)


def _found(client_id: ClientId, report: OrderReport) -> OrderAnswer:
    rests = standing(report.status) is Standing.RESTS
    return OrderAnswer(
        client_id=client_id, found=True, open=rests, status=report.status, venue_order_id=report.venue_order_id,
        leaves=report.leaves if rests else Qty(0), filled=report.filled, px=report.px,
    )  # fmt: skip


def _absent(client_id: ClientId) -> OrderAnswer:
    return OrderAnswer(
        client_id=client_id, found=False, open=False, status=UNKNOWN_OID, venue_order_id=None, leaves=Qty(0),
        filled=Qty(0),
    )  # fmt: skip
