"""One shard's matching engine: orders in, events out. Pure and synchronous; time is the tape's.

A background maker and a signed order take the same path. Whatever is refused raises `Refused` and changes nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Final

import attrs

from hlomm.domain.orders import Side, Tif
from hlomm.sim.config_kalshi import KalshiRulesConfig
from hlomm.sim.kalshi import refusals
from hlomm.sim.kalshi.accounts import Account, Group, Order
from hlomm.sim.kalshi.collateral import Claim, need
from hlomm.sim.kalshi.contracts import Market, Phase
from hlomm.sim.kalshi.events import GroupKind
from hlomm.sim.kalshi.fees import FeeTerms
from hlomm.sim.kalshi.grid import on_grid
from hlomm.sim.kalshi.ledger import Ledger
from hlomm.sim.kalshi.matching import Matching
from hlomm.sim.kalshi.orders import NewOrder, Reason, SelfTrade, Status
from hlomm.sim.kalshi.refusals import Refused
from hlomm.sim.kalshi.tape import Tape

_CLIENT_IDS_KEPT: Final = 200_000


@attrs.frozen(kw_only=True)
class Amendment:
    """What an order is to become. `lots` is the total: filled so far and still wanted.

    `expires_ns` None keeps the expiry, 0 clears it.
    """

    ticker: str
    side: Side
    ticks: int
    lots: int
    client_id: str | None = None
    new_client_id: str | None = None
    expires_ns: int | None = None


class Engine(Matching):
    """Markets, live orders and groups of one shard."""

    def __init__(self, shard: int, rules: KalshiRulesConfig, ledger: Ledger, tape: Tape) -> None:
        super().__init__(shard, rules, ledger, tape)
        self.paused = False
        """Trading is paused: nothing is placed or amended, cancels work."""
        self.halted = False
        """The exchange is paused: nothing works."""
        self._expiries: list[tuple[int, int, Order]] = []
        self._client_ids: dict[tuple[str, str], None] = {}
        self._swept_until: dict[str, int] = {}
        self._to_sweep: list[Order] = []
        self.client_ids_forgotten = 0

    # -- placing

    def place(self, account: Account, new: NewOrder) -> Order:
        """Take an order through checks, matching and resting; Refused names why it is not taken."""
        market = self._tradable(account, new.ticker)
        self.expire()
        if new.client_id is not None and (account.user_id, new.client_id) in self._client_ids:
            raise Refused(refusals.DUPLICATE)
        self._check_terms(market, new)
        group = self._group_for(account, new.group_id)
        lots = self._capped(account, new)
        if new.post_only and market.book.crosses(new.side, new.ticks):
            raise Refused(refusals.POST_ONLY_CROSS)
        if lots and not account.background:
            self._check_funds(account, market, Claim(new.side, new.ticks, lots, maker=new.post_only))
        order = self._accept(account, new, group)
        if lots == 0 or (new.tif is Tif.FOK and not self._fillable(market, order)):
            self._end(order, Reason.REDUCE_ONLY if lots == 0 else None)
            return order
        if lots < new.lots:
            order.lots = lots
        self.match(market, order)
        if order.live and order.lots:
            self._rest(market, order)
        return order

    def _tradable(self, account: Account, ticker: str) -> Market:
        """The market, if this shard has it, knows the account, and takes new orders now."""
        market = self.markets.get(ticker)
        if self.halted:
            raise Refused(refusals.EXCHANGE_PAUSED)
        if market is None:
            raise Refused(refusals.MARKET_NOT_FOUND)
        if self.shard not in account.cash:
            raise Refused(refusals.USER_NOT_FOUND)
        if market.phase is not Phase.ACTIVE:
            raise Refused(refusals.INACTIVE)
        if self.paused:
            raise Refused(refusals.TRADING_PAUSED)
        return market

    def _check_terms(self, market: Market, new: NewOrder) -> None:
        if not on_grid(market.structure, new.ticks):
            raise Refused(refusals.INVALID_PRICE)
        if new.lots <= 0:
            raise Refused(refusals.INVALID_SIZE)
        if new.tif is not Tif.GTC and new.expires_ns is not None:
            raise Refused(refusals.EXPIRING_IOC)
        if new.tif is not Tif.GTC and new.post_only:
            raise Refused(refusals.POST_ONLY_IOC)
        if new.expires_ns is not None and new.expires_ns <= self.tape.now_ns:
            raise Refused(refusals.EXPIRED)

    def _group_for(self, account: Account, group_id: str | None) -> Group | None:
        if group_id is None:
            return None
        group = self.group(account, group_id)
        if group.triggered:
            raise Refused(refusals.GROUP_LIMIT)
        return group

    def _capped(self, account: Account, new: NewOrder) -> int:
        """What may trade: all of it, or what reduces the position."""
        return min(new.lots, self.reducible(account, new.ticker, new.side)) if new.reduce_only else new.lots

    def _check_funds(self, account: Account, market: Market, claim: Claim, instead_of: Order | None = None) -> None:
        resting = account.resting.get(market.ticker, {}).values()
        claims = [Claim.of(order) for order in resting if order is not instead_of]
        wanted = need(account.lots(market.ticker), [*claims, claim], self.terms(market), self.precision)
        others = account.held.get(self.shard, 0) - account.holds.get(market.ticker, 0)
        if others + wanted > account.cash[self.shard]:
            raise Refused(refusals.INSUFFICIENT)
        if len(account.orders()) >= self.rules.open_orders:
            raise Refused(refusals.TOO_MANY_ORDERS)

    def _accept(self, account: Account, new: NewOrder, group: Group | None) -> Order:
        now_ns = self.tape.now_ns
        order = Order(
            oid=self.tape.next_number(),
            order_id="" if account.background else self.tape.next_id(),
            account=account,
            ticker=new.ticker,
            side=new.side,
            ticks=new.ticks,
            lots=new.lots,
            lots_initial=new.lots,
            tif=new.tif,
            post_only=new.post_only,
            reduce_only=new.reduce_only,
            self_trade=new.self_trade,
            client_id=new.client_id,
            expires_ns=new.expires_ns,
            cancel_on_pause=new.cancel_on_pause,
            group=group,
            created_ns=now_ns,
            updated_ns=now_ns,
        )
        if not account.background:
            self.live[order.order_id] = order
            self._remember(account, new.client_id)
            if now_ns < self._swept_until.get(account.user_id, 0):
                self._to_sweep.append(order)
        return order

    def _remember(self, account: Account, client_id: str | None) -> None:
        if client_id is not None:
            self._client_ids[(account.user_id, client_id)] = None
            if len(self._client_ids) > _CLIENT_IDS_KEPT:
                del self._client_ids[next(iter(self._client_ids))]
                self.client_ids_forgotten += 1

    def _rest(self, market: Market, order: Order) -> None:
        if order.tif is not Tif.GTC or market.book.crosses(order.side, order.ticks):
            # The second case: a reduce-only order that ran out of position in front of a crossing price.
            self._end(order, Reason.REDUCE_ONLY if order.tif is Tif.GTC else None)
            return
        self.enter_book(market, order)
        if order.expires_ns is not None:
            heapq.heappush(self._expiries, (order.expires_ns, order.oid, order))

    def _fillable(self, market: Market, order: Order) -> bool:
        """Whether all of an order would match now, its own account's orders left out (or in the way)."""
        wanted = order.lots
        for other in market.book.orders(Side(-order.side)):
            if (other.ticks - order.ticks) * order.side > 0:
                break
            if other.account is order.account:
                if order.self_trade is SelfTrade.TAKER:
                    break
                continue
            wanted -= other.lots
            if wanted <= 0:
                return True
        return False

    # -- changing and cancelling

    def find(self, account: Account, order_id: str) -> Order:
        """A live order of an account; Refused as not found otherwise."""
        self.expire()
        if self.halted:
            raise Refused(refusals.EXCHANGE_PAUSED)
        order = self.live.get(order_id)
        if order is None or order.account is not account:
            raise Refused(refusals.NOT_FOUND)
        if self.markets[order.ticker].phase not in {Phase.ACTIVE, Phase.INACTIVE}:
            raise Refused(refusals.INACTIVE)
        return order

    def cancel(self, account: Account, order_id: str) -> tuple[Order, int]:
        """Cancel by id; returns the order and by how much it shrank."""
        order = self.find(account, order_id)
        lots = order.lots
        self.withdraw(order, Reason.DECREASE)
        return order, lots

    def decrease(self, account: Account, order_id: str, *, by: int | None, to: int | None) -> Order:
        """Shrink an order by or to a size; it keeps its place. To nothing: it is cancelled."""
        order = self.find(account, order_id)
        target = order.lots - by if by is not None else (to or 0)
        if (by is not None and by <= 0) or not 0 <= target <= order.lots:
            raise Refused(refusals.INVALID_SIZE)
        if target == 0:
            self.withdraw(order, Reason.DECREASE)
        elif target < order.lots:
            self.shrink(order, target, Reason.DECREASE)
        return order

    def amend(self, account: Account, order_id: str, wish: Amendment) -> Order:
        """Change price, size, expiry or client id. A new price or more size goes to the back of the queue."""
        order = self.find(account, order_id)
        market = self._tradable(account, order.ticker)
        self._check_amendment(account, order, market, wish)
        if wish.new_client_id is not None:
            self._remember(account, wish.new_client_id)
            order.client_id = wish.new_client_id
        if wish.expires_ns is not None:
            order.expires_ns = wish.expires_ns or None
            if order.expires_ns is not None:
                heapq.heappush(self._expiries, (order.expires_ns, order.oid, order))
        lots = wish.lots - order.filled
        order.lots_initial = wish.lots
        if wish.ticks == order.ticks and lots <= order.lots:
            self.shrink(order, lots, Reason.AMEND)
            return order
        self.leave_book(order)
        order.oid, order.ticks, order.lots = self.tape.next_number(), wish.ticks, lots
        self.changed(order, Reason.AMEND)
        self.match(market, order)
        if order.live and order.lots:
            self._rest(market, order)
        return order

    def _check_amendment(self, account: Account, order: Order, market: Market, wish: Amendment) -> None:
        if wish.ticker != order.ticker:
            raise Refused(refusals.TICKER_MISMATCH)
        if wish.side is not order.side:
            raise Refused(refusals.SIDE_MISMATCH)
        if wish.client_id is not None and wish.client_id != order.client_id:
            raise Refused(refusals.CLIENT_ID_MISMATCH)
        new_id = wish.new_client_id
        if new_id is not None and new_id != order.client_id and (account.user_id, new_id) in self._client_ids:
            raise Refused(refusals.DUPLICATE)
        if not on_grid(market.structure, wish.ticks):
            raise Refused(refusals.INVALID_PRICE)
        if wish.lots <= order.filled:
            raise Refused(refusals.INVALID_SIZE)
        if wish.expires_ns and wish.expires_ns <= self.tape.now_ns:
            raise Refused(refusals.EXPIRED)
        if order.post_only and market.book.crosses(order.side, wish.ticks):
            raise Refused(refusals.POST_ONLY_CROSS)
        claim = Claim(wish.side, wish.ticks, wish.lots - order.filled, maker=order.post_only)
        self._check_funds(account, market, claim, instead_of=order)

    def cancel_all(self, account: Account) -> int:
        """Cancel everything of an account, and what it places within the next while; returns how many there were."""
        self.expire()
        if self.halted:
            raise Refused(refusals.EXCHANGE_PAUSED)
        open_phases = {Phase.ACTIVE, Phase.INACTIVE}
        orders = [
            order
            for order in account.orders()
            if order.order_id in self.live and self.markets[order.ticker].phase in open_phases
        ]
        for order in orders:
            self.withdraw(order, Reason.DECREASE)
        self._swept_until[account.user_id] = self.tape.now_ns + int(self.rules.cancel_all_s * 1e9)
        return len(orders)

    # -- what time does

    def expire(self) -> None:
        """Cancel what has expired by now."""
        while self._expiries and self._expiries[0][0] <= self.tape.now_ns:
            at_ns, _, order = heapq.heappop(self._expiries)
            if order.live and order.expires_ns == at_ns:
                self.withdraw(order, Reason.EXPIRY)

    def sweep(self) -> None:
        """Cancel what was placed in the shadow of a cancel-all."""
        orders, self._to_sweep = self._to_sweep, []
        for order in orders:
            if order.live:
                self.withdraw(order, Reason.DECREASE)

    def pause(self, *, paused: bool) -> None:
        """Pause or resume trading on the shard; orders that ask for it are cancelled by a pause."""
        if paused and not self.paused:
            for market in self.markets.values():
                self.cancel_pausing(market)
        self.paused = paused

    def cancel_pausing(self, market: Market) -> None:
        self._withdraw_all(market, Reason.HALT, lambda order: order.cancel_on_pause)

    def cancel_market(self, market: Market, reason: Reason) -> None:
        """Cancel every order of a market with its levels taken off one by one."""
        self._withdraw_all(market, reason, lambda _order: True)

    def _withdraw_all(self, market: Market, reason: Reason, which: Callable[[Order], bool]) -> None:
        for side in Side:
            for order in market.book.orders(side):
                if which(order):
                    self.withdraw(order, reason)

    def empty_closed(self, market: Market) -> None:
        """Cancel every order of a closed market without a word about its levels."""
        for side in Side:
            for order in market.book.orders(side):
                self.withdraw(order, Reason.CLOSE, quiet=True)

    # -- groups

    def create_group(self, account: Account, limit: int) -> Group:
        if self.shard not in account.cash:
            raise Refused(refusals.USER_NOT_FOUND)
        if sum(group.account is account for group in self.groups.values()) >= self.rules.order_groups:
            raise Refused(refusals.bad_request("too many order groups"))
        group = Group(group_id=self.tape.next_id(), account=account, limit=limit)
        self.groups[group.group_id] = group
        self.told(group, GroupKind.CREATED)
        return group

    def group(self, account: Account, group_id: str) -> Group:
        group = self.groups.get(group_id)
        if group is None or group.account is not account:
            raise Refused(refusals.GROUP_NOT_FOUND)
        return group

    def delete_group(self, account: Account, group_id: str) -> None:
        group = self.group(account, group_id)
        self.cancel_orders(list(group.orders.values()))
        del self.groups[group_id]
        self.told(group, GroupKind.DELETED)

    def cancel_orders(self, orders: Iterable[Order]) -> None:
        for order in orders:
            if order.live:
                self.withdraw(order, Reason.DECREASE)

    # -- truth

    def terms(self, market: Market) -> FeeTerms:
        event = self.events.get(market.event_ticker)
        override = None if event is None else event.fees
        return market.series.fees if override is None else override

    def audit(self, accounts: Iterable[Account]) -> list[str]:
        """Every invariant of this shard that does not hold."""
        faults: list[str] = []
        for account in accounts:
            held = 0
            for ticker, orders in account.resting.items():
                market = self.markets.get(ticker)
                if market is None:
                    continue
                claims = [Claim.of(order) for order in orders.values()]
                wanted = need(account.lots(ticker), claims, self.terms(market), self.precision)
                held += wanted
                if wanted != account.holds.get(ticker, 0):
                    faults.append(f"{account.name}: {ticker} holds {account.holds.get(ticker, 0)}, needs {wanted}")
                if any(order.status is not Status.RESTING or order.lots <= 0 for order in orders.values()):
                    faults.append(f"{account.name}: {ticker} keeps an order that is over")
            if not account.background and held != account.held.get(self.shard, 0):
                faults.append(f"{account.name}: shard {self.shard} holds {account.held.get(self.shard, 0)} for {held}")
        return faults
