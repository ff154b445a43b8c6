"""Rules texts of recurring contracts: what stays when dates, times and numbers are taken out. Pure.

A series says the same of every contract but for the day, the hour and the strike. Those stand in fields as well, which
the sessions hold against the text; the rest is what a person reads once. Numbers of a duration (`60 seconds`,
`1-minute`) stay: they say what is averaged, not when.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

DIGEST_CHARS: Final = 16
_MONTH: Final = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DIGITS: Final = r"[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?"
_HALF: Final = r"(?:[AaPp]\.?[Mm](?:\.|\b))"
_AT: Final = r"(?<![0-9.,:])[0-9]{1,2}"
_PLACES: Final = (
    (re.compile(rf"\b{_MONTH} (?=[0-9])|(?<=[0-9] ){_MONTH}(?=\W|$)", re.ASCII), "<month> "),
    (re.compile(r"\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b", re.ASCII), "<weekday>"),
    (re.compile(r"(?<=[0-9])(?:st|nd|rd|th)\b", re.ASCII), ""),
    (re.compile(rf"{_AT}(?::[0-9]{{2}})+(?: ?{_HALF})?|{_AT} ?{_HALF}", re.ASCII), "<time>"),
    (re.compile(r" ?\((?:noon|midnight)\)", re.ASCII), ""),
    (re.compile(r"\b(?:EST|EDT)\b", re.ASCII), "<zone>"),
    (re.compile(rf"(?<![0-9.,]){_DIGITS}(?![0-9])(?![ -]?(?:second|minute|hour|day)s?\b)", re.ASCII), "<number>"),
)


def digest(text: str) -> str:
    """Sixteen hex digits of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARS]


def template(text: str) -> str:
    """The text with placeholders, white space aside."""
    text = " ".join(text.split())
    for pattern, place in _PLACES:
        text = pattern.sub(place, text)
    return " ".join(text.split())


def template_digest(text: str) -> str:
    """Digest of the template; empty for an empty text."""
    return digest(template(text)) if text.strip() else ""
