"""Shape of the strategies' sections; meanings in config/default.toml."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from hlomm.settings.kinds import Fraction, NonNegative, Positive, Section, Share


class Avellaneda(Section, frozen=True):
    enabled: bool
    model: Literal["glft", "as_paper", "as_seed0"]
    classes: tuple[str, ...]
    underlyings: tuple[str, ...]
    periods: tuple[str, ...]
    deployers: tuple[str, ...]
    min_liquidity: NonNegative
    gamma: NonNegative
    fill_rate: Positive
    fill_decay: Positive
    lot: Positive
    holding_s: Positive
    min_half_spread: NonNegative
    max_half_spread: Share
    pull_ratio: Positive
    reaction_s: Positive
    vol_annual: Positive
    vol_prior_s: Positive
    vol_halflife_s: Positive
    realised: Literal["ewma", "two_scale"]
    nu_prior_s: Positive
    nu_halflife_s: Positive
    follow_s: NonNegative
    sample_s: Positive
    basis_bps: NonNegative
    vol_error: NonNegative
    size_floor: NonNegative
    max_microprice_spread: Share
    kelly_fraction: Fraction
    max_size: Positive
    min_size: NonNegative
    size_decimals: Annotated[int, msgspec.Meta(ge=0, le=8)]
    max_underlying_age_s: Positive
    requote_share: NonNegative
    stretch: Annotated[float, msgspec.Meta(ge=1, le=100)]


class BtcParity(Section, frozen=True):
    enabled: bool
    classes: tuple[str, ...]
    underlyings: tuple[str, ...]
    periods: tuple[str, ...]
    deployers: tuple[str, ...]
    min_liquidity: NonNegative
    min_edge: Share
    doubt: NonNegative
    hedge_cost: NonNegative
    follow_book: bool
    min_tau_s: NonNegative
    vol_annual: Positive
    vol_prior_s: Positive
    vol_halflife_s: Positive
    realised: Literal["ewma", "two_scale"]
    sample_s: Positive
    basis_bps: NonNegative
    vol_error: NonNegative
    max_underlying_age_s: Positive
    kelly_fraction: Fraction
    max_stake: Fraction
    max_size: Positive
    min_size: NonNegative


class CompleteSet(Section, frozen=True):
    enabled: bool
    classes: tuple[str, ...]
    underlyings: tuple[str, ...]
    periods: tuple[str, ...]
    deployers: tuple[str, ...]
    min_edge: Share
    max_size: Positive
    min_size: Positive
    max_stake: Fraction
    max_unwind_loss: NonNegative
    min_tau_s: NonNegative
    capital_rate: Annotated[float, msgspec.Meta(ge=0, le=10)]
    payout_delay_s: NonNegative
    deadline_s: Positive


class CrossVenue(Section, frozen=True):
    enabled: bool
    min_edge_bps: NonNegative
    max_notional_usd: Positive
    max_size: Positive
    min_size: Positive
    bridging_bps_polygon: NonNegative
    capital_rate: Annotated[float, msgspec.Meta(ge=0, le=10)]
    payout_delay_s: NonNegative
    basis_weight: NonNegative
    source_noise_bps: NonNegative
    settle_tick: NonNegative
    fill_probability: Fraction
    unwind_cost: NonNegative
    max_unwind_loss: NonNegative
    deadline_s: Positive
    min_tau_s: NonNegative
    maker: Literal["off", "hyperliquid", "polymarket", "kalshi"]
    maker_share: Fraction
    maker_reach: Share
    kelly_fraction: Fraction
    vol_annual: Positive
    vol_prior_s: Positive
    vol_halflife_s: Positive
    realised: Literal["ewma", "two_scale"]
    sample_s: Positive
    max_underlying_age_s: Positive


class StrikeLadder(Section, frozen=True):
    enabled: bool
    across_venues: bool
    min_edge_bps: NonNegative
    max_notional_usd: Positive
    max_size: Positive
    min_size: Positive
    bridging_bps_polygon: NonNegative
    capital_rate: Annotated[float, msgspec.Meta(ge=0, le=10)]
    payout_delay_s: NonNegative
    basis_weight: NonNegative
    source_noise_bps: NonNegative
    settle_tick: NonNegative
    fill_probability: Fraction
    unwind_cost: NonNegative
    max_unwind_loss: NonNegative
    deadline_s: Positive
    min_tau_s: NonNegative
    kelly_fraction: Fraction
    vol_annual: Positive
    vol_prior_s: Positive
    vol_halflife_s: Positive
    realised: Literal["ewma", "two_scale"]
    sample_s: Positive
    max_underlying_age_s: Positive


class Strategies(Section, frozen=True):
    avellaneda: Avellaneda
    btc_parity: BtcParity
    complete_set: CompleteSet
    cross_venue: CrossVenue
    strike_ladder: StrikeLadder
