"""What watchers are told beside the snapshots: settings, log lines and operator actions, each once and bounded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import structlog

from hlomm.daemon import log_ring, logs
from hlomm.daemon.audit_tail import KEPT as AUDIT_KEPT
from hlomm.daemon.audit_tail import AuditTail
from hlomm.daemon.feed import Feed, Reader
from hlomm.daemon.log_ring import KEPT, TEXT_MAX, LogRing, listening
from hlomm.domain.audit import Action
from hlomm.domain.desk_rows import SettingRow
from hlomm.link.picture import encode_picture
from hlomm.rundir.audit_file import AuditFile
from tests.tui.examples import snapshot

PICTURE = encode_picture(snapshot())


def ring_of(*events: str) -> LogRing:
    ring = LogRing(lambda: 7)
    for event in events:
        ring.take("hlomm.link", "info", {"event": event})
    return ring


def action(number: int) -> Action:
    return Action(
        at_ms=number, epoch=1, seq=number, action="pause", who="uid 1000 from 10.0.0.7", reason="r", target="t",
        result="running",
    )  # fmt: skip


def test_the_log_is_kept_by_area_and_bounded() -> None:
    ring = LogRing(lambda: 1_795_000_000_000)
    ring.take("hlomm.venues.kalshi", "warning", {"event": "slow", "ms": 12, "level": "x", "timestamp": "y"})
    (row,) = ring.after(0)
    assert (row.n, row.wall_ms, row.level, row.area, row.text) == (
        1, 1_795_000_000_000, "warning", "venues.kalshi", "slow ms=12",
    )  # fmt: skip
    for number in range(KEPT + 10):
        ring.take("hlomm", "info", {"event": "e" * 1000, "n": number})
    assert len(ring.after(0)) == KEPT
    assert len(ring.after(0)[-1].text) == TEXT_MAX
    assert [row.n for row in ring.after(ring.count - 2)] == [ring.count - 1, ring.count]
    assert ring.after(ring.count) == ()


def test_alerts_are_left_out_for_they_are_shown_as_such() -> None:
    ring = LogRing(lambda: 1)
    ring.take(log_ring.ALERTS, "critical", {"event": "danger"})
    assert (ring.count, ring.after(0)) == (0, ())


def test_a_ring_hears_what_the_process_logs_while_it_listens(capsys: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    ring = LogRing(lambda: 1)
    try:
        logs.configure("info")
        log = structlog.get_logger("hlomm.pump")
        log.info("nobody listens")
        with listening(ring):
            log.debug("below the level")
            log.warning("heard", error="disk full")
        log.warning("nobody listens any more")
    finally:
        structlog.configure(**before)
    assert [(row.level, row.area, row.text) for row in ring.after(0)] == [("warning", "pump", "heard error=disk full")]
    written = [json.loads(each) for each in capsys.readouterr().err.splitlines()]
    assert [each["event"] for each in written] == ["nobody listens", "heard", "nobody listens any more"]


def test_the_end_of_the_chain_follows_the_file_whoever_appends(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    tail, daemon, guardian = AuditTail(path), AuditFile(path), AuditFile(path)
    tail.look()
    assert tail.rows == ()
    assert tail.chain is not None
    assert (tail.chain.links, tail.chain.broken) == (0, "")
    daemon.append([action(1)])
    guardian.append([action(2)])
    tail.look()
    assert [(row.n, row.who, row.result) for row in tail.after(0)] == [
        (1, "uid 1000 from 10.0.0.7", "running"), (2, "uid 1000 from 10.0.0.7", "running"),
    ]  # fmt: skip
    assert [row.n for row in tail.after(1)] == [2]
    assert tail.after(2) == ()
    daemon.append([action(number) for number in range(3, AUDIT_KEPT + 20)])
    tail.look()
    assert len(tail.rows) == AUDIT_KEPT
    assert tail.chain.links == AUDIT_KEPT + 19


def test_a_chain_that_was_changed_is_told_as_broken(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    AuditFile(path).append([action(1), action(2), action(3)])
    path.write_bytes(path.read_bytes().replace(b'"at_ms":2', b'"at_ms":9'))
    tail = AuditTail(path)
    tail.look()
    assert tail.chain is not None
    assert tail.chain.broken.startswith("line 2: ")
    assert [row.n for row in tail.rows] == [1], "nothing is believed from there on"


def test_a_watcher_is_told_everything_once(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    AuditFile(path).append([action(1)])
    tail = AuditTail(path)
    settings = (SettingRow(key="strategy.avellaneda.gamma", value="1", origin="default.toml"),)
    feed = Feed(settings, ring_of("one", "two"), tail)
    first, second = Reader(feed), Reader(feed)
    update = first.update(1, PICTURE)
    assert (update.settings, [row.text for row in update.log], update.audit, update.chain) == (
        settings, ["one", "two"], (), None,
    )  # fmt: skip
    tail.look()
    update = first.update(1, PICTURE)
    assert (update.settings, update.log, [row.n for row in update.audit]) == ((), (), [1])
    assert update.chain == tail.chain
    feed.log.take("hlomm", "info", {"event": "three"})
    update = first.update(1, PICTURE)
    assert ([row.text for row in update.log], update.audit, update.chain) == (["three"], (), None)
    assert [row.text for row in second.update(2, PICTURE).log] == ["one", "two", "three"]
