"""Records as bytes: every input and output comes back as it went in, and what is no record is called so."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.domain import inputs, outputs
from hlomm.domain.carried import Carried
from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.ids import HYPERLIQUID, MarketId
from hlomm.domain.inputs import Booted, MarkPrice, OrderAnswer, SessionDown
from hlomm.domain.outputs import Alert, AlertLevel, Output, QueryAccount, QueryOrder
from hlomm.domain.units import Px
from hlomm.journal.codec import (
    FAULT_NOTE,
    CheckpointRecord,
    InputRecord,
    NoteRecord,
    Record,
    TurnRecord,
    decode,
    encode,
    encode_outputs,
    is_checkpoint,
)
from hlomm.venues import fields
from hlomm.venues.hyperliquid.wire import descriptions
from tests.support.rig import Rig
from tests.support.values import M, usd
from tests.unit.journal.generating import INPUTS, NOW, OUTPUTS, RECORDS, any_of, paths, record_of, replaced

EVERYTHING = [*INPUTS, *OUTPUTS, *RECORDS]


def holding(kind: type[Any]) -> st.SearchStrategy[Record]:
    """Records of a type, or records that hold any value of it."""
    if kind in INPUTS:
        return st.builds(InputRecord, any_of(int), any_of(type(NOW)), any_of(kind))
    if kind in OUTPUTS:
        several = st.lists(any_of(kind), min_size=1, max_size=3).map(tuple)
        return st.builds(TurnRecord, any_of(int), any_of(type(NOW)), st.integers(0, (1 << 64) - 1), several)
    return any_of(kind)


def raw(record: Record) -> Any:
    return msgspec.msgpack.decode(encode(record))


def packed(value: Any) -> bytes:
    return msgspec.msgpack.encode(value)


# -- there and back


@pytest.mark.parametrize("kind", EVERYTHING, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=15)
def test_every_type_comes_back_as_it_went_in(kind: type[Any], data: st.DataObject) -> None:
    record = data.draw(holding(kind))
    again = decode(encode(record))
    assert again == record
    assert type(again) is type(record)
    assert encode(again) == encode(record), "equal records must give equal bytes"


@pytest.mark.parametrize("kind", EVERYTHING, ids=lambda kind: kind.__name__)
def test_the_kinds_of_values_survive_too(kind: type[Any]) -> None:
    """`True == 1` and a word equals its enum: equality alone would not notice the difference."""

    def kinds(value: Any) -> Any:
        if isinstance(value, msgspec.Struct):
            return type(value), [kinds(getattr(value, field.name)) for field in msgspec.structs.fields(value)]
        return [kinds(part) for part in value] if isinstance(value, tuple) else type(value)

    record = record_of(kind)
    assert kinds(decode(encode(record))) == kinds(record)


@pytest.mark.parametrize(("union", "module", "base"), [(INPUTS, inputs, "_Input"), (OUTPUTS, outputs, "_Output")])
def test_every_type_of_the_file_is_in_its_union(union: tuple[type[Any], ...], module: Any, base: str) -> None:
    """A type that is defined and not listed would be refused only when it first comes back from disk."""
    defined = {value for value in vars(module).values() if getattr(value, "__bases__", ()) == (getattr(module, base),)}
    assert len(defined) > 8
    assert set(union) == defined


def test_a_type_outside_the_unions_is_noticed_by_that_test() -> None:
    class _Base(msgspec.Struct, array_like=True, tag=True):
        pass

    class Stray(_Base):
        pass

    assert Stray.__bases__ == (_Base,)
    with pytest.raises(msgspec.ValidationError, match="Stray"):
        decode(packed(["i", 1, [1, 1], packed_item(Stray())]))


def packed_item(value: Any) -> Any:
    return msgspec.msgpack.decode(packed(value))


def test_a_field_of_an_unknown_kind_is_noticed_by_the_generator() -> None:
    class Odd(msgspec.Struct):
        weights: dict[str, int]

    with pytest.raises(TypeError, match="no values are known"):
        any_of(Odd)


@pytest.mark.parametrize("kinds", [INPUTS, OUTPUTS, RECORDS], ids=["inputs", "outputs", "records"])
def test_every_type_has_a_tag_of_its_own(kinds: tuple[type[Any], ...]) -> None:
    tags = [kind.__struct_config__.tag for kind in kinds]
    assert len(set(tags)) == len(tags)


def test_one_turn_may_hold_every_output_at_once() -> None:
    every: list[Output] = []
    for kind in OUTPUTS:
        record = record_of(kind)
        assert isinstance(record, TurnRecord)
        every += record.outputs
    turn = TurnRecord(1, NOW, 0, tuple(every))
    again = decode(encode(turn))
    assert again == turn
    assert isinstance(again, TurnRecord)
    assert [type(output) for output in again.outputs] == list(OUTPUTS)


def test_text_of_any_language_survives_and_its_length_is_no_matter() -> None:
    for text in ("", "Zürich · 東京 · 🙂", "\0", "x" * 70_000, f"{FAULT_NOTE}ZeroDivisionError('…')"):
        assert decode(encode(NoteRecord(1, NOW, text))) == NoteRecord(1, NOW, text)


# -- what decides whether a replay is identical


@given(st.lists(st.sampled_from(OUTPUTS), max_size=4), st.lists(st.sampled_from(OUTPUTS), max_size=4))
def test_outputs_are_compared_by_kind_value_and_order(ours: list[type[Any]], theirs: list[type[Any]]) -> None:
    def made(kinds: list[type[Any]]) -> tuple[Output, ...]:
        records = [record_of(kind) for kind in kinds]
        return tuple(record.outputs[0] for record in records if isinstance(record, TurnRecord))

    assert (encode_outputs(made(ours)) == encode_outputs(made(theirs))) == (ours == theirs)


def test_a_list_of_outputs_and_a_tuple_of_them_are_the_same_decision() -> None:
    alert = Alert(level=AlertLevel.INFO, code="x", text="y")
    assert encode_outputs([alert]) == encode_outputs((alert,))
    assert encode_outputs([]) != encode_outputs([alert])


@pytest.mark.parametrize("kind", OUTPUTS, ids=lambda kind: kind.__name__)
def test_a_change_of_any_field_of_an_output_changes_its_bytes(kind: type[Any]) -> None:
    record = record_of(kind)
    assert isinstance(record, TurnRecord)
    (output,) = record.outputs
    for field in msgspec.structs.fields(kind):
        value = getattr(output, field.name)
        other: Any = f"{value}!" if isinstance(value, str) else not value if isinstance(value, bool) else ()
        if isinstance(value, int) and not isinstance(value, bool):
            other = value + 1
        changed = msgspec.structs.replace(output, **{field.name: other})
        assert encode_outputs([changed]) != encode_outputs([output]), field.name


# -- checkpoints are found without decoding


@given(st.one_of(*map(holding, RECORDS)))
def test_checkpoints_are_told_from_the_first_bytes(record: Record) -> None:
    assert is_checkpoint(encode(record)) is isinstance(record, CheckpointRecord)


@pytest.mark.parametrize("payload", [b"", b"\x94", b"\x94\xa1", b"c", b"\xa1c"])
def test_scraps_are_no_checkpoints(payload: bytes) -> None:
    assert not is_checkpoint(payload)


# -- what is no record


@pytest.mark.parametrize("kind", EVERYTHING, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("wrong", [{}, -1.5, b"bytes"], ids=["map", "fraction", "bytes"])
def test_a_wrong_kind_of_value_in_any_place_is_refused(kind: type[Any], wrong: Any) -> None:
    good = raw(record_of(kind))
    for at in paths(good):
        with pytest.raises(msgspec.ValidationError):
            decode(packed(replaced(good, at, wrong)))


@pytest.mark.parametrize("kind", EVERYTHING, ids=lambda kind: kind.__name__)
def test_words_for_numbers_and_numbers_for_words_are_refused(kind: type[Any]) -> None:
    good = raw(record_of(kind))
    for at in paths(good):
        here = good
        for index in at:
            here = here[index]
        if isinstance(here, str | int) and not isinstance(here, bool):
            with pytest.raises(msgspec.ValidationError):
                decode(packed(replaced(good, at, 7 if isinstance(here, str) else "seven")))


@pytest.mark.parametrize("kind", EVERYTHING, ids=lambda kind: kind.__name__)
def test_bytes_cut_anywhere_or_followed_by_more_are_refused(kind: type[Any]) -> None:
    payload = encode(record_of(kind))
    for end in range(len(payload)):
        with pytest.raises(msgspec.DecodeError):
            decode(payload[:end])
    with pytest.raises(msgspec.DecodeError):
        decode(payload + b"\x00")


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (["z", 1, [1, 1], "text"], "Invalid value 'z'"),
        (["i", 1, [1, 1], ["Invented", 1]], "Invalid value 'Invented'"),
        (["t", 1, [1, 1], 0, [["SessionUp", "hyperliquid"]]], "Invalid value 'SessionUp'"),
        (["i", 1, [1, 1], ["QueryAccount", "hyperliquid"]], "Invalid value 'QueryAccount'"),
        (["i", 1, [1, 1]], "length"),
        (["i", 1, [1], ["SessionUp", "hyperliquid"]], "length"),
        ({"seq": 1}, "Expected `array`"),
        (None, "Expected `array`"),
    ],
)
def test_the_refusal_names_what_is_wrong(value: Any, named: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=named):
        decode(packed(value))


def test_a_word_outside_its_list_is_refused() -> None:
    good = raw(record_of(Alert))
    place = next(at for at in paths(good) if at and _at(good, at) == "info")
    with pytest.raises(msgspec.ValidationError, match="shout"):
        decode(packed(replaced(good, place, "shout")))


def _at(value: Any, path: tuple[int, ...]) -> Any:
    for index in path:
        value = value[index]
    return value


@given(st.binary(max_size=60))
def test_any_bytes_are_a_record_or_a_named_refusal(payload: bytes) -> None:
    """Nothing but DecodeError: that is the one thing readers catch."""
    try:
        record = decode(payload)
    except msgspec.DecodeError:
        return
    assert isinstance(record, RECORDS)


@given(st.sampled_from(EVERYTHING), st.data())
@settings(max_examples=200)
def test_a_record_with_bytes_exchanged_is_a_record_or_a_named_refusal(kind: type[Any], data: st.DataObject) -> None:
    payload = bytearray(encode(record_of(kind)))
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        record = decode(bytes(payload))
    except msgspec.DecodeError:
        return
    assert isinstance(record, RECORDS)


# -- journals of before


@pytest.mark.parametrize("kind", [*INPUTS, *OUTPUTS], ids=lambda kind: kind.__name__)
def test_what_has_a_default_may_be_missing_and_nothing_else(kind: type[Any]) -> None:
    """Fields appended later carry defaults, so that journals written before them can still be read."""
    good = raw(record_of(kind))
    place = (3,) if kind in INPUTS else (4, 0)
    item = _at(good, place)
    known = list(msgspec.structs.fields(kind))
    assert len(item) == len(known) + 1, "a tag and the fields"
    needed = sum(field.required for field in known)
    for size in range(len(item)):
        payload = packed(replaced(good, place, item[:size]))
        if size <= needed:
            with pytest.raises(msgspec.ValidationError):
                decode(payload)
            continue
        record = decode(payload)
        read = record.item if isinstance(record, InputRecord) else record.outputs[0]  # type: ignore[union-attr]
        for field in known[size - 1 :]:
            assert getattr(read, field.name) == field.default


def test_bytes_written_by_the_first_version_are_read_today() -> None:
    """Written out by hand: if this fails, SCHEMA must rise."""
    for payload, record in (
        (
            b"\x94\xa1i\x01\x92\x05\x06\x94\xabSessionDown\xabhyperliquid\xa4gone\xc3",
            InputRecord(1, type(NOW)(5, 6), SessionDown(HYPERLIQUID, "gone", rest=True)),
        ),
        (
            b"\x94\xa1i\x02\x92\x05\x06\x96\xa6Booted\x07\xa3sim\xa10\xa2{}\xc0",
            InputRecord(2, type(NOW)(5, 6), Booted(epoch_ms=7, profile="sim", version="0", config="{}", halted=None)),
        ),
        (
            b"\x95\xa1t\x03\x92\x05\x06\xcc\xff\x91\x92\xacQueryAccount\xabhyperliquid",
            TurnRecord(3, type(NOW)(5, 6), 255, (QueryAccount(HYPERLIQUID),)),
        ),
        (b"\x94\xa1n\x04\x92\x05\x06\xa5swept", NoteRecord(4, type(NOW)(5, 6), "swept")),
    ):
        assert decode(payload) == record


# -- numbers


@pytest.mark.parametrize("value", [-(1 << 63), -1, 0, 1, (1 << 63) - 1, (1 << 64) - 1])
def test_every_number_of_64_bits_survives(value: int) -> None:
    record = InputRecord(1, NOW, MarkPrice(M, Px(value), 0))
    assert decode(encode(record)) == record


@pytest.mark.parametrize("take", [fields.positive, fields.unsigned, fields.signed], ids=lambda take: take.__name__)
@pytest.mark.parametrize("text", ["92233720368", "184467440737.09551616", "200000000000", "999999999999999"])
def test_a_number_a_venue_may_say_can_be_written_down(take: Any, text: str) -> None:
    """Else one absurd figure of a venue is a fault of the engine: it is refused on the wire or fits into a record."""
    for said in (text, f"-{text}"):
        try:
            value = take(said, "number")
        except ProtocolViolation:
            continue
        encode(InputRecord(1, NOW, MarkPrice(M, Px(value), 0)))


@pytest.mark.parametrize("year", ["2261", "2554", "2600", "9999"])
def test_an_expiry_a_venue_may_say_can_be_written_down(year: str) -> None:
    """Anybody may deploy an outcome; its expiry must not be able to stop a daemon."""
    try:
        terms = descriptions.price_binary(
            f"class:priceBinary|underlying:BTC|expiry:{year}0101-0000|targetPrice:80000|period:1d"
        )
    except ProtocolViolation:
        return
    encode(InputRecord(1, NOW, MarkPrice(M, Px(terms.expiry_ns), 0)))


@pytest.mark.parametrize("gain", ["400", "500", "1000", "1000000", "-400", "-500", "-1000000"])
def test_books_that_won_or_lost_a_fortune_can_be_written_down(gain: str) -> None:
    """The attribution counts in 5e-17: 64 bits of that are some hundred dollars."""
    rig = Rig(cash=10_000_000)
    rig.state.attribution._inventory2 += 2 * 10**8 * usd(gain)
    rig.state.books_moved = True
    books = rig.engine.checkpoint()
    assert isinstance(books, Carried)
    record = CheckpointRecord(1, NOW, books)
    assert decode(encode(record)) == record


def test_a_market_name_is_a_name_and_nothing_more() -> None:
    """Ids are texts of their own types here and plain texts on disk."""
    record = TurnRecord(1, NOW, 0, (QueryOrder(HYPERLIQUID, record_of(OrderAnswer).item.client_id),))  # type: ignore[union-attr]
    assert decode(encode(record)) == record
    assert isinstance(MarketId("x"), str)
