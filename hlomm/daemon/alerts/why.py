"""Why a service did not take a message, in our own words: what its library says of it may hold the URL.

The library tells reasons only in its log. Words that mean something are looked for in it, and it goes no
further.
"""

from __future__ import annotations

import re
from typing import Final

_REFUSED: Final = "it refuses the message — see the service's page at apprise's site"
_REASONS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), why)
    for pattern, why in (
        (
            r"CERTIFICATE_VERIFY_FAILED|certificate verify|CertificateError|doesn't match|hostname mismatch",
            "its certificate is not trusted here: nothing was sent — check the address, or set REQUESTS_CA_BUNDLE",
        ),
        (r"SSLError|SSL:|\bTLS\b", "no secure connection comes about — check port and scheme"),
        (
            r"NameResolution|name resolution|getaddrinfo|Name or service not known|nodename nor servname",
            "its name is not known — check the address, and the name service of this host",
        ),
        (r"Connection refused|Errno 111", "nobody listens there — check host and port"),
        (r"timed out|Timeout", "it does not answer in time — is it down, or a firewall between?"),
        (
            r"error=3\d\d",
            "it redirects elsewhere, which is not followed — put the final address into the URL",
        ),
        (r"error=(?:401|403|404|410)", "it does not know or not allow us — is the token still good? make a new one"),
        (r"error=429", "it has had too many messages — lower alerts.per_minute"),
        (r"error=4\d\d", _REFUSED),
        (r"error=5\d\d", "it has a fault of its own — see its status page"),
        (r"unreachable|reset by peer|RemoteDisconnected|Connection aborted", "the connection broke — is it down?"),
    )
)
_STATUS: Final = re.compile(r"error=(\d{3})\b")
UNKNOWN: Final = "it was not taken, and no reason is known — try it with the service's own means"
HANGS: Final = "it hangs — is it down, or a firewall between?"


def about_the_message(why: str) -> bool:
    """Whether another message could fare better."""
    return why.endswith(_REFUSED)


def why_not(log: str) -> str:
    """One line with the remedy."""
    for pattern, why in _REASONS:
        if pattern.search(log):
            status = _STATUS.search(log)
            return why if status is None else f"HTTP {status[1]}: {why}"
    return UNKNOWN
