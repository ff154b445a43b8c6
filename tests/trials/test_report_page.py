"""The report's page in a real browser: everything is drawn, nothing is loaded, and no name runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from hlomm.research.report.contents import contents
from hlomm.research.report.gather import from_journal
from hlomm.research.report.page import page
from tests.replay.journals import Run, write
from tests.trials.chromium import PROGRAM, Page, browsing, installed
from tests.trials.conftest import POLL_S
from tests.unit.research.report.test_page import renamed

pytestmark = [
    pytest.mark.trial,
    pytest.mark.skipif(
        installed() is None and not os.environ.get("CI"),  # there its absence is a failure
        reason=f"NOT CHECKED: the report's page in a browser (no {PROGRAM} here; .ci/run installs it)",
    ),
]

_DRAWN = "[...document.querySelectorAll('.plot')].filter(place => place.data && place.querySelector('svg')).length"
_WATCH = (
    "window.refused = []; "
    "document.addEventListener('securitypolicyviolation', (event) => window.refused.push(event.blockedURI));"
)


async def until_drawn(page_: Page, count: int) -> None:
    with trio.fail_after(60):
        while await page_.value(_DRAWN) < count:
            await page_.value(
                "(() => { const bare = [...document.querySelectorAll('.plot')].find(place => !place.data);"
                " if (bare) { bare.scrollIntoView(); } })()"
            )
            await trio.sleep(POLL_S)


async def test_the_page_draws_everything_and_loads_nothing(tmp_path: Path) -> None:
    write(tmp_path, Run().weather(2, 400).records)
    told = contents(renamed(from_journal(tmp_path, every_s=0.2, decisions=False)))
    file = tmp_path / "report.html"
    file.write_text(page(told), encoding="utf-8")
    places = sum(1 if section.choice else len(section.figures) for section in told.sections)
    assert places >= 6
    async with browsing(tmp_path / "browser", file.as_uri()) as shown:
        with trio.fail_after(40):
            while await shown.value("typeof Plotly") != "object":
                await trio.sleep(POLL_S)
        await shown.value(_WATCH)
        await until_drawn(shown, places)
        assert await shown.value("document.querySelectorAll('.tile').length") >= 10
        title = "document.querySelector('[data-key=result] .gtitle').textContent"
        assert "source: sim" in await shown.value(title)
        before = await shown.value("document.getElementById('chosen-note').textContent")
        await shown.value(
            "(() => { const list = document.getElementById('choice'); list.selectedIndex = list.options.length - 1;"
            " list.dispatchEvent(new Event('change')); })()"
        )
        assert await shown.value("document.getElementById('chosen-note').textContent") != before
        name = "document.querySelector('#chosen .gtitle').textContent"
        assert "<script>alert(1)</script>" in await shown.value(name), "as text, in the picture too"
        assert await shown.value("document.querySelectorAll('script').length") == 3
        assert await shown.value("document.querySelectorAll('main a, main img').length") == 0
        assert await shown.value("window.refused") == []
        assert shown.loaded == [], "nothing from anywhere"
        assert shown.sockets == []
