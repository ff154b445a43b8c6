"""User-signed actions (venue sheet section 5.2): transfers, agent approval. Master key only, never on the hot path.

The only module of the package that loads eth-account, for its EIP-712 encoder; importing it costs half a second, so
nothing imports it but the commands that need it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from eth_account.messages import encode_typed_data

from hlomm.domain.faults import UsageError
from hlomm.venues.curve import keccak
from hlomm.venues.hyperliquid.signing import Signature, Signer

SIGNATURE_CHAIN_ID: Final = "0x66eee"
"""Any chain id is accepted; this is the one the official SDK sends."""

_DOMAIN_FIELDS: Final = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]
_CHAIN: Final = ("hyperliquidChain", "string")
_PAYOUT: Final = (_CHAIN, ("destination", "string"), ("amount", "string"), ("time", "uint64"))

# action type: name of the primary type and its fields in order.
_TYPES: Final[dict[str, tuple[str, tuple[tuple[str, str], ...]]]] = {
    "usdClassTransfer": (
        "UsdClassTransfer",
        (_CHAIN, ("amount", "string"), ("toPerp", "bool"), ("nonce", "uint64")),
    ),
    "approveAgent": (
        "ApproveAgent",
        (_CHAIN, ("agentAddress", "address"), ("agentName", "string"), ("nonce", "uint64")),
    ),
    "usdSend": ("UsdSend", _PAYOUT),
    "withdraw3": ("Withdraw", _PAYOUT),
    "spotSend": (
        "SpotSend",
        (_CHAIN, ("destination", "string"), ("token", "string"), ("amount", "string"), ("time", "uint64")),
    ),
    "sendAsset": (
        "SendAsset",
        (
            _CHAIN,
            ("destination", "string"),
            ("sourceDex", "string"),
            ("destinationDex", "string"),
            ("token", "string"),
            ("amount", "string"),
            ("fromSubAccount", "string"),
            ("nonce", "uint64"),
        ),
    ),
    "approveBuilderFee": (
        "ApproveBuilderFee",
        (_CHAIN, ("maxFeeRate", "string"), ("builder", "address"), ("nonce", "uint64")),
    ),
    "userSetAbstraction": (
        "UserSetAbstraction",
        (_CHAIN, ("user", "address"), ("abstraction", "string"), ("nonce", "uint64")),
    ),
}


def user_action(signer: Signer, kind: str, fields: Mapping[str, Any], nonce: int) -> dict[str, Any]:
    """A complete action: the fields, the nonce under the name this kind uses, and the network.

    UsageError for a kind that is not user-signed.
    """
    _, types = _type_of(kind)
    stamp = "time" if any(name == "time" for name, _ in types) else "nonce"
    return {
        "type": kind,
        **fields,
        stamp: nonce,
        "signatureChainId": SIGNATURE_CHAIN_ID,
        "hyperliquidChain": signer.chain.value,
    }


def user_digest(action: Mapping[str, Any]) -> bytes:
    """EIP-712 digest of a user-signed action."""
    name, types = _type_of(str(action["type"]))
    primary = f"HyperliquidTransaction:{name}"
    signable = encode_typed_data(
        full_message={
            "domain": {
                "name": "HyperliquidSignTransaction",
                "version": "1",
                "chainId": int(str(action["signatureChainId"]), 16),
                "verifyingContract": "0x" + 40 * "0",
            },
            "types": {
                "EIP712Domain": _DOMAIN_FIELDS,
                primary: [{"name": field, "type": kind} for field, kind in types],
            },
            "primaryType": primary,
            "message": {field: action[field] for field, _ in types},
        }
    )
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def sign_user_action(signer: Signer, action: Mapping[str, Any]) -> Signature:
    return signer.sign_digest(user_digest(action))


def posted_action(action: Mapping[str, Any]) -> dict[str, Any]:
    """The action as it is posted: an unnamed agent is signed with an empty name that the body leaves out."""
    posted = dict(action)
    if posted.get("type") == "approveAgent" and posted.get("agentName") == "":
        del posted["agentName"]
    return posted


def _type_of(kind: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    try:
        return _TYPES[kind]
    except KeyError:
        raise UsageError(f"{kind!r} is not a user-signed action; expected one of {sorted(_TYPES)}") from None
