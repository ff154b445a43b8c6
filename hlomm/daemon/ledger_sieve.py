"""What of a turn's records the ledger has to look at: under a flood of books nearly nothing.

News of markets that led to nothing become no row and settle no command; but the ledger must know that they were there,
or it would look for them in the journal. So they are passed over by number, and the loop and the ledger's thread need
not hold, hand over and look through thousands of books a second.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hlomm.domain.inputs import MARKET_NEWS
from hlomm.journal.codec import InputRecord, Record, TurnRecord


@attrs.define(eq=False)
class Passed:
    """Records without any consequence for the ledger, by the numbers of the first and the last."""

    first: int
    seq: int


Sifted = Record | Passed


def sift(records: Sequence[Record]) -> Sequence[Sifted]:
    """Records of one turn, in order: those at the beginning that only tell how markets stand are passed over.

    So is a decision that follows them and says nothing. One that answers an operator's command does not: the command
    comes before it.
    """
    count = 0
    for record in records:
        if type(record) is not InputRecord or type(record.item) not in MARKET_NEWS:
            break
        count += 1
    if count == len(records) - 1:
        last = records[-1]
        if type(last) is TurnRecord and not last.outputs:
            count += 1
    if not count:
        return records
    return (Passed(records[0].seq, records[count - 1].seq), *records[count:])
