"""Names and order of journal segments.

One run writes `<epoch_ms>-<number>.journal`; a closed segment may be compressed to `.journal.gz`. Names sort by
run and number. The first segment of a run starts with its Booted input.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import attrs

_NAME: Final = re.compile(r"(?P<epoch>[0-9]{13})-(?P<number>[0-9]{6})\.journal(?P<packed>\.gz)?", re.ASCII)


@attrs.frozen(order=True)
class Segment:
    epoch_ms: int
    number: int
    packed: bool = attrs.field(default=False, order=False)

    @property
    def name(self) -> str:
        return f"{self.epoch_ms:013d}-{self.number:06d}.journal" + (".gz" if self.packed else "")


def parse_name(name: str) -> Segment | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return Segment(int(match["epoch"]), int(match["number"]), match["packed"] is not None)


def latest_run(names: Iterable[str]) -> list[Segment]:
    """Segments of the newest run, as `run_of`."""
    known = list(names)
    newest = max((segment.epoch_ms for segment in map(parse_name, known) if segment is not None), default=None)
    return [] if newest is None else run_of(known, newest)


def run_of(names: Iterable[str], epoch_ms: int) -> list[Segment]:
    """Segments of one run, in order; an unpacked one wins over its packed twin."""
    by_number: dict[int, Segment] = {}
    for segment in map(parse_name, names):
        if segment is None or segment.epoch_ms != epoch_ms:
            continue
        if segment.number not in by_number or not segment.packed:
            by_number[segment.number] = segment
    return [by_number[number] for number in sorted(by_number)]
