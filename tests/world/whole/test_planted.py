"""Every rule finds the mistake that it is there for: the product is broken in one small way, and the rule complains.

Unbroken, the same plans are clean.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest

from hlomm.assembly.engine import build_engine
from hlomm.daemon.pump import Pump
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import HaltState, Output, PlaceOrders
from hlomm.domain.units import Px, Qty
from hlomm.engine import reconcile, safety
from hlomm.engine.core import Engine
from hlomm.settings.load import load
from hlomm.sim.faults import FaultArgs, FaultName
from hlomm.venues.hyperliquid.account_feed import AccountFeed
from hlomm.venues.hyperliquid.session import HyperliquidSession
from tests.world.whole import life
from tests.world.whole.life import live
from tests.world.whole.plan import CALM_S, Harm, Incident, Kind, Plan, plan

SEED = 3
TRADED = 5
"""A seed in which we are filled within the storm."""
STORM_S = 12.0
# Silence that the session bears and the gate must not.
SILENT = (
    "venue.hyperliquid.silence_s=60", "strategy.avellaneda.max_underlying_age_s=100", "quotes.min_move=0.0005",
    "quotes.min_interval_s=0.1", "strategy.avellaneda.requote_share=0.01",
)  # fmt: skip


def short(*kinds: Kind, sets: tuple[str, ...] = (), seed: int = SEED) -> Plan:
    told = plan(seed, *kinds, storm_s=STORM_S)
    return attrs.evolve(told, sets=(*told.sets, *sets), resume_s=None)


def silence() -> Plan:
    told = attrs.evolve(short(sets=SILENT), storm_s=25.0)
    return attrs.evolve(told, incidents=(Incident(CALM_S, FaultName.WS_STALLED, FaultArgs(for_s=20.0)),))


KILLED = (Harm.OPERATOR_KILL,)


@pytest.fixture
def rules(tmp_path: Path) -> Callable[[Plan], set[str]]:
    """Which rules complain of the whole of it."""
    return lambda told: {finding.rule for finding in live(told, tmp_path).findings}


@pytest.fixture
def finds(tmp_path: Path) -> Callable[[str, Plan], bool]:
    """Whether a rule complains; what would come after that is not waited for."""
    return lambda rule, told: rule in {finding.rule for finding in live(told, tmp_path, enough=rule).findings}


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Engine, list[Output]], list[Output]]], None]:
    """Have something done to the outputs of every turn."""
    honest = Engine.turn

    def patch(change: Callable[[Engine, list[Output]], list[Output]]) -> None:
        monkeypatch.setattr(Engine, "turn", lambda engine, now: change(engine, honest(engine, now)))

    return patch


def order(engine: Engine, purpose: Purpose, tif: Tif, px: int) -> PlaceOrders:
    market = next(id_ for id_, one in engine.state.markets.items() if one.is_outcome and not one.gone)
    assert engine.state.ids is not None
    request = OrderRequest(
        client_id=engine.state.ids.mint(), market=market, leg=Leg.YES, side=Side.BUY, px=Px(px), qty=Qty(60 * 10**8),
        tif=tif, purpose=purpose,
    )  # fmt: skip
    return PlaceOrders(HYPERLIQUID, (request,))


def loosely(monkeypatch: pytest.MonkeyPatch, told: Plan, *sets: str) -> None:
    """The engine is built with other limits than those it is held to."""
    other = load("sim", (), [*told.sets, *sets], environ={}).settings
    monkeypatch.setattr("hlomm.daemon.app.build_engine", lambda _settings, venues: build_engine(other, venues))


@pytest.mark.parametrize("told", [short(), short(*KILLED), silence()], ids=["calm", "killed", "silent"])
def test_unbroken_they_are_clean(rules: Any, told: Plan) -> None:
    assert rules(told) == set()


def test_an_order_that_passed_no_gate(finds: Any, turns: Any) -> None:
    def change(engine: Engine, outputs: list[Output]) -> list[Output]:
        if engine.state.halt is not HaltState.RUNNING or engine.state.counters.turns % 100:
            return outputs
        return [*outputs, order(engine, Purpose.QUOTE, Tif.ALO, 20_000_000)]

    turns(change)
    assert finds("verdict", short())


@pytest.mark.parametrize(
    ("purpose", "tif", "px", "rule"),
    [(Purpose.QUOTE, Tif.ALO, 20_000_000, "halted"), (Purpose.FLATTEN, Tif.IOC, 99_900_000, "reduced")],
)
def test_an_order_that_adds_risk_while_halted(
    finds: Any, turns: Any, purpose: Purpose, tif: Tif, px: int, rule: str
) -> None:
    def change(engine: Engine, outputs: list[Output]) -> list[Output]:
        if engine.state.halt is not HaltState.HALTED or engine.state.counters.turns % 20:
            return outputs
        return [*outputs, order(engine, purpose, tif, px)]

    turns(change)
    assert finds(rule, short(*KILLED))


def test_an_order_that_was_not_written_down_first(finds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Pump._write

    def write(pump: Pump, records: Any) -> None:
        if not any(isinstance(output, PlaceOrders) for record in records for output in getattr(record, "outputs", ())):
            honest(pump, records)

    monkeypatch.setattr(Pump, "_write", write)
    assert finds("recorded", short())


def submitted(monkeypatch: pytest.MonkeyPatch, change: Callable[[PlaceOrders], list[PlaceOrders]]) -> None:
    """What the session makes of orders between the pump and the wire."""
    honest = HyperliquidSession.submit

    def submit(session: HyperliquidSession, output: Output) -> None:
        for one in change(output) if isinstance(output, PlaceOrders) else [output]:
            honest(session, one)

    monkeypatch.setattr(HyperliquidSession, "submit", submit)


def test_an_order_that_is_not_the_one_on_record(finds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def larger(output: PlaceOrders) -> list[PlaceOrders]:
        orders = [msgspec.structs.replace(one, qty=Qty(one.qty + 10**8)) for one in output.orders]
        return [PlaceOrders(output.venue, tuple(orders))]

    submitted(monkeypatch, larger)
    assert finds("recorded", short())


def test_a_client_id_used_twice(finds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    submitted(monkeypatch, lambda output: [output, output])
    assert finds("once", short())


def test_a_quote_on_a_stale_book(finds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    loosely(monkeypatch, silence(), "limits.stale_book_s=100")
    assert finds("fresh", silence())


@pytest.mark.parametrize(
    ("rule", "sets"),
    [
        ("exposed", ("limits.max_position=40",)),
        ("stranded", ("limits.max_resting_without_deadman=20",)),
    ],
)
def test_more_at_stake_than_a_limit_allows(
    finds: Any, monkeypatch: pytest.MonkeyPatch, rule: str, sets: tuple[str, ...]
) -> None:
    told = short(sets=("limits.max_position=400", "strategy.avellaneda.max_size=40"))
    loosely(monkeypatch, told)
    assert finds(rule, attrs.evolve(told, sets=(*told.sets, *sets)))


def test_a_fill_that_is_never_booked_and_nobody_compares(finds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    honest, numbers = AccountFeed.on_fills, itertools.count()

    def on_fills(feed: AccountFeed, rows: Any) -> Any:
        return [item for item in honest(feed, rows) if next(numbers) % 5]

    monkeypatch.setattr(AccountFeed, "on_fills", on_fills)
    monkeypatch.setattr(reconcile, "difference", lambda _state, _item: ())
    assert finds("agreed", short(seed=TRADED))


def test_money_from_nowhere(finds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = life.Life._stop

    async def stop(one: life.Life) -> None:
        one.witness.account.quote += 1
        await honest(one)

    monkeypatch.setattr(life.Life, "_stop", stop)
    assert finds("conserved", short())


def test_a_decision_that_depends_on_the_world(rules: Any, turns: Any) -> None:
    numbers = itertools.count()

    def change(engine: Engine, outputs: list[Output]) -> list[Output]:
        engine.state.digest.mix(next(numbers) // 100)
        return outputs

    turns(change)
    assert rules(short()) == {"replay"}


def test_a_resume_that_does_nothing(finds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safety, "resume", lambda _state, _actor: None)
    assert finds("liveness", short(*KILLED))


def test_an_engine_that_raises(rules: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Engine._quote

    def raises(engine: Engine) -> None:
        if engine.state.counters.turns == 300:
            raise ZeroDivisionError("planted")
        honest(engine)

    monkeypatch.setattr(Engine, "_quote", raises)
    found = rules(short())
    assert "fault" in found
    assert "replay" not in found, "it replays to the same fault"
