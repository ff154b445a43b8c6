"""Everybody who is in the market besides the client: makers who see an old price, noise, and people who know better."""

from __future__ import annotations

import math
import random
from typing import Final

import attrs

from hlomm.domain.orders import Side, Tif
from hlomm.domain.units import SCALE
from hlomm.sim.config import SimConfig
from hlomm.sim.digital import Digital, digital
from hlomm.sim.faults import FaultName, Faults
from hlomm.sim.kalshi.accounts import Account, Order
from hlomm.sim.kalshi.contracts import CRYPTO_SHARD, Market, Phase
from hlomm.sim.kalshi.engine import Engine
from hlomm.sim.kalshi.exchange import Exchange
from hlomm.sim.kalshi.grid import WHOLE, to_grid
from hlomm.sim.kalshi.index import WINDOW_S, Index
from hlomm.sim.kalshi.orders import NewOrder, Reason, SelfTrade
from hlomm.sim.kalshi.refusals import Refused
from hlomm.sim.path import PricePath
from hlomm.sim.slips import Slips

_POCKETS: Final = 10**9 * SCALE
_NOISE_ACCOUNTS: Final = 3
_TOLERANCE: Final = 0.3
"""Move of fair value, in half spreads, that makes a maker replace its quotes."""
_REFRESH_NS: Final = 8_000_000_000
_SPREAD_MAX: Final = 0.40
_CERTAIN: Final = 0.006
"""Nobody offers what is that near to being decided."""


@attrs.define(eq=False)
class _Belief:
    """What the makers of one market hold true beyond the model, in standard deviations."""

    value: float = 0.0
    at_ns: int = 0


@attrs.define(eq=False)
class _Quotes:
    orders: list[Order] = attrs.field(factory=list)
    anchor: float = -1.0
    at_ns: int = 0
    look_ns: int = 0
    blocked: tuple[bool, bool] = (False, False)


@attrs.define(eq=False)
class _Maker:
    account: Account
    rng: random.Random
    width: float
    deep: bool
    quotes: dict[str, _Quotes] = attrs.field(factory=dict)


class Flow:
    """Background agents. They act through the engine, as clients do, before the clients of a step."""

    def __init__(
        self,
        exchange: Exchange,
        path: PricePath,
        index: Index,
        config: SimConfig,
        faults: Faults,
        seed: int,
        first: int,
    ) -> None:
        self._exchange = exchange
        self._engine: Engine = exchange.engines[CRYPTO_SHARD]
        self._path = path
        self._index = index
        self._config = config.kalshi.flow
        self._faults = faults
        self._first = first
        step_s = config.latency.block_ns / 1e9
        self._apart = apart = config.kalshi.dislocations
        # In agreement everybody sees what the other venue's makers see, as often, and prices its kind of contract.
        self._lag = round((self._config.maker_lag_s if apart else config.flow.maker_lag_s) / step_s)
        self._reaction_s = self._config.maker_reaction_s if apart else config.flow.maker_reaction_s
        self._bias_sd = self._config.bias_sd if apart else 0.0
        self._lead = round(self._config.informed_lead_s / step_s)
        self._noise_chance = min(self._config.noise_per_s * step_s, 1.0)
        self._informed_chance = min(self._config.informed_per_s * step_s, 1.0)
        self._beliefs: dict[str, _Belief] = {}
        slips = config.slips if apart else attrs.evolve(config.slips, per_hour=0.0)
        self._slips = Slips(random.Random(f"{seed}/kalshi/slips"), slips)

        def rng(name: str) -> random.Random:
            return random.Random(f"{seed}/kalshi/{name}")

        self._belief_rng, self._noise_rng, self._informed_rng = rng("beliefs"), rng("noise"), rng("informed")
        widths, count = rng("widths"), self._config.makers
        self._makers = [
            _Maker(
                self._account(f"maker-{index}"),
                rng(f"maker-{index}"),
                widths.uniform(1.0, 1.4),
                deep=count > 1 and index == count - 1,
            )
            for index in range(count)
        ]
        self._noise = [self._account(f"noise-{index}") for index in range(_NOISE_ACCOUNTS)]
        self._informed = self._account("informed")

    def act(self, step: int, now_ns: int, markets: list[Market]) -> None:
        """Let everybody look at every market that trades."""
        if self._engine.paused or self._engine.halted:
            return
        blocked = self._withdrawn()
        for market in markets:
            if market.strike is not None and market.phase is Phase.ACTIVE and now_ns < market.close_ns:
                self._quote(market, step, now_ns, blocked)
                self._trade(market, step, now_ns)

    def forget(self, ticker: str) -> None:
        self._beliefs.pop(ticker, None)
        self._slips.forget(ticker)
        for maker in self._makers:
            maker.quotes.pop(ticker, None)

    # -- value

    def fair(self, market: Market, step: int, now_ns: int) -> Digital:
        """Probability of YES for somebody who knows the price of a step and that an average of a minute decides.

        The average moves with a third of the variance over its window; what of it has been printed moves no more.
        With dislocations off nobody minds the average, and prices are those of a contract on the price at the close.
        """
        assert market.strike is not None
        tau_s = (market.close_ns - now_ns) / 1e9
        step = max(step, self._first)
        price, vol = self._path.price(step), self._path.mean_vol(step, max(tau_s, 0.0))
        if self._apart and tau_s >= WINDOW_S:
            vol *= math.sqrt((tau_s - WINDOW_S * 2.0 / 3.0) / tau_s)
        elif self._apart and tau_s > 0.0:
            printed = self._index.window(now_ns, max(int(WINDOW_S - tau_s), 1))
            done = 1.0 - tau_s / WINDOW_S
            fixed = sum(printed) / len(printed) / 100.0 if printed else price
            blend = done * fixed + (1.0 - done) * price
            price, vol = blend, vol * (1.0 - done) * math.sqrt(1.0 / 3.0) * price / blend
        return digital(price, market.strike / 100.0, vol, tau_s)

    def _believed(self, market: Market, step: int, now_ns: int) -> Digital:
        fair = self.fair(market, step - self._lag, now_ns)
        belief = self._beliefs.setdefault(market.ticker, _Belief(at_ns=now_ns))
        if self._bias_sd and now_ns > belief.at_ns:
            kept = math.exp(-(now_ns - belief.at_ns) / 1e9 / self._config.bias_s)
            belief.value = belief.value * kept + self._belief_rng.gauss(0.0, 1.0) * math.sqrt(1.0 - kept * kept)
            belief.at_ns = now_ns
        p = fair.probability
        shifted = p + belief.value * self._bias_sd * 4.0 * p * (1.0 - p) + self._slips.shift(market.ticker, p, now_ns)
        return Digital(min(max(shifted, 0.0), 1.0), fair.one_second_sd)

    def _spread(self, fair: Digital) -> float:
        p, config = fair.probability, self._config
        calm = config.tail_spread + (config.base_spread - config.tail_spread) * 4.0 * p * (1.0 - p)
        return min(calm + config.vol_spread * fair.one_second_sd, _SPREAD_MAX)

    # -- makers

    def _withdrawn(self) -> tuple[bool, bool]:
        args = self._faults.take(FaultName.MAKERS_WITHDRAWN)
        if args is None:
            return False, False
        return args.side in {"both", "bid"}, args.side in {"both", "ask"}

    def _quote(self, market: Market, step: int, now_ns: int, blocked: tuple[bool, bool]) -> None:
        fair: Digital | None = None
        for maker in self._makers:
            quotes = maker.quotes.setdefault(market.ticker, _Quotes())
            if now_ns < quotes.look_ns:
                continue
            quotes.look_ns = now_ns + int(maker.rng.expovariate(1.0 / self._reaction_s) * 1e9)
            if fair is None:
                fair = self._believed(market, step, now_ns)
            half = 0.5 * self._spread(fair) * maker.width
            moved = abs(fair.probability - quotes.anchor) > _TOLERANCE * half or quotes.blocked != blocked
            if moved or now_ns - quotes.at_ns > _REFRESH_NS or any(not order.live for order in quotes.orders):
                quotes.anchor, quotes.at_ns, quotes.blocked = fair.probability, now_ns, blocked
                self._requote(maker, market, quotes, fair.probability, half)

    def _requote(self, maker: _Maker, market: Market, quotes: _Quotes, p: float, half: float) -> None:
        for order in quotes.orders:
            if order.live:
                self._engine.withdraw(order, Reason.DECREASE)
        quotes.orders.clear()
        for side, blocked in zip((Side.BUY, Side.SELL), quotes.blocked, strict=True):
            certain = p > 1.0 - _CERTAIN if side is Side.SELL else p < _CERTAIN
            if not blocked and not certain:
                self._quote_side(maker, market, quotes, side, p, half)

    def _quote_side(self, maker: _Maker, market: Market, quotes: _Quotes, side: Side, p: float, half: float) -> None:
        last: int | None = None
        for level in range(self._config.levels):
            distance = half * (1.0 + level * (2.5 if maker.deep else 0.8)) * maker.rng.uniform(0.92, 1.08)
            raw = (p - side * distance) * WHOLE
            if not 0.0 < raw < WHOLE:
                return
            ticks = to_grid(market.structure, int(raw) + (side is Side.SELL), up=side is Side.SELL)
            opposite = market.book.best_ticks(Side(-side))
            if opposite is not None and (ticks - opposite) * side >= 0:
                ticks = to_grid(market.structure, opposite - side, up=side is Side.SELL)
            if ticks == last or market.book.crosses(side, ticks):
                continue
            last = ticks
            lots = self._lots(maker.rng, 4.0 if maker.deep else 1.5)
            order = self._place(
                maker.account, NewOrder(ticker=market.ticker, side=side, ticks=ticks, lots=lots, post_only=True)
            )
            if order is not None and order.live:
                quotes.orders.append(order)

    # -- takers

    def _trade(self, market: Market, step: int, now_ns: int) -> None:
        rng = self._noise_rng
        if rng.random() < self._noise_chance:
            self._noise_trade(market, self._believed(market, step, now_ns), rng)
        if self._informed_rng.random() < self._informed_chance:
            future_ns = now_ns + int(self._config.informed_lead_s * 1e9)
            self._informed_trade(market, self.fair(market, step + self._lead, future_ns))

    def _noise_trade(self, market: Market, fair: Digital, rng: random.Random) -> None:
        """Somebody who wants to be long or short, the sooner the better the price."""
        side = Side.BUY if rng.random() < 0.5 else Side.SELL
        touch = market.book.best_ticks(Side(-side))
        account = self._noise[rng.randrange(len(self._noise))]
        patience = 0.9 * self._spread(fair)
        if touch is None or rng.random() >= math.exp(-max((touch / WHOLE - fair.probability) * side, 0.0) / patience):
            return
        self._take(account, market, side, touch, self._lots(rng, 1.0))

    def _informed_trade(self, market: Market, future: Digital) -> None:
        """Somebody who sees fair value a moment ahead takes what is stale by more than the fee."""
        for side in Side:
            touch = market.book.best_ticks(Side(-side))
            if touch is None:
                continue
            price = touch / WHOLE
            if (future.probability - price) * side > 0.07 * price * (1.0 - price) + 0.2 * self._spread(future):
                self._take(self._informed, market, side, touch, self._lots(self._informed_rng, 1.0))
                return

    def _take(self, account: Account, market: Market, side: Side, ticks: int, lots: int) -> None:
        self._place(
            account,
            NewOrder(
                ticker=market.ticker,
                side=side,
                ticks=ticks,
                lots=lots,
                tif=Tif.IOC,
                self_trade=SelfTrade.MAKER,
            ),
        )

    # -- steps

    def _lots(self, rng: random.Random, scale: float) -> int:
        """A lognormal size; most are not whole contracts."""
        lots = max(round(self._config.size_median * 100 * scale * rng.lognormvariate(0.0, self._config.size_sigma)), 1)
        return lots if rng.random() < 0.62 else max(lots // 100 * 100, 100)

    def _place(self, account: Account, new: NewOrder) -> Order | None:
        try:
            return self._engine.place(account, new)
        except Refused:
            return None

    def _account(self, name: str) -> Account:
        return self._exchange.open_account(name, name, {CRYPTO_SHARD: _POCKETS}, background=True)
