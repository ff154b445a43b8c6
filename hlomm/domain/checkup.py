"""One line of `hlomm doctor`: what was looked at, how it stands, and what to do about it.

`code` is the contract with scripts: a word per thing that can be wrong, never renamed, listed with its remedy in the
runbook. The text beside it is for people and may change.
"""

from __future__ import annotations

from enum import StrEnum

import attrs


class Status(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Code(StrEnum):
    """Everything that can be wrong. A test holds this against the runbook's table."""

    FINE = ""

    # -- the program
    PYTHON_UNSUPPORTED = "python_unsupported"
    LIBRARY_MISSING = "library_missing"
    LIBRARY_OFF = "library_off"
    LIBRARY_UNTESTED = "library_untested"
    CONFIG_INVALID = "config_invalid"
    LIMITS_DEFAULT = "limits_default"
    PORT_IN_USE = "port_in_use"
    CPUS_ABSENT = "cpus_absent"

    # -- keys
    KEYSTORE_EXPOSED = "keystore_exposed"
    KEY_EXPOSED = "key_exposed"
    KEY_DAMAGED = "key_damaged"
    KEY_UNLABELLED = "key_unlabelled"
    KEY_MISSING = "key_missing"
    KEY_EXPIRED = "key_expired"
    KEY_EXPIRES_SOON = "key_expires_soon"
    KEY_WEAK = "key_weak"
    KEY_IN_ENVIRONMENT = "key_in_environment"
    KEY_UNUSABLE = "key_unusable"
    KEY_CAN_WITHDRAW = "key_can_withdraw"
    KEY_OTHER_NETWORK = "key_other_network"
    PASSWORD_MISSING = "password_missing"  # noqa: S105 - a word for it
    PASSWORD_WRONG = "password_wrong"  # noqa: S105 - a word for it
    ROTATION_WAITS = "rotation_waits"
    GUARDIAN_KEY_SHARED = "guardian_key_shared"
    VENUE_INCOMPLETE = "venue_incomplete"

    # -- the state directory
    STATE_EXPOSED = "state_exposed"
    STATE_UNUSABLE = "state_unusable"
    DISK_FULL = "disk_full"
    DISK_LOW = "disk_low"
    DISK_READ_ONLY = "disk_read_only"
    DISK_SLOW = "disk_slow"
    CLOCK_STEPPED = "clock_stepped"
    CLOCK_PUT_BACK = "clock_put_back"

    # -- processes
    SOCKET_LEFT = "socket_left"
    DAEMON_SILENT = "daemon_silent"
    GUARDIAN_OFF = "guardian_off"
    GUARDIAN_DOWN = "guardian_down"
    GUARDIAN_STOPPED = "guardian_stopped"
    GUARDIAN_ACTING = "guardian_acting"
    HALTED = "halted"
    HALT_UNREADABLE = "halt_unreadable"
    UNCLEAN_END = "unclean_end"

    # -- records
    RECORDS_UNREADABLE = "records_unreadable"
    JOURNAL_DAMAGED = "journal_damaged"
    JOURNAL_TORN = "journal_torn"
    LEDGER_DAMAGED = "ledger_damaged"
    LEDGER_BEHIND = "ledger_behind"
    LEDGER_DIFFERS = "ledger_differs"
    LEDGER_ALONE = "ledger_alone"
    AUDIT_BROKEN = "audit_broken"
    AUDIT_TORN = "audit_torn"
    AUDIT_DIFFERS = "audit_differs"

    # -- venues, with `--live`
    NOT_ASKED = "not_asked"
    UNREACHABLE = "unreachable"
    REDIRECTED = "redirected"
    CERTIFICATE_BAD = "certificate_bad"
    STREAM_UNREACHABLE = "stream_unreachable"
    ANSWER_ODD = "answer_odd"
    VENUE_PAUSED = "venue_paused"
    CLOCK_SKEW = "clock_skew"
    CLOCK_UNSURE = "clock_unsure"
    KEY_REFUSED = "key_refused"
    AGENT_UNKNOWN = "agent_unknown"
    AGENT_OF_OTHER_ACCOUNT = "agent_of_other_account"
    AGENT_EXPIRED = "agent_expired"
    AGENT_EXPIRES_SOON = "agent_expires_soon"
    ACCOUNT_UNKNOWN = "account_unknown"
    ACCOUNT_MODE = "account_mode"
    NO_COLLATERAL = "no_collateral"
    COLLATERAL_SHORT = "collateral_short"
    COLLATERAL_TOKEN = "collateral_token"  # noqa: S105 - a currency
    FEES_DIFFER = "fees_differ"
    BUDGET_LOW = "budget_low"
    ORDERS_REST = "orders_rest"


@attrs.frozen
class Check:
    name: str
    status: Status
    code: Code
    text: str
    next: str = ""
    """What to do about it; empty where nothing needs doing."""


def ok(name: str, text: str) -> Check:
    return Check(name, Status.OK, Code.FINE, text)


def warn(name: str, code: Code, text: str, next_step: str) -> Check:
    return Check(name, Status.WARN, code, text, next_step)


def fail(name: str, code: Code, text: str, next_step: str) -> Check:
    return Check(name, Status.FAIL, code, text, next_step)
