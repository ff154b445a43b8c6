"""`hlomm bench`: what its documents look like to people."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from hlomm.bench import shown
from hlomm.bench.peers.claims import FEATURES
from hlomm.cli.tables import in_columns
from hlomm.daemon import logs
from hlomm.domain.exits import ExitCode

Json = dict[str, Any]

_HEAD = ("", "p50", "p90", "p99", "p99.9", "budget", "p50 as a part of it")
_STAGES = ("read", "parse", "book", "parse_book", "quote", "risk", "decide", "record", "encode_sign", "send")


def show(document: Json, text: Callable[[Json], list[str]], *, as_json: bool) -> ExitCode:
    """The document, or what `text` makes of it under the machine's name."""
    if as_json:
        click.echo(json.dumps(document))
    else:
        click.echo("\n".join([*shown.whose(document), "", *text(document)]))
    return ExitCode.CLEAN


def quietly() -> None:
    """The daemon that is measured has nothing to tell but trouble."""
    logs.configure("warning")


def hotpath(document: Json) -> list[str]:
    lines = []
    for name, one in document["rates"].items():
        budget, stages = document["budget_us"], one["stages"]
        rows = [shown.row(stage, stages[stage], budget.get(stage)) for stage in _STAGES]
        rows += [shown.row("total", one["total"], budget["total"]), shown.row("wire", one["wire"])]
        speed = "as fast as they are taken" if name == "flood" else f"{name} frames/s"
        lines += [f"== {speed}, {document['transport']} transport: microseconds from readable to handed over"]
        lines += [in_columns(_HEAD, rows, ""), _beside(one), _agreement(one["agree"]), ""]
    good, checked = document["signatures"]["good"], document["signatures"]["checked"]
    cost = f"a clock around a method costs {document['probe_us']:.2f} us and is in the figures"
    lines.append(f"{checked} signatures looked at by the venue, {good} good; {cost}")
    return lines


def _agreement(ratios: Json) -> str:
    """The daemon's own histograms of the same turns, as multiples of what was seen from outside."""
    found = ", ".join(f"{stage} {one['p50']:.2f} / {one['p99']:.2f}" for stage, one in ratios.items() if one)
    return f"the daemon's own histograms, as multiples of these clocks (p50 / p99): {found or 'nothing to compare'}"


def watched(document: Json) -> list[str]:
    figures = ("p50", "p90", "p99", "cpu_us_per_frame")
    rows = [(name, *(shown.number(one[figure]) for figure in figures)) for name, one in document["sides"].items()]
    rows.append(("ratio", *(f"{document['ratio'][figure]:.2f}" for figure in figures)))
    stretches = (
        f"medians of {document['rounds']} stretches of {document['seconds']:g} s, in turns; ratios of neighbours"
    )
    asked = document["asked"]
    crowd = f"{document['clients']} clients asked every {document['every_s']:g} s: {asked['answered']:,} answers"
    return [
        f"microseconds from readable to handed over at {document['rate']:g} frames/s, {stretches}",
        in_columns(("", "p50", "p90", "p99", "processor us/frame"), rows, ""),
        f"{crowd}, {asked['failed']} failures; ratios of p99: "
        + ", ".join(f"{one:.2f}" for one in document["ratios"]["p99"]),
    ]


def _beside(one: Json) -> str:
    gc = one["gc"]
    pauses = f"{gc['count']} collections" + (f", longest {gc['max']:,.0f} us" if gc["count"] else "")
    doubt = "" if not one["disturbed"] else "\nDISTURBED: " + "; ".join(one["disturbed"])
    return (
        f"{one['frames']:,} frames at {one['frames_per_s']:,.0f}/s, {one['decisions']:,} decisions, "
        f"{one['orders']:,} orders; {one['cpu_us_per_frame']:.0f} us of processor a frame; loop late p99 "
        f"{one['loop'].get('p99', 0):,.0f} us; {pauses}{doubt}"
    )


def flood(document: Json) -> list[str]:
    head = (
        "events/s", "done/s", "events/turn", "age p50", "p99", "max", "later p50", "p99", "max", "processor us/event",
        "journal bytes/event", "memory MB", "MB/min", "",
    )  # fmt: skip
    rates: Json = document["rates"]
    rule = next(iter(rates.values()))["memory"]["rule"]
    return [
        f"book events of {document['venues']} venues, {document['markets']} markets each; ages in ms from when",
        "an event was due to the end of the turn that decided on it, first half of the time and later half",
        in_columns(head, [_flooded(name, one) for name, one in rates.items()], ""),
        *(f"{name}/s: {why}" for name, one in rates.items() for why in (*one["behind"], _flood_costs(one))),
        *(f"{rate:,g}/s was not measured any more" for rate in document["not_measured"]),
        f"flat: {rule}",
    ]


def _flooded(name: str, one: Json) -> tuple[str, ...]:
    memory, ages, samples = one["memory"], one["age_ms"], one["samples"]
    slope = memory.get("mb_per_min")
    return (
        f"{float(name):,g}", f"{one['events_per_s']:,.0f}", f"{one['events_per_turn']:g}",
        *(shown.number(ages[half].get(of, 0)) for half in ages for of in ("p50", "p99", "max")),
        shown.number(one["cpu_us_per_event"]), f"{one['journal_bytes_per_event']:,.0f}",
        f"{samples[-1]['memory_mb']:,.1f}" if samples else "-", "-" if slope is None else f"{slope:+.2f}",
        "behind" if one["behind"] else "keeps up",
    )  # fmt: skip


def _flood_costs(one: Json) -> str:
    late = max(lane.get("p99", 0) for lane in one["sender_late_ms"].values())
    queues = ", ".join(f"{queue} {peak:,}" for queue, peak in one["queues"].items())
    return (
        f"memory {one['memory']['verdict']}; {one['cpu_share']:.0%} of a processor, and {one['venue_cpu_share']:.0%} "
        f"for the venues, which sent late by {late:,.1f} ms (p99); peaks of queues: {queues}; {one['orders']:,} orders"
    )


def engine(document: Json) -> list[str]:
    rows = [(one["module"], f"{one['share']:.1%}", shown.bar(one["share"], 1.0)[:-1]) for one in document["where"]]
    speed = f"{document['book_events_per_s']:,} book events/s ({document['events_per_s']:,} of all kinds, "
    rounds = ", ".join(f"{one:g}" for one in document["rounds_cpu_s"])
    did = f"{document['turns']:,} decisions, {document['orders']:,} orders, {document['fills']:,} fills"
    return [
        speed + f"{document['us_per_event']:.1f} us each) through the engine in a backtest, on one processor",
        f"{document['events']:,} events, {did}; rounds took {rounds} s",
        "",
        f"where the time goes, by {document['looks']:,} looks, one a millisecond of processor time:",
        ", ".join(f"{room} {share:.0%}" for room, share in document["rooms"].items()),
        in_columns(("module", "share", ""), rows, "not one look: too short a run"),
    ]


def journal(document: Json) -> list[str]:
    rows = [shown.row(name, document[name])[:5] for name in ("append", "fsync")]
    speed = f"{document['appends_per_s']:,} decisions/s ({document['records_per_s']:,} records) encoded and written"
    return [
        f"{speed}, {document['bytes_per_event']:,.0f} bytes an event",
        "microseconds: a decision to the kernel, on the loop; a sync to the disk, beside it",
        in_columns(_HEAD[:5], rows, ""),
    ]


def transport(document: Json) -> list[str]:
    head = ("", "receive p50", "p99", "send p50", "p99", "total p50", "p99", "processor us/frame", "flood frames/s")
    columns = [(step, figure) for step in ("receive", "send", "total") for figure in ("p50", "p99")]
    rows = [
        (
            name,
            *(shown.number(one[step][figure]) for step, figure in columns),
            shown.number(one["cpu_us_per_frame"]),
            f"{one['flood_per_s']:,}",
        )
        for name, one in document["kinds"].items()
    ]
    ratio = ", ".join(f"{name} {value:g}" for name, value in document["ratio"].items())
    return [
        f"microseconds at {document['rate']:g} frames/s, a write for each; medians of {document['rounds']} rounds",
        in_columns(head, rows, ""),
        f"how many times as much the library costs: {ratio}",
        "an order over REST: on a line kept warm, by the pool of the polls, with a connection of its own",
        *_requests(document["requests"]),
    ]


def _requests(found: Json) -> list[str]:
    head = ("", "send p50", "p99", "answer p50", "p99", "processor us/request", "requests")
    columns = [(step, figure) for step in ("send", "total") for figure in ("p50", "p99")]
    rows = [
        (
            way,
            *(shown.number(one[step][figure]) for step, figure in columns),
            shown.number(one["cpu_us_per_request"]),
            f"{one['requests']:,}",
        )
        for way, one in found.items()
    ]
    return [in_columns(head, rows, "")]


def growth(document: Json) -> list[str]:
    head = ("", "p50", "p99", "processor us/event", "memory MB", "journal bytes/event", "events", "")
    rows = [
        (
            one["what"] if one["daemons"] == 1 else f"{one['what']}, one of {one['daemons']} daemons",
            *("-" if one[figure] is None else shown.number(one[figure]) for figure in ("p50_us", "p99_us")),
            shown.number(one["cpu_us_per_event"]), shown.number(one["memory_mb"]),
            f"{one['journal_bytes_per_event']:,}", f"{one['events']:,}", "disturbed" if one["disturbed"] else "",
        )
        for one in document["rows"]
    ]  # fmt: skip
    return [
        f"microseconds from readable to handed over; by markets: {document['rate']:g} frames/s, each asks for orders",
        in_columns(head, rows, ""),
    ]


def sim(document: Json) -> list[str]:
    soak, venue = document["soak"], document["venue"]
    speed = f"{venue['blocks_per_s']:,} blocks/s, {venue['frames_per_s']:,} frames/s"
    return [
        f"soak, every fault: {soak['ratio']:,} times real time; a day takes {soak['day_takes_s']:,.0f} s",
        f"simulated venue with one client: {venue['ratio']:,} times real time, {speed}",
        *(f"FOUND by the soak: {one}" for one in soak["findings"]),
    ]


def naive(document: Json) -> list[str]:
    head = ("", "p50", "p90", "p99", "processor us/frame", "flood frames/s", "")
    rows = [
        (
            name,
            *(shown.number(one["total"][figure]) for figure in ("p50", "p90", "p99")),
            shown.number(one["cpu_us_per_frame"]),
            "-" if one["flood_per_s"] is None else f"{one['flood_per_s']:,}",
            one["what"],
        )
        for name, one in document["rungs"].items()
    ]
    return [
        f"microseconds from readable to handed over at {document['rate']:g} frames/s",
        f"medians of {document['rounds']} rounds, every rung once a round",
        in_columns(head, rows, ""),
        "in the flood every book asks for an order; only the daemon decides once on what it read together",
    ]


def hygiene(document: Json) -> list[str]:
    figures, lines = ("p50", "p99", "p999", "cpu_us_per_frame"), []
    for rate, full in document["full"].items():
        rows = [("full set, microseconds", *(shown.number(full[figure]) for figure in figures), "")]
        told = [("the full set again", document["again"], "what this machine cannot tell apart")]
        told += [
            (f"{'with' if one['added'] else 'without'} {name}", one["ratio"], one["what"])
            for name, one in document["measures"].items()
        ]
        rows += [(name, *(f"x {ratio[rate][figure]:.2f}" for figure in figures), what) for name, ratio, what in told]
        lines += [
            f"== {rate} frames/s: readable to handed over, {full['count']:,} decisions",
            in_columns(("", "p50", "p99", "p99.9", "processor/frame", ""), rows, ""),
            "",
        ]
    return [*lines, f"the least of {document['rounds']} rounds by that of the full set: above 1 it takes longer so"]


def peers(document: Json) -> list[str]:
    ran = {name: one for name, one in document["contenders"].items() if one["missing"] is None}
    rows = [
        (
            name,
            *(f"{one[what][figure]:,}" for what in ("events_per_s", "rows_per_s") for figure in ("best", "median")),
            *("-" if one[what] is None else f"{one[what]:,}" for what in ("orders", "amends", "cancels", "fills")),
            f"{one['net']:+,.0f}",
            f"{one['pnl']:+,.2f}",
        )
        for name, one in ran.items()
    ]
    head = ("", "events/s", "median", "rows/s", "median", "orders", "amends", "cancels", "fills", "position", "pnl")
    does = [(name, *(one["does"][feature] for feature in FEATURES)) for name, one in document["contenders"].items()]
    maker, agreed = document["maker"], "agree" if document["kernel_agrees"] else "were not compared"
    tape = f"{document['frames']:,} frames ({document['rows']:,} rows)"
    quotes = f"quotes every {maker['requote_ns'] / 1e6:g} ms of it, {maker['distance']} ticks from the mid"
    return [
        f"{tape}; {quotes}; best and median of {document['rounds']} rounds, by processor time, loading apart",
        in_columns(head, rows, "nobody ran"),
        *(f"{name}: {one['missing']}" for name, one in document["contenders"].items() if one["missing"] is not None),
        "",
        *(f"{name}: {one['what']}" for name, one in document["contenders"].items()),
        f"kernel and engine_nearest {agreed}",
        "",
        in_columns(("", *FEATURES), does, ""),
        "",
        *(f"- {note}" for note in document["notes"]),
    ]
