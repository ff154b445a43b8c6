"""Rung: the whole app, driven by keys, on several daemons: which is shown, which is killed, which is in trouble."""

from __future__ import annotations

import asyncio
import random
import tempfile
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from hlomm.domain.inputs import OperatorAction
from hlomm.domain.report import AlertRow, Snapshot
from hlomm.link.protocol import Access, Answer, Command
from tests.tui.beside import NAMES, Beside, btc, eth, two
from tests.tui.daemons import Peer, World
from tests.tui.desk import desk
from tests.tui.driving import drive, glass, on_stage, pressed, settle
from tests.tui.examples import DANGER, FLATTENED, SESSION, SETTLED, WALL_MS, snapshot
from tests.tui.stage import showing
from tui import keymap
from tui.app import Terminal
from tui.client import Declined, Guarded, Heard, Lost, Pictured, Unanswered, Unguarded, Up
from tui.places import Place
from tui.screens.change import Change
from tui.screens.confirm import Confirm
from tui.screens.daemons import Daemons
from tui.screens.market import Market
from tui.screens.orders import Orders
from tui.screens.overview import Overview
from tui.screens.text import Text, help_text
from tui.widgets.lists import Markets
from tui.widgets.strip import Strip

KILL = OperatorAction.KILL


def rows(stage: Beside) -> list[str]:
    return glass(stage).split("\n")


async def news(pilot: Pilot[str], stage: Beside, place: int, *events: object) -> None:
    for event in events:
        stage.links[place].deliver(event)  # type: ignore[arg-type]
    await settle(pilot)


# -- what is shown


def test_a_cell_for_each_daemon_under_the_bar_and_none_where_there_is_one() -> None:
    async def main() -> None:
        alone = showing(snapshot())
        async with on_stage(alone) as pilot:
            assert not alone.app.screen.query(Strip)
            before = glass(alone)
            await pressed(pilot, "d", "D", "0", "X")
            assert glass(alone) == before
            assert keymap.KILL_ALL.help not in help_text().plain
        stage = two()
        async with on_stage(stage):
            bar, strip, *_ = rows(stage)
            assert bar.startswith(" btc · sim · QUOTING")
            assert strip.startswith(" ▸1 btc QUOTING +41.82 worst −97.36")
            assert strip[40:].startswith("  2 eth QUOTING −7.25 worst −12.50")
            assert rows(stage)[23].startswith(" K kill btc  X kill ALL  F flatten  C cancel  d daemon ")

    drive(main())


def test_one_key_goes_to_the_next_daemon_on_the_same_screen_and_one_goes_back() -> None:
    async def main() -> None:
        stage = two()
        async with on_stage(stage) as pilot:
            for key in ("1", "2", "3", "4", "5", "6", "7", "8"):
                await pressed(pilot, key)
                kind = type(stage.app.screen)
                first = glass(stage)
                await pressed(pilot, "d")
                assert type(stage.app.screen) is kind
                assert rows(stage)[0].startswith(" eth · sim ·")
                assert rows(stage)[1].startswith("  1 btc ")
                assert "▸2 eth " in rows(stage)[1]
                assert glass(stage) != first
                await pressed(pilot, "D")
                assert glass(stage) == first, f"screen {key} is as it was left"
            await pressed(pilot, "1")
            assert "BTC≥91905" in glass(stage)
            assert "ETH≥3310" not in glass(stage)
            await pressed(pilot, "d", "d")
            assert rows(stage)[0].startswith(" btc ·"), "after the last comes the first"

    drive(main())


def test_only_the_daemon_that_is_shown_is_asked_to_show_a_market_in_full() -> None:
    async def main() -> None:
        stage = two()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "2")
            assert isinstance(stage.app.screen, Market)
            assert [market is not None for market, _ in stage.links[0].looks] == [True]
            assert stage.links[1].looks == []
            await pressed(pilot, "d")
            assert stage.links[0].looks[-1] == (None, False)
            assert stage.links[1].looks[-1] == (eth().engine.markets[0].id, False)

    drive(main())


def test_selection_filter_and_freeze_stay_with_their_daemon() -> None:
    async def main() -> None:
        stage = two()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "down", "slash", *"btc", "enter", "space")
            chosen = stage.app.store.selected
            assert '"btc" 4/4' in glass(stage)
            await pressed(pilot, "d")
            assert "MARKETS 2 " in glass(stage)
            assert "FROZEN" not in glass(stage)
            await pressed(pilot, "down", "5", "slash", *"eth")
            assert stage.app.screen.query_one("#filter", Input).has_focus
            stage.app.action_daemon(-1)
            await settle(pilot)
            assert not stage.app.screen.has_class("-filtering"), "what was typed was about the other one"
            await pressed(pilot, "z", "1")
            assert (stage.app.store.selected, stage.app.store.filters) == (chosen, {})
            assert "FROZEN" in rows(stage)[0]
            assert '"btc" 4/4' in glass(stage)
            await pressed(pilot, "d")
            assert stage.app.store.filters == {"orders": "eth"}

    drive(main())


def test_the_keys_still_move_the_cursor_after_a_daemon_that_was_never_there() -> None:
    async def main() -> None:
        stage = Beside("nobody answers", btc())
        async with on_stage(stage) as pilot:
            assert "No daemon answers at /srv/btc/hlomm.sock" in glass(stage)
            assert "hlomm kill --state-dir /srv/btc" in glass(stage)
            await pressed(pilot, "d", "down")
            assert stage.app.store.selected == stage.app.store.markets()[1].id
            assert "QUOTING" in rows(stage)[0]
            await pressed(pilot, "5")
            assert isinstance(stage.app.screen, Orders)
            await pressed(pilot, "D", "d", "down", "enter")
            assert isinstance(stage.app.screen, Text)
            assert "quote of avellaneda" in glass(stage)

    drive(main())


def test_all_daemons_in_full_and_their_numbers_lead_to_them() -> None:
    async def main() -> None:
        stage = Beside(btc(), eth(alerts=(SETTLED, DANGER)), "nobody answers")
        async with on_stage(stage, (120, 40)) as pilot:
            await pressed(pilot, "0")
            assert isinstance(stage.app.screen, Daemons)
            said = glass(stage)
            assert "--state-dir /srv/eth" in said
            assert "sim, pid 102" in said
            assert "CRIT kill by uid 1000" in said
            assert "never heard (nobody answers)" in said
            assert "`hlomm kill --state-dir /srv/sol` reaches its guardian" in said
            await pressed(pilot, "8")
            assert isinstance(stage.app.screen, Daemons), "there is no eighth"
            await pressed(pilot, "2")
            assert isinstance(stage.app.screen, Overview)
            assert rows(stage)[0].startswith(" eth ·")
            await pressed(pilot, "0", "escape")
            assert rows(stage)[0].startswith(" eth ·")

    drive(main())


def test_a_click_on_a_cell_shows_its_daemon_and_closes_what_was_asked() -> None:
    async def main() -> None:
        stage = two()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "K")
            await pilot.click(Strip, offset=(45, 0))
            await settle(pilot)
            assert isinstance(stage.app.screen, Overview)
            assert rows(stage)[0].startswith(" eth ·")
            await pilot.click(Strip, offset=(79, 0))
            await pilot.click(Strip, offset=(3, 0))
            await settle(pilot)
            assert rows(stage)[0].startswith(" btc ·")
            assert [link.orders for link in stage.links] == [[], []]

    drive(main())


# -- who is killed


async def confirmed(pilot: Pilot[str], *keys: str) -> str:
    """What stands there before ENTER."""
    await pressed(pilot, *keys)
    assert isinstance(pilot.app.screen, Confirm)
    stage = pilot.app
    assert isinstance(stage, Terminal)
    return str(stage.screen.query(".window").first().border_title)


def test_kill_names_the_daemon_that_is_shown_and_reaches_no_other() -> None:
    async def main() -> None:
        stage = two()
        async with on_stage(stage) as pilot:
            assert await confirmed(pilot, "d", "K") == "KILL eth — all venues"
            assert "eth alone: no other daemon is touched (X kills all)." in glass(stage)
            assert "Cancels 2 orders on hyperliquid (2)." in glass(stage)
            await pressed(pilot, *"drill", "enter")
            assert [link.orders for link in stage.links] == [[], [(KILL, "drill")]]
            stage.links[1].answer(eth(state="halted", reason="drill"))
            await settle(pilot)
            assert "eth has taken it" in glass(stage)
            await pressed(pilot, "escape")
            assert "eth HALTED" in rows(stage)[1]
            assert "btc QUOTING" in rows(stage)[1]
            assert rows(stage)[0].endswith("R resume")

    drive(main())


@pytest.mark.parametrize(("key", "action"), [("F", "flatten"), ("C", "cancel"), ("R", "resume")])
def test_every_other_order_is_for_the_daemon_that_is_shown_too(key: str, action: str) -> None:
    async def main() -> None:
        stage = two()
        async with on_stage(stage) as pilot:
            title = await confirmed(pilot, "d", key)
            assert title.startswith(f"{action.upper()} eth — ")
            await pressed(pilot, *"why", "enter")
            assert [link.orders for link in stage.links] == [[], [(OperatorAction(action), "why")]]

    drive(main())


def test_a_question_goes_with_its_daemon_unanswered() -> None:
    """Whatever way leads to another daemon, what was about to be confirmed is not confirmed for it."""

    async def main() -> None:
        stage = Beside(desk(), desk())
        async with on_stage(stage) as pilot:
            for keys in (("K",), ("X",), ("F",), ("6", "p"), ("a",), ("0",), ("question_mark",), ("ctrl+p",)):
                await pressed(pilot, *keys)
                assert len(stage.app.screen_stack) > 1
                stage.app.action_daemon(1)
                await settle(pilot)
                assert not isinstance(stage.app.screen, Confirm | Change | Text | Daemons)
                await pressed(pilot, "enter", "escape", "1")
            assert [link.orders for link in stage.links] == [[], []]
            await pressed(pilot, "K", "d", "enter")
            assert stage.links[0].orders == [(KILL, "d")], "in a reason the key is a letter"

    drive(main())


def test_a_question_on_the_glass_is_of_the_daemon_it_was_asked_of_to_the_end() -> None:
    """Even if another were shown behind it, by a fault of ours: neither its figures nor its order may change over."""

    async def main() -> None:
        stage = two()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "K")
            stage.app._here = stage.app._attached[1]
            stage.app.sight.store = stage.app.store
            await settle(pilot)
            assert "Cancels 4 orders" in glass(stage)
            await pressed(pilot, "enter")
            assert [len(link.orders) for link in stage.links] == [1, 0]

    drive(main())


def test_kill_all_names_every_daemon_reaches_every_one_and_reports_each_answer() -> None:
    async def main() -> None:
        stage = Beside(btc(), eth(), btc(), btc(), "nobody answers")
        async with on_stage(stage) as pilot:
            title = await confirmed(pilot, "2", "X")
            assert title == "KILL ALL 5 DAEMONS — btc, eth, sol, rain, vol"
            said = glass(stage)
            assert "1 btc  QUOTING      cancels 4 orders, sells 2 held, 96.00" in said
            assert "2 eth  QUOTING      cancels 2 orders, sells 1 held, 72.00" in said
            assert "no link: its guardian is asked at once" in said
            assert [link.orders for link in stage.links] == [[]] * 5
            await pressed(pilot, *"all", "enter")
            halted = {"state": "halted", "orders": (), "positions": (), "alerts": (SETTLED, done())}
            await news(pilot, stage, 1, Declined(1, "this connection is read-only"))
            await news(pilot, stage, 2, Unguarded(1, "no guardian answers"), Unanswered(1, "no answer in 5 s"))
            await news(pilot, stage, 4, Guarded(1, "done: silent", ("8 of 8 cancelled",), safe=True, audit=7))
            stage.clock.now_s += 1.5
            stage.links[0].answer(btc(**halted))
            await settle(pilot)
            said = glass(stage)
            assert "1 btc  taken (1.50 s)  HALTED  orders 0 ✓ verified  flat" in said
            assert "2 eth  REFUSED: `hlomm kill --state-dir /srv/eth`  this connection is" in said
            assert "3 sol  NOT CONFIRMED: `hlomm kill --state-dir /srv/sol`  no answer" in said
            assert "4 rain silent for 1.5 s, asking its guardian" in said
            assert "5 vol  its guardian took it (0.00 s)  orders 0 ✓ verified  audit #7" in said
            await pressed(pilot, "enter", "enter")
            assert [link.orders for link in stage.links] == [[(KILL, "all")]] * 5, "each once"

    drive(main())


def done() -> AlertRow:
    return msgspec.structs.replace(FLATTENED, wall_ms=WALL_MS + 1)


def test_kill_all_asks_first_works_over_a_filter_and_is_a_letter_in_a_reason() -> None:
    async def main() -> None:
        stage = two()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "slash", "X")
            assert isinstance(stage.app.screen, Confirm)
            await pressed(pilot, "escape")
            assert [link.orders for link in stage.links] == [[], []]
            await pressed(pilot, "K", "X", "enter")
            assert [link.orders for link in stage.links] == [[(KILL, "X")], []]

    drive(main())


def test_a_viewer_of_several_has_no_orders_to_give() -> None:
    async def main() -> None:
        stage = two(access=Access.VIEWER)
        async with on_stage(stage) as pilot:
            assert "kill" not in rows(stage)[23]
            await pressed(pilot, "X")
            assert "read-only (viewer)" in glass(stage)
            await pressed(pilot, "enter")
            assert isinstance(stage.app.screen, Overview)
            assert [link.orders for link in stage.links] == [[], []]

    drive(main())


def test_nobody_leaves_while_any_kill_has_no_answer() -> None:
    async def main() -> None:
        stage = two()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "K", "enter", "escape", "d", "q")
            assert stage.app.is_running
            assert stage.app.return_value is None
            stage.links[0].answer(btc(state="halted"))
            await settle(pilot)
            await pilot.press("q")
        first, second = (stage.app.return_value or "").split("\n")
        assert first.startswith("btc: left the terminal; the daemon (pid 101) runs on: it is HALTED")
        assert second.startswith("eth: left the terminal; the daemon (pid 102) runs on: trading goes on")

    drive(main())


# -- who is in trouble


def test_one_that_dies_is_marked_with_its_age_and_the_remedy_and_the_others_go_on() -> None:
    async def main() -> None:
        stage = two()
        async with on_stage(stage) as pilot:
            await news(pilot, stage, 1, Lost("the daemon closed the connection"))
            stage.clock.now_s += 41
            await news(pilot, stage, 0, Pictured(btc(fills=144)))
            bar, strip, advice, *rest = rows(stage)
            assert bar.startswith(" btc · sim · QUOTING")
            assert not stage.app.screen.has_class("-no-link")
            assert "2 eth NO LINK 41s −7.25" in strip
            assert advice == "  eth is away: `hlomm kill --state-dir /srv/eth`, or show it and K"
            assert "fills     144" in "\n".join(rest)
            await pressed(pilot, "d")
            assert stage.app.screen.has_class("-no-link")
            assert "the daemon closed the connection" in glass(stage)
            assert "1 btc QUOTING" in rows(stage)[1]
            await pressed(pilot, "K")
            assert "The kill goes to its guardian at once" in glass(stage)
            await pressed(pilot, "escape")
            await news(pilot, stage, 1, Up("sim", 103), Pictured(eth()))
            assert "eth QUOTING" in rows(stage)[1]
            assert "away" not in rows(stage)[2]

    drive(main())


def test_what_happens_to_another_daemon_stands_in_its_cell_until_it_is_looked_at() -> None:
    async def main() -> None:
        stage = two()
        async with on_stage(stage) as pilot:
            assert "WARN" not in rows(stage)[1], "what is only information is no alarm"
            await news(pilot, stage, 1, Pictured(eth(alerts=(SETTLED, SESSION))))
            assert "eth QUOTING WARN 1" in rows(stage)[1]
            await news(pilot, stage, 1, Pictured(eth(alerts=(SETTLED, SESSION, DANGER), state="flattening")))
            assert "eth FLATTENING CRIT 1" in rows(stage)[1]
            await pressed(pilot, "d")
            assert "CRIT" not in rows(stage)[1]
            await news(pilot, stage, 1, Pictured(eth(alerts=(SETTLED, SESSION, DANGER), ladder="critical")))
            await pressed(pilot, "d")
            assert "eth QUOTING CRITICAL" in rows(stage)[1], "what lasts is said as long as it lasts"
            down = msgspec.structs.replace(eth(), guardian=msgspec.structs.replace(eth().guardian, state="down"))
            await news(pilot, stage, 1, Pictured(down))
            assert "eth QUOTING guardian DOWN" in rows(stage)[1]

    drive(main())


def test_a_held_up_terminal_drops_no_daemons_picture_for_anothers() -> None:
    async def main() -> None:
        stage = two()
        async with on_stage(stage) as pilot:
            for fills in range(20):
                stage.links[0].deliver(Pictured(btc(fills=fills)))
                stage.links[1].deliver(Pictured(eth(fills=100 + fills)))
            stage.links[1].deliver(Heard())
            await settle(pilot)
            assert [store.live.engine.fills for store in stage.app.sight.stores if store.live] == [19, 119]

    drive(main())


# -- room

SIZES = {(80, 24): 2, (120, 40): 3, (200, 60): 5}
"""Daemons whose cells have everything in them, on one line."""


@pytest.mark.parametrize("count", [2, 3, 4, 8])
def test_every_cell_has_its_number_name_and_state_at_every_size(count: int) -> None:
    async def main() -> None:
        told: list[Snapshot | str] = [
            btc(),
            eth(state="flattening"),
            "nobody answers",
            eth(),
            btc(),
            btc(),
            eth(),
            eth(),
        ]
        stage = Beside(*told[:count])
        async with on_stage(stage) as pilot:
            for size, whole in SIZES.items():
                await pilot.resize_terminal(*size)
                await settle(pilot)
                strip = stage.app.screen.query_one(Strip)
                lines = strip.text.split("\n")
                assert max(map(len, lines)) < size[0]
                assert len(lines) <= 3
                if count <= whole:
                    assert "worst −12.50" in lines[0]
                for number, name in enumerate(NAMES[:count], 1):
                    assert f"{number} {name[:2]}" in strip.text
                assert strip.text.count("QUOTING") + strip.text.count("FLATTENING") == count - (count > 2)
                assert ("NO LINK" in strip.text) == (count > 2)
                assert stage.app.screen.query_one(Markets).size.height >= 3
                assert rows(stage)[size[1] - 1].endswith("? help  q leave")

    drive(main())


# -- by the rules of the key table


@pytest.mark.parametrize("action", keymap.SEVERAL, ids=lambda action: action.id)
def test_the_keys_of_several_are_explained_and_taken_by_nothing_else(action: keymap.Action) -> None:
    assert callable(getattr(Terminal, f"action_{action.call.removeprefix('app.').partition('(')[0]}"))
    assert action.help in help_text(several=True).plain
    assert len(action.help) <= 60
    assert "[" not in action.help + action.label + action.key_text
    assert action.key not in [key for one in keymap.ACTIONS for key in one.key.split(",")]
    assert action.id not in keymap.BY_ID


# -- whatever is pressed, whatever happens

KEYS = (
    "d", "D", "0", "K", "X", "F", "R", "1", "2", "3", "4", "5", "6", "7", "8", "p", "e", "a", "slash", "space", "t",
    "escape", "escape", "tab", "up", "down", "n", "question_mark", "x", "backspace", "ctrl+p",
)  # fmt: skip
"""Everything but ENTER, which confirms, and leaving."""


@pytest.mark.parametrize("seed", range(3))
def test_no_key_but_enter_sends_anything_and_nothing_that_happens_brings_it_down(seed: int) -> None:
    async def main() -> None:
        pick = random.Random(seed)
        stage = Beside(btc(), desk())
        events = (
            Pictured(btc()), Pictured(eth()), Pictured(desk()), Lost("closed"), Up("sim", 7, looks=True),
            Pictured(snapshot(())), Pictured(eth(alerts=(SETTLED, DANGER), state="halted")), Heard(),
        )  # fmt: skip
        async with on_stage(stage) as pilot:
            for step in range(60):
                await pilot.press(pick.choice(KEYS))
                if step % 3 == 0:
                    stage.links[pick.randrange(2)].deliver(pick.choice(events))
                    stage.clock.now_s += pick.random()
                await settle(pilot)
                app = stage.app
                assert app.sight.store is app._here.store
                bar = rows(stage)[0]
                assert bar.startswith(f" {app.store.name} · "), f"seed {seed}, step {step}: {bar}"
                for screen in app.screen_stack[1:]:
                    if isinstance(screen, Confirm | Change):
                        assert screen.sight.store is app.store, "no question outlives its daemon's turn"
            assert [link.orders for link in stage.links] == [[], []], f"seed {seed}"

    drive(main())


# -- real sockets


@pytest.mark.slow
def test_two_daemons_on_real_sockets_of_which_one_is_killed_and_one_goes() -> None:
    heard: list[tuple[str, Command]] = []

    def script(name: str, picture: Snapshot, after: Snapshot):  # type: ignore[no-untyped-def]
        async def play(peer: Peer) -> None:
            await peer.welcome()
            await peer.send(Answer(id=99, snapshot=picture))
            command = await peer.read()
            assert isinstance(command, Command)
            heard.append((name, command))
            await peer.send(Answer(id=command.id, snapshot=after))
            await peer.until_closed()

        return play

    async def until(app: Terminal, *words: str) -> None:
        async with asyncio.timeout(10):
            while not all(word in app.screen.query_one(Strip).text for word in words):
                await asyncio.sleep(0.02)

    async def main(root: Path) -> None:
        sockets = [root / "a.sock", root / "b.sock"]
        app = Terminal([Place(sockets[0], "btc"), Place(sockets[1], "eth")])
        async with app.run_test(size=(80, 24)) as pilot:
            await until(app, "1 btc NO LINK", "2 eth NO LINK")
            times = app.link._times  # type: ignore[attr-defined]
            first, second = World(sockets[0], times), World(sockets[1], times)
            async with first.serving(script("btc", btc(), btc(state="halted"))):
                async with second.serving(script("eth", eth(), eth(state="halted"))):
                    await until(app, "1 btc QUOTING", "2 eth QUOTING")
                    await pilot.press("d", "K", "enter")
                    await until(app, "1 btc QUOTING", "2 eth HALTED")
                await until(app, "1 btc QUOTING", "2 eth NO LINK")
                await pilot.press("escape", "D", "X", "enter")
                await until(app, "1 btc HALTED")
            await pilot.press("escape", "q")

    with tempfile.TemporaryDirectory(prefix="hl") as root:
        drive(main(Path(root)))
    assert [(name, one.action, one.id) for name, one in heard] == [("eth", KILL, 1), ("btc", KILL, 1)]
