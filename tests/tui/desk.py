"""A daemon with strategies, settings, a log and operator actions, with figures that fit together."""

from __future__ import annotations

import msgspec

from hlomm.domain.desk_rows import AuditRow, ChainRow, LogRow, MarkoutRow, SettingRow, StrategyRow, TunedRow
from hlomm.domain.ids import MarketId
from hlomm.domain.orders import OrderState, Purpose
from hlomm.domain.report import FillRow, OrderRow, Pnl, Snapshot
from hlomm.domain.units import Cash
from tests.tui.examples import FILLS, NOW_S, VENUE, WALL_MS, cash, orders, perp, px, qty, snapshot
from tests.tui.reading import store
from tests.tui.stage import Stage
from tui.client import Heard, Pictured, Up
from tui.state import Store

AVELLANEDA = "strategy.avellaneda"
WHO = "uid 1000 (desk) from 10.0.0.7"


def setting(
    name: str, value: str, bounds: str = "", origin: str = "default.toml", *, of: str = "avellaneda"
) -> SettingRow:
    return SettingRow(key=f"strategy.{of}.{name}", value=value, origin=origin, bounds=bounds)


SETTINGS = (
    setting("model", "glft"),
    setting("classes", '["priceBinary","priceBucket"]', origin="/home/desk/a-very-long-path/own.toml"),
    setting("gamma", "0.0004", "at least 0, below 1e+12"),
    setting("max_half_spread", "0.12", "above 0, below 1"),
    setting("kelly_fraction", "0.05", "above 0, at most 1", "--set"),
    setting("min_edge_bps", "50", "at least 0, below 1e+12", "environment", of="cross_venue"),
    setting("realised", "ewma", of="cross_venue"),
)
TUNED = TunedRow(
    key=f"{AVELLANEDA}.gamma", value="0.0005", was="0.0004", configured="0.0004", who=WHO, reason="wider tonight",
    wall_ms=WALL_MS - 65_000,
)  # fmt: skip
RUNNING = StrategyRow(id="avellaneda", state="running", markets=3, orders=4, result=cash("37.42"))
PAUSED = StrategyRow(
    id="cross_venue", state="paused", why=f"pause by {WHO} (venue maintenance)", result=cash("-1.19"),
)  # fmt: skip
STOPPED = StrategyRow(id="btc_parity", state="stopped", why="ZeroDivisionError: float division by zero")


def log_line(n: int, level: str, area: str, text: str) -> LogRow:
    return LogRow(n=n, wall_ms=WALL_MS - 100_000 + n * 1000, level=level, area=area, text=text)


LOG = (
    log_line(1, "info", "venues.hyperliquid", "session up markets=4 connection=1"),
    log_line(2, "warning", "link", f"operator action=tune actor={WHO} target={AVELLANEDA}.gamma=0.0005"),
    log_line(3, "error", "ledger", "ledger_failed error=disk full"),
    log_line(4, "info", "venues.kalshi", "market listed ticker=KXBTCD-26NOV211127-T86401.99"),
)
AUDIT = (
    AuditRow(n=217, at_ms=WALL_MS - 900_000, action="pause", who=WHO, reason="venue maintenance", target="cross_venue",
             result="running: cross_venue: pause by uid 1000"),
    AuditRow(n=218, at_ms=WALL_MS - 65_000, action="tune", who=WHO, reason="wider tonight",
             target=f"{AVELLANEDA}.gamma=0.0005", result="running: 0.0004 -> 0.0005"),
    AuditRow(n=219, at_ms=WALL_MS - 60_000, action="tune", who="uid 1000 (desk)", reason="", late=True,
             target=f"{AVELLANEDA}.gamma=-1", result="refused, still running: at least 0, below 1e+12"),
)  # fmt: skip
NEWS = Heard(SETTINGS, LOG, AUDIT, ChainRow(links=219))


LATER = ((1, "0.0021"), (5, "-0.0007"), (30, "0.1234"), (60, "0"))


def fills() -> tuple[FillRow, ...]:
    """Old ones know all four figures, recent ones some, the newest none; a settlement never has any."""
    made = []
    for row in FILLS:
        old_s = (WALL_MS - row.wall_ms) // 1000
        known = tuple(px(text) if old_s >= after else None for after, text in LATER)
        made.append(msgspec.structs.replace(row, markouts=known if row.kind == "trade" else ()))
    return (*made, msgspec.structs.replace(made[-1], markouts=(None,) * 4))


def resting() -> tuple[OrderRow, ...]:
    first, second, *rest = orders(snapshot().engine.markets)
    hedge = OrderRow(
        client_id=first.client_id, market=MarketId("hyperliquid:BTC"), ticker=perp().ticker, leg=first.leg,
        side=first.side, px=px("91875"), leaves=qty("0.01774"), filled=qty("0"), state=OrderState.OPEN,
        purpose=Purpose.HEDGE, age_s=0.4, reason="hedging: sell 0.001 @ 91875",
    )  # fmt: skip
    return (
        msgspec.structs.replace(first, filled=qty("25"), reason="widen x2, BTC moved 1.2 %"),
        msgspec.structs.replace(second, state=OrderState.UNKNOWN, age_s=12.0),
        *rest,
        msgspec.structs.replace(hedge, client_id="0x686c01a1fb9d1b51ffffffffffffffff"),
        msgspec.structs.replace(
            rest[0], client_id="0x686c01a1fb9d1b51fffffffffffffffe", market=MarketId("kalshi:KXBTC"),
            strategy="cross_venue", purpose=Purpose.LEG, reason="working: o11802+KXBTC",
        ),
    )  # fmt: skip


PNL = Pnl(
    realised=cash("46.99"), unrealised=cash("-2.12000003"), fees=cash("3.05"), rewards=Cash(0),
    total=cash("41.81999997"), spread=cash("58.2"), inventory=cash("-9.31000004"), settlement=cash("-4.02"),
    hedge=cash("-4.02000001"), rounding=Cash(1),
)  # fmt: skip
MARKOUTS = (
    MarkoutRow(horizon_s=1, mean=px("0.0011"), fills=41), MarkoutRow(horizon_s=5, mean=px("-0.0006"), fills=40),
    MarkoutRow(horizon_s=30, mean=None, fills=0), MarkoutRow(horizon_s=60, mean=None, fills=0),
)  # fmt: skip


def desk(**changes: object) -> Snapshot:
    values = {
        "strategies": (RUNNING, PAUSED, STOPPED), "tuned": (TUNED,), "pnl": PNL, "markouts": MARKOUTS,
        "recent_fills": fills(), "orders": resting(), "venues": (VENUE, msgspec.structs.replace(VENUE, venue="kalshi",
        ack_p50_ms=None, data_age_s=None, skew_ms=None, reconnects=3)),
    } | changes  # fmt: skip
    return snapshot(None, **values)


def knowing(picture: Snapshot | None = None, news: Heard = NEWS) -> Store:
    made = store(desk() if picture is None else picture)
    made.apply(news, NOW_S)
    return made


def at_the_desk(picture: Snapshot | None = None, news: Heard = NEWS) -> Stage:
    return Stage(Up("sim", 20_709), news, Pictured(desk() if picture is None else picture))
