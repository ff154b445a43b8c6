"""Every signed action byte for byte as the slow twin makes it: text, MessagePack, digest, signature, post, frame.

`pytest -m trial -n 0 -s tests/twins` is 100,000 actions (`HLOMM_TWINS` says otherwise), `pytest tests/twins` a few
hundred. Every signature is made by eth-account, too, and every `PYTHON_EACH`th by Python alone.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from hlomm.sim.hl import signatures
from hlomm.venues.counters import Counters
from hlomm.venues.curve import Key
from hlomm.venues.hyperliquid import signing, user_signing
from hlomm.venues.hyperliquid.batches import Batch, BatchKind, Encoder
from hlomm.venues.hyperliquid.nonces import Nonces
from hlomm.venues.hyperliquid.registry import Registry
from hlomm.venues.hyperliquid.signing import Chain, Signer
from hlomm.venues.hyperliquid.wire.actions import exchange_body, post_frame
from hlomm.venues.hyperliquid.wire.outcomes import PerpRow
from hlomm.venues.websocket_direct import framed
from tests.twins import slow
from tests.twins.drawing import PERPS, Act, Acts
from tests.wire.hyperliquid.conftest import Shared

SEED: Final = 20_261_122
FEW: Final = 300
MANY: Final = int(os.environ.get("HLOMM_TWINS", "100000"))
PYTHON_EACH: Final = 4
CHAINS: Final = {True: Chain.MAINNET, False: Chain.TESTNET}


class Ear(Signer):
    """Remembers what it was asked to sign."""

    __slots__ = ("digest",)

    def sign_digest(self, digest: bytes) -> signing.Signature:
        self.digest = digest
        return super().sign_digest(digest)


SIGNERS: Final = {mainnet: Ear(Key(slow.KEY), chain) for mainnet, chain in CHAINS.items()}
REGISTRY: Final = Registry(PERPS, Counters())
REGISTRY.apply_perps([PerpRow(name, 5) for name in PERPS])


def body_of(act: Act) -> bytes:
    """Body of the request, as the program makes it."""
    asked, signer = act.slow, SIGNERS[act.slow.mainnet]
    if act.output is None:
        assert act.action is not None
        signature = signer.sign_action(act.action, asked.nonce, asked.vault, asked.expires_ms)
        return exchange_body(act.action, asked.nonce, signature.fields(), asked.vault, asked.expires_ms)
    assert asked.expires_ms is not None
    encoder = Encoder(signer, Nonces(), REGISTRY, asked.vault, asked.expires_ms - asked.nonce)
    encoder.prepare_cancels(Batch(kind=BatchKind.PLACE, requests=act.placed_before, body=b"", expires_ms=0))
    (batch,), refused = encoder.encode(act.output, asked.nonce)
    assert refused == []
    return batch.body


def stages(act: Act, *, in_python: bool) -> Iterator[tuple[str, Any, Any]]:
    """What each stage made: its name, the program's, the slow twin's."""
    body, asked = body_of(act), act.slow
    digest = SIGNERS[asked.mainnet].digest
    yield "text", slow.text(json.loads(body)["action"]), slow.text(asked.action)
    yield "MessagePack", signing.pack_action(asked.action), asked.packed()
    signable = asked.signable()
    yield "digest", digest, slow.digest_of(signable)
    signature = slow.signature(signable)
    if in_python:
        yield "signature", signature, slow.signature_in_python(digest)
    whole = asked.body(signature)
    yield "body", body, slow.text(whole).encode()
    text = post_frame(act.number, body)
    yield "post", text, slow.post(act.number, whole)
    frame = framed(text)
    yield "frame", frame, slow.websocket_frame(text.encode(), mask_of(frame))


def mask_of(frame: bytes) -> bytes:
    """Four bytes before the payload; chance, so the slow twin takes the same."""
    at = {126: 4, 127: 10}.get(frame[1] & 0x7F, 2)
    return frame[at : at + 4]


def compare(count: int) -> Counter[str]:
    """How many actions of each kind were compared. AssertionError with all of the first that differs."""
    acts, seen = Acts(SEED), Counter[str]()
    for number in range(count):
        act = acts.act(number)
        for stage, ours, theirs in stages(act, in_python=number % PYTHON_EACH == 0):
            assert ours == theirs, told(act, stage, ours, theirs)
        seen[act.kind] += 1
    return seen


def told(act: Act, stage: str, ours: Any, theirs: Any) -> str:
    return (
        f"{stage} of action {act.number} differs (repeat: Acts({SEED}).act({act.number}))\n"
        f"asked for: {act.output or act.action}\nslow twin: {act.slow}\nprogram:   {ours!r}\nslow twin: {theirs!r}"
    )


def test_actions_are_written_and_signed_alike() -> None:
    seen = compare(FEW)
    assert sum(seen.values()) == FEW
    assert set(seen) == set(Acts(SEED)._kinds)


@pytest.mark.trial
def test_a_hundred_thousand_actions_are_written_and_signed_alike() -> None:
    begun_s = time.process_time()
    seen = compare(MANY)
    assert sum(seen.values()) == MANY
    spent_s = time.process_time() - begun_s
    print(  # noqa: T201 - the report of this lane
        f"\n{MANY:,} actions of seed {SEED}, no difference: {dict(seen.most_common())}; {MANY:,} signatures by "
        f"eth-account, {-(-MANY // PYTHON_EACH):,} of them by Python alone; {spent_s:.0f} s of processor time"
    )


def test_a_difference_is_told_with_the_whole_action(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow.naive, "plain", lambda value: f"{value:.3f}")
    message = rf"(?s)text of action \d+ differs .*Acts\({SEED}\)\.act\(\d+\).*PlaceOrders.*program: "
    with pytest.raises(AssertionError, match=message):
        compare(FEW)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 1_000, 65_535, 65_536, 70_000])
def test_frames_of_every_length_are_those_of_the_library_and_of_the_standard(size: int) -> None:
    text = "x" * size
    frame = framed(text)
    assert frame == slow.websocket_frame(text.encode(), mask_of(frame))
    server = ServerProtocol(state=OPEN, max_size=None)
    server.receive_data(frame)
    (heard,) = server.events_received()
    assert isinstance(heard, Frame)
    assert (heard.opcode, bytes(heard.data)) == (Opcode.TEXT, text.encode())


def test_golden_vectors_of_users_come_out_of_both_twins(shared: Shared) -> None:
    checked = 0
    for vector in shared.json("signing_vectors.json")["vectors"]:
        if vector["scheme"] != "user":
            continue
        message, fields = vector["signed_message"], tuple((one["name"], one["type"]) for one in vector["types"])
        digest, name = user_signing.user_digest(message), vector["name"]
        primary = vector["primaryType"].partition(":")[2]
        assert digest == signatures.user_digest(primary, fields, message, vector["domain"]["chainId"]), name
        signer = SIGNERS[vector["network"] == "mainnet"]
        ours = user_signing.sign_user_action(signer, message).fields()
        assert ours == slow.signature_in_python(digest) == vector["signature"], name
        checked += 1
    assert checked == 26


def test_golden_vectors_come_out_of_both_twins(shared: Shared) -> None:
    checked = 0
    for vector in shared.json("signing_vectors.json")["vectors"]:
        if vector["scheme"] != "l1":
            continue
        asked = slow.Request(
            action=vector["action"], mainnet=vector["network"] == "mainnet", nonce=vector["nonce"],
            vault=vector["vaultAddress"], expires_ms=vector["expiresAfter"],
        )  # fmt: skip
        signable, signer = asked.signable(), SIGNERS[asked.mainnet]
        ours = signer.sign_action(asked.action, asked.nonce, asked.vault, asked.expires_ms).fields()
        name = vector["name"]
        assert signing.pack_action(asked.action).hex() == asked.packed().hex() == vector["msgpack_hex"], name
        assert f"0x{signer.digest.hex()}" == f"0x{slow.digest_of(signable).hex()}" == vector["eip712_digest"], name
        assert ours == slow.signature(signable) == slow.signature_in_python(signer.digest) == vector["signature"], name
        checked += 1
    assert checked == 107
