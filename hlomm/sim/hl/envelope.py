"""The signed body of `/exchange`, decoded and checked as far as types and ranges go."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from hlomm.sim.coins import is_address
from hlomm.sim.hl import schema

_U64_MAX: Final = (1 << 64) - 1


class SignatureWire(msgspec.Struct, forbid_unknown_fields=True):
    r: str
    s: str
    v: int


class Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a POST to `/exchange`, and the payload of a websocket action."""

    action: schema.Action
    nonce: int
    signature: SignatureWire
    vaultAddress: str | None = None  # noqa: N815
    expiresAfter: int | None = None  # noqa: N815


_DECODER = msgspec.json.Decoder(Envelope)


def decode_envelope(body: bytes) -> Envelope:
    """Typed body; Malformed if anything is missing, of the wrong type, or out of range."""
    try:
        return checked_envelope(_DECODER.decode(body))
    except msgspec.ValidationError as error:
        raise schema.Malformed(str(error)) from error


def convert_envelope(payload: Any) -> Envelope:
    """Like `decode_envelope`, from JSON that is already parsed."""
    try:
        return checked_envelope(msgspec.convert(payload, Envelope))
    except msgspec.ValidationError as error:
        raise schema.Malformed(str(error)) from error


def checked_envelope(envelope: Envelope) -> Envelope:
    """Range checks that types do not express."""
    vault, expires = envelope.vaultAddress, envelope.expiresAfter
    if vault is not None and not is_address(vault.lower()):
        raise schema.Malformed("vaultAddress is not an address")
    if not 0 <= envelope.nonce <= _U64_MAX or (expires is not None and not 0 <= expires <= _U64_MAX):
        raise schema.Malformed("nonce and expiresAfter are unsigned 64-bit integers")
    if not isinstance(envelope.action, schema.UsdClassTransferAction | schema.ApproveAgentAction):
        envelope.action.canonical()
    return envelope
