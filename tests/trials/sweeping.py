"""A sweep with a tier of tests as a process of its own: `python -m tests.trials.sweeping DATA OUT TIER WHERE`.

The command line offers real tiers only, and a real one takes seconds per set. Everything else is what `hlomm sweep`
runs. WHERE is a number of processes, or the address of a Dask scheduler.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hlomm.cli import sweep
from hlomm.cli.options import reporting
from hlomm.research.sweep import job
from hlomm.research.sweep.axes import Asked, axis
from hlomm.research.sweep.judge import Rules
from hlomm.research.sweep.summary import Asking
from tests.unit.research.sweep import tiers
from tests.unit.research.sweep.tiers import GAMMA, HALF

ASKED = Asked(axes=(axis(f"{GAMMA}=0.001:0.04:40"), axis(f"{HALF}=0.0001:0.0025:25")))
SETS = 1000


@reporting
def main(data: str, out: str, tier: str, where: str) -> int:
    job.TIERS["queue"] = f"{tiers.__name__}:{tier}"
    local = where.isdecimal()
    loaded = sweep.only_strategy("avellaneda", "sim", (), ())
    return int(
        sweep.sweep_command(
            (Path(data),), loaded=loaded, asked=ASKED, tier="queue", block_s=60.0, out=Path(out), as_json=True,
            where=sweep.Where(jobs=int(where) if local else None, scheduler=None if local else where, point_s=60.0),
            asking=Asking(rules=Rules()),
        )
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
