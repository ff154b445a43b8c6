"""Links between contracts of several venues as people and scripts are shown them; part of `hlomm.domain.report`."""

from __future__ import annotations

import msgspec

from hlomm.domain.ids import MarketId, VenueId


class TermRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One term in which the contracts of a link differ, and what that makes of the pair."""

    term: str
    left: str
    right: str
    makes: str
    """`near` or `different`."""


class LinkRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Two contracts at two venues that are, or look like, one event; see `hlomm.domain.links`."""

    left: MarketId
    right: MarketId
    left_ticker: str
    right_ticker: str
    key: str
    grade: str
    state: str
    reason: str
    terms: tuple[TermRow, ...] = ()
    review: str = ""
    """Name of the review that covers it."""
    reviewed_by: str = ""
    reviewed_on: str = ""
    left_rules: str = ""
    """Digest of the rules text; what a review of this pair has to quote, with the terms."""
    right_rules: str = ""
    any_text: tuple[VenueId, ...] = ()
    """Venues whose text nobody has read: the rule says `any`."""
    left_template: str = ""
    """Digest of the text without dates, times and numbers; `template:<digest>` in a rule."""
    right_template: str = ""
    left_terms: str = ""
    right_terms: str = ""
