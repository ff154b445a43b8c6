"""What a trade costs (venue sheet 7.8 and 8). Rates in 1e-8 of notional; fees in cash, rounded down."""

from __future__ import annotations

from hlomm.domain.units import SCALE
from hlomm.sim.config import RulesConfig


def outcome_fee(rules: RulesConfig, notional: int, *, maker: bool) -> int:
    """Fee on the side of an outcome trade that reduces; opening buys and mints pay nothing.

    notional * rate * (s + max(s, 1)), where s is the deployer's scale: 0 for protocol series, which leaves 1.
    """
    if not rules.outcome_fees:
        return 0
    rate = rules.spot_maker if maker else rules.spot_taker
    scale = rules.outcome_fee_scale
    return notional * rate * (scale + max(scale, SCALE)) // (SCALE * SCALE)


def perp_fee(rules: RulesConfig, notional: int, *, maker: bool) -> int:
    """Both sides of a perp trade pay; there is no maker rebate at the base tier."""
    return notional * (rules.perp_maker if maker else rules.perp_taker) // SCALE
