"""Rows of the exchange as the session's codec would read them off the wire."""

from __future__ import annotations

from typing import Final, NamedTuple

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import HYPERLIQUID, ClientId, MarketId, VenueOrderId, outcome_market, perp_market
from hlomm.domain.markets import Leg
from hlomm.domain.units import Cash, Px, Qty
from hlomm.sim.events import FillDir, FillRow
from hlomm.sim.orders import PERP, OrderRow, Placed, Resting, Target
from hlomm.sim.orders import Filled as FilledAtOnce
from hlomm.sim.orders import Refused as Turned
from hlomm.sim.refusals import Status
from hlomm.venues.hyperliquid.wire.account import OrderReport
from hlomm.venues.hyperliquid.wire.coins import outcome_number
from hlomm.venues.hyperliquid.wire.replies import Filled, Refused, Rested
from hlomm.venues.hyperliquid.wire.replies import Status as Reply

PERP_MARKET: Final = perp_market(HYPERLIQUID, "BTC")
_KINDS: Final = {
    FillDir.SETTLEMENT: FillKind.SETTLEMENT,
    FillDir.SPLIT: FillKind.SPLIT,
    FillDir.MERGE: FillKind.MERGE,
    FillDir.NEGATE: FillKind.NEGATE,
    FillDir.MERGE_QUESTION: FillKind.MERGE_QUESTION,
}


class OrderNews(NamedTuple):
    reports: tuple[OrderReport, ...]


class FillNews(NamedTuple):
    fills: tuple[Fill, ...]


News = OrderNews | FillNews


def target_of(market: MarketId, leg: Leg) -> Target:
    outcome = outcome_number(market)
    return PERP if outcome is None else Target(outcome, leg)


def market_id(target: Target) -> MarketId:
    return PERP_MARKET if target.outcome is None else outcome_market(HYPERLIQUID, target.outcome)


def fill_of(row: FillRow) -> Fill:
    """A fill as the session's codec would read it."""
    return Fill(
        key=f"{row.target.coin}:{row.time_ms}:{row.tid}", market=market_id(row.target), leg=row.target.leg,
        side=row.side, px=Px(row.px), qty=Qty(row.lots * row.target.grid.lot), fee=Cash(row.fee),
        kind=_KINDS.get(row.dir, FillKind.TRADE), maker=not row.crossed,
        client_id=None if row.cloid is None else ClientId(row.cloid), venue_order_id=VenueOrderId(str(row.oid)),
        venue_ms=row.time_ms,
    )  # fmt: skip


def report_of(row: OrderRow) -> OrderReport:
    lot = row.target.grid.lot
    ended = row.status is not Status.OPEN
    return OrderReport(
        market=market_id(row.target), leg=row.target.leg, side=row.side, px=Px(row.ticks * row.target.grid.tick),
        leaves=Qty(row.lots * lot), filled=Qty((row.lots_original - row.lots) * lot),
        venue_order_id=VenueOrderId(str(row.oid)), client_id=None if row.cloid is None else ClientId(row.cloid),
        status=str(row.status) if ended else "open", venue_ms=row.status_ms,
    )  # fmt: skip


def reply_of(placed: Placed, target: Target) -> Reply:
    match placed:
        case Resting():
            return Rested(VenueOrderId(str(placed.oid)), None)
        case FilledAtOnce():
            return Filled(VenueOrderId(str(placed.oid)), None, Qty(placed.lots * target.grid.lot))
        case Turned():
            return Refused(placed.refusal.on(target.asset))
