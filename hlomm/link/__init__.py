"""Control protocol between the daemon and whoever looks at it or commands it. Bytes and values only."""
