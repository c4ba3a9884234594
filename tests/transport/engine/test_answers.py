"""Answers that no engine gives, of one or of what stands before it: one line, and bounded."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from lamella import limits
from lamella.errors import EngineError
from lamella.transport.engine.client import EngineClient
from lamella.transport.engine.host import find_host

_PAGE = (
    b"<html>\n<head><title>502 Bad\nGateway</title></head><body>"
    + b"<p>no\x1b[31m</p>" * 500
    + b"</body>"
)
_NO_VERSION = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"
_DEEP = b'{"a":' * 100_000


@contextmanager
def engine_that_says(
    folder: Path, status: str, body: bytes, *, cut: int = 0, asked: list[bytes] | None = None
) -> Iterator[str]:
    """Serve a ping, and the same answer to all else; return what DOCKER_HOST has to be.

    Args:
        folder: where its socket is.
        status: of the answer.
        body: of the answer.
        cut: so many bytes more are promised than come.
        asked: gets the lines of all requests.
    """
    heard = [] if asked is None else asked

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline():
                heard.append(line.strip())
                while more := self.rfile.readline().strip():
                    heard.append(more)
                if b"/_ping" in line:
                    self.say("200 OK\r\nApi-Version: 1.41", b"OK")
                    continue
                self.say(status, body, missing=cut)
                if cut:
                    return

        def say(self, status: str, body: bytes, *, missing: int = 0) -> None:
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body) + missing}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + body)
            except OSError:
                return  # lamella has read enough

    path = folder / "engine.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        ("502 Bad Gateway", _PAGE, "HTTP 502 and a web page (502 Bad Gateway)"),
        ("403 No", b"<html><p>no</html>", "HTTP 403 and a web page"),
        ("200 OK", _PAGE, "it answers with a web page (502 Bad Gateway)"),
        ("500 No", b'{"message":"no\\nroom \\u001b[31m"}', "no room \ufffd[31m"),
        ("500 No", b"plain\nwords", "plain words"),
        ("500 No", b"", "HTTP 500"),
        ("500 No", b"x" * (limits.ANSWER + 100), "x" * 300),
        ("200 OK", b"OK", "not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("200 OK", _DEEP, "not JSON: "),
    ],
)
def test_answers_are_told_in_one_line(tmp_path: Path, status: str, body: bytes, words: str) -> None:
    """What a proxy or an engine says is told by its words, not by its tags, and has a bound."""
    with (
        engine_that_says(tmp_path, status, body) as address,
        closing(EngineClient(find_host({"DOCKER_HOST": address}))) as client,
    ):
        for _ in range(2):  # and the next question is not disturbed by what nobody read
            with pytest.raises(EngineError) as error:
                client.inspect("app")
            said = str(error.value)
            assert words in said
            assert said.isprintable()
            assert len(said) < 600


def test_answer_that_breaks_off(tmp_path: Path) -> None:
    """Half an answer is no answer."""
    with (
        engine_that_says(tmp_path, "200 OK", b"{}", cut=5) as address,
        closing(EngineClient(find_host({"DOCKER_HOST": address}))) as client,
        pytest.raises(EngineError, match="it closed the connection"),
    ):
        client.inspect("app")


def test_answer_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that is larger than the memory is given up at the limit."""
    monkeypatch.setattr(limits, "LISTING", 1000)
    with (
        engine_that_says(tmp_path, "200 OK", b'["' + b"a" * 2000 + b'"]') as address,
        closing(EngineClient(find_host({"DOCKER_HOST": address}))) as client,
        pytest.raises(EngineError, match="answer is too large: expected at most 1000 bytes"),
    ):
        client.images()


def test_every_request_has_the_user_s_headers_and_version(tmp_path: Path) -> None:
    """A proxy before the engine may want the headers with each of them."""
    asked: list[bytes] = []
    settings = {"DOCKER_CUSTOM_HEADERS": "X-Token=abc", "DOCKER_API_VERSION": "1.30"}
    with (
        engine_that_says(tmp_path, "200 OK", b"[]", asked=asked) as address,
        closing(EngineClient(find_host({"DOCKER_HOST": address, **settings}))) as client,
    ):
        client.images()
        assert not client.api_at_least(1, 31)
    assert asked.count(b"X-Token: abc") == 2
    assert [line for line in asked if line.startswith(b"GET")] == [
        b"GET /_ping HTTP/1.1",
        b"GET /v1.30/images/json HTTP/1.1",
    ]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[]", "an answer of another form: expected an object, got a list"),
        (b'{"Id": 5}', "Id: expected text, got 5"),
        (b"{}", "its answer has no image ID"),
        (b'{"Id": "a", "RootFS": {"Layers": ["b", {}]}}', "RootFS.Layers[1]: expected text"),
        (b'{"Id": "a", "GraphDriver": "overlay2"}', "GraphDriver: expected an object"),
    ],
)
def test_an_image_of_another_form(tmp_path: Path, body: bytes, words: str) -> None:
    """What is no image is told as what it is, before anything is made of it."""
    with (
        engine_that_says(tmp_path, "200 OK", body) as address,
        closing(EngineClient(find_host({"DOCKER_HOST": address}))) as client,
        pytest.raises(EngineError, match="can't inspect 'app'") as error,
    ):
        client.inspect("app")
    assert words in str(error.value)


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 -5 no\r\n\r\n", b"SSH-2.0-\x1b[31m\r\n\r\n", b"\r\n", _NO_VERSION]
)
def test_an_answer_that_is_no_http(tmp_path: Path, answer: bytes) -> None:
    """It is shown, in one line that can be printed."""
    path = tmp_path / "odd.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            with listener.accept()[0] as line:
                line.recv(1000)
                line.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(EngineError, match="can't reach") as error:
            EngineClient(find_host({"DOCKER_HOST": f"unix://{path}"}))
        thread.join()
    assert str(error.value).isprintable()
