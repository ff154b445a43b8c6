"""Shape of the configuration. Human units; `assembly` turns them into what the rooms are built with.

Strict on purpose: no unknown keys, no conversions between kinds, no NaN or infinity (every number is bounded).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Positive = Annotated[float, msgspec.Meta(gt=0, lt=1e12)]
NonNegative = Annotated[float, msgspec.Meta(ge=0, lt=1e12)]
Fraction = Annotated[float, msgspec.Meta(gt=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Factor = Annotated[float, msgspec.Meta(ge=1, le=100)]
Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]
"""A price of an outcome or a distance between two."""


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Limits(_Section, frozen=True):
    max_position: Positive
    max_gross_notional: Positive
    max_order_notional: Positive
    max_open_orders: Count
    max_drawdown: Positive
    stale_book_s: Positive
    one_sided_book: Literal["refuse", "reduce_only", "allow"]
    max_clock_skew_s: Positive
    max_fair_deviation: Share
    max_resting_without_deadman: NonNegative
    max_loss_event: Positive
    max_loss_underlying: Positive
    max_loss_total: Positive
    max_hedge_notional: NonNegative
    max_sets: NonNegative
    max_orders_per_s: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    max_notional_per_min: Positive


class Breakers(_Section, frozen=True):
    widen_move: Share
    widen_window_s: Positive
    widen_factor: Factor
    widen_s: Positive
    pause_move: Share
    pause_window_s: Positive
    pause_s: Positive
    daily_loss: Positive
    drawdown_share: Fraction
    equity_stop: Fraction
    api_errors: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    api_window_s: Positive
    api_pause_s: Positive
    warn_share: Fraction


class Hedge(_Section, frozen=True):
    enabled: bool
    min_tau_s: NonNegative
    interval_s: Positive
    closest: Positive
    inner: Fraction
    cost: Share
    risk_aversion: Positive
    jump_margin: Annotated[float, msgspec.Meta(ge=0, lt=1)]


class Sets(_Section, frozen=True):
    enabled: bool
    stock: NonNegative
    least: Annotated[float, msgspec.Meta(ge=1, le=1e9)]
    interval_s: Positive
    drain_s: NonNegative


class Inventory(_Section, frozen=True):
    widen_above: Fraction
    widen_factor: Factor
    pause_above: Fraction
    reduce_above: Fraction
    reduce_at_touch: bool
    flatten_above: Annotated[float, msgspec.Meta(ge=1, le=100)]


VenueName = Literal["hyperliquid", "polymarket", "kalshi"]


class Quotes(_Section, frozen=True):
    min_move: Share
    min_size_change: NonNegative
    min_interval_s: NonNegative
    refresh_s: Positive
    drain_s: NonNegative


class Flatten(_Section, frozen=True):
    on_disconnect: Literal["flatten", "pause"]
    on_disconnect_of: dict[VenueName, Literal["flatten", "pause"]]
    on_stop: Literal["flatten", "keep"]
    on_kill: Literal["flatten", "keep"]
    max_slippage: Share
    max_slippage_perp: Share
    hold_to_expiry_s: NonNegative
    deadline_s: Positive
    retry_s: Positive
    attempts: Count


class Orders(_Section, frozen=True):
    answer_deadline_s: Positive
    query_retry_s: Positive
    settle_doubt_s: Positive
    reject_window_s: Positive
    reject_limit: Count
    reject_pause_s: Positive


class Budget(_Section, frozen=True):
    reserve: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    slow_below: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
    slow_runway_h: NonNegative
    slow_factor: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    weight_per_min: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class Reconcile(_Section, frozen=True):
    quiet_s: Positive
    strikes: Annotated[int, msgspec.Meta(ge=1, le=100)]


class Avellaneda(_Section, frozen=True):
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


class BtcParity(_Section, frozen=True):
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


class CompleteSet(_Section, frozen=True):
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


class Strategies(_Section, frozen=True):
    avellaneda: Avellaneda
    btc_parity: BtcParity
    complete_set: CompleteSet


class Hyperliquid(_Section, frozen=True):
    rest: str
    ws: str
    chain: Literal["mainnet", "testnet"]
    account: str
    key_file: str
    guardian_key_file: str
    quote_token: str
    underlyings: tuple[str, ...]
    request_s: Positive
    post_s: Positive
    expires_after_s: Positive
    deadman_s: Annotated[float, msgspec.Meta(ge=0, lt=86_400)]
    reconcile_s: Positive
    ping_s: Positive
    pong_s: Positive
    silence_s: Positive


class Venues(_Section, frozen=True):
    hyperliquid: Hyperliquid


Period = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,3}[mhd]$")]


class Sim(_Section, frozen=True):
    periods: tuple[Period, ...]
    buckets: tuple[Period, ...]
    templates: tuple[Period, ...]
    first_expiry_s: Annotated[float, msgspec.Meta(ge=5, le=180)]
    linger_s: Positive


class Daemon(_Section, frozen=True):
    stop_deadline_s: Positive
    hard_stop_s: Positive
    fsync_s: Positive
    segment_mb: Annotated[int, msgspec.Meta(ge=1, le=4096)]
    log: Literal["debug", "info", "warning"]


class Guardian(_Section, frozen=True):
    enabled: bool
    beat_s: Positive
    warn_s: Positive
    dead_s: Positive
    start_s: Positive
    on_silence: Literal["flatten", "keep"]
    give_up_s: Positive
    linger_s: NonNegative


class Leg(_Section, frozen=True):
    """One series in a rule for links."""

    venue: Literal["hyperliquid", "polymarket", "kalshi"]
    klass: str
    period: str
    rules: tuple[str, ...]


class LinkRule(_Section, frozen=True):
    name: str
    left: Leg
    right: Leg
    underlyings: tuple[str, ...]
    grade: Literal["same", "near"]
    accept: tuple[str, ...]
    max_mismatch: Fraction
    reviewed_by: str
    reviewed_on: str


class LinkPair(_Section, frozen=True):
    name: str
    left: str
    right: str
    left_rules: str
    right_rules: str
    left_terms: str
    right_terms: str
    grade: Literal["same", "near"]
    max_mismatch: Fraction
    reviewed_by: str
    reviewed_on: str


class Events(_Section, frozen=True):
    proposals: bool
    instant_s: NonNegative
    strike_bps: NonNegative
    averaging_s: NonNegative
    rules: tuple[LinkRule, ...]
    pairs: tuple[LinkPair, ...]


class EngineSettings(_Section, frozen=True):
    """The part that decisions depend on; it travels in the journal's first record."""

    limits: Limits
    quotes: Quotes
    flatten: Flatten
    orders: Orders
    budget: Budget
    reconcile: Reconcile
    breakers: Breakers
    inventory: Inventory
    hedge: Hedge
    sets: Sets
    strategy: Strategies
    events: Events


class Settings(EngineSettings, frozen=True):
    venue: Venues
    sim: Sim
    daemon: Daemon
    guardian: Guardian


ENGINE_SECTIONS = EngineSettings.__struct_fields__
