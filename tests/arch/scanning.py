"""Reading source as trees: what a file imports, calls, iterates over, catches and sleeps on.

Every scanner takes source text and yields `Finding`s, so that each can be shown to find what it is there for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import attrs

ROOT: Final = Path(__file__).resolve().parents[2]
NS_DIVISORS: Final = frozenset({"NS_PER_S", "NS_PER_MS", "1000000000.0", "1000000000", "1000000.0", "1000000"})
WORLD: Final = frozenset(
    {
        "asyncio", "builtins", "datetime", "glob", "importlib", "io", "logging", "multiprocessing", "os", "pathlib",
        "platform", "random", "secrets", "select", "selectors", "shutil", "signal", "socket", "ssl", "structlog",
        "subprocess", "sys", "tempfile", "threading", "time", "trio", "urllib", "uuid", "weakref", "zoneinfo",
    }
)  # fmt: skip
"""Modules by which a clock, chance, the environment or another process can reach a decision."""
IMPURE_CALLS: Final = frozenset(
    {"__import__", "breakpoint", "eval", "exec", "globals", "hash", "id", "input", "open", "print", "vars"}
)
"""`hash` of a text and `id` of anything differ between processes."""
CLOCK_METHODS: Final = frozenset({"now", "today", "utcnow", "time_ns", "monotonic_ns", "perf_counter"})
ORDERLESS: Final = frozenset({"sorted", "set", "frozenset", "any", "all", "min", "max", "len"})
"""Functions whose result does not depend on the order in which they see things."""


@attrs.frozen(order=True)
class Finding:
    line: int
    what: str


def files_of(*rooms: str) -> list[Path]:
    """Python files below folders of the repository, or the files themselves."""
    found = []
    for room in rooms:
        path = ROOT / room
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    assert found, rooms
    return [path for path in found if path.exists()]


@cache
def source_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# -- purity


def impurities(source: str) -> Iterator[Finding]:
    """Imports of the world, calls that read it, and readings of clocks."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] in WORLD:
                    yield Finding(node.lineno, f"imports {alias.name}")
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").partition(".")[0] in WORLD:
                yield Finding(node.lineno, f"imports from {node.module}")
        elif isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id in IMPURE_CALLS:
                yield Finding(node.lineno, f"calls {called.id}")
            elif isinstance(called, ast.Attribute) and called.attr in CLOCK_METHODS:
                yield Finding(node.lineno, f"calls .{called.attr}")


# -- order of sets


def set_orders(source: str) -> Iterator[Finding]:
    """Places where the order of a set, which differs between processes, can reach a result."""
    tree = ast.parse(source)
    known = _names_of_sets(tree)
    excused: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ORDERLESS:
            excused |= {id(argument) for argument in node.args}
        elif isinstance(node, ast.SetComp):
            excused.add(id(node))
    for node in ast.walk(tree):
        for expression in _ordered_uses(node, excused):
            if _is_set(expression, known):
                yield Finding(expression.lineno, f"takes the order of {ast.unparse(expression)}")


def _ordered_uses(node: ast.AST, excused: set[int]) -> Iterator[ast.expr]:
    """Expressions whose order matters to this node."""
    match node:
        case ast.For(iter=iterated):
            yield iterated
        case ast.ListComp(generators=parts) | ast.GeneratorExp(generators=parts) | ast.DictComp(generators=parts):
            if id(node) not in excused:
                yield from (part.iter for part in parts)
        case ast.Starred(value=value):
            yield value
        case ast.Call(func=ast.Name(id="list" | "tuple" | "iter" | "enumerate" | "zip" | "map" | "reversed" | "sum")):
            if id(node) not in excused:
                yield from node.args
        case ast.Call(func=ast.Attribute(attr="join" | "extend" | "fromkeys")):
            yield from node.args
        case ast.Call(func=ast.Attribute(attr="pop", value=value), args=[]):
            yield value
        case _:
            pass


def _is_set(node: ast.expr, known: set[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.Call(func=ast.Attribute(attr="union" | "difference" | "intersection", value=value)):
            return _is_set(value, known)
        case ast.BinOp(op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), left=left, right=right):
            return _is_set(left, known) or _is_set(right, known)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in known
        case _:
            return False


def _names_of_sets(tree: ast.AST) -> set[str]:
    """Names that are a set somewhere in the file, and nothing else anywhere in it."""
    sets: set[str] = set()
    others: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.AnnAssign(target=target, annotation=annotation):
                names, is_set = [target], _says_set(annotation)
            case ast.arg(arg=name, annotation=ast.expr() as annotation):
                (sets if _says_set(annotation) else others).add(name)
                continue
            case ast.Assign(targets=names, value=value):
                is_set = _is_set(value, set())
            case _:
                continue
        for target in names:
            if isinstance(target, ast.Name | ast.Attribute):
                (sets if is_set else others).add(target.id if isinstance(target, ast.Name) else target.attr)
    return sets - others


def _says_set(annotation: ast.expr) -> bool:
    text = ast.unparse(annotation).removeprefix("Final[")
    return text.startswith(("set[", "frozenset[", "Set[", "AbstractSet["))


# -- floats in money


def floats(source: str) -> Iterator[Finding]:
    """Float constants, conversions and true division; nanoseconds turned into seconds for people are no money."""
    tree = ast.parse(source)
    excused: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            if _is_seconds(node):
                excused |= {id(part) for part in ast.walk(node.right)}
            else:
                yield Finding(node.lineno, f"divides: {ast.unparse(node)}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float) and id(node) not in excused:
            yield Finding(node.lineno, f"writes {node.value!r}")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
            yield Finding(node.lineno, f"converts: {ast.unparse(node)}")
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div):
            yield Finding(node.lineno, f"divides: {ast.unparse(node)}")
        elif isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
            named = ast.unparse(node.target) if isinstance(node, ast.AnnAssign) else node.arg
            if "float" in ast.unparse(node.annotation) and not named.endswith(("_s", "_ms", "_us", "seconds")):
                yield Finding(node.lineno, f"declares {named}")


def _is_seconds(node: ast.BinOp) -> bool:
    return "_ns" in ast.unparse(node.left) and ast.unparse(node.right) in NS_DIVISORS


# -- broad excepts


@cache
def broad_excepts(source: str) -> tuple[tuple[str, Finding], ...]:
    """(function, finding) of every handler and every suppression that would take anything."""
    return tuple(_broad_excepts(source))


def _broad_excepts(source: str) -> Iterator[tuple[str, Finding]]:
    if not any(word in source for word in ("except", "suppress")):
        return
    for function, node in _with_functions(ast.parse(source), "module"):
        if isinstance(node, ast.ExceptHandler):
            if node.type is None:
                yield function, Finding(node.lineno, "except:")
            elif _takes_anything(node.type):
                yield function, Finding(node.lineno, f"except {ast.unparse(node.type)}:")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            yield from (
                (function, Finding(node.lineno, ast.unparse(node))) for one in node.args if _takes_anything(one)
            )


def _takes_anything(kind: ast.expr) -> bool:
    parts = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(ast.unparse(part).rpartition(".")[2] in ("Exception", "BaseException") for part in parts)


def _with_functions(node: ast.AST, function: str) -> Iterator[tuple[str, ast.AST]]:
    for child in ast.iter_child_nodes(node):
        inside = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        yield inside, child
        yield from _with_functions(child, inside)


# -- sleeping


def sleeps(source: str, module: str) -> Iterator[Finding]:
    """Calls of `<module>.sleep*`, however they were imported."""
    if "sleep" not in source:  # most files: reading them as trees takes seconds
        return
    tree = ast.parse(source)
    direct = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
        if alias.name.startswith("sleep")
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in direct or called.startswith(f"{module}.sleep"):
                yield Finding(node.lineno, ast.unparse(node))


# -- shape


def undocumented(source: str) -> bool:
    """Whether a module that holds anything says nothing about itself."""
    tree = ast.parse(source)
    return bool(tree.body) and ast.get_docstring(tree) is None


def uncommented_keys(toml: str) -> Iterator[str]:
    """`section.key` of every setting without a comment on its line or on the lines right above it."""
    section, above = "", False
    for line in toml.splitlines():
        bare = line.strip()
        if bare.startswith("["):
            section, above = bare.strip("[]"), False
        elif bare.startswith("#"):
            above = True
        elif "=" in bare:
            key, _, value = bare.partition("=")
            if not above and "#" not in _without_strings(value):
                yield f"{section}.{key.strip()}"
            above = False
        else:
            above = False


def _without_strings(value: str) -> str:
    parts = value.split('"')
    return "".join(parts[::2])
