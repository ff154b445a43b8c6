"""A user without a home directory is told so. Rung: pure, with an environment of its own."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from hlomm.domain.faults import ConfigError
from hlomm.keystore.folder import keystore_at
from hlomm.rundir.home import expanded
from hlomm.rundir.lock import account_lock_path
from hlomm.settings.paths import state_paths


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """As a number that no file of users knows, which a container may run as."""
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    known = {entry.pw_uid for entry in pwd.getpwall()}
    monkeypatch.setattr(os, "getuid", lambda: next(uid for uid in range(60_000, 65_000) if uid not in known))
    return monkeypatch


def test_what_has_no_place_is_refused_with_the_variable_that_gives_it_one(homeless, tmp_path):
    for place, variable in (
        (lambda: state_paths(None, "sim"), "XDG_STATE_HOME"),
        (lambda: account_lock_path("hyperliquid", "https://x", "0x1"), "XDG_STATE_HOME"),
        (lambda: keystore_at(None), "XDG_DATA_HOME"),
    ):
        with pytest.raises(ConfigError, match=f"no home directory — set HOME or {variable}"):
            place()
    assert state_paths(tmp_path, "sim").root == tmp_path
    homeless.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_paths(None, "sim").root == tmp_path / "hlomm" / "sim"


def test_a_home_that_there_is_not():
    with pytest.raises(ConfigError, match=r"~nobody-of-that-name/keys: .* write the path in full"):
        expanded("~nobody-of-that-name/keys")
    with pytest.raises(ConfigError, match="no such home"):
        keystore_at("~nobody-of-that-name/keys")
    assert expanded("~root/keys") == Path("~root/keys").expanduser()
