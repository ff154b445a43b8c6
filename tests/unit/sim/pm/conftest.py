"""A client of the simulated Polymarket written from the protocol's side: eth-account signs, h11 and wsproto speak."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import h11
import pytest
import trio
from eth_account import Account
from eth_account.messages import encode_typed_data

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import Px
from hlomm.sim.config import FlowConfig, ListingConfig, PolymarketConfig, SimConfig
from hlomm.sim.harness_polymarket import SimulatedPolymarket
from hlomm.sim.pm import naming
from hlomm.sim.pm.audit import audit
from hlomm.sim.pm.events import Printed
from hlomm.sim.pm.exchange import Exchange, Held, Placed
from hlomm.sim.pm.market import Market
from hlomm.sim.pm.orders import Kind, NewOrder, TradeStatus
from hlomm.sim.pm.wallets import Wallet

EXCHANGE = "0xE111180000d2663C0091e4f400237545B87B996B"
ORIGIN_NS = 1_795_000_035 * 1_000_000_000
ZERO = "0x" + "00" * 32
ORDER_FIELDS = [
    ("salt", "uint256"),
    ("maker", "address"),
    ("signer", "address"),
    ("tokenId", "uint256"),
    ("makerAmount", "uint256"),
    ("takerAmount", "uint256"),
    ("side", "uint8"),
    ("signatureType", "uint8"),
    ("timestamp", "uint256"),
    ("metadata", "bytes32"),
    ("builder", "bytes32"),
]


@pytest.fixture(scope="session")
def fixtures(shared: Path) -> Callable[[str], Any]:
    """Reads a JSON file of the Polymarket fixtures."""
    return lambda name: json.loads((shared / "fixtures" / "polymarket" / name).read_text())


def typed(name: str, fields: list[tuple[str, str]], domain: dict[str, Any], message: dict[str, Any]) -> Any:
    types = {"EIP712Domain": [{"name": key, "type": _DOMAIN[key]} for key in domain]}
    types[name] = [{"name": key, "type": kind} for key, kind in fields]
    return encode_typed_data(full_message={"types": types, "primaryType": name, "domain": domain, "message": message})


_DOMAIN = {"name": "string", "version": "string", "chainId": "uint256", "verifyingContract": "address"}


def sign(key: str, message: Any) -> str:
    return "0x" + Account.sign_message(message, key).signature.hex().removeprefix("0x")


# -- the exchange without wire


class Desk:
    """An exchange with one market and wallets by name."""

    def __init__(self, **config: Any) -> None:
        self.config = PolymarketConfig(**{"taker_delay_ms": 0.0, **config})
        self.exchange = Exchange(self.config, 1)
        self.exchange.tape.now_ns = ORIGIN_NS
        self.market = self.list_market(1)
        self._count = itertools.count(1)

    def list_market(self, number: int, **more: Any) -> Market:
        end_ns = ORIGIN_NS + 600 * 10**9
        spec = naming.above(1, number, "15m", ORIGIN_NS, end_ns, Px(80_000 * 10**8), ORIGIN_NS)
        market = Market(spec=spec, tick=100, min_lots=500, fee_rate=7_000_000, **({"delayed": False} | more))
        self.exchange.list_market(market)
        return market

    def wallet(self, name: str = "", usd: int = 10_000, **more: Any) -> Wallet:
        index = next(self._count)
        wallet = Wallet(address=f"0x{index:040x}", name=name or f"w{index}", **more)
        return self.exchange.bank.open(wallet, usd * 10**6)

    def give(self, wallet: Wallet, shares: float) -> None:
        """Split cash into pairs."""
        self.exchange.bank.split(wallet, self.market.number, round(shares * 100))

    def new(self, leg: Leg, side: Side, price: float, shares: float, kind: Kind = Kind.GTC, **more: Any) -> NewOrder:
        return NewOrder(
            id=f"0x{next(self._count):064x}",
            number=self.market.number,
            leg=leg,
            side=side,
            ticks=round(price * 10_000),
            lots=round(shares * 100),
            kind=kind,
            owner=more.pop("owner", "me"),
            **more,
        )

    def place(self, wallet: Wallet, *args: Any, **more: Any) -> Placed:
        placed = self.exchange.submit(wallet, self.new(*args, **more))
        assert isinstance(placed, Placed)
        return placed

    def broken(self) -> list[str]:
        """What does not add up, before anything reached the chain."""
        trades = [event.trade for event in self.exchange.tape.events if isinstance(event, Printed)]
        return audit(self.exchange, [trade for trade in trades if trade.status is TradeStatus.MATCHED])

    def held(self, wallet: Wallet, *args: Any, **more: Any) -> Held:
        held = self.exchange.submit(wallet, self.new(*args, **more))
        assert isinstance(held, Held)
        return held


@pytest.fixture
def make_desk() -> type[Desk]:
    return Desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A desk whose books must balance when the test is over."""
    desk = Desk()
    yield desk
    assert desk.broken() == []


@pytest.fixture
def quiet() -> Callable[..., SimConfig]:
    """A venue without background traders: what happens is what the test does."""

    def build(**own: Any) -> SimConfig:
        listing = ListingConfig(warmup_s=6.0, periods=("3m",))
        chosen = PolymarketConfig(**({"updown": ("5m",)} | own))
        return SimConfig(flow=FlowConfig(enabled=False), listing=listing, polymarket=chosen)

    return build


# -- a client of the wire


@attrs.define(eq=False)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]


@attrs.define(eq=False)
class PmClient:
    """One funded account and one keep-alive connection."""

    sim: SimulatedPolymarket
    index: int = 0
    creds: dict[str, str] = attrs.field(factory=dict)
    connection: h11.Connection = attrs.field(factory=lambda: h11.Connection(h11.CLIENT))
    stream: Any = None
    _salts: Any = attrs.field(factory=lambda: itertools.count(1))

    @property
    def account(self) -> Any:
        return self.sim.accounts[self.index]

    @property
    def now_s(self) -> int:
        return self.sim.clock.now_ns() // 10**9

    async def request(
        self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        data = b"" if body is None else (body if isinstance(body, bytes) else _compact(body))
        if self.stream is None:
            self.stream = await self.sim.connect("sim", 80, False)
        lines = [("host", "sim"), ("content-type", "application/json"), ("content-length", str(len(data)))]
        lines += list((headers or {}).items())
        out = self.connection.send(h11.Request(method=method, target=target, headers=lines))
        out += self.connection.send(h11.Data(data=data)) + self.connection.send(h11.EndOfMessage())
        await self.stream.send_all(out)
        status, found, reply = 0, {}, b""
        while True:
            event = self.connection.next_event()
            if event is h11.NEED_DATA:
                self.connection.receive_data(await self.stream.receive_some(65536))
            elif isinstance(event, h11.Response):
                status = event.status_code
                found = {name.decode().lower(): value.decode() for name, value in event.headers}
            elif isinstance(event, h11.Data):
                reply += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                if self.connection.our_state is h11.DONE:
                    self.connection.start_next_cycle()
                return Answer(status, json.loads(reply) if reply else None, found)
            else:
                raise EOFError

    async def get(self, target: str) -> Any:
        answer = await self.request("GET", target)
        assert answer.status == 200, (target, answer)
        return answer.body

    # keys

    def l1(self, nonce: int = 0) -> dict[str, str]:
        domain = {"name": "ClobAuthDomain", "version": "1", "chainId": 137}
        fields = [("address", "address"), ("timestamp", "string"), ("nonce", "uint256"), ("message", "string")]
        stamp = str(self.now_s)
        message = {
            "address": self.account.address,
            "timestamp": stamp,
            "nonce": nonce,
            "message": "This message attests that I control the given wallet",
        }
        signature = sign(self.account.key, typed("ClobAuth", fields, domain, message))
        return {
            "POLY_ADDRESS": self.account.address,
            "POLY_SIGNATURE": signature,
            "POLY_TIMESTAMP": stamp,
            "POLY_NONCE": str(nonce),
        }

    async def login(self) -> PmClient:
        answer = await self.request("POST", "/auth/api-key", headers=self.l1())
        assert answer.status == 200, answer
        self.creds = answer.body
        return self

    async def private(self, method: str, target: str, body: Any = None) -> Answer:
        data = b"" if body is None else (body if isinstance(body, bytes) else _compact(body))
        return await self.request(method, target, data, self.l2(method, target.partition("?")[0], data))

    def l2(self, method: str, path: str, data: bytes) -> dict[str, str]:
        stamp = str(self.now_s)
        secret = base64.urlsafe_b64decode(self.creds["secret"])
        mac = hmac.new(secret, (stamp + method + path).encode() + data, hashlib.sha256).digest()
        return {
            "POLY_ADDRESS": self.account.address,
            "POLY_API_KEY": self.creds["apiKey"],
            "POLY_PASSPHRASE": self.creds["passphrase"],
            "POLY_TIMESTAMP": stamp,
            "POLY_SIGNATURE": base64.urlsafe_b64encode(mac).decode(),
        }

    # orders

    def order(
        self,
        token: str,
        side: str,
        price: str,
        shares: str,
        kind: str = "GTC",
        *,
        amounts: tuple[int, int] | None = None,
        expiration: int = 0,
        post_only: bool = False,
        **changes: Any,
    ) -> dict[str, Any]:
        """A signed order; `amounts` are maker and taker base units in place of price and size."""
        if amounts is None:
            size = round(float(shares) * 100) * 10_000
            cash = round(float(price) * 10_000) * size // 10_000
            amounts = (cash, size) if side == "BUY" else (size, cash)
        kind_of_wallet = self.account.signature_type
        message: dict[str, Any] = {
            "salt": next(self._salts) + 1000 * self.index,
            "maker": self.account.funder,
            "signer": self.account.funder if kind_of_wallet == 3 else self.account.address,
            "tokenId": int(token),
            "makerAmount": amounts[0],
            "takerAmount": amounts[1],
            "side": 0 if side == "BUY" else 1,
            "signatureType": kind_of_wallet,
            "timestamp": self.sim.clock.now_ns() // 10**6,
            "metadata": bytes(32),
            "builder": bytes(32),
        }
        signature = self.sign_order(message)
        body = {
            "order": message
            | {name: str(message[name]) for name in ("tokenId", "makerAmount", "takerAmount", "timestamp")}
            | {"side": side, "expiration": str(expiration), "metadata": ZERO, "builder": ZERO, "signature": signature},
            "owner": self.creds["apiKey"],
            "orderType": kind,
            "deferExec": False,
            "postOnly": post_only,
        }
        return body | changes

    def sign_order(self, message: dict[str, Any]) -> str:
        domain = {
            "name": "Polymarket CTF Exchange",
            "version": "2",
            "chainId": 137,
            "verifyingContract": EXCHANGE,
        }
        signable = typed("Order", ORDER_FIELDS, domain, message)
        if message["signatureType"] != 3:
            return sign(self.account.key, signable)
        # The wallet's own scheme: the order is wrapped, signed, and the parts of the wrapping are appended.
        wrap = [
            ("contents", "Order"),
            ("name", "string"),
            ("version", "string"),
            ("chainId", "uint256"),
            ("verifyingContract", "address"),
            ("salt", "bytes32"),
        ]
        full = {
            "types": {
                "EIP712Domain": [{"name": key, "type": _DOMAIN[key]} for key in domain],
                "TypedDataSign": [{"name": key, "type": kind} for key, kind in wrap],
                "Order": [{"name": key, "type": kind} for key, kind in ORDER_FIELDS],
            },
            "primaryType": "TypedDataSign",
            "domain": domain,
            "message": {
                "contents": message,
                "name": "DepositWallet",
                "version": "1",
                "chainId": 137,
                "verifyingContract": message["maker"],
                "salt": bytes(32),
            },
        }
        inner = sign(self.account.key, encode_typed_data(full_message=full))
        kinds = "Order(" + ",".join(f"{kind} {name}" for name, kind in ORDER_FIELDS) + ")"
        tail = signable.header + signable.body + kinds.encode() + len(kinds).to_bytes(2, "big")
        return inner + tail.hex()

    async def post(self, *args: Any, **more: Any) -> Answer:
        return await self.private("POST", "/order", self.order(*args, **more))

    # streams

    async def market_stream(self, websocket: type, tokens: list[str], **more: Any) -> Any:
        ws = websocket(await self.sim.connect("sim", 80, False))
        await ws.open("/ws/market")
        await ws.send({"type": "market", "assets_ids": tokens, "initial_dump": True} | more)
        return ws

    async def user_stream(self, websocket: type, markets: list[str] | None = None) -> Any:
        ws = websocket(await self.sim.connect("sim", 80, False))
        await ws.open("/ws/user")
        await ws.send({"type": "user", "auth": self.creds} | ({} if markets is None else {"markets": markets}))
        return ws


async def until(ws: Any, kind: str, check: Callable[[Any], bool] = lambda _row: True) -> Any:
    """The next event of a type that passes a check; everything else is dropped."""
    with trio.fail_after(3600):
        while True:
            text = await ws.next_text()
            if text[0] not in "[{":
                continue
            rows = json.loads(text)
            for row in rows if isinstance(rows, list) else [rows]:
                if row["event_type"] == kind and check(row):
                    return row


def _compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@pytest.fixture
def pm_client() -> type[PmClient]:
    return PmClient


@pytest.fixture
def until_event() -> Any:
    return until
