"""Fee arithmetic of the venues, exact: decimals in, decimals out, every rounding with its direction.

Rates are inputs, read per market at run time. `count`, `size`: contracts; prices per payoff of 1. The functions named
``*_per_contract`` give the unrounded curve as a float, for edges and quotes.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, localcontext
from enum import IntEnum
from typing import Final

import attrs

_CONTEXT: Final = Context(prec=28)
_ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)
_CENT: Final = Decimal("0.01")
_CENTICENT: Final = Decimal("0.0001")
_MICRO: Final = Decimal("0.000001")
_POLY_STEP: Final = Decimal("0.00001")


class FillSide(IntEnum):
    BUY = 0
    SELL = 1


class PolyRounding(IntEnum):
    """How the fifth decimal is formed; the documents do not agree."""

    FLOOR = 0
    NEAREST = 1


@attrs.frozen
class KalshiFee:
    """One fee under each published rounding rule."""

    raw: Decimal
    """rate mult C P (1-P)."""
    order_cent: Decimal
    """Fee schedule: up to the cent, once per order."""
    trade_centicent: Decimal
    """Per fill, up to 0.0001 (older page)."""
    trade_micro: Decimal
    """Per fill, up to 0.000001 (newest page)."""


@attrs.frozen(kw_only=True)
class KalshiFill:
    side: FillSide
    price: Decimal
    count: Decimal
    trade_fee: Decimal
    """Model fee before rounding."""


@attrs.frozen(kw_only=True)
class KalshiSettledFill:
    """What a fill does to the balance, with the rounding residue carried by the order."""

    revenue: Decimal
    trade_fee: Decimal
    rounding_fee: Decimal
    rebate: Decimal
    accumulator_before_rebate: Decimal
    accumulator_after: Decimal
    net_fee: Decimal
    floored_balance_change: Decimal
    balance_change_incl_rebate: Decimal


@attrs.frozen
class PolyFee:
    raw: Decimal
    fee: Decimal
    fraction_of_notional: Decimal


@attrs.frozen
class HlOutcomeFee:
    multiplier: Decimal
    effective_rate: Decimal
    fee: Decimal


def kalshi_fee(count: Decimal, price: Decimal, rate: Decimal, mult: Decimal = _ONE) -> KalshiFee:
    """Quadratic schedule: rate .07 for takers; makers 0, or .0175 on series with maker fees."""
    with localcontext(_CONTEXT):
        raw = rate * mult * count * price * (_ONE - price)
        return KalshiFee(raw, _ceil(raw, _CENT), _ceil(raw, _CENTICENT), _ceil(raw, _MICRO))


def kalshi_fills(
    fills: Iterable[KalshiFill], *, precision: Decimal, fee_precision: Decimal, rebate_at_step: bool = False
) -> tuple[KalshiSettledFill, ...]:
    """Fills of one order. `precision`: step of the balance (0.01, or 0.0001 for direct members).

    Each fee is rounded up to `fee_precision` and the balance change down to `precision`; what that rounding takes
    accumulates, and once it exceeds one step it is rebated in whole steps, never more than the fill's own fee. The
    venue does not say what happens when it equals one step: `rebate_at_step` chooses.
    """
    settled = []
    accumulator = _ZERO
    with localcontext(_CONTEXT):
        for fill in fills:
            cash = fill.price * fill.count
            revenue = cash if fill.side is FillSide.SELL else -cash
            trade_fee = _ceil(fill.trade_fee, fee_precision)
            floored = _floor(revenue - trade_fee, precision)
            rounding_fee = revenue - trade_fee - floored
            before = accumulator + rounding_fee
            rebate = _ZERO
            if before > precision or (rebate_at_step and before == precision):
                rebate = min(_floor(before, precision), _floor(trade_fee + rounding_fee, precision))
            accumulator = before - rebate
            settled.append(
                KalshiSettledFill(
                    revenue=revenue,
                    trade_fee=trade_fee,
                    rounding_fee=rounding_fee,
                    rebate=rebate,
                    accumulator_before_rebate=before,
                    accumulator_after=accumulator,
                    net_fee=trade_fee + rounding_fee - rebate,
                    floored_balance_change=floored,
                    balance_change_incl_rebate=floored + rebate,
                )
            )
    return tuple(settled)


def poly_fee(count: Decimal, price: Decimal, rate: Decimal, exponent: int, rounding: PolyRounding) -> PolyFee:
    """Taker fee C rate (p(1-p))^exponent on five decimals, so anything below 0.00001 is free; makers pay nothing."""
    with localcontext(_CONTEXT):
        raw = count * rate * (price * (_ONE - price)) ** exponent
        fee = _floor(raw, _POLY_STEP) if rounding is PolyRounding.FLOOR else raw.quantize(_POLY_STEP, ROUND_HALF_UP)
        return PolyFee(raw, fee, fee / (count * price))


def hl_outcome_fee(
    px: Decimal, size: Decimal, base_rate: Decimal, deployer_scale: Decimal, referral: Decimal, *, is_close: bool
) -> HlOutcomeFee:
    """Hyperliquid outcomes: rate (scale + max(scale, 1)) (1 - referral) px size, on the closing side only.

    Opening, minting and the bought side are free. Same for makers with their own base rate; there are no rebates.
    """
    with localcontext(_CONTEXT):
        multiplier = deployer_scale + max(deployer_scale, _ONE)
        effective = base_rate * multiplier * (_ONE - referral)
        return HlOutcomeFee(multiplier, effective, effective * px * size if is_close else _ZERO)


def quadratic_per_contract(p: float, rate: float) -> float:
    """Curve rate p(1-p): Kalshi, and Polymarket markets with exponent 1."""
    return rate * p * (1.0 - p)


def hl_close_per_contract(px: float, base_rate: float, deployer_scale: float = 1.0, referral: float = 0.0) -> float:
    """Fee on selling one held outcome token at px."""
    return base_rate * (deployer_scale + max(deployer_scale, 1.0)) * (1.0 - referral) * px


def _ceil(value: Decimal, step: Decimal) -> Decimal:
    return value.quantize(step, ROUND_CEILING)


def _floor(value: Decimal, step: Decimal) -> Decimal:
    return value.quantize(step, ROUND_FLOOR)
