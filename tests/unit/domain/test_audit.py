"""The chain of operator actions: whatever is done to the file is found, and the place is named."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.audit import GENESIS, Action, Link, link_after, read_chain

actions = st.builds(
    Action, at_ms=st.integers(0, 1 << 50), epoch=st.none() | st.integers(1, 1 << 50),
    seq=st.none() | st.integers(1, 1 << 50), action=st.sampled_from(["kill", "flatten", "resume", "stop"]),
    who=st.text(max_size=20), reason=st.text(max_size=20), target=st.text(max_size=8), result=st.text(max_size=20),
    late=st.booleans(),
)  # fmt: skip


def chain_of(made: list[Action]) -> list[bytes]:
    lines, n, prev = [], 0, GENESIS
    for action in made:
        link = link_after(n, prev, action)
        n, prev = link.n, link.hash
        lines.append(link.line())
    return lines


chains = st.lists(actions, min_size=1, max_size=6).map(chain_of)


@given(st.lists(actions, max_size=6))
def test_a_chain_reads_back_as_it_was_made(made):
    chain = read_chain(b"".join(chain_of(made)))
    assert chain.broken is None
    assert chain.torn == ()
    assert [link.action for link in chain.links] == made
    assert chain.head[0] == len(made)


@given(chains, st.data())
def test_any_changed_byte_is_found(lines, data):
    whole = b"".join(lines)
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    chain = read_chain(whole[:at] + bytes([other]) + whole[at + 1 :])
    assert chain.broken is not None or chain.torn
    if at < len(whole) - 1:  # only a lost line end can be taken for the work of a crash
        assert chain.broken is not None


@given(chains.filter(lambda lines: len(lines) > 1), st.data())
def test_a_removed_line_is_found_and_named(lines, data):
    gone = data.draw(st.integers(0, len(lines) - 2))
    chain = read_chain(b"".join(lines[:gone] + lines[gone + 1 :]))
    assert chain.broken is not None
    assert chain.broken.startswith(f"line {gone + 1}:")
    assert len(chain.links) == gone


@given(chains.filter(lambda lines: len(lines) > 1), st.data())
def test_reordered_and_repeated_lines_are_found(lines, data):
    one, two = sorted(data.draw(st.lists(st.integers(0, len(lines) - 1), min_size=2, max_size=2, unique=True)))
    swapped = list(lines)
    swapped[one], swapped[two] = swapped[two], swapped[one]
    assert read_chain(b"".join(swapped)).broken is not None
    assert read_chain(b"".join([*lines, lines[one]])).broken is not None


@given(chains, st.data())
def test_a_torn_last_line_is_told_and_the_chain_goes_on_around_it(lines, data):
    cut = data.draw(st.integers(1, len(lines[-1]) - 2))
    torn = b"".join(lines[:-1]) + lines[-1][:cut]
    chain = read_chain(torn)
    assert chain.broken is None
    assert chain.unfinished
    assert len(chain.links) == len(lines) - 1
    assert f"line {len(lines)} is unfinished" in chain.torn[0]
    again = read_chain(torn + b"\n" + lines[-1])
    assert again.broken is None
    assert len(again.links) == len(lines)
    assert again.torn


@given(chains)
def test_a_link_made_anew_by_hand_does_not_fit_the_next(lines):
    """Whoever changes a line and mends its hash has to mend every line after it."""
    if len(lines) < 2:
        return
    document = json.loads(lines[0])
    action = Action(**{**document["action"], "who": "somebody else entirely, not him"})
    forged = link_after(0, GENESIS, action)
    chain = read_chain(forged.line() + b"".join(lines[1:]))
    assert chain.broken is not None
    assert "line 2" in chain.broken


@given(st.binary(max_size=200))
def test_garbage_is_no_chain_and_raises_nothing(data):
    chain = read_chain(data)
    assert chain.links == ()


def test_a_complete_last_line_that_is_no_link_is_not_taken_for_torn():
    (line,) = chain_of([Action(at_ms=1, epoch=1, seq=2, action="kill", who="", reason="", target="", result="")])
    assert read_chain(line + b"{}\n").broken == "line 2 is no link"
    assert isinstance(read_chain(line).links[0], Link)
