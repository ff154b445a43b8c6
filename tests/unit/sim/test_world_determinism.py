"""Rung: whole world, in processes of their own. The same seed gives the same events, whatever the hash seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """
import hashlib
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, Tif
from hlomm.domain.units import SCALE
from hlomm.sim.config import SimConfig
from hlomm.sim.orders import NewOrder, Target
from hlomm.sim.sequencer import ActionClass
from hlomm.sim.world import World

def run(seed):
    world = World(SimConfig(), seed, 1_795_000_035 * 10**9)
    me = world.exchange.open_account("0x" + "9" * 40, "me", spot=10_000 * SCALE, perp=0)
    digest = hashlib.sha256()
    def commit(block):
        for event in block.events:
            digest.update(repr(event).encode())
        if len(world.exchange.tape.blotter_of(me).open) < 5 and block.time_ns % 7 == 0:
            market = next(iter(world.exchange.outcomes.values()))
            new = NewOrder(target=Target(market.number, Leg.YES), side=Side.BUY, ticks=30_000, lots=50, tif=Tif.GTC)
            world.submit(block.time_ns + 1, ActionClass.AGGRESSIVE, lambda: world.exchange.place(me, new))
    world.on_commit = commit
    world.advance(world.origin_ns + 70 * 10**9)
    return digest.hexdigest()

print(run(11), run(12))
"""


def run_with(hash_seed: str) -> list[str]:
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.split()


@pytest.mark.slow
def test_same_seed_same_events_in_two_processes() -> None:
    first, second = run_with("1"), run_with("2")
    assert first == second
    assert first[0] != first[1]
