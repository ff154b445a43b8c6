"""Sections of the venues beside Hyperliquid: defaults, what is refused, what comes out of them. Rung: pure."""

from __future__ import annotations

import pytest

from hlomm.domain.faults import ConfigError
from hlomm.domain.secret import Secret
from hlomm.settings.charge import KalshiCharge, PolymarketCharge
from hlomm.settings.load import load

BOTH = ("venue.polymarket.enabled=true", "venue.kalshi.enabled=true")


def problems(*sets: str, profile: str = "sim") -> str:
    with pytest.raises(ConfigError) as caught:
        load(profile, (), (*BOTH, *sets), environ={})
    return str(caught.value)


def test_they_are_traded_nowhere_unasked() -> None:
    for profile in ("sim", "testnet", "mainnet"):
        venue = load(profile, environ={}).settings.venue
        assert (venue.polymarket.enabled, venue.kalshi.enabled) == (False, False)


def test_profiles_know_the_public_addresses_and_polymarket_has_no_test_network() -> None:
    testnet, mainnet = (load(profile, environ={}).settings.venue for profile in ("testnet", "mainnet"))
    assert testnet.polymarket.clob == ""
    assert mainnet.polymarket.clob == "https://clob.polymarket.com"
    assert "demo.kalshi.co/" in testnet.kalshi.rest
    assert "kalshi.com/" in mainnet.kalshi.rest
    assert mainnet.kalshi.rest.endswith("/trade-api/v2")


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("venue.polymarket.order_life_s=60", "which the venue wants"),
        ("venue.polymarket.heartbeat_s=6", "<= 5"),
        ("venue.polymarket.signature_type=4", "signature_type"),
        ("venue.polymarket.underlyings=[]", "name a coin"),
        ("venue.polymarket.arrives_s=20", "a late order could still arrive"),
        ("venue.polymarket.request_s=13", "questions would overtake answers"),
        ("venue.hyperliquid.transport=fast", "'direct' or 'library'"),
        ("venue.polymarket.transport=fast", "'direct' or 'library'"),
        ("venue.kalshi.request_s=13", "questions would overtake answers"),
        ("venue.kalshi.order_life_s=15", ">= 20"),
        ("venue.kalshi.order_life_s=61", "<= 60"),
        ("venue.kalshi.series=[]", "name one"),
        ("venue.kalshi.series=['KXBTCMAXY']", "KXBTCMAXY"),
        ("venue.kalshi.balance_holds='some'", "'auto' or 'total' or 'free'"),
        ("flatten.on_disconnect_of={kraken='pause'}", "on_disconnect_of"),
    ],
)
def test_contradictions_and_nonsense_are_refused(setting: str, what: str) -> None:
    assert what in problems(setting)


def test_a_delegate_needs_a_deposit_wallet() -> None:
    sets = ("venue.polymarket.session_key=true", "venue.polymarket.signature_type=2")
    assert "only deposit wallets delegate" in problems(*sets)
    assert load("sim", (), sets[:1], environ={}).settings.venue.polymarket.session_key


def test_what_is_not_traded_is_not_checked_against_the_rest() -> None:
    loaded = load("testnet", (), ("venue.polymarket.arrives_s=20", "venue.kalshi.request_s=13"), environ={})
    assert not loaded.settings.venue.kalshi.enabled


def test_every_venue_may_have_a_policy_of_its_own() -> None:
    sets = ("flatten.on_disconnect_of={polymarket='pause',kalshi='flatten'}",)
    assert load("sim", (), sets, environ={}).settings.flatten.on_disconnect_of == {
        "polymarket": "pause", "kalshi": "flatten",
    }  # fmt: skip


def test_an_account_is_known_by_its_network_whatever_address_leads_there() -> None:
    venue = load("mainnet", (), ("venue.polymarket.account='0xAbC'",), environ={}).settings.venue
    polymarket = PolymarketCharge(section=venue.polymarket, key=Secret("secret"))
    assert (polymarket.place("mainnet"), polymarket.account) == ("polygon", "0xabc")
    assert polymarket.place("sim") == venue.polymarket.clob
    kalshi = KalshiCharge(section=venue.kalshi, key=Secret("secret"))
    assert (kalshi.place("mainnet"), kalshi.account) == ("kalshi.com", "main")
    older = load("mainnet", (), ("venue.kalshi.rest='https://api.elections.kalshi.com/trade-api/v2'",), environ={})
    assert KalshiCharge(section=older.settings.venue.kalshi, key=Secret("")).place("mainnet") == "kalshi.com"
    demo = load("testnet", environ={}).settings.venue.kalshi
    assert KalshiCharge(section=demo, key=Secret("")).place("testnet") == "kalshi.co"
    assert "secret" not in repr(polymarket) + repr(kalshi)


def test_nothing_can_rest_at_a_venue_that_is_off() -> None:
    sets = ("strategy.cross_venue.enabled=true", "strategy.cross_venue.maker=kalshi")
    with pytest.raises(ConfigError, match=r"rests at a venue that is off: set venue\.kalshi\.enabled = true"):
        load("sim", (), sets, environ={})
    assert load("sim", (), (*BOTH, *sets), environ={}).settings.strategy.cross_venue.maker == "kalshi"
    assert load("sim", environ={}).settings.strategy.cross_venue.maker == "off"
