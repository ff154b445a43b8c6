"""Answers about the venue, a market or a balance (venue sheet sections 6 and 7)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.markets import Leg
from hlomm.domain.secret import Secret, seal
from hlomm.domain.units import ONE, SCALE, Px
from hlomm.venues.anomalies import Anomaly, guarded
from hlomm.venues.fields import MS_LIMIT, DecimalText, unsigned
from hlomm.venues.polymarket.auth import ApiKey, check_api_key
from hlomm.venues.polymarket.wire.gamma import FeeSchedule
from hlomm.venues.polymarket.wire.values import IdText

_MILLIONTH: Final = SCALE // 1_000_000
_HALF: Final = Px(ONE // 2)
_LEGS: Final = {"yes": Leg.YES, "up": Leg.YES, "no": Leg.NO, "down": Leg.NO}


class _ApiKey(Struct, frozen=True, rename="camel"):
    api_key: IdText
    secret: Secret
    passphrase: Secret


class _Version(Struct, frozen=True):
    version: int


class _Balance(Struct, frozen=True):
    balance: DecimalText


class _Token(Struct, frozen=True):
    token_id: IdText = ""
    outcome: IdText = ""
    winner: bool = False


class _Market(Struct, frozen=True):
    condition_id: IdText
    closed: bool = False
    tokens: list[_Token] = []
    is_50_50_outcome: bool = False


class Tokens(Struct, frozen=True):
    """The tokens of a market and what YES pays; None while nobody knows."""

    yes: str
    no: str
    paid: Px | None


class _FeeData(Struct, frozen=True):
    r: Decimal = Decimal(0)
    e: Decimal = Decimal(1)
    to: bool = True


class _Compact(Struct, frozen=True):
    fd: _FeeData | None = None
    itode: bool = False


class Compact(Struct, frozen=True):
    """What the order book's own record adds to Gamma's: the fee, and whether takers are held back."""

    schedule: FeeSchedule | None
    taker_delay: bool


_api_key: Final = msgspec.json.Decoder(_ApiKey, dec_hook=seal)
_version: Final = msgspec.json.Decoder(_Version)
_balance: Final = msgspec.json.Decoder(_Balance)
_market: Final = msgspec.json.Decoder(_Market)
_compact: Final = msgspec.json.Decoder(_Compact)
_seconds: Final = msgspec.json.Decoder(Annotated[int, Meta(ge=0, lt=MS_LIMIT // 1_000)], strict=False)


def decode_api_key(body: bytes) -> tuple[ApiKey | None, tuple[Anomaly, ...]]:
    return guarded("api_key.schema", _read_key, body)


def _read_key(body: bytes) -> ApiKey:
    row = _api_key.decode(body)
    key = ApiKey(row.api_key, row.secret, row.passphrase)
    check_api_key(key)
    return key


def decode_time(body: bytes) -> tuple[int | None, tuple[Anomaly, ...]]:
    """Unix milliseconds; the venue tells whole seconds."""
    return guarded("time.schema", lambda: _seconds.decode(body) * 1_000)


def decode_version(body: bytes) -> tuple[int | None, tuple[Anomaly, ...]]:
    return guarded("version.schema", lambda: _version.decode(body).version)


def decode_balance(body: bytes) -> tuple[int | None, tuple[Anomaly, ...]]:
    """In 1e-8. A whole number counts millionths; one with a point is a decimal."""
    return guarded("balance.schema", _read_balance, body)


def _read_balance(body: bytes) -> int:
    text = _balance.decode(body).balance
    if "." in text:
        return unsigned(text, "balance.amount")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ProtocolViolation("balance.amount", f"expected millionths, was {text!r}")
    return int(text) * _MILLIONTH


def decode_tokens(body: bytes) -> tuple[Tokens | None, tuple[Anomaly, ...]]:
    """GET /markets/{condition}. Anything but two tokens that we can tell apart is an anomaly."""
    return guarded("tokens.schema", _read_tokens, body)


def _read_tokens(body: bytes) -> Tokens:
    row = _market.decode(body)
    by_leg = {leg_of(one.outcome): one for one in row.tokens}
    yes, no = by_leg.get(Leg.YES), by_leg.get(Leg.NO)
    if len(row.tokens) != 2 or yes is None or no is None or not yes.token_id or not no.token_id:
        raise ProtocolViolation("tokens.outcomes", f"{row.condition_id}: {[one.outcome for one in row.tokens]}")
    if yes.winner and no.winner:
        raise ProtocolViolation("tokens.winners", f"both tokens of {row.condition_id} win")
    paid = ONE if yes.winner else Px(0) if no.winner else None
    if paid is None and row.is_50_50_outcome and row.closed:
        paid = _HALF
    return Tokens(yes.token_id, no.token_id, paid)


def leg_of(outcome: str) -> Leg | None:
    """The leg that a label names; None for any label but those of the families we trade."""
    return _LEGS.get(outcome.lower())


def decode_compact(body: bytes) -> tuple[Compact | None, tuple[Anomaly, ...]]:
    """GET /clob-markets/{condition}."""
    return guarded("compact.schema", _read_compact, body)


def _read_compact(body: bytes) -> Compact:
    row = _compact.decode(body)
    schedule = None if row.fd is None else FeeSchedule(rate=row.fd.r, exponent=row.fd.e, taker_only=row.fd.to)
    return Compact(schedule, row.itode)
