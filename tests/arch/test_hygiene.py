"""House rules that a linter does not know: who may catch everything, how long a file gets, how tests wait."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.arch import scanning
from tests.arch.scanning import ROOT, files_of, name_of, source_of

PROGRAM = files_of("hlomm", "tui")
TESTS = files_of("tests")

BROAD_EXCEPTS: Final[dict[tuple[str, str], str]] = {
    ("hlomm/daemon/app.py", "_trade"): "the supervisor: whatever failed, the account is swept next",
    ("hlomm/daemon/rehearsal.py", "keep"): "a supervisor: whatever breaks on the stage, trading goes on without it",
    ("hlomm/daemon/alerts/services.py", "_notify"): "whatever a library of others raises may hold the URL",
    ("hlomm/daemon/guardian_link.py", "connect"): "the stream is closed and the fault raised again",
    ("hlomm/daemon/ledger.py", "_round"): "a ledger that fails is rebuilt later: no fault in it may end the trading",
    ("hlomm/daemon/ledger_fold.py", "apply"): "rolled back and raised again",
    ("hlomm/rundir/ledger_schema.py", "connect"): "the connection is closed and the fault raised again",
    ("hlomm/daemon/ledger_store.py", "_open"): "the connection is closed and the fault raised again",
    ("hlomm/daemon/last_look.py", "look"): "a fault at one venue must not end the look at the others",
    ("hlomm/guardian/account.py", "made_safe"): "nobody stands behind the guardian, so it tries again",
    ("hlomm/guardian/server.py", "_handle"): "no client may end the watch or an act under way",
    ("hlomm/daemon/link_server.py", "_handle"): "a view that cannot be drawn must not stop the trading beside it",
    ("hlomm/daemon/pump.py", "_drain"): "whatever the engine raises, the answer is to freeze and sweep",
    ("hlomm/daemon/pump.py", "_turn"): "the fault is put on record and raised again",
    ("hlomm/engine/quoting.py", "supervised"): "a strategy that raises is stopped, and the others stay",
    ("tui/widgets/panel.py", "look"): "one picture that fails must not take the kill key with it",
    ("hlomm/research/soak/day.py", "live"): "a run that breaks is a finding, and the other seeds go on",
    ("hlomm/research/soak/process.py", "_turn"): "a fault of the engine is a finding, whatever it is",
    ("hlomm/research/replay.py", "_guarded"): "whatever broke the engine then must break it the same way now",
    ("hlomm/research/sweep/worker.py", "_attempt"): "whatever a set of settings does to a tier, the others are tried",
}
"""(file, function) that may catch whatever comes, and why. The rest is caught by name or reaches a supervisor."""

LINES: Final = 350
LONG_FILES: Final[dict[str, str]] = {
    "hlomm/cli/main.py": "one list: every command, a few lines each",
    "hlomm/cli/research.py": "one list: every command of research, a few lines each",
    "hlomm/domain/inputs.py": "one list: everything that can influence a decision",
    "hlomm/domain/report.py": "one vocabulary: what people and scripts are told",
    "hlomm/engine/state.py": "one object: all that an engine knows, and who may change it",
    "hlomm/sim/kalshi/engine.py": "one shard: what it accepts, changes and ends",
    "hlomm/sim/kalshi/hub.py": "one numbering: whatever is told of an event has its place in it",
    "tui/state.py": "one object: all that the terminal knows of a daemon, and who may change it",
    "tui/client.py": "one conversation with a daemon: found, greeted, watched, asked, lost",
}
LONGEST: Final = 600

REAL_SLEEPS: Final[dict[str, str]] = {
    "tests/trials/test_sweep.py": "polls what real processes wrote, under a deadline",
    "tests/tui/test_terminal_command.py": "polls a real child process, 5 ms at a time, under a deadline",
    "tests/unit/research/sweep/tiers.py": "work in a process of its own: one that hangs, one to be killed in",
}


def broad() -> set[tuple[str, str]]:
    return {(name_of(path), function) for path in PROGRAM for function, _ in scanning.broad_excepts(source_of(path))}


def test_nobody_catches_everything_without_a_reason_on_this_list() -> None:
    assert broad() - set(BROAD_EXCEPTS) == set()


def test_no_reason_on_this_list_has_outlived_its_except() -> None:
    assert set(BROAD_EXCEPTS) - broad() == set()


def test_a_broad_except_says_why_where_it_stands_unless_it_raises_again() -> None:
    for path in PROGRAM:
        lines = source_of(path).splitlines()
        for function, finding in scanning.broad_excepts(source_of(path)):
            said = "noqa: BLE001 - " in lines[finding.line - 1]
            after = " ".join(lines[finding.line : finding.line + 5])
            assert said or " raise" in after, f"{name_of(path)}: {function}"


@pytest.mark.parametrize("path", PROGRAM, ids=name_of)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert not scanning.undocumented(source_of(path))


def test_files_can_be_read_in_one_sitting() -> None:
    long = {name_of(path) for path in PROGRAM if len(source_of(path).splitlines()) > LINES}
    assert long - set(LONG_FILES) == set(), "split them, or say above why they are one thing"


def test_no_long_file_is_excused_that_is_not_long_and_none_is_endless() -> None:
    for name in LONG_FILES:
        assert 300 < len(source_of(ROOT / name).splitlines()) <= LONGEST, name


# -- how tests wait


def test_tests_do_not_sleep_by_the_real_clock() -> None:
    found = {name_of(path) for path in TESTS if list(scanning.sleeps(source_of(path), "time"))}
    assert found - set(REAL_SLEEPS) == set()
    assert set(REAL_SLEEPS) - found == set()


def test_tests_that_sleep_in_trio_have_a_clock_that_jumps() -> None:
    """Of every folder that sleeps or waits for ever in trio, something asks for the mock clock."""
    sleeping: dict[Path, list[str]] = {}
    for path in TESTS:
        if list(scanning.sleeps(source_of(path), "trio")):
            sleeping.setdefault(path.parent, []).append(name_of(path))
    assert sleeping, "else this test looks at nothing"
    for folder, names in sleeping.items():
        if folder.name == "trials":
            continue  # real processes cannot be on a mock clock: they are polled under a bound
        assert any("autojump" in source_of(path) or "MockClock" in source_of(path) for path in folder.glob("*.py")), (
            names
        )


def test_no_test_is_skipped_or_expected_to_fail_here() -> None:
    """In these folders nothing is put off: a bug found has a test that fails until it is mended."""
    for path in files_of("tests/arch", "tests/replay", "tests/unit/journal", "tests/unit/strategy"):
        for word in ("mark." + "skip", "mark." + "xfail", "pytest." + "skip", "importor" + "skip"):
            assert word not in source_of(path), name_of(path)


def test_no_notes_to_self_are_left() -> None:
    for path in PROGRAM:
        for mark in ("TO" + "DO", "FIX" + "ME", "XX" + "X"):
            assert mark not in source_of(path), name_of(path)
