"""From settings to an engine. Drivers differ in what they feed it, never in how it is built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from hlomm.assembly.links import link_rules
from hlomm.assembly.numbers import scaled
from hlomm.assembly.tuning import Tuning
from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET, VenueId
from hlomm.domain.times import seconds_to_ns
from hlomm.domain.units import Cash, Px, Qty
from hlomm.engine.config import (
    Abilities,
    BreakerRules,
    BudgetRules,
    EngineConfig,
    FlattenRules,
    HedgeRules,
    InventoryRules,
    Limits,
    MoveRule,
    OnDisconnect,
    OneSided,
    OrderRules,
    QuoteRules,
    ReconcileRules,
    SetRules,
)
from hlomm.engine.core import Engine
from hlomm.pricing.quoter import QuoteModel
from hlomm.settings.schema import Breakers, EngineSettings
from hlomm.strategy.base import Strategy
from hlomm.strategy.outlooks import RealisedKind
from hlomm.strategy.registry import STRATEGIES

VENUES: tuple[VenueId, ...] = (HYPERLIQUID,)
KNOWN: Final = (HYPERLIQUID, POLYMARKET, KALSHI)
ABILITIES: Final = {
    # An order can only be cancelled and made anew; sets are made and unmade on the chain, by the operator's wallet.
    POLYMARKET: Abilities(can_amend=False, can_convert=False),
    # Buying the other side closes the position by itself, so there is nothing to merge.
    KALSHI: Abilities(can_convert=False),
}
"""What the venues cannot do; the others can do everything."""


def build_engine(
    settings: EngineSettings, venues: Sequence[VenueId] = VENUES, chosen: Sequence[Strategy] | None = None
) -> Engine:
    """`chosen` stand for the strategies of the settings, which then say nothing of them: no journal can be replayed."""
    return Engine(engine_config(settings), strategies(settings) if chosen is None else chosen, venues, Tuning(settings))


def strategies(settings: EngineSettings) -> list[Strategy]:
    """Enabled strategies in the registry's order."""
    built: list[Strategy] = []
    for name, (config_class, constructor) in STRATEGIES.items():
        section = getattr(settings.strategy, name)
        values = msgspec.structs.asdict(section)
        if values.pop("enabled"):
            if "realised" in values:
                values["realised"] = RealisedKind(values["realised"])
            if "model" in values:
                values["model"] = QuoteModel(values["model"])
            built.append(constructor(config_class(**values)))
    return built


def engine_config(settings: EngineSettings) -> EngineConfig:
    limits, quotes, flatten, orders = settings.limits, settings.quotes, settings.flatten, settings.orders
    return EngineConfig(
        limits=Limits(
            max_position=Qty(scaled(limits.max_position)),
            max_gross_notional=Cash(scaled(limits.max_gross_notional)),
            max_open_orders=limits.max_open_orders,
            max_order_notional=Cash(scaled(limits.max_order_notional)),
            max_drawdown=Cash(scaled(limits.max_drawdown)),
            stale_book_ns=seconds_to_ns(limits.stale_book_s),
            one_sided=OneSided(limits.one_sided_book),
            max_clock_skew_ms=round(limits.max_clock_skew_s * 1000),
            max_fair_deviation=Px(scaled(limits.max_fair_deviation)),
            max_resting_without_deadman=Cash(scaled(limits.max_resting_without_deadman)),
            max_loss_event=Cash(scaled(limits.max_loss_event)),
            max_loss_underlying=Cash(scaled(limits.max_loss_underlying)),
            max_loss_total=Cash(scaled(limits.max_loss_total)),
            max_hedge_notional=Cash(scaled(limits.max_hedge_notional)),
            max_sets=Cash(scaled(limits.max_sets)),
        ),
        quotes=QuoteRules(
            min_move=Px(scaled(quotes.min_move)),
            min_size_change=quotes.min_size_change,
            min_interval_ns=seconds_to_ns(quotes.min_interval_s),
            refresh_ns=seconds_to_ns(quotes.refresh_s),
            refresh_share=scaled(quotes.refresh_share),
            refresh_max_ns=seconds_to_ns(quotes.refresh_max_s),
            drain_ns=seconds_to_ns(quotes.drain_s),
        ),
        flatten=FlattenRules(
            max_slippage=Px(scaled(flatten.max_slippage)),
            max_slippage_perp=scaled(flatten.max_slippage_perp),
            hold_to_expiry_ns=seconds_to_ns(flatten.hold_to_expiry_s),
            deadline_ns=seconds_to_ns(flatten.deadline_s),
            retry_ns=seconds_to_ns(flatten.retry_s),
            attempts=flatten.attempts,
            on_disconnect={
                venue: OnDisconnect(flatten.on_disconnect_of.get(venue, flatten.on_disconnect))  # type: ignore[call-overload]
                for venue in KNOWN
            },
            on_kill=flatten.on_kill == "flatten",
        ),
        orders=OrderRules(
            answer_deadline_ns=seconds_to_ns(orders.answer_deadline_s),
            query_retry_ns=seconds_to_ns(orders.query_retry_s),
            settle_doubt_ns=seconds_to_ns(orders.settle_doubt_s),
            reject_window_ns=seconds_to_ns(orders.reject_window_s),
            reject_limit=orders.reject_limit,
            reject_pause_ns=seconds_to_ns(orders.reject_pause_s),
        ),
        budget=BudgetRules(
            reserve=settings.budget.reserve,
            slow_below=settings.budget.slow_below,
            slow_runway_ns=seconds_to_ns(settings.budget.slow_runway_h * 3600),
            slow_factor=settings.budget.slow_factor,
            weight_per_min=settings.budget.weight_per_min,
        ),
        reconcile=ReconcileRules(
            quiet_ns=seconds_to_ns(settings.reconcile.quiet_s), strikes=settings.reconcile.strikes
        ),
        breakers=_breakers(settings.breakers),
        inventory=InventoryRules(
            widen_above=scaled(settings.inventory.widen_above),
            widen_factor=scaled(settings.inventory.widen_factor),
            pause_above=scaled(settings.inventory.pause_above),
            reduce_above=scaled(settings.inventory.reduce_above),
            reduce_at_touch=settings.inventory.reduce_at_touch,
            flatten_above=scaled(settings.inventory.flatten_above),
        ),
        hedge=HedgeRules(
            enabled=settings.hedge.enabled,
            min_tau_ns=seconds_to_ns(settings.hedge.min_tau_s),
            interval_ns=seconds_to_ns(settings.hedge.interval_s),
            closest=Cash(scaled(settings.hedge.closest)),
            inner=scaled(settings.hedge.inner),
            cost=scaled(settings.hedge.cost),
            risk_aversion=round(settings.hedge.risk_aversion * 1e12),
            jump_margin=scaled(settings.hedge.jump_margin),
        ),
        sets=SetRules(
            enabled=settings.sets.enabled,
            stock=Qty(scaled(settings.sets.stock)),
            least=Qty(scaled(settings.sets.least)),
            interval_ns=seconds_to_ns(settings.sets.interval_s),
            drain_ns=seconds_to_ns(settings.sets.drain_s),
        ),
        abilities=ABILITIES,
        links=link_rules(settings.events),
    )


def _breakers(section: Breakers) -> BreakerRules:
    return BreakerRules(
        widen=_move(section.widen_move, section.widen_window_s, section.widen_s),
        widen_factor=scaled(section.widen_factor),
        pause=_move(section.pause_move, section.pause_window_s, section.pause_s),
        daily_loss=Cash(scaled(section.daily_loss)),
        drawdown_share=scaled(section.drawdown_share),
        equity_stop=scaled(section.equity_stop),
        api_errors=section.api_errors,
        api_window_ns=seconds_to_ns(section.api_window_s),
        api_pause_ns=seconds_to_ns(section.api_pause_s),
        venue_quiet_ns=seconds_to_ns(section.venue_quiet_s),
        warn_share=scaled(section.warn_share),
    )


def _move(move: float, window_s: float, cooldown_s: float) -> MoveRule:
    return MoveRule(move=scaled(move), window_ns=seconds_to_ns(window_s), cooldown_ns=seconds_to_ns(cooldown_s))
