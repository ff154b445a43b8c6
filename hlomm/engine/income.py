"""What venues pay for quoting, estimated: beside the result, never in it, and no part of any edge.

Rebates are added up with every fill. What resting orders would earn of a pool is worked out when somebody looks, from
what rests and from the visible book, which is taken for a single competitor.
"""

from __future__ import annotations

from collections.abc import Sequence

from hlomm.domain.edge_rows import IncomeRow
from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import VenueId, venue_of
from hlomm.domain.units import Cash
from hlomm.engine.fees import curve_of
from hlomm.engine.state import State
from hlomm.pricing.income import maker_rebate, reward_share


def filled(state: State, fill: Fill, *, undone: bool = False) -> None:
    """Count what a fill as maker brings later; take it back if the fill never was."""
    market = state.markets.get(fill.market)
    if market is None or not fill.maker or fill.kind is not FillKind.TRADE:
        return
    rebate = maker_rebate(curve_of(state, market.market), fill.px, fill.qty)
    if rebate:
        venue = venue_of(fill.market)
        state.rebates[venue] = state.rebates.get(venue, 0) + (-rebate if undone else rebate)


def rows(state: State) -> tuple[IncomeRow, ...]:
    """One for every venue that pays anything, as far as anybody can tell."""
    shares: dict[VenueId, list[tuple[int, Cash]]] = {}
    for market in state.markets.values():
        terms, live = market.market.rewards, state.orders.live_in(market.market.id)
        if terms is None or not live or market.gone:
            continue
        resting = [(one.leg, one.side, one.px, one.leaves) for one in live if one.venue_order_id is not None]
        found = reward_share(resting, market.book.bids, market.book.asks, terms)
        shares.setdefault(market.market.venue, []).append(found)
    return tuple(_row(state, venue, shares.get(venue, [])) for venue in {**state.rebates, **shares})


def _row(state: State, venue: VenueId, shares: Sequence[tuple[int, Cash]]) -> IncomeRow:
    scoring = [share for share, _ in shares if share > 0]
    return IncomeRow(
        venue=venue, rebates=Cash(state.rebates.get(venue, 0)), scoring=len(scoring), quoted=len(shares),
        share=sum(scoring) // len(scoring) if scoring else 0, per_day=Cash(sum(a_day for _, a_day in shares)),
    )  # fmt: skip
