"""`hlomm bundle`: what it packs, that it replays, what it refuses, and that no secret gets into it."""

from __future__ import annotations

import gzip
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hlomm.cli.bundle import moment
from hlomm.cli.main import main
from hlomm.daemon.bundle import shown
from hlomm.domain.faults import UsageError
from hlomm.rundir import bundle_file
from tests.replay.journals import Run, write
from tests.support.canaries import of_text, traces
from tests.support.values import EPOCH_MS

SECRET = "0x" + "c0ffee" * 10 + "5a5a"
HOUR = 3_600


def hlomm(*arguments: str | Path, **environ: str) -> Result:
    return CliRunner(env=environ).invoke(main, [*map(str, arguments)])


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Two runs, the older one written a day ago; each in segments, some of them packed."""
    root = tmp_path / "st"
    (root / "journal").mkdir(parents=True, mode=0o700)
    root.chmod(0o700)
    for epoch_ms, seed, age_s in ((EPOCH_MS, 1, 24 * HOUR), (EPOCH_MS + 5, 2, 0)):
        records = Run().weather(seed, 300).records
        for path in write(root / "journal", records, epoch_ms=epoch_ms, segment_bytes=10_000, packed={0}):
            path.chmod(0o600)
            at_ns = path.stat().st_mtime_ns - age_s * 10**9
            os.utime(path, ns=(at_ns, at_ns))
    (root / "guardian.log").write_text('{"event": "started", "pid": 1}\n')
    (root / "guardian.log").chmod(0o600)
    return root


def packed(state: Path, out: Path, *more: str | Path, **environ: str) -> dict[str, Any]:
    done = hlomm("bundle", "--state-dir", state, "--out", out, "--json", *more, **environ)
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def members(out: Path) -> set[str]:
    with zipfile.ZipFile(out) as bundle:
        return set(bundle.namelist())


def read(out: Path, name: str) -> Any:
    with zipfile.ZipFile(out) as bundle:
        return json.loads(bundle.read(name))


def test_runs_since_then_are_packed_whole_and_replay_opens_them(state: Path, tmp_path: Path) -> None:
    out = tmp_path / "b.zip"
    document = packed(state, out, "--since", "1h")
    journal = {path.name for path in (state / "journal").iterdir() if path.name.startswith(f"{EPOCH_MS + 5}")}
    assert len(journal) > 2
    assert {name.removeprefix("journal/") for name in members(out) if name.startswith("journal/")} == journal
    assert document["identical"] == {str(EPOCH_MS + 5): True}
    assert out.stat().st_mode & 0o777 == 0o600
    done = hlomm("replay", out, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["identical"]
    assert told["inputs"] == json.loads(hlomm("replay", state, "--json").stdout)["inputs"] > 100
    assert not list(tmp_path.glob("*.partial"))


def test_an_earlier_moment_takes_earlier_runs_and_replay_takes_the_newest(state: Path, tmp_path: Path) -> None:
    document = packed(state, tmp_path / "b.zip", "--since", "2d")
    assert document["identical"] == {str(EPOCH_MS): True, str(EPOCH_MS + 5): True}
    told = json.loads(hlomm("replay", tmp_path / "b.zip", "--json").stdout)
    assert all(str(EPOCH_MS + 5) in name for name in told["segments"])


def test_configuration_versions_verdicts_and_logs_are_in_it(state: Path, tmp_path: Path) -> None:
    out, log = tmp_path / "b.zip", tmp_path / "run.err"
    log.write_text("what the journal of the platform had\n")
    document = packed(state, out, "--log", log, "--set", "limits.max_position=77")
    assert {"bundle.json", "config.json", "versions.json", "doctor.json", "replay.json", "guardian.log",
            "logs/01-run.err"} <= members(out)  # fmt: skip
    assert read(out, "config.json")["limits.max_position"] == {"value": 77, "origin": "--set limits.max_position"}
    assert read(out, "versions.json")["packages"]["trio"]
    assert {check["name"] for check in read(out, "doctor.json")} >= {"configuration", "journal", "ledger", "disk"}
    assert read(out, "replay.json")[str(EPOCH_MS + 5)]["identical"]
    assert read(out, "bundle.json")["runs"] == document["runs"]


def test_a_run_that_diverges_is_packed_and_said(state: Path, tmp_path: Path) -> None:
    newest = max(path for path in (state / "journal").iterdir() if path.suffix == ".journal")
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    document = packed(state, tmp_path / "b.zip", "--since", "1h")
    assert document["identical"] == {str(EPOCH_MS + 5): False}
    assert "journal" in document["failed_checks"]
    assert hlomm("replay", tmp_path / "b.zip").exit_code == 3


def test_a_configuration_that_does_not_load_is_no_obstacle(state: Path, tmp_path: Path) -> None:
    packed(state, tmp_path / "b.zip", "--set", "limits.max_positon=77")
    assert "max_position" in read(tmp_path / "b.zip", "config.json")["error"]


# -- secrets


def test_a_secret_that_got_into_a_log_keeps_the_bundle_from_being_made(state: Path, tmp_path: Path) -> None:
    """The search is the last line: without it a key pasted into a log would travel."""
    for name, text in (
        ("key.log", f"signing with {SECRET.upper()}"),
        ("pem.log", "-----BEGIN EC PRIVATE KEY-----\nMHQ"),
        ("file.log", '{"crypto": {"ciphertext": "d172bf743a674da9"}}'),
    ):
        log = tmp_path / name
        log.write_text("x" * 2_000_000 + text)
        out = tmp_path / f"{name}.zip"
        done = hlomm("bundle", "--state-dir", state, "--out", out, "--log", log, HL_OMM_AGENT_KEY=SECRET)
        assert done.exit_code == 2, done.output
        assert f"01-{name}" in done.stderr
        assert SECRET[2:] not in done.output.lower()
        assert not out.exists()
    assert not list(tmp_path.glob("*.partial"))


def test_one_of_several_alert_urls_is_found_by_itself(state: Path, tmp_path: Path) -> None:
    urls = ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV", "tgram://123456789:abcdefg_hijklmnop/12315544/")
    log = tmp_path / "alerts.log"
    for url in urls:
        log.write_text(f"sent by way of {url}\n")
        done = hlomm("bundle", "--state-dir", state, "--out", tmp_path / "b.zip", "--log", log,
                     HL_OMM_ALERT_URLS="\n".join(urls))  # fmt: skip
        assert done.exit_code == 2, done.output
        assert "HL_OMM_ALERT_URLS" in done.stderr
        assert url not in done.output


def test_a_secret_in_a_packed_segment_is_found_too(state: Path, tmp_path: Path) -> None:
    path = min((state / "journal").glob(f"{EPOCH_MS + 5}*.gz"))
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + bytes.fromhex(SECRET[2:])))
    done = hlomm("bundle", "--state-dir", state, "--out", tmp_path / "b.zip", HL_OMM_AGENT_KEY=SECRET)
    assert done.exit_code == 2, done.output
    assert "HL_OMM_AGENT_KEY" in done.stderr


def test_only_files_known_by_name_are_taken(state: Path, tmp_path: Path) -> None:
    (state / "keys").mkdir(mode=0o700)
    for name in ("agent.key", "keys/agent.json", "hlomm-key-password", ".env"):
        (state / name).write_text(SECRET)
        (state / name).chmod(0o600)
    (tmp_path / "made").mkdir()
    packed(state, tmp_path / "made" / "b.zip")
    assert traces(tmp_path / "made", [of_text("key", SECRET), of_text("bare", SECRET[2:])]) == []


def test_addresses_are_shown_without_what_may_be_secret_in_them() -> None:
    assert shown("https://user:pass@hooks.example:8443/services/T0/B0/xyz?token=1") == "https://hooks.example:8443"
    assert shown(["tgram://123:token/chat", 5, {"a": "wss://x/ws"}]) == ["tgram://…", 5, {"a": "wss://x"}]
    assert shown("queue-back/v2") == "queue-back/v2"


# -- what is refused


def test_what_cannot_be_packed_is_said_and_leaves_nothing(state: Path, tmp_path: Path) -> None:
    out = tmp_path / "b.zip"
    for arguments, words in (
        (("--since", "soon"), "expected 90m"),
        (("--state-dir", tmp_path / "nowhere"), "no run is on record"),
        (("--log", tmp_path / "none.log"), "no such file"),
        (("--out", tmp_path / "no" / "b.zip"), "nothing was written"),
        (("--profile", "simm"), "no profile"),
    ):
        done = hlomm("bundle", "--state-dir", state, "--out", out, *arguments)
        assert done.exit_code == 2, done.output
        assert words in done.stderr
    for path in (state / "journal").iterdir():
        os.utime(path, ns=(10**18, 10**18))
    assert "the newest ended" in hlomm("bundle", "--state-dir", state, "--out", out, "--since", "1h").stderr
    assert not list(tmp_path.glob("*.zip*"))


def test_nothing_is_overwritten(state: Path, tmp_path: Path) -> None:
    out = tmp_path / "b.zip"
    out.write_text("mine")
    done = hlomm("bundle", "--state-dir", state, "--out", out)
    assert (done.exit_code, out.read_text()) == (2, "mine")


def test_a_disk_that_fills_up_leaves_nothing(state: Path) -> None:
    done = hlomm("bundle", "--state-dir", state, "--out", Path("/dev/full/b.zip"))
    assert done.exit_code == 2, done.output


@pytest.mark.parametrize("cut", [1, 100, -1])
def test_a_bundle_that_is_cut_or_damaged_is_no_run(state: Path, tmp_path: Path, cut: int) -> None:
    out = tmp_path / "b.zip"
    packed(state, out, "--no-replay")
    data = out.read_bytes()
    if cut > 0:
        out.write_bytes(data[:-cut])
    else:
        at = data.index(b"hlomm journal") if b"hlomm journal" in data else len(data) // 4
        out.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
    done = hlomm("replay", out)
    assert done.exit_code == 3, done.output


def test_another_zip_file_is_no_bundle(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as other:
        other.writestr("photo.txt", "x")
    done = hlomm("replay", tmp_path / "a.zip")
    assert done.exit_code == 2
    assert "no bundle of `hlomm bundle`" in done.stderr


def test_what_unpacks_to_more_than_any_segment_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_file, "MEMBER_MAX", 1 << 20)
    for name, content in (("journal/1788000000000-000000.journal", bytes(2 << 20)),
                          ("journal/1788000000000-000000.journal.gz", gzip.compress(bytes(2 << 20)))):  # fmt: skip
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as bomb:
            bomb.writestr("bundle.json", "{}")
            bomb.writestr(name, content)
        done = hlomm("replay", tmp_path / "a.zip")
        assert done.exit_code == 3
        assert "larger than any segment" in done.stdout


def test_moments() -> None:
    now_ns = 1_800_000_000 * 10**9
    assert moment("90m", now_ns) == now_ns - 5_400 * 10**9
    assert moment("2027-01-15T08:00", now_ns) == moment("2027-01-15T09:00+01:00", now_ns) == now_ns
    for text in ("", "h", "-1h", "yesterday"):
        with pytest.raises(UsageError):
            moment(text, now_ns)
