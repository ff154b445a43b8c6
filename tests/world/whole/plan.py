"""What a seed means: the settings of a run, and which faults come when.

A swarm: each seed knows only some of the faults, so that a frequent one (a lost connection, which halts) does not hide
what others would do together.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import attrs

from hlomm.sim.config import ListingConfig, RulesConfig, SimConfig
from hlomm.sim.faults import FaultArgs, FaultName

CALM_S: Final = 8.0
"""Before the first fault: long enough to quote and to hold something."""
STORM_S: Final = 40.0
SETTLES_S: Final = 30.0
"""The first contract settles soon after; a fault of settlement that comes later misses it."""
KINDS_MAX: Final = 6
# Money that a storm loses must not end the run for the day: this is about orders, and the brakes have their own tests.
LOOSE: Final = (
    "limits.max_drawdown=1000000", "breakers.daily_loss=1000000", "breakers.drawdown_share=1.0",
    "breakers.equity_stop=1.0", "breakers.api_pause_s=15",
)  # fmt: skip


class Harm(StrEnum):
    """What comes from anywhere but the venue's own switchboard."""

    NETWORK_LOST = "network_lost"
    """Bytes vanish both ways."""
    CONNECTIONS_REFUSED = "connections_refused"
    """The sockets break, and new ones are refused."""
    KICKED = "kicked"
    """The venue closes every websocket, politely."""
    JOURNAL_FULL = "journal_full"
    SIGNAL = "signal"
    SIGNAL_TWICE = "signal_twice"
    SIGNAL_WHILE_FLATTENING = "signal_while_flattening"
    OPERATOR_KILL = "operator_kill"
    OPERATOR_FLATTEN = "operator_flatten"
    SLOW_CLIENT = "slow_client"
    """Watches, and never reads."""
    LINK_GARBAGE = "link_garbage"
    FOREIGN_ORDER = "foreign_order"
    """Somebody rests an order on our account."""
    FOREIGN_TRADE = "foreign_trade"
    """Somebody buys on our account."""


Kind = FaultName | Harm


@attrs.frozen
class Incident:
    """One fault at one time. `args.for_s` is how long a harm lasts, where that means something."""

    at_s: float
    kind: Kind
    args: FaultArgs


@attrs.frozen(kw_only=True)
class Plan:
    seed: int
    order: int
    """Seed of the order of tasks and of what travels at once."""
    sets: tuple[str, ...]
    venue: SimConfig
    incidents: tuple[Incident, ...]
    storm_s: float
    resume_s: float | None
    """How often an operator resumes what is HALTED while it storms; None: he waits for fair weather."""

    def __str__(self) -> str:
        return ", ".join(f"{one.kind.value}@{one.at_s:.1f}" for one in self.incidents)


def _times(most: int) -> Callable[[random.Random], FaultArgs]:
    return lambda rng: FaultArgs(count=rng.randint(1, most), delay_s=rng.uniform(0.5, 8.0))


def _while(least_s: float, most_s: float) -> Callable[[random.Random], FaultArgs]:
    return lambda rng: FaultArgs(
        for_s=rng.uniform(least_s, most_s), delay_s=rng.uniform(1.0, 8.0), side=rng.choice(("both", "bid", "ask"))
    )


ARGS: Final[dict[Kind, Callable[[random.Random], FaultArgs]]] = {
    FaultName.REPLY_LOST: _times(4), FaultName.REPLY_DELAYED: _times(4), FaultName.MODIFY_REORDERED: _times(4),
    FaultName.FILL_BEFORE_REPLY: _times(4), FaultName.WS_KILLED: _times(1), FaultName.WS_SILENT: _while(5, 40),
    FaultName.WS_STALLED: _while(5, 40), FaultName.FRAME_TRUNCATED: _times(5), FaultName.FRAME_DUPLICATED: _times(5),
    FaultName.FRAME_OVERSIZED: _times(1), FaultName.FRAME_GARBAGE: _times(5), FaultName.REST_429: _while(2, 15),
    FaultName.REST_500: _while(2, 15), FaultName.REST_HTML: _while(2, 15), FaultName.REST_SLOW: _while(5, 20),
    FaultName.UNKNOWN_OID: _while(10, 40), FaultName.FILLS_REPEATED: _times(2), FaultName.NONCE_REFUSED: _times(3),
    FaultName.AGENT_EXPIRED: _times(2), FaultName.MAKERS_WITHDRAWN: _while(5, 20),
    FaultName.SETTLEMENT_LATE: _times(2), FaultName.SETTLEMENT_VOID: _times(1),
    FaultName.SETTLEMENT_MISSING: _while(10, 40), FaultName.DEAD_COIN_CLOSES: _while(40, 60),
    Harm.NETWORK_LOST: _while(3, 40), Harm.CONNECTIONS_REFUSED: _while(2, 20), Harm.SLOW_CLIENT: _while(20, 40),
    Harm.FOREIGN_ORDER: _while(2, 20),
} | {
    kind: _times(1)
    for kind in (
        Harm.KICKED, Harm.JOURNAL_FULL, Harm.SIGNAL, Harm.SIGNAL_TWICE, Harm.SIGNAL_WHILE_FLATTENING,
        Harm.OPERATOR_KILL, Harm.OPERATOR_FLATTEN, Harm.LINK_GARBAGE, Harm.FOREIGN_TRADE,
    )
}  # fmt: skip
KINDS: Final = tuple(ARGS)


def draw(seed: int) -> Plan:
    rng = random.Random(f"world/{seed}")
    swarm = rng.sample(KINDS, rng.randint(2, KINDS_MAX))
    return plan(seed, *swarm, rng=rng)


def plan(seed: int, *swarm: Kind, rng: random.Random | None = None, storm_s: float = STORM_S) -> Plan:
    """The plan of a seed with a swarm of one's own choice."""
    rng = random.Random(f"world/{seed}") if rng is None else rng
    incidents = [
        Incident(
            CALM_S + rng.uniform(0.0, SETTLES_S if kind.startswith("settlement_") else storm_s), kind, ARGS[kind](rng)
        )
        for kind in swarm
        for _ in range(rng.randint(1, 2))
    ]
    volume = rng.choice((240_000, 240_000, 2_000_000))  # the last is eligible for the venue's dead-man
    return Plan(
        seed=seed,
        order=seed,
        sets=(
            *LOOSE, f"flatten.on_disconnect={rng.choice(('flatten', 'pause'))}",
            f"limits.max_resting_without_deadman={rng.choice((150, 1500))}",
        ),
        venue=SimConfig(rules=RulesConfig(prior_volume_usd=volume), listing=ListingConfig(periods=("3m", "15m"))),
        incidents=tuple(sorted(incidents, key=lambda one: one.at_s)),
        storm_s=storm_s,
        resume_s=rng.choice((None, rng.uniform(1.0, 8.0), rng.uniform(1.0, 8.0))),
    )  # fmt: skip
