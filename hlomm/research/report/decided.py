"""Decisions as rows: one for each order, amendment, cancel, conversion, alert and halt that left the engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hlomm.domain.ids import venue_of
from hlomm.domain.outputs import (
    Alert,
    AmendOrders,
    CancelOrders,
    ConvertSet,
    ExitRequested,
    HaltChanged,
    Output,
    PlaceOrders,
    QueryAccount,
    QueryOrder,
    ResetBreaker,
    Subscribe,
    Unsubscribe,
)

Row = tuple[Any, ...]


def rows_of(output: Output, wall_ns: int, alerts: dict[tuple[str, str], int]) -> Iterator[Row]:
    """Rows of the table `decisions`; alerts are counted by (level, code) as well."""
    kind = type(output).__name__
    match output:
        case PlaceOrders(venue=venue, orders=orders):
            for new in orders:
                yield (
                    wall_ns, kind, venue, new.market, new.client_id, new.leg.name, new.side.name, new.px, new.qty,
                    new.purpose.value, "",
                )  # fmt: skip
        case AmendOrders(venue=venue, amends=amends):
            for one in amends:
                yield (
                    wall_ns, kind, venue, one.market, one.client_id, one.leg.name, one.side.name, one.px, one.qty, "",
                    "",
                )  # fmt: skip
        case CancelOrders(venue=venue, cancels=cancels):
            for gone in cancels:
                yield (wall_ns, kind, venue, gone.market, gone.client_id, gone.leg.name, "", None, None, "", "")
        case ConvertSet(market=market, qty=qty, action=action):
            yield (wall_ns, kind, venue_of(market), market, "", "", "", None, qty, "", action.value)
        case Alert(level=level, code=code, text=text, market=about):
            alerts[level.value, code] = alerts.get((level.value, code), 0) + 1
            at = "" if about is None else venue_of(about)
            yield (wall_ns, kind, at, about or "", "", "", "", None, None, "", f"{level.value} {code}: {text}")
        case HaltChanged(state=state, reason=reason):
            yield (wall_ns, kind, "", "", "", "", "", None, None, "", f"{state.value}: {reason}")
        case ExitRequested(reason=reason):
            yield (wall_ns, kind, "", "", "", "", "", None, None, "", reason)
        case QueryOrder(venue=venue, client_id=client_id):
            yield (wall_ns, kind, venue, "", client_id, "", "", None, None, "", "")
        case QueryAccount(venue=venue) | ResetBreaker(venue=venue):
            yield (wall_ns, kind, venue, "", "", "", "", None, None, "", "")
        case Subscribe(market=market) | Unsubscribe(market=market):
            yield (wall_ns, kind, venue_of(market), market, "", "", "", None, None, "", "")
