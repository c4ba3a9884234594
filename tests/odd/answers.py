"""Answers of a server, and what may become of one: HTML, half of it, other types, odd headers."""

from __future__ import annotations

import json
import socket
import socketserver
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import unquote, urlsplit

__all__ = ["Answer", "Asked", "Oddly", "serving"]

_PAGE = b"<!DOCTYPE html><html><head><title>Log\nin \x1b[31m</title></head><body>no</body></html>"
_BODIES = [
    _PAGE,
    b"",
    b"[]",
    b"{}",
    b"null",
    b"5",
    b'"text"',
    b"[" * 20_000,
    b"\xff\xfe\0",
    b"OK\n",
    b'{"errors": 5}',
    b'{"errors": [{"code": [], "message": {"a": "\\u001b[2J"}}]}',
    b'{"errors": [5]}',
    b'{"message": ["no"]}',
    b'{"message": "a\\nb \\ud800"}',
    b"x" * 3_000_000,
    b'{"token": [1]}',
    b'{"token": "\\u00e9\\n"}',
    b'{"access_token": {}}',
    b'{"a": 1' + b"0" * 5000 + b"}",
]
_URLS = [
    "",
    "/",
    "//",
    "http://[",
    "http://a:99999/",
    "ftp://a/b",
    "nowhere",
    "http://\u00e9/",
    "http:///x",
    "/v2/",
    "?",
    "#",
    "http://127.0.0.1:1/",
    "\t",
    "/%zz",
    "http://user:secret@127.0.0.1:1/x",
    "x" * 9000,
]
_VALUES = [
    "",
    " ",
    "-1",
    "x",
    "\u00b2",
    "9" * 30,
    "0",
    "1e9",
    "a,b",
    '"',
    "\x80\xff",
    "sha256:x",
    "bytes",
    "0-",
    "5-3",
]
_NAMES = [
    "Content-Type",
    "Docker-Content-Digest",
    "Location",
    "Range",
    "Content-Range",
    "Retry-After",
    "Content-Encoding",
    "Transfer-Encoding",
    "Content-Length",
    "Www-Authenticate",
    "Api-Version",
    "Docker-Upload-UUID",
    "Connection",
    "Date",
    "Link",
]
_CHALLENGES = [
    "",
    "Bearer",
    "Basic",
    "Bearer realm",
    'Bearer realm="',
    'Bearer realm="http://["',
    'Bearer realm=""',
    "Negotiate",
    'Bearer realm="/token",,,',
    'Basic realm="a", Bearer realm="nowhere"',
    "Bearer \x80",
    'Bearer realm="http://127.0.0.1:1/t",service=5,scope',
    "=",
    "x" * 5000,
]
_STATUSES = [
    *(100, 200, 201, 202, 204, 206, 301, 302, 304, 307, 308, 400, 401, 403, 404, 405, 413, 416),
    *(429, 500, 502, 503, 504, 599, 999),
]
_LINES = [
    b"",
    b"\r\n\r\n",
    b"HTTP/1.1\r\n\r\n",
    b"HTTP/1.1 abc no\r\n\r\n",
    b"HTTP/1.1 -5 no\r\n\r\n",
    b"SSH-2.0-x\r\n",
    b"HTTP/9.9 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300 + b"\r\n",
    b"HTTP/1.1 200 OK\r\nA: " + b"b" * 80_000 + b"\r\n\r\n",
    b"\x15\x03\x01\0\2\2\x28",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 5,
]
_OTHERS: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "\ud800",
    "a\nb\x1b[31m",
    [],
    {},
    [[]],
    [None],
    {"a": None},
    ["x", 5],
]


@dataclass
class Answer:
    """What a server says."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """What a client asks."""

    method: str
    path: str
    """Without what follows a question mark."""
    query: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


class Oddly:
    """Lets each answer be odd by some chance, always the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(seed)
        self.chance = 0.0
        """Of an odd answer."""
        self.told: list[str] = []
        """What was odd: the request, and the kind of oddity."""

    def say(self, asked: Asked, answer: Answer) -> bytes:
        """Return the bytes of an answer; what follows them is the end of the connection."""
        if self._rng.random() >= self.chance:
            return _written(answer, len(answer.body), head=asked.method == "HEAD")
        kinds = (self._raw, self._body, self._short, self._status, self._header, self._value)
        kind = self._rng.choice(kinds)
        self.told.append(f"{asked.method} {asked.path}: {kind.__name__.strip('_')}")
        return kind(asked, answer)

    def _raw(self, asked: Asked, answer: Answer) -> bytes:
        del asked, answer
        return self._rng.choice(_LINES)

    def _body(self, asked: Asked, answer: Answer) -> bytes:
        body = self._rng.choice(_BODIES)
        headers = {**answer.headers}
        if body is _PAGE:
            headers["Content-Type"] = "text/html"
        return _written(
            Answer(answer.status, body, headers), len(body), head=asked.method == "HEAD"
        )

    def _short(self, asked: Asked, answer: Answer) -> bytes:
        cut = self._rng.randrange(len(answer.body) + 1)
        short = Answer(answer.status, answer.body[:cut], answer.headers)
        return _written(
            short, len(answer.body) + self._rng.choice([0, 1, 10**12]), head=asked.method == "HEAD"
        )

    def _status(self, asked: Asked, answer: Answer) -> bytes:
        status = self._rng.choice(_STATUSES)
        headers = {**answer.headers}
        if 300 <= status < 400:
            headers["Location"] = self._rng.choice([*_URLS, asked.path])
        if status == 401:
            headers["Www-Authenticate"] = self._rng.choice(_CHALLENGES)
        if status in {429, 503}:
            headers["Retry-After"] = self._rng.choice(["0", "x", "-1", "\u00b2", ""])
        body = self._rng.choice([*_BODIES, answer.body])
        return _written(Answer(status, body, headers), len(body), head=asked.method == "HEAD")

    def _header(self, asked: Asked, answer: Answer) -> bytes:
        name = self._rng.choice([*_NAMES, *answer.headers])
        value = self._rng.choice([*_VALUES, *_URLS])
        headers = {k: v for k, v in answer.headers.items() if k.lower() != name.lower()}
        if self._rng.random() < 0.8:
            headers[name] = value
        return _written(
            Answer(answer.status, answer.body, headers),
            len(answer.body),
            head=asked.method == "HEAD",
        )

    def _value(self, asked: Asked, answer: Answer) -> bytes:
        """Put something else in the place of a value of a JSON document."""
        try:
            document = json.loads(answer.body)
        except ValueError:
            return self._body(asked, answer)
        places = list(_places(document))
        other = self._rng.choice(_OTHERS)
        if not places:
            document = other
        else:
            holder, key = self._rng.choice(places)
            if self._rng.random() < 0.2:
                del holder[key]
            else:
                holder[key] = other
        body = json.dumps(document).encode()
        return _written(
            Answer(answer.status, body, answer.headers), len(body), head=asked.method == "HEAD"
        )


def _places(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - JSON
    """Yield each object or list of a document with each of its keys."""
    keys = (
        list(value)
        if isinstance(value, dict)
        else range(len(value))
        if isinstance(value, list)
        else ()
    )
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _written(answer: Answer, length: int, *, head: bool) -> bytes:
    headers = {"Content-Length": str(length), **answer.headers}
    lines = [
        f"HTTP/1.1 {answer.status} X",
        *(f"{name}: {value}" for name, value in headers.items()),
        "",
        "",
    ]
    raw = "\r\n".join(lines).encode("latin-1", "replace")
    return raw if head else raw + answer.body


_BODILESS = {b"100", b"204", b"304"}  # what a client takes for no answer, or one without a body
_TLS_HANDSHAKE = b"\x16"


class _Handler(socketserver.StreamRequestHandler):
    reply: Callable[[Asked], bytes]

    def handle(self) -> None:
        with suppress(OSError, ValueError):
            if self.connection.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE:
                return
            while (line := self.rfile.readline()).strip():
                method, target, _ = line.decode("latin-1").split(" ", 2)
                headers: dict[str, str] = {}
                while more := self.rfile.readline().strip():
                    name, _, value = more.decode("latin-1").partition(":")
                    headers[name.lower()] = value.strip()
                url = urlsplit(target)
                asked = Asked(method, unquote(url.path), url.query, headers, self._body(headers))
                raw = type(self).reply(asked)
                self.wfile.write(raw)
                if not _is_whole(raw, method):
                    return

    def _body(self, headers: dict[str, str]) -> bytes:
        """Read the body of a request; one that is cut off, as by a kill, is none."""
        if headers.get("transfer-encoding") != "chunked":
            length = int(headers.get("content-length") or 0)
            if len(body := self.rfile.read(length)) < length:
                raise ConnectionError
            return body
        parts = []
        while size := int(self.rfile.readline() or b"0", 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)


def _is_whole(raw: bytes, method: str) -> bool:
    """Whether the connection can go on after an answer."""
    head, end, body = raw.partition(b"\r\n\r\n")
    has_body = head[9:12] not in _BODILESS
    return bool(end and has_body) and (
        method == "HEAD" or f"Content-Length: {len(body)}\r\n".encode() in head + b"\r\n"
    )


def serving(server: type[socketserver.BaseServer], reply: Callable[[Asked], bytes]) -> type:
    """Return a kind of server that answers so; it is made with its address alone."""
    handler = type("Handler", (_Handler,), {"reply": staticmethod(reply)})

    class Serving(socketserver.ThreadingMixIn, server):  # type: ignore[misc, valid-type]
        daemon_threads = True
        block_on_close = False

        def __init__(self, address: Any) -> None:  # noqa: ANN401 - of either family
            super().__init__(address, handler)

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that went away is nothing to tell of."""

    return Serving
