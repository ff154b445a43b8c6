"""Profile paper: public data of a venue, and our orders filled at home by the exchange of `hlomm backtest`."""
