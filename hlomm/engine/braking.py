"""What the circuit breakers are fed with, and what happens when one trips. Machines in `breakers`, rules in config.

Every trip is said once, with its numbers, what was done, and when it ends; it is counted; and it enters the digest. A
trip that only prolongs what acts already is not said again: `explain` and the ladder show the time that is left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hlomm.domain.ids import ClientId, MarketId, VenueId, venue_of
from hlomm.domain.inputs import (
    AmendFailed,
    BboUpdate,
    BookSnapshot,
    CancelFailed,
    Input,
    MarkPrice,
    OrderRejected,
    SendLost,
    SendRefused,
)
from hlomm.domain.outputs import AlertLevel
from hlomm.domain.times import NS_PER_S, utc_clock
from hlomm.domain.units import SCALE, to_fixed, to_text
from hlomm.domain.view import BookShape
from hlomm.engine.breakers import Latch, Move, MoveBreaker
from hlomm.engine.state import State

TIMER: Final = "breaker:"
_DAY: Final = "day"

TRANSPORT_CODES: Final = frozenset(
    {"RateLimitIp", "RateLimitAddress", "TooManyPosts", "ActionExpired", "NonceLow", "NonceHigh", "NonceDup"}
)
"""Refusals that say something about the way to the venue. The others are about an order and have their own limit."""


# -- inputs


def heed(state: State, item: Input) -> None:
    """Show one input to the breakers it concerns."""
    watcher = _WATCHERS.get(type(item))
    if watcher is not None:
        watcher(state, item)


def _book(state: State, item: BookSnapshot | BboUpdate) -> None:
    market = state.markets.get(item.market)
    if market is None or market.is_outcome or market.book.shape is not BookShape.TWO_SIDED:
        return
    _moved(state, item.market, "mid", market.book.bids[0][0] + market.book.asks[0][0])


def _mark(state: State, item: MarkPrice) -> None:
    if item.market in state.markets:
        _moved(state, item.market, "mark", item.px)


def _lost(state: State, item: SendLost | SendRefused) -> None:
    venue = next((order.market for order in map(state.orders.get, item.client_ids) if order is not None), None)
    if venue is not None:
        name = venue_of(venue)
        _failed(state, name, state.breakers.errors_of(name).failed(state.now.mono_ns), item.reason)


def _refused(state: State, item: OrderRejected | AmendFailed | CancelFailed) -> None:
    if item.code not in TRANSPORT_CODES:
        return
    venue = _venue_of_order(state, item.client_id)
    if venue is not None:
        recent = state.breakers.errors_of(venue).refused(item.code, state.now.mono_ns)
        _failed(state, venue, recent, item.text)


def _venue_of_order(state: State, client_id: ClientId) -> VenueId | None:
    order = state.orders.get(client_id)
    return None if order is None else venue_of(order.market)


_WATCHERS: Final[dict[type, Callable[[State, Any], None]]] = {
    BookSnapshot: _book,
    BboUpdate: _book,
    MarkPrice: _mark,
    SendLost: _lost,
    SendRefused: _lost,
    OrderRejected: _refused,
    AmendFailed: _refused,
    CancelFailed: _refused,
}


# -- trips


def _moved(state: State, perp: MarketId, series: str, price: int) -> None:
    """A price of an underlying, in whatever unit its series has."""
    if price <= 0:
        return
    widen, pause = state.breakers.moves_of(perp)
    for breaker in (widen, pause):
        move = breaker.observe(series, state.now.mono_ns, price)
        if move is None:
            continue
        why = _said(state, perp, series, move, breaker)
        if breaker is widen:
            code, doing = "price_widen", f"spreads x{to_text(state.config.breakers.widen_factor)}"
        else:
            code, doing = "price_pause", "all quotes on it cancelled, tokens kept"
        _trip(state, breaker, code, perp, breaker.rule.cooldown_ns, why, doing)


def _said(state: State, perp: MarketId, series: str, move: Move, breaker: MoveBreaker) -> str:
    rule = breaker.rule
    return (
        f"{state.markets[perp].market.underlying} {series} moved {move.percent} % within "
        f"{rule.window_ns // NS_PER_S} s > {_percent(rule.move)} %"
    )


def _failed(state: State, venue: VenueId, recent: int | None, last: str) -> None:
    if recent is None:
        return
    rules = state.config.breakers
    why = (
        f"more than {rules.api_errors} requests to {venue} failed within {rules.api_window_ns // NS_PER_S} s, "
        f"last: {last}"
    )
    breaker = state.breakers.errors_of(venue)
    _trip(state, breaker, "api_errors", venue, rules.api_pause_ns, why, "its quotes cancelled, nothing new is sent")


def _trip(state: State, latch: Latch, code: str, subject: str, cooldown_ns: int, why: str, doing: str) -> None:
    now = state.now
    fresh = not latch.active(now.mono_ns)
    latch.until_ns = now.mono_ns + cooldown_ns
    latch.why = why
    state.timers.set(f"{TIMER}{code}:{subject}", latch.until_ns)
    state.digest.mix(latch.until_ns)
    if not fresh:
        return
    count(state, code)
    state.out.alert(
        AlertLevel.WARNING, code,
        f"{why}: {doing} for {cooldown_ns // NS_PER_S} s, to {utc_clock(now.wall_ns + cooldown_ns)} UTC or longer if "
        "it goes on — ends by itself",
    )  # fmt: skip
    touch_all(state)


def count(state: State, code: str) -> None:
    """A breaker has acted."""
    state.counters.trips[code] = state.counters.trips.get(code, 0) + 1
    state.digest.mix_text(code)


def cooled(state: State, timer: str) -> None:
    """A cooldown is over: everything is decided anew in this very turn."""
    state.digest.mix_text(timer)
    touch_all(state)


def touch_all(state: State) -> None:
    for market_id in state.markets:
        state.touch(market_id)


# -- the day


def watch_day(state: State, equity: int) -> str | None:
    """Follow the day's result; the reason to flatten and end, if it is that bad. The books are open."""
    day, rules, wall_ns = state.breakers.day, state.config.breakers, state.now.wall_ns
    result = _result(state, equity)
    if day.over(wall_ns):
        _new_day(state, result)
    loss = day.start - result
    if loss > rules.daily_loss and not day.stopped:
        day.stopped = state.books_moved = True
        state.timers.set(f"{TIMER}{_DAY}", state.now.mono_ns + day.ns_left(wall_ns))
        count(state, "daily_loss")
        state.out.alert(
            AlertLevel.CRITICAL, "daily_loss",
            f"lost {to_fixed(loss, 2)} since 00:00 UTC > {to_fixed(rules.daily_loss, 2)}: quotes cancelled, only "
            "reductions until 00:00 UTC — `hlomm flatten` to be flat now",
        )  # fmt: skip
        touch_all(state)
    capital = equity + loss  # what the day began with, and what was paid in since
    if capital > 0 and loss * SCALE > rules.equity_stop * capital:
        return (
            f"equity stop: lost {to_fixed(loss, 2)} since 00:00 UTC > {_percent(rules.equity_stop)} % of "
            f"{to_fixed(capital, 2)}"
        )
    return None


def _result(state: State, equity: int) -> int:
    """Equity without all that was ever paid in or taken over by hand: an accepted difference is no trading result."""
    return equity - state.portfolio.paid_in


def _new_day(state: State, result: int) -> None:
    day = state.breakers.day
    was_stopped = day.stopped
    day.begin(state.now.wall_ns, result)
    state.books_moved = True  # the next run must not start the day anew
    state.digest.mix(day.number, day.start)
    state.timers.clear(f"{TIMER}{_DAY}")
    if was_stopped:
        touch_all(state)


def day_loss(state: State) -> int:
    """What the day has lost so far; negative for a gain, 0 before the books are open."""
    day = state.breakers.day
    return day.start - _result(state, state.equity()) if day.number >= 0 else 0


# -- words


def _percent(fraction: int) -> str:
    return to_text(fraction * 100)
