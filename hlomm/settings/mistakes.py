"""What is wrong with a tree of settings, each mistake with its key and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, Final, Literal, get_args, get_origin

import msgspec

EVENTS_FILE: Final = "events.toml"
"""Section `events`: which contracts of two venues are one event, and who says so."""


def mistakes(kind: type[msgspec.Struct], tree: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """(dotted key, what is wrong and the remedy) of every value below `prefix`."""
    if not isinstance(tree, dict):
        yield prefix.rstrip("."), f"expected a section, was {type(tree).__name__} — write [{prefix.rstrip('.')}]"
        return
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    for key in tree:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            remedy = f"did you mean {near[0]!r}?" if near else f"known keys here: {', '.join(fields)}"
            yield f"{prefix}{key}", f"unknown key — {remedy}"
    for key, expected in fields.items():
        if key not in tree:
            yield f"{prefix}{key}", "is missing — add it, or start from config/default.toml"
        elif isinstance(expected, type) and issubclass(expected, msgspec.Struct):
            yield from mistakes(expected, tree[key], f"{prefix}{key}.")
        elif (kind_of_row := _row_kind(expected)) is not None:
            yield from _mistakes_in_rows(kind_of_row, tree[key], f"{prefix}{key}")
        elif get_origin(expected) is dict and isinstance(tree[key], dict):
            yield from _mistakes_in_entries(expected, tree[key], f"{prefix}{key}")
        else:
            try:
                msgspec.convert(tree[key], expected)
            except msgspec.ValidationError as error:
                if get_origin(expected) is Literal:
                    allowed = " or ".join(repr(word) for word in get_args(expected))
                    yield f"{prefix}{key}", f"was {tree[key]!r} — write {allowed}"
                    continue
                text = str(error)
                was = f", was {tree[key]!r}" if "got" not in text else ""
                file = EVENTS_FILE if prefix.startswith("events.") else "default.toml"
                yield f"{prefix}{key}", f"{text[:1].lower()}{text[1:]}{was} — see its comment in config/{file}"


def _mistakes_in_entries(kind: Any, entries: dict[str, Any], name: str) -> Iterator[tuple[str, str]]:
    """Of a setting by names of one's own (`flatten.on_disconnect_of`): each entry may be of another layer."""
    for entry, value in entries.items():
        try:
            msgspec.convert({entry: value}, kind)
        except msgspec.ValidationError as error:
            what = str(error).partition(" - at ")[0]
            yield f"{name}.{entry}", f"{what[:1].lower()}{what[1:]} — see the comment of {name} in config/default.toml"


def _row_kind(expected: Any) -> type[msgspec.Struct] | None:
    """Kind of the rows of a list of tables (`[[events.rules]]`), None for any other value."""
    row = get_args(expected)[0] if get_origin(expected) is tuple else None
    return row if isinstance(row, type) and issubclass(row, msgspec.Struct) else None


def _mistakes_in_rows(kind: type[msgspec.Struct], rows: Any, name: str) -> Iterator[tuple[str, str]]:
    if not isinstance(rows, list):
        yield name, f"expected a list of tables, was {type(rows).__name__} — write [[{name}]]"
        return
    for number, row in enumerate(rows):
        yield from mistakes(kind, row, f"{name}[{number}].")
