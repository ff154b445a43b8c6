"""No secret is in anything that a run leaves: real processes, keys from a real keystore, a venue cut, and a crash.

The run is a live one in everything but its addresses: profile testnet against `hlomm sim`, three venues, keys of its
accounts encrypted by `hlomm keys import`, the password as a systemd credential. Alerts of it go to endpoints that take
them, hang, refuse, fail, or are not to be trusted; their URLs are secrets too.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import trio

from hlomm.cli import alert_urls
from hlomm.cli.client import Client
from hlomm.cli.password import CREDENTIAL
from hlomm.domain.faults import ProtocolViolation, UsageError
from hlomm.domain.report import Snapshot
from hlomm.domain.secret import Secret
from hlomm.rundir.processes import HeldProcess, started_ticks
from hlomm.settings.paths import StatePaths
from hlomm.venues.curve import Key
from hlomm.venues.http_client import HttpClient, HttpLimits
from hlomm.venues.polymarket.auth import l1_headers
from hlomm.venues.polymarket.contracts import Contracts
from hlomm.venues.transport import Transport
from tests.support.canaries import Canary, of_bytes, of_pem, of_text, traces
from tests.support.endpoint import HANGS, Endpoint, endpoint
from tests.trials.conftest import POLL_S, end, launch, say

pytestmark = pytest.mark.trial

PASSWORD: Final = "canary-password-9f1c37d2"
ALERT_TOKEN: Final = "canary-alert-token-c41ba7e6"
ALERT_LOGIN: Final = ("canary-alert-user-70dd", "canary-alert-login-11fe")
WRONG: Final = "canary-wrong-password-5b20"
LIMITS: Final = """[limits]
max_position = 200
max_gross_notional = 500
max_order_notional = 60
max_open_orders = 20
max_drawdown = 300
max_clock_skew_s = 60
max_fair_deviation = 0.25
max_resting_without_deadman = 300
max_loss_event = 200
max_loss_underlying = 300
max_loss_total = 400
max_hedge_notional = 0
max_sets = 0
max_orders_per_s = 50
max_notional_per_min = 5000
[guardian]
linger_s = 5
give_up_s = 60
[alerts]
level = "info"
fills = true
digest_s = 5
send_s = 2
[daemon]
log = "debug"
segment_mb = 1
"""


@attrs.define(eq=False)
class Stage:
    """`left` is what a run leaves and what is searched; what the test itself hands in lies beside it."""

    home: Path
    venues: dict[str, Any]
    count: int = 0
    processes: list[subprocess.Popen[bytes]] = attrs.field(factory=list)
    canaries: list[Canary] = attrs.field(factory=list)

    @property
    def left(self) -> Path:
        return self.home / "left"

    @property
    def given(self) -> Path:
        return self.home / "given"

    @property
    def paths(self) -> StatePaths:
        return StatePaths(self.left / "state")

    def hand(self, name: str, content: str) -> Path:
        path = self.given / name
        path.parent.mkdir(mode=0o700, exist_ok=True, parents=True)
        path.write_text(content)
        path.chmod(0o600)
        return path

    def start(self, *arguments: str, credential: str = "credential") -> subprocess.Popen[bytes]:
        """A command whose output is an artifact, in a folder of its own, free to leave a core there."""
        self.count += 1
        name = f"{self.count:02}-{'-'.join(arguments[:2]).replace('/', '_')[:40]}"
        folder = self.left / "cwd"
        folder.mkdir(exist_ok=True, parents=True)
        environment = {
            "PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(Path.cwd()), "LANG": "C.UTF-8",
            "HOME": str(self.left), "XDG_STATE_HOME": str(self.left / "xdg"), "XDG_DATA_HOME": str(self.left / "data"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", "PYTHONFAULTHANDLER": "1",
            "CREDENTIALS_DIRECTORY": str(self.given / credential),
        }  # fmt: skip
        with may_dump(), (self.left / f"{name}.out").open("wb") as out, (self.left / f"{name}.err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "hlomm.cli.main", *arguments], env=environment, cwd=folder, stdout=out,
                stderr=err, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def do(self, *arguments: str, code: int | None = 0, credential: str = "credential") -> None:
        process = self.start(*arguments, credential=credential)
        got = process.wait(120)
        assert code is None or got == code, (arguments, got, (self.left / "cwd").parent)

    def run(self, *more: str) -> subprocess.Popen[bytes]:
        return self.start(
            "run", "--profile", "testnet", "--config", str(self.given / "my.toml"), "--arm", "500", "--i-know",
            "--state-dir", str(self.paths.root), "--json", *more,
        )  # fmt: skip

    def guardians(self) -> list[int]:
        """Those that began here, oldest first."""
        try:
            lines = [json.loads(line) for line in self.paths.guardian_log.read_text().splitlines()]
        except FileNotFoundError:
            return []
        return [line["pid"] for line in lines if line["event"] == "started"]

    def end_guardians(self) -> None:
        """One that outlives a test that failed would go on at a venue that is gone."""
        for pid in self.guardians():
            ticks = started_ticks(pid)
            command = Path(f"/proc/{pid}/cmdline")
            if ticks is not None and str(self.paths.root) in command.read_text():
                HeldProcess(pid, ticks).kill()

    def snapshot(self) -> Snapshot | None:
        try:
            client = Client(self.paths.socket, 1.0)
            try:
                return client.snapshot()
            finally:
                client.close()
        except (UsageError, ProtocolViolation):
            return None

    async def until(self, state: str, within_s: float = 90) -> None:
        with trio.fail_after(within_s):
            while (seen := self.snapshot()) is None or seen.engine.state != state:
                await trio.sleep(POLL_S)


@contextmanager
def may_dump() -> Iterator[None]:
    """What is started meanwhile may leave a core, unless it sees to that itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


async def api_key(pm: dict[str, Any]) -> dict[str, str]:
    """Have the venue make the API key, as its web page would."""
    headers = l1_headers(Key.parse(Secret(pm["accounts"][0]["key"])), Contracts().chain_id, int(time.time()))
    async with Transport().http(pm["rest"], HttpLimits()) as client:
        client: HttpClient
        answer = await client.request("POST", "/auth/api-key", b"", headers)
    assert answer.status == 200, answer.body
    made: dict[str, str] = json.loads(answer.body)
    return made


def my_toml(venues: dict[str, Any]) -> str:
    hl, pm, ks = (venues[name] for name in ("hyperliquid", "polymarket", "kalshi"))
    return (
        LIMITS
        + f"""
[venue.hyperliquid]
rest = "{hl["rest"]}"
ws = "{hl["ws"]}"
account = "{hl["accounts"][0]["address"]}"
[venue.polymarket]
enabled = true
clob = "{pm["rest"]}"
gamma = "{pm["gamma"]}"
ws = "{pm["ws"]}"
account = "{pm["accounts"][0]["funder"]}"
signature_type = {pm["accounts"][0]["signature_type"]}
[venue.kalshi]
enabled = true
rest = "{ks["rest"]}"
ws = "{ks["ws"]}"
account = "{ks["accounts"][0]["name"]}"
key_id = "{ks["accounts"][0]["key_id"]}"
"""
    )


def secrets_of(venues: dict[str, Any], triple: dict[str, str]) -> list[Canary]:
    """Whatever the processes knew and may not tell: of the accounts, and of the password."""
    hl, pm, ks = (venues[name]["accounts"][0] for name in ("hyperliquid", "polymarket", "kalshi"))
    chain = {"agent": hl["agent_key"], "guardian": hl["guardian_key"], "master": hl["key"], "wallet": pm["key"]}
    return [
        *(of_bytes(name, bytes.fromhex(key[2:])) for name, key in chain.items()),
        *of_pem("kalshi", ks["private_key_pem"]),
        of_text("hmac secret", triple["secret"]), of_text("hmac passphrase", triple["passphrase"]),
        of_text("password", PASSWORD), of_text("wrong password", WRONG), of_text("alert token", ALERT_TOKEN),
        *(of_text(f"alert {word}", word) for word in ALERT_LOGIN),
    ]  # fmt: skip


def import_all(stage: Stage, triple: dict[str, str]) -> None:
    hl, pm, ks = (stage.venues[name]["accounts"][0] for name in ("hyperliquid", "polymarket", "kalshi"))
    for name, words, content in (
        ("agent", ("hyperliquid",), hl["agent_key"]),
        ("guardian", ("hyperliquid", "--role", "guardian"), hl["guardian_key"]),
        ("wallet", ("polymarket",), pm["key"]),
        ("triple", ("polymarket", "--role", "api"), json.dumps(triple)),
        ("pem", ("kalshi", "--key-id", ks["key_id"]), ks["private_key_pem"]),
    ):
        stage.do("keys", "import", *words, "--network", "testnet", "--from", str(stage.hand(name, content)))
    stage.do("keys", "list")
    stage.do("keys", "list", "--json")


def of_process(stage: Stage, pid: int, name: str) -> None:
    """What others can read of a running process."""
    for what in ("cmdline", "environ", "limits"):
        (stage.left / f"{name}.{what}").write_bytes(Path(f"/proc/{pid}/{what}").read_bytes())
    limits = (stage.left / f"{name}.limits").read_text().splitlines()
    core = next(line for line in limits if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"], core


@contextmanager
def alert_endpoints(folder: Path) -> Iterator[tuple[Endpoint, str]]:
    """One that takes messages, and the URLs of it and of the others."""
    folder.mkdir()
    with (
        endpoint() as good, endpoint(HANGS) as hangs, endpoint(500) as broken, endpoint(302) as elsewhere,
        endpoint(certificate=folder) as doubtful, endpoint() as closed,
    ):  # fmt: skip
        closed.server.server_close()
        urls = [one.url(ALERT_TOKEN) for one in (good, broken, elsewhere, closed)]
        urls += [hangs.url(ALERT_TOKEN, "?rto=30"), doubtful.url(ALERT_TOKEN, scheme="jsons")]
        urls = [url.replace("://", f"://{':'.join(ALERT_LOGIN)}@") for url in urls]
        yield good, "\n".join(urls)


def look(stage: Stage, *, live: bool) -> None:
    """Every command that says something about the run."""
    state = ("--state-dir", str(stage.paths.root))
    config = ("--profile", "testnet", "--config", str(stage.given / "my.toml"))
    if live:
        for command in ("status", "orders", "positions", "fills", "pnl", "markets", "explain"):
            stage.do(command, *state, "--json", code=None)
    stage.do("doctor", *config, *state, "--json", code=None)
    stage.do("doctor", *config, *state, code=None)
    if live:  # keys are opened for it, which takes a second each
        stage.do("doctor", *config, *state, "--live", "--i-know", "--json", code=None)
    stage.do("config", "show", *config, "--json")


async def test_no_secret_is_in_anything_that_a_run_leaves(tmp_path: Path) -> None:
    # The first settlement is chosen so that the venues' clock is the host's: signed requests say what time it is.
    expiry_s = max(180 - (time.time() + 3) % 180, 5)
    options = ["--linger", "600", "--first-expiry", f"{expiry_s:.3f}"]
    simulator = launch(tmp_path / "sim", ["sim", "--json", *options], "sim")
    assert simulator.stdout is not None
    stage = Stage(tmp_path, json.loads(simulator.stdout.readline())["venues"])
    stage.left.mkdir()
    stage.hand(f"credential/{CREDENTIAL}", f"{PASSWORD}\n")
    stage.hand(f"mistaken/{CREDENTIAL}", WRONG)
    stage.hand("my.toml", my_toml(stage.venues))
    told = ("--profile", "testnet", "--config", str(stage.given / "my.toml"), "--state-dir", str(stage.paths.root))
    with alert_endpoints(tmp_path / "certificate") as (good, urls):
        stage.hand(f"credential/{alert_urls.CREDENTIAL}", urls)
        stage.hand(f"mistaken/{alert_urls.CREDENTIAL}", f"discord://{ALERT_TOKEN}\n{ALERT_TOKEN}")
        await a_run(stage, simulator, told)
        texts = {str(one["title"]).rpartition(": ")[2] for one in good.received}
    assert {"test", "fills", "halted", "daemon_gone", "running"} <= texts, texts
    searched(stage)


async def a_run(stage: Stage, simulator: subprocess.Popen[str], told: tuple[str, ...]) -> None:
    try:
        triple = await api_key(stage.venues["polymarket"])
        stage.canaries = secrets_of(stage.venues, triple)
        import_all(stage, triple)
        stage.do("run", "--profile", "testnet", "--config", str(stage.given / "my.toml"), "--arm", "500", "--i-know",
                 "--state-dir", str(stage.paths.root), code=2, credential="mistaken")  # fmt: skip

        stage.do("alerts", "--test", *told, code=2, credential="mistaken")
        stage.do("alerts", "--test", *told, code=5)
        alerts = stage.start("alerts", *told)
        daemon = stage.run()
        await stage.until("running")
        await trio.sleep(5)
        guardian = stage.guardians()[-1]
        of_process(stage, daemon.pid, "daemon")
        of_process(stage, guardian, "guardian")
        of_process(stage, alerts.pid, "alerts")
        look(stage, live=True)
        async with Transport().http(stage.venues["hyperliquid"]["rest"], HttpLimits()) as client:
            cut = await client.post("/sim", b'{"type": "fault", "name": "ws_killed"}')
            assert cut.status == 200
        await stage.until("halted")
        daemon.send_signal(signal.SIGSEGV)
        with trio.fail_after(30):
            ended = await trio.to_thread.run_sync(os.waitid, os.P_PID, daemon.pid, os.WEXITED | os.WNOWAIT)
        assert (ended.si_code, ended.si_status) == (os.CLD_KILLED, signal.SIGSEGV), "and left no core"
        with trio.fail_after(90):
            while started_ticks(guardian) is not None:
                await trio.sleep(POLL_S)

        again = stage.run()
        await stage.until("halted")
        alerts.send_signal(signal.SIGTERM)
        assert await trio.to_thread.run_sync(alerts.wait, 30) == 0
        again.send_signal(signal.SIGINT)
        assert await trio.to_thread.run_sync(again.wait, 90) in (0, 4)
        look(stage, live=False)
        stage.do("report", str(stage.paths.root), "--out", str(stage.left / "report.html"), "--parquet", code=None)
        journal = min(stage.paths.journal.iterdir())
        stage.do("replay", str(journal), "--json")
        stage.do("bundle", "--profile", "testnet", "--config", str(stage.given / "my.toml"), "--since", "1h", "--json",
                 "--state-dir", str(stage.paths.root), "--out", str(stage.left / "bundle.zip"))  # fmt: skip
        stage.do("replay", str(stage.left / "bundle.zip"), "--json")
    finally:
        for process in stage.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        stage.end_guardians()
        end(simulator)


def searched(stage: Stage) -> None:
    canaries = stage.canaries
    files = [path for path in stage.left.rglob("*") if path.is_file()]
    leaked = traces(stage.left, canaries)
    say(f"canaries: {len(canaries)} secrets, {len(files)} artifacts of {sum(p.stat().st_size for p in files)} bytes")
    assert not leaked, leaked
    suffixes = {path.suffix for path in files}
    assert {".journal", ".sqlite", ".log", ".err", ".out", ".html", ".parquet", ".json", ".zip"} <= suffixes, suffixes
    assert not [path for path in (stage.left / "cwd").iterdir() if path.name.startswith("core")]
    # The same search, shown what it is there for.
    (stage.left / "planted.log").write_text(f"signing with {stage.venues['hyperliquid']['accounts'][0]['agent_key']}")
    assert {trace.canary for trace in traces(stage.left, canaries)} == {"agent"}
