"""Rung: pure venue with a listening peer. Subscriptions, feeds, posts, without a socket."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import attrs
import pytest

from hlomm.domain.units import SCALE
from hlomm.sim.config import FlowConfig, ListingConfig, RulesConfig, SimConfig
from hlomm.sim.faults import FaultName
from hlomm.sim.hl.hub import Hub
from hlomm.sim.hl.info import Info
from hlomm.sim.hl.peers import Addresses, Lane
from hlomm.sim.hl.session import Session
from hlomm.sim.hl.venue import Venue

ORIGIN = 1_795_000_035 * 10**9
Golden = Callable[[str], Any]


@attrs.define(eq=False)
class Ear:
    """A peer that keeps what it is told."""

    frames: list[tuple[int, str]] = attrs.field(factory=list)
    closed: int | None = None

    def push(self, payload: bytes, due_ns: int, lane: Lane) -> None:
        del lane
        self.frames.append((due_ns, payload.decode()))

    def close(self, code: int, reason: str) -> None:
        del reason
        self.closed = code

    def take(self, channel: str) -> list[Any]:
        """Data of the frames of a channel, which are then forgotten."""
        messages = [json.loads(text) for _, text in self.frames if text.startswith("{")]
        self.frames = [f for f in self.frames if not f[1].startswith(f'{{"channel":"{channel}"')]
        return [message.get("data") for message in messages if message["channel"] == channel]


class Line:
    """A session on a venue, with time to let pass."""

    def __init__(self, *, traders: bool = False, rules: RulesConfig | None = None, seed: int = 4) -> None:
        config = SimConfig(
            flow=FlowConfig(enabled=traders), listing=ListingConfig(warmup_s=6.0), rules=rules or RulesConfig()
        )
        self.venue = Venue(config, seed, ORIGIN)
        self.hub = Hub(self.venue)
        self.address = Addresses(config.rules).of("127.0.0.1")
        self.now_ns = ORIGIN
        self.ear, self.session = self.connect()
        self.user = self.venue.accounts[0].address
        self.account = self.venue.exchange.accounts[self.user]
        self.outcome = max(self.venue.exchange.outcomes)
        self.coin = f"#{self.outcome}0"

    def connect(self) -> tuple[Ear, Session]:
        ear = Ear()
        return ear, Session(self.venue, self.hub, Info(self.venue), self.address, ear)

    def say(self, message: Any) -> None:
        self.session.receive(message if isinstance(message, str) else json.dumps(message), self.now_ns)

    def subscribe(self, **subscription: Any) -> None:
        self.say({"method": "subscribe", "subscription": subscription})

    def step(self, seconds: float = 0.4) -> None:
        self.now_ns += int(seconds * 1e9)
        self.venue.world.advance(self.now_ns)


@pytest.fixture
def line() -> Line:
    return Line()


def test_greeting_ping_and_nonsense(line: Line, golden: Golden) -> None:
    samples = golden("samples/ws_envelopes.json")
    line.session.open(ORIGIN)
    assert line.ear.frames[0][1] == samples["first_text_frame"]
    ask, answer = samples["ping"]
    line.say(ask)
    assert json.loads(line.ear.frames[-1][1]) == answer
    for nonsense in ("{", "[]", '"x"', '{"method":"dance"}', '{"method":"post","id":"1"}'):
        line.say(nonsense)
    assert len(line.ear.take("error")) == 5


def test_subscription_echo_is_normalised(line: Line, golden: Golden) -> None:
    sample = golden("samples/ws_envelopes.json")["subscribe"]
    ask = json.loads(json.dumps(sample[0]).replace("#150", line.coin))
    answer = json.loads(json.dumps(sample[1]).replace("#150", line.coin))
    line.say(ask)
    assert line.ear.take("subscriptionResponse") == [answer["data"]]


@pytest.mark.parametrize(
    ("subscription", "echo"),
    [
        ({"type": "allMids"}, {"type": "allMids", "dex": None}),
        ({"coin": "BTC", "type": "bbo"}, {"type": "bbo", "coin": "BTC"}),
        ({"type": "outcomeMetaUpdates"}, {"type": "outcomeMetaUpdates"}),
        (
            {"type": "userFills", "user": "0x" + "A" * 40},
            {"type": "userFills", "user": "0x" + "a" * 40, "aggregateByTime": False},
        ),
        (
            {"type": "spotState", "user": "0x" + "a" * 40},
            {"type": "spotState", "user": "0x" + "a" * 40, "isPortfolioMargin": None},
        ),
    ],
)
def test_echoes(line: Line, subscription: dict[str, Any], echo: dict[str, Any]) -> None:
    line.subscribe(**subscription)
    (answer,) = line.ear.take("subscriptionResponse")
    assert answer == {"method": "subscribe", "subscription": echo}


def test_errors_have_the_known_prefixes(line: Line, golden: Golden) -> None:
    prefixes = golden("error_strings.json")["ws_error_prefixes"]
    line.subscribe(type="trades", coin=line.coin)
    line.subscribe(coin=line.coin, type="trades")
    line.subscribe(type="trades", coin="#10")
    line.subscribe(type="nothing")
    line.subscribe(type="l2Book", coin="BTC", nSigFigs=3)
    line.subscribe(type="userFills", user="me")
    line.say({"method": "unsubscribe", "subscription": {"type": "bbo", "coin": "BTC"}})
    texts = line.ear.take("error")
    assert texts[0].startswith("Already subscribed: {")
    assert [text.startswith("Invalid subscription") for text in texts[1:5]] == [True] * 4
    assert texts[5].startswith("Already unsubscribed")
    for text in texts:
        assert any(text.startswith(prefix) for prefix in prefixes)


def test_unsubscribing_stops_the_stream(line: Line) -> None:
    line.subscribe(type="allMids")
    line.step(1.2)
    assert len(line.ear.take("allMids")) >= 2
    line.say({"method": "unsubscribe", "subscription": {"type": "allMids"}})
    line.ear.take("allMids")
    line.step(3.0)
    assert line.ear.take("allMids") == []
    assert line.address.subscriptions == 0


def test_fast_books_have_five_levels_every_half_second_and_slow_ones_twenty_every_five() -> None:
    line = Line(traders=True)
    line.subscribe(type="l2Book", coin=line.coin, fast=True)
    line.subscribe(type="l2Book", coin=line.coin)
    line.step(20.0)
    books = line.ear.take("l2Book")
    fast, slow = [b for b in books if b.get("fast")], [b for b in books if "fast" not in b]
    assert 33 <= len(fast) <= 42
    assert 4 <= len(slow) <= 6
    assert max(len(side) for book in fast for side in book["levels"]) == 5
    assert max(len(side) for book in slow for side in book["levels"]) > 5
    gaps = [b["time"] - a["time"] for a, b in pairwise(fast[1:])]
    assert min(gaps) >= 500


def test_touch_is_pushed_when_it_changes_and_only_then() -> None:
    line = Line(traders=True)
    line.subscribe(type="bbo", coin="BTC")
    line.subscribe(type="bbo", coin=line.coin)
    line.step(10.0)
    updates = line.ear.take("bbo")
    for coin in ("BTC", line.coin):
        touches = [update["bbo"] for update in updates if update["coin"] == coin]
        assert len(touches) > 3
        assert all(a != b for a, b in pairwise(touches[1:]))


def test_trades_print_mirrored_on_both_coins_and_recent_ones_are_replayed() -> None:
    line = Line(traders=True)
    line.step(15.0)
    line.subscribe(type="trades", coin=line.coin)
    replay = line.ear.take("trades")[0]
    assert replay
    assert all(row["coin"] == line.coin for row in replay)
    line.subscribe(type="trades", coin=f"#{line.outcome}1")
    line.ear.take("trades")
    line.step(30.0)
    rows = [row for batch in line.ear.take("trades") for row in batch]
    yes = [row for row in rows if row["coin"] == line.coin]
    no = [row for row in rows if row["coin"] != line.coin]
    assert len(yes) == len(no) > 5
    for one, other in zip(yes, no, strict=True):
        assert float(one["px"]) + float(other["px"]) == pytest.approx(1.0)
        assert {one["side"], other["side"]} == {"A", "B"}
        assert one["users"] == other["users"][::-1]
        assert (one["hash"], one["time"], one["sz"]) == (other["hash"], other["time"], other["sz"])
        assert one["tid"] != other["tid"]


def test_contexts_use_another_channel_for_outcomes(line: Line) -> None:
    line.subscribe(type="activeAssetCtx", coin="BTC")
    line.subscribe(type="activeAssetCtx", coin=line.coin)
    line.step(3.0)
    perp, spot = line.ear.take("activeAssetCtx"), line.ear.take("activeSpotAssetCtx")
    assert len(perp) >= 3
    assert len(spot) >= 3
    assert perp[0]["coin"] == "BTC"
    assert float(perp[0]["ctx"]["markPx"]) == line.venue.exchange.perp.mark_ticks / 10 or len(perp) > 1
    assert spot[0]["coin"] == line.coin


def unpack(text: str) -> dict[str, Any]:
    return json.loads(zlib.decompress(base64.b64decode(text), wbits=-15))


def test_the_compressed_marks_start_full_and_go_on_with_changes(golden: Golden) -> None:
    sample = golden("samples/fast_asset_ctxs.json")
    assert unpack(sample["payload"]) == sample["decoded"]
    line = Line(traders=True)
    line.subscribe(type="fastAssetCtxs")
    (full,) = line.ear.take("fastAssetCtxs")
    assert set(unpack(full)) == {"BTC", *(f"#{o}{s}" for o in line.venue.exchange.outcomes for s in (0, 1))}
    line.step(8.0)
    changes = [unpack(text) for text in line.ear.take("fastAssetCtxs")]
    assert 10 <= len(changes) <= 16
    assert any("BTC" not in change or len(change["BTC"]) == 1 for change in changes[1:])
    assert float(next(c["BTC"]["markPx"] for c in changes if "markPx" in c.get("BTC", {}))) > 1000


def follow_account(line: Line) -> None:
    for kind in ("orderUpdates", "userFills", "userEvents", "spotState"):
        line.subscribe(type=kind, user=line.user)
    line.ear.take("subscriptionResponse")


def send(line: Line, envelope: dict[str, Any], number: int = 1) -> Any:
    line.say({"method": "post", "id": number, "request": {"type": "action", "payload": envelope}})
    line.step()
    (answer,) = line.ear.take("post")
    return answer


def test_account_streams_of_one_order(line: Line, signer: Any, wire: Any, golden: Golden) -> None:
    follow_account(line)
    (snapshot,) = line.ear.take("userFills")
    assert snapshot == {"isSnapshot": True, "user": line.user, "fills": []}
    assert line.ear.take("spotState")[0]["spotState"]["balances"][0]["total"] == "10000.0"
    me = signer(line.venue.accounts[0].agent_key, ORIGIN // 10**6)
    other = signer(line.venue.accounts[1].agent_key, ORIGIN // 10**6)
    asset = 100_000_000 + 10 * line.outcome
    send(line, me(wire.orders(wire.order(asset, buy=True, px="0.4", sz="100"))))
    ((update,),) = line.ear.take("orderUpdates")
    assert update["status"] == "open"
    send(line, other(wire.orders(wire.order(asset + 1, buy=True, px="0.6", sz="40", tif="Ioc"))))
    line.step(1.0)
    ((partial,),) = line.ear.take("orderUpdates")
    assert (partial["status"], partial["order"]["sz"], partial["order"]["origSz"]) == ("open", "60.0", "100.0")
    (fills,) = line.ear.take("userFills")
    assert "isSnapshot" not in fills
    assert (fills["fills"][0]["px"], fills["fills"][0]["crossed"]) == ("0.4", False)
    user_events = line.ear.take("user")
    assert user_events == [{"fills": fills["fills"]}]
    recorded = golden("nautilus/ws_user_fill_liquidation.json")["data"]["fills"][0]
    assert set(user_events[0]["fills"][0]) == set(recorded) - {"liquidation", "cloid"}
    balances = line.ear.take("spotState")[-1]["spotState"]["balances"]
    assert (balances[0]["hold"], balances[1]["coin"], balances[1]["total"]) == ("24.0", f"+{line.outcome}0", "40.0")


def test_venue_cancels_are_events(line: Line, signer: Any, wire: Any) -> None:
    follow_account(line)
    me = signer(line.venue.accounts[0].agent_key, ORIGIN // 10**6)
    asset = 100_000_000 + 10 * line.outcome
    answer = send(line, me(wire.orders(wire.order(asset, buy=True, px="0.4", sz="100"))))
    oid = answer["response"]["payload"]["response"]["data"]["statuses"][0]["resting"]["oid"]
    line.venue.exchange.settle(line.outcome, SCALE, "price:1")
    line.step()
    assert {"nonUserCancel": [{"coin": line.coin, "oid": oid}]} in line.ear.take("user")
    assert line.ear.take("orderUpdates")[-1][0]["status"] == "outcomeSettledCanceled"


def test_modify_events_come_cancel_first_unless_reordered(line: Line, signer: Any, wire: Any) -> None:
    follow_account(line)
    me = signer(line.venue.accounts[0].agent_key, ORIGIN // 10**6)
    asset, cloid = 100_000_000 + 10 * line.outcome, "0x" + "7" * 32
    order = wire.order(asset, buy=True, px="0.4", sz="100", cloid=cloid)
    send(line, me(wire.orders(order)))
    line.ear.take("orderUpdates")
    for fault, expected in ((False, ["canceled", "open"]), (True, ["open", "canceled"])):
        if fault:
            line.venue.faults.arm(FaultName.MODIFY_REORDERED)
        send(line, me({"type": "modify", "oid": cloid, "order": order}))
        (updates,) = line.ear.take("orderUpdates")
        assert [update["status"] for update in updates] == expected
    assert line.venue.faults.injected == {FaultName.MODIFY_REORDERED: 1}


def test_resubscribing_repeats_fills_as_snapshot_and_by_fault_as_news(line: Line) -> None:
    line.venue.exchange.split(line.account, line.outcome, 5)
    line.venue.faults.arm(FaultName.FILLS_REPEATED)
    line.subscribe(type="userFills", user=line.user)
    snapshot, repeated = line.ear.take("userFills")
    assert snapshot["isSnapshot"] is True
    assert "isSnapshot" not in repeated
    assert repeated["fills"] == snapshot["fills"]


def test_the_roll_is_announced(golden: Golden) -> None:
    line = Line(seed=9)
    first = min(line.venue.exchange.outcomes)
    line.subscribe(type="outcomeMetaUpdates")
    line.subscribe(type="bbo", coin=f"#{first}0")
    line.step(60.0)
    settled, created = line.ear.take("outcomeMetaUpdates")
    samples = golden("samples/hip4_samples.json")
    assert settled == [{"outcomeSettled": first}]
    assert set(settled[0]) == set(samples["outcomeMetaUpdates_settled"]["message"]["data"][0])
    spec = created[0]["outcomeCreated"]
    known = samples["outcomeMetaUpdates_created"]["message"]["data"][0]["outcomeCreated"]
    assert set(spec) == set(known) - {"venue", "deployerFeeScale"}
    assert spec["outcome"] > first


@pytest.mark.parametrize("closes", [False, True])
def test_a_dead_coin_is_dropped_without_a_word_and_may_cost_the_socket(closes: bool) -> None:
    line = Line(rules=RulesConfig(dead_coin_closes=closes))
    line.venue.exchange.settle(line.outcome, 0, "price:1")
    line.subscribe(type="l2Book", coin=line.coin)
    assert line.ear.frames == []
    assert line.ear.closed == (1000 if closes else None)


def test_a_dead_coin_closes_by_fault(line: Line) -> None:
    line.venue.exchange.settle(line.outcome, 0, "price:1")
    line.venue.faults.arm(FaultName.DEAD_COIN_CLOSES)
    line.subscribe(type="trades", coin=line.coin)
    assert line.ear.closed == 1000


def test_users_and_subscriptions_are_limited(golden: Golden) -> None:
    line = Line(rules=RulesConfig(ws_subscriptions=20, ws_users=15))
    for index in range(16):
        line.subscribe(type="orderUpdates", user=f"0x{index:040x}")
    assert line.ear.take("error") == ["Cannot track more than 15 total users."]
    assert "Cannot track more than 15 total users." in golden("error_strings.json")["ws_error_prefixes"]
    line.subscribe(type="userEvents", user=f"0x{3:040x}")  # one of the fifteen
    for coin in ("BTC", line.coin, f"#{line.outcome}1", f"#{line.outcome - 1}0", f"#{line.outcome - 1}1"):
        line.subscribe(type="trades", coin=coin)
    assert line.ear.take("error") == ["Cannot subscribe to more than 20 channels."]
    line.session.close()
    assert (line.address.subscriptions, line.address.users) == (0, {})


def test_message_limit() -> None:
    line = Line(rules=RulesConfig(ws_messages_per_min=3))
    for _ in range(4):
        line.say({"method": "ping"})
    assert len(line.ear.take("error")) == 1
    assert line.address.messages.refused == 1


def test_posts(line: Line, golden: Golden, signer: Any) -> None:
    samples = golden("samples/ws_envelopes.json")
    ask, answer = samples["post_info"]
    ask["request"]["payload"] = {"type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None}
    line.say(ask)
    (data,) = line.ear.take("post")
    assert set(data["response"]["payload"]) == set(answer["data"]["response"]["payload"])
    assert set(data["response"]["payload"]["data"]) == {"coin", "time", "levels"}
    me = signer(line.venue.accounts[0].agent_key, ORIGIN // 10**6)
    assert send(line, me({"type": "noop"}), 5) == {
        "id": 5,
        "response": {"type": "action", "payload": {"status": "ok", "response": {"type": "default"}}},
    }
    for request in (
        {"type": "info", "payload": {"type": "conquer"}},
        {"type": "action", "payload": {"action": {}}},
        {"type": "explorer", "payload": {}},
        {"type": "info", "payload": {"type": "l2Book", "coin": "BTC", "nSigFigs": 9}},
    ):
        line.say({"method": "post", "id": 6, "request": request})
        (data,) = line.ear.take("post")
        assert data["response"]["type"] == "error"


def test_posts_in_flight_are_limited_and_given_back(signer: Any) -> None:
    line = Line(rules=RulesConfig(ws_posts_in_flight=2))
    me = signer(line.venue.accounts[0].agent_key, ORIGIN // 10**6)
    line.venue.faults.arm(FaultName.REPLY_LOST)
    for number in range(3):
        line.say({"method": "post", "id": number, "request": {"type": "action", "payload": me({"type": "noop"})}})
    assert line.ear.take("error") == ["too many pending post requests id=2"]
    line.step()
    assert len(line.ear.take("post")) == 1  # the other reply was lost
    assert line.address.posts == 0
    line.say({"method": "post", "id": 9, "request": {"type": "action", "payload": me({"type": "noop"})}})
    line.session.close()
    assert line.address.posts == 0
    line.step()
    assert line.ear.take("post") == []


def test_posts_share_the_ip_weight(signer: Any) -> None:
    line = Line(rules=RulesConfig(ip_weight_per_min=20))
    ask = {"method": "post", "id": 1, "request": {"type": "info", "payload": {"type": "meta"}}}
    line.say(ask)
    line.say(ask)
    first, second = line.ear.take("post")
    assert first["response"]["type"] == "info"
    assert second["response"] == {"type": "error", "payload": "429 Too Many Requests"}
    me = signer(line.venue.accounts[0].agent_key, ORIGIN // 10**6)
    line.say({"method": "post", "id": 2, "request": {"type": "action", "payload": me({"type": "noop"})}})
    assert line.ear.take("post")[0]["response"]["type"] == "error"
