"""A person's own file: it changes nothing until something in it is woken up, and an editor can tell what is wrong."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hlomm.cli.main import main
from hlomm.domain.exits import ExitCode
from hlomm.settings.load import Loaded, load, packaged_config
from hlomm.settings.starting import own_file, schema

DEFAULT = tomllib.loads((packaged_config() / "default.toml").read_text(encoding="utf-8"))


def woken() -> str:
    """The file with all settings awake."""
    lines = own_file().splitlines(keepends=True)
    return "".join(line[1:] if re.match(r"#\S", line) else line for line in lines)


def load_with(text: str, folder: Path) -> Loaded:
    file = folder / "own.toml"
    file.write_text(text, encoding="utf-8")
    return load("sim", [file], environ={})


def test_a_new_file_is_one_and_says_nothing(tmp_path: Path) -> None:
    assert all(isinstance(section, dict) for section in tomllib.loads(own_file()).values())
    assert load("sim", environ={}).tree == load_with(own_file(), tmp_path).tree


def test_every_setting_stands_in_it_with_its_default() -> None:
    assert tomllib.loads(woken()) == DEFAULT


def test_what_is_woken_up_is_the_persons_own(tmp_path: Path) -> None:
    loaded = load_with(own_file().replace("#max_position =", "max_position ="), tmp_path)
    assert loaded.origins["limits.max_position"].endswith("own.toml")
    assert loaded.origins["quotes.refresh_s"] == "default.toml"


def test_the_command_writes_once_and_never_over_anything(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    assert CliRunner().invoke(main, ["config", "init", str(file)]).exit_code == ExitCode.CLEAN
    assert file.read_text(encoding="utf-8") == own_file()
    file.write_text("mine")
    again = CliRunner().invoke(main, ["config", "init", str(file)])
    assert again.exit_code == ExitCode.USAGE
    assert "exists: name another file" in again.output
    assert file.read_text() == "mine"
    nowhere = CliRunner().invoke(main, ["config", "init", str(tmp_path / "no" / "my.toml")])
    assert nowhere.exit_code == ExitCode.USAGE
    assert "No such file" in nowhere.output


# -- for editors


def resolved(part: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    name = part.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = whole["$defs"][name] if name else part
    return found


def unknown(value: dict[str, Any], part: dict[str, Any], whole: dict[str, Any], path: str = "") -> list[str]:
    """Keys that the schema does not allow."""
    known = resolved(part, whole)
    found = []
    for key, inner in value.items():
        if key not in known.get("properties", {}):
            extra = known.get("additionalProperties", True)
            found += [] if extra not in (False, None) else [path + key]
        elif isinstance(inner, dict):
            found += unknown(inner, known["properties"][key], whole, f"{path}{key}.")
    return found


def test_the_schema_knows_every_setting_and_nothing_else() -> None:
    made = schema()
    assert unknown(DEFAULT, made, made) == []
    assert unknown({"limits": {"max_posiiton": 1}, "limmits": {}}, made, made) == ["limits.max_posiiton", "limmits"]


def test_the_schema_asks_for_nothing_and_keeps_the_bounds() -> None:
    made = schema()
    assert not any("required" in one for one in made["$defs"].values())
    size = made["$defs"]["Daemon"]["properties"]["segment_mb"]
    assert (size["minimum"], size["maximum"]) == (1, 4096)


@pytest.mark.parametrize("command", ["init", "schema"])
def test_help_names_them(command: str) -> None:
    assert command in CliRunner().invoke(main, ["config", "--help"]).output
