"""What becomes of a message at an endpoint: taken, or not, with the reason and the remedy and nothing of the URL."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from hlomm.daemon.alerts import services as module
from hlomm.daemon.alerts.message import LINE_MAX, Message, one_line
from hlomm.daemon.alerts.services import HANGING_MAX, QUEUE_MAX, REFUSED_MAX, Service, services
from hlomm.daemon.alerts.why import HANGS, UNKNOWN, why_not
from hlomm.domain.faults import ConfigError
from hlomm.domain.outputs import AlertLevel
from hlomm.domain.secret import Secret
from tests.support.endpoint import HANGS as SILENT
from tests.support.endpoint import endpoint

TOKEN = "canary-7c1e55d0aa"
MESSAGE = Message(level=AlertLevel.CRITICAL, code="halted", title="hlomm sim: halted", body="HALTED: x — resume")


def service(url: str, send_s: float = 10) -> Service:
    (made,) = services([Secret(url)], send_s=send_s, keep_s=3_600)
    return made


# -- real endpoints


async def test_a_message_arrives_as_it_is() -> None:
    with endpoint() as there:
        assert await service(there.url(TOKEN)).attempt(MESSAGE) == ""
        assert await service(there.url(TOKEN)).attempt(attrs.evolve(MESSAGE, over=True)) == ""
    assert there.paths == [f"/{TOKEN}"] * 2
    assert [(one["title"], one["message"]) for one in there.received] == [(MESSAGE.title, MESSAGE.body)] * 2
    assert [one["type"] for one in there.received] == ["failure", "success"]


@pytest.mark.parametrize(
    ("status", "options", "said"),
    [
        (301, "", "HTTP 301: it redirects elsewhere"), (308, "?redirect=yes", "HTTP 308: it redirects elsewhere"),
        (404, "", "HTTP 404: it does not know or not allow us"), (429, "", "HTTP 429: it has had too many"),
        (400, "", "HTTP 400: it refuses"), (500, "", "HTTP 500: it has a fault"),
        (SILENT, "?rto=0.2", "it does not answer in time"),
    ],
)  # fmt: skip
async def test_endpoints_that_do_not_take_it(
    status: int, options: str, said: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A redirect is not followed, whatever its URL says."""
    caplog.set_level(1)
    with endpoint(status) as there:
        why = await service(there.url(TOKEN, options)).attempt(MESSAGE)
        assert there.paths == [f"/{TOKEN}"]
    assert why.startswith(said)
    assert " — " in why, "and what to do"
    assert "\n" not in why
    for text in (why, caplog.text, *capfd.readouterr()):
        assert TOKEN not in text
        assert "127.0.0.1" not in text


async def test_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not trusted gets nothing, one that is made known does, and checking cannot be switched off."""
    with endpoint(certificate=tmp_path) as there:
        url = there.url(TOKEN, scheme="jsons")
        why = await service(url).attempt(MESSAGE)
        assert why.startswith("its certificate is not trusted here: nothing was sent")
        assert there.paths == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "venue.pem"))
        assert await service(url).attempt(MESSAGE) == ""
        with pytest.raises(ConfigError, match="verify=no would send to whoever answers"):
            service(f"{url}?verify=no")


async def test_nobody_there() -> None:
    with endpoint() as there:
        url = there.url(TOKEN)
    why = await service(url).attempt(MESSAGE)
    assert why == "nobody listens there — check host and port"


def test_what_the_library_says_else_is_not_passed_on() -> None:
    for log, said in (
        (f"HTTPSConnectionPool(host='x', url: /{TOKEN}): NameResolutionError", "its name is not known"),
        (f"/{TOKEN} (Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "its certif"),
        (f"/{TOKEN} [SSL: WRONG_VERSION_NUMBER]", "no secure connection"), (f"/{TOKEN} reset by peer", "the conn"),
        (f"Sent to {TOKEN}, which broke", UNKNOWN), ("", UNKNOWN),
    ):  # fmt: skip
        assert why_not(log).startswith(said)
        assert TOKEN not in why_not(log)


async def test_a_library_that_raises_tells_only_that(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"https://x/{TOKEN}")

    monkeypatch.setattr(module.apprise.Apprise, "notify", raises)
    assert await service(f"json://127.0.0.1:1/{TOKEN}").attempt(MESSAGE) == UNKNOWN


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"xoxb-{TOKEN}", "alert URL 1: no scheme that is known"), (f"{TOKEN}://x", "alert URL 1: no scheme"),
        (f"discord://{TOKEN}", "alert URL 1: discord:// wants more, or other things"),
    ],
)  # fmt: skip
def test_an_url_that_cannot_be_used_is_named_by_its_number(
    url: str, said: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1)
    with pytest.raises(ConfigError) as refusal:
        service(url)
    assert str(refusal.value).startswith(said)
    for text in (str(refusal.value), caplog.text, *capfd.readouterr()):
        assert TOKEN not in text


def test_a_native_address_is_known_by_its_scheme_too() -> None:
    url = f"https://discord.com/api/webhooks/{'1' * 18}/{'a' * 60}"
    assert service(url).scheme == "discord"


def test_nobody_hears_what_the_libraries_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    service("json://127.0.0.1:1/x")
    for name in ("apprise", "urllib3.connectionpool", "requests.sessions"):
        logging.getLogger(name).warning("https://x/%s", TOKEN)
    assert TOKEN not in caplog.text


# -- a service and its queue


@attrs.define(eq=False)
class Line:
    """Takes messages while `why` is empty; `at` says when each attempt was."""

    why: str = ""
    at: list[float] = attrs.field(factory=list)
    got: list[Message] = attrs.field(factory=list)

    def send(self, message: Message) -> str:
        self.at.append(trio.from_thread.run_sync(trio.current_time))
        if not self.why:
            self.got.append(message)
        return self.why

    def service(self, keep_s: float = 3_600) -> Service:
        return Service(1, "json", self.send, 15, keep_s)


def numbered(n: int, code: str = "budget") -> Message:
    return Message(level=AlertLevel.WARNING, code=code, title="t", body=f"n{n}")


async def running(made: Service, body: Callable[[], Any]) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        await body()
        nursery.cancel_scope.cancel()


async def test_in_order_and_each_once(autojump_clock: MockClock) -> None:
    line = Line()
    made = line.service()

    async def body() -> None:
        for n in range(5):
            made.put(numbered(n))
        await trio.sleep(1)
        made.put(numbered(5))
        await trio.sleep(1)

    await running(made, body)
    assert [one.body for one in line.got] == [f"n{n}" for n in range(6)]
    assert (made.health().sent, made.health().waiting, made.health().lost) == (6, 0, 0)


async def test_it_is_tried_again_ever_more_rarely_and_says_what_was_lost_how_late(
    autojump_clock: MockClock,
) -> None:
    line = Line(why="down — mend it")
    made = line.service(keep_s=1_000)

    async def body() -> None:
        made.put(numbered(0))
        await trio.sleep(900)
        made.put(numbered(1))
        await trio.sleep(300)  # the first one is too old by now
        assert made.health().why == "down — mend it"
        assert made.health().failing_s == pytest.approx(1_200, abs=1)
        line.why = ""
        await trio.sleep(200)

    await running(made, body)
    pauses = [after - before for before, after in zip(line.at, line.at[1:], strict=False)]
    assert all(module.PAUSE_BASE_S / 2 <= pause <= module.PAUSE_CAP_S for pause in pauses[:8])
    assert len(line.at) < 40, "not in a hurry"
    (got,) = line.got
    assert got.body.startswith("[")
    assert got.body.endswith(" min late] n1 (lost while this service failed: 1)")
    assert (made.health().failing_s, made.health().why, made.health().lost) == (0, "", 1)


async def test_a_queue_that_is_full_loses_its_oldest_and_an_old_digest_its_place(autojump_clock: MockClock) -> None:
    line = Line(why="down")
    made = line.service()
    for n in range(QUEUE_MAX + 7):
        made.put(numbered(n))
    assert (made.health().waiting, made.health().lost) == (QUEUE_MAX, 7)
    other = line.service()
    for n in range(50):
        other.put(numbered(n, "digest"))
    other.put(numbered(50))
    assert (other.health().waiting, other.health().lost) == (2, 0)
    line.why = ""
    await other.drain(5)
    assert [one.body for one in line.got] == ["n49", "n50"]


@pytest.mark.parametrize(
    ("status", "tries", "got"),
    [(400, REFUSED_MAX, ["n1 (lost while this service failed: 1)"]), (401, 9, ["n0", "n1"])],
)  # fmt: skip
async def test_a_message_that_is_refused_for_what_it_is_makes_room_for_the_next(
    autojump_clock: MockClock, status: int, tries: int, got: list[str]
) -> None:
    """One that is refused for who we are does not: the next would fare no better."""
    line = Line(why=why_not(f"error={status}."))
    made = line.service()

    async def body() -> None:
        made.put(numbered(0))
        made.put(numbered(1))
        while len(line.at) < tries:
            await trio.sleep(0.5)
        line.why = ""
        await trio.sleep(200)

    await running(made, body)
    assert [one.body.rpartition("] ")[2] for one in line.got] == got


async def test_one_that_hangs_costs_a_few_threads_and_nobody_waits() -> None:
    """In real time: a thread that hangs is no matter of a clock."""
    release, hanging = threading.Event(), threading.Semaphore(0)

    def hang(_: Message) -> str:
        hanging.release()
        release.wait(30)
        return ""

    made = Service(1, "json", hang, 0.02, 60)
    began = time.monotonic()
    try:
        for _ in range(HANGING_MAX + 3):
            assert await made.attempt(MESSAGE) == HANGS
        assert time.monotonic() - began < 5
        assert [hanging.acquire(timeout=0.01) for _ in range(HANGING_MAX + 1)] == [True] * HANGING_MAX + [False]
    finally:
        release.set()


async def test_at_the_end_what_waits_has_one_more_chance(autojump_clock: MockClock) -> None:
    line = Line()
    made = line.service()
    made.put(numbered(0))
    made.put(numbered(1))
    await made.drain(5)
    assert len(line.got) == 2
    line.why = "down"
    made.put(numbered(2))
    await made.drain(5)
    assert len(line.at) == 3, "and no more than one"


# -- what is written


def test_one_line_is_one_line_that_calls_nobody() -> None:
    text = one_line("BTC > 1\n@everyone <!channel> <@U12> \x1b[31mred, 20 @ 0.5 < 1")
    assert "\n" not in text
    assert "\x1b" not in text
    for call in ("@everyone", "<!channel>", "<@U12>"):
        assert call not in text
        assert call in text.replace("\u200b", "")
    assert "20 @ 0.5 < 1" in text
    assert len(one_line("x" * 5_000)) == LINE_MAX
