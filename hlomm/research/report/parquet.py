"""The tables as Parquet files, for notebooks. What the columns mean stands in `hlomm.research.report.tables`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hlomm.research.report.gather import Gathered

FILES: Final = ("fills", "quotes", "equity", "decisions", "standings")


def write(gathered: Gathered, stem: Path) -> list[Path]:
    """Files `<stem>-<table>.parquet`; every row has the source tag in its first column."""
    written = []
    for name in FILES:
        path = stem.with_name(f"{stem.name}-{name}.parquet")
        gathered.tables[name].write_parquet(path)
        written.append(path)
    return written
