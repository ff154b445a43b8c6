"""Errors with a meaning. What is not listed here reaches a supervisor."""


class HlommError(Exception):
    """Base of everything this project raises on purpose."""


class UnitError(HlommError):
    """A number that no exact scaled integer represents."""


class InvariantBroken(HlommError):  # noqa: N818 - it is a statement, not an error class of a library
    """Something that must hold does not: the engine freezes, cancels and flattens."""


class IllegalTransition(HlommError):  # noqa: N818
    """A state machine met a pair (state, event) outside its table."""


class ConfigError(HlommError):
    """A configuration that cannot be used; names file, key and remedy. Exit code 2."""


class KeyFault(ConfigError):  # noqa: N818
    """A key, its file or its password that cannot be used. `kind` is a `hlomm.domain.checkup.Code`. Exit code 2."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class UsageError(HlommError):
    """A command line that cannot be carried out. Exit code 2."""


class JournalCorrupt(HlommError):  # noqa: N818
    """A journal whose bytes cannot be trusted from an offset on.

    `offset` is the byte at which the first bad record starts, `records` how many good ones precede it.
    """

    def __init__(self, message: str, *, offset: int, records: int) -> None:
        super().__init__(message)
        self.offset = offset
        self.records = records


class DataDefect(HlommError):  # noqa: N818
    """Recorded market data that cannot be relied on. Exit code 3."""


class ProtocolViolation(HlommError):  # noqa: N818
    """A peer sent something outside the protocol. `kind` is a short stable word for counters."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class VenueRefused(HlommError):  # noqa: N818
    """The venue or the account refuses us altogether (unknown key, wrong network). Exit code 5."""


class KeyExpired(VenueRefused):
    """A key that the venue stopped taking, by the date in its file. Exit code 5."""


class VenueUnavailable(HlommError):  # noqa: N818
    """The venue did not answer, or not within the deadline."""


class AnotherInstance(HlommError):  # noqa: N818
    """Another process holds this account. Exit code 7."""
