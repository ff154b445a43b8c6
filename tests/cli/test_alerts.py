"""`hlomm alerts` as people start it: where its URLs come from, what `--test` says, and how it ends."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from hlomm.cli.alert_urls import CREDENTIAL, URLS_MAX, VARIABLE, alert_urls
from hlomm.cli.alerts import attempts, report, watch_of
from hlomm.cli.client import guardian_beside
from hlomm.cli.main import main
from hlomm.daemon.alerts.services import services
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import ConfigError
from hlomm.domain.secret import Secret
from hlomm.link.protocol import Access, Frames, Hello
from hlomm.settings.load import load
from tests.cli.conftest import Hlomm
from tests.cli.test_metrics import Missing
from tests.support.endpoint import HANGS, endpoint

TOKEN = "canary-51c0ffee77"
URL = f"discord://1/{TOKEN}"


def written(path: Path, text: str, mode: int = 0o600) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def revealed(file: str, environ: dict[str, str]) -> list[str]:
    return [url.reveal() for url in alert_urls(file, environ)]


def test_a_file_then_a_credential_then_the_environment_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "urls", f"# mine\n\n  {URL}/file  \r\n{URL}/second\n")
    written(tmp_path / CREDENTIAL, f"{URL}/credential\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), VARIABLE: f"{URL}/one {URL}/two"}
    assert revealed(file, environ) == [f"{URL}/file", f"{URL}/second"]
    assert revealed("", environ) == [f"{URL}/credential"]
    assert capsys.readouterr().err == ""
    assert revealed("", {VARIABLE: environ[VARIABLE]}) == [f"{URL}/one", f"{URL}/two"]
    warned = capsys.readouterr().err
    assert warned.startswith(f"warning: alert URLs are in {VARIABLE}")
    assert TOKEN not in warned


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        (URL, 0o644, "chmod 600"), (URL, 0o640, "can be read by others"), ("# none\n", 0o600, "no URL in it"),
        (f"{URL}\n" * (URLS_MAX + 1), 0o600, f"at most {URLS_MAX}"),
    ],
)  # fmt: skip
def test_files_that_are_refused(tmp_path: Path, text: str, mode: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refusal:
        alert_urls(written(tmp_path / "urls", text, mode), {})
    assert TOKEN not in str(refusal.value)


def test_what_is_no_text_or_not_there_or_a_link(tmp_path: Path) -> None:
    (tmp_path / "urls").write_bytes(b"\xff\xfe")
    (tmp_path / "urls").chmod(0o600)
    with pytest.raises(ConfigError, match="not text"):
        alert_urls(str(tmp_path / "urls"), {})
    with pytest.raises(ConfigError, match="No such file"):
        alert_urls(str(tmp_path / "none"), {})
    (tmp_path / "link").symlink_to(tmp_path / "urls")
    with pytest.raises(ConfigError, match="is a symlink"):
        alert_urls(str(tmp_path / "link"), {})
    with pytest.raises(ConfigError, match=f"or hand them over as systemd credential {CREDENTIAL}"):
        alert_urls("", {"CREDENTIALS_DIRECTORY": str(tmp_path / "none")})


def test_an_url_in_the_configuration_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError, match=r"alerts\.urls_file: is an URL: write it into a file of yours") as refusal:
        load("sim", (), (f"alerts.urls_file={URL}",), environ={})
    assert TOKEN not in str(refusal.value)
    shown = CliRunner().invoke(main, ["config", "show", "--set", f"alerts.urls_file={URL}"])
    assert shown.exit_code == 2
    assert TOKEN not in shown.output


def test_without_its_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name for name in sys.modules if name.startswith(("hlomm.cli.alerts", "hlomm.daemon.alerts", "apprise"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Missing("apprise"), *sys.meta_path])
    found = CliRunner().invoke(main, ["alerts"])
    assert found.exit_code == 2
    assert "pip install '.[alerts]'" in found.stderr


async def test_each_service_is_tried_and_named_by_number_and_scheme(capsys: pytest.CaptureFixture[str]) -> None:
    with endpoint() as good, endpoint(HANGS) as hangs, endpoint(307) as elsewhere:
        urls = [Secret(url) for url in (good.url(TOKEN), hangs.url(TOKEN, "?rto=30"), elsewhere.url(TOKEN))]
        rows = await attempts(services(urls, send_s=0.5, keep_s=60), "mainnet")
    assert report(rows, as_json=False) is ExitCode.REFUSED
    assert capsys.readouterr().out.splitlines() == [
        "1 json: sent", "2 json: it hangs — is it down, or a firewall between?",
        "3 json: HTTP 307: it redirects elsewhere, which is not followed — put the final address into the URL",
    ]  # fmt: skip
    assert good.received[0]["title"] == "hlomm mainnet: test"
    assert report(rows[:1], as_json=True) is ExitCode.CLEAN
    said = {"services": [{"service": 1, "scheme": "json", "sent": True, "why": ""}]}
    assert json.loads(capsys.readouterr().out) == said


@pytest.mark.slow
def test_an_url_that_is_none_is_said_in_one_line_and_not_shown(hlomm: Hlomm, tmp_path: Path) -> None:
    file = written(tmp_path / "urls", f"discord://{TOKEN}")  # half of one
    done = hlomm("alerts", "--test", "--set", f"alerts.urls_file={file}")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("hlomm: alert URL 1: discord:// wants more, or other things — see ")
    assert done.err.count("\n") == 1
    assert TOKEN not in done.err


@contextmanager
def listening_for_a_hello(path: Path, heard: list[Access]) -> Iterator[None]:
    """Hears how somebody introduces himself, and hangs up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(1)

        def answer() -> None:
            with listener.accept()[0] as wire:
                (body,) = Frames().feed(wire.recv(1 << 16))
                heard.append(msgspec.msgpack.decode(body, type=Hello).access)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield
        thread.join(10)


async def test_it_is_a_viewer_to_daemon_and_guardian(tmp_path: Path) -> None:
    """Nothing that it does, or is made to do, can be a command."""
    loaded, path, heard = load("sim", environ={}), tmp_path / "hlomm.sock", []
    watch = watch_of(loaded, path, [], "sim")
    with listening_for_a_hello(path, heard), listening_for_a_hello(guardian_beside(path), heard):
        await watch.look()
    assert heard == [Access.VIEWER, Access.VIEWER]
