"""The fuse by itself: its edges, its windows, what passes once it has tripped."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.faults import ConfigError
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import FuseTripped, Input, SendRefused, SentAction
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import AmendOrders, PlaceOrders
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Cash, Px, Qty, parse
from hlomm.venues.fuse import Fuse, FuseLimits, collateral
from tests.unit.venues.harness import IDS, OUTCOME, PERP, amend_of, order, place

MINUTE = 60 * NS_PER_S


def fuse(**fields: Any) -> Fuse:
    limits: dict[str, Any] = {
        "orders_per_s": 5,
        "notional_per_min": Cash(parse("1000")),
        "order_notional": Cash(parse("100")),
        "order_qty": Qty(parse("800")),
        "hedge_notional": Cash(parse("500")),
    }
    return Fuse(HYPERLIQUID, FuseLimits(**{**limits, **fields}))


def flattening(side: Side = Side.SELL, px: str = "0.45", qty: str = "100", **fields: Any) -> OrderRequest:
    return OrderRequest(
        client_id=IDS.mint(), market=fields.pop("market", OUTCOME), leg=fields.pop("leg", Leg.YES), side=side,
        px=Px(parse(px)), qty=Qty(parse(qty)), tif=Tif.IOC, purpose=fields.pop("purpose", Purpose.FLATTEN),
        reduce_only=fields.pop("reduce_only", True),
    )  # fmt: skip


def passes(one: Fuse, request: OrderRequest, now_ns: int = 0) -> bool:
    return one.screen(place(request), now_ns)[0] is not None


def blown(now_ns: int = 0) -> Fuse:
    one = fuse()
    assert not passes(one, order(qty="801", px="0.0001"), now_ns)
    assert one.tripped is not None
    one.told = True
    return one


# -- single orders


@pytest.mark.parametrize(
    ("request_", "rule"),
    [
        (order(px="0.5", qty="200"), None),  # exactly 100
        (order(px="0.5", qty="201"), "max_order_notional: one order of 100.50 > 100.00"),
        (order(px="0.50001", qty="200"), "max_order_notional"),
        (order(px="0.1", qty="800"), None),
        (order(px="0.1", qty="800.00000001"), "max_position: one order of 800.00000001 > 800"),
        (order(Side.SELL, px="0.99", qty="800"), None),  # a sale locks nothing
        (order(Side.SELL, px="0.99", qty="801"), "max_position"),
        (order(Side.BUY, px="60000", qty="0.001", market=PERP), None),
        (order(Side.SELL, px="60000", qty="0.002", market=PERP), "max_order_notional: one order of 120.00"),
        (flattening(px="0.9", qty="5000"), None),  # an exit: nobody can sell what is not held
        (flattening(Side.BUY, px="0.9", qty="800"), None),  # the complement of a whole position
        (flattening(Side.BUY, px="0.9", qty="801"), "max_position"),
        (flattening(Side.SELL, px="60000", qty="3", market=PERP), None),
        (flattening(Side.BUY, px="60000", qty="3", market=PERP), None),
        (flattening(px="0.9", qty="5000", reduce_only=False), "max_position"),
        (flattening(px="0.9", qty="5000", purpose=Purpose.HEDGE), "max_position"),
    ],
)
def test_largest_order(request_: OrderRequest, rule: str | None) -> None:
    one = fuse()
    passed, news = one.screen(place(request_), 0)
    if rule is None:
        assert (passed, news, one.tripped) == (place(request_), [], None)
        return
    assert passed is None
    assert one.tripped is not None
    assert one.tripped.startswith(rule)
    tripped, refused = news
    assert tripped == FuseTripped(HYPERLIQUID, one.tripped)
    assert isinstance(refused, SendRefused)
    assert (refused.client_ids, refused.action) == ((request_.client_id,), SentAction.PLACE)
    assert one.tripped in refused.reason


@pytest.mark.parametrize("field", ["orders_per_s", "notional_per_min", "order_notional", "order_qty"])
def test_limits_are_positive(field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        fuse(**{field: 0})


# -- windows


@pytest.mark.parametrize(
    ("at_ns", "passes_"),
    [
        ((0, 0, 0, 0, 0), True),
        ((0, 0, 0, 0, 0, 0), False),
        ((0, 0, 0, 0, 0, NS_PER_S - 1), False),
        ((0, 0, 0, 0, 0, NS_PER_S), True),  # an order exactly a second old counts no longer
        ((0, 1, 1, 1, 1, NS_PER_S, NS_PER_S), False),
        ((0, 1, 1, 1, 1, NS_PER_S, NS_PER_S + 1), True),
        ((5 * NS_PER_S, 0, 0, 0, 0, 0), False),  # a clock that steps back forgets nothing
    ],
)
def test_orders_in_any_second(at_ns: tuple[int, ...], passes_: bool) -> None:
    one = fuse()
    *before, last = at_ns
    for now_ns in before:
        assert passes(one, order(qty="1"), now_ns)
    assert passes(one, order(qty="1"), last) is passes_
    assert (one.tripped is None) is passes_


@pytest.mark.parametrize(
    ("spent", "passes_"),
    [
        (((0, "100"),) * 10, True),
        ((*((0, "100"),) * 10, (0, "0.00000001")), False),
        ((*((0, "100"),) * 10, (MINUTE - 1, "1")), False),
        ((*((0, "100"),) * 10, (MINUTE, "100")), True),
        (((0, "100"), *((1, "100"),) * 9, (MINUTE, "100"), (MINUTE, "1")), False),
        (((0, "100"), *((1, "100"),) * 9, (MINUTE, "100"), (MINUTE + 1, "100")), True),
    ],
)
def test_collateral_in_any_minute(spent: tuple[tuple[int, str], ...], passes_: bool) -> None:
    one = fuse(orders_per_s=1_000)
    *before, last = spent
    for now_ns, qty in before:
        assert passes(one, order(px="1", qty=qty), now_ns)
    assert passes(one, order(px="1", qty=last[1]), last[0]) is passes_


def test_an_amended_purchase_counts_in_full_each_time() -> None:
    one, bid = fuse(), order(px="0.5", qty="200")
    amends = AmendOrders(HYPERLIQUID, (amend_of(bid, 7, "0.5", "200"),))
    for second in range(10):
        assert one.screen(amends, second * NS_PER_S)[0] == amends
    passed, news = one.screen(amends, 10 * NS_PER_S)
    assert passed is None
    assert one.tripped == "max_notional_per_min: 1100.00 in a minute > 1000.00"
    assert news[-1] == SendRefused(
        (bid.client_id,), SentAction.AMEND, f"fuse tripped ({one.tripped}): only cancels and sales pass"
    )


def test_sales_of_tokens_count_as_orders_not_as_notional() -> None:
    one = fuse(notional_per_min=Cash(1))
    assert collateral(order(Side.SELL)) == 0
    for _ in range(5):
        assert passes(one, order(Side.SELL))
    assert not passes(one, order(Side.SELL))
    assert one.tripped == "max_orders_per_s: 6 orders in a second > 5"


def test_a_batch_passes_up_to_the_limit() -> None:
    one = fuse()
    orders = tuple(order(qty="1") for _ in range(8))
    passed, news = one.screen(place(*orders), 0)
    assert passed == place(*orders[:5])
    assert news[-1] == SendRefused(
        tuple(one.client_id for one in orders[5:]), SentAction.PLACE,
        "fuse tripped (max_orders_per_s: 6 orders in a second > 5): only cancels and sales pass",
    )  # fmt: skip
    assert (one.passed, one.refused) == (5, 3)


@given(
    st.lists(
        st.tuples(st.integers(0, NS_PER_S // 2), st.integers(1, 120), st.sampled_from(["buy", "sell", "exit"])),
        max_size=120,
    )
)
def test_no_window_ever_holds_more_than_allowed(steps: list[tuple[int, int, str]]) -> None:
    """Whatever is asked for: what passed obeys both windows, wherever they are laid, and never grows the memory."""
    one, now_ns = fuse(notional_per_min=Cash(parse("300"))), 0
    sent: list[tuple[int, int]] = []
    for gap_ns, qty, kind in steps:
        now_ns += gap_ns
        request = flattening(qty=str(qty)) if kind == "exit" else order(Side[kind.upper()], "0.5", str(qty))
        if passes(one, request, now_ns):
            sent.append((now_ns, 0 if kind == "exit" else collateral(request)))
    for start, _ in sent:
        assert sum(start <= at < start + NS_PER_S for at, _ in sent) <= 5
        assert sum(spent for at, spent in sent if start <= at < start + MINUTE) <= parse("300")
    assert len(one._orders) <= 5
    assert len(one._notional) <= 5 * 60


# -- tripped


def test_it_stays_tripped_and_keeps_its_first_reason() -> None:
    one = blown()
    first = one.tripped
    for now_ns in (1, NS_PER_S, MINUTE, 1_000 * MINUTE):
        assert not passes(one, order(qty="1"), now_ns)
        assert one.tripped == first
    assert one.word == f"tripped: {first}"
    assert fuse().word == "ok"


def test_tripped_it_lets_exits_pass_at_its_rate_and_nothing_else() -> None:
    one = blown()
    batch = (order(), flattening(qty="9000"), order(Side.SELL), flattening(Side.BUY), flattening(Side.BUY, market=PERP))
    passed, news = one.screen(place(*batch), 10 * NS_PER_S)
    assert passed == place(batch[1], batch[4])
    assert len(news) == 1
    for _ in range(3):
        assert passes(one, flattening(), 10 * NS_PER_S)
    assert not passes(one, flattening(), 11 * NS_PER_S - 1)
    assert passes(one, flattening(), 11 * NS_PER_S)


def test_too_many_exits_wait_but_do_not_trip_it() -> None:
    one = fuse()
    for _ in range(5):
        assert passes(one, flattening())
    passed, news = one.screen(place(flattening()), 0)
    assert passed is None
    assert one.tripped is None
    assert [type(item) for item in news] == [SendRefused]
    assert passes(one, order(qty="1"), NS_PER_S)


def test_the_news_is_repeated_until_it_is_told() -> None:
    one = fuse()
    huge = order(qty="801", px="0.0001")

    def kinds() -> list[type[Input]]:
        return [type(item) for item in one.screen(PlaceOrders(HYPERLIQUID, (huge,)), 0)[1]]

    assert kinds() == [FuseTripped, SendRefused]
    assert kinds() == [FuseTripped, SendRefused]
    one.told = True
    assert kinds() == [SendRefused]
