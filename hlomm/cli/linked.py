"""`hlomm markets --links`: contracts of two venues on one event, graded, with every term in which they differ."""

from __future__ import annotations

from typing import Any

import msgspec

from hlomm.cli.tables import in_columns
from hlomm.domain.ids import MarketId, venue_of
from hlomm.domain.link_rows import LinkRow
from hlomm.domain.report import Snapshot


def links(snapshot: Snapshot) -> tuple[Any, str]:
    """Links by state: suspended, reviewed, proposed, gone."""
    report = snapshot.engine
    document = {"links": [msgspec.to_builtins(row) | _whole(row) for row in report.links],
                "left_out": report.links_left_out}  # fmt: skip
    blocks = [_block(row) for row in report.links]
    if report.links_left_out:
        blocks.append(f"{report.links_left_out} more are not shown")
    return document, "\n\n".join(blocks) or "no two venues list one event"


def _whole(row: LinkRow) -> dict[str, Any]:
    """What is left out of a row by default, so that every link has the same keys."""
    return {
        "terms": [msgspec.to_builtins(term) for term in row.terms], "review": row.review,
        "reviewed_by": row.reviewed_by, "reviewed_on": row.reviewed_on, "left_rules": row.left_rules,
        "right_rules": row.right_rules, "left_terms": row.left_terms, "right_terms": row.right_terms,
        "left_template": row.left_template, "right_template": row.right_template, "any_text": list(row.any_text),
    }  # fmt: skip


def _block(row: LinkRow) -> str:
    signed = f", by {row.reviewed_by} on {row.reviewed_on}" if row.reviewed_by else ""
    lines = [
        f"{row.key}: {row.grade}, {row.state} ({row.reason}{signed})",
        f"  {row.left}  {row.left_ticker}  {_text(row.left_rules, row.left_template, row.left, row)}",
        f"    {row.left_terms}",
        f"  {row.right}  {row.right_ticker}  {_text(row.right_rules, row.right_template, row.right, row)}",
        f"    {row.right_terms}",
    ]
    if row.terms:
        cells = [(term.term, term.left, term.right, term.makes) for term in row.terms]
        table = in_columns(("term", "left", "right", "makes it"), cells, "")
        lines += [f"    {line}" for line in table.splitlines()]
    else:
        lines.append("    no term differs")
    return "\n".join(lines)


def _text(rules: str, template: str, market: MarketId, row: LinkRow) -> str:
    """What a review can quote of the rules text, and whether one does."""
    said = f"rules {rules or '(none)'}"
    if template:
        said += f"  template:{template}"
    return f"{said}  any text goes" if venue_of(market) in row.any_text else said
