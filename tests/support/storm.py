"""A whole engine, built as the daemon builds it, in weather made of numbers.

A storm is a list of (kind, a, b): each becomes one input (or a span of time), the same for the same numbers. Plausible
weather comes from a venue that knows the truth and carries out what the engine sends; hostile weather is everything a
confused venue might say: unknown ids, fills nobody ordered, ends before beginnings, prices at the edges. Nothing here
is impossible by contract (a market never settles at two prices, the boot comes first and once).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from hlomm.assembly.engine import build_engine
from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import HYPERLIQUID, ClientId, MarketId, VenueOrderId, outcome_market
from hlomm.domain.inputs import (
    AccountState,
    AmendFailed,
    BboUpdate,
    BookSnapshot,
    Booted,
    CancelFailed,
    ClockSkew,
    ConversionFailed,
    DeadmanArmed,
    FeeRates,
    FillReceived,
    FundingPaid,
    Input,
    JournalFailed,
    MarketDelisted,
    MarketListed,
    MarketSettled,
    MarkPrice,
    OperatorAction,
    OperatorCommand,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    PerpBalance,
    RateBudget,
    SendLost,
    SendRefused,
    SentAction,
    SessionDown,
    SessionUp,
    StopRequested,
    TokenBalance,
    TradePrint,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.outputs import ConvertSet, Output
from hlomm.domain.sets import SetAction
from hlomm.domain.times import Now
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.engine.core import Engine
from hlomm.settings.load import engine_settings, load
from tests.support.values import (
    EPOCH_MS,
    PERP,
    START,
    account,
    earlier_run_id,
    lots,
    outcome,
    perp,
    px,
    resting,
    seconds,
)
from tests.support.venue import TruthVenue

Step = tuple[int, int, int]
Turn = tuple[Now, Input | None, list[Output], int]
"""Clock reading, the input fed before the turn (None for a deadline), what came out, the digest after it."""

SPANS: Final = (0.01, 0.05, 0.1, 0.3, 0.7, 1.0, 1.6, 3.5, 7.0, 13.0, 60.0)


def settings_json(*sets: str) -> str:
    """What the boot record carries: the engine's part of the sim profile."""
    return load("sim", sets=sets, environ={}).engine_json()


STEADY: Final = ("breakers.daily_loss=1000000", "breakers.equity_stop=1", "breakers.drawdown_share=1")
"""Windfalls and foreign sales lose more than a day may: nothing would be seen of what comes after."""


class Storm:
    def __init__(self, *sets: str, look: Callable[[Engine], None] | None = None) -> None:
        self.config = settings_json(*STEADY, *sets)
        self.engine = build_engine(engine_settings(self.config))
        self.now = START
        self.venue = TruthVenue()
        self.record: list[Turn] = []
        self.look = look
        self.seen: list[Input] = []
        self.placed: list[ClientId] = [earlier_run_id(7)]
        self.keys = 0
        self.converted = 0
        self.newest = 15

    # -- driving

    def boot(self, *, tokens: tuple[TokenBalance, ...] = ()) -> Storm:
        self.feed(Booted(epoch_ms=EPOCH_MS, profile="sim", version="0", config=self.config, halted=None))
        self.feed(account(10_000, tokens))
        self.feed(MarketListed(perp()))
        self.feed(MarketListed(outcome(15, tau_s=900.0, period="15m")))
        self.feed(SessionUp(HYPERLIQUID))
        self.feed(MarkPrice(PERP, px(80_010), self.ms))
        self.feed(BookSnapshot(outcome_market(HYPERLIQUID, 15), *self._book(40, 20), self.ms))
        return self

    def run(self, steps: Iterable[Step]) -> Storm:
        for kind, a, b in steps:
            KINDS[kind % len(KINDS)](self, a, b)
        return self

    @property
    def ms(self) -> int:
        return self.now.wall_ms

    def feed(self, item: Input) -> None:
        self.seen.append(item)
        self.engine.feed(item, self.now)
        self._turn(item)

    def _turn(self, item: Input | None) -> None:
        outputs = self.engine.turn(self.now)
        self.record.append((self.now, item, outputs, self.engine.digest()))
        self.venue.send(outputs, self.now.mono_ns)
        self.placed += [flight.request.client_id for flight in self.venue.in_flight[-3:]]
        for output in outputs:
            if isinstance(output, ConvertSet):
                self._convert(output)
        if self.look is not None:
            self.look(self.engine)

    def wait(self, span_s: float) -> None:
        """With a turn at every deadline, as the daemon's timer would have it."""
        until = self.now.mono_ns + seconds(span_s)
        while (deadline := self.engine.next_deadline()) is not None and deadline < until:
            self.now = Now(deadline, self.now.wall_ns + deadline - self.now.mono_ns)
            self._turn(None)
        self.now = Now(until, self.now.wall_ns + until - self.now.mono_ns)
        self.venue.grow_old(self.now.mono_ns)
        self._turn(None)

    # -- material

    def market(self, a: int) -> MarketId:
        """One of the last few markets listed, or the one to come; the newest are the likeliest."""
        return outcome_market(HYPERLIQUID, max(self.newest + 1 - a % 11 % 6, 15))

    def client(self, a: int) -> ClientId:
        return self.placed[a % len(self.placed)] if a % 11 else ClientId(f"0x686c{a % 7:028x}")

    def _book(self, a: int, b: int) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        bid = 1 + a % 98
        ask = max(bid - 2 + b % 30, 1)
        bids = tuple((Px((bid - n) * SCALE // 100), lots(20 + 7 * n + a % 90)) for n in range(a % 4) if bid - n > 0)
        asks = tuple((Px((ask + n) * SCALE // 100), lots(10 + 5 * n + b % 90)) for n in range(b % 4) if ask + n < 100)
        return bids, asks

    def settlement(self, market: MarketId) -> Px:
        """What a market pays is written in its name."""
        return Px((0, SCALE, SCALE, SCALE // 2)[int(market.rpartition("o")[2]) % 4])

    def key(self) -> str:
        self.keys += 1
        return f"storm-{self.keys}"

    def _convert(self, output: ConvertSet) -> None:
        """Done and told whole, done and told part by part, or refused."""
        self.converted += 1
        if self.converted % 3 == 0:
            self.feed(ConversionFailed(action=output.action, market=output.market, text="Outcome error"))
            return
        parts = self._parts(output)
        if self.converted % 3 == 1:
            self.feed(FillReceived(parts[0].fill, tuple(part.fill for part in parts[1:])))
        else:
            for part in parts:
                self.feed(part)

    def _parts(self, output: ConvertSet) -> list[FillReceived]:
        kind, market, qty = FillKind(output.action.value), output.market, output.qty
        known = self.engine.state.markets.values()
        outcomes = [one.market for one in known if one.market.question == output.question is not None]
        match output.action:
            case SetAction.SPLIT | SetAction.MERGE:
                side = Side.BUY if output.action is SetAction.SPLIT else Side.SELL
                return [self.fill(market, leg, side, SCALE // 2, qty, kind) for leg in Leg]
            case SetAction.NEGATE:
                others = [one.id for one in outcomes if one.id != market]
                came = [self.fill(one, Leg.YES, Side.BUY, 0, qty, kind) for one in others]
                return [self.fill(market, Leg.NO, Side.SELL, 0, qty, kind), *came]
            case SetAction.MERGE_QUESTION:
                pays = [(one.id, SCALE if one.fallback else 0) for one in outcomes]
                return [self.fill(one, Leg.YES, Side.SELL, px, qty, kind) for one, px in pays]

    def fill(
        self, market: MarketId, leg: Leg, side: Side, own_px: int, qty: int, kind: FillKind = FillKind.TRADE
    ) -> FillReceived:
        return FillReceived(
            Fill(
                key=self.key(), market=market, leg=leg, side=side, px=Px(own_px), qty=Qty(qty),
                fee=Cash(qty * own_px // SCALE // 1_000), kind=kind, maker=False, client_id=None, venue_order_id=None,
                venue_ms=self.ms,
            )
        )  # fmt: skip


# -- plausible weather


def _time(storm: Storm, a: int, b: int) -> None:
    storm.wait(SPANS[a % len(SPANS)])


def _moment(storm: Storm, a: int, b: int) -> None:
    storm.wait(SPANS[a % 5])


def _depth(storm: Storm, a: int, b: int) -> None:
    storm.feed(BookSnapshot(storm.market(a), *storm._book(a // 7, b), storm.ms - b % 3 * 40))


def _fair_depth(storm: Storm, a: int, b: int) -> None:
    """A book as a healthy market has it."""
    mid = 20 + a % 60
    bids = tuple((Px((mid - 1 - n) * SCALE // 100), lots(100 + b % 300)) for n in range(5))
    asks = tuple((Px((mid + 1 + n) * SCALE // 100), lots(100 + a % 300)) for n in range(5))
    storm.feed(BookSnapshot(storm.market(1 + b % 2), bids, asks, storm.ms))


def _touch(storm: Storm, a: int, b: int) -> None:
    bids, asks = storm._book(a // 5, b)
    storm.feed(BboUpdate(storm.market(a), bids[0] if bids else None, asks[0] if asks else None, storm.ms - b % 2 * 30))


def _perp_touch(storm: Storm, a: int, b: int) -> None:
    mid = 79_700 * SCALE + a % 60_000 * SCALE // 100  # within what the breakers take for ordinary
    bid, ask = (Px(mid), lots(1 + b % 9)), (Px(mid + SCALE), lots(1 + a % 9))
    storm.feed(BboUpdate(PERP, bid if b % 13 else None, ask if a % 13 else None, storm.ms))


def _mark(storm: Storm, a: int, b: int) -> None:
    storm.feed(MarkPrice(PERP, Px(79_000 * SCALE + a % 200_000 * SCALE // 100 if b % 29 else 0), storm.ms))


def _print(storm: Storm, a: int, b: int) -> None:
    storm.feed(TradePrint(storm.market(a), Px(SCALE // 2), lots(1 + b % 50), Side.BUY, f"{a}", storm.ms))


def _list(storm: Storm, a: int, b: int) -> None:
    """The next contract of the series; now and then one that is or was there already."""
    if a % 4:
        storm.newest += 1
    number = storm.newest - (0 if a % 5 else a % 9)
    storm.feed(MarketListed(outcome(max(number, 15), tau_s=float(30 + b % 4_000), period="15m", start=storm.now)))


def _arrive(storm: Storm, a: int, b: int) -> None:
    for _ in range(1 + b % 3):
        if storm.venue.in_flight:
            flights = storm.venue.in_flight
            storm.venue.arrive(flights[a % len(flights)], storm.now.mono_ns, whim=a % 40)


def _hear(storm: Storm, a: int, b: int) -> None:
    for _ in range(1 + b % 4):
        letters = storm.venue.undelivered()
        if letters:
            letter = letters[a % len(letters) if b % 5 == 0 else 0]
            letter.told += 1
            storm.feed(letter.item)


def _serve(storm: Storm, a: int, b: int) -> None:
    """The venue at its best: everything arrives, everything is answered."""
    for _ in range(4):
        _arrive(storm, a * 40, 2)
        _hear(storm, a, 3)


def _match(storm: Storm, a: int, b: int) -> None:
    rests = [rest for rest in storm.venue.by_oid.values() if rest.open]
    if rests:
        rest = rests[a % len(rests)]
        storm.venue.match(rest, max(rest.leaves * (1 + b % 4) // 4 // SCALE * SCALE, min(rest.leaves, SCALE)))


def _settle(storm: Storm, a: int, b: int) -> None:
    market = storm.market(a)
    for rest in storm.venue.by_oid.values():
        if rest.open and rest.market == market:
            storm.venue.withdraw(rest)
    storm.feed(MarketSettled(market, storm.settlement(market), "price:80000"))


def _agree(storm: Storm, a: int, b: int) -> None:
    """The account as we believe it is."""
    books = storm.engine.state.portfolio
    tokens = tuple(
        TokenBalance(market, leg, position.held(leg), Cash(0))
        for market, position in books.positions.items()
        for leg in Leg
        if position.held(leg)
    )
    orders = tuple(
        resting(rest.client_id, oid=rest.oid, number=1, leg=rest.leg, side=rest.side, market=rest.market)
        for rest in storm.venue.by_oid.values()
        if rest.open
    )
    storm.feed(
        AccountState(
            venue=HYPERLIQUID, cash=Cash(books.cash), tokens=tokens, orders=orders, asked_mono_ns=storm.now.mono_ns,
            perps=_perps(storm), perp_cash=Cash(books.perps.raw),
        )
    )  # fmt: skip


def _perps(storm: Storm) -> tuple[PerpBalance, ...]:
    held = storm.engine.state.portfolio.perps.positions
    return tuple(PerpBalance(market, Qty(perp.qty), Cash(perp.cost)) for market, perp in held.items() if perp.qty)


def _budget(storm: Storm, a: int, b: int) -> None:
    storm.feed(RateBudget(HYPERLIQUID, used=10_000 - (50_000, 2_000, 300, 0)[a % 4], cap=10_000))


def _fees(storm: Storm, a: int, b: int) -> None:
    storm.feed(
        FeeRates(
            venue=HYPERLIQUID, open_maker=0, open_taker=0, close_maker=a % 100_000, close_taker=b % 200_000, settle=0
        )
    )


# -- hostile weather


def _flap(storm: Storm, a: int, b: int) -> None:
    storm.feed(SessionDown(HYPERLIQUID, "storm", rest=bool(a % 2)))
    if b % 3:
        storm.feed(SessionUp(HYPERLIQUID))


def _up(storm: Storm, a: int, b: int) -> None:
    storm.feed(SessionUp(HYPERLIQUID))


def _operator(storm: Storm, a: int, b: int) -> None:
    actions = list(OperatorAction) + [OperatorAction.RESUME] * 3
    target = "avellaneda" if b % 3 else "nobody"
    storm.feed(OperatorCommand(action=actions[a % len(actions)], actor="storm", reason="x" * (b % 3), target=target))


def _resume(storm: Storm, a: int, b: int) -> None:
    storm.feed(SessionUp(HYPERLIQUID))
    storm.feed(OperatorCommand(action=OperatorAction.RESUME, actor="storm"))
    storm.feed(OperatorCommand(action=OperatorAction.UNPAUSE, actor="storm", target="avellaneda"))


def _rare(storm: Storm, a: int, b: int) -> None:
    """What ends a run is kept rare, or nothing else would be seen."""
    if a % 400 == 0:
        storm.feed(StopRequested("storm", flatten=bool(b % 2)))
    elif a % 400 == 1:
        storm.feed(JournalFailed("storm"))
    elif a % 400 < 8:
        storm.feed(MarkPrice(PERP, Px(84_000 * SCALE), storm.ms))  # far enough to pause for a quarter of an hour
    elif a % 400 < 40:
        storm.feed(DeadmanArmed(HYPERLIQUID, storm.ms + 20_000 * (b % 3) if b % 4 else 0))
    else:
        storm.feed(ClockSkew(HYPERLIQUID, (0, 100, -100, 5_000)[b % 4]))


def _lose(storm: Storm, a: int, b: int) -> None:
    if storm.venue.in_flight:
        flight = storm.venue.in_flight[a % len(storm.venue.in_flight)]
        (storm.venue.lose if b % 2 else storm.venue.turn_back)(flight)


def _repeat(storm: Storm, a: int, b: int) -> None:
    """The venue says again what it has said before (never a boot, a listing's end or an account)."""
    again = [
        item
        for item in storm.seen[-60:]
        if not isinstance(item, Booted | StopRequested | JournalFailed | AccountState | SessionUp | MarketListed)
    ]
    if again:
        storm.feed(again[a % len(again)])


def _stranger(storm: Storm, a: int, b: int) -> None:
    """News of orders that may be ours, finished, forgotten or never heard of."""
    client, oid = storm.client(a), VenueOrderId(str(b % 40))
    qty = lots(b % 60)
    news: list[Input] = [
        OrderOpened(client_id=client, venue_order_id=oid, leaves=None if b % 2 else qty, venue_ms=storm.ms),
        OrderClosed(client_id=client, venue_order_id=oid, status="canceled", filled=qty, venue_ms=storm.ms),
        OrderClosed(client_id=client, venue_order_id=None, status="filled", filled=None, venue_ms=storm.ms),
        OrderRejected(client_id=client, code="Tick", text="storm"),
        AmendFailed(client_id=client, code="ModifyDead", text="storm"),
        CancelFailed(client_id=client, code="MissingOrder", text="storm"),
        SendLost((client,), SentAction(("place", "amend", "cancel")[b % 3]), "storm"),
        SendRefused((client,), SentAction(("place", "amend", "cancel")[b % 3]), "storm"),
        OrderAnswer(
            client_id=client, found=bool(b % 3), open=bool(b % 2), status="open" if b % 2 else "canceled",
            venue_order_id=oid if b % 5 else None, leaves=qty, filled=lots(a % 20), px=px("0.5") if a % 2 else None,
        ),
    ]  # fmt: skip
    storm.feed(news[a // 3 % len(news)])


def _windfall(storm: Storm, a: int, b: int) -> None:
    """Tokens out of nowhere: a trade of somebody with our key, a split, a sale of what we do not have."""
    market, leg, side = storm.market(a), Leg(a % 2), Side.BUY if b % 3 else Side.SELL
    if a % 7 == 0:
        number = lots(1) * (1 + b % 20) // 1_000
        storm.feed(storm.fill(PERP, Leg.YES, Side.BUY if b % 2 else Side.SELL, (79_000 + b % 2_000) * SCALE, number))
        storm.feed(FundingPaid(market=PERP, amount=Cash(b % 101 - 50), key=f"funding:{b % 9}", venue_ms=storm.ms))
    elif a % 5 == 0:
        for one in Leg:
            storm.feed(storm.fill(market, one, Side.BUY, SCALE // 2, lots(1 + b % 100), FillKind.SPLIT))
    else:
        storm.feed(storm.fill(market, leg, side, SCALE * (1 + b % 98) // 100, lots(1 + b % 100)))


def _settlement_fill(storm: Storm, a: int, b: int) -> None:
    market, leg = storm.market(a), Leg(b % 2)
    yes_px = storm.settlement(market)
    own = yes_px if leg is Leg.YES else SCALE - yes_px
    storm.feed(storm.fill(market, leg, Side.SELL, own, lots(1 + b % 100), FillKind.SETTLEMENT))


def _vanish(storm: Storm, a: int, b: int) -> None:
    storm.feed(MarketDelisted(storm.market(a), "storm"))


def _disagree(storm: Storm, a: int, b: int) -> None:
    cash = Cash(storm.engine.state.portfolio.cash + (b % 3 - 1) * SCALE)
    tokens = (TokenBalance(storm.market(a), Leg(a % 2), lots(b % 50), Cash(b * SCALE % (20 * SCALE))),)
    orders = (
        resting(storm.client(a), oid=f"{b % 50}", market=storm.market(b)),
        resting(earlier_run_id(a % 5 + 1), oid=f"{900 + a % 5}", market=MarketId(f"hyperliquid:o{900 + b % 3}")),
        resting(None),
    )
    asked = storm.now.mono_ns - (0 if a % 2 else seconds(10))
    storm.feed(
        AccountState(
            venue=HYPERLIQUID, cash=cash, tokens=tokens if b % 2 else (), orders=orders[: a % 4], asked_mono_ns=asked,
            perps=_perps(storm) if b % 5 else (), perp_cash=Cash(storm.engine.state.portfolio.perps.raw + b % 3 - 1),
        )
    )  # fmt: skip


KINDS: Final[tuple[Callable[[Storm, int, int], None], ...]] = (
    _time, _moment, _moment, _depth, _fair_depth, _fair_depth, _fair_depth, _touch, _perp_touch, _perp_touch, _mark,
    _print, _list, _arrive, _arrive, _hear, _hear, _serve, _serve, _serve, _match, _match, _settle, _agree, _budget,
    _fees, _flap, _up, _operator, _resume, _resume, _rare, _lose, _repeat, _stranger, _stranger, _windfall,
    _settlement_fill, _vanish, _disagree,
)  # fmt: skip
FAIR: Final = tuple(
    index
    for index, kind in enumerate(KINDS)
    if kind in (_moment, _fair_depth, _perp_touch, _serve, _match, _mark, _arrive, _hear)
)
"""Weather in which an engine trades."""
RESUME: Final = KINDS.index(_resume)
LIST: Final = KINDS.index(_list)


def weather(seed: int, length: int, *, hostility: float = 0.15) -> list[Step]:
    """Steps from a seed. The rougher it gets, the more the engine is busy with getting to safety and back."""
    source = random.Random(seed)
    steps: list[Step] = []
    for number in range(length):
        kind = source.randrange(len(KINDS)) if source.random() < hostility else source.choice(FAIR)
        if hostility and number % 40 == 39:
            kind = RESUME if number % 80 == 39 else LIST
        steps.append((kind, source.randrange(1 << 20), source.randrange(1 << 20)))
    return steps


def encoded(record: Iterable[Turn]) -> bytes:
    """Everything that came out, as bytes to compare."""
    return msgspec.msgpack.encode([(now, outputs, digest) for now, _, outputs, digest in record])
