"""HTTP to registries and to where they send us: TLS, proxies, one kind of error."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit
from weakref import WeakSet

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    HTTPError,
    InsecureRequestWarning,
    NameResolutionError,
    NewConnectionError,
)

from lamella.errors import EngineError, UsageError
from lamella.transport.registry.name import is_loopback
from lamella.transport.registry.options import RegistryOptions
from lamella.waiting import apart, is_asked_to_end, stops

__all__ = ["BrokenOff", "Response", "Unreachable", "Web", "origin", "reason"]

Response = urllib3.BaseHTTPResponse

_CONNECT_TIMEOUT = 15.0
_READ_TIMEOUT = 60.0
_SEND_TIMEOUT = 300.0  # at the end of an upload a registry may copy all of it
_READING = urllib3.Timeout(connect=_CONNECT_TIMEOUT, read=_READ_TIMEOUT)
_SENDING = urllib3.Timeout(connect=_CONNECT_TIMEOUT, read=_SEND_TIMEOUT)
_CONNECTIONS = 8
_BLOCK = 1 << 18
_WANTS_CERTIFICATE = frozenset(
    {"TLSV13_ALERT_CERTIFICATE_REQUIRED", "TLSV1_ALERT_UNKNOWN_CA", "SSLV3_ALERT_BAD_CERTIFICATE"}
)
_CLOSED = (http.client.IncompleteRead, http.client.RemoteDisconnected)


class BrokenOff(EngineError):
    """A connection that ended too early: it may be worth another try."""


class Unreachable(BrokenOff):
    """No connection at all."""


class Web:
    """Sends one request at a time, from any thread; redirects and retries are others' work."""

    def __init__(self, options: RegistryOptions, host: str) -> None:
        """Take over how to reach a registry, and where it sends us; and its name."""
        self._options, self._host = options, host
        self._lock = threading.Lock()
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._sockets = _Sockets()
        stops(self)

    def close(self) -> None:
        """Hang up."""
        for pool in self._pools.values():
            pool.clear()

    def stop(self) -> None:
        """End what is being sent and read, in an error; send nothing any more."""
        self._sockets.stop()

    def stopped_after(self, seconds: float) -> bool:
        """Sleep, but only until it is stopped; return whether it is."""
        return self._sockets.stopped.wait(seconds)

    def may_be_plain(self, host: str) -> bool:
        """Whether a host may be spoken to without TLS."""
        return self._options.insecure or is_loopback(host)

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | BinaryIO | None = None,
    ) -> Response:
        """Send a request; return the answer, its body not yet read.

        Raises:
            BrokenOff: the connection failed or ended.
            EngineError: the other side can't be trusted; or it has no TLS, and must.
        """
        host = urlsplit(url).netloc.rpartition("@")[2]
        if not url.startswith("https://") and not self.may_be_plain(host):
            raise EngineError(f"{host}: won't speak to it without TLS; --insecure allows that")
        if self._sockets.stopped.is_set():
            raise EngineError(f"{host}: interrupted")
        try:
            return self._pool(url).urlopen(
                method,
                url,
                body=body,
                headers=dict(headers),
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=_READING if method in {"GET", "HEAD"} else _SENDING,
                decode_content=False,
                assert_same_host=False,
            )
        except (NewConnectionError, NameResolutionError) as error:
            raise Unreachable(f"can't reach {host}: {reason(error)}") from error
        except (HTTPError, OSError) as error:
            if (distrust := _find(error, ssl.SSLCertVerificationError)) is not None:
                raise EngineError(
                    f"{host}: its certificate is not trusted: {reason(distrust)}; --ca FILE names "
                    "who signed it, --tls-verify=false trusts anybody"
                ) from error
            refusal = _find(error, ssl.SSLError)
            if isinstance(refusal, ssl.SSLError) and refusal.reason in _WANTS_CERTIFICATE:
                raise EngineError(
                    f"{host}: wants a client certificate, or another one; it is looked for in "
                    f"certs.d/{self._host}/*.cert and *.key"
                ) from error
            raise BrokenOff(f"{host} broke off: {reason(error)}") from error

    def _pool(self, url: str) -> urllib3.PoolManager:
        proxy = _proxy_for(url, self._options.environment)
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = self._make_pool(proxy)
            return self._pools[proxy]

    def _make_pool(self, proxy: str) -> urllib3.PoolManager:
        context = _tls_context(self._options, self._host)
        context.sslsocket_class = self._sockets.tls
        pool = self._plain_pool(context) if not proxy else self._proxy_pool(context, proxy)
        pool.pool_classes_by_scheme = self._sockets.pools
        return pool

    def _plain_pool(self, context: ssl.SSLContext) -> urllib3.PoolManager:
        return urllib3.PoolManager(ssl_context=context, maxsize=_CONNECTIONS, blocksize=_BLOCK)

    def _proxy_pool(self, context: ssl.SSLContext, proxy: str) -> urllib3.PoolManager:
        parts = urlsplit(proxy)
        headers = None
        if parts.username:
            account = f"{parts.username}:{parts.password or ''}"
            headers = urllib3.util.make_headers(proxy_basic_auth=account)
        return urllib3.ProxyManager(
            f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
            proxy_headers=headers,
            ssl_context=context,
            maxsize=_CONNECTIONS,
            blocksize=_BLOCK,
        )


class _Sockets:
    """Those in use, by a weak reference; whoever waits for one of them can be interrupted."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        self._open: WeakSet[socket.socket] = WeakSet()
        self.tls = self._tls_class()
        self.pools = self._pool_classes()

    def stop(self) -> None:
        """Let all reading and writing end, now and later."""
        with self._lock:
            self.stopped.set()
            for sock in self._open:
                self._shut(sock)

    def _add(self, sock: socket.socket) -> None:
        with self._lock:
            self._open.add(sock)
            if self.stopped.is_set():
                self._shut(sock)

    def _connect(self, new: Callable[[], socket.socket]) -> socket.socket:
        """Look up and connect, which nobody else can interrupt; know the socket."""
        sock = apart(new, lambda: self.stopped.is_set() or is_asked_to_end(), socket.socket.close)
        self._add(sock)
        return sock

    def _shut(self, sock: socket.socket) -> None:
        with suppress(OSError):  # the other side was faster, or a TLS socket has taken its place
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _tls_class(self) -> type[ssl.SSLSocket]:
        """Return TLS sockets that are known before the other side has said anything."""
        add = self._add

        class Tls(ssl.SSLSocket):
            def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - as there
                add(self)
                super().do_handshake(block)

        return Tls

    def _pool_classes(self) -> dict[str, type[urllib3.HTTPConnectionPool]]:
        """Return urllib3's pools of connections, by scheme, with sockets that are known."""
        connect = self._connect

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return connect(super()._new_conn)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return connect(super()._new_conn)

        class PlainPool(urllib3.HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(urllib3.HTTPSConnectionPool):
            ConnectionCls = Secure

        return {"http": PlainPool, "https": SecurePool}


def _tls_context(options: RegistryOptions, host: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if options.ca is not None:
        try:
            context.load_verify_locations(options.ca)
        except OSError as error:
            what = error.strerror or "no certificates"
            raise UsageError(f"--ca {options.ca}: {what}") from error
    _load_certificates(context, [Path(folder) / host for folder in options.certs])
    if not options.tls_verify:
        urllib3.disable_warnings(InsecureRequestWarning)  # it is what was asked for
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_certificates(context: ssl.SSLContext, folders: Sequence[Path]) -> None:
    """Use what the first of the folders that is there has for a registry.

    https://github.com/containers/image/blob/main/docs/containers-certs.d.5.md
    """
    files: list[Path] = []
    for folder in folders:
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            files = sorted(folder.iterdir())
            break
    for file in files:
        try:
            if file.suffix == ".crt":
                context.load_verify_locations(file)
            elif file.suffix == ".cert":  # without a password, which would be asked for
                context.load_cert_chain(file, file.with_suffix(".key"), password="")
        except OSError as error:
            key = f" and {file.with_suffix('.key').name}" if file.suffix == ".cert" else ""
            what = error.strerror or "makes no sense"
            raise EngineError(f"can't use {file}{key}: {what}") from error


def _proxy_for(url: str, environment: Mapping[str, str]) -> str:
    """Return the proxy for a URL, empty for none; the variables are curl's."""
    parts = urlsplit(url)
    name = f"{parts.scheme}_proxy"
    proxy = environment.get(name) or environment.get(name.upper()) or ""
    host = parts.hostname or ""
    skip = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    if not proxy or is_loopback(host) or _is_skipped(host, parts.port, skip):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_skipped(host: str, port: int | None, skip: str) -> bool:
    for entry in (part.strip().lower() for part in skip.split(",")):
        name, colon, number = entry.rpartition(":")
        if colon and number.isdigit():
            entry = name if port == int(number) else ""  # noqa: PLW2901 - the name without its port
        name = entry.lstrip(".")
        if entry == "*" or (name and (host == name or host.endswith(f".{name}"))):
            return True
        if "/" in entry and _is_within(host, entry):
            return True
    return False


def _is_within(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port of a URL: who gets to see what is sent there."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _chain(error: BaseException) -> list[BaseException]:
    """List an error and those that it wraps, outermost first."""
    found: list[BaseException] = []
    todo = [error]
    while todo:
        current = todo.pop(0)
        if any(current is known for known in found):
            continue
        found.append(current)
        inner = [getattr(current, "reason", None), *current.args]
        inner += [current.__cause__, current.__context__]
        todo += [e for e in inner if isinstance(e, BaseException)]
    return found


def _find(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    return next((e for e in _chain(error) if isinstance(e, kind)), None)


def reason(error: BaseException) -> str:
    """Say in one line why a connection failed: in the system's own words, and without the URL."""
    for e in _chain(error):
        if isinstance(e, _CLOSED):
            return "it closed the connection"
        if isinstance(e, ssl.SSLCertVerificationError):
            return e.verify_message
        if isinstance(e, TimeoutError | urllib3.exceptions.TimeoutError):
            return "it did not answer in time"
        if isinstance(e, OSError) and not isinstance(e, ssl.SSLError) and e.strerror:
            return e.strerror
    last = _chain(error)[-1]
    if isinstance(last, ssl.SSLError):
        return f"no TLS ({last.reason or last})"
    return " ".join(str(last).split())[:200]
