"""The table of guarantees names tests that exist, and every room of tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
_NAMED = re.compile(r"`([a-z_/]+\.py)::(test_\w+)`")


def named_in(text: str) -> list[tuple[str, str]]:
    return _NAMED.findall(text)


def functions_in(source: str) -> set[str]:
    tree = ast.parse(source)
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


GUARANTEES = named_in((TESTS / "README.md").read_text(encoding="utf-8"))


def test_the_table_is_read() -> None:
    assert named_in("| a | `unit/x.py::test_y`, `unit/z.py::test_w` |") == [
        ("unit/x.py", "test_y"),
        ("unit/z.py", "test_w"),
    ]
    assert functions_in("async def test_a(): ...\nclass B:\n    def test_c(self): ...") == {"test_a", "test_c"}
    assert len(GUARANTEES) > 30


@pytest.mark.parametrize(("path", "name"), GUARANTEES, ids=[f"{path}::{name}" for path, name in GUARANTEES])
def test_a_named_test_exists(path: str, name: str) -> None:
    assert name in functions_in((TESTS / path).read_text(encoding="utf-8"))


def test_every_folder_of_tests_is_on_the_page() -> None:
    page = (TESTS / "README.md").read_text(encoding="utf-8")
    folders = {path.parent.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")}
    assert not [folder for folder in sorted(folders) if f"`{folder}/`" not in page]
