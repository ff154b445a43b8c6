"""Whether compiled code did what the engine does: every decision, every fill, every point of the path, to the unit.

Compared are orders, amends, cancels and conversions (when, which, at what price, for how many), fills as they are
heard of with the cash after them, the result at every sample, and the totals that an outcome is made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any, Final

from hlomm.domain.fills import FillKind
from hlomm.domain.ids import ClientId
from hlomm.domain.inputs import FillReceived, Input
from hlomm.domain.outputs import AmendOrders, CancelOrders, ConvertSet, Output, PlaceOrders
from hlomm.domain.times import NS_PER_S, Now
from hlomm.domain.units import to_text
from hlomm.engine.core import Engine
from hlomm.research.backtest import backtest
from hlomm.research.backtest_result import BacktestResult
from hlomm.research.kernel.layout import AMEND, CANCEL, FILLED, MERGE, PLACE
from hlomm.research.recording import Recording
from hlomm.settings.load import Loaded

Row = tuple[int, ...]
"""As `layout.LOGGED` says."""
_KINDS: Final = {CANCEL: "cancel", MERGE: "merge", AMEND: "amend", PLACE: "place", FILLED: "fill"}


class Decisions:
    """An onlooker that writes down what the engine does, in the words of compiled code. Orders go by number."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._numbers: dict[ClientId, int] = {}

    def fed(self, engine: Engine, item: Input, now: Now) -> None:
        if isinstance(item, FillReceived) and item.fill.kind is FillKind.TRADE and item.fill.client_id is not None:
            fill = item.fill
            number = self._numbers[item.fill.client_id]
            self._note(engine, now, FILLED, number, fill.leg, fill.side, fill.px, fill.qty, fill.fee)

    def turned(self, engine: Engine, outputs: Sequence[Output], now: Now) -> None:
        for output in outputs:
            match output:
                case CancelOrders(cancels=cancels):
                    for one in cancels:
                        self._note(engine, now, CANCEL, self._numbers[one.client_id], one.leg, 0, 0, 0, 0)
                case ConvertSet(qty=qty):
                    self._note(engine, now, MERGE, 0, 0, 0, 0, qty, 0)
                case AmendOrders(amends=amends):
                    for to in amends:
                        self._note(engine, now, AMEND, self._numbers[to.client_id], to.leg, to.side, to.px, to.qty, 0)
                case PlaceOrders(orders=orders):
                    for new in orders:
                        number = self._numbers[new.client_id] = len(self._numbers) + 1
                        self._note(engine, now, PLACE, number, new.leg, new.side, new.px, new.qty, 0)

    def _note(
        self, engine: Engine, now: Now, kind: int, number: int, leg: int, side: int, px: int, qty: int, fee: int
    ) -> None:
        cash = engine.state.portfolio.cash
        self.rows.append((now.wall_ns, kind, number, int(leg), int(side), int(px), int(qty), int(fee), cash))


def difference(recording: Recording, loaded: Loaded, state: Any, results: Any, log: Any) -> str | None:
    """The first thing in which a compiled run differs from the engine's; None where nothing does."""
    decisions = Decisions()
    engine = backtest(recording, loaded, onlooker=decisions)
    ours = [tuple(int(number) for number in row) for row in log]
    for place, (mine, its) in enumerate(zip_longest(ours, decisions.rows)):
        if mine != its:
            return f"decision {place + 1}: the kernel has {_said(mine)}, the engine {_said(its)}"
    return _totals(state, results, engine)


def _totals(state: Any, results: Any, engine: BacktestResult) -> str | None:
    for place, (mine, sample) in enumerate(zip_longest(map(int, results), engine.samples)):
        if sample is None or mine != sample.pnl:
            return f"sample {place + 1}: the kernel's result is {mine}, the engine's {sample}"
    final = engine.final
    for name, mine, its in (
        ("result", int(results[-1]), final.pnl.total), ("fees", int(state.fees), final.pnl.fees),
        ("volume", int(state.volume), final.volume), ("fills", int(state.fills), final.fills),
        ("orders placed", int(state.placed), final.orders_placed), ("amends", int(state.amends), final.amends),
        ("largest drawdown", int(state.max_drawdown), final.max_drawdown),
    ):  # fmt: skip
        if mine != its:
            return f"{name}: the kernel has {mine}, the engine {its}"
    return None


def _said(row: Row | None) -> str:
    if row is None:
        return "none"
    at_ns, kind, number, leg, side, px, qty, fee, cash = row
    at = datetime.fromtimestamp(at_ns // NS_PER_S, UTC)
    return (
        f"{at:%H:%M:%S}.{at_ns % NS_PER_S:09} {_KINDS.get(kind, kind)} of order {number} (leg {leg}, side {side}, "
        f"{to_text(qty)} @ {to_text(px)}, fee {to_text(fee)}, cash {to_text(cash)})"
    )
