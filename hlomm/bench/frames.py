"""Market data for the wire, of the shape that was recorded: books of 20 levels a side, touches of the perp, prints.

The price walks and comes back, so that the last frame is one step from the first and the same ones can be sent round
and round. Only the venue's stamp is put in when a frame leaves. From one book to the next orders rest: 92 of 100 levels
are those of the book before, as in the two recorded hours of an outcome whenever its touch moved.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Final

import attrs

LEVELS: Final = 20
STEPS: Final = 256
"""Of the walk, one way."""
_TICKS: Final = 100_000
"""In 1.0."""
_STEP_TICKS: Final = 120
"""Of the mid between two books: enough to be worth an action."""
_HALF_TICKS: Final = 300
"""Between the mid and the nearest that may rest."""
_FAR_TICKS: Final = 20_000
"""From 0 and 1: nobody rests beyond."""
_RESIZED: Final = 1
"""Levels of a book that are of another size than in the one before (beside those that come with the walk)."""
_STAMP: Final = b"1700000000000"
BOOK, TOUCH, PRINT = "l2Book", "bbo", "trades"
_MIX: Final = (BOOK, BOOK, TOUCH, BOOK, BOOK, BOOK, BOOK, PRINT, BOOK, BOOK)
"""One of ten each is the perp's touch and a print."""


@attrs.frozen
class Frame:
    """A message with a hole where its stamp belongs (unix ms, 13 digits)."""

    kind: str
    head: bytes
    tail: bytes

    def at(self, wall_ms: int) -> bytes:
        return b"%b%d%b" % (self.head, wall_ms, self.tail)


def books(coin: str, seed: int = 1) -> list[Frame]:
    """Books around a walk from 0.5 and back, each a step from the one before, as the exchange prints them."""
    rng = random.Random(seed)
    mids, mid = [], _TICKS // 2
    for _ in range(STEPS):
        # Every step is about as long, and the walk is drawn to where it began.
        towards = -1 if mid > _TICKS // 2 else 1
        mid += _STEP_TICKS * (towards if rng.random() < 0.55 else -towards) + rng.randrange(-9, 10)
        mids.append(mid)
    resting = _Resting(rng)
    return [resting.book(coin, mid) for mid in (*mids, *reversed(mids[:-1]))]


class _Resting:
    """Who rests where, on either side; a book shows those around its mid."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._places: list[int] = []
        ticks = _FAR_TICKS
        while ticks < _TICKS - _FAR_TICKS:
            self._places.append(ticks)
            ticks += rng.randrange(40, 160)
        self._rows = {(side, at): self._row(at) for side in (-1, 1) for at in self._places}

    def book(self, coin: str, mid: int) -> Frame:
        bids = [at for at in reversed(self._places) if at <= mid - _HALF_TICKS][:LEVELS]
        asks = [at for at in self._places if at >= mid + _HALF_TICKS][:LEVELS]
        shown = [*((-1, at) for at in bids), *((1, at) for at in asks)]
        for side, at in self._rng.sample(shown, _RESIZED):
            self._rows[side, at] = self._row(at)
        rows = [self._rows[key] for key in shown]
        levels = f"[[{','.join(rows[: len(bids)])}],[{','.join(rows[len(bids) :])}]]"
        return _framed(BOOK, f'{{"coin":"{coin}","time":@,"levels":{levels},"fast":true}}')

    def _row(self, ticks: int) -> str:
        size = round(self._rng.lognormvariate(3.6, 1.2)) + 1
        return f'{{"px":"{_px(ticks)}","sz":"{size}.0","n":{self._rng.randrange(1, 5)}}}'


def touches(price: float, seed: int = 2) -> list[Frame]:
    """Touches of the perp, around one price."""
    rng, frames = random.Random(seed), []
    for _ in range(STEPS):
        bid = round(price * (1 + rng.uniform(-1e-4, 1e-4)))
        row = '{{"px":"{}.0","sz":"{:.5f}","n":{}}}'
        sides = [row.format(px, rng.uniform(0.1, 9), rng.randrange(1, 9)) for px in (bid, bid + 1)]
        frames.append(_framed(TOUCH, f'{{"coin":"BTC","time":@,"bbo":[{sides[0]},{sides[1]}]}}'))
    return frames


def prints(coin: str, seed: int = 3) -> list[Frame]:
    """Trades of the outcome, one a message. Ids repeat with the round; the stamp makes each another trade."""
    rng, frames = random.Random(seed), []
    for number in range(STEPS):
        px, size, side = _px(_TICKS // 2 + rng.randrange(-900, 900)), rng.randrange(1, 200), rng.choice("AB")
        proof, users = f"0x{rng.getrandbits(256):064x}", [f"0x{rng.getrandbits(160):040x}" for _ in range(2)]
        frames.append(
            _framed(
                PRINT,
                f'[{{"coin":"{coin}","side":"{side}","px":"{px}","sz":"{size}.0","time":@,"hash":"{proof}",'
                f'"tid":{10**12 + number},"users":["{users[0]}","{users[1]}"]}}]',
            )
        )  # fmt: skip
    return frames


def mixed(coin: str, price: float) -> Iterator[Frame]:
    """All three, for ever: eight books of ten frames."""
    of = {BOOK: cycle(books(coin)), TOUCH: cycle(touches(price)), PRINT: cycle(prints(coin))}
    return (next(of[kind]) for kind in cycle(_MIX))


def across(coins: Sequence[str], price: float) -> Iterator[Frame]:
    """The same for several contracts: each frame is the next one's, and all kinds come to each of them."""
    for number, frame in enumerate(mixed(coins[0], price)):
        coin = coins[(number + number // len(_MIX)) % len(coins)]
        told = frame.head.replace(f'"{coins[0]}"'.encode(), f'"{coin}"'.encode())
        yield frame if coin == coins[0] else Frame(frame.kind, told, frame.tail)


def _px(ticks: int) -> str:
    """Shortest decimal of a price in ticks of 0.00001."""
    return f"0.{ticks:05d}".rstrip("0")


def _framed(channel: str, data: str) -> Frame:
    head, _, tail = f'{{"channel":"{channel}","data":{data}}}'.partition("@")
    return Frame(channel, head.encode(), tail.encode())
