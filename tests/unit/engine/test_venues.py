"""Several venues, an account at each: what is one's alone, what is of all, and what the loss of one does."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import pytest

from hlomm.domain.carried import Carried, CarriedBooks
from hlomm.domain.faults import InvariantBroken
from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET, MarketId
from hlomm.domain.inputs import (
    AccountDoubted,
    BookSnapshot,
    Booted,
    FeeRates,
    FillReceived,
    MarketListed,
    MarkPrice,
    OperatorAction,
    RestingOrder,
    SessionUp,
    TokenBalance,
    VenuePaused,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderState, Side
from hlomm.domain.outputs import ConvertSet, HaltState
from hlomm.domain.units import Cash
from hlomm.engine.carry import carried
from hlomm.engine.config import Abilities, OnDisconnect
from hlomm.engine.core import Engine
from hlomm.engine.gate import free_cash
from hlomm.engine.quoting import blocked, view_of
from hlomm.engine.reconcile import difference
from hlomm.engine.report import report
from hlomm.journal.books import belongs
from hlomm.journal.codec import CheckpointRecord, decode, encode
from tests.support.puppet import Puppet
from tests.support.rig import Rig, alerts, amended, asked_account, cancelled, of, placed
from tests.support.values import (
    EPOCH_MS,
    KS,
    PERP,
    PM,
    START,
    VENUES,
    M,
    account,
    config,
    foreign,
    levels,
    lots,
    outcome,
    perp,
    px,
    usd,
)

PAUSES = {POLYMARKET: OnDisconnect.PAUSE, KALSHI: OnDisconnect.PAUSE}
FAST = config(quotes={"min_interval_ns": 0})
PAUSING = config(quotes={"min_interval_ns": 0}, flatten={"on_disconnect": PAUSES})
THREE = (outcome(), foreign(PM), foreign(KS))


def three(conf: Any = FAST, **how: Any) -> Rig:
    """Up at three venues with 10,000 at each and the same question at all of them."""
    return Rig(conf, venues=VENUES, markets=THREE, **how)


def start(rig: Rig) -> None:
    rig.boot()
    rig.tell(account(), MarketListed(perp()), MarketListed(outcome()), MarketListed(foreign(PM)))


# -- accounts


def test_cash_is_spent_where_it_is() -> None:
    rig = three()
    rig.buy(200, "0.5", market=PM)
    assert rig.state.portfolio.of(POLYMARKET).cash == usd(9_900)
    assert rig.state.portfolio.of(HYPERLIQUID).cash == rig.state.portfolio.of(KALSHI).cash == usd(10_000)
    assert rig.state.portfolio.cash == usd(29_900)
    order = rig.resting_bid("0.52", 100, market=KS)
    assert free_cash(rig.state, KALSHI) == usd(10_000) - usd(52)
    assert free_cash(rig.state, HYPERLIQUID) == usd(10_000)
    assert order.market == KS


def test_an_empty_account_buys_nothing_however_rich_the_others_are() -> None:
    rig = three(config(quotes={"min_interval_ns": 0}, limits={"max_drawdown": usd(100_000)}))
    rig.state.portfolio.of(POLYMARKET).cash = 0
    assert placed(rig.want(bid=("0.52", 100), market=PM)) == []
    assert rig.note(1, PM) == "cash"
    assert len(placed(rig.want(bid=("0.52", 100), market=M))) == 1


def test_equity_and_drawdown_are_those_of_all() -> None:
    rig = three()
    assert rig.state.equity() == rig.state.high_water == usd(30_000)
    rig.buy(100, "0.5", market=PM)
    rig.buy(100, "0.5", market=KS)
    assert rig.state.high_water - rig.state.equity() == 0, "0.50 is bid for either"


def test_an_account_that_opens_later_is_no_gain() -> None:
    rig = Rig(PAUSING, boot=False, venues=VENUES)
    start(rig)
    rig.tell(SessionUp(HYPERLIQUID))
    rig.tell(account(7_000, venue=KALSHI), SessionUp(KALSHI))
    assert rig.state.equity() == rig.state.high_water == usd(17_000)
    assert rig.state.max_drawdown == 0


def test_an_account_that_opens_later_makes_no_drawdown_good() -> None:
    rig = Rig(PAUSING, boot=False, venues=VENUES)
    start(rig)
    rig.tell(SessionUp(HYPERLIQUID))
    rig.buy(100, "0.5", fee="20")
    lost = rig.state.high_water - rig.state.equity()
    assert lost >= usd(20)
    rig.tell(account(7_000, venue=KALSHI), SessionUp(KALSHI))
    assert rig.state.high_water - rig.state.equity() == lost


def test_an_account_is_compared_with_its_own_books_and_no_other() -> None:
    rig = three()
    rig.buy(100, "0.5", market=PM)
    rig.buy(30, "0.4", leg=Leg.NO, market=KS)
    for venue in VENUES:
        assert difference(rig.state, rig.account_shown(venue)) == ()
    found = difference(rig.state, account(10_000, venue=POLYMARKET))
    assert found == ("cash 10000 not 9950", f"{PM} YES 0 not 100")


def test_a_difference_at_one_venue_halts_and_a_resume_adopts_that_venue_alone() -> None:
    rig = three()
    rig.wait(10)
    for _ in range(3):
        rig.tell(account(9_990, asked_ns=rig.now.mono_ns, venue=KALSHI))
        rig.tell(account(10_000, asked_ns=rig.now.mono_ns), account(asked_ns=rig.now.mono_ns, venue=POLYMARKET))
    assert rig.halt is HaltState.HALTED
    assert rig.state.halt_reason.startswith("kalshi account differs from our books: cash 9990 not 10000")
    for _ in range(2):
        rig.jump(5)
        rig.tell(account(9_990, asked_ns=rig.now.mono_ns, venue=KALSHI))
    rig.command(OperatorAction.RESUME)
    assert rig.state.portfolio.of(KALSHI).adjustments == -usd(10)
    assert rig.state.portfolio.of(HYPERLIQUID).adjustments == rig.state.portfolio.of(POLYMARKET).adjustments == 0


def test_a_report_of_one_venue_says_nothing_of_orders_elsewhere() -> None:
    rig = three()
    order = rig.resting_bid("0.52", 100, market=PM)
    rig.keep_fresh(10, market=PM)
    rig.tell(account(asked_ns=rig.now.mono_ns), account(asked_ns=rig.now.mono_ns, venue=KALSHI))
    assert order.state is OrderState.OPEN
    rig.tell(account(asked_ns=rig.now.mono_ns, venue=POLYMARKET))
    assert order.state is OrderState.UNKNOWN, "its own venue does not list it"


def test_doubt_about_one_account_stops_quoting_there_and_ends_by_its_own_word() -> None:
    rig = three()
    outputs = rig.tell(AccountDoubted(POLYMARKET, "unreadable news"))
    assert asked_account(outputs) == 1
    why = blocked(rig.state, rig.market(PM))
    assert why is not None
    assert why.startswith("doubt")
    assert blocked(rig.state, rig.market(M)) is None
    rig.jump(1)
    rig.tell(account(asked_ns=rig.now.mono_ns))
    assert blocked(rig.state, rig.market(PM)) is not None
    rig.tell(account(asked_ns=rig.now.mono_ns, venue=POLYMARKET))
    assert blocked(rig.state, rig.market(PM)) is None


def test_a_fill_of_a_venue_that_the_run_does_not_know_is_impossible() -> None:
    with pytest.raises(InvariantBroken, match="unknown venue"):
        Rig(FAST).buy(1, "0.5", market=PM)


def test_one_key_at_two_venues_is_two_fills() -> None:
    rig = three()
    order = rig.resting_bid("0.52", 100, market=PM)
    rig.filled(order, 10, key="same")
    other = rig.resting_bid("0.52", 100, market=KS)
    rig.filled(other, 10, key="same")
    assert rig.net(PM) == rig.net(KS) == lots(10)


def test_people_see_every_account() -> None:
    rig = three()
    rig.buy(100, "0.5", market=PM, fee="0.7")
    rig.resting_bid("0.52", 100, market=KS)
    rig.tell(VenuePaused(KALSHI, rig.ms + 60_000, "trading pause"))
    rows = {row.venue: row for row in report(rig.state).accounts}
    assert list(rows) == list(VENUES)
    assert (rows[POLYMARKET].cash, rows[POLYMARKET].cost, rows[POLYMARKET].fees) == (usd("9949.3"), usd(50), usd("0.7"))
    assert (rows[KALSHI].cash, rows[KALSHI].free) == (usd(10_000), usd(10_000) - usd(52))
    assert rows[KALSHI].closed.endswith("(trading pause)")
    assert rows[HYPERLIQUID].closed == ""


def test_a_walk_that_is_contradicted_adopts_where_it_is_contradicted() -> None:
    """Three venues with one differing picture each are not three pictures of one that differ."""
    rig = three(honest=False)
    rig.command(OperatorAction.FLATTEN)
    rig.jump(1)
    for venue in VENUES:
        rig.tell(account(9_999, asked_ns=rig.now.mono_ns, venue=venue))
    assert alerts(rig.outputs, "adopted_balances") == []
    for _ in range(2):
        rig.jump(1)
        rig.tell(account(9_999, asked_ns=rig.now.mono_ns, venue=KALSHI))
    (alert,) = alerts(rig.outputs, "adopted_balances")
    assert "kalshi" in alert.text
    assert [rig.state.portfolio.of(venue).adjustments for venue in VENUES] == [0, 0, -usd(1)]


# -- coming up and going down


def test_it_starts_when_all_are_up_that_have_to_be() -> None:
    rig = Rig(FAST, boot=False, venues=VENUES)
    start(rig)
    for venue in VENUES[:2]:
        rig.tell(SessionUp(venue))
        assert rig.halt is HaltState.STARTING
    rig.tell(account(venue=KALSHI), SessionUp(KALSHI))
    assert rig.halt is HaltState.RUNNING


def test_one_that_may_pause_may_come_later() -> None:
    rig = Rig(PAUSING, boot=False, venues=VENUES)
    start(rig)
    rig.tell(account(venue=POLYMARKET), SessionUp(POLYMARKET))
    assert rig.halt is HaltState.STARTING, "Hyperliquid has to be there"
    rig.tell(SessionUp(HYPERLIQUID))
    assert rig.halt is HaltState.RUNNING
    rig.tell(account(venue=KALSHI), SessionUp(KALSHI))
    assert rig.halt is HaltState.RUNNING


def test_if_all_may_pause_one_is_enough_and_none_is_not() -> None:
    conf = config(flatten={"on_disconnect": {**PAUSES, HYPERLIQUID: OnDisconnect.PAUSE}})
    rig = Rig(conf, boot=False, venues=VENUES)
    start(rig)
    assert rig.halt is HaltState.STARTING
    rig.tell(SessionUp(HYPERLIQUID))
    assert rig.halt is HaltState.RUNNING
    rig.command(OperatorAction.KILL)
    rig.down()
    assert "hyperliquid" in alerts(rig.command(OperatorAction.RESUME), "resume_refused")[0].text


def test_a_lost_venue_that_flattens_takes_every_leg_with_it() -> None:
    rig = three()
    rig.buy(100, "0.5", market=PM)
    rig.buy(100, "0.4", leg=Leg.NO, market=KS)
    order = rig.resting_bid("0.52", 100, market=PM)
    outputs = rig.down(venue=POLYMARKET)
    assert order.client_id in {request.client_id for request in cancelled(outputs)}, "over requests"
    (leg,) = placed(outputs)
    assert (leg.market, leg.leg, leg.side, leg.qty) == (KS, Leg.NO, Side.SELL, lots(100))
    assert rig.halt is HaltState.FLATTENING
    rig.closed(order)
    (sale,) = placed(rig.book(market=PM))
    assert (sale.market, sale.side) == (PM, Side.SELL), "its own, as soon as requests bring a book"


def test_a_lost_venue_that_pauses_stops_its_own_quotes_only() -> None:
    rig = three(PAUSING)
    here, there = rig.resting_bid("0.52", 100, market=PM), rig.resting_bid("0.52", 100, market=KS)
    outputs = rig.down(venue=POLYMARKET)
    assert [request.client_id for request in cancelled(outputs)] == [here.client_id]
    assert rig.halt is HaltState.RUNNING
    assert there.state is OrderState.OPEN
    assert blocked(rig.state, rig.market(PM)) == "session: polymarket is down"
    rig.closed(here)
    rig.up(POLYMARKET)
    assert placed(rig.book(market=PM))[0].market == PM, "it is quoted again when it is back"


def test_what_cannot_be_reached_holds_up_no_hedge_and_no_leg_elsewhere() -> None:
    rig = three(config(quotes={"min_interval_ns": 0}, flatten={"deadline_ns": 40 * 10**9}))
    rig.tell(BookSnapshot(PERP, levels((79_999, 9)), levels((80_001, 9)), rig.ms), MarkPrice(PERP, px(80_000), rig.ms))
    rig.buy(100, "0.5", market=PM)
    rig.buy(100, "0.4", leg=Leg.NO, market=KS)
    hedge = rig.state.portfolio.perps
    rig.buy(0.001, "80000", side=Side.SELL, market=PERP)
    assert hedge.position(PERP).qty < 0
    (closing,) = placed(rig.down(rest=False, venue=POLYMARKET))
    assert closing.market == PERP, "at once, not after half the deadline: the leg elsewhere would bare it"
    outputs = rig.filled(closing, 0.001, at="80001")
    (sale,) = placed(outputs)
    assert (sale.market, sale.leg, sale.side) == (KS, Leg.NO, Side.SELL)
    rig.filled(sale, 100, at="0.4")
    assert rig.halt is HaltState.FLATTENING
    outputs = rig.wait(41)
    assert rig.halt is HaltState.HALTED
    (alert,) = alerts(outputs, "flatten_deadline")
    assert "100 YES" in alert.text
    assert "check the venue by hand" in alert.text


def test_only_the_return_of_the_missing_venue_takes_the_walk_up_again() -> None:
    rig = three()
    rig.buy(100, "0.5", market=PM)
    rig.down(rest=False, venue=POLYMARKET)
    rig.wait(16)
    assert rig.halt is HaltState.HALTED
    rig.down(venue=KALSHI)
    rig.wait(16)
    rig.up(KALSHI)
    assert rig.halt is HaltState.HALTED, "another one's return tells nothing"
    rig.up(POLYMARKET)
    assert rig.halt is HaltState.FLATTENING
    assert [order.market for order in placed(rig.book(market=PM))] == [PM]


def test_a_resume_asks_for_those_that_have_to_be_up() -> None:
    rig = three(PAUSING)
    rig.command(OperatorAction.KILL)
    rig.down(venue=KALSHI)
    rig.wait(20)
    rig.command(OperatorAction.RESUME)
    assert rig.halt is HaltState.RUNNING
    rig.command(OperatorAction.KILL)
    rig.down()
    rig.wait(20)
    (alert,) = alerts(rig.command(OperatorAction.RESUME), "resume_refused")
    assert "hyperliquid is down" in alert.text


# -- outcomes elsewhere


def test_the_perp_of_one_venue_stands_for_the_price_of_all() -> None:
    rig = three()
    rig.tell(MarkPrice(PERP, px(80_500), rig.ms))
    assert view_of(rig.state, rig.market(PM)).underlying_px == px(80_500)
    rig.tell(MarkPrice(PERP, px(75_000), rig.ms))
    for market in (M, PM, KS):
        why = blocked(rig.state, rig.market(market))
        assert why is not None
        assert why.startswith("price_pause"), "a jump of the coin pauses all that settle on it"


# -- what a venue cannot do


def unable(**which: bool) -> Any:
    return attrs.evolve(FAST, abilities={POLYMARKET: Abilities(**which)})


def test_where_nothing_can_be_amended_a_quote_is_cancelled_and_made_anew() -> None:
    rig = three(unable(can_amend=False))
    order = rig.resting_bid("0.52", 100, market=PM)
    outputs = rig.want(bid=("0.54", 100), market=PM)
    assert amended(outputs) == []
    assert placed(outputs) == []
    assert [request.client_id for request in cancelled(outputs)] == [order.client_id]
    (quote,) = placed(rig.closed(order))
    assert quote.px == px("0.54")
    assert rig.resting_bid("0.52", 100, market=KS)
    assert len(amended(rig.want(bid=("0.54", 100), market=KS))) == 1, "elsewhere as ever"


def test_a_quote_that_may_not_grow_is_left_alone_where_nothing_can_be_amended() -> None:
    conf = attrs.evolve(config(quotes={"min_interval_ns": 0}, limits={"max_position": lots(100)}),
                        abilities={POLYMARKET: Abilities(can_amend=False)})  # fmt: skip
    rig = three(conf)
    rig.resting_bid("0.52", 100, market=PM)
    outputs = rig.want(bid=("0.52", 300), market=PM)
    assert cancelled(outputs) == []


def test_where_nothing_can_be_merged_pairs_are_held() -> None:
    rig = three(unable(can_convert=False))
    rig.buy(100, "0.5", market=PM)
    rig.buy(100, "0.45", leg=Leg.NO, market=PM)
    rig.buy(50, "0.5", market=M)
    rig.buy(50, "0.45", leg=Leg.NO, market=M)
    outputs = rig.command(OperatorAction.FLATTEN)
    assert [output.market for output in of(outputs, ConvertSet)] == [M]
    assert rig.state.walk is not None
    assert "worth exactly 1 each" in rig.state.walk.held[PM]
    assert placed(outputs) == []


def test_where_nothing_can_be_merged_a_sale_comes_before_the_purchase_of_the_complement() -> None:
    rig = three(unable(can_convert=False))
    dear = px("0.02")  # so that the purchase would keep more
    rig.tell(FeeRates(venue=POLYMARKET, open_maker=0, open_taker=0, close_maker=dear, close_taker=dear, settle=0))
    rig.buy(100, "0.5", market=PM)
    (sale,) = placed(rig.command(OperatorAction.FLATTEN))
    assert (sale.leg, sale.side) == (Leg.YES, Side.SELL)


# -- over a restart


def restarted(books: Carried, conf: Any = FAST) -> Rig:
    again = Rig(conf, boot=False, venues=VENUES)
    record = decode(encode(CheckpointRecord(1, START, books)))
    assert isinstance(record, CheckpointRecord)
    again.tell(
        Booted(
            epoch_ms=EPOCH_MS + 1, profile="sim", version="0", config="{}", halted=None, carried=record.books,
            accounts=tuple((venue, venue.upper()) for venue in VENUES),
        )
    )  # fmt: skip
    return again


def _timeless(books: CarriedBooks) -> CarriedBooks:
    """Without the span in which fills may be missing: it begins a little earlier with every run that hears nothing."""
    return msgspec.structs.replace(books, fills_from_ms=0)


def test_the_books_of_all_go_on_after_a_restart() -> None:
    rig = three()
    rig.buy(100, "0.5", market=PM, fee="0.7")
    rig.buy(30, "0.4", leg=Leg.NO, market=KS)
    rig.buy(0.001, "80000", market=PERP)
    one = msgspec.structs.replace(rig.fill_of(rig.resting_bid("0.52", 100, market=PM), 40), pending=True)
    rig.tell(FillReceived(one))
    books = carried(rig.state)
    assert books.venue == HYPERLIQUID
    assert [other.venue for other in books.others] == [POLYMARKET, KALSHI]
    again = restarted(books)
    assert [_timeless(one) for one in carried(again.state).books] == [_timeless(one) for one in books.books]
    for venue in VENUES:
        mine, theirs = again.state.portfolio.of(venue), rig.state.portfolio.of(venue)
        assert (mine.cash, mine.realised, mine.fees, mine.cost) == (
            theirs.cash, theirs.realised, theirs.fees, theirs.cost,
        )  # fmt: skip
    assert again.state.undelivered.tokens(PM, Leg.YES) == lots(40)
    assert not again.state.reconciled
    again.tell(FillReceived(one))
    assert again.net(PM) == lots(140), "told again, booked once"


def test_each_venue_is_quoted_when_its_own_account_agrees() -> None:
    rig = three()
    rig.buy(100, "0.5", market=PM)
    again = restarted(carried(rig.state))
    again.tell(*map(MarketListed, (perp(), *THREE)), *map(SessionUp, VENUES))
    for market in (M, PM):
        again.book(market=market)
        why = blocked(again.state, again.market(market))
        assert why is not None
        assert why.startswith("reconciling")
    again.tell(account(9_950, (TokenBalance(PM, Leg.YES, lots(100), usd(50)),), venue=POLYMARKET))
    assert blocked(again.state, again.market(PM)) is None
    assert blocked(again.state, again.market(M)) is not None


def test_books_of_one_venue_go_on_in_a_run_of_several_and_the_other_way_round() -> None:
    alone = Rig(FAST)
    alone.buy(100, "0.5")
    books = carried(alone.state)
    assert books.others == ()
    again = restarted(msgspec.structs.replace(books, account="HYPERLIQUID"))
    again.tell(account(7_000, venue=KALSHI))
    assert again.state.equity() == usd(9_950) + usd(50) + usd(7_000)
    back = Engine(FAST, [Puppet()], [HYPERLIQUID])
    wide = three()
    wide.buy(100, "0.5", market=PM)
    wide.buy(20, "0.5", market=M)
    books = carried(wide.state)
    back.feed(
        Booted(epoch_ms=EPOCH_MS, profile="sim", version="0", config="{}", halted=None, carried=books,
               account="HYPERLIQUID"), START,
    )  # fmt: skip
    assert back.state.portfolio.of(POLYMARKET).position(PM).yes == lots(100)
    kept = {other.venue: other for other in carried(back.state).others}
    was = {other.venue: other for other in books.others}
    assert kept[POLYMARKET].positions == was[POLYMARKET].positions
    assert (kept[POLYMARKET].account, kept[POLYMARKET].cash) == ("POLYMARKET", Cash(usd(9_950)))


def test_books_of_an_older_program_are_those_of_hyperliquid() -> None:
    rig = Rig(FAST)
    rig.buy(100, "0.5")
    raw = msgspec.msgpack.decode(encode(CheckpointRecord(1, START, carried(rig.state))))
    raw[-1] = raw[-1][:-3]  # without the venue, what is awaited, and the others
    record = decode(msgspec.msgpack.encode(raw))
    assert isinstance(record, CheckpointRecord)
    assert record.books == carried(rig.state)
    (alone,) = record.books.books
    assert (alone.venue, alone.cash) == (HYPERLIQUID, usd(9_950))
    assert record.books.fills_from_ms_of(HYPERLIQUID) == alone.fills_from_ms
    assert record.books.fills_from_ms_of(KALSHI) is None


def test_books_belong_to_runs_of_the_same_accounts() -> None:
    books = carried(three().state)
    assert belongs(books, {HYPERLIQUID: "HYPERLIQUID"})
    assert belongs(books, {venue: venue.upper() for venue in VENUES})
    assert not belongs(books, {HYPERLIQUID: "HYPERLIQUID", KALSHI: "somebody else"})
    assert not belongs(books, {HYPERLIQUID: "somebody else"})
    assert not belongs(carried(Rig(FAST).state), {KALSHI: "KALSHI"})


def test_an_order_of_an_earlier_run_is_adopted_where_it_rests() -> None:
    rig = three()
    resting = RestingOrder(
        client_id=None, venue_order_id="1", market=MarketId(PM), leg=Leg.YES, side=Side.BUY, px=px("0.5"),  # type: ignore[arg-type]
        leaves=lots(5),
    )  # fmt: skip
    outputs = rig.tell(account(orders=(resting,), venue=POLYMARKET))
    assert len(alerts(outputs, "foreign_orders")) == 1
    assert rig.state.venues[POLYMARKET].foreign_orders == 1
    assert rig.state.venues[HYPERLIQUID].foreign_orders == 0
