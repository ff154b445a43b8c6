"""Rung: pure functions from the store to text. Log and alerts, operator actions; and how they are kept."""

from __future__ import annotations

import pytest

from hlomm.domain.desk_rows import ChainRow
from tests.tui.desk import AUDIT, LOG, NEWS, WHO, desk, knowing, log_line
from tests.tui.examples import DANGER, NOW_S, SETTLED, snapshot, wordy
from tests.tui.reading import store, text, tones
from tui.client import Heard, Up
from tui.desk import AUDIT_KEPT, LOG_KEPT
from tui.state import Store
from tui.views import records
from tui.views.latency import latency
from tui.views.line import Tone, plain


def feed_rows(made: Store, words: str = "", width: int = 119) -> list[str]:
    return [plain(each) for each in records.feed_lines(records.feed(made, words), width)]


# -- log and alerts


def test_alerts_stand_among_the_lines_of_the_log_newest_first() -> None:
    rows = feed_rows(knowing(desk(alerts=(SETTLED, DANGER))))
    assert [row.split()[2] for row in rows] == ["alert", "alert", "kalshi", "ledger", "link", "hyperliquid"]
    assert rows[0] == f"00:57:05 CRIT  alert       danger: {DANGER.text}"
    assert rows[3] == "00:55:30 ERROR ledger      ledger_failed error=disk full"


@pytest.mark.parametrize(
    ("words", "count"),
    [("", 5), ("warn", 1), ("WARN link", 1), ("error", 1), ("alert", 1), ("kalshi listed", 1), ("info", 3), ("zzz", 0)],
)
def test_the_filter_reads_level_area_and_text(words: str, count: int) -> None:
    made = knowing()
    rows = records.feed(made, words)
    assert len(rows) == count
    head = plain(records.feed_head(made, len(rows), words, "", 79))
    assert (f'"{words}" {count}/5' in head) == bool(words)


def test_levels_are_words_and_only_what_is_bad_colours_its_text() -> None:
    made = knowing(desk(alerts=(DANGER,)))
    alert, _, error, warning, info = records.feed_lines(records.feed(made, ""), 119)
    assert tones(alert, "danger") == tones(error, "disk full") == {Tone.ALARM}
    assert tones(warning, "WARN") == {Tone.WARN}
    assert tones(warning, "operator") == tones(info, "session up") == {Tone.PLAIN}


def test_a_line_in_full() -> None:
    assert records.feed_text(records.feed(knowing(), "kalshi")[0]) == (
        "2026-11-21 00:55:31Z  info  venues.kalshi\n\nmarket listed ticker=KXBTCD-26NOV211127-T86401.99"
    )


# -- operators


def test_the_trail_says_who_from_where_what_when_and_what_came_of_it() -> None:
    rows = [plain(each) for each in records.audit_lines(records.audit(knowing()), 199)]
    assert rows[1] == (
        f" #218 00:56:02 tune strategy.avellaneda.gamma=0.0005 {WHO} (wider tonight) → running: 0.0004 -> 0.0005"
    )
    line = records.audit_lines(records.audit(knowing()), 199)[0]
    assert tones(line, "refused") == {Tone.WARN}
    said = records.audit_text(AUDIT[2])
    assert "who     uid 1000 (desk)\nreason  —\nresult  refused, still running" in said
    assert "chained from the journal afterwards" in said


def test_a_broken_chain_is_the_first_thing_to_know() -> None:
    assert "hash chain sound, 219 links" in plain(records.audit_head(knowing(), 79))
    broken = knowing(news=Heard(chain=ChainRow(links=6, broken="line 7: x")))
    head = records.audit_head(broken, 79)
    assert tones(head, "CHAIN BROKEN: line 7: x") == {Tone.ALARM}
    assert "has not been told yet" in plain(records.audit_head(store(snapshot()), 79))


# -- what is kept


def test_news_add_up_and_are_bounded() -> None:
    made = knowing()
    made.apply(Heard(log=(log_line(5, "info", "link", "later"),)), NOW_S)
    assert (len(made.desk.log), len(made.desk.settings), made.desk.chain) == (5, len(NEWS.settings), NEWS.chain)
    made.apply(Heard(log=LOG * 300, audit=AUDIT * 300), NOW_S)
    assert (len(made.desk.log), len(made.desk.audit)) == (LOG_KEPT, AUDIT_KEPT)


def test_a_new_connection_begins_anew() -> None:
    made = knowing()
    made.apply(Up("sim", 2), NOW_S)
    assert (list(made.desk.log), list(made.desk.audit), made.desk.settings, made.desk.chain) == ([], [], (), None)


def test_a_frozen_display_shows_no_news() -> None:
    made = knowing()
    made.toggle_freeze(NOW_S)
    made.apply(Heard(log=(log_line(5, "info", "link", "later"),)), NOW_S)
    assert len(made.desk.log) == 4
    made.toggle_freeze(NOW_S + 1)
    assert len(made.desk.log) == 5


@pytest.mark.parametrize("width", [20, 79, 119, 199])
def test_everything_is_drawn_within_its_width(width: int) -> None:
    nasty = (log_line(6, "shouting", "a" * 40, "no\x1b[31m\n[b]" * 50),)
    for made in (Store.begin("/s", 0.0), store(wordy()), knowing(), knowing(news=Heard(log=nasty))):
        lines = [*records.feed_lines(records.feed(made, ""), width), records.feed_head(made, 1, "w", "↓3", width),
                 *records.audit_lines(records.audit(made), width), records.audit_head(made, width),
                 *latency(made, NOW_S, width)]  # fmt: skip
        assert all(len(plain(each)) <= width for each in lines)
        assert text(lines).replace("\n", "").isprintable()


def test_what_is_of_another_day_says_so() -> None:
    """The chain is as old as the account; a daemon that nobody stops shows alerts of last week."""
    week_ms = 7 * 86_400_000
    old, new = (
        records.audit_lines(records.audit(knowing()), 199, AUDIT[-1].at_ms + later)[0] for later in (week_ms, 0)
    )
    assert plain(new).startswith(" #219 00:56:07 tune")
    assert plain(old).startswith(" #219 21T0056Z tune")
    assert "2026-11-21 00:56:07Z" in records.audit_text(AUDIT[-1])
