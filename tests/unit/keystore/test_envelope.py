"""Encryption: what Ethereum's tools read and write, nothing out of a wrong password or a changed file."""

from __future__ import annotations

import json

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.secret import Secret
from hlomm.keystore.envelope import decrypt, encrypt, encrypt_key

KEY = bytes.fromhex("c0ffee" + "5a" * 29)
LOW = 2
"""scrypt's n: no work at all, for tests alone."""
PASSWORD = Secret("correct horse")


def test_ethereums_tools_read_what_we_write() -> None:
    made = encrypt_key(Secret(KEY), PASSWORD, LOW)
    assert bytes(Account.decrypt(json.dumps(made), "correct horse")) == KEY
    assert made["address"].lower() == Account.from_key(KEY).address[2:].lower()


@pytest.mark.parametrize("kdf", ["scrypt", "pbkdf2"])
def test_we_read_what_ethereums_tools_write(kdf: str) -> None:
    theirs = Account.encrypt(KEY, "correct horse", kdf=kdf, iterations=LOW)  # type: ignore[arg-type]
    assert decrypt(theirs["crypto"], PASSWORD) == Secret(KEY)
    assert decrypt(theirs["crypto"], Secret("wrong")) is None


@given(st.binary(max_size=4_000), st.text(min_size=1, max_size=40))
def test_any_bytes_come_back_with_the_password_and_with_no_other(content: bytes, word: str) -> None:
    crypto = encrypt(Secret(content), Secret(word), LOW)
    assert decrypt(crypto, Secret(word)) == Secret(content)
    assert decrypt(crypto, Secret(word + " ")) is None
    assert len(content) < 8 or content.hex() not in json.dumps(crypto)


@given(st.integers(0, 10**6), st.sampled_from(["ciphertext", "mac", "salt"]))
def test_a_changed_byte_is_noticed(at: int, where: str) -> None:
    crypto = encrypt(Secret(b"the content of a key file"), PASSWORD, LOW)
    part = crypto["kdfparams"] if where == "salt" else crypto
    changed = bytearray(bytes.fromhex(part[where]))
    changed[at % len(changed)] ^= 1 + at % 255
    part[where] = changed.hex()
    assert decrypt(crypto, PASSWORD) is None


def test_the_same_is_never_encrypted_the_same() -> None:
    one, other = (encrypt(Secret(b"x" * 32), PASSWORD, LOW) for _ in range(2))
    assert one["ciphertext"] != other["ciphertext"]
    assert one["kdfparams"]["salt"] != other["kdfparams"]["salt"]
    assert one["cipherparams"]["iv"] != other["cipherparams"]["iv"]


def test_the_product_takes_ethereums_work_factor() -> None:
    from hlomm.keystore import envelope

    assert envelope.SCRYPT_N == 262_144
    assert encrypt(Secret(b"x"), PASSWORD)["kdfparams"]["n"] == 262_144
