"""Missing golden material fails where it must be there; and no fixture is left unread."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wire.polymarket import conftest, test_market_frames, test_user_frames
from tests.wire.polymarket.conftest import Shared

# Products or hosts this program does not talk to: the data API lags and drives nothing, prices come from elsewhere.
NOT_OURS = ("data_api", "rtds", "gamma_tags", "clob_fee_rate")
ELSEWHERE = ("http_", "clob_", "gamma_", "search_response")


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


def test_every_websocket_fixture_is_read(shared: Shared) -> None:
    read = set(test_market_frames.FIXTURES) | set(test_user_frames.FIXTURES)
    there = shared.names("nautilus_py/ws") | shared.names("nautilus_rs")
    rest = {name for name in there - read if not name.removeprefix("nautilus_rs/").startswith((*NOT_OURS, *ELSEWHERE))}
    assert rest == set()
