"""What every linked event would bring now: for people, made when somebody looks. Reading only, nothing is decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from hlomm.domain.edge_rows import EdgeReport, EdgeRow, ExecutableRow
from hlomm.domain.event import Grade
from hlomm.domain.ids import StrategyId
from hlomm.domain.inputs import Level
from hlomm.domain.links import LinkState
from hlomm.domain.markets import Leg
from hlomm.domain.outputs import HaltState
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.domain.view import Appraisal, MarketView, PairView
from hlomm.engine import income, inefficiencies, quoting
from hlomm.engine.basket import link_group
from hlomm.engine.link_book import Link, distance
from hlomm.engine.state import State
from hlomm.strategy.base import Appraiser, Strategy

EDGES_SHOWN: Final = 40
_RANK: Final = (LinkState.SUSPENDED, LinkState.REVIEWED, LinkState.PROPOSED)
_ONE: Final = Qty(SCALE)


def report(state: State, strategies: Mapping[StrategyId, Strategy]) -> EdgeReport:
    """Rows for the links that trade, may trade again, or would if somebody reviewed them; suspended ones first."""
    appraiser = next((one for one in strategies.values() if isinstance(one, Appraiser)), None)
    shown = sorted(
        (link for link in state.links.links.values() if link.tradable or link.grade is not Grade.DIFFERENT), key=_rank
    )
    events, deviations = inefficiencies.rows(state)
    return EdgeReport(
        at_ms=state.now.wall_ms, edges=tuple(_row(state, link, appraiser) for link in shown[:EDGES_SHOWN]),
        left_out=max(len(shown) - EDGES_SHOWN, 0), events=events, deviations=deviations, income=income.rows(state),
    )  # fmt: skip


def _rank(link: Link) -> tuple[int, int, tuple[int, int], tuple[str, str]]:
    ends = min(market.expiry_ns or 0 for market in link.markets)
    return _RANK.index(link.state), ends, distance(*link.terms), link.pair


def _row(state: State, link: Link, appraiser: Appraiser | None) -> EdgeRow:
    group = link_group(*link.pair)
    known, held = state.baskets.by_group.get(group), state.pairs.held(link.pair)
    why_not = "" if known is None else known.why_not
    if state.halt is not HaltState.RUNNING:
        why_not = f"{state.halt.value}: {state.halt_reason}"  # nobody is asked meanwhile
    if not link.tradable:
        why_not = f"link: {link.state.value}, {link.reason}"
    left, right = (state.markets.get(market_id) for market_id in link.pair)
    qty = _ONE if appraiser is None else appraiser.least
    if left is None or right is None:
        bare = [ExecutableRow(market=market_id) for market_id in link.pair]
        return EdgeRow(group=group, left=bare[0], right=bare[1], qty=qty, note="a leg is not listed", why_not=why_not)
    pair = PairView(
        left=quoting.view_of(state, left), right=quoting.view_of(state, right), terms=link.terms,
        max_mismatch=SCALE if link.review is None else link.review.max_mismatch, held=held,
        staked=held,  # nothing is sized here
    )  # fmt: skip
    sides = [_executable(view, qty, seen=one.book.seen) for view, one in ((pair.left, left), (pair.right, right))]
    buys, gross = _better(sides, qty)
    bare_row = EdgeRow(
        group=group, left=sides[0], right=sides[1], qty=qty, buys=buys, gross=gross, why_not=why_not, held=Qty(held)
    )
    return bare_row if appraiser is None else _appraised(bare_row, appraiser, pair)


def _appraised(row: EdgeRow, appraiser: Appraiser, pair: PairView) -> EdgeRow:
    try:
        said = appraiser.appraise(pair)
    except (ArithmeticError, ValueError) as error:  # a picture that cannot be computed must not cost the others
        said = f"appraisal: {type(error).__name__} {error}"
    if not isinstance(said, Appraisal):
        return EdgeRow(
            group=row.group, left=row.left, right=row.right, qty=row.qty, buys=row.buys, gross=row.gross, note=said,
            why_not=row.why_not, held=row.held,
        )  # fmt: skip
    return EdgeRow(
        group=row.group, left=row.left, right=row.right, qty=said.qty, buys=said.legs, gross=said.gross,
        fees=said.fees, rounding=said.rounding, bridge=said.bridge, capital=said.capital, basis=said.basis,
        legging=said.legging, leaves=said.leaves, needs=said.needs, apart=said.apart, why_not=row.why_not,
        held=row.held,
    )  # fmt: skip


def _executable(view: MarketView, qty: int, *, seen: bool) -> ExecutableRow:
    bid, ask = average(view.bids, qty), average(view.asks, qty)
    return ExecutableRow(
        market=view.market.id, bid=None if bid is None else Px(bid // qty),
        ask=None if ask is None else Px(-(-ask // qty)), age_s=view.book_age_ns / NS_PER_S if seen else None,
    )  # fmt: skip


def average(levels: Sequence[Level], qty: int) -> int | None:
    """Price times quantity of the first so many contracts, best first; None if there are not that many."""
    total, left = 0, qty
    for px, size in levels:
        part = min(size, left)
        total, left = total + px * part, left - part
        if not left:
            return total
    return None


def _better(sides: Sequence[ExecutableRow], qty: int) -> tuple[tuple[Leg, Leg] | None, Cash | None]:
    """The way round whose tokens cost less, and what they pay beyond their prices."""
    left, right = sides
    ways = [
        (sold.bid - bought.ask, legs)
        for bought, sold, legs in ((left, right, (Leg.YES, Leg.NO)), (right, left, (Leg.NO, Leg.YES)))
        if bought.ask is not None and sold.bid is not None
    ]
    if not ways:
        return None, None
    gross, legs = max(ways, key=lambda way: way[0])
    return legs, Cash(gross * qty // SCALE)
