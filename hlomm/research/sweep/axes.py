"""Which sets of settings are tried: a grid, random draws, or a TOML file that says either.

A value is text as it would follow `--set`. `lo:hi:n` is n numbers from lo to hi, `lo..hi` a uniform draw and
`lo..hi@log` one that is uniform in the logarithm; where both ends are written without a point they are whole numbers.
"""

from __future__ import annotations

import difflib
import itertools
import json
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args, get_origin

import attrs
import msgspec

from hlomm.domain.faults import ConfigError, UsageError
from hlomm.domain.units import DECIMALS
from hlomm.research.tiers import Point
from hlomm.settings.load import Loaded, parsed_toml, toml_value, with_values
from hlomm.settings.schema import EngineSettings, Settings

POINTS_MAX: Final = 25_000


@attrs.frozen
class Axis:
    """One key of a grid."""

    key: str
    values: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Range:
    """One key of a random search."""

    key: str
    low: float
    high: float
    log: bool
    whole: bool

    def draw(self, rng: random.Random) -> str:
        if self.log:
            drawn = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
            return _text(self.key, min(max(drawn, self.low), self.high), whole=self.whole)
        if self.whole:
            return str(rng.randint(int(self.low), int(self.high)))
        return _text(self.key, rng.uniform(self.low, self.high), whole=False)


@attrs.frozen(kw_only=True)
class Plan:
    """What is to be tried, in the order in which it is numbered."""

    keys: tuple[str, ...]
    points: tuple[Point, ...]
    left_out: tuple[str, ...]
    """Sets that contradict themselves, each with its reason; they are not tried and do not count as trials."""
    repeated: int
    """Draws that came out as an earlier one."""


# -- from a command line and from a file


def axis(text: str) -> Axis:
    """`key=v1,v2,v3` or `key=lo:hi:n`; UsageError says what is wrong."""
    key, raw = _split(text, "--grid", "key=v1,v2 or key=lo:hi:n")
    return Axis(key, _values(key, raw, text))


def spread(text: str) -> Range:
    """`key=lo..hi` or `key=lo..hi@log`; UsageError says what is wrong."""
    key, raw = _split(text, "--range", "key=lo..hi or key=lo..hi@log")
    ends, at, scale = raw.partition("@")
    low_text, dots, high_text = ends.partition("..")
    low, high = _number(low_text), _number(high_text)
    if not dots or low is None or high is None or low >= high or (at and scale != "log"):
        raise UsageError(f"{text!r}: expected key=lo..hi or key=lo..hi@log, lo below hi")
    if at and low <= 0.0:
        raise UsageError(f"{text!r}: a logarithm needs an lo above 0")
    return Range(key=key, low=low, high=high, log=bool(at), whole=_whole(low_text) and _whole(high_text))


@attrs.frozen(kw_only=True)
class Asked:
    """A search as somebody wrote it down: axes, or ranges with a number of draws."""

    axes: tuple[Axis, ...] = ()
    ranges: tuple[Range, ...] = ()
    draws: int = 0
    seed: int = 1


def from_file(path: Path) -> Asked:
    """`[grid]` with lists or "lo:hi:n" by key; or `[random]` with `points`, `seed` and `[random.ranges]` by key."""
    try:
        tree = parsed_toml(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from None
    unknown = tree.keys() - {"grid", "random"}
    if unknown or len(tree) != 1:
        raise UsageError(f"{path}: expected either [grid] or [random], has {', '.join(sorted(tree)) or 'nothing'}")
    if "grid" in tree:
        return Asked(axes=tuple(_file_axis(key, value, path) for key, value in _flat(tree["grid"])))
    table = tree["random"]
    extra = table.keys() - {"points", "seed", "ranges"}
    if extra or not isinstance(table.get("points"), int) or not isinstance(table.get("seed", 1), int):
        raise UsageError(f"{path}: [random] has a whole number `points`, `seed` if you like, and [random.ranges]")
    ranges = tuple(spread(f"{key}={value}") for key, value in _flat(table.get("ranges", {})))
    return Asked(ranges=ranges, draws=table["points"], seed=table.get("seed", 1))


def _file_axis(key: str, value: Any, path: Path) -> Axis:
    if isinstance(value, str):
        return Axis(key, _values(key, value, f"{path}: {key}"))
    if not isinstance(value, list) or not value:
        raise UsageError(f'{path}: {key}: expected a list of values or "lo:hi:n"')
    return Axis(key, tuple(json.dumps(each) for each in value))  # JSON of a scalar or a list of them is TOML


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _split(text: str, option: str, shape: str) -> tuple[str, str]:
    key, equals, raw = text.partition("=")
    if not equals or not key.strip() or not raw.strip():
        raise UsageError(f"{option} {text!r}: expected {shape}")
    return key.strip(), raw.strip()


def _values(key: str, raw: str, where: str) -> tuple[str, ...]:
    low_text, _, rest = raw.partition(":")
    high_text, _, count_text = rest.partition(":")
    low, high = _number(low_text), _number(high_text)
    if low is None or high is None or not count_text.strip().isdecimal():
        return tuple(each.strip() for each in raw.split(","))
    count = int(count_text)
    if count < 2 or low == high:
        raise UsageError(f"{where!r}: n numbers from lo to hi need two ends and an n of at least 2")
    if count > POINTS_MAX:
        raise UsageError(f"{where!r}: {count} values, at most {POINTS_MAX} sets are tried")
    numbers = [low + (high - low) * at / (count - 1) for at in range(count - 1)] + [high]
    whole = _whole(low_text) and _whole(high_text) and all(number == round(number) for number in numbers)
    return tuple(_text(key, number, whole=whole) for number in numbers)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _whole(text: str) -> bool:
    return text.strip().lstrip("+-").isdecimal()


def _text(key: str, number: float, *, whole: bool) -> str:
    """To 12 digits: steps come out as people would write them. Outside of strategies nothing is finer than 1e-8."""
    if whole:
        return str(round(number))
    told = float(f"{number:.12g}")
    return repr(told if key.startswith("strategy.") else round(told, DECIMALS))


# -- checked against the settings


def plan(asked: Asked, loaded: Loaded, understood: frozenset[str] | None = None) -> Plan:
    """All sets, checked before anything runs. UsageError or ConfigError for a key or value that can never be.

    `understood`: keys of the tier, None for all.
    """
    if bool(asked.axes) == bool(asked.ranges):
        raise UsageError("say what to try: --grid KEY=VALUES, or --random N with --range KEY=LO..HI, or --points FILE")
    keys = tuple(each.key for each in (asked.axes or asked.ranges))
    if len(set(keys)) < len(keys):
        raise UsageError(f"{next(key for key in keys if keys.count(key) > 1)}: given twice")
    _check_keys(keys, understood)
    drawn = _grid(asked.axes) if asked.axes else _random(asked)
    parsed = _parsed(keys, drawn)
    points: dict[tuple[str, ...], Point] = {}
    left_out: list[str] = []
    for values in dict.fromkeys(drawn):
        point = dict(zip(keys, values, strict=True))
        try:
            with_values(loaded, {key: parsed[key, text] for key, text in point.items()})
        except ConfigError as error:
            left_out.append(f"{', '.join(f'{key}={text}' for key, text in point.items())}: {error}")
            continue
        points[values] = point
    if not points:
        raise UsageError(f"nothing is left to try; {left_out[0]}")
    repeated = len(drawn) - len(set(drawn))
    return Plan(keys=keys, points=tuple(points.values()), left_out=tuple(left_out), repeated=repeated)


def _grid(axes: Sequence[Axis]) -> list[tuple[str, ...]]:
    count = math.prod(len(each.values) for each in axes)
    if count > POINTS_MAX:
        raise UsageError(f"{count} combinations, at most {POINTS_MAX} are tried — a coarser grid, or --random N")
    return list(itertools.product(*(each.values for each in axes)))


def _random(asked: Asked) -> list[tuple[str, ...]]:
    """Point by point, within a point key by key: another N is the same beginning."""
    if not 1 <= asked.draws <= POINTS_MAX:
        raise UsageError(f"--random {asked.draws}: between 1 and {POINTS_MAX} sets are tried")
    rng = random.Random(asked.seed)
    return [tuple(each.draw(rng) for each in asked.ranges) for _ in range(asked.draws)]


def _parsed(keys: Sequence[str], drawn: Sequence[Sequence[str]]) -> dict[tuple[str, str], Any]:
    """Every distinct value through the loader, once. ConfigError lists all that no setting can have."""
    kinds = leaves()
    found: dict[tuple[str, str], Any] = {}
    wrong: list[str] = []
    for column, key in enumerate(keys):
        for text in dict.fromkeys(values[column] for values in drawn):
            found[key, text] = value = toml_value(text)
            try:
                msgspec.convert(value, kinds[key])
            except msgspec.ValidationError as error:
                wrong.append(f"{key}={text}: {error} — see its comment in config/default.toml")
    if wrong:
        raise ConfigError("\n".join(wrong[:10] + ([f"and {len(wrong) - 10} more"] if len(wrong) > 10 else [])))
    return found


def _check_keys(keys: Sequence[str], understood: frozenset[str] | None) -> None:
    known = leaves()
    for key in keys:
        if key in known and (understood is None or key in understood):
            continue
        offered = known if understood is None else understood
        near = difflib.get_close_matches(key, sorted(offered), n=1, cutoff=0.5)
        remedy = f"did you mean {near[0]}?" if near else "`hlomm config show` lists them"
        if key in known:
            raise UsageError(f"{key}: this tier does not understand it; it knows: {', '.join(sorted(offered))}")
        if key.partition(".")[0] in set(Settings.__struct_fields__) - set(EngineSettings.__struct_fields__):
            raise UsageError(f"{key}: no decision depends on it, so there is nothing to try — {remedy}")
        raise UsageError(f"{key}: no such setting — {remedy}")


def leaves(kind: type[msgspec.Struct] = EngineSettings, prefix: str = "") -> dict[str, Any]:
    """Kind of value by dotted key, of everything that decisions depend on and that is no list of tables."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            found |= leaves(field.type, f"{prefix}{field.name}.")
        elif not _tables(field.type):
            found[f"{prefix}{field.name}"] = field.type
    return found


def _tables(kind: Any) -> bool:
    row = get_args(kind)[0] if get_origin(kind) is tuple else None
    return isinstance(row, type) and issubclass(row, msgspec.Struct)
