"""Makes the incidents of a plan happen, counts them, and clears the sky."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import attrs
import trio

from hlomm.daemon.app import Daemon
from hlomm.domain.inputs import OperatorAction, OperatorCommand
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, Tif
from hlomm.link.protocol import VERSION, Hello, Watch, encode
from hlomm.settings.paths import StatePaths
from hlomm.sim.coins import WHOLE
from hlomm.sim.faults import FaultArgs, FaultName
from hlomm.sim.harness import SimulatedVenue
from hlomm.sim.orders import NewOrder, Target
from hlomm.sim.sequencer import ActionClass
from tests.world.whole.plan import Harm, Incident, Plan

FLATTENING_S: Final = 20.0
"""How long a signal waits for a walk to safety that it can interrupt."""
FOREIGN_LOTS: Final = 40
GOING_AWAY: Final = 1001


class Place(Protocol):
    """Where weather happens."""

    sim: SimulatedVenue
    paths: StatePaths
    daemon: Daemon | None
    """The one that runs now."""


@attrs.define(eq=False)
class Weather:
    _plan: Plan
    _place: Place
    injected: dict[str, int] = attrs.field(factory=dict)

    async def blow(self, nursery: trio.Nursery) -> None:
        """Until the last incident has begun."""
        for incident in self._plan.incidents:
            await trio.sleep_until(incident.at_s)
            if isinstance(incident.kind, FaultName):
                self._place.sim.faults.arm(incident.kind, incident.args)
                if incident.kind is FaultName.FILLS_REPEATED:
                    self._place.sim.faults.arm(FaultName.WS_KILLED)  # it shows when one subscribes again
            else:
                nursery.start_soon(self._harm, incident)

    def clear(self) -> None:
        """Fair weather, at once."""
        sim = self._place.sim
        sim.faults.clear()
        sim.cable.plug()
        sim.refuse_connections = False
        for name, count in sim.faults.injected.items():
            self.injected[name.value] = count

    async def _harm(self, incident: Incident) -> None:
        assert isinstance(incident.kind, Harm)
        if await _HARMS[incident.kind](self._place, incident.args):
            self.injected[incident.kind.value] = self.injected.get(incident.kind.value, 0) + 1


async def _network_lost(place: Place, args: FaultArgs) -> bool:
    place.sim.cable.unplug()
    await trio.sleep(args.for_s or 0.0)
    place.sim.cable.plug()
    return True


async def _connections_refused(place: Place, args: FaultArgs) -> bool:
    place.sim.refuse_connections = True
    place.sim.faults.arm(FaultName.WS_KILLED)
    await trio.sleep(args.for_s or 0.0)
    place.sim.refuse_connections = False
    return True


async def _kicked(place: Place, args: FaultArgs) -> bool:
    del args
    await trio.lowlevel.checkpoint()
    peers = list(place.sim.speaker._peers)
    for peer in peers:
        peer.close(GOING_AWAY, "Going away")
    return bool(peers)


async def _journal_full(place: Place, args: FaultArgs) -> bool:
    del args
    await trio.lowlevel.checkpoint()
    if place.daemon is None:
        return False

    def full(frames: bytes, records: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    place.daemon.journal.append = full  # type: ignore[method-assign]
    return True


def _raise_signal(number: signal.Signals) -> bool:
    """Only where somebody listens: the default action would end the test."""
    if signal.getsignal(number) is signal.SIG_DFL:
        return False
    signal.raise_signal(number)
    return True


async def _signal(place: Place, args: FaultArgs) -> bool:
    del args
    await trio.lowlevel.checkpoint()
    return place.daemon is not None and _raise_signal(signal.SIGTERM)


async def _signal_twice(place: Place, args: FaultArgs) -> bool:
    first = await _signal(place, args)
    await trio.sleep(args.delay_s / 10)
    return await _signal(place, args) and first


async def _signal_while_flattening(place: Place, args: FaultArgs) -> bool:
    """Begin a walk to safety, and be told to end in the middle of it."""
    if not await _command(place, OperatorAction.FLATTEN):
        return False
    with trio.move_on_after(FLATTENING_S):
        while place.daemon is not None:
            if place.daemon.pump.engine.state.halt.value == "flattening":
                return await _signal(place, args)
            await trio.sleep(0.05)
    return False


async def _command(place: Place, action: OperatorAction) -> bool:
    await trio.lowlevel.checkpoint()
    if place.daemon is None:
        return False
    place.daemon.pump([OperatorCommand(action=action, actor="weather", reason="drill")], 0)
    return True


async def _operator_kill(place: Place, args: FaultArgs) -> bool:
    del args
    return await _command(place, OperatorAction.KILL)


async def _operator_flatten(place: Place, args: FaultArgs) -> bool:
    del args
    return await _command(place, OperatorAction.FLATTEN)


async def _client(place: Place, said: bytes, stay_s: float) -> bool:
    try:
        stream = await trio.open_unix_socket(str(place.paths.socket))
        async with stream:
            await stream.send_all(said)
            await trio.sleep(stay_s)
    except (OSError, trio.BrokenResourceError):  # no daemon runs, or it ended or dropped us meanwhile
        return False
    return True


async def _slow_client(place: Place, args: FaultArgs) -> bool:
    hello = encode(Hello(version=VERSION, role="script")) + encode(Watch(id=1, interval_ms=100))
    return await _client(place, hello, args.for_s or 0.0)


async def _link_garbage(place: Place, args: FaultArgs) -> bool:
    return await _client(place, b"\xff\xff\xff\x7f" + b"\x00garbage" * 64, args.delay_s)


def _foreign(place: Place, tif: Tif, ticks: int, cancel_after_s: float) -> bool:
    """An order without our mark on the account of the daemon, from the next block on."""
    sim = place.sim
    exchange, world = sim.exchange, sim.venue.world
    account = exchange.accounts[sim.accounts[0].address]
    outcome = next(iter(exchange.outcomes), None)
    if outcome is None:
        return False
    target = Target(outcome, Leg.YES)

    def run() -> None:
        if outcome not in exchange.outcomes:
            return
        placed = exchange.place(
            account, NewOrder(target=target, side=Side.BUY, ticks=ticks, lots=FOREIGN_LOTS, tif=tif)
        )
        later_ns = sim.clock.now_ns() + round(cancel_after_s * 1e9)
        oid = getattr(placed, "oid", None)
        world.submit(later_ns, ActionClass.CANCEL, lambda: exchange.cancel(account, target, oid) and None)

    world.submit(sim.clock.now_ns(), ActionClass.AGGRESSIVE, run)
    return True


async def _foreign_order(place: Place, args: FaultArgs) -> bool:
    await trio.lowlevel.checkpoint()
    return _foreign(place, Tif.GTC, WHOLE // 50, args.for_s or 0.0)


async def _foreign_trade(place: Place, args: FaultArgs) -> bool:
    del args
    await trio.lowlevel.checkpoint()
    return _foreign(place, Tif.IOC, WHOLE - 1, 0.0)


_HARMS: Final[dict[Harm, Callable[[Place, FaultArgs], Awaitable[bool]]]] = {
    Harm.NETWORK_LOST: _network_lost, Harm.CONNECTIONS_REFUSED: _connections_refused, Harm.KICKED: _kicked,
    Harm.JOURNAL_FULL: _journal_full, Harm.SIGNAL: _signal, Harm.SIGNAL_TWICE: _signal_twice,
    Harm.SIGNAL_WHILE_FLATTENING: _signal_while_flattening, Harm.OPERATOR_KILL: _operator_kill,
    Harm.OPERATOR_FLATTEN: _operator_flatten, Harm.SLOW_CLIENT: _slow_client, Harm.LINK_GARBAGE: _link_garbage,
    Harm.FOREIGN_ORDER: _foreign_order, Harm.FOREIGN_TRADE: _foreign_trade,
}  # fmt: skip
