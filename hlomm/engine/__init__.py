"""The deterministic core: inputs and the clock reading go in, outputs come out, nothing else happens."""
