"""Background traders of the simulated Polymarket: makers with a lag of their own, noise, and the informed."""

from __future__ import annotations

import math
import random
from typing import Final

import attrs

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_S
from hlomm.sim.config import FlowConfig, PolymarketConfig
from hlomm.sim.digital import Digital
from hlomm.sim.flow_makers import typical_spread
from hlomm.sim.pm.chain import keccak
from hlomm.sim.pm.exchange import Exchange
from hlomm.sim.pm.fair import Fair
from hlomm.sim.pm.faults import PmFault, PmFaults
from hlomm.sim.pm.market import Market
from hlomm.sim.pm.matching import uuid_of
from hlomm.sim.pm.orders import Kind, NewOrder
from hlomm.sim.pm.refusals import Refused
from hlomm.sim.pm.units import CASH, WHOLE
from hlomm.sim.pm.wallets import Wallet
from hlomm.sim.slips import SlipConfig, Slips

_RICH: Final = 10**9 * CASH
_SHARE: Final = 100
_MERGE_AT: Final = 5_000 * _SHARE
_TOLERANCE: Final = 0.35
_REFRESH_NS: Final = 8 * NS_PER_S
_SIZE_SIGMA: Final = 1.0
_INFORMED_FRICTION: Final = 0.004


@attrs.define(eq=False)
class _Quotes:
    ids: list[str] = attrs.field(factory=list)
    anchor: float = -1.0
    at_ns: int = 0
    next_ns: int = 0


@attrs.define(eq=False)
class _Maker:
    wallet: Wallet
    owner: str
    width: float
    quotes: dict[int, _Quotes] = attrs.field(factory=dict)


class Flow:
    """Everybody but the clients. Draws from one stream, in the order of steps and markets."""

    def __init__(
        self,
        exchange: Exchange,
        fair: Fair,
        config: PolymarketConfig,
        style: FlowConfig,
        faults: PmFaults,
        slips: SlipConfig,
        seed: int,
        *,
        step_ns: int,
    ) -> None:
        self._exchange = exchange
        self._fair = fair
        self._config = config
        self._style = style
        self._faults = faults
        self._seed = seed
        self._rng = random.Random(f"{seed}/polymarket-flow")
        lag_s = config.maker_lag_s if config.dislocations else style.maker_lag_s
        self._lag = round(lag_s * NS_PER_S) // step_ns
        self._lead = round(style.informed_lead_s * NS_PER_S) // step_ns
        step_s = step_ns / NS_PER_S
        self._noise = min(config.noise_per_s * step_s, 1.0)
        self._informed = min(config.informed_per_s * step_s, 1.0)
        self._orders = 0
        slips = slips if config.dislocations else attrs.evolve(slips, per_hour=0.0)
        self._slips = Slips(random.Random(f"{seed}/polymarket-slips"), slips)
        self._makers = [
            _Maker(self._wallet(f"maker-{i}"), uuid_of(f"{seed}/maker-{i}"), 0.8 + 0.35 * i)
            for i in range(config.makers)
        ]
        self._crowd = [self._wallet(f"taker-{i}") for i in range(4)]
        self._sharp = self._wallet("informed")

    @property
    def lag(self) -> int:
        """Steps by which the makers are behind."""
        return self._lag

    def forget(self, number: int) -> None:
        self._slips.forget(number)
        for maker in self._makers:
            maker.quotes.pop(number, None)

    def act(self, market: Market, step: int, now_ns: int) -> None:
        """One step in one market that takes orders."""
        for maker in self._makers:
            quotes = maker.quotes.setdefault(market.number, _Quotes())
            if now_ns >= quotes.next_ns:
                quotes.next_ns = now_ns + round(self._rng.expovariate(1.0 / self._config.maker_reaction_s) * NS_PER_S)
                self._look(maker, quotes, market, self._believed(market, step, now_ns), now_ns)
        if self._rng.random() < self._noise:
            self._take_noise(market, self._believed(market, step, now_ns))
        if self._rng.random() < self._informed:
            self._take_informed(market, self._fair.of(market, step + self._lead, now_ns))

    def _believed(self, market: Market, step: int, now_ns: int) -> Digital:
        """What everybody but the informed holds it for worth."""
        fair = self._fair.of(market, step - self._lag, now_ns)
        p = fair.probability
        return Digital(min(max(p + self._slips.shift(market.number, p, now_ns), 0.0), 1.0), fair.one_second_sd)

    # -- makers

    def _look(self, maker: _Maker, quotes: _Quotes, market: Market, fair: Digital, now_ns: int) -> None:
        half = 0.5 * max(typical_spread(self._style, fair), 1.2 * market.tick / WHOLE) * maker.width
        blocked = self._blocked()
        missing = any(order_id not in self._exchange.open for order_id in quotes.ids)
        moved = abs(fair.probability - quotes.anchor) > _TOLERANCE * half
        if not (moved or missing or any(blocked) or now_ns - quotes.at_ns > _REFRESH_NS):
            return
        for order_id in quotes.ids:
            order = self._exchange.open.get(order_id)
            if order is not None:
                self._exchange.cancel(order)
        quotes.ids.clear()
        quotes.anchor, quotes.at_ns = fair.probability, now_ns
        self._merge(maker.wallet, market)
        for side, withheld in zip((Side.BUY, Side.SELL), blocked, strict=True):
            if not withheld:
                self._quote(maker, quotes, market, side, fair.probability, half)

    def _quote(self, maker: _Maker, quotes: _Quotes, market: Market, side: Side, centre: float, half: float) -> None:
        for level in range(self._style.levels):
            aim = (centre - side * half * (1.0 + 0.9 * level)) * WHOLE / market.tick
            ticks = (math.floor(aim) if side is Side.BUY else math.ceil(aim)) * market.tick
            opposite = market.book.best_ticks(Side(-side))
            if opposite is not None and (ticks - opposite) * side >= 0:
                ticks = opposite - side * market.tick
            if not market.tick <= ticks <= WHOLE - market.tick:
                return
            new = self._order(maker.wallet, maker.owner, market, side, ticks, Kind.GTC)
            if self._submit(maker.wallet, new):
                quotes.ids.append(new.id)

    def _blocked(self) -> tuple[bool, bool]:
        """Bids and asks withdrawn by a fault."""
        args = self._faults.take(PmFault.MAKERS_WITHDRAWN)
        return (False, False) if args is None else (args.side != "ask", args.side != "bid")

    def _merge(self, wallet: Wallet, market: Market) -> None:
        pairs = min(wallet.free_lots(market.number, leg) for leg in Leg)
        if pairs >= _MERGE_AT:
            self._exchange.bank.merge(wallet, market.number, pairs)

    # -- takers

    def _take_noise(self, market: Market, fair: Digital) -> None:
        rng = self._rng
        side = Side.BUY if rng.random() < 0.5 else Side.SELL
        touch = market.book.best_ticks(Side(-side))
        if touch is None:
            return
        patience = 0.9 * max(typical_spread(self._style, fair), market.tick / WHOLE)
        cost = (touch / WHOLE - fair.probability) * side
        if cost > 0.0 and rng.random() >= math.exp(-cost / patience):
            return
        wallet = self._crowd[rng.randrange(len(self._crowd))]
        self._submit(wallet, self._order(wallet, "", market, side, touch, Kind.FAK))

    def _take_informed(self, market: Market, future: Digital) -> None:
        edge = _INFORMED_FRICTION + 0.25 * typical_spread(self._style, future)
        for side in (Side.BUY, Side.SELL):
            touch = market.book.best_ticks(Side(-side))
            if touch is not None and (future.probability - touch / WHOLE) * side > edge:
                self._submit(self._sharp, self._order(self._sharp, "", market, side, touch, Kind.FAK))

    # -- orders

    def _order(self, wallet: Wallet, owner: str, market: Market, side: Side, ticks: int, kind: Kind) -> NewOrder:
        """An order on one side of the merged book: a sale if the tokens are there, else the dual buy."""
        shares = self._config.size_median * self._rng.lognormvariate(0.0, _SIZE_SIGMA)
        least = max(market.min_lots, -(-CASH // min(ticks, WHOLE - ticks)))
        lots = max(round(shares) * _SHARE, -(-least // _SHARE) * _SHARE)
        sold = Leg.NO if side is Side.BUY else Leg.YES
        sells = wallet.free_lots(market.number, sold) >= lots
        leg = sold if sells else Leg(1 - sold)
        self._orders += 1
        return NewOrder(
            id=f"0x{self._orders:064x}",
            number=market.number,
            leg=leg,
            side=Side.SELL if sells else Side.BUY,
            ticks=ticks if leg is Leg.YES else WHOLE - ticks,
            lots=lots,
            kind=kind,
            post_only=kind is Kind.GTC,
            owner=owner,
        )

    def _submit(self, wallet: Wallet, new: NewOrder) -> bool:
        """Place an order; what the venue refuses a background trader is of no consequence."""
        try:
            self._exchange.submit(wallet, new)
        except Refused:
            return False
        return True

    def _wallet(self, name: str) -> Wallet:
        address = "0x" + keccak(f"{self._seed}/polymarket/{name}".encode())[-20:].hex()
        return self._exchange.bank.open(Wallet(address=address, name=name, background=True), _RICH)
