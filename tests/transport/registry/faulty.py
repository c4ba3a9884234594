"""A registry's unreliable front: passes requests on, counts bytes, and fails as it is told to."""

from __future__ import annotations

import contextlib
import http.client
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive"}


@dataclass
class Fault:
    """What goes wrong with the next requests that it is about."""

    about: str
    """Method and path, as a pattern: ``GET .*/blobs/``."""
    times: int = 1
    status: int = 0
    """Answer with it and pass nothing on."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of that answer; or of the true one, which are set (or, if empty, taken away)."""
    body: bytes = b'{"errors": [{"code": "BROKEN", "message": "out of order"}]}'
    cut: int | None = None
    """Close the connection after so many bytes of the answer's body."""
    swallow: int | None = None
    """Close it after so many bytes of the request's body."""
    spoil: bool = False
    """Change a byte of the answer's body."""
    without: str = ""
    """Take this away from the request: a header, or with ``?`` the query."""
    then: Callable[[], object] = lambda: None
    """Called before anything is passed on, or before the answer is cut."""
    met: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def matches(self, request: str) -> bool:
        """Whether it is its turn; if so, that is counted."""
        with self.lock:  # requests come from several threads
            if self.met < self.times and re.match(self.about, request):
                self.met += 1
                return True
            return False


@dataclass
class Front:
    """The front of one registry."""

    upstream: str
    host: str = ""
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """``METHOD PATH STATUS``, with the query, noted before they are answered; where the connection
    was cut there is one more, ``METHOD PATH cut``."""
    headers: list[dict[str, str]] = field(default_factory=list)
    """Of each request."""
    down: int = 0
    """Bytes of answers' bodies to requests for blobs."""
    up: int = 0
    """Bytes of requests' bodies."""

    def add(self, about: str, **how: Any) -> Fault:  # noqa: ANN401 - see Fault
        """Let something go wrong."""
        fault = Fault(about, **how)
        self.faults.append(fault)
        return fault

    def reset(self) -> None:
        """Forget faults and counts."""
        self.faults.clear()
        self.requests.clear()
        self.headers.clear()
        self.down = self.up = 0

    def count(self, pattern: str) -> int:
        """How many requests were like this."""
        return sum(bool(re.match(pattern, request)) for request in self.requests)


class _Cut(Exception):
    """The connection is to end here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    front: Front

    def _pass(self) -> None:
        front, line = self.front, f"{self.command} {self.path}"
        front.headers.append(dict(self.headers))
        fault = next((f for f in front.faults if f.matches(line)), None) or Fault("")
        try:
            if fault.cut is None:
                fault.then()
            if fault.status:
                self._answer(fault)
            else:
                self._forward(fault)
        except (_Cut, OSError):
            front.requests.append(f"{line} cut")
            self.close_connection = True

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Answer to every method alike."""
        if name.startswith("do_"):
            return self._pass
        raise AttributeError(name)

    def _begin(self, status: int) -> None:
        self.front.requests.append(f"{self.command} {self.path} {status}")
        self.send_response(status)

    def _answer(self, fault: Fault) -> None:
        self._take(None)
        self._begin(fault.status)
        for name, value in fault.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(fault.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(fault.body)

    def _take(self, limit: int | None) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length if limit is None else min(limit, length))
        self.front.up += len(body)
        if limit is not None and limit < length:
            raise _Cut
        return body

    def _forward(self, fault: Fault) -> None:
        body = self._take(fault.swallow)
        name, _, port = self.front.upstream.rpartition(":")
        path = self.path.partition("?")[0] if fault.without == "?" else self.path
        headers = {k: v for k, v in self.headers.items() if k.lower() != fault.without.lower()}
        with contextlib.closing(http.client.HTTPConnection(name, int(port))) as upstream:
            upstream.request(self.command, path, body, headers)
            self._return(upstream.getresponse(), fault)

    def _return(self, answer: http.client.HTTPResponse, fault: Fault) -> None:
        self._begin(answer.status)
        given = {name.lower() for name in fault.headers}
        for key, value in answer.getheaders():
            if key.lower() not in _HOP_BY_HOP | given | {"date", "server"}:
                self.send_header(key, value)
        for key, value in fault.headers.items():
            if value:
                self.send_header(key, value)
        if answer.getheader("Content-Length") is None and self.command != "HEAD":
            # It came in chunks, which are not passed on as such.
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        left, is_blob = fault.cut, "/blobs/" in self.path and self.command == "GET"
        while chunk := answer.read(1 << 14):
            if fault.spoil:
                chunk = bytes([chunk[0] ^ 1]) + chunk[1:]
            if left is not None:
                chunk = chunk[:left]
                left -= len(chunk)
            self.front.down += len(chunk) if is_blob else 0
            self.wfile.write(chunk)
            if left == 0:
                fault.then()
                raise _Cut

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is there
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that went away


@contextlib.contextmanager
def front_of(upstream: str) -> Iterator[Front]:
    """Open a front of a registry that listens, without TLS, on ``HOST:PORT``."""
    front = Front(upstream)
    handler = type("_Handler", (_Handler,), {"front": front})
    with _Server(("127.0.0.1", 0), handler) as server:
        front.host = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield front
        server.shutdown()
        thread.join(5)
