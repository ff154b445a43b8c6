"""The engine's state as people see it. Reading only: nothing here changes anything."""

from __future__ import annotations

from hlomm.domain.edge_rows import EdgeReport
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderState, Purpose
from hlomm.domain.report import (
    AccountRow,
    EngineReport,
    MarketRow,
    OrderRow,
    OwnQuote,
    Pnl,
    PositionRow,
    RiskCounts,
    SideNote,
)
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.engine import arbitrage, baskets, closed, desk, hedge, links, payoffs, stranded, treasury, tripped, tuning
from hlomm.engine.exposure import worst_loss
from hlomm.engine.gate import free_cash, gross_notional
from hlomm.engine.hedge_state import OK
from hlomm.engine.ladder import ladder
from hlomm.engine.restraint import ASK, BID
from hlomm.engine.stakes import Stakes
from hlomm.engine.state import MarketState, State

LADDER_LEVELS = 10
_NO_EDGES = EdgeReport()
_STARTING = SideNote(guard="starting", detail="no decision yet")


def report(state: State, edges: EdgeReport = _NO_EDGES, stakes: Stakes | None = None) -> EngineReport:
    """`edges` costs more than all the rest and is the caller's to make, seldom; see `hlomm.engine.edges`.

    `stakes`: what the caller keeps of this state from report to report, for it is long to make anew. Never the state's
    own: looking leaves nothing in there.
    """
    counters, portfolio = state.counters, state.portfolio
    equity = state.equity()
    rung, reasons = ladder(state)
    if stakes is None:
        stakes = Stakes(state)
    else:
        stakes.look()
    limits = state.config.limits
    linked, left_out = links.rows(state)
    return EngineReport(
        wall_ms=state.now.wall_ms, state=state.halt.value, reason=state.halt_reason, equity=Cash(equity),
        cash=Cash(portfolio.cash), drawdown=Cash(max(state.high_water - equity, 0)),
        max_drawdown=Cash(state.max_drawdown), drawdown_limit=Cash(state.drawdown_limit()),
        gross=Cash(gross_notional(state)), gross_limit=limits.max_gross_notional,
        worst=Cash(worst(state)), perp_cash=Cash(portfolio.perps.raw),
        pnl=pnl(state), volume=Cash(portfolio.volume), fills=portfolio.fills, orders_placed=counters.placed,
        amends=counters.amends, cancels=counters.cancels, open_orders=state.orders.live_count,
        settlements=portfolio.settlements, settlements_held=portfolio.settlements_held, rolls=counters.rolls,
        quoted=counters.quoted, quoted_settled=counters.quoted_settled,
        risk=RiskCounts(passed=counters.passed, resized=counters.resized, rejected=dict(counters.rejected)),
        markets=tuple(market_row(state, market) for market in state.markets.values()),
        positions=tuple(_positions(state)), orders=tuple(_orders(state)), recent_fills=tuple(state.recent_fills),
        budget={venue: (budget.used, budget.cap) for venue, budget in state.budgets.by_venue.items()},
        foreign_orders=sum(venue.foreign_orders for venue in state.venues.values()),
        anomalies={**state.orders.anomalies, **counters.venue_rejects}, invariant_breaks=counters.invariant_breaks,
        paused=tuple(dict.fromkeys((*state.paused, *state.strategy_faults))),
        ladder=rung.value, ladder_reasons=reasons, breakers=dict(counters.trips), stranded=stranded.rows(state),
        baskets=baskets.rows(state), basket_counts=dict(state.baskets.counts),
        arbitrage=arbitrage.report(state), edges=edges,
        hedges=hedge.rows(state), scenarios=tuple(stakes.rows()), worst_loss=Cash(stakes.total()),
        loss_limit=limits.max_loss_total, underlying_loss_limit=limits.max_loss_underlying,
        event_loss_limit=limits.max_loss_event, hedge_limit=limits.max_hedge_notional,
        accounts=tuple(_accounts(state)), sets=treasury.rows(state), converted=treasury.converted(state),
        links=linked, links_left_out=left_out, tuned=tuning.rows(state),
        strategies=desk.strategies(state), markouts=state.markouts.rows(),
    )  # fmt: skip


def _accounts(state: State) -> list[AccountRow]:
    rows = []
    for venue, books in state.portfolio.by_venue.items():
        known = state.venues.get(venue)
        if books.opened:
            rows.append(
                AccountRow(
                    venue=venue, cash=Cash(books.cash), cost=Cash(books.cost), realised=Cash(books.realised),
                    fees=Cash(books.fees), free=Cash(free_cash(state, venue)),
                    reconciled=known is not None and known.reconciled,
                    closed=closed.why(state, venue) or tripped.why(state, venue) or "",
                )
            )  # fmt: skip
    return rows


def worst(state: State) -> int:
    """Settlement losses per event and, for perps, what the stress move would lose, all added up without netting."""
    portfolio = state.portfolio
    tokens = sum(worst_loss(p) for m, p in portfolio.positions.items() if portfolio.settled_px(m) is None)
    return tokens + sum(payoffs.stress(state.perp_value(m)) for m, p in portfolio.perps.positions.items() if p.qty)


def pnl(state: State) -> Pnl:
    """Result at reference prices (mid, or fair where the book has one side), and where it came from."""
    portfolio = state.portfolio
    value2 = 0
    for market_id, position in portfolio.positions.items():
        if position.flat:
            continue
        ref2 = state.attribution.reference2(market_id)
        if ref2 is None:
            value2 += 2 * SCALE * (position.cost_yes + position.cost_no)
        else:
            value2 += position.yes * ref2 + position.no * (2 * SCALE - ref2)
    for market_id, perp in portfolio.perps.positions.items():
        ref2 = state.attribution.reference2(market_id)
        value2 += 2 * SCALE * perp.cost if ref2 is None else perp.qty * ref2
    unrealised = value2 // (2 * SCALE) - portfolio.cost - portfolio.perps.cost
    spread, inventory, settlement = state.attribution.parts()
    total = portfolio.realised + unrealised - portfolio.fees
    return Pnl(
        realised=Cash(portfolio.realised), unrealised=Cash(unrealised), fees=Cash(portfolio.fees), rewards=Cash(0),
        total=Cash(total), spread=Cash(spread), inventory=Cash(inventory), settlement=Cash(settlement),
        funding=Cash(portfolio.perps.funding), hedge=state.attribution.hedged()[0],
        rounding=Cash(total - (spread + inventory + settlement - portfolio.fees)),
    )  # fmt: skip


def market_row(state: State, market: MarketState) -> MarketRow:
    spec, book, desired = market.market, market.book, market.desired
    position = state.portfolio.position(spec.id)
    held = position.yes if market.is_outcome else state.portfolio.perps.position(spec.id).qty
    own_bid, own_ask = own_quotes(state, market)
    return MarketRow(
        id=spec.id, ticker=spec.ticker, kind=spec.kind,
        tau_s=None if spec.expiry_ns is None else spec.tau_ns(state.now.wall_ns) / NS_PER_S, strike=spec.strike,
        period=spec.period, tick=spec.tick,
        bids=book.bids[:LADDER_LEVELS], asks=book.asks[:LADDER_LEVELS],
        book_age_s=(state.now.mono_ns - book.received_ns) / NS_PER_S if book.seen else None, shape=book.shape.value,
        fair=desired.fair if desired is not None else market.mark_px,
        fair_source=desired.fair_source if desired is not None else "mark" if market.mark_px else "",
        own_bid=own_bid, own_ask=own_ask, yes=Qty(held),
        no=Qty(position.no), bid_note=_note(market, BID), ask_note=_note(market, ASK),
        facts=_facts(market), strategy=market.strategy or "", settled=market.settled, klass=spec.klass,
        underlying=spec.underlying, deployer=spec.deployer, question=spec.question,
        group=baskets.group_of(market) or "", quote_token=spec.quote_token,
    )  # fmt: skip


def _facts(market: MarketState) -> tuple[tuple[str, str], ...]:
    if market.desired is None:
        return ()
    return tuple((name, value if isinstance(value, str) else f"{value:.5g}") for name, value in market.desired.facts)


def _note(market: MarketState, direction: int) -> SideNote | None:
    """Why a side is quoted or not; a quote that is restrained says by what."""
    if market.strategy is None and direction not in market.notes:
        return None
    note = market.notes.get(direction, _STARTING)
    restrained = market.restraints.get(direction)
    return SideNote(guard=note.guard, detail=restrained) if restrained and note.guard == OK.guard else note


def own_quotes(state: State, market: MarketState) -> tuple[OwnQuote | None, OwnQuote | None]:
    """(bid, ask) of ours that rest or are on their way."""
    return _own(state, market, BID), _own(state, market, ASK)


def _own(state: State, market: MarketState, direction: int) -> OwnQuote | None:
    for order in state.orders.live_in(market.market.id):
        if order.direction == direction and order.purpose in (Purpose.QUOTE, Purpose.REST):
            return OwnQuote(
                px=order.yes_px, qty=Qty(order.leaves), leg=order.leg, side=order.side, state=OrderState(order.state)
            )
    return None


def _positions(state: State) -> list[PositionRow]:
    rows = []
    for market_id, position in state.portfolio.positions.items():
        market = state.markets.get(market_id)
        if position.flat and (market is None or not position.fills):
            continue
        rows.append(
            PositionRow(
                market=market_id, ticker=market.market.ticker if market else market_id, yes=position.held(Leg.YES),
                no=position.held(Leg.NO), cost=Cash(position.cost_yes + position.cost_no),
                value=Cash(state.value_of(market_id)), realised=Cash(position.realised), fees=Cash(position.fees),
                settled=state.portfolio.settled_px(market_id),
            )
        )  # fmt: skip
    for market_id, perp in state.portfolio.perps.positions.items():
        market = state.markets.get(market_id)
        rows.append(
            PositionRow(
                market=market_id, ticker=market.market.ticker if market else market_id, yes=Qty(perp.qty), no=Qty(0),
                cost=Cash(perp.cost), value=Cash(state.perp_value(market_id)), realised=Cash(perp.realised),
                fees=Cash(perp.fees),
            )
        )  # fmt: skip
    return rows


def _orders(state: State) -> list[OrderRow]:
    return [
        OrderRow(
            client_id=order.client_id, market=order.market,
            ticker=state.markets[order.market].market.ticker if order.market in state.markets else order.market,
            leg=order.leg, side=order.side, px=Px(order.px), leaves=Qty(order.leaves), filled=Qty(order.filled),
            state=order.state, purpose=order.purpose, age_s=(state.now.mono_ns - order.sent_ns) / NS_PER_S,
            strategy=order.strategy or "", reason=desk.reason(state, order),
        )
        for order in state.orders.live()
    ]  # fmt: skip
