"""What the daemon tells its guardian twice a second: that it lives, that its engine turns, and what it holds."""

from __future__ import annotations

from itertools import islice
from typing import Final

from hlomm.assembly.numbers import scaled
from hlomm.daemon.pump import Pump
from hlomm.domain.markets import Leg
from hlomm.domain.outputs import HaltState
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Px, Qty
from hlomm.engine.flatten_pairs import elsewhere
from hlomm.link.guardian import MAX_NAMED, Beat, Half, Holding, Policy
from hlomm.settings.schema import Settings

MAX_HOLDINGS: Final = 64


class Beats:
    """Makes beats. The trio loop that sends them is one witness; the engine's own deadline is the other.

    A pump whose timers died leaves a loop that beats happily over an engine that decides nothing: it shows in
    `overdue_ms`, which grows while a deadline of the engine is past and no turn has taken it away. Timers that have
    ended, with the trading or by a crash, are no such riddle: the sweep has begun, and `frozen` says so.
    """

    def __init__(self, pump: Pump, settings: Settings) -> None:
        self._pump = pump
        self._settings = settings
        self._seq = 0

    def next(self) -> Beat:
        state = self._pump.engine.state
        self._seq += 1
        return Beat(
            seq=self._seq, turns=state.counters.turns, overdue_ms=overdue_ms(self._pump),
            frozen=self._pump.fault is not None or self._pump.untimed, halt=state.halt.value,
            reason=state.halt_reason[:200],
            policy=policy(self._settings, stopping=state.halt is HaltState.STOPPING, silent=state.journal_failed),
            open_count=state.orders.live_count,
            open_ids=tuple(order.client_id for order in islice(state.orders.live(), MAX_NAMED)),
            holdings=tuple(islice(self._holdings(), MAX_HOLDINGS)),
        )  # fmt: skip

    def _holdings(self) -> list[Holding]:
        state = self._pump.engine.state
        parts = elsewhere(state)
        return [
            Holding(
                market=market_id, yes=position.held(Leg.YES), no=position.held(Leg.NO),
                expiry_ns=None if (known := state.markets.get(market_id)) is None else known.market.expiry_ns,
                halves=tuple(
                    Half(leg=leg, venue=venue, qty=Qty(qty))
                    for leg in Leg
                    for venue, qty in sorted(parts.get((market_id, leg), {}).items())
                    if qty
                ),
            )
            for market_id, position in state.portfolio.positions.items()
            if position.yes or position.no
        ]  # fmt: skip


def overdue_ms(pump: Pump) -> int:
    """Host milliseconds by which the engine is late."""
    deadline_ns = pump.engine.next_deadline()
    if deadline_ns is None:
        return 0
    late_s = (pump.clock.now().mono_ns - deadline_ns) / NS_PER_S
    return max(round(pump.clock.host_seconds(late_s) * 1000), 0)


def policy(settings: Settings, *, stopping: bool = False, silent: bool = False) -> Policy:
    """What is to become of tokens should the daemon die now.

    In the middle of a stop the wish of that stop counts; while nothing can be put on record, nothing is sold.
    """
    sell = settings.guardian.on_silence == "flatten" and not (stopping and settings.flatten.on_stop == "keep")
    return Policy(
        sell=sell and not silent, slippage=Px(scaled(settings.flatten.max_slippage)),
        hold_to_expiry_s=settings.flatten.hold_to_expiry_s,
    )  # fmt: skip
