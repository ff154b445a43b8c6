"""One leg rests, the other is taken when it fills: when it stands, what pulls it, and that no fill stays unhedged."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from hlomm.domain.ids import HYPERLIQUID, KALSHI, StrategyId
from hlomm.domain.inputs import (
    Booted,
    MarketChanged,
    MarketListed,
    MarketSettled,
    OperatorAction,
    SendLost,
    SentAction,
    SessionDown,
    SessionUp,
    VenuePaused,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import HaltState
from hlomm.domain.units import SCALE
from hlomm.domain.view import PairView
from hlomm.engine.basket import BasketLegState, BasketState
from hlomm.engine.basket_moves import Move
from hlomm.engine.basket_orders import send_all
from hlomm.engine.carry import carried
from hlomm.engine.config import OnDisconnect
from hlomm.engine.report import report
from tests.support.pairs import DEAR, HL, KS, RULES, PairDesk, rules, wanted
from tests.support.puppet import Puppet
from tests.support.resting import BOTH, FAR, REST_GROUP, RestDesk, Rester, hedges, pulled, rested
from tests.support.rig import Rig, alerts, cancelled, placed
from tests.support.values import EPOCH_MS, account, levels, lots, perp, px, token, usd
from tests.support.venues import kalshi
from tests.unit.engine.test_pairs import told

NOTHING = ((), ())
PAUSE = {"flatten": {"on_disconnect": {KALSHI: OnDisconnect.PAUSE, HYPERLIQUID: OnDisconnect.PAUSE}}}


def standing(**how: Any) -> tuple[RestDesk, OrderRequest]:
    desk = RestDesk.open(how.pop("rules", RULES))
    return desk, desk.rests(rested(**how))


# -- where it stands


def test_it_rests_post_only_at_the_price_that_is_wanted() -> None:
    _, order = standing()
    assert (order.market, order.leg, order.side, order.px, order.qty) == (
        HL.id, Leg.YES, Side.BUY, px("0.50"), lots(100),
    )  # fmt: skip
    assert order.tif is Tif.ALO


def test_one_order_rests_at_a_time() -> None:
    desk, order = standing()
    desk.wait(5)
    assert [one for one in placed(desk.rig.outputs) if one.purpose is Purpose.REST] == [order]


def test_a_better_price_for_its_hedge_moves_it_and_it_is_gone_before_it_is_made_anew() -> None:
    desk, order = standing()
    desk.crosser.wish[Leg.YES] = rested(at="0.52")
    desk.rig.outputs.clear()
    desk.wait(1.5)
    assert pulled(desk.rig.outputs, order)
    assert not placed(desk.rig.outputs)
    desk.rig.closed(order, 0)
    desk.wait(1.5)
    (moved,) = placed(desk.rig.outputs)
    assert moved.px == px("0.52")


def test_what_moves_the_hedges_book_is_looked_at_at_once() -> None:
    desk, order = standing()
    desk.crosser.wish[Leg.YES] = "no_edge: 0.0010 left"
    assert pulled(desk.books(FAR, (levels(("0.50", 300)), levels(("0.57", 300)))), order)
    assert desk.known.why_not == "no_edge: 0.0010 left"


def test_its_size_is_what_both_venues_let_pass() -> None:
    _, order = standing(rules=rules(limits={"max_position": lots(70)}))
    assert order.qty == lots(70)


def test_what_could_not_be_hedged_at_once_does_not_rest() -> None:
    """Of 400 NO that may be held at the hedge's venue 370 are there: 30 could be hedged, so 30 rest."""
    desk = RestDesk.open()
    desk.rig.buy(370, "0.45", leg=Leg.NO, market=KS.id)
    assert desk.rests().qty == lots(30)


def test_the_gate_counts_it_as_filled_and_not_hedged() -> None:
    """100 at 0.50 could lose 50 if the hedge never came: under a limit of 30 only 60 may rest, whatever is to hedge."""
    desk, order = standing(rules=rules(limits={"max_loss_event": usd(30)}))
    assert order.qty == lots(60)
    state = desk.rig.state
    assert [row.exposed for row in state.orders.exposed_in(HL.id)] == [lots(60)]


def test_a_hedge_that_may_not_be_sent_keeps_it_away() -> None:
    desk = RestDesk.open()
    desk.rig.tell(VenuePaused(KALSHI, desk.rig.ms + 60_000, "maintenance"))
    desk.crosser.wish[Leg.YES] = rested()
    desk.wait(2)
    assert not placed(desk.rig.outputs)
    assert desk.known.why_not.startswith("venue_paused: kalshi takes no new orders until")


def test_a_contract_that_somebody_quotes_is_left_to_him() -> None:
    rester = Rester()
    desk = RestDesk(Rig(RULES, markets=[HL, KS], strategies=[rester, Puppet()], venues=BOTH), rester)
    desk.crosser.wish[Leg.YES] = rested()
    desk.wait(2)
    assert not placed(desk.rig.outputs)
    assert desk.known.why_not == f"owner: puppet quotes {HL.id}"


def test_what_other_pairs_want_of_the_hedge_is_not_counted_on() -> None:
    desk, _ = standing(number=60)
    desk.crosser.pair = wanted(40, no="0.40")
    desk.wait(1.5)
    desk.books()
    desk.wait(1.5)
    assert desk.crosser.asked[Leg.YES].right.bids[0] == (px("0.55"), lots(260)), "40 NO are being bought by a pair"


def test_why_it_stands_or_not_is_on_the_market() -> None:
    desk, order = standing()
    row = next(row for row in report(desk.rig.state).markets if row.id == HL.id)
    assert row.own_bid is not None
    assert row.own_bid.px == order.px
    assert row.bid_note is not None
    assert row.bid_note.guard == "ok"
    desk.crosser.wish[Leg.YES] = "mismatch: legs settle opposite ways with 0.0900 > 0.0500 of the review"
    desk.wait(1)
    shown = report(desk.rig.state)
    note = next(row for row in shown.markets if row.id == HL.id).bid_note
    assert note is not None
    assert (note.guard, note.detail[-29:]) == ("mismatch", "0.0900 > 0.0500 of the review")
    assert shown.arbitrage.why_not[REST_GROUP].startswith("mismatch: ")


# -- what pulls it, in the turn in which it is told


def test_the_hedges_venue_is_lost() -> None:
    desk, order = standing(rules=rules(**PAUSE))
    assert pulled(desk.rig.tell(SessionDown(KALSHI, "no pong", rest=False)), order)
    assert desk.known.why_not.startswith("session: kalshi is down")


def test_the_hedges_venue_is_lost_and_everything_is_flattened() -> None:
    desk, order = standing()
    assert pulled(desk.rig.tell(SessionDown(KALSHI, "no pong", rest=False)), order)
    assert desk.rig.state.halt is not HaltState.RUNNING


def test_the_hedges_venue_closes() -> None:
    desk, order = standing()
    assert pulled(desk.rig.tell(VenuePaused(KALSHI, desk.rig.ms + 60_000, "maintenance")), order)


def test_the_link_is_suspended() -> None:
    desk, order = standing()
    assert pulled(desk.rig.tell(MarketChanged(replace(KS, rules="another text"))), order)
    assert desk.known.why_not.startswith("link: suspended")


def test_the_link_has_ended() -> None:
    desk, order = standing()
    assert pulled(desk.rig.tell(MarketSettled(KS.id, px(1), "price")), order)
    desk.rig.closed(order, 0)
    desk.books()
    assert REST_GROUP not in desk.rig.state.baskets.by_group


def test_the_strategy_is_paused() -> None:
    desk, order = standing()
    assert pulled(desk.rig.command(OperatorAction.PAUSE, target="crosser"), order)


def test_the_strategy_raises() -> None:
    desk, order = standing()

    def fails(*_: object) -> str:
        raise ValueError("wrong")

    desk.crosser.cross = fails  # type: ignore[method-assign]
    desk.rig.outputs.clear()
    desk.wait(1.5)
    assert pulled(desk.rig.outputs, order)
    assert StrategyId("crosser") in desk.rig.state.strategy_faults


def test_a_strategy_that_raises_over_one_link_rests_at_none() -> None:
    other = kalshi("KXBTCD-26NOV2012-T91000.01", expiry_ns=HL.expiry_ns, strike=px("91000.01"))
    rester = Rester()
    desk = RestDesk(Rig(RULES, markets=[HL, KS, other], strategies=[rester], venues=BOTH), rester)
    desk.books(FAR, DEAR)
    desk.rests()
    orders = [order.client_id for order in placed(desk.rig.outputs) if order.purpose is Purpose.REST]
    assert len(orders) == 2, "one for each link"

    def fails(pair: PairView) -> str:
        if other.id in (pair.left.market.id, pair.right.market.id):
            raise ValueError("wrong")
        return "idle: nothing is wanted"

    desk.wait(1.5)
    rester.cross = fails  # type: ignore[method-assign]
    desk.rig.jump(1.5)
    outputs = desk.rig.book(*DEAR, market=KS.id)
    assert alerts(outputs, "strategy_fault")
    assert {one.client_id for one in cancelled(outputs)} == set(orders), "in the same turn"


def test_the_hedges_book_is_stale() -> None:
    desk, order = standing()
    found = []
    for _ in range(8):
        found += desk.rig.book(*FAR, market=HL.id) + desk.rig.wait(1)
    assert pulled(found, order)
    assert desk.known.why_not.startswith("stale_book: ")


# -- a fill


def test_a_fill_is_hedged_in_its_turn_and_the_rest_of_the_order_is_cancelled() -> None:
    desk, order = standing()
    outputs = desk.rig.filled(order, 40)
    (hedge,) = hedges(outputs)
    assert (hedge.market, hedge.leg, hedge.side, hedge.qty, hedge.tif) == (
        KS.id, Leg.NO, Side.BUY, lots(40), Tif.IOC,
    )  # fmt: skip
    assert pulled(outputs, order)
    assert desk.phase == "mending"


def finished(desk: RestDesk, order: OrderRequest, number: float) -> None:
    """So much fills, is hedged, and what rests is gone."""
    (hedge,) = hedges(desk.rig.filled(order, number))
    desk.rig.jump(0.2)
    desk.ends(hedge, number)
    desk.rig.closed(order, number)


def test_a_hedged_fill_is_a_pair_kept_to_its_settlement() -> None:
    desk, order = standing()
    finished(desk, order, 40)
    assert desk.phase == "done"
    desk.rig.tell(MarketSettled(HL.id, px(1), "price"), MarketSettled(KS.id, px(1), "price"))
    shown = report(desk.rig.state).arbitrage
    (trade,) = shown.trades
    assert (trade.maker, trade.qty, trade.expected) == (True, lots(40), usd(2))
    assert trade.realised == lots(40) - trade.spent
    assert (shown.maker.taken, shown.maker.hedges, shown.maker.delay_max_ms) == (1, 1, 200)


def test_its_tokens_are_nobody_elses_from_the_fill_on() -> None:
    desk, order = standing()
    desk.rig.filled(order, 40)
    assert desk.rig.state.withheld(HL.id, Leg.YES) == lots(40)


def test_what_the_hedge_cost_beyond_the_plan_is_counted() -> None:
    desk, order = standing()
    (hedge,) = hedges(desk.rig.filled(order, 40))
    desk.rig.filled(hedge, 40, at="0.47")
    desk.rig.closed(hedge, 40, status="filled")
    desk.rig.closed(order, 40)
    assert report(desk.rig.state).arbitrage.maker.slippage == usd("0.80")


def test_the_hedge_may_not_lose_more_than_it_may() -> None:
    desk, order = standing(loss=2)
    (hedge,) = hedges(desk.rig.filled(order, 40))
    assert (hedge.px + px("0.50") - px(1)) * 40 <= usd(2)


def test_a_fill_during_the_hedge_joins() -> None:
    desk, order = standing()
    (hedge,) = hedges(desk.rig.filled(order, 40))
    assert not hedges(desk.rig.filled(order, 25)), "while the hedge is under way nothing is added"
    (more,) = desk.ends(hedge, 40)
    assert more.qty == lots(25)
    desk.ends(more, 25)
    assert desk.phase == "mending", "the order may still fill"
    desk.rig.closed(order, 65)
    assert desk.phase == "done"
    assert desk.rig.state.pairs.held((HL.id, KS.id)) == lots(65)


def test_nothing_new_rests_while_one_is_hedged() -> None:
    desk, order = standing()
    (hedge,) = hedges(desk.rig.filled(order, 40))
    desk.rig.closed(order, 40)
    desk.rig.outputs.clear()
    desk.wait(3)
    assert [one.purpose for one in placed(desk.rig.outputs)] == []
    desk.ends(hedge, 40)
    desk.wait(1.5)
    assert [one.purpose for one in placed(desk.rig.outputs)] == [Purpose.REST]


def test_a_fill_of_an_order_that_is_gone_is_hedged_as_well() -> None:
    desk, order = standing()
    desk.crosser.wish.clear()
    desk.wait(1.5)
    desk.rig.closed(order, 0)
    (hedge,) = hedges(desk.rig.filled(order, 30))
    assert hedge.qty == lots(30)


def test_a_hedge_of_unknown_fate_is_waited_for_and_never_sent_again() -> None:
    desk, order = standing()
    (hedge,) = hedges(desk.rig.filled(order, 40))
    desk.rig.tell(SendLost((hedge.client_id,), SentAction.PLACE, "timeout"))
    desk.rig.closed(order, 40)
    assert desk.wait(4) == []
    desk.rig.answer(hedge, open_=False, status="filled", filled=40, oid="77")
    desk.rig.filled(hedge, 40, oid="77")
    assert desk.phase == "done"


def test_a_hedge_that_misses_is_tried_again_and_then_the_leg_is_sold_back() -> None:
    desk, order = standing(deadline_s=3)
    (hedge,) = hedges(desk.rig.filled(order, 40))
    desk.rig.closed(order, 40)
    desk.ends(hedge, 0)
    desk.books(FAR, NOTHING)
    orders = desk.wait(4)
    assert [(one.market, one.leg, one.side) for one in orders][-1:] == [(HL.id, Leg.YES, Side.SELL)]
    desk.ends(orders[-1], 40)
    assert (desk.phase, desk.basket.unwound) == ("done", True)
    desk.wait(3)
    assert desk.known.why_not.startswith("cooldown: ")


def test_nothing_is_sold_back_into_an_order_of_ours_that_rests() -> None:
    desk, order = standing(deadline_s=3)
    (hedge,) = hedges(desk.rig.filled(order, 40))
    desk.ends(hedge, 0)
    desk.books(FAR, NOTHING)
    assert desk.wait(5) == []
    assert desk.phase == "unwinding"
    (sale, *_) = hedges(desk.rig.closed(order, 40))
    assert (sale.side, sale.qty) == (Side.SELL, lots(40))


def test_a_leg_that_can_be_neither_hedged_nor_sold_is_flattened_with_everything_else() -> None:
    desk, order = standing(loss=0.01, deadline_s=3)
    (hedge,) = hedges(desk.rig.filled(order, 40))
    desk.rig.closed(order, 40)
    desk.ends(hedge, 0)
    desk.books(((), levels(("0.55", 300))), NOTHING)
    desk.wait(20)
    assert desk.rig.state.halt in (HaltState.FLATTENING, HaltState.HALTED)
    assert "left on one leg" in desk.rig.state.halt_reason


def test_a_lost_hedge_venue_is_not_waited_for() -> None:
    desk, order = standing(rules=rules(**PAUSE))
    (hedge,) = hedges(desk.rig.filled(order, 40))
    desk.rig.closed(order, 40)
    desk.ends(hedge, 0)
    desk.rig.tell(SessionDown(KALSHI, "no pong", rest=False))
    orders = desk.wait(3)
    assert desk.rig.state.halt is HaltState.RUNNING
    assert [(one.market, one.side) for one in orders][:1] == [(HL.id, Side.SELL)]


# -- fills below the smallest order of the hedge's venue


COARSE = replace(KS, min_qty=lots(10))


def coarse(**how: Any) -> tuple[RestDesk, OrderRequest]:
    rester = Rester()
    desk = RestDesk(Rig(RULES, markets=[HL, COARSE], strategies=[rester], venues=BOTH), rester)
    desk.books(FAR, DEAR)
    return desk, desk.rests(rested(**how))


def test_little_fills_are_gathered_until_they_can_be_hedged() -> None:
    desk, order = coarse()
    outputs = desk.rig.filled(order, 4) + desk.rig.filled(order, 3)
    assert not hedges(outputs)
    assert not cancelled(outputs), "it rests on"
    (hedge,) = hedges(desk.rig.filled(order, 5))
    assert hedge.qty == lots(12)


def test_what_does_not_come_together_in_time_rests_no_longer() -> None:
    desk, order = coarse(number=100, deadline_s=3)
    desk.rig.filled(order, 9)
    desk.rig.outputs.clear()
    desk.wait(4)
    assert pulled(desk.rig.outputs, order), "after the deadline it rests no longer"


@pytest.mark.parametrize(("number", "how"), [(30, "sold"), (9, "dust")])
def test_what_is_left_is_sold_if_that_can_be_sent_and_said_if_not(number: int, how: str) -> None:
    """9 YES at 0.42 are less than the 10 USDC that Hyperliquid takes, as a sale and as a purchase of their NO."""
    rester = Rester()
    desk = RestDesk(
        Rig(RULES, markets=[HL, replace(KS, min_qty=lots(50))], strategies=[rester], venues=BOTH), rester
    )  # fmt: skip
    desk.books(FAR, DEAR)
    order = desk.rests(rested(deadline_s=3))
    desk.rig.filled(order, number)
    desk.rig.closed(order, number)
    desk.wait(4)
    if how == "sold":
        sale = hedges(desk.rig.outputs)[-1]
        assert (sale.side, sale.qty) == (Side.SELL, lots(number))
        return
    assert desk.phase == "abandoned"
    assert desk.rig.state.halt is HaltState.RUNNING, "no walk could sell it either"
    assert "too little to be hedged or sold" in alerts(desk.rig.outputs, "basket_abandoned")[-1].text
    assert desk.rig.state.baskets.counts["dust"] == 1


def test_what_nothing_hedges_does_not_pile_up() -> None:
    desk, order = standing(loss=2)
    desk.rig.buy(9, "0.50", market=HL.id)
    desk.wait(1.5)
    assert pulled(desk.rig.outputs, order)
    assert desk.known.why_not == "left_over: 9 YES that nothing hedges cost 4.50, no more then"


# -- over a restart


def resumed(desk: PairDesk, *, filled: float = 0) -> RestDesk:
    """Another run on the books of this one; `filled`: what an order that rested has bought meanwhile."""
    state, rester = desk.rig.state, Rester()
    again = RestDesk(Rig(RULES, boot=False, strategies=[rester], venues=BOTH), rester)
    again.rig.now = desk.rig.now
    again.rig.tell(
        Booted(
            epoch_ms=EPOCH_MS + 1, profile="sim", version="0", config="{}", halted=None, carried=carried(state),
            accounts=tuple((venue, venue.upper()) for venue in BOTH),
        )
    )  # fmt: skip
    again.rig.tell(MarketListed(perp()), MarketListed(HL), MarketListed(KS))
    if filled:
        again.rig.buy(filled, "0.50", market=HL.id)
        again.rig.tell(account("9950", (token(filled, "0"),), asked_ns=again.rig.now.mono_ns), told(desk, KALSHI))
    else:
        again.rig.tell(*(told(desk, venue) for venue in BOTH))
    again.rig.tell(*(SessionUp(venue) for venue in BOTH))
    again.books(FAR, DEAR)
    return again


def test_an_order_that_may_rest_is_on_record_before_it_leaves() -> None:
    desk = RestDesk.open()
    desk.rig.engine.checkpoint()
    desk.rests()
    books = desk.rig.engine.checkpoint()
    assert books is not None
    assert [(one.market, one.leg, one.held) for one in books.rested] == [(HL.id, Leg.YES, 0)]


def test_what_filled_while_nobody_was_there_is_flattened_by_the_next_run() -> None:
    desk, _ = standing()
    again = resumed(desk, filled=40)
    assert again.rig.state.halt in (HaltState.FLATTENING, HaltState.HALTED)
    assert "40 YES" in again.rig.state.halt_reason
    assert "while nobody was there" in again.rig.state.halt_reason


def test_nothing_is_said_if_nothing_filled() -> None:
    again = resumed(standing()[0])
    again.wait(1)
    assert again.rig.state.halt is HaltState.RUNNING
    assert again.rig.state.baskets.rested == {}


def test_a_hedge_under_way_is_flattened_by_the_next_run() -> None:
    desk, order = standing()
    desk.rig.filled(order, 40)
    again = resumed(desk)
    assert again.rig.state.halt in (HaltState.FLATTENING, HaltState.HALTED)
    assert "was making" in again.rig.state.halt_reason


def test_a_makers_pair_is_one_for_the_next_run_as_well() -> None:
    desk, order = standing()
    finished(desk, order, 40)
    again = resumed(desk)
    assert again.rig.state.halt is HaltState.RUNNING
    assert [kept.maker for kept in again.rig.state.pairs.open] == [True]
    assert again.rig.state.withheld(HL.id, Leg.YES) == lots(40)


def test_what_rests_or_is_being_made_of_a_link_counts_in_its_size() -> None:
    desk = RestDesk.open()
    order = desk.rests()
    desk.wait(2)
    assert desk.crosser.asked[Leg.NO].held == order.qty, "the other way round"
    assert desk.crosser.seen[-1].held == order.qty, "what is taken at once"
    assert desk.crosser.asked[Leg.YES].held == 0, "an order is not in its own way"


@pytest.mark.parametrize("filled", [0, 40])
def test_what_fills_on_the_way_into_a_halt_that_sells_nothing_is_sold_by_whoever_resumes(filled: float) -> None:
    desk, order = standing()
    desk.rig.command(OperatorAction.CANCEL)
    if filled:
        desk.rig.filled(order, filled)
    desk.rig.closed(order, filled)
    for _ in range(10):
        desk.wait(1)
        desk.rig.tell(*(replace(told(desk, venue), asked_mono_ns=desk.rig.now.mono_ns) for venue in BOTH))
        if desk.rig.state.halt is HaltState.HALTED:
            break
    assert desk.rig.state.halt is HaltState.HALTED
    desk.rig.command(OperatorAction.RESUME)
    desk.books(FAR, DEAR)
    assert (desk.rig.state.halt is HaltState.RUNNING) is (not filled)
    assert not filled or "40 YES" in desk.rig.state.halt_reason


@pytest.mark.parametrize(("no", "meets"), [("0.52", True), ("0.50", True), ("0.48", False)])
def test_what_rests_steps_aside_for_a_leg_of_another_link(no: str, meets: bool) -> None:
    """The venue would cancel one of the two; its own link need not be due in that turn."""
    desk = RestDesk.open()
    order, state = desk.rests(), desk.rig.state
    of = BasketLegState(HL.id, Leg.NO)
    basket = BasketState(group="another", strategy=desk.crosser.id, plan=rested(), unit=SCALE, legs=(of,))
    move = Move(of=of, market=state.markets[HL.id], leg=Leg.NO, side=Side.BUY, px=px(no), qty=lots(50))
    assert send_all(state, basket, [move]) == 1
    assert bool(pulled(state.out.drain(), order)) is meets
