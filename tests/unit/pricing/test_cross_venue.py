"""Arbitrage of several legs: shared vectors, brute force over lots, and the fee bound against the venue's own rule."""

from __future__ import annotations

import itertools
from decimal import Decimal
from fractions import Fraction

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.domain.markets import FeeCurve
from hlomm.domain.units import SCALE, Cash, Px, Qty, parse
from hlomm.pricing.cross_venue import Crossing, Nothing, appraise, resting_px, search
from hlomm.pricing.fees import FillSide, KalshiFill, kalshi_fills
from hlomm.pricing.leg_costs import (
    LegFee,
    LegOffer,
    TradeTerms,
    as_purchase,
    breakeven,
    capital_cost,
    cost_of_one,
    left_of_one,
    net_of,
)
from hlomm.pricing.strikes import Rung, bucket_edges, out_of_order
from tests.support.values import levels, lots, usd

PROPERTY = settings.get_profile("pricing")
CENT = SCALE // 100
KALSHI = FeeCurve(taker=7_000_000, step=Cash(1_000_000))
POLY = FeeCurve(taker=7_000_000, step=Cash(1_000), up=False)
FREE = TradeTerms(min_edge=1, max_qty=Qty(10**15), max_capital=Cash(10**17))


def scaled(value: float) -> int:
    return parse(format(Decimal(str(value)), "f"))


def flat(fee: float, *, sale: bool = False) -> LegFee:
    """So much per contract, whatever the price."""
    return LegFee(settle=scaled(fee), sale=sale)


def offer(*pairs: tuple[str | float, float], fee: LegFee | None = None, **changes: int) -> LegOffer:
    return LegOffer(levels=levels(*pairs), fee=fee or LegFee(), **changes)


# -- vectors


@pytest.mark.quant("arb", "cross_venue")
def test_edge_of_one_pair(case, check):
    given_ = {name: scaled(value) for name, value in case.given.items()}
    legs = LegOffer(levels=(), fee=flat(case.given["fee_a"])), LegOffer(levels=(), fee=flat(case.given["fee_b"]))
    px = given_["ask_a"], SCALE - given_["bid_b"]
    terms = attrs.evolve(FREE, basis=given_["bridge"])
    cost, left = cost_of_one(legs, px), left_of_one(terms, legs, px)
    check(
        {
            "gross_edge": (SCALE - sum(px)) / SCALE, "net_edge": left / SCALE, "capital_per_pair": cost / SCALE,
            "roc": left / cost, "net_edge_bps_of_payout": left / SCALE * 1e4,
        }
    )  # fmt: skip


@pytest.mark.quant("arb", "complete_set")
def test_both_tokens_of_one_contract(case, check):
    given_ = case.given
    assert given_["merge_fee"] == given_["split_fee"] == 0
    buy = [LegOffer(levels=(), fee=flat(given_[f"fee_buy_{side}"])) for side in ("yes", "no")]
    sell = [LegOffer(levels=(), fee=flat(given_[f"fee_sell_{side}"], sale=True)) for side in ("yes", "no")]
    bids = [(scaled(given_[f"bid_{side}"]), lots(1)) for side in ("yes", "no")]
    check(
        {
            "buy_merge_edge": left_of_one(FREE, buy, (scaled(given_["ask_yes"]), scaled(given_["ask_no"]))) / SCALE,
            "split_sell_edge": left_of_one(FREE, sell, [px for px, _ in as_purchase(bids)]) / SCALE,
        }
    )  # fmt: skip


@pytest.mark.quant("arb", "depth_sweep")
def test_how_deep_into_the_books(case, check):
    given_ = case.given

    def leg(side: list[list[float]], fee: dict[str, object], *, sale: bool) -> LegOffer:
        book = tuple((scaled(px), lots(qty)) for px, qty in side)
        rate = scaled(fee["rate"])  # type: ignore[arg-type]
        curve = FeeCurve(taker=rate) if fee["kind"] == "quad" else None
        return LegOffer(
            levels=as_purchase(book) if sale else book,
            fee=LegFee(curve=curve, rate=rate if fee["kind"] == "prop" else 0, sale=sale),
        )

    legs = leg(given_["asks"], given_["fee_a"], sale=False), leg(given_["bids"], given_["fee_b"], sale=True)
    cap = given_["cap_cost"]
    terms = attrs.evolve(
        FREE, min_edge=scaled(given_["min_edge"]), max_capital=FREE.max_capital if cap is None else usd(cap)
    )
    found = search(legs, terms)
    assert isinstance(found, Crossing)
    before_rounding = found.profit + found.deductions.rounding
    check(
        {
            "steps": [
                {"ask": s.px[0] / SCALE, "bid": 1 - s.px[1] / SCALE, "qty": s.qty / SCALE, "edge": s.edge / SCALE}
                for s in found.steps
            ],
            "qty": found.qty / SCALE, "profit": before_rounding / SCALE,
            "capital": (found.capital - found.deductions.rounding) / SCALE, "avg_edge": before_rounding / found.qty,
        }
    )  # fmt: skip


@pytest.mark.quant("arb", "strike_monotonic")
def test_strikes_out_of_order(case, check):
    rows = zip(case.given["strikes"], case.given["bids"], case.given["asks"], strict=True)
    ladder = [Rung(strike=Px(scaled(k)), bid=Px(scaled(bid)), ask=Px(scaled(ask))) for k, bid, ask in rows]
    found = out_of_order(ladder)
    check({"violations": [{"lo_index": one.low, "hi_index": one.high, "edge": one.edge / SCALE} for one in found]})
    for one in found:  # the same trade, by the search that all arbitrages share
        legs = [
            offer((case.given["asks"][one.low], 10)),
            LegOffer(levels=as_purchase(levels((case.given["bids"][one.high], 5)))),
        ]
        trade = search(legs, FREE)
        assert isinstance(trade, Crossing)
        assert (trade.edge, trade.qty) == (one.edge, lots(5))


@pytest.mark.quant("arb", "bucket_vs_strikes")
def test_a_bucket_against_its_strikes(case, check):
    rungs = [
        Rung(strike=Px(0), bid=Px(scaled(case.given[f"bid_{name}"])), ask=Px(scaled(case.given[f"ask_{name}"])))
        for name in ("bucket", "lo", "hi")
    ]
    buy, sell = bucket_edges(*rungs)
    assert buy is not None
    assert sell is not None
    check({"buy_bucket_edge": buy / SCALE, "sell_bucket_edge": sell / SCALE})


@pytest.mark.quant("arb", "legging")
def test_being_left_with_one_leg(case, check):
    edge, unwind, p = (case.given[name] for name in ("edge", "unwind_cost", "p_fill"))
    terms = attrs.evolve(FREE, p_complete=scaled(p), unwind=scaled(unwind))
    check({"ev": net_of(scaled(edge), terms) / SCALE, "breakeven_p": breakeven(edge, unwind)})


# -- brute force

LOTS = st.sampled_from([SCALE, 2 * SCALE, 3 * SCALE])
PRICES = st.integers(1, 99).map(lambda cents: cents * CENT)


@st.composite
def ladders(draw):
    prices = sorted(draw(st.sets(PRICES, min_size=0, max_size=4)))
    return tuple((px, lots(draw(st.integers(1, 8)))) for px in prices)


@st.composite
def trades(draw):
    fees = [
        LegFee(), LegFee(curve=KALSHI), LegFee(curve=POLY), LegFee(rate=70_000), LegFee(rate=140_000, sale=True),
        LegFee(rate=0, settle=140_000),
    ]  # fmt: skip
    legs = [
        LegOffer(
            levels=draw(ladders()), fee=draw(st.sampled_from(fees)), lot=draw(LOTS),
            least_qty=draw(st.sampled_from([0, 3 * SCALE])), least_notional=draw(st.sampled_from([0, SCALE])),
            bridge=draw(st.sampled_from([0, 100_000])),
        )
        for _ in range(draw(st.integers(2, 3)))
    ]  # fmt: skip
    terms = TradeTerms(
        min_edge=draw(st.sampled_from([0, CENT // 2, 2 * CENT])), capital=draw(st.sampled_from([0, 50_000])),
        basis=draw(st.sampled_from([0, CENT])), p_complete=draw(st.sampled_from([SCALE, 90_000_000])),
        unwind=draw(st.sampled_from([0, CENT])), max_qty=lots(draw(st.integers(1, 20))),
        max_capital=usd(draw(st.integers(1, 15))),
    )  # fmt: skip
    return legs, terms


def by_hand(legs, terms, contracts: int):
    """(net of the last contract, prices, fees by leg, fills by leg) of so many contracts; None if the books end."""
    units = [list(itertools.chain.from_iterable([px] * (size // SCALE) for px, size in leg.levels)) for leg in legs]
    if any(len(unit) < contracts for unit in units):
        return None
    taken = [unit[:contracts] for unit in units]
    fees = [sum(leg.fee.each(px) for px in unit) for leg, unit in zip(legs, taken, strict=True)]
    last = left_of_one(terms, legs, [unit[-1] for unit in taken])
    return last, sum(map(sum, taken)), fees, [len(set(unit)) for unit in taken]


@PROPERTY
@given(trades())
def test_the_size_is_the_largest_that_brute_force_finds(trade):
    legs, terms = trade
    found = search(legs, terms)
    best = 0
    for contracts in range(1, 41):
        made = by_hand(legs, terms, contracts)
        if made is None or made[0] < terms.min_edge or contracts * SCALE > terms.max_qty:
            break
        rounding = sum(leg.fee.rounding(fills) for leg, fills in zip(legs, made[3], strict=True))
        whole = all(contracts * SCALE % leg.lot == 0 for leg in legs)
        if whole and made[1] + sum(made[2]) + rounding <= terms.max_capital:
            best = contracts
    if isinstance(found, Nothing):
        if best:
            assert found.guard in ("minimum", "rounding", "no_room", "lot")
        if found.guard in ("no_room", "lot"):
            assert best == 0
        return
    assert found.qty == best * SCALE
    _, prices, fees, fills = by_hand(legs, terms, best)
    assert found.gross == best * SCALE - prices
    assert found.deductions.fees == tuple(fees)
    rounding = sum(leg.fee.rounding(count) for leg, count in zip(legs, fills, strict=True))
    assert found.capital == prices + sum(fees) + rounding <= terms.max_capital
    assert found.profit == found.gross - found.deductions.total
    assert found.profit >= terms.min_edge * best
    assert found.edge >= terms.min_edge
    for leg, limit in zip(legs, found.limits, strict=True):
        assert found.qty % leg.lot == 0
        assert found.qty >= leg.least_qty
        assert limit * best >= leg.least_notional
        assert sum(size for px, size in leg.levels if px <= limit) >= found.qty
    # The expectation, with exact fractions: complete with p, else pay to get out.
    p = Fraction(terms.p_complete, SCALE)
    sure = found.gross - found.deductions.total + found.deductions.legging
    assert abs(found.profit - (p * sure - (1 - p) * terms.unwind * best)) <= 1


def test_equal_shares_never_equal_money():
    found = search([offer(("0.10", 100)), offer(("0.60", 40))], FREE)
    assert isinstance(found, Crossing)
    assert found.qty == lots(40)
    assert found.capital == usd("28")
    assert (found.gross, found.profit) == (usd(12), usd(12))


def test_why_there_is_no_trade():
    assert search([offer(("0.5", 1)), offer()], FREE) == Nothing(guard="no_book")
    assert search([offer(("0.5", 1)), offer(("0.6", 1))], FREE) == Nothing(guard="no_edge", edge=-10 * CENT)
    thin = attrs.evolve(FREE, max_capital=Cash(0))
    assert search([offer(("0.5", 1)), offer(("0.4", 1))], thin) == Nothing(guard="no_room", edge=10 * CENT)
    assert search([offer(("0.5", 1), lot=lots(2)), offer(("0.4", 1))], FREE).guard == "lot"
    assert search([offer(("0.5", 1), least_qty=lots(5)), offer(("0.4", 9))], FREE).guard == "minimum"
    # One lot at a cent on an account that settles in cents: the fee is all of it.
    dear = offer(("0.98", 1), fee=LegFee(curve=KALSHI))
    assert search([dear, offer(("0.001", 1))], FREE).guard == "rounding"


def test_every_deduction_has_a_name():
    terms = attrs.evolve(
        FREE, basis=CENT, capital=capital_cost(10_000_000, 31_536_000 // 10), p_complete=95_000_000, unwind=2 * CENT
    )
    legs = [
        offer(("0.40", 100), fee=LegFee(curve=POLY), bridge=100_000),
        offer(("0.45", 100), fee=LegFee(rate=0, settle=140_000)),
    ]
    found = search(legs, terms)
    assert isinstance(found, Crossing)
    cuts = found.deductions
    assert found.gross == usd(15)
    assert cuts.fees == (usd("1.68"), usd("0.14"))
    assert cuts.bridge == usd("0.04")
    assert cuts.basis == usd(1)
    assert cuts.capital == -(-found.capital * 1_000_000 // SCALE)
    sure = found.gross - sum(cuts.fees) - cuts.rounding - cuts.bridge - cuts.capital - cuts.basis
    assert abs(found.profit - (sure * 95 // 100 - usd("0.10"))) <= 1
    assert found.gross - cuts.total == found.profit


@given(
    st.lists(st.tuples(st.integers(1, 99), st.integers(1, 500)), min_size=1, max_size=6),
    st.sampled_from([(Decimal("0.01"), KALSHI), (Decimal("0.0001"), FeeCurve(taker=7_000_000, step=Cash(10_000)))]),
)  # fmt: skip
def test_the_bound_covers_what_kalshi_really_takes(fills, member):
    precision, curve = member
    fee = LegFee(curve=curve)
    taken = [
        KalshiFill(
            side=FillSide.BUY, price=Decimal(cents) / 100, count=Decimal(count),
            trade_fee=Decimal("0.07") * count * Decimal(cents) / 100 * (1 - Decimal(cents) / 100),
        )
        for cents, count in fills
    ]  # fmt: skip
    paid = sum(fill.net_fee for fill in kalshi_fills(taken, precision=precision, fee_precision=Decimal("0.000001")))
    bound = sum(fee.each(cents * CENT) * count for cents, count in fills) + fee.rounding(len(fills))
    assert paid <= Decimal(bound) / SCALE


# -- resting


@PROPERTY
@given(ladders(), st.integers(1, 10), st.sampled_from([LegFee(), LegFee(curve=KALSHI), LegFee(rate=70_000)]))
def test_the_resting_price_is_the_highest_that_keeps_the_edge(book, contracts, fee):
    hedge = LegOffer(levels=book, fee=fee)
    rest = LegOffer(levels=(), fee=LegFee(curve=KALSHI, maker=True))
    terms = attrs.evolve(FREE, min_edge=CENT)

    def legal(px: Px) -> Px:
        return Px(px - px % CENT)

    found = resting_px(hedge, rest, terms, lots(contracts), legal)
    fits = sum(size for _, size in book) >= lots(contracts)
    if found is None:
        cheapest = (CENT, book[-1][0] if book else SCALE)
        assert not fits or search_at(hedge, rest, terms, contracts, cheapest[0]) is False
        return
    px, limit = found
    assert px % CENT == 0
    assert sum(size for level, size in book if level <= limit) >= lots(contracts)
    assert search_at(hedge, rest, terms, contracts, px)
    assert not search_at(hedge, rest, terms, contracts, px + CENT)


def search_at(hedge: LegOffer, rest: LegOffer, terms: TradeTerms, contracts: int, px: int) -> bool:
    """Whether a fill at that price, hedged at the worst level it needs, leaves the edge, rounding included."""
    left, fills, limit = lots(contracts), 0, 0
    for level, size in hedge.levels:
        if left <= 0:
            break
        fills, limit, left = fills + 1, level, left - size
    edge = left_of_one(terms, (hedge, rest), (limit, px)) * contracts
    return edge - hedge.fee.rounding(fills) - rest.fee.rounding(1) >= terms.min_edge * contracts


def test_a_maker_pays_what_makers_pay():
    curve = FeeCurve(taker=7_000_000, maker=1_750_000)
    assert LegFee(curve=curve).each(SCALE // 2) == 1_750_000
    assert LegFee(curve=curve, maker=True).each(SCALE // 2) == 437_500
    assert LegFee(curve=KALSHI, maker=True).rounding(3) == 0


def test_a_ladder_without_prices_says_nothing():
    ladder = [Rung(strike=Px(2), bid=Px(60), ask=None), Rung(strike=Px(1), bid=None, ask=Px(50))]
    assert [(one.low, one.high) for one in out_of_order(ladder)] == [(1, 0)]
    assert out_of_order([Rung(strike=Px(1), bid=Px(60), ask=Px(50)), Rung(strike=Px(1), bid=Px(60), ask=Px(50))]) == []
    assert bucket_edges(ladder[0], ladder[1], ladder[1]) == (None, None)


# -- what it would leave, enough or not

COSTS = TradeTerms(
    min_edge=scaled(0.01), capital=scaled(0.001), basis=scaled(0.004), p_complete=scaled(0.9), unwind=scaled(0.02),
    max_qty=lots(20), max_capital=Cash(10**17),
)  # fmt: skip


def test_what_a_search_finds_is_valued_alike():
    legs = (offer(("0.50", 30), fee=flat(0.002)), offer(("0.44", 10), ("0.45", 30), fee=LegFee(curve=KALSHI)))
    found = search(legs, attrs.evolve(COSTS, min_edge=1))
    assert isinstance(found, Crossing)
    assert found.qty == lots(20)
    assert appraise(legs, COSTS, found.qty) == found


@given(st.integers(1, 99), st.integers(1, 99), st.integers(1, 40))
def test_an_appraisal_adds_up_whatever_it_leaves(first, second, size):
    legs = (
        offer((first / 100, 25), (min(first + 1, 99) / 100, 25), fee=LegFee(curve=POLY), bridge=scaled(0.0005)),
        offer((second / 100, 50), fee=LegFee(curve=KALSHI)),
    )
    found = appraise(legs, COSTS, lots(size))
    assert found is not None
    assert found.qty == lots(size)
    taken = found.deductions
    parts = (*taken.fees, taken.rounding, taken.bridge, taken.capital, taken.basis, taken.legging)
    assert found.profit == found.gross - sum(parts)
    assert min(parts) >= 0, "nothing that is taken off is a gain"


def test_books_that_are_too_thin_are_not_valued():
    legs = (offer(("0.50", 30)), offer(("0.44", 10)))
    assert appraise(legs, COSTS, lots(11)) is None
    assert appraise(legs, COSTS, lots(0)) is None
    assert appraise((offer(("0.50", 30)), offer()), COSTS, lots(1)) is None
