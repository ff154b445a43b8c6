"""What a day brings: drawn from the seed alone, so that a seed is a run wherever and whenever it is repeated.

Swarm testing: each run draws which faults it knows and how strong they are, because faults that always come together
hide each other. Seeds come in pairs that split the vocabulary between them, so any two neighbours cover all of it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

import attrs

from hlomm.domain.ids import HYPERLIQUID, POLYMARKET, VenueId
from hlomm.research.soak.timeline import S
from hlomm.research.soak.weather import Fault

DAY_S: Final = 86_400
FAIR_S: Final = 2_700
"""The end of every run: no faults, so that it can be seen whether quoting comes back."""
START_S: Final = 300
PER_DAY: Final = 1.2
"""Mean incidents of each chosen fault in a day."""

HANDFUL: Final = 4
"""So few faults are not split: whoever asks for them wants to see them together."""
EVERYWHERE: Final = 5
"""Of so many pairs of seeds one has a seed that quotes at Polymarket too: such a day takes three times as long."""
PAIRS_S: Final = 1_700
AT_HYPERLIQUID: Final = (
    Fault.WS_DROP, Fault.HALF_OPEN, Fault.FRAMES_TRUNCATED, Fault.FRAMES_DUPLICATED, Fault.STALLED_PING_ALIVE,
    Fault.ACK_LOST, Fault.TIMEOUT_ACCEPTED, Fault.UNKNOWN_OID_AFTER_FILL, Fault.HTTP_429, Fault.HTTP_5XX,
    Fault.SLOW_BODY, Fault.NONCE_COLLISION, Fault.AGENT_EXPIRED, Fault.BUDGET_EXHAUSTED, Fault.BOOK_EMPTY,
    Fault.BOOK_ONE_SIDED, Fault.HL_LEG_MISSED, Fault.SETTLED_LATE, Fault.CONTRACT_REMOVED,
)  # fmt: skip
LONG_DAYS: Final = 0.5
APART: Final = 0.02
LONG: Final = (("1h",), ("1d", "1h"), ("4h",), ("30m",), ("15m", "4h"))
SHORT: Final = (("15m",), ("15m", "1h"))
"""Series of contracts: a short day needs rolls too."""


@attrs.frozen
class Incident:
    at_ns: int
    fault: Fault
    strength: float


@attrs.frozen(kw_only=True)
class Plan:
    seed: int
    end_ns: int
    fair_ns: int
    """From here on the weather is fair."""
    chosen: tuple[Fault, ...]
    incidents: tuple[Incident, ...]
    periods: tuple[str, ...]
    outcome_fees: bool
    pause: bool
    """`flatten.on_disconnect`: wait instead of selling."""
    beside: bool = True
    """With Polymarket and Kalshi; else Hyperliquid alone, and no pairs."""
    everywhere: bool
    """Quotes at Polymarket too."""
    apart: float
    """Probability that the makers of a contract beside go astray at one look of theirs."""
    tight: bool
    """The product's own loss limits: a day that loses ends with reductions only."""


def faults_at(venue: VenueId) -> tuple[Fault, ...]:
    """Everything that may go wrong at one venue, and the deaths that concern pairs."""
    common = (Fault.DEATH_MID_PAIR, Fault.GUARDIAN_DEATH_MID_PAIR)
    if venue == HYPERLIQUID:
        return (*AT_HYPERLIQUID, *common)
    mark = "pm_" if venue == POLYMARKET else "kalshi_"
    return tuple(fault for fault in Fault if fault.startswith(mark) or fault in common)


def draw_pairs(seed: int, venue: VenueId, end_s: float = PAIRS_S) -> Plan:
    """A run of many pairs with every fault of one venue; nothing else goes wrong.

    Other rules suspend every link there is: that comes near the end.
    """
    rng = random.Random(f"pairs {venue} {seed}")
    chosen = faults_at(venue)
    fair_s = end_s * 0.85
    incidents = [
        Incident(round(fair_s * rng.uniform(0.85 if "rules" in fault else 0.1, 0.95) * S), fault, rng.random())
        for fault in chosen
    ]
    return Plan(
        seed=seed, end_ns=round(end_s * S), fair_ns=round(fair_s * S), chosen=chosen,
        incidents=tuple(sorted(incidents, key=lambda one: (one.at_ns, one.fault))), periods=("30m", "1h"),
        outcome_fees=rng.random() < 0.5, pause=rng.random() < 0.5, tight=False,
        everywhere=venue == POLYMARKET and seed % 4 == 0, apart=0.12,
    )  # fmt: skip


def draw(seed: int, days: float, faults: Sequence[Fault], *, beside: bool = True) -> Plan:
    """The plan of one run. `faults` is what may be chosen from."""
    pair = random.Random(f"pair {seed // 2}")
    shuffled = sorted(faults)
    pair.shuffle(shuffled)
    half = (len(shuffled) + 1) // 2
    few = len(shuffled) <= HANDFUL
    chosen = shuffled if few else shuffled[:half] if seed % 2 == 0 else shuffled[half:]
    rng = random.Random(f"plan {seed}")
    end_s = days * DAY_S
    fair_s = max(end_s - FAIR_S, end_s / 2)
    incidents = []
    for fault in chosen:
        count = max(round(rng.expovariate(1 / (PER_DAY * days))), 1)
        for _ in range(min(count, 6)):
            at_s = rng.uniform(min(START_S, fair_s / 3), fair_s * 0.9)
            incidents.append(Incident(round(at_s * S), fault, rng.random()))
    everywhere = beside and Fault.PM_HEARTBEAT_LOST in chosen and (few or seed // 2 % EVERYWHERE == 0)
    return Plan(
        seed=seed, end_ns=round(end_s * S), fair_ns=round(fair_s * S), chosen=tuple(chosen),
        incidents=tuple(sorted(incidents, key=lambda one: (one.at_ns, one.fault))),
        periods=rng.choice(LONG if days >= LONG_DAYS else SHORT),
        outcome_fees=rng.random() < 0.5, pause=rng.random() < 0.5, tight=rng.random() < 0.15,
        everywhere=everywhere, apart=APART, beside=beside,
    )  # fmt: skip
