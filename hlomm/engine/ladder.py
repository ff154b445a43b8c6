"""The status ladder: how bad it is in one word, with every reason.

NORMAL    it quotes as it likes
WARNING   it quotes, restrained: something is near a limit, widened, or left out
CRITICAL  it does not quote all it should: a breaker has stopped a side, a market or a venue, or it is not sure of its
          books
HALT      it does not quote and will not by itself

Reading only. One function per source; the rung is the worst among the reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final

from hlomm.domain.outputs import HaltState
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, to_fixed, to_text
from hlomm.engine import braking, closed, inventory, stranded, tripped
from hlomm.engine.gate import gross_notional
from hlomm.engine.inventory import Stage
from hlomm.engine.state import State


class Rung(StrEnum):
    NORMAL = "normal"
    WARNING = "warning"
    CRITICAL = "critical"
    HALT = "halt"


_HEIGHT: Final = {rung: height for height, rung in enumerate(Rung)}
Reason = tuple[Rung, str]


def ladder(state: State) -> tuple[Rung, tuple[str, ...]]:
    """The rung and its reasons, the worst first."""
    found = [reason for source in _SOURCES for reason in source(state)]
    found.sort(key=lambda reason: -_HEIGHT[reason[0]])  # stable: within a rung in the order of the sources
    rung = found[0][0] if found else Rung.NORMAL
    return rung, tuple(dict.fromkeys(text for _, text in found))


def _halt(state: State) -> Iterator[Reason]:
    if state.halt is HaltState.STARTING:
        yield Rung.WARNING, "starting"
    elif state.halt is not HaltState.RUNNING:
        yield Rung.HALT, f"{state.halt.value}: {state.halt_reason}"


def _day(state: State) -> Iterator[Reason]:
    limit = state.config.breakers.daily_loss
    loss = braking.day_loss(state)
    if state.breakers.day.stopped:
        yield Rung.CRITICAL, f"daily loss beyond {to_fixed(limit, 2)}: only reductions until 00:00 UTC"
    elif _near(state, loss, limit):
        yield Rung.WARNING, f"lost {to_fixed(loss, 2)} of {to_fixed(limit, 2)} today"


def _money(state: State) -> Iterator[Reason]:
    drawdown, limit = state.high_water - state.equity(), state.drawdown_limit()
    if state.opened and _near(state, drawdown, limit):
        yield Rung.WARNING, f"drawdown {to_fixed(drawdown, 2)} of {to_fixed(limit, 2)}"
    gross, most = gross_notional(state), state.config.limits.max_gross_notional
    if _near(state, gross, most):
        yield Rung.WARNING, f"gross {to_fixed(gross, 2)} of {to_fixed(most, 2)}"


def _moves(state: State) -> Iterator[Reason]:
    now_ns = state.now.mono_ns
    for breaker in state.breakers.pause.values():
        if breaker.active(now_ns):
            yield Rung.CRITICAL, f"quotes pulled: {breaker.why}, {breaker.left_s(now_ns):.0f} s left"
    factor = to_text(state.config.breakers.widen_factor)
    for breaker in state.breakers.widen.values():
        if breaker.active(now_ns):
            yield Rung.WARNING, f"spreads x{factor}: {breaker.why}, {breaker.left_s(now_ns):.0f} s left"


def _venues(state: State) -> Iterator[Reason]:
    now_ns, most_ms = state.now.mono_ns, state.config.limits.max_clock_skew_ms
    for venue in state.venues.values():
        name = venue.venue
        if venue.ever_up and not venue.up:
            yield Rung.CRITICAL, f"{name} session is down"
        errors = state.breakers.errors.get(name)
        if errors is not None and errors.active(now_ns):
            yield Rung.CRITICAL, f"{name} paused: {errors.why}, {errors.left_s(now_ns):.0f} s left"
        if abs(venue.skew_ms) > most_ms:
            yield Rung.CRITICAL, f"clock of {name} differs by {venue.skew_ms} ms > {most_ms} ms"
        if (shut := closed.why(state, name)) is not None:
            yield Rung.WARNING, shut
        if (cut := tripped.why(state, name)) is not None:
            yield Rung.CRITICAL, cut
        if venue.doubt is not None:
            yield Rung.WARNING, f"{name}: {venue.doubt}, the account is being read"
        if venue.mismatch:
            yield Rung.CRITICAL, f"{name} account differs from our books: {', '.join(venue.mismatch)}"
        if state.budgets.exhausted(name):
            yield Rung.CRITICAL, f"{name} action budget: {state.budgets.left(name)} left, kept for cancels"
        elif (crowded := state.budgets.crowded(name)) is not None:
            yield Rung.WARNING, f"{name}: {crowded}, quoting slowly"
        elif state.budgets.pace(name) > 1:
            yield Rung.WARNING, f"{name} action budget: {state.budgets.left(name)} left, quoting slowly"
        if venue.foreign_orders:
            yield Rung.WARNING, f"{venue.foreign_orders} orders on {name} are not ours"
        left, cap = stranded.stranded(state, name), state.config.limits.max_resting_without_deadman
        if not stranded.armed(state, venue) and _near(state, left, cap):
            yield Rung.WARNING, f"{to_fixed(left, 2)} of {to_fixed(cap, 2)} would be stranded, no dead-man on {name}"


def _strategies(state: State) -> Iterator[Reason]:
    if state.unguarded is not None and state.halt is HaltState.RUNNING:
        yield Rung.CRITICAL, state.unguarded
    if state.opened and not state.reconciled:
        yield Rung.CRITICAL, "the account is being compared with the books of the last run"
    for strategy, what in state.strategy_faults.items():
        yield Rung.CRITICAL, f"{strategy} failed: {what}"
    for strategy, said in state.paused.items():
        yield Rung.WARNING, f"{strategy}: {said or 'paused'}"


_INVENTORY: Final = {
    Stage.WIDEN: (Rung.WARNING, "loaded side widened"),
    Stage.PAUSE: (Rung.WARNING, "loaded side not quoted"),
    Stage.REDUCE: (Rung.CRITICAL, "only reducing"),
}


def _markets(state: State) -> Iterator[Reason]:
    now_ns = state.now.mono_ns
    for market in state.markets.values():
        stage = inventory.stage_of(state, market)
        if stage is not Stage.CALM:
            rung, done = _INVENTORY[stage]
            yield rung, f"{market.market.ticker} {inventory.numbers(state, market)}: {done}"
        if now_ns < market.resting_until_ns and not market.gone:
            left_s = (market.resting_until_ns - now_ns) / NS_PER_S
            yield Rung.WARNING, f"{market.market.ticker} rests {left_s:.0f} s: the venue refused too often"


_SOURCES: Final[tuple[Callable[[State], Iterator[Reason]], ...]] = (
    _halt, _day, _moves, _venues, _strategies, _markets, _money,
)  # fmt: skip


def _near(state: State, value: int, limit: int) -> bool:
    """Beyond the share of a limit from which a warning is due."""
    return value * SCALE > state.config.breakers.warn_share * limit
