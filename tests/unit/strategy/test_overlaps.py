"""A bet is sized beside what already settles with it: the same contract, other strikes of its underlying and expiry."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import pytest

from hlomm.domain.markets import Market
from hlomm.strategy.btc_parity import BtcParity, BtcParityConfig
from hlomm.strategy.overlaps import HELD_MAX, Overlaps
from tests.support.values import levels, outcome, px
from tests.unit.strategy.test_btc_parity import CONFIG
from tests.unit.strategy.views import view

BOOK: dict[str, Any] = {"bids": levels(("0.30", 3_000)), "asks": levels(("0.40", 9_000)), "equity": 10_000}
RULES = attrs.evolve(CONFIG, kelly_fraction=0.2, max_stake=1.0, max_size=5_000.0)
LOWER, HIGHER = outcome(16, strike=px(79_900)), outcome(17, strike=px(80_100))


def size(*held: tuple[Market, int], net: int = 0, rules: BtcParityConfig = RULES, **fees: int) -> float:
    """Contracts of a trade at 0.40 that is fair at one half, with other contracts held."""
    strategy = BtcParity(rules)
    for market, number in held:
        strategy.decide(view(market=market, net=number, bids=levels(("0.5", 1)), asks=levels(("0.51", 1))))
    take = strategy.decide(msgspec.structs.replace(view(net=net, **BOOK), **fees)).take
    return 0.0 if take is None else take.qty / 10**8


def test_alone_it_is_the_fraction_of_kelly_and_what_is_held_of_it_counts() -> None:
    """(0.5 - 0.4)/(0.4 0.6) = 0.4167 contracts per unit of equity: 833 at a fifth of it. What is held stands at its
    fair worth, 0.5, so 500 of it leave a little less than 333."""
    assert size() == pytest.approx(833, abs=8)
    assert size(net=500) == pytest.approx(305, abs=8)
    assert size(net=900) == 0.0


def test_it_is_kelly_of_what_a_contract_costs_with_its_fees_and_its_hedge() -> None:
    """A tenth of the price on top: (0.5 - 0.44)/(0.44 0.56) = 0.2435 contracts per unit of equity, not 0.4167."""
    assert size(open_taker_fee=10_000_000) == pytest.approx(487, abs=8)
    assert size(settle_fee=8_000_000) == pytest.approx(487, abs=8), "0.04, as the fee of what pays half of the time"
    assert size(rules=attrs.evolve(RULES, hedge_cost=0.0005)) < 0.95 * size()


def test_a_strike_that_wins_and_loses_with_it_makes_it_smaller() -> None:
    alone = size()
    assert size((LOWER, 400)) < 0.7 * alone
    assert size((HIGHER, 400)) < 0.7 * alone


def test_what_is_far_too_large_is_sold_all_the_same() -> None:
    """After a rise, or a loss elsewhere, NO would ruin a full bet: a dear bid is taken all the more."""
    strategy = BtcParity(attrs.evolve(RULES, kelly_fraction=0.1))
    for equity in (10_000, 1_000, 300):
        dear = view(net=450, bids=levels(("0.60", 400)), asks=levels(("0.70", 80)), equity=equity)
        take = strategy.decide(dear).take
        assert take is not None
        assert (take.direction, take.qty) == (-1, 400 * 10**8)


def test_one_that_loses_where_it_wins_makes_it_larger() -> None:
    assert size((LOWER, -400)) > size()


def test_what_settles_at_another_time_or_on_another_underlying_does_not_count() -> None:
    later = outcome(18, tau_s=90_000.0)
    assert size((later, 400)) == size()


def test_what_was_sold_or_is_over_is_forgotten() -> None:
    strategy = BtcParity(RULES)
    strategy.decide(view(market=LOWER, net=400, **BOOK))
    strategy.forget(LOWER.id)
    first = strategy.decide(view(**BOOK)).take
    assert first is not None
    assert first.qty / 10**8 == size()
    assert "beside" not in first.reason


def test_the_size_says_beside_what_it_stands() -> None:
    strategy = BtcParity(RULES)
    strategy.decide(view(market=LOWER, net=400, **BOOK))
    take = strategy.decide(view(**BOOK)).take
    assert take is not None
    assert take.reason.endswith("size by kelly beside 1 held")


def test_what_is_remembered_is_bounded() -> None:
    overlaps = Overlaps()
    for number in range(HELD_MAX + 10):
        overlaps.see(view(market=outcome(100 + number), net=5))
    assert len(overlaps._held) == HELD_MAX
