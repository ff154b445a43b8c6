"""From settings and keys to one desk per venue: what is missing is said, what is secret is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hlomm.cli.keys import venue_keys
from hlomm.daemon.desks import Keys, enabled, held, live_desks, patient
from hlomm.daemon.doctor_venues import venues
from hlomm.daemon.launch import RunOptions, _guardian
from hlomm.daemon.service import Service
from hlomm.domain.checkup import Status
from hlomm.domain.faults import AnotherInstance, ConfigError
from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET
from hlomm.domain.secret import Secret
from hlomm.domain.units import Cash
from hlomm.settings.load import Loaded, load
from hlomm.settings.paths import StatePaths
from hlomm.venues.clock import Clock

SECRET = "0x" + "11" * 32
OTHER = "0x" + "12" * 32
WALLET = "0x" + "22" * 20
HL = f"venue.hyperliquid.account='0x{'33' * 20}'"
PM = ("venue.polymarket.enabled=true", f"venue.polymarket.account='{WALLET}'", "venue.polymarket.signature_type=2")
KS = ("venue.kalshi.enabled=true", "venue.kalshi.key_id='id-1'")
PEM_KEY = Ed25519PrivateKey.generate()


def pem(password: bytes | None = None) -> bytes:
    how = serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
    return PEM_KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def mainnet(*sets: str) -> Loaded:
    return load("mainnet", (), (HL, *sets), environ={})


def all_keys() -> dict[str, Keys]:
    return {
        HYPERLIQUID: Keys(key=Secret(SECRET)),
        POLYMARKET: Keys(key=Secret(SECRET)),
        KALSHI: Keys(key=Secret(pem())),
    }


def test_every_enabled_venue_gets_a_desk() -> None:
    assert enabled(mainnet().settings) == ("hyperliquid",)
    settings = mainnet(*PM, *KS).settings
    assert enabled(settings) == ("hyperliquid", "polymarket", "kalshi")
    desks = live_desks(settings, all_keys(), Clock())
    assert [desk.venue for desk in desks] == ["hyperliquid", "polymarket", "kalshi"]
    assert [desk.books.split("|")[0] for desk in desks] == ["mainnet", "polygon", "kalshi.com"]
    assert len({desk.books for desk in desks}) == 3
    for desk in desks:
        session = desk.session(None)
        assert session.venue == desk.venue
        assert session.statistics().fuse == "ok", "a session that trades has a fuse"
        assert SECRET not in repr(desk)


def test_who_looks_for_what_may_come_late_waits_as_long_as_the_venue_says(tmp_path: Path) -> None:
    """The guardian after a death, and the daemon whose engine is frozen, which the guardian leaves that time."""
    loaded = mainnet(*PM, *KS, "venue.polymarket.arrives_s=14")
    desks = live_desks(loaded.settings, all_keys(), Clock())
    assert [desk.charged.late_s for desk in desks] == [10, 14, 5], "a request that was not answered arrives until then"
    options = RunOptions(
        loaded=loaded, paths=StatePaths(tmp_path), sim_file=None, duration_s=None, seed=0, speed=1.0, armed=Cash(0),
        keys={}, service=Service(),
    )  # fmt: skip
    keeper = _guardian(options, Clock(), desks)
    assert keeper is not None
    assert keeper.charge.frozen_s == loaded.settings.flatten.deadline_s + 14


@pytest.mark.parametrize(
    ("sets", "missing", "what"),
    [
        ((*PM, "venue.polymarket.account=''"), None, "venue.polymarket.account is empty"),
        ((*PM, "venue.polymarket.clob=''"), None, "no test network"),
        (PM, POLYMARKET, "HL_OMM_POLYMARKET_KEY"),
        ((*KS, "venue.kalshi.key_id=''"), None, "venue.kalshi.key_id is empty"),
        ((*KS, "venue.kalshi.account=''"), None, "venue.kalshi.account is empty"),
        (KS, KALSHI, "HL_OMM_KALSHI_KEY"),
        ((), HYPERLIQUID, "HL_OMM_AGENT_KEY"),
    ],
)
def test_what_a_live_venue_lacks_is_named(sets: tuple[str, ...], missing: str | None, what: str) -> None:
    keys = {venue: key for venue, key in all_keys().items() if venue != missing}
    with pytest.raises(ConfigError, match=what):
        live_desks(mainnet(*sets).settings, keys, Clock())


def test_locks_of_all_accounts_are_held_or_of_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    desks = live_desks(mainnet(*PM, *KS).settings, all_keys(), Clock())
    with held(desks[2:], "mainnet"):
        with pytest.raises(AnotherInstance, match="main"), held(desks, "mainnet"):
            raise AssertionError("the last account has a daemon")
        with held(desks[:2], "mainnet"):
            pass  # what was taken before is free again
    with held(desks, "mainnet"), pytest.raises(AnotherInstance), held(desks[1:2], "mainnet"):
        raise AssertionError("held twice")


def test_patience_for_the_host_at_every_venue() -> None:
    venue = load("sim", environ={}).settings.venue
    for section in (venue.hyperliquid, venue.polymarket, venue.kalshi):
        assert patient(section, 1.0) == section
        fast = patient(section, 20.0)
        assert fast.request_s == fast.pong_s == 20.0
        assert fast.ping_s == section.ping_s


# -- keys


def test_a_key_of_kalshi_comes_out_of_an_encrypted_file(tmp_path: Path) -> None:
    path = tmp_path / "kalshi.pem"
    path.write_bytes(pem(b"correct"))
    path.chmod(0o600)
    loaded = mainnet(*KS, f"venue.kalshi.key_file='{path}'")
    keys = venue_keys(loaded, {"HL_OMM_KEY_PASSWORD": "correct"})
    assert keys[KALSHI].key == Secret(pem())
    assert "PRIVATE" not in repr(keys)
    with pytest.raises(ConfigError, match="wrong password"):
        venue_keys(loaded, {"HL_OMM_KEY_PASSWORD": "wrong"})


def test_a_key_file_that_is_not_encrypted_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "kalshi.pem"
    path.write_bytes(pem())
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="hlomm keys import kalshi") as caught:
        venue_keys(mainnet(*KS, f"venue.kalshi.key_file='{path}'"), {"HL_OMM_KEY_PASSWORD": "x"})
    assert "PRIVATE" not in str(caught.value)


def test_keys_of_the_environment_are_taken_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"HL_OMM_POLYMARKET_KEY": SECRET, "HL_OMM_KALSHI_KEY": "PEM", "HL_OMM_AGENT_KEY": OTHER}
    keys = venue_keys(mainnet(*PM, *KS), environ)
    assert {venue: one.key for venue, one in keys.items()} == {
        HYPERLIQUID: Secret(OTHER), POLYMARKET: Secret(SECRET), KALSHI: Secret("PEM"),
    }  # fmt: skip
    said = capsys.readouterr().err
    assert said.count("warning") == 3
    assert SECRET not in said
    assert set(venue_keys(mainnet(), environ)) == {HYPERLIQUID}, "nobody asks for keys of what is not traded"


# -- doctor


def statuses(loaded: Loaded, environ: dict[str, str]) -> dict[str, tuple[Status, str]]:
    return {check.name: (check.status, check.text) for check in venues(loaded, environ)}


def test_doctor_has_a_line_for_every_venue(tmp_path: Path) -> None:
    simulated = statuses(load("sim", environ={}), {})
    assert [status for status, _ in simulated.values()] == [Status.OK] * 3
    found = statuses(mainnet(*KS), {"HL_OMM_AGENT_KEY": SECRET})
    assert found["hyperliquid"][0] is Status.WARN
    assert found["polymarket"] == (Status.OK, "not traded: enabled is false")
    assert found["kalshi"][0] is Status.FAIL
    path = tmp_path / "key"
    path.write_bytes(pem(b"x"))
    path.chmod(0o644)
    loaded = mainnet(*KS, f"venue.kalshi.key_file='{path}'")
    assert statuses(loaded, {})["kalshi"][0] is Status.FAIL
    path.chmod(0o600)
    assert statuses(loaded, {})["kalshi"][0] is Status.OK
    path.unlink()
    assert statuses(loaded, {})["kalshi"][0] is Status.FAIL
