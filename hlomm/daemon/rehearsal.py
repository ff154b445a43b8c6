"""The way from a frame to an order, walked in private while the market is slow, so that it is warm when it counts.

Between two frames of a slow market everything else on the machine pushes this program out of the processor's caches,
and the next decision pays for it. So the program's own classes are put on a private stage: an engine with the live
settings but no limits that bind, a session's parts with a key made for the purpose, a journal that keeps nothing, and
TLS over a pair of sockets. At the other end a venue agrees to everything. Nothing of it is shared with the real ones:
no state, no nonce, no counter, no book, and no connection leaves the process.

A play has two acts, one at a time with the loop's turn between them: a book that moves the quotes, to the orders that
leave; and the venue's answers to those. A lively market keeps itself warm, so there is none then. A stage on which
anything breaks is closed for good and said so; the show goes on without.
"""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import cycle
from pathlib import Path
from secrets import token_bytes
from typing import Final

import msgspec
import structlog
import trio
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.uri import WebSocketURI

from hlomm import __version__
from hlomm.assembly.engine import build_engine
from hlomm.daemon.journal_writer import JournalWriter
from hlomm.daemon.pump import Pump
from hlomm.daemon.stages import Stages, budgets
from hlomm.domain.ids import HYPERLIQUID, outcome_market, perp_market
from hlomm.domain.inputs import AccountState, Booted, FeeRates, MarketListed, MarkPrice, SessionUp
from hlomm.domain.markets import Leg, Market, MarketKind
from hlomm.domain.outputs import AmendOrders, CancelOrders, Output, PlaceOrders
from hlomm.domain.times import NS_PER_MS, NS_PER_S, Now
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.rundir import certificate
from hlomm.settings.load import Loaded, engine_settings
from hlomm.venues.clock import Clock
from hlomm.venues.curve import Key
from hlomm.venues.hyperliquid.config import HyperliquidConfig
from hlomm.venues.hyperliquid.echo import Echo, frame
from hlomm.venues.hyperliquid.parts import Parts, assemble
from hlomm.venues.hyperliquid.signing import Chain
from hlomm.venues.hyperliquid.wire.coins import outcome_coin
from hlomm.venues.socket_stream import SocketStream
from hlomm.venues.transport import Transport
from hlomm.venues.websocket import WebSocketLimits, WebSocketLink
from hlomm.venues.websocket_direct import Socket

_log = structlog.get_logger("hlomm.rehearsal")

LIVELY_PER_S: Final = 50.0
"""News of markets a second from which on there is nothing to rehearse."""
ACTS: Final = 2
_LOOK_S: Final = 1.0
_PERIOD: Final = "1d"
_OUTCOME: Final = 900_001
_SPOT: Final = 80_000
_CASH: Final = Cash(1_000_000 * SCALE)
_STEP_NS: Final = 50 * NS_PER_MS
"""Of the stage's clock, an act: what is posted keeps to the venue's limits."""
_BEGIN: Final = Now(NS_PER_S, 1_778_385_600 * NS_PER_S)
_YEAR_NS: Final = 365 * 86_400 * NS_PER_S
_FLIGHTS: Final = 4
"""Of a TLS handshake, there and back."""
_HOLE: Final = 1_700_000_000_000
_STAMP: Final = b"%d" % _HOLE
_LEVELS: Final = 20
_READ: Final = 65_536
_UNBOUND: Final = (
    "limits.max_loss_event=1000000", "limits.max_loss_underlying=1000000", "limits.max_loss_total=1000000",
    "limits.max_order_notional=1000000", "limits.max_position=1000000", "limits.max_gross_notional=1000000",
    "limits.max_orders_per_s=10000", "limits.max_notional_per_min=1000000000", "limits.max_open_orders=100",
    "limits.max_resting_without_deadman=1000000", "budget.weight_per_min=1000000", "budget.slow_runway_h=0",
    "budget.slow_below=0", "budget.reserve=0", "hedge.enabled=false",
    "strategy.avellaneda.enabled=true", f'strategy.avellaneda.periods=["{_PERIOD}"]', "strategy.avellaneda.follow_s=0",
    "strategy.avellaneda.requote_share=0", "strategy.avellaneda.pull_ratio=100",
    "strategy.avellaneda.max_half_spread=0.2", "quotes.min_move=0.00001", "quotes.min_interval_s=0",
)  # fmt: skip
"""Quotes follow every book, and nothing that a long rehearsal adds up to stops them."""
_PERP: Final = Market(
    id=perp_market(HYPERLIQUID, "BTC"), venue=HYPERLIQUID, kind=MarketKind.PERP, ticker="PERP:BTC", underlying="BTC",
    tick=Px(SCALE // 10), lot=Qty(SCALE // 100_000), min_notional=Cash(10 * SCALE),
    quote_token="USDC",  # noqa: S106 - a currency
)  # fmt: skip
_CONTRACT: Final = Market(
    id=outcome_market(HYPERLIQUID, _OUTCOME), venue=HYPERLIQUID, kind=MarketKind.OUTCOME, ticker="OUT:REHEARSAL",
    underlying="BTC", tick=Px(1_000), lot=Qty(SCALE), min_notional=Cash(10 * SCALE),
    quote_token="USDC",  # noqa: S106 - a currency
    klass="priceBinary", strike=Px(_SPOT * SCALE), period=_PERIOD, expiry_ns=_BEGIN.wall_ns + 10 * _YEAR_NS,
)  # fmt: skip
"""It ends when no rehearsal lasts any more."""


class Rehearsal:
    """Plays beside one daemon."""

    playing = False
    """Of all there are: whether what runs right now is not real. Measurements look away meanwhile."""

    def __init__(self, loaded: Loaded, pump: Pump, every_s: float) -> None:
        """A whole play takes `every_s`."""
        self._loaded = loaded
        self._pump = pump
        self._act_s = every_s / ACTS
        self._news = 0
        self._looked_s = 0.0
        self._lively = False
        self.plays = 0

    async def keep(self) -> None:
        """Play while the market is slow, until something breaks."""
        try:
            with ExitStack() as strike:
                with _private():
                    stage = Stage(self._loaded, strike)
                await self._perform(stage)
        except Exception as error:  # noqa: BLE001 - a supervisor: whatever breaks on the stage, trading goes on without it
            _log.warning("rehearsal_stopped", error=repr(error), next="decisions in a slow market take longer, no more")

    async def _perform(self, stage: Stage) -> None:
        while True:
            for act in (stage.a_book_comes, stage.the_venue_answers):
                await trio.sleep(self._act_s)
                while self._market_is_lively():  # noqa: ASYNC110 - a rate is nothing to wait for
                    await trio.sleep(_LOOK_S)
                with _private():
                    act()
            self.plays += 1

    def _market_is_lively(self) -> bool:
        """By what came in the last second."""
        now_s = trio.current_time()
        if now_s - self._looked_s >= _LOOK_S:
            news = self._pump.news
            self._lively = news - self._news > LIVELY_PER_S * (now_s - self._looked_s)
            self._news, self._looked_s = news, now_s
        return self._lively


@contextmanager
def _private() -> Iterator[None]:
    Rehearsal.playing = True
    try:
        yield
    finally:
        Rehearsal.playing = False


class Stage:
    """One engine, one session's parts, and one venue that agrees, at the two ends of a connection."""

    def __init__(self, loaded: Loaded, strike: ExitStack) -> None:
        """`strike` closes what is opened here."""
        self._now = _BEGIN
        self._clock = Clock(read=lambda: self._now)
        self._parts = _parts(self._clock)
        self._ours, self._theirs = _connected(strike)
        self._client = _client(self._ours, self._parts, self._clock)
        self._server, self.echo = ServerProtocol(state=OPEN), Echo("BTC")
        self._frames = cycle(_frames())
        engine = build_engine(engine_settings(loaded.engine_json(), _UNBOUND))
        self.pump = _Quiet(engine, self._clock, _Nowhere(strike), self._route, Stages(budgets(loaded.settings)))
        self._parts.outlet.sink = self.pump
        self._begin(loaded)

    def _begin(self, loaded: Loaded) -> None:
        """The world as a session finds it when it comes up."""
        booted = Booted(
            epoch_ms=_BEGIN.wall_ms, profile=loaded.profile, version=__version__, config=loaded.engine_json(),
            halted=None,
        )  # fmt: skip
        account = AccountState(
            venue=HYPERLIQUID, cash=_CASH, tokens=(), orders=(), asked_mono_ns=self._now.mono_ns, perp_cash=_CASH
        )
        rates = FeeRates(venue=HYPERLIQUID, open_maker=0, open_taker=0, close_maker=0, close_taker=0, settle=0)
        self.pump([booted], 0)
        for market in (_PERP, _CONTRACT):
            self._parts.market_feed.follow(market.id)
            self.pump([MarketListed(market)], 0)
        self.pump([rates, account, SessionUp(HYPERLIQUID), MarkPrice(_PERP.id, Px(_SPOT * SCALE), 0)], 0)

    # -- the acts

    def a_book_comes(self) -> None:
        """From bytes on the socket to orders in it."""
        self._tick()
        self._say([next(self._frames).replace(_STAMP, b"%d" % self._now.wall_ms)])

    def the_venue_answers(self) -> None:
        """What it was sent is carried out, and told in the reply and on the stream."""
        self._tick()
        posted = self._theirs.receive_now(_READ)
        if posted is None:
            return
        self._server.receive_data(posted)
        events = [event for event in self._server.events_received() if isinstance(event, Frame)]
        messages = [msgspec.json.decode(event.data) for event in events if event.opcode is Opcode.TEXT]
        answers = [one for message in messages for one in self.echo.posted(message, self._now.wall_ms)]
        if answers:
            self._say(answers)

    def _tick(self) -> None:
        self._now = Now(self._now.mono_ns + _STEP_NS, self._now.wall_ns + _STEP_NS)

    def _say(self, payloads: list[bytes]) -> None:
        """From the venue, and heard at once: both ends are ours."""
        self._theirs.send_some(b"".join(Frame(Opcode.TEXT, payload).serialize(mask=False) for payload in payloads))
        heard = self._ours.receive_now(_READ)
        if heard is None:
            raise AssertionError("what was said did not arrive")
        self._client.take(heard)

    def _route(self, output: Output) -> None:
        if isinstance(output, PlaceOrders | AmendOrders | CancelOrders):
            self._parts.gateway.submit(output)


class _Quiet(Pump):
    """Its fault is no fault of the daemon's, and is not said to be one."""

    def _freeze(self, error: Exception) -> None:
        raise error


class _Nowhere(JournalWriter):
    """Writes as a journal does, and keeps nothing."""

    def __init__(self, strike: ExitStack) -> None:
        self._fd = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        strike.callback(os.close, self._fd)

    def append(self, frames: bytes, records: int) -> None:
        del records
        os.write(self._fd, frames)


# -- the set


def _parts(clock: Clock) -> Parts:
    """A session that never runs: its key is made for it, and there is nobody at its addresses."""
    config = HyperliquidConfig(
        rest_url="http://127.0.0.1:9", ws_url="ws://127.0.0.1:9", chain=Chain.TESTNET, account="0x" + "0" * 40,
        agent_key=Key(b"\x01" + token_bytes(31)),
    )  # fmt: skip
    return assemble(config, Transport(), clock)


def _client(stream: SocketStream, parts: Parts, clock: Clock) -> Socket:
    """The session's end of an open websocket."""
    limits = WebSocketLimits()
    link = WebSocketLink.of(limits)
    ws = ClientProtocol(WebSocketURI(secure=False, host="", port=80, path="/", query=""), state=OPEN)
    client = Socket(
        link, stream, limits, parts.inbox.on_frame, lambda: clock.read().mono_ns, parts.outlet, ws, stream.send_some
    )
    link.at_once = client.send_now
    parts.gateway.link_up(link)
    return client


def _connected(strike: ExitStack) -> tuple[SocketStream, SocketStream]:
    """Both ends of a connection under TLS that does not leave this process."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    with tempfile.TemporaryDirectory(prefix="hlomm-") as folder:
        pem, key = certificate.make(Path(folder))
        trusting, showing = ssl.create_default_context(cafile=str(pem)), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        showing.load_cert_chain(pem, key)
    client = trusting.wrap_socket(ours, server_hostname=certificate.HOST, do_handshake_on_connect=False)
    server = showing.wrap_socket(theirs, server_side=True, do_handshake_on_connect=False)
    for end in (client, server):
        strike.callback(end.close)
    for end in (client, server) * _FLIGHTS:
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()
    return SocketStream(client), SocketStream(server)


def _frames() -> list[bytes]:
    """Books of which each moves the quotes, and now and then a touch of the perp; with a hole for the stamp."""
    coin, frames = outcome_coin(_OUTCOME, Leg.YES), []
    for number in range(8):
        sides = []
        for direction in (-1, 1):
            ticks = 50_000 + 150 * (number % 2) + direction * 350
            rows = [{"px": f"0.{ticks + direction * 90 * i:05d}", "sz": f"{31 + i}.0", "n": 2} for i in range(_LEVELS)]
            sides.append(rows)
        frames.append(frame("l2Book", {"coin": coin, "time": _HOLE, "levels": sides}))
    touch = [{"px": f"{_SPOT + tick}.0", "sz": "1.5", "n": 3} for tick in (0, 1)]
    return [*frames, frame("bbo", {"coin": "BTC", "time": _HOLE, "bbo": touch})]
