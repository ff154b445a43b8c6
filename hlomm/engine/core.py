"""The engine: one object, four verbs, no knowledge of how the world reaches it.

`feed` takes an input, `turn` decides, `next_deadline` says when to come back without an input, `digest` tells two
runs apart. The same object runs live, in simulation, in a backtest and in a replay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hlomm.domain.carried import Carried
from hlomm.domain.faults import InvariantBroken
from hlomm.domain.ids import MarketId, VenueId, venue_of
from hlomm.domain.inputs import MARKET_NEWS, Booted, Input
from hlomm.domain.orders import OrderState
from hlomm.domain.outputs import AmendOrders, CancelOrders, ConvertSet, HaltState, Output, PlaceOrders
from hlomm.domain.times import Now
from hlomm.domain.units import SCALE
from hlomm.engine import (
    arbitrage,
    basket_course,
    basket_offers,
    baskets,
    braking,
    closed,
    converting,
    hedge,
    inefficiencies,
    links,
    quoting,
    reconcile,
    rungs,
    safety,
    stranded,
    taking,
    treasury,
    tripped,
)
from hlomm.engine.carry import checkpoint
from hlomm.engine.config import EngineConfig
from hlomm.engine.intake import take
from hlomm.engine.state import MarketState, State, VenueState
from hlomm.engine.tunables import Tuner
from hlomm.strategy.base import Strategy

_ORDERS_TIMER: Final = "orders"
_REFRESH: Final = "refresh:"

MARKETS_KEPT: Final = 64
"""Listed and finished markets remembered together; only finished ones are ever dropped."""


class Engine:
    """Deterministic: the same construction, inputs and clock readings give the same outputs and digest."""

    def __init__(
        self,
        config: EngineConfig,
        strategies: Sequence[Strategy],
        venues: Sequence[VenueId],
        tuner: Tuner | None = None,
    ) -> None:
        """Without a tuner no setting can be changed while it runs."""
        self.state = State(config, tuner)
        self.strategies = {strategy.id: strategy for strategy in strategies}
        self.state.strategies = tuple(self.strategies)
        if len(self.strategies) != len(strategies):
            raise InvariantBroken("two strategies share one id")
        for venue in venues:
            self.state.venues[venue] = VenueState(venue)
            self.state.portfolio.of(venue)

    def feed(self, item: Input, now: Now) -> None:
        """Apply one input; nothing is decided yet."""
        state = self.state
        if state.ids is None and type(item) is not Booted:
            raise InvariantBroken("the first input must be Booted")
        if state.markouts.due_ns < now.mono_ns:  # before the input moves what they are held against
            state.markouts.settle(state.attribution, now.mono_ns - 1)
        state.now = now
        state.forget_sums()
        state.counters.inputs += 1
        take(state, item, self.strategies)
        braking.heed(state, item)
        if type(item) not in MARKET_NEWS:  # which contracts there are does not hang on prices
            state.stirred = True
            links.heed(state, item)
            rungs.heed(state, item, self.strategies)
        if state.pairs.open:
            arbitrage.heed(state)

    def turn(self, now: Now) -> list[Output]:
        """Decide on everything that changed and hand out what should happen."""
        state = self.state
        state.now = now
        if state.markouts.due_ns <= now.mono_ns:
            state.markouts.settle(state.attribution, now.mono_ns)
        state.counters.turns += 1
        if state.halt is HaltState.STOPPED:
            return state.out.drain()
        if self._idle():
            state.digest.mix(now.mono_ns)
            return []
        state.stirred = False
        state.budgets.tick(now.mono_ns)
        self._timers_due()
        self._doubtful_orders()
        reconcile.press(state)
        stranded.lapse(state)
        closed.lapse(state)
        tripped.lapse(state)
        converting.lapse(state)
        state.forget_sums()
        safety.watch_equity(state)
        safety.watch_inventory(state)
        self._due()
        baskets.step(state)
        safety.watch_sale(state)
        safety.watch_pairs(state)  # before anything is quoted: what is naked now may stop everything
        self._quote()
        baskets.work(state, self.strategies)
        safety.watch_strategies(state)  # before anything else is sent: whoever could fail was asked by now
        hedge.maintain(state)
        treasury.look(state)
        safety.walk_on(state)
        inefficiencies.look(state)
        self._prune()
        outputs = state.out.drain()
        self._weigh(outputs)
        state.digest.mix(now.mono_ns, len(outputs), state.orders.live_count, state.portfolio.cash)
        return outputs

    def next_deadline(self) -> int | None:
        """Monotonic time at which `turn` must be called again even without an input."""
        return None if self.state.halt is HaltState.STOPPED else self.state.timers.next_deadline()

    def checkpoint(self) -> Carried | None:
        """What the next run needs of the books, if it changed since the last time this was asked."""
        return checkpoint(self.state)

    def digest(self) -> int:
        return self.state.digest.value

    # -- steps of a turn

    def _idle(self) -> bool:
        """Whether nothing has happened since the last turn that could change what it left: sizes moved, or nothing.

        What waits for time alone has a timer, for otherwise it would wait for ever in a quiet market.
        """
        state = self.state
        if state.stirred or state.dirty or state.halt is not HaltState.RUNNING or state.out.waiting:
            return False
        deadline_ns = state.timers.next_deadline()
        return deadline_ns is None or deadline_ns > state.now.mono_ns

    def _timers_due(self) -> None:
        for name in self.state.timers.pop_due(self.state.now.mono_ns):
            if name.startswith((_REFRESH, quoting.AGAIN, basket_course.TIMER)):
                self.state.touch(MarketId(name.partition(":")[2]))
            elif name.startswith(basket_offers.TIMER):
                baskets.due_again(self.state, name.removeprefix(basket_offers.TIMER))
            elif name.startswith(braking.TIMER):
                braking.cooled(self.state, name)

    def _due(self) -> None:
        for market_id in self.state.dirty:
            market = self.state.markets.get(market_id)
            if market is not None:
                baskets.due(self.state, market)

    def _quote(self) -> None:
        state = self.state
        if not state.dirty:
            return
        dirty, state.dirty = state.dirty, {}
        for market_id in dirty:
            market = state.markets.get(market_id)
            if market is None:
                continue
            hedge.due(state, market)
            if market.strategy is None:
                quoting.cancel_quotes(state, market_id)  # an earlier run quoted what this one does not
                continue
            quoting.decide(state, market, self.strategies)
            if market.desired is not None and market.desired.take is not None:
                taking.act(state, market, market.desired.take)
            if not market.gone or state.orders.live_in(market_id):
                state.timers.set(f"{_REFRESH}{market_id}", self._refresh_ns(market))

    def _refresh_ns(self, market: MarketState) -> int:
        """When to decide again if nothing happens: time alone moves a quote, the sooner the less of it is left.

        Not later than the moment at which its book, or that of its underlying, is too old to be quoted on.
        """
        state, rules = self.state, self.state.config.quotes
        now_ns, stale_ns = state.now.mono_ns, state.config.limits.stale_book_ns
        waits_ns = market.market.tau_ns(state.now.wall_ns) * rules.refresh_share // SCALE
        found = now_ns + max(min(waits_ns, rules.refresh_max_ns), rules.refresh_ns)
        perp = None if market.underlying is None else state.markets.get(market.underlying)
        for one in (market, perp):
            if one is not None and now_ns <= (gone_ns := one.book.received_ns + stale_ns) < found:
                found = gone_ns + 1
        return found

    def _doubtful_orders(self) -> None:
        """Ask about orders whose fate is unknown, and about answers that are overdue."""
        state, rules = self.state, self.state.config.orders
        now_ns, doubtful = state.now.mono_ns, state.orders.unanswered()
        for order in doubtful:
            quiet_ns = now_ns - order.touched_ns
            if order.state is not OrderState.UNKNOWN and quiet_ns >= rules.answer_deadline_ns:
                state.orders.lost(order, now_ns)
            due = order.asked == 0 or now_ns - order.asked_ns >= rules.query_retry_ns
            if order.state is OrderState.UNKNOWN and due:
                order.asked += 1
                order.asked_ns = order.touched_ns = now_ns
                state.out.query(venue_of(order.market), order.client_id)
        if doubtful:
            state.timers.set_earliest(_ORDERS_TIMER, now_ns + rules.query_retry_ns)

    def _weigh(self, outputs: Sequence[Output]) -> None:
        """Count what leaves: venues limit what an address sends in a minute."""
        budgets, now_ns = self.state.budgets, self.state.now.mono_ns
        for output in outputs:
            match output:
                case PlaceOrders(venue=venue, orders=batch) | AmendOrders(venue=venue, amends=batch):
                    budgets.sent(venue, len(batch), now_ns)
                case CancelOrders(venue=venue, cancels=cancels):
                    budgets.sent(venue, len(cancels), now_ns, cancels=True)
                case ConvertSet(market=market):
                    budgets.sent(venue_of(market), 1, now_ns)

    def _prune(self) -> None:
        """Forget the oldest finished markets, so that a night of short series does not fill the memory."""
        state = self.state
        if len(state.markets) <= MARKETS_KEPT or not any(m.gone for m in state.markets.values()):
            return
        busy = {order.market for order in state.orders.exposed()}
        for market_id, market in list(state.markets.items()):
            if len(state.markets) <= MARKETS_KEPT:
                return
            if market.gone and market_id not in busy and state.portfolio.position(market_id).flat:
                del state.markets[market_id]
                state.listing += 1
                state.timers.clear(f"{_REFRESH}{market_id}")
                state.portfolio.forget(market_id)
                state.attribution.forget(market_id)
                if market.strategy is not None:
                    self.strategies[market.strategy].forget(market_id)
