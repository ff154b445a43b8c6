"""What trading costs: as the venue says, corrected by what our own fills showed.

No document says for certain which contracts are charged (venue sheet 7.8), so the first fill of each kind is held
against the model. Where they differ an alert says so and the fill is believed from then on, for contracts of the same
class: those that the protocol settles, and those of each deployer, who sets a scale of his own.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec

from hlomm.domain.fee import curve_fee, curve_rate
from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import MarketId, VenueId
from hlomm.domain.inputs import FeeRates
from hlomm.domain.markets import FeeCurve, Market
from hlomm.domain.orders import Side
from hlomm.domain.outputs import AlertLevel
from hlomm.domain.units import SCALE, notional_floor, to_fixed, to_text
from hlomm.engine.state import FeeSaid, State

TOLERANCE: Final = 1_000
"""Rates (1e-8) closer than this are the same: venues round fees to as little as six decimals."""
WORTH: Final = 100_000_000
"""Smallest notional (1 USDC) whose fee tells a rate: below it rounding is too large a part of it."""
CURVE_STEP: Final = 100_000
"""Coefficients (1e-8) closer than about this are one rate: what rounding makes of a fill weighs more in a small one."""
SAID_MAX: Final = 256
"""Rates that are remembered as said."""


class Occasion(StrEnum):
    """When a fee is paid; the names of the fields of FeeRates."""

    OPEN_MAKER = "open_maker"
    OPEN_TAKER = "open_taker"
    CLOSE_MAKER = "close_maker"
    CLOSE_TAKER = "close_taker"
    SETTLE = "settle"


ClassKey = tuple[VenueId, str]


def class_of(market: Market) -> ClassKey:
    """Contracts that are charged alike: by a curve those of a series, else those of a deployer."""
    return market.venue, (market.deployer or "") if market.fee is None else market.klass


def curve_of(state: State, market: Market) -> FeeCurve | None:
    """Curve for contracts like this one; None if a share of the notional is charged."""
    if market.fee is None or not state.learned_fees:
        return market.fee
    learned = state.learned_fees.get(class_of(market))
    return msgspec.structs.replace(market.fee, **learned) if learned else market.fee


def rates_of(state: State, market: Market, low: int = 1, high: int = SCALE) -> FeeRates | None:
    """Rates for contracts like this one; None if the venue has told none yet.

    Of a curve the dearest share of the notional between two own-coin prices: what it costs is never more.
    """
    curve = curve_of(state, market)
    if curve is not None:
        return _along(market.venue, curve, low, high)
    told = state.fees.get(market.venue)
    if not state.learned_fees:
        return told
    learned = state.learned_fees.get(class_of(market))
    return told if told is None or not learned else msgspec.structs.replace(told, **learned)


@lru_cache(maxsize=4_096)
def _along(venue: VenueId, curve: FeeCurve, low: int, high: int) -> FeeRates:
    """Kept, because every quote asks for a few of them and prices are few."""
    maker, taker = (curve_rate(curve, low, high, maker=rests) for rests in (True, False))
    return FeeRates(venue=venue, open_maker=maker, open_taker=taker, close_maker=maker, close_taker=taker, settle=0)


def merge_rate(state: State, market: Market, rates: FeeRates | None) -> int:
    """What merging costs, in 1e-8 of what it pays; `rates` are those of the market at any price.

    Nothing documents it: until our own merges show it, it is taken to cost what settling costs.
    """
    return state.merge_fee.get(market.venue, 0 if rates is None else rates.settle)


def learn(state: State, fill: Fill) -> None:
    """Hold a fill of an outcome against the model, and the model against the fill."""
    market, occasion = state.markets.get(fill.market), _occasion(fill)
    if market is None or not market.is_outcome or occasion is None:
        return
    if market.market.fee is not None:
        _learn_curve(state, market.market, fill)
        return
    rates, notional = rates_of(state, market.market), notional_floor(fill.px, fill.qty)
    if rates is None or notional < WORTH:
        return
    paid = -(-fill.fee * SCALE // notional)
    expected: int = getattr(rates, occasion.value)
    if abs(paid - expected) <= TOLERANCE:
        return
    state.learned_fees.setdefault(class_of(market.market), {})[occasion.value] = max(paid, 0)
    state.digest.mix(paid)
    _say(
        state, (*class_of(market.market), occasion.value, paid // TOLERANCE), fill.market,
        f"{market.market.ticker}: {occasion.value.replace('_', ' ')} cost {to_text(fill.fee)} on {to_text(notional)} "
        f"({_percent(paid)}), not {_percent(expected)}: counted with from now on",
    )  # fmt: skip


def _learn_curve(state: State, market: Market, fill: Fill) -> None:
    """Two steps are what rounding can make of a fill: the one of the fill, and the one its order keeps."""
    curve = curve_of(state, market)
    if curve is None or fill.kind is not FillKind.TRADE or notional_floor(fill.px, fill.qty) < WORTH:
        return
    expected = curve_fee(curve, fill.px, fill.qty, maker=fill.maker)
    if abs(fill.fee - expected) <= 2 * curve.step + fill.fee // 100:
        return
    role, e = ("maker" if fill.maker else "taker"), curve.exponent
    each = fill.qty * (fill.px * (SCALE - fill.px)) ** e
    coefficient = max(-(-fill.fee * SCALE ** (2 * e + 1) // each), 0)
    state.learned_fees.setdefault(class_of(market), {})[role] = coefficient
    state.digest.mix(coefficient)
    _say(
        state, (*class_of(market), role, coefficient // CURVE_STEP), fill.market,
        f"{market.ticker}: a {role} fill of {to_text(fill.qty)} at {to_text(fill.px)} cost {to_text(fill.fee)}, not "
        f"{to_text(expected)}: counted with from now on",
    )  # fmt: skip


def _say(state: State, rate: FeeSaid, market: MarketId, text: str) -> None:
    """Once for each rate that a class of contracts is found to have, however often it changes back and forth."""
    said = state.fees_said
    if rate in said:
        return
    said[rate] = None
    if len(said) > SAID_MAX:
        del said[next(iter(said))]
    state.out.alert(AlertLevel.WARNING, "fee_differs", text, market)


def _occasion(fill: Fill) -> Occasion | None:
    """Only the side that reduces pays; a sale of tokens always reduces."""
    if fill.kind is FillKind.SETTLEMENT:
        return Occasion.SETTLE
    if fill.kind is not FillKind.TRADE:
        return None
    if fill.side is Side.BUY:
        return Occasion.OPEN_MAKER if fill.maker else Occasion.OPEN_TAKER
    return Occasion.CLOSE_MAKER if fill.maker else Occasion.CLOSE_TAKER


def _percent(rate: int) -> str:
    return f"{to_fixed(rate * 100, 4)} %"
