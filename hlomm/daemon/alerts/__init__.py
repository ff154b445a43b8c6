"""What `hlomm alerts` does: look at a daemon from outside, decide what is worth a message, and send it by URL.

A process of its own, so that nothing of it is ever in the way of trading: it sees the daemon as any viewer does, and
lives on when the daemon is gone, which is when it is needed most.
"""
