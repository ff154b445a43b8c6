"""What a daemon shows of one market in full, with figures that fit together: the maps are those of the real quoter."""

from __future__ import annotations

import msgspec

from hlomm.domain.ids import MarketId
from hlomm.domain.look_rows import FigureRow, LookRow, PrintRow, QueueRow, SurfaceRow
from hlomm.domain.orders import Side
from hlomm.domain.report import MarketRow, Snapshot
from hlomm.domain.units import SCALE, Px
from hlomm.pricing import surfaces
from hlomm.pricing.expected import Contract, odds_of
from hlomm.pricing.horizon import p_vol
from hlomm.pricing.quoter import Quote, QuoteModel, quote
from tests.tui.examples import NOW_S, WALL_MS, daily, px, qty, quarter
from tests.tui.linked import linked
from tests.tui.stage import Stage
from tests.tui.stocked import stocked
from tui.client import Pictured, Up
from tui.state import Store

UP = Up("sim", 20_709, looks=True)


def trades() -> tuple[PrintRow, ...]:
    prices = ("0.60173", "0.61423", "0.60173", "0.61477")
    return tuple(
        PrintRow(
            wall_ms=WALL_MS - 1000 * (22 - number), px=px(prices[number % 4]), qty=qty(str(12 + 31 * number)),
            aggressor=Side.BUY if number % 2 else Side.SELL,
        )
        for number in range(10)
    )  # fmt: skip


def surface(row: MarketRow, **changes: object) -> SurfaceRow:
    """As the strategy would draw it around that market's fair value."""
    assert row.fair is not None
    assert row.strike is not None
    p, tau_s, net, strike = row.fair / SCALE, row.tau_s or 0.0, (row.yes - row.no) / SCALE, row.strike / SCALE

    def quote_at(sigma_p: float, q: float) -> Quote:
        return quote(
            QuoteModel.GLFT, p=p, q=q, tau_s=tau_s, sigma_p=sigma_p, gamma=0.0004, a=0.6, k=150.0, lot=40.0,
            horizon_s=120.0, max_half=0.12, floor_half=max(sigma_p * 1.34, 0.0025),
        )  # fmt: skip

    v = 0.454 * (tau_s / 31_536_000) ** 0.5
    made = SurfaceRow(
        source="avellaneda", decided_ms=WALL_MS - 400, tau_s=tau_s, p=row.fair,
        band=surfaces.band(quote_at, surfaces.Live(p_vol(p, tau_s), net), cap=400.0, max_half=0.12),
        odds=surfaces.odds(
            lambda v, spot: odds_of(Contract(floor=strike), spot, v).p_yes, surfaces.Live(v, 91_881.5), annual=0.454,
            spot_age_s=0.2,
        ),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def look(row: MarketRow | None = None, **changes: object) -> LookRow:
    market = daily() if row is None else row
    values: dict[str, object] = {
        "market": market.id, "at_ms": WALL_MS, "trades": trades(), "drain_s": 15.0,
        "queues": (
            QueueRow(direction=1, px=px("0.60167"), ahead=qty("818"), watched_s=12.4),
            QueueRow(direction=-1, px=px("0.61851"), ahead=None),
        ),
        "figures": FigureRow(pulled_below_s=19.6, book_now=px("0.61391")), "surface": surface(market),
    } | changes  # fmt: skip
    return LookRow(**values)  # type: ignore[arg-type]


def looking(picture: Snapshot | None = None, shown: LookRow | None = None, *, up: Up = UP) -> Stage:
    """A terminal whose daemon has just said this, and shows that market in full."""
    return Stage(up, Pictured(stocked() if picture is None else picture, look() if shown is None else shown))


def seeing(picture: Snapshot | None = None, shown: LookRow | None = None, *, up: Up = UP) -> Store:
    """The same without a terminal, the market selected."""
    made = Store.begin("/run/hlomm.sock", NOW_S)
    made.apply(up, NOW_S)
    row = look() if shown is None else shown
    made.apply(Pictured(stocked() if picture is None else picture, row), NOW_S)
    made.select(row.market)
    return made


def apart() -> Stage:
    """At three venues."""
    return looking(linked())


def wordy_look(market: MarketId) -> LookRow:
    long = "the venue said [b]no[/b] \x1b[31m\nand then said it again, " * 6
    return look(market=market, surface=SurfaceRow(source=long, note=long, decided_ms=WALL_MS, p=Px(10**18)), note=long)


def bare(row: MarketRow | None = None) -> LookRow:
    """Of a market in which nothing has happened."""
    market = quarter() if row is None else row
    return LookRow(market=market.id, at_ms=WALL_MS, surface=SurfaceRow(note="no strategy trades this market"))
