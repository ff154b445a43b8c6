"""The state directory is private or refused."""

from __future__ import annotations

import os

import pytest

from hlomm.domain.faults import ConfigError
from hlomm.settings.paths import StatePaths, state_paths


def test_prepare_makes_private_directories(tmp_path):
    paths = StatePaths(tmp_path / "state")
    paths.prepare()
    assert paths.root.stat().st_mode & 0o777 == 0o700
    assert paths.journal.is_dir()
    paths.prepare()


def test_directory_open_to_others_is_refused_with_the_fix(tmp_path):
    root = tmp_path / "state"
    root.mkdir(mode=0o755)
    root.chmod(0o755)
    with pytest.raises(ConfigError, match="chmod 700"):
        StatePaths(root).prepare()


def test_file_in_the_way_is_refused(tmp_path):
    root = tmp_path / "state"
    root.write_text("")
    with pytest.raises(ConfigError, match="state directory"):
        StatePaths(root).prepare()


def test_default_is_per_profile(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_paths(None, "sim").root == tmp_path / "hlomm" / "sim"
    assert state_paths(tmp_path / "x", "sim").root == tmp_path / "x"


@pytest.mark.parametrize("name", ["ledger.sqlite", "audit.log", "halt.json", "hlomm.sock", "journal/a.journal"])
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_file_that_others_may_change_is_refused_with_the_fix(tmp_path, name, mode):
    paths = StatePaths(tmp_path / "state")
    paths.prepare()
    path = paths.root / name
    path.write_text("")
    path.chmod(mode)
    with pytest.raises(ConfigError, match=f"can be changed by others: chmod 600 {path}"):
        paths.prepare()
    path.chmod(0o600)
    paths.prepare()


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o701, 0o755])
def test_journal_directory_open_to_others_is_refused(tmp_path, mode):
    paths = StatePaths(tmp_path / "state")
    paths.prepare()
    paths.journal.chmod(mode)
    with pytest.raises(ConfigError, match=f"chmod 700 {paths.journal}"):
        paths.prepare()


@pytest.mark.parametrize("name", ["", "journal", "audit.log"])
def test_symlink_in_the_place_of_something_is_refused(tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    paths = StatePaths(tmp_path / "state")
    place = paths.root / name
    if name:
        paths.prepare()
        if name == "journal":
            place.rmdir()
    place.symlink_to(elsewhere)
    with pytest.raises(ConfigError, match=f"{place} is a symlink"):
        paths.prepare()
    assert list(elsewhere.iterdir()) == [], "nothing was made behind it"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("name", ["", "journal", "ledger.sqlite"])
def test_what_belongs_to_somebody_else_is_refused(tmp_path, name):
    paths = StatePaths(tmp_path / "state")
    paths.prepare()
    path = paths.root / name
    if not path.exists():
        path.write_text("")
    os.chown(path, 12345, -1)
    with pytest.raises(ConfigError, match=rf"{path} belongs to uid 12345: chown 0 {path}"):
        paths.prepare()


def test_whoever_looks_like_somebody_else_is_refused(tmp_path, monkeypatch):
    paths = StatePaths(tmp_path / "state")
    paths.prepare()
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    with pytest.raises(ConfigError, match="chown 54321"):
        paths.prepare()


def test_directories_above_are_made_private_too(tmp_path):
    before = os.umask(0)
    try:
        StatePaths(tmp_path / "a" / "b" / "state").prepare()
    finally:
        os.umask(before)
    for path in (tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "state" / "journal"):
        assert path.stat().st_mode & 0o777 == 0o700
