"""Rung: pure. Signatures accepted and refused as the vectors say, by a verifier that shares nothing with the signer."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from hlomm.sim.kalshi.accounts import Account
from hlomm.sim.kalshi.auth import BadKey, Credentials, Keys, credentials, message_of, public_key, verifies
from hlomm.sim.kalshi.refusals import Refused
from hlomm.sim.kalshi.venue import funded_accounts


def test_every_vector(kalshi_fixture: Any) -> None:
    vectors = kalshi_fixture("signing_vectors.json")
    keys = {kind: public_key(vectors["keys"][kind]["public_pem"]) for kind in ("rsa", "ed25519")}
    cases = vectors["cases"]
    assert len(cases) == 25
    for case in cases:
        message = message_of(case["timestamp_header"], case["method"], urlsplit(case["url"]).path)
        assert message.decode() == case["expected_message"], case["name"]
        good = verifies(keys[case["key"]], case["signature_header"], message)
        assert good is case["expect_valid"], case["name"]


def test_timestamps_must_be_near_and_keys_known(kalshi_fixture: Any) -> None:
    vectors = kalshi_fixture("signing_vectors.json")
    case = vectors["cases"][0]
    keys, member = Keys(30.0), Account(name="a", user_id="u")
    keys.add(vectors["key_id"], public_key(vectors["keys"]["rsa"]["public_pem"]), member)
    given = Credentials(vectors["key_id"], case["timestamp_header"], case["signature_header"])
    path, now_ns = "/trade-api/v2/portfolio/balance", int(case["timestamp_header"]) * 1_000_000
    assert keys.account_of(given, "GET", path, now_ns + 30 * 10**9) is member
    stranger = Credentials("nobody", given.timestamp, given.signature)
    bad = [
        (given, now_ns + 31 * 10**9),
        (given, now_ns - 31 * 10**9),
        (stranger, now_ns),
        (Credentials(given.key_id, given.timestamp[:-3], given.signature), now_ns),
        (Credentials(given.key_id, "soon", given.signature), now_ns),
        (Credentials(given.key_id, "", ""), now_ns),
    ]
    for wrong, at_ns in bad:
        with pytest.raises(Refused) as caught:
            keys.account_of(wrong, "GET", path, at_ns)
        assert caught.value.refusal.status == 401
    assert keys.refused == len(bad)


def test_header_names_have_no_case_and_values_do() -> None:
    headers = [(b"Kalshi-Access-Key", b"Ab"), (b"kalshi-access-timestamp", b"1"), (b"KALSHI-ACCESS-SIGNATURE", b"Xy=")]
    assert credentials(headers) == Credentials("Ab", "1", "Xy=")
    assert credentials([]) == Credentials("", "", "")


def test_only_rsa_and_ed25519_public_keys_are_keys(kalshi_fixture: Any) -> None:
    keys = kalshi_fixture("signing_vectors.json")["keys"]
    for text in ("", "nonsense", keys["rsa"]["private_pkcs8_pem"]):
        with pytest.raises(BadKey):
            public_key(text)


def test_accounts_depend_on_the_seed_alone() -> None:
    assert funded_accounts(3) == funded_accounts(3)
    assert {a.key_id for a in funded_accounts(3)}.isdisjoint(a.key_id for a in funded_accounts(4))
    assert len({a.private_key_pem for a in funded_accounts(3)}) == 4
