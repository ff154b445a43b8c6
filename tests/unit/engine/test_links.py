"""Links through their life: found, reviewed, suspended by a changed text, gone with a leg; in the engine and alone."""

from __future__ import annotations

import json
from typing import Any

import attrs
import msgspec
import pytest

from hlomm.cli import linked
from hlomm.domain.event import Grade, terms_of
from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET, MarketId, outcome_market, polymarket_market
from hlomm.domain.inputs import MarketChanged, MarketDelisted, MarketListed, MarketSettled
from hlomm.domain.links import Family, LinkState, PairReview
from hlomm.domain.markets import Market
from hlomm.domain.outputs import Alert
from hlomm.domain.report import Snapshot
from hlomm.domain.units import Cash, Px
from hlomm.engine import link_book
from hlomm.engine.link_book import Link, LinkBook
from hlomm.engine.report import report
from tests.support.rig import Rig
from tests.support.values import BASE, px
from tests.support.venues import MINUTE, NOON, hyperliquid, kalshi, link_rules, polymarket, rule, up_or_down

HL, KS, PM = hyperliquid(), kalshi(), polymarket()


def book(*reviews: Any, **options: Any) -> LinkBook:
    return LinkBook(link_rules(*reviews, **options))


def between(links: LinkBook, left: Market, right: Market) -> Link:
    return next(link for link in links.links_of(left.id) if link.other(left.id).id == right.id)


def pair_review(left: Market, right: Market, **changes: Any) -> PairReview:
    values: dict[str, Any] = {
        "name": "by hand", "markets": (left.id, right.id), "rules": (left.rules, right.rules),
        "terms": (str(terms_of(left)), str(terms_of(right))), "grade": Grade.NEAR, "reviewed_by": "a tester",
    }  # fmt: skip
    return PairReview(**(values | changes))


# -- finding


def test_a_pair_nobody_reviewed_is_proposed_and_trades_nothing() -> None:
    links = book()
    assert links.told(HL) == []
    (moved,) = links.told(KS)
    assert (moved.was, moved.link.state, moved.link.grade) == (None, LinkState.PROPOSED, Grade.NEAR)
    assert not moved.link.tradable
    assert links.links_of(HL.id) == links.links_of(KS.id) == (moved.link,)
    assert book(proposals=False).told(HL) == []


def test_of_different_neighbours_only_the_nearest_is_shown() -> None:
    links = book()
    for step in range(5):
        links.told(kalshi(f"KXBTCD-{step}", strike=px(80_000 + 2_000 * step)))
    links.told(HL)
    (link,) = links.links_of(HL.id)
    assert (link.other(HL.id).id, link.grade) == ("kalshi:KXBTCD-4", Grade.DIFFERENT)


def test_two_contracts_of_one_venue_or_days_apart_are_no_neighbours() -> None:
    links = book()
    links.told(HL)
    assert links.told(hyperliquid(16)) == []
    assert links.told(kalshi(expiry_ns=NOON + 3 * 24 * 60 * MINUTE)) == []
    assert links.told(kalshi("KXETHD", underlying="ETH")) == []


def test_a_pair_that_is_named_is_shown_however_different() -> None:
    late = kalshi("KXBTCD-27", expiry_ns=NOON + 365 * 24 * 60 * MINUTE)
    links = book(pair_review(HL, late))
    links.told(HL)
    (moved,) = links.told(late)
    assert (moved.link.state, moved.link.grade) == (LinkState.PROPOSED, Grade.DIFFERENT)
    assert "graded different, reviewed as near" in moved.link.reason


def test_bounds_hold_and_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_book, "MAX_LINKS", 3)
    monkeypatch.setattr(link_book, "MAX_SCANNED", 4)
    links = book()
    for step in range(6):
        links.told(kalshi(f"KXBTCD-{step}"))
    links.told(HL)
    assert len(links.links) == 3
    assert (links.overflow, links.unscanned) == (1, 2)


def test_everything_is_forgotten_with_its_contracts() -> None:
    links = book()
    for number in range(200):
        there, here = kalshi(f"KXBTCD-{number}", strike=px(80_000 + number * 500)), hyperliquid(number)
        links.told(there)
        links.told(here)
        links.left(there.id, "settled")
        links.left(here.id, "settled")
    assert links.links == {}
    assert len(links.ended) == link_book.ENDED_KEPT
    assert not any((links._markets, links._terms, links._days, any(links._of.values())))


# -- reviews


def test_a_rule_covers_contracts_of_its_series_in_either_order() -> None:
    for first, second in ((HL, KS), (KS, HL)):
        links = book(rule())
        links.told(first)
        (moved,) = links.told(second)
        assert (moved.link.state, moved.link.reason) == (
            LinkState.REVIEWED,
            "reviewed as hourly, any text of kalshi goes: nobody has read it",
        )
        assert moved.link.tradable


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"accept": ("comparator", "strike", "averaging", "source", "void")}, "quote_token differs (USDC / USD)"),
        ({"grade": Grade.SAME}, "graded near, reviewed as same"),
        ({"underlyings": ("ETH",)}, "nobody reviewed it"),
        (
            {"families": (Family(venue=HYPERLIQUID, klass="priceBinary"),
                          Family(venue=KALSHI, klass="KXBTCD", rules=("old",)))},
            "rules text kalshi-text of kalshi:KXBTCD-26NOV2012-T90999.99 is not the one reviewed",
        ),
        ({"families": (Family(venue=HYPERLIQUID, klass="priceBinary", period="1d"),
                       Family(venue=KALSHI, klass="KXBTCD"))}, "nobody reviewed it"),
    ],
)  # fmt: skip
def test_a_review_covers_nothing_but_what_it_says(changes: dict[str, Any], said: str) -> None:
    links = book(rule(**changes))
    links.told(HL)
    (moved,) = links.told(KS)
    assert moved.link.state is LinkState.PROPOSED
    assert said in moved.link.reason


def test_a_different_pair_cannot_be_reviewed_into_trading() -> None:
    other = kalshi(strike=px(92_000))
    links = book(rule(), pair_review(HL, other))
    links.told(HL)
    (moved,) = links.told(other)
    assert (moved.link.grade, moved.link.tradable) == (Grade.DIFFERENT, False)


def test_a_single_pair_is_reviewed_for_its_texts_and_terms() -> None:
    links = book(pair_review(KS, PM))
    links.told(PM)
    links.told(KS)
    assert between(links, KS, PM).tradable
    moved_on = msgspec.structs.replace(PM, settles_ns=NOON + MINUTE // 2)
    (moved,) = links.told(moved_on)
    assert (moved.was, moved.link.state) == (LinkState.REVIEWED, LinkState.SUSPENDED)
    assert "terms of" in moved.link.reason
    (back,) = links.told(PM)
    assert back.link.state is LinkState.REVIEWED  # exactly what was signed


def test_a_changed_text_suspends_until_a_review_names_it() -> None:
    links = book(rule())
    links.told(HL)
    links.told(KS)
    (moved,) = links.told(msgspec.structs.replace(KS, rules="new text"))
    assert (moved.was, moved.link.state) == (LinkState.REVIEWED, LinkState.SUSPENDED)
    assert "changed from kalshi-text to new text" in moved.link.reason
    assert "names no text" in moved.link.reason
    assert links.told(msgspec.structs.replace(KS, rules="new text")) == []  # nothing new: said once
    links.told(KS)
    assert between(links, HL, KS).state is LinkState.SUSPENDED  # a text that came and went was not read again
    pinned = rule(
        families=(
            Family(venue=HYPERLIQUID, klass="priceBinary", rules=("",)),
            Family(venue=KALSHI, klass="KXBTCD", rules=("kalshi-text", "new text")),
        )
    )
    links = book(pinned)
    links.told(HL)
    links.told(KS)
    links.told(msgspec.structs.replace(KS, rules="new text"))
    assert between(links, HL, KS).tradable
    links.told(msgspec.structs.replace(KS, rules="newer text"))
    assert between(links, HL, KS).state is LinkState.SUSPENDED


def test_fees_and_ticks_are_not_terms() -> None:
    links = book(rule())
    links.told(HL)
    links.told(KS)
    assert links.told(msgspec.structs.replace(KS, tick=px("0.001"), min_qty=KS.lot)) == []
    assert between(links, HL, KS).tradable
    assert between(links, HL, KS).markets[1].tick == px("0.001")


def test_a_floating_strike_makes_the_link_when_it_is_known() -> None:
    ours = hyperliquid(expiry_ns=NOON + 15 * MINUTE)
    families = Family(venue=HYPERLIQUID, klass="priceBinary"), Family(venue=KALSHI, klass="KXBTC15M")
    accept = ("strike_set", "strike", "averaging", "source", "void", "quote_token")
    links = book(rule(families=families, accept=accept))
    links.told(ours)
    links.told(up_or_down(KALSHI, NOON))
    assert between(links, ours, up_or_down(KALSHI, NOON)).state is LinkState.PROPOSED
    (moved,) = links.told(up_or_down(KALSHI, NOON, "91003.11"))
    assert (moved.was, moved.link.state) == (LinkState.PROPOSED, LinkState.REVIEWED)
    # A strike that is known and then another one is a changed term.
    (moved,) = links.told(up_or_down(KALSHI, NOON, "91004"))
    assert moved.link.state is LinkState.SUSPENDED


def test_strikes_that_turn_out_far_apart_suspend() -> None:
    families = Family(venue=POLYMARKET, klass="updown"), Family(venue=KALSHI, klass="KXBTC15M")
    links = book(rule(families=families, accept=("strike", "source", "void", "quote_token")))
    one, other = up_or_down(POLYMARKET, NOON, "91400"), up_or_down(KALSHI, NOON)
    links.told(one)
    links.told(other)
    assert between(links, one, other).tradable
    links.told(up_or_down(KALSHI, NOON, "91003.11"))
    assert between(links, one, other).state is LinkState.SUSPENDED


def test_what_no_price_decides_any_more_leaves() -> None:
    links = book(rule())
    links.told(HL)
    links.told(KS)
    (moved,) = links.told(msgspec.structs.replace(KS, strike=None))
    assert moved.link.state is LinkState.GONE


# -- in the engine


def engine(*reviews: Any) -> Rig:
    return Rig(attrs.evolve(BASE, links=link_rules(*reviews)), markets=[HL])


def alerts(outputs: list[Any]) -> list[str]:
    return [output.code for output in outputs if type(output) is Alert and output.code.startswith("link_")]


def test_the_engine_keeps_the_links_and_says_what_became_of_them() -> None:
    rig = engine(rule())
    assert alerts(rig.tell(MarketListed(KS))) == ["link_reviewed"]
    assert rig.state.links.links_of(HL.id)[0].tradable
    before = rig.engine.digest()
    changed = msgspec.structs.replace(KS, rules="new text")
    assert alerts(rig.tell(MarketChanged(changed))) == ["link_suspended"]
    assert rig.engine.digest() != before
    rig.tell(MarketSettled(HL.id, Px(0), "below"))
    assert rig.state.links.links == {}
    assert [link.reason for link in rig.state.links.ended] == [f"{HL.id} settled"]
    rig.tell(MarketListed(HL))  # it is over: nothing is linked with it again
    assert rig.state.links.links == {}


def test_a_leg_that_disappears_ends_the_link() -> None:
    rig = engine(rule())
    rig.tell(MarketListed(KS), MarketDelisted(KS.id, "no longer listed"))
    (row,) = report(rig.state).links
    assert (row.state, row.reason) == ("gone", f"{KS.id} is gone (no longer listed)")


def test_a_text_that_changed_while_nobody_listened_is_seen_when_it_is_listed_again() -> None:
    rig = engine(rule())
    rig.tell(MarketListed(KS))
    assert alerts(rig.tell(MarketListed(msgspec.structs.replace(KS, rules="new text")))) == ["link_suspended"]


def test_the_same_inputs_give_the_same_digest() -> None:
    digests = []
    for _ in range(2):
        rig = engine(rule())
        rig.tell(MarketListed(KS), MarketListed(PM), MarketDelisted(PM.id, "x"))
        digests.append(rig.engine.digest())
    assert digests[0] == digests[1]


# -- shown


def shown(rig: Rig) -> tuple[Any, str]:
    snapshot = Snapshot(
        profile="sim", version="0", pid=1, uptime_s=1.0, armed=Cash(0), engine=report(rig.state), venues=(), alerts=()
    )
    return linked.links(msgspec.msgpack.decode(msgspec.msgpack.encode(snapshot), type=Snapshot))


def template_rule(*texts: str) -> Any:
    families = (
        Family(venue=HYPERLIQUID, klass="priceBinary", rules=("",)),
        Family(venue=KALSHI, klass="KXBTCD", rules=texts),
    )
    return rule(families=families)


def test_a_template_that_was_read_covers_the_whole_series_and_no_other_wording() -> None:
    links = book(template_rule("template:00ff"))
    links.told(HL)
    first = kalshi("KXBTCD-1", rules="monday", template="00ff")
    (moved,) = links.told(first)
    assert (moved.link.state, moved.link.unread) == (LinkState.REVIEWED, ())
    assert moved.link.reason == "reviewed as hourly"
    assert links.told(msgspec.structs.replace(first, rules="tuesday")) == [], "dates may change"
    (moved,) = links.told(msgspec.structs.replace(first, rules="tuesday", template="0100"))
    assert moved.link.state is LinkState.SUSPENDED
    assert "rules text tuesday (template 0100) of kalshi:KXBTCD-1 is not the one reviewed" in moved.link.reason
    (moved,) = links.told(first)
    assert moved.link.state is LinkState.REVIEWED


def test_a_digest_is_no_template_and_a_contract_without_a_text_has_none() -> None:
    for texts, market in (
        (("00ff",), kalshi(rules="x", template="00ff")),
        (("template:x",), kalshi(rules="x", template="00ff")),
        (("template:",), kalshi(rules="", template="")),
    ):
        links = book(template_rule(*texts))
        links.told(HL)
        (moved,) = links.told(market)
        assert moved.link.state is LinkState.PROPOSED, texts


def test_a_link_whose_text_nobody_has_read_is_said_to_be_one() -> None:
    rig = engine(rule())
    (alert,) = [one for one in rig.tell(MarketListed(KS)) if isinstance(one, Alert) and one.code == "link_reviewed"]
    assert "any text of kalshi goes: nobody has read it" in alert.text


def test_markets_links_prints_grade_state_and_every_term() -> None:
    rig = engine(rule())
    rig.tell(MarketListed(KS), MarketListed(PM))
    document, text = shown(rig)
    assert json.loads(json.dumps(document)) == document
    rows = {(row["left"], row["right"]): row for row in document["links"]}
    assert len(rows) == 3
    row = rows[HL.id, KS.id]
    assert (row["grade"], row["state"], row["reviewed_by"]) == ("near", "reviewed", "a tester")
    assert {"term": "averaging", "left": "single print", "right": "mean of 60 s", "makes": "near"} in row["terms"]
    assert {term["term"] for term in row["terms"]} == {
        "comparator", "strike", "averaging", "source", "void", "quote_token",
    }  # fmt: skip
    assert row["right_rules"] == "kalshi-text"
    assert row["right_terms"] == str(terms_of(KS))
    assert rows[KS.id, PM.id]["state"] == "proposed"
    assert {frozenset(row) for row in document["links"]} == {frozenset(row)}
    assert "BTC >= 91000 @ 2026-11-20T1700:00: near, reviewed (reviewed as hourly, any text of kalshi goes" in text
    assert "averaging    single print  mean of 60 s       near" in text
    assert (row["any_text"], row["right_template"]) == (["kalshi"], "")
    assert f"{KS.ticker}  rules kalshi-text  any text goes" in text
    assert f"{HL.ticker}  rules (none)\n" in text


def test_where_there_are_no_links_it_says_so() -> None:
    document, text = shown(engine())
    assert document == {"links": [], "left_out": 0}
    assert text == "no two venues list one event"


def test_ids_of_other_kinds_are_no_trouble() -> None:
    links = book()
    assert links.links_of(MarketId("nobody:knows")) == ()
    assert links.left(outcome_market(HYPERLIQUID, 99), "settled") == []
    assert links.left(polymarket_market("0x1"), "settled") == []
