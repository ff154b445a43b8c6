"""Whoever was selling everything when the daemon died goes on with it; what comes loose after that is sold, too."""

from __future__ import annotations

import msgspec
import pytest

from hlomm.domain.fills import Fill
from hlomm.domain.ids import HYPERLIQUID, KALSHI
from hlomm.domain.inputs import (
    Booted,
    FillReceived,
    FillVoided,
    Input,
    JournalFailed,
    MarketListed,
    OperatorAction,
    SessionDown,
    SessionUp,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side
from hlomm.domain.outputs import HaltState, Output
from hlomm.engine.carry import carried
from hlomm.engine.config import OnDisconnect
from tests.support.pairs import HL, PairDesk
from tests.support.rig import Rig, alerts, placed
from tests.support.values import EPOCH_MS, config, lots, outcome, perp, token
from tests.unit.engine.test_flatten_pairs import waited
from tests.unit.engine.test_pairs import sent


def selling() -> tuple[Rig, OrderRequest]:
    rig = Rig()
    rig.buy(100, "0.5")
    (sale,) = placed(rig.command(OperatorAction.FLATTEN))
    return rig, sale


def sold() -> tuple[Rig, Fill]:
    """All is sold, HALTED; the fill may still come to nothing."""
    rig, sale = selling()
    fill = msgspec.structs.replace(rig.fill_of(sale, 100), pending=True)
    rig.tell(FillReceived(fill))
    rig.closed(sale, 100, status="filled")
    rig.keep_fresh(2)
    assert rig.halt is HaltState.HALTED
    return rig, fill


def restarted(rig: Rig, *first: Input, agrees: bool = True) -> tuple[Rig, list[Output]]:
    """The next run, as it begins; `first` is told before its session is up."""
    again = Rig(boot=False)
    again.now = rig.now
    again.tell(
        Booted(
            epoch_ms=EPOCH_MS + 1, profile="sim", version="0", config="{}", halted="flatten", carried=carried(rig.state)
        ),
        MarketListed(perp()), MarketListed(outcome()), *first,
    )  # fmt: skip
    if not agrees:
        again.shown = 10_000, (token(40, 20),)
    again.tell(again.account_shown())
    return again, again.tell(SessionUp(HYPERLIQUID)) + again.book() + again.keep_fresh(1)


def sales(outputs: list[Output]) -> list[tuple[Leg, Side, int]]:
    return [(one.leg, one.side, one.qty) for one in placed(outputs) if one.purpose is Purpose.FLATTEN]


ALL = [(Leg.YES, Side.SELL, lots(100))]


def test_a_sale_that_a_crash_cut_short_goes_on_once_the_account_agrees() -> None:
    again, outputs = restarted(selling()[0])
    assert sales(outputs) == ALL
    assert alerts(outputs, "walk_taken_up")
    assert again.state.halt_reason == "flatten"


def test_not_while_the_account_differs() -> None:
    """A guardian may have sold it: bought back as a complement it would be naked the other way."""
    again, outputs = restarted(selling()[0], agrees=False)
    assert sales(outputs) == []
    assert again.halt is HaltState.HALTED


def test_what_was_to_be_kept_is_kept() -> None:
    rig = Rig()
    rig.buy(100, "0.5")
    rig.command(OperatorAction.CANCEL)
    again, outputs = restarted(rig)
    assert sales(outputs) == []
    assert again.halt is HaltState.HALTED


def test_what_nobody_bought_is_not_offered_again_by_every_start() -> None:
    rig = Rig()
    rig.buy(100, "0.5")
    rig.book(bids=())
    rig.command(OperatorAction.FLATTEN)
    rig.keep_fresh(2)
    assert rig.halt is HaltState.HALTED
    again, outputs = restarted(rig)
    assert sales(outputs) == []
    assert again.halt is HaltState.HALTED


def test_whoever_resumes_ends_it() -> None:
    rig, fill = sold()
    rig.command(OperatorAction.RESUME)
    again, _ = restarted(rig)
    assert sales(again.tell(FillVoided(fill, "FAILED"))) == []


@pytest.mark.parametrize("early", [False, True])
def test_a_sale_that_never_settles_is_made_again_by_the_next_run(early: bool) -> None:
    rig, fill = sold()
    void = FillVoided(fill, "FAILED")
    again, outputs = restarted(rig, *((void,) if early else ()))
    outputs += [] if early else again.tell(void)
    assert sales(outputs) == ALL


def test_an_order_of_the_last_run_that_fills_late_is_sold() -> None:
    rig, _ = sold()
    bid = msgspec.structs.replace(placed(rig.outputs)[0], side=Side.BUY)
    again, _ = restarted(rig)
    assert sales(again.tell(FillReceived(rig.fill_of(bid, 100, key="late")))) == ALL


def test_what_a_person_buys_meanwhile_is_theirs() -> None:
    again, _ = restarted(sold()[0])
    assert sales(again.buy(100, "0.5")) == []


def test_without_a_journal_nothing_goes_on() -> None:
    rig, _ = selling()
    outputs = rig.tell(JournalFailed("no space left")) + rig.keep_fresh(30)
    assert rig.halt is HaltState.HALTED
    assert not alerts(outputs, "walk_taken_up")


def test_a_venue_that_is_away_keeps_no_other_waiting() -> None:
    venues = HYPERLIQUID, KALSHI
    rules = config(flatten={"on_disconnect": dict.fromkeys(venues, OnDisconnect.PAUSE)})
    rig = Rig(rules, venues=venues)
    rig.buy(100, "0.5")
    rig.command(OperatorAction.FLATTEN)
    again = Rig(rules, venues=venues, boot=False)
    again.now = rig.now
    again.tell(
        Booted(
            epoch_ms=EPOCH_MS + 1, profile="sim", version="0", config="{}", halted="flatten",
            carried=carried(rig.state), accounts=tuple((venue, venue.upper()) for venue in venues),
        ),
        MarketListed(perp()), MarketListed(outcome()), again.account_shown(), SessionUp(HYPERLIQUID),
    )  # fmt: skip
    again.book()
    assert ALL[0] in sales(again.keep_fresh(30))


def test_a_cancel_in_between_does_not_end_it() -> None:
    rig, fill = sold()
    rig.command(OperatorAction.CANCEL)
    rig.keep_fresh(1)
    assert rig.halt is HaltState.HALTED
    assert sales(rig.tell(FillVoided(fill, "FAILED"))) == ALL


def test_a_cancel_does_not_forget_what_waits_for_a_lost_venue() -> None:
    rig = Rig(config(), honest=False)
    rig.buy(100, "0.5")
    rig.down(rest=False)
    rig.wait(20)
    rig.command(OperatorAction.CANCEL)
    rig.wait(20)
    assert rig.halt is HaltState.HALTED
    rig.up()
    assert sales(rig.book()) == ALL


def test_a_half_of_a_pair_that_never_settles_leaves_no_other_half_naked() -> None:
    """The walk kept it whole, because one venue was away; of its market nothing is left that could be naked."""
    desk = PairDesk.open()
    yes, no = sent(desk)
    desk.ends(yes, 100)
    fill = msgspec.structs.replace(desk.rig.fill_of(no, 100), pending=True)
    desk.rig.tell(FillReceived(fill))
    desk.rig.closed(no, 100, status="filled")
    assert desk.phase == "done"
    desk.rig.tell(SessionDown(KALSHI, "no pong", rest=False))
    assert waited(desk, 30) == []
    assert desk.rig.halt is HaltState.HALTED
    outputs = desk.rig.tell(FillVoided(fill, "FAILED"))
    found = [(one.market, one.qty) for one in placed(outputs) if one.purpose is Purpose.FLATTEN]
    assert found == [(HL.id, lots(100))]
