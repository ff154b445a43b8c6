"""`hlomm doctor --json` on a sound set-up and on broken ones: each is named, says what to do, trades and tells nothing.

Each is really broken: a mode, a file cut off, a clock of the venue, a certificate. The live profile is testnet with the
addresses of simulated venues on this machine.
"""

from __future__ import annotations

import http.server
import json
import os
import re
import resource
import shutil
import socket
import sqlite3
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import trio
from click.testing import CliRunner

from hlomm.assembly.venues import hyperliquid_session
from hlomm.bench import certificate
from hlomm.cli import keystore as commands
from hlomm.cli.main import main
from hlomm.cli.password import VARIABLE, Password
from hlomm.daemon.ledger_store import Store
from hlomm.domain.checkup import Code
from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.secret import Secret
from hlomm.keystore.folder import Keystore, Slot
from hlomm.rundir.audit_file import AuditFile
from hlomm.rundir.lock import Lock, account_lock
from hlomm.settings.load import load
from hlomm.settings.paths import StatePaths
from hlomm.sim.config import RulesConfig
from hlomm.venues.clock import Clock
from tests.support.canaries import Canary, of_bytes, of_text
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
            done = CliRunner().invoke(main, ["doctor", *arguments, *live, *self.more])
        if not self.live:
            os.close(end)
        return done.exit_code, json.loads(done.stdout.splitlines()[-1]), done.stdout + done.stderr


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
    with ExitStack() as stack:
        it = Setup(tmp_path, venues, stack)
        yield it
    assert bool(hardened) is (it.live and it.looks > 0)


# -- how each is broken


def wrong_password(it: Setup) -> None:
    it.word = "incorrect horse"


def truncated(it: Setup) -> None:
    whole = it.key().read_bytes()
    it.key().write_bytes(whole[: len(whole) // 2])


def readable(it: Setup) -> None:
    it.key().chmod(0o644)


def of_another_network(it: Setup) -> None:
    """Imported for mainnet, and named for a run on testnet."""
    it.key().unlink()
    put(it.home / it.keys, it.account["agent_key"], "engine", network="mainnet")
    it.settings["key_file"] = str(it.key(network="mainnet"))


def signed_for_another_network(it: Setup) -> None:
    """The key is right, and what it signs is for the other chain."""
    it.settings["chain"] = "mainnet"
    for role, name in (("engine", "agent_key"), ("guardian", "guardian_key")):
        it.key(role).unlink()
        put(it.home / it.keys, it.account[name], role, network="mainnet")


def expired(it: Setup) -> None:
    it.agent(int(time.time() * 1000) - 60_000)


def never_approved(it: Setup) -> None:
    it.key().unlink()
    put(it.home / it.keys, "0x" + "5a" * 32, "engine")


def of_another_account(it: Setup) -> None:
    others = it.venues["sound"].venue()["accounts"][1]
    it.key().unlink()
    put(it.home / it.keys, others["agent_key"], "engine")


def the_accounts_own(it: Setup) -> None:
    it.key().unlink()
    put(it.home / it.keys, it.account["key"], "engine")


def account_unknown(it: Setup) -> None:
    it.settings["account"] = "0x" + "77" * 20


def late(it: Setup) -> None:
    it.venue = "late"


def dear(it: Setup) -> None:
    it.venue = "dear"


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


def redirecting(it: Setup) -> None:
    it.settings["rest"] = f"http://127.0.0.1:{it.stack.enter_context(listening())}"


def self_signed(it: Setup) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate.make(it.home))
    it.settings["rest"] = f"https://127.0.0.1:{it.stack.enter_context(listening(context))}"


def nobody_there(it: Setup) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        it.settings["rest"] = f"http://127.0.0.1:{taken.getsockname()[1]}"


def no_websocket(it: Setup) -> None:
    it.settings["ws"] = it.venues["sound"].venue()["ws"] + "/nowhere"


def port_taken(it: Setup) -> None:
    it.live = False
    it.more = ["--port", str(it.stack.enter_context(listening()))]


def file_in_its_place(it: Setup) -> None:
    it.live = False
    shutil.rmtree(it.paths.root)
    it.paths.root.write_text("")


def not_writable(it: Setup) -> None:
    """No byte can be written to any file, by root neither."""
    it.live = False
    it.writable = False


def open_to_others(it: Setup) -> None:
    it.live = False
    it.paths.root.chmod(0o755)


def chain_changed(it: Setup) -> None:
    it.live = False
    it.paths.audit.write_bytes(it.paths.audit.read_bytes().replace(b"drill", b"lunch", 1))


def bit_flipped(it: Setup) -> None:
    it.live = False
    path = min(it.paths.journal.iterdir())
    data = bytearray(path.read_bytes())
    data[300] ^= 1
    path.write_bytes(data)


def row_changed(it: Setup) -> None:
    it.live = False
    connection = sqlite3.connect(it.paths.ledger)
    connection.execute("UPDATE fills SET fee = 0")
    connection.commit()
    connection.close()


def library_of_long_ago(it: Setup) -> None:
    it.live = False
    old = it.home / "path" / "trio-0.1.dist-info"
    old.mkdir(parents=True)
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: trio\nVersion: 0.1\n")
    patch = it.stack.enter_context(pytest.MonkeyPatch.context())
    patch.syspath_prepend(str(old.parent))


def without_guardian(it: Setup) -> None:
    """A daemon that answers, and nobody beside it."""
    it.live = False
    it.stack.callback(Lock(it.paths.lock, "it").release)
    listener = it.stack.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(str(it.paths.socket))
    it.paths.socket.chmod(0o600)
    listener.listen()


def guardian_stopped(it: Setup) -> None:
    """It holds its place and does not say a word."""
    without_guardian(it)
    it.stack.callback(Lock(it.paths.guardian_lock, "it").release)


def limits_of_nobody(it: Setup) -> None:
    it.live = False
    it.limits = ""


def misspelt(it: Setup) -> None:
    it.live = False
    it.more = ["--set", "limits.max_postion=3"]


BROKEN: Final[list[tuple[Callable[[Setup], None], set[Code], str]]] = [
    (wrong_password, {Code.PASSWORD_WRONG}, "try again"),
    (truncated, {Code.KEY_DAMAGED}, "import the key again"),
    (readable, {Code.KEY_EXPOSED}, "chmod 600"),
    (of_another_network, {Code.KEY_OTHER_NETWORK}, "hlomm keys import hyperliquid"),
    (signed_for_another_network, {Code.KEY_OTHER_NETWORK}, "venue.hyperliquid.chain"),
    (expired, {Code.AGENT_EXPIRED}, "hlomm keys rotate hyperliquid"),
    (never_approved, {Code.AGENT_UNKNOWN}, "approve a new API wallet"),
    (of_another_account, {Code.AGENT_OF_OTHER_ACCOUNT}, "import the right key"),
    (the_accounts_own, {Code.KEY_CAN_WITHDRAW}, "approve an agent"),
    (account_unknown, {Code.ACCOUNT_UNKNOWN, Code.AGENT_OF_OTHER_ACCOUNT}, "check venue.hyperliquid.account"),
    (late, {Code.CLOCK_SKEW}, "chrony"),
    (dear, {Code.FEES_DIFFER}, "before trusting a backtest"),
    (redirecting, {Code.REDIRECTED}, "proxy"),
    (self_signed, {Code.CERTIFICATE_BAD}, "never switch it off"),
    (nobody_there, {Code.UNREACHABLE}, "firewall"),
    (no_websocket, {Code.STREAM_UNREACHABLE}, "venue.hyperliquid.ws"),
    (port_taken, {Code.PORT_IN_USE}, "ss -ltnp"),
    (file_in_its_place, {Code.STATE_UNUSABLE}, "--state-dir"),
    (not_writable, {Code.DISK_READ_ONLY}, "remount"),
    (open_to_others, {Code.STATE_EXPOSED}, "chmod 700"),
    (chain_changed, {Code.AUDIT_BROKEN}, "keep a copy"),
    (bit_flipped, {Code.JOURNAL_DAMAGED}, "hlomm replay"),
    (row_changed, {Code.LEDGER_DIFFERS}, "--rebuild-ledger"),
    (library_of_long_ago, {Code.LIBRARY_OFF}, "pip install"),
    (without_guardian, {Code.GUARDIAN_DOWN}, "restart"),
    (guardian_stopped, {Code.GUARDIAN_STOPPED}, "kill -CONT"),
    (limits_of_nobody, {Code.LIMITS_DEFAULT}, "[limits]"),
    (misspelt, {Code.CONFIG_INVALID}, "hlomm config check"),
]


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


def test_a_sound_set_up_has_nothing_to_say(setup: Setup) -> None:
    setup.keys = "strong"
    code, document, printed = setup.look()
    worries = {check["code"]: check["text"] for check in document["checks"] if check["status"] != "ok"}
    assert (code, document["ok"], worries) == (0, True, {})
    names = {check["name"] for check in document["checks"]}
    assert {"hyperliquid clock", "hyperliquid guardian key", "hyperliquid budget", "guardian", "fsync"} <= names
    assert document["origins"]["limits.max_position"] == str(setup.home / "my.toml")
    assert document["origins"]["limits.stale_book_s"] == "default.toml"
    untouched(setup)
    silent(setup, printed)


def test_beside_a_daemon_nothing_is_signed(setup: Setup) -> None:
    """It may use the same key at the same moment, and nonces are its own."""
    place = setup.venues["sound"]
    held = account_lock("hyperliquid", "testnet", setup.account["address"])
    setup.stack.callback(held.release)
    before = place.tell(type="state")["counters"]["actions"]
    code, document, _ = setup.look()
    keys = {check["name"]: check["text"] for check in document["checks"] if check["name"].endswith("key")}
    assert code == 0
    assert all("its signature was not tried" in text for text in keys.values()), keys
    assert place.tell(type="state")["counters"]["actions"] == before
    held.release()
    setup.look()
    assert place.tell(type="state")["counters"]["actions"] == before + 2


@pytest.mark.parametrize(
    ("harm", "why"),
    [(redirecting, "a redirect to https://login.invalid/ (not followed)"), (self_signed, "self-signed")],
)
def test_a_run_says_the_same_of_its_own_requests(setup: Setup, harm: Callable[[Setup], None], why: str) -> None:
    """What a session meets there is no riddle either, and its signature goes nowhere else."""
    harm(setup)
    place, section = setup.venues["sound"].venue(), load("testnet", environ={}).settings.venue.hyperliquid
    session = hyperliquid_session(
        section, Clock(), limits=None, key=Secret(setup.account["agent_key"]), rest=setup.settings["rest"],
        ws=place["ws"], account=setup.account["address"],
    )  # fmt: skip
    with pytest.raises(VenueUnavailable, match=re.escape(why)):
        trio.run(session.fetch_resting)


@pytest.mark.parametrize(
    ("harm", "codes", "remedy"), BROKEN, ids=[harm.__name__ for harm, _, _ in BROKEN]
)  # fmt: skip
def test_each_broken_set_up_is_named_with_its_remedy(
    setup: Setup, harm: Callable[[Setup], None], codes: set[Code], remedy: str
) -> None:
    harm(setup)
    code, document, printed = setup.look()
    failed = [check for check in document["checks"] if check["status"] == "fail"]
    assert {check["code"] for check in failed} == codes, failed
    assert (code, document["ok"]) == (3, False)
    assert all(check["next"] for check in failed)
    assert any(remedy in check["next"] for check in failed), failed
    untouched(setup)
    silent(setup, printed)
