"""A market of the venue as it is listed here: its terms, and what it takes to trade it (venue sheet section 13)."""

from __future__ import annotations

from decimal import Decimal, DecimalException

from msgspec import Struct
from msgspec.structs import replace

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.markets import FeeCurve, Market, RewardTerms
from hlomm.domain.units import Cash, Px, Qty
from hlomm.venues.polymarket.wire.amounts import TICKS
from hlomm.venues.polymarket.wire.evidence import Refusal, Refused, needed, plain
from hlomm.venues.polymarket.wire.families import market_of
from hlomm.venues.polymarket.wire.fees import FEE_STEP
from hlomm.venues.polymarket.wire.gamma import FeeSchedule, GammaRow, texts
from hlomm.venues.polymarket.wire.values import scaled, token_number
from hlomm.venues.rules_text import digest, template_digest


class Listing(Struct, frozen=True, kw_only=True):
    """A market and what it takes to trade it."""

    market: Market
    yes: str
    no: str
    """Asset ids of its tokens."""
    condition: str
    slug: str
    neg_risk: bool
    delay_s: int
    accepting: bool


def read_listing(row: GammaRow) -> Listing | Refusal:
    """The market of a row, or why it is refused. Never raises."""
    try:
        return _listing(row)
    except Refused as refused:
        return refused.refusal
    except ProtocolViolation as violation:
        return Refusal(violation.kind, str(violation)[:160])
    except DecimalException as error:  # a figure beyond all reckoning, or one that is none
        return Refusal("figures", f"{row.slug}: {type(error).__name__}"[:160])


def _listing(row: GammaRow) -> Listing:
    draft = market_of(row)
    yes, no = _tokens(row)
    tick = Px(scaled(needed(row.order_price_min_tick_size, "tick"), "tick"))
    if tick not in TICKS:
        raise Refused("tick", tick)
    market = replace(
        draft,
        tick=tick,
        min_qty=Qty(scaled(needed(row.order_min_size, "min_size"), "min_size")),
        fee=_fee(row),
        rules=digest(rules_text(row)),
        template=template_digest(rules_text(row)),
        rewards=_rewards(row),
        exclusive=_exclusive(row),
    )
    return Listing(
        market=market,
        yes=yes,
        no=no,
        condition=row.condition_id,
        slug=row.slug,
        neg_risk=bool(row.neg_risk),
        delay_s=row.seconds_delay or 0,
        accepting=row.accepting_orders is not False and row.enable_order_book is not False and not row.closed,
    )


def _exclusive(row: GammaRow) -> str:
    """The neg-risk event of which one market pays. An augmented one has outcomes that are not named yet."""
    whole = row.neg_risk and row.event.neg_risk_augmented is False
    return (row.neg_risk_market or "") if whole else ""


def rules_text(row: GammaRow) -> str:
    """The rules text and the source, white space aside."""
    return f"{plain(row.description or '')}\n{row.resolution_source or row.event.resolution_source or ''}"


def _tokens(row: GammaRow) -> tuple[str, str]:
    labels = tuple(one.lower() for one in texts(row.outcomes))
    ids = texts(row.position_ids) if row.version == "v2" else texts(row.clob_token_ids)
    if labels not in (("yes", "no"), ("up", "down"), ("no", "yes"), ("down", "up")):
        raise Refused("outcomes", labels)
    if len(ids) != 2 or ids[0] == ids[1]:
        raise Refused("tokens", ids)
    for one in ids:
        token_number(one, "tokens")
    first_is_yes = labels[0] in ("yes", "up")
    return (ids[0], ids[1]) if first_is_yes else (ids[1], ids[0])


def _fee(row: GammaRow) -> FeeCurve:
    if not row.fees_enabled:
        return FeeCurve(taker=0, step=FEE_STEP, up=False)
    if row.fee_schedule is None:
        raise Refused("fee", "fees are on, but no schedule is told")
    return fee_curve(row.fee_schedule)


def _rewards(row: GammaRow) -> RewardTerms | None:
    """The spread is told in cents, pools by the day."""
    if not row.rewards_max_spread:
        return None
    pools = sum((pool.rewards_daily_rate for pool in row.clob_rewards or ()), Decimal(0))
    return RewardTerms(
        min_qty=Qty(scaled(row.rewards_min_size or Decimal(0), "rewards")),
        max_spread=Px(scaled(row.rewards_max_spread / 100, "rewards")),
        per_day=Cash(scaled(pools, "rewards")),
    )


def fee_curve(schedule: FeeSchedule) -> FeeCurve:
    """ProtocolViolation `fee` for one that no curve of ours expresses."""
    exponent = schedule.exponent
    if exponent not in (1, 2) or not 0 <= schedule.rate <= 1 or not schedule.taker_only:
        raise ProtocolViolation("fee", f"rate {schedule.rate}, exponent {exponent}, takers only {schedule.taker_only}")
    return FeeCurve(
        taker=scaled(schedule.rate, "fee"),
        exponent=int(exponent),
        step=FEE_STEP,
        up=False,
        rebate=scaled(schedule.rebate_rate, "fee"),
    )
