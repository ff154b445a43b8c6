"""The end of contracts: orders cancelled, tokens paid, market data deleted (venue sheet 7.3)."""

from __future__ import annotations

import attrs

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE
from hlomm.sim.accounts import Account
from hlomm.sim.board import Board, QuestionSpec, Settled
from hlomm.sim.coins import OUTCOME_GRID
from hlomm.sim.events import FillDir, OutcomeSettled, QuestionSettled, QuestionUpdated
from hlomm.sim.fees import outcome_fee, pays_outcome_fee
from hlomm.sim.orders import Target
from hlomm.sim.refusals import Status


class Settlement:
    """Pays out contracts of one venue."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def settle(self, outcome: int, fraction: int, details: str) -> None:
        """End a contract that stands alone: pay YES `fraction` and NO the rest (1e-8)."""
        spec = self._board.outcomes[outcome].spec
        assert spec.question is None, "outcomes of a question are settled together, or eliminated"
        self._end(outcome, fraction, details, None)

    def settle_question(self, question: int, winner: int, details: str) -> None:
        """End a question: YES of one outcome pays 1, of all others 0."""
        board = self._board
        spec = board.questions.pop(question)
        assert winner in spec.live, "the winner is an outcome that still trades"
        # The losers first: until the winner is paid, the collateral of what is left stays countable.
        for outcome in sorted(spec.live, key=lambda outcome: outcome == winner):
            self._end(outcome, SCALE if outcome == winner else 0, details, spec)
        board.remember_question(spec)
        board.tape.events.append(QuestionSettled(question))

    def eliminate(self, outcome: int, details: str) -> None:
        """Settle one named outcome of a question as NO before the rest; the last one may not go."""
        board = self._board
        question = board.outcomes[outcome].spec.question
        assert question is not None
        spec = board.questions[question]
        assert outcome in spec.named, "the fallback stays to the end"
        spec = attrs.evolve(spec, settled_named=(*spec.settled_named, outcome))
        board.questions[question] = spec
        self._end(outcome, 0, details, spec)
        board.tape.events.append(QuestionUpdated(question))

    def _end(self, outcome: int, fraction: int, details: str, question: QuestionSpec | None) -> None:
        assert 0 <= fraction <= SCALE
        board = self._board
        market = board.outcomes[outcome]
        board.tape.next_action()
        for side in Side:
            for order in market.book.orders(side):
                market.cancel(order, Status.OUTCOME_SETTLED)
        for account in board.accounts.values():
            for leg in Leg:
                if (outcome, leg) in account.tokens:
                    self._redeem(account, outcome, leg, fraction if leg is Leg.YES else SCALE - fraction)
        board.ledger.close(outcome)
        del board.outcomes[outcome]
        board.tape.dirty.pop(outcome, None)
        board.remember(Settled(spec=market.spec, fraction=fraction, details=details, question=question))
        board.tape.events.append(OutcomeSettled(outcome))

    def _redeem(self, account: Account, outcome: int, leg: Leg, fraction: int) -> None:
        board = self._board
        lots, reduction = board.ledger.redeem(account, outcome, leg, fraction)
        if lots == 0:
            return
        payout = lots * OUTCOME_GRID.lot * fraction // SCALE
        scale = board.outcomes[outcome].spec.fee_scale
        fee = outcome_fee(board.rules, payout, maker=False, deployer_scale=scale)
        if fee:
            board.ledger.spot_fee(account, fee)
        if pays_outcome_fee(board.rules, maker=False):
            account.volume += payout
        target = Target(outcome, leg)
        row = board.synthetic(
            target,
            FillDir.SETTLEMENT,
            Side.SELL,
            px=fraction,
            lots=lots,
            start=lots,
            gain=reduction.gain,
            fee=fee,
        )
        board.tape.fill(account, row)
        board.tape.balance(account)
