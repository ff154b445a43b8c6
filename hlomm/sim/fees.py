"""What a trade costs (venue sheet 7.8 and 8). Rates in 1e-8 of notional; fees in cash, rounded down."""

from __future__ import annotations

from hlomm.domain.units import SCALE
from hlomm.sim.config import RulesConfig


def outcome_fee(rules: RulesConfig, notional: int, *, maker: bool, deployer_scale: int | None = None) -> int:
    """Fee on the side of an outcome trade that reduces; opening buys and mints pay nothing.

    notional * rate * (s + max(s, 1)) * (1 - referral discount), as measured on mainnet fills of 2026-09 and 2026-10.
    `deployer_scale` is the contract's `deployerFeeScale` in 1e-8; None stands for a protocol series, which has none and
    pays only if the rules say so.
    """
    if deployer_scale is None and not rules.outcome_fees:
        return 0
    scale = rules.outcome_fee_scale if deployer_scale is None else deployer_scale
    rate = rules.spot_maker if maker else rules.spot_taker
    kept = SCALE - rules.referral_discount
    return notional * rate * (scale + max(scale, SCALE)) * kept // SCALE**3


def pays_outcome_fee(rules: RulesConfig, *, maker: bool) -> bool:
    """Whether the reducing side counts as fee-paying for volume: not where its rate is zero.

    Volume follows the rate and not the fee, so it grows in the free phase of the protocol series as well.
    """
    return (rules.spot_maker if maker else rules.spot_taker) > 0


def merge_fee(rules: RulesConfig, notional: int) -> int:
    """Fee on tokens merged back into quote: free by the documentation, one report of 2026-09 says otherwise."""
    return notional * rules.merge_fee // SCALE


def perp_fee(rules: RulesConfig, notional: int, *, maker: bool) -> int:
    """Both sides of a perp trade pay; there is no maker rebate at the base tier."""
    return notional * (rules.perp_maker if maker else rules.perp_taker) // SCALE
