"""A perp position over the real wire: the account tells it, the books agree to the unit, and both sweeps close it."""

from __future__ import annotations

import trio

from hlomm.domain.ids import ClientIds, perp_market
from hlomm.domain.inputs import AccountState, Booted, FillReceived, Input, OperatorAction, OperatorCommand
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import HaltState
from hlomm.domain.times import Now
from hlomm.domain.units import SCALE, Px, Qty, parse
from hlomm.engine.core import Engine
from hlomm.engine.portfolio import Portfolio
from hlomm.venues.flatten_plan import FlattenBounds
from hlomm.venues.sweep import flatten_account
from tests.support.values import config

BTC = perp_market("hyperliquid", "BTC")
BOUNDS = FlattenBounds(slippage=Px(parse("0.05")))


async def take(r, side: Side, qty: str) -> None:
    """Open a position at the market, as a person might."""
    book = await r.session.fetch_book(BTC)
    touch = book.asks[0][0] if side is Side.BUY else book.bids[0][0]
    order = OrderRequest(
        client_id=r.ids.mint(), market=BTC, leg=Leg.YES, side=side, px=Px(touch + side * 50 * SCALE),
        qty=Qty(parse(qty)), tif=Tif.IOC, purpose=Purpose.HEDGE,
    )  # fmt: skip
    assert await r.session.place_now([order]) == ["filled"]


async def test_the_account_tells_positions_and_the_books_agree_to_the_unit(rig, autojump_clock):
    async with rig() as r:
        books = Portfolio()
        books.open_with(r.all(AccountState)[0])
        told = len(r.inputs)
        for side, qty in ((Side.BUY, "0.013"), (Side.SELL, "0.02"), (Side.SELL, "0.001"), (Side.BUY, "0.0075")):
            await take(r, side, qty)
        await r.until(lambda: sum(item.fill.qty for item in r.all(FillReceived)) == parse("0.0415"))
        for item in r.inputs[told:]:
            if isinstance(item, FillReceived):
                books.apply(item.fill)
        state = await r.session.fetch_account()
        assert state.perp_cash == books.perps.raw
        assert [(one.market, one.qty) for one in state.perps] == [(BTC, books.perps.position(BTC).qty)]
        assert books.perps.position(BTC).qty == -parse("0.0005")
        assert books.fees > 0
        books.check()


async def test_a_sweep_without_an_engine_closes_a_perp(rig, autojump_clock):
    async with rig() as r:
        await take(r, Side.SELL, "0.02")
        report = await flatten_account(r.session, BOUNDS, ClientIds(1).mint)
        assert report.flat
        assert (await r.session.fetch_account()).perps == ()


async def test_a_position_below_the_minimum_is_closed_whole(rig, autojump_clock):
    async with rig() as r:
        await take(r, Side.BUY, "0.001")
        await take(r, Side.SELL, "0.0009")
        report = await flatten_account(r.session, BOUNDS, ClientIds(1).mint)
        assert report.flat


async def test_the_engine_walks_a_perp_and_tokens_to_flat(rig, autojump_clock):
    async with rig() as r:
        await take(r, Side.BUY, "0.01")
        book = await r.book()
        bought = r.order(Side.BUY, book.asks[0][0] + 5_000_000, "30", tif=Tif.IOC)
        assert await r.session.place_now([bought]) == ["filled"]
        await r.until(lambda: len({item.fill.market for item in r.all(FillReceived)}) == 2)
        engine = Engine(config(), [], [r.session.venue])

        def now() -> Now:
            nanos = int(trio.current_time() * 1e9)
            return Now(nanos, 1_795_000_000_000_000_000 + nanos)

        def feed(item: Input) -> None:
            engine.feed(item, now())
            for output in engine.turn(now()):
                r.session.submit(output)

        def live(items, received_ns) -> None:
            r.inputs.extend(items)
            for item in items:
                feed(item)

        feed(Booted(epoch_ms=1_795_000_000_000, profile="sim", version="0", config="{}", halted=None))
        for item in r.inputs:
            if not isinstance(item, FillReceived | AccountState):
                feed(item)
        feed(await r.session.fetch_account())
        r.session._parts.outlet.sink = live
        assert engine.state.portfolio.perps.position(BTC).qty == parse("0.01")
        feed(OperatorCommand(action=OperatorAction.FLATTEN, actor="test"))
        with trio.fail_after(60):
            while engine.state.halt is not HaltState.HALTED:
                await trio.sleep(0.1)
                for output in engine.turn(now()):
                    r.session.submit(output)
        account = await r.session.fetch_account()
        assert (account.perps, account.tokens) == ((), ())
        assert account.perp_cash == engine.state.portfolio.perps.raw
        assert account.cash == engine.state.portfolio.cash
