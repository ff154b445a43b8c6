"""A detector for `detect-secrets`: 32 bytes in hexadecimal, which is how every key that trades here looks.

Its own detectors want quotes around such a number, or a name such as `secret` before it, and know no `0x`.
"""

import re
from typing import ClassVar

from detect_secrets.plugins.base import RegexBasedDetector


class HexKeyDetector(RegexBasedDetector):
    """Finds them wherever they stand, hashes too: what is no secret is listed in `secrets.json`."""

    secret_type = "32 bytes in hexadecimal"  # noqa: S105
    denylist: ClassVar[list[re.Pattern[str]]] = [
        re.compile(r"(?<![0-9a-fA-F])(?:0[xX])?([0-9a-fA-F]{64})(?![0-9a-fA-F])")
    ]
