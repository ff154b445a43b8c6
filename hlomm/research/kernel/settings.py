"""Settings of one set as the record that compiled code reads; what it does not model is refused here, by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from hlomm.assembly.engine import engine_config
from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.markets import Comparator, Market
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, to_float
from hlomm.engine.config import EngineConfig, OneSided
from hlomm.pricing import glft, premium
from hlomm.pricing.avellaneda import liquidity_half
from hlomm.pricing.queues import QueueModel
from hlomm.research.backtest import SETTLE_DELAY_NS, START_CASH, settled_by_marks
from hlomm.research.fee_schedule import Schedule
from hlomm.research.fill_model import FillModel
from hlomm.research.kernel.formulas import MODELS
from hlomm.research.kernel.layout import SETTINGS, records
from hlomm.research.latency import Constant
from hlomm.research.recording import Recording
from hlomm.research.tape import Lines
from hlomm.settings.load import Loaded

_STRATEGY: Final = (
    "model", "gamma", "fill_rate", "fill_decay", "lot", "holding_s", "min_half_spread", "max_half_spread",
    "pull_ratio", "reaction_s", "vol_annual", "vol_prior_s", "vol_halflife_s", "nu_prior_s", "nu_halflife_s",
    "follow_s", "sample_s", "basis_bps", "vol_error", "kelly_fraction", "max_size", "min_size", "size_decimals",
    "max_underlying_age_s", "stretch", "requote_share",
)  # fmt: skip
_LIMITS: Final = (
    "max_loss_event", "max_loss_underlying", "max_loss_total", "max_position", "max_gross_notional",
    "max_order_notional", "max_open_orders", "stale_book_s", "one_sided_book", "max_fair_deviation",
    "max_resting_without_deadman",
)  # fmt: skip
_QUOTES: Final = (
    "min_move", "min_size_change", "min_interval_s", "refresh_s", "refresh_share", "refresh_max_s", "drain_s",
)  # fmt: skip
_INVENTORY: Final = ("widen_above", "widen_factor", "pause_above", "reduce_above", "reduce_at_touch")
KEYS: Final = frozenset(
    f"{section}.{name}"
    for section, names in (
        ("strategy.avellaneda", _STRATEGY), ("limits", _LIMITS), ("quotes", _QUOTES), ("inventory", _INVENTORY),
    )
    for name in names
)  # fmt: skip
"""What may differ between the sets of one sweep. Everything else is the same for all and goes into the tape."""
LARGEST: Final = 100_000 * SCALE
"""Contracts: beyond, products would not fit."""
DEAREST: Final = 10_000_000 * SCALE
_ONE_SIDED: Final = {OneSided.REFUSE: 0, OneSided.REDUCE_ONLY: 1, OneSided.ALLOW: 2}


def refuse_market(market: Market, model: FillModel) -> None:
    """UsageError for a contract, or a way of filling, that is not modelled."""
    missing = {
        "a contract without a strike (a bucket)": market.strike is None or market.ceiling is not None,
        "a settlement averaged over a window": bool(market.averaging_s),
        "a contract of a question": market.question is not None,
        "fees along a curve": market.fee is not None,
        "a price grid of several steps": bool(market.ticks),
        "a queue model other than back": model.queue is not QueueModel.BACK,
        "drawn latencies": not all(
            isinstance(leg, Constant) for leg in (model.latency.feed, model.latency.entry, model.latency.response)
        ),
        "a strike at or below 0": (market.strike or 0) <= 0,
        "a contract without an end": market.expiry_ns is None,
    }
    _refuse(market.ticker, missing)


def _refuse(of: str, missing: dict[str, bool]) -> None:
    found = [what for what, is_so in missing.items() if is_so]
    if found:
        raise UsageError(f"{of}: the kernel tier does not model {', '.join(found)} — use --tier queue")


def record(of_recording: Mapping[str, float], loaded: Loaded) -> Any:
    """One record of `layout.SETTINGS`. UsageError for settings that are not modelled."""
    config = engine_config(loaded.settings)
    _refuse_settings(loaded, config)
    values = {**of_recording, **_of_engine(config), **_of_strategy(loaded.settings.strategy.avellaneda)}
    names = SETTINGS.names or ()
    assert values.keys() == set(names)
    made = records(1, SETTINGS)
    made[0] = tuple(values[name] for name in names)
    return made[0]


def _refuse_settings(loaded: Loaded, config: EngineConfig) -> None:
    c, strategy = loaded.settings.strategy.avellaneda, loaded.settings.strategy
    others = [
        name for name in strategy.__struct_fields__ if name != "avellaneda" and getattr(strategy, name).enabled
    ]  # fmt: skip
    limits, rules = config.limits, config.orders
    sized = max(limits.max_position, round(c.max_size * max(c.stretch, 1.0) * SCALE))
    owed = (
        limits.max_loss_event, limits.max_loss_underlying, limits.max_loss_total, limits.max_gross_notional,
        limits.max_order_notional, limits.max_resting_without_deadman,
    )  # fmt: skip
    positive = (c.fill_rate, c.fill_decay, c.lot, c.max_half_spread)
    missing = {
        "strategy.avellaneda switched off": not c.enabled,
        f"other strategies ({', '.join(others)})": bool(others),
        "strategy.avellaneda.min_liquidity": c.min_liquidity > 0.0,
        'strategy.avellaneda.realised = "two_scale"': c.realised != "ewma",
        "sets.stock": config.sets.stock > 0,
        "a venue that cannot amend": not config.can(HYPERLIQUID).can_amend,
        f"sizes beyond {LARGEST // SCALE} contracts": sized > LARGEST,
        f"limits beyond {DEAREST // SCALE} USDC": max(owed) > DEAREST,
        "numbers outside the domain of the quote": not (
            0.0 <= c.gamma <= 1e12 and all(1e-12 <= one <= 1e12 for one in positive) and c.holding_s > 0.0
        ),
        "orders.answer_deadline_s below 2 s": rules.answer_deadline_ns < 2 * NS_PER_S,
        "a sets.interval_s that orders.settle_doubt_s is no multiple of": config.sets.enabled
        and rules.settle_doubt_ns % max(config.sets.interval_ns, 1) != 0,
    }
    _refuse("these settings", missing)


def of_recording(recording: Recording, lines: Lines, fees: Schedule, model: FillModel) -> dict[str, float]:
    """The part of `layout.SETTINGS` that is the same for all sets over a recording."""
    market = recording.outcome
    assert market.expiry_ns is not None
    assert market.strike is not None
    settles = -1
    if recording.settled is not None:
        settles = recording.settled
    elif recording.marks:
        settles = settled_by_marks(recording.marks, market)[0]
    return {
        "start_ns": lines.feed[0].at_ns, "end_ns": max(market.expiry_ns, lines.feed[-1].at_ns) + SETTLE_DELAY_NS,
        "expiry_ns": market.expiry_ns, "settles": settles, "above": market.comparator is Comparator.ABOVE,
        "tick": market.tick, "lot": market.lot, "min_notional": market.min_notional, "min_qty": market.min_qty,
        "close_maker": fees.rates.close_maker, "open_maker": fees.rates.open_maker, "settle_fee": fees.rates.settle,
        "cash": START_CASH, "entry_ns": model.latency.entry.at(0), "response_ns": model.latency.response.at(0),
        "strike": to_float(market.strike),
    }  # fmt: skip


def _of_engine(config: EngineConfig) -> dict[str, float]:
    limits, quotes, orders, rules = config.limits, config.quotes, config.orders, config.inventory

    def part(share: int) -> int:
        """The largest position that is not beyond a share of the limit."""
        return share * limits.max_position // SCALE

    return {
        "max_position": limits.max_position, "max_order_notional": limits.max_order_notional,
        "max_loss": min(limits.max_loss_event, limits.max_loss_underlying, limits.max_loss_total),
        "max_gross": limits.max_gross_notional, "max_open_orders": limits.max_open_orders,
        "stale_ns": limits.stale_book_ns, "one_sided": _ONE_SIDED[limits.one_sided],
        "max_fair_deviation": limits.max_fair_deviation, "max_resting": limits.max_resting_without_deadman,
        "max_drawdown": limits.max_drawdown, "drawdown_share": config.breakers.drawdown_share / SCALE,
        "daily_loss": config.breakers.daily_loss, "equity_stop": config.breakers.equity_stop / SCALE,
        "flatten_from": part(rules.flatten_above), "widen_from": part(rules.widen_above),
        "pause_from": part(rules.pause_above), "reduce_from": part(rules.reduce_above),
        "widen_factor": rules.widen_factor, "reduce_at_touch": rules.reduce_at_touch,
        "min_move": quotes.min_move, "min_size_change": quotes.min_size_change,
        "min_interval_ns": quotes.min_interval_ns, "refresh_ns": quotes.refresh_ns,
        "refresh_share": quotes.refresh_share, "refresh_max_ns": quotes.refresh_max_ns, "drain_ns": quotes.drain_ns,
        "query_retry_ns": orders.query_retry_ns, "answer_ns": orders.answer_deadline_ns,
        "reject_window_ns": orders.reject_window_ns, "reject_limit": orders.reject_limit,
        "reject_pause_ns": orders.reject_pause_ns, "sets": config.sets.enabled,
        "treasury_ns": config.sets.interval_ns, "sets_least": config.sets.least, "hedges": config.hedge.enabled,
        "hedge_tau_ns": config.hedge.min_tau_ns,
        "weight_per_min": config.budget.weight_per_min,
    }  # fmt: skip


def _of_strategy(c: Any) -> dict[str, float]:
    """`c`: the section strategy.avellaneda."""
    return {
        "model": MODELS[c.model], "gamma": c.gamma, "liquidity": liquidity_half(c.gamma * c.lot, c.fill_decay),
        "glft_slope": glft.coefficients(c.gamma, c.fill_rate, c.fill_decay, c.lot, c.gamma)[1], "lot_size": c.lot,
        "holding_s": c.holding_s, "max_half": c.max_half_spread, "min_half": c.min_half_spread,
        "pull_ratio": c.pull_ratio, "root_reaction": math.sqrt(c.reaction_s), "kelly_fraction": c.kelly_fraction,
        "max_size": c.max_size, "min_size": c.min_size, "size_scale": 10.0**c.size_decimals, "stretch": c.stretch,
        "requote_share": c.requote_share, "max_underlying_age_ns": c.max_underlying_age_s * NS_PER_S,
        "vol_annual": c.vol_annual, "vol_rate": c.vol_annual**2 / 31_536_000.0, "vol_prior_s": c.vol_prior_s,
        "m_var": c.vol_error * c.vol_error + premium.COLD_SD * premium.COLD_SD,
        "vol_halflife_s": c.vol_halflife_s, "sample_s": c.sample_s, "nu_prior_s": c.nu_prior_s,
        "nu_halflife_s": c.nu_halflife_s, "follows": bool(c.follow_s), "follow_s": c.follow_s,
        "noise": c.basis_bps * 1e-4, "vol_error": c.vol_error, "relax_s": 2 * 3600.0, "apart_s": 60.0,
        "size_floor": c.size_floor, "max_spread": c.max_microprice_spread,
    }  # fmt: skip
