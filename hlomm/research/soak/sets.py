"""A conversion as the exchange carries it out."""

from __future__ import annotations

from hlomm.domain.outputs import ConvertSet
from hlomm.domain.sets import SetAction
from hlomm.sim.accounts import Account
from hlomm.sim.coins import OUTCOME_GRID
from hlomm.sim.exchange import Exchange
from hlomm.venues.hyperliquid.wire.coins import outcome_number


def convert(exchange: Exchange, account: Account, request: ConvertSet) -> None:
    """WholeActionRefused as the venue would; the account's fills tell what was done."""
    outcome, lots = outcome_number(request.market), request.qty // OUTCOME_GRID.lot
    assert outcome is not None, "only outcomes convert"
    question = -1 if request.question is None else request.question
    match request.action:
        case SetAction.SPLIT:
            exchange.split(account, outcome, lots)
        case SetAction.MERGE:
            exchange.merge(account, outcome, lots)
        case SetAction.NEGATE:
            exchange.negate(account, question, outcome, lots)
        case SetAction.MERGE_QUESTION:
            exchange.merge_question(account, question, lots)
