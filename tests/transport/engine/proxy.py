"""A door in front of an engine's socket: it counts what goes through, and can slam shut."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_REQUEST = re.compile(rb"(GET|POST|DELETE|HEAD) (?:/v[0-9.]+)?(/\S+) HTTP")


@dataclass
class Proxy:
    """Passes all on to `engine`; a request whose path matches `watch` is watched."""

    path: Path
    engine: Path
    watch: str = "^$"
    cut_sent: int | None = None
    """Break the connection after so many bytes of a watched request."""
    cut_received: int | None = None
    """The same for the answer to it."""
    requests: list[str] = field(default_factory=list)
    """Method and path of each request, without its parameters."""
    sent: int = 0
    """Bytes of all watched requests, heads included."""

    @property
    def host(self) -> str:
        """What DOCKER_HOST has to be."""
        return f"unix://{self.path}"

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX)
            try:
                engine.connect(str(self.engine))
            except OSError:
                client.close()
                engine.close()
                continue
            _Pair(self, client, engine).start()


class _Pair:
    def __init__(self, proxy: Proxy, client: socket.socket, engine: socket.socket) -> None:
        self._proxy, self._client, self._engine = proxy, client, engine
        self._watched = False
        self._received = 0

    def start(self) -> None:
        for run in (self._send, self._receive):
            threading.Thread(target=run, daemon=True).start()

    def _send(self) -> None:
        sent = 0
        while chunk := _receive_from(self._client):
            if found := _REQUEST.match(chunk):
                path = found[2].partition(b"?")[0].decode()
                self._proxy.requests.append(f"{found[1].decode()} {path}")
                self._watched = re.search(self._proxy.watch, path) is not None
                self._received = sent = 0
            if self._watched:
                sent += len(chunk)
                self._proxy.sent += len(chunk)
            if self._watched and _is_over(sent, self._proxy.cut_sent):
                break
            self._pass(self._engine, chunk)
        self._close()

    def _receive(self) -> None:
        while chunk := _receive_from(self._engine):
            self._received += len(chunk)
            if self._watched and _is_over(self._received, self._proxy.cut_received):
                break
            self._pass(self._client, chunk)
        self._close()

    def _pass(self, to: socket.socket, chunk: bytes) -> None:
        with contextlib.suppress(OSError):
            to.sendall(chunk)

    def _close(self) -> None:
        for side in (self._client, self._engine):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()


def _is_over(count: int, limit: int | None) -> bool:
    return limit is not None and count > limit


def _receive_from(side: socket.socket) -> bytes:
    with contextlib.suppress(OSError):
        return side.recv(1 << 16)
    return b""


@contextlib.contextmanager
def proxy_of(engine: Path, folder: Path) -> Iterator[Proxy]:
    """Open a door to the engine that listens on `engine`, in `folder`."""
    path = folder / "proxy.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        proxy = Proxy(path, engine)
        thread = threading.Thread(target=proxy.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
