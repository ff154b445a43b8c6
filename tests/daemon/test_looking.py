"""What watchers look at in full: asked for, bounded, shared, and forgotten when nobody looks any more."""

from __future__ import annotations

import pytest

from hlomm.daemon.looking import FORGOTTEN_NS, Looking
from hlomm.domain.ids import MarketId
from hlomm.domain.look_rows import SIGMAS
from hlomm.domain.markets import MarketKind
from hlomm.engine import looks
from hlomm.engine.stakes import Stakes
from hlomm.link.protocol import VERSION, Access, Hello, Look, Update, Watch, Welcome
from tests.daemon.test_link_server import Peer, connect  # noqa: F401 - a fixture


def quoted(r) -> MarketId:
    """A market with a quote of ours and the longest time left."""
    rows = [market for market in r.engine.state.markets.values() if r.engine.state.orders.live_in(market.market.id)]
    return max(rows, key=lambda one: one.market.expiry_ns or 0).market.id


async def update(peer: Peer) -> Update:
    while not isinstance(heard := await peer.hear(), Update):
        pass
    return heard


async def told(peer: Peer, what) -> Update:
    """The first update of which something holds."""
    for _ in range(100):
        heard = await update(peer)
        if what(heard):
            return heard
    raise AssertionError("never told")


async def test_nothing_is_shown_in_full_until_somebody_asks_and_then_that_alone(rig, connect, autojump_clock):  # noqa: F811
    async with rig() as r:
        await r.quoting(2)
        peer = await (await connect(r)).greet()
        await peer.say(Watch(id=6, interval_ms=200))
        assert (await update(peer)).look is None
        market = quoted(r)
        await peer.say(Look(market=market))
        heard = await told(peer, lambda one: one.look is not None)
        assert heard.look.market == market
        assert heard.look.surface is None
        assert heard.look.figures.pulled_below_s > 0
        assert {row.direction for row in heard.look.queues} <= {-1, 1}
        await peer.say(Look(market=market, surfaces=True))
        heard = await told(peer, lambda one: one.look is not None and one.look.surface is not None)
        assert heard.look.surface.source == "avellaneda"
        assert len(heard.look.surface.band.sigmas) == SIGMAS
        await peer.say(Look())
        await told(peer, lambda one: one.look is None)


async def test_a_viewer_may_look_and_the_daemon_says_that_it_can(rig, connect, autojump_clock):  # noqa: F811
    async with rig() as r:
        await r.quoting(2)
        peer = await connect(r)
        await peer.say(Hello(version=VERSION, role="test", access=Access.VIEWER))
        welcome = await peer.hear()
        assert isinstance(welcome, Welcome)
        assert welcome.looks
        await peer.say(Look(market=MarketId("hyperliquid:o999999")))
        await peer.say(Watch(id=1, interval_ms=200))
        heard = await update(peer)
        assert heard.look is not None
        assert heard.look.note == looks.GONE


async def test_what_nobody_looks_at_is_forgotten_and_surfaces_are_shared(rig, autojump_clock, monkeypatch):
    drawn = []
    real = looks.surface
    monkeypatch.setattr(looks, "surface", lambda *args: drawn.append(args[2]) or real(*args))
    async with rig() as r:
        await r.quoting(2)
        pump = r.daemon.pump
        made, market = Looking(pump), quoted(r)
        for _ in range(10):
            made.look(market, surfaces=True)
        assert len(drawn) == 1, "ten watchers share one"
        for number in range(50):
            made.look(MarketId(f"hyperliquid:o9{number:05}"), surfaces=True)
        assert made.markets == 1, "what is not listed is not kept"
        now_ns = pump.clock.read().mono_ns
        perp = next(one.market.id for one in r.engine.state.markets.values() if one.market.kind is MarketKind.PERP)
        await r.until(lambda: pump.clock.read().mono_ns > now_ns + 2 * FORGOTTEN_NS)
        made.look(perp, surfaces=False)
        assert made.markets == 1
        assert made.look(market, surfaces=True).surface is not None
        assert len(drawn) == 2


async def test_frames_stay_small(rig, connect, autojump_clock):  # noqa: F811
    async with rig() as r:
        await r.quoting(2)
        made = Looking(r.daemon.pump)
        from hlomm.link.protocol import encode

        snapshot = r.daemon.monitor.snapshot()
        bare = len(encode(Update(id=1, snapshot=snapshot)))
        full = len(encode(Update(id=1, snapshot=snapshot, look=made.look(quoted(r), surfaces=True))))
        assert full - bare < 12_000


@pytest.mark.parametrize("surfaces", [False, True])
async def test_looking_never_changes_what_is_decided(rig, autojump_clock, surfaces):
    """One run, looked at every moment: it replays to the same digest, and a replay has nobody who looks."""
    async with rig() as r:
        await r.quoting(2)
        made, state = Looking(r.daemon.pump), r.engine.state
        before = r.engine.digest(), state.counters.turns
        for market in list(state.markets):
            made.look(market, surfaces=surfaces)
        assert (r.engine.digest(), state.counters.turns) == before


async def test_a_market_with_an_endless_name_ends_that_client(rig, connect, autojump_clock):  # noqa: F811
    async with rig() as r:
        await r.quoting(2)
        peer = await (await connect(r)).greet()
        await peer.say(Look(market=MarketId("x" * 300)))
        assert await peer.hear() is None
        assert r.state == "running"


async def test_pictures_make_no_table_of_settlements_anew_while_the_listing_stays(rig, autojump_clock, monkeypatch):
    """They were half of what a picture takes of the event loop."""
    async with rig() as r:
        await r.quoting(2)
        whole = r.daemon.monitor.snapshot().engine
        listing, made = r.engine.state.listing, []
        build = Stakes._build
        monkeypatch.setattr(Stakes, "_build", lambda self: (made.append(self), build(self))[-1])
        again = r.daemon.monitor.snapshot().engine
        assert (again.scenarios, again.worst_loss) == (whole.scenarios, whole.worst_loss)
        assert (made, r.engine.state.listing) == ([], listing)
        r.engine.state.listing += 1
        r.daemon.monitor.snapshot()
        assert len(made) == 1, "another listing is another matter"
