"""Numbers the engine is built with. Scaled integers and nanoseconds; `settings` converts from what people write."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import attrs

from hlomm.domain.ids import VenueId
from hlomm.domain.links import LinkRules
from hlomm.domain.units import SCALE, Cash, Px, Qty


class OneSided(StrEnum):
    """What may be quoted while one side of a book is empty."""

    REFUSE = "refuse"
    REDUCE_ONLY = "reduce_only"
    ALLOW = "allow"


class OnDisconnect(StrEnum):
    FLATTEN = "flatten"
    PAUSE = "pause"


@attrs.frozen(kw_only=True)
class Limits:
    """The risk gate's table."""

    max_position: Qty
    """Net contracts per market, pending orders counted as filled."""
    max_gross_notional: Cash
    """Collateral locked in unpaired tokens and resting buys, over all markets."""
    max_open_orders: int
    max_order_notional: Cash
    max_drawdown: Cash
    """Fall of marked equity below its high-water mark that flips the kill switch."""
    stale_book_ns: int
    one_sided: OneSided
    max_clock_skew_ms: int
    """Difference between the venue's clock and ours beyond which nothing is quoted there."""
    max_fair_deviation: Px
    """Distance between a quote and its fair value beyond which the quote is taken for a mistake."""
    max_resting_without_deadman: Cash
    """Collateral that resting orders may strand at a venue that would not cancel them by itself."""
    max_loss_event: Cash
    """Most that one outcome may lose, whatever fills and however it settles."""
    max_loss_underlying: Cash
    """The same for all outcomes and the hedge on one underlying together."""
    max_loss_total: Cash
    """The same over everything, nothing netted between underlyings."""
    max_hedge_notional: Cash
    """Notional of the perp held against the outcomes of one underlying."""
    max_sets: Cash
    """Cash that splits may tie up in complete sets, over all markets."""


@attrs.frozen(kw_only=True)
class QuoteRules:
    """When a resting quote is worth touching."""

    min_move: Px
    min_size_change: float
    """Share of the resting size by which the wish must differ."""
    min_interval_ns: int
    """Least time between two actions in one market (cancels are exempt)."""
    refresh_ns: int
    """Longest time between two decisions in one market that is about to settle."""
    drain_ns: int
    """Closer to settlement than this only reductions are quoted."""
    refresh_share: int = 0
    """Share of the time left, in 1e-8, that may pass between two decisions where that is longer: widths move with its
    square root."""
    refresh_max_ns: int = 0
    """The longest it may become."""


@attrs.frozen(kw_only=True)
class FlattenRules:
    max_slippage: Px
    """Most that a flattening order in outcomes may give beyond the touch."""
    hold_to_expiry_ns: int
    """Closer to settlement than this, tokens are held instead of sold."""
    deadline_ns: int
    retry_ns: int
    attempts: int
    on_disconnect: Mapping[VenueId, OnDisconnect]
    """Per venue; one that is not named flattens."""
    on_kill: bool
    max_slippage_perp: int = SCALE // 200
    """The same for perps, as a fraction of the touch (1e-8)."""


@attrs.frozen(kw_only=True)
class OrderRules:
    answer_deadline_ns: int
    """An order or cancel without an answer for that long is asked about."""
    query_retry_ns: int
    settle_doubt_ns: int
    """How long after sending a "never heard of it" is believed (no late arrival can follow)."""
    reject_window_ns: int
    reject_limit: int
    """Refusals within the window after which a market rests for `reject_pause_ns`."""
    reject_pause_ns: int


@attrs.frozen(kw_only=True)
class BudgetRules:
    reserve: int
    """Actions kept for cancels and flattening: below it nothing is placed."""
    slow_below: int
    """Below this many actions left, quoting slows down."""
    slow_runway_ns: int
    """Likewise when what is left lasts no longer than this at the present churn."""
    slow_factor: int
    weight_per_min: int
    """Weight sent to Hyperliquid in a minute from which quoting slows down; the other venues tell theirs."""


@attrs.frozen(kw_only=True)
class ReconcileRules:
    quiet_ns: int
    """Differences count only if nothing of ours moved for that long before the question."""
    strikes: int
    """Equal differences in a row before they halt."""


@attrs.frozen(kw_only=True)
class MoveRule:
    """A move of an underlying by more than `move` (a fraction in 1e-8) within the window acts for the cooldown."""

    move: int
    window_ns: int
    cooldown_ns: int


@attrs.frozen(kw_only=True)
class BreakerRules:
    """Fractions and factors in 1e-8. Every limit is one that must be exceeded."""

    widen: MoveRule
    widen_factor: int
    pause: MoveRule
    daily_loss: Cash
    drawdown_share: int
    """Drawdown as a fraction of the high-water mark that flips the kill switch, beside `limits.max_drawdown`."""
    equity_stop: int
    """Loss of a day as a fraction of its capital at which the daemon flattens and ends."""
    api_errors: int
    api_window_ns: int
    api_pause_ns: int
    venue_quiet_ns: int
    """Time without a fill after which a venue's own breaker is reset."""
    warn_share: int
    """Share of a money limit from which the status ladder says WARNING."""


@attrs.frozen(kw_only=True)
class InventoryRules:
    """Shares of `max_position` and a factor, in 1e-8; see `hlomm.engine.inventory`."""

    widen_above: int
    widen_factor: int
    pause_above: int
    reduce_above: int
    reduce_at_touch: bool
    flatten_above: int


@attrs.frozen(kw_only=True)
class HedgeRules:
    enabled: bool
    min_tau_ns: int
    """Contracts closer to their end are not hedged."""
    interval_ns: int
    """Least time between two orders of one hedge."""
    closest: Cash
    """The band is never narrower than this notional."""
    inner: int
    """How far into the band an order brings the hedge back, as a share of its width in 1e-8; 1 is its edge."""
    cost: int
    """Proportional cost of trading the hedge, in 1e-8."""
    risk_aversion: int
    """Absolute, per unit of money, in 1e-12."""
    jump_margin: int
    """What a jump may take from the hedge before it is closed, as a share of its value, in 1e-8."""


@attrs.frozen(kw_only=True)
class SetRules:
    """What the treasury does with complete sets; see `hlomm.engine.treasury`."""

    enabled: bool
    stock: Qty
    """Pairs kept in a quoted market where selling from stock is worth it."""
    least: Qty
    """Fewer contracts than this are not converted."""
    interval_ns: int
    """Between two looks."""
    drain_ns: int
    """Closer to settlement than this no stock is kept."""


_NO_REVIEWS: Final = LinkRules()


@attrs.frozen(kw_only=True)
class Abilities:
    """What a venue can do with orders and tokens."""

    can_amend: bool = True
    """Change a resting order in one step; else it is cancelled, and a new one placed when it is gone."""
    can_convert: bool = True
    """Turn complete sets into cash and cash into sets; else pairs are held to settlement."""


ALL_ABILITIES: Final = Abilities()


@attrs.frozen(kw_only=True)
class EngineConfig:
    limits: Limits
    quotes: QuoteRules
    flatten: FlattenRules
    orders: OrderRules
    budget: BudgetRules
    reconcile: ReconcileRules
    breakers: BreakerRules
    inventory: InventoryRules
    hedge: HedgeRules
    sets: SetRules
    links: LinkRules = _NO_REVIEWS
    abilities: Mapping[VenueId, Abilities] = attrs.field(factory=dict)
    """Of venues that cannot do everything."""

    def can(self, venue: VenueId) -> Abilities:
        return self.abilities.get(venue, ALL_ABILITIES)
