"""Outputs of the engine to signed actions (venue sheet sections 4 and 5). Pure: the clock's reading is an argument.

A batch is one signed action. Batches larger than the venue's cheap size are split. All orders of a batch share their
time in force, because one GTC or IOC would move the whole batch behind the cancels (sheet 4.5).

The row that cancels an order depends on nothing but the order. It is written once that has left, so that nobody waits
for it, and a cancel is what was written, a nonce, the hashes and the signature. Of the processor time from the engine's
word to bytes with the kernel that saves next to nothing for one order (34 us, most of it the signature), a tenth for
ten and a quarter for a batch of 39 (70 to 53 us).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Final, Generic, TypeVar

import attrs

from hlomm.domain.ids import ClientId
from hlomm.domain.inputs import ConversionFailed, Input, SendRefused, SentAction
from hlomm.domain.orders import AmendRequest, CancelRequest, OrderRequest, Tif
from hlomm.domain.outputs import AmendOrders, CancelOrders, ConvertSet, PlaceOrders
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.hyperliquid.limits import BATCH_MAX
from hlomm.venues.hyperliquid.nonces import Nonces
from hlomm.venues.hyperliquid.registry import Registry
from hlomm.venues.hyperliquid.signing import Signer
from hlomm.venues.hyperliquid.wire import actions
from hlomm.venues.hyperliquid.wire.coins import outcome_number

R = TypeVar("R", OrderRequest, AmendRequest, CancelRequest)
W = TypeVar("W")

CANCELS_READY: Final = 4_096
"""Orders whose cancel is written already, of some 400 bytes each; the oldest go first."""


class BatchKind(Enum):
    PLACE = "place"
    AMEND = "amend"
    CANCEL = "cancel"
    CONVERT = "convert"


_SENT: dict[BatchKind, SentAction] = {
    BatchKind.PLACE: SentAction.PLACE,
    BatchKind.AMEND: SentAction.AMEND,
    BatchKind.CANCEL: SentAction.CANCEL,
}


@attrs.frozen(kw_only=True)
class Batch:
    """One signed action, ready to be posted, and what it was made of."""

    kind: BatchKind
    requests: tuple[OrderRequest | AmendRequest | CancelRequest | ConvertSet, ...]
    body: bytes = attrs.field(repr=False)
    expires_ms: int
    """Venue time after which the venue refuses the action if it has not seen it."""

    def client_ids(self) -> tuple[ClientId, ...]:
        return tuple(one.client_id for one in self.requests if not isinstance(one, ConvertSet))

    def may_rest(self) -> bool:
        """Whether it holds new orders that can rest."""
        return any(isinstance(one, OrderRequest) and one.tif is not Tif.IOC for one in self.requests)

    def sent_action(self) -> SentAction | None:
        return _SENT.get(self.kind)


@attrs.frozen
class _Split(Generic[W, R]):
    """Requests with what stands for them (asset id, written row), and those that cannot be sent."""

    good: list[tuple[W, R]]
    bad: list[ClientId]


@attrs.frozen
class Encoder:
    """Makes and signs actions for one account."""

    signer: Signer
    nonces: Nonces
    registry: Registry
    vault: str | None
    expires_after_ms: int

    _cancels: BoundedMap[ClientId, actions.CancelRow] = attrs.field(factory=lambda: BoundedMap(CANCELS_READY))

    def sign(self, action: actions.Action, now_ms: int, *, posted: actions.Action | None = None) -> tuple[bytes, int]:
        """Body of an `/exchange` request and the venue time at which it expires.

        `posted`: the same action for the body, where parts of it are written already.
        """
        nonce = self.nonces.take(now_ms)
        expires_ms = now_ms + self.expires_after_ms
        signature = self.signer.sign_action(action, nonce, self.vault, expires_ms)
        body = actions.exchange_body(posted or action, nonce, signature.fields(), self.vault, expires_ms)
        return body, expires_ms

    def prepare_cancels(self, batch: Batch) -> None:
        """Write the cancels of a batch's new orders. Call it when they have left: nothing waits for it then."""
        for request in batch.requests:
            if isinstance(request, OrderRequest) and request.tif is not Tif.IOC:
                row = self._cancel_row(request)
                if row is not None:
                    self._cancels.put(request.client_id, row)

    def encode(
        self, output: PlaceOrders | AmendOrders | CancelOrders | ConvertSet, now_ms: int
    ) -> tuple[list[Batch], list[Input]]:
        """Signed batches, and refusals of what cannot be expressed (unknown market, unusable id)."""
        match output:
            case PlaceOrders():
                return self._place(output.orders, now_ms)
            case AmendOrders():
                return self._amend(output.amends, now_ms)
            case CancelOrders():
                return self._cancel(output.cancels, now_ms)
            case ConvertSet():
                return self._convert(output, now_ms)

    def _place(self, orders: Sequence[OrderRequest], now_ms: int) -> tuple[list[Batch], list[Input]]:
        assert len({order.tif for order in orders}) <= 1, "a batch mixes times in force"
        split = self._split(orders, lambda _order: True)
        perps = frozenset(asset for asset, _ in split.good if self.registry.is_perp_asset(asset))
        return self._batches(
            BatchKind.PLACE, split, lambda rows: self.sign(actions.place(rows, perp=perps), now_ms)
        )  # fmt: skip

    def _amend(self, amends: Sequence[AmendRequest], now_ms: int) -> tuple[list[Batch], list[Input]]:
        assert all(amend.tif is Tif.ALO for amend in amends), "an amend is always post-only"
        split = self._split(amends, lambda amend: amend.venue_order_id.isascii() and amend.venue_order_id.isdigit())
        return self._batches(BatchKind.AMEND, split, lambda rows: self.sign(actions.amend(rows), now_ms))

    def _cancel(self, cancels: Sequence[CancelRequest], now_ms: int) -> tuple[list[Batch], list[Input]]:
        rows = [(self._cancels.get(one.client_id) or self._cancel_row(one), one) for one in cancels]
        good = [(row, one) for row, one in rows if row is not None]
        split = _Split(good, [one.client_id for row, one in rows if row is None])
        return self._batches(BatchKind.CANCEL, split, lambda rows: self._sign_cancels(rows, now_ms))

    def _sign_cancels(self, rows: Sequence[tuple[actions.CancelRow, CancelRequest]], now_ms: int) -> tuple[bytes, int]:
        signed = actions.cancel_by_client_id([row.signed for row, _ in rows])
        posted = actions.cancel_by_client_id([row.posted for row, _ in rows])
        return self.sign(signed, now_ms, posted=posted)

    def _cancel_row(self, request: OrderRequest | CancelRequest) -> actions.CancelRow | None:
        """None for an order that cannot be named to the venue."""
        asset = self.registry.asset_id(request.market, request.leg)
        if asset is None or not actions.is_cloid(request.client_id):
            return None
        return actions.cancel_row(asset, request.client_id)

    def _convert(self, one: ConvertSet, now_ms: int) -> tuple[list[Batch], list[Input]]:
        outcome = outcome_number(one.market)
        action = None if outcome is None else actions.user_outcome(one.action, outcome, one.question, one.qty)
        if action is None:
            why = "not an outcome market" if outcome is None else "a question is needed"
            return [], [ConversionFailed(action=one.action, market=one.market, text=why)]
        body, expires_ms = self.sign(action, now_ms)
        return [Batch(kind=BatchKind.CONVERT, requests=(one,), body=body, expires_ms=expires_ms)], []

    def _split(self, requests: Iterable[R], usable: Callable[[R], bool]) -> _Split[int, R]:
        good: list[tuple[int, R]] = []
        bad: list[ClientId] = []
        for request in requests:
            asset = self.registry.asset_id(request.market, request.leg)
            if asset is None or not actions.is_cloid(request.client_id) or not usable(request):
                bad.append(request.client_id)
            else:
                good.append((asset, request))
        return _Split(good, bad)

    def _batches(
        self, kind: BatchKind, split: _Split[W, R], sign: Callable[[list[tuple[W, R]]], tuple[bytes, int]]
    ) -> tuple[list[Batch], list[Input]]:
        batches: list[Batch] = []
        for start in range(0, len(split.good), BATCH_MAX):
            rows = split.good[start : start + BATCH_MAX]
            body, expires_ms = sign(rows)
            requests = tuple(request for _, request in rows)
            batches.append(Batch(kind=kind, requests=requests, body=body, expires_ms=expires_ms))
        if not split.bad:
            return batches, []
        return batches, [SendRefused(tuple(split.bad), _SENT[kind], "no such market, or an id the venue cannot take")]
