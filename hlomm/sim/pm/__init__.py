"""The simulated Polymarket: a central limit order book off the chain, settled on it some seconds later."""
