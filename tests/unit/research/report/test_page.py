"""The page holds everything, asks nobody for anything, and no name from a venue can do more than be read."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import attrs
import msgspec
import plotly.graph_objects as go
import polars as pl
import pytest

from hlomm.domain.edge_rows import IncomeRow
from hlomm.domain.ids import VenueId
from hlomm.domain.units import SCALE, Cash
from hlomm.research.report.contents import Contents, contents
from hlomm.research.report.drawing import Figure
from hlomm.research.report.gather import Gathered
from hlomm.research.report.page import page, plotly_js
from hlomm.research.report.page_style import SCRIPT, STYLE
from hlomm.research.report.source import Source

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)> \"quoted' &amp; <a href='http://evil.example'>b</a>"
LOADING = ("src", "href", "action", "data", "poster", "srcset", "background", "formaction", "http-equiv", "ping")


class Reader(HTMLParser):
    """What a browser would make of the page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.scripts[-1] += data
        elif "style" not in self._open:
            self.text.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader


def figures_of(whole: Contents) -> list[Figure]:
    return [figure for section in whole.sections for figure in section.figures]


@pytest.fixture(scope="module")
def whole(gathered: Gathered) -> Contents:
    return contents(gathered)


@pytest.fixture(scope="module")
def made(whole: Contents) -> str:
    return page(whole)


def renamed(gathered: Gathered) -> Gathered:
    """The same run with markets, groups, alerts, reasons and a profile's version named by somebody who means harm."""
    tables = {
        name: frame.with_columns(pl.lit(EVIL).alias(column))
        for name, column in (("quotes", "ticker"), ("fills", "ticker"), ("standings", "venue"))
        if len(frame := gathered.tables[name]) >= 0
    }
    return attrs.evolve(
        gathered, tables={**gathered.tables, **tables}, alerts={("info", EVIL): 1}, told=[*gathered.told, EVIL],
        name=EVIL, boot=msgspec.structs.replace(gathered.boot, version=EVIL),
        final=msgspec.structs.replace(gathered.final, reason=EVIL),
    )  # fmt: skip


def test_every_picture_is_one_that_plotly_knows_and_has_the_tag(whole: Contents) -> None:
    figures = figures_of(whole)
    keys = [figure.key for figure in figures]
    assert len(set(keys)) == len(keys)
    assert {"result", "split", "equity", "drawdown", "inventory", "markout-p", "markout-tau", "calibration",
            "surface-band", "surface-odds", "surface-inefficiency"} <= set(keys)  # fmt: skip
    assert sum(key.startswith("market:") for key in keys) >= 3
    for figure in figures:
        document = figure.document()
        go.Figure(data=document["data"], layout=document["layout"], frames=document["frames"])  # refuses what is none
        assert document["layout"]["title"]["text"].endswith("source: sim"), figure.key
        assert document["data"], figure.key


def test_a_wrong_figure_would_be_refused() -> None:
    with pytest.raises(ValueError, match="Invalid"):
        go.Figure(data=[{"type": "scatter", "moed": "lines"}])


@pytest.mark.parametrize("source", list(Source))
def test_the_tag_is_the_datas(gathered: Gathered, source: Source) -> None:
    told = contents(attrs.evolve(gathered, source=source))
    assert all(f.layout["title"]["text"].endswith(f"source: {source}") for f in figures_of(told))
    reader = read(page(told))
    assert f"source: {source}" in reader.text


def test_the_page_says_what_it_is_of(gathered: Gathered, made: str) -> None:
    text = "\n".join(read(made).text)
    boot = gathered.boot
    for said in ("source: sim", "profile", boot.profile, "seed", boot.version, gathered.name, "identical",
                 f"{gathered.final.fills}", "add up to the change of equity, to the last unit", "sampled every 1 s",
                 "points are", "settled contracts", "pairs across venues", "drawdown", "within-bin"):  # fmt: skip
        assert said in text, said


def test_nothing_is_loaded_from_anywhere(made: str) -> None:
    reader = read(made)
    for tag, attributes in reader.tags:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form", "img", "video", "audio", "source"}
        assert not {name for name in attributes if name.startswith("on")}, tag
        if tag != "meta":
            assert not set(attributes) & set(LOADING), tag
    assert not re.search(r"@import|url\(", STYLE)
    assert not re.search(r"https?:|fetch\(|XMLHttpRequest|WebSocket|import\(", SCRIPT)
    (policy,) = [
        attributes["content"]
        for _, attributes in reader.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert rules["default-src"] == "'none'", "so nothing may be fetched, framed or connected to"
    assert "http" not in policy
    assert "unsafe-eval" not in policy
    assert rules["script-src"].count("sha256-") == 2
    assert "unsafe-inline" not in rules["script-src"]


def test_three_scripts_and_the_library_is_whole(made: str) -> None:
    reader = read(made)
    assert [attributes for tag, attributes in reader.tags if tag == "script"] == [
        {"type": "application/json", "id": "figures"}, {}, {},
    ]  # fmt: skip
    assert reader.scripts[1] == plotly_js()
    assert reader.scripts[2] == SCRIPT
    held = json.loads(reader.scripts[0])
    assert set(held) == {"figures", "config"}
    slots = {attributes["data-key"] for _, attributes in reader.tags if "data-key" in attributes}
    options = {attributes["value"] for tag, attributes in reader.tags if tag == "option"}
    assert slots | options == set(held["figures"]), "every figure has a place, every place a figure"


def test_a_name_that_means_harm_is_only_read(gathered: Gathered) -> None:
    told = contents(renamed(gathered))
    text = page(told)
    reader, plain = read(text), read(page(contents(gathered)))
    counts: list[dict[str, int]] = []
    for one in (reader, plain):
        tags = [tag for tag, _ in one.tags]
        counts.append({tag: tags.count(tag) for tag in ("script", "img", "a", "style", "meta", "section")})
    assert counts[0] == counts[1]
    assert EVIL in "".join(reader.text), "it is still told, as text"
    assert "<script>alert" not in text
    for string in strings(json.loads(reader.scripts[0])):
        assert "<script" not in string, "plotly.js reads tags in its texts"
        assert "<a " not in string
    assert any("&lt;script&gt;" in string for string in strings(json.loads(reader.scripts[0])["figures"]))


def strings(value: Any) -> list[str]:
    """Texts that plotly.js draws: all but notes, which the page puts in as text, and keys."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for one in value for text in strings(one)]
    if isinstance(value, dict):
        return [text for key, one in value.items() if key != "note" for text in strings(one)]
    return []


def test_a_gap_is_null_and_no_number_is_none(made: str) -> None:
    held = read(made).scripts[0]
    assert "NaN" not in held
    assert "Infinity" not in held


def test_a_run_that_never_traded_has_a_page(gathered: Gathered) -> None:
    empty = attrs.evolve(
        gathered, tables={name: frame.clear() for name, frame in gathered.tables.items()}, settled={}, configs={},
        markets={}, alerts={},
    )  # fmt: skip
    told = contents(empty)
    assert not figures_of(told)
    said = [line for section in told.sections for line in section.missing]
    assert len(said) >= 7
    assert "no account was ever open: there is no result" in page(told)


def test_estimated_income_is_told_apart_from_the_result(gathered: Gathered) -> None:
    row = IncomeRow(venue=VenueId("polymarket"), rebates=Cash(3 * SCALE), scoring=1, quoted=2, per_day=Cash(5 * SCALE))
    plain, told = contents(gathered), contents(attrs.evolve(gathered, income=[row]))
    (grid,) = next(section.tables for section in told.sections if section.title == "Rebates and rewards")
    assert list(grid.rows) == [["polymarket", "3.0000", "1", "2", "5.00"]]
    assert told.tiles == plain.tiles
    assert told.told == plain.told


def test_bounded_though_there_are_many_markets(gathered: Gathered) -> None:
    quotes = gathered.tables["quotes"]
    many = pl.concat([quotes.with_columns(pl.col("market") + f"-{number}") for number in range(20)])
    told = contents(attrs.evolve(gathered, tables={**gathered.tables, "quotes": many}, configs={}))
    (section,) = [one for one in told.sections if one.choice]
    assert len(section.figures) == 24
    left = many["market"].n_unique() - 24
    assert left > 0
    assert section.text.startswith(f"{left} more markets are not drawn")


def test_the_day_begins_at_midnight(gathered: Gathered) -> None:
    equity = gathered.tables["equity"]
    day_ns = 86_400 * 10**9
    midnight = (equity["wall_ns"][0] // day_ns + 1) * day_ns
    times = [midnight - 2, midnight - 1, midnight + 1, midnight + 2]
    four = equity.head(4).with_columns(
        pl.Series("wall_ns", times), pl.Series("total", [0, 5 * SCALE, 6 * SCALE, 8 * SCALE])
    )
    told = contents(attrs.evolve(gathered, tables={**gathered.tables, "equity": four}))
    tiles = {tile.name: tile.value for tile in told.tiles}
    assert (tiles["result of the day"], tiles["result of the run"]) == ("+3.00", "+8.00")
