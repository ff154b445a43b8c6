"""A sum of each Parquet file, in its own metadata: Parquet has none, and a flipped bit is read as another price.

It is the CRC-32 of the whole file with zeros in its own place, so a change anywhere is noticed, also of the footer.
"""

from __future__ import annotations

import zlib
from typing import Final

KEY: Final = "hlomm.sum"
_MARK: Final = b"crc32:"
_ZEROS: Final = b"00000000"
EMPTY: Final = (_MARK + _ZEROS).decode()
"""Value of `KEY` in a file that is to be summed."""


def summed(content: bytes) -> bytes:
    """The file with its sum in place of `EMPTY`."""
    at = content.rindex(_MARK + _ZEROS) + len(_MARK)
    return content[:at] + f"{zlib.crc32(content):08x}".encode() + content[at + len(_ZEROS) :]


def is_sound(content: bytes, told: str) -> bool:
    """Whether a file is as it was written. `told`: its value of `KEY`."""
    at = content.rfind(told.encode()) + len(_MARK)
    if len(told) != len(EMPTY) or at < len(_MARK):
        return False
    whole = memoryview(content)
    found = zlib.crc32(whole[at + len(_ZEROS) :], zlib.crc32(_ZEROS, zlib.crc32(whole[:at])))
    return told == f"{_MARK.decode()}{found:08x}"
