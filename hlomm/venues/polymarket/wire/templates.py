"""What the venue says of its crypto markets, as patterns: slugs, rules, sources and titles (venue sheet section 15).

Texts are matched in lower case, in one line and with straight quotes, from their beginning; what they say after the
part that settles the contract is free. The recorded ones are of 2026-03 and 2026-05.
"""

from __future__ import annotations

import re
from typing import Final

LENGTHS: Final = {"5m": 300, "15m": 900, "4h": 14_400}
NAMES: Final = {
    "bitcoin": "BTC",
    "ethereum": "ETH",
    "solana": "SOL",
    "xrp": "XRP",
    "dogecoin": "DOGE",
    "hyperliquid": "HYPE",
    "bnb": "BNB",
}
COINS: Final = frozenset(NAMES.values())
MONTHS: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip

DATE: Final = r"(?P<month>[a-z]{3,9})-(?P<day>[0-9]{1,2})(?:-(?P<year>20[0-9]{2}))?"
SLUGS: Final = {
    "updown": re.compile(r"(?P<coin>[a-z0-9]{2,8})-updown-(?P<length>5m|15m|4h)-(?P<start>[0-9]{10})", re.ASCII),
    "hourly": re.compile(rf"(?P<name>[a-z]+)-up-or-down-{DATE}-(?P<hour>[0-9]{{1,2}})(?P<half>am|pm)-et", re.ASCII),
    "daily": re.compile(rf"(?P<name>[a-z]+)-up-or-down-on-{DATE}", re.ASCII),
    "above": re.compile(rf"(?P<name>[a-z]+)-above-[0-9a-z]+-on-{DATE}(?:-[0-9]{{3,4}}[ap]m-et)?(?:-[0-9]+)*", re.ASCII),
}
RANGE_EVENT: Final = re.compile(rf"(?P<name>[a-z]+)-price-on-{DATE}", re.ASCII)
TOUCH: Final = re.compile(r"(?:^|-)(?:hit|reach|dip|ath)(?:-|$)|all-time-high", re.ASCII)

UP_TEXT: Final = re.compile(
    r'this market will resolve to "up" if the (?:time-weighted average )?(?P<name>[a-z]+) price (?:\(twap\) )?'
    r"at the end of the time range specified in the title is greater than or equal to the "
    r"(?:time-weighted average )?price (?:\(twap\) )?at the beginning of that range\. "
    r'otherwise, it will resolve to "down"\.',
)
HOUR_TEXT: Final = re.compile(
    r'this market will resolve to "up" if the close price is greater than or equal to the open price for the '
    r"(?P<coin>[a-z]+)/usdt 1 hour candle that begins on the time and date specified in the title\. "
    r'otherwise, this market will resolve to "down"\.',
)
DAY_TEXT: Final = re.compile(
    r'this market will resolve to "up" if the "close" price for the binance 1 minute candle for (?P<coin>[a-z]+)/usdt '
    r"(?P<from>[a-z]+ [0-9]{1,2} '[0-9]{2}) 12:00 in the et timezone \(noon\) is lower than the final "
    r"\"close\" price for the (?P<to>[a-z]+ [0-9]{1,2} '[0-9]{2}) 12:00 et candle\. .*"
    r"exactly equal on binance, this market will resolve 50-50\.",
)
ABOVE_TEXT: Final = re.compile(
    r'this market will resolve to "yes" if the binance 1 minute candle for (?P<coin>[a-z]+)/?usdt '
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}) in the et timezone(?P<noon> \(noon\))? on the date specified in the "
    r'title has a final "close" price higher than the price specified in the title\. otherwise, this market will '
    r'resolve to "no"\.',
)
RANGE_TEXT: Final = re.compile(
    r'this market will resolve according to the final "close" price of the binance 1 minute candle for '
    r"(?P<coin>[a-z]+)/?usdt 12:00 in the et timezone \(noon\) on the date specified in the title\..*"
    r"if the reported value falls exactly between two brackets, then this market will resolve to the higher range "
    r"bracket\.",
)
CHAINLINK: Final = re.compile(
    r"https://data\.chain\.link/streams/(?P<coin>[a-z0-9]+)-usd(?:-twap-(?P<twap>[0-9]{2})s-streams)?", re.ASCII
)
BINANCE: Final = re.compile(r"https://www\.binance\.com/en/trade/(?P<coin>[A-Z0-9]+)_USDT", re.ASCII)
ABOVE_QUESTION: Final = re.compile(r"will the price of [a-z]+ be above \$(?P<px>[0-9.,]+) on ")
RANGE_QUESTION: Final = re.compile(
    r"will the price of [a-z]+ be (?:between \$(?P<low>[0-9.,]+) and \$(?P<high>[0-9.,]+)"
    r"|less than \$(?P<below>[0-9.,]+)|greater than \$(?P<over>[0-9.,]+)) on "
)
BUCKET: Final = re.compile(r"\$?(?P<low>[0-9.,]+)\s*-\s*\$?(?P<high>[0-9.,]+)|(?P<sign>[<>])\s*\$?(?P<edge>[0-9.,]+)")
