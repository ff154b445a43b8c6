"""The runbook's commands: those that are marked are run as written, the others are commands at least."""

from __future__ import annotations

import ast
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import click
import pytest
from apprise.manager_plugins import NotificationManager

from hlomm.cli.main import main
from hlomm.daemon.alerts.conditions import RULES
from hlomm.daemon.alerts.digest import CODE as DIGEST
from hlomm.domain.checkup import Code
from tests.arch.scanning import ROOT, files_of, source_of
from tests.cli.conftest import Hlomm, hlomm

__all__ = ["hlomm"]

TEXT = (ROOT / "config" / "deploy" / "RUNBOOK.md").read_text(encoding="utf-8")
MARKED = re.compile(r"<!-- run(?:: (\w+))? -->\n```sh\n(.*?)```", re.DOTALL)
FENCED = re.compile(r"```sh\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`(hlomm [a-z][^`]*)`")


def commands() -> Iterator[list[str]]:
    """Words after `hlomm`, of every command in a block and in the text."""
    lines = [line for block in FENCED.findall(TEXT) for line in block.splitlines()]
    for line in [*lines, *INLINE.findall(TEXT)]:
        words = shlex.split(line.partition("    #")[0])
        if words and words[0] == "hlomm":
            yield words[1:]


def parsed(words: list[str]) -> None:
    """Click's own reading of a command line, up to where it would be carried out."""
    command: click.Command = main
    context = click.Context(main, info_name="hlomm")
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        command, context = found, click.Context(found, context, name)
    command.make_context(command.name, words)


def test_every_command_in_it_is_one() -> None:
    found = list(commands())
    assert len(found) > 20
    for words in found:
        parsed(words)
    with pytest.raises(click.UsageError):
        parsed(["kill", "--why", "x"])


def test_every_alert_has_its_line() -> None:
    """Codes as they stand in the source, where they are written out, and those of the rules of `hlomm alerts`."""
    codes = {rule.code for rule in RULES} | {DIGEST, "fills", "held_back", "test"}
    for path in files_of("hlomm/engine", "hlomm/daemon"):
        for node in ast.walk(ast.parse(source_of(path))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
                "alert",
                "Alert",
            ):
                given = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "code")]
                codes |= {one.value for one in given if isinstance(one, ast.Constant)}
    assert len(codes) > 30
    told = set(
        re.findall(r"`([a-z_]+)`", "".join(line.split("|")[1] for line in TEXT.splitlines() if line.startswith("| `")))
    )
    assert codes - told == set()


def test_the_file_of_options_names_its_configuration_in_full(tmp_path: Path) -> None:
    """systemd takes what stands in an EnvironmentFile as it is: no `~`, no `$HOME`, no specifier like %h."""
    (line,) = re.findall(r"^echo .*HLOMM_OPTIONS=.*", TEXT, re.MULTILINE)
    (tmp_path / ".config/hlomm").mkdir(parents=True)
    subprocess.run(["/bin/sh", "-ec", line], env={"HOME": str(tmp_path)}, check=True)
    written = (tmp_path / ".config/hlomm/testnet.env").read_text(encoding="utf-8")
    assert written == f"HLOMM_OPTIONS=--config {tmp_path}/.config/hlomm/testnet.toml --arm 500\n"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what its plugins import
def test_the_examples_of_alert_urls_are_of_services_that_there_are() -> None:
    (block,) = re.findall(r"```\n# ~/.config/hlomm/alert-urls.*?```", TEXT, re.DOTALL)
    schemes = re.findall(r"^(\w+)://", block, re.MULTILINE)
    assert set(schemes) >= {"discord", "slack", "tgram", "pagerduty", "mailtos"}
    assert [scheme for scheme in schemes if scheme not in NotificationManager()] == []


def test_every_code_of_doctor_has_its_line_and_its_use() -> None:
    section = TEXT.partition("## What doctor says")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("| `")]
    told = [code for row in rows for code in re.findall(r"`([a-z_]+)`", row[1])]
    assert sorted(told) == sorted(set(Code) - {Code.FINE})
    assert all(row[3].strip() for row in rows)
    used = "".join(
        source_of(path) for path in files_of("hlomm") if path.name != "checkup.py" or "domain" not in path.parts
    )
    assert {code.name for code in Code if f"Code.{code.name}" not in used} == {"FINE"}


@pytest.mark.slow
def test_the_marked_blocks_run_as_written(hlomm: Hlomm, tmp_path: Path) -> None:
    """A daemon is looked at, killed and packed; its state is copied, lost, and put back: HALTED and the ledger stay."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "hlomm").write_text(f'#!/bin/sh\nexec {sys.executable} -m hlomm.cli.main "$@"\n')
    (tools / "hlomm").chmod(0o700)
    environment = hlomm.environment() | {"PATH": f"{tools}:{os.environ['PATH']}"}

    def run(block: str) -> None:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block], env=environment, cwd=tmp_path, capture_output=True, text=True,
            check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, (block, done.stdout, done.stderr)

    blocks = MARKED.findall(TEXT)
    named = {name: block for name, block in blocks if name}
    assert (len(blocks), set(named)) == (7, {"backup", "restore"})
    daemon = hlomm.start("run", "--venues", "hyperliquid")
    hlomm.until(lambda: hlomm("status").code == 0, 60)
    for name, block in blocks:
        if not name:
            run(block)
    run(named["backup"])
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(90) in (0, 4)
    state = hlomm.home / "state" / "hlomm" / "sim"
    rmtree(state)
    run(named["restore"])
    assert hlomm("doctor").code == 0
    again = hlomm.start("run", "--venues", "hyperliquid")
    hlomm.until(lambda: "HALTED" in hlomm("status").out, 60)
    again.send_signal(signal.SIGTERM)
    assert again.wait(90) in (0, 4)
