"""Layers to one checked configuration, with the origin of every value.

An error names the file (or layer), the key and the remedy; all errors of a run are reported together.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import msgspec

from hlomm.domain.faults import ConfigError
from hlomm.rundir.bounded_read import read_path
from hlomm.settings.contradictions import contradictions, session_contradictions
from hlomm.settings.mistakes import EVENTS_FILE, mistakes
from hlomm.settings.schema import ENGINE_SECTIONS, EngineSettings, Limits, Settings

PROFILES: Final = ("sim", "paper", "testnet", "mainnet")
UNREAL: Final = frozenset({"sim", "paper"})
"""Profiles in which no order of ours ever reaches a real venue."""
ENV_PREFIX: Final = "HL_OMM__"
FILE_MAX: Final = 1 << 20
FILE_S: Final = 5.0
"""Of `--config`, which may be a pipe (`<(...)`)."""
SHIPPED: Final = frozenset({"default.toml", EVENTS_FILE, *(f"profiles/{name}.toml" for name in PROFILES)})
"""Layers that come with the program."""

Tree = dict[str, Any]
AnySettings = TypeVar("AnySettings", bound=EngineSettings)


@attrs.frozen
class Layer:
    name: str
    tree: Tree


@attrs.frozen
class Sources:
    """What a configuration was read from, apart from the environment and what is shipped."""

    profile: str
    files: tuple[Path, ...] = ()
    sets: tuple[str, ...] = ()
    beneath: Layer | None = None


@attrs.frozen
class Loaded:
    settings: Settings
    tree: Tree
    origins: dict[str, str]
    """Dotted key to the layer that set it."""
    profile: str
    sources: Sources

    def engine_json(self) -> str:
        """The engine's part as canonical JSON, for the journal."""
        part = {name: self.tree[name] for name in ENGINE_SECTIONS}
        return msgspec.json.encode(part, order="sorted").decode()


def load(
    profile: str,
    config_files: Sequence[Path] = (),
    sets: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    *,
    beneath: Layer | None = None,
) -> Loaded:
    """Merge all layers and check them; ConfigError lists everything that is wrong.

    `beneath` is a layer on top of the profile that everything else overrides.
    """
    if profile not in PROFILES:
        raise ConfigError(f"no profile {profile!r}; there are: {', '.join(PROFILES)}")
    layers = [
        _packaged("default.toml"),
        _packaged(EVENTS_FILE),
        _packaged(f"profiles/{profile}.toml"),
        *([] if beneath is None else [beneath]),
        *(_from_file(path) for path in config_files),
        *_from_environment(os.environ if environ is None else environ),
        *(_from_set(text) for text in sets),
    ]
    try:
        tree, origins = merge(layers)
        settings = structure(Settings, tree, origins)
    except RecursionError:
        raise ConfigError(f"{layers[-1].name}, or what precedes it: nested too deeply — no setting is") from None
    _raise_if(_explain(key, what, origins) for key, what in session_contradictions(settings))
    files = tuple(path.absolute() for path in config_files)
    return Loaded(settings, tree, origins, profile, Sources(profile, files, tuple(sets), beneath))


def leaves(tree: Tree, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and value of every setting below `prefix`."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def engine_settings(config_json: str, sets: Sequence[str] = ()) -> EngineSettings:
    """Settings out of a journal's first record, with overrides."""
    tree: Tree = msgspec.json.decode(config_json)
    merged, origins = merge([Layer("journal", tree), *(_from_set(text) for text in sets)])
    settings = structure(EngineSettings, merged, origins)
    _raise_if(_explain(key, what, origins) for key, what in contradictions(settings))
    return settings


def with_values(loaded: Loaded, values: Mapping[str, Any], name: str = "point") -> Loaded:
    """The same with other values at some dotted keys, checked as a whole; ConfigError lists everything that is wrong.

    Made for thousands of sets of settings: nothing is read, and only the sections on the way to a key are copied.
    """
    tree = dict(loaded.tree)
    for dotted, value in values.items():
        at = tree
        *sections, last = dotted.split(".")
        for section in sections:
            at[section] = dict(at.get(section, {}))
            at = at[section]
        at[last] = value
    origins = {**loaded.origins, **dict.fromkeys(values, name)}
    try:
        settings = msgspec.convert(tree, Settings)
    except msgspec.ValidationError:
        settings = structure(Settings, tree, origins)  # it says what and where
    _raise_if(_explain(key, what, origins) for key, what in session_contradictions(settings))
    return attrs.evolve(loaded, settings=settings, tree=tree, origins=origins)


def default_limits(loaded: Loaded) -> list[str]:
    """Limits of a live profile that nobody has chosen; where nothing is real none needs to be."""
    if loaded.profile in UNREAL:
        return []
    return [
        name
        for name in Limits.__struct_fields__
        if name.startswith("max_") and loaded.origins.get(f"limits.{name}") in SHIPPED
    ]


# -- layers


def packaged_config() -> Traversable:
    """The shipped configuration: inside the installed package, or beside it in a checkout."""
    installed = files("hlomm") / "_config"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "config"


def _packaged(name: str) -> Layer:
    resource = packaged_config()
    for part in name.split("/"):
        resource /= part
    return Layer(name, tomllib.loads(resource.read_text(encoding="utf-8")))


def _from_file(path: Path) -> Layer:
    try:
        content = read_path(path, FILE_MAX, FILE_S)
        text = content.decode("utf-8-sig")  # editors of other systems put a mark before it that nobody sees
    except TimeoutError as error:
        raise ConfigError(f"{path}: {error} — is it a pipe that nobody writes to?") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error} — check the path given to --config") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start}) — is it a TOML file?") from None
    if len(content) > FILE_MAX:
        raise ConfigError(f"{path}: more than {FILE_MAX} bytes — no configuration is that long")
    return Layer(str(path), parsed_toml(text, str(path)))


def parsed_toml(text: str, where: str) -> Tree:
    """ConfigError that names `where` for what is no TOML, or is more than the parser takes."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{where}: nested too deeply — no setting is") from None
    except ValueError as error:  # TOMLDecodeError is one; so is what int() says of a number of thousands of digits
        raise ConfigError(f"{where}: {error} — fix the TOML syntax") from None


def _from_environment(environ: Mapping[str, str]) -> list[Layer]:
    found = []
    for name in sorted(environ):
        if name.startswith(ENV_PREFIX):
            where, dotted = f"environment {name}", name[len(ENV_PREFIX) :].lower().replace("__", ".")
            found.append(Layer(where, _nested(dotted, _value(dotted, _utf8(environ[name], where)))))
    return found


def _from_set(text: str) -> Layer:
    key, equals, raw = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {text!r}: expected section.key=value")
    _utf8(text, "--set")
    return Layer(f"--set {key.strip()}", _nested(key.strip(), _value(key.strip(), raw)))


def _value(dotted: str, raw: str) -> Any:
    """What a variable or an option says of a setting. An address is a text, not one of TOML's numbers (0x...)."""
    return text_value(raw) if _is_text(dotted) else toml_value(raw.strip())


def text_value(raw: str) -> str:
    """A text, in TOML's quotes or without any."""
    value = toml_value(raw.strip())
    return value if isinstance(value, str) else raw.strip()


def _is_text(dotted: str) -> bool:
    kind: Any = Settings
    for part in dotted.split("."):
        if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
            return False
        kind = next((field.type for field in msgspec.structs.fields(kind) if field.name == part), None)
    return kind is str


def _utf8(text: str, where: str) -> str:
    """The same; ConfigError if the system handed over bytes that are no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{where}: {text!a} is not UTF-8 text") from None
    return text


def toml_value(raw: str) -> Any:
    """A TOML value, or the text itself where it is none (so that strings need no quotes).

    Operators' texts reach this inside the engine (`hlomm tune`): nothing that they can say may raise here.
    """
    try:
        found = tomllib.loads(f"value = {raw}")
    except (ValueError, RecursionError):  # beside wrong syntax: thousands of digits, thousands of brackets
        return raw
    return found["value"] if len(found) == 1 else raw


def _nested(dotted: str, value: Any) -> Tree:
    tree: Any = value
    for part in reversed(dotted.split(".")):
        tree = {part: tree}
    assert isinstance(tree, dict)
    return tree


def merge(layers: Iterable[Layer]) -> tuple[Tree, dict[str, str]]:
    """Later layers win key by key; lists are replaced whole."""
    tree: Tree = {}
    origins: dict[str, str] = {}
    for layer in layers:
        _merge_into(tree, layer.tree, origins, layer.name, "")
    return tree, origins


def _merge_into(target: Tree, source: Tree, origins: dict[str, str], name: str, prefix: str) -> None:
    for key, value in source.items():
        dotted = f"{prefix}{key}"
        here = target.get(key)
        if isinstance(value, dict) and (here is None or isinstance(here, dict)):
            _merge_into(target.setdefault(key, {}), value, origins, name, f"{dotted}.")
            origins.setdefault(dotted, name)
        else:
            target[key] = value
            origins[dotted] = name


# -- checking


def structure(kind: type[AnySettings], tree: Tree, origins: Mapping[str, str]) -> AnySettings:
    """Typed settings, or a ConfigError that lists every mistake."""
    _raise_if(_explain(key, what, origins) for key, what in mistakes(kind, tree, ""))
    return msgspec.convert(tree, kind)


def _explain(key: str, what: str, origins: Mapping[str, str]) -> str:
    name = key
    while name and name not in origins:
        name = name.rpartition("[" if name.endswith("]") else ".")[0]
    where = origins.get(name, "configuration")
    return f"{where}: {key or 'top level'}: {what}"


def _raise_if(problems: Iterable[str]) -> None:
    found = list(problems)
    if found:
        raise ConfigError("\n".join(found))
