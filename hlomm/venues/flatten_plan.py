"""Which outcome tokens to sell to be flat, and which can only be held to settlement. Pure.

A holder of YES and NO in equal number is paid 1 per pair whatever happens, so only the surplus of one leg is naked
risk and is sold. Sells are IOC at a bounded distance from the best bid. What cannot be sold within the bounds is
listed with the most it can still lose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import attrs

from hlomm.domain.ids import ClientId, MarketId
from hlomm.domain.inputs import BookSnapshot, Level, TokenBalance
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.units import SCALE, Cash, Px, Qty, complement, floor_to


class HoldReason(StrEnum):
    NO_BOOK = "no_book"
    NO_BID = "no_bid"
    BELOW_MINIMUM = "below_minimum"
    NEAR_EXPIRY = "near_expiry"
    COMPLETE_SET = "complete_set"
    """Paired with the other leg: pays 1 per pair, loses nothing more."""


@attrs.frozen(kw_only=True)
class FlattenBounds:
    """How far a flattening may go. The figures are those of outcome markets on the venue."""

    slippage: Px
    """Most that a sell may give below the best bid."""
    tick: Px
    lot: Qty
    min_notional: Cash
    hold_to_expiry_ns: int = 0
    """An outcome this close to its settlement is held."""


@attrs.frozen(kw_only=True)
class HeldToken:
    """Tokens that stay until settlement. `worst_loss` is the cost that a payout of 0 would lose."""

    market: MarketId
    leg: Leg
    qty: Qty
    worst_loss: Cash
    reason: HoldReason


@attrs.frozen(kw_only=True)
class FlattenPlan:
    orders: tuple[OrderRequest, ...]
    held: tuple[HeldToken, ...]

    @property
    def worst_loss(self) -> Cash:
        """Most that the held tokens can still lose together."""
        return Cash(sum(token.worst_loss for token in self.held))


def plan_flatten(
    tokens: Sequence[TokenBalance],
    books: Mapping[MarketId, BookSnapshot | None],
    bounds: FlattenBounds,
    mint: Callable[[], ClientId],
    *,
    expiries_ns: Mapping[MarketId, int] | None = None,
    wall_ns: int = 0,
) -> FlattenPlan:
    """Sells that flatten the account as far as the books and bounds allow.

    `books` are in YES space; a market without one counts as unsellable. `expiries_ns`, where known, and `wall_ns`
    decide what is too close to settlement to be worth selling.
    """
    orders: list[OrderRequest] = []
    held: list[HeldToken] = []
    paired = _paired(tokens)
    for token in tokens:
        surplus = Qty(token.total - paired[token.market])
        if paired[token.market]:
            held.append(_hold(token, paired[token.market], HoldReason.COMPLETE_SET))
        if not surplus:
            continue
        expiry_ns = (expiries_ns or {}).get(token.market)
        if expiry_ns is not None and expiry_ns - wall_ns <= bounds.hold_to_expiry_ns:
            held.append(_hold(token, surplus, HoldReason.NEAR_EXPIRY))
            continue
        sale = _sale(token, surplus, books.get(token.market), bounds, mint)
        if isinstance(sale, HoldReason):
            held.append(_hold(token, surplus, sale))
        else:
            orders.append(sale)
            if sale.qty < surplus:
                held.append(_hold(token, Qty(surplus - sale.qty), HoldReason.BELOW_MINIMUM))
    return FlattenPlan(orders=tuple(orders), held=tuple(held))


def _paired(tokens: Sequence[TokenBalance]) -> dict[MarketId, Qty]:
    """Complete sets per market: what both legs have in common."""
    held: dict[MarketId, dict[Leg, int]] = {}
    for token in tokens:
        legs = held.setdefault(token.market, {})
        legs[token.leg] = legs.get(token.leg, 0) + token.total
    return {market: Qty(min(legs.get(Leg.YES, 0), legs.get(Leg.NO, 0))) for market, legs in held.items()}


def _sale(
    token: TokenBalance,
    surplus: Qty,
    book: BookSnapshot | None,
    bounds: FlattenBounds,
    mint: Callable[[], ClientId],
) -> OrderRequest | HoldReason:
    """The sell of one leg's surplus, or why there can be none."""
    if book is None:
        return HoldReason.NO_BOOK
    bid = _best_bid(book, token.leg)
    if bid is None:
        return HoldReason.NO_BID
    px = Px(max(floor_to(bid[0] - bounds.slippage, bounds.tick), bounds.tick))
    qty = Qty(floor_to(surplus, bounds.lot))
    # The limit price is the lowest of the possible bases of the minimum, so an order that passes here always passes.
    if qty * px < bounds.min_notional * SCALE:
        return HoldReason.BELOW_MINIMUM
    return OrderRequest(
        client_id=mint(),
        market=token.market,
        leg=token.leg,
        side=Side.SELL,
        px=px,
        qty=qty,
        tif=Tif.IOC,
        purpose=Purpose.FLATTEN,
        reduce_only=True,
    )


def _best_bid(book: BookSnapshot, leg: Leg) -> Level | None:
    """Best bid for a leg's own coin: for NO it is the other side of the best YES ask."""
    if leg is Leg.YES:
        return book.bids[0] if book.bids else None
    return (complement(book.asks[0][0]), book.asks[0][1]) if book.asks else None


def _hold(token: TokenBalance, qty: Qty, reason: HoldReason) -> HeldToken:
    """Held tokens with their share of the cost, rounded up; complete sets pay what they are worth."""
    share = -(-max(token.cost, 0) * qty // token.total)
    loss = Cash(0) if reason is HoldReason.COMPLETE_SET else Cash(share)
    return HeldToken(market=token.market, leg=token.leg, qty=qty, worst_loss=loss, reason=reason)
