"""Settings that are fine alone and not together: each is refused with the key and the remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Final

import msgspec

from hlomm.domain.event import TERMS
from hlomm.domain.links import ANY_TEXT, TEMPLATE
from hlomm.domain.units import DECIMALS
from hlomm.settings.events import Events, LinkPair, LinkRule
from hlomm.settings.schema import Breakers, EngineSettings, Inventory, Settings

DEADMAN_MIN_S: Final = 10.0
_FLOATS: Final = frozenset(
    {"strategy", "venue", "sim", "daemon", "latency", "guardian", "alerts", "hedge.risk_aversion"}
)
_TIMES: Final = ("_s", "_h")
COUNTED_MAX: Final = 1e10
"""Twice that many units of 1e-8, and an instant that many seconds from now, still fit what records can hold."""
ORDER_LIFE_MIN_S: Final = 180.0
_TEMPLATE: Final = re.compile(f"{TEMPLATE}[0-9a-f]{{16}}")
DEPOSIT_WALLET: Final = 3
"""Signature type of Polymarket."""


def contradictions(settings: EngineSettings) -> list[tuple[str, str]]:
    """(key, what is wrong and the remedy) for values that are fine alone and not together."""
    limits, maker, orders = settings.limits, settings.strategy.avellaneda, settings.orders
    sets = settings.strategy.complete_set
    found: list[tuple[str, str]] = []
    if limits.max_order_notional > limits.max_gross_notional:
        found.append(("limits.max_order_notional", "is above limits.max_gross_notional: no order could use it"))
    if limits.max_notional_per_min < limits.max_order_notional:
        found.append(
            ("limits.max_notional_per_min", "is below limits.max_order_notional: one legal order would trip the fuse")
        )
    if maker.min_size > maker.max_size:
        found.append(("strategy.avellaneda.min_size", "is above max_size: nothing would ever be quoted"))
    if maker.min_half_spread > maker.max_half_spread:
        found.append(("strategy.avellaneda.min_half_spread", "is above max_half_spread: nothing would be quoted"))
    if maker.max_size > limits.max_position:
        found.append(("strategy.avellaneda.max_size", "is above limits.max_position: one fill would break the limit"))
    if maker.max_half_spread > limits.max_fair_deviation:
        found.append(
            ("strategy.avellaneda.max_half_spread", "is above limits.max_fair_deviation: wide quotes would be refused")
        )
    if sets.min_size > sets.max_size:
        found.append(("strategy.complete_set.min_size", "is above max_size: no basket would ever be bought"))
    if settings.budget.slow_below < settings.budget.reserve:
        found.append(("budget.slow_below", "is below budget.reserve: quoting would stop before it slows down"))
    found.extend(
        (f"quotes.{name}", "must be below limits.stale_book_s, or a stale book is noticed too late")
        for name in ("refresh_s", "refresh_max_s")
        if getattr(settings.quotes, name) >= limits.stale_book_s
    )
    if settings.flatten.retry_s > settings.flatten.deadline_s:
        found.append(("flatten.retry_s", "is above flatten.deadline_s: flattening would never retry"))
    if orders.query_retry_s > orders.settle_doubt_s:
        found.append(("orders.query_retry_s", "is above orders.settle_doubt_s: doubts would never settle"))
    if settings.sets.stock > limits.max_sets:
        found.append(("sets.stock", "is above limits.max_sets: it could never be split, lower it"))
    found += _brake_contradictions(settings.breakers, settings.inventory)
    return [*found, *_links(settings.events), *_uncounted(settings)]


def _uncounted(settings: EngineSettings) -> Iterator[tuple[str, str]]:
    """Numbers that cannot be counted in whole units of 1e-8, or of a nanosecond, of 64 bits.

    All but those of strategies and of what lies outside the engine, which are floats.
    """
    for section in settings.__struct_fields__:
        if section in _FLOATS:
            continue
        for name, value in msgspec.structs.asdict(getattr(settings, section)).items():
            if isinstance(value, float) and f"{section}.{name}" not in _FLOATS:
                yield from _count_of(f"{section}.{name}", value)
    for number, rule in enumerate(settings.events.rules):
        yield from _count_of(f"events.rules[{number}].max_mismatch", rule.max_mismatch)
    for number, pair in enumerate(settings.events.pairs):
        yield from _count_of(f"events.pairs[{number}].max_mismatch", pair.max_mismatch)


def _count_of(key: str, value: float) -> Iterator[tuple[str, str]]:
    if value >= COUNTED_MAX:
        yield key, f"was {value:g}: numbers are counted to below {COUNTED_MAX:g} — write a smaller one"
    elif round(value, DECIMALS) != value and not key.endswith(_TIMES):
        yield key, f"was {value!r}: money, sizes, prices and shares have at most {DECIMALS} decimals — round it"


def _brake_contradictions(breakers: Breakers, inventory: Inventory) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if breakers.pause_move <= breakers.widen_move and breakers.pause_window_s >= breakers.widen_window_s:
        found.append(
            ("breakers.pause_move", "must be above breakers.widen_move: whatever widens would pause, raise one of them")
        )
    if inventory.widen_above > inventory.pause_above:
        found.append(
            ("inventory.widen_above", "is above inventory.pause_above: a side would pause before it widens, lower it")
        )
    if inventory.pause_above > inventory.reduce_above:
        found.append(
            ("inventory.pause_above", "is above inventory.reduce_above: reducing would come before pausing, lower it")
        )
    return found


def _links(events: Events) -> Iterator[tuple[str, str]]:
    names: set[str] = set()
    signed: tuple[tuple[str, tuple[LinkRule | LinkPair, ...]], ...] = (("rules", events.rules), ("pairs", events.pairs))
    for kind, reviews in signed:
        for number, review in enumerate(reviews):
            key = f"events.{kind}[{number}]"
            if review.name in names:
                yield f"{key}.name", f"{review.name!r} stands twice: alerts and reports name a link by it"
            names.add(review.name)
            for who in ("name", "reviewed_by", "reviewed_on"):
                if not getattr(review, who).strip():
                    yield f"{key}.{who}", "is empty: a link that nobody signed is not reviewed"
    for number, rule in enumerate(events.rules):
        key = f"events.rules[{number}]"
        for term in rule.accept:
            if term not in TERMS:
                near = difflib.get_close_matches(term, TERMS, n=1)
                remedy = f"did you mean {near[0]!r}?" if near else f"terms are: {', '.join(TERMS)}"
                yield f"{key}.accept", f"unknown term {term!r} — {remedy}"
        for side, leg in (("left", rule.left), ("right", rule.right)):
            if not leg.rules:
                yield f"{key}.{side}.rules", f"is empty: list the digests that were read, or {ANY_TEXT!r}"
            for said in leg.rules:
                if said.startswith(TEMPLATE) and _TEMPLATE.fullmatch(said) is None:
                    yield f"{key}.{side}.rules", f"{said!r} is none — copy it from `hlomm markets --links`"
        if rule.left.venue == rule.right.venue:
            yield f"{key}.right.venue", "is that of the left side: a link joins two venues"
    for number, pair in enumerate(events.pairs):
        if pair.left == pair.right:
            yield f"events.pairs[{number}].right", "is the left contract: a link joins two"


def _polymarket_contradictions(settings: Settings) -> list[tuple[str, str]]:
    venue, orders = settings.venue.polymarket, settings.orders
    found: list[tuple[str, str]] = []
    if 0 < venue.order_life_s < ORDER_LIFE_MIN_S:
        found.append(
            ("venue.polymarket.order_life_s", f"is below {ORDER_LIFE_MIN_S:g}, which the venue wants; 0 turns it off")
        )
    if venue.session_key and venue.signature_type != DEPOSIT_WALLET:
        found.append(
            ("venue.polymarket.session_key", f"needs signature_type = {DEPOSIT_WALLET}: only deposit wallets delegate")
        )
    if not venue.enabled:
        return found
    if not venue.underlyings:
        found.append(("venue.polymarket.underlyings", "is empty: name a coin, or set enabled = false"))
    if orders.settle_doubt_s <= venue.arrives_s:
        found.append(
            ("orders.settle_doubt_s", "must exceed venue.polymarket.arrives_s: a late order could still arrive")
        )
    if orders.answer_deadline_s < venue.request_s:
        found.append(
            ("orders.answer_deadline_s", "is below venue.polymarket.request_s: questions would overtake answers")
        )
    return found


def _kalshi_contradictions(settings: Settings) -> list[tuple[str, str]]:
    venue, orders = settings.venue.kalshi, settings.orders
    found: list[tuple[str, str]] = []
    if not venue.enabled:
        return found
    if not venue.series:
        found.append(("venue.kalshi.series", "is empty: name one, or set enabled = false"))
    if orders.answer_deadline_s < venue.request_s:
        found.append(("orders.answer_deadline_s", "is below venue.kalshi.request_s: questions would overtake answers"))
    if venue.order_life_s <= 2 * venue.request_s:
        found.append(
            ("venue.kalshi.order_life_s", "must exceed twice venue.kalshi.request_s, or orders expire while renewed")
        )
    return found


def session_contradictions(settings: Settings) -> list[tuple[str, str]]:
    """The same for keys outside the engine's part."""
    found = contradictions(settings)
    venue = settings.venue.hyperliquid
    if settings.orders.settle_doubt_s <= venue.expires_after_s:
        found.append(
            ("orders.settle_doubt_s", "must exceed venue.hyperliquid.expires_after_s: a late order could still arrive")
        )
    if 0 < venue.deadman_s < DEADMAN_MIN_S:
        found.append(
            (
                "venue.hyperliquid.deadman_s",
                f"is below {DEADMAN_MIN_S:g}: the venue wants 5 s of notice, and a renewal may fail; 0 turns it off",
            )
        )
    if settings.orders.answer_deadline_s < venue.post_s:
        found.append(
            ("orders.answer_deadline_s", "is below venue.hyperliquid.post_s: questions would overtake answers")
        )
    found += [*_polymarket_contradictions(settings), *_kalshi_contradictions(settings)]
    pairs = settings.strategy.cross_venue
    off = {"polymarket": not settings.venue.polymarket.enabled, "kalshi": not settings.venue.kalshi.enabled}
    if pairs.enabled and off.get(pairs.maker, False):
        said = f"rests at a venue that is off: set venue.{pairs.maker}.enabled = true"
        found.append(("strategy.cross_venue.maker", said))
    guardian = settings.guardian
    if guardian.beat_s * 2 > guardian.warn_s:
        found.append(("guardian.beat_s", "is above half of guardian.warn_s: one late beat would warn"))
    if guardian.warn_s >= guardian.dead_s:
        found.append(("guardian.warn_s", "must be below guardian.dead_s, or the warning comes with the act"))
    if "://" in settings.alerts.urls_file:
        found.append(
            ("alerts.urls_file", "is an URL: write it into a file of yours (chmod 600) and name that file here")
        )
    if settings.daemon.stop_deadline_s <= settings.flatten.deadline_s:
        found.append(("daemon.stop_deadline_s", "must exceed flatten.deadline_s, or stopping cuts flattening short"))
    if settings.daemon.hard_stop_s <= 2 * settings.daemon.stop_deadline_s:
        found.append(
            ("daemon.hard_stop_s", "must exceed twice daemon.stop_deadline_s: the walk and the last look come first")
        )
    return found
