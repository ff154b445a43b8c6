"""A picture fits its frame: what is left out is what matters least, and the picture says how much."""

from __future__ import annotations

import msgspec
import pytest

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.ids import MarketId
from hlomm.domain.report import Snapshot
from hlomm.link.picture import PICTURE_MAX, encode_picture, left_out_text, market_rank
from hlomm.link.protocol import MAX_FRAME, Answer, EncodedAnswer, EncodedUpdate, Update, decode_to_client, encode
from tests.tui.examples import snapshot


def grown(markets: int) -> Snapshot:
    """Those of the example at the end of so many that nobody quotes."""
    seen = snapshot()
    idle = msgspec.structs.replace(
        seen.engine.markets[0], strategy="", own_bid=None, own_ask=None, yes=0, no=0, settled=None
    )
    rows = [msgspec.structs.replace(idle, id=MarketId(f"hl:#{number}")) for number in range(markets)]
    engine = msgspec.structs.replace(seen.engine, markets=(*rows, *seen.engine.markets))
    return msgspec.structs.replace(seen, engine=engine)


def read(seen: Snapshot, room: int = PICTURE_MAX) -> Snapshot:
    body = encode_picture(seen, room)
    assert len(bytes(body)) <= room
    return msgspec.msgpack.decode(bytes(body), type=Snapshot)


def test_what_fits_is_told_whole() -> None:
    seen = grown(500)
    assert read(seen) == seen
    assert left_out_text(seen.engine) == ""


def test_of_ten_thousand_markets_those_that_concern_us_are_told() -> None:
    seen = grown(10_000)
    told = read(seen).engine
    assert len(msgspec.msgpack.encode(seen)) > MAX_FRAME
    ours = [row for row in seen.engine.markets if market_rank(row) == 0]
    assert ours
    assert [row for row in told.markets if market_rank(row) == 0] == ours
    assert told.left_out == {"markets": len(seen.engine.markets) - len(told.markets)}
    assert len(told.markets) > 3_000, "no more is left out than must be"
    assert (told.orders, told.positions, told.pnl) == (seen.engine.orders, seen.engine.positions, seen.engine.pnl)
    assert left_out_text(told) == f"rows left out, too many for one picture: {told.left_out['markets']} of markets"


def test_rows_keep_their_order() -> None:
    seen = grown(10_000)
    places = {row.id: at for at, row in enumerate(seen.engine.markets)}
    told = [places[row.id] for row in read(seen).engine.markets]
    assert told == sorted(told)


@pytest.mark.parametrize("table", ["orders", "positions", "recent_fills"])
def test_every_table_that_grows_is_cut_before_the_picture_is_given_up(table: str) -> None:
    seen = snapshot()
    rows = getattr(seen.engine, table)
    engine = msgspec.structs.replace(seen.engine, **{table: rows * (8_000_000 // len(msgspec.msgpack.encode(rows)))})
    told = read(msgspec.structs.replace(seen, engine=engine)).engine
    assert told.left_out[table] + len(getattr(told, table)) == len(getattr(engine, table))
    assert told.markets == seen.engine.markets


def test_what_cannot_be_cut_is_refused() -> None:
    with pytest.raises(ProtocolViolation):
        encode_picture(snapshot(), 100)


def test_an_encoded_message_reads_as_the_one_that_it_stands_for() -> None:
    seen = snapshot()
    body = encode_picture(seen)
    assert decode_to_client(encode(EncodedAnswer(id=3, snapshot=body))[4:]) == Answer(id=3, snapshot=seen)
    assert decode_to_client(encode(EncodedUpdate(id=3, snapshot=body))[4:]) == Update(id=3, snapshot=seen)
    for one, other in ((EncodedAnswer, Answer), (EncodedUpdate, Update)):
        assert one.__struct_fields__ == other.__struct_fields__
