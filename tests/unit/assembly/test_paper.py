"""From settings to an account at home: which is whose, what it begins with, and that no key is near it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hlomm.cli.paper import paper_desks
from hlomm.daemon.doctor_venues import venues
from hlomm.domain.checkup import Status
from hlomm.domain.faults import ConfigError, HlommError
from hlomm.research.paper.session import PaperSession
from hlomm.settings.load import load
from hlomm.venues.curve import Key
from hlomm.venues.watching import NO_KEY

HEARD = "https://api.hyperliquid.xyz"


def books(*sets: str, sim: Path | None = None) -> str:
    (desk,) = paper_desks(load("paper", (), sets, environ={}), sim).desks
    return desk.books


def test_it_hears_mainnet_and_wants_no_key() -> None:
    local = paper_desks(load("paper", environ={}), None)
    (desk,) = local.desks
    assert HEARD in desk.books
    assert local.fill_model in desk.books
    assert desk.charge is None, "nothing that a guardian could be charged with"
    session = desk.session(None)
    assert isinstance(session, PaperSession)
    account = session.exchange.account(0)
    assert (account.cash, account.perp_cash, account.tokens) == (10_000 * 10**8, 5_000 * 10**8, ())
    (check, *_) = venues(load("paper", environ={}), {})
    assert check.status is Status.OK


def test_nothing_in_it_could_sign() -> None:
    """Of all that can be reached from the session: no key but the one that stands for none, no way for an order."""
    (desk,) = paper_desks(load("paper", environ={}), None).desks
    seen: set[int] = set()
    found: set[str] = set()
    keys: set[str] = set()
    queue: list[object] = [desk.session(None)]
    while queue:
        one = queue.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        kind = f"{type(one).__module__}.{type(one).__qualname__}"
        if not kind.startswith(("hlomm.", "builtins.dict", "builtins.list", "builtins.tuple", "builtins.method")):
            continue
        found.add(kind)
        if isinstance(one, Key):
            keys.add(one.address)
        names = [name for base in type(one).__mro__ for name in getattr(base, "__slots__", ())]
        queue += [getattr(one, name) for name in names if hasattr(one, name)]
        queue += list(getattr(one, "__dict__", {}).values())
        if isinstance(one, dict):
            queue += list(one.values())
        elif isinstance(one, list | tuple):
            queue += list(one)
        elif kind == "builtins.method":
            queue.append(one.__self__)  # type: ignore[attr-defined]
    assert keys == {Key(NO_KEY).address}, "it stands in a configuration that wants one, and signs nothing"
    assert "hlomm.venues.public_transport.PublicTransport" in found
    assert "hlomm.venues.hyperliquid.watch.HyperliquidWatcher" in found
    banned = ("Session", "Gateway", "Signer", "Direct", "Nonces", "Secret")
    assert not [kind for kind in found if kind.endswith(banned) and not kind.endswith("PaperSession")]


def test_another_model_source_or_table_of_fees_is_another_account(tmp_path: Path) -> None:
    document = tmp_path / "sim.json"
    venue = {"rest": "http://127.0.0.1:1", "ws": "ws://127.0.0.1:1/ws", "accounts": [_ACCOUNT]}
    clock = {"host_origin_ns": 7, "venue_origin_ns": 8, "speed": 1.0}
    document.write_text(json.dumps({"ready": True, "clock": clock, "venues": {"hyperliquid": venue}, "seed": 3}))
    all_of_them = {
        books(), books("paper.queue=front"), books("paper.latency=entry=1ms"), books("paper.fees=recorded"),
        books(sim=document),
    }  # fmt: skip
    assert len(all_of_them) == 5
    assert books() == books("paper.cash=5", "strategy.avellaneda.gamma=0.01"), "what decides is not what fills"
    assert paper_desks(load("paper", environ={}), document).seed == 3


_ACCOUNT = dict.fromkeys(
    ("address", "key", "agent_key", "agent_address", "guardian_key", "guardian_address"), "0x" + "11" * 20
)


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        (("venue.kalshi.enabled=true",), "paper trades Hyperliquid alone"),
        (("paper.latency=feed=20ms",), "is as late as it is"),
        (("paper.latency=entry=soon",), "soon"),
    ],
)
def test_what_paper_cannot_do_is_refused(sets: tuple[str, ...], words: str) -> None:
    with pytest.raises(HlommError, match=words):
        paper_desks(load("paper", (), sets, environ={}), None)
    with pytest.raises(ConfigError, match="paper"):
        load("paper", (), ("paper.queue=middle",), environ={})
