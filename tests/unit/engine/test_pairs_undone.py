"""Pairs that come undone: a fill that never settles, tokens that are gone, a run that is killed in the middle."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from hlomm.domain.carried import Carried
from hlomm.domain.fills import Fill
from hlomm.domain.ids import HYPERLIQUID, KALSHI
from hlomm.domain.inputs import (
    AccountState,
    Booted,
    FillReceived,
    FillVoided,
    Level,
    MarketListed,
    MarketSettled,
    OperatorAction,
    SessionDown,
    SessionUp,
    StopRequested,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.outputs import HaltState
from hlomm.domain.units import Cash
from hlomm.engine.carry import carried
from hlomm.engine.report import report
from tests.support.pairs import DEAR, HL, KS, RULES, Crosser, PairDesk, legs
from tests.support.puppet import Puppet
from tests.support.rig import Rig, alerts, placed
from tests.support.values import EPOCH_MS, lots, perp, px, usd
from tests.unit.engine.test_pairs import NOTHING, bought, sent, told

Book = tuple[tuple[Level, ...], tuple[Level, ...]]


def test_a_pair_of_which_a_fill_was_undone_is_kept_once() -> None:
    desk = PairDesk.open()
    yes, no = sent(desk)
    desk.ends(yes, 100)
    fill = replace(desk.rig.fill_of(no, 60), pending=True)
    desk.rig.tell(FillReceived(fill))
    desk.ends(no, 40)
    assert desk.rig.state.pairs.held((HL.id, KS.id)) == lots(100)
    orders = legs(desk.rig.tell(FillVoided(fill, "never mined")))
    assert desk.phase == "unwinding"
    assert desk.rig.state.withheld(HL.id, Leg.YES) == lots(40), "what is complete is nobody else's meanwhile"
    (sale,) = orders
    assert (sale.leg, sale.side, sale.qty) == (Leg.YES, Side.SELL, lots(60))
    desk.ends(sale, 60)
    assert desk.phase == "done"
    assert desk.rig.state.pairs.held((HL.id, KS.id)) == lots(40)
    assert desk.rig.state.withheld(HL.id, Leg.YES) == lots(40)
    desk.rig.tell(MarketSettled(HL.id, px(1), "price"), MarketSettled(KS.id, px(1), "price"))
    shown = report(desk.rig.state).arbitrage
    assert (shown.taken, shown.settled) == (1, 1)
    assert abs(shown.realised - shown.legging_loss - desk.rig.state.portfolio.realised) <= 1


def undoable(desk: PairDesk) -> Fill:
    """A pair of 100, of whose NO 60 may still come to nothing."""
    yes, no = sent(desk)
    desk.ends(yes, 100)
    fill = replace(desk.rig.fill_of(no, 60), pending=True)
    desk.rig.tell(FillReceived(fill))
    desk.ends(no, 40)
    return fill


def test_a_pair_that_was_not_the_last_of_its_link_is_not_left_on_one_leg() -> None:
    desk = PairDesk.open()
    fill = undoable(desk)
    for order in sent(desk):
        desk.ends(order, 100)
    assert desk.rig.state.pairs.held((HL.id, KS.id)) == lots(200)
    desk.rig.tell(FillVoided(fill, "never mined"))
    assert desk.rig.state.halt is HaltState.FLATTENING
    assert "left on one leg" in desk.rig.state.halt_reason


def test_what_a_sale_left_of_a_pair_is_reopened_by_a_fill_that_is_undone() -> None:
    desk = PairDesk.open()
    fill = undoable(desk)
    for order in placed(desk.rig.command(OperatorAction.KILL)):
        desk.rig.filled(order, 30)
        desk.rig.closed(order, 30, status="canceled")
    desk.books(dear=NOTHING)
    settle_down(desk)
    assert desk.rig.state.pairs.held((HL.id, KS.id)) == lots(70)
    desk.books()
    desk.rig.command(OperatorAction.RESUME)
    (sale,) = legs(desk.rig.tell(FillVoided(fill, "never mined")))
    assert (sale.market, sale.leg, sale.side, sale.qty) == (HL.id, Leg.YES, Side.SELL, lots(60))
    desk.ends(sale, 60)
    assert desk.phase == "done"
    assert (desk.rig.net(HL.id), desk.rig.net(KS.id)) == (lots(10), -lots(10))
    (left,) = desk.rig.state.pairs.open
    assert left.qty == lots(10)
    assert left.spent == usd("9.5"), "what is left costs what it cost"


def test_a_pair_beside_which_a_rest_was_left_is_not_left_on_one_leg() -> None:
    """Its basket was given up with a rest that no venue takes, and sees to nothing any more."""
    desk = PairDesk.open()
    yes, no = sent(desk)
    desk.ends(yes, 100)
    fill = replace(desk.rig.fill_of(no, 98.5), pending=True)
    desk.rig.tell(FillReceived(fill))
    orders = legs(desk.rig.closed(no, 98.5))
    for _ in range(30):
        for order in orders:
            desk.ends(order, 0)
        orders = legs(desk.rig.wait(0.5))
    assert desk.phase == "abandoned"
    assert desk.rig.state.pairs.held((HL.id, KS.id)) == lots(98.5)
    desk.rig.tell(FillVoided(fill, "never mined"))
    assert desk.rig.state.halt is HaltState.FLATTENING
    assert desk.rig.state.pairs.open == []


def test_what_is_undone_after_the_other_leg_was_paid_leaves_nothing_naked() -> None:
    desk = PairDesk.open()
    fill = undoable(desk)
    desk.rig.tell(MarketSettled(HL.id, px(1), "price"))
    desk.rig.tell(FillVoided(fill, "never mined"))
    desk.wait(1)
    assert desk.rig.net(KS.id) == -lots(40), "their other halves have paid"
    assert desk.rig.state.halt is HaltState.RUNNING
    assert desk.rig.state.pairs.open == []
    assert desk.rig.state.withheld(KS.id, Leg.NO) == 0


def test_complete_sets_are_nobody_elses_while_the_rest_is_sold_back() -> None:
    desk = PairDesk.open()
    yes, no = sent(desk, deadline_ns=1_000_000_000)
    desk.ends(yes, 100)
    orders = desk.ends(no, 40)
    desk.books(dear=NOTHING)
    for order in orders:
        desk.ends(order, 0)
    desk.wait(2)
    assert desk.phase == "unwinding"
    assert desk.rig.state.withheld(HL.id, Leg.YES) == lots(40)
    assert desk.rig.state.withheld(KS.id, Leg.NO) == lots(40)


def written(desk: PairDesk) -> Carried:
    """What a run that dies now has on record."""
    checkpoint = desk.rig.engine.checkpoint()
    assert checkpoint is not None
    return checkpoint


def _elsewhere(desk: PairDesk) -> AccountState:
    said = told(desk, HYPERLIQUID)
    return replace(said, tokens=(), cash=Cash(said.cash + usd(100)))


def test_a_pair_whose_tokens_are_gone_is_none_after_the_account_was_taken_over() -> None:
    desk = bought()
    state = desk.rig.state
    while state.halt is HaltState.RUNNING:
        desk.wait(3)
        desk.rig.tell(_elsewhere(desk))
    assert state.halt is HaltState.HALTED
    desk.rig.wait(1)
    desk.rig.tell(_elsewhere(desk), told(desk, KALSHI))
    desk.rig.command(OperatorAction.RESUME)
    assert state.pairs.open == []
    assert (state.paired(HL.id, Leg.YES), state.paired(KS.id, Leg.NO)) == (0, 0)
    assert state.halt is HaltState.FLATTENING, "its other leg is naked"
    assert "left on one leg" in state.halt_reason


@pytest.mark.parametrize("number", [100, 40])
def test_a_pair_that_somebody_sold_a_leg_of_is_none(number: float) -> None:
    desk = bought()
    desk.rig.buy(number, "0.49", Leg.YES, side=Side.SELL, market=HL.id)
    assert desk.rig.state.pairs.open == []
    assert "left on one leg" in desk.rig.state.halt_reason


def test_a_leg_that_settled_while_nobody_ran_is_paid_although_it_is_not_listed_any_more() -> None:
    desk, venues = bought(), (HYPERLIQUID, KALSHI)
    again = PairDesk(Rig(RULES, boot=False, strategies=[Crosser(), Puppet()], venues=venues), Crosser())
    again.rig.now = desk.rig.now
    again.rig.tell(
        Booted(
            epoch_ms=EPOCH_MS + 1, profile="sim", version="0", config="{}", halted=None,
            carried=carried(desk.rig.state), accounts=tuple((venue, venue.upper()) for venue in venues),
        )
    )  # fmt: skip
    again.rig.tell(MarketListed(perp()), MarketListed(KS))
    again.rig.tell(*(told(desk, venue) for venue in venues), *(SessionUp(venue) for venue in venues))
    again.rig.tell(MarketSettled(HL.id, px(1), "price"), MarketSettled(KS.id, px(1), "price"))
    assert again.rig.state.pairs.open == []
    (trade,) = report(again.rig.state).arbitrage.trades
    assert (trade.how, trade.realised) == ("settled", usd(5))


def test_a_pair_in_the_making_is_not_forgotten_while_halted() -> None:
    desk, venues = PairDesk.open(), (HYPERLIQUID, KALSHI)
    yes, _ = sent(desk)
    desk.ends(yes, 100)
    again = PairDesk(Rig(RULES, boot=False, strategies=[Crosser(), Puppet()], venues=venues), Crosser())
    again.rig.now = desk.rig.now
    again.rig.tell(
        Booted(
            epoch_ms=EPOCH_MS + 1, profile="sim", version="0", config="{}", halted="the daemon was killed",
            carried=carried(desk.rig.state), accounts=tuple((venue, venue.upper()) for venue in venues),
        )
    )  # fmt: skip
    again.rig.tell(MarketListed(perp()), MarketListed(HL), MarketListed(KS))
    again.rig.tell(*(told(desk, venue) for venue in venues), *(SessionUp(venue) for venue in venues))
    again.books()
    for _ in range(20):
        again.rig.wait(1)
        again.rig.tell(*(replace(told(desk, venue), asked_mono_ns=again.rig.now.mono_ns) for venue in venues))
        if again.rig.state.halt is HaltState.HALTED:
            break
    assert again.rig.state.halt is HaltState.HALTED
    again.rig.command(OperatorAction.RESUME)
    assert again.rig.state.halt is HaltState.FLATTENING, "the leg that is open is sold"
    assert "was making" in again.rig.state.halt_reason


def test_a_pair_of_which_nothing_is_held_any_more_halts_nobody() -> None:
    """A guardian has sold it, and the operator has looked and resumed."""
    desk = PairDesk.open()
    desk.rig.state.baskets.stuck = "pair x was being made"
    desk.wait(1)
    assert desk.rig.state.halt is HaltState.RUNNING
    assert desk.rig.state.baskets.stuck is None


def restarted(books: Carried, *, halted: str | None, after: PairDesk, dear: Book = DEAR) -> PairDesk:
    """The next run, as far as it comes by itself."""
    venues = (HYPERLIQUID, KALSHI)
    again = PairDesk(Rig(RULES, boot=False, strategies=[Crosser(), Puppet()], venues=venues), Crosser())
    again.rig.now = after.rig.now
    again.rig.tell(
        Booted(
            epoch_ms=books.epoch_ms + 1, profile="sim", version="0", config="{}", halted=halted, carried=books,
            accounts=tuple((venue, venue.upper()) for venue in venues),
        )
    )  # fmt: skip
    again.rig.tell(MarketListed(perp()), MarketListed(HL), MarketListed(KS))
    again.rig.tell(*(told(again, venue) for venue in venues), *(SessionUp(venue) for venue in venues))
    again.books(dear=dear)
    settle_down(again)
    return again


def settle_down(desk: PairDesk) -> None:
    for _ in range(20):
        desk.rig.wait(1)
        desk.rig.tell(*(replace(told(desk, venue), asked_mono_ns=desk.rig.now.mono_ns) for venue in desk.rig.venues))
        if desk.rig.state.halt is HaltState.HALTED:
            return


def test_a_pair_in_the_making_is_not_forgotten_however_often_it_is_started_halted() -> None:
    desk = PairDesk.open()
    yes, _ = sent(desk)
    desk.ends(yes, 100)
    for _ in range(3):
        desk = restarted(written(desk), halted="the daemon was killed", after=desk)
        assert desk.rig.state.halt is HaltState.HALTED
    desk.rig.command(OperatorAction.RESUME)
    assert desk.rig.state.halt is HaltState.FLATTENING, "the leg that is open is sold"
    assert "was making" in desk.rig.state.halt_reason


@pytest.mark.parametrize("dies", [False, True])
def test_a_pair_that_a_halt_interrupts_is_not_forgotten_where_nothing_is_sold(dies: bool) -> None:
    desk = PairDesk.open()
    yes, no = sent(desk)
    desk.ends(yes, 100)
    desk.rig.command(OperatorAction.CANCEL)
    desk.ends(no, 0)
    settle_down(desk)
    if dies:
        desk = restarted(written(desk), halted="cancel", after=desk)
    assert desk.rig.state.halt is HaltState.HALTED
    assert desk.rig.net(HL.id) == lots(100)
    desk.rig.command(OperatorAction.RESUME)
    assert desk.rig.state.halt is HaltState.FLATTENING, "the leg that is open is sold"
    assert "left on one leg" in desk.rig.state.halt_reason


def test_a_leg_that_was_being_sold_when_the_daemon_died_is_sold() -> None:
    desk = PairDesk.open()
    yes, no = sent(desk)
    desk.ends(yes, 100)
    desk.rig.command(OperatorAction.FLATTEN)
    desk.rig.rejected(no, "IocCancel", "could not match")
    again = restarted(written(desk), halted="flatten", after=desk)
    assert alerts(again.rig.outputs, "walk_taken_up")
    assert {(one.leg, one.side, one.qty) for one in placed(again.rig.outputs)} == {(Leg.YES, Side.SELL, lots(100))}


def test_after_everything_was_sold_or_offered_whoever_resumes_has_decided() -> None:
    desk = PairDesk.open()
    yes, _ = sent(desk)
    desk.ends(yes, 100)
    desk.books(cheap=NOTHING)
    desk.rig.command(OperatorAction.FLATTEN)
    settle_down(desk)
    assert desk.rig.net(HL.id) == lots(100), "nobody buys it"
    desk.rig.command(OperatorAction.RESUME)
    assert desk.rig.state.halt is HaltState.RUNNING
    assert written(desk).stuck == ""


def test_complete_pairs_that_were_being_sold_when_the_daemon_died_are_sold() -> None:
    desk = bought()
    desk.rig.command(OperatorAction.FLATTEN)
    again = restarted(written(desk), halted="flatten", after=desk)
    assert {(one.market, one.qty) for one in placed(again.rig.outputs)} == {(HL.id, lots(100)), (KS.id, lots(100))}


def test_complete_pairs_that_were_being_sold_when_the_daemon_died_are_kept_whole() -> None:
    desk = bought()
    desk.rig.command(OperatorAction.FLATTEN)
    again = restarted(written(desk), halted="flatten", after=desk, dear=NOTHING)
    assert alerts(again.rig.outputs, "walk_taken_up")
    assert placed(again.rig.outputs) == [], "nobody buys the other half"
    assert again.rig.state.pairs.held((HL.id, KS.id)) == lots(100)


def test_a_leg_at_a_venue_that_was_away_for_the_whole_walk_is_not_forgotten() -> None:
    desk = PairDesk.open()
    yes, no = sent(desk)
    desk.ends(no, 100)
    desk.rig.tell(SessionDown(KALSHI, "gone", rest=False))
    desk.rig.rejected(yes, "IocCancel", "could not match")
    while desk.rig.state.halt is not HaltState.HALTED:
        desk.rig.wait(1)
    desk = restarted(written(desk), halted="kalshi session lost", after=desk)
    assert desk.rig.net(KS.id) == -lots(100), "nobody was there to be offered it"
    assert {(one.market, one.qty) for one in placed(desk.rig.outputs)} == {(KS.id, lots(100))}


def test_a_pair_that_comes_out_whole_of_a_stop_that_keeps_is_one() -> None:
    desk = PairDesk.open()
    yes, no = sent(desk)
    desk.rig.tell(StopRequested("SIGTERM", flatten=False))
    desk.ends(yes, 100)
    desk.ends(no, 100)
    settle_down(desk)
    assert desk.rig.state.halt is HaltState.STOPPED
    again = restarted(written(desk), halted=None, after=desk)
    assert again.rig.state.halt is HaltState.RUNNING
    assert again.rig.state.pairs.held((HL.id, KS.id)) == lots(100)


def test_a_stop_goes_on_with_what_a_lost_venue_left_undone() -> None:
    desk = PairDesk.open()
    desk.rig.buy(100, "0.49", Leg.YES, market=HL.id)
    desk.rig.tell(SessionDown(HYPERLIQUID, "gone", rest=False))
    while desk.rig.state.halt is not HaltState.HALTED:
        desk.rig.wait(1)
    desk.rig.tell(StopRequested("SIGTERM", flatten=False))  # as the daemon asks where it is HALTED
    desk.rig.tell(SessionUp(HYPERLIQUID))
    assert [(one.leg, one.side, one.qty) for one in placed(desk.books())] == [(Leg.YES, Side.SELL, lots(100))]
