"""Rung: pure. One table feeds everything that names a key; these are the promises the table makes."""

from __future__ import annotations

from collections import Counter

import pytest

from tui import keymap
from tui.app import Terminal
from tui.screens.text import help_text


def test_ids_and_keys_are_unique() -> None:
    keys = [key for action in keymap.ACTIONS for key in action.key.split(",")]
    assert Counter(keys).most_common(1)[0][1] == 1
    assert len(keymap.BY_ID) == len(keymap.ACTIONS)


@pytest.mark.parametrize("action", keymap.ACTIONS, ids=lambda action: action.id)
def test_every_action_exists_and_is_explained(action: keymap.Action) -> None:
    name = action.call.removeprefix("app.").partition("(")[0]
    assert callable(getattr(Terminal, f"action_{name}"))
    assert action.help in help_text().plain
    assert len(action.help) <= 60, "the help window is 72 columns wide"
    assert "[" not in action.help + action.label + action.key_text, "the palette would read it as markup"


def test_the_dangerous_ones_are_upper_case_and_ask_first() -> None:
    for name in keymap.ALWAYS:
        action = keymap.BY_ID[name]
        assert action.key.isupper()
        assert action.help.endswith("(asks first)")


def test_the_footer_begins_with_safety() -> None:
    assert [action.id for action in keymap.footer()][:4] == list(keymap.ALWAYS)
    ranks = [action.rank for action in keymap.footer()]
    assert ranks == sorted(set(ranks))


def test_bindings_carry_the_stable_ids() -> None:
    assert {binding.id for binding in keymap.bindings()} == set(keymap.BY_ID)
    assert [binding.id for binding in keymap.bindings("kill", "quit")] == ["kill", "quit"]
