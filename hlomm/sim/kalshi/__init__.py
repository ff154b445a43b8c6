"""The simulated Kalshi: one engine per shard, markets around an index of their own, and the wire in front of them."""
