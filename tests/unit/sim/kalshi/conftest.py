"""What the tests of the simulated Kalshi share: a calm venue, a desk without wire, and clients of the wire.

The clients are written from the protocol's side (h11, wsproto, cryptography) and know nothing of the product's own.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import h11
import pytest
import trio
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Ping, RejectConnection, Request, TextMessage

from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE
from hlomm.sim.config import FlowConfig, SimConfig
from hlomm.sim.config_kalshi import KalshiConfig, KalshiFlowConfig, KalshiRulesConfig
from hlomm.sim.harness_kalshi import SimulatedKalshi, simulated_kalshi
from hlomm.sim.kalshi.accounts import Account, Order
from hlomm.sim.kalshi.contracts import CRYPTO_SHARD, Event, Market, Phase, Series, StrikeType
from hlomm.sim.kalshi.exchange import Exchange
from hlomm.sim.kalshi.fees import FeeTerms
from hlomm.sim.kalshi.grid import parse_count, parse_price
from hlomm.sim.kalshi.orders import NewOrder

API = "/trade-api/v2"
ORIGIN_NS = 1_795_000_035 * 1_000_000_000
TICKER = "KXBTCD-26NOV2017-T90999.99"


def calm_config(**rules: Any) -> SimConfig:
    """A venue without background traders, whose portfolio is not late unless a test wants it so."""
    return SimConfig(
        flow=FlowConfig(enabled=False),
        kalshi=KalshiConfig(
            flow=KalshiFlowConfig(enabled=False), rules=KalshiRulesConfig(**({"portfolio_lag_s": 0.0} | rules))
        ),
    )


@pytest.fixture
def calm() -> Callable[..., SimConfig]:
    return calm_config


@pytest.fixture(scope="session")
def kalshi_fixture(shared: Path) -> Callable[[str], Any]:
    """Reads a JSON file of the Kalshi fixtures."""
    return lambda name: json.loads((shared / "fixtures" / "kalshi" / name).read_text())


# -- the exchange without wire


class Desk:
    """An exchange with one market and a way to say orders in dollars and contracts."""

    def __init__(self, structure: str = "linear_cent", fees: FeeTerms | None = None, **rules: Any) -> None:
        self.exchange = Exchange(KalshiRulesConfig(**rules), 1)
        self.exchange.tape.now_ns = ORIGIN_NS
        self.engine = self.exchange.engines[CRYPTO_SHARD]
        self.series = Series(
            ticker="KXBTCD",
            frequency="hourly",
            strike_type=StrikeType.GREATER,
            structure=structure,
            timer_s=1.0,
            fees=fees or FeeTerms(),
            market_title="Bitcoin price",
        )
        self.market = self.open_market(TICKER)
        self._count = itertools.count(1)

    def open_market(self, ticker: str) -> Market:
        close_ns = ORIGIN_NS + 3_600 * 10**9
        event_ticker = ticker.rpartition("-")[0]
        event = self.exchange.events.get(event_ticker) or Event(
            ticker=event_ticker, series=self.series, close_ns=close_ns
        )
        market = Market(
            ticker=ticker,
            event_ticker=event_ticker,
            series=self.series,
            created_ns=ORIGIN_NS,
            open_ns=ORIGIN_NS,
            close_ns=close_ns,
            strike=9_099_999,
            structure=self.series.structure,
            phase=Phase.ACTIVE,
        )
        self.exchange.list_market(event, market)
        return market

    def account(self, usd: int = 1_000, name: str = "") -> Account:
        index = next(self._count)
        return self.exchange.open_account(name or f"a{index}", f"user-{index}", {CRYPTO_SHARD: usd * SCALE})

    def place(self, account: Account, side: Side, price: str, count: str, **more: Any) -> Order:
        ticker = more.pop("ticker", TICKER)
        new = NewOrder(ticker=ticker, side=side, ticks=parse_price(price), lots=parse_count(count), **more)
        return self.engine.place(account, new)

    def events(self, kind: type) -> list[Any]:
        return [event for event in self.exchange.tape.events if isinstance(event, kind)]

    def cash(self, account: Account) -> int:
        return account.cash[CRYPTO_SHARD]

    def settle(self, market: Market, *, yes: bool) -> None:
        for account in self.exchange.accounts.values():
            if market.ticker in account.positions:
                self.exchange.ledger.settle(account, CRYPTO_SHARD, market.ticker, yes=yes)
        self.exchange.ledger.settled(market.ticker)


@pytest.fixture
def make_desk() -> type[Desk]:
    return Desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A desk whose books must balance when the test is over."""
    desk = Desk()
    yield desk
    assert desk.exchange.audit() == []


# -- clients of the wire


def sign(pem: str, message: str) -> str:
    key: Any = serialization.load_pem_private_key(pem.encode(), None)
    if isinstance(key, Ed25519PrivateKey):
        raw = key.sign(message.encode())
    else:
        raw = key.sign(message.encode(), padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    return base64.b64encode(raw).decode()


class Gone(Exception):  # noqa: N818
    """The connection ended without an answer."""


@attrs.define(eq=False)
class Client:
    """One keep-alive HTTP connection and, when asked for, websockets, as one member."""

    sim: SimulatedKalshi
    key_id: str
    pem: str
    skew_ms: int = 0
    _stream: Any = None
    _connection: Any = None

    def headers(self, method: str, path: str) -> list[tuple[str, str]]:
        stamp = str(self.sim.clock.now_ns() // 1_000_000 + self.skew_ms)
        return [
            ("KALSHI-ACCESS-KEY", self.key_id),
            ("KALSHI-ACCESS-TIMESTAMP", stamp),
            ("KALSHI-ACCESS-SIGNATURE", sign(self.pem, f"{stamp}{method}{path}")),
        ]

    async def call(
        self, method: str, path: str, body: Any = None, *, signed: bool = True, headers: Any = None
    ) -> tuple[int, Any]:
        """Status and decoded body of a request below the API root."""
        return await self.request(method, API + path, body, signed=signed, headers=headers)

    async def request(
        self, method: str, target: str, body: Any = None, *, signed: bool = True, headers: Any = None
    ) -> tuple[int, Any]:
        if self._stream is None:
            self._stream = await self.sim.connect("sim", 80, False)
            self._connection = h11.Connection(h11.CLIENT)
        data = b"" if body is None else json.dumps(body).encode()
        given = headers if headers is not None else (self.headers(method, target.partition("?")[0]) if signed else [])
        lines = [("host", "sim"), ("content-type", "application/json"), ("content-length", str(len(data))), *given]
        connection = self._connection
        out = connection.send(h11.Request(method=method, target=target, headers=lines))
        out += connection.send(h11.Data(data=data)) + connection.send(h11.EndOfMessage())
        await self._stream.send_all(out)
        status, reply = 0, b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                data = await self._stream.receive_some(65536)
                if not data:
                    self._stream = None
                    raise Gone
                connection.receive_data(data)
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                reply += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                if connection.our_state is h11.DONE and connection.their_state is h11.DONE:
                    connection.start_next_cycle()
                else:
                    self._stream = None
                return status, json.loads(reply)
            else:
                self._stream = None
                raise Gone

    async def get(self, path: str) -> Any:
        status, body = await self.call("GET", path)
        assert status == 200, (status, body)
        return body

    async def ticker(self, series: str = "KXBTCD") -> str:
        """The market of a series that trades longest."""
        rows = (await self.get(f"/markets?series_ticker={series}&status=open"))["markets"]
        return max(rows, key=lambda row: row["close_time"])["ticker"]

    def order(self, ticker: str, side: str, price: str, count: str, **more: Any) -> dict[str, Any]:
        return {
            "ticker": ticker,
            "side": side,
            "price": price,
            "count": count,
            "time_in_force": "good_till_canceled",
            "self_trade_prevention_type": "taker_at_cross",
            "exchange_index": 2,
        } | more

    async def place(self, ticker: str, side: str, price: str, count: str, **more: Any) -> tuple[int, Any]:
        return await self.call("POST", "/portfolio/events/orders", self.order(ticker, side, price, count, **more))

    async def control(self, **request: Any) -> Any:
        status, body = await self.request("POST", "/sim", request, signed=False)
        assert status == 200, (status, body)
        return body

    async def websocket(self, *, headers: Any = None, target: str = "/trade-api/ws/v2") -> WebSocket:
        ws = WebSocket(await self.sim.connect("sim", 80, False))
        given = self.headers("GET", "/trade-api/ws/v2") if headers is None else headers
        await ws.open(target, [(name.encode(), value.encode()) for name, value in given])
        return ws


class Rejected(Exception):  # noqa: N818
    """The upgrade was refused."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class WebSocket:
    """One websocket connection; frames are read one by one."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.ws = WSConnection(ConnectionType.CLIENT)
        self.frames: list[dict[str, Any]] = []
        self.pings: list[bytes] = []
        self._parts: list[str] = []
        self._count = 0

    async def open(self, target: str, headers: list[tuple[bytes, bytes]]) -> None:
        await self.stream.send_all(self.ws.send(Request(host="sim", target=target, extra_headers=headers)))
        while True:
            self.ws.receive_data(await self.stream.receive_some(65536))
            for event in self.ws.events():
                if isinstance(event, RejectConnection):
                    raise Rejected(event.status_code)
                assert isinstance(event, AcceptConnection), event
                return

    async def command(self, cmd: str, **params: Any) -> int:
        """Send a command and return its id."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "cmd": cmd}
        if cmd != "list_subscriptions":
            message["params"] = params
        await self.send(message)
        return self._count

    async def send(self, message: Any) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        await self.stream.send_all(self.ws.send(TextMessage(data=text)))

    async def next(self) -> dict[str, Any]:
        """The next frame; Gone when the connection ends."""
        while not self.frames:
            data = await self.stream.receive_some(65536)
            if not data:
                raise Gone
            self.ws.receive_data(data)
            for event in self.ws.events():
                if isinstance(event, TextMessage):
                    self._parts.append(event.data)
                    if event.message_finished:
                        self.frames.append(json.loads("".join(self._parts)))
                        self._parts.clear()
                elif isinstance(event, Ping):
                    self.pings.append(bytes(event.payload))
                    await self.stream.send_all(self.ws.send(event.response()))
                elif isinstance(event, CloseConnection):
                    raise Gone
        return self.frames.pop(0)

    async def until(self, kind: str, check: Callable[[Any], bool] = lambda _msg: True) -> dict[str, Any]:
        """The next frame of a type whose `msg` passes a check; everything else is dropped."""
        while True:
            frame = await self.next()
            if frame["type"] == kind and check(frame.get("msg")):
                return frame

    async def subscribe(self, *channels: str, **params: Any) -> dict[str, int]:
        """Subscribe and return the sids by channel."""
        await self.command("subscribe", channels=list(channels), **params)
        sids = {}
        for _ in channels:
            msg = (await self.until("subscribed"))["msg"]
            sids[msg["channel"]] = msg["sid"]
        return sids


@pytest.fixture
def rejected() -> type[Rejected]:
    return Rejected


@pytest.fixture
def gone() -> type[Gone]:
    return Gone


@pytest.fixture
def client() -> Callable[..., Client]:
    """A client of one of the funded accounts."""

    def build(sim: SimulatedKalshi, index: int = 0, **more: Any) -> Client:
        account = sim.accounts[index]
        return Client(sim, account.key_id, account.private_key_pem, **more)

    return build


@pytest.fixture
async def sim(autojump_clock: Any) -> AsyncIterator[SimulatedKalshi]:
    """A calm venue; its money must add up at the end."""
    async with simulated_kalshi(seed=4, config=calm_config()) as sim:
        yield sim
        assert sim.exchange.audit() == []
