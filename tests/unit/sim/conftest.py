"""What the tests of the simulator share: where the recorded fixtures are, a signer, and clients of the wire.

The clients are written from the protocol's side (h11, wsproto, coincurve) and know nothing of the product's own.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import coincurve
import h11
import msgspec
import pytest
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Ping,
    Pong,
    Request,
    TextMessage,
)

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, Tif
from hlomm.domain.units import SCALE, Px
from hlomm.sim.accounts import Account
from hlomm.sim.config import FlowConfig, ListingConfig, RulesConfig, SimConfig
from hlomm.sim.exchange import Exchange
from hlomm.sim.harness import SimulatedVenue
from hlomm.sim.hl import signatures
from hlomm.sim.orders import PERP, NewOrder, Placed, Target
from hlomm.sim.outcome_market import OutcomeSpec

SHARED = Path(__file__).resolve().parents[4] / "shared"
ORIGIN_NS = 1_795_000_035 * 1_000_000_000


@pytest.fixture(scope="session")
def shared(request: pytest.FixtureRequest) -> Path:
    """The folder of recorded fixtures. Missing in CI is a failure; elsewhere the test says what it could not check."""
    if SHARED.is_dir():
        return SHARED
    message = f"{SHARED} is missing: wire shapes and signatures are NOT checked against the venue's"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def golden(shared: Path) -> Callable[[str], Any]:
    """Reads a JSON file of the Hyperliquid fixtures."""
    return lambda name: json.loads((shared / "fixtures" / "hyperliquid" / name).read_text())


# -- the exchange without wire


class Desk:
    """An exchange with one outcome and a way to say orders in contracts and ticks."""

    def __init__(self, rules: RulesConfig | None = None, outcome: int = 15) -> None:
        self.exchange = Exchange(rules or RulesConfig())
        self.exchange.tape.now_ns = ORIGIN_NS
        self.exchange.perp.mark_ticks = 800_000
        self.outcome = outcome
        self.market = self.exchange.list_outcome(spec_of(outcome))
        self._count = itertools.count(1)

    def account(self, name: str = "", spot: int = 10_000, perp: int = 10_000) -> Account:
        index = next(self._count)
        return self.exchange.open_account(f"0x{index:040x}", name or f"a{index}", spot=spot * SCALE, perp=perp * SCALE)

    def place(
        self, account: Account, leg: Leg, side: Side, ticks: int, lots: int, tif: Tif = Tif.GTC, **more: Any
    ) -> Placed:
        new = NewOrder(target=Target(self.outcome, leg), side=side, ticks=ticks, lots=lots, tif=tif, **more)
        return self.exchange.place(account, new)

    def perp(self, account: Account, side: Side, ticks: int, lots: int, tif: Tif = Tif.GTC, **more: Any) -> Placed:
        new = NewOrder(target=PERP, side=side, ticks=ticks, lots=lots, tif=tif, **more)
        return self.exchange.place(account, new)

    def events(self, kind: type) -> list[Any]:
        return [event for event in self.exchange.tape.events if isinstance(event, kind)]

    def tokens(self, account: Account, leg: Leg) -> int:
        return account.held(self.outcome, leg).total


def spec_of(outcome: int, expiry_ns: int = ORIGIN_NS + 10**12) -> OutcomeSpec:
    return OutcomeSpec(
        outcome=outcome,
        underlying="BTC",
        expiry_ns=expiry_ns,
        target=Px(80_000 * SCALE),
        period="1d",
        quote_token="USDC",
        description="class:priceBinary|underlying:BTC|expiry:20261120-0600|targetPrice:80000|period:1d",
    )


@pytest.fixture
def make_desk() -> type[Desk]:
    return Desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A desk whose books must balance when the test is over."""
    desk = Desk()
    yield desk
    assert desk.exchange.audit() == []


@pytest.fixture
def calm() -> SimConfig:
    """A venue without background traders: what happens is what the test does."""
    return SimConfig(flow=FlowConfig(enabled=False), listing=ListingConfig(warmup_s=6.0))


# -- signing


class Signer:
    """Signs envelopes with a key; nonces count up from a start."""

    def __init__(self, key: str, nonce: int) -> None:
        self._key = coincurve.PrivateKey(bytes.fromhex(key[2:]))
        self._nonces = itertools.count(nonce)

    def sign_digest(self, digest: bytes) -> dict[str, Any]:
        raw = self._key.sign_recoverable(digest, hasher=None)
        return {"r": hex(int.from_bytes(raw[:32])), "s": hex(int.from_bytes(raw[32:64])), "v": 27 + raw[64]}

    def __call__(
        self,
        action: dict[str, Any],
        *,
        nonce: int | None = None,
        vault: str | None = None,
        expires: int | None = None,
        source: str = "b",
    ) -> dict[str, Any]:
        nonce = next(self._nonces) if nonce is None else nonce
        hashed = signatures.action_hash(action, nonce, vault, expires)
        return {
            "action": action,
            "nonce": nonce,
            "signature": self.sign_digest(signatures.l1_digest(hashed, source)),
            "vaultAddress": vault,
            "expiresAfter": expires,
        }

    def user_signed(self, action: dict[str, Any]) -> dict[str, Any]:
        """Envelope of an action that the master key signs field by field."""
        primary, fields = signatures.USER_SIGNED[action["type"]]
        message = {"agentName": ""} | action
        digest = signatures.user_digest(primary, fields, message, int(action["signatureChainId"], 16))
        return {"action": action, "nonce": action["nonce"], "signature": self.sign_digest(digest)}


def order_wire(
    asset: int, *, buy: bool, px: str, sz: str, tif: str = "Alo", cloid: str | None = None
) -> dict[str, Any]:
    row: dict[str, Any] = {"a": asset, "b": buy, "p": px, "s": sz, "r": False, "t": {"limit": {"tif": tif}}}
    return row if cloid is None else row | {"c": cloid}


def order_action(*orders: dict[str, Any]) -> dict[str, Any]:
    return {"type": "order", "orders": list(orders), "grouping": "na"}


@pytest.fixture
def signer() -> type[Signer]:
    return Signer


@pytest.fixture
def wire() -> Any:
    """Builders of wire objects."""

    class Wire:
        order = staticmethod(order_wire)
        orders = staticmethod(order_action)

    return Wire


# -- clients of the wire


@attrs.define(eq=False)
class Rest:
    """One keep-alive HTTP connection."""

    stream: trio.abc.Stream
    connection: h11.Connection = attrs.field(factory=lambda: h11.Connection(h11.CLIENT))

    async def post(self, path: str, body: Any, *, content_type: str = "application/json") -> tuple[int, bytes]:
        """Status and raw body. `body` is bytes or a JSON value."""
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.request("POST", path, data, content_type=content_type)

    async def request(self, method: str, path: str, data: bytes, *, content_type: str) -> tuple[int, bytes]:
        headers = [("host", "sim"), ("content-type", content_type), ("content-length", str(len(data)))]
        out = self.connection.send(h11.Request(method=method, target=path, headers=headers))
        out += self.connection.send(h11.Data(data=data)) + self.connection.send(h11.EndOfMessage())
        await self.stream.send_all(out)
        status, reply = 0, b""
        while True:
            event = self.connection.next_event()
            if event is h11.NEED_DATA:
                self.connection.receive_data(await self.stream.receive_some(65536))
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                reply += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                if self.connection.our_state is h11.DONE:
                    self.connection.start_next_cycle()
                return status, reply
            else:
                raise EOFError

    async def info(self, kind: str, **fields: Any) -> Any:
        status, body = await self.post("/info", {"type": kind} | fields)
        assert status == 200, (status, body)
        return msgspec.json.decode(body)

    async def exchange(self, envelope: Any) -> Any:
        status, body = await self.post("/exchange", envelope)
        assert status == 200, (status, body)
        return msgspec.json.decode(body)

    async def control(self, request: dict[str, Any]) -> Any:
        status, body = await self.post("/sim", request)
        assert status == 200, (status, body)
        return msgspec.json.decode(body)


class Gone(Exception):  # noqa: N818
    """The connection ended; `code` of the closing handshake, None without one."""

    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code


class WebSocket:
    """One websocket connection; frames are read one by one."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.ws = WSConnection(ConnectionType.CLIENT)
        self.frames: list[str] = []
        self.pongs: list[bytes] = []
        self._parts: list[str] = []

    async def open(self, target: str = "/ws") -> None:
        await self.stream.send_all(self.ws.send(Request(host="sim", target=target)))
        while True:
            self.ws.receive_data(await self.stream.receive_some(65536))
            for event in self.ws.events():
                assert isinstance(event, AcceptConnection), event
                return

    async def send(self, message: Any) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        await self.stream.send_all(self.ws.send(TextMessage(data=text)))

    async def ping(self, payload: bytes) -> None:
        await self.stream.send_all(self.ws.send(Ping(payload=payload)))

    async def subscribe(self, **subscription: Any) -> None:
        await self.send({"method": "subscribe", "subscription": subscription})

    async def next_text(self) -> str:
        """Next text frame; Gone when the connection ends."""
        while not self.frames:
            data = await self.stream.receive_some(65536)
            if not data:
                raise Gone(None)
            self.ws.receive_data(data)
            for event in self.ws.events():
                if isinstance(event, TextMessage):
                    self._parts.append(event.data)
                    if event.message_finished:
                        self.frames.append("".join(self._parts))
                        self._parts.clear()
                elif isinstance(event, Pong):
                    self.pongs.append(bytes(event.payload))
                    self.frames.append('{"channel":"control-pong"}')
                elif isinstance(event, CloseConnection):
                    raise Gone(event.code)
        return self.frames.pop(0)

    async def next(self) -> dict[str, Any]:
        return json.loads(await self.next_text())

    async def drain(self) -> None:
        """Read until the connection ends, which raises Gone."""
        while True:
            await self.next_text()

    async def until(self, channel: str, check: Callable[[Any], bool] = lambda _data: True) -> Any:
        """Data of the next frame of a channel that passes a check; everything else is dropped."""
        while True:
            text = await self.next_text()
            if text.startswith("{"):
                message = json.loads(text)
                if message["channel"] == channel and check(message.get("data")):
                    return message.get("data")

    async def post(self, number: int, kind: str, payload: Any) -> Any:
        """Send a post and wait for its answer; returns the `response` object."""
        await self.send({"method": "post", "id": number, "request": {"type": kind, "payload": payload}})
        return (await self.until("post", lambda data: data["id"] == number))["response"]


@attrs.frozen
class Client:
    """Ways to talk to one running venue as its first account."""

    sim: SimulatedVenue

    async def rest(self) -> Rest:
        return Rest(await self.sim.connect("sim", 80, False))

    async def websocket(self) -> WebSocket:
        ws = WebSocket(await self.sim.connect("sim", 80, False))
        await ws.open()
        assert await ws.next_text() == "Websocket connection established."
        return ws

    def signer(self, index: int = 0, *, agent: bool = True) -> Signer:
        account = self.sim.accounts[index]
        nonce = self.sim.clock.now_ns() // 1_000_000
        return Signer(account.agent_key if agent else account.key, nonce)

    def outcome(self, period: str = "1d") -> int:
        for market in self.sim.exchange.outcomes.values():
            if market.spec.period == period:
                return market.number
        raise AssertionError(period)

    def asset(self, period: str = "1d", side: int = 0) -> int:
        return 100_000_000 + 10 * self.outcome(period) + side

    def coin(self, period: str = "1d", side: int = 0) -> str:
        return f"#{10 * self.outcome(period) + side}"


@pytest.fixture
def client() -> type[Client]:
    return Client


@pytest.fixture
def gone() -> type[Gone]:
    return Gone


@pytest.fixture
def websocket_client() -> type[WebSocket]:
    return WebSocket


@pytest.fixture
def rest_client() -> type[Rest]:
    return Rest
