"""A real browser without a window, driven over its DevTools socket."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import httpx2
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, open_websocket_url

from tests.trials.conftest import POLL_S
from tests.trials.glass import Glass

PROGRAM: Final = "chromium"
_FLAGS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--window-size=1000,640", "--remote-debugging-port=0", "--remote-allow-origins=*",
)  # fmt: skip
_MAX_MESSAGE: Final = 64 << 20
_KEYS: Final = {"\r": ("Enter", 13), "\x1b": ("Escape", 27)}


def installed() -> str | None:
    return shutil.which(PROGRAM)


@attrs.define(eq=False)
class Page:
    """One page. `glass` shows what its own socket has brought it."""

    _socket: WebSocketConnection
    glass: Glass | None = None
    loaded: list[str] = attrs.field(factory=list)
    """Every address that the page had something from."""
    sockets: list[str] = attrs.field(factory=list)
    _last: int = 0
    _answers: dict[int, Any] = attrs.field(factory=dict)

    async def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        self._last += 1
        number = self._last
        await self._socket.send_message(json.dumps({"id": number, "method": method, "params": arguments}))
        with trio.fail_after(20):
            while number not in self._answers:
                await trio.sleep(POLL_S / 5)
        answer = self._answers.pop(number)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def value(self, expression: str) -> Any:
        told = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        return told["result"].get("value")

    async def press(self, text: str) -> None:
        for key in text:
            name, code = _KEYS.get(key, (key, ord(key.upper())))
            pressed = {"key": name, "windowsVirtualKeyCode": code, "text": key}
            await self.call("Input.dispatchKeyEvent", type="keyDown", **pressed)
            await self.call("Input.dispatchKeyEvent", type="keyUp", **pressed)

    async def click(self, x: int, y: int) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def picture(self) -> bytes:
        return base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])

    async def listen(self) -> None:
        try:
            while True:
                self._take(json.loads(await self._socket.get_message()))
        except ConnectionClosed:
            return

    def _take(self, message: dict[str, Any]) -> None:
        if "id" in message:
            self._answers[message["id"]] = message
            return
        told = message["params"]
        match message["method"]:
            case "Network.responseReceived" if told["response"]["url"].startswith("http"):
                self.loaded.append(told["response"]["url"])
            case "Network.webSocketCreated":
                self.sockets.append(told["url"])
            case "Network.webSocketFrameSent" if self.glass is not None:
                kind, *content = json.loads(told["response"]["payloadData"])
                if kind == "resize":
                    self.glass.resize(content[0]["width"], content[0]["height"])
            case "Network.webSocketFrameReceived" if told["response"]["opcode"] == 2 and self.glass is not None:
                self.glass.feed(base64.b64decode(told["response"]["payloadData"]))


@asynccontextmanager
async def browsing(home: Path, url: str, glass: Glass | None = None) -> AsyncIterator[Page]:
    """A page at `url`, in a browser that has never been anywhere."""
    process = _launch(home)
    try:
        socket_url = await _devtools(home, process)
        async with (
            open_websocket_url(socket_url, max_message_size=_MAX_MESSAGE) as socket,
            trio.open_nursery() as nursery,
        ):
            page = Page(socket, glass)
            nursery.start_soon(page.listen)
            for domain in ("Network", "Page", "Runtime"):
                await page.call(f"{domain}.enable")
            await page.call("Page.navigate", url=url)
            yield page
            nursery.cancel_scope.cancel()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _launch(home: Path) -> subprocess.Popen[bytes]:
    home.mkdir(parents=True)
    program = installed()
    assert program is not None
    return subprocess.Popen(
        [program, *_FLAGS, f"--user-data-dir={home}", "about:blank"], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


async def _devtools(home: Path, process: subprocess.Popen[bytes]) -> str:
    """Address of the first page's DevTools socket."""
    note = home / "DevToolsActivePort"
    with trio.fail_after(40):
        while not (note.exists() and note.read_text().strip()):
            assert process.poll() is None, "the browser has ended"
            await trio.sleep(POLL_S)
        port = int(note.read_text().split()[0])
        while True:
            pages = [page for page in await _pages(port) if page["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
            await trio.sleep(POLL_S)


async def _pages(port: int) -> list[dict[str, Any]]:
    async with httpx2.AsyncClient() as client:
        pages: list[dict[str, Any]] = (await client.get(f"http://127.0.0.1:{port}/json/list")).json()
    return pages
