"""What is told of linked events: executable prices, every deduction, why not; and that telling it changes nothing."""

from __future__ import annotations

import attrs
import msgspec
import pytest
from msgspec.structs import replace

from hlomm.domain.edge_rows import EdgeRow
from hlomm.domain.inputs import MarketChanged, MarketListed, MarkPrice, OperatorAction
from hlomm.domain.markets import Leg
from hlomm.domain.units import SCALE, Cash
from hlomm.domain.view import Appraisal, PairView
from hlomm.engine import edges
from hlomm.engine.edges import EDGES_SHOWN, average
from hlomm.engine.report import report
from hlomm.strategy.cross_venue import CrossVenue
from tests.support.pairs import CHEAP, GROUP, HL, KS, RULES, Crosser, PairDesk, wanted
from tests.support.values import levels, lots, perp, px, usd
from tests.support.venues import kalshi, link_rules
from tests.unit.strategy.test_cross_venue import settings


class Valued(Crosser):
    """A crosser that can say what a pair would bring, or cannot."""

    least = lots(20)

    def __init__(self) -> None:
        super().__init__()
        self.said: Appraisal | str | Exception = "basis: nobody knows"

    def appraise(self, pair: PairView) -> Appraisal | str:
        self.appraised = pair
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


def row(desk: PairDesk) -> EdgeRow:
    (found,) = edges.report(desk.rig.state, desk.rig.engine.strategies).edges
    return found


def valued() -> tuple[PairDesk, Valued]:
    desk = PairDesk.open()
    crosser = Valued()
    desk.rig.engine.strategies[crosser.id] = crosser
    return desk, crosser


def test_without_a_strategy_that_values_links_the_gross_edge_is_told() -> None:
    found = row(PairDesk.open())
    assert (found.group, found.qty) == (GROUP, lots(1))
    assert (found.left.market, found.left.bid, found.left.ask) == (HL.id, px("0.48"), px("0.50"))
    assert (found.right.market, found.right.bid, found.right.ask) == (KS.id, px("0.55"), px("0.57"))
    assert (found.buys, found.gross, found.leaves) == ((Leg.YES, Leg.NO), px("0.05"), None)


def test_prices_are_those_of_the_size_that_matters() -> None:
    desk, crosser = valued()
    crosser.least = lots(400)
    found = row(desk)
    assert (found.left.bid, found.left.ask) == (px("0.4775"), px("0.5025")), "300 at the touch, 100 behind it"
    assert found.gross == usd("18"), "0.5475 less 0.5025, 400 times"
    crosser.least = lots(601)
    assert (row(desk).left.ask, row(desk).buys, row(desk).gross) == (None, None, None)


def test_what_is_taken_off_is_told_as_the_strategy_says_it() -> None:
    desk, crosser = valued()
    crosser.said = Appraisal(
        legs=(Leg.YES, Leg.NO), qty=lots(20), gross=usd(1), fees=(usd("0.1"), usd("0.2")), rounding=usd("0.01"),
        bridge=usd("0.02"), capital=usd("0.03"), basis=usd("0.04"), legging=usd("0.05"), leaves=usd("0.55"),
        needs=usd("0.1"), apart=px("0.002"),
    )  # fmt: skip
    found = row(desk)
    taken = sum(found.fees) + found.rounding + found.bridge + found.capital + found.basis + found.legging
    assert found.gross is not None
    assert found.gross - taken == found.leaves == usd("0.55")
    assert (found.needs, found.apart, found.note) == (usd("0.1"), px("0.002"), "")
    assert crosser.appraised.max_mismatch == desk.rig.state.links.links[(HL.id, KS.id)].review.max_mismatch  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("said", "note"),
    [("basis: nobody knows", "basis: nobody knows"), (OverflowError("exp"), "appraisal: OverflowError exp")],
)
def test_what_cannot_be_valued_says_why_and_keeps_its_prices(said: str | Exception, note: str) -> None:
    desk, crosser = valued()
    crosser.said = said
    found = row(desk)
    assert (found.note, found.leaves, found.gross) == (note, None, usd("1"))


def test_looking_changes_nothing() -> None:
    """A report may be asked for at any time, or never: no decision, and no later report, may depend on it."""
    looked, left_alone = PairDesk.open(), PairDesk.open()
    for desk in (looked, left_alone):
        del desk.rig.engine.strategies[desk.crosser.id]
        desk.rig.engine.strategies[CrossVenue.id] = CrossVenue(settings(min_edge_bps=400))
    for second in range(12):
        for desk in (looked, left_alone):
            desk.rig.tell(MarkPrice(perp().id, px(93_000 + 10 * second), desk.rig.ms))
            desk.wait(1)
            desk.rig.tell(MarkPrice(perp().id, px(85_000), desk.rig.ms))  # seen only by who looks in between
            if desk is looked:
                said = edges.report(looked.rig.state, looked.rig.engine.strategies)
                assert said.edges[0].leaves is not None, "the basis was weighed"
            desk.rig.tell(MarkPrice(perp().id, px(93_000 + 10 * second), desk.rig.ms))
    assert looked.rig.engine.digest() == left_alone.rig.engine.digest()
    ways = [edges.report(desk.rig.state, desk.rig.engine.strategies) for desk in (looked, left_alone)]
    assert ways[0] == ways[1]
    assert msgspec.msgpack.encode(ways[0]) == msgspec.msgpack.encode(ways[1])
    assert ways[0].events


def test_a_suspended_link_comes_first_and_says_why() -> None:
    desk = PairDesk.open()
    desk.rig.tell(MarketListed(kalshi("KXBTCD-26NOV2012-T91010.99", strike=px("91010.99"), expiry_ns=KS.expiry_ns)))
    desk.rig.tell(MarketChanged(replace(KS, rules="another text")))
    first, second = edges.report(desk.rig.state, desk.rig.engine.strategies).edges
    assert first.why_not.startswith("link: suspended, rules text of kalshi:")
    assert second.right.market != KS.id


def test_a_halt_is_why_nothing_is_traded() -> None:
    desk = PairDesk.open()
    desk.wait(2)
    assert row(desk).why_not == "idle: nothing is wanted"
    desk.rig.command(OperatorAction.KILL, reason="drill")
    assert row(desk).why_not.startswith(("halted: kill", "flattening: kill"))


def test_a_book_that_was_never_seen_has_no_age() -> None:
    rules = attrs.evolve(RULES, links=link_rules())
    desk = PairDesk.open(rules)
    other = replace(KS, id=kalshi("KXBTCD-26NOV2012-T91020.99").id, strike=px("91020.99"))
    desk.rig.tell(MarketListed(other))
    found = {one.right.market: one for one in edges.report(desk.rig.state, desk.rig.engine.strategies).edges}
    assert found[KS.id].right.age_s == 0.0
    assert (found[other.id].right.age_s, found[other.id].right.ask, found[other.id].gross) == (None, None, None)
    assert found[other.id].why_not == "link: proposed, nobody reviewed it"


def test_rows_have_a_bound_and_the_rest_is_counted() -> None:
    desk = PairDesk.open()
    names = [f"KXBTCD-26NOV2012-T{91_000 + number}.99" for number in range(EDGES_SHOWN + 4)]
    strikes = [px(f"{91_000 + number}.99") for number in range(EDGES_SHOWN + 4)]
    for name, strike in zip(names, strikes, strict=True):
        desk.rig.tell(MarketListed(kalshi(name, strike=strike, expiry_ns=KS.expiry_ns)))
    said = edges.report(desk.rig.state, desk.rig.engine.strategies)
    assert len(said.edges) == EDGES_SHOWN
    assert said.left_out == 5
    assert said.edges[0].right.market == KS.id, "the closest strikes first"


def test_own_orders_are_nobody_to_trade_with() -> None:
    desk = PairDesk.open()
    desk.rig.resting_bid("0.49", 100, market=HL.id)
    bids, asks = CHEAP
    desk.books((levels(("0.49", 100)) + bids, asks))
    assert row(desk).left.bid == px("0.48")


@pytest.mark.parametrize(
    ("qty", "total"), [(300, 150), (400, 201), (600, 303), (601, None)], ids=["touch", "behind", "all", "too many"]
)
def test_the_average_of_the_first_so_many(qty: int, total: int | None) -> None:
    book = levels(("0.50", 300), ("0.51", 300))
    assert average(book, lots(qty)) == (None if total is None else total * SCALE * SCALE)


# -- machines and pairs


def test_a_pair_that_is_being_made_tells_what_is_left_of_time_and_money() -> None:
    desk = PairDesk.open()
    orders = desk.want(wanted(deadline_ns=10 * 10**9))
    (now,) = report(desk.rig.state).baskets
    assert (now.pair, now.phase, now.deadline_s) == (True, "working", 10.0 - now.age_s)
    assert (now.loss, now.max_loss) == (0, usd(5))
    yes = next(order for order in orders if order.market == HL.id)
    desk.ends(yes, 100)
    desk.wait(3)
    (later,) = report(desk.rig.state).baskets
    assert later.held == {HL.id: lots(100), KS.id: 0}
    assert later.loss == usd(50), "the leg that filled, if it were worth nothing"
    assert later.deadline_s == pytest.approx(10.0 - later.age_s)
    assert later.age_s == pytest.approx(now.age_s + 3.0)


def test_a_kept_pair_tells_when_its_later_leg_settles() -> None:
    desk = PairDesk.open()
    for order in desk.want(wanted()):
        desk.ends(order, 100)
    (trade,) = report(desk.rig.state).arbitrage.trades
    assert KS.expiry_ns is not None
    assert (trade.how, trade.settles_ms) == ("held", KS.expiry_ns // 10**6)
    assert row(desk).held == Cash(lots(100))
