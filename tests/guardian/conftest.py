"""A guardian beside the simulated venue in one process: memory streams to the venue, a real socket, mock clock."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
import trio

from hlomm.assembly.venues import hyperliquid_session
from hlomm.daemon.beat import policy
from hlomm.domain.ids import HYPERLIQUID, ClientIds, MarketId, outcome_market
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.secret import Secret
from hlomm.domain.units import Px, Qty, parse
from hlomm.guardian.app import guard
from hlomm.link.guardian import (
    VERSION,
    Beat,
    FromGuardian,
    Met,
    Phase,
    Policy,
    Register,
    Taken,
    decode_from_guardian,
)
from hlomm.link.protocol import Frames, Hello, Message, encode
from hlomm.rundir.processes import started_ticks
from hlomm.settings.charge import Charge, HyperliquidCharge
from hlomm.settings.load import load
from hlomm.settings.paths import StatePaths
from hlomm.sim.harness import SimulatedVenue, read_host, simulated_hyperliquid
from hlomm.venues.clock import Clock
from hlomm.venues.transport import Connect, Transport
from tests.daemon.conftest import Rig, rig

__all__ = ["Rig", "rig"]


@attrs.define(eq=False)
class Puppet:
    """The daemon's process, dying and killed on demand."""

    pid: int = attrs.field(factory=os.getpid)
    kills: int = 0
    on_kill: Callable[[], object] = lambda: None
    stuck: bool = False
    """Killed, it is not gone."""
    _gone: trio.Event = attrs.field(factory=trio.Event)

    def kill(self) -> bool:
        if self._gone.is_set():
            return False
        self.kills += 1
        self.on_kill()
        if not self.stuck:
            self._gone.set()
        return True

    def die(self) -> None:
        self._gone.set()

    async def wait_gone(self) -> None:
        await self._gone.wait()


def beat(seq: int = 1, **fields: Any) -> Beat:
    return Beat(
        **{
            "seq": seq, "turns": seq, "overdue_ms": 0, "frozen": False, "halt": "running", "reason": "quoting",
            "policy": Policy(sell=True, slippage=Px(5_000_000), hold_to_expiry_s=0.0), **fields,
        }
    )  # fmt: skip


class Voice:
    """Somebody on the guardian's socket."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._frames = Frames()
        self._pending: list[FromGuardian] = []

    async def say(self, message: Message) -> None:
        await self.stream.send_all(encode(message))

    async def hear(self) -> FromGuardian | None:
        with trio.fail_after(20):
            while not self._pending:
                data = await self.stream.receive_some(65_536)
                if not data:
                    return None
                self._pending += [decode_from_guardian(body) for body in self._frames.feed(bytes(data))]
        return self._pending.pop(0)

    async def ask(self, message: Message) -> FromGuardian | None:
        await self.say(message)
        return await self.hear()

    async def greet(self) -> Voice:
        assert isinstance(await self.ask(Hello(version=VERSION, role="test", origin="10.0.0.7")), Met)
        return self

    async def register(self) -> Voice:
        await self.greet()
        pid = os.getpid()
        answer = await self.ask(Register(pid=pid, started=started_ticks(pid) or 0, epoch_ms=1, account="test"))
        assert isinstance(answer, Taken), answer
        return self


@attrs.define(eq=False)
class Post:
    """One guardian at its post."""

    sim: SimulatedVenue
    charge: Charge
    paths: StatePaths
    puppet: Puppet
    voices: list[Voice] = attrs.field(factory=list)
    phase: Phase | None = None
    ended: trio.Event = attrs.field(factory=trio.Event)
    _ids: ClientIds = attrs.field(factory=lambda: ClientIds(1))

    async def knock(self) -> Voice:
        with trio.fail_after(20):
            while True:
                try:
                    stream = await trio.open_unix_socket(str(self.paths.guardian_socket))
                except OSError:
                    await trio.sleep(0.05)
                    continue
                self.voices.append(Voice(stream))
                return self.voices[-1]

    async def daemon(self, **fields: Any) -> Voice:
        """A daemon that has registered and beaten once."""
        voice = await (await self.knock()).register()
        await voice.ask(beat(**fields))
        return voice

    async def end(self, within_s: float = 200) -> Phase:
        with trio.fail_after(within_s):
            await self.ended.wait()
        assert self.phase is not None
        return self.phase

    def record(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for line in self.paths.guardian_log.read_bytes().splitlines()]

    def events(self) -> list[str]:
        return [line["event"] for line in self.record()]

    # -- the account

    @property
    def truth(self) -> dict[str, Any]:
        return self.sim.state()["accounts"][self.sim.accounts[0].name]

    @property
    def resting(self) -> int:
        return self.truth["open_orders"]

    @property
    def tokens(self) -> dict[str, int]:
        return {coin: parse(row["total"]) // 10**8 for coin, row in self.truth["tokens"].items()}

    @property
    def market(self) -> MarketId:
        """The listed outcome that settles last."""
        return outcome_market(HYPERLIQUID, self.sim.state()["outcomes"][-1]["outcome"])

    async def trade(self, *, resting: int = 0, tokens: int = 0, ours: bool = True) -> None:
        """Orders that rest and tokens that are held, placed with the daemon's key."""
        clock = Clock(self.sim.clock_map, read_host)
        keys = self.sim.accounts[0]
        session = hyperliquid_session(
            self.charge.venues[0].section, clock, limits=None, key=Secret(keys.agent_key), rest=self.sim.rest,
            ws=self.sim.ws, account=keys.address, transport=Transport(connect=self.sim.connect),
        )  # fmt: skip
        orders = [self._order(Px(5_000_000 + 100_000 * n), 300, Tif.ALO, ours=ours) for n in range(resting)]
        if tokens:
            orders.append(self._order(Px(99_000_000), tokens, Tif.IOC, ours=ours))
        words = await session.place_now(orders)
        assert set(words) <= {"resting", "filled"}, words

    def _order(self, px: Px, qty: int, tif: Tif, *, ours: bool) -> OrderRequest:
        client_id = self._ids.mint()
        if not ours:
            client_id = type(client_id)("0x" + "9" * 4 + client_id[6:])
        return OrderRequest(
            client_id=client_id, market=self.market, leg=Leg.YES, side=Side.BUY, px=px, qty=Qty(qty * 10**8), tif=tif,
            purpose=Purpose.QUOTE,
        )  # fmt: skip


def charge_for(sim: SimulatedVenue, *sets: str) -> Charge:
    settings = load("sim", (), sets, environ={}).settings
    account, pid = sim.accounts[0], os.getpid()
    return Charge(
        pid=pid, started=started_ticks(pid) or 0, profile="sim", rules=settings.guardian, policy=policy(settings),
        frozen_s=settings.flatten.deadline_s, clock=sim.clock_map,
        venues=(
            HyperliquidCharge(
                section=settings.venue.hyperliquid, rest=sim.rest, ws=sim.ws, account=account.address,
                key=Secret(account.guardian_key),
            ),
        ),
    )  # fmt: skip


MakePost = Callable[..., AbstractAsyncContextManager[Post]]


@pytest.fixture
def post(tmp_path: Path) -> MakePost:
    @asynccontextmanager
    async def make(
        *, sets: tuple[str, ...] = (), sim: SimulatedVenue | None = None, seed: int = 7, linger_s: float = 20,
        prepare: Callable[[StatePaths], object] = lambda _paths: None, charge: Charge | None = None,
        connect: Connect | None = None,
    ) -> AsyncIterator[Post]:  # fmt: skip
        if sim is None:
            async with simulated_hyperliquid(seed=seed) as fresh:
                inner = make(sets=sets, sim=fresh, linger_s=linger_s, prepare=prepare)
                async with inner as made:
                    yield made
            return
        paths = StatePaths(tmp_path / "state")
        paths.prepare()
        prepare(paths)
        charge = charge_for(sim, f"guardian.linger_s={linger_s}", *sets) if charge is None else charge
        made = Post(sim, charge, paths, Puppet())
        async with trio.open_nursery() as nursery:

            async def run() -> None:
                made.phase = await guard(
                    made.charge, paths, clock=Clock(sim.clock_map, read_host), process=made.puppet,
                    transport=Transport(connect=sim.connect if connect is None else connect),
                )  # fmt: skip
                made.ended.set()

            nursery.start_soon(run)
            try:
                yield made
            finally:
                for voice in made.voices:
                    voice.stream.socket.close()
                nursery.cancel_scope.cancel(reason="the test is over")

    return make


async def keep_beating(voice: Voice, every_s: float = 0.5, **fields: Any) -> None:
    seq = 1
    while True:
        seq += 1
        await voice.ask(beat(seq, **fields))
        await trio.sleep(every_s)
