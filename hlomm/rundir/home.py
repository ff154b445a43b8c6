"""Where a user's files are, as far as the system knows: a container's user, or a bare service, may have no home."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from hlomm.domain.faults import ConfigError


def state_home() -> Path:
    """ConfigError without a home, as of the others here."""
    try:
        return Path(platformdirs.user_state_dir("hlomm"))
    except RuntimeError:
        raise _homeless("XDG_STATE_HOME") from None


def data_home() -> Path:
    try:
        return Path(platformdirs.user_data_dir("hlomm"))
    except RuntimeError:
        raise _homeless("XDG_DATA_HOME") from None


def expanded(name: str | Path) -> Path:
    """The path with `~` and `~user` spelt out."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise ConfigError(f"{name}: there is no such home directory — write the path in full") from None


def _homeless(variable: str) -> ConfigError:
    return ConfigError(f"this user has no home directory — set HOME or {variable} to a directory of yours, in full")
