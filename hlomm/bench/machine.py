"""Whose figures these are: machine, interpreter, libraries."""

from __future__ import annotations

import os
import platform
import ssl
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from hlomm import __version__

LIBRARIES: Final = (
    "trio",
    "trio-websocket",
    "websockets",
    "wsproto",
    "msgspec",
    "coincurve",
    "safe-pysha3",
    "h11",
)
"""What the hot path is made of."""


def about() -> dict[str, Any]:
    """`machine`, `python` and `versions` of every document."""
    return {
        "machine": {
            "cpu": _cpu(), "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(),
            "system": f"{platform.system()} {platform.machine()}", "memory_mb": _memory_mb(),
        },
        "python": {
            "version": platform.python_version(), "implementation": sys.implementation.name,
            "optimised": "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or ""),
        },
        "versions": {
            "hlomm": __version__, "openssl": ssl.OPENSSL_VERSION, **{name: version(name) for name in LIBRARIES},
        },
    }  # fmt: skip


def _cpu() -> str:
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _memory_mb() -> int:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemTotal"):
            return int(line.split()[1]) // 1024
    return 0


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:  # not Linux: less is known, nothing else changes
        return []


def memory_mb(pid: int | None = None) -> float:
    """Resident set of a process, this one by default; 0 where the system does not tell."""
    for line in _lines(f"/proc/{'self' if pid is None else pid}/status"):
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0
