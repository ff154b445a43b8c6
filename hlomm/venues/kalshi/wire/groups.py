"""Order groups over REST (venue sheet section 6): the venue names them, a group has a limit and no other mark."""

from __future__ import annotations

from typing import Annotated, Any, Final

import attrs
from msgspec import Meta, Struct

from hlomm.domain.units import Qty
from hlomm.venues.fields import DecimalText, unsigned
from hlomm.venues.kalshi.wire.account import decode
from hlomm.venues.kalshi.wire.schemas import IdText, ShardNumber, count_text

GROUPS: Final = "/portfolio/order_groups"
TRIGGER: Final = "trigger"
RESET: Final = "reset"
"""The latter is both an action and the `event_type` that tells of it."""
TRIGGERED: Final = "triggered"
DELETED: Final = "deleted"
"""Further event types of the channel."""


class _Group(Struct, kw_only=True):
    id: IdText
    contracts_limit_fp: DecimalText | None = None
    is_auto_cancel_enabled: bool = False
    exchange_index: ShardNumber = 0


class _Groups(Struct):
    order_groups: Annotated[list[_Group], Meta(max_length=100_000)] | None = None


class _Created(Struct):
    order_group_id: IdText


@attrs.frozen
class GroupRow:
    """`marked`: the venue's flag, which is another while a group keeps orders out than while it does not."""

    group_id: str
    limit: Qty | None
    shard: int
    marked: bool


def groups(body: bytes) -> list[GroupRow]:
    return [
        GroupRow(
            row.id,
            None if row.contracts_limit_fp is None else Qty(unsigned(row.contracts_limit_fp, "group.limit")),
            row.exchange_index,
            row.is_auto_cancel_enabled,
        )
        for row in decode("groups", body, _Groups).order_groups or []
    ]


def created(body: bytes) -> str:
    return decode("group", body, _Created).order_group_id


def create_body(limit: Qty, shard: int) -> dict[str, Any]:
    return {"contracts_limit_fp": count_text(limit), "exchange_index": shard}


def action_path(group_id: str, action: str) -> str:
    return f"{GROUPS}/{group_id}/{action}"
