"""The two ends between which the truth about the queue lies: the same run with a cautious and a hopeful model."""

from __future__ import annotations

import attrs

from hlomm.research.backtest import Terms, backtest
from hlomm.research.backtest_result import BacktestResult, Bracket, End
from hlomm.research.fill_model import FillModel
from hlomm.research.recording import Recording
from hlomm.settings.load import Loaded


def bracket(recording: Recording, loaded: Loaded, terms: Terms, chosen: BacktestResult) -> Bracket:
    """Both ends; `chosen`, the run that is bracketed, is not done again if it is one of them."""

    def end(model: FillModel) -> End:
        if model.same_as(chosen.model):
            return chosen.end
        return backtest(recording, loaded, terms=attrs.evolve(terms, model=model)).end

    return Bracket(pessimistic=end(terms.model.pessimistic), optimistic=end(terms.model.optimistic))
