"""Contracts quoted, hedged, settled and rolled with nobody there, and accounted for to the unit.

The run that is shown to people, with contracts of a minute and in mock time. Rung: stateful async, against the real
simulator.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio

from hlomm.daemon import last_look
from hlomm.domain.exits import ExitCode
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.units import Cash, parse
from hlomm.research.replay import replay
from hlomm.sim.config import ListingConfig, SimConfig
from hlomm.sim.harness import simulated_hyperliquid

pytestmark = pytest.mark.slow


async def test_contracts_are_quoted_hedged_settled_and_rolled_and_every_unit_is_accounted_for(
    rig: Any, autojump_clock: Any
) -> None:
    listing = ListingConfig(periods=("1m", "1d"), first_expiry_s=20.0)
    async with simulated_hyperliquid(seed=11, config=SimConfig(listing=listing)) as sim, rig(sim=sim) as r:
        counters = r.engine.state.counters
        await r.until(lambda: min(counters.quoted_settled, counters.rolls) >= 6, 700)
        result = await r.stop()
        cash = r.truth["quote"]
    summary = result.summary
    assert result.exit_code is ExitCode.CLEAN
    assert summary["breakers"] == {}, "nobody had to help, and nothing had to stop it"
    contracts = summary["contracts"]
    assert contracts["quoted"] > contracts["settled"] >= 6
    assert contracts["rolled"] >= 6
    (account,) = summary["account"].values()
    assert account["differences"] == []
    assert account["ledger_cash"] == account["venue_cash"] == float(cash)
    assert account["books_perp_cash"] == account["venue_perp_cash"]
    assert account["perps"] == {}
    (hedge,) = summary["hedge"].values()
    assert hedge["contracts"] >= 1, "something was hedged"
    assert hedge["in_band"] >= 0.95
    assert hedge["inside_s"] > 200
    assert (hedge["held"], hedge["naked"]) == (0, 0)
    assert replay(r.paths.journal).identical


async def test_buckets_are_quoted_filled_and_settled_and_no_cash_is_lost(rig: Any, autojump_clock: Any) -> None:
    listing = ListingConfig(periods=("1m",), buckets=("1m",), first_expiry_s=20.0)
    sets = ('strategy.avellaneda.classes=["priceBinary", "priceBucket"]',)
    async with simulated_hyperliquid(seed=5, config=SimConfig(listing=listing)) as sim, rig(sim=sim, sets=sets) as r:
        state = r.engine.state
        legs: dict[str, Any] = {}

        def traded_and_settled() -> bool:
            legs.update((m.market.id, m) for m in state.markets.values() if m.market.klass == "priceBucket")
            ended = [m for m in legs.values() if m.settled is not None and m.acted_ns]
            return any(state.portfolio.position(m.market.id).fills for m in ended)

        await r.until(traded_and_settled, 600)
        result = await r.stop()
        cash = r.truth["quote"]
    assert result.exit_code is ExitCode.CLEAN
    quoted = [m for m in legs.values() if m.acted_ns]
    assert {m.market.floor is None for m in quoted} | {m.market.ceiling is None for m in quoted} == {True, False}
    assert not [m for m in legs.values() if m.market.fallback and (m.strategy or m.acted_ns)], "never the fallback"
    (account,) = result.summary["account"].values()
    assert account["differences"] == []
    assert parse(cash) == r.engine.state.portfolio.cash
    assert r.sim.exchange.audit() == []
    assert replay(r.paths.journal).identical


async def test_what_settles_while_the_end_is_looked_at_is_booked(
    rig: Any, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look takes its time; a contract that is held settles meanwhile, and is no difference in the end."""
    listing = ListingConfig(periods=("1m",), first_expiry_s=20.0)
    sets = ('flatten.on_stop="keep"', "quotes.drain_s=0")
    honest = last_look.cancel_all

    async def slow(session: Any, **how: Any) -> Any:
        await trio.sleep(15)
        return await honest(session, **how)

    monkeypatch.setattr(last_look, "cancel_all", slow)
    async with simulated_hyperliquid(seed=11, config=SimConfig(listing=listing)) as sim, rig(sim=sim, sets=sets) as r:
        state = r.engine.state

        def held_to_its_end() -> bool:
            wall_ns = r.daemon.pump.clock.now().wall_ns
            ending = [m for m in state.markets.values() if m.is_outcome and 0 < m.market.tau_ns(wall_ns) < 5 * 10**9]
            return any(state.portfolio.position(m.market.id).net for m in ending)

        await r.until(held_to_its_end, 1_200)
        settled = state.portfolio.settlements_held
        result = await r.stop()
        cash = r.truth["quote"]
    assert state.portfolio.settlements_held > settled
    (account,) = result.summary["account"].values()
    assert account["differences"] == []
    assert account["ledger_cash"] == account["venue_cash"] == float(cash)
    assert replay(r.paths.journal).identical


async def test_what_nobody_can_explain_is_still_a_difference(
    rig: Any, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig() as r:
        await r.quoting()
        session, started = r.daemon._sessions[HYPERLIQUID], trio.current_time()
        honest = session.fetch_account

        async def lying() -> Any:
            return msgspec.structs.replace(await honest(), cash=Cash(123))

        monkeypatch.setattr(session, "fetch_account", lying)
        result = await r.stop()
        assert trio.current_time() - started < 60, "asking has an end"
        assert r.daemon.last_look.asked_again > 3
    (account,) = result.summary["account"].values()
    assert [text for text in account["differences"] if text.startswith("cash ")]
