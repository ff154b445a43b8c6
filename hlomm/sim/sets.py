"""What `userOutcome` does: split, merge, negate and merge question (venue sheet 7.6).

Each is reported to its account by synthetic fills, one per token that moved. Their prices are the venue's fictions (one
half, one, an equal share), so the closed P&L of a single row means little; over the whole operation it is exact.
"""

from __future__ import annotations

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE
from hlomm.sim import refusals
from hlomm.sim.accounts import Account
from hlomm.sim.board import Board, QuestionSpec
from hlomm.sim.cash import Reduction, shares
from hlomm.sim.coins import SET_CASH
from hlomm.sim.events import FillDir
from hlomm.sim.fees import merge_fee
from hlomm.sim.orders import Target
from hlomm.sim.outcome_market import OutcomeMarket
from hlomm.sim.refusals import WholeActionRefused


class Sets:
    """Complete sets of one venue. Amounts are whole contracts; a refusal is a WholeActionRefused, and moves nothing."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def split(self, account: Account, outcome: int, lots: int) -> None:
        """Quote into pairs; refused without collateral."""
        market = self._live(outcome)
        if account.quote_free < lots * SET_CASH:
            raise WholeActionRefused(refusals.OUTCOME_QUOTE)
        starts = [account.held(outcome, leg).total for leg in Leg]
        self._board.ledger.split(account, outcome, lots)
        oid = self._board.tape.next_oid()
        for leg in Leg:
            target = Target(market.number, leg)
            self._report(account, target, FillDir.SPLIT, None, px=SCALE // 2, lots=lots, start=starts[leg], oid=oid)
        self._board.tape.balance(account)

    def merge(self, account: Account, outcome: int, lots: int | None) -> None:
        """Pairs into quote; None takes as many as are free. Refused without tokens."""
        self._live(outcome)
        free = min(account.held(outcome, leg).free for leg in Leg)
        count = _counted(lots, free)
        starts = [account.held(outcome, leg).total for leg in Leg]
        reductions = self._board.ledger.merge(account, outcome, count)
        self._pay_back(
            account,
            FillDir.MERGE,
            [Target(outcome, leg) for leg in Leg],
            list(reductions),
            starts,
            lots=count,
        )

    def negate(self, account: Account, question: int, outcome: int, lots: int) -> None:
        """NO of one outcome of a question into YES of every other; refused without tokens."""
        spec = self._question(question)
        if outcome not in spec.live:
            self._live(outcome)  # settled or unknown outcomes say so themselves
            raise WholeActionRefused(refusals.QUESTION_FOREIGN)
        if len(spec.live) == 1:
            raise WholeActionRefused(refusals.QUESTION_FOREIGN)  # nothing to turn it into
        if lots > account.held(outcome, Leg.NO).free:
            raise WholeActionRefused(refusals.OUTCOME_TOKENS)
        board, part = self._board, SCALE // (len(spec.live) - 1)
        legs = {other: Leg.NO if other == outcome else Leg.YES for other in (outcome, *spec.live)}
        starts = {other: account.held(other, leg).total for other, leg in legs.items()}
        done = board.ledger.negate(account, question, outcome, lots)
        oid = board.tape.next_oid()
        for other, reduction in done.items():
            target, px = Target(other, legs[other]), SCALE if reduction is not None else part
            self._report(account, target, FillDir.NEGATE, reduction, px=px, lots=lots, start=starts[other], oid=oid)
        board.tape.balance(account)

    def merge_question(self, account: Account, question: int, lots: int | None) -> None:
        """YES of every outcome into quote; None takes as many as are free. Refused without tokens."""
        spec = self._question(question)
        free = min(account.held(outcome, Leg.YES).free for outcome in spec.live)
        count = _counted(lots, free)
        starts = {outcome: account.held(outcome, Leg.YES).total for outcome in spec.live}
        done = self._board.ledger.merge_question(account, question, count)
        self._pay_back(
            account,
            FillDir.MERGE_QUESTION,
            [Target(outcome, Leg.YES) for outcome in done],
            list(done.values()),
            [starts[outcome] for outcome in done],
            lots=count,
        )

    def _pay_back(
        self,
        account: Account,
        direction: FillDir,
        targets: list[Target],
        reductions: list[Reduction],
        starts: list[int],
        *,
        lots: int,
    ) -> None:
        """Charge and report tokens that became quote: each row carries its part of the fee."""
        fee = merge_fee(self._board.rules, lots * SET_CASH)
        if fee:
            self._board.ledger.spot_fee(account, fee)
        oid, px = self._board.tape.next_oid(), SCALE // len(targets)
        parts = shares(fee, len(targets))
        for target, reduction, start, part in zip(targets, reductions, starts, parts, strict=True):
            self._report(account, target, direction, reduction, px=px, lots=lots, start=start, oid=oid, fee=part)
        self._board.tape.balance(account)

    def _report(
        self,
        account: Account,
        target: Target,
        direction: FillDir,
        reduction: Reduction | None,
        *,
        px: int,
        lots: int,
        start: int,
        oid: int,
        fee: int = 0,
    ) -> None:
        side = Side.BUY if reduction is None else Side.SELL
        gain = 0 if reduction is None else reduction.gain
        row = self._board.synthetic(target, direction, side, px=px, lots=lots, start=start, gain=gain, fee=fee, oid=oid)
        self._board.tape.fill(account, row)

    def _live(self, outcome: int) -> OutcomeMarket:
        market = self._board.outcomes.get(outcome)
        if market is None:
            known = outcome in self._board.settled
            raise WholeActionRefused(refusals.OUTCOME_SETTLED.text if known else refusals.OUTCOME_UNKNOWN)
        return market

    def _question(self, question: int) -> QuestionSpec:
        spec = self._board.questions.get(question)
        if spec is None:
            known = question in self._board.settled_questions
            raise WholeActionRefused(refusals.OUTCOME_SETTLED.text if known else refusals.QUESTION_UNKNOWN)
        return spec


def _counted(lots: int | None, free: int) -> int:
    """How many sets to merge: what was asked for, or all that are free; refused if that is too many or none."""
    count = free if lots is None else lots
    if count > free or count == 0:
        raise WholeActionRefused(refusals.OUTCOME_TOKENS)
    return count
