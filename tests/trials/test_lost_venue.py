"""The promise with real processes while the daemon lives and the venue is lost, in part or altogether.

Most outages are scaled: a quarter of a minute instead of a minute, with a session that gives up after 5 s instead of
15 and the shortest dead-man there may be. Every tenth lasts its minute. `HLOMM_TRIALS=50 pytest -s -m trial` is the
slow lane.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import trio

from hlomm.cli.client import Client
from hlomm.domain.faults import ProtocolViolation, UsageError
from hlomm.domain.outputs import HaltState
from hlomm.domain.report import Snapshot
from hlomm.domain.units import SCALE, parse
from hlomm.rundir import halt_file
from tests.trials.conftest import LEAST_HELD, POLL_S, TRIALS, Daemon, Ground, fresh, quantile, say, spread
from tests.trials.road import Road, relayed

pytestmark = pytest.mark.trial

GONE_S: Final = 1.0
FLAT_S: Final = 15.0
"""`flatten.deadline_s`: the whole walk to safety."""
OUTAGE_S: Final = 15.0
LONG_OUTAGE_S: Final = 60.0
BACK_S: Final = 40.0
"""From the return of the network to HALTED: reconnecting, comparing, the walk."""
CAP_USD: Final = 120
DEADMAN_S: Final = 10
LAG_S: Final = 1.0
HASTY: Final = (
    "venue.hyperliquid.silence_s=5", "venue.hyperliquid.request_s=2", "venue.hyperliquid.post_s=2",
    "venue.hyperliquid.ping_s=2", "venue.hyperliquid.pong_s=3", f"venue.hyperliquid.deadman_s={DEADMAN_S}",
)  # fmt: skip


async def halted(daemon: Daemon, within_s: float) -> Snapshot:
    """Wait until the daemon itself says that it is HALTED."""
    with trio.fail_after(within_s):
        while True:
            try:
                client = Client(daemon.paths.socket, 1.0)
                snapshot = client.snapshot()
                client.close()
            except (UsageError, ProtocolViolation):
                await trio.sleep(POLL_S)
                continue
            if snapshot.engine.state == HaltState.HALTED.value:
                return snapshot
            await trio.sleep(POLL_S)


async def end_in_order(daemon: Daemon) -> None:
    """Without standing still meanwhile: the road to the venue leads through here."""
    daemon.send(signal.SIGINT)
    with trio.fail_after(60):
        while (code := daemon.process.poll()) is None:
            await trio.sleep(POLL_S)
    assert code in (0, 4), "clean, or clean out of HALTED"


async def flat_or_held(ground: Ground, snapshot: Snapshot) -> None:
    """Nothing that could be sold is left, by the venue's own account; what policy holds is said."""
    said = " ".join(alert.text for alert in snapshot.alerts)
    assert await ground.held() < LEAST_HELD or "held to settlement" in said, said
    assert await ground.resting() == 0


@attrs.frozen
class Watched:
    """What the venue saw of the daemon's orders while it was out of reach."""

    most_usd: float
    gone_s: float | None
    """When nothing rested any more, None if something did to the end."""


async def outage(ground: Ground, road: Road, lasting_s: float = OUTAGE_S) -> Watched:
    """Lose the network for a while; the venue is asked by another way."""
    struck, most, gone = trio.current_time(), 0, None
    road.cable.unplug()
    while trio.current_time() - struck < lasting_s:
        account = await ground.truth()
        most = max(most, parse(account["hold"]))
        if account["open_orders"]:
            gone = None
        elif gone is None:
            gone = trio.current_time() - struck
        await trio.sleep(POLL_S)
    return Watched(most / SCALE, gone)


async def until_killed(ground: Ground) -> dict[str, Any]:
    """The state in which the venue first knows that it lost its clients."""
    with trio.fail_after(5):
        while (state := await ground.state())["faults"]["injected"].get("ws_killed", 0) == 0:
            await trio.sleep(POLL_S / 5)
    return state


async def test_the_websocket_is_cut_while_requests_are_answered(tmp_path: Path) -> None:
    gone_s: list[float] = []
    halted_s: list[float] = []
    for trial in range(TRIALS):
        async with fresh(tmp_path / f"{trial}", trial) as ground:
            daemon = ground.start("daemon")
            await ground.quoting(held=0 if trial % 10 else LEAST_HELD)
            await ground.control(type="fault", name="ws_killed")
            state = await until_killed(ground)
            lost_ms, struck = state["time"], trio.current_time()
            while state["accounts"]["daemon"]["open_orders"]:
                await trio.sleep(POLL_S / 5)
                state = await ground.state()
            gone_s.append((state["time"] - lost_ms) / 1000)
            snapshot = await halted(daemon, 30)
            halted_s.append(trio.current_time() - struck)
            await flat_or_held(ground, snapshot)
            note = halt_file.read(daemon.paths.halt)
            assert note is not None
            assert "session lost" in note.reason
            assert daemon.process.poll() is None
            await end_in_order(daemon)
    say(f"websocket cut: {TRIALS} trials; orders gone {spread(gone_s)}; flat and HALTED {spread(halted_s)}")
    assert quantile(gone_s, 0.99) <= GONE_S, gone_s
    assert max(halted_s) <= FLAT_S, halted_s


async def test_the_venue_is_out_of_reach_and_back(tmp_path: Path) -> None:
    most_usd: list[float] = []
    back_s: list[float] = []
    for trial in range(TRIALS):
        async with fresh(tmp_path / f"{trial}", trial) as ground, relayed(ground.document) as road:
            daemon = ground.start(
                "daemon", *HASTY, f"limits.max_resting_without_deadman={CAP_USD}", document=road.document
            )
            await ground.quoting(held=0 if trial % 10 else LEAST_HELD)
            watched = await outage(ground, road, OUTAGE_S if trial % 10 else LONG_OUTAGE_S)
            most_usd.append(watched.most_usd)
            road.cable.plug()
            returned = trio.current_time()
            snapshot = await halted(daemon, BACK_S)
            with trio.fail_after(BACK_S):  # HALTED blind it may be already: then the walk is taken up
                while await ground.resting() or not any(row.session == "live" for row in snapshot.venues):
                    await trio.sleep(POLL_S)
                    snapshot = await halted(daemon, BACK_S)
            back_s.append(trio.current_time() - returned)
            await flat_or_held(ground, snapshot)
            assert halt_file.read(daemon.paths.halt) is not None
            await end_in_order(daemon)
    say(
        f"venue away for {OUTAGE_S:g} s or {LONG_OUTAGE_S:g} s: {TRIALS} trials; stranded at most {max(most_usd):.0f}"
        f" of {CAP_USD} USD; back and reduced {spread(back_s)}"
    )
    assert 0 < max(most_usd) <= CAP_USD, most_usd
    assert max(back_s) <= BACK_S, back_s


async def test_with_a_deadman_the_orders_vanish_by_themselves(tmp_path: Path) -> None:
    gone_s: list[float] = []
    for trial in range(TRIALS):
        async with fresh(tmp_path / f"{trial}", trial) as ground, relayed(ground.document) as road:
            await ground.control(type="volume", account="daemon", usd=2_000_000)
            daemon = ground.start("daemon", *HASTY, document=road.document)
            await ground.quoting()
            watched = await outage(ground, road)
            assert watched.gone_s is not None, "something still rests although its term is over"
            gone_s.append(watched.gone_s)
            road.cable.plug()
            await flat_or_held(ground, await halted(daemon, BACK_S))
            await end_in_order(daemon)
    say(f"dead-man of {DEADMAN_S} s: {TRIALS} trials; orders gone by themselves {spread(gone_s)}")
    assert max(gone_s) <= DEADMAN_S + LAG_S, gone_s
