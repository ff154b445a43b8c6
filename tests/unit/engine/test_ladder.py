"""The status ladder: every source of a reason puts the engine on its rung, and is gone when its cause is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hlomm.cli import views
from hlomm.domain.ids import HYPERLIQUID, StrategyId
from hlomm.domain.inputs import ClockSkew, MarkPrice, OperatorAction, RateBudget, SendLost, SentAction, VenuePaused
from hlomm.domain.report import AlertRow, Snapshot
from hlomm.domain.units import Cash
from hlomm.engine.config import OnDisconnect
from hlomm.engine.ladder import Rung, ladder
from hlomm.engine.report import report
from tests.support.rig import Rig, placed
from tests.support.values import PERP, M, account, config, levels, px, resting, usd

ALL_ON = config(
    quotes={"min_interval_ns": 0},
    limits={"max_resting_without_deadman": usd(100)},
    flatten={"on_disconnect": {HYPERLIQUID: OnDisconnect.PAUSE}},
    breakers={"api_errors": 2, "daily_loss": usd(40)},
    inventory={"widen_above": px("0.5"), "pause_above": px("0.8"), "reduce_above": px("0.9")},
)


def _errors(rig: Rig) -> None:
    (request,) = placed(rig.want(bid=("0.52", 20), fair="0.55"))
    for _ in range(3):
        rig.tell(SendLost((request.client_id,), SentAction.PLACE, "x"))


def _moves(rig: Rig, price: float) -> None:
    rig.tell(MarkPrice(PERP, px(80_000), rig.ms), MarkPrice(PERP, px(price), rig.ms))


def _mark_down(rig: Rig, price: str) -> None:
    rig.buy(100, "0.5")
    rig.book(levels((price, 500)), levels(("0.60", 500)))


def _closed(rig: Rig) -> None:
    rig.tell(VenuePaused(HYPERLIQUID, rig.ms + 60_000, "maintenance"))


def _unconfirmed(rig: Rig) -> None:
    rig.state.venues[HYPERLIQUID].reconciled = False


def _fault(rig: Rig) -> None:
    rig.state.strategy_faults[StrategyId("puppet")] = "ValueError: x"


def _refusals(rig: Rig) -> None:
    rig.want(bid=("0.52", 20), fair="0.55")
    for _ in range(4):
        rig.rejected(rig.state.orders.live_in(M)[0], "Tick")


CASES: list[tuple[Callable[[Rig], Any], Rung, str]] = [
    (lambda rig: None, Rung.NORMAL, ""),
    (lambda rig: rig.command(OperatorAction.KILL), Rung.HALT, "halted: kill by uid 1000"),
    (lambda rig: _moves(rig, 81_000), Rung.WARNING, "spreads x3: BTC mark moved 1.25 % within 60 s > 1 %, 300 s left"),
    (lambda rig: _moves(rig, 83_000), Rung.CRITICAL, "quotes pulled: BTC mark moved 3.75 % within 300 s > 3 %"),
    (_errors, Rung.CRITICAL, "hyperliquid paused: more than 2 requests to hyperliquid failed within 60 s"),
    (lambda rig: rig.down(), Rung.CRITICAL, "hyperliquid session is down"),
    (lambda rig: rig.tell(ClockSkew(HYPERLIQUID, -3_001)), Rung.CRITICAL, "clock of hyperliquid differs by -3001 ms"),
    (lambda rig: rig.tell(RateBudget(HYPERLIQUID, 9_900, 10_000)), Rung.CRITICAL, "100 left, kept for cancels"),
    (lambda rig: rig.tell(RateBudget(HYPERLIQUID, 9_500, 10_000)), Rung.WARNING, "500 left, quoting slowly"),
    (lambda rig: rig.tell(account(10_000, orders=(resting(None),))), Rung.WARNING, "1 orders on hyperliquid are not"),
    (lambda rig: _mark_down(rig, "0.09"), Rung.CRITICAL, "daily loss beyond 40.00: only reductions until 00:00 UTC"),
    (lambda rig: _mark_down(rig, "0.29"), Rung.WARNING, "lost 21.00 of 40.00 today"),
    (lambda rig: rig.buy(201, "0.5"), Rung.WARNING, "net 201 of 400 = 50 %: loaded side widened"),
    (lambda rig: rig.buy(321, "0.5"), Rung.WARNING, "net 321 of 400 = 80 %: loaded side not quoted"),
    (lambda rig: rig.buy(361, "0.5"), Rung.CRITICAL, "net 361 of 400 = 90 %: only reducing"),
    (_fault, Rung.CRITICAL, "puppet failed: ValueError: x"),
    (lambda rig: rig.command(OperatorAction.PAUSE, target="puppet"), Rung.WARNING, "puppet: pause by uid 1000"),
    (lambda rig: rig.want(bid=("0.52", 100), fair="0.55"), Rung.WARNING, "52.00 of 100.00 would be stranded"),
    (_closed, Rung.WARNING, "hyperliquid takes no new orders until"),
    (_unconfirmed, Rung.CRITICAL, "being compared with the books"),
    (_refusals, Rung.WARNING, "rests 20 s: the venue refused too often"),
]  # fmt: skip


@pytest.mark.parametrize(("cause", "rung", "words"), CASES)
def test_each_source_has_its_rung_and_its_words(cause: Callable[[Rig], Any], rung: Rung, words: str) -> None:
    rig = Rig(ALL_ON)
    cause(rig)
    found, reasons = ladder(rig.state)
    assert found is rung
    assert any(words in reason for reason in reasons) or not words, reasons
    assert bool(reasons) is (rung is not Rung.NORMAL)


def test_before_the_first_session_it_is_starting() -> None:
    rig = Rig(boot=False)
    rig.boot()
    assert ladder(rig.state) == (Rung.WARNING, ("starting",))


def test_half_a_limit_is_no_warning_yet() -> None:
    rig = Rig(config(limits={"max_drawdown": usd(40), "max_gross_notional": usd(100)}))
    rig.buy(100, "0.5")
    rig.book(levels(("0.30", 500)), levels(("0.60", 500)))
    assert ladder(rig.state)[0] is Rung.NORMAL
    rig.book(levels(("0.29999", 500)), levels(("0.60", 500)))
    assert ladder(rig.state) == (Rung.WARNING, ("drawdown 20.00 of 40.00",))
    rig.buy(1, "0.5")
    assert any(reason.startswith("gross 50.50 of 100.00") for reason in ladder(rig.state)[1])


def test_the_worst_reason_comes_first_and_all_are_told() -> None:
    rig = Rig(ALL_ON)
    rig.buy(201, "0.5")
    _moves(rig, 83_000)
    rung, reasons = ladder(rig.state)
    assert rung is Rung.CRITICAL
    assert reasons[0].startswith("quotes pulled")
    assert [reason.split(":")[0] for reason in reasons[1:]] == ["spreads x3", "OUT"]


def test_the_ladder_comes_down_with_the_cause() -> None:
    rig = Rig(ALL_ON)
    _moves(rig, 83_000)
    rig.jump(900)
    rig.book()
    assert ladder(rig.state)[0] is Rung.NORMAL


# -- shown


def snapshot(rig: Rig) -> Snapshot:
    return Snapshot(
        profile="sim", version="0", pid=1, uptime_s=1.0, armed=Cash(0), engine=report(rig.state), venues=(),
        alerts=(AlertRow(wall_ms=0, level="info", code="x", text="x"),),
    )  # fmt: skip


def test_status_shows_rung_reasons_counters_and_what_would_be_stranded() -> None:
    rig = Rig(ALL_ON)
    rig.want(bid=("0.52", 100), fair="0.55")
    _moves(rig, 83_000)
    document, text = views.status(snapshot(rig))
    assert document["ladder"] == "critical"
    assert document["breakers"] == {"price_widen": 1, "price_pause": 1}
    assert document["stranded"] == {"hyperliquid": {"stranded": 52.0, "cap": 100.0, "deadman_until_ms": None}}
    assert "CRITICAL   quotes pulled: BTC mark moved 3.75 %" in text
    assert "\n   spreads x3: " in text
    assert "hyperliquid: 52.00/100.00 would be stranded, no dead-man armed" in text


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (lambda rig: _moves(rig, 83_000), "bid: price_pause — BTC mark moved 3.75 % within 300 s > 3 %, 900 s left"),
        (lambda rig: _moves(rig, 81_000), "bid: quoting — spread x3, price_widen: BTC mark moved 1.25 %"),
        (lambda rig: rig.buy(321, "0.5"), "bid: inventory — net 321 of 400 = 80 % > 80 %, only reductions"),
        (lambda rig: _mark_down(rig, "0.09"), "bid: daily_loss — only reductions until 00:00 UTC"),
        (_errors, "bid: api_errors — more than 2 requests to hyperliquid failed"),
    ],
)
def test_explain_names_the_guard_with_its_numbers(cause: Callable[[Rig], Any], words: str) -> None:
    rig = Rig(ALL_ON)
    rig.want(bid=("0.52", 50), ask=("0.58", 40), fair="0.55")
    for order in list(rig.state.orders.live()):
        rig.opened(order)
    rig.puppet.desired.setdefault(M, rig.market().desired)  # type: ignore[arg-type]
    if cause is _errors:
        order = rig.state.orders.live_in(M)[0]
        for _ in range(3):
            rig.tell(SendLost((order.client_id,), SentAction.CANCEL, "x"))
    else:
        cause(rig)
    _, text = views.explain(snapshot(rig), None)
    assert words in text
    assert f"{ladder(rig.state)[0].value}: " in text
