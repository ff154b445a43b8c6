"""Complete sets against brute force: what they are worth, what they cost, how many are worth buying. Exact integers."""

from __future__ import annotations

from itertools import combinations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.inputs import Level
from hlomm.domain.units import SCALE, notional_ceil, notional_floor
from hlomm.pricing.complete_sets import (
    Found,
    Offers,
    SetTerms,
    all_in,
    highest,
    lowest,
    net_of,
    no_basket,
    worst_px,
    yes_basket,
)
from tests.support.values import levels, lots, px, usd

CENT = SCALE // 100
TERMS = SetTerms(unit=SCALE, min_edge=CENT, step=SCALE, least=lots(1), most=lots(1_000), stake=usd(1_000_000))


def offer(*pairs: tuple[str, float], fee: int = 0, minimum: int = 0, mid: int | None = None) -> Offers:
    return Offers(levels=levels(*pairs), mid=mid, fee=fee, minimum=minimum)


def convert(outcomes: int, chosen: int, sets: int) -> tuple[int, list[int]]:
    """(cash, YES left by outcome) of NO of the first `chosen`, by the venue's own conversions."""
    no = [sets if place < chosen else 0 for place in range(outcomes)]
    yes = [0] * outcomes
    cash, no[0] = 0, no[0] - sets  # negate one of them
    for other in range(1, outcomes):
        yes[other] += sets
    for place in range(1, chosen):  # merge the others with the YES that came
        no[place] -= sets
        yes[place] -= sets
        cash += sets
    assert no == [0] * outcomes
    assert min(yes) >= 0
    return cash, yes


@pytest.mark.parametrize("outcomes", range(2, 7))
def test_no_of_k_outcomes_is_k_minus_1_in_cash_and_never_less_than_it_would_pay(outcomes: int) -> None:
    for chosen in range(2, outcomes + 1):
        cash, left = convert(outcomes, chosen, 5)
        assert cash == (chosen - 1) * 5
        for winner in range(outcomes):
            held_to_the_end = 5 * (chosen - (winner < chosen))
            assert cash + left[winner] == held_to_the_end


# -- brute force

_cents = st.integers(1, 99).map(lambda cents: cents * CENT)
_book = st.lists(st.tuples(_cents, st.integers(1, 4).map(lots)), max_size=3, unique_by=lambda level: level[0]).map(
    lambda found: tuple(sorted(found))
)


@st.composite
def questions(draw: st.DrawFn) -> list[Offers]:
    return [
        Offers(
            levels=draw(_book), mid=draw(st.one_of(st.none(), _cents)),
            fee=draw(st.sampled_from([0, 140_000, 5_000_001])),
            minimum=draw(st.sampled_from([0, 0, CENT * 30, SCALE])),
        )
        for _ in range(draw(st.integers(2, 4)))
    ]  # fmt: skip


_terms = st.builds(
    SetTerms, unit=st.sampled_from([SCALE, SCALE - 140_000]), min_edge=st.sampled_from([1, CENT, 5 * CENT]),
    step=st.sampled_from([SCALE, 2 * SCALE]), least=st.sampled_from([lots(1), lots(3)]),
    most=st.sampled_from([lots(2), lots(100)]), stake=st.just(usd(1_000_000)),
)  # fmt: skip


def walked(book: tuple[Level, ...], fee: int, qty: int) -> int | None:
    """Cost of that much, contract by contract, fees rounded up on each; None if there is not that much."""
    each = [all_in(price, fee) for price, size in book for _ in range(size // SCALE)]
    count = qty // SCALE
    return sum(each[:count]) if len(each) >= count else None


def tried(offers: list[Offers], terms: SetTerms, *, every: bool) -> int | None:
    """The largest profit over every size and every choice of legs, tried out."""
    best = None
    for qty in range(terms.step, terms.most + 1, terms.step):
        if qty < terms.least:
            continue
        sendable = []
        for place, one in enumerate(offers):
            price = worst_px(one.levels, qty)
            if price is not None and notional_floor(min(price, one.mid or price), qty) >= one.minimum:
                sendable.append((place, price))
        choices = []
        for count in range(2, len(offers) + 1):
            if every and count < len(offers):
                continue
            for legs in combinations(sendable, count):
                worth = terms.unit if every else (count - 1) * terms.unit
                edge = worth - sum(all_in(price, offers[place].fee) for place, price in legs)
                choices.append((edge, -count, worth, legs))
        if not choices or max(choices)[0] < terms.min_edge:
            continue
        _, _, worth, legs = max(choices)
        costs = [walked(offers[place].levels, offers[place].fee, qty) for place, _ in legs]
        profit = notional_floor(worth, qty) - sum(cost for cost in costs if cost is not None)
        best = profit if best is None else max(best, profit)
    return best


@given(questions(), _terms)
def test_yes_of_all_leaves_what_brute_force_finds(offers: list[Offers], terms: SetTerms) -> None:
    found = yes_basket(offers, terms)
    assert (None if found is None else found.profit) == tried(offers, terms, every=True)


@given(questions(), _terms)
def test_no_of_some_leaves_what_brute_force_finds(offers: list[Offers], terms: SetTerms) -> None:
    found = no_basket(offers, terms)
    assert (None if found is None else found.profit) == tried(offers, terms, every=False)


def executed(found: Found, offers: list[Offers]) -> int:
    """Cash left after every leg met its own book at its limit, fees rounded up fill by fill."""
    cash = notional_floor(found.worth, found.qty)
    for place, limit in found.legs:
        left = found.qty
        for price, size in offers[place].levels:
            if price > limit or not left:
                break
            paid = notional_ceil(price, min(size, left))
            cash -= paid - (-paid * offers[place].fee // SCALE)
            left -= min(size, left)
        assert left == 0, "the limit reaches as far as the basket"
    return cash


@given(questions(), _terms, st.sampled_from([usd(1), usd(5), usd(1_000)]))
def test_an_edge_is_never_overstated_and_a_stake_never_exceeded(
    offers: list[Offers], terms: SetTerms, stake: int
) -> None:
    terms = attrs.evolve(terms, stake=stake)
    for found in (yes_basket(offers, terms), no_basket(offers, terms)):
        if found is None:
            continue
        assert found.edge >= terms.min_edge
        left = executed(found, offers)
        assert left >= found.profit >= notional_floor(found.edge, found.qty)
        assert notional_ceil(found.worth - found.edge, found.qty) <= stake
        assert found.qty % terms.step == 0
        assert terms.least <= found.qty <= terms.most


# -- by hand


def test_yes_is_bought_as_far_as_the_last_set_leaves_the_edge() -> None:
    offers = [offer(("0.30", 50), ("0.33", 50), ("0.40", 500)), offer(("0.60", 80), ("0.61", 500))]
    found = yes_basket(offers, TERMS)
    assert found is not None
    assert found.legs == ((0, px("0.33")), (1, px("0.61")))
    assert (found.qty, found.edge, found.worth) == (lots(100), px("0.06"), SCALE)
    assert found.profit == usd(50 * 0.10 + 30 * 0.07) + usd("1.2")


def test_no_leaves_out_what_is_thin_or_cannot_be_sent() -> None:
    three = [offer(("0.60", 100)), offer(("0.60", 100)), offer(("0.60", 100))]
    thin = offer(("0.50", 1))
    found = no_basket([*three, thin], TERMS)
    assert found is not None
    assert [place for place, _ in found.legs] == [0, 1, 2]
    assert (found.qty, found.worth, found.edge) == (lots(100), 2 * SCALE, px("0.2"))
    small = offer(("0.05", 100), minimum=usd(10))
    found = no_basket([*three, small], TERMS)
    assert found is not None
    assert [place for place, _ in found.legs] == [0, 1, 2]


def test_no_leaves_out_what_costs_more_than_it_adds() -> None:
    found = no_basket([*[offer(("0.60", 100))] * 3, offer(("0.97", 100), fee=5_000_000)], TERMS)
    assert found is not None
    assert [place for place, _ in found.legs] == [0, 1, 2]


def test_more_legs_may_be_better_than_more_sets() -> None:
    deep, thin = offer(("0.45", 110)), offer(("0.45", 100))
    found = no_basket([deep, deep, thin, thin], TERMS)
    assert found is not None
    assert (len(found.legs), found.qty, found.edge) == (4, lots(100), px("1.2"))


def test_a_stake_buys_as_many_as_it_pays_for() -> None:
    offers = [offer(("0.30", 100)), offer(("0.60", 100))]
    found = yes_basket(offers, attrs.evolve(TERMS, stake=usd("45.5")))
    assert found is not None
    assert found.qty == lots(50)
    assert yes_basket(offers, attrs.evolve(TERMS, stake=usd("0.8"))) is None


def test_a_smaller_basket_with_more_legs_must_be_paid_for_as_well() -> None:
    """What the stake allows of three legs would have a fourth, and cost more than there is."""
    offers = [offer(("0.60", 100)), offer(("0.60", 100)), offer(("0.60", 100)), offer(("0.50", 60))]
    found = no_basket(offers, attrs.evolve(TERMS, stake=usd("100"), least=lots(50)))
    assert found is None or notional_ceil(found.worth - found.edge, found.qty) <= usd(100)


@given(st.integers(1, SCALE), st.sampled_from([0, 1, 140_000, 5_000_001]))
def test_limits_are_the_last_price_that_keeps_the_cost(cost: int, fee: int) -> None:
    assert all_in(highest(cost, fee), fee) <= cost < all_in(highest(cost, fee) + 1, fee)
    assert net_of(lowest(cost, fee), fee) >= cost > net_of(lowest(cost, fee) - 1, fee)
