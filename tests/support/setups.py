"""A live set-up in everything but its addresses: profile testnet, a keystore, two runs on record, simulated venues.

What `hlomm doctor --json` says of one is `Setup.look`; tests break it before.
"""

from __future__ import annotations

import http.server
import json
import os
import resource
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from click.testing import CliRunner

from hlomm.cli import keystore as commands
from hlomm.cli.main import main
from hlomm.cli.password import VARIABLE, Password
from hlomm.daemon.ledger_store import Store
from hlomm.keystore.folder import Keystore, Slot
from hlomm.rundir.audit_file import AuditFile
from hlomm.settings.paths import StatePaths
from hlomm.sim.config import RulesConfig
from tests.support.canaries import Canary, of_bytes, of_text
from tests.support.loggers import as_before
from tests.support.records import EPOCH, whole_run
from tests.support.served import Served, punctual, served

WORD: Final = "correct horse battery"
STRONG: Final = 1 << 17
LIMITS: Final = """[limits]
max_position = 200
max_gross_notional = 500
max_order_notional = 60
max_open_orders = 20
max_drawdown = 300
max_clock_skew_s = 1
max_fair_deviation = 0.25
max_resting_without_deadman = 300
max_loss_event = 200
max_loss_underlying = 300
max_loss_total = 400
max_hedge_notional = 0
max_sets = 0
max_orders_per_s = 50
max_notional_per_min = 5000
"""
NAMES: Final = ("sound", "late", "dear")


@pytest.fixture(scope="module")
def venues() -> Iterator[dict[str, Served]]:
    """One as it should be, one whose clock is off, one that charges more than the model says."""
    often = RulesConfig(ip_weight_per_min=1_000_000)  # so many looks in a minute would be turned away
    options = (
        partial(punctual, ("hyperliquid",), rules=often),
        partial(punctual, ("hyperliquid",), ahead_s=5),
        partial(punctual, ("hyperliquid",), rules=attrs.evolve(often, spot_taker=90_000)),
    )
    with served(*options) as found:
        yield dict(zip(NAMES, found, strict=True))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, venues: dict[str, Served]) -> Path:
    """A state directory with two runs, and two keystores: of full strength, and cheap for those that are broken."""
    home = tmp_path_factory.mktemp("template")
    paths = StatePaths(home / "state")
    paths.prepare()
    for epoch in (EPOCH, EPOCH + 10):
        whole_run(epoch).write(paths.journal)
    store = Store(paths.ledger, paths.journal, AuditFile(paths.audit))
    for _ in store.catch_up():
        pass
    store.complete_audit()
    store.close()
    account = venues["sound"].venue()["accounts"][0]
    for folder, scrypt_n in (("strong", STRONG), ("keys", 2)):
        for role, key in (("engine", account["agent_key"]), ("guardian", account["guardian_key"])):
            put(home / folder, key, role, scrypt_n=scrypt_n)
    return home


def free_port() -> int:
    """One on which nobody listens: whoever runs the tests may have something at the usual one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def put(folder: Path, key: str, role: str, *, network: str = "testnet", scrypt_n: int = 2) -> None:
    typed = folder.parent / "typed"
    typed.touch(mode=0o600)
    typed.write_text(key)
    given = commands.Given(
        source=str(typed), key_id="", expires="", password=Password({VARIABLE: WORD}), scrypt_n=scrypt_n
    )
    commands.import_command(Keystore(folder), Slot("hyperliquid", role, network), given, as_json=True)
    typed.unlink()


@attrs.define
class Setup:
    """What one look is at."""

    home: Path
    venues: dict[str, Served]
    stack: ExitStack
    venue: str = "sound"
    keys: str = "keys"
    word: str = WORD
    live: bool = True
    writable: bool = True
    limits: str = LIMITS
    settings: dict[str, str] = attrs.field(factory=dict)
    more: list[str] = attrs.field(factory=list)
    port: int = attrs.field(factory=free_port)
    looks: int = 0

    @property
    def paths(self) -> StatePaths:
        return StatePaths(self.home / "state")

    @property
    def account(self) -> dict[str, Any]:
        found: dict[str, Any] = self.venues[self.venue].venue()["accounts"][0]
        return found

    def key(self, role: str = "engine", network: str = "testnet") -> Path:
        return self.home / self.keys / f"hyperliquid-{role}-{network}.json"

    def agent(self, until_ms: int | None, role: str = "guardian") -> None:
        """Let an approval end, and give it back after the look."""
        venue, address = self.venues[self.venue], self.account[f"{role}_address"]
        venue.tell(type="agent", address=address, until_ms=until_ms)
        if until_ms is not None:
            later = int(time.time() * 1000) + 180 * 86_400_000
            self.stack.callback(venue.tell, type="agent", address=address, until_ms=later)

    def look(self) -> tuple[int, dict[str, Any], str]:
        """(exit code, document, all that was printed)."""
        self.looks += 1
        place = self.venues[self.venue].venue()
        settings = {"rest": place["rest"], "ws": place["ws"], "account": self.account["address"], **self.settings}
        config = self.home / "my.toml"
        lines = [f'{name} = "{value}"' for name, value in settings.items()]
        folder = f'[keys]\nfolder = "{self.home / self.keys}"\n'
        config.write_text("\n".join([self.limits, folder, "[hedge]\nenabled = false\n[venue.hyperliquid]", *lines, ""]))
        end, write = os.pipe()
        os.write(write, self.word.encode())
        os.close(write)
        live = ["--live", "--password-fd", str(end)] if self.live else []
        arguments = ["--profile", "testnet", "--config", str(config), "--state-dir", str(self.paths.root), "--json"]
        with nullcontext() if self.writable else nothing_written():
            done = CliRunner().invoke(main, ["doctor", *arguments, "--port", str(self.port), *live, *self.more])
        if not self.live:
            os.close(end)
        return done.exit_code, json.loads(done.stdout), done.stdout + done.stderr


@contextmanager
def nothing_written() -> Iterator[None]:
    """The kernel refuses every write to a file meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def setup(
    template: Path, venues: dict[str, Served], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Setup]:
    for name in ("state", "keys", "strong"):
        shutil.copytree(template / name, tmp_path / name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    hardened: list[bool] = []  # of this very process: it would outlast the test
    monkeypatch.setattr("hlomm.rundir.hardening.no_core_dumps", lambda: hardened.append(True))
    with as_before(), ExitStack() as stack:
        it = Setup(tmp_path, venues, stack)
        yield it
    assert bool(hardened) is (it.live and it.looks > 0)


class Redirecting(http.server.BaseHTTPRequestHandler):
    def _away(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(302)
        self.send_header("Location", "https://login.invalid/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = _away  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing to say."""


@contextmanager
def listening(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Port of a server that redirects whatever is asked."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirecting)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def secrets(it: Setup) -> list[Canary]:
    accounts = it.venues["sound"].venue()["accounts"][:2]
    keys = [one[name] for one in accounts for name in ("key", "agent_key", "guardian_key")]
    return [*(of_bytes(key, bytes.fromhex(key[2:])) for key in keys), of_text("word", WORD), of_text("wrong", it.word)]


def untouched(it: Setup) -> None:
    """Nobody placed, cancelled or traded anything."""
    account = it.venues[it.venue].account()
    assert (account["open_orders"], account["fills"], account["tokens"]) == (0, 0, {})


def silent(it: Setup, printed: str) -> None:
    content = printed.encode()
    assert not [form for one in secrets(it) for form in one.found_in(content, content.lower())]
