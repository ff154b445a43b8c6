"""`hlomm selftest --live`: one round trip of the least size at a venue, every field of every answer beside the model.

A post-only bid far from the book, changed, cancelled; then the venue's minimum bought and sold back. The real session
carries it out and the real fuse stands in front of it. It begins only on an account that is flat and has nobody else on
it, and whatever goes wrong, orders are cancelled and what was bought is sold, shielded and under a deadline.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, TypeVar

import attrs
import trio

from hlomm.assembly.engine import ABILITIES
from hlomm.assembly.numbers import scaled
from hlomm.daemon import selftest_model as model
from hlomm.daemon.desks import Desk
from hlomm.daemon.faults import leaves
from hlomm.daemon.selftest_ear import Broken, Ear, TurnedDown
from hlomm.daemon.selftest_model import Field, Plan, Result, Step
from hlomm.domain.faults import HlommError, UsageError, VenueUnavailable
from hlomm.domain.fills import Fill
from hlomm.domain.ids import ClientId, ClientIds, VenueOrderId
from hlomm.domain.inputs import (
    AccountState,
    FeeRates,
    FillFinal,
    FillReceived,
    MarketListed,
    OrderClosed,
    OrderOpened,
)
from hlomm.domain.markets import Leg, Market
from hlomm.domain.orders import AmendRequest, CancelRequest, OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import AmendOrders, CancelOrders, Output, PlaceOrders
from hlomm.domain.units import Cash, Px, Qty, to_text
from hlomm.engine.config import ALL_ABILITIES
from hlomm.settings.schema import Settings
from hlomm.venues.clock import Clock
from hlomm.venues.flatten_plan import FlattenBounds
from hlomm.venues.protocol import VenueSession
from hlomm.venues.sweep import cancel_all, flatten_account

START_S: Final = 30.0
LOOKED_AT: Final = 8
"""Markets whose books are asked for."""
SETTLE_S: Final = 6.0
"""For balances to show what was traded."""
DELIVERY_S: Final = 60.0
"""For tokens that a chain delivers."""
AGAIN_S: Final = 0.3
CANCEL_S: Final = 10.0
FLATTEN_S: Final = 15.0
HOME_S: Final = CANCEL_S + FLATTEN_S + SETTLE_S
SALES: Final = 3

T = TypeVar("T")
Confirm = Callable[[Plan], bool]


@attrs.define(eq=False)
class Selftest:
    _desk: Desk
    _settings: Settings
    _clock: Clock
    _wanted: str | None
    """Market by id or ticker; None: whichever is best."""
    _confirm: Confirm
    _steps: list[Step] = attrs.field(factory=list)
    _result: Result | None = None
    _ids: ClientIds = attrs.field(init=False)
    _ear: Ear = attrs.field(init=False)
    _session: VenueSession = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._ids = ClientIds(self._clock.read().wall_ms)
        self._ear = Ear(self._clock)
        self._session = self._desk.session(None)

    async def run(self) -> Result:
        """UsageError where it must not begin; VenueRefused, VenueUnavailable where the venue does not let it.

        A signal ends it early: what it began is cancelled and sold first, and the result says so.
        """
        faults: list[HlommError] = []
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_stopped_by, signals, nursery.cancel_scope)
                    await self._begun(nursery)
                    nursery.cancel_scope.cancel(reason="the test is over")
            except* HlommError as group:
                faults += leaves(group)
        if self._result is not None:
            return self._result
        raise faults[0] if faults else UsageError("stopped before anything was sent")

    async def _begun(self, nursery: trio.Nursery) -> None:
        try:
            with trio.fail_after(START_S):
                await nursery.start(self._session.run, self._ear)
        except trio.TooSlowError:
            raise VenueUnavailable(f"{self._desk.venue} was not ready within {START_S:g} s") from None
        before = await self._flat_account()
        plan = await self._chosen()
        if not await trio.to_thread.run_sync(self._confirm, plan, abandon_on_cancel=True):
            raise UsageError("not confirmed: nothing was sent")
        await self._carried_out(plan, before)

    async def _carried_out(self, plan: Plan, before: AccountState) -> None:
        said = "broken: stopped by a signal, or the session ended"
        try:
            await self._rested(plan)
            await self._traded(plan)
            said = ""
        except (Broken, VenueUnavailable) as error:
            said = f"broken: {error}"
        finally:
            # Whatever happened: nothing of the test may outlive it.
            with trio.move_on_after(HOME_S, shield=True):
                await self._home(plan, before, said)

    # -- before

    async def _flat_account(self) -> AccountState:
        state = await self._session.fetch_account()
        if state.orders or state.tokens:
            raise UsageError(
                f"the account has {len(state.orders)} orders and {len(state.tokens)} positions: the test begins and "
                "ends flat — flatten it first (`hlomm run`, then `hlomm flatten`), or use an account of its own"
            )
        return state

    async def _chosen(self) -> Plan:
        """A plan for the market that was asked for, or for the best of those with time left."""
        wall_ns = self._clock.now().wall_ns
        listed = {one.market.id: one.market for one in self._ear.all(MarketListed) if one.market.expiry_ns is not None}
        if self._wanted is not None:
            listed = {key: one for key, one in listed.items() if self._wanted in (key, one.ticker)}
            if not listed:
                raise UsageError(f"no market {self._wanted!r} at {self._desk.venue}: `hlomm markets` lists them")
        longest = sorted(listed.values(), key=lambda one: -one.tau_ns(wall_ns))[:LOOKED_AT]
        plans, whys = [], []
        for market in longest:
            book = await self._session.fetch_book(market.id)
            made = model.plan_of(market, book, Px(scaled(self._settings.flatten.max_slippage)), wall_ns)
            if isinstance(made, Plan):
                plans.append(made)
            else:
                whys.append(f"{market.ticker}: {made}")
        plan = model.calmest(plans)
        if plan is None:
            raise UsageError(f"no market to test in: {'; '.join(whys) or 'none is listed'}")
        cap = scaled(self._settings.limits.max_order_notional)
        if plan.most > cap:
            raise UsageError(
                f"the least round trip in {plan.market.ticker} puts {to_text(plan.most)} at stake, and "
                f"limits.max_order_notional is {to_text(cap)}: raise it, or name another --market"
            )
        return plan

    # -- what rests

    async def _rested(self, plan: Plan) -> None:
        order = self._order(plan, Side.BUY, plan.rest_px, plan.rest_qty, Tif.ALO, Purpose.QUOTE)
        since, took_ms = await self._sent(PlaceOrders(self._desk.venue, (order,)))
        opened, at_ms = await self._answer(order.client_id, OrderOpened, since, "the answer to the order")
        fields = await self._as_listed(order.client_id, plan.rest_px, plan.rest_qty)
        self._note("rest", at_ms - took_ms, *fields)
        venue_id = opened.venue_order_id
        if ABILITIES.get(self._desk.venue, ALL_ABILITIES).can_amend:
            await self._amended(plan, order, venue_id)
        else:
            self._steps.append(Step(name="amend", said="left out: this venue changes no order"))
        cancel = CancelRequest(client_id=order.client_id, market=order.market, leg=order.leg)
        since, took_ms = await self._sent(CancelOrders(self._desk.venue, (cancel,)))
        closed, at_ms = await self._answer(order.client_id, OrderClosed, since, "the answer to the cancel")
        resting = await self._session.fetch_resting()
        self._note(
            "cancel", at_ms - took_ms, model.equal("status", "canceled", closed.status),
            model.amount("filled", 0, closed.filled or 0), model.equal("resting", "0", str(len(resting))),
        )  # fmt: skip

    async def _amended(self, plan: Plan, order: OrderRequest, venue_id: VenueOrderId) -> None:
        amend = AmendRequest(
            client_id=order.client_id, venue_order_id=venue_id, market=order.market, leg=order.leg, side=order.side,
            px=plan.amend_px, qty=plan.rest_qty, tif=order.tif,
        )  # fmt: skip
        since, took_ms = await self._sent(AmendOrders(self._desk.venue, (amend,)))
        _, at_ms = await self._answer(order.client_id, OrderOpened, since, "the answer to the amend")
        self._note("amend", at_ms - took_ms, *await self._as_listed(order.client_id, plan.amend_px, plan.rest_qty))

    async def _as_listed(self, client_id: ClientId, px: Px, qty: Qty) -> list[Field]:
        """The order as the venue's own list of open orders has it."""
        rows = [row for row in await self._session.fetch_resting() if row.client_id == client_id]
        fields = [model.equal("resting", "1", str(len(rows)))]
        if rows:
            row = rows[0]
            fields += [
                model.equal("leg", Leg.YES.name, row.leg.name), model.equal("side", Side.BUY.name, row.side.name),
                model.amount("px", px, row.px), model.amount("qty", qty, row.leaves),
            ]  # fmt: skip
        return fields

    # -- what trades

    async def _traded(self, plan: Plan) -> None:
        state = await self._session.fetch_account()
        asks = await self._levels(plan, Side.BUY)
        order = self._order(plan, Side.BUY, plan.buy_px, plan.qty, Tif.IOC, Purpose.LEG)
        bought = await self._filled("buy", plan, order, asks, state, held=0)
        await self._delivered(bought)
        left = Qty(sum(fill.qty for fill in bought))
        for _ in range(SALES):
            left = await self._sold(plan, left)
            if not left:
                return
        raise Broken(f"{to_text(left)} are not sold after {SALES} tries")

    async def _sold(self, plan: Plan, qty: Qty) -> Qty:
        """What is left after one sale; all of it where the bids were gone before it came."""
        bids = await self._levels(plan, Side.SELL)
        px = model.sale_px(plan, bids)
        if px is None:
            raise Broken("nobody bids any more")
        state = await self._session.fetch_account()
        order = self._order(plan, Side.SELL, px, qty, Tif.IOC, Purpose.FLATTEN)
        try:
            sold = await self._filled("sell", plan, order, bids, state, held=qty)
        except TurnedDown as error:
            self._steps.append(Step(name="sell", said=f"again: {error}"))
            await trio.sleep(AGAIN_S)
            return qty
        return Qty(qty - sum(fill.qty for fill in sold))

    async def _filled(
        self, name: str, plan: Plan, order: OrderRequest, levels: Sequence[tuple[int, int]], state: AccountState, *,
        held: int,
    ) -> list[Fill]:  # fmt: skip
        since, took_ms = await self._sent(PlaceOrders(self._desk.venue, (order,)))
        closed, at_ms = await self._answer(order.client_id, OrderClosed, since, f"the answer to the {name}")
        told = order.qty if closed.filled is None else closed.filled

        def fills() -> list[Fill] | None:
            found = [one for item in self._ear.all(FillReceived) for one in item.fills]
            ours = [one for one in found if one.client_id == order.client_id]
            return ours if sum(one.qty for one in ours) >= told else None

        heard = await self._ear.until(fills, SETTLE_S, f"fills of {to_text(told)}")
        rates = next(iter(reversed(self._ear.all(FeeRates))), None)
        cash = state.cash + model.cash_of(heard)
        after = await self._settled(plan.market, cash, held + order.side * told)
        self._note(
            name, at_ms - took_ms, model.equal("status", "filled", closed.status), model.amount("qty", order.qty, told),
            model.price(heard, order.side, order.px, levels), model.fee(plan.market, rates, heard),
            model.fee_token(plan.market, paid=after.cash == cash),
            model.equal("role", "taker", "maker" if any(fill.maker for fill in heard) else "taker"),
            model.amount("cash", cash, after.cash),
            model.amount("held", held + order.side * told, _held(after, plan.market)),
        )  # fmt: skip
        if not told:
            raise TurnedDown(f"the {name} met nobody: the book moved away")
        return heard

    async def _levels(self, plan: Plan, side: Side) -> Sequence[tuple[int, int]]:
        book = await self._session.fetch_book(plan.market.id)
        if book is None:
            raise Broken(f"{plan.market.ticker} is gone")
        return book.asks if side is Side.BUY else book.bids

    async def _settled(self, market: Market, cash: int, held: int) -> AccountState:
        """The account once it shows what was traded; after `SETTLE_S` as it is."""
        with trio.move_on_after(SETTLE_S):
            while True:
                state = await self._session.fetch_account()
                if state.cash == cash and _held(state, market) == held:
                    return state
                await trio.sleep(AGAIN_S)
        return await self._session.fetch_account()

    async def _delivered(self, fills: Sequence[Fill]) -> None:
        """Tokens that are matched first and delivered later cannot be sold before."""
        awaited = {fill.key for fill in fills if fill.pending}

        def all_final() -> bool | None:
            return True if awaited <= {item.key for item in self._ear.all(FillFinal)} else None

        await self._ear.until(all_final, DELIVERY_S, "delivery of what was bought")

    # -- after

    async def _home(self, plan: Plan, before: AccountState, said: str) -> None:
        """Cancel, sell, look. Until the last word of the venue the result is that nothing is known."""
        self._conclude(plan, before, None, "what is held is unknown", said)
        cancelled = await cancel_all(self._session, deadline_s=CANCEL_S)
        bounds = FlattenBounds(slippage=Px(scaled(self._settings.flatten.max_slippage)), perps=frozenset())
        flattened = await flatten_account(self._session, bounds, self._ids.mint, deadline_s=FLATTEN_S)
        left = [] if cancelled.verified else [f"{len(cancelled.remaining)} orders, not seen to be gone"]
        if flattened.left is None:
            left.append("what is held is unknown")
        elif not flattened.flat:
            left += flattened.left.stays or ["tokens"]
        self._conclude(plan, before, None, "; ".join(left), said)
        try:
            after = await self._session.fetch_account()
        except VenueUnavailable:
            await trio.lowlevel.checkpoint()
            return
        self._conclude(plan, before, after, "; ".join(left), said)

    def _conclude(self, plan: Plan, before: AccountState, after: AccountState | None, left: str, said: str) -> None:
        cost = None if after is None else Cash(before.cash - after.cash)
        steps = (*self._steps, Step(name="end", said=said)) if said else tuple(self._steps)
        self._result = Result(plan=plan, steps=steps, flat=not left, left=left, cost=cost)

    # -- plumbing

    def _order(self, plan: Plan, side: Side, px: Px, qty: Qty, tif: Tif, purpose: Purpose) -> OrderRequest:
        return OrderRequest(
            client_id=self._ids.mint(), market=plan.market.id, leg=Leg.YES, side=side, px=px, qty=qty, tif=tif,
            purpose=purpose,
        )  # fmt: skip

    async def _sent(self, output: Output) -> tuple[int, float]:
        """(news heard before, time of sending in ms)."""
        await trio.lowlevel.checkpoint()
        since, at_ns = len(self._ear.heard), self._clock.read().mono_ns
        self._session.submit(output)
        return since, at_ns / 1e6

    async def _answer(self, client_id: ClientId, kind: type[T], since: int, awaited: str) -> tuple[T, float]:
        """The first answer of that kind about an order, and when it came in ms; Broken for a refusal."""
        return await self._ear.answer(client_id, kind, since, self._settings.orders.answer_deadline_s, awaited)

    def _note(self, name: str, took_ms: float, *fields: Field) -> None:
        timed = model.latency(took_ms, self._settings.orders.answer_deadline_s)
        self._steps.append(Step(name=name, fields=(timed, *fields)))


async def _stopped_by(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    async for _ in signals:
        scope.cancel(reason="stopped by a signal")


def _held(state: AccountState, market: Market) -> int:
    return sum(row.total for row in state.tokens if row.market == market.id and row.leg is Leg.YES)
