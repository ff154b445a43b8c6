"""What a quote depends on, drawn around a strategy's last decision. For people: nothing is learnt, nothing decided."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from hlomm.domain.look_rows import OddsRow, SurfaceRow
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.domain.units import SCALE, Px, Qty, to_float
from hlomm.domain.view import MarketView
from hlomm.pricing import horizon, surfaces
from hlomm.pricing.expected import Outlook, contract_of, odds_of
from hlomm.pricing.fair import Estimate
from hlomm.pricing.quoter import Quote
from hlomm.strategy.outlooks import spot_of

NO_DECISION = "no fair value has been decided on"
NO_MODEL = "no model: the underlying has no fresh price, or the outcome is as good as certain"


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What a quote was made of."""

    view: MarketView
    p: float
    outlook: Outlook | None
    tau_s: float
    """The time that moves the contract's price, see `hlomm.strategy.outlooks.moving_time_s`."""
    nu: float
    book: Estimate | None = None
    """What the book says, as of now."""


def surface(
    source: str, last: Decision | None, quote_at: Callable[[Decision, float, float], Quote], *,
    cap: Qty, max_half: float,
) -> SurfaceRow:  # fmt: skip
    """`quote_at(decision, sigma_p, q)`: the strategy's own quote."""
    if last is None:
        return SurfaceRow(source=source, note=NO_DECISION)
    view = last.view
    live = surfaces.Live(last.nu * horizon.p_vol(last.p, last.tau_s), view.net / SCALE)
    seen = _odds(last)
    return SurfaceRow(
        source=source, decided_ms=view.wall_ns // NS_PER_MS, tau_s=view.tau_ns / NS_PER_S,
        p=Px(round(last.p * SCALE)), odds=seen, note="" if seen is not None else NO_MODEL,
        band=surfaces.band(lambda sigma, q: quote_at(last, sigma, q), live, cap=to_float(cap), max_half=max_half),
    )  # fmt: skip


def _odds(last: Decision) -> OddsRow | None:
    spot, contract, outlook = spot_of(last.view), contract_of(last.view.market), last.outlook
    if spot is None or contract is None or outlook is None or outlook.estimate() is None:
        return None
    return surfaces.odds(
        lambda v, at: odds_of(contract, at, v).p_yes, surfaces.Live(outlook.v, spot), annual=outlook.sigma,
        spot_age_s=last.view.underlying_age_ns / NS_PER_S,
    )  # fmt: skip
