"""The two ends between which the truth about the queue lies: the same run with a cautious and a hopeful model."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from hlomm.research.backtest import Terms, backtest
from hlomm.research.backtest_result import BacktestResult, Bracket, End
from hlomm.research.fill_model import FillModel
from hlomm.research.recording import Recording
from hlomm.research.session import SessionResult, run_session
from hlomm.research.store.recordings import Session
from hlomm.settings.load import Loaded


def bracket(recording: Recording, loaded: Loaded, terms: Terms, chosen: BacktestResult) -> Bracket:
    """Both ends; `chosen`, the run that is bracketed, is not done again if it is one of them."""
    return _both(chosen.model, chosen.end, lambda model: backtest(recording, loaded, terms=_with(terms, model)).end)


def session_bracket(session: Session, loaded: Loaded, terms: Terms, chosen: SessionResult) -> Bracket:
    """The same for all markets of a store together."""
    return _both(terms.model, chosen.end, lambda model: run_session(session, loaded, _with(terms, model)).end)


def _with(terms: Terms, model: FillModel) -> Terms:
    return attrs.evolve(terms, model=model)


def _both(chosen: FillModel, end: End, run: Callable[[FillModel], End]) -> Bracket:
    def made(model: FillModel) -> End:
        return end if model.same_as(chosen) else run(model)

    return Bracket(pessimistic=made(chosen.pessimistic), optimistic=made(chosen.optimistic))
