"""Frames and messages of the control link: whole, in pieces, and hostile. Rung: pure."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.inputs import OperatorAction
from hlomm.link.protocol import (
    MAX_COMMAND_FRAME,
    VERSION,
    Ask,
    Command,
    Frames,
    Hello,
    Refused,
    Watch,
    Welcome,
    decode_to_client,
    decode_to_daemon,
    encode,
)

TO_DAEMON = [
    Hello(version=VERSION, role="terminal", origin="10.0.0.7"),
    Ask(id=7),
    Watch(id=1, interval_ms=500),
    Command(id=2, action=OperatorAction.KILL, reason="drill"),
    Command(id=3, action=OperatorAction.PAUSE, target="avellaneda"),
]
TO_CLIENT = [Welcome(version=VERSION, pid=1, profile="sim"), Refused(id=1, code="version", text="no")]


@pytest.mark.parametrize("message", TO_DAEMON, ids=lambda m: type(m).__name__)
def test_messages_to_the_daemon_round_trip(message):
    (body,) = Frames().feed(encode(message))
    assert decode_to_daemon(body) == message


@pytest.mark.parametrize("message", TO_CLIENT, ids=lambda m: type(m).__name__)
def test_messages_to_the_client_round_trip(message):
    (body,) = Frames().feed(encode(message))
    assert decode_to_client(body) == message


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
