"""Feed frames about accounts: orders, fills, funding, balances, and what the venue did without being asked."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any, Final

import attrs
import msgspec

from hlomm.sim.events import BalanceChanged, Event, Fill, FundingPaid, Liquidated, OrderChanged, VenueCancel
from hlomm.sim.faults import FaultName
from hlomm.sim.hl import perp_rows, rows
from hlomm.sim.hl.subscriptions import Subscription, Topic
from hlomm.sim.hl.venue import Venue
from hlomm.sim.orders import OrderRow
from hlomm.sim.refusals import Status
from hlomm.sim.world import Commit

_SNAPSHOT_FILLS: Final = 2000
_SNAPSHOT_FUNDINGS: Final = 500
_REPEATED_FILLS: Final = 5

Json = dict[str, Any]


def frame(channel: str, data: Any) -> bytes:
    return msgspec.json.encode({"channel": channel, "data": data})


@attrs.define(eq=False)
class _Gathered:
    """What happened to one account in one block."""

    orders: list[OrderRow] = attrs.field(factory=list)
    fills: list[Json] = attrs.field(factory=list)
    cancels: list[Json] = attrs.field(factory=list)
    fundings: list[Json] = attrs.field(factory=list)
    liquidations: list[Json] = attrs.field(factory=list)
    balance: bool = False

    def note(self, event: Event) -> None:
        match event:
            case OrderChanged(_, row):
                self.orders.append(row)
            case Fill(_, fill):
                self.fills.append(rows.fill_row(fill))
            case VenueCancel(_, coin, oid):
                self.cancels.append({"coin": coin, "oid": oid})
            case FundingPaid(_, paid):
                self.fundings.append(perp_rows.funding_row(paid))
            case Liquidated():
                self.liquidations.append(perp_rows.liquidation(event))
            case BalanceChanged():
                self.balance = True
            case _:
                pass


class AccountFrames:
    """Makes the frames of the user streams of one venue."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def frames(self, commit: Commit, wanted: Container[Subscription]) -> Iterator[tuple[Subscription, bytes]]:
        """What a block brings to the user streams, in order; what costs more is only made if somebody listens."""
        users: dict[str, _Gathered] = {}
        for event in commit.events:
            if isinstance(event, OrderChanged | Fill | VenueCancel | FundingPaid | Liquidated | BalanceChanged):
                users.setdefault(event.account.address, _Gathered()).note(event)
        for user, gathered in users.items():
            yield from self._of_user(user, gathered)
            state = Subscription(Topic.SPOT_STATE, user=user)
            if gathered.balance and state in wanted:
                yield state, self.spot_state(user)

    def _of_user(self, user: str, gathered: _Gathered) -> Iterator[tuple[Subscription, bytes]]:
        events = Subscription(Topic.USER_EVENTS, user=user)
        if gathered.orders:
            data = [rows.update_row(row) for row in self._reordered(gathered.orders)]
            yield Subscription(Topic.ORDER_UPDATES, user=user), frame("orderUpdates", data)
        if gathered.fills:
            for aggregate in (False, True):
                fills = Subscription(Topic.USER_FILLS, user=user, aggregate=aggregate)
                yield fills, frame("userFills", {"user": user, "fills": gathered.fills})
            yield events, frame("user", {"fills": gathered.fills})
        if gathered.cancels:
            yield events, frame("user", {"nonUserCancel": gathered.cancels})
        if gathered.fundings:
            data_out = {"user": user, "fundings": gathered.fundings}
            yield Subscription(Topic.USER_FUNDINGS, user=user), frame("userFundings", data_out)
        for funding in gathered.fundings:
            yield events, frame("user", {"funding": funding})
        for liquidation in gathered.liquidations:
            yield events, frame("user", {"liquidation": liquidation})

    def _reordered(self, changes: list[OrderRow]) -> list[OrderRow]:
        """As they happened, or (a fault) with the new order of a modify before the cancel of the old one."""
        out = list(changes)
        for index in range(len(out) - 1):
            old, new = out[index], out[index + 1]
            replaced = old.status is Status.CANCELED and old.cloid is not None and old.cloid == new.cloid
            if replaced and self._venue.faults.take(FaultName.MODIFY_REORDERED) is not None:
                out[index], out[index + 1] = new, old
        return out

    # -- snapshots

    def spot_state(self, user: str) -> bytes:
        account = self._venue.account(user)
        state = {"balances": []} if account is None else rows.spot_state(account)
        return frame("spotState", {"user": user, "spotState": state})

    def fills_snapshot(self, user: str) -> list[bytes]:
        """Fills newest first; by a fault the latest ones come a second time, not marked as a snapshot."""
        account = self._venue.account(user)
        fills = [] if account is None else list(self._venue.exchange.tape.blotter_of(account).fills)
        newest_first = [rows.fill_row(fill) for fill in reversed(fills[-_SNAPSHOT_FILLS:])]
        payloads = [frame("userFills", {"isSnapshot": True, "user": user, "fills": newest_first})]
        if newest_first and self._venue.faults.take(FaultName.FILLS_REPEATED) is not None:
            payloads.append(frame("userFills", {"user": user, "fills": newest_first[:_REPEATED_FILLS]}))
        return payloads

    def fundings_snapshot(self, user: str) -> bytes:
        account = self._venue.account(user)
        paid = [] if account is None else list(self._venue.exchange.tape.blotter_of(account).fundings)
        newest_first = [perp_rows.funding_row(row) for row in reversed(paid[-_SNAPSHOT_FUNDINGS:])]
        return frame("userFundings", {"isSnapshot": True, "user": user, "fundings": newest_first})
