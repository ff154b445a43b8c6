"""A Hyperliquid that answers at once: what a client is told about markets and account, and what becomes of its orders.

Documents are the simulated venue's own, of a moment that never passes: one contract is listed that ends in days. Orders
rest until they are cancelled and never fill, so that what is measured stays the same however long it takes. Signatures
cost the venue time that would delay its answers: some actions are kept, and verified when all is over.
"""

from __future__ import annotations

import time
from typing import Any, Final

import attrs
import msgspec

from hlomm.domain.markets import Leg
from hlomm.domain.times import NS_PER_MS
from hlomm.sim.coins import PERP_COIN, outcome_coin
from hlomm.sim.config import FlowConfig, ListingConfig, RulesConfig, SimConfig
from hlomm.sim.hl import signatures
from hlomm.sim.hl.envelope import convert_envelope
from hlomm.sim.hl.info import Info
from hlomm.sim.hl.schema import ApproveAgentAction, Malformed, UsdClassTransferAction
from hlomm.sim.hl.subscriptions import parse_subscription
from hlomm.sim.hl.venue import Venue
from hlomm.sim.listing import first_origin
from hlomm.sim.outcome_market import OutcomeSpec
from hlomm.sim.path import PricePath
from hlomm.sim.refusals import WholeActionRefused
from hlomm.venues.hyperliquid.echo import Echo, frame

Json = dict[str, Any]

PERIOD_DAYS: Final = 7
"""Of the first contract that is quoted: their ends are days away whenever the measurement is made."""
SHORT: Final = "3m"
KEPT: Final = 200
"""Actions of which the signature is verified."""
SEED: Final = 1


def periods(markets: int) -> tuple[str, ...]:
    """A series of one contract each; every one of them settles at a time of its own."""
    return tuple(f"{PERIOD_DAYS + number}d" for number in range(markets))


def _config(series: tuple[str, ...]) -> SimConfig:
    """Contracts beside the short one that a listing cannot do without; no other traders, and room for everything."""
    return SimConfig(
        flow=FlowConfig(enabled=False),
        listing=ListingConfig(periods=(SHORT, *series)),
        rules=RulesConfig(address_budget=10**9, prior_volume_usd=10**9),
    )


@attrs.define(eq=False)
class BenchVenue:
    """One account, some outcomes and their perp."""

    series: tuple[str, ...] = periods(1)
    """Periods, a contract of each."""
    _sim: Venue = attrs.field(init=False)
    _info: Info = attrs.field(init=False)
    coins: tuple[str, ...] = attrs.field(init=False)
    """YES of the outcomes."""
    price: float = attrs.field(init=False)
    """Of the perp."""
    _echo: Echo = attrs.field(factory=lambda: Echo(PERP_COIN))
    _kept: list[Json] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        config = _config(self.series)
        self._sim = Venue(config, SEED, first_origin(config.listing, time.time_ns()))
        outcomes = self._sim.exchange.outcomes
        del outcomes[next(number for number, one in outcomes.items() if f"period:{SHORT}" in one.spec.description)]
        assert len(outcomes) == len(self.series)
        self._info = Info(self._sim)
        self.coins = tuple(outcome_coin(number, Leg.YES) for number in outcomes)
        self.price = float(self._sim.exchange.perp.mark_ticks) / 10

    @property
    def account(self) -> Json:
        """Address and keys of whoever trades here."""
        return attrs.asdict(self._sim.accounts[0])

    @property
    def contracts(self) -> list[OutcomeSpec]:
        """What is listed, for venues beside this one."""
        return [market.spec for market in self._sim.exchange.outcomes.values()]

    @property
    def path(self) -> PricePath:
        """The price of the coin, which stands still here."""
        return self._sim.world.path

    @property
    def counts(self) -> Json:
        """Actions by type, and `orders`: those placed and amended."""
        return self._echo.counts

    @property
    def orders(self) -> Json:
        """Resting, by client id: rows of `openOrders`."""
        return self._echo.orders

    # -- requests

    def info(self, request: Any) -> Any:
        """The answer to an `/info` request. Malformed for what the venue would refuse."""
        match request.get("type"):
            case "exchangeStatus":
                return {"time": _now_ms(), "specialStatuses": None}
            case "openOrders" | "frontendOpenOrders":
                return list(self.orders.values())
            case "orderStatus":
                row = self.orders.get(self._echo.cloids.get(request["oid"], request["oid"]))
                if row is None:
                    return {"status": "unknownOid"}
                return {"status": "order", "order": {"order": row, "status": "open", "statusTimestamp": _now_ms()}}
            case _:
                return self._info.answer(request).value

    # -- websocket

    def heard(self, text: str) -> list[bytes]:
        """Frames that answer one message."""
        message = msgspec.json.decode(text)
        match message["method"]:
            case "ping":
                return [b'{"channel":"pong"}']
            case "subscribe" | "unsubscribe" as method:
                return self._subscribed(method, message["subscription"])
            case "post":
                self._keep(message["request"]["payload"])
                return self._echo.posted(message, _now_ms())
            case other:
                return [frame("error", f"unknown method {other!r}")]

    def _subscribed(self, method: str, raw: Json) -> list[bytes]:
        topic = parse_subscription(raw)
        frames = [frame("subscriptionResponse", {"method": method, "subscription": topic.echo()})]
        if raw["type"] == "userFills" and method == "subscribe":
            frames.append(frame("userFills", {"isSnapshot": True, "user": raw["user"], "fills": []}))
        return frames

    # -- actions

    def act(self, body: Json) -> tuple[Json, list[Json]]:
        """Carry a signed action out: the reply, and rows of `orderUpdates`."""
        self._keep(body)
        return self._echo.act(body["action"], _now_ms())

    def _keep(self, body: Json) -> None:
        if len(self._kept) < KEPT:
            self._kept.append(body)

    def verified(self) -> dict[str, int]:
        """Signatures of the actions kept: how many, and how many the account's agent has made."""
        return {"checked": len(self._kept), "good": sum(map(self._is_ours, self._kept))}

    def _is_ours(self, body: Json) -> bool:
        """Whether the account's agent signed this very action."""
        try:
            envelope = convert_envelope(body)
            action, signature = envelope.action, envelope.signature
            if isinstance(action, UsdClassTransferAction | ApproveAgentAction):
                return False
            hashed = signatures.action_hash(action.canonical(), envelope.nonce, None, envelope.expiresAfter)
            digest = signatures.l1_digest(hashed, signatures.SOURCE_TESTNET)
            signer = signatures.recover(digest, signature.r, signature.s, signature.v)
        except (Malformed, WholeActionRefused):
            return False
        return signer == self._sim.accounts[0].agent_address


def _now_ms() -> int:
    return time.time_ns() // NS_PER_MS
