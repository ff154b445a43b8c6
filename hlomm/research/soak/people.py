"""The operator: starts what is down, resumes what is halted, and now and then does something for no reason.

He comes by once in a while and does what a careful person would: nothing while the guardian acts, nothing on a venue
that does not answer.
"""

from __future__ import annotations

import random
from typing import Final

from hlomm.domain.faults import ConfigError
from hlomm.domain.inputs import OperatorAction, OperatorCommand
from hlomm.domain.outputs import HaltState
from hlomm.research.soak.timeline import S
from hlomm.research.soak.weather import Fault
from hlomm.research.soak.world import World
from hlomm.settings.load import load

ROUND_S: Final = 45.0
ACTOR: Final = "uid 1000 from 192.0.2.7"


class Operator:
    def __init__(self, world: World, rng: random.Random) -> None:
        self._world = world
        self._rng = rng
        self.resumed = 0
        self.restarts = 0

    def start(self) -> None:
        self._later()

    def _later(self) -> None:
        self._world.timeline.after(round(self._rng.uniform(0.5, 1.5) * ROUND_S * S), self._round)

    def _round(self) -> None:
        world = self._world
        if world.over:
            return
        self._later()
        process = world.process
        if process is None:
            if not world.guardian_acts and self._config_is_fine():
                self.restarts += 1
                world.boot()
            return
        state = process.engine.state
        if process.halt is HaltState.HALTED and process.up:
            if process.tripped or process.journal_dead:
                process.stop("a restart is due")
            else:
                self.resumed += 1
                self.say(OperatorAction.RESUME)
        elif state.strategy_faults or state.paused:
            for strategy in (*state.strategy_faults, *state.paused):
                self.say(OperatorAction.UNPAUSE, target=strategy)

    def _config_is_fine(self) -> bool:
        """Somebody saved half a configuration: the daemon refuses to start, and says why."""
        if self._world.weather.take(Fault.CONFIG_BROKEN) is None:
            return True
        try:
            load("sim", (), ["limits.max_position='many'"], environ={})
        except ConfigError:
            return False
        self._world.checks.found("config", "a broken configuration was accepted")
        return True

    def say(self, action: OperatorAction, *, target: str = "") -> None:
        process = self._world.process
        if process is not None:
            process.inside.mine(process.feed)(
                [OperatorCommand(action=action, actor=ACTOR, reason="soak", target=target)]
            )
