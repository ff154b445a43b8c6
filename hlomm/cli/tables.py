"""Tables in plain text."""

from __future__ import annotations

from collections.abc import Sequence


def in_columns(head: Sequence[str], rows: Sequence[Sequence[str]], empty: str, *, gap: int = 2) -> str:
    """Columns as wide as their widest cell, `gap` spaces apart; `empty` where there are no rows."""
    if not rows:
        return empty
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
    lines = [(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in (head, *rows)]
    return "\n".join((" " * gap).join(line).rstrip() for line in lines)
