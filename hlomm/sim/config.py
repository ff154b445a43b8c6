"""Settings of the simulated venue. Durations are venue time and carry their unit in the name."""

from __future__ import annotations

from typing import Any, Final, Literal

import attrs

from hlomm.domain.faults import ConfigError
from hlomm.domain.times import NS_PER_MS
from hlomm.sim.config_kalshi import KalshiConfig
from hlomm.sim.slips import SlipConfig

VENUES: Final = ("hyperliquid", "polymarket", "kalshi")


def _within(low: float, high: float) -> Any:
    """Validator: a number in [low, high]; ConfigError names the field."""

    def check(_instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ConfigError(f"sim.{attribute.name}: expected a number from {low} to {high}, was {value!r}")

    return check


def _number(default: float, low: float, high: float) -> Any:
    return attrs.field(default=default, validator=_within(low, high))


def _optional(low: float, high: float) -> Any:
    return attrs.validators.optional(_within(low, high))


@attrs.frozen(kw_only=True)
class PathConfig:
    """The BTC price: stochastic volatility and jumps, calibrated to the 2026-05 recordings."""

    price: float | None = None
    """Starting price in USD; None draws one below 100,000, where the effective tick is 1 USD."""
    annual_vol: float = _number(0.45, 0.01, 5.0)
    vol_reversion_s: float = _number(1800.0, 1.0, 1e7)
    vol_of_vol: float = _number(0.30, 0.0, 2.0)
    """Stationary standard deviation of log volatility."""
    jumps_per_day: float = _number(24.0, 0.0, 1e5)
    jump_sd: float = _number(0.0012, 0.0, 0.1)
    mark_period_s: float = _number(3.0, 0.5, 60.0)


@attrs.frozen(kw_only=True)
class FlowConfig:
    """Who quotes and who trades the outcome contracts besides the client."""

    enabled: bool = True
    makers: int = _number(4, 0, 16)
    levels: int = _number(3, 1, 10)
    maker_lag_s: float = _number(0.7, 0.0, 30.0)
    """Age of the price the makers quote around."""
    maker_reaction_s: float = _number(0.45, 0.05, 60.0)
    """Mean time between two looks of one maker at one market."""
    base_spread: float = _number(0.009, 0.0, 0.5)
    """Total spread at price 0.5 far from expiry; falls off as p(1-p) toward the tails."""
    tail_spread: float = _number(0.002, 0.0, 0.5)
    vol_spread: float = _number(1.2, 0.0, 10.0)
    """Spread added per unit of the contract's own one-second standard deviation."""
    size_median: float = _number(35.0, 1.0, 1e6)
    size_sigma: float = _number(1.2145, 0.0, 3.0)
    """Log standard deviation; with the median of 35 the 90th percentile is 166."""
    noise_per_s: float = _number(1.5, 0.0, 100.0)
    """Arrivals per second and market when quotes sit at fair value; thins out with the distance of the touch."""
    informed_per_s: float = _number(0.12, 0.0, 100.0)
    informed_lead_s: float = _number(1.0, 0.0, 10.0)
    bucket_wide_s: float = _number(240.0, 0.1, 1e6)
    """Mean time for which the legs of a bucket question are quoted wide; then `bucket_tight_s` as other contracts."""
    bucket_tight_s: float = _number(80.0, 0.1, 1e6)
    bucket_wide_spread: float = _number(0.12, 0.0, 0.5)
    """Spread added while wide."""
    bucket_slips_per_hour: float = _number(12.0, 0.0, 3600.0)
    """How often makers misjudge a leg by about `bucket_slip`, so that the YES prices of a question do not add up."""
    bucket_slip: float = _number(0.08, 0.0, 0.5)
    bucket_slip_s: float = _number(25.0, 0.1, 1e5)
    """Mean duration of a misjudgement."""
    perp_takers_per_s: float = _number(1.2, 0.0, 100.0)


@attrs.frozen(kw_only=True)
class RulesConfig:
    """What the venue charges and allows. Rates are in 1e-8 of notional, money in whole USD."""

    outcome_fees: bool = False
    """Recurring outcomes were free as long as the documentation said so; True applies the multiplier rule."""
    outcome_fee_scale: int = _number(0, 0, 1_000_000_000)
    """The s of the protocol series in 1e-8; the multiplier is s + max(s, 1). Deployers' contracts bring their own."""
    merge_fee: int = _number(0, 0, 10_000_000)
    """Charged on what `mergeOutcome` and `mergeQuestion` pay out."""
    referral_discount: int = _number(0, 0, 100_000_000)
    """Share of outcome fees that a referred account is spared."""
    fallback_tradable: bool = True
    """False: orders in a question's fallback are refused, as a string dump of 2026-04 suggests."""
    spot_taker: int = _number(70_000, 0, 10_000_000)
    spot_maker: int = _number(40_000, 0, 10_000_000)
    perp_taker: int = _number(45_000, 0, 10_000_000)
    perp_maker: int = _number(15_000, 0, 10_000_000)
    funding: bool = True
    """Whether perp positions pay funding at each full hour."""
    funding_hourly: int | None = attrs.field(default=None, validator=_optional(-4_000_000, 4_000_000))
    """Hourly funding rate in 1e-8; None derives it from the premium over the hour."""
    liquidations: bool = True
    min_notional_usd: int = _number(10, 0, 1_000_000)
    close_below_minimum: bool = True
    """Whether a reduce-only perp order that closes all of a position may be below the minimum: nobody has tried."""
    open_orders: int = _number(1000, 1, 100_000)
    address_budget: int = _number(10_000, 0, 10**12)
    prior_volume_usd: int = _number(240_000, 0, 10**12)
    """Volume the traded account comes with: the 10,000 actions of a fresh one last a quoting daemon an hour or two."""
    over_budget_s: float = _number(10.0, 0.0, 3600.0)
    schedule_cancel_volume_usd: int = _number(1_000_000, 0, 10**12)
    schedule_cancel_daily: int = _number(10, 0, 1000)
    ip_weight_per_min: int = _number(1200, 1, 10**9)
    ws_connections: int = _number(10, 1, 10_000)
    ws_new_per_min: int = _number(30, 1, 100_000)
    ws_subscriptions: int = _number(1000, 1, 100_000)
    ws_users: int = _number(15, 1, 10_000)
    ws_messages_per_min: int = _number(2000, 1, 10**9)
    ws_posts_in_flight: int = _number(100, 1, 10_000)
    ws_silence_s: float = _number(60.0, 1.0, 3600.0)
    dead_coin_closes: bool = False
    """Subscribing to a settled coin also closes the socket, as seen on 2026-05-06."""
    gtc_partial_reply: Literal["resting", "filled"] = "resting"
    """What an order that filled in part and rests answers; unknown for outcomes, so both can be tried."""
    modify_refused_keeps_old: bool = False
    """Whether the old order survives when the new one is refused; clients must not rely on either."""


@attrs.frozen(kw_only=True)
class LatencyConfig:
    """Delays in venue milliseconds; an ALO acknowledgement takes submit + wait for the block + reply."""

    block_ms: int = _number(70, 5, 5000)
    submit_ms: float = _number(140.0, 0.0, 10_000.0)
    submit_jitter_ms: float = _number(40.0, 0.0, 10_000.0)
    taker_delay_ms: float = _number(70.0, 0.0, 10_000.0)
    """Takers reach the book later than post-only orders and cancels sent at the same time."""
    reply_ms: float = _number(100.0, 0.0, 10_000.0)
    feed_ms: float = _number(110.0, 0.0, 10_000.0)
    info_ms: float = _number(60.0, 0.0, 10_000.0)

    @property
    def block_ns(self) -> int:
        return self.block_ms * NS_PER_MS


@attrs.frozen(kw_only=True)
class ListingConfig:
    """The recurring series and how they roll."""

    periods: tuple[str, ...] = ("3m", "15m", "1d")
    create_delay_s: float = _number(2.0, 0.0, 3600.0)
    """From the settlement of one contract to the creation of the next."""
    first_expiry_s: float = _number(45.0, 1.0, 180.0)
    """Seconds from the origin to the expiry of the first contract of the shortest series."""
    first_outcome: int = _number(11_800, 1, 900_000)
    buckets: tuple[str, ...] = ()
    """Periods of recurring price bucket questions; none by default."""
    bucket_width_bp: int | None = attrs.field(default=None, validator=_optional(1, 5_000))
    """Distance of the two thresholds from the reference, in basis points; None: 200 for a day, and for other periods
    what the price moves in them, by the square root of time."""
    first_question: int = _number(40, 1, 900_000)
    templates: tuple[str, ...] = ()
    """Periods of a deployer's `template:binaryPrice` contracts; none by default."""
    template_average_s: int = _number(60, 1, 3600)
    template_venue: str = "out"
    template_fee_scale: int = _number(100_000_000, 0, 1_000_000_000)
    """`deployerFeeScale` in 1e-8."""
    quote_token: str = "USDC"  # noqa: S105 - a currency, not a secret
    warmup_s: float = _number(9.0, 1.0, 600.0)
    """Venue time simulated before the origin, so that books are full when the first client looks."""


@attrs.frozen(kw_only=True)
class PolymarketConfig:
    """The simulated Polymarket beside the simulated Hyperliquid."""

    above: tuple[str, ...] | None = None
    """Periods of the "above" markets; None lists what `listing.periods` says. Whole days expire at noon in New York."""
    updown: tuple[str, ...] = ("5m", "15m")
    ladder: int = _number(0, 0, 10)
    """Further strikes above and below each."""
    ladder_step_bp: float = _number(8.0, 0.1, 1000.0)
    list_delay_s: float = _number(6.0, 0.0, 600.0)
    """From the expiry of one "above" market to the listing of the next."""
    resolve_delay_s: float = _number(20.0, 0.0, 86_400.0)
    """From the moment the result is known to the resolution."""
    redeem_delay_s: float = _number(15.0, 0.0, 86_400.0)
    """From the resolution to the automatic redemption."""
    closed_kept: int = _number(200, 1, 100_000)
    """Resolved markets that Gamma still lists."""
    dislocations: bool = True
    """False: same lag as the other venue, no basis between the sources, and "above" priced as if it ended at its end
    date, so that prices agree."""
    maker_lag_s: float = _number(1.8, 0.0, 8.0)
    basis_bp: float = _number(0.6, 0.0, 100.0)
    """Standard deviation of this venue's price source around the common path."""
    basis_reversion_s: float = _number(40.0, 1.0, 1e6)
    makers: int = _number(3, 0, 16)
    maker_reaction_s: float = _number(0.8, 0.05, 60.0)
    """Mean time between two looks of one maker at one market."""
    noise_per_s: float = _number(0.8, 0.0, 100.0)
    informed_per_s: float = _number(0.15, 0.0, 100.0)
    size_median: float = _number(60.0, 5.0, 1e6)
    tick: int = _number(100, 1, 1000)
    """In 1e-4; 100 narrows to 10 beyond 0.96 and 0.04."""
    min_shares: int = _number(5, 1, 10_000)
    fee_rate: int = _number(7_000_000, 0, 100_000_000)
    """Taker fee at price p: shares * rate * p * (1 - p); in 1e-8."""
    rebate_rate: float = _number(0.2, 0.0, 1.0)
    taker_delay_ms: float = _number(150.0, 0.0, 10_000.0)
    request_ms: float = _number(20.0, 0.0, 10_000.0)
    reply_ms: float = _number(20.0, 0.0, 10_000.0)
    feed_ms: float = _number(30.0, 0.0, 10_000.0)
    mined_s: float = _number(3.0, 0.0, 3600.0)
    """Mean from match to mined; drawn between half and one and a half of it."""
    balance_refresh_s: float = _number(1.0, 0.0, 3600.0)
    """From mined to the moment the operator looks at the chain by itself."""
    confirmed_s: float = _number(20.0, 0.0, 86_400.0)
    """Mean from mined to confirmed, drawn the same way."""
    retry_s: float = _number(5.0, 0.0, 3600.0)
    """How long a trade that is tried again stays in that state."""
    retried: float = _number(0.01, 0.0, 1.0)
    """Share of trades whose first transaction fails."""
    failed: float = _number(0.001, 0.0, 1.0)
    """Share of trades that fail for good."""
    restart_s: float = _number(90.0, 0.0, 3600.0)
    post_only_s: float = _number(120.0, 0.0, 3600.0)
    """Post-only mode after a restart."""
    heartbeat_s: float = _number(10.0, 1.0, 3600.0)
    heartbeat_check_s: float = _number(5.0, 0.1, 3600.0)
    order_rate: float = _number(40.0, 0.1, 1e6)
    order_burst: int = _number(60, 1, 10**7)
    cancel_rate: float = _number(80.0, 0.1, 1e6)
    cancel_burst: int = _number(120, 1, 10**7)
    fak_buy: Literal["shares", "cash"] = "shares"
    """What bounds a FOK or FAK buy that finds a better price than its own: the shares it names or the cash. Unknown."""
    amounts: Literal["decimal", "base"] = "decimal"
    """How an order's answer writes what was matched. Unknown."""
    self_match: Literal["allow", "refuse"] = "allow"
    """What happens to an order that meets one of the same wallet. Unknown."""
    order_ids: int = _number(200_000, 16, 10**7)
    """Order ids remembered for the refusal of duplicates."""
    trades_kept: int = _number(5_000, 1, 10**6)
    """Trades remembered per wallet."""
    queue: int = _number(20_000, 16, 10**6)
    """Requests waiting for their moment."""
    ws_assets: int = _number(500, 1, 100_000)
    """Assets per connection, beyond which the venue closes it."""
    deposit_usd: int = _number(10_000, 0, 10**9)


@attrs.frozen(kw_only=True)
class BufferConfig:
    """Bounds of everything that could grow."""

    outbox_frames: int = _number(8192, 8, 1_000_000)
    outbox_bytes: int = _number(32 << 20, 1024, 1 << 34)
    body_bytes: int = _number(1 << 20, 1024, 1 << 30)
    mempool: int = _number(20_000, 16, 1_000_000)
    catch_up_blocks: int = _number(64, 1, 100_000)
    """Blocks executed in one go before other tasks get their turn."""
    recent_trades: int = _number(10, 0, 1000)


@attrs.frozen(kw_only=True)
class SimConfig:
    """Everything that, with the seed and the origin, determines a run without clients."""

    path: PathConfig = attrs.field(factory=PathConfig)
    flow: FlowConfig = attrs.field(factory=FlowConfig)
    rules: RulesConfig = attrs.field(factory=RulesConfig)
    latency: LatencyConfig = attrs.field(factory=LatencyConfig)
    listing: ListingConfig = attrs.field(factory=ListingConfig)
    buffers: BufferConfig = attrs.field(factory=BufferConfig)
    kalshi: KalshiConfig = attrs.field(factory=KalshiConfig)
    polymarket: PolymarketConfig = attrs.field(factory=PolymarketConfig)
    slips: SlipConfig = attrs.field(factory=SlipConfig)
    """Of Polymarket's and Kalshi's makers, where those have dislocations."""


def _venues_known(_instance: object, _attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    unknown = [name for name in value if name not in VENUES]
    if unknown or not value:
        raise ConfigError(f"sim.venues: expected some of {', '.join(VENUES)}, was {value!r}")


@attrs.frozen(kw_only=True)
class SimOptions:
    """One run of the simulator as a process."""

    venues: tuple[str, ...] = attrs.field(default=VENUES, validator=_venues_known)
    seed: int = _number(7, 0, 2**63)
    speed: float = _number(1.0, 0.01, 1000.0)
    """Venue seconds per host second."""
    host: str = "127.0.0.1"
    port: int = _number(0, 0, 65_533)
    """Of the first venue, the others follow; 0: whatever is free."""
    linger_s: float | None = None
    """Host seconds without any client after which the process ends by itself; None runs until cancelled."""
    venue_origin_ns: int | None = None
    """Venue time at the start; None takes the nearest instant to the host's that fits `first_expiry_s`."""
    config: SimConfig = attrs.field(factory=SimConfig)
