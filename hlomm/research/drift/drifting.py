"""Where a run's result differs from the backtester's, and why: one ingredient exchanged at a time.

Of every outcome market that was traded, `journal_recording` makes a recording of what the run heard. Four results of
fills are taken from it, each valued at one and the same mark (what YES paid; where it had not settled when the run was
asked to end, the last mid), before fees:

    M0  the backtest as it stands: the run's settings and money, assumed latencies (`Delays()`), the fill model
    M1  the same with the latencies that the run measured (medians of entry and response as in `calibrate.latency`,
        on the clock of the venue's stamps, by which the model matches)
    R   the orders that the run really sent, at their times, given to the fill model with those latencies
    L   what the venue really filled

    latency = M1 - M0     signals + others = R - M1     queue = L - R     fees = fees of M0 - fees booked

so that M0 - its fees + latency + signals + others + queue + fees = the market's live result, to the last unit. At one
mark a result is a sum over fills, so R - M1 is told apart fill by fill. `signals` are those of moments at which the
fair values of the two runs were more than `FAIR_SAME` apart, or one had none: live, an underlying's vol and premium are
learnt from all of its markets and for longer, here from one. `others` are those at which they agreed and yet something
else was quoted: another inventory, because other orders filled before; limits, equity and the budget of actions, which
live are shared by all markets and here belong to one; news of the account. `queue` holds all by which the venue's
matching differs from the model's, and that the tape's books and prints have our own orders and fills in them; beside it
stands what R is with other queue models (`queue_models`): the one nearest to L is the one to believe for this venue.

What the run made elsewhere (perps held against the outcomes, other venues, markets that cannot be compared, the
difference between the engine's careful marks and the mids here) no backtest of one market can say: `elsewhere` is the
engine's own total at the moment when the run was asked to end less the markets' results. Every decision of the journal
is replayed on the way, and a journal that does not replay is said to be no evidence.

Shares of quotes are of time and sides: `equal` where both asked for the same price or for none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path as File
from typing import Final

from hlomm.domain.faults import UsageError
from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import BookSnapshot
from hlomm.domain.orders import direction, yes_px
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Px
from hlomm.pricing.queues import QueueModel
from hlomm.research.backtest import Terms, backtest
from hlomm.research.calibrate import latency
from hlomm.research.calibrate.latency import Clocks
from hlomm.research.drift.as_sent import fills_as_sent
from hlomm.research.drift.delays import Delays
from hlomm.research.drift.result import Drift, MarketDrift, QuoteShares
from hlomm.research.drift.watching import BOTH_SIDES, Live, Modelled, Path, Quotes, fills_of, quotes_of
from hlomm.research.fill_model import FillModel
from hlomm.research.journal_recording import JournalRun, Traded, journal_run
from hlomm.research.recording import Recording
from hlomm.research.replay import replay

FAIR_SAME: Final = Px(SCALE // 2_000)
"""Fair values this close make the same quotes: a fifth of the least half-spread."""
_QUIET_NS: Final = 60 * NS_PER_S
"""Without a turn; an engine that lives takes two a second."""
_OTHER_QUEUES: Final = (QueueModel.POWER, QueueModel.FRONT)
Heard = Sequence[tuple[int, Fill]]


def drift(path: File) -> Drift:
    """Of the newest run at a state directory or journal. UsageError where it traded nothing that can be compared."""
    run = journal_run(path)
    if run.boot.fill_model:
        raise UsageError(f"{path}: a run on paper is its own backtest: there is no gap between them")
    if not run.markets:
        reasons = "; ".join(f"{one.ticker or one.market}: {one.reason}" for one in run.excluded[:5])
        raise UsageError(f"{path}: no market of this run can be compared ({reasons or 'nothing was traded'})")
    live = Live(fairs={one.recording.outcome.id: Path() for one in run.markets}, until_ns=run.until_ns)
    replayed = replay(path, onlooker=live)
    live.end()
    measured, delays = _delays(run)
    markets = tuple(_market(run, one, delays, live) for one in run.markets)
    return Drift(
        name=run.name, profile=run.boot.profile, fill_model=FillModel().tag, markets=markets, excluded=run.excluded,
        assumed=Delays(), measured=delays if measured else None, total=live.total,
        elsewhere=live.total - sum(one.live for one in markets), hedge=live.hedge,
        told=(*run.told, *_told(run, live)), replay=replayed.text().splitlines()[-1],
        sound=replayed.identical and replayed.corrupt is None,
    )  # fmt: skip


def _told(run: JournalRun, live: Live) -> Iterator[str]:
    if live.last_ns < run.until_ns - _QUIET_NS:
        yield "the journal does not replay to its end: from there on `signals` are counted among `others`"
    if len(run.markets) > 1:
        yield (
            f"{len(run.markets)} markets shared limits, equity and the budget of actions live; the backtest of one "
            "market has them to itself: part of `others`"
        )
    unsettled = sum(one.recording.settled is None for one in run.markets)
    if unsettled:
        yield f"{unsettled} markets had not settled when the run was asked to end: valued at their last mid"


def _delays(run: JournalRun) -> tuple[bool, Delays]:
    """Whether there were enough orders to measure, and the medians."""
    # No clock is corrected: the fill model holds our times against the tape's stamps as they are.
    entry, response = latency.own((one.own, Clocks(), HYPERLIQUID) for one in run.markets)
    if entry.refused or response.refused:
        return False, Delays()
    return True, Delays(entry_ns=entry.quantiles()["p50"], answer_ns=response.quantiles()["p50"])


# -- one market


def _market(run: JournalRun, traded: Traded, delays: Delays, live: Live) -> MarketDrift:
    recording, until_ns, live_fair = traded.recording, run.until_ns, live.fairs[traded.recording.outcome.id]
    mark = mark_of(recording)
    assumed = _modelled(run, traded, Delays())
    measured = assumed if delays == Delays() else _modelled(run, traded, delays)
    model, timed = fills_of(assumed.news, until_ns), fills_of(measured.news, until_ns)
    resent = fills_of(fills_as_sent(traded, delays, until_ns), until_ns)
    booked = fills_of(traded.own.news, until_ns)
    by_queue = {
        queue: fills_of(fills_as_sent(traded, delays, until_ns, queue), until_ns) for queue in _OTHER_QUEUES
    }  # fmt: skip

    def agreed(ns: int) -> bool:
        if ns > live.last_ns:
            return True  # the replay broke off: nobody knows what was thought
        mine, theirs = measured.fair.at(ns), live_fair.at(ns)
        return mine is not None and theirs is not None and abs(mine - theirs) <= FAIR_SAME

    # A step at a time, and every step in whole units, so that the parts add up to the last one.
    by_signals = _worth([f for f in resent if not agreed(f[0])], mark) - _worth(
        [f for f in timed if not agreed(f[0])], mark
    )
    steps = [_worth(model, mark), _worth(timed, mark), _worth(timed, mark) + by_signals, _worth(resent, mark),
             _worth(booked, mark)]  # fmt: skip
    units = [step // SCALE for step in steps]
    fees = _fees(model), _fees(booked)
    first_ns, last_ns = _span(recording)
    same, apart = fairs(live_fair, measured.fair, first_ns, min(last_ns, live.last_ns))
    return MarketDrift(
        ticker=recording.outcome.ticker, market=recording.outcome.id, period=recording.outcome.period,
        settled=recording.settled, mark=mark, model=units[0] - fees[0], latency=units[1] - units[0],
        signals=units[2] - units[1], others=units[3] - units[2], queue=units[4] - units[3], fees=fees[0] - fees[1],
        live=units[4] - fees[1], fills=tuple(_trades(each) for each in (model, timed, resent, booked)),
        contracts=tuple(_contracts(each) for each in (model, timed, resent, booked)),
        quotes=shares(quotes_of(traded.own, recording.outcome.id), measured.quotes, first_ns, last_ns),
        fair_same=same, fair_apart=apart,
        queue_models={
            queue.name.lower(): (_worth(fills, mark) // SCALE, _trades(fills))
            for queue, fills in ((QueueModel.BACK, resent), *by_queue.items())
        },
    )  # fmt: skip


def _modelled(run: JournalRun, traded: Traded, delays: Delays) -> Modelled:
    onlooker = Modelled(traded.recording.outcome.id)
    terms = Terms(model=FillModel(latency=delays.latency()))
    backtest(traded.recording, run.loaded, terms, onlooker, cash=traded.money)
    return onlooker


def mark_of(recording: Recording) -> Px:
    """What YES paid, else the last mid; a half where no book ever had two sides."""
    if recording.settled is not None:
        return recording.settled
    for event in reversed(recording.events):
        if isinstance(event.item, BookSnapshot) and event.item.bids and event.item.asks:
            return Px((event.item.bids[0][0] + event.item.asks[0][0]) // 2)
    return Px(SCALE // 2)


def _worth(fills: Iterable[tuple[int, Fill]], mark: Px) -> int:
    """Of all trades at one mark, before fees, in 1e-16: exact, and a sum over fills."""
    return sum(
        direction(fill.leg, fill.side) * fill.qty * (mark - yes_px(fill.leg, fill.px))
        for _, fill in fills
        if fill.kind is FillKind.TRADE
    )


def _fees(fills: Heard) -> int:
    """Of everything, conversions and settlements too."""
    return sum(fill.fee for _, fill in fills)


def _trades(fills: Heard) -> int:
    return sum(fill.kind is FillKind.TRADE for _, fill in fills)


def _contracts(fills: Heard) -> int:
    return sum(fill.qty for _, fill in fills if fill.kind is FillKind.TRADE)


# -- decisions


def _span(recording: Recording) -> tuple[int, int]:
    mine = [e.received_ns for e in recording.events if getattr(e.item, "market", None) == recording.outcome.id]
    return mine[0], mine[-1]


def shares(live: Quotes, model: Quotes, first_ns: int, last_ns: int) -> QuoteShares:
    """How alike two runs quoted, over a span of time."""
    weights = dict.fromkeys(("equal", "differ", "only_live", "only_model"), 0)
    apart = both = 0
    for side in BOTH_SIDES:
        ours, theirs = live.paths[side], model.paths[side]
        for since, until in _pieces(ours, theirs, first_ns, last_ns):
            one, other = ours.at(since), theirs.at(since)
            weights[_alike(one, other)] += until - since
            if one is not None and other is not None:
                apart += abs(one - other) * (until - since)
                both += until - since
    whole = max(sum(weights.values()), 1)
    return QuoteShares(
        equal=weights["equal"] / whole, differ=weights["differ"] / whole, only_live=weights["only_live"] / whole,
        only_model=weights["only_model"] / whole, apart=apart / both / SCALE if both else None,
    )  # fmt: skip


def _alike(live: Px | None, model: Px | None) -> str:
    if live == model:
        return "equal"
    if live is None:
        return "only_model"
    return "only_live" if model is None else "differ"


def fairs(live: Path, model: Path, first_ns: int, last_ns: int) -> tuple[float | None, float | None]:
    """Share of the time with two fair values in which they agreed, and how far apart they were in the mean."""
    both = same = apart = 0
    for since, until in _pieces(live, model, first_ns, last_ns):
        one, other = live.at(since), model.at(since)
        if one is not None and other is not None:
            both += until - since
            same += (until - since) * (abs(one - other) <= FAIR_SAME)
            apart += (until - since) * abs(one - other)
    return (same / both, apart / both / SCALE) if both else (None, None)


def _pieces(one: Path, other: Path, first_ns: int, last_ns: int) -> Iterator[tuple[int, int]]:
    """Stretches over which neither changes."""
    inside = sorted({ns for path in (one, other) for ns in path.times if first_ns < ns < last_ns})
    edges = [first_ns, *inside, last_ns]
    yield from pairwise(edges)
