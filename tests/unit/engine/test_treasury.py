"""Complete sets: what the treasury converts, what it keeps, what forbids it, and what a conversion claims meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import HYPERLIQUID, MarketId, is_outcome
from hlomm.domain.inputs import ConversionFailed, FeeRates, FillReceived, MarketSettled, OperatorAction, RateBudget
from hlomm.domain.markets import Leg, Market
from hlomm.domain.orders import Side
from hlomm.domain.outputs import ConvertSet, HaltState, QueryAccount
from hlomm.domain.sets import SetAction
from hlomm.domain.units import ONE, Px
from hlomm.engine import converting
from hlomm.engine.converting import in_sets
from hlomm.engine.report import report
from tests.support.rig import Rig, alerts, placed
from tests.support.values import M, account, config, lots, outcome, px, seconds, usd

QUESTION = 7
OUTCOMES = (20, 21, 22)
A, B, C = (MarketId(f"hyperliquid:o{number}") for number in OUTCOMES)


def legs(size: int = 3) -> list[Market]:
    """Three buckets of a question; the last is its fallback."""
    return [outcome(number, question=QUESTION, question_size=size, fallback=number == 22) for number in OUTCOMES]


def rich(*, markets: list[Market] | None = None, limits: dict[str, Any] | None = None, **sets: Any) -> Rig:
    """A rig whose treasury is on and looks every five seconds."""
    rules = {"enabled": True, "least": lots(1), "interval_ns": seconds(5), **sets}
    return Rig(config(sets=rules, **({"limits": limits} if limits else {})), markets=markets or ())


def rates(closing: int = 0) -> FeeRates:
    return FeeRates(
        venue=HYPERLIQUID, open_maker=0, open_taker=0, close_maker=closing, close_taker=closing, settle=closing
    )


def look(rig: Rig) -> list[ConvertSet]:
    """What the treasury's next look sends."""
    before = len(rig.outputs)
    rig.keep_fresh(5.5, market=next(market for market in rig.state.markets if is_outcome(market)))
    return [out for out in rig.outputs[before:] if isinstance(out, ConvertSet)]


def sent(action: SetAction, market: MarketId, qty: int, question: int | None = None) -> ConvertSet:
    return ConvertSet(action=action, market=market, qty=lots(qty), question=question)


def part(rig: Rig, kind: FillKind, market: MarketId, leg: Leg, side: Side, number: int, at: Px, fee: str = "0") -> Fill:
    return Fill(
        key=f"c{next(rig.fills)}", market=market, leg=leg, side=side, px=at, qty=lots(number), fee=usd(fee), kind=kind,
        maker=False, client_id=None, venue_order_id=None, venue_ms=rig.ms,
    )  # fmt: skip


def done(rig: Rig, one: ConvertSet, fee: str = "0") -> list[Any]:
    """The venue carries it out and tells its parts at once."""
    number, half, nothing = one.qty // ONE, Px(ONE // 2), Px(0)
    kind, others = FillKind(one.action.value), [market for market in (A, B, C) if market != one.market]
    match one.action:
        case SetAction.SPLIT | SetAction.MERGE:
            side = Side.BUY if one.action is SetAction.SPLIT else Side.SELL
            parts = [part(rig, kind, one.market, leg, side, number, half, fee) for leg in Leg]
        case SetAction.NEGATE:
            parts = [part(rig, kind, one.market, Leg.NO, Side.SELL, number, nothing)]
            parts += [part(rig, kind, other, Leg.YES, Side.BUY, number, nothing) for other in others]
        case SetAction.MERGE_QUESTION:
            parts = [
                part(rig, kind, market, Leg.YES, Side.SELL, number, Px(ONE if market == C else 0))
                for market in (A, B, C)
            ]
    return rig.tell(FillReceived(parts[0], tuple(parts[1:])))


# -- merging


def test_free_pairs_become_cash() -> None:
    rig = rich()
    rig.buy(120, "0.5")
    rig.buy(80, "0.45", leg=Leg.NO)
    cash = rig.state.portfolio.cash
    (merge,) = look(rig)
    assert merge == sent(SetAction.MERGE, M, 80)
    done(rig, merge)
    position = rig.state.portfolio.position(M)
    assert (position.yes, position.no) == (lots(40), 0)
    assert rig.state.portfolio.cash == cash + usd(80)
    assert look(rig) == [], "nothing is left to merge"
    assert report(rig.state).converted == {"merge": lots(80)}


def test_what_is_on_offer_is_not_merged_away() -> None:
    rig = rich()
    rig.buy(100, "0.5")
    rig.buy(100, "0.45", leg=Leg.NO)
    rig.resting_ask("0.58", 60)
    assert look(rig) == [sent(SetAction.MERGE, M, 40)]


def test_what_a_merge_has_claimed_is_not_offered() -> None:
    rig = rich()
    rig.buy(100, "0.5")
    rig.buy(100, "0.45", leg=Leg.NO)
    (merge,) = look(rig)
    assert merge.qty == lots(100)
    assert [rig.state.free_tokens(M, leg) for leg in Leg] == [0, 0]
    (order,) = placed(rig.want(ask=("0.58", 60)))
    assert (order.leg, order.side) == (Leg.NO, Side.BUY), "a sale would want tokens that are as good as gone"


@pytest.mark.parametrize("rules", [{"enabled": False}, {"least": lots(101)}])
def test_what_the_rules_rule_out_is_not_merged(rules: dict[str, Any]) -> None:
    rig = rich(**rules)
    rig.buy(100, "0.5")
    rig.buy(100, "0.45", leg=Leg.NO)
    assert look(rig) == []


@pytest.mark.parametrize("guard", ["halted", "session", "guardian", "budget", "market"])
def test_no_conversion_passes_a_guard(guard: str) -> None:
    rig = rich()
    rig.buy(100, "0.5")
    rig.buy(100, "0.45", leg=Leg.NO)
    state, market = rig.state, rig.market()
    match guard:
        case "halted":
            state.journal_failed = True
        case "session":
            state.venues[HYPERLIQUID].up = False
        case "guardian":
            state.guardian_required, state.guardian_missing = True, "it is gone"
        case "budget":
            rig.tell(RateBudget(HYPERLIQUID, 1_000, 1_000))
        case "market":
            market.gone = True
    note = converting.refusal(state, SetAction.MERGE, (market,), lots(100))
    assert note is not None
    assert note.guard == guard


def test_a_merge_that_costs_more_than_settling_waits_for_the_settlement() -> None:
    rig = rich()
    rig.tell(rates())
    rig.buy(100, "0.5")
    rig.buy(100, "0.45", leg=Leg.NO)
    (merge,) = look(rig)
    done(rig, merge, fee="0.05")  # either half
    assert rig.state.merge_fee[HYPERLIQUID] == 100_000, "0.1 on 100"
    rig.buy(50, "0.5")
    rig.buy(50, "0.45", leg=Leg.NO)
    assert look(rig) == []
    (row,) = report(rig.state).sets
    assert (row.pairs, row.note.guard) == (lots(50), "merge_fee")


# -- what becomes of one


def test_a_refused_merge_frees_its_tokens_and_rests() -> None:
    rig = rich()
    rig.buy(100, "0.5")
    rig.buy(100, "0.45", leg=Leg.NO)
    look(rig)
    outputs = rig.tell(ConversionFailed(action=SetAction.MERGE, market=M, text="not now"))
    assert alerts(outputs, "conversion_failed")
    assert rig.state.free_tokens(M, Leg.YES) == lots(100)
    assert look(rig) == [], "the venue has just refused it"
    rig.keep_fresh(20)
    assert [out for out in rig.outputs if isinstance(out, ConvertSet)][-1] == sent(SetAction.MERGE, M, 100)


def test_a_lost_merge_keeps_its_claim_until_nothing_can_come_any_more() -> None:
    rig = rich()
    rig.buy(100, "0.5")
    rig.buy(100, "0.45", leg=Leg.NO)
    look(rig)
    rig.tell(ConversionFailed(action=SetAction.MERGE, market=M, text="no answer", lost=True))
    assert rig.state.free_tokens(M, Leg.YES) == 0
    rig.keep_fresh(16)
    assert rig.state.free_tokens(M, Leg.YES) == lots(100)
    assert rig.state.conversions.failed == 1


def test_a_lost_merge_that_was_done_after_all_is_booked_once() -> None:
    rig = rich()
    rig.buy(100, "0.5")
    rig.buy(100, "0.45", leg=Leg.NO)
    (merge,) = look(rig)
    rig.tell(ConversionFailed(action=SetAction.MERGE, market=M, text="no answer", lost=True))
    done(rig, merge)
    assert rig.state.portfolio.position(M).flat
    assert rig.state.conversions.pending == {}


def test_a_merge_whose_fills_never_come_is_given_up_and_the_account_asked() -> None:
    rig = rich()
    rig.buy(100, "0.5")
    rig.buy(100, "0.45", leg=Leg.NO)
    look(rig)
    before = len(rig.outputs)
    rig.keep_fresh(16)
    assert alerts(rig.outputs[before:], "conversion_unseen")
    assert any(isinstance(out, QueryAccount) for out in rig.outputs[before:])


def test_a_settlement_ends_what_was_under_way() -> None:
    rig = rich()
    rig.buy(100, "0.5")
    rig.buy(100, "0.45", leg=Leg.NO)
    look(rig)
    rig.tell(MarketSettled(M, Px(ONE), "told"))
    assert rig.state.conversions.pending == {}
    assert rig.state.portfolio.position(M).flat


def test_the_account_is_not_held_against_the_books_while_one_is_under_way() -> None:
    rig = rich()
    rig.buy(100, "0.5")
    rig.buy(100, "0.45", leg=Leg.NO)
    look(rig)
    for _ in range(5):
        rig.keep_fresh(1)
        rig.tell(account("10005", (), asked_ns=rig.now.mono_ns))  # it has merged; its fills are on their way
    assert rig.state.halt is HaltState.RUNNING


# -- stock


def test_stock_is_split_where_closing_is_free_and_both_sides_become_sales() -> None:
    rig = rich(stock=lots(100))
    rig.tell(rates())
    rig.want(bid=("0.52", 60), ask=("0.58", 60), fair="0.55")
    (split,) = look(rig)
    assert split == sent(SetAction.SPLIT, M, 100)
    cash = rig.state.portfolio.cash
    done(rig, split)
    assert rig.state.portfolio.cash == cash - usd(100)
    for order in list(rig.state.orders.live()):
        rig.opened(order)
    rig.keep_fresh(3)
    for order in list(rig.state.orders.live()):
        rig.closed(order, filled=0) if order.side is Side.BUY else None
    rig.keep_fresh(3)
    assert {(order.leg, order.side) for order in rig.state.orders.live()} == {
        (Leg.NO, Side.SELL), (Leg.YES, Side.SELL),
    }  # fmt: skip


@pytest.mark.parametrize(("fair", "wanted"), [("0.55", 0), ("0.97", 100)])
def test_with_a_closing_fee_stock_is_kept_at_the_dear_end_only(fair: str, wanted: int) -> None:
    """60 of the cheap token at 0.03 are worth 1.80, and the venue asks for 10."""
    rig = rich(stock=lots(100))
    rig.tell(rates(closing=40_000))
    rig.want(bid=(px(fair) / ONE - 0.01, 60), ask=(px(fair) / ONE + 0.01, 60), fair=fair)
    assert sum(one.qty for one in look(rig)) == lots(wanted)


@pytest.mark.parametrize(("limits", "guard"), [({"max_sets": usd(60)}, "max_sets"), ({"max_open_orders": 40}, "cash")])
def test_a_split_has_a_budget(limits: dict[str, Any], guard: str) -> None:
    rig = Rig(
        config(sets={"enabled": True, "stock": lots(100), "interval_ns": seconds(5)}, limits=limits),
        cash="10000" if guard == "max_sets" else "90",
    )
    rig.tell(rates())
    rig.want(bid=("0.52", 30), ask=("0.58", 30), fair="0.55")
    assert look(rig) == []
    (row,) = report(rig.state).sets
    assert row.note.guard == guard
    assert rig.state.counters.rejected[guard] >= 1


def test_stock_is_merged_before_the_end() -> None:
    market = outcome(tau_s=40)
    rig = rich(stock=lots(100), drain_ns=seconds(60), markets=[market])
    rig.tell(rates())
    rig.buy(100, "0.5", market=market.id)
    rig.buy(100, "0.45", leg=Leg.NO, market=market.id)
    assert look(rig) == [sent(SetAction.MERGE, market.id, 100)]


# -- questions


def test_yes_of_every_outcome_is_cash() -> None:
    rig = rich(markets=legs())
    for market, number in ((A, 50), (B, 30), (C, 40)):
        rig.buy(number, "0.3", market=market)
    cash = rig.state.portfolio.cash
    (merge,) = look(rig)
    assert merge == sent(SetAction.MERGE_QUESTION, A, 30, QUESTION)
    done(rig, merge)
    assert rig.state.portfolio.cash == cash + usd(30)
    assert [rig.state.portfolio.position(market).yes for market in (A, B, C)] == [lots(20), 0, lots(10)]


@pytest.mark.parametrize("size", [4, 0])
def test_a_question_with_an_unknown_outcome_is_left_alone(size: int) -> None:
    rig = rich(markets=legs(size))
    for market in (A, B, C):
        rig.buy(30, "0.3", market=market)
    assert look(rig) == []


def test_no_of_two_outcomes_is_negated_and_pairs_up() -> None:
    rig = rich(markets=legs())
    rig.buy(50, "0.6", leg=Leg.NO, market=A)
    rig.buy(30, "0.6", leg=Leg.NO, market=B)
    equity = rig.state.portfolio.cash + rig.state.portfolio.cost
    (negate,) = look(rig)
    assert negate == sent(SetAction.NEGATE, B, 30, QUESTION), "the smaller holding: all of it pairs up"
    done(rig, negate)
    position = {market: rig.state.portfolio.position(market) for market in (A, B, C)}
    assert (position[A].yes, position[A].no) == (lots(30), lots(50))
    assert position[B].flat
    assert position[C].yes == lots(30)
    assert rig.state.portfolio.cash + rig.state.portfolio.cost == equity, "no cash moved, the cost went along"
    assert look(rig) == [sent(SetAction.MERGE, A, 30)]


def test_a_single_no_is_not_negated() -> None:
    rig = rich(markets=legs())
    rig.buy(50, "0.6", leg=Leg.NO, market=A)
    assert look(rig) == []


def test_a_negation_respects_the_position_limit_of_every_market() -> None:
    rig = rich(markets=legs(), limits={"max_position": lots(60)})
    rig.buy(40, "0.6", leg=Leg.NO, market=A)
    rig.buy(40, "0.6", leg=Leg.NO, market=B)
    rig.buy(30, "0.3", market=C)
    assert look(rig) == []
    assert rig.state.counters.rejected["max_position"] >= 1


def test_in_a_walk_to_safety_a_conversion_under_way_is_waited_for() -> None:
    rig = rich()
    rig.buy(100, "0.5")
    rig.buy(100, "0.45", leg=Leg.NO)
    (merge,) = look(rig)
    outputs = rig.command(OperatorAction.FLATTEN)
    assert not [out for out in outputs if isinstance(out, ConvertSet)], "it would be merged twice"
    done(rig, merge)
    rig.keep_fresh(3)
    assert rig.state.halt is HaltState.HALTED
    assert rig.state.portfolio.position(M).flat
    assert in_sets(rig.state) == 0


def test_the_digest_knows_of_it() -> None:
    one, other = rich(), rich(least=lots(200))
    for rig in (one, other):
        rig.buy(100, "0.5")
        rig.buy(100, "0.45", leg=Leg.NO)
        look(rig)
    assert one.engine.digest() != other.engine.digest()


def test_a_walk_is_not_over_while_a_conversion_is_under_way() -> None:
    rig = rich()
    rig.buy(100, "0.5")
    rig.buy(100, "0.45", leg=Leg.NO)
    (merge,) = look(rig)
    rig.command(OperatorAction.CANCEL)
    assert rig.state.halt is HaltState.FLATTENING
    done(rig, merge)
    rig.keep_fresh(1)
    assert rig.state.halt is HaltState.HALTED


def test_fees_of_a_conversion_leave_cash() -> None:
    rig = rich()
    rig.buy(100, "0.5")
    rig.buy(100, "0.45", leg=Leg.NO)
    (merge,) = look(rig)
    cash = rig.state.portfolio.cash
    done(rig, merge, fee="0.01")
    assert rig.state.portfolio.cash == cash + usd(100) - usd("0.02")
    assert rig.state.portfolio.fees == usd("0.02")
