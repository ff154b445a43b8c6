"""From executed blocks to feed frames: who gets what, when, and in which order."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from hlomm.domain.markets import Leg
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.sim.coins import PERP_COIN, outcome_coin
from hlomm.sim.events import (
    BalanceChanged,
    Fill,
    OrderChanged,
    OutcomeCreated,
    OutcomeSettled,
    Trade,
    Traded,
    VenueCancel,
)
from hlomm.sim.faults import FaultName
from hlomm.sim.hl import rows
from hlomm.sim.hl.fast_ctxs import FastContexts
from hlomm.sim.hl.peers import Lane, Peer
from hlomm.sim.hl.subscriptions import Subscription, Topic
from hlomm.sim.hl.venue import Venue
from hlomm.sim.market import Market
from hlomm.sim.orders import OrderRow
from hlomm.sim.refusals import Status
from hlomm.sim.world import Commit

FAST_NS: Final = 500 * NS_PER_MS
SLOW_NS: Final = 5 * NS_PER_S
_SECOND_NS: Final = NS_PER_S
FAST_DEPTH: Final = 5
SLOW_DEPTH: Final = 20
_SNAPSHOT_FILLS: Final = 2000
_REPEATED_FILLS: Final = 5

_FAST: Final = Subscription(Topic.FAST_ASSET_CTXS)

Json = dict[str, Any]


def frame(channel: str, data: Any) -> bytes:
    return msgspec.json.encode({"channel": channel, "data": data})


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
        self._publish_accounts(commit, due_ns)
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
        for event in commit.events:
            if isinstance(event, OutcomeSettled):
                data.append({"outcomeSettled": event.outcome})
            elif isinstance(event, OutcomeCreated) and event.outcome in self._exchange.outcomes:
                spec = self._exchange.outcomes[event.outcome].spec
                data.append({"outcomeCreated": rows.outcome_row(spec)})
        if data:
            for subscription in self._of_topic(Topic.OUTCOME_META_UPDATES):
                self._send(subscription, frame("outcomeMetaUpdates", data), due_ns)

    # -- accounts

    def _publish_accounts(self, commit: Commit, due_ns: int) -> None:
        orders: dict[str, list[OrderRow]] = {}
        fills: dict[str, list[Json]] = {}
        cancels: dict[str, list[Json]] = {}
        balances: dict[str, None] = {}
        for event in commit.events:
            match event:
                case OrderChanged(account, row):
                    orders.setdefault(account.address, []).append(row)
                case Fill(account, fill):
                    fills.setdefault(account.address, []).append(rows.fill_row(fill))
                case VenueCancel(account, coin, oid):
                    cancels.setdefault(account.address, []).append({"coin": coin, "oid": oid})
                case BalanceChanged(account):
                    balances[account.address] = None
                case _:
                    pass
        for user, changes in orders.items():
            data = [rows.update_row(row) for row in self._reordered(changes)]
            self._send(Subscription(Topic.ORDER_UPDATES, user=user), frame("orderUpdates", data), due_ns)
        for user, done in fills.items():
            self._send_fills(user, done, due_ns)
            self._send(Subscription(Topic.USER_EVENTS, user=user), frame("user", {"fills": done}), due_ns)
        for user, cancelled in cancels.items():
            data_out = {"nonUserCancel": cancelled}
            self._send(Subscription(Topic.USER_EVENTS, user=user), frame("user", data_out), due_ns)
        for user in balances:
            subscription = Subscription(Topic.SPOT_STATE, user=user)
            if subscription in self._listeners:
                self._send(subscription, self._spot_state(user), due_ns)

    def _send_fills(self, user: str, fills: list[Json], due_ns: int) -> None:
        for aggregate in (False, True):
            subscription = Subscription(Topic.USER_FILLS, user=user, aggregate=aggregate)
            self._send(subscription, frame("userFills", {"user": user, "fills": fills}), due_ns)

    def _reordered(self, changes: list[OrderRow]) -> list[OrderRow]:
        """As they happened, or (a fault) with the new order of a modify before the cancel of the old one."""
        out = list(changes)
        for index in range(len(out) - 1):
            old, new = out[index], out[index + 1]
            replaced = old.status is Status.CANCELED and old.cloid is not None and old.cloid == new.cloid
            if replaced and self._venue.faults.take(FaultName.MODIFY_REORDERED) is not None:
                out[index], out[index + 1] = new, old
        return out

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
                payload = self._spot_state(subscription.user)
            case Topic.USER_FILLS:
                return self._fills_snapshot(subscription.user)
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
            return frame("activeAssetCtx", {"coin": PERP_COIN, "ctx": rows.perp_ctx(self._exchange)})
        outcome = subscription.outcome
        if outcome is None or outcome not in self._exchange.outcomes:
            return None
        ctx = rows.outcome_ctx(self._exchange, outcome, subscription.leg)
        return frame("activeSpotAssetCtx", {"coin": subscription.coin, "ctx": ctx})

    def _spot_state(self, user: str) -> bytes:
        account = self._venue.account(user)
        state = {"balances": []} if account is None else rows.spot_state(account)
        return frame("spotState", {"user": user, "spotState": state})

    def _fills_snapshot(self, user: str) -> list[bytes]:
        account = self._venue.account(user)
        fills = [] if account is None else list(self._exchange.tape.blotter_of(account).fills)
        newest_first = [rows.fill_row(fill) for fill in reversed(fills[-_SNAPSHOT_FILLS:])]
        payloads = [frame("userFills", {"isSnapshot": True, "user": user, "fills": newest_first})]
        if newest_first and self._venue.faults.take(FaultName.FILLS_REPEATED) is not None:
            payloads.append(frame("userFills", {"user": user, "fills": newest_first[:_REPEATED_FILLS]}))
        return payloads

    def _market(self, subscription: Subscription) -> Market | None:
        if subscription.coin == PERP_COIN:
            return self._exchange.perp
        outcome = subscription.outcome
        return None if outcome is None else self._exchange.outcomes.get(outcome)
