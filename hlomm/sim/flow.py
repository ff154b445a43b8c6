"""Everybody who is in the market besides the client, acting once per block through the exchange."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Final

from hlomm.domain.orders import Tif
from hlomm.domain.units import SCALE
from hlomm.sim.accounts import Account
from hlomm.sim.average import MarkAverage
from hlomm.sim.board import QuestionSpec
from hlomm.sim.config import SimConfig
from hlomm.sim.contracts import period_ns
from hlomm.sim.digital import Digital
from hlomm.sim.exchange import Exchange
from hlomm.sim.faults import FaultName, Faults
from hlomm.sim.flow_buckets import FALLBACK_FAIR, BucketMoods
from hlomm.sim.flow_fair import FairValues
from hlomm.sim.flow_makers import Look, OutcomeMaker
from hlomm.sim.flow_perp import PerpMakers, PerpTakers
from hlomm.sim.flow_takers import InformedTakers, NoiseTakers
from hlomm.sim.orders import NewOrder
from hlomm.sim.outcome_market import OutcomeMarket
from hlomm.sim.path import PricePath
from hlomm.sim.sequencer import ActionClass, Sequencer

_POCKETS: Final = 10**10 * SCALE
_NOISE_ACCOUNTS: Final = 3


class Flow:
    """Background agents and their schedule. Quotes are passive actions, takers aggressive ones."""

    def __init__(
        self, exchange: Exchange, path: PricePath, average: MarkAverage, config: SimConfig, faults: Faults, seed: int
    ) -> None:
        self._exchange = exchange
        self._path = path
        self._fair = FairValues(path, average)
        self._faults = faults
        flow, self._block_ns = config.flow, config.latency.block_ns
        block_s = self._block_ns / 1e9
        self._lag = round(flow.maker_lag_s / block_s)
        self._lead = round(flow.informed_lead_s / block_s)

        def rng(name: str) -> random.Random:
            return random.Random(f"{seed}/{name}")

        widths = rng("widths")
        self._makers = [
            OutcomeMaker(
                self._account(f"maker-{index}"),
                rng(f"maker-{index}"),
                flow,
                width=widths.uniform(1.0, 1.35),
                deep=index == flow.makers - 1 and flow.makers > 1,
            )
            for index in range(flow.makers)
        ]
        noise = [self._account(f"noise-{index}") for index in range(_NOISE_ACCOUNTS)]
        self._noise = NoiseTakers(noise, rng("noise"), flow, block_s=block_s)
        self._informed = InformedTakers(self._account("informed"), rng("informed"), flow, block_s=block_s)
        self._moods = BucketMoods(rng("buckets"), flow)
        self._perp_makers = PerpMakers(self._account("perp-maker"), self._account("perp-arb"), rng("perp-maker"))
        self._perp_takers = PerpTakers(self._account("perp-taker"), rng("perp-taker"), flow, block_s=block_s)

    def act(self, step: int, now_ns: int, sequencer: Sequencer) -> None:
        """Let every agent look at the market and queue what it wants to do in this block."""
        blocked, perp_blocked = self._withdrawn()

        def passive(run: Callable[[], None]) -> None:
            sequencer.submit(now_ns, ActionClass.PASSIVE, run)

        price = self._path.price(step)
        if self._perp_makers.due():
            passive(lambda: self._perp_makers.follow(self._exchange, price, perp_blocked))
        self._take(now_ns, sequencer, self._perp_takers.order(self._exchange))
        for question in self._exchange.questions.values():
            self._moods.move(question, now_ns, partial(self._contested, question, step, now_ns))
        for market in list(self._exchange.outcomes.values()):
            if now_ns < market.spec.expiry_ns:
                self._quote(market, step, now_ns, blocked, passive)
                self._trade(market, step, now_ns, sequencer)
            else:
                # Nobody quotes a contract whose outcome is known and not yet settled.
                self._leave(market, passive)

    def forget(self, outcome: int) -> None:
        for maker in self._makers:
            maker.forget(outcome)
        self._moods.forget(self._exchange.questions)

    def _seen(self, market: OutcomeMarket, step: int, now_ns: int) -> tuple[Digital, float]:
        """Fair value as makers see it, and what they add to the spread: legs of a question have moods."""
        fair, spec = self._fair.of(market.spec, step - self._lag, now_ns), market.spec
        if spec.question is None:
            return fair, 0.0
        guess = FALLBACK_FAIR if spec.fallback else fair.probability
        guess += self._moods.shift(spec.question, spec.outcome)
        seen = Digital(min(max(guess, 0.0), 1.0), fair.one_second_sd)
        return seen, self._moods.extra_spread(spec.question)

    def _contested(self, question: QuestionSpec, step: int, now_ns: int) -> int:
        """The outcome of a question whose fair value is nearest to one half."""
        markets = [self._exchange.outcomes[outcome] for outcome in question.live]
        return min(markets, key=lambda m: abs(self._fair.of(m.spec, step - self._lag, now_ns).probability - 0.5)).number

    def _withdrawn(self) -> tuple[tuple[bool, bool], tuple[bool, bool]]:
        """(bids, asks) that makers leave by a fault, in outcomes and in the perp."""
        args = self._faults.take(FaultName.MAKERS_WITHDRAWN)
        if args is None:
            return (False, False), (False, False)
        sides = (args.side in {"both", "bid"}, args.side in {"both", "ask"})
        none = (False, False)
        return (none if args.market == "perp" else sides), (none if args.market == "outcome" else sides)

    def _quote(
        self,
        market: OutcomeMarket,
        step: int,
        now_ns: int,
        blocked: tuple[bool, bool],
        passive: Callable[[Callable[[], None]], None],
    ) -> None:
        look: Look | None = None
        for maker in self._makers:
            if not maker.due(market.number, now_ns):
                continue
            if look is None:
                fair, extra = self._seen(market, step, now_ns)
                look = Look(
                    fair=fair,
                    extra=extra,
                    tau_s=(market.spec.expiry_ns - now_ns) / 1e9,
                    life_s=period_ns(market.spec.period) / 1e9,
                    blocked=blocked,
                )
            if maker.wants(self._exchange, market.number, look, now_ns):
                passive(_requote(maker, self._exchange, market, look))

    def _leave(self, market: OutcomeMarket, passive: Callable[[Callable[[], None]], None]) -> None:
        gone = Look(fair=Digital(0.5, 0.0), tau_s=0.0, life_s=1.0, blocked=(True, True))
        for maker in self._makers:
            if maker.quotes(market.number):
                passive(_requote(maker, self._exchange, market, gone))

    def _trade(self, market: OutcomeMarket, step: int, now_ns: int, sequencer: Sequencer) -> None:
        # Noise takers look at the same slightly old price as the makers: they know nothing the quotes do not.
        fair, _ = self._seen(market, step, now_ns)
        self._take(now_ns, sequencer, self._noise.order(market, fair))
        if market.spec.question is not None and self._moods.dislocated(market.spec.question):
            return  # nobody who knows better looks at these legs now
        future_ns = now_ns + self._lead * self._block_ns
        future = self._fair.of(market.spec, step + self._lead, future_ns)
        self._take(now_ns, sequencer, self._informed.order(market, future))

    def _take(self, now_ns: int, sequencer: Sequencer, order: tuple[Account, NewOrder] | None) -> None:
        if order is None:
            return
        account, new = order
        assert new.tif is Tif.IOC
        sequencer.submit(now_ns, ActionClass.AGGRESSIVE, lambda: self._place(account, new))

    def _place(self, account: Account, new: NewOrder) -> None:
        self._exchange.place(account, new)

    def _account(self, name: str) -> Account:
        """A background account with an address that needs no key."""
        address = f"0x{name.encode().hex():0<40.40}"
        return self._exchange.open_account(address, name, spot=_POCKETS, perp=_POCKETS, background=True)


def _requote(maker: OutcomeMaker, exchange: Exchange, market: OutcomeMarket, look: Look) -> Callable[[], None]:
    return lambda: maker.requote(exchange, market, look)
