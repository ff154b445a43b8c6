"""What each input means: one function per kind, and the table here is the whole dispatch.

The functions live by what they are about: the run and its sessions (`intake_life`), markets and books
(`intake_markets`), our orders (`intake_orders`), money (`intake_account`). They change the state; what follows from it
is decided in the turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hlomm.domain.inputs import (
    AccountDoubted,
    AccountState,
    AmendFailed,
    BboUpdate,
    BookSnapshot,
    Booted,
    CancelFailed,
    ClockSkew,
    ConversionFailed,
    DeadmanArmed,
    FeeRates,
    FillFinal,
    FillReceived,
    FillVoided,
    FundingPaid,
    FuseTripped,
    GuardianDown,
    GuardianUp,
    Input,
    JournalFailed,
    MarketChanged,
    MarketDelisted,
    MarketListed,
    MarketSettled,
    MarkPrice,
    OperatorCommand,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    RateBudget,
    SendLost,
    SendRates,
    SendRefused,
    SessionDown,
    SessionUp,
    StopRequested,
    TradePrint,
    VenuePaused,
    VenueRearmed,
    VenueTripped,
)
from hlomm.engine import intake_account as account
from hlomm.engine import intake_life as life
from hlomm.engine import intake_markets as markets
from hlomm.engine import intake_orders as orders
from hlomm.engine.state import State
from hlomm.strategy.base import Strategies

HANDLERS: Final[dict[type, Callable[[State, Any, Strategies], None]]] = {
    Booted: life.booted,
    OperatorCommand: life.operator,
    StopRequested: life.stop,
    JournalFailed: life.journal_failed,
    GuardianUp: life.guardian_up,
    GuardianDown: life.guardian_down,
    ClockSkew: life.clock_skew,
    AccountDoubted: life.account_doubted,
    DeadmanArmed: life.deadman,
    FuseTripped: life.fuse_tripped,
    VenueTripped: life.venue_tripped,
    VenueRearmed: life.venue_rearmed,
    VenuePaused: life.venue_paused,
    SessionUp: life.session_up,
    SessionDown: life.session_down,
    RateBudget: life.rate_budget,
    SendRates: life.send_rates,
    FeeRates: life.fee_rates,
    MarketListed: markets.listed,
    MarketSettled: markets.settled,
    MarketDelisted: markets.delisted,
    MarketChanged: markets.changed,
    BookSnapshot: markets.snapshot,
    BboUpdate: markets.bbo,
    TradePrint: markets.printed,
    MarkPrice: markets.mark,
    OrderOpened: orders.opened,
    OrderClosed: orders.closed,
    OrderRejected: orders.rejected,
    AmendFailed: orders.amend_failed,
    CancelFailed: orders.cancel_failed,
    SendLost: orders.lost,
    SendRefused: orders.send_refused,
    OrderAnswer: orders.answered,
    FillReceived: account.fill,
    FillVoided: account.fill_voided,
    FillFinal: account.fill_final,
    FundingPaid: account.funding,
    ConversionFailed: account.conversion_failed,
    AccountState: account.account,
}


def take(state: State, item: Input, strategies: Strategies) -> None:
    """Apply one input."""
    HANDLERS[type(item)](state, item, strategies)
