"""Connections to an engine: by a socket of this machine, a network with or without TLS, or ssh.

Engines speak plain HTTP, so that the standard library does; docker-py, with all that it brings,
takes longer to be imported than the rest of lamella together.
"""

from __future__ import annotations

import http.client
import selectors
import socket
import ssl
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Self

from lamella.transport.answers import one_line
from lamella.transport.engine.address import Network, Socket, Ssh
from lamella.transport.engine.host import Host, TlsFiles
from lamella.transport.processes import end_process
from lamella.waiting import apart, patience, stops

__all__ = ["CONNECT_TIMEOUT", "Connection", "connect_to", "reason_of"]

CONNECT_TIMEOUT = 10
_HANG_UP_TIMEOUT = 5
_HTTP_PORT, _HTTPS_PORT = 80, 443
_SSH_TIMEOUT = 30
_CLOSED = (http.client.IncompleteRead, ConnectionResetError, BrokenPipeError)


class Connection(http.client.HTTPConnection):
    """A connection that is there already."""

    auto_open = 0

    def __init__(self, sock: socket.socket, name: str, end: Callable[[], object]) -> None:
        super().__init__(name)
        self.always: Mapping[str, str] = {}
        """Headers of every request."""
        self.sock: socket.socket | None = sock  # None: closed
        self._end = end
        stops(self)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Disconnect."""
        self.disconnect()

    @property
    def is_open(self) -> bool:
        """Whether the engine still listens: if not, the socket can be read with no request sent."""
        if self.sock is None:
            return False
        with selectors.DefaultSelector() as selector:  # `select` knows the first 1024 files alone
            selector.register(self.sock, selectors.EVENT_READ)
            return not selector.select(0)

    def putrequest(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the base's own
        """Begin a request."""
        super().putrequest(*args, **kwargs)
        for name, value in self.always.items():
            self.putheader(name, value)

    def stop(self) -> None:
        """Let what is being read and written end, in an error; from any thread."""
        with suppress(OSError, AttributeError):  # it is closed, or is being closed
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # type: ignore[arg-type]

    def disconnect(self) -> None:
        """Close it, and end what kept it up."""
        self.close()
        self._end()


def connect_to(host: Host) -> Connection:
    """Connect to an engine.

    Raises:
        OSError: nothing answers, or something that is not the engine.
        ValueError: that is no address.
    """
    connection = _open(host)
    connection.always = host.headers
    return connection


def _open(host: Host) -> Connection:
    address = host.address
    if isinstance(address, Socket):
        return Connection(_local(address.path), "docker", lambda: None)
    if isinstance(address, Ssh):
        return _by_ssh(address, "podman" if host.podman else "docker", host.key)
    return _over_network(address, host.tls)


def _local(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.settimeout(CONNECT_TIMEOUT)
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock


def _over_network(address: Network, asked: TlsFiles | None) -> Connection:
    tls = asked or (TlsFiles(None, None, None) if address.encrypted else None)
    port = address.port or (_HTTPS_PORT if tls else _HTTP_PORT)
    there = address.host, port
    sock = apart(lambda: socket.create_connection(there, CONNECT_TIMEOUT), undo=socket.socket.close)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock = _context(tls).wrap_socket(sock, server_hostname=address.host) if tls else sock
    except BaseException:
        sock.close()
        raise
    return Connection(sock, address.host, lambda: None)


def _context(tls: TlsFiles) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca)
        if tls.cert and tls.key:
            context.load_cert_chain(tls.cert, tls.key)
    except ssl.SSLError as error:
        files = ", ".join(str(path) for path in (tls.ca, tls.cert, tls.key) if path)
        raise ValueError(f"no valid certificate or key among {files}") from error
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _by_ssh(address: Ssh, program: str, key: str) -> Connection:
    """Let the user's own ssh connect, with their keys and settings."""
    options = ["-T", "-o", f"ConnectTimeout={_SSH_TIMEOUT}", *(["-i", key] if key else [])]
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - the address is the user's own, after --
                address.command(options, program),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                start_new_session=True,  # Ctrl-C is for us: the connection is needed to tidy up
            )
    except BaseException:
        ours.close()
        raise

    def end() -> None:
        end_process(process, patience(_HANG_UP_TIMEOUT))

    return Connection(ours, "docker", end)


def reason_of(error: BaseException) -> str:
    """Why a connection broke, in the system's own words."""
    if isinstance(error, _CLOSED):
        return "it closed the connection"
    if isinstance(error, OSError) and error.strerror and not isinstance(error, ssl.SSLError):
        return error.strerror
    return one_line(str(error)) or type(error).__name__
