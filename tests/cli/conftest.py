"""Commands as processes, the way people and scripts use them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

ENVIRONMENT = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(Path.cwd()), "LANG": "C.UTF-8", "COLUMNS": "100"}


@attrs.frozen
class Done:
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@attrs.define(eq=False)
class Hlomm:
    home: Path
    started: list[subprocess.Popen[str]] = attrs.field(factory=list)

    def environment(self) -> dict[str, str]:
        return {**ENVIRONMENT, "HOME": str(self.home), "XDG_STATE_HOME": str(self.home / "state")}

    def __call__(self, *arguments: str | Path, timeout: float = 60) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "hlomm.cli.main", *map(str, arguments)], env=self.environment(), check=False,
            capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "hlomm.cli.main", *map(str, arguments)], env=self.environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.started.append(process)
        return process

    def until(self, what: Callable[[], Any], within_s: float = 30.0) -> Any:
        """Poll a process from outside: the only place where tests wait in real time."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            if found := what():  # each look is a process of its own, so this does not spin
                return found
        raise AssertionError(f"did not happen within {within_s} s")


@pytest.fixture
def hlomm(tmp_path: Path) -> Iterator[Hlomm]:
    tool = Hlomm(tmp_path)
    yield tool
    for process in tool.started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        process.communicate()
