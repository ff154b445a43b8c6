"""Real processes that crash: one that saw to it leaves no core."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from hlomm.rundir import hardening

CRASH = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
HARDENED = f"from hlomm.rundir.hardening import no_core_dumps; assert no_core_dumps() == (); {CRASH}"


def crash(code: str, folder: Path) -> int:
    """How the process ended: CLD_KILLED or CLD_DUMPED."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        process = subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=environment)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    process.wait()
    assert ended is not None
    return ended.si_code


STATE = """
import ctypes, resource
from hlomm.rundir.hardening import no_core_dumps
PR_GET_DUMPABLE = 3
before = ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)
assert no_core_dumps() == ()
print(before, ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))
"""


def test_the_kernel_is_told_so(tmp_path: Path) -> None:
    """Also where this machine would keep no core anyway."""
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, "-c", STATE], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["1", "0", "0", "0"], done.stderr


def test_a_process_with_keys_leaves_no_core(tmp_path: Path) -> None:
    assert crash(HARDENED, tmp_path) == os.CLD_KILLED
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_had_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError("not permitted")

    monkeypatch.setattr(hardening.resource, "setrlimit", refused)
    monkeypatch.setattr(hardening.ctypes, "CDLL", refused)
    assert hardening.no_core_dumps() == ("core limit: not permitted", "prctl: not permitted")
