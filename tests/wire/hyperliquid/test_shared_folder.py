"""Missing golden material fails where it must be there, and is named where it need not be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wire.hyperliquid import conftest


def test_under_ci_a_missing_folder_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(conftest, "SHARED", tmp_path / "nowhere")
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="the vectors is not checked"):
        conftest.find_shared("the vectors")


def test_elsewhere_a_missing_folder_says_what_is_not_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(conftest, "SHARED", tmp_path / "nowhere")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="the vectors is not checked"):
        conftest.find_shared("the vectors")
