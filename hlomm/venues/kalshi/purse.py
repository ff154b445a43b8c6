"""Cash and positions as matched, kept from fills and settlements, and fills as the engine understands them. Pure.

The venue nets: a market's position is one signed number, and buying NO while holding YES closes YES for a dollar a
pair. The engine keeps two tokens. So a fill is told as what was ordered, followed by the merge of what the venue netted
at once: cash and tokens are then the venue's to the last unit. A sale of more than is held opens the other side for the
rest, and is told as such. Of whose order nobody knows what it was called (another run's, somebody else's) is told as a
sale of what it closed and a purchase of the rest. Each part bears its share of the fee, by contracts: what a part costs
is what the engine learns the venue's fees from.

A later run may be told the same fill once more and not know the order any more. The parts then have the same keys:
that of the row for what it closed, or for all of it where it closed nothing, and that with `:1` for a rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import ClientId, MarketId, VenueOrderId, kalshi_market
from hlomm.domain.inputs import FillReceived, Input
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import ONE, Cash, Px, Qty, complement, notional_ceil, notional_floor
from hlomm.venues.kalshi.tracks import Track
from hlomm.venues.kalshi.wire.account import FillRow
from hlomm.venues.kalshi.wire.sides import BookSide, from_wire

HALF: Final = Px(ONE // 2)
_OTHER: Final = {Leg.YES: Leg.NO, Leg.NO: Leg.YES}


@attrs.define(eq=False)
class Purse:
    """`cash` None until the first account was read."""

    cash: int | None = None
    positions: dict[str, int] = attrs.field(factory=dict)
    """Signed contracts by ticker: above zero YES."""
    unpaid: dict[str, tuple[int, int]] = attrs.field(factory=dict)
    """Settled, and maybe not yet in the venue's balance: what it pays and the time in ms of the settlement."""

    def fill(self, row: FillRow, track: Track | None) -> list[Input]:
        """The inputs of a fill that was not told before."""
        held = self.positions.get(row.ticker, 0)
        leg = track.leg if track is not None else (Leg.YES if row.side is BookSide.BID else Leg.NO)
        side, px = from_wire(row.side, row.px, leg)
        closable = _held(held, leg if side is Side.SELL else _OTHER[leg])
        netted = min(row.qty, closable)
        if track is None and side is Side.BUY and netted:
            leg, side, px = _OTHER[leg], Side.SELL, complement(px)
        parts: list[tuple[Leg, Side, Px, int]] = []
        if netted:
            parts.append((leg, side, px, netted))
        if row.qty > netted:
            rest = (leg, side, px) if side is Side.BUY else (_OTHER[leg], Side.BUY, complement(px))
            parts.append((*rest, row.qty - netted))
        rest_fee = row.fee * (row.qty - netted) // row.qty if len(parts) > 1 else 0
        told = [
            _fill(row, track, place, part, Cash(rest_fee if place else row.fee - rest_fee))
            for place, part in enumerate(parts)
        ]
        events: list[Input] = [FillReceived(one) for one in told]
        merged = netted if side is Side.BUY else 0
        if merged:
            yes, no = (_merge(row, leg, merged) for leg in (Leg.YES, Leg.NO))
            events.append(FillReceived(yes, (no,)))
        self.positions[row.ticker] = held + (row.qty if row.side is BookSide.BID else -row.qty)
        self._pay(told, merged)
        return events

    def _pay(self, fills: Sequence[Fill], merged: int) -> None:
        if self.cash is None:
            return
        for fill in fills:
            if fill.side is Side.BUY:
                self.cash -= notional_ceil(fill.px, fill.qty)
            else:
                self.cash += notional_floor(fill.px, fill.qty)
            self.cash -= fill.fee
        self.cash += merged

    def settle(self, ticker: str, yes_px: Px, now_ms: int) -> None:
        """A market paid, or is about to: what is held of it becomes cash."""
        held = self.positions.pop(ticker, 0)
        pays = notional_floor(yes_px, held) if held > 0 else notional_floor(complement(yes_px), -held)
        if pays and self.cash is not None:
            self.cash += pays
            self.unpaid[ticker] = (pays, now_ms)


def _held(position: int, leg: Leg) -> int:
    return max(position, 0) if leg is Leg.YES else max(-position, 0)


def _fill(row: FillRow, track: Track | None, place: int, part: tuple[Leg, Side, Px, int], fee: Cash) -> Fill:
    leg, side, px, qty = part
    order_id: VenueOrderId | None = VenueOrderId(row.order_id)
    client_id: ClientId | None = None
    if track is not None:
        order_id, client_id = track.venue_id, track.client_id
    return Fill(
        key=row.key if not place else f"{row.key}:{place}",
        market=_market(row),
        leg=leg,
        side=side,
        px=px,
        qty=Qty(qty),
        fee=fee,
        kind=FillKind.TRADE,
        maker=row.maker,
        client_id=client_id,
        venue_order_id=order_id,
        venue_ms=row.venue_ms,
    )


def _merge(row: FillRow, leg: Leg, qty: int) -> Fill:
    """One token of a pair that the venue turned into a dollar; the halves add up exactly."""
    return Fill(
        key=f"{row.key}:net:{leg.name}",
        market=_market(row),
        leg=leg,
        side=Side.SELL,
        px=HALF,
        qty=Qty(qty),
        fee=Cash(0),
        kind=FillKind.MERGE,
        maker=False,
        client_id=None,
        venue_order_id=None,
        venue_ms=row.venue_ms,
    )


def _market(row: FillRow) -> MarketId:
    return kalshi_market(row.ticker)
