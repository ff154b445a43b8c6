"""The gate in front of the terminal in a browser: who gets in, by which name, from which page, and how many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, WSServerHandshakeError, web
from aiohttp.test_utils import TestServer

from hlomm.cli import serving
from hlomm.cli.look import tui
from hlomm.cli.serving import Address, Gate, is_loopback
from hlomm.cli.terminal import serve_command
from hlomm.domain.faults import UsageError
from tests.tui.driving import drive
from tui.places import Place

LOCAL = Address(host="127.0.0.1", port=8787)
ECHO = r"printf '__GANGLION__\n'; cat >/dev/null"
"""In place of a terminal: says that it is one, then waits for its end."""


@asynccontextmanager
async def gate(key: str | None = None, address: Address = LOCAL) -> AsyncIterator[tuple[Gate, str, ClientSession]]:
    made = Gate(ECHO, address, key=key)
    async with TestServer(await made.application()) as server, ClientSession() as client:
        yield made, f"http://127.0.0.1:{server.port}", client


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("127.0.0.1:8787", "127.0.0.1", 8787, True),
        ("[::1]:80", "::1", 80, True),
        ("localhost:9", "localhost", 9, True),
        ("0.0.0.0:8787", "0.0.0.0", 8787, False),
        ("trader.example:8787", "trader.example", 8787, False),
    ],
)
def test_an_address_says_where_it_leads(text: str, host: str, port: int, loopback: bool) -> None:
    address = Address.parse(text)
    assert (address.host, address.port, address.loopback) == (host, port, loopback)
    assert Address.parse(address.url.removeprefix("http://").rstrip("/")) == address


@pytest.mark.parametrize("text", ["", "8787", ":8787", "127.0.0.1", "127.0.0.1:0", "a:99999", "a:b", "u@h:1", "h:1/x"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected HOST:PORT"):
        Address.parse(text)


def test_a_name_that_only_looks_local_is_not() -> None:
    assert not is_loopback("127.0.0.1.evil.example")
    assert not is_loopback("localhost.evil.example")


def served(monkeypatch: pytest.MonkeyPatch, address: str, **options: bool) -> tuple[str, bool]:
    """What would be served: the command and whether it may give orders."""
    told: list[tuple[str, bool]] = []
    monkeypatch.setattr(serving, "serve", lambda command, _, operator: told.append((command, operator)))
    serve_command(
        [Place(Path("/run/h.sock"))], serve=address,
        **{"operator": False, "beyond_loopback": False, **options},
    )  # fmt: skip
    return told[0]


def test_it_is_read_only_and_on_loopback_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    command, operator = served(monkeypatch, "127.0.0.1:8787")
    assert command.endswith("tui --socket /run/h.sock --viewer")
    assert not operator
    assert "--viewer" not in served(monkeypatch, "127.0.0.1:8787", operator=True)[0]
    with pytest.raises(UsageError, match="--beyond-loopback"):
        served(monkeypatch, "0.0.0.0:8787")
    assert "--viewer" in served(monkeypatch, "0.0.0.0:8787", beyond_loopback=True)[0]
    with pytest.raises(UsageError, match="on loopback only"):
        served(monkeypatch, "0.0.0.0:8787", operator=True, beyond_loopback=True)


@pytest.mark.parametrize("options", [["--viewer", "--operator"], ["--operator"], ["--beyond-loopback"]])
def test_options_that_do_not_fit_together_are_refused(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        tui.main(options, standalone_mode=False)
    assert ended.value.code == 2
    assert "--operator" in capsys.readouterr().err


def test_the_page_is_served_under_the_name_it_was_asked_by_and_loads_nothing_from_elsewhere() -> None:
    async def main() -> None:
        async with gate() as (_, url, client), client.get(url, headers={"Host": "localhost:9000"}) as answer:
            assert answer.status == 200
            assert 'data-session-websocket-url="ws://localhost:9000/ws"' in await answer.text()
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "googleapis" not in policy

    drive(main())


def test_another_name_for_this_machine_is_turned_away() -> None:
    async def main() -> None:
        async with gate() as (made, url, client):
            for path in ("/", "/ws", "/static/js/textual.js"):
                async with client.get(url + path, headers={"Host": "evil.example:8787"}) as answer:
                    assert answer.status == 403
            assert made.refused == 3

    drive(main())


@pytest.mark.parametrize("origin", [None, "http://evil.example", "http://127.0.0.1:1", "null"])
def test_a_socket_from_another_page_is_turned_away(origin: str | None) -> None:
    async def main() -> None:
        async with gate() as (made, url, client):
            with pytest.raises(WSServerHandshakeError) as refused:
                await client.ws_connect(f"{url}/ws", origin=origin)
            assert refused.value.status == 403
            assert made.sessions == 0

    drive(main())


def test_sessions_are_counted_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MAX_SESSIONS", 1)

    async def main() -> None:
        async with gate() as (made, url, client):
            first = await client.ws_connect(f"{url}/ws", origin=url)
            with pytest.raises(WSServerHandshakeError) as refused:
                await client.ws_connect(f"{url}/ws", origin=url)
            assert refused.value.status == 503
            await first.close()

            async with asyncio.timeout(5):
                while made.sessions:
                    await asyncio.sleep(0.01)
            second = await client.ws_connect(f"{url}/ws", origin=url)
            await second.close()

    drive(main())


def test_where_orders_can_be_given_the_address_has_a_key() -> None:
    async def main() -> None:
        async with gate("secret") as (_, url, client):
            for address in (url, f"{url}/?key=guess", f"{url}/static/js/textual.js"):
                async with client.get(address) as answer:
                    assert answer.status == 403
            async with client.get(f"{url}/?key=secret") as answer:
                assert answer.status == 200
                cookie = answer.cookies["hlomm"]
                assert (cookie.value, cookie["httponly"], cookie["samesite"]) == ("secret", True, "Strict")
            headers = {"Cookie": "hlomm=secret"}
            async with client.get(f"{url}/static/js/textual.js", headers=headers) as answer:
                assert answer.status == 200
            await (await client.ws_connect(f"{url}/ws", origin=url, headers=headers)).close()

    drive(main())


def test_a_port_that_is_taken_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(application: object, **options: object) -> None:
        assert asyncio.iscoroutine(application)
        application.close()
        assert isinstance(options["loop"], asyncio.AbstractEventLoop)
        options["loop"].close()
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(web, "run_app", taken)
    with pytest.raises(UsageError, match=r"cannot serve at http://127.0.0.1:8787/: Address already in use"):
        serving.serve("true", LOCAL, operator=False)
