"""`hlomm selftest` at each simulated venue, over memory streams: what it compares, and that nothing of it is left."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
import trio
from msgspec.structs import replace

from hlomm.daemon import selftest_model
from hlomm.daemon.selftest import Selftest
from hlomm.daemon.selftest_model import Plan, Result, Step, Verdict
from hlomm.domain.faults import UsageError
from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import polymarket_market
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import Cash, Px, Qty, parse
from hlomm.settings.load import load
from hlomm.sim.config import RulesConfig, SimConfig
from hlomm.sim.faults import FaultArgs, FaultName
from hlomm.sim.harness import read_host
from hlomm.sim.harness_town import SimulatedTown, simulated_town
from hlomm.venues.clock import Clock
from tests.daemon.town import ALL, NAMES, desks_of, open_orders, tokens


def selftest(
    town: SimulatedTown, name: str, *sets: str, market: str | None = None, confirm: Callable[[Plan], bool] | None = None
) -> Selftest:
    clock = Clock(town.hyperliquid.clock_map, read_host)
    desk = next(desk for desk in desks_of(town, clock, *sets) if desk.venue == name)
    settings = load("sim", (), (*ALL, *sets), environ={}).settings
    return Selftest(desk, settings, clock, market, confirm or (lambda plan: True))


def fields(step: Step) -> dict[str, tuple[str, Verdict]]:
    return {one.name: (one.was, one.verdict) for one in step.fields}


def untouched(town: SimulatedTown, name: str) -> bool:
    return not open_orders(town, name) and not tokens(town, name)


def named(result: Result) -> dict[str, Step]:
    return {step.name: step for step in result.steps}


@pytest.mark.parametrize("name", NAMES)
async def test_a_round_trip_agrees_with_the_model_and_ends_flat(autojump_clock: Any, name: str) -> None:
    plans: list[Plan] = []
    async with simulated_town(seed=7) as town:

        def confirm(plan: Plan) -> bool:
            plans.append(plan)
            return True

        result = await selftest(town, name, confirm=confirm).run()
        await trio.sleep(60)  # a chain delivers what was sold
        assert untouched(town, name)
    assert result.good, result
    steps = named(result)
    assert list(steps) == ["rest", "amend", "cancel", "buy", "sell"]
    assert ("left out" in steps["amend"].said) is (name == "polymarket")
    every = {"latency_ms", "status", "qty", "px", "fee", "fee token", "role", "cash", "held"}
    assert set(fields(steps["buy"])) == set(fields(steps["sell"])) == every
    assert fields(steps["sell"])["held"] == ("0", Verdict.SAME)
    exact = {"status", "qty", "fee token", "cash", "held"}
    assert {fields(steps[step])[one][1] for step in ("buy", "sell") for one in exact} == {Verdict.SAME}
    assert result.cost is not None
    assert 0 < result.cost < plans[0].most


async def test_it_begins_only_when_confirmed_on_a_flat_account_within_the_limits(autojump_clock: Any) -> None:
    async with simulated_town(seed=7) as town:
        for sets, market, confirm, why in (
            ((), None, lambda plan: False, "not confirmed"),
            ((), "hyperliquid:o1", None, "no market"),
            (("limits.max_order_notional=5",), None, None, "limits.max_order_notional is 5"),
        ):
            with pytest.raises(UsageError, match=why):
                await selftest(town, "hyperliquid", *sets, market=market, confirm=confirm).run()
        before: Any = town.hyperliquid.state()["accounts"]
        assert untouched(town, "hyperliquid")
        assert before["daemon"]["fills"] == 0


async def test_what_cannot_be_sold_is_said_and_nobody_else_sells_it(autojump_clock: Any) -> None:
    async with simulated_town(seed=7) as town:
        result = await selftest(
            town, "hyperliquid", confirm=_arming(town, FaultName.MAKERS_WITHDRAWN, side="bid")
        ).run()
        held = tokens(town, "hyperliquid")
        assert held
        assert (result.good, result.flat) == (False, False)
        assert "hyperliquid:o" in result.left
        town.hyperliquid.faults.clear()
        with pytest.raises(UsageError, match="flatten it first"):
            await selftest(town, "hyperliquid").run()
        assert tokens(town, "hyperliquid") == held, "what is held before is not the test's to sell"


def _arming(town: SimulatedTown, fault: FaultName, **more: Any) -> Callable[[Plan], bool]:
    def confirm(plan: Plan) -> bool:
        town.hyperliquid.faults.arm(fault, FaultArgs(**more))
        return True

    return confirm


async def test_ctrl_c_in_the_middle_sells_what_was_bought_first(autojump_clock: Any) -> None:
    async with simulated_town(seed=7) as town:
        result = await _interrupted(town)
        assert untouched(town, "hyperliquid")
    assert result.flat
    assert not result.good
    assert "stopped by a signal" in result.steps[-1].said


async def _interrupted(town: SimulatedTown) -> Result:
    """Ctrl-C at the moment at which the account holds what was bought."""
    found: list[Result] = []

    async def watch() -> None:
        while not tokens(town, "hyperliquid"):
            await trio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        found.append(await selftest(town, "hyperliquid").run())
    return found[0]


@pytest.mark.parametrize("fault", [FaultName.WS_SILENT, FaultName.NONCE_REFUSED, FaultName.AGENT_EXPIRED])
async def test_a_venue_that_goes_silent_or_refuses_ends_it_and_nothing_rests(
    autojump_clock: Any, fault: FaultName
) -> None:
    async with simulated_town(seed=7) as town:
        result = await selftest(town, "hyperliquid", confirm=_arming(town, fault)).run()
        assert untouched(town, "hyperliquid")
    assert not result.good
    assert result.steps[-1].said.startswith("broken")


async def test_a_fee_that_the_model_does_not_know_differs_and_it_ends_flat(autojump_clock: Any) -> None:
    dear = SimConfig(rules=RulesConfig(outcome_fees=True, outcome_fee_scale=300_000_000))
    async with simulated_town(seed=7, config=dear) as town:
        result = await selftest(town, "hyperliquid").run()
        assert untouched(town, "hyperliquid")
    assert (result.good, result.flat) == (False, True)
    sale = fields(named(result)["sell"])
    assert sale["fee"][1] is Verdict.DIFFERS
    assert parse(sale["fee"][0]) > 0
    assert {name for name, (_, verdict) in sale.items() if verdict is Verdict.DIFFERS} == {"fee"}


def test_odd_sizes_are_reckoned_with() -> None:
    """0.333333 shares at 0.631 are finer than any unit of ours; the cash is what the books make of them."""
    odd = Fill(
        key="1", market=polymarket_market("0x15"), leg=Leg.YES, side=Side.BUY, px=Px(parse("0.631")),
        qty=Qty(parse("0.333333")), fee=Cash(parse("0.01")), kind=FillKind.TRADE, maker=False, client_id=None,
        venue_order_id=None, venue_ms=1,
    )  # fmt: skip
    sold = replace(odd, side=Side.SELL)
    assert selftest_model.cash_of([odd, sold]) == -parse("0.02000001")
    paid = selftest_model.price([odd], Side.BUY, odd.px, [(odd.px, odd.qty)])
    assert (paid.was, paid.verdict) == ("0.631", Verdict.SAME)
