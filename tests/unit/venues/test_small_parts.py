"""Small machines of the session: nonces, bounded memory, counters, posts, liveness, fees, configuration."""

from __future__ import annotations

import itertools
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from hlomm.domain.faults import ConfigError
from hlomm.domain.inputs import FeeRates
from hlomm.domain.secret import Secret
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.venues import curve
from hlomm.venues.anomalies import Anomaly
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.counters import KINDS_MAX, Counters
from hlomm.venues.curve import Key, assert_fast_backend
from hlomm.venues.hyperliquid import signing
from hlomm.venues.hyperliquid.batches import Batch, BatchKind
from hlomm.venues.hyperliquid.config import HyperliquidConfig
from hlomm.venues.hyperliquid.fees import outcome_fees
from hlomm.venues.hyperliquid.nonces import Nonces
from hlomm.venues.hyperliquid.posts import LATE_MAX, Posts
from hlomm.venues.hyperliquid.signing import Chain, Signer
from hlomm.venues.hyperliquid.wire.info import UserFees
from hlomm.venues.liveness import Liveness, Verdict
from tests.unit.venues.fake_hyperliquid import ACCOUNT, KEY
from tests.unit.venues.harness import config

# -- nonces


def test_nonces_follow_the_clock_and_never_repeat() -> None:
    nonces = Nonces()
    assert [nonces.take(1_000), nonces.take(1_000), nonces.take(1_000), nonces.take(2_000)] == [
        1_000,
        1_001,
        1_002,
        2_000,
    ]


def test_nonces_rise_when_the_clock_steps_back() -> None:
    nonces = Nonces()
    assert nonces.take(5_000) == 5_000
    assert nonces.take(100) == 5_001


def test_nonces_continue_after_a_known_last_one() -> None:
    assert Nonces(9_000).take(5) == 9_001


@given(st.lists(st.integers(0, 10**13), min_size=2))
def test_nonces_rise_strictly_and_are_never_behind_the_clock(clock: list[int]) -> None:
    nonces = Nonces()
    taken = [nonces.take(now) for now in clock]
    assert all(later > earlier for earlier, later in itertools.pairwise(taken))
    assert all(nonce >= now for nonce, now in zip(taken, clock, strict=True))


# -- bounded memory


def test_the_oldest_entry_goes_first() -> None:
    memory: BoundedMap[str, int] = BoundedMap(2)
    for key, value in (("a", 1), ("b", 2), ("c", 3)):
        memory.put(key, value)
    assert ("a" in memory, memory.get("b"), memory.get("c"), len(memory), memory.dropped) == (False, 2, 3, 2, 1)


def test_replacing_keeps_the_age_and_the_size() -> None:
    memory: BoundedMap[str, int] = BoundedMap(2)
    memory.put("a", 1)
    memory.put("b", 2)
    memory.put("a", 9)
    memory.put("c", 3)
    assert memory.get("a") is None
    assert (memory.get("b"), memory.get("c")) == (2, 3)


def test_adding_tells_whether_it_was_new() -> None:
    memory: BoundedMap[str, int] = BoundedMap(2)
    assert memory.add("a", 1)
    assert not memory.add("a", 2)
    assert memory.get("a") == 1
    assert memory.pop("a") == 1
    assert memory.pop("a") is None
    assert len(memory) == 0


@given(st.lists(st.integers(0, 20)), st.integers(1, 5))
def test_a_bounded_map_holds_the_last_distinct_keys(keys: list[int], limit: int) -> None:
    memory: BoundedMap[int, None] = BoundedMap(limit)
    for key in keys:
        memory.add(key, None)
        assert len(memory) <= limit
    if keys:
        assert keys[-1] in memory


# -- counters


def test_each_kind_is_logged_once_and_counted_always() -> None:
    counters = Counters()
    with capture_logs() as logs:
        counters.note([Anomaly("fill.size", "first"), Anomaly("fill.size", "second")], "here")
        counters.note([Anomaly("fill.size", "third"), Anomaly("bbo.crossed", "x")], "there")
    assert counters.get("malformed.fill.size") == 3
    assert [(log["kind"], log["where"], log["detail"]) for log in logs] == [
        ("fill.size", "here", "first"),
        ("bbo.crossed", "there", "x"),
    ]


def test_kinds_are_bounded() -> None:
    counters = Counters()
    for number in range(KINDS_MAX + 100):
        counters.add(f"kind{number}")
    assert len(counters.counts) == KINDS_MAX + 1
    assert counters.get("other") == 100
    counters.add("kind0", 4)
    assert counters.get("kind0") == 5


# -- posts


def batch(name: str = "b") -> Batch:
    return Batch(kind=BatchKind.CANCEL, requests=(), body=name.encode(), expires_ms=0)


def test_an_answer_finds_its_batch_once() -> None:
    posts = Posts()
    first, second = posts.next_id(), posts.next_id()
    assert (first, second) == (1, 2)
    posts.enter(first, batch("one"), 0, 100)
    posts.enter(second, batch("two"), 0, 100)
    assert len(posts) == 2
    found = posts.answer(second, 5 * NS_PER_MS)
    assert found is not None
    assert found.body == b"two"
    assert posts.answer(second, 6) is None
    assert posts.answer(99, 6) is None
    assert posts.p50_ms() == 5


def test_the_median_is_over_the_last_answers() -> None:
    posts = Posts()
    assert posts.p50_ms() is None
    for wait in (1, 2, 30):
        post_id = posts.next_id()
        posts.enter(post_id, batch(), 0, 10**12)
        posts.answer(post_id, wait * NS_PER_MS)
    assert posts.p50_ms() == 2


def test_expired_posts_are_given_back_once_and_late_answers_still_find_them() -> None:
    posts = Posts()
    for name, deadline in (("one", 100), ("two", 200)):
        posts.enter(posts.next_id(), batch(name), 0, deadline)
    assert [one.body for one in posts.expire(100)] == [b"one"]
    assert posts.expire(100) == []
    assert len(posts) == 1
    late = posts.answer(1, 10**9)
    assert late is not None
    assert late.body == b"one"
    assert posts.answer(1, 10**9) is None
    assert posts.p50_ms() is None, "a late answer says nothing about the usual wait"


def test_a_lost_connection_gives_everything_back_in_order() -> None:
    posts = Posts()
    for name in "abc":
        posts.enter(posts.next_id(), batch(name), 0, 1)
    assert [(post_id, one.body) for post_id, one in posts.drain()] == [(1, b"a"), (2, b"b"), (3, b"c")]
    assert len(posts) == 0
    assert posts.answer(2, 5) is None


def test_the_memory_of_late_posts_is_bounded() -> None:
    posts = Posts()
    for _ in range(LATE_MAX + 10):
        posts.enter(posts.next_id(), batch(), 0, 1)
    posts.expire(1)
    assert posts.answer(1, 5) is None
    assert posts.answer(LATE_MAX + 10, 5) is not None


def test_an_id_is_never_entered_twice() -> None:
    posts = Posts()
    posts.enter(1, batch(), 0, 1)
    with pytest.raises(AssertionError):
        posts.enter(1, batch(), 0, 1)


# -- liveness


def liveness() -> Liveness:
    return Liveness(ping_every=20 * NS_PER_S, pong_within=10 * NS_PER_S, silence=15 * NS_PER_S, opened=0)


def at(seconds: float) -> int:
    return int(seconds * NS_PER_S)


def test_a_busy_connection_is_pinged_at_its_period() -> None:
    watch = liveness()
    pings = []
    for second in range(100):
        watch.on_data(at(second))
        if watch.check(at(second)) is Verdict.PING:
            pings.append(second)
            watch.on_pong()
    assert pings == [20, 40, 60, 80]


def test_a_silent_connection_is_pinged_sooner_and_a_quiet_market_is_no_fault() -> None:
    watch = liveness()
    verdicts = {}
    for second in range(60):
        verdict = watch.check(at(second))
        if verdict is not Verdict.ALIVE:
            verdicts[second] = verdict
            watch.on_pong()
    assert verdicts == {15: Verdict.PING, 30: Verdict.PING, 45: Verdict.PING}


def test_a_ping_without_pong_is_death_after_the_deadline_only() -> None:
    watch = liveness()
    assert watch.check(at(15)) is Verdict.PING
    assert watch.check(at(24.9)) is Verdict.ALIVE
    assert watch.check(at(25)) is Verdict.DEAD


def test_data_without_pong_does_not_count_as_pong() -> None:
    watch = liveness()
    assert watch.check(at(15)) is Verdict.PING
    watch.on_data(at(20))
    assert watch.check(at(25)) is Verdict.DEAD


def test_a_late_pong_saves_the_connection() -> None:
    watch = liveness()
    assert watch.check(at(15)) is Verdict.PING
    watch.on_pong()
    assert watch.check(at(25)) is Verdict.ALIVE


def test_the_next_look_is_never_late() -> None:
    watch = liveness()
    now = 0
    seen = []
    while now < at(100):
        verdict = watch.check(now)
        if verdict is Verdict.PING:
            seen.append(now // NS_PER_S)
            watch.on_pong()
        assert watch.wait(now) >= 1
        now += watch.wait(now)
    assert seen == [15, 30, 45, 60, 75, 90]
    assert watch.check(now) is not Verdict.DEAD


def test_while_a_pong_is_awaited_the_next_look_is_its_deadline() -> None:
    watch = liveness()
    watch.check(at(15))
    assert watch.wait(at(16)) == at(9)


def test_periods_shorter_than_the_pong_deadline_are_kept() -> None:
    """A simulated venue at ten times the speed closes what was silent for six seconds of the host."""
    watch = Liveness(ping_every=at(2), pong_within=at(10), silence=at(1.5), opened=0)
    now, pings = 0, []
    while now < at(9):
        if watch.check(now) is Verdict.PING:
            pings.append(now / NS_PER_S)
            watch.on_pong()
        now += watch.wait(now)
    assert pings == [1.5, 3, 4.5, 6, 7.5]


# -- fees


def test_only_the_side_that_reduces_pays() -> None:
    fees = UserFees(perp_taker=1, perp_maker=1, spot_taker=70_000, spot_maker=40_000, referral_discount=0)
    assert outcome_fees(fees) == FeeRates(
        venue="hyperliquid",  # type: ignore[arg-type]
        open_maker=0,
        open_taker=0,
        close_maker=40_000,
        close_taker=70_000,
        settle=70_000,
    )


def test_discounts_round_up_and_rebates_do_not_exist() -> None:
    fees = UserFees(perp_taker=1, perp_maker=1, spot_taker=70_001, spot_maker=-5, referral_discount=4_000_000)
    rates = outcome_fees(fees)
    assert rates.close_taker == 67_201
    assert rates.close_maker == 0


# -- configuration


def test_the_key_is_never_printed() -> None:
    settings = config()
    assert KEY.hex() not in repr(settings)
    assert "agent_key" not in repr(settings)
    assert ACCOUNT in repr(settings)
    assert KEY.hex() not in repr(Signer(Key(KEY), Chain.TESTNET))


def test_addresses_are_lower_case_whatever_was_typed() -> None:
    assert config(account=ACCOUNT.upper().replace("0X", "0x")).account == ACCOUNT
    assert config(vault=ACCOUNT.upper().replace("0X", "0x")).vault == ACCOUNT


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"rest_url": "ftp://x"}, "rest_url"),
        ({"rest_url": "https://x/"}, "rest_url"),
        ({"rest_url": "https://"}, "rest_url"),
        ({"ws_url": "https://x"}, "ws_url"),
        ({"account": "0x12"}, "account"),
        ({"account": "14791697260e4c9a71f18484c9f997b308e59325"}, "account"),
        ({"vault": "0x" + "g" * 40}, "vault"),
        ({"vault": "0x" + "1" * 40}, "vault"),
        ({"underlyings": ()}, "underlyings"),
        ({"underlyings": ("BTC", "BTC")}, "underlyings"),
        ({"request_deadline_s": 0}, "request_deadline_s"),
        ({"ping_every_s": -1}, "ping_every_s"),
        ({"reconcile_every_s": 10**6}, "reconcile_every_s"),
        ({"writer_queue": 0}, "writer_queue"),
        ({"settlement_attempts": 0}, "settlement_attempts"),
    ],
)
def test_unusable_settings_are_refused_by_name(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        config(**fields)


def test_networks_have_their_public_addresses() -> None:
    for chain, host in ((Chain.MAINNET, "api.hyperliquid.xyz"), (Chain.TESTNET, "api.hyperliquid-testnet.xyz")):
        settings = HyperliquidConfig.for_chain(chain, account=ACCOUNT, agent_key=Key(KEY))
        assert settings.rest_url == f"https://{host}"
        assert settings.ws_url == f"wss://{host}/ws"
        assert settings.chain is chain


def test_settings_do_not_change() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        config().account = "x"  # type: ignore[misc]


@pytest.mark.parametrize("text", [KEY.hex(), "0x" + KEY.hex(), "  0x" + KEY.hex().upper() + "\n"])
def test_keys_are_read_from_hex(text: str) -> None:
    assert Key.parse(Secret(text)).address == Key(KEY).address


@pytest.mark.parametrize("text", ["", "0x", KEY.hex()[:-1], KEY.hex() + "00", "g" * 64, "secret words"])
def test_unreadable_keys_are_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Key.parse(Secret(text))
    assert len(text.strip()) < 3 or text.strip() not in str(refused.value)


# -- signer


@pytest.mark.parametrize("key", [b"", b"x" * 31, b"x" * 33, bytes(32), b"\xff" * 32])
def test_keys_off_the_curve_are_refused(key: bytes) -> None:
    with pytest.raises(ConfigError):
        Key(key)


def test_the_address_is_that_of_the_vectors() -> None:
    assert Signer(Key(KEY), Chain.MAINNET).address == "0x14791697260e4c9a71f18484c9f997b308e59325"


def test_vaults_that_are_no_address_are_refused() -> None:
    for vault in ("0x12", "zz", "0x" + "1" * 42):
        with pytest.raises(ValueError, match=r"address|hexadecimal"):
            signing.action_hash(b"", 1, vault, None)


def test_every_part_of_the_preimage_changes_the_hash() -> None:
    packed = signing.pack_action({"type": "noop"})
    vault = "0x" + "11" * 20
    hashes = {
        signing.action_hash(packed, 1, None, None),
        signing.action_hash(packed, 2, None, None),
        signing.action_hash(packed, 1, vault, None),
        signing.action_hash(packed, 1, None, 5),
        signing.action_hash(packed, 1, vault, 5),
        signing.action_hash(signing.pack_action({"type": "other"}), 1, None, None),
    }
    assert len(hashes) == 6


def test_networks_sign_differently() -> None:
    action = {"type": "noop"}
    main = Signer(Key(KEY), Chain.MAINNET).sign_action(action, 1)
    test = Signer(Key(KEY), Chain.TESTNET).sign_action(action, 1)
    assert main != test


def test_the_fast_backend_is_really_there() -> None:
    assert_fast_backend()


class _Slow:
    """A stand-in that hashes correctly but is not the C library."""

    __module__ = "hashlib_pure"

    def __init__(self, data: bytes) -> None:
        self._data = data

    def digest(self) -> bytes:
        return bytes(32)


def test_a_slow_keccak_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve.sha3, "keccak_256", _Slow)
    with pytest.raises(ConfigError, match="safe-pysha3"):
        assert_fast_backend()


def test_a_secp256k1_that_is_no_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve._libsecp256k1, "__file__", "pure.py")
    with pytest.raises(ConfigError, match="coincurve"):
        assert_fast_backend()


def test_a_wrong_curve_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve, "_PROBE_ADDRESS", "0x" + "0" * 40)
    with pytest.raises(ConfigError, match="wrong address"):
        assert_fast_backend()
