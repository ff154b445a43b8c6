"""The page: one HTML file that holds everything it needs and asks nobody for anything.

plotly.js is embedded from the installed package. A content security policy forbids every load and every script but the
two of this file, by their digests, so that a name from a venue could not run even if it were not escaped; it is.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from hlomm.domain.faults import UsageError
from hlomm.research.report.contents import Contents
from hlomm.research.report.drawing import Figure
from hlomm.research.report.page_style import SCRIPT, STYLE

INSTALL: Final = "the page needs plotly: `pip install plotly`, or this checkout with `pip install '.[report]'`"
_CONFIG: Final = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": ["sendDataToCloud"]}


def plotly_js() -> str:
    """plotly.js as the installed package brings it; UsageError where there is none."""
    try:
        from plotly.offline import get_plotlyjs  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise UsageError(INSTALL) from None
    # No text of a script may end it.
    return str(get_plotlyjs()).replace("</script", "<\\/script")


def page(contents: Contents) -> str:
    """The whole file."""
    library = plotly_js()
    body = "".join(_body(contents))
    data = _data(contents)
    policy = (
        f"default-src 'none'; script-src {_digest(library)} {_digest(SCRIPT)}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>hlomm report · {_text(contents.name)} · {_text(contents.source)}</title>\n"
        f"<style>{STYLE}</style></head><body>\n{body}\n"
        f'<script type="application/json" id="figures">{data}</script>\n'
        f"<script>{library}</script>\n<script>{SCRIPT}</script>\n</body></html>\n"
    )


def _body(contents: Contents) -> Iterable[str]:
    tag = _text(contents.source)
    yield '<header><div class="top"><h1>hlomm report</h1>'
    yield f'<span class="tag tag-{tag}">source: {tag}</span></div><dl class="facts">'
    for name, value in contents.facts:
        yield f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>"
    yield "</dl>"
    if not contents.sound:
        yield '<p class="alarm">The data are damaged or do not replay as recorded: this is what precedes it.</p>'
    yield f'<ul class="told">{"".join(f"<li>{_text(line)}</li>" for line in contents.told)}</ul></header><main>'
    yield '<section><h2>Key figures</h2><div class="tiles">'
    for tile in contents.tiles:
        mood = f" {tile.mood}" if tile.mood else ""
        yield f'<div class="tile"><span class="name">{_text(tile.name)}</span><span class="value{mood}">'
        yield f'{_text(tile.value)}</span><span class="detail">{_text(tile.detail)}</span></div>'
    yield "</div></section>"
    for section in contents.sections:
        yield f"<section><h2>{_text(section.title)}</h2>"
        if section.text:
            yield f"<p>{_text(section.text)}</p>"
        for line in section.missing:
            yield f'<p class="missing">{_text(line)}</p>'
        if section.choice:
            yield from _choice(section.figures)
        else:
            for figure in section.figures:
                yield _slot(figure)
        for table in section.tables:
            yield _table(table.title, table.head, table.rows, table.empty)
        yield "</section>"
    yield f"</main><footer>{''.join(f'<p>{_text(line)}</p>' for line in contents.footer)}</footer>"


def _slot(figure: Figure) -> str:
    return (
        f'<figure><div class="plot" data-key="{_text(figure.key)}" style="min-height:{figure.height}px"></div>'
        f"<figcaption>{_text(figure.note)}</figcaption></figure>"
    )


def _choice(figures: Sequence[Figure]) -> Iterable[str]:
    """One place for many figures, with a list to choose from."""
    if not figures:
        return
    yield '<label class="choice">market <select id="choice">'
    for figure in figures:
        yield f'<option value="{_text(figure.key)}">{_text(figure.title)} — {_text(figure.brief)}</option>'
    yield "</select></label>"
    yield f'<figure><div class="plot" id="chosen" data-key="{_text(figures[0].key)}" '
    yield f'style="min-height:{figures[0].height}px"></div><figcaption id="chosen-note"></figcaption></figure>'


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> str:
    if not rows:
        return f'<h3>{_text(title)}</h3><p class="missing">{_text(empty)}</p>'
    top = "".join(f"<th>{_text(cell)}</th>" for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    table = f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"
    return f'<h3>{_text(title)}</h3><div class="wide">{table}</div>'


def _data(contents: Contents) -> str:
    figures: dict[str, Any] = {
        figure.key: {**figure.document(), "note": figure.note} for part in contents.sections for figure in part.figures
    }
    made = json.dumps({"figures": figures, "config": _CONFIG}, allow_nan=False, separators=(",", ":"))
    return made.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _text(value: object) -> str:
    return html.escape(str(value), quote=True)
