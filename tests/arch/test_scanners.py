"""The scanners find what they are there for: each is shown a bad snippet, and a good one that looks like it."""

from __future__ import annotations

import pytest

from tests.arch import scanning
from tests.arch.scanning import Finding


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import time", "imports time"),
        ("import os.path as p", "imports os.path"),
        ("from datetime import UTC", "imports from datetime"),
        ("def f():\n    import random", "imports random"),
        ("from secrets import token_hex", "imports from secrets"),
        ("import uuid, math", "imports uuid"),
        ("import trio.testing", "imports trio.testing"),
        ("print(1)", "calls print"),
        ("with open('x') as f: pass", "calls open"),
        ("x = hash('a') % 7", "calls hash"),
        ("key = id(object())", "calls id"),
        ("__import__('time')", "calls __import__"),
        ("t = clock.now()", "calls .now"),
        ("t = stamp.utcnow()", "calls .utcnow"),
    ],
)
def test_the_world_is_seen_coming_in(source: str, what: str) -> None:
    assert [finding.what for finding in scanning.impurities(source)] == [what]


@pytest.mark.parametrize(
    "source",
    [
        "import math",
        "from hlomm.domain.times import Now",
        "def f(now):\n    return now.wall_ms",
        "message.id",
        "strategy.id()",
        "'import time'",
        "import timeit_is_not_time",
        "self.print(1)",
        "from . import times",
    ],
)
def test_what_only_looks_like_the_world_is_let_through(source: str) -> None:
    assert list(scanning.impurities(source)) == []


@pytest.mark.parametrize(
    "source",
    [
        "for x in {1, 2}: pass",
        "for x in set(y): pass",
        "s = set()\nfor x in s: pass",
        "def f(s: set[int]):\n    return [x for x in s]",
        "class A:\n    held: frozenset[str]\n    def f(self):\n        return list(self.held)",
        "s = {x for x in y}\n','.join(s)",
        "s = {1}\nt = (*s,)",
        "s = {1}\nfirst = s.pop()",
        "s = {1}\nd = {k: 0 for k in s}",
        "s = {1}\nfor i, x in enumerate(s): pass",
        "s = {1}\nfor x in s | other: pass",
        "s = {1}\nout.extend(s)",
        "s = {1}\nout.extend(f(x) for x in s)",
        "s = {0.1}\nt = sum(s)",
    ],
)
def test_the_order_of_a_set_is_seen(source: str) -> None:
    assert list(scanning.set_orders(source))


@pytest.mark.parametrize(
    "source",
    [
        "for x in sorted({1, 2}): pass",
        "s = set()\nif x in s: pass",
        "s = {1}\nt = sorted(f(x) for x in s)",
        "s = {1}\nt = {f(x) for x in s}",
        "s = {1}\nok = any(x > 1 for x in s)",
        "s = {1}\nn = len(s)",
        "for x in {1: 2}: pass",
        "d = dict()\nfor x in d: pass",
        "def f(s: list[int]):\n    return [x for x in s]",
        "s = {1}\ndef f(s: list[int]):\n    return [x for x in s]",
        "d = {}\nd.pop('key')",
    ],
)
def test_a_set_used_without_its_order_is_let_through(source: str) -> None:
    assert list(scanning.set_orders(source)) == []


@pytest.mark.parametrize(
    "source",
    [
        "x = 0.5",
        "x = float(y)",
        "x = a / b",
        "x /= 2",
        "x = cash / 1e9",
        "x = px / NS_PER_S",
        "x = age_ns / SCALE",
        "x: float = y",
        "def f(price: float): ...",
        "def f(price: float | None): ...",
    ],
)
def test_floats_are_seen(source: str) -> None:
    assert list(scanning.floats(source))


@pytest.mark.parametrize(
    "source", ["x = a // b", "x = 5", "x = age_ns / 1e9", "x = (now.mono_ns - t) / NS_PER_S", "age_s: float", "'0.5'"]
)
def test_whole_numbers_and_seconds_for_people_are_let_through(source: str) -> None:
    assert list(scanning.floats(source)) == []


@pytest.mark.parametrize(
    ("handler", "what"),
    [
        ("try: pass\n    except: pass", "except:"),
        ("try: pass\n    except Exception: pass", "except Exception:"),
        ("try: pass\n    except (OSError, BaseException) as e: pass", "except (OSError, BaseException):"),
        ("try: pass\n    except* Exception: pass", "except Exception:"),
        ("try: pass\n    except builtins.Exception: pass", "except builtins.Exception:"),
        ("with contextlib.suppress(Exception): pass", "contextlib.suppress(Exception)"),
    ],
)
def test_a_broad_except_is_seen_with_its_function(handler: str, what: str) -> None:
    assert list(scanning.broad_excepts(f"def f():\n    {handler}")) == [("f", Finding(_line(handler), what))]


def _line(handler: str) -> int:
    return 2 + handler.count("\n")


@pytest.mark.parametrize(
    "source",
    [
        "try: pass\nexcept OSError: pass",
        "try: pass\nexcept (TimeoutException, E): pass",
        "raise Exception",
        "suppress(KeyError)",
    ],
)
def test_a_named_except_is_let_through(source: str) -> None:
    assert list(scanning.broad_excepts(source)) == []


def test_the_function_of_a_broad_except_is_the_innermost() -> None:
    source = "class A:\n  def f(self):\n    async def g():\n      try: pass\n      except Exception: pass\n"
    assert [function for function, _ in scanning.broad_excepts(source)] == ["g"]


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.sleep(1)",
        "from time import sleep\nsleep(1)",
        "from time import sleep as nap\nnap(1)",
        "def f():\n    time.sleep(0.001)",
    ],
)
def test_sleeping_is_seen(source: str) -> None:
    assert len(list(scanning.sleeps(source, "time"))) == 1


def test_sleeping_by_another_clock_is_another_matter() -> None:
    assert list(scanning.sleeps("await trio.sleep(1)\nasyncio.sleep(1)", "time")) == []
    assert [finding.line for finding in scanning.sleeps("x\nawait trio.sleep_forever()", "trio")] == [2]


def test_a_module_without_a_word_is_seen() -> None:
    assert scanning.undocumented("import math\n")
    assert scanning.undocumented("# a comment\nx = 1\n")
    assert not scanning.undocumented('"""What it is."""\nimport math\n')
    assert not scanning.undocumented("")
    assert not scanning.undocumented("# only a comment\n")


def test_a_setting_without_a_word_is_seen() -> None:
    toml = """
# about the section
[one]
bare = 1
said = 2  # what it means
# what the next one means
above = 3
tricky = "a # in a text"
text = "x"  # said

after_a_gap = 4
[two]
# spoken for
first = 1
second = 2
"""
    assert list(scanning.uncommented_keys(toml)) == ["one.bare", "one.tricky", "one.after_a_gap", "two.second"]
