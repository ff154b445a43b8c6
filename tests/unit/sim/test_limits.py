"""Rung: pure, stateful. Nonces, rolling windows, request budgets, agents."""

from __future__ import annotations

import pytest

from hlomm.domain.units import SCALE
from hlomm.sim.accounts import Account
from hlomm.sim.config import RulesConfig
from hlomm.sim.hl.agents import AGENTS_MAX, Agent, Agents
from hlomm.sim.hl.limits import Budgets, Nonces, Window
from hlomm.sim.refusals import WholeActionRefused

NOW_MS = 1_795_000_000_000


def text_of(nonces: Nonces, nonce: int, signer: str = "s") -> str:
    with pytest.raises(WholeActionRefused) as caught:
        nonces.use(signer, nonce, NOW_MS)
    return caught.value.text


def test_nonces_may_come_out_of_order_but_not_twice() -> None:
    nonces = Nonces()
    for nonce in (NOW_MS + 5, NOW_MS + 1, NOW_MS + 3):
        nonces.use("s", nonce, NOW_MS)
    assert text_of(nonces, NOW_MS + 3) == f"Invalid nonce: duplicate nonce {NOW_MS + 3}"
    nonces.use("other", NOW_MS + 3, NOW_MS)


def test_a_nonce_below_the_hundred_highest_is_too_low() -> None:
    nonces = Nonces()
    for step in range(100):
        nonces.use("s", NOW_MS + step, NOW_MS)
    assert text_of(nonces, NOW_MS - 1) == f"Invalid nonce: nonce too low {NOW_MS - 1} < {NOW_MS}"
    nonces.use("s", NOW_MS + 100, NOW_MS)
    assert "too low" in text_of(nonces, NOW_MS)


def test_nonces_must_lie_near_block_time() -> None:
    nonces = Nonces()
    day = 86_400_000
    assert "too low" in text_of(nonces, NOW_MS - 2 * day)
    assert "too high" in text_of(nonces, NOW_MS + day)
    nonces.use("s", NOW_MS - 2 * day + 1, NOW_MS)
    nonces.use("s", NOW_MS + day - 1, NOW_MS)


def test_window_forgets_after_a_minute() -> None:
    window = Window(10)
    assert window.take(0, 6)
    assert window.take(30 * 10**9, 4)
    assert not window.take(59 * 10**9)
    assert window.refused == 1
    assert window.take(60 * 10**9, 6)


def test_budget_grows_with_volume_and_allows_one_in_ten_seconds_above_it() -> None:
    budgets = Budgets(RulesConfig(address_budget=5))
    account = Account("0x1", "a")
    budgets.admit(account, 5, 0, cancels=False)
    budgets.admit(account, 1, 0, cancels=False)  # the one above the cap
    with pytest.raises(WholeActionRefused) as caught:
        budgets.admit(account, 2, 9 * 10**9, cancels=False)
    assert caught.value.text == (
        "Too many cumulative requests sent (8 > 5) for cumulative volume traded $0. "
        "Place taker orders to free up 1 request per USDC traded."
    )
    budgets.admit(account, 1, 10 * 10**9, cancels=False)
    account.volume = 100 * SCALE
    assert budgets.cap(account) == 105
    budgets.admit(account, 3, 11 * 10**9, cancels=False)
    assert budgets.used(account) == 10


def test_cancels_have_twice_the_budget() -> None:
    budgets = Budgets(RulesConfig(address_budget=5, over_budget_s=1000.0))
    account = Account("0x1", "a")
    budgets.admit(account, 5, 0, cancels=False)
    budgets.admit(account, 5, 0, cancels=True)
    budgets.admit(account, 1, 0, cancels=True)
    with pytest.raises(WholeActionRefused, match=r"12 > 10"):
        budgets.admit(account, 1, 1, cancels=True)


def agent(address: str, name: str, until: int = NOW_MS + 1000) -> Agent:
    return Agent(master="0xm", address=address, name=name, valid_until_ms=until)


def test_agents_expire_are_replaced_by_name_and_limited() -> None:
    agents = Agents()
    assert agents.approve(agent("0x1", ""))
    assert agents.master_of("0x1", NOW_MS) == "0xm"
    assert agents.master_of("0x1", NOW_MS + 1000) is None
    assert agents.approve(agent("0x2", ""))
    assert agents.master_of("0x1", NOW_MS) is None
    for index in range(AGENTS_MAX - 1):
        assert agents.approve(agent(f"0xn{index}", f"n{index}"))
    assert not agents.approve(agent("0x9", "one-too-many"))
    assert len(agents.of("0xm")) == AGENTS_MAX
