"""Rung: world in virtual time. Price bucket questions and deployers' templates: listed, quoted, settled, rolled."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, Tif
from hlomm.domain.ticker import wall_ns_of
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Px
from hlomm.sim import contracts
from hlomm.sim.average import MarkAverage
from hlomm.sim.config import FlowConfig, ListingConfig, SimConfig
from hlomm.sim.digital import band, digital
from hlomm.sim.events import OutcomeCreated, OutcomeSettled, QuestionSettled, QuestionUpdated
from hlomm.sim.faults import FaultArgs, FaultName
from hlomm.sim.flow_fair import FairValues
from hlomm.sim.harness import simulated_hyperliquid
from hlomm.sim.hl.info import Info
from hlomm.sim.hl.venue import Venue
from hlomm.sim.listing import first_origin
from hlomm.sim.naming import describe_bucket, describe_template
from hlomm.sim.orders import Filled, NewOrder, Target
from hlomm.sim.path import Mark
from hlomm.sim.world import Commit, World

ORIGIN = 1_795_000_035 * NS_PER_S


def config(flow: FlowConfig | None = None, **listing: Any) -> SimConfig:
    defaults = {"periods": ("3m",), "buckets": ("3m",), "warmup_s": 6.0, "first_expiry_s": 20.0}
    return SimConfig(flow=flow or FlowConfig(enabled=False), listing=ListingConfig(**defaults | listing))


def world_of(chosen: SimConfig, seed: int = 3) -> World:
    return World(chosen, seed, first_origin(chosen.listing, ORIGIN))


def question_of(world: World) -> Any:
    (spec,) = world.exchange.questions.values()
    return spec


# -- words and numbers


def test_descriptions() -> None:
    expiry = wall_ns_of(2026, 5, 12, 360)
    low, high = contracts.thresholds(Px(80_656 * SCALE), 200)
    assert describe_bucket("BTC", expiry, (low, high), "1d") == (
        "class:priceBucket|underlying:BTC|expiry:20260512-0600|priceThresholds:79043,82269|period:1d"
    )
    assert describe_template("BTC", wall_ns_of(2026, 9, 12, 390), Px(77_177 * SCALE), 60) == (
        "perp:BTC|priceDescription:BTC-USDC perp mark|seconds:60|threshold:77177|time:20260912-0630"
    )


def test_thresholds_have_five_significant_figures() -> None:
    assert contracts.thresholds(Px(118_250 * SCALE), 200) == (115_890 * SCALE, 120_620 * SCALE)


@pytest.mark.parametrize(
    ("price", "index"), [(0, 0), (78_399, 0), (78_400, 1), (80_000, 1), (81_599, 1), (81_600, 2), (10**6, 2)]
)
def test_a_price_is_in_exactly_one_bucket(price: int, index: int) -> None:
    question, legs = contracts.bucket(ListingConfig(), 1, 20, ORIGIN, Px(80_000 * SCALE), "1d")
    assert (question.fallback, question.named) == (20, (21, 22, 23))
    assert [leg.pays(price * SCALE) for leg in legs] == [False, *(index == i for i in range(3))]


def test_bands_add_up_to_one() -> None:
    for low, high in ((78_400.0, 81_600.0), (79_990.0, 80_010.0)):
        legs = [band(80_000.0, 0.0, low, 0.5, 3600.0), band(80_000.0, low, high, 0.5, 3600.0)]
        legs.append(band(80_000.0, high, None, 0.5, 3600.0))
        assert sum(leg.probability for leg in legs) == pytest.approx(1.0)
        assert legs[2] == digital(80_000.0, high, 0.5, 3600.0)
    assert band(80_000.0, 0.0, 0.0, 0.5, 60.0).probability == 0.0


def test_average_of_the_mark_holds_each_update_until_the_next() -> None:
    marks = MarkAverage()
    for second, ticks in ((0, 100), (30, 200), (50, 400), (61, 900)):
        marks.note(Mark(second * NS_PER_S, ticks))
    # 20 s at 100, 20 s at 200, 10 s at 400 in the window from 10 to 60
    assert marks.over(60 * NS_PER_S, 50 * NS_PER_S) == (20 * 100 + 20 * 200 + 10 * 400) // 50 * 10**7
    assert marks.over(60 * NS_PER_S, 10 * NS_PER_S) == 400 * 10**7
    assert marks.over(0, 10 * NS_PER_S) == 100 * 10**7


def test_an_average_barely_above_the_threshold_is_above_it() -> None:
    marks = MarkAverage()
    marks.note(Mark(0, 800_000))
    marks.note(Mark(60 * NS_PER_S - 1, 800_001))  # for the last nanosecond of the minute
    target = Px(80_000 * SCALE)
    template = contracts.template(ListingConfig(), 1, 60 * NS_PER_S, target, "1d")
    assert template.pays(marks.over(60 * NS_PER_S, 60 * NS_PER_S))
    assert not template.pays(marks.over(60 * NS_PER_S - 1, 50 * NS_PER_S))


def test_above_is_strict_for_templates_and_not_for_protocol_series() -> None:
    price = Px(80_000 * SCALE)
    binary = contracts.binary(ListingConfig(), 1, ORIGIN, price, "1d")
    template = contracts.template(ListingConfig(), 1, ORIGIN, price, "1d")
    assert [binary.pays(price), binary.pays(price - 1), binary.pays(price + 1)] == [True, False, True]
    assert [template.pays(price), template.pays(price - 1), template.pays(price + 1)] == [False, False, True]


# -- the life of a question


def test_no_bucket_unless_configured() -> None:
    world = world_of(SimConfig(flow=FlowConfig(enabled=False), listing=ListingConfig(first_expiry_s=20.0)))
    world.advance(world.origin_ns + 300 * NS_PER_S)
    assert world.exchange.questions == world.exchange.settled_questions == {}
    assert len(world.exchange.outcomes) <= 3


def test_buckets_change_no_binary() -> None:
    """The optional series draw from streams of their own: targets and marks of the rest stay what they were."""
    plain, more = (
        world_of(config(buckets=buckets, templates=templates, periods=("3m", "15m", "1d")))
        for buckets, templates in (((), ()), (("15m",), ("15m",)))
    )
    for world in (plain, more):
        world.advance(world.origin_ns + 60 * NS_PER_S)
    named = [
        [m.spec.description for m in w.exchange.outcomes.values() if m.spec.description.startswith("class:")]
        for w in (plain, more)
    ]
    assert sorted(named[0]) == sorted(named[1])
    assert plain.mark == more.mark


def test_a_question_is_listed_settled_and_rolled() -> None:
    world = world_of(config())
    first = question_of(world)
    assert (first.question, first.fallback, first.named) == (40, 11_801, (11_802, 11_803, 11_804))
    assert [m.spec.name for m in world.exchange.outcomes.values()] == [
        "Recurring",
        "Recurring Fallback",
        "Recurring Named Outcome",
        "Recurring Named Outcome",
        "Recurring Named Outcome",
    ]
    words: list[tuple[str, int]] = []

    def commit(block: Commit) -> None:
        for event in block.events:
            if isinstance(event, OutcomeCreated | OutcomeSettled):
                words.append((type(event).__name__, event.outcome))
            elif isinstance(event, QuestionUpdated | QuestionSettled):
                words.append((type(event).__name__, event.question))

    world.on_commit = commit
    world.advance(world.origin_ns + 40 * NS_PER_S)
    assert {o for word, o in words if word == "OutcomeSettled"} == {11_800, *first.live}
    assert ("QuestionSettled", 40) in words
    assert words[-5:] == [*(("OutcomeCreated", o) for o in range(11_806, 11_810)), ("QuestionUpdated", 41)]
    fractions = [world.exchange.settled[o].fraction for o in first.live]
    assert sorted(fractions) == [0, 0, 0, SCALE]
    assert fractions[0] == 0, "a price bucket's fallback cannot win"
    second = question_of(world)
    price = round(float(world.exchange.settled[first.fallback].details.partition(":")[2]))
    middle = [float(x) for x in second.description.partition("priceThresholds:")[2].partition("|")[0].split(",")]
    assert sum(middle) / 2 == pytest.approx(price, abs=2)
    assert second.expiry_ns == first.expiry_ns + 180 * NS_PER_S


def test_a_full_set_is_worth_one_whatever_happens() -> None:
    for seed in range(6):
        world = world_of(config(bucket_width_bp=2), seed)
        me = world.exchange.open_account("0x" + "9" * 40, "me", spot=100 * SCALE, perp=0)
        spec = question_of(world)
        world.exchange.split(me, spec.named[0], 50)
        world.exchange.negate(me, spec.question, spec.named[0], 50)
        world.advance(world.origin_ns + 30 * NS_PER_S)
        assert me.quote == 100 * SCALE
        assert world.exchange.audit() == []


def test_a_template_settles_on_the_average_of_its_last_minute() -> None:
    world = world_of(config(buckets=(), templates=("3m",), first_expiry_s=100.0))
    spec = next(m.spec for m in world.exchange.outcomes.values() if m.spec.deployer is not None)
    marks: list[Mark] = []
    world.on_commit = lambda block: None if block.mark is None else marks.append(block.mark)
    world.advance(world.origin_ns + 110 * NS_PER_S)
    total, end = 0, spec.expiry_ns
    for mark in reversed([mark for mark in marks if mark.time_ns < spec.expiry_ns]):
        begin = max(mark.time_ns, spec.expiry_ns - 60 * NS_PER_S)
        total += mark.ticks * max(end - begin, 0)
        end = min(end, begin)
    settled = world.exchange.settled[spec.outcome]
    price = float(settled.details.partition(":")[2])
    assert price == pytest.approx(total / (60 * NS_PER_S) / 10, abs=1e-7)
    assert settled.fraction == (SCALE if price > spec.target / SCALE else 0)


# -- the wire


def test_listing_on_the_wire(golden: Any) -> None:
    chosen = config(templates=("3m",))
    venue = Venue(chosen, 3, first_origin(chosen.listing, ORIGIN))
    ours = Info(venue).answer({"type": "outcomeMeta"}).value
    theirs = golden("samples/hip4_samples.json")["outcomeMeta_shape_late_2026"]["response"]
    assert set(ours) == set(theirs)
    assert set(ours["questions"][0]) == set(theirs["questions"][0])
    assert set(ours["deployers"][0]) == set(theirs["deployers"][0])
    by_name = {row["name"]: row for row in ours["outcomes"]}
    for row in theirs["outcomes"]:
        mine = by_name[row["name"]]
        assert set(row) <= set(mine)
        assert mine["sideSpecs"] == row["sideSpecs"]
        assert [pair.partition(":")[0] for pair in mine["description"].split("|")] == [
            pair.partition(":")[0] for pair in row["description"].split("|")
        ]
    assert by_name["template:binaryPrice"]["deployerFeeScale"] == "1.0"
    assert ours["feeScale"] == "1.0"
    venue.world.advance(venue.world.origin_ns + 40 * NS_PER_S)
    settled = Info(venue).answer({"type": "settledOutcome", "outcome": 11_802}).value
    assert settled["question"]["question"] == 40
    assert settled["settleFraction"] in {"0.0", "1.0"}


async def test_updates_on_the_wire(client: Any, autojump_clock: Any) -> None:
    async with simulated_hyperliquid(seed=3, config=config()) as sim:
        ws = await client(sim).websocket()
        await ws.subscribe(type="outcomeMetaUpdates")
        gone = await ws.until("outcomeMetaUpdates", lambda data: any("questionSettled" in row for row in data))
        assert {"questionSettled": 40} in gone
        assert sum("outcomeSettled" in row for row in gone) >= 4
        new = await ws.until("outcomeMetaUpdates", lambda data: any("questionUpdated" in row for row in data))
        (row,) = (row["questionUpdated"] for row in new if "questionUpdated" in row)
        created = [row["outcomeCreated"]["outcome"] for row in new if "outcomeCreated" in row]
        assert {row["fallbackOutcome"], *row["namedOutcomes"]} <= set(created)
        assert row["settledNamedOutcomes"] == []
        assert sim.state()["questions"] == [row]


# -- faults of the roll


def test_a_late_listing() -> None:
    world = world_of(config(periods=()))
    world.faults.arm(FaultName.LISTING_LATE, FaultArgs(delay_s=20.0))
    expiry_ns = question_of(world).expiry_ns
    world.advance(expiry_ns + 15 * NS_PER_S)
    assert world.exchange.questions == {}
    world.advance(expiry_ns + 30 * NS_PER_S)
    assert question_of(world).question == 41


def test_a_missing_listing() -> None:
    world = world_of(config())
    world.faults.arm(FaultName.LISTING_MISSING)
    world.advance(world.origin_ns + 120 * NS_PER_S)
    assert world.exchange.questions == world.exchange.outcomes == {}
    world.faults.clear(FaultName.LISTING_MISSING)
    world.advance(world.origin_ns + 121 * NS_PER_S)
    assert question_of(world).question == 41
    assert world.exchange.audit() == []


def test_a_renamed_listing() -> None:
    world = world_of(config())
    world.faults.arm(FaultName.LISTING_RENAMED, FaultArgs(count=2))
    world.advance(world.origin_ns + 40 * NS_PER_S)
    spec = question_of(world)
    assert spec.name == "Recurring II"
    assert spec.description.startswith("class:levelBucket|")
    names = {m.spec.name for m in world.exchange.outcomes.values()}
    assert names == {"Recurring II", "Recurring Fallback II", "Recurring Named Outcome II"}
    world.advance(world.origin_ns + 220 * NS_PER_S)
    assert question_of(world).name == "Recurring"


def test_a_question_missing_from_the_listing() -> None:
    venue = Venue(config(), 3, first_origin(config().listing, ORIGIN))
    venue.faults.arm(FaultName.QUESTION_HIDDEN, FaultArgs(count=1))
    first, second = (Info(venue).answer({"type": "outcomeMeta"}).value for _ in range(2))
    assert first["questions"] == []
    assert len(second["questions"]) == 1
    assert first["outcomes"] == second["outcomes"]


def test_a_void_settlement_spares_questions() -> None:
    world = world_of(config(periods=()))
    world.faults.arm(FaultName.SETTLEMENT_VOID)
    spec = question_of(world)
    world.advance(spec.expiry_ns + 10 * NS_PER_S)
    assert sorted(world.exchange.settled[o].fraction for o in spec.live) == [0, 0, 0, SCALE]
    assert FaultName.SETTLEMENT_VOID not in world.faults.injected


# -- who quotes the legs


def watched(slips_per_hour: float) -> tuple[list[int], int, int]:
    """A quarter of an hour of bucket legs: their spreads, and seconds with the set 3 % too cheap or too dear."""
    flow = FlowConfig(bucket_wide_s=60.0, bucket_tight_s=40.0, bucket_slips_per_hour=slips_per_hour)
    world = world_of(config(flow, periods=("15m",), buckets=("15m",), bucket_width_bp=20, first_expiry_s=180.0), 5)
    spreads: list[int] = []
    cheap = dear = 0
    for second in range(900):
        world.advance(world.origin_ns + second * NS_PER_S)
        for spec in world.exchange.questions.values():
            books = [world.exchange.outcomes[o].book for o in spec.live]
            asks = [ask for book in books if (ask := book.best_ticks(Side.SELL)) is not None]
            bids = [bid for book in books if (bid := book.best_ticks(Side.BUY)) is not None]
            cheap += len(asks) == len(books) and sum(asks) < 97_000
            dear += sum(bids) > 103_000
            touches = [(book.best_ticks(Side.BUY), book.best_ticks(Side.SELL)) for book in books[1:]]
            spreads.extend(ask - bid for bid, ask in touches if bid is not None and ask is not None)
    assert world.exchange.audit() == []
    return sorted(spreads), cheap, dear


@pytest.mark.slow
def test_makers_quote_legs_wide_and_tight_and_now_and_then_out_of_line() -> None:
    spreads, cheap, dear = watched(40.0)
    assert spreads[len(spreads) // 20] < 2_000
    assert spreads[-len(spreads) // 20] > 10_000
    assert 10 < cheap < 200
    assert 5 < dear < 200


@pytest.mark.slow
def test_without_slips_a_set_costs_what_it_is_worth() -> None:
    _, cheap, dear = watched(0.0)
    assert cheap + dear <= 3


@pytest.mark.slow
def test_a_set_bought_cheap_is_profit() -> None:
    """What a complete-set strategy lives on: the slips are real liquidity.

    The fallback costs next to nothing, so the smallest order for it would be thousands of contracts: its YES comes from
    a split instead, the set is merged at once, and the NO of the fallback is left to be paid at settlement.
    """
    flow = FlowConfig(bucket_slips_per_hour=120.0)
    world = world_of(config(flow, periods=("15m",), buckets=("15m",), bucket_width_bp=20, first_expiry_s=180.0), 5)
    exchange = world.exchange
    me = exchange.open_account("0x" + "9" * 40, "me", spot=5_000 * SCALE, perp=0)
    edge = 0
    for second in range(900):
        world.advance(world.origin_ns + second * NS_PER_S)
        for spec in exchange.questions.values():
            books = {outcome: exchange.outcomes[outcome].book for outcome in spec.named}
            asks = {o: ask for o, book in books.items() if (ask := book.best_ticks(Side.SELL)) is not None}
            if len(asks) < len(books) or sum(asks.values()) >= 97_000:
                continue
            lots = min(book.lots_within(Side.SELL, asks[o]) for o, book in books.items())
            if min(asks.values()) * lots < 10 * 100_000 or me.quote_free < 2 * lots * SCALE:
                continue  # below the smallest order, or out of money
            for outcome, ask in asks.items():
                target = Target(outcome, Leg.YES)
                new = NewOrder(target=target, side=Side.BUY, ticks=ask, lots=lots, tif=Tif.IOC)
                assert isinstance(exchange.place(me, new), Filled)
            exchange.split(me, spec.fallback, lots)
            exchange.merge_question(me, spec.question, lots)
            edge += (100_000 - sum(asks.values())) * lots * 1_000
    world.advance(world.origin_ns + 1_100 * NS_PER_S)
    assert edge > 0
    assert me.quote == 5_000 * SCALE + edge
    assert exchange.audit() == []


def test_bucket_flow_is_seeded() -> None:
    chosen = config(FlowConfig(bucket_slips_per_hour=100.0), periods=(), buckets=("3m",))
    runs = []
    for _ in range(2):
        world = world_of(chosen, 8)
        events: list[str] = []
        world.on_commit = lambda block, events=events: events.extend(repr(e) for e in block.events)
        world.advance(world.origin_ns + 40 * NS_PER_S)
        runs.append([e for e in events if "object at" not in e])
    assert runs[0] == runs[1]
    assert len(runs[0]) > 30


# -- what the flow believes


def fair_of(world: World, spec: Any, now_ns: int) -> float:
    return FairValues(world.path, world.listing.average).of(spec, 0, now_ns).probability


def test_an_average_moves_less_the_more_of_its_window_has_passed() -> None:
    world = world_of(config(buckets=(), templates=("3m",), first_expiry_s=100.0))
    template = next(m.spec for m in world.exchange.outcomes.values() if m.spec.deployer is not None)
    price = world.path.price(0)
    above = attrs.evolve(template, target=Px(round(price * 1.0003 * SCALE)))
    plain = attrs.evolve(above, average_s=0)
    values = []
    for before_s in (90.0, 61.0, 30.0, 5.0):
        now_ns = above.expiry_ns - round(before_s * NS_PER_S)
        values.append(fair_of(world, above, now_ns))
        assert values[-1] < fair_of(world, plain, now_ns), "the average is less likely to get there"
    assert values == sorted(values, reverse=True)
    # The record of the mark holds its last value: all of the window is at that price, so nothing is left to happen.
    sure = attrs.evolve(template, target=Px(round(price * 0.999 * SCALE)))
    assert fair_of(world, sure, sure.expiry_ns - NS_PER_S) > 0.999


# -- signed actions, and coins that are gone


async def test_set_operations_on_the_wire(client: Any, autojump_clock: Any) -> None:
    ok = {"status": "ok", "response": {"type": "default"}}
    async with simulated_hyperliquid(seed=3, config=config(first_expiry_s=120.0)) as sim:
        me, rest = client(sim), await client(sim).rest()
        sign = me.signer()

        async def act(**operation: Any) -> Any:
            return await rest.exchange(sign({"type": "userOutcome"} | operation))

        spec = question_of(sim.venue.world)
        leg, question = spec.named[1], spec.question
        assert await act(splitOutcome={"outcome": leg, "amount": "20"}) == ok
        assert await act(negateOutcome={"question": question, "outcome": leg, "amount": "12"}) == ok
        assert await act(mergeQuestion={"question": question, "amount": "2"}) == ok
        assert await act(mergeQuestion={"question": question, "amount": None}) == ok
        assert await act(mergeOutcome={"outcome": leg, "amount": None}) == ok
        user = sim.accounts[0].address
        balances = (await rest.info("spotClearinghouseState", user=user))["balances"]
        assert [(row["coin"], row["total"]) for row in balances] == [("USDC", "10000.0")]
        fills = await rest.info("userFills", user=user)
        assert sum(float(fill["closedPnl"]) for fill in fills) == pytest.approx(0.0, abs=1e-9)
        negated = [fill for fill in fills if fill["dir"] == "Negate Outcome"]
        assert sorted(fill["px"] for fill in negated) == ["0.33333333", "0.33333333", "0.33333333", "1.0"]
        assert {fill["px"] for fill in fills if fill["dir"] == "Merge Question"} == {"0.25"}
        for operation, text in (
            ({"mergeQuestion": {"question": question, "amount": "1"}}, "Insufficient outcome token balance"),
            ({"mergeQuestion": {"question": 7, "amount": None}}, "Question does not exist"),
            ({"negateOutcome": {"question": question, "outcome": leg, "amount": "1"}}, "Insufficient outcome token"),
            ({"negateOutcome": {"question": question, "outcome": 11_800, "amount": "1"}}, "does not belong"),
            ({"negateOutcome": {"question": question, "outcome": leg, "amount": "0.5"}}, "Invalid input number"),
        ):
            answer = await act(**operation)
            assert answer["status"] == "err"
            assert text in answer["response"]


async def test_a_leg_that_is_gone_costs_the_socket(client: Any, gone: Any, autojump_clock: Any) -> None:
    async with simulated_hyperliquid(seed=3, config=config()) as sim:
        ws = await client(sim).websocket()
        coin = f"#{question_of(sim.venue.world).named[0]}0"
        await ws.subscribe(type="bbo", coin=coin)
        await ws.subscribe(type="outcomeMetaUpdates")
        await ws.until("outcomeMetaUpdates", lambda data: any("questionSettled" in row for row in data))
        sim.faults.arm(FaultName.DEAD_COIN_CLOSES)
        again = await client(sim).websocket()
        await again.subscribe(type="trades", coin=coin)
        with pytest.raises(gone) as closed:
            await again.drain()
        assert closed.value.code == 1000
