"""Keys and passwords as values that do not leave by accident.

A secret gets out of a program in passing: in a repr, a log line, a pickle, a document, a traceback that prints locals.
Here each of these shows `***` or fails; what needs the text says so with `reveal`, at the one place that does. What a
process has in memory it can still be made to give away: core dumps are off for that (`hlomm.rundir.hardening`).
"""

from __future__ import annotations

import hmac
from typing import Any, Final, NoReturn, final

SHOWN: Final = "***"


class Sealed:
    """Base of what holds a secret: it can be neither pickled nor copied, so there is one of it, in this process."""

    __slots__ = ()

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds a secret: it is neither pickled nor copied")

    def __getstate__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds a secret: its state is not given away")


@final
class Secret(Sealed):
    """A text or bytes. Equal only to another secret, in constant time; unhashable; true unless empty."""

    __slots__ = ("__value",)

    def __init__(self, value: str | bytes) -> None:
        self.__value = value.encode() if isinstance(value, str) else bytes(value)

    def reveal(self) -> str:
        """The text. Use it inside an expression: a local variable outlives it in a traceback. UnicodeError if none."""
        return self.__value.decode()

    def reveal_bytes(self) -> bytes:
        """The bytes; handle as the text."""
        return self.__value

    def __repr__(self) -> str:
        return f"Secret({SHOWN})"

    def __str__(self) -> str:
        return SHOWN

    def __format__(self, _spec: str) -> str:
        return SHOWN

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        return hmac.compare_digest(self.__value, other.__value) if isinstance(other, Secret) else NotImplemented

    __hash__ = None  # type: ignore[assignment]


def seal(kind: type, value: Any) -> Any:
    """`dec_hook` of msgspec for structs with fields of kind Secret. There is no counterpart: nothing encodes one."""
    if kind is not Secret:
        raise NotImplementedError(f"no way to read a {kind.__name__}")
    if not isinstance(value, str):
        raise TypeError(f"Expected `str`, got `{type(value).__name__}`")
    return Secret(value)
