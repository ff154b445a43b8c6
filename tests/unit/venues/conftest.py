"""What tests over real sockets share."""

from __future__ import annotations

from pathlib import Path

import pytest

from hlomm.rundir import certificate


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def tls(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)
