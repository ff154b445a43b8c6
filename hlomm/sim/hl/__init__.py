"""The wire of Hyperliquid as the venue speaks it: request schemas, signatures, replies, feeds."""
