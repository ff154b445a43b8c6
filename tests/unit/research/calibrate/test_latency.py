"""Delays of which the truth is known, whatever the clocks say."""

from __future__ import annotations

import numpy as np
import pytest

from hlomm.domain.ids import HYPERLIQUID, ClientId, VenueOrderId
from hlomm.domain.inputs import OrderClosed, OrderOpened
from hlomm.domain.markets import Leg
from hlomm.domain.orders import AmendRequest, OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import AmendOrders, PlaceOrders
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import SCALE, Px, Qty
from hlomm.research.calibrate.latency import AGREED, CLOSE, MEASURED, SAMPLES_MAX, SHIFTED, Clocks, own
from hlomm.research.calibrate.latency import feed as feeds
from hlomm.research.calibrate.series import Stamped
from hlomm.research.journal_recording import Own
from tests.unit.store.making import OUTCOME, T0

AHEAD_MS = 250
"""The venue's clock, of ours."""


def news(delays_ns, ahead_ms=0):
    return [
        Stamped(venue=HYPERLIQUID, received_ns=T0 + i + int(delay), exchange_ns=T0 + i + ahead_ms * NS_PER_MS)
        for i, delay in enumerate(delays_ns)
    ]


def feed(stamped, clocks, venue):
    return feeds([(stamped, clocks)], venue)


def drawn(count=5_000):
    return np.random.default_rng(1).lognormal(np.log(120e6), 0.4, count)


def test_the_distribution_is_that_of_the_delays_once_the_clocks_are_brought_together():
    delays = drawn()
    found = feed(news(delays, AHEAD_MS), Clocks.of([(T0, HYPERLIQUID, AHEAD_MS)]), HYPERLIQUID)
    assert found.clock == "as measured"
    assert found.n == len(delays)
    assert len(found.samples_ns) == SAMPLES_MAX
    assert list(found.samples_ns) == sorted(found.samples_ns)
    assert (found.samples_ns[0], found.samples_ns[-1]) == (int(delays.min()), int(delays.max()))
    for name, q in (("p10", 0.1), ("p50", 0.5), ("p99", 0.99)):
        assert found.quantiles()[name] == pytest.approx(np.quantile(delays, q), rel=0.01)


def test_one_wild_measurement_of_the_clock_changes_nothing():
    skews = [(T0 + i, HYPERLIQUID, AHEAD_MS + (3_000 if i == 4 else 0)) for i in range(9)]
    assert (
        feed(news(drawn(), AHEAD_MS), Clocks.of(skews), HYPERLIQUID).samples_ns
        == feed(news(drawn(), AHEAD_MS), Clocks.of(skews[:1]), HYPERLIQUID).samples_ns
    )


def test_a_clock_that_drifts_is_followed():
    skews = [(T0 + i * 1_000, HYPERLIQUID, 400 + i) for i in range(100)]
    clocks = Clocks.of(skews)
    assert clocks.ahead_ns(HYPERLIQUID, T0 + 50_500) == pytest.approx(450 * NS_PER_MS)
    assert clocks.ahead_ns("kalshi", T0) == 0


def test_a_difference_that_one_request_cannot_tell_from_none_is_left_alone():
    close = Clocks.of([(T0 + i, HYPERLIQUID, -60) for i in range(9)])
    assert feed(news(drawn()), close, HYPERLIQUID).samples_ns == feed(news(drawn()), Clocks(), HYPERLIQUID).samples_ns
    assert feed(news(drawn()), close, HYPERLIQUID).clock == CLOSE


def test_clocks_nobody_measured_are_taken_to_agree_unless_that_cannot_be():
    assert feed(news(drawn()), Clocks(), HYPERLIQUID).clock == AGREED
    behind = feed(news(drawn(), AHEAD_MS), Clocks(), HYPERLIQUID)
    assert behind.clock == SHIFTED
    assert behind.samples_ns[0] == 0
    span = behind.samples_ns[-1] - behind.samples_ns[0]
    assert span == int(drawn().max()) - int(drawn().min())


def test_what_arrives_before_it_happened_counts_as_nothing_and_is_told():
    found = feed(news([10e6] * 75 + [-5e6] * 25), Clocks.of([(T0, HYPERLIQUID, 0)]), HYPERLIQUID)
    assert found.samples_ns[0] == 0
    assert "25 % came out below 0" in found.clock


def test_every_recording_has_clocks_of_its_own():
    ahead = news(drawn(), AHEAD_MS), Clocks.of([(T0, HYPERLIQUID, AHEAD_MS)])
    agreeing = news(drawn()), Clocks()
    both = feeds([ahead, agreeing], HYPERLIQUID)
    assert both.n == 2 * len(drawn())
    assert both.samples_ns[0] == int(drawn().min())
    assert both.quantiles()["p50"] == pytest.approx(np.median(drawn()), rel=0.01)
    assert both.clock == "; ".join(sorted((MEASURED, AGREED)))


def test_too_few_are_refused():
    found = feed(news([1e6] * 19), Clocks(), HYPERLIQUID)
    assert found.samples_ns == ()
    assert found.document() == {
        "samples_ns": [], "quantiles_ns": {}, "n": 19, "clock": AGREED, "refused": "19 stamped, 20 are needed",
    }  # fmt: skip


def orders(count, entry_ms, response_ms):
    """Orders placed, then amended once, on a venue whose clock is ahead."""
    sent, heard = [], []
    for i in range(count):
        client_id, at = ClientId(f"0x{i:x}"), T0 + i * 10_000 * NS_PER_MS
        for number in range(2):
            sent_ns = at + number * 5_000 * NS_PER_MS
            rests_ns = sent_ns + entry_ms[i] * NS_PER_MS
            oid = VenueOrderId(f"{i}-{number}")
            shared = {
                "client_id": client_id, "market": OUTCOME, "leg": Leg.YES, "side": Side.BUY, "px": Px(SCALE // 2),
                "qty": Qty(SCALE), "tif": Tif.ALO,
            }  # fmt: skip
            sent.append(
                (sent_ns, AmendOrders(HYPERLIQUID, (AmendRequest(venue_order_id=oid, **shared),))) if number
                else (sent_ns, PlaceOrders(HYPERLIQUID, (OrderRequest(purpose=Purpose.QUOTE, **shared),)))
            )  # fmt: skip
            stamp = rests_ns // NS_PER_MS + AHEAD_MS
            answered = rests_ns + response_ms[i] * NS_PER_MS
            for ns, ms in ((answered, 0), (answered + 40 * NS_PER_MS, stamp)):
                heard.append(
                    (ns, OrderOpened(client_id=client_id, venue_order_id=oid, leaves=None, venue_ms=ms))
                )  # fmt: skip
    return Own(sent=tuple(sent), news=tuple(heard))


def test_entry_and_response_of_own_orders():
    rng = np.random.default_rng(2)
    entry_ms, response_ms = rng.integers(150, 400, 200), rng.integers(60, 200, 200)
    clocks = Clocks.of([(T0, HYPERLIQUID, AHEAD_MS)])
    entry, response = own([(orders(200, entry_ms.tolist(), response_ms.tolist()), clocks, HYPERLIQUID)])
    assert (entry.n, response.n) == (400, 400)
    assert entry.samples_ns == tuple(sorted(np.repeat(entry_ms, 2) * NS_PER_MS))
    assert response.samples_ns == tuple(sorted(np.repeat(response_ms, 2) * NS_PER_MS))


def test_clocks_move_time_between_entry_and_response_and_not_their_sum():
    made = orders(50, [200] * 50, [100] * 50)
    right = own([(made, Clocks.of([(T0, HYPERLIQUID, AHEAD_MS)]), HYPERLIQUID)])
    wrong = own([(made, Clocks.of([(T0, HYPERLIQUID, AHEAD_MS - 30)]), HYPERLIQUID)])
    assert wrong[0].samples_ns[0] - right[0].samples_ns[0] == 30 * NS_PER_MS
    for one in (right, wrong):
        assert one[0].samples_ns[0] + one[1].samples_ns[0] == 300 * NS_PER_MS


def test_an_order_that_was_refused_or_never_stamped_says_nothing():
    made = orders(30, [200] * 30, [100] * 30)
    unstamped = [(ns, item) for ns, item in made.news if not item.venue_ms]
    assert own([(Own(sent=made.sent, news=tuple(unstamped)), Clocks(), HYPERLIQUID)])[0].n == 0
    ended = [
        (ns, OrderClosed(client_id=item.client_id, venue_order_id=None, status="rejected", filled=None, venue_ms=0))
        for ns, item in made.news
    ]
    assert own([(Own(sent=made.sent, news=tuple(ended)), Clocks(), HYPERLIQUID)])[0].n == 0
