"""The ledger as a fold of the journal: records in, rows out, the same rows whenever it is done.

A batch is one transaction and ends with how far it came, so a record counts once however often it is offered, and a
process that dies leaves a ledger that is behind but never wrong. Records must come without a hole: what is missing is
asked from the journal (`Hole`), and only what the journal itself no longer has is noted as a gap.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from hlomm.daemon.ledger_books import book_rows
from hlomm.daemon.ledger_orders import Orders
from hlomm.daemon.ledger_sieve import Passed, Sifted
from hlomm.domain.carried import Carried, CarriedBooks
from hlomm.domain.faults import HlommError
from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import HYPERLIQUID, MarketId, VenueId, venue_of
from hlomm.domain.inputs import Booted, FillReceived, FillVoided, FundingPaid, MarketSettled
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, yes_px
from hlomm.domain.outputs import (
    Alert,
    AmendOrders,
    CancelOrders,
    ConvertSet,
    HaltChanged,
    HaltState,
    Output,
    PlaceOrders,
)
from hlomm.journal.codec import CheckpointRecord, InputRecord, NoteRecord, TurnRecord
from hlomm.journal.commands import Commands, Told
from hlomm.rundir.ledger_schema import exact

_MINUTE_MS: Final = 60_000
_TRACKER = msgspec.msgpack.Decoder(Commands)


class Hole(HlommError):  # noqa: N818 - it says what was met, the caller decides what it means
    """A record came whose predecessor the ledger has not seen."""


class Fold:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._orders = Orders(connection)
        self._inputs: dict[type, Callable[[Any, int], None]] = self._orders.handlers | {
            Booted: self._booted, FillReceived: self._fill, FillVoided: self._voided, FundingPaid: self._funding,
            MarketSettled: self._settled,
        }  # fmt: skip
        self._epoch = self._seq = 0
        self._accounts: dict[VenueId, str] = {}
        self._opened: set[str] = set()
        """Accounts whose books are open: those of the checkpoints so far."""
        self._decided = 0
        """Order actions of the turn so far: one output may hold several."""
        self.commands = Commands()
        self._load()

    @property
    def position(self) -> tuple[int, int]:
        """(epoch, seq) of the last record folded."""
        return self._epoch, self._seq

    def apply(self, records: Iterable[tuple[int, Sifted]], *, gaps: bool) -> int:
        """Fold a batch in one transaction; returns how many were new. `gaps` says whether holes are final.

        sqlite3.Error or Hole: nothing of the batch counts.
        """
        connection = self._connection
        before = self.position
        connection.execute("BEGIN IMMEDIATE")
        try:
            count = sum(self._record(epoch, record, gaps=gaps) for epoch, record in records)
            if self.position != before:
                connection.execute("INSERT OR REPLACE INTO progress VALUES (?, ?)", self.position)
                connection.execute(
                    "INSERT OR REPLACE INTO tracker VALUES (1, ?)", (msgspec.msgpack.encode(self.commands),)
                )
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._load()
            raise
        return count

    def _load(self) -> None:
        """Go on where the file says."""
        row = self._connection.execute("SELECT epoch, seq FROM progress ORDER BY epoch DESC LIMIT 1").fetchone()
        self._epoch, self._seq = (0, 0) if row is None else row
        self._accounts, self._opened = self._run_of(self._epoch)
        state = self._connection.execute("SELECT state FROM tracker").fetchone()
        self.commands = Commands() if state is None else _TRACKER.decode(state[0])

    def _record(self, epoch: int, record: Sifted, *, gaps: bool) -> int:
        """How many records that were new."""
        seq = record.seq
        if (epoch, seq) <= (self._epoch, self._seq):
            return 0
        expected = self._seq + 1 if epoch == self._epoch else 1
        first = max(record.first, expected) if isinstance(record, Passed) else seq
        if first != expected:
            if not gaps:
                raise Hole(f"record {expected} of run {epoch} is missing (found {first})")
            self._execute("INSERT OR REPLACE INTO gaps VALUES (?, ?, ?)", epoch, expected - 1, first)
        if epoch != self._epoch:
            self._leave_run()
            self._accounts, self._opened = {}, set()
        self._epoch, self._seq = epoch, seq
        if type(record) is InputRecord:
            handler = self._inputs.get(type(record.item))
            if handler is not None:
                handler(record.item, record.now.wall_ms)
        elif type(record) is TurnRecord:
            self._decided = 0
            for n, output in enumerate(record.outputs):
                self._output(n, output, record.now.wall_ms)
        elif type(record) is CheckpointRecord:
            self._books(record.books, record.now.wall_ms)
        elif type(record) is NoteRecord:
            self._alert(0, "note", "note", record.text, None, record.now.wall_ms)
        if not isinstance(record, Passed):
            told = self.commands.feed(epoch, record)
            if told is not None:
                self._told(told)
        return seq - first + 1

    def _execute(self, statement: str, *values: object) -> int:
        return self._connection.execute(statement, values).rowcount

    def _leave_run(self) -> None:
        if self._epoch:
            self._execute("INSERT OR REPLACE INTO progress VALUES (?, ?)", self._epoch, self._seq)

    # -- inputs

    def _run_of(self, epoch: int) -> tuple[dict[VenueId, str], set[str]]:
        """(accounts of a run by venue, those whose books are open)."""
        run = self._connection.execute("SELECT account, opened FROM runs WHERE epoch = ?", (epoch,)).fetchone()
        if run is None:
            return {}, set()
        told = self._connection.execute("SELECT venue, account FROM accounts WHERE epoch = ?", (epoch,)).fetchall()
        accounts = {VenueId(venue): str(account) for venue, account in told} or {HYPERLIQUID: str(run[0])}
        opened = self._connection.execute("SELECT DISTINCT account FROM pnl WHERE epoch = ?", (epoch,))
        return accounts, {str(account) for (account,) in opened} if run[1] else set()

    def _account(self, market: str) -> str:
        """The account that a market belongs to."""
        return self._accounts.get(venue_of(MarketId(market)), "")

    def _booted(self, item: Booted, wall_ms: int) -> None:
        self._accounts = item.account_of
        for venue, account in item.accounts:
            self._execute("INSERT OR REPLACE INTO accounts VALUES (?,?,?)", self._epoch, venue, account)
        self._execute(
            "INSERT OR REPLACE INTO runs VALUES (?,?,?,?,?,?,?,0,?)", self._epoch, item.profile, item.version,
            item.account, wall_ms, item.halted, int(item.carried is not None), HaltState.STARTING.value,
        )  # fmt: skip

    def _fill(self, item: FillReceived, wall_ms: int) -> None:
        for fill in item.fills:
            self._one_fill(fill, wall_ms)

    def _one_fill(self, fill: Fill, wall_ms: int) -> None:
        account = self._account(fill.market)
        booked = account in self._opened
        new = self._execute(
            "INSERT OR IGNORE INTO fills VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", account, fill.key,
            self._epoch, self._seq, wall_ms, fill.venue_ms, fill.market, Leg(fill.leg).name, Side(fill.side).name,
            exact(fill.px), exact(fill.qty), exact(fill.fee), fill.kind.value, int(fill.maker), fill.client_id,
            fill.venue_order_id, int(booked),
        )  # fmt: skip
        if new and fill.kind is FillKind.SETTLEMENT and booked:
            self._settlement(fill.market, yes_px(fill.leg, fill.px), "settlement fill", wall_ms)
        if new and fill.client_id is not None:
            self._orders.filled(fill.client_id, fill.qty, wall_ms)

    def _voided(self, item: FillVoided, wall_ms: int) -> None:
        self._execute(
            "INSERT OR IGNORE INTO voids VALUES (?,?,?,?,?,?)", self._account(item.fill.market), item.fill.key,
            self._epoch, self._seq, wall_ms, item.reason,
        )  # fmt: skip

    def _funding(self, item: FundingPaid, _: int) -> None:
        account = self._account(item.market)
        self._execute(
            "INSERT OR IGNORE INTO funding VALUES (?,?,?,?,?,?,?,?)", account, item.key, self._epoch, self._seq,
            item.venue_ms, item.market, exact(item.amount), int(account in self._opened),
        )  # fmt: skip

    def _settled(self, item: MarketSettled, wall_ms: int) -> None:
        self._settlement(item.market, item.yes_px, item.detail, wall_ms)

    def _settlement(self, market: str, px: int, detail: str, wall_ms: int) -> None:
        self._execute(
            "INSERT OR IGNORE INTO settlements VALUES (?,?,?,?,?,?,?)", self._account(market), market, self._epoch,
            self._seq, wall_ms, exact(px), detail,
        )  # fmt: skip

    # -- decisions

    def _output(self, n: int, output: Output, wall_ms: int) -> None:
        match output:
            case PlaceOrders(orders=orders):
                for order in orders:
                    self._orders.placed(order, self._epoch, self._seq, wall_ms)
                    self._decision("place", order, wall_ms)
            case AmendOrders(amends=amends):
                for amend in amends:
                    self._orders.amend_sent(amend, wall_ms)
                    self._decision("amend", amend, wall_ms)
            case CancelOrders(cancels=cancels):
                for cancel in cancels:
                    self._orders.cancel_sent(cancel.client_id, wall_ms)
                    self._decision("cancel", cancel, wall_ms)
            case ConvertSet(action=action):
                self._decision(action.value, output, wall_ms)
            case Alert():
                self._alert(n, output.level.value, output.code, output.text, output.market, wall_ms)
            case HaltChanged():
                self._halt(n, output, wall_ms)

    def _decision(self, kind: str, what: Any, wall_ms: int) -> None:
        leg, side = getattr(what, "leg", None), getattr(what, "side", None)
        client_id, purpose = getattr(what, "client_id", None), getattr(what, "purpose", None)
        self._execute(
            "INSERT INTO decisions VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", self._epoch, self._seq, self._decided, wall_ms,
            kind, what.market, client_id, None if leg is None else Leg(leg).name,
            None if side is None else Side(side).name, exact(getattr(what, "px", None)),
            exact(getattr(what, "qty", None)), None if purpose is None else purpose.value,
        )  # fmt: skip
        self._decided += 1

    def _alert(self, n: int, level: str, code: str, text: str, market: str | None, wall_ms: int) -> None:
        self._execute(
            "INSERT INTO alerts VALUES (?,?,?,?,?,?,?,?)", self._epoch, self._seq, n, wall_ms, level, code, text, market
        )

    def _halt(self, n: int, change: HaltChanged, wall_ms: int) -> None:
        self._execute(
            "INSERT INTO halts VALUES (?,?,?,?,?,?,?)", self._epoch, self._seq, n, wall_ms, change.state.value,
            change.reason, int(change.persist),
        )  # fmt: skip
        self._execute("UPDATE runs SET state = ? WHERE epoch = ?", change.state.value, self._epoch)

    def _told(self, told: Told) -> None:
        self._execute(
            "INSERT INTO commands VALUES (?,?,?,?,?,?,?,?)", told.epoch, told.seq, told.wall_ms, told.action, told.who,
            told.reason, told.target, told.result,
        )  # fmt: skip

    def _books(self, carried: Carried, wall_ms: int) -> None:
        if not self._opened:
            self._execute("UPDATE runs SET opened = 1 WHERE epoch = ?", self._epoch)
        for books in carried.books:
            self._opened.add(books.account)  # fills told before the first checkpoint are inside what it opened with
            self._account_rows(books, carried.max_drawdown, wall_ms)

    def _account_rows(self, books: CarriedBooks, max_drawdown: int, wall_ms: int) -> None:
        """One account as it stands; the drawdown is that of all accounts together."""
        rows = book_rows(books)
        self._execute("DELETE FROM positions WHERE account = ?", books.account)
        for row in rows:
            self._execute(
                "INSERT INTO positions VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", books.account, row.market, self._epoch,
                self._seq, wall_ms, row.kind, *map(exact, row.amounts()), row.fills,
            )  # fmt: skip
        cost, value = sum(row.cost for row in rows), sum(row.value for row in rows)
        self._execute(
            "INSERT OR REPLACE INTO pnl VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", books.account, wall_ms // _MINUTE_MS,
            self._epoch, self._seq, wall_ms,
            *map(exact, (books.cash, cost, books.realised, value - cost, books.fees)),
            exact(books.realised + value - cost - books.fees), exact(books.volume), books.fills, exact(max_drawdown),
        )  # fmt: skip
