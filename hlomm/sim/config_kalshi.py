"""Settings of the simulated Kalshi. Durations are venue time and carry their unit in the name."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from hlomm.domain.faults import ConfigError


def _number(default: float, low: float, high: float) -> Any:
    """A number in [low, high]; ConfigError names the field."""

    def check(_instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ConfigError(f"sim.kalshi.{attribute.name}: expected a number from {low} to {high}, was {value!r}")

    return attrs.field(default=default, validator=check)


@attrs.frozen(kw_only=True)
class KalshiFlowConfig:
    """Who quotes and who trades besides the client."""

    enabled: bool = True
    makers: int = _number(3, 0, 16)
    levels: int = _number(3, 1, 10)
    maker_lag_s: float = _number(1.6, 0.0, 30.0)
    """Age of the price the makers quote around: more than the other venues', so that prices fall apart in a move."""
    maker_reaction_s: float = _number(0.6, 0.05, 60.0)
    bias_sd: float = _number(0.012, 0.0, 0.5)
    """Standard deviation, in probability, of what the makers of a market believe beyond the model; see `bias_s`."""
    bias_s: float = _number(40.0, 0.1, 1e6)
    """Time in which that belief forgets itself."""
    base_spread: float = _number(0.018, 0.0, 0.5)
    """Total spread at price 0.5 far from the close; falls off as p(1-p) toward the tails."""
    tail_spread: float = _number(0.008, 0.0, 0.5)
    vol_spread: float = _number(1.3, 0.0, 10.0)
    """Spread added per unit of the contract's own one-second standard deviation."""
    size_median: float = _number(40.0, 1.0, 1e6)
    size_sigma: float = _number(1.1, 0.0, 3.0)
    noise_per_s: float = _number(0.8, 0.0, 100.0)
    informed_per_s: float = _number(0.08, 0.0, 100.0)
    informed_lead_s: float = _number(1.0, 0.0, 10.0)


@attrs.frozen(kw_only=True)
class KalshiListingConfig:
    """What is listed. Thresholds copy the periods of the other venue's listing (`sim.listing.periods`)."""

    thresholds: bool = True
    strikes: int = _number(3, 1, 15)
    """Strikes of a threshold event, around the middle one."""
    windows: bool = True
    """The quarter-hour markets that compare with their own opening."""
    ahead_s: float = _number(120.0, 0.0, 900.0)
    """How long before its opening a quarter-hour market is listed."""
    relist_s: float = _number(4.0, 0.1, 600.0)
    """From the close of a threshold event to the listing of the next."""
    strike_s: float = _number(3.0, 0.0, 600.0)
    """From the opening of a quarter-hour market to its strike."""
    list_strike_s: float = _number(4.0, 0.0, 600.0)
    """Lists show the strike that much later than the single GET."""
    index_noise_bp: float = _number(0.25, 0.0, 100.0)
    """Standard deviation of an index print around the path, in basis points."""
    close_cancel_s: float = _number(0.9, 0.0, 60.0)
    wipe_s: float = _number(2.2, 0.0, 60.0)
    determine_s: float = _number(5.0, 0.1, 3600.0)
    threshold_timer_s: float = _number(20.0, 0.0, 7200.0)
    """`settlement_timer_seconds` of thresholds; 60 to 1800 s have been seen, too long for a demonstration."""
    window_timer_s: float = _number(1.0, 0.0, 7200.0)
    kept: int = _number(200, 10, 100_000)
    """Markets that stay visible after they were settled."""
    warmup_s: float = _number(8.0, 1.0, 600.0)


@attrs.frozen(kw_only=True)
class KalshiRulesConfig:
    """What the venue charges and allows. Rates are tokens per second."""

    fee_type: Literal["quadratic", "quadratic_with_maker_fees"] = "quadratic"
    fee_multiplier: float = _number(1.0, 0.0, 10.0)
    direct_member: bool = True
    """Balances are kept to $0.0001; False: to $0.01, with larger rounding fees."""
    deposit_usd: int = _number(10_000, 0, 10**9)
    """What each account starts with on the crypto shard, and again on shard 0."""
    balance_available: bool = True
    """`balance` is what is free for trading; False: with the collateral of resting orders."""
    error_form: Literal["enveloped", "flat"] = "enveloped"
    clock_tolerance_s: float = _number(30.0, 1.0, 3600.0)
    read_per_s: int = _number(360, 1, 1_000_000)
    write_per_s: int = _number(360, 1, 1_000_000)
    bucket_s: float = _number(2.0, 0.1, 60.0)
    """Capacity of a bucket in seconds of its rate."""
    open_orders: int = _number(200_000, 1, 200_000)
    order_groups: int = _number(1_000, 1, 100_000)
    cancel_all_s: float = _number(60.0, 0.0, 600.0)
    """For so long after a cancel-all, new orders are swept up too."""
    thursday_pause: bool = True
    """No trading on Thursdays from 03:00 to 05:00 Eastern."""
    portfolio_lag_s: float = _number(2.0, 0.0, 60.0)
    """Portfolio reads are up to that much behind."""
    use_yes_price_default: bool = False
    """What `use_yes_price` is taken to be where a subscription does not say."""
    ping_s: float = _number(10.0, 0.1, 600.0)
    commands_per_s: int = _number(10_000, 1, 1_000_000)
    connections: int = _number(200, 1, 10_000)


@attrs.frozen(kw_only=True)
class KalshiLatencyConfig:
    """Delays in venue milliseconds."""

    submit_ms: float = _number(25.0, 0.0, 10_000.0)
    reply_ms: float = _number(20.0, 0.0, 10_000.0)
    reply_jitter_ms: float = _number(25.0, 0.0, 10_000.0)
    """With it, an answer comes sometimes before and sometimes after the frames of what it is about."""
    feed_ms: float = _number(30.0, 0.0, 10_000.0)
    read_ms: float = _number(40.0, 0.0, 10_000.0)


@attrs.frozen(kw_only=True)
class KalshiConfig:
    """Everything about this venue that is its own."""

    dislocations: bool = True
    """False: the index is the path, and everybody prices the path as the other venue's makers do, equally late.

    Prices then agree, though what decides the contracts still differs.
    """
    flow: KalshiFlowConfig = attrs.field(factory=KalshiFlowConfig)
    listing: KalshiListingConfig = attrs.field(factory=KalshiListingConfig)
    rules: KalshiRulesConfig = attrs.field(factory=KalshiRulesConfig)
    latency: KalshiLatencyConfig = attrs.field(factory=KalshiLatencyConfig)
