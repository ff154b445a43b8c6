"""What benchmarks are made of: frames that the codec takes, a ladder of equal orders, doubts that are said."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from eth_account import Account

from hlomm.bench import frames, naive, quiet, shown
from hlomm.bench.naive import NaiveCore
from hlomm.bench.quiet import Watch
from hlomm.bench.rungs import FastCore
from hlomm.bench.sampling import looking, shares
from hlomm.bench.synthetic import recording
from hlomm.bench.trust import trusted
from hlomm.bench.venue import BenchVenue
from hlomm.daemon.histogram import Histogram
from hlomm.domain.inputs import BboUpdate, BookSnapshot
from hlomm.domain.secret import Secret
from hlomm.rundir import certificate
from hlomm.venues.curve import Key
from hlomm.venues.hyperliquid.signing import Chain, Signer
from hlomm.venues.hyperliquid.wire.frames import decode_frame
from hlomm.venues.hyperliquid.wire.public import Prints

KEY = "0x" + "11" * 32
STAMP = 1_790_000_000_000


# -- frames


def test_every_frame_is_one_that_the_session_reads() -> None:
    kinds = {frames.BOOK: BookSnapshot, frames.TOUCH: BboUpdate, frames.PRINT: Prints}
    for frame in islice(frames.mixed("#118010", 80_000.0), 2_000):
        decoded = decode_frame(frame.at(STAMP))
        assert decoded.anomalies == ()
        assert isinstance(decoded.frame, kinds[frame.kind])
        if isinstance(decoded.frame, BookSnapshot):
            assert len(decoded.frame.bids) == len(decoded.frame.asks) == frames.LEVELS
            assert decoded.frame.venue_ms == STAMP


def test_every_contract_gets_every_kind_of_frame() -> None:
    coins = [f"#{10 * number}" for number in range(118, 168)]
    told = Counter((frame.kind, frame.head.partition(b'"coin":"')[2].partition(b'"')[0]) for frame in
                   islice(frames.across(coins, 80_000.0), 5_000))  # fmt: skip
    assert {coin for kind, coin in told if kind == "l2Book"} == {coin.encode() for coin in coins}
    assert min(count for (kind, _), count in told.items() if kind == "l2Book") >= 60
    alone = list(islice(frames.mixed(coins[0], 80_000.0), 300))
    assert list(islice(frames.across(coins[:1], 80_000.0), 300)) == alone


def test_a_book_is_as_long_as_one_that_was_recorded() -> None:
    sizes = [len(frame.at(STAMP)) for frame in frames.books("#118010")]
    assert min(sizes) > 1_200
    assert max(sizes) < 2_400


def test_the_walk_ends_where_it_began_so_that_it_can_go_round() -> None:
    mids = []
    for frame in frames.books("#118010"):
        book = decode_frame(frame.at(STAMP)).frame
        assert isinstance(book, BookSnapshot)
        mids.append((book.bids[0][0] + book.asks[0][0]) / 2e8)
    steps = [abs(a - b) for a, b in zip(mids, [*mids[1:], mids[0]], strict=True)]
    assert max(steps) < 0.005
    assert 0.3 < min(mids) < max(mids) < 0.7


def test_a_tape_is_the_same_every_time() -> None:
    assert recording(200) == recording(200)


# -- the ladder


def test_the_lowest_rung_sends_the_same_bytes_as_the_fast_core() -> None:
    slow, fast = NaiveCore(KEY), FastCore(KEY)
    rng, orders = random.Random(4), 0
    for frame in islice(frames.mixed("#118010", 80_000.0), 300):
        text, nonce, cloid = frame.at(STAMP).decode(), STAMP + rng.randrange(10**6), f"0x{rng.getrandbits(128):032x}"
        expected = slow.order_for(text, nonce, cloid)
        assert fast.order_for(text, nonce, cloid) == expected
        orders += expected is not None
    assert orders == 240


def test_typed_data_and_the_prepared_domain_sign_alike() -> None:
    account, signer = Account.from_key(KEY), Signer(Key.parse(Secret(KEY)), Chain.TESTNET)
    rng = random.Random(5)
    for _ in range(100):
        action = {"type": "noop", "number": rng.getrandbits(rng.randrange(1, 64))}
        nonce = rng.randrange(STAMP)
        signed = signer.sign_action(action, nonce, None, nonce + naive.EXPIRES_MS)
        assert naive.sign(account, action, nonce) == signed.fields()


# -- the venue


def test_the_venue_refuses_what_is_not_there_and_checks_signatures() -> None:
    venue = BenchVenue()
    reply, news = venue.act({"action": {"type": "cancelByCloid", "cancels": [{"asset": 1, "cloid": "0x0"}]}})
    assert "error" in reply["response"]["data"]["statuses"][0]
    assert news == []
    agent, stranger = FastCore(venue.account["agent_key"]), FastCore(KEY)
    (book, *_), wrong = frames.books(venue.coins[0]), 0
    for number, core in enumerate((agent, stranger)):
        body = core.order_for(book.at(STAMP).decode(), STAMP, f"0x{number:032x}")
        assert body is not None
        venue.heard(f'{{"method":"post","id":{number},"request":{{"type":"action","payload":{body}}}}}')
        wrong += core is stranger
    assert venue.verified() == {"checked": 3, "good": 1}
    assert len(venue.orders) == 2
    assert wrong == 1


# -- doubts


def test_what_others_used_is_a_reason_to_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = iter([(100.0, 0.0), (101.0, 0.5)])
    monkeypatch.setattr(quiet, "_processors", lambda: next(busy))
    clock = iter([0.0, 1.0])
    monkeypatch.setattr(quiet.time, "monotonic", lambda: next(clock))
    seen = Watch().seen()
    assert seen["others"] == pytest.approx(1.0, abs=0.3)
    assert any("other processes" in reason for reason in seen["disturbed"])
    assert any("the host took" in reason for reason in seen["disturbed"])


def test_a_quiet_machine_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "_processors", lambda: (100.0, 0.0))
    monkeypatch.setattr(quiet.resource, "getrusage", lambda _who: type("Usage", (), {
        "ru_utime": 1.0, "ru_stime": 0.0, "ru_nivcsw": 3,
    }))  # fmt: skip
    assert Watch().seen()["disturbed"] == []


def test_what_children_used_that_have_ended_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    busy, used = iter([(100.0, 0.0), (101.0, 0.0)]), iter([5.0, 6.0])
    monkeypatch.setattr(quiet, "_processors", lambda: next(busy))
    clock = iter([0.0, 1.0])
    monkeypatch.setattr(quiet.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(quiet.resource, "getrusage", lambda who: type("Usage", (), {
        "ru_utime": next(used) if who == quiet.resource.RUSAGE_CHILDREN else 1.0, "ru_stime": 0.0, "ru_nivcsw": 3,
    }))  # fmt: skip
    assert Watch().seen()["others"] == 0.0


@pytest.mark.parametrize(("load", "doubted"), [(0.2, False), (50.0, True)])
def test_a_machine_that_was_busy_before_is_doubted(
    load: float, doubted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(quiet.os, "getloadavg", lambda: (load, 0.0, 0.0))
    assert bool(quiet.load_before()) is doubted


def test_doubts_stand_above_the_figures() -> None:
    assert shown.doubts([]) == []
    assert shown.doubts(["noise"])[0].startswith("DISTURBED")


# -- looking, drawing


def test_looks_find_who_uses_the_time() -> None:
    made, before = Histogram(), signal.getsignal(signal.SIGPROF)
    with looking() as seen:
        end_s = time.process_time() + 0.1
        while time.process_time() < end_s:
            for _ in range(200):
                made.percentile(0.99)
                made.add(10**11)
    assert signal.getsignal(signal.SIGPROF) is before
    assert shares(seen)[0]["module"] == "hlomm.daemon.histogram"
    assert sum(one["share"] for one in shares(seen)) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("value", "end"), [(0.0, "│"), (30.0, "│"), (30.1, "▶"), (900.0, "▶")])
def test_a_bar_tells_what_is_beyond_its_budget(value: float, end: str) -> None:
    drawn = shown.bar(value, 30.0)
    assert len(drawn) == shown.WIDTH + 1
    assert drawn.endswith(end)


def test_a_certificate_is_trusted_for_the_length_of_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "before")
    pem, key = certificate.make(tmp_path)
    assert key.stat().st_mode & 0o077 == 0
    with trusted(pem):
        assert os.environ["SSL_CERT_FILE"] == str(pem)
    assert os.environ["SSL_CERT_FILE"] == "before"
