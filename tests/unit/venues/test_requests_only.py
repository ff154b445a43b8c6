"""Requests that must work when nothing else does, and the sweep built on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import trio
import trio.testing

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import HYPERLIQUID, ClientId, ClientIds, MarketId, VenueId, VenueOrderId
from hlomm.domain.inputs import (
    AccountState,
    BookSnapshot,
    BookSource,
    FundingPaid,
    PerpBalance,
    RestingOrder,
    TokenBalance,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Side, Tif
from hlomm.domain.outputs import Output
from hlomm.domain.units import SCALE, Cash, Px, Qty, parse
from hlomm.venues.flatten_plan import FlattenBounds, FlattenPlan, HoldReason
from hlomm.venues.http_client import NotSent
from hlomm.venues.hyperliquid.session import HyperliquidSession
from hlomm.venues.protocol import SaleRules, SessionStatistics, Sink
from hlomm.venues.sweep import CancelReport, cancel_all, fetch_books, flatten, flatten_account
from tests.unit.venues.fake_hyperliquid import FakeHyperliquid, Never, binary, now_ms, refused, statuses
from tests.unit.venues.harness import IDS, OUTCOME, PERP, idle, order, running
from tests.wire.hyperliquid.tools import book, levels, order_row

Clock = trio.testing.MockClock


@pytest.fixture
def venue() -> FakeHyperliquid:
    return FakeHyperliquid()


def resting(
    oid: int, client_id: ClientId | None = None, market: MarketId = OUTCOME, leg: Leg = Leg.YES
) -> RestingOrder:
    return RestingOrder(
        client_id=client_id,
        venue_order_id=VenueOrderId(str(oid)),
        market=market,
        leg=leg,
        side=Side.BUY,
        px=Px(parse("0.45")),
        leaves=Qty(parse("10")),
    )


# -- reading


async def test_open_orders_are_told_with_ours_marked(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    ours = IDS.mint()
    venue.open_orders = [order_row(cloid=ours), order_row(oid=2, cloid="0x" + "9" * 32), order_row(oid=3, cloid=...)]
    async with idle(venue) as session:
        found = await session.fetch_resting()
        assert [(one.venue_order_id, one.client_id) for one in found] == [("1001", ours), ("2", None), ("3", None)]


async def test_the_account_is_read_without_a_running_session(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    venue.balances.append({"coin": "+9000", "total": "30", "hold": "0", "entryNtl": "13.5"})
    venue.balances.append({"coin": "HYPE", "total": "2", "hold": "0", "entryNtl": "0"})
    async with idle(venue) as session:
        state = await session.fetch_account()
        assert state.tokens == (TokenBalance(OUTCOME, Leg.YES, Qty(parse("30")), Cash(parse("13.5"))),)
        assert state.cash == parse("1000"), "before any outcome list the largest balance stands in"
        assert state.orders == ()


async def test_cash_is_the_collateral_of_the_outcomes(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    venue.outcomes = [binary(900, quoteToken="USDH")]
    venue.balances.append({"coin": "USDH", "total": "77", "hold": "70", "entryNtl": "0"})
    async with running(venue) as live:
        assert (await live.session.fetch_account()).cash == parse("77")


async def test_an_account_without_cash_has_none(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    venue.balances = []
    async with idle(venue) as session:
        assert (await session.fetch_account()).cash == 0
    async with running(venue) as live:
        assert (await live.session.fetch_account()).cash == 0


async def test_books_are_read_in_yes_space_or_not_at_all(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    venue.books["#9000"] = book("#9000", levels(("0.4", "5")), levels(("0.5", "6")), 9)
    async with idle(venue) as session:
        snapshot = await session.fetch_book(OUTCOME)
        assert snapshot is not None
        assert snapshot.source is BookSource.REST
        assert snapshot.asks == ((parse("0.5"), parse("6")),)
        assert await session.fetch_book(MarketId("hyperliquid:o901")) is None
        assert [body["coin"] for kind, body in venue.requests if kind == "l2Book"] == ["#9000", "#9010"]


@pytest.mark.parametrize("answer", [(500, b"null"), (429, b"null"), (200, b"<html>"), (200, b'[{"coin":"#9000"}]')])
async def test_answers_that_are_none_are_never_an_empty_list(
    venue: FakeHyperliquid, autojump_clock: Clock, answer: Any
) -> None:
    """An empty list would be read as: nothing rests."""
    venue.info_override["frontendOpenOrders"] = lambda _body: answer
    async with idle(venue) as session:
        for read in (session.fetch_resting, session.fetch_account):
            with pytest.raises(VenueUnavailable):
                await read()


async def test_reading_is_bounded_by_the_request_deadline(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    venue.info_override = {kind: lambda _body: Never for kind in ("frontendOpenOrders", "l2Book")}
    async with idle(venue) as session:
        for read in (session.fetch_resting(), session.fetch_account(), session.fetch_book(OUTCOME)):
            start = trio.current_time()
            with pytest.raises(VenueUnavailable):
                await read
            assert trio.current_time() - start == pytest.approx(5)


async def test_a_venue_out_of_reach_is_not_sent(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    venue.refuse_http = True
    async with idle(venue) as session:
        with pytest.raises(NotSent):
            await session.fetch_resting()


# -- cancelling


async def test_orders_are_cancelled_by_venue_id(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with idle(venue) as session:
        gone = await session.cancel_now([resting(5), resting(6, leg=Leg.NO), resting(7, market=PERP)])
        assert gone == 3
        ((way, body),) = venue.actions
        assert way == "rest"
        assert body["action"] == {
            "type": "cancel",
            "cancels": [{"a": 100_009_000, "o": 5}, {"a": 100_009_001, "o": 6}, {"a": 0, "o": 7}],
            "f": True,
        }


async def test_outcomes_need_no_list_to_be_cancelled(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with idle(venue) as session:
        await session.cancel_now([resting(5)])
        assert venue.requests == []


async def test_orders_already_gone_count_as_gone_and_others_do_not(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    venue.on_action = lambda _body: statuses(
        "cancel",
        [
            "success",
            {"error": "Order was never placed, already canceled, or filled. asset=1"},
            {"error": "Trading is halted."},
        ],
    )
    async with idle(venue) as session:
        assert await session.cancel_now([resting(1), resting(2), resting(3)]) == 2


async def test_many_cancels_are_split_and_spot_orders_by_name_are_left(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with idle(venue) as session:
        orders = [resting(number) for number in range(1, 80)]
        orders.append(resting(99, market=MarketId("hyperliquid:PURR/USDC")))
        orders.append(resting(98, market=MarketId("hyperliquid:@107")))
        assert await session.cancel_now(orders) == 80
        assert [len(body["action"]["cancels"]) for _, body in venue.actions] == [39, 39, 2]
        assert venue.actions[-1][1]["action"]["cancels"][-1] == {"a": 10_107, "o": 98}
        assert session.statistics().counters["cancels_without_asset"] == 1


async def test_a_refused_cancel_is_none_gone(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    for answer in (refused("Trading is halted."), (429, b"null"), (422, b"nonsense")):
        venue.on_action = lambda _body, answer=answer: answer
        async with idle(venue) as session:
            assert await session.cancel_now([resting(1), resting(2)]) == 0


@pytest.mark.parametrize("answer", [(500, b""), (200, b"{}"), statuses("cancel", ["success"]), Never])
async def test_a_cancel_without_fitting_answer_is_unavailable(
    venue: FakeHyperliquid, autojump_clock: Clock, answer: Any
) -> None:
    venue.on_action = lambda _body: answer
    async with idle(venue) as session:
        with pytest.raises(VenueUnavailable):
            await session.cancel_now([resting(1), resting(2)])


async def test_no_orders_need_no_request(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with idle(venue) as session:
        assert await session.cancel_now([]) == 0
        assert await session.place_now([]) == []
        assert venue.actions == venue.requests == []


# -- placing


async def test_orders_are_placed_by_kind_and_answered_in_their_order(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    def answer(body: dict[str, Any]) -> Any:
        rows = body["action"]["orders"]
        if rows[0]["t"]["limit"]["tif"] == "Ioc":
            return statuses(
                "order",
                [
                    {"filled": {"oid": 1, "totalSz": "5", "avgPx": "0.4"}},
                    {"error": "Order could not immediately match against any resting orders. asset=1"},
                ],
            )
        return statuses("order", [{"resting": {"oid": 2}}] * len(rows))

    venue.on_action = answer
    async with idle(venue) as session:
        orders = [
            order(tif=Tif.IOC),
            order(tif=Tif.ALO),
            order(tif=Tif.IOC),
            order(market=MarketId("hyperliquid:DOGE")),
        ]
        assert await session.place_now(orders) == ["filled", "resting", "IocCancel", "no_such_market"]
        tifs = [[row["t"]["limit"]["tif"] for row in body["action"]["orders"]] for _, body in venue.actions]
        assert tifs == [["Alo"], ["Ioc", "Ioc"]], "kinds are never mixed"


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (refused("Trading is halted."), "Halted"),
        (refused("A text of 2027."), "A text of 2027."),
        ((429, b"null"), "RateLimitIp"),
        (statuses("order", ["waitingForTrigger"]), "senseless_answer"),
        (statuses("order", [{"error": "Insufficient spot balance asset=100009000"}]), "InsufficientSpotBalance"),
    ],
)
async def test_refusals_are_words(venue: FakeHyperliquid, autojump_clock: Clock, answer: Any, word: str) -> None:
    venue.on_action = lambda _body: answer
    async with idle(venue) as session:
        assert await session.place_now([order(tif=Tif.IOC)]) == [word]


async def test_orders_without_answer_are_unavailable(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    venue.on_action = lambda _body: Never
    async with idle(venue) as session:
        with pytest.raises(VenueUnavailable):
            await session.place_now([order()])


async def test_a_running_session_shares_its_nonces_with_direct_requests(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with running(venue) as live:
        await live.session.cancel_now([resting(1)])
        await live.session.cancel_now([resting(2)])
        nonces = [body["nonce"] for _, body in venue.actions]
        assert nonces == sorted(set(nonces))


# -- the sweep, on any session


class Venue:
    """A venue session that does as it is told, for procedures that need nothing but requests."""

    def __init__(self, *orders: RestingOrder, tokens: Sequence[TokenBalance] = ()) -> None:
        self.orders = list(orders)
        self.tokens = list(tokens)
        self.perps: list[PerpBalance] = []
        self.books: dict[MarketId, BookSnapshot | None] = {}
        self.faults: list[str] = []
        self.stubborn: set[str] = set()
        self.calls: list[str] = []
        self.sold: list[OrderRequest] = []
        self.fill_share = 1.0
        self.hang = False
        self.late: list[RestingOrder] = []

    @property
    def venue(self) -> VenueId:
        return HYPERLIQUID

    async def run(self, sink: Sink, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        raise AssertionError("a sweep runs nothing")

    def submit(self, output: Output) -> None:
        raise AssertionError("a sweep submits nothing")

    def statistics(self) -> SessionStatistics:
        raise AssertionError("a sweep asks for no statistics")

    async def _call(self, name: str) -> None:
        self.calls.append(name)
        await trio.lowlevel.checkpoint()
        if self.hang:
            await trio.sleep_forever()
        if self.faults and self.faults[0] == name:
            self.faults.pop(0)
            raise VenueUnavailable(name)

    async def fetch_resting(self) -> list[RestingOrder]:
        await self._call("resting")
        seen = list(self.orders)
        self.orders += [self.late.pop(0)] if self.late else []
        return seen

    async def fetch_account(self) -> AccountState:
        await self._call("account")
        return AccountState(
            venue=HYPERLIQUID, cash=Cash(0), tokens=tuple(self.tokens), orders=tuple(self.orders), asked_mono_ns=0,
            perps=tuple(self.perps),
        )  # fmt: skip

    async def fetch_book(self, market: MarketId) -> BookSnapshot | None:
        await self._call("book")
        return self.books.get(market)

    def sale_rules(self, market: MarketId) -> SaleRules | None:
        return RULES if self.books.get(market) is not None else None

    async def cancel_now(self, orders: Sequence[RestingOrder]) -> int:
        await self._call("cancel")
        gone = {one.venue_order_id for one in orders} - self.stubborn
        self.orders = [one for one in self.orders if one.venue_order_id not in gone]
        return len(gone)

    async def place_now(self, orders: Sequence[OrderRequest]) -> list[str]:
        await self._call("place")
        self.sold += orders
        for one in orders:
            if one.market == PERP:
                assert one.reduce_only
                self.perps = []
                continue
            sold = int(one.qty * self.fill_share) // SCALE * SCALE
            self.tokens = [
                TokenBalance(token.market, token.leg, Qty(token.total - sold), token.cost)
                if (token.market, token.leg) == (one.market, one.leg)
                else token
                for token in self.tokens
            ]
        self.tokens = [token for token in self.tokens if token.total]
        return ["filled"] * len(orders)


def ours(oid: int) -> RestingOrder:
    return resting(oid, IDS.mint())


async def test_a_sweep_cancels_and_looks_twice(autojump_clock: Clock) -> None:
    one = Venue(ours(1), ours(2))
    report = await cancel_all(one)
    assert report == CancelReport(remaining=(), verified=True, canceled=2, failures=0)
    assert one.calls == ["resting", "cancel", "resting", "resting"]


async def test_a_sweep_of_an_empty_account_looks_twice_and_cancels_nothing(autojump_clock: Clock) -> None:
    one = Venue()
    assert (await cancel_all(one)).verified
    assert one.calls == ["resting", "resting"]


async def test_only_our_orders_are_swept_unless_told_otherwise(autojump_clock: Clock) -> None:
    foreign = resting(9)
    one = Venue(ours(1), foreign)
    report = await cancel_all(one)
    assert (report.verified, report.remaining, report.canceled) == (True, (), 1)
    assert one.orders == [foreign]
    report = await cancel_all(one, only_ours=False)
    assert (report.verified, report.canceled, one.orders) == (True, 1, [])


async def test_an_order_that_appears_late_is_swept_too(autojump_clock: Clock) -> None:
    """A place that was under way when the sweep began must not survive it."""
    one = Venue(ours(1))
    one.late = [ours(2)]
    report = await cancel_all(one)
    assert (report.verified, report.canceled, one.orders) == (True, 2, [])


async def test_a_venue_that_fails_now_and_then_is_asked_again(autojump_clock: Clock) -> None:
    one = Venue(ours(1))
    one.faults = ["resting", "cancel", "resting", "resting"]
    report = await cancel_all(one)
    assert (report.verified, report.failures, one.orders) == (True, 4, [])


async def test_a_failure_between_two_looks_starts_the_count_again(autojump_clock: Clock) -> None:
    one = Venue()
    original = one._call
    looks = 0

    async def flaky(name: str) -> None:
        nonlocal looks
        looks += 1
        await original(name)
        if looks == 2:
            raise VenueUnavailable(name)

    one._call = flaky  # type: ignore[method-assign]
    report = await cancel_all(one)
    assert (report.verified, looks) == (True, 4)


async def test_an_order_that_will_not_go_is_reported(autojump_clock: Clock) -> None:
    stays = ours(1)
    one = Venue(stays, ours(2))
    one.stubborn = {stays.venue_order_id}
    start = trio.current_time()
    report = await cancel_all(one, deadline_s=10)
    assert (report.verified, report.remaining) == (False, (stays,))
    assert trio.current_time() - start <= 10


async def test_a_venue_that_never_answers_costs_the_deadline_only(autojump_clock: Clock) -> None:
    one = Venue(ours(1))
    one.hang = True
    start = trio.current_time()
    report = await cancel_all(one, deadline_s=7)
    assert trio.current_time() - start == pytest.approx(7)
    assert report == CancelReport(remaining=(), verified=False, canceled=0, failures=0)


async def test_a_sweep_finishes_although_its_caller_is_cancelled(autojump_clock: Clock) -> None:
    """An unshielded await in a cleanup would be skipped: cancel-all would never leave the building."""
    one = Venue(ours(1))
    report: CancelReport | None = None
    with trio.CancelScope() as scope:
        scope.cancel()
        report = await cancel_all(one)
    assert report is not None
    assert report.verified
    assert one.orders == []


async def test_the_shield_has_an_end(autojump_clock: Clock) -> None:
    one = Venue(ours(1))
    one.hang = True
    start = trio.current_time()
    with trio.CancelScope() as scope:
        scope.cancel()
        await cancel_all(one, deadline_s=3)
    assert trio.current_time() - start == pytest.approx(3)


# -- flattening

BOUNDS = FlattenBounds(slippage=Px(parse("0.02")))
RULES = SaleRules(tick=Px(1_000), lot=Qty(SCALE), min_notional=Cash(10 * SCALE))


def token(qty: str = "100", leg: Leg = Leg.YES, market: MarketId = OUTCOME) -> TokenBalance:
    return TokenBalance(market, leg, Qty(parse(qty)), Cash(parse("45")))


def yes_book(bid: str = "0.45", ask: str = "0.46", market: MarketId = OUTCOME) -> BookSnapshot:
    return BookSnapshot(market, ((parse(bid), SCALE),), ((parse(ask), SCALE),), 1, BookSource.REST)


def holding(*tokens: TokenBalance) -> Venue:
    one = Venue(tokens=tokens)
    one.books = {OUTCOME: yes_book()}
    return one


async def test_tokens_are_sold_until_none_are_left(autojump_clock: Clock) -> None:
    one = holding(token())
    report = await flatten_account(one, BOUNDS, ClientIds(1).mint)
    assert report.flat
    assert report.words == ("filled",)
    (sale,) = one.sold
    assert (sale.side, sale.tif, sale.qty, sale.px) == (Side.SELL, Tif.IOC, parse("100"), parse("0.43"))


async def test_part_fills_are_followed_up(autojump_clock: Clock) -> None:
    one = holding(token("1000"))
    one.fill_share = 0.5
    report = await flatten_account(one, BOUNDS, ClientIds(1).mint)
    assert [sale.qty // SCALE for sale in one.sold] == [1_000, 500, 250, 125, 63]
    assert len({sale.client_id for sale in one.sold}) == 5
    assert not report.flat
    assert report.left is not None


async def test_what_nobody_buys_is_held_and_said(autojump_clock: Clock) -> None:
    one = holding(token(), token("30", Leg.NO, MarketId("hyperliquid:o901")))
    report = await flatten_account(one, BOUNDS, ClientIds(1).mint)
    assert not report.flat
    assert report.left is not None
    assert [(held.market, held.reason) for held in report.left.held] == [("hyperliquid:o901", HoldReason.NO_BOOK)]
    assert report.left.worst_loss == parse("45")


async def test_complete_sets_are_flat(autojump_clock: Clock) -> None:
    one = holding(token("50"), token("50", Leg.NO))
    report = await flatten_account(one, BOUNDS, ClientIds(1).mint)
    assert report.flat
    assert one.sold == []


async def test_flattening_survives_failures_and_ends_by_its_deadline(autojump_clock: Clock) -> None:
    one = holding(token())
    one.faults = ["account", "book", "place"]
    report = await flatten_account(one, BOUNDS, ClientIds(1).mint)
    assert report.flat
    assert report.failures == 2
    assert report.words == ("unknown", "filled")
    stuck = holding(token())
    stuck.hang = True
    start = trio.current_time()
    report = await flatten_account(stuck, BOUNDS, ClientIds(1).mint, deadline_s=15)
    assert trio.current_time() - start == pytest.approx(15)
    assert (report.flat, report.left, report.words) == (False, None, ())


async def test_perps_are_closed_too_and_in_a_batch_of_their_own(autojump_clock: Clock) -> None:
    one = holding(token())
    one.perps = [PerpBalance(PERP, Qty(parse("-0.01")), Cash(parse("-800")))]
    one.books[PERP] = yes_book("79990", "80010", PERP)
    one.faults = ["place"]
    report = await flatten_account(one, BOUNDS, ClientIds(1).mint)
    assert report.flat
    assert report.words == ("unknown", "filled", "filled"), "an unanswered batch of perps does not stop the tokens"
    assert [(sent.market, sent.side) for sent in one.sold] == [(OUTCOME, Side.SELL), (PERP, Side.BUY)]


async def test_a_perp_without_a_book_is_tried_every_round_and_the_account_is_not_flat(autojump_clock: Clock) -> None:
    one = holding()
    one.perps = [PerpBalance(PERP, Qty(parse("0.01")), Cash(parse("800")))]
    report = await flatten_account(one, BOUNDS, ClientIds(1).mint)
    assert (report.flat, report.words) == (False, ())
    assert one.calls.count("account") == 5


async def test_close_to_settlement_nothing_is_sold(autojump_clock: Clock) -> None:
    one = holding(token())
    bounds = FlattenBounds(slippage=Px(0), hold_to_expiry_ns=60 * 10**9)
    report = await flatten_account(one, bounds, ClientIds(1).mint, expiries_ns={OUTCOME: 30 * 10**9}, wall_ns=0)
    assert one.sold == []
    assert report.left is not None
    assert report.left.held[0].reason is HoldReason.NEAR_EXPIRY


async def test_a_plan_is_sent_once_and_its_words_come_back(autojump_clock: Clock) -> None:
    one = holding(token())
    assert await flatten(one, FlattenPlan(orders=(), held=())) == ()
    assert one.calls == []
    plan = FlattenPlan(orders=(order(Side.SELL, tif=Tif.IOC), order(Side.SELL, tif=Tif.IOC)), held=())
    assert await flatten(one, plan) == ("filled", "filled")
    one.faults = ["place"]
    assert await flatten(one, plan) == ("unknown", "unknown")
    one.hang = True
    with trio.CancelScope() as scope:
        scope.cancel()
        assert await flatten(one, plan, deadline_s=2) == ("unknown", "unknown")


async def test_each_book_is_asked_for_once(autojump_clock: Clock) -> None:
    one = holding(token(), token("30", Leg.NO))
    books = await fetch_books(one, one.tokens)
    assert list(books) == [OUTCOME]
    assert one.calls == ["book"]


async def test_the_sweep_works_on_the_real_session_too(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    mine = IDS.mint()
    venue.open_orders = [order_row(cloid=mine, oid=5), order_row(cloid=..., oid=6)]
    venue.balances.append({"coin": "+9000", "total": "100", "hold": "0", "entryNtl": "45"})
    venue.books["#9000"] = book("#9000", levels(("0.45", "500")), levels(("0.46", "5")), 9)

    def act(body: dict[str, Any]) -> Any:
        action = body["action"]
        if action["type"] == "cancel":
            gone = {row["o"] for row in action["cancels"]}
            venue.open_orders = [row for row in venue.open_orders if row["oid"] not in gone]
        if action["type"] == "order":
            venue.balances = venue.balances[:1]
            return statuses("order", [{"filled": {"oid": 9, "totalSz": "100", "avgPx": "0.45"}}])
        return venue.polite(body)

    venue.on_action = act
    async with idle(venue) as session:
        report = await cancel_all(session)
        assert (report.verified, report.canceled) == (True, 1)
        assert [row["oid"] for row in venue.open_orders] == [6]
        flattened = await flatten_account(session, BOUNDS, ClientIds(1).mint)
        assert (flattened.flat, flattened.words) == (True, ("filled",))


async def test_the_sweep_of_a_session_whose_stream_is_down(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        venue.refuse_ws = True
        await venue.socket.drop()
        await live.settle()
        venue.open_orders = [order_row(cloid=IDS.mint(), oid=5)]

        def act(body: dict[str, Any]) -> Any:
            venue.open_orders = []
            return venue.polite(body)

        venue.on_action = act
        report = await cancel_all(live.session)
        assert report.verified
        assert report.canceled == 1


def test_sessions_are_built_without_a_running_loop() -> None:
    from tests.unit.venues.harness import config

    session = HyperliquidSession(config())
    assert session.statistics().posts_in_flight == 0
    assert session.statistics().data_age_s is None
    assert session.statistics().ack_p50_ms is None


# -- the perp account


def position(szi: str, entry: str = "80000.0", coin: str = "BTC") -> dict[str, Any]:
    return {"type": "oneWay", "position": {"coin": coin, "szi": szi, "entryPx": entry}}


async def test_perps_are_part_of_the_account(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    venue.perp_raw, venue.positions = "-599.5", [position("-0.01"), position("0.0")]
    async with idle(venue) as session:
        state = await session.fetch_account()
        assert state.perps == (PerpBalance(PERP, Qty(parse("-0.01")), Cash(parse("-800"))),)
        assert state.perp_cash == parse("-599.5")
        assert venue.counted("clearinghouseState") == 1


@pytest.mark.parametrize(
    "row", [position("x"), position("0.01", "0"), position("0.01", coin="#9000"), {"type": "oneWay"}]
)
async def test_a_perp_that_cannot_be_read_is_no_account_at_all(
    venue: FakeHyperliquid, autojump_clock: Clock, row: dict[str, Any]
) -> None:
    venue.positions = [position("1", coin="ETH"), row]
    async with idle(venue) as session:
        with pytest.raises(VenueUnavailable):
            await session.fetch_account()


async def test_funding_is_told_once_and_before_the_account(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    def paid(coin: str, usdc: str, later_ms: int) -> dict[str, Any]:
        return {"time": now_ms() + later_ms, "delta": {"type": "funding", "coin": coin, "usdc": usdc}, "hash": "0x"}

    venue.funding = [paid("BTC", "9", -60_000)]
    async with running(venue) as live:
        assert live.seen.of(FundingPaid) == [], "older than the session: inside the balances"
        asked = venue.counted("userFunding")
        await trio.sleep(60)
        assert venue.counted("userFunding") == asked, "not asked for while no perp is held"
        venue.positions = [position("0.01")]
        venue.funding.append(paid("BTC", "-0.25", 1_000))
        await trio.sleep(60)
        told = live.seen.of(FundingPaid)
        assert [(one.market, one.amount) for one in told] == [(PERP, parse("0.25"))]
        place = live.seen.inputs.index(told[0])
        assert isinstance(live.seen.inputs[place + 1], AccountState)
        venue.positions = []
        await trio.sleep(30)
        asked = venue.counted("userFunding")
        await trio.sleep(60)
        assert venue.counted("userFunding") == asked


async def test_a_perp_is_closed_with_the_flag_that_forbids_opening(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    venue.positions = [position("0.01")]
    venue.books["BTC"] = book("BTC", levels(("79990", "5")), levels(("80010", "5")), 9)

    def act(body: dict[str, Any]) -> Any:
        venue.positions = []
        return statuses("order", [{"filled": {"oid": 9, "totalSz": "0.01", "avgPx": "79990"}}])

    venue.on_action = act
    async with idle(venue) as session:
        report = await flatten_account(session, BOUNDS, ClientIds(1).mint)
    assert (report.flat, report.words) == (True, ("filled",))
    (row,) = venue.actions[-1][1]["action"]["orders"]
    assert (row["a"], row["b"], row["p"], row["s"], row["r"]) == (0, False, "79591", "0.01", True)
    assert row["t"] == {"limit": {"tif": "Ioc"}}
