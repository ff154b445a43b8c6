"""Rung: pure functions from the store to text. What an order would do and did, and what is said when nobody answers."""

from __future__ import annotations

import msgspec
from rich.cells import cell_len

from hlomm.domain.inputs import OperatorAction
from hlomm.domain.report import AuditRow
from tests.tui import examples
from tests.tui.examples import (
    DANGER,
    FLATTENED,
    NOW_S,
    SETTLED,
    WALL_MS,
    halted,
    many,
    snapshot,
)
from tests.tui.reading import store, text
from tui.client import Answered, Declined, Guarded, Lost, Pictured, Rejected, Unanswered, Unguarded, Up
from tui.state import Start, Store
from tui.views import consequence, nobody, outcome
from tui.views.line import plain

# -- consequences


def asked(picture: examples.Snapshot, action: OperatorAction) -> str:
    return text(consequence.question(store(picture), action, NOW_S, 72))


def test_kill_names_orders_venues_tokens_and_what_lasts() -> None:
    said = " ".join(asked(snapshot(), OperatorAction.KILL).split())
    assert "Cancels 4 orders on hyperliquid (4)." in said
    assert "40 NO BTC≥91905 01:00Z, 120 YES BTC≥91612 06:00Z, 96.00 at the best bids" in said
    assert "unless flatten.on_kill says keep" in said
    assert "Stops avellaneda. Stays HALTED across restarts until you resume." in said


def test_flatten_always_sells() -> None:
    assert "flatten.on_kill" not in asked(snapshot(), OperatorAction.FLATTEN)


def test_kill_with_nothing_to_do_says_that() -> None:
    said = asked(snapshot(()), OperatorAction.KILL)
    assert "No order of ours is open" in said
    assert "Nothing is held" in said
    assert "Stops every strategy" in said


def test_many_positions_are_counted_rather_than_listed() -> None:
    assert "and 7 more" in " ".join(asked(snapshot(many()), OperatorAction.KILL).split())


def test_resume_says_why_it_is_halted_and_that_drawdown_counts_anew() -> None:
    said = " ".join(asked(halted(), OperatorAction.RESUME).split())
    assert "Halted because: kill by uid 1000 from 10.0.0.7 (book looks wrong)." in said
    assert "Avellaneda quotes again in 3 markets on hyperliquid." in said, "not where nothing is quoted"
    assert "Held now: 40 NO" in said
    assert "Drawdown counts anew from equity 10,214.37" in said
    assert "nothing to resume" in asked(snapshot(), OperatorAction.RESUME)
    assert "refused until it is HALTED" in asked(snapshot(state="flattening"), OperatorAction.RESUME)


def test_without_a_link_no_numbers_are_pretended() -> None:
    made = store()
    made.apply(Lost("closed"), NOW_S)
    said = text(consequence.question(made, OperatorAction.KILL, NOW_S + 5, 72))
    assert "No link to the daemon, last heard 5s ago" in said
    assert "Cancels" not in said


def after(*events: examples.Event, waited_s: float = 0.0) -> str:
    made = store()
    made.sent(1, OperatorAction.KILL, NOW_S)
    for event in events:
        made.apply(event, NOW_S + 0.04)
    return " ".join(text(outcome.lines(made, NOW_S + waited_s, 72)).split())


def test_the_outcome_follows_the_answer() -> None:
    assert "sent, waiting for the answer" in after(waited_s=0.5)
    assert "Daemon silent for 1.2 s. Asking its guardian." in after(waited_s=1.2)
    assert "no guardian answers. Still" in after(Unguarded(1, "no guardian answers"), waited_s=1.2)
    taken = after(Guarded(1, "acting: kill by uid 1000"), Unanswered(1, "no answer in 5 s"))
    assert "guardian has taken it (0.04 s) acting: kill by uid 1000" in taken
    assert "The daemon refuses: the engine is frozen" in after(Declined(1, "the engine is frozen"))
    assert "Not confirmed: no answer in 5 s. It may still be carried out" in after(Unanswered(1, "no answer in 5 s"))


def test_the_outcome_shows_the_state_and_what_was_done() -> None:
    done = msgspec.structs.replace(halted(), alerts=(SETTLED, msgspec.structs.replace(DANGER, wall_ms=WALL_MS)))
    said = after(Answered(1, done), Pictured(done))
    assert "has taken it (0.04 s) audit … state HALTED open orders 0 positions held 1" in said
    assert "CRIT kill by uid 1000" in said
    assert "settled" not in said, "what happened before the order is not its doing"


def proved(action: OperatorAction, done: examples.Snapshot) -> str:
    """What stands there in the end."""
    made = store()
    made.sent(1, action, NOW_S)
    made.apply(Answered(1, done), NOW_S + 0.04)
    made.apply(Pictured(done), NOW_S + 0.04)
    return " ".join(text(outcome.lines(made, NOW_S + 1, 72)).split())


def test_the_proof_is_the_venues_word_and_the_number_in_the_chain() -> None:
    row = AuditRow(n=218, at_ms=WALL_MS + 20, action="kill", who="uid 1000 from 10.0.0.7")
    verified = msgspec.structs.replace(FLATTENED, wall_ms=WALL_MS + 900)
    done = msgspec.structs.replace(halted(), alerts=(verified,), audit=(row,))
    said = proved(OperatorAction.KILL, done)
    assert "audit #218" in said
    assert "hyperliquid 4/4 cancelled orders at the venue: 0 ✓ verified" in said
    assert "BTC≥91905 01:00Z 40 NO → 40 NO held" in said
    assert "BTC≥91612 06:00Z 120 YES → flat" in said


def test_what_the_venue_has_not_confirmed_is_no_proof() -> None:
    asking = msgspec.structs.replace(halted(), alerts=())
    assert "orders at the venue: 0, asking the venue" in proved(OperatorAction.KILL, asking)
    late = msgspec.structs.replace(FLATTENED, wall_ms=WALL_MS + 900, code="flatten_deadline")
    doubted = msgspec.structs.replace(halted(), alerts=(late,))
    assert "NOT CONFIRMED: check by hand" in proved(OperatorAction.CANCEL, doubted)
    earlier = msgspec.structs.replace(asking, alerts=(FLATTENED,))
    assert "verified" not in proved(OperatorAction.KILL, earlier), "an earlier walk proves nothing for this one"
    other = AuditRow(n=217, at_ms=WALL_MS - 1, action="kill", who="uid 1000")
    assert "#217" not in proved(OperatorAction.KILL, msgspec.structs.replace(asking, audit=(other,)))
    assert "0/4 cancelled orders at the venue: 4" in proved(OperatorAction.FLATTEN, snapshot(state="flattening"))


def test_the_guardians_steps_and_its_proof() -> None:
    did = ("killed the daemon (pid 42)", "cancelled 2 orders", "left: nothing")
    acting = Guarded(1, "acting: kill by uid 1000", did[:1])
    said = after(acting)
    assert "✓ killed the daemon (pid 42)" in said
    assert "verified" not in said
    said = after(acting, Guarded(1, "done: kill by uid 1000", did, safe=True, audit=3))
    assert "audit #3" in said
    assert "orders at the venues: 0 ✓ verified HALTED until you resume done: kill by uid 1000" in said
    assert said.endswith("✓ cancelled 2 orders ✓ left: nothing")


def test_without_a_link_a_kill_says_where_it_goes() -> None:
    made = store()
    made.apply(Lost("closed"), NOW_S)
    assert "goes to its guardian at once" in text(consequence.question(made, OperatorAction.KILL, NOW_S + 5, 72))
    for action in (OperatorAction.FLATTEN, OperatorAction.CANCEL, OperatorAction.RESUME):
        assert "K kills through the guardian" in text(consequence.question(made, action, NOW_S + 5, 72))


def test_names_of_wide_characters_take_nothing_from_what_is_behind_them() -> None:
    rows = tuple(examples.daily(id=f"hyperliquid:o{n}", ticker="比特币今年会超过十万美元吗") for n in range(4))
    lines = consequence.question(store(snapshot(rows)), OperatorAction.KILL, NOW_S, 70)
    assert all(cell_len(plain(each)) <= 70 for each in lines)
    assert "and 1 more" in " ".join(text(lines).split())


def test_a_flood_of_alerts_drowns_neither_the_proof_nor_its_lack() -> None:
    flood = tuple(msgspec.structs.replace(SETTLED, wall_ms=WALL_MS + 2_000 + n) for n in range(50))
    for code, said in (("flattened", "0 ✓ verified"), ("flatten_deadline", "NOT CONFIRMED: check by hand")):
        ended = msgspec.structs.replace(FLATTENED, wall_ms=WALL_MS + 900, code=code, text=f"word for word {code}")
        made = store()
        made.sent(1, OperatorAction.KILL, NOW_S)
        made.apply(Answered(1, halted()), NOW_S)
        for alerts in ((ended,), flood):
            made.apply(Pictured(msgspec.structs.replace(halted(), alerts=alerts)), NOW_S)
            drawn = text(outcome.lines(made, NOW_S, 72))
            assert said in drawn
            assert f"word for word {code}" in drawn, "before what is mere information"


def test_what_was_said_before_the_kill_was_taken_is_no_proof_of_it() -> None:
    """An order typed ahead of the first picture knows no time; an old picture knows one that is long past."""
    told = msgspec.structs.replace(
        snapshot((), wall_ms=WALL_MS + 60_000), alerts=(FLATTENED,),
        audit=(AuditRow(n=7, at_ms=WALL_MS - 5_000, action="kill", who="", reason="", target="", result=""),),
    )  # fmt: skip
    for seen in ((), (Pictured(snapshot()),)):
        made = Store.begin("/tmp/s", NOW_S)
        for event in (Up("sim", 1), *seen):
            made.apply(event, NOW_S)
        made.sent(1, OperatorAction.KILL, NOW_S)
        for event in (Answered(1, told), Pictured(told)):
            made.apply(event, NOW_S)
        said = text(outcome.lines(made, NOW_S, 72))
        assert "asking the venue" in said
        assert "verified" not in said
        assert "#7" not in said


def test_cancel_says_what_it_leaves() -> None:
    said = " ".join(asked(snapshot(), OperatorAction.CANCEL).split())
    assert "Cancels 4 orders on hyperliquid (4). Sells nothing: 40 NO BTC≥91905 01:00Z" in said
    assert "stay as they are. Stops avellaneda. Stays HALTED" in said
    assert "best bid" not in said


def test_an_order_that_was_not_sent_is_not_an_order() -> None:
    assert "Nothing was sent" in text(outcome.lines(store(), NOW_S, 72))
    looking = Store.begin("/tmp/s", NOW_S, viewer=True)
    assert "read-only" in text(outcome.lines(looking, NOW_S, 72)), "it is not the link that was missing"
    nothing = Store.begin("/tmp/s", NOW_S)
    nothing.sent(1, OperatorAction.KILL, NOW_S)
    assert "waiting" in text(outcome.lines(nothing, NOW_S, 72))


# -- nobody


def test_nobody_says_where_it_looked_and_what_to_do() -> None:
    made = Store.begin("/run/hlomm.sock", NOW_S)
    assert "Looking for the daemon" in text(nobody.lines(made, 60))
    made.apply(Lost("nobody answers"), NOW_S)
    assert "No daemon answers at /run/hlomm.sock" in text(nobody.lines(made, 60))
    assert "hlomm run" in text(nobody.lines(made, 60))
    assert "s  start" not in text(nobody.lines(made, 60)), "not offered where it would not help"
    made.apply(Rejected("it speaks link version 2, this terminal 1"), NOW_S)
    assert "version 2" in text(nobody.lines(made, 60))
    made.apply(Up("sim", 1), NOW_S)
    assert "Waiting for the first snapshot" in text(nobody.lines(made, 60))


def test_the_offer_to_start_follows_what_became_of_it() -> None:
    made = Store.begin("/run/hlomm.sock", NOW_S, Start("/run/log"))
    made.apply(Lost("nobody answers"), NOW_S)
    assert made.start is not None
    assert "s  start the simulator here" in text(nobody.lines(made, 60))
    made.start.pid = 77
    assert "Starting the simulator (pid 77), log in /run/log" in text(nobody.lines(made, 60))
    made.start.pid, made.start.problem = None, "exit code 7, another hlomm holds it"
    assert "exit code 7" in text(nobody.lines(made, 60))
    assert "s  try again" in text(nobody.lines(made, 60))


def test_what_a_guardian_did_not_make_safe_is_said_in_capitals() -> None:
    said = after(Guarded(1, "stood_down: pid 77 holds account 0xabc", ("left alone: it",), audit=3, over=True))
    assert "has taken it" not in said
    assert "✓" not in said
    assert "has NOT made it safe" in said
    assert "NOT CONFIRMED" in said
