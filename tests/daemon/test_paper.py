"""Profile paper beside a simulated venue: the backtester's own exchange under a live clock, and nothing leaves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import InvariantBroken, UsageError
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import (
    FeeRates,
    FillReceived,
    Input,
    OperatorAction,
    OperatorCommand,
    StopRequested,
)
from hlomm.domain.outputs import AmendOrders, CancelOrders, Output, PlaceOrders
from hlomm.domain.times import Now
from hlomm.domain.units import Cash
from hlomm.engine.core import Engine
from hlomm.research.backtest import Terms
from hlomm.research.calibrate.calibrating import calibrate
from hlomm.research.drift.drifting import drift
from hlomm.research.fee_schedule import FeesOf
from hlomm.research.paper.desk import paper_model
from hlomm.research.record.recorder import Ear, Stamps
from hlomm.research.record.sources import Place, sources
from hlomm.research.record.tap import TappedTransport
from hlomm.research.record.writer import Writer
from hlomm.research.replay import replay
from hlomm.research.report.gather import from_journal
from hlomm.research.report.source import Source
from hlomm.research.session import run_session
from hlomm.research.store.recordings import load_session
from hlomm.settings.load import load
from hlomm.sim.harness import SimulatedVenue, read_host, simulated_hyperliquid
from hlomm.venues.clock import Clock
from hlomm.venues.http_client import HttpLimits
from hlomm.venues.hyperliquid.public import HyperliquidPublic
from hlomm.venues.public_transport import PublicTransport
from hlomm.venues.transport import Connect
from hlomm.venues.websocket import WebSocketLimits
from tests.daemon.conftest import no_look
from tests.daemon.paper import PaperRig, on_paper
from tests.daemon.test_restart import Died, die_at

ALONE = ("strategy.complete_set.enabled=false", "sets.enabled=false", "hedge.min_tau_s=60", "hedge.closest=20")
"""The treasury looks every so often, counted from its first look, which the pause before the comparison would shift."""


# -- one exchange


@attrs.define(eq=False)
class Deeds:
    """All that was sent and all that filled, and when, from when the strategy was let go to the stop."""

    go_ns: int = 0
    stop_ns: int | None = None
    money: tuple[int, int] = (0, 0)
    """Cash and perp wallet when it was let go."""
    rates: FeeRates | None = None
    sent: list[tuple[object, ...]] = attrs.field(factory=list)
    fills: list[tuple[object, ...]] = attrs.field(factory=list)

    def fed(self, engine: Engine, item: Input, now: Now) -> None:
        match item:
            case FeeRates():
                self.rates = item
            case OperatorCommand(action=OperatorAction.UNPAUSE):
                books = engine.state.portfolio
                self.go_ns, self.money = now.wall_ns, (books.cash, books.perps.raw)
            case StopRequested() if self.stop_ns is None:
                self.stop_ns = now.wall_ns
            case FillReceived(fill=one):
                self.fills.append(
                    (now.wall_ns, one.kind, one.market, one.leg, one.side, one.px, one.qty, one.fee, one.maker)
                )

    def turned(self, engine: Engine, outputs: Sequence[Output], now: Now) -> None:
        del engine
        for output in outputs:
            match output:
                case PlaceOrders(orders=rows) | AmendOrders(amends=rows):
                    what = type(output).__name__
                    self.sent += [(now.wall_ns, what, one.market, one.leg, one.side, one.px, one.qty) for one in rows]
                case CancelOrders(cancels=gone):
                    self.sent += [(now.wall_ns, "cancel", one.market, one.leg) for one in gone]

    def before(self, stop_ns: int) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
        sent, fills = ([row for row in rows if int(str(row[0])) < stop_ns] for rows in (self.sent, self.fills))
        return sent, fills


class _InPieces(trio.abc.HalfCloseableStream):
    """What the venue says at one instant comes in one piece and at a time of its own, as on a real wire.

    In mock time whatever happens at one instant is torn into pieces at random, and timers fall on the very instants of
    news; a recording cannot know which was first.
    """

    def __init__(self, inner: trio.abc.Stream) -> None:
        self._inner = inner

    async def send_all(self, data: bytes) -> None:
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = bytes(await self._inner.receive_some(max_bytes))
        if data:
            spread = round(trio.current_time() * 1e6) * 2_654_435_761 % 2**32 / 2**32
            await trio.sleep(0.001 + 0.005 * spread)
            with trio.move_on_after(1e-6):
                data += await self._inner.receive_some(max_bytes)
        return data


def in_pieces(sim: SimulatedVenue) -> Connect:
    async def connect(host: str, port: int, tls: bool, /) -> trio.abc.Stream:
        return _InPieces(await sim.connect(host, port, tls))

    return connect


async def paper_beside_a_recorder(sim: SimulatedVenue, root: Path, store: Path, seconds: float) -> None:
    section = load("paper", (), (), environ={}).settings.venue.hyperliquid
    clock, connect = Clock(sim.clock_map, read_host), in_pieces(sim)
    writer = Writer(store, 1_795_000_000_000, "sim")
    ear = Ear(HYPERLIQUID, writer, Stamps(clock))
    ear.write("start", "{}")
    (source,) = sources([Place(section=section, rest=sim.rest, ws=sim.ws)], ("*",))
    watcher = source.watcher(TappedTransport(connect=connect, listener=ear), clock)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watcher.run, ear.sink)
        async with on_paper(sim, root, ALONE, connect) as run:
            for action, wait_s in ((OperatorAction.PAUSE, 10.0), (OperatorAction.UNPAUSE, seconds)):
                await run.until(lambda: run.engine.state.ids is not None)
                run.daemon.pump([OperatorCommand(action=action, actor="test", target="avellaneda")], 0)
                await trio.sleep(wait_s)
            await run.stop()
        nursery.cancel_scope.cancel(reason="the run is over")
    ear.write("stop", "{}")
    writer.close()


async def test_a_run_on_paper_is_the_backtest_of_what_it_heard(tmp_path: Path, autojump_clock) -> None:
    """Every order, amend, cancel and fill, to the nanosecond: what fills is the same too, so it need not be passive."""
    root, store = tmp_path / "state", tmp_path / "store"
    async with simulated_hyperliquid(seed=7) as sim:
        await paper_beside_a_recorder(sim, root, store, 50.0)
    live, again = Deeds(), Deeds()
    assert replay(root, onlooker=live).identical
    assert live.stop_ns is not None
    loaded = load("paper", (), ALONE, environ={})
    terms = Terms(model=paper_model(loaded.settings.paper), fees=FeesOf.TODAY)
    result = run_session(
        load_session(store), loaded, terms, again, cash=Cash(live.money[0]), wallet=Cash(live.money[1]),
        rates=live.rates, up_ns=live.go_ns,
    )  # fmt: skip
    assert result.settled
    sent, fills = live.before(live.stop_ns)
    assert len(sent) > 300
    assert len(fills) > 10
    assert len({row[2] for row in fills if row[2] == "hyperliquid:BTC"}) == 1, "hedges too"
    assert again.before(live.stop_ns) == (sent, fills)


# -- nothing leaves


async def test_nothing_of_ours_is_at_the_venue_and_stopping_leaves_nothing_at_home(tmp_path, autojump_clock) -> None:
    async with simulated_hyperliquid(seed=7) as sim, on_paper(sim, tmp_path) as run:
        accounts = [repr(one) for one in _accounts(run)]
        await run.quoting(2)
        await run.until(lambda: run.engine.state.portfolio.fills >= 3, 200)
        assert run.session.exchange.resting(), "they rest at home"
        result = await run.stop()
        assert [repr(one) for one in _accounts(run)] == accounts, "no order, no fill, no cash of any account moved"
        assert not sim.venue.faults.armed()
    assert result.exit_code is ExitCode.CLEAN
    assert not run.session.exchange.resting()
    assert result.summary["venue_open_orders"] == 0
    assert result.summary["fill_model"] == run.session_tag
    assert result.summary["account"]["hyperliquid"]["differences"] == []
    assert run.books == run.account
    gathered = from_journal(run.paths.root, every_s=5.0, decisions=False)
    assert (gathered.source, gathered.sound) == (Source.PAPER, True)
    assert set(gathered.tables["fills"]["source"]) == {f"paper {run.session_tag}"}, (
        "rows of two models never look alike"
    )
    assert any("fills are made up" in one for one in gathered.told)
    with pytest.raises(UsageError, match="is its own backtest"):
        drift(run.paths.root)
    with pytest.raises(UsageError, match="made up by a model"):
        calibrate([run.paths.root], load("paper", (), (), environ={}))


def _in_first_to_settle(run: PaperRig) -> list[str]:
    """The contract with the least time left, if something is held in it."""
    listed = [one.market for one in run.engine.state.markets.values() if one.market.expiry_ns is not None]
    first = min(listed, key=lambda market: market.expiry_ns or 0, default=None)
    position = None if first is None else run.engine.state.portfolio.positions.get(first.id)
    return [] if first is None or position is None or not position.net else [first.id]


def _accounts(run: PaperRig) -> list[object]:
    """The funded accounts as the venue knows them; its own makers and takers are others."""
    names = {one.name for one in run.sim.accounts}
    return [(name, row) for name, row in run.sim.state()["accounts"].items() if name in names]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [("POST", "/exchange", None), ("GET", "/info", None), ("POST", "/info", {"Authorization": "x"})],
)
async def test_what_is_not_a_public_question_is_not_sent(method, path, headers, autojump_clock) -> None:
    async with simulated_hyperliquid() as sim:
        transport = PublicTransport(connect=sim.connect, rules=HyperliquidPublic())
        async with transport.http(sim.rest, HttpLimits()) as client:
            assert (await client.post("/info", b'{"type":"meta"}')).status == 200
            with pytest.raises(InvariantBroken):
                await client.request(method, path, b"{}", headers)


ORDER = '{"method":"post","id":1,"request":{"type":"action","payload":{}}}'
PRIVATE = '{"method":"subscribe","subscription":{"type":"userFills","user":"0x00"}}'
PUBLIC = '{"method":"subscribe","subscription":{"type":"bbo","coin":"BTC"}}'


async def test_what_is_not_about_a_public_stream_is_not_said(autojump_clock) -> None:
    async with simulated_hyperliquid() as sim:
        transport = PublicTransport(connect=sim.connect, rules=HyperliquidPublic())
        frames: list[str | bytes] = []
        async with transport.websocket(
            sim.ws, lambda frame, _: frames.append(frame), lambda: 0, WebSocketLimits()
        ) as link:
            link.send_nowait(PUBLIC)
            for text in (ORDER, PRIVATE, "no json", '{"method":"subscribe"}'):
                with pytest.raises(InvariantBroken):
                    link.send_nowait(text)
            await trio.sleep(1)
        assert any('"bbo"' in str(frame) for frame in frames)
        with pytest.raises(InvariantBroken):
            async with transport.websocket(sim.ws, print, lambda: 0, WebSocketLimits(), [("Authorization", "x")]):
                pass


# -- what goes wrong


async def test_a_cut_cancels_at_home_holds_and_comes_back(tmp_path, autojump_clock) -> None:
    async with simulated_hyperliquid(seed=7) as sim, on_paper(sim, tmp_path) as run:
        await run.until(lambda: bool(run.account[1]), 200)
        await run.until(lambda: bool(run.session.exchange.resting()), 60)
        sim.cable.unplug()
        venue = run.engine.state.venues[HYPERLIQUID]
        await run.until(lambda: not venue.up, 60)
        await trio.sleep(1)
        held = run.account[1]
        assert not run.session.exchange.resting(), "orders are cancelled at home"
        assert held, "what is held is held"
        row = run.daemon.monitor.snapshot().venues[0]
        assert row.session == "rest_only"
        assert row.data_age_s is not None
        assert row.data_age_s > 10
        assert run.state == "running"
        await trio.sleep(10)
        assert not run.session.exchange.resting(), "and nothing new is taken while nobody hears"
        assert run.account[1] == held
        sim.cable.plug()
        await run.until(lambda: venue.up, 60)
        await run.quoting(2, within_s=180)
        assert run.session.statistics().reconnects == 1
        result = await run.stop()
        assert run.books == run.account
    assert result.summary["account"]["hyperliquid"]["differences"] == []
    assert replay(run.paths.root).identical


async def test_an_order_sent_while_deaf_is_refused(tmp_path, autojump_clock) -> None:
    async with simulated_hyperliquid(seed=7) as sim, on_paper(sim, tmp_path, ("flatten.on_disconnect=flatten",)) as run:
        await run.until(lambda: bool(run.account[1]), 200)
        sim.cable.unplug()
        await run.until(lambda: run.state == "halted", 90)
        assert run.account[1], "sold to nobody"
        assert not run.session.exchange.resting()


async def test_the_account_outlives_a_crash_and_what_settled_meanwhile_is_paid(
    tmp_path, autojump_clock, monkeypatch
) -> None:
    async with simulated_hyperliquid(seed=7) as sim:

        async def live() -> None:
            async with on_paper(sim, tmp_path) as run:
                run.daemon.last_look.at_all = no_look  # type: ignore[method-assign]
                with monkeypatch.context() as patch:
                    await run.until(lambda: bool(_in_first_to_settle(run)), 60)
                    before.append((run.books, *_in_first_to_settle(run)))
                    die_at(patch, 1, torn=True)
                    await run.until(lambda: False, 120)

        before: list[tuple[Any, ...]] = []
        with pytest.raises(BaseExceptionGroup) as caught:
            await live()
        assert caught.value.split(Died)[1] is None, "nothing but the planted death"
        (books, market), settled = before[0], "settles while nobody runs"
        await trio.sleep(60)
        async with on_paper(sim, tmp_path) as again:
            assert again.account == books, "it goes on where the journal says"
            assert again.session.exchange.unlisted
            await again.until(lambda: market not in again.session.exchange.unlisted, 120)
            assert again.engine.state.portfolio.settlements_held == 1, settled
            await again.quoting(1, within_s=120)
            assert again.engine.state.reconciled
            await again.until(lambda: again.engine.state.portfolio.fills > 3, 200)
            result = await again.stop()
            assert again.books == again.account
    assert result.summary["account"]["hyperliquid"]["differences"] == []
    assert result.summary["invariant_breaks"] == 0
    assert replay(tmp_path).identical
