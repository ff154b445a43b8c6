"""Exit codes: a contract with scripts."""

from __future__ import annotations

from enum import IntEnum

from hlomm.domain.faults import (
    AnotherInstance,
    ConfigError,
    DataDefect,
    HlommError,
    JournalCorrupt,
    UsageError,
    VenueRefused,
    VenueUnavailable,
)


class ExitCode(IntEnum):
    CLEAN = 0
    USAGE = 2
    """Command line or configuration."""
    DIVERGED = 3
    """A replay or backtest diverged, or a check failed."""
    HALTED = 4
    """The run ended halted, by risk or by the operator."""
    REFUSED = 5
    """The venue refuses us, cannot be reached at all, or has not confirmed at the end that nothing of ours rests;
    or something that was to be sold is not."""
    FAULT = 6
    """Internal fault; everything was cancelled and flattened as far as possible."""
    BUSY = 7
    """Another instance holds the account."""


_BY_ERROR: tuple[tuple[type[HlommError], ExitCode], ...] = (
    (ConfigError, ExitCode.USAGE),
    (UsageError, ExitCode.USAGE),
    (JournalCorrupt, ExitCode.DIVERGED),
    (DataDefect, ExitCode.DIVERGED),
    (VenueRefused, ExitCode.REFUSED),
    (VenueUnavailable, ExitCode.REFUSED),
    (AnotherInstance, ExitCode.BUSY),
)


def exit_code_of(error: HlommError) -> ExitCode:
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), ExitCode.FAULT)
