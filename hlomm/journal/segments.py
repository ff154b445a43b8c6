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
    """Segments of the newest run, in order; an unpacked one wins over its packed twin."""
    segments = [segment for segment in map(parse_name, names) if segment is not None]
    if not segments:
        return []
    epoch = max(segment.epoch_ms for segment in segments)
    by_number: dict[int, Segment] = {}
    for segment in segments:
        if segment.epoch_ms == epoch and (segment.number not in by_number or not segment.packed):
            by_number[segment.number] = segment
    return [by_number[number] for number in sorted(by_number)]
