"""The perp account: wallet and positions, funding payments (venue sheet sections 2 and 8).

The account is all or nothing, because a missing position would read as a flat one. A funding row that cannot be read
costs itself; the wallet it moved will then differ from our books, which is noticed.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.inputs import FundingPaid, PerpBalance
from hlomm.domain.units import SCALE, Cash, Qty
from hlomm.venues.anomalies import Anomaly, guarded
from hlomm.venues.fields import CoinText, DecimalText, Millis, Word, positive, signed
from hlomm.venues.hyperliquid.wire.coins import Coin, read_coin

POSITIONS_MAX: Final = 2_000


class PositionFields(Struct, frozen=True, rename="camel"):
    coin: CoinText
    szi: DecimalText
    entry_px: DecimalText | None = None


class PositionRow(Struct, frozen=True):
    position: PositionFields


class Summary(Struct, frozen=True, rename="camel"):
    total_raw_usd: DecimalText


class PerpReply(Struct, frozen=True, rename="camel"):
    """`marginSummary` covers isolated positions too; where it is left out the cross summary is all there is."""

    asset_positions: Annotated[list[PositionRow], Meta(max_length=POSITIONS_MAX)]
    cross_margin_summary: Summary
    margin_summary: Summary | UnsetType = UNSET


class FundingDelta(Struct, frozen=True):
    coin: CoinText
    usdc: DecimalText
    type: Word = "funding"


class FundingRow(Struct, frozen=True):
    time: Millis
    delta: FundingDelta


class PerpAccount(Struct, frozen=True):
    """`raw` is the wallet after every purchase was paid in full; positions in the order of their markets."""

    raw: Cash
    positions: tuple[PerpBalance, ...]


class FundingRows(Struct, frozen=True):
    """`span` as in `FillRows`."""

    payments: tuple[FundingPaid, ...]
    span: tuple[int, int] | None = None


_funding_row: Final = msgspec.json.Decoder(FundingRow)


def perp_account(reply: PerpReply) -> PerpAccount:
    """ProtocolViolation `perp.*` if a figure cannot be read."""
    summary = reply.cross_margin_summary if reply.margin_summary is UNSET else reply.margin_summary
    positions = [_position(row.position) for row in reply.asset_positions]
    open_ones = sorted((one for one in positions if one.qty), key=lambda one: one.market)
    if len({one.market for one in open_ones}) != len(open_ones):
        raise ProtocolViolation("perp.position", "two positions in one coin")
    return PerpAccount(Cash(signed(summary.total_raw_usd, "perp.raw")), tuple(open_ones))


def _position(row: PositionFields) -> PerpBalance:
    qty = signed(row.szi, "perp.size")
    entry = positive(row.entry_px, "perp.entry") if qty and row.entry_px is not None else 0
    # The venue prints a rounded average entry, so the cost of a found position is as exact as that, towards zero.
    cost = abs(qty) * entry // SCALE
    return PerpBalance(_perp(row.coin).market, Qty(qty), Cash(cost if qty > 0 else -cost))


def _perp(name: str) -> Coin:
    coin = read_coin(name)
    if coin is None or coin.outcome is not None:
        raise ProtocolViolation("perp.coin", f"expected a perp coin, was {name!r}")
    return coin


def funding_payments(rows: list[msgspec.Raw]) -> tuple[tuple[FundingPaid, ...], tuple[Anomaly, ...]]:
    """Rows of `userFunding`; one payment per coin and hour, which is their identity."""
    good: list[FundingPaid] = []
    anomalies: list[Anomaly] = []
    for raw in rows:
        row, wrong = guarded("funding.schema", _funding_row.decode, raw)
        anomalies += wrong
        if row is None:
            continue
        paid, wrong = guarded("funding.schema", _payment, row)
        anomalies += wrong
        if paid is not None:
            good.append(paid)
    return tuple(good), tuple(anomalies)


def _payment(row: FundingRow) -> FundingPaid:
    if row.delta.type != "funding":
        raise ProtocolViolation("funding.type", f"expected funding, was {row.delta.type!r}")
    return FundingPaid(
        market=_perp(row.delta.coin).market,
        amount=Cash(-signed(row.delta.usdc, "funding.amount")),
        key=f"funding:{row.delta.coin}:{row.time}",
        venue_ms=row.time,
    )
