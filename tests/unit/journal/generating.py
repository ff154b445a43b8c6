"""Values of every type that a journal may hold, made from the types themselves: a new type needs no new example."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import strategies as st

from hlomm.domain.inputs import Input
from hlomm.domain.outputs import Output
from hlomm.domain.times import Now
from hlomm.journal.codec import InputRecord, Record, TurnRecord

INPUTS: tuple[type[Any], ...] = typing.get_args(Input)
OUTPUTS: tuple[type[Any], ...] = typing.get_args(Output)
RECORDS: tuple[type[Any], ...] = typing.get_args(Record)

LONGEST_EACH = 4
NOW = Now(1_000_000_000, 1_795_000_000_000_000_000)


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Every value of a type, for the kinds of types that records are made of; TypeError for another kind."""
    if isinstance(kind, typing.NewType):
        return any_of(kind.__supertype__)
    if kind is None or kind is types.NoneType:
        return st.none()
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(-(1 << 63), (1 << 63) - 1)
    if kind is str:
        return st.text(max_size=12)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return st.sampled_from(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return st.builds(kind, **{field.name: any_of(field.type) for field in msgspec.structs.fields(kind)})
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return st.one_of(*map(any_of, typing.get_args(kind)))
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)
        if inner[-1] is ...:
            return st.lists(st.deferred(lambda: any_of(inner[0])), max_size=LONGEST_EACH).map(tuple)
        return st.tuples(*map(any_of, inner))
    raise TypeError(f"no values are known for {kind!r}: teach them here")


def one_of_each(kind: Any) -> Any:
    """One plain value of a type, with every optional part present and every sequence filled."""
    if isinstance(kind, typing.NewType):
        return one_of_each(kind.__supertype__)
    if kind is bool:
        return True
    if kind is int:
        return 7
    if kind is str:
        return "x"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next(iter(kind))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind(**{field.name: one_of_each(field.type) for field in msgspec.structs.fields(kind)})
    inner = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        return tuple(one_of_each(part) for part in inner if part is not ...)
    assert typing.get_origin(kind) in (typing.Union, types.UnionType), kind
    return next(one_of_each(part) for part in inner if part is not types.NoneType)


def record_of(kind: type[Any]) -> Record:
    """A record that holds one value of an input or output type, or is of that record type itself."""
    value = one_of_each(kind)
    if kind in INPUTS:
        return InputRecord(3, NOW, value)
    if kind in OUTPUTS:
        return TurnRecord(3, NOW, (1 << 64) - 1, (value,))
    assert isinstance(value, RECORDS)
    return value


def paths(raw: Any, at: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Where values stand in nested arrays, the arrays themselves included."""
    yield at
    if isinstance(raw, list):
        for index, part in enumerate(raw):
            yield from paths(part, (*at, index))


def replaced(raw: Any, at: tuple[int, ...], new: Any) -> Any:
    """A copy with the value at a path exchanged."""
    if not at:
        return new
    copy = list(raw)
    copy[at[0]] = replaced(raw[at[0]], at[1:], new)
    return copy
