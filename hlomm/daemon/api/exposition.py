"""A snapshot as Prometheus metrics. Names and labels are a contract with dashboards and alert rules.

Amounts are in the collateral's units, durations in seconds. Everything is read from one snapshot, so the figures of one
scrape belong together. Labels are venues, stages, strategies and words of ours, never markets: those come and go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from hlomm.assembly.documents import amount
from hlomm.daemon.api.health import Health, Verdict, judge
from hlomm.domain.latency_rows import EDGES_US
from hlomm.domain.outputs import HaltState
from hlomm.domain.report import Snapshot
from hlomm.venues.life import LIVE

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
_US: Final = 1e-6
_QUANTILES: Final = (("0.5", "p50_us"), ("0.9", "p90_us"), ("0.99", "p99_us"), ("0.999", "p999_us"))
Rows = Iterable[tuple[tuple[str, ...], float]]


def exposition(snapshot: Snapshot | None, served: Mapping[str, int]) -> bytes:
    """The text of a scrape. Without a snapshot it says `hlomm_up 0`, and nothing that could be taken for news.

    `served`: answers of this process so far by status.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(snapshot, served))
    return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, snapshot: Snapshot | None, served: Mapping[str, int]) -> None:
        self._snapshot = snapshot
        self._served = served

    def collect(self) -> Iterator[Metric]:
        yield _gauge("up", "Whether the daemon answers.", float(self._snapshot is not None))
        yield _counters("api_responses", "Answers of the metrics process, by HTTP status.", ("status",),
                        (((status,), count) for status, count in self._served.items()))  # fmt: skip
        if self._snapshot is not None:
            yield from families(self._snapshot)


def families(snapshot: Snapshot) -> Iterator[Metric]:
    yield from _life(snapshot, judge(snapshot))
    yield from _money(snapshot)
    yield from _trading(snapshot)
    yield from _venues(snapshot)
    yield from _time(snapshot)
    yield from _desk(snapshot)


def _life(snapshot: Snapshot, verdict: Verdict) -> Iterator[Metric]:
    engine = snapshot.engine
    yield _gauges("build_info", "What runs; always 1.", ("version", "profile"),
                  [((snapshot.version, snapshot.profile), 1)])  # fmt: skip
    yield _gauge("uptime_seconds", "Since the daemon started.", snapshot.uptime_s)
    yield _gauges("state", "1 for the state that the engine is in.", ("state",),
                  (((state.value,), float(state.value == engine.state)) for state in HaltState))  # fmt: skip
    yield _gauges("health", "1 for what /health says.", ("health",),
                  (((health.value,), float(health is verdict.health)) for health in Health))  # fmt: skip
    guardian = snapshot.guardian
    yield _gauge("guardian_up", "Whether a guardian watches.", float(guardian.state == "up"))
    if guardian.answer_age_s is not None:
        yield _gauge("guardian_answer_age_seconds", "Since its last answer.", guardian.answer_age_s)
    yield _counter("guardian_restarts", "Guardians started again.", guardian.restarts)
    yield _counter("journal_records", "Records written.", snapshot.journal_records)
    yield _counter("invariant_breaks", "Broken invariants.", engine.invariant_breaks)


def _money(snapshot: Snapshot) -> Iterator[Metric]:
    engine = snapshot.engine
    for name, text, value in (
        ("armed_notional", "What the operator allowed; 0 in simulation.", snapshot.armed),
        ("equity", "Cash and what is held at its conservative mark.", engine.equity),
        ("cash", "Collateral of outcomes.", engine.cash),
        ("drawdown", "Below the highest equity.", engine.drawdown),
        ("drawdown_max", "The largest of this run.", engine.max_drawdown),
        ("drawdown_limit", "Where everything is flattened.", engine.drawdown_limit),
        ("exposure_gross", "Gross notional held and resting.", engine.gross),
        ("exposure_gross_limit", "Its limit.", engine.gross_limit),
        ("exposure_worst_loss", "Worst settlement with the worst of the resting orders filled.", engine.worst_loss),
        ("exposure_worst_loss_limit", "Its limit.", engine.loss_limit),
    ):
        yield _gauge(name, text, amount(value))
    parts = ("realised", "unrealised", "fees", "rewards", "total", "spread", "inventory", "settlement", "hedge",
             "funding", "rounding")  # fmt: skip
    yield _gauges("pnl", "Result of this run, by part.", ("part",),
                  (((part,), amount(getattr(engine.pnl, part))) for part in parts))  # fmt: skip
    yield _gauges("stranded", "What would rest if the network were lost.", ("venue",),
                  (((row.venue,), amount(row.stranded)) for row in engine.stranded))  # fmt: skip
    yield _gauges("stranded_limit", "Its cap while no dead-man is armed.", ("venue",),
                  (((row.venue,), amount(row.cap)) for row in engine.stranded))  # fmt: skip


def _trading(snapshot: Snapshot) -> Iterator[Metric]:
    engine = snapshot.engine
    yield _counter("volume", "Traded, in collateral.", amount(engine.volume))
    for name, text, count in (
        ("fills", "Fills.", engine.fills), ("orders_placed", "Orders sent.", engine.orders_placed),
        ("amends", "Amends sent.", engine.amends), ("cancels", "Cancels sent.", engine.cancels),
        ("settlements", "Contracts settled.", engine.settlements), ("rolls", "Contracts rolled.", engine.rolls),
        ("risk_passed", "Orders that the risk gate let pass.", engine.risk.passed),
        ("risk_resized", "Orders that it made smaller.", engine.risk.resized),
    ):  # fmt: skip
        yield _counter(name, text, count)
    yield _counters("rejects", "Orders that the risk gate refused, by limit.", ("reason",),
                    (((reason,), count) for reason, count in engine.risk.rejected.items()))  # fmt: skip
    yield _counters("breakers", "How often each breaker acted.", ("breaker",),
                    (((name,), count) for name, count in engine.breakers.items()))  # fmt: skip
    yield _counters("anomalies", "What venues told that made no sense, by kind.", ("kind",),
                    (((kind,), count) for kind, count in engine.anomalies.items()))  # fmt: skip
    yield _gauge("orders_open", "Orders that live.", engine.open_orders)


def _venues(snapshot: Snapshot) -> Iterator[Metric]:
    rows = snapshot.venues
    for name, text, values in (
        ("venue_up", "Whether its session lives.", [(row.venue, float(row.session == LIVE)) for row in rows]),
        ("venue_orders_open", "Orders that rest there.", [(row.venue, row.open_orders) for row in rows]),
        ("venue_data_age_seconds", "Since its last data.", [(row.venue, row.data_age_s) for row in rows]),
        ("venue_ack_seconds", "Median from order to answer.",
         [(row.venue, None if row.ack_p50_ms is None else row.ack_p50_ms / 1000) for row in rows]),
        ("venue_clock_skew_seconds", "Its clock against ours.",
         [(row.venue, None if row.skew_ms is None else row.skew_ms / 1000) for row in rows]),
        ("venue_fuse_tripped", "Whether the session's fuse lets nothing pass but exits.",
         [(row.venue, float(row.fuse.startswith("tripped"))) for row in rows]),
        ("budget_used", "Actions used of what the venue grants.", [(row.venue, row.budget_used) for row in rows]),
        ("budget_limit", "What it grants.", [(row.venue, row.budget_cap) for row in rows]),
        ("budget_runway_seconds", "Until they are used up at the present pace.",
         [(row.venue, None if row.budget_runway_min is None else row.budget_runway_min * 60) for row in rows]),
    ):  # fmt: skip
        yield _gauges(name, text, ("venue",), (((venue,), value) for venue, value in values if value is not None))
    yield _counters("venue_reconnects", "Connections made again.", ("venue",),
                    (((row.venue,), row.reconnects) for row in rows))  # fmt: skip
    yield _gauges("venue_counter", "What its session counts.", ("venue", "counter"),
                  (((row.venue, name), count) for row in rows for name, count in row.counters.items()))  # fmt: skip


def _time(snapshot: Snapshot) -> Iterator[Metric]:
    """Stages of a decision, and `loop`: how late the event loop is."""
    stages = snapshot.stages
    yield _gauges("stage_latency_seconds", "Time taken since the start, by quantile.", ("stage", "quantile"),
                  (((row.stage, share), getattr(row, field) * _US)
                   for row in stages if row.count for share, field in _QUANTILES))  # fmt: skip
    yield _stages_seconds(snapshot)
    yield _gauges("stage_latency_max_seconds", "The longest.", ("stage",),
                  (((row.stage,), row.max_us * _US) for row in stages))  # fmt: skip
    yield _gauges("stage_latency_recent_seconds", "p99 of the last whole minute.", ("stage",),
                  (((row.stage,), row.recent_us * _US) for row in stages if row.recent_us is not None))  # fmt: skip
    yield _gauges("stage_latency_budget_seconds", "Budget of that.", ("stage",),
                  (((row.stage,), row.budget_us * _US) for row in stages))  # fmt: skip
    yield _counters("stage_runs", "How often each was timed.", ("stage",),
                    (((row.stage,), row.count) for row in stages))  # fmt: skip
    queues = snapshot.queues
    yield _gauges("queue_peak", "Most that ever waited.", ("queue",), (((row.name,), row.peak) for row in queues))
    yield _gauges("queue_limit", "Most that may wait.", ("queue",),
                  (((row.name,), row.limit) for row in queues if row.limit is not None))  # fmt: skip
    yield _counters("queue_lost", "What did not fit.", ("queue",), (((row.name,), row.lost) for row in queues))


def _stages_seconds(snapshot: Snapshot) -> Metric:
    found = HistogramMetricFamily("hlomm_stage_seconds", "Time taken since the start.", labels=("stage",))
    for row in snapshot.stages:
        edges = [(f"{edge / 1e6:g}", float(count)) for edge, count in zip(EDGES_US, row.up_to, strict=False)]
        found.add_metric((row.stage,), [*edges, ("+Inf", float(row.count))], sum_value=row.sum_us * _US)
    return found


def _desk(snapshot: Snapshot) -> Iterator[Metric]:
    rows = snapshot.engine.strategies
    yield _gauges("strategy_running", "1 unless paused or stopped.", ("strategy",),
                  (((row.id,), float(row.state == "running")) for row in rows))  # fmt: skip
    yield _gauges("strategy_orders", "Its orders that live.", ("strategy",), (((row.id,), row.orders) for row in rows))
    yield _gauges("strategy_result", "What its markets brought.", ("strategy",),
                  (((row.id,), amount(row.result)) for row in rows))  # fmt: skip
    yield _gauges("markout", "Mean worth of maker fills that many seconds later, per contract.", ("horizon_s",),
                  (((str(row.horizon_s),), amount(row.mean))
                   for row in snapshot.engine.markouts if row.mean is not None))  # fmt: skip


# -- families


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"hlomm_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"hlomm_{name}", text, value=value)


def _gauges(name: str, text: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    found = GaugeMetricFamily(f"hlomm_{name}", text, labels=labels)
    for values, value in rows:
        found.add_metric(values, value)
    return found


def _counters(name: str, text: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    found = CounterMetricFamily(f"hlomm_{name}", text, labels=labels)
    for values, value in rows:
        found.add_metric(values, value)
    return found
