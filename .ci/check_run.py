"""Hold the summary of a simulated run to what it must show."""

import json
import sys
from pathlib import Path

summary = json.loads(Path(sys.argv[1]).read_text())
wrong = [
    what
    for what, holds in {
        "no order was placed": summary["orders_placed"] > 0,
        "orders were left at the venue": summary["venue_open_orders"] == 0,
        "an invariant broke": summary["invariant_breaks"] == 0,
        "the run did not end stopped": summary["halt"]["state"] == "stopped",
    }.items()
    if not holds
]
sys.stdout.write(json.dumps(summary) + "\n")
sys.exit("; ".join(wrong) or 0)
