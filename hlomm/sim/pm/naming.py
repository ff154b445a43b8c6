"""How the venue writes a market: slugs, questions, rules (venue sheet 15; recorded texts with our times)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import attrs

from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Px, to_text
from hlomm.sim.pm.chain import keccak
from hlomm.sim.pm.market import Family, Spec

NEW_YORK: Final = ZoneInfo("America/New_York")
TWAP_SOURCE: Final = "https://data.chain.link/streams/btc-usd-twap-60s-streams"

_ABOVE_RULES: Final = (
    'This market will resolve to "Yes" if the Binance 1 minute candle for BTC/USDT {time} in the ET timezone{noon} on '
    'the date specified in the title has a final "Close" price higher than the price specified in the title. '
    'Otherwise, this market will resolve to "No".\n\n'
    'The resolution source for this market is Binance, specifically the BTC/USDT "Close" prices currently available at '
    'https://www.binance.com/en/trade/BTC_USDT with "1m" and "Candles" selected on the top bar.\n\n'
    "Please note that this market is about the price according to Binance BTC/USDT, not according to other sources or "
    "spot markets.\n\n"
    "Price precision is determined by the number of decimal places in the source."
)
_UPDOWN_RULES: Final = (
    'This market will resolve to "Up" if the Bitcoin price at the end of the time range specified in the title is '
    'greater than or equal to the price at the beginning of that range. Otherwise, it will resolve to "Down".\n'
    "The resolution source for this market is information from Chainlink, specifically the BTC/USD 60-second TWAP data "
    f"stream available at {TWAP_SOURCE}.\n"
    "Please note that this market is about the price according to Chainlink data stream BTC/USD TWAP, not according to "
    "other sources or spot markets."
)


def moment(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns // NS_PER_S, UTC)


def iso(time_ns: int) -> str:
    """A time as the venue's JSON has it."""
    return moment(time_ns).strftime("%Y-%m-%dT%H:%M:%SZ")


def noon_after(now_ns: int) -> int:
    """The first noon in New York later than `now_ns`."""
    local = moment(now_ns).astimezone(NEW_YORK)
    noon = local.replace(hour=12, minute=0, second=0, microsecond=0)
    if noon.timestamp() * NS_PER_S <= now_ns:
        # Wall time plus a day: noon stays noon when the clocks change.
        noon = (local + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
    return int(noon.timestamp()) * NS_PER_S


def above(seed: int, number: int, period: str, start_ns: int, end_ns: int, strike: Px, now_ns: int) -> Spec:
    """An "above" market that ends at `end_ns`."""
    local = moment(end_ns).astimezone(NEW_YORK)
    day = f"{local:%B} {local.day}"
    noon = (local.hour, local.minute) == (12, 0)
    at = "" if noon else f", {_clock(local)} ET"
    dashed = f"{local:%B}-{local.day}".lower() + ("" if noon else f"-{_clock(local).replace(':', '').lower()}-et")
    dollars = _grouped(strike)
    names = ids(seed, number)
    return Spec(
        number=number,
        family=Family.ABOVE,
        period=period,
        condition=names.condition,
        question_id=names.question,
        tokens=names.tokens,
        outcomes=("Yes", "No"),
        slug=f"bitcoin-above-{to_text(strike).replace('.', 'pt')}-on-{dashed}",
        event_slug=f"bitcoin-above-on-{dashed}",
        series_slug=f"btc-above-{period}",
        question=f"Will the price of Bitcoin be above ${dollars} on {day}{at}?",
        event_title=f"Bitcoin above ___ on {day}{at}?",
        description=_ABOVE_RULES.format(time=f"{local:%H:%M}", noon=" (noon)" if noon else ""),
        source="https://www.binance.com/en/trade/BTC_USDT",
        group_title=dollars,
        start_ns=start_ns,
        end_ns=end_ns,
        listed_ns=now_ns,
        strike=strike,
    )


def updown(seed: int, number: int, period: str, start_ns: int, end_ns: int, now_ns: int) -> Spec:
    """An up/down market over one window."""
    begin, end = (moment(time_ns).astimezone(NEW_YORK) for time_ns in (start_ns, end_ns))
    slug = f"btc-updown-{period}-{start_ns // NS_PER_S}"
    title = f"Bitcoin Up or Down - {begin:%B} {begin.day}, {_clock(begin)}-{_clock(end)} ET"
    names = ids(seed, number)
    return Spec(
        number=number,
        family=Family.UPDOWN,
        period=period,
        condition=names.condition,
        question_id=names.question,
        tokens=names.tokens,
        outcomes=("Up", "Down"),
        slug=slug,
        event_slug=slug,
        series_slug=f"btc-up-or-down-{period}",
        question=title,
        event_title=title,
        description=_UPDOWN_RULES,
        source=TWAP_SOURCE,
        group_title="",
        start_ns=start_ns,
        end_ns=end_ns,
        listed_ns=now_ns,
        strike=None,
    )


@attrs.frozen
class Names:
    """What the chain calls a market."""

    condition: str
    question: str
    tokens: tuple[str, str]


def ids(seed: int, number: int) -> Names:
    """Condition id, question id and the two token ids, from the seed."""

    def digest(what: str) -> bytes:
        return keccak(f"hlomm-sim-polymarket/{seed}/{number}/{what}".encode())

    tokens = (str(int.from_bytes(digest("0"), "big")), str(int.from_bytes(digest("1"), "big")))
    return Names("0x" + digest("condition").hex(), "0x" + digest("question").hex(), tokens)


def _clock(local: datetime) -> str:
    """`5:20AM`."""
    return f"{local.hour % 12 or 12}:{local:%M%p}"


def _grouped(strike: Px) -> str:
    """`64,000` or `64,000.5`."""
    whole, _, rest = to_text(strike).partition(".")
    return f"{int(whole):,}" + (f".{rest}" if rest else "")


def rounded_strike(price: float) -> Px:
    """A price to the dollar, as the other venue's recurring contracts have it below 100,000."""
    return Px(round(price) * SCALE)
