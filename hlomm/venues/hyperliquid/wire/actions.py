"""Actions of `/exchange`: the JSON that is signed and posted (venue sheet sections 4.1, 7.6).

Key order matters: the signature covers the MessagePack of these very dicts. Optional keys are absent, never null or
false. Decimals are the shortest plain form.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from hlomm.domain.ids import ClientId, VenueOrderId
from hlomm.domain.orders import AmendRequest, OrderRequest, Side, Tif
from hlomm.domain.sets import SetAction
from hlomm.domain.units import Px, Qty, to_text

Action = dict[str, Any]

_CLOID: Final = re.compile(r"0x[0-9a-f]{32}", re.ASCII)


def is_cloid(client_id: str) -> bool:
    """Whether the venue would accept the id: 0x and 32 lower-case hex digits."""
    return _CLOID.fullmatch(client_id) is not None


def order_row(asset: int, side: Side, px: Px, qty: Qty, tif: Tif, client_id: ClientId, *, reduce_only: bool) -> Action:
    return {
        "a": asset,
        "b": side is Side.BUY,
        "p": to_text(px),
        "s": to_text(qty),
        "r": reduce_only,
        "t": {"limit": {"tif": tif.value}},
        "c": client_id,
    }


def place(orders: Sequence[tuple[int, OrderRequest]], *, perp: frozenset[int] = frozenset()) -> Action:
    """New orders with their asset ids. `perp` names the assets that know reduce-only; outcomes refuse the flag."""
    rows = [
        order_row(
            asset,
            order.side,
            order.px,
            order.qty,
            order.tif,
            order.client_id,
            reduce_only=order.reduce_only and asset in perp,
        )
        for asset, order in orders
    ]
    return {"type": "order", "orders": rows, "grouping": "na"}


def amend(amends: Sequence[tuple[int, AmendRequest]]) -> Action:
    """Replacements by venue order id, always post-only and never with `a`, which could leave both orders resting."""
    rows = [
        {
            "oid": int(one.venue_order_id),
            "order": order_row(asset, one.side, one.px, one.qty, Tif.ALO, one.client_id, reduce_only=False),
        }
        for asset, one in amends
    ]
    return {"type": "batchModify", "modifies": rows}


class CancelRow(msgspec.Struct, frozen=True):
    """A cancel of one order of ours, written: as it is signed (MessagePack) and as it is posted (JSON)."""

    signed: msgspec.Raw
    posted: msgspec.Raw


def cancel_row(asset: int, client_id: ClientId) -> CancelRow:
    row = {"asset": asset, "cloid": client_id}
    return CancelRow(msgspec.Raw(msgspec.msgpack.encode(row)), msgspec.Raw(msgspec.json.encode(row)))


def cancel_by_client_id(rows: Sequence[msgspec.Raw]) -> Action:
    """Cancels of our own orders, all `signed` or all `posted`; `f` (fast) has only upside for plain orders."""
    return {"type": "cancelByCloid", "cancels": rows, "f": True}


def cancel_by_venue_id(cancels: Sequence[tuple[int, VenueOrderId]]) -> Action:
    """Cancels of any order of the account."""
    rows = [{"a": asset, "o": int(oid)} for asset, oid in cancels]
    return {"type": "cancel", "cancels": rows, "f": True}


def user_outcome(action: SetAction, outcome: int, question: int | None, qty: Qty) -> Action | None:
    """A conversion of whole contracts; None for one that needs a question and names none (sheet section 7.6)."""
    amount = to_text(qty)
    match action:
        case SetAction.SPLIT:
            return {"type": "userOutcome", "splitOutcome": {"outcome": outcome, "amount": amount}}
        case SetAction.MERGE:
            return {"type": "userOutcome", "mergeOutcome": {"outcome": outcome, "amount": amount}}
        case SetAction.NEGATE if question is not None:
            terms = {"question": question, "outcome": outcome, "amount": amount}
            return {"type": "userOutcome", "negateOutcome": terms}
        case SetAction.MERGE_QUESTION if question is not None:
            return {"type": "userOutcome", "mergeQuestion": {"question": question, "amount": amount}}
        case _:
            return None


def schedule_cancel(time_ms: int | None) -> Action:
    """Cancel everything at that time of the venue; None takes an earlier such wish back."""
    return {"type": "scheduleCancel"} if time_ms is None else {"type": "scheduleCancel", "time": time_ms}


def noop() -> Action:
    return {"type": "noop"}


def exchange_body(
    action: Action, nonce: int, signature: dict[str, Any], vault: str | None, expires_after_ms: int | None
) -> bytes:
    """Body of an `/exchange` request, and payload of a websocket action post."""
    return msgspec.json.encode(
        {
            "action": action,
            "nonce": nonce,
            "signature": signature,
            "vaultAddress": vault,
            "expiresAfter": expires_after_ms,
        }
    )


def post_frame(post_id: int, body: bytes) -> str:
    """Websocket frame that carries an `/exchange` body (sheet section 1.2)."""
    return f'{{"method":"post","id":{post_id},"request":{{"type":"action","payload":{body.decode()}}}}}'
