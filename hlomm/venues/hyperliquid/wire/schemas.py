"""Shapes of websocket frames: one struct per channel, told apart by the `channel` key (venue sheet section 3)."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from hlomm.venues.fields import CoinText, OutcomeNumber, VenueNumber, Word
from hlomm.venues.hyperliquid.wire import account, public


class Frame(Struct, frozen=True, tag_field="channel"):
    pass


class PongFrame(Frame, frozen=True, tag="pong"):
    pass


class Subscription(Struct, frozen=True):
    type: Word
    coin: CoinText | None = None


class AckData(Struct, frozen=True):
    method: Word
    subscription: Subscription


class AckFrame(Frame, frozen=True, tag="subscriptionResponse"):
    data: AckData


class ErrorFrame(Frame, frozen=True, tag="error"):
    data: Annotated[str, Meta(max_length=100_000)]


class PostResponse(Struct, frozen=True):
    type: Word
    payload: Raw


class PostData(Struct, frozen=True):
    id: VenueNumber
    response: PostResponse


class PostFrame(Frame, frozen=True, tag="post"):
    data: PostData


class BookFrame(Frame, frozen=True, tag="l2Book"):
    data: public.BookData


class BboFrame(Frame, frozen=True, tag="bbo"):
    data: public.BboData


class TradesFrame(Frame, frozen=True, tag="trades"):
    data: Annotated[list[public.TradeRow], Meta(max_length=10_000)]


class AssetCtxFrame(Frame, frozen=True, tag="activeAssetCtx"):
    data: public.AssetCtxData


class FastCtxsFrame(Frame, frozen=True, tag="fastAssetCtxs"):
    data: Annotated[str, Meta(max_length=2**20)]


class OrderUpdatesFrame(Frame, frozen=True, tag="orderUpdates"):
    data: Annotated[list[Raw], Meta(max_length=10_000)]


class FillsData(Struct, frozen=True, rename="camel"):
    user: Word
    fills: Annotated[list[Raw], Meta(max_length=20_000)]
    is_snapshot: bool = False


class UserFillsFrame(Frame, frozen=True, tag="userFills"):
    data: FillsData


class SpotStateData(Struct, frozen=True, rename="camel"):
    user: Word
    spot_state: account.BalanceList


class SpotStateFrame(Frame, frozen=True, tag="spotState"):
    data: SpotStateData


class Settled(Struct, frozen=True):
    outcome: OutcomeNumber


class SettledQuestion(Struct, frozen=True):
    question: OutcomeNumber


class MetaUpdate(Struct, frozen=True, rename="camel"):
    outcome_created: Raw | UnsetType = UNSET
    # Live captures carry the bare number; one third-party typing says an object. Both cost nothing.
    outcome_settled: OutcomeNumber | Settled | UnsetType = UNSET
    question_updated: Raw | UnsetType = UNSET
    question_settled: OutcomeNumber | SettledQuestion | UnsetType = UNSET


class MetaUpdatesFrame(Frame, frozen=True, tag="outcomeMetaUpdates"):
    data: Annotated[list[MetaUpdate], Meta(max_length=10_000)]


AnyFrame = (
    PongFrame
    | AckFrame
    | ErrorFrame
    | PostFrame
    | BookFrame
    | BboFrame
    | TradesFrame
    | AssetCtxFrame
    | FastCtxsFrame
    | OrderUpdatesFrame
    | UserFillsFrame
    | SpotStateFrame
    | MetaUpdatesFrame
)


class Envelope(Struct, frozen=True):
    channel: str
