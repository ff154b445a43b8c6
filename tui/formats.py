"""Numbers, times and names as the terminal writes them: fixed decimals, real minus signs, nothing ambiguous."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from rich.cells import cell_len, set_cell_size

from hlomm.domain.markets import Comparator
from hlomm.domain.ticker import Terms, Ticker, parse_ticker
from hlomm.domain.units import DECIMALS, ONE, SCALE, ceil_to, floor_to, to_fixed, to_text

MINUS: Final = "−"
"""U+2212: as wide as a digit and a plus, which a hyphen is not in every font."""
DASH: Final = "—"
"""Nothing to show: no price, no value."""

AGE_SHOWN_S: Final = 1.0
AGE_DIM_S: Final = 3.0
AGE_STALE_S: Final = 6.0
"""The daemon's own limit is a setting the snapshot does not carry; this is its default."""

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400
_LAST_MS: Final = 253_402_300_799_000


def number(value: int, decimals: int = 2, *, signed: bool = False) -> str:
    """Grouped decimal, truncated toward zero. `signed` shows a plus; zero never carries a sign."""
    digits = to_fixed(abs(value), decimals)
    whole, point, fraction = digits.partition(".")
    text = f"{int(whole):,}{point}{fraction}"
    if not digits.strip("0."):
        return text
    if value < 0:
        return MINUS + text
    return "+" + text if signed else text


def fitted(value: int, width: int, *, signed: bool = False) -> str:
    """The number with as many of two decimals as fit, then in millions; `#` rather than a wrong figure."""
    forms = [number(value, decimals, signed=signed) for decimals in (2, 1, 0)]
    millions = abs(value) // 1_000_000 * (1 if value > 0 else -1)
    forms += [f"{number(millions, decimals, signed=signed)}M" for decimals in (2, 1, 0)]
    return next((form for form in forms if len(form) <= width), "#" * width)


def quantity(value: int) -> str:
    """Contracts as they are, coins with up to three decimals."""
    if value % SCALE == 0:
        return number(value, 0)
    text = number(value, 3)
    return text.rstrip("0").rstrip(".") if text.strip("0.,") else to_text(value)


def coins(value: int, decimals: int) -> str:
    """Of a perp: negative for a short."""
    return number(value, decimals, signed=True)


def coins_in(value: int, width: int, *, signed: bool = False) -> str:
    """Of a perp, with as many of five decimals as fit and no zero before them: `.00012`, `1.2345`, `−.0177`."""
    sign = "" if not signed or not value else "+" if value > 0 else MINUS
    digits = (to_fixed(abs(value), places) for places in range(5, -1, -1))
    forms = [sign + (text[1:] if text.startswith("0.") else text) for text in digits]
    return next((form for form in forms if len(form) <= width), "#" * width)


def decimals_of(value: int) -> int:
    """Decimals it takes to write a value in full."""
    return len(to_text(value).partition(".")[2])


def price(px: int, decimals: int) -> str:
    """A price of an outcome without its leading zero (`.5712`), in `decimals` + 1 cells."""
    return to_fixed(px, decimals - 1) if px >= ONE else to_fixed(px, decimals)[1:]


def bid_price(px: int, decimals: int) -> str:
    """Rounded down, so that a spread never looks tighter than it is."""
    return price(floor_to(px, 10 ** (DECIMALS - decimals)), decimals)


def ask_price(px: int, decimals: int) -> str:
    """Rounded up, for the same reason."""
    return price(ceil_to(px, 10 ** (DECIMALS - decimals)), decimals)


def coin_price(px: int, width: int) -> str:
    """A price of a coin, with as many decimals as the cells allow, up to four; in thousands where it has no room."""
    whole = len(str(px // SCALE))
    return to_fixed(px, min(max(width - whole - 1, 0), 4)) if whole <= width else f"{px // SCALE // 1000}K"


def cents(px: int) -> str:
    """A difference of prices in hundredths, signed."""
    return f"{number(px * 100, 2, signed=True)}c"


def clock(wall_ms: int) -> str:
    return moment(wall_ms).strftime("%H:%M:%S")


def stamp(wall_ms: int, now_ms: int | None) -> str:
    """In eight cells: `03:12:07` of the day that it is now, `21T0312Z` of another; None: it is of today."""
    at = moment(wall_ms)
    return at.strftime("%H:%M:%S" if now_ms is None or at.date() == moment(now_ms).date() else "%dT%H%MZ")


def dated(wall_ms: int) -> str:
    """`2026-11-21 03:12:07Z`."""
    return moment(wall_ms).strftime("%Y-%m-%d %H:%M:%SZ")


def moment(wall_ms: int) -> datetime:
    """A stamp of the daemon's; one that no calendar has is drawn as the end of the calendar it is beyond."""
    return datetime.fromtimestamp(min(max(wall_ms, 0), _LAST_MS) / 1000, UTC)


def age(seconds: float) -> str:
    """`2.3s`, `41s`, `3m`, `2h`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f}s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f}m"
    return f"{seconds / _HOUR:.0f}h"


def age_if_old(seconds: float | None) -> str:
    """An age appears only when it matters."""
    return "" if seconds is None or seconds <= AGE_SHOWN_S else age(seconds)


def remaining(seconds: float | None) -> str:
    """Time to expiry in five characters: `0:43`, `12:03`, `7h38`, `2d04h`."""
    if seconds is None or not math.isfinite(seconds):
        return DASH
    left = int(seconds)
    if left < _HOUR:
        return f"{left // _MINUTE}:{left % _MINUTE:02d}"
    if left < _DAY:
        return f"{left // _HOUR}h{left % _HOUR // _MINUTE:02d}"
    if left < 100 * _DAY:
        return f"{left // _DAY}d{left % _DAY // _HOUR:02d}h"
    return f"{left // _DAY}d"


def elapsed(seconds: float) -> str:
    """How long something has been going on."""
    return f"{int(seconds)}s" if -math.inf < seconds < _MINUTE else remaining(seconds)


def short_ticker(ticker: str, width: int, wall_ms: int) -> str:
    """The name of a market in `width` cells: `BTC≥91905 01:00Z`, with the day when it is not today."""
    parsed = _parsed(ticker)
    if parsed is None:
        return fit(ticker.removeprefix("PERP:") + " perp" if ticker.startswith("PERP:") else ticker, width)
    head = f"{parsed.underlying}{_terms(parsed.terms)}"
    day, time = f"{parsed.day:02d}", _time(parsed)
    if _is_today(parsed, wall_ms) and time:
        forms = [f"{head} {time}"]
    else:
        forms = [f"{head} {day}{_MONTHS[parsed.month - 1]} {time}".rstrip(), f"{head} {day}T{time.replace(':', '')}"]
    return next((form for form in forms if cell_len(form) <= width), fit(forms[-1], width))


def _terms(terms: Terms) -> str:
    if terms.other:
        return " other"
    if terms.window:
        return f" up {terms.window}"
    if terms.strike is not None:
        return f"{'>' if terms.comparator is Comparator.ABOVE else '≥'}{to_text(terms.strike)}"
    if terms.floor is None or terms.ceiling is None:
        return f"<{to_text(terms.ceiling)}" if terms.ceiling is not None else f"≥{to_text(terms.floor or 0)}"
    return f" {to_text(terms.floor)}~{to_text(terms.ceiling)}"


@lru_cache(maxsize=1024)
def _parsed(ticker: str) -> Ticker | None:
    return parse_ticker(ticker)


def fit(text: str, width: int) -> str:
    """Cut to `width` cells, visibly."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1) + "…" if width > 0 else ""


def _time(parsed: Ticker) -> str:
    minute = parsed.minute_of_day
    return "" if minute is None else f"{minute // 60:02d}:{minute % 60:02d}Z"


def _is_today(parsed: Ticker, wall_ms: int) -> bool:
    today = moment(wall_ms).date()
    return (parsed.year, parsed.month, parsed.day) == (today.year, today.month, today.day)
