"""A web endpoint of this machine that receives messages, or behaves as badly as asked: real sockets, real TLS."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import attrs

from hlomm.rundir.certificate import make

HANGS = -1
"""In place of a status: the request is read and never answered."""


@attrs.define(eq=False)
class Endpoint:
    """`status` may be changed at any time."""

    server: ThreadingHTTPServer
    status: int = 200
    paths: list[str] = attrs.field(factory=list)
    received: list[dict[str, Any]] = attrs.field(factory=list)
    """Of requests that were answered with 200."""
    over: threading.Event = attrs.field(factory=threading.Event)

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def url(self, token: str = "TOKEN", options: str = "", scheme: str = "json") -> str:
        return f"{scheme}://127.0.0.1:{self.port}/{token}{options}"

    def titles(self) -> list[str]:
        return [str(one["title"]).rpartition(": ")[2] for one in self.received]


class _Handler(BaseHTTPRequestHandler):
    endpoint: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        endpoint, status = self.endpoint, self.endpoint.status
        endpoint.paths.append(self.path)
        if status == HANGS:
            endpoint.over.wait(30)
            return
        if status == 200:
            endpoint.received.append(json.loads(body))
        self.send_response(status)
        if status in (301, 302, 307, 308):
            self.send_header("Location", f"http://127.0.0.1:{endpoint.port}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """It tells nobody."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up, or does not trust us, is no news."""


@contextmanager
def endpoint(status: int = 200, certificate: Path | None = None) -> Iterator[Endpoint]:
    """With TLS if a folder for a certificate that nobody trusts is named."""
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*make(certificate))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    handler.endpoint = made = Endpoint(server, status)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.over.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
