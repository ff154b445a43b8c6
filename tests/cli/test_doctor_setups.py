"""`hlomm doctor --json` on a sound set-up and on broken ones: each is named, says what to do, trades and tells nothing.

Each is really broken: a mode, a file cut off, a clock of the venue, a certificate. The live profile is testnet with the
addresses of simulated venues on this machine.
"""

from __future__ import annotations

import re
import shutil
import socket
import sqlite3
import ssl
import time
from collections.abc import Callable
from typing import Final

import pytest
import trio

from hlomm.assembly.venues import hyperliquid_session
from hlomm.domain.checkup import Code
from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.secret import Secret
from hlomm.rundir import certificate
from hlomm.rundir.lock import Lock, account_lock
from hlomm.settings.load import load
from hlomm.venues.clock import Clock
from tests.support.setups import LIMITS, Setup, free_port, listening, put, setup, silent, template, untouched, venues

__all__ = ["setup", "template", "venues"]

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


def redirecting(it: Setup) -> None:
    it.settings["rest"] = f"http://127.0.0.1:{it.stack.enter_context(listening())}"


def self_signed(it: Setup) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate.make(it.home))
    it.settings["rest"] = f"https://127.0.0.1:{it.stack.enter_context(listening(context))}"


def nobody_there(it: Setup) -> None:
    it.settings["rest"] = f"http://127.0.0.1:{free_port()}"


def no_websocket(it: Setup) -> None:
    it.settings["ws"] = it.venues["sound"].venue()["ws"] + "/nowhere"


def port_taken(it: Setup) -> None:
    it.live = False
    it.port = it.stack.enter_context(listening())


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


def on_no_processor(it: Setup) -> None:
    it.live = False
    it.more = ["--set", "daemon.cpus=[0, 8000]"]


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
    (on_no_processor, {Code.CPUS_ABSENT}, "name others"),
]


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


def test_what_is_worth_a_word_fails_nothing(setup: Setup) -> None:
    """A document on stdout and nothing else, whatever is logged on the way."""
    setup.key("guardian").unlink()
    setup.limits = LIMITS.replace("max_gross_notional = 500", "max_gross_notional = 500000")
    code, document, printed = setup.look()
    words = {check["code"] for check in document["checks"] if check["status"] == "warn"}
    assert (code, words) == (0, {Code.GUARDIAN_KEY_SHARED, Code.KEY_WEAK, Code.COLLATERAL_SHORT})
    assert "guardian shares the daemon's key" in printed
    untouched(setup)


def test_an_account_that_is_no_address(setup: Setup) -> None:
    setup.settings["account"] = "0x12"
    code, document, _ = setup.look()
    failed = {check["code"] for check in document["checks"] if check["status"] == "fail"}
    assert (code, failed) == (3, {Code.CONFIG_INVALID})


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
