"""What the daemon had before it when it decided: the input of that turn, and the market's last touch, from the journal.

Only the end of the newest segment of a run is looked through, so that a question costs the same however long a run is.
A decision from before that is told without it; `hlomm replay` and `hlomm report` have all of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from hlomm.assembly.documents import amount
from hlomm.daemon.journal_files import segments, sequence
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import BboUpdate, BookSnapshot, Booted, Input
from hlomm.journal.codec import InputRecord, Record, TurnRecord, decode
from hlomm.journal.framing import scan_end

END_BYTES: Final = 8 << 20
BACK: Final = 2_000
"""Records before a decision in which its market's touch is looked for."""
TIMER: Final = "timer"
"""A decision with no input of its own: a deadline of the engine had come."""
_AMOUNTS: Final = frozenset({"px", "qty", "yes_px", "leaves", "filled", "cash", "amount"})


@attrs.frozen
class Ends:
    """Payloads at the end of a run, by their number; numbers without a gap."""

    first: int
    payloads: Sequence[bytes]

    def record(self, seq: int) -> Record | None:
        """None beyond what was read, and for what cannot be."""
        index = seq - self.first
        if not 0 <= index < len(self.payloads):
            return None
        try:
            return decode(self.payloads[index])
        except msgspec.DecodeError:
            return None


NOTHING: Final = Ends(1, ())


def end_of_run(journal: Path, epoch_ms: int) -> Ends:
    """Blocking; OSError where the folder cannot be read."""
    open_ones = [path for segment, path in segments(journal) if segment.epoch_ms == epoch_ms and not segment.packed]
    if not open_ones:
        return NOTHING
    try:
        with open_ones[-1].open("rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - END_BYTES, 0))
            payloads = scan_end(file.read(END_BYTES))
    except FileNotFoundError:
        return NOTHING
    return Ends(sequence(payloads[0]), payloads) if payloads else NOTHING


def saw(ends: Ends, seq: int, market: str) -> dict[str, Any] | None:
    """What turn `seq` had before it; None where that is not in the part that was read."""
    decided = ends.record(seq)
    if not isinstance(decided, TurnRecord):
        return None
    before = ends.record(seq - 1)
    if before is None:
        return None
    found: dict[str, Any] = {"touch": _touch(ends, seq, MarketId(market))}
    if isinstance(before, InputRecord):
        return found | {"input": type(before.item).__name__, "seq": before.seq, "what": shown(before.item)}
    return found | {"input": TIMER, "seq": None, "what": {}}


def shown(item: Input) -> dict[str, Any]:
    """The plain fields of an input; amounts in units. The configuration that a run begins with is not among them."""
    fields = msgspec.structs.asdict(item)
    if isinstance(item, Booted):
        fields.pop("config")
    found = {name: _plain(name, value) for name, value in fields.items() if _is_plain(value)}
    return found | best(item) if isinstance(item, BookSnapshot | BboUpdate) else found


def best(item: BookSnapshot | BboUpdate) -> dict[str, Any]:
    """Best bid and offer, in YES space."""
    if isinstance(item, BookSnapshot):
        bid, ask = next(iter(item.bids), None), next(iter(item.asks), None)
    else:
        bid, ask = item.bid, item.ask
    return {"bid": _level(bid), "ask": _level(ask)}


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and name in _AMOUNTS:
        return amount(value)
    return value[:200] if isinstance(value, str) else value


def _touch(ends: Ends, seq: int, market: MarketId) -> Mapping[str, Any] | None:
    """Best bid and offer of that market when it was decided, in YES space."""
    for number in range(seq - 1, max(seq - BACK, ends.first) - 1, -1):
        record = ends.record(number)
        item = record.item if isinstance(record, InputRecord) else None
        if record is not None and isinstance(item, BookSnapshot | BboUpdate) and item.market == market:
            return {"seq": number, "wall_ms": record.now.wall_ms, **best(item)}
    return None


def _level(level: tuple[int, int] | None) -> dict[str, float] | None:
    return None if level is None else {"px": amount(level[0]), "qty": amount(level[1])}
