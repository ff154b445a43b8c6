"""The faults of each venue under one set of names, and the weather as one venue feels it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from hlomm.domain.ids import KALSHI, POLYMARKET, VenueId
from hlomm.research.soak.weather import Fault, Weather


@attrs.frozen(kw_only=True)
class Own:
    """What may go wrong at one venue; None where the venue knows no such thing."""

    away: Fault
    """Nothing passes."""
    stream_lost: Fault
    requests_fail: Fault
    """Requests are answered with an error page, carried out or not."""
    answer_lost: Fault
    """An order is carried out, its answer never comes."""
    arrives_late: Fault
    """An order is carried out long after it was given up, or nearly so; its answer never comes."""
    leg_missed: Fault
    """Everybody else withdraws in the moment before a leg arrives."""
    refused: Fault
    fill_late: Fault
    fill_twice: Fault
    fill_lost: Fault
    paused: Fault
    fee: Fault
    tick: Fault
    rules: Fault
    minimum: Fault | None = None


OWN: Final[Mapping[VenueId, Own]] = {
    POLYMARKET: Own(
        away=Fault.PM_AWAY, stream_lost=Fault.PM_STREAM_LOST, requests_fail=Fault.PM_REQUESTS_FAIL,
        answer_lost=Fault.PM_ANSWER_LOST, arrives_late=Fault.PM_ARRIVES_LATE, leg_missed=Fault.PM_LEG_MISSED,
        refused=Fault.PM_REFUSED, fill_late=Fault.PM_FILL_LATE, fill_twice=Fault.PM_FILL_TWICE,
        fill_lost=Fault.PM_FILL_LOST, paused=Fault.PM_PAUSED, fee=Fault.PM_FEE_CHANGED, tick=Fault.PM_TICK_CHANGED,
        rules=Fault.PM_RULES_CHANGED, minimum=Fault.PM_MINIMUM_CHANGED,
    ),
    KALSHI: Own(
        away=Fault.KALSHI_AWAY, stream_lost=Fault.KALSHI_STREAM_LOST, requests_fail=Fault.KALSHI_REQUESTS_FAIL,
        answer_lost=Fault.KALSHI_ANSWER_LOST, arrives_late=Fault.KALSHI_ARRIVES_LATE,
        leg_missed=Fault.KALSHI_LEG_MISSED, refused=Fault.KALSHI_REFUSED, fill_late=Fault.KALSHI_FILL_LATE,
        fill_twice=Fault.KALSHI_FILL_TWICE, fill_lost=Fault.KALSHI_FILL_LOST, paused=Fault.KALSHI_PAUSED,
        fee=Fault.KALSHI_FEE_CHANGED, tick=Fault.KALSHI_TICK_CHANGED, rules=Fault.KALSHI_RULES_CHANGED,
    ),
}  # fmt: skip


class VenueWeather(Weather):
    """The same switchboard under the names that network and lines use; what a venue does not have never happens."""

    def __init__(self, weather: Weather, own: Own) -> None:
        self.tally = weather.tally
        self._all = weather
        self._names: dict[Fault, tuple[Fault, ...]] = {
            Fault.DNS_LOSS: (own.away, Fault.DNS_LOSS),  # a host without a route reaches nobody
            Fault.HTTP_5XX: (own.requests_fail,),
        }

    def strength(self, fault: Fault) -> float | None:
        own = self._now(fault)
        return None if own is None else self._all.strength(own)

    def take(self, fault: Fault) -> float | None:
        own = self._now(fault)
        return None if own is None else self._all.take(own)

    def hit(self, fault: Fault) -> None:
        own = self._now(fault)
        if own is not None:
            self._all.hit(own)

    def _now(self, fault: Fault) -> Fault | None:
        """Which of the venue's own that is, if it would happen now."""
        return next((one for one in self._names.get(fault, ()) if self._all.strength(one) is not None), None)


def armed(own: Own) -> dict[Fault, tuple[float, int]]:
    """Those that are armed and happen where their occasion arises: longest seconds, how often at most."""
    return {
        own.away: (240, 1 << 30), own.requests_fail: (150, 30), own.answer_lost: (3600, 2), own.arrives_late: (3600, 2),
        own.leg_missed: (3600, 3), own.refused: (1800, 3), own.fill_late: (3600, 3), own.fill_twice: (3600, 6),
        own.fill_lost: (3600, 2), own.paused: (1800, 1),
    }  # fmt: skip


PAIR_FAULTS: Final[dict[Fault, tuple[float, int]]] = {
    Fault.HL_LEG_MISSED: (3600, 3),
    Fault.DEATH_MID_PAIR: (7200, 1),
    Fault.GUARDIAN_DEATH_MID_PAIR: (7200, 1),
    Fault.PM_TRADE_FAILED: (3600, 2),
    Fault.PM_TRADE_STUCK: (3600, 3),
    Fault.PM_HEARTBEAT_LOST: (120, 6),
}
