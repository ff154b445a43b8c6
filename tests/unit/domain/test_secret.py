"""A secret shows as ***, goes nowhere, and is in no frame of an error: alone, and inside whatever holds one."""

from __future__ import annotations

import copy
import functools
import io
import json
import pickle
import traceback
from typing import Any

import attrs
import msgpack
import msgspec
import pytest
import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.pretty import pretty_repr

from hlomm.daemon.beat import policy
from hlomm.daemon.desks import Keys
from hlomm.domain.faults import ConfigError, ProtocolViolation
from hlomm.domain.secret import Secret, seal
from hlomm.domain.times import ClockMap
from hlomm.settings.charge import Charge, HyperliquidCharge, encode_charge
from hlomm.settings.load import load
from hlomm.venues.curve import Key
from hlomm.venues.hyperliquid.signing import Chain
from hlomm.venues.hyperliquid.signing import Signer as AgentSigner
from hlomm.venues.kalshi.signing import Signer as KalshiSigner
from hlomm.venues.kalshi.signing import load_private_key
from hlomm.venues.polymarket.auth import ApiKey, L2Signer, hmac_key
from hlomm.venues.polymarket.contracts import Contracts
from hlomm.venues.polymarket.signing import OrderSigner, SignatureType
from tests.support.canaries import Canary, of_bytes, of_pem, of_text

RAW = bytes.fromhex("c0ffee" + "5a" * 29)
HEX = "0x" + RAW.hex()
PEM = (
    Ed25519PrivateKey.from_private_bytes(RAW[::-1])
    .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    .decode()
)
WORD = "canary-passphrase"
B64 = "Y2FuYXJ5LWhtYWMtc2VjcmV0LWJ5dGVz"
CANARIES = [of_bytes("key", RAW), *of_pem("pem", PEM), of_text("word", WORD), of_text("hmac", B64)]
ADDRESS = "0x" + "33" * 20


def leaks(text: str | bytes, canaries: list[Canary] = CANARIES) -> list[str]:
    content = text.encode() if isinstance(text, str) else text
    return [canary.name for canary in canaries if any(canary.found_in(content, content.lower()))]


def holders() -> dict[str, Any]:
    """Everything in the program that a secret ends up in."""
    key, api = Key.parse(Secret(HEX)), ApiKey("id", Secret(B64), Secret(WORD))
    return {
        "secret": Secret(HEX),
        "key": key,
        "agent": AgentSigner(key, Chain.TESTNET),
        "orders": OrderSigner(key, SignatureType.EOA, key.address, Contracts()),
        "api key": api,
        "requests": L2Signer(api, key.address),
        "kalshi": KalshiSigner("id", load_private_key(Secret(PEM))),
        "keys": Keys(key=Secret(HEX), guardian=Secret(HEX), api_key=api),
        "charge": charge(),
    }


@functools.cache
def charge() -> HyperliquidCharge:
    section = load("testnet", environ={}).settings.venue.hyperliquid
    return HyperliquidCharge(section=section, rest="http://a", ws="ws://a", account=ADDRESS, key=Secret(HEX))


NAMES = list(holders())


@pytest.mark.parametrize("name", NAMES)
def test_it_does_not_show(name: str) -> None:
    held = holders()[name]
    for text in (repr(held), str(held), f"{held!s:>80}", f"{held}", "%s %r" % (held, held), pretty_repr(held)):  # noqa: UP031
        assert not leaks(text), name
    for renderer in (structlog.processors.JSONRenderer(default=str), structlog.dev.ConsoleRenderer(colors=False)):
        assert not leaks(renderer(None, "info", {"event": "signing", "with": held, "list": [held]})), name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "way",
    [
        pickle.dumps, copy.copy, copy.deepcopy, json.dumps, msgspec.json.encode, msgspec.msgpack.encode,
        msgspec.to_builtins, msgpack.packb,
    ],
)  # fmt: skip
def test_it_goes_nowhere(name: str, way: Any) -> None:
    held = holders()[name]
    if way is copy.copy and name in {"keys", "api key", "charge"}:
        way = copy.deepcopy  # a shallow copy is the same secret in the same process
    with pytest.raises((TypeError, NotImplementedError)) as refused:
        way(held)
    assert not leaks(str(refused.value))


def test_nor_as_a_value_of_something_else() -> None:
    @attrs.frozen
    class Order:
        word: Any

    class Row(msgspec.Struct):
        word: Any

    secret = Secret(HEX)
    assert not leaks(repr(Order(secret)) + repr(Row(secret)) + repr({"a": [secret]}))
    for held in (Order(secret), {"a": secret}, [secret]):
        with pytest.raises(TypeError):
            msgspec.json.encode(held)
    with pytest.raises(TypeError):
        msgspec.msgpack.encode(Row(secret))
    with pytest.raises(TypeError):
        attrs.asdict(Order(secret), value_serializer=lambda _a, _b, value: copy.deepcopy(value))


def test_it_is_equal_to_a_secret_alone_and_finds_nothing_in_a_table() -> None:
    assert Secret("a") == Secret(b"a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != Secret("ab")
    assert Secret("a") != "a"
    with pytest.raises(TypeError):
        hash(Secret("a"))
    with pytest.raises(TypeError):
        sorted([Secret("a"), Secret("b")])  # type: ignore[type-var]
    assert not Secret("")
    assert Secret("a")
    assert (Secret("a").reveal(), Secret("a").reveal_bytes()) == ("a", b"a")
    with pytest.raises(TypeError):
        bytes(Secret("a"))  # type: ignore[call-overload]
    assert not hasattr(Secret("a"), "__dict__")


def test_the_pipe_to_the_guardian_is_the_one_place_where_a_key_is_written() -> None:
    settings = load("sim", environ={}).settings
    whole = Charge(
        pid=1, started=1, profile="sim", rules=settings.guardian, policy=policy(settings), frozen_s=1.0,
        clock=ClockMap(host_origin_ns=0, venue_origin_ns=0, speed=1.0), venues=(charge(),),
    )  # fmt: skip
    written = encode_charge(whole)
    assert leaks(written) == ["key"], "or nobody could read it at the other end"
    with pytest.raises(TypeError):
        msgspec.json.encode(whole)


def test_what_is_read_as_a_secret_is_a_text() -> None:
    class Row(msgspec.Struct):
        word: Secret

    assert msgspec.json.decode(b'{"word":"x"}', type=Row, dec_hook=seal).word == Secret("x")
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"word":5}', type=Row, dec_hook=seal)


# -- errors

FAILURES = (ValueError, TypeError, OverflowError, AttributeError, ConfigError, ProtocolViolation)
NEAR = [of_text("most of the key", HEX[:-1]), of_text("most of the pem", PEM[40:-70]), of_text("most", B64)]


def broken(name: str) -> Any:
    """Ways in which something that holds a secret fails."""
    held = holders()
    return {
        "digest too short": lambda: held["key"].sign(b"short"),
        "action that cannot be packed": lambda: held["agent"].sign_action({"a": object()}, 1),
        "order of no token": lambda: held["orders"].sign(
            token=-1, side=None, amounts=(1, 1), salt=1, timestamp_ms=1, neg_risk=False
        ),
        "path that is no text": lambda: held["kalshi"].headers(1, "GET", "/\ud800"),
        "request of no path": lambda: held["requests"].headers(1, "GET", "/\ud800"),
        "hex with a digit too few": lambda: Key.parse(Secret(HEX[:-1])),
        "key off the curve": lambda: Key(b"\xff" * 32),
        "pem cut off": lambda: load_private_key(Secret(PEM[:-40])),
        "secret that is no base64": lambda: hmac_key(Secret(B64 + "!")),
        "charge that cannot be written": lambda: msgspec.json.encode(charge()),
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "digest too short", "action that cannot be packed", "order of no token", "path that is no text",
        "request of no path", "hex with a digit too few", "key off the curve", "pem cut off",
        "secret that is no base64", "charge that cannot be written",
    ],
)  # fmt: skip
def test_no_frame_of_an_error_holds_it(name: str) -> None:
    fails = broken(name)
    with pytest.raises(FAILURES) as raised:
        fails()
    error: BaseException | None = raised.value
    assert error is not None
    error.__traceback__ = error.__traceback__.tb_next  # type: ignore[union-attr]  # of this very test nobody asks
    while error is not None:  # what would not be printed, too
        told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        assert not leaks(told, [*CANARIES, *NEAR]), told
        error = error.__context__


def test_what_a_terminal_is_told_of_an_error_has_no_locals(monkeypatch: pytest.MonkeyPatch) -> None:
    from hlomm.daemon import logs

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    logs.configure("info")

    def fails() -> None:
        revealed = HEX
        raise ValueError(f"at the worst place {len(revealed)}")

    try:
        fails()
    except ValueError:
        structlog.get_logger("hlomm").exception("it failed")
    finally:
        structlog.reset_defaults()
    assert "at the worst place" in terminal.getvalue()
    assert not leaks(terminal.getvalue())
