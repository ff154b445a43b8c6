"""Everything that can influence a decision. The engine learns of the world only through these values.

They are tagged arrays so that the journal can hold them compactly and read them back without loss.
Prices and quantities are scaled integers (see `units`), `venue_ms` is the venue's own stamp in unix milliseconds
(0 where the venue gave none).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from hlomm.domain.carried import Carried
from hlomm.domain.fills import Fill
from hlomm.domain.ids import HYPERLIQUID, ClientId, MarketId, VenueId, VenueOrderId
from hlomm.domain.markets import Leg, Market
from hlomm.domain.orders import Side
from hlomm.domain.sets import SetAction
from hlomm.domain.units import Cash, Px, Qty

Level = tuple[int, int]
"""(price, quantity) in YES space."""


class _Input(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Base of the tagged union."""


# -- life of the daemon


class Booted(_Input, frozen=True, kw_only=True):
    """First input of every run: all that the engine's construction depends on."""

    epoch_ms: int
    profile: str
    version: str
    config: str
    """The engine's part of the merged configuration, as JSON."""
    halted: str | None
    """Reason of a halt that survived the restart, or None."""
    account: str = ""
    """Whose books this run keeps."""
    carried: Carried | None = None
    """Books of the last run of the same account, None for a first one."""
    guardian_required: bool = False
    """Nothing is quoted before a guardian watches this run, nor after it is gone."""
    accounts: tuple[tuple[VenueId, str], ...] = ()
    """The venues of this run in order, each with the account there; empty: Hyperliquid alone, with `account`."""
    seed: int | None = None
    """Of the simulator that the run traded at; None where nothing is simulated. No decision reads it."""
    fill_model: str = ""
    """Tag of the model that made the fills of this run (paper); empty: the venue did. No decision reads it."""

    @property
    def account_of(self) -> dict[VenueId, str]:
        return dict(self.accounts) or {HYPERLIQUID: self.account}


class OperatorAction(StrEnum):
    KILL = "kill"
    FLATTEN = "flatten"
    CANCEL = "cancel"
    """Cancel everything and stay HALTED with what is held."""
    RESUME = "resume"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    TUNE = "tune"


class OperatorCommand(_Input, frozen=True, kw_only=True):
    """A command from a person.

    `target` names a strategy for pause and unpause; for tune it is `key=value`, or several with semicolons between.
    """

    action: OperatorAction
    actor: str
    """Who: uid and origin, as far as known."""
    reason: str = ""
    target: str = ""


class StopRequested(_Input, frozen=True):
    """The daemon is asked to end (signal, --duration, fault). `flatten` follows the policy in force."""

    reason: str
    flatten: bool


class JournalFailed(_Input, frozen=True):
    """The journal cannot be written: nothing new may be sent, everything resting must go."""

    reason: str


class GuardianUp(_Input, frozen=True):
    """A guardian watches: it will cancel and flatten should this process die, hang or be stopped."""


class GuardianDown(_Input, frozen=True):
    """Nobody watches any more."""

    reason: str


class ClockSkew(_Input, frozen=True):
    """Measured difference between the venue's clock and ours."""

    venue: VenueId
    skew_ms: int


class AccountDoubted(_Input, frozen=True):
    """News of the account may have been lost on a connection that lives on: something came unreadable, or late."""

    venue: VenueId
    reason: str


class DeadmanArmed(_Input, frozen=True):
    """The venue promises to cancel all our orders at `until_ms` (wall time); 0: it does not, or no longer."""

    venue: VenueId
    until_ms: int


class FuseTripped(_Input, frozen=True):
    """A session stopped what the engine wanted to send: from now on it lets only cancels and flattening sales pass."""

    venue: VenueId
    reason: str
    """The rule and the numbers."""


class VenueTripped(_Input, frozen=True):
    """The venue's own breaker acted: it cancelled our orders and refuses new ones until it is reset.

    Said again after a reset that did not succeed.
    """

    venue: VenueId
    reason: str


class VenueRearmed(_Input, frozen=True):
    """The venue's breaker was reset: it takes our orders again."""

    venue: VenueId


# -- sessions


class VenuePaused(_Input, frozen=True):
    """The venue takes no new orders until `until_ms` (wall time); 0: it takes them again."""

    venue: VenueId
    until_ms: int
    reason: str
    """Maintenance, restart, trading pause."""


class SessionUp(_Input, frozen=True):
    """The session is usable: subscribed, snapshotted and reconciled."""

    venue: VenueId


class SessionDown(_Input, frozen=True):
    """The session is lost. `rest` tells whether the venue still answers requests."""

    venue: VenueId
    reason: str
    rest: bool


class RateBudget(_Input, frozen=True):
    """Actions the account has used and may use, as the venue counts them."""

    venue: VenueId
    used: int
    cap: int


class SendRates(_Input, frozen=True, kw_only=True):
    """What a venue takes from us in a minute, and what each order and each cancel counts of it, in its own units."""

    venue: VenueId
    per_min: int
    place: int
    """Of a new order or an amend."""
    cancel: int


class FeeRates(_Input, frozen=True, kw_only=True):
    """Fee fractions in 1e-8 of notional, for orders that open and orders that close an outcome position."""

    venue: VenueId
    open_maker: int
    open_taker: int
    close_maker: int
    close_taker: int
    settle: int


# -- markets


class MarketListed(_Input, frozen=True):
    market: Market


class MarketSettled(_Input, frozen=True):
    """The venue settled an outcome; YES pays `yes_px`, NO pays 1 - yes_px."""

    market: MarketId
    yes_px: Px
    detail: str


class MarketDelisted(_Input, frozen=True):
    """A market disappeared without a settlement price known yet."""

    market: MarketId
    reason: str


class MarketChanged(_Input, frozen=True):
    """Fee, tick, minimum, strike, rules text or times of a listed market are others than told: all of it, as now."""

    market: Market


class BookSource(StrEnum):
    STREAM = "stream"
    REST = "rest"


class BookSnapshot(_Input, frozen=True):
    """Full (or top-n) book in YES space, best level first on both sides."""

    market: MarketId
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    venue_ms: int
    source: BookSource = BookSource.STREAM


class BboUpdate(_Input, frozen=True):
    """Best bid and offer in YES space; None is an empty side."""

    market: MarketId
    bid: Level | None
    ask: Level | None
    venue_ms: int


class TradePrint(_Input, frozen=True):
    """One public trade in YES space; `aggressor` is BUY if the taker gained from YES."""

    market: MarketId
    px: Px
    qty: Qty
    aggressor: Side
    trade_id: str
    venue_ms: int


class MarkPrice(_Input, frozen=True):
    """Mark price of a perp, the thing recurring outcomes settle on."""

    market: MarketId
    px: Px
    venue_ms: int


# -- orders


class SentAction(StrEnum):
    PLACE = "place"
    AMEND = "amend"
    CANCEL = "cancel"


class OrderOpened(_Input, frozen=True, kw_only=True):
    """The order rests at the venue under this id. `leaves` is None where the report does not say."""

    client_id: ClientId
    venue_order_id: VenueOrderId
    leaves: Qty | None
    venue_ms: int


class OrderClosed(_Input, frozen=True, kw_only=True):
    """The order no longer rests. `filled` counts all it ever filled under that venue id, None if not said."""

    client_id: ClientId
    venue_order_id: VenueOrderId | None
    status: str
    filled: Qty | None
    venue_ms: int


class OrderRejected(_Input, frozen=True, kw_only=True):
    """The venue refused a new order. `code` is our stable word for the text."""

    client_id: ClientId
    code: str
    text: str


class AmendFailed(_Input, frozen=True, kw_only=True):
    """The venue refused an amend; whether the old order still rests is not said."""

    client_id: ClientId
    code: str
    text: str


class CancelFailed(_Input, frozen=True, kw_only=True):
    """The venue refused a cancel, most often because the order is already gone."""

    client_id: ClientId
    code: str
    text: str


class SendLost(_Input, frozen=True):
    """No answer: the action may or may not have reached the venue."""

    client_ids: tuple[ClientId, ...]
    action: SentAction
    reason: str


class SendRefused(_Input, frozen=True):
    """The action certainly never left this machine."""

    client_ids: tuple[ClientId, ...]
    action: SentAction
    reason: str


class OrderAnswer(_Input, frozen=True, kw_only=True):
    """The venue's answer to a query by client id. `status` is its word (`open`, `filled`, `unknownOid`, ...)."""

    client_id: ClientId
    found: bool
    open: bool
    status: str
    venue_order_id: VenueOrderId | None
    leaves: Qty
    filled: Qty
    px: Px | None = None
    """Own-coin limit price, for an order that was amended."""


class FillReceived(_Input, frozen=True):
    """A fill. A conversion moves several tokens at once: `rest` has its other parts, and no moment lies between."""

    fill: Fill
    rest: tuple[Fill, ...] = ()

    @property
    def fills(self) -> tuple[Fill, ...]:
        return (self.fill, *self.rest)


class FillVoided(_Input, frozen=True):
    """A fill that was told as pending never settled: it is undone, as if it had not been."""

    fill: Fill
    reason: str


class FillFinal(_Input, frozen=True):
    """A fill that was told as pending is delivered: its tokens can be sold, its cash spent."""

    venue: VenueId
    key: str


class FundingPaid(_Input, frozen=True, kw_only=True):
    """Funding of a perp position. `amount` as for a fee: positive is paid by us, negative received."""

    market: MarketId
    amount: Cash
    key: str
    """Identifies it for de-duplication: asked for over and over, it must count once."""
    venue_ms: int


class ConversionFailed(_Input, frozen=True, kw_only=True):
    """A conversion did not happen; if `lost`, nobody knows whether it did."""

    action: SetAction
    market: MarketId
    text: str
    lost: bool = False


class TokenBalance(msgspec.Struct, frozen=True, array_like=True):
    """Tokens of one leg on the account. `cost` is the venue's entry notional."""

    market: MarketId
    leg: Leg
    total: Qty
    cost: Cash


class PerpBalance(msgspec.Struct, frozen=True, array_like=True):
    """An open perp position. `qty` and `cost` are signed alike: negative for a short; `cost` is the entry notional."""

    market: MarketId
    qty: Qty
    cost: Cash


class RestingOrder(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """An order the venue says is open. `px` in the leg's own coin; `client_id` None for foreign orders."""

    client_id: ClientId | None
    venue_order_id: VenueOrderId
    market: MarketId
    leg: Leg
    side: Side
    px: Px
    leaves: Qty


class AccountState(_Input, frozen=True, kw_only=True):
    """The whole account as the venue sees it, asked for at `asked_seq` of our own outputs.

    `asked_mono_ns` is when the question left: later activity of ours makes differences expected.
    """

    venue: VenueId
    cash: Cash
    tokens: tuple[TokenBalance, ...]
    orders: tuple[RestingOrder, ...]
    asked_mono_ns: int
    perps: tuple[PerpBalance, ...] = ()
    perp_cash: Cash = Cash(0)
    """The perp wallet after every purchase was paid in full (Hyperliquid's totalRawUsd): equity less positions."""


MARKET_NEWS: Final = frozenset({BookSnapshot, BboUpdate, TradePrint, MarkPrice})
"""What only tells how a market stands: of several that came together only the last picture matters."""

Input = (
    Booted
    | OperatorCommand
    | StopRequested
    | JournalFailed
    | GuardianUp
    | GuardianDown
    | ClockSkew
    | AccountDoubted
    | DeadmanArmed
    | FuseTripped
    | VenueTripped
    | VenueRearmed
    | VenuePaused
    | SessionUp
    | SessionDown
    | RateBudget
    | SendRates
    | FeeRates
    | MarketListed
    | MarketSettled
    | MarketDelisted
    | MarketChanged
    | BookSnapshot
    | BboUpdate
    | TradePrint
    | MarkPrice
    | OrderOpened
    | OrderClosed
    | OrderRejected
    | AmendFailed
    | CancelFailed
    | SendLost
    | SendRefused
    | OrderAnswer
    | FillReceived
    | FillVoided
    | FillFinal
    | FundingPaid
    | ConversionFailed
    | AccountState
)
