"""`/info`: request bodies and their answers (venue sheet section 2).

Every `decode_*` returns a value and anomalies and never raises. Lists that decide whether something exists (open
orders, balances) are all or nothing; lists that merely inform (fills, outcomes) lose only their bad rows.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.ids import ClientId
from hlomm.domain.inputs import BookSnapshot, BookSource, RestingOrder
from hlomm.domain.units import SCALE
from hlomm.venues.anomalies import Anomaly, guarded
from hlomm.venues.fields import DecimalText, Millis, VenueNumber, Word, signed
from hlomm.venues.hyperliquid.wire import account, outcomes, perps, public
from hlomm.venues.hyperliquid.wire.account import Balances, OrderReport
from hlomm.venues.hyperliquid.wire.fills import FILLS_PAGE, FillRows, fills, span_of
from hlomm.venues.hyperliquid.wire.outcomes import OutcomeSpec, PerpRow, QuestionSpec, Settlement
from hlomm.venues.hyperliquid.wire.perps import FundingRows, PerpAccount

Anomalies = tuple[Anomaly, ...]
FUNDING_PAGE: Final = 500
"""Rows of `userFunding` in one answer, at most."""


# -- requests


def request(kind: str, **fields: str | int) -> bytes:
    """Body of an `/info` request."""
    return msgspec.json.encode({"type": kind, **fields})


def l2_book_request(coin: str) -> bytes:
    return request("l2Book", coin=coin)


def order_status_request(user: str, client_id: ClientId) -> bytes:
    return request("orderStatus", user=user, oid=client_id)


def settled_outcome_request(outcome: int) -> bytes:
    return request("settledOutcome", outcome=outcome)


def fills_since_request(user: str, start_ms: int, end_ms: int | None = None) -> bytes:
    """Fills between two venue times, both included, oldest first, at most 2,000."""
    until = {} if end_ms is None else {"endTime": end_ms}
    return request("userFillsByTime", user=user, startTime=start_ms, **until)


def funding_since_request(user: str, start_ms: int) -> bytes:
    """Funding payments from that venue time on, oldest first, at most 500."""
    return request("userFunding", user=user, startTime=start_ms)


def user_request(kind: str, user: str) -> bytes:
    """Request about an account. `user` is the master or sub-account, never the agent (sheet section 2)."""
    return request(kind, user=user)


# -- answers


class OutcomeMeta(Struct, frozen=True):
    specs: tuple[OutcomeSpec, ...]
    listed: frozenset[int]
    """Numbers of every outcome the venue lists, also of those whose specification could not be read."""
    questions: tuple[QuestionSpec, ...] = ()


class UserFees(Struct, frozen=True, kw_only=True):
    """Rates of the account in 1e-8 of notional; the discount is not part of the rates (sheet section 2)."""

    perp_taker: int
    perp_maker: int
    spot_taker: int
    spot_maker: int
    referral_discount: int


class ExchangeStatus(Struct, frozen=True):
    """Unix milliseconds of the venue's clock, and what is out of the ordinary (None: nothing)."""

    time_ms: int
    special: str | None


class RateLimit(Struct, frozen=True):
    used: int
    cap: int


class OrderStatus(Struct, frozen=True):
    """`report` None: the venue does not know the order."""

    report: OrderReport | None


class _OutcomeHead(Struct, frozen=True):
    outcome: int


class _FeesReply(Struct, frozen=True, rename="camel"):
    user_cross_rate: DecimalText
    user_add_rate: DecimalText
    user_spot_cross_rate: DecimalText
    user_spot_add_rate: DecimalText
    active_referral_discount: DecimalText = "0"


class _RateLimitReply(Struct, frozen=True, rename="camel"):
    n_requests_used: VenueNumber
    n_requests_cap: VenueNumber


class _StatusReply(Struct, frozen=True, rename="camel"):
    time: Millis
    special_statuses: Word | None = None


class _OrderStatusReply(Struct, frozen=True):
    status: Word
    order: account.StatusRow | UnsetType = UNSET


_outcome_meta: Final = msgspec.json.Decoder(outcomes.OutcomeMetaReply)
_outcome_head: Final = msgspec.json.Decoder(_OutcomeHead)
_perp_meta: Final = msgspec.json.Decoder(outcomes.PerpMetaReply)
_settled: Final = msgspec.json.Decoder(outcomes.SettledOutcomeReply | None)
_balances: Final = msgspec.json.Decoder(account.BalanceList)
_perp_account: Final = msgspec.json.Decoder(perps.PerpReply)
_rows: Final = msgspec.json.Decoder(Annotated[list[Raw], Meta(max_length=20_000)])
_fees: Final = msgspec.json.Decoder(_FeesReply)
_rate_limit: Final = msgspec.json.Decoder(_RateLimitReply)
_status: Final = msgspec.json.Decoder(_StatusReply)
_order_status: Final = msgspec.json.Decoder(_OrderStatusReply)
_book: Final = msgspec.json.Decoder(public.BookData | None)


def decode_outcome_meta(body: bytes) -> tuple[OutcomeMeta | None, Anomalies]:
    rows, wrong = guarded("outcomeMeta.schema", _outcome_meta.decode, body)
    if rows is None:
        return None, wrong
    heads = [guarded("outcome.schema", _outcome_head.decode, raw)[0] for raw in rows.outcomes]
    specs, wrong = outcomes.outcome_specs(rows.outcomes)
    questions, more = outcomes.question_specs(rows.questions)
    return OutcomeMeta(specs, frozenset(head.outcome for head in heads if head is not None), questions), wrong + more


def decode_perp_meta(body: bytes) -> tuple[tuple[PerpRow, ...] | None, Anomalies]:
    """The universe; a perp's asset id is its place in it."""
    return guarded("meta.schema", lambda: tuple(_perp_meta.decode(body).universe))


def decode_settled_outcome(body: bytes) -> tuple[Settlement | None, Anomalies]:
    """None without anomaly: not settled yet."""

    def read() -> Settlement | None:
        reply = _settled.decode(body)
        return None if reply is None else outcomes.settlement(reply)

    return guarded("settledOutcome.schema", read)


def decode_balances(body: bytes, user: str) -> tuple[Balances | None, Anomalies]:
    return guarded("balances.schema", lambda: account.balances(_balances.decode(body), user))


def decode_perp_account(body: bytes) -> tuple[PerpAccount | None, Anomalies]:
    return guarded("perp.schema", lambda: perps.perp_account(_perp_account.decode(body)))


def decode_funding(body: bytes) -> tuple[FundingRows | None, Anomalies]:
    rows, wrong = guarded("userFunding.schema", _rows.decode, body)
    if rows is None:
        return None, wrong
    payments, wrong = perps.funding_payments(rows)
    return FundingRows(payments, span_of(rows, FUNDING_PAGE)), wrong


def decode_open_orders(body: bytes) -> tuple[tuple[RestingOrder, ...] | None, Anomalies]:
    return guarded("openOrders.schema", lambda: account.resting_orders(_rows.decode(body)))


def decode_fills(body: bytes, user: str) -> tuple[FillRows | None, Anomalies]:
    rows, wrong = guarded("userFills.schema", _rows.decode, body)
    if rows is None:
        return None, wrong
    told, wrong = fills(rows, user, snapshot=True)
    return msgspec.structs.replace(told, span=span_of(rows, FILLS_PAGE)), wrong


def decode_order_status(body: bytes) -> tuple[OrderStatus | None, Anomalies]:
    def read() -> OrderStatus:
        reply = _order_status.decode(body)
        if reply.status == "order" and reply.order is not UNSET:
            return OrderStatus(account.order_report(reply.order))
        if reply.status == "unknownOid":
            return OrderStatus(None)
        raise ProtocolViolation("orderStatus.status", f"expected order or unknownOid, was {reply.status!r}")

    return guarded("orderStatus.schema", read)


def decode_l2_book(body: bytes) -> tuple[BookSnapshot | None, Anomalies]:
    """None without anomaly: the venue does not know the coin (`null` with HTTP 200)."""

    def read() -> BookSnapshot | None:
        data = _book.decode(body)
        return None if data is None else public.book_snapshot(data, BookSource.REST)

    return guarded("l2Book.schema", read)


def decode_user_fees(body: bytes) -> tuple[UserFees | None, Anomalies]:
    def read() -> UserFees:
        reply = _fees.decode(body)
        discount = signed(reply.active_referral_discount, "userFees.discount")
        if not 0 <= discount <= SCALE:
            raise ProtocolViolation("userFees.discount", f"expected 0..1, was {reply.active_referral_discount!r}")
        return UserFees(
            perp_taker=_rate(reply.user_cross_rate),
            perp_maker=_rate(reply.user_add_rate),
            spot_taker=_rate(reply.user_spot_cross_rate),
            spot_maker=_rate(reply.user_spot_add_rate),
            referral_discount=discount,
        )

    return guarded("userFees.schema", read)


def _rate(text: str) -> int:
    """A fee fraction; rebates are negative. More than a tenth of notional is no fee."""
    rate = signed(text, "userFees.rate")
    if abs(rate) > SCALE // 10:
        raise ProtocolViolation("userFees.rate", f"expected a fee fraction, was {text!r}")
    return rate


def decode_rate_limit(body: bytes) -> tuple[RateLimit | None, Anomalies]:
    def read() -> RateLimit:
        reply = _rate_limit.decode(body)
        return RateLimit(reply.n_requests_used, reply.n_requests_cap)

    return guarded("userRateLimit.schema", read)


def decode_exchange_status(body: bytes) -> tuple[ExchangeStatus | None, Anomalies]:
    def read() -> ExchangeStatus:
        reply = _status.decode(body)
        return ExchangeStatus(reply.time, reply.special_statuses)

    return guarded("exchangeStatus.schema", read)
