"""What may be wrong with a store, and the rule that holds for each of it.

A defect is data that is wrong: a file that cannot be read, another schema, rows that contradict one another. It makes
`hlomm data check` end with 3. A note is a fact about good data: a gap, a market without settlement, a spool whose last
record a crash cut off.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

import attrs

from hlomm.domain.times import NS_PER_S
from hlomm.research.usable import GAP_MAX_NS, STEP_BACK_MAX_NS

SILENCE_NS: Final = 60 * NS_PER_S
"""A venue of which nothing came for so long, though nobody recorded a gap."""
STEP_NS: Final = NS_PER_S // 10
"""Between two rows; a clock that is slewed gains less."""
EXAMPLES_MAX: Final = 5

RULES: Final = {
    "unreadable_file": "defect: nothing that needs the file runs until it is moved away",
    "other_schema": "defect: nothing that needs the file runs; a store has one schema",
    "damaged_spool": "defect: what stands before the damage is read, the rest is lost",
    "unsorted_rows": "defect: rows are read by (run, seq), whatever their place in the file",
    "repeated_rows": "defect: of rows with one (run, seq) the first counts",
    "repeated_trades": "note: a trade id counts once; a reconnect tells trades again",
    "repeated_books": "note: a book told again with the same stamp counts again, and changes nothing",
    "crossed_books": "defect: a crossed book is dropped",
    "crossed_touches": "defect: a crossed touch is dropped",
    "disordered_levels": "defect: a book whose levels do not move away from the touch is wrong; it excludes the market",
    "unreadable_rows": "defect: a row that makes no sense excludes the market, one that cannot be read ends the run",
    "clock_backwards": (
        "defect: a time before that of the row in front is raised to it; more than"
        f" {STEP_BACK_MAX_NS / NS_PER_S:g} s excludes the market"
    ),
    "clock_steps": (
        "defect: the wall clock was set while recording, as the monotonic one tells; back by more than"
        f" {STEP_BACK_MAX_NS / NS_PER_S:g} s excludes the market"
    ),
    "gaps": f"note: more than {GAP_MAX_NS / NS_PER_S:g} s excludes the market, less lets the last book stand",
    "run_breaks": "note: nobody listened between two runs; a break longer than a gap may be excludes like a gap",
    "silences": f"note: nothing of the venue for {SILENCE_NS / NS_PER_S:g} s within a run; books age",
    "unclean_ends": "note: the recorder was killed; at most its last second is missing",
    "torn_spools": "note: the unfinished last record of a killed recorder, left out",
    "open_spools": "note: being written, or left behind; read like any other",
    "unfinished_packings": "note: files of a spool that still stands are passed over",
    "early_stamps": f"note: stamped by the venue more than {NS_PER_S / NS_PER_S:g} s after it was received",
    "unsettled_markets": "note: past their expiry without a settlement: excluded unless marks reach the expiry",
    "repeated_candles": "defect: two candles of one market and length begin together; neither may be trusted",
    "impossible_candles": "defect: a high below or a low above another price of its candle",
    "missing_candles": "note: between the first and the last; never filled in",
    "undescribed_markets": "note: rows of a market that no row describes: heard at most, never traded",
}  # fmt: skip


@attrs.define(kw_only=True)
class Finding:
    """One kind of thing, as often as it was found."""

    count: int = 0
    examples: list[str] = attrs.field(factory=list)

    def add(self, example: str, count: int = 1) -> None:
        self.count += count
        if count and len(self.examples) < EXAMPLES_MAX:
            self.examples.append(example)


@attrs.define(kw_only=True)
class Check:
    """What was found. `findings` has every kind of `RULES`, also those of which there is none."""

    root: Path
    files: int = 0
    rows: Counter[str] = attrs.field(factory=Counter)
    sources: Counter[str] = attrs.field(factory=Counter)
    schemas: Counter[str] = attrs.field(factory=Counter)
    markets: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    clocks: dict[str, dict[str, float | int | None]] = attrs.field(factory=dict)
    """By venue: measured skew and the age of what came, in ms."""
    findings: dict[str, Finding] = attrs.field(factory=lambda: {name: Finding() for name in RULES})

    @property
    def defects(self) -> list[str]:
        return [name for name, one in self.findings.items() if one.count and RULES[name].startswith("defect")]

    def document(self) -> dict[str, Any]:
        return {
            "root": str(self.root), "good": not self.defects, "files": self.files, "rows": dict(self.rows),
            "sources": dict(self.sources), "schemas": dict(self.schemas), "markets": self.markets,
            "first_ns": self.first_ns, "last_ns": self.last_ns, "clocks": self.clocks,
            "findings": {
                name: {"count": one.count, "rule": RULES[name], "examples": one.examples}
                for name, one in self.findings.items()
            },
        }  # fmt: skip
