"""Fee rates of outcome orders from the account's rates (venue sheet section 7.8)."""

from __future__ import annotations

from typing import Final

from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import FeeRates
from hlomm.domain.units import SCALE
from hlomm.venues.hyperliquid.wire.info import UserFees

BASE_TAKER: Final = 70_000
"""Spot rates of the first tier in 1e-8 of notional: what backtests reckon with. Settlement pays the taker's."""
BASE_MAKER: Final = 40_000


def outcome_fees(fees: UserFees) -> FeeRates:
    """Only the side that reduces pays: maker and taker at the spot rates, settlement at the taker's.

    These are the rates of protocol markets (deployer scale 0, multiplier 1). Whether such markets are charged at all
    is open; assuming they are errs on the dear side. Rates round up, and rebates do not exist for outcomes.
    """
    maker, taker = _discounted(fees.spot_maker, fees), _discounted(fees.spot_taker, fees)
    return FeeRates(venue=HYPERLIQUID, open_maker=0, open_taker=0, close_maker=maker, close_taker=taker, settle=taker)


def _discounted(rate: int, fees: UserFees) -> int:
    """Rate less the referral discount, which the venue's rates do not contain, rounded up."""
    return -(-max(rate, 0) * (SCALE - fees.referral_discount) // SCALE)
