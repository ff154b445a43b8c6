"""What may load what: the store and the views live without Textual, the command line without the terminal."""

from __future__ import annotations

import subprocess
import sys

import pytest


def loaded(statement: str, module: str) -> bool:
    code = f"{statement}; import sys; print({module!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip() == "True"


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement",
    [
        "import hlomm.cli.main",
        "import tui.client, tui.state, tui.formats, tui.starting",
        "from tui.views import activity, consequence, holdings, ladder, markets, money, nobody, truth, venues, why",
        "from tui.views import hedge, inventory, payoff, plot",
        "from tui.views import apart, edges, pairs",
    ],
)
def test_textual_is_not_loaded(statement: str) -> None:
    assert not loaded(statement, "textual")


@pytest.mark.slow
def test_the_terminal_loads_no_trading() -> None:
    assert not loaded("import tui.app", "hlomm.engine")
    assert not loaded("import tui.app", "trio")
