"""What a canary may do, whatever its configuration says, and what it must have done before it is taken for more."""

from __future__ import annotations

import attrs
import pytest

from hlomm.cli.canary import as_canary, state_of
from hlomm.daemon.desks import Desk, held
from hlomm.domain.faults import AnotherInstance, HlommError
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.units import SCALE
from hlomm.research.promotion import Record
from hlomm.settings.load import load

MASTER, SUB = "0x" + "33" * 20, "0x" + "44" * 20
LIVE = (f"venue.hyperliquid.account='{MASTER}'", f"canary.account='{SUB}'")


def test_it_has_the_sub_account_and_nothing_larger_than_its_size() -> None:
    loaded = as_canary(load("mainnet", (), (*LIVE, "canary.size=30", "strategy.avellaneda.max_size=15"), environ={}))
    settings = loaded.settings
    assert (settings.venue.hyperliquid.account, settings.venue.hyperliquid.sub_account) == (SUB, True)
    assert settings.strategy.avellaneda.max_size == 15, "what is smaller stays"
    assert settings.limits.max_position == 60
    assert settings.limits.max_order_notional == settings.limits.max_sets == 30
    sizes = [
        (f"{name}.{key}", value)
        for name, section in loaded.tree["strategy"].items()
        for key, value in section.items()
        if key in ("max_size", "min_size", "max_notional_usd")
    ]
    assert len(sizes) > 8
    assert [one for one in sizes if one[1] > 30] == []
    assert loaded.origins["limits.max_position"] == "canary"
    assert state_of("mainnet") == "mainnet-canary"


@pytest.mark.parametrize(
    ("profile", "sets", "words"),
    [
        ("mainnet", LIVE[:1], "canary.account is empty"),
        ("mainnet", (LIVE[0], f"canary.account='{MASTER}'"), "a sub-account of its own"),
        ("mainnet", (*LIVE, "venue.kalshi.enabled=true"), "venue.kalshi.enabled"),
        ("paper", (), "no meaning in profile paper"),
    ],
)
def test_where_there_is_no_sub_account_there_is_no_canary(profile: str, sets: tuple[str, ...], words: str) -> None:
    with pytest.raises(HlommError, match=words):
        as_canary(load(profile, (), sets, environ={}))


def test_two_daemons_never_share_a_key(tmp_path, monkeypatch) -> None:
    """A canary beside its master's daemon: another account, and if it has the same agent, the same nonces."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def desk(signer: str) -> Desk:
        return Desk(venue=HYPERLIQUID, books="x", session=lambda _: None, charge=None, signer=signer)  # type: ignore[arg-type,return-value]

    again = held([desk(MASTER.upper())], "mainnet")
    with (
        held([desk(MASTER)], "mainnet"), held([desk(SUB)], "mainnet"),
        pytest.raises(AnotherInstance, match="approve another"), again,
    ):  # fmt: skip
        pass
    with held([desk(MASTER)], "mainnet"):
        pass


GOOD = Record(
    account="a", profile="mainnet", trades=150, volume=1, fees=0, total=60 * SCALE, drawdown=0, days=8.0,
    results=tuple((2 + (n % 5 - 2)) * SCALE for n in range(30)), halts=0,
)  # fmt: skip
ASKED = load("mainnet", environ={}).settings.canary


def test_a_record_that_meets_every_criterion_says_so_and_no_more() -> None:
    document = GOOD.document(ASKED)
    assert (document["meets"], document["lacks"]) == (True, [])
    assert document["psr"] > 0.999
    assert document["min_trl"] < 30
    assert "the decision is yours" in GOOD.text(ASKED)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"trades": 99}, "99 trades of 100"),
        ({"results": GOOD.results[:29]}, "29 settlements of 30"),
        ({"days": 6.9}, "6.9 days of 7"),
        ({"total": 0}, "must be above 0"),
        ({"results": ()}, "no Sharpe ratio"),
        ({"results": (SCALE,) * 30}, "no Sharpe ratio"),
        ({"results": tuple((n % 5 - 2) * SCALE + SCALE // 10 for n in range(30))}, "PSR"),
        ({"results": tuple((n % 5 - 2) * SCALE + SCALE // 10 for n in range(30))}, "minimum track record"),
    ],
)
def test_each_criterion_alone_is_missed_with_its_numbers(changed: dict[str, object], words: str) -> None:
    lacks = attrs.evolve(GOOD, **changed).lacks(ASKED)
    assert any(words in one for one in lacks), lacks


def test_psr_is_the_published_example() -> None:
    """SR .458 over 24 observations, skew -2.448, kurtosis 10.164: .913 (QUANT 8.4), by the same formula."""
    from hlomm.pricing.trials import psr

    assert psr(0.458, 24, -2.448, 10.164)[1] == pytest.approx(0.913, abs=5e-4)
    found = GOOD.moments
    assert found is not None
    assert GOOD.psr == psr(found.sharpe, found.n, found.skew, found.kurtosis)[1]
