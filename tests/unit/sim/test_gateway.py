"""Rung: pure venue without sockets. Signed actions from schema to answer, in the venue's order of checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from hlomm.domain.units import SCALE
from hlomm.sim.config import FlowConfig, ListingConfig, RulesConfig, SimConfig
from hlomm.sim.faults import FaultArgs, FaultName
from hlomm.sim.hl.envelope import convert_envelope
from hlomm.sim.hl.venue import Venue
from hlomm.sim.refusals import Status

ORIGIN = 1_795_000_035 * 10**9
CLOID = "0x" + "1" * 32


class Bench:
    """A venue without traders and an account that signs."""

    def __init__(self, signer: Any, rules: RulesConfig | None = None, **fields: Any) -> None:
        listing = ListingConfig(warmup_s=6.0)
        config = SimConfig(flow=FlowConfig(enabled=False), listing=listing, rules=rules or RulesConfig(), **fields)
        self.venue = Venue(config, 4, ORIGIN)
        self.exchange = self.venue.exchange
        self.now_ns = ORIGIN
        nonce = ORIGIN // 1_000_000
        self.me, self.other = self.venue.accounts[:2]
        self.agent = signer(self.me.agent_key, nonce)
        self.master = signer(self.me.key, nonce)
        self.counter = signer(self.other.agent_key, nonce)
        self.outcome = next(iter(self.exchange.outcomes))
        self.asset = 100_000_000 + 10 * self.outcome
        self.account = self.exchange.accounts[self.me.address]

    def submit(self, envelope: dict[str, Any], into: list[Any]) -> None:
        self.venue.gateway.submit(convert_envelope(envelope), self.now_ns, lambda reply, due: into.append((reply, due)))

    def step(self, seconds: float = 0.4) -> None:
        self.now_ns += int(seconds * 1e9)
        self.venue.world.advance(self.now_ns)

    def send(self, envelope: dict[str, Any]) -> dict[str, Any]:
        answers: list[Any] = []
        self.submit(envelope, answers)
        self.step()
        ((reply, _),) = answers
        return reply

    def statuses(self, envelope: dict[str, Any]) -> list[Any]:
        reply = self.send(envelope)
        assert reply["status"] == "ok", reply
        return reply["response"]["data"]["statuses"]


@pytest.fixture
def bench(signer: Any) -> Bench:
    return Bench(signer)


@pytest.fixture
def make_bench(signer: Any) -> Callable[..., Bench]:
    return lambda *args, **fields: Bench(signer, *args, **fields)


def test_an_order_rests_and_answers_with_ids(bench: Bench, wire: Any) -> None:
    order = wire.order(bench.asset, buy=True, px="0.4", sz="100", cloid=CLOID)
    (status,) = bench.statuses(bench.agent(wire.orders(order)))
    assert status["resting"]["cloid"] == CLOID
    assert bench.exchange.tape.blotter_of(bench.account).open[status["resting"]["oid"]].lots == 100


def shape(value: Any) -> Any:
    """Keys and kinds of a reply, without its figures."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value).__name__


def test_replies_have_the_documented_shapes(bench: Bench, wire: Any, golden: Callable[[str], Any]) -> None:
    known = {name: shape(reply) for name, reply in golden("samples/exchange_responses.json").items()}
    order = wire.order(bench.asset, buy=True, px="0.4", sz="100", cloid=CLOID)
    plain = {key: value for key, value in order.items() if key != "c"}
    no = wire.order(bench.asset + 1, buy=True, px="0.6", sz="100", tif="Ioc")
    cancel = {"type": "cancelByCloid", "cancels": [{"asset": bench.asset, "cloid": CLOID}]}
    noop = {"type": "noop"}
    asked = {
        "order_resting_cloid": bench.agent(wire.orders(order)),
        "cancel_ok": bench.agent(cancel),
        "cancel_missing": bench.agent(cancel),
        "order_resting": bench.agent(wire.orders(plain)),
        "order_filled": bench.counter(wire.orders(no)),
        "order_error_in_status": bench.agent(wire.orders(plain | {"s": "1"})),
        "default_ok": bench.agent(noop),
        "top_level_error": bench.agent(noop, vault="0x" + "3" * 40),
        "schedule_cancel_gate": bench.agent({"type": "scheduleCancel"}),
    }
    for name, envelope in asked.items():
        assert shape(bench.send(envelope)) == known[name], name


def test_an_acknowledgement_takes_a_third_of_a_second(bench: Bench, wire: Any) -> None:
    answers: list[Any] = []
    bench.submit(bench.agent(wire.orders(wire.order(bench.asset, buy=True, px="0.4", sz="100"))), answers)
    sent = bench.now_ns
    bench.step()
    assert 0.25 <= (answers[0][1] - sent) / 1e9 <= 0.40


def test_takers_arrive_later_than_post_only_orders(bench: Bench, wire: Any) -> None:
    answers: list[Any] = []
    bench.submit(bench.agent(wire.orders(wire.order(0, buy=True, px="50000", sz="0.01", tif="Gtc"))), answers)
    bench.submit(bench.counter(wire.orders(wire.order(0, buy=True, px="50001", sz="0.01"))), answers)
    bench.step(0.5)
    oids = [reply["response"]["data"]["statuses"][0]["resting"]["oid"] for reply, _ in answers]
    assert oids == sorted(oids)
    assert bench.exchange.tape.blotter_of(bench.account).open[oids[1]].tif == "Gtc"


def test_fill_answers_with_average_in_six_decimals(bench: Bench, wire: Any) -> None:
    bench.send(bench.counter(wire.orders(wire.order(bench.asset + 1, buy=True, px="0.47777", sz="30"))))
    bench.send(bench.counter(wire.orders(wire.order(bench.asset + 1, buy=True, px="0.47776", sz="40"))))
    envelope = bench.agent(wire.orders(wire.order(bench.asset, buy=True, px="0.6", sz="70", tif="Ioc")))
    (status,) = bench.statuses(envelope)
    average = (0.52223 * 30 + 0.52224 * 40) / 70
    assert status["filled"]["totalSz"] == "70.0"
    assert float(status["filled"]["avgPx"]) == pytest.approx(average, abs=1e-6)
    assert len(status["filled"]["avgPx"]) <= 8


@pytest.mark.parametrize(
    ("px", "sz", "text"),
    [
        ("0.012345", "1000", "Price must be divisible by tick size."),
        ("0", "1000", "Price must be divisible by tick size."),
        ("1", "1000", "Price must be divisible by tick size."),
        ("0.5", "40.5", "Order has invalid size."),
        ("0.5", "0", "Order has zero size."),
    ],
)
def test_static_faults_answer_once_for_the_whole_batch(bench: Bench, wire: Any, px: str, sz: str, text: str) -> None:
    good = wire.order(bench.asset, buy=True, px="0.4", sz="100")
    bad = wire.order(bench.asset + 1, buy=True, px=px, sz=sz)
    statuses = bench.statuses(bench.agent(wire.orders(good, bad, good)))
    assert statuses == [{"error": f"{text} asset={bench.asset + 1}"}]
    assert bench.exchange.tape.blotter_of(bench.account).open == {}


def test_perp_price_rules(bench: Bench, wire: Any) -> None:
    mark = bench.exchange.perp.mark_ticks // 10
    assert bench.statuses(bench.agent(wire.orders(wire.order(0, buy=True, px=f"{mark - 5000}.5", sz="0.01")))) == [
        {"error": "Price must be divisible by tick size. asset=0"}
    ]
    assert bench.send(bench.agent(wire.orders(wire.order(0, buy=True, px="1", sz="1")))) == {
        "status": "err",
        "response": "Order price cannot be more than 80% away from the reference price",
    }


def test_per_order_refusals_carry_the_asset(bench: Bench, wire: Any) -> None:
    small = wire.order(bench.asset, buy=True, px="0.4", sz="5")
    sale = wire.order(bench.asset, buy=False, px="0.4", sz="50")
    fine = wire.order(bench.asset, buy=True, px="0.4", sz="50")
    first, second, third = bench.statuses(bench.agent(wire.orders(small, sale, fine)))
    assert first == {"error": f"Order must have minimum value of 10 USDC. asset={bench.asset}"}
    assert second == {"error": f"Insufficient spot balance asset={bench.asset}"}
    assert "resting" in third


def test_refused_orders_are_remembered(bench: Bench, wire: Any) -> None:
    bench.send(bench.agent(wire.orders(wire.order(bench.asset, buy=True, px="0.4", sz="5", cloid=CLOID))))
    blotter = bench.exchange.tape.blotter_of(bench.account)
    assert blotter.rows[blotter.cloids[CLOID]].status is Status.MIN_NOTIONAL_REJECTED


def test_cancel_by_id_and_client_id(bench: Bench, wire: Any) -> None:
    order = wire.order(bench.asset, buy=True, px="0.4", sz="100", cloid=CLOID)
    (placed,) = bench.statuses(bench.agent(wire.orders(order)))
    by_oid = {"type": "cancel", "cancels": [{"a": bench.asset, "o": placed["resting"]["oid"]}], "f": True}
    assert bench.statuses(bench.agent(by_oid)) == ["success"]
    by_cloid = {"type": "cancelByCloid", "cancels": [{"asset": bench.asset, "cloid": CLOID}]}
    missing = {"error": f"Order was never placed, already canceled, or filled. asset={bench.asset}"}
    assert bench.statuses(bench.agent(by_cloid)) == [missing]
    bench.send(bench.agent(wire.orders(order)))
    assert bench.statuses(bench.agent(by_cloid)) == ["success"]


def test_modify_and_batch_modify(bench: Bench, wire: Any) -> None:
    order = wire.order(bench.asset, buy=True, px="0.4", sz="100", cloid=CLOID)
    (placed,) = bench.statuses(bench.agent(wire.orders(order)))
    better = wire.order(bench.asset, buy=True, px="0.41", sz="100", cloid=CLOID)
    modify = {"type": "modify", "oid": placed["resting"]["oid"], "order": better}
    assert bench.send(bench.agent(modify)) == {"status": "ok", "response": {"type": "default"}}
    batch = {"type": "batchModify", "modifies": [{"oid": CLOID, "order": better}, {"oid": 7, "order": better}]}
    first, second = bench.statuses(bench.agent(batch))
    assert first["resting"]["oid"] > placed["resting"]["oid"]
    assert second == {"error": f"Cannot modify canceled or filled order asset={bench.asset}"}
    assert bench.send(bench.agent({"type": "modify", "oid": 7, "order": better}))["status"] == "err"
    assert bench.send(bench.agent(modify | {"order": order | {"p": "0.123456"}}))["response"].startswith("Price must")
    assert len(bench.exchange.tape.blotter_of(bench.account).open) == 1


def test_user_outcome(bench: Bench) -> None:
    split = {"type": "userOutcome", "splitOutcome": {"outcome": bench.outcome, "amount": "25"}}
    assert bench.send(bench.agent(split))["response"] == {"type": "default"}
    merge = {"type": "userOutcome", "mergeOutcome": {"outcome": bench.outcome, "amount": None}}
    assert bench.send(bench.agent(merge))["response"] == {"type": "default"}
    assert bench.account.quote == 10_000 * SCALE


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        ({"splitOutcome": {"outcome": -1, "amount": "10.5"}}, "Invalid input number"),
        ({"splitOutcome": {"outcome": -1, "amount": "0"}}, "Invalid input number"),
        ({"splitOutcome": {"outcome": -1, "amount": "10001"}}, "Outcome error: Insufficient quote token balance"),
        ({"mergeOutcome": {"outcome": -1, "amount": "1"}}, "Outcome error: Insufficient outcome token balance"),
        ({"mergeOutcome": {"outcome": 4, "amount": "1"}}, "Outcome error: Outcome does not exist"),
        ({"mergeQuestion": {"question": 1, "amount": None}}, "Outcome error: Question does not exist"),
        ({"negateOutcome": {"question": 1, "outcome": 1, "amount": "1"}}, "Outcome error: Question does not exist"),
    ],
)
def test_user_outcome_refusals(bench: Bench, operation: dict[str, dict[str, Any]], text: str) -> None:
    ((name, fields),) = operation.items()
    if fields.get("outcome") == -1:
        fields = fields | {"outcome": bench.outcome}
    reply = bench.send(bench.agent({"type": "userOutcome", name: fields}))
    assert reply == {"status": "err", "response": text}


def test_strangers_and_wrong_hashes_are_unknown(bench: Bench, signer: Any, wire: Any) -> None:
    action = wire.orders(wire.order(bench.asset, buy=True, px="0.4", sz="100"))
    stranger = signer("0x" + "7" * 64, ORIGIN // 10**6)
    assert bench.send(stranger(action))["response"].endswith("does not exist.")
    mainnet = bench.agent(action, source="a")
    assert bench.send(mainnet)["response"].startswith("User or API Wallet 0x")
    for hashed_but_not_typed in (
        {"type": "cancel", "cancels": [{"a": bench.asset, "o": 1}], "f": False},
        action | {"builder": None},
    ):
        assert bench.send(bench.agent(hashed_but_not_typed))["response"].endswith("does not exist.")


def test_key_order_and_padding_do_not_matter(bench: Bench, wire: Any) -> None:
    envelope = bench.agent(wire.orders(wire.order(bench.asset, buy=True, px="0.4", sz="100")))
    order = dict(reversed(list(envelope["action"]["orders"][0].items()))) | {"p": "0.40000", "s": "100.0"}
    envelope["action"] = {"grouping": "na", "orders": [order], "type": "order"}
    assert "resting" in bench.statuses(envelope)[0]


def test_unknown_vault(bench: Bench) -> None:
    reply = bench.send(bench.agent({"type": "noop"}, vault="0x" + "2" * 40))
    assert reply["response"] == "Vault not registered: 0x" + "2" * 40


def test_a_sub_account_is_its_masters_to_trade_and_nobody_elses(bench: Bench, signer: Any, wire: Any) -> None:
    keys, other = bench.venue.accounts[:2]
    accounts = bench.venue.exchange.accounts
    order = wire.orders(wire.order(bench.asset, buy=True, px="0.4", sz="100"))
    stranger = signer(other.agent_key, ORIGIN // 10**6)
    assert bench.send(stranger(order, vault=keys.sub_address))["response"].startswith("Vault not registered")
    assert "resting" in bench.statuses(bench.agent(order, vault=keys.sub_address))[0]
    blotters = {name: bench.venue.exchange.tape.blotter_of(accounts[name]) for name in (keys.address, keys.sub_address)}
    assert {name: len(blotter.open) for name, blotter in blotters.items()} == {keys.address: 0, keys.sub_address: 1}


def test_nonces_are_used_up_even_by_refused_actions(bench: Bench, wire: Any) -> None:
    nonce = ORIGIN // 10**6 + 77
    small = wire.orders(wire.order(bench.asset, buy=True, px="0.4", sz="5"))
    bench.send(bench.agent(small, nonce=nonce))
    assert bench.send(bench.agent({"type": "noop"}, nonce=nonce))["response"] == (
        f"Invalid nonce: duplicate nonce {nonce}"
    )


def test_noop_burns_the_nonce_of_an_order_still_on_its_way(bench: Bench, wire: Any) -> None:
    nonce, answers = ORIGIN // 10**6 + 99, []
    taker = wire.orders(wire.order(bench.asset, buy=True, px="0.4", sz="100", tif="Gtc"))
    bench.submit(bench.agent(taker, nonce=nonce), answers)
    bench.submit(bench.agent({"type": "noop"}, nonce=nonce), answers)
    bench.step()
    assert answers[0][0]["response"] == {"type": "default"}
    assert "duplicate nonce" in answers[1][0]["response"]


def test_expired_actions_cost_five(bench: Bench) -> None:
    before = bench.venue.gateway.budgets.used(bench.account)
    reply = bench.send(bench.agent({"type": "noop"}, expires=ORIGIN // 10**6))
    assert reply["response"] == "Action already expired"
    assert bench.venue.gateway.budgets.used(bench.account) == before + 5
    assert bench.send(bench.agent({"type": "noop"}, expires=ORIGIN // 10**6 + 60_000))["status"] == "ok"


def test_budget_counts_each_order_and_cancels_survive_longer(make_bench: Any, wire: Any) -> None:
    bench = make_bench(RulesConfig(address_budget=3, prior_volume_usd=0))
    order = wire.order(bench.asset, buy=True, px="0.4", sz="50", cloid=CLOID)
    bench.send(bench.agent(wire.orders(order, order, order)))
    assert bench.send(bench.agent(wire.orders(order)))["status"] == "ok"  # one per ten seconds
    refused = bench.send(bench.agent(wire.orders(order)))
    assert refused["response"].startswith("Too many cumulative requests sent (5 > 3)")
    cancel = {"type": "cancelByCloid", "cancels": [{"asset": bench.asset, "cloid": CLOID}]}
    assert bench.statuses(bench.agent(cancel)) == ["success"]


def test_leverage_and_other_small_actions(bench: Bench) -> None:
    leverage = {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 5}
    assert bench.send(bench.agent(leverage))["response"] == {"type": "default"}
    assert bench.account.perp.leverage == 5
    assert bench.send(bench.agent(leverage | {"leverage": 99}))["status"] == "err"
    assert bench.send(bench.agent(leverage | {"asset": 4}))["status"] == "err"
    assert "enough volume" in bench.send(bench.agent({"type": "scheduleCancel", "time": 1}))["response"]
    assert bench.send(bench.agent({"type": "order", "orders": [], "grouping": "na"}))["status"] == "err"
    assert bench.send(bench.agent({"type": "cancel", "cancels": []}))["status"] == "err"
    assert bench.send(bench.agent({"type": "batchModify", "modifies": []}))["status"] == "err"


def test_orders_that_outcomes_do_not_take(bench: Bench, wire: Any) -> None:
    order = wire.order(bench.asset, buy=True, px="0.4", sz="50")
    trigger = order | {"t": {"trigger": {"isMarket": True, "triggerPx": "0.5", "tpsl": "sl"}}}
    assert bench.statuses(bench.agent(wire.orders(trigger)))[0]["error"].startswith("Invalid TP/SL price.")
    assert bench.statuses(bench.agent(wire.orders(order | {"r": True})))[0]["error"].startswith("Reduce only")
    assert bench.statuses(bench.agent(wire.orders(order | {"a": 42})))[0]["error"] == "Invalid asset asset=42"
    priority = wire.orders(order) | {"grouping": {"p": 5}}
    assert bench.send(bench.agent(priority))["status"] == "err"
    builder = wire.orders(order) | {"builder": {"b": "0x" + "b" * 40, "f": 1}}
    assert bench.send(bench.agent(builder))["response"] == "Builder fee has not been approved"


def test_moving_quote_between_spot_and_perp(bench: Bench) -> None:
    transfer = {
        "type": "usdClassTransfer",
        "amount": "25.5",
        "toPerp": True,
        "nonce": ORIGIN // 10**6 + 5,
        "signatureChainId": "0x66eee",
        "hyperliquidChain": "Testnet",
    }
    assert bench.send(bench.master.user_signed(transfer))["status"] == "ok"
    assert bench.account.quote == 1_000_000_000_000 - 2_550_000_000
    assert bench.account.perp.raw == 1_000_000_000_000 + 2_550_000_000
    mainnet = transfer | {"hyperliquidChain": "Mainnet", "nonce": transfer["nonce"] + 1}
    assert bench.send(bench.master.user_signed(mainnet))["response"].startswith("Mainnet and testnet")
    by_agent = transfer | {"nonce": transfer["nonce"] + 2}
    assert bench.send(bench.agent.user_signed(by_agent))["response"].startswith("Must deposit before")
    send = {
        "type": "agentSendAsset",
        "destination": bench.me.address,
        "sourceDex": "",
        "destinationDex": "spot",
        "token": "USDC:0x6d1e7cde53ba9467b783cb7c530ce054",
        "amount": "25.5",
        "fromSubAccount": "",
        "nonce": 1,
    }
    assert bench.send(bench.agent(send))["status"] == "ok"
    assert bench.account.quote == 10_000 * SCALE
    assert bench.send(bench.agent(send | {"destination": bench.other.address}))["status"] == "err"
    assert bench.send(bench.agent(send | {"destinationDex": "xyz"}))["status"] == "err"
    assert bench.send(bench.agent(send | {"amount": "1000000"}))["status"] == "err"
    assert bench.exchange.audit() == []


def test_approving_an_agent(bench: Bench, signer: Any) -> None:
    key = "0x" + "5" * 64
    import coincurve

    from hlomm.sim.hl.signatures import address_of

    address = address_of(coincurve.PrivateKey(bytes.fromhex("5" * 64)).public_key)
    approve = {
        "type": "approveAgent",
        "agentAddress": address,
        "nonce": ORIGIN // 10**6 + 9,
        "signatureChainId": "0x66eee",
        "hyperliquidChain": "Testnet",
        "agentName": f"bot valid_until {ORIGIN // 10**6 + 5_000}",
    }
    assert bench.send(bench.master.user_signed(approve))["status"] == "ok"
    bot = signer(key, ORIGIN // 10**6)
    assert bench.send(bot({"type": "noop"}))["status"] == "ok"
    bench.step(6.0)
    assert bench.send(bot({"type": "noop"}))["response"] == f"User or API Wallet {address} does not exist."


# -- faults of the gateway


def test_a_lost_reply_still_carries_out_the_action(bench: Bench, wire: Any) -> None:
    bench.venue.faults.arm(FaultName.REPLY_LOST)
    answers: list[Any] = []
    bench.submit(bench.agent(wire.orders(wire.order(bench.asset, buy=True, px="0.4", sz="100"))), answers)
    bench.step()
    assert answers[0][0] is None
    assert len(bench.exchange.tape.blotter_of(bench.account).open) == 1
    assert bench.venue.faults.injected == {FaultName.REPLY_LOST: 1}


def test_delayed_replies_and_fills_before_replies(bench: Bench, wire: Any) -> None:
    noop, answers = {"type": "noop"}, []
    bench.venue.faults.arm(FaultName.REPLY_DELAYED, FaultArgs(delay_s=3.0))
    bench.submit(bench.agent(noop), answers)
    bench.step()
    assert answers[0][1] - ORIGIN > 3 * 10**9
    bench.venue.faults.arm(FaultName.FILL_BEFORE_REPLY, FaultArgs(delay_s=2.0))
    bench.send(bench.counter(wire.orders(wire.order(bench.asset + 1, buy=True, px="0.5", sz="50"))))
    assert FaultName.FILL_BEFORE_REPLY not in bench.venue.faults.injected  # resting orders are not concerned
    answers.clear()
    taker = wire.order(bench.asset, buy=True, px="0.5", sz="50", tif="Ioc")
    bench.submit(bench.agent(wire.orders(taker)), answers)
    sent = bench.now_ns
    bench.step(0.6)
    assert answers[0][1] - sent > 2 * 10**9


def test_refused_nonce_and_expired_agent(bench: Bench) -> None:
    bench.venue.faults.arm(FaultName.NONCE_REFUSED)
    assert "duplicate nonce" in bench.send(bench.agent({"type": "noop"}))["response"]
    assert bench.send(bench.agent({"type": "noop"}))["status"] == "ok"
    bench.venue.faults.arm(FaultName.AGENT_EXPIRED, FaultArgs(for_s=5.0))
    assert bench.send(bench.agent({"type": "noop"}))["response"].endswith("does not exist.")
    assert bench.send(bench.master({"type": "noop"}))["status"] == "ok"
    bench.step(6.0)
    assert bench.send(bench.agent({"type": "noop"}))["status"] == "ok"


def test_a_full_mempool_refuses_at_once(make_bench: Any) -> None:
    from hlomm.sim.config import BufferConfig

    bench = make_bench(buffers=attrs.evolve(BufferConfig(), mempool=16))
    answers: list[Any] = []
    for _ in range(17):
        bench.submit(bench.agent({"type": "noop"}), answers)
    assert [reply["status"] for reply, _ in answers] == ["err"]
    assert bench.venue.world.sequencer.refused == 1
