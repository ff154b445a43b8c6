"""The template of a rules text: the same for every contract of a series, another for another wording."""

from __future__ import annotations

import pytest

from hlomm.venues.rules_text import template, template_digest

KALSHI = (
    "If the simple average of the sixty seconds of CF Benchmarks' Bitcoin Real-Time Index (BRTI) before {time} {zone} "
    "on {date} is above {strike}, then the market resolves to Yes."
)
BINANCE = (
    'This market will resolve to "Yes" if the Binance 1 minute candle for BTC/USDT 12:00 in the ET timezone (noon) on '
    "{date} has a final Close price higher than {strike}."
)


@pytest.mark.parametrize(
    ("text", "one", "other"),
    [
        (KALSHI, ("5 PM", "EST", "Nov 20, 2026", "90999.99"), ("11:15 AM", "EDT", "May 1, 2027", "91,000")),
        (KALSHI, ("5 PM", "EST", "November 20, 2026", "90999.99"), ("12 AM", "EST", "Sept. 2, 2026", "1.5")),
        (BINANCE, ("", "", "November 20", "64,000"), ("", "", "March 1st", "110.5")),
        (BINANCE, ("", "", "20 November '26", "64,000"), ("", "", "1 March '27", "110.5")),
    ],
)
def test_dates_times_and_numbers_are_taken_out(text: str, one: tuple[str, ...], other: tuple[str, ...]) -> None:
    said = [text.format(time=time, zone=zone, date=date, strike=strike) for time, zone, date, strike in (one, other)]
    assert template(said[0]) == template(said[1])
    assert "2026" not in template(said[0])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("above", "at or above"),
        ("sixty seconds", "thirty seconds"),
        ("Yes", "No"),
        ("BRTI", "BRR"),
        ("before", "after"),
    ],
)
def test_any_other_wording_is_another_template(old: str, new: str) -> None:
    assert old in KALSHI
    assert template_digest(KALSHI) != template_digest(KALSHI.replace(old, new))


@pytest.mark.parametrize("length", ["60 seconds", "1-minute", "1 minute", "4 hours", "60-second"])
def test_a_duration_says_what_is_averaged_and_stays(length: str) -> None:
    assert length in template(f"the average over {length} before 5 PM EST on Nov 20, 2026")
    assert template(f"over {length}") != template(f"over {length.replace(length[0], '7', 1)}")


def test_the_name_of_an_hour_is_a_time() -> None:
    assert template("12:00 in the ET timezone (noon) on") == template("06:05 in the ET timezone on")


def test_words_that_look_like_dates_stay() -> None:
    assert template("the exchange may March on Sunday") == "the exchange may March on <weekday>"
    assert template("It may resolve 50-50.  \n At once") == "It may resolve <number>-<number>. At once"
    assert template_digest(" \n") == ""
