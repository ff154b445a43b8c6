"""Rung: pure, stateful. Questions: negate, merge question, settlement of all legs together, and what each reports."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, Tif
from hlomm.domain.units import SCALE, Px
from hlomm.sim.accounts import Account
from hlomm.sim.board import QuestionSpec
from hlomm.sim.config import RulesConfig
from hlomm.sim.events import Fill, FillDir, OrderChanged, OutcomeSettled, QuestionSettled, QuestionUpdated
from hlomm.sim.exchange import Exchange
from hlomm.sim.ledger import Ledger
from hlomm.sim.orders import NewOrder, Refused, Resting, Target
from hlomm.sim.outcome_market import OutcomeSpec
from hlomm.sim.refusals import Status, WholeActionRefused

YES, NO, BUY, SELL = Leg.YES, Leg.NO, Side.BUY, Side.SELL
QUESTION = 40
LEGS = (21, 22, 23, 24)
"""The fallback first."""


def leg(outcome: int, question: int | None = QUESTION) -> OutcomeSpec:
    return OutcomeSpec(
        outcome=outcome,
        underlying="BTC",
        expiry_ns=2_000_000_000_000_000_000,
        target=Px(0),
        period="1d",
        quote_token="USDC",
        description="other" if outcome == LEGS[0] else f"index:{outcome - LEGS[1]}",
        fallback=outcome == LEGS[0],
        question=question,
    )


def question_of(named: tuple[int, ...] = LEGS[1:]) -> QuestionSpec:
    return QuestionSpec(
        question=QUESTION,
        description="",
        fallback=LEGS[0],
        named=named,
        expiry_ns=2_000_000_000_000_000_000,
        period="1d",
    )


class Room:
    """An exchange with one question of three named legs and one outcome that stands alone (5)."""

    def __init__(self, **rules: Any) -> None:
        self.exchange = Exchange(RulesConfig(**rules))
        self.exchange.tape.now_ns = 1_795_000_035 * 10**9
        self.exchange.list_question(question_of(), [leg(outcome) for outcome in LEGS])
        self.count = 0

    def account(self, spot: int = 10_000) -> Account:
        self.count += 1
        return self.exchange.open_account(f"0x{self.count:040x}", f"a{self.count}", spot=spot * SCALE, perp=0)

    def place(self, account: Account, outcome: int, leg: Leg, side: Side, ticks: int, lots: int) -> Any:
        new = NewOrder(target=Target(outcome, leg), side=side, ticks=ticks, lots=lots, tif=Tif.GTC)
        return self.exchange.place(account, new)

    def rows(self, account: Account, direction: FillDir) -> list[Any]:
        fills = [e.row for e in self.exchange.tape.events if isinstance(e, Fill) and e.account is account]
        return [row for row in fills if row.dir is direction]

    def balanced(self) -> None:
        assert self.exchange.audit() == []


@pytest.fixture
def room() -> Any:
    room = Room()
    yield room
    room.balanced()


def held(account: Account, outcome: int, leg: Leg) -> int:
    return account.held(outcome, leg).total


# -- negate and merge question


def test_negate_turns_no_of_one_into_yes_of_every_other(room: Room) -> None:
    me = room.account()
    room.exchange.split(me, 22, 30)
    room.exchange.negate(me, QUESTION, 22, 20)
    assert [held(me, o, YES) for o in LEGS] == [20, 30, 20, 20]
    assert [held(me, o, NO) for o in LEGS] == [0, 10, 0, 0]
    assert room.exchange.ledger.escrow == 30 * SCALE
    assert room.exchange.ledger.negated == {QUESTION: 20}
    assert room.exchange.ledger.supply(23, YES) == 20
    assert room.exchange.ledger.supply(23, NO) == 0


def test_split_negate_merge_question_returns_exactly_the_start(room: Room) -> None:
    me = room.account(100)
    room.exchange.split(me, 23, 77)
    room.exchange.negate(me, QUESTION, 23, 77)
    room.exchange.merge_question(me, QUESTION, None)
    assert me.quote == 100 * SCALE
    assert all(balance.total == balance.entry == 0 for balance in me.tokens.values())
    assert room.exchange.ledger.escrow == 0
    gains = [e.row.closed_pnl for e in room.exchange.tape.events if isinstance(e, Fill)]
    assert sum(gains) == 0


@given(st.lists(st.tuples(st.sampled_from(LEGS), st.integers(1, 60), st.booleans()), min_size=1, max_size=12))
def test_any_number_of_round_trips_returns_exactly_the_start(trips: list[tuple[int, int, bool]]) -> None:
    room = Room()
    me = room.account(1_000)
    for outcome, lots, whole in trips:
        room.exchange.split(me, outcome, lots)
        room.exchange.negate(me, QUESTION, outcome, lots)
        room.exchange.merge_question(me, QUESTION, None if whole else lots)
        room.balanced()
    assert me.quote == 1_000 * SCALE
    assert sum(e.row.closed_pnl for e in room.exchange.tape.events if isinstance(e, Fill)) == 0


def test_a_bought_complete_set_merges_and_leaves_the_sellers_no(room: Room) -> None:
    """Sum of YES below one is money: the exchange does not enforce it, merging takes it out."""
    me, other = room.account(), room.account()
    for outcome, ticks in zip(LEGS, (1_000, 20_000, 50_000, 20_000), strict=True):
        room.place(other, outcome, NO, BUY, 100_000 - ticks, 1_000)
        assert not isinstance(room.place(me, outcome, YES, BUY, ticks, 1_000), Refused)
    room.exchange.merge_question(me, QUESTION, 1_000)
    assert me.quote == 10_000 * SCALE + 90 * SCALE
    assert room.exchange.ledger.negated == {QUESTION: -1_000}
    assert sum(row.closed_pnl for row in room.rows(me, FillDir.MERGE_QUESTION)) == 90 * SCALE
    room.balanced()
    room.exchange.settle_question(QUESTION, 23, "price:1")
    assert other.quote == 10_000 * SCALE - 90 * SCALE
    assert room.exchange.ledger.escrow == 0


def test_synthetic_fills_of_a_negation(room: Room) -> None:
    me = room.account()
    room.exchange.split(me, 22, 30)
    room.exchange.negate(me, QUESTION, 22, 20)
    rows = room.rows(me, FillDir.NEGATE)
    assert [(r.target.coin, r.px, r.lots, r.side, r.start_lots) for r in rows] == [
        ("#221", SCALE, 20, SELL, 30),
        ("#210", 33_333_333, 20, BUY, 0),
        ("#230", 33_333_333, 20, BUY, 0),
        ("#240", 33_333_333, 20, BUY, 0),
    ]
    assert [r.closed_pnl for r in rows] == [10 * SCALE, 0, 0, 0]
    assert len({r.oid for r in rows}) == 1
    assert len({r.tid for r in rows}) == 4
    assert all(r.crossed and r.fee == 0 and r.cloid is None for r in rows)
    assert sum(b.entry for b in me.tokens.values()) == 30 * SCALE + 10 * SCALE  # cost and realised gain add up


def test_synthetic_fills_of_a_merged_question(room: Room) -> None:
    me = room.account()
    room.exchange.split(me, 22, 30)
    room.exchange.negate(me, QUESTION, 22, 30)
    room.exchange.merge_question(me, QUESTION, 12)
    rows = room.rows(me, FillDir.MERGE_QUESTION)
    assert [(r.target.coin, r.px, r.lots, r.side, r.start_lots) for r in rows] == [
        (f"#{outcome}0", 25_000_000, 12, SELL, 30) for outcome in LEGS
    ]


def test_merges_cost_what_is_configured() -> None:
    room = Room(merge_fee=70_000)
    me = room.account(1_000)
    room.exchange.split(me, 22, 100)
    room.exchange.merge(me, 22, 50)
    room.exchange.negate(me, QUESTION, 22, 50)
    room.exchange.merge_question(me, QUESTION, None)
    paid = 100 * SCALE * 7 // 10_000
    assert me.quote == 1_000 * SCALE - paid
    assert room.exchange.ledger.fees == paid
    fees = [r.fee for d in (FillDir.MERGE, FillDir.MERGE_QUESTION) for r in room.rows(me, d)]
    assert sum(fees) == paid
    assert me.volume == 0
    room.balanced()


# -- refusals


def refusal(call: Any, *args: Any) -> str:
    with pytest.raises(WholeActionRefused) as caught:
        call(*args)
    return caught.value.text


def test_refusals_move_nothing(room: Room) -> None:
    me, exchange = room.account(), room.exchange
    exchange.list_outcome(leg(5, question=None))
    exchange.split(me, 22, 30)
    tokens = "Outcome error: Insufficient outcome token balance"
    assert refusal(exchange.negate, me, QUESTION, 22, 31) == tokens
    assert refusal(exchange.negate, me, QUESTION, 23, 1) == tokens
    assert refusal(exchange.negate, me, 41, 22, 1) == "Outcome error: Question does not exist"
    assert refusal(exchange.negate, me, QUESTION, 5, 1) == "Outcome error: Outcome does not belong to question"
    assert refusal(exchange.negate, me, QUESTION, 99, 1) == "Outcome error: Outcome does not exist"
    assert refusal(exchange.merge_question, me, QUESTION, 1) == tokens
    assert refusal(exchange.merge_question, me, QUESTION, None) == tokens
    assert refusal(exchange.merge_question, me, 41, None) == "Outcome error: Question does not exist"
    assert me.quote == 9_970 * SCALE
    assert room.rows(me, FillDir.NEGATE) == []


def test_offered_tokens_can_neither_be_negated_nor_merged(room: Room) -> None:
    me, exchange = room.account(), room.exchange
    exchange.split(me, 22, 30)
    room.place(me, 22, NO, SELL, 60_000, 25)
    assert refusal(exchange.negate, me, QUESTION, 22, 6).startswith("Outcome error: Insufficient")
    exchange.negate(me, QUESTION, 22, 5)
    exchange.split(me, 23, 10)
    room.place(me, 23, YES, SELL, 90_000, 13)
    exchange.merge_question(me, QUESTION, None)
    assert held(me, 23, YES) == 13


def test_the_fallback_trades_unless_configured_otherwise() -> None:
    room = Room()
    assert isinstance(room.place(room.account(), 21, YES, BUY, 50_000, 30), Resting)
    closed = Room(fallback_tradable=False)
    refused = closed.place(closed.account(), 21, YES, BUY, 50_000, 30)
    assert refused.refusal.text == "Cannot trade fallback token"
    assert isinstance(closed.place(closed.account(), 22, YES, BUY, 50_000, 30), Resting)


# -- settlement


@pytest.mark.parametrize("winner", LEGS)
def test_exactly_one_leg_pays(winner: int) -> None:
    room = Room()
    accounts = [room.account() for _ in LEGS]
    for account, outcome in zip(accounts, LEGS, strict=True):
        room.exchange.split(account, outcome, 40)
        room.exchange.negate(account, QUESTION, outcome, 10)
    room.place(accounts[0], 22, YES, BUY, 40_000, 30)
    room.exchange.settle_question(QUESTION, winner, "price:77000")
    room.balanced()
    assert room.exchange.ledger.escrow == 0
    assert room.exchange.ledger.questions == room.exchange.ledger.negated == room.exchange.ledger.sets == {}
    assert [room.exchange.settled[o].fraction for o in LEGS] == [SCALE * (o == winner) for o in LEGS]
    assert all(account.quote == 10_000 * SCALE for account in accounts)  # a hedged set is worth what it cost
    assert all(not account.tokens for account in accounts)
    events = room.exchange.tape.events
    assert [e.outcome for e in events if isinstance(e, OutcomeSettled)][-1] == winner
    assert isinstance(events[-1], QuestionSettled)
    orders = [e.row.status for e in events if isinstance(e, OrderChanged)]
    assert orders[-1] is Status.OUTCOME_SETTLED
    assert room.exchange.settled[winner].question == question_of()
    settled = "Outcome has been settled"
    assert refusal(room.exchange.merge_question, accounts[0], QUESTION, 1) == settled
    assert refusal(room.exchange.negate, accounts[0], QUESTION, 22, 1) == settled


def test_a_named_outcome_may_go_before_the_rest(room: Room) -> None:
    me, exchange = room.account(), room.exchange
    exchange.split(me, 22, 40)
    exchange.split(me, 23, 40)
    exchange.negate(me, QUESTION, 23, 15)
    exchange.eliminate(22, "withdrawn")
    room.balanced()
    assert exchange.questions[QUESTION].settled_named == (22,)
    assert exchange.settled[22].fraction == 0
    assert me.quote == (10_000 - 80 + 40) * SCALE
    assert [e.question for e in exchange.tape.events if isinstance(e, QuestionUpdated)] == [QUESTION, QUESTION]
    assert refusal(exchange.negate, me, QUESTION, 22, 1) == "Outcome has been settled"
    exchange.merge_question(me, QUESTION, 15)  # YES of what is left: fallback, 23 and 24
    assert held(me, 24, YES) == 0
    exchange.settle_question(QUESTION, 24, "price:1")
    assert me.quote == 10_000 * SCALE
    assert exchange.ledger.escrow == 0


def test_outcomes_of_a_question_are_not_settled_alone(room: Room) -> None:
    with pytest.raises(AssertionError, match="together"):
        room.exchange.settle(22, SCALE, "")


def test_a_question_needs_all_its_outcomes() -> None:
    exchange = Exchange(RulesConfig())
    with pytest.raises(AssertionError):
        exchange.list_question(question_of(), [leg(outcome) for outcome in LEGS[:-1]])


# -- the ledger's own proof


def test_the_audit_sees_a_token_too_many_in_a_question() -> None:
    ledger = Ledger()
    account = Account("0x1", "a")
    ledger.deposit(account, spot=100 * SCALE, perp=0)
    ledger.open_question(1, (7, 8))
    ledger.split(account, 7, 5)
    ledger.negate(account, 1, 7, 2)
    assert ledger.audit([account]) == []
    account.token(8, YES).total += 1
    assert ledger.audit([account]) == ["outcome 8 YES: 3 tokens, 2 sets"]


def test_a_token_nobody_minted_is_found() -> None:
    ledger = Ledger()
    account = Account("0x1", "a")
    account.token(9, NO).total = 1
    assert ledger.audit([account]) == ["outcome 9 NO: 1 tokens, 0 sets"]
