"""The chain moves whole millionths of a pUSD: what the books hold of a fill of an odd size is what the venue has.

Of a recorded day two trades in five have five or six decimals of a share, because their takers named dollars.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from hlomm.domain.ids import venue_of
from hlomm.domain.inputs import FillReceived, TokenBalance
from hlomm.domain.markets import FeeCurve
from hlomm.domain.orders import Side
from hlomm.domain.outputs import HaltState
from hlomm.domain.units import SCALE, Cash, Px, Qty, parse, to_text
from hlomm.venues.counters import Counters
from hlomm.venues.polymarket.account import as_matched
from hlomm.venues.polymarket.account_feed import AccountFeed
from hlomm.venues.polymarket.orders import OrderMap
from hlomm.venues.polymarket.registry import Registry
from hlomm.venues.polymarket.wire.account_rows import Me, TradeNews, chain_cash
from hlomm.venues.polymarket.wire.fees import FEE_STEP
from hlomm.venues.polymarket.wire.user_frames import decode_user
from tests.support.rig import Rig
from tests.support.values import PM, VENUES, account
from tests.unit.venues.test_polymarket_parts import listing

ME = Me("00000000-0000-0000-0000-000000000001", "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266")
DAY = Path(__file__).resolve().parents[4] / "shared" / "data" / "pm_btc_daily_2026_05_09" / "trades.json"
CURVE = FeeCurve(taker=7_000_000, step=FEE_STEP, up=False)
CASH = 10_000
VENUE = venue_of(PM)
TAKER = "0xee"

Met = tuple[tuple[str, str, bool], ...]
"""(size, price, whether it was in YES) of every resting order of a trade in YES."""


def trade(met: Met, *, side: str, ours: bool) -> TradeNews:
    """`ours`: the orders that rested, else the one that took."""
    rows = [
        {
            "order_id": f"0x{place}", "owner": ME.api_key if ours else "x", "maker_address": "0x01",
            "matched_amount": size, "price": price, "asset_id": "0x151" if same else "0x152",
        }
        for place, (size, price, same) in enumerate(met)
    ]  # fmt: skip
    frame = {
        "event_type": "trade", "type": "TRADE", "id": "t1", "taker_order_id": TAKER, "market": "0x15",
        "asset_id": "0x151", "side": side, "size": str(sum(Decimal(size) for size, _, _ in met)), "price": met[0][1],
        "status": "MATCHED", "owner": "x" if ours else ME.api_key, "trader_side": "MAKER" if ours else "TAKER",
        "maker_orders": rows, "match_time": "1725868885",
    }  # fmt: skip
    decoded = decode_user(json.dumps(frame), ME)
    (news,) = decoded.events
    assert isinstance(news, TradeNews)
    return news


def moved(met: Met, *, side: str, ours: bool) -> int:
    """Millionths that the chain moves to us: the contract rounds down what a resting order is owed."""
    taken = 0
    for size, price, same in met:
        shares, each = Fraction(size) * 10**6, Fraction(price)
        assert shares.denominator == 1
        sells = same is (side == "BUY")
        maker = math.floor(shares * each) if sells else -math.ceil(shares * each)
        if ours:
            taken += maker
        elif same:
            taken -= maker
        else:  # a whole share is split from a pUSD for two who buy, merged into one for two who sell
            taken += (-1 if side == "BUY" else 1) * int(shares) - maker
    return taken


TRADES: dict[str, Met] = {
    "odd shares": (("7.857142", "0.63", True),),
    "finer than any unit of ours": (("7.857142", "0.631", True),),
    "several orders at a price": (("1.774192", "0.62", True), ("1.864404", "0.62", True), ("0.333333", "0.61", True)),
    "minted or merged": (("1.612902", "0.381", False), ("2.19672", "0.38", False)),
    "whole": (("25", "0.5", True),),
}


@pytest.mark.parametrize("ours", [True, False], ids=["rested", "took"])
@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize("met", TRADES.values(), ids=TRADES)
def test_the_books_are_the_chains_to_the_last_unit(met: Met, side: str, ours: bool) -> None:
    """So an account that is asked for agrees, before it is delivered and after, and nothing halts."""
    known = Registry(("BTC",), 3 * 86_400.0, 2)
    known.take(listing("0x15", fee=CURVE), 0)
    feed = AccountFeed(known, OrderMap(memory=64), Counters(), 64)
    news = feed.on_trade(trade(met, side=side, ours=ours))
    fees = 0 if ours else sum(_curve(one.fill.px, one.fill.qty) for one in news if isinstance(one, FillReceived))
    rig = Rig(venues=VENUES)
    books = rig.state.portfolio.of(VENUE)
    rig.tell(*news)
    assert books.cash - CASH * SCALE == moved(met, side=side, ours=ours) * 100 - fees
    books.check()
    before_delivery = as_matched(feed, known, CASH * SCALE, {}, (), 0)
    assert before_delivery.cash == books.cash
    held = tuple(TokenBalance(one.market, one.leg, Qty(one.total), Cash(0)) for one in before_delivery.tokens)
    for _ in range(4):
        rig.wait(12.0)
        shown = account(to_text(books.cash), held, asked_ns=rig.now.mono_ns, venue=VENUE)
        rig.tell(shown)
    assert rig.state.halt is HaltState.RUNNING, rig.state.halt_reason


def _curve(px: Px, qty: Qty) -> int:
    """To the nearest fifth decimal."""
    exact = Fraction(CURVE.taker * qty * px * (SCALE - px), SCALE**3)
    return math.floor(exact / FEE_STEP + Fraction(1, 2)) * FEE_STEP


def test_what_a_taker_paid_on_a_recorded_day() -> None:
    """Every trade at one price of the grid: told is what changed hands by the share, to sixteen digits."""
    looked = odd = 0
    for row in json.loads(DAY.read_text()):
        size, px = parse(str(row["size"])), Px(round(row["price"] * 100) * SCALE // 100)
        if abs(row["price"] - px / SCALE) * row["size"] > 2e-6:
            continue  # over several prices
        side = Side.BUY if row["side"] == "buy" else Side.SELL
        cash = round(row["price"] * row["size"] * 1e6) * 100
        assert chain_cash(px, Qty(size), side, maker=False) == cash, row
        looked, odd = looked + 1, odd + (px * size // SCALE != cash or px * size % SCALE != 0)
    assert (looked > 800, odd > 300) == (True, True)
