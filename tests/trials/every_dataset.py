"""Every recorded folder with books as a table: `python -m tests.trials.every_dataset DATA OUT [NAME…]`.

Each is imported by `hlomm import` and run by `hlomm backtest`, whole, in two processes with different seeds of Python's
hashes: both must come to the same digest. Figures are of the first. Without names all are run; the largest takes some
minutes and three gigabytes. Ends with 3 if anything is not as the table of `tests.support.datasets` says.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from tests.support.datasets import WITH_BOOKS, Books

WITHIN_S: Final = 1_800
HEAD: Final = (
    f"{'data':<26} {'markets':>7} {'inputs':>9} {'books':>9} {'turns':>9} {'books/s':>8} {'digest':<16}  traded"
)


def hlomm(seed: int, *arguments: str | Path) -> str:
    """What a command prints; CalledProcessError if it fails."""
    environment = {
        "PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(Path.cwd()), "LANG": "C.UTF-8",
        "HOME": os.environ.get("HOME", ""), "PYTHONHASHSEED": str(seed),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "hlomm.cli.main", *map(str, arguments)], env=environment, text=True, capture_output=True,
        check=True, timeout=WITHIN_S,
    )  # fmt: skip
    return done.stdout


def run(data: Path, out: Path, name: str) -> tuple[str, list[str]]:
    """A row of the table, and what is not as it should be."""
    known, store = WITH_BOOKS[name], out / name
    if not store.exists():
        hlomm(1, "import", known.kind, data / name, "--out", store)
    typed = ("backtest", store, "--no-bracket", "--out", out, "--json")
    first, second = (json.loads(hlomm(seed, *typed)) for seed in (1, 2))
    wrong = (
        [f"{name}: digest {second['digest']} after {first['digest']}"] if first["digest"] != second["digest"] else []
    )
    wrong += (f"{name}: {what}" for what in _differs(known, first))
    return _row(name, first), wrong


def _differs(known: Books, document: dict[str, Any]) -> Iterable[str]:
    if document["invariant_breaks"]:
        yield f"{document['invariant_breaks']} broken invariants"
    found = document["data"]["events"], document["data"]["book_events"]
    if found != (known.events, known.books):
        yield f"{found} inputs and books, not {(known.events, known.books)}"
    if (why := _why(document)) != known.why:
        yield f"reasons {why}, not {known.why}"
    if bool(document["quotes"]) is bool(known.why):
        yield f"{document['quotes']} quotes"


def _why(document: dict[str, Any]) -> dict[str, int]:
    return dict(Counter(one["why"] for one in document.get("heard", {}).values()))


def _row(name: str, document: dict[str, Any]) -> str:
    data, turns = document["data"], document["turns"]
    books = data["book_events"]
    speed = f"{books / document['cpu_s']:,.0f}"
    why = "; ".join(f"{count} x {what}" for what, count in _why(document).items())
    traded = f"no: {why}" if why else f"{document['quotes']} quotes, {document['fills']} fills"
    markets = len(document.get("heard", ())) or 1
    counts = f"{markets:>7,} {data['events']:>9,} {books:>9,} {turns:>9,} {speed:>8}"
    return f"{name:<26} {counts} {document['digest']:<16}  {traded}"


def table(data: Path, out: Path, names: Iterable[str]) -> tuple[list[str], list[str]]:
    rows, wrong = [HEAD], list[str]()
    for name in names:
        row, found = run(data, out, name)
        rows.append(row)
        wrong += found
    return rows, wrong


def main(data: str, out: str, *names: str) -> int:
    rows, wrong = table(Path(data), Path(out), names or WITH_BOOKS)
    sys.stdout.write("\n".join([*rows, *wrong]) + "\n")
    return 3 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
