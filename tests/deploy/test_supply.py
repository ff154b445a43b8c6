"""What CI makes of a planted secret and of a vulnerable dependency: it fails, and names them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.arch.scanning import ROOT

CI = ROOT / ".ci"
PLANTED = {
    "run.toml": "agent = 0x" + "c0ffee5a" * 8,
    "deploy.sh": "aws s3 cp --key " + "AKIA" + "QWERTYUIOP234567",
    "notes.md": "-----BEGIN RSA PRIVATE " + "KEY-----",
    "settings.py": 'api_secret = "' + 'Zx9kQ2mB7vLp"',
    "excused.py": "KEY = '" + "beefcafe" * 8 + "'  # pragma: allowlist secret",
}


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CI / script), *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    return folder


def test_every_planted_secret_is_found_where_it_is(tmp_path: Path) -> None:
    planted = tree(tmp_path, {**PLANTED, "sound.py": 'name = "quarter to nine"'})
    done = run("look_for_secrets.py", str(planted))
    assert done.returncode == 1
    assert {line.split(":")[0] for line in done.stderr.splitlines()} == set(PLANTED), (
        "each, also one that excuses itself"
    )
    digests = {line.split(":")[0]: line.split()[-1] for line in done.stderr.splitlines()}

    known = {name: {digest: "made up"} for name, digest in digests.items()}
    excused = tree(planted, {".ci/no_secrets.json": json.dumps(known)})
    assert run("look_for_secrets.py", str(excused)).returncode == 0

    (planted / "run.toml").write_text("agent = 0x" + "c0ffee5b" * 8)
    done = run("look_for_secrets.py", str(excused))
    assert done.returncode == 1
    assert "run.toml:1: 32 bytes in hexadecimal" in done.stderr, "another secret in the same file"
    assert f"nothing in run.toml is {digests['run.toml']}" in done.stderr, "an excuse for what is gone"


@contextmanager
def advisories(vulnerable: str) -> Iterator[str]:
    """A service that speaks as OSV does and knows of one bad package."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))["package"]["name"]
            events = [{"introduced": "0"}, {"fixed": "99.1"}]
            package = {"name": asked, "ecosystem": "PyPI"}
            bug = {
                "id": "PYSEC-2026-1", "summary": "made up", "modified": "2026-01-01T00:00:00Z",
                "affected": [{"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}]}],
            }  # fmt: skip
            body = json.dumps({"vulns": [bug]} if asked == vulnerable else {}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()
            serving.join()


@pytest.fixture
def versions(tmp_path: Path) -> str:
    path = tmp_path / "versions.txt"
    path.write_text("# what is installed\nattrs==26.1.0\nclick==8.5.1\n")
    return str(path)


def test_a_vulnerable_dependency_fails_and_is_named(versions: str) -> None:
    with advisories("click") as url:
        done = run("audit.py", "--osv-url", url, versions)
    assert "VULNERABLE: click 8.5.1: PYSEC-2026-1, mended in 99.1\n2 versions audited, 1 vul" in done.stdout
    assert done.returncode == 1


def test_sound_dependencies_pass(versions: str) -> None:
    with advisories("nothing-here") as url:
        done = run("audit.py", "--osv-url", url, versions)
    assert (done.returncode, done.stdout) == (0, "2 versions audited, 0 vulnerabilities\n")


def test_nobody_to_ask_is_said_and_is_not_called_sound(versions: str) -> None:
    done = run("audit.py", "--osv-url", "http://127.0.0.1:1/v1/query", versions)
    assert done.returncode == 0
    assert done.stdout.startswith("NOT AUDITED: nobody here can be asked about attrs==26.1.0")
    assert "audited, 0" not in done.stdout
