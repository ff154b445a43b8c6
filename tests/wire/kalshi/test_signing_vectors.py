"""`signing_vectors.json`: what we sign is what the vectors say, and a signature counts as the venue would count it."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from hlomm.domain.faults import ConfigError
from hlomm.domain.secret import Secret
from hlomm.venues.kalshi.signing import WS_PATH, Signer, load_private_key, signed_text
from tests.wire.kalshi.conftest import Shared


def verifies(public_pem: str, text: str, header: str) -> bool:
    """The venue's side: base64, PSS with a salt of exactly the digest's length."""
    key = serialization.load_pem_public_key(public_pem.encode())
    try:
        signature = base64.b64decode(header, validate=True)
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, text.encode())
        else:
            assert isinstance(key, RSAPublicKey)
            key.verify(
                signature, text.encode(), padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=32), hashes.SHA256()
            )
    except (InvalidSignature, binascii.Error):
        return False
    return True


def cases(shared: Shared) -> list[dict[str, Any]]:
    return list(shared.json("signing_vectors.json")["cases"])


def test_the_file_holds_what_the_count_says(shared: Shared) -> None:
    every = cases(shared)
    assert len(every) == 25
    assert sum(case["expect_valid"] for case in every) == 11


def test_our_text_is_the_expected_one_in_every_case(shared: Shared) -> None:
    for case in cases(shared):
        ours = signed_text(int(case["timestamp_header"]), case["method"], case["url"])
        assert ours == case["expected_message"], case["name"]


def test_every_signature_is_judged_as_the_vectors_say(shared: Shared) -> None:
    keys = shared.json("signing_vectors.json")["keys"]
    for case in cases(shared):
        text = signed_text(int(case["timestamp_header"]), case["method"], case["url"])
        judged = verifies(keys[case["key"]]["public_pem"], text, case["signature_header"])
        assert judged is case["expect_valid"], case["name"]


@pytest.mark.parametrize(("kind", "form"), [("rsa", "pkcs8"), ("rsa", "pkcs1"), ("ed25519", "pkcs8")])
def test_our_own_signatures_verify(shared: Shared, kind: str, form: str) -> None:
    keys = shared.json("signing_vectors.json")["keys"][kind]
    signer = Signer("an-id", load_private_key(Secret(keys[f"private_{form}_pem"].replace("\n", "\\n"))))
    for case in cases(shared):
        ts_ms = int(case["timestamp_header"])
        headers = dict(signer.headers(ts_ms, case["method"], case["url"]))
        assert headers["KALSHI-ACCESS-KEY"] == "an-id"
        assert headers["KALSHI-ACCESS-TIMESTAMP"] == case["timestamp_header"]
        assert verifies(keys["public_pem"], case["expected_message"], headers["KALSHI-ACCESS-SIGNATURE"])


def test_ed25519_gives_the_very_bytes_of_the_vectors(shared: Shared) -> None:
    keys = shared.json("signing_vectors.json")["keys"]["ed25519"]
    signer = Signer("an-id", load_private_key(Secret(keys["private_pkcs8_pem"])))
    chosen = [case for case in cases(shared) if case["key"] == "ed25519"]
    assert len(chosen) == 2
    for case in chosen:
        headers = dict(signer.headers(int(case["timestamp_header"]), case["method"], case["url"]))
        assert headers["KALSHI-ACCESS-SIGNATURE"] == case["signature_header"]


def test_the_upgrade_signs_its_own_path() -> None:
    assert signed_text(1, "get", f"wss://a.b{WS_PATH}") == "1GET/trade-api/ws/v2"


@pytest.mark.parametrize(
    "pem", ["", "nonsense", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "-----BEGIN"]
)
def test_what_is_no_key_is_refused_without_repeating_it(pem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_private_key(Secret(pem))
    assert "AAAA" not in str(caught.value)


def test_a_key_does_not_show_in_print(shared: Shared) -> None:
    keys = shared.json("signing_vectors.json")["keys"]["rsa"]
    assert repr(Signer("an-id", load_private_key(Secret(keys["private_pkcs8_pem"])))) == "Signer(an-id)"
