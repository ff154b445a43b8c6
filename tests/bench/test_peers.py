"""One tape and one maker: the tape is the same for everybody, this program's side keeps to the rule, who is missing is
said. The peers themselves are in no extra that CI installs; `hlomm bench peers --python` runs them by hand."""

from __future__ import annotations

import ast
import json
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import pytest

from hlomm.bench.journal import Notes
from hlomm.bench.peers import claims, contest, maker, own, tape
from hlomm.bench.peers.plan import LEVELS, STEP_NS, T0_NS, TICKS, Maker
from hlomm.cli import bench as look
from hlomm.domain.faults import InvariantBroken, UsageError
from hlomm.domain.inputs import BookSnapshot, TradePrint
from hlomm.domain.orders import yes_px
from hlomm.domain.outputs import AmendOrders, PlaceOrders
from hlomm.domain.units import SCALE
from hlomm.domain.view import Desired, MarketView
from hlomm.journal.codec import Record, TurnRecord
from hlomm.journal.framing import scan
from hlomm.research.backtest import Terms, backtest
from hlomm.research.tiers import Disagreement

Json = dict[str, Any]

FRAMES: Final = 800
RULE: Final = Maker(cap=100)
ROWS: Final = list(tape.rows(FRAMES))


def order(folder: Path, contender: str, rule: Maker = RULE) -> Json:
    np.save(folder / "tape.npy", np.array(ROWS, np.int64))
    return {
        "tape": str(folder / "tape.npy"),
        "folder": str(folder),
        "contender": contender,
        "maker": attrs.asdict(rule),
    }


# -- the tape


def test_the_same_seed_is_the_same_tape() -> None:
    assert list(tape.rows(FRAMES)) == ROWS
    assert list(tape.rows(FRAMES, seed=2)) != ROWS
    assert list(tape.rows(FRAMES // 2)) == [row for row in ROWS if row[0] < T0_NS + FRAMES // 2 * STEP_NS]


def test_the_book_of_the_tape_has_no_hole_is_never_crossed_and_shows_what_was_printed() -> None:
    book: dict[int, dict[int, int]] = {1: {}, -1: {}}
    printed = sweeps = 0
    for at_ns, kind, side, tick, lots, last in ROWS:
        if kind == tape.PRINT:
            printed += 1
            sweeps += not last
            assert 0 < lots <= book[-side][tick], "nobody took more than was offered"
            continue
        if lots:
            book[side][tick] = lots
        else:
            del book[side][tick]
        whole = at_ns > T0_NS or last
        assert not whole or max(book[1]) < min(book[-1]), "at no row, not only at the end of a frame"
        if last:
            bid, ask = max(book[1]), min(book[-1])
            assert ask - bid == 2
            assert sorted(book[1]) == list(range(bid - LEVELS + 1, bid + 1))
            assert sorted(book[-1]) == list(range(ask, ask + LEVELS))
    assert printed > sweeps > 0
    assert tape.facts(ROWS).last_mid == (max(book[1]) + min(book[-1])) / (2 * TICKS)


def test_this_program_is_given_the_same_books_and_prints() -> None:
    recording = tape.recording(ROWS)
    items = [event.item for event in recording.events]
    assert len(items) == tape.facts(ROWS).events
    assert [(item.px * TICKS // SCALE, item.qty // SCALE) for item in items if isinstance(item, TradePrint)] == [
        (row[3], row[4]) for row in ROWS if row[1] == tape.PRINT
    ]
    last = next(item for item in reversed(items) if isinstance(item, BookSnapshot))
    assert last.bids[0][0] + last.asks[0][0] == round(tape.facts(ROWS).last_mid * 2 * SCALE)
    assert len(last.bids) == len(last.asks) == LEVELS
    received = [event.received_ns for event in recording.events]
    assert received == sorted(received)


# -- this program's side


class Watched(maker.Fixed):
    """The maker, with what it saw and what it wanted then."""

    def __init__(self) -> None:
        super().__init__(RULE)
        self.told: list[tuple[MarketView, Desired]] = []

    def decide(self, view: MarketView) -> Desired:
        wanted = super().decide(view)
        self.told.append((view, wanted))
        return wanted


@pytest.fixture(scope="module")
def run() -> tuple[Watched, list[Record]]:
    watched, records = Watched(), list[Record]()
    terms, onlooker = Terms(model=maker.fill_model(RULE)), Notes(records.extend)
    backtest(tape.recording(ROWS), maker.loaded(RULE), terms, onlooker, chosen=[watched])
    return watched, records


def test_both_sides_stand_at_the_distance_from_the_mid_with_which_a_slot_began(
    run: tuple[Watched, list[Record]]
) -> None:  # fmt: skip
    slot, wanted, capped = -1, None, 0
    for view, now in run[0].told:
        if view.wall_ns // RULE.requote_ns == slot:
            assert now is wanted, "decided on once"
            continue
        slot, wanted = view.wall_ns // RULE.requote_ns, now
        mid = Fraction(view.bids[0][0] + view.asks[0][0], 2)
        for wish, way in ((now.bid, 1), (now.ask, -1)):
            assert (wish is None) == (way * view.net > (RULE.cap - RULE.size) * SCALE)
            capped += wish is None
            away = None if wish is None else (mid - wish.px) * way * TICKS / SCALE
            assert away in (None, RULE.distance, RULE.distance + Fraction(1, 2))
            assert wish is None or wish.qty == RULE.size * SCALE
    assert slot >= FRAMES * STEP_NS // RULE.requote_ns
    assert capped, "its cap was met"


def test_what_is_sent_is_what_the_maker_wants(run: tuple[Watched, list[Record]]) -> None:
    watched, records = run
    wished = {wish.px for _, now in watched.told for wish in (now.bid, now.ask) if wish is not None}
    sent = [
        one
        for record in records
        if isinstance(record, TurnRecord)
        for output in record.outputs
        if isinstance(output, PlaceOrders | AmendOrders)
        for one in (output.orders if isinstance(output, PlaceOrders) else output.amends)
    ]
    assert len(sent) > FRAMES * STEP_NS // RULE.requote_ns, "most slots move both sides"
    assert {yes_px(one.leg, one.px) for one in sent} <= wished
    assert max(one.qty for one in sent) == RULE.size * SCALE, "a sale of what is held may be smaller"


def test_its_cap_holds_and_its_journal_is_the_whole_run(run: tuple[Watched, list[Record]], tmp_path: Path) -> None:
    plain, written = (own.run(order(tmp_path, name)) for name in ("engine", "engine_journal"))
    took = ("cpu_s", "wall_s", "load_s", "journal_bytes")
    assert [(key, value) for key, value in plain.items() if key not in took] == [
        (key, value) for key, value in written.items() if key not in took
    ]
    assert plain["events"] == tape.facts(ROWS).events
    assert plain["fills"] > 0
    assert abs(plain["net"]) <= RULE.cap
    data = next(tmp_path.glob("*.journal")).read_bytes()
    assert len(scan(data).payloads) == len(run[1])
    assert 0 < len(data) - written["journal_bytes"] < 100, "a header"


@pytest.mark.trial
def test_the_compiled_tier_does_what_the_engine_does_with_its_set() -> None:
    document = contest.run(contest.Plan(frames=FRAMES, rounds=1, contenders=contest.OWN))
    assert document["kernel_agrees"] is True
    kernel, engine = (document["contenders"][name] for name in ("kernel", "engine_nearest"))
    assert kernel["amends"] == engine["amends"] > 0
    assert kernel["events_per_s"]["best"] > engine["events_per_s"]["best"]


# -- the document


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """With an interpreter that has no peer: it has nothing at all."""
    bare = tmp_path_factory.mktemp("bare") / "python"
    bare.write_text(f'#!/bin/sh\nexec "{contest.sys.executable}" -S "$@"\n')
    bare.chmod(0o755)
    plan = contest.Plan(frames=200, rounds=1, python=bare, contenders=("engine", *contest.PEERS))
    return contest.run(plan)


@pytest.mark.slow
def test_a_peer_that_is_not_there_is_a_row_that_says_so(document: Json) -> None:
    json.dumps(document)
    assert document["bench"] == "peers"
    assert document["events"] == tape.facts(list(tape.rows(200))).events
    engine = document["contenders"]["engine"]
    assert engine["missing"] is None
    assert engine["orders"] > 0
    assert engine["events_per_s"]["best"] == round(document["events"] / engine["cpu_s"]["min"])
    for peer in contest.PEERS:
        said = document["contenders"][peer]["missing"]
        assert said.startswith(f"not installed (no {peer}): pip install '.[peers]'")
    assert document["kernel_agrees"] is None


@pytest.mark.slow
def test_people_see_figures_what_is_missing_and_what_each_does(document: Json) -> None:
    lines = "\n".join(look.peers(document)).splitlines()
    figures = next(line for line in lines if line.startswith("engine "))
    one = document["contenders"]["engine"]
    assert f"{one['events_per_s']['best']:,}" in figures
    assert figures.split()[-2:] == [f"{one['net']:+,.0f}", f"{one['pnl']:+,.2f}"]
    for name in document["contenders"]:
        does = claims.DOES[name].values()
        assert any(line.startswith(name) and all(word in line for word in does) for line in lines), name
    assert any(line.startswith("hftbacktest: not installed") for line in lines)


def test_of_every_contender_the_same_is_said() -> None:
    names = {*contest.OWN, *contest.PEERS}
    assert set(claims.DOES) == set(claims.WHAT) == names
    assert {tuple(does) for does in claims.DOES.values()} == {claims.FEATURES}


# -- what goes wrong


ROUND: Final = {
    "version": "1", "events": 10, "cpu_s": 0.5, "wall_s": 0.5, "load_s": 0.1, "runs": 1, "orders": 4, "amends": 3,
    "cancels": 2, "fills": 1, "net": -50.0, "cash": 20.0,
}  # fmt: skip
FACTS: Final = tape.Facts(rows=40, events=10, last_mid=0.5)


def test_figures_are_the_best_and_the_median_and_pnl_is_at_the_last_mid() -> None:
    rounds = [ROUND | {"cpu_s": cpu_s} for cpu_s in (0.5, 0.25, 1.0)]
    found = contest._over("hftbacktest", rounds, FACTS)
    assert found["events_per_s"] == {"best": 40, "median": 20}
    assert found["rows_per_s"] == {"best": 160, "median": 80}
    assert found["pnl"] == 20.0 - 50.0 * 0.5


def test_rounds_that_differ_end_it_for_this_program_and_are_said_of_a_peer() -> None:
    rounds = [ROUND, ROUND | {"fills": 2}]
    assert contest._over("hftbacktest", rounds, FACTS)["same_every_round"] is False
    with pytest.raises(AssertionError, match="decide the same"):
        contest._over("engine", rounds, FACTS)


def test_who_did_not_take_the_whole_tape_has_no_speed() -> None:
    found = contest._over("nautilus_trader", [ROUND | {"events": 9}], FACTS)
    assert found["missing"] == "failed: it took 9 events of 10"
    assert "events_per_s" not in found


def test_a_kernel_that_did_something_else_is_no_result() -> None:
    engine = contest._over("engine_nearest", [ROUND], FACTS)
    with pytest.raises(Disagreement, match="amends: the kernel has 5, the engine 3"):
        contest._agreed({"engine_nearest": engine, "kernel": engine | {"amends": 5}})


def test_a_peer_that_breaks_is_a_row_and_an_interpreter_that_is_none_a_mistake(tmp_path: Path) -> None:
    broken, none = tmp_path / "broken", tmp_path / "none"
    broken.write_text("#!/bin/sh\necho it broke >&2\nexit 3\n")
    broken.chmod(0o755)
    none.write_text("no program")
    found = contest._run("hftbacktest", contest.Plan(python=broken), tmp_path / "tape.npy", 0)
    assert contest._over("hftbacktest", [found], FACTS)["missing"] == "failed: it broke"
    with pytest.raises(UsageError, match="--python"):
        contest._run("hftbacktest", contest.Plan(python=none), tmp_path / "tape.npy", 0)


def test_only_an_extra_may_be_missing_of_this_program() -> None:
    why = "ModuleNotFoundError: No module named 'numba'"
    assert contest._failed("kernel", why) == {"missing": "not installed (no numba): pip install '.[research]'"}
    with pytest.raises(InvariantBroken, match="kernel: it broke"):
        contest._failed("kernel", "it broke")
    with pytest.raises(InvariantBroken, match="engine: Module"):
        contest._failed("engine", why)


@pytest.mark.parametrize("script", contest.PEERS.values())
def test_a_peers_script_needs_nothing_of_this_program(script: str) -> None:
    """It runs under an interpreter that has only the peer, and says at once what it has not."""
    tree = ast.parse((Path(contest.__file__).parent / script).read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names
    assert not any(name.split(".")[0] == "hlomm" for name in names)
