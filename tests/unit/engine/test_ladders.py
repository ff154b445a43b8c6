"""Two strikes of one settlement: found by their terms, sent together, mended or sold back, held until they settle."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from msgspec.structs import replace

from hlomm.cli import views
from hlomm.domain.basket_rows import ArbitrageKind
from hlomm.domain.ids import HYPERLIQUID, KALSHI, outcome_market
from hlomm.domain.inputs import (
    AccountState,
    Booted,
    MarketChanged,
    MarketDelisted,
    MarketListed,
    MarketSettled,
    OperatorAction,
    SessionUp,
    TokenBalance,
)
from hlomm.domain.markets import Leg, Market
from hlomm.domain.orders import OrderRequest, OrderState, Side
from hlomm.domain.outputs import HaltState, Subscribe
from hlomm.domain.report import Snapshot
from hlomm.domain.units import Cash
from hlomm.engine import rung_book
from hlomm.engine.carry import carried
from hlomm.engine.report import report
from hlomm.engine.rung_book import RungBook
from tests.support.ladders import GROUP, HIGH, LOW, RULES, Climber, LadderDesk, rung, wanted
from tests.support.pairs import EXPIRY_NS, Crosser
from tests.support.pairs import rules as pair_rules
from tests.support.puppet import Puppet
from tests.support.rig import Rig, alerts, amended, cancelled
from tests.support.values import EPOCH_MS, levels, lots, perp, px, usd
from tests.support.venues import hyperliquid, link_rules, polymarket, rule

NOTHING = ((), ())


# -- which strikes are side by side


def paired(*markets: Market, rules: Any = None) -> set[tuple[str, str]]:
    book = RungBook(link_rules() if rules is None else rules)
    for market in markets:
        book.told(market)
    return set(book.pairs)


def ladder(count: int) -> list[Market]:
    return [rung(91_000 + 250 * place) for place in range(count)]


def test_each_strike_is_paired_with_the_next_two_above_it() -> None:
    one, two, three, four = (market.id for market in ladder(4))
    found = paired(*reversed(ladder(4)))
    assert found == {(one, two), (one, three), (two, three), (two, four), (three, four)}


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "binance_1m"}, {"expiry_ns": EXPIRY_NS + 1}, {"averaging_s": 59}, {"void": "another"},
        {"rules": "another text"}, {"klass": "KXBTC"}, {"comparator": ">="}, {"underlying": "ETH"},
        {"quote_token": "USDC"}, {"deployer": "0xabc"}, {"period": "1d"}, {"averaging_from_ns": 1}, {"strike": None},
        {"question": 3},
    ],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_a_term_that_differs_is_no_ladder(changes: dict[str, Any]) -> None:
    other = replace(HIGH, **changes)
    assert paired(LOW, HIGH) == {(LOW.id, HIGH.id)}
    assert paired(LOW, other) == set()


def test_a_bucket_and_a_contract_that_pays_below_are_in_no_ladder() -> None:
    bucket = replace(HIGH, strike=None, floor=px(91_250), ceiling=px(91_500))
    below = replace(HIGH, strike=None, ceiling=px(91_250))
    assert paired(LOW, bucket) == paired(LOW, below) == set()


def test_a_text_that_changes_parts_a_pair_until_both_say_the_same() -> None:
    book = RungBook(link_rules())
    book.told(LOW)
    (rungs,) = book.told(HIGH)
    assert book.told(replace(HIGH, rules="another")) == []
    assert rungs.ended
    assert book.pairs_of(LOW.id) == ()
    (again,) = book.told(replace(LOW, rules="another"))
    assert again.refused is None


def test_those_a_settled_strike_stood_between_stay_neighbours() -> None:
    markets = ladder(5)
    book = RungBook(link_rules())
    for market in markets:
        book.told(market)
    assert (markets[0].id, markets[3].id) not in book.pairs
    book.left(markets[1].id)
    assert (markets[0].id, markets[3].id) in book.pairs
    assert not book.pairs_of(markets[1].id)


def test_pairs_are_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rung_book, "MAX_PAIRS", 3)
    book = RungBook(link_rules())
    for market in ladder(4):
        book.told(market)
    assert len(book.pairs) == 3
    assert book.overflow == 2


HL_LOW = hyperliquid(expiry_ns=EXPIRY_NS, strike=px(90_000))


def test_across_venues_a_reviewed_rule_must_cover_all_but_the_strike() -> None:
    assert paired(HL_LOW, HIGH) == set()
    assert paired(HL_LOW, HIGH, rules=link_rules(rule())) == {(HL_LOW.id, HIGH.id)}
    assert paired(HL_LOW, replace(HIGH, underlying="ETH"), rules=link_rules(rule())) == set()
    assert paired(HL_LOW, replace(HIGH, expiry_ns=EXPIRY_NS + 1), rules=link_rules(rule())) == set()
    narrow = rule(accept=("comparator", "strike", "averaging", "source", "quote_token"))
    assert paired(HL_LOW, HIGH, rules=link_rules(narrow)) == set(), "the void rule differs"
    foreign = polymarket(expiry_ns=EXPIRY_NS, strike=px(92_000))
    assert paired(HL_LOW, foreign, rules=link_rules(rule())) == set(), "a rule of other venues"


def test_across_venues_only_the_first_strike_above_counts_and_a_link_is_no_ladder() -> None:
    link = hyperliquid(expiry_ns=EXPIRY_NS, strike=px(91_000))
    found = paired(link, LOW, HIGH, rung(91_500), rules=link_rules(rule()))
    assert (link.id, HIGH.id) in found
    assert not {(link.id, LOW.id), (LOW.id, link.id), (link.id, rung(91_500).id)} & found


def test_across_venues_a_text_that_changed_is_not_the_one_that_was_reviewed() -> None:
    book = RungBook(link_rules(rule()))
    book.told(HL_LOW)
    (rungs,) = book.told(HIGH)
    assert rungs.max_mismatch == rule().max_mismatch
    book.told(replace(HIGH, rules="another"))
    assert rungs.ended
    assert book.pairs == {}


def test_without_a_strategy_for_them_nothing_is_kept() -> None:
    rig = Rig(RULES, markets=[LOW, HIGH], strategies=[Crosser(), Puppet()], venues=(HYPERLIQUID, KALSHI))
    assert rig.state.rungs.pairs == {}


# -- sent


def sent(desk: LadderDesk, **how: float) -> tuple[OrderRequest, OrderRequest]:
    """(YES of the lower strike, NO of the higher one)."""
    first, second = desk.want(wanted(**how))
    assert {first.market, second.market} == {LOW.id, HIGH.id}
    return (first, second) if first.market == LOW.id else (second, first)


def bought(number: float = 100) -> LadderDesk:
    desk = LadderDesk.open()
    for order in sent(desk, number=number):
        desk.ends(order, number)
    return desk


def test_books_of_strikes_that_nobody_quotes_are_followed() -> None:
    desk = LadderDesk.open()
    assert {Subscribe(LOW.id), Subscribe(HIGH.id)} <= set(desk.rig.outputs)
    desk.wait(1.5)
    seen = desk.climber.seen[-1]
    assert (seen.left.market.id, seen.right.market.id, seen.kind) == (LOW.id, HIGH.id, ArbitrageKind.LADDER)
    assert seen.max_mismatch == 0


def test_both_legs_leave_in_one_turn_in_equal_numbers() -> None:
    yes, no = sent(LadderDesk.open())
    assert (yes.leg, yes.side, yes.px, yes.qty) == (Leg.YES, Side.BUY, px("0.50"), lots(100))
    assert (no.leg, no.side, no.px, no.qty) == (Leg.NO, Side.BUY, px("0.45"), lots(100))
    assert yes.tif == no.tif == "Ioc"


def test_what_keeps_a_pair_from_being_traded_is_shown() -> None:
    desk = LadderDesk.open()
    desk.wait(1.5)
    assert report(desk.rig.state).arbitrage.why_not == {GROUP: "idle: nothing is wanted"}
    desk.books(cheap=(levels(("0.52", 300)), levels(("0.50", 300))))
    desk.wait(1.5)
    assert desk.known.why_not.startswith("crossed_book: ")


def test_explain_names_the_pairs_of_a_contract_and_why_they_do_not_trade() -> None:
    desk = LadderDesk.open()
    desk.wait(1.5)
    seen = Snapshot(
        profile="sim", version="0", pid=1, uptime_s=1.0, armed=Cash(0), engine=report(desk.rig.state), venues=(),
        alerts=(),
    )  # fmt: skip
    (row,), text = views.explain(seen, LOW.id)
    assert row["groups"] == {GROUP: "idle: nothing is wanted"}
    assert f"{GROUP}: idle: nothing is wanted" in text


def test_a_pair_whose_strike_is_gone_is_forgotten() -> None:
    desk = LadderDesk.open()
    desk.wait(1)
    assert GROUP in desk.rig.state.baskets.by_group
    desk.rig.tell(MarketDelisted(HIGH.id, "gone"))
    desk.books()
    assert desk.rig.state.rungs.pairs == {}
    assert GROUP not in desk.rig.state.baskets.by_group
    assert desk.want(wanted()) == []


def test_strikes_on_other_terms_are_not_traded() -> None:
    desk = LadderDesk.open()
    desk.rig.tell(MarketChanged(replace(HIGH, rules="another text")))
    assert desk.want(wanted()) == []


def test_our_own_quote_steps_aside_for_a_leg() -> None:
    """The venue would cancel the order that meets it, and leave the other leg naked."""
    desk = LadderDesk.open(quoter="KXBTCD")
    desk.rig.want(ask=("0.50", 50), bid=("0.40", 50), fair="0.45", market=LOW.id)
    ask, bid = sorted(desk.rig.state.orders.live_in(LOW.id), key=lambda order: order.direction)
    for order in (ask, bid):
        desk.rig.opened(order)
    desk.wait(1.5)
    desk.climber.pair = wanted()
    desk.rig.state.touch(LOW.id)
    outputs = desk.rig.wait(1)
    assert [one.client_id for one in cancelled(outputs)][:1] == [ask.client_id]
    assert ask.state is OrderState.PENDING_CANCEL
    assert bid.state is OrderState.OPEN, "what is not in the way stays"


def test_so_does_one_that_is_on_its_way_there() -> None:
    desk = LadderDesk.open(quoter="KXBTCD")
    desk.rig.want(ask=("0.70", 50), fair="0.45", market=LOW.id)
    (ask,) = desk.rig.state.orders.live_in(LOW.id)
    desk.rig.opened(ask)
    desk.wait(1.5)
    assert ask.state is OrderState.OPEN
    moved = amended(desk.rig.want(ask=("0.50", 50), fair="0.45", market=LOW.id))
    assert len(moved) == 1, "it may be at either price"
    desk.climber.pair = wanted()
    desk.rig.state.touch(LOW.id)
    assert [one.client_id for one in cancelled(desk.rig.wait(1))] == [ask.client_id]


# -- complete


@pytest.mark.parametrize(
    ("low", "high", "paid", "bonus", "mismatched"),
    [("1", "1", 100, 0, 0), ("0", "0", 100, 0, 0), ("1", "0", 200, 1, 0), ("0", "1", 0, 0, 1)],
)
def test_it_pays_one_or_two_and_what_it_brought_is_kept(
    low: str, high: str, paid: int, bonus: int, mismatched: int
) -> None:
    desk = bought()
    assert desk.phase == "done"
    assert desk.rig.state.withheld(LOW.id, Leg.YES) == desk.rig.state.withheld(HIGH.id, Leg.NO) == lots(100)
    desk.rig.tell(MarketSettled(LOW.id, px(low), "price"))
    outputs = desk.rig.tell(MarketSettled(HIGH.id, px(high), "price"))
    shown = report(desk.rig.state).arbitrage
    (trade,) = shown.trades
    assert (trade.kind, trade.qty, trade.spent, trade.expected) == (ArbitrageKind.LADDER, lots(100), usd(95), usd(5))
    assert (trade.how, trade.realised) == ("settled", usd(paid - 95))
    row = shown.kinds[ArbitrageKind.LADDER]
    assert (row.taken, row.settled, row.bonus, row.mismatched) == (1, 1, bonus, mismatched)
    assert (row.expected, row.realised) == (usd(5), usd(paid - 95))
    assert shown.mismatched == mismatched
    assert bool(alerts(outputs, "pair_mismatched")) is bool(mismatched)
    assert shown.kinds[ArbitrageKind.CROSS].taken == 0
    assert desk.rig.state.withheld(LOW.id, Leg.YES) == 0


def test_it_cannot_lose_more_than_it_cost_less_one_whatever_settles() -> None:
    """The scenario limits know that both legs turn on one number: the pair is no risk of 95."""
    desk = bought()
    (worst,) = {row.loss for row in report(desk.rig.state).scenarios if row.at == LOW.strike}
    assert worst == usd(-5)
    assert report(desk.rig.state).worst_loss <= 0


def test_a_way_to_safety_takes_the_pairs_with_it() -> None:
    desk = bought()
    desk.rig.command(OperatorAction.KILL)
    (trade,) = report(desk.rig.state).arbitrage.trades
    assert trade.how == "being sold"
    assert desk.rig.state.withheld(LOW.id, Leg.YES) == 0


# -- one leg missed


def missed(**how: float) -> tuple[LadderDesk, list[OrderRequest]]:
    desk = LadderDesk.open()
    yes, no = sent(desk, **how)
    desk.ends(yes, how.get("number", 100))
    return desk, desk.ends(no, 0)


def test_a_missed_leg_is_bought_after_while_that_loses_little() -> None:
    desk, (mend,) = missed()
    assert (mend.market, mend.leg, mend.side, mend.qty) == (HIGH.id, Leg.NO, Side.BUY, lots(100))
    desk.ends(mend, 100)
    assert desk.phase == "done"
    assert desk.rig.state.pairs.held((LOW.id, HIGH.id)) == lots(100)


def test_the_deadline_counts_and_not_only_the_attempts() -> None:
    desk = LadderDesk.open(pair_rules(flatten={"retry_ns": 1_000_000_000, "attempts": 100}))
    yes, no = sent(desk, deadline_ns=3_000_000_000, loss=8)
    desk.ends(yes, 100)
    (mend,) = desk.ends(no, 0)
    for _ in range(6):
        orders = desk.ends(mend, 0) + desk.wait(1)
        if orders and orders[-1].side is Side.SELL:
            break
        mend = orders[-1]
    assert desk.phase == "unwinding"
    assert desk.rig.now.mono_ns - desk.basket.began_ns < 6_000_000_000


def test_what_cannot_be_completed_is_sold_back() -> None:
    desk, (mend,) = missed(deadline_ns=2_000_000_000, loss=8)
    desk.ends(mend, 0)
    desk.books(dear=NOTHING)
    orders = desk.wait(4)
    assert desk.phase == "unwinding"
    assert {(order.market, order.leg, order.side) for order in orders} == {(LOW.id, Leg.YES, Side.SELL)}
    assert desk.rig.now.mono_ns - desk.basket.began_ns < 5_000_000_000


def test_a_leg_that_can_be_neither_completed_nor_sold_is_flattened_with_everything_else() -> None:
    desk, (mend,) = missed(loss=0.01)
    desk.ends(mend, 0)
    desk.books(cheap=((), levels(("0.50", 300))), dear=NOTHING)
    desk.wait(20)
    assert desk.rig.state.halt in (HaltState.FLATTENING, HaltState.HALTED)
    assert "left on one leg" in desk.rig.state.halt_reason


# -- over a restart


def resumed(desk: LadderDesk) -> LadderDesk:
    state, venues = desk.rig.state, (HYPERLIQUID, KALSHI)
    climber = Climber()
    again = LadderDesk(
        Rig(RULES, boot=False, strategies=[climber, Puppet()], venues=venues), climber=climber,
        crosser=climber,  # type: ignore[arg-type]
    )  # fmt: skip
    again.rig.now = desk.rig.now
    again.rig.tell(
        Booted(
            epoch_ms=EPOCH_MS + 1, profile="sim", version="0", config="{}", halted=None, carried=carried(state),
            accounts=tuple((venue, venue.upper()) for venue in venues),
        )
    )  # fmt: skip
    for market in (perp(), LOW, HIGH):
        if state.markets[market.id].settled is None:
            again.rig.tell(MarketListed(market))
    for venue in venues:
        tokens = tuple(
            TokenBalance(market, leg, position.held(leg), Cash(0))
            for market, position in state.portfolio.of(venue).positions.items()
            for leg in Leg
            if position.held(leg)
        )
        cash, asked_ns = Cash(state.portfolio.of(venue).cash), desk.rig.now.mono_ns
        again.rig.tell(AccountState(venue=venue, cash=cash, tokens=tokens, orders=(), asked_mono_ns=asked_ns))
    again.rig.tell(*(SessionUp(venue) for venue in venues))
    again.books()
    return again


def test_a_pair_of_strikes_is_one_for_the_next_run_as_well() -> None:
    desk = bought()
    desk.rig.tell(MarketSettled(LOW.id, px(1), "price"))
    again = resumed(desk)
    state = again.rig.state
    assert state.pairs.held((LOW.id, HIGH.id)) == state.withheld(HIGH.id, Leg.NO) == lots(100)
    outputs = again.rig.tell(MarketSettled(HIGH.id, px(0), "price"))
    shown = report(state).arbitrage
    (trade,) = shown.trades
    assert (trade.kind, trade.realised) == (ArbitrageKind.LADDER, usd(105))
    assert (shown.kinds[ArbitrageKind.LADDER].bonus, shown.mismatched) == (1, 0)
    assert not alerts(outputs, "pair_mismatched"), "a ladder may pay 2, in this run as in the last"


def test_a_pair_that_was_being_made_is_flattened_by_the_next_run() -> None:
    desk = LadderDesk.open()
    desk.rig.engine.checkpoint()
    yes, _ = sent(desk)
    assert desk.rig.engine.checkpoint() is not None, "on record before the legs leave"
    desk.ends(yes, 100)
    again = resumed(desk)
    assert again.rig.state.halt in (HaltState.FLATTENING, HaltState.HALTED)
    assert "was making" in again.rig.state.halt_reason


def test_a_question_has_no_ladder() -> None:
    """Its fallback may pay instead of any price."""
    tops = [replace(hyperliquid(number), question=7, id=outcome_market(HYPERLIQUID, number)) for number in (20, 21)]
    assert paired(tops[0], replace(tops[1], strike=px(92_000))) == set()


def test_the_smaller_room_decides_for_both_legs() -> None:
    desk = LadderDesk.open(attrs.evolve(RULES, limits=attrs.evolve(RULES.limits, max_position=lots(70))))
    yes, no = sent(desk)
    assert yes.qty == no.qty == lots(70)
