"""Pairs across venues: sent together, completed or sold back in time, held to the end, never left on one leg."""

from __future__ import annotations

import attrs
import pytest
from msgspec.structs import replace

from hlomm.domain.ids import HYPERLIQUID, KALSHI, MarketId, VenueId
from hlomm.domain.inputs import (
    AccountState,
    Booted,
    MarketChanged,
    MarketListed,
    MarketSettled,
    OperatorAction,
    SessionDown,
    SessionUp,
    TokenBalance,
    VenuePaused,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side
from hlomm.domain.outputs import AmendOrders, HaltState, Output, Subscribe
from hlomm.domain.times import Now
from hlomm.domain.units import Cash
from hlomm.engine.carry import carried
from hlomm.engine.config import OnDisconnect
from hlomm.engine.core import Engine
from hlomm.engine.report import report
from tests.support.pairs import GROUP, HL, KS, RULES, Crosser, PairDesk, legs, rules, wanted
from tests.support.puppet import Puppet, desire
from tests.support.rig import Rig, alerts, placed
from tests.support.values import EPOCH_MS, levels, lots, perp, px, usd
from tests.support.venues import link_rules

NOTHING = ((), ())


def sent(desk: PairDesk, **how: float) -> tuple[OrderRequest, OrderRequest]:
    """(YES at Hyperliquid, NO at Kalshi)."""
    first, second = desk.want(wanted(**how))
    assert {first.market, second.market} == {HL.id, KS.id}
    return (first, second) if first.market == HL.id else (second, first)


def bought(number: float = 100) -> PairDesk:
    desk = PairDesk.open()
    for order in sent(desk, number=number):
        desk.ends(order, number)
    return desk


# -- sent


def test_a_reviewed_link_is_followed_although_nobody_quotes_its_far_leg() -> None:
    desk = PairDesk.open()
    assert Subscribe(KS.id) in desk.rig.outputs
    desk.wait(1.5)
    assert [view.left.market.id for view in desk.crosser.seen[-1:]] == [HL.id]
    assert desk.crosser.seen[-1].terms[1].averaging_s == 60


def test_both_legs_leave_in_one_turn_in_equal_numbers() -> None:
    yes, no = sent(PairDesk.open())
    assert (yes.leg, yes.side, yes.px, yes.qty) == (Leg.YES, Side.BUY, px("0.50"), lots(100))
    assert (no.leg, no.side, no.px, no.qty) == (Leg.NO, Side.BUY, px("0.45"), lots(100))
    assert yes.tif == no.tif == "Ioc"


def test_the_smaller_room_of_two_venues_decides_for_both() -> None:
    desk = PairDesk.open(rules(limits={"max_position": lots(70)}))
    yes, no = sent(desk)
    assert yes.qty == no.qty == lots(70)


def test_a_leg_that_may_not_be_sent_keeps_the_other_at_home() -> None:
    desk = PairDesk.open()
    desk.rig.tell(VenuePaused(KALSHI, desk.rig.ms + 60_000, "maintenance"))
    assert desk.want(wanted()) == []
    assert "venue_paused" in desk.known.why_not


def test_a_link_nobody_reviewed_is_not_traded() -> None:
    desk = PairDesk.open(attrs.evolve(RULES, links=link_rules()))
    assert desk.want(wanted()) == []
    assert desk.rig.state.baskets.by_group == {}


def test_a_link_whose_text_changed_is_not_traded() -> None:
    desk = PairDesk.open()
    desk.rig.tell(MarketChanged(replace(KS, rules="another text")))
    desk.books()
    assert desk.want(wanted()) == []
    assert desk.known.why_not.startswith("link: suspended")


def test_what_keeps_a_link_from_being_traded_is_shown() -> None:
    desk = PairDesk.open()
    desk.wait(1.5)
    assert report(desk.rig.state).arbitrage.why_not == {GROUP: "idle: nothing is wanted"}


def test_a_link_that_ended_is_forgotten() -> None:
    desk = PairDesk.open()
    assert GROUP in desk.rig.state.baskets.by_group
    desk.rig.tell(MarketSettled(HL.id, px(1), "price"))
    desk.books()
    assert GROUP not in desk.rig.state.baskets.by_group


def test_a_link_is_looked_at_no_more_often_than_a_market_is_quoted() -> None:
    desk = PairDesk.open()
    desk.wait(1.5)
    seen = len(desk.crosser.seen)
    for _ in range(20):
        desk.books()
    assert len(desk.crosser.seen) == seen
    desk.wait(3)
    assert seen + 2 <= len(desk.crosser.seen) <= seen + 4


# -- complete


def test_a_complete_pair_is_held_and_its_tokens_are_nobody_elses() -> None:
    desk = bought()
    assert desk.phase == "done"
    state = desk.rig.state
    assert state.withheld(HL.id, Leg.YES) == lots(100)
    assert state.withheld(KS.id, Leg.NO) == lots(100)
    assert desk.rig.puppets[1].views[-1].yes == 0, "the quoting strategy does not see them as inventory"
    assert state.pairs.held((HL.id, KS.id)) == lots(100)


def test_a_quote_cannot_sell_a_leg_of_a_pair() -> None:
    desk = bought()
    outputs = desk.rig.want(ask=("0.60", 50), fair="0.55", market=HL.id)
    (quote,) = [order for output in outputs for order in getattr(output, "orders", ())]
    assert (quote.leg, quote.side) == (Leg.NO, Side.BUY), "bought, not sold out of the pair"


@pytest.mark.parametrize(
    ("left", "right", "paid", "mismatched"),
    [("1", "1", 100, 0), ("0", "0", 100, 0), ("0", "1", 0, 1), ("1", "0", 200, 1)],
)
def test_what_a_pair_brought_is_kept_beside_what_was_expected(
    left: str, right: str, paid: int, mismatched: int
) -> None:
    desk = bought()
    desk.rig.tell(MarketSettled(HL.id, px(left), "price"))
    assert report(desk.rig.state).arbitrage.settled == 0, "one leg is not both"
    outputs = desk.rig.tell(MarketSettled(KS.id, px(right), "price"))
    shown = report(desk.rig.state).arbitrage
    (trade,) = shown.trades
    assert (trade.qty, trade.spent, trade.expected) == (lots(100), usd(95), usd(5))
    assert (trade.how, trade.realised) == ("settled", usd(paid - 95))
    assert (shown.taken, shown.settled, shown.mismatched) == (1, 1, mismatched)
    assert (shown.expected, shown.realised) == (usd(5), usd(paid - 95))
    assert bool(alerts(outputs, "pair_mismatched")) is bool(mismatched)
    assert desk.rig.state.withheld(KS.id, Leg.NO) == 0


def test_a_way_to_safety_takes_the_pairs_with_it() -> None:
    desk = bought()
    desk.rig.command(OperatorAction.KILL)
    assert desk.rig.state.halt in (HaltState.FLATTENING, HaltState.HALTED)
    (trade,) = report(desk.rig.state).arbitrage.trades
    assert trade.how == "being sold"
    assert trade.realised is None
    assert desk.rig.state.withheld(HL.id, Leg.YES) == 0


# -- one leg missed


def missed(**how: float) -> tuple[PairDesk, list[OrderRequest]]:
    """YES filled at Hyperliquid, nothing at Kalshi."""
    desk = PairDesk.open()
    yes, no = sent(desk, **how)
    desk.ends(yes, how.get("number", 100))
    return desk, desk.ends(no, 0)


def test_a_missed_leg_is_bought_after_while_that_loses_little() -> None:
    desk, (mend,) = missed()
    assert (mend.market, mend.leg, mend.side, mend.qty) == (KS.id, Leg.NO, Side.BUY, lots(100))
    assert desk.phase == "mending"
    assert desk.ends(mend, 100) == []
    assert desk.phase == "done"
    assert desk.rig.state.pairs.held((HL.id, KS.id)) == lots(100)


def test_what_cannot_be_completed_is_sold_back_in_time() -> None:
    desk, (mend,) = missed(deadline_ns=2_000_000_000)
    desk.ends(mend, 0)
    desk.books(dear=NOTHING)
    orders = desk.wait(4)
    assert desk.phase == "unwinding"
    assert {(order.market, order.leg, order.side) for order in orders} == {(HL.id, Leg.YES, Side.SELL)}
    assert desk.rig.now.mono_ns - desk.basket.began_ns < 5_000_000_000


def test_the_deadline_counts_and_not_only_the_attempts() -> None:
    patient = rules(flatten={"retry_ns": 1_000_000_000, "attempts": 100})
    desk = PairDesk.open(patient)
    yes, no = sent(desk, deadline_ns=3_000_000_000)
    desk.ends(yes, 100)
    (mend,) = desk.ends(no, 0)
    for _ in range(6):
        orders = desk.ends(mend, 0) + desk.wait(1)
        if orders and orders[-1].side is Side.SELL:
            break
        mend = orders[-1]
    assert desk.phase == "unwinding"
    assert desk.rig.now.mono_ns - desk.basket.began_ns < 6_000_000_000


def test_a_venue_that_went_away_is_not_waited_for() -> None:
    """With `pause`, the other venue's leg is sold back; with `flatten`, everything is."""
    paused = rules(flatten={"on_disconnect": {KALSHI: OnDisconnect.PAUSE}, "retry_ns": 1_000_000_000, "attempts": 3})
    desk = PairDesk.open(paused)
    yes, no = sent(desk)
    desk.ends(yes, 100)
    desk.ends(no, 0)
    for order in list(desk.rig.state.orders.live()):
        desk.ends(order, 0)
    desk.rig.tell(SessionDown(KALSHI, "no pong", rest=False))
    orders = desk.wait(3)
    assert desk.rig.state.halt is HaltState.RUNNING
    assert [(order.market, order.side) for order in orders][:1] == [(HL.id, Side.SELL)]


def test_a_lost_venue_flattens_the_leg_at_the_other() -> None:
    desk, (mend,) = missed()
    desk.ends(mend, 0)
    outputs = desk.rig.tell(SessionDown(KALSHI, "no pong", rest=False))
    assert desk.rig.state.halt is HaltState.FLATTENING
    assert desk.phase == "dropped"
    sales = [order for output in outputs for order in getattr(output, "orders", ()) if order.side is Side.SELL]
    assert [(order.market, order.leg) for order in sales] == [(HL.id, Leg.YES)]


@pytest.mark.parametrize("loss", [0.01, 60])
def test_a_leg_that_can_be_neither_completed_nor_sold_is_flattened_with_everything_else(loss: float) -> None:
    """Whether what it may still lose, 50, is more than it was allowed to or not."""
    desk, (mend,) = missed(loss=loss)
    desk.ends(mend, 0)
    desk.books(cheap=((), levels(("0.50", 300))), dear=NOTHING)
    desk.wait(20)
    assert desk.rig.state.halt in (HaltState.FLATTENING, HaltState.HALTED)
    assert "left on one leg" in desk.rig.state.halt_reason
    assert report(desk.rig.state).arbitrage.taken == 0


def test_no_quote_leaves_in_the_turn_in_which_a_pair_is_left_on_one_leg(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, orders = missed(loss=0)
    turns: list[list[Output]] = []
    honest = Engine.turn

    def turn(engine: Engine, now: Now) -> list[Output]:
        turns.append(honest(engine, now))
        return turns[-1]

    monkeypatch.setattr(Engine, "turn", turn)
    for number in range(40):
        # The book is another one, and the quote with it, in every turn.
        desk.rig.puppets[1].desired[HL.id] = desire(bid=("0.40", 50 + number), fair="0.45")
        for order in orders:
            desk.ends(order, 0)
        orders = desk.wait(0.5)
        if desk.rig.state.halt is not HaltState.RUNNING:
            break
    (halting,) = [one for one in turns if any(getattr(out, "state", None) is HaltState.FLATTENING for out in one)]
    assert any(order.purpose is Purpose.QUOTE for one in turns for order in placed(one)), "it quotes otherwise"
    assert [order for order in placed(halting) if order.purpose is Purpose.QUOTE] == []
    assert not any(isinstance(output, AmendOrders) for output in halting)


def test_a_rest_that_no_venue_takes_is_told_and_kept_and_stops_nothing() -> None:
    """Flattening everything could not sell it either."""
    desk = PairDesk.open()
    yes, no = sent(desk)
    desk.ends(yes, 100)
    orders = desk.ends(no, 98.5)  # what is over is worth less than the venue lets be sent
    told = 0
    for _ in range(30):
        for order in orders:
            desk.ends(order, 0)
        orders = legs(desk.rig.wait(0.5))
        told += len(alerts(desk.rig.outputs[-20:], "basket_abandoned"))
    assert desk.phase == "abandoned"
    assert told
    assert desk.rig.state.halt is HaltState.RUNNING
    assert desk.rig.state.pairs.held((HL.id, KS.id)) == lots(98.5)


def test_the_next_pair_waits_for_a_book_that_knows_of_the_last_one() -> None:
    desk = bought()
    desk.crosser.pair = wanted(50)
    desk.rig.state.touch(HL.id)
    assert legs(desk.rig.wait(1.2)) == []
    assert desk.known.why_not.startswith("book: from before our last leg there")
    desk.books()
    assert len(legs(desk.rig.wait(1.2))) == 2


def test_a_link_in_which_nothing_happens_is_not_looked_at_again_and_again() -> None:
    desk = PairDesk.open(rules(quotes={"min_interval_ns": 1_000_000_000, "refresh_ns": 3_600_000_000_000}))
    desk.wait(3)
    seen = len(desk.crosser.seen)
    for _ in range(8):
        desk.rig.wait(1.1)
    assert len(desk.crosser.seen) <= seen + 1


def test_a_partial_miss_keeps_what_is_complete_and_sells_the_rest() -> None:
    desk = PairDesk.open()
    yes, no = sent(desk)
    desk.ends(yes, 100)
    orders = desk.ends(no, 40)
    desk.books(dear=NOTHING)
    for _ in range(8):
        sales = [order for order in orders if order.side is Side.SELL]
        if sales:
            desk.ends(sales[-1], 60)
            break
        for order in orders:
            desk.ends(order, 0)
        orders = desk.wait(1)
    assert desk.phase == "done"
    assert desk.rig.state.pairs.held((HL.id, KS.id)) == lots(40)
    assert report(desk.rig.state).arbitrage.legging_loss > 0
    assert desk.rig.state.portfolio.of(HYPERLIQUID).cash + desk.rig.state.portfolio.of(KALSHI).cash < usd(20_000)


# -- over a restart


def resumed(desk: PairDesk) -> PairDesk:
    """Another run on the books of this one; the venues say what the books say."""
    state, venues = desk.rig.state, (HYPERLIQUID, KALSHI)
    again = PairDesk(Rig(RULES, boot=False, strategies=[Crosser(), Puppet()], venues=venues), Crosser())
    again.rig.now = desk.rig.now
    again.rig.tell(
        Booted(
            epoch_ms=EPOCH_MS + 1, profile="sim", version="0", config="{}", halted=None, carried=carried(state),
            accounts=tuple((venue, venue.upper()) for venue in venues),
        )
    )  # fmt: skip
    for market in (perp(), HL, KS):
        known = state.markets[market.id]
        if known.settled is None:
            again.rig.tell(MarketListed(market))
    again.rig.tell(*(told(desk, venue) for venue in venues), *(SessionUp(venue) for venue in venues))
    again.books()
    return again


def told(desk: PairDesk, venue: VenueId) -> AccountState:
    tokens = tuple(
        TokenBalance(market, leg, position.held(leg), Cash(0))
        for market, position in desk.rig.state.portfolio.of(venue).positions.items()
        for leg in Leg
        if position.held(leg)
    )
    return AccountState(
        venue=venue, cash=Cash(desk.rig.state.portfolio.of(venue).cash), tokens=tokens, orders=(),
        asked_mono_ns=desk.rig.now.mono_ns,
    )  # fmt: skip


def test_a_pair_is_one_for_the_next_run_as_well() -> None:
    again = resumed(bought())
    state = again.rig.state
    assert state.pairs.held((HL.id, KS.id)) == lots(100)
    assert state.withheld(HL.id, Leg.YES) == lots(100)
    again.rig.tell(MarketSettled(HL.id, px(1), "price"), MarketSettled(KS.id, px(1), "price"))
    (trade,) = report(state).arbitrage.trades
    assert (trade.how, trade.realised) == ("settled", usd(5))


def test_what_a_settled_leg_brought_is_not_forgotten() -> None:
    desk = bought()
    desk.rig.tell(MarketSettled(HL.id, px(1), "price"))
    again = resumed(desk)
    again.rig.tell(MarketSettled(KS.id, px(0), "price"))
    (trade,) = report(again.rig.state).arbitrage.trades
    assert trade.realised == usd(105)


def test_a_pair_that_was_being_made_is_flattened_by_the_next_run() -> None:
    desk = PairDesk.open()
    desk.rig.engine.checkpoint()
    yes, _ = sent(desk)
    assert desk.rig.engine.checkpoint() is not None, "on record before the legs leave"
    desk.ends(yes, 100)
    again = resumed(desk)
    assert again.rig.state.halt in (HaltState.FLATTENING, HaltState.HALTED)
    assert "was making" in again.rig.state.halt_reason


def test_nothing_is_said_of_pairs_that_were_finished() -> None:
    again = resumed(bought())
    again.rig.turn()
    assert again.rig.state.halt is HaltState.RUNNING


def test_a_pair_of_one_of_the_two_contracts_with_a_third_is_part_of_the_same_bet() -> None:
    """Two links that share a leg are lost by the same settlement of it."""
    desk = bought()
    kept, third = desk.rig.state.pairs.open[0], MarketId("polymarket:1")
    apart = MarketId("polymarket:2"), MarketId("polymarket:3")
    desk.rig.state.pairs.open += [
        attrs.evolve(kept, legs=((HL.id, Leg.YES), (third, Leg.NO)), qty=lots(30), basket=None),
        attrs.evolve(kept, legs=tuple((market, Leg.NO) for market in apart), qty=lots(7), basket=None),
    ]
    desk.wait(2)
    seen = desk.crosser.seen[-1]
    assert (seen.held, seen.staked) == (lots(100), lots(130))
