"""Runs written by hand: the records that a daemon would have written, in files as it would have left them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from hlomm.daemon.journal_writer import JournalWriter
from hlomm.domain.carried import Carried, CarriedPosition
from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import ClientId, MarketId
from hlomm.domain.inputs import Booted, FillReceived, Input, OperatorAction, OperatorCommand, OrderOpened
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import Alert, AlertLevel, HaltChanged, HaltState, Output, PlaceOrders
from hlomm.domain.times import NS_PER_MS, NS_PER_S, Now
from hlomm.domain.units import Cash, Px, Qty
from hlomm.journal.codec import CheckpointRecord, InputRecord, NoteRecord, Record, TurnRecord, encode
from hlomm.journal.framing import frame

EPOCH = 1_795_000_000_000
ACCOUNT = "0xab"
MARKET = MarketId("hyperliquid:o15")
CLOID = ClientId("0x686c01a1ee565e000000000000000001")


class Script:
    """Builds the records of one run; every input is followed by its decision."""

    def __init__(self, epoch: int = EPOCH) -> None:
        self.epoch = epoch
        self.records: list[Record] = []

    @property
    def now(self) -> Now:
        elapsed = len(self.records) * NS_PER_S
        return Now(1_000 * NS_PER_S + elapsed, self.epoch * NS_PER_MS + elapsed)

    @property
    def seq(self) -> int:
        return len(self.records) + 1

    def hear(self, item: Input, *outputs: Output) -> Script:
        now = self.now
        self.records.append(InputRecord(self.seq, now, item))
        self.records.append(TurnRecord(self.seq, now, 0, outputs))
        return self

    def boot(self, account: str = ACCOUNT) -> Script:
        return self.hear(
            Booted(epoch_ms=self.epoch, profile="sim", version="0", config="{}", halted=None, account=account)
        )

    def books(self, cash: int = 100, **changes: int) -> Script:
        self.records.append(CheckpointRecord(self.seq, self.now, books(cash, **changes)))
        return self

    def note(self, text: str) -> Script:
        self.records.append(NoteRecord(self.seq, self.now, text))
        return self

    def place(self, cloid: ClientId = CLOID, *, px: int = 50, qty: int = 100, heard: Input | None = None) -> Script:
        order = OrderRequest(
            client_id=cloid, market=MARKET, leg=Leg.YES, side=Side.BUY, px=Px(px), qty=Qty(qty), tif=Tif.ALO,
            purpose=Purpose.QUOTE,
        )  # fmt: skip
        heard = heard if heard is not None else OperatorCommand(action=OperatorAction.RESUME, actor="uid 0")
        return self.hear(heard, PlaceOrders("hyperliquid", (order,)))

    def opened(self, cloid: ClientId = CLOID) -> Script:
        return self.hear(OrderOpened(client_id=cloid, venue_order_id="77", leaves=Qty(100), venue_ms=1))

    def fill(self, key: str = "f1", *, qty: int = 40, cloid: ClientId | None = CLOID, px: int = 50) -> Script:
        return self.hear(FillReceived(one_fill(key, qty=qty, cloid=cloid, px=px)))

    def kill(self, reason: str = "drill", who: str = "uid 0 (root) from 10.0.0.7") -> Script:
        return self.hear(
            OperatorCommand(action=OperatorAction.KILL, actor=who, reason=reason),
            HaltChanged(state=HaltState.FLATTENING, reason=f"kill by {who} ({reason})", persist=True),
        )

    def pause(self, target: str) -> Script:
        return self.hear(
            OperatorCommand(action=OperatorAction.PAUSE, actor="uid 0", target=target),
            Alert(level=AlertLevel.WARNING, code="unknown_strategy", text=f"no strategy {target!r}"),
        )

    def batch(self) -> list[tuple[int, Record]]:
        return [(self.epoch, record) for record in self.records]

    def write(self, directory: Path, *, torn: int = 0) -> Path:
        """Put it into a journal directory; `torn` cuts that many bytes off the end."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        writer = JournalWriter(directory, self.epoch, segment_bytes=1 << 20)
        writer.append(frames(self.records), len(self.records))
        writer.close()
        if torn:
            data = writer.path.read_bytes()
            writer.path.write_bytes(data[:-torn])
        return writer.path


def frames(records: Iterable[Record]) -> bytes:
    return b"".join(frame(encode(record)) for record in records)


def one_fill(key: str, *, qty: int, cloid: ClientId | None, px: int) -> Fill:
    return Fill(
        key=key, market=MARKET, leg=Leg.YES, side=Side.BUY, px=Px(px), qty=Qty(qty), fee=Cash(1), kind=FillKind.TRADE,
        maker=True, client_id=cloid, venue_order_id="77", venue_ms=EPOCH,
    )  # fmt: skip


def books(cash: int, *, yes: int = 0, cost: int = 0, fills: int = 0) -> Carried:
    held: Sequence[CarriedPosition] = ()
    if yes:
        held = (
            CarriedPosition(
                market=MARKET, yes=Qty(yes), no=Qty(0), cost_yes=Cash(cost), cost_no=Cash(0), realised=Cash(0),
                fees=Cash(0), volume=Cash(cost), fills=fills, ref2=10**8,
            ),
        )  # fmt: skip
    return Carried(
        account=ACCOUNT, epoch_ms=EPOCH, cash=Cash(cash), deposits=Cash(cash), adjustments=Cash(0), realised=Cash(0),
        fees=Cash(0), volume=Cash(cost), fills=fills, settlements=0, settlements_held=0, high_water=Cash(cash),
        max_drawdown=Cash(0), earned=((Cash(0), 0),) * 3, positions=tuple(held), settled=(),
        last_fill_ms=0, fills_from_ms=0, seen=(),
    )  # fmt: skip


def whole_run(epoch: int = EPOCH) -> Script:
    """A little of everything."""
    return (
        Script(epoch).boot().books().place(heard=None).opened().fill().books(80, yes=40, cost=20, fills=1)
        .pause("nobody").kill().note("swept one order")
    )  # fmt: skip
