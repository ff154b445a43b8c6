"""`hlomm backtest`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import attrs
import click

from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import UsageError
from hlomm.research.backtest import Terms, backtest
from hlomm.research.bracket import bracket, session_bracket
from hlomm.research.chart import draw
from hlomm.research.fee_schedule import FeesOf
from hlomm.research.fill_model import fill_model
from hlomm.research.latency import parse_latency
from hlomm.research.lookahead import engine_runner, look_ahead
from hlomm.research.recording import Recording
from hlomm.research.session import run_session
from hlomm.research.source import recordings
from hlomm.research.store.read import is_store
from hlomm.research.store.recordings import Chosen, load_session, only_heard
from hlomm.settings.load import Loaded, load
from hlomm.strategy.registry import STRATEGIES


@attrs.frozen(kw_only=True)
class Assumed:
    """What is assumed of fills, as typed."""

    queue: str
    queue_n: float
    latency: str
    seed: int
    fees: str

    def terms(self) -> Terms:
        model = fill_model(self.queue, self.queue_n, parse_latency(self.latency, self.seed))
        return Terms(model=model, fees=FeesOf(self.fees))


def backtest_command(
    data: tuple[Path, ...], *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], strategy: str,
    out: Path | None, as_json: bool, assumed: Assumed, bracketed: bool, guarded: bool,
) -> ExitCode:  # fmt: skip
    terms, held = assumed.terms(), True
    loaded = _loaded(profile, config_files, sets, strategy)
    documents = []
    for folder in data:
        if is_store(folder) and only_heard(folder):
            if guarded:
                raise UsageError(f"{folder}: nothing can be traded in it, so no decision could look ahead")
            documents.append(_together(folder, loaded, terms, strategy, bracketed=False, as_json=as_json))
            continue
        chosen = recordings(folder)
        for left_out in chosen.excluded:
            click.echo(f"left out: {left_out.ticker or left_out.market}: {left_out.reason}", err=True)
        for recording in chosen.recordings:
            began = time.process_time()
            result = backtest(recording, loaded, terms=terms)
            took_s = _since(began)
            if bracketed:
                result.bracket = bracket(recording, loaded, terms, result)
            chart = (out if out is not None else Path()) / f"backtest-{_name(folder, recording, chosen)}-{strategy}.svg"
            chart.parent.mkdir(parents=True, exist_ok=True)
            draw(result, chart)
            document = {**result.document(loaded.profile), "strategy": strategy, "chart": str(chart), "cpu_s": took_s}
            if recording.repairs:
                document["repairs"] = dict(recording.repairs)
            guard = None
            if guarded:
                guard = look_ahead(recording, engine_runner(loaded, terms), terms.model.latency.feed)
                document["look_ahead"] = guard.document()
                held &= guard.held
            documents.append(document)
            if not as_json:
                click.echo(result.text())
                if guard is not None:
                    click.echo(guard.text())
                click.echo(f"chart: {chart}")
    if as_json:
        click.echo(json.dumps(documents[0] if len(documents) == 1 else documents))
    return ExitCode.CLEAN if held else ExitCode.DIVERGED


def _name(folder: Path, recording: Recording, chosen: Chosen) -> str:
    name = folder.resolve().name
    if len(chosen.recordings) == 1:
        return name
    return f"{name}-{recording.outcome.ticker.replace(':', '-')}"


def session_command(
    data: tuple[Path, ...], *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], strategy: str,
    as_json: bool, assumed: Assumed, bracketed: bool,
) -> ExitCode:  # fmt: skip
    """Each store as one run over all its markets."""
    terms = assumed.terms()
    loaded = _loaded(profile, config_files, sets, strategy)
    documents = []
    for folder in data:
        if not is_store(folder):
            raise UsageError(f"{folder}: --together needs what `hlomm record` or `hlomm import` made")
        documents.append(_together(folder, loaded, terms, strategy, bracketed=bracketed, as_json=as_json))
    if as_json:
        click.echo(json.dumps(documents[0] if len(documents) == 1 else documents))
    return ExitCode.CLEAN


def _together(
    folder: Path, loaded: Loaded, terms: Terms, strategy: str, *, bracketed: bool, as_json: bool
) -> dict[str, Any]:  # fmt: skip
    """One store as one run; its text, unless it is a document that is wanted."""
    session = load_session(folder)
    began = time.process_time()
    result = run_session(session, loaded, terms)
    took_s = _since(began)
    between = session_bracket(session, loaded, terms, result) if bracketed and session.markets else None
    if not as_json:
        click.echo(f"{folder}: {result.text()}")
        click.echo(f"{session.book_events / took_s:,.0f} book events/s of processor time; digest {result.digest:016x}")
        if between is not None:
            click.echo(between.text())
    return {
        **result.document(loaded.profile), "strategy": strategy, "cpu_s": took_s,
        "bracket": None if between is None else between.document(),
    }  # fmt: skip


def _since(began: float) -> float:
    """Processor time in seconds, and never none, to divide by."""
    return max(round(time.process_time() - began, 6), 1e-6)


def _loaded(profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], strategy: str) -> Loaded:
    if strategy not in STRATEGIES:
        raise UsageError(f"no strategy {strategy!r}; there are: {', '.join(STRATEGIES)}")
    only = [f"strategy.{name}.enabled={'true' if name == strategy else 'false'}" for name in STRATEGIES]
    return load(profile, config_files, [*sets, *only])
