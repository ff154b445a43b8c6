"""One account to the last unit: cost, realised result, fees, settlement, and what comes in the wrong order.

Expected figures are written out by hand; the machine in `tests/machines/test_engine_portfolio.py` holds random lives
against a second bookkeeper.
"""

from __future__ import annotations

import itertools

import msgspec
import pytest

from hlomm.domain.faults import InvariantBroken
from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import TokenBalance
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import Qty
from hlomm.engine import portfolio as portfolio_module
from hlomm.engine.exposure import locked_cost, worst_loss
from hlomm.engine.portfolio import Portfolio
from hlomm.engine.position import Position
from tests.support.values import M2, M, account, lots, px, token, usd

COUNT = itertools.count(1)


def fill(
    number: float,
    price: str,
    leg: Leg = Leg.YES,
    side: Side = Side.BUY,
    *,
    fee: str = "0",
    kind: FillKind = FillKind.TRADE,
    market: MarketId = M,
) -> Fill:
    return Fill(
        key=f"{next(COUNT)}", market=market, leg=leg, side=side, px=px(price), qty=lots(number), fee=usd(fee),
        kind=kind, maker=True, client_id=None, venue_order_id=None, venue_ms=0,
    )  # fmt: skip


def sold(number: float, price: str, leg: Leg = Leg.YES, *, fee: str = "0") -> Fill:
    return fill(number, price, leg, Side.SELL, fee=fee)


@pytest.fixture
def books() -> Portfolio:
    portfolio = Portfolio()
    portfolio.open_with(account("1000"))
    return portfolio


def test_a_purchase_turns_cash_into_cost(books: Portfolio) -> None:
    books.apply(fill(100, "0.40"))
    assert books.cash == usd("960")
    assert books.position(M).cost_yes == usd("40")
    assert books.realised == 0
    assert books.position(M).net == lots(100)


def test_a_round_trip_realises_the_difference_less_fees(books: Portfolio) -> None:
    books.apply(fill(100, "0.40"))
    books.apply(sold(100, "0.46", fee="0.05"))
    assert books.totals() == (usd("1005.95"), usd("6"), usd("0.05"))
    assert books.position(M).flat
    assert books.cost == 0
    assert books.position(M).fees == usd("0.05")


def test_partial_sales_release_average_cost_and_the_last_one_all_of_it(books: Portfolio) -> None:
    books.apply(fill(3, "0.33333333"))
    for _ in range(3):
        books.apply(sold(1, "0.50"))
    assert books.cost == 0
    assert books.realised == usd("1.5") - usd("0.99999999")


def test_buying_the_other_side_makes_pairs(books: Portfolio) -> None:
    books.apply(fill(100, "0.40"))
    books.apply(fill(60, "0.55", Leg.NO))
    position = books.position(M)
    assert position.pairs == lots(60)
    assert position.net == lots(40)
    assert locked_cost(position) == usd("16"), "40 single YES at 0.40"
    assert books.cash == usd("927")


def test_a_merge_of_pairs_brings_exactly_one_each(books: Portfolio) -> None:
    books.apply(fill(60, "0.40"))
    books.apply(fill(60, "0.55", Leg.NO))
    for leg in Leg:
        books.apply(fill(60, "0.5", leg, Side.SELL, kind=FillKind.MERGE))
    assert books.cash == usd("1003"), "60 pairs bought for 0.95 each"
    assert books.realised == usd("3")
    assert books.fills == 2
    assert books.volume == usd("57"), "a merge is no trade"


def test_a_split_costs_exactly_one_each(books: Portfolio) -> None:
    for leg in Leg:
        books.apply(fill(10, "0.5", leg, kind=FillKind.SPLIT))
    assert books.cash == usd("990")
    assert books.position(M).cost_yes + books.position(M).cost_no == usd("10")


@pytest.mark.parametrize(
    ("yes_px", "cash", "realised"), [("1", "1030", "30"), ("0", "980", "-20"), ("0.25", "992.5", "-7.5")]
)
def test_settlement_pays_both_legs(books: Portfolio, yes_px: str, cash: str, realised: str) -> None:
    books.apply(fill(100, "0.40"))
    books.apply(fill(50, "0.60", Leg.NO))
    assert books.settle(M, px(yes_px))
    assert books.position(M).flat
    assert (books.cash, books.realised) == (usd(cash), usd(realised))
    assert (books.settlements, books.settlements_held) == (1, 1)


@pytest.mark.parametrize("leg", list(Leg))
def test_what_does_not_come_out_even_is_rounded_against_us(books: Portfolio, leg: Leg) -> None:
    three = msgspec.structs.replace(fill(1, "0.5", leg), qty=Qty(3))
    books.apply(three)
    assert books.cash == usd("1000") - 2
    books.apply(msgspec.structs.replace(three, side=Side.SELL, qty=Qty(1), key="sold"))
    assert (books.cash, books.realised) == (usd("1000") - 2, 0)
    books.apply(msgspec.structs.replace(three, qty=Qty(1), key="again"))
    books.settle(M, px("0.5"))
    assert books.cash == usd("1000") - 2, "2 for three, nothing for one, 1 for one, and 1 of 1.5 in the end"


def test_settling_twice_the_same_way_is_once(books: Portfolio) -> None:
    books.apply(fill(100, "0.40"))
    assert books.settle(M, px(1))
    before = books.totals()
    assert not books.settle(M, px(1))
    assert books.totals() == before
    assert books.settlements == 1


def test_settling_twice_differently_is_impossible(books: Portfolio) -> None:
    books.settle(M, px(1))
    with pytest.raises(InvariantBroken, match="settled at 1 and again at 0"):
        books.settle(M, px(0))


def test_a_market_without_tokens_settles_without_cash(books: Portfolio) -> None:
    assert books.settle(M, px(1))
    assert (books.settlements, books.settlements_held) == (1, 0)
    assert books.cash == usd("1000")
    assert M not in books.positions
    books.apply(fill(10, "0.40", market=M2))
    books.apply(fill(10, "0.50", market=M2, side=Side.SELL))
    books.settle(M2, px(1))
    assert (books.settlements, books.settlements_held) == (2, 0)


def test_a_fill_after_the_settlement_becomes_cash_at_once(books: Portfolio) -> None:
    books.settle(M, px(1))
    books.apply(fill(10, "0.90"))
    assert books.position(M).flat
    assert books.totals() == (usd("1001"), usd("1"), 0)
    books.apply(fill(10, "0.20", Leg.NO))
    assert books.totals() == (usd("999"), usd("-1"), 0)


def test_a_sale_reported_before_its_purchase_is_short_for_a_moment(books: Portfolio) -> None:
    books.apply(sold(100, "0.46"))
    assert books.position(M).held(Leg.YES) == -lots(100)
    assert books.position(M).net == -lots(100)
    assert books.cost == 0
    books.apply(fill(100, "0.40"))
    assert books.totals() == (usd("1006"), usd("6"), 0)
    assert books.cost == 0
    assert books.position(M).flat


def test_a_purchase_that_covers_more_than_the_short(books: Portfolio) -> None:
    books.apply(sold(40, "0.50"))
    books.apply(fill(100, "0.40"))
    assert books.position(M).held(Leg.YES) == lots(60)
    assert books.position(M).cost_yes == usd("24")
    assert books.realised == usd("4")


def test_a_short_at_settlement_pays(books: Portfolio) -> None:
    """The purchase never came: what was sold must be delivered."""
    books.apply(sold(10, "0.50"))
    books.settle(M, px(1))
    assert books.totals() == (usd("995"), usd("-5"), 0)


def test_looking_at_a_position_leaves_no_trace() -> None:
    """A status poll before the account is known must not make the account 'opened twice'."""
    portfolio = Portfolio()
    assert portfolio.position(M).flat
    assert portfolio.positions == {}
    portfolio.open_with(account("5"))
    assert portfolio.cash == usd("5")


def test_an_account_is_opened_once(books: Portfolio) -> None:
    with pytest.raises(InvariantBroken, match="opened twice"):
        books.open_with(account("1000"))


def test_found_tokens_keep_the_venues_cost() -> None:
    portfolio = Portfolio()
    portfolio.open_with(account("100", (token(50, "20"), token(10, "7", Leg.NO, M2))))
    assert portfolio.deposits == usd("127")
    portfolio.apply(sold(25, "0.50"))
    assert portfolio.realised == usd("2.5")
    assert portfolio.position(M2).cost_no == usd("7")


def test_tokens_of_a_market_that_settled_before_the_account_was_told_are_cash() -> None:
    """The report was asked for before the settlement: such tokens would otherwise stay on the books for ever."""
    portfolio = Portfolio()
    portfolio.settle(M, px(1))
    portfolio.open_with(account("100", (token(50, "20"),)))
    assert portfolio.position(M).flat
    assert portfolio.cash == usd("150")
    assert portfolio.realised == usd("30")


def test_late_settlement_fees_reach_the_totals_even_without_a_position(books: Portfolio) -> None:
    books.charge(M, usd("0.25"))
    assert books.totals() == (usd("999.75"), 0, usd("0.25"))
    books.check()
    assert M not in books.positions


# -- taking over the venue's figures


def test_adopting_what_the_venue_says(books: Portfolio) -> None:
    books.apply(fill(100, "0.40"))
    tokens = (token(130, "52"), token(5, "3", Leg.NO, M2))
    books.adopt(account("940", tokens))
    assert books.position(M).held(Leg.YES) == lots(130)
    assert books.position(M2).cost_no == usd("3")
    assert books.cash == usd("940")
    books.check()


def test_adopted_tokens_come_at_the_venues_average_cost(books: Portfolio) -> None:
    """A purchase whose fill was lost: cash fell by 12 and 30 tokens appeared. Nothing was earned by that."""
    books.apply(fill(100, "0.40"))
    books.adopt(account("948", (token(130, "52"),)))
    assert books.position(M).cost_yes == usd("52")
    assert books.adjustments == 0
    assert books.realised == 0


def test_adopting_fewer_tokens_releases_their_cost(books: Portfolio) -> None:
    books.apply(fill(100, "0.40"))
    books.adopt(account("960", (token(25, "10"),)))
    assert books.position(M).cost_yes == usd("10")
    assert books.adjustments == -usd("30")
    books.check()


def test_adopting_over_a_short_ends_it(books: Portfolio) -> None:
    books.apply(sold(10, "0.5"))
    books.adopt(account("1000", (token(20, "8"),)))
    assert books.position(M).held(Leg.YES) == lots(20)
    assert books.position(M).cost_yes == usd("8")
    books.check()


def test_adopting_an_empty_account_empties_the_books(books: Portfolio) -> None:
    books.apply(fill(100, "0.40"))
    books.adopt(account("0"))
    assert books.position(M).flat
    assert books.cost == 0
    assert books.adjustments == -usd("1000")


# -- what a check is worth


@pytest.mark.parametrize("field", ["cash", "cost", "realised", "fees", "deposits", "adjustments"])
def test_one_unit_astray_is_noticed(books: Portfolio, field: str) -> None:
    books.apply(fill(100, "0.40", fee="0.01"))
    setattr(books, field, getattr(books, field) + 1)
    with pytest.raises(InvariantBroken, match="do not conserve"):
        books.check()


def test_settlement_prices_are_remembered_within_a_bound(books: Portfolio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portfolio_module, "SETTLED_REMEMBERED", 10)
    for number in range(50):
        books.settle(MarketId(f"hyperliquid:o{number}"), px(1))
    assert len(books.settled) == 10
    assert MarketId("hyperliquid:o49") in books.settled
    assert books.settlements == 50


def test_only_a_flat_position_is_forgotten(books: Portfolio) -> None:
    books.apply(fill(1, "0.5"))
    with pytest.raises(AssertionError):
        books.forget(M)
    books.apply(sold(1, "0.5"))
    books.forget(M)
    books.forget(M2)
    assert books.positions == {}
    books.check()


# -- what is at stake


def held(yes: float, no: float, cost_yes: str, cost_no: str) -> Position:
    return Position(yes=lots(yes), no=lots(no), cost_yes=usd(cost_yes), cost_no=usd(cost_no))


@pytest.mark.parametrize(
    ("position", "locked", "loss"),
    [
        (held(0, 0, "0", "0"), "0", "0"),
        (held(100, 0, "40", "0"), "40", "40"),
        (held(0, 100, "0", "55"), "55", "55"),
        (held(100, 100, "40", "55"), "0", "0"),  # bought for 0.95, worth 1 whatever happens
        (held(100, 100, "50", "55"), "0", "5"),  # bought for 1.05
        (held(100, 40, "40", "22"), "24", "22"),  # 60 single YES cost 24; NO wins: 62 - 40
        (held(40, 100, "16", "55"), "33", "31"),
    ],
)
def test_locked_cost_and_worst_loss(position: Position, locked: str, loss: str) -> None:
    assert locked_cost(position) == usd(locked)
    assert worst_loss(position) == usd(loss)


def test_locked_cost_rounds_up() -> None:
    position = Position(yes=3, no=1, cost_yes=10, cost_no=0)
    assert locked_cost(position) == 7, "two thirds of ten"


def test_balances_of_zero_tokens_open_flat() -> None:
    portfolio = Portfolio()
    portfolio.open_with(account("1", (TokenBalance(M, Leg.YES, lots(0), usd(0)),)))
    assert portfolio.position(M).flat
    portfolio.check()
