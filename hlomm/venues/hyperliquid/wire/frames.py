"""Websocket frames to values (venue sheet sections 1.1, 1.2 and 3). One public entry: `decode_frame`.

It never raises: what cannot be read is reported as anomalies of a fixed vocabulary of kinds and dropped.
The first attempt decodes frame and payload in one pass, chosen by the `channel` key; only when that fails is the
frame looked at again to find out what was wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.inputs import BboUpdate, BookSnapshot, BookSource
from hlomm.venues.anomalies import DECODE_ERRORS, Anomaly, anomaly
from hlomm.venues.fields import Text
from hlomm.venues.hyperliquid.wire import account, marks, public, schemas
from hlomm.venues.hyperliquid.wire.account import Balances, OrderRows
from hlomm.venues.hyperliquid.wire.duplicates import refuse_duplicate_keys, refuse_extra_prices
from hlomm.venues.hyperliquid.wire.errors import channel_error_code, post_id_in
from hlomm.venues.hyperliquid.wire.fills import FillRows, fills
from hlomm.venues.hyperliquid.wire.ladder import BookMemory
from hlomm.venues.hyperliquid.wire.outcomes import OutcomeSpec, QuestionSpec, outcome_specs, question_specs
from hlomm.venues.hyperliquid.wire.public import Marks, Prints
from hlomm.venues.hyperliquid.wire.replies import ExchangeReply, decode_exchange

FRAME_CHARS_MAX: Final = 4 * 2**20
"""The largest real frame seen is 180 kB (all asset contexts); `outcomeMeta` sized replies come over HTTP."""
GREETING: Final = "Websocket connection established."


class Hello(Struct, frozen=True):
    """The bare text some connections open with."""


class Pong(Struct, frozen=True):
    pass


class SubscriptionAck(Struct, frozen=True):
    """Echo of a (un)subscription; the venue normalises it, so only kind and coin are compared."""

    subscribed: bool
    kind: str
    coin: str | None


class ChannelError(Struct, frozen=True):
    code: str
    text: str
    post_id: int | None


class PostAnswer(Struct, frozen=True):
    """Answer to a post. `reply` None means the result is unknown; `refused` is a transport-level HTTP text."""

    id: int
    reply: ExchangeReply | None
    refused: str | None


class MetaChanges(Struct, frozen=True):
    created: tuple[OutcomeSpec, ...]
    settled: tuple[int, ...]
    questions: tuple[QuestionSpec, ...] = ()
    """As they are now; told whenever one appears or changes."""
    settled_questions: tuple[int, ...] = ()


Frame = (
    Hello
    | Pong
    | SubscriptionAck
    | ChannelError
    | PostAnswer
    | BookSnapshot
    | BboUpdate
    | Prints
    | Marks
    | FillRows
    | OrderRows
    | Balances
    | MetaChanges
)


class Decoded(Struct, frozen=True):
    frame: Frame | None
    anomalies: tuple[Anomaly, ...] = ()


_frame: Final = msgspec.json.Decoder(schemas.AnyFrame)
_envelope: Final = msgspec.json.Decoder(schemas.Envelope)

KNOWN_CHANNELS: Final = frozenset(
    {
        "pong",
        "subscriptionResponse",
        "error",
        "post",
        "l2Book",
        "bbo",
        "trades",
        "activeAssetCtx",
        "fastAssetCtxs",
        "orderUpdates",
        "userFills",
        "spotState",
        "outcomeMetaUpdates",
    }
)


def decode_frame(data: str | bytes, books: BookMemory | None = None) -> Decoded:
    """The value of one websocket message, or why there is none. Never raises.

    `books`: what the connection told before of books, to read faster by; the value is the same without.
    """
    if len(data) > FRAME_CHARS_MAX:
        return _dropped("too_large", f"{len(data)} characters")
    try:
        frame = _frame.decode(data)
        if type(frame) is schemas.BookFrame:
            return _book(frame, data, books)
        return _READERS[type(frame)](frame, data)
    except ProtocolViolation as violation:
        return _dropped(violation.kind, violation)
    except DECODE_ERRORS as error:
        return _diagnose(data, error)


def _dropped(kind: str, detail: object) -> Decoded:
    return Decoded(None, (anomaly(kind, detail),))


def _diagnose(data: str | bytes, error: Exception) -> Decoded:
    """Name what was wrong with a frame that does not decode."""
    if data in (GREETING, GREETING.encode()):
        return Decoded(Hello())
    if isinstance(error, RecursionError):
        return _dropped("too_deep", error)
    if isinstance(error, UnicodeError):
        return _dropped("not_utf8", error)
    try:
        channel = _envelope.decode(data).channel
    except msgspec.ValidationError:
        return _dropped("no_channel", error)
    except msgspec.DecodeError as malformed:
        return _dropped("not_json", malformed)
    except (UnicodeError, RecursionError) as malformed:
        return _dropped("not_utf8" if isinstance(malformed, UnicodeError) else "too_deep", malformed)
    if channel not in KNOWN_CHANNELS:
        return _dropped("unknown_channel", channel)
    return _dropped(f"{channel}.schema", error)


# -- readers, one per channel


def _pong(_frame: schemas.PongFrame, _data: str | bytes) -> Decoded:
    return Decoded(Pong())


def _ack(frame: schemas.AckFrame, _data: str | bytes) -> Decoded:
    subscription = frame.data.subscription
    return Decoded(SubscriptionAck(frame.data.method == "subscribe", subscription.type, subscription.coin))


def _error(frame: schemas.ErrorFrame, _data: str | bytes) -> Decoded:
    text = frame.data[:2_000]
    return Decoded(ChannelError(channel_error_code(text), text, post_id_in(text)))


def _post(frame: schemas.PostFrame, data: str | bytes) -> Decoded:
    refuse_duplicate_keys(data)
    response = frame.data.response
    if response.type == "action":
        reply, anomalies = decode_exchange(response.payload)
        return Decoded(PostAnswer(frame.data.id, reply, None), anomalies)
    if response.type == "error":
        return Decoded(PostAnswer(frame.data.id, None, msgspec.json.decode(response.payload, type=Text)))
    raise ProtocolViolation("post.kind", f"expected action or error, was {response.type!r}")


def _book(frame: schemas.BookFrame, data: str | bytes, books: BookMemory | None) -> Decoded:
    refuse_extra_prices(data, len(frame.data.levels[0]) + len(frame.data.levels[1]))
    return Decoded(public.book_snapshot(frame.data, BookSource.STREAM, books))


def _bbo(frame: schemas.BboFrame, data: str | bytes) -> Decoded:
    refuse_extra_prices(data, sum(row is not None for row in frame.data.bbo))
    return Decoded(public.bbo_update(frame.data))


def _trades(frame: schemas.TradesFrame, data: str | bytes) -> Decoded:
    refuse_extra_prices(data, len(frame.data))
    return Decoded(*public.prints(frame.data))


def _asset_ctx(frame: schemas.AssetCtxFrame, _data: str | bytes) -> Decoded:
    return Decoded(public.mark_price(frame.data.coin, frame.data.ctx.mark_px))


def _fast_ctxs(frame: schemas.FastCtxsFrame, _data: str | bytes) -> Decoded:
    return Decoded(*marks.fast_marks(frame.data))


def _order_updates(frame: schemas.OrderUpdatesFrame, data: str | bytes) -> Decoded:
    refuse_duplicate_keys(data)
    return Decoded(*account.order_reports(frame.data))


def _user_fills(frame: schemas.UserFillsFrame, data: str | bytes) -> Decoded:
    refuse_duplicate_keys(data)
    return Decoded(*fills(frame.data.fills, frame.data.user, snapshot=frame.data.is_snapshot))


def _spot_state(frame: schemas.SpotStateFrame, data: str | bytes) -> Decoded:
    refuse_duplicate_keys(data)
    return Decoded(account.balances(frame.data.spot_state, frame.data.user))


def _meta_updates(frame: schemas.MetaUpdatesFrame, data: str | bytes) -> Decoded:
    refuse_duplicate_keys(data)
    created, anomalies = outcome_specs([row.outcome_created for row in frame.data if row.outcome_created is not UNSET])
    settled = [row.outcome_settled for row in frame.data if row.outcome_settled is not UNSET]
    numbers = tuple(one.outcome if isinstance(one, schemas.Settled) else one for one in settled)
    questions, more = question_specs([row.question_updated for row in frame.data if row.question_updated is not UNSET])
    ended = [row.question_settled for row in frame.data if row.question_settled is not UNSET]
    over = tuple(one.question if isinstance(one, schemas.SettledQuestion) else one for one in ended)
    return Decoded(MetaChanges(created, numbers, questions, over), anomalies + more)


_READERS: Final[dict[type, Callable[[Any, str | bytes], Decoded]]] = {
    schemas.PongFrame: _pong,
    schemas.AckFrame: _ack,
    schemas.ErrorFrame: _error,
    schemas.PostFrame: _post,
    schemas.BboFrame: _bbo,
    schemas.TradesFrame: _trades,
    schemas.AssetCtxFrame: _asset_ctx,
    schemas.FastCtxsFrame: _fast_ctxs,
    schemas.OrderUpdatesFrame: _order_updates,
    schemas.UserFillsFrame: _user_fills,
    schemas.SpotStateFrame: _spot_state,
    schemas.MetaUpdatesFrame: _meta_updates,
}
