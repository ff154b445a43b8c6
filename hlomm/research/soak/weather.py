"""What goes wrong: the vocabulary of faults, what is armed now, and how often each really happened.

A fault is armed for a while and for a number of times. Whoever perturbs the world asks `take` at the very place where
the perturbation happens, so the tally counts injections and not intentions.
"""

from __future__ import annotations

from enum import StrEnum

import attrs

from hlomm.research.soak.timeline import Timeline


class Fault(StrEnum):
    # -- the stream
    WS_DROP = "ws_drop"
    HALF_OPEN = "half_open"
    KICKED = "kicked"
    STALLED_PING_ALIVE = "stalled_ping_alive"
    FRAMES_REORDERED = "frames_reordered"
    FRAMES_DUPLICATED = "frames_duplicated"
    FRAMES_TRUNCATED = "frames_truncated"
    FRAMES_OVERSIZED = "frames_oversized"
    # -- answers, and news of orders
    ACK_LOST = "ack_lost"
    TIMEOUT_ACCEPTED = "timeout_accepted"
    FILL_BEFORE_ACK = "fill_before_ack"
    FILL_AFTER_CANCEL_ACK = "fill_after_cancel_ack"
    CANCEL_REFUSED_FILLED = "cancel_refused_filled"
    MODIFY_EVENTS_BOTH_ORDERS = "modify_events_both_orders"
    DUPLICATE_FILLS = "duplicate_fills_after_resubscribe"
    UNKNOWN_OID_AFTER_FILL = "unknown_oid_after_fill"
    # -- requests
    HTTP_429 = "http_429"
    HTTP_5XX = "http_5xx"
    HTML_BODY = "html_body"
    SLOW_BODY = "slow_body"
    DNS_LOSS = "dns_loss"
    # -- permissions
    BUDGET_EXHAUSTED = "budget_exhausted"
    NONCE_COLLISION = "nonce_collision"
    AGENT_EXPIRED = "agent_expired"
    # -- books and clocks
    BOOK_STALE = "book_stale"
    BOOK_ONE_SIDED = "book_one_sided"
    BOOK_EMPTY = "book_empty"
    BOOK_CROSSED = "book_crossed"
    CLOCK_STEP = "clock_step"
    CLOCK_DRIFT = "clock_drift"
    # -- contracts and account
    CONTRACT_REMOVED = "contract_removed"
    ROLLED_LATE = "rolled_late"
    SETTLED_LATE = "settled_late"
    SETTLED_FRACTION = "settled_fraction"
    COLLATERAL_CHANGED = "collateral_changed"
    EXTERNAL_ORDER = "external_order"
    # -- disk
    JOURNAL_ENOSPC = "journal_enospc"
    JOURNAL_EIO = "journal_eio"
    JOURNAL_TORN = "journal_torn"
    JOURNAL_FLIPPED_BIT = "journal_flipped_bit"
    # -- processes and people
    SIGKILL = "sigkill"
    SIGSTOP = "sigstop"
    SIGTERM_MID_LEG = "sigterm_mid_leg"
    GUARDIAN_KILLED = "guardian_killed"
    SLOW_LINK_CLIENT = "slow_link_client"
    CONFIG_BROKEN = "config_broken_at_reload"
    OPERATOR_KILL = "operator_kill"
    # -- a leg of a pair, and deaths while one is made
    HL_LEG_MISSED = "hl_leg_missed"
    DEATH_MID_PAIR = "death_mid_pair"
    GUARDIAN_DEATH_MID_PAIR = "guardian_death_mid_pair"
    # -- Polymarket
    PM_AWAY = "pm_away"
    PM_STREAM_LOST = "pm_stream_lost"
    PM_REQUESTS_FAIL = "pm_requests_fail"
    PM_ANSWER_LOST = "pm_answer_lost"
    PM_ARRIVES_LATE = "pm_arrives_late"
    PM_LEG_MISSED = "pm_leg_missed"
    PM_REFUSED = "pm_refused"
    PM_FILL_LATE = "pm_fill_late"
    PM_FILL_TWICE = "pm_fill_twice"
    PM_FILL_LOST = "pm_fill_lost"
    PM_TRADE_FAILED = "pm_trade_failed"
    PM_TRADE_STUCK = "pm_trade_stuck"
    PM_HEARTBEAT_LOST = "pm_heartbeat_lost"
    PM_PAUSED = "pm_paused"
    PM_FEE_CHANGED = "pm_fee_changed"
    PM_TICK_CHANGED = "pm_tick_changed"
    PM_MINIMUM_CHANGED = "pm_minimum_changed"
    PM_RULES_CHANGED = "pm_rules_changed"
    # -- Kalshi
    KALSHI_AWAY = "kalshi_away"
    KALSHI_STREAM_LOST = "kalshi_stream_lost"
    KALSHI_REQUESTS_FAIL = "kalshi_requests_fail"
    KALSHI_ANSWER_LOST = "kalshi_answer_lost"
    KALSHI_ARRIVES_LATE = "kalshi_arrives_late"
    KALSHI_LEG_MISSED = "kalshi_leg_missed"
    KALSHI_REFUSED = "kalshi_refused"
    KALSHI_FILL_LATE = "kalshi_fill_late"
    KALSHI_FILL_TWICE = "kalshi_fill_twice"
    KALSHI_FILL_LOST = "kalshi_fill_lost"
    KALSHI_PAUSED = "kalshi_paused"
    KALSHI_FEE_CHANGED = "kalshi_fee_changed"
    KALSHI_TICK_CHANGED = "kalshi_tick_changed"
    KALSHI_RULES_CHANGED = "kalshi_rules_changed"


@attrs.define(eq=False)
class _Armed:
    until_ns: int
    left: int
    strength: float


class Weather:
    """The switchboard."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._armed: dict[Fault, _Armed] = {}
        self.tally: dict[Fault, int] = {}

    def arm(self, fault: Fault, *, for_ns: int, count: int = 1 << 30, strength: float = 0.5) -> None:
        """From now on, for a while and at most that many times; replaces what was armed under that name."""
        self._armed[fault] = _Armed(self._timeline.now_ns + for_ns, count, strength)

    def clear(self) -> None:
        """Fair weather from now on."""
        self._armed.clear()

    def strength(self, fault: Fault) -> float | None:
        """How strong a fault is that would happen now, None if it would not. Counts nothing."""
        armed = self._armed.get(fault)
        if armed is None:
            return None
        if armed.left <= 0 or self._timeline.now_ns >= armed.until_ns:
            del self._armed[fault]
            return None
        return armed.strength

    def take(self, fault: Fault) -> float | None:
        """The fault happens now: its strength, and one more in the tally; None if it is not armed."""
        strength = self.strength(fault)
        if strength is not None:
            self._armed[fault].left -= 1
            self.hit(fault)
        return strength

    def hit(self, fault: Fault) -> None:
        """Count a perturbation that was made without asking."""
        self.tally[fault] = self.tally.get(fault, 0) + 1
