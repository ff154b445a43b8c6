"""From a signed body to an answer: who signed it, whether it may run, and what the exchange said.

Checks run in the venue's order: schema (by the caller), signature, agent, nonce, expiry, static batch validation,
address budget, then each order. Everything after the schema happens inside a block, so a noop that was sent later but
sorts earlier can burn the nonce of an order still on its way.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from hlomm.domain.faults import UnitError
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import parse_unsigned
from hlomm.sim import refusals
from hlomm.sim.accounts import Account
from hlomm.sim.faults import FaultName
from hlomm.sim.hl import schema, signatures
from hlomm.sim.hl.actions import (
    DEFAULT,
    Actions,
    Reply,
    class_of,
    is_cancel,
    ok,
    refused,
    transfer,
    weight_of,
)
from hlomm.sim.hl.agents import VALIDITY_MAX_MS, Agent, Agents
from hlomm.sim.hl.envelope import Envelope
from hlomm.sim.hl.limits import Budgets, Nonces
from hlomm.sim.refusals import BatchRefused, WholeActionRefused
from hlomm.sim.sequencer import ActionClass, MempoolFull
from hlomm.sim.world import World

CHAIN: Final = "Testnet"
_EXPIRED_COST: Final = 5
_VALID_UNTIL: Final = " valid_until "

Answer = Callable[[Reply | None, int], None]
"""Takes the reply and the venue time at which it reaches the client; None for a reply that gets lost on the way."""


class Gateway:
    """One venue's entry for actions."""

    def __init__(self, world: World, agents: Agents, rng: random.Random) -> None:
        self._world = world
        self._exchange = world.exchange
        self._actions = Actions(world.exchange)
        self._agents = agents
        self._nonces = Nonces()
        self.budgets = Budgets(world.config.rules)
        self._rng = rng
        self._last_arrival: dict[ActionClass, int] = {}
        self.executed = 0

    def submit(self, envelope: Envelope, now_ns: int, answer: Answer) -> None:
        """Send an action on its way; `answer` is called when its block has run, or at once if none will take it."""
        klass = class_of(envelope.action)
        try:
            self._world.submit(self._arrival(klass, now_ns), klass, lambda: self._execute(envelope, answer))
        except MempoolFull:
            answer(refused(refusals.MEMPOOL_FULL), now_ns + self._reply_ns())

    def _arrival(self, klass: ActionClass, now_ns: int) -> int:
        """When the sequencer has it: latency jitters slowly, so actions of one class keep their order."""
        latency = self._world.config.latency
        delay_ms = latency.submit_ms + self._rng.uniform(0.0, latency.submit_jitter_ms)
        if klass is ActionClass.AGGRESSIVE:
            delay_ms += latency.taker_delay_ms
        arrival = max(now_ns + int(delay_ms * NS_PER_MS), self._last_arrival.get(klass, 0))
        self._last_arrival[klass] = arrival
        return arrival

    def _reply_ns(self) -> int:
        return int(self._world.config.latency.reply_ms * NS_PER_MS)

    def _execute(self, envelope: Envelope, answer: Answer) -> None:
        self.executed += 1
        try:
            reply = self._run(envelope)
        except WholeActionRefused as refusal:
            reply = refused(refusal.text)
        except BatchRefused as refusal:
            reply = ok({"type": "order", "data": {"statuses": [{"error": refusal.text}]}})
        faults = self._world.faults
        if faults.take(FaultName.REPLY_LOST) is not None:
            answer(None, self._exchange.tape.now_ns)
            return
        delay = self._reply_ns() + faults.delay_ns(FaultName.REPLY_DELAYED)
        if _has_fill(reply):
            delay += faults.delay_ns(FaultName.FILL_BEFORE_REPLY)
        answer(reply, self._exchange.tape.now_ns + delay)

    def _run(self, envelope: Envelope) -> Reply:
        action = envelope.action
        if isinstance(action, schema.UsdClassTransferAction | schema.ApproveAgentAction):
            return self._run_user_signed(envelope, action)
        signature = envelope.signature
        vault = None if envelope.vaultAddress is None else envelope.vaultAddress.lower()
        hashed = signatures.action_hash(action.canonical(), envelope.nonce, vault, envelope.expiresAfter)
        digest = signatures.l1_digest(hashed, signatures.SOURCE_TESTNET)
        signer = signatures.recover(digest, signature.r, signature.s, signature.v)
        account = self._account_of(signer)
        if vault is not None:
            if self._agents.sub_accounts.get(vault) != account.address:
                raise WholeActionRefused(refusals.vault_not_registered(vault))
            account = self._exchange.accounts[vault]
        self._use_nonce(signer, envelope.nonce)
        now_ns = self._exchange.tape.now_ns
        weight = weight_of(action)
        if envelope.expiresAfter is not None and envelope.expiresAfter < now_ns // NS_PER_MS:
            self.budgets.charge(account, _EXPIRED_COST * weight)
            raise WholeActionRefused(refusals.ACTION_EXPIRED)
        run = self._actions.prepare(action)
        self.budgets.admit(account, weight, now_ns, cancels=is_cancel(action))
        return run(account)

    def _account_of(self, signer: str) -> Account:
        """The account a signer acts for; WholeActionRefused for a stranger or an expired agent."""
        now_ms = self._exchange.tape.now_ms
        master = self._agents.master_of(signer, now_ms)
        expired = master is not None and self._world.faults.take(FaultName.AGENT_EXPIRED) is not None
        account = self._exchange.accounts.get(signer if master is None else master)
        if account is None or expired or account.background:
            raise WholeActionRefused(refusals.unknown_signer(signer))
        return account

    def _use_nonce(self, signer: str, nonce: int) -> None:
        if self._world.faults.take(FaultName.NONCE_REFUSED) is not None:
            raise WholeActionRefused(refusals.nonce_duplicate(nonce))
        self._nonces.use(signer, nonce, self._exchange.tape.now_ms)

    # -- user-signed actions

    def _run_user_signed(
        self, envelope: Envelope, action: schema.UsdClassTransferAction | schema.ApproveAgentAction
    ) -> Reply:
        account = self._user_of(envelope, action)
        if action.nonce != envelope.nonce:
            raise WholeActionRefused(refusals.nonce_low(action.nonce, envelope.nonce))
        self._use_nonce(account.address, envelope.nonce)
        if isinstance(action, schema.UsdClassTransferAction):
            transfer(self._exchange, account, _amount(action.amount), to_perp=action.toPerp)
        else:
            self._approve(account, action)
        return DEFAULT

    def _user_of(
        self, envelope: Envelope, action: schema.UsdClassTransferAction | schema.ApproveAgentAction
    ) -> Account:
        if action.hyperliquidChain != CHAIN:
            raise WholeActionRefused(refusals.WRONG_NETWORK)
        message: dict[str, Any] = {name: getattr(action, name) for name in action.__struct_fields__}
        if message.get("agentName", "") is None:
            message["agentName"] = ""  # signed as empty, then dropped before posting
        primary, fields = signatures.USER_SIGNED[_tag(action)]
        try:
            digest = signatures.user_digest(primary, fields, message, int(action.signatureChainId, 16))
        except (ValueError, OverflowError):
            raise WholeActionRefused(refusals.UNRECOVERABLE) from None
        signature = envelope.signature
        signer = signatures.recover(digest, signature.r, signature.s, signature.v)
        account = self._exchange.accounts.get(signer)
        if account is None or account.background:
            raise WholeActionRefused(refusals.must_deposit(signer))
        return account

    def _approve(self, account: Account, action: schema.ApproveAgentAction) -> None:
        now_ms = self._exchange.tape.now_ms
        name, _, until = (action.agentName or "").partition(_VALID_UNTIL)
        valid_until_ms = int(until) if until.isdecimal() else now_ms + VALIDITY_MAX_MS
        agent = Agent(
            master=account.address,
            address=action.agentAddress.lower(),
            name=name,
            valid_until_ms=min(valid_until_ms, now_ms + VALIDITY_MAX_MS),
        )
        if not self._agents.approve(agent):
            raise WholeActionRefused(refusals.EXTRA_AGENT)


def _tag(action: schema.UsdClassTransferAction | schema.ApproveAgentAction) -> str:
    tag = action.__struct_config__.tag
    assert isinstance(tag, str)
    return tag


def _amount(text: str) -> int:
    try:
        return parse_unsigned(text)
    except UnitError:
        raise WholeActionRefused(refusals.TRANSFER_BALANCE) from None


def _has_fill(reply: Reply) -> bool:
    response = reply["response"]
    if not isinstance(response, dict) or "data" not in response:
        return False
    return any("filled" in status for status in response["data"]["statuses"] if isinstance(status, dict))
