"""Layers, origins, and errors an operator can act on. Rung: pure."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import pytest

from hlomm.assembly.engine import engine_config
from hlomm.assembly.venues import fuse_limits
from hlomm.domain.faults import ConfigError
from hlomm.settings import load as settings_load
from hlomm.settings.load import engine_settings, leaves, load


def problems(*sets: str, files=(), environ=None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load("sim", files, sets, environ=environ or {})
    return str(caught.value).splitlines()


def test_defaults_load_for_every_profile():
    for profile in ("sim", "paper", "testnet", "mainnet"):
        loaded = load(profile, environ={})
        assert loaded.settings.limits.max_position > 0
        assert loaded.origins["limits.max_position"] == "default.toml"
    assert load("mainnet", environ={}).settings.venue.hyperliquid.chain == "mainnet"


def test_later_layers_win_and_origins_say_which(tmp_path):
    first, second = tmp_path / "a.toml", tmp_path / "b.toml"
    first.write_text("[limits]\nmax_position = 100\nmax_open_orders = 10\n[strategy.avellaneda]\nmax_size = 50\n")
    second.write_text("[limits]\nmax_position = 200\n")
    loaded = load(
        "sim", (first, second), ("limits.max_drawdown=33",),
        environ={"HL_OMM__LIMITS__MAX_GROSS_NOTIONAL": "1500", "HOME": "/", "HL_OMM_OTHER": "x"},
    )  # fmt: skip
    limits = loaded.settings.limits
    assert (limits.max_position, limits.max_open_orders) == (200, 10)
    assert (limits.max_gross_notional, limits.max_drawdown) == (1500, 33)
    assert loaded.origins["limits.max_position"] == str(second)
    assert loaded.origins["limits.max_open_orders"] == str(first)
    assert loaded.origins["limits.max_gross_notional"] == "environment HL_OMM__LIMITS__MAX_GROSS_NOTIONAL"
    assert loaded.origins["limits.max_drawdown"] == "--set limits.max_drawdown"
    assert loaded.origins["limits.stale_book_s"] == "default.toml"


def test_unknown_key_names_layer_key_and_nearest():
    (line,) = problems("limits.max_postion=3")
    assert line.startswith("--set limits.max_postion: limits.max_postion: unknown key")
    assert "'max_position'" in line


def test_all_mistakes_are_reported_together(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(
        "[limits]\nmax_position = 'many'\nmax_open_orders = 2.5\nmax_drawdown = -1\nmax_gross_notional = nan\n"
        "[quotes]\nmin_move = inf\n[nonsense]\na = 1\n[strategy.avellaneda]\nmodel = 'guess'\nenabled = 1\n"
    )
    lines = problems(files=(path,))
    keys = [line.split(": ")[1] for line in lines]
    assert sorted(keys) == sorted(
        [
            "nonsense", "limits.max_position", "limits.max_open_orders", "limits.max_drawdown",
            "limits.max_gross_notional", "quotes.min_move", "strategy.avellaneda.model", "strategy.avellaneda.enabled",
        ]
    )  # fmt: skip
    assert all(line.startswith(str(path)) for line in lines)


@pytest.mark.parametrize(
    ("sets", "key"),
    [
        (("limits.max_order_notional=99999",), "limits.max_order_notional"),
        (("strategy.avellaneda.min_size=500",), "strategy.avellaneda.min_size"),
        (("strategy.complete_set.min_size=500",), "strategy.complete_set.min_size"),
        (("strategy.avellaneda.min_half_spread=0.2",), "strategy.avellaneda.min_half_spread"),
        (("limits.max_position=30",), "strategy.avellaneda.max_size"),
        (("limits.max_fair_deviation=0.01",), "strategy.avellaneda.max_half_spread"),
        (("budget.slow_below=1",), "budget.slow_below"),
        (("quotes.refresh_s=10",), "quotes.refresh_s"),
        (("flatten.retry_s=100",), "flatten.retry_s"),
        (("orders.query_retry_s=100",), "orders.query_retry_s"),
        (("orders.settle_doubt_s=5",), "orders.settle_doubt_s"),
        (("orders.answer_deadline_s=1",), "orders.answer_deadline_s"),
        (("daemon.stop_deadline_s=1",), "daemon.stop_deadline_s"),
        (("breakers.pause_move=0.01",), "breakers.pause_move"),
        (("inventory.widen_above=0.85",), "inventory.widen_above"),
        (("inventory.pause_above=0.95",), "inventory.pause_above"),
        (("sets.stock=2000",), "sets.stock"),
    ],
)
def test_contradictions_are_refused(sets, key):
    lines = problems(*sets)
    assert any(line.split(": ")[1] == key for line in lines), lines


def test_brakes_that_fit_together_are_taken():
    """Equal shares are one step; a pause over a shorter window may ask for less than a widening over a longer one."""
    settings = load(
        "sim", (), ("inventory.pause_above=0.9", "inventory.widen_above=0.9", "breakers.pause_move=0.01",
        "breakers.pause_window_s=10", "limits.max_resting_without_deadman=0"), environ={},
    ).settings  # fmt: skip
    assert settings.inventory.pause_above == settings.inventory.reduce_above == 0.9


@pytest.mark.parametrize(
    "text",
    ["breakers.widen_factor=0.9", "breakers.equity_stop=0", "breakers.drawdown_share=1.1", "breakers.api_errors=0",
     "inventory.flatten_above=0.9", "inventory.reduce_above=0", "breakers.widen_move=1",
     "limits.max_resting_without_deadman=-1"],
)  # fmt: skip
def test_a_brake_out_of_range_is_refused_with_layer_and_key(text):
    (line, *_) = problems(text)
    key = text.partition("=")[0]
    assert line.startswith(f"--set {key}: {key}: ")
    assert "see its comment in config/default.toml" in line


@pytest.mark.parametrize("text", ["limits.max_position", "=3", "limits=3", "limits.max_position.x=1"])
def test_malformed_set_is_refused(text):
    assert problems(text)


def test_broken_toml_missing_file_and_binary_file(tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text("[limits\n")
    assert "fix the TOML syntax" in problems(files=(broken,))[0]
    assert "check the path" in problems(files=(tmp_path / "none.toml",))[0]
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in problems(files=(binary,))[0]


def test_a_file_without_an_end_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(settings_load, "FILE_S", 0.05)
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(ConfigError, match=r"pipe\.toml: nothing came to its end within 0\.05 s"):
        load("sim", [tmp_path / "pipe.toml"], environ={})
    (tmp_path / "long.toml").write_bytes(b"#" * (settings_load.FILE_MAX + 1))
    with pytest.raises(ConfigError, match=r"long\.toml: more than"):
        load("sim", [tmp_path / "long.toml"], environ={})


def test_a_pipe_is_read_to_its_end():
    reading, writing = os.pipe()
    os.write(writing, b"[quotes]\nmin_move = 0.02\n")
    os.close(writing)
    try:
        assert load("sim", [Path(f"/dev/fd/{reading}")], environ={}).settings.quotes.min_move == 0.02
    finally:
        os.close(reading)


def test_unknown_profile_lists_the_known_ones():
    with pytest.raises(ConfigError, match="sim, paper, testnet, mainnet"):
        load("live", environ={})


def test_string_values_need_no_quotes_on_the_command_line():
    loaded = load("sim", (), ("limits.one_sided_book=refuse", "strategy.avellaneda.periods=['1d']"), environ={})
    assert loaded.settings.limits.one_sided_book == "refuse"
    assert loaded.settings.strategy.avellaneda.periods == ("1d",)


def test_engine_part_travels_as_json_and_comes_back_the_same():
    loaded = load("sim", (), ("strategy.avellaneda.gamma=0.00123",), environ={})
    again = engine_settings(loaded.engine_json())
    assert again.strategy.avellaneda.gamma == 0.00123
    assert again.limits == loaded.settings.limits
    assert engine_settings(loaded.engine_json(), ("limits.max_open_orders=7",)).limits.max_open_orders == 7
    with pytest.raises(ConfigError, match=r"limits\.max_drawdown"):
        engine_settings(loaded.engine_json(), ("limits.max_drawdown=-4",))


def test_a_word_outside_the_list_is_refused_with_the_list():
    with pytest.raises(ConfigError, match=r"flatten\.on_kill: was 'maybe' — write 'flatten' or 'keep'"):
        load("sim", (), ("flatten.on_kill=maybe",), environ={})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"x = {'[' * 20_000}{']' * 20_000}", "nested too deeply"),
        (f"[{'.'.join('a' * 20_000)}]", "nested too deeply"),
        (f"[limits]\nmax_open_orders = {'9' * 5_000}", "Exceeds the limit"),
    ],
    ids=["brackets", "sections", "digits"],
)
def test_more_than_the_parser_takes_is_a_mistake_in_that_file(tmp_path, text, words, request):
    request.addfinalizer(partial(sys.setrecursionlimit, sys.getrecursionlimit()))  # libraries of other tests raise it
    sys.setrecursionlimit(1_000)
    path = tmp_path / "mine.toml"
    path.write_text(text)
    (said,) = problems(files=(path,))
    assert str(path) in said
    assert words in said


def test_the_mark_that_editors_put_before_a_text_is_no_part_of_it(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf[limits]\r\nmax_position = 300\r\n")
    assert load("sim", (path,), environ={}).settings.limits.max_position == 300


@pytest.mark.parametrize("value", ["[" * 3_000, "9" * 5_000, "5\nlimits.max_open_orders=3", "{a=" * 3_000])
def test_a_value_that_is_none_is_a_text_and_nothing_beside_it_is_set(value):
    (said,) = problems(f"limits.max_position={value}")
    assert said.startswith("--set limits.max_position: limits.max_position: expected `float`, got `str`")


def test_bytes_that_are_no_text_are_refused_where_they_stand():
    (said,) = problems("daemon.log=\udcff")
    assert said == "--set: 'daemon.log=\\udcff' is not UTF-8 text"
    (said,) = problems(environ={"HL_OMM__DAEMON__LOG": "\udcff"})
    assert said == "environment HL_OMM__DAEMON__LOG: '\\udcff' is not UTF-8 text"


@pytest.mark.parametrize("value", ["true", "1.0", "[1]", "{a=1}", "4"])
def test_a_choice_among_numbers_takes_those_numbers_alone(value):
    """`True == 1` in Python; the mistake was found only where nobody says it."""
    (line,) = problems(f"venue.polymarket.signature_type={value}")
    assert line.startswith("--set venue.polymarket.signature_type: venue.polymarket.signature_type: was ")
    assert line.endswith("write 0 or 1 or 2 or 3")


@pytest.mark.parametrize("said", ["0x" + "0a" * 20, f'"0x{"0a" * 20}"', f"  0x{'0a' * 20} "])
def test_an_address_is_a_text_with_or_without_quotes(said):
    address = "0x" + "0a" * 20
    sets = load("sim", (), (f"venue.hyperliquid.account={said}", f"canary.account={said}"), environ={}).settings
    assert (sets.venue.hyperliquid.account, sets.canary.account) == (address, address)
    environ = {"HL_OMM__VENUE__POLYMARKET__ACCOUNT": said, "HL_OMM__KEYS__FOLDER": " 2026 "}
    settings = load("sim", environ=environ).settings
    assert (settings.venue.polymarket.account, settings.keys.folder) == (address, "2026")
    assert problems("limits.max_position=0x") != []


def test_an_entry_of_ones_own_name_is_refused_where_it_was_said(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[flatten.on_disconnect_of]\nnyse = "pause"\nkalshi = "pause"\n[daemon.log_of]\nx = 3\n')
    lines = problems("flatten.on_disconnect_of.kalshi=foo", files=(path,))
    assert [line.split(": ")[:2] for line in lines] == [
        [str(path), "flatten.on_disconnect_of.nyse"],
        ["--set flatten.on_disconnect_of.kalshi", "flatten.on_disconnect_of.kalshi"],
        [str(path), "daemon.log_of.x"],
    ]


def test_every_number_that_is_refused_for_nothing_else_can_be_counted():
    """`config check` said that all was fine, and the run ended with 6 over a ninth decimal, without naming it."""
    for key, value in leaves(load("sim", environ={}).tree):
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                settings = load("sim", (), (f"{key}={value + 1.23e-10!r}",), environ={}).settings
            except ConfigError as error:
                (line,) = str(error).splitlines()
                assert line.split(": ")[1] == key
            else:
                engine_config(settings)
                fuse_limits(settings.limits)
    lines = problems("limits.max_drawdown=100.123456789", "canary.size=1.123456789")
    assert [line.split(": ")[1] for line in lines] == ["limits.max_drawdown", "canary.size"]


@pytest.mark.parametrize(
    "key",
    ["limits.max_gross_notional", "limits.max_drawdown", "limits.stale_book_s", "breakers.pause_s", "hedge.closest",
     "sets.drain_s", "flatten.deadline_s", "paper.cash"],
)  # fmt: skip
def test_no_limit_is_larger_than_what_records_can_hold(key):
    """Beyond 64 bits of 1e-8 the daemon could tell nobody its state: no status, no terminal, no answer to a kill."""
    assert any(line.startswith(f"--set {key}: {key}: ") and "below 1e+10" in line for line in problems(f"{key}=1e10"))
    assert not any(line.split(": ")[1] == key and "below" in line for line in tried(f"{key}=9999999999"))


def tried(text):
    try:
        load("sim", (), (text,), environ={})
    except ConfigError as error:
        return str(error).splitlines()
    return []
