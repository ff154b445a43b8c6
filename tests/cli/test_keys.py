"""`hlomm keys`, and what a run takes out of the keystore: every way to be wrong has a word, and tells nothing."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_account import Account

from hlomm.cli import keystore as commands
from hlomm.cli.keys import forget, venue_keys
from hlomm.cli.main import main
from hlomm.cli.password import VARIABLE, Password
from hlomm.daemon.desks import Keys
from hlomm.daemon.doctor_keys import keystore as keystore_checks
from hlomm.daemon.doctor_venues import venues as venue_checks
from hlomm.daemon.guardian_process import SECRETS
from hlomm.domain.checkup import Status
from hlomm.domain.exits import ExitCode, exit_code_of
from hlomm.domain.faults import ConfigError, HlommError, UsageError, VenueRefused
from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET
from hlomm.domain.secret import Secret
from hlomm.keystore.folder import Keystore, Slot
from hlomm.settings.load import Loaded, load
from hlomm.venues.curve import Key, checksummed
from tests.support.canaries import of_bytes, of_pem, of_text

WORD = "correct horse battery"
AGENT, OTHER, WALLET = ("0x" + bytes([fill] * 32).hex() for fill in (0x11, 0x22, 0x33))
TRIPLE = {"apiKey": "api-id", "secret": "Y2FuYXJ5LWhtYWMtc2VjcmV0LWJ5dGVz", "passphrase": "canary-passphrase"}
PLAIN = serialization.NoEncryption()
PKCS8 = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
ED = Ed25519PrivateKey.from_private_bytes(b"\x44" * 32)
PEM = ED.private_bytes(*PKCS8, PLAIN).decode()
ACCOUNT = "0x" + "ab" * 20
CANARIES = [
    *(of_bytes(key, bytes.fromhex(key[2:])) for key in (AGENT, OTHER, WALLET)), *of_pem("pem", PEM),
    of_text("word", WORD), of_text("hmac", TRIPLE["secret"]), of_text("phrase", TRIPLE["passphrase"]),
]  # fmt: skip


def address(key: str) -> str:
    return checksummed(Key.parse(Secret(key)).address)


@attrs.define
class Desk:
    """A keystore, and a hand that types."""

    home: Path
    capsys: Any

    @property
    def store(self) -> Keystore:
        return Keystore(self.home / "keys")

    def file(self, text: str | bytes, name: str = "typed", mode: int = 0o600) -> Path:
        path = self.home / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        return path

    def given(self, text: str | bytes | Path, word: str = WORD, **more: Any) -> commands.Given:
        source = text if isinstance(text, Path) else self.file(text)
        fields = {"key_id": "", "expires": "", **more}
        return commands.Given(source=str(source), password=Password({VARIABLE: word}), scrypt_n=2, **fields)

    def put(
        self, venue: str, text: str | bytes | Path, role: str = "engine", network: str = "testnet", **more: Any
    ) -> Any:
        slot = commands.slot_of(venue, role, network)
        self.capsys.readouterr()
        assert commands.import_command(self.store, slot, self.given(text, **more), as_json=True) is ExitCode.CLEAN
        return self.said()

    def said(self) -> Any:
        """The document that was printed; nothing that was printed is a secret."""
        told = self.capsys.readouterr()
        assert not leaks(told.out + told.err)
        return json.loads(told.out)

    def refused(self, act: Callable[[], object], kind: type[HlommError] = ConfigError) -> str:
        with pytest.raises(kind) as caught:
            act()
        told = self.capsys.readouterr()
        assert not leaks(str(caught.value) + told.out + told.err)
        return str(caught.value)

    def loaded(self, profile: str = "testnet", *sets: str) -> Loaded:
        folder = f"keys.folder='{self.store.folder}'"
        account = f"venue.hyperliquid.account='{ACCOUNT}'"
        return load(profile, (), (folder, account, *sets), environ={})

    def keys(self, *sets: str, word: str = WORD, profile: str = "testnet", **more: Any) -> dict[Any, Keys]:
        return venue_keys(self.loaded(profile, *sets), {}, Password({VARIABLE: word}), **more)


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


def leaks(text: str) -> list[str]:
    content = text.encode()
    return [canary.name for canary in CANARIES if any(canary.found_in(content, content.lower()))]


PM = ("venue.polymarket.enabled=true", f"venue.polymarket.account='{ACCOUNT}'", "venue.polymarket.clob='http://a'")
KS = ("venue.kalshi.enabled=true", "venue.kalshi.key_id='id-1'")


# -- import


def test_every_kind_of_key_goes_in_and_comes_out_in_a_run(desk: Desk) -> None:
    assert desk.put("hyperliquid", AGENT)["id"] == address(AGENT)
    desk.put("hyperliquid", OTHER[2:], role="guardian")
    desk.put("polymarket", WALLET)
    assert desk.put("polymarket", json.dumps(TRIPLE), role="api")["id"] == "api-id"
    assert desk.put("kalshi", PEM, key_id="id-1")["kind"] == "ed25519"
    for path in desk.store.folder.glob("*.json"):
        assert not leaks(path.read_text()), "what is on disk is encrypted"
    found = desk.keys(*PM, *KS)
    assert found[HYPERLIQUID] == Keys(key=Secret(AGENT), guardian=Secret(OTHER))
    assert found[POLYMARKET].key == Secret(WALLET)
    api = found[POLYMARKET].api_key
    assert api is not None
    assert (api.key, api.secret, api.passphrase) == ("api-id", Secret(TRIPLE["secret"]), Secret(TRIPLE["passphrase"]))
    assert found[KALSHI].key == Secret(PEM)


def test_keys_that_are_encrypted_elsewhere_are_taken_over(desk: Desk) -> None:
    desk.put("hyperliquid", json.dumps(Account.encrypt(AGENT, WORD, iterations=2)))
    desk.store.remove(Slot("hyperliquid", "engine", "testnet"))
    reading, writing = os.pipe()
    os.write(writing, b"another word")
    os.close(writing)
    theirs = desk.file(json.dumps(Account.encrypt(AGENT, "another word", iterations=2)))
    desk.put("hyperliquid", theirs, own=Password({}, reading))
    small = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encrypted = small.private_bytes(*PKCS8, serialization.BestAvailableEncryption(WORD.encode()))
    assert desk.put("kalshi", encrypted, key_id="id-1")["kind"] == "rsa"
    found = desk.keys(*KS)
    assert found[HYPERLIQUID].key == Secret(AGENT)
    assert found[KALSHI].key == Secret(small.private_bytes(*PKCS8, PLAIN))


@pytest.mark.parametrize(
    ("venue", "role", "text", "said"),
    [
        ("hyperliquid", "engine", AGENT[:-1], "64 hex digits"),
        ("hyperliquid", "engine", "0x" + "ff" * 32, "outside the curve"),
        ("hyperliquid", "engine", PEM, "64 hex digits"),
        ("hyperliquid", "engine", b"\xff\xfe" * 20, "64 hex digits"),
        ("polymarket", "api", AGENT, "an API key is JSON"),
        ("polymarket", "api", json.dumps({**TRIPLE, "apiKey": ""}), "an API key is JSON"),
        ("polymarket", "api", json.dumps({**TRIPLE, "secret": TRIPLE["secret"] + "!"}), "base64"),
        ("polymarket", "api", json.dumps({**TRIPLE, "passphrase": "two\nlines"}), "passphrase: expected printable"),
        ("kalshi", "engine", PEM[:-50], "expected an unencrypted RSA or Ed25519"),
        ("kalshi", "engine", AGENT, "expected an unencrypted RSA or Ed25519"),
        ("hyperliquid", "engine", '{"crypto": {}}', "import the key again"),
    ],
)
def test_what_is_no_key_is_refused_and_not_repeated(desk: Desk, venue: str, role: str, text: str, said: str) -> None:
    given = desk.given(text, key_id="id")
    slot = commands.slot_of(venue, role, "testnet")
    assert said in desk.refused(lambda: commands.import_command(desk.store, slot, given, as_json=False))
    assert desk.store.files() == []


def test_one_password_opens_all(desk: Desk) -> None:
    desk.put("hyperliquid", AGENT)
    second = commands.slot_of("hyperliquid", "guardian", "testnet")
    other = desk.given(OTHER, word="another password")
    assert "wrong password" in desk.refused(lambda: commands.import_command(desk.store, second, other, as_json=False))
    assert len(desk.store.files()) == 1


def test_a_first_password_is_long_enough_and_typed_twice(desk: Desk) -> None:
    slot = commands.slot_of("hyperliquid", "engine", "testnet")
    short = desk.given(AGENT, word="1234567")
    assert "shorter than 8" in desk.refused(lambda: commands.import_command(desk.store, slot, short, as_json=False))
    for typed, good in (([WORD, WORD], True), ([WORD, WORD + "x"], False)):
        asked: list[str] = []
        answers = iter(typed)

        def ask(text: str, asked: list[str] = asked, answers: Any = answers) -> str:
            asked.append(text)
            return str(next(answers))

        given = attrs.evolve(desk.given(AGENT), password=Password({}, ask=ask))
        act = lambda given=given: commands.import_command(desk.store, slot, given, as_json=False)  # noqa: E731
        if good:
            act()
            desk.store.remove(slot)
        else:
            assert "differ" in desk.refused(act)
        assert len(asked) == 2


def test_a_file_that_others_can_read_is_not_taken_in(desk: Desk) -> None:
    slot = commands.slot_of("hyperliquid", "engine", "testnet")
    path = desk.file(AGENT, "open", 0o640)
    said = desk.refused(lambda: commands.import_command(desk.store, slot, desk.given(path), as_json=False))
    assert said.endswith(f"chmod 600 {path}")


@pytest.mark.parametrize(
    ("venue", "role", "network", "said"),
    [
        ("nyse", "engine", "testnet", "there are: hyperliquid, polymarket, kalshi"),
        ("hyperliquid", "owner", "testnet", "there are: engine, guardian"),
        ("kalshi", "guardian", "testnet", "uses the daemon's"),
        ("hyperliquid", "engine", "devnet", "there are: mainnet, testnet"),
    ],
)
def test_what_nobody_would_use_is_refused(desk: Desk, venue: str, role: str, network: str, said: str) -> None:
    assert said in desk.refused(lambda: commands.slot_of(venue, role, network), UsageError)


@pytest.mark.parametrize(("day", "said"), [("soon", "expected a day"), ("2020-01-01", "that is over")])
def test_a_day_that_is_none_or_over(desk: Desk, day: str, said: str) -> None:
    slot = commands.slot_of("hyperliquid", "engine", "testnet")
    given = desk.given(AGENT, expires=day)
    assert said in desk.refused(lambda: commands.import_command(desk.store, slot, given, as_json=False), UsageError)


# -- rotate, list, remove


def test_a_rotation_is_used_at_once_and_can_be_taken_back(desk: Desk) -> None:
    slot = commands.slot_of("hyperliquid", "engine", "testnet")
    desk.put("hyperliquid", AGENT)
    same = desk.given(AGENT)
    assert "has already" in desk.refused(
        lambda: commands.rotate_command(desk.store, slot, same, as_json=True), UsageError
    )
    commands.rotate_command(desk.store, slot, desk.given(OTHER), as_json=True)
    assert desk.said()["id"] == address(OTHER)
    assert desk.keys()[HYPERLIQUID].key == Secret(OTHER)
    commands.settle_command(desk.store, slot, confirm=False, as_json=True)
    assert desk.keys()[HYPERLIQUID].key == Secret(AGENT)
    commands.rotate_command(desk.store, slot, desk.given(OTHER), as_json=True)
    commands.settle_command(desk.store, slot, confirm=True, as_json=True)
    assert desk.keys()[HYPERLIQUID].key == Secret(OTHER)
    assert len(desk.store.files()) == 1


def test_the_list_says_everything_but_the_secret(desk: Desk) -> None:
    desk.put("hyperliquid", AGENT, expires="2099-05-31")
    desk.put("kalshi", PEM, network="mainnet", key_id="id-1")
    assert commands.list_command(desk.store, as_json=True) is ExitCode.CLEAN
    first, second = desk.said()["keys"]
    assert (first["venue"], first["role"], first["network"]) == ("hyperliquid", "engine", "testnet")
    assert (first["id"], first["kind"], first["expires"]) == (address(AGENT), "secp256k1", "2099-05-31")
    assert first["imported"] == time.strftime("%Y-%m-%d", time.gmtime())
    assert (second["id"], second["state"]) == ("id-1", "in use")
    desk.store.path(Slot("kalshi", "engine", "mainnet")).write_bytes(b"{")
    assert commands.list_command(desk.store, as_json=False) is ExitCode.USAGE
    told = desk.capsys.readouterr().out
    assert "not a key file, or cut off" in told
    assert address(AGENT) in told
    assert not leaks(told)


def test_the_commands_themselves(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the work factor of the product, as somebody types them."""
    hardened: list[bool] = []
    # Of this very process: it would outlast the test.
    monkeypatch.setattr("hlomm.rundir.hardening.no_core_dumps", lambda: hardened.append(True))
    typed, word = desk.file(AGENT), {VARIABLE: WORD}
    where = ["hyperliquid", "--network", "testnet", "--keystore", str(desk.store.folder)]

    def do(*arguments: str, code: int = 0) -> Any:
        done = CliRunner().invoke(main, ["keys", *arguments], env=word)
        assert done.exit_code == code, done.output
        assert not leaks(done.output)
        return done

    done = do("import", *where, "--from", str(typed), "--json")
    assert json.loads(done.stdout)["id"] == address(AGENT)
    assert "warning: the key password is in HL_OMM_KEY_PASSWORD" in done.stderr
    assert "remove it" in done.stderr
    assert "hlomm keys rotate" in do("import", *where, "--from", str(typed), code=2).stderr
    assert json.loads(do("list", "--keystore", str(desk.store.folder), "--json").stdout)["keys"][0]["state"] == "in use"
    (found,) = desk.store.files()
    assert found.key is not None
    assert not found.key.crypto.weak
    assert "say --yes" in do("remove", *where, code=2).stderr
    do("rotate", *where, "--confirm", code=2)
    do("rotate", *where, "--confirm", "--undo", code=2)
    assert "revoke it at the venue" in do("remove", *where, "--yes").stdout
    assert "no keys" in do("list", "--keystore", str(desk.store.folder)).stderr
    assert len(hardened) == 8, "before any of them"


# -- what a run takes


def test_a_wrong_password_is_said_with_the_remedy(desk: Desk) -> None:
    desk.put("hyperliquid", AGENT)
    said = desk.refused(lambda: desk.keys(word="not the password"))
    assert "hyperliquid-engine-testnet.json: wrong password" in said
    assert "approve a new key" in said


def test_a_keystore_file_that_is_cut_off(desk: Desk) -> None:
    desk.put("hyperliquid", AGENT)
    path = desk.store.path(Slot("hyperliquid", "engine", "testnet"))
    path.write_bytes(path.read_bytes()[:-40])
    assert "cut off — import the key again" in desk.refused(desk.keys)


def test_a_key_file_that_others_can_read(desk: Desk) -> None:
    desk.put("hyperliquid", AGENT)
    path = desk.store.path(Slot("hyperliquid", "engine", "testnet"))
    path.chmod(0o604)
    assert desk.refused(desk.keys).endswith(f"chmod 600 {path}")
    named = f"venue.hyperliquid.key_file='{path}'"
    assert desk.refused(lambda: desk.keys(named)).endswith(f"chmod 600 {path}")
    path.chmod(0o600)
    desk.store.folder.chmod(0o755)
    assert desk.refused(desk.keys).endswith(f"chmod 700 {desk.store.folder}")


def test_a_symlink_is_not_followed(desk: Desk) -> None:
    desk.put("hyperliquid", AGENT)
    link = desk.home / "link"
    link.symlink_to(desk.store.path(Slot("hyperliquid", "engine", "testnet")))
    said = desk.refused(lambda: desk.keys(f"venue.hyperliquid.key_file='{link}'"))
    assert "is a symlink" in said


def test_a_key_of_another_network_role_or_venue(desk: Desk) -> None:
    desk.put("hyperliquid", AGENT, network="mainnet")
    path = desk.store.path(Slot("hyperliquid", "engine", "mainnet"))
    named = f"venue.hyperliquid.key_file='{path}'"
    said = desk.refused(lambda: desk.keys(named))
    assert "holds a key of mainnet, and this run trades on testnet" in said
    assert "hlomm keys import hyperliquid --role engine --network testnet" in said
    guardian = f"venue.hyperliquid.guardian_key_file='{path}'"
    desk.put("hyperliquid", OTHER)
    assert "for engine, not of hyperliquid guardian" in desk.refused(lambda: desk.keys(guardian))
    wallet = f"venue.polymarket.key_file='{path}'"
    assert "not of polymarket engine" in desk.refused(lambda: desk.keys(*PM, wallet))
    assert desk.keys(profile="mainnet")[HYPERLIQUID].key == Secret(AGENT)


def test_a_label_that_was_edited_is_noticed(desk: Desk) -> None:
    desk.put("hyperliquid", AGENT)
    path = desk.store.path(Slot("hyperliquid", "engine", "testnet"))
    path.write_bytes(path.read_bytes().replace(address(AGENT).encode(), address(OTHER).encode()))
    assert "not the key that its label names" in desk.refused(desk.keys)


def test_an_agent_that_has_expired_is_refused_with_5(desk: Desk) -> None:
    desk.put("hyperliquid", AGENT, expires="2099-05-31")
    desk.keys()
    path = desk.store.path(Slot("hyperliquid", "engine", "testnet"))
    written = json.loads(path.read_bytes())
    for ahead_s, refused in ((-1, True), (86_400, False)):
        written["hlomm"]["expires_ms"] = int((time.time() + ahead_s) * 1000)
        path.write_text(json.dumps(written))
        if refused:
            said = desk.refused(desk.keys, VenueRefused)
            assert exit_code_of(VenueRefused(said)) == 5
            assert "expired on" in said
            assert "hlomm keys rotate hyperliquid --role engine --network testnet" in said
        else:
            desk.keys()
            assert "expires on" in desk.capsys.readouterr().err


def test_the_accounts_own_key_is_refused_unless_that_is_known(desk: Desk) -> None:
    desk.put("hyperliquid", AGENT)
    own = f"venue.hyperliquid.account='{address(AGENT).upper().replace('X', 'x', 1)}'"
    said = desk.refused(lambda: desk.keys(own))
    assert "can withdraw everything" in said
    assert "--i-know" in said
    assert desk.keys(own, i_know=True)[HYPERLIQUID].key == Secret(AGENT)
    assert "can withdraw" in desk.capsys.readouterr().err
    desk.put("hyperliquid", OTHER, role="guardian")
    guardians = f"venue.hyperliquid.account='{address(OTHER)}'"
    assert "--i-know" in desk.refused(lambda: desk.keys(guardians))
    desk.put("polymarket", WALLET)
    wallet = f"venue.polymarket.account='{address(WALLET)}'"
    assert "polymarket" in desk.refused(lambda: desk.keys(*PM, wallet))


def test_two_roles_have_two_keys(desk: Desk) -> None:
    desk.put("hyperliquid", AGENT)
    desk.put("hyperliquid", AGENT, role="guardian")
    assert "one key" in desk.refused(desk.keys)
    assert desk.keys("guardian.enabled=false")[HYPERLIQUID] == Keys(key=Secret(AGENT))


def test_a_key_of_another_kind(desk: Desk) -> None:
    desk.put("kalshi", PEM, key_id="id-1")
    path = desk.store.path(Slot("kalshi", "engine", "testnet"))
    relabelled = json.loads(path.read_bytes())
    relabelled["hlomm"] |= {"venue": "hyperliquid"}
    other = desk.file(json.dumps(relabelled), "other")
    said = desk.refused(lambda: desk.keys(f"venue.hyperliquid.key_file='{other}'"))
    assert "of kind ed25519, not secp256k1" in said


def test_the_key_of_another_id(desk: Desk) -> None:
    desk.put("kalshi", PEM, key_id="id-2")
    assert "venue.kalshi.key_id is id-1" in desk.refused(lambda: desk.keys(*KS))


def test_the_password_is_asked_for_once(desk: Desk) -> None:
    desk.put("hyperliquid", AGENT)
    desk.put("hyperliquid", OTHER, role="guardian")
    asked: list[str] = []

    def ask(text: str) -> str:
        asked.append(text)
        return WORD

    venue_keys(desk.loaded(), {}, Password({}, ask=ask))
    assert len(asked) == 1


def test_children_inherit_nothing() -> None:
    environ = {**dict.fromkeys(SECRETS, "x"), "PATH": "p"}
    forget(environ)
    assert environ == {"PATH": "p"}


# -- doctor


def worries(loaded: Loaded) -> list[tuple[Status, str, str]]:
    return [
        (check.status, check.text, check.next) for check in keystore_checks(loaded) if check.status is not Status.OK
    ]


def test_the_doctor_says_who_could_read_it_and_what_is_in_it(desk: Desk) -> None:
    assert list(keystore_checks(desk.loaded("sim"))) == []
    (nothing,) = keystore_checks(desk.loaded())
    assert "for testnet: no key" in nothing.text
    desk.put("hyperliquid", AGENT)
    weak, alone = worries(desk.loaded())
    assert "scrypt n=2" in weak[1]
    assert alone[2].endswith("hlomm keys import hyperliquid --role guardian --network testnet")
    found = {check.name: check for check in venue_checks(desk.loaded(), {})}
    assert found["hyperliquid"].status is Status.OK
    desk.store.folder.chmod(0o750)
    assert worries(desk.loaded()) == [
        (Status.FAIL, f"keystore {desk.store.folder} is open to others (mode 0750)", f"chmod 700 {desk.store.folder}")
    ]
    found = {check.name: check for check in venue_checks(desk.loaded(), {})}
    assert found["hyperliquid"].status is Status.FAIL


def aged(path: Path, ahead_s: float) -> None:
    written = json.loads(path.read_bytes())
    written["hlomm"]["expires_ms"] = int((time.time() + ahead_s) * 1000)
    path.write_text(json.dumps(written))


def unlabelled(path: Path) -> None:
    written = json.loads(path.read_bytes())
    del written["hlomm"]
    path.write_text(json.dumps(written))


@pytest.mark.parametrize(
    ("harm", "status", "said", "remedy"),
    [
        (lambda path: path.chmod(0o644), Status.FAIL, "can be read by others", "chmod 600"),
        (lambda path: path.write_bytes(b"{"), Status.FAIL, "cut off", "import the key again"),
        (lambda path: aged(path, -1), Status.FAIL, "expired on", "hlomm keys rotate hyperliquid"),
        (lambda path: aged(path, 7 * 86_400), Status.WARN, "expires on", "hlomm keys rotate hyperliquid"),
        (unlabelled, Status.WARN, "does not say what it is for", "hlomm keys import"),
    ],
)
def test_the_doctor_names_what_is_wrong_with_a_key(
    desk: Desk, harm: Callable[[Path], Any], status: Status, said: str, remedy: str
) -> None:
    desk.put("hyperliquid", AGENT)
    desk.put("hyperliquid", OTHER, role="guardian")
    harm(desk.store.path(Slot("hyperliquid", "engine", "testnet")))
    found = [row for row in worries(desk.loaded()) if said in row[1]]
    assert [row[0] for row in found] == [status]
    assert remedy in found[0][2]


def test_the_doctor_reminds_of_a_rotation(desk: Desk) -> None:
    slot = commands.slot_of("hyperliquid", "engine", "testnet")
    desk.put("hyperliquid", AGENT)
    commands.rotate_command(desk.store, slot, desk.given(OTHER), as_json=True)
    assert any("a rotation waits" in text for _, text, _ in worries(desk.loaded()))
