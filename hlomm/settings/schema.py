"""Shape of the configuration. Human units; `assembly` turns them into what the rooms are built with.

Strict on purpose: no unknown keys, no conversions between kinds, no NaN or infinity (every number is bounded).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from hlomm.settings.events import Events
from hlomm.settings.kinds import Count, Factor, Fraction, NonNegative, Positive, Section, Share
from hlomm.settings.rehearsals import Canary, Paper
from hlomm.settings.strategies import Strategies
from hlomm.settings.venues import Venues


class Limits(Section, frozen=True):
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


class Breakers(Section, frozen=True):
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
    venue_quiet_s: Positive
    warn_share: Fraction


class Hedge(Section, frozen=True):
    enabled: bool
    min_tau_s: NonNegative
    interval_s: Positive
    closest: Positive
    inner: Fraction
    cost: Share
    risk_aversion: Positive
    jump_margin: Annotated[float, msgspec.Meta(ge=0, lt=1)]


class Sets(Section, frozen=True):
    enabled: bool
    stock: NonNegative
    least: Annotated[float, msgspec.Meta(ge=1, le=1e9)]
    interval_s: Positive
    drain_s: NonNegative


class Inventory(Section, frozen=True):
    widen_above: Fraction
    widen_factor: Factor
    pause_above: Fraction
    reduce_above: Fraction
    reduce_at_touch: bool
    flatten_above: Annotated[float, msgspec.Meta(ge=1, le=100)]


VenueName = Literal["hyperliquid", "polymarket", "kalshi"]


class Quotes(Section, frozen=True):
    min_move: Share
    min_size_change: NonNegative
    min_interval_s: NonNegative
    refresh_s: Positive
    refresh_share: Share
    refresh_max_s: Positive
    drain_s: NonNegative


class Flatten(Section, frozen=True):
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


class Orders(Section, frozen=True):
    answer_deadline_s: Positive
    query_retry_s: Positive
    settle_doubt_s: Positive
    reject_window_s: Positive
    reject_limit: Count
    reject_pause_s: Positive


class Budget(Section, frozen=True):
    reserve: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    slow_below: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
    slow_runway_h: NonNegative
    slow_factor: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    weight_per_min: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class Reconcile(Section, frozen=True):
    quiet_s: Positive
    strikes: Annotated[int, msgspec.Meta(ge=1, le=100)]


Period = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,3}[mhd]$")]


class Sim(Section, frozen=True):
    periods: tuple[Period, ...]
    buckets: tuple[Period, ...]
    templates: tuple[Period, ...]
    dislocations: bool
    first_expiry_s: Annotated[float, msgspec.Meta(ge=5, le=180)]
    linger_s: Annotated[float, msgspec.Meta(ge=1, lt=1e12)]


class Daemon(Section, frozen=True):
    stop_deadline_s: Positive
    hard_stop_s: Positive
    fsync_s: Positive
    segment_mb: Annotated[int, msgspec.Meta(ge=1, le=4096)]
    collector: Literal["gaps", "python"]
    rehearse_s: Annotated[float, msgspec.Meta(ge=0, le=10)]
    cpus: Annotated[tuple[Annotated[int, msgspec.Meta(ge=0, le=8191)], ...], msgspec.Meta(max_length=64)]
    log: Literal["debug", "info", "warning"]
    log_of: dict[Annotated[str, msgspec.Meta(pattern=r"^[a-z]+([._][a-z]+)*$")], Literal["debug", "info", "warning"]]


class Latency(Section, frozen=True):
    """p99 over a minute, in host microseconds; the fields are named after `Stage`."""

    decode_us: Positive
    decide_us: Positive
    record_us: Positive
    send_us: Positive
    total_us: Positive
    loop_us: Positive
    collect_us: Positive
    tidy_us: Positive


class Guardian(Section, frozen=True):
    enabled: bool
    beat_s: Positive
    warn_s: Positive
    dead_s: Positive
    start_s: Positive
    on_silence: Literal["flatten", "keep"]
    give_up_s: Positive
    linger_s: NonNegative


class Alerts(Section, frozen=True):
    """Of `hlomm alerts`; host seconds."""

    urls_file: str
    level: Literal["info", "warning", "critical"]
    fills: bool
    digest_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)]
    remind_s: Annotated[float, msgspec.Meta(ge=60, le=604_800)]
    again_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)]
    per_minute: Annotated[int, msgspec.Meta(ge=3, le=600)]
    send_s: Annotated[float, msgspec.Meta(ge=1, le=120)]
    keep_s: Annotated[float, msgspec.Meta(ge=60, le=604_800)]
    daemon_silent_s: Positive
    venue_silent_s: Positive
    deadman_failures: Count
    key_days: NonNegative
    runway_h: NonNegative
    disk_free_gib: NonNegative
    drawdown_share: Fraction


class EngineSettings(Section, frozen=True):
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


class KeySettings(Section, frozen=True):
    folder: str


class Settings(EngineSettings, frozen=True):
    venue: Venues
    keys: KeySettings
    sim: Sim
    paper: Paper
    canary: Canary
    daemon: Daemon
    latency: Latency
    guardian: Guardian
    alerts: Alerts


ENGINE_SECTIONS = EngineSettings.__struct_fields__
