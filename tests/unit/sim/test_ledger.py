"""Rung: pure, stateful. Nothing is created or lost, to the unit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE
from hlomm.sim.accounts import Account
from hlomm.sim.ledger import Ledger

PAIR = 10**8


def accounts(ledger: Ledger, count: int = 2, spot: int = 1_000) -> list[Account]:
    made = [Account(f"0x{index:040x}", f"a{index}") for index in range(count)]
    for account in made:
        ledger.deposit(account, spot=spot * SCALE, perp=spot * SCALE)
    return made


def test_mint_takes_exactly_the_collateral_from_both() -> None:
    ledger = Ledger()
    yes, no = accounts(ledger)
    ledger.mint(yes, no, 5, 10, 62_345)
    assert yes.quote == 1_000 * SCALE - 10 * 62_345 * 1_000
    assert no.quote == 1_000 * SCALE - 10 * 37_655 * 1_000
    assert ledger.escrow == 10 * PAIR
    assert ledger.sets == {5: 10}
    assert ledger.audit([yes, no]) == []


def test_burn_gives_the_collateral_back() -> None:
    ledger = Ledger()
    yes, no = accounts(ledger)
    ledger.mint(yes, no, 5, 10, 60_000)
    gain_yes, gain_no = ledger.burn(yes, no, 5, 10, 55_000)
    assert ledger.escrow == 0
    assert (gain_yes.gain, gain_no.gain) == (-10 * 5_000 * 1_000, 10 * 5_000 * 1_000)
    assert ledger.audit([yes, no]) == []


def test_split_and_merge_are_inverse() -> None:
    ledger = Ledger()
    (account,) = accounts(ledger, 1)
    ledger.split(account, 5, 7)
    assert account.token(5, Leg.YES).entry + account.token(5, Leg.NO).entry == 7 * PAIR
    ledger.merge(account, 5, 7)
    assert account.quote == 1_000 * SCALE
    assert ledger.audit([account]) == []


@pytest.mark.parametrize("fraction", [0, SCALE, SCALE // 2, 1, 33_333_333])
def test_redemption_uses_up_the_collateral_at_any_fraction(fraction: int) -> None:
    ledger = Ledger()
    yes, no = accounts(ledger)
    ledger.mint(yes, no, 5, 3, 50_000)
    ledger.redeem(yes, 5, Leg.YES, fraction)
    ledger.redeem(no, 5, Leg.NO, SCALE - fraction)
    ledger.close(5)
    assert ledger.escrow == 0
    assert ledger.audit([yes, no]) == []


def test_a_sale_removes_its_share_of_the_cost() -> None:
    ledger = Ledger()
    buyer, seller = accounts(ledger)
    ledger.split(seller, 5, 3)
    reduction = ledger.transfer(buyer, seller, (5, Leg.YES), 1, 70_000)
    assert reduction.entry == 50_000_000
    assert reduction.gain == 20_000_000
    assert seller.token(5, Leg.YES).entry == 100_000_000


def test_spending_more_than_there_is_breaks() -> None:
    ledger = Ledger()
    yes, no = accounts(ledger, spot=1)
    with pytest.raises(AssertionError, match="quote must cover"):
        ledger.mint(yes, no, 5, 10, 60_000)


def test_reserved_quote_cannot_be_spent() -> None:
    ledger = Ledger()
    (account,) = accounts(ledger, 1, spot=10)
    ledger.reserve_quote(account, 8 * SCALE)
    with pytest.raises(AssertionError):
        ledger.split(account, 5, 3)


def test_audit_names_what_is_wrong() -> None:
    ledger = Ledger()
    (account,) = accounts(ledger, 1)
    account.quote += 1
    account.token(5, Leg.YES).total = 2
    ledger.sets[5] = 1
    faults = "\n".join(ledger.audit([account]))
    assert "outcome 5 YES: 2 tokens, 1 sets" in faults
    assert "is not" in faults


@given(
    st.lists(
        st.tuples(st.sampled_from(list(Side)), st.integers(1, 500), st.integers(700_000, 900_000)),
        min_size=1,
        max_size=30,
    )
)
def test_perp_trades_are_zero_sum_and_realised_pnl_is_exact(trades: list[tuple[Side, int, int]]) -> None:
    ledger = Ledger()
    one, other = accounts(ledger)
    gains = 0
    for side, lots, ticks in trades:
        gains += ledger.perp_trade(one, side, lots, ticks, 0).gain
        ledger.perp_trade(other, Side(-side), lots, ticks, 0)
        ledger.perp_balanced()
    # What is not realised yet is the cost of the open position.
    assert one.perp.raw - 1_000 * SCALE == gains - one.perp.entry
    assert one.perp.lots == -other.perp.lots
    assert ledger.audit([one, other]) == []
