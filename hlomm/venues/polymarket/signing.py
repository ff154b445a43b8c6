"""Orders as EIP-712 structs: their ids and their signatures (venue sheet sections 4.3 and 5).

The order id is the digest of the struct in the exchange's domain, so it is known before anything is sent; that is what
resolves a request without an answer. Which exchange it is follows from the shape of the asset id and then from the
market's neg-risk flag. A deposit wallet (type 3) does not sign that digest itself: its owner signs an ERC-7739
`TypedDataSign` around the struct, and everything the wallet needs to check it is appended. Pure.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from msgspec import Struct

from hlomm.domain.orders import Side
from hlomm.domain.secret import Sealed
from hlomm.venues.curve import Key, address_bytes, checksummed, keccak
from hlomm.venues.polymarket.contracts import Contracts, is_position_id

ORDER_TYPE: Final = (
    "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    "uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
_ORDER_TYPEHASH: Final = bytes.fromhex("bb86318a2138f5fa8ae32fbe8e659f8fcf13cc6ae4014a707893055433818589")
_TYPED_DATA_SIGN_TYPEHASH: Final = bytes.fromhex("6ba028565cb324c2aa02bb714b9816d0bddd557a2f33bb36cf13272a4256bd42")
_DOMAIN_TYPEHASH: Final = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_EXCHANGE_NAME: Final = keccak(b"Polymarket CTF Exchange")
_WALLET_NAME: Final = keccak(b"DepositWallet")
_WALLET_VERSION: Final = keccak(b"1")
_TYPE_TAIL: Final = ORDER_TYPE.encode() + len(ORDER_TYPE).to_bytes(2, "big")
_SESSION_MAGIC: Final = bytes.fromhex("6492") * 16

ZERO_WORD: Final = "0x" + 64 * "0"
SALT_BITS: Final = 53
"""A salt travels as a JSON number, which other people's parsers hold in a double."""
V2: Final = "2"
V3: Final = "3"


class SignatureType(IntEnum):
    """Who vouches for an order. All but EOA trade for a wallet contract, the funder."""

    EOA = 0
    PROXY = 1
    SAFE = 2
    DEPOSIT = 3


class Exchange(Struct, frozen=True):
    """The contract that settles an order, and the separator of its signature domain."""

    address: str
    version: str
    domain: bytes


class Order(Struct, frozen=True, kw_only=True):
    """What is signed. Amounts are in millionths: pUSD and shares by side; `timestamp_ms` is the venue's wall time."""

    salt: int
    maker: str
    signer: str
    token: int
    maker_amount: int
    taker_amount: int
    side: Side
    signature_type: SignatureType
    timestamp_ms: int
    metadata: str = ZERO_WORD
    builder: str = ZERO_WORD


class SignedOrder(Struct, frozen=True):
    order: Order
    id: str
    """The venue's order id: 0x and 64 hex digits."""
    signature: str


def domain_separator(name: bytes, version: str, chain_id: int, contract: str) -> bytes:
    """EIP-712 domain; `name` is already hashed."""
    return keccak(_DOMAIN_TYPEHASH + name + keccak(version.encode()) + _word(chain_id) + _address_word(contract))


class Exchanges:
    """The three exchanges and the rule that picks one."""

    __slots__ = ("_neg_risk", "_positions", "_regular")

    def __init__(self, contracts: Contracts) -> None:
        def exchange(address: str, version: str) -> Exchange:
            return Exchange(address, version, domain_separator(_EXCHANGE_NAME, version, contracts.chain_id, address))

        self._regular = exchange(contracts.regular, V2)
        self._neg_risk = exchange(contracts.neg_risk, V2)
        self._positions = exchange(contracts.positions, V3)

    def of(self, token: int, *, neg_risk: bool) -> Exchange:
        """By the shape of the asset id, then by the market's flag."""
        if is_position_id(token):
            return self._positions
        return self._neg_risk if neg_risk else self._regular


def struct_hash(order: Order) -> bytes:
    return keccak(
        b"".join(
            (
                _ORDER_TYPEHASH,
                _word(order.salt),
                _address_word(order.maker),
                _address_word(order.signer),
                _word(order.token),
                _word(order.maker_amount),
                _word(order.taker_amount),
                _word(0 if order.side is Side.BUY else 1),
                _word(order.signature_type),
                _word(order.timestamp_ms),
                bytes.fromhex(order.metadata[2:]),
                bytes.fromhex(order.builder[2:]),
            )
        )
    )


def order_digest(exchange: Exchange, contents: bytes) -> bytes:
    """The digest whose hex is the order id; `contents` is the struct hash."""
    return keccak(b"\x19\x01" + exchange.domain + contents)


class OrderSigner(Sealed):
    """Signs orders of one wallet. `funder` holds the money; it is the key's own address for type 0."""

    __slots__ = ("_key", "_session", "_wallet_words", "exchanges", "funder", "kind", "signer")

    def __init__(
        self, key: Key, kind: SignatureType, funder: str, contracts: Contracts, *, session_key: bool = False
    ) -> None:
        self._key = key
        self._session = session_key
        self.kind = kind
        self.funder = checksummed(funder)
        self.signer = self.funder if kind is SignatureType.DEPOSIT else checksummed(key.address)
        self.exchanges = Exchanges(contracts)
        self._wallet_words = (
            _WALLET_NAME + _WALLET_VERSION + _word(contracts.chain_id) + _address_word(self.funder) + _word(0)
        )

    def __repr__(self) -> str:
        return f"OrderSigner({self._key.address}, {self.kind.name}, {self.funder})"

    def sign(
        self,
        *,
        token: int,
        side: Side,
        amounts: tuple[int, int],
        salt: int,
        timestamp_ms: int,
        neg_risk: bool,
        metadata: str = ZERO_WORD,
        builder: str = ZERO_WORD,
    ) -> SignedOrder:
        """A signed order; `amounts` are what is given and what is taken, in millionths."""
        order = Order(
            salt=salt,
            maker=self.funder,
            signer=self.signer,
            token=token,
            maker_amount=amounts[0],
            taker_amount=amounts[1],
            side=side,
            signature_type=self.kind,
            timestamp_ms=timestamp_ms,
            metadata=metadata,
            builder=builder,
        )
        exchange = self.exchanges.of(token, neg_risk=neg_risk)
        contents = struct_hash(order)
        digest = order_digest(exchange, contents)
        return SignedOrder(order, f"0x{digest.hex()}", f"0x{self._signature(exchange, contents, digest).hex()}")

    def _signature(self, exchange: Exchange, contents: bytes, digest: bytes) -> bytes:
        if self.kind is not SignatureType.DEPOSIT:
            return self._ecdsa(digest)
        nested = keccak(_TYPED_DATA_SIGN_TYPEHASH + contents + self._wallet_words)
        inner = self._ecdsa(keccak(b"\x19\x01" + exchange.domain + nested))
        wrapped = inner + exchange.domain + contents + _TYPE_TAIL
        return wrap_session(wrapped, self._key.address) if self._session else wrapped

    def _ecdsa(self, digest: bytes) -> bytes:
        raw = self._key.sign(digest)
        return raw[:64] + bytes((27 + raw[64],))


def wrap_session(signature: bytes, session_signer: str) -> bytes:
    """A session key's signature for its owner's wallet: abi.encode(bytes32, bytes32, bytes) and the magic."""
    padded = signature + bytes(-len(signature) % 32)
    head = _address_word(session_signer) + _word(0) + _word(96) + _word(len(signature))
    return head + padded + _SESSION_MAGIC


def salt_of(client_id: str) -> int:
    """The salt of an order: a function of its client id, so that no two orders of ours share one by accident."""
    return int.from_bytes(keccak(client_id.encode())[:8], "big") >> (64 - SALT_BITS)


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _address_word(address: str) -> bytes:
    return bytes(12) + address_bytes(address)
