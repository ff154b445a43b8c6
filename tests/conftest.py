"""What every test shares: how Hypothesis runs, and a world without the developer's own settings.

Profiles: `local` (default) explores, `ci` gives the same examples every time (chosen when CI is set), `deep` looks
longer. `HYPOTHESIS_PROFILE=deep pytest` chooses one; `HYPOTHESIS_DERANDOMIZE=1` makes any of them repeatable.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, settings

_DERANDOMIZE = os.environ.get("HYPOTHESIS_DERANDOMIZE", "") not in ("", "0")
_SLOW_IS_FINE = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile(
    "local",
    deadline=None,
    derandomize=_DERANDOMIZE,
    suppress_health_check=_SLOW_IS_FINE,
    print_blob=True,
    max_examples=60,
)
settings.register_profile("ci", settings.get_profile("local"), derandomize=True, database=None)
settings.register_profile("deep", settings.get_profile("local"), max_examples=1_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "local"))

SETTINGS_PREFIX = "HL_OMM__"
STATE_VARIABLES = ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")

_counter = itertools.count()


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def _own_world(_homes: Path) -> Iterator[None]:
    """No test reads the settings or the state of whoever runs it."""
    home = _homes / f"{next(_counter)}"
    with pytest.MonkeyPatch.context() as patch:  # of its own: a test's `monkeypatch.undo()` must not undo this
        for name in list(os.environ):
            if name.startswith(SETTINGS_PREFIX):
                patch.delenv(name)
        for name in STATE_VARIABLES:
            patch.setenv(name, str(home / name.removeprefix("XDG_").lower()))
        patch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
        yield


@pytest.fixture
def autojump_clock() -> Iterator[trio.testing.MockClock]:
    """Mock time that jumps ahead when nothing can run, but stands still while a thread works.

    A thread (a group commit, a compression) takes real time: without this, mock hours would pass during one fsync
    and every deadline with them.
    """
    clock = trio.testing.MockClock(autojump_threshold=0)
    run_sync, working = trio.to_thread.run_sync, 0

    async def run_in_thread(*args: Any, **options: Any) -> Any:
        nonlocal working
        working += 1
        clock.autojump_threshold = math.inf
        try:
            return await run_sync(*args, **options)
        finally:
            working -= 1
            if not working:
                clock.autojump_threshold = 0

    with pytest.MonkeyPatch.context() as patch:  # of its own: a test's `monkeypatch.undo()` would let threads race time
        patch.setattr(trio.to_thread, "run_sync", run_in_thread)
        yield clock
