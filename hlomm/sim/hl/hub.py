"""From executed blocks to feed frames: who gets what, when, and in which order."""

from __future__ import annotations

from typing import Any, Final

from hlomm.domain.markets import Leg
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.sim.coins import PERP_COIN, outcome_coin
from hlomm.sim.events import OutcomeCreated, OutcomeSettled, QuestionSettled, QuestionUpdated, Trade, Traded
from hlomm.sim.hl import perp_rows, rows
from hlomm.sim.hl.account_frames import AccountFrames, frame
from hlomm.sim.hl.fast_ctxs import FastContexts
from hlomm.sim.hl.peers import Lane, Peer
from hlomm.sim.hl.subscriptions import Subscription, Topic
from hlomm.sim.hl.venue import Venue
from hlomm.sim.market import Market
from hlomm.sim.world import Commit

FAST_NS: Final = 500 * NS_PER_MS
SLOW_NS: Final = 5 * NS_PER_S
_SECOND_NS: Final = NS_PER_S
FAST_DEPTH: Final = 5
SLOW_DEPTH: Final = 20

_FAST: Final = Subscription(Topic.FAST_ASSET_CTXS)

Json = dict[str, Any]


class Hub:
    """Subscriptions of all connections. Listens to its venue, block by block."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._exchange = venue.exchange
        self._feed_ns = int(venue.config.latency.feed_ms * NS_PER_MS)
        self._listeners: dict[Subscription, dict[Peer, None]] = {}
        self._last_bbo: dict[str, Any] = {}
        self._next_ns: dict[Topic | str, int] = {}
        self._fast = FastContexts(venue.exchange)
        self._accounts = AccountFrames(venue)
        self.frames = 0
        venue.listener = self.on_commit

    # -- membership

    def join(self, peer: Peer, subscription: Subscription) -> None:
        self._listeners.setdefault(subscription, {})[peer] = None

    def leave(self, peer: Peer, subscription: Subscription) -> None:
        peers = self._listeners.get(subscription)
        if peers is not None:
            peers.pop(peer, None)
            if not peers:
                del self._listeners[subscription]

    def welcome(self, peer: Peer, subscription: Subscription, now_ns: int) -> None:
        """What a new subscriber gets at once: a snapshot, recent trades, or nothing."""
        for payload in self._snapshots(subscription):
            peer.push(payload, now_ns + self._feed_ns, Lane.STREAM)

    # -- per block

    def on_commit(self, commit: Commit) -> None:
        self._forget_settled(commit)
        if not self._listeners:
            return
        due_ns = commit.time_ns + self._feed_ns
        self._publish_trades(commit, due_ns)
        for subscription, payload in self._accounts.frames(commit, self._listeners):
            self._send(subscription, payload, due_ns)
        self._publish_listing(commit, due_ns)
        self._publish_touch(commit, due_ns)
        self._publish_periodic(commit, due_ns)

    def _forget_settled(self, commit: Commit) -> None:
        for event in commit.events:
            if isinstance(event, OutcomeSettled):
                for leg in Leg:
                    self._last_bbo.pop(outcome_coin(event.outcome, leg), None)

    def _send(self, subscription: Subscription, payload: bytes, due_ns: int) -> None:
        for peer in list(self._listeners.get(subscription, ())):
            peer.push(payload, due_ns, Lane.STREAM)
            self.frames += 1

    def _of_topic(self, topic: Topic) -> list[Subscription]:
        return [subscription for subscription in self._listeners if subscription.topic is topic]

    # -- market data

    def _publish_trades(self, commit: Commit, due_ns: int) -> None:
        by_book: dict[int | None, list[Trade]] = {}
        for event in commit.events:
            if isinstance(event, Traded):
                by_book.setdefault(event.trade.outcome, []).append(event.trade)
        if not by_book:
            return
        for subscription in self._of_topic(Topic.TRADES):
            trades = by_book.get(subscription.outcome)
            if trades is not None:
                data = [rows.trade_row(trade, subscription.leg) for trade in trades]
                self._send(subscription, frame("trades", data), due_ns)

    def _publish_touch(self, commit: Commit, due_ns: int) -> None:
        for subscription in self._of_topic(Topic.BBO):
            if subscription.outcome not in commit.touched:
                continue
            data = self._bbo(subscription, commit.time_ns)
            if data is not None and data["bbo"] != self._last_bbo.get(subscription.coin):
                self._last_bbo[subscription.coin] = data["bbo"]
                self._send(subscription, frame("bbo", data), due_ns)

    def _publish_periodic(self, commit: Commit, due_ns: int) -> None:
        now_ns = commit.time_ns
        fast, slow = self._elapsed("fast", FAST_NS, now_ns), self._elapsed("slow", SLOW_NS, now_ns)
        if fast or slow:
            for subscription in self._of_topic(Topic.L2_BOOK):
                if fast if subscription.fast else slow:
                    payload = self._l2(subscription)
                    if payload is not None:
                        self._send(subscription, payload, due_ns)
        if self._elapsed(Topic.ALL_MIDS, _SECOND_NS, now_ns):
            for subscription in self._of_topic(Topic.ALL_MIDS):
                self._send(subscription, self._all_mids(), due_ns)
        if self._elapsed(Topic.FAST_ASSET_CTXS, FAST_NS, now_ns) and _FAST in self._listeners:
            changes = self._fast.changes()
            if changes is not None:
                self._send(_FAST, frame("fastAssetCtxs", changes), due_ns)
        if self._elapsed(Topic.ACTIVE_ASSET_CTX, _SECOND_NS, now_ns) or commit.mark is not None:
            for subscription in self._of_topic(Topic.ACTIVE_ASSET_CTX):
                payload = self._ctx(subscription)
                if payload is not None:
                    self._send(subscription, payload, due_ns)

    def _elapsed(self, key: Topic | str, period_ns: int, now_ns: int) -> bool:
        """Whether a period has passed; pushes happen in the first block at or after it."""
        if now_ns < self._next_ns.get(key, 0):
            return False
        self._next_ns[key] = now_ns + period_ns
        return True

    def _publish_listing(self, commit: Commit, due_ns: int) -> None:
        data: list[Json] = []
        exchange = self._exchange
        for event in commit.events:
            match event:
                case OutcomeSettled(outcome):
                    data.append({"outcomeSettled": outcome})
                case OutcomeCreated(outcome) if outcome in exchange.outcomes:
                    data.append({"outcomeCreated": rows.outcome_row(exchange.outcomes[outcome].spec)})
                case QuestionUpdated(question) if question in exchange.questions:
                    data.append({"questionUpdated": rows.question_row(exchange.questions[question])})
                case QuestionSettled(question):
                    data.append({"questionSettled": question})
                case _:
                    pass
        if data:
            for subscription in self._of_topic(Topic.OUTCOME_META_UPDATES):
                self._send(subscription, frame("outcomeMetaUpdates", data), due_ns)

    # -- snapshots

    def _snapshots(self, subscription: Subscription) -> list[bytes]:
        payload: bytes | None = None
        match subscription.topic:
            case Topic.L2_BOOK:
                payload = self._l2(subscription)
            case Topic.BBO:
                data = self._bbo(subscription, self._exchange.tape.now_ns)
                payload = None if data is None else frame("bbo", data)
            case Topic.TRADES:
                payload = self._recent(subscription)
            case Topic.ALL_MIDS:
                payload = self._all_mids()
            case Topic.ACTIVE_ASSET_CTX:
                payload = self._ctx(subscription)
            case Topic.SPOT_STATE:
                payload = self._accounts.spot_state(subscription.user)
            case Topic.USER_FILLS:
                return self._accounts.fills_snapshot(subscription.user)
            case Topic.USER_FUNDINGS:
                payload = self._accounts.fundings_snapshot(subscription.user)
            case Topic.FAST_ASSET_CTXS:
                payload = frame("fastAssetCtxs", self._fast.full())
            case Topic.ORDER_UPDATES | Topic.USER_EVENTS | Topic.OUTCOME_META_UPDATES:
                pass
        return [] if payload is None else [payload]

    def _l2(self, subscription: Subscription) -> bytes | None:
        market = self._market(subscription)
        if market is None:
            return None
        depth = FAST_DEPTH if subscription.fast else SLOW_DEPTH
        data = rows.l2_book(market, subscription.leg, subscription.coin, self._exchange.tape.now_ms, depth)
        return frame("l2Book", data | {"fast": True} if subscription.fast else data)

    def _bbo(self, subscription: Subscription, now_ns: int) -> Json | None:
        market = self._market(subscription)
        if market is None:
            return None
        return rows.bbo(market, subscription.leg, subscription.coin, now_ns // NS_PER_MS)

    def _recent(self, subscription: Subscription) -> bytes | None:
        trades = self._venue.trades.of(subscription.outcome)
        return frame("trades", [rows.trade_row(trade, subscription.leg) for trade in trades]) if trades else None

    def _all_mids(self) -> bytes:
        return frame("allMids", {"mids": rows.all_mids(self._exchange)})

    def _ctx(self, subscription: Subscription) -> bytes | None:
        if subscription.coin == PERP_COIN:
            return frame("activeAssetCtx", {"coin": PERP_COIN, "ctx": perp_rows.perp_ctx(self._exchange)})
        outcome = subscription.outcome
        if outcome is None or outcome not in self._exchange.outcomes:
            return None
        ctx = rows.outcome_ctx(self._exchange, outcome, subscription.leg)
        return frame("activeSpotAssetCtx", {"coin": subscription.coin, "ctx": ctx})

    def _market(self, subscription: Subscription) -> Market | None:
        if subscription.coin == PERP_COIN:
            return self._exchange.perp
        outcome = subscription.outcome
        return None if outcome is None else self._exchange.outcomes.get(outcome)
