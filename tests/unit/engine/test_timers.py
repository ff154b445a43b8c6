"""Named deadlines, against the simplest possible model: a dictionary that is searched."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hlomm.engine.timers import Timers

NAMES = st.sampled_from(["a", "b", "c", "refresh:hyperliquid:o15", "flatten"])
TIMES = st.integers(0, 50)


class TimerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.timers = Timers()
        self.model: dict[str, tuple[int, int]] = {}
        self.sequence = 0
        self.now = 0

    def _put(self, name: str, at: int) -> None:
        if name not in self.model or self.model[name][0] != at:
            self.sequence += 1
            self.model[name] = (at, self.sequence)

    @rule(name=NAMES, at=TIMES)
    def set(self, name: str, at: int) -> None:
        self.timers.set(name, self.now + at)
        self._put(name, self.now + at)

    @rule(name=NAMES, at=TIMES)
    def set_earliest(self, name: str, at: int) -> None:
        self.timers.set_earliest(name, self.now + at)
        if name not in self.model or self.now + at < self.model[name][0]:
            self._put(name, self.now + at)

    @rule(name=NAMES)
    def clear(self, name: str) -> None:
        self.timers.clear(name)
        self.model.pop(name, None)

    @rule(span=TIMES)
    def pass_time(self, span: int) -> None:
        self.now += span
        due = sorted((at, order, name) for name, (at, order) in self.model.items() if at <= self.now)
        assert self.timers.pop_due(self.now) == [name for _, _, name in due]
        for _, _, name in due:
            del self.model[name]

    @invariant()
    def next_deadline_is_the_earliest(self) -> None:
        assert self.timers.next_deadline() == min((at for at, _ in self.model.values()), default=None)
        assert all(self.timers.running(name) == (name in self.model) for name in ("a", "b", "c", "flatten"))


TestTimerMachine = TimerMachine.TestCase


def test_a_replaced_deadline_never_fires() -> None:
    timers = Timers()
    timers.set("x", 10)
    timers.set("x", 30)
    assert timers.next_deadline() == 30
    assert timers.pop_due(20) == []
    assert timers.pop_due(30) == ["x"]
    assert timers.next_deadline() is None


@given(st.lists(st.tuples(NAMES, st.integers(0, 10**9)), max_size=400))
def test_replacing_does_not_grow_memory(changes: list[tuple[str, int]]) -> None:
    """A refresh timer is set anew in every decision, all night."""
    timers = Timers()
    for name, at in changes * 3:
        timers.set(name, at)
    assert len(timers._heap) <= 64 + 4 * 5 + 1
    assert timers.next_deadline() == min((timers._deadlines[name][0] for name in timers._deadlines), default=None)
