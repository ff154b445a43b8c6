"""`hlomm selftest` as a command: what keeps it from beginning, and one round trip by somebody who types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner

from hlomm.cli.main import main
from hlomm.domain.exits import ExitCode
from hlomm.rundir import halt_file
from hlomm.rundir.halt_file import HaltNote
from hlomm.rundir.lock import account_lock
from hlomm.settings.paths import StatePaths
from tests.support.canaries import of_bytes
from tests.support.loggers import as_before
from tests.support.served import Served, punctual, served

SPEED = 8


@pytest.fixture(scope="module")
def venue() -> Iterator[Served]:
    with served(partial(punctual, ("hyperliquid",), speed=SPEED)) as (one,):
        yield one


@pytest.fixture(autouse=True)
def hardened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """What a command does to its whole process is not done to this one."""
    done: list[bool] = []
    monkeypatch.setattr("hlomm.rundir.hardening.no_core_dumps", lambda: done.append(True))
    with as_before():
        yield done


@pytest.fixture
def file(venue: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The simulator's document; state and locks are this test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    path = tmp_path / "sim.json"
    path.write_text(json.dumps(venue.document))
    return path


def refused(*arguments: str, typed: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(main, ["selftest", *arguments], input=typed)
    assert not done.stdout
    return done.exit_code, done.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "say --live"),
        (("--live",), "add --sim FILE"),
        (("--live", "--profile", "testnet"), "write your own [limits] first"),
        (("--live", "--venue", "nyse"), "trades at hyperliquid"),
    ],
)
def test_it_says_what_is_missing_before_anything_is_opened(arguments: tuple[str, ...], why: str, file: Path) -> None:
    code, said = refused(*arguments)
    assert code == int(ExitCode.USAGE)
    assert why in said


def test_not_while_a_daemon_has_the_account_nor_while_it_is_halted(venue: Served, file: Path, tmp_path: Path) -> None:
    place = venue.venue()
    held = account_lock("hyperliquid", place["rest"], place["accounts"][0]["address"])
    code, said = refused("--live", "--sim", str(file))
    held.release()
    assert code == int(ExitCode.BUSY)
    assert "one account has one daemon" in said
    paths = StatePaths(tmp_path / "state")
    paths.prepare()
    halt_file.write(paths.halt, HaltNote("kill by uid 0", 1_795_000_000_000))
    code, said = refused("--live", "--sim", str(file), "--state-dir", str(paths.root))
    assert code == int(ExitCode.USAGE)
    assert "HALTED: kill by uid 0" in said
    assert venue.account()["fills"] == 0


@attrs.define
class Person:
    """Reads what is asked on the terminal, and types the amount, or something else."""

    capsys: pytest.CaptureFixture[str]
    instead: str | None = None
    seen: str = ""

    def readline(self, _most: int = -1) -> str:
        self.seen += self.capsys.readouterr().err
        asked = re.search(r"type (\S+) to go on: $", self.seen)
        assert asked is not None, self.seen
        return f"{self.instead or asked[1]}\n"

    def isatty(self) -> bool:
        return True


def typed(person: Person, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr("sys.stdin", person)
    with pytest.raises(SystemExit) as ended:
        main(["selftest", "--live", *arguments])
    told = person.capsys.readouterr()
    person.seen += told.err
    return int(ended.value.code or 0), told.out


def test_one_round_trip_after_the_amount_was_typed(
    venue: Served, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], hardened: list[bool]
) -> None:
    where = ("--sim", str(file), "--json")
    code, out = typed(Person(capsys, instead="yes"), monkeypatch, *where)
    assert (code, out, hardened) == (int(ExitCode.USAGE), "", [True])
    assert venue.account()["fills"] == 0
    person = Person(capsys)
    code, out = typed(person, monkeypatch, *where)
    document: dict[str, Any] = json.loads(out)
    assert (code, document["ok"], document["flat"], document["left"]) == (0, True, True, ""), document
    assert [step["step"] for step in document["steps"]] == ["rest", "amend", "cancel", "buy", "sell"]
    rows = {row["name"]: row for row in document["steps"][-1]["fields"]}
    assert rows["cash"]["verdict"] == "same"
    account = venue.account()
    assert (account["open_orders"], account["tokens"]) == (0, {})
    assert account["fills"] >= 2
    for name in ("key", "agent_key", "guardian_key"):
        secret = of_bytes(name, bytes.fromhex(venue.venue()["accounts"][0][name][2:]))
        printed = (person.seen + out).encode()
        assert not list(secret.found_in(printed, printed.lower()))
