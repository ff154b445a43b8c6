"""Orders and trades of the account as values (venue sheet sections 7 and 9).

A trade's top level is its taker's, owner and wallet included. If we made it, our fills are the rows of `maker_orders`
that carry our key or wallet: several perhaps, on the other token where the match minted or merged a set. The same trade
is told again with every status, so a fill is known by trade, order, and which part of the order it is.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.venues.fields import DecimalText, Text, outcome_px, positive, unsigned
from hlomm.venues.polymarket.wire.values import IdText, Loose, TokenText, read_side, stamp_ms

MAKERS_MAX: Final = 1_000
CASH_UNIT: Final = SCALE // 10**6
"""A millionth of a pUSD: the token contract knows nothing finer."""


class TradeStatus(StrEnum):
    """The life of a match. Only CONFIRMED is money, and FAILED undoes it."""

    MATCHED = "MATCHED"
    MINED = "MINED"
    CONFIRMED = "CONFIRMED"
    RETRYING = "RETRYING"
    FAILED = "FAILED"


class Standing(StrEnum):
    """What a status of an order says about it."""

    RESTS = "rests"
    FILLED = "filled"
    ENDED = "ended"
    WAITS = "waits"
    """Held back by the taker delay: it can neither match nor be cancelled yet."""
    UNCLEAR = "unclear"


class Me(Struct, frozen=True):
    """Whose rows are ours: those of our API key, and where a row names none, of our wallet (lower case)."""

    api_key: str
    wallet: str

    def owns(self, owner: str | None, wallet: str | None) -> bool:
        if owner:
            return owner == self.api_key
        return wallet is not None and wallet.lower() == self.wallet


# -- rows


class OrderRow(Struct, frozen=True):
    id: IdText
    market: IdText
    asset_id: TokenText
    side: IdText
    price: DecimalText
    original_size: DecimalText
    size_matched: DecimalText | None = ""
    status: Text = ""
    owner: IdText | None = None
    maker_address: IdText | None = None
    outcome: IdText | None = None
    order_type: IdText | None = None
    type: IdText = ""
    timestamp: Loose = None
    created_at: Loose = None


class MakerRow(Struct, frozen=True):
    order_id: IdText
    matched_amount: DecimalText
    price: DecimalText
    asset_id: TokenText
    owner: IdText | None = None
    maker_address: IdText | None = None
    side: IdText | None = None
    outcome: IdText | None = None


class TradeRow(Struct, frozen=True):
    id: IdText
    market: IdText
    asset_id: TokenText
    side: IdText
    size: DecimalText
    price: DecimalText
    status: IdText
    taker_order_id: IdText
    maker_orders: Annotated[list[MakerRow], Meta(max_length=MAKERS_MAX)] = []
    owner: IdText | None = None
    maker_address: IdText | None = None
    outcome: IdText | None = None
    trader_side: IdText | None = None
    match_time: Loose = None
    matchtime: Loose = None
    last_update: Loose = None
    timestamp: Loose = None


# -- values


class OrderNews(Struct, frozen=True):
    """An order as it stands. Prices of the token's own, quantities in shares; `venue_ms` 0 where nobody said."""

    id: str
    condition: str
    token: str
    side: Side
    px: Px
    qty: Qty
    matched: Qty | None
    status: str
    standing: Standing
    venue_ms: int
    outcome: str = ""
    """The label of the token, which tells its leg where the market is not known."""


class FillNews(Struct, frozen=True):
    """Our part of a trade: one order, one price."""

    key: str
    order_id: str
    token: str
    side: Side
    px: Px
    qty: Qty
    maker: bool
    cash: Cash
    """What changes hands besides the fee: `chain_cash` of every order that was met."""
    outcome: str = ""


class TradeNews(Struct, frozen=True):
    """A trade of ours with its status. `fills` is empty if none of its rows is ours."""

    id: str
    condition: str
    status: TradeStatus
    fills: tuple[FillNews, ...]
    venue_ms: int
    """When it matched."""


# -- reading


def chain_cash(px: Px, qty: Qty, side: Side, *, maker: bool) -> Cash:
    """Price times shares in whole millionths: an order that rested gets the worse of it, the taker what that leaves.

    The contract rounds down what a resting order is owed, and a taker who buys pays no more than its makers get.
    """
    exact, unit = px * qty, SCALE * CASH_UNIT
    up = (side is Side.BUY) is maker
    return Cash((-(-exact // unit) if up else exact // unit) * CASH_UNIT)


def standing(status: str) -> Standing:
    """`ORDER_STATUS_` is an older prefix; what follows `CANCELED` is free text."""
    word = status.upper().removeprefix("ORDER_STATUS_")
    if word == "LIVE":
        return Standing.RESTS
    if word == "MATCHED":
        return Standing.FILLED
    if word.startswith(("CANCELED", "CANCELLED", "INVALID")):
        return Standing.ENDED
    return Standing.WAITS if word == "DELAYED" else Standing.UNCLEAR


def read_order(row: OrderRow) -> OrderNews:
    qty = Qty(positive(row.original_size, "order.size"))
    matched = Qty(unsigned(row.size_matched, "order.matched")) if row.size_matched else None
    if matched is not None and matched > qty:
        raise ProtocolViolation("order.matched", f"{row.size_matched} of {row.original_size}")
    stands = standing(row.status)
    if stands is Standing.FILLED and matched is not None and matched < qty:
        # An order that is filled in part and rests, or was cancelled then, is called MATCHED too.
        stands = Standing.UNCLEAR
    if stands is Standing.RESTS and row.type == "CANCELLATION":
        stands = Standing.ENDED
    return OrderNews(
        id=row.id.lower(),
        condition=row.market,
        token=row.asset_id,
        side=read_side(row.side, "order.side"),
        px=outcome_px(row.price, "order.price"),
        qty=qty,
        matched=matched,
        status=row.status,
        standing=stands,
        venue_ms=stamp_ms(row.timestamp or row.created_at, "order.timestamp"),
    )


def read_trade(row: TradeRow, me: Me) -> TradeNews:
    word = row.status.upper().removeprefix("TRADE_STATUS_")
    if word == "MATCHED_NOT_BROADCASTED":
        word = TradeStatus.MATCHED
    try:
        status = TradeStatus(word)
    except ValueError:
        raise ProtocolViolation("trade.status", f"unknown status {row.status!r}") from None
    side = read_side(row.side, "trade.side")
    # An order of ours may meet another of ours: then both rows are.
    taken = _taken(row, side) if me.owns(row.owner, row.maker_address) else ()
    fills = (*taken, *_made(row, side, me))
    at = row.match_time or row.matchtime or row.timestamp
    return TradeNews(row.id, row.market, status, fills, stamp_ms(at, "trade.match_time"))


def _made(row: TradeRow, taker_side: Side, me: Me) -> tuple[FillNews, ...]:
    """Our rows among the makers', known by order and not by place: nobody promises that lists keep one sequence."""
    fills: list[FillNews] = []
    parts: dict[str, int] = {}
    for one in row.maker_orders:
        if not me.owns(one.owner, one.maker_address):
            continue
        place = parts[one.order_id.lower()] = parts.get(one.order_id.lower(), -1) + 1
        # Same token: the other side of the taker's trade. Other token: both bought (mint) or both sold (merge).
        derived = Side(-taker_side) if one.asset_id == row.asset_id else taker_side
        side = read_side(one.side, "trade.side") if one.side else derived
        fills.append(_fill(row.id, place, one, one.asset_id, side, maker=True))
    return tuple(fills)


def _taken(row: TradeRow, side: Side) -> tuple[FillNews, ...]:
    """The taker's fill at the prices of those it met, if the rows add up to the trade; else at the trade's own."""
    total = Qty(positive(row.size, "trade.size"))
    met: dict[Px, tuple[int, int]] = {}
    for one in row.maker_orders:
        px, qty = outcome_px(one.price, "trade.price"), Qty(positive(one.matched_amount, "trade.amount"))
        own = px if one.asset_id == row.asset_id else Px(SCALE - px)
        shares, cash = met.get(own, (0, 0))
        met[own] = shares + qty, cash + chain_cash(own, qty, side, maker=False)
    if sum(shares for shares, _ in met.values()) != total:
        px = outcome_px(row.price, "trade.price")
        met = {px: (total, chain_cash(px, total, side, maker=False))}
    order_id = row.taker_order_id.lower()
    return tuple(
        FillNews(
            f"{row.id}:{order_id}:{place}", order_id, row.asset_id, side, px, Qty(qty), False, Cash(cash),
            row.outcome or "",
        )
        for place, (px, (qty, cash)) in enumerate(met.items())
    )  # fmt: skip


def _fill(trade: str, place: int, one: MakerRow, token: str, side: Side, *, maker: bool) -> FillNews:
    order_id = one.order_id.lower()
    px, qty = outcome_px(one.price, "trade.price"), Qty(positive(one.matched_amount, "trade.amount"))
    cash = chain_cash(px, qty, side, maker=maker)
    return FillNews(f"{trade}:{order_id}:{place}", order_id, token, side, px, qty, maker, cash, one.outcome or "")
