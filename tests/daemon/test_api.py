"""The pages of `hlomm metrics` over a simulated run: what a scrape says, what dashboards ask, what decisions tell.

Rung: the application itself, called as its server calls it, against the whole daemon in mock time.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from hlomm.cli.metrics import performance, positions
from hlomm.daemon.api import pages as serving
from hlomm.daemon.api.decisions import Asked
from hlomm.daemon.api.health import Health, judge
from hlomm.daemon.api.pages import Pages, names_this_machine
from hlomm.daemon.api.snapshots import Snapshots
from hlomm.domain.desk_rows import StrategyRow
from hlomm.domain.faults import UsageError
from hlomm.domain.inputs import OperatorAction, OperatorCommand
from hlomm.domain.report import GuardianRow, Snapshot
from hlomm.domain.sets import SetAction
from hlomm.domain.units import to_text
from hlomm.settings.paths import StatePaths
from tests.arch.scanning import ROOT

DASHBOARD = json.loads((ROOT / "config" / "grafana.json").read_text(encoding="utf-8"))
UP = GuardianRow(state="up", pid=1, answer_age_s=0.1)


@attrs.define(eq=False)
class Fake:
    """A connection to a daemon that is right here."""

    make: Callable[[], Snapshot]
    alive: bool = True

    def snapshot(self) -> Snapshot:
        if not self.alive:
            raise UsageError("the daemon at nowhere is gone")
        return self.make()

    def close(self) -> None:
        """Nothing is open."""


@attrs.define(eq=False)
class Got:
    status: int = 0
    headers: dict[bytes, bytes] = attrs.field(factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)


async def get(app: Pages, target: str, *, method: str = "GET", host: str = "127.0.0.1:9109") -> Got:
    path, _, query = target.partition("?")
    got = Got()

    async def receive() -> Any:
        await trio.sleep_forever()

    async def send(message: Any) -> None:
        await trio.lowlevel.checkpoint()
        if message["type"] == "http.response.start":
            got.status, got.headers = message["status"], dict(message["headers"])
        else:
            got.body += message["body"]

    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(),
             "headers": [(b"host", host.encode())]}  # fmt: skip
    await app(scope, receive, send)
    return got


def app_of(paths: StatePaths, fake: Fake) -> Pages:
    return Pages(paths, Snapshots(lambda: fake), {"/positions": positions, "/performance": performance})


def watched(r: Any) -> Snapshot:
    """As the daemon tells it, with the guardian that this run in one process has none of."""
    return msgspec.structs.replace(r.daemon.monitor.snapshot(), guardian=UP)


@attrs.frozen(kw_only=True)
class Traded:
    """A run that traded, was killed by its operator, and ended: what it left, and what it said meanwhile."""

    paths: StatePaths
    running: Snapshot
    halted: Snapshot

    def app(self, said: Snapshot | None = None) -> Pages:
        return app_of(self.paths, Fake(lambda: said or self.running))


_ran: list[Traded] = []
"""The same for every test here: nothing changes it."""


@pytest.fixture
async def traded(rig: Any, autojump_clock: Any, tmp_path_factory: pytest.TempPathFactory) -> Traded:
    if not _ran:
        async with rig(seed=7, state=tmp_path_factory.mktemp("traded") / "st") as r:
            await r.quoting(2)
            await r.until(lambda: r.engine.state.portfolio.fills >= 5, 300)
            await trio.sleep(5)
            r.daemon._stages.judge()  # a minute of real time has not passed
            await r.quoting(1)
            running = watched(r)
            r.daemon.pump([OperatorCommand(action=OperatorAction.KILL, actor="me", reason="enough")], 0)
            await r.until(lambda: r.state == "halted", 60)
            halted = watched(r)
        _ran.append(Traded(paths=r.paths, running=running, halted=halted))
    return _ran[0]


def scraped(text: bytes) -> dict[str, list[Any]]:
    """Samples by name, as the reference parser reads them."""
    found: dict[str, list[Any]] = {}
    for family in text_string_to_metric_families(text.decode()):
        assert family.documentation, family.name
        assert family.type in ("gauge", "counter", "histogram"), family
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


# -- a scrape


async def test_a_scrape_is_what_the_snapshot_says_and_the_reference_parser_reads_it(traded: Traded) -> None:
    got = await get(traded.app(), "/metrics")
    assert (got.status, got.headers[b"content-type"]) == (200, b"text/plain; version=0.0.4; charset=utf-8")
    found, snapshot = scraped(got.body), traded.running
    engine = snapshot.engine
    assert all(name.startswith("hlomm_") for name in found)

    def one(name: str, **labels: str) -> float:
        (sample,) = [sample for sample in found[f"hlomm_{name}"] if sample.labels == labels]
        return sample.value

    assert one("up") == one("guardian_up") == one("state", state="running") == 1
    assert one("fills_total") == engine.fills >= 5
    assert one("equity") == float(to_text(engine.equity))
    assert one("pnl", part="total") == float(to_text(engine.pnl.total))
    assert {s.labels["reason"]: s.value for s in found["hlomm_rejects_total"]} == engine.risk.rejected
    assert one("exposure_gross_limit") == float(to_text(engine.gross_limit))
    assert one("venue_up", venue="hyperliquid") == 1
    for row in snapshot.stages:
        assert one("stage_runs_total", stage=row.stage) >= row.count > 0 or row.stage in ("collect", "tidy")
        buckets = [s for s in found["hlomm_stage_seconds_bucket"] if s.labels["stage"] == row.stage]
        counts = [s.value for s in sorted(buckets, key=lambda s: float(s.labels["le"]))]
        assert counts == sorted(counts)
        assert counts == [*row.up_to, row.count]
        assert one("stage_seconds_sum", stage=row.stage) == pytest.approx(row.sum_us / 1e6)
    quantiles = {s.labels["quantile"] for s in found["hlomm_stage_latency_seconds"] if s.labels["stage"] == "total"}
    assert quantiles == {"0.5", "0.9", "0.99", "0.999"}
    assert {s.labels["queue"] for s in found["hlomm_queue_peak"]} == {row.name for row in snapshot.queues}


async def test_a_scrape_of_a_dead_daemon_says_so_and_nothing_else(tmp_path: Path) -> None:
    app = app_of(StatePaths(tmp_path), Fake(lambda: pytest.fail("not asked"), alive=False))
    found = scraped((await get(app, "/metrics")).body)
    assert [sample.value for sample in found.pop("hlomm_up")] == [0]
    assert set(found) <= {"hlomm_api_responses_total"}
    for path in ("/positions", "/performance"):
        got = await get(app, path)
        assert got.status == 503
        assert "gone" in got.json()["error"]
        assert "hlomm run" in got.json()["next"]
    health = await get(app, "/health")
    assert (health.status, health.json()["health"]) == (503, "down")
    assert (await get(app, "/decisions")).json()["error"].endswith("no ledger yet — the first `hlomm run` makes it")


# -- dashboards

_SELECTOR = re.compile(r"\b(hlomm_[a-z0-9_]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r"(\w+)(=~|=)\"([^\"]*)\"")
_BY = re.compile(r"\bby \(([^)]*)\)")


def queries() -> Iterator[tuple[str, str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["legendFormat"]


def selected(found: dict[str, list[Any]], expr: str) -> Iterator[list[Any]]:
    """Samples that each selector of a query picks."""
    for name, matchers in _SELECTOR.findall(expr):
        wanted = [(label, re.compile(text if how == "=~" else re.escape(text)))
                  for label, how, text in _MATCHER.findall(matchers)]  # fmt: skip
        yield [
            sample for sample in found.get(name, ())
            if all(pattern.fullmatch(sample.labels.get(label, "")) for label, pattern in wanted)
        ]  # fmt: skip


async def test_every_query_of_the_dashboard_finds_data_in_a_simulated_run(traded: Traded) -> None:
    app = traded.app()
    await get(app, "/health")  # so that the API has answered something before it is scraped
    found = scraped((await get(app, "/metrics")).body)
    asked = list(queries())
    assert len(asked) > 40
    for title, expr, legend in asked:
        picked = list(selected(found, expr))
        assert picked, (title, expr)
        for samples in picked:
            assert samples, (title, expr)
            labels = {label.strip() for names in _BY.findall(expr) for label in names.split(",")}
            for label in labels | set(re.findall(r"\{\{(\w+)\}\}", legend)):
                assert all(label in sample.labels for sample in samples), (title, expr, label)


def test_that_reading_of_queries_would_notice() -> None:
    found = scraped(b'# HELP hlomm_a x\n# TYPE hlomm_a gauge\nhlomm_a{venue="x"} 1\n')
    assert [len(s) for s in selected(found, 'rate(hlomm_a{venue=~"x|y"}[5m]) / hlomm_b')] == [1, 0]
    assert [len(s) for s in selected(found, 'hlomm_a{venue="y"} + hlomm_a{other="x"}')] == [0, 0]


def test_panels_do_not_overlap_and_have_their_own_numbers() -> None:
    cells, ids = set(), [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        own = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & own, panel["title"]
        cells |= own


# -- the JSON pages


class Level(msgspec.Struct, forbid_unknown_fields=True):
    px: float
    qty: float


class Touch(msgspec.Struct, forbid_unknown_fields=True):
    seq: int
    wall_ms: int
    bid: Level | None
    ask: Level | None


class Saw(msgspec.Struct, forbid_unknown_fields=True):
    touch: Touch | None
    input: str
    seq: int | None
    what: dict[str, Any]


class FillOf(msgspec.Struct, forbid_unknown_fields=True):
    wall_ms: int
    px: float
    qty: float
    fee: float
    maker: bool


class Happened(msgspec.Struct, forbid_unknown_fields=True):
    state: str
    filled: float
    note: str
    changed_ms: int
    fills: list[FillOf]


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    purpose: str | None
    strategy: str | None
    reason: str | None
    alerts: list[dict[str, str]]
    halts: list[dict[str, str]]


class Decision(msgspec.Struct, forbid_unknown_fields=True):
    epoch: int
    seq: int
    n: int
    wall_ms: int
    kind: str
    market: str
    client_id: str | None
    leg: str | None
    side: str | None
    px: float | None
    qty: float | None
    rule: Rule
    saw: Saw | None
    happened: Happened | None


class Decisions(msgspec.Struct, forbid_unknown_fields=True):
    decisions: list[Decision]


async def decided(app: Pages, query: str = "limit=500") -> list[Decision]:
    got = await get(app, f"/decisions?{query}")
    assert got.status == 200, got.body
    return msgspec.json.decode(got.body, type=Decisions).decisions


async def test_each_decision_says_which_rule_fired_what_it_saw_and_what_happened(traded: Traded) -> None:
    rows = await decided(traded.app())
    assert [(row.epoch, row.seq, row.n) for row in rows] == sorted(
        ((row.epoch, row.seq, row.n) for row in rows), reverse=True
    )
    assert {row.kind for row in rows} >= {"place", "amend", "cancel"}
    orders = [row for row in rows if row.kind in {"place", "amend", "cancel"}]
    for row in rows:
        assert row.saw is not None, "it is all in the newest segment"
        assert row.saw.input
        assert row.saw.seq in (row.seq - 1, None)
        assert row in orders or row.kind in set(SetAction), "pairs become cash, or cash pairs, where they can"
    for row in orders:
        assert row.rule.purpose is not None
        assert row.rule.strategy == "avellaneda" or row.rule.purpose != "quote"
        assert row.happened is not None
    filled = [row for row in rows if row.happened is not None and row.happened.fills]
    assert filled, "some of them traded"
    for row in filled:
        assert sum(fill.qty for fill in row.happened.fills) <= row.happened.filled + 1e-9
    by_book = [row for row in rows if row.saw is not None and row.saw.input == "BookSnapshot"]
    assert by_book
    assert all("bid" in row.saw.what and row.saw.touch is not None for row in by_book if row.saw is not None)
    reasons = {order.client_id: order.reason or None for order in traded.running.engine.orders}
    lived = [row for row in rows if row.client_id in reasons]
    assert lived
    assert all(row.rule.reason == reasons[row.client_id] for row in lived), (
        "an order that lives says why in its own words"
    )


async def test_a_kill_is_the_rule_of_what_it_decides(traded: Traded) -> None:
    app = traded.app(traded.halted)
    killed = [row for row in await decided(app) if row.saw is not None and row.saw.input == "OperatorCommand"]
    assert killed
    for row in killed:
        assert row.saw is not None
        assert row.saw.what["action"] == "kill"
        assert row.saw.what["reason"] == "enough"
        assert any(halt["state"] == "flattening" for halt in row.rule.halts)
    health = await get(app, "/health")
    assert (health.status, health.json()["health"]) == (200, "halted"), "a restart would help nobody"
    assert (await get(app, "/health/ready")).status == 503


async def test_decisions_of_one_market_and_of_a_daemon_that_is_gone(traded: Traded) -> None:
    app = traded.app()
    market = (await decided(app))[0].market
    assert {row.market for row in await decided(app, f"market={market}&limit=5")} == {market}
    assert len(await decided(app, "limit=3")) == 3
    assert await decided(app, "market=hyperliquid:o999999") == []
    gone = app_of(traded.paths, Fake(lambda: traded.running, alive=False))
    rows = await decided(gone, "limit=20")
    assert len(rows) == 20
    assert all(row.saw is not None and row.rule.reason is None for row in rows)


async def test_positions_and_performance_are_what_the_commands_print(traded: Traded) -> None:
    app = traded.app()
    held = (await get(app, "/positions")).json()
    assert set(held) == {"wall_ms", "state", "positions", "hedges", "gross", "gross_limit", "scenarios", "worst_loss",
                         "orders"}  # fmt: skip
    assert {"market", "yes", "no", "net", "cost", "value", "realised", "fees"} <= set(held["positions"][0])
    assert len(held["positions"]) == len(traded.running.engine.positions)
    made = (await get(app, "/performance")).json()
    assert set(made) == {"wall_ms", "uptime_s", "equity", "pnl", "volume", "drawdown", "max_drawdown", "fills",
                         "settlements", "markouts", "strategies", "curve", "recent_fills"}  # fmt: skip
    assert made["fills"] >= 5
    assert made["curve"][-1]["total"] == pytest.approx(made["pnl"]["total"], abs=50)
    assert made["strategies"][0]["id"] == "avellaneda"


# -- health


async def test_what_is_not_as_it_should_be_degrades(traded: Traded) -> None:
    # However busy this machine was.
    in_time = tuple(msgspec.structs.replace(row, recent_us=1.0) for row in traded.running.stages)
    good = msgspec.structs.replace(traded.running, stages=in_time)
    assert judge(good).health is Health.READY
    (venue,) = good.venues
    cases = {
        "session down": {"venues": (msgspec.structs.replace(venue, session="down"),)},
        "fuse": {"venues": (msgspec.structs.replace(venue, fuse="tripped: rate"),)},
        "slowed": {"venues": (msgspec.structs.replace(venue, budget_slow="runway"),)},
        "no guardian": {"guardian": GuardianRow(state="down", reason="it died")},
        "paused": {"engine": msgspec.structs.replace(
            good.engine, strategies=(StrategyRow(id="a", state="paused", why="an operator"),))},
        "budget": {"stages": tuple(msgspec.structs.replace(row, recent_us=1e9) for row in good.stages[:1])},
    }  # fmt: skip
    for words, changes in cases.items():
        verdict = judge(msgspec.structs.replace(good, **changes))
        assert (verdict.health, verdict.alive, verdict.ready) == (Health.DEGRADED, True, True)
        assert any(words in reason for reason in verdict.reasons), (words, verdict)
    for state in ("starting", "halted", "flattening", "stopping"):
        changed = msgspec.structs.replace(good.engine, state=state, reason="because")
        verdict = judge(msgspec.structs.replace(good, engine=changed))
        assert (verdict.alive, verdict.ready) == (True, False)
        assert verdict.reasons[0] == "because"


# -- bounds


async def test_fifty_clients_at_once_are_one_question_to_the_daemon(traded: Traded) -> None:
    """What keeps the hot path out of it: however many scrape, the daemon makes one snapshot a second."""
    app = traded.app()
    got: list[int] = []

    async def scrape(path: str) -> None:
        got.append((await get(app, path)).status)

    async with trio.open_nursery() as nursery:
        for n in range(50):
            nursery.start_soon(scrape, ("/metrics", "/health", "/positions", "/performance", "/decisions")[n % 5])
    assert got == [200] * 50
    assert app._snapshots.asked <= 2  # a second one only if a second of real time went by meanwhile


async def test_a_request_too_many_and_a_daemon_too_slow_are_told_so(
    traded: Traded, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = threading.Event()

    def slow() -> Snapshot:
        assert hold.wait(30)
        return traded.running

    app = app_of(traded.paths, Fake(slow))
    monkeypatch.setattr(serving, "AT_ONCE", 3)
    monkeypatch.setattr(serving, "ANSWER_S", 0.05)
    got: list[Got] = []

    async def scrape() -> None:
        got.append(await get(app, "/metrics"))

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(scrape)
        while not got:
            await trio.lowlevel.checkpoint()
        hold.set()
    assert got[0].status == 503
    assert "3 requests are being answered" in got[0].json()["error"]
    assert len(got) == 4


async def test_what_is_refused(traded: Traded) -> None:
    app = traded.app()
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        got = await get(app, "/positions", method=method)
        assert (got.status, got.headers[b"allow"]) == (405, b"GET, HEAD")
    assert (await get(app, "/nothing")).status == 404
    for query in ("limit=0", "limit=501", "limit=x", "limit=1e2", "limit=-1", "secret=1", "limit=" + "9" * 600,
                  "limit=000005000000", "limit=0000051" + "9" * 30):  # fmt: skip
        got = await get(app, f"/decisions?{query}")
        assert got.status == 400, query
    got = await get(app, "/metrics", host="evil.example:9109")
    assert (got.status, b"hlomm_" in got.body) == (403, False), "a name that was made to point here"
    head = await get(app, "/metrics", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert b"access-control-allow-origin" not in head.headers


def test_names_of_this_machine() -> None:
    for good in ("localhost", "localhost:9109", "127.0.0.1:9109", "127.0.0.9", "[::1]:80"):
        assert names_this_machine(good), good
    for bad in (
        "",
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1@evil.example",
        "evil/127.0.0.1",
        "[::1",
        "10.0.0.1",
    ):
        assert not names_this_machine(bad), bad
    assert Asked.of({}) == Asked(50, None)
