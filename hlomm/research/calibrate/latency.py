"""How long news takes to reach us, orders to reach the venue, and answers to come back; in nanoseconds.

- feed: receive time less the venue's stamp, of every book, touch and print that has one; what is older than
  `recording.MAX_PRINT_AGE_NS` when it comes is history with which a subscription begins, and left out.
- entry: from the moment at which the engine sent an order (or changed one) to the venue's stamp of it resting.
- response: from that stamp to the first thing we heard of it.

The venue's stamps are brought onto our clock first: less the difference between the clocks as measured (`skew` rows of
a store, `ClockSkew` of a journal). One measurement errs by up to half a round trip, so the median of the `_AROUND`
nearest is taken, and a difference within `DOUBT_NS` is not told from none and left alone. What still arrives before it
happened counts as 0, and how often is told. Where nobody measured, clocks are taken to agree; if that makes news arrive
before it happened, the fastest message is taken to have taken no time, and the figures are a lower bound. All that is
told (`Latency.clock`). Entry and response err by the same amount in opposite directions, and so do feed and entry:
those sums hold whatever the clocks say. Times against a simulator are the venue's.
"""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import attrs
import numpy as np

from hlomm.domain.ids import ClientId, VenueId, VenueOrderId
from hlomm.domain.inputs import OrderOpened
from hlomm.domain.outputs import AmendOrders, PlaceOrders
from hlomm.domain.times import NS_PER_MS
from hlomm.research.calibrate.series import Ints, Stamped
from hlomm.research.journal_recording import Own

SAMPLES_MAX: Final = 2_000
"""Order statistics kept of a distribution, evenly chosen, its ends among them."""
SAMPLES_MIN: Final = 20
_NEVER: Final = 2**62
_AROUND: Final = 9
"""Measurements of a clock that one value is made of: some four minutes of a run."""
QUANTILES: Final = (0.0, 0.1, 0.5, 0.9, 0.99, 1.0)
DOUBT_NS: Final = 100 * NS_PER_MS
"""Half of a slow request's round trip; clocks kept by NTP differ by far less."""
MEASURED: Final = "as measured"
CLOSE: Final = f"measured, and within {DOUBT_NS // NS_PER_MS} ms of each other: taken to agree"
AGREED: Final = "never measured: taken to agree"
SHIFTED: Final = "never measured, and behind the venue's: the fastest message is taken to have taken no time"


@attrs.frozen(kw_only=True)
class Latency:
    name: str
    n: int
    samples_ns: tuple[int, ...]
    clock: str
    refused: str = ""

    def quantiles(self) -> dict[str, int]:
        if not self.samples_ns:
            return {}
        return {f"p{100 * q:g}": _quantile(self.samples_ns, q) for q in QUANTILES}

    def document(self) -> dict[str, Any]:
        """What `hlomm backtest` reads: `samples_ns` in order; empty where there were too few."""
        return {
            "samples_ns": list(self.samples_ns), "quantiles_ns": self.quantiles(), "n": self.n, "clock": self.clock,
            "refused": self.refused,
        }  # fmt: skip


@attrs.define(eq=False)
class Clocks:
    """By how much each venue's clock was ahead of ours."""

    _known: dict[str, tuple[list[int], list[int]]] = attrs.field(factory=dict)

    @classmethod
    def of(cls, skews: Iterable[tuple[int, str, int]]) -> Clocks:
        """Of (ns, venue, ms ahead)."""
        clocks = cls()
        for ns, venue, ms in sorted(skews):
            times, ahead = clocks._known.setdefault(venue, ([], []))
            times.append(ns)
            ahead.append(ms * NS_PER_MS)
        for _, ahead in clocks._known.values():
            medians = [_median_around(ahead, at) for at in range(len(ahead))]
            ahead[:] = [ns if abs(ns) > DOUBT_NS else 0 for ns in medians]
        return clocks

    def said(self, venue: str) -> str:
        """How well they are known."""
        if venue not in self._known:
            return AGREED
        return MEASURED if any(self._known[venue][1]) else CLOSE

    def ahead_ns(self, venue: str, at_ns: int) -> int:
        """As measured around that time; 0 where it never was."""
        if venue not in self._known:
            return 0
        times, ahead = self._known[venue]
        return ahead[max(bisect_right(times, at_ns) - 1, 0)]


def _median_around(values: Sequence[int], at: int) -> int:
    first = min(max(at - _AROUND // 2, 0), max(len(values) - _AROUND, 0))
    return round(statistics.median(values[first : first + _AROUND]))


def feed(parts: Sequence[tuple[Sequence[Stamped], Clocks]], venue: str) -> Latency:
    """Of one venue: two venues' news travel different ways. Each recording has clocks of its own."""
    all_delays, said = [np.zeros(0, dtype=np.int64)], set()
    for stamped, clocks in parts:
        delays = np.array(
            [
                one.received_ns - one.exchange_ns + clocks.ahead_ns(venue, one.received_ns)
                for one in stamped if one.venue == venue
            ],
            dtype=np.int64,
        )  # fmt: skip
        if not len(delays):
            continue
        clock = clocks.said(venue)
        if clock == AGREED and int(delays.min()) < 0:
            clock, delays = SHIFTED, delays - delays.min()
        said.add(clock)
        all_delays.append(delays)
    return _latency("feed", np.concatenate(all_delays), "; ".join(sorted(said)) or AGREED)


def own(runs: Iterable[tuple[Own, Clocks, VenueId]]) -> tuple[Latency, Latency]:
    """(entry, response) of all orders of ours that the venue stamped."""
    trips = [trip for own, clocks, venue in runs for trip in _trips(own, clocks, venue)]
    clock = "; ".join(sorted({said for _, _, said in trips})) or AGREED
    return (
        _latency("entry", np.array([entry for entry, _, _ in trips], dtype=np.int64), clock),
        _latency("response", np.array([response for _, response, _ in trips], dtype=np.int64), clock),
    )


def _trips(own: Own, clocks: Clocks, venue: VenueId) -> Iterator[tuple[int, int, str]]:
    """(entry, response, how well the clocks are known) of every order that came to rest.

    The venue gives a new id to every order and every change of one, so what a send led to is the first id that was
    heard of after it; where the next change was sent before that, nobody can tell.
    """
    heard: dict[ClientId, dict[VenueOrderId, tuple[int, int]]] = {}
    for ns, item in own.news:
        if isinstance(item, OrderOpened):
            ids = heard.setdefault(item.client_id, {})
            first_ns, stamp = ids.get(item.venue_order_id, (ns, 0))
            ids[item.venue_order_id] = first_ns, stamp or item.venue_ms
    sent: dict[ClientId, list[int]] = {}
    for ns, client_id in _sent(own):
        sent.setdefault(client_id, []).append(ns)
    for client_id, times in sent.items():
        for sent_ns, next_ns in zip(times, [*times[1:], _NEVER], strict=True):
            answers = ((ns, ms) for ns, ms in heard.get(client_id, {}).values() if ns > sent_ns)
            answer_ns, stamp = min(answers, default=(_NEVER, 0))
            if not stamp or answer_ns > next_ns:
                continue
            rests_ns = stamp * NS_PER_MS - clocks.ahead_ns(venue, answer_ns)
            yield rests_ns - sent_ns, answer_ns - rests_ns, clocks.said(venue)


def _sent(own: Own) -> Iterator[tuple[int, ClientId]]:
    for ns, output in own.sent:
        match output:
            case PlaceOrders(orders=requests) | AmendOrders(amends=requests):
                for request in requests:
                    yield ns, request.client_id


def _latency(name: str, delays: Ints, clock: str) -> Latency:
    if len(delays) < SAMPLES_MIN:
        reason = f"{len(delays)} stamped, {SAMPLES_MIN} are needed"
        return Latency(name=name, n=len(delays), samples_ns=(), clock=clock, refused=reason)
    early = int((delays < 0).sum())
    if early:
        clock += f"; {100 * early / len(delays):.0f} % came out below 0, taken as 0"
    told = np.sort(np.maximum(delays, 0))
    chosen = told if len(told) <= SAMPLES_MAX else told[np.linspace(0, len(told) - 1, SAMPLES_MAX).round().astype(int)]
    return Latency(name=name, n=len(delays), samples_ns=tuple(int(ns) for ns in chosen), clock=clock)


def _quantile(ordered: Sequence[int], q: float) -> int:
    return ordered[round(q * (len(ordered) - 1))]
