"""Belief against the venue's account.

Orders: ours that rest unknown to us are adopted and cancelled (an earlier run left them, or our books were wrong);
ours that we think rest but the venue does not list are asked about by name; foreign ones are counted and left alone.
Cash, tokens and perps: every venue is compared with its own books. A difference counts only when nothing of ours moved
there for a while before the question and nothing is under way there; the same difference `strikes` times in a row
halts. Nothing is overwritten in silence: an operator's `resume`, or a walk to flat that the venue keeps contradicting,
takes its figures over as an explicit adjustment.
"""

from __future__ import annotations

from hlomm.domain.ids import MarketId, is_ours, venue_of
from hlomm.domain.inputs import AccountState, RestingOrder
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderState, Purpose, Tif
from hlomm.domain.outputs import AlertLevel, HaltState
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import SCALE, to_text
from hlomm.engine import arbitrage
from hlomm.engine.order import Order
from hlomm.engine.perps import Perps
from hlomm.engine.portfolio import Portfolio
from hlomm.engine.quoting import cancel
from hlomm.engine.state import State, VenueState


def reconcile(state: State, venue: VenueState, item: AccountState) -> str | None:
    """Take one account report; the reason to halt, if there is one."""
    books, memory = state.portfolio.of(item.venue), state.memory(item.venue)
    if not books.opened:
        before = state.equity()
        books.open_with(item)
        # Venue time as well as we know it: our clock may be wrong.
        memory.last_fill_ms = memory.agreed_ms = max(memory.last_fill_ms, state.now.wall_ms + venue.skew_ms)
        found: dict[MarketId, list[int]] = {}
        for token in item.tokens:
            holding = found.setdefault(token.market, [0, 0, 0])
            holding[token.leg] += token.total
            holding[2] += token.cost
        for market_id, (yes, no, cost) in found.items():
            state.attribution.found(market_id, yes, no, cost)
        _perps_found(state, books)
        state.high_water += state.equity() - before  # what is found is no gain over what the others had
        state.books_moved = True
    elif not books.perps.known:
        books.find_perps(item)
        _perps_found(state, books)
        state.high_water = max(state.high_water, state.equity())
        state.books_moved = True
    _orders(state, venue, item)
    return _balances(state, venue, item)


def _perps_found(state: State, books: Portfolio) -> None:
    for market_id, perp in books.perps.positions.items():
        state.attribution.found(market_id, perp.qty, 0, perp.cost)


def take_over(state: State, venue: VenueState, item: AccountState, why: str) -> None:
    """Make the venue's figures ours, as an adjustment that everybody can see."""
    books, memory = state.portfolio.of(item.venue), state.memory(item.venue)
    text = ", ".join(difference(state, item))
    before = {market_id: _result2(state, market_id) for market_id in books.positions}
    perps_before = {market_id: _perp_result2(state, market_id) for market_id in books.perps.positions}
    books.adopt(item)
    state.forget_sums()
    for market_id, perp in books.perps.positions.items():
        gain2 = _perp_result2(state, market_id) - perps_before.get(market_id, 0)
        state.attribution.adjusted(market_id, perp.qty, 0, perp.cost, gain2)
    for market_id, position in books.positions.items():
        gain2 = _result2(state, market_id) - before.get(market_id, 0)
        cost = position.cost_yes + position.cost_no
        state.attribution.adjusted(market_id, position.yes, position.no, cost, gain2)
    state.high_water = state.equity()
    arbitrage.gone(state, why)
    state.books_moved = venue.reconciled = True
    # What was missing is in these figures: told by the next run's questions it would count twice.
    read_ms = state.now.wall_ms + venue.skew_ms - (state.now.mono_ns - item.asked_mono_ns) // NS_PER_MS
    memory.last_fill_ms = memory.agreed_ms = memory.known_from_ms = max(memory.last_fill_ms, read_ms)
    venue.mismatch, venue.strikes = None, 0
    state.out.alert(AlertLevel.WARNING, "adopted_balances", f"{why}: {text}")


def _result2(state: State, market_id: MarketId) -> int:
    """Realised and unrealised result of a market at its reference, in the unit of the attribution."""
    position, ref2 = state.portfolio.position(market_id), state.attribution.reference2(market_id)
    result2 = 2 * SCALE * position.realised
    if ref2 is not None:
        cost = position.cost_yes + position.cost_no
        result2 += position.yes * ref2 + position.no * (2 * SCALE - ref2) - 2 * SCALE * cost
    return result2


def _perp_result2(state: State, market_id: MarketId) -> int:
    perp, ref2 = state.portfolio.at(market_id).perps.position(market_id), state.attribution.reference2(market_id)
    return 2 * SCALE * (perp.realised - perp.cost) + perp.qty * ref2 if ref2 is not None else 2 * SCALE * perp.realised


def _orders(state: State, venue: VenueState, item: AccountState) -> None:
    listed = set()
    foreign = 0
    for resting in item.orders:
        if not is_ours(resting.client_id):
            foreign += 1
            continue
        assert resting.client_id is not None
        listed.add(resting.client_id)
        _known_or_adopted(state, resting, item.asked_mono_ns)
    if foreign and not venue.foreign_orders:
        state.out.alert(
            AlertLevel.WARNING, "foreign_orders",
            f"{foreign} orders on the account are not ours: left alone, but they share its cash",
        )  # fmt: skip
    venue.foreign_orders = foreign
    for order in list(state.orders.live()):
        if venue_of(order.market) != item.venue:
            continue
        missing = order.client_id not in listed and order.state in (OrderState.OPEN, OrderState.PENDING_CANCEL)
        if missing and order.touched_ns + state.config.reconcile.quiet_ns < item.asked_mono_ns:
            state.orders.lost(order, state.now.mono_ns)


def _known_or_adopted(state: State, resting: RestingOrder, asked_ns: int) -> None:
    assert resting.client_id is not None
    known = state.orders.get(resting.client_id)
    if known is None:
        order = state.orders.adopt(
            Order(
                client_id=resting.client_id, market=resting.market, leg=resting.leg, side=resting.side, tif=Tif.GTC,
                purpose=Purpose.QUOTE, strategy=None, px=resting.px, leaves=resting.leaves, state=OrderState.OPEN,
                venue_order_id=resting.venue_order_id, sent_ns=asked_ns, touched_ns=asked_ns,
            )
        )  # fmt: skip
        state.out.alert(
            AlertLevel.WARNING, "adopted_order", f"order {resting.client_id} of an earlier run rests: cancelling it"
        )
        cancel(state, order)
    elif known.live and not known.qty:
        cancel(state, known)  # found at the venue: where nobody quotes, nobody else tries again
    elif not known.live and known.touched_ns + state.config.reconcile.quiet_ns < asked_ns:
        state.orders.resurfaced(known, resting.leaves, state.now.mono_ns)
        state.out.alert(
            AlertLevel.CRITICAL, "resurfaced_order", f"order {resting.client_id} rests though we thought it gone"
        )


def _balances(state: State, venue: VenueState, item: AccountState) -> str | None:
    _overdue_fills(state, item)
    found = difference(state, item)
    venue.account = item
    memory = state.memory(item.venue)
    if not found:
        memory.agreed_ms = memory.last_fill_ms
        _trust(state, venue, item)
    if not found and not venue.reconciled:
        venue.reconciled = True
        state.out.alert(
            AlertLevel.INFO, "reconciled", f"the account at {item.venue} agrees with the books of the last run"
        )
    if not found or unsettled(state, item):
        if not (found and state.halt is HaltState.HALTED):  # that was found before: `resume` is not to pass it over
            venue.mismatch = None
        venue.strikes = 0
        return None
    venue.strikes = venue.strikes + 1 if venue.mismatch == found else 1
    venue.mismatch = found
    if venue.strikes < state.config.reconcile.strikes:
        state.out.query_account(item.venue)
        return None
    return f"{item.venue} account differs from our books: " + ", ".join(found)


def unsettled(state: State, item: AccountState) -> bool:
    """Whether a difference may be on its way: something of ours moved there a moment before, or since, or may yet."""
    doubtful = any(
        order.due or order.state is OrderState.UNKNOWN
        for order in state.orders.exposed()
        if venue_of(order.market) == item.venue
    )
    doubtful |= any(venue_of(market) == item.venue for market in state.conversions.pending)
    return doubtful or state.memory(item.venue).last_move_ns + state.config.reconcile.quiet_ns >= item.asked_mono_ns


def _trust(state: State, venue: VenueState, item: AccountState) -> None:
    """An account that was asked for after the doubt agrees with the books: nothing is missing."""
    if venue.doubt is None or item.asked_mono_ns < venue.doubted_ns:
        return
    venue.doubt = None
    for market_id in state.markets:
        state.touch(market_id)


def press(state: State) -> None:
    """While the books are not confirmed (an earlier run's, or after a doubt), keep asking: nothing is quoted before."""
    if state.halt is not HaltState.RUNNING:
        return
    for venue in state.venues.values():
        if not venue.up or (venue.reconciled and venue.doubt is None):
            continue
        if state.now.mono_ns >= venue.ask_again_ns:
            venue.ask_again_ns = state.now.mono_ns + max(state.config.reconcile.quiet_ns // 2, 1)
            state.out.query_account(venue.venue)
        state.timers.set_earliest("reconcile", venue.ask_again_ns)


def _overdue_fills(state: State, item: AccountState) -> None:
    """Stop waiting for fills that were announced long before the question: the account speaks for itself now."""
    patience_ns = max(state.config.orders.answer_deadline_ns, state.config.reconcile.quiet_ns)
    for order in list(state.orders.exposed()):
        if venue_of(order.market) != item.venue:
            continue
        if order.due and order.touched_ns + patience_ns < item.asked_mono_ns:
            state.out.alert(
                AlertLevel.WARNING, "missing_fill",
                f"order {order.client_id}: the venue reported {to_text(order.due)} filled, no such fill came; the "
                "account decides", order.market,
            )  # fmt: skip
            state.orders.forgive_due(order)


def difference(state: State, item: AccountState) -> tuple[str, ...]:
    """What the venue says against what we believe, in words; empty when equal."""
    found: list[str] = []
    books = state.portfolio.of(item.venue)
    if item.cash != books.cash:
        found.append(f"cash {to_text(item.cash)} not {to_text(books.cash)}")
    theirs = {(token.market, token.leg): token.total for token in item.tokens}
    for market_id, position in books.positions.items():
        for leg in (Leg.YES, Leg.NO):
            total = theirs.pop((market_id, leg), 0)
            if total != position.held(leg):
                found.append(f"{market_id} {leg.name} {to_text(total)} not {to_text(position.held(leg))}")
    found.extend(
        f"{market_id} {leg.name} {to_text(total)} not 0" for (market_id, leg), total in theirs.items() if total
    )
    found.extend(_perp_difference(books.perps, item))
    return tuple(found)


def _perp_difference(perps: Perps, item: AccountState) -> list[str]:
    found = []
    if item.perp_cash != perps.raw:
        found.append(f"perp wallet {to_text(item.perp_cash)} not {to_text(perps.raw)}")
    theirs = {balance.market: int(balance.qty) for balance in item.perps}
    for market_id in dict.fromkeys((*perps.positions, *theirs)):
        qty, ours = theirs.get(market_id, 0), perps.position(market_id).qty
        if qty != ours:
            found.append(f"{market_id} {to_text(qty)} not {to_text(ours)}")
    return found
