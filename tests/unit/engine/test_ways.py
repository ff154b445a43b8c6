"""The two ways out of single tokens, and the walk that uses them: whatever fills, the worst case never gets worse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.fills import FillKind
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import ConversionFailed, FeeRates, OperatorAction
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Side
from hlomm.domain.outputs import ConvertSet, HaltState, Output
from hlomm.domain.sets import SetAction
from hlomm.domain.units import SCALE
from hlomm.engine.ways import Terms, Way, better, bids_for, purchase, sale
from tests.support.rig import Rig, alerts, of, placed
from tests.support.values import M, levels, lots, px, usd

TERMS = Terms(slippage=px("0.05"), tick=1_000, lot=SCALE, minimum=usd(10))
FREE = Terms(slippage=px("0.05"), tick=1_000, lot=SCALE, minimum=0)


def kept(way: Way | None) -> int:
    assert way is not None
    return way.kept


def test_both_ways_meet_the_same_orders_and_keep_the_same_but_for_fees() -> None:
    buyers = levels(("0.40", 60), ("0.38", 20), ("0.30", 500))
    sold = sale(Leg.YES, lots(100), buyers, None, FREE)
    bought = purchase(Leg.YES, lots(100), buyers, None, usd(1_000), FREE)
    assert (kept(sold), kept(bought)) == (usd("31.6"), usd("31.6")), "what is beyond the slippage stays"
    assert better(sold, bought) is sold


@pytest.mark.parametrize(
    ("fees", "side"),
    [
        ({"sale": 70_000}, Side.BUY),
        ({"sale": 70_000, "merge": 70_000}, Side.SELL),
        ({"purchase": 1}, Side.SELL),
        ({"sale": 70_000, "purchase": 70_000}, Side.SELL),
    ],
)
def test_the_cheaper_way_is_taken(fees: dict[str, int], side: Side) -> None:
    terms = Terms(slippage=px("0.05"), tick=1_000, lot=SCALE, minimum=usd(10), **fees)
    buyers = levels(("0.40", 500))
    way = better(
        sale(Leg.YES, lots(100), buyers, None, terms), purchase(Leg.YES, lots(100), buyers, None, usd(1_000), terms)
    )
    assert way is not None
    assert way.side is side


def test_a_complement_that_would_cost_what_it_merges_to_is_not_bought() -> None:
    assert purchase(Leg.YES, lots(100), levels(("0.00001", 500)), None, usd(1_000), TERMS) is not None
    dear = Terms(slippage=px("0.05"), tick=1_000, lot=SCALE, minimum=usd(10), merge=70_000)
    assert purchase(Leg.YES, lots(100), levels(("0.0005", 500)), None, usd(1_000), dear) is None


def test_buyers_of_no_are_those_who_offer_yes() -> None:
    assert bids_for(Leg.NO, (), levels(("0.6", 5), ("0.7", 9))) == list(levels(("0.4", 5), ("0.3", 9)))


TICKS = st.integers(1, 99_999)


@st.composite
def books(draw: st.DrawFn) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
    split = draw(st.integers(1, 99_999))
    sizes = st.integers(1, 400)
    bids = draw(st.lists(st.tuples(st.integers(1, split), sizes), max_size=4, unique_by=lambda row: row[0]))
    asks = draw(st.lists(st.tuples(st.integers(split + 1, 100_000), sizes), max_size=4, unique_by=lambda row: row[0]))
    return (
        tuple((tick * 1_000, size * SCALE) for tick, size in sorted(bids, reverse=True)),
        tuple((tick * 1_000, size * SCALE) for tick, size in sorted(asks) if tick < 100_000),
    )


RATES = st.integers(0, 2_000_000)


@given(
    book=books(), number=st.integers(1, 500), cash=st.integers(0, 500), leg=st.sampled_from(Leg), sell=RATES, buy=RATES,
    merge=RATES, slip=st.integers(0, 30_000 * 1_000),
)  # fmt: skip
def test_no_part_of_either_way_makes_the_worst_case_worse(
    book: tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]], number: int, cash: int, leg: Leg, sell: int,
    buy: int, merge: int, slip: int,
) -> None:  # fmt: skip
    """The least an account pays at settlement is cash plus pairs. Any fill at the limit or better leaves it as good."""
    terms = Terms(slippage=slip, tick=1_000, lot=SCALE, minimum=10 * SCALE, sale=sell, purchase=buy, merge=merge)
    buyers = bids_for(leg, *book)
    sold = sale(leg, number * SCALE, buyers, None, terms)
    bought = purchase(leg, number * SCALE, buyers, None, cash * SCALE, terms)
    if sold is not None:
        assert max(buyers[0][0] - slip, 1) <= sold.px <= buyers[0][0], "no more is given than the slippage"
        assert sold.qty <= number * SCALE
        assert sold.px * sold.qty >= 10 * SCALE * SCALE
        assert sold.kept >= 0
    if bought is not None:
        fee = -(-bought.px * buy // SCALE)
        assert SCALE - buyers[0][0] <= bought.px <= SCALE - buyers[0][0] + slip
        assert bought.px + fee <= SCALE, "a contract costs no more than the pair it completes is worth"
        assert bought.qty <= number * SCALE
        assert bought.qty * (bought.px + fee) <= cash * SCALE * SCALE
        assert bought.kept >= 0


# -- the walk


def floor_of(rig: Rig) -> int:
    """What is certain whatever settles: cash and pairs."""
    position = rig.state.portfolio.position(M)
    return rig.state.portfolio.cash + position.pairs


def play(rig: Rig, order: OrderRequest, take: int, at: int) -> list[Output]:
    """Fill a part, up to `take` lots, somewhere between the touch and the limit."""
    buyers = bids_for(order.leg, *_sides(rig)) if order.side is Side.SELL else bids_for(_other(order.leg), *_sides(rig))
    touch = buyers[0][0] if order.side is Side.SELL else SCALE - buyers[0][0]
    price = touch + (order.px - touch) * at // 100 // 1_000 * 1_000
    number = min(take * SCALE, order.qty)
    found: list[Output] = []
    if number:
        found += rig.filled(order, number / SCALE, at=price / SCALE if price % SCALE else price // SCALE)
    if number < order.qty:
        found += rig.closed(order, filled=number / SCALE, oid=f"{order.client_id[-4:]}")
    return found


def _sides(rig: Rig) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
    book = rig.market().book
    return book.bids, book.asks


def _other(leg: Leg) -> Leg:
    return Leg.NO if leg is Leg.YES else Leg.YES


@given(
    yes=st.integers(0, 120), no=st.integers(0, 120), cash=st.integers(0, 300),
    pages=st.lists(books(), min_size=1, max_size=8),
    plays=st.lists(st.tuples(st.integers(0, 120), st.integers(0, 100), st.booleans()), min_size=1, max_size=12),
    fees=st.booleans(), merging=st.sampled_from(("works", "fails", "lost")),
)  # fmt: skip
def test_on_no_way_to_flat_does_the_worst_case_get_worse(
    yes: int, no: int, cash: int,
    pages: list[tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]],
    plays: list[tuple[int, int, bool]], fees: bool, merging: str,
) -> None:  # fmt: skip
    """Any books, any part of any order filled at any price it allows, merges that work or not: it ends, saying how."""
    rig = Rig(cash=cash + 130)
    if fees:
        rig.tell(
            FeeRates(venue=HYPERLIQUID, open_maker=0, open_taker=0, close_maker=0, close_taker=70_000, settle=70_000)
        )
    for leg, number in ((Leg.YES, yes), (Leg.NO, no)):
        if number:
            rig.buy(number, "0.5", leg)
    rig.book(*pages[0])
    least = floor_of(rig)
    outputs = rig.command(OperatorAction.FLATTEN)
    turns = 0
    while rig.halt is HaltState.FLATTENING:
        turns += 1
        assert turns < 60, "it does not end"
        take, at, instantly = plays[turns % len(plays)]
        sent, merges = placed(outputs), of(outputs, ConvertSet)
        outputs = []
        assert len(sent) + len(merges) <= 1, "one step at a time"
        surplus = abs(rig.net())
        for order in sent:
            assert order.qty <= surplus
            held = order.leg if order.side is Side.SELL else _other(order.leg)
            position = rig.state.portfolio.position(M)
            assert position.held(held) > position.held(_other(held)), "the naked leg is reduced, never the other"
            outputs += play(rig, order, take, at)
        for merge in merges:
            if merging == "fails":
                outputs += rig.tell(ConversionFailed(action=SetAction.MERGE, market=M, text="no"))
            elif merging == "works":
                for leg in Leg:
                    outputs += rig.buy(merge.qty / SCALE, "0.5", leg, side=Side.SELL, kind=FillKind.MERGE)
        now = floor_of(rig)
        assert now >= least, "the least that is certain fell"
        assert abs(rig.net()) <= surplus
        least = now
        if not instantly:
            outputs += rig.book(*pages[turns % len(pages)])
        outputs += rig.wait(1.0)
    position = rig.state.portfolio.position(M)
    (alert,) = alerts(rig.outputs, "flattened") or alerts(rig.outputs, "flatten_deadline")
    assert position.flat or "worst" in alert.text
    assert "(worst" not in alert.text or "; )" not in alert.text
