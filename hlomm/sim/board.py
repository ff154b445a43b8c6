"""What the exchange holds: accounts, contracts that trade, questions, and what is remembered of finished ones."""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.domain.orders import Side
from hlomm.sim.accounts import Account
from hlomm.sim.config import RulesConfig
from hlomm.sim.events import FillDir, FillRow
from hlomm.sim.ledger import Ledger
from hlomm.sim.orders import Target
from hlomm.sim.outcome_market import OutcomeMarket, OutcomeSpec
from hlomm.sim.tape import Tape

SETTLED_KEPT: Final = 2000


@attrs.frozen(kw_only=True)
class QuestionSpec:
    """Several outcomes of which exactly one ends YES (venue sheet 7.5).

    `fallback` wins when none of `named` does; `settled_named` are those that were settled NO before the rest.
    """

    question: int
    description: str
    fallback: int
    named: tuple[int, ...]
    expiry_ns: int
    period: str
    name: str = "Recurring"
    settled_named: tuple[int, ...] = ()

    @property
    def live(self) -> tuple[int, ...]:
        """Outcomes that are not settled yet, the fallback first."""
        return (self.fallback, *(outcome for outcome in self.named if outcome not in self.settled_named))


@attrs.frozen(kw_only=True)
class Settled:
    """What `settledOutcome` still knows about a finished contract. `fraction` in 1e-8."""

    spec: OutcomeSpec
    fraction: int
    details: str
    question: QuestionSpec | None = None


class Board:
    """State shared by the operations on it. `now_ns` of the tape is the block being executed."""

    def __init__(self, rules: RulesConfig) -> None:
        self.rules = rules
        self.ledger = Ledger()
        self.tape = Tape()
        self.accounts: dict[str, Account] = {}
        self.outcomes: dict[int, OutcomeMarket] = {}
        self.questions: dict[int, QuestionSpec] = {}
        self.settled: dict[int, Settled] = {}
        self.settled_questions: dict[int, QuestionSpec] = {}

    def remember(self, settled: Settled) -> None:
        """Keep a finished contract, and forget the oldest one beyond the limit."""
        self.settled[settled.spec.outcome] = settled
        if len(self.settled) > SETTLED_KEPT:
            del self.settled[next(iter(self.settled))]

    def remember_question(self, spec: QuestionSpec) -> None:
        """Keep a finished question, and forget the oldest one beyond the limit."""
        self.settled_questions[spec.question] = spec
        if len(self.settled_questions) > SETTLED_KEPT:
            del self.settled_questions[next(iter(self.settled_questions))]

    def synthetic(
        self,
        target: Target,
        direction: FillDir,
        side: Side,
        *,
        px: int,
        lots: int,
        start: int,
        gain: int = 0,
        fee: int = 0,
        oid: int | None = None,
    ) -> FillRow:
        """The fill by which the venue reports tokens that moved without a trade. Its order id exists nowhere else."""
        return FillRow(
            target=target,
            px=px,
            lots=lots,
            side=side,
            time_ms=self.tape.now_ms,
            start_lots=start,
            dir=direction,
            closed_pnl=gain,
            hash=self.tape.hash,
            oid=self.tape.next_oid() if oid is None else oid,
            crossed=True,
            fee=fee,
            tid=self.tape.next_tid(),
            cloid=None,
        )
