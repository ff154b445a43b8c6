"""Where the daemons of one terminal are, and by which names a person tells them apart. No Textual, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOST: Final = 8
"""Daemons in one terminal: as many as there are keys 1 to 8."""


@dataclass(frozen=True)
class Place:
    socket: Path
    name: str = ""
    """Empty where there is only one."""
    options: str = ""
    """What names it to every other command: `--state-dir /var/lib/hlomm/btc`."""


def names(sockets: Sequence[Path]) -> list[str]:
    """The directories they lie in, with as many of those above as it takes to tell them apart."""
    parts = [path.parent.parts for path in sockets]
    depth = 1
    while depth < max(map(len, parts), default=0):
        counts = Counter(each[-depth:] for each in parts)
        if max(counts.values()) == 1:
            break
        depth += 1
    return ["/".join(each[-depth:]) for each in parts]
