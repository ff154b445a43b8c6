"""What to send to be flat without an engine: outcome tokens to sell, perps to close, what can only be held. Pure.

A holder of YES and NO in equal number is paid 1 per pair whatever happens, so only the surplus of one leg is naked
risk and is sold. Sells are IOC at a bounded distance from the best bid. What cannot be sold within the bounds is
listed with the most it can still lose. Buying the complement, which the engine does where a position is too small to
sell, is left out here on purpose: whoever runs this must not be able to take a position, and a purchase is only safe
for those who know what else is pending. Such a rest is reported.

Perps are closed by reduce-only IOC, so that the venue itself refuses what would open one. The finest decimal that the
book shows stands in for the tick, which nobody tells here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import attrs

from hlomm.domain.grid import closing_limit, tick_shown
from hlomm.domain.ids import ClientId, MarketId, is_outcome
from hlomm.domain.inputs import BookSnapshot, Level, PerpBalance, TokenBalance
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.units import SCALE, Cash, Px, Qty, complement, floor_to, to_text
from hlomm.venues.protocol import SaleRules


class HoldReason(StrEnum):
    NO_BOOK = "no_book"
    NO_BID = "no_bid"
    BELOW_MINIMUM = "below_minimum"
    NEAR_EXPIRY = "near_expiry"
    COMPLETE_SET = "complete_set"
    """Paired with the other leg: pays 1 per pair, loses nothing more."""
    NOT_FOLLOWED = "not_followed"
    """A perp of somebody else on the account."""


@attrs.frozen(kw_only=True)
class FlattenBounds:
    """How far a flattening may go."""

    slippage: Px
    """Most that a sell may give below the best bid."""
    hold_to_expiry_ns: int = 0
    """An outcome this close to its settlement is held."""
    slippage_perp: int = SCALE // 200
    """Most that closing a perp may give beyond the touch, as a fraction of it (1e-8)."""
    perps: frozenset[MarketId] | None = None
    """The perps that are ours to close; None: all of the account."""
    whole: Mapping[tuple[MarketId, Leg], int] = attrs.field(factory=dict)
    """Tokens that are half of a pair whose other half is elsewhere: neither is sold alone."""


@attrs.frozen(kw_only=True)
class HeldToken:
    """Tokens that stay until settlement. `worst_loss` is the cost that a payout of 0 would lose."""

    market: MarketId
    leg: Leg
    qty: Qty
    worst_loss: Cash
    reason: HoldReason


@attrs.frozen(kw_only=True)
class HeldPerp:
    """A perp position that stays open; what it can lose has no bound. `qty` is signed."""

    market: MarketId
    qty: Qty
    reason: HoldReason


@attrs.frozen(kw_only=True)
class FlattenPlan:
    """Orders of perps come first: their loss has no bound."""

    orders: tuple[OrderRequest, ...]
    held: tuple[HeldToken, ...]
    perps: tuple[HeldPerp, ...] = ()

    @property
    def closings(self) -> int:
        """How many of the orders close perps."""
        return sum(not is_outcome(order.market) for order in self.orders)

    @property
    def done(self) -> bool:
        """Whether nothing is left to send, and no perp of ours is open: its loss has no bound, so it is tried again."""
        return not self.orders and all(perp.reason is HoldReason.NOT_FOLLOWED for perp in self.perps)

    @property
    def stays(self) -> list[str]:
        """What is held and why, in words."""
        tokens = [f"{one.market} {one.leg.name} {to_text(one.qty)} ({one.reason.value})" for one in self.held]
        return tokens + [f"{one.market} {to_text(one.qty)} ({one.reason.value})" for one in self.perps]

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
    rules: Callable[[MarketId], SaleRules | None],
    expiries_ns: Mapping[MarketId, int] | None = None,
    wall_ns: int = 0,
    perps: Sequence[PerpBalance] = (),
) -> FlattenPlan:
    """Orders that flatten the account as far as the books and bounds allow.

    `books` are in YES space; a market without one, or without sale rules, counts as unsellable. `expiries_ns`,
    where known, and `wall_ns` decide what is too close to settlement to be worth selling.
    """
    orders: list[OrderRequest] = []
    held: list[HeldToken] = []
    closings = [(perp, _closing(perp, books.get(perp.market), bounds, mint)) for perp in perps]
    orders += [closing for _, closing in closings if isinstance(closing, OrderRequest)]
    left = [
        HeldPerp(market=perp.market, qty=perp.qty, reason=why) for perp, why in closings if isinstance(why, HoldReason)
    ]
    paired = _paired(tokens)
    for token in tokens:
        surplus = Qty(token.total - paired[token.market])
        if paired[token.market]:
            held.append(_hold(token, paired[token.market], HoldReason.COMPLETE_SET))
        whole = Qty(min(surplus, bounds.whole.get((token.market, token.leg), 0)))
        if whole:
            held.append(_hold(token, whole, HoldReason.COMPLETE_SET))
            surplus = Qty(surplus - whole)
        if not surplus:
            continue
        expiry_ns = (expiries_ns or {}).get(token.market)
        if expiry_ns is not None and expiry_ns - wall_ns <= bounds.hold_to_expiry_ns:
            held.append(_hold(token, surplus, HoldReason.NEAR_EXPIRY))
            continue
        sale = _sale(token, surplus, books.get(token.market), rules(token.market), bounds, mint)
        if isinstance(sale, HoldReason):
            held.append(_hold(token, surplus, sale))
        else:
            orders.append(sale)
            if sale.qty < surplus:
                held.append(_hold(token, Qty(surplus - sale.qty), HoldReason.BELOW_MINIMUM))
    return FlattenPlan(orders=tuple(orders), held=tuple(held), perps=tuple(left))


def _closing(
    perp: PerpBalance, book: BookSnapshot | None, bounds: FlattenBounds, mint: Callable[[], ClientId]
) -> OrderRequest | HoldReason:
    """The reduce-only order that closes a whole perp position, or why there can be none.

    The venue's minimum is not looked at: closing everything is taken to be exempt, and a refusal costs nothing.
    """
    if bounds.perps is not None and perp.market not in bounds.perps:
        return HoldReason.NOT_FOLLOWED
    if book is None:
        return HoldReason.NO_BOOK
    side = Side.SELL if perp.qty > 0 else Side.BUY
    levels = book.bids if side is Side.SELL else book.asks
    if not levels:
        return HoldReason.NO_BID
    tick = tick_shown([px for px, _ in (*book.bids, *book.asks)])
    return OrderRequest(
        client_id=mint(),
        market=perp.market,
        leg=Leg.YES,
        side=side,
        px=closing_limit(levels[0][0], bounds.slippage_perp, side, tick),
        qty=Qty(abs(perp.qty)),
        tif=Tif.IOC,
        purpose=Purpose.FLATTEN,
        reduce_only=True,
    )


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
    rules: SaleRules | None,
    bounds: FlattenBounds,
    mint: Callable[[], ClientId],
) -> OrderRequest | HoldReason:
    """The sell of one leg's surplus, or why there can be none."""
    if book is None or rules is None:
        return HoldReason.NO_BOOK
    bid = _best_bid(book, token.leg)
    if bid is None:
        return HoldReason.NO_BID
    qty = Qty(floor_to(surplus, rules.lot))
    # The limit price is the lowest of the possible bases of the minimum, so an order that passes here always passes.
    least = rules.ceil(max(-(-rules.min_notional * SCALE // max(qty, 1)), 1))
    if qty < max(rules.min_qty, 1) or least > bid[0]:
        return HoldReason.BELOW_MINIMUM
    # Within the slippage, but never so low that a bid near zero makes the order too small to be taken.
    px = Px(max(rules.ceil(bid[0] - bounds.slippage), least))
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
