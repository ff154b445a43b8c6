"""Short names for the values that tests of the core are made of. Decimal texts in, scaled integers out."""

from __future__ import annotations

from typing import Any, Final

import attrs

from hlomm.domain.ids import (
    HYPERLIQUID,
    KALSHI,
    POLYMARKET,
    ClientId,
    MarketId,
    VenueId,
    VenueOrderId,
    kalshi_market,
    outcome_market,
    perp_market,
    polymarket_market,
    venue_of,
)
from hlomm.domain.inputs import AccountState, BboUpdate, BookSnapshot, PerpBalance, RestingOrder, TokenBalance
from hlomm.domain.markets import Leg, Market, MarketKind, Source
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_MS, NS_PER_S, Now
from hlomm.domain.units import Cash, Px, Qty, parse
from hlomm.engine.config import (
    BreakerRules,
    BudgetRules,
    EngineConfig,
    FlattenRules,
    HedgeRules,
    InventoryRules,
    Limits,
    MoveRule,
    OnDisconnect,
    OneSided,
    OrderRules,
    QuoteRules,
    ReconcileRules,
    SetRules,
)

EPOCH_MS: Final = 1_795_000_000_000
"""Wall time at which every test run boots."""
START: Final = Now(1_000 * NS_PER_S, EPOCH_MS * NS_PER_MS)

M: Final = outcome_market(HYPERLIQUID, 15)
M2: Final = outcome_market(HYPERLIQUID, 16)
PERP: Final = perp_market(HYPERLIQUID, "BTC")


def px(text: str | float) -> Px:
    """A price: `px("0.55")`; of an integer or float the decimal text counts."""
    return Px(parse(str(text)))


def lots(number: float) -> Qty:
    """That many contracts."""
    return Qty(parse(str(number)))


def usd(text: str | float) -> Cash:
    return Cash(parse(str(text)))


def seconds(value: float) -> int:
    return round(value * NS_PER_S)


def outcome(number: int = 15, *, tau_s: float = 3_600.0, start: Now = START, **changes: Any) -> Market:
    """A dated binary that settles `tau_s` after the start of the run."""
    values: dict[str, Any] = {
        "id": outcome_market(HYPERLIQUID, number), "venue": HYPERLIQUID, "kind": MarketKind.OUTCOME,
        "ticker": f"OUT:BTC-80000-{number}", "underlying": "BTC", "tick": px("0.00001"), "lot": lots(1),
        "min_notional": usd(10), "quote_token": "USDC", "klass": "priceBinary", "strike": px(80_000),
        "expiry_ns": start.wall_ns + seconds(tau_s), "period": "1d",
    }  # fmt: skip
    return Market(**(values | changes))


PM: Final = polymarket_market("0x15")
KS: Final = kalshi_market("KXBTCD-15")
VENUES: Final = (HYPERLIQUID, POLYMARKET, KALSHI)


def foreign(market: MarketId = PM, **changes: Any) -> Market:
    """The same question at another venue, which settles it on a source of its own."""
    venue = venue_of(market)
    own = {"source": Source.BINANCE_1H} if venue == POLYMARKET else {"source": Source.BRTI, "averaging_s": 60}
    values: dict[str, Any] = {"id": market, "venue": venue, "ticker": f"OUT:{market}", "min_notional": usd(1), **own}
    return outcome(**(values | changes))


def perp(coin: str = "BTC") -> Market:
    return Market(
        id=perp_market(HYPERLIQUID, coin), venue=HYPERLIQUID, kind=MarketKind.PERP, ticker=f"PERP:{coin}",
        underlying=coin, tick=px("0.1"), lot=px("0.00001"), min_notional=usd(10), quote_token="USDC",
    )  # fmt: skip


def levels(*pairs: tuple[str | float, float]) -> tuple[tuple[int, int], ...]:
    """`levels(("0.5", 100), ("0.49", 50))`: prices and contracts, best first."""
    return tuple((px(price), lots(number)) for price, number in pairs)


def snapshot(
    bids: tuple[tuple[int, int], ...], asks: tuple[tuple[int, int], ...], ms: int, market: MarketId = M
) -> BookSnapshot:
    return BookSnapshot(market, bids, asks, ms)


def bbo(bid: tuple[int, int] | None, ask: tuple[int, int] | None, ms: int, market: MarketId = M) -> BboUpdate:
    return BboUpdate(market, bid, ask, ms)


def account(
    cash: str | float = 10_000,
    tokens: tuple[TokenBalance, ...] = (),
    orders: tuple[RestingOrder, ...] = (),
    asked_ns: int = 0,
    perps: tuple[PerpBalance, ...] = (),
    perp_cash: str | float = 0,
    venue: VenueId = HYPERLIQUID,
) -> AccountState:
    return AccountState(
        venue=venue, cash=usd(cash), tokens=tokens, orders=orders, asked_mono_ns=asked_ns, perps=perps,
        perp_cash=usd(perp_cash),
    )  # fmt: skip


def token(number: float, cost: str | float, leg: Leg = Leg.YES, market: MarketId = M) -> TokenBalance:
    return TokenBalance(market, leg, lots(number), usd(cost))


def resting(
    client_id: str | None,
    *,
    oid: str = "9001",
    price: str | float = "0.5",
    number: float = 50,
    leg: Leg = Leg.YES,
    side: Side = Side.BUY,
    market: MarketId = M,
) -> RestingOrder:
    return RestingOrder(
        client_id=None if client_id is None else ClientId(client_id), venue_order_id=VenueOrderId(oid), market=market,
        leg=leg, side=side, px=px(price), leaves=lots(number),
    )  # fmt: skip


def earlier_run_id(count: int = 1) -> ClientId:
    """A client id of this program, minted by another boot."""
    return ClientId(f"0x686c{EPOCH_MS - 86_400_000:012x}{count:016x}")


BASE: Final = EngineConfig(
    limits=Limits(
        max_position=lots(400),
        max_gross_notional=usd(3_000),
        max_open_orders=40,
        max_order_notional=usd(400),
        max_drawdown=usd(150),
        stale_book_ns=seconds(6),
        one_sided=OneSided.REDUCE_ONLY,
        max_clock_skew_ms=3_000,
        max_fair_deviation=px("0.25"),
        max_resting_without_deadman=usd(1_000_000),
        max_loss_event=usd(1_000_000),
        max_loss_underlying=usd(1_000_000),
        max_loss_total=usd(1_000_000),
        max_hedge_notional=usd(5_000),
        max_sets=usd(1_000),
    ),
    quotes=QuoteRules(
        min_move=px("0.001"), min_size_change=0.25, min_interval_ns=seconds(0.5), refresh_ns=seconds(0.5), drain_ns=0
    ),
    flatten=FlattenRules(
        max_slippage=px("0.05"),
        hold_to_expiry_ns=seconds(20),
        deadline_ns=seconds(15),
        retry_ns=seconds(1),
        attempts=3,
        on_disconnect={HYPERLIQUID: OnDisconnect.FLATTEN},
        on_kill=True,
    ),
    orders=OrderRules(
        answer_deadline_ns=seconds(12),
        query_retry_ns=seconds(1.5),
        settle_doubt_ns=seconds(15),
        reject_window_ns=seconds(30),
        reject_limit=4,
        reject_pause_ns=seconds(20),
    ),
    budget=BudgetRules(reserve=100, slow_below=1_000, slow_runway_ns=0, slow_factor=4, weight_per_min=10**9),
    reconcile=ReconcileRules(quiet_ns=seconds(3), strikes=3),
    breakers=BreakerRules(
        widen=MoveRule(move=px("0.01"), window_ns=seconds(60), cooldown_ns=seconds(300)),
        widen_factor=px(3),
        pause=MoveRule(move=px("0.03"), window_ns=seconds(300), cooldown_ns=seconds(900)),
        daily_loss=usd(1_000_000),
        drawdown_share=px(1),
        equity_stop=px(1),
        api_errors=1_000,
        api_window_ns=seconds(60),
        api_pause_ns=seconds(120),
        venue_quiet_ns=seconds(60),
        warn_share=px("0.5"),
    ),
    hedge=HedgeRules(
        enabled=False, min_tau_ns=0, interval_ns=0, closest=usd(10), inner=px(1), cost=60_000,
        risk_aversion=400_000_000, jump_margin=0,
    ),
    inventory=InventoryRules(
        widen_above=px(1), widen_factor=px("1.5"), pause_above=px(1), reduce_above=px(1), reduce_at_touch=True,
        flatten_above=px(100),
    ),
    sets=SetRules(enabled=False, stock=lots(0), least=lots(1), interval_ns=seconds(5), drain_ns=0),
)  # fmt: skip
"""Round numbers of the tests' own, so that a changed default changes no test. Losses, inventory, failed requests and
stranded orders restrain nothing here: tests of those switch them on."""


def config(**sections: dict[str, Any]) -> EngineConfig:
    """`config(limits={"max_position": lots(10)})`: the base with single values changed."""
    changed = {name: attrs.evolve(getattr(BASE, name), **values) for name, values in sections.items()}
    return attrs.evolve(BASE, **changed)
