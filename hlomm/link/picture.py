"""One picture of the daemon as bytes that fit a frame: what is too much is left out, and the picture says how much."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.report import EngineReport, MarketRow, PositionRow, Snapshot
from hlomm.link.protocol import MAX_FRAME

PICTURE_MAX: Final = MAX_FRAME - (1 << 20)
"""Bytes of a snapshot in a frame; the last MiB of it is for the log, the settings and the market that is looked at."""
_KEEP: Final = 100
"""Rows of a table below which it is cut only when all the others are that short."""

_ENCODER: Final = msgspec.msgpack.Encoder()

Rank = Callable[[Any], int]


def market_rank(row: MarketRow) -> int:
    """What we have something in comes first, then what may be quoted, then what is only listed; settled ones last."""
    if row.own_bid is not None or row.own_ask is not None or row.yes or row.no:
        return 0
    if row.settled is not None:
        return 3
    return 1 if row.strategy else 2


def _position_rank(row: PositionRow) -> int:
    return 0 if row.settled is None and (row.yes or row.no) else 1


def _same(row: object) -> int:
    del row
    return 0


_TABLES: Final[Mapping[str, Rank]] = {
    "markets": market_rank, "links": _same, "sets": _same, "scenarios": _same, "baskets": _same, "markouts": _same,
    "strategies": _same, "recent_fills": _same, "hedges": _same, "positions": _position_rank, "orders": _same,
}  # fmt: skip
"""Tables that grow, in the order in which they are cut. The sums beside them are of everything, whatever is cut."""


def shortened(rows: Sequence[Any], rank: Rank, most: int) -> tuple[Any, ...]:
    """The `most` rows that matter most, in the order in which they were."""
    if len(rows) <= most:
        return tuple(rows)
    first = sorted(range(len(rows)), key=lambda at: rank(rows[at]))[:most]
    return tuple(rows[at] for at in sorted(first))


def encode_picture(snapshot: Snapshot, room: int = PICTURE_MAX) -> msgspec.Raw:
    """MessagePack of at most `room` bytes. ProtocolViolation if it is longer even without any row that may be cut."""
    body = _ENCODER.encode(snapshot)
    for floor in (_KEEP, 0):
        for name, rank in _TABLES.items():
            while len(body) > room:
                rows: Sequence[Any] = getattr(snapshot.engine, name)
                if len(rows) <= floor:
                    break
                snapshot = _without(snapshot, name, rank, max(floor, _fitting(rows, len(body) - room)))
                body = _ENCODER.encode(snapshot)
    if len(body) > room:
        raise ProtocolViolation("oversized", f"a picture of {len(body)} bytes exceeds {room}")
    return msgspec.Raw(body)


def _fitting(rows: Sequence[Any], excess: int) -> int:
    """How many of them to keep so that about so many bytes go; at least one goes."""
    size = len(_ENCODER.encode(rows))
    return min(len(rows) - 1, max(len(rows) * (size - excess) // size, 0))


def _without(snapshot: Snapshot, name: str, rank: Rank, most: int) -> Snapshot:
    engine: EngineReport = snapshot.engine
    rows = getattr(engine, name)
    left_out = {**engine.left_out, name: engine.left_out.get(name, 0) + len(rows) - most}
    changed = {name: shortened(rows, rank, most), "left_out": left_out}
    return msgspec.structs.replace(snapshot, engine=msgspec.structs.replace(engine, **changed))


def left_out_text(engine: EngineReport) -> str:
    """What a picture does not show, for people; empty where it shows everything."""
    counts = [f"{count} of {name.replace('_', ' ')}" for name, count in engine.left_out.items()]
    return f"rows left out, too many for one picture: {', '.join(counts)}" if counts else ""
