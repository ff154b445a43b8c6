"""The body of an order as it arrives, and what it means on the venue's grids (venue sheet 5.2 and 5.5)."""

from __future__ import annotations

from typing import Any, Final

import attrs
import msgspec

from hlomm.domain.orders import Side
from hlomm.sim.config import PolymarketConfig
from hlomm.sim.pm import refusals
from hlomm.sim.pm.chain import BadSignature, SignedOrder, order_id, order_signer
from hlomm.sim.pm.exchange import Exchange
from hlomm.sim.pm.keys import ApiKey
from hlomm.sim.pm.market import Market
from hlomm.sim.pm.orders import Kind, NewOrder
from hlomm.sim.pm.refusals import Refused
from hlomm.sim.pm.units import LOT_BASE, WHOLE, price_text
from hlomm.sim.pm.wallets import Wallet

_CASH_STEP: Final = 10_000
"""Two decimals of pUSD: what a FOK or FAK may name."""
_SHARE_STEP: Final = 100
"""Four decimals of shares."""
_SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL}
_V1_FIELDS: Final = frozenset({"taker", "nonce", "feeRateBps"})
_SALT_MAX: Final = 2**53


class WireOrder(msgspec.Struct, frozen=True):
    """The signed part and the expiration. Numbers are strings, but for the salt and the signature type."""

    salt: int
    maker: str
    signer: str
    tokenId: str  # noqa: N815 - the wire's spelling, as below
    makerAmount: str  # noqa: N815
    takerAmount: str  # noqa: N815
    side: str
    signatureType: int  # noqa: N815
    timestamp: str
    metadata: str
    builder: str
    signature: str
    expiration: str = "0"


class PostOrder(msgspec.Struct, frozen=True):
    """A whole order request."""

    order: WireOrder
    owner: str
    orderType: str  # noqa: N815
    deferExec: bool = False  # noqa: N815
    postOnly: bool = False  # noqa: N815


@attrs.frozen
class Accepted:
    """A signed order and for whom it trades."""

    wallet: Wallet
    new: NewOrder


def decode(raw: Any) -> PostOrder:
    """One order request; Refused for anything else, an order of the old version by name."""
    body = raw.get("order") if isinstance(raw, dict) else None
    if isinstance(body, dict) and "timestamp" not in body and _V1_FIELDS & body.keys():
        raise Refused(refusals.WRONG_VERSION)
    try:
        return msgspec.convert(raw, PostOrder)
    except msgspec.ValidationError:
        raise Refused(refusals.INVALID_PAYLOAD) from None


def accept(post: PostOrder, key: ApiKey, exchange: Exchange) -> Accepted:
    """Check owner, signer and signature, and bring the amounts onto the grids. Refused with the venue's text."""
    signed = _signed(post.order)
    if post.owner != key.id:
        raise Refused(refusals.WRONG_OWNER)
    wallet = _wallet(signed, key, exchange)
    found = exchange.by_token.get(post.order.tokenId)
    if found is None:
        raise Refused(refusals.INVALID_TOKEN)
    market, leg = found
    try:
        signer = order_signer(signed, post.order.signature, neg_risk=False)
        name = order_id(signed, neg_risk=False)
    except BadSignature:
        raise Refused(refusals.INVALID_SIGNATURE) from None
    if signer != key.address:
        raise Refused(refusals.INVALID_SIGNATURE)
    kind = _kind(post)
    expiration_s = _integer(post.order.expiration)
    if kind is not Kind.GTD and expiration_s:
        raise Refused(refusals.EXPIRATION)
    side = Side.BUY if signed.side == 0 else Side.SELL
    ticks, lots = _on_grid(signed, side, kind, name, market)
    by_cash = exchange.config.fak_buy == "cash" and not kind.rests and side is Side.BUY
    new = NewOrder(
        id=name,
        number=market.number,
        leg=leg,
        side=side,
        ticks=ticks,
        lots=lots,
        kind=kind,
        post_only=post.postOnly,
        expiration_s=expiration_s,
        owner=key.id,
        spend=signed.maker_amount if by_cash else None,
        by_cash=by_cash,
    )
    return Accepted(wallet, new)


def _signed(order: WireOrder) -> SignedOrder:
    side = _SIDES.get(order.side)
    if side is None:
        raise Refused("Invalid side")
    if not 0 <= order.salt < _SALT_MAX:
        raise Refused(refusals.INVALID_ORDER)
    try:
        metadata, builder = (bytes.fromhex(text.removeprefix("0x")) for text in (order.metadata, order.builder))
    except ValueError:
        raise Refused(refusals.INVALID_ORDER) from None
    signed = SignedOrder(
        salt=order.salt,
        maker=order.maker,
        signer=order.signer,
        token_id=_integer(order.tokenId),
        maker_amount=_integer(order.makerAmount),
        taker_amount=_integer(order.takerAmount),
        side=0 if side is Side.BUY else 1,
        signature_type=order.signatureType,
        timestamp=_integer(order.timestamp),
        metadata=metadata,
        builder=builder,
    )
    if not signed.maker_amount or not signed.taker_amount or signed.signature_type not in range(4):
        raise Refused(refusals.INVALID_ORDER)
    return signed


def _wallet(signed: SignedOrder, key: ApiKey, exchange: Exchange) -> Wallet:
    """The funder: a wallet of the key's owner, used the way it is meant to be."""
    expected = signed.maker.lower() if signed.signature_type == 3 else key.address
    if signed.signer.lower() != expected:
        raise Refused(refusals.WRONG_SIGNER)
    wallet = exchange.bank.wallets.get(signed.maker.lower())
    if wallet is None or wallet.signer != key.address or wallet.signature_type != signed.signature_type:
        raise Refused(refusals.WRONG_MAKER)
    return wallet


def _kind(post: PostOrder) -> Kind:
    try:
        kind = Kind(post.orderType)
    except ValueError:
        raise Refused(refusals.INVALID_ORDER) from None
    if post.postOnly and not kind.rests:
        raise Refused(refusals.INVALID_ORDER)
    return kind


def _on_grid(signed: SignedOrder, side: Side, kind: Kind, name: str, market: Market) -> tuple[int, int]:
    """Limit in ticks and size in lots. What does not fit exactly is refused, or bound towards the trader's limit."""
    cash, shares = signed.maker_amount, signed.taker_amount
    if side is Side.SELL:
        cash, shares = shares, cash
    if kind.rests:
        if shares % LOT_BASE:
            raise Refused(refusals.INVALID_ORDER)
        ticks, rest = divmod(cash * WHOLE, shares)
        if rest:
            raise Refused(refusals.breaks_tick(name, f"{cash / shares:.6f}", price_text(market.tick)))
        return ticks, shares // LOT_BASE
    if cash % _CASH_STEP or shares % _SHARE_STEP:
        raise Refused(refusals.AMOUNTS if side is Side.BUY else refusals.AMOUNTS_SELL)
    # A buyer pays at most the quotient, a seller takes at least it.
    step = shares * market.tick
    steps = cash * WHOLE // step if side is Side.BUY else -(-cash * WHOLE // step)
    lots = shares // LOT_BASE
    if not lots:
        raise Refused(refusals.too_small(name, "0", "0.01"))
    return steps * market.tick, lots


def _integer(text: str) -> int:
    """A plain unsigned number in a string."""
    if not text.isascii() or not text.isdecimal() or len(text) > 78:
        raise Refused(refusals.INVALID_ORDER)
    return int(text)


def config_amount(config: PolymarketConfig, units: int, scale: int) -> str:
    """An amount of an order's answer: base units, or decimals; `scale` base units are one of `units`."""
    base = units * scale
    if config.amounts == "base":
        return str(base)
    whole, rest = divmod(base, 1_000_000)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".")
