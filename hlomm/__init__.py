"""hlomm: a market maker for Hyperliquid HIP-4 outcome contracts that can prove what it did."""

__version__ = "0.1.0"
