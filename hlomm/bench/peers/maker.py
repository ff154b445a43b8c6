"""The maker's rule as a strategy of this program, and settings under which nothing but the rule decides.

The gate judges every order and every limit is in force; they are set so wide that the rule's own cap comes first, as
neither peer has their like. `nearest` is what the compiled tier can run instead: it knows one strategy only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from hlomm.bench.peers.plan import TICKS, Maker
from hlomm.domain.ids import MarketId, StrategyId
from hlomm.domain.markets import Market, MarketKind
from hlomm.domain.units import SCALE, Px, Qty
from hlomm.domain.view import Basket, BookShape, Desired, MarketView, Wish, no_quote
from hlomm.research.fill_model import FillModel
from hlomm.research.latency import Constant, Latency
from hlomm.settings.load import Loaded, load, with_values

_TICK: Final = SCALE // TICKS
_WIDE: Final[Mapping[str, Any]] = {
    **{f"limits.max_loss_{of}": 1e6 for of in ("event", "underlying", "total")},
    "limits.max_position": 10_000.0, "limits.max_gross_notional": 1e6, "limits.max_drawdown": 1e6,
    "limits.max_resting_without_deadman": 1e6, "limits.max_notional_per_min": 1e7,
    "breakers.daily_loss": 1e6, "breakers.drawdown_share": 1.0, "breakers.equity_stop": 1.0,
    "hedge.enabled": False, "quotes.min_move": 0.5 / TICKS, "quotes.min_size_change": 0.99,
    "budget.weight_per_min": 1_000_000, "orders.reject_limit": 1000,
}  # fmt: skip


class Fixed:
    """Both sides at a fixed distance from the mid, decided on once in every slot of `requote_ns`."""

    id: Final = StrategyId("fixed")

    def __init__(self, maker: Maker) -> None:
        self._maker = maker
        self._slot = -1
        self._wanted = no_quote("book: no mid yet")

    def wants(self, market: Market) -> bool:
        return market.kind is MarketKind.OUTCOME

    def decide(self, view: MarketView) -> Desired:
        slot = view.wall_ns // self._maker.requote_ns
        if slot != self._slot and view.shape is BookShape.TWO_SIDED:
            self._slot, self._wanted = slot, self._quote(view)
        return self._wanted

    def _quote(self, view: MarketView) -> Desired:
        m, mid2 = self._maker, (view.bids[0][0] + view.asks[0][0]) // _TICK
        qty, room = Qty(m.size * SCALE), (m.cap - m.size) * SCALE
        bid = Wish(Px((mid2 // 2 - m.distance) * _TICK), qty) if view.net <= room else None
        ask = Wish(Px((-(-mid2 // 2) + m.distance) * _TICK), qty) if view.net >= -room else None
        return Desired(
            bid=bid, ask=ask, bid_reason="" if bid else "cap", ask_reason="" if ask else "cap",
            fair=Px(mid2 * _TICK // 2), fair_source="book",
        )  # fmt: skip

    def combine(self, views: Sequence[MarketView]) -> Basket | None:
        del views
        return None

    def unmatched(self, listed: Iterable[Market]) -> Mapping[str, str]:
        del listed
        return {}

    def forget(self, market: MarketId) -> None:
        del market
        self._slot, self._wanted = -1, no_quote("book: no mid yet")


def fill_model(maker: Maker) -> FillModel:
    """The back of the queue, and the maker's latency each way."""
    leg = Constant(maker.latency_ns)
    return FillModel(latency=Latency(entry=leg, response=leg))


def loaded(maker: Maker) -> Loaded:
    """Settings for the rule itself."""
    return with_values(_shipped(), {**_WIDE, "quotes.min_interval_s": maker.requote_ns / 1e9})


def nearest(maker: Maker) -> Loaded:
    """The same distance and size by `strategy.avellaneda`, without aversion.

    It quotes around its fair value, which is the book's microprice, decides with every event, and its cap is the gate.
    """
    distance = maker.distance / TICKS
    return with_values(
        loaded(maker),
        {
            "strategy.avellaneda.gamma": 0.0, "strategy.avellaneda.fill_decay": 1.0 / distance,
            "strategy.avellaneda.min_half_spread": 0.0, "strategy.avellaneda.reaction_s": 1e-6,
            "strategy.avellaneda.max_size": float(maker.size), "strategy.avellaneda.min_size": float(maker.size),
            "strategy.avellaneda.kelly_fraction": 1.0, "strategy.avellaneda.requote_share": 0.0,
            "limits.max_position": float(maker.cap),
            **{f"inventory.{name}": 1.0 for name in ("widen_above", "pause_above", "reduce_above")},
        },
    )  # fmt: skip


def _shipped() -> Loaded:
    return load("sim", environ={})
