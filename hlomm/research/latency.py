"""How late things are in a backtest: three legs, each a constant or drawn from what was measured.

- `feed`: added to the recorded receive times, which contain the recorder's own feed latency already. 0 by default.
- `entry`: from sending a request to its effect at the venue.
- `response`: from its effect, or a fill, to our knowing it.

Draws are counter based: the n-th draw of a leg is a function of (seed, leg, n) alone. Requests are numbered as they are
sent, prints and events by their place on the tape, so the n-th request is as late in one run as in another that fills
differently. Nothing overtakes on its way: a request that is sent later arrives no earlier, and so does news of one
order, and of the feed.

A file of measured latencies is JSON: `{"latency": {LEG: {"samples_ns": [...]}}}`, as `hlomm calibrate` writes it, with
any other keys beside. A draw is one of the samples, each as likely as the others. (QUANT 9.)
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

import attrs
import msgspec

from hlomm.domain.faults import UsageError
from hlomm.domain.times import NS_PER_MS, NS_PER_S

MAX_NS: Final = 60 * NS_PER_S
"""Longer than this is no latency but an outage."""
SAMPLES_MAX: Final = 1_000_000

_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ns|us|ms|s)", re.ASCII)
_UNITS: Final[Mapping[str, int]] = {"ns": 1, "us": 1_000, "ms": NS_PER_MS, "s": NS_PER_S}
_WORD: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15


class Leg(StrEnum):
    FEED = "feed"
    ENTRY = "entry"
    RESPONSE = "response"


@attrs.frozen
class Constant:
    """The same every time."""

    ns: int = attrs.field(validator=[attrs.validators.ge(0), attrs.validators.le(MAX_NS)])

    def at(self, _: int) -> int:
        return self.ns

    def tag(self) -> str:
        return _text(self.ns)


@attrs.frozen
class Drawn:
    """One of the samples, by the number of the draw."""

    samples_ns: tuple[int, ...] = attrs.field(repr=False)
    key: int
    """Seed and leg in one word."""
    seed: int
    name: str
    """Of the file."""

    def at(self, n: int) -> int:
        return self.samples_ns[_mixed(self.key + (n + 1) * _GOLDEN) * len(self.samples_ns) >> 64]

    def tag(self) -> str:
        """With the median and a digest of the samples, so that two files of one name are told apart."""
        ordered = sorted(self.samples_ns)
        median = _text(ordered[len(ordered) // 2])
        digest = hashlib.blake2b(repr(ordered).encode(), digest_size=4).hexdigest()
        return f"drawn({self.name} {digest}, {len(ordered)} samples, median {median}, seed {self.seed})"


Delay = Constant | Drawn


def least_ns(delay: Delay) -> int:
    """The shortest there can be."""
    return delay.ns if isinstance(delay, Constant) else min(delay.samples_ns)


@attrs.frozen(kw_only=True)
class Latency:
    """All three legs. Defaults: half of the venue's typical 380 ms from sending to the answer, each way."""

    feed: Delay = Constant(0)
    entry: Delay = Constant(190 * NS_PER_MS)
    response: Delay = Constant(190 * NS_PER_MS)

    @property
    def seed(self) -> int | None:
        """Of its draws; None if nothing is drawn."""
        return next((leg.seed for leg in (self.feed, self.entry, self.response) if isinstance(leg, Drawn)), None)

    def tag(self) -> str:
        feed = "recorded" if self.feed == Constant(0) else f"recorded+{self.feed.tag()}"
        kind = "const" if self.seed is None else "drawn"
        return f"latency-{kind} feed={feed} entry={self.entry.tag()} response={self.response.tag()}"


def parse_latency(text: str, seed: int) -> Latency:
    """`LEG=DURATION` or `LEG=FILE`, with commas; a bare FILE is its entry and response. UsageError with the remedy.

    A bare file leaves the feed as recorded: what it measured of the feed is in the receive times.
    """
    legs: dict[Leg, Delay] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals:
            found = _read(Path(part))
            missing = [leg.value for leg in (Leg.ENTRY, Leg.RESPONSE) if leg not in found]
            if missing:
                raise UsageError(f"{part}: no samples of {' and '.join(missing)}")
            for leg in (Leg.ENTRY, Leg.RESPONSE):
                legs.setdefault(leg, _drawn(found[leg], leg, seed, part))
            continue
        if name not in set(Leg):
            raise UsageError(f"--latency {part}: no leg {name!r}; there are: {', '.join(Leg)}")
        leg = Leg(name)
        if (match := _DURATION.fullmatch(value)) is not None:
            ns = round(float(match[1]) * _UNITS[match[2]])
            if ns > MAX_NS:
                raise UsageError(f"--latency {part}: more than {_text(MAX_NS)} is no latency but an outage")
            legs[leg] = Constant(ns)
            continue
        samples = _read(Path(value))
        if leg not in samples:
            raise UsageError(f"{value}: no samples of {name}; it has {', '.join(samples) or 'none'}")
        legs[leg] = _drawn(samples[leg], leg, seed, value)
    return attrs.evolve(Latency(), **{leg.value: delay for leg, delay in legs.items()})


def drawn(samples_ns: tuple[int, ...], leg: Leg, seed: int, name: str = "samples") -> Drawn:
    """Draws of a leg. UsageError unless the samples are latencies."""
    if not 0 < len(samples_ns) <= SAMPLES_MAX:
        raise UsageError(f"{name}: {len(samples_ns)} samples of {leg}, expected 1 to {SAMPLES_MAX}")
    if min(samples_ns) < 0 or max(samples_ns) > MAX_NS:
        raise UsageError(f"{name}: a {leg} latency is from 0 to {_text(MAX_NS)}, and one of its samples is not")
    word = hashlib.blake2b(f"{seed}:{leg}".encode(), digest_size=8).digest()
    return Drawn(samples_ns=samples_ns, key=int.from_bytes(word, "big"), seed=seed, name=name)


def _drawn(samples_ns: tuple[int, ...], leg: Leg, seed: int, path: str) -> Drawn:
    return drawn(samples_ns, leg, seed, Path(path).name)


class _Samples(msgspec.Struct):
    samples_ns: tuple[int, ...]


class _File(msgspec.Struct):
    latency: dict[str, _Samples]


def _read(path: Path) -> dict[Leg, tuple[int, ...]]:
    try:
        document = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        hint = "expected LEG=DURATION such as entry=190ms, or a file of measured latencies"
        raise UsageError(f"{path}: {error.strerror or error} — {hint}") from None
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}: not a file of latencies ({error})") from None
    return {leg: document.latency[leg].samples_ns for leg in Leg if leg in document.latency}


def _mixed(word: int) -> int:
    """Splitmix64's finaliser: 64 bits that look independent for successive inputs."""
    word &= _WORD
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _WORD
    return word ^ (word >> 31)


def _text(ns: int) -> str:
    return f"{ns / NS_PER_MS:g}ms"
