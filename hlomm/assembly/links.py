"""Reviews of links, from what people write to what the core compares."""

from __future__ import annotations

from hlomm.assembly.numbers import scaled
from hlomm.domain.event import Grade, Tolerances
from hlomm.domain.ids import MarketId, VenueId
from hlomm.domain.links import Family, LinkRules, PairReview, RuleReview
from hlomm.domain.times import seconds_to_ns
from hlomm.settings.events import Events, Leg, LinkPair, LinkRule


def link_rules(section: Events) -> LinkRules:
    return LinkRules(
        tolerances=Tolerances(
            instant_ns=seconds_to_ns(section.instant_s),
            strike=scaled(section.strike_bps) // 10_000,
            averaging_s=round(section.averaging_s),
        ),
        reviews=(*map(_pair, section.pairs), *map(_rule, section.rules)),
        proposals=section.proposals,
    )


def _pair(pair: LinkPair) -> PairReview:
    return PairReview(
        name=pair.name, markets=(MarketId(pair.left), MarketId(pair.right)), rules=(pair.left_rules, pair.right_rules),
        terms=(pair.left_terms, pair.right_terms), grade=Grade(pair.grade), max_mismatch=scaled(pair.max_mismatch),
        reviewed_by=pair.reviewed_by, reviewed_on=pair.reviewed_on,
    )  # fmt: skip


def _rule(rule: LinkRule) -> RuleReview:
    return RuleReview(
        name=rule.name, families=(_family(rule.left), _family(rule.right)), underlyings=rule.underlyings,
        grade=Grade(rule.grade), accept=rule.accept, max_mismatch=scaled(rule.max_mismatch),
        reviewed_by=rule.reviewed_by, reviewed_on=rule.reviewed_on,
    )  # fmt: skip


def _family(leg: Leg) -> Family:
    return Family(venue=VenueId(leg.venue), klass=leg.klass, period=leg.period, rules=leg.rules)
