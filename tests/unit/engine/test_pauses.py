"""What an operator paused stays paused, also over a restart, until an operator says otherwise."""

from __future__ import annotations

from hlomm.domain.carried import Carried
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import Booted, MarketListed, OperatorAction, SessionUp
from tests.support.rig import Rig, alerts, placed
from tests.support.values import EPOCH_MS, config, outcome, perp

FAST = config(quotes={"min_interval_ns": 0})


def restarted(before: Rig, books: Carried | None) -> Rig:
    rig = Rig(before.state.config, boot=False)
    rig.now = before.now
    rig.tell(
        Booted(epoch_ms=EPOCH_MS + 1, profile="sim", version="0", config="{}", halted=None, carried=books),
        MarketListed(perp()), MarketListed(outcome()), SessionUp(HYPERLIQUID),
    )  # fmt: skip
    rig.tell(rig.account_shown())
    rig.book()
    return rig


def paused() -> Rig:
    rig = Rig(FAST)
    rig.engine.checkpoint()
    rig.command(OperatorAction.PAUSE, target="puppet", reason="the feed looks odd")
    return rig


def test_a_pause_survives_a_restart() -> None:
    before = paused()
    rig = restarted(before, before.engine.checkpoint())
    assert not placed(rig.want(bid=("0.52", 100)))
    assert rig.note(1) == "paused"
    assert rig.state.paused == before.state.paused
    assert placed(rig.command(OperatorAction.UNPAUSE, target="puppet"))


def test_so_does_its_end() -> None:
    before = paused()
    before.engine.checkpoint()
    before.command(OperatorAction.UNPAUSE, target="puppet")
    rig = restarted(before, before.engine.checkpoint())
    assert placed(rig.want(bid=("0.52", 100)))


def test_the_pause_of_a_strategy_that_is_no_more_can_be_ended() -> None:
    rig = Rig(FAST)
    rig.state.paused["gone"] = "pause by uid 0"  # type: ignore[index]
    assert not alerts(rig.command(OperatorAction.UNPAUSE, target="gone"), "unknown_strategy")
    assert not rig.state.paused
    assert alerts(rig.command(OperatorAction.PAUSE, target="gone"), "unknown_strategy")
