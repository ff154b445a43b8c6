"""The same engine over the past: replay, backtest, and the papers' own experiments."""
