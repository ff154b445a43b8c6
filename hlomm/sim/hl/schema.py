"""What `/exchange` accepts, and the canonical form that is hashed.

A body is decoded into types and encoded again in the venue's own key order before the signature is checked. Whatever
the typed action does not carry (an explicit `false` flag, a null client id, an unknown key) is therefore not in the
hash, and a client that signed it recovers to a stranger's address, as at the venue.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from hlomm.domain.faults import UnitError
from hlomm.domain.units import parse_unsigned, to_text
from hlomm.sim.coins import is_cloid

Canonical = dict[str, Any]


class Malformed(Exception):  # noqa: N818 - answered with 422, not raised further
    """The body does not fit the target type."""


class LimitKind(msgspec.Struct):
    tif: Literal["Alo", "Ioc", "Gtc", "FrontendMarket"]


class TriggerKind(msgspec.Struct):
    isMarket: bool  # noqa: N815 - spelt as on the wire
    triggerPx: str  # noqa: N815
    tpsl: Literal["tp", "sl"]


class OrderKind(msgspec.Struct):
    limit: LimitKind | UnsetType = UNSET
    trigger: TriggerKind | UnsetType = UNSET

    def canonical(self) -> Canonical:
        if self.limit is not UNSET and self.trigger is UNSET:
            return {"limit": {"tif": self.limit.tif}}
        if self.trigger is not UNSET and self.limit is UNSET:
            kind = self.trigger
            return {"trigger": {"isMarket": kind.isMarket, "triggerPx": decimal(kind.triggerPx), "tpsl": kind.tpsl}}
        raise Malformed("an order is either a limit or a trigger")


class OrderWire(msgspec.Struct):
    a: int
    b: bool
    p: str
    s: str
    r: bool
    t: OrderKind
    c: str | None = None

    def canonical(self) -> Canonical:
        row = {"a": self.a, "b": self.b, "p": decimal(self.p), "s": decimal(self.s), "r": self.r}
        row["t"] = self.t.canonical()
        if self.c is not None:
            row["c"] = checked_cloid(self.c)
        return row


class PriorityGroup(msgspec.Struct):
    p: int


class Builder(msgspec.Struct):
    b: str
    f: int


class OrderAction(msgspec.Struct, tag_field="type", tag="order"):
    orders: list[OrderWire]
    grouping: Literal["na", "normalTpsl", "positionTpsl"] | PriorityGroup
    builder: Builder | None = None

    def canonical(self) -> Canonical:
        grouping = {"p": self.grouping.p} if isinstance(self.grouping, PriorityGroup) else self.grouping
        row: Canonical = {"type": "order", "orders": [o.canonical() for o in self.orders], "grouping": grouping}
        if self.builder is not None:
            row["builder"] = {"b": self.builder.b, "f": self.builder.f}
        return row


class CancelWire(msgspec.Struct):
    a: int
    o: int


class CancelAction(msgspec.Struct, tag_field="type", tag="cancel"):
    cancels: list[CancelWire]
    f: bool = False

    def canonical(self) -> Canonical:
        row: Canonical = {"type": "cancel", "cancels": [{"a": c.a, "o": c.o} for c in self.cancels]}
        return row | {"f": True} if self.f else row


class CloidCancelWire(msgspec.Struct):
    asset: int
    cloid: str


class CancelByCloidAction(msgspec.Struct, tag_field="type", tag="cancelByCloid"):
    cancels: list[CloidCancelWire]
    f: bool = False

    def canonical(self) -> Canonical:
        cancels = [{"asset": c.asset, "cloid": checked_cloid(c.cloid)} for c in self.cancels]
        row: Canonical = {"type": "cancelByCloid", "cancels": cancels}
        return row | {"f": True} if self.f else row


class ModifyWire(msgspec.Struct):
    oid: int | str
    order: OrderWire

    def canonical(self) -> Canonical:
        if isinstance(self.oid, str):
            checked_cloid(self.oid)
        return {"oid": self.oid, "order": self.order.canonical()}


class ModifyAction(msgspec.Struct, tag_field="type", tag="modify"):
    oid: int | str
    order: OrderWire
    a: bool = False

    def canonical(self) -> Canonical:
        row: Canonical = {"type": "modify"} | ModifyWire(self.oid, self.order).canonical()
        return row | {"a": True} if self.a else row


class BatchModifyAction(msgspec.Struct, tag_field="type", tag="batchModify"):
    modifies: list[ModifyWire]
    a: bool = False

    def canonical(self) -> Canonical:
        row: Canonical = {"type": "batchModify", "modifies": [m.canonical() for m in self.modifies]}
        return row | {"a": True} if self.a else row


class ScheduleCancelAction(msgspec.Struct, tag_field="type", tag="scheduleCancel"):
    time: int | None = None

    def canonical(self) -> Canonical:
        return {"type": "scheduleCancel"} if self.time is None else {"type": "scheduleCancel", "time": self.time}


class NoopAction(msgspec.Struct, tag_field="type", tag="noop"):
    def canonical(self) -> Canonical:
        return {"type": "noop"}


class UpdateLeverageAction(msgspec.Struct, tag_field="type", tag="updateLeverage"):
    asset: int
    isCross: bool  # noqa: N815
    leverage: int

    def canonical(self) -> Canonical:
        return {
            "type": "updateLeverage",
            "asset": self.asset,
            "isCross": self.isCross,
            "leverage": self.leverage,
        }


class SplitWire(msgspec.Struct):
    outcome: int
    amount: str


class MergeWire(msgspec.Struct):
    outcome: int
    amount: str | None


class MergeQuestionWire(msgspec.Struct):
    question: int
    amount: str | None


class NegateWire(msgspec.Struct):
    question: int
    outcome: int
    amount: str


class UserOutcomeAction(msgspec.Struct, tag_field="type", tag="userOutcome"):
    splitOutcome: SplitWire | UnsetType = UNSET  # noqa: N815
    mergeOutcome: MergeWire | UnsetType = UNSET  # noqa: N815
    mergeQuestion: MergeQuestionWire | UnsetType = UNSET  # noqa: N815
    negateOutcome: NegateWire | UnsetType = UNSET  # noqa: N815

    def variant(self) -> tuple[str, SplitWire | MergeWire | MergeQuestionWire | NegateWire]:
        """The one operation this action asks for; Malformed unless there is exactly one."""
        given = [
            (name, value)
            for name, value in (
                ("splitOutcome", self.splitOutcome),
                ("mergeOutcome", self.mergeOutcome),
                ("mergeQuestion", self.mergeQuestion),
                ("negateOutcome", self.negateOutcome),
            )
            if not isinstance(value, UnsetType)
        ]
        if len(given) != 1:
            raise Malformed("userOutcome carries exactly one operation")
        return given[0]

    def canonical(self) -> Canonical:
        name, wire = self.variant()
        row = msgspec.structs.asdict(wire)
        if row["amount"] is not None:
            row["amount"] = decimal(row["amount"])
        return {"type": "userOutcome", name: row}


class AgentSendAssetAction(msgspec.Struct, tag_field="type", tag="agentSendAsset"):
    destination: str
    sourceDex: str  # noqa: N815
    destinationDex: str  # noqa: N815
    token: str
    amount: str
    fromSubAccount: str  # noqa: N815
    nonce: int

    def canonical(self) -> Canonical:
        return {"type": "agentSendAsset"} | msgspec.structs.asdict(self) | {"amount": decimal(self.amount)}


class UsdClassTransferAction(msgspec.Struct, tag_field="type", tag="usdClassTransfer"):
    amount: str
    toPerp: bool  # noqa: N815
    nonce: int
    signatureChainId: str  # noqa: N815
    hyperliquidChain: str  # noqa: N815


class ApproveAgentAction(msgspec.Struct, tag_field="type", tag="approveAgent"):
    agentAddress: str  # noqa: N815
    nonce: int
    signatureChainId: str  # noqa: N815
    hyperliquidChain: str  # noqa: N815
    agentName: str | None = None  # noqa: N815


L1Action = (
    OrderAction
    | CancelAction
    | CancelByCloidAction
    | ModifyAction
    | BatchModifyAction
    | ScheduleCancelAction
    | NoopAction
    | UpdateLeverageAction
    | UserOutcomeAction
    | AgentSendAssetAction
)
UserAction = UsdClassTransferAction | ApproveAgentAction
Action = L1Action | UserAction


def decimal(text: str) -> str:
    """A decimal as it is hashed: no exponent, no trailing zeros. Malformed beyond 8 decimals or below zero."""
    try:
        return to_text(parse_unsigned(text))
    except UnitError as error:
        raise Malformed(str(error)) from error


def checked_cloid(text: str) -> str:
    if not is_cloid(text):
        raise Malformed(f"expected 0x and 32 hex digits, was {text[:40]!r}")
    return text
