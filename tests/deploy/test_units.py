"""The units and the container file say what the runbook promises, and systemd understands every line of them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hlomm.cli import alert_urls
from hlomm.cli.password import CREDENTIAL
from hlomm.daemon.alerts.watch import FAREWELL_S
from hlomm.daemon.guardian_process import MAKE_ROOM_S
from hlomm.domain.exits import ExitCode
from hlomm.settings.load import load
from tests.arch.scanning import ROOT

DEPLOY = ROOT / "config" / "deploy"
UNITS = ("hlomm@.service", "hlomm-metrics@.service", "hlomm-alerts@.service")
HARDENED = {
    "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "read-only", "PrivateTmp": "yes",
    "RestrictSUIDSGID": "yes", "CapabilityBoundingSet": "", "LimitCORE": "0", "UMask": "0077",
    "SystemCallFilter": "@system-service",
}  # fmt: skip


def directives(name: str) -> dict[str, list[str]]:
    """Every value of each directive, by section and name."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in (DEPLOY / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals, line
            found.setdefault(f"{section}.{key}", []).append(value)
    return found


@pytest.mark.parametrize("name", UNITS)
def test_they_are_hardened_and_nothing_stands_twice(name: str) -> None:
    found = directives(name)
    assert {key: found[f"Service.{key}"] for key in HARDENED} == {key: [value] for key, value in HARDENED.items()}
    assert not [key for key, values in found.items() if len(values) > 1]


def test_the_daemons_unit_fits_the_daemon() -> None:
    """Each of these, another way, would end a stop half way, kill the guardian, or start what must stay down."""
    unit = {key: values[0] for key, values in directives("hlomm@.service").items()}
    hard_stop_s = load("mainnet", environ={}).settings.daemon.hard_stop_s
    assert (unit["Service.Type"], unit["Service.NotifyAccess"]) == ("notify", "main")
    assert unit["Service.KillMode"] == "process", "the guardian outlives what is killed"
    assert int(unit["Service.TimeoutStopSec"]) > hard_stop_s
    assert int(unit["Service.TimeoutStartSec"]) > MAKE_ROOM_S
    assert int(unit["Service.WatchdogSec"]) >= 10
    kept_down = {int(code) for code in unit["Service.RestartPreventExitStatus"].split()}
    assert kept_down == set(ExitCode) - {ExitCode.CLEAN, ExitCode.FAULT}
    assert unit["Service.LoadCredential"].partition(":")[0] == CREDENTIAL


def test_the_alerts_unit_hands_over_what_the_alerts_read_and_may_write_nothing() -> None:
    unit = {key: values[0] for key, values in directives("hlomm-alerts@.service").items()}
    assert unit["Service.LoadCredential"].partition(":")[0] == alert_urls.CREDENTIAL
    assert unit["Service.RestartPreventExitStatus"] == str(int(ExitCode.USAGE))
    assert int(unit["Service.TimeoutStopSec"]) > FAREWELL_S
    assert "Service.ReadWritePaths" not in unit


@pytest.mark.parametrize("name", UNITS)
def test_systemd_understands_every_line(name: str, tmp_path: Path) -> None:
    """Where there is a systemd; elsewhere it is held against the directives that one has verified."""
    text = (DEPLOY / name).read_text(encoding="utf-8")
    assert {key.partition(".")[0] for key in directives(name)} == {"Unit", "Service", "Install"}
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        return
    unit = tmp_path / name.replace("@", "@sim")
    unit.write_text(text.replace("%h/.local/share/hlomm/venv/bin/hlomm", "/bin/true"))
    runtime = {"XDG_RUNTIME_DIR": str(tmp_path), "PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    def verify() -> subprocess.CompletedProcess[str]:
        command = [verifier, "--user", "--man=no", "verify", str(unit)]
        return subprocess.run(command, env=runtime, capture_output=True, text=True, check=False, timeout=60)

    done = verify()
    assert (done.returncode, done.stderr) == (0, "")
    unit.write_text(unit.read_text().replace("UMask=", "YouMask="))
    assert "YouMask" in verify().stderr, "and it would have said so"


def test_the_container_is_slim_and_nobody_in_it_is_root() -> None:
    lines = (DEPLOY / "Containerfile").read_text(encoding="utf-8").splitlines()
    last = lines[max(n for n, line in enumerate(lines) if line.startswith("FROM")) :]
    assert last[0].endswith("-slim")
    (user,) = [line for line in last if line.startswith("USER")]
    assert not user.split()[1].startswith("0")
    assert [line for line in last if line.startswith("ENTRYPOINT")] == ['ENTRYPOINT ["python", "/opt/hlomm/entry.py"]']
    assert not [line for line in lines if line.startswith("ADD")]


@pytest.mark.parametrize(("left", "answers", "code"), [(["mainnet"], "mainnet", 0), (["mainnet", "sim"], "sim", 0),
                                                       (["mainnet"], "", 1), ([], "", 1)])  # fmt: skip
def test_a_container_is_healthy_when_its_daemon_answers_whatever_its_profile(
    tmp_path: Path, left: list[str], answers: str, code: int
) -> None:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8").replace("\\\n", "")
    (check,) = [line.partition(" CMD ")[2] for line in text.splitlines() if line.startswith("HEALTHCHECK")]
    for profile in left:
        (tmp_path / "hlomm" / profile).mkdir(parents=True)
        (tmp_path / "hlomm" / profile / "hlomm.sock").touch()
    (tmp_path / "bin").mkdir()
    hlomm = tmp_path / "bin" / "hlomm"
    hlomm.write_text(f'#!/bin/sh\n[ "$*" = "status --json --socket {tmp_path}/hlomm/{answers}/hlomm.sock" ]\n')
    hlomm.chmod(0o700)
    done = subprocess.run(
        ["/bin/sh", "-c", check.replace("/state/", f"{tmp_path}/")], env={"PATH": str(tmp_path / "bin")}, check=False,
    )  # fmt: skip
    assert done.returncode == code


# -- the first process of a container

STRAGGLER = """
import os, signal, sys, time
if os.fork() == 0:  # as the guardian: it outlives whoever started it
    os.setsid(); time.sleep(0.5); os.write(1, b"the last is done\\n"); os._exit(0)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(4))
print("up", flush=True)
signal.pause()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 4), (signal.SIGKILL, 128 + signal.SIGKILL)])
def test_it_hands_signals_on_waits_for_whoever_is_left_and_ends_as_the_daemon_did(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    hlomm = tmp_path / "hlomm"
    hlomm.write_text(f"#!{sys.executable}\n{STRAGGLER}\nimport os")
    hlomm.chmod(0o700)
    entry = subprocess.Popen(
        [sys.executable, DEPLOY / "entry.py", "run"], env={"PATH": str(tmp_path)}, stdout=subprocess.PIPE, text=True
    )
    assert entry.stdout is not None
    assert entry.stdout.readline() == "up\n"
    if number is signal.SIGKILL:
        (child,) = (int(pid) for pid in Path(f"/proc/{entry.pid}/task/{entry.pid}/children").read_text().split())
        os.kill(child, number)
    else:
        entry.send_signal(number)
    out, _ = entry.communicate(timeout=20)
    assert (entry.returncode, out) == (code, "the last is done\n")
