"""Rung: stateful sync, random programs. Nonces, windows and the mempool keep their promises."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hlomm.sim.hl.limits import Nonces, Window
from hlomm.sim.refusals import WholeActionRefused
from hlomm.sim.sequencer import ActionClass, MempoolFull, Sequencer

NOW_MS = 1_795_000_000_000


@given(st.lists(st.integers(NOW_MS - 300, NOW_MS + 300), max_size=400))
def test_nonces_against_a_set_of_all_used(nonces: list[int]) -> None:
    """A nonce is accepted iff it is new and above the smallest of the hundred highest accepted so far."""
    limiter, used = Nonces(), []
    for nonce in nonces:
        top = sorted(used)[-100:]
        expected = nonce not in top and (len(top) < 100 or nonce > top[0])
        try:
            limiter.use("signer", nonce, NOW_MS)
        except WholeActionRefused:
            assert not expected
        else:
            assert expected
            used.append(nonce)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5)), max_size=200))
def test_window_against_a_list_of_everything(steps: list[tuple[int, int]]) -> None:
    window, taken, now = Window(20), [], 0
    for pause, amount in steps:
        now += pause * 10**9
        recent = sum(a for at, a in taken if at > now - 60 * 10**9)
        accepted = window.take(now, amount)
        assert accepted == (recent + amount <= 20)
        if accepted:
            taken.append((now, amount))


class SequencerMachine(RuleBasedStateMachine):
    """Actions come out once, not before they arrived, in the order of their class and arrival."""

    def __init__(self) -> None:
        super().__init__()
        self.sequencer = Sequencer(25)
        self.waiting: list[tuple[int, ActionClass, int]] = []
        self.now = 0
        self.count = 0

    @rule(delay=st.integers(0, 300), klass=st.sampled_from(list(ActionClass)))
    def submit(self, delay: int, klass: ActionClass) -> None:
        self.count += 1
        entry = (self.now + delay, klass, self.count)
        try:
            self.sequencer.submit(entry[0], klass, lambda: self.ran.append(entry))
        except MempoolFull:
            assert len(self.waiting) == 25
        else:
            self.waiting.append(entry)

    @rule(pause=st.integers(1, 150))
    def block(self, pause: int) -> None:
        self.now += pause
        self.ran: list[tuple[int, ActionClass, int]] = []
        for run in self.sequencer.take(self.now):
            run()
        due = [entry for entry in self.waiting if entry[0] <= self.now]
        assert self.ran == sorted(due, key=lambda e: (e[1], e[0], e[2]))
        self.waiting = [entry for entry in self.waiting if entry[0] > self.now]

    @invariant()
    def nothing_is_lost(self) -> None:
        assert len(self.sequencer) == len(self.waiting)


SequencerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestSequencer = SequencerMachine.TestCase
