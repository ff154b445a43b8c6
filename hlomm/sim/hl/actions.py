"""Carrying out a typed action on the exchange: static checks over the whole batch first, then one order at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from hlomm.domain.orders import Side, Tif
from hlomm.domain.units import Cash, parse_unsigned
from hlomm.sim import refusals
from hlomm.sim.accounts import LEVERAGE_MAX, Account
from hlomm.sim.coins import OUTCOME_GRID, PERP_ASSET, WHOLE, perp_px_valid, split_asset, wire
from hlomm.sim.exchange import Exchange
from hlomm.sim.hl import schema
from hlomm.sim.orders import PERP, Filled, NewOrder, Placed, Refused, Resting, Target
from hlomm.sim.refusals import BatchRefused, WholeActionRefused
from hlomm.sim.sequencer import ActionClass

Reply = dict[str, Any]

_TIFS: Final = {"Alo": Tif.ALO, "Gtc": Tif.GTC, "Ioc": Tif.IOC, "FrontendMarket": Tif.IOC}
_AVERAGE_UNIT: Final = 100
"""Average prices are cut to six decimals."""
_SPOT_DEX: Final = "spot"


def class_of(action: schema.Action) -> ActionClass:
    """Where in a block an action runs: one aggressive order moves its whole batch to the end."""
    match action:
        case schema.OrderAction():
            return _order_class([order.t for order in action.orders])
        case schema.ModifyAction():
            return _order_class([action.order.t])
        case schema.BatchModifyAction():
            return _order_class([modify.order.t for modify in action.modifies])
        case schema.CancelAction() | schema.CancelByCloidAction():
            return ActionClass.CANCEL
        case _:
            return ActionClass.PASSIVE


def _order_class(kinds: list[schema.OrderKind]) -> ActionClass:
    passive = all(isinstance(kind.limit, schema.LimitKind) and kind.limit.tif == "Alo" for kind in kinds)
    return ActionClass.PASSIVE if passive else ActionClass.AGGRESSIVE


def weight_of(action: schema.Action) -> int:
    """How many requests an action counts as on the account's budget: its batch length."""
    match action:
        case schema.OrderAction():
            return max(len(action.orders), 1)
        case schema.CancelAction() | schema.CancelByCloidAction():
            return max(len(action.cancels), 1)
        case schema.BatchModifyAction():
            return max(len(action.modifies), 1)
        case _:
            return 1


def is_cancel(action: schema.Action) -> bool:
    return isinstance(action, schema.CancelAction | schema.CancelByCloidAction)


def ok(response: Reply) -> Reply:
    return {"status": "ok", "response": response}


DEFAULT: Final = ok({"type": "default"})


def refused(text: str) -> Reply:
    """The whole action is refused."""
    return {"status": "err", "response": text}


class Actions:
    """Runs L1 actions for an account that was already authenticated and admitted."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def prepare(self, action: schema.L1Action) -> Callable[[Account], Reply]:
        """Static checks of the whole action; returns what carries it out.

        Both steps may raise BatchRefused and WholeActionRefused, which the caller turns into replies.
        """
        match action:
            case schema.OrderAction():
                return self._orders(action)
            case schema.CancelAction():
                return self._cancels([(item.a, item.o) for item in action.cancels])
            case schema.CancelByCloidAction():
                return self._cancels([(item.asset, item.cloid) for item in action.cancels])
            case schema.ModifyAction():
                return self._modify(action)
            case schema.BatchModifyAction():
                return self._batch_modify(action)
            case schema.ScheduleCancelAction():
                return lambda account: self._schedule(account, action)
            case schema.NoopAction():
                return lambda _account: DEFAULT
            case schema.UpdateLeverageAction():
                return lambda account: self._leverage(account, action)
            case schema.UserOutcomeAction():
                return lambda account: self._user_outcome(account, action)
            case schema.AgentSendAssetAction():
                return lambda account: self._send_asset(account, action)

    # -- orders

    def _orders(self, action: schema.OrderAction) -> Callable[[Account], Reply]:
        if not action.orders:
            raise WholeActionRefused(refusals.EMPTY_BATCH)
        if action.builder is not None:
            raise WholeActionRefused(refusals.BUILDER_FEE)
        news = [self._checked(order) for order in action.orders]
        if isinstance(action.grouping, schema.PriorityGroup) and any(n.target.outcome is not None for n in news):
            raise WholeActionRefused(refusals.PRIORITY_ON_OUTCOME)

        def run(account: Account) -> Reply:
            statuses = [self._status(new, self._exchange.place(account, new)) for new in news]
            return ok({"type": "order", "data": {"statuses": statuses}})

        return run

    def _checked(self, order: schema.OrderWire) -> NewOrder:
        """Static validation of one order; the first fault speaks for the whole batch."""
        target = self._target(order.a)
        if not isinstance(order.t.limit, schema.LimitKind):
            raise BatchRefused(refusals.BAD_TRIGGER.on(order.a))
        if order.r and target.outcome is not None:
            raise BatchRefused(refusals.REDUCE_ONLY.on(order.a))
        grid = target.grid
        ticks, off_tick = divmod(parse_unsigned(order.p), grid.tick)
        lots, off_lot = divmod(parse_unsigned(order.s), grid.lot)
        if off_tick or not self._price_valid(target, ticks):
            raise BatchRefused(refusals.TICK.on(order.a))
        if off_lot:
            raise BatchRefused(refusals.INVALID_SIZE.on(order.a))
        if lots == 0:
            raise BatchRefused(refusals.ZERO_SIZE.on(order.a))
        self._check_reference(target, ticks)
        return NewOrder(
            target=target,
            side=Side.BUY if order.b else Side.SELL,
            ticks=ticks,
            lots=lots,
            tif=_TIFS[order.t.limit.tif],
            reduce_only=order.r,
            cloid=order.c,
        )

    def _target(self, asset: int) -> Target:
        if asset == PERP_ASSET:
            return PERP
        split = split_asset(asset)
        known = self._exchange
        if split is None or (split[0] not in known.outcomes and split[0] not in known.settled):
            raise BatchRefused(refusals.UNKNOWN_ASSET.on(asset))
        return Target(*split)

    def _price_valid(self, target: Target, ticks: int) -> bool:
        if target.outcome is None:
            return ticks > 0 and perp_px_valid(ticks)
        return 1 <= ticks < WHOLE

    def _check_reference(self, target: Target, ticks: int) -> None:
        mark = self._exchange.perp.mark_ticks
        if target.outcome is None and 5 * abs(ticks - mark) > 4 * mark:
            raise WholeActionRefused(refusals.REFERENCE_80)

    def _status(self, new: NewOrder, placed: Placed) -> Reply:
        match placed:
            case Resting():
                return {"resting": {"oid": placed.oid} | _cloid(placed.cloid)}
            case Filled():
                average = placed.tick_lots * placed.grid.tick // placed.lots // _AVERAGE_UNIT * _AVERAGE_UNIT
                size = {"totalSz": wire(placed.lots * placed.grid.lot), "avgPx": wire(average)}
                return {"filled": size | {"oid": placed.oid} | _cloid(placed.cloid)}
            case Refused():
                return {"error": placed.refusal.on(new.target.asset)}

    # -- cancels and modifies

    def _cancels(self, items: Sequence[tuple[int, int | str]]) -> Callable[[Account], Reply]:
        if not items:
            raise WholeActionRefused(refusals.EMPTY_BATCH)

        def cancel(account: Account, asset: int, key: int | str) -> str | Reply:
            target = self._cancel_target(asset)
            oid = self._exchange.oid_of(account, key)
            done = target is not None and self._exchange.cancel(account, target, oid)
            return "success" if done else {"error": refusals.MISSING_ORDER.on(asset)}

        def run(account: Account) -> Reply:
            statuses = [cancel(account, asset, key) for asset, key in items]
            return ok({"type": "cancel", "data": {"statuses": statuses}})

        return run

    def _cancel_target(self, asset: int) -> Target | None:
        if asset == PERP_ASSET:
            return PERP
        split = split_asset(asset)
        return None if split is None else Target(*split)

    def _modify(self, action: schema.ModifyAction) -> Callable[[Account], Reply]:
        try:
            new = self._checked(action.order)
        except BatchRefused as refusal:
            raise WholeActionRefused(refusal.text) from None

        def run(account: Account) -> Reply:
            placed = self._exchange.modify(account, action.oid, new, always_place=action.a)
            if isinstance(placed, Refused):
                raise WholeActionRefused(placed.refusal.on(new.target.asset))
            return DEFAULT

        return run

    def _batch_modify(self, action: schema.BatchModifyAction) -> Callable[[Account], Reply]:
        if not action.modifies:
            raise WholeActionRefused(refusals.EMPTY_BATCH)
        planned = [(item.oid, self._checked(item.order)) for item in action.modifies]

        def run(account: Account) -> Reply:
            statuses = [
                self._status(new, self._exchange.modify(account, key, new, always_place=action.a))
                for key, new in planned
            ]
            return ok({"type": "order", "data": {"statuses": statuses}})

        return run

    # -- the rest

    def _schedule(self, account: Account, action: schema.ScheduleCancelAction) -> Reply:
        self._exchange.schedule_cancel(account, action.time)
        return DEFAULT

    def _leverage(self, account: Account, action: schema.UpdateLeverageAction) -> Reply:
        if action.asset != PERP_ASSET:
            raise WholeActionRefused(refusals.UNKNOWN_ASSET.on(action.asset))
        if not 1 <= action.leverage <= LEVERAGE_MAX:
            raise WholeActionRefused(refusals.INVALID_LEVERAGE)
        account.perp.leverage = action.leverage
        return DEFAULT

    def _user_outcome(self, account: Account, action: schema.UserOutcomeAction) -> Reply:
        _, operation = action.variant()
        lots = None if operation.amount is None else _whole_lots(operation.amount)
        match operation:
            case schema.SplitWire():
                assert lots is not None, "the schema demands an amount for a split"
                self._exchange.split(account, operation.outcome, lots)
            case schema.MergeWire():
                self._exchange.merge(account, operation.outcome, lots)
            case schema.NegateWire():
                assert lots is not None, "the schema demands an amount for a negation"
                self._exchange.negate(account, operation.question, operation.outcome, lots)
            case schema.MergeQuestionWire():
                self._exchange.merge_question(account, operation.question, lots)
        return DEFAULT

    def _send_asset(self, account: Account, action: schema.AgentSendAssetAction) -> Reply:
        """Move USDC between the account's own spot and perp balances; agents may not send it elsewhere."""
        if action.destination.lower() != account.address:
            raise WholeActionRefused(refusals.AGENT_DESTINATION)
        if {action.sourceDex, action.destinationDex} != {"", _SPOT_DEX}:
            raise WholeActionRefused(refusals.INVALID_DEX)
        transfer(self._exchange, account, parse_unsigned(action.amount), to_perp=action.sourceDex == _SPOT_DEX)
        return DEFAULT


def transfer(exchange: Exchange, account: Account, amount: int, *, to_perp: bool) -> None:
    """Move quote between spot and perp; WholeActionRefused beyond what is free."""
    free = account.quote_free if to_perp else min(exchange.perp.margin_free(account), account.perp.raw)
    if amount == 0 or amount > free:
        raise WholeActionRefused(refusals.TRANSFER_BALANCE)
    exchange.ledger.to_perp(account, Cash(amount if to_perp else -amount))
    exchange.tape.balance(account)


def _whole_lots(amount: str) -> int:
    """A positive whole number of contracts; WholeActionRefused otherwise."""
    lots, rest = divmod(parse_unsigned(amount), OUTCOME_GRID.lot)
    if rest or lots == 0:
        raise WholeActionRefused(refusals.OUTCOME_AMOUNT)
    return lots


def _cloid(cloid: str | None) -> Reply:
    return {} if cloid is None else {"cloid": cloid}
