"""The state directory is private or refused."""

from __future__ import annotations

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
