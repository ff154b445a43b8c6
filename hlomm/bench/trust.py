"""Trust in the certificate of the loopback venue, for the length of a measurement."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_TRUSTED: Final = "SSL_CERT_FILE"


@contextmanager
def trusted(certificate: Path) -> Iterator[None]:
    """Default TLS contexts made meanwhile trust it and nothing else: the program's own way to connect is measured."""
    before = os.environ.get(_TRUSTED)
    os.environ[_TRUSTED] = str(certificate)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_TRUSTED]
        else:
            os.environ[_TRUSTED] = before
