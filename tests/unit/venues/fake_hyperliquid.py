"""A scripted Hyperliquid over memory streams: answers politely by default, misbehaves where a test tells it to.

It knows nothing of the client's code: JSON is written out by hand, HTTP is h11, websockets are bare wsproto.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import h11
import trio
import trio.testing
import wsproto
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Request, TextMessage

from hlomm.domain.times import NS_PER_S, Now
from hlomm.venues.clock import Clock

HTTP_PORT = 8080
WS_PORT = 8081
REST_URL = f"http://venue.test:{HTTP_PORT}"
WS_URL = f"ws://venue.test:{WS_PORT}/ws"

WALL_START_MS = 1_785_412_800_000  # 2026-07-30 12:00:00 UTC
ACCOUNT = "0x14791697260e4c9a71f18484c9f997b308e59325"
KEY = bytes.fromhex("0123456789012345678901234567890123456789012345678901234567890123")

Answer = tuple[int, bytes]


class Never:
    """Answer of a handler that keeps the client waiting."""


def binary(outcome: int, *, expiry: str = "20260731-0600", target: str = "118250", **fields: Any) -> dict[str, Any]:
    """Specification of a recurring BTC binary."""
    return {
        "outcome": outcome,
        "name": "Recurring",
        "description": f"class:priceBinary|underlying:BTC|expiry:{expiry}|targetPrice:{target}|period:1d",
        "sideSpecs": [{"name": "Yes"}, {"name": "No"}],
        "quoteToken": "USDC",
        **fields,
    }


def bucket(
    question: int, fallback: int, *named: Any, thresholds: str = "115885,120615", **fields: Any
) -> dict[str, Any]:
    """Recurring BTC bucket question; `named` are the outcomes of its legs."""
    return {
        "question": question,
        "name": "Recurring",
        "description": f"class:priceBucket|underlying:BTC|expiry:20260731-0600|priceThresholds:{thresholds}|period:1d",
        "fallbackOutcome": fallback,
        "namedOutcomes": list(named),
        "settledNamedOutcomes": [],
        **fields,
    }


def leg(outcome: int, index: int, **fields: Any) -> dict[str, Any]:
    """Specification of a leg of a recurring question."""
    return binary(outcome, **{"name": "Recurring Named Outcome", "description": f"index:{index}", **fields})


def fallback(outcome: int, **fields: Any) -> dict[str, Any]:
    return binary(outcome, **{"name": "Recurring Fallback", "description": "other", **fields})


def template(outcome: int, *, threshold: str = "77177", **fields: Any) -> dict[str, Any]:
    """Specification of a deployer's contract on an averaged price, as captured in September 2026."""
    return binary(
        outcome,
        **{
            "name": "template:binaryPrice",
            "description": (
                f"perp:BTC|priceDescription:BTC-USDC perp mark|seconds:60|threshold:{threshold}|time:20260912-0630"
            ),
            "venue": "out",
            "deployerFeeScale": "1.0",
            **fields,
        },
    )


def mock_clock() -> Clock:
    """Trio's (mock) clock as host clock; wall time starts at WALL_START_MS."""

    def read() -> Now:
        elapsed = int(trio.current_time() * NS_PER_S)
        return Now(elapsed, WALL_START_MS * 1_000_000 + elapsed)

    return Clock(read=read)


def now_ms() -> int:
    return mock_clock().wall_ms()


class HangUp:
    """Answer of a handler that has read the request and closes the connection."""


class Stallable(trio.abc.Stream):
    """The client's end of a connection, whose writes or reads a test can hold up or break."""

    def __init__(self, inner: trio.abc.Stream) -> None:
        self.inner = inner
        self.stall_writes = False
        self.swallow_writes = False
        self.closed = trio.Event()

    async def send_all(self, data: bytes) -> None:
        if self.stall_writes:
            await self.inner.send_all(bytes(data[: len(data) // 2]))  # half a frame gets out, then nothing moves
            await self.closed.wait()
            raise trio.ClosedResourceError
        if self.swallow_writes:
            await trio.lowlevel.checkpoint()
            return
        await self.inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return await self.inner.receive_some(max_bytes)

    async def aclose(self) -> None:
        self.closed.set()
        await self.inner.aclose()


class FakeHyperliquid:
    def __init__(self) -> None:
        self.outcomes: list[dict[str, Any]] = [binary(900)]
        self.questions: list[dict[str, Any]] = []
        self.balances: list[dict[str, Any]] = [
            {"coin": "USDC", "token": 0, "total": "1000.0", "hold": "0.0", "entryNtl": "0.0"}
        ]
        self.open_orders: list[dict[str, Any]] = []
        self.fills: list[dict[str, Any]] = []
        self.perp_raw = "0.0"
        self.positions: list[dict[str, Any]] = []
        self.funding: list[dict[str, Any]] = []
        self.settled: dict[int, dict[str, Any]] = {}
        self.order_status: dict[str, dict[str, Any]] = {}
        self.books: dict[str, dict[str, Any]] = {}
        self.next_oid = 1_000
        self.clock_offset_ms = 0
        # What a test scripts
        self.info_override: dict[str, Callable[[dict[str, Any]], Any]] = {}
        self.on_action: Callable[[dict[str, Any]], Any] | None = None
        self.refuse_http = False
        self.refuse_ws = False
        self.ws_greeting: str | None = "Websocket connection established."
        self.ack_streams = True
        self.answer_pings = True
        self.answer_posts = True
        self.snapshot_fills: list[dict[str, Any]] = []
        self.ws_status: int | None = None
        # What it saw
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.actions: list[tuple[str, dict[str, Any]]] = []
        self.subscribed: list[dict[str, Any]] = []
        self.unsubscribed: list[dict[str, Any]] = []
        self.texts: list[str] = []
        self.pings = 0
        self.http_connections = 0
        self.ws_connections = 0
        self.client_streams: list[Stallable] = []
        self.sockets: list[Socket] = []
        self.nursery: trio.Nursery | None = None

    # -- connections

    async def connect(self, host: str, port: int, tls: bool, /) -> trio.abc.Stream:
        assert host == "venue.test"
        assert not tls
        assert self.nursery is not None
        await trio.lowlevel.checkpoint()
        if port == HTTP_PORT:
            if self.refuse_http:
                raise OSError("connection refused")
            self.http_connections += 1
            client, server = trio.testing.memory_stream_pair()
            self.nursery.start_soon(self._serve_http, server)
            return client
        assert port == WS_PORT
        if self.refuse_ws:
            raise OSError("connection refused")
        self.ws_connections += 1
        client, server = trio.testing.memory_stream_pair()
        stallable = Stallable(client)
        self.client_streams.append(stallable)
        socket = Socket(self, server)
        self.sockets.append(socket)
        self.nursery.start_soon(socket.serve)
        return stallable

    @property
    def socket(self) -> Socket:
        """The newest websocket."""
        return self.sockets[-1]

    async def push(self, channel: str, data: Any) -> None:
        """Send a frame on the newest websocket and let the client digest it."""
        await self.socket.send(json.dumps({"channel": channel, "data": data}))
        await settle()

    # -- HTTP

    async def _serve_http(self, stream: trio.abc.Stream) -> None:
        connection = h11.Connection(h11.SERVER)
        body = b""
        path = ""
        try:
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(await stream.receive_some())
                elif isinstance(event, h11.Request):
                    path, body = event.target.decode(), b""
                    assert (b"content-type", b"application/json") in event.headers
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    answer = await self._answer(path, json.loads(body))
                    if answer is None:
                        await trio.sleep_forever()
                    assert answer is not None
                    status, text = answer
                    head = h11.Response(status_code=status, headers=[("Content-Length", str(len(text)))])
                    await stream.send_all(connection.send(head))
                    await stream.send_all(connection.send(h11.Data(data=text)))
                    await stream.send_all(connection.send(h11.EndOfMessage()))
                    connection.start_next_cycle()
                else:
                    break
        except (trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError, ConnectionError):
            pass
        await stream.aclose()

    async def _answer(self, path: str, body: dict[str, Any]) -> Answer | None:
        await trio.lowlevel.checkpoint()
        if path == "/exchange":
            self.actions.append(("rest", body))
            return as_answer(self._act(body))
        assert path == "/info"
        kind = body["type"]
        self.requests.append((kind, body))
        override = self.info_override.get(kind)
        return as_answer(self._info(kind, body) if override is None else override(body))

    def _info(self, kind: str, body: dict[str, Any]) -> Any:
        if kind not in ("exchangeStatus", "outcomeMeta", "meta", "l2Book", "settledOutcome"):
            assert body["user"] == ACCOUNT
        match kind:
            case "exchangeStatus":
                return {"time": now_ms() + self.clock_offset_ms, "specialStatuses": None}
            case "outcomeMeta":
                return {"outcomes": self.outcomes, "questions": self.questions, "deployers": [], "feeScale": "1.0"}
            case "meta":
                return {"universe": [{"name": "BTC", "szDecimals": 5}, {"name": "ETH", "szDecimals": 4}]}
            case "spotClearinghouseState":
                return {"balances": self.balances}
            case "clearinghouseState":
                summary = {"accountValue": "0.0", "totalNtlPos": "0.0", "totalRawUsd": self.perp_raw}
                return {"marginSummary": summary, "crossMarginSummary": summary, "assetPositions": self.positions}
            case "userFunding":
                return self.funding
            case "frontendOpenOrders":
                return self.open_orders
            case "userFills" | "userFillsByTime":
                return self.fills
            case "userFees":
                rates = {"userSpotCrossRate": "0.0007", "userSpotAddRate": "0.0004"}
                return {**rates, "userCrossRate": "0.00045", "userAddRate": "0.00015", "activeReferralDiscount": "0.0"}
            case "userRateLimit":
                return {"cumVlm": "123.4", "nRequestsUsed": 17, "nRequestsCap": 10_123}
            case "settledOutcome":
                return self.settled.get(body["outcome"])
            case "orderStatus":
                return self.order_status.get(body["oid"], {"status": "unknownOid"})
            case "l2Book":
                return self.books.get(body["coin"])
        raise AssertionError(f"unexpected info request {kind}")

    # -- actions

    def _act(self, body: dict[str, Any]) -> Any:
        assert set(body) == {"action", "nonce", "signature", "vaultAddress", "expiresAfter"}
        if self.on_action is not None and body["action"]["type"] != "noop":
            return self.on_action(body)
        return self.polite(body)

    def polite(self, body: dict[str, Any]) -> Any:
        """Success in the words of the venue."""
        action = body["action"]
        match action["type"]:
            case "order":
                return statuses("order", [self._rest(row.get("c")) for row in action["orders"]])
            case "batchModify":
                return statuses("order", [self._rest(row["order"].get("c")) for row in action["modifies"]])
            case "cancelByCloid" | "cancel":
                return statuses("cancel", ["success"] * len(action["cancels"]))
            case "userOutcome" | "noop":
                return {"status": "ok", "response": {"type": "default"}}
        raise AssertionError(f"unexpected action {action['type']}")

    def _rest(self, cloid: str | None) -> dict[str, Any]:
        self.next_oid += 1
        return {"resting": {"oid": self.next_oid, "cloid": cloid}}

    def counted(self, kind: str) -> int:
        return Counter(name for name, _ in self.requests)[kind]


class Socket:
    """The server's end of one websocket."""

    def __init__(self, venue: FakeHyperliquid, stream: trio.abc.Stream) -> None:
        self.venue = venue
        self.stream = stream
        self.ws = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
        self.closed = False
        self.ping_payloads: list[bytes] = []
        self.parts = ""

    async def serve(self) -> None:
        try:
            while not self.closed:
                data = await self.stream.receive_some()
                self.ws.receive_data(data or None)
                for event in self.ws.events():
                    await self._handle(event)
                if not data:
                    break
        except (trio.BrokenResourceError, trio.ClosedResourceError, wsproto.utilities.ProtocolError):
            pass
        self.closed = True

    async def _handle(self, event: Any) -> None:
        match event:
            case Request():
                if self.venue.ws_status is not None:
                    reject = wsproto.events.RejectConnection(status_code=self.venue.ws_status)
                    await self.stream.send_all(self.ws.send(reject))
                    self.closed = True
                    return
                await self.stream.send_all(self.ws.send(AcceptConnection()))
                if self.venue.ws_greeting is not None:
                    await self.send(self.venue.ws_greeting)
            case TextMessage():
                self.parts += event.data
                if event.message_finished:
                    text, self.parts = self.parts, ""
                    await self._text(text)
            case wsproto.events.Pong():
                self.ping_payloads.append(bytes(event.payload))
            case Ping():
                await self.stream.send_all(self.ws.send(event.response()))
            case CloseConnection():
                await self.stream.send_all(self.ws.send(event.response()))
                self.closed = True

    async def _text(self, text: str) -> None:
        venue = self.venue
        venue.texts.append(text)
        message = json.loads(text)
        match message["method"]:
            case "ping":
                venue.pings += 1
                if venue.answer_pings:
                    await self.send('{"channel":"pong"}')
            case "subscribe":
                await self._subscribe(message["subscription"])
            case "unsubscribe":
                venue.unsubscribed.append(message["subscription"])
            case "post":
                await self._post(message["id"], message["request"])

    async def _subscribe(self, subscription: dict[str, Any]) -> None:
        venue = self.venue
        venue.subscribed.append(subscription)
        if not venue.ack_streams:
            return
        # The echo is normalised: defaults appear, the order of keys is the venue's.
        echo = {"nSigFigs": None, "mantissa": None, **dict(reversed(subscription.items()))}
        await self.send_json("subscriptionResponse", {"method": "subscribe", "subscription": echo})
        if subscription["type"] == "userFills":
            data = {"isSnapshot": True, "user": subscription["user"], "fills": venue.snapshot_fills}
            await self.send_json("userFills", data)

    async def _post(self, post_id: int, request: dict[str, Any]) -> None:
        venue = self.venue
        assert request["type"] == "action"
        venue.actions.append(("ws", request["payload"]))
        reply = venue._act(request["payload"])
        if venue.answer_posts and reply is not Never:
            await self.answer(post_id, reply)

    async def answer(self, post_id: int, payload: Any) -> None:
        await self.send_json("post", {"id": post_id, "response": {"type": "action", "payload": payload}})

    async def send_json(self, channel: str, data: Any) -> None:
        await self.send(json.dumps({"channel": channel, "data": data}))

    async def send(self, text: str | bytes) -> None:
        event = TextMessage(data=text) if isinstance(text, str) else BytesMessage(data=text)
        await self.stream.send_all(self.ws.send(event))

    async def send_raw(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def ws_ping(self, payload: bytes) -> None:
        await self.stream.send_all(self.ws.send(Ping(payload=payload)))

    async def drop(self) -> None:
        """End the connection as a failing network does."""
        self.closed = True
        await self.stream.aclose()


def statuses(kind: str, rows: list[Any]) -> dict[str, Any]:
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": rows}}}


def refused(text: str) -> dict[str, Any]:
    return {"status": "err", "response": text}


def as_answer(value: Any) -> Answer | None:
    """A handler's value as HTTP answer: tuples are status and body, Never is silence, the rest is JSON.

    ConnectionError if it is to hang up.
    """
    if value is Never:
        return None
    if value is HangUp:
        raise ConnectionError
    if isinstance(value, tuple):
        status, body = value
        return status, body
    return 200, json.dumps(value).encode()


async def settle() -> None:
    """Let every task run until nothing is left to do, without moving the clock."""
    await trio.testing.wait_all_tasks_blocked()
