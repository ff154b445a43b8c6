"""A leg that rests at a simulated venue is taken there by somebody else, and hedged at another one: end to end."""

from __future__ import annotations

from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderState, Purpose, Side, Tif
from hlomm.engine.order import Order
from hlomm.research.replay import replay
from hlomm.sim.coins import WHOLE
from hlomm.sim.harness_town import SimulatedTown, simulated_town
from hlomm.sim.orders import Filled, NewOrder, Target
from tests.daemon.town import NAMES, TownRig, open_orders, town_rig

SETS = (
    "strategy.avellaneda.enabled=false", "strategy.cross_venue.enabled=true", "strategy.cross_venue.maker=hyperliquid",
    "strategy.cross_venue.maker_reach=0.2", "strategy.cross_venue.maker_share=0.5", "strategy.cross_venue.max_size=40",
    "strategy.cross_venue.basis_weight=0.1", "strategy.cross_venue.source_noise_bps=0.2", "limits.max_loss_event=200",
    "strategy.cross_venue.kelly_fraction=1", "strategy.cross_venue.min_edge_bps=5", "limits.stale_book_s=10",
    "strategy.cross_venue.capital_rate=0", "strategy.cross_venue.min_tau_s=30",
)  # fmt: skip


def standing(r: TownRig) -> Order | None:
    """What rests, by the venue's word."""
    orders = r.engine.state.orders.live()
    return next((one for one in orders if one.purpose is Purpose.REST and one.state is OrderState.OPEN), None)


def taken(town: SimulatedTown, order: Order) -> None:
    """Somebody with enough money buys the other leg, through everything before it."""
    venue = town.hyperliquid.venue
    account = venue.exchange.accounts[venue.accounts[1].address]
    target = Target(int(order.market.rpartition("o")[2]), Leg.NO if order.leg is Leg.YES else Leg.YES)
    ticks = WHOLE - order.px * WHOLE // 10**8
    sold = venue.exchange.place(account, NewOrder(target=target, side=Side.BUY, ticks=ticks, lots=2_000, tif=Tif.IOC))
    assert isinstance(sold, Filled)


async def test_a_fill_of_what_rests_is_hedged_at_another_venue(autojump_clock, tmp_path):
    async with simulated_town(seed=7) as town, town_rig(town, tmp_path / "state", *SETS) as r:
        await r.until(lambda: standing(r), 60)
        order = standing(r)
        assert order is not None
        taken(town, order)
        await r.until(lambda: r.engine.state.pairs.made, 20)
        result = await r.stop()
        maker, (trade, *_) = result.summary["arbitrage"]["maker"], result.summary["arbitrage"]["trades"]
        assert maker["taken"] == 1
        assert 0 < maker["hedge_ms"]["max"] < 5_000
        assert trade["maker"]
        assert f"resting {order.leg.name} at hyperliquid" in trade["pair"]
        assert trade["spent"] < trade["qty"]
        assert {name: row["differences"] for name, row in result.summary["account"].items()} == {
            name: [] for name in NAMES
        }
        assert [open_orders(town, name) for name in NAMES] == [0, 0, 0]
    assert replay(r.paths.journal).identical
