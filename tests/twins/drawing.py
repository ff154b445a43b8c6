"""Random actions of every kind that the program signs, each as its engine asks for it and as an SDK would write it.

A number draws the same action for ever: `Acts(seed).act(n)` repeats what a failure names.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

import attrs

from hlomm.domain.ids import HYPERLIQUID, ClientId, MarketId, VenueOrderId, outcome_market
from hlomm.domain.markets import Leg
from hlomm.domain.orders import AmendRequest, CancelRequest, OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import AmendOrders, CancelOrders, ConvertSet, PlaceOrders
from hlomm.domain.sets import SetAction
from hlomm.domain.units import Px, Qty, parse
from hlomm.venues.hyperliquid.wire import actions
from tests.twins import slow

PERPS: Final = ("BTC", "ETH", "SOL")
BATCH_MAX: Final = 40
"""One more than the program puts into an action."""
_TIFS: Final = (Tif.ALO, Tif.IOC, Tif.GTC)
_NOW_MS: Final = 1_795_000_000_000

Output = PlaceOrders | AmendOrders | CancelOrders | ConvertSet


@attrs.frozen(kw_only=True)
class Act:
    """One action: `output` through the encoder where the engine asks for it, `action` where it goes out by itself."""

    number: int
    kind: str
    output: Output | None = None
    action: actions.Action | None = None
    placed_before: tuple[OrderRequest, ...] = ()
    """Orders whose cancels were prepared."""
    slow: slow.Request


@attrs.frozen
class _Drawn:
    """An order in both languages."""

    request: OrderRequest
    slow: slow.Order


class Acts:
    """Actions by number."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._rng = random.Random()
        self._kinds: dict[str, Callable[[int, str], Act]] = {
            "order": self._place, "batchModify": self._amend, "cancelByCloid": self._cancel,
            "cancel": self._cancel_by_venue_id, "userOutcome": self._convert, "scheduleCancel": self._schedule,
            "noop": self._noop, "updateLeverage": self._leverage, "modify": self._modify,
        }  # fmt: skip

    def act(self, number: int) -> Act:
        self._rng.seed(f"{self._seed}/{number}")
        names = list(self._kinds)
        kind = self._rng.choices(names, weights=(40, 20, 20, 6, 6, 3, 1, 2, 2))[0]
        return self._kinds[kind](number, kind)

    # -- kinds

    def _place(self, number: int, kind: str) -> Act:
        tif = self._rng.choice(_TIFS)
        drawn = [self._order(tif) for _ in range(self._count())]
        output = PlaceOrders(HYPERLIQUID, tuple(one.request for one in drawn))
        return self._asked(number, kind, output, slow.place([one.slow for one in drawn]))

    def _amend(self, number: int, kind: str) -> Act:
        drawn = [self._order(Tif.ALO, amends=True) for _ in range(self._count())]
        amends = [
            AmendRequest(
                client_id=one.request.client_id, venue_order_id=VenueOrderId(str(one.slow.oid)),
                market=one.request.market, leg=one.request.leg, side=one.request.side, px=one.request.px,
                qty=one.request.qty, tif=Tif.ALO,
            )
            for one in drawn
        ]  # fmt: skip
        output = AmendOrders(HYPERLIQUID, tuple(amends))
        return self._asked(number, kind, output, slow.batch_modify([one.slow for one in drawn]))

    def _cancel(self, number: int, kind: str) -> Act:
        drawn = [self._order(Tif.ALO) for _ in range(self._count())]
        known = tuple(one.request for one in drawn if self._rng.random() < 0.6)
        cancels = [
            CancelRequest(client_id=one.request.client_id, market=one.request.market, leg=one.request.leg)
            for one in drawn
        ]
        written = slow.cancel_by_cloid([one.slow for one in drawn])
        return self._asked(number, kind, CancelOrders(HYPERLIQUID, tuple(cancels)), written, known)

    def _cancel_by_venue_id(self, number: int, kind: str) -> Act:
        rows = [self._order(Tif.ALO, amends=True).slow for _ in range(self._count(BATCH_MAX))]
        made = actions.cancel_by_venue_id([(row.asset, VenueOrderId(str(row.oid))) for row in rows])
        return self._made(number, kind, made, slow.cancel(rows))

    def _convert(self, number: int, kind: str) -> Act:
        rng, what = self._rng, self._rng.choice(list(SetAction))
        outcome, question, whole = rng.randrange(10**6), rng.randrange(10**5), Decimal(rng.randrange(1, 10**9))
        terms: slow.Json = {"outcome": outcome, "amount": f"{whole}"}
        if what is SetAction.MERGE_QUESTION:
            terms = {"question": question, "amount": f"{whole}"}
        elif what is SetAction.NEGATE:
            terms = {"question": question, **terms}
        name = {
            SetAction.SPLIT: "splitOutcome", SetAction.MERGE: "mergeOutcome", SetAction.NEGATE: "negateOutcome",
            SetAction.MERGE_QUESTION: "mergeQuestion",
        }[what]  # fmt: skip
        output = ConvertSet(
            action=what, market=outcome_market(HYPERLIQUID, outcome), qty=Qty(scaled(whole)), question=question
        )
        return self._asked(number, kind, output, {"type": kind, name: terms})

    def _schedule(self, number: int, kind: str) -> Act:
        time_ms = None if self._rng.random() < 0.3 else _NOW_MS + self._rng.randrange(10**6)
        written = {"type": kind} if time_ms is None else {"type": kind, "time": time_ms}
        return self._made(number, kind, actions.schedule_cancel(time_ms), written)

    def _noop(self, number: int, kind: str) -> Act:
        return self._made(number, kind, actions.noop(), {"type": kind})

    def _leverage(self, number: int, kind: str) -> Act:
        """Not one of the program's own: what any dict is signed as."""
        fields = {"asset": self._rng.randrange(3), "isCross": self._flip(), "leverage": self._rng.randrange(1, 51)}
        return self._made(number, kind, {"type": kind, **fields}, {"type": kind, **fields})

    def _modify(self, number: int, kind: str) -> Act:
        """The form for one order, which the program never sends; `oid` may be a client id."""
        one = self._order(self._rng.choice(_TIFS), amends=True)
        oid = one.slow.oid if self._flip() else one.slow.cloid
        request = one.request
        row = actions.order_row(
            one.slow.asset, request.side, request.px, request.qty, request.tif, request.client_id,
            reduce_only=one.slow.reduce_only,
        )  # fmt: skip
        return self._made(
            number, kind, {"type": kind, "oid": oid, "order": row},
            {"type": kind, "oid": oid, "order": one.slow.row()},
        )  # fmt: skip

    # -- what they are made of

    def _asked(
        self, number: int, kind: str, output: Output, written: slow.Json, known: tuple[OrderRequest, ...] = ()
    ) -> Act:
        request = self._request(written, expires=True)
        return Act(number=number, kind=kind, output=output, placed_before=known, slow=request)

    def _made(self, number: int, kind: str, made: actions.Action, written: slow.Json) -> Act:
        return Act(number=number, kind=kind, action=made, slow=self._request(written, expires=self._flip()))

    def _request(self, written: slow.Json, *, expires: bool) -> slow.Request:
        rng = self._rng
        nonce = rng.choice((_NOW_MS + rng.randrange(10**9), rng.randrange(1, 2**32), rng.randrange(2**32, 2**53)))
        return slow.Request(
            action=written, mainnet=self._flip(), nonce=nonce,
            vault=f"0x{rng.getrandbits(160):040x}" if rng.random() < 0.4 else None,
            expires_ms=nonce + rng.randrange(1, 60_000) if expires else None,
        )  # fmt: skip

    def _count(self, most: int = BATCH_MAX - 1) -> int:
        """Mostly a few, now and then as many as there may be."""
        return self._rng.choice((1, 1, 1, 2, 2, 2, 3, 4, self._rng.randint(1, 12), self._rng.randint(1, most), most))

    def _order(self, tif: Tif, *, amends: bool = False) -> _Drawn:
        rng, perp = self._rng, self._rng.random() < 0.25
        market, leg, asset = self._where(perp=perp)
        px = self._number(10**7 if perp else 0)
        size = self._number(10**9) if rng.random() < 0.3 else Decimal(rng.randrange(1, 10 ** rng.randrange(1, 10)))
        cloid, buys, reduce_only = f"0x{rng.getrandbits(128):032x}", self._flip(), rng.random() < 0.2
        request = OrderRequest(
            client_id=ClientId(cloid), market=market, leg=leg, side=Side.BUY if buys else Side.SELL,
            px=Px(parse(self._spelt(px))), qty=Qty(parse(self._spelt(size))), tif=tif, purpose=Purpose.QUOTE,
            reduce_only=reduce_only and not amends,
        )  # fmt: skip
        oid = rng.choice((rng.randrange(1, 2**31), rng.randrange(2**32, 2**53), 2**63 - 1)) if amends else 0
        return _Drawn(request, slow.Order(
            asset=asset, buys=buys, px=px, size=size, tif=tif.value, cloid=cloid,
            reduce_only=request.reduce_only and perp, oid=oid,
        ))  # fmt: skip

    def _where(self, *, perp: bool) -> tuple[MarketId, Leg, int]:
        if perp:
            index = self._rng.randrange(len(PERPS))
            return MarketId(f"{HYPERLIQUID}:{PERPS[index]}"), Leg.YES, index
        outcome, leg = self._rng.choice((0, self._rng.randrange(10_000), self._rng.randrange(10**7))), self._flip()
        return outcome_market(HYPERLIQUID, outcome), Leg(leg), 100_000_000 + 10 * outcome + leg

    def _number(self, whole_max: int) -> Decimal:
        """Above 0, of one to eight decimals."""
        decimals = self._rng.randint(1, 8)
        units = self._rng.randrange(1, 10**decimals) + 10**decimals * (self._rng.randrange(whole_max + 1))
        return Decimal(units).scaleb(-decimals)

    def _spelt(self, value: Decimal) -> str:
        """With zeros that say nothing, as venues print them."""
        text = format(value, "f")
        return text + "0" * self._rng.randrange(3) if "." in text else text

    def _flip(self) -> bool:
        return self._rng.random() < 0.5


def scaled(value: Decimal) -> int:
    """In 1e-8; the value has no more than eight decimals."""
    units = value.scaleb(8)
    assert units == units.to_integral_value()
    return int(units)


def first(acts: Acts, count: int) -> Sequence[Act]:
    return [acts.act(number) for number in range(count)]
