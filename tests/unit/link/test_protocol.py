"""Frames and messages of the control link: whole, in pieces, and hostile. Rung: pure."""

from __future__ import annotations

import contextlib
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.inputs import OperatorAction
from hlomm.link.protocol import (
    MAX_COMMAND_FRAME,
    VERSION,
    Answer,
    Ask,
    Command,
    Frames,
    Hello,
    Refused,
    Update,
    Watch,
    Welcome,
    decode_to_client,
    decode_to_daemon,
    encode,
)
from tests.tui.examples import snapshot
from tests.tui.linked import linked

TO_DAEMON = [
    Hello(version=VERSION, role="terminal", origin="10.0.0.7"),
    Ask(id=7),
    Watch(id=1, interval_ms=500),
    Command(id=2, action=OperatorAction.KILL, reason="drill"),
    Command(id=3, action=OperatorAction.PAUSE, target="avellaneda"),
    Command(id=4, action=OperatorAction.TUNE, target="strategy.avellaneda.gamma=0.001"),
]
LOG_LINE = {"n": 1, "wall_ms": 1, "level": "info", "area": "link", "text": "up"}
TO_CLIENT = [Welcome(version=VERSION, pid=1, profile="sim"), Refused(id=1, code="version", text="no")]


@pytest.mark.parametrize("message", TO_DAEMON, ids=lambda m: type(m).__name__)
def test_messages_to_the_daemon_round_trip(message):
    (body,) = Frames().feed(encode(message))
    assert decode_to_daemon(body) == message


@pytest.mark.parametrize("message", TO_CLIENT, ids=lambda m: type(m).__name__)
def test_messages_to_the_client_round_trip(message):
    (body,) = Frames().feed(encode(message))
    assert decode_to_client(body) == message


def test_updates_of_older_and_newer_daemons_are_understood():
    """Fields are only ever added: what an older one does not say is empty, what a newer one adds is passed over."""
    told = msgspec.to_builtins(Update(id=1, snapshot=snapshot()))
    older = decode_to_client(msgspec.msgpack.encode({key: told[key] for key in ("type", "id", "snapshot")}))
    assert isinstance(older, Update)
    assert (older.settings, older.log, older.audit, older.chain) == ((), (), (), None)
    newer = decode_to_client(msgspec.msgpack.encode(told | {"weather": ["rain"], "log": [LOG_LINE | {"mood": "calm"}]}))
    assert isinstance(newer, Update)
    assert newer.log[0].text == "up"


@given(st.lists(st.integers(1, 40), max_size=60))
def test_any_cut_of_the_stream_gives_the_same_messages(cuts):
    stream = b"".join(encode(message) for message in TO_DAEMON)
    frames, found, at = Frames(), [], 0
    for cut in cuts:
        found += frames.feed(stream[at : at + cut])
        at += cut
    found += frames.feed(stream[at:])
    assert [decode_to_daemon(body) for body in found] == TO_DAEMON


def test_oversized_frame_is_refused_before_it_is_read():
    with pytest.raises(ProtocolViolation) as caught:
        Frames(MAX_COMMAND_FRAME).feed(struct.pack("<I", MAX_COMMAND_FRAME + 1))
    assert caught.value.kind == "oversized"


@given(st.binary(max_size=200))
def test_garbage_is_a_violation_never_another_error(garbage):
    with contextlib.suppress(ProtocolViolation):
        decode_to_daemon(garbage)


def test_a_message_for_the_other_direction_is_a_violation():
    (body,) = Frames().feed(encode(Welcome(version=1, pid=1, profile="sim")))
    with pytest.raises(ProtocolViolation):
        decode_to_daemon(body)


def test_fields_that_this_end_does_not_know_are_ignored_at_every_depth():
    """A terminal of an older version looks in on a newer daemon: what it knows is read, the rest passed over."""
    known = linked()
    document = msgspec.msgpack.decode(encode(Answer(id=7, snapshot=known))[4:])
    body = msgspec.msgpack.encode(_with_unknown_fields(document))
    assert len(body) > len(msgspec.msgpack.encode(document))
    answer = decode_to_client(body)
    assert isinstance(answer, Answer)
    assert answer.snapshot == known


def test_fields_that_an_older_daemon_does_not_send_have_a_default():
    document = msgspec.msgpack.decode(encode(Answer(id=7, snapshot=linked()))[4:])
    del document["snapshot"]["engine"]["edges"]
    for row in document["snapshot"]["engine"]["baskets"]:
        for name in ("pair", "age_s", "deadline_s", "loss", "max_loss", "attempts"):
            row.pop(name, None)
    answer = decode_to_client(msgspec.msgpack.encode(document))
    assert isinstance(answer, Answer)
    assert answer.snapshot.engine.edges.edges == ()
    assert answer.snapshot.engine.baskets[0].deadline_s is None


TABLES = frozenset({
    "rejected", "budget", "anomalies", "counters", "breakers", "basket_counts", "held", "why_not", "converted",
})  # fmt: skip
"""Maps whose keys are data, not fields."""


def _with_unknown_fields(value, name=""):
    """The same document with a field more in every map that has fields."""
    if isinstance(value, list):
        return [_with_unknown_fields(one, name) for one in value]
    if not isinstance(value, dict) or name in TABLES:
        return value
    return {key: _with_unknown_fields(one, key) for key, one in value.items()} | {"not_invented_yet": [1, {"a": None}]}
