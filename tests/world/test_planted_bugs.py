"""Every rule of the soak finds the mistake that it is there for: a check that cannot fail proves nothing.

Each test breaks the product (or the world) in one small way and sees the rule complain; unbroken, the same seed is
clean (`test_soak.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import HaltState, PlaceOrders
from hlomm.domain.units import Px, Qty
from hlomm.engine import core, reconcile
from hlomm.engine.core import Engine
from hlomm.journal import framing
from hlomm.research.soak import keeper, people, process, town, world
from hlomm.research.soak.campaign import run_seed
from hlomm.research.soak.day import Day, SeedResult
from hlomm.research.soak.front import Front
from hlomm.research.soak.plan import draw
from hlomm.research.soak.posting import Posting
from hlomm.research.soak.weather import Fault
from hlomm.settings.load import Loaded, load
from hlomm.venues.hyperliquid.account_feed import AccountFeed

DAYS = 0.06
KILLS = (Fault.SIGKILL, Fault.OPERATOR_KILL, Fault.WS_DROP)


def rules(result: SeedResult) -> set[str]:
    return {finding.rule for finding in result.findings}


def lived(seed: int = 5, faults: Sequence[Fault] = (), days: float = DAYS) -> set[str]:
    return rules(run_seed(seed, days, tuple(faults), beside=False))


def engine_with(monkeypatch: pytest.MonkeyPatch, *sets: str) -> None:
    """The engine is built with other limits than those it is held to."""
    honest = process.build_engine
    other = load("sim", (), [*town._SETS, *town._LOOSE, *sets], environ={}).settings
    monkeypatch.setattr(process, "build_engine", lambda _settings, venues: honest(other, venues))


def turns(monkeypatch: pytest.MonkeyPatch, change: Callable[[Engine, list[Any]], list[Any]]) -> None:
    honest = Engine.turn
    monkeypatch.setattr(Engine, "turn", lambda engine, now: change(engine, honest(engine, now)))


def quote(engine: Engine, number: int) -> PlaceOrders:
    market = next(id_ for id_, one in engine.state.markets.items() if one.is_outcome and not one.gone)
    assert engine.state.ids is not None
    order = OrderRequest(
        client_id=engine.state.ids.mint(), market=market, leg=Leg.YES, side=Side.BUY,
        px=Px(20_000_000 + number * 1_000), qty=Qty(60 * 10**8), tif=Tif.ALO, purpose=Purpose.QUOTE,
    )  # fmt: skip
    return PlaceOrders(HYPERLIQUID, (order,))


@pytest.mark.parametrize("faults", [(), KILLS])
def test_unbroken_the_same_runs_are_clean(faults: tuple[Fault, ...]) -> None:
    assert lived(faults=faults) == set()


def test_an_order_that_passed_no_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count()

    def change(engine: Engine, outputs: list[Any]) -> list[Any]:
        quoting = engine.state.halt is HaltState.RUNNING and engine.state.counters.turns % 50 == 0
        return [*outputs, quote(engine, next(numbers))] if quoting and engine.state.orders.live_count else outputs

    turns(monkeypatch, change)
    assert "verdict" in lived()


def test_a_quote_while_halted(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count()

    def change(engine: Engine, outputs: list[Any]) -> list[Any]:
        halted = engine.state.halt is HaltState.HALTED and engine.state.counters.turns % 20 == 0
        return [*outputs, quote(engine, next(numbers))] if halted else outputs

    turns(monkeypatch, change)
    assert "halted" in lived(faults=KILLS)


def test_an_order_sent_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Front.act

    def act(front: Front, batch: Any, signer: str = "daemon") -> Any:
        reply = honest(front, batch, signer)
        if any(isinstance(request, OrderRequest) for request in batch.requests):
            honest(front, batch, signer)
        return reply

    monkeypatch.setattr(Front, "act", act)
    assert "once" in lived()


def test_an_order_that_was_not_written_down_first(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = process.Process._write

    def write(self: process.Process, records: Any) -> None:
        if not any(isinstance(output, PlaceOrders) for record in records for output in getattr(record, "outputs", ())):
            honest(self, records)

    monkeypatch.setattr(process.Process, "_write", write)
    assert "recorded" in lived()


def test_a_quote_on_a_stale_book(monkeypatch: pytest.MonkeyPatch) -> None:
    engine_with(monkeypatch, "limits.stale_book_s=100000")
    assert "stale" in lived(30, faults=(Fault.BOOK_STALE,), days=0.1)


def test_a_position_beyond_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    engine_with(monkeypatch, "limits.max_position=4000", "limits.max_gross_notional=100000",
                "limits.max_resting_without_deadman=100000", "strategy.avellaneda.max_size=900",
                "strategy.avellaneda.kelly_fraction=1.0")  # fmt: skip
    found = lived(days=0.1)
    assert "exposure" in found


def test_a_hedge_larger_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = town.Checks

    def checks(*parts: Any) -> Any:
        made = honest(*parts)
        made._max_hedge //= 100
        return made

    monkeypatch.setattr(town, "Checks", checks)
    assert "hedge" in lived(seed=6)


def test_more_at_rest_than_may_be_stranded(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = town.Checks

    def checks(*parts: Any) -> Any:
        made = honest(*parts)
        made._max_stranded //= 20
        return made

    monkeypatch.setattr(town, "Checks", checks)
    assert "stranded" in lived()


def test_a_fill_that_is_never_booked_and_nobody_compares(monkeypatch: pytest.MonkeyPatch) -> None:
    honest, numbers = AccountFeed.on_fills, itertools.count()

    def on_fills(feed: AccountFeed, rows: Any) -> Any:
        told = honest(feed, rows)
        return [item for item in told if next(numbers) % 9]

    monkeypatch.setattr(AccountFeed, "on_fills", on_fills)
    monkeypatch.setattr(reconcile, "difference", lambda _state, _item: ())
    assert "belief" in lived()


def test_money_from_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = world.World.close

    def close(self: world.World) -> None:
        self.front.account.quote += 1
        honest(self)

    monkeypatch.setattr(world.World, "close", close)
    assert {"conserved", "belief"} <= lived()


def test_a_decision_that_depends_on_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count()

    def change(engine: Engine, outputs: list[Any]) -> list[Any]:
        engine.state.digest.mix(next(numbers) // 1_000)
        return outputs

    turns(monkeypatch, change)
    assert lived() == {"replay"}


def test_damage_that_nobody_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = framing.scan

    def careless(data: bytes) -> framing.Scan:
        """Stops at the damage and says nothing of it."""
        found = honest(data)
        return framing.Scan(payloads=found.payloads, good=found.good)

    monkeypatch.setattr("hlomm.research.replay.scan", careless)
    assert "replay" in lived(faults=(Fault.JOURNAL_FLIPPED_BIT, Fault.SIGKILL))


def test_an_operator_who_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people.Operator, "_round", lambda _self: None)
    assert "liveness" in lived(faults=KILLS)


def test_a_guardian_that_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper.Sweep, "begin", lambda _self: None)
    assert "guardian" in lived(faults=(Fault.SIGKILL,))


def test_an_engine_that_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = core.Engine._quote

    def raises(engine: Engine) -> None:
        if engine.state.counters.turns == 500:
            raise ZeroDivisionError("planted")
        honest(engine)

    monkeypatch.setattr(core.Engine, "_quote", raises)
    day = Day(draw(5, DAYS, (), beside=False))
    result = day.live()
    assert "engine fault" in rules(result)
    assert "replay" not in rules(result), "it replays to the same fault"


def test_a_configuration_that_should_have_been_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    honest: Loaded = people.load("sim", (), [], environ={})
    monkeypatch.setattr(people, "load", lambda *_args, **_kwargs: honest)
    assert "config" in lived(faults=(Fault.CONFIG_BROKEN,))


def test_a_broken_world_is_a_finding_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Posting, "submit", lambda _self, _output: 1 / 0)
    found = run_seed(5, DAYS, (), beside=False)
    assert rules(found) == {"world"}
    assert "ZeroDivisionError" in found.findings[0].what
