"""Tiers of tests: cheap, and with the misfortunes that a tier can have. They are found by name, as real ones are."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import time
from collections.abc import Sequence

import attrs

from hlomm.research.recording import Recording
from hlomm.research.tiers import Outcome, Point
from hlomm.settings.load import Loaded

GAMMA = "strategy.avellaneda.gamma"
HALF = "strategy.avellaneda.min_half_spread"
BLOCKS = 48


def outcome(returns: Sequence[float]) -> Outcome:
    return Outcome(
        pnl=sum(returns), fees=0.5, volume=1000.0, fills=60, quotes=100, max_drawdown=1.0, inventory_max=9.0,
        returns=tuple(returns),
    )  # fmt: skip


def drawn(recording: Recording, point: Point, blocks: int = BLOCKS) -> list[float]:
    """Noise that is the same for the same settings on the same market, everywhere."""
    text = recording.outcome.id + ",".join(f"{key}={point[key]}" for key in sorted(point))
    rng = random.Random(hashlib.sha256(text.encode()).digest())
    return [rng.gauss(0.0, 1.0) for _ in range(blocks)]


class Noise:
    """No skill, whatever the settings."""

    name = "noise"
    keys = None

    def one(self, recording: Recording, point: Point) -> Outcome:
        return outcome(drawn(recording, point))

    def evaluate(
        self, recording: Recording, loaded: Loaded, points: Sequence[Point], *, block_s: float
    ) -> list[Outcome]:
        del loaded, block_s
        return [self.one(recording, point) for point in points]


class Edge(Noise):
    """Skill at one value of gamma."""

    def one(self, recording: Recording, point: Point) -> Outcome:
        skill = 2.0 if point[GAMMA] == "0.004" else 0.0
        return outcome([each + skill for each in drawn(recording, point)])


class Deadly(Noise):
    """Its process does not survive gamma 0.003."""

    def one(self, recording: Recording, point: Point) -> Outcome:
        if point[GAMMA] == "0.003":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().one(recording, point)


class DeadlyOnce(Noise):
    """As `Deadly`, but only while the file that an environment variable names does not exist."""

    def one(self, recording: Recording, point: Point) -> Outcome:
        if point[GAMMA] == "0.003":
            path = os.environ["HLOMM_TEST_DIED"]
            if not os.path.exists(path):  # noqa: PTH110
                os.close(os.open(path, os.O_CREAT))
                os.kill(os.getpid(), signal.SIGKILL)
        return super().one(recording, point)


class Stillborn(Noise):
    """Its process does not live to see a set."""

    def __init__(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Raising(Noise):
    """Gamma 0.003 ends in an exception."""

    def one(self, recording: Recording, point: Point) -> Outcome:
        if point[GAMMA] == "0.003":
            raise ZeroDivisionError("gamma is unlucky")
        return super().one(recording, point)


class Broken(Noise):
    """Numbers that cannot be: at gamma 0.003 none at all, at 0.004 blocks that are not the result."""

    def one(self, recording: Recording, point: Point) -> Outcome:
        made = super().one(recording, point)
        if point[GAMMA] == "0.003":
            return outcome([*made.returns, float("nan")])
        return attrs.evolve(made, pnl=made.pnl + 1.0) if point[GAMMA] == "0.004" else made


class Hopeless(Noise):
    def one(self, recording: Recording, point: Point) -> Outcome:
        raise RuntimeError("there is no such market")


class Hanging(Noise):
    """Gamma 0.003 never comes back."""

    def one(self, recording: Recording, point: Point) -> Outcome:
        while point[GAMMA] == "0.003":
            time.sleep(60)
        return super().one(recording, point)


class Slow(Noise):
    """Long enough to be killed in the middle of."""

    def one(self, recording: Recording, point: Point) -> Outcome:
        time.sleep(0.02)
        return super().one(recording, point)


class Agreeing(Noise):
    """One that has to agree with the engine, and does. Gamma 0.003 it leaves to the engine."""

    def one(self, recording: Recording, point: Point) -> Outcome:
        made = super().one(recording, point)
        return attrs.evolve(made, left="it may halt") if point[GAMMA] == "0.003" else made

    def difference(self, recording: Recording, loaded: Loaded, point: Point) -> str | None:
        del recording, loaded
        assert point[GAMMA] != "0.003", "there is nothing of its own to compare"
        return None


class Differing(Agreeing):
    """The same, but one decision is not the engine's."""

    def difference(self, recording: Recording, loaded: Loaded, point: Point) -> str | None:
        del recording, loaded, point
        return "decision 3: the kernel has none, the engine a cancel"
