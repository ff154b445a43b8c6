"""Reviews of links as people write them: the shipped file, every mistake with its place, and what becomes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hlomm.assembly.engine import engine_config
from hlomm.domain.event import Grade
from hlomm.domain.faults import ConfigError
from hlomm.domain.links import ANY_TEXT, PairReview, RuleReview
from hlomm.domain.times import NS_PER_S
from hlomm.settings.load import engine_settings, load, packaged_config
from tests.arch.scanning import uncommented_keys

RULE = """
[[events.rules]]
name = "btc-15m"
left = { venue = "hyperliquid", klass = "priceBinary", period = "15m", rules = ["any"] }
right = { venue = "kalshi", klass = "KXBTC15M", period = "", rules = ["abc"] }
underlyings = ["BTC"]
grade = "near"
accept = ["strike_set", "source"]
max_mismatch = 0.05
reviewed_by = "a person"
reviewed_on = "2026-11-20"
"""
PAIR = """
[[events.pairs]]
name = "one"
left = "polymarket:0x1"
right = "kalshi:K"
left_rules = "p"
right_rules = "k"
left_terms = "these"
right_terms = "those"
grade = "same"
max_mismatch = 0.02
reviewed_by = "a person"
reviewed_on = "2026-11-20"
"""


def written(path: Path, text: str) -> Path:
    file = path / "mine.toml"
    file.write_text(text)
    return file


def problems(path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load("sim", (written(path, text),), environ={})
    return str(caught.value).splitlines()


def test_the_shipped_file_explains_every_key_and_reviews_nothing() -> None:
    assert list(uncommented_keys((packaged_config() / "events.toml").read_text())) == []
    loaded = load("mainnet", environ={})
    assert loaded.settings.events.rules == loaded.settings.events.pairs == ()
    assert loaded.origins["events.strike_bps"] == "events.toml"


def test_the_examples_in_the_comments_are_reviews(tmp_path: Path) -> None:
    text = (packaged_config() / "events.toml").read_text()
    examples = [line[2:] for line in text.splitlines() if line.startswith("# ") and (" = " in line or "[[" in line)]
    examples = [line.removeprefix("# ") for line in examples]
    loaded = load("sim", (written(tmp_path, "\n".join(examples)),), environ={})
    assert [rule.name for rule in loaded.settings.events.rules] == ["btc-15m-hyperliquid-kalshi"]
    assert [pair.right for pair in loaded.settings.events.pairs] == ["kalshi:KXBTCD-26NOV2012-T90999.99"]


def test_what_is_written_is_what_the_core_compares(tmp_path: Path) -> None:
    loaded = load("sim", (written(tmp_path, RULE + PAIR),), ("events.strike_bps=2.5",), environ={})
    links = engine_config(loaded.settings).links
    assert (links.tolerances.strike, links.tolerances.instant_ns) == (25_000, 90 * NS_PER_S)
    pair, rule = links.reviews
    assert isinstance(pair, PairReview)
    assert (pair.markets, pair.rules, pair.terms) == (("polymarket:0x1", "kalshi:K"), ("p", "k"), ("these", "those"))
    assert (pair.grade, pair.max_mismatch) == (Grade.SAME, 2_000_000)
    assert isinstance(rule, RuleReview)
    assert [(family.venue, family.klass, family.period, family.pinned) for family in rule.families] == [
        ("hyperliquid", "priceBinary", "15m", False), ("kalshi", "KXBTC15M", "", True),
    ]  # fmt: skip
    assert (rule.accept, rule.max_mismatch, rule.underlyings) == (("strike_set", "source"), 5_000_000, ("BTC",))
    assert (rule.reviewed_by, rule.reviewed_on) == ("a person", "2026-11-20")


def test_reviews_travel_in_the_journal(tmp_path: Path) -> None:
    loaded = load("sim", (written(tmp_path, RULE + PAIR),), environ={})
    again = engine_settings(loaded.engine_json())
    assert again.events == loaded.settings.events
    assert engine_config(again).links == engine_config(loaded.settings).links


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        ("accept =", "acept =", "events.rules[0].acept", "did you mean 'accept'?"),
        ('"source"]', '"sorce"]', "events.rules[0].accept", "unknown term 'sorce' — did you mean 'source'?"),
        ('klass = "KXBTC15M"', 'class = "KXBTC15M"', "events.rules[0].right.class", "did you mean 'klass'?"),
        ('"near"', '"different"', "events.rules[0].grade", "write 'same' or 'near'"),
        ('["abc"]', '["template:abc"]', "events.rules[0].right.rules", "copy it from `hlomm markets --links`"),
        ('"kalshi"', '"kalshee"', "events.rules[0].right.venue", "'kalshi'"),
        ('"kalshi"', '"hyperliquid"', "events.rules[0].right.venue", "joins two venues"),
        ('"a person"', '" "', "events.rules[0].reviewed_by", "nobody signed"),
        ('["abc"]', "[]", "events.rules[0].right.rules", repr(ANY_TEXT)),
        ("0.05", "1.5", "events.rules[0].max_mismatch", "config/events.toml"),
        ('reviewed_on = "2026-11-20"', "", "events.rules[0].reviewed_on", "is missing"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, key: str, said: str) -> None:
    lines = problems(tmp_path, RULE.replace(old, new, 1))
    line = next(line for line in lines if f" {key}: " in line)
    assert line.startswith(f"{tmp_path / 'mine.toml'}: ")
    assert said in line


def test_names_are_said_once_and_a_pair_is_two(tmp_path: Path) -> None:
    lines = problems(tmp_path, PAIR + PAIR.replace("kalshi:K", "polymarket:0x1"))
    assert [line.split(": ")[1] for line in lines] == ["events.pairs[1].name", "events.pairs[1].right"]


def test_a_list_that_is_none_is_said(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, "[events]\nrules = 'all'\n")
    assert "write [[events.rules]]" in line
